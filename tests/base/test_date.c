#include "base/date.h"
#include "base/test.h"

/* Every day of the years 1 to 9999, counted up one by one. */
TEST(days_count_through_all_years)
{
    int32_t day = DAY_FIRST;
    for (int32_t year = 1; year <= 9999; year++) {
        for (int32_t month = 1; month <= 12; month++) {
            int32_t last = date_days_in_month(year, month);
            ASSERT(!date_exists(year, month, last + 1) && !date_exists(year, month, 0));
            for (int32_t of_month = 1; of_month <= last; of_month++, day++) {
                int32_t got[3];
                day_to_date(day, &got[0], &got[1], &got[2]);
                bool ok = day_from_date(year, month, of_month) == day && got[0] == year &&
                          got[1] == month && got[2] == of_month;
                ASSERT(CHECK(ok));
            }
        }
    }
    CHECK_INT(day - 1, DAY_LAST);
    CHECK_INT(day_from_date(1970, 1, 1), 0);
}

TEST(day_text_round_trips)
{
    for (int32_t day = DAY_FIRST; day <= DAY_LAST; day += 997) {
        int32_t back;
        Str text = day_format(arena, day);
        CHECK(day_parse(text, &back));
        CHECK_INT(back, day);
    }
    static const char *const wrong[] = {"",           "2020",        "2020-01",     "2020-1-01",
                                        "2021-02-29", "1900-02-29",  "2020-13-01",  "2020-00-01",
                                        "2020-01-32", "0000-01-01",  "2020-01-01 ", " 2020-01-01",
                                        "2020/01/01", "2020-01-01T", "+020-01-01",  "20200101"};
    int32_t day = 7;
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        CHECK_ROW(wrong[i], day_parse(str_from_c(wrong[i]), &day), false);
    CHECK_INT(day, 7);
}

static int32_t day_of(const char *text)
{
    int32_t day;
    bool ok = day_parse(str_from_c(text), &day);
    ASSERT(ok);
    return day;
}

TEST(ages_turn_on_the_birthday)
{
    static const struct {
        const char *birth;
        const char *on;
        int32_t want;
    } rows[] = {
        /* clang-format off */
        {"1955-01-01", "2020-01-01", 65},
        {"1955-01-02", "2020-01-01", 64},
        {"2000-02-29", "2001-02-28", 0},
        {"2000-02-29", "2001-03-01", 1},
        {"2000-02-29", "2004-02-28", 3},
        {"2000-02-29", "2004-02-29", 4},
        {"2000-02-28", "2001-02-28", 1},
        {"2020-01-01", "2020-01-01", 0},
        {"2020-01-01", "2019-12-31", 0},
        {"2020-01-01", "2019-01-02", 0},
        {"2020-01-01", "2019-01-01", -1},
        {"2020-02-29", "2019-02-28", -1},
        {"2020-02-29", "2019-03-01", 0},
        {"0001-01-01", "9999-12-31", 9998},
        /* clang-format on */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_ROW(rows[i].birth, day_age_years(day_of(rows[i].birth), day_of(rows[i].on)),
                  rows[i].want);
}

TEST(months_end_on_their_last_day)
{
    static const struct {
        const char *from;
        int32_t months;
        const char *want;
    } rows[] = {
        /* clang-format off */
        {"2020-01-31", 1,   "2020-02-29"},
        {"2021-01-31", 1,   "2021-02-28"},
        {"2020-02-29", 12,  "2021-02-28"},
        {"2020-02-29", -12, "2019-02-28"},
        {"2020-03-31", -1,  "2020-02-29"},
        {"2020-12-15", 1,   "2021-01-15"},
        {"2020-01-15", -1,  "2019-12-15"},
        {"2020-01-15", 0,   "2020-01-15"},
        {"9999-11-30", 1,   "9999-12-30"},
        /* clang-format on */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_ROW_STR(rows[i].from,
                      day_format(arena, day_add_months(day_of(rows[i].from), rows[i].months)),
                      str_from_c(rows[i].want));
    CHECK_INT(day_add_months(day_of("9999-12-01"), 1), DAY_NONE);
    CHECK_INT(day_add_months(day_of("0001-01-31"), -1), DAY_NONE);
    CHECK_INT(day_add_months(0, INT32_MAX), DAY_NONE);
    CHECK_INT(day_add_months(0, INT32_MIN), DAY_NONE);
}

TEST(moments_keep_their_precision)
{
    static const struct {
        const char *text;
        const char *format; /* NULL when it is the text itself */
        Precision precision;
        int64_t first;
    } rows[] = {
        /* clang-format off */
        {"1970",                          NULL, PRECISION_YEAR,   0},
        {"1970-01",                       NULL, PRECISION_MONTH,  0},
        {"1970-01-01",                    NULL, PRECISION_DAY,    0},
        {"1970-01-01T01",                 NULL, PRECISION_HOUR,   3600000},
        {"1970-01-01T00:01",              NULL, PRECISION_MINUTE, 60000},
        {"1970-01-01T00:00:01",           NULL, PRECISION_SECOND, 1000},
        {"1970-01-01T00:00:01.5",         "1970-01-01T00:00:01.500", PRECISION_MILLISECOND, 1500},
        {"1970-01-01T00:00:01.0009999",   "1970-01-01T00:00:01.000", PRECISION_MILLISECOND, 1000},
        {"1970-01-01T00:00:00Z",          NULL, PRECISION_SECOND, 0},
        {"1970-01-01T02:00:00+02:00",     NULL, PRECISION_SECOND, 0},
        {"1969-12-31T10:00:00-14:00",     NULL, PRECISION_SECOND, 0},
        {"1970-01-01T00:00:00+00:00",     "1970-01-01T00:00:00Z", PRECISION_SECOND, 0},
        {"1970-01-01T00:00:60Z",          "1970-01-01T00:00:59Z", PRECISION_SECOND, 59000},
        {"1972-02",                       NULL, PRECISION_MONTH,  65750400000},
        {"0001-01-01T00:00:00.000+14:00", NULL, PRECISION_MILLISECOND, -62135647200000},
        {"9999-12-31T23:59:59.999-14:00", NULL, PRECISION_MILLISECOND, 253402351199999},
        /* clang-format on */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Moment moment;
        if (!CHECK_ROW(rows[i].text, moment_parse(str_from_c(rows[i].text), &moment), true))
            continue;
        CHECK_ROW(rows[i].text, moment.precision, rows[i].precision);
        CHECK_ROW(rows[i].text, moment_first_ms(moment, 0), rows[i].first);
        const char *want = rows[i].format == NULL ? rows[i].text : rows[i].format;
        CHECK_ROW_STR(rows[i].text, moment_format(arena, moment), str_from_c(want));
        Moment again;
        CHECK(moment_parse(moment_format(arena, moment), &again));
        CHECK(memcmp(&again, &moment, sizeof(moment)) == 0);
    }
    Moment local;
    CHECK(moment_parse(S("1970-01-01T02:00"), &local));
    CHECK_INT(moment_first_ms(local, 120), 0);
    CHECK_INT(moment_day(local), 0);
}

TEST(moments_that_are_none_are_refused)
{
    static const char *const wrong[] = {
        "",
        "197",
        "1970-",
        "1970-1",
        "1970-13",
        "1970-01-",
        "1970-02-29",
        "1970-01-01T",
        "1970-01-01T24:00",
        "1970-01-01T00:60",
        "1970-01-01T00:00:61",
        "1970-01-01T00:00:00.",
        "1970-01-01T00:00:00+14:01",
        "1970-01-01T00:00:00+0200",
        "1970-01-01T00:00:00z",
        "1970-01-01t00:00:00Z",
        "1970-01-01 00:00:00",
        "1970-01-01Z",
        "1970Z",
        "0000",
        "1970-01-01T00:00:00Z ",
        "1970-01-01T00:00:00.1.1",
        "1970-01-01T00:00.5",
        "-1970",
        "12345",
    };
    Moment moment;
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        CHECK_ROW(wrong[i], moment_parse(str_from_c(wrong[i]), &moment), false);
}

TEST(times_of_day_stand_alone)
{
    Moment moment;
    CHECK(moment_parse_time(S("13:05:09.25"), &moment));
    CHECK_STR(moment_format(arena, moment), S("13:05:09.250"));
    CHECK_INT(moment_first_ms(moment, 300), 47109250);
    CHECK(moment_parse_time(S("13"), &moment));
    CHECK_STR(moment_format(arena, moment), S("13"));
    CHECK(!moment_parse_time(S("13:00Z"), &moment));
    CHECK(!moment_parse_time(S("24"), &moment));
    CHECK(!moment_parse_time(S(""), &moment));
}

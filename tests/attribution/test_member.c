#include "base/test.h"
#include "people.h"

static int32_t day_of(const char *text)
{
    int32_t day;
    bool ok = day_parse(str_from_c(text), &day);
    ASSERT(ok);
    return day;
}

/* A batch of one person with the columns that members are told by. */
typedef struct {
    int32_t birth;
    int32_t death;
    uint8_t sex;
    RecordBatch batch;
} Person;

static Record person_record(Person *person)
{
    person->batch = (RecordBatch){.person_count = 1,
                                  .birth_days = &person->birth,
                                  .death_days = &person->death,
                                  .sexes = &person->sex};
    return (Record){.batch = &person->batch};
}

TEST(state_on_a_day)
{
    static const struct {
        const char *row;
        const char *birth; /* NULL: unknown */
        const char *death; /* NULL: not known to be dead; "": undated */
        const char *day;
        MemberState want;
    } rows[] = {
        /* clang-format off */
        {"alive",                 "1960-05-01", NULL,         "2020-01-01", MEMBER_ALIVE},
        {"born on the day",       "2020-01-01", NULL,         "2020-01-01", MEMBER_ALIVE},
        {"born a day later",      "2020-01-02", NULL,         "2020-01-01", MEMBER_NOT_BORN},
        {"died on the day",       "1960-05-01", "2020-01-01", "2020-01-01", MEMBER_ALIVE},
        {"died the day before",   "1960-05-01", "2019-12-31", "2020-01-01", MEMBER_DEAD},
        {"died later",            "1960-05-01", "2020-06-30", "2020-01-01", MEMBER_ALIVE},
        {"died, nobody says when","1960-05-01", "",           "1990-01-01", MEMBER_DEATH_UNDATED},
        {"birth unknown",         NULL,         NULL,         "2020-01-01", MEMBER_BIRTH_UNKNOWN},
        {"nothing known but death", NULL,       "",           "2020-01-01", MEMBER_BIRTH_UNKNOWN},
        /* clang-format on */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Person person = {.birth = DAY_NONE, .death = DAY_NONE};
        if (rows[i].birth != NULL)
            person.birth = day_of(rows[i].birth);
        if (rows[i].death != NULL)
            person.death = rows[i].death[0] == '\0' ? DEATH_UNDATED : day_of(rows[i].death);
        Record record = person_record(&person);
        CHECK_ROW(rows[i].row, member_state(record, day_of(rows[i].day)), rows[i].want);
        /* Days lived are the days on which the state is "alive". */
        int32_t from = day_of(rows[i].day) - 3;
        int32_t lived = 0;
        for (int32_t day = from; day <= from + 6; day++)
            lived += member_state(record, day) == MEMBER_ALIVE;
        CHECK_ROW(rows[i].row, member_days(record, from, from + 6), lived);
    }
}

TEST(months_of_a_year)
{
    Person person = {.birth = day_of("1955-03-01"), .death = day_of("2020-06-01"), .sex = SEX_MALE};
    Record record = person_record(&person);
    CHECK_INT(member_sex(record), SEX_MALE);
    MemberMonths months =
        member_months(record, day_of("2020-01-01"), day_of("2020-12-31"), MEMBER_ON_FIRST_DAY);
    MemberMonth month;
    int count = 0;
    int alive = 0;
    int aged_65 = 0;
    int32_t before = 0;
    while (member_months_next(&months, &month)) {
        CHECK(month.first_day > before && month.day == month.first_day);
        before = month.first_day;
        count++;
        alive += month.state == MEMBER_ALIVE;
        aged_65 += month.state == MEMBER_ALIVE && month.age >= 65;
    }
    CHECK_INT(count, 12);
    CHECK_INT(alive, 6);   /* died on 1 June: was alive on that day */
    CHECK_INT(aged_65, 4); /* 65 on 1 March: March to June */
    CHECK_INT(member_days(record, day_of("2020-01-01"), day_of("2020-12-31")),
              31 + 29 + 31 + 30 + 31 + 1);
}

TEST(day_looked_at_in_a_month)
{
    static const struct {
        const char *row;
        const char *from;
        const char *to;
        MemberDay on;
        const char *days;
    } rows[] = {
        /* clang-format off */
        {"first",          "2020-01-01", "2020-03-31", MEMBER_ON_FIRST_DAY, "2020-01-01 2020-02-01 2020-03-01 "},
        {"fifteenth",      "2020-01-01", "2020-02-29", MEMBER_ON_FIFTEENTH, "2020-01-15 2020-02-15 "},
        {"last",           "2019-12-01", "2020-02-29", MEMBER_ON_LAST_DAY,  "2019-12-31 2020-01-31 2020-02-29 "},
        {"begun months do not count", "2020-01-02", "2020-02-29", MEMBER_ON_FIRST_DAY, "2020-02-01 "},
        {"none",           "2020-01-02", "2020-01-31", MEMBER_ON_FIRST_DAY, ""},
        {"the last year",  "9999-11-02", "9999-12-31", MEMBER_ON_LAST_DAY,  "9999-12-31 "},
        {"the last month", "9999-12-02", "9999-12-31", MEMBER_ON_LAST_DAY,  ""},
        /* clang-format on */
    };
    Person person = {.birth = day_of("1950-01-01"), .death = DAY_NONE};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int32_t from = day_of(rows[i].from);
        int32_t to = day_of(rows[i].to);
        const int32_t *days;
        size_t count = member_month_days(arena, from, to, rows[i].on, &days);
        StrBuf got;
        strbuf_init(&got, arena, 0);
        MemberMonths months = member_months(person_record(&person), from, to, rows[i].on);
        MemberMonth month;
        for (size_t k = 0; k < count; k++) {
            CHECK_ROW(rows[i].row, member_months_next(&months, &month), true);
            CHECK_ROW(rows[i].row, month.day, days[k]);
            strbuf_printf(&got, "%.*s ", STR_ARG(day_format(arena, days[k])));
        }
        CHECK_ROW(rows[i].row, member_months_next(&months, &month), false);
        CHECK_ROW_STR(rows[i].row, strbuf_str(&got), str_from_c(rows[i].days));
    }
}

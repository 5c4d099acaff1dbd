/* Single cases; test_decimal.py has the random ones. */
#include "base/decimal.h"
#include "base/test.h"

static Decimal decimal_of(const char *text)
{
    Decimal value;
    bool ok = decimal_parse(str_from_c(text), &value);
    ASSERT(ok);
    return value;
}

TEST(rounding_rules_at_and_beside_the_tie)
{
    static const struct {
        int64_t numerator; /* of 10 */
        int64_t want[7];   /* half-even, half-away, half-up, down, up, floor, ceiling */
    } rows[] = {
        /* clang-format off */
        {25,  {2,  3,  3,  2,  3,  2,  3}},
        {35,  {4,  4,  4,  3,  4,  3,  4}},
        {-25, {-2, -3, -2, -2, -3, -3, -2}},
        {-35, {-4, -4, -3, -3, -4, -4, -3}},
        {24,  {2,  2,  2,  2,  3,  2,  3}},
        {26,  {3,  3,  3,  2,  3,  2,  3}},
        {-24, {-2, -2, -2, -2, -3, -3, -2}},
        {-26, {-3, -3, -3, -2, -3, -3, -2}},
        {20,  {2,  2,  2,  2,  2,  2,  2}},
        {0,   {0,  0,  0,  0,  0,  0,  0}},
        {5,   {0,  1,  1,  0,  1,  0,  1}},
        {-5,  {0,  -1, 0,  0,  -1, -1, 0}},
        /* clang-format on */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (int rule = 0; rule < 7; rule++)
            CHECK_ROW(rounding_text((Rounding)rule),
                      (int64_t)rounding_divide(rows[i].numerator, 10, (Rounding)rule),
                      rows[i].want[rule]);
    __int128 least = (__int128)((unsigned __int128)1 << 127);
    CHECK(rounding_divide(least, 1, ROUNDING_UP) == least);
    CHECK(rounding_divide(least, -(least + 1), ROUNDING_HALF_EVEN) == -1);
    Rounding rounding;
    CHECK(rounding_from_text(S("half-even"), &rounding) && rounding == ROUNDING_HALF_EVEN);
    CHECK(!rounding_from_text(S("banker's"), &rounding));
}

TEST(decimal_text_is_strict_and_shortest)
{
    static const struct {
        const char *text;
        const char *want; /* NULL: refused by decimal_parse */
        const char *rounded;
    } rows[] = {
        /* clang-format off */
        {"0",                    "0",      "0"},
        {"-0",                   "0",      "0"},
        {"-0.000000001",         NULL,     "0"},
        {"+1.50",                "1.5",    "1.5"},
        {"0012.0",               "12",     "12"},
        {"1.123456780",          "1.12345678", "1.12345678"},
        {"1.123456785",          NULL,     "1.12345679"},
        {"-1.123456785",         NULL,     "-1.12345679"},
        {"9999999999999999999999999999.99999999", "9999999999999999999999999999.99999999", "9999999999999999999999999999.99999999"},
        {"9999999999999999999999999999.999999995", NULL, NULL},
        {"10000000000000000000000000000", NULL, NULL},
        {"000000000000000000000000000000000001", "1", "1"},
        {"1e3",                  NULL,     "1000"},
        {"1.5E-3",               NULL,     "0.0015"},
        {"5e-9",                 NULL,     "0.00000001"},
        {"4e-9",                 NULL,     "0"},
        {"1e-999999999999999999999", NULL, "0"},
        {"1e27",                 NULL,     "1000000000000000000000000000"},
        {"1e28",                 NULL,     NULL},
        {"1e999999999999999999999", NULL,  NULL},
        {"0e999999999999999999999", NULL,  "0"},
        {"",                     NULL,     NULL},
        {"-",                    NULL,     NULL},
        {".5",                   NULL,     NULL},
        {"1.",                   NULL,     NULL},
        {"1e",                   NULL,     NULL},
        {"1e+",                  NULL,     NULL},
        {"--1",                  NULL,     NULL},
        {"1 ",                   NULL,     NULL},
        {" 1",                   NULL,     NULL},
        {"1,5",                  NULL,     NULL},
        {"0x10",                 NULL,     NULL},
        {"NaN",                  NULL,     NULL},
        /* clang-format on */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Decimal value;
        Str text = str_from_c(rows[i].text);
        bool ok = decimal_parse(text, &value);
        CHECK_ROW(rows[i].text, ok, rows[i].want != NULL);
        if (ok && rows[i].want != NULL)
            CHECK_ROW_STR(rows[i].text, decimal_format(arena, value), str_from_c(rows[i].want));
        ok = decimal_parse_rounded(text, &value);
        CHECK_ROW(rows[i].text, ok, rows[i].rounded != NULL);
        if (ok && rows[i].rounded != NULL)
            CHECK_ROW_STR(rows[i].text, decimal_format(arena, value), str_from_c(rows[i].rounded));
    }
}

TEST(decimal_says_when_a_result_does_not_fit)
{
    Decimal most = decimal_of("9999999999999999999999999999.99999999");
    Decimal least = {.units = -most.units};
    Decimal tiny = decimal_of("0.00000001");
    Decimal kept = decimal_of("7");
    Decimal result = kept;
    Decimal end = {.units = most.units + 1};
    CHECK(!decimal_add(end, tiny, &result));
    CHECK(!decimal_subtract((Decimal){.units = least.units - 1}, tiny, &result));
    CHECK(!decimal_multiply(most, decimal_of("2"), ROUNDING_DOWN, &result));
    CHECK(!decimal_multiply(most, most, ROUNDING_DOWN, &result));
    CHECK(!decimal_divide(most, tiny, ROUNDING_DOWN, &result));
    CHECK(!decimal_divide(most, decimal_of("0"), ROUNDING_DOWN, &result));
    CHECK(!decimal_round(most, -1, ROUNDING_UP, &result));
    CHECK(decimal_cmp(result, kept) == 0);
    /* 10^28 itself may be reached, but not written. */
    CHECK(decimal_round(most, 0, ROUNDING_UP, &result) && decimal_cmp(result, end) == 0);
    CHECK(decimal_add(most, tiny, &result) && decimal_cmp(result, end) == 0);
    CHECK(!decimal_parse(S("10000000000000000000000000000"), &result));
    CHECK(decimal_round(most, 8, ROUNDING_UP, &result) && decimal_cmp(result, most) == 0);
    CHECK(decimal_divide(most, most, ROUNDING_DOWN, &result));
    CHECK_STR(decimal_format(arena, result), S("1"));
    CHECK(decimal_divide(tiny, most, ROUNDING_UP, &result));
    CHECK(decimal_cmp(result, tiny) == 0);
    CHECK(decimal_add(most, least, &result) && result.units == 0);
    CHECK(decimal_is_in_range(end));
    CHECK(!decimal_is_in_range((Decimal){.units = end.units + 1}));
}

TEST(decimal_shows_a_fixed_number_of_places)
{
    static const struct {
        const char *text;
        int places;
        const char *want;
    } rows[] = {
        {"1.005", 2, "1.00"},  {"1.015", 2, "1.02"},     {"-1.005", 2, "-1.00"},
        {"-0.001", 2, "0.00"}, {"12", 2, "12.00"},       {"12.5", 0, "12"},
        {"13.5", 0, "14"},     {"0.1", 8, "0.10000000"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_ROW_STR(rows[i].text,
                      decimal_format_places(arena, decimal_of(rows[i].text), rows[i].places),
                      str_from_c(rows[i].want));
    CHECK(decimal_to_double(decimal_of("-2.5")) == -2.5);
    CHECK_STR(decimal_format(arena, decimal_from_int(INT64_MIN)), S("-9223372036854775808"));
}

#include "base/ratio.h"
#include "base/test.h"

static Ratio parse(Arena *arena, const char *text)
{
    Ratio value = {.den = 0};
    CHECK(ratio_parse(arena, str_from_c(text), &value));
    return value;
}

TEST(numbers_are_read_whole_and_others_refused)
{
    static const struct {
        const char *text;
        const char *exact; /* NULL: no number */
    } rows[] = {
        {"0", "0"},
        {"-0.0", "0"},
        {"12.50", "25/2"},
        {"+3", "3"},
        {"-1e-05", "-1/100000"},
        {"1.5E+2", "150"},
        {"0.46880000000000005", "9376000000000001/20000000000000000"},
        {"123456789012345678901234567890", "123456789012345678901234567890"},
        {"", NULL},
        {"-", NULL},
        {".5", NULL},
        {"5.", NULL},
        {"1e", NULL},
        {"1e101", NULL},
        {"nan", NULL},
        {"inf", NULL},
        {"0x10", NULL},
        {"1 000", NULL},
        {"1,000", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Ratio value;
        bool ok = ratio_parse(arena, str_from_c(rows[i].text), &value);
        CHECK_ROW(rows[i].text, ok, rows[i].exact != NULL);
        if (ok && rows[i].exact != NULL)
            CHECK_STR(ratio_format_exact(arena, value), str_from_c(rows[i].exact));
    }
}

TEST(ties_and_others_are_rounded_by_the_rule)
{
    static const struct {
        const char *row;
        int64_t num;
        int64_t den;
        int64_t want[7]; /* in the order of Rounding */
    } rows[] = {
        {"half of an even", 5, 2, {2, 3, 3, 2, 3, 2, 3}},
        {"half of an odd", 7, 2, {4, 4, 4, 3, 4, 3, 4}},
        {"minus half of an even", -5, 2, {-2, -3, -2, -2, -3, -3, -2}},
        {"minus half of an odd", -7, 2, {-4, -4, -3, -3, -4, -4, -3}},
        {"a third", 1, 3, {0, 0, 0, 0, 1, 0, 1}},
        {"minus two thirds", -2, 3, {-1, -1, -1, 0, -1, -1, 0}},
        {"whole", -4, 2, {-2, -2, -2, -2, -2, -2, -2}},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (int rule = ROUNDING_HALF_EVEN; rule <= ROUNDING_CEILING; rule++) {
            int64_t steps = 99;
            Ratio value = ratio_make(rows[i].num, rows[i].den);
            CHECK(ratio_round_to_steps(value, 0, (Rounding)rule, &steps));
            CHECK_ROW(rows[i].row, steps, rows[i].want[rule]);
        }
    }
}

/* 1/1 + 1/2 + ... + 1/n and back again: large on the way, and exactly nothing left. */
TEST(sums_of_many_fractions_stay_exact)
{
    Ratio sum = ratio_from_int(0);
    for (int64_t i = 1; i <= 300; i++)
        sum = ratio_add(arena, sum, ratio_make(1, i));
    CHECK(sum.big != NULL);
    CHECK_STR(ratio_format(arena, sum, 0, 12), S("6.2826638803"));
    for (int64_t i = 300; i >= 1; i--)
        sum = ratio_subtract(arena, sum, ratio_make(1, i));
    CHECK_INT(ratio_sign(sum), 0);
    CHECK(sum.big == NULL && ratio_is_integer(sum));
}

TEST(products_and_quotients_cross_the_edge_of_64_bits)
{
    Ratio most = ratio_from_int(INT64_MAX);
    Ratio square = ratio_multiply(arena, most, most);
    CHECK_STR(ratio_format_exact(arena, square), S("85070591730234615847396907784232501249"));
    CHECK_INT(ratio_cmp(ratio_divide(arena, square, most), most), 0);
    CHECK_INT(ratio_cmp(ratio_negate(arena, square), most), -1);
    CHECK_STR(ratio_format(arena, ratio_divide(arena, most, ratio_from_int(-3)), 2, 2),
              S("-3074457345618258602.33"));
    int64_t steps = 7;
    CHECK(!ratio_round_to_steps(square, 2, ROUNDING_HALF_EVEN, &steps));
    CHECK_INT(steps, 7);
}

TEST(floor_leaves_a_rest_below_one)
{
    int64_t whole;
    Ratio rest;
    CHECK(ratio_floor(arena, parse(arena, "-2.25"), &whole, &rest));
    CHECK_INT(whole, -3);
    CHECK_STR(ratio_format_exact(arena, rest), S("3/4"));
    CHECK(ratio_floor(arena, ratio_from_int(5), &whole, &rest));
    CHECK_INT(whole, 5);
    CHECK_INT(ratio_sign(rest), 0);
}

TEST(a_fraction_past_the_limit_stays_too_large)
{
    Ratio value = parse(arena, "1e100");
    for (int i = 0; i < 12; i++)
        value = ratio_multiply(arena, value, value);
    CHECK(!ratio_is_valid(value));
    CHECK(!ratio_is_valid(ratio_add(arena, value, ratio_from_int(1))));
    CHECK(!ratio_is_valid(ratio_divide(arena, ratio_from_int(1), value)));
    int64_t steps;
    CHECK(!ratio_round_to_steps(value, 0, ROUNDING_DOWN, &steps));
    CHECK_STR(ratio_format(arena, value, 0, 2), S("(too large)"));
}

TEST(text_has_as_many_digits_as_asked)
{
    CHECK_STR(ratio_format(arena, ratio_make(1, 3), 2, 8), S("0.33333333"));
    CHECK_STR(ratio_format(arena, ratio_from_int(5), 2, 8), S("5.00"));
    CHECK_STR(ratio_format(arena, ratio_make(-1, 1000), 0, 2), S("0"));
    CHECK_STR(ratio_format(arena, ratio_make(-5, 2), 0, 0), S("-2"));
    CHECK_STR(ratio_format(arena, parse(arena, "0.125"), 0, 8), S("0.125"));
}

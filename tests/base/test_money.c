#include "base/money.h"
#include "base/test.h"

static Currency currency_of(const char *code)
{
    Currency currency;
    bool ok = currency_find(str_from_c(code), &currency);
    ASSERT(ok);
    return currency;
}

TEST(currencies_have_the_digits_of_iso_4217)
{
    CHECK_INT(currency_of("USD").digits, 2);
    CHECK_INT(currency_of("JPY").digits, 0);
    CHECK_INT(currency_of("KWD").digits, 3);
    CHECK_INT(currency_of("CLF").digits, 4);
    CHECK_STR(str_from_c(currency_of("AED").code), S("AED"));
    CHECK_STR(str_from_c(currency_of("ZWG").code), S("ZWG"));
    Currency currency;
    CHECK(!currency_find(S("XXX"), &currency));
    CHECK(!currency_find(S("usd"), &currency));
    CHECK(!currency_find(S("US"), &currency));
    CHECK(!currency_find(S("USDD"), &currency));
    /* The table is looked up by bisection, so it must be sorted. */
    static const char *const codes[] = {
#define CURRENCY(code, digits) #code,
#include "base/currency.def"
#undef CURRENCY
    };
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        CHECK_ROW(codes[i], currency_find(str_from_c(codes[i]), &currency), true);
        if (i > 0)
            CHECK_ROW(codes[i], strcmp(codes[i - 1], codes[i]) < 0, true);
    }
}

TEST(amounts_come_from_rates_rounded_once)
{
    static const struct {
        const char *rate;
        const char *quantity;
        const char *currency;
        Rounding rounding;
        bool ok;
        int64_t want;
    } rows[] = {
        /* clang-format off */
        {"2.50",   "3",      "USD", ROUNDING_HALF_EVEN, true,  750},
        {"2.50",   "3",      "JPY", ROUNDING_HALF_EVEN, true,  8},
        {"2.50",   "5",      "JPY", ROUNDING_HALF_EVEN, true,  12},
        {"2.50",   "3",      "KWD", ROUNDING_HALF_EVEN, true,  7500},
        {"0.005",  "1",      "USD", ROUNDING_HALF_EVEN, true,  0},
        {"0.005",  "3",      "USD", ROUNDING_HALF_EVEN, true,  2},
        {"0.005",  "1",      "USD", ROUNDING_HALF_AWAY, true,  1},
        {"-0.005", "1",      "USD", ROUNDING_HALF_AWAY, true,  -1},
        /* rounding at 8 places first would make this a tie */
        {"0.00500001", "0.99999999", "USD", ROUNDING_HALF_EVEN, true,  1},
        {"92233720368547758.07", "1", "USD", ROUNDING_DOWN, true, INT64_MAX},
        {"92233720368547758.08", "1", "USD", ROUNDING_DOWN, false, 0},
        {"-92233720368547758.08", "1", "USD", ROUNDING_DOWN, true, INT64_MIN},
        {"9999999999999999999999999999", "9999999999999999999999999999", "USD", ROUNDING_DOWN, false, 0},
        /* clang-format on */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Decimal rate;
        Decimal quantity;
        int64_t minor = 0;
        CHECK(decimal_parse(str_from_c(rows[i].rate), &rate));
        CHECK(decimal_parse(str_from_c(rows[i].quantity), &quantity));
        bool ok = money_from_rate(rate, quantity, currency_of(rows[i].currency), rows[i].rounding,
                                  &minor);
        CHECK_ROW(rows[i].rate, ok, rows[i].ok);
        CHECK_ROW(rows[i].rate, minor, rows[i].want);
    }
    int64_t sum = 5;
    CHECK(!money_add(INT64_MAX, 1, &sum));
    CHECK(!money_add(INT64_MIN, -1, &sum));
    CHECK_INT(sum, 5);
    CHECK(money_add(INT64_MAX, INT64_MIN, &sum));
    CHECK_INT(sum, -1);
}

/* The split is judged against its definition: it sums exactly, each part is the exact share
   rounded down or up, and nobody got a unit before somebody with a larger remainder. */
static void check_split(int64_t total, const int64_t *weights, size_t count, const int64_t *parts)
{
    __int128 sum = 0;
    __int128 of_parts = 0;
    __int128 magnitude = total < 0 ? -(__int128)total : total;
    for (size_t i = 0; i < count; i++) {
        sum += weights[i];
        of_parts += parts[i];
    }
    CHECK(of_parts == total);
    __int128 least_up = -1; /* smallest remainder that got a unit */
    __int128 most_down = -1;
    for (size_t i = 0; i < count; i++) {
        __int128 part = total < 0 ? -(__int128)parts[i] : parts[i];
        __int128 exact = magnitude * weights[i];
        bool is_up = part == exact / sum + 1;
        CHECK(is_up || part == exact / sum);
        CHECK(!is_up || exact % sum != 0);
        if (is_up && (least_up < 0 || exact % sum < least_up))
            least_up = exact % sum;
        if (!is_up && exact % sum > most_down)
            most_down = exact % sum;
    }
    CHECK(least_up < 0 || least_up >= most_down);
}

TEST(money_split_is_exact_and_fair)
{
    uint64_t seed = 5;
    for (int round = 0; round < 3000; round++) {
        int64_t weights[40];
        int64_t parts[40];
        size_t count = 1 + (size_t)(test_random(&seed) % 40);
        uint64_t scale = test_random(&seed) % 4;
        bool is_zero = true;
        for (size_t i = 0; i < count; i++) {
            uint64_t weight = test_random(&seed);
            weights[i] = (int64_t)(scale == 0   ? weight % 3
                                   : scale == 1 ? weight % 1000
                                                : weight >> 1);
            is_zero = is_zero && weights[i] == 0;
        }
        int64_t total = (int64_t)test_random(&seed);
        if (round % 3 == 0)
            total %= 1000;
        if (round % 100 == 0)
            total = INT64_MIN;
        bool ok = money_split(total, weights, count, parts);
        CHECK_INT(ok, !is_zero);
        if (ok)
            check_split(total, weights, count, parts);
    }
}

TEST(money_split_gives_ties_to_the_first)
{
    static const int64_t weights[] = {1, 1, 1, 0, 1};
    int64_t parts[5];
    CHECK(money_split(10, weights, 5, parts));
    static const int64_t want[] = {3, 3, 2, 0, 2};
    for (size_t i = 0; i < 5; i++)
        CHECK_INT(parts[i], want[i]);
    CHECK(money_split(-10, weights, 5, parts));
    for (size_t i = 0; i < 5; i++)
        CHECK_INT(parts[i], -want[i]);
    CHECK(!money_split(10, weights + 3, 1, parts));
    CHECK(!money_split(10, weights, 0, parts));
}

TEST(money_text_goes_both_ways)
{
    static const struct {
        const char *currency;
        int64_t minor;
        const char *text;
        const char *grouped;
    } rows[] = {
        /* clang-format off */
        {"USD", 0,          "0.00",        "0.00"},
        {"USD", -5,         "-0.05",       "-0.05"},
        {"USD", 123450,     "1234.50",     "1,234.50"},
        {"USD", 100000000,  "1000000.00",  "1,000,000.00"},
        {"USD", 99999,      "999.99",      "999.99"},
        {"JPY", -1234567,   "-1234567",    "-1,234,567"},
        {"KWD", 1,          "0.001",       "0.001"},
        {"USD", INT64_MIN,  "-92233720368547758.08", "-92,233,720,368,547,758.08"},
        {"USD", INT64_MAX,  "92233720368547758.07",  "92,233,720,368,547,758.07"},
        /* clang-format on */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Currency currency = currency_of(rows[i].currency);
        Str text = money_format(arena, rows[i].minor, currency, false);
        CHECK_STR(text, str_from_c(rows[i].text));
        CHECK_STR(money_format_grouped(arena, rows[i].minor, currency),
                  str_from_c(rows[i].grouped));
        int64_t back = 1;
        CHECK_ROW(rows[i].text, money_parse(text, currency, &back), true);
        CHECK_ROW(rows[i].text, back, rows[i].minor);
    }
    Currency usd = currency_of("USD");
    CHECK_STR(money_format(arena, -250, usd, true), S("USD -2.50"));
    int64_t minor;
    CHECK(money_parse(S("2.5"), usd, &minor) && minor == 250);
    CHECK(money_parse(S("2.500"), usd, &minor) && minor == 250);
    CHECK(!money_parse(S("2.505"), usd, &minor));
    CHECK(!money_parse(S("2.5"), currency_of("JPY"), &minor));
    CHECK(!money_parse(S("USD 2.50"), usd, &minor));
    CHECK(!money_parse(S("1,000.00"), usd, &minor));
    CHECK(!money_parse(S("92233720368547758.08"), usd, &minor));
    CHECK(!money_parse(S(""), usd, &minor));
}

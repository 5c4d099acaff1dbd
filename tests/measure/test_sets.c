/* Sets of registers by words, the history of registers, and the formulas behind rates. */
#include <math.h>

#include "base/test.h"
#include "measure/measure.h"

static const RegisterSpec registers[] = {
    {.id = STR_INIT("diabetes"), .title = STR_INIT("Diabetes")},
    {.id = STR_INIT("end"), .title = STR_INIT("End of life")}};
static const IndicatorSpec indicators[] = {{.id = STR_INIT("hba1c"), .title = STR_INIT("HbA1c")}};
static const MeasureSpec spec = {
    .registers = registers, .register_count = 2, .indicators = indicators, .indicator_count = 1};

TEST(expressions_name_the_column_of_what_is_wrong)
{
    static const struct {
        const char *text;
        uint32_t column; /* 0: it is right */
    } rows[] = {{"diabetes", 0},
                {"Diabetes and not \"End of life\"", 0},
                {"NOT (diabetes or end) AND hba1c:gap", 0},
                {"not not diabetes", 0},
                {"\"hba1c\":gap", 0},
                {"", 1},
                {"diabetes and", 13},
                {"diabetes end", 10},
                {"(diabetes", 10},
                {"diabetes)", 9},
                {"and diabetes", 1},
                {"\"diabetes", 1},
                {"diabetes; x", 9},
                {"diabetes or diabetis", 13},
                {"hba1c:gaps", 1},
                {"hba1c", 1}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        DiagList diags;
        diag_init(&diags, arena);
        MeasureExpression *expression;
        ErrorCode code =
            measure_expression_parse(arena, str_from_c(rows[i].text), &spec, &diags, &expression);
        CHECK_INT(code, rows[i].column == 0 ? ERR_OK : ERR_DOCUMENT);
        CHECK_INT(diags.kept.count, rows[i].column != 0);
        if (diags.kept.count > 0)
            CHECK_INT(diags.kept.items[0].column, rows[i].column);
    }
}

TEST(expressions_have_limits)
{
    StrBuf text;
    strbuf_init(&text, arena, 0);
    for (int i = 0; i < 1000; i++)
        strbuf_add_char(&text, '(');
    strbuf_add(&text, S("diabetes"));
    DiagList diags;
    diag_init(&diags, arena);
    MeasureExpression *expression;
    CHECK_INT(measure_expression_parse(arena, strbuf_str(&text), &spec, &diags, &expression),
              ERR_DOCUMENT);
    strbuf_clear(&text);
    strbuf_add(&text, S("diabetes"));
    for (int i = 0; i < ALGEBRA_STEPS_MAX; i++)
        strbuf_add(&text, S(" or end"));
    CHECK_INT(measure_expression_parse(arena, strbuf_str(&text), &spec, &diags, &expression),
              ERR_DOCUMENT);
    CHECK_INT(diags.kept.count, 2);
}

TEST(a_history_that_is_damaged_is_refused_with_its_line)
{
    static const struct {
        const char *text;
        const char *says; /* NULL: it is right */
    } rows[] = {
        {"{\"history\":1,\"through\":\"2020-01-31\"}\n{\"register\":\"d\",\"since\":\"2020-01-31\"}"
         "\n"
         "{\"register\":\"d\",\"person\":\"p\",\"entered\":\"2020-01-31\",\"reason\":\"r\"}\n",
         NULL},
        {"", "h:1: this is no history"},
        {"{}\n", "h:1: this is no history"},
        {"{\"history\":1,\"through\":\"2020-01-32\"}\n", "h:1:"},
        {"{\"history\":1,\"through\":\"2020-01-31\"}\nx\n", "h:2: this is no JSON"},
        {"{\"history\":1,\"through\":\"2020-01-31\"}\n{\"person\":\"p\"}\n",
         "h:2: expected a register"},
        {"{\"history\":1,\"through\":\"2020-01-31\"}\n{\"register\":\"d\",\"person\":\"p\"}\n",
         "h:2: a spell without"},
        {"{\"history\":1,\"through\":\"2020-01-31\"}\n"
         "{\"register\":\"d\",\"person\":\"p\",\"entered\":\"2020-01-31\",\"left\":\"2020-01-30\"}"
         "\n",
         "h:2: a spell that ends"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Error err = {0};
        RegisterHistory history;
        ErrorCode code =
            register_history_parse(arena, str_from_c(rows[i].text), S("h"), &history, &err);
        CHECK_INT(code, rows[i].says == NULL ? ERR_OK : ERR_DAMAGED);
        if (rows[i].says != NULL)
            CHECK(str_starts_with(str_from_c(err.message), str_from_c(rows[i].says)));
        else
            CHECK_INT(history.spells.count, 1);
    }
}

/* Published examples: Newcombe 1998 table II (a) 56/70 - 48/80: 0.0524 to 0.3339, method 10; Wilson
   1927 by Newcombe 1998 (17: 857-872) table I: 81/263: 0.2553 to 0.3662, 15/148: 0.0624 to 0.1605,
   0/20: 0 to 0.1611, 1/29: 0.0061 to 0.1718. */
TEST(intervals_are_those_that_were_published)
{
    static const struct {
        uint64_t numerator;
        uint64_t denominator;
        double low;
        double high;
    } rows[] = {{81, 263, 0.2553, 0.3662},
                {15, 148, 0.0624, 0.1605},
                {0, 20, 0, 0.1611},
                {1, 29, 0.0061, 0.1718}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        MeasureInterval interval = measure_wilson(rows[i].numerator, rows[i].denominator);
        CHECK(fabs(interval.low - rows[i].low) < 0.00005);
        CHECK(fabs(interval.high - rows[i].high) < 0.00005);
    }
    MeasureInterval difference = measure_difference(56, 70, 48, 80);
    CHECK(fabs(difference.rate - 0.2) < 1e-12);
    CHECK(fabs(difference.low - 0.0524) < 0.00005);
    CHECK(fabs(difference.high - 0.3339) < 0.00005);
}

/* A binomial distribution by its recurrence, without logarithms of factorials. */
static double limit_again(double target, int n, double tail)
{
    double here = pow(1 - target, n);
    double sum = here;
    int r = 0;
    while (sum <= tail && r < n) {
        here *= (double)(n - r) / (r + 1) * target / (1 - target);
        sum += here;
        r++;
    }
    double limit = (r - (sum - tail) / here) / n;
    return limit < 0 ? 0 : limit > 1 ? 1 : limit;
}

TEST(funnel_limits_are_those_of_the_recurrence)
{
    static const double targets[] = {0.05, 0.3, 0.5, 0.9};
    static const double tails[] = {0.001, 0.025, 0.975, 0.999};
    for (size_t i = 0; i < COUNT_OF(targets); i++)
        for (size_t j = 0; j < COUNT_OF(tails); j++)
            for (int n = 1; n <= 300; n = n * 2 + 1)
                CHECK(fabs(measure_funnel_limit(targets[i], (uint64_t)n, tails[j]) -
                           limit_again(targets[i], n, tails[j])) < 1e-9);
    CHECK(measure_funnel_limit(0, 10, 0.025) == 0);
    CHECK(measure_funnel_limit(1, 10, 0.025) == 1);
}

/* What a reader can work out: a hidden count of a sum whose other parts are all shown. */
static bool can_be_worked_out(const SuppressedRow *rows, size_t count, bool numerators)
{
    for (size_t parent = 0; parent < count; parent++) {
        size_t parts = 0;
        size_t hidden = 0;
        for (size_t i = 0; i < count; i++)
            if (rows[i].parent == parent) {
                parts++;
                hidden += numerators ? rows[i].hides_numerator : rows[i].hides_denominator;
            }
        bool is_hidden = numerators ? rows[parent].hides_numerator : rows[parent].hides_denominator;
        if (parts > 0 && hidden + is_hidden == 1)
            return true;
    }
    return false;
}

TEST(no_hidden_count_can_be_worked_out_from_what_is_shown)
{
    const SuppressionRule *rule = measure_suppression_find(S("below-5"));
    CHECK(rule != NULL);
    uint64_t seed = 7;
    for (int round = 0; rule != NULL && round < 2000; round++) {
        /* A root, three parts, and three parts of each. */
        SuppressedRow rows[13] = {{.parent = SIZE_MAX}};
        for (size_t i = 1; i < 13; i++)
            rows[i].parent = i < 4 ? 0 : (i - 4) / 3 + 1;
        for (size_t i = 12; i > 0; i--) {
            if (i >= 4) {
                seed = seed * 6364136223846793005u + 1442695040888963407u;
                rows[i].denominator = (seed >> 33) % (round % 3 == 0 ? 6 : 40);
                rows[i].numerator =
                    rows[i].denominator == 0 ? 0 : (seed >> 45) % (rows[i].denominator + 1);
            }
            rows[rows[i].parent].denominator += rows[i].denominator;
            rows[rows[i].parent].numerator += rows[i].numerator;
        }
        measure_suppress(rule, rows, 13);
        CHECK(!can_be_worked_out(rows, 13, false));
        CHECK(!can_be_worked_out(rows, 13, true));
        for (size_t i = 0; i < 13; i++) {
            if (!rows[i].hides_denominator)
                CHECK(rows[i].denominator == 0 || rows[i].denominator >= 5);
            if (!rows[i].hides_numerator)
                CHECK(rows[i].numerator == 0 || rows[i].numerator >= 5);
        }
    }
    rule = measure_suppression_find(S("nhs-round-5"));
    CHECK_INT(measure_suppressed_count(rule, 12), 10);
    CHECK_INT(measure_suppressed_count(rule, 13), 15);
    CHECK(measure_suppression_find(S("nothing")) == NULL);
}

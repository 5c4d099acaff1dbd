/* Units of measure: the grammar, conversions against another implementation, special units. */
#include "base/test.h"
#include "terms/terms.h"

#include <math.h>
#include <stdlib.h>

static Decimal number(const char *text)
{
    Decimal value = {.units = 0};
    ASSERT(decimal_parse_rounded(str_from_c(text), &value));
    return value;
}

static UcumConversion conversion_of(const char *from, const char *to)
{
    UcumConversion room;
    return *ucum_find(NULL, str_from_c(from), str_from_c(to), &room);
}

TEST(units_are_read_by_the_grammar)
{
    static const struct {
        const char *text;
        bool is_unit;
    } rows[] = {
        /* clang-format off */
        {"m", true}, {"mm[Hg]", true}, {"10*3/uL", true}, {"10*-3", true}, {"10^9/L", true},
        {"/min", true}, {"{beats}/min", true}, {"mL/min/{1.73_m2}", true}, {"{score}", true},
        {"kg.m/s2", true}, {"kg/(m.s2)", true}, {"m+2", true}, {"s-1", true}, {"1", true},
        {"100", true}, {"10.m", true}, {"m/(s/(g/K))", true}, {"(m)", true}, {"mCel", true},
        {"[in_i'H2O]", true}, {"B[10.nV]", true}, {"%[slope]", true}, {"cal_[15]", true}, {"''", true},
        {"[m/s2/Hz^(1/2)]", true}, {"ug{creat}/d", true}, {"1/m3", true}, {"KiBy", true}, {"dar", true},
        {"", false}, {"lbs", false}, {"bpm", false}, {"mm Hg", false}, {" m", false}, {"m ", false},
        {"MM", false}, {"kkg", false}, {"k[lb_av]", false}, {"m//s", false}, {"m/", false}, {".m", false},
        {"m.", false}, {"(m", false}, {"m)", false}, {"{a", false}, {"a}", false}, {"{a b}", false},
        {"m2.5", true}, {"m2m", false}, {"2m", false}, {"m^2", false}, {"m-", false}, {"10*", true},
        {"Cel/m", false}, {"Cel2", false}, {"2.[pH]", false}, {"0", false}, {"m31", false},
        {"[]", false}, {"[in_i", false}, {"()", false}, {"/", false}, {"10000000000000000000", false},
        /* clang-format on */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_ROW(rows[i].text, ucum_is_unit(str_from_c(rows[i].text), NULL), rows[i].is_unit);
    CHECK(!ucum_is_unit((Str){.ptr = "m\0", .len = 2}, NULL));
    char deep[UCUM_TEXT_BYTES];
    memset(deep, '(', sizeof deep);
    CHECK(!ucum_is_unit((Str){.ptr = deep, .len = sizeof deep}, NULL));
}

TEST(what_is_no_unit_is_named_with_what_may_be_meant)
{
    UcumProblem problem = {0};
    CHECK(!ucum_is_unit(S("lbs"), &problem));
    CHECK_STR(problem.part, S("lbs"));
    CHECK_STR(problem.hint, S("[lb_av]"));
    problem = (UcumProblem){0};
    CHECK(!ucum_is_unit(S("mg/dLL"), &problem));
    CHECK_STR(problem.part, S("dLL"));
    CHECK_STR(problem.hint, S(""));
}

TEST(conversions_are_exact_and_rounded_once)
{
    static const struct {
        const char *value;
        const char *from;
        const char *to;
        const char *want; /* NULL: there is none */
    } rows[] = {
        /* clang-format off */
        {"1",        "[in_i]",   "cm",       "2.54"},
        {"1",        "[lb_av]",  "g",        "453.59237"},
        {"150",      "[lb_av]",  "kg",       "68.0388555"},
        {"180",      "mg/dL",    "g/L",      "1.8"},
        {"37",       "Cel",      "[degF]",   "98.6"},
        {"98.6",     "[degF]",   "Cel",      "37"},
        {"-40",      "Cel",      "[degF]",   "-40"},
        {"0",        "Cel",      "K",        "273.15"},
        {"80",       "[degRe]",  "Cel",      "100"},
        {"37000",    "mCel",     "Cel",      "37"},
        {"7",        "[pH]",     "nmol/L",   "100"},
        {"100",      "nmol/L",   "[pH]",     "7"},
        {"2",        "B",        "1",        "100"},
        {"20",       "dB",       "1",        "100"},
        {"120",      "dB[SPL]",  "Pa",       "20"},
        {"3",        "B[W]",     "kW",       "1"},
        {"100",      "%[slope]", "deg",      "45"},
        {"4",        "[hp'_X]",  "1",        "0.0001"},
        {"8",        "bit_s",    "1",        "256"},
        {"180",      "deg",      "[pi].rad", "1"},
        {"1",        "gon",      "deg",      "0.9"},
        {"1",        "deg",      "rad",      "0.01745329"},
        {"1",        "mo",       "d",        "30.4375"},
        {"1",        "a",        "d",        "365.25"},
        {"1",        "wk",       "h",        "168"},
        {"1",        "m[H2O]",   "kPa",      "9.80665"},
        {"1",        "[degF]",   "Cel",      "-17.22222222"},
        {"5",        "meq/L",    "mmol/L",   "5"},
        {"1",        "[iU]/mL",  "k[IU]/L",  "1"},
        {"1",        "[arb'U]",  "[iU]",     NULL},
        {"1",        "[iU]",     "1",        NULL},
        {"1",        "[iU].[CFU]", "[CFU].[iU]", "1"},
        {"1",        "mg",       "mL",       NULL},
        {"1",        "lbs",      "lbs",      NULL},
        {"9999999999999999999999999999", "km", "m", NULL},
        {"1",        "mol",      "1",        "602214076000000000000000"},
        {"1",        "10*3/uL",  "10*9/L",   "1"},
        {"1",        "{cells}/uL", "/mL",    "1000"},
        {"1",        "U/L",      "nkat/L",   "16.66666667"},
        {"1",        "[mi_i]/h", "m/s",      "0.44704"},
        {"1",        "kg/m2",    "[lb_av]/[in_i]2", "0.00142233"},
        /* clang-format on */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        UcumConversion conversion = conversion_of(rows[i].from, rows[i].to);
        Decimal got = {.units = 0};
        bool is_there = ucum_convert(&conversion, number(rows[i].value), &got);
        CHECK_ROW(rows[i].from, is_there, rows[i].want != NULL);
        if (is_there && rows[i].want != NULL)
            CHECK_ROW_STR(rows[i].from, decimal_format(arena, got), str_from_c(rows[i].want));
    }
}

TEST(comparing_keeps_what_a_conversion_would_round_away)
{
    static const struct {
        const char *a;
        const char *a_unit;
        const char *b;
        const char *b_unit;
        int want;
    } rows[] = {
        /* clang-format off */
        {"1",   "pg",      "0",           "kg",  1},
        {"1",   "ng",      "1",           "pg",  1},
        {"1000", "pg",     "1",           "ng",  0},
        {"1",   "[foz_us]", "29.57352956", "mL", 0},
        {"29.57352956", "mL", "1", "[foz_us]",   0},
        {"99",  "[degF]",  "37",          "Cel", 1},
        {"98.6", "[degF]", "37",          "Cel", 0},
        {"1",   "mol",     "1",           "1",   1},
        {"-1",  "mol",     "1",           "1",   -1},
        {"9999999999999999999999999999", "km", "1", "mm", 1},
        {"1",   "mm", "9999999999999999999999999999", "km", -1},
        /* clang-format on */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        UcumConversion conversion = conversion_of(rows[i].a_unit, rows[i].b_unit);
        CHECK_INT(conversion.status, UCUM_KNOWN);
        CHECK_ROW(rows[i].a_unit, ucum_compare(&conversion, number(rows[i].a), number(rows[i].b)),
                  rows[i].want);
    }
}

TEST(the_cache_gives_what_is_worked_out)
{
    static const char *const units[] = {"mg",   "g",      "kg", "ug",     "lbs",   "mL",
                                        "Cel",  "[degF]", "K",  "mmol/L", "mg/dL", "g/L",
                                        "/min", "Hz",     "%",  "1"};
    UcumCache *cache = ucum_cache_create(arena);
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < COUNT_OF(units); i++)
            for (size_t j = 0; j < COUNT_OF(units); j++) {
                UcumConversion room;
                UcumConversion want = conversion_of(units[i], units[j]);
                const UcumConversion *got =
                    ucum_find(cache, str_from_c(units[i]), str_from_c(units[j]), &room);
                CHECK_INT(got->status, want.status);
                CHECK(got->factor == want.factor && got->from_function == want.from_function);
            }
}

/* --- the other implementation --- */

typedef struct {
    Str unit;
    Str dims;
    Str moles;
    double factor; /* 0 for special and arbitrary units */
} Judged;
typedef Vec(Judged) JudgedVec;

static void read_judged(Arena *arena, JudgedVec *ret_rows)
{
    Str text;
    Error err = {0};
    CHECK_OK(io_read_file(arena, S("tests/terms/data/ucum-judge.tsv"), 0, &text, &err), &err);
    Str line;
    while (str_split_next(&text, '\n', &line)) {
        Judged row = {.factor = 0};
        Str factor = {0};
        if (line.len == 0 || line.ptr[0] == '#' || !str_split_next(&line, '\t', &row.unit) ||
            !str_split_next(&line, '\t', &row.dims) || !str_split_next(&line, '\t', &row.moles) ||
            !str_split_next(&line, '\t', &factor))
            continue;
        row.factor = strtod(str_to_c(arena, factor), NULL);
        VEC_PUSH(arena, ret_rows, row);
    }
}

/* Constants of nature have been measured anew since the version that the judge goes by; the number
   of a mole among them, which is in equivalents (that it does not count as moles). */
static double tolerance_of(Str unit)
{
    if (str_find(unit, S("eq")) != SIZE_MAX)
        return 1e-6;
    static const Str constants[] = {STR_INIT("[G]"), STR_INIT("[h]"),   STR_INIT("[k]"),
                                    STR_INIT("[e]"), STR_INIT("[m_e]"), STR_INIT("[m_p]"),
                                    STR_INIT("u"),   STR_INIT("eV")};
    for (size_t i = 0; i < COUNT_OF(constants); i++)
        if (str_ends_with(unit, constants[i]))
            return 2e-4;
    return 1e-9;
}

static bool is_near(const UcumConversion *conversion, double want, double tolerance)
{
    Decimal got;
    if (!ucum_convert(conversion, (Decimal){.units = DECIMAL_ONE}, &got))
        return want > 1e27;
    return fabs(decimal_to_double(got) - want) <= tolerance * want + 1e-8;
}

TEST(all_pairs_of_clinical_units_are_converted_as_another_implementation_does)
{
    JudgedVec rows = {0};
    read_judged(arena, &rows);
    size_t pairs = 0;
    CHECK(rows.count >= 300);
    UcumCache *cache = ucum_cache_create(arena);
    VEC_FOREACH (const Judged, a, &rows) {
        if (!ucum_is_unit(a->unit, NULL))
            CHECK_ROW(str_to_c(arena, a->unit), false, true);
        VEC_FOREACH (const Judged, b, &rows) {
            UcumConversion room;
            if (a->factor == 0 || b->factor == 0)
                continue;
            const UcumConversion *conversion = ucum_find(cache, a->unit, b->unit, &room);
            bool is_same = str_eq(a->dims, b->dims);
            if ((conversion->status == UCUM_KNOWN) != is_same)
                CHECK_ROW_STR(str_to_c(arena, a->unit), b->unit, S("(in)commensurable"));
            double want = a->factor / b->factor;
            if (!is_same || !str_eq(a->moles, b->moles) || want < 1)
                continue;
            pairs++;
            if (!is_near(conversion, want, fmax(tolerance_of(a->unit), tolerance_of(b->unit))))
                CHECK_ROW_STR(str_to_c(arena, a->unit), b->unit,
                              str_format(arena, "%.17g, not %.17Lg", want, conversion->factor));
        }
    }
    CHECK(pairs > 3000);
}

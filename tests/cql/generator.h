/*
 * generator -- well-typed CQL expressions, made from bytes or from a seed.
 *
 * A template is an expression with a % and a letter where another expression of that type goes; the
 * letters are those of `letters` below. Bytes (or the seed) choose templates until they or the
 * depth are used up, then literals. The same bytes make the same expression. For the fuzz target of
 * the evaluator and for the comparison with other engines (tools/differential).
 */
#pragma once

#include "base/base.h"

enum { GENERATOR_DEPTH = 5, GENERATOR_BYTES = 6000 };

typedef struct {
    const uint8_t *bytes; /* NULL: of the seed */
    size_t len;
    size_t at;
    uint64_t seed;
    StrBuf *out;
} Generator;

static uint32_t generator_pick(Generator *g, uint32_t below)
{
    if (g->bytes != NULL) {
        if (g->at >= g->len)
            return 0;
        return g->bytes[g->at++] % below;
    }
    g->seed += 0x9E3779B97F4A7C15U;
    uint64_t mixed = (g->seed ^ g->seed >> 30) * 0xBF58476D1CE4E5B9U;
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EBU;
    return (uint32_t)((mixed ^ mixed >> 31) % below);
}

/* B Boolean, I Integer, L Long, D Decimal, S String, A Date, M DateTime, T Time, Q Quantity,
   J E F G H intervals of I D A M Q, b i d s a q m lists of B I D S A Q M, j f lists of J F, C Code,
   K Concept, R Ratio, U a tuple. */
typedef struct {
    char type;
    const char *text;
} GeneratorTemplate;

static const GeneratorTemplate generator_templates[] = {
    /* clang-format off */
    {'B', "(%B and %B)"}, {'B', "(%B or %B)"}, {'B', "(%B xor %B)"}, {'B', "(%B implies %B)"},
    {'B', "(not %B)"}, {'B', "(%B is null)"}, {'B', "(%B is true)"}, {'B', "(%B is not false)"},
    {'B', "(%I is null)"}, {'B', "(%I = %I)"}, {'B', "(%I != %I)"}, {'B', "(%I < %I)"},
    {'B', "(%I >= %I)"}, {'B', "(%L <= %L)"}, {'B', "(%D > %D)"}, {'B', "(%D = %D)"},
    {'B', "(%D ~ %D)"}, {'B', "(%S = %S)"}, {'B', "(%S ~ %S)"}, {'B', "(%S < %S)"},
    {'B', "(%A = %A)"}, {'B', "(%A < %A)"}, {'B', "(%A ~ %A)"}, {'B', "(%M = %M)"},
    {'B', "(%M >= %M)"}, {'B', "(%T < %T)"}, {'B', "(%T = %T)"}, {'B', "(%Q = %Q)"},
    {'B', "(%Q < %Q)"}, {'B', "(%Q ~ %Q)"}, {'B', "(%I between %I and %I)"},
    {'B', "(%A between %A and %A)"}, {'B', "(%A same %p as %A)"}, {'B', "(%A same %p or before %A)"},
    {'B', "(%A before %p of %A)"}, {'B', "(%A after %A)"}, {'B', "(%M same %P as %M)"},
    {'B', "(%M on or after %P of %M)"}, {'B', "(%M before %M)"}, {'B', "(%A %n days or less before %A)"},
    {'B', "(%A within %n days of %A)"}, {'B', "(%I in %J)"}, {'B', "(%D in %E)"}, {'B', "(%A in %F)"},
    {'B', "(%A during %p of %F)"}, {'B', "(%M during %G)"}, {'B', "(%Q in %H)"}, {'B', "(%J contains %I)"},
    {'B', "(%J overlaps %J)"}, {'B', "(%J overlaps before %J)"}, {'B', "(%F overlaps after %F)"},
    {'B', "(%J meets %J)"}, {'B', "(%F meets before %F)"}, {'B', "(%J starts %J)"}, {'B', "(%F ends %F)"},
    {'B', "(%J includes %J)"}, {'B', "(%F included in %F)"}, {'B', "(%F included in %p of %F)"},
    {'B', "(%J properly includes %J)"}, {'B', "(%E properly included in %E)"}, {'B', "(%J before %J)"},
    {'B', "(%F after %F)"}, {'B', "(%F same %p as %F)"}, {'B', "(%F same or before %F)"},
    {'B', "(%J = %J)"}, {'B', "(%F ~ %F)"}, {'B', "(%H overlaps %H)"}, {'B', "(%I in %i)"},
    {'B', "(%i contains %I)"}, {'B', "(%i includes %i)"}, {'B', "(%s properly included in %s)"},
    {'B', "(%i = %i)"}, {'B', "(%s ~ %s)"}, {'B', "(exists %i)"}, {'B', "AllTrue(%b)"}, {'B', "AnyTrue(%b)"},
    {'B', "StartsWith(%S, %S)"}, {'B', "EndsWith(%S, %S)"}, {'B', "Matches(%S, '[a-c]+')"},
    {'B', "ToBoolean(%S)"}, {'B', "ConvertsToInteger(%S)"}, {'B', "ConvertsToDate(%S)"}, {'B', "(%C = %C)"},
    {'B', "(%C ~ %C)"}, {'B', "(%K ~ %C)"}, {'B', "(%R = %R)"}, {'B', "(%R ~ %R)"}, {'B', "(%U = %U)"},
    {'B', "(%U ~ %U)"}, {'B', "(if %B then %B else %B)"}, {'B', "(%I is Integer)"},
    {'I', "(%I + %I)"}, {'I', "(%I - %I)"}, {'I', "(%I * %I)"}, {'I', "(%I div %I)"}, {'I', "(%I mod %I)"},
    {'I', "(-%I)"}, {'I', "Abs(%I)"}, {'I', "Floor(%D)"}, {'I', "Ceiling(%D)"}, {'I', "Truncate(%D)"},
    {'I', "(years between %A and %A)"}, {'I', "(months between %A and %A)"}, {'I', "(weeks between %A and %A)"},
    {'I', "(days between %A and %A)"}, {'I', "(difference in years between %A and %A)"},
    {'I', "(difference in months between %A and %A)"}, {'I', "(difference in weeks between %A and %A)"},
    {'I', "(difference in days between %A and %A)"}, {'I', "(hours between %M and %M)"},
    {'I', "(days between %M and %M)"}, {'I', "(difference in days between %M and %M)"},
    {'I', "(difference in hours between %M and %M)"}, {'I', "(minutes between %T and %T)"},
    {'I', "(difference in hours between %T and %T)"}, {'I', "(year from %A)"}, {'I', "(day from %A)"},
    {'I', "(hour from %M)"}, {'I', "(minute from %T)"}, {'I', "(start of %J)"}, {'I', "(end of %J)"},
    {'I', "(width of %J)"}, {'I', "Count(%i)"}, {'I', "Sum(%i)"}, {'I', "Min(%i)"}, {'I', "Max(%i)"},
    {'I', "First(%i)"}, {'I', "Last(%i)"}, {'I', "%i[%n]"}, {'I', "IndexOf(%i, %I)"}, {'I', "Length(%i)"},
    {'I', "Length(%S)"}, {'I', "PositionOf(%S, %S)"}, {'I', "LastPositionOf(%S, %S)"}, {'I', "ToInteger(%S)"},
    {'I', "Coalesce(%I, %I)"}, {'I', "(if %B then %I else %I)"},
    {'I', "(case when %B then %I when %B then %I else %I end)"}, {'I', "(case %I when %I then %I else %I end)"},
    {'I', "(successor of %I)"}, {'I', "(predecessor of %I)"}, {'I', "%U.a"}, {'I', "Product(%i)"},
    {'I', "((%i) X aggregate R starting 0: R + X)"}, {'I', "CalculateAgeInYearsAt(%A, %A)"},
    {'L', "(%L + %L)"}, {'L', "(%L * %L)"}, {'L', "(%L div %L)"}, {'L', "ToLong(%I)"},
    {'D', "(%D + %D)"}, {'D', "(%D - %D)"}, {'D', "(%D * %D)"}, {'D', "(%D / %D)"}, {'D', "(%I / %I)"},
    {'D', "(%D mod %D)"}, {'D', "Abs(%D)"}, {'D', "Round(%D)"}, {'D', "Round(%D, %n)"}, {'D', "Avg(%d)"},
    {'D', "Median(%d)"}, {'D', "Sum(%d)"}, {'D', "Variance(%d)"}, {'D', "PopulationStdDev(%d)"}, {'D', "Max(%d)"},
    {'D', "(start of %E)"}, {'D', "ToDecimal(%S)"}, {'D', "ToDecimal(%I)"}, {'D', "Mode(%d)"},
    {'S', "(%S + %S)"}, {'S', "(%S & %S)"}, {'S', "Upper(%S)"}, {'S', "Lower(%S)"}, {'S', "Substring(%S, %n)"},
    {'S', "Substring(%S, %n, %n)"}, {'S', "%S[%n]"}, {'S', "Combine(%s)"}, {'S', "Combine(%s, ',')"},
    {'S', "ToString(%I)"}, {'S', "ToString(%A)"}, {'S', "ToString(%B)"}, {'S', "ReplaceMatches(%S, 'b', 'x')"},
    {'S', "First(%s)"}, {'S', "Coalesce(%S, %S)"}, {'S', "(if %B then %S else %S)"}, {'S', "%U.b"},
    {'A', "(%A + %n days)"}, {'A', "(%A - %n months)"}, {'A', "(%A + %n years)"}, {'A', "(%A - %n weeks)"},
    {'A', "(date from %M)"}, {'A', "(start of %F)"}, {'A', "(end of %F)"}, {'A', "Min(%a)"}, {'A', "Max(%a)"},
    {'A', "ToDate(%S)"}, {'A', "(successor of %A)"}, {'A', "(if %B then %A else %A)"}, {'A', "First(%a)"},
    {'M', "(%M + %n hours)"}, {'M', "(%M - %n minutes)"}, {'M', "(%M + %n days)"}, {'M', "(start of %G)"},
    {'M', "ToDateTime(%A)"}, {'M', "(%M + %n months)"}, {'T', "(%T + %n minutes)"}, {'T', "(%T - %n hours)"},
    {'Q', "(%Q + %Q)"}, {'Q', "(%Q - %Q)"}, {'Q', "(%Q * %D)"}, {'Q', "(-%Q)"}, {'Q', "Abs(%Q)"}, {'Q', "Sum(%q)"},
    {'Q', "Max(%q)"}, {'Q', "(start of %H)"}, {'Q', "Avg(%q)"},
    {'J', "Interval[%I, %I]"}, {'J', "(%J union %J)"}, {'J', "(%J intersect %J)"}, {'J', "(%J except %J)"},
    {'J', "First(%j)"}, {'F', "(%F intersect %F)"}, {'F', "(%F union %F)"}, {'F', "First(%f)"},
    {'E', "(%E intersect %E)"}, {'G', "(%G intersect %G)"},
    {'i', "{ %I, %I }"}, {'i', "{ %I, %I, %I }"}, {'i', "(%i union %i)"}, {'i', "(%i intersect %i)"},
    {'i', "(%i except %i)"}, {'i', "(distinct %i)"}, {'i', "Tail(%i)"}, {'i', "Take(%i, %n)"}, {'i', "Skip(%i, %n)"},
    {'i', "(flatten { %i, %i })"}, {'i', "((%i) X where X > %I)"}, {'i', "((%i) X return X + %I)"},
    {'i', "((%i) X return all X mod 3)"}, {'i', "((%i) X sort desc)"}, {'i', "((%i) X with (%i) Y such that X = Y return X)"},
    {'i', "((%i) X without (%i) Y such that X < Y return X)"}, {'i', "(from (%i) X, (%i) Y return X * Y)"},
    {'i', "((%i) X let Z: X + 1 return Z)"}, {'i', "(expand Interval[0, %n])"},
    {'d', "{ %D, %D, %D }"}, {'b', "{ %B, %B }"}, {'s', "{ %S, %S, %S }"}, {'s', "Split(%S, 'b')"},
    {'s', "(%s union %s)"}, {'s', "((%s) X where X = %S)"}, {'a', "{ %A, %A }"}, {'q', "{ %Q, %Q }"},
    {'j', "{ %J, %J }"}, {'j', "(collapse %j)"}, {'j', "(expand { Interval[2, 5] })"}, {'f', "{ %F, %F }"},
    {'f', "(collapse %f)"}, {'K', "Concept { codes: { %C, %C } }"}, {'U', "Tuple { a: %I, b: %S }"},
    /* clang-format on */
};

/* --- literals --- */

static void generator_integer(Generator *g)
{
    static const char *const edges[] = {"2147483647", "-2147483648", "(null as Integer)", "0"};
    uint32_t kind = generator_pick(g, 12);
    if (kind < COUNT_OF(edges))
        strbuf_printf(g->out, "%s", edges[kind]);
    else
        strbuf_printf(g->out, "%d", (int)generator_pick(g, 25) - 8);
}

static void generator_date(Generator *g, bool is_literal)
{
    uint32_t precision = generator_pick(g, 5);
    uint32_t year = 2010 + generator_pick(g, 8);
    uint32_t month = 1 + generator_pick(g, 12);
    uint32_t day = 1 + generator_pick(g, 28);
    if (is_literal)
        strbuf_add_char(g->out, '@');
    strbuf_printf(g->out, "%u", year);
    if (precision > 0)
        strbuf_printf(g->out, "-%02u", month);
    if (precision > 1)
        strbuf_printf(g->out, "-%02u", precision == 4 && month == 2 && year % 4 == 0 ? 29 : day);
}

static void generator_clock(Generator *g)
{
    uint32_t precision = generator_pick(g, 4);
    strbuf_printf(g->out, "%02u", generator_pick(g, 24));
    if (precision > 0)
        strbuf_printf(g->out, ":%02u", generator_pick(g, 60));
    if (precision > 1)
        strbuf_printf(g->out, ":%02u.%03u", generator_pick(g, 60), generator_pick(g, 1000));
}

static void generator_datetime(Generator *g)
{
    static const char *const offsets[] = {"", "", "Z", "+02:00", "-05:00"};
    strbuf_printf(g->out, "@%u-%02u-%02uT", 2010 + generator_pick(g, 4), 1 + generator_pick(g, 12),
                  1 + generator_pick(g, 28));
    if (generator_pick(g, 6) == 0)
        return;
    generator_clock(g);
    strbuf_printf(g->out, "%s", offsets[generator_pick(g, COUNT_OF(offsets))]);
}

static void generator_one_of(Generator *g, const char *const *texts, uint32_t count)
{
    strbuf_printf(g->out, "%s", texts[generator_pick(g, count)]);
}

static void generator_interval(Generator *g, char point)
{
    static const char *const bounds[][4] = {{"[", "]", "-3", "7"},   {"(", "]", "1", "4"},
                                            {"[", ")", "2", "12"},   {"[", "]", "0", "null"},
                                            {"(", ")", "null", "5"}, {"[", "]", "null", "3"},
                                            {"[", ")", "5", "null"}, {"[", "]", "4", "4"}};
    static const char *const days[] = {"@2012-03", "@2012-04-05", "@2013", "@2012-01-01"};
    static const char *const ends[] = {"@2014-02", "@2014-03-31", "null", "@2015-12-31"};
    const char *const *pick = bounds[generator_pick(g, COUNT_OF(bounds))];
    if (point == 'A' || point == 'M') {
        const char *low = days[generator_pick(g, COUNT_OF(days))];
        const char *high = ends[generator_pick(g, COUNT_OF(ends))];
        const char *t = point == 'M' ? "T" : "";
        strbuf_printf(g->out, "Interval%s%s%s, %s%s%s", pick[0], low, t, high,
                      high[0] == '@' ? t : "", pick[1]);
        return;
    }
    const char *tail = point == 'D' ? ".5" : point == 'Q' ? " 'cm'" : "";
    strbuf_printf(g->out, "Interval%s%s%s, %s%s%s", pick[0], pick[2], pick[2][0] == 'n' ? "" : tail,
                  pick[3], pick[3][0] == 'n' ? "" : tail, pick[1]);
}

static void generator_literal(Generator *g, char type)
{
    static const char *const truths[] = {"true", "false", "(null as Boolean)"};
    static const char *const longs[] = {"1L", "0L", "9223372036854775807L", "-7L"};
    static const char *const decimals[] = {"0.5",     "-1.25", "3.0",
                                           "100.001", "2.50",  "(null as Decimal)"};
    static const char *const strings[] = {
        "'abc'", "''", "'b'", "'12'", "'2012-04-05'", "'Äb c'", "(null as String)"};
    static const char *const quantities[] = {"1 'cm'",  "2.5 'm'",  "3 'mg'",
                                             "1 year",  "6 months", "10 days",
                                             "2 weeks", "5",        "(null as Quantity)"};
    static const char *const codes[] = {"Code { system: 's', code: '1' }",
                                        "Code { system: 's', code: '2', display: 'x' }"};
    static const char *const ratios[] = {"1:8", "2:16", "1 'mg':2 'mL'"};
    static const char lists[][2] = {{'b', 'B'}, {'i', 'I'}, {'d', 'D'}, {'s', 'S'},
                                    {'a', 'A'}, {'q', 'Q'}, {'j', 'J'}, {'f', 'F'}};
    static const char intervals[][2] = {{'J', 'I'}, {'E', 'D'}, {'F', 'A'}, {'G', 'M'}, {'H', 'Q'}};
    for (size_t i = 0; i < COUNT_OF(intervals); i++) {
        if (intervals[i][0] == type) {
            generator_interval(g, intervals[i][1]);
            return;
        }
    }
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        if (lists[i][0] != type)
            continue;
        strbuf_printf(g->out, "{ ");
        generator_literal(g, lists[i][1]);
        strbuf_printf(g->out, ", ");
        generator_literal(g, lists[i][1]);
        strbuf_printf(g->out, " }");
        return;
    }
    switch (type) {
    case 'B':
        generator_one_of(g, truths, COUNT_OF(truths));
        break;
    case 'I':
        generator_integer(g);
        break;
    case 'L':
        generator_one_of(g, longs, COUNT_OF(longs));
        break;
    case 'D':
        generator_one_of(g, decimals, COUNT_OF(decimals));
        break;
    case 'S':
        generator_one_of(g, strings, COUNT_OF(strings));
        break;
    case 'A':
        generator_date(g, true);
        break;
    case 'M':
        generator_datetime(g);
        break;
    case 'T':
        strbuf_printf(g->out, "@T");
        generator_clock(g);
        break;
    case 'Q':
        generator_one_of(g, quantities, COUNT_OF(quantities));
        break;
    case 'C':
        generator_one_of(g, codes, COUNT_OF(codes));
        break;
    case 'K':
        strbuf_printf(g->out, "Concept { codes: { ");
        generator_one_of(g, codes, COUNT_OF(codes));
        strbuf_printf(g->out, " } }");
        break;
    case 'R':
        generator_one_of(g, ratios, COUNT_OF(ratios));
        break;
    default:
        strbuf_printf(g->out, "Tuple { a: 1, b: 'x' }");
    }
}

/* --- expressions --- */

static void generator_fill(Generator *g, const char *text, uint32_t depth);

static void generator_expression(Generator *g, char type, uint32_t depth)
{
    uint32_t fitting = 0;
    for (size_t i = 0; i < COUNT_OF(generator_templates); i++)
        fitting += generator_templates[i].type == type;
    bool is_leaf = depth == 0 || fitting == 0 || g->out->len > GENERATOR_BYTES ||
                   (g->bytes != NULL && g->at >= g->len) || generator_pick(g, 4) == 0;
    if (is_leaf) {
        generator_literal(g, type);
        return;
    }
    uint32_t wanted = generator_pick(g, fitting < 250 ? fitting : 250);
    for (size_t i = 0; i < COUNT_OF(generator_templates); i++) {
        if (generator_templates[i].type == type && wanted-- == 0) {
            generator_fill(g, generator_templates[i].text, depth - 1);
            return;
        }
    }
}

static void generator_fill(Generator *g, const char *text, uint32_t depth)
{
    static const char *const precisions[] = {"year", "month", "day", "hour", "minute", "second"};
    for (const char *c = text; *c != '\0'; c++) {
        if (*c != '%') {
            strbuf_add_char(g->out, *c);
            continue;
        }
        c++;
        if (*c == 'n')
            strbuf_printf(g->out, "%u", generator_pick(g, 6));
        else if (*c == 'p')
            generator_one_of(g, precisions, 3);
        else if (*c == 'P')
            generator_one_of(g, precisions, COUNT_OF(precisions));
        else
            generator_expression(g, *c, depth);
    }
}

/* An expression of a type that the generator chooses too. */
static inline void generate_expression(Generator *g)
{
    static const char types[] = "BIDSAMTQJFEGHisbadqjfLRUK";
    generator_expression(g, types[generator_pick(g, sizeof(types) - 1)],
                         1 + generator_pick(g, GENERATOR_DEPTH));
}

/*
 * Queries that pass over entries by their day give what they give when they look at all: random
 * resources dated around the bounds (imprecise, with offsets, open periods, other elements that the
 * directory's day may be from), conditions from a table of forms.
 */
#include "base/test.h"
#include "fixture.h"

enum { PERSONS = 40, RESOURCES = 30, DEFINITIONS = 900 };

typedef struct {
    uint64_t seed;
} Generator;

static uint32_t generator_pick(Generator *g, uint32_t below)
{
    g->seed = g->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(g->seed >> 33) % below;
}

static Str pick(Generator *g, const char *const *from, uint32_t count)
{
    return str_from_c(from[generator_pick(g, count)]);
}

#define PICK(g, list) pick(g, list, COUNT_OF(list))

/* A dateTime within some days of the year's ends, or rarely far away. */
static void add_moment(Generator *g, StrBuf *out)
{
    static const char *const dates[] = {"2018",       "2019",       "2020",       "2018-01",
                                        "2018-12",    "2019-01",    "2019-12",    "2017-12-29",
                                        "2017-12-30", "2017-12-31", "2018-01-01", "2018-01-02",
                                        "2018-06-15", "2018-12-30", "2018-12-31", "2019-01-01",
                                        "2019-01-02", "2019-12-31", "1950-03-01", "2090-01-01"};
    static const char *const times[] = {"",
                                        "",
                                        "",
                                        "T00:00:00Z",
                                        "T23:59:59Z",
                                        "T11:00:00+14:00",
                                        "T00:30:00+14:00",
                                        "T23:30:00-12:00",
                                        "T13:00:00-12:00",
                                        "T23:59:59.999Z",
                                        "T00:00:00.000+02:00"};
    Str date = PICK(g, dates);
    strbuf_add(out, date);
    if (date.len == 10)
        strbuf_add(out, PICK(g, times));
}

static void add_text(Generator *g, const char *name, StrBuf *out)
{
    strbuf_printf(out, ",\"%s\":\"", name);
    add_moment(g, out);
    strbuf_add(out, S("\""));
}

static void add_period(Generator *g, const char *name, StrBuf *out)
{
    uint32_t parts = generator_pick(g, 8);
    strbuf_printf(out, ",\"%s\":{\"id\":\"p\"", name);
    if (parts != 0)
        add_text(g, "start", out);
    if (parts != 1 && parts != 2)
        add_text(g, "end", out);
    strbuf_add(out, S("}"));
}

/* One of the alternatives, or none, and at times an element that stands behind them. */
static void add_dates(Generator *g, const char *type, StrBuf *out)
{
    static const struct {
        const char *type;
        const char *moment; /* dateTime elements, a choice's stem first */
        const char *period;
        const char *behind;
    } rows[] = {{"Observation", "effectiveDateTime", "effectivePeriod", "issued"},
                {"Condition", "onsetDateTime", "onsetPeriod", "recordedDate"},
                {"Encounter", NULL, "period", NULL},
                {"Procedure", "performedDateTime", "performedPeriod", NULL},
                {"MedicationRequest", "authoredOn", NULL, NULL},
                {"ServiceRequest", "occurrenceDateTime", "occurrencePeriod", "authoredOn"},
                {"AllergyIntolerance", "onsetDateTime", "onsetPeriod", "recordedDate"},
                {"Immunization", "occurrenceDateTime", NULL, "recorded"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (strcmp(rows[i].type, type) != 0)
            continue;
        uint32_t kind = generator_pick(g, 5);
        if (kind < 2 && rows[i].moment != NULL)
            add_text(g, rows[i].moment, out);
        else if (kind < 4 && rows[i].period != NULL)
            add_period(g, rows[i].period, out);
        else if (kind == 4 && strcmp(type, "Observation") == 0)
            strbuf_add(out, S(",\"effectiveInstant\":\"2018-01-01T00:00:00+14:00\""));
        if (rows[i].behind != NULL && generator_pick(g, 2) == 0) {
            strbuf_printf(out, ",\"%s\":\"2018-0%u-15T12:00:00Z\"", rows[i].behind,
                          1 + generator_pick(g, 9));
        }
    }
}

static const char *const types[] = {"Observation",        "Condition",         "Encounter",
                                    "Procedure",          "MedicationRequest", "ServiceRequest",
                                    "AllergyIntolerance", "Immunization"};

static void add_person(Generator *g, Fixture *fixture, uint32_t person)
{
    StrBuf out;
    strbuf_init(&out, fixture->arena, 0);
    strbuf_printf(&out, "{\"resourceType\":\"Patient\",\"id\":\"p%u\"}\n", person);
    for (uint32_t i = 0; i < RESOURCES; i++) {
        Str type = PICK(g, types);
        bool by_patient = str_eq(type, S("AllergyIntolerance")) || str_eq(type, S("Immunization"));
        strbuf_printf(
            &out,
            "{\"resourceType\":\"%.*s\",\"id\":\"r%u\",\"%s\":{\"reference\":\"Patient/p%u\"}",
            STR_ARG(type), i, by_patient ? "patient" : "subject", person);
        add_dates(g, type.ptr, &out);
        strbuf_add(&out, S("}\n"));
    }
    fixture_add(fixture, strbuf_str(&out), S("narrow"));
}

/* What of the item is compared, by type. */
static Str subject_of(Generator *g, Str type)
{
    static const char *const of[][6] = {
        {"X.effective", "(X.effective as FHIR.dateTime)", "start of (X.effective as FHIR.Period)",
         "end of (X.effective as FHIR.Period)", "X.issued", "(X.effective as FHIR.instant)"},
        {"X.onset", "(X.onset as FHIR.dateTime)", "start of (X.onset as FHIR.Period)",
         "end of (X.onset as FHIR.Period)", "X.recordedDate", "(X.onset as FHIR.Period)"},
        {"X.period", "start of X.period", "end of X.period", "X.period",
         "date from start of X.period", "X.period"},
        {"X.performed", "(X.performed as FHIR.dateTime)", "start of (X.performed as FHIR.Period)",
         "end of (X.performed as FHIR.Period)", "X.performed", "(X.performed as FHIR.Period)"},
        {"X.authoredOn", "date from X.authoredOn", "X.authoredOn", "X.authoredOn", "X.authoredOn",
         "ToDateTime(X.authoredOn)"},
        {"X.occurrence", "X.authoredOn", "(X.occurrence as FHIR.dateTime)",
         "start of (X.occurrence as FHIR.Period)", "X.occurrence", "(X.occurrence as FHIR.Period)"},
        {"X.onset", "(X.onset as FHIR.dateTime)", "start of (X.onset as FHIR.Period)",
         "end of (X.onset as FHIR.Period)", "X.recordedDate", "(X.onset as FHIR.Period)"},
        {"X.occurrence", "X.recorded", "(X.occurrence as FHIR.dateTime)", "X.occurrence",
         "X.occurrence", "X.recorded"}};
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (str_eq(type, str_from_c(types[i])))
            return PICK(g, of[i]);
    return S("null");
}

static Str comparison(Arena *arena, Generator *g, Str subject)
{
    static const char *const intervals[] = {
        "Interval[@2018-01-01, @2018-12-31]",
        "Interval[@2018-01-01T00:00:00.000, @2019-01-01T00:00:00.000)",
        "Interval[@2018-01-01T00:00:00+14:00, @2018-12-31T23:59:59-12:00]",
        "Interval(@2017-12-31, null)",
        "Interval[null, @2018-12-31]",
        "Interval(null, @2018-12-31T23:59:59.999]",
        "Interval[@2018-01-01, null]",
        "Interval[@2018, @2018]",
        "Interval[@2018-06, @2019-01]"};
    static const char *const points[] = {"@2018-01-01",
                                         "@2018-12-31",
                                         "@2018",
                                         "@2018-12",
                                         "@2018-01-01T00:00:00.000",
                                         "@2018-12-31T23:59:59.999-12:00",
                                         "@2018-01-01T00:00:00.000+14:00"};
    static const char *const to_interval[] = {
        "% during #",       "% during day of #",        "% in #",
        "# includes %",     "% properly during #",      "% before #",
        "% after #",        "% on or before #",         "% on or after #",
        "% overlaps #",     "% included in year of #",  "% starts during #",
        "% ends during #",  "% starts during day of #", "% during month of #",
        "not (% during #)", "% before or on #"};
    static const char *const to_point[] = {"% >= #",
                                           "% <= #",
                                           "% < #",
                                           "% > #",
                                           "# <= %",
                                           "# > %",
                                           "% on or after #",
                                           "% on or before day of #",
                                           "% before #",
                                           "% after day of #",
                                           "% same day or after #",
                                           "% before year of #",
                                           "# before %",
                                           "% starts on or after #",
                                           "% ends before #",
                                           "% ends on or before day of #",
                                           "% starts before #"};
    bool is_point = generator_pick(g, 2) == 0;
    Str form = is_point ? PICK(g, to_point) : PICK(g, to_interval);
    Str constant = is_point ? PICK(g, points) : PICK(g, intervals);
    StrBuf out;
    strbuf_init(&out, arena, 0);
    for (size_t i = 0; i < form.len; i++) {
        if (form.ptr[i] == '%')
            strbuf_add(&out, subject);
        else if (form.ptr[i] == '#')
            strbuf_add(&out, constant);
        else
            strbuf_add_char(&out, form.ptr[i]);
    }
    return strbuf_str(&out);
}

/* Those that do not resolve are left out of the plan: not every form fits every element. */
static void add_definition(Arena *arena, Generator *g, uint32_t number, StrBuf *out)
{
    Str type = PICK(g, types);
    Str first = comparison(arena, g, subject_of(g, type));
    Str second = comparison(arena, g, subject_of(g, type));
    strbuf_printf(out, "define D%u: [%.*s] X where ", number, STR_ARG(type));
    switch (generator_pick(g, 4)) {
    case 0:
        strbuf_printf(out, "(%.*s) and (%.*s)", STR_ARG(first), STR_ARG(second));
        break;
    case 1:
        strbuf_printf(out, "(%.*s) or (%.*s)", STR_ARG(first), STR_ARG(second));
        break;
    default:
        strbuf_add(out, first);
    }
    strbuf_add(out, S(" return X.id\n"));
}

static CqlPlan *plan_of(Arena *arena, Str source, const CqlRoot *roots, const ConceptDict *dict,
                        bool keeps_wide)
{
    Error err = {0};
    DiagList diags;
    CqlPlan *plan = NULL;
    CqlLibraries *libraries = cql_libraries_create(arena);
    CqlPlanOptions options = {
        .dict = dict, .roots = roots, .root_count = DEFINITIONS, .keeps_wide = keeps_wide};
    options.now = (Moment){.year = 2020, .month = 1, .day = 1, .precision = PRECISION_DAY};
    diag_init(&diags, arena);
    CHECK(cql_libraries_add(libraries, source, S("narrow"), &diags));
    CHECK_OK(cql_plan_create(arena, libraries, &options, &diags, &plan, &err), &err);
    return plan;
}

static Str value_text(Arena *arena, CqlEval *eval, size_t definition)
{
    CqlValue value;
    Error err = {0};
    StrBuf out;
    if (cql_eval_definition(eval, definition, &value, &err) != ERR_OK)
        return str_copy(arena, str_from_c(err.message));
    strbuf_init(&out, arena, 0);
    cql_value_format(value, &out);
    return strbuf_str(&out);
}

static size_t count_narrow(Arena *arena, const CqlPlan *plan)
{
    size_t count = 0;
    for (size_t i = 0; i < cql_plan_definition_count(plan); i++) {
        StrBuf out;
        strbuf_init(&out, arena, 0);
        cql_plan_describe(plan, i, &out);
        count += str_find(strbuf_str(&out), S(", dated ")) != SIZE_MAX;
    }
    return count;
}

TEST(queries_by_day_give_what_they_give_without)
{
    Error err = {0};
    Generator g = {.seed = 11};
    Fixture fixture;
    StrBuf source;
    fixture_init(&fixture, arena);
    for (uint32_t i = 0; i < PERSONS; i++)
        add_person(&g, &fixture, i);
    CHECK(fixture_finish(&fixture, &err));
    CqlRoot *roots = ARENA_ZARRAY(arena, CqlRoot, DEFINITIONS);
    strbuf_init(&source, arena, 0);
    strbuf_add(&source, S("library Narrow\nusing FHIR version '4.0.1'\ninclude FHIRHelpers version "
                          "'4.0.1'\ncontext Patient\n"));
    for (uint32_t i = 0; i < DEFINITIONS; i++) {
        roots[i] = (CqlRoot){.library = S("Narrow"), .name = str_format(arena, "D%u", i)};
        add_definition(arena, &g, i, &source);
    }
    Str text = strbuf_str(&source);
    const CqlPlan *narrow = plan_of(arena, text, roots, fixture.dict, false);
    const CqlPlan *wide = plan_of(arena, text, roots, fixture.dict, true);
    size_t found = 0;
    CHECK(count_narrow(arena, narrow) > 200);
    CHECK_INT(count_narrow(arena, wide), 0);
    CqlEval *by_day = cql_eval_create(narrow);
    CqlEval *by_all = cql_eval_create(wide);
    for (uint32_t row = 0; row < fixture.batch->person_count; row++) {
        const Record record = {.batch = fixture.batch, .row = row};
        cql_eval_begin(by_all, record);
        for (size_t i = 0; i < cql_plan_definition_count(narrow); i++) {
            if (!cql_plan_definition(narrow, i)->is_usable)
                continue;
            /* Anew each time, as a whole list that is there already is taken. */
            cql_eval_begin(by_day, record);
            Str want = value_text(arena, by_all, i);
            found += want.len > 2;
            CHECK_ROW_STR(str_to_c(arena, roots[i].name), value_text(arena, by_day, i), want);
        }
    }
    CHECK(found > 1000);
    cql_eval_destroy(by_day);
    cql_eval_destroy(by_all);
}

/* Populations over a small store: who is in them, what is behind it, and that nothing depends on
   threads. */
#include "base/test.h"
#include "intake/intake.h"
#include "measure/measure.h"

static const char library_text[] = "library L version '1'\n"
                                   "using FHIR version '4.0.1'\n"
                                   "include FHIRHelpers version '4.0.1'\n"
                                   "codesystem \"SCT\": 'http://snomed.info/sct'\n"
                                   "code \"Type 2\": '44054006' from \"SCT\"\n"
                                   "parameter \"Measurement Period\" Interval<DateTime>\n"
                                   "context Patient\n"
                                   "define \"Diabetes\": [Condition: \"Type 2\"]\n"
                                   "define \"In D\": exists \"Diabetes\"\n"
                                   "define \"Female\": Patient.gender = 'female'\n"
                                   "define \"Results\": [Observation] O where O.status = 'final'\n"
                                   "define \"Measured\": exists \"Results\"\n"
                                   "define \"Left Out\": exists ([Procedure])\n"
                                   "define \"Everybody\": true\n"
                                   "define \"Number\": Count(\"Results\")\n";

enum { PERSONS = 200 };

/* Person i: with diabetes when i % 3 == 0, female when even, measured when i % 4 == 0, left out
   when i % 30 == 0. */
static Str write_records(Arena *arena, Str folder)
{
    StrBuf text;
    strbuf_init(&text, arena, 0);
    for (int i = 0; i < PERSONS; i++) {
        strbuf_printf(&text,
                      "{\"resourceType\":\"Patient\",\"id\":\"p%d\",\"gender\":\"%s\","
                      "\"birthDate\":\"1960-01-01\"}\n",
                      i, i % 2 == 0 ? "female" : "male");
        if (i % 3 == 0)
            strbuf_printf(&text,
                          "{\"resourceType\":\"Condition\",\"id\":\"c%d\",\"code\":{\"coding\":[{"
                          "\"system\":\"http://snomed.info/sct\",\"code\":\"44054006\","
                          "\"display\":\"Type 2\"}]},\"subject\":{\"reference\":\"Patient/p%d\"},"
                          "\"onsetDateTime\":\"2015-02-03\"}\n",
                          i, i);
        if (i % 4 == 0)
            strbuf_printf(
                &text,
                "{\"resourceType\":\"Observation\",\"id\":\"o%d\",\"status\":\"final\","
                "\"code\":{\"text\":\"HbA1c\"},\"subject\":{\"reference\":\"Patient/p%d\"},"
                "\"effectiveDateTime\":\"2020-05-06\",\"valueQuantity\":{\"value\":7.125,"
                "\"unit\":\"%%\"}}\n",
                i, i);
        if (i % 30 == 0)
            strbuf_printf(&text,
                          "{\"resourceType\":\"Procedure\",\"id\":\"x%d\",\"status\":\"completed\","
                          "\"subject\":{\"reference\":\"Patient/p%d\"}}\n",
                          i, i);
    }
    Str path = io_join(arena, folder, S("records.ndjson"));
    Error err = {0};
    CHECK_OK(io_write_file(path, strbuf_str(&text), &err), &err);
    return path;
}

static const Str evidence_names[] = {STR_INIT("Results"), STR_INIT("Number"), STR_INIT("Diabetes")};
static const RegisterSpec registers[] = {
    {.id = STR_INIT("d"),
     .title = STR_INIT("D"),
     .library = STR_INIT("L"),
     .definition = STR_INIT("In D"),
     .evidence = evidence_names + 2,
     .evidence_count = 1},
    {.id = STR_INIT("all"),
     .title = STR_INIT("All"),
     .library = STR_INIT("L"),
     .definition = STR_INIT("Everybody")},
};
static const IndicatorSpec indicators[] = {
    {.id = STR_INIT("m"),
     .title = STR_INIT("M"),
     .register_id = STR_INIT("d"),
     .library = STR_INIT("L"),
     .denominator = STR_INIT("Female"),
     .exclusion = STR_INIT("Left Out"),
     .numerator = STR_INIT("Measured"),
     .evidence = evidence_names,
     .evidence_count = 3},
};

typedef struct {
    MeasureSpec spec;
    Store *store;
    CqlPlan *cql;
    MeasurePlan *plan;
    DiagList diags;
    Error err;
} Fixture;

static bool set_up(Arena *arena, Fixture *fixture)
{
    Str folder = test_temp_dir(arena);
    Str source = write_records(arena, folder);
    *fixture = (Fixture){.spec = {.registers = registers,
                                  .register_count = COUNT_OF(registers),
                                  .indicators = indicators,
                                  .indicator_count = COUNT_OF(indicators),
                                  .period_first = day_from_date(2020, 1, 1),
                                  .period_last = day_from_date(2020, 12, 31),
                                  .file = STR_INIT("p.yaml")}};
    diag_init(&fixture->diags, arena);
    IntakeOptions intake = {.sources = &source,
                            .source_count = 1,
                            .store_path = io_join(arena, folder, S("store")),
                            .threads = 1};
    IntakeReport report;
    Error *err = &fixture->err;
    if (!CHECK_OK(intake_load(arena, &intake, &fixture->diags, &report, err), err) ||
        !CHECK_OK(store_open(arena, intake.store_path, &fixture->store, err), err))
        return false;
    CHECK_INT(report.refused, 0);
    CqlLibraries *libraries = cql_libraries_create(arena);
    CHECK(cql_libraries_add(libraries, str_from_c(library_text), S("L.cql"), &fixture->diags));
    CqlParameter period = {.name = S("Measurement Period"),
                           .value = measure_period_text(&fixture->spec, arena)};
    CqlPlanOptions options = {.dict = store_dict(fixture->store),
                              .now = {.year = 2020,
                                      .month = 12,
                                      .day = 31,
                                      .offset_minutes = 0,
                                      .precision = PRECISION_DAY},
                              .parameters = &period,
                              .parameter_count = 1};
    return CHECK_OK(
               cql_plan_create(arena, libraries, &options, &fixture->diags, &fixture->cql, err),
               err) &&
           CHECK_INT(measure_plan_create(arena, &fixture->spec, fixture->cql, &fixture->diags,
                                         &fixture->plan),
                     ERR_OK);
}

/* Number i of a person "p<i>". */
static int person_number(Record record)
{
    int64_t number = -1;
    CHECK(str_to_int64(str_slice(record_person_id(record), 1, SIZE_MAX), &number));
    return (int)number;
}

static void check_person(const MeasureResults *results, size_t partition, Record record)
{
    int i = person_number(record);
    bool on_register = i % 3 == 0;
    bool asked = on_register && i % 2 == 0;
    bool excluded = asked && i % 30 == 0;
    bool achieved = asked && !excluded && i % 4 == 0;
    const struct {
        Population population;
        bool want;
    } rows[] = {{POPULATION_DENOMINATOR, asked},
                {POPULATION_EXCLUSION, excluded},
                {POPULATION_NUMERATOR, achieved},
                {POPULATION_GAP, asked && !excluded && !achieved}};
    CHECK_INT(measure_is_in(results, POPULATION_REGISTER, 0, partition, record.row), on_register);
    CHECK_INT(measure_is_in(results, POPULATION_REGISTER, 1, partition, record.row), true);
    for (size_t k = 0; k < COUNT_OF(rows); k++)
        CHECK_INT(measure_is_in(results, rows[k].population, 0, partition, record.row),
                  rows[k].want);
}

TEST(everybody_is_where_they_belong_on_one_thread_and_on_three)
{
    Fixture fixture;
    if (!set_up(arena, &fixture))
        return;
    for (size_t threads = 1; threads <= 3; threads += 2) {
        MeasureOptions options = {.threads = threads, .diags = &fixture.diags};
        MeasureResults *results;
        CHECK_OK(measure_run(arena, fixture.plan, fixture.store, &options, &results, &fixture.err),
                 &fixture.err);
        CHECK_INT(measure_count(results, POPULATION_REGISTER, 0), 67);
        CHECK_INT(measure_count(results, POPULATION_REGISTER, 1), PERSONS);
        CHECK_INT(measure_count(results, POPULATION_DENOMINATOR, 0), 34);
        CHECK_INT(measure_count(results, POPULATION_EXCLUSION, 0), 7);
        CHECK_INT(measure_count(results, POPULATION_EXCLUSION, 0) +
                      measure_count(results, POPULATION_NUMERATOR, 0) +
                      measure_count(results, POPULATION_GAP, 0),
                  34);
        CHECK_INT(measure_failed_count(results), 0);
        for (size_t part = 0; part < store_partition_count(fixture.store); part++) {
            const RecordBatch *batch;
            CHECK_OK(store_batch(fixture.store, part, &batch, &fixture.err), &fixture.err);
            for (uint32_t row = 0; row < batch->person_count; row++)
                check_person(results, part, (Record){.batch = batch, .row = row});
        }
    }
    store_close(fixture.store);
}

TEST(evidence_is_values_and_events_in_words)
{
    Fixture fixture;
    if (!set_up(arena, &fixture))
        return;
    Record record;
    CHECK_OK(store_find_person(fixture.store, S("p12"), &record, &fixture.err), &fixture.err);
    CqlEval *eval = cql_eval_create(fixture.cql);
    MeasureAsk ask = {.arena = arena, .plan = fixture.plan, .eval = eval};
    EvidenceVec evidence;
    CHECK_OK(measure_evidence(&ask, 0, record, &evidence, &fixture.err), &fixture.err);
    CHECK_INT(evidence.count, 3);
    if (evidence.count == 3) {
        CHECK_STR(evidence.items[0].resource, S("Observation/o12"));
        CHECK_STR(evidence.items[0].value, S("HbA1c: 7.12 %"));
        CHECK_INT(evidence.items[0].day, day_from_date(2020, 5, 6));
        CHECK_STR(evidence.items[1].value, S("1"));
        CHECK_STR(evidence.items[2].value, S("Type 2"));
    }
    CHECK_OK(store_find_person(fixture.store, S("p6"), &record, &fixture.err), &fixture.err);
    CHECK_OK(measure_evidence(&ask, 0, record, &evidence, &fixture.err), &fixture.err);
    CHECK_STR(evidence.items[0].value, S("none"));
    CHECK_OK(measure_register_evidence(&ask, 0, record, &evidence, &fixture.err), &fixture.err);
    CHECK_INT(evidence.count, 1);
    CHECK_STR(evidence.items[0].resource, S("Condition/c6"));
    cql_eval_destroy(eval);
    store_close(fixture.store);
}

TEST(names_that_are_no_definitions_are_findings)
{
    Fixture fixture;
    if (!set_up(arena, &fixture))
        return;
    IndicatorSpec wrong[2] = {indicators[0], indicators[0]};
    wrong[0].numerator = S("Mesured");
    wrong[0].line = 7;
    wrong[1].numerator = S("Number");
    MeasureSpec spec = fixture.spec;
    spec.indicators = wrong;
    spec.indicator_count = 2;
    MeasurePlan *plan;
    DiagList diags;
    diag_init(&diags, arena);
    CHECK_INT(measure_plan_create(arena, &spec, fixture.cql, &diags, &plan), ERR_DOCUMENT);
    CHECK_INT(diags.kept.count, 2);
    if (diags.kept.count == 2) {
        CHECK_INT(diags.kept.items[0].line, 7);
        CHECK(str_find(diags.kept.items[0].text, S("did you mean \"Measured\"?")) != SIZE_MAX);
        CHECK_STR(diags.kept.items[1].rule, S("measure-not-boolean"));
    }
    store_close(fixture.store);
}

/*
 * bench_cql -- the starter programme's library over the Synthea records in memory, on one core.
 *
 *     bench_cql [LIBRARY.cql VALUE-SETS-FOLDER]
 *
 * Figures: persons a second for all Boolean definitions of the library, for those whose needs were
 * not skipped, for one `exists` retrieve, and the time to make a plan.
 */
#include "bench_support.h"

#include "../tests/cql/fixture.h"

static CqlPlan *make_plan(Arena *arena, Str library, const ValueSets *sets, const ConceptDict *dict)
{
    Error err = {0};
    DiagList diags;
    Str text;
    diag_init(&diags, arena);
    bench_must(io_read_file(arena, library, 0, &text, &err), &err);
    CqlLibraries *libraries = cql_libraries_create(arena);
    (void)cql_libraries_add(libraries, text, library, &diags);
    static const CqlParameter period = {
        .name = STR_INIT("Measurement Period"),
        .value = STR_INIT("Interval[@2020-01-01T00:00:00.000, @2020-12-31T23:59:59.999]")};
    CqlPlanOptions options = {
        .value_sets = sets, .dict = dict, .parameters = &period, .parameter_count = 1};
    options.now = (Moment){
        .year = 2021, .month = 1, .day = 1, .offset_minutes = 0, .precision = PRECISION_DAY};
    CqlPlan *plan = NULL;
    ErrorCode code = cql_plan_create(arena, libraries, &options, &diags, &plan, &err);
    VEC_FOREACH (Diag, diag, &diags.kept) {
        StrBuf line;
        strbuf_init(&line, arena, 0);
        diag_format(diag, &line);
        (void)fprintf(stderr, "%.*s\n", STR_ARG(strbuf_str(&line)));
    }
    bench_must(code, &err);
    return plan;
}

static ValueSets *read_value_sets(Arena *arena, Str folder)
{
    Error err = {0};
    DiagList diags;
    IoNames names = {0};
    ValueSets *sets = value_sets_create(arena);
    diag_init(&diags, arena);
    bench_must(io_list_dir(arena, folder, &names, &err), &err);
    VEC_FOREACH (Str, name, &names) {
        Str text;
        bench_must(io_read_file(arena, io_join(arena, folder, *name), 0, &text, &err), &err);
        value_sets_add(sets, text, *name, &diags);
    }
    value_sets_resolve(sets, &diags);
    return sets;
}

/* Processor time: other work on the machine does not count. */
static double processor_seconds(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Persons a second for the Boolean definitions; prints how many are true for how many persons. */
static double evaluate(const CqlPlan *plan, const RecordBatch *batch, bool only_exists)
{
    CqlEval *eval = cql_eval_create(plan);
    size_t truths = 0;
    size_t failures = 0;
    size_t persons = 0;
    Error err = {0};
    double start = processor_seconds();
    do {
        for (uint32_t row = 0; row < batch->person_count; row++, persons++) {
            cql_eval_begin(eval, (Record){.batch = batch, .row = row});
            for (size_t i = 0; i < cql_plan_definition_count(plan); i++) {
                const CqlDefinition *definition = cql_plan_definition(plan, i);
                CqlValue value;
                bool wanted = only_exists ? str_eq(definition->name, S("Statin Prescribed"))
                                          : definition->is_boolean;
                if (!wanted)
                    continue;
                if (cql_eval_definition(eval, i, &value, &err) != ERR_OK) {
                    if (failures++ == 0)
                        (void)fprintf(stderr, "%s\n", err.message);
                    continue;
                }
                truths += cql_value_is_true(value);
            }
        }
    } while (processor_seconds() - start < 1);
    double seconds = processor_seconds() - start;
    printf("%zu persons, %.3f true a person, %zu failed\n", persons,
           (double)truths / (double)persons, failures);
    cql_eval_destroy(eval);
    return (double)persons / seconds;
}

int main(int argc, char **argv)
{
    Arena *arena = arena_create(1 << 20);
    Error err = {0};
    Str library = argc > 1 ? str_from_c(argv[1]) : S("programmes/starter/cql/Starter.cql");
    Str folder = argc > 2 ? str_from_c(argv[2]) : S("programmes/starter/valuesets");
    Str bundles = bench_bundles(arena, bench_scratch(arena));
    Fixture fixture;
    IoNames names = {0};
    fixture_init(&fixture, arena);
    bench_list_files(arena, bundles, &names);
    for (size_t i = 0; i < names.count && i < 60; i++) {
        Arena *scratch = arena_create(1 << 20);
        Str text;
        bench_must(io_read_file(scratch, names.items[i], 0, &text, &err), &err);
        fixture_add(&fixture, text, names.items[i]);
        arena_destroy(scratch);
    }
    if (!fixture_finish(&fixture, &err))
        bench_must(err.code, &err);
    ValueSets *sets = read_value_sets(arena, folder);
    double start = processor_seconds();
    CqlPlan *plan = make_plan(arena, library, sets, fixture.dict);
    bench_figure("cql-plan", (processor_seconds() - start) * 1e3, "ms");
    bench_figure("cql-starter", evaluate(plan, fixture.batch, false), "persons/s");
    bench_figure("cql-latest-in-period", evaluate(plan, fixture.batch, true), "persons/s");
    arena_destroy(arena);
    return 0;
}

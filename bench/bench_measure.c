/*
 * bench_measure -- the starter programme's registers and indicators over a store of full records,
 * on one thread and on two.
 *
 * Figures: persons a second by all registers and indicators, and how much faster two threads are.
 */
#define Population PopulationText /* measure has a Population of its own */
#include "bench_population.h"
#undef Population

#include "programme/programme.h"

enum { PERSONS = 3000, PASSES = 20 };

static const MeasurePlan *make_plan(Arena *arena, const Store *store)
{
    Error err = {0};
    DiagList diags;
    diag_init(&diags, arena);
    Programme *programme = NULL;
    bench_must(programme_read(arena, S("programmes/starter"), &diags, &programme, &err), &err);
    CqlParameter period = {.name = S("Measurement Period"),
                           .value = measure_period_text(&programme->measures, arena)};
    CqlPlanOptions options = {.value_sets = programme->value_sets,
                              .dict = store_dict(store),
                              .now = {.year = 2020,
                                      .month = 12,
                                      .day = 31,
                                      .offset_minutes = 0,
                                      .precision = PRECISION_DAY},
                              .parameters = &period,
                              .parameter_count = 1};
    CqlPlan *cql = NULL;
    MeasurePlan *plan = NULL;
    bench_must(cql_plan_create(arena, programme->libraries, &options, &diags, &cql, &err), &err);
    bench_must(measure_plan_create(arena, &programme->measures, cql, &diags, &plan), &err);
    return plan;
}

/* Seconds of PASSES passes. */
static double measure(const MeasurePlan *plan, const Store *store, size_t threads)
{
    double begin = bench_seconds();
    for (int i = 0; i < PASSES; i++) {
        Arena *arena = arena_create(0);
        DiagList diags;
        diag_init(&diags, arena);
        MeasureOptions options = {.threads = threads, .diags = &diags};
        MeasureResults *results;
        Error err = {0};
        bench_must(measure_run(arena, plan, store, &options, &results, &err), &err);
        if (i == 0 && threads == 1)
            printf("%zu on the first register\n",
                   (size_t)measure_count(results, POPULATION_REGISTER, 0));
        arena_destroy(arena);
    }
    return bench_seconds() - begin;
}

int main(void)
{
    Arena *arena = arena_create(0);
    Store *store = population_store(arena, bench_scratch(arena), PERSONS, false);
    const MeasurePlan *plan = make_plan(arena, store);
    double persons = (double)store_info(store)->persons * PASSES;
    (void)measure(plan, store, 2); /* verifies the partitions once */
    for (size_t run = 0; run < bench_runs(); run++) {
        double one = measure(plan, store, 1);
        double two = measure(plan, store, 2);
        bench_figure("measure, 1 thread", persons / one, "persons/s");
        bench_figure("measure, 2 threads", persons / two, "persons/s");
        bench_figure("measure, 2 threads over 1", one / two, "times");
    }
    store_close(store);
    arena_destroy(arena);
    return 0;
}

/*
 * bench_memory -- 10 GB of NDJSON through a pipe into a store: how fast, and how much memory at the
 * most, which is to stay under the default of 1 GiB and the dictionary. BENCH_BYTES says another
 * number of bytes, BENCH_MEMORY another --memory.
 */
#include <sys/resource.h>

#include "bench_population.h"

static uint64_t number_of(const char *name, uint64_t usual)
{
    const char *given = getenv(name);
    int64_t number;
    return given != NULL && str_to_int64(str_from_c(given), &number) && number > 0
               ? (uint64_t)number
               : usual;
}

static const char *label(Arena *arena, const char *size, const char *figure)
{
    return str_to_c(arena, str_format(arena, "%s: %s", size, figure));
}

int main(void)
{
    Arena *arena = arena_create(0);
    Str scratch = bench_scratch(arena);
    Str bundles = bench_bundles(arena, scratch);
    Str dash = S("-");
    DiagList diags;
    diag_init(&diags, arena);
    IntakeReport report;
    Error err = {0};
    IntakeOptions options = {.sources = &dash,
                             .source_count = 1,
                             .store_path = io_join(arena, scratch, S("store")),
                             .omit_narrative = true,
                             .memory_max = number_of("BENCH_MEMORY", 0)};
    options.stdin_fd =
        population_pipe(bundles, false, SIZE_MAX, number_of("BENCH_BYTES", UINT64_C(10000000000)));
    double begin = bench_seconds();
    bench_must(intake_load(arena, &options, &diags, &report, &err), &err);
    double seconds = bench_seconds() - begin;
    (void)close(options.stdin_fd);
    (void)wait(NULL);
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    uint64_t bytes = bench_file_bytes(arena, options.store_path);
    printf("%.1f GB, %zu persons, %zu resources, %zu refused, %.1f s, %.1f GB spilled\n",
           (double)report.bytes / 1e9, (size_t)report.persons, (size_t)report.accepted,
           (size_t)report.refused, seconds, (double)report.spilled_bytes / 1e9);
    const char *what = str_to_c(arena, str_format(arena, "%.1f GB", (double)report.bytes / 1e9));
    bench_figure(label(arena, what, "from a pipe to store"), (double)report.bytes / 1e6 / seconds,
                 "MB/s");
    bench_figure(label(arena, what, "peak of memory"), (double)usage.ru_maxrss / 1024, "MiB");
    bench_figure(label(arena, what, "store, part of NDJSON"),
                 100.0 * (double)bytes / (double)report.bytes, "%");
    arena_destroy(arena);
    return 0;
}

/*
 * bench_population -- writes NDJSON of many persons to standard output:
 *
 *     bench_population persons [thin] | braid load -
 *
 * Without arguments it measures how fast it is.
 */
#include <fcntl.h>

#include "bench_population.h"

int main(int argc, char **argv)
{
    Arena *arena = arena_create(0);
    bool is_thin = argc > 2 && str_eq(str_from_c(argv[2]), S("thin"));
    Str bundles = bench_bundles(arena, bench_scratch(arena));
    Population population = population_make(arena, bundles, is_thin);
    int64_t persons;
    if (argc > 1 && str_to_int64(str_from_c(argv[1]), &persons) && persons > 0) {
        (void)population_write(&population, STDOUT_FILENO, (size_t)persons, UINT64_MAX);
        return 0;
    }
    uint64_t bytes = population.shared.len;
    for (size_t i = 0; i < population.count; i++)
        bytes += population.blocks[i].text.len;
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    for (size_t i = 0; i < bench_runs(); i++) {
        double begin = bench_seconds();
        (void)population_write(&population, nowhere, 10 * population.count, UINT64_MAX);
        bench_figure("generator of NDJSON", (double)bytes * 10 / 1e6 / (bench_seconds() - begin),
                     "MB/s");
    }
    arena_destroy(arena);
    return 0;
}

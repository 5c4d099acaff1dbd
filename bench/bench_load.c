/*
 * bench_load -- FHIR to a finished store, from NDJSON and from pretty-printed bundles, on one
 * thread and on two; the size of the store; and what others take to parse the same bytes.
 */
#include "bench_population.h"

size_t bench_load_peer_simdjson(const char *text, size_t len);

typedef struct {
    Str source;
    Str store;
    size_t threads;
    bool omit_narrative;
} Run;

/* With BENCH_STAGES set: where the time of a load goes. */
static void tell_stage(void *context, Str stage)
{
    double *last = context;
    double now = bench_seconds();
    if (getenv("BENCH_STAGES") != NULL)
        printf("  %.*s %.1f ms\n", STR_ARG(stage), (now - *last) * 1e3);
    *last = now;
}

static IntakeReport load(const Run *run, double *ret_seconds)
{
    Arena *arena = arena_create(0);
    DiagList diags;
    diag_init(&diags, arena);
    IntakeOptions options = {.sources = &run->source,
                             .source_count = 1,
                             .store_path = run->store,
                             .threads = run->threads,
                             .omit_narrative = run->omit_narrative,
                             .on_stage = tell_stage};
    IntakeReport report = {0};
    Error err = {0};
    double begin = bench_seconds();
    double last = begin;
    options.context = &last;
    bench_must(intake_load(arena, &options, &diags, &report, &err), &err);
    *ret_seconds = bench_seconds() - begin;
    if (report.refused > 0)
        printf("%zu resources were refused\n", (size_t)report.refused);
    arena_destroy(arena);
    return report;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare_doubles);
    return values[count / 2];
}

static void measure_load(const char *what, Str source, Str store)
{
    Arena *arena = arena_create(0);
    double *rates[] = {ARENA_ARRAY(arena, double, bench_runs()),
                       ARENA_ARRAY(arena, double, bench_runs())};
    for (size_t i = 0; i < bench_runs(); i++) {
        for (size_t threads = 1; threads <= 2; threads++) {
            double seconds;
            Run run = {.source = source, .store = store, .threads = threads};
            IntakeReport report = load(&run, &seconds);
            Str name = str_format(arena, "%s to store, %zu thread%s", what, threads,
                                  threads == 1 ? "" : "s");
            double rate = (double)report.bytes / 1e6 / seconds;
            rates[threads - 1][i] = rate;
            bench_figure(str_to_c(arena, name), rate, "MB/s");
        }
    }
    bench_figure(str_to_c(arena, str_format(arena, "%s to store, two threads over one", what)),
                 median(rates[1], bench_runs()) / median(rates[0], bench_runs()), "times");
    arena_destroy(arena);
}

static void measure_size(Str source, Str store)
{
    Arena *arena = arena_create(0);
    double seconds;
    Run run = {.source = source, .store = store, .threads = 2, .omit_narrative = true};
    IntakeReport report = load(&run, &seconds);
    uint64_t bytes = bench_file_bytes(arena, store);
    bench_figure("store without narrative, part of minified NDJSON",
                 100.0 * (double)bytes / (double)report.bytes, "%");
    run.omit_narrative = false;
    (void)load(&run, &seconds);
    bench_figure("store with narrative, part of minified NDJSON",
                 100.0 * (double)bench_file_bytes(arena, store) / (double)report.bytes, "%");
    arena_destroy(arena);
}

/* Parsing alone, to tapes, on one thread. */
static void measure_parse(const char *figure, const Str *texts, size_t count)
{
    Arena *arena = arena_create(0);
    for (size_t i = 0; i < bench_runs(); i++) {
        ConceptBuilder *concepts = concept_builder_create();
        FhirReader *reader = fhir_reader_create(
            concepts, &(FhirReaderOptions){
                          .keep_narrative = true, .split_bundles = true, .resolve_urns = true});
        DiagList diags;
        diag_init(&diags, arena);
        size_t bytes = 0;
        double begin = bench_seconds();
        for (size_t k = 0; k < count; k++) {
            Str rest = texts[k];
            bytes += rest.len;
            while (rest.len > 0) {
                /* In pieces of the size that a load cuts, at the ends of lines. */
                size_t size = rest.len < (4 << 20) ? rest.len : (4 << 20);
                const char *end = count > 1 ? NULL : memrchr(rest.ptr, '\n', size);
                size = count > 1 ? rest.len : end == NULL ? rest.len : (size_t)(end + 1 - rest.ptr);
                fhir_reader_begin(reader, str_slice(rest, 0, size), S("bench"), 1, &diags);
                FhirParsed parsed;
                while (fhir_reader_next(reader, &parsed)) {
                }
                rest = str_slice(rest, size, rest.len);
            }
        }
        bench_figure(figure, (double)bytes / 1e6 / (bench_seconds() - begin), "MB/s");
        fhir_reader_destroy(reader);
        concept_builder_destroy(concepts);
    }
    arena_destroy(arena);
}

static void measure_simdjson(Str text)
{
    for (size_t i = 0; i < bench_runs(); i++) {
        double begin = bench_seconds();
        size_t objects = bench_load_peer_simdjson(text.ptr, text.len);
        bench_figure("simdjson DOM, NDJSON, 1 thread",
                     (double)text.len / 1e6 / (bench_seconds() - begin), "MB/s");
        if (objects == 0)
            exit(1);
    }
}

/* The records of all bundles and of copies of them under other ids, a resource a line: enough for
   what a load costs once (its syncs) to count for what it is. */
static void write_ndjson(Str bundles, Str path)
{
    enum { COPIES = 5 };
    Arena *arena = arena_create(0);
    Error err = {0};
    IoFile file CLEANUP(io_close_cleanup) = IO_FILE_CLOSED;
    Population population = population_make(arena, bundles, false);
    bench_must(io_create(path, &file, &err), &err);
    (void)population_write(&population, file.fd, COPIES * population.count, UINT64_MAX);
    bench_must(io_close(&file, &err), &err);
    arena_destroy(arena);
}

/* With the argument "load", loads alone are measured. */
int main(int argc, char **argv)
{
    bool is_load_only = argc > 1 && strcmp(argv[1], "load") == 0;
    Arena *arena = arena_create(0);
    Error err = {0};
    Str scratch = bench_scratch(arena);
    Str bundles = bench_bundles(arena, scratch);
    Str store = io_join(arena, scratch, S("store"));
    Str ndjson = io_join(arena, scratch, S("all.ndjson"));
    Str text;
    write_ndjson(bundles, ndjson);
    bench_must(io_read_file(arena, ndjson, (size_t)1 << 32, &text, &err), &err);
    printf("NDJSON of %.1f MB, bundles of %.1f MB\n", (double)text.len / 1e6,
           (double)bench_file_bytes(arena, bundles) / 1e6);

    if (is_load_only) {
        measure_load("NDJSON", ndjson, store);
        measure_load("bundles", bundles, store);
        return 0;
    }
    measure_parse("JSON to tape, NDJSON, 1 thread", &text, 1);
    IoNames files = {0};
    bench_list_files(arena, bundles, &files);
    Str *texts = ARENA_ARRAY(arena, Str, files.count);
    for (size_t i = 0; i < files.count; i++)
        bench_must(io_read_file(arena, files.items[i], 0, &texts[i], &err), &err);
    measure_parse("JSON to tape, bundles, 1 thread", texts, files.count);
    measure_load("NDJSON", ndjson, store);
    measure_load("bundles", bundles, store);
    measure_size(ndjson, store);
    measure_simdjson(text);
    if (getenv("BENCH_NO_NODE") == NULL)
        bench_system(str_to_c(
            arena, str_format(arena, "node bench/load_peers.mjs '%.*s'", STR_ARG(ndjson))));
    arena_destroy(arena);
    return 0;
}

/*
 * bench_tape -- JSON to tapes, tapes to shared tapes, tapes to JSON, on one core.
 *
 *     bench_tape [FILE...]
 *
 * Each FILE is a Bundle, or NDJSON where its name ends in .ndjson; without any, the Synthea bundles
 * and the same resources as NDJSON. Prints medians.
 */
#include "bench_support.h"

#include "base/json_index.h"
#include "fhir/fhir.h"

typedef struct {
    Str name;
    Str text;
} Input;
typedef Vec(Input) Inputs;

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_doubles);
    return values[count / 2];
}

static double processor_seconds(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static size_t bytes_of(const Inputs *inputs)
{
    size_t bytes = 0;
    VEC_FOREACH (Input, input, inputs)
        bytes += input->text.len;
    return bytes;
}

static void report(const char *kind, const char *what, double value, const char *unit)
{
    char name[96];
    (void)snprintf(name, sizeof name, "tape %s: %s", kind, what);
    bench_figure(name, value, unit);
}

static double time_index(const Inputs *inputs, JsonIndex *index)
{
    double start = processor_seconds();
    VEC_FOREACH (Input, input, inputs)
        if (json_index_run(index, input->text.ptr, input->text.len) != JSON_INDEX_OK)
            return 0;
    return processor_seconds() - start;
}

/* Reads all; counts resources, refused ones and bytes of flat tape. */
static double time_parse(const Inputs *inputs, FhirReader *reader, size_t counts[3])
{
    Arena *arena = arena_create(0);
    DiagList diags;
    diag_init(&diags, arena);
    memset(counts, 0, 3 * sizeof *counts);
    double start = processor_seconds();
    VEC_FOREACH (Input, input, inputs) {
        FhirParsed parsed;
        fhir_reader_begin(reader, input->text, input->name, 1, &diags);
        while (fhir_reader_next(reader, &parsed)) {
            counts[0]++;
            counts[1] += parsed.is_refused;
            counts[2] += parsed.tape_size;
        }
    }
    double seconds = processor_seconds() - start;
    arena_destroy(arena);
    return seconds;
}

static void bench_parse(const char *kind, const Inputs *inputs)
{
    enum { RUNS_MAX = 64 };
    double indexing[RUNS_MAX];
    double parsing[RUNS_MAX];
    size_t runs = bench_runs() < RUNS_MAX ? bench_runs() : RUNS_MAX;
    size_t counts[3] = {0};
    ConceptBuilder *concepts = concept_builder_create();
    FhirReader *reader = fhir_reader_create(
        concepts, &(FhirReaderOptions){.split_bundles = true, .resolve_urns = true});
    JsonIndex *index = json_index_create();
    (void)time_index(inputs, index);
    (void)time_parse(inputs, reader, counts);
    for (size_t i = 0; i < runs; i++) {
        indexing[i] = time_index(inputs, index);
        parsing[i] = time_parse(inputs, reader, counts);
    }
    double megabytes = (double)bytes_of(inputs) / 1e6;
    report(kind, "index alone", megabytes / median(indexing, runs), "MB/s");
    report(kind, "JSON to tape", megabytes / median(parsing, runs), "MB/s");
    report(kind, "resources", (double)counts[0], "");
    report(kind, "refused", (double)counts[1], "");
    report(kind, "JSON", megabytes * 1e6 / (double)counts[0], "bytes/resource");
    report(kind, "flat tape", (double)counts[2] / (double)counts[0], "bytes/resource");
    json_index_destroy(index);
    fhir_reader_destroy(reader);
    concept_builder_destroy(concepts);
}

/* Tapes of all resources that belong to a patient, as the inputs of a batch. */
static size_t gather(Arena *arena, const Inputs *inputs, FhirReader *reader, RecordInput *tapes,
                     size_t limit)
{
    DiagList diags;
    diag_init(&diags, arena);
    size_t count = 0;
    VEC_FOREACH (Input, input, inputs) {
        FhirParsed parsed;
        fhir_reader_begin(reader, input->text, input->name, 1, &diags);
        while (fhir_reader_next(reader, &parsed) && count < limit) {
            if (parsed.is_refused || parsed.facts.is_shared)
                continue;
            RecordInput *tape = &tapes[count];
            *tape = (RecordInput){.facts = parsed.facts,
                                  .tape = arena_copy(arena, parsed.tape, parsed.tape_size),
                                  .tape_size = parsed.tape_size,
                                  .source = count++};
            tape->facts.id = str_copy(arena, parsed.facts.id);
            tape->facts.patient_id = str_copy(arena, parsed.facts.patient_id);
        }
    }
    return count;
}

static double time_json(const RecordBatch *batch, size_t *ret_bytes)
{
    Arena *arena = arena_create(0);
    StrBuf out;
    strbuf_init(&out, arena, 0);
    *ret_bytes = 0;
    double start = processor_seconds();
    for (unsigned type = 0; type < FHIR_RESOURCE_TYPE_LIMIT; type++)
        for (uint32_t i = 0; i < batch->types[type].entries.count; i++) {
            strbuf_clear(&out);
            ASSERT(fhir_write_json(fhir_root(&batch->area, batch->types[type].entries.tapes[i]),
                                   &out));
            *ret_bytes += out.len;
        }
    double seconds = processor_seconds() - start;
    arena_destroy(arena);
    return seconds;
}

/* Sharing, and back to JSON. */
static void bench_batch(const Inputs *inputs)
{
    enum { RUNS = 3, TAPES_MAX = 2000000 };
    Arena *arena = arena_create(1 << 20);
    ConceptBuilder *concepts = concept_builder_create();
    FhirReader *reader = fhir_reader_create(
        concepts, &(FhirReaderOptions){.split_bundles = true, .resolve_urns = true});
    RecordInput *tapes = ARENA_ARRAY(arena, RecordInput, TAPES_MAX);
    size_t count = gather(arena, inputs, reader, tapes, TAPES_MAX);
    const ConceptId *renumber;
    ConceptDict *dict = concept_builder_finish(concepts, arena, &renumber);
    double building[RUNS];
    double writing[RUNS];
    size_t area_size = 0;
    size_t json_bytes = 0;
    for (int run = 0; run < RUNS; run++) {
        Arena *own = arena_create(1 << 20);
        Error err = {0};
        RecordBatch *batch;
        double start = processor_seconds();
        RecordBuilder *builder =
            record_builder_create(own, &(RecordBuilderOptions){.dict = dict, .renumber = renumber});
        for (size_t i = 0; i < count; i++)
            record_builder_add(builder, &tapes[i]);
        bench_must(record_builder_finish(builder, &batch, &err), &err);
        building[run] = processor_seconds() - start;
        area_size = batch->area.size;
        writing[run] = time_json(batch, &json_bytes);
        arena_destroy(own);
    }
    report("batch", "resources to a batch", 1e9 * median(building, RUNS) / (double)count,
           "ns/resource");
    report("batch", "shared tape", (double)area_size / (double)count, "bytes/resource");
    report("batch", "tape to JSON", (double)json_bytes / 1e6 / median(writing, RUNS), "MB/s");
    fhir_reader_destroy(reader);
    concept_builder_destroy(concepts);
    arena_destroy(arena);
}

static void read_input(Arena *arena, Inputs *inputs, Str path)
{
    Error err = {0};
    Input input = {.name = path};
    bench_must(io_read_file(arena, path, 0, &input.text, &err), &err);
    VEC_PUSH(arena, inputs, input);
}

int main(int argc, char **argv)
{
    Arena *arena = arena_create(1 << 20);
    Inputs bundles = {0};
    Inputs ndjson = {0};
    for (int i = 1; i < argc; i++) {
        Str path = str_from_c(argv[i]);
        read_input(arena, str_ends_with(path, S(".ndjson")) ? &ndjson : &bundles, path);
    }
    if (argc == 1) {
        Str folder = bench_bundles(arena, bench_scratch(arena));
        IoNames files = {0};
        bench_list_files(arena, folder, &files);
        VEC_FOREACH (Str, path, &files)
            read_input(arena, &bundles, *path);
        Input all = {.name = S("all.ndjson"), .text = bench_ndjson(arena, folder)};
        VEC_PUSH(arena, &ndjson, all);
    }
    if (ndjson.count > 0)
        bench_parse("NDJSON", &ndjson);
    if (bundles.count > 0) {
        bench_parse("bundles", &bundles);
        bench_batch(&bundles);
    }
    arena_destroy(arena);
    return 0;
}

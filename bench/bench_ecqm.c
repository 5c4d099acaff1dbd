/*
 * bench_ecqm -- official measures from FHIR JSON in memory to MeasureReports, on one core.
 *
 * For each of four measures 1,000 persons are made from its test cases under new ids. Measured is
 * everything from their JSON text to an individual MeasureReport each and the summary: reading,
 * the directory, the plan for its dictionary, evaluation, reports; then evaluation and reports
 * alone, as over a store. No file is read or written meanwhile. Figures: microseconds a person.
 */
#include "base/json_index.h"
#include "bench_support.h"
#include "measure/measure.h"

enum { PERSONS = 1000 };

static const char *const names[] = {"CMS122", "CMS165", "CMS130", "CMS2"};

static Str ig_folder(Arena *arena)
{
    const char *given = getenv("BENCH_IG");
    if (given != NULL)
        return str_copy(arena, str_from_c(given));
    Str packed = S("../shared/data/ecqm/content-ig.tar.xz");
    if (!io_exists(packed)) {
        printf("%.*s is absent: nothing to measure\n", STR_ARG(packed));
        exit(0);
    }
    Str folder = io_join(arena, bench_scratch(arena), S("ecqm"));
    Error err = {0};
    bench_must(io_make_dirs(folder, &err), &err);
    bench_system(str_to_c(
        arena, str_format(arena, "tar xJf %.*s -C '%.*s'", STR_ARG(packed), STR_ARG(folder))));
    return folder;
}

/* The measure whose name begins so and goes on with "FHIR". */
static const Measure *find_measure(const MeasureContent *content, const char *name)
{
    const MeasureVec *all = measure_content_measures(content);
    char begin[32];
    (void)snprintf(begin, sizeof begin, "%sFHIR", name);
    for (size_t i = 0; i < all->count; i++)
        if (str_starts_with(all->items[i].name, str_from_c(begin)))
            return &all->items[i];
    (void)fprintf(stderr, "bench: there is no measure %s\n", begin);
    exit(1);
}

/* The resources of a case as lines, without the expected report; its patient's id. */
static Str read_case(Arena *arena, Str folder, Str *ret_patient)
{
    StrBuf out;
    IoNames files = {0};
    strbuf_init(&out, arena, 0);
    bench_list_files(arena, folder, &files);
    VEC_FOREACH (Str, file, &files) {
        Str text;
        Error err = {0};
        size_t from = file->len;
        while (from > 0 && file->ptr[from - 1] != '/')
            from--;
        Str name = str_slice(*file, from, file->len);
        if (str_starts_with(name, S("MeasureReport")))
            continue;
        bench_must(io_read_file(arena, *file, 0, &text, &err), &err);
        strbuf_add(&out, str_trim(text));
        strbuf_add_char(&out, '\n');
        if (str_starts_with(name, S("Patient-")))
            *ret_patient = str_slice(name, 8, name.len - 8 - 5);
    }
    return strbuf_str(&out);
}

/* With another id for the patient, everywhere. */
static void add_renamed(StrBuf *out, Str text, Str old, Str name)
{
    for (;;) {
        size_t at = str_find(text, old);
        if (at == SIZE_MAX)
            break;
        strbuf_add(out, str_slice(text, 0, at));
        strbuf_add(out, name);
        text = str_slice(text, at + old.len, text.len);
    }
    strbuf_add(out, text);
}

static Str make_persons(Arena *arena, Str ig, const Measure *measure)
{
    Str folder = io_join(arena, io_join(arena, ig, S("input/tests/measure")), measure->name);
    IoNames cases = {0};
    Error err = {0};
    StrBuf out;
    strbuf_init(&out, arena, 0);
    bench_must(io_list_dir(arena, folder, &cases, &err), &err);
    Str *texts = ARENA_ZARRAY(arena, Str, cases.count);
    Str *patients = ARENA_ZARRAY(arena, Str, cases.count);
    for (size_t i = 0; i < cases.count; i++)
        texts[i] = read_case(arena, io_join(arena, folder, cases.items[i]), &patients[i]);
    ASSERT(cases.count > 0);
    for (size_t i = 0; i < PERSONS; i++) {
        size_t of = i % cases.count;
        add_renamed(&out, texts[of], patients[of], str_format(arena, "person-%zu", i));
    }
    char *room = strbuf_reserve(&out, JSON_INDEX_PADDING);
    if (room != NULL)
        memset(room, ' ', JSON_INDEX_PADDING);
    return strbuf_str(&out);
}

typedef struct {
    Arena *arena;
    const MeasureContent *content;
    const Measure *measure;
    Str text;
    ConceptDict *dict;
    RecordBatch *batch;
    MeasureSet *set;
    size_t resources;
    size_t numerator;
    size_t report_bytes;
} Job;

static void read_persons(Job *job)
{
    Error err = {0};
    DiagList diags;
    diag_init(&diags, job->arena);
    ConceptBuilder *concepts = concept_builder_create();
    FhirReader *reader = fhir_reader_create(
        concepts, &(FhirReaderOptions){.split_bundles = true, .accepts_local_times = true});
    Vec(RecordInput) inputs = {0};
    fhir_reader_begin(reader, job->text, S("persons"), 1, &diags);
    FhirParsed parsed;
    Str owner = {0};
    while (fhir_reader_next(reader, &parsed)) {
        if (parsed.is_refused)
            continue;
        RecordInput input = {.facts = parsed.facts,
                             .tape = arena_copy(job->arena, parsed.tape, parsed.tape_size),
                             .tape_size = parsed.tape_size,
                             .source = inputs.count};
        if (!str_is_empty(parsed.facts.patient_id) && !str_eq(parsed.facts.patient_id, owner))
            owner = str_copy(job->arena, parsed.facts.patient_id);
        input.facts.id = str_copy(job->arena, parsed.facts.id);
        input.facts.patient_id = owner; /* what names nobody stays with the one before it */
        input.facts.is_shared = false;
        VEC_PUSH(job->arena, &inputs, input);
    }
    fhir_reader_destroy(reader);
    const ConceptId *renumber;
    job->dict = concept_builder_finish(concepts, job->arena, &renumber);
    RecordBuilderOptions options = {
        .dict = job->dict, .renumber = renumber, .keeps_repeated = true};
    RecordBuilder *builder = record_builder_create(job->arena, &options);
    for (size_t i = 0; i < inputs.count; i++)
        record_builder_add(builder, &inputs.items[i]);
    bench_must(record_builder_finish(builder, &job->batch, &err), &err);
    concept_builder_destroy(concepts);
    job->resources = inputs.count;
}

static void make_plan(Job *job)
{
    Error err = {0};
    DiagList diags;
    diag_init(&diags, job->arena);
    MeasureSetOptions options = {
        .content = job->content,
        .measures = &job->measure,
        .measure_count = 1,
        .period = {.start = job->measure->period_start, .end = job->measure->period_end},
        .dict = job->dict};
    bench_must(measure_set_create(job->arena, &options, &diags, &job->set, &err), &err);
}

static void evaluate(Job *job)
{
    MeasureReportFrame frame = {.period = measure_set_period(job->set),
                                .date = S("2027-01-01T00:00:00Z"),
                                .reporter = S("Braid"),
                                .omits_supplements = true};
    MeasureWorker *worker = measure_worker_create(job->set);
    MeasureTally tally;
    StrBuf out;
    measure_tally_init(&tally, job->arena, job->measure);
    strbuf_init(&out, job->arena, 0);
    for (uint32_t row = 0; row < job->batch->person_count; row++) {
        Record record = {.batch = job->batch, .row = row};
        measure_worker_begin(worker, record);
        const MeasureResult *result = measure_worker_ask(worker, 0);
        measure_tally_add(&tally, result, NULL);
        measure_report_person(&frame, REPORT_INDIVIDUAL, worker, 0, record, result, &out);
    }
    measure_report_summary(&frame, &tally, &out);
    int numerator = measure_group_find(&job->measure->groups[0], PART_NUMERATOR);
    job->numerator = numerator < 0 ? 0 : (size_t)tally.groups[0].all.counts[numerator];
    job->report_bytes = out.len;
    measure_worker_destroy(worker);
}

/* Populations alone, without any report. */
static void decide(Job *job)
{
    MeasureWorker *worker = measure_worker_create(job->set);
    for (uint32_t row = 0; row < job->batch->person_count; row++) {
        measure_worker_begin(worker, (Record){.batch = job->batch, .row = row});
        (void)measure_worker_ask(worker, 0);
    }
    measure_worker_destroy(worker);
}

static void measure_one(const MeasureContent *content, Str ig, const char *name)
{
    Arena *keep = arena_create(0);
    const Measure *measure = find_measure(content, name);
    Str text = make_persons(keep, ig, measure);
    for (size_t run = 0; run < bench_runs(); run++) {
        Arena *arena = arena_create(0);
        Job job = {.arena = arena, .content = content, .measure = measure, .text = text};
        double begin = bench_seconds();
        read_persons(&job);
        double read = bench_seconds();
        make_plan(&job);
        double planned = bench_seconds();
        evaluate(&job);
        double end = bench_seconds();
        decide(&job);
        double decided = bench_seconds();
        double each = 1e6 / job.batch->person_count;
        if (run == 0)
            printf("%s: %u persons, %zu resources, %zu bytes of JSON, %zu in the numerator, %zu "
                   "bytes of reports\n",
                   name, job.batch->person_count, job.resources, text.len, job.numerator,
                   job.report_bytes);
        char label[80];
        (void)snprintf(label, sizeof label, "%s, JSON to reports", name);
        bench_figure(label, (end - begin) * each, "us/person");
        (void)snprintf(label, sizeof label, "%s, reading", name);
        bench_figure(label, (read - begin) * each, "us/person");
        (void)snprintf(label, sizeof label, "%s, planning", name);
        bench_figure(label, (planned - read) * each, "us/person");
        (void)snprintf(label, sizeof label, "%s, records to reports", name);
        bench_figure(label, (end - planned) * each, "us/person");
        (void)snprintf(label, sizeof label, "%s, records to populations", name);
        bench_figure(label, (decided - end) * each, "us/person");
        arena_destroy(arena);
    }
    arena_destroy(keep);
}

int main(void)
{
    Arena *arena = arena_create(0);
    Str ig = ig_folder(arena);
    DiagList diags;
    Error err = {0};
    diag_init(&diags, arena);
    MeasureContent *content = measure_content_create(arena, &diags);
    bench_must(measure_content_add(content, ig, &err), &err);
    measure_content_finish(content);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        measure_one(content, ig, names[i]);
    arena_destroy(arena);
    return 0;
}

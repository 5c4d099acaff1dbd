/*
 * bench_library -- the population defines of whole published libraries over copies of their test
 * cases, on one core: from JSON text to answers, and from records that are there already.
 *
 *     bench_library [CONTENT-IG-FOLDER]
 *
 * The folder is laid out as a content IG (input/resources/library, input/vocabulary/valueset,
 * input/tests/measure/<measure>/<case>); without one it is unpacked from ../shared/data. Each case
 * is copied under new ids until there are some thousand patients. cql-execution, given the ELM of
 * the same libraries, answers the first of them in the same run; the bench fails where it answers
 * differently (BENCH_NO_NODE leaves it out).
 */
#include "bench_support.h"

#include "../tests/cql/fixture.h"

enum { PATIENTS = 4000, PEER_PATIENTS = 300 };

typedef struct {
    Arena *arena;
    Str ig;
    Str measure;    /* name of the library, which the folder of test cases has too */
    Vec(Str) cases; /* NDJSON of one patient each, ids not yet changed */
    Vec(Str) ids;
    Str *texts; /* PATIENTS of them, with JSON_INDEX_PADDING behind */
    Str *patient_ids;
    size_t bytes;
} Cases;

static Str ig_folder(Arena *arena, int argc, char **argv)
{
    if (argc > 1)
        return str_from_c(argv[1]);
    Str packed = S("../shared/data/ecqm/content-ig.tar.xz");
    if (!io_exists(packed)) {
        printf("%.*s is absent: nothing to measure\n", STR_ARG(packed));
        exit(0);
    }
    Str folder = bench_scratch(arena);
    bench_system(str_to_c(
        arena, str_format(arena, "tar xJf %.*s -C '%.*s'", STR_ARG(packed), STR_ARG(folder))));
    return folder;
}

/* One line of what was several; line ends within a JSON text are white space. */
static void add_line(StrBuf *out, Str json)
{
    for (size_t i = 0; i < json.len; i++)
        strbuf_add_char(out, json.ptr[i] == '\n' || json.ptr[i] == '\r' ? ' ' : json.ptr[i]);
    strbuf_add_char(out, '\n');
}

static void read_case(Cases *cases, Str folder, Str id)
{
    Error err = {0};
    IoNames files = {0};
    StrBuf text;
    bool has_patient = false;
    strbuf_init(&text, cases->arena, 0);
    bench_must(io_list_dir(cases->arena, folder, &files, &err), &err);
    VEC_FOREACH (Str, name, &files) {
        if (str_starts_with(*name, S("MeasureReport")))
            continue;
        Str json;
        bench_must(io_read_file(cases->arena, io_join(cases->arena, folder, *name), 0, &json, &err),
                   &err);
        add_line(&text, json);
        has_patient = has_patient || str_starts_with(*name, S("Patient-"));
    }
    if (has_patient) {
        VEC_PUSH(cases->arena, &cases->cases, strbuf_str(&text));
        VEC_PUSH(cases->arena, &cases->ids, str_copy(cases->arena, id));
    }
}

/* The text with every occurrence of the id replaced. */
static Str with_id(Arena *arena, Str text, Str id, Str replacement)
{
    StrBuf out;
    strbuf_init(&out, arena, 0);
    for (size_t at; (at = str_find(text, id)) != SIZE_MAX;) {
        strbuf_add(&out, str_slice(text, 0, at));
        strbuf_add(&out, replacement);
        text = str_slice(text, at + id.len, text.len);
    }
    strbuf_add(&out, text);
    size_t length = out.len;
    memset(strbuf_reserve(&out, JSON_INDEX_PADDING), ' ', JSON_INDEX_PADDING);
    return (Str){.ptr = out.ptr, .len = length};
}

static void read_cases(Cases *cases)
{
    Error err = {0};
    IoNames names = {0};
    Str folder = str_format(cases->arena, "%.*s/input/tests/measure/%.*s", STR_ARG(cases->ig),
                            STR_ARG(cases->measure));
    bench_must(io_list_dir(cases->arena, folder, &names, &err), &err);
    VEC_FOREACH (Str, name, &names)
        read_case(cases, io_join(cases->arena, folder, *name), *name);
    ASSERT(cases->cases.count > 0);
    cases->texts = ARENA_ARRAY(cases->arena, Str, PATIENTS);
    cases->patient_ids = ARENA_ARRAY(cases->arena, Str, PATIENTS);
    for (size_t i = 0; i < PATIENTS; i++) {
        size_t which = i % cases->cases.count;
        Str id = i < cases->cases.count
                     ? cases->ids.items[which]
                     : str_format(cases->arena, "00000000-0000-4000-8000-%012zu", i);
        cases->patient_ids[i] = id;
        cases->texts[i] =
            with_id(cases->arena, cases->cases.items[which], cases->ids.items[which], id);
        cases->bytes += cases->texts[i].len;
    }
}

static ValueSets *read_value_sets(Arena *arena, Str ig)
{
    Error err = {0};
    DiagList diags;
    IoNames names = {0};
    Str folder = io_join(arena, ig, S("input/vocabulary/valueset"));
    ValueSets *sets = value_sets_create(arena);
    diag_init(&diags, arena);
    bench_list_files(arena, folder, &names);
    VEC_FOREACH (Str, name, &names) {
        Str text;
        bench_must(io_read_file(arena, *name, 0, &text, &err), &err);
        value_sets_add(sets, text, *name, &diags);
    }
    value_sets_resolve(sets, &diags);
    return sets;
}

static CqlLibraries *read_libraries(Arena *arena, Str ig)
{
    Error err = {0};
    DiagList diags;
    IoNames names = {0};
    Str folder = io_join(arena, ig, S("input/resources/library"));
    CqlLibraries *libraries = cql_libraries_create(arena);
    diag_init(&diags, arena);
    bench_must(io_list_dir(arena, folder, &names, &err), &err);
    VEC_FOREACH (Str, name, &names) {
        Str text;
        bench_must(io_read_file(arena, io_join(arena, folder, *name), 0, &text, &err), &err);
        size_t dash = str_find_char(*name, '-'); /* Name-version.json */
        Str version = str_slice(*name, dash + 1, name->len - dash - 1 - S(".json").len);
        (void)cql_libraries_add_as(libraries, text, *name, version, &diags);
    }
    return libraries;
}

static const Str populations[] = {
    STR_INIT("Initial Population"),     STR_INIT("Denominator"), STR_INIT("Denominator Exclusions"),
    STR_INIT("Denominator Exceptions"), STR_INIT("Numerator"),   STR_INIT("Numerator Exclusions")};

typedef struct {
    CqlPlan *plan;
    size_t definitions[COUNT_OF(populations)];
    Str names[COUNT_OF(populations)];
    size_t count;
} Measure;

static Measure make_measure(Arena *arena, const CqlLibraries *libraries, Str library,
                            const ValueSets *sets, const ConceptDict *dict)
{
    Error err = {0};
    DiagList diags;
    Measure measure = {0};
    CqlRoot roots[COUNT_OF(populations)];
    for (size_t i = 0; i < COUNT_OF(populations); i++)
        roots[i] = (CqlRoot){.library = library, .name = populations[i]};
    static const CqlParameter period = {
        .name = STR_INIT("Measurement Period"),
        .value =
            STR_INIT("Interval[@2026-01-01T00:00:00.000+00:00, @2026-12-31T23:59:59.999+00:00]")};
    CqlPlanOptions options = {.value_sets = sets,
                              .dict = dict,
                              .parameters = &period,
                              .parameter_count = 1,
                              .roots = roots,
                              .root_count = COUNT_OF(roots)};
    options.now = (Moment){
        .year = 2027, .month = 1, .day = 1, .offset_minutes = 0, .precision = PRECISION_DAY};
    diag_init(&diags, arena);
    bench_must(cql_plan_create(arena, libraries, &options, &diags, &measure.plan, &err), &err);
    for (size_t i = 0; i < COUNT_OF(populations); i++) {
        size_t definition;
        if (cql_plan_find(measure.plan, library, populations[i], &definition) &&
            cql_plan_definition(measure.plan, definition)->is_usable) {
            measure.names[measure.count] = populations[i];
            measure.definitions[measure.count++] = definition;
        }
    }
    return measure;
}

typedef struct {
    size_t truths;
    size_t failures;
} Answers;

static void ask(CqlEval *eval, const Measure *measure, Record record, Answers *answers)
{
    Error err = {0};
    CqlValue value;
    cql_eval_begin(eval, record);
    for (size_t i = 0; i < measure->count; i++) {
        if (cql_eval_definition(eval, measure->definitions[i], &value, &err) == ERR_OK)
            answers->truths += cql_value_is_true(value);
        else if (answers->failures++ == 0)
            (void)fprintf(stderr, "%s\n", err.message);
    }
}

/* A case's resources of no person, such as Medications, are filed with its patient. */
static void add_patients(Fixture *fixture, const Cases *cases)
{
    for (size_t i = 0; i < PATIENTS; i++) {
        fixture->owner = cases->patient_ids[i];
        fixture_add_padded(fixture, cases->texts[i], S("patients"));
    }
}

/* Each patient by itself from text to answers: what a service that is handed a patient does. The
   concept dictionary and the plan are there from before, as codes that no library names do not
   matter. */
static double seconds_from_text(Cases *cases, const CqlLibraries *libraries, const ValueSets *sets)
{
    Error err = {0};
    Answers answers = {0};
    Arena *arena = arena_create(1 << 20);
    double start = bench_seconds();
    Fixture fixture;
    fixture_init(&fixture, arena);
    add_patients(&fixture, cases);
    if (!fixture_finish(&fixture, &err))
        bench_must(err.code, &err);
    Measure measure = make_measure(arena, libraries, cases->measure, sets, fixture.dict);
    CqlEval *eval = cql_eval_create(measure.plan);
    for (uint32_t row = 0; row < fixture.batch->person_count; row++)
        ask(eval, &measure, (Record){.batch = fixture.batch, .row = row}, &answers);
    double seconds = bench_seconds() - start;
    cql_eval_destroy(eval);
    arena_destroy(arena);
    return seconds;
}

static double seconds_from_records(const Measure *measure, const RecordBatch *batch,
                                   Answers *answers)
{
    CqlEval *eval = cql_eval_create(measure->plan);
    double start = bench_seconds();
    for (uint32_t row = 0; row < batch->person_count; row++)
        ask(eval, measure, (Record){.batch = batch, .row = row}, answers);
    double seconds = bench_seconds() - start;
    cql_eval_destroy(eval);
    return seconds;
}

static void print_peer_patient(FILE *out, CqlEval *eval, const Measure *measure, Record record)
{
    Error err = {0};
    CqlValue value;
    Str id = record_person_id(record);
    fprintf(out, "#patient\t%.*s\t", STR_ARG(id));
    cql_eval_begin(eval, record);
    for (size_t i = 0; i < measure->count; i++) {
        bench_must(cql_eval_definition(eval, measure->definitions[i], &value, &err), &err);
        (void)fputc(cql_value_is_true(value) ? '1' : '0', out);
    }
    (void)fputc('\n', out);
}

/* Patients and answers to the script beside, which fails where its own answers differ. */
static void run_peer(const Cases *cases, const Measure *measure, const RecordBatch *batch,
                     Str label, double rate)
{
    Map rows;
    map_init(&rows, cases->arena);
    for (uint32_t row = 0; row < batch->person_count; row++)
        map_put(&rows, record_person_id((Record){.batch = batch, .row = row}), row);
    Str command = str_format(cases->arena, "node bench/library_peers.mjs '%.*s' %.*s %.*s",
                             STR_ARG(cases->ig), STR_ARG(cases->measure), STR_ARG(label));
    /* NOLINTNEXTLINE(cert-env33-c): a fixed command of this repository */
    FILE *out = popen(str_to_c(cases->arena, command), "w");
    if (out == NULL)
        exit(1);
    fprintf(out, "#rate\t%.0f\n#populations", rate);
    for (size_t i = 0; i < measure->count; i++)
        fprintf(out, "\t%.*s", STR_ARG(measure->names[i]));
    (void)fputc('\n', out);
    CqlEval *eval = cql_eval_create(measure->plan);
    for (size_t i = 0; i < PEER_PATIENTS; i++) {
        uint64_t row;
        if (!map_find(&rows, cases->patient_ids[i], &row))
            continue; /* refused */
        print_peer_patient(out, eval, measure, (Record){.batch = batch, .row = (uint32_t)row});
        fprintf(out, "%.*s\n", STR_ARG(cases->texts[i]));
    }
    cql_eval_destroy(eval);
    if (pclose(out) != 0) {
        printf("cql-execution's answers differ, or it failed\n");
        exit(1);
    }
}

static void measure_library(Arena *arena, Str ig, const CqlLibraries *libraries,
                            const ValueSets *sets, Str name)
{
    Error err = {0};
    Answers answers = {0};
    Cases cases = {.arena = arena, .ig = ig, .measure = name};
    read_cases(&cases);
    Fixture fixture;
    fixture_init(&fixture, arena);
    add_patients(&fixture, &cases);
    if (!fixture_finish(&fixture, &err))
        bench_must(err.code, &err);
    double start = bench_seconds();
    Measure measure = make_measure(arena, libraries, name, sets, fixture.dict);
    Str label = str_slice(name, 0, str_find(name, S("FHIR")));
    const char *text = str_to_c(arena, label);
    bench_figure(str_to_c(arena, str_format(arena, "library %s: plan", text)),
                 (bench_seconds() - start) * 1e3, "ms");
    printf("%s: %u patients, %.0f bytes each, %zu populations\n", text, fixture.batch->person_count,
           (double)cases.bytes / PATIENTS, measure.count);
    double rate = 0;
    for (size_t run = 0; run < bench_runs(); run++) {
        answers = (Answers){0};
        double seconds = seconds_from_records(&measure, fixture.batch, &answers);
        bench_figure(str_to_c(arena, str_format(arena, "library %s: from records", text)),
                     fixture.batch->person_count / seconds, "patients/s");
        rate = PATIENTS / seconds_from_text(&cases, libraries, sets);
        bench_figure(str_to_c(arena, str_format(arena, "library %s: from JSON text", text)), rate,
                     "patients/s");
    }
    printf("%s: %zu true, %zu failed\n", text, answers.truths, answers.failures);
    if (getenv("BENCH_NO_NODE") == NULL)
        run_peer(&cases, &measure, fixture.batch, label, rate);
}

int main(int argc, char **argv)
{
    Arena *arena = arena_create(1 << 20);
    Str ig = ig_folder(arena, argc, argv);
    ValueSets *sets = read_value_sets(arena, ig);
    CqlLibraries *libraries = read_libraries(arena, ig);
    static const Str names[] = {STR_INIT("CMS122FHIRDiabetesAssessGreaterThan9Percent"),
                                STR_INIT("CMS165FHIRControllingHighBloodPressure"),
                                STR_INIT("CMS130FHIRColorectalCancerScreening"),
                                STR_INIT("CMS2FHIRPCSDepressionScreenAndFollowUp")};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        measure_library(arena, ig, libraries, sets, names[i]);
    arena_destroy(arena);
    return 0;
}

/* The cases of a content guide: found in its folders and read into one batch of records. */
#include "base/io.h"
#include "base/json_index.h"
#include "measure/check.h"

enum { FOLDER_DEPTH_MAX = 8 };

typedef struct {
    Arena *arena;
    const MeasureContent *content;
    DiagList *diags;
    Str wanted;
    Str wanted_name;
    ConceptBuilder *concepts;
    FhirReader *reader;
    Vec(RecordInput) inputs;
    MeasureCaseVec cases;
    Str report_file;
    const JsonValue *report; /* of the case in hand */
    Str key;                 /* its person's id in the batch */
    bool has_patient;
} CaseReader;

static void finding(CaseReader *reader, Severity severity, Str file, const char *rule, Str text)
{
    diag_add(reader->diags,
             &(Diag){.severity = severity, .file = file, .rule = str_from_c(rule), .text = text});
}

/* --- the resources of a case --- */

static bool is_report(const FhirParsed *parsed)
{
    if (parsed->facts.type == FHIR_TYPE_MeasureReport)
        return true;
    /* A report that is not valid FHIR may still say what is expected. */
    return parsed->is_refused &&
           str_find(str_slice(parsed->source_text, 0, 2000), S("\"MeasureReport\"")) != SIZE_MAX;
}

static void take_report(CaseReader *reader, const FhirParsed *parsed, Str file)
{
    JsonValue *report;
    Error err = {0};
    Str text = str_copy(reader->arena, parsed->source_text);
    if (json_parse(reader->arena, text, &report, &err) != ERR_OK) {
        finding(reader, SEVERITY_ERROR, file, "measure-case", str_from_c(err.message));
        return;
    }
    if (!str_eq(json_find_text(report, S("resourceType")), S("MeasureReport")))
        return;
    if (reader->report != NULL) {
        finding(reader, SEVERITY_WARNING, file, "measure-case",
                S("a second MeasureReport in one case; the first counts"));
        return;
    }
    reader->report = report;
    reader->report_file = file;
}

static void take_resource(CaseReader *reader, const FhirParsed *parsed)
{
    RecordInput input = {.facts = parsed->facts,
                         .tape = arena_copy(reader->arena, parsed->tape, parsed->tape_size),
                         .tape_size = parsed->tape_size,
                         .source = reader->inputs.count};
    input.facts.id = str_copy(reader->arena, parsed->facts.id);
    input.facts.patient_id = reader->key;
    input.facts.is_shared = false;
    reader->has_patient |= parsed->facts.type == FHIR_TYPE_Patient;
    VEC_PUSH(reader->arena, &reader->inputs, input);
}

static void read_text(CaseReader *reader, Str text, Str file)
{
    fhir_reader_begin(reader->reader, text, file, 1, reader->diags);
    FhirParsed parsed;
    while (fhir_reader_next(reader->reader, &parsed)) {
        if (is_report(&parsed))
            take_report(reader, &parsed, file);
        else if (!parsed.is_refused)
            take_resource(reader, &parsed);
    }
}

static void read_file(CaseReader *reader, Str path)
{
    Arena *scratch = arena_create(0);
    Str text;
    Error err = {0};
    if (io_read_file(scratch, path, LIMIT_RESOURCE_BYTES, &text, &err) != ERR_OK)
        finding(reader, SEVERITY_ERROR, path, "measure-unreadable", str_from_c(err.message));
    else
        read_text(reader, text, path);
    arena_destroy(scratch);
}

/* Whether the file is a Bundle: guides keep one beside the single resources that it holds. */
static bool is_bundle(Str path)
{
    char head[4096];
    IoFile file = IO_FILE_CLOSED;
    size_t size = 0;
    if (io_open_read(path, &file, NULL) != ERR_OK)
        return false;
    if (io_read(&file, head, sizeof head, &size, NULL) != ERR_OK)
        size = 0;
    io_close_cleanup(&file);
    Str text = {.ptr = head, .len = size};
    size_t at = str_find(text, S("\"Bundle\""));
    return at != SIZE_MAX && str_find(str_slice(text, 0, at), S("\"entry\"")) == SIZE_MAX;
}

static void list_json(CaseReader *reader, Str path, int depth,
                      IoNames *files) /* NOLINT(misc-no-recursion) */
{
    IoNames names = {0};
    Error err = {0};
    if (depth > FOLDER_DEPTH_MAX || io_list_dir(reader->arena, path, &names, &err) != ERR_OK)
        return;
    VEC_FOREACH (Str, name, &names) {
        Str file = io_join(reader->arena, path, *name);
        if (name->ptr[0] == '.')
            continue;
        if (io_is_dir(file))
            list_json(reader, file, depth + 1, files);
        else if (str_ends_with(*name, S(".json")))
            VEC_PUSH(reader->arena, files, file);
    }
}

static void read_files(CaseReader *reader, const IoNames *files)
{
    bool has_bundle = false;
    for (size_t i = 0; i < files->count; i++)
        has_bundle |= is_bundle(files->items[i]);
    for (size_t i = 0; i < files->count; i++)
        if (!has_bundle || is_bundle(files->items[i]))
            read_file(reader, files->items[i]);
}

/* --- cases --- */

static Str without_version(Str canonical)
{
    Str url;
    (void)str_split_next(&canonical, '|', &url);
    return url;
}

/* By the folder's name, else by what the report says. */
static const Measure *find_measure(const CaseReader *reader, Str folder, Str canonical)
{
    const Measure *found = measure_content_find(reader->content, folder);
    if (found == NULL && !str_is_empty(canonical))
        found = measure_content_find(reader->content, canonical);
    if (found == NULL && !str_is_empty(canonical)) {
        Str url = without_version(canonical);
        found = measure_content_find(reader->content, url);
        size_t from = url.len;
        while (from > 0 && url.ptr[from - 1] != '/')
            from--;
        if (found == NULL)
            found = measure_content_find(reader->content, str_slice(url, from, url.len));
    }
    return found;
}

static bool is_wanted(const CaseReader *reader, Str folder, const Measure *measure)
{
    if (str_is_empty(reader->wanted) || str_eq(reader->wanted, folder))
        return true;
    return measure != NULL && measure == measure_content_find(reader->content, reader->wanted);
}

static void finish_case(CaseReader *reader, Str folder, Str name, size_t first_input)
{
    MeasureCase each = {.name = name, .file = reader->report_file, .expected = reader->report};
    Str canonical = json_find_text(reader->report, S("measure"));
    each.measure = find_measure(reader, folder, canonical);
    each.measure_name = each.measure != NULL ? measure_name(each.measure) : folder;
    if (!is_wanted(reader, folder, each.measure) || reader->report == NULL) {
        reader->inputs.count = first_input;
        if (reader->report == NULL && is_wanted(reader, folder, each.measure))
            finding(reader, SEVERITY_WARNING, name, "measure-case",
                    str_format(reader->arena,
                               "%.*s: the case has no MeasureReport that says what "
                               "is expected",
                               STR_ARG(folder)));
        return;
    }
    const JsonValue *period = json_find(reader->report, S("period"));
    each.period = (MeasurePeriod){.start = json_find_text(period, S("start")),
                                  .end = json_find_text(period, S("end"))};
    each.is_usable = reader->has_patient && measure_period_check(each.period);
    if (!reader->has_patient)
        finding(reader, SEVERITY_ERROR, each.file, "measure-case", S("the case has no Patient"));
    else if (!each.is_usable)
        finding(reader, SEVERITY_ERROR, each.file, "measure-period",
                S("the expected report has no period with a start and an end"));
    if (each.measure == NULL)
        finding(reader, SEVERITY_ERROR, each.file, "measure-case",
                str_format(reader->arena, "there is no measure \"%.*s\"", STR_ARG(folder)));
    if (!each.is_usable)
        reader->inputs.count = first_input;
    VEC_PUSH(reader->arena, &reader->cases, each);
}

static void read_case(CaseReader *reader, Str folder, Str name, const IoNames *files)
{
    size_t first = reader->inputs.count;
    reader->report = NULL;
    reader->report_file = files->count > 0 ? files->items[0] : name;
    reader->has_patient = false;
    reader->key = str_format(reader->arena, "%zu", reader->cases.count);
    read_files(reader, files);
    finish_case(reader, folder, name, first);
}

/* A folder of one measure: each folder in it is a case, and each Bundle. */
static void read_measure(CaseReader *reader, Str path, Str folder)
{
    IoNames names = {0};
    Error err = {0};
    if (!is_wanted(reader, folder, measure_content_find(reader->content, folder)))
        return;
    if (io_list_dir(reader->arena, path, &names, &err) != ERR_OK) {
        finding(reader, SEVERITY_ERROR, path, "measure-unreadable", str_from_c(err.message));
        return;
    }
    VEC_FOREACH (Str, name, &names) {
        Str file = io_join(reader->arena, path, *name);
        IoNames files = {0};
        if (name->ptr[0] == '.' || !str_starts_with(*name, reader->wanted_name))
            continue;
        if (io_is_dir(file))
            list_json(reader, file, 0, &files);
        else if (str_ends_with(*name, S(".json")) && is_bundle(file))
            VEC_PUSH(reader->arena, &files, file);
        if (files.count > 0)
            read_case(reader, folder, *name, &files);
    }
}

/* bundles/measure/<name>/<name>-files/tests-<case>-bundle.json */
static void read_bundles(CaseReader *reader, Str path)
{
    IoNames names = {0};
    Error err = {0};
    if (io_list_dir(reader->arena, path, &names, &err) != ERR_OK)
        return;
    VEC_FOREACH (Str, name, &names) {
        IoNames files = {0};
        list_json(reader, io_join(reader->arena, path, *name), 0, &files);
        VEC_FOREACH (Str, file, &files) {
            size_t from = file->len;
            while (from > 0 && file->ptr[from - 1] != '/')
                from--;
            Str base = str_slice(*file, from, file->len);
            if (!str_starts_with(base, S("tests-")) ||
                !str_starts_with(str_slice(base, 6, base.len), reader->wanted_name))
                continue;
            IoNames one = {.items = file, .count = 1, .capacity = 1};
            Str title = str_slice(base, 6, base.len - 6);
            size_t end = str_find(title, S("-bundle.json"));
            read_case(reader, *name, end == SIZE_MAX ? title : str_slice(title, 0, end), &one);
        }
    }
}

static void read_folders(CaseReader *reader, Str path)
{
    IoNames names = {0};
    Error err = {0};
    if (io_list_dir(reader->arena, path, &names, &err) != ERR_OK)
        return;
    VEC_FOREACH (Str, name, &names) {
        Str folder = io_join(reader->arena, path, *name);
        if (name->ptr[0] != '.' && !str_eq(*name, S("measure")) && io_is_dir(folder))
            read_measure(reader, folder, *name);
    }
}

/* --- the batch --- */

static ErrorCode build(CaseReader *reader, MeasureCases *cases, Error *err)
{
    const ConceptId *renumber;
    cases->cases = reader->cases;
    cases->dict = concept_builder_finish(reader->concepts, reader->arena, &renumber);
    RecordBuilderOptions options = {
        .dict = cases->dict, .renumber = renumber, .keeps_repeated = true};
    RecordBuilder *builder = record_builder_create(reader->arena, &options);
    VEC_FOREACH (RecordInput, input, &reader->inputs)
        record_builder_add(builder, input);
    RecordBatch *batch;
    ErrorCode code = record_builder_finish(builder, &batch, err);
    if (code != ERR_OK)
        return code;
    cases->batch = batch;
    for (size_t i = 0; i < cases->cases.count; i++) {
        MeasureCase *each = &cases->cases.items[i];
        each->is_usable =
            each->is_usable && record_find(batch, str_format(reader->arena, "%zu", i), &each->row);
    }
    return ERR_OK;
}

ErrorCode measure_cases_read(Arena *arena, const MeasureCasesWanted *wanted,
                             const MeasureContent *content, DiagList *diags,
                             MeasureCases *ret_cases, Error *err)
{
    CaseReader reader = {.arena = arena,
                         .content = content,
                         .diags = diags,
                         .wanted = wanted->measure,
                         .wanted_name = wanted->name,
                         .concepts = concept_builder_create()};
    reader.reader =
        fhir_reader_create(reader.concepts, &(FhirReaderOptions){.split_bundles = true,
                                                                 .resolve_urns = true,
                                                                 .accepts_local_times = true});
    Str tests = io_join(arena, wanted->ig, S("input/tests"));
    if (!io_is_dir(tests))
        tests = io_join(arena, wanted->ig, S("tests"));
    read_folders(&reader, io_join(arena, tests, S("measure")));
    read_folders(&reader, tests);
    if (reader.cases.count == 0)
        read_bundles(&reader, io_join(arena, wanted->ig, S("bundles/measure")));
    fhir_reader_destroy(reader.reader);
    MeasureCases cases = {0};
    ErrorCode code = build(&reader, &cases, err);
    concept_builder_destroy(reader.concepts);
    if (code == ERR_OK)
        *ret_cases = cases;
    return code;
}

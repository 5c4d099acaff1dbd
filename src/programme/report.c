/*
 * The report: one HTML page with the figures and, up to a number of persons, all that is behind
 * them. The page itself (report/page.html, style.css, report.js) is embedded when Braid is built;
 * here its data are written, as one JSON document that the page's script reads.
 */
#include "programme/programme_int.h"
#include "report_page.h"

enum { DETAIL_ROWS_A_PERSON = 8, FINDINGS_IN_REPORT = 200, ENCOUNTERS_A_PERSON = 200 };

/* --- persons --- */

typedef struct {
    Run *run;
    JsonWriter *json;
    Arena *scratch; /* of one person */
    CqlEval *eval;
    size_t written;
    bool are_on_registers; /* those are written first, then the others */
    Map organisations;     /* of encounters, by id: their number in the order of first use */
} PersonWriter;

static void write_answer(PersonWriter *writer, const EvidenceVec *evidence)
{
    json_array_begin(writer->json);
    VEC_FOREACH (Evidence, each, evidence) {
        json_array_begin(writer->json);
        json_str(writer->json, each->definition);
        json_str(writer->json, each->value);
        json_str(writer->json, each->resource);
        json_str(writer->json,
                 each->day == DAY_NONE ? S("") : day_format(writer->scratch, each->day));
        json_array_end(writer->json);
    }
    json_array_end(writer->json);
}

static ErrorCode write_answers(PersonWriter *writer, size_t partition, Record record, Error *err)
{
    const MeasureResults *measures = writer->run->measures;
    MeasureAsk ask = {.arena = writer->scratch, .plan = writer->run->plan, .eval = writer->eval};
    ErrorCode code = ERR_OK;
    json_array_begin(writer->json);
    for (size_t i = 0; i < measure_results_spec(measures)->indicator_count; i++) {
        if (!measure_is_in(measures, POPULATION_DENOMINATOR, i, partition, record.row))
            continue;
        EvidenceVec evidence = {0};
        code = measure_evidence(&ask, i, record, &evidence, err);
        if (code != ERR_OK)
            return code;
        int64_t status =
            measure_is_in(measures, POPULATION_GAP, i, partition, record.row)         ? 1
            : measure_is_in(measures, POPULATION_EXCLUSION, i, partition, record.row) ? 2
            : measure_is_in(measures, POPULATION_EXCEPTION, i, partition, record.row) ? 3
                                                                                      : 0;
        json_array_begin(writer->json);
        json_int(writer->json, (int64_t)i);
        json_int(writer->json, status);
        write_answer(writer, &evidence);
        json_array_end(writer->json);
    }
    json_array_end(writer->json);
    return ERR_OK;
}

/* Why the person is on each of their registers. */
static ErrorCode write_reasons(PersonWriter *writer, size_t partition, Record record, Error *err)
{
    const MeasureResults *measures = writer->run->measures;
    MeasureAsk ask = {.arena = writer->scratch, .plan = writer->run->plan, .eval = writer->eval};
    json_array_begin(writer->json);
    for (size_t i = 0; i < measure_results_spec(measures)->register_count; i++) {
        if (!measure_is_in(measures, POPULATION_REGISTER, i, partition, record.row))
            continue;
        EvidenceVec evidence = {0};
        ErrorCode code = measure_register_evidence(&ask, i, record, &evidence, err);
        if (code != ERR_OK)
            return code;
        write_answer(writer, &evidence);
    }
    json_array_end(writer->json);
    return ERR_OK;
}

/* The encounters that could say whose person this is, by date: [id, date, organisation]. */
static void write_encounters(PersonWriter *writer, Record record)
{
    const Programme *programme = writer->run->programme;
    RecordSlice slice = record_slice(record, FHIR_TYPE_Encounter);
    int32_t first = day_add_months(programme->measures.period_first,
                                   programme->has_attribution ? -programme->attribution.months : 0);
    size_t written = 0;
    json_array_begin(writer->json);
    for (uint32_t i = 0; i < slice.count && slice.days != NULL && slice.orgs != NULL; i++) {
        if (slice.days[i] == DAY_NONE || slice.days[i] < first ||
            slice.days[i] > programme->measures.period_last || slice.orgs[i] == CONCEPT_NONE ||
            written++ >= ENCOUNTERS_A_PERSON)
            continue;
        FhirNode encounter = record_resource(record, slice, FHIR_TYPE_Encounter, i);
        Str id = concept_dict_name(store_dict(writer->run->store), slice.orgs[i]).code;
        bool is_new;
        json_array_begin(writer->json);
        json_str(writer->json, fhir_text(fhir_child_named(encounter, S("id")), writer->scratch));
        json_str(writer->json, day_format(writer->scratch, slice.days[i]));
        json_int(writer->json, (int64_t)map_intern(&writer->organisations, id, 0, &is_new));
        json_array_end(writer->json);
    }
    json_array_end(writer->json);
}

/* [id, sex, age, practice, [registers], [[indicator, status, [evidence]]], [[evidence]],
   [encounters]] */
static ErrorCode write_person(PersonWriter *writer, size_t partition, Record record, Error *err)
{
    Run *run = writer->run;
    JsonWriter *json = writer->json;
    int32_t last = run->programme->measures.period_last;
    int32_t birth = record.batch->birth_days[record.row];
    uint32_t practice = practice_of(run->practices, partition, record.row);
    json_array_begin(json);
    json_str(json, record_person_id(record));
    json_int(json, (int64_t)member_sex(record));
    if (birth == DAY_NONE)
        json_null(json);
    else
        json_int(json, day_age_years(birth, last));
    json_int(json, practice == PRACTICE_NONE ? -1 : (int64_t)practice);
    json_array_begin(json);
    for (size_t i = 0; i < measure_results_spec(run->measures)->register_count; i++)
        if (measure_is_in(run->measures, POPULATION_REGISTER, i, partition, record.row))
            json_int(json, (int64_t)i);
    json_array_end(json);
    ErrorCode code = write_answers(writer, partition, record, err);
    if (code == ERR_OK)
        code = write_reasons(writer, partition, record, err);
    write_encounters(writer, record);
    json_array_end(json);
    return code;
}

static bool is_on_a_register(const Run *run, size_t partition, uint32_t row)
{
    for (size_t i = 0; i < measure_results_spec(run->measures)->register_count; i++)
        if (measure_is_in(run->measures, POPULATION_REGISTER, i, partition, row))
            return true;
    return false;
}

static ErrorCode write_partition_persons(PersonWriter *writer, size_t partition, Error *err)
{
    const RecordBatch *batch;
    ErrorCode code = store_batch(writer->run->store, partition, &batch, err);
    for (uint32_t row = 0; code == ERR_OK && row < batch->person_count; row++) {
        if (writer->written == writer->run->options->report_persons)
            break;
        if (is_on_a_register(writer->run, partition, row) != writer->are_on_registers)
            continue;
        writer->written++;
        code = write_person(writer, partition, (Record){.batch = batch, .row = row}, err);
        arena_reset(writer->scratch);
    }
    return code;
}

/* [id, name] */
static void write_organisation(Run *run, JsonWriter *json, Str id)
{
    const ConceptDict *dict = store_dict(run->store);
    json_array_begin(json);
    json_str(json, id);
    json_str(json, organisation_name(practice_organisations(run->practices),
                                     concept_dict_find(dict, S("Organization"), id)));
    json_array_end(json);
}

static ErrorCode write_persons(Run *run, JsonWriter *json, Error *err)
{
    PersonWriter writer = {
        .run = run, .json = json, .scratch = arena_create(0), .are_on_registers = true};
    map_init(&writer.organisations, run->arena);
    writer.eval = cql_eval_create(run->cql);
    json_key(json, S("persons"));
    json_object_begin(json);
    json_key(json, S("rows"));
    json_array_begin(json);
    ErrorCode code = ERR_OK;
    size_t partitions = store_partition_count(run->store);
    for (size_t i = 0; code == ERR_OK && i < partitions; i++)
        code = write_partition_persons(&writer, i, err);
    writer.are_on_registers = false;
    for (size_t i = 0; code == ERR_OK && i < partitions; i++)
        code = write_partition_persons(&writer, i, err);
    json_array_end(json);
    json_member_int(json, S("total"), (int64_t)store_info(run->store)->persons);
    json_key(json, S("organisations"));
    json_array_begin(json);
    for (size_t i = 0; i < writer.organisations.count; i++)
        write_organisation(run, json, writer.organisations.entries[i].key);
    json_array_end(json);
    json_object_end(json);
    cql_eval_destroy(writer.eval);
    arena_destroy(writer.scratch);
    return code;
}

/* --- measures --- */

static void write_measures(Run *run, JsonWriter *json)
{
    const MeasureSpec *spec = measure_results_spec(run->measures);
    const StoreInfo *info = store_info(run->store);
    json_key(json, S("measure"));
    json_object_begin(json);
    json_member_int(json, S("persons"), (int64_t)info->persons);
    json_member_int(json, S("resources"), (int64_t)info->resources);
    write_registers_and_indicators(run, json);
    json_object_end(json);
    json_key(json, S("closes"));
    json_array_begin(json);
    for (size_t i = 0; i < spec->indicator_count; i++)
        json_str(json, spec->indicators[i].closes);
    json_array_end(json);
    json_key(json, S("types"));
    json_object_begin(json);
    for (size_t type = 0; type < FHIR_RESOURCE_TYPE_LIMIT; type++)
        if (info->by_type[type] > 0)
            json_member_int(json, fhir_type_name((uint16_t)type), (int64_t)info->by_type[type]);
    json_object_end(json);
}

/* --- payments --- */

static void write_lines(Run *run, JsonWriter *json)
{
    const Contract *contract = run->programme->contract;
    json_key(json, S("lines"));
    json_array_begin(json);
    for (size_t i = 0; i < run->settled->line_count; i++) {
        const SettleLine *line = &run->settled->lines[i];
        json_array_begin(json);
        json_str(json, line->practice);
        json_int(json, line->clause - contract->clauses);
        json_str(json, line->period);
        json_int(json, line->quantity);
        json_int(json, line->amount_minor);
        json_int(json, line->cell);
        json_str(json, line->indicator);
        json_str(json, line->reason);
        json_str(json, line->detail);
        json_array_end(json);
    }
    json_array_end(json);
}

static void write_clauses(Run *run, JsonWriter *json)
{
    const Contract *contract = run->programme->contract;
    json_key(json, S("clauses"));
    json_array_begin(json);
    for (size_t i = 0; i < contract->clause_count; i++) {
        StrBuf words;
        strbuf_init(&words, run->arena, 0);
        contract_explain_clause(contract, i, &words);
        json_object_begin(json);
        json_member_str(json, S("id"), contract->clauses[i].id);
        json_member_str(json, S("title"), contract->clauses[i].title);
        json_member_str(json, S("words"), str_trim(strbuf_str(&words)));
        json_object_end(json);
    }
    json_array_end(json);
    json_key(json, S("currency"));
    json_object_begin(json);
    json_member_str(json, S("code"), str_from_c(contract->currency.code));
    json_member_int(json, S("digits"), contract->currency.digits);
    json_object_end(json);
}

/* The sections of detail files as [practice, clause, [rows]]. A row is JSON that settle has just
   written and is taken as it is, as long as the page has room. */
typedef struct {
    JsonWriter *json;
    bool in_section;
    size_t left; /* rows that may still be written */
} DetailWriter;

static void end_section(DetailWriter *writer)
{
    if (!writer->in_section)
        return;
    json_array_end(writer->json);
    json_array_end(writer->json);
    writer->in_section = false;
}

static ErrorCode write_detail_line(DetailWriter *writer, Arena *arena, Str line, Error *err)
{
    if (!str_starts_with(line, S("{\"contract\":"))) {
        if (writer->in_section && writer->left > 0) {
            json_raw(writer->json, line);
            writer->left--;
        }
        return ERR_OK;
    }
    end_section(writer);
    JsonValue *head;
    ErrorCode code = json_parse(arena, line, &head, err);
    if (code != ERR_OK)
        return code;
    json_array_begin(writer->json);
    json_str(writer->json, json_find_text(head, S("practice")));
    json_str(writer->json, json_find_text(head, S("clause")));
    json_array_begin(writer->json);
    writer->in_section = true;
    return ERR_OK;
}

static ErrorCode write_detail_file(Run *run, DetailWriter *writer, Str name, Error *err)
{
    Arena *arena = arena_create(0);
    Str path = str_format(arena, "%.*s/settle/details/%.*s.ndjson", STR_ARG(run->settled_out),
                          STR_ARG(name));
    Str text;
    ErrorCode code = io_read_file(arena, path, SIZE_MAX, &text, err);
    Str line;
    while (code == ERR_OK && str_split_next(&text, '\n', &line))
        if (!str_is_empty(line))
            code = write_detail_line(writer, arena, line, err);
    end_section(writer);
    arena_destroy(arena);
    return code;
}

static ErrorCode write_details(Run *run, JsonWriter *json, Error *err)
{
    DetailWriter writer = {.json = json,
                           .left = run->options->report_persons * DETAIL_ROWS_A_PERSON};
    Map seen;
    map_init(&seen, run->arena);
    ErrorCode code = ERR_OK;
    json_key(json, S("details"));
    json_array_begin(json);
    for (size_t i = 0; code == ERR_OK && i < run->settled->line_count; i++) {
        bool is_new = false;
        (void)map_intern(&seen, run->settled->lines[i].detail, 0, &is_new);
        if (is_new && writer.left > 0)
            code = write_detail_file(run, &writer, run->settled->lines[i].detail, err);
    }
    json_array_end(json);
    return code;
}

/* --- findings and the page --- */

static bool findings_of(Run *run, Str *ret_text)
{
    Str path = str_format(run->arena, "%.*s/stages/load.findings", STR_ARG(run->options->out));
    return io_read_file(run->arena, path, 0, ret_text, NULL) == ERR_OK;
}

static void write_findings(Run *run, JsonWriter *json)
{
    Str text = {0};
    Str line;
    int64_t count = 0;
    json_key(json, S("findings"));
    json_array_begin(json);
    if (findings_of(run, &text))
        while (str_split_next(&text, '\n', &line))
            if (!str_is_empty(line) && count++ < FINDINGS_IN_REPORT)
                json_raw(json, line);
    json_array_end(json);
    json_member_int(json, S("findings_count"), count);
}

static void write_stage(Run *run, JsonWriter *json, Stage stage)
{
    json_key(json, stage_name(stage));
    if (str_is_empty(run->results[stage]))
        json_null(json);
    else
        json_raw(json, run->results[stage]);
}

/* A document that was read, written again. Its depth was limited when it was read. */
static void write_value(JsonWriter *json, const JsonValue *value)
{
    switch (value->kind) {
    case JSON_OBJECT:
        json_object_begin(json);
        for (size_t i = 0; i < value->count; i++) {
            json_key(json, value->items[i].key);
            write_value(json, &value->items[i]);
        }
        json_object_end(json);
        break;
    case JSON_ARRAY:
        json_array_begin(json);
        for (size_t i = 0; i < value->count; i++)
            write_value(json, &value->items[i]);
        json_array_end(json);
        break;
    case JSON_STRING:
        json_str(json, value->text);
        break;
    case JSON_NUMBER:
        json_raw(json, value->text);
        break;
    case JSON_BOOL:
        json_bool(json, value->boolean);
        break;
    case JSON_NULL:
    default:
        json_null(json);
    }
}

/* What came of settling, without what that very run posted: settling the same again posts
   nothing, and is to give the same page. */
static ErrorCode write_settlement(Run *run, JsonWriter *json, Error *err)
{
    JsonValue *settle;
    Str text = run->results[STAGE_SETTLE];
    json_key(json, S("settle"));
    if (str_is_empty(text)) {
        json_null(json);
        return ERR_OK;
    }
    ErrorCode code = json_parse(run->arena, text, &settle, err);
    if (code != ERR_OK)
        return code;
    json_object_begin(json);
    for (size_t i = 0; i < settle->count; i++)
        if (!str_eq(settle->items[i].key, S("posting"))) {
            json_key(json, settle->items[i].key);
            write_value(json, &settle->items[i]);
        }
    json_object_end(json);
    return ERR_OK;
}

static ErrorCode write_data(Run *run, JsonWriter *json, Error *err)
{
    const Programme *programme = run->programme;
    json_object_begin(json);
    json_key(json, S("programme"));
    json_object_begin(json);
    json_member_str(json, S("id"), programme->id);
    json_member_str(json, S("title"), programme->title);
    json_member_str(json, S("version"), programme->version);
    json_member_str(json, S("from"), day_format(run->arena, programme->measures.period_first));
    json_member_str(json, S("to"), day_format(run->arena, programme->measures.period_last));
    json_object_end(json);
    write_stage(run, json, STAGE_LOAD);
    write_measures(run, json);
    write_practices_compact(run, json);
    ErrorCode code = write_persons(run, json, err);
    if (code == ERR_OK && run->settled != NULL)
        code = write_settlement(run, json, err);
    if (code == ERR_OK && run->settled != NULL) {
        write_clauses(run, json);
        write_lines(run, json);
        code = write_details(run, json, err);
    }
    write_findings(run, json);
    json_object_end(json);
    return code;
}

static void add_escaped(StrBuf *out, Str text)
{
    for (size_t i = 0; i < text.len; i++)
        switch (text.ptr[i]) {
        case '&':
            strbuf_add(out, S("&amp;"));
            break;
        case '<':
            strbuf_add(out, S("&lt;"));
            break;
        case '>':
            strbuf_add(out, S("&gt;"));
            break;
        default:
            strbuf_add_char(out, text.ptr[i]);
        }
}

static Str bytes(const unsigned char *data, size_t size)
{
    return (Str){.ptr = (const char *)data, .len = size};
}

void report_digest_page(InputDigest *digest)
{
    input_digest_text(digest, bytes(report_head, sizeof report_head));
    input_digest_text(digest, bytes(report_middle, sizeof report_middle));
    input_digest_text(digest, bytes(report_tail, sizeof report_tail));
}

ErrorCode stage_report(Run *run, Str *ret_json, Error *err)
{
    const ProgrammeOptions *options = run->options;
    ErrorCode code = run_need_measures(run, err);
    if (code == ERR_OK)
        code = run_need_practices(run, err);
    if (code == ERR_OK)
        code = run_need_settled(run, err);
    if (code != ERR_OK)
        return code;
    StrBuf page;
    strbuf_init(&page, run->arena, 0);
    strbuf_add(&page, bytes(report_head, sizeof report_head));
    add_escaped(&page, run->programme->title);
    strbuf_add(&page, bytes(report_middle, sizeof report_middle));
    JsonWriter json;
    json_writer_init(&json, &page, false);
    progress_begin(options->progress, S("report"), 1, S("page"));
    code = write_data(run, &json, err);
    strbuf_add(&page, bytes(report_tail, sizeof report_tail));
    if (code == ERR_OK && page.overflowed)
        code = error_set(err, ERR_LIMIT, "the report would be larger than a page may be");
    if (code == ERR_OK)
        code = io_replace_file(io_join(run->arena, options->out, S("report.html")),
                               strbuf_str(&page), err);
    if (code != ERR_OK)
        return code;
    progress_add(options->progress, 1);
    progress_end(options->progress);
    if (!str_eq(run->settled_out, options->out) && run->settled != NULL)
        code = io_remove_tree(run->settled_out, err);
    *ret_json = str_format(run->arena, "{\"bytes\":%zu}", page.len);
    return code;
}

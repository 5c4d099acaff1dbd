/*
 * Detail files: the persons behind each practice and clause, and their count by line.
 *
 * A file holds the sections of one or more buckets, so that a run with thousands of practices syncs
 * tens of files. A section is a header row, then a row a fact; its own digest is the version of the
 * data that the amounts of the bucket rest on. Where files begin depends on the facts alone.
 * Workers write files of their own; what they find is kept by bucket.
 */
#include "base/json.h"
#include "base/threads.h"
#include "settle/settle_int.h"

enum { FILE_FACTS = 32768 };

#define WRITING "writing-" /* how the names of files begin that are not complete */

typedef struct {
    size_t first;
    size_t count;
} FileSpan; /* of buckets */

typedef struct {
    const SettlePlan *plan;
    const Facts *facts;
    Buckets *buckets;
    Str folder;
    FileSpan *spans;
    Arena **arenas;  /* by worker */
    CqlEval **evals; /* by worker; NULL until needed */
    Error *errors;   /* by file */
    bool *failed;
    char (*names)[DIGEST_HEX]; /* by file */
    Progress *progress;
} DetailWriter;

/* One file being written. */
typedef struct {
    const DetailWriter *writer;
    SettleOut out;
    Arena *scratch;
    CqlEval **eval;
} DetailFile;

/* --- rows --- */

/* A row is put together here and added in one piece: there may be millions. */
enum { ROW_BYTES_MAX = 512, NUMBER_BYTES_MAX = 20, DAY_BYTES = 10 };

typedef struct {
    size_t len;
    char bytes[ROW_BYTES_MAX]; /* more than all fixed parts, numbers, days and two periods */
} Row;

static inline void row_add(Row *row, Str text)
{
    ASSERT(text.len <= sizeof(row->bytes) - row->len);
    memcpy(row->bytes + row->len, text.ptr, text.len);
    row->len += text.len;
}

static inline void row_number(Row *row, Str name, uint32_t value)
{
    char digits[NUMBER_BYTES_MAX];
    size_t at = sizeof(digits);
    row_add(row, name);
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    row_add(row, (Str){.ptr = digits + at, .len = sizeof(digits) - at});
}

static void row_day(Row *row, Str name, int32_t day)
{
    int32_t year;
    int32_t month;
    int32_t of_month;
    char text[DAY_BYTES] = "0000-00-00";
    day_to_date(day, &year, &month, &of_month);
    for (int i = 3; i >= 0; i--, year /= 10)
        text[i] = (char)('0' + year % 10);
    text[5] = (char)('0' + month / 10);
    text[6] = (char)('0' + month % 10);
    text[8] = (char)('0' + of_month / 10);
    text[9] = (char)('0' + of_month % 10);
    row_add(row, name);
    row_add(row, (Str){.ptr = text, .len = sizeof(text)});
}

/* As JSON. An id of FHIR has nothing to escape. */
static void add_text(StrBuf *out, Str text)
{
    bool is_plain = true;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        is_plain &= c >= '-' && c <= 'z' && c != '<' && c != '\\';
    }
    if (is_plain) {
        strbuf_add_char(out, '"');
        strbuf_add(out, text);
        strbuf_add_char(out, '"');
        return;
    }
    JsonWriter json;
    json_writer_init(&json, out, false);
    json_str(&json, text);
}

static Str decided_text(const Fact *fact)
{
    switch ((AttributionReason)fact->reason) {
    case ATTRIBUTION_ONLY_ONE:
        return S("only");
    case ATTRIBUTION_MOST:
        return S("most");
    case ATTRIBUTION_TIED:
        return attribution_tie_text((AttributionTieKind)fact->decided_by);
    case ATTRIBUTION_NOBODY:
    default:
        ASSERT(false);
    }
}

static void add_fact(StrBuf *out, const PlanClause *clause, Record record, const Fact *fact)
{
    Row row;
    row.len = 0;
    strbuf_add(out, S("{\"person\":"));
    add_text(out, record_person_id(record));
    row_add(&row, S(",\"from\":\""));
    row_add(&row, clause->periods[fact->first_period].text);
    row_add(&row, S("\",\"to\":\""));
    row_add(&row, clause->periods[fact->last_period].text);
    row_number(&row, S("\",\"cell\":"), fact->cell);
    if (fact->age != UINT16_MAX)
        row_number(&row, S(",\"age\":"), fact->age);
    row_number(&row, S(",\"encounters\":"), fact->count);
    row_number(&row, S(",\"of\":"), fact->total);
    row_number(&row, S(",\"next\":"), fact->next_count);
    row_day(&row, S(",\"latest\":\""), fact->latest_day);
    row_add(&row, S("\",\"decided\":\""));
    row_add(&row, decided_text(fact));
    row_add(&row, S("\""));
    strbuf_add(out, (Str){.ptr = row.bytes, .len = row.len});
}

/* What is behind the indicator, worked out anew for the person. */
static ErrorCode add_evidence(DetailFile *file, const PlanClause *clause, Record record,
                              const Fact *fact, Error *err)
{
    const SettleInput *input = file->writer->plan->input;
    StrBuf *out = &file->out.buf;
    strbuf_add(out, S(",\"indicator\":"));
    add_text(out, clause->gate->indicators[fact->option]);
    if (input->plan == NULL || input->cql == NULL)
        return ERR_OK;
    if (*file->eval == NULL)
        *file->eval = cql_eval_create(input->cql);
    EvidenceVec evidence = {0};
    MeasureAsk ask = {.arena = file->scratch, .plan = input->plan, .eval = *file->eval};
    ErrorCode code =
        measure_evidence(&ask, clause->indicators[fact->option], record, &evidence, err);
    if (code != ERR_OK)
        return code;
    JsonWriter json;
    strbuf_add(out, S(",\"evidence\":"));
    json_writer_init(&json, out, false);
    json_array_begin(&json);
    VEC_FOREACH (Evidence, item, &evidence) {
        json_object_begin(&json);
        json_member_str(&json, S("definition"), item->definition);
        json_member_str(&json, S("value"), item->value);
        if (item->resource.len > 0)
            json_member_str(&json, S("resource"), item->resource);
        if (item->day != DAY_NONE)
            json_member_str(&json, S("day"), day_format(file->scratch, item->day));
        json_object_end(&json);
    }
    json_array_end(&json);
    return ERR_OK;
}

static void add_header(StrBuf *out, const SettlePlan *plan, const Bucket *bucket)
{
    const PlanClause *clause = &plan->clauses[bucket->clause];
    JsonWriter json;
    json_writer_init(&json, out, false);
    json_object_begin(&json);
    json_member_str(&json, S("contract"), plan->contract->id);
    json_member_int(&json, S("version"), plan->contract->version);
    json_member_str(&json, S("clause"), clause->clause->id);
    json_member_str(&json, S("practice"), bucket->practice);
    json_key(&json, S("cells"));
    json_array_begin(&json);
    for (size_t i = 0; i < clause->rate->cell_count; i++)
        json_str(&json, clause->rate->cells[i].label);
    json_array_end(&json);
    json_object_end(&json);
    json_line_end(&json);
}

/* --- sections and files --- */

static void count_fact(const PlanClause *clause, const Fact *fact, int64_t *counts)
{
    for (size_t period = fact->first_period; period <= fact->last_period; period++) {
        size_t at = (period * clause->option_count + fact->option) * clause->rate->cell_count;
        counts[at + fact->cell]++;
    }
}

static ErrorCode write_section(DetailFile *file, Bucket *bucket, Error *err)
{
    enum { ROWS_A_FLUSH = 64 };
    const DetailWriter *writer = file->writer;
    const PlanClause *clause = &writer->plan->clauses[bucket->clause];
    add_header(&file->out.buf, writer->plan, bucket);
    ErrorCode code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < bucket->ref_count; i++) {
        const PartFacts *part = &writer->facts->parts[bucket->refs[i].partition];
        const Fact *fact = &part->facts.items[bucket->refs[i].index];
        Record record = {.batch = part->batch, .row = fact->row};
        add_fact(&file->out.buf, clause, record, fact);
        if (clause->gate != NULL) {
            ArenaMark mark = arena_mark(file->scratch);
            code = add_evidence(file, clause, record, fact, err);
            arena_rewind(file->scratch, mark);
        }
        strbuf_add(&file->out.buf, S("}\n"));
        count_fact(clause, fact, bucket->counts);
        if (code == ERR_OK && i % ROWS_A_FLUSH == 0)
            code = settle_out_flush(&file->out, err);
    }
    return code;
}

static ErrorCode write_file(DetailWriter *writer, size_t worker, size_t number)
{
    FileSpan span = writer->spans[number];
    Error *err = &writer->errors[number];
    Arena *arena = arena_create(0);
    char hex[DIGEST_HEX];
    DetailFile file = {
        .writer = writer, .scratch = writer->arenas[worker], .eval = &writer->evals[worker]};
    Str temporary = str_format(arena, WRITING "%zu", number);
    ErrorCode code = settle_out_open(&file.out, arena, writer->folder, temporary, err);
    file.out.digest = digest_create();
    digest_begin(file.out.digest);
    for (size_t i = 0; code == ERR_OK && i < span.count; i++)
        code = write_section(&file, &writer->buckets->buckets[span.first + i], err);
    if (code == ERR_OK && file.out.buf.len > 0) {
        /* The last bytes belong to the digest that the name is made of. */
        digest_add(file.out.digest, file.out.buf.ptr, file.out.buf.len);
        code = io_write(&file.out.file, file.out.buf.ptr, file.out.buf.len, err);
        strbuf_clear(&file.out.buf);
    }
    digest_end(file.out.digest, hex);
    if (code == ERR_OK) {
        memcpy(writer->names[number], hex, DIGEST_HEX);
        code = settle_out_close(&file.out, str_format(arena, "%.64s.ndjson", hex), err);
    }
    settle_out_done(&file.out);
    digest_destroy(file.out.digest);
    arena_destroy(arena);
    return code;
}

static bool write_item(void *context, size_t worker, size_t item)
{
    DetailWriter *writer = context;
    size_t facts = 0;
    writer->failed[item] = write_file(writer, worker, item) != ERR_OK;
    for (size_t i = 0; i < writer->spans[item].count; i++)
        facts += writer->buckets->buckets[writer->spans[item].first + i].ref_count;
    progress_add(writer->progress, facts);
    return !writer->failed[item];
}

/* --- all of them --- */

/* Buckets in a row up to FILE_FACTS facts, at least one. */
static size_t make_spans(const Buckets *buckets, FileSpan *spans)
{
    size_t count = 0;
    size_t facts = 0;
    for (size_t i = 0; i < buckets->bucket_count; i++) {
        size_t more = buckets->buckets[i].ref_count;
        if (count == 0 || facts + more > FILE_FACTS) {
            spans[count++] = (FileSpan){.first = i};
            facts = 0;
        }
        spans[count - 1].count++;
        facts += more;
    }
    return count;
}

/* Room for the counts of each bucket: practices times periods, indicators and cells of a clause. */
static ErrorCode make_counts(Arena *arena, const SettlePlan *plan, Buckets *buckets, Error *err)
{
    enum { COUNTS_MAX = 64 * 1024 * 1024 };
    size_t total = 0;
    for (size_t i = 0; i < buckets->bucket_count; i++) {
        const PlanClause *clause = &plan->clauses[buckets->buckets[i].clause];
        size_t counts = clause->period_count * clause->option_count * clause->rate->cell_count;
        total += counts;
        if (total > COUNTS_MAX)
            return error_set(err, ERR_LIMIT,
                             "clause %.*s: more than %d practices, periods, indicators and cells; "
                             "settle fewer periods at once",
                             STR_ARG(clause->clause->id), COUNTS_MAX);
        buckets->buckets[i].counts = ARENA_ZARRAY(arena, int64_t, counts);
    }
    return ERR_OK;
}

/* What an earlier run left when it was killed. */
static ErrorCode remove_unfinished(Arena *arena, Str folder, Error *err)
{
    IoNames names = {0};
    ErrorCode code = io_list_dir(arena, folder, &names, err);
    for (size_t i = 0; code == ERR_OK && i < names.count; i++)
        if (str_starts_with(names.items[i], S(WRITING)))
            code = io_remove(io_join(arena, folder, names.items[i]), err);
    return code;
}

ErrorCode settle_write_details(Arena *arena, const SettlePlan *plan, const Facts *facts,
                               Buckets *buckets, const SettleOptions *options, Error *err)
{
    size_t threads = options->threads == 0 ? 1 : options->threads;
    Str folder = settle_details_folder(arena, options->out);
    FileSpan *spans = ARENA_ZARRAY(arena, FileSpan, buckets->bucket_count + 1);
    size_t files = make_spans(buckets, spans);
    DetailWriter writer = {.plan = plan,
                           .facts = facts,
                           .buckets = buckets,
                           .folder = folder,
                           .spans = spans,
                           .arenas = ARENA_ZARRAY(arena, Arena *, threads),
                           .evals = ARENA_ZARRAY(arena, CqlEval *, threads),
                           .errors = ARENA_ZARRAY(arena, Error, files + 1),
                           .failed = ARENA_ZARRAY(arena, bool, files + 1),
                           .names = arena_zalloc_array(arena, files + 1, DIGEST_HEX),
                           .progress = options->progress};
    size_t total = 0;
    ErrorCode code = make_counts(arena, plan, buckets, err);
    if (code == ERR_OK)
        code = remove_unfinished(arena, folder, err);
    if (code != ERR_OK)
        return code;
    for (size_t i = 0; i < threads; i++)
        writer.arenas[i] = arena_create(0);
    for (size_t i = 0; i < buckets->bucket_count; i++)
        total += buckets->buckets[i].ref_count;
    progress_begin(options->progress, S("detail"), total, S("facts"));
    (void)work_run(threads, files, write_item, &writer);
    progress_end(options->progress);
    for (size_t i = 0; i < threads; i++) {
        arena_destroy(writer.arenas[i]);
        if (writer.evals[i] != NULL)
            cql_eval_destroy(writer.evals[i]);
    }
    for (size_t i = 0; i < files; i++) {
        if (writer.failed[i]) {
            if (err != NULL)
                *err = writer.errors[i];
            return writer.errors[i].code;
        }
        for (size_t k = 0; k < spans[i].count; k++)
            buckets->buckets[spans[i].first + k].detail =
                (Str){.ptr = writer.names[i], .len = DIGEST_HEX};
    }
    return io_sync_dir(folder, err);
}

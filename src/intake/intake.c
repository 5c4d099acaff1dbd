#include "intake/intake_int.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/pages.h"
#include "base/threads.h"

enum {
    CHUNK_BYTES_MIN = 256 << 10,
    /* So that it fills a large page, and stays in the cache of a processor with what is made of it.
     */
    CHUNK_BYTES_MAX = (2 << 20) - JSON_INDEX_PADDING,
    OVERHEAD_OF_MEMORY = 2, /* half: what is freed in pieces of many sizes does not all go back */
    CHUNKS_OF_MEMORY = 256, /* a chunk is at most this part of the memory */
    DOCUMENT_OF_MEMORY = 5, /* and a document this */
    RESOURCE_OF_MEMORY = 8, /* a resource this, where no limit is given */
    LARGE_BYTES_MIN = 8 << 20,
    MEMORY_BYTES_MIN = 1 << 20,
    SEEN_SLOTS = 1024,
    WORKER_BLOCK_BYTES = PAGES_UNIT,
    SEEN_BYTES = 1000,
    /* What a worker holds beside its chunk: offsets of the structure, a tape. */
    WORKER_FACTOR = 4,
};

/* A shared resource that was passed on, to know it when it comes again. */
typedef struct {
    uint16_t type;
    uint16_t id_len;
    uint32_t tape_size;
    uint8_t bytes[SEEN_BYTES]; /* id, tape */
} Seen;

typedef struct Load Load;

typedef struct {
    Load *load;
    size_t number;
    Arena *arena; /* counts, what was seen */
    FhirReader *reader;
    Chunk chunk;
    Chunk opened; /* the chunk's text out of its envelopes */
    Arena *found_arena;
    DiagList found; /* findings of the resource being read */
    FineCount *fine;
    Seen *seen;
    uint64_t repeated;
    uint64_t documents;
    uint64_t shared_bytes;
} Worker;

struct Load {
    const IntakeOptions *options;
    Arena *arena;
    DiagList *diags;
    IntakeReport *report;
    size_t threads;
    size_t memory_max;
    size_t large_bytes; /* texts above this are parsed one at a time */
    Source *source;
    Sink *sink;
    Spill *spill;
    uint64_t shared_bytes;
    ConceptBuilder *concepts;
    FhirReaderOptions reader_options;
    StoreWriter *writer; /* NULL: batches are kept in memory */
    IntakeBatches *kept; /* those batches */
    Arena *kept_arena;
    Worker *workers;
    pthread_mutex_t cutting;
    pthread_mutex_t failing;
    atomic_bool is_failed;
    Error failure;
};

static void load_fail(Load *load, const Error *err)
{
    pthread_mutex_lock(&load->failing);
    if (load->failure.code == ERR_OK)
        load->failure = *err;
    pthread_mutex_unlock(&load->failing);
    atomic_store(&load->is_failed, true);
}

/* ---- one resource ---- */

static Output *output_of(Worker *worker)
{
    if (worker->chunk.output == NULL)
        worker->chunk.output = output_create();
    return worker->chunk.output;
}

/* A text that leaves its Bundle takes along what the Bundle's URNs in it stand for. */
static void note_references(Worker *worker, const FhirParsed *parsed)
{
    static const char urn[] = "\"urn:";
    if (parsed->full_url.len == 0 || !sink_keeps_texts(worker->load->sink))
        return;
    Output *output = output_of(worker);
    Map seen;
    map_init(&seen, output->arena);
    StrBuf buf;
    strbuf_init(&buf, output->arena, 0);
    JsonWriter json;
    json_writer_init(&json, &buf, false);
    json_object_begin(&json);
    Str rest = parsed->source_text;
    for (;;) {
        size_t at = str_find(rest, str_from_c(urn));
        if (at == SIZE_MAX)
            break;
        rest = str_slice(rest, at + 1, rest.len);
        size_t end = str_find(rest, S("\""));
        if (end == SIZE_MAX)
            break;
        Str url = str_slice(rest, 0, end);
        rest = str_slice(rest, end + 1, rest.len);
        uint16_t type;
        Str id;
        if (map_has(&seen, url) || !fhir_reader_find_entry(worker->reader, url, &type, &id))
            continue;
        map_put(&seen, url, 1);
        Str name = fhir_type_name(type);
        json_member_str(&json, url,
                        str_format(output->arena, "%.*s/%.*s", STR_ARG(name), STR_ARG(id)));
    }
    json_object_end(&json);
    output->references = seen.count > 0 ? strbuf_str(&buf) : (Str){0};
}

/* Refuses for a reason that intake itself finds. */
static void refuse(Worker *worker, const FhirParsed *parsed, Str rule, Str path, const char *text)
{
    Diag diag = {.severity = SEVERITY_ERROR,
                 .line = parsed->line,
                 .rule = rule,
                 .file = worker->chunk.file,
                 .path = path,
                 .text = str_from_c(text)};
    note_references(worker, parsed);
    output_refuse_with(output_of(worker), &diag, parsed->source_text,
                       sink_keeps_texts(worker->load->sink));
}

/* The element that should name the patient is the first of those that may. */
static void refuse_without_patient(Worker *worker, const FhirParsed *parsed)
{
    uint16_t type = parsed->facts.type;
    Arena *arena = worker->found_arena;
    if (type == FHIR_TYPE_Patient) {
        refuse(worker, parsed, S("intake-no-id"), S("Patient.id"), "a Patient without an id");
        return;
    }
    FhirElementPaths paths = fhir_directory_table[type].patient;
    uint8_t first = fhir_directory_path_table[paths.first].number[0];
    refuse(worker, parsed, S("intake-no-patient"),
           str_format(arena, "%.*s.%.*s", STR_ARG(fhir_type_name(type)),
                      STR_ARG(fhir_element_name(type, first))),
           "it belongs to a patient: expected a reference to one, as Patient/ID or as the fullUrl "
           "of an entry of the Bundle");
}

/* The line of an array's item is that of its file; in which column it stands there, nobody counted.
 */
static void put_line(const Chunk *chunk, Diag *diag)
{
    uint32_t line = array_line(chunk, diag->line);
    diag->column = line == diag->line ? diag->column : 0;
    diag->line = line;
}

/* Refuses for what the reader has found. */
static void refuse_found(Worker *worker, const FhirParsed *parsed)
{
    note_references(worker, parsed);
    Diag diag = *parsed->finding;
    put_line(&worker->chunk, &diag);
    output_refuse(output_of(worker), &diag, parsed->source_text,
                  sink_keeps_texts(worker->load->sink));
}

/* Whether this worker passed on the very same resource a while ago; remembers it else. */
static bool is_seen(Worker *worker, const FhirParsed *parsed)
{
    const FhirFacts *facts = &parsed->facts;
    if (facts->id.len == 0 || facts->id.len + parsed->tape_size > SEEN_BYTES)
        return false;
    Seen *seen = &worker->seen[str_hash(facts->id) % SEEN_SLOTS];
    uint8_t *tape = seen->bytes + facts->id.len;
    if (seen->type == facts->type && seen->id_len == facts->id.len &&
        seen->tape_size == parsed->tape_size &&
        memcmp(seen->bytes, facts->id.ptr, facts->id.len) == 0 &&
        memcmp(tape, parsed->tape, parsed->tape_size) == 0)
        return true;
    seen->type = facts->type;
    seen->id_len = (uint16_t)facts->id.len;
    seen->tape_size = (uint32_t)parsed->tape_size;
    memcpy(seen->bytes, facts->id.ptr, facts->id.len);
    memcpy(tape, parsed->tape, parsed->tape_size);
    return false;
}

/* Which batch of shared ones it goes to: the same for all of that type and id, and for what has no
   id by where it stands. */
static uint64_t hash_shared(const FhirFacts *facts, const SpillRecord *record)
{
    const uint64_t mix = UINT64_C(0x9E3779B97F4A7C15);
    uint64_t hash = facts->id.len > 0 ? str_hash(facts->id)
                                      : ((uint64_t)record->chunk << 32 | record->index) * mix;
    return (hash ^ facts->type) * mix;
}

static ErrorCode pass_on(Worker *worker, const FhirParsed *parsed, uint32_t index, Error *err)
{
    const FhirFacts *facts = &parsed->facts;
    SpillRecord record = {
        .tape_size = (uint32_t)parsed->tape_size,
        .chunk = worker->chunk.number,
        .index = index,
        .line = parsed->line,
        .day = facts->day,
        .instant_ms = facts->instant_ms,
        .number = facts->number,
        .concept = facts->concept,
        .org = facts->org,
        .type = facts->type,
        .is_shared = facts->is_shared,
    };
    SpillItem item = {
        .head = &record, .tape = parsed->tape, .id = facts->id, .person_id = facts->patient_id};
    if (facts->is_shared) {
        if (is_seen(worker, parsed)) {
            worker->repeated++;
            return ERR_OK;
        }
        item.person_id = (Str){0};
        worker->shared_bytes += sizeof(record) + record.tape_size + facts->id.len;
        record.person_hash = hash_shared(facts, &record);
        size_t bucket = SHARED_FIRST + (size_t)(record.person_hash >> (64 - SHARED_BITS));
        return spill_add(worker->load->spill, worker->number, bucket, &item, err);
    }
    record.person_hash = str_hash(facts->patient_id);
    FineCount *fine = &worker->fine[record.person_hash >> (64 - FINE_BITS)];
    fine->bytes += parsed->tape_size;
    fine->persons += facts->type == FHIR_TYPE_Patient;
    size_t bucket = (size_t)(record.person_hash >> (64 - BUCKET_BITS));
    return spill_add(worker->load->spill, worker->number, bucket, &item, err);
}

static ErrorCode take_resource(Worker *worker, const FhirParsed *parsed, uint32_t index, Error *err)
{
    const FhirFacts *facts = &parsed->facts;
    if (worker->found.kept.count > 0)
        diag_append(&output_of(worker)->diags, &worker->found);
    ErrorCode code = ERR_OK;
    if (parsed->is_refused)
        refuse_found(worker, parsed);
    else if (facts->id.len > UINT16_MAX || facts->patient_id.len > UINT16_MAX)
        refuse(worker, parsed, S("intake-long-id"), fhir_type_name(facts->type),
               "an id of over 65,535 bytes");
    else if (!facts->is_shared && facts->patient_id.len == 0)
        refuse_without_patient(worker, parsed);
    else
        code = pass_on(worker, parsed, index, err);
    if (worker->found.kept.count > 0) {
        arena_reset(worker->found_arena);
        diag_init(&worker->found, worker->found_arena);
    }
    return code;
}

/* ---- one chunk ---- */

/* Lines of an array are those of its file. */
static void put_lines(Worker *worker, FhirParsed *parsed)
{
    const Chunk *chunk = &worker->chunk;
    if (LIKELY(chunk->break_count == 0))
        return;
    VEC_FOREACH (Diag, diag, &worker->found.kept)
        put_line(chunk, diag);
    if (parsed != NULL)
        parsed->line = array_line(chunk, parsed->line);
}

static ErrorCode parse_chunk(Worker *worker, Error *err)
{
    const Chunk *chunk = &worker->chunk;
    Str text = {.ptr = chunk->ptr, .len = chunk->len};
    if (chunk->is_envelopes) {
        envelopes_open(text, &worker->opened);
        text = (Str){.ptr = worker->opened.ptr, .len = worker->opened.len};
    }
    array_number_breaks(&worker->chunk);
    fhir_reader_begin(worker->reader, text, chunk->file, chunk->first_line, &worker->found);
    FhirParsed parsed;
    uint32_t index = 0;
    while (fhir_reader_next(worker->reader, &parsed)) {
        worker->documents += parsed.is_first;
        put_lines(worker, &parsed);
        ErrorCode code = take_resource(worker, &parsed, index++, err);
        if (code != ERR_OK)
            return code;
    }
    /* What is not about any resource, such as a bundle without entries. */
    if (worker->found.kept.count > 0) {
        put_lines(worker, NULL);
        diag_append(&output_of(worker)->diags, &worker->found);
        arena_reset(worker->found_arena);
        diag_init(&worker->found, worker->found_arena);
    }
    return ERR_OK;
}

/* A long text takes much memory on the way: it is given back at once. */
static ErrorCode parse_large(Worker *worker, Error *err)
{
    Load *load = worker->load;
    ErrorCode code = parse_chunk(worker, err);
    fhir_reader_destroy(worker->reader);
    worker->reader = fhir_reader_create(load->concepts, &load->reader_options);
    Output *output = worker->chunk.output;
    uint32_t number = worker->chunk.number;
    worker->chunk.output = NULL;
    chunk_free(&worker->chunk);
    chunk_free(&worker->opened);
    worker->chunk.output = output;
    worker->chunk.number = number;
    return code;
}

/* Cuts the next chunk and parses it; false in *ret_more at the end. */
static ErrorCode work_once(Worker *worker, bool *ret_more, Error *err)
{
    Load *load = worker->load;
    pthread_mutex_lock(&load->cutting);
    ErrorCode code = source_next(load->source, &worker->chunk, ret_more, err);
    bool is_large = code == ERR_OK && *ret_more && worker->chunk.len > load->large_bytes;
    /* Nobody cuts on meanwhile: so there is one long text at a time. */
    if (is_large)
        code = parse_large(worker, err);
    pthread_mutex_unlock(&load->cutting);
    if (code == ERR_OK && *ret_more && !is_large)
        code = parse_chunk(worker, err);
    bool has_number = *ret_more || worker->chunk.output != NULL;
    if (code == ERR_OK && has_number) {
        Output *output = worker->chunk.output;
        worker->chunk.output = NULL;
        code = sink_put(load->sink, worker->chunk.number, output, err);
    }
    return code;
}

/* By the worker's own thread: so all make themselves ready at the same time. */
static void open_worker(Load *load, size_t number)
{
    Worker *worker = &load->workers[number];
    worker->load = load;
    worker->number = number;
    worker->arena = arena_create(WORKER_BLOCK_BYTES);
    worker->fine = ARENA_ZARRAY(worker->arena, FineCount, FINE_COUNT);
    worker->seen = ARENA_ZARRAY(worker->arena, Seen, SEEN_SLOTS);
    worker->reader = fhir_reader_create(load->concepts, &load->reader_options);
    worker->found_arena = arena_create(0);
    diag_init(&worker->found, worker->found_arena);
}

static bool run_worker(void *context, UNUSED size_t thread, size_t item)
{
    Load *load = context;
    bool is_more = true;
    open_worker(load, item);
    while (is_more && !atomic_load(&load->is_failed)) {
        Error err = {0};
        is_more = false;
        if (work_once(&load->workers[item], &is_more, &err) != ERR_OK)
            load_fail(load, &err);
    }
    return true;
}

/* ---- the whole ---- */

static size_t clamp(size_t value, size_t lowest, size_t highest)
{
    return value < lowest ? lowest : value > highest ? highest : value;
}

static ErrorCode open_source(Load *load, Error *err)
{
    const IntakeOptions *options = load->options;
    size_t resource_max = load->reader_options.resource_bytes_max;
    const SourceOptions source_options = {
        .paths = options->sources,
        .path_count = options->source_count,
        .chunk_bytes = clamp(load->memory_max / CHUNKS_OF_MEMORY, CHUNK_BYTES_MIN, CHUNK_BYTES_MAX),
        /* Room for the largest resource and what stands round it in a bundle. */
        .document_bytes_max = clamp(load->memory_max / DOCUMENT_OF_MEMORY,
                                    resource_max + CHUNK_BYTES_MIN, LIMIT_LINE_BYTES),
        .stdin_fd = options->stdin_fd,
        .keeps_texts = options->refused_path.len > 0,
        .progress = options->progress,
    };
    return source_create(load->arena, &source_options, &load->source, err);
}

static void close_workers(Load *load)
{
    for (size_t i = 0; load->workers != NULL && i < load->threads; i++) {
        Worker *worker = &load->workers[i];
        fhir_reader_destroy(worker->reader);
        arena_destroy(worker->found_arena);
        arena_destroy(worker->arena);
        chunk_free(&worker->chunk);
        chunk_free(&worker->opened);
    }
    load->workers = NULL;
}

/* Adds up what the workers counted. */
static const FineCount *join_counts(Load *load)
{
    FineCount *fine = ARENA_ZARRAY(load->arena, FineCount, FINE_COUNT);
    for (size_t i = 0; i < load->threads; i++) {
        const Worker *worker = &load->workers[i];
        load->report->repeated += worker->repeated;
        load->report->documents += worker->documents;
        load->shared_bytes += worker->shared_bytes;
        for (size_t k = 0; k < FINE_COUNT; k++) {
            fine[k].bytes += worker->fine[k].bytes;
            fine[k].persons += worker->fine[k].persons;
        }
    }
    source_counts(load->source, &load->report->files, &load->report->bytes);
    return fine;
}

static void tell_stage(const Load *load, Str stage)
{
    if (load->options->on_stage != NULL)
        load->options->on_stage(load->options->context, stage);
}

/* What is left for spills and for merging: the program itself, the allocator's blocks and the
   thread's stacks count towards memory_max too. */
static size_t memory_for_records(const Load *load)
{
    return load->memory_max - load->memory_max / OVERHEAD_OF_MEMORY;
}

static ErrorCode read_all(Load *load, Error *err)
{
    size_t workers_bytes = load->threads * WORKER_FACTOR * CHUNK_BYTES_MAX;
    size_t memory = memory_for_records(load);
    size_t left = memory > workers_bytes ? memory - workers_bytes : 0;
    const SpillOptions spill_options = {
        .folder = load->writer == NULL ? (Str){0} : store_writer_temp_dir(load->writer),
        .name = "spill",
        .lanes = load->threads,
        .buckets = BUCKET_COUNT + SHARED_COUNT,
        .memory_max = load->writer == NULL ? SIZE_MAX : left / 2,
    };
    tell_stage(load, S("open"));
    load->spill = spill_create(&spill_options);
    load->concepts = concept_builder_create();
    load->workers = ARENA_ZARRAY(load->arena, Worker, load->threads);
    progress_begin(load->options->progress, S("read"), source_total_bytes(load->source),
                   S("bytes"));
    (void)work_run(load->threads, load->threads, run_worker, load);
    progress_end(load->options->progress);
    if (load->failure.code != ERR_OK)
        return error_set(err, load->failure.code, "%s", load->failure.message);
    tell_stage(load, S("read"));
    return spill_seal(load->spill, err);
}

static ErrorCode merge_all(Load *load, Error *err)
{
    const FineCount *fine = join_counts(load);
    close_workers(load); /* no interner is used any more */
    Arena *arena CLEANUP(arena_cleanup) = arena_create(0);
    const ConceptId *renumber;
    ConceptDict *dict = concept_builder_finish(
        load->concepts, load->kept == NULL ? arena : load->kept_arena, &renumber);
    ErrorCode code = ERR_OK;
    if (load->kept == NULL)
        code = store_writer_dict(load->writer, dict, err);
    else
        load->kept->dict = dict;
    const MergeOptions merge_options = {
        .spill = load->spill,
        .fine = fine,
        .source = load->source,
        .sink = load->sink,
        .first_output = source_chunk_count(load->source),
        .writer = load->writer,
        .kept = load->kept,
        .kept_arena = load->kept_arena,
        .concepts = load->concepts,
        .dict = dict,
        .renumber = renumber,
        .threads = load->threads,
        .memory_max = load->kept == NULL ? memory_for_records(load) : SIZE_MAX,
        .shared_bytes = load->shared_bytes,
        .progress = load->options->progress,
        .report = load->report,
    };
    tell_stage(load, S("concepts"));
    if (code == ERR_OK)
        code = merge_run(&merge_options, err);
    load->report->spilled_bytes = spill_written_bytes(load->spill);
    if (code == ERR_OK)
        tell_stage(load, S("merge"));
    return code;
}

static Str name_sources(Arena *arena, const IntakeOptions *options)
{
    StrBuf buf;
    strbuf_init(&buf, arena, 4096);
    for (size_t i = 0; i < options->source_count; i++) {
        strbuf_add(&buf, i == 0 ? S("") : S(" "));
        strbuf_add(&buf, options->sources[i]);
    }
    return strbuf_str(&buf);
}

static int compare_rules(const void *a, const void *b)
{
    return str_cmp(((const IntakeRefusal *)a)->rule, ((const IntakeRefusal *)b)->rule);
}

static ErrorCode commit(Load *load, Error *err)
{
    const StoreSource source = {.files = load->report->files,
                                .bytes = load->report->bytes,
                                .source = name_sources(load->arena, load->options)};
    ErrorCode code = store_writer_commit(load->writer, &source, err);
    if (code == ERR_OK)
        tell_stage(load, S("commit"));
    return code;
}

static ErrorCode run(Load *load, Error *err)
{
    ErrorCode code = open_source(load, err);
    if (code == ERR_OK && load->kept == NULL)
        code = store_writer_begin(load->arena, load->options->store_path, &load->writer, err);
    if (code == ERR_OK)
        code = read_all(load, err);
    if (code == ERR_OK)
        code = merge_all(load, err);
    /* A folder that is empty, perhaps by mistake, must not take the place of a store. */
    const IntakeReport *report = load->report;
    if (code == ERR_OK && report->accepted + report->refused + report->repeated == 0)
        code = error_set(err, ERR_INPUT, "%.*s: nothing to load",
                         STR_ARG(name_sources(load->arena, load->options)));
    ErrorCode sink_code = sink_finish(load->sink, code != ERR_OK, err);
    if (code == ERR_OK)
        code = sink_code;
    if (code != ERR_OK)
        return code;
    if (load->kept == NULL)
        code = commit(load, err);
    IntakeRefusalVec *rules = &load->report->refused_by_rule;
    if (rules->count > 0)
        qsort(rules->items, rules->count, sizeof(*rules->items), compare_rules);
    return code;
}

/* Into `kept`, or into the store where that is NULL. */
static ErrorCode take_in(Arena *arena, const IntakeOptions *options, DiagList *diags,
                         IntakeReport *ret_report, IntakeBatches *kept, Error *err)
{
    Arena *own CLEANUP(arena_cleanup) = arena_create(0);
    IntakeReport report = {0};
    Load load = {
        .options = options,
        .arena = own,
        .diags = diags,
        .report = &report,
        .threads = options->threads == 0 ? threads_available() : options->threads,
        .kept = kept,
        .kept_arena = arena,
        .memory_max = options->memory_max == 0 ? LIMIT_MEMORY_DEFAULT_BYTES : options->memory_max,
    };
    load.threads = clamp(load.threads, 1, LIMIT_THREADS_MAX);
    load.large_bytes = clamp(load.memory_max / (8 * load.threads), LARGE_BYTES_MIN, SIZE_MAX);
    if (load.memory_max < MEMORY_BYTES_MIN)
        return error_set(err, ERR_USAGE,
                         "%zu bytes of memory are too few for a load: at least %d MiB",
                         load.memory_max, MEMORY_BYTES_MIN >> 20);
    size_t resource_max =
        clamp(load.memory_max / RESOURCE_OF_MEMORY, CHUNK_BYTES_MIN, LIMIT_RESOURCE_BYTES);
    load.reader_options = (FhirReaderOptions){
        .keep_narrative = !options->omit_narrative,
        .split_bundles = true,
        .resolve_urns = true,
        .resource_bytes_max =
            options->resource_bytes_max == 0 ? resource_max : options->resource_bytes_max,
    };
    load.sink = sink_create(arena, options->refused_path, diags, &report);
    for (size_t i = 0; i < options->source_count; i++) {
        if (str_starts_with(options->refused_path, options->sources[i]))
            sink_keep_earlier(load.sink);
    }
    pthread_mutex_init(&load.cutting, NULL);
    pthread_mutex_init(&load.failing, NULL);
    ErrorCode code = run(&load, err);
    close_workers(&load);
    spill_destroy(load.spill);
    if (load.concepts != NULL)
        concept_builder_destroy(load.concepts);
    source_destroy(load.source);
    store_writer_end(load.writer);
    pthread_mutex_destroy(&load.cutting);
    pthread_mutex_destroy(&load.failing);
    if (code == ERR_OK)
        *ret_report = report;
    return code;
}

ErrorCode intake_load(Arena *arena, const IntakeOptions *options, DiagList *diags,
                      IntakeReport *ret_report, Error *err)
{
    return take_in(arena, options, diags, ret_report, NULL, err);
}

ErrorCode intake_read(Arena *arena, const IntakeOptions *options, DiagList *diags,
                      IntakeReport *ret_report, IntakeBatches *ret_batches, Error *err)
{
    IntakeBatches batches = {0};
    ErrorCode code = take_in(arena, options, diags, ret_report, &batches, err);
    if (code == ERR_OK)
        *ret_batches = batches;
    else
        intake_batches_free(&batches);
    return code;
}

void intake_batches_free(IntakeBatches *batches)
{
    for (size_t i = 0; i < batches->count; i++)
        if (batches->arenas[i] != NULL)
            arena_destroy(batches->arenas[i]);
    for (size_t i = 0; i < batches->shared_count; i++)
        if (batches->shared_arenas[i] != NULL)
            arena_destroy(batches->shared_arenas[i]);
    *batches = (IntakeBatches){0};
}

/*
 * Where resources go: NDJSON files, one stream, or a store.
 *
 * Text: persons are cut into chunks; workers make chunks on their own and hand them in in order.
 * Store: persons are dealt to partitions by the hash of their id beforehand (ids follow from
 * numbers), so that a worker makes all persons of a partition, and its batch, without anything in
 * between. Concepts have their final ids from the start.
 */
#include "synth/write.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/io.h"
#include "base/threads.h"

enum {
    CHUNK_PERSONS = 64,
    PARTITION_PERSONS = 640,
    TAPE_BLOCK_BYTES = 1 << 20,
    BUFFER_BYTES = 1 << 16,
};

static void add_report(SynthReport *sum, const SynthReport *part)
{
    sum->persons += part->persons;
    sum->resources += part->resources;
    sum->lines += part->lines;
    sum->bytes += part->bytes;
    for (size_t i = 0; i < FHIR_RESOURCE_TYPE_LIMIT; i++)
        sum->by_type[i] += part->by_type[i];
}

/* --- text --- */

typedef struct {
    char *ptr;
    size_t len;
    size_t capacity;
} Buffer;

typedef struct {
    Emitter emitter;
    bool by_type;
    Arena *arena;                             /* of a person */
    Buffer buffers[FHIR_RESOURCE_TYPE_LIMIT]; /* the first one for all, unless by type */
} TextEmitter;

static void take_text(Emitter *emitter, const FhirTemplate *template, const FhirSlot *slots)
{
    TextEmitter *text = (TextEmitter *)emitter;
    Buffer *buffer = &text->buffers[text->by_type ? fhir_template_type(template) : 0];
    size_t most = fhir_template_size_max(template, slots) + 1;
    if (buffer->capacity - buffer->len < most) {
        size_t capacity = 2 * buffer->capacity + most + BUFFER_BYTES;
        buffer->ptr = realloc(buffer->ptr, capacity);
        ASSERT(buffer->ptr != NULL);
        buffer->capacity = capacity;
    }
    char *end = fhir_template_text(template, slots, buffer->ptr + buffer->len);
    *end++ = '\n';
    buffer->len = (size_t)(end - buffer->ptr);
}

typedef struct {
    const SynthModel *model;
    const SynthRun *run;
    TextEmitter *emitters; /* one a worker */
    IoFile stream;
    IoFile files[FHIR_RESOURCE_TYPE_LIMIT];
    bool is_open[FHIR_RESOURCE_TYPE_LIMIT];
    Str folder;
    Arena *arena;
    pthread_mutex_t lock;
    pthread_cond_t turned;
    size_t turn; /* the chunk that is written next */
    SynthReport report;
    ErrorCode code;
    Error err;
} TextJob;

static ErrorCode open_file(TextJob *job, size_t type)
{
    Str name = str_format(job->arena, "%.*s.ndjson", STR_ARG(fhir_type_name((uint16_t)type)));
    ErrorCode code =
        io_create(io_join(job->arena, job->folder, name), &job->files[type], &job->err);
    job->is_open[type] = code == ERR_OK;
    return code;
}

/* Under the lock, in order of the chunks. */
static void put_chunk(TextJob *job, TextEmitter *text)
{
    for (size_t type = 0; type < FHIR_RESOURCE_TYPE_LIMIT; type++) {
        Buffer *buffer = &text->buffers[type];
        if (buffer->len == 0)
            continue;
        IoFile *file = text->by_type ? &job->files[type] : &job->stream;
        if (job->code == ERR_OK && text->by_type && !job->is_open[type])
            job->code = open_file(job, type);
        if (job->code == ERR_OK)
            job->code = io_write(file, buffer->ptr, buffer->len, &job->err);
        text->emitter.report.bytes += buffer->len;
        buffer->len = 0;
    }
    add_report(&job->report, &text->emitter.report);
    text->emitter.report = (SynthReport){0};
}

static bool make_chunk(void *context, size_t worker, size_t item)
{
    TextJob *job = context;
    TextEmitter *text = &job->emitters[worker];
    uint64_t from = (uint64_t)item * CHUNK_PERSONS;
    uint64_t to = from + CHUNK_PERSONS;
    if (to > job->model->options.persons)
        to = job->model->options.persons;
    if (item == 0)
        emit_shared(job->model, &text->emitter);
    for (uint64_t i = from; i < to; i++) {
        emit_person(job->model, text->arena, i, &text->emitter);
        arena_reset(text->arena);
    }
    pthread_mutex_lock(&job->lock);
    while (job->turn != item)
        pthread_cond_wait(&job->turned, &job->lock);
    put_chunk(job, text);
    job->turn++;
    progress_add(job->run->progress, to - from);
    bool is_good = job->code == ERR_OK;
    pthread_cond_broadcast(&job->turned);
    pthread_mutex_unlock(&job->lock);
    (void)is_good; /* those who wait for their turn have to get it: later chunks write nothing */
    return true;
}

static ErrorCode write_text(TextJob *job, bool by_type, SynthReport *ret_report, Error *err)
{
    size_t threads = job->run->threads == 0 ? threads_available() : job->run->threads;
    uint64_t persons = job->model->options.persons;
    job->emitters = calloc(threads, sizeof *job->emitters);
    ASSERT(job->emitters != NULL);
    job->arena = arena_create(0);
    for (size_t i = 0; i < threads; i++) {
        job->emitters[i].emitter.take = take_text;
        job->emitters[i].by_type = by_type;
        job->emitters[i].arena = arena_create(1 << 18);
    }
    pthread_mutex_init(&job->lock, NULL);
    pthread_cond_init(&job->turned, NULL);
    progress_begin(job->run->progress, S("making"), persons, S("persons"));
    work_run(threads, (size_t)((persons + CHUNK_PERSONS - 1) / CHUNK_PERSONS), make_chunk, job);
    for (size_t i = 0; i < threads; i++) {
        for (size_t type = 0; type < FHIR_RESOURCE_TYPE_LIMIT; type++)
            free(job->emitters[i].buffers[type].ptr);
        arena_destroy(job->emitters[i].arena);
    }
    for (size_t type = 0; type < FHIR_RESOURCE_TYPE_LIMIT; type++)
        if (job->is_open[type] && io_close(&job->files[type], &job->err) != ERR_OK &&
            job->code == ERR_OK)
            job->code = job->err.code;
    free(job->emitters);
    arena_destroy(job->arena);
    pthread_mutex_destroy(&job->lock);
    pthread_cond_destroy(&job->turned);
    *ret_report = job->report;
    if (job->code != ERR_OK && err != NULL)
        *err = job->err;
    return job->code;
}

ErrorCode synth_write_files(const SynthModel *model, Str folder, const SynthRun *run,
                            SynthReport *ret_report, Error *err)
{
    ErrorCode code = io_make_dirs(folder, err);
    if (code != ERR_OK)
        return code;
    TextJob job = {.model = model, .run = run, .folder = folder};
    return write_text(&job, true, ret_report, err);
}

ErrorCode synth_write_stream(const SynthModel *model, int fd, const SynthRun *run,
                             SynthReport *ret_report, Error *err)
{
    TextJob job = {.model = model, .run = run, .stream = {.fd = fd, .path = S("standard output")}};
    return write_text(&job, false, ret_report, err);
}

/* --- batches --- */

typedef struct {
    Emitter emitter;
    RecordBuilder *builder;
    Arena *tapes; /* of a partition */
    uint8_t *block;
    uint8_t *at; /* tapes are written from the end of the block to its beginning */
    uint64_t source;
    bool is_shared;
} TapeEmitter;

/* Texts of slots are gone when the next resource is made: those that facts point at stand before
 * the tape. */
static Str keep_text(TapeEmitter *tape, Str text)
{
    tape->at -= text.len;
    memcpy(tape->at, text.ptr, text.len);
    return (Str){(const char *)tape->at, text.len};
}

static void take_tape(Emitter *emitter, const FhirTemplate *template, const FhirSlot *slots)
{
    TapeEmitter *tape = (TapeEmitter *)emitter;
    size_t most = fhir_template_size_max(template, slots) + 4 * ID_MAX;
    if (tape->block == NULL || (size_t)(tape->at - tape->block) < most) {
        size_t size = most > TAPE_BLOCK_BYTES ? most : TAPE_BLOCK_BYTES;
        tape->block = arena_alloc(tape->tapes, size);
        tape->at = tape->block + size;
    }
    const uint8_t *end = tape->at;
    tape->at = fhir_template_tape(template, slots, tape->at);
    RecordInput input = {.facts = fhir_template_facts(template, slots),
                         .tape = tape->at,
                         .tape_size = (size_t)(end - tape->at),
                         .source = tape->source++};
    input.facts.is_shared = tape->is_shared;
    bool is_patient = input.facts.type == FHIR_TYPE_Patient;
    input.facts.patient_id = keep_text(tape, input.facts.patient_id);
    input.facts.id = is_patient ? input.facts.patient_id : keep_text(tape, input.facts.id);
    record_builder_add(tape->builder, &input);
}

static int compare_places(const void *a, const void *b)
{
    const SynthPlace *x = a;
    const SynthPlace *y = b;
    return x->hash != y->hash      ? (x->hash < y->hash ? -1 : 1)
           : x->number < y->number ? -1
                                   : x->number > y->number;
}

typedef struct {
    const SynthModel *model;
    SynthBatchFn take;
    void *context;
    const SynthPlace *places;
    Progress *progress;
    SynthReport *reports; /* one a worker */
    Arena **arenas;       /* three a worker: batch, scratch and tapes, person */
    pthread_mutex_t lock;
    ErrorCode code;
    Error err;
} BatchJob;

static ErrorCode make_batch(BatchJob *job, size_t worker, size_t partition, bool is_shared,
                            Error *err)
{
    Arena **arenas = job->arenas + 3 * worker;
    RecordBuilderOptions options = {
        .dict = shapes_dict(job->model->shapes), .is_shared = is_shared, .scratch = arenas[1]};
    TapeEmitter tape = {.emitter = {.take = take_tape}, .tapes = arenas[1], .is_shared = is_shared};
    tape.builder = record_builder_create(arenas[0], &options);
    uint64_t from = (uint64_t)partition * PARTITION_PERSONS;
    uint64_t to = from + PARTITION_PERSONS;
    if (to > job->model->options.persons)
        to = job->model->options.persons;
    if (is_shared) {
        emit_shared(job->model, &tape.emitter);
    } else {
        for (uint64_t i = from; i < to; i++) {
            emit_person(job->model, arenas[2], job->places[i].number, &tape.emitter);
            arena_reset(arenas[2]);
        }
    }
    RecordBatch *batch;
    ErrorCode code = record_builder_finish(tape.builder, &batch, err);
    if (code == ERR_OK)
        code = job->take(job->context, worker, is_shared ? SYNTH_SHARED : partition, batch, err);
    add_report(&job->reports[worker], &tape.emitter.report);
    for (size_t i = 0; i < 3; i++)
        arena_reset(arenas[i]);
    return code;
}

static bool make_partition(void *context, size_t worker, size_t item)
{
    BatchJob *job = context;
    Error err = {0};
    ErrorCode code = make_batch(job, worker, item, false, &err);
    progress_add(job->progress, PARTITION_PERSONS);
    if (code == ERR_OK)
        return true;
    pthread_mutex_lock(&job->lock);
    if (job->code == ERR_OK) {
        job->code = code;
        job->err = err;
    }
    pthread_mutex_unlock(&job->lock);
    return false;
}

size_t synth_partition_count(const SynthModel *model)
{
    return (size_t)((model->options.persons + PARTITION_PERSONS - 1) / PARTITION_PERSONS);
}

ErrorCode synth_make_batches(const SynthModel *model, const SynthRun *run, SynthBatchFn take,
                             void *context, SynthReport *ret_report, Error *err)
{
    size_t threads = run->threads == 0 ? threads_available() : run->threads;
    uint64_t persons = model->options.persons;
    Arena *arena = arena_create(0);
    SynthPlace *places = ARENA_ARRAY(arena, SynthPlace, persons);
    for (uint64_t i = 0; i < persons; i++) {
        char id[ID_MAX];
        places[i] = (SynthPlace){.hash = str_hash(synth_person_id(model, i, id)), .number = i};
    }
    qsort(places, persons, sizeof *places, compare_places);
    BatchJob job = {.model = model,
                    .take = take,
                    .context = context,
                    .places = places,
                    .progress = run->progress,
                    .reports = ARENA_ZARRAY(arena, SynthReport, threads),
                    .arenas = ARENA_ARRAY(arena, Arena *, 3 * threads)};
    for (size_t i = 0; i < 3 * threads; i++)
        job.arenas[i] = arena_create(1 << 20);
    pthread_mutex_init(&job.lock, NULL);
    progress_begin(run->progress, S("making"), persons, S("persons"));
    job.code = make_batch(&job, 0, 0, true, &job.err);
    if (job.code == ERR_OK)
        work_run(threads, synth_partition_count(model), make_partition, &job);
    pthread_mutex_destroy(&job.lock);
    *ret_report = (SynthReport){0};
    for (size_t i = 0; i < threads; i++)
        add_report(ret_report, &job.reports[i]);
    for (size_t i = 0; i < 3 * threads; i++)
        arena_destroy(job.arenas[i]);
    arena_destroy(arena);
    if (job.code != ERR_OK && err != NULL)
        *err = job.err;
    return job.code;
}

/* --- a store --- */

static ErrorCode take_stored(void *context, size_t worker, size_t partition,
                             const RecordBatch *batch, Error *err)
{
    (void)worker;
    return partition == SYNTH_SHARED ? store_writer_add_shared(context, 0, batch, err)
                                     : store_writer_add(context, partition, batch, err);
}

ErrorCode synth_write_store(const SynthModel *model, Str path, const SynthRun *run,
                            SynthReport *ret_report, Error *err)
{
    Arena *arena = arena_create(0);
    StoreWriter *writer = NULL;
    ErrorCode code = store_writer_begin(arena, path, &writer, err);
    if (code == ERR_OK)
        code = store_writer_dict(writer, shapes_dict(model->shapes), err);
    if (code == ERR_OK)
        code = synth_make_batches(model, run, take_stored, writer, ret_report, err);
    if (code == ERR_OK) {
        StoreSource source = {
            .source = str_format(arena, "synthetic: %.*s, %llu persons, %u years, seed %llu",
                                 STR_ARG(model->profile->name),
                                 (unsigned long long)model->options.persons, model->options.years,
                                 (unsigned long long)model->options.seed)};
        code = store_writer_commit(writer, &source, err);
    }
    store_writer_end(writer);
    arena_destroy(arena);
    return code;
}

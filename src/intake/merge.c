#include "intake/intake_int.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/threads.h"

/*
 * Buckets become partitions: neighbours are joined while they are small, a bucket that is too
 * large is dealt out once more by further bits of the hash. What goes where is decided from
 * counts alone, before anything is merged, so that it depends on the input only.
 */
enum {
    PERSONS_AIM = 4096,
    PERSONS_MAX = 4608, /* what 1/256 of a million persons does not pass */
    /* Tapes as they come, before equal parts are shared. */
    BYTES_AIM_MIN = 1 << 20,
    BYTES_AIM_MAX = 16 << 20,
    PARTITIONS_AIM = 12, /* of a small input, so that several workers have something to do */
    /* What a merge needs for each byte of tape that goes in. */
    MEMORY_FACTOR = 6,
    SHARED_FACTOR = 3,             /* the same for what is shared, which is copied first */
    SHARED_BYTES_MIN = 1 << 20,    /* so much is always taken */
    WORKER_BLOCK_BYTES = 32 << 20, /* of which the system gives what is touched */
};

/* One bucket or several neighbours that are merged at a time. */
typedef struct {
    uint32_t bucket_first;
    uint32_t bucket_end;
    size_t partition;   /* number of the first one */
    size_t piece_first; /* in `pieces`; one piece unless the bucket is dealt out */
    size_t piece_count;
    uint64_t bytes;
} Unit;

/* The part of the hashes up to fine_end that becomes one partition, if it has any person. */
typedef struct {
    uint32_t fine_end;
    bool has_persons;
} Piece;

/* What a worker builds in: reset after each piece, so that its memory is used again. */
typedef struct {
    Arena *arena;
    Arena *scratch;
} MergeWorker;

typedef struct {
    const MergeOptions *options;
    Arena *arena;
    MergeWorker *workers;
    pthread_mutex_t lock; /* of the report and the failure */
    Vec(Unit) units;
    Vec(Piece) pieces;
    size_t partition_count;
    uint64_t bytes_aim;
    uint64_t largest; /* bytes of a piece */
    bool is_shared_done;
    Error failure;
} Merge;

/* ---- the plan ---- */

static FineCount sum_fine(const Merge *merge, uint32_t from, uint32_t to)
{
    FineCount sum = {0};
    for (uint32_t i = from; i < to; i++) {
        sum.bytes += merge->options->fine[i].bytes;
        sum.persons += merge->options->fine[i].persons;
    }
    return sum;
}

static bool is_too_much(const Merge *merge, FineCount count)
{
    return count.persons > PERSONS_MAX || count.bytes > merge->bytes_aim;
}

static void add_piece(Merge *merge, Unit *unit, uint32_t fine_end, FineCount count)
{
    VEC_PUSH(merge->arena, &merge->pieces,
             (Piece){.fine_end = fine_end, .has_persons = count.persons > 0});
    unit->piece_count++;
    if (count.persons > 0)
        merge->partition_count++;
    if (count.bytes > merge->largest)
        merge->largest = count.bytes;
}

/* Deals one bucket out into pieces of about equal size. */
static void plan_large(Merge *merge, uint32_t bucket, FineCount whole)
{
    uint32_t from = bucket * (FINE_COUNT / BUCKET_COUNT);
    uint32_t end = from + FINE_COUNT / BUCKET_COUNT;
    uint64_t by_bytes = whole.bytes / merge->bytes_aim + 1;
    uint64_t by_persons = whole.persons / PERSONS_AIM + 1;
    uint64_t wanted = by_bytes > by_persons ? by_bytes : by_persons;
    Unit unit = {.bucket_first = bucket,
                 .bucket_end = bucket + 1,
                 .partition = merge->partition_count,
                 .piece_first = merge->pieces.count,
                 .bytes = whole.bytes};
    FineCount held = {0};
    for (uint32_t i = from; i < end; i++) {
        held.bytes += merge->options->fine[i].bytes;
        held.persons += merge->options->fine[i].persons;
        if (i + 1 == end || held.bytes * wanted >= whole.bytes ||
            held.persons * wanted >= whole.persons + wanted) {
            add_piece(merge, &unit, i + 1, held);
            held = (FineCount){0};
        }
    }
    VEC_PUSH(merge->arena, &merge->units, unit);
}

static void plan_joined(Merge *merge, uint32_t from, uint32_t end, FineCount count)
{
    if (from == end || count.bytes == 0)
        return;
    Unit unit = {.bucket_first = from,
                 .bucket_end = end,
                 .partition = merge->partition_count,
                 .piece_first = merge->pieces.count,
                 .bytes = count.bytes};
    add_piece(merge, &unit, end * (FINE_COUNT / BUCKET_COUNT), count);
    VEC_PUSH(merge->arena, &merge->units, unit);
}

static void plan(Merge *merge)
{
    const uint32_t width = FINE_COUNT / BUCKET_COUNT;
    uint64_t aim = sum_fine(merge, 0, FINE_COUNT).bytes / PARTITIONS_AIM;
    merge->bytes_aim = aim < BYTES_AIM_MIN ? BYTES_AIM_MIN : aim;
    merge->bytes_aim = merge->bytes_aim > BYTES_AIM_MAX ? BYTES_AIM_MAX : merge->bytes_aim;
    uint32_t from = 0;
    FineCount held = {0};
    for (uint32_t bucket = 0; bucket < BUCKET_COUNT; bucket++) {
        FineCount count = sum_fine(merge, bucket * width, (bucket + 1) * width);
        FineCount joined = {.bytes = held.bytes + count.bytes,
                            .persons = held.persons + count.persons};
        if (is_too_much(merge, joined)) {
            plan_joined(merge, from, bucket, held);
            from = bucket;
            joined = count;
        }
        if (is_too_much(merge, joined)) {
            plan_large(merge, bucket, joined);
            from = bucket + 1;
            joined = (FineCount){0};
        }
        held = joined;
    }
    plan_joined(merge, from, BUCKET_COUNT, held);
}

/* ---- what is refused while merging ---- */

/* What a worker needs for a unit. */
typedef struct {
    Merge *merge;
    MergeWorker *worker;
    Output *output; /* made at the first refusal */
} Refusals;

static void on_refusal(void *context, const RecordInput *input, RecordVerdict verdict)
{
    Refusals *refusals = context;
    const MergeOptions *options = refusals->merge->options;
    const SpillRecord *record = (const SpillRecord *)(const void *)(input->tape - sizeof(*record));
    if (refusals->output == NULL)
        refusals->output = output_create();
    Output *output = refusals->output;
    Str type = fhir_type_name(input->facts.type);
    bool is_twice = verdict == RECORD_REFUSED_TWICE;
    Diag diag = {
        .severity = SEVERITY_ERROR,
        .line = record->line,
        .rule = is_twice ? S("intake-twice") : S("intake-unknown-patient"),
        .file = source_file_of(options->source, record->chunk),
        .path = is_twice ? str_format(output->arena, "%.*s.id", STR_ARG(type)) : type,
    };
    if (is_twice)
        diag.text = str_format(output->arena, "%.*s/%.*s was given before; the first is kept",
                               STR_ARG(type), STR_ARG(input->facts.id));
    else
        diag.text =
            str_format(output->arena, "%.*s/%.*s is of Patient/%.*s, and there is no such Patient",
                       STR_ARG(type), STR_ARG(input->facts.id), STR_ARG(input->facts.patient_id));
    StrBuf text;
    strbuf_init(&text, output->arena, 0);
    bool keeps = sink_keeps_texts(options->sink);
    TapeArea area = {
        .bytes = input->tape, .size = input->tape_size, .names = {.builder = options->concepts}};
    if (keeps && !fhir_write_json(fhir_root(&area, 0), &text))
        strbuf_clear(&text);
    output_refuse_with(output, &diag, strbuf_str(&text), keeps);
}

/* ---- one partition ---- */

static void add_record(RecordBuilder *builder, const SpillRecord *record)
{
    const uint8_t *tape = spill_record_tape(record);
    const char *id = (const char *)tape + record->tape_size;
    RecordInput input = {
        .facts = {.type = record->type,
                  .is_shared = record->is_shared != 0,
                  .id = {.ptr = id, .len = record->id_len},
                  .patient_id = {.ptr = id + record->id_len, .len = record->person_id_len},
                  .concept = record->concept,
                  .day = record->day,
                  .instant_ms = record->instant_ms,
                  .number = record->number,
                  .org = record->org},
        .tape = tape,
        .tape_size = record->tape_size,
        .source = (uint64_t)record->chunk << 32 | record->index,
    };
    record_builder_add(builder, &input);
}

static ErrorCode add_visited(void *context, const SpillRecord *record, UNUSED Error *err)
{
    add_record(context, record);
    return ERR_OK;
}

static RecordBuilder *create_builder(Arena *arena, Refusals *refusals, bool is_shared)
{
    const MergeOptions *merge = refusals->merge->options;
    const RecordBuilderOptions options = {
        .dict = merge->dict,
        .renumber = merge->renumber,
        .is_shared = is_shared,
        .scratch = refusals->worker->scratch,
        .on_refusal = on_refusal,
        .context = refusals,
    };
    return record_builder_create(arena, &options);
}

static void count_batch(Merge *merge, const RecordBatch *batch, bool is_shared)
{
    IntakeReport *report = merge->options->report;
    pthread_mutex_lock(&merge->lock);
    uint64_t total = 0;
    for (size_t type = 0; type < FHIR_RESOURCE_TYPE_LIMIT; type++) {
        report->accepted_by_type[type] += batch->types[type].entries.count;
        total += batch->types[type].entries.count;
    }
    report->accepted += total;
    if (is_shared) {
        report->shared += total;
    } else {
        report->persons += batch->person_count;
        report->partitions++;
    }
    pthread_mutex_unlock(&merge->lock);
}

/* Batches that are kept have an arena each. */
static Arena *arena_of_piece(Merge *merge, size_t partition, Refusals *refusals)
{
    IntakeBatches *kept = merge->options->kept;
    if (kept == NULL || partition == SIZE_MAX)
        return refusals->worker->arena;
    kept->arenas[partition] = arena_create(1 << 18);
    return kept->arenas[partition];
}

static ErrorCode take_batch(Merge *merge, size_t partition, const RecordBatch *batch, Error *err)
{
    ASSERT(batch->person_count > 0);
    ErrorCode code = ERR_OK;
    if (merge->options->kept != NULL)
        merge->options->kept->batches[partition] = batch;
    else
        code = store_writer_add(merge->options->writer, partition, batch, err);
    if (code == ERR_OK)
        count_batch(merge, batch, false);
    return code;
}

static void reset_worker(MergeWorker *worker)
{
    arena_reset(worker->arena);
    arena_reset(worker->scratch);
}

/* Merges buckets from .. end of a spill into one partition (SIZE_MAX: there is no person in it, so
   that all of it is refused). */
static ErrorCode merge_piece(Merge *merge, Spill *spill, const Unit *buckets, size_t partition,
                             Refusals *refusals, Error *err)
{
    Arena *arena = arena_of_piece(merge, partition, refusals);
    RecordBuilder *builder = create_builder(arena, refusals, false);
    const SpillVisit visit = {
        .visit = add_visited, .context = builder, .arena = arena, .keeps = true};
    ErrorCode code = ERR_OK;
    for (uint32_t i = buckets->bucket_first; code == ERR_OK && i < buckets->bucket_end; i++)
        code = spill_visit(spill, i, &visit, err);
    RecordBatch *batch = NULL;
    if (code == ERR_OK)
        code = record_builder_finish(builder, &batch, err);
    if (code == ERR_OK && partition != SIZE_MAX)
        code = take_batch(merge, partition, batch, err);
    for (uint32_t i = buckets->bucket_first; i < buckets->bucket_end; i++)
        spill_drop(spill, i);
    reset_worker(refusals->worker);
    return code;
}

/* ---- a bucket dealt out ---- */

typedef struct {
    Spill *spill;
    const Piece *pieces;
    size_t count;
} Deal;

static ErrorCode deal_record(void *context, const SpillRecord *record, Error *err)
{
    const Deal *deal = context;
    uint32_t fine = (uint32_t)(record->person_hash >> (64 - FINE_BITS));
    size_t from = 0;
    size_t left = deal->count - 1;
    while (left > 0) {
        size_t half = left / 2;
        bool is_behind = deal->pieces[from + half].fine_end <= fine;
        from = is_behind ? from + half + 1 : from;
        left = is_behind ? left - half - 1 : half;
    }
    const uint8_t *tape = spill_record_tape(record);
    const char *id = (const char *)tape + record->tape_size;
    const SpillItem item = {
        .head = record,
        .tape = tape,
        .id = {.ptr = id, .len = record->id_len},
        .person_id = {.ptr = id + record->id_len, .len = record->person_id_len}};
    return spill_add(deal->spill, 0, from, &item, err);
}

static ErrorCode merge_pieces(Merge *merge, const Unit *unit, Spill *spill, Refusals *refusals,
                              Error *err)
{
    size_t partition = unit->partition;
    for (size_t i = 0; i < unit->piece_count; i++) {
        bool has_persons = merge->pieces.items[unit->piece_first + i].has_persons;
        const Unit piece = {.bucket_first = (uint32_t)i, .bucket_end = (uint32_t)i + 1};
        ErrorCode code =
            merge_piece(merge, spill, &piece, has_persons ? partition : SIZE_MAX, refusals, err);
        if (code != ERR_OK)
            return code;
        partition += has_persons;
    }
    return ERR_OK;
}

static ErrorCode merge_dealt(Merge *merge, const Unit *unit, Refusals *refusals, Error *err)
{
    const MergeOptions *options = merge->options;
    Arena *arena CLEANUP(arena_cleanup) = arena_create(1 << 20);
    const SpillOptions spill_options = {
        .folder = options->writer == NULL ? (Str){0} : store_writer_temp_dir(options->writer),
        .name = str_to_c(arena, str_format(arena, "deal-%u", unit->bucket_first)),
        .lanes = 1,
        .buckets = unit->piece_count,
        .memory_max = options->memory_max / options->threads / 4,
    };
    Deal deal = {.spill = spill_create(&spill_options),
                 .pieces = &merge->pieces.items[unit->piece_first],
                 .count = unit->piece_count};
    const SpillVisit visit = {.visit = deal_record, .context = &deal, .arena = arena};
    ErrorCode code = spill_visit(options->spill, unit->bucket_first, &visit, err);
    if (code == ERR_OK)
        code = spill_seal(deal.spill, err);
    if (code == ERR_OK) {
        spill_drop(options->spill, unit->bucket_first);
        arena_reset(arena);
        code = merge_pieces(merge, unit, deal.spill, refusals, err);
    }
    spill_destroy(deal.spill);
    return code;
}

static ErrorCode merge_unit(Merge *merge, const Unit *unit, Refusals *refusals, Error *err)
{
    if (unit->piece_count > 1)
        return merge_dealt(merge, unit, refusals, err);
    bool has_persons = merge->pieces.items[unit->piece_first].has_persons;
    return merge_piece(merge, merge->options->spill, unit, has_persons ? unit->partition : SIZE_MAX,
                       refusals, err);
}

/* ---- what belongs to no person ---- */

/*
 * Bundles bring the same organisations again and again: of records that are equal word for word,
 * the first is taken and the others only counted, while they are read back. So what is held is
 * what the store will hold; and that has a limit, as it is merged in one piece.
 */
typedef struct {
    uint64_t hash;
    SpillRecord *record; /* a copy; NULL: free */
} SharedSlot;

typedef struct {
    Arena *arena;
    SharedSlot *slots;
    size_t mask;
    Vec(SpillRecord *) records;
    uint64_t repeated;
    uint64_t bytes;
    uint64_t bytes_max;
    uint64_t bytes_given; /* of all, repeated ones among them */
} Collect;

static uint64_t hash_contents(const SpillRecord *record)
{
    const char *tape = (const char *)spill_record_tape(record);
    uint64_t hash = str_hash((Str){.ptr = tape, .len = record->tape_size + (size_t)record->id_len});
    return hash ^ (record->type * UINT64_C(0x9E3779B97F4A7C15));
}

static bool are_equal(const SpillRecord *a, const SpillRecord *b)
{
    return a->type == b->type && a->id_len == b->id_len && a->tape_size == b->tape_size &&
           memcmp(spill_record_tape(a), spill_record_tape(b), a->tape_size + (size_t)a->id_len) ==
               0;
}

static SharedSlot *find_shared(const Collect *collect, uint64_t hash, const SpillRecord *record)
{
    size_t at = (size_t)hash & collect->mask;
    for (;; at = (at + 1) & collect->mask) {
        SharedSlot *slot = &collect->slots[at];
        if (slot->record == NULL || (slot->hash == hash && are_equal(slot->record, record)))
            return slot;
    }
}

/* Twice as many slots, or the first. */
static void grow_shared(Collect *collect)
{
    enum { SLOTS_FIRST = 1 << 10 };
    SharedSlot *old = collect->slots;
    size_t old_count = old == NULL ? 0 : collect->mask + 1;
    size_t count = old == NULL ? SLOTS_FIRST : 2 * old_count;
    collect->slots = ARENA_ZARRAY(collect->arena, SharedSlot, count);
    collect->mask = count - 1;
    for (size_t i = 0; i < old_count; i++) {
        if (old[i].record != NULL)
            *find_shared(collect, old[i].hash, old[i].record) = old[i];
    }
}

static uint64_t source_of(const SpillRecord *record)
{
    return (uint64_t)record->chunk << 32 | record->index;
}

static ErrorCode collect_record(void *context, const SpillRecord *record, Error *err)
{
    Collect *collect = context;
    uint64_t hash = hash_contents(record);
    SharedSlot *slot = find_shared(collect, hash, record);
    bool has_id = record->id_len > 0;
    if (has_id && slot->record != NULL) {
        SpillRecord *held = slot->record;
        collect->repeated++;
        if (source_of(record) < source_of(held)) {
            held->chunk = record->chunk;
            held->index = record->index;
            held->line = record->line;
        }
        return ERR_OK;
    }
    collect->bytes += record->size;
    if (collect->bytes > collect->bytes_max)
        return error_set(err, ERR_LIMIT,
                         "the resources that belong to no person do not fit into the memory given: "
                         "with --memory %" PRIu64 "M they surely do",
                         (collect->bytes_given * SHARED_FACTOR / 3 * 4 >> 20) + 64);
    SpillRecord *copy = arena_copy(collect->arena, record, record->size);
    VEC_PUSH(collect->arena, &collect->records, copy);
    if (!has_id)
        return ERR_OK;
    *slot = (SharedSlot){.hash = hash, .record = copy};
    if (2 * collect->records.count > collect->mask)
        grow_shared(collect);
    return ERR_OK;
}

/* What may be held of them: a quarter of the memory is for the program itself. */
static uint64_t shared_bytes_max(const MergeOptions *options)
{
    uint64_t memory = options->memory_all - options->memory_all / 4;
    uint64_t held = spill_memory(options->spill);
    uint64_t max = (memory > held ? memory - held : 0) / SHARED_FACTOR;
    return max < SHARED_BYTES_MIN ? SHARED_BYTES_MIN : max;
}

static ErrorCode merge_shared(Merge *merge, Refusals *refusals, Error *err)
{
    const MergeOptions *options = merge->options;
    MergeWorker *worker = refusals->worker;
    Arena *arena = worker->arena;
    if (options->kept != NULL && options->shared_bytes > 0)
        arena = options->kept->shared_arena = arena_create(0);
    Collect collect = {.arena = arena,
                       .bytes_max = shared_bytes_max(options),
                       .bytes_given = options->shared_bytes};
    if (options->shared_bytes == 0)
        return ERR_OK;
    grow_shared(&collect);
    const SpillVisit visit = {
        .visit = collect_record, .context = &collect, .arena = worker->scratch};
    ErrorCode code = spill_visit(options->spill, BUCKET_COUNT, &visit, err);
    if (code != ERR_OK)
        return code;
    spill_drop(options->spill, BUCKET_COUNT);
    arena_reset(worker->scratch);
    RecordBuilder *builder = create_builder(arena, refusals, true);
    VEC_FOREACH (SpillRecord *, record, &collect.records)
        add_record(builder, *record);
    RecordBatch *batch = NULL;
    code = record_builder_finish(builder, &batch, err);
    if (code == ERR_OK && options->writer != NULL)
        code = store_writer_shared(options->writer, batch, err);
    if (code == ERR_OK && options->kept != NULL)
        options->kept->shared = batch;
    if (code == ERR_OK)
        count_batch(merge, batch, true);
    pthread_mutex_lock(&merge->lock);
    options->report->repeated += collect.repeated;
    pthread_mutex_unlock(&merge->lock);
    reset_worker(worker);
    return code;
}

/* ---- all of it ---- */

/* Item 0 is the shared batch; the others are units. */
static bool merge_item(void *context, size_t worker, size_t item)
{
    Merge *merge = context;
    Refusals refusals = {.merge = merge, .worker = &merge->workers[worker]};
    Error err = {0};
    item += merge->is_shared_done;
    const Unit *unit = item == 0 ? NULL : &merge->units.items[item - 1];
    ErrorCode code = unit == NULL ? merge_shared(merge, &refusals, &err)
                                  : merge_unit(merge, unit, &refusals, &err);
    uint32_t number = merge->options->first_output + (uint32_t)item;
    if (code == ERR_OK)
        code = sink_put(merge->options->sink, number, refusals.output, &err);
    else
        output_destroy(refusals.output);
    if (code == ERR_OK) {
        progress_add(merge->options->progress, unit == NULL ? 0 : unit->bytes);
        return true;
    }
    pthread_mutex_lock(&merge->lock);
    if (merge->failure.code == ERR_OK)
        merge->failure = err;
    pthread_mutex_unlock(&merge->lock);
    return false;
}

ErrorCode merge_run(const MergeOptions *options, Error *err)
{
    Arena *arena CLEANUP(arena_cleanup) = arena_create(0);
    Merge merge = {.options = options, .arena = arena};
    pthread_mutex_init(&merge.lock, NULL);
    plan(&merge);
    if (options->kept != NULL) {
        Arena *kept = options->kept_arena;
        options->kept->count = merge.partition_count;
        options->kept->batches = ARENA_ZARRAY(kept, const RecordBatch *, merge.partition_count);
        options->kept->arenas = ARENA_ZARRAY(kept, Arena *, merge.partition_count);
    }
    uint64_t held = spill_memory(options->spill);
    uint64_t free_memory = options->memory_max > held ? options->memory_max - held : 0;
    uint64_t at_once = free_memory / (merge.largest * MEMORY_FACTOR + 1);
    size_t threads = at_once < options->threads ? (size_t)at_once : options->threads;
    merge.workers = ARENA_ARRAY(arena, MergeWorker, threads + 1);
    for (size_t i = 0; i <= threads; i++)
        merge.workers[i] = (MergeWorker){.arena = arena_create(WORKER_BLOCK_BYTES),
                                         .scratch = arena_create(WORKER_BLOCK_BYTES)};
    progress_begin(options->progress, S("merge"), sum_fine(&merge, 0, FINE_COUNT).bytes,
                   S("bytes"));
    /* What is shared comes first; where there is much of it, alone. */
    bool is_alone =
        options->shared_bytes > merge.largest && options->shared_bytes > SHARED_BYTES_MIN;
    bool is_done = !is_alone || merge_item(&merge, 0, 0);
    merge.is_shared_done = is_alone;
    if (is_done)
        is_done = work_run(threads, merge.units.count + !is_alone, merge_item, &merge);
    progress_end(options->progress);
    for (size_t i = 0; i <= threads; i++) {
        arena_destroy(merge.workers[i].arena);
        arena_destroy(merge.workers[i].scratch);
    }
    pthread_mutex_destroy(&merge.lock);
    if (is_done)
        return ERR_OK;
    return error_set(err, merge.failure.code, "%s", merge.failure.message);
}

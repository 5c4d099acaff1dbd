#include "intake/intake_int.h"

#include <stdlib.h>

#include "base/threads.h"

/*
 * Buckets become partitions: neighbours are joined while they are small, a bucket that is too
 * large is dealt out once more by further bits of the hash. What goes where is decided from
 * counts alone, before anything is merged, so that it depends on the input only. What belongs to
 * no person is treated in the same way, in buckets of its own.
 */
enum {
    PERSONS_AIM = 4096,
    PERSONS_MAX = 4608, /* what 1/256 of a million persons does not pass */
    /* Tapes as they come, before equal parts are shared. */
    BYTES_AIM_MIN = 1 << 20,
    BYTES_AIM_MAX = 16 << 20,
    BYTES_MAX = 18 << 20, /* neighbours that are joined may pass what is aimed at a little */
    /* The number of partitions is a multiple of this where the input allows: so two, three, four or
       six workers have the same to do. */
    PARTITIONS_STEP = 12,
    /* What a merge needs for each byte of tape that goes in. */
    MEMORY_FACTOR = 6,
    SHARED_FACTOR = 3,             /* the same for what is shared, which is copied first */
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
    bool is_shared; /* of no person; numbers of partitions are of the shared batches */
} Unit;

/* The part of the hashes up to fine_end that becomes one partition, if there is anything for it. */
typedef struct {
    uint32_t fine_end;
    bool has_rows;
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
    size_t shared_count;
    uint64_t largest; /* bytes that one piece needs */
    FineCount *shared_fine;
    Error failure;
} Merge;

/* ---- the plan ---- */

/* Buckets that are planned for: those of persons, or those of what is shared. */
typedef struct {
    Merge *merge;
    const FineCount *fine;
    uint32_t bucket_first;
    uint32_t bucket_count;
    bool is_shared;
    size_t *count; /* of partitions so far */
    FineCount total;
    uint64_t wanted; /* partitions */
} Plan;

static FineCount sum_fine(const FineCount *fine, uint32_t from, uint32_t to)
{
    FineCount sum = {0};
    for (uint32_t i = from; i < to; i++) {
        sum.bytes += fine[i].bytes;
        sum.persons += fine[i].persons;
    }
    return sum;
}

static bool is_too_much(FineCount count)
{
    return count.persons > PERSONS_MAX || count.bytes > BYTES_MAX;
}

static Unit new_unit(const Plan *plan, uint32_t from, uint32_t end, uint64_t bytes)
{
    return (Unit){.bucket_first = plan->bucket_first + from,
                  .bucket_end = plan->bucket_first + end,
                  .partition = *plan->count,
                  .piece_first = plan->merge->pieces.count,
                  .bytes = bytes,
                  .is_shared = plan->is_shared};
}

static void add_piece(const Plan *plan, Unit *unit, uint32_t fine_end, FineCount count)
{
    Merge *merge = plan->merge;
    bool has_rows = plan->is_shared ? count.bytes > 0 : count.persons > 0;
    VEC_PUSH(merge->arena, &merge->pieces, (Piece){.fine_end = fine_end, .has_rows = has_rows});
    unit->piece_count++;
    *plan->count += has_rows;
    uint64_t needs = count.bytes * (plan->is_shared ? SHARED_FACTOR : MEMORY_FACTOR);
    if (needs > merge->largest)
        merge->largest = needs;
}

/* Deals one bucket out into pieces of about equal size. */
static void plan_large(const Plan *plan, uint32_t bucket, FineCount whole)
{
    uint32_t width = FINE_COUNT / plan->bucket_count;
    uint32_t end = (bucket + 1) * width;
    uint64_t by_bytes = whole.bytes / BYTES_AIM_MAX + 1;
    uint64_t by_persons = whole.persons / PERSONS_AIM + 1;
    uint64_t wanted = by_bytes > by_persons ? by_bytes : by_persons;
    Unit unit = new_unit(plan, bucket, bucket + 1, whole.bytes);
    FineCount held = {0};
    for (uint32_t i = bucket * width; i < end; i++) {
        held.bytes += plan->fine[i].bytes;
        held.persons += plan->fine[i].persons;
        if (i + 1 == end || held.bytes * wanted >= whole.bytes ||
            held.persons * wanted >= whole.persons + wanted) {
            add_piece(plan, &unit, i + 1, held);
            held = (FineCount){0};
        }
    }
    VEC_PUSH(plan->merge->arena, &plan->merge->units, unit);
}

static void plan_joined(const Plan *plan, uint32_t from, uint32_t end, FineCount count)
{
    if (from == end || count.bytes == 0)
        return;
    Unit unit = new_unit(plan, from, end, count.bytes);
    add_piece(plan, &unit, end * (FINE_COUNT / plan->bucket_count), count);
    VEC_PUSH(plan->merge->arena, &plan->merge->units, unit);
}

static uint64_t partitions_wanted(const Plan *plan)
{
    uint64_t step = plan->is_shared ? 1 : PARTITIONS_STEP;
    uint64_t by_bytes = (plan->total.bytes + BYTES_AIM_MAX - 1) / BYTES_AIM_MAX;
    uint64_t by_persons = (plan->total.persons + PERSONS_AIM - 1) / PERSONS_AIM;
    uint64_t wanted = by_bytes > by_persons ? by_bytes : by_persons;
    wanted = (wanted + step - 1) / step * step;
    uint64_t most = plan->total.bytes / BYTES_AIM_MIN + 1;
    return wanted < most ? wanted : most;
}

/* Joins neighbours so that each joined one ends as near as it can to its share of all bytes. */
static void plan_buckets(Plan *plan)
{
    const uint32_t width = FINE_COUNT / plan->bucket_count;
    plan->total = sum_fine(plan->fine, 0, FINE_COUNT);
    plan->wanted = partitions_wanted(plan);
    uint32_t from = 0;
    FineCount held = {0};
    uint64_t before = 0; /* bytes of all buckets that came before */
    uint64_t share = 1;  /* number of the share that `held` is to fill */
    for (uint32_t bucket = 0; bucket < plan->bucket_count; bucket++) {
        FineCount count = sum_fine(plan->fine, bucket * width, (bucket + 1) * width);
        FineCount joined = {.bytes = held.bytes + count.bytes,
                            .persons = held.persons + count.persons};
        bool is_full = (before + count.bytes / 2) * plan->wanted > plan->total.bytes * share;
        if (is_full || is_too_much(joined)) {
            plan_joined(plan, from, bucket, held);
            from = bucket;
            joined = count;
            share = before * plan->wanted / (plan->total.bytes + 1) + 1;
            share += (before + count.bytes / 2) * plan->wanted > plan->total.bytes * share;
        }
        before += count.bytes;
        if (is_too_much(joined)) {
            plan_large(plan, bucket, joined);
            from = bucket + 1;
            joined = (FineCount){0};
        }
        held = joined;
    }
    plan_joined(plan, from, plan->bucket_count, held);
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

/* ---- what belongs to no person ---- */

/*
 * Bundles bring the same organisations again and again: of records that are equal word for word,
 * the first is taken and the others only counted, while they are read back. So what is held is
 * what the store will hold.
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

static ErrorCode collect_record(void *context, const SpillRecord *record, UNUSED Error *err)
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
    SpillRecord *copy = arena_copy(collect->arena, record, record->size);
    VEC_PUSH(collect->arena, &collect->records, copy);
    if (!has_id)
        return ERR_OK;
    *slot = (SharedSlot){.hash = hash, .record = copy};
    if (2 * collect->records.count > collect->mask)
        grow_shared(collect);
    return ERR_OK;
}

/* What is in the buckets, without what comes again, to the builder. */
static ErrorCode add_distinct(Merge *merge, Spill *spill, const Unit *buckets,
                              RecordBuilder *builder, Arena *arena, Error *err)
{
    Arena *read CLEANUP(arena_cleanup) = arena_create(0);
    Collect collect = {.arena = arena};
    const SpillVisit visit = {.visit = collect_record, .context = &collect, .arena = read};
    ErrorCode code = ERR_OK;
    grow_shared(&collect);
    for (uint32_t i = buckets->bucket_first; code == ERR_OK && i < buckets->bucket_end; i++)
        code = spill_visit(spill, i, &visit, err);
    VEC_FOREACH (SpillRecord *, record, &collect.records)
        add_record(builder, *record);
    pthread_mutex_lock(&merge->lock);
    merge->options->report->repeated += collect.repeated;
    pthread_mutex_unlock(&merge->lock);
    return code;
}

/*
 * Where more was given than one batch holds, the plan needs the bytes of distinct records: how
 * often one was left out on the way depends on which worker met it. They are counted by hashes of
 * what they say, as there is no room for the records themselves.
 */
typedef struct {
    Arena *arena;
    uint64_t *slots; /* 0: free */
    size_t mask;
    size_t count;
    FineCount *fine;
} Distinct;

static bool add_hash(Distinct *distinct, uint64_t hash)
{
    size_t at = (size_t)hash & distinct->mask;
    for (; distinct->slots[at] != 0; at = (at + 1) & distinct->mask)
        if (distinct->slots[at] == hash)
            return false;
    distinct->slots[at] = hash;
    return true;
}

static void grow_distinct(Distinct *distinct)
{
    Distinct grown = {.arena = distinct->arena, .mask = 2 * distinct->mask + 1};
    grown.slots = ARENA_ZARRAY(grown.arena, uint64_t, grown.mask + 1);
    for (size_t i = 0; i <= distinct->mask; i++)
        if (distinct->slots[i] != 0)
            (void)add_hash(&grown, distinct->slots[i]);
    distinct->slots = grown.slots;
    distinct->mask = grown.mask;
}

static ErrorCode count_record(void *context, const SpillRecord *record, UNUSED Error *err)
{
    Distinct *distinct = context;
    uint64_t hash = hash_contents(record) | 1;
    if (record->id_len > 0 && !add_hash(distinct, hash))
        return ERR_OK;
    distinct->fine[record->person_hash >> (64 - FINE_BITS)].bytes += record->size;
    if (record->id_len > 0 && 2 * ++distinct->count > distinct->mask)
        grow_distinct(distinct);
    return ERR_OK;
}

static bool count_bucket(void *context, UNUSED size_t worker, size_t item)
{
    enum { SLOTS_FIRST = 1 << 14 };
    Merge *merge = context;
    Arena *arena CLEANUP(arena_cleanup) = arena_create(0);
    Arena *read CLEANUP(arena_cleanup) = arena_create(0);
    Distinct distinct = {.arena = arena,
                         .slots = ARENA_ZARRAY(arena, uint64_t, SLOTS_FIRST),
                         .mask = SLOTS_FIRST - 1,
                         .fine = merge->shared_fine};
    const SpillVisit visit = {.visit = count_record, .context = &distinct, .arena = read};
    Error err = {0};
    if (spill_visit(merge->options->spill, SHARED_FIRST + item, &visit, &err) == ERR_OK)
        return true;
    pthread_mutex_lock(&merge->lock);
    merge->failure = err;
    pthread_mutex_unlock(&merge->lock);
    return false;
}

/* Batches of what is shared: one, unless there is more than that. False after a failure. */
static bool plan_shared(Merge *merge)
{
    const MergeOptions *options = merge->options;
    if (options->shared_bytes == 0)
        return true;
    merge->shared_fine = ARENA_ZARRAY(merge->arena, FineCount, FINE_COUNT);
    merge->shared_fine[0].bytes = options->shared_bytes;
    if (options->shared_bytes > BYTES_AIM_MAX) {
        merge->shared_fine[0].bytes = 0;
        if (!work_run(options->threads, SHARED_COUNT, count_bucket, merge))
            return false;
    }
    FineCount total = sum_fine(merge->shared_fine, 0, FINE_COUNT);
    Plan plan = {.merge = merge,
                 .fine = merge->shared_fine,
                 .bucket_first = SHARED_FIRST,
                 .bucket_count = SHARED_COUNT,
                 .is_shared = true,
                 .count = &merge->shared_count};
    if (total.bytes <= BYTES_AIM_MAX)
        plan_joined(&plan, 0, SHARED_COUNT, total);
    else
        plan_buckets(&plan);
    return true;
}

/* ---- a batch ---- */

/* Batches that are kept have an arena each. */
static Arena *arena_of_piece(Merge *merge, const Unit *unit, size_t partition, Refusals *refusals)
{
    IntakeBatches *kept = merge->options->kept;
    if (kept == NULL || partition == SIZE_MAX)
        return refusals->worker->arena;
    Arena **arena = unit->is_shared ? &kept->shared_arenas[partition] : &kept->arenas[partition];
    *arena = arena_create(1 << 18);
    return *arena;
}

static ErrorCode take_batch(Merge *merge, bool is_shared, size_t partition,
                            const RecordBatch *batch, Error *err)
{
    ASSERT(batch->person_count > 0);
    const MergeOptions *options = merge->options;
    ErrorCode code = ERR_OK;
    if (options->kept != NULL && is_shared)
        options->kept->shared[partition] = batch;
    else if (options->kept != NULL)
        options->kept->batches[partition] = batch;
    else if (is_shared)
        code = store_writer_add_shared(options->writer, partition, batch, err);
    else
        code = store_writer_add(options->writer, partition, batch, err);
    if (code == ERR_OK)
        count_batch(merge, batch, is_shared);
    return code;
}

static void reset_worker(MergeWorker *worker)
{
    arena_reset(worker->arena);
    arena_reset(worker->scratch);
}

/* Merges buckets of a spill into one partition (SIZE_MAX: there is no person in it, so that all of
   it is refused). */
static ErrorCode merge_piece(Merge *merge, Spill *spill, const Unit *buckets, size_t partition,
                             Refusals *refusals, Error *err)
{
    Arena *arena = arena_of_piece(merge, buckets, partition, refusals);
    RecordBuilder *builder = create_builder(arena, refusals, buckets->is_shared);
    const SpillVisit visit = {
        .visit = add_visited, .context = builder, .arena = arena, .keeps = true};
    ErrorCode code = ERR_OK;
    if (buckets->is_shared)
        code = add_distinct(merge, spill, buckets, builder, arena, err);
    for (uint32_t i = buckets->bucket_first; code == ERR_OK && i < buckets->bucket_end; i++) {
        if (!buckets->is_shared)
            code = spill_visit(spill, i, &visit, err);
    }
    RecordBatch *batch = NULL;
    if (code == ERR_OK)
        code = record_builder_finish(builder, &batch, err);
    if (code == ERR_OK && partition != SIZE_MAX)
        code = take_batch(merge, buckets->is_shared, partition, batch, err);
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
        bool has_rows = merge->pieces.items[unit->piece_first + i].has_rows;
        const Unit piece = {.bucket_first = (uint32_t)i,
                            .bucket_end = (uint32_t)i + 1,
                            .is_shared = unit->is_shared};
        ErrorCode code =
            merge_piece(merge, spill, &piece, has_rows ? partition : SIZE_MAX, refusals, err);
        if (code != ERR_OK)
            return code;
        partition += has_rows;
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
    bool has_rows = merge->pieces.items[unit->piece_first].has_rows;
    return merge_piece(merge, merge->options->spill, unit, has_rows ? unit->partition : SIZE_MAX,
                       refusals, err);
}

/* ---- all of it ---- */

static bool fail(Merge *merge, const Error *err)
{
    pthread_mutex_lock(&merge->lock);
    if (merge->failure.code == ERR_OK)
        merge->failure = *err;
    pthread_mutex_unlock(&merge->lock);
    return false;
}

/* Items are the units, and behind them one for each thread: whoever finds no more units syncs what
   has been written while the others still merge. */
static bool merge_item(void *context, size_t worker, size_t item)
{
    Merge *merge = context;
    const MergeOptions *options = merge->options;
    Refusals refusals = {.merge = merge, .worker = &merge->workers[worker]};
    Error err = {0};
    if (item >= merge->units.count)
        return store_writer_settle(options->writer, &err) == ERR_OK || fail(merge, &err);
    const Unit *unit = &merge->units.items[item];
    ErrorCode code = merge_unit(merge, unit, &refusals, &err);
    uint32_t number = options->first_output + (uint32_t)item;
    if (code == ERR_OK)
        code = sink_put(options->sink, number, refusals.output, &err);
    else
        output_destroy(refusals.output);
    if (code != ERR_OK)
        return fail(merge, &err);
    progress_add(options->progress, unit->is_shared ? 0 : unit->bytes);
    return true;
}

static void open_kept(const Merge *merge)
{
    IntakeBatches *kept = merge->options->kept;
    Arena *arena = merge->options->kept_arena;
    kept->count = merge->partition_count;
    kept->batches = ARENA_ZARRAY(arena, const RecordBatch *, kept->count);
    kept->arenas = ARENA_ZARRAY(arena, Arena *, kept->count);
    kept->shared_count = merge->shared_count;
    kept->shared = ARENA_ZARRAY(arena, const RecordBatch *, kept->shared_count);
    kept->shared_arenas = ARENA_ZARRAY(arena, Arena *, kept->shared_count);
}

static bool run_units(Merge *merge)
{
    const MergeOptions *options = merge->options;
    uint64_t held = spill_memory(options->spill);
    uint64_t free_memory = options->memory_max > held ? options->memory_max - held : 0;
    uint64_t at_once = free_memory / (merge->largest + 1);
    size_t threads = at_once < options->threads ? (size_t)at_once : options->threads;
    threads = threads == 0 ? 1 : threads;
    merge->workers = ARENA_ARRAY(merge->arena, MergeWorker, threads);
    for (size_t i = 0; i < threads; i++)
        merge->workers[i] = (MergeWorker){.arena = arena_create(WORKER_BLOCK_BYTES),
                                          .scratch = arena_create(WORKER_BLOCK_BYTES)};
    progress_begin(options->progress, S("merge"), sum_fine(options->fine, 0, FINE_COUNT).bytes,
                   S("bytes"));
    size_t items = merge->units.count + (options->writer == NULL ? 0 : threads);
    bool is_done = work_run(threads, items, merge_item, merge);
    progress_end(options->progress);
    for (size_t i = 0; i < threads; i++) {
        arena_destroy(merge->workers[i].arena);
        arena_destroy(merge->workers[i].scratch);
    }
    return is_done;
}

ErrorCode merge_run(const MergeOptions *options, Error *err)
{
    Arena *arena CLEANUP(arena_cleanup) = arena_create(0);
    Merge merge = {.options = options, .arena = arena};
    pthread_mutex_init(&merge.lock, NULL);
    Plan persons = {.merge = &merge,
                    .fine = options->fine,
                    .bucket_count = BUCKET_COUNT,
                    .count = &merge.partition_count};
    bool is_done = plan_shared(&merge);
    plan_buckets(&persons);
    if (options->kept != NULL)
        open_kept(&merge);
    is_done = is_done && run_units(&merge);
    pthread_mutex_destroy(&merge.lock);
    if (is_done)
        return ERR_OK;
    return error_set(err, merge.failure.code, "%s", merge.failure.message);
}

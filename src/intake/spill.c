#include "intake/intake_int.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/pages.h"

/*
 * Each lane (a worker) has for each bucket a chain of blocks. When all blocks together pass the
 * memory that is allowed, the lane that notices writes its own blocks to its own file, bucket by
 * bucket, and remembers the extents. So there is one file a lane, and no lock. Ordinary blocks are
 * carved from slabs that the system may back with huge pages, and given back with them: once
 * anything has been written, sealing writes the rest too, so that all memory is free for merging.
 */
typedef struct SpillBlock SpillBlock;
struct SpillBlock {
    SpillBlock *next;
    size_t used;
    size_t capacity;
    uint64_t zero; /* keeps what follows on 16 bytes */
    uint8_t bytes[];
};

typedef struct SpillSlab SpillSlab;
struct SpillSlab {
    SpillSlab *next;
};

typedef struct {
    uint64_t offset;
    uint64_t size;
} SpillExtent;

typedef struct {
    SpillBlock *first;
    SpillBlock *last;
    Vec(SpillExtent) extents;
} SpillBucket;

typedef struct {
    Arena *arena; /* extents, names */
    IoFile file;
    IoFile reader; /* of the same file, from sealing on */
    Str path;
    uint64_t file_size;
    SpillBucket *buckets;
    SpillBlock *free_blocks; /* of the ordinary size */
    SpillSlab *slabs;
    size_t slab_used; /* of the first */
} SpillLane;

struct Spill {
    Arena *arena;
    SpillOptions options;
    size_t block_size;
    size_t slab_size;
    SpillLane *lanes;
    atomic_size_t memory;
    atomic_uint_fast64_t written;
};

/* For cleaning up where nobody can be told: what is left is removed by the next writer. */
static void best_effort(UNUSED ErrorCode code)
{
}

enum { BLOCK_MIN = 4096, BLOCK_MAX = 16 << 10, SLAB_HEAD = 64, SLAB_MAX = PAGES_UNIT };

Spill *spill_create(const SpillOptions *options)
{
    Arena *arena = arena_create(0);
    Spill *spill = ARENA_NEW(arena, Spill);
    spill->arena = arena;
    spill->options = *options;
    size_t share = options->memory_max / (options->lanes * options->buckets * 4);
    spill->block_size = BLOCK_MAX;
    while (spill->block_size > BLOCK_MIN && spill->block_size > share)
        spill->block_size /= 2;
    /* Whole blocks behind the head. */
    spill->slab_size = SLAB_MAX;
    while (spill->slab_size > 8 * spill->block_size &&
           spill->slab_size > options->memory_max / (options->lanes * 4))
        spill->slab_size /= 2;
    spill->lanes = ARENA_ZARRAY(arena, SpillLane, options->lanes);
    for (size_t i = 0; i < options->lanes; i++) {
        SpillLane *lane = &spill->lanes[i];
        lane->arena = arena_create(0);
        lane->file = IO_FILE_CLOSED;
        lane->reader = IO_FILE_CLOSED;
        lane->buckets = ARENA_ZARRAY(lane->arena, SpillBucket, options->buckets);
        lane->path = io_join(arena, options->folder, str_format(arena, "%s-%zu", options->name, i));
    }
    return spill;
}

static bool is_ordinary(const Spill *spill, const SpillBlock *block)
{
    return sizeof(*block) + block->capacity == spill->block_size;
}

/* Frees what was made for long records; the others go with their slabs. */
static void free_chain(Spill *spill, SpillBlock *block)
{
    while (block != NULL) {
        SpillBlock *next = block->next;
        if (!is_ordinary(spill, block)) {
            atomic_fetch_sub(&spill->memory, sizeof(*block) + block->capacity);
            free(block);
        }
        block = next;
    }
}

static void free_slab(const Spill *spill, SpillSlab *slab)
{
    if (spill->slab_size >= PAGES_UNIT)
        pages_free(slab, spill->slab_size);
    else
        free(slab);
}

static SpillSlab *new_slab(const Spill *spill)
{
    if (spill->slab_size >= PAGES_UNIT)
        return pages_alloc(spill->slab_size);
    SpillSlab *slab = malloc(spill->slab_size);
    ASSERT(slab != NULL);
    return slab;
}

static void free_slabs(Spill *spill, SpillLane *lane)
{
    while (lane->slabs != NULL) {
        SpillSlab *slab = lane->slabs;
        lane->slabs = slab->next;
        free_slab(spill, slab);
        atomic_fetch_sub(&spill->memory, spill->slab_size);
    }
    lane->free_blocks = NULL;
}

void spill_drop(Spill *spill, size_t bucket)
{
    for (size_t i = 0; i < spill->options.lanes; i++) {
        SpillBucket *held = &spill->lanes[i].buckets[bucket];
        free_chain(spill, held->first);
        *held = (SpillBucket){0};
    }
}

void spill_destroy(Spill *spill)
{
    if (spill == NULL)
        return;
    for (size_t bucket = 0; bucket < spill->options.buckets; bucket++)
        spill_drop(spill, bucket);
    for (size_t i = 0; i < spill->options.lanes; i++) {
        SpillLane *lane = &spill->lanes[i];
        free_slabs(spill, lane);
        bool has_file = lane->file.fd >= 0 || lane->reader.fd >= 0;
        io_close_cleanup(&lane->file);
        io_close_cleanup(&lane->reader);
        if (has_file)
            best_effort(io_remove(lane->path, NULL));
        arena_destroy(lane->arena);
    }
    Arena *arena = spill->arena;
    arena_destroy(arena);
}

uint64_t spill_written_bytes(const Spill *spill)
{
    return atomic_load(&spill->written);
}

size_t spill_memory(const Spill *spill)
{
    return atomic_load(&spill->memory);
}

/* ---- adding ---- */

static bool has_slab_room(const Spill *spill, const SpillLane *lane)
{
    return lane->slabs != NULL && lane->slab_used + spill->block_size <= spill->slab_size;
}

static SpillBlock *carve_block(Spill *spill, SpillLane *lane)
{
    SpillBlock *block = lane->free_blocks;
    if (block != NULL) {
        lane->free_blocks = block->next;
        return block;
    }
    if (!has_slab_room(spill, lane)) {
        SpillSlab *slab = new_slab(spill);
        slab->next = lane->slabs;
        lane->slabs = slab;
        lane->slab_used = SLAB_HEAD;
        atomic_fetch_add(&spill->memory, spill->slab_size);
    }
    block = (SpillBlock *)(void *)((uint8_t *)lane->slabs + lane->slab_used);
    lane->slab_used += spill->block_size;
    block->capacity = spill->block_size - sizeof(*block);
    return block;
}

/* A block with room for `size` bytes at the end of the bucket's chain. */
static SpillBlock *add_block(Spill *spill, SpillLane *lane, SpillBucket *bucket, size_t size)
{
    SpillBlock *block;
    if (sizeof(*block) + size <= spill->block_size) {
        block = carve_block(spill, lane);
    } else {
        block = malloc(sizeof(*block) + size);
        ASSERT(block != NULL);
        block->capacity = size;
        atomic_fetch_add(&spill->memory, sizeof(*block) + size);
    }
    block->next = NULL;
    block->used = 0;
    if (bucket->last == NULL)
        bucket->first = block;
    else
        bucket->last->next = block;
    bucket->last = block;
    return block;
}

static ErrorCode write_bucket(Spill *spill, SpillLane *lane, SpillBucket *bucket, Error *err)
{
    SpillExtent extent = {.offset = lane->file_size};
    for (SpillBlock *block = bucket->first; block != NULL; block = block->next) {
        ErrorCode code = io_write(&lane->file, block->bytes, block->used, err);
        if (code != ERR_OK)
            return code;
        extent.size += block->used;
    }
    lane->file_size += extent.size;
    atomic_fetch_add(&spill->written, extent.size);
    if (extent.size > 0)
        VEC_PUSH(lane->arena, &bucket->extents, extent);
    while (bucket->first != NULL) {
        SpillBlock *block = bucket->first;
        bucket->first = block->next;
        if (is_ordinary(spill, block)) {
            block->next = lane->free_blocks;
            lane->free_blocks = block;
        } else {
            block->next = NULL;
            free_chain(spill, block);
        }
    }
    bucket->last = NULL;
    return ERR_OK;
}

static ErrorCode write_lane(Spill *spill, SpillLane *lane, Error *err)
{
    ErrorCode code = ERR_OK;
    if (lane->file.fd < 0)
        code = io_create(lane->path, &lane->file, err);
    for (size_t i = 0; code == ERR_OK && i < spill->options.buckets; i++)
        code = write_bucket(spill, lane, &lane->buckets[i], err);
    return code;
}

static uint8_t *put_bytes(uint8_t *at, const void *bytes, size_t size)
{
    if (size > 0)
        memcpy(at, bytes, size);
    return at + size;
}

static void put_item(uint8_t *at, const SpillItem *item, size_t size)
{
    SpillRecord *record = (SpillRecord *)(void *)at;
    at = put_bytes(at, item->head, sizeof(*record));
    record->size = (uint32_t)size;
    record->id_len = (uint16_t)item->id.len;
    record->person_id_len = (uint16_t)item->person_id.len;
    at = put_bytes(at, item->tape, item->head->tape_size);
    at = put_bytes(at, item->id.ptr, item->id.len);
    (void)put_bytes(at, item->person_id.ptr, item->person_id.len);
}

ErrorCode spill_add(Spill *spill, size_t lane_number, size_t bucket_number, const SpillItem *item,
                    Error *err)
{
    SpillLane *lane = &spill->lanes[lane_number];
    SpillBucket *bucket = &lane->buckets[bucket_number];
    size_t size = sizeof(*item->head) + item->head->tape_size + item->id.len + item->person_id.len;
    size = (size + 7) / 8 * 8;
    ASSERT(size <= UINT32_MAX);
    SpillBlock *block = bucket->last;
    if (block == NULL || block->capacity - block->used < size) {
        /* Blocks given back to the lane after a write are used before new ones are made. */
        bool is_full =
            lane->free_blocks == NULL &&
            atomic_load_explicit(&spill->memory, memory_order_relaxed) > spill->options.memory_max;
        ErrorCode code = is_full ? write_lane(spill, lane, err) : ERR_OK;
        if (code != ERR_OK)
            return code;
        block = add_block(spill, lane, bucket, size);
    }
    put_item(block->bytes + block->used, item, size);
    block->used += size;
    return ERR_OK;
}

static ErrorCode seal_lane(Spill *spill, SpillLane *lane, Error *err)
{
    ErrorCode code = write_lane(spill, lane, err);
    if (code == ERR_OK)
        code = io_close(&lane->file, err);
    free_slabs(spill, lane);
    return code == ERR_OK ? io_open_read(lane->path, &lane->reader, err) : code;
}

ErrorCode spill_seal(Spill *spill, Error *err)
{
    ErrorCode code = ERR_OK;
    bool has_written = spill_written_bytes(spill) > 0;
    for (size_t i = 0; has_written && code == ERR_OK && i < spill->options.lanes; i++)
        code = seal_lane(spill, &spill->lanes[i], err);
    return code;
}

/* ---- reading back ---- */

/* Records are of any length, which the processor's own prefetching does not see through. */
static inline void fetch_ahead(const uint8_t *bytes, size_t size, size_t left)
{
    enum { LINE = 64, AHEAD = 2048 };
    for (size_t at = AHEAD; at < AHEAD + size && at < left; at += LINE)
        __builtin_prefetch(bytes + at);
}

static ErrorCode visit_bytes(const SpillVisit *visit, const uint8_t *bytes, size_t size, Str path,
                             Error *err)
{
    while (size > 0) {
        const SpillRecord *record = (const void *)bytes;
        bool is_whole =
            size >= sizeof(*record) && record->size <= size && record->size % 8 == 0 &&
            sizeof(*record) + (size_t)record->tape_size + record->id_len + record->person_id_len <=
                record->size;
        if (!is_whole)
            return error_set(err, ERR_DAMAGED, "%.*s: not what was written into it", STR_ARG(path));
        fetch_ahead(bytes, record->size, size);
        ErrorCode code = visit->visit(visit->context, record, err);
        if (code != ERR_OK)
            return code;
        bytes += record->size;
        size -= record->size;
    }
    return ERR_OK;
}

static ErrorCode visit_extent(SpillLane *lane, SpillExtent extent, const SpillVisit *visit,
                              Error *err)
{
    uint8_t *bytes = arena_alloc(visit->arena, extent.size);
    size_t got = 0;
    size_t part = 1;
    while (got < extent.size && part > 0) {
        ErrorCode code = io_read_at(&lane->reader, bytes + got, extent.size - got,
                                    extent.offset + got, &part, err);
        if (code != ERR_OK)
            return code;
        got += part;
    }
    if (got < extent.size)
        return error_set(err, ERR_DAMAGED, "%.*s: cut short", STR_ARG(lane->path));
    return visit_bytes(visit, bytes, extent.size, lane->path, err);
}

ErrorCode spill_visit(Spill *spill, size_t bucket_number, const SpillVisit *visit, Error *err)
{
    for (size_t i = 0; i < spill->options.lanes; i++) {
        SpillLane *lane = &spill->lanes[i];
        SpillBucket *bucket = &lane->buckets[bucket_number];
        for (size_t e = 0; e < bucket->extents.count; e++) {
            ErrorCode code = visit_extent(lane, bucket->extents.items[e], visit, err);
            if (code != ERR_OK)
                return code;
            if (!visit->keeps)
                arena_reset(visit->arena);
        }
        for (SpillBlock *block = bucket->first; block != NULL; block = block->next) {
            ErrorCode code = visit_bytes(visit, block->bytes, block->used, lane->path, err);
            if (code != ERR_OK)
                return code;
        }
    }
    return ERR_OK;
}

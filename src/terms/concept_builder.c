#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "terms/terms_int.h"

/*
 * What is known of one concept: never moved and never changed once it is made, so that it can be
 * read without a lock by whoever has got its id. Behind it stand the bytes of the code, or the
 * members of a group.
 */
typedef struct {
    ConceptId id;
    uint32_t hash;
    uint32_t system; /* SYSTEM_GROUP: a group */
    uint32_t count;  /* bytes of the code, or members */
    char data[];
} ConceptRecord;

#define SYSTEM_GROUP UINT32_MAX

/* --- tables that grow without moving: table k holds twice as much as table k - 1 --- */

enum { TABLE_FIRST_SHIFT = 12, TABLE_COUNT = 21 };

typedef struct {
    _Atomic(void *) tables[TABLE_COUNT];
} Tables;

typedef struct {
    unsigned table;
    uint32_t slot;
} TablePlace;

static TablePlace table_place(uint32_t index)
{
    uint32_t scaled = (index >> TABLE_FIRST_SHIFT) + 1;
    unsigned table = 31 - (unsigned)__builtin_clz(scaled);
    uint32_t before = ((1u << table) - 1) << TABLE_FIRST_SHIFT;
    return (TablePlace){.table = table, .slot = index - before};
}

static size_t table_slots(unsigned table)
{
    return (size_t)1 << (table + TABLE_FIRST_SHIFT);
}

enum {
    SHARD_COUNT = 64,
    SHARD_SHIFT = 26,         /* the upper bits of a 32-bit hash pick the shard */
    SHARD_SLOTS_FIRST = 64,   /* a power of two */
    TEXT_BLOCK_BYTES = 32768, /* must hold the longest code */
};

typedef struct {
    pthread_mutex_t lock;
    ConceptId *slots; /* open addressing, linear; at most 3/4 full */
    uint32_t slot_count;
    uint32_t count;
    char *text; /* what is left of the block in use */
    size_t text_left;
    Arena *arena;
} Shard;

struct ConceptBuilder {
    Shard shards[SHARD_COUNT];
    Tables records; /* of const ConceptRecord *, by id */
    Tables systems; /* of Str, by number */
    pthread_mutex_t table_lock;
    pthread_mutex_t system_lock;
    Map system_numbers;
    Arena *system_arena;
    _Atomic uint32_t next_id;
    _Atomic size_t bytes;
};

/*
 * What a thread has seen. Both tables may forget: they only save the way to the builder. A bucket
 * of four slots is one cache line; when the four are taken and the table may not grow any more,
 * one of them is given up.
 */
enum {
    BUCKET_SLOTS = 4,
    BUCKETS_FIRST = 256,
    BUCKETS_MAX = 1 << 18, /* 16 MiB a thread */
    SYSTEM_SLOTS = 256,
};

typedef struct {
    uint32_t hashes[BUCKET_SLOTS];
    ConceptId ids[BUCKET_SLOTS]; /* 0: free */
    const ConceptRecord *records[BUCKET_SLOTS];
} Bucket;

_Static_assert(sizeof(Bucket) == 64, "a cache line");

typedef struct {
    Str text;
    uint32_t number;
} SeenSystem;

struct ConceptInterner {
    ConceptBuilder *builder;
    Bucket *buckets;
    uint32_t bucket_count;
    uint32_t seen_count;
    SeenSystem systems[SYSTEM_SLOTS];
    Map system_numbers; /* all systems that this thread has met; keys belong to the builder */
    Arena *arena;
};

static void *heap_zalloc(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    ASSERT(memory != NULL);
    return memory;
}

static void lock(pthread_mutex_t *mutex)
{
    int failed = pthread_mutex_lock(mutex);
    ASSERT(!failed);
}

static void unlock(pthread_mutex_t *mutex)
{
    int failed = pthread_mutex_unlock(mutex);
    ASSERT(!failed);
}

static void mutex_init(pthread_mutex_t *mutex)
{
    int failed = pthread_mutex_init(mutex, NULL);
    ASSERT(!failed);
}

ConceptBuilder *concept_builder_create(void)
{
    ConceptBuilder *builder = heap_zalloc(1, sizeof(*builder));
    for (size_t i = 0; i < SHARD_COUNT; i++) {
        Shard *shard = &builder->shards[i];
        mutex_init(&shard->lock);
        shard->slots = heap_zalloc(SHARD_SLOTS_FIRST, sizeof(*shard->slots));
        shard->slot_count = SHARD_SLOTS_FIRST;
    }
    mutex_init(&builder->table_lock);
    mutex_init(&builder->system_lock);
    builder->system_arena = arena_create(0);
    map_init(&builder->system_numbers, builder->system_arena);
    atomic_store(&builder->next_id, 1);
    atomic_store(&builder->bytes,
                 sizeof(*builder) + (size_t)SHARD_COUNT * SHARD_SLOTS_FIRST * sizeof(ConceptId));
    return builder;
}

void concept_builder_destroy(ConceptBuilder *builder)
{
    if (builder == NULL)
        return;
    for (size_t i = 0; i < SHARD_COUNT; i++) {
        Shard *shard = &builder->shards[i];
        free(shard->slots);
        if (shard->arena != NULL)
            arena_destroy(shard->arena);
        (void)pthread_mutex_destroy(&shard->lock);
    }
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        free(atomic_load(&builder->records.tables[i]));
        free(atomic_load(&builder->systems.tables[i]));
    }
    (void)pthread_mutex_destroy(&builder->table_lock);
    (void)pthread_mutex_destroy(&builder->system_lock);
    arena_destroy(builder->system_arena);
    free(builder);
}

/* The table, made by whoever needs it first. */
static void *table_get(ConceptBuilder *builder, Tables *tables, unsigned table, size_t item_size)
{
    void *found = atomic_load_explicit(&tables->tables[table], memory_order_acquire);
    if (LIKELY(found != NULL))
        return found;
    lock(&builder->table_lock);
    found = atomic_load_explicit(&tables->tables[table], memory_order_relaxed);
    if (found == NULL) {
        found = heap_zalloc(table_slots(table), item_size);
        atomic_store_explicit(&tables->tables[table], found, memory_order_release);
    }
    unlock(&builder->table_lock);
    return found;
}

typedef _Atomic(const ConceptRecord *) RecordSlot;

static void record_put(ConceptBuilder *builder, const ConceptRecord *record)
{
    TablePlace place = table_place(record->id);
    RecordSlot *table = table_get(builder, &builder->records, place.table, sizeof(RecordSlot));
    atomic_store_explicit(&table[place.slot], record, memory_order_release);
}

/* NULL when the id was not given out. */
static const ConceptRecord *record_find(const ConceptBuilder *builder, ConceptId id)
{
    TablePlace place = table_place(id);
    RecordSlot *table =
        atomic_load_explicit(&builder->records.tables[place.table], memory_order_acquire);
    if (table == NULL)
        return NULL;
    return atomic_load_explicit(&table[place.slot], memory_order_acquire);
}

static const ConceptRecord *record_get(const ConceptBuilder *builder, ConceptId id)
{
    const ConceptRecord *record = record_find(builder, id);
    ASSERT(record != NULL);
    return record;
}

bool builder_has(const ConceptBuilder *builder, ConceptId id)
{
    return record_find(builder, id) != NULL;
}

static Str system_text(const ConceptBuilder *builder, uint32_t number)
{
    TablePlace place = table_place(number);
    const Str *table =
        atomic_load_explicit(&builder->systems.tables[place.table], memory_order_acquire);
    return table[place.slot];
}

/* --- interning in the builder, under locks --- */

static SeenSystem builder_intern_system(ConceptBuilder *builder, Str system)
{
    lock(&builder->system_lock);
    uint64_t number;
    if (!map_find(&builder->system_numbers, system, &number)) {
        number = builder->system_numbers.count;
        ASSERT(number < SYSTEM_GROUP);
        TablePlace place = table_place((uint32_t)number);
        Str *table = table_get(builder, &builder->systems, place.table, sizeof(Str));
        Str copy = str_copy(builder->system_arena, system);
        table[place.slot] = copy;
        map_put(&builder->system_numbers, copy, number);
    }
    Str text = system_text(builder, (uint32_t)number);
    unlock(&builder->system_lock);
    return (SeenSystem){.text = text, .number = (uint32_t)number};
}

/* What is looked for; data as in a ConceptRecord. */
typedef struct {
    uint32_t hash;
    uint32_t system;
    uint32_t count;
    uint32_t bytes;
    const void *data;
} ConceptKey;

static inline uint64_t load_8(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

static inline uint32_t load_4(const char *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

/* As memcmp() == 0; in place, for texts of some 10 bytes, where a call costs more than the work. */
static inline bool bytes_equal(const char *a, const char *b, size_t size)
{
    if (size >= 16) {
        size_t last = size - 16;
        uint64_t differ = (load_8(a) ^ load_8(b)) | (load_8(a + 8) ^ load_8(b + 8)) |
                          (load_8(a + last) ^ load_8(b + last)) |
                          (load_8(a + last + 8) ^ load_8(b + last + 8));
        if (differ != 0 || last <= 16)
            return differ == 0;
        return memcmp(a + 16, b + 16, last - 16) == 0;
    }
    if (size >= 8) {
        size_t last = size - 8;
        return ((load_8(a) ^ load_8(b)) | (load_8(a + last) ^ load_8(b + last))) == 0;
    }
    if (size >= 4) {
        size_t last = size - 4;
        return ((load_4(a) ^ load_4(b)) | (load_4(a + last) ^ load_4(b + last))) == 0;
    }
    for (size_t i = 0; i < size; i++)
        if (a[i] != b[i])
            return false;
    return true;
}

static inline bool record_is(const ConceptRecord *record, const ConceptKey *key)
{
    return record->system == key->system && record->count == key->count &&
           bytes_equal(record->data, key->data, key->bytes);
}

static void *shard_alloc(ConceptBuilder *builder, Shard *shard, size_t size)
{
    size = (size + 3) & ~(size_t)3;
    if (UNLIKELY(size > shard->text_left)) {
        /* A group may be longer than any block; it gets one of its own. */
        size_t block = size > TEXT_BLOCK_BYTES / 4 ? size : TEXT_BLOCK_BYTES;
        if (shard->arena == NULL)
            shard->arena = arena_create(TEXT_BLOCK_BYTES);
        char *text = arena_alloc(shard->arena, block);
        atomic_fetch_add_explicit(&builder->bytes, block, memory_order_relaxed);
        if (block == size)
            return text;
        shard->text = text;
        shard->text_left = block;
    }
    void *start = shard->text;
    shard->text += size;
    shard->text_left -= size;
    return start;
}

static void shard_grow(ConceptBuilder *builder, Shard *shard)
{
    uint32_t slot_count = shard->slot_count * 2;
    ASSERT(slot_count > shard->slot_count);
    ConceptId *slots = heap_zalloc(slot_count, sizeof(*slots));
    for (uint32_t i = 0; i < shard->slot_count; i++) {
        if (shard->slots[i] == CONCEPT_NONE)
            continue;
        uint32_t slot = record_get(builder, shard->slots[i])->hash & (slot_count - 1);
        while (slots[slot] != CONCEPT_NONE)
            slot = (slot + 1) & (slot_count - 1);
        slots[slot] = shard->slots[i];
    }
    free(shard->slots);
    atomic_fetch_add_explicit(&builder->bytes, (slot_count - shard->slot_count) * sizeof(*slots),
                              memory_order_relaxed);
    shard->slots = slots;
    shard->slot_count = slot_count;
}

static const ConceptRecord *builder_add(ConceptBuilder *builder, Shard *shard,
                                        const ConceptKey *key)
{
    ConceptRecord *record = shard_alloc(builder, shard, sizeof(*record) + key->bytes);
    *record = (ConceptRecord){.id = atomic_fetch_add(&builder->next_id, 1),
                              .hash = key->hash,
                              .system = key->system,
                              .count = key->count};
    ASSERT(record->id < UINT32_MAX - 1);
    if (key->bytes > 0) /* an empty text may have no address */
        memcpy(record->data, key->data, key->bytes);
    record_put(builder, record);
    return record;
}

static const ConceptRecord *builder_intern(ConceptBuilder *builder, const ConceptKey *key)
{
    Shard *shard = &builder->shards[key->hash >> SHARD_SHIFT];
    lock(&shard->lock);
    if (shard->count >= shard->slot_count / 4 * 3)
        shard_grow(builder, shard);
    uint32_t mask = shard->slot_count - 1;
    uint32_t slot = key->hash & mask;
    const ConceptRecord *record = NULL;
    while (shard->slots[slot] != CONCEPT_NONE) {
        record = record_get(builder, shard->slots[slot]);
        if (record->hash == key->hash && record_is(record, key))
            break;
        record = NULL;
        slot = (slot + 1) & mask;
    }
    if (record == NULL) {
        record = builder_add(builder, shard, key);
        shard->slots[slot] = record->id;
        shard->count++;
    }
    unlock(&shard->lock);
    return record;
}

/* --- a thread's window --- */

static Bucket *buckets_create(uint32_t count)
{
    size_t bytes = (size_t)count * sizeof(Bucket);
    Bucket *buckets = aligned_alloc(sizeof(Bucket), bytes);
    ASSERT(buckets != NULL);
    memset(buckets, 0, bytes);
    return buckets;
}

ConceptInterner *concept_interner_create(ConceptBuilder *builder)
{
    ConceptInterner *interner = heap_zalloc(1, sizeof(*interner));
    interner->builder = builder;
    interner->bucket_count = BUCKETS_FIRST;
    interner->buckets = buckets_create(BUCKETS_FIRST);
    interner->arena = arena_create(0);
    map_init(&interner->system_numbers, interner->arena);
    return interner;
}

void concept_interner_destroy(ConceptInterner *interner)
{
    if (interner == NULL)
        return;
    arena_destroy(interner->arena);
    free(interner->buckets);
    free(interner);
}

static inline Bucket *bucket_of(const ConceptInterner *interner, uint32_t hash)
{
    return &interner->buckets[hash & (interner->bucket_count - 1)];
}

static void bucket_set(Bucket *bucket, size_t slot, const ConceptRecord *record)
{
    bucket->hashes[slot] = record->hash;
    bucket->ids[slot] = record->id;
    bucket->records[slot] = record;
}

static bool seen_put(ConceptInterner *interner, const ConceptRecord *record)
{
    Bucket *bucket = bucket_of(interner, record->hash);
    for (size_t i = 0; i < BUCKET_SLOTS; i++)
        if (bucket->ids[i] == CONCEPT_NONE) {
            bucket_set(bucket, i, record);
            interner->seen_count++;
            return true;
        }
    return false;
}

static void seen_grow(ConceptInterner *interner)
{
    Bucket *old = interner->buckets;
    uint32_t old_count = interner->bucket_count;
    interner->bucket_count *= 2;
    interner->buckets = buckets_create(interner->bucket_count);
    interner->seen_count = 0;
    for (uint32_t i = 0; i < old_count; i++)
        for (size_t k = 0; k < BUCKET_SLOTS; k++)
            if (old[i].ids[k] != CONCEPT_NONE)
                (void)seen_put(interner, old[i].records[k]);
    free(old);
}

static ConceptId seen_add(ConceptInterner *interner, const ConceptKey *key)
{
    const ConceptRecord *record = builder_intern(interner->builder, key);
    if (interner->seen_count >= interner->bucket_count * BUCKET_SLOTS / 2 &&
        interner->bucket_count < BUCKETS_MAX)
        seen_grow(interner);
    if (!seen_put(interner, record))
        bucket_set(bucket_of(interner, record->hash), record->id % BUCKET_SLOTS, record);
    return record->id;
}

/* All four hashes are compared at once, so that no branch depends on where the concept stands. */
static inline ConceptId intern_key(ConceptInterner *interner, const ConceptKey *key)
{
    const Bucket *bucket = bucket_of(interner, key->hash);
    unsigned equal = 0;
    for (unsigned i = 0; i < BUCKET_SLOTS; i++)
        equal |= (unsigned)(bucket->hashes[i] == key->hash) << i;
    for (; equal != 0; equal &= equal - 1) {
        unsigned i = (unsigned)__builtin_ctz(equal);
        if (LIKELY(bucket->ids[i] != CONCEPT_NONE && record_is(bucket->records[i], key)))
            return bucket->ids[i];
    }
    return seen_add(interner, key);
}

/* Systems differ at their ends more than at their beginnings. */
static inline size_t system_slot(Str system)
{
    uint64_t tail = 0;
    if (LIKELY(system.len >= sizeof(tail)))
        memcpy(&tail, system.ptr + system.len - sizeof(tail), sizeof(tail));
    else
        for (size_t i = 0; i < system.len; i++)
            tail = tail << 8 | (unsigned char)system.ptr[i];
    return (size_t)(((tail ^ system.len) * 0x9e3779b97f4a7c15ull) >> 56);
}

_Static_assert(SYSTEM_SLOTS == 256, "system_slot gives 8 bits");

static SeenSystem system_miss(ConceptInterner *interner, Str system)
{
    uint64_t number;
    SeenSystem seen;
    if (map_find(&interner->system_numbers, system, &number)) {
        seen = (SeenSystem){.text = system_text(interner->builder, (uint32_t)number),
                            .number = (uint32_t)number};
    } else {
        seen = builder_intern_system(interner->builder, system);
        map_put(&interner->system_numbers, seen.text, seen.number);
    }
    interner->systems[system_slot(system)] = seen;
    return seen;
}

static inline uint32_t system_number(ConceptInterner *interner, Str system)
{
    const SeenSystem *seen = &interner->systems[system_slot(system)];
    if (LIKELY(seen->text.ptr != NULL && seen->text.len == system.len &&
               bytes_equal(seen->text.ptr, system.ptr, system.len)))
        return seen->number;
    return system_miss(interner, system).number;
}

static inline uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* The upper bits pick the shard and the lower ones the slot: both halves depend on all bytes.
   Never stored: it may change from version to version. */
static inline uint32_t hash_of(Str text, uint32_t system)
{
    uint64_t hash = fold(text.len ^ 0xa0761d6478bd642full, system ^ 0xe7037ed1a0b428dbull);
    uint64_t last = 0;
    if (LIKELY(text.len >= 8)) {
        for (size_t i = 0; i + 8 < text.len; i += 8)
            hash = fold(hash ^ load_8(text.ptr + i), 0x8ebc6af09c88c6e3ull);
        last = load_8(text.ptr + text.len - 8);
    } else if (text.len >= 4) {
        last = (uint64_t)load_4(text.ptr) << 32 | load_4(text.ptr + text.len - 4);
    } else {
        for (size_t i = 0; i < text.len; i++)
            last = last << 8 | (unsigned char)text.ptr[i];
    }
    hash = fold(hash ^ last, 0x589965cc75374cc3ull);
    return (uint32_t)(hash ^ hash >> 32);
}

ConceptId concept_intern(ConceptInterner *interner, Str system, Str code)
{
    ASSERT(system.len + code.len <= LIMIT_CONCEPT_TEXT_BYTES);
    uint32_t number = system_number(interner, system);
    ConceptKey key = {.hash = hash_of(code, number),
                      .system = number,
                      .count = (uint32_t)code.len,
                      .bytes = (uint32_t)code.len,
                      .data = code.ptr};
    return intern_key(interner, &key);
}

static int compare_ids(const void *a, const void *b)
{
    ConceptId left = *(const ConceptId *)a;
    ConceptId right = *(const ConceptId *)b;
    return (left > right) - (left < right);
}

/* Sorts and leaves out 0 and what occurs twice; gives how many are left. */
static size_t ids_to_set(ConceptId *ids, size_t count)
{
    enum { INSERTION_MAX = 16 };
    if (count > INSERTION_MAX)
        qsort(ids, count, sizeof(*ids), compare_ids);
    for (size_t i = 1; count <= INSERTION_MAX && i < count; i++) {
        ConceptId id = ids[i];
        size_t at = i;
        for (; at > 0 && ids[at - 1] > id; at--)
            ids[at] = ids[at - 1];
        ids[at] = id;
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (ids[i] != CONCEPT_NONE && (kept == 0 || ids[kept - 1] != ids[i]))
            ids[kept++] = ids[i];
    return kept;
}

static ConceptId intern_sorted_group(ConceptInterner *interner, ConceptId *members, size_t count)
{
    count = ids_to_set(members, count);
    if (count < 2)
        return count == 0 ? CONCEPT_NONE : members[0];
    ASSERT(count <= UINT32_MAX / sizeof(*members));
    Str bytes = {.ptr = (const char *)members, .len = count * sizeof(*members)};
    ConceptKey key = {.hash = hash_of(bytes, SYSTEM_GROUP),
                      .system = SYSTEM_GROUP,
                      .count = (uint32_t)count,
                      .bytes = (uint32_t)bytes.len,
                      .data = members};
    return intern_key(interner, &key);
}

ConceptId concept_intern_group(ConceptInterner *interner, const ConceptId *members, size_t count)
{
    enum { ON_STACK_MAX = 64 };
    if (count == 0)
        return CONCEPT_NONE;
    if (count <= ON_STACK_MAX) {
        ConceptId copy[ON_STACK_MAX];
        memcpy(copy, members, count * sizeof(*members));
        return intern_sorted_group(interner, copy, count);
    }
    ConceptId *copy = heap_zalloc(count, sizeof(*copy));
    memcpy(copy, members, count * sizeof(*members));
    ConceptId id = intern_sorted_group(interner, copy, count);
    free(copy);
    return id;
}

/* --- reading provisional ids --- */

const ConceptId *concept_builder_members(const ConceptBuilder *builder, ConceptId id,
                                         size_t *ret_count)
{
    const ConceptRecord *record = record_get(builder, id);
    bool is_group = record->system == SYSTEM_GROUP;
    *ret_count = is_group ? record->count : 1;
    return is_group ? (const void *)record->data : &record->id;
}

ConceptName concept_builder_name(const ConceptBuilder *builder, ConceptId id)
{
    const ConceptRecord *record = record_get(builder, id);
    /* Asked of a group only through a damaged tape: any member will do. */
    if (record->system == SYSTEM_GROUP)
        record = record_get(builder, *(const ConceptId *)(const void *)record->data);
    return (ConceptName){.system = system_text(builder, record->system),
                         .code = {.ptr = record->data, .len = record->count}};
}

size_t concept_builder_bytes(const ConceptBuilder *builder)
{
    size_t given = atomic_load_explicit(&builder->next_id, memory_order_relaxed);
    return atomic_load_explicit(&builder->bytes, memory_order_relaxed) + given * sizeof(RecordSlot);
}

/* --- finishing --- */

/* A concept with the beginning of what it is sorted by, so that most comparisons touch no text. */
typedef struct {
    uint64_t prefix;
    const ConceptRecord *record;
} SortItem;

static uint64_t text_prefix(const ConceptRecord *record)
{
    uint64_t prefix = 0;
    memcpy(&prefix, record->data, record->count < sizeof(prefix) ? record->count : sizeof(prefix));
    return __builtin_bswap64(prefix);
}

static int compare_codes(const void *a, const void *b)
{
    const SortItem *left = a;
    const SortItem *right = b;
    if (left->prefix != right->prefix)
        return left->prefix < right->prefix ? -1 : 1;
    return str_cmp((Str){.ptr = left->record->data, .len = left->record->count},
                   (Str){.ptr = right->record->data, .len = right->record->count});
}

/* What finishing works with; all in a scratch arena but the image and the numbers. */
typedef struct {
    const ConceptBuilder *builder;
    Arena *scratch;
    uint32_t given; /* provisional ids run from 1 to given - 1 */
    uint32_t system_count;
    uint32_t *system_order; /* numbers of systems, sorted by text */
    uint32_t *system_firsts;
    SortItem *codes; /* sorted by (system, code) */
    uint32_t code_count;
    uint32_t group_count;
    size_t member_count;
    ConceptId *renumber;
} Finish;

typedef struct {
    Str text;
    uint32_t number;
} SystemItem;

static int compare_systems(const void *a, const void *b)
{
    return str_cmp(((const SystemItem *)a)->text, ((const SystemItem *)b)->text);
}

static void sort_systems(Finish *finish)
{
    uint32_t count = (uint32_t)finish->builder->system_numbers.count;
    SystemItem *items = ARENA_ARRAY(finish->scratch, SystemItem, count);
    for (uint32_t i = 0; i < count; i++)
        items[i] = (SystemItem){.text = system_text(finish->builder, i), .number = i};
    qsort(items, count, sizeof(*items), compare_systems);
    finish->system_count = count;
    finish->system_order = ARENA_ARRAY(finish->scratch, uint32_t, count);
    for (uint32_t i = 0; i < count; i++)
        finish->system_order[i] = items[i].number;
}

/* Counting sort by system, then each system by code. */
static void sort_codes(Finish *finish)
{
    uint32_t *starts = ARENA_ZARRAY(finish->scratch, uint32_t, (size_t)finish->system_count);
    for (ConceptId id = 1; id < finish->given; id++) {
        uint32_t system = record_get(finish->builder, id)->system;
        if (system == SYSTEM_GROUP)
            finish->group_count++;
        else
            starts[system]++;
    }
    finish->code_count = finish->given - 1 - finish->group_count;
    finish->system_firsts =
        ARENA_ARRAY(finish->scratch, uint32_t, (size_t)finish->system_count + 1);
    uint32_t sum = 0;
    for (uint32_t i = 0; i < finish->system_count; i++) {
        uint32_t *start = &starts[finish->system_order[i]];
        uint32_t count = *start;
        finish->system_firsts[i] = sum;
        *start = sum;
        sum += count;
    }
    finish->system_firsts[finish->system_count] = sum;
    finish->codes = ARENA_ARRAY(finish->scratch, SortItem, finish->code_count);
    for (ConceptId id = 1; id < finish->given; id++) {
        const ConceptRecord *record = record_get(finish->builder, id);
        if (record->system != SYSTEM_GROUP)
            finish->codes[starts[record->system]++] =
                (SortItem){.prefix = text_prefix(record), .record = record};
    }
    for (uint32_t i = 0; i < finish->system_count; i++) {
        uint32_t first = finish->system_firsts[i];
        qsort(finish->codes + first, finish->system_firsts[i + 1] - first, sizeof(SortItem),
              compare_codes);
    }
    for (uint32_t i = 0; i < finish->code_count; i++)
        finish->renumber[finish->codes[i].record->id] = i + 1;
}

typedef struct {
    const ConceptId *members; /* final, ascending */
    uint32_t count;
    ConceptId provisional;
} GroupItem;

static int compare_groups(const void *a, const void *b)
{
    const GroupItem *left = a;
    const GroupItem *right = b;
    uint32_t common = left->count < right->count ? left->count : right->count;
    for (uint32_t i = 0; i < common; i++)
        if (left->members[i] != right->members[i])
            return left->members[i] < right->members[i] ? -1 : 1;
    return (left->count > right->count) - (left->count < right->count);
}

static GroupItem *sort_groups(Finish *finish)
{
    GroupItem *groups = ARENA_ARRAY(finish->scratch, GroupItem, finish->group_count);
    uint32_t at = 0;
    for (ConceptId id = 1; id < finish->given; id++) {
        const ConceptRecord *record = record_get(finish->builder, id);
        if (record->system != SYSTEM_GROUP)
            continue;
        const ConceptId *given = (const void *)record->data;
        ConceptId *members = ARENA_ARRAY(finish->scratch, ConceptId, record->count);
        for (uint32_t i = 0; i < record->count; i++) {
            members[i] = finish->renumber[given[i]];
            ASSERT(members[i] != CONCEPT_NONE); /* a group has codes as members */
        }
        size_t kept = ids_to_set(members, record->count);
        ASSERT(kept == record->count);
        groups[at++] = (GroupItem){.members = members, .count = record->count, .provisional = id};
        finish->member_count += record->count;
    }
    qsort(groups, finish->group_count, sizeof(*groups), compare_groups);
    for (uint32_t i = 0; i < finish->group_count; i++)
        finish->renumber[groups[i].provisional] = finish->code_count + i + 1;
    return groups;
}

static void count_texts(const Finish *finish, DictHeader *header)
{
    for (uint32_t i = 0; i < finish->system_count; i++)
        header->system_text_bytes += system_text(finish->builder, i).len;
    for (uint32_t i = 0; i < finish->code_count; i++)
        header->code_text_bytes += finish->codes[i].record->count;
    ASSERT(header->system_text_bytes <= UINT32_MAX);
    ASSERT(finish->member_count <= UINT32_MAX);
}

static void write_systems(const Finish *finish, char *image, const DictLayout *layout)
{
    uint32_t *starts = (void *)(image + layout->system_starts);
    char *text = image + layout->system_text;
    uint32_t at = 0;
    for (uint32_t i = 0; i < finish->system_count; i++) {
        Str system = system_text(finish->builder, finish->system_order[i]);
        starts[i] = at;
        memcpy(text + at, system.ptr, system.len);
        at += (uint32_t)system.len;
    }
    starts[finish->system_count] = at;
    memcpy(image + layout->system_firsts, finish->system_firsts,
           ((size_t)finish->system_count + 1) * sizeof(uint32_t));
}

static void write_codes(const Finish *finish, char *image, const DictLayout *layout)
{
    uint64_t *bases = (void *)(image + layout->text_bases);
    uint32_t *starts = (void *)(image + layout->text_starts);
    char *text = image + layout->code_text;
    uint64_t at = 0;
    for (uint64_t i = 0; i <= finish->code_count; i++) {
        size_t block = i >> DICT_TEXT_BLOCK_SHIFT;
        if (i % (1u << DICT_TEXT_BLOCK_SHIFT) == 0)
            bases[block] = at;
        starts[i] = (uint32_t)(at - bases[block]);
        if (i == finish->code_count)
            break;
        const ConceptRecord *record = finish->codes[i].record;
        memcpy(text + at, record->data, record->count);
        at += record->count;
    }
}

static void write_groups(const Finish *finish, const GroupItem *groups, char *image,
                         const DictLayout *layout)
{
    uint32_t *starts = (void *)(image + layout->group_starts);
    ConceptId *members = (void *)(image + layout->members);
    uint32_t at = 0;
    for (uint32_t i = 0; i < finish->group_count; i++) {
        starts[i] = at;
        memcpy(members + at, groups[i].members, groups[i].count * sizeof(ConceptId));
        at += groups[i].count;
    }
    starts[finish->group_count] = at;
}

ConceptDict *concept_builder_finish(ConceptBuilder *builder, Arena *arena,
                                    const ConceptId **ret_renumber)
{
    Finish finish = {
        .builder = builder, .scratch = arena_create(0), .given = atomic_load(&builder->next_id)};
    finish.renumber = ARENA_ZARRAY(arena, ConceptId, finish.given);
    sort_systems(&finish);
    sort_codes(&finish);
    GroupItem *groups = sort_groups(&finish);

    DictHeader header;
    dict_header_init(&header);
    header.system_count = finish.system_count;
    header.code_count = finish.code_count;
    header.group_count = finish.group_count;
    header.member_count = (uint32_t)finish.member_count;
    count_texts(&finish, &header);
    DictLayout layout;
    bool fits = dict_layout(&header, &layout);
    ASSERT(fits);
    header.image_bytes = layout.end;
    char *image = arena_zalloc(arena, layout.end);
    write_systems(&finish, image, &layout);
    write_codes(&finish, image, &layout);
    write_groups(&finish, groups, image, &layout);
    memcpy(image, &header, sizeof(header));
    ((DictHeader *)(void *)image)->crc = dict_image_crc((const DictHeader *)(void *)image);
    arena_destroy(finish.scratch);
    *ret_renumber = finish.renumber;
    return dict_bind(arena, image, &layout);
}

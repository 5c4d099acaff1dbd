#include "store/store_int.h"

#include <stdatomic.h>

#include "base/io.h"
#include "base/threads.h"

enum {
    OPEN_ATTEMPTS = 64, /* versions that may come and go while we open one */
    NAME_BYTES_MAX = 32,
};

typedef enum { VERIFY_DIRECTORY, VERIFY_AREA, VERIFY_PARTS } VerifyPart;

/* A mapped partition file. good[part] is set once, when the part has been verified. */
typedef struct {
    Partition partition;
    IoMap map;
    uint64_t last_hash; /* highest that may be in here */
    atomic_bool good[VERIFY_PARTS];
} OpenPartition;

struct Store {
    Arena *arena; /* of its own, so that closing gives everything back */
    Manifest manifest;
    StoreInfo info;
    IoMap dict_map;
    ConceptDict *dict;
    size_t count; /* of partitions */
    OpenPartition *partitions;
    size_t shared_count;
    OpenPartition *shared;
};

/* ---- opening ---- */

static void release(Store *store)
{
    for (size_t i = 0; i < store->count; i++)
        io_unmap(&store->partitions[i].map);
    for (size_t i = 0; i < store->shared_count; i++)
        io_unmap(&store->shared[i].map);
    io_unmap(&store->dict_map);
    Arena *arena = store->arena;
    arena_destroy(arena);
}

static ErrorCode map_file(Str path, const ManifestFile *file, IoMap *ret_map, Error *err)
{
    ErrorCode code = io_map(path, ret_map, err);
    if (code == ERR_OK && ret_map->size != file->size) {
        io_unmap(ret_map);
        return error_set(err, ERR_DAMAGED, "%.*s: the file has another size than it had",
                         STR_ARG(path));
    }
    return code;
}

static ErrorCode open_dict(Store *store, Str folder, Error *err)
{
    Str path = io_join(store->arena, folder, S("concepts.brd"));
    const ManifestFile *file = &store->manifest.dict;
    ErrorCode code = map_file(path, file, &store->dict_map, err);
    if (code != ERR_OK)
        return code;
    if (io_crc32c(0, store->dict_map.ptr, store->dict_map.size) != file->crc)
        return error_set(err, ERR_DAMAGED, "%.*s: wrong checksum", STR_ARG(path));
    code = concept_dict_open(store->arena, store->dict_map.ptr, store->dict_map.size, &store->dict,
                             err);
    return code == ERR_OK ? ERR_OK : error_wrap(err, "%.*s", STR_ARG(path));
}

static ErrorCode open_partition(Store *store, Str path, const ManifestFile *file,
                                OpenPartition *ret_opened, Error *err)
{
    ErrorCode code = map_file(path, file, &ret_opened->map, err);
    if (code != ERR_OK)
        return code;
    Partition *partition = &ret_opened->partition;
    code = partition_open(path, ret_opened->map.ptr, ret_opened->map.size, store->dict, partition,
                          err);
    if (code == ERR_OK &&
        (partition->head_crc != file->crc || partition->batch.person_count != file->persons))
        code = error_set(err, ERR_DAMAGED, "%.*s: not the file that the manifest names",
                         STR_ARG(path));
    return code;
}

static ErrorCode open_files(Store *store, Str path, Error *err)
{
    const Manifest *manifest = &store->manifest;
    Str folder = store_generation_path(store->arena, path, manifest->generation);
    ErrorCode code = open_dict(store, folder, err);
    if (code != ERR_OK)
        return code;
    store->partitions = ARENA_ZARRAY(store->arena, OpenPartition, manifest->partition_count);
    for (size_t i = 0; i < manifest->partition_count; i++) {
        OpenPartition *opened = &store->partitions[i];
        bool is_last = i + 1 == manifest->partition_count;
        opened->last_hash = is_last ? UINT64_MAX : manifest->partitions[i + 1].first_hash - 1;
        store->count = i + 1;
        code = open_partition(store, store_partition_path(store->arena, folder, i),
                              &manifest->partitions[i], opened, err);
        if (code != ERR_OK)
            return code;
    }
    store->shared = ARENA_ZARRAY(store->arena, OpenPartition, manifest->shared_count);
    for (size_t i = 0; i < manifest->shared_count; i++) {
        store->shared_count = i + 1;
        code = open_partition(store, store_shared_path(store->arena, folder, i),
                              &manifest->shared[i], &store->shared[i], err);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

static void fill_info(Store *store)
{
    const Manifest *manifest = &store->manifest;
    StoreInfo *info = &store->info;
    *info = (StoreInfo){
        .shared_resources = manifest->shared_resources,
        .file_bytes = manifest->dict.size,
        .source_files = manifest->source.files,
        .source_bytes = manifest->source.bytes,
        .partitions = (uint32_t)manifest->partition_count,
        .generation = manifest->generation,
        .source = manifest->source.source,
    };
    memcpy(info->by_type, manifest->by_type, sizeof(info->by_type));
    for (size_t i = 0; i < FHIR_RESOURCE_TYPE_LIMIT; i++)
        info->resources += manifest->by_type[i];
    for (size_t i = 0; i < manifest->shared_count; i++)
        info->file_bytes += manifest->shared[i].size;
    for (size_t i = 0; i < manifest->partition_count; i++) {
        info->persons += manifest->partitions[i].persons;
        info->file_bytes += manifest->partitions[i].size;
    }
}

/* One attempt at the version that the manifest names now. */
static ErrorCode open_once(Arena *arena, Str path, Store **ret_store, Error *err)
{
    Store *store = ARENA_NEW(arena, Store);
    store->arena = arena_create(0);
    ErrorCode code = manifest_read(store->arena, path, &store->manifest, err);
    uint32_t generation = store->manifest.generation;
    if (code == ERR_OK)
        code = open_files(store, path, err);
    if (code != ERR_OK) {
        /* Whoever sees this generation gone knows that a newer one took its place. */
        release(store);
        store->manifest.generation = generation;
        *ret_store = store;
        return code;
    }
    fill_info(store);
    *ret_store = store;
    return ERR_OK;
}

ErrorCode store_open(Arena *arena, Str path, Store **ret_store, Error *err)
{
    Store *store = NULL;
    ErrorCode code = open_once(arena, path, &store, err);
    for (int i = 0; code != ERR_OK && i < OPEN_ATTEMPTS; i++) {
        /* The version may have been replaced, and its files removed, while we opened them. */
        Manifest now;
        Arena *scratch = arena_create(0);
        bool is_newer = manifest_read(scratch, path, &now, NULL) == ERR_OK &&
                        now.generation != store->manifest.generation;
        arena_destroy(scratch);
        if (!is_newer)
            return code;
        code = open_once(arena, path, &store, err);
    }
    if (code == ERR_OK)
        *ret_store = store;
    return code;
}

void store_close(Store *store)
{
    if (store != NULL)
        release(store);
}

void store_cleanup(Store **store)
{
    store_close(*store);
}

const StoreInfo *store_info(const Store *store)
{
    return &store->info;
}

const ConceptDict *store_dict(const Store *store)
{
    return store->dict;
}

size_t store_partition_count(const Store *store)
{
    return store->count;
}

uint32_t store_partition_persons(const Store *store, size_t partition)
{
    ASSERT(partition < store->count);
    return store->manifest.partitions[partition].persons;
}

const Partition *store_partition_opened(const Store *store, size_t partition)
{
    ASSERT(partition < store->count);
    return &store->partitions[partition].partition;
}

const Partition *store_shared_opened(const Store *store, size_t number)
{
    ASSERT(number < store->shared_count);
    return &store->shared[number].partition;
}

const Manifest *store_manifest(const Store *store)
{
    return &store->manifest;
}

/* ---- reading ---- */

/* Two threads that come at once both verify and agree: that costs time once, and no lock. */
static ErrorCode verify_slowly(OpenPartition *opened, VerifyPart part, Error *err)
{
    ErrorCode code = part == VERIFY_DIRECTORY ? partition_verify_directory(&opened->partition, err)
                                              : partition_verify_area(&opened->partition, err);
    if (code == ERR_OK)
        atomic_store_explicit(&opened->good[part], true, memory_order_release);
    return code;
}

static inline ErrorCode verify(OpenPartition *opened, VerifyPart part, Error *err)
{
    if (LIKELY(atomic_load_explicit(&opened->good[part], memory_order_acquire)))
        return ERR_OK;
    return verify_slowly(opened, part, err);
}

static ErrorCode verify_all(OpenPartition *opened, Error *err)
{
    ErrorCode code = verify(opened, VERIFY_DIRECTORY, err);
    return code != ERR_OK ? code : verify(opened, VERIFY_AREA, err);
}

ErrorCode store_batch(const Store *store, size_t partition, const RecordBatch **ret_batch,
                      Error *err)
{
    ASSERT(partition < store->count);
    OpenPartition *opened = &store->partitions[partition];
    ErrorCode code = verify_all(opened, err);
    if (code == ERR_OK)
        *ret_batch = &opened->partition.batch;
    return code;
}

ErrorCode store_directory(const Store *store, size_t partition, const RecordBatch **ret_batch,
                          Error *err)
{
    ASSERT(partition < store->count);
    OpenPartition *opened = &store->partitions[partition];
    ErrorCode code = verify(opened, VERIFY_DIRECTORY, err);
    if (code == ERR_OK)
        *ret_batch = &opened->partition.directory;
    return code;
}

size_t store_shared_count(const Store *store)
{
    return store->shared_count;
}

ErrorCode store_shared(const Store *store, size_t number, const RecordBatch **ret_batch, Error *err)
{
    ASSERT(number < store->shared_count);
    OpenPartition *opened = &store->shared[number];
    ErrorCode code = verify_all(opened, err);
    if (code == ERR_OK)
        *ret_batch = &opened->partition.batch;
    return code;
}

/* The last partition whose first hash is not above. */
static size_t partition_of_hash(const Store *store, uint64_t hash)
{
    size_t from = 0;
    size_t left = store->count;
    while (left > 1) {
        size_t half = left / 2;
        bool is_behind = store->manifest.partitions[from + half].first_hash <= hash;
        from = is_behind ? from + half : from;
        left = is_behind ? left - half : half;
    }
    return from;
}

/* The first row whose hash is not below. Hashes are spread evenly, so the row is guessed from the
   hash's place in the partition's span and then searched for nearby. */
static uint32_t row_of_hash(const RecordBatch *batch, uint64_t first, uint64_t last, uint64_t hash)
{
    uint32_t count = batch->person_count;
    const uint64_t *hashes = batch->id_hashes;
    unsigned __int128 place = (unsigned __int128)(hash - first) * count;
    uint32_t guess = (uint32_t)(place / ((unsigned __int128)(last - first) + 1));
    uint32_t low;
    uint32_t high;
    uint32_t step = 8;
    if (hashes[guess] < hash) {
        low = guess + 1;
        while (low + step < count && hashes[low + step] < hash) {
            low += step;
            step *= 2;
        }
        high = low + step < count ? low + step : count;
    } else {
        high = guess;
        while (high > step && hashes[high - step] >= hash) {
            high -= step;
            step *= 2;
        }
        low = high > step ? high - step : 0;
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (hashes[middle] < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static ErrorCode no_person(Str id, Error *err)
{
    return err == NULL
               ? ERR_NOT_FOUND
               : error_set(err, ERR_NOT_FOUND, "the store has no person '%.*s'", STR_ARG(id));
}

static ErrorCode locate(const Store *store, Str id, bool with_tapes, size_t *ret_partition,
                        uint32_t *ret_row, Error *err)
{
    uint64_t hash = str_hash(id);
    if (store->count == 0)
        return no_person(id, err);
    size_t number = partition_of_hash(store, hash);
    OpenPartition *opened = &store->partitions[number];
    ErrorCode code = with_tapes ? verify_all(opened, err) : verify(opened, VERIFY_DIRECTORY, err);
    if (code != ERR_OK)
        return code;
    const RecordBatch *batch = &opened->partition.batch;
    uint64_t first = store->manifest.partitions[number].first_hash;
    if (batch->person_count == 0 || hash < first)
        return no_person(id, err);
    uint32_t row = row_of_hash(batch, first, opened->last_hash, hash);
    for (; row < batch->person_count && batch->id_hashes[row] == hash; row++) {
        Str found = {.ptr = batch->id_bytes + batch->id_starts[row],
                     .len = batch->id_starts[row + 1] - batch->id_starts[row]};
        if (str_eq(found, id)) {
            *ret_partition = number;
            *ret_row = row;
            return ERR_OK;
        }
    }
    return no_person(id, err);
}

ErrorCode store_locate_person(const Store *store, Str id, size_t *ret_partition, uint32_t *ret_row,
                              Error *err)
{
    return locate(store, id, false, ret_partition, ret_row, err);
}

ErrorCode store_find_person(const Store *store, Str id, Record *ret_record, Error *err)
{
    size_t partition = 0;
    uint32_t row = 0;
    ErrorCode code = locate(store, id, true, &partition, &row, err);
    if (code == ERR_OK)
        *ret_record = (Record){.batch = &store->partitions[partition].partition.batch, .row = row};
    return code;
}

/* ---- all partitions ---- */

typedef struct {
    const Store *store;
    StoreVisitFn visit;
    void *context;
    Error *errors; /* one a partition */
} Visit;

static bool visit_one(void *context, size_t worker, size_t item)
{
    Visit *visit = context;
    const RecordBatch *batch;
    if (store_batch(visit->store, item, &batch, &visit->errors[item]) != ERR_OK)
        return false;
    return visit->visit(visit->context, worker, item, batch);
}

ErrorCode store_for_each(const Store *store, size_t threads, StoreVisitFn visit, void *context,
                         Error *err)
{
    Arena *arena CLEANUP(arena_cleanup) = arena_create(0);
    Visit state = {.store = store,
                   .visit = visit,
                   .context = context,
                   .errors = ARENA_ZARRAY(arena, Error, store->count)};
    if (work_run(threads, store->count, visit_one, &state))
        return ERR_OK;
    for (size_t i = 0; i < store->count; i++) {
        if (state.errors[i].code != ERR_OK)
            return error_set(err, state.errors[i].code, "%s", state.errors[i].message);
    }
    return error_set(err, ERR_STOPPED, "stopped before all persons were seen");
}

/* ---- posting lists ---- */

static ErrorCode bad_posting(const Partition *partition, uint16_t type, Error *err)
{
    return error_set(err, ERR_DAMAGED, "%.*s: section postings: the rows of a %s are damaged",
                     STR_ARG(partition->name), fhir_type_table[type].name);
}

ErrorCode store_rows_with(const Store *store, size_t partition, uint16_t type,
                          const ConceptSet *set, uint64_t *bits, Error *err)
{
    ASSERT(partition < store->count && type < FHIR_RESOURCE_TYPE_LIMIT);
    OpenPartition *opened = &store->partitions[partition];
    ErrorCode code = verify(opened, VERIFY_DIRECTORY, err);
    if (code == ERR_OK && !postings_rows_with(&opened->partition.postings, type, set, bits))
        code = bad_posting(&opened->partition, type, err);
    return code;
}

ErrorCode store_count_with(const Store *store, uint16_t type, const ConceptSet *set,
                           uint64_t *ret_count, Error *err)
{
    ASSERT(type < FHIR_RESOURCE_TYPE_LIMIT);
    uint32_t largest = 0;
    for (size_t i = 0; i < store->count; i++) {
        uint32_t persons = store->manifest.partitions[i].persons;
        largest = persons > largest ? persons : largest;
    }
    Arena *arena CLEANUP(arena_cleanup) = arena_create(0);
    uint64_t *scratch = ARENA_ARRAY(arena, uint64_t, store_row_words(largest));
    uint64_t total = 0;
    for (size_t i = 0; i < store->count; i++) {
        OpenPartition *opened = &store->partitions[i];
        ErrorCode code = verify(opened, VERIFY_DIRECTORY, err);
        uint64_t count = 0;
        if (code == ERR_OK &&
            !postings_count_with(&opened->partition.postings, type, set, scratch, &count))
            code = bad_posting(&opened->partition, type, err);
        if (code != ERR_OK)
            return code;
        total += count;
    }
    *ret_count = total;
    return ERR_OK;
}

#include "store/store_int.h"

#include <pthread.h>

#include "base/io.h"

/*
 * The next version grows in gen-<n> beside the present one; nothing but the replacement of
 * the manifest makes it count. Everything that the manifest will name is synced before,
 * files first, then the folders that hold their names.
 */
typedef struct {
    ManifestFile file;
    bool is_written;
} Written;
typedef Vec(Written) WrittenVec;

/* Files wait to be synced until there are so many of them, or until the commit: by then the disk
   has most of what they hold, and the threads that made them have not stood still for it. */
enum { UNSYNCED_MAX = 64, IMAGE_BLOCK_BYTES = 4 << 20 };

struct StoreWriter {
    Arena *arena; /* of its own, under the lock below */
    pthread_mutex_t lock;
    IoFile lock_file;
    Str path;
    Str generation_path;
    Str temp_path;
    bool has_earlier;
    uint32_t earlier; /* the present version's number */
    Manifest manifest;
    bool has_dict;
    WrittenVec partitions;
    WrittenVec shared;
    IoFile unsynced[UNSYNCED_MAX]; /* written, open; under the lock */
    size_t unsynced_count;
    Vec(Arena *) idle; /* for images, to be used again; under the lock */
};

/* For cleaning up where nobody can be told: what is left is removed by the next writer. */
static void best_effort(UNUSED ErrorCode code)
{
}

/* ---- beginning ---- */

static Str parent_of(Str path)
{
    while (path.len > 1 && path.ptr[path.len - 1] == '/')
        path.len--;
    while (path.len > 0 && path.ptr[path.len - 1] != '/')
        path.len--;
    while (path.len > 1 && path.ptr[path.len - 1] == '/')
        path.len--;
    return path.len == 0 ? S(".") : path;
}

/* Removes what no manifest names, and finds the first number that is free. */
static ErrorCode clear_leftovers(StoreWriter *writer, bool may_remove_versions, Error *err)
{
    IoNames names = {0};
    ErrorCode code = io_list_dir(writer->arena, writer->path, &names, err);
    if (code != ERR_OK)
        return code;
    uint32_t highest = writer->has_earlier ? writer->earlier : 0;
    VEC_FOREACH (Str, name, &names) {
        uint32_t generation;
        bool is_version = store_parse_generation(*name, &generation);
        if (is_version && generation > highest)
            highest = generation;
        bool is_left = str_starts_with(*name, S("tmp-")) ||
                       (is_version && may_remove_versions && generation != writer->earlier);
        if (is_left)
            code = io_remove_tree(io_join(writer->arena, writer->path, *name), err);
        if (code != ERR_OK)
            return code;
    }
    /* Numbers follow the present version's, so that the same loads give the same names whatever
       was interrupted between them. */
    bool is_clean = may_remove_versions || !writer->has_earlier;
    writer->manifest.generation = (is_clean ? writer->earlier : highest) + 1;
    return io_remove(io_join(writer->arena, writer->path, S("manifest.tmp")), err);
}

static ErrorCode begin(StoreWriter *writer, Error *err)
{
    ErrorCode code = io_make_dirs(writer->path, err);
    if (code == ERR_OK)
        code = io_sync_dir(parent_of(writer->path), err);
    if (code == ERR_OK)
        code = io_lock(io_join(writer->arena, writer->path, S("lock")), &writer->lock_file, err);
    if (code != ERR_OK)
        return code;
    Manifest earlier;
    Arena *scratch CLEANUP(arena_cleanup) = arena_create(0);
    ErrorCode found = manifest_read(scratch, writer->path, &earlier, NULL);
    writer->has_earlier = found == ERR_OK;
    writer->earlier = writer->has_earlier ? earlier.generation : 0;
    /* A manifest that cannot be read may still be mended by hand: its files are kept until a new
       version is whole. */
    code = clear_leftovers(writer, found == ERR_OK || found == ERR_NOT_FOUND, err);
    if (code != ERR_OK)
        return code;
    uint32_t generation = writer->manifest.generation;
    writer->generation_path = store_generation_path(writer->arena, writer->path, generation);
    writer->temp_path =
        io_join(writer->arena, writer->path, str_format(writer->arena, "tmp-%06u", generation));
    code = io_make_dirs(writer->generation_path, err);
    if (code == ERR_OK)
        code = io_make_dirs(writer->temp_path, err);
    return code;
}

ErrorCode store_writer_begin(Arena *arena, Str path, StoreWriter **ret_writer, Error *err)
{
    StoreWriter *writer = ARENA_NEW(arena, StoreWriter);
    writer->arena = arena_create(0);
    pthread_mutex_init(&writer->lock, NULL);
    writer->lock_file = IO_FILE_CLOSED;
    writer->path = str_copy(writer->arena, path);
    writer->manifest.model = store_model_mark();
    ErrorCode code = begin(writer, err);
    if (code != ERR_OK) {
        store_writer_end(writer);
        return code;
    }
    *ret_writer = writer;
    return ERR_OK;
}

Str store_writer_temp_dir(const StoreWriter *writer)
{
    return writer->temp_path;
}

/* ---- memory for images ---- */

static Arena *borrow_arena(StoreWriter *writer)
{
    pthread_mutex_lock(&writer->lock);
    Arena *arena = writer->idle.count > 0 ? writer->idle.items[--writer->idle.count] : NULL;
    pthread_mutex_unlock(&writer->lock);
    return arena != NULL ? arena : arena_create(IMAGE_BLOCK_BYTES);
}

static void return_arena(StoreWriter *writer, Arena *arena)
{
    arena_reset(arena);
    pthread_mutex_lock(&writer->lock);
    VEC_PUSH(writer->arena, &writer->idle, arena);
    pthread_mutex_unlock(&writer->lock);
}

/* ---- writing files ---- */

static bool take_waiting(StoreWriter *writer, IoFile *ret_file)
{
    pthread_mutex_lock(&writer->lock);
    bool has_any = writer->unsynced_count > 0;
    if (has_any)
        *ret_file = writer->unsynced[--writer->unsynced_count];
    pthread_mutex_unlock(&writer->lock);
    return has_any;
}

ErrorCode store_writer_settle(StoreWriter *writer, Error *err)
{
    IoFile file CLEANUP(io_close_cleanup) = IO_FILE_CLOSED;
    while (take_waiting(writer, &file)) {
        ErrorCode code = io_sync(&file, err);
        if (code == ERR_OK)
            code = io_close(&file, err);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

/* Takes the file over: it is synced and closed later. */
static ErrorCode leave_unsynced(StoreWriter *writer, IoFile *file, Error *err)
{
    io_sync_begin(file);
    pthread_mutex_lock(&writer->lock);
    bool has_room = writer->unsynced_count < UNSYNCED_MAX;
    if (has_room) {
        IoFile *waiting = &writer->unsynced[writer->unsynced_count++];
        *waiting = (IoFile){.fd = file->fd, .path = str_copy(writer->arena, file->path)};
        *file = IO_FILE_CLOSED;
    }
    pthread_mutex_unlock(&writer->lock);
    if (has_room)
        return ERR_OK;
    ErrorCode code = io_sync(file, err);
    if (code == ERR_OK)
        code = io_close(file, err);
    return code == ERR_OK ? store_writer_settle(writer, err) : code;
}

static ErrorCode write_parts(StoreWriter *writer, Str path, const Str *parts, size_t count,
                             Error *err)
{
    IoFile file CLEANUP(io_close_cleanup) = IO_FILE_CLOSED;
    ErrorCode code = io_create(path, &file, err);
    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        if (parts[i].len > 0)
            code = io_write(&file, parts[i].ptr, parts[i].len, err);
    }
    return code == ERR_OK ? leave_unsynced(writer, &file, err) : code;
}

ErrorCode store_writer_dict(StoreWriter *writer, const ConceptDict *dict, Error *err)
{
    ASSERT(!writer->has_dict);
    Arena *arena CLEANUP(arena_cleanup) = arena_create(0);
    Str bytes = concept_dict_serialise(dict, arena);
    ErrorCode code = write_parts(writer, io_join(arena, writer->generation_path, S("concepts.brd")),
                                 &bytes, 1, err);
    if (code != ERR_OK)
        return code;
    writer->manifest.dict =
        (ManifestFile){.size = bytes.len, .crc = io_crc32c(0, bytes.ptr, bytes.len)};
    writer->has_dict = true;
    return ERR_OK;
}

static ErrorCode write_image(StoreWriter *writer, Arena *arena, Str path, const RecordBatch *batch,
                             ManifestFile *ret_file, Error *err)
{
    static const char zeros[PARTITION_ALIGN];
    PartitionImage image;
    ErrorCode code = partition_image(arena, batch, &image, err);
    if (code != ERR_OK)
        return code;
    const Str parts[] = {
        image.front,
        {.ptr = (const char *)image.area, .len = image.area_size},
        {.ptr = zeros, .len = image.padding},
    };
    code = write_parts(writer, path, parts, COUNT_OF(parts), err);
    if (code != ERR_OK)
        return code;
    *ret_file = (ManifestFile){
        .size = image.front.len + image.area_size + image.padding,
        .first_hash = batch->person_count == 0 ? 0 : batch->id_hashes[0],
        .persons = batch->person_count,
        .crc = image.head_crc,
    };
    return ERR_OK;
}

static ErrorCode write_batch(StoreWriter *writer, Str path, const RecordBatch *batch,
                             ManifestFile *ret_file, Error *err)
{
    Arena *arena = borrow_arena(writer);
    ErrorCode code = write_image(writer, arena, path, batch, ret_file, err);
    return_arena(writer, arena);
    return code;
}

static uint64_t count_types(StoreWriter *writer, const RecordBatch *batch)
{
    uint64_t total = 0;
    for (size_t type = 0; type < FHIR_RESOURCE_TYPE_LIMIT; type++) {
        writer->manifest.by_type[type] += batch->types[type].entries.count;
        total += batch->types[type].entries.count;
    }
    return total;
}

static ErrorCode add_batch(StoreWriter *writer, Str path, WrittenVec *files, size_t number,
                           const RecordBatch *batch, Error *err)
{
    ManifestFile file;
    ErrorCode code = write_batch(writer, path, batch, &file, err);
    if (code != ERR_OK)
        return code;
    pthread_mutex_lock(&writer->lock);
    while (files->count <= number)
        VEC_PUSH(writer->arena, files, (Written){0});
    ASSERT(!files->items[number].is_written);
    files->items[number] = (Written){.file = file, .is_written = true};
    uint64_t resources = count_types(writer, batch);
    writer->manifest.shared_resources += files == &writer->shared ? resources : 0;
    pthread_mutex_unlock(&writer->lock);
    return ERR_OK;
}

ErrorCode store_writer_add(StoreWriter *writer, size_t partition, const RecordBatch *batch,
                           Error *err)
{
    Arena *arena CLEANUP(arena_cleanup) = arena_create(0);
    return add_batch(writer, store_partition_path(arena, writer->generation_path, partition),
                     &writer->partitions, partition, batch, err);
}

ErrorCode store_writer_add_shared(StoreWriter *writer, size_t number, const RecordBatch *batch,
                                  Error *err)
{
    Arena *arena CLEANUP(arena_cleanup) = arena_create(0);
    return add_batch(writer, store_shared_path(arena, writer->generation_path, number),
                     &writer->shared, number, batch, err);
}

/* ---- the end ---- */

/* The files that still wait, and the folders that hold their names. */
static ErrorCode sync_names(StoreWriter *writer, Error *err)
{
    ErrorCode code = store_writer_settle(writer, err);
    if (code == ERR_OK)
        code = io_sync_dir(writer->generation_path, err);
    return code == ERR_OK ? io_sync_dir(writer->path, err) : code;
}

static ManifestFile *files_written(Arena *arena, const WrittenVec *written)
{
    ManifestFile *files = ARENA_ARRAY(arena, ManifestFile, written->count);
    VEC_FOREACH (Written, each, written) {
        ASSERT(each->is_written);
        files[each - written->items] = each->file;
    }
    return files;
}

ErrorCode store_writer_commit(StoreWriter *writer, const StoreSource *source, Error *err)
{
    ASSERT(writer->has_dict);
    Manifest *manifest = &writer->manifest;
    manifest->partition_count = writer->partitions.count;
    manifest->partitions = files_written(writer->arena, &writer->partitions);
    for (size_t i = 1; i < manifest->partition_count; i++)
        ASSERT(manifest->partitions[i].first_hash > manifest->partitions[i - 1].first_hash);
    manifest->shared_count = writer->shared.count;
    manifest->shared = files_written(writer->arena, &writer->shared);
    manifest->source = *source;
    ErrorCode code = sync_names(writer, err);
    if (code == ERR_OK)
        code = io_replace_file(manifest_path(writer->arena, writer->path),
                               manifest_format(writer->arena, manifest), err);
    if (code != ERR_OK)
        return code;
    /* From here the version counts: what cannot be removed now is removed by the next writer. */
    writer->generation_path = (Str){0};
    if (writer->has_earlier)
        best_effort(io_remove_tree(
            store_generation_path(writer->arena, writer->path, writer->earlier), NULL));
    return ERR_OK;
}

void store_writer_end(StoreWriter *writer)
{
    if (writer == NULL)
        return;
    while (writer->unsynced_count > 0)
        io_close_cleanup(&writer->unsynced[--writer->unsynced_count]);
    if (writer->temp_path.len > 0)
        best_effort(io_remove_tree(writer->temp_path, NULL));
    if (writer->generation_path.len > 0)
        best_effort(io_remove_tree(writer->generation_path, NULL));
    io_close_cleanup(&writer->lock_file);
    VEC_FOREACH (Arena *, idle, &writer->idle)
        arena_destroy(*idle);
    Arena *arena = writer->arena;
    pthread_mutex_destroy(&writer->lock);
    arena_destroy(arena);
}

/* The file layer "braid": SQLite's layer for unix with io's hook before everything that changes a
   file. The shared memory of WAL is made anew after a crash and has no hook. */
#include <errno.h>
#include <pthread.h>

#include "ledger/ledger_int.h"

/* The real file stands behind this in the same allocation. */
typedef struct {
    sqlite3_file base;
    const char *path; /* SQLite's, as long as the file is open; NULL for temporary files */
    sqlite3_file *real;
} ShimFile;

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((ShimFile *)file)->real;
}

static sqlite3_vfs *real_vfs(sqlite3_vfs *vfs)
{
    return vfs->pAppData;
}

/* What SQLite is told when the hook gave an errno value. */
static int fault_code(int fault, int otherwise)
{
    return fault == ENOSPC || fault == EDQUOT ? SQLITE_FULL : otherwise;
}

static int hook(IoOp op, const char *path, uint64_t size, int otherwise)
{
    IoEvent event = {.op = op, .path = path == NULL ? "" : path, .size = (size_t)size};
    size_t allowed = event.size;
    int fault = io_hook_call(&event, &allowed);
    return fault == 0 ? SQLITE_OK : fault_code(fault, otherwise);
}

static int shim_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int shim_read(sqlite3_file *file, void *data, int size, sqlite3_int64 offset)
{
    return real_of(file)->pMethods->xRead(real_of(file), data, size, offset);
}

static int shim_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset)
{
    const ShimFile *shim = (const ShimFile *)file;
    sqlite3_file *real = real_of(file);
    IoEvent event = {.op = IO_WRITE,
                     .path = shim->path == NULL ? "" : shim->path,
                     .data = data,
                     .size = (size_t)size,
                     .offset = (uint64_t)offset};
    size_t allowed = event.size;
    int fault = io_hook_call(&event, &allowed);
    if (fault == 0)
        return real->pMethods->xWrite(real, data, size, offset);
    if (allowed > 0 && allowed < event.size)
        (void)real->pMethods->xWrite(real, data, (int)allowed, offset);
    return fault_code(fault, SQLITE_IOERR_WRITE);
}

static int shim_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    int code = hook(IO_TRUNCATE, ((ShimFile *)file)->path, (uint64_t)size, SQLITE_IOERR_TRUNCATE);
    return code != SQLITE_OK ? code : real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int shim_sync(sqlite3_file *file, int flags)
{
    int code = hook(IO_SYNC, ((ShimFile *)file)->path, 0, SQLITE_IOERR_FSYNC);
    return code != SQLITE_OK ? code : real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int shim_file_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), ret_size);
}

static int shim_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int shim_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int shim_check_reserved(sqlite3_file *file, int *ret_is_reserved)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret_is_reserved);
}

static int shim_file_control(sqlite3_file *file, int op, void *argument)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), op, argument);
}

static int shim_sector_size(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int shim_characteristics(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int shim_shm_map(sqlite3_file *file, int page, int page_size, int extend,
                        void volatile **ret_memory)
{
    return real_of(file)->pMethods->xShmMap(real_of(file), page, page_size, extend, ret_memory);
}

static int shim_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

static void shim_shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int shim_shm_unmap(sqlite3_file *file, int is_deleted)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), is_deleted);
}

/* Version 2: no memory mapping of the file, which would go past the hook. */
static const sqlite3_io_methods shim_methods = {
    .iVersion = 2,
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_file_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_check_reserved,
    .xFileControl = shim_file_control,
    .xSectorSize = shim_sector_size,
    .xDeviceCharacteristics = shim_characteristics,
    .xShmMap = shim_shm_map,
    .xShmLock = shim_shm_lock,
    .xShmBarrier = shim_shm_barrier,
    .xShmUnmap = shim_shm_unmap,
};

static int shim_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
                     int *ret_flags)
{
    ShimFile *shim = (ShimFile *)file;
    sqlite3_vfs *real = real_vfs(vfs);
    *shim = (ShimFile){.path = path, .real = (sqlite3_file *)(shim + 1)};
    if (path != NULL && (flags & SQLITE_OPEN_CREATE) != 0) {
        int exists = 0;
        int code = real->xAccess(real, path, SQLITE_ACCESS_EXISTS, &exists);
        if (code == SQLITE_OK && !exists)
            code = hook(IO_OPEN, path, 0, SQLITE_CANTOPEN);
        if (code != SQLITE_OK)
            return code;
    }
    int code = real->xOpen(real, path, shim->real, flags, ret_flags);
    /* With methods set SQLite closes the file, even one that did not open. */
    if (shim->real->pMethods != NULL)
        shim->base.pMethods = &shim_methods;
    return code;
}

static int shim_delete(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
    sqlite3_vfs *real = real_vfs(vfs);
    int exists = 0;
    int code = real->xAccess(real, path, SQLITE_ACCESS_EXISTS, &exists);
    if (code == SQLITE_OK && exists)
        code = hook(IO_REMOVE, path, 0, SQLITE_IOERR_DELETE);
    return code != SQLITE_OK ? code : real->xDelete(real, path, sync_folder);
}

static int shim_access(sqlite3_vfs *vfs, const char *path, int flags, int *ret_result)
{
    return real_vfs(vfs)->xAccess(real_vfs(vfs), path, flags, ret_result);
}

static int shim_full_pathname(sqlite3_vfs *vfs, const char *path, int size, char *ret_path)
{
    return real_vfs(vfs)->xFullPathname(real_vfs(vfs), path, size, ret_path);
}

static int shim_randomness(sqlite3_vfs *vfs, int size, char *ret_bytes)
{
    return real_vfs(vfs)->xRandomness(real_vfs(vfs), size, ret_bytes);
}

static int shim_sleep(sqlite3_vfs *vfs, int microseconds)
{
    return real_vfs(vfs)->xSleep(real_vfs(vfs), microseconds);
}

static int shim_current_time(sqlite3_vfs *vfs, double *ret_time)
{
    return real_vfs(vfs)->xCurrentTime(real_vfs(vfs), ret_time);
}

static int shim_last_error(sqlite3_vfs *vfs, int size, char *ret_text)
{
    return real_vfs(vfs)->xGetLastError(real_vfs(vfs), size, ret_text);
}

static sqlite3_vfs shim_vfs = {
    .iVersion = 1,
    .zName = "braid",
    .xOpen = shim_open,
    .xDelete = shim_delete,
    .xAccess = shim_access,
    .xFullPathname = shim_full_pathname,
    .xRandomness = shim_randomness,
    .xSleep = shim_sleep,
    .xCurrentTime = shim_current_time,
    .xGetLastError = shim_last_error,
};

/* SQLite keeps its layers in one list for the process. */
static void register_once(void)
{
    /* Counting memory takes a lock an allocation; too late, and harmless, if SQLite runs already.
     */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);
    ASSERT(real != NULL);
    shim_vfs.pAppData = real;
    shim_vfs.mxPathname = real->mxPathname;
    shim_vfs.szOsFile = (int)sizeof(ShimFile) + real->szOsFile;
    int code = sqlite3_vfs_register(&shim_vfs, 0);
    ASSERT(code == SQLITE_OK);
}

const char *ledger_vfs_name(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_once);
    return shim_vfs.zName;
}

#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { IO_PADDING = 64, IO_TREE_DEPTH_MAX = 64, IO_READ_FIRST = 64 * 1024 };

/* The one variable of base that changes: tests set it before they start threads. */
static struct {
    IoHook hook;
    void *context;
} io_hook;

void io_set_hook(IoHook hook, void *context)
{
    io_hook.hook = hook;
    io_hook.context = context;
}

int io_hook_call(const IoEvent *event, size_t *size)
{
    if (LIKELY(io_hook.hook == NULL))
        return 0;
    return io_hook.hook(io_hook.context, event, size);
}

static int hook_simple(IoOp op, const char *path)
{
    IoEvent event = {.op = op, .path = path};
    size_t size = 0;
    return io_hook_call(&event, &size);
}

/* A path as libc wants it; on the stack, as a handle has no arena. */
typedef struct {
    char text[PATH_MAX];
} CPath;

static ErrorCode path_to_c(Str path, CPath *ret_path, Error *err)
{
    if (path.len == 0)
        return error_set(err, ERR_IO, "empty path");
    if (path.len >= sizeof(ret_path->text))
        return error_set(err, ERR_IO, "%.60s...: path too long", path.ptr);
    if (memchr(path.ptr, '\0', path.len) != NULL)
        return error_set(err, ERR_IO, "%.*s: path holds a zero byte", STR_ARG(path));
    memcpy(ret_path->text, path.ptr, path.len);
    ret_path->text[path.len] = '\0';
    return ERR_OK;
}

/* The name of an open file for a hook; cut when it is too long, as it opened once. */
static void handle_path(const IoFile *file, CPath *ret_path)
{
    size_t len = file->path.len < sizeof(ret_path->text) ? file->path.len : 0;
    if (len > 0)
        memcpy(ret_path->text, file->path.ptr, len);
    ret_path->text[len] = '\0';
}

static int handle_hook(const IoFile *file, IoOp op)
{
    if (LIKELY(io_hook.hook == NULL))
        return 0;
    CPath path;
    handle_path(file, &path);
    return hook_simple(op, path.text);
}

/* --- files --- */

static ErrorCode open_with(Str path, int flags, IoFile *ret_file, Error *err)
{
    CPath name;
    ErrorCode code = path_to_c(path, &name, err);
    if (code != ERR_OK)
        return code;
    bool is_write = (flags & O_ACCMODE) != O_RDONLY;
    int fault = is_write ? hook_simple(IO_OPEN, name.text) : 0;
    if (fault != 0)
        return error_set_errno(err, fault, "%s: cannot create", name.text);
    int fd;
    do
        fd = open(name.text, flags | O_CLOEXEC, 0666);
    while (fd < 0 && errno == EINTR);
    if (fd < 0 && errno == ENOENT && !is_write)
        return error_set(err, ERR_NOT_FOUND, "%s: no such file", name.text);
    if (fd < 0)
        return error_set_errno(err, errno, "%s: cannot %s", name.text,
                               is_write ? "create" : "open");
    *ret_file = (IoFile){.fd = fd, .path = path};
    return ERR_OK;
}

ErrorCode io_create(Str path, IoFile *ret_file, Error *err)
{
    return open_with(path, O_WRONLY | O_CREAT | O_TRUNC, ret_file, err);
}

ErrorCode io_open_read(Str path, IoFile *ret_file, Error *err)
{
    return open_with(path, O_RDONLY, ret_file, err);
}

static ssize_t write_some(const IoFile *file, const void *data, size_t size)
{
    ssize_t done;
    do
        done = write(file->fd, data, size);
    while (done < 0 && errno == EINTR);
    return done;
}

/* Asks the hook how much of the write may happen and whether it then fails. */
static int write_hook(const IoFile *file, const void *data, size_t *size)
{
    if (LIKELY(io_hook.hook == NULL))
        return 0;
    CPath path;
    handle_path(file, &path);
    off_t position = lseek(file->fd, 0, SEEK_CUR); /* pipes have none */
    IoEvent event = {.op = IO_WRITE,
                     .path = path.text,
                     .data = data,
                     .size = *size,
                     .offset = position < 0 ? 0 : (uint64_t)position};
    size_t wanted = *size;
    int fault = io_hook_call(&event, size);
    ASSERT(*size <= wanted);
    if (fault != 0 && *size == wanted)
        *size = 0; /* a failure that was not made short writes nothing */
    return fault;
}

ErrorCode io_write(IoFile *file, const void *data, size_t size, Error *err)
{
    const char *at = data;
    while (size > 0) {
        size_t allowed = size;
        int fault = write_hook(file, at, &allowed);
        ssize_t done = allowed == 0 ? 0 : write_some(file, at, allowed);
        if (done < 0)
            fault = errno;
        else if (done == 0 && fault == 0)
            fault = EIO;
        if (fault != 0)
            return error_set_errno(err, fault, "%.*s: cannot write", STR_ARG(file->path));
        at += done;
        size -= (size_t)done;
    }
    return ERR_OK;
}

/* Reads until size bytes or the end; at the file's position when offset is UINT64_MAX. */
static ErrorCode read_all(const IoFile *file, void *data, size_t size, uint64_t offset,
                          size_t *ret_size, Error *err)
{
    char *to = data;
    size_t total = 0;
    int fault = handle_hook(file, IO_READ);
    while (fault == 0 && total < size) {
        ssize_t done = offset == UINT64_MAX
                           ? read(file->fd, to + total, size - total)
                           : pread(file->fd, to + total, size - total, (off_t)(offset + total));
        if (done == 0)
            break;
        if (done > 0)
            total += (size_t)done;
        else if (errno != EINTR)
            fault = errno;
    }
    if (fault != 0)
        return error_set_errno(err, fault, "%.*s: cannot read", STR_ARG(file->path));
    *ret_size = total;
    return ERR_OK;
}

ErrorCode io_read(IoFile *file, void *data, size_t size, size_t *ret_size, Error *err)
{
    return read_all(file, data, size, UINT64_MAX, ret_size, err);
}

ErrorCode io_read_at(IoFile *file, void *data, size_t size, uint64_t offset, size_t *ret_size,
                     Error *err)
{
    ASSERT(offset <= INT64_MAX && size <= (uint64_t)INT64_MAX - offset);
    return read_all(file, data, size, offset, ret_size, err);
}

ErrorCode io_sync(IoFile *file, Error *err)
{
    int fault = handle_hook(file, IO_SYNC);
    if (fault == 0 && fsync(file->fd) != 0)
        fault = errno;
    if (fault != 0)
        return error_set_errno(err, fault, "%.*s: cannot sync", STR_ARG(file->path));
    return ERR_OK;
}

void io_sync_begin(const IoFile *file)
{
    /* A hint: where the system refuses it, io_sync does all of the work. */
    (void)sync_file_range(file->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

ErrorCode io_file_size(IoFile *file, uint64_t *ret_size, Error *err)
{
    struct stat status;
    if (fstat(file->fd, &status) != 0)
        return error_set_errno(err, errno, "%.*s: cannot stat", STR_ARG(file->path));
    *ret_size = (uint64_t)status.st_size;
    return ERR_OK;
}

ErrorCode io_close(IoFile *file, Error *err)
{
    if (file->fd < 0)
        return ERR_OK;
    int fd = file->fd;
    file->fd = -1;
    /* After EINTR Linux has closed it all the same. */
    if (close(fd) != 0 && errno != EINTR)
        return error_set_errno(err, errno, "%.*s: cannot close", STR_ARG(file->path));
    return ERR_OK;
}

void io_close_cleanup(IoFile *file)
{
    if (file->fd >= 0)
        (void)close(file->fd);
    file->fd = -1;
}

/* --- whole files --- */

ErrorCode io_read_file(Arena *arena, Str path, size_t limit, Str *ret_text, Error *err)
{
    if (limit == 0)
        limit = LIMIT_DOCUMENT_BYTES;
    CLEANUP(io_close_cleanup) IoFile file = IO_FILE_CLOSED;
    uint64_t size;
    ErrorCode code = io_open_read(path, &file, err);
    if (code == ERR_OK)
        code = io_file_size(&file, &size, err);
    if (code != ERR_OK)
        return code;
    /* The size is a hint only: pipes have none, and a file may grow meanwhile. */
    size_t room = size > 0 && size <= limit ? (size_t)size + 1 : IO_READ_FIRST;
    char *text = arena_alloc(arena, room + IO_PADDING);
    size_t len = 0;
    for (;;) {
        size_t got;
        code = io_read(&file, text + len, room - len, &got, err);
        if (code != ERR_OK)
            return code;
        len += got;
        if (len > limit)
            return error_set(err, ERR_LIMIT, "%.*s: longer than %zu bytes", STR_ARG(path), limit);
        if (len < room)
            break;
        text = arena_grow(arena, text, room + IO_PADDING, room * 2 + IO_PADDING);
        room *= 2;
    }
    memset(text + len, 0, IO_PADDING);
    *ret_text = (Str){.ptr = text, .len = len};
    return ERR_OK;
}

/* Writes the whole file anew; syncs it too when it must last. */
static ErrorCode write_whole(Str path, Str text, bool is_durable, Error *err)
{
    CLEANUP(io_close_cleanup) IoFile file = IO_FILE_CLOSED;
    ErrorCode code = io_create(path, &file, err);
    if (code == ERR_OK)
        code = io_write(&file, text.ptr, text.len, err);
    if (code == ERR_OK && is_durable)
        code = io_sync(&file, err);
    if (code == ERR_OK)
        code = io_close(&file, err);
    return code;
}

ErrorCode io_write_file(Str path, Str text, Error *err)
{
    return write_whole(path, text, false, err);
}

static Str parent_of(Str path)
{
    while (path.len > 0 && path.ptr[path.len - 1] != '/')
        path.len--;
    return path.len == 0 ? S(".") : path;
}

ErrorCode io_replace_file(Str path, Str text, Error *err)
{
    static const char suffix[] = ".tmp";
    CPath name;
    ErrorCode code = path_to_c(path, &name, err);
    if (code != ERR_OK)
        return code;
    if (path.len + sizeof(suffix) > sizeof(name.text))
        return error_set(err, ERR_IO, "%.60s...: path too long", name.text);
    memcpy(name.text + path.len, suffix, sizeof(suffix));
    Str temporary = {.ptr = name.text, .len = path.len + sizeof(suffix) - 1};
    code = write_whole(temporary, text, true, err);
    if (code == ERR_OK)
        code = io_rename(temporary, path, err);
    if (code != ERR_OK) {
        (void)unlink(name.text); /* best effort: the first error is the one to tell */
        return code;
    }
    return io_sync_dir(parent_of(path), err);
}

ErrorCode io_map(Str path, IoMap *ret_map, Error *err)
{
    CLEANUP(io_close_cleanup) IoFile file = IO_FILE_CLOSED;
    uint64_t size;
    ErrorCode code = io_open_read(path, &file, err);
    if (code == ERR_OK)
        code = io_file_size(&file, &size, err);
    if (code != ERR_OK)
        return code;
    if (size == 0) {
        *ret_map = (IoMap){0};
        return ERR_OK;
    }
    void *bytes = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, file.fd, 0);
    if (bytes == MAP_FAILED)
        return error_set_errno(err, errno, "%.*s: cannot map", STR_ARG(path));
    *ret_map = (IoMap){.ptr = bytes, .size = (size_t)size};
    return ERR_OK;
}

void io_unmap(IoMap *map)
{
    if (map->ptr != NULL)
        (void)munmap((void *)map->ptr, map->size);
    *map = (IoMap){0};
}

/* --- folders --- */

static bool c_is_dir(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static ErrorCode make_dir(const char *path, Error *err)
{
    if (c_is_dir(path))
        return ERR_OK;
    int fault = hook_simple(IO_MAKE_DIR, path);
    if (fault == 0 && mkdir(path, 0777) != 0)
        fault = errno;
    /* Somebody else may have made it in between. */
    if (fault == 0 || (fault == EEXIST && c_is_dir(path)))
        return ERR_OK;
    return error_set_errno(err, fault, "%s: cannot make folder", path);
}

ErrorCode io_make_dirs(Str path, Error *err)
{
    CPath name;
    ErrorCode code = path_to_c(path, &name, err);
    for (size_t i = 1; code == ERR_OK && i < path.len; i++) {
        if (name.text[i] != '/')
            continue;
        name.text[i] = '\0';
        code = make_dir(name.text, err);
        name.text[i] = '/';
    }
    return code == ERR_OK ? make_dir(name.text, err) : code;
}

ErrorCode io_sync_dir(Str path, Error *err)
{
    CPath name;
    ErrorCode code = path_to_c(path, &name, err);
    if (code != ERR_OK)
        return code;
    int fault = hook_simple(IO_SYNC_DIR, name.text);
    if (fault != 0)
        return error_set_errno(err, fault, "%s: cannot sync folder", name.text);
    int fd = open(name.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, errno, "%s: cannot open folder", name.text);
    /* Some file systems do not offer this and say EINVAL; then there is nothing to do. */
    fault = fsync(fd) != 0 && errno != EINVAL ? errno : 0;
    (void)close(fd);
    if (fault != 0)
        return error_set_errno(err, fault, "%s: cannot sync folder", name.text);
    return ERR_OK;
}

ErrorCode io_rename(Str from, Str to, Error *err)
{
    CPath source;
    CPath target;
    ErrorCode code = path_to_c(from, &source, err);
    if (code == ERR_OK)
        code = path_to_c(to, &target, err);
    if (code != ERR_OK)
        return code;
    IoEvent event = {.op = IO_RENAME, .path = source.text, .target = target.text};
    size_t size = 0;
    int fault = io_hook_call(&event, &size);
    if (fault == 0 && rename(source.text, target.text) != 0)
        fault = errno;
    if (fault != 0)
        return error_set_errno(err, fault, "%.*s: cannot rename to %.*s", STR_ARG(from),
                               STR_ARG(to));
    return ERR_OK;
}

static ErrorCode remove_one(const char *path, bool is_dir, Error *err)
{
    int fault = hook_simple(IO_REMOVE, path);
    if (fault == 0 && (is_dir ? rmdir(path) : unlink(path)) != 0)
        fault = errno;
    if (fault != 0 && fault != ENOENT)
        return error_set_errno(err, fault, "%s: cannot remove", path);
    return ERR_OK;
}

ErrorCode io_remove(Str path, Error *err)
{
    CPath name;
    ErrorCode code = path_to_c(path, &name, err);
    return code == ERR_OK ? remove_one(name.text, false, err) : code;
}

/* Depth first; links are removed and not followed. */
static ErrorCode remove_tree(Arena *arena, Str path, int depth, Error *err)
{
    const char *name = str_to_c(arena, path);
    struct stat status;
    if (lstat(name, &status) != 0)
        return errno == ENOENT ? ERR_OK : error_set_errno(err, errno, "%s: cannot stat", name);
    if (!S_ISDIR(status.st_mode))
        return remove_one(name, false, err);
    if (depth >= IO_TREE_DEPTH_MAX)
        return error_set(err, ERR_LIMIT, "%s: folders nest too deep", name);
    IoNames names = {0};
    ErrorCode code = io_list_dir(arena, path, &names, err);
    for (size_t i = 0; code == ERR_OK && i < names.count; i++)
        code = remove_tree(arena, io_join(arena, path, names.items[i]), depth + 1, err);
    return code == ERR_OK ? remove_one(name, true, err) : code;
}

ErrorCode io_remove_tree(Str path, Error *err)
{
    CPath name;
    ErrorCode code = path_to_c(path, &name, err);
    if (code != ERR_OK)
        return code;
    CLEANUP(arena_cleanup) Arena *arena = arena_create(0);
    return remove_tree(arena, path, 0, err);
}

bool io_exists(Str path)
{
    CPath name;
    struct stat status;
    return path_to_c(path, &name, NULL) == ERR_OK && stat(name.text, &status) == 0;
}

bool io_is_special(Str path)
{
    CPath name;
    struct stat status;
    return path_to_c(path, &name, NULL) == ERR_OK && lstat(name.text, &status) == 0 &&
           !S_ISREG(status.st_mode) && !c_is_dir(name.text);
}

bool io_is_dir(Str path)
{
    CPath name;
    return path_to_c(path, &name, NULL) == ERR_OK && c_is_dir(name.text);
}

ErrorCode io_list_dir(Arena *arena, Str path, IoNames *ret_names, Error *err)
{
    CPath name;
    ErrorCode code = path_to_c(path, &name, err);
    if (code != ERR_OK)
        return code;
    DIR *dir = opendir(name.text);
    if (dir == NULL && errno == ENOENT)
        return error_set(err, ERR_NOT_FOUND, "%s: no such folder", name.text);
    if (dir == NULL)
        return error_set_errno(err, errno, "%s: cannot open folder", name.text);
    IoNames names = {0};
    const struct dirent *entry;
    errno = 0;
    /* readdir is safe here: the stream is this call's own. */
    while ((entry = readdir(dir)) != NULL) { /* NOLINT(concurrency-mt-unsafe) */
        Str item = str_from_c(entry->d_name);
        if (!str_eq(item, S(".")) && !str_eq(item, S("..")))
            VEC_PUSH(arena, &names, str_copy(arena, item));
        errno = 0;
    }
    int fault = errno;
    (void)closedir(dir);
    if (fault != 0)
        return error_set_errno(err, fault, "%s: cannot read folder", name.text);
    if (names.count > 0)
        qsort(names.items, names.count, sizeof(Str), str_compare_items);
    *ret_names = names;
    return ERR_OK;
}

Str io_join(Arena *arena, Str folder, Str name)
{
    if (folder.len == 0 || str_starts_with(name, S("/")))
        return str_format(arena, "%.*s", STR_ARG(name));
    const char *slash = str_ends_with(folder, S("/")) ? "" : "/";
    return str_format(arena, "%.*s%s%.*s", STR_ARG(folder), slash, STR_ARG(name));
}

ErrorCode io_lock(Str path, IoFile *ret_file, Error *err)
{
    CLEANUP(io_close_cleanup) IoFile file = IO_FILE_CLOSED;
    ErrorCode code = open_with(path, O_RDWR | O_CREAT, &file, err);
    if (code != ERR_OK)
        return code;
    int locked;
    do
        locked = flock(file.fd, LOCK_EX | LOCK_NB);
    while (locked != 0 && errno == EINTR);
    if (locked != 0 && errno == EWOULDBLOCK)
        return error_set(err, ERR_BUSY, "%.*s: locked by another process", STR_ARG(path));
    if (locked != 0)
        return error_set_errno(err, errno, "%.*s: cannot lock", STR_ARG(path));
    *ret_file = file;
    file.fd = -1; /* the caller's now */
    return ERR_OK;
}

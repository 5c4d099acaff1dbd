/*
 * io -- every byte that Braid writes or maps goes through here.
 *
 * One thin layer over POSIX, for three reasons: errors are worded once; short reads and
 * writes and EINTR are dealt with once; and tests can put a fault or a recorder underneath
 * (io_set_hook) to show what a full disk, a kill or a loss of power leaves behind.
 *
 * Durable replacement of a file is io_replace_file(): written under a temporary name, synced,
 * renamed, and the folder synced. Handles are closed with CLEANUP(io_close_cleanup).
 */
#pragma once

#include "base/base.h"

typedef struct {
    int fd;   /* -1 when closed */
    Str path; /* for messages; must outlive the handle */
} IoFile;

#define IO_FILE_CLOSED ((IoFile){.fd = -1})

typedef enum {
    IO_OPEN, /* a file made or truncated for writing */
    IO_WRITE,
    IO_SYNC,
    IO_SYNC_DIR,
    IO_RENAME,
    IO_REMOVE,
    IO_TRUNCATE,
    IO_MAKE_DIR,
    IO_READ
} IoOp;

/* What is about to happen. data/size/offset for IO_WRITE; target for IO_RENAME. */
typedef struct {
    IoOp op;
    const char *path;
    const char *target;
    const void *data;
    size_t size;
    uint64_t offset;
} IoEvent;

/* Called before each operation; returns 0 to let it happen, or an errno value to fail it with; for
   IO_WRITE it may lower *size to make the write short before failing. For tests only: set before
   threads start. */
typedef int (*IoHook)(void *context, const IoEvent *event, size_t *size);
void io_set_hook(IoHook hook, void *context);
/* Runs the hook (0 without one): for code that writes by other means, such as SQLite's file layer.
 */
int io_hook_call(const IoEvent *event, size_t *size);

/* --- files --- */
MUST_USE ErrorCode io_create(Str path, IoFile *ret_file, Error *err); /* truncates */
MUST_USE ErrorCode io_open_read(Str path, IoFile *ret_file, Error *err);
/* Writes all of it at the file's position. */
MUST_USE ErrorCode io_write(IoFile *file, const void *data, size_t size, Error *err);
/* Reads up to size bytes; *ret_size 0 at the end. */
MUST_USE ErrorCode io_read(IoFile *file, void *data, size_t size, size_t *ret_size, Error *err);
MUST_USE ErrorCode io_read_at(IoFile *file, void *data, size_t size, uint64_t offset,
                              size_t *ret_size, Error *err);
MUST_USE ErrorCode io_sync(IoFile *file, Error *err);
/* Asks the system to begin writing out what was written, so that a later io_sync waits for less.
   Promises nothing, and waits for nothing. */
void io_sync_begin(const IoFile *file);
MUST_USE ErrorCode io_file_size(IoFile *file, uint64_t *ret_size, Error *err);
/* Close reports the error of a delayed write; the cleanup form cannot. */
MUST_USE ErrorCode io_close(IoFile *file, Error *err);
void io_close_cleanup(IoFile *file);

/* --- whole files --- */
/* Reads the file into the arena with JSON_INDEX_PADDING (64) zero bytes behind it; limit 0 is
 * LIMIT_DOCUMENT_BYTES. */
MUST_USE ErrorCode io_read_file(Arena *arena, Str path, size_t limit, Str *ret_text, Error *err);
MUST_USE ErrorCode io_write_file(Str path, Str text,
                                 Error *err); /* not durable: reports and exports */
MUST_USE ErrorCode io_replace_file(Str path, Str text, Error *err); /* durable, either old or new */

/* A file mapped read-only; ptr NULL when the file is empty. */
typedef struct {
    const unsigned char *ptr;
    size_t size;
} IoMap;
MUST_USE ErrorCode io_map(Str path, IoMap *ret_map, Error *err);
void io_unmap(IoMap *map);

/* --- folders --- */
MUST_USE ErrorCode io_make_dirs(Str path, Error *err); /* with parents; fine when it is there */
MUST_USE ErrorCode io_sync_dir(Str path, Error *err);
MUST_USE ErrorCode io_rename(Str from, Str to, Error *err);
MUST_USE ErrorCode io_remove(Str path, Error *err);      /* a file; fine when it is not there */
MUST_USE ErrorCode io_remove_tree(Str path, Error *err); /* fine when it is not there */
bool io_exists(Str path);
bool io_is_dir(Str path);
/* There, and neither file nor folder: a device, a pipe, a socket, a link to anything but a folder.
 */
bool io_is_special(Str path);
typedef Vec(Str) IoNames;
/* Names in a folder, sorted by bytes, without . and .. */
MUST_USE ErrorCode io_list_dir(Arena *arena, Str path, IoNames *ret_names, Error *err);
Str io_join(Arena *arena, Str folder, Str name);

/* An exclusive lock on a file (made when absent), kept until closed or the process ends.
   ERR_BUSY at once when another process holds it. */
MUST_USE ErrorCode io_lock(Str path, IoFile *ret_file, Error *err);

/* CRC-32C (Castagnoli, RFC 3720 appendix B.4), by the processor's instruction where it has one. */
uint32_t io_crc32c(uint32_t crc, const void *data, size_t size);
/* The same by table, as on processors without the instruction; for tests. */
uint32_t io_crc32c_portable(uint32_t crc, const void *data, size_t size);

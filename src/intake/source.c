#include "intake/intake_int.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/pages.h"

/*
 * Plain files and pipes are read straight into the caller's chunk. Compressed files and tar go
 * through libarchive. Where one document ends and the next begins is found without parsing: in
 * valid JSON a '}', a line break and a '{' (with nothing but white space between them) never
 * stand next to one another within a document, as a comma would be needed.
 */
enum {
    HEAD_BYTES = 4096,          /* what an archive is told from */
    TEXT_HEAD_BYTES = 64 << 10, /* and a text */
    FOLDER_DEPTH_MAX = 32,
    TAR_MAGIC_AT = 257,
    ARCHIVE_READ_BYTES = 256 << 10,
    ARCHIVE_STEP_BYTES = 64 << 10,
    PIPE_BYTES = 1 << 20,
    CHUNK_SLACK = 4096,
};

typedef struct {
    Str file;
} ChunkPlace;

/* A file to be read, or what is to be said in its place. */
typedef struct {
    Str path;
    Str problem; /* empty: none so far */
    Severity severity;
    bool is_named; /* by the caller, so that failing to open it is an error */
} SourceFile;

/* The folders that the one being listed lies in, itself the last. */
typedef struct {
    struct {
        dev_t device;
        ino_t number;
    } folders[FOLDER_DEPTH_MAX];
    int depth;
} FolderPath;

struct Source {
    Arena *arena; /* of its own */
    SourceOptions options;
    Vec(SourceFile) files;
    uint64_t total_bytes;
    bool is_total_known;
    size_t next_file;
    Vec(ChunkPlace) places; /* by chunk number */
    uint64_t file_count;
    uint64_t byte_count;

    /* the file that is open */
    bool is_open;
    IoFile file;
    bool is_stdin;
    unsigned char head[HEAD_BYTES];
    size_t head_len;
    size_t head_used;
    struct archive *archive; /* NULL for plain text */
    char *archive_buffer;
    size_t fed_len; /* of what was last put into the buffer */
    uint64_t fed_bytes;
    bool is_fed_all;
    bool is_damaged; /* and a finding says so */

    /* the text within it: the file itself, or a member of an archive */
    bool has_text;
    bool is_text_end;
    bool is_envelopes;
    bool is_array;
    ArrayCut array;
    Str text_name;
    uint32_t line;
    char *carry; /* read, but behind the cut of the last chunk */
    size_t carry_len;
    size_t carry_capacity;
    char text_head[TEXT_HEAD_BYTES];
};

/* ---- the list of files ---- */

static void list_file(Source *source, Str path, Severity severity, Str problem)
{
    const SourceFile file = {
        .path = str_copy(source->arena, path), .severity = severity, .problem = problem};
    VEC_PUSH(source->arena, &source->files, file);
}

static ErrorCode list_folder(Source *source, Str path, const FolderPath *within, Error *err);

/* Something in a folder: what cannot be read is a finding in its place. */
static void list_entry(Source *source, Str path, FolderPath *folders)
{
    struct stat status;
    Error err = {0};
    if (stat(str_to_c(source->arena, path), &status) != 0) {
        (void)error_set_errno(&err, errno, "cannot be opened");
        list_file(source, path, SEVERITY_ERROR, str_copy(source->arena, str_from_c(err.message)));
    } else if (S_ISREG(status.st_mode)) {
        list_file(source, path, SEVERITY_ERROR, (Str){0});
        source->total_bytes += (uint64_t)status.st_size;
    } else if (!S_ISDIR(status.st_mode)) {
        list_file(source, path, SEVERITY_WARNING,
                  S("passed over: no file, but a pipe, a socket or a device"));
    } else {
        for (int i = 0; i < folders->depth; i++) {
            if (folders->folders[i].device == status.st_dev &&
                folders->folders[i].number == status.st_ino) {
                list_file(source, path, SEVERITY_ERROR, S("a folder that leads back into itself"));
                return;
            }
        }
        if (list_folder(source, path, folders, &err) != ERR_OK)
            list_file(source, path, SEVERITY_ERROR,
                      str_copy(source->arena, str_from_c(err.message)));
    }
}

/* NOLINTNEXTLINE(misc-no-recursion): FOLDER_DEPTH_MAX deep */
static ErrorCode list_folder(Source *source, Str path, const FolderPath *within, Error *err)
{
    struct stat status;
    FolderPath folders = *within;
    if (folders.depth == FOLDER_DEPTH_MAX)
        return error_set(err, ERR_LIMIT, "folders are nested over %d deep", FOLDER_DEPTH_MAX);
    if (stat(str_to_c(source->arena, path), &status) != 0)
        return error_set_errno(err, errno, "%.*s", STR_ARG(path));
    folders.folders[folders.depth].device = status.st_dev;
    folders.folders[folders.depth++].number = status.st_ino;
    IoNames names = {0};
    ErrorCode code = io_list_dir(source->arena, path, &names, err);
    for (size_t i = 0; code == ERR_OK && i < names.count; i++)
        list_entry(source, io_join(source->arena, path, names.items[i]), &folders);
    return code;
}

/* A path that the caller names: what is wrong with it is an error. */
static ErrorCode list_path(Source *source, Str path, Error *err)
{
    struct stat status;
    if (str_eq(path, S("-"))) {
        source->is_total_known = false;
    } else if (stat(str_to_c(source->arena, path), &status) != 0) {
        return errno == ENOENT
                   ? error_set(err, ERR_NOT_FOUND, "%.*s: no such file or folder", STR_ARG(path))
                   : error_set_errno(err, errno, "%.*s", STR_ARG(path));
    } else if (S_ISDIR(status.st_mode)) {
        return list_folder(source, path, &(FolderPath){0}, err);
    } else {
        source->total_bytes += (uint64_t)status.st_size;
        source->is_total_known &= S_ISREG(status.st_mode);
    }
    VEC_PUSH(source->arena, &source->files,
             (SourceFile){.path = str_copy(source->arena, path), .is_named = true});
    return ERR_OK;
}

ErrorCode source_create(Arena *arena, const SourceOptions *options, Source **ret_source, Error *err)
{
    Source *source = ARENA_NEW(arena, Source);
    source->arena = arena_create(0);
    source->options = *options;
    source->is_total_known = true;
    source->file = IO_FILE_CLOSED;
    *ret_source = source;
    ErrorCode code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < options->path_count; i++)
        code = list_path(source, options->paths[i], err);
    return code;
}

static void close_file(Source *source)
{
    if (source->archive != NULL)
        (void)archive_read_free(source->archive);
    source->archive = NULL;
    if (!source->is_stdin)
        io_close_cleanup(&source->file);
    source->file = IO_FILE_CLOSED;
    source->is_open = false;
    source->has_text = false;
}

void source_destroy(Source *source)
{
    if (source == NULL)
        return;
    close_file(source);
    free(source->archive_buffer);
    free(source->carry);
    Arena *arena = source->arena;
    arena_destroy(arena);
}

Str source_file_of(const Source *source, uint32_t chunk)
{
    ASSERT(chunk < source->places.count);
    return source->places.items[chunk].file;
}

uint32_t source_chunk_count(const Source *source)
{
    return (uint32_t)source->places.count;
}

void source_counts(const Source *source, uint64_t *ret_files, uint64_t *ret_bytes)
{
    *ret_files = source->file_count;
    *ret_bytes = source->byte_count;
}

uint64_t source_total_bytes(const Source *source)
{
    return source->is_total_known ? source->total_bytes : 0;
}

/* ---- chunks ---- */

void chunk_reserve(Chunk *chunk, size_t capacity)
{
    if (chunk->capacity >= capacity + JSON_INDEX_PADDING)
        return;
    size_t wanted = pages_round(capacity + JSON_INDEX_PADDING);
    char *grown = pages_alloc(wanted);
    if (chunk->len > 0)
        memcpy(grown, chunk->ptr, chunk->len);
    pages_free(chunk->ptr, chunk->capacity);
    chunk->ptr = grown;
    chunk->capacity = wanted;
}

void chunk_free(Chunk *chunk)
{
    pages_free(chunk->ptr, chunk->capacity);
    free(chunk->breaks);
    output_destroy(chunk->output);
    *chunk = (Chunk){0};
}

/* A finding about a file as a whole, or about a text that is not even cut. */
static void refuse(Source *source, Chunk *chunk, Diag diag, Str text)
{
    if (chunk->output == NULL)
        chunk->output = output_create();
    diag.file = diag.file.len > 0 ? diag.file : source->text_name;
    diag.text = text;
    if (diag.severity == SEVERITY_ERROR)
        output_refuse_with(chunk->output, &diag, (Str){0}, source->options.keeps_texts);
    else
        diag_add(&chunk->output->diags, &diag);
}

/* ---- bytes of the open file ---- */

static ErrorCode read_file(Source *source, void *bytes, size_t size, size_t *ret_size, Error *err)
{
    size_t held = source->head_len - source->head_used;
    if (held > 0) {
        *ret_size = held < size ? held : size;
        memcpy(bytes, source->head + source->head_used, *ret_size);
        source->head_used += *ret_size;
        return ERR_OK;
    }
    ErrorCode code = io_read(&source->file, bytes, size, ret_size, err);
    if (code == ERR_OK)
        progress_add(source->options.progress, *ret_size);
    return code;
}

static ErrorCode read_head(Source *source, Error *err)
{
    source->head_len = 0;
    source->head_used = 0;
    size_t part = 1;
    while (source->head_len < HEAD_BYTES && part > 0) {
        ErrorCode code = io_read(&source->file, source->head + source->head_len,
                                 HEAD_BYTES - source->head_len, &part, err);
        if (code != ERR_OK)
            return code;
        source->head_len += part;
    }
    progress_add(source->options.progress, source->head_len);
    return ERR_OK;
}

/* ---- archives ---- */

static bool has_magic(const Source *source, size_t at, const void *magic, size_t size)
{
    return source->head_len >= at + size && memcmp(source->head + at, magic, size) == 0;
}

static bool is_archive(const Source *source)
{
    return has_magic(source, 0, "\x1f\x8b", 2) || has_magic(source, 0, "\x28\xb5\x2f\xfd", 4) ||
           has_magic(source, 0,
                     "\xfd"
                     "7zXZ",
                     6) ||
           has_magic(source, 0, "BZh", 3) || has_magic(source, TAR_MAGIC_AT, "ustar", 5);
}

static la_ssize_t feed_archive(struct archive *archive, void *context, const void **ret_bytes)
{
    Source *source = context;
    Error err = {0};
    size_t size = 0;
    if (read_file(source, source->archive_buffer, ARCHIVE_READ_BYTES, &size, &err) != ERR_OK) {
        archive_set_error(archive, EIO, "%s", err.message);
        return -1;
    }
    *ret_bytes = source->archive_buffer;
    source->fed_len = size > 0 ? size : source->fed_len;
    source->fed_bytes += size;
    source->is_fed_all = size == 0;
    return (la_ssize_t)size;
}

static void refuse_archive(Source *source, Chunk *chunk)
{
    if (source->is_damaged)
        return;
    source->is_damaged = true;
    const char *given = archive_error_string(source->archive);
    Str reason = str_from_c(given == NULL ? "cannot be read" : given);
    Str text;
    /* Unpackers word it each in its own way when they ask for more and there is none; that of xz
       does not tell a cut from something that is not its own. */
    if (source->is_fed_all && str_find(reason, S("Lzma")) != SIZE_MAX)
        text = S("the file ends too early, or something else stands behind what is compressed; "
                 "what came before is loaded");
    else if (source->is_fed_all)
        text = S("the file ends too early; what came before is loaded");
    else
        text = str_format(source->arena,
                          "cannot be unpacked to its end, as it is damaged or something else "
                          "stands behind it; what came before is loaded (%.*s)",
                          STR_ARG(reason));
    refuse(source, chunk, (Diag){.severity = SEVERITY_ERROR, .rule = S("intake-damaged-archive")},
           text);
}

/* Whether there is more in the file than the unpackers took, other than the zeros that a tape or a
   disk fills up with. */
static bool has_junk_behind(Source *source)
{
    uint64_t taken = (uint64_t)archive_filter_bytes(source->archive, -1);
    size_t left = taken < source->fed_bytes ? (size_t)(source->fed_bytes - taken) : 0;
    size_t size = source->fed_len;
    size_t at = left < size ? size - left : 0;
    Error err = {0};
    do {
        for (; at < size; at++) {
            if (source->archive_buffer[at] != 0)
                return true;
        }
        at = 0;
    } while (read_file(source, source->archive_buffer, ARCHIVE_READ_BYTES, &size, &err) == ERR_OK &&
             size > 0);
    return false;
}

static ErrorCode open_archive(Source *source, Error *err)
{
    if (source->archive_buffer == NULL)
        source->archive_buffer = malloc(ARCHIVE_READ_BYTES);
    source->archive = archive_read_new();
    ASSERT(source->archive_buffer != NULL && source->archive != NULL);
    source->fed_len = 0;
    source->fed_bytes = 0;
    source->is_fed_all = false;
    source->is_damaged = false;
    (void)archive_read_support_filter_gzip(source->archive);
    (void)archive_read_support_filter_zstd(source->archive);
    (void)archive_read_support_filter_xz(source->archive);
    (void)archive_read_support_filter_bzip2(source->archive);
    (void)archive_read_support_format_tar(source->archive);
    (void)archive_read_support_format_raw(source->archive);
    (void)archive_read_support_format_empty(source->archive);
    if (archive_read_open(source->archive, source, NULL, feed_archive, NULL) == ARCHIVE_FATAL &&
        archive_errno(source->archive) == ENOMEM)
        return error_set(err, ERR_LIMIT, "%.*s: too large to unpack", STR_ARG(source->text_name));
    return ERR_OK;
}

/* The next regular file of the archive becomes the text; false at its end. */
static bool next_member(Source *source, Chunk *chunk)
{
    Str file = source->files.items[source->next_file - 1].path;
    for (;;) {
        struct archive_entry *entry;
        source->text_name = file;
        int result = archive_read_next_header(source->archive, &entry);
        if (result == ARCHIVE_EOF) {
            if (!source->is_damaged && archive_format(source->archive) == ARCHIVE_FORMAT_RAW &&
                has_junk_behind(source))
                refuse(source, chunk,
                       (Diag){.severity = SEVERITY_ERROR, .rule = S("intake-damaged-archive")},
                       S("something else stands behind the end of what is compressed; what came "
                         "before is loaded"));
            return false;
        }
        if (result != ARCHIVE_OK && result != ARCHIVE_WARN) {
            refuse_archive(source, chunk);
            return false;
        }
        if (archive_format(source->archive) == ARCHIVE_FORMAT_RAW)
            return true;
        if (archive_entry_filetype(entry) != AE_IFREG)
            continue;
        const char *name = archive_entry_pathname(entry);
        source->text_name =
            str_format(source->arena, "%.*s:%s", STR_ARG(file), name == NULL ? "?" : name);
        return true;
    }
}

/* ---- texts ---- */

/* Bytes of the present text; 0 at its end. What is broken in an archive ends it with a finding. */
static ErrorCode read_text(Source *source, Chunk *chunk, char *bytes, size_t size, size_t *ret_size,
                           Error *err)
{
    *ret_size = 0;
    if (source->is_text_end)
        return ERR_OK;
    if (source->archive == NULL) {
        ErrorCode code = read_file(source, bytes, size, ret_size, err);
        source->is_text_end = code == ERR_OK && *ret_size == 0;
        return code;
    }
    /* What was read into this call's bytes is lost when it fails: so they are few. */
    size = size < ARCHIVE_STEP_BYTES ? size : ARCHIVE_STEP_BYTES;
    la_ssize_t got = archive_read_data(source->archive, bytes, size);
    if (got < 0) {
        refuse_archive(source, chunk);
        got = 0;
    }
    *ret_size = (size_t)got;
    source->is_text_end = got == 0;
    return ERR_OK;
}

static void carry_over(Source *source, const char *bytes, size_t size)
{
    if (source->carry_capacity < size) {
        char *grown = realloc(source->carry, size + CHUNK_SLACK);
        ASSERT(grown != NULL);
        source->carry = grown;
        source->carry_capacity = size + CHUNK_SLACK;
    }
    if (size > 0)
        memcpy(source->carry, bytes, size);
    source->carry_len = size;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Whether a line of the text begins as a JSON object does. */
static bool has_object_line(Str text)
{
    Str line;
    while (str_split_next(&text, '\n', &line)) {
        Str trimmed = str_trim(line);
        if (trimmed.len < 2 || trimmed.ptr[0] != '{')
            continue;
        Str inner = str_trim(str_slice(trimmed, 1, trimmed.len));
        if (inner.len > 0 && inner.ptr[0] == '"')
            return true;
    }
    return false;
}

typedef enum { TEXT_EMPTY, TEXT_JSON, TEXT_ARRAY, TEXT_OTHER } TextKind;

/* What a text is, from its beginning: JSON of one document or several when it begins with an
   object, or when a line does and only those before it are something else. An array over several
   lines has such lines too, but its first line does not end it. */
static TextKind tell_text(Str head, bool is_whole)
{
    size_t at = 0;
    while (at < head.len && is_blank(head.ptr[at]))
        at++;
    if (at == head.len)
        return is_whole ? TEXT_EMPTY : TEXT_JSON;
    if (head.ptr[at] == '{')
        return TEXT_JSON;
    Str rest = str_slice(head, at, head.len);
    Str first;
    (void)str_split_next(&rest, '\n', &first);
    first = str_trim(first);
    bool is_array = first.ptr[0] == '[';
    if (is_array && first.ptr[first.len - 1] != ']')
        return TEXT_ARRAY;
    return has_object_line(rest) ? TEXT_JSON : is_array ? TEXT_ARRAY : TEXT_OTHER;
}

/* Refuses a text that is not worth cutting. */
static void refuse_text(Source *source, Chunk *chunk, TextKind kind)
{
    if (kind == TEXT_EMPTY)
        refuse(source, chunk, (Diag){.severity = SEVERITY_WARNING, .rule = S("intake-empty")},
               S("there is nothing in it"));
    else
        refuse(source, chunk,
               (Diag){.severity = SEVERITY_ERROR, .rule = S("intake-not-fhir"), .line = 1},
               S("this is no FHIR JSON, nor an archive of it"));
}

/* Reads the beginning of a text into the carry and tells whether it can be FHIR JSON. */
static ErrorCode begin_text(Source *source, Chunk *chunk, bool *ret_is_json, Error *err)
{
    static const char mark[] = "\xef\xbb\xbf";
    char *bytes = source->text_head;
    size_t len = 0;
    size_t part = 1;
    source->is_text_end = false;
    while (len < TEXT_HEAD_BYTES && part > 0) {
        ErrorCode code = read_text(source, chunk, bytes + len, TEXT_HEAD_BYTES - len, &part, err);
        if (code != ERR_OK)
            return code;
        len += part;
    }
    size_t from = len >= 3 && memcmp(bytes, mark, 3) == 0 ? 3 : 0;
    Str head = {.ptr = bytes + from, .len = len - from};
    TextKind kind = tell_text(head, len < TEXT_HEAD_BYTES);
    source->line = 1;
    source->has_text = true;
    source->is_envelopes = str_starts_with(str_trim(head), S("{\"file\":"));
    carry_over(source, head.ptr, head.len);
    source->is_array = kind == TEXT_ARRAY;
    array_begin(&source->array);
    *ret_is_json = kind == TEXT_JSON || kind == TEXT_ARRAY;
    if (*ret_is_json)
        source->byte_count += head.len;
    else
        refuse_text(source, chunk, kind);
    return ERR_OK;
}

static ErrorCode open_file(Source *source, Error *err)
{
    Str path = source->files.items[source->next_file++].path;
    source->text_name = path;
    source->is_stdin = str_eq(path, S("-"));
    source->is_open = true;
    ErrorCode code = ERR_OK;
    if (source->is_stdin) {
        source->file = (IoFile){.fd = source->options.stdin_fd, .path = path};
        (void)fcntl(source->file.fd, F_SETPIPE_SZ, PIPE_BYTES); /* helps where it is a pipe */
    } else {
        code = io_open_read(path, &source->file, err);
    }
    if (code == ERR_OK)
        code = read_head(source, err);
    if (code == ERR_OK && is_archive(source))
        code = open_archive(source, err);
    return code;
}

/* Opens the next file. What cannot be opened in a folder costs itself only. */
static ErrorCode try_file(Source *source, Chunk *chunk, bool *ret_is_open, Error *err)
{
    const SourceFile *file = &source->files.items[source->next_file];
    Diag diag = {.severity = file->severity, .rule = S("intake-unreadable"), .file = file->path};
    *ret_is_open = false;
    if (file->problem.len > 0) {
        source->next_file++;
        source->text_name = file->path;
        refuse(source, chunk, diag, file->problem);
        return ERR_OK;
    }
    Error failure = {0};
    ErrorCode code = open_file(source, &failure);
    if (code == ERR_OK) {
        *ret_is_open = true;
        return ERR_OK;
    }
    if (file->is_named)
        return error_set(err, code, "%s", failure.message);
    refuse(source, chunk, diag, str_from_c(failure.message));
    close_file(source);
    return ERR_OK;
}

/* Goes on to the next text with something in it. */
static ErrorCode open_text(Source *source, Chunk *chunk, bool *ret_more, Error *err)
{
    for (;;) {
        ErrorCode code = ERR_OK;
        bool has_text = false;
        if (source->is_open && source->archive != NULL) {
            has_text = next_member(source, chunk);
        } else if (source->is_open) {
            has_text = false; /* a plain file is one text, and that was read */
        } else if (source->next_file < source->files.count) {
            bool is_open;
            code = try_file(source, chunk, &is_open, err);
            if (code == ERR_OK && !is_open)
                continue;
            has_text = source->archive == NULL || (code == ERR_OK && next_member(source, chunk));
        } else {
            *ret_more = false;
            return ERR_OK;
        }
        if (code != ERR_OK)
            return code;
        if (!has_text) {
            close_file(source);
            continue;
        }
        bool is_json;
        code = begin_text(source, chunk, &is_json, err);
        if (code != ERR_OK)
            return code;
        if (is_json) {
            source->file_count++;
            *ret_more = true;
            return ERR_OK;
        }
        source->has_text = false;
        if (source->archive == NULL)
            close_file(source);
    }
}

/* ---- cutting ---- */

/* The last place between two documents in text[from .. len), or 0. */
static size_t last_boundary(const char *text, size_t from, size_t len)
{
    size_t end = len;
    while (end > from) {
        const char *newline = memrchr(text + from, '\n', end - from);
        if (newline == NULL)
            return 0;
        size_t at = (size_t)(newline - text);
        end = at;
        size_t next = at + 1;
        while (next < len && is_blank(text[next]))
            next++;
        if (next == len || text[next] != '{')
            continue;
        size_t before = at;
        while (before > 0 && is_blank(text[before - 1]))
            before--;
        if (before > 0 && text[before - 1] == '}')
            return next;
    }
    return 0;
}

/* In lanes of bytes, which compilers make vectors of. */
uint32_t source_count_lines(const char *text, size_t len)
{
    enum { LANES = 32, ROUNDS = 255 };
    size_t lines = 0;
    size_t at = 0;
    while (len - at >= LANES) {
        uint8_t sums[LANES] = {0};
        for (int i = 0; i < ROUNDS && len - at >= LANES; i++, at += LANES) {
            for (int k = 0; k < LANES; k++)
                sums[k] = (uint8_t)(sums[k] + (text[at + (size_t)k] == '\n'));
        }
        for (int k = 0; k < LANES; k++)
            lines += sums[k];
    }
    for (; at < len; at++)
        lines += text[at] == '\n';
    return (uint32_t)lines;
}

/* The same for an item of an array. */
static ErrorCode skip_item(Source *source, Chunk *chunk, Error *err)
{
    for (;;) {
        size_t held = chunk->len;
        source->line += source_count_lines(chunk->ptr, chunk->len);
        array_moved(&source->array, held);
        chunk->len = 0;
        ErrorCode code =
            read_text(source, chunk, chunk->ptr, source->options.chunk_bytes, &chunk->len, err);
        source->byte_count += chunk->len;
        if (code != ERR_OK || chunk->len == 0)
            return code;
        size_t cut = array_first(&source->array, chunk);
        if (cut > 0) {
            source->line += source_count_lines(chunk->ptr, cut) - (uint32_t)chunk->break_count;
            chunk->break_count = 0;
            carry_over(source, chunk->ptr + cut, chunk->len - cut);
            array_moved(&source->array, cut);
            return ERR_OK;
        }
    }
}

/* Reads on to where the next document begins, keeping nothing of this one. */
static ErrorCode skip_document(Source *source, Chunk *chunk, Error *err)
{
    char last = 0;
    bool has_newline = false;
    size_t size = chunk->len;
    if (source->is_array)
        return skip_item(source, chunk, err);
    do {
        for (size_t i = 0; i < size; i++) {
            char c = chunk->ptr[i];
            if (c == '\n') {
                has_newline = true;
                source->line++;
            } else if (!is_blank(c)) {
                if (has_newline && last == '}' && c == '{') {
                    carry_over(source, chunk->ptr + i, size - i);
                    return ERR_OK;
                }
                last = c;
                has_newline = false;
            }
        }
        ErrorCode code =
            read_text(source, chunk, chunk->ptr, source->options.chunk_bytes, &size, err);
        if (code != ERR_OK)
            return code;
        source->byte_count += size;
    } while (size > 0);
    carry_over(source, NULL, 0);
    return ERR_OK;
}

/* What the chunk holds is the beginning of a document that is too long to be held: it is passed
   over, and the finding says where it stands, as its text cannot be kept. */
static ErrorCode refuse_long(Source *source, Chunk *chunk, Error *err)
{
    Diag diag = {.severity = SEVERITY_ERROR, .rule = S("intake-too-long"), .line = source->line};
    uint64_t before = source->byte_count - chunk->len;
    ErrorCode code = skip_document(source, chunk, err);
    uint64_t size = source->byte_count - before - source->carry_len;
    chunk->len = 0;
    Str text = str_format(source->arena,
                          "a document of %" PRIu64 " bytes, where the memory given to the load "
                          "allows %zu: give more (--memory, of which one document may take a "
                          "fifth) or cut it into several; its text is not kept here",
                          size, source->options.document_bytes_max);
    refuse(source, chunk, diag, text);
    return code;
}

/* Where unpacking failed, a resource that is cut off in the last line: the finding about the
   archive has said so. Of a Bundle the entries before the cut are of use. */
static void drop_cut_line(Chunk *chunk)
{
    const char *newline = chunk->len == 0 ? NULL : memrchr(chunk->ptr, '\n', chunk->len);
    if (newline == NULL)
        return;
    size_t from = (size_t)(newline + 1 - chunk->ptr);
    Str line = {.ptr = newline + 1, .len = chunk->len - from};
    bool is_cut = line.len > 0 && line.ptr[0] == '{' && line.ptr[line.len - 1] != '}';
    if (is_cut && str_find(line, S("\"Bundle\"")) == SIZE_MAX)
        chunk->len = from;
}

/* An item that is cut off is refused for itself. */
static void check_array_end(Source *source, Chunk *chunk)
{
    ArrayState state = source->array.state;
    if (source->is_array &&
        (state == ARRAY_BETWEEN || state == ARRAY_BEHIND || state == ARRAY_COMMA))
        refuse(
            source, chunk,
            (Diag){.severity = SEVERITY_WARNING, .rule = S("intake-array"), .line = source->line},
            S("the array that begins the file has no end: what follows may be missing"));
}

/* Fills the chunk with whole documents; length 0 when the text has ended or one was skipped. */
static ErrorCode fill_chunk(Source *source, Chunk *chunk, Error *err)
{
    size_t limit = source->options.document_bytes_max;
    size_t target = source->options.chunk_bytes;
    chunk_reserve(chunk, target > source->carry_len ? target : source->carry_len);
    if (source->carry_len > 0)
        memcpy(chunk->ptr, source->carry, source->carry_len);
    chunk->len = source->carry_len;
    chunk->break_count = 0;
    chunk->first_line = source->line;
    source->carry_len = 0;
    size_t searched = 0;
    for (;;) {
        size_t part = 1;
        while (chunk->len < target && part > 0) {
            ErrorCode code =
                read_text(source, chunk, chunk->ptr + chunk->len, target - chunk->len, &part, err);
            if (code != ERR_OK)
                return code;
            chunk->len += part;
            source->byte_count += part;
        }
        size_t cut = source->is_array ? array_cut(&source->array, chunk) : 0;
        if (source->is_text_end) {
            if (source->archive != NULL && source->is_damaged)
                drop_cut_line(chunk);
            check_array_end(source, chunk);
            return ERR_OK;
        }
        if (!source->is_array)
            cut = last_boundary(chunk->ptr, searched, chunk->len);
        if (cut > 0) {
            carry_over(source, chunk->ptr + cut, chunk->len - cut);
            array_moved(&source->array, cut);
            chunk->len = cut;
            return ERR_OK;
        }
        if (chunk->len >= limit)
            return refuse_long(source, chunk, err);
        searched = chunk->len;
        while (searched > 0 && is_blank(chunk->ptr[searched - 1]))
            searched--;
        target = target * 2 < limit ? target * 2 : limit;
        chunk_reserve(chunk, target);
    }
}

ErrorCode source_next(Source *source, Chunk *chunk, bool *ret_more, Error *err)
{
    bool is_more = true;
    chunk->len = 0;
    chunk->output = NULL;
    while (is_more && chunk->len == 0) {
        ErrorCode code = ERR_OK;
        if (!source->has_text)
            code = open_text(source, chunk, &is_more, err);
        if (code == ERR_OK && is_more)
            code = fill_chunk(source, chunk, err);
        if (code != ERR_OK)
            return code;
        if (is_more && source->is_text_end && source->carry_len == 0) {
            source->has_text = false;
            if (chunk->len == 0)
                continue;
        }
    }
    *ret_more = is_more;
    if (!is_more && chunk->output == NULL)
        return ERR_OK;
    chunk->number = (uint32_t)source->places.count;
    chunk->file = source->text_name;
    chunk->is_envelopes = source->is_envelopes;
    ASSERT(source->places.count < UINT32_MAX);
    VEC_PUSH(source->arena, &source->places, (ChunkPlace){.file = source->text_name});
    if (chunk->len > 0) {
        if (source->has_text) /* what comes next is of the same text */
            source->line +=
                source_count_lines(chunk->ptr, chunk->len) - (uint32_t)chunk->break_count;
        memset(chunk->ptr + chunk->len, 0, JSON_INDEX_PADDING);
    }
    return ERR_OK;
}

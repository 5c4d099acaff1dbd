#include <errno.h>
#include <unistd.h>

#include "base/io.h"
#include "base/test.h"

/* The vectors of RFC 3720, appendix B.4. */
TEST(crc32c_gives_the_published_vectors)
{
    unsigned char zeros[32] = {0};
    unsigned char ones[32];
    unsigned char up[32];
    unsigned char down[32];
    memset(ones, 0xFF, sizeof(ones));
    for (size_t i = 0; i < 32; i++) {
        up[i] = (unsigned char)i;
        down[i] = (unsigned char)(31 - i);
    }
    static const unsigned char scsi_read[48] = {
        0x01, 0xc0, 0, 0, 0, 0, 0,    0, 0,    0, 0, 0,    0, 0, 0, 0,
        0x14, 0,    0, 0, 0, 0, 0x04, 0, 0,    0, 0, 0x14, 0, 0, 0, 0x18,
        0x28, 0,    0, 0, 0, 0, 0,    0, 0x02, 0, 0, 0,    0, 0, 0, 0};
    const struct {
        const char *row;
        const void *data;
        size_t size;
        uint32_t want;
    } rows[] = {
        /* clang-format off */
        {"nothing",          zeros,       0,  0x00000000},
        {"32 zeros",         zeros,       32, 0x8a9136aa},
        {"32 ones",          ones,        32, 0x62a8ab43},
        {"0 up to 31",       up,          32, 0x46dd794e},
        {"31 down to 0",     down,        32, 0x113fdb5c},
        {"iSCSI read",       scsi_read,   48, 0xd9963a56},
        {"digits",           "123456789", 9,  0xe3069283},
        /* clang-format on */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CHECK_ROW(rows[i].row, io_crc32c(0, rows[i].data, rows[i].size), rows[i].want);
        CHECK_ROW(rows[i].row, io_crc32c_portable(0, rows[i].data, rows[i].size), rows[i].want);
    }
}

TEST(crc32c_is_the_same_by_table_and_in_parts_for_all_lengths)
{
    enum { SIZE = 10000 };
    unsigned char *bytes = arena_alloc(arena, SIZE);
    uint64_t seed = 7;
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (unsigned char)test_random(&seed);
    for (size_t size = 0; size < SIZE; size += 1 + size / 40) {
        size_t from = (size_t)test_random(&seed) % 8;
        size = size + from < SIZE ? size : SIZE - from;
        uint32_t want = io_crc32c_portable(0, bytes + from, size);
        CHECK_INT(io_crc32c(0, bytes + from, size), want);
        size_t cut = size == 0 ? 0 : (size_t)test_random(&seed) % size;
        uint32_t first = io_crc32c(0, bytes + from, cut);
        CHECK_INT(io_crc32c(first, bytes + from + cut, size - cut), want);
    }
}

/* --- files --- */

static Str fresh(Arena *arena, const char *name)
{
    return io_join(arena, test_temp_dir(arena), str_from_c(name));
}

static Str content(Arena *arena, Str path)
{
    Error err = {0};
    Str text = S("");
    CHECK_OK(io_read_file(arena, path, 0, &text, &err), &err);
    return text;
}

TEST(files_are_written_and_read)
{
    Error err = {0};
    Str path = fresh(arena, "f");
    IoFile file;
    CHECK_OK(io_create(path, &file, &err), &err);
    CHECK_OK(io_write(&file, "hello", 5, &err), &err);
    CHECK_OK(io_write(&file, NULL, 0, &err), &err);
    CHECK_OK(io_write(&file, " you", 4, &err), &err);
    CHECK_OK(io_sync(&file, &err), &err);
    CHECK_OK(io_close(&file, &err), &err);
    CHECK_OK(io_close(&file, &err), &err); /* closed already */
    CHECK_STR(content(arena, path), S("hello you"));
    char bytes[20];
    size_t size;
    uint64_t file_size;
    CHECK_OK(io_open_read(path, &file, &err), &err);
    CHECK_OK(io_file_size(&file, &file_size, &err), &err);
    CHECK_INT((int64_t)file_size, 9);
    CHECK_OK(io_read_at(&file, bytes, 3, 6, &size, &err), &err);
    CHECK_STR(((Str){bytes, size}), S("you"));
    CHECK_OK(io_read(&file, bytes, sizeof(bytes), &size, &err), &err);
    CHECK_STR(((Str){bytes, size}), S("hello you"));
    CHECK_OK(io_read(&file, bytes, sizeof(bytes), &size, &err), &err);
    CHECK_INT((int64_t)size, 0);
    io_close_cleanup(&file);
    IoMap map;
    CHECK_OK(io_map(path, &map, &err), &err);
    CHECK_STR(((Str){(const char *)map.ptr, map.size}), S("hello you"));
    io_unmap(&map);
    CHECK_OK(io_write_file(path, S(""), &err), &err);
    CHECK_OK(io_map(path, &map, &err), &err);
    CHECK(map.ptr == NULL && map.size == 0);
    io_unmap(&map);
    CHECK_STR(content(arena, path), S(""));
}

TEST(read_file_pads_with_zeros_and_keeps_to_its_limit)
{
    Error err = {0};
    Str path = fresh(arena, "f");
    Str text = S("");
    for (size_t size = 0; size < 200000; size = size * 3 + 1) {
        char *bytes = arena_alloc(arena, size);
        memset(bytes, 'x', size);
        CHECK_OK(io_write_file(path, (Str){bytes, size}, &err), &err);
        CHECK_OK(io_read_file(arena, path, size == 0 ? 1 : size, &text, &err), &err);
        CHECK_STR(text, ((Str){bytes, size}));
        for (size_t i = 0; i < 64; i++)
            CHECK_INT(text.ptr[text.len + i], 0);
        if (size > 1)
            CHECK_INT(io_read_file(arena, path, size - 1, &text, &err), ERR_LIMIT);
    }
    /* A file that says that it has no size. */
    CHECK_OK(io_read_file(arena, S("/proc/self/status"), 0, &text, &err), &err);
    CHECK(str_starts_with(text, S("Name:")));
}

TEST(paths_that_cannot_be_are_refused)
{
    Error err = {0};
    Str text;
    IoFile file;
    IoMap map;
    IoNames names;
    char longest[5000];
    memset(longest, 'a', sizeof(longest));
    Str none = fresh(arena, "none");
    CHECK_INT(io_read_file(arena, none, 0, &text, &err), ERR_NOT_FOUND);
    CHECK_INT(io_open_read(none, &file, &err), ERR_NOT_FOUND);
    CHECK_INT(io_map(none, &map, &err), ERR_NOT_FOUND);
    CHECK_INT(io_list_dir(arena, none, &names, &err), ERR_NOT_FOUND);
    CHECK_INT(io_create(S(""), &file, &err), ERR_IO);
    CHECK_INT(io_create((Str){longest, sizeof(longest)}, &file, &err), ERR_IO);
    CHECK_INT(io_replace_file((Str){longest, 4095}, S(""), &err), ERR_IO);
    CHECK_INT(io_create(S("/tmp/a\0b"), &file, &err), ERR_IO);
    CHECK_INT(io_create(io_join(arena, none, S("x")), &file, &err), ERR_IO);
    CHECK_INT(io_rename(none, S("x"), &err), ERR_IO);
    CHECK_INT(io_make_dirs(S("/dev/null/x"), &err), ERR_IO);
    CHECK(!io_exists(none) && !io_is_dir(none) && !io_is_dir(S("")));
    CHECK_OK(io_remove(none, &err), &err);
    CHECK_OK(io_remove_tree(none, &err), &err);
}

TEST(folders_are_made_listed_and_removed)
{
    Error err = {0};
    Str root = fresh(arena, "a");
    Str deep = io_join(arena, root, S("b/c/"));
    CHECK_OK(io_make_dirs(deep, &err), &err);
    CHECK_OK(io_make_dirs(deep, &err), &err);
    CHECK(io_is_dir(deep));
    static const char *const files[] = {"z", "a", "\xC3\xA9", "B"};
    for (size_t i = 0; i < COUNT_OF(files); i++)
        CHECK_OK(io_write_file(io_join(arena, deep, str_from_c(files[i])), S("x"), &err), &err);
    IoNames names = {0};
    CHECK_OK(io_list_dir(arena, deep, &names, &err), &err);
    if (CHECK_INT((int64_t)names.count, 4)) {
        CHECK_STR(names.items[0], S("B"));
        CHECK_STR(names.items[3], S("\xC3\xA9"));
    }
    Str outside = fresh(arena, "outside");
    CHECK_OK(io_write_file(outside, S("kept"), &err), &err);
    CHECK_INT(symlink(str_to_c(arena, outside), str_to_c(arena, io_join(arena, root, S("link")))),
              0);
    CHECK_OK(io_rename(io_join(arena, deep, S("z")), io_join(arena, root, S("y")), &err), &err);
    CHECK_OK(io_sync_dir(root, &err), &err);
    CHECK_OK(io_remove_tree(root, &err), &err);
    CHECK(!io_exists(root));
    CHECK_STR(content(arena, outside), S("kept"));
    CHECK_STR(io_join(arena, S("a/"), S("b")), S("a/b"));
    CHECK_STR(io_join(arena, S(""), S("b")), S("b"));
    CHECK_STR(io_join(arena, S("a"), S("/b")), S("/b"));
}

TEST(lock_is_held_by_one_at_a_time)
{
    Error err = {0};
    Str path = fresh(arena, "lock");
    IoFile first;
    IoFile second;
    CHECK_OK(io_lock(path, &first, &err), &err);
    CHECK_INT(io_lock(path, &second, &err), ERR_BUSY);
    CHECK_OK(io_close(&first, &err), &err);
    CHECK_OK(io_lock(path, &second, &err), &err);
    io_close_cleanup(&second);
}

/* --- faults --- */

/* Fails the n-th operation, writes half of it where it is a write. */
typedef struct {
    size_t countdown; /* 0: fails now */
    int fault;
    bool is_short;
    size_t seen;
} Fault;

static int fault_hook(void *context, const IoEvent *event, size_t *size)
{
    Fault *fault = context;
    fault->seen++;
    if (fault->countdown-- != 0)
        return 0;
    if (event->op == IO_WRITE && fault->is_short)
        *size /= 2;
    return fault->fault;
}

TEST(replace_leaves_the_old_file_or_the_new_one_whatever_fails)
{
    static const int faults[] = {ENOSPC, EIO};
    Error err = {0};
    Str path = fresh(arena, "f");
    Str temporary = str_format(arena, "%.*s.tmp", STR_ARG(path));
    size_t operations = 0;
    for (size_t i = 0; i < COUNT_OF(faults) * 2; i++) {
        for (size_t n = 0;; n++) {
            CHECK_OK(io_replace_file(path, S("old content"), &err), &err);
            Fault fault = {.countdown = n, .fault = faults[i / 2], .is_short = i % 2 == 1};
            io_set_hook(fault_hook, &fault);
            ErrorCode code = io_replace_file(path, S("new content"), &err);
            io_set_hook(NULL, NULL);
            Str now = content(arena, path);
            bool is_new = str_eq(now, S("new content"));
            CHECK(is_new || str_eq(now, S("old content")));
            CHECK(!io_exists(temporary));
            if (code == ERR_OK) {
                CHECK(is_new);
                operations = fault.seen;
                break;
            }
            CHECK_INT(code, faults[i / 2] == ENOSPC ? ERR_DISK_FULL : ERR_IO);
        }
        CHECK_INT((int64_t)operations, 5); /* open, write, sync, rename, sync of the folder */
    }
}

/* A hook that lets at most three bytes through at a time is survived. */
static int short_hook(void *context, const IoEvent *event, size_t *size)
{
    size_t *writes = context;
    if (event->op == IO_WRITE) {
        CHECK_INT((int64_t)event->offset, (int64_t)(*writes * 3));
        (*writes)++;
        if (*size > 3)
            *size = 3;
    }
    return 0;
}

TEST(short_writes_go_on_where_they_stopped)
{
    Error err = {0};
    Str path = fresh(arena, "f");
    size_t writes = 0;
    io_set_hook(short_hook, &writes);
    CHECK_OK(io_write_file(path, S("0123456789"), &err), &err);
    CHECK_INT((int64_t)writes, 4);
    IoFile file;
    writes = 0;
    CHECK_OK(io_create(path, &file, &err), &err);
    CHECK_OK(io_write(&file, "0123456789", 10, &err), &err);
    CHECK_OK(io_close(&file, &err), &err);
    io_set_hook(NULL, NULL);
    CHECK_STR(content(arena, path), S("0123456789"));
}

TEST(every_operation_passes_its_fault_on)
{
    Error err = {0};
    Str folder = test_temp_dir(arena);
    Str path = io_join(arena, folder, S("f"));
    CHECK_OK(io_write_file(path, S("x"), &err), &err);
    IoFile file = IO_FILE_CLOSED;
    char byte;
    size_t size;
    for (int i = 0; i < 8; i++) {
        if (i >= 6)
            CHECK_OK(io_open_read(path, &file, &err), &err);
        Fault fault = {.fault = EIO};
        io_set_hook(fault_hook, &fault);
        ErrorCode code = ERR_OK;
        if (i == 0)
            code = io_create(path, &file, &err);
        else if (i == 1)
            code = io_make_dirs(io_join(arena, folder, S("d")), &err);
        else if (i == 2)
            code = io_sync_dir(folder, &err);
        else if (i == 3)
            code = io_rename(path, S("y"), &err);
        else if (i == 4)
            code = io_remove(path, &err);
        else if (i == 5)
            code = io_remove_tree(folder, &err);
        else if (i == 6)
            code = io_read(&file, &byte, 1, &size, &err);
        else
            code = io_sync(&file, &err);
        io_set_hook(NULL, NULL);
        io_close_cleanup(&file);
        CHECK_INT(code, ERR_IO);
        CHECK_INT((int64_t)fault.seen, 1);
        CHECK_STR(content(arena, path), S("x"));
    }
}

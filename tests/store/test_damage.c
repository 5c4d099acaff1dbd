#include "base/io.h"
#include "base/test.h"
#include "people.h"

/* Every file of the version of a store. */
static IoNames version_files(Arena *arena, Str store)
{
    IoNames names = {0};
    IoNames files = {0};
    Error err = {0};
    Str folder = io_join(arena, store, S("gen-000001"));
    CHECK_OK(io_list_dir(arena, folder, &names, &err), &err);
    VEC_FOREACH (Str, name, &names)
        VEC_PUSH(arena, &files, io_join(arena, folder, *name));
    VEC_PUSH(arena, &files, io_join(arena, store, S("manifest")));
    return files;
}

static bool is_noticed(Arena *arena, Str store, Str file)
{
    Error err = {0};
    DiagList diags;
    diag_init(&diags, arena);
    ErrorCode code = store_check(store, 1, &diags, &err);
    if (code == ERR_OK && diags.kept.count == 0)
        return false;
    Str text = code == ERR_OK ? diags.kept.items[0].text : str_from_c(err.message);
    Str name = str_ends_with(file, S("manifest")) ? S("manifest") : S("gen-000001/");
    return str_find(text, name) != SIZE_MAX;
}

TEST(a_changed_bit_anywhere_is_noticed)
{
    Str store = io_join(arena, test_temp_dir(arena), S("store"));
    Error err = {0};
    CHECK_OK(people_store(arena, store, people_ndjson(arena, 0, 60), 2, &err), &err);
    IoNames files = version_files(arena, store);
    CHECK_INT(files.count, 5);
    uint64_t state = 5;
    VEC_FOREACH (Str, file, &files) {
        Str text;
        CHECK_OK(io_read_file(arena, *file, 0, &text, &err), &err);
        char *bytes = arena_copy(arena, text.ptr, text.len);
        for (size_t i = 0; i < 150; i++) {
            Arena *scratch CLEANUP(arena_cleanup) = arena_create(0);
            /* The head and table first, then anywhere. */
            size_t at = i < 50 ? (i * 13) % text.len : test_random(&state) % text.len;
            char bit = (char)(1 << test_random(&state) % 8);
            bytes[at] = (char)(bytes[at] ^ bit);
            CHECK_OK(io_write_file(*file, (Str){.ptr = bytes, .len = text.len}, &err), &err);
            if (!CHECK(is_noticed(scratch, store, *file)))
                return;
            bytes[at] = (char)(bytes[at] ^ bit);
        }
        CHECK_OK(io_write_file(*file, text, &err), &err);
    }
}

TEST(a_file_cut_short_grown_or_gone_is_noticed)
{
    Str store = io_join(arena, test_temp_dir(arena), S("store"));
    Error err = {0};
    CHECK_OK(people_store(arena, store, people_ndjson(arena, 0, 60), 2, &err), &err);
    IoNames files = version_files(arena, store);
    VEC_FOREACH (Str, file, &files) {
        Str text;
        CHECK_OK(io_read_file(arena, *file, 0, &text, &err), &err);
        for (size_t len = 0; len < text.len; len += text.len / 7 + 1) {
            CHECK_OK(io_write_file(*file, str_slice(text, 0, len), &err), &err);
            CHECK(is_noticed(arena, store, *file));
        }
        Str longer = str_format(arena, "%.*s", STR_ARG(text));
        char *grown = arena_zalloc(arena, text.len + 64);
        memcpy(grown, text.ptr, text.len);
        longer = (Str){.ptr = grown, .len = text.len + 64};
        CHECK_OK(io_write_file(*file, longer, &err), &err);
        CHECK(is_noticed(arena, store, *file));
        CHECK_OK(io_remove(*file, &err), &err);
        DiagList diags;
        diag_init(&diags, arena);
        CHECK(store_check(store, 1, &diags, &err) != ERR_OK || diags.kept.count > 0);
        CHECK_OK(io_write_file(*file, text, &err), &err);
    }
}

TEST(files_of_another_store_are_noticed)
{
    Str folder = test_temp_dir(arena);
    Str store = io_join(arena, folder, S("store"));
    Str other = io_join(arena, folder, S("other"));
    Error err = {0};
    CHECK_OK(people_store(arena, store, people_ndjson(arena, 0, 60), 2, &err), &err);
    CHECK_OK(people_store(arena, other, people_ndjson(arena, 9, 60), 2, &err), &err);
    Str part = S("gen-000001/part-00000.brp");
    Str text;
    CHECK_OK(io_read_file(arena, io_join(arena, other, part), 0, &text, &err), &err);
    CHECK_OK(io_write_file(io_join(arena, store, part), text, &err), &err);
    CHECK(is_noticed(arena, store, part));
}

TEST(damage_is_an_error_for_readers_too)
{
    Str store = io_join(arena, test_temp_dir(arena), S("store"));
    Error err = {0};
    CHECK_OK(people_store(arena, store, people_ndjson(arena, 0, 60), 1, &err), &err);
    Str file = io_join(arena, store, S("gen-000001/part-00000.brp"));
    Str text;
    CHECK_OK(io_read_file(arena, file, 0, &text, &err), &err);
    char *bytes = arena_copy(arena, text.ptr, text.len);
    bytes[text.len - 100] ^= 1; /* in the tapes */
    CHECK_OK(io_write_file(file, (Str){.ptr = bytes, .len = text.len}, &err), &err);
    Store *opened CLEANUP(store_cleanup) = NULL;
    CHECK_OK(store_open(arena, store, &opened, &err), &err);
    const RecordBatch *batch;
    CHECK_INT(store_batch(opened, 0, &batch, &err), ERR_DAMAGED);
    CHECK(str_find(str_from_c(err.message), S("section tapes")) != SIZE_MAX);
    CHECK_INT(store_batch(opened, 0, &batch, &err), ERR_DAMAGED);
    /* The directory is whole and may be used. */
    CHECK_OK(store_directory(opened, 0, &batch, &err), &err);
    CHECK_INT(batch->person_count, 60);
}

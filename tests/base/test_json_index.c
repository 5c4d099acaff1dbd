#include "base/json_index.h"
#include "base/test.h"

static Str padded(Arena *arena, Str text)
{
    char *copy = arena_zalloc(arena, text.len + JSON_INDEX_PADDING);
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    return (Str){.ptr = copy, .len = text.len};
}

TEST(json_index_answers_for_all_kinds_of_text)
{
    static const struct {
        const char *row;
        Str text;
        JsonIndexResult want;
        size_t offsets;
    } rows[] = {
        /* clang-format off */
        {"nothing",                STR_INIT(""),                      JSON_INDEX_EMPTY,           0},
        {"white space",            STR_INIT("  \n\t "),               JSON_INDEX_EMPTY,           0},
        {"number",                 STR_INIT("1"),                     JSON_INDEX_OK,              1},
        {"object",                 STR_INIT("{\"a\":[1,true]}"),      JSON_INDEX_OK,              9},
        {"two documents",          STR_INIT("{}\n{\"b\":2}\n"),       JSON_INDEX_OK,              7},
        {"unbalanced is not seen", STR_INIT("]]}{"),                  JSON_INDEX_OK,              4},
        {"string not closed",      STR_INIT("{\"a"),                  JSON_INDEX_UNCLOSED_STRING, 0},
        {"escaped quote at end",   STR_INIT("\"a\\\""),               JSON_INDEX_UNCLOSED_STRING, 0},
        {"tab in string",          STR_INIT("\"a\tb\""),              JSON_INDEX_BAD_STRING,      0},
        {"zero byte in string",    STR_INIT("\"a\0b\""),              JSON_INDEX_BAD_STRING,      0},
        {"lone continuation",      STR_INIT("\"\x80\""),              JSON_INDEX_BAD_UTF8,        0},
        {"cut character",          STR_INIT("\"\xE2\x82\""),          JSON_INDEX_BAD_UTF8,        0},
        {"encoded surrogate",      STR_INIT("\"\xED\xA0\x80\""),      JSON_INDEX_BAD_UTF8,        0},
        {"overlong",               STR_INIT("\"\xC0\xAF\""),          JSON_INDEX_BAD_UTF8,        0},
        {"two- to four-byte",      STR_INIT("\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\""), JSON_INDEX_OK, 1},
        /* clang-format on */
    };
    JsonIndex *index = json_index_create();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Str text = padded(arena, rows[i].text);
        CHECK_ROW(rows[i].row, json_index_run(index, text.ptr, text.len), rows[i].want);
        size_t count;
        const uint32_t *offsets = json_index_offsets(index, &count);
        CHECK_ROW(rows[i].row, (int64_t)count, (int64_t)rows[i].offsets);
        CHECK_ROW(rows[i].row, offsets[count], (int64_t)text.len);
        CHECK_ROW(rows[i].row, offsets[count + 1], (int64_t)text.len);
        CHECK(json_index_result_text(rows[i].want) != NULL);
    }
    json_index_destroy(index);
}

TEST(json_index_lists_the_offsets_of_structure_outside_of_strings)
{
    Str text = padded(arena, S("{\"a{\\\"\": -1.5, \"b\":[null]}"));
    static const uint32_t want[] = {0, 1, 7, 9, 13, 15, 18, 19, 20, 24, 25};
    JsonIndex *index = json_index_create();
    CHECK_INT(json_index_run(index, text.ptr, text.len), JSON_INDEX_OK);
    size_t count;
    const uint32_t *offsets = json_index_offsets(index, &count);
    if (CHECK_INT((int64_t)count, COUNT_OF(want)))
        for (size_t i = 0; i < count; i++)
            CHECK_INT(offsets[i], want[i]);
    json_index_destroy(index);
}

TEST(json_index_grows_with_the_text)
{
    JsonIndex *index = json_index_create();
    for (size_t len = 1000; len < 5000000; len *= 3) {
        char *text = arena_zalloc(arena, len + JSON_INDEX_PADDING);
        memset(text, '[', len);
        CHECK_INT(json_index_run(index, text, len), JSON_INDEX_OK);
        size_t count;
        const uint32_t *offsets = json_index_offsets(index, &count);
        CHECK_INT((int64_t)count, (int64_t)len);
        CHECK_INT(offsets[len - 1], (int64_t)len - 1);
    }
    json_index_destroy(index);
}

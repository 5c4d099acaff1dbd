#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"

/* --- arena --- */

TEST(arena_gives_aligned_memory_that_does_not_overlap)
{
    enum { COUNT = 2000 };
    Arena *own = arena_create(512);
    unsigned char *parts[COUNT];
    size_t sizes[COUNT];
    uint64_t seed = 3;
    for (size_t i = 0; i < COUNT; i++) {
        sizes[i] = (size_t)(test_random(&seed) % (i % 50 == 0 ? 5000 : 60));
        parts[i] = arena_alloc(own, sizes[i]);
        CHECK_INT((int64_t)((uintptr_t)parts[i] % 16), 0);
        memset(parts[i], (int)(i & 0xFF), sizes[i]);
    }
    for (size_t i = 0; i < COUNT; i++)
        for (size_t j = 0; j < sizes[i]; j++)
            ASSERT(parts[i][j] == (i & 0xFF));
    size_t held = arena_bytes_held(own);
    arena_reset(own);
    for (size_t i = 0; i < COUNT; i++)
        arena_alloc(own, sizes[i]);
    CHECK(arena_bytes_held(own) <= held + 6000); /* the blocks are used again */
    arena_destroy(own);
}

TEST(arena_rewinds_to_a_mark)
{
    Arena *own = arena_create(256);
    char *kept = arena_copy(own, "kept", 5);
    ArenaMark mark = arena_mark(own);
    void *first = arena_alloc(own, 16);
    for (int i = 0; i < 100; i++)
        arena_alloc(own, 100);
    arena_rewind(own, mark);
    CHECK(arena_alloc(own, 16) == first);
    CHECK_STR(str_from_c(kept), S("kept"));
    arena_destroy(own);
}

TEST(arena_grows_in_place_where_it_can_and_keeps_the_bytes)
{
    Arena *own = arena_create(4096);
    char *text = arena_alloc(own, 10);
    memcpy(text, "123456789", 10);
    CHECK(arena_grow(own, text, 10, 100) == text);
    arena_alloc(own, 1);
    char *moved = arena_grow(own, text, 100, 200);
    CHECK(moved != text);
    CHECK_STR(str_from_c(moved), S("123456789"));
    char *large = arena_grow(own, moved, 200, 100000);
    CHECK_STR(str_from_c(large), S("123456789"));
    const unsigned char *zeros = arena_zalloc_array(own, 100, 7);
    for (size_t i = 0; i < 700; i++)
        ASSERT(zeros[i] == 0);
    arena_destroy(own);
    arena_destroy(NULL);
}

/* --- text --- */

TEST(str_finds_cuts_and_compares)
{
    CHECK(str_eq(S("a"), str_slice(S("cat"), 1, 1)));
    CHECK(!str_eq(S("a"), S("ab")));
    CHECK(str_cmp(S("a"), S("b")) < 0);
    CHECK(str_cmp(S("ab"), S("a")) > 0);
    CHECK(str_cmp(S(""), S("")) == 0);
    CHECK(str_cmp(S("\x80"), S("a")) > 0); /* bytes, not signed chars */
    CHECK(str_starts_with(S("abc"), S("ab")) && !str_starts_with(S("a"), S("ab")));
    CHECK(str_ends_with(S("abc"), S("bc")) && !str_ends_with(S("c"), S("bc")));
    CHECK_INT((int64_t)str_find(S("abcabc"), S("ca")), 2);
    CHECK_INT((int64_t)str_find(S("abc"), S("")), 0);
    CHECK(str_find(S("abc"), S("d")) == SIZE_MAX);
    CHECK(str_find(S(""), S("d")) == SIZE_MAX);
    CHECK_INT((int64_t)str_find_char(S("abc"), 'c'), 2);
    CHECK(str_find_char(S(""), 'c') == SIZE_MAX);
    CHECK_STR(str_slice(S("abc"), 3, 5), S(""));
    CHECK_STR(str_trim(S(" \t a b \r\n")), S("a b"));
    CHECK_STR(str_trim(S("  ")), S(""));
    CHECK_STR(str_from_c(NULL), S(""));
    CHECK_STR(str_format(arena, "%d-%s", 7, "x"), S("7-x"));
    CHECK_STR(str_from_c(str_to_c(arena, S("abc"))), S("abc"));
    CHECK_STR(str_copy(arena, S("")), S(""));
}

TEST(str_split_gives_every_part)
{
    static const struct {
        const char *row;
        Str text;
        const char *want; /* each part behind a '|' */
    } rows[] = {
        {"three", STR_INIT("a,,b"), "|a||b"},
        {"nothing", STR_INIT(""), "|"},
        {"ends", STR_INIT(",a,"), "||a|"},
        {"one", STR_INIT("abc"), "|abc"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        StrBuf got;
        strbuf_init(&got, arena, 0);
        Str rest = rows[i].text;
        Str part;
        while (str_split_next(&rest, ',', &part))
            strbuf_printf(&got, "|%.*s", STR_ARG(part));
        CHECK_ROW_STR(rows[i].row, strbuf_str(&got), str_from_c(rows[i].want));
    }
}

TEST(str_to_int64_takes_all_of_int64_and_nothing_else)
{
    static const struct {
        Str text;
        bool ok;
        int64_t want;
    } rows[] = {
        {STR_INIT("0"), true, 0},
        {STR_INIT("-0"), true, 0},
        {STR_INIT("0012"), true, 12},
        {STR_INIT("9223372036854775807"), true, INT64_MAX},
        {STR_INIT("-9223372036854775808"), true, INT64_MIN},
        {STR_INIT("9223372036854775808"), false, 0},
        {STR_INIT("-9223372036854775809"), false, 0},
        {STR_INIT("99999999999999999999999"), false, 0},
        {STR_INIT(""), false, 0},
        {STR_INIT("-"), false, 0},
        {STR_INIT("+1"), false, 0},
        {STR_INIT(" 1"), false, 0},
        {STR_INIT("1 "), false, 0},
        {STR_INIT("1x"), false, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t value = 0;
        CHECK_ROW(rows[i].text.ptr, str_to_int64(rows[i].text, &value), rows[i].ok);
        CHECK_ROW(rows[i].text.ptr, value, rows[i].want);
    }
}

TEST(str_hash_is_spread_and_depends_on_all_bytes)
{
    /* Fixed: stores are the same bytes on any machine. */
    CHECK_INT((int64_t)str_hash(S("")) != (int64_t)str_hash(S("\0")), true);
    char text[40];
    memset(text, 'a', sizeof(text));
    uint64_t buckets[64] = {0};
    for (size_t len = 1; len <= sizeof(text); len++) {
        uint64_t before = str_hash((Str){text, len});
        for (size_t i = 0; i < len; i++) {
            text[i]++;
            uint64_t after = str_hash((Str){text, len});
            CHECK(after != before);
            buckets[after % 64]++;
            text[i]--;
        }
    }
    for (size_t i = 0; i < 64; i++)
        CHECK(buckets[i] < 60); /* 820 in 64 buckets */
}

TEST(strbuf_stops_at_its_ceiling)
{
    StrBuf buf;
    strbuf_init(&buf, arena, 10);
    strbuf_add(&buf, S("12345"));
    strbuf_add_char(&buf, '6');
    strbuf_printf(&buf, "%d", 789);
    CHECK(!buf.overflowed);
    strbuf_add_c(&buf, "abc");
    CHECK(buf.overflowed);
    CHECK_STR(strbuf_str(&buf), S("123456789"));
    strbuf_clear(&buf);
    CHECK(!buf.overflowed);
    CHECK_STR(strbuf_str(&buf), S(""));
    StrBuf large;
    strbuf_init(&large, arena, 0);
    for (int i = 0; i < 10000; i++)
        strbuf_printf(&large, "%d,", i);
    Str rest = strbuf_str(&large);
    Str part;
    for (int64_t i = 0; i < 10000; i++) {
        int64_t value = -1;
        CHECK(str_split_next(&rest, ',', &part) && str_to_int64(part, &value));
        CHECK_INT(value, i);
    }
}

/* --- arrays and maps --- */

TEST(vec_keeps_what_is_pushed)
{
    Vec(uint32_t) numbers = {0};
    for (uint32_t i = 0; i < 10000; i++)
        VEC_PUSH(arena, &numbers, i * 7);
    CHECK_INT((int64_t)numbers.count, 10000);
    uint32_t want = 0;
    VEC_FOREACH (uint32_t, number, &numbers) {
        ASSERT(*number == want);
        want += 7;
    }
}

TEST(map_agrees_with_a_list_of_random_keys)
{
    enum { KEYS = 3000, STEPS = 20000 };
    Map map;
    map_init(&map, arena);
    uint64_t *values = ARENA_ZARRAY(arena, uint64_t, KEYS);
    bool *is_there = ARENA_ZARRAY(arena, bool, KEYS);
    Str *order = ARENA_ARRAY(arena, Str, KEYS);
    size_t count = 0;
    uint64_t seed = 11;
    uint64_t value;
    CHECK(!map_has(&map, S("")));
    for (int step = 0; step < STEPS; step++) {
        size_t number = (size_t)(test_random(&seed) % KEYS);
        Str key = str_format(arena, "%zu", number * number);
        CHECK_INT(map_find(&map, key, &value), is_there[number]);
        if (is_there[number])
            ASSERT(value == values[number]);
        if (!is_there[number])
            order[count++] = key;
        is_there[number] = true;
        values[number] = test_random(&seed);
        map_put(&map, key, values[number]);
        CHECK(map_has(&map, key));
    }
    CHECK_INT((int64_t)map.count, (int64_t)count);
    for (size_t i = 0; i < count; i++)
        CHECK_STR(map.entries[i].key, order[i]);
    bool is_new;
    CHECK_INT((int64_t)map_intern(&map, order[5], 1, &is_new), 5);
    CHECK(!is_new);
    CHECK_INT((int64_t)map_intern(&map, S("new"), 1, &is_new), (int64_t)count);
    CHECK(is_new);
}

/* --- failures and findings --- */

TEST(errors_say_what_and_where)
{
    Error err = {0};
    CHECK_INT(error_set(&err, ERR_INPUT, "line %d", 7), ERR_INPUT);
    CHECK_STR(str_from_c(err.message), S("line 7"));
    CHECK_INT(error_wrap(&err, "%s", "file"), ERR_INPUT);
    CHECK_STR(str_from_c(err.message), S("file: line 7"));
    CHECK_INT(error_set_errno(&err, ENOSPC, "x"), ERR_DISK_FULL);
    CHECK_STR(str_from_c(err.message), S("x: No space left on device"));
    CHECK_INT(error_set_errno(&err, EACCES, "x"), ERR_IO);
    CHECK_INT(error_set(NULL, ERR_BUSY, "x"), ERR_BUSY);
    CHECK_INT(error_set_errno(NULL, EIO, "x"), ERR_IO);
    CHECK_STR(str_from_c(error_code_name(ERR_DAMAGED)), S("DAMAGED"));
    CHECK(error_code_text(ERR_STOPPED)[0] != '\0');
    char large[3000];
    memset(large, 'x', sizeof(large));
    large[sizeof(large) - 1] = '\0';
    CHECK_INT(error_set(&err, ERR_IO, "%s", large), ERR_IO);
    CHECK_INT(error_wrap(&err, "%s", large), ERR_IO);
    CHECK(strlen(err.message) < sizeof(err.message));
}

static Str formatted(Arena *arena, Diag diag)
{
    StrBuf buf;
    strbuf_init(&buf, arena, 0);
    diag_format(&diag, &buf);
    return strbuf_str(&buf);
}

TEST(findings_are_written_with_what_is_known)
{
    Diag diag = {.severity = SEVERITY_ERROR, .text = S("wrong")};
    CHECK_STR(formatted(arena, diag), S("error: wrong"));
    diag.file = S("f.yaml");
    diag.rule = S("a-rule");
    CHECK_STR(formatted(arena, diag), S("f.yaml: error: wrong [a-rule]"));
    diag.line = 3;
    diag.severity = SEVERITY_WARNING;
    CHECK_STR(formatted(arena, diag), S("f.yaml:3: warning: wrong [a-rule]"));
    diag.column = 4;
    diag.path = S("A.b");
    CHECK_STR(formatted(arena, diag), S("f.yaml:3:4: warning: A.b: wrong [a-rule]"));
}

TEST(findings_are_counted_past_what_is_kept_and_joined)
{
    Arena *other_arena = arena_create(0);
    DiagList list;
    DiagList other;
    diag_init(&list, arena);
    diag_init(&other, other_arena);
    Error err = {0};
    CHECK_OK(diag_to_error(&list, &err), &err);
    diag_addf(&list, (Diag){.severity = SEVERITY_WARNING}, "note %d", 1);
    CHECK(!diag_has_errors(&list));
    for (int i = 0; i < LIMIT_DIAG_KEPT + 5; i++)
        diag_addf(&other,
                  (Diag){.severity = SEVERITY_ERROR, .file = S("f"), .line = 2, .column = 1},
                  "wrong %d", i);
    diag_append(&list, &other);
    arena_destroy(other_arena);
    CHECK(diag_has_errors(&list));
    CHECK_INT((int64_t)list.counts[SEVERITY_ERROR], LIMIT_DIAG_KEPT + 5);
    CHECK_INT((int64_t)list.counts[SEVERITY_WARNING], 1);
    CHECK_INT((int64_t)list.kept.count, LIMIT_DIAG_KEPT);
    CHECK_STR(list.kept.items[1].text, S("wrong 0"));
    CHECK_INT(diag_to_error(&list, &err), ERR_DOCUMENT);
    CHECK_STR(str_from_c(err.message), S("f:2:1: wrong 0 (and more)"));
}

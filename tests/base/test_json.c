#include "base/io.h"
#include "base/json.h"
#include "base/test.h"

TEST(json_writer_keeps_commas_and_escapes)
{
    StrBuf buf;
    JsonWriter json;
    strbuf_init(&buf, arena, 0);
    json_writer_init(&json, &buf, false);
    json_object_begin(&json);
    json_member_str(
        &json, S("a\"b"),
        S("\\ \b\f\n\r\t \x01 </script> \xE2\x80\xA8\xE2\x80\xA9\xE2\x80\xAA \x7F\xC3\xA9"));
    json_key(&json, S("list"));
    json_array_begin(&json);
    json_int(&json, INT64_MIN);
    json_null(&json);
    json_array_begin(&json);
    json_array_end(&json);
    json_object_begin(&json);
    json_object_end(&json);
    json_raw(&json, S("1.50"));
    json_array_end(&json);
    json_member_bool(&json, S("yes"), true);
    json_member_int(&json, S("n"), 7);
    json_key(&json, S("d"));
    json_decimal(&json, (Decimal){.units = -250000000});
    json_object_end(&json);
    json_line_end(&json);
    json_bool(&json, false);
    json_line_end(&json);
    CHECK_STR(strbuf_str(&buf),
              S("{\"a\\\"b\":\"\\\\ \\b\\f\\n\\r\\t \\u0001 \\u003c/script> "
                "\\u2028\\u2029\xE2\x80\xAA \x7F\xC3\xA9\","
                "\"list\":[-9223372036854775808,null,[],{},1.50],\"yes\":true,\"n\":7,\"d\":-2.5}\n"
                "false\n"));
}

TEST(json_writer_always_writes_utf8)
{
    static const struct {
        Str text;
        Str want;
    } rows[] = {
        /* clang-format off */
        {STR_INIT("\xC3\xA9\xF0\x9F\x98\x80"), STR_INIT("\"\xC3\xA9\xF0\x9F\x98\x80\"")},
        {STR_INIT("a\xFFz"),                 STR_INIT("\"a\\ufffdz\"")},
        {STR_INIT("cut \xE2\x80"),           STR_INIT("\"cut \\ufffd\\ufffd\"")},
        {STR_INIT("\xC0\xAF"),               STR_INIT("\"\\ufffd\\ufffd\"")},
        {STR_INIT("\xED\xA0\x80"),           STR_INIT("\"\\ufffd\\ufffd\\ufffd\"")},
        {STR_INIT("\xE2\x80\xA8\xE2"),       STR_INIT("\"\\u2028\\ufffd\"")},
        /* clang-format on */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        StrBuf out;
        JsonWriter json;
        strbuf_init(&out, arena, 0);
        json_writer_init(&json, &out, false);
        json_str(&json, rows[i].text);
        CHECK_STR(strbuf_str(&out), rows[i].want);
    }
}

TEST(json_writer_indents)
{
    StrBuf buf;
    JsonWriter json;
    strbuf_init(&buf, arena, 0);
    json_writer_init(&json, &buf, true);
    json_object_begin(&json);
    json_key(&json, S("a"));
    json_array_begin(&json);
    json_int(&json, 1);
    json_int(&json, 2);
    json_array_end(&json);
    json_key(&json, S("b"));
    json_object_begin(&json);
    json_object_end(&json);
    json_object_end(&json);
    CHECK_STR(strbuf_str(&buf), S("{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {}\n}"));
}

static Str nested(Arena *arena, size_t depth)
{
    char *text = arena_alloc(arena, depth * 2);
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    return (Str){.ptr = text, .len = depth * 2};
}

TEST(json_reader_refuses_what_the_rfc_does)
{
    static const struct {
        Str text;
        const char *want; /* NULL: fine */
    } rows[] = {
        /* clang-format off */
        {STR_INIT("1"),                      NULL},
        {STR_INIT(" null "),                 NULL},
        {STR_INIT("\"\""),                   NULL},
        {STR_INIT("-0.0e+1"),                NULL},
        {STR_INIT("[]"),                     NULL},
        {STR_INIT("{}"),                     NULL},
        {STR_INIT("{\"\":0}"),               NULL},
        {STR_INIT("[1,[2,{\"a\":[]}],\"\\u00e9\\ud83d\\ude00\\/\"]"), NULL},
        {STR_INIT("\"\x7F\""),               NULL},
        {STR_INIT(""),                       "line 1, column 1: empty"},
        {STR_INIT(" \n "),                   "line 2, column 2: empty"},
        {STR_INIT("1 2"),                    "line 1, column 3: more text behind the value"},
        {STR_INIT("{}{}"),                   "line 1, column 3: more text behind the value"},
        {STR_INIT("[1,]"),                   "line 1, column 4: expected a value"},
        {STR_INIT("[,1]"),                   "line 1, column 2: expected a value"},
        {STR_INIT("[1 2]"),                  "line 1, column 4: expected ',' or ']'"},
        {STR_INIT("[1"),                     "line 1, column 3: expected ',' or ']'"},
        {STR_INIT("["),                      "line 1, column 2: the text ends before the value is complete"},
        {STR_INIT("]"),                      "line 1, column 1: expected a value"},
        {STR_INIT("{\"a\"}"),                "line 1, column 5: expected ':' behind the key"},
        {STR_INIT("{\"a\":}"),               "line 1, column 6: expected a value"},
        {STR_INIT("{\"a\":1,}"),             "line 1, column 8: expected a key in quotes"},
        {STR_INIT("{a:1}"),                  "line 1, column 2: expected a key in quotes"},
        {STR_INIT("{\"a\":1 \"b\":2}"),      "line 1, column 8: expected ',' or '}'"},
        {STR_INIT("{\"a\":1,\n\"\\u0061\":2}"), "line 2, column 1: the key stands twice in its object"},
        {STR_INIT("01"),                     "line 1, column 1: expected a value"},
        {STR_INIT("+1"),                     "line 1, column 1: expected a value"},
        {STR_INIT(".5"),                     "line 1, column 1: expected a value"},
        {STR_INIT("1."),                     "line 1, column 1: expected a value"},
        {STR_INIT("1e"),                     "line 1, column 1: expected a value"},
        {STR_INIT("1e+"),                    "line 1, column 1: expected a value"},
        {STR_INIT("-"),                      "line 1, column 1: expected a value"},
        {STR_INIT("0x1"),                    "line 1, column 1: expected a value"},
        {STR_INIT("NaN"),                    "line 1, column 1: expected a value"},
        {STR_INIT("nul"),                    "line 1, column 1: expected a value"},
        {STR_INIT("nulll"),                  "line 1, column 1: expected a value"},
        {STR_INIT("True"),                   "line 1, column 1: expected a value"},
        {STR_INIT("1\0"),                    "line 1, column 1: expected a value"},
        {STR_INIT("1\x0c"),                  "line 1, column 2: more text behind the value"},
        {STR_INIT("12\"a\""),                "line 1, column 1: expected a value"},
        {STR_INIT("\"a\"b"),                 "line 1, column 4: more text behind the value"},
        {STR_INIT("\"a\"\"b\""),             "line 1, column 4: more text behind the value"},
        {STR_INIT("[1]\xEF\xBB\xBF"),        "line 1, column 4: more text behind the value"},
        {STR_INIT("\xEF\xBB\xBF[1]"),        "line 1, column 1: expected a value"},
        {STR_INIT("'a'"),                    "line 1, column 1: expected a value"},
        {STR_INIT("// a\n1"),                "line 1, column 1: expected a value"},
        {STR_INIT("\"\\x\""),                "line 1, column 2: unknown escape"},
        {STR_INIT("[\n \"ab\\u12g4\"]"),     "line 2, column 5: \\u must be followed by four hexadecimal digits"},
        {STR_INIT("\"\\u0000\""),            "line 1, column 2: \\u0000 is not allowed in text"},
        {STR_INIT("\"\\ud800\""),            "line 1, column 8: half of a surrogate pair"},
        {STR_INIT("\"\\ud800\\u0041\""),     "line 1, column 8: half of a surrogate pair"},
        {STR_INIT("\"\\udc00\\ud800\""),     "line 1, column 8: half of a surrogate pair"},
        {STR_INIT("[1,\n\"a"),               "line 2, column 1: a string is not closed"},
        {STR_INIT("\"a\nb\""),               "line 1, column 3: a control character inside a string"},
        {STR_INIT("[\"a\",\n \"\xFF\"]"),    "line 2, column 3: not valid UTF-8"},
        {STR_INIT("\xC0\x80"),               "line 1, column 1: not valid UTF-8"},
        /* clang-format on */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Error err = {0};
        JsonValue *value = NULL;
        ErrorCode code = json_parse(arena, rows[i].text, &value, &err);
        CHECK_ROW(rows[i].text.ptr, code, rows[i].want == NULL ? ERR_OK : ERR_DOCUMENT);
        if (rows[i].want != NULL)
            CHECK_ROW_STR(rows[i].text.ptr, str_from_c(err.message), str_from_c(rows[i].want));
        CHECK_ROW(rows[i].text.ptr, value != NULL, rows[i].want == NULL);
    }
    Error err = {0};
    JsonValue *value;
    CHECK_OK(json_parse(arena, nested(arena, LIMIT_JSON_DEPTH), &value, &err), &err);
    CHECK_INT(json_parse(arena, nested(arena, LIMIT_JSON_DEPTH + 1), &value, &err), ERR_LIMIT);
    CHECK_INT(json_parse(arena, nested(arena, 1000000), &value, &err), ERR_LIMIT);
}

TEST(json_reader_gives_values_with_their_places)
{
    Error err = {0};
    JsonValue *value;
    Str text = S("{\"a\": \"x\\ty\\u20ac\\ud83d\\ude00z\",\n  \"n\": -1.50e3, \"t\":true,\n"
                 "\"list\": [null, false, {}]}");
    CHECK_OK(json_parse(arena, text, &value, &err), &err);
    CHECK_INT(value->kind, JSON_OBJECT);
    CHECK_INT((int64_t)value->count, 4);
    CHECK_STR(json_find_text(value, S("a")), S("x\ty\xE2\x82\xAC\xF0\x9F\x98\x80z"));
    const JsonValue *number = json_find(value, S("n"));
    CHECK_INT(number->kind, JSON_NUMBER);
    CHECK_STR(number->text, S("-1.50e3"));
    CHECK_INT(number->line, 2);
    CHECK_INT(number->column, 8);
    CHECK(json_find(value, S("t"))->boolean);
    const JsonValue *list = json_find(value, S("list"));
    CHECK_INT((int64_t)list->count, 3);
    CHECK_INT(list->items[0].kind, JSON_NULL);
    CHECK_INT(list->items[1].kind, JSON_BOOL);
    CHECK_INT(list->items[2].line, 3);
    CHECK_INT(list->items[2].column, 23);
    CHECK(json_find(value, S("b")) == NULL);
    CHECK(json_find(NULL, S("b")) == NULL);
    CHECK(json_find(list, S("b")) == NULL);
    CHECK_STR(json_find_text(value, S("n")), S(""));
}

TEST(json_reader_finds_one_key_twice_among_many)
{
    StrBuf buf;
    strbuf_init(&buf, arena, 0);
    strbuf_add(&buf, S("{"));
    for (int i = 0; i < 3000; i++)
        strbuf_printf(&buf, "\"k%d\":{\"k%d\":%d},\n", i, i, i);
    size_t good = buf.len;
    strbuf_add(&buf, S("\"last\":1}"));
    Error err = {0};
    JsonValue *value;
    CHECK_OK(json_parse(arena, strbuf_str(&buf), &value, &err), &err);
    CHECK_INT((int64_t)value->count, 3001);
    CHECK_STR(value->items[2999].items[0].text, S("2999"));
    buf.len = good;
    strbuf_add(&buf, S("\"k17\":1}"));
    CHECK_INT(json_parse(arena, strbuf_str(&buf), &value, &err), ERR_DOCUMENT);
    CHECK_STR(str_from_c(err.message),
              S("line 3001, column 1: the key stands twice in its object"));
}

static void write_again(JsonWriter *json, const JsonValue *value)
{
    switch (value->kind) {
    case JSON_NULL:
        json_null(json);
        break;
    case JSON_BOOL:
        json_bool(json, value->boolean);
        break;
    case JSON_NUMBER:
        json_raw(json, value->text);
        break;
    case JSON_STRING:
        json_str(json, value->text);
        break;
    case JSON_ARRAY:
        json_array_begin(json);
        for (size_t i = 0; i < value->count; i++)
            write_again(json, &value->items[i]);
        json_array_end(json);
        break;
    case JSON_OBJECT:
        json_object_begin(json);
        for (size_t i = 0; i < value->count; i++) {
            json_key(json, value->items[i].key);
            write_again(json, &value->items[i]);
        }
        json_object_end(json);
        break;
    }
}

static Str written(Arena *arena, const JsonValue *value, bool is_pretty)
{
    StrBuf buf;
    JsonWriter json;
    strbuf_init(&buf, arena, 0);
    json_writer_init(&json, &buf, is_pretty);
    write_again(&json, value);
    return strbuf_str(&buf);
}

/* A random document by the writer, read and written again, is the same. */
static void add_random(JsonWriter *json, Arena *arena, uint64_t *seed, int depth)
{
    char text[12];
    size_t len = (size_t)(test_random(seed) % sizeof(text));
    for (size_t i = 0; i < len; i++)
        text[i] = (char)(1 + test_random(seed) % 127);
    uint64_t kind = test_random(seed) % (depth > 5 ? 4 : 6);
    if (kind == 0) {
        json_str(json, (Str){text, len});
    } else if (kind == 1) {
        json_int(json, (int64_t)test_random(seed));
    } else if (kind == 2) {
        json_bool(json, test_random(seed) % 2 == 0);
    } else if (kind == 3) {
        json_null(json);
    } else {
        size_t count = (size_t)(test_random(seed) % 24);
        kind == 4 ? json_array_begin(json) : json_object_begin(json);
        for (size_t i = 0; i < count; i++) {
            if (kind == 5)
                json_key(json, str_format(arena, "%zu%.*s", i, (int)len, text));
            add_random(json, arena, seed, depth + 1);
        }
        kind == 4 ? json_array_end(json) : json_object_end(json);
    }
}

TEST(json_written_and_read_is_the_same)
{
    uint64_t seed = 17;
    for (int round = 0; round < 300; round++) {
        StrBuf buf;
        JsonWriter json;
        strbuf_init(&buf, arena, 0);
        json_writer_init(&json, &buf, round % 2 == 0);
        add_random(&json, arena, &seed, round % 7);
        Error err = {0};
        JsonValue *value;
        if (CHECK_OK(json_parse(arena, strbuf_str(&buf), &value, &err), &err))
            CHECK_STR(written(arena, value, round % 2 == 0), strbuf_str(&buf));
        arena_reset(arena);
    }
}

/*
 * fuzz_json -- any bytes through the JSON reader. What it accepts is written, read and written
 * again: both texts must be the same.
 */
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_value(JsonWriter *json, const JsonValue *value)
{
    if (value->kind == JSON_NULL)
        json_null(json);
    else if (value->kind == JSON_BOOL)
        json_bool(json, value->boolean);
    else if (value->kind == JSON_NUMBER)
        json_raw(json, value->text);
    else if (value->kind == JSON_STRING)
        json_str(json, value->text);
    if (value->kind < JSON_ARRAY)
        return;
    bool is_object = value->kind == JSON_OBJECT;
    is_object ? json_object_begin(json) : json_array_begin(json);
    for (size_t i = 0; i < value->count; i++) {
        if (is_object)
            json_key(json, value->items[i].key);
        write_value(json, &value->items[i]);
    }
    is_object ? json_object_end(json) : json_array_end(json);
}

/* The writer has a level less than the reader: the value itself is level 0. */
static int depth_of(const JsonValue *value)
{
    int depth = 0;
    for (size_t i = 0; i < value->count; i++) {
        int below = depth_of(&value->items[i]);
        depth = below > depth ? below : depth;
    }
    return depth + (value->kind >= JSON_ARRAY);
}

static Str written(Arena *arena, const JsonValue *value)
{
    StrBuf buf;
    JsonWriter json;
    strbuf_init(&buf, arena, 0);
    json_writer_init(&json, &buf, true);
    write_value(&json, value);
    return strbuf_str(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_create(0);
    Error err = {0};
    JsonValue *value;
    ErrorCode code = json_parse(arena, (Str){(const char *)data, size}, &value, &err);
    ASSERT(code == ERR_OK || (err.code == code && err.message[0] != '\0'));
    if (code == ERR_OK && depth_of(value) < JSON_WRITER_DEPTH_MAX) {
        Str first = written(arena, value);
        code = json_parse(arena, first, &value, &err);
        ASSERT(code == ERR_OK);
        ASSERT(str_eq(first, written(arena, value)));
    }
    arena_destroy(arena);
    return 0;
}

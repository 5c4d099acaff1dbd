/*
 * json -- writing JSON, and reading small documents whole.
 *
 * The writer is a StrBuf with commas kept right; members come in the order they are written,
 * so output is the same every time. The reader gives a tree with line and column, for value
 * sets and other documents of up to LIMIT_DOCUMENT_BYTES; patients' records do not go through it
 * (see fhir).
 *
 *     JsonWriter json;
 *     json_writer_init(&json, &buf, false);
 *     json_object_begin(&json);
 *     json_key(&json, S("persons"));
 *     json_int(&json, 199);
 *     json_object_end(&json);
 */
#pragma once

#include "base/base.h"
#include "base/decimal.h"

enum { JSON_WRITER_DEPTH_MAX = 1024 };

typedef struct {
    StrBuf *out;
    bool is_pretty; /* two spaces an indentation, else on one line */
    bool after_key;
    int depth;
    bool has_items[JSON_WRITER_DEPTH_MAX];
} JsonWriter;

void json_writer_init(JsonWriter *json, StrBuf *out, bool is_pretty);
void json_object_begin(JsonWriter *json);
void json_object_end(JsonWriter *json);
void json_array_begin(JsonWriter *json);
void json_array_end(JsonWriter *json);
void json_key(JsonWriter *json, Str key);
/* Escapes what JSON asks for, and '<' and U+2028/9 as \u003c … so that the text may stand in an
   HTML script. Bytes that are not UTF-8 become U+FFFD, so that the output always is. */
void json_str(JsonWriter *json, Str value);
void json_int(JsonWriter *json, int64_t value);
void json_bool(JsonWriter *json, bool value);
void json_null(JsonWriter *json);
void json_decimal(JsonWriter *json, Decimal value);
/* Text that is JSON already, such as a number in its own digits. */
void json_raw(JsonWriter *json, Str value);
/* key and value in one call */
void json_member_str(JsonWriter *json, Str key, Str value);
void json_member_int(JsonWriter *json, Str key, int64_t value);
void json_member_bool(JsonWriter *json, Str key, bool value);
/* {"severity", "file", "line", "column", "rule", "path", "text"} */
void json_diag(JsonWriter *json, const Diag *diag);
/* For NDJSON: the value is complete; adds '\n' and starts anew. */
void json_line_end(JsonWriter *json);

typedef enum { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT } JsonKind;

typedef struct JsonValue JsonValue;
struct JsonValue {
    JsonKind kind;
    uint32_t line;
    uint32_t column;
    bool boolean;
    Str text;         /* of a string (unescaped) or the digits of a number */
    Str key;          /* its name, when it is a member of an object */
    size_t count;     /* of items or members */
    JsonValue *items; /* items of an array, members of an object in order */
};

/* Parses one document; the tree and its texts live in the arena. Errors name line and column.
   Refuses duplicate keys, depth over LIMIT_JSON_DEPTH, and text behind the value. */
MUST_USE ErrorCode json_parse(Arena *arena, Str text, JsonValue **ret_value, Error *err);
/* The same with a depth of its own, for documents that are trees of expressions. */
MUST_USE ErrorCode json_parse_nested(Arena *arena, Str text, int depth_max, JsonValue **ret_value,
                                     Error *err);
/* The member of that name, or NULL; NULL too when object is NULL or no object. */
const JsonValue *json_find(const JsonValue *object, Str key);
/* The text of a string member, or the empty Str. */
Str json_find_text(const JsonValue *object, Str key);

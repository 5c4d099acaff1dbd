#include "base/json.h"

#include "base/json_index.h"

/* --- writing --- */

void json_writer_init(JsonWriter *json, StrBuf *out, bool is_pretty)
{
    *json = (JsonWriter){.out = out, .is_pretty = is_pretty};
}

static void new_line(JsonWriter *json)
{
    if (!json->is_pretty)
        return;
    strbuf_add_char(json->out, '\n');
    for (int i = 0; i < json->depth; i++)
        strbuf_add(json->out, S("  "));
}

/* What stands before every value: nothing behind a key, else a comma where it is not the first. */
static void before_value(JsonWriter *json)
{
    if (json->after_key) {
        json->after_key = false;
        return;
    }
    if (json->has_items[json->depth])
        strbuf_add_char(json->out, ',');
    json->has_items[json->depth] = true;
    if (json->depth > 0)
        new_line(json);
}

static void open_bracket(JsonWriter *json, char bracket)
{
    before_value(json);
    strbuf_add_char(json->out, bracket);
    ASSERT(json->depth + 1 < JSON_WRITER_DEPTH_MAX);
    json->depth++;
    json->has_items[json->depth] = false;
}

static void close_bracket(JsonWriter *json, char bracket)
{
    ASSERT(json->depth > 0 && !json->after_key);
    bool has_items = json->has_items[json->depth];
    json->depth--;
    if (has_items)
        new_line(json);
    strbuf_add_char(json->out, bracket);
}

void json_object_begin(JsonWriter *json)
{
    open_bracket(json, '{');
}

void json_object_end(JsonWriter *json)
{
    close_bracket(json, '}');
}

void json_array_begin(JsonWriter *json)
{
    open_bracket(json, '[');
}

void json_array_end(JsonWriter *json)
{
    close_bracket(json, ']');
}

/* Length of the valid UTF-8 character at text[at], or 0. */
static size_t utf8_length(Str text, size_t at)
{
    const unsigned char *s = (const unsigned char *)text.ptr + at;
    size_t left = text.len - at;
    if (s[0] < 0x80)
        return 1;
    size_t len = s[0] >= 0xC2 && s[0] < 0xE0 ? 2 : s[0] >= 0xE0 && s[0] < 0xF0 ? 3 : 4;
    if (s[0] < 0xC2 || s[0] > 0xF4 || left < len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    bool is_overlong = (s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xF0 && s[1] < 0x90);
    bool is_out = (s[0] == 0xED && s[1] > 0x9F) || (s[0] == 0xF4 && s[1] > 0x8F);
    return is_overlong || is_out ? 0 : len;
}

/* How many bytes at text[at] have to be written in another form; 0 when the *ret_size bytes of the
   character may stand. */
static size_t needs_escape(Str text, size_t at, size_t *ret_size)
{
    unsigned char c = (unsigned char)text.ptr[at];
    *ret_size = 1;
    if (c < 0x80)
        return c < 0x20 || c == '"' || c == '\\' || c == '<';
    *ret_size = utf8_length(text, at);
    if (*ret_size == 0) /* JSON is UTF-8, whatever the text was */
        return 1;
    /* U+2028 and U+2029 end a line in scripts: E2 80 A8 and E2 80 A9. */
    bool is_separator = c == 0xE2 && (unsigned char)text.ptr[at + 1] == 0x80 &&
                        ((unsigned char)text.ptr[at + 2] & 0xFE) == 0xA8;
    return is_separator ? 3 : 0;
}

static void add_escape(StrBuf *out, Str bytes)
{
    unsigned char c = (unsigned char)bytes.ptr[0];
    if (c >= 0x80 && bytes.len == 1) {
        strbuf_add(out, S("\\ufffd")); /* the replacement character */
        return;
    }
    switch (c) {
    case '"':
        strbuf_add(out, S("\\\""));
        break;
    case '\\':
        strbuf_add(out, S("\\\\"));
        break;
    case '\b':
        strbuf_add(out, S("\\b"));
        break;
    case '\f':
        strbuf_add(out, S("\\f"));
        break;
    case '\n':
        strbuf_add(out, S("\\n"));
        break;
    case '\r':
        strbuf_add(out, S("\\r"));
        break;
    case '\t':
        strbuf_add(out, S("\\t"));
        break;
    case 0xE2:
        strbuf_add(out, (unsigned char)bytes.ptr[2] == 0xA8 ? S("\\u2028") : S("\\u2029"));
        break;
    default:
        strbuf_printf(out, "\\u%04x", c);
        break;
    }
}

/* How much from the start stands for itself; what is left needs a closer look. */
static size_t plain_length(Str value)
{
    size_t at = 0;
    while (at < value.len) {
        unsigned char c = (unsigned char)value.ptr[at];
        if (c < 0x20 || c > 0x7e || c == '"' || c == '\\' || c == '<')
            break;
        at++;
    }
    return at;
}

static void add_quoted(StrBuf *out, Str value)
{
    if (plain_length(value) == value.len) {
        char *to = strbuf_reserve(out, value.len + 2);
        if (to == NULL)
            return;
        to[0] = '"';
        if (value.len > 0)
            memcpy(to + 1, value.ptr, value.len);
        to[value.len + 1] = '"';
        out->len += value.len + 2;
        return;
    }
    strbuf_add_char(out, '"');
    size_t from = 0;
    size_t at = 0;
    while (at < value.len) {
        size_t size;
        size_t special = needs_escape(value, at, &size);
        if (special == 0) {
            at += size;
            continue;
        }
        strbuf_add(out, str_slice(value, from, at - from));
        add_escape(out, str_slice(value, at, special));
        at += special;
        from = at;
    }
    strbuf_add(out, str_slice(value, from, at - from));
    strbuf_add_char(out, '"');
}

void json_key(JsonWriter *json, Str key)
{
    ASSERT(json->depth > 0 && !json->after_key);
    before_value(json);
    add_quoted(json->out, key);
    strbuf_add(json->out, json->is_pretty ? S(": ") : S(":"));
    json->after_key = true;
}

void json_str(JsonWriter *json, Str value)
{
    before_value(json);
    add_quoted(json->out, value);
}

void json_raw(JsonWriter *json, Str value)
{
    before_value(json);
    strbuf_add(json->out, value);
}

void json_int(JsonWriter *json, int64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    before_value(json);
    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (value < 0)
        strbuf_add_char(json->out, '-');
    strbuf_add(json->out, (Str){.ptr = digits + at, .len = sizeof digits - at});
}

void json_bool(JsonWriter *json, bool value)
{
    json_raw(json, value ? S("true") : S("false"));
}

void json_null(JsonWriter *json)
{
    json_raw(json, S("null"));
}

void json_decimal(JsonWriter *json, Decimal value)
{
    json_raw(json, decimal_format(json->out->arena, value));
}

void json_member_str(JsonWriter *json, Str key, Str value)
{
    json_key(json, key);
    json_str(json, value);
}

void json_member_int(JsonWriter *json, Str key, int64_t value)
{
    json_key(json, key);
    json_int(json, value);
}

void json_member_bool(JsonWriter *json, Str key, bool value)
{
    json_key(json, key);
    json_bool(json, value);
}

void json_diag(JsonWriter *json, const Diag *diag)
{
    json_object_begin(json);
    json_member_str(json, S("severity"), str_from_c(severity_name(diag->severity)));
    json_member_str(json, S("file"), diag->file);
    json_member_int(json, S("line"), diag->line);
    json_member_int(json, S("column"), diag->column);
    json_member_str(json, S("rule"), diag->rule);
    json_member_str(json, S("path"), diag->path);
    json_member_str(json, S("text"), diag->text);
    json_object_end(json);
}

void json_line_end(JsonWriter *json)
{
    ASSERT(json->depth == 0 && !json->after_key);
    strbuf_add_char(json->out, '\n');
    json->has_items[0] = false;
}

/* --- reading --- */

typedef Vec(JsonValue) JsonValues;

/* Walks the offsets of json_index once, in a copy of the text that the tree may point into. */
typedef struct {
    Arena *arena;
    Arena *scratch;
    Str text;
    const uint32_t *offsets;
    size_t count;
    size_t next; /* offset that comes next */
    int depth;
    int depth_max;
    uint32_t line; /* of `place`, counted from one place to the next */
    size_t line_start;
    size_t place;
    JsonValues stack; /* values of the open arrays and objects, in scratch */
    Error *err;
} JsonReader;

/* Counts lines up to the byte `at`, which never goes back. */
static void go_to(JsonReader *reader, size_t at)
{
    ASSERT(at >= reader->place && at <= reader->text.len);
    for (;;) {
        size_t found =
            str_find_char(str_slice(reader->text, reader->place, at - reader->place), '\n');
        if (found == SIZE_MAX)
            break;
        reader->place += found + 1;
        reader->line++;
        reader->line_start = reader->place;
    }
    reader->place = at;
}

static uint32_t column_of(const JsonReader *reader)
{
    return (uint32_t)(reader->place - reader->line_start + 1);
}

static ErrorCode fail(JsonReader *reader, size_t at, const char *what)
{
    go_to(reader, at);
    return error_set(reader->err, ERR_DOCUMENT, "line %u, column %u: %s", reader->line,
                     column_of(reader), what);
}

/* The byte at the next offset, or 0 at the end; no document holds a zero byte outside of strings
   that is not an error anyway. */
static char peek(const JsonReader *reader)
{
    return reader->next < reader->count ? reader->text.ptr[reader->offsets[reader->next]] : '\0';
}

static size_t here(const JsonReader *reader)
{
    return reader->next < reader->count ? reader->offsets[reader->next] : reader->text.len;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The code unit of "\uXXXX" at text[at], or -1. */
static int read_unit(Str text, size_t at)
{
    if (text.len - at < 6 || text.ptr[at] != '\\' || text.ptr[at + 1] != 'u')
        return -1;
    int unit = 0;
    for (size_t i = 2; i < 6; i++) {
        int digit = hex_digit(text.ptr[at + i]);
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

/* \uXXXX at *at, or a pair of them: what it stands for goes to `to`, never more bytes than it
   took. */
static const char *unescape_unit(Str text, size_t *at, char *to, size_t *len)
{
    int unit = read_unit(text, *at);
    if (unit < 0)
        return "\\u must be followed by four hexadecimal digits";
    if (unit == 0)
        return "\\u0000 is not allowed in text";
    *at += 6;
    uint32_t point = (uint32_t)unit;
    if (unit >= 0xD800 && unit <= 0xDFFF) {
        int low = unit <= 0xDBFF ? read_unit(text, *at) : -1;
        if (low < 0xDC00 || low > 0xDFFF)
            return "half of a surrogate pair";
        *at += 6;
        point = 0x10000 + ((uint32_t)(unit - 0xD800) << 10) + (uint32_t)(low - 0xDC00);
    }
    *len += str_put_utf8(to + *len, point);
    return NULL;
}

/* One escape at *at (a backslash). */
static const char *unescape(Str text, size_t *at, char *to, size_t *len)
{
    static const char from[] = "\"\\/bfnrt";
    static const char into[] = "\"\\/\b\f\n\r\t";
    char c = *at + 1 < text.len ? text.ptr[*at + 1] : '\0';
    if (c == 'u')
        return unescape_unit(text, at, to, len);
    const char *found = c == '\0' ? NULL : strchr(from, c);
    if (found == NULL)
        return "unknown escape";
    to[(*len)++] = into[found - from];
    *at += 2;
    return NULL;
}

/* The string that opens at the next offset. One without escapes stays where it is. */
static ErrorCode read_string(JsonReader *reader, Str *ret_text)
{
    size_t from = reader->offsets[reader->next++] + (size_t)1;
    size_t end = reader->next < reader->count ? reader->offsets[reader->next] : reader->text.len;
    Str raw = str_slice(reader->text, from, end - from);
    size_t at = 0;
    while (at < raw.len && raw.ptr[at] != '"' && raw.ptr[at] != '\\')
        at++;
    size_t len = at;
    char *to = NULL;
    if (at < raw.len && raw.ptr[at] == '\\') {
        to = arena_alloc(reader->arena, raw.len);
        memcpy(to, raw.ptr, at);
    }
    while (at < raw.len && raw.ptr[at] != '"') {
        if (raw.ptr[at] != '\\') {
            to[len++] = raw.ptr[at++];
            continue;
        }
        const char *wrong = unescape(raw, &at, to, &len);
        if (wrong != NULL)
            return fail(reader, from + at, wrong);
    }
    if (at == raw.len)
        return fail(reader, from - 1, "a string is not closed");
    *ret_text = (Str){.ptr = to == NULL ? raw.ptr : to, .len = len};
    return ERR_OK;
}

static size_t skip_digits(Str text, size_t at)
{
    while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9')
        at++;
    return at;
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)? */
static bool is_number(Str text)
{
    size_t at = str_starts_with(text, S("-")) ? 1 : 0;
    size_t end = skip_digits(text, at);
    if (end == at || (text.ptr[at] == '0' && end > at + 1))
        return false;
    at = end;
    if (at < text.len && text.ptr[at] == '.') {
        end = skip_digits(text, at + 1);
        if (end == at + 1)
            return false;
        at = end;
    }
    if (at < text.len && (text.ptr[at] == 'e' || text.ptr[at] == 'E')) {
        at++;
        if (at < text.len && (text.ptr[at] == '+' || text.ptr[at] == '-'))
            at++;
        end = skip_digits(text, at);
        if (end == at)
            return false;
        at = end;
    }
    return at == text.len;
}

/* null, true, false or a number: all up to the next offset but the white space before it. */
static ErrorCode read_scalar(JsonReader *reader, JsonValue *value)
{
    size_t from = here(reader);
    reader->next++;
    Str text = str_slice(reader->text, from, here(reader) - from);
    while (text.len > 0 && strchr(" \t\r\n", text.ptr[text.len - 1]) != NULL &&
           text.ptr[text.len - 1] != '\0')
        text.len--;
    if (str_eq(text, S("null"))) {
        value->kind = JSON_NULL;
    } else if (str_eq(text, S("true")) || str_eq(text, S("false"))) {
        value->kind = JSON_BOOL;
        value->boolean = text.ptr[0] == 't';
    } else if (is_number(text)) {
        value->kind = JSON_NUMBER;
        value->text = text;
    } else {
        return fail(reader, from, "expected a value");
    }
    return ERR_OK;
}

/* Members from stack[base] on; the last is new. Few keys are compared, many are looked up. */
static bool is_repeated(JsonReader *reader, Map *seen, size_t base)
{
    enum { FEW = 16 };
    const JsonValue *items = reader->stack.items;
    size_t last = reader->stack.count - 1;
    if (last - base < FEW) {
        for (size_t i = base; i < last; i++)
            if (str_eq(items[i].key, items[last].key))
                return true;
        return false;
    }
    bool is_new;
    for (size_t i = base; seen->count == 0 && i < last; i++)
        map_put(seen, items[i].key, 0);
    (void)map_intern(seen, items[last].key, 0, &is_new);
    return !is_new;
}

static ErrorCode read_value(JsonReader *reader, JsonValue *value);

/* The values from stack[base] on become the items of `value`. */
static void close_items(JsonReader *reader, JsonValue *value, size_t base)
{
    value->count = reader->stack.count - base;
    /* The stack has no address before its first use. */
    if (value->count > 0)
        value->items =
            arena_copy(reader->arena, reader->stack.items + base, value->count * sizeof(JsonValue));
    reader->stack.count = base;
}

static ErrorCode read_member(JsonReader *reader, Map *seen, size_t base)
{
    JsonValue member = {0};
    size_t at = here(reader);
    if (peek(reader) != '"')
        return fail(reader, at, "expected a key in quotes");
    Str key;
    ErrorCode code = read_string(reader, &key);
    if (code != ERR_OK)
        return code;
    if (peek(reader) != ':')
        return fail(reader, here(reader), "expected ':' behind the key");
    reader->next++;
    /* Told at the key, so before the value is walked; the key is on the stack meanwhile. */
    member.key = key;
    VEC_PUSH(reader->scratch, &reader->stack, member);
    if (is_repeated(reader, seen, base))
        return fail(reader, at, "the key stands twice in its object");
    reader->stack.count--;
    code = read_value(reader, &member);
    if (code == ERR_OK)
        VEC_PUSH(reader->scratch, &reader->stack, member);
    return code;
}

/* One item of an array or one member of an object, onto the stack. */
static ErrorCode read_item(JsonReader *reader, JsonKind kind, Map *seen, size_t base)
{
    if (kind == JSON_OBJECT)
        return read_member(reader, seen, base);
    JsonValue item = {0};
    ErrorCode code = read_value(reader, &item);
    if (code == ERR_OK)
        VEC_PUSH(reader->scratch, &reader->stack, item);
    return code;
}

/* The items up to the closing bracket, which is taken too. */
static ErrorCode read_items(JsonReader *reader, JsonKind kind, size_t base)
{
    char closing = kind == JSON_OBJECT ? '}' : ']';
    Map seen;
    map_init(&seen, reader->scratch);
    bool is_end = peek(reader) == closing;
    while (!is_end) {
        ErrorCode code = read_item(reader, kind, &seen, base);
        if (code != ERR_OK)
            return code;
        is_end = peek(reader) == closing;
        if (!is_end && peek(reader) != ',')
            return fail(reader, here(reader),
                        kind == JSON_OBJECT ? "expected ',' or '}'" : "expected ',' or ']'");
        if (!is_end)
            reader->next++;
    }
    reader->next++;
    return ERR_OK;
}

/* An object or an array, whose opening bracket is next. */
static ErrorCode read_container(JsonReader *reader, JsonValue *value)
{
    size_t base = reader->stack.count;
    value->kind = peek(reader) == '{' ? JSON_OBJECT : JSON_ARRAY;
    if (reader->depth == reader->depth_max) {
        go_to(reader, here(reader));
        return error_set(reader->err, ERR_LIMIT, "line %u, column %u: nested more than %d deep",
                         reader->line, column_of(reader), reader->depth_max);
    }
    reader->depth++;
    reader->next++;
    ErrorCode code = read_items(reader, value->kind, base);
    reader->depth--;
    if (code == ERR_OK)
        close_items(reader, value, base);
    return code;
}

static ErrorCode read_value(JsonReader *reader, JsonValue *value)
{
    if (reader->next >= reader->count)
        return fail(reader, reader->text.len, "the text ends before the value is complete");
    go_to(reader, here(reader));
    value->line = reader->line;
    value->column = column_of(reader);
    switch (peek(reader)) {
    case '{':
    case '[':
        return read_container(reader, value);
    case '"':
        value->kind = JSON_STRING;
        return read_string(reader, &value->text);
    default:
        return read_scalar(reader, value);
    }
}

/* json_index says what is wrong but not where: look for it slowly. */
static ErrorCode fail_at_index(JsonReader *reader, JsonIndexResult result)
{
    Str text = reader->text;
    bool in_string = false;
    size_t opened = 0;
    size_t at = 0;
    while (at < text.len) {
        char c = text.ptr[at];
        size_t len = utf8_length(text, at);
        if (len == 0 && result == JSON_INDEX_BAD_UTF8)
            return fail(reader, at, json_index_result_text(result));
        if (in_string && (unsigned char)c < 0x20 && result == JSON_INDEX_BAD_STRING)
            return fail(reader, at, json_index_result_text(result));
        if (c == '"') {
            in_string = !in_string;
            opened = at;
        } else if (c == '\\' && in_string) {
            at++;
        }
        at += len == 0 ? 1 : len;
    }
    size_t where = result == JSON_INDEX_UNCLOSED_STRING ? opened : text.len;
    return fail(reader, where, json_index_result_text(result));
}

static ErrorCode read_document(JsonReader *reader, JsonIndex *index, JsonValue *value)
{
    JsonIndexResult result = json_index_run(index, reader->text.ptr, reader->text.len);
    if (result != JSON_INDEX_OK)
        return fail_at_index(reader, result);
    reader->offsets = json_index_offsets(index, &reader->count);
    ErrorCode code = read_value(reader, value);
    if (code == ERR_OK && reader->next < reader->count)
        code = fail(reader, here(reader), "more text behind the value");
    return code;
}

ErrorCode json_parse_nested(Arena *arena, Str text, int depth_max, JsonValue **ret_value,
                            Error *err)
{
    if (text.len > LIMIT_DOCUMENT_BYTES)
        return error_set(err, ERR_LIMIT, "longer than %zu bytes", LIMIT_DOCUMENT_BYTES);
    char *copy = arena_alloc(arena, text.len + JSON_INDEX_PADDING);
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    memset(copy + text.len, 0, JSON_INDEX_PADDING);
    JsonReader reader = {.arena = arena,
                         .scratch = arena_create(0),
                         .text = {.ptr = copy, .len = text.len},
                         .depth_max = depth_max,
                         .line = 1,
                         .err = err};
    JsonIndex *index = json_index_create();
    JsonValue *value = ARENA_NEW(arena, JsonValue);
    ErrorCode code = read_document(&reader, index, value);
    json_index_destroy(index);
    arena_destroy(reader.scratch);
    if (code == ERR_OK)
        *ret_value = value;
    return code;
}

ErrorCode json_parse(Arena *arena, Str text, JsonValue **ret_value, Error *err)
{
    return json_parse_nested(arena, text, LIMIT_JSON_DEPTH, ret_value, err);
}

const JsonValue *json_find(const JsonValue *object, Str key)
{
    if (object == NULL || object->kind != JSON_OBJECT)
        return NULL;
    for (size_t i = 0; i < object->count; i++)
        if (str_eq(object->items[i].key, key))
            return &object->items[i];
    return NULL;
}

Str json_find_text(const JsonValue *object, Str key)
{
    const JsonValue *value = json_find(object, key);
    return value != NULL && value->kind == JSON_STRING ? value->text : S("");
}

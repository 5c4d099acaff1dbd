#include "intake/intake_int.h"

#include "base/json.h"

/*
 * A refused file once mended: each line holds one object whose member "resource" is a resource as
 * it stands, or whose member "text" is the refused text as a string. Whoever mends may change
 * the order of members; a line that is no envelope goes through as it is. A member "references"
 * says what those URNs stood for that the resource's Bundle explained: they are replaced.
 */
typedef struct {
    const char *at;
    const char *end;
} Scan;

static void skip_blanks(Scan *scan)
{
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\r'))
        scan->at++;
}

static bool skip_char(Scan *scan, char wanted)
{
    skip_blanks(scan);
    if (scan->at == scan->end || *scan->at != wanted)
        return false;
    scan->at++;
    return true;
}

/* Passes a string, quotes included. */
static bool skip_string(Scan *scan, Str *ret_text)
{
    if (!skip_char(scan, '"'))
        return false;
    const char *from = scan->at - 1;
    while (scan->at < scan->end && *scan->at != '"')
        scan->at += *scan->at == '\\' && scan->at + 1 < scan->end ? 2 : 1;
    if (!skip_char(scan, '"'))
        return false;
    *ret_text = (Str){.ptr = from, .len = (size_t)(scan->at - from)};
    return true;
}

/* Passes any value: brackets are counted, strings are passed whole. */
static bool skip_value(Scan *scan, Str *ret_text)
{
    skip_blanks(scan);
    const char *from = scan->at;
    int64_t depth = 0;
    Str string;
    while (scan->at < scan->end) {
        char c = *scan->at;
        if (c == '"') {
            if (!skip_string(scan, &string))
                return false;
            continue;
        }
        bool closes = c == '}' || c == ']';
        if (depth == 0 && (closes || c == ','))
            break;
        depth += closes ? -1 : c == '{' || c == '[';
        scan->at++;
    }
    *ret_text = (Str){.ptr = from, .len = (size_t)(scan->at - from)};
    return ret_text->len > 0;
}

typedef struct {
    Str resource;
    Str text; /* with its quotes */
    Str references;
    bool has_rule;
} Envelope;

static bool read_envelope(Str line, Envelope *ret_envelope)
{
    Scan scan = {.at = line.ptr, .end = line.ptr + line.len};
    *ret_envelope = (Envelope){0};
    if (!skip_char(&scan, '{'))
        return false;
    do {
        Str key;
        Str value;
        if (!skip_string(&scan, &key) || !skip_char(&scan, ':') || !skip_value(&scan, &value))
            return false;
        if (str_eq(key, S("\"resource\"")))
            ret_envelope->resource = str_trim(value);
        else if (str_eq(key, S("\"text\"")))
            ret_envelope->text = str_trim(value);
        else if (str_eq(key, S("\"references\"")))
            ret_envelope->references = str_trim(value);
        else if (str_eq(key, S("\"rule\"")))
            ret_envelope->has_rule = true;
        /* A resource that stands alone in its line is read as such. */
        if (str_eq(key, S("\"resourceType\"")))
            return false;
    } while (skip_char(&scan, ','));
    return ret_envelope->has_rule && skip_char(&scan, '}');
}

/* Adds without line breaks, so that lines stay what they were. */
static void add_line(Chunk *chunk, Str text)
{
    chunk_reserve(chunk, chunk->len + text.len + 1);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        chunk->ptr[chunk->len++] = c == '\n' || c == '\r' ? ' ' : c;
    }
}

static void add_text(Chunk *chunk, Str quoted)
{
    Arena *arena CLEANUP(arena_cleanup) = arena_create(0);
    JsonValue *value;
    if (json_parse(arena, quoted, &value, NULL) == ERR_OK && value->kind == JSON_STRING)
        add_line(chunk, value->text);
    else
        add_line(chunk, quoted);
}

/* The text with each string that is a key of the references replaced by its value. */
static Str put_references(Arena *arena, Str text, Str references)
{
    JsonValue *map;
    if (references.len == 0 || json_parse(arena, references, &map, NULL) != ERR_OK ||
        map->kind != JSON_OBJECT)
        return text;
    StrBuf buf;
    strbuf_init(&buf, arena, 0);
    for (;;) {
        size_t at = str_find(text, S("\"urn:"));
        size_t end =
            at == SIZE_MAX ? SIZE_MAX : str_find(str_slice(text, at + 1, text.len), S("\""));
        if (end == SIZE_MAX)
            break;
        Str url = str_slice(text, at + 1, end);
        const JsonValue *value = json_find(map, url);
        bool is_known = value != NULL && value->kind == JSON_STRING &&
                        str_find(value->text, S("\"")) == SIZE_MAX &&
                        str_find(value->text, S("\\")) == SIZE_MAX;
        strbuf_add(&buf, str_slice(text, 0, at + 1));
        strbuf_add(&buf, is_known ? value->text : url);
        text = str_slice(text, at + 1 + end, text.len);
    }
    strbuf_add(&buf, text);
    return strbuf_str(&buf);
}

void envelopes_open(Str text, Chunk *ret_chunk)
{
    ret_chunk->len = 0;
    Str line;
    while (str_split_next(&text, '\n', &line)) {
        Envelope envelope;
        Arena *arena CLEANUP(arena_cleanup) = arena_create(0);
        if (!read_envelope(line, &envelope))
            add_line(ret_chunk, line);
        else if (envelope.resource.len > 0)
            add_line(ret_chunk, put_references(arena, envelope.resource, envelope.references));
        else if (envelope.text.len > 0)
            add_text(ret_chunk, envelope.text);
        chunk_reserve(ret_chunk, ret_chunk->len + 1);
        ret_chunk->ptr[ret_chunk->len++] = '\n';
    }
    memset(ret_chunk->ptr + ret_chunk->len, 0, JSON_INDEX_PADDING);
}

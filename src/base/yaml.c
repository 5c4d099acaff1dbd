#include "base/yaml.h"

#include <stdarg.h>
#include <stdio.h>

#include <yaml.h>

#include "base/date.h"

/* --- parsing --- */

typedef Vec(YamlNode) YamlNodes;

typedef struct {
    yaml_parser_t *yaml;
    YamlReader reader;
    Arena *scratch;
    YamlNodes stack; /* children of the open sequences and mappings, in scratch */
    bool is_refused; /* a finding was added */
} YamlBuilder;

typedef struct {
    uint32_t line;
    uint32_t column;
} Place;

static Place place_of(yaml_mark_t mark)
{
    return (Place){.line = (uint32_t)mark.line + 1, .column = (uint32_t)mark.column + 1};
}

static void refuse(YamlBuilder *builder, Place place, Str rule, const char *text)
{
    Diag diag = {.severity = SEVERITY_ERROR,
                 .line = place.line,
                 .column = place.column,
                 .rule = rule,
                 .file = builder->reader.file,
                 .text = str_from_c(text)};
    diag_add(builder->reader.diags, &diag);
    builder->is_refused = true;
}

/* What libyaml found wrong, in its own words, at its place. */
static void refuse_syntax(YamlBuilder *builder)
{
    const yaml_parser_t *yaml = builder->yaml;
    Place place = place_of(yaml->problem_mark);
    const char *problem = yaml->problem == NULL ? "not valid YAML" : yaml->problem;
    char text[256];
    if (yaml->error == YAML_READER_ERROR) {
        /* A reader error has an offset in bytes and no mark. */
        place = (Place){.line = place_of(yaml->mark).line};
        snprintf(text, sizeof(text), "%s (at byte %zu)", problem, yaml->problem_offset);
    } else if (yaml->context != NULL) {
        snprintf(text, sizeof(text), "%s: %s", yaml->context, problem);
    } else {
        snprintf(text, sizeof(text), "%s", problem);
    }
    refuse(builder, place, S("yaml-syntax"), text);
}

/* The next event, to be freed with yaml_event_delete. */
static bool next_event(YamlBuilder *builder, yaml_event_t *event)
{
    if (yaml_parser_parse(builder->yaml, event))
        return true;
    refuse_syntax(builder);
    return false;
}

static Str copy_text(Arena *arena, const yaml_char_t *text, size_t len)
{
    return str_copy(arena, (Str){.ptr = (const char *)text, .len = len});
}

/* Anchors and tags change what a reader sees into something else, so documents do without. */
static void refuse_properties(YamlBuilder *builder, Place place, const yaml_char_t *anchor,
                              const yaml_char_t *tag)
{
    if (anchor != NULL)
        refuse(builder, place, S("yaml-syntax"), "anchors (&name) are not allowed");
    if (tag != NULL)
        refuse(builder, place, S("yaml-syntax"), "tags (!name) are not allowed");
}

static bool build_children(YamlBuilder *builder, YamlNode *node, int depth);

/* Makes the node that begins with the event. */
static bool build_node(YamlBuilder *builder, const yaml_event_t *event, int depth, YamlNode *node)
{
    Place place = place_of(event->start_mark);
    node->line = place.line;
    node->column = place.column;
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        refuse(builder, place, S("yaml-syntax"), "aliases (*name) are not allowed");
        return true;
    case YAML_SCALAR_EVENT:
        refuse_properties(builder, place, event->data.scalar.anchor, event->data.scalar.tag);
        node->kind = YAML_SCALAR;
        node->is_quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
        node->text =
            copy_text(builder->reader.arena, event->data.scalar.value, event->data.scalar.length);
        return true;
    case YAML_SEQUENCE_START_EVENT:
        refuse_properties(builder, place, event->data.sequence_start.anchor,
                          event->data.sequence_start.tag);
        node->kind = YAML_SEQUENCE;
        break;
    default:
        ASSERT(event->type == YAML_MAPPING_START_EVENT);
        refuse_properties(builder, place, event->data.mapping_start.anchor,
                          event->data.mapping_start.tag);
        node->kind = YAML_MAPPING;
        break;
    }
    if (depth == LIMIT_YAML_DEPTH) {
        refuse(builder, place, S("yaml-syntax"), "nested too deep");
        return false;
    }
    return build_children(builder, node, depth + 1);
}

/* Reads the key of a member into the node that its value will be. */
static bool build_key(YamlBuilder *builder, const yaml_event_t *event, YamlNode *member)
{
    Place place = place_of(event->start_mark);
    if (event->type != YAML_SCALAR_EVENT) {
        refuse(builder, place, S("yaml-syntax"), "a key must be plain text");
        return false;
    }
    refuse_properties(builder, place, event->data.scalar.anchor, event->data.scalar.tag);
    member->key =
        copy_text(builder->reader.arena, event->data.scalar.value, event->data.scalar.length);
    member->key_line = place.line;
    member->key_column = place.column;
    bool is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (is_plain && str_eq(member->key, S("<<")))
        refuse(builder, place, S("yaml-syntax"), "merge keys (<<) are not allowed");
    return true;
}

static void check_repeated(YamlBuilder *builder, Map *seen, const YamlNode *member)
{
    bool is_new;
    size_t entry = map_intern(seen, member->key, member->key_line, &is_new);
    if (is_new)
        return;
    char text[256];
    snprintf(text, sizeof(text), "key \"%.*s\" is already given in line %u",
             (int)(member->key.len < 100 ? member->key.len : 100), member->key.ptr,
             (uint32_t)seen->entries[entry].value);
    refuse(builder, (Place){.line = member->key_line, .column = member->key_column},
           S("yaml-duplicate-key"), text);
}

/* One item, or one member with its key, of which the event is the first; pushes it. */
static bool build_child(YamlBuilder *builder, const yaml_event_t *event, Map *seen, int depth)
{
    YamlNode child = {0};
    bool ok;
    if (seen == NULL) {
        ok = build_node(builder, event, depth, &child);
    } else {
        yaml_event_t value;
        ok = build_key(builder, event, &child);
        if (!ok)
            return false;
        check_repeated(builder, seen, &child);
        if (!next_event(builder, &value))
            return false;
        ok = build_node(builder, &value, depth, &child);
        yaml_event_delete(&value);
    }
    VEC_PUSH(builder->scratch, &builder->stack, child);
    return ok;
}

static bool build_children(YamlBuilder *builder, YamlNode *node, int depth)
{
    size_t base = builder->stack.count;
    Map keys;
    map_init(&keys, builder->scratch);
    Map *seen = node->kind == YAML_MAPPING ? &keys : NULL;
    bool ok = true;
    bool is_end = false;
    while (ok && !is_end) {
        yaml_event_t event;
        if (!next_event(builder, &event))
            return false;
        is_end = event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
        if (!is_end)
            ok = build_child(builder, &event, seen, depth);
        yaml_event_delete(&event);
    }
    node->count = builder->stack.count - base;
    node->items = NULL;
    if (node->count > 0)
        node->items = arena_copy(builder->reader.arena, builder->stack.items + base,
                                 node->count * sizeof(YamlNode));
    builder->stack.count = base;
    return ok;
}

static void check_document_start(YamlBuilder *builder, const yaml_event_t *event, bool is_first)
{
    Place place = place_of(event->start_mark);
    if (!is_first)
        refuse(builder, place, S("yaml-syntax"), "only one document is allowed");
    else if (event->data.document_start.tag_directives.start !=
             event->data.document_start.tag_directives.end)
        refuse(builder, place, S("yaml-syntax"), "tag directives are not allowed");
}

/* Goes through the events of the stream: one document with one node. */
static void build_stream(YamlBuilder *builder, YamlNode *root)
{
    bool has_document = false;
    bool is_end = false;
    while (!is_end) {
        yaml_event_t event;
        bool ok = next_event(builder, &event);
        if (!ok)
            return;
        switch (event.type) {
        case YAML_STREAM_END_EVENT:
            is_end = true;
            break;
        case YAML_DOCUMENT_START_EVENT:
            check_document_start(builder, &event, !has_document);
            ok = !has_document;
            has_document = true;
            break;
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_END_EVENT:
            break;
        default:
            ok = build_node(builder, &event, 0, root);
            break;
        }
        yaml_event_delete(&event);
        if (!ok)
            return;
    }
    bool is_nothing = root->kind == YAML_SCALAR && !root->is_quoted && root->text.len == 0;
    if (!builder->is_refused && is_nothing)
        refuse(builder, (Place){.line = 1, .column = 1}, S("yaml-syntax"), "the document is empty");
}

ErrorCode yaml_parse(Arena *arena, Str text, Str file, DiagList *diags, YamlNode **ret_root)
{
    YamlBuilder builder = {.reader = {.arena = arena, .diags = diags, .file = file}};
    if (text.len > LIMIT_DOCUMENT_BYTES) {
        refuse(&builder, (Place){0}, S("yaml-syntax"), "the document is too long");
        return ERR_DOCUMENT;
    }
    yaml_parser_t yaml;
    int ready = yaml_parser_initialize(&yaml);
    ASSERT(ready); /* fails only without memory */
    yaml_parser_set_encoding(&yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&yaml, (const unsigned char *)(text.len > 0 ? text.ptr : ""),
                                 text.len);
    builder.yaml = &yaml;
    builder.scratch = arena_create(0);
    YamlNode *root = ARENA_NEW(arena, YamlNode);
    build_stream(&builder, root);
    arena_destroy(builder.scratch);
    yaml_parser_delete(&yaml);
    if (builder.is_refused)
        return ERR_DOCUMENT;
    *ret_root = root;
    return ERR_OK;
}

/* --- reading the tree --- */

static __attribute__((format(printf, 4, 0))) void add_finding(const YamlReader *reader, Place place,
                                                              Str rule, const char *format,
                                                              va_list args)
{
    char text[1024];
    vsnprintf(text, sizeof(text), format, args);
    Diag diag = {.severity = SEVERITY_ERROR,
                 .line = place.line,
                 .column = place.column,
                 .rule = rule,
                 .file = reader->file,
                 .text = str_from_c(text)};
    diag_add(reader->diags, &diag);
}

static PRINTF_LIKE(4, 5) void finding(const YamlReader *reader, Place place, Str rule,
                                      const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_finding(reader, place, rule, format, args);
    va_end(args);
}

void yaml_error(const YamlReader *reader, const YamlNode *node, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_finding(reader, (Place){.line = node->line, .column = node->column}, S("yaml-value"),
                format, args);
    va_end(args);
}

const YamlNode *yaml_find(const YamlNode *mapping, Str key)
{
    if (mapping == NULL || mapping->kind != YAML_MAPPING)
        return NULL;
    for (size_t i = 0; i < mapping->count; i++)
        if (str_eq(mapping->items[i].key, key))
            return &mapping->items[i];
    return NULL;
}

const YamlNode *yaml_get(const YamlReader *reader, const YamlNode *mapping, Str key)
{
    const YamlNode *member = yaml_find(mapping, key);
    if (member == NULL)
        finding(reader, (Place){.line = mapping->line, .column = mapping->column},
                S("yaml-missing"), "missing \"%.*s\"", STR_ARG(key));
    return member;
}

static const char *kind_name(YamlKind kind)
{
    static const char *const names[] = {"a value", "a list", "a mapping"};
    return names[kind];
}

/* "key": expected a number, found "abc" */
static void add_type_finding(const YamlReader *reader, const YamlNode *node, const char *wanted)
{
    enum { SHOWN_MAX = 60 };
    Place place = {.line = node->line, .column = node->column};
    Str text = str_slice(node->text, 0, SHOWN_MAX);
    if (node->kind != YAML_SCALAR)
        finding(reader, place, S("yaml-type"), "\"%.*s\": expected %s, found %s",
                STR_ARG(node->key), wanted, kind_name(node->kind));
    else if (text.len == 0 && !node->is_quoted)
        finding(reader, place, S("yaml-type"), "\"%.*s\": expected %s, found nothing",
                STR_ARG(node->key), wanted);
    else
        finding(reader, place, S("yaml-type"), "\"%.*s\": expected %s, found %s\"%.*s\"",
                STR_ARG(node->key), wanted, node->is_quoted ? "the text " : "", STR_ARG(text));
}

/* The member when it is a scalar that may be a number, a boolean or a date; else a finding. */
static const YamlNode *get_plain(const YamlReader *reader, const YamlNode *mapping, Str key,
                                 bool may_be_quoted, const char *wanted)
{
    const YamlNode *node = yaml_get(reader, mapping, key);
    if (node == NULL)
        return NULL;
    if (node->kind == YAML_SCALAR && (may_be_quoted || !node->is_quoted))
        return node;
    add_type_finding(reader, node, wanted);
    return NULL;
}

bool yaml_get_text(const YamlReader *reader, const YamlNode *mapping, Str key, Str *ret_text)
{
    const YamlNode *node = get_plain(reader, mapping, key, true, "text");
    if (node == NULL)
        return false;
    if (node->text.len == 0 && !node->is_quoted) {
        add_type_finding(reader, node, "text");
        return false;
    }
    *ret_text = node->text;
    return true;
}

bool yaml_get_int(const YamlReader *reader, const YamlNode *mapping, Str key, int64_t *ret_value)
{
    const YamlNode *node = get_plain(reader, mapping, key, false, "a whole number");
    if (node == NULL)
        return false;
    if (str_to_int64(node->text, ret_value))
        return true;
    add_type_finding(reader, node, "a whole number");
    return false;
}

bool yaml_get_decimal(const YamlReader *reader, const YamlNode *mapping, Str key,
                      Decimal *ret_value)
{
    static const char wanted[] = "a number (28 digits, 8 of them behind the point)";
    const YamlNode *node = get_plain(reader, mapping, key, false, wanted);
    if (node == NULL)
        return false;
    if (decimal_parse(node->text, ret_value))
        return true;
    add_type_finding(reader, node, wanted);
    return false;
}

bool yaml_get_bool(const YamlReader *reader, const YamlNode *mapping, Str key, bool *ret_value)
{
    const YamlNode *node = get_plain(reader, mapping, key, false, "true or false");
    if (node == NULL)
        return false;
    bool is_true = str_eq(node->text, S("true"));
    if (is_true || str_eq(node->text, S("false"))) {
        *ret_value = is_true;
        return true;
    }
    add_type_finding(reader, node, "true or false");
    return false;
}

bool yaml_get_day(const YamlReader *reader, const YamlNode *mapping, Str key, int32_t *ret_day)
{
    const YamlNode *node = get_plain(reader, mapping, key, true, "a date (YYYY-MM-DD)");
    if (node == NULL)
        return false;
    if (day_parse(node->text, ret_day))
        return true;
    add_type_finding(reader, node, "a date (YYYY-MM-DD)");
    return false;
}

const YamlNode *yaml_find_kind(const YamlReader *reader, const YamlNode *mapping, Str key,
                               YamlKind kind)
{
    const YamlNode *node = yaml_find(mapping, key);
    if (node == NULL || node->kind == kind)
        return node;
    add_type_finding(reader, node, kind_name(kind));
    return NULL;
}

const YamlNode *yaml_get_kind(const YamlReader *reader, const YamlNode *mapping, Str key,
                              YamlKind kind)
{
    if (yaml_get(reader, mapping, key) == NULL)
        return NULL;
    return yaml_find_kind(reader, mapping, key, kind);
}

/* Levenshtein's distance, for short words. */
enum { WORD_MAX = 64 };

static size_t edit_distance(Str a, Str b)
{
    size_t row[WORD_MAX + 1];
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);
            size_t least = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
            diagonal = row[j];
            row[j] = change < least ? change : least;
        }
    }
    return row[b.len];
}

const Str *yaml_nearest_name(Str word, const Str *known, size_t count)
{
    const Str *best = NULL;
    size_t least = word.len / 3 + 2;
    for (size_t i = 0; i < count; i++) {
        if (word.len > WORD_MAX || known[i].len > WORD_MAX)
            continue;
        size_t distance = edit_distance(word, known[i]);
        if (distance < least) {
            least = distance;
            best = &known[i];
        }
    }
    return best;
}

static bool is_known(Str key, const Str *known, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(key, known[i]))
            return true;
    return false;
}

void yaml_check_keys(const YamlReader *reader, const YamlNode *mapping, const Str *known,
                     size_t count)
{
    if (mapping->kind != YAML_MAPPING)
        return;
    for (size_t i = 0; i < mapping->count; i++) {
        const YamlNode *member = &mapping->items[i];
        if (is_known(member->key, known, count))
            continue;
        Place place = {.line = member->key_line, .column = member->key_column};
        Str shown = str_slice(member->key, 0, WORD_MAX);
        const Str *nearest = yaml_nearest_name(member->key, known, count);
        if (nearest != NULL)
            finding(reader, place, S("yaml-unknown-key"),
                    "unknown key \"%.*s\"; did you mean \"%.*s\"?", STR_ARG(shown),
                    STR_ARG(*nearest));
        else
            finding(reader, place, S("yaml-unknown-key"), "unknown key \"%.*s\"", STR_ARG(shown));
    }
}

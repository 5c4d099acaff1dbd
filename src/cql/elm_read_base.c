/* Places, names and types of ELM. */
#include "cql/elm_int.h"

#include <stdarg.h>
#include <stdio.h>

const ElmOperator elm_operator_table[] = {
#define ELM_OPERATOR(type, name, members) {STR_INIT(type), STR_INIT(name), STR_INIT(members)},
#include "cql/elm.def"
#undef ELM_OPERATOR
    {.type = {.ptr = NULL}},
};

/* --- findings --- */

/* Each path is a search of the document: beyond so many findings line and column must do. */
enum { PATHS_MAX = 100 };

/* Writes the path from `from` to the node behind what is in the buffer; false when it is not in
   there. Only when there is something to report is the tree searched. */
static bool add_path(StrBuf *path, const JsonValue *from, const JsonValue *to)
{
    if (from == to)
        return true;
    /* Values lie in one array a container, so that most can be passed over. */
    for (size_t i = 0; i < from->count; i++) {
        const JsonValue *item = &from->items[i];
        size_t before = path->len;
        if (from->kind == JSON_ARRAY)
            strbuf_printf(path, "[%zu]", i);
        else
            strbuf_printf(path, "%s%.*s", before > 0 ? "." : "", STR_ARG(item->key));
        if (add_path(path, item, to))
            return true;
        path->len = before;
    }
    return false;
}

Ast *elm_fail(ElmReader *reader, const JsonValue *at, const char *format, ...)
{
    char text[600];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    str_mend_cut(text);
    StrBuf path;
    strbuf_init(&path, reader->arena, 0);
    if (reader->findings++ < PATHS_MAX)
        (void)add_path(&path, reader->root, at);
    Diag diag = {.severity = SEVERITY_ERROR,
                 .rule = S("elm"),
                 .file = reader->file,
                 .path = strbuf_str(&path)};
    elm_place(at, &diag.line, &diag.column);
    diag_addf(reader->diags, diag, "%s", text);
    reader->failed = true;
    return elm_node(reader, AST_ERROR, at);
}

/* --- places --- */

static bool read_number(Str *rest, char end, uint32_t *ret_number)
{
    Str part;
    int64_t number;
    if (!str_split_next(rest, end, &part) || !str_to_int64(part, &number) || number < 0 ||
        number > INT32_MAX)
        return false;
    *ret_number = (uint32_t)number;
    return true;
}

void elm_place(const JsonValue *at, uint32_t *ret_line, uint32_t *ret_column)
{
    Str locator = json_find_text(at, S("locator"));
    uint32_t line;
    uint32_t column;
    *ret_line = at->line;
    *ret_column = at->column;
    Str start;
    if (str_split_next(&locator, '-', &start) && read_number(&start, ':', &line) &&
        read_number(&start, ':', &column)) {
        *ret_line = line;
        *ret_column = column;
    }
}

Ast *elm_node(const ElmReader *reader, AstKind kind, const JsonValue *at)
{
    Ast *node = ARENA_NEW(reader->arena, Ast);
    node->kind = (uint8_t)kind;
    elm_place(at, &node->line, &node->column);
    return node;
}

/* --- names --- */

Ast *elm_operator(const ElmReader *reader, const char *name, const JsonValue *at, Ast *left,
                  Ast *right)
{
    Ast *node = elm_node(reader, AST_OPERATOR, at);
    node->text = str_from_c(name);
    node->items = ARENA_ARRAY(reader->arena, Ast *, 2);
    node->items[0] = left;
    node->items[1] = right;
    node->count = right == NULL ? 1 : 2;
    return node;
}

Ast *elm_identifier(const ElmReader *reader, const JsonValue *at, Str name)
{
    Ast *node = elm_node(reader, AST_IDENTIFIER, at);
    node->text = name;
    return node;
}

Ast *elm_member(const ElmReader *reader, const JsonValue *at, Ast *object, Str name)
{
    Ast *node = elm_operator(reader, "", at, object, NULL);
    node->kind = AST_MEMBER;
    node->text = name;
    return node;
}

Ast *elm_reference(ElmReader *reader, const JsonValue *at)
{
    Str name = json_find_text(at, S("name"));
    Str library = json_find_text(at, S("libraryName"));
    if (name.len == 0)
        return elm_fail(reader, at, "expected a name");
    Ast *node = elm_identifier(reader, at, library.len > 0 ? library : name);
    node->flags |= AST_GLOBAL;
    return library.len > 0 ? elm_member(reader, at, node, name) : node;
}

bool elm_flag(const JsonValue *at, Str key, bool otherwise)
{
    const JsonValue *value = json_find(at, key);
    if (value == NULL)
        return otherwise;
    return value->kind == JSON_BOOL ? value->boolean : str_eq(value->text, S("true"));
}

uint8_t elm_precision(ElmReader *reader, const JsonValue *at)
{
    static const Str names[] = {STR_INIT(""),       STR_INIT("Year"),        STR_INIT("Month"),
                                STR_INIT("Day"),    STR_INIT("Hour"),        STR_INIT("Minute"),
                                STR_INIT("Second"), STR_INIT("Millisecond"), STR_INIT("Week")};
    const JsonValue *member = json_find(at, S("precision"));
    if (member == NULL || member->kind != JSON_STRING)
        return 0;
    for (size_t i = 1; i < COUNT_OF(names); i++) {
        if (str_eq(member->text, names[i]))
            return (uint8_t)i;
    }
    (void)elm_fail(reader, member, "expected a precision such as Day, not '%.*s'",
                   STR_ARG(str_slice(member->text, 0, 60)));
    return 0;
}

/* --- types --- */

/* The name by which the library uses the model of this URL. Several models of FHIR's own types
   share its URL; what is written of them is FHIR then. */
static Str model_of(const ElmReader *reader, Str url)
{
    if (str_eq(url, S("urn:hl7-org:elm-types:r1")))
        return S("System");
    if (str_eq(url, S("http://hl7.org/fhir")))
        return S("FHIR");
    const JsonValue *defs = json_find(json_find(reader->library, S("usings")), S("def"));
    for (size_t i = 0; defs != NULL && i < defs->count; i++) {
        if (str_eq(json_find_text(&defs->items[i], S("uri")), url))
            return json_find_text(&defs->items[i], S("localIdentifier"));
    }
    return url;
}

/* "{urn:hl7-org:elm-types:r1}Integer" */
static AstType *named_type(ElmReader *reader, const JsonValue *at, Str name)
{
    AstType *type = ARENA_NEW(reader->arena, AstType);
    elm_place(at, &type->line, &type->column);
    size_t end = str_find_char(name, '}');
    if (!str_starts_with(name, S("{")) || end == SIZE_MAX || end + 1 == name.len) {
        (void)elm_fail(reader, at,
                       "expected a type's name such as {urn:hl7-org:elm-types:r1}String");
        return NULL;
    }
    type->kind = AST_TYPE_NAMED;
    type->model = model_of(reader, str_slice(name, 1, end - 1));
    type->name = str_slice(name, end + 1, name.len);
    return type;
}

static AstType *type_with_parts(ElmReader *reader, const JsonValue *at, AstTypeKind kind,
                                const JsonValue *parts)
{
    AstType *type = ARENA_NEW(reader->arena, AstType);
    elm_place(at, &type->line, &type->column);
    bool is_many = parts != NULL && parts->kind == JSON_ARRAY;
    if (parts == NULL || (is_many && parts->count == 0 && kind != AST_TYPE_TUPLE)) {
        (void)elm_fail(reader, at, "expected the types that this one is made of");
        return NULL;
    }
    size_t count = is_many ? parts->count : 1;
    type->kind = kind;
    type->parts = ARENA_ARRAY(reader->arena, AstType *, count);
    type->names = ARENA_ARRAY(reader->arena, Str, count);
    for (size_t i = 0; i < count; i++) {
        const JsonValue *part = is_many ? &parts->items[i] : parts;
        type->names[i] = json_find_text(part, S("name"));
        if (kind == AST_TYPE_TUPLE) {
            const JsonValue *element = json_find(part, S("elementType"));
            part = element != NULL ? element : json_find(part, S("type"));
        }
        type->parts[i] = part == NULL ? NULL : elm_type(reader, part);
        if (type->parts[i] == NULL) {
            reader->failed = true;
            return NULL;
        }
    }
    type->count = count;
    return type;
}

AstType *elm_type(ElmReader *reader, const JsonValue *at)
{
    Str kind = json_find_text(at, S("type"));
    if (str_eq(kind, S("NamedTypeSpecifier")))
        return named_type(reader, at, json_find_text(at, S("name")));
    if (str_eq(kind, S("ListTypeSpecifier")))
        return type_with_parts(reader, at, AST_TYPE_LIST, json_find(at, S("elementType")));
    if (str_eq(kind, S("IntervalTypeSpecifier")))
        return type_with_parts(reader, at, AST_TYPE_INTERVAL, json_find(at, S("pointType")));
    if (str_eq(kind, S("TupleTypeSpecifier")))
        return type_with_parts(reader, at, AST_TYPE_TUPLE, json_find(at, S("element")));
    if (str_eq(kind, S("ChoiceTypeSpecifier"))) {
        const JsonValue *parts = json_find(at, S("choice"));
        return type_with_parts(reader, at, AST_TYPE_CHOICE, parts);
    }
    (void)elm_fail(reader, at, "expected a type specifier, not '%.*s'",
                   STR_ARG(str_slice(kind, 0, 60)));
    return NULL;
}

AstType *elm_type_of(ElmReader *reader, const JsonValue *at, Str name_key, Str specifier_key)
{
    const JsonValue *specifier = json_find(at, specifier_key);
    if (specifier != NULL)
        return elm_type(reader, specifier);
    const JsonValue *name = json_find(at, name_key);
    if (name != NULL && name->kind == JSON_STRING)
        return named_type(reader, name, name->text);
    (void)elm_fail(reader, at, "expected the member %.*s or %.*s", STR_ARG(name_key),
                   STR_ARG(specifier_key));
    return NULL;
}

/*
 * Model info XML to a table (models/README.md).
 *
 * What the engine reads is kept: classes, elements, where they are found, conversions, contexts.
 * Texts for people, bindings, constraints and searches are left out. A name that the model does not
 * have, or a target that cannot be read, is a finding here, so that it is none when a library is
 * resolved.
 */
#include "cql/model.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/xml.h"
#include "cql/mapping.h"

enum { DEPTH_MAX = 8, SHORT_TYPE_BYTES = 40 };

typedef struct {
    Arena *arena;
    Str file;
    DiagList *diags;
    Str own; /* "QICore." */
    StrBuf *out;
    Map classes;
    Map uses;        /* of an element's type: how often */
    Map short_names; /* of types that are long and used again: "@1" by number */
} Import;

static void report(Import *import, uint32_t line, const char *format, ...) PRINTF_LIKE(3, 4);

static void report(Import *import, uint32_t line, const char *format, ...)
{
    Diag diag = {
        .severity = SEVERITY_ERROR, .line = line, .rule = S("model-info"), .file = import->file};
    char text[600];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    str_mend_cut(text);
    diag_addf(import->diags, diag, "%s", text);
}

/* A name of the model itself without the model's name in front. */
static Str short_name(const Import *import, Str name)
{
    return str_starts_with(name, import->own) ? str_slice(name, import->own.len, SIZE_MAX) : name;
}

static Str namespaced(const Import *import, const XmlNode *node)
{
    Str space = xml_attribute(node, S("namespace"));
    Str name = xml_attribute(node, S("name"));
    if (space.len == 0)
        return short_name(import, name);
    return short_name(import,
                      str_format(import->arena, "%.*s.%.*s", STR_ARG(space), STR_ARG(name)));
}

static Str checked_name(Import *import, uint32_t line, Str name)
{
    bool is_known = str_starts_with(name, S("System.")) || map_has(&import->classes, name);
    if (!is_known)
        report(import, line, "the model has no class '%.*s'", STR_ARG(name));
    return name;
}

/* "ns4:ListTypeSpecifier" without the prefix. */
static Str kind_of(const XmlNode *node)
{
    Str kind = xml_attribute(node, S("type"));
    size_t colon = str_find_char(kind, ':');
    return colon == SIZE_MAX ? kind : str_slice(kind, colon + 1, SIZE_MAX);
}

static Str type_of(Import *import, const XmlNode *node, unsigned depth);

/* What a list or interval is of: an attribute, or an element within. */
static Str part_of(Import *import, const XmlNode *node, Str attribute, Str within, unsigned depth)
{
    const Str *name = xml_find_attribute(node, attribute);
    const XmlNode *inner = xml_first(node, within);
    if (name != NULL)
        return checked_name(import, node->line, short_name(import, *name));
    if (inner != NULL)
        return type_of(import, inner, depth + 1);
    report(import, node->line, "a %.*s says of what", STR_ARG(kind_of(node)));
    return S("System.Any");
}

static Str choice_of(Import *import, const XmlNode *node, unsigned depth)
{
    StrBuf text;
    strbuf_init(&text, import->arena, 0);
    for (const XmlNode *each = node->first; each != NULL; each = each->next) {
        if (!str_eq(each->name, S("choice")) && !str_eq(each->name, S("type")))
            continue;
        strbuf_add(&text, text.len == 0 ? S("Choice<") : S(","));
        strbuf_add(&text, type_of(import, each, depth + 1));
    }
    strbuf_add_char(&text, '>');
    return strbuf_str(&text);
}

/* The text of a type specifier. */
static Str type_of(Import *import, const XmlNode *node,
                   unsigned depth) /* NOLINT(misc-no-recursion) */
{
    Str kind = kind_of(node);
    if (depth > DEPTH_MAX) {
        report(import, node->line, "types are more than %d within one another", DEPTH_MAX);
        return S("System.Any");
    }
    if (str_eq(kind, S("NamedTypeSpecifier")))
        return checked_name(import, node->line, namespaced(import, node));
    if (str_eq(kind, S("ListTypeSpecifier"))) {
        Str part = part_of(import, node, S("elementType"), S("elementTypeSpecifier"), depth);
        return str_format(import->arena, "List<%.*s>", STR_ARG(part));
    }
    if (str_eq(kind, S("IntervalTypeSpecifier"))) {
        Str part = part_of(import, node, S("pointType"), S("pointTypeSpecifier"), depth);
        return str_format(import->arena, "Interval<%.*s>", STR_ARG(part));
    }
    if (str_eq(kind, S("ChoiceTypeSpecifier")))
        return choice_of(import, node, depth);
    report(import, node->line,
           "a NamedTypeSpecifier, ListTypeSpecifier, IntervalTypeSpecifier or ChoiceTypeSpecifier "
           "is expected, not '%.*s'",
           STR_ARG(kind));
    return S("System.Any");
}

/* Empty when the model does not say. */
static Str element_type(Import *import, const XmlNode *element)
{
    const XmlNode *specifier = xml_first(element, S("elementTypeSpecifier"));
    if (specifier == NULL)
        specifier = xml_first(element, S("typeSpecifier"));
    if (specifier != NULL)
        return type_of(import, specifier, 0);
    Str name = xml_attribute(element, S("elementType"));
    if (name.len == 0)
        name = xml_attribute(element, S("type"));
    return name.len == 0 ? name : checked_name(import, element->line, short_name(import, name));
}

/* --- rows --- */

/* Whether a row of this kind may end after its name. */
static bool may_be_short(Str kind)
{
    return str_eq(kind, S("class")) || str_eq(kind, S("element")) || str_eq(kind, S("model"));
}

/* The cells with tabs between; empty ones are "-", and left out at the end. */
static void put_row(Import *import, uint32_t line, const Str *cells, size_t count)
{
    while (count > 0 && cells[count - 1].len == 0)
        count--;
    if (count < (may_be_short(cells[0]) ? 2 : 3) || cells[1].len == 0)
        report(import, line, "the %.*s has no name, or says too little", STR_ARG(cells[0]));
    for (size_t i = 0; i < count; i++) {
        Str cell = cells[i];
        bool is_bad = str_eq(cell, S("-")) || str_find_char(cell, '\t') != SIZE_MAX ||
                      str_find_char(cell, '\n') != SIZE_MAX;
        if (is_bad)
            report(import, line, "a name is '-', or holds a tab or the end of a line");
        if (i > 0)
            strbuf_add_char(import->out, '\t');
        strbuf_add(import->out, cell.len == 0 ? S("-") : cell);
    }
    strbuf_add_char(import->out, '\n');
}

static void check_target(Import *import, const XmlNode *element, Str target)
{
    const char *expected;
    size_t at;
    if (target.len > 0 && mapping_parse(import->arena, target, &expected, &at) == NULL)
        report(import, element->line, "the target '%.*s' cannot be read: %s is expected at %zu",
               STR_ARG(target), expected, at + 1);
}

static void put_element(Import *import, const XmlNode *element)
{
    Str type = element_type(import, element);
    Str target = xml_attribute(element, S("target"));
    uint64_t number;
    check_target(import, element, target);
    if (map_find(&import->short_names, type, &number))
        type = str_format(import->arena, "@%d", (int)number);
    const Str cells[] = {S("element"), xml_attribute(element, S("name")), type, target};
    put_row(import, element->line, cells, COUNT_OF(cells));
}

static Str class_base(Import *import, const XmlNode *class)
{
    const XmlNode *specifier = xml_first(class, S("baseTypeSpecifier"));
    if (specifier != NULL)
        return type_of(import, specifier, 0);
    Str name = xml_attribute(class, S("baseType"));
    return name.len == 0 ? name : checked_name(import, class->line, short_name(import, name));
}

static void put_class(Import *import, const XmlNode *class)
{
    bool is_retrievable = str_eq(xml_attribute(class, S("retrievable")), S("true"));
    const Str cells[] = {S("class"),
                         namespaced(import, class),
                         class_base(import, class),
                         is_retrievable ? S("retrievable") : S(""),
                         xml_attribute(class, S("identifier")),
                         xml_attribute(class, S("label")),
                         xml_attribute(class, S("target")),
                         xml_attribute(class, S("primaryCodePath"))};
    put_row(import, class->line, cells, COUNT_OF(cells));
    for (const XmlNode *each = xml_first(class, S("element")); each != NULL;
         each = xml_next(each, S("element")))
        put_element(import, each);
    for (const XmlNode *each = xml_first(class, S("contextRelationship")); each != NULL;
         each = xml_next(each, S("contextRelationship"))) {
        const Str related[] = {S("related"), xml_attribute(each, S("context")),
                               xml_attribute(each, S("relatedKeyElement"))};
        put_row(import, each->line, related, COUNT_OF(related));
    }
}

static void put_conversion(Import *import, const XmlNode *node)
{
    const Str cells[] = {S("conversion"), short_name(import, xml_attribute(node, S("fromType"))),
                         short_name(import, xml_attribute(node, S("toType"))),
                         xml_attribute(node, S("functionName"))};
    put_row(import, node->line, cells, COUNT_OF(cells));
}

static void put_context(Import *import, const XmlNode *node)
{
    const XmlNode *type = xml_first(node, S("contextType"));
    if (type == NULL) {
        report(import, node->line, "a context has a contextType");
        return;
    }
    const Str cells[] = {S("context"), xml_attribute(node, S("name")),
                         checked_name(import, type->line, namespaced(import, type)),
                         xml_attribute(node, S("keyElement")),
                         xml_attribute(node, S("birthDateElement"))};
    put_row(import, node->line, cells, COUNT_OF(cells));
}

/* --- the whole --- */

static void learn_classes(Import *import, const XmlNode *root)
{
    for (const XmlNode *each = xml_first(root, S("typeInfo")); each != NULL;
         each = xml_next(each, S("typeInfo"))) {
        bool is_new;
        Str name = namespaced(import, each);
        (void)map_intern(&import->classes, name, 1, &is_new);
        if (name.len == 0 || !is_new)
            report(import, each->line, "the class '%.*s' has no name or is there twice",
                   STR_ARG(name));
    }
}

/* Types that are long and used again get a short name, in order of first use. */
static void put_types(Import *import, const XmlNode *root)
{
    DiagList *diags = import->diags;
    DiagList quiet; /* each type is looked at again when its row is written */
    diag_init(&quiet, import->arena);
    import->diags = &quiet;
    for (const XmlNode *class = xml_first(root, S("typeInfo")); class != NULL;
         class = xml_next(class, S("typeInfo"))) {
        for (const XmlNode *each = xml_first(class, S("element")); each != NULL;
             each = xml_next(each, S("element"))) {
            bool is_new;
            Str type = element_type(import, each);
            if (type.len <= SHORT_TYPE_BYTES)
                continue;
            size_t at = map_intern(&import->uses, type, 0, &is_new);
            import->uses.entries[at].value++;
        }
    }
    import->diags = diags;
    for (size_t i = 0; i < import->uses.count; i++) {
        const MapEntry *entry = &import->uses.entries[i];
        if (entry->value < 2)
            continue;
        map_put(&import->short_names, entry->key, import->short_names.count + 1);
        strbuf_printf(import->out, "type\t@%zu\t%.*s\n", import->short_names.count,
                      STR_ARG(entry->key));
    }
}

static void put_rows(Import *import, const XmlNode *root)
{
    for (const XmlNode *each = root->first; each != NULL; each = each->next) {
        if (str_eq(each->name, S("requiredModelInfo"))) {
            const Str cells[] = {S("requires"), xml_attribute(each, S("name")),
                                 xml_attribute(each, S("version"))};
            put_row(import, each->line, cells, COUNT_OF(cells));
        } else if (str_eq(each->name, S("typeInfo"))) {
            put_class(import, each);
        } else if (str_eq(each->name, S("conversionInfo"))) {
            put_conversion(import, each);
        } else if (str_eq(each->name, S("contextInfo"))) {
            put_context(import, each);
        } else {
            report(import, each->line,
                   "a requiredModelInfo, typeInfo, conversionInfo or contextInfo is expected, not "
                   "'%.*s'",
                   STR_ARG(each->name));
        }
    }
}

bool cql_model_import(Arena *arena, Str xml, Str file, DiagList *diags, StrBuf *out)
{
    size_t errors = diags->counts[SEVERITY_ERROR];
    XmlNode *root;
    if (!xml_parse(arena, xml, file, diags, &root))
        return false;
    Import import = {.arena = arena, .file = file, .diags = diags, .out = out};
    Str name = xml_attribute(root, S("name"));
    if (!str_eq(root->name, S("modelInfo")) || name.len == 0) {
        report(&import, root->line, "a modelInfo with a name is expected, not '%.*s'",
               STR_ARG(root->name));
        return false;
    }
    import.own = str_format(arena, "%.*s.", STR_ARG(name));
    map_init(&import.classes, arena);
    map_init(&import.uses, arena);
    map_init(&import.short_names, arena);
    learn_classes(&import, root);
    const Str cells[] = {S("model"),
                         name,
                         xml_attribute(root, S("version")),
                         xml_attribute(root, S("url")),
                         xml_attribute(root, S("targetUrl")),
                         xml_attribute(root, S("targetQualifier")),
                         short_name(&import, xml_attribute(root, S("patientClassName"))),
                         xml_attribute(root, S("patientBirthDatePropertyName"))};
    Str base = file;
    Str part;
    for (Str rest = file; str_split_next(&rest, '/', &part);)
        base = part;
    strbuf_printf(out, "# Made by `braid model import` from %.*s.\n", STR_ARG(base));
    put_row(&import, root->line, cells, COUNT_OF(cells));
    put_types(&import, root);
    put_rows(&import, root);
    return diags->counts[SEVERITY_ERROR] == errors;
}

#include "cql/type.h"

#include "cql/model.h"

#include <stdlib.h>

static const char *const simple_names[TYPE_SIMPLE_COUNT] = {
    "Any",  "Boolean",  "Integer", "Long", "Decimal", "String",     "Date",     "DateTime",
    "Time", "Quantity", "Ratio",   "Code", "Concept", "CodeSystem", "ValueSet", "Vocabulary",
};

static const CqlType *intern(TypeTable *table, const CqlType *type)
{
    uint64_t found;
    if (map_find(&table->by_text, type->text, &found))
        return (const CqlType *)(uintptr_t)found; /* NOLINT(performance-no-int-to-ptr) */
    CqlType *kept = arena_copy(table->arena, type, sizeof(*type));
    map_put(&table->by_text, kept->text, (uint64_t)(uintptr_t)kept);
    return kept;
}

TypeTable *type_table_create(Arena *arena)
{
    TypeTable *table = ARENA_NEW(arena, TypeTable);
    table->arena = arena;
    map_init(&table->by_text, arena);
    for (size_t i = 0; i < TYPE_SIMPLE_COUNT; i++) {
        CqlType type = {.kind = (CqlTypeKind)i,
                        .text = str_format(arena, "System.%s", simple_names[i])};
        table->simple[i] = intern(table, &type);
    }
    CqlType variable = {.kind = TYPE_VARIABLE, .text = S("T")};
    table->variable = intern(table, &variable);
    return table;
}

const CqlType *type_list(TypeTable *table, const CqlType *element)
{
    CqlType type = {.kind = TYPE_LIST, .element = element};
    type.text = str_format(table->arena, "List<%.*s>", STR_ARG(element->text));
    return intern(table, &type);
}

const CqlType *type_interval(TypeTable *table, const CqlType *element)
{
    CqlType type = {.kind = TYPE_INTERVAL, .element = element};
    type.text = str_format(table->arena, "Interval<%.*s>", STR_ARG(element->text));
    return intern(table, &type);
}

const CqlType *type_fhir(TypeTable *table, uint16_t fhir)
{
    CqlType type = {.kind = TYPE_FHIR, .fhir = fhir};
    Str name = fhir_type_name(fhir);
    type.text = str_format(table->arena, "FHIR.%.*s", STR_ARG(name));
    return intern(table, &type);
}

const CqlType *type_class(TypeTable *table, const ModelClass *class, Str model)
{
    CqlType type = {.kind = TYPE_CLASS, .fhir = class->fhir, .class = class};
    type.text = str_format(table->arena, "%.*s.%.*s", STR_ARG(model), STR_ARG(class->name));
    return intern(table, &type);
}

typedef struct {
    Str name;
    const CqlType *type;
} NamedType;

static int compare_named(const void *a, const void *b)
{
    return str_cmp(((const NamedType *)a)->name, ((const NamedType *)b)->name);
}

const CqlType *type_tuple(TypeTable *table, const Str *names, const CqlType *const *parts,
                          size_t count)
{
    NamedType *named = ARENA_ARRAY(table->arena, NamedType, count);
    for (size_t i = 0; i < count; i++)
        named[i] = (NamedType){.name = names[i], .type = parts[i]};
    if (count > 1)
        qsort(named, count, sizeof(*named), compare_named);
    CqlType type = {.kind = TYPE_TUPLE};
    Str *sorted = ARENA_ARRAY(table->arena, Str, count);
    type.parts = ARENA_ARRAY(table->arena, const CqlType *, count);
    StrBuf text;
    strbuf_init(&text, table->arena, 0);
    strbuf_add(&text, S("Tuple{"));
    for (size_t i = 0; i < count; i++) {
        if (type.count > 0 && str_eq(sorted[type.count - 1], named[i].name))
            continue;
        if (type.count > 0)
            strbuf_add(&text, S(", "));
        strbuf_printf(&text, "%.*s %.*s", STR_ARG(named[i].name), STR_ARG(named[i].type->text));
        sorted[type.count] = named[i].name;
        type.parts[type.count++] = named[i].type;
    }
    strbuf_add_char(&text, '}');
    type.names = sorted;
    type.text = strbuf_str(&text);
    return intern(table, &type);
}

typedef Vec(const CqlType *) TypeVec;

static void add_alternatives(TypeTable *table, TypeVec *parts, const CqlType *type)
{
    if (type->kind == TYPE_CHOICE) {
        for (size_t i = 0; i < type->count; i++)
            add_alternatives(table, parts, type->parts[i]);
        return;
    }
    size_t at = 0;
    while (at < parts->count && str_cmp(parts->items[at]->text, type->text) < 0)
        at++;
    if (at < parts->count && parts->items[at] == type)
        return;
    VEC_PUSH(table->arena, parts, type);
    memmove(parts->items + at + 1, parts->items + at,
            (parts->count - 1 - at) * sizeof(*parts->items));
    parts->items[at] = type;
}

const CqlType *type_choice(TypeTable *table, const CqlType *const *parts, size_t count)
{
    TypeVec all = {0};
    for (size_t i = 0; i < count; i++)
        add_alternatives(table, &all, parts[i]);
    if (all.count == 1)
        return all.items[0];
    CqlType type = {.kind = TYPE_CHOICE, .parts = all.items, .count = all.count};
    StrBuf text;
    strbuf_init(&text, table->arena, 0);
    strbuf_add(&text, S("Choice<"));
    for (size_t i = 0; i < all.count; i++) {
        if (i > 0)
            strbuf_add(&text, S(", "));
        strbuf_add(&text, all.items[i]->text);
    }
    strbuf_add_char(&text, '>');
    type.text = strbuf_str(&text);
    return intern(table, &type);
}

const CqlType *type_system(const TypeTable *table, Str name)
{
    for (size_t i = 0; i < TYPE_SIMPLE_COUNT; i++) {
        if (str_eq(name, str_from_c(simple_names[i])))
            return table->simple[i];
    }
    return NULL;
}

const CqlType *type_parse(TypeTable *table, Str text)
{
    if (str_eq(text, S("T")))
        return table->variable;
    if (str_starts_with(text, S("List<")))
        return type_list(table, type_parse(table, str_slice(text, 5, text.len - 6)));
    if (str_starts_with(text, S("Interval<")))
        return type_interval(table, type_parse(table, str_slice(text, 9, text.len - 10)));
    if (str_starts_with(text, S("FHIR."))) {
        FhirType fhir = fhir_type_find(text.ptr + 5, text.len - 5);
        ASSERT(fhir != FHIR_TYPE_NONE);
        return type_fhir(table, (uint16_t)fhir);
    }
    const CqlType *type = type_system(table, text);
    ASSERT(type != NULL);
    return type;
}

bool type_has_variable(const CqlType *type)
{
    if (type->kind == TYPE_VARIABLE)
        return true;
    return type->element != NULL && type_has_variable(type->element);
}

const CqlType *type_bind(TypeTable *table, const CqlType *pattern, const CqlType *bound)
{
    if (!type_has_variable(pattern))
        return pattern;
    if (pattern->kind == TYPE_VARIABLE)
        return bound;
    const CqlType *element = type_bind(table, pattern->element, bound);
    return pattern->kind == TYPE_LIST ? type_list(table, element) : type_interval(table, element);
}

const CqlType *type_unify(const CqlType *pattern, const CqlType *type)
{
    if (pattern->kind == TYPE_VARIABLE)
        return type->kind == TYPE_ANY ? NULL : type;
    if (pattern->element == NULL || pattern->kind != type->kind)
        return NULL;
    return type_unify(pattern->element, type->element);
}

static bool tuple_is_subtype(const CqlType *type, const CqlType *of)
{
    if (type->count != of->count)
        return false;
    for (size_t i = 0; i < type->count; i++) {
        if (!str_eq(type->names[i], of->names[i]) || !type_is_subtype(type->parts[i], of->parts[i]))
            return false;
    }
    return true;
}

static bool fhir_is_subtype(uint16_t type, uint16_t of)
{
    for (unsigned i = 0; i < 8 && type != FHIR_TYPE_NONE; i++) {
        if (type == of)
            return true;
        type = fhir_type_table[type].base;
    }
    return false;
}

static bool class_is_subtype(const ModelClass *class, const ModelClass *of)
{
    for (unsigned i = 0; i < 16 && class != NULL; i++, class = class->super) {
        if (class == of)
            return true;
    }
    return false;
}

bool type_is_subtype(const CqlType *type, const CqlType *of)
{
    if (type == of || of->kind == TYPE_ANY)
        return true;
    if (type->kind == TYPE_CHOICE) {
        for (size_t i = 0; i < type->count; i++) {
            if (!type_is_subtype(type->parts[i], of))
                return false;
        }
        return true;
    }
    if (of->kind == TYPE_CHOICE) {
        for (size_t i = 0; i < of->count; i++) {
            if (type_is_subtype(type, of->parts[i]))
                return true;
        }
        return false;
    }
    if (of->kind == TYPE_VOCABULARY)
        return type->kind == TYPE_VALUE_SET || type->kind == TYPE_CODE_SYSTEM;
    if (type->kind != of->kind)
        return false;
    switch (type->kind) {
    case TYPE_LIST:
    case TYPE_INTERVAL:
        return type_is_subtype(type->element, of->element);
    case TYPE_TUPLE:
        return tuple_is_subtype(type, of);
    case TYPE_FHIR:
        return fhir_is_subtype(type->fhir, of->fhir);
    case TYPE_CLASS:
        return class_is_subtype(type->class, of->class);
    default:
        return false;
    }
}

static const CqlType *primitive_value(TypeTable *table, uint16_t fhir)
{
    switch (fhir) {
    case FHIR_TYPE_boolean:
        return type_simple(table, TYPE_BOOLEAN);
    case FHIR_TYPE_integer:
    case FHIR_TYPE_positiveInt:
    case FHIR_TYPE_unsignedInt:
        return type_simple(table, TYPE_INTEGER);
    case FHIR_TYPE_decimal:
        return type_simple(table, TYPE_DECIMAL);
    case FHIR_TYPE_date:
        return type_simple(table, TYPE_DATE);
    case FHIR_TYPE_dateTime:
    case FHIR_TYPE_instant:
        return type_simple(table, TYPE_DATETIME);
    case FHIR_TYPE_time:
        return type_simple(table, TYPE_TIME);
    default:
        return type_simple(table, TYPE_STRING);
    }
}

const CqlType *type_of_fhir_value(TypeTable *table, uint16_t fhir)
{
    if (fhir_type_is_primitive(fhir))
        return primitive_value(table, fhir);
    if (fhir_is_subtype(fhir, FHIR_TYPE_Quantity))
        return type_simple(table, TYPE_QUANTITY);
    switch (fhir) {
    case FHIR_TYPE_Ratio:
        return type_simple(table, TYPE_RATIO);
    case FHIR_TYPE_Range:
        return type_interval(table, type_simple(table, TYPE_QUANTITY));
    case FHIR_TYPE_Period:
        return type_interval(table, type_simple(table, TYPE_DATETIME));
    case FHIR_TYPE_Coding:
        return type_simple(table, TYPE_CODE);
    case FHIR_TYPE_CodeableConcept:
        return type_simple(table, TYPE_CONCEPT);
    default:
        return NULL;
    }
}

CqlKind type_value_kind(const CqlType *type)
{
    static const uint8_t kinds[] = {
        [TYPE_ANY] = CQL_NULL,
        [TYPE_BOOLEAN] = CQL_BOOLEAN,
        [TYPE_INTEGER] = CQL_INTEGER,
        [TYPE_LONG] = CQL_LONG,
        [TYPE_DECIMAL] = CQL_DECIMAL,
        [TYPE_STRING] = CQL_STRING,
        [TYPE_DATE] = CQL_DATE,
        [TYPE_DATETIME] = CQL_DATETIME,
        [TYPE_TIME] = CQL_TIME,
        [TYPE_QUANTITY] = CQL_QUANTITY,
        [TYPE_RATIO] = CQL_RATIO,
        [TYPE_CODE] = CQL_CODE,
        [TYPE_CONCEPT] = CQL_CONCEPT,
        [TYPE_CODE_SYSTEM] = CQL_CODE_SYSTEM,
        [TYPE_VALUE_SET] = CQL_VALUE_SET,
        [TYPE_VOCABULARY] = CQL_VALUE_SET,
        [TYPE_LIST] = CQL_LIST,
        [TYPE_INTERVAL] = CQL_INTERVAL,
        [TYPE_TUPLE] = CQL_TUPLE,
        [TYPE_CHOICE] = CQL_NULL,
        [TYPE_FHIR] = CQL_FHIR,
        [TYPE_CLASS] = CQL_FHIR,
        [TYPE_VARIABLE] = CQL_NULL,
    };
    return (CqlKind)kinds[type->kind];
}

/*
 * type -- CQL types. Interned in a TypeTable, so that equal types are one pointer.
 *
 * A TypeTable belongs to one plan in the making; the types live as long as the plan.
 */
#pragma once

#include "cql/cql.h"

typedef enum {
    TYPE_ANY, /* of a bare null, and the root of all */
    TYPE_BOOLEAN,
    TYPE_INTEGER,
    TYPE_LONG,
    TYPE_DECIMAL,
    TYPE_STRING,
    TYPE_DATE,
    TYPE_DATETIME,
    TYPE_TIME,
    TYPE_QUANTITY,
    TYPE_RATIO,
    TYPE_CODE,
    TYPE_CONCEPT,
    TYPE_CODE_SYSTEM,
    TYPE_VALUE_SET,
    TYPE_VOCABULARY, /* what the two before have in common */
    TYPE_SIMPLE_COUNT,
    TYPE_LIST = TYPE_SIMPLE_COUNT,
    TYPE_INTERVAL,
    TYPE_TUPLE,
    TYPE_CHOICE,
    TYPE_FHIR,
    TYPE_CLASS,   /* a class of a model such as QI-Core: a view on a FHIR type */
    TYPE_VARIABLE /* T in an operator's signature */
} CqlTypeKind;

typedef struct CqlType CqlType;
struct CqlType {
    CqlTypeKind kind;
    uint16_t fhir; /* FhirType, also behind a class */
    const struct ModelClass *class;
    const CqlType *element; /* of a list or interval */
    const CqlType **parts;  /* of a tuple or choice */
    const Str *names;       /* of a tuple, sorted */
    size_t count;
    Str text; /* "List<System.Integer>" */
};

typedef struct {
    Arena *arena;
    Map by_text;
    const CqlType *simple[TYPE_SIMPLE_COUNT];
    const CqlType *variable;
} TypeTable;

TypeTable *type_table_create(Arena *arena);
static inline const CqlType *type_simple(const TypeTable *table, CqlTypeKind kind)
{
    return table->simple[kind];
}
const CqlType *type_list(TypeTable *table, const CqlType *element);
const CqlType *type_interval(TypeTable *table, const CqlType *element);
const CqlType *type_fhir(TypeTable *table, uint16_t fhir);
/* `model` is the name that the model goes by in the plan. */
const CqlType *type_class(TypeTable *table, const struct ModelClass *class, Str model);
/* Names need not be sorted; of a repeated name the first counts. */
const CqlType *type_tuple(TypeTable *table, const Str *names, const CqlType *const *parts,
                          size_t count);
/* Flattened, sorted, each once; of one alternative that one itself. */
const CqlType *type_choice(TypeTable *table, const CqlType *const *parts, size_t count);
/* A type of operators.def: "Integer", "List<T>", "FHIR.code". Asserts that it is well formed. */
const CqlType *type_parse(TypeTable *table, Str text);
/* A System type by its name without "System."; NULL when there is none. */
const CqlType *type_system(const TypeTable *table, Str name);
/* Puts `bound` in place of T. */
const CqlType *type_bind(TypeTable *table, const CqlType *pattern, const CqlType *bound);
bool type_has_variable(const CqlType *type);
/* What T must be for the pattern to be the type; NULL when the pattern does not say. */
const CqlType *type_unify(const CqlType *pattern, const CqlType *type);
/* Every value of `type` is one of `of`, without conversion. */
bool type_is_subtype(const CqlType *type, const CqlType *of);
/* The System type that FHIRHelpers converts a FHIR type to, or NULL. */
const CqlType *type_of_fhir_value(TypeTable *table, uint16_t fhir);
/* The CQL kind of a simple type's values. */
CqlKind type_value_kind(const CqlType *type);

/*
 * elm_write_int -- a resolved library as ELM JSON.
 *
 * What is written is the tree of plan nodes, in the form that they had before folding (NodeForm):
 * overloads are chosen and conversions stand in it, as ELM wants. Slots get their names back.
 */
#pragma once

#include "base/json.h"
#include "cql/elm_int.h"
#include "cql/resolve_int.h"

typedef enum { VARIABLE_ALIAS, VARIABLE_LET, VARIABLE_OPERAND } VariableKind;

typedef struct ElmVariable ElmVariable;
struct ElmVariable {
    const ElmVariable *outer;
    uint32_t slot;
    VariableKind kind;
    Str name;
};

/* Put in place of a node: the item of a conversion item by item, the alternative of a choice. */
typedef struct ElmInstead ElmInstead;
struct ElmInstead {
    const ElmInstead *outer;
    const CqlNode *node; /* or NULL: by slot */
    uint32_t slot;
    Str alias; /* the name to write, or empty: `source` cast to `type` */
    const CqlNode *source;
    const CqlType *type;
};

typedef struct {
    JsonWriter json;
    Resolver *resolver;
    const Library *library;
    const CqlElmOptions *options;
    const ElmVariable *variables;
    const ElmInstead *instead;
    bool uses_helpers; /* a function of FHIRHelpers was called */
    Str helpers;       /* what it is called in the library */
    unsigned next_alias;
    bool failed;
} ElmWriter;

/* --- elm_write_expression.c --- */
void elm_write_node(ElmWriter *w, const CqlNode *node);
/* The node as a value of another type; `to` NULL or the node's own: the node itself. */
void elm_write_converted(ElmWriter *w, const CqlNode *node, const CqlType *to);
/* Opens an object with type, locator and, where asked for, type of the result. */
void elm_begin(ElmWriter *w, const char *type, const CqlNode *node);
void elm_unsupported(ElmWriter *w, const CqlNode *node, const char *what);
/* A FunctionRef of FHIRHelpers, open at its operand. */
void elm_begin_helper(ElmWriter *w, const char *function);
void elm_end_helper(ElmWriter *w);

/* --- elm_write_query.c --- */
void elm_write_query(ElmWriter *w, const CqlNode *node);
void elm_write_retrieve(ElmWriter *w, const CqlNode *node);
void elm_write_property(ElmWriter *w, const CqlNode *node);

/* --- elm_write_type.c --- */
/* "{urn:hl7-org:elm-types:r1}Integer"; empty for what has no name. */
Str elm_type_name(Arena *arena, const CqlType *type);
void elm_write_specifier(ElmWriter *w, const CqlType *type);
void elm_write_type(ElmWriter *w, Str key, const CqlType *type);
/* name_key with a qualified name, or specifier_key with a specifier. */
void elm_write_type_as(ElmWriter *w, Str name_key, Str specifier_key, const CqlType *type);
/* A constant that was one in the source too: a literal or a selector. */
void elm_write_constant(ElmWriter *w, const CqlNode *node);

/*
 * elm_int -- reading ELM JSON (HL7's Expression Logical Model) into a syntax tree.
 *
 * ELM is what a translator makes of CQL: overloads chosen, conversions explicit, phrases taken
 * apart. Read back as a syntax tree it goes the same way as a source text through the resolver,
 * which finds little left to do. Findings name the JSON path of the node.
 */
#pragma once

#include "base/json.h"
#include "cql/ast.h"

typedef struct {
    Arena *arena;
    Str file;
    DiagList *diags;
    const JsonValue *root;    /* paths of findings begin here */
    const JsonValue *library; /* its member "library" */
    size_t findings;
    bool failed;
} ElmReader;

typedef struct {
    Str type;
    Str name;
    Str members;
} ElmOperator;

/* By ELM's name, with a NULL type at the end. */
extern const ElmOperator elm_operator_table[];

/* --- elm_read_base.c --- */
/* A finding at the node; always gives a node that the resolver passes over. */
Ast *elm_fail(ElmReader *reader, const JsonValue *at, const char *format, ...) PRINTF_LIKE(3, 4);
/* A node in the place that the locator names, else where it stands in the JSON text. */
Ast *elm_node(const ElmReader *reader, AstKind kind, const JsonValue *at);
void elm_place(const JsonValue *at, uint32_t *ret_line, uint32_t *ret_column);
Ast *elm_operator(const ElmReader *reader, const char *name, const JsonValue *at, Ast *left,
                  Ast *right);
Ast *elm_identifier(const ElmReader *reader, const JsonValue *at, Str name);
Ast *elm_member(const ElmReader *reader, const JsonValue *at, Ast *object, Str name);
/* A definition by the members `name` and perhaps `libraryName`. */
Ast *elm_reference(ElmReader *reader, const JsonValue *at);
bool elm_flag(const JsonValue *at, Str key, bool otherwise);
/* {"type": "ListTypeSpecifier", …}; NULL with a finding. */
AstType *elm_type(ElmReader *reader, const JsonValue *at);
/* The member with a qualified name ("{urn:…}Integer") or else that with a specifier. */
AstType *elm_type_of(ElmReader *reader, const JsonValue *at, Str name_key, Str specifier_key);
/* "year", "Year" and so on; 0 without. */
uint8_t elm_precision(ElmReader *reader, const JsonValue *at);

/* --- elm_read_expression.c, elm_read_query.c --- */
Ast *elm_expression(ElmReader *reader, const JsonValue *at);
/* The member as an expression; a finding when it is missing. */
Ast *elm_child(ElmReader *reader, const JsonValue *at, Str key);
Ast *elm_query(ElmReader *reader, const JsonValue *at);
Ast *elm_filter(ElmReader *reader, const JsonValue *at);
Ast *elm_for_each(ElmReader *reader, const JsonValue *at);
Ast *elm_retrieve(ElmReader *reader, const JsonValue *at);

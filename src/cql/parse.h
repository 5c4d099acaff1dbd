/*
 * parse -- tokens to a syntax tree: the whole grammar of CQL 1.5.2.
 *
 * Recursive descent with precedence climbing. After an error the parser goes on at the next
 * declaration, so that one run finds several.
 */
#pragma once

#include "cql/ast.h"

/* Never NULL: has_errors says when there were syntax errors. */
const AstLibrary *cql_parse_library(Arena *arena, Str source, Str file, DiagList *diags);
/* The same of CQL text, ELM JSON, or a FHIR Library that holds one of them. */
const AstLibrary *cql_read_library(Arena *arena, Str source, Str file, DiagList *diags);
/* One expression that is the whole text. */
Ast *cql_parse_expression(Arena *arena, Str source, Str file, DiagList *diags);

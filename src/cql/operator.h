/*
 * operator -- the table of CQL's operators and functions (operators.def), as the resolver reads it.
 */
#pragma once

#include "cql/plan_int.h"

typedef struct {
    const char *name;
    const char *operands; /* "Integer,List<T>" */
    const char *result;
    CqlOperatorFn op;
    uint8_t flags;
} OperatorRow;

/* Rows of one name stand together; the table ends with a NULL name. */
extern const OperatorRow operator_table[];

#define OPERATOR(name, operands, result, op, flags)                                                \
    CqlValue op(CqlEval *eval, const CqlNode *node, const CqlValue *args);
#include "cql/operators.def"
#undef OPERATOR

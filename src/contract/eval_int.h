/*
 * eval_int -- what the files that work a contract out share.
 *
 * Nodes are worked out in the order of their numbers. A node with rows gets a ValueTable; a
 * function is looked up by key. A node that works key by key takes its keys from the operands that
 * have all of its dimensions.
 */
#pragma once

#include "contract/contract_int.h"

typedef struct {
    Vec(int32_t) keys;
    Vec(Ratio) values;
    Map seen; /* of key bytes */
} FactTable;

struct ContractFacts {
    Arena *arena;
    const Contract *contract;
    FactTable *inputs;     /* by input */
    FactTable *attributes; /* by dimension */
    Map symbols;           /* in order of arrival */
};

/* The last look-up of a node that is a function: many ask for the same key one after the other. */
typedef struct {
    bool is_set;
    DimensionMask dims;
    int32_t key[DIMENSIONS_MAX];
    Ratio value;
    uint8_t lookup;
} FunctionMemo;

typedef struct {
    Arena *arena;
    const Contract *contract;
    DiagList *diags;
    Str file;
    const Str *symbols; /* in order of bytes */
    size_t symbol_count;
    const int32_t *years; /* by symbol: the year that it begins with, or -1 */
    ValueTable *inputs;
    ValueTable *attributes;
    ValueTable *tables;   /* by node */
    FunctionMemo **memos; /* by node; NULL until it is first asked for */
    OutcomeClause *clauses;
    bool *is_done;    /* by clause */
    const bool *used; /* by node; NULL: all */
    bool has_failed;
    bool is_quiet; /* what is only told: without a value there is no finding */
} Eval;

typedef enum { LOOKUP_FOUND, LOOKUP_MISSING, LOOKUP_FAILED } Lookup;

/* A key and what it is of. */
typedef struct {
    DimensionMask dims;
    const int32_t *values;
} EvalKey;

/* --- eval.c --- */
void eval_refuse(Eval *eval, const GraphNode *node, const char *rule, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* The value of a node at a key that has at least what the node needs. A finding is given when it
   fails, none when it is missing. */
Lookup eval_at(Eval *eval, NodeId id, EvalKey key, Ratio *ret_value);
/* As eval_at, and missing is a finding. */
bool eval_need(Eval *eval, const GraphNode *user, NodeId id, EvalKey key, Ratio *ret_value);
Str eval_key_text(Eval *eval, EvalKey key);
Str eval_node_name(const Eval *eval, const GraphNode *node);
uint32_t eval_width(DimensionMask dims);
void eval_project(DimensionMask from, const int32_t *key, DimensionMask to, int32_t *ret_key);
/* Row of the key, or SIZE_MAX. */
size_t eval_find_row(const ValueTable *table, const int32_t *key);
/* Sorts rows; `keys` and `values` are in the arena. */
ValueTable eval_sort(Arena *arena, DimensionMask dims, int32_t *keys, Ratio *values, size_t count);
bool eval_test(GraphTest test, Ratio left, Ratio right);
/* Whether an input has a row of its own at the key. */
bool eval_is_given(Eval *eval, NodeId id, EvalKey key);

/* --- eval_point.c: primitives that work key by key --- */
Lookup eval_point(Eval *eval, const GraphNode *node, EvalKey key, Ratio *ret_value);
/* What the fund gives of so much in and out. */
Ratio eval_fund_gives(Arena *arena, const GraphNode *node, Ratio in, Ratio out, Ratio keep);
/* Money in and out of the fund, and the part that it keeps, at a key. */
bool eval_fund_flows(Eval *eval, const GraphNode *node, EvalKey key, Ratio ret_flows[3]);

/* --- eval_rows.c: those that work on whole tables --- */
void eval_rows(Eval *eval, NodeId id);

/* --- eval_line.c --- */
/* Lines of a clause, rounded. */
void eval_lines(Eval *eval, size_t number);

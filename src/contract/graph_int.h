/*
 * graph_int -- the reader of graphs: names, scopes, and nodes being built.
 *
 * A scope is where names mean something: the contract (inputs and, as clauses.ID, other clauses),
 * or one clause (the parameters of its kind and the nodes of its graph). Entries are read when
 * they are first asked for; one that is asked for while it is being read is a cycle.
 */
#pragma once

#include "contract/contract_int.h"

#define NODE_BAD (UINT32_MAX - 1) /* a finding has been given */

typedef enum { ENTRY_INPUT, ENTRY_PARAMETER, ENTRY_NODE } EntryKind;
typedef enum { ENTRY_UNREAD, ENTRY_READING, ENTRY_READ } EntryState;

typedef struct Scope Scope;

typedef struct {
    Str name;
    EntryKind kind;
    EntryState state;
    const YamlNode *declaration; /* of a parameter */
    const YamlNode *value;       /* NULL: not given, and no default */
    Scope *value_scope;          /* where names in the value mean something */
    NodeId node;
    uint32_t input; /* of ENTRY_INPUT */
} ScopeEntry;

typedef struct GraphReader GraphReader;

struct Scope {
    GraphReader *graph;
    Vec(ScopeEntry) entries;
    Map by_name;
    const YamlNode *place; /* the clause; findings in a kind's own table point to it */
    const Macro *macro;    /* NULL: names and places are the document's */
    uint32_t clause;       /* UINT32_MAX: the contract */
};

typedef struct {
    EntryState state;
    const YamlNode *yaml;
    Scope *scope;
} ClauseState;

struct GraphReader {
    ContractReader *reader;
    Scope contract;
    ClauseState *clauses;
    Vec(GraphNode) nodes;
    size_t depth;
};

/* A node in the making: the primitive's mapping and the operands so far. */
typedef struct {
    Scope *scope;
    const YamlNode *body;
    GraphNode node;
    NodeId operands[GRAPH_OPERANDS_MAX];
    size_t count;
    bool is_bad;
} NodeBuilder;

/* --- graph_read.c --- */
void graph_refuse(const Scope *scope, ContractRefusal refusal, const YamlNode *node,
                  const char *format, ...) PRINTF_LIKE(4, 5);
void scope_init(Scope *scope, GraphReader *graph, uint32_t clause);
/* NULL when there is none of that name. */
ScopeEntry *scope_find(const Scope *scope, Str name);
/* The node that a value means: NODE_NONE for "none", NODE_BAD after a finding. `unit` is what a
   table or number without a unit of its own is taken to be in; NULL: a ratio. */
NodeId graph_resolve(Scope *scope, const YamlNode *value, const Unit *unit);
NodeId graph_resolve_name(Scope *scope, const YamlNode *place, Str name);
NodeId graph_add(GraphReader *graph, GraphNode node, const NodeId *operands, size_t count);
/* The number of a clause's result node, read if it is not yet; NODE_BAD after a finding. */
NodeId graph_clause(Scope *scope, const YamlNode *place, Str id);
/* A plain number such as 0.30; false for other text. */
bool graph_number(Arena *arena, const YamlNode *node, Ratio *ret_value);
bool graph_check_keys(const Scope *scope, const YamlNode *mapping, const Str *keys, size_t count);
/* The word's number, or SIZE_MAX with a finding. */
size_t graph_word(const Scope *scope, const YamlNode *node, const char *what, Words words);
/* Dimension names of a list or a single word; findings for unknown ones. */
bool graph_dimensions(const Scope *scope, const YamlNode *node, DimensionMask *ret_mask);
/* The points of a curve as a list in the scope where its names mean something. */
const YamlNode *graph_points(Scope *scope, const YamlNode *value, Scope **ret_scope);

/* --- primitive.c --- */
/* The node of a mapping such as {basis: {...}}; the key has been found to be a primitive. */
NodeId primitive_read(Scope *scope, const YamlNode *node, GraphOp op);
/* Whether a name is that of a primitive. */
bool primitive_find(Str name, GraphOp *ret_op);
bool primitive_read_test(NodeBuilder *builder, const YamlNode *list, GraphTest *ret_test);

/* --- grid.c --- */
/* A table of cells into a source node. */
NodeId grid_read(Scope *scope, const YamlNode *node, const Unit *unit, bool is_partial);

/* --- macro.c --- */
/* The macro of that name, read from the table of kinds, or NULL. */
const Macro *macro_find(ContractReader *reader, Str name);

/* --- graph_clause.c --- */
/* A mapping of names to values into the scope. */
void graph_add_entries(Scope *scope, const YamlNode *graph);
void graph_read_clause(GraphReader *graph, uint32_t number);

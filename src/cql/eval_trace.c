/*
 * Clause results: what every expression of a definition gave for a person.
 *
 * Tracing costs nothing where it is not wanted: while it is on, no step is free, so that each goes
 * through eval_node_slowly(), which notes the value under the number of the node.
 */
#include "cql/plan_int.h"

/* The body of a definition or function, whose clauses are listed one after the other. */
typedef struct {
    const CqlNode *body;
    Str library;
    Str file;
    Str name;
    bool is_function;
} Root;

typedef struct {
    const CqlPlan *plan;
    Arena *arena;
    const TraceEntry *entries;
    PlanSeen bodies; /* that are among the roots */
    PlanSeen listed;
    Vec(Root) roots;
    CqlClauseVec *clauses;
} Listing;

static void add_root(Listing *listing, Root root)
{
    if (!plan_seen_before(&listing->bodies, root.body))
        VEC_PUSH(listing->arena, &listing->roots, root);
}

static void add_definition(Listing *listing, uint32_t index)
{
    const PlanDefinition *definition = listing->plan->definitions.items[index];
    const CqlDefinition *facts = &definition->facts;
    add_root(listing, (Root){.body = definition->body,
                             .library = facts->library,
                             .file = facts->file,
                             .name = facts->name});
}

static void add_function(Listing *listing, const PlanFunction *function)
{
    add_root(listing, (Root){.body = function->body,
                             .library = function->facts.library,
                             .file = function->facts.file,
                             .name = function->name,
                             .is_function = true});
}

/* What a node refers to is listed only when it was evaluated. */
static void follow(Listing *listing, const CqlNode *node)
{
    if (listing->entries[node->number].times == 0)
        return;
    if (node->run == run_definition)
        add_definition(listing, node->index);
    else if (node->run == run_function)
        add_function(listing, node->detail);
}

static bool same_range(const CqlRange *a, const CqlRange *b)
{
    return a->line == b->line && a->column == b->column && a->end_line == b->end_line &&
           a->end_column == b->end_column;
}

static void list_clause(Listing *listing, const Root *root, const PlanChild *at, uint32_t depth)
{
    const CqlNode *node = at->node;
    const TraceEntry *entry = &listing->entries[node->number];
    CqlClause clause = {.library = root->library,
                        .file = root->file,
                        .definition = root->name,
                        .is_function = root->is_function,
                        .range = node->range,
                        .kind = plan_node_kind(node),
                        .role = str_from_c(at->role == NULL ? "" : at->role),
                        .type = node->type == NULL ? S("") : node->type->text,
                        .depth = depth,
                        .times = entry->times,
                        .times_true = entry->times_true,
                        .value = entry->last};
    VEC_PUSH(listing->arena, listing->clauses, clause);
}

/* Of nodes over the same text the outermost counts; conversions that nobody wrote do not. */
static void list_nodes(Listing *listing, const Root *root, const PlanChild *at, uint32_t depth,
                       const CqlRange *outer) /* NOLINT(misc-no-recursion) */
{
    const CqlNode *node = at->node;
    if (plan_seen_before(&listing->listed, node))
        return;
    bool is_shown = depth == 0 || (node->range.line != 0 && (node->flags & NODE_IMPLICIT) == 0 &&
                                   !same_range(&node->range, outer));
    if (is_shown)
        list_clause(listing, root, at, depth);
    follow(listing, node);
    PlanChildVec children;
    plan_children(node, listing->arena, &children);
    VEC_FOREACH (PlanChild, child, &children) {
        PlanChild inner = *child;
        if (!is_shown && inner.role == NULL)
            inner.role = at->role;
        list_nodes(listing, root, &inner, is_shown ? depth + 1 : depth,
                   is_shown ? &node->range : outer);
    }
}

ErrorCode cql_eval_trace(CqlEval *eval, size_t definition, Arena *arena, CqlClauseVec *ret_clauses,
                         Error *err)
{
    const CqlPlan *plan = eval->plan;
    ASSERT(definition < plan->definitions.count);
    size_t count = (size_t)plan->node_count + 1;
    Listing listing = {.plan = plan, .arena = arena, .clauses = ret_clauses};
    CqlValue value;
    TraceEntry *entries = ARENA_ZARRAY(arena, TraceEntry, count);
    eval_restart(eval);
    eval->trace = entries;
    eval->steps_free = 0;
    ErrorCode code = cql_eval_definition(eval, definition, &value, err);
    eval->trace = NULL;
    eval->steps_free = eval->steps_max;
    *ret_clauses = (CqlClauseVec){0};
    listing.entries = entries;
    listing.bodies = plan_seen(plan, arena);
    listing.listed = plan_seen(plan, arena);
    if (plan->definitions.items[definition]->body != NULL)
        add_definition(&listing, (uint32_t)definition);
    for (size_t i = 0; i < listing.roots.count; i++) {
        const Root root = listing.roots.items[i];
        const CqlRange nowhere = {0};
        /* NOLINTNEXTLINE(performance-no-int-to-ptr) */
        const PlanChild body = {.node = (CqlNode *)(uintptr_t)root.body};
        list_nodes(&listing, &root, &body, 0, &nowhere);
    }
    return code;
}

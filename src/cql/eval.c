/*
 * The evaluator: how each kind of node runs. Operators proper are in op_*.c.
 */
#include "cql/operator.h"

#include <stdarg.h>
#include <stdio.h>

CqlValue eval_fail(CqlEval *eval, ErrorCode code, const CqlNode *node, const char *format, ...)
{
    if (eval->failed)
        return value_null();
    eval->failed = true;
    /* From here on every step fails at once, so that the walk unwinds. */
    eval->steps = eval->steps_max;
    char text[700];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    str_mend_cut(text);
    if (node != NULL)
        (void)error_set(&eval->error, code, "line %u, column %u: %s", node->line, node->column,
                        text);
    else
        (void)error_set(&eval->error, code, "%s", text);
    return value_null();
}

CqlValue eval_node_slowly(CqlEval *eval, const CqlNode *node)
{
    if (eval->failed || !eval_charge(eval, node, 0))
        return value_null();
    CqlValue value = node->run(eval, node);
    if (node->number != 0 && !eval->failed) {
        TraceEntry *entry = &eval->trace[node->number];
        entry->times++;
        entry->times_true += cql_value_is_true(value);
        entry->last = value;
    }
    return value;
}

CqlValue value_from_vec(const ValueVec *items)
{
    return value_list(items->items, items->count);
}

CqlValue run_constant(CqlEval *eval, const CqlNode *node)
{
    (void)eval;
    return node->constant;
}

CqlValue run_slot(CqlEval *eval, const CqlNode *node)
{
    return eval->frame[node->index];
}

/* --- operators --- */

enum { ARGS_MAX = 8 };

/* Whether the operator goes one way over the whole range, so that its corners tell all. */
static bool is_monotonic(CqlOperatorFn op, int64_t low, int64_t high)
{
    bool turns_at_zero = op == op_abs || op == op_power || op == op_divide_decimal;
    return !turns_at_zero || low > 0 || high < 0;
}

/* Uncertain values can be compared, added, subtracted, negated, multiplied and divided (Language
   Semantics, Implementing Precision-Based Timing with Uncertainty); not so div and mod. */
static bool is_undefined(CqlOperatorFn op)
{
    return op == op_truncated_divide_integer || op == op_truncated_divide_long ||
           op == op_truncated_divide_decimal || op == op_modulo_integer || op == op_modulo_long ||
           op == op_modulo_decimal;
}

/* The arguments at one corner: a bit of the mask for each, set for its greater end. */
static bool set_corner(const CqlNode *node, const CqlValue *args, uint32_t mask, CqlValue *corner)
{
    for (uint32_t i = 0; i < node->count; i++) {
        int64_t from;
        int64_t to;
        corner[i] = args[i];
        if (args[i].kind != CQL_UNCERTAINTY)
            continue;
        value_uncertainty(args[i], &from, &to);
        if (!is_monotonic(node->op, from, to))
            return false;
        corner[i] = value_integer((mask >> i & 1) != 0 ? to : from);
    }
    return true;
}

/* Evaluates at the corners of uncertain arguments: what all corners agree on is certain, integers
   that differ span a new uncertainty; null where the corners do not tell. */
static CqlValue spread(CqlEval *eval, const CqlNode *node, const CqlValue *args)
{
    CqlValue corner[ARGS_MAX];
    CqlValue first = value_null();
    int64_t low = INT64_MAX;
    int64_t high = INT64_MIN;
    if (is_undefined(node->op))
        return eval_fail(eval, ERR_EVALUATION, node,
                         "div and mod are not defined for an uncertain duration");
    for (uint32_t mask = 0; mask < 1U << node->count; mask++) {
        if (!set_corner(node, args, mask, corner))
            return value_null();
        CqlValue value = node->op(eval, node, corner);
        if (mask == 0)
            first = value;
        if (value.kind != first.kind || value.kind == CQL_NULL)
            return value_null();
        if (value.kind == CQL_BOOLEAN && value.integer != first.integer)
            return value_null();
        low = value.integer < low ? value.integer : low;
        high = value.integer > high ? value.integer : high;
    }
    return first.kind == CQL_INTEGER ? value_uncertain(eval->context.arena, low, high) : first;
}

CqlValue run_operator(CqlEval *eval, const CqlNode *node)
{
    CqlValue args[ARGS_MAX];
    bool uncertain = false;
    for (uint32_t i = 0; i < node->count; i++) {
        args[i] = eval_node(eval, node->args[i]);
        if (args[i].kind == CQL_NULL && (node->flags & NODE_STRICT) != 0)
            return args[i];
        uncertain |= args[i].kind == CQL_UNCERTAINTY;
    }
    if (UNLIKELY(eval->failed))
        return value_null();
    if (UNLIKELY(uncertain) && (node->flags & NODE_UNCERTAIN) == 0)
        return spread(eval, node, args);
    return node->op(eval, node, args);
}

/* --- definitions and functions --- */

static CqlValue *new_frame(CqlEval *eval, uint32_t size)
{
    return ARENA_ZARRAY(eval->context.arena, CqlValue, size);
}

CqlValue run_definition(CqlEval *eval, const CqlNode *node)
{
    uint32_t index = node->index;
    if (eval->states[index] == SLOT_DONE)
        return eval->values[index];
    const PlanDefinition *definition = eval->plan->definitions.items[index];
    if (UNLIKELY(definition->body == NULL))
        return eval_fail(eval, ERR_EVALUATION, NULL, "it could not be resolved");
    uint32_t levels = definition->levels + 1;
    if (eval->depth + levels > PLAN_DEPTH_MAX)
        return eval_fail(eval, ERR_LIMIT, node, "expressions are more than %d deep",
                         PLAN_DEPTH_MAX);
    CqlValue *frame = eval->frame;
    eval->frame = definition->frame_size > 0 ? new_frame(eval, definition->frame_size) : NULL;
    eval->depth += levels;
    CqlValue value = eval_node(eval, definition->body);
    /* An operator that stopped at the limit gave only a part. */
    (void)eval_charge(eval, definition->body, 0);
    eval->depth -= levels;
    eval->frame = frame;
    if (!eval->failed) {
        eval->values[index] = value;
        eval->states[index] = SLOT_DONE;
    }
    return value;
}

CqlValue run_function(CqlEval *eval, const CqlNode *node)
{
    const PlanFunction *function = node->detail;
    uint32_t levels = function->levels + 1;
    if (eval->depth + levels > PLAN_DEPTH_MAX)
        return eval_fail(eval, ERR_LIMIT, node, "calls are more than %d deep", PLAN_DEPTH_MAX);
    CqlValue *inner = new_frame(eval, function->frame_size);
    for (uint32_t i = 0; i < node->count; i++)
        inner[i] = eval_node(eval, node->args[i]);
    CqlValue *frame = eval->frame;
    eval->frame = inner;
    eval->depth += levels;
    CqlValue value = eval_node(eval, function->body);
    eval->depth -= levels;
    eval->frame = frame;
    return value;
}

/* detail: the CqlExternal. */
CqlValue run_external(CqlEval *eval, const CqlNode *node)
{
    const CqlExternal *external = node->detail;
    CqlValue args[ARGS_MAX];
    CqlValue result = value_null();
    Error err = {0};
    for (uint32_t i = 0; i < node->count && i < ARGS_MAX; i++)
        args[i] = eval_node(eval, node->args[i]);
    if (eval->failed)
        return value_null();
    ErrorCode code = external->run(external->user, eval->context.arena, args, &result, &err);
    if (code != ERR_OK)
        return eval_fail(eval, ERR_EVALUATION, node, "%.*s: %s", STR_ARG(external->name),
                         err.message);
    if (result.kind != CQL_NULL && !value_is_of(result, node->type))
        return eval_fail(eval, ERR_EVALUATION, node,
                         "the external function '%.*s' gave no value of %.*s",
                         STR_ARG(external->name), STR_ARG(node->type->text));
    return result;
}

/* --- logic that need not look at everything --- */

CqlValue run_and(CqlEval *eval, const CqlNode *node)
{
    Tri left = value_truth(eval_node(eval, node->args[0]));
    if (left == TRI_FALSE)
        return value_boolean(false);
    return value_tri(tri_and(left, value_truth(eval_node(eval, node->args[1]))));
}

CqlValue run_or(CqlEval *eval, const CqlNode *node)
{
    Tri left = value_truth(eval_node(eval, node->args[0]));
    if (left == TRI_TRUE)
        return value_boolean(true);
    return value_tri(tri_or(left, value_truth(eval_node(eval, node->args[1]))));
}

CqlValue run_implies(CqlEval *eval, const CqlNode *node)
{
    Tri left = value_truth(eval_node(eval, node->args[0]));
    if (left == TRI_FALSE)
        return value_boolean(true);
    return value_tri(tri_or(tri_not(left), value_truth(eval_node(eval, node->args[1]))));
}

CqlValue run_if(CqlEval *eval, const CqlNode *node)
{
    CqlValue condition = eval_node(eval, node->args[0]);
    return eval_node(eval, node->args[cql_value_is_true(condition) ? 1 : 2]);
}

/* args: the choice, then a branch for each alternative; detail: the alternatives' types. */
CqlValue run_ladder(CqlEval *eval, const CqlNode *node)
{
    const CqlType *const *types = node->detail;
    CqlValue value = eval_node(eval, node->args[0]);
    eval->frame[node->index] = value;
    if (value.kind == CQL_NULL)
        return eval_node(eval, node->args[1]);
    for (uint32_t i = 1; i < node->count; i++) {
        if (value_is_of(value, types[i - 1]))
            return eval_node(eval, node->args[i]);
    }
    /* No overload for what it is: as an alternative that has one it is null. */
    eval->frame[node->index] = value_null();
    return eval_node(eval, node->args[1]);
}

/* args: [comparand or NULL, when, then, …, else]; with a comparand each `when` is a value. */
CqlValue run_case(CqlEval *eval, const CqlNode *node)
{
    CqlValue comparand = node->args[0] == NULL ? value_null() : eval_node(eval, node->args[0]);
    for (uint32_t i = 1; i + 1 < node->count; i += 2) {
        CqlValue when = eval_node(eval, node->args[i]);
        bool holds = node->args[0] == NULL
                         ? cql_value_is_true(when)
                         : value_equal(&eval->context, comparand, when) == TRI_TRUE;
        if (holds)
            return eval_node(eval, node->args[i + 1]);
    }
    return eval_node(eval, node->args[node->count - 1]);
}

CqlValue run_coalesce(CqlEval *eval, const CqlNode *node)
{
    for (uint32_t i = 0; i < node->count; i++) {
        CqlValue value = eval_node(eval, node->args[i]);
        if (value.kind != CQL_NULL)
            return value;
    }
    return value_null();
}

/* --- selectors --- */

CqlValue run_list(CqlEval *eval, const CqlNode *node)
{
    CqlValue *items = ARENA_ARRAY(eval->context.arena, CqlValue, node->count);
    for (uint32_t i = 0; i < node->count; i++)
        items[i] = eval_node(eval, node->args[i]);
    return value_list(items, node->count);
}

/* node->type is the tuple's type; args in the order of its names, NULL where none was given. */
CqlValue run_tuple(CqlEval *eval, const CqlNode *node)
{
    CqlValue *values = ARENA_ZARRAY(eval->context.arena, CqlValue, node->count);
    for (uint32_t i = 0; i < node->count; i++)
        values[i] = eval_node(eval, node->args[i]);
    CqlTupleBody *tuple = ARENA_NEW(eval->context.arena, CqlTupleBody);
    *tuple = (CqlTupleBody){.type = node->type, .values = values};
    return value_pointer(CQL_TUPLE, tuple);
}

/* args: low, high; index: bit 0 low closed, bit 1 high closed; operand: the point type. */
CqlValue run_interval(CqlEval *eval, const CqlNode *node)
{
    CqlIntervalBody interval = {.low = eval_node(eval, node->args[0]),
                                .high = eval_node(eval, node->args[1]),
                                .low_closed = (node->index & 1) != 0,
                                .high_closed = (node->index & 2) != 0,
                                .point = node->operand};
    if (node->count == 4) {
        interval.low_closed = cql_value_is_true(eval_node(eval, node->args[2]));
        interval.high_closed = cql_value_is_true(eval_node(eval, node->args[3]));
    }
    if (eval->failed)
        return value_null();
    if (interval.low.kind == CQL_NULL && interval.high.kind == CQL_NULL &&
        node->operand->kind == TYPE_ANY)
        return value_null();
    CqlValue start = interval_start(&eval->context, &interval);
    CqlValue end = interval_end(&eval->context, &interval);
    if (value_order(&eval->context, start, end, 0) == ORDER_GREATER) {
        /* Written so, it is an error; from the data of one person, there is no such interval. */
        bool is_written = node->args[0]->run == run_constant && node->args[1]->run == run_constant;
        return !is_written
                   ? value_null()
                   : eval_fail(eval, ERR_EVALUATION, node, "an interval ends before it starts");
    }
    return value_make_interval(eval->context.arena, &interval);
}

CqlValue run_patient(CqlEval *eval, const CqlNode *node)
{
    (void)node;
    return eval->has_record ? value_fhir(record_patient(eval->record)) : value_null();
}

/* --- the facade --- */

static void set_up(CqlEval *eval, const CqlPlan *plan, Arena *arena)
{
    *eval = (CqlEval){.plan = plan, .steps_max = plan->steps_max, .steps_free = plan->steps_max};
    eval->context = (ValueContext){.arena = arena, .offset_minutes = plan->now.offset_minutes};
}

CqlEval eval_for_folding(const CqlPlan *plan)
{
    CqlEval eval;
    set_up(&eval, plan, plan->arena);
    eval.is_folding = true;
    diag_init(&eval.messages, plan->arena);
    return eval;
}

CqlEval *cql_eval_create(const CqlPlan *plan)
{
    Arena *arena = arena_create(0);
    /* The evaluator itself lives in its own arena, which is never reset; values have another. */
    CqlEval *eval = ARENA_NEW(arena, CqlEval);
    Arena *values = arena_create(0);
    set_up(eval, plan, values);
    eval->context.units = ucum_cache_create(arena);
    eval->values = ARENA_ZARRAY(arena, CqlValue, plan->definitions.count);
    eval->states = ARENA_ZARRAY(arena, uint8_t, plan->definitions.count);
    eval->retrieved = ARENA_ZARRAY(arena, CqlValue, plan->retrieves.count);
    eval->retrieve_states = ARENA_ZARRAY(arena, uint8_t, plan->retrieves.count);
    eval->narrowed = ARENA_ZARRAY(arena, CqlValue, plan->ranges.count);
    eval->narrow_states = ARENA_ZARRAY(arena, uint8_t, plan->ranges.count);
    eval->present = ARENA_ZARRAY(arena, uint64_t, plan->presence.words);
    eval->own_arena = arena;
    return eval;
}

void cql_eval_destroy(CqlEval *eval)
{
    if (eval == NULL)
        return;
    arena_destroy(eval->context.arena);
    arena_destroy(eval->own_arena);
}

size_t cql_eval_memory(const CqlEval *eval)
{
    return arena_bytes_held(eval->own_arena) + arena_bytes_held(eval->context.arena);
}

void eval_restart(CqlEval *eval)
{
    arena_reset(eval->context.arena);
    memset(eval->states, SLOT_EMPTY, eval->plan->definitions.count);
    memset(eval->retrieve_states, SLOT_EMPTY, eval->plan->retrieves.count);
    memset(eval->narrow_states, SLOT_EMPTY, eval->plan->ranges.count);
    eval->is_presence_known = false;
    eval->failed = false;
    eval->depth = 0;
    eval->steps = 0;
    eval->frame = NULL;
    diag_init(&eval->messages, eval->context.arena);
    eval->context.messages = &eval->messages;
}

void cql_eval_begin(CqlEval *eval, Record record)
{
    eval_restart(eval);
    eval->record = record;
    eval->has_record = true;
}

void cql_eval_share(CqlEval *eval, Record shared)
{
    VEC_PUSH(eval->own_arena, &eval->shared, shared);
}

void cql_eval_begin_unfiltered(CqlEval *eval)
{
    eval_restart(eval);
    eval->has_record = false;
}

ErrorCode cql_eval_definition(CqlEval *eval, size_t definition, CqlValue *ret_value, Error *err)
{
    ASSERT(definition < eval->plan->definitions.count);
    const CqlNode node = {.run = run_definition, .index = (uint32_t)definition};
    /* A definition that is done keeps its value even after another one failed. */
    bool is_done = eval->states[definition] == SLOT_DONE;
    CqlValue value = is_done || !eval->failed ? run_definition(eval, &node) : value_null();
    if (eval->failed && !is_done) {
        const CqlDefinition *facts = &eval->plan->definitions.items[definition]->facts;
        if (facts->library.len == 0)
            return error_set(err, eval->error.code, "%s", eval->error.message);
        return error_set(err, eval->error.code, "%.*s.\"%.*s\": %s", STR_ARG(facts->library),
                         STR_ARG(facts->name), eval->error.message);
    }
    *ret_value = value;
    return ERR_OK;
}

ErrorCode cql_eval_function(CqlEval *eval, size_t function, const CqlValue *args,
                            CqlValue *ret_value, Error *err)
{
    ASSERT(function < eval->plan->functions.count);
    const PlanFunction *called = eval->plan->functions.items[function];
    CqlNode node = {.run = run_function, .detail = called, .count = called->operand_count};
    CqlNode *nodes = ARENA_ZARRAY(eval->context.arena, CqlNode, called->operand_count);
    node.args = ARENA_ARRAY(eval->context.arena, CqlNode *, called->operand_count);
    for (uint32_t i = 0; i < called->operand_count; i++) {
        nodes[i] = (CqlNode){.run = run_constant, .constant = args[i]};
        node.args[i] = &nodes[i];
    }
    CqlValue value = eval->failed ? value_null() : run_function(eval, &node);
    (void)eval_charge(eval, &node, 0);
    if (eval->failed)
        return error_set(err, eval->error.code, "%.*s.\"%.*s\": %s", STR_ARG(called->facts.library),
                         STR_ARG(called->name), eval->error.message);
    *ret_value = value;
    return ERR_OK;
}

const DiagList *cql_eval_messages(const CqlEval *eval)
{
    return &eval->messages;
}

/*
 * Queries: nested loops over the sources, then distinct, sort or aggregate.
 */
#include "cql/plan_int.h"

typedef struct {
    CqlEval *eval;
    const PlanQuery *query;
    CqlValue first; /* the value of the first source, worked out once */
    ValueVec result;
    ValueVec rows; /* of an aggregate over distinct rows: the sources' values, source_count each */
} Run;

static bool holds(CqlEval *eval, const CqlNode *condition)
{
    return cql_value_is_true(eval_node(eval, condition));
}

/* Whether some item of the relation's source satisfies its condition. */
static bool relation_holds(CqlEval *eval, const PlanRelation *relation)
{
    CqlValue list = eval_node(eval, relation->source.node);
    uint32_t count = list.kind == CQL_LIST ? list.count : list.kind != CQL_NULL;
    bool found = false;
    for (uint32_t i = 0; i < count && !found && !eval->failed; i++) {
        eval->frame[relation->source.slot] = list.kind == CQL_LIST ? value_items(list)[i] : list;
        found = holds(eval, relation->such_that);
    }
    return found != relation->is_without;
}

static void aggregate_row(Run *run)
{
    CqlEval *eval = run->eval;
    const PlanQuery *query = run->query;
    if (!query->aggregate_distinct) {
        eval->frame[query->aggregate_slot] = eval_node(eval, query->aggregate);
        return;
    }
    size_t width = query->source_count;
    for (size_t row = 0; row + width <= run->rows.count; row += width) {
        bool same = true;
        eval->steps++;
        for (size_t i = 0; i < width && same; i++) {
            CqlValue a = run->rows.items[row + i];
            CqlValue b = eval->frame[query->sources[i].slot];
            same = (a.kind == CQL_NULL && b.kind == CQL_NULL) ||
                   value_equal(&eval->context, a, b) == TRI_TRUE;
        }
        if (same)
            return;
    }
    for (size_t i = 0; i < width; i++)
        VEC_PUSH(eval->context.arena, &run->rows, eval->frame[query->sources[i].slot]);
    eval->frame[query->aggregate_slot] = eval_node(eval, query->aggregate);
}

static void run_row(Run *run)
{
    CqlEval *eval = run->eval;
    const PlanQuery *query = run->query;
    for (size_t i = 0; i < query->let_count; i++)
        eval->frame[query->lets[i].slot] = eval_node(eval, query->lets[i].node);
    for (size_t i = 0; i < query->relation_count; i++) {
        if (!relation_holds(eval, &query->relations[i]))
            return;
    }
    if (query->where != NULL && !holds(eval, query->where))
        return;
    if (query->aggregate != NULL)
        aggregate_row(run);
    else if (run->result.count >= PLAN_LIST_MAX)
        (void)eval_fail(eval, ERR_LIMIT, query->returns, "a query gives more than %d rows",
                        PLAN_LIST_MAX);
    else
        VEC_PUSH(eval->context.arena, &run->result, eval_node(eval, query->returns));
}

/* Loops over source `at` and those after it. */
static void run_sources(Run *run, size_t at) /* NOLINT(misc-no-recursion) */
{
    const PlanQuery *query = run->query;
    if (at == query->source_count) {
        run_row(run);
        return;
    }
    const PlanSource *source = &query->sources[at];
    CqlValue list = at == 0 ? run->first : eval_node(run->eval, source->node);
    if (!source->is_list) {
        if (list.kind == CQL_NULL)
            return;
        run->eval->frame[source->slot] = list;
        if (query->has_index)
            run->eval->frame[query->index_slot] = value_integer(0);
        run_sources(run, at + 1);
        return;
    }
    for (uint32_t i = 0; list.kind == CQL_LIST && i < list.count && !run->eval->failed; i++) {
        run->eval->frame[source->slot] = value_items(list)[i];
        if (query->has_index)
            run->eval->frame[query->index_slot] = value_integer(i);
        run_sources(run, at + 1);
    }
}

/* --- sorting: a stable merge sort of row numbers by their keys --- */

typedef struct {
    CqlEval *eval;
    const PlanQuery *query;
    const CqlValue *keys; /* sort_count for each item */
} Sorter;

static int compare_rows(const Sorter *sorter, uint32_t a, uint32_t b)
{
    size_t width = sorter->query->sort_count;
    for (size_t i = 0; i < width; i++) {
        int order = value_sort_order(&sorter->eval->context, sorter->keys[a * width + i],
                                     sorter->keys[b * width + i]);
        if (order != 0)
            return sorter->query->sort_keys[i].is_descending ? -order : order;
    }
    return 0;
}

/* Merges neighbouring runs of doubling width from one array to the other and back. */
static uint32_t *merge_sort(const Sorter *sorter, uint32_t *rows, uint32_t *spare, uint32_t count)
{
    for (uint32_t width = 1; width < count; width *= 2) {
        for (uint32_t start = 0; start < count; start += 2 * width) {
            uint32_t middle = start + width < count ? start + width : count;
            uint32_t end = start + 2 * width < count ? start + 2 * width : count;
            uint32_t left = start;
            uint32_t right = middle;
            for (uint32_t at = start; at < end; at++) {
                bool take_left = left < middle && (right >= end || compare_rows(sorter, rows[left],
                                                                                rows[right]) <= 0);
                spare[at] = take_left ? rows[left++] : rows[right++];
            }
        }
        uint32_t *swap = rows;
        rows = spare;
        spare = swap;
    }
    return rows;
}

static CqlValue sort_list(CqlEval *eval, const PlanQuery *query, CqlValue list)
{
    Arena *arena = eval->context.arena;
    size_t width = query->sort_count;
    CqlValue *keys = ARENA_ARRAY(arena, CqlValue, list.count * width);
    uint32_t *rows = ARENA_ARRAY(arena, uint32_t, list.count);
    for (uint32_t i = 0; i < list.count; i++) {
        CqlValue item = value_items(list)[i];
        rows[i] = i;
        eval->frame[query->sort_slot] = item;
        for (size_t j = 0; j < width; j++) {
            const CqlNode *key = query->sort_keys[j].key;
            CqlValue value = key == NULL ? item : eval_node(eval, key);
            if (value.kind == CQL_INSTANCE)
                value = instance_value(arena, value.ptr);
            keys[i * width + j] =
                value.kind == CQL_FHIR ? value_of_fhir(arena, value_node(value)) : value;
        }
    }
    Sorter sorter = {.eval = eval, .query = query, .keys = keys};
    uint32_t *spare = ARENA_ARRAY(arena, uint32_t, list.count);
    rows = merge_sort(&sorter, rows, spare, list.count);
    CqlValue *sorted = ARENA_ARRAY(arena, CqlValue, list.count);
    for (uint32_t i = 0; i < list.count; i++)
        sorted[i] = value_items(list)[rows[i]];
    return value_list(sorted, list.count);
}

CqlValue run_query(CqlEval *eval, const CqlNode *node)
{
    const PlanQuery *query = node->detail;
    Run run = {.eval = eval, .query = query};
    if (query->aggregate != NULL) {
        CqlValue start =
            query->aggregate_start == NULL ? value_null() : eval_node(eval, query->aggregate_start);
        eval->frame[query->aggregate_slot] = start;
    }
    run.first = eval_node(eval, query->sources[0].node);
    /* A query over a null list is null. */
    if (query->source_count == 1 && query->aggregate == NULL && run.first.kind == CQL_NULL)
        return run.first;
    run_sources(&run, 0);
    if (eval->failed)
        return value_null();
    if (query->aggregate != NULL)
        return eval->frame[query->aggregate_slot];
    if (!query->is_list)
        return run.result.count > 0 ? run.result.items[0] : value_null();
    CqlValue list = value_from_vec(&run.result);
    if (query->distinct)
        list = list_distinct(eval, list);
    return query->sort_count > 0 ? sort_list(eval, query, list) : list;
}

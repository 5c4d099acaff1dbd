/* Lists and aggregates. */
#include "cql/operator.h"

#include <math.h>
#include <stdlib.h>

#define OP(name)                                                                                   \
    CqlValue name(UNUSED CqlEval *eval, UNUSED const CqlNode *node, UNUSED const CqlValue *args)

/* Same value, nulls being the same: what distinct, union and in mean. */
static bool same_item(CqlEval *eval, CqlValue a, CqlValue b)
{
    eval->steps++;
    if (a.kind == CQL_NULL || b.kind == CQL_NULL)
        return a.kind == b.kind;
    if (a.kind == CQL_FHIR && b.kind == CQL_FHIR && a.ptr == b.ptr && a.count == b.count)
        return true;
    return value_equal(&eval->context, a, b) == TRI_TRUE;
}

bool list_has(CqlEval *eval, CqlValue list, CqlValue item)
{
    for (uint32_t i = 0; i < list.count; i++) {
        if (same_item(eval, value_items(list)[i], item))
            return true;
    }
    return false;
}

static bool are_resources(CqlValue list)
{
    for (uint32_t i = 0; i < list.count; i++) {
        CqlValue item = value_items(list)[i];
        if (item.kind != CQL_FHIR || !fhir_type_is_resource((FhirType)item.aux))
            return false;
    }
    return true;
}

/* Of its id, as equal resources have equal ids; of those without one, zero. */
static uint64_t resource_hash(CqlEval *eval, CqlValue resource)
{
    FhirNode id = fhir_child_named(value_node(resource), S("id"));
    return fhir_is_absent(id) ? 0 : str_hash(fhir_text(id, eval->context.arena));
}

/* Resources are compared whole only with those of the same id. */
static CqlValue distinct_resources(CqlEval *eval, CqlValue list)
{
    Arena *arena = eval->context.arena;
    CqlValue *items = ARENA_ARRAY(arena, CqlValue, list.count);
    uint64_t *hashes = ARENA_ARRAY(arena, uint64_t, list.count);
    uint32_t mask = 15;
    while (mask < 2 * list.count)
        mask = 2 * mask + 1;
    uint32_t *slots = ARENA_ZARRAY(arena, uint32_t, mask + 1); /* number of the item + 1 */
    uint32_t count = 0;
    for (uint32_t i = 0; i < list.count && eval->steps < eval->steps_max; i++) {
        CqlValue item = value_items(list)[i];
        uint64_t hash = resource_hash(eval, item);
        uint32_t at = (uint32_t)hash & mask;
        while (slots[at] != 0 &&
               (hashes[slots[at] - 1] != hash || !same_item(eval, items[slots[at] - 1], item)))
            at = (at + 1) & mask;
        if (slots[at] != 0)
            continue;
        hashes[count] = hash;
        items[count++] = item;
        slots[at] = count;
    }
    return value_list(items, count);
}

CqlValue list_distinct(CqlEval *eval, CqlValue list)
{
    if (list.count > 4 && are_resources(list))
        return distinct_resources(eval, list);
    CqlValue *items = ARENA_ARRAY(eval->context.arena, CqlValue, list.count);
    CqlValue result = value_list(items, 0);
    for (uint32_t i = 0; i < list.count && eval->steps < eval->steps_max; i++) {
        if (!list_has(eval, result, value_items(list)[i]))
            items[result.count++] = value_items(list)[i];
    }
    return result;
}

OP(op_distinct)
{
    return list_distinct(eval, args[0]);
}

OP(op_exists)
{
    for (uint32_t i = 0; args[0].kind == CQL_LIST && i < args[0].count; i++) {
        if (value_items(args[0])[i].kind != CQL_NULL)
            return value_boolean(true);
    }
    return value_boolean(false);
}

OP(op_count)
{
    int64_t count = 0;
    for (uint32_t i = 0; args[0].kind == CQL_LIST && i < args[0].count; i++)
        count += value_items(args[0])[i].kind != CQL_NULL;
    return value_integer(count);
}

OP(op_first)
{
    return args[0].count > 0 ? value_items(args[0])[0] : value_null();
}

OP(op_last)
{
    return args[0].count > 0 ? value_items(args[0])[args[0].count - 1] : value_null();
}

OP(op_singleton_from)
{
    if (args[0].count > 1)
        return eval_fail(eval, ERR_EVALUATION, node, "singleton from a list of %u elements",
                         args[0].count);
    return op_first(eval, node, args);
}

OP(op_length_list)
{
    return value_integer(args[0].kind == CQL_LIST ? args[0].count : 0);
}

OP(op_indexer_list)
{
    int64_t at = args[1].integer;
    return at >= 0 && at < args[0].count ? value_items(args[0])[at] : value_null();
}

OP(op_index_of)
{
    for (uint32_t i = 0; i < args[0].count; i++) {
        if (value_equal(&eval->context, value_items(args[0])[i], args[1]) == TRI_TRUE)
            return value_integer(i);
    }
    return value_integer(-1);
}

static CqlValue part(CqlValue list, uint32_t from, uint32_t to)
{
    return from == to ? value_list(NULL, 0) : value_list(value_items(list) + from, to - from);
}

OP(op_tail)
{
    return part(args[0], args[0].count > 0 ? 1 : 0, args[0].count);
}

OP(op_skip)
{
    if (args[0].kind == CQL_NULL)
        return value_null();
    int64_t count = args[1].kind == CQL_INTEGER ? args[1].integer : 0;
    /* Fewer than none leaves nothing (B.10 Skip). */
    if (count < 0 || count > args[0].count)
        count = args[0].count;
    return part(args[0], (uint32_t)count, args[0].count);
}

OP(op_take)
{
    if (args[0].kind == CQL_NULL)
        return value_null();
    int64_t count = args[1].kind == CQL_INTEGER ? args[1].integer : 0;
    count = count < 0 ? 0 : count > args[0].count ? args[0].count : count;
    return part(args[0], 0, (uint32_t)count);
}

OP(op_flatten)
{
    ValueVec items = {0};
    for (uint32_t i = 0; i < args[0].count; i++) {
        CqlValue inner = value_items(args[0])[i];
        size_t more = inner.kind == CQL_LIST ? inner.count : 0;
        if (items.count + more > PLAN_LIST_MAX)
            return eval_fail(eval, ERR_LIMIT, node, "a list grows beyond %d items", PLAN_LIST_MAX);
        if (!eval_charge(eval, node, more))
            return value_null();
        for (uint32_t j = 0; j < more; j++)
            VEC_PUSH(eval->context.arena, &items, value_items(inner)[j]);
    }
    return value_from_vec(&items);
}

OP(op_to_list)
{
    if (args[0].kind == CQL_NULL)
        return value_list(NULL, 0);
    return value_list(arena_copy(eval->context.arena, args, sizeof(*args)), 1);
}

OP(op_coalesce_list)
{
    for (uint32_t i = 0; args[0].kind == CQL_LIST && i < args[0].count; i++) {
        if (value_items(args[0])[i].kind != CQL_NULL)
            return value_items(args[0])[i];
    }
    return value_null();
}

/* --- sets --- */

OP(op_union_list)
{
    uint32_t left = args[0].kind == CQL_LIST ? args[0].count : 0;
    uint32_t right = args[1].kind == CQL_LIST ? args[1].count : 0;
    if (left + right > PLAN_LIST_MAX)
        return eval_fail(eval, ERR_LIMIT, node, "a list grows beyond %d items", PLAN_LIST_MAX);
    CqlValue *items = ARENA_ARRAY(eval->context.arena, CqlValue, left + right);
    if (left > 0)
        memcpy(items, args[0].ptr, left * sizeof(*items));
    if (right > 0)
        memcpy(items + left, args[1].ptr, right * sizeof(*items));
    return list_distinct(eval, value_list(items, left + right));
}

static CqlValue select_items(CqlEval *eval, CqlValue list, CqlValue other, bool wanted)
{
    ValueVec items = {0};
    for (uint32_t i = 0; i < list.count && eval->steps < eval->steps_max; i++) {
        CqlValue item = value_items(list)[i];
        if (list_has(eval, other, item) == wanted)
            VEC_PUSH(eval->context.arena, &items, item);
    }
    return list_distinct(eval, value_from_vec(&items));
}

OP(op_intersect_list)
{
    return select_items(eval, args[0], args[1], true);
}

OP(op_except_list)
{
    if (args[0].kind != CQL_LIST)
        return value_null();
    if (args[1].kind != CQL_LIST)
        return list_distinct(eval, args[0]);
    return select_items(eval, args[0], args[1], false);
}

/* Whether the list has the item: null when only an uncertain comparison stands in the way. */
static Tri membership(CqlEval *eval, CqlValue list, CqlValue item)
{
    Tri result = TRI_FALSE;
    for (uint32_t i = 0; i < list.count && result != TRI_TRUE; i++) {
        CqlValue other = value_items(list)[i];
        if (other.kind == CQL_NULL || item.kind == CQL_NULL) {
            if (other.kind == item.kind)
                result = TRI_TRUE;
            continue;
        }
        eval->steps++;
        result = tri_or(result, value_equal(&eval->context, other, item));
    }
    return result;
}

OP(op_in_list)
{
    if (args[1].kind != CQL_LIST)
        return value_boolean(false);
    return value_tri(membership(eval, args[1], args[0]));
}

OP(op_contains_list)
{
    CqlValue turned[2] = {args[1], args[0]};
    return op_in_list(eval, node, turned);
}

static Tri includes(CqlEval *eval, CqlValue list, CqlValue other)
{
    Tri result = TRI_TRUE;
    for (uint32_t i = 0; i < other.count && result != TRI_FALSE && eval->steps < eval->steps_max;
         i++)
        result = tri_and(result, membership(eval, list, value_items(other)[i]));
    return result;
}

OP(op_includes_list)
{
    return value_tri(includes(eval, args[0], args[1]));
}

OP(op_included_in_list)
{
    return value_tri(includes(eval, args[1], args[0]));
}

static Tri properly_includes(CqlEval *eval, CqlValue list, CqlValue other)
{
    CqlValue a = list_distinct(eval, list);
    CqlValue b = list_distinct(eval, other);
    return a.count > b.count ? includes(eval, list, other) : TRI_FALSE;
}

OP(op_properly_includes_list)
{
    return value_tri(properly_includes(eval, args[0], args[1]));
}

OP(op_properly_included_in_list)
{
    return value_tri(properly_includes(eval, args[1], args[0]));
}

/* Of an item: it is in, and something other than it is too. */
OP(op_properly_in_list)
{
    if (args[1].kind != CQL_LIST)
        return args[0].kind == CQL_LIST ? value_null() : value_boolean(false);
    CqlValue item = args[0];
    Tri other = TRI_FALSE;
    for (uint32_t i = 0; i < args[1].count; i++) {
        CqlValue at = value_items(args[1])[i];
        bool one_null = (at.kind == CQL_NULL) != (item.kind == CQL_NULL);
        Tri differs = at.kind == CQL_NULL && item.kind == CQL_NULL ? TRI_FALSE
                      : one_null && item.kind == CQL_NULL
                          ? TRI_TRUE
                          : tri_not(value_equal(&eval->context, at, item));
        other = tri_or(other, differs);
    }
    return value_tri(tri_and(membership(eval, args[1], item), other));
}

OP(op_properly_contains_list)
{
    CqlValue turned[2] = {args[1], args[0]};
    return op_properly_in_list(eval, node, turned);
}

/* --- aggregates --- */

static CqlValue without_nulls(CqlEval *eval, CqlValue list)
{
    ValueVec items = {0};
    for (uint32_t i = 0; i < list.count; i++) {
        if (value_items(list)[i].kind != CQL_NULL)
            VEC_PUSH(eval->context.arena, &items, value_items(list)[i]);
    }
    return value_from_vec(&items);
}

static CqlValue extreme(CqlEval *eval, CqlValue list, Order wanted)
{
    CqlValue best = value_null();
    for (uint32_t i = 0; i < list.count; i++) {
        CqlValue item = value_items(list)[i];
        if (item.kind == CQL_NULL)
            continue;
        Order order = value_order(&eval->context, item, best, 0);
        /* Of quantities that cannot be compared none is the greatest. */
        if (order == ORDER_UNKNOWN && best.kind == CQL_QUANTITY)
            return value_null();
        if (best.kind == CQL_NULL || order == wanted)
            best = item;
    }
    return best;
}

OP(op_min)
{
    return extreme(eval, args[0], ORDER_LESS);
}

OP(op_max)
{
    return extreme(eval, args[0], ORDER_GREATER);
}

/* a + b or a * b by the kind of the values. */
static CqlValue accumulate(CqlEval *eval, const CqlNode *node, CqlValue a, CqlValue b, bool product)
{
    CqlValue pair[2] = {a, b};
    switch (a.kind) {
    case CQL_INTEGER:
        return product ? op_multiply_integer(eval, node, pair) : op_add_integer(eval, node, pair);
    case CQL_LONG:
        return product ? op_multiply_long(eval, node, pair) : op_add_long(eval, node, pair);
    case CQL_DECIMAL:
        return product ? op_multiply_decimal(eval, node, pair) : op_add_decimal(eval, node, pair);
    case CQL_QUANTITY:
        return product ? op_multiply_quantity(eval, node, pair) : op_add_quantity(eval, node, pair);
    default:
        return value_null();
    }
}

static CqlValue fold_items(CqlEval *eval, const CqlNode *node, CqlValue list, bool product)
{
    CqlValue items = without_nulls(eval, list);
    if (items.count == 0)
        return value_null();
    CqlValue total = value_items(items)[0];
    for (uint32_t i = 1; i < items.count && total.kind != CQL_NULL; i++)
        total = accumulate(eval, node, total, value_items(items)[i], product);
    return total;
}

OP(op_sum)
{
    return fold_items(eval, node, args[0], false);
}

OP(op_product)
{
    return fold_items(eval, node, args[0], true);
}

static Decimal amount_of(CqlValue value)
{
    return value.kind == CQL_QUANTITY ? value_quantity(value)->value : value_number(value);
}

static CqlValue like(CqlEval *eval, CqlValue model, Decimal amount)
{
    if (model.kind != CQL_QUANTITY)
        return value_decimal(eval->context.arena, amount);
    const CqlQuantityBody *body = model.ptr;
    return value_make_quantity(eval->context.arena, amount, body->unit, body->is_calendar);
}

OP(op_avg)
{
    CqlValue items = without_nulls(eval, args[0]);
    CqlValue total = fold_items(eval, node, items, false);
    Decimal mean = {.units = 0};
    bool ok =
        total.kind != CQL_NULL &&
        decimal_divide(amount_of(total), decimal_from_int(items.count), ROUNDING_HALF_AWAY, &mean);
    return ok ? like(eval, total, mean) : value_null();
}

/* Insertion into order; lists for a median are short. */
static void sort_amounts(CqlEval *eval, CqlValue *items, uint32_t count)
{
    for (uint32_t i = 1; i < count && eval->steps < eval->steps_max; i++) {
        CqlValue item = items[i];
        uint32_t at = i;
        while (at > 0 && value_sort_order(&eval->context, item, items[at - 1]) < 0) {
            items[at] = items[at - 1];
            at--;
            eval->steps++;
        }
        items[at] = item;
    }
}

OP(op_median)
{
    CqlValue list = without_nulls(eval, args[0]);
    if (list.count == 0)
        return value_null();
    CqlValue *items = arena_copy(eval->context.arena, list.ptr, list.count * sizeof(CqlValue));
    sort_amounts(eval, items, list.count);
    CqlValue upper = items[list.count / 2];
    if (list.count % 2 == 1)
        return upper;
    Decimal sum = {.units = 0};
    Decimal half = {.units = 0};
    bool ok = decimal_add(amount_of(items[list.count / 2 - 1]), amount_of(upper), &sum) &&
              decimal_divide(sum, decimal_from_int(2), ROUNDING_HALF_AWAY, &half);
    return ok ? like(eval, upper, half) : value_null();
}

OP(op_mode)
{
    CqlValue best = value_null();
    uint32_t best_count = 0;
    for (uint32_t i = 0; i < args[0].count && eval->steps < eval->steps_max; i++) {
        CqlValue item = value_items(args[0])[i];
        uint32_t count = 0;
        for (uint32_t j = 0; item.kind != CQL_NULL && j < args[0].count; j++)
            count += same_item(eval, item, value_items(args[0])[j]);
        bool is_better =
            count > best_count || (count == best_count && count > 0 &&
                                   value_order(&eval->context, item, best, 0) == ORDER_LESS);
        if (is_better) {
            best = item;
            best_count = count;
        }
    }
    return best;
}

/* Amounts as numbers in the unit of the first; false when they are not of one dimension. */
static bool amounts_of(CqlEval *eval, CqlValue items, long double *out)
{
    for (uint32_t i = 0; i < items.count; i++) {
        CqlValue item = value_items(items)[i];
        Decimal amount = amount_of(item);
        const CqlQuantityBody *first = value_items(items)[0].ptr;
        bool same = item.kind != CQL_QUANTITY ||
                    quantity_convert(&eval->context, amount, value_quantity(item)->unit,
                                     first->unit, &amount);
        if (!same || !eval_charge(eval, NULL, 1))
            return false;
        out[i] = (long double)amount.units / 1e8L;
    }
    return true;
}

/* Sum of squared distances from the mean over (count - less), rounded once at the end. */
static CqlValue variance(CqlEval *eval, CqlValue list, uint32_t less, bool root)
{
    CqlValue items = without_nulls(eval, list);
    if (items.count <= less)
        return value_null();
    long double *amounts = ARENA_ARRAY(eval->context.arena, long double, items.count);
    long double total = 0;
    long double squares = 0;
    if (!amounts_of(eval, items, amounts))
        return value_null();
    for (uint32_t i = 0; i < items.count; i++)
        total += amounts[i];
    for (uint32_t i = 0; i < items.count; i++) {
        long double distance = amounts[i] - total / items.count;
        squares += distance * distance;
    }
    long double result = squares / (items.count - less);
    if (root)
        result = sqrtl(result);
    if (!(result < 1e20L))
        return value_null();
    return like(eval, value_items(items)[0], (Decimal){.units = (__int128)roundl(result * 1e8L)});
}

OP(op_variance)
{
    return variance(eval, args[0], 1, false);
}

OP(op_population_variance)
{
    return variance(eval, args[0], 0, false);
}

OP(op_std_dev)
{
    return variance(eval, args[0], 1, true);
}

OP(op_population_std_dev)
{
    return variance(eval, args[0], 0, true);
}

OP(op_geometric_mean)
{
    CqlValue items = without_nulls(eval, args[0]);
    long double logs = 0;
    for (uint32_t i = 0; i < items.count; i++) {
        Decimal amount = amount_of(value_items(items)[i]);
        if (amount.units <= 0)
            return value_null();
        logs += logl((long double)amount.units / 1e8L);
    }
    if (items.count == 0)
        return value_null();
    Decimal mean = {.units = (__int128)roundl(expl(logs / items.count) * 1e8L)};
    return value_decimal(eval->context.arena, mean);
}

OP(op_all_true)
{
    for (uint32_t i = 0; args[0].kind == CQL_LIST && i < args[0].count; i++) {
        if (value_truth(value_items(args[0])[i]) == TRI_FALSE)
            return value_boolean(false);
    }
    return value_boolean(true);
}

OP(op_any_true)
{
    for (uint32_t i = 0; args[0].kind == CQL_LIST && i < args[0].count; i++) {
        if (value_truth(value_items(args[0])[i]) == TRI_TRUE)
            return value_boolean(true);
    }
    return value_boolean(false);
}

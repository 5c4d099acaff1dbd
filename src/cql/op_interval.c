/*
 * Intervals. Every relation is worked out from the first and last points (interval_start,
 * interval_end) with three-valued logic, so that an unknown bound makes an answer null only where
 * it matters.
 */
#include "cql/operator.h"

#define OP(name)                                                                                   \
    CqlValue name(UNUSED CqlEval *eval, UNUSED const CqlNode *node, UNUSED const CqlValue *args)

typedef struct {
    CqlValue start;
    CqlValue end;
} Span;

/* A point counts as the interval of itself. */
static Span span_of(const CqlEval *eval, CqlValue value)
{
    if (value.kind != CQL_INTERVAL)
        return (Span){.start = value, .end = value};
    return (Span){.start = interval_start(&eval->context, value.ptr),
                  .end = interval_end(&eval->context, value.ptr)};
}

static Tri tri_less(const CqlEval *eval, const CqlNode *node, CqlValue a, CqlValue b)
{
    Order order = value_order(&eval->context, a, b, node->precision);
    return order == ORDER_UNKNOWN ? TRI_NULL : order == ORDER_LESS ? TRI_TRUE : TRI_FALSE;
}

static Tri tri_at_most(const CqlEval *eval, const CqlNode *node, CqlValue a, CqlValue b)
{
    Order order = value_order(&eval->context, a, b, node->precision);
    return order == ORDER_UNKNOWN ? TRI_NULL : order != ORDER_GREATER ? TRI_TRUE : TRI_FALSE;
}

static Tri tri_same(const CqlEval *eval, const CqlNode *node, CqlValue a, CqlValue b)
{
    Order order = value_order(&eval->context, a, b, node->precision);
    return order == ORDER_UNKNOWN ? TRI_NULL : order == ORDER_EQUAL ? TRI_TRUE : TRI_FALSE;
}

#define SPANS                                                                                      \
    Span a = span_of(eval, args[0]);                                                               \
    Span b = span_of(eval, args[1])

OP(op_start)
{
    return span_of(eval, args[0]).start;
}

OP(op_end)
{
    return span_of(eval, args[0]).end;
}

static CqlValue distance(CqlEval *eval, CqlValue from, CqlValue to, int extra)
{
    if (from.kind == CQL_NULL || to.kind == CQL_NULL)
        return value_null();
    Decimal result;
    int64_t whole;
    const CqlQuantityBody *low = from.ptr;
    const CqlQuantityBody *high = to.ptr;
    switch (from.kind) {
    case CQL_INTEGER:
        whole = to.integer - from.integer + extra;
        return whole > INT32_MAX ? value_null() : value_integer(whole);
    case CQL_LONG:
        if (__builtin_sub_overflow(to.integer, from.integer, &whole) ||
            __builtin_add_overflow(whole, (int64_t)extra, &whole))
            return value_null();
        return value_long(whole);
    case CQL_DECIMAL:
        result.units = value_decimal_units(to).units - value_decimal_units(from).units + extra;
        return decimal_is_in_range(result) ? value_decimal(eval->context.arena, result)
                                           : value_null();
    case CQL_QUANTITY:
        if (!ucum_convert(high->value, high->unit, low->unit, &result))
            return value_null();
        result.units += extra - low->value.units;
        return value_make_quantity(eval->context.arena, result, low->unit, low->is_calendar);
    default:
        return value_null();
    }
}

OP(op_width)
{
    Span span = span_of(eval, args[0]);
    bool is_moment = span.start.kind >= CQL_DATE && span.start.kind <= CQL_TIME;
    if (is_moment)
        return eval_fail(eval, ERR_EVALUATION, node, "width of an interval of dates or times");
    return distance(eval, span.start, span.end, 0);
}

OP(op_size)
{
    Span span = span_of(eval, args[0]);
    return distance(eval, span.start, span.end, 1);
}

OP(op_point_from)
{
    Span span = span_of(eval, args[0]);
    if (value_equal(&eval->context, span.start, span.end) != TRI_TRUE)
        return eval_fail(eval, ERR_EVALUATION, node,
                         "point from an interval of more than one point");
    return span.start;
}

/* --- membership --- */

static Tri has_point(const CqlEval *eval, const CqlNode *node, CqlValue interval, CqlValue point)
{
    Span span = span_of(eval, interval);
    return tri_and(tri_at_most(eval, node, span.start, point),
                   tri_at_most(eval, node, point, span.end));
}

OP(op_in_interval)
{
    if (args[1].kind == CQL_NULL)
        return args[0].kind == CQL_NULL ? value_null() : value_boolean(false);
    return args[0].kind == CQL_NULL ? value_null()
                                    : value_tri(has_point(eval, node, args[1], args[0]));
}

OP(op_contains_interval)
{
    CqlValue turned[2] = {args[1], args[0]};
    return op_in_interval(eval, node, turned);
}

/* The public suite reads "properly" of a point as strictly inside both bounds. */
OP(op_properly_in_interval)
{
    if (args[0].kind == CQL_NULL || args[1].kind == CQL_NULL)
        return value_null();
    Span span = span_of(eval, args[1]);
    return value_tri(tri_and(tri_less(eval, node, span.start, args[0]),
                             tri_less(eval, node, args[0], span.end)));
}

OP(op_properly_contains_interval)
{
    CqlValue turned[2] = {args[1], args[0]};
    return op_properly_in_interval(eval, node, turned);
}

static Tri includes(const CqlEval *eval, const CqlNode *node, Span a, Span b)
{
    return tri_and(tri_at_most(eval, node, a.start, b.start),
                   tri_at_most(eval, node, b.end, a.end));
}

OP(op_includes_interval)
{
    SPANS;
    return value_tri(includes(eval, node, a, b));
}

OP(op_included_in_interval)
{
    SPANS;
    return value_tri(includes(eval, node, b, a));
}

static Tri properly_includes(const CqlEval *eval, const CqlNode *node, Span a, Span b)
{
    Tri wider = tri_or(tri_less(eval, node, a.start, b.start), tri_less(eval, node, b.end, a.end));
    return tri_and(includes(eval, node, a, b), wider);
}

OP(op_properly_includes_interval)
{
    SPANS;
    return value_tri(properly_includes(eval, node, a, b));
}

OP(op_properly_included_in_interval)
{
    SPANS;
    return value_tri(properly_includes(eval, node, b, a));
}

/* --- before and after --- */

OP(op_before_interval)
{
    SPANS;
    return value_tri(tri_less(eval, node, a.end, b.start));
}

OP(op_after_interval)
{
    SPANS;
    return value_tri(tri_less(eval, node, b.end, a.start));
}

OP(op_same_or_before_interval)
{
    SPANS;
    return value_tri(tri_at_most(eval, node, a.end, b.start));
}

OP(op_same_or_after_interval)
{
    SPANS;
    return value_tri(tri_at_most(eval, node, b.end, a.start));
}

OP(op_same_as_interval)
{
    SPANS;
    return value_tri(
        tri_and(tri_same(eval, node, a.start, b.start), tri_same(eval, node, a.end, b.end)));
}

static Tri overlaps(const CqlEval *eval, const CqlNode *node, Span a, Span b)
{
    return tri_and(tri_at_most(eval, node, a.start, b.end),
                   tri_at_most(eval, node, b.start, a.end));
}

OP(op_overlaps)
{
    SPANS;
    return value_tri(overlaps(eval, node, a, b));
}

OP(op_overlaps_before)
{
    SPANS;
    return value_tri(tri_and(tri_less(eval, node, a.start, b.start), overlaps(eval, node, a, b)));
}

OP(op_overlaps_after)
{
    SPANS;
    return value_tri(tri_and(tri_less(eval, node, b.end, a.end), overlaps(eval, node, a, b)));
}

OP(op_starts)
{
    SPANS;
    return value_tri(
        tri_and(tri_same(eval, node, a.start, b.start), tri_at_most(eval, node, a.end, b.end)));
}

OP(op_ends)
{
    SPANS;
    return value_tri(
        tri_and(tri_same(eval, node, a.end, b.end), tri_at_most(eval, node, b.start, a.start)));
}

/* a ends one step before b starts. */
static Tri meets(const CqlEval *eval, const CqlNode *node, Span a, Span b)
{
    if (tri_less(eval, node, b.end, a.start) == TRI_TRUE)
        return TRI_FALSE;
    if (a.end.kind == CQL_NULL || b.start.kind == CQL_NULL)
        return TRI_NULL;
    CqlValue next;
    if (!value_step(&eval->context, a.end, 1, &next))
        return TRI_FALSE;
    return tri_same(eval, node, next, b.start);
}

OP(op_meets_before)
{
    SPANS;
    return value_tri(meets(eval, node, a, b));
}

OP(op_meets_after)
{
    SPANS;
    return value_tri(meets(eval, node, b, a));
}

OP(op_meets)
{
    SPANS;
    return value_tri(tri_or(meets(eval, node, a, b), meets(eval, node, b, a)));
}

/* --- set operations --- */

static CqlValue make_closed(CqlEval *eval, CqlValue low, CqlValue high, const CqlType *point)
{
    CqlIntervalBody interval = {
        .low = low, .high = high, .low_closed = true, .high_closed = true, .point = point};
    /* An unknown bound stays unknown: open. */
    interval.low_closed = low.kind != CQL_NULL;
    interval.high_closed = high.kind != CQL_NULL;
    return value_make_interval(eval->context.arena, &interval);
}

static const CqlType *point_of(CqlValue interval)
{
    return value_interval(interval)->point;
}

static bool is_less(const CqlEval *eval, CqlValue a, CqlValue b)
{
    return value_order(&eval->context, a, b, 0) == ORDER_LESS;
}

OP(op_union_interval)
{
    SPANS;
    Tri joined = tri_or(overlaps(eval, node, a, b),
                        tri_or(meets(eval, node, a, b), meets(eval, node, b, a)));
    if (joined != TRI_TRUE)
        return value_null();
    CqlValue low = is_less(eval, b.start, a.start) ? b.start : a.start;
    CqlValue high = is_less(eval, a.end, b.end) ? b.end : a.end;
    return make_closed(eval, low, high, point_of(args[0]));
}

OP(op_intersect_interval)
{
    SPANS;
    if (overlaps(eval, node, a, b) == TRI_FALSE)
        return value_null();
    CqlValue low = is_less(eval, a.start, b.start) ? b.start : a.start;
    CqlValue high = is_less(eval, b.end, a.end) ? b.end : a.end;
    if (a.start.kind == CQL_NULL || b.start.kind == CQL_NULL)
        low = value_null();
    if (a.end.kind == CQL_NULL || b.end.kind == CQL_NULL)
        high = value_null();
    return make_closed(eval, low, high, point_of(args[0]));
}

OP(op_except_interval)
{
    SPANS;
    Tri apart = tri_not(overlaps(eval, node, a, b));
    if (apart == TRI_TRUE)
        return args[0];
    bool sticks_out_left = is_less(eval, a.start, b.start);
    bool sticks_out_right = is_less(eval, b.end, a.end);
    CqlValue edge;
    if (apart == TRI_NULL || sticks_out_left == sticks_out_right)
        return value_null();
    if (sticks_out_left)
        return value_step(&eval->context, b.start, -1, &edge)
                   ? make_closed(eval, a.start, edge, point_of(args[0]))
                   : value_null();
    return value_step(&eval->context, b.end, 1, &edge)
               ? make_closed(eval, edge, a.end, point_of(args[0]))
               : value_null();
}

/* --- collapse and expand --- */

static int compare_starts(CqlEval *eval, CqlValue a, CqlValue b)
{
    return value_sort_order(&eval->context, span_of(eval, a).start, span_of(eval, b).start);
}

/* Insertion sort: lists to collapse are short. */
static void sort_intervals(CqlEval *eval, ValueVec *items)
{
    for (size_t i = 1; i < items->count; i++) {
        CqlValue item = items->items[i];
        size_t at = i;
        while (at > 0 && eval->steps < eval->steps_max &&
               compare_starts(eval, item, items->items[at - 1]) < 0) {
            items->items[at] = items->items[at - 1];
            at--;
            eval->steps++;
        }
        items->items[at] = item;
    }
}

static bool add_quantity(CqlEval *eval, CqlValue point, const CqlQuantityBody *per,
                         CqlValue *ret_sum)
{
    Decimal amount;
    Decimal sum;
    const CqlQuantityBody *quantity = point.ptr;
    switch (point.kind) {
    case CQL_INTEGER:
    case CQL_LONG:
        *ret_sum = point;
        return !__builtin_add_overflow(point.integer, per->value.units / DECIMAL_ONE,
                                       &ret_sum->integer) &&
               (point.kind == CQL_LONG || ret_sum->integer <= INT32_MAX);
    case CQL_DECIMAL:
        if (!decimal_add(value_decimal_units(point), per->value, &sum))
            return false;
        *ret_sum = value_decimal(eval->context.arena, sum);
        return true;
    case CQL_QUANTITY:
        if (!ucum_convert(per->value, per->unit, quantity->unit, &amount)) {
            if (!str_eq(per->unit, S("1")))
                return false;
            amount = per->value;
        }
        if (!decimal_add(quantity->value, amount, &sum))
            return false;
        *ret_sum =
            value_make_quantity(eval->context.arena, sum, quantity->unit, quantity->is_calendar);
        return true;
    default:
        return moment_add(point, per, 1, ret_sum);
    }
}

/* Whether b begins at the latest one step (or one `per`) after a ends. */
static bool joins(CqlEval *eval, const CqlNode *node, Span a, Span b, CqlValue per)
{
    if (overlaps(eval, node, a, b) == TRI_TRUE || meets(eval, node, a, b) == TRI_TRUE)
        return true;
    CqlValue reach;
    if (per.kind != CQL_QUANTITY || !add_quantity(eval, a.end, per.ptr, &reach))
        return false;
    return tri_at_most(eval, node, b.start, reach) == TRI_TRUE;
}

OP(op_collapse)
{
    ValueVec items = {0};
    ValueVec result = {0};
    if (args[0].kind != CQL_LIST)
        return value_null();
    for (uint32_t i = 0; i < args[0].count; i++) {
        CqlValue item = value_items(args[0])[i];
        if (item.kind != CQL_NULL)
            VEC_PUSH(eval->context.arena, &items, item);
    }
    sort_intervals(eval, &items);
    CqlValue per = node->count > 1 ? args[1] : value_null();
    for (size_t i = 0; i < items.count; i++) {
        Span next = span_of(eval, items.items[i]);
        CqlValue *last = result.count > 0 ? &result.items[result.count - 1] : NULL;
        Span before = last != NULL ? span_of(eval, *last) : next;
        if (last == NULL || !joins(eval, node, before, next, per)) {
            VEC_PUSH(eval->context.arena, &result, items.items[i]);
        } else if (is_less(eval, before.end, next.end)) {
            *last = make_closed(eval, before.start, next.end, point_of(items.items[i]));
        }
    }
    return value_from_vec(&result);
}

/* The default step: one point of the type; of dates the precision of the bounds. */
static CqlQuantityBody default_per(CqlValue start)
{
    CqlQuantityBody per = {.value = {.units = DECIMAL_ONE}, .unit = S("1")};
    if (start.kind >= CQL_DATE && start.kind <= CQL_TIME) {
        per.unit = calendar_unit(start.moment.precision);
        per.is_calendar = true;
    } else if (start.kind == CQL_DECIMAL || start.kind == CQL_QUANTITY) {
        Decimal value =
            start.kind == CQL_DECIMAL ? value_decimal_units(start) : value_quantity(start)->value;
        int places = decimal_places(value);
        for (int i = 0; i < places; i++)
            per.value.units /= 10;
        if (start.kind == CQL_QUANTITY)
            per.unit = value_quantity(start)->unit;
    }
    return per;
}

/* The smallest step that can be written with the digits of `per`: 1 for 5, 0.01 for 0.25. */
static Decimal grain_of(const CqlQuantityBody *per)
{
    Decimal grain = {.units = DECIMAL_ONE};
    for (int i = decimal_places(per->value); i > 0; i--)
        grain.units /= 10;
    return grain;
}

/* The point before `next` in the grain of `per`. */
static bool before_next(CqlEval *eval, CqlValue next, const CqlQuantityBody *per,
                        CqlValue *ret_last)
{
    if (next.kind != CQL_DECIMAL && next.kind != CQL_QUANTITY)
        return value_step(&eval->context, next, -1, ret_last);
    CqlQuantityBody back = *per;
    back.value.units = -grain_of(per).units;
    return add_quantity(eval, next, &back, ret_last);
}

/* Bounds are cut to the precision of `per`: expand per day of hours gives days. */
static CqlValue cut_to(Arena *arena, CqlValue point, const CqlQuantityBody *per)
{
    uint8_t precision = ucum_time_precision(per->unit);
    if (point.kind == CQL_DECIMAL) {
        Decimal value = value_decimal_units(point);
        value.units -= value.units % grain_of(per).units;
        return value_decimal(arena, value);
    }
    if (point.kind == CQL_QUANTITY) {
        const CqlQuantityBody *body = point.ptr;
        Decimal value = {.units = body->value.units - body->value.units % grain_of(per).units};
        return value_make_quantity(arena, value, body->unit, body->is_calendar);
    }
    if (point.kind < CQL_DATE || point.kind > CQL_TIME || precision == 0)
        return point;
    if (precision == PRECISION_MILLISECOND + 1)
        precision = PRECISION_DAY;
    if (point.moment.precision > precision) {
        Moment *moment = &point.moment;
        moment->millisecond = 0;
        moment->second = precision < PRECISION_SECOND ? 0 : moment->second;
        moment->minute = precision < PRECISION_MINUTE ? 0 : moment->minute;
        moment->hour = precision < PRECISION_HOUR ? 0 : moment->hour;
        moment->day = precision < PRECISION_DAY ? 1 : moment->day;
        moment->month = precision < PRECISION_MONTH ? 1 : moment->month;
        moment->precision = precision;
    }
    return point;
}

/* Whether the point has no next one and `per` is a single step: then it is an item of its own. */
static bool is_last_of_all(const CqlEval *eval, CqlValue at, const CqlQuantityBody *per)
{
    CqlValue next;
    bool is_moment = at.kind >= CQL_DATE && at.kind <= CQL_TIME;
    bool is_step = is_moment ? ucum_time_precision(per->unit) == at.moment.precision
                             : at.kind == CQL_INTEGER || at.kind == CQL_LONG;
    return is_step && per->value.units == DECIMAL_ONE && !value_step(&eval->context, at, 1, &next);
}

/* Adds the points of one interval (or the intervals between them); false when it cannot be. */
static bool expand_one(CqlEval *eval, const CqlNode *node, CqlValue interval, CqlValue per_value,
                       bool as_points, ValueVec *result)
{
    Span span = span_of(eval, interval);
    if (span.start.kind == CQL_NULL || span.end.kind == CQL_NULL)
        return false;
    CqlQuantityBody per =
        per_value.kind == CQL_QUANTITY ? *value_quantity(per_value) : default_per(span.start);
    if (per.value.units <= 0)
        return false;
    bool is_moment = span.start.kind >= CQL_DATE && span.start.kind <= CQL_TIME;
    if (is_moment != (ucum_time_precision(per.unit) != 0 && span.start.kind != CQL_QUANTITY))
        return false;
    uint8_t precision = is_moment ? ucum_time_precision(per.unit) : 0;
    if (is_moment && precision <= PRECISION_MILLISECOND && precision > span.start.moment.precision)
        return true;
    CqlValue at = cut_to(eval->context.arena, span.start, &per);
    CqlValue end = cut_to(eval->context.arena, span.end, &per);
    while (value_order(&eval->context, at, end, 0) <= ORDER_EQUAL) {
        CqlValue next;
        CqlValue last;
        bool more = add_quantity(eval, at, &per, &next);
        bool fits = more ? before_next(eval, next, &per, &last) &&
                               value_order(&eval->context, last, end, 0) <= ORDER_EQUAL
                         : is_last_of_all(eval, at, &per);
        if (!fits)
            break;
        if (!more)
            last = at;
        CqlValue item = as_points ? at : make_closed(eval, at, last, point_of(interval));
        VEC_PUSH(eval->context.arena, result, item);
        if (!more || eval->failed || value_order(&eval->context, at, next, 0) != ORDER_LESS)
            break;
        at = next;
        if (result->count > PLAN_LIST_MAX) {
            (void)eval_fail(eval, ERR_LIMIT, node, "expand gives more than %d", PLAN_LIST_MAX);
            return false;
        }
        if (!eval_charge(eval, node, 1))
            return false;
    }
    return true;
}

OP(op_expand)
{
    ValueVec result = {0};
    if (args[0].kind == CQL_NULL)
        return value_null();
    CqlValue per = node->count > 1 ? args[1] : value_null();
    return expand_one(eval, node, args[0], per, true, &result) ? value_from_vec(&result)
                                                               : value_null();
}

OP(op_expand_list)
{
    ValueVec result = {0};
    if (args[0].kind != CQL_LIST)
        return value_null();
    CqlValue per = node->count > 1 ? args[1] : value_null();
    for (uint32_t i = 0; i < args[0].count; i++) {
        CqlValue item = value_items(args[0])[i];
        if (item.kind != CQL_NULL && !expand_one(eval, node, item, per, false, &result))
            return value_null();
    }
    return list_distinct(eval, value_from_vec(&result));
}

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

/* A point that is known to lie between two; both alike when it is certain, both null when nothing
   is known of it. The open null bound of an interval lies between its other bound and the end of
   the type (Language Semantics, Interval Operators). */
typedef struct {
    CqlValue low;
    CqlValue high;
    bool is_range;
} Reach;

typedef struct {
    Reach start;
    Reach end;
} Extent;

static Extent extent_of(const CqlEval *eval, CqlValue value)
{
    Span span = span_of(eval, value);
    Extent extent = {.start = {.low = span.start, .high = span.start},
                     .end = {.low = span.end, .high = span.end}};
    const CqlIntervalBody *interval = value.ptr;
    if (value.kind != CQL_INTERVAL)
        return extent;
    bool starts_anywhere = interval->low.kind == CQL_NULL && !interval->low_closed;
    bool ends_anywhere = interval->high.kind == CQL_NULL && !interval->high_closed;
    if (LIKELY(!starts_anywhere && !ends_anywhere))
        return extent;
    CqlValue least = interval_extreme(&eval->context, interval, false);
    CqlValue most = interval_extreme(&eval->context, interval, true);
    if (starts_anywhere && least.kind != CQL_NULL)
        extent.start =
            (Reach){.low = least, .high = ends_anywhere ? most : span.end, .is_range = true};
    if (ends_anywhere && most.kind != CQL_NULL)
        extent.end =
            (Reach){.low = starts_anywhere ? least : span.start, .high = most, .is_range = true};
    return extent;
}

static Tri tri_less(const CqlEval *eval, const CqlNode *node, Reach a, Reach b)
{
    Order order = value_order(&eval->context, a.high, b.low, node->precision);
    if (order == ORDER_LESS)
        return TRI_TRUE;
    if (a.is_range || b.is_range)
        order = value_order(&eval->context, a.low, b.high, node->precision);
    return order == ORDER_EQUAL || order == ORDER_GREATER ? TRI_FALSE : TRI_NULL;
}

static Tri tri_at_most(const CqlEval *eval, const CqlNode *node, Reach a, Reach b)
{
    return tri_not(tri_less(eval, node, b, a));
}

static Tri tri_same(const CqlEval *eval, const CqlNode *node, Reach a, Reach b)
{
    if (!a.is_range && !b.is_range) {
        Order order = value_order(&eval->context, a.low, b.low, node->precision);
        return order == ORDER_UNKNOWN ? TRI_NULL : order == ORDER_EQUAL ? TRI_TRUE : TRI_FALSE;
    }
    bool apart = tri_less(eval, node, a, b) == TRI_TRUE || tri_less(eval, node, b, a) == TRI_TRUE;
    return apart ? TRI_FALSE : TRI_NULL;
}

#define EXTENTS                                                                                    \
    Extent a = extent_of(eval, args[0]);                                                           \
    Extent b = extent_of(eval, args[1])

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
        if (!quantity_convert(&eval->context, high->value, high->unit, low->unit, &result))
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
    Extent extent = extent_of(eval, interval);
    Reach at = {.low = point, .high = point};
    return tri_and(tri_at_most(eval, node, extent.start, at),
                   tri_at_most(eval, node, at, extent.end));
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
    Extent extent = extent_of(eval, args[1]);
    Reach at = {.low = args[0], .high = args[0]};
    return value_tri(
        tri_and(tri_less(eval, node, extent.start, at), tri_less(eval, node, at, extent.end)));
}

OP(op_properly_contains_interval)
{
    CqlValue turned[2] = {args[1], args[0]};
    return op_properly_in_interval(eval, node, turned);
}

static Tri includes(const CqlEval *eval, const CqlNode *node, Extent a, Extent b)
{
    return tri_and(tri_at_most(eval, node, a.start, b.start),
                   tri_at_most(eval, node, b.end, a.end));
}

OP(op_includes_interval)
{
    EXTENTS;
    return value_tri(includes(eval, node, a, b));
}

OP(op_included_in_interval)
{
    EXTENTS;
    return value_tri(includes(eval, node, b, a));
}

static Tri properly_includes(const CqlEval *eval, const CqlNode *node, Extent a, Extent b)
{
    Tri wider = tri_or(tri_less(eval, node, a.start, b.start), tri_less(eval, node, b.end, a.end));
    return tri_and(includes(eval, node, a, b), wider);
}

OP(op_properly_includes_interval)
{
    EXTENTS;
    return value_tri(properly_includes(eval, node, a, b));
}

OP(op_properly_included_in_interval)
{
    EXTENTS;
    return value_tri(properly_includes(eval, node, b, a));
}

/* --- before and after --- */

OP(op_before_interval)
{
    EXTENTS;
    return value_tri(tri_less(eval, node, a.end, b.start));
}

OP(op_after_interval)
{
    EXTENTS;
    return value_tri(tri_less(eval, node, b.end, a.start));
}

OP(op_same_or_before_interval)
{
    EXTENTS;
    return value_tri(tri_at_most(eval, node, a.end, b.start));
}

OP(op_same_or_after_interval)
{
    EXTENTS;
    return value_tri(tri_at_most(eval, node, b.end, a.start));
}

OP(op_same_as_interval)
{
    EXTENTS;
    return value_tri(
        tri_and(tri_same(eval, node, a.start, b.start), tri_same(eval, node, a.end, b.end)));
}

static Tri overlaps(const CqlEval *eval, const CqlNode *node, Extent a, Extent b)
{
    return tri_and(tri_at_most(eval, node, a.start, b.end),
                   tri_at_most(eval, node, b.start, a.end));
}

OP(op_overlaps)
{
    EXTENTS;
    return value_tri(overlaps(eval, node, a, b));
}

OP(op_overlaps_before)
{
    EXTENTS;
    return value_tri(tri_and(tri_less(eval, node, a.start, b.start), overlaps(eval, node, a, b)));
}

OP(op_overlaps_after)
{
    EXTENTS;
    return value_tri(tri_and(tri_less(eval, node, b.end, a.end), overlaps(eval, node, a, b)));
}

OP(op_starts)
{
    EXTENTS;
    return value_tri(
        tri_and(tri_same(eval, node, a.start, b.start), tri_at_most(eval, node, a.end, b.end)));
}

OP(op_ends)
{
    EXTENTS;
    return value_tri(
        tri_and(tri_same(eval, node, a.end, b.end), tri_at_most(eval, node, b.start, a.start)));
}

/* a ends one step before b starts. */
static Tri meets(const CqlEval *eval, const CqlNode *node, Extent a, Extent b)
{
    if (tri_less(eval, node, b.end, a.start) == TRI_TRUE)
        return TRI_FALSE;
    if (a.end.low.kind == CQL_NULL || b.start.low.kind == CQL_NULL)
        return TRI_NULL;
    Reach next = a.end;
    if (!value_step(&eval->context, a.end.low, 1, &next.low))
        return TRI_FALSE;
    if (!a.end.is_range)
        next.high = next.low;
    else if (!value_step(&eval->context, a.end.high, 1, &next.high))
        next.high = a.end.high;
    return tri_same(eval, node, next, b.start);
}

OP(op_meets_before)
{
    EXTENTS;
    return value_tri(meets(eval, node, a, b));
}

OP(op_meets_after)
{
    EXTENTS;
    return value_tri(meets(eval, node, b, a));
}

OP(op_meets)
{
    EXTENTS;
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

/* The lesser or the greater of two points; null where an uncertain one may be either. */
static CqlValue pick(const CqlEval *eval, Reach a, Reach b, bool wants_less)
{
    static const CqlNode plain = {.precision = 0};
    bool first = tri_less(eval, &plain, a, b) == TRI_TRUE;
    bool second = tri_less(eval, &plain, b, a) == TRI_TRUE;
    if (!first && !second && (a.is_range || b.is_range))
        return value_null();
    bool takes_b = wants_less ? second : first;
    Reach taken = takes_b ? b : a;
    return taken.is_range ? value_null() : taken.low;
}

OP(op_union_interval)
{
    EXTENTS;
    Tri joined = tri_or(overlaps(eval, node, a, b),
                        tri_or(meets(eval, node, a, b), meets(eval, node, b, a)));
    if (joined != TRI_TRUE)
        return value_null();
    return make_closed(eval, pick(eval, a.start, b.start, true), pick(eval, a.end, b.end, false),
                       point_of(args[0]));
}

OP(op_intersect_interval)
{
    EXTENTS;
    if (overlaps(eval, node, a, b) == TRI_FALSE)
        return value_null();
    return make_closed(eval, pick(eval, a.start, b.start, false), pick(eval, a.end, b.end, true),
                       point_of(args[0]));
}

OP(op_except_interval)
{
    EXTENTS;
    Tri apart = tri_not(overlaps(eval, node, a, b));
    if (apart == TRI_TRUE)
        return args[0];
    Tri sticks_out_left = tri_less(eval, node, a.start, b.start);
    Tri sticks_out_right = tri_less(eval, node, b.end, a.end);
    CqlValue edge;
    /* Two parts are no interval, and what is unknown may leave two. */
    bool is_open = sticks_out_left == TRI_NULL || sticks_out_right == TRI_NULL;
    if (apart == TRI_NULL || is_open || sticks_out_left == sticks_out_right)
        return value_null();
    Span span = span_of(eval, args[0]);
    Span other = span_of(eval, args[1]);
    if (sticks_out_left == TRI_TRUE)
        return value_step(&eval->context, other.start, -1, &edge)
                   ? make_closed(eval, span.start, edge, point_of(args[0]))
                   : value_null();
    return value_step(&eval->context, other.end, 1, &edge)
               ? make_closed(eval, edge, span.end, point_of(args[0]))
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
        if (!quantity_convert(&eval->context, per->value, per->unit, quantity->unit, &amount)) {
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
static bool joins(CqlEval *eval, const CqlNode *node, CqlValue first, CqlValue second, CqlValue per)
{
    Extent a = extent_of(eval, first);
    Extent b = extent_of(eval, second);
    if (overlaps(eval, node, a, b) == TRI_TRUE || meets(eval, node, a, b) == TRI_TRUE)
        return true;
    Reach reach = {.is_range = false};
    if (per.kind != CQL_QUANTITY || !add_quantity(eval, a.end.low, per.ptr, &reach.low))
        return false;
    reach.high = reach.low;
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
        if (last == NULL || !joins(eval, node, *last, items.items[i], per)) {
            VEC_PUSH(eval->context.arena, &result, items.items[i]);
        } else if (is_less(eval, before.end, next.end)) {
            *last = make_closed(eval, before.start, next.end, point_of(items.items[i]));
        }
    }
    return value_from_vec(&result);
}

/* How fine a bound is: the precision of a date, the digits behind the point of a number, those that
   were written where it is a literal. */
static int fineness(CqlValue point)
{
    if (point.kind >= CQL_DATE && point.kind <= CQL_TIME)
        return point.moment.precision;
    if (point.kind == CQL_DECIMAL && point.aux != UINT16_MAX)
        return point.aux;
    if (point.kind == CQL_DECIMAL)
        return decimal_places(value_decimal_units(point));
    return point.kind == CQL_QUANTITY ? decimal_places(value_quantity(point)->value) : 0;
}

/* The step where none is given: of the coarsest of all bounds. */
static CqlQuantityBody default_per(CqlEval *eval, const CqlValue *intervals, uint32_t count)
{
    CqlQuantityBody per = {.value = {.units = DECIMAL_ONE}, .unit = S("1")};
    int coarsest = INT32_MAX;
    CqlValue sample = value_null();
    for (uint32_t i = 0; i < count; i++) {
        Span span = intervals[i].kind == CQL_INTERVAL ? span_of(eval, intervals[i]) : (Span){0};
        const CqlValue bounds[] = {span.start, span.end};
        for (size_t j = 0; j < COUNT_OF(bounds); j++) {
            if (bounds[j].kind == CQL_NULL)
                continue;
            sample = bounds[j];
            coarsest = fineness(sample) < coarsest ? fineness(sample) : coarsest;
        }
    }
    if (sample.kind >= CQL_DATE && sample.kind <= CQL_TIME) {
        per.unit = calendar_unit((uint8_t)coarsest);
        per.is_calendar = true;
    } else if (sample.kind == CQL_DECIMAL || sample.kind == CQL_QUANTITY) {
        for (int i = 0; i < coarsest; i++)
            per.value.units /= 10;
        if (sample.kind == CQL_QUANTITY)
            per.unit = value_quantity(sample)->unit;
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
    uint8_t precision = quantity_precision(per->unit);
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
    bool is_step = is_moment ? quantity_precision(per->unit) == at.moment.precision
                             : at.kind == CQL_INTEGER || at.kind == CQL_LONG;
    return is_step && per->value.units == DECIMAL_ONE && !value_step(&eval->context, at, 1, &next);
}

/* Whole numbers in steps of less than one are Decimals, to the last step before the next whole
   number: per 0.1, 10 is 10.0 to 10.9. */
static Span refined(CqlEval *eval, Span span, const CqlQuantityBody *per)
{
    if (span.start.kind != CQL_INTEGER && span.start.kind != CQL_LONG)
        return span;
    Decimal end = decimal_from_int(span.end.integer);
    end.units += DECIMAL_ONE - grain_of(per).units;
    return (Span){.start = value_decimal(eval->context.arena, decimal_from_int(span.start.integer)),
                  .end = value_decimal(eval->context.arena, end)};
}

/* Adds the points of one interval (or the intervals between them); false when it cannot be. */
static bool expand_one(CqlEval *eval, const CqlNode *node, CqlValue interval, CqlQuantityBody per,
                       bool as_points, ValueVec *result)
{
    Span span = span_of(eval, interval);
    if (per.value.units <= 0)
        return false;
    /* An open bound that is unknown contributes nothing. */
    if (span.start.kind == CQL_NULL || span.end.kind == CQL_NULL)
        return true;
    if (per.value.units % DECIMAL_ONE != 0)
        span = refined(eval, span, &per);
    bool is_moment = span.start.kind >= CQL_DATE && span.start.kind <= CQL_TIME;
    if (is_moment != (quantity_precision(per.unit) != 0 && span.start.kind != CQL_QUANTITY))
        return false;
    uint8_t precision = is_moment ? quantity_precision(per.unit) : 0;
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

/* The step that is given, or that of the intervals themselves. */
static CqlQuantityBody per_of(CqlEval *eval, const CqlNode *node, const CqlValue *args,
                              const CqlValue *intervals, uint32_t count)
{
    if (node->count > 1 && args[1].kind == CQL_QUANTITY)
        return *value_quantity(args[1]);
    return default_per(eval, intervals, count);
}

OP(op_expand)
{
    ValueVec result = {0};
    if (args[0].kind == CQL_NULL)
        return value_null();
    CqlQuantityBody per = per_of(eval, node, args, args, 1);
    return expand_one(eval, node, args[0], per, true, &result) ? value_from_vec(&result)
                                                               : value_null();
}

OP(op_expand_list)
{
    ValueVec result = {0};
    if (args[0].kind != CQL_LIST)
        return value_null();
    CqlQuantityBody per = per_of(eval, node, args, value_items(args[0]), args[0].count);
    for (uint32_t i = 0; i < args[0].count; i++) {
        CqlValue item = value_items(args[0])[i];
        if (item.kind != CQL_NULL && !expand_one(eval, node, item, per, false, &result))
            return value_null();
    }
    return list_distinct(eval, value_from_vec(&result));
}

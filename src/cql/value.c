#include "cql/value.h"
#include "cql/casing.h"

/* --- making --- */

int decimal_places(Decimal value)
{
    int places = DECIMAL_PLACES;
    __int128 units = value.units;
    while (places > 0 && units % 10 == 0) {
        units /= 10;
        places--;
    }
    return places;
}

CqlValue value_decimal_scaled(Arena *arena, Decimal decimal, uint16_t places)
{
    CqlValue value = {.kind = CQL_DECIMAL, .aux = places};
    if (decimal.units >= INT64_MIN && decimal.units <= INT64_MAX) {
        value.integer = (int64_t)decimal.units;
    } else {
        value.flag = VALUE_BOXED;
        value.ptr = arena_copy(arena, &decimal, sizeof(decimal));
    }
    return value;
}

CqlValue value_decimal(Arena *arena, Decimal decimal)
{
    return value_decimal_scaled(arena, decimal, UINT16_MAX);
}

CqlValue value_make_quantity(Arena *arena, Decimal value, Str unit, bool is_calendar)
{
    CqlQuantityBody *body = ARENA_NEW(arena, CqlQuantityBody);
    *body = (CqlQuantityBody){.value = value, .unit = unit, .is_calendar = is_calendar};
    return value_pointer(CQL_QUANTITY, body);
}

CqlValue value_make_interval(Arena *arena, const CqlIntervalBody *interval)
{
    return value_pointer(CQL_INTERVAL, arena_copy(arena, interval, sizeof(*interval)));
}

CqlValue value_make_code(Arena *arena, Str system, Str code)
{
    CqlCodeBody *body = ARENA_NEW(arena, CqlCodeBody);
    *body = (CqlCodeBody){
        .system = system, .code = code, .has_system = system.len > 0, .has_code = true};
    return value_pointer(CQL_CODE, body);
}

typedef struct {
    int64_t low;
    int64_t high;
} Uncertainty;

CqlValue value_uncertain(Arena *arena, int64_t low, int64_t high)
{
    if (low == high)
        return value_integer(low);
    Uncertainty body = {.low = low, .high = high};
    return value_pointer(CQL_UNCERTAINTY, arena_copy(arena, &body, sizeof(body)));
}

void value_uncertainty(CqlValue value, int64_t *ret_low, int64_t *ret_high)
{
    if (value.kind == CQL_UNCERTAINTY) {
        const Uncertainty *body = value.ptr;
        *ret_low = body->low;
        *ret_high = body->high;
    } else {
        *ret_low = *ret_high = value.integer;
    }
}

Decimal value_number(CqlValue value)
{
    if (value.kind == CQL_DECIMAL)
        return value_decimal_units(value);
    return decimal_from_int(value.integer);
}

/* --- dates --- */

Moment moment_at_offset(Moment moment, int16_t offset_minutes, int16_t default_offset)
{
    int16_t from = moment.offset_minutes == OFFSET_NONE ? default_offset : moment.offset_minutes;
    Moment result = moment;
    result.offset_minutes = offset_minutes;
    if (from == offset_minutes || moment.precision < PRECISION_HOUR)
        return result;
    int32_t minutes = moment.hour * 60 + moment.minute - from + offset_minutes;
    int32_t days = minutes >= 0 ? minutes / 1440 : -((1439 - minutes) / 1440);
    int32_t day = day_from_date(moment.year, moment.month, moment.day) + days;
    minutes -= days * 1440;
    if (day < DAY_FIRST || day > DAY_LAST)
        return moment;
    int32_t year;
    int32_t month;
    int32_t of_month;
    day_to_date(day, &year, &month, &of_month);
    result.year = (int16_t)year;
    result.month = (uint8_t)month;
    result.day = (uint8_t)of_month;
    result.hour = (uint8_t)(minutes / 60);
    result.minute = (uint8_t)(minutes % 60);
    return result;
}

static int32_t component(const Moment *moment, int precision)
{
    switch (precision) {
    case PRECISION_YEAR:
        return moment->year;
    case PRECISION_MONTH:
        return moment->month;
    case PRECISION_DAY:
        return moment->day;
    case PRECISION_HOUR:
        return moment->hour;
    case PRECISION_MINUTE:
        return moment->minute;
    case PRECISION_SECOND:
        return moment->second;
    default:
        return moment->millisecond;
    }
}

static bool same_offset(const Moment *a, const Moment *b, int16_t default_offset)
{
    int16_t first = a->offset_minutes == OFFSET_NONE ? default_offset : a->offset_minutes;
    int16_t second = b->offset_minutes == OFFSET_NONE ? default_offset : b->offset_minutes;
    return first == second;
}

Order moment_order(const ValueContext *context, CqlValue a, CqlValue b, uint8_t precision)
{
    Moment left = a.moment;
    Moment right = b.moment;
    /* Days and longer are compared as they stand, each in its own offset (Appendix B, Same As). */
    bool has_clock = precision == 0 || precision >= PRECISION_HOUR;
    if (a.kind == CQL_DATETIME && has_clock &&
        !same_offset(&left, &right, context->offset_minutes)) {
        left = moment_at_offset(left, context->offset_minutes, context->offset_minutes);
        right = moment_at_offset(right, context->offset_minutes, context->offset_minutes);
    }
    int from = a.kind == CQL_TIME ? PRECISION_HOUR : PRECISION_YEAR;
    int to = precision == 0 ? PRECISION_MILLISECOND : precision;
    for (int at = from; at <= to; at++) {
        bool has_left = at <= left.precision;
        bool has_right = at <= right.precision;
        if (!has_left && !has_right)
            return precision == 0 ? ORDER_EQUAL : ORDER_UNKNOWN;
        if (!has_left || !has_right)
            return ORDER_UNKNOWN;
        int32_t x = component(&left, at);
        int32_t y = component(&right, at);
        if (x != y)
            return x < y ? ORDER_LESS : ORDER_GREATER;
    }
    return ORDER_EQUAL;
}

/* --- order --- */

static Order order_of(int sign)
{
    return sign < 0 ? ORDER_LESS : sign > 0 ? ORDER_GREATER : ORDER_EQUAL;
}

static Order integer_order(CqlValue a, CqlValue b)
{
    int64_t a_low;
    int64_t a_high;
    int64_t b_low;
    int64_t b_high;
    value_uncertainty(a, &a_low, &a_high);
    value_uncertainty(b, &b_low, &b_high);
    if (a_high < b_low)
        return ORDER_LESS;
    if (a_low > b_high)
        return ORDER_GREATER;
    return a_low == a_high && b_low == b_high ? ORDER_EQUAL : ORDER_UNKNOWN;
}

static bool is_number(CqlValue value)
{
    return value.kind == CQL_INTEGER || value.kind == CQL_LONG || value.kind == CQL_DECIMAL;
}

Order value_order(const ValueContext *context, CqlValue a, CqlValue b, uint8_t precision)
{
    if (a.kind == CQL_UNCERTAINTY || b.kind == CQL_UNCERTAINTY)
        return a.kind == CQL_NULL || b.kind == CQL_NULL ? ORDER_UNKNOWN : integer_order(a, b);
    if (a.kind != b.kind)
        return is_number(a) && is_number(b)
                   ? order_of(decimal_cmp(value_number(a), value_number(b)))
                   : ORDER_UNKNOWN;
    switch (a.kind) {
    case CQL_BOOLEAN:
    case CQL_INTEGER:
    case CQL_LONG:
        return order_of((a.integer > b.integer) - (a.integer < b.integer));
    case CQL_DECIMAL:
        return order_of(decimal_cmp(value_decimal_units(a), value_decimal_units(b)));
    case CQL_STRING:
        return order_of(str_cmp(value_text(a), value_text(b)));
    case CQL_DATE:
    case CQL_DATETIME:
    case CQL_TIME:
        return moment_order(context, a, b, precision);
    case CQL_QUANTITY:
        return quantity_order(context, value_quantity(a), value_quantity(b), false);
    default:
        return ORDER_UNKNOWN;
    }
}

int value_sort_order(const ValueContext *context, CqlValue a, CqlValue b)
{
    if (a.kind == CQL_NULL || b.kind == CQL_NULL)
        return (a.kind != CQL_NULL) - (b.kind != CQL_NULL);
    bool moments = a.kind == b.kind && a.kind >= CQL_DATE && a.kind <= CQL_TIME;
    Order order = value_order(context, a, b, 0);
    if (order == ORDER_UNKNOWN && moments) {
        /* The less precise comes first: a day before its hours. */
        return (a.moment.precision > b.moment.precision) -
               (a.moment.precision < b.moment.precision);
    }
    return order == ORDER_UNKNOWN ? 0 : (int)order;
}

/* --- equality --- */

static Tri tri_of_order(Order order)
{
    return order == ORDER_UNKNOWN ? TRI_NULL : order == ORDER_EQUAL ? TRI_TRUE : TRI_FALSE;
}

static Tri text_equal(Str a, bool has_a, Str b, bool has_b)
{
    if (!has_a && !has_b)
        return TRI_TRUE;
    if (!has_a || !has_b)
        return TRI_NULL;
    return str_eq(a, b) ? TRI_TRUE : TRI_FALSE;
}

static Tri code_equal(const CqlCodeBody *a, const CqlCodeBody *b)
{
    Tri tri = text_equal(a->code, a->has_code, b->code, b->has_code);
    tri = tri_and(tri, text_equal(a->system, a->has_system, b->system, b->has_system));
    tri = tri_and(tri, text_equal(a->version, a->has_version, b->version, b->has_version));
    return tri_and(tri, text_equal(a->display, a->has_display, b->display, b->has_display));
}

static Tri concept_equal(const CqlConceptBody *a, const CqlConceptBody *b)
{
    if (a->count != b->count)
        return TRI_FALSE;
    Tri tri = text_equal(a->display, a->has_display, b->display, b->has_display);
    for (size_t i = 0; i < a->count; i++)
        tri = tri_and(tri, code_equal(&a->codes[i], &b->codes[i]));
    return tri;
}

/* Items in pairs: two nulls at one place are equal, one null leaves the answer open. */
static Tri items_equal(const ValueContext *context, const CqlValue *a, const CqlValue *b,
                       size_t count)
{
    Tri tri = TRI_TRUE;
    for (size_t i = 0; i < count && tri != TRI_FALSE; i++) {
        if (a[i].kind != CQL_NULL || b[i].kind != CQL_NULL)
            tri = tri_and(tri, value_equal(context, a[i], b[i]));
    }
    return tri;
}

static Tri tuple_equal(const ValueContext *context, const CqlTupleBody *a, const CqlTupleBody *b)
{
    if (a->type->count != b->type->count)
        return TRI_FALSE;
    for (size_t i = 0; i < a->type->count; i++) {
        if (!str_eq(a->type->names[i], b->type->names[i]))
            return TRI_FALSE;
    }
    /* Element by element: the first that differs or is unknown decides. */
    for (size_t i = 0; i < a->type->count; i++) {
        Tri tri = items_equal(context, &a->values[i], &b->values[i], 1);
        if (tri != TRI_TRUE)
            return tri;
    }
    return TRI_TRUE;
}

static Tri interval_equal(const ValueContext *context, const CqlIntervalBody *a,
                          const CqlIntervalBody *b)
{
    Tri start = value_equal(context, interval_start(context, a), interval_start(context, b));
    Tri end = value_equal(context, interval_end(context, a), interval_end(context, b));
    return tri_and(start, end);
}

static Tri ratio_equal(const ValueContext *context, const CqlRatioBody *a, const CqlRatioBody *b)
{
    Tri tri = tri_of_order(quantity_order(context, &a->numerator, &b->numerator, false));
    return tri_and(tri,
                   tri_of_order(quantity_order(context, &a->denominator, &b->denominator, false)));
}

static Tri vocabulary_equal(const CqlVocabularyBody *a, const CqlVocabularyBody *b)
{
    return str_eq(a->id, b->id) && str_eq(a->version, b->version) ? TRI_TRUE : TRI_FALSE;
}

Tri value_equal(const ValueContext *context, CqlValue a, CqlValue b)
{
    if (a.kind == CQL_NULL || b.kind == CQL_NULL)
        return TRI_NULL;
    if (a.kind != b.kind && instance_make_plain(context->arena, &a, &b))
        return value_equal(context, a, b);
    bool has_order = a.kind != b.kind || a.kind <= CQL_QUANTITY || a.kind == CQL_UNCERTAINTY;
    if (has_order) {
        bool comparable = a.kind == b.kind || (is_number(a) && is_number(b)) ||
                          a.kind == CQL_UNCERTAINTY || b.kind == CQL_UNCERTAINTY;
        return comparable ? tri_of_order(value_order(context, a, b, 0)) : TRI_FALSE;
    }
    switch (a.kind) {
    case CQL_RATIO:
        return ratio_equal(context, a.ptr, b.ptr);
    case CQL_CODE:
        return code_equal(a.ptr, b.ptr);
    case CQL_CONCEPT:
        return concept_equal(a.ptr, b.ptr);
    case CQL_INTERVAL:
        return interval_equal(context, a.ptr, b.ptr);
    case CQL_LIST:
        if (a.count != b.count)
            return TRI_FALSE;
        return items_equal(context, a.ptr, b.ptr, a.count);
    case CQL_TUPLE:
        return tuple_equal(context, a.ptr, b.ptr);
    case CQL_FHIR:
        return fhir_equal(value_node(a), value_node(b)) ? TRI_TRUE : TRI_FALSE;
    case CQL_INSTANCE:
        return instance_equal(context, a.ptr, b.ptr);
    default:
        return vocabulary_equal(a.ptr, b.ptr);
    }
}

/* --- equivalence --- */

bool code_equivalent(const CqlCodeBody *a, const CqlCodeBody *b)
{
    return a->has_code == b->has_code && str_eq(a->code, b->code) && str_eq(a->system, b->system);
}

static bool concept_equivalent(const CqlConceptBody *a, const CqlConceptBody *b)
{
    for (size_t i = 0; i < a->count; i++) {
        for (size_t j = 0; j < b->count; j++) {
            if (code_equivalent(&a->codes[i], &b->codes[j]))
                return true;
        }
    }
    return false;
}

/* A character as ~ compares it: without case, all white space alike. */
static uint32_t folded(Str text, size_t *at)
{
    uint32_t point = casing_next(text, at);
    return point == '\t' || point == '\n' || point == '\r' ? ' ' : casing_lower(point);
}

static bool text_equivalent(Str a, Str b)
{
    size_t i = 0;
    size_t j = 0;
    while (i < a.len && j < b.len) {
        if (folded(a, &i) != folded(b, &j))
            return false;
    }
    return i == a.len && j == b.len;
}

/* Decimals are compared at the precision of the less precise, trailing zeros not counted. */
static bool number_equivalent(CqlValue a, CqlValue b)
{
    Decimal x = value_number(a);
    Decimal y = value_number(b);
    int places = decimal_places(x) < decimal_places(y) ? decimal_places(x) : decimal_places(y);
    bool ok = decimal_round(x, places, ROUNDING_HALF_AWAY, &x) &&
              decimal_round(y, places, ROUNDING_HALF_AWAY, &y);
    return ok && decimal_cmp(x, y) == 0;
}

static bool items_equivalent(const ValueContext *context, const CqlValue *a, const CqlValue *b,
                             size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!value_equivalent(context, a[i], b[i]))
            return false;
    }
    return true;
}

static bool ratio_equivalent(const CqlRatioBody *a, const CqlRatioBody *b)
{
    Decimal left;
    Decimal right;
    bool ok =
        decimal_multiply(a->numerator.value, b->denominator.value, ROUNDING_HALF_AWAY, &left) &&
        decimal_multiply(b->numerator.value, a->denominator.value, ROUNDING_HALF_AWAY, &right);
    return ok && decimal_cmp(left, right) == 0 && str_eq(a->numerator.unit, b->numerator.unit) &&
           str_eq(a->denominator.unit, b->denominator.unit);
}

static bool interval_equivalent(const ValueContext *context, const CqlIntervalBody *a,
                                const CqlIntervalBody *b)
{
    return value_equivalent(context, interval_start(context, a), interval_start(context, b)) &&
           value_equivalent(context, interval_end(context, a), interval_end(context, b));
}

static bool mixed_equivalent(CqlValue a, CqlValue b)
{
    if (is_number(a) && is_number(b))
        return number_equivalent(a, b);
    if (a.kind == CQL_CONCEPT && b.kind == CQL_CODE) {
        CqlConceptBody one = {.codes = b.ptr, .count = 1};
        return concept_equivalent(a.ptr, &one);
    }
    return a.kind == CQL_CODE && b.kind == CQL_CONCEPT && mixed_equivalent(b, a);
}

bool value_equivalent(const ValueContext *context, CqlValue a, CqlValue b)
{
    if (a.kind == CQL_NULL || b.kind == CQL_NULL)
        return a.kind == b.kind;
    if (a.kind != b.kind && instance_make_plain(context->arena, &a, &b))
        return value_equivalent(context, a, b);
    if (a.kind != b.kind)
        return mixed_equivalent(a, b);
    const CqlTupleBody *left = a.ptr;
    const CqlTupleBody *right = b.ptr;
    switch (a.kind) {
    case CQL_DECIMAL:
        return number_equivalent(a, b);
    case CQL_STRING:
        return text_equivalent(value_text(a), value_text(b));
    case CQL_QUANTITY:
        return quantity_order(context, a.ptr, b.ptr, true) == ORDER_EQUAL;
    case CQL_RATIO:
        return ratio_equivalent(a.ptr, b.ptr);
    case CQL_CODE:
        return code_equivalent(a.ptr, b.ptr);
    case CQL_CONCEPT:
        return concept_equivalent(a.ptr, b.ptr);
    case CQL_INTERVAL:
        return interval_equivalent(context, a.ptr, b.ptr);
    case CQL_LIST:
        return a.count == b.count && items_equivalent(context, a.ptr, b.ptr, a.count);
    case CQL_TUPLE:
        return left->type->count == right->type->count &&
               items_equivalent(context, left->values, right->values, left->type->count);
    case CQL_INSTANCE:
        return instance_equivalent(context, a.ptr, b.ptr);
    default:
        return value_equal(context, a, b) == TRI_TRUE;
    }
}

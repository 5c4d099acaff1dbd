/*
 * Steps (successor, predecessor) and extremes of the types that have them, and the first and last
 * point of an interval, which are worked out with both.
 */
#include "cql/value.h"

/* 10^20 - 10^-8: what `maximum Decimal` is in the public suite. */
static Decimal decimal_extreme(bool is_maximum)
{
    __int128 units = (__int128)10000000000 * 10000000000 * DECIMAL_ONE - 1;
    return (Decimal){.units = is_maximum ? units : -units};
}

CqlValue value_extreme(Arena *arena, const CqlType *type, bool is_maximum)
{
    static const Moment first = {.year = 1, .month = 1, .day = 1};
    static const Moment last = {.year = 9999,
                                .month = 12,
                                .day = 31,
                                .hour = 23,
                                .minute = 59,
                                .second = 59,
                                .millisecond = 999};
    Moment moment = is_maximum ? last : first;
    moment.offset_minutes = OFFSET_NONE;
    moment.precision = PRECISION_MILLISECOND;
    switch (type->kind) {
    case TYPE_INTEGER:
        return value_integer(is_maximum ? INT32_MAX : INT32_MIN);
    case TYPE_LONG:
        return value_long(is_maximum ? INT64_MAX : INT64_MIN);
    case TYPE_DECIMAL:
        return value_decimal(arena, decimal_extreme(is_maximum));
    case TYPE_QUANTITY:
        return value_make_quantity(arena, decimal_extreme(is_maximum), S("1"), false);
    case TYPE_DATE:
        moment.precision = PRECISION_DAY;
        moment.hour = moment.minute = moment.second = 0;
        moment.millisecond = 0;
        return value_moment(CQL_DATE, moment);
    case TYPE_DATETIME:
        return value_moment(CQL_DATETIME, moment);
    case TYPE_TIME:
        moment.year = 0;
        moment.month = moment.day = 1;
        return value_moment(CQL_TIME, moment);
    default:
        return value_null();
    }
}

/* Carries one unit through the parts from the precision upwards. */
static bool step_clock(Moment *moment, int direction)
{
    int64_t scale = moment->precision == PRECISION_MILLISECOND ? 1
                    : moment->precision == PRECISION_SECOND    ? 1000
                    : moment->precision == PRECISION_MINUTE    ? 60000
                                                               : 3600000;
    int64_t ms = ((moment->hour * 60LL + moment->minute) * 60 + moment->second) * 1000 +
                 moment->millisecond + direction * scale;
    bool is_time = moment->year == 0;
    int32_t carry = ms < 0 ? -1 : ms >= 86400000 ? 1 : 0;
    if (carry != 0 && is_time)
        return false;
    ms -= carry * INT64_C(86400000);
    if (carry != 0) {
        int32_t day = day_from_date(moment->year, moment->month, moment->day) + carry;
        if (day < DAY_FIRST || day > DAY_LAST)
            return false;
        int32_t year;
        int32_t month;
        int32_t of_month;
        day_to_date(day, &year, &month, &of_month);
        moment->year = (int16_t)year;
        moment->month = (uint8_t)month;
        moment->day = (uint8_t)of_month;
    }
    moment->hour = (uint8_t)(ms / 3600000);
    moment->minute = (uint8_t)(ms / 60000 % 60);
    moment->second = (uint8_t)(ms / 1000 % 60);
    moment->millisecond = (uint16_t)(ms % 1000);
    return true;
}

static bool step_moment(Moment *moment, int direction)
{
    if (moment->precision >= PRECISION_HOUR)
        return step_clock(moment, direction);
    if (moment->precision == PRECISION_YEAR) {
        moment->year = (int16_t)(moment->year + direction);
        return moment->year >= 1 && moment->year <= 9999;
    }
    int32_t day = day_from_date(moment->year, moment->month, moment->day);
    if (moment->precision == PRECISION_DAY)
        day += direction;
    else
        day = day_add_months(day, direction);
    if (day < DAY_FIRST || day > DAY_LAST)
        return false;
    int32_t year;
    int32_t month;
    int32_t of_month;
    day_to_date(day, &year, &month, &of_month);
    moment->year = (int16_t)year;
    moment->month = (uint8_t)month;
    moment->day = (uint8_t)of_month;
    return true;
}

bool value_step(const ValueContext *context, CqlValue value, int direction, CqlValue *ret_next)
{
    Decimal step = {.units = direction};
    Decimal sum;
    const CqlQuantityBody *quantity;
    CqlValue next = value;
    switch (value.kind) {
    case CQL_INTEGER:
        next.integer += direction;
        *ret_next = next;
        return next.integer >= INT32_MIN && next.integer <= INT32_MAX;
    case CQL_LONG:
        *ret_next = next;
        return !__builtin_add_overflow(value.integer, (int64_t)direction, &ret_next->integer);
    case CQL_DECIMAL:
        sum.units = value_decimal_units(value).units + step.units;
        *ret_next = value_decimal(context->arena, sum);
        return sum.units <= decimal_extreme(true).units &&
               sum.units >= decimal_extreme(false).units;
    case CQL_QUANTITY:
        quantity = value.ptr;
        sum.units = quantity->value.units + step.units;
        *ret_next = value_make_quantity(context->arena, sum, quantity->unit, quantity->is_calendar);
        return decimal_is_in_range(sum);
    case CQL_DATE:
    case CQL_DATETIME:
    case CQL_TIME:
        *ret_next = next;
        return step_moment(&ret_next->moment, direction);
    default:
        return false;
    }
}

/* The unit of an unbounded end is that of the other one. */
CqlValue interval_extreme(const ValueContext *context, const CqlIntervalBody *interval,
                          bool is_maximum)
{
    CqlValue other = is_maximum ? interval->low : interval->high;
    if (other.kind == CQL_QUANTITY) {
        const CqlQuantityBody *body = other.ptr;
        return value_make_quantity(context->arena, decimal_extreme(is_maximum), body->unit,
                                   body->is_calendar);
    }
    return interval->point == NULL ? value_null()
                                   : value_extreme(context->arena, interval->point, is_maximum);
}

static CqlValue bound(const ValueContext *context, const CqlIntervalBody *interval, bool is_high)
{
    CqlValue value = is_high ? interval->high : interval->low;
    bool closed = is_high ? interval->high_closed : interval->low_closed;
    if (value.kind == CQL_NULL)
        return closed ? interval_extreme(context, interval, is_high) : value;
    if (closed)
        return value;
    CqlValue next;
    return value_step(context, value, is_high ? -1 : 1, &next) ? next : value_null();
}

CqlValue interval_start(const ValueContext *context, const CqlIntervalBody *interval)
{
    return bound(context, interval, false);
}

CqlValue interval_end(const ValueContext *context, const CqlIntervalBody *interval)
{
    return bound(context, interval, true);
}

/*
 * Dates and times: constructors, components, arithmetic, durations and differences, and the
 * comparisons with a precision (`same day as`, `before month of`).
 */
#include "cql/operator.h"

#define OP(name)                                                                                   \
    CqlValue name(UNUSED CqlEval *eval, UNUSED const CqlNode *node, UNUSED const CqlValue *args)

enum { WEEK = PRECISION_MILLISECOND + 1 };

/* --- constructors --- */

static bool set_part(Moment *moment, int precision, int64_t value)
{
    static const int16_t least[] = {0, 1, 1, 1, 0, 0, 0, 0};
    static const int16_t most[] = {0, 9999, 12, 31, 23, 59, 59, 999};
    if (value < least[precision] || value > most[precision])
        return false;
    switch (precision) {
    case PRECISION_YEAR:
        moment->year = (int16_t)value;
        break;
    case PRECISION_MONTH:
        moment->month = (uint8_t)value;
        break;
    case PRECISION_DAY:
        moment->day = (uint8_t)value;
        break;
    case PRECISION_HOUR:
        moment->hour = (uint8_t)value;
        break;
    case PRECISION_MINUTE:
        moment->minute = (uint8_t)value;
        break;
    case PRECISION_SECOND:
        moment->second = (uint8_t)value;
        break;
    default:
        moment->millisecond = (uint16_t)value;
    }
    moment->precision = (uint8_t)precision;
    return true;
}

/* Parts from the coarsest; the first null ends them. */
static CqlValue make(CqlEval *eval, const CqlNode *node, const CqlValue *args, CqlKind kind)
{
    int first = kind == CQL_TIME ? PRECISION_HOUR : PRECISION_YEAR;
    Moment moment = {.month = 1, .day = 1, .offset_minutes = OFFSET_NONE};
    bool ended = false;
    for (uint32_t i = 0; i < node->count && i < 7; i++) {
        if (args[i].kind == CQL_NULL) {
            ended = true;
            continue;
        }
        if (ended)
            return eval_fail(eval, ERR_EVALUATION, node, "a part is given after one that is null");
        if (!set_part(&moment, first + (int)i, args[i].integer))
            return eval_fail(eval, ERR_EVALUATION, node,
                             "a part of the date or time is not in range");
    }
    if (moment.precision == PRECISION_NONE)
        return value_null();
    bool has_day = kind != CQL_TIME && moment.precision >= PRECISION_DAY;
    if (has_day && !date_exists(moment.year, moment.month, moment.day))
        return eval_fail(eval, ERR_EVALUATION, node, "the date does not exist");
    if (kind == CQL_DATETIME) {
        bool has_offset = node->count == 8 && args[7].kind == CQL_DECIMAL;
        __int128 minutes =
            has_offset ? value_decimal_units(args[7]).units * 60 / DECIMAL_ONE : OFFSET_NONE;
        if (has_offset && (minutes < -840 || minutes > 840))
            return eval_fail(eval, ERR_EVALUATION, node, "the offset is not in range");
        moment.offset_minutes = (int16_t)minutes;
    }
    return value_moment(kind, moment);
}

OP(op_make_datetime)
{
    return make(eval, node, args, CQL_DATETIME);
}

OP(op_make_date)
{
    return make(eval, node, args, CQL_DATE);
}

OP(op_make_time)
{
    return make(eval, node, args, CQL_TIME);
}

OP(op_now)
{
    return value_moment(CQL_DATETIME, eval->plan->now);
}

static Moment date_part(Moment moment)
{
    Moment date = {.year = moment.year,
                   .month = moment.month,
                   .day = moment.day,
                   .offset_minutes = OFFSET_NONE};
    date.precision = moment.precision > PRECISION_DAY ? PRECISION_DAY : moment.precision;
    return date;
}

static CqlValue time_part(Moment moment)
{
    if (moment.precision < PRECISION_HOUR)
        return value_null();
    moment.year = 0;
    moment.month = moment.day = 1;
    moment.offset_minutes = OFFSET_NONE;
    return value_moment(CQL_TIME, moment);
}

OP(op_today)
{
    return value_moment(CQL_DATE, date_part(eval->plan->now));
}

OP(op_time_of_day)
{
    return time_part(eval->plan->now);
}

OP(op_date_from)
{
    return value_moment(CQL_DATE, date_part(args[0].moment));
}

OP(op_time_from)
{
    return time_part(args[0].moment);
}

OP(op_timezone_offset_from)
{
    int16_t offset = args[0].moment.offset_minutes;
    if (offset == OFFSET_NONE)
        offset = eval->context.offset_minutes;
    Decimal hours = {.units = offset * DECIMAL_ONE / 60};
    return value_decimal(eval->context.arena, hours);
}

static int64_t part_of(const Moment *moment, int precision)
{
    const int32_t parts[] = {0,
                             moment->year,
                             moment->month,
                             moment->day,
                             moment->hour,
                             moment->minute,
                             moment->second,
                             moment->millisecond};
    return parts[precision];
}

OP(op_component_from)
{
    if (node->precision > args[0].moment.precision ||
        (args[0].kind == CQL_TIME && node->precision < PRECISION_HOUR))
        return value_null();
    return value_integer(part_of(&args[0].moment, node->precision));
}

/* --- arithmetic --- */

static bool set_day(Moment *moment, int64_t day)
{
    int32_t year;
    int32_t month;
    int32_t of_month;
    if (day < DAY_FIRST || day > DAY_LAST)
        return false;
    day_to_date((int32_t)day, &year, &month, &of_month);
    moment->year = (int16_t)year;
    moment->month = (uint8_t)month;
    moment->day = (uint8_t)of_month;
    return true;
}

static int64_t clock_ms(const Moment *moment)
{
    return ((moment->hour * 60LL + moment->minute) * 60 + moment->second) * 1000 +
           moment->millisecond;
}

static bool add_ms(Moment *moment, int64_t amount)
{
    int64_t ms = clock_ms(moment) + amount;
    int64_t days = ms >= 0 ? ms / 86400000 : -((86399999 - ms) / 86400000);
    ms -= days * 86400000;
    if (moment->year != 0 &&
        !set_day(moment, day_from_date(moment->year, moment->month, moment->day) + days))
        return false;
    moment->hour = (uint8_t)(ms / 3600000);
    moment->minute = (uint8_t)(ms / 60000 % 60);
    moment->second = (uint8_t)(ms / 1000 % 60);
    moment->millisecond = (uint16_t)(ms % 1000);
    return true;
}

/* Of years and months, which have no fixed length, never read: 1. */
static const int64_t unit_ms[] = {1, 1, 1, 86400000, 3600000, 60000, 1000, 1, INT64_C(604800000)};

/* An amount finer than the value is brought to the value's precision first, whole units only:
   24 months are 2 years, 35 days one month, 365 days a year. */
static bool coarsen(uint8_t precision, uint8_t *unit, int64_t *amount)
{
    if (*unit == WEEK) {
        *amount *= 7;
        *unit = PRECISION_DAY;
    }
    while (*unit > precision) {
        static const int64_t per[] = {1, 1, 12, 30, 24, 60, 60, 1000};
        if (*unit == PRECISION_DAY && precision == PRECISION_YEAR) {
            *amount /= 365;
            *unit = PRECISION_YEAR;
        } else {
            *amount /= per[*unit];
            (*unit)--;
        }
    }
    return true;
}

bool moment_add(CqlValue value, const CqlQuantityBody *amount, int sign, CqlValue *ret_sum)
{
    uint8_t unit = quantity_precision(amount->unit);
    bool is_definite = str_eq(amount->unit, S("a")) || str_eq(amount->unit, S("mo"));
    if (unit == 0 || is_definite)
        return false;
    __int128 scaled = amount->value.units * sign;
    int64_t count = 0;
    bool has_fraction = scaled % DECIMAL_ONE != 0;
    if (scaled / DECIMAL_ONE > INT64_C(1000000000000000) ||
        scaled / DECIMAL_ONE < -INT64_C(1000000000000000))
        return false;
    count = (int64_t)(scaled / DECIMAL_ONE);
    if (has_fraction && unit == PRECISION_SECOND &&
        value.moment.precision == PRECISION_MILLISECOND) {
        unit = PRECISION_MILLISECOND;
        count = (int64_t)(scaled * 1000 / DECIMAL_ONE);
    }
    if (value.kind == CQL_TIME && unit < PRECISION_HOUR)
        return false;
    *ret_sum = value;
    Moment *moment = &ret_sum->moment;
    coarsen(moment->precision, &unit, &count);
    if (unit <= PRECISION_MONTH) {
        int64_t months = unit == PRECISION_YEAR ? count * 12 : count;
        if (months > 120000 || months < -120000)
            return false;
        int32_t day = day_add_months(day_from_date(moment->year, moment->month, moment->day),
                                     (int32_t)months);
        return day != DAY_NONE && set_day(moment, day);
    }
    if (unit == PRECISION_DAY)
        return count < 4000000 && count > -4000000 &&
               set_day(moment, day_from_date(moment->year, moment->month, moment->day) + count);
    if (count > INT64_MAX / 4 / unit_ms[unit] || count < -(INT64_MAX / 4 / unit_ms[unit]))
        return false;
    return add_ms(moment, count * unit_ms[unit]);
}

static CqlValue add_or_fail(CqlEval *eval, const CqlNode *node, const CqlValue *args, int sign)
{
    CqlValue sum;
    if (!moment_add(args[0], args[1].ptr, sign, &sum))
        return eval_fail(eval, ERR_EVALUATION, node,
                         "the sum is no date or time, or the unit is not one to add to it");
    return sum;
}

OP(op_add_moment)
{
    return add_or_fail(eval, node, args, 1);
}

OP(op_subtract_moment)
{
    return add_or_fail(eval, node, args, -1);
}

/* --- durations and differences --- */

static int64_t total_ms(const Moment *moment)
{
    int64_t days = moment->year == 0 ? 0 : day_from_date(moment->year, moment->month, moment->day);
    return days * 86400000 + clock_ms(moment);
}

static int64_t floor_divide(int64_t a, int64_t b)
{
    int64_t quotient = a / b;
    return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

static int64_t month_number(const Moment *moment)
{
    return moment->year * INT64_C(12) + moment->month;
}

/* What is left of a month: for whole months the later must have reached the earlier's place. */
static int64_t within_month(const Moment *moment)
{
    return moment->day * INT64_C(86400000) + clock_ms(moment);
}

static int64_t whole_months(const Moment *from, const Moment *to)
{
    int64_t months = month_number(to) - month_number(from);
    int64_t rest = within_month(to) - within_month(from);
    if (months > 0 && rest < 0)
        months--;
    else if (months < 0 && rest > 0)
        months++;
    return months;
}

/* A year that begins on 29 February is whole on 28 February of a common year, as adding one gives
   that day (Appendix H, example 4.b of years). */
static int64_t whole_years(const Moment *from, const Moment *to)
{
    Moment start = *from;
    bool is_leap_day = from->month == 2 && from->day == 29;
    if (is_leap_day && to->month == 2 && to->day == 28 && !date_exists(to->year, 2, 29))
        start.day = 28;
    return whole_months(&start, to) / 12;
}

static int64_t duration(const Moment *from, const Moment *to, uint8_t precision)
{
    ASSERT(precision > PRECISION_NONE && precision <= WEEK);
    if (precision == PRECISION_YEAR)
        return whole_years(from, to);
    if (precision == PRECISION_MONTH)
        return whole_months(from, to);
    return (total_ms(to) - total_ms(from)) / unit_ms[precision];
}

static int64_t difference(const Moment *from, const Moment *to, uint8_t precision)
{
    ASSERT(precision > PRECISION_NONE && precision <= WEEK);
    if (precision == PRECISION_YEAR)
        return to->year - from->year;
    if (precision == PRECISION_MONTH)
        return month_number(to) - month_number(from);
    /* Weeks begin on Sunday: 1970-01-04 was one. */
    int64_t shift = precision == WEEK ? -3 * INT64_C(86400000) : 0;
    return floor_divide(total_ms(to) + shift, unit_ms[precision]) -
           floor_divide(total_ms(from) + shift, unit_ms[precision]);
}

Moment moment_last(Moment moment, uint8_t precision)
{
    if (moment.precision < PRECISION_MONTH && precision >= PRECISION_MONTH)
        moment.month = 12;
    if (moment.precision < PRECISION_DAY && precision >= PRECISION_DAY)
        moment.day = (uint8_t)date_days_in_month(moment.year, moment.month);
    if (moment.precision < PRECISION_HOUR && precision >= PRECISION_HOUR)
        moment.hour = 23;
    if (moment.precision < PRECISION_MINUTE && precision >= PRECISION_MINUTE)
        moment.minute = 59;
    if (moment.precision < PRECISION_SECOND && precision >= PRECISION_SECOND)
        moment.second = 59;
    if (moment.precision < PRECISION_MILLISECOND && precision >= PRECISION_MILLISECOND)
        moment.millisecond = 999;
    return moment;
}

/* Both say what the unit asks for. Durations of days and longer count what stands below the unit
   too, so that there both must say equally much: from 17:00 to some time of a day a week later it
   is six days or seven. Seconds and milliseconds are one precision. */
static bool is_certain(const Moment *from, const Moment *to, uint8_t needed, bool is_difference)
{
    uint8_t a = from->precision == PRECISION_MILLISECOND ? PRECISION_SECOND : from->precision;
    uint8_t b = to->precision == PRECISION_MILLISECOND ? PRECISION_SECOND : to->precision;
    bool counts_rest = !is_difference && needed <= PRECISION_DAY && a != b;
    return from->precision >= needed && to->precision >= needed && !counts_rest;
}

CqlValue moment_between(CqlEval *eval, CqlValue from, CqlValue to, uint8_t precision,
                        bool is_difference)
{
    int16_t offset = eval->context.offset_minutes;
    /* Differences in days and longer are of the calendar days as they stand (Appendix H); what has
       passed is measured in one offset. */
    bool as_they_stand = is_difference && (precision <= PRECISION_DAY || precision == WEEK);
    if (from.kind == CQL_DATETIME && !as_they_stand) {
        from.moment = moment_at_offset(from.moment, offset, offset);
        to.moment = moment_at_offset(to.moment, offset, offset);
    }
    uint8_t needed = precision == WEEK ? PRECISION_DAY : precision;
    if (from.kind == CQL_DATE && needed > PRECISION_DAY)
        return value_null();
    int64_t (*measure)(const Moment *, const Moment *, uint8_t) =
        is_difference ? difference : duration;
    int64_t low;
    int64_t high;
    if (is_certain(&from.moment, &to.moment, needed, is_difference)) {
        low = high = measure(&from.moment, &to.moment, precision);
    } else {
        /* Once one of them is uncertain, what is below the other's precision counts too. */
        bool is_short = from.moment.precision < needed || to.moment.precision < needed;
        uint8_t least = from.kind != CQL_DATE && !is_difference ? PRECISION_MILLISECOND
                        : is_short                              ? needed
                                                                : PRECISION_DAY;
        Moment from_last = moment_last(from.moment, least);
        Moment to_last = moment_last(to.moment, least);
        low = measure(&from_last, &to.moment, precision);
        high = measure(&from.moment, &to_last, precision);
    }
    if (low < INT32_MIN || high > INT32_MAX)
        return low == high ? value_long(low) : value_null();
    return value_uncertain(eval->context.arena, low, high);
}

OP(op_duration_between)
{
    return moment_between(eval, args[0], args[1], node->precision, false);
}

OP(op_difference_between)
{
    return moment_between(eval, args[0], args[1], node->precision, true);
}

static CqlValue of_interval(CqlEval *eval, const CqlNode *node, CqlValue value, bool is_difference)
{
    const CqlIntervalBody *interval = value.ptr;
    CqlValue start = interval_start(&eval->context, interval);
    CqlValue end = interval_end(&eval->context, interval);
    if (start.kind == CQL_NULL || end.kind == CQL_NULL)
        return value_null();
    return moment_between(eval, start, end, node->precision, is_difference);
}

OP(op_duration_of)
{
    return of_interval(eval, node, args[0], false);
}

OP(op_difference_of)
{
    return of_interval(eval, node, args[0], true);
}

/* CalculateAgeIn…: up to today; hours and less up to now. */
OP(op_age)
{
    CqlValue birth = args[0];
    CqlValue until = op_today(eval, node, NULL);
    if (node->precision >= PRECISION_HOUR && node->precision != WEEK) {
        birth.kind = CQL_DATETIME;
        until = op_now(eval, node, NULL);
    }
    return moment_between(eval, birth, until, node->precision, false);
}

OP(op_age_at)
{
    return moment_between(eval, args[0], args[1], node->precision, false);
}

/* --- comparing points in a precision --- */

static Order order(const CqlEval *eval, const CqlNode *node, const CqlValue *args)
{
    return value_order(&eval->context, args[0], args[1], node->precision);
}

static CqlValue truth_of(Order got, bool less, bool equal, bool greater)
{
    if (got == ORDER_UNKNOWN)
        return value_null();
    return value_boolean(got == ORDER_LESS ? less : got == ORDER_EQUAL ? equal : greater);
}

OP(op_same_as_point)
{
    return truth_of(order(eval, node, args), false, true, false);
}

OP(op_same_or_before_point)
{
    return truth_of(order(eval, node, args), true, true, false);
}

OP(op_same_or_after_point)
{
    return truth_of(order(eval, node, args), false, true, true);
}

OP(op_before_point)
{
    return truth_of(order(eval, node, args), true, false, false);
}

OP(op_after_point)
{
    return truth_of(order(eval, node, args), false, false, true);
}

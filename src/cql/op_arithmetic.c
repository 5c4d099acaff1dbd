/*
 * Arithmetic. Results out of range are null (CQL Appendix B, "If the result of the operation cannot
 * be represented, the result is null"); logarithms and powers go through long double and are
 * rounded to 8 places.
 */
#include "cql/operator.h"

#include <math.h>

#define OP(name)                                                                                   \
    CqlValue name(UNUSED CqlEval *eval, UNUSED const CqlNode *node, UNUSED const CqlValue *args)

static CqlValue integer_or_null(int64_t result)
{
    return result >= INT32_MIN && result <= INT32_MAX ? value_integer(result) : value_null();
}

static CqlValue decimal_or_null(CqlEval *eval, bool ok, Decimal result)
{
    return ok && decimal_is_in_range(result) ? value_decimal(eval->context.arena, result)
                                             : value_null();
}

/* --- add, subtract --- */

OP(op_add_integer)
{
    if (args[0].kind != CQL_INTEGER || args[1].kind != CQL_INTEGER)
        return op_add_decimal(eval, node, args);
    return integer_or_null(args[0].integer + args[1].integer);
}

OP(op_add_long)
{
    int64_t sum;
    return __builtin_add_overflow(args[0].integer, args[1].integer, &sum) ? value_null()
                                                                          : value_long(sum);
}

OP(op_add_decimal)
{
    Decimal sum = {.units = 0};
    bool ok = decimal_add(value_number(args[0]), value_number(args[1]), &sum);
    return decimal_or_null(eval, ok, sum);
}

/* Calendar years and months, which have no fixed length. */
static bool is_variable(const CqlQuantityBody *quantity)
{
    uint8_t precision = quantity_precision(quantity->unit);
    return quantity->is_calendar && (precision == PRECISION_YEAR || precision == PRECISION_MONTH);
}

/* Both in the most granular unit of the two: metres and centimetres are centimetres. */
static bool common_unit(const CqlEval *eval, const CqlQuantityBody *a, const CqlQuantityBody *b,
                        Decimal *ret_a, Decimal *ret_b, const CqlQuantityBody **ret_unit)
{
    Decimal one = {.units = DECIMAL_ONE};
    Decimal ratio;
    if (is_variable(a) != is_variable(b))
        return false;
    bool is_coarser = quantity_convert(&eval->context, one, a->unit, b->unit, &ratio) &&
                      decimal_cmp(ratio, one) > 0;
    *ret_unit = is_coarser ? b : a;
    return quantity_convert(&eval->context, a->value, a->unit, (*ret_unit)->unit, ret_a) &&
           quantity_convert(&eval->context, b->value, b->unit, (*ret_unit)->unit, ret_b);
}

static CqlValue add_quantities(CqlEval *eval, const CqlValue *args, bool is_subtraction)
{
    Decimal a;
    Decimal b;
    Decimal sum = {.units = 0};
    const CqlQuantityBody *unit;
    if (!common_unit(eval, args[0].ptr, args[1].ptr, &a, &b, &unit))
        return value_null();
    bool ok = is_subtraction ? decimal_subtract(a, b, &sum) : decimal_add(a, b, &sum);
    return ok ? value_make_quantity(eval->context.arena, sum, unit->unit, unit->is_calendar)
              : value_null();
}

OP(op_add_quantity)
{
    return add_quantities(eval, args, false);
}

OP(op_subtract_integer)
{
    if (args[0].kind != CQL_INTEGER || args[1].kind != CQL_INTEGER)
        return op_subtract_decimal(eval, node, args);
    return integer_or_null(args[0].integer - args[1].integer);
}

OP(op_subtract_long)
{
    int64_t sum;
    return __builtin_sub_overflow(args[0].integer, args[1].integer, &sum) ? value_null()
                                                                          : value_long(sum);
}

OP(op_subtract_decimal)
{
    Decimal sum = {.units = 0};
    bool ok = decimal_subtract(value_number(args[0]), value_number(args[1]), &sum);
    return decimal_or_null(eval, ok, sum);
}

OP(op_subtract_quantity)
{
    return add_quantities(eval, args, true);
}

/* --- multiply, divide --- */

OP(op_multiply_integer)
{
    if (args[0].kind != CQL_INTEGER || args[1].kind != CQL_INTEGER)
        return op_multiply_decimal(eval, node, args);
    return integer_or_null(args[0].integer * args[1].integer);
}

OP(op_multiply_long)
{
    int64_t product;
    return __builtin_mul_overflow(args[0].integer, args[1].integer, &product) ? value_null()
                                                                              : value_long(product);
}

OP(op_multiply_decimal)
{
    Decimal product = {.units = 0};
    bool ok = decimal_multiply(value_number(args[0]), value_number(args[1]), ROUNDING_HALF_AWAY,
                               &product);
    return decimal_or_null(eval, ok, product);
}

static CqlQuantityBody as_quantity(CqlValue value)
{
    if (value.kind == CQL_QUANTITY)
        return *value_quantity(value);
    return (CqlQuantityBody){.value = value_number(value), .unit = S("1")};
}

static CqlValue combine(CqlEval *eval, const CqlValue *args, bool is_quotient)
{
    CqlQuantityBody a = as_quantity(args[0]);
    CqlQuantityBody b = as_quantity(args[1]);
    Decimal result = {.units = 0};
    bool is_plain = str_eq(b.unit, S("1"));
    if (is_quotient && !is_plain && !str_eq(a.unit, b.unit)) {
        /* g over mg is a number. */
        Decimal converted;
        if (quantity_convert(&eval->context, b.value, b.unit, a.unit, &converted)) {
            b.value = converted;
            b.unit = a.unit;
        }
    }
    bool ok = is_quotient ? decimal_divide(a.value, b.value, ROUNDING_HALF_AWAY, &result)
                          : decimal_multiply(a.value, b.value, ROUNDING_HALF_AWAY, &result);
    if (!ok)
        return value_null();
    Str unit = quantity_combine_units(eval->context.arena, a.unit, b.unit, is_quotient);
    return value_make_quantity(eval->context.arena, result, unit,
                               str_eq(unit, a.unit)   ? a.is_calendar
                               : str_eq(unit, b.unit) ? b.is_calendar
                                                      : false);
}

OP(op_multiply_quantity)
{
    return combine(eval, args, false);
}

OP(op_divide_quantity)
{
    return combine(eval, args, true);
}

OP(op_divide_decimal)
{
    Decimal quotient = {.units = 0};
    bool ok =
        decimal_divide(value_number(args[0]), value_number(args[1]), ROUNDING_HALF_AWAY, &quotient);
    return decimal_or_null(eval, ok, quotient);
}

OP(op_truncated_divide_integer)
{
    return args[1].integer == 0 ? value_null() : integer_or_null(args[0].integer / args[1].integer);
}

OP(op_truncated_divide_long)
{
    if (args[1].integer == 0 || (args[0].integer == INT64_MIN && args[1].integer == -1))
        return value_null();
    return value_long(args[0].integer / args[1].integer);
}

/* Quotient without its fraction; false on zero and overflow. */
static bool truncated(Decimal a, Decimal b, Decimal *ret_quotient)
{
    if (b.units == 0)
        return false;
    __int128 whole = a.units / b.units;
    __int128 limit = (__int128)10000000000 * 10000000000;
    if (whole >= limit || whole <= -limit)
        return false;
    ret_quotient->units = whole * DECIMAL_ONE;
    return true;
}

OP(op_truncated_divide_decimal)
{
    Decimal quotient = {.units = 0};
    bool ok = truncated(value_number(args[0]), value_number(args[1]), &quotient);
    return decimal_or_null(eval, ok, quotient);
}

static CqlValue divide_whole(CqlEval *eval, const CqlValue *args, bool want_remainder)
{
    const CqlQuantityBody *unit;
    Decimal a;
    Decimal b;
    Decimal result = {.units = 0};
    if (!common_unit(eval, args[0].ptr, args[1].ptr, &a, &b, &unit) || b.units == 0)
        return value_null();
    if (want_remainder)
        result.units = a.units % b.units;
    else if (!truncated(a, b, &result))
        return value_null();
    /* The public suite keeps the unit of the dividend in a truncated quotient too. */
    return value_make_quantity(eval->context.arena, result, unit->unit, unit->is_calendar);
}

OP(op_truncated_divide_quantity)
{
    return divide_whole(eval, args, false);
}

OP(op_modulo_integer)
{
    return args[1].integer == 0 ? value_null() : value_integer(args[0].integer % args[1].integer);
}

OP(op_modulo_long)
{
    if (args[1].integer == 0)
        return value_null();
    return value_long(args[1].integer == -1 ? 0 : args[0].integer % args[1].integer);
}

OP(op_modulo_decimal)
{
    Decimal b = value_number(args[1]);
    if (b.units == 0)
        return value_null();
    Decimal rest = {.units = value_number(args[0]).units % b.units};
    return value_decimal(eval->context.arena, rest);
}

OP(op_modulo_quantity)
{
    return divide_whole(eval, args, true);
}

/* --- powers and logarithms --- */

static bool from_real(long double value, Decimal *ret_value)
{
    if (!(fabsl(value) < 1e20L))
        return false;
    ret_value->units = (__int128)roundl(value * 1e8L);
    return true;
}

static long double to_real(CqlValue value)
{
    return (long double)value_number(value).units / 1e8L;
}

/* Whole exponents are multiplied out exactly; false when the product is out of range. */
static bool power_exact(Decimal base, int64_t exponent, Decimal *ret_power)
{
    Decimal result = {.units = DECIMAL_ONE};
    for (int64_t i = 0; i < exponent; i++) {
        if (!decimal_multiply(result, base, ROUNDING_HALF_AWAY, &result))
            return false;
    }
    *ret_power = result;
    return true;
}

OP(op_power)
{
    Decimal base = value_number(args[0]);
    Decimal exponent = value_number(args[1]);
    Decimal result = {.units = 0};
    bool is_whole = exponent.units % DECIMAL_ONE == 0;
    __int128 times = exponent.units / DECIMAL_ONE;
    bool ok;
    if (is_whole && times >= 0 && times <= 4096)
        ok = power_exact(base, (int64_t)times, &result);
    else
        ok = from_real(powl(to_real(args[0]), to_real(args[1])), &result);
    if (!ok)
        return value_null();
    bool is_integer = node->type->kind == TYPE_INTEGER && times >= 0;
    if (is_integer)
        return result.units / DECIMAL_ONE > INT32_MAX || result.units / DECIMAL_ONE < INT32_MIN
                   ? value_null()
                   : value_integer((int64_t)(result.units / DECIMAL_ONE));
    if (node->type->kind == TYPE_LONG && times >= 0)
        return result.units / DECIMAL_ONE > INT64_MAX || result.units / DECIMAL_ONE < INT64_MIN
                   ? value_null()
                   : value_long((int64_t)(result.units / DECIMAL_ONE));
    return decimal_or_null(eval, true, result);
}

OP(op_ln)
{
    Decimal result = {.units = 0};
    long double value = to_real(args[0]);
    if (value == 0)
        return eval_fail(eval, ERR_EVALUATION, node, "the logarithm of 0 is not defined");
    return decimal_or_null(eval, value > 0 && from_real(logl(value), &result), result);
}

OP(op_exp)
{
    Decimal result = {.units = 0};
    if (!from_real(expl(to_real(args[0])), &result))
        return eval_fail(eval, ERR_EVALUATION, node, "Exp is out of range");
    return value_decimal(eval->context.arena, result);
}

OP(op_log)
{
    Decimal result = {.units = 0};
    long double value = to_real(args[0]);
    long double base = to_real(args[1]);
    bool ok = value > 0 && base > 0 && base != 1 && from_real(logl(value) / logl(base), &result);
    return decimal_or_null(eval, ok, result);
}

/* --- signs and rounding --- */

static CqlValue with_units(CqlEval *eval, CqlValue like, Decimal value)
{
    if (like.kind == CQL_QUANTITY) {
        const CqlQuantityBody *body = like.ptr;
        return value_make_quantity(eval->context.arena, value, body->unit, body->is_calendar);
    }
    return value_decimal(eval->context.arena, value);
}

OP(op_negate)
{
    if (args[0].kind == CQL_INTEGER)
        return integer_or_null(-args[0].integer);
    if (args[0].kind == CQL_LONG)
        return args[0].integer == INT64_MIN ? value_null() : value_long(-args[0].integer);
    Decimal value = args[0].kind == CQL_QUANTITY ? value_quantity(args[0])->value
                                                 : value_decimal_units(args[0]);
    value.units = -value.units;
    return with_units(eval, args[0], value);
}

OP(op_positive)
{
    return args[0];
}

OP(op_abs)
{
    Decimal value =
        args[0].kind == CQL_QUANTITY ? value_quantity(args[0])->value : value_number(args[0]);
    return value.units < 0 ? op_negate(eval, node, args) : args[0];
}

static CqlValue to_whole(CqlValue value, Rounding rounding)
{
    __int128 whole = rounding_divide(value_number(value).units, DECIMAL_ONE, rounding);
    return whole > INT32_MAX || whole < INT32_MIN ? value_null() : value_integer((int64_t)whole);
}

OP(op_ceiling)
{
    return to_whole(args[0], ROUNDING_CEILING);
}

OP(op_floor)
{
    return to_whole(args[0], ROUNDING_FLOOR);
}

OP(op_truncate)
{
    return to_whole(args[0], ROUNDING_DOWN);
}

OP(op_round)
{
    int64_t places = node->count > 1 && args[1].kind == CQL_INTEGER ? args[1].integer : 0;
    Decimal result = {.units = 0};
    if (args[0].kind == CQL_NULL || places < 0)
        return value_null();
    if (places >= DECIMAL_PLACES)
        return args[0];
    bool ok = decimal_round(value_number(args[0]), (int)places, ROUNDING_HALF_AWAY, &result);
    return decimal_or_null(eval, ok, result);
}

OP(op_successor)
{
    CqlValue next;
    if (!value_step(&eval->context, args[0], 1, &next))
        return eval_fail(eval, ERR_EVALUATION, node, "the value has no successor");
    return next;
}

OP(op_predecessor)
{
    CqlValue next;
    if (!value_step(&eval->context, args[0], -1, &next))
        return eval_fail(eval, ERR_EVALUATION, node, "the value has no predecessor");
    return next;
}

/* --- precision and boundaries --- */

static const uint8_t digits_of_precision[] = {0, 4, 6, 8, 10, 12, 14, 17};

OP(op_precision)
{
    if (args[0].kind == CQL_DECIMAL || args[0].kind == CQL_INTEGER) {
        int places = args[0].aux != UINT16_MAX && args[0].kind == CQL_DECIMAL
                         ? args[0].aux
                         : decimal_places(value_number(args[0]));
        return value_integer(places);
    }
    int digits = digits_of_precision[args[0].moment.precision];
    return value_integer(args[0].kind == CQL_TIME ? digits - 8 : digits);
}

static CqlValue decimal_boundary(CqlEval *eval, CqlValue value, int64_t places, bool is_high)
{
    if (places < 0 || places > DECIMAL_PLACES)
        return value_null();
    int written = value.aux != UINT16_MAX ? value.aux : decimal_places(value_decimal_units(value));
    Decimal result = value_decimal_units(value);
    __int128 step = 1;
    for (int i = written; i < DECIMAL_PLACES; i++)
        step *= 10;
    __int128 tick = 1;
    for (int64_t i = places; i < DECIMAL_PLACES; i++)
        tick *= 10;
    /* The digits that follow make a number greater, or a negative one less. */
    bool grows = is_high == (result.units >= 0);
    if (grows && step > tick)
        result.units += is_high ? step - tick : tick - step;
    if (step < tick)
        result.units =
            rounding_divide(result.units, tick, is_high ? ROUNDING_CEILING : ROUNDING_FLOOR) * tick;
    return value_decimal(eval->context.arena, result);
}

/* The parts below its precision at their least or greatest, down to as many digits. */
static CqlValue moment_boundary(CqlValue value, int64_t digits, bool is_high)
{
    uint8_t precision = 0;
    for (size_t i = 1; i < COUNT_OF(digits_of_precision); i++) {
        if (digits_of_precision[i] - (value.kind == CQL_TIME ? 8 : 0) == digits)
            precision = (uint8_t)i;
    }
    if (precision == 0 || (value.kind == CQL_DATE && precision > PRECISION_DAY))
        return value_null();
    Moment *moment = &value.moment;
    if (is_high && moment->precision < precision)
        *moment = moment_last(*moment, precision);
    moment->precision = precision;
    return value;
}

static CqlValue boundary(CqlEval *eval, const CqlNode *node, const CqlValue *args, bool is_high)
{
    if (args[0].kind == CQL_NULL)
        return value_null();
    int64_t digits = args[0].kind == CQL_DECIMAL ? DECIMAL_PLACES
                     : args[0].kind == CQL_DATE  ? 8
                     : args[0].kind == CQL_TIME  ? 9
                                                 : 17;
    if (args[1].kind == CQL_INTEGER)
        digits = args[1].integer;
    (void)node;
    if (args[0].kind == CQL_DECIMAL)
        return decimal_boundary(eval, args[0], digits, is_high);
    return moment_boundary(args[0], digits, is_high);
}

OP(op_low_boundary)
{
    return boundary(eval, node, args, false);
}

OP(op_high_boundary)
{
    return boundary(eval, node, args, true);
}

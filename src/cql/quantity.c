/*
 * Quantities: units by way of terms/ucum.h, calendar durations against definite ones, and how two
 * quantities stand to one another.
 */
#include "cql/value.h"

/* As the timing phrases have it. */
enum { PRECISION_WEEK = PRECISION_MILLISECOND + 1 };

/* The words of calendar durations are no units of UCUM: as definite durations they are these. */
static Str definite_unit(Str unit)
{
    static const char *const codes[] = {"", "a", "mo", "d", "h", "min", "s", "ms", "wk"};
    uint8_t precision = unit.len > 2 ? quantity_precision(unit) : 0;
    return precision == 0 ? unit : str_from_c(codes[precision]);
}

bool quantity_has_unit(Str unit, UcumProblem *ret_problem)
{
    return ucum_is_unit(definite_unit(unit), ret_problem);
}

/* Says once a person that a unit is none, and that comparing gives null. */
static void note_bad_unit(const ValueContext *context, Str unit)
{
    if (context->messages == NULL)
        return;
    UcumProblem problem = {0};
    if (ucum_is_unit(unit, &problem))
        return;
    Str hint = problem.hint.len == 0
                   ? S("")
                   : str_format(context->arena, "; is '%.*s' meant?", STR_ARG(problem.hint));
    Str text = str_format(context->arena,
                          "'%.*s' is no unit of UCUM (%s)%.*s: what it is compared "
                          "or reckoned with is null",
                          STR_ARG(unit), problem.text, STR_ARG(hint));
    VEC_FOREACH (const Diag, other, &context->messages->kept)
        if (str_eq(other->text, text))
            return;
    diag_add(context->messages,
             &(Diag){.severity = SEVERITY_WARNING, .rule = S("cql-unit"), .text = text});
}

static const UcumConversion *find(const ValueContext *context, Str from, Str to,
                                  UcumConversion *room)
{
    Str a = definite_unit(from);
    Str b = definite_unit(to);
    const UcumConversion *conversion = ucum_find(context->units, a, b, room);
    if (UNLIKELY(conversion->status == UCUM_BAD_FROM || conversion->status == UCUM_BAD_TO)) {
        note_bad_unit(context, a);
        note_bad_unit(context, b);
    }
    return conversion;
}

bool quantity_convert(const ValueContext *context, Decimal value, Str from, Str to,
                      Decimal *ret_value)
{
    if (str_eq(from, to)) {
        *ret_value = value;
        return true;
    }
    UcumConversion room;
    return ucum_convert(find(context, from, to, &room), value, ret_value);
}

uint8_t quantity_precision(Str unit)
{
    static const struct {
        Str text;
        uint8_t precision;
    } codes[] = {
        {STR_INIT("year"), PRECISION_YEAR},
        {STR_INIT("years"), PRECISION_YEAR},
        {STR_INIT("a"), PRECISION_YEAR},
        {STR_INIT("month"), PRECISION_MONTH},
        {STR_INIT("months"), PRECISION_MONTH},
        {STR_INIT("mo"), PRECISION_MONTH},
        {STR_INIT("day"), PRECISION_DAY},
        {STR_INIT("days"), PRECISION_DAY},
        {STR_INIT("d"), PRECISION_DAY},
        {STR_INIT("hour"), PRECISION_HOUR},
        {STR_INIT("hours"), PRECISION_HOUR},
        {STR_INIT("h"), PRECISION_HOUR},
        {STR_INIT("minute"), PRECISION_MINUTE},
        {STR_INIT("minutes"), PRECISION_MINUTE},
        {STR_INIT("min"), PRECISION_MINUTE},
        {STR_INIT("second"), PRECISION_SECOND},
        {STR_INIT("seconds"), PRECISION_SECOND},
        {STR_INIT("s"), PRECISION_SECOND},
        {STR_INIT("millisecond"), PRECISION_MILLISECOND},
        {STR_INIT("milliseconds"), PRECISION_MILLISECOND},
        {STR_INIT("ms"), PRECISION_MILLISECOND},
        {STR_INIT("week"), PRECISION_WEEK},
        {STR_INIT("weeks"), PRECISION_WEEK},
        {STR_INIT("wk"), PRECISION_WEEK},
    };
    /* Most units begin otherwise, and are no further looked at. */
    if (unit.len == 0 || str_find_char(S("yamdhsw"), unit.ptr[0]) == SIZE_MAX)
        return 0;
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        if (str_eq(unit, codes[i].text))
            return codes[i].precision;
    }
    return 0;
}

Str calendar_unit(uint8_t precision)
{
    static const char *const names[] = {"1",      "year",   "month",       "day", "hour",
                                        "minute", "second", "millisecond", "week"};
    return str_from_c(names[precision]);
}

/* Splits an exponent off the end of a simple unit: "m2", "s-1", "10*3". */
static Str split_exponent(Str code, int *ret_power)
{
    size_t end = code.len;
    while (end > 0 && code.ptr[end - 1] >= '0' && code.ptr[end - 1] <= '9')
        end--;
    *ret_power = 1;
    if (end == code.len || end == 0 || code.len - end > 2)
        return code;
    int power = 0;
    for (size_t i = end; i < code.len; i++)
        power = power * 10 + (code.ptr[i] - '0');
    bool has_sign = code.ptr[end - 1] == '-' || code.ptr[end - 1] == '+';
    if (has_sign && end == 1)
        return code;
    *ret_power = has_sign && code.ptr[end - 1] == '-' ? -power : power;
    return str_slice(code, 0, has_sign ? end - 1 : end);
}

Str quantity_combine_units(Arena *arena, Str a, Str b, bool is_quotient)
{
    if (is_quotient && str_eq(a, b))
        return S("1");
    if (str_eq(b, S("1")))
        return a;
    if (str_eq(a, S("1")))
        return is_quotient ? str_format(arena, "/%.*s", STR_ARG(b)) : b;
    if (!is_quotient && str_eq(a, b))
        return str_format(arena, "%.*s2", STR_ARG(a));
    if (is_quotient) {
        /* 'cm2' / 'cm' is 'cm': the same unit with one power less. */
        int power;
        Str stem = split_exponent(a, &power);
        if (power == 2 && str_eq(stem, b))
            return b;
    }
    return str_format(arena, is_quotient ? "%.*s/%.*s" : "%.*s.%.*s", STR_ARG(a), STR_ARG(b));
}

/* Calendar years and months are no definite durations: = and < do not compare them with
   'a' and 'mo', ~ does. Weeks and shorter are the same either way. */
static bool is_indefinite(const CqlQuantityBody *quantity)
{
    uint8_t precision = quantity->is_calendar ? quantity_precision(quantity->unit) : 0;
    return precision == PRECISION_YEAR || precision == PRECISION_MONTH;
}

static bool is_definite_year_or_month(const CqlQuantityBody *quantity)
{
    uint8_t precision = quantity->is_calendar ? 0 : quantity_precision(quantity->unit);
    return precision == PRECISION_YEAR || precision == PRECISION_MONTH;
}

static int64_t days_of(const CqlQuantityBody *quantity)
{
    if (!is_indefinite(quantity))
        return 1;
    return quantity_precision(quantity->unit) == PRECISION_YEAR ? 365 : 30;
}

static Order order_of(Decimal a, Decimal b)
{
    int sign = decimal_cmp(a, b);
    return sign < 0 ? ORDER_LESS : sign > 0 ? ORDER_GREATER : ORDER_EQUAL;
}

/* For ~ a calendar year is 365 days and a month 30. */
static Order equivalent_days(const ValueContext *context, const CqlQuantityBody *a,
                             const CqlQuantityBody *b)
{
    Decimal left = {.units = a->value.units * days_of(a)};
    Decimal right = {.units = b->value.units * days_of(b)};
    if (!is_indefinite(a) && !quantity_convert(context, a->value, a->unit, S("d"), &left))
        return ORDER_UNKNOWN;
    if (!is_indefinite(b) && !quantity_convert(context, b->value, b->unit, S("d"), &right))
        return ORDER_UNKNOWN;
    return order_of(left, right);
}

/* Both are calendar years or months. */
static Order order_months(const CqlQuantityBody *a, const CqlQuantityBody *b)
{
    int months_a = quantity_precision(a->unit) == PRECISION_YEAR ? 12 : 1;
    int months_b = quantity_precision(b->unit) == PRECISION_YEAR ? 12 : 1;
    return order_of((Decimal){.units = a->value.units * months_a},
                    (Decimal){.units = b->value.units * months_b});
}

Order quantity_order(const ValueContext *context, const CqlQuantityBody *a,
                     const CqlQuantityBody *b, bool for_equivalence)
{
    if (str_eq(a->unit, b->unit) && a->is_calendar == b->is_calendar)
        return order_of(a->value, b->value);
    bool mixed = (is_indefinite(a) && is_definite_year_or_month(b)) ||
                 (is_indefinite(b) && is_definite_year_or_month(a));
    /* Nor with days and shorter (Appendix B, Equal). */
    if (is_indefinite(a) != is_indefinite(b) && !for_equivalence)
        return ORDER_UNKNOWN;
    if (for_equivalence && is_indefinite(a) != is_indefinite(b) && !mixed)
        return equivalent_days(context, a, b);
    if (is_indefinite(a) && is_indefinite(b))
        return order_months(a, b);
    UcumConversion room;
    const UcumConversion *conversion = find(context, a->unit, b->unit, &room);
    if (conversion->status != UCUM_KNOWN)
        return ORDER_UNKNOWN;
    return (Order)ucum_compare(conversion, a->value, b->value);
}

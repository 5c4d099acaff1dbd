/*
 * decimal_driver -- reads lines "operation rounding a b" and writes the result or "overflow", for
 * test_decimal.py, which computes the same with Python's decimal module.
 */
#include <stdio.h>

#include "base/decimal.h"
#include "base/money.h"

static bool calculate(Str operation, Rounding rounding, Decimal a, Decimal b, Decimal *ret_result)
{
    if (str_eq(operation, S("add")))
        return decimal_add(a, b, ret_result);
    if (str_eq(operation, S("subtract")))
        return decimal_subtract(a, b, ret_result);
    if (str_eq(operation, S("multiply")))
        return decimal_multiply(a, b, rounding, ret_result);
    if (str_eq(operation, S("divide")))
        return decimal_divide(a, b, rounding, ret_result);
    ASSERT(str_starts_with(operation, S("round")));
    return decimal_round(a, operation.ptr[operation.len - 1] - '0', rounding, ret_result);
}

/* Cents of a * b, as money is made from a rate. */
static Str calculate_money(Arena *arena, Rounding rounding, Decimal a, Decimal b)
{
    Currency currency = {.code = "USD", .digits = 2};
    int64_t minor;
    if (!money_from_rate(a, b, currency, rounding, &minor))
        return S("overflow");
    return str_format(arena, "%lld", (long long)minor);
}

static Str answer(Arena *arena, Str line)
{
    Str operation;
    Str name;
    Str left;
    Str right;
    Rounding rounding;
    Decimal a;
    Decimal b;
    bool ok = str_split_next(&line, ' ', &operation) && str_split_next(&line, ' ', &name) &&
              str_split_next(&line, ' ', &left) && str_split_next(&line, ' ', &right);
    ASSERT(ok);
    if (str_eq(operation, S("parse"))) {
        if (!decimal_parse_rounded(left, &a))
            return S("overflow");
        return decimal_format(arena, a);
    }
    ok = rounding_from_text(name, &rounding) && decimal_parse(left, &a) && decimal_parse(right, &b);
    ASSERT(ok);
    if (str_eq(operation, S("money")))
        return calculate_money(arena, rounding, a, b);
    if (str_eq(operation, S("places")))
        return decimal_format_places(arena, a, 2);
    Decimal result;
    return calculate(operation, rounding, a, b, &result) ? decimal_format(arena, result)
                                                         : S("overflow");
}

int main(void)
{
    char line[512];
    Arena *arena = arena_create(0);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        Str result = answer(arena, str_trim(str_from_c(line)));
        printf("%.*s\n", STR_ARG(result));
        arena_reset(arena);
    }
    arena_destroy(arena);
    return 0;
}

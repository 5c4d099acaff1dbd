/* Logic and comparison. Nulls: rows marked strict in operators.def never see one. */
#include "cql/operator.h"

#define OP(name)                                                                                   \
    CqlValue name(UNUSED CqlEval *eval, UNUSED const CqlNode *node, UNUSED const CqlValue *args)

OP(op_not)
{
    return value_tri(tri_not(value_truth(args[0])));
}

OP(op_xor)
{
    return value_boolean((args[0].integer != 0) != (args[1].integer != 0));
}

OP(op_is_null)
{
    return value_boolean(args[0].kind == CQL_NULL);
}

OP(op_is_true)
{
    return value_boolean(value_truth(args[0]) == TRI_TRUE);
}

OP(op_is_false)
{
    return value_boolean(value_truth(args[0]) == TRI_FALSE);
}

OP(op_same)
{
    return args[0];
}

OP(op_equal)
{
    return value_tri(value_equal(&eval->context, args[0], args[1]));
}

OP(op_not_equal)
{
    return value_tri(tri_not(value_equal(&eval->context, args[0], args[1])));
}

OP(op_equivalent)
{
    return value_boolean(value_equivalent(&eval->context, args[0], args[1]));
}

OP(op_not_equivalent)
{
    return value_boolean(!value_equivalent(&eval->context, args[0], args[1]));
}

static Order order(const CqlEval *eval, const CqlValue *args)
{
    return value_order(&eval->context, args[0], args[1], 0);
}

/* An uncertain operand may rule an answer in or out although neither `<` nor `=` is known. */
static Tri less(const CqlEval *eval, const CqlValue *args, bool or_equal)
{
    Order got = order(eval, args);
    if (got != ORDER_UNKNOWN)
        return got == ORDER_LESS || (or_equal && got == ORDER_EQUAL) ? TRI_TRUE : TRI_FALSE;
    if (args[0].kind != CQL_UNCERTAINTY && args[1].kind != CQL_UNCERTAINTY)
        return TRI_NULL;
    int64_t a_low;
    int64_t a_high;
    int64_t b_low;
    int64_t b_high;
    value_uncertainty(args[0], &a_low, &a_high);
    value_uncertainty(args[1], &b_low, &b_high);
    if (or_equal)
        return a_high <= b_low ? TRI_TRUE : a_low > b_high ? TRI_FALSE : TRI_NULL;
    return a_high < b_low ? TRI_TRUE : a_low >= b_high ? TRI_FALSE : TRI_NULL;
}

OP(op_less)
{
    return value_tri(less(eval, args, false));
}

OP(op_less_or_equal)
{
    return value_tri(less(eval, args, true));
}

OP(op_greater)
{
    return value_tri(tri_not(less(eval, args, true)));
}

OP(op_greater_or_equal)
{
    return value_tri(tri_not(less(eval, args, false)));
}

static Tri tri_between(CqlEval *eval, const CqlValue *args, bool or_equal)
{
    CqlValue lower[2] = {args[1], args[0]};
    CqlValue upper[2] = {args[0], args[2]};
    return tri_and(less(eval, lower, or_equal), less(eval, upper, or_equal));
}

OP(op_between)
{
    if (args[0].kind != CQL_INTERVAL)
        return value_tri(tri_between(eval, args, true));
    const CqlIntervalBody *interval = args[0].ptr;
    CqlValue lower[2] = {args[1], interval_start(&eval->context, interval)};
    CqlValue upper[2] = {interval_end(&eval->context, interval), args[2]};
    return value_tri(tri_and(less(eval, lower, true), less(eval, upper, true)));
}

OP(op_between_properly)
{
    return value_tri(tri_between(eval, args, false));
}

OP(op_message)
{
    if (!cql_value_is_true(args[1]))
        return args[0];
    Str code = args[2].kind == CQL_STRING ? value_text(args[2]) : S("");
    Str severity = args[3].kind == CQL_STRING ? value_text(args[3]) : S("Message");
    Str text = args[4].kind == CQL_STRING ? value_text(args[4]) : S("");
    if (str_eq(severity, S("Error")))
        return eval_fail(eval, ERR_EVALUATION, node, "%.*s: %.*s", STR_ARG(code), STR_ARG(text));
    Diag diag = {.severity = str_eq(severity, S("Warning")) ? SEVERITY_WARNING : SEVERITY_INFO,
                 .line = node->line,
                 .column = node->column,
                 .rule = S("cql-message")};
    diag_addf(&eval->messages, diag, "%.*s: %.*s", STR_ARG(code), STR_ARG(text));
    return args[0];
}

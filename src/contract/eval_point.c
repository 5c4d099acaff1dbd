/* The primitives that work key by key. */
#include "contract/eval_int.h"

typedef struct {
    Eval *eval;
    const GraphNode *node;
    EvalKey key;
} Point;

static bool need(const Point *point, size_t operand, Ratio *ret_value)
{
    return eval_need(point->eval, point->node, point->node->operands[operand], point->key,
                     ret_value);
}

static Lookup by_nothing(const Point *point, size_t operand)
{
    const GraphNode *divisor = &point->eval->contract->nodes[point->node->operands[operand]];
    Str where = eval_key_text(point->eval, point->key);
    eval_refuse(point->eval, point->node, "settle-division",
                "division by nothing: %.*s is 0 for %.*s",
                STR_ARG(eval_node_name(point->eval, divisor)), where.len > 0 ? (int)where.len : 10,
                where.len > 0 ? where.ptr : "the period");
    return LOOKUP_FAILED;
}

/* --- basis: sum and difference; the rest of it works on rows --- */

static Lookup basis_at(const Point *point, Ratio *ret_value)
{
    Arena *arena = point->eval->arena;
    size_t added = point->node->as.basis.add_count;
    size_t all = added + point->node->as.basis.less_count;
    Ratio sum = ratio_from_int(0);
    Ratio value;
    for (size_t i = 0; i < all; i++) {
        if (!need(point, i, &value))
            return LOOKUP_FAILED;
        sum = i < added ? ratio_add(arena, sum, value) : ratio_subtract(arena, sum, value);
    }
    if (point->node->as.basis.has_bound) {
        if (!need(point, all, &value))
            return LOOKUP_FAILED;
        if (ratio_is_valid(sum) && ratio_is_valid(value) && ratio_cmp(sum, value) > 0)
            sum = value;
    }
    *ret_value = sum;
    return LOOKUP_FOUND;
}

/* --- rate --- */

static Lookup rate_at(const Point *point, Ratio *ret_value)
{
    const Eval *eval = point->eval;
    Arena *arena = eval->arena;
    size_t factors = point->node->as.rate.factor_count;
    Ratio quantity;
    Ratio price = ratio_from_int(1);
    Ratio value;
    if (!need(point, 0, &quantity))
        return LOOKUP_FAILED;
    for (size_t i = 1; i < point->node->operand_count; i++) {
        if (!need(point, i, &value))
            return LOOKUP_FAILED;
        if (i <= factors) {
            price = ratio_multiply(arena, price, value);
            continue;
        }
        if (ratio_is_valid(value) && ratio_sign(value) == 0)
            return by_nothing(point, i);
        price = ratio_divide(arena, price, value);
    }
    if (point->node->as.rate.rounds_each) {
        int64_t minor;
        int digits = eval->contract->currency.digits;
        if (!ratio_round_to_steps(price, digits, eval->contract->rounding, &minor) ||
            minor == INT64_MIN) {
            eval_refuse(point->eval, point->node, "settle-overflow", "a price is out of range");
            return LOOKUP_FAILED;
        }
        int64_t scale = 1;
        for (int i = 0; i < digits; i++)
            scale *= 10;
        price = ratio_make(minor, scale);
    }
    *ret_value = ratio_multiply(arena, quantity, price);
    return LOOKUP_FOUND;
}

/* --- gate --- */

static Lookup gate_at(const Point *point, Ratio *ret_value)
{
    const GraphNode *node = point->node;
    bool holds = true;
    for (uint32_t i = 0; i < node->as.gate.test_count && holds; i++) {
        Ratio left;
        Ratio right;
        GraphTest test = node->as.gate.tests[i];
        if (test == GRAPH_TEST_GIVEN || test == GRAPH_TEST_NOT_GIVEN) {
            NodeId input = node->operands[1 + (size_t)i * 2];
            holds = eval_is_given(point->eval, input, point->key) == (test == GRAPH_TEST_GIVEN);
            continue;
        }
        if (!need(point, 1 + (size_t)i * 2, &left) || !need(point, 2 + (size_t)i * 2, &right))
            return LOOKUP_FAILED;
        if (!ratio_is_valid(left) || !ratio_is_valid(right)) {
            *ret_value = ratio_is_valid(left) ? right : left;
            return LOOKUP_FOUND;
        }
        holds = eval_test(test, left, right);
    }
    return need(point, holds ? 0 : node->operand_count - 1, ret_value) ? LOOKUP_FOUND
                                                                       : LOOKUP_FAILED;
}

/* --- curve --- */

typedef struct {
    size_t count;
    Ratio at[GRAPH_OPERANDS_MAX / 2];
    Ratio gives[GRAPH_OPERANDS_MAX / 2];
} Points;

static bool read_points(const Point *point, Points *points)
{
    points->count = (point->node->operand_count - 1) / 2;
    ASSERT(points->count > 0 && points->count <= COUNT_OF(points->at));
    for (size_t i = 0; i < points->count; i++) {
        if (!need(point, 1 + i * 2, &points->at[i]) || !need(point, 2 + i * 2, &points->gives[i]))
            return false;
        if (!ratio_is_valid(points->at[i]) || !ratio_is_valid(points->gives[i]) ||
            (i > 0 && ratio_cmp(points->at[i - 1], points->at[i]) >= 0)) {
            Str where = eval_key_text(point->eval, point->key);
            eval_refuse(point->eval, point->node, "settle-curve",
                        "the points of a curve do not ascend for %.*s", STR_ARG(where));
            return false;
        }
    }
    return true;
}

/* Straight between the points, level before the first and after the last. */
static Ratio line_value(Arena *arena, const Points *points, Ratio x)
{
    if (ratio_cmp(x, points->at[0]) <= 0)
        return points->gives[0];
    for (size_t i = 1; i < points->count; i++) {
        if (ratio_cmp(x, points->at[i]) > 0)
            continue;
        Ratio run = ratio_subtract(arena, points->at[i], points->at[i - 1]);
        Ratio rise = ratio_subtract(arena, points->gives[i], points->gives[i - 1]);
        Ratio along = ratio_subtract(arena, x, points->at[i - 1]);
        Ratio part = ratio_divide(arena, ratio_multiply(arena, rise, along), run);
        return ratio_add(arena, points->gives[i - 1], part);
    }
    return points->gives[points->count - 1];
}

/* Each band's rate times what of x lies in it. */
static Ratio marginal_value(Arena *arena, const Points *points, Ratio x)
{
    Ratio sum = ratio_from_int(0);
    for (size_t i = 0; i < points->count && ratio_cmp(x, points->at[i]) > 0; i++) {
        Ratio end = x;
        if (i + 1 < points->count && ratio_cmp(x, points->at[i + 1]) > 0)
            end = points->at[i + 1];
        Ratio part = ratio_subtract(arena, end, points->at[i]);
        sum = ratio_add(arena, sum, ratio_multiply(arena, part, points->gives[i]));
    }
    return sum;
}

static Lookup curve_at(const Point *point, Ratio *ret_value)
{
    Points points = {.count = 0};
    Ratio x;
    if (!need(point, 0, &x) || !read_points(point, &points))
        return LOOKUP_FAILED;
    Arena *arena = point->eval->arena;
    if (!ratio_is_valid(x)) {
        *ret_value = x;
        return LOOKUP_FOUND;
    }
    switch (point->node->as.curve.shape) {
    case GRAPH_SHAPE_LINE:
        *ret_value = line_value(arena, &points, x);
        return LOOKUP_FOUND;
    case GRAPH_SHAPE_MARGINAL:
        *ret_value = marginal_value(arena, &points, x);
        return LOOKUP_FOUND;
    case GRAPH_SHAPE_STEP:
        break;
    }
    size_t step = points.count;
    while (step > 0 && ratio_cmp(x, points.at[step - 1]) < 0)
        step--;
    if (step == 0) {
        Str where = eval_key_text(point->eval, point->key);
        eval_refuse(point->eval, point->node, "settle-curve",
                    "%.*s is below the first step for %.*s; add a step",
                    STR_ARG(ratio_format(arena, x, 0, 8)), STR_ARG(where));
        return LOOKUP_FAILED;
    }
    *ret_value = points.gives[step - 1];
    return LOOKUP_FOUND;
}

/* --- cap and floor --- */

static Lookup bound_at(const Point *point, Ratio *ret_value)
{
    Ratio value;
    Ratio bound;
    if (!need(point, 0, &value) || !need(point, 1, &bound))
        return LOOKUP_FAILED;
    *ret_value = value;
    if (!ratio_is_valid(value) || !ratio_is_valid(bound))
        *ret_value = ratio_is_valid(value) ? bound : value;
    else if ((point->node->op == GRAPH_CAP) == (ratio_cmp(value, bound) > 0) &&
             ratio_cmp(value, bound) != 0)
        *ret_value = bound;
    return LOOKUP_FOUND;
}

/* --- fund --- */

enum { FLOW_IN, FLOW_OUT, FLOW_KEPT };

bool eval_fund_flows(Eval *eval, const GraphNode *node, EvalKey key, Ratio ret_flows[3])
{
    size_t in_count = node->as.fund.in_count;
    size_t all = in_count + node->as.fund.out_count;
    ret_flows[FLOW_IN] = ratio_from_int(0);
    ret_flows[FLOW_OUT] = ratio_from_int(0);
    for (size_t i = 0; i < all; i++) {
        Ratio value;
        Ratio *sum = &ret_flows[i < in_count ? FLOW_IN : FLOW_OUT];
        if (!eval_need(eval, node, node->operands[i], key, &value))
            return false;
        *sum = ratio_add(eval->arena, *sum, value);
    }
    return eval_need(eval, node, node->operands[all], key, &ret_flows[FLOW_KEPT]);
}

static Ratio larger(Ratio a, Ratio b)
{
    return ratio_cmp(a, b) >= 0 ? a : b;
}

Ratio eval_fund_gives(Arena *arena, const GraphNode *node, Ratio in, Ratio out, Ratio keep)
{
    Ratio balance = ratio_subtract(arena, in, out);
    Ratio zero = ratio_from_int(0);
    Ratio given = balance;
    if (!ratio_is_valid(balance) || !ratio_is_valid(keep))
        return ratio_is_valid(balance) ? keep : balance;
    switch (node->as.fund.give) {
    case GRAPH_GIVE_BALANCE:
        break;
    case GRAPH_GIVE_SURPLUS:
        given = larger(balance, zero);
        break;
    case GRAPH_GIVE_DEFICIT:
        given = larger(ratio_negate(arena, balance), zero);
        break;
    case GRAPH_GIVE_DRAWN:
        given = larger(in, zero);
        if (ratio_cmp(out, given) < 0)
            given = out;
        break;
    }
    if (ratio_sign(keep) == 0)
        return given;
    return ratio_multiply(arena, given, ratio_subtract(arena, ratio_from_int(1), keep));
}

static Lookup fund_at(const Point *point, Ratio *ret_value)
{
    Ratio flows[3];
    if (!eval_fund_flows(point->eval, point->node, point->key, flows))
        return LOOKUP_FAILED;
    *ret_value = eval_fund_gives(point->eval->arena, point->node, flows[FLOW_IN], flows[FLOW_OUT],
                                 flows[FLOW_KEPT]);
    return LOOKUP_FOUND;
}

Lookup eval_point(Eval *eval, const GraphNode *node, EvalKey key, Ratio *ret_value)
{
    Point point = {eval, node, key};
    switch (node->op) {
    case GRAPH_BASIS:
        return basis_at(&point, ret_value);
    case GRAPH_RATE:
        return rate_at(&point, ret_value);
    case GRAPH_GATE:
        return gate_at(&point, ret_value);
    case GRAPH_CURVE:
        return curve_at(&point, ret_value);
    case GRAPH_CAP:
    case GRAPH_FLOOR:
        return bound_at(&point, ret_value);
    case GRAPH_FUND:
        return fund_at(&point, ret_value);
    case GRAPH_NUMBER:
    case GRAPH_TABLE:
    case GRAPH_INPUT:
    case GRAPH_CLAUSE:
    case GRAPH_FIRST:
    case GRAPH_ALLOCATE:
    case GRAPH_TIMING:
    case GRAPH_OP_COUNT:
        break;
    }
    ASSERT(false);
}

/*
 * The primitives: each is read from its mapping into a node, and its unit and dimensions follow
 * from its operands. What does not fit is a finding at the place of the operand.
 */
#include "contract/graph_int.h"

static const Str op_texts[] = {
#define GRAPH_OP(name, text, says) STR_INIT(text),
#include "contract/graph.def"
#undef GRAPH_OP
};

const char *graph_op_text(GraphOp op)
{
    ASSERT((size_t)op < COUNT_OF(op_texts));
    return op_texts[op].ptr;
}

bool primitive_find(Str name, GraphOp *ret_op)
{
    for (size_t i = GRAPH_BASIS; i < GRAPH_OP_COUNT; i++) {
        if (str_eq(op_texts[i], name)) {
            *ret_op = (GraphOp)i;
            return true;
        }
    }
    return false;
}

/* --- operands --- */

static GraphReader *graph_of(const NodeBuilder *builder)
{
    return builder->scope->graph;
}

static Arena *arena_of(const NodeBuilder *builder)
{
    return graph_of(builder)->reader->arena;
}

static const GraphNode *operand(const NodeBuilder *builder, size_t index)
{
    return &graph_of(builder)->nodes.items[builder->operands[index]];
}

static void complain(NodeBuilder *builder, ContractRefusal refusal, const YamlNode *node,
                     const char *text)
{
    graph_refuse(builder->scope, refusal, node, "%s", text);
    builder->is_bad = true;
}

/* One operand more; false when it is "none", and when it is bad. */
static bool add_operand(NodeBuilder *builder, const YamlNode *value, const Unit *unit)
{
    if (builder->count == GRAPH_OPERANDS_MAX) {
        complain(builder, CONTRACT_REFUSAL_LIMIT, value, "too many operands");
        return false;
    }
    NodeId id = graph_resolve(builder->scope, value, unit);
    if (id == NODE_BAD)
        builder->is_bad = true;
    if (id >= NODE_BAD)
        return false;
    builder->operands[builder->count++] = id;
    return true;
}

/* As add_operand, and "none" is not allowed. */
static void need_operand(NodeBuilder *builder, const YamlNode *value, const Unit *unit)
{
    if (!add_operand(builder, value, unit) && !builder->is_bad)
        complain(builder, CONTRACT_REFUSAL_GRAPH, value, "\"none\" cannot stand here");
}

static const YamlNode *need(NodeBuilder *builder, Str key)
{
    const YamlNode *member = yaml_find(builder->body, key);
    if (member == NULL) {
        graph_refuse(builder->scope, CONTRACT_REFUSAL_GRAPH, builder->body, "missing \"%.*s\"",
                     STR_ARG(key));
        builder->is_bad = true;
    }
    return member;
}

/* A member that is one value or a list of them; how many there are. */
static uint32_t add_list(NodeBuilder *builder, const YamlNode *value)
{
    size_t before = builder->count;
    if (value == NULL)
        return 0;
    if (value->kind != YAML_SEQUENCE)
        (void)add_operand(builder, value, NULL);
    else
        for (size_t i = 0; i < value->count; i++)
            (void)add_operand(builder, &value->items[i], NULL);
    return (uint32_t)(builder->count - before);
}

/* All operands first .. must be of one unit, which is given back; bare numbers fit any. */
static bool one_unit(NodeBuilder *builder, size_t first, size_t step, size_t end, Unit *ret_unit,
                     bool *ret_any)
{
    bool has = false;
    Unit unit = {{0}};
    for (size_t i = first; i < end; i += step) {
        const GraphNode *each = operand(builder, i);
        if (each->is_any_unit)
            continue;
        if (has && !unit_eq(unit, each->unit)) {
            graph_refuse(builder->scope, CONTRACT_REFUSAL_UNIT, builder->body,
                         "%.*s and %.*s do not go together (%.*s)",
                         STR_ARG(unit_format(arena_of(builder), unit)),
                         STR_ARG(unit_format(arena_of(builder), each->unit)), STR_ARG(each->name));
            builder->is_bad = true;
            return false;
        }
        unit = each->unit;
        has = true;
    }
    *ret_unit = unit;
    *ret_any = !has;
    return true;
}

/* What must be known for a function of `dims` where rows of `rows` are: attributes follow from
   the keys that they are of. */
static DimensionMask uncovered(const Contract *contract, DimensionMask dims, DimensionMask rows)
{
    DimensionMask missing = 0;
    for (size_t i = 0; i < contract->dimension_count; i++) {
        DimensionMask of = contract->dimensions[i].of;
        bool is_known = (rows & dimension_bit(i)) != 0 || (of != 0 && (of & ~rows) == 0);
        if ((dims & dimension_bit(i)) != 0 && !is_known)
            missing |= dimension_bit(i);
    }
    return missing;
}

static Str first_dimension(const Contract *contract, DimensionMask mask)
{
    size_t index = 0;
    while ((mask & dimension_bit(index)) == 0)
        index++;
    return contract->dimensions[index].name;
}

/* The dimensions of a node that works key by key. It has rows when one of its operands has rows
   that tell apart all that the node needs; else it is a function, worked out where rows ask for it.
 */
static void join(NodeBuilder *builder)
{
    const Contract *contract = graph_of(builder)->reader->contract;
    DimensionMask rows = 0;
    DimensionMask functions = 0;
    bool has_whole = false;
    GraphNode *node = &builder->node;
    for (size_t i = 0; i < builder->count; i++) {
        const GraphNode *each = operand(builder, i);
        if (each->has_rows)
            rows |= each->dims;
        else
            functions |= each->dims;
    }
    for (size_t i = 0; i < builder->count; i++) {
        const GraphNode *each = operand(builder, i);
        has_whole = has_whole || (each->has_rows && each->dims == rows);
    }
    node->has_rows = has_whole && uncovered(contract, functions, rows) == 0;
    node->dims = node->has_rows ? rows : rows | functions;
}

static NodeId finish(NodeBuilder *builder)
{
    if (builder->is_bad)
        return NODE_BAD;
    return graph_add(graph_of(builder), builder->node, builder->operands, builder->count);
}

/* --- basis --- */

static void read_percentiles(NodeBuilder *builder, const YamlNode *node)
{
    static const Str keys[] = {STR_INIT("low"), STR_INIT("high"), STR_INIT("type"),
                               STR_INIT("within")};
    if (!graph_check_keys(builder->scope, node, keys, COUNT_OF(keys))) {
        builder->is_bad = true;
        return;
    }
    const YamlNode *low = yaml_find(node, S("low"));
    const YamlNode *high = yaml_find(node, S("high"));
    const YamlNode *type = yaml_find(node, S("type"));
    const YamlNode *within = yaml_find(node, S("within"));
    if (low == NULL || high == NULL || type == NULL) {
        complain(builder, CONTRACT_REFUSAL_GRAPH, node,
                 "winsorise needs low, high (ratios) and type, the percentile's");
        return;
    }
    size_t before = builder->count;
    bool has_low = add_operand(builder, low, NULL);
    bool has_high = add_operand(builder, high, NULL);
    if (has_low != has_high)
        complain(builder, CONTRACT_REFUSAL_GRAPH, node, "give both low and high, or none of them");
    if (!has_low || !has_high) {
        builder->count = before;
        return;
    }
    int64_t number;
    if (!str_to_int64(type->text, &number) ||
        (number != 1 && number != 2 && number != 6 && number != 7)) {
        complain(builder, CONTRACT_REFUSAL_GRAPH, type, "percentiles of type 1, 2, 6 or 7");
        return;
    }
    builder->node.as.basis.has_percentiles = true;
    builder->node.as.basis.percentile_type = (int)number;
    if (within != NULL && !graph_dimensions(builder->scope, within, &builder->node.as.basis.within))
        builder->is_bad = true;
}

static void read_reduction(NodeBuilder *builder, const YamlNode *over, const YamlNode *keep,
                           DimensionMask dims)
{
    GraphNode *node = &builder->node;
    DimensionMask mask = 0;
    if (over != NULL && keep != NULL) {
        complain(builder, CONTRACT_REFUSAL_GRAPH, keep, "\"over\" and \"keep\" exclude each other");
        return;
    }
    if (over == NULL && keep == NULL)
        return;
    if (!graph_dimensions(builder->scope, over != NULL ? over : keep, &mask)) {
        builder->is_bad = true;
        return;
    }
    if (!node->has_rows) {
        complain(builder, CONTRACT_REFUSAL_DIMENSION, builder->body,
                 "no input tells apart all that these values depend on, so there are no rows to "
                 "take together");
        return;
    }
    if (over != NULL && (mask & ~dims) != 0) {
        graph_refuse(builder->scope, CONTRACT_REFUSAL_DIMENSION, over,
                     "what is taken together is not told apart by %.*s",
                     STR_ARG(first_dimension(graph_of(builder)->reader->contract, mask & ~dims)));
        builder->is_bad = true;
        return;
    }
    node->as.basis.reduced = over != NULL ? mask : dims & ~mask;
    node->dims = dims & ~node->as.basis.reduced;
}

/* X per Y is a sum over a sum: both are taken together over the same dimensions. */
static NodeId read_per(NodeBuilder *builder, NodeId numerator, const YamlNode *per)
{
    if (numerator >= NODE_BAD)
        return numerator;
    NodeBuilder divided = {.scope = builder->scope, .body = builder->body};
    divided.node.op = GRAPH_RATE;
    divided.node.clause = builder->node.clause;
    divided.node.line = builder->node.line;
    divided.node.column = builder->node.column;
    divided.operands[divided.count++] = numerator;
    if (!add_operand(&divided, per, NULL))
        return divided.is_bad ? NODE_BAD : numerator;
    const GraphNode *below = operand(&divided, 1);
    DimensionMask reduced = builder->node.as.basis.reduced & below->dims;
    if (reduced != 0 && below->has_rows) {
        GraphNode sum = builder->node;
        sum.unit = below->unit;
        sum.dims = below->dims & ~reduced;
        sum.as.basis.add_count = 1;
        sum.as.basis.less_count = 0;
        sum.as.basis.has_bound = false;
        sum.as.basis.has_percentiles = false;
        sum.as.basis.reduced = reduced;
        sum.as.basis.take = GRAPH_TAKE_SUM;
        divided.operands[1] = graph_add(graph_of(builder), sum, &divided.operands[1], 1);
    }
    divided.node.unit = unit_combine(operand(&divided, 0)->unit, operand(&divided, 1)->unit, -1);
    join(&divided);
    return finish(&divided);
}

static NodeId read_basis(NodeBuilder *builder)
{
    static const Str keys[] = {STR_INIT("of"),      STR_INIT("less"),     STR_INIT("per"),
                               STR_INIT("over"),    STR_INIT("keep"),     STR_INIT("take"),
                               STR_INIT("at-most"), STR_INIT("winsorise")};
    static const Str takes[] = {
#define GRAPH_TAKE(name, text) STR_INIT(text),
#include "contract/graph.def"
#undef GRAPH_TAKE
    };
    GraphNode *node = &builder->node;
    if (!graph_check_keys(builder->scope, builder->body, keys, COUNT_OF(keys)))
        return NODE_BAD;
    const YamlNode *of = need(builder, S("of"));
    if (of == NULL)
        return NODE_BAD;
    node->as.basis.add_count = add_list(builder, of);
    node->as.basis.less_count = add_list(builder, yaml_find(builder->body, S("less")));
    if (builder->is_bad)
        return NODE_BAD;
    if (node->as.basis.add_count == 0) {
        complain(builder, CONTRACT_REFUSAL_GRAPH, of, "nothing is counted or summed here");
        return NODE_BAD;
    }
    const YamlNode *bound = yaml_find(builder->body, S("at-most"));
    node->as.basis.has_bound = bound != NULL && add_operand(builder, bound, NULL);
    (void)one_unit(builder, 0, 1, builder->is_bad ? 0 : builder->count, &node->unit,
                   &node->is_any_unit);
    if (!builder->is_bad)
        join(builder);
    const YamlNode *percentiles = yaml_find(builder->body, S("winsorise"));
    if (percentiles != NULL)
        read_percentiles(builder, percentiles);
    const YamlNode *take = yaml_find(builder->body, S("take"));
    size_t word = take == NULL
                      ? GRAPH_TAKE_SUM
                      : graph_word(builder->scope, take, "way to take rows together", WORDS(takes));
    if (word == SIZE_MAX || builder->is_bad)
        return NODE_BAD;
    node->as.basis.take = (GraphTake)word;
    if (node->as.basis.take == GRAPH_TAKE_COUNT)
        node->unit = unit_of(UNIT_BASE_COUNT);
    read_reduction(builder, yaml_find(builder->body, S("over")),
                   yaml_find(builder->body, S("keep")), node->dims);
    NodeId id = finish(builder);
    const YamlNode *per = yaml_find(builder->body, S("per"));
    return per == NULL ? id : read_per(builder, id, per);
}

/* --- rate --- */

/* A product of which a factor is "none" is none itself: so a bound that is a part of something
   goes when the part is not given. */
static bool has_none(NodeBuilder *builder, const YamlNode *value)
{
    size_t count = value == NULL ? 0 : value->kind == YAML_SEQUENCE ? value->count : 1;
    for (size_t i = 0; i < count; i++) {
        const YamlNode *each = value->kind == YAML_SEQUENCE ? &value->items[i] : value;
        if (each->kind == YAML_SCALAR && graph_resolve(builder->scope, each, NULL) == NODE_NONE)
            return true;
    }
    return false;
}

/* A price for one person, event or month, which rounding at the person brings to coins first. */
static bool is_per_unit(const GraphNode *of)
{
    return !of->is_any_unit && (unit_eq(of->unit, unit_of(UNIT_BASE_COUNT)) ||
                                unit_eq(of->unit, unit_of(UNIT_BASE_MONTHS)));
}

static NodeId read_rate(NodeBuilder *builder)
{
    static const Str keys[] = {STR_INIT("of"), STR_INIT("by"), STR_INIT("per")};
    GraphNode *node = &builder->node;
    if (!graph_check_keys(builder->scope, builder->body, keys, COUNT_OF(keys)))
        return NODE_BAD;
    const YamlNode *of = need(builder, S("of"));
    if (of == NULL)
        return NODE_BAD;
    const YamlNode *by = yaml_find(builder->body, S("by"));
    if (has_none(builder, of) || has_none(builder, by) ||
        has_none(builder, yaml_find(builder->body, S("per"))))
        return NODE_NONE;
    need_operand(builder, of, NULL);
    node->as.rate.factor_count = add_list(builder, by);
    uint32_t divisors = add_list(builder, yaml_find(builder->body, S("per")));
    if (builder->is_bad)
        return NODE_BAD;
    for (size_t i = 0; i < builder->count; i++) {
        bool divides = i >= builder->count - divisors;
        if (!operand(builder, i)->is_any_unit)
            node->unit = unit_combine(node->unit, operand(builder, i)->unit, divides ? -1 : 1);
    }
    join(builder);
    node->as.rate.rounds_each = graph_of(builder)->reader->contract->round_at == ROUND_AT_PERSON &&
                                unit_eq(node->unit, unit_of(UNIT_BASE_MONEY)) &&
                                is_per_unit(operand(builder, 0));
    return finish(builder);
}

/* --- gate --- */

/* [quality, is-given] */
static bool read_given(NodeBuilder *builder, const YamlNode *list, GraphTest *ret_test)
{
    static const Str words[] = {STR_INIT("is-given"), STR_INIT("is-not-given")};
    size_t word = graph_word(builder->scope, &list->items[1], "test", WORDS(words));
    size_t before = builder->count;
    need_operand(builder, &list->items[0], NULL);
    if (word == SIZE_MAX)
        builder->is_bad = true;
    if (builder->is_bad)
        return false;
    if (operand(builder, before)->op != GRAPH_INPUT) {
        complain(builder, CONTRACT_REFUSAL_GRAPH, &list->items[0],
                 "only an input can be given or not");
        return false;
    }
    builder->operands[builder->count] = builder->operands[before];
    builder->count++;
    *ret_test = word == 0 ? GRAPH_TEST_GIVEN : GRAPH_TEST_NOT_GIVEN;
    return true;
}

static bool read_test(NodeBuilder *builder, const YamlNode *list, GraphTest *ret_test)
{
    static const Str words[] = {
#define GRAPH_TEST(name, text) STR_INIT(text),
#include "contract/graph.def"
#undef GRAPH_TEST
    };
    const Words comparisons = {words, GRAPH_TEST_GIVEN};
    if (list->kind == YAML_SEQUENCE && list->count == 2)
        return read_given(builder, list, ret_test);
    if (list->kind != YAML_SEQUENCE || list->count != 3) {
        complain(builder, CONTRACT_REFUSAL_GRAPH, list,
                 "expected a test such as [saved, at-least, minimum]");
        return false;
    }
    size_t word = graph_word(builder->scope, &list->items[1], "test", comparisons);
    size_t before = builder->count;
    need_operand(builder, &list->items[0], NULL);
    need_operand(builder, &list->items[2], NULL);
    if (word == SIZE_MAX)
        builder->is_bad = true;
    if (builder->is_bad)
        return false;
    Unit unit;
    bool is_any;
    *ret_test = (GraphTest)word;
    return one_unit(builder, before, 1, builder->count, &unit, &is_any);
}

bool primitive_read_test(NodeBuilder *builder, const YamlNode *list, GraphTest *ret_test)
{
    return read_test(builder, list, ret_test);
}

static void read_tests(NodeBuilder *builder, const YamlNode *node)
{
    GraphNode *gate = &builder->node;
    bool is_one = node->kind == YAML_SEQUENCE && (node->count == 3 || node->count == 2) &&
                  node->items[1].kind == YAML_SCALAR;
    size_t count = is_one ? 1 : node->count;
    if (node->kind != YAML_SEQUENCE || count == 0 || count > COUNT_OF(gate->as.gate.tests)) {
        complain(builder, CONTRACT_REFUSAL_GRAPH, node,
                 "expected a test such as [saved, at-least, minimum], or a list of 1 to 8 of them "
                 "that must all hold");
        return;
    }
    for (size_t i = 0; i < count && !builder->is_bad; i++)
        (void)read_test(builder, is_one ? node : &node->items[i], &gate->as.gate.tests[i]);
    gate->as.gate.test_count = (uint32_t)count;
}

static NodeId read_gate(NodeBuilder *builder)
{
    static const Str keys[] = {STR_INIT("of"), STR_INIT("if"), STR_INIT("else")};
    static const YamlNode zero = {.kind = YAML_SCALAR, .text = STR_INIT("0")};
    if (!graph_check_keys(builder->scope, builder->body, keys, COUNT_OF(keys)))
        return NODE_BAD;
    const YamlNode *of = need(builder, S("of"));
    const YamlNode *tests = need(builder, S("if"));
    const YamlNode *otherwise = yaml_find(builder->body, S("else"));
    if (of == NULL || tests == NULL)
        return NODE_BAD;
    need_operand(builder, of, NULL);
    if (!builder->is_bad)
        read_tests(builder, tests);
    if (!builder->is_bad)
        need_operand(builder, otherwise == NULL ? &zero : otherwise, NULL);
    if (builder->is_bad)
        return NODE_BAD;
    (void)one_unit(builder, 0, builder->count - 1, builder->count, &builder->node.unit,
                   &builder->node.is_any_unit);
    if (!builder->is_bad)
        join(builder);
    return finish(builder);
}

/* --- curve --- */

/* {at: X, gives: Y} of a line; {from: X, gives: Y} of steps; {from: X, rate: Y} of bands. */
static void read_point(NodeBuilder *builder, Scope *scope, const YamlNode *point)
{
    GraphShape shape = builder->node.as.curve.shape;
    Str first = shape == GRAPH_SHAPE_LINE ? S("at") : S("from");
    Str second = shape == GRAPH_SHAPE_MARGINAL ? S("rate") : S("gives");
    Str keys[] = {first, second};
    Scope *own = builder->scope;
    builder->scope = scope;
    if (!graph_check_keys(scope, point, keys, COUNT_OF(keys))) {
        builder->is_bad = true;
    } else if (yaml_find(point, first) == NULL || yaml_find(point, second) == NULL) {
        complain(builder, CONTRACT_REFUSAL_GRAPH, point, "both members of a point are needed");
    } else {
        need_operand(builder, yaml_find(point, first), NULL);
        need_operand(builder, yaml_find(point, second), NULL);
    }
    builder->scope = own;
}

/* Places that are plain numbers must ascend; others are looked at when they are known. */
static void check_ascending(NodeBuilder *builder)
{
    for (size_t i = 3; i < builder->count; i += 2) {
        const GraphNode *low = operand(builder, i - 2);
        const GraphNode *high = operand(builder, i);
        if (low->op == GRAPH_NUMBER && high->op == GRAPH_NUMBER &&
            ratio_cmp(low->as.number, high->as.number) >= 0) {
            complain(builder, CONTRACT_REFUSAL_CURVE, builder->body,
                     "the points must ascend, each above the one before");
            return;
        }
    }
}

static NodeId read_curve(NodeBuilder *builder)
{
    static const Str keys[] = {STR_INIT("of"), STR_INIT("shape"), STR_INIT("points")};
    static const Str shapes[] = {
#define GRAPH_SHAPE(name, text) STR_INIT(text),
#include "contract/graph.def"
#undef GRAPH_SHAPE
    };
    GraphNode *node = &builder->node;
    if (!graph_check_keys(builder->scope, builder->body, keys, COUNT_OF(keys)))
        return NODE_BAD;
    const YamlNode *of = need(builder, S("of"));
    const YamlNode *shape = need(builder, S("shape"));
    const YamlNode *value = need(builder, S("points"));
    if (builder->is_bad)
        return NODE_BAD;
    size_t word = graph_word(builder->scope, shape, "shape", WORDS(shapes));
    Scope *scope;
    const YamlNode *points = graph_points(builder->scope, value, &scope);
    if (word == SIZE_MAX || points == NULL)
        return NODE_BAD;
    node->as.curve.shape = (GraphShape)word;
    need_operand(builder, of, NULL);
    if (points->kind != YAML_SEQUENCE || points->count == 0 ||
        points->count > GRAPH_OPERANDS_MAX / 2 - 1) {
        graph_refuse(scope, CONTRACT_REFUSAL_CURVE, points, "expected a list of 1 to %d points",
                     GRAPH_OPERANDS_MAX / 2 - 1);
        return NODE_BAD;
    }
    for (size_t i = 0; i < points->count && !builder->is_bad; i++)
        read_point(builder, scope, &points->items[i]);
    if (builder->is_bad)
        return NODE_BAD;
    check_ascending(builder);
    Unit at;
    bool is_any;
    if (builder->is_bad || !one_unit(builder, 2, 2, builder->count, &node->unit, &is_any))
        return NODE_BAD;
    node->is_any_unit = is_any && node->as.curve.shape != GRAPH_SHAPE_MARGINAL;
    bool is_any_place;
    if (!one_unit(builder, 1, 2, builder->count, &at, &is_any_place))
        return NODE_BAD;
    const GraphNode *measured = operand(builder, 0);
    if (!measured->is_any_unit && !is_any_place && !unit_eq(measured->unit, at)) {
        graph_refuse(builder->scope, CONTRACT_REFUSAL_UNIT, of,
                     "this is in %.*s, and the points are in %.*s",
                     STR_ARG(unit_format(arena_of(builder), measured->unit)),
                     STR_ARG(unit_format(arena_of(builder), at)));
        return NODE_BAD;
    }
    if (node->as.curve.shape == GRAPH_SHAPE_MARGINAL)
        node->unit = unit_combine(operand(builder, 0)->unit, node->unit, 1);
    join(builder);
    return finish(builder);
}

/* --- cap and floor --- */

static NodeId read_bound(NodeBuilder *builder)
{
    static const Str keys[] = {STR_INIT("of"), STR_INIT("at")};
    if (!graph_check_keys(builder->scope, builder->body, keys, COUNT_OF(keys)))
        return NODE_BAD;
    const YamlNode *of = need(builder, S("of"));
    const YamlNode *at = need(builder, S("at"));
    if (of == NULL || at == NULL)
        return NODE_BAD;
    need_operand(builder, of, NULL);
    if (builder->is_bad)
        return NODE_BAD;
    if (!add_operand(builder, at, NULL)) {
        if (builder->is_bad)
            return NODE_BAD;
        /* no bound: a node of its own all the same, so that the graph shows it */
        builder->node.op = GRAPH_BASIS;
        builder->node.as.basis.add_count = 1;
    }
    (void)one_unit(builder, 0, 1, builder->count, &builder->node.unit, &builder->node.is_any_unit);
    if (!builder->is_bad)
        join(builder);
    return finish(builder);
}

/* --- allocate --- */

static NodeId read_allocate(NodeBuilder *builder)
{
    static const Str keys[] = {STR_INIT("of"), STR_INIT("by"), STR_INIT("to")};
    GraphNode *node = &builder->node;
    if (!graph_check_keys(builder->scope, builder->body, keys, COUNT_OF(keys)))
        return NODE_BAD;
    const YamlNode *of = need(builder, S("of"));
    const YamlNode *by = need(builder, S("by"));
    const YamlNode *to = need(builder, S("to"));
    DimensionMask mask;
    if (builder->is_bad || !graph_dimensions(builder->scope, to, &mask))
        return NODE_BAD;
    need_operand(builder, of, NULL);
    if (!builder->is_bad)
        need_operand(builder, by, NULL);
    if (builder->is_bad)
        return NODE_BAD;
    const GraphNode *total = operand(builder, 0);
    const GraphNode *weights = operand(builder, 1);
    if (!total->is_any_unit && !unit_eq(total->unit, unit_of(UNIT_BASE_MONEY)))
        complain(builder, CONTRACT_REFUSAL_UNIT, of, "only money is shared out");
    if (!weights->has_rows || (total->dims & mask) != 0 || weights->dims != (total->dims | mask))
        complain(builder, CONTRACT_REFUSAL_DIMENSION, builder->body,
                 "the weights must be told apart by what the total is, and by what it is shared "
                 "out to");
    if (builder->is_bad)
        return NODE_BAD;
    node->as.allocate.to = (uint32_t)__builtin_ctz(mask);
    node->unit = unit_of(UNIT_BASE_MONEY);
    node->dims = weights->dims;
    node->has_rows = true;
    return finish(builder);
}

/* --- fund --- */

static NodeId read_fund(NodeBuilder *builder)
{
    static const Str keys[] = {STR_INIT("in"), STR_INIT("out"), STR_INIT("give"), STR_INIT("keep"),
                               STR_INIT("carry")};
    static const Str gives[] = {
#define GRAPH_GIVE(name, text) STR_INIT(text),
#include "contract/graph.def"
#undef GRAPH_GIVE
    };
    static const Str carries[] = {
#define GRAPH_CARRY(name, text) STR_INIT(text),
#include "contract/graph.def"
#undef GRAPH_CARRY
    };
    static const YamlNode zero = {.kind = YAML_SCALAR, .text = STR_INIT("0")};
    GraphNode *node = &builder->node;
    if (!graph_check_keys(builder->scope, builder->body, keys, COUNT_OF(keys)))
        return NODE_BAD;
    const YamlNode *in = need(builder, S("in"));
    const YamlNode *out = need(builder, S("out"));
    const YamlNode *give = need(builder, S("give"));
    const YamlNode *carry = yaml_find(builder->body, S("carry"));
    const YamlNode *keep = yaml_find(builder->body, S("keep"));
    if (builder->is_bad)
        return NODE_BAD;
    size_t given = graph_word(builder->scope, give, "part of a fund", WORDS(gives));
    size_t carried = carry == NULL ? 0
                                   : graph_word(builder->scope, carry, "part of a fund to carry on",
                                                WORDS(carries));
    if (given == SIZE_MAX || carried == SIZE_MAX)
        return NODE_BAD;
    node->as.fund.give = (GraphGive)given;
    node->as.fund.carry = (GraphCarry)carried;
    node->as.fund.in_count = add_list(builder, in);
    node->as.fund.out_count = add_list(builder, out);
    if (builder->is_bad ||
        !one_unit(builder, 0, 1, builder->count, &node->unit, &node->is_any_unit))
        return NODE_BAD;
    need_operand(builder, keep == NULL ? &zero : keep, NULL);
    if (builder->is_bad)
        return NODE_BAD;
    join(builder);
    if (node->as.fund.carry != GRAPH_CARRY_NOTHING &&
        (!node->has_rows || (node->dims & dimension_bit(DIMENSION_PERIOD)) == 0))
        complain(builder, CONTRACT_REFUSAL_DIMENSION, carry,
                 "there are no periods to carry anything into");
    return finish(builder);
}

/* --- timing --- */

static NodeId read_timing(NodeBuilder *builder)
{
    enum { INSTALMENTS_MAX = 366 };
    static const Str keys[] = {STR_INIT("of"), STR_INIT("instalments"), STR_INIT("account")};
    GraphNode *node = &builder->node;
    if (!graph_check_keys(builder->scope, builder->body, keys, COUNT_OF(keys)))
        return NODE_BAD;
    const YamlNode *of = need(builder, S("of"));
    const YamlNode *instalments = need(builder, S("instalments"));
    const YamlNode *account = yaml_find(builder->body, S("account"));
    if (builder->is_bad)
        return NODE_BAD;
    Scope *scope;
    const YamlNode *value = graph_points(builder->scope, instalments, &scope);
    Ratio number;
    int64_t count = 0;
    if (value == NULL)
        return NODE_BAD;
    if (!graph_number(arena_of(builder), value, &number) || !ratio_is_integer(number) ||
        !ratio_round_to_steps(number, 0, ROUNDING_DOWN, &count) || count < 1 ||
        count > INSTALMENTS_MAX) {
        graph_refuse(scope, CONTRACT_REFUSAL_GRAPH, value, "expected a whole number from 1 to %d",
                     INSTALMENTS_MAX);
        return NODE_BAD;
    }
    need_operand(builder, of, NULL);
    node->as.timing.has_account = account != NULL && add_operand(builder, account, NULL);
    if (builder->is_bad)
        return NODE_BAD;
    (void)one_unit(builder, 0, 1, builder->count, &node->unit, &node->is_any_unit);
    if (!builder->is_bad && !unit_eq(node->unit, unit_of(UNIT_BASE_MONEY)))
        complain(builder, CONTRACT_REFUSAL_UNIT, of, "only money is paid in instalments");
    if (!builder->is_bad)
        join(builder);
    if (!builder->is_bad &&
        (!node->has_rows || (node->dims & dimension_bit(DIMENSION_INSTALMENT)) != 0))
        complain(builder, CONTRACT_REFUSAL_DIMENSION, builder->body,
                 "there is nothing to pay, or it is in instalments already");
    node->as.timing.instalments = (int32_t)count;
    node->dims |= dimension_bit(DIMENSION_INSTALMENT);
    return finish(builder);
}

NodeId primitive_read(Scope *scope, const YamlNode *node, GraphOp op)
{
    typedef NodeId (*ReadFn)(NodeBuilder *);
    static const ReadFn readers[GRAPH_OP_COUNT] = {
        [GRAPH_BASIS] = read_basis,       [GRAPH_RATE] = read_rate, [GRAPH_GATE] = read_gate,
        [GRAPH_CURVE] = read_curve,       [GRAPH_CAP] = read_bound, [GRAPH_FLOOR] = read_bound,
        [GRAPH_ALLOCATE] = read_allocate, [GRAPH_FUND] = read_fund, [GRAPH_TIMING] = read_timing,
    };
    const YamlNode *at = scope->macro == NULL ? node : scope->place;
    NodeBuilder *builder = ARENA_NEW(scope->graph->reader->arena, NodeBuilder);
    builder->scope = scope;
    builder->body = node;
    builder->node.op = op;
    builder->node.clause = scope->clause;
    builder->node.line = at->line;
    builder->node.column = at->column;
    ASSERT(readers[op] != NULL);
    return readers[op](builder);
}

/* Primitives over whole tables: keys from the operands, winsorising, sums over dimensions, exact
   splits, funds that carry on, instalments. */
#include "contract/eval_int.h"

#include <stdlib.h>

typedef struct {
    Eval *eval;
    const GraphNode *node;
    DimensionMask dims; /* of the rows at work */
    uint32_t width;
    size_t count;
    int32_t *keys;
    Ratio *values;
} Rows;

static EvalKey row_key(const Rows *rows, size_t row)
{
    return (EvalKey){rows->dims, &rows->keys[row * rows->width]};
}

/* --- keys --- */

static int compare_keys(const void *a, const void *b, void *context)
{
    const int32_t *left = a;
    const int32_t *right = b;
    uint32_t width = *(const uint32_t *)context;
    for (uint32_t i = 0; i < width; i++)
        if (left[i] != right[i])
            return left[i] < right[i] ? -1 : 1;
    return 0;
}

/* The keys of all operands that are told apart by all that the node is, each once. */
static void take_keys(Rows *rows)
{
    Eval *eval = rows->eval;
    const ValueTable *only = NULL;
    size_t total = 0;
    bool is_same = true;
    for (size_t i = 0; i < rows->node->operand_count; i++) {
        NodeId id = rows->node->operands[i];
        const GraphNode *operand = &eval->contract->nodes[id];
        if (!operand->has_rows || operand->dims != rows->dims)
            continue;
        const ValueTable *table = &eval->tables[id];
        size_t bytes = table->count * table->width * sizeof(int32_t);
        is_same = is_same && (only == NULL || (only->count == table->count &&
                                               memcmp(only->keys, table->keys, bytes) == 0));
        only = table;
        total += table->count;
    }
    ASSERT(only != NULL);
    size_t size = rows->width * sizeof(int32_t);
    if (is_same) {
        rows->count = only->count;
        rows->keys = arena_copy(eval->arena, only->keys, only->count * size);
        return;
    }
    rows->keys = arena_alloc(eval->arena, total * size + 1);
    size_t filled = 0;
    for (size_t i = 0; i < rows->node->operand_count; i++) {
        NodeId id = rows->node->operands[i];
        const GraphNode *operand = &eval->contract->nodes[id];
        if (!operand->has_rows || operand->dims != rows->dims)
            continue;
        const ValueTable *table = &eval->tables[id];
        memcpy(&rows->keys[filled * rows->width], table->keys, table->count * size);
        filled += table->count;
    }
    if (size > 0)
        qsort_r(rows->keys, filled, size, compare_keys, &rows->width);
    for (size_t i = 0; i < filled; i++) {
        int32_t *key = &rows->keys[i * rows->width];
        if (rows->count > 0 && memcmp(&rows->keys[(rows->count - 1) * rows->width], key, size) == 0)
            continue;
        memmove(&rows->keys[rows->count * rows->width], key, size);
        rows->count++;
    }
}

static bool compute_points(Rows *rows)
{
    rows->values = ARENA_ARRAY(rows->eval->arena, Ratio, rows->count + 1);
    for (size_t i = 0; i < rows->count; i++)
        if (eval_point(rows->eval, rows->node, row_key(rows, i), &rows->values[i]) != LOOKUP_FOUND)
            return false;
    return true;
}

/* --- groups: rows that agree in some dimensions --- */

typedef struct {
    DimensionMask dims;
    uint32_t width;
    size_t count;
    int32_t *keys;  /* of each group, ascending */
    size_t *starts; /* of each group in `order`, and the end */
    size_t *order;  /* rows by group, in their order */
} Groups;

typedef struct {
    const int32_t *keys;
    uint32_t width;
} OrderContext;

static int compare_order(const void *a, const void *b, void *context)
{
    const OrderContext *order = context;
    size_t left = *(const size_t *)a;
    size_t right = *(const size_t *)b;
    uint32_t width = order->width;
    int by_key = compare_keys(&order->keys[left * width], &order->keys[right * width], &width);
    return by_key != 0 ? by_key : (left > right) - (left < right);
}

static Groups group_by(const Rows *rows, DimensionMask dims)
{
    Arena *arena = rows->eval->arena;
    Groups groups = {.dims = dims, .width = eval_width(dims)};
    uint32_t width = groups.width;
    int32_t *all = ARENA_ARRAY(arena, int32_t, rows->count * width + 1);
    groups.order = ARENA_ARRAY(arena, size_t, rows->count + 1);
    for (size_t i = 0; i < rows->count; i++) {
        groups.order[i] = i;
        eval_project(rows->dims, &rows->keys[i * rows->width], dims, &all[i * width]);
    }
    OrderContext context = {all, width};
    qsort_r(groups.order, rows->count, sizeof(size_t), compare_order, &context);
    groups.keys = ARENA_ARRAY(arena, int32_t, rows->count * width + 1);
    groups.starts = ARENA_ARRAY(arena, size_t, rows->count + 1);
    for (size_t i = 0; i < rows->count; i++) {
        const int32_t *key = &all[groups.order[i] * width];
        if (groups.count > 0 &&
            compare_keys(&groups.keys[(groups.count - 1) * width], key, &width) == 0)
            continue;
        memcpy(&groups.keys[groups.count * width], key, width * sizeof(int32_t));
        groups.starts[groups.count++] = i;
    }
    groups.starts[groups.count] = rows->count;
    return groups;
}

/* --- winsorising --- */

static int compare_values(const void *a, const void *b)
{
    return ratio_cmp(*(const Ratio *)a, *(const Ratio *)b);
}

/* Where between the sorted values the percentile lies, from 1: types as Hyndman and Fan number
 * them. */
static Ratio percentile(Arena *arena, const Ratio *sorted, size_t count, Ratio p, int type)
{
    Ratio n = ratio_from_int((int64_t)count);
    Ratio place = ratio_multiply(arena, n, p);
    if (type == 6)
        place = ratio_add(arena, place, p);
    if (type == 7)
        place = ratio_add(arena, ratio_subtract(arena, place, p), ratio_from_int(1));
    int64_t whole;
    Ratio rest;
    ASSERT(ratio_floor(arena, place, &whole, &rest));
    bool is_whole = ratio_sign(rest) == 0;
    if (type == 1 || type == 2) {
        /* the value at the ceiling; type 2 takes the middle of two where the place is whole */
        int64_t at = is_whole ? whole : whole + 1;
        if (at < 1)
            return sorted[0];
        if (at >= (int64_t)count)
            return sorted[count - 1];
        if (type == 1 || !is_whole)
            return sorted[at - 1];
        return ratio_divide(arena, ratio_add(arena, sorted[at - 1], sorted[at]), ratio_from_int(2));
    }
    if (whole < 1)
        return sorted[0];
    if (whole >= (int64_t)count)
        return sorted[count - 1];
    Ratio step = ratio_subtract(arena, sorted[whole], sorted[whole - 1]);
    return ratio_add(arena, sorted[whole - 1], ratio_multiply(arena, rest, step));
}

static bool winsorise_group(Rows *rows, const Groups *groups, size_t group, const Ratio bounds[2])
{
    Arena *arena = rows->eval->arena;
    size_t first = groups->starts[group];
    size_t count = groups->starts[group + 1] - first;
    Ratio *sorted = ARENA_ARRAY(arena, Ratio, count);
    for (size_t i = 0; i < count; i++) {
        sorted[i] = rows->values[groups->order[first + i]];
        if (!ratio_is_valid(sorted[i]))
            return true; /* told when the result is looked at */
    }
    qsort(sorted, count, sizeof(Ratio), compare_values);
    int type = rows->node->as.basis.percentile_type;
    Ratio low = percentile(arena, sorted, count, bounds[0], type);
    Ratio high = percentile(arena, sorted, count, bounds[1], type);
    for (size_t i = 0; i < count; i++) {
        Ratio *value = &rows->values[groups->order[first + i]];
        if (ratio_cmp(*value, low) < 0)
            *value = low;
        else if (ratio_cmp(*value, high) > 0)
            *value = high;
    }
    return true;
}

static bool winsorise(Rows *rows)
{
    const GraphNode *node = rows->node;
    DimensionMask within = node->as.basis.within & rows->dims;
    size_t first = node->operand_count - 2;
    Groups groups = group_by(rows, within);
    for (size_t i = 0; i < groups.count; i++) {
        Ratio bounds[2];
        EvalKey key = {within, &groups.keys[i * groups.width]};
        if (!eval_need(rows->eval, node, node->operands[first], key, &bounds[0]) ||
            !eval_need(rows->eval, node, node->operands[first + 1], key, &bounds[1]))
            return false;
        Ratio one = ratio_from_int(1);
        if (ratio_sign(bounds[0]) < 0 || ratio_cmp(bounds[1], one) > 0 ||
            ratio_cmp(bounds[0], bounds[1]) > 0) {
            eval_refuse(rows->eval, node, "settle-percentile",
                        "percentiles are ratios from 0 to 1, the low one first");
            return false;
        }
        if (!winsorise_group(rows, &groups, i, bounds))
            return false;
    }
    return true;
}

/* --- taking rows together --- */

static Ratio take(const Rows *rows, const Groups *groups, size_t group)
{
    Arena *arena = rows->eval->arena;
    GraphTake how = rows->node->as.basis.take;
    size_t first = groups->starts[group];
    size_t count = groups->starts[group + 1] - first;
    if (how == GRAPH_TAKE_COUNT)
        return ratio_from_int((int64_t)count);
    Ratio result = rows->values[groups->order[first]];
    for (size_t i = 1; i < count; i++) {
        Ratio value = rows->values[groups->order[first + i]];
        if (how == GRAPH_TAKE_SUM || how == GRAPH_TAKE_MEAN)
            result = ratio_add(arena, result, value);
        else if (!ratio_is_valid(value) || !ratio_is_valid(result))
            result = ratio_is_valid(value) ? result : value;
        else if ((how == GRAPH_TAKE_MIN) == (ratio_cmp(value, result) < 0))
            result = value;
    }
    if (how == GRAPH_TAKE_MEAN)
        result = ratio_divide(arena, result, ratio_from_int((int64_t)count));
    return result;
}

static void reduce(Rows *rows)
{
    Groups groups = group_by(rows, rows->node->dims);
    Ratio *values = ARENA_ARRAY(rows->eval->arena, Ratio, groups.count + 1);
    for (size_t i = 0; i < groups.count; i++)
        values[i] = take(rows, &groups, i);
    rows->dims = groups.dims;
    rows->width = groups.width;
    rows->count = groups.count;
    rows->keys = groups.keys;
    rows->values = values;
}

/* The dimensions that the operands have together: those of the rows before any are taken together.
 */
static DimensionMask basis_dims(const Rows *rows)
{
    return rows->node->dims | rows->node->as.basis.reduced;
}

/* --- allocate --- */

static int64_t scale_of(const Contract *contract)
{
    int64_t scale = 1;
    for (int i = 0; i < contract->currency.digits; i++)
        scale *= 10;
    return scale;
}

static bool round_money(Eval *eval, const GraphNode *node, Ratio value, int64_t *ret_minor)
{
    if (ratio_round_to_steps(value, eval->contract->currency.digits, eval->contract->rounding,
                             ret_minor) &&
        *ret_minor != INT64_MIN)
        return true;
    eval_refuse(eval, node, "settle-overflow", "an amount is out of range");
    return false;
}

typedef struct {
    Ratio rest;
    size_t row;
} Share;

/* Larger rests first, then the order of rows: that of party ids. */
static int compare_shares(const void *a, const void *b)
{
    const Share *left = a;
    const Share *right = b;
    int order = ratio_cmp(right->rest, left->rest);
    return order != 0 ? order : (left->row > right->row) - (left->row < right->row);
}

/* Exact shares of a total brought to whole coins: each rounded down, then one more to those with
   the largest rests. `exact` are not negative and their sum is `total`. */
static bool largest_remainder(Arena *arena, const Ratio *exact, size_t count, int64_t total,
                              int64_t *ret_parts)
{
    Share *shares = ARENA_ARRAY(arena, Share, count + 1);
    int64_t given = 0;
    for (size_t i = 0; i < count; i++) {
        shares[i].row = i;
        if (!ratio_floor(arena, exact[i], &ret_parts[i], &shares[i].rest) ||
            !ratio_is_valid(shares[i].rest) || !money_add(given, ret_parts[i], &given))
            return false;
    }
    qsort(shares, count, sizeof(Share), compare_shares);
    ASSERT(given <= total && total - given <= (int64_t)count);
    for (int64_t i = 0; i < total - given; i++)
        ret_parts[shares[i].row]++;
    return true;
}

static bool weights_sum(Rows *rows, const Groups *groups, size_t group, Ratio *ret_sum)
{
    Ratio sum = ratio_from_int(0);
    for (size_t i = groups->starts[group]; i < groups->starts[group + 1]; i++) {
        size_t row = groups->order[i];
        if (ratio_sign(rows->values[row]) < 0) {
            eval_refuse(rows->eval, rows->node, "settle-weight", "a weight is negative for %.*s",
                        STR_ARG(eval_key_text(rows->eval, row_key(rows, row))));
            return false;
        }
        sum = ratio_add(rows->eval->arena, sum, rows->values[row]);
    }
    *ret_sum = sum;
    return true;
}

static bool split_group(Rows *rows, const Groups *groups, size_t group, Ratio *results)
{
    Eval *eval = rows->eval;
    Arena *arena = eval->arena;
    const GraphNode *node = rows->node;
    EvalKey key = {groups->dims, &groups->keys[group * groups->width]};
    size_t first = groups->starts[group];
    size_t count = groups->starts[group + 1] - first;
    Ratio total;
    Ratio sum;
    int64_t minor;
    if (!eval_need(eval, node, node->operands[0], key, &total) ||
        !weights_sum(rows, groups, group, &sum) || !round_money(eval, node, total, &minor))
        return false;
    if (!ratio_is_valid(sum)) {
        eval_refuse(eval, node, "settle-overflow", "the sum of the weights is too large");
        return false;
    }
    if (ratio_sign(sum) == 0 && minor != 0) {
        Str where = eval_key_text(eval, key);
        eval_refuse(eval, node, "settle-division",
                    "division by nothing: the weights are all 0%s%.*s, so nobody can be paid",
                    where.len > 0 ? " for " : "", STR_ARG(where));
        return false;
    }
    Ratio *exact = ARENA_ARRAY(arena, Ratio, count);
    int64_t *parts = ARENA_ZARRAY(arena, int64_t, count);
    Ratio size = ratio_from_int(minor < 0 ? -minor : minor);
    for (size_t i = 0; minor != 0 && i < count; i++) {
        Ratio weight = rows->values[groups->order[first + i]];
        exact[i] = ratio_divide(arena, ratio_multiply(arena, size, weight), sum);
    }
    if (minor != 0 && !largest_remainder(arena, exact, count, minor < 0 ? -minor : minor, parts)) {
        eval_refuse(eval, node, "settle-overflow", "a share is out of range");
        return false;
    }
    for (size_t i = 0; i < count; i++)
        results[groups->order[first + i]] =
            ratio_make(minor < 0 ? -parts[i] : parts[i], scale_of(eval->contract));
    return true;
}

static bool allocate(Rows *rows)
{
    const GraphNode *node = rows->node;
    const ValueTable *weights = &rows->eval->tables[node->operands[1]];
    rows->count = weights->count;
    rows->keys = arena_copy(rows->eval->arena, weights->keys,
                            weights->count * weights->width * sizeof(int32_t));
    rows->values = arena_copy(rows->eval->arena, weights->values, weights->count * sizeof(Ratio));
    Ratio *results = ARENA_ARRAY(rows->eval->arena, Ratio, rows->count + 1);
    Groups groups = group_by(rows, node->dims & ~dimension_bit(node->as.allocate.to));
    for (size_t i = 0; i < groups.count; i++)
        if (!split_group(rows, &groups, i, results))
            return false;
    rows->values = results;
    return true;
}

/* --- fund: what is carried on --- */

static bool carry(Rows *rows)
{
    Eval *eval = rows->eval;
    Arena *arena = eval->arena;
    const GraphNode *node = rows->node;
    /* Rows are by key, and the period comes after the party only, so groups keep its order. */
    Groups groups = group_by(rows, rows->dims & ~dimension_bit(DIMENSION_PERIOD));
    rows->values = ARENA_ARRAY(arena, Ratio, rows->count + 1);
    for (size_t group = 0; group < groups.count; group++) {
        Ratio carried = ratio_from_int(0);
        for (size_t i = groups.starts[group]; i < groups.starts[group + 1]; i++) {
            size_t row = groups.order[i];
            Ratio flows[3];
            if (!eval_fund_flows(eval, node, row_key(rows, row), flows))
                return false;
            Ratio in = ratio_add(arena, flows[0], carried);
            rows->values[row] = eval_fund_gives(arena, node, in, flows[1], flows[2]);
            carried = ratio_subtract(arena, in, flows[1]);
            if (!ratio_is_valid(carried))
                break;
            if (node->as.fund.carry == GRAPH_CARRY_DEFICIT && ratio_sign(carried) > 0)
                carried = ratio_from_int(0);
        }
    }
    return true;
}

/* --- timing --- */

/* Instalment i of n of an amount: what is due by then, rounded, less what was due before. */
static bool due_by(Rows *rows, Ratio amount, int32_t part, int64_t *ret_minor)
{
    Arena *arena = rows->eval->arena;
    Ratio share = ratio_make(part, rows->node->as.timing.instalments);
    return round_money(rows->eval, rows->node, ratio_multiply(arena, amount, share), ret_minor);
}

static bool instalments(Rows *rows)
{
    const GraphNode *node = rows->node;
    Eval *eval = rows->eval;
    Rows whole = *rows;
    whole.dims = node->dims & ~dimension_bit(DIMENSION_INSTALMENT);
    whole.width = eval_width(whole.dims);
    take_keys(&whole);
    bool has_account = node->as.timing.has_account;
    size_t each = (size_t)node->as.timing.instalments + has_account;
    int64_t scale = scale_of(eval->contract);
    rows->count = whole.count * each;
    rows->keys = ARENA_ARRAY(eval->arena, int32_t, rows->count * rows->width + 1);
    rows->values = ARENA_ARRAY(eval->arena, Ratio, rows->count + 1);
    uint32_t place =
        eval_width(node->dims & (dimension_bit(DIMENSION_INSTALMENT) - 1)); /* in the key */
    for (size_t i = 0; i < whole.count; i++) {
        EvalKey key = row_key(&whole, i);
        Ratio amount;
        Ratio account;
        if (!eval_need(eval, node, node->operands[0], key, &amount) ||
            (has_account && !eval_need(eval, node, node->operands[1], key, &account)))
            return false;
        if (!has_account)
            account = amount;
        int64_t before = 0;
        for (size_t k = 0; k < each; k++) {
            int64_t due;
            bool is_true_up = k == (size_t)node->as.timing.instalments;
            if (is_true_up ? !round_money(eval, node, amount, &due)
                           : !due_by(rows, account, (int32_t)k + 1, &due))
                return false;
            int32_t *to = &rows->keys[(i * each + k) * rows->width];
            memcpy(to, key.values, place * sizeof(int32_t));
            to[place] = (int32_t)k + 1;
            memcpy(&to[place + 1], &key.values[place], (whole.width - place) * sizeof(int32_t));
            rows->values[i * each + k] = ratio_make(due - before, scale);
            before = due;
        }
    }
    return true;
}

/* --- a node --- */

static bool basis(Rows *rows)
{
    rows->dims = basis_dims(rows);
    rows->width = eval_width(rows->dims);
    take_keys(rows);
    if (!compute_points(rows))
        return false;
    if (rows->node->as.basis.has_percentiles && !winsorise(rows))
        return false;
    if (rows->node->as.basis.reduced != 0)
        reduce(rows);
    return true;
}

static bool clause_rows(Rows *rows)
{
    const OutcomeClause *clause = &rows->eval->clauses[rows->node->as.clause];
    int64_t scale = scale_of(rows->eval->contract);
    rows->count = clause->line_count;
    rows->keys = ARENA_ARRAY(rows->eval->arena, int32_t, rows->count * rows->width + 1);
    rows->values = ARENA_ARRAY(rows->eval->arena, Ratio, rows->count + 1);
    for (size_t i = 0; i < rows->count; i++) {
        memcpy(&rows->keys[i * rows->width], clause->lines[i].key, rows->width * sizeof(int32_t));
        rows->values[i] = ratio_make(clause->lines[i].minor, scale);
    }
    return true;
}

static bool compute(Rows *rows)
{
    switch (rows->node->op) {
    case GRAPH_BASIS:
        return basis(rows);
    case GRAPH_ALLOCATE:
        return allocate(rows);
    case GRAPH_TIMING:
        return instalments(rows);
    case GRAPH_CLAUSE:
        return clause_rows(rows);
    case GRAPH_FUND:
        take_keys(rows);
        return rows->node->as.fund.carry == GRAPH_CARRY_NOTHING ? compute_points(rows)
                                                                : carry(rows);
    default:
        take_keys(rows);
        return compute_points(rows);
    }
}

void eval_rows(Eval *eval, NodeId id)
{
    const GraphNode *node = &eval->contract->nodes[id];
    Rows rows = {.eval = eval, .node = node, .dims = node->dims, .width = eval_width(node->dims)};
    if (node->op == GRAPH_INPUT) {
        eval->tables[id] = eval->inputs[node->as.input.number];
        return;
    }
    if (!compute(&rows)) {
        eval->has_failed = true;
        return;
    }
    for (size_t i = 0; i < rows.count; i++) {
        if (ratio_is_valid(rows.values[i]))
            continue;
        eval_refuse(eval, node, "settle-overflow",
                    "%.*s has more digits than are carried; round it or take less together",
                    STR_ARG(eval_node_name(eval, node)));
        return;
    }
    eval->tables[id] = eval_sort(eval->arena, rows.dims, rows.keys, rows.values, rows.count);
}

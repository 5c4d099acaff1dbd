/* Working a contract out: facts into tables, look-ups, the order of work. */
#include "contract/eval_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* --- facts --- */

ContractFacts *contract_facts_new(Arena *arena, const Contract *contract)
{
    ContractFacts *facts = ARENA_NEW(arena, ContractFacts);
    facts->arena = arena;
    facts->contract = contract;
    facts->inputs = ARENA_ZARRAY(arena, FactTable, contract->input_count + 1);
    facts->attributes = ARENA_ZARRAY(arena, FactTable, contract->dimension_count + 1);
    for (size_t i = 0; i < contract->input_count; i++)
        map_init(&facts->inputs[i].seen, arena);
    for (size_t i = 0; i < contract->dimension_count; i++)
        map_init(&facts->attributes[i].seen, arena);
    map_init(&facts->symbols, arena);
    return facts;
}

Arena *contract_facts_arena(ContractFacts *facts)
{
    return facts->arena;
}

int32_t contract_facts_symbol(ContractFacts *facts, Str text)
{
    uint64_t number;
    if (map_find(&facts->symbols, text, &number))
        return (int32_t)number;
    number = facts->symbols.count;
    ASSERT(number < INT32_MAX);
    map_put(&facts->symbols, str_copy(facts->arena, text), number);
    return (int32_t)number;
}

uint32_t eval_width(DimensionMask dims)
{
    return (uint32_t)__builtin_popcount(dims);
}

static FactAdded add_fact(ContractFacts *facts, FactTable *table, DimensionMask dims,
                          const int32_t *key, Ratio value)
{
    uint32_t width = eval_width(dims);
    const char *bytes = arena_copy(facts->arena, key, width * sizeof(int32_t));
    bool is_new;
    Str text = {bytes, width * sizeof(int32_t)};
    size_t row = map_intern(&table->seen, text, table->values.count, &is_new);
    if (!is_new)
        return ratio_cmp(table->values.items[row], value) == 0 ? FACT_SAME : FACT_DIFFERENT;
    for (uint32_t i = 0; i < width; i++)
        VEC_PUSH(facts->arena, &table->keys, key[i]);
    VEC_PUSH(facts->arena, &table->values, value);
    return FACT_ADDED;
}

FactAdded contract_facts_add(ContractFacts *facts, size_t input, const int32_t *key, Ratio value)
{
    ASSERT(input < facts->contract->input_count);
    return add_fact(facts, &facts->inputs[input], facts->contract->inputs[input].dims, key, value);
}

FactAdded contract_facts_add_attribute(ContractFacts *facts, size_t dimension, const int32_t *key,
                                       int32_t value)
{
    ASSERT(dimension < facts->contract->dimension_count);
    return add_fact(facts, &facts->attributes[dimension], facts->contract->dimensions[dimension].of,
                    key, ratio_from_int(value));
}

/* --- keys and rows --- */

void eval_project(DimensionMask from, const int32_t *key, DimensionMask to, int32_t *ret_key)
{
    size_t out = 0;
    for (DimensionMask rest = from; rest != 0; rest &= rest - 1, key++)
        if ((to & rest & -rest) != 0)
            ret_key[out++] = *key;
}

static int compare_keys(const int32_t *a, const int32_t *b, uint32_t width)
{
    for (uint32_t i = 0; i < width; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return 0;
}

size_t eval_find_row(const ValueTable *table, const int32_t *key)
{
    size_t low = 0;
    size_t high = table->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_keys(&table->keys[middle * table->width], key, table->width);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return SIZE_MAX;
}

typedef struct {
    const int32_t *keys;
    uint32_t width;
} SortContext;

static int compare_rows(const void *a, const void *b, void *context)
{
    const SortContext *sort = context;
    size_t left = *(const size_t *)a;
    size_t right = *(const size_t *)b;
    return compare_keys(&sort->keys[left * sort->width], &sort->keys[right * sort->width],
                        sort->width);
}

ValueTable eval_sort(Arena *arena, DimensionMask dims, int32_t *keys, Ratio *values, size_t count)
{
    uint32_t width = eval_width(dims);
    ValueTable table = {
        .dims = dims, .width = width, .count = count, .keys = keys, .values = values};
    bool is_sorted = true;
    for (size_t i = 1; i < count && is_sorted; i++)
        is_sorted = compare_keys(&keys[(i - 1) * width], &keys[i * width], width) < 0;
    if (is_sorted)
        return table;
    size_t *order = ARENA_ARRAY(arena, size_t, count);
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    SortContext context = {keys, width};
    qsort_r(order, count, sizeof(size_t), compare_rows, &context);
    int32_t *sorted_keys = ARENA_ARRAY(arena, int32_t, count * width + 1);
    Ratio *sorted_values = ARENA_ARRAY(arena, Ratio, count + 1);
    for (size_t i = 0; i < count; i++) {
        memcpy(&sorted_keys[i * width], &keys[order[i] * width], width * sizeof(int32_t));
        sorted_values[i] = values[order[i]];
    }
    table.keys = sorted_keys;
    table.values = sorted_values;
    return table;
}

/* --- findings --- */

void eval_refuse(Eval *eval, const GraphNode *node, const char *rule, const char *format, ...)
{
    char text[700];
    va_list args;
    if (eval->is_quiet)
        return;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    str_mend_cut(text);
    eval->has_failed = true;
    Diag diag = {.severity = SEVERITY_ERROR,
                 .line = node->line,
                 .column = node->column,
                 .rule = str_from_c(rule),
                 .file = eval->file,
                 .text = str_from_c(text)};
    if (node->clause != UINT32_MAX)
        diag.path = eval->contract->clauses[node->clause].id;
    diag_add(eval->diags, &diag);
}

Str eval_key_text(Eval *eval, EvalKey key)
{
    StrBuf out;
    strbuf_init(&out, eval->arena, 0);
    for (size_t i = 0; i < eval->contract->dimension_count; i++) {
        const Dimension *dimension = &eval->contract->dimensions[i];
        if ((key.dims & dimension_bit(i)) == 0)
            continue;
        strbuf_printf(&out, "%s%.*s ", out.len > 0 ? ", " : "", STR_ARG(dimension->name));
        if (dimension->kind == DIMENSION_RANGE)
            strbuf_printf(&out, "%d", *key.values);
        else
            strbuf_add(&out, eval->symbols[*key.values]);
        key.values++;
    }
    return strbuf_str(&out);
}

Str eval_node_name(const Eval *eval, const GraphNode *node)
{
    if (node->name.len > 0)
        return node->name;
    if (node->clause != UINT32_MAX)
        return str_format(eval->arena, "a %s", graph_op_text(node->op));
    return S("a value");
}

/* --- look-ups --- */

/* The key's part of a dimension, also of one that is an attribute of others. */
static Lookup dimension_value(Eval *eval, size_t dimension, EvalKey key, int32_t *ret_value)
{
    DimensionMask bit = dimension_bit(dimension);
    if ((key.dims & bit) != 0) {
        *ret_value = key.values[__builtin_popcount(key.dims & (bit - 1))];
        return LOOKUP_FOUND;
    }
    int32_t part[DIMENSIONS_MAX];
    DimensionMask of = eval->contract->dimensions[dimension].of;
    if (of == 0 || (of & ~key.dims) != 0)
        return LOOKUP_MISSING; /* of a line that takes together what a table tells apart */
    eval_project(key.dims, key.values, of, part);
    if (dimension == DIMENSION_YEAR) {
        *ret_value = eval->years[part[0]];
        return *ret_value < 0 ? LOOKUP_MISSING : LOOKUP_FOUND;
    }
    size_t row = eval_find_row(&eval->attributes[dimension], part);
    if (row == SIZE_MAX)
        return LOOKUP_MISSING;
    int64_t value = 0;
    ASSERT(ratio_round_to_steps(eval->attributes[dimension].values[row], 0, ROUNDING_DOWN, &value));
    *ret_value = (int32_t)value;
    return LOOKUP_FOUND;
}

static size_t axis_place(const Eval *eval, const GridAxis *axis, int32_t value)
{
    if (axis->starts == NULL) {
        uint64_t place;
        return map_find(&axis->words, eval->symbols[value], &place) ? place : SIZE_MAX;
    }
    if (value < axis->starts[0])
        return SIZE_MAX;
    size_t low = 0;
    size_t high = axis->place_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (axis->starts[middle] <= value)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static Lookup grid_at(Eval *eval, const GraphNode *node, EvalKey key, Ratio *ret_value)
{
    const Grid *grid = node->as.grid;
    size_t place = 0;
    for (size_t i = 0; i < grid->axis_count; i++) {
        const GridAxis *axis = &grid->axes[i];
        const Dimension *dimension = &eval->contract->dimensions[axis->dimension];
        int32_t value;
        if (dimension_value(eval, axis->dimension, key, &value) != LOOKUP_FOUND)
            return LOOKUP_MISSING;
        if (dimension->kind == DIMENSION_RANGE && value >= dimension->under)
            return LOOKUP_MISSING;
        size_t at = axis_place(eval, axis, value);
        if (at == SIZE_MAX)
            return LOOKUP_MISSING;
        place += axis->stride * at;
    }
    if (grid->index[place] == GRID_CELL_NONE)
        return LOOKUP_MISSING;
    *ret_value = grid->cells[grid->index[place]].value;
    return LOOKUP_FOUND;
}

/* Whether a node with rows can also be worked out at a key that none of its operands has as a row:
   what has a default has a value there. */
static bool works_by_key(const GraphNode *node)
{
    switch (node->op) {
    case GRAPH_BASIS:
        return node->as.basis.reduced == 0 && !node->as.basis.has_percentiles;
    case GRAPH_FUND:
        return node->as.fund.carry == GRAPH_CARRY_NOTHING;
    case GRAPH_RATE:
    case GRAPH_GATE:
    case GRAPH_CURVE:
    case GRAPH_CAP:
    case GRAPH_FLOOR:
        return true;
    default:
        return false;
    }
}

static Lookup row_at(Eval *eval, NodeId id, EvalKey key, Ratio *ret_value)
{
    const ValueTable *table = &eval->tables[id];
    int32_t part[DIMENSIONS_MAX];
    if ((table->dims & ~key.dims) != 0)
        return LOOKUP_MISSING;
    eval_project(key.dims, key.values, table->dims, part);
    size_t row = eval_find_row(table, part);
    if (row != SIZE_MAX) {
        *ret_value = table->values[row];
        return LOOKUP_FOUND;
    }
    const GraphNode *node = &eval->contract->nodes[id];
    if (node->op != GRAPH_INPUT)
        return LOOKUP_MISSING;
    const ContractInput *input = &eval->contract->inputs[node->as.input.number];
    if (!input->has_fallback)
        return LOOKUP_MISSING;
    *ret_value = input->fallback;
    return LOOKUP_FOUND;
}

/* A value that was worked out counts only where it has a row. */
static Lookup first_at(Eval *eval, const GraphNode *node, EvalKey key, Ratio *ret_value)
{
    for (size_t i = 0; i < node->operand_count; i++) {
        NodeId id = node->operands[i];
        Lookup lookup = eval->contract->nodes[id].has_rows ? row_at(eval, id, key, ret_value)
                                                           : eval_at(eval, id, key, ret_value);
        if (lookup != LOOKUP_MISSING)
            return lookup;
    }
    return LOOKUP_MISSING;
}

static Lookup function_at(Eval *eval, const GraphNode *node, EvalKey key, Ratio *ret_value)
{
    if (node->op == GRAPH_TABLE)
        return grid_at(eval, node, key, ret_value);
    if (node->op == GRAPH_FIRST)
        return first_at(eval, node, key, ret_value);
    return eval_point(eval, node, key, ret_value);
}

/* With the last key remembered, values that rest on one another twice are not worked out 2, 4, 8
   ... times. */
static Lookup remembered_at(Eval *eval, NodeId id, EvalKey key, Ratio *ret_value)
{
    FunctionMemo *memo = eval->memos[id];
    size_t size = eval_width(key.dims) * sizeof(int32_t);
    if (memo == NULL)
        memo = eval->memos[id] = ARENA_NEW(eval->arena, FunctionMemo);
    if (!memo->is_set || memo->dims != key.dims || memcmp(memo->key, key.values, size) != 0) {
        memo->is_set = false;
        memo->lookup = (uint8_t)function_at(eval, &eval->contract->nodes[id], key, &memo->value);
        memo->dims = key.dims;
        memcpy(memo->key, key.values, size);
        memo->is_set = memo->lookup == LOOKUP_FOUND || !eval->is_quiet;
    }
    if (memo->lookup == LOOKUP_FOUND)
        *ret_value = memo->value;
    return (Lookup)memo->lookup;
}

Lookup eval_at(Eval *eval, NodeId id, EvalKey key, Ratio *ret_value)
{
    const GraphNode *node = &eval->contract->nodes[id];
    if (node->op == GRAPH_NUMBER) {
        *ret_value = node->as.number;
        return LOOKUP_FOUND;
    }
    if (!node->has_rows)
        return remembered_at(eval, id, key, ret_value);
    Lookup lookup = row_at(eval, id, key, ret_value);
    if (lookup != LOOKUP_MISSING || !works_by_key(node) || (node->dims & ~key.dims) != 0)
        return lookup;
    int32_t part[DIMENSIONS_MAX];
    eval_project(key.dims, key.values, node->dims, part);
    return remembered_at(eval, id, (EvalKey){node->dims, part}, ret_value);
}

bool eval_need(Eval *eval, const GraphNode *user, NodeId id, EvalKey key, Ratio *ret_value)
{
    Lookup lookup = eval_at(eval, id, key, ret_value);
    if (lookup == LOOKUP_FOUND)
        return true;
    if (lookup == LOOKUP_FAILED)
        return false;
    const GraphNode *node = &eval->contract->nodes[id];
    Str where = eval_key_text(eval, key);
    Str name = eval_node_name(eval, node);
    eval_refuse(eval, user, "settle-missing-value", "%.*s has no value for %.*s; add it%s",
                STR_ARG(name), where.len > 0 ? (int)where.len : 10,
                where.len > 0 ? where.ptr : "the period",
                node->op == GRAPH_INPUT ? ", or give the input a default" : "");
    return false;
}

bool eval_is_given(Eval *eval, NodeId id, EvalKey key)
{
    int32_t part[DIMENSIONS_MAX];
    const ValueTable *table = &eval->tables[id];
    eval_project(key.dims, key.values, table->dims, part);
    return eval_find_row(table, part) != SIZE_MAX;
}

bool eval_test(GraphTest test, Ratio left, Ratio right)
{
    int order = ratio_cmp(left, right);
    switch (test) {
    case GRAPH_TEST_AT_LEAST:
        return order >= 0;
    case GRAPH_TEST_ABOVE:
        return order > 0;
    case GRAPH_TEST_AT_MOST:
        return order <= 0;
    case GRAPH_TEST_BELOW:
        return order < 0;
    case GRAPH_TEST_IS:
        return order == 0;
    case GRAPH_TEST_IS_NOT:
        return order != 0;
    case GRAPH_TEST_GIVEN:
    case GRAPH_TEST_NOT_GIVEN:
    default:
        ASSERT(false);
    }
}

/* --- the whole --- */

static int compare_entries(const void *a, const void *b)
{
    const MapEntry *left = a;
    const MapEntry *right = b;
    return str_cmp(left->key, right->key);
}

/* Symbols get numbers in order of their bytes, so that nothing depends on the order of facts. */
static int32_t *order_symbols(Eval *eval, const ContractFacts *facts)
{
    size_t count = facts->symbols.count;
    MapEntry *entries = arena_copy(eval->arena, facts->symbols.entries, count * sizeof(MapEntry));
    int32_t *renumbered = ARENA_ARRAY(eval->arena, int32_t, count + 1);
    Str *symbols = ARENA_ARRAY(eval->arena, Str, count + 1);
    int32_t *years = ARENA_ARRAY(eval->arena, int32_t, count + 1);
    if (count > 0)
        qsort(entries, count, sizeof(MapEntry), compare_entries);
    for (size_t i = 0; i < count; i++) {
        int64_t year;
        symbols[i] = entries[i].key;
        renumbered[entries[i].value] = (int32_t)i;
        bool has_year = symbols[i].len >= 4 && str_to_int64(str_slice(symbols[i], 0, 4), &year);
        years[i] = has_year && year >= 0 ? (int32_t)year : -1;
    }
    eval->symbols = symbols;
    eval->symbol_count = count;
    eval->years = years;
    return renumbered;
}

static ValueTable fact_table(Eval *eval, const FactTable *facts, DimensionMask dims,
                             const int32_t *renumbered, bool values_are_symbols)
{
    uint32_t width = eval_width(dims);
    size_t count = facts->values.count;
    int32_t *keys = ARENA_ARRAY(eval->arena, int32_t, count * width + 1);
    Ratio *values = ARENA_ARRAY(eval->arena, Ratio, count + 1);
    uint32_t column = 0;
    if (count > 0)
        memcpy(values, facts->values.items, count * sizeof(Ratio));
    for (size_t i = 0; i < eval->contract->dimension_count; i++) {
        if ((dims & dimension_bit(i)) == 0)
            continue;
        bool is_symbol = eval->contract->dimensions[i].kind != DIMENSION_RANGE;
        for (size_t row = 0; row < count; row++) {
            int32_t value = facts->keys.items[row * width + column];
            keys[row * width + column] = is_symbol ? renumbered[value] : value;
        }
        column++;
    }
    for (size_t row = 0; values_are_symbols && row < count; row++)
        values[row] = ratio_from_int(renumbered[values[row].num]);
    return eval_sort(eval->arena, dims, keys, values, count);
}

static void freeze(Eval *eval, const ContractFacts *facts)
{
    const Contract *contract = eval->contract;
    const int32_t *renumbered = order_symbols(eval, facts);
    eval->inputs = ARENA_ZARRAY(eval->arena, ValueTable, contract->input_count + 1);
    eval->attributes = ARENA_ZARRAY(eval->arena, ValueTable, contract->dimension_count + 1);
    for (size_t i = 0; i < contract->input_count; i++)
        eval->inputs[i] =
            fact_table(eval, &facts->inputs[i], contract->inputs[i].dims, renumbered, false);
    for (size_t i = 0; i < contract->dimension_count; i++)
        eval->attributes[i] =
            fact_table(eval, &facts->attributes[i], contract->dimensions[i].of, renumbered,
                       contract->dimensions[i].kind != DIMENSION_RANGE);
}

static void evaluate_nodes(Eval *eval)
{
    const Contract *contract = eval->contract;
    for (NodeId id = 0; id < contract->node_count && !eval->has_failed; id++) {
        const GraphNode *node = &contract->nodes[id];
        if (!node->has_rows || (eval->used != NULL && !eval->used[id]))
            continue;
        if (node->op == GRAPH_CLAUSE && !eval->is_done[node->as.clause])
            eval_lines(eval, node->as.clause);
        if (!eval->has_failed)
            eval_rows(eval, id);
    }
}

static void init(Eval *eval, const ContractFacts *facts)
{
    const Contract *contract = eval->contract;
    eval->tables = ARENA_ZARRAY(eval->arena, ValueTable, contract->node_count + 1);
    eval->memos = ARENA_ZARRAY(eval->arena, FunctionMemo *, contract->node_count + 1);
    eval->clauses = ARENA_ZARRAY(eval->arena, OutcomeClause, contract->clause_count + 1);
    eval->is_done = ARENA_ZARRAY(eval->arena, bool, contract->clause_count + 1);
    freeze(eval, facts);
}

static ErrorCode finish(Eval *eval, const Outcome **ret_outcome)
{
    if (eval->has_failed)
        return ERR_REFUSED;
    Outcome *outcome = ARENA_NEW(eval->arena, Outcome);
    outcome->contract = eval->contract;
    outcome->symbols = eval->symbols;
    outcome->clauses = eval->clauses;
    outcome->clause_count = eval->contract->clause_count;
    *ret_outcome = outcome;
    return ERR_OK;
}

ErrorCode contract_evaluate(Arena *arena, const Contract *contract, ContractFacts *facts, Str file,
                            DiagList *diags, const Outcome **ret_outcome)
{
    Eval eval = {.arena = arena, .contract = contract, .diags = diags, .file = file};
    init(&eval, facts);
    evaluate_nodes(&eval);
    for (size_t i = 0; i < contract->clause_count && !eval.has_failed; i++)
        if (contract->clauses[i].is_graph && !eval.is_done[i])
            eval_lines(&eval, i);
    return finish(&eval, ret_outcome);
}

void contract_mark_used(const Contract *contract, NodeId id, bool *used)
{
    used[id] = true;
    /* Operands have lower numbers, so one walk down finds all; a clause's own result counts as one.
     */
    for (NodeId at = (NodeId)contract->node_count; at-- > 0;) {
        const GraphNode *node = &contract->nodes[at];
        if (!used[at])
            continue;
        for (size_t i = 0; i < node->operand_count; i++)
            used[node->operands[i]] = true;
        if (node->op == GRAPH_CLAUSE)
            used[contract->clauses[node->as.clause].pays] = true;
    }
}

ErrorCode contract_evaluate_clause(Arena *arena, ContractFacts *facts, size_t clause,
                                   DiagList *diags, const Outcome **ret_outcome)
{
    const Contract *contract = facts->contract;
    Eval eval = {.arena = arena, .contract = contract, .diags = diags};
    bool *used = ARENA_ZARRAY(arena, bool, contract->node_count + 1);
    contract_mark_used(contract, contract->clauses[clause].pays, used);
    eval.used = used;
    init(&eval, facts);
    evaluate_nodes(&eval);
    if (!eval.has_failed && !eval.is_done[clause])
        eval_lines(&eval, clause);
    return finish(&eval, ret_outcome);
}

Str outcome_key_text(Arena *arena, const Outcome *outcome, const OutcomeClause *clause,
                     const OutcomeLine *line, size_t dimension)
{
    DimensionMask bit = dimension_bit(dimension);
    if ((clause->dims & bit) == 0)
        return S("");
    int32_t value = line->key[__builtin_popcount(clause->dims & (bit - 1))];
    if (outcome->contract->dimensions[dimension].kind == DIMENSION_RANGE)
        return str_format(arena, "%d", value);
    return outcome->symbols[value];
}

Str outcome_value_text(Arena *arena, const Contract *contract, Unit unit, Ratio value)
{
    if (unit.powers[UNIT_BASE_MONEY] == 1) {
        int64_t minor;
        if (unit_eq(unit, unit_of(UNIT_BASE_MONEY)) &&
            ratio_round_to_steps(value, contract->currency.digits, ROUNDING_HALF_EVEN, &minor) &&
            minor != INT64_MIN)
            return str_format(arena, "%s %.*s", contract->currency.code,
                              STR_ARG(money_format_grouped(arena, minor, contract->currency)));
        return str_format(arena, "%s %.*s", contract->currency.code,
                          STR_ARG(ratio_format(arena, value, contract->currency.digits, 8)));
    }
    return ratio_format(arena, value, 0, 8);
}

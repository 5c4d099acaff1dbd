/* Lines: what a clause pays, rounded by the contract's rule, each with its reason. */
#include "contract/eval_int.h"

#include <stdlib.h>

DimensionMask contract_line_dimensions(const Contract *contract, DimensionMask dims)
{
    if (contract->round_at == ROUND_AT_PARTY || contract->round_at == ROUND_AT_PERIOD)
        return dims & (dimension_bit(DIMENSION_PARTY) | dimension_bit(DIMENSION_PERIOD));
    return dims;
}

/* --- reasons --- */

/* Whether the value can be had at the key without a finding. */
static bool is_known_at(const Eval *eval, NodeId id, DimensionMask dims)
{
    const GraphNode *node = &eval->contract->nodes[id];
    if (node->has_rows)
        return (node->dims & ~dims) == 0;
    for (size_t i = 0; i < eval->contract->dimension_count; i++) {
        DimensionMask of = eval->contract->dimensions[i].of;
        bool is_known = (dims & dimension_bit(i)) != 0 || (of != 0 && (of & ~dims) == 0);
        if ((node->dims & dimension_bit(i)) != 0 && !is_known)
            return false;
    }
    return true;
}

static void add_named(Eval *eval, const GraphReason *reason, Str name, EvalKey key, StrBuf *out)
{
    for (size_t i = 0; i < reason->node_count; i++) {
        if (!str_eq(reason->names[i], name))
            continue;
        Ratio value;
        const GraphNode *node = &eval->contract->nodes[reason->nodes[i]];
        if (is_known_at(eval, reason->nodes[i], key.dims) &&
            eval_at(eval, reason->nodes[i], key, &value) == LOOKUP_FOUND)
            strbuf_add(out, outcome_value_text(eval->arena, eval->contract, node->unit, value));
        else
            strbuf_add(out,
                       S("(several)")); /* the line takes together what the value tells apart */
        return;
    }
    strbuf_add(out, S("(none)"));
}

static Str fill_template(Eval *eval, const GraphReason *reason, EvalKey key)
{
    StrBuf out;
    Str rest = reason->text;
    size_t open;
    strbuf_init(&out, eval->arena, 0);
    while ((open = str_find_char(rest, '{')) != SIZE_MAX) {
        strbuf_add(&out, str_slice(rest, 0, open));
        rest = str_slice(rest, open + 1, SIZE_MAX);
        size_t close = str_find_char(rest, '}');
        add_named(eval, reason, str_slice(rest, 0, close), key, &out);
        rest = str_slice(rest, close + 1, SIZE_MAX);
    }
    strbuf_add(&out, rest);
    return strbuf_str(&out);
}

static bool reason_holds(Eval *eval, const GraphReason *reason, EvalKey key)
{
    for (size_t i = 0; i < reason->test_count; i++) {
        Ratio left;
        Ratio right;
        NodeId a = reason->operands[i * 2];
        NodeId b = reason->operands[i * 2 + 1];
        GraphTest test = reason->tests[i];
        if (!is_known_at(eval, a, key.dims) || !is_known_at(eval, b, key.dims))
            return false;
        if (test == GRAPH_TEST_GIVEN || test == GRAPH_TEST_NOT_GIVEN) {
            if (eval_is_given(eval, a, key) != (test == GRAPH_TEST_GIVEN))
                return false;
            continue;
        }
        if (eval_at(eval, a, key, &left) != LOOKUP_FOUND ||
            eval_at(eval, b, key, &right) != LOOKUP_FOUND || !eval_test(test, left, right))
            return false;
    }
    return true;
}

/* Without reasons of its own: every named value of the clause that the line has. */
static Str plain_reason(Eval *eval, size_t clause, EvalKey key)
{
    StrBuf out;
    strbuf_init(&out, eval->arena, 0);
    for (NodeId id = 0; id < eval->contract->node_count; id++) {
        const GraphNode *node = &eval->contract->nodes[id];
        Ratio value;
        if (node->clause != clause || node->name.len == 0 || !is_known_at(eval, id, key.dims) ||
            eval_at(eval, id, key, &value) != LOOKUP_FOUND)
            continue;
        strbuf_printf(&out, "%s%.*s %.*s", out.len > 0 ? "; " : "", STR_ARG(node->name),
                      STR_ARG(outcome_value_text(eval->arena, eval->contract, node->unit, value)));
    }
    return strbuf_str(&out);
}

static Str line_reason(Eval *eval, size_t number, EvalKey key)
{
    const Clause *clause = &eval->contract->clauses[number];
    for (size_t i = 0; i < clause->reason_count; i++)
        if (reason_holds(eval, &clause->reasons[i], key))
            return fill_template(eval, &clause->reasons[i], key);
    return plain_reason(eval, number, key);
}

static const OutcomeValue *line_shows(Eval *eval, const Clause *clause, EvalKey key)
{
    OutcomeValue *shows = ARENA_ZARRAY(eval->arena, OutcomeValue, clause->show_count + 1);
    for (size_t i = 0; i < clause->show_count; i++) {
        NodeId id = clause->shows[i].node;
        shows[i].name = clause->shows[i].name;
        shows[i].unit = eval->contract->nodes[id].unit;
        shows[i].has_value = is_known_at(eval, id, key.dims) &&
                             eval_at(eval, id, key, &shows[i].value) == LOOKUP_FOUND;
    }
    return shows;
}

/* --- rounding --- */

typedef struct {
    Eval *eval;
    size_t number;
    const GraphNode *paid;
    OutcomeLine *lines;
    size_t count;
    OutcomeClause *result;
} LineMaker;

static bool round_line(LineMaker *maker, OutcomeLine *line)
{
    const Contract *contract = maker->eval->contract;
    if (ratio_round_to_steps(line->exact, contract->currency.digits, contract->rounding,
                             &line->minor) &&
        line->minor > -INT64_MAX)
        return true;
    eval_refuse(maker->eval, maker->paid, "settle-overflow", "an amount is out of range");
    return false;
}

/* Rows that agree in the dimensions of the lines are added up. */
static void add_rows(LineMaker *maker, const ValueTable *table)
{
    Eval *eval = maker->eval;
    OutcomeClause *result = maker->result;
    maker->lines = ARENA_ZARRAY(eval->arena, OutcomeLine, table->count + 1);
    int32_t *keys = ARENA_ARRAY(eval->arena, int32_t, table->count * result->width + 1);
    Ratio *values = ARENA_ARRAY(eval->arena, Ratio, table->count + 1);
    Map seen;
    map_init(&seen, eval->arena);
    for (size_t i = 0; i < table->count; i++) {
        int32_t *key = &keys[maker->count * result->width];
        eval_project(table->dims, &table->keys[i * table->width], result->dims, key);
        bool is_new;
        Str bytes = {(const char *)key, result->width * sizeof(int32_t)};
        size_t at = map_intern(&seen, bytes, maker->count, &is_new);
        if (is_new)
            values[maker->count++] = table->values[i];
        else
            values[at] = ratio_add(eval->arena, values[at], table->values[i]);
    }
    ValueTable sorted = eval_sort(eval->arena, result->dims, keys, values, maker->count);
    for (size_t i = 0; i < maker->count; i++) {
        maker->lines[i].key = &sorted.keys[i * result->width];
        maker->lines[i].exact = sorted.values[i];
    }
}

typedef struct {
    Ratio rest;
    size_t line;
} Rest;

static int compare_rests(const void *a, const void *b)
{
    const Rest *left = a;
    const Rest *right = b;
    int order = ratio_cmp(right->rest, left->rest);
    return order != 0 ? order : (left->line > right->line) - (left->line < right->line);
}

/* The lines of a period add up to the rounded sum: each is rounded down, the largest rests up. */
static bool round_period(LineMaker *maker, const size_t *lines, size_t count)
{
    Eval *eval = maker->eval;
    const Contract *contract = eval->contract;
    Ratio sum = ratio_from_int(0);
    Ratio scale = ratio_from_int(1);
    Rest *rests = ARENA_ARRAY(eval->arena, Rest, count + 1);
    int64_t total;
    int64_t given = 0;
    for (int i = 0; i < contract->currency.digits; i++)
        scale = ratio_multiply(eval->arena, scale, ratio_from_int(10));
    bool fits = true;
    for (size_t i = 0; i < count && fits; i++) {
        OutcomeLine *line = &maker->lines[lines[i]];
        rests[i].line = lines[i];
        sum = ratio_add(eval->arena, sum, line->exact);
        fits = ratio_floor(eval->arena, ratio_multiply(eval->arena, line->exact, scale),
                           &line->minor, &rests[i].rest) &&
               line->minor > -INT64_MAX && money_add(given, line->minor, &given);
    }
    if (!fits ||
        !ratio_round_to_steps(sum, contract->currency.digits, contract->rounding, &total)) {
        eval_refuse(eval, maker->paid, "settle-overflow", "an amount is out of range");
        return false;
    }
    qsort(rests, count, sizeof(Rest), compare_rests);
    ASSERT(total >= given && total - given <= (int64_t)count);
    for (int64_t i = 0; i < total - given; i++)
        maker->lines[rests[i].line].minor++;
    return true;
}

static bool round_periods(LineMaker *maker)
{
    DimensionMask period = maker->result->dims & dimension_bit(DIMENSION_PERIOD);
    uint32_t place = eval_width(maker->result->dims & (dimension_bit(DIMENSION_PERIOD) - 1));
    bool *is_done = ARENA_ZARRAY(maker->eval->arena, bool, maker->count + 1);
    size_t *lines = ARENA_ARRAY(maker->eval->arena, size_t, maker->count + 1);
    for (size_t i = 0; i < maker->count; i++) {
        size_t count = 0;
        if (is_done[i])
            continue;
        for (size_t k = i; k < maker->count; k++) {
            if (period != 0 && maker->lines[k].key[place] != maker->lines[i].key[place])
                continue;
            is_done[k] = true;
            lines[count++] = k;
        }
        if (!round_period(maker, lines, count))
            return false;
    }
    return true;
}

static bool round_all(LineMaker *maker)
{
    if (maker->eval->contract->round_at == ROUND_AT_PERIOD)
        return round_periods(maker);
    for (size_t i = 0; i < maker->count; i++)
        if (!round_line(maker, &maker->lines[i]))
            return false;
    return true;
}

/* Parties that are paid must be parties of the contract, unless the inputs list them. */
static bool check_parties(LineMaker *maker)
{
    Eval *eval = maker->eval;
    const Clause *clause = &eval->contract->clauses[maker->number];
    if ((maker->result->dims & dimension_bit(DIMENSION_PARTY)) == 0 || clause->to->each != EACH_ONE)
        return true;
    for (size_t i = 0; i < maker->count; i++) {
        Str party = eval->symbols[maker->lines[i].key[0]];
        bool is_known = false;
        for (size_t k = 0; k < clause->to_count; k++)
            is_known = is_known || str_eq(clause->to_list[k]->id, party);
        if (!is_known) {
            eval_refuse(eval, maker->paid, "settle-unknown-party",
                        "\"%.*s\" is none of the parties that the clause pays; mend the facts, or "
                        "name it in \"to\"",
                        STR_ARG(str_slice(party, 0, 64)));
            return false;
        }
    }
    return true;
}

void eval_lines(Eval *eval, size_t number)
{
    const Clause *clause = &eval->contract->clauses[number];
    const ValueTable *table = &eval->tables[clause->pays];
    OutcomeClause *result = &eval->clauses[number];
    LineMaker maker = {.eval = eval,
                       .number = number,
                       .paid = &eval->contract->nodes[clause->pays],
                       .result = result};
    result->clause = clause;
    result->dims = contract_line_dimensions(eval->contract, table->dims);
    result->width = eval_width(result->dims);
    add_rows(&maker, table);
    if (!check_parties(&maker) || !round_all(&maker))
        return;
    for (size_t i = 0; i < maker.count; i++) {
        OutcomeLine *line = &maker.lines[i];
        EvalKey key = {result->dims, line->key};
        eval->is_quiet = true;
        line->reason = line_reason(eval, number, key);
        line->shows = line_shows(eval, clause, key);
        eval->is_quiet = false;
        if (!money_add(result->total_minor, line->minor, &result->total_minor)) {
            eval_refuse(eval, maker.paid, "settle-overflow", "the total is out of range");
            return;
        }
    }
    result->lines = maker.lines;
    result->line_count = maker.count;
    eval->is_done[number] = true;
}

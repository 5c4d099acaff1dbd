/* A clause that is a graph in plain English: its kind's formula, what its parameters are, and an
   example that is worked out by the same code that settles. */
#include "contract/graph_int.h"

typedef struct {
    const Contract *contract;
    const Clause *clause;
    StrBuf *out;
    Arena *arena;
} GraphExplainer;

static Str macro_text(const Macro *macro, Str key)
{
    const YamlNode *node = yaml_find(macro->root, key);
    return node == NULL ? S("") : node->text;
}

static void add_lines(const GraphExplainer *explainer, Str text)
{
    Str line;
    text = str_trim(text);
    while (str_split_next(&text, '\n', &line))
        strbuf_printf(explainer->out, "    %.*s\n", STR_ARG(line));
}

static void add_dimensions(const GraphExplainer *explainer, DimensionMask dims)
{
    const char *between = " by ";
    for (size_t i = 0; i < explainer->contract->dimension_count; i++) {
        if ((dims & dimension_bit(i)) == 0)
            continue;
        strbuf_printf(explainer->out, "%s%.*s", between,
                      STR_ARG(explainer->contract->dimensions[i].name));
        between = ", ";
    }
}

static Str cell_value(const GraphExplainer *explainer, Unit unit, Ratio value)
{
    return outcome_value_text(explainer->arena, explainer->contract, unit, value);
}

static void explain_cells(const GraphExplainer *explainer, const GraphNode *node)
{
    enum { SHOWN_MAX = 30 };
    const Grid *grid = node->as.grid;
    StrBuf *out = explainer->out;
    size_t width = 0;
    strbuf_add(out, S("\n"));
    for (size_t i = 0; i < grid->cell_count; i++)
        width = grid->cells[i].label.len > width ? grid->cells[i].label.len : width;
    for (size_t i = 0; i < grid->cell_count && i < SHOWN_MAX; i++) {
        Str label = grid->cells[i].label;
        strbuf_printf(out, "      %.*s%*s  %.*s\n", STR_ARG(label), (int)(width - label.len), "",
                      STR_ARG(cell_value(explainer, node->unit, grid->cells[i].value)));
    }
    if (grid->cell_count > SHOWN_MAX)
        strbuf_printf(out, "      and %zu more\n", grid->cell_count - SHOWN_MAX);
}

/* What the node is, in the words of its primitive. */
static void explain_node(const GraphExplainer *explainer, const GraphNode *node)
{
    StrBuf *out = explainer->out;
    strbuf_printf(out, "    %.*s: ", STR_ARG(node->name));
    switch (node->op) {
    case GRAPH_NUMBER:
        strbuf_add(out, cell_value(explainer, node->unit, node->as.number));
        break;
    case GRAPH_TABLE:
        explain_cells(explainer, node);
        return;
    case GRAPH_INPUT:
        strbuf_printf(out, "an input in %.*s", STR_ARG(unit_format(explainer->arena, node->unit)));
        add_dimensions(explainer, node->dims);
        break;
    case GRAPH_CLAUSE:
        strbuf_printf(out, "what clause %.*s pays",
                      STR_ARG(explainer->contract->clauses[node->as.clause].id));
        break;
    default:
        strbuf_printf(out, "worked out (%s) in %.*s", graph_op_text(node->op),
                      STR_ARG(unit_format(explainer->arena, node->unit)));
        add_dimensions(explainer, node->dims);
        break;
    }
    strbuf_add_char(out, '\n');
}

/* --- the example --- */

/* A word or number for each dimension that all tables of the contract know. */
static int32_t sample_part(const GraphExplainer *explainer, ContractFacts *facts, size_t number)
{
    const Contract *contract = explainer->contract;
    const Dimension *dimension = &contract->dimensions[number];
    if (dimension->kind == DIMENSION_RANGE)
        return dimension->from;
    if (dimension->kind == DIMENSION_CHOICE)
        return contract_facts_symbol(facts, dimension->words[0]);
    if (number == DIMENSION_PERIOD)
        return contract_facts_symbol(
            facts, str_slice(day_format(explainer->arena, contract->first_day), 0, 4));
    if (number == DIMENSION_PARTY && explainer->clause->to->each == EACH_ONE)
        return contract_facts_symbol(facts, explainer->clause->to->id);
    for (NodeId id = 0; id < contract->node_count; id++) {
        const GraphNode *node = &contract->nodes[id];
        for (size_t i = 0; node->op == GRAPH_TABLE && i < node->as.grid->axis_count; i++)
            if (node->as.grid->axes[i].dimension == number)
                return contract_facts_symbol(facts, node->as.grid->axes[i].words.entries[0].key);
    }
    return contract_facts_symbol(facts, S("example"));
}

/* The value that the kind's own example has for the parameter that the input stands for. */
static bool example_value(const GraphExplainer *explainer, Str input, Ratio *ret_value)
{
    const Clause *clause = explainer->clause;
    if (clause->macro == NULL)
        return false;
    const YamlNode *example = yaml_find(clause->macro->root, S("example"));
    const YamlNode *names = yaml_find(example, S("clause"));
    const YamlNode *rows = yaml_find(example, S("inputs"));
    for (size_t i = 0; names != NULL && rows != NULL && i < names->count; i++) {
        const YamlNode *given = yaml_find(clause->yaml, names->items[i].key);
        if (given == NULL || given->kind != YAML_SCALAR || !str_eq(given->text, input))
            continue;
        for (size_t k = 0; k < rows->count; k++) {
            const YamlNode *name = yaml_find(&rows->items[k], S("input"));
            const YamlNode *value = yaml_find(&rows->items[k], S("value"));
            if (name != NULL && value != NULL && str_eq(name->text, names->items[i].text))
                return ratio_parse(explainer->arena, value->text, ret_value);
        }
    }
    return false;
}

static Ratio sample_value(const GraphExplainer *explainer, const ContractInput *input)
{
    static const int64_t by_base[UNIT_BASES] = {
        [UNIT_BASE_MONEY] = 1000, [UNIT_BASE_COUNT] = 10000, [UNIT_BASE_MONTHS] = 120,
        [UNIT_BASE_DAYS] = 10,    [UNIT_BASE_POINTS] = 10,   [UNIT_BASE_SCORE] = 80};
    Ratio value;
    if (example_value(explainer, input->name, &value))
        return value;
    for (size_t i = 0; i < UNIT_BASES; i++)
        if (input->unit.powers[i] == 1)
            return ratio_from_int(by_base[i]);
    return ratio_make(1, 2);
}

static ContractFacts *sample_facts(const GraphExplainer *explainer)
{
    const Contract *contract = explainer->contract;
    ContractFacts *facts = contract_facts_new(explainer->arena, contract);
    int32_t parts[DIMENSIONS_MAX] = {0};
    for (size_t i = 0; i < contract->dimension_count; i++)
        parts[i] = sample_part(explainer, facts, i);
    for (size_t i = 0; i < contract->input_count + contract->dimension_count; i++) {
        bool is_input = i < contract->input_count;
        size_t dimension = is_input ? 0 : i - contract->input_count;
        DimensionMask dims =
            is_input ? contract->inputs[i].dims : contract->dimensions[dimension].of;
        int32_t key[DIMENSIONS_MAX];
        size_t width = 0;
        for (size_t k = 0; k < contract->dimension_count; k++)
            if ((dims & dimension_bit(k)) != 0)
                key[width++] = parts[k];
        if (is_input)
            (void)contract_facts_add(facts, i, key, sample_value(explainer, &contract->inputs[i]));
        else if (dims != 0 && dimension != DIMENSION_YEAR)
            (void)contract_facts_add_attribute(facts, dimension, key, parts[dimension]);
    }
    return facts;
}

static void explain_example(const GraphExplainer *explainer, const bool *used)
{
    const Contract *contract = explainer->contract;
    StrBuf *out = explainer->out;
    const Outcome *outcome = NULL;
    DiagList diags;
    diag_init(&diags, explainer->arena);
    ContractFacts *facts = sample_facts(explainer);
    size_t number = (size_t)(explainer->clause - contract->clauses);
    if (contract_evaluate_clause(explainer->arena, facts, number, &diags, &outcome) != ERR_OK) {
        strbuf_add(out, S("  An example of this kind, with numbers, is in docs/clauses.md.\n"));
        return;
    }
    const OutcomeClause *result = &outcome->clauses[number];
    strbuf_add(out, S("  Example, with\n"));
    for (NodeId id = 0; id < contract->node_count; id++) {
        const GraphNode *node = &contract->nodes[id];
        if (!used[id] || node->op != GRAPH_INPUT)
            continue;
        const ContractInput *input = &contract->inputs[node->as.input.number];
        strbuf_printf(out, "    %.*s %.*s\n", STR_ARG(input->name),
                      STR_ARG(cell_value(explainer, input->unit, sample_value(explainer, input))));
    }
    strbuf_printf(out, "  %.*s is paid\n", STR_ARG(explainer->clause->to->id));
    for (size_t i = 0; i < result->line_count && i < 3; i++)
        strbuf_printf(out, "    %s %.*s: %.*s\n", contract->currency.code,
                      STR_ARG(money_format_grouped(explainer->arena, result->lines[i].minor,
                                                   contract->currency)),
                      STR_ARG(result->lines[i].reason));
}

void contract_explain_graph(const Contract *contract, size_t number, StrBuf *out, Arena *arena)
{
    const Clause *clause = &contract->clauses[number];
    GraphExplainer explainer = {contract, clause, out, arena};
    bool *used = ARENA_ZARRAY(arena, bool, contract->node_count + 1);
    contract_mark_used(contract, clause->pays, used);
    strbuf_printf(out, "\nClause %zu, %.*s: %.*s\n", number + 1, STR_ARG(clause->id),
                  STR_ARG(clause->title));
    if (clause->macro != NULL) {
        strbuf_printf(out, "  Kind: %.*s. %.*s.\n", STR_ARG(clause->kind),
                      STR_ARG(macro_text(clause->macro, S("title"))));
        add_lines(&explainer, macro_text(clause->macro, S("formula")));
    }
    strbuf_printf(out, "  %.*s pays ", STR_ARG(clause->from->id));
    for (size_t i = 0; i < clause->to_count; i++)
        strbuf_printf(out, "%s%.*s", i == 0 ? "" : " and ", STR_ARG(clause->to_list[i]->id));
    if (clause->to->each != EACH_ONE)
        strbuf_add(out, S(" (each of them)"));
    strbuf_add(out, S(", where\n"));
    for (NodeId id = 0; id < contract->node_count; id++)
        if (used[id] && contract->nodes[id].name.len > 0 &&
            (clause->macro == NULL || contract->nodes[id].op < GRAPH_BASIS ||
             contract->nodes[id].clause == UINT32_MAX))
            explain_node(&explainer, &contract->nodes[id]);
    explain_example(&explainer, used);
}

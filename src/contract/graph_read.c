/* Graphs from documents: scopes, names and values. The primitives are in primitive.c. */
#include "contract/graph_int.h"

#include <stdarg.h>
#include <stdio.h>

static Arena *arena_of(const Scope *scope)
{
    return scope->graph->reader->arena;
}

static Contract *contract_of(const Scope *scope)
{
    return scope->graph->reader->contract;
}

void graph_refuse(const Scope *scope, ContractRefusal refusal, const YamlNode *node,
                  const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    str_mend_cut(text);
    if (scope->macro == NULL)
        contract_refuse(scope->graph->reader, refusal, node, "%s", text);
    else
        contract_refuse(scope->graph->reader, refusal, scope->place,
                        "%s (kind %.*s, line %u of its table)", text, STR_ARG(scope->macro->name),
                        node->line);
}

/* --- scopes --- */

void scope_init(Scope *scope, GraphReader *graph, uint32_t clause)
{
    memset(scope, 0, sizeof(*scope));
    scope->graph = graph;
    scope->clause = clause;
    map_init(&scope->by_name, graph->reader->arena);
}

ScopeEntry *scope_find(const Scope *scope, Str name)
{
    uint64_t number;
    return map_find(&scope->by_name, name, &number) ? &scope->entries.items[number] : NULL;
}

/* --- small readers --- */

static bool looks_infinite(Str text)
{
    static const Str words[] = {STR_INIT("inf"),      STR_INIT(".inf"),      STR_INIT("-inf"),
                                STR_INIT("-.inf"),    STR_INIT("nan"),       STR_INIT(".nan"),
                                STR_INIT("Infinity"), STR_INIT("-Infinity"), STR_INIT("NaN"),
                                STR_INIT(".Inf"),     STR_INIT(".NaN"),      STR_INIT("-.Inf")};
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (str_eq(text, words[i]))
            return true;
    return false;
}

bool graph_number(Arena *arena, const YamlNode *node, Ratio *ret_value)
{
    if (node->kind != YAML_SCALAR || node->is_quoted ||
        str_find_char(node->text, 'e') != SIZE_MAX || str_find_char(node->text, 'E') != SIZE_MAX)
        return false;
    return ratio_parse(arena, node->text, ret_value);
}

bool graph_check_keys(const Scope *scope, const YamlNode *mapping, const Str *keys, size_t count)
{
    if (mapping->kind != YAML_MAPPING) {
        graph_refuse(scope, CONTRACT_REFUSAL_GRAPH, mapping, "expected a mapping with \"%.*s\"",
                     STR_ARG(keys[0]));
        return false;
    }
    bool ok = true;
    for (size_t i = 0; i < mapping->count; i++) {
        Words words = {keys, count};
        Str key = mapping->items[i].key;
        if (contract_words_find(words, key) != SIZE_MAX)
            continue;
        graph_refuse(scope, CONTRACT_REFUSAL_GRAPH, &mapping->items[i],
                     "unknown member \"%.*s\"%.*s", STR_ARG(str_slice(key, 0, 64)),
                     STR_ARG(contract_hint(arena_of(scope), key, words)));
        ok = false;
    }
    return ok;
}

size_t graph_word(const Scope *scope, const YamlNode *node, const char *what, Words words)
{
    Str text = node->kind == YAML_SCALAR ? node->text : S("");
    size_t index = contract_words_find(words, text);
    if (index != SIZE_MAX)
        return index;
    StrBuf all;
    strbuf_init(&all, arena_of(scope), 0);
    for (size_t i = 0; i < words.count && i < 20; i++)
        strbuf_printf(&all, "%s%.*s", i == 0 ? "" : ", ", STR_ARG(words.items[i]));
    graph_refuse(scope, CONTRACT_REFUSAL_WORD_UNKNOWN, node,
                 "unknown %s \"%.*s\"; write one of %.*s", what, STR_ARG(str_slice(text, 0, 64)),
                 STR_ARG(strbuf_str(&all)));
    return SIZE_MAX;
}

static bool add_dimension(const Scope *scope, const YamlNode *node, DimensionMask *mask)
{
    const Contract *contract = contract_of(scope);
    Str *names = ARENA_ARRAY(arena_of(scope), Str, contract->dimension_count);
    for (size_t i = 0; i < contract->dimension_count; i++)
        names[i] = contract->dimensions[i].name;
    Str text = node->kind == YAML_SCALAR ? node->text : S("");
    Words words = {names, contract->dimension_count};
    size_t index = contract_words_find(words, text);
    if (index == SIZE_MAX) {
        graph_refuse(scope, CONTRACT_REFUSAL_DIMENSION, node,
                     "unknown dimension \"%.*s\"%.*s; declare it below \"dimensions\"",
                     STR_ARG(str_slice(text, 0, 64)),
                     STR_ARG(contract_hint(arena_of(scope), text, words)));
        return false;
    }
    *mask |= dimension_bit(index);
    return true;
}

bool graph_dimensions(const Scope *scope, const YamlNode *node, DimensionMask *ret_mask)
{
    DimensionMask mask = 0;
    bool ok = true;
    if (node->kind == YAML_SEQUENCE)
        for (size_t i = 0; i < node->count; i++)
            ok = add_dimension(scope, &node->items[i], &mask) && ok;
    else
        ok = add_dimension(scope, node, &mask);
    if (ok)
        *ret_mask = mask;
    return ok;
}

NodeId graph_add(GraphReader *graph, GraphNode node, const NodeId *operands, size_t count)
{
    Arena *arena = graph->reader->arena;
    ASSERT(graph->nodes.count < GRAPH_NODES_MAX);
    node.operands = arena_copy(arena, operands, count * sizeof(NodeId));
    node.operand_count = count;
    for (size_t i = 0; i < count; i++)
        if (graph->nodes.items[operands[i]].depth >= node.depth)
            node.depth = graph->nodes.items[operands[i]].depth + 1;
    VEC_PUSH(arena, &graph->nodes, node);
    return (NodeId)(graph->nodes.count - 1);
}

static GraphNode source(const Scope *scope, const YamlNode *place, GraphOp op)
{
    const YamlNode *at = scope->macro == NULL ? place : scope->place;
    return (GraphNode){.op = op, .clause = scope->clause, .line = at->line, .column = at->column};
}

/* --- names --- */

static NodeId read_input(Scope *scope, ScopeEntry *entry)
{
    const ContractInput *input = &contract_of(scope)->inputs[entry->input];
    GraphNode node = {.op = GRAPH_INPUT,
                      .name = input->name,
                      .clause = UINT32_MAX,
                      .line = input->line,
                      .column = input->column_number,
                      .unit = input->unit,
                      .has_rows = true,
                      .dims = input->dims};
    node.as.input.number = entry->input;
    return graph_add(scope->graph, node, NULL, 0);
}

/* A parameter's value must be in the parameter's unit. */
static NodeId read_parameter(Scope *scope, ScopeEntry *entry)
{
    Unit unit = {{0}};
    const YamlNode *unit_text = yaml_find(entry->declaration, S("unit"));
    if (unit_text != NULL && !unit_parse(unit_text->text, &unit)) {
        graph_refuse(scope, CONTRACT_REFUSAL_UNIT, unit_text, "unknown unit \"%.*s\"",
                     STR_ARG(unit_text->text));
        return NODE_BAD;
    }
    if (entry->value == NULL)
        return NODE_BAD; /* told when the clause was read */
    NodeId id = graph_resolve(entry->value_scope, entry->value, &unit);
    if (id == NODE_NONE || id == NODE_BAD)
        return id;
    GraphNode *node = &scope->graph->nodes.items[id];
    if (node->name.len == 0)
        node->name = entry->name;
    if (node->is_any_unit) {
        if (node->op == GRAPH_NUMBER && entry->value->kind == YAML_SCALAR) {
            node->unit = unit;
            node->is_any_unit = false;
        }
        return id;
    }
    if (!unit_eq(node->unit, unit)) {
        graph_refuse(entry->value_scope, CONTRACT_REFUSAL_UNIT, entry->value,
                     "\"%.*s\" is in %.*s, and \"%.*s\" must be in %.*s",
                     STR_ARG(entry->value->kind == YAML_SCALAR
                                 ? str_slice(entry->value->text, 0, 64)
                                 : entry->name),
                     STR_ARG(unit_format(arena_of(scope), node->unit)), STR_ARG(entry->name),
                     STR_ARG(unit_format(arena_of(scope), unit)));
        return NODE_BAD;
    }
    return id;
}

static NodeId read_entry(Scope *scope, ScopeEntry *entry)
{
    NodeId id;
    if (entry->kind == ENTRY_INPUT) {
        id = read_input(scope, entry);
    } else if (entry->kind == ENTRY_PARAMETER) {
        id = read_parameter(scope, entry);
    } else {
        id = graph_resolve(scope, entry->value, NULL);
        if (id < NODE_BAD && scope->graph->nodes.items[id].name.len == 0)
            scope->graph->nodes.items[id].name = entry->name;
    }
    return id;
}

NodeId graph_resolve_name(Scope *scope, const YamlNode *place, Str name)
{
    ScopeEntry *entry = scope_find(scope, name);
    if (entry == NULL) {
        Str *names = ARENA_ARRAY(arena_of(scope), Str, scope->entries.count + 1);
        ASSERT(scope->entries.items != NULL || scope->entries.count == 0);
        for (size_t i = 0; i < scope->entries.count; i++)
            names[i] = scope->entries.items[i].name;
        Str hint = contract_hint(arena_of(scope), name, (Words){names, scope->entries.count});
        graph_refuse(scope, CONTRACT_REFUSAL_NAME, place,
                     "nothing is called \"%.*s\"%.*s; write a number, the name of an input, or "
                     "clauses.ID",
                     STR_ARG(str_slice(name, 0, 64)), STR_ARG(hint));
        return NODE_BAD;
    }
    if (entry->state == ENTRY_READING) {
        graph_refuse(scope, CONTRACT_REFUSAL_CYCLE, place,
                     "\"%.*s\" is worked out from itself; a contract has no cycle", STR_ARG(name));
        return NODE_BAD;
    }
    if (entry->state == ENTRY_UNREAD) {
        entry->state = ENTRY_READING;
        NodeId id = read_entry(scope, entry);
        entry = scope_find(scope, name); /* entries may have moved */
        entry->node = id;
        entry->state = ENTRY_READ;
    }
    return entry->node;
}

/* --- values --- */

/* {choose: spread, ratio: NAME, share: NAME} */
static NodeId read_choose(Scope *scope, const YamlNode *node, const Unit *unit)
{
    const YamlNode *name = yaml_find(node, S("choose"));
    const ScopeEntry *entry = scope_find(scope, name->text);
    if (entry == NULL || entry->kind != ENTRY_PARAMETER) {
        graph_refuse(scope, CONTRACT_REFUSAL_NAME, name, "\"%.*s\" is no parameter",
                     STR_ARG(name->text));
        return NODE_BAD;
    }
    if (entry->value == NULL)
        return NODE_BAD;
    const YamlNode *chosen =
        entry->value->kind == YAML_SCALAR ? yaml_find(node, entry->value->text) : NULL;
    if (chosen == NULL || chosen == name) {
        graph_refuse(entry->value_scope, CONTRACT_REFUSAL_WORD_UNKNOWN, entry->value,
                     "unknown word for \"%.*s\"", STR_ARG(entry->name));
        return NODE_BAD;
    }
    return graph_resolve(scope, chosen, unit);
}

/* {first: [local, national]}: the first that has a price. */
static NodeId read_first(Scope *scope, const YamlNode *node, const Unit *unit)
{
    const YamlNode *list = yaml_find(node, S("first"));
    if (list->kind != YAML_SEQUENCE || list->count == 0 || list->count > GRAPH_OPERANDS_MAX) {
        graph_refuse(scope, CONTRACT_REFUSAL_GRAPH, list,
                     "expected a list, the first that has a "
                     "value is taken");
        return NODE_BAD;
    }
    NodeId operands[GRAPH_OPERANDS_MAX];
    GraphNode first = source(scope, node, GRAPH_FIRST);
    for (size_t i = 0; i < list->count; i++) {
        const YamlNode *item = &list->items[i];
        operands[i] = item->kind == YAML_SEQUENCE
                          ? grid_read(scope, item, unit, i + 1 < list->count)
                          : graph_resolve(scope, item, unit);
        if (operands[i] >= NODE_BAD) {
            if (operands[i] == NODE_NONE)
                graph_refuse(scope, CONTRACT_REFUSAL_GRAPH, item, "\"none\" gives no value");
            return NODE_BAD;
        }
        const GraphNode *each = &scope->graph->nodes.items[operands[i]];
        if (i == 0)
            first.unit = each->unit;
        if (!each->is_any_unit && !unit_eq(first.unit, each->unit)) {
            graph_refuse(scope, CONTRACT_REFUSAL_UNIT, item, "this is in %.*s, the first in %.*s",
                         STR_ARG(unit_format(arena_of(scope), each->unit)),
                         STR_ARG(unit_format(arena_of(scope), first.unit)));
            return NODE_BAD;
        }
        first.dims |= each->dims;
    }
    return graph_add(scope->graph, first, operands, list->count);
}

/* {value: ..., unit: money/points}: a table or number in a unit that nothing else tells. */
static NodeId read_in_unit(Scope *scope, const YamlNode *value, const YamlNode *unit_text)
{
    Unit unit;
    if (unit_text->kind != YAML_SCALAR || !unit_parse(unit_text->text, &unit)) {
        graph_refuse(scope, CONTRACT_REFUSAL_UNIT, unit_text, "unknown unit \"%.*s\"",
                     STR_ARG(str_slice(unit_text->text, 0, 64)));
        return NODE_BAD;
    }
    NodeId id = graph_resolve(scope, value, &unit);
    if (id >= NODE_BAD)
        return id;
    GraphNode *node = &scope->graph->nodes.items[id];
    if (node->is_any_unit && node->op == GRAPH_NUMBER) {
        node->unit = unit;
        node->is_any_unit = false;
    } else if (!node->is_any_unit && !unit_eq(node->unit, unit)) {
        graph_refuse(scope, CONTRACT_REFUSAL_UNIT, value, "this is in %.*s, not in %.*s",
                     STR_ARG(unit_format(arena_of(scope), node->unit)),
                     STR_ARG(unit_format(arena_of(scope), unit)));
        return NODE_BAD;
    }
    return id;
}

/* {value: 310.24, per: year}: a price for a year, as one for a month. */
static NodeId read_per(Scope *scope, const YamlNode *node, const Unit *unit)
{
    static const Str words[] = {
#define GRAPH_PER(text, months) STR_INIT(text),
#include "contract/graph.def"
#undef GRAPH_PER
    };
    static const int64_t months[] = {
#define GRAPH_PER(text, count) count,
#include "contract/graph.def"
#undef GRAPH_PER
    };
    static const Str keys[] = {STR_INIT("value"), STR_INIT("per"), STR_INIT("unit")};
    const YamlNode *unit_text = yaml_find(node, S("unit"));
    const YamlNode *per = yaml_find(node, S("per"));
    const YamlNode *value = yaml_find(node, S("value"));
    if (!graph_check_keys(scope, node, keys, COUNT_OF(keys)))
        return NODE_BAD;
    if (per == NULL && unit_text == NULL) {
        graph_refuse(scope, CONTRACT_REFUSAL_GRAPH, node, "missing \"per\" or \"unit\"");
        return NODE_BAD;
    }
    NodeId id = unit_text != NULL ? read_in_unit(scope, value, unit_text)
                                  : graph_resolve(scope, value, unit);
    if (per == NULL)
        return id;
    size_t word = graph_word(scope, per, "span", WORDS(words));
    if (word == SIZE_MAX || id >= NODE_BAD)
        return NODE_BAD;
    GraphNode divisor = source(scope, per, GRAPH_NUMBER);
    divisor.as.number = ratio_from_int(months[word]);
    NodeId operands[2] = {id, graph_add(scope->graph, divisor, NULL, 0)};
    GraphNode divided = source(scope, node, GRAPH_RATE);
    const GraphNode *of = &scope->graph->nodes.items[id];
    divided.unit = of->is_any_unit && unit != NULL ? *unit : of->unit;
    divided.dims = of->dims;
    divided.has_rows = of->has_rows;
    return graph_add(scope->graph, divided, operands, 2);
}

static NodeId read_scalar(Scope *scope, const YamlNode *value)
{
    Ratio number;
    if (graph_number(arena_of(scope), value, &number)) {
        GraphNode node = source(scope, value, GRAPH_NUMBER);
        node.is_any_unit = true;
        node.as.number = number;
        return graph_add(scope->graph, node, NULL, 0);
    }
    if (looks_infinite(value->text)) {
        graph_refuse(scope, CONTRACT_REFUSAL_AMOUNT, value,
                     "\"%.*s\" is no finite number; write one such as 2.50", STR_ARG(value->text));
        return NODE_BAD;
    }
    if (str_eq(value->text, S("none")))
        return NODE_NONE;
    if (scope->macro == NULL && str_starts_with(value->text, S("clauses.")))
        return graph_clause(scope, value, str_slice(value->text, 8, SIZE_MAX));
    if (scope_find(scope, value->text) == NULL && scope->macro == NULL &&
        scope != &scope->graph->contract)
        return graph_resolve_name(&scope->graph->contract, value, value->text);
    return graph_resolve_name(scope, value, value->text);
}

static NodeId read_mapping(Scope *scope, const YamlNode *value, const Unit *unit)
{
    GraphOp op;
    if (yaml_find(value, S("choose")) != NULL)
        return read_choose(scope, value, unit);
    if (yaml_find(value, S("first")) != NULL)
        return read_first(scope, value, unit);
    if (yaml_find(value, S("value")) != NULL)
        return read_per(scope, value, unit);
    if (value->count == 1 && primitive_find(value->items[0].key, &op))
        return primitive_read(scope, &value->items[0], op);
    graph_refuse(scope, CONTRACT_REFUSAL_GRAPH, value,
                 "expected one primitive (basis, rate, gate, curve, cap, floor, allocate, fund or "
                 "timing), {value: ..., per: ...} or {first: [...]}");
    return NODE_BAD;
}

NodeId graph_resolve(Scope *scope, const YamlNode *value, const Unit *unit)
{
    GraphReader *graph = scope->graph;
    if (graph->depth >= GRAPH_REFERENCE_DEPTH_MAX || graph->nodes.count + 16 >= GRAPH_NODES_MAX) {
        graph_refuse(scope, CONTRACT_REFUSAL_LIMIT, value,
                     "more than %d values one within another, or %d in all",
                     GRAPH_REFERENCE_DEPTH_MAX, GRAPH_NODES_MAX);
        return NODE_BAD;
    }
    graph->depth++;
    NodeId id;
    if (value->kind == YAML_SCALAR)
        id = read_scalar(scope, value);
    else if (value->kind == YAML_SEQUENCE)
        id = grid_read(scope, value, unit, false);
    else
        id = read_mapping(scope, value, unit);
    graph->depth--;
    if (id < NODE_BAD && graph->nodes.items[id].depth > GRAPH_DEPTH_MAX) {
        graph_refuse(scope, CONTRACT_REFUSAL_LIMIT, value,
                     "more than %d values rest on one another", GRAPH_DEPTH_MAX);
        return NODE_BAD;
    }
    return id;
}

const YamlNode *graph_points(Scope *scope, const YamlNode *value, Scope **ret_scope)
{
    *ret_scope = scope;
    if (value->kind != YAML_SCALAR)
        return value;
    const ScopeEntry *entry = scope_find(scope, value->text);
    if (entry == NULL || entry->kind != ENTRY_PARAMETER)
        return value;
    *ret_scope = entry->value_scope;
    return entry->value;
}

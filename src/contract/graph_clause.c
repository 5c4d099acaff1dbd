/* A clause as a graph: the parameters of its kind are bound, the kind's nodes are read, and what is
   paid is checked to be money told apart by the parties that are paid. */
#include "contract/graph_int.h"

static Arena *arena_of(const Scope *scope)
{
    return scope->graph->reader->arena;
}

static Str text_of(const YamlNode *mapping, Str key)
{
    const YamlNode *node = yaml_find(mapping, key);
    return node == NULL ? S("") : node->text;
}

/* --- parameters --- */

static void bind_parameter(Scope *scope, const YamlNode *clause, const YamlNode *declaration)
{
    Str name = text_of(declaration, S("name"));
    Str other = text_of(declaration, S("or"));
    const YamlNode *value = yaml_find(clause, name);
    const YamlNode *second = other.len > 0 ? yaml_find(clause, other) : NULL;
    ScopeEntry entry = {.name = name,
                        .kind = ENTRY_PARAMETER,
                        .declaration = declaration,
                        .value_scope = &scope->graph->contract};
    if (value != NULL && second != NULL)
        contract_refuse(scope->graph->reader, CONTRACT_REFUSAL_CLAUSE_MEMBER, second,
                        "\"%.*s\" and \"%.*s\" say the same thing; remove one", STR_ARG(name),
                        STR_ARG(other));
    entry.value = value != NULL ? value : second;
    if (entry.value == NULL) {
        entry.value = yaml_find(declaration, S("default"));
        entry.value_scope = scope;
    }
    if (entry.value == NULL)
        contract_refuse(scope->graph->reader, CONTRACT_REFUSAL_CLAUSE_MEMBER, clause,
                        "missing \"%.*s%s%.*s\", which a clause of kind %.*s needs: %.*s",
                        STR_ARG(name), other.len > 0 ? "|" : "", STR_ARG(other),
                        STR_ARG(scope->macro->name), STR_ARG(text_of(declaration, S("says"))));
    map_put(&scope->by_name, name, scope->entries.count);
    VEC_PUSH(arena_of(scope), &scope->entries, entry);
}

void graph_add_entries(Scope *scope, const YamlNode *graph)
{
    if (graph->kind != YAML_MAPPING) {
        graph_refuse(scope, CONTRACT_REFUSAL_GRAPH, graph,
                     "expected a mapping of names to primitives");
        return;
    }
    for (size_t i = 0; i < graph->count; i++) {
        const YamlNode *node = &graph->items[i];
        if (scope_find(scope, node->key) != NULL) {
            graph_refuse(scope, CONTRACT_REFUSAL_ID_TWICE, node, "\"%.*s\" is there already",
                         STR_ARG(node->key));
            continue;
        }
        map_put(&scope->by_name, node->key, scope->entries.count);
        VEC_PUSH(arena_of(scope), &scope->entries,
                 (ScopeEntry){.name = node->key, .kind = ENTRY_NODE, .value = node});
    }
}

/* The members of a clause besides those that all have. */
static void check_members(const Scope *scope, const YamlNode *clause)
{
    static const Str common[] = {
#define REQUIRED               true
#define OPTIONAL               false
#define KEY_CLAUSE(name, need) STR_INIT(name),
#include "contract/key.def"
#undef KEY_CLAUSE
    };
    StrVec words = {0};
    Arena *arena = arena_of(scope);
    if (scope->macro == NULL) {
        VEC_PUSH(arena, &words, S("graph"));
        VEC_PUSH(arena, &words, S("pays"));
        VEC_PUSH(arena, &words, S("shows"));
        VEC_PUSH(arena, &words, S("reasons"));
    }
    const YamlNode *list = scope->macro == NULL ? NULL : scope->macro->parameters;
    for (size_t i = 0; list != NULL && i < list->count; i++) {
        VEC_PUSH(arena, &words, text_of(&list->items[i], S("name")));
        Str other = text_of(&list->items[i], S("or"));
        if (other.len > 0)
            VEC_PUSH(arena, &words, other);
    }
    for (size_t i = 0; i < COUNT_OF(common); i++)
        VEC_PUSH(arena, &words, common[i]);
    yaml_check_keys(&scope->graph->reader->yaml, clause, words.items, words.count);
}

/* --- reasons and what is shown --- */

/* Names in braces become nodes. */
static void read_template(Scope *scope, const YamlNode *node, GraphReason *reason)
{
    Vec(Str) names = {0};
    Vec(NodeId) nodes = {0};
    Str rest = node->text;
    size_t open;
    reason->text = node->text;
    while ((open = str_find_char(rest, '{')) != SIZE_MAX) {
        rest = str_slice(rest, open + 1, SIZE_MAX);
        size_t close = str_find_char(rest, '}');
        if (close == SIZE_MAX) {
            graph_refuse(scope, CONTRACT_REFUSAL_GRAPH, node, "a brace is not closed");
            return;
        }
        Str name = str_slice(rest, 0, close);
        NodeId id = graph_resolve_name(scope, node, name);
        if (id < NODE_BAD) {
            VEC_PUSH(arena_of(scope), &names, name);
            VEC_PUSH(arena_of(scope), &nodes, id);
        }
        rest = str_slice(rest, close + 1, SIZE_MAX);
    }
    reason->names = names.items;
    reason->nodes = nodes.items;
    reason->node_count = nodes.count;
}

/* {if: [[a, below, b], ...], says: "..."} */
static bool names_none(Scope *scope, const YamlNode *test)
{
    for (size_t i = 0; test->kind == YAML_SEQUENCE && i < test->count; i += 2)
        if (graph_resolve(scope, &test->items[i], NULL) == NODE_NONE)
            return true;
    return false;
}

/* False when it rests on something that the clause does not have, so that it never holds. */
static bool read_reason(Scope *scope, const YamlNode *node, GraphReason *reason)
{
    static const Str keys[] = {STR_INIT("if"), STR_INIT("says")};
    if (!graph_check_keys(scope, node, keys, COUNT_OF(keys)))
        return false;
    const YamlNode *tests = yaml_find(node, S("if"));
    const YamlNode *says = yaml_find(node, S("says"));
    NodeBuilder *builder = ARENA_NEW(arena_of(scope), NodeBuilder);
    builder->scope = scope;
    builder->body = node;
    for (size_t i = 0; tests != NULL && i < tests->count && i < COUNT_OF(reason->tests); i++)
        if (names_none(scope, &tests->items[i]))
            return false;
        else if (primitive_read_test(builder, &tests->items[i], &reason->tests[i]))
            reason->test_count++;
    memcpy(reason->operands, builder->operands, sizeof(reason->operands));
    if (says == NULL || says->kind != YAML_SCALAR)
        graph_refuse(scope, CONTRACT_REFUSAL_GRAPH, node, "missing \"says\"");
    else
        read_template(scope, says, reason);
    return true;
}

static void read_reasons(Scope *scope, const YamlNode *list, Clause *clause)
{
    if (list == NULL || list->kind != YAML_SEQUENCE)
        return;
    GraphReason *reasons = ARENA_ZARRAY(arena_of(scope), GraphReason, list->count);
    for (size_t i = 0; i < list->count; i++)
        if (read_reason(scope, &list->items[i], &reasons[clause->reason_count]))
            clause->reason_count++;
    clause->reasons = reasons;
}

static void read_shows(Scope *scope, const YamlNode *mapping, Clause *clause)
{
    if (mapping == NULL || mapping->kind != YAML_MAPPING)
        return;
    GraphShown *shows = ARENA_ZARRAY(arena_of(scope), GraphShown, mapping->count);
    for (size_t i = 0; i < mapping->count; i++) {
        NodeId id = graph_resolve(scope, &mapping->items[i], NULL);
        if (id >= NODE_BAD)
            continue;
        shows[clause->show_count++] = (GraphShown){.name = mapping->items[i].key, .node = id};
    }
    clause->shows = shows;
}

/* --- what is paid --- */

static void check_paid(Scope *scope, const YamlNode *place, Clause *clause, NodeId id)
{
    const Contract *contract = scope->graph->reader->contract;
    const GraphNode *node = &scope->graph->nodes.items[id];
    if (!unit_eq(node->unit, unit_of(UNIT_BASE_MONEY)) || node->is_any_unit) {
        graph_refuse(scope, CONTRACT_REFUSAL_UNIT, place, "what is paid is in %.*s, not in money",
                     STR_ARG(unit_format(arena_of(scope), node->unit)));
        return;
    }
    if (!node->has_rows) {
        graph_refuse(scope, CONTRACT_REFUSAL_DIMENSION, place,
                     "no input tells apart all that the amount depends on, so nothing says what "
                     "there is to pay for");
        return;
    }
    if (clause->to == NULL)
        return;
    bool has_party = (node->dims & dimension_bit(DIMENSION_PARTY)) != 0;
    bool is_many = clause->to_count > 1 || clause->to->each != EACH_ONE;
    if (has_party != is_many)
        contract_refuse(scope->graph->reader, CONTRACT_REFUSAL_PARTY_ROLE,
                        yaml_find(scope->place, S("to")),
                        is_many ? "\"%.*s\" stands for several parties, and what is paid is not "
                                  "told apart by party"
                                : "\"%.*s\" is one party, and what is paid is told apart by party; "
                                  "write each: listed at that party, or a list of parties",
                        STR_ARG(clause->to->id));
    (void)contract;
}

static NodeId read_pays(Scope *scope, Clause *clause)
{
    const YamlNode *pays =
        scope->macro != NULL ? scope->macro->pays : yaml_find(scope->place, S("pays"));
    const YamlNode *own = scope->macro == NULL ? scope->place : scope->macro->root;
    if (pays == NULL) {
        graph_refuse(scope, CONTRACT_REFUSAL_CLAUSE_MEMBER, scope->place, "missing \"pays\"");
        return NODE_BAD;
    }
    NodeId id = graph_resolve(scope, pays, NULL);
    if (id == NODE_NONE) {
        graph_refuse(scope, CONTRACT_REFUSAL_GRAPH, pays, "\"none\" pays nothing");
        return NODE_BAD;
    }
    if (id == NODE_BAD)
        return NODE_BAD;
    check_paid(scope, pays, clause, id);
    read_shows(scope, yaml_find(own, S("shows")), clause);
    read_reasons(scope, yaml_find(own, S("reasons")), clause);
    return id;
}

/* Every parameter is read, and every node of a document's own graph, also one that nothing uses:
   what is wrong in it is wrong. Nodes of a kind are read as they are needed: what rests on a
   parameter that is "none" may be nothing. */
static void read_all(Scope *scope)
{
    for (size_t i = 0; i < scope->entries.count; i++) {
        const ScopeEntry *entry = &scope->entries.items[i];
        Str is = entry->declaration == NULL ? S("") : text_of(entry->declaration, S("is"));
        bool is_asked = entry->kind == ENTRY_PARAMETER || scope->macro == NULL;
        if (is_asked && entry->state == ENTRY_UNREAD && !str_eq(is, S("points")) &&
            !str_eq(is, S("choice")) && !str_eq(is, S("number")))
            (void)graph_resolve_name(scope, scope->place, entry->name);
    }
}

void graph_read_clause(GraphReader *graph, uint32_t number)
{
    ClauseState *state = &graph->clauses[number];
    Clause *clause = &graph->reader->contract_clauses[number];
    if (state->state != ENTRY_UNREAD)
        return;
    state->state = ENTRY_READING;
    Scope *scope = ARENA_NEW(graph->reader->arena, Scope);
    scope_init(scope, graph, number);
    scope->place = state->yaml;
    scope->macro = clause->macro;
    clause->pays = NODE_BAD;
    check_members(scope, state->yaml);
    size_t errors = graph->reader->yaml.diags->counts[SEVERITY_ERROR];
    if (scope->macro != NULL) {
        for (size_t i = 0; i < scope->macro->parameters->count; i++)
            bind_parameter(scope, state->yaml, &scope->macro->parameters->items[i]);
        graph_add_entries(scope, scope->macro->graph);
    } else if (yaml_find(state->yaml, S("graph")) != NULL) {
        graph_add_entries(scope, yaml_find(state->yaml, S("graph")));
    } else {
        graph_refuse(scope, CONTRACT_REFUSAL_CLAUSE_MEMBER, state->yaml, "missing \"graph\"");
    }
    if (graph->reader->yaml.diags->counts[SEVERITY_ERROR] == errors) {
        read_all(scope);
        if (graph->reader->yaml.diags->counts[SEVERITY_ERROR] == errors)
            clause->pays = read_pays(scope, clause);
    }
    state->state = ENTRY_READ;
}

NodeId graph_clause(Scope *scope, const YamlNode *place, Str id)
{
    GraphReader *graph = scope->graph;
    const Contract *contract = graph->reader->contract;
    Clause *clauses = graph->reader->contract_clauses;
    size_t number = 0;
    while (number < contract->clause_count && !str_eq(clauses[number].id, id))
        number++;
    if (number == contract->clause_count) {
        Str *ids = ARENA_ARRAY(graph->reader->arena, Str, contract->clause_count);
        for (size_t i = 0; i < contract->clause_count; i++)
            ids[i] = clauses[i].id;
        graph_refuse(
            scope, CONTRACT_REFUSAL_NAME, place, "there is no clause \"%.*s\"%.*s",
            STR_ARG(str_slice(id, 0, 64)),
            STR_ARG(contract_hint(graph->reader->arena, id, (Words){ids, contract->clause_count})));
        return NODE_BAD;
    }
    if (graph->clauses[number].state == ENTRY_READING) {
        graph_refuse(scope, CONTRACT_REFUSAL_CYCLE, place,
                     "clause \"%.*s\" is worked out from itself; a contract has no cycle",
                     STR_ARG(id));
        return NODE_BAD;
    }
    graph_read_clause(graph, (uint32_t)number);
    NodeId pays = clauses[number].pays;
    if (pays >= NODE_BAD)
        return NODE_BAD; /* told there */
    const GraphNode *paid = &graph->nodes.items[pays];
    GraphNode node = {.op = GRAPH_CLAUSE,
                      .name = id,
                      .clause = scope->clause,
                      .line = place->line,
                      .column = place->column,
                      .unit = unit_of(UNIT_BASE_MONEY),
                      .has_rows = true,
                      .dims = contract_line_dimensions(contract, paid->dims)};
    node.as.clause = (uint32_t)number;
    return graph_add(graph, node, NULL, 0);
}

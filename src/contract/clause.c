/*
 * Clauses: a kind's rows are walked, each giving one parameter of one primitive, from the member
 * of the clause that the row names. The readers of parameters are a table; a new kind that uses
 * them anew adds nothing here.
 */
#include "contract/graph_int.h"

typedef struct {
    ContractReader *reader;
    const YamlNode *node; /* the clause */
    const ClauseKind *kind;
    ClauseNode *nodes;
    size_t node_count;
} ClauseReader;

typedef void (*ParameterFn)(ClauseReader *clause, ClauseNode *target, const YamlNode *value);

/* --- parameters of primitives --- */

static const Str unit_words[] = {
#define CHOICE_UNIT(name, text, says) STR_INIT(text),
#include "contract/choice.def"
#undef CHOICE_UNIT
};
static const Str day_words[] = {
#define CHOICE_DAY(name, text, says) STR_INIT(text),
#include "contract/choice.def"
#undef CHOICE_DAY
};
static const Str every_words[] = {
#define CHOICE_EVERY(name, text, says) STR_INIT(text),
#include "contract/choice.def"
#undef CHOICE_EVERY
};

static void read_unit(ClauseReader *clause, ClauseNode *target, const YamlNode *value)
{
    size_t index;
    if (contract_word(clause->reader, value, "unit", WORDS(unit_words), &index))
        target->as.basis.unit = (BasisUnit)index;
}

static void read_attributed_on(ClauseReader *clause, ClauseNode *target, const YamlNode *value)
{
    size_t index;
    if (contract_word(clause->reader, value, "day", WORDS(day_words), &index))
        target->as.basis.day = (BasisDay)index;
}

/* Of a kind without attributed-on it is the day of everything. */
static void read_alive_on(ClauseReader *clause, ClauseNode *target, const YamlNode *value)
{
    size_t index;
    if (!contract_word(clause->reader, value, "day", WORDS(day_words), &index))
        return;
    target->as.basis.must_be_alive = true;
    target->as.basis.alive_day = (BasisDay)index;
    if (yaml_find(clause->node, S("attributed-on")) == NULL)
        target->as.basis.day = (BasisDay)index;
}

static void read_indicator(ClauseReader *clause, ClauseNode *target, const YamlNode *value)
{
    const ContractReader *reader = clause->reader;
    const ContractKnown *known = reader->known;
    Words words = {.items = known->indicators, .count = known->indicator_count};
    const YamlNode *items = value->kind == YAML_SEQUENCE ? value->items : value;
    size_t count = value->kind == YAML_SEQUENCE ? value->count : 1;
    if (value->kind == YAML_MAPPING || count == 0) {
        yaml_error(&reader->yaml, value, "expected an indicator, or a list of them");
        return;
    }
    if (count > CONTRACT_GATE_INDICATORS_MAX) {
        contract_refuse(reader, CONTRACT_REFUSAL_LIMIT, value, "more than %d indicators",
                        CONTRACT_GATE_INDICATORS_MAX);
        return;
    }
    Str *ids = ARENA_ZARRAY(reader->arena, Str, count);
    for (size_t i = 0; i < count; i++) {
        Str id;
        if (!contract_id(reader, &items[i], &id))
            continue;
        if (known->has_indicators && contract_words_find(words, id) == SIZE_MAX)
            contract_refuse(reader, CONTRACT_REFUSAL_INDICATOR_UNKNOWN, &items[i],
                            "unknown indicator \"%.*s\"%.*s", STR_ARG(id),
                            STR_ARG(contract_hint(reader->arena, id, words)));
        if (contract_words_find((Words){ids, i}, id) != SIZE_MAX)
            contract_refuse(reader, CONTRACT_REFUSAL_ID_TWICE, &items[i],
                            "indicator \"%.*s\" is there twice and would be paid twice; remove "
                            "one",
                            STR_ARG(id));
        ids[i] = id;
    }
    target->as.gate.indicators = ids;
    target->as.gate.indicator_count = count;
}

static void read_table(ClauseReader *clause, ClauseNode *target, const YamlNode *value)
{
    const Gate *gate = NULL;
    for (size_t i = 0; i < clause->node_count; i++)
        if (clause->nodes[i].primitive == PRIMITIVE_GATE &&
            clause->nodes[i].as.gate.indicator_count > 0)
            gate = &clause->nodes[i].as.gate;
    contract_read_rate(clause->reader, value, gate, &target->as.rate);
}

static void read_every(ClauseReader *clause, ClauseNode *target, const YamlNode *value)
{
    size_t index;
    if (!contract_word(clause->reader, value, "timing", WORDS(every_words), &index))
        return;
    target->as.timing.every = (TimingEvery)index;
    int32_t months = clause->reader->contract->month_count;
    if (index == EVERY_YEAR && months % 12 != 0)
        contract_refuse(clause->reader, CONTRACT_REFUSAL_PERIOD, clause->node,
                        "a clause of kind %.*s is settled by the year, and the contract's period "
                        "has %d months; make it whole years",
                        STR_ARG(clause->kind->name), months);
}

static const struct {
    Primitive primitive;
    Str parameter;
    ParameterFn read;
} parameters[] = {
    {PRIMITIVE_BASIS, STR_INIT("unit"), read_unit},
    {PRIMITIVE_BASIS, STR_INIT("attributed-on"), read_attributed_on},
    {PRIMITIVE_BASIS, STR_INIT("alive-on"), read_alive_on},
    {PRIMITIVE_GATE, STR_INIT("indicator"), read_indicator},
    {PRIMITIVE_RATE, STR_INIT("table"), read_table},
    {PRIMITIVE_TIMING, STR_INIT("every"), read_every},
};

/* That the table of kinds names parameters that exist is the table's matter, not the document's. */
static ParameterFn parameter_find(const ClauseKindPart *part)
{
    for (size_t i = 0; i < COUNT_OF(parameters); i++)
        if (parameters[i].primitive == part->primitive &&
            str_eq(parameters[i].parameter, part->parameter))
            return parameters[i].read;
    return NULL;
}

/* --- the members that a kind asks for --- */

static const KeyRow common_keys[] = {
#define REQUIRED               true
#define OPTIONAL               false
#define KEY_CLAUSE(name, need) {STR_INIT(name), need},
#include "contract/key.def"
#undef KEY_CLAUSE
};

static void add_word(Arena *arena, StrVec *words, Str word)
{
    if (contract_words_find((Words){words->items, words->count}, word) == SIZE_MAX)
        VEC_PUSH(arena, words, word);
}

/* "members.alive-on" is member `members` and below it `alive-on`; below is empty for "rate". */
static void path_split(Str path, Str *ret_member, Str *ret_below)
{
    size_t dot = str_find_char(path, '.');
    *ret_member = str_slice(path, 0, dot);
    *ret_below = dot == SIZE_MAX ? S("") : str_slice(path, dot + 1, SIZE_MAX);
}

/* The members that the kind's rows name: in the clause itself (inside empty), or in one of those.
 */
static StrVec kind_members(Arena *arena, const ClauseKind *kind, Str inside)
{
    StrVec words = {0};
    for (size_t i = 0; i < kind->part_count; i++) {
        Str rest = kind->parts[i].value;
        Str path;
        while (!kind->parts[i].is_fixed && str_split_next(&rest, '|', &path)) {
            Str member;
            Str below;
            path_split(path, &member, &below);
            if (inside.len == 0)
                add_word(arena, &words, member);
            else if (str_eq(member, inside) && below.len > 0)
                add_word(arena, &words, below);
        }
    }
    return words;
}

static void check_members(const ClauseReader *clause)
{
    const ContractReader *reader = clause->reader;
    StrVec words = kind_members(reader->arena, clause->kind, S(""));
    for (size_t i = 0; i < words.count; i++) {
        const YamlNode *member = yaml_find(clause->node, words.items[i]);
        StrVec below = kind_members(reader->arena, clause->kind, words.items[i]);
        if (member == NULL || below.count == 0)
            continue;
        if (member->kind != YAML_MAPPING)
            yaml_error(&reader->yaml, member, "expected a mapping with \"%.*s\"",
                       STR_ARG(below.items[0]));
        else
            yaml_check_keys(&reader->yaml, member, below.items, below.count);
    }
    for (size_t i = 0; i < COUNT_OF(common_keys); i++)
        add_word(reader->arena, &words, common_keys[i].name);
    yaml_check_keys(&reader->yaml, clause->node, words.items, words.count);
}

/* The one member that gives the parameter; findings when there is none or more than one. */
static const YamlNode *part_value(const ClauseReader *clause, const ClauseKindPart *part)
{
    const ContractReader *reader = clause->reader;
    const YamlNode *found = NULL;
    Str rest = part->value;
    Str path;
    while (str_split_next(&rest, '|', &path)) {
        Str member;
        Str below;
        path_split(path, &member, &below);
        const YamlNode *value = yaml_find(clause->node, member);
        if (below.len > 0)
            value = yaml_find(value, below);
        if (value != NULL && found != NULL)
            contract_refuse(reader, CONTRACT_REFUSAL_CLAUSE_MEMBER, value,
                            "\"%.*s\" and \"%.*s\" say the same thing; remove one",
                            STR_ARG(found->key), STR_ARG(value->key));
        if (found == NULL)
            found = value;
    }
    if (found == NULL && !part->is_optional)
        contract_refuse(reader, CONTRACT_REFUSAL_CLAUSE_MEMBER, clause->node,
                        "missing \"%.*s\", which a clause of kind %.*s needs", STR_ARG(part->value),
                        STR_ARG(clause->kind->name));
    return found;
}

static void read_parts(ClauseReader *clause)
{
    Arena *arena = clause->reader->arena;
    clause->nodes = ARENA_ZARRAY(arena, ClauseNode, clause->kind->part_count);
    for (size_t i = 0; i < clause->kind->part_count; i++) {
        const ClauseKindPart *part = &clause->kind->parts[i];
        size_t count = clause->node_count;
        if (count == 0 || clause->nodes[count - 1].primitive != part->primitive) {
            clause->nodes[count].primitive = part->primitive;
            clause->nodes[count].input = count == 0 ? CLAUSE_NODE_NONE : (uint8_t)(count - 1);
            clause->node_count++;
        }
        YamlNode fixed = {.kind = YAML_SCALAR,
                          .line = clause->node->line,
                          .column = clause->node->column,
                          .text = part->value,
                          .key = part->parameter};
        const YamlNode *value = part->is_fixed ? &fixed : part_value(clause, part);
        ParameterFn read = parameter_find(part);
        ASSERT(read != NULL);
        if (value != NULL)
            read(clause, &clause->nodes[clause->node_count - 1], value);
    }
}

/* --- the clause --- */

/* The primitives are right each by itself; do they fit together? */
static void check_fit(const ClauseReader *clause)
{
    const Basis *basis = NULL;
    bool is_yearly = false;
    for (size_t i = 0; i < clause->node_count; i++) {
        if (clause->nodes[i].primitive == PRIMITIVE_BASIS)
            basis = &clause->nodes[i].as.basis;
        if (clause->nodes[i].primitive == PRIMITIVE_TIMING)
            is_yearly = clause->nodes[i].as.timing.every == EVERY_YEAR;
    }
    if (is_yearly && basis != NULL &&
        (basis->day == BASIS_DAY_FIFTEENTH ||
         (basis->must_be_alive && basis->alive_day == BASIS_DAY_FIFTEENTH)))
        contract_refuse(clause->reader, CONTRACT_REFUSAL_CLAUSE_MEMBER, clause->node,
                        "a year has no fifteenth; write first-day or last-day");
}

static const ContractParty *read_party(const ClauseReader *clause, const YamlNode *node, Str key,
                                       PartyRole role)
{
    const ContractReader *reader = clause->reader;
    const Contract *contract = reader->contract;
    Str id;
    if (!contract_text(reader, node, &id))
        return NULL;
    Str *ids = ARENA_ARRAY(reader->arena, Str, contract->party_count);
    for (size_t i = 0; i < contract->party_count; i++)
        ids[i] = contract->parties[i].id;
    Words words = {.items = ids, .count = contract->party_count};
    size_t index = contract_words_find(words, id);
    if (index == SIZE_MAX) {
        contract_refuse(reader, CONTRACT_REFUSAL_PARTY_UNKNOWN, node, "unknown party \"%.*s\"%.*s",
                        STR_ARG(str_slice(id, 0, 64)),
                        STR_ARG(contract_hint(reader->arena, id, words)));
        return NULL;
    }
    const ContractParty *party = &contract->parties[index];
    if (party->role != role && party->role != PARTY_PARTNER)
        contract_refuse(reader, CONTRACT_REFUSAL_PARTY_ROLE, node,
                        "\"%.*s\" is a %s and cannot stand in \"%.*s\"; name a %s there",
                        STR_ARG(id), party->role == PARTY_PAYER ? "payer" : "provider",
                        STR_ARG(key), role == PARTY_PAYER ? "payer" : "provider");
    return party;
}

/* One party, or for `to` a list of them. */
static void read_parties(const ClauseReader *clause, Clause *ret_clause)
{
    Arena *arena = clause->reader->arena;
    const YamlNode *from = yaml_find(clause->node, S("from"));
    const YamlNode *to = yaml_find(clause->node, S("to"));
    if (from != NULL)
        ret_clause->from = read_party(clause, from, S("from"), PARTY_PAYER);
    if (to == NULL)
        return;
    bool is_list = to->kind == YAML_SEQUENCE && to->count > 0;
    size_t count = is_list ? to->count : 1;
    const ContractParty **list = ARENA_ZARRAY(arena, const ContractParty *, count);
    bool ok = true;
    for (size_t i = 0; i < count; i++) {
        const YamlNode *node = is_list ? &to->items[i] : to;
        list[i] = read_party(clause, node, S("to"), PARTY_PROVIDER);
        ok = ok && list[i] != NULL;
        if (list[i] != NULL && is_list && list[i]->each != EACH_ONE)
            contract_refuse(clause->reader, CONTRACT_REFUSAL_PARTY_ROLE, node,
                            "\"%.*s\" stands for several parties already; name it alone",
                            STR_ARG(list[i]->id));
    }
    if (!ok)
        return;
    ret_clause->to = list[0];
    ret_clause->to_list = list;
    ret_clause->to_count = count;
}

/* A clause that counts persons pays the practices that they are attributed to. */
static void check_attributed(const ClauseReader *clause, const Clause *read)
{
    const ContractReader *reader = clause->reader;
    if (read->to != NULL && (read->to->each != EACH_ATTRIBUTED_PRACTICE || read->to_count > 1))
        contract_refuse(reader, CONTRACT_REFUSAL_PARTY_ROLE, yaml_find(clause->node, S("to")),
                        "\"%.*s\" has nobody attributed to it; write each: attributed-practice at "
                        "that party",
                        STR_ARG(read->to->id));
    if (!reader->contract->has_attribution)
        contract_refuse(reader, CONTRACT_REFUSAL_CLAUSE_MEMBER, clause->node,
                        "the clause counts persons by practice, and the contract has no "
                        "\"attribution\" that says whose they are");
}

static void read_kind(ClauseReader *clause, Clause *ret_clause)
{
    const ContractReader *reader = clause->reader;
    const YamlNode *node = yaml_find(clause->node, S("kind"));
    Str name;
    if (node == NULL || !contract_text(reader, node, &name))
        return;
    clause->kind = contract_find_kind(name);
    if (clause->kind != NULL) {
        ret_clause->kind = clause->kind->name;
        return;
    }
    ret_clause->is_graph = true;
    if (str_eq(name, S("graph"))) {
        ret_clause->kind = S("graph");
        return;
    }
    ret_clause->macro = macro_find(clause->reader, name);
    if (ret_clause->macro != NULL) {
        ret_clause->kind = ret_clause->macro->name;
        return;
    }
    size_t count;
    size_t macro_count;
    const ClauseKind *kinds = contract_kinds(&count);
    const ClauseMacroText *macros = contract_macros(&macro_count);
    Str *names = ARENA_ARRAY(reader->arena, Str, count + macro_count + 1);
    for (size_t i = 0; i < count; i++)
        names[i] = kinds[i].name;
    for (size_t i = 0; i < macro_count; i++)
        names[count++] = macros[i].name;
    names[count++] = S("graph");
    contract_refuse(reader, CONTRACT_REFUSAL_KIND_UNKNOWN, node, "unknown kind \"%.*s\"%.*s",
                    STR_ARG(str_slice(name, 0, 64)),
                    STR_ARG(contract_hint(reader->arena, name, (Words){names, count})));
}

static void read_clause(ContractReader *reader, const YamlNode *node, Clause *ret_clause)
{
    ClauseReader clause = {.reader = reader, .node = node};
    if (node->kind != YAML_MAPPING) {
        yaml_error(&reader->yaml, node, "expected a mapping with \"id\"");
        return;
    }
    ret_clause->yaml = node;
    ret_clause->line = node->line;
    ret_clause->column = node->column;
    for (size_t i = 0; i < COUNT_OF(common_keys); i++)
        (void)yaml_get(&reader->yaml, node, common_keys[i].name);
    const YamlNode *id = yaml_find(node, S("id"));
    if (id != NULL)
        (void)contract_id(reader, id, &ret_clause->id);
    const YamlNode *title = yaml_find(node, S("title"));
    if (title != NULL)
        (void)contract_text(reader, title, &ret_clause->title);
    read_parties(&clause, ret_clause);
    read_kind(&clause, ret_clause);
    if (clause.kind == NULL)
        return;
    check_attributed(&clause, ret_clause);
    check_members(&clause);
    read_parts(&clause);
    check_fit(&clause);
    ret_clause->nodes = clause.nodes;
    ret_clause->node_count = clause.node_count;
}

/* Clauses that are graphs, after the heads of all are known: one may name another. */
static void read_graphs(ContractReader *reader, const YamlNode *list, const YamlNode *values)
{
    Contract *contract = reader->contract;
    GraphReader graph = {.reader = reader};
    scope_init(&graph.contract, &graph, UINT32_MAX);
    graph.clauses = ARENA_ZARRAY(reader->arena, ClauseState, list->count + 1);
    for (size_t i = 0; i < contract->input_count; i++) {
        map_put(&graph.contract.by_name, contract->inputs[i].name, i);
        VEC_PUSH(reader->arena, &graph.contract.entries,
                 (ScopeEntry){
                     .name = contract->inputs[i].name, .kind = ENTRY_INPUT, .input = (uint32_t)i});
    }
    if (values != NULL)
        graph_add_entries(&graph.contract, values);
    for (size_t i = 0; i < list->count; i++)
        graph.clauses[i].yaml = &list->items[i];
    for (size_t i = 0; i < list->count; i++)
        if (reader->contract_clauses[i].is_graph && reader->contract_clauses[i].kind.len > 0)
            graph_read_clause(&graph, (uint32_t)i);
    for (size_t i = 0; values != NULL && i < graph.contract.entries.count; i++)
        if (graph.contract.entries.items[i].kind == ENTRY_NODE)
            (void)graph_resolve_name(&graph.contract, values, graph.contract.entries.items[i].name);
    contract->nodes = graph.nodes.items;
    contract->node_count = graph.nodes.count;
}

void contract_read_clauses(ContractReader *reader, const YamlNode *list, const YamlNode *values)
{
    if (list == NULL)
        return;
    if (list->count > CONTRACT_CLAUSES_MAX) {
        contract_refuse(reader, CONTRACT_REFUSAL_LIMIT, list, "more than %d clauses",
                        CONTRACT_CLAUSES_MAX);
        return;
    }
    Clause *clauses = ARENA_ZARRAY(reader->arena, Clause, list->count);
    Map seen;
    map_init(&seen, reader->arena);
    for (size_t i = 0; i < list->count; i++) {
        read_clause(reader, &list->items[i], &clauses[i]);
        bool is_new = true;
        if (clauses[i].id.len > 0)
            (void)map_intern(&seen, clauses[i].id, i, &is_new);
        if (!is_new)
            contract_refuse(reader, CONTRACT_REFUSAL_ID_TWICE, yaml_find(&list->items[i], S("id")),
                            "clause \"%.*s\" is there twice; give one of them another id",
                            STR_ARG(clauses[i].id));
    }
    reader->contract->clauses = clauses;
    reader->contract->clause_count = list->count;
    reader->contract_clauses = clauses;
    read_graphs(reader, list, values);
}

/*
 * What would be paid twice: two clauses, of one contract or of two, that pay the same party in the
 * same time for the same thing. The same thing is an indicator, or an input that counts (persons,
 * events, months, days, points) by name; money is no such thing, as a clause may well rest on what
 * another one pays.
 */
#include "contract/contract_int.h"

typedef struct {
    const Contract *contract;
    const Clause *clause;
    StrVec things;
} Payment;

static bool counts(Unit unit)
{
    for (size_t i = 0; i < UNIT_BASES; i++)
        if (i != UNIT_BASE_MONEY && i != UNIT_BASE_SCORE && unit_eq(unit, unit_of((UnitBase)i)))
            return true;
    return false;
}

/* An input is paid for when it is what a rate, a curve or a sum works on, down from what is paid;
   what only decides (a gate's test) or divides is not. */
static void mark_paid(const Contract *contract, NodeId id, bool *paid)
{
    paid[id] = true;
    for (NodeId at = (NodeId)contract->node_count; at-- > 0;) {
        const GraphNode *node = &contract->nodes[at];
        bool is_product = node->op == GRAPH_RATE || node->op == GRAPH_CURVE ||
                          node->op == GRAPH_CAP || node->op == GRAPH_FLOOR ||
                          node->op == GRAPH_GATE || node->op == GRAPH_TIMING;
        size_t count = is_product && node->operand_count > 0 ? 1 : node->operand_count;
        if (node->op == GRAPH_ALLOCATE)
            count = 1;
        for (size_t i = 0; paid[at] && i < count; i++)
            paid[node->operands[i]] = true;
    }
}

static StrVec things_of(Arena *arena, const Contract *contract, const Clause *clause)
{
    StrVec things = {0};
    const ClauseNode *gate = clause_find(clause, PRIMITIVE_GATE);
    for (size_t i = 0; gate != NULL && i < gate->as.gate.indicator_count; i++)
        VEC_PUSH(arena, &things, gate->as.gate.indicators[i]);
    if (!clause->is_graph && gate == NULL)
        VEC_PUSH(arena, &things, S("member months"));
    if (!clause->is_graph)
        return things;
    bool *paid = ARENA_ZARRAY(arena, bool, contract->node_count + 1);
    mark_paid(contract, clause->pays, paid);
    for (NodeId id = 0; id < contract->node_count; id++)
        if (paid[id] && contract->nodes[id].op == GRAPH_INPUT && counts(contract->nodes[id].unit))
            VEC_PUSH(arena, &things, contract->nodes[id].name);
    return things;
}

static bool pay_the_same_party(const Clause *a, const Clause *b)
{
    for (size_t i = 0; i < a->to_count; i++)
        for (size_t k = 0; k < b->to_count; k++)
            if (str_eq(a->to_list[i]->id, b->to_list[k]->id))
                return true;
    return false;
}

static void compare(const Payment *a, const Payment *b, Str file, DiagList *diags)
{
    if (a->contract->first_day > b->contract->last_day ||
        b->contract->first_day > a->contract->last_day || !pay_the_same_party(a->clause, b->clause))
        return;
    for (size_t i = 0; i < b->things.count; i++) {
        Words things = {a->things.items, a->things.count};
        if (contract_words_find(things, b->things.items[i]) == SIZE_MAX)
            continue;
        diag_addf(diags,
                  (Diag){.severity = SEVERITY_WARNING,
                         .rule = S("contract-paid-twice"),
                         .file = file,
                         .line = b->clause->line,
                         .column = b->clause->column,
                         .path = b->clause->id},
                  "pays %.*s for %.*s, and so does clause %.*s of contract %.*s (line %u)",
                  STR_ARG(b->clause->to->id), STR_ARG(b->things.items[i]), STR_ARG(a->clause->id),
                  STR_ARG(a->contract->id), a->clause->line);
    }
}

void contract_check_twice(const Contract *const *contracts, const Str *files, size_t count,
                          DiagList *diags)
{
    Arena *arena = arena_create(0);
    Vec(Payment) payments = {0};
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < contracts[i]->clause_count; k++) {
            const Clause *clause = &contracts[i]->clauses[k];
            Payment payment = {contracts[i], clause, things_of(arena, contracts[i], clause)};
            for (size_t before = 0; before < payments.count; before++)
                compare(&payments.items[before], &payment, files[i], diags);
            VEC_PUSH(arena, &payments, payment);
        }
    }
    arena_destroy(arena);
}

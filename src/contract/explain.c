/* A contract in plain English. Everything said is read from the same fields that settlement uses.
 */
#include "contract/contract_int.h"

typedef struct {
    const Contract *contract;
    StrBuf *out;
    Arena *arena;
} Explainer;

static void add_money(const Explainer *explainer, int64_t minor)
{
    const Contract *contract = explainer->contract;
    strbuf_printf(explainer->out, "%s %.*s", contract->currency.code,
                  STR_ARG(money_format_grouped(explainer->arena, minor, contract->currency)));
}

static void add_rate(const Explainer *explainer, Decimal amount)
{
    Str text = contract_rate_text(explainer->contract, amount, explainer->arena);
    strbuf_add(explainer->out, text);
}

static void explain_head(const Explainer *explainer)
{
    const Contract *contract = explainer->contract;
    StrBuf *out = explainer->out;
    Str first = day_format(explainer->arena, contract->first_day);
    Str last = day_format(explainer->arena, contract->last_day);
    strbuf_printf(out, "Contract %.*s, version %d: %.*s\n", STR_ARG(contract->id),
                  contract->version, STR_ARG(contract->title));
    strbuf_printf(out, "For care from %.*s to %.*s, %d month%s. Amounts are in %s.\n",
                  STR_ARG(first), STR_ARG(last), contract->month_count,
                  contract->month_count == 1 ? "" : "s", contract->currency.code);
    strbuf_printf(out, "Written by %.*s, approved by ", STR_ARG(contract->author));
    for (size_t i = 0; i < contract->approver_count; i++)
        strbuf_printf(out, "%s%.*s", i == 0 ? "" : ", ", STR_ARG(contract->approvers[i]));
    strbuf_printf(out, ". Reason: %.*s\n", STR_ARG(contract->reason));
}

static void explain_parties(const Explainer *explainer)
{
    StrBuf *out = explainer->out;
    strbuf_add_c(out, "\nParties\n");
    for (size_t i = 0; i < explainer->contract->party_count; i++) {
        const ContractParty *party = &explainer->contract->parties[i];
        strbuf_printf(out, "  %.*s: %.*s, %s", STR_ARG(party->id), STR_ARG(party->name),
                      party->role == PARTY_PAYER      ? "which pays"
                      : party->role == PARTY_PROVIDER ? "which is paid"
                                                      : "which pays and is paid");
        if (party->each == EACH_ATTRIBUTED_PRACTICE)
            strbuf_add_c(out, "; each practice that persons belong to is paid for its own");
        if (party->each == EACH_LISTED)
            strbuf_add_c(out, "; each one that the inputs name is paid for its own");
        if (party->account.len > 0)
            strbuf_printf(out, "; booked under %.*s", STR_ARG(party->account));
        strbuf_add_c(out, ".\n");
    }
}

static void explain_attribution(const Explainer *explainer)
{
    const AttributionRule *rule = &explainer->contract->attribution;
    StrBuf *out = explainer->out;
    strbuf_printf(out,
                  "\nWho belongs to a practice\n"
                  "  On a day, a person belongs to %.*s\n  in the %d month%s before that day",
                  STR_ARG(attribution_method_says(rule->method)), rule->months,
                  rule->months == 1 ? "" : "s");
    for (size_t i = 0; i < rule->status_count; i++)
        strbuf_printf(out, "%s%.*s", i == 0 ? ", of those with status " : " or ",
                      STR_ARG(rule->statuses[i]));
    strbuf_add_c(out, ". Of several with as many, it is the one with\n  ");
    for (size_t i = 0; i < rule->tie_count; i++)
        strbuf_printf(out, "%s%.*s", i == 0 ? "" : "; if that is the same too, with ",
                      STR_ARG(attribution_tie_says(rule->ties[i])));
    strbuf_add_c(out, ".\n  A person without such an encounter belongs to nobody: counted, listed, "
                      "and not paid for.\n");
}

static void explain_rounding(const Explainer *explainer)
{
    const Contract *contract = explainer->contract;
    strbuf_printf(explainer->out, "\nRounding\n  Amounts are rounded %s, by the rule %s.\n",
                  contract_round_at_says(contract->round_at), rounding_text(contract->rounding));
}

/* --- a clause --- */

static void explain_basis(const Explainer *explainer, const Basis *basis, const char *every)
{
    StrBuf *out = explainer->out;
    strbuf_printf(out, "  for each person who belongs to it on %s of the %s",
                  contract_day_says(basis->day), every);
    if (basis->must_be_alive && basis->alive_day == basis->day)
        strbuf_add_c(out, " and is alive on that day");
    else if (basis->must_be_alive)
        strbuf_printf(out, " and is alive on %s of it", contract_day_says(basis->alive_day));
    else
        strbuf_add_c(out, ", alive or not");
}

static void explain_gate(const Explainer *explainer, const Gate *gate)
{
    StrBuf *out = explainer->out;
    strbuf_add_c(out, ",\n  once for each of these indicators that was achieved for the person:\n");
    for (size_t i = 0; i < gate->indicator_count; i++)
        strbuf_printf(out, "    %.*s\n", STR_ARG(gate->indicators[i]));
}

static void explain_rates(const Explainer *explainer, const RateTable *table)
{
    StrBuf *out = explainer->out;
    size_t width = 0;
    for (size_t i = 0; i < table->cell_count; i++)
        if (table->cells[i].label.len > width)
            width = table->cells[i].label.len;
    for (size_t i = 0; i < table->cell_count; i++) {
        Str label = table->cells[i].label;
        strbuf_printf(out, "    %.*s%*s  ", STR_ARG(label), (int)(width - label.len), "");
        add_rate(explainer, table->cells[i].amount);
        strbuf_add_char(out, '\n');
    }
    if (table->uses[ATTRIBUTE_AGE])
        strbuf_add_c(out, "  Age is in whole years on that day.\n");
}

/* 30 units of the first cell, 20 of the second, 10 of any other, so that a reader can redo it. */
static void explain_example(const Explainer *explainer, const Clause *clause)
{
    enum { SHOWN_MAX = 3 };
    static const int64_t quantities[SHOWN_MAX] = {30, 20, 10};
    const Contract *contract = explainer->contract;
    const RateTable *table = &clause_find(clause, PRIMITIVE_RATE)->as.rate;
    const char *unit = contract_unit_says(clause_find(clause, PRIMITIVE_BASIS)->as.basis.unit);
    bool has_gate = clause_find(clause, PRIMITIVE_GATE) != NULL;
    StrBuf *out = explainer->out;
    size_t shown = table->cell_count < SHOWN_MAX ? table->cell_count : SHOWN_MAX;
    int64_t total = 0;
    strbuf_add_c(out, "  Example: a practice with\n");
    for (size_t i = 0; i < shown; i++) {
        const RateCell *cell = &table->cells[i];
        int64_t amount = 0;
        /* Amounts of a checked contract are small enough for these quantities. */
        ASSERT(contract_amount(contract, cell, quantities[i], &amount));
        ASSERT(money_add(total, amount, &total));
        strbuf_printf(out, "    %lld %s, %.*s, is paid %lld x ", (long long)quantities[i],
                      has_gate ? "achieved indicators" : unit, STR_ARG(cell->label),
                      (long long)quantities[i]);
        add_rate(explainer, cell->amount);
        if (contract->round_at == ROUND_AT_PERSON) {
            int64_t each = 0;
            ASSERT(contract_amount(contract, cell, 1, &each));
            strbuf_add_c(out, ", each rounded to ");
            add_money(explainer, each);
            strbuf_add_c(out, ",");
        }
        strbuf_add_c(out, " = ");
        add_money(explainer, amount);
        strbuf_add_c(out, shown == 1 ? ".\n" : "\n");
    }
    if (shown > 1) {
        strbuf_add_c(out, "  together ");
        add_money(explainer, total);
        strbuf_add_c(out, ".\n");
    }
}

static void explain_clause(const Explainer *explainer, const Clause *clause, size_t number)
{
    StrBuf *out = explainer->out;
    const ClauseKind *kind = contract_find_kind(clause->kind);
    const ClauseNode *timing = clause_find(clause, PRIMITIVE_TIMING);
    const ClauseNode *gate = clause_find(clause, PRIMITIVE_GATE);
    const ClauseNode *rate = clause_find(clause, PRIMITIVE_RATE);
    const char *every = contract_every_text(timing->as.timing.every);
    strbuf_printf(out, "\nClause %zu, %.*s: %.*s\n", number, STR_ARG(clause->id),
                  STR_ARG(clause->title));
    strbuf_printf(out, "  Kind: %.*s. %.*s.\n", STR_ARG(kind->name), STR_ARG(kind->title));
    strbuf_printf(out, "  %.*s pays %s of %.*s, for each %s,\n", STR_ARG(clause->from->id),
                  clause->to->each == EACH_ATTRIBUTED_PRACTICE ? "each practice" : "the party",
                  STR_ARG(clause->to->id), every);
    explain_basis(explainer, &clause_find(clause, PRIMITIVE_BASIS)->as.basis, every);
    if (gate != NULL)
        explain_gate(explainer, &gate->as.gate);
    else
        strbuf_add_c(out, ":\n");
    if (gate != NULL)
        strbuf_add_c(out, "  the amount\n");
    explain_rates(explainer, &rate->as.rate);
    explain_example(explainer, clause);
}

static void explain_one(const Explainer *explainer, size_t number)
{
    const Contract *contract = explainer->contract;
    if (contract->clauses[number].is_graph)
        contract_explain_graph(contract, number, explainer->out, explainer->arena);
    else
        explain_clause(explainer, &contract->clauses[number], number + 1);
}

void contract_explain(const Contract *contract, StrBuf *out)
{
    Arena *arena = arena_create(0);
    Explainer explainer = {.contract = contract, .out = out, .arena = arena};
    explain_head(&explainer);
    explain_parties(&explainer);
    if (contract->has_attribution)
        explain_attribution(&explainer);
    explain_rounding(&explainer);
    for (size_t i = 0; i < contract->clause_count; i++)
        explain_one(&explainer, i);
    arena_destroy(arena);
}

void contract_explain_clause(const Contract *contract, size_t clause, StrBuf *out)
{
    ASSERT(clause < contract->clause_count);
    Arena *arena = arena_create(0);
    Explainer explainer = {.contract = contract, .out = out, .arena = arena};
    explain_one(&explainer, clause);
    arena_destroy(arena);
}

/*
 * fuzz_contract -- any bytes as a contract document: check it, and if it is one, explain it, look
 * up every cell of its rate tables and work out amounts. Findings must have a place and a rule.
 */
#include "contract/contract.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask_rates(const Contract *contract, const Clause *clause)
{
    const RateTable *table = &clause_find(clause, PRIMITIVE_RATE)->as.rate;
    const ClauseNode *gate = clause_find(clause, PRIMITIVE_GATE);
    int32_t indicators = gate == NULL ? 1 : (int32_t)gate->as.gate.indicator_count;
    for (int32_t age = 0; age <= CONTRACT_AGE_MAX + 1; age += 5) {
        for (int32_t sex = 0; sex <= RATE_SEX_OTHER; sex++) {
            int32_t values[ATTRIBUTE_COUNT] = {0};
            values[ATTRIBUTE_AGE] = age;
            values[ATTRIBUTE_SEX] = sex;
            values[ATTRIBUTE_INDICATOR] = (age + sex) % indicators;
            const RateCell *cell = &table->cells[rate_cell(table, values)];
            int64_t amount;
            ASSERT(contract_amount(contract, cell, age, &amount) && amount >= 0);
        }
    }
}

static void ask_everything(const Contract *contract, Arena *arena)
{
    StrBuf out;
    strbuf_init(&out, arena, 0);
    contract_explain(contract, &out);
    ASSERT(out.len > 0 && !out.overflowed);
    const Str *indicators;
    (void)contract_indicators(contract, arena, &indicators);
    for (size_t i = 0; i < contract->clause_count; i++) {
        const Clause *clause = &contract->clauses[i];
        ASSERT(contract_find_clause(contract, clause->id) == clause);
        if (clause->is_graph) /* worked out by contract_explain() */
            continue;
        TimingEvery every = clause_find(clause, PRIMITIVE_TIMING)->as.timing.every;
        size_t periods = contract_period_count(contract, every);
        int32_t before = contract->first_day - 1;
        for (size_t k = 0; k < periods; k++) {
            int32_t first;
            int32_t last;
            contract_period(contract, every, k, &first, &last);
            ASSERT(first == before + 1 && last > first);
            before = last;
        }
        ASSERT(before == contract->last_day);
        ask_rates(contract, clause);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_create(0);
    DiagList diags;
    diag_init(&diags, arena);
    const Contract *contract = NULL;
    Str text = {.ptr = (const char *)data, .len = size};
    ErrorCode code = contract_check(arena, text, S("fuzz.yaml"), NULL, &diags, &contract);
    ASSERT((code == ERR_OK) == (contract != NULL));
    ASSERT((code == ERR_OK) == !diag_has_errors(&diags));
    VEC_FOREACH (Diag, diag, &diags.kept)
        ASSERT(diag->rule.len > 0 && diag->text.len > 0);
    if (contract != NULL)
        ask_everything(contract, arena);
    arena_destroy(arena);
    return 0;
}

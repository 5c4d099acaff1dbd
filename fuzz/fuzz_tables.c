/*
 * fuzz_tables -- any bytes as a table of inputs (TSV or CSV) for a contract with every kind of
 * dimension: either the contract is worked out from it, or findings say why not.
 */
#include "settle/settle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const Str contract_text = STR_INIT(
    "contract: c\ntitle: T\nversion: 1\ncurrency: USD\n"
    "period: {from: 2020-01-01, to: 2020-12-31}\nparties:\n"
    "  - {id: payer, role: payer, name: P}\n  - {id: all, role: provider, name: A, each: listed}\n"
    "dimensions:\n  group: {words: [g1, g2], aliases: {x: g1}}\n  level: {range: {from: 1}}\n"
    "  track: {of: [party], words: [t1, t2]}\ninputs:\n"
    "  months: {unit: months, by: [party, period, group, level]}\n"
    "  pool: {unit: money, by: [period]}\n"
    "  weight: {unit: ratio, by: [party, period], default: 1}\nclauses:\n"
    "  - id: fee\n    kind: member-fee\n    title: F\n    from: payer\n    to: all\n"
    "    months: months\n    rate: [{track: t1, value: 2.50}, {track: t2, value: 3}]\n"
    "  - id: share\n    kind: graph\n    title: S\n    from: payer\n    to: all\n    graph:\n"
    "      paid: {allocate: {of: pool, by: weight, to: party}}\n    pays: paid\n"
    "approval: {author: A, approvers: [B], reason: R}\n");

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_create(0);
    DiagList diags;
    diag_init(&diags, arena);
    const Contract *contract = NULL;
    const Outcome *outcome = NULL;
    ErrorCode code = contract_check(arena, contract_text, S("c.yaml"), NULL, &diags, &contract);
    ASSERT(code == ERR_OK);
    ContractFacts *facts = contract_facts_new(arena, contract);
    SettleTable table = {.name = S("t.tsv"), .text = {.ptr = (const char *)data, .len = size}};
    code = settle_read_tables(contract, &table, 1, facts, &diags);
    if (code == ERR_OK)
        code = contract_evaluate(arena, contract, facts, S("c.yaml"), &diags, &outcome);
    ASSERT((code == ERR_OK) == !diag_has_errors(&diags));
    if (code == ERR_OK) {
        StrBuf out;
        strbuf_init(&out, arena, 0);
        settle_outcome_json(arena, outcome, &out);
        settle_outcome_text(arena, outcome, &out);
        ASSERT(out.len > 0);
    }
    VEC_FOREACH (Diag, diag, &diags.kept)
        ASSERT(diag->rule.len > 0 && diag->text.len > 0);
    arena_destroy(arena);
    return 0;
}

#include "run.h"

#include "base/test.h"

SettleCase run_make(Arena *arena, const Contract *contract, const Store *store, Str out)
{
    SettleCase settle = {.arena = arena,
                         .contract = contract,
                         .store = store,
                         .out = out,
                         .threads = 2,
                         .through_day = DAY_NONE,
                         .posting_day = DAY_NONE,
                         .freeze_day = DAY_NONE};
    diag_init(&settle.diags, arena);
    return settle;
}

ErrorCode run_settle(SettleCase *settle, const SettleResult **ret_result)
{
    SettleInput input = {.contract = settle->contract,
                         .store = settle->store,
                         .measures = settle->measures,
                         .plan = settle->plan,
                         .cql = settle->cql,
                         .ledger = settle->ledger};
    SettleOptions options = {.freeze_day = settle->freeze_day,
                             .look_back_months = settle->look_back_months,
                             .out = settle->out,
                             .posting_day = settle->posting_day,
                             .through_day = settle->through_day,
                             .is_dry_run = settle->ledger == NULL,
                             .threads = settle->threads};
    return settle_run(settle->arena, &input, &options, &settle->diags, ret_result, &settle->err);
}

Ledger *run_memory_ledger(void)
{
    Error err = {0};
    Ledger *ledger = NULL;
    LedgerOptions options = {.path = S(":memory:"), .mode = LEDGER_CREATE, .currency = S("USD")};
    CHECK_OK(ledger_open(&options, &ledger, &err), &err);
    return ledger;
}

void run_check_sums(SettleCase *settle, const SettleResult *result)
{
    DiagList diags;
    diag_init(&diags, settle->arena);
    CHECK_OK(settle_check(result, settle->out, settle->ledger, &diags, &settle->err), &settle->err);
    VEC_FOREACH (Diag, diag, &diags.kept)
        CHECK_STR(diag->text, S(""));
}

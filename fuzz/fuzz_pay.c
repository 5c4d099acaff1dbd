/* fuzz_pay -- any bytes as a bank statement, a table of parties, of accruals or of a budget (the
   first byte says which): findings, never a booking that does not balance, and the same again books
   nothing. */
#include "base/date.h"
#include "pay/pay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(ErrorCode code)
{
    ASSERT(code == ERR_OK);
}

/* Two payments of 10.00 and 2.50, ordered and not booked yet. */
static Ledger *paid_ledger(Arena *arena)
{
    Ledger *ledger = NULL;
    LedgerOptions options = {.path = S(":memory:"), .mode = LEDGER_CREATE, .currency = S("USD")};
    must(ledger_open(&options, &ledger, NULL));
    must(ledger_open_period(ledger, 202001, NULL));
    AccountId expense;
    must(ledger_add_account(ledger, S("expense:x"), ACCOUNT_EXPENSE, S(""), &expense, NULL));
    for (int i = 0; i < 2; i++) {
        AccountId payable;
        Str code = str_format(arena, "payable:%d", i);
        must(ledger_add_account(ledger, code, ACCOUNT_LIABILITY, code, &payable, NULL));
        LedgerLine lines[] = {{expense, i == 0 ? 1000 : 250}, {payable, i == 0 ? -1000 : -250}};
        LedgerEntry entry = {.key = code,
                             .day = day_from_date(2020, 1, 1),
                             .month = 202001,
                             .lines = lines,
                             .line_count = 2};
        must(ledger_post(ledger, &entry, NULL, NULL));
    }
    PayActor anna = {.person = S("anna"), .day = day_from_date(2020, 1, 2)};
    PayActor ben = {.person = S("ben"), .day = day_from_date(2020, 1, 2)};
    PayBooks books;
    PayIssued issued;
    PayRun run;
    must(pay_read(arena, ledger, &books, NULL));
    must(pay_issue(&books, &anna, 0, &issued, NULL));
    must(pay_read(arena, ledger, &books, NULL));
    VEC_FOREACH (PayDocument, document, &books.documents) {
        must(pay_approve(&books, &anna, document->number, S("contract"), NULL));
        must(pay_approve(&books, &ben, document->number, S("finance"), NULL));
    }
    must(pay_read(arena, ledger, &books, NULL));
    must(pay_run(&books, &anna, S("run"), &run, NULL));
    ASSERT(run.paid_minor == 1250);
    return ledger;
}

static void reconcile(Arena *arena, Ledger *ledger, Str text)
{
    for (int round = 0; round < 2; round++) {
        DiagList diags;
        PayBooks books;
        PayReconciled done = {0};
        diag_init(&diags, arena);
        must(pay_read(arena, ledger, &books, NULL));
        ErrorCode code = pay_reconcile(&books, text, S("fuzz"), &diags, &done, NULL);
        ASSERT(code == ERR_OK || done.matched == 0);
        ASSERT(round == 0 || done.matched == 0);
        ASSERT(done.matched_minor >= 0 && done.matched_minor <= 1250);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    Arena *arena = arena_create(0);
    Str text = str_copy(arena, (Str){(const char *)data + 1, size - 1});
    Ledger *ledger = paid_ledger(arena);
    DiagList diags;
    PayParties parties;
    PayAccrued accrued;
    PayPlan plan;
    ErrorCode code = ERR_OK;
    diag_init(&diags, arena);
    PayTable table = {ledger, arena, 202001, text, S("fuzz"), &diags};
    if (data[0] % 4 == 0)
        reconcile(arena, ledger, text);
    else if (data[0] % 4 == 1)
        code = pay_read_parties(arena, text, S("fuzz"), &diags, &parties);
    else if (data[0] % 4 == 2)
        code = pay_accrue(&table, &accrued, NULL);
    else
        code = pay_plan(&table, &plan, NULL);
    ASSERT(code != ERR_DOCUMENT || diag_has_errors(&diags));
    ledger_check(ledger);
    must(ledger_verify(ledger, NULL, NULL));
    ledger_close(ledger);
    arena_destroy(arena);
    return 0;
}

/* A payment run: what is approved and free, party by party, in one batch. */
#include <stdlib.h>

#include "pay/pay_int.h"

typedef struct {
    PayBooks *books;
    const PayActor *actor;
    Str run;
    PayRun result;
    size_t payment_count;
    size_t *order; /* documents by account, each account's in the order of their making */
    size_t order_count;
} Runner;

typedef struct {
    const PayBooks *books;
    size_t number;
} Sorted;

static int compare_documents(const void *a, const void *b)
{
    const Sorted *left = a;
    const Sorted *right = b;
    int order = str_cmp(left->books->documents.items[left->number].account,
                        right->books->documents.items[right->number].account);
    return order != 0 ? order : (left->number > right->number) - (left->number < right->number);
}

/* Documents that are neither settled, stopped nor without their approvals. */
static void order_documents(Runner *runner)
{
    PayBooks *books = runner->books;
    Sorted *sorted = ARENA_ARRAY(books->arena, Sorted, books->documents.count + 1);
    size_t count = 0;
    for (size_t i = 0; i < books->documents.count; i++) {
        const PayDocument *document = &books->documents.items[i];
        if (document->settled != document->minor && pay_is_approved(books, document) &&
            pay_stopped(books, document).len == 0)
            sorted[count++] = (Sorted){.books = books, .number = i};
    }
    qsort(sorted, count, sizeof(Sorted), compare_documents);
    runner->order = ARENA_ARRAY(books->arena, size_t, count + 1);
    runner->order_count = count;
    for (size_t i = 0; i < count; i++)
        runner->order[i] = sorted[i].number;
}

static const PayDocument *at(const Runner *runner, size_t index)
{
    return &runner->books->documents.items[runner->order[index]];
}

static int64_t least_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* What comes to the party from its documents first .. end - 1. */
static bool work_out(const Runner *runner, size_t first, size_t end, PayOutcome *outcome)
{
    const PayBooks *books = runner->books;
    bool fits = true;
    for (size_t i = first; i < end; i++) {
        const PayDocument *document = at(runner, i);
        int64_t open = document->minor - document->settled;
        int64_t *sum = &outcome->invoices;
        if (document->kind == PAY_CREDIT_NOTE)
            sum = &outcome->credits;
        else if (document->kind == PAY_ADVANCE)
            sum = &outcome->advanced;
        fits = fits && money_add(*sum, open < 0 ? -open : open, sum);
    }
    int64_t advance =
        pay_balance(books->ledger, pay_sister(books->arena, outcome->account, "advance"));
    int64_t receivable =
        pay_balance(books->ledger, pay_sister(books->arena, outcome->account, "receivable"));
    fits = fits &&
           money_add(advance > 0 ? advance : 0, receivable > 0 ? receivable : 0, &outcome->owed);
    int64_t limit = (int64_t)((__int128)outcome->invoices * books->rules.recoup_percent / 100);
    outcome->recouped = least_of(outcome->credits, limit);
    outcome->netted = least_of(outcome->owed, limit - outcome->recouped);
    return fits && money_add(outcome->invoices - outcome->recouped - outcome->netted,
                             outcome->advanced, &outcome->paid);
}

static ErrorCode settle(Runner *runner, const PayDocument *document, int64_t minor, Str payment,
                        Error *err)
{
    if (minor == 0)
        return ERR_OK;
    LedgerAct act = {
        .kind = S("settle"), .subject = document->number, .minor = minor, .text = payment};
    return pay_add_act(runner->books, runner->actor, act, err);
}

static ErrorCode add_line(Runner *runner, LedgerEntry *entry, LedgerLine *lines, Str account,
                          int64_t minor, Error *err)
{
    AccountType type = str_starts_with(account, S("payable:")) ? ACCOUNT_LIABILITY : ACCOUNT_ASSET;
    AccountId id;
    if (minor == 0)
        return ERR_OK;
    ErrorCode code = ledger_add_account(runner->books->ledger, account, type, account, &id, err);
    lines[entry->line_count++] = (LedgerLine){.account = id, .minor = minor};
    return code;
}

/* Debit what is settled and advanced; credit what is netted and what goes to the bank. */
static ErrorCode post(Runner *runner, const PayOutcome *outcome, Str number, EntryId *ret_entry,
                      Error *err)
{
    PayBooks *books = runner->books;
    Arena *arena = books->arena;
    Str advance = pay_sister(arena, outcome->account, "advance");
    int64_t advance_minor = pay_balance(books->ledger, advance);
    int64_t of_advance = least_of(outcome->netted, advance_minor > 0 ? advance_minor : 0);
    LedgerLine lines[5];
    int32_t month = ledger_month_of_day(runner->actor->day);
    LedgerEntry entry = {
        .key = str_format(arena, "pay/%.*s/%.*s", STR_ARG(runner->run), STR_ARG(outcome->account)),
        .day = runner->actor->day,
        .month = month,
        .memo = str_format(arena, "payment %.*s of %.*s", STR_ARG(number), STR_ARG(runner->run)),
        .source = {.run = runner->run},
        .lines = lines};
    ErrorCode code = pay_open_month(books->ledger, month, err);
    if (code == ERR_OK)
        code = add_line(runner, &entry, lines, outcome->account,
                        outcome->invoices - outcome->recouped, err);
    if (code == ERR_OK)
        code = add_line(runner, &entry, lines, advance, outcome->advanced - of_advance, err);
    if (code == ERR_OK)
        code = add_line(runner, &entry, lines, pay_sister(arena, outcome->account, "receivable"),
                        of_advance - outcome->netted, err);
    if (code == ERR_OK)
        code = add_line(runner, &entry, lines, S("clearing:payments"), -outcome->paid, err);
    *ret_entry = 0;
    if (code != ERR_OK || entry.line_count == 0)
        return code; /* credit notes took all of it: the account says so already */
    Posted posted;
    code = ledger_post(books->ledger, &entry, &posted, err);
    if (code == ERR_OK && posted.result != POST_POSTED)
        code = error_set(err, ERR_DAMAGED, "the ledger has an entry %.*s of no run",
                         STR_ARG(entry.key));
    *ret_entry = posted.entry;
    return code;
}

/* Settles invoices and advances whole, credit notes from the oldest as far as was recouped. */
static ErrorCode settle_all(Runner *runner, size_t first, size_t end, const PayOutcome *outcome,
                            Error *err)
{
    int64_t left = outcome->recouped;
    ErrorCode code = ERR_OK;
    for (size_t i = first; code == ERR_OK && i < end; i++) {
        const PayDocument *document = at(runner, i);
        int64_t open = document->minor - document->settled;
        if (document->kind == PAY_CREDIT_NOTE) {
            open = -least_of(-open, left);
            left += open;
        }
        code = settle(runner, document, open, outcome->payment, err);
    }
    return code;
}

static ErrorCode pay_one(Runner *runner, size_t first, size_t end, PayOutcome *outcome, Error *err)
{
    PayBooks *books = runner->books;
    EntryId entry = 0;
    outcome->payment = str_format(books->arena, "PMT-%06zu", ++runner->payment_count);
    ErrorCode code = post(runner, outcome, outcome->payment, &entry, err);
    LedgerAct act = {.kind = S("payment"),
                     .subject = outcome->payment,
                     .account = outcome->account,
                     .minor = outcome->paid,
                     .entry = entry,
                     .text = runner->run};
    if (code == ERR_OK)
        code = pay_add_act(books, runner->actor, act, err);
    if (code == ERR_OK)
        code = settle_all(runner, first, end, outcome, err);
    runner->result.payments++;
    runner->result.paid_minor += outcome->paid;
    return code;
}

static ErrorCode run_party(Runner *runner, size_t first, size_t end, Error *err)
{
    PayBooks *books = runner->books;
    PayOutcome outcome = {.account = at(runner, first)->account};
    ErrorCode code = ERR_OK;
    int64_t total;
    if (!work_out(runner, first, end, &outcome) ||
        !money_add(runner->result.paid_minor, outcome.paid, &total))
        return error_set(err, ERR_OVERFLOW, "%.*s: too large to add up", STR_ARG(outcome.account));
    if (outcome.paid == 0 && outcome.invoices == 0)
        outcome.text = S("owes more than it is owed: carried forward");
    else if (outcome.paid > 0 && outcome.paid < books->rules.least_minor)
        outcome.text = str_format(books->arena, "less than %.*s: carried forward",
                                  STR_ARG(pay_amount(books, books->rules.least_minor)));
    else
        code = pay_one(runner, first, end, &outcome, err);
    if (outcome.text.len > 0)
        outcome.paid = outcome.recouped = outcome.netted = outcome.advanced = 0;
    VEC_PUSH(books->arena, &runner->result.outcomes, outcome);
    return code;
}

static ErrorCode run_all(Runner *runner, Error *err)
{
    ErrorCode code = ERR_OK;
    for (size_t first = 0, end; code == ERR_OK && first < runner->order_count; first = end) {
        end = first + 1;
        while (end < runner->order_count &&
               str_eq(at(runner, first)->account, at(runner, end)->account))
            end++;
        code = run_party(runner, first, end, err);
    }
    LedgerAct act = {.kind = S("run"), .subject = runner->run, .minor = runner->result.paid_minor};
    return code == ERR_OK ? pay_add_act(runner->books, runner->actor, act, err) : code;
}

ErrorCode pay_run(PayBooks *books, const PayActor *actor, Str run, PayRun *ret_run, Error *err)
{
    enum { RUN_BYTES_MAX = 35 }; /* a message id of ISO 20022 */
    if (run.len == 0 || run.len > RUN_BYTES_MAX || str_find_char(run, '/') != SIZE_MAX)
        return error_set(err, ERR_REFUSED, "a run's id has 1 to %d bytes without '/'",
                         RUN_BYTES_MAX);
    *ret_run = (PayRun){0};
    VEC_FOREACH (Str, known, &books->runs)
        ret_run->is_known = ret_run->is_known || str_eq(*known, run);
    if (ret_run->is_known)
        return ERR_OK;
    Runner runner = {
        .books = books, .actor = actor, .run = run, .payment_count = books->payments.count};
    order_documents(&runner);
    ErrorCode code = ledger_begin(books->ledger, err);
    if (code != ERR_OK)
        return code;
    code = pay_end_batch(books->ledger, run_all(&runner, err), err);
    if (code == ERR_OK)
        *ret_run = runner.result;
    return code;
}

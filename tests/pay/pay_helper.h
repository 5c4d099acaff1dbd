/* What the tests of this folder share. */
#pragma once

#include "base/date.h"
#include "base/test.h"
#include "pay/pay.h"

#define REQUIRE_OK(code, err) ASSERT(CHECK_OK(code, err))

static inline Ledger *helper_open(Str path)
{
    Error err = {0};
    Ledger *ledger = NULL;
    LedgerOptions options = {.path = path, .mode = LEDGER_CREATE, .currency = S("USD")};
    REQUIRE_OK(ledger_open(&options, &ledger, &err), &err);
    return ledger;
}

/* What is owed to the party (negative: taken back) in a month of 2020. */
static inline void helper_owe(Ledger *ledger, Arena *arena, const char *party, int month,
                              int64_t minor)
{
    Error err = {0};
    AccountId expense;
    AccountId payable;
    Str code = str_format(arena, "payable:%s", party);
    if (ledger_period(ledger, 202000 + month) == PERIOD_NEVER_OPENED)
        REQUIRE_OK(ledger_open_period(ledger, 202000 + month, &err), &err);
    REQUIRE_OK(ledger_add_account(ledger, S("expense:x"), ACCOUNT_EXPENSE, S("x"), &expense, &err),
               &err);
    REQUIRE_OK(ledger_add_account(ledger, code, ACCOUNT_LIABILITY, code, &payable, &err), &err);
    LedgerLine lines[] = {{expense, minor}, {payable, -minor}};
    LedgerEntry entry = {.key = str_format(arena, "owe/%zu", ledger_entry_count(ledger)),
                         .day = day_from_date(2020, month, 28),
                         .month = 202000 + month,
                         .lines = lines,
                         .line_count = 2};
    REQUIRE_OK(ledger_post(ledger, &entry, NULL, &err), &err);
}

static inline PayBooks helper_books(Arena *arena, Ledger *ledger)
{
    Error err = {0};
    PayBooks books;
    REQUIRE_OK(pay_read(arena, ledger, &books, &err), &err);
    return books;
}

static inline PayActor helper_actor(const char *person)
{
    return (PayActor){.person = str_from_c(person), .day = day_from_date(2021, 1, 8)};
}

static inline PayIssued helper_issue(Arena *arena, Ledger *ledger)
{
    Error err = {0};
    PayIssued issued = {0};
    PayBooks books = helper_books(arena, ledger);
    PayActor anna = helper_actor("anna");
    REQUIRE_OK(pay_issue(&books, &anna, 0, &issued, &err), &err);
    return issued;
}

/* Both roles for every document that is not settled. */
static inline void helper_approve_all(Arena *arena, Ledger *ledger)
{
    Error err = {0};
    PayBooks books = helper_books(arena, ledger);
    PayActor anna = helper_actor("anna");
    PayActor ben = helper_actor("ben");
    VEC_FOREACH (PayDocument, document, &books.documents) {
        if (document->settled == document->minor || pay_is_approved(&books, document))
            continue;
        REQUIRE_OK(pay_approve(&books, &anna, document->number, S("contract"), &err), &err);
        REQUIRE_OK(pay_approve(&books, &ben, document->number, S("finance"), &err), &err);
    }
}

static inline PayRun helper_pay(Arena *arena, Ledger *ledger, const char *run)
{
    Error err = {0};
    PayRun result = {0};
    PayBooks books = helper_books(arena, ledger);
    PayActor anna = helper_actor("anna");
    REQUIRE_OK(pay_run(&books, &anna, str_from_c(run), &result, &err), &err);
    return result;
}

static inline void helper_rule(Arena *arena, Ledger *ledger, const char *name, const char *value)
{
    Error err = {0};
    PayBooks books = helper_books(arena, ledger);
    PayActor anna = helper_actor("anna");
    REQUIRE_OK(pay_set_rule(&books, &anna, str_from_c(name), str_from_c(value), &err), &err);
}

static inline int64_t helper_balance(const Ledger *ledger, const char *code)
{
    AccountId id = ledger_find_account(ledger, str_from_c(code));
    return id == 0 ? 0 : ledger_account(ledger, id).balance;
}

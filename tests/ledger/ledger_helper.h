/* What the tests of the ledger share. */
#pragma once

#include "base/test.h"
#include "ledger/ledger.h"

#define REQUIRE_OK(code, err) ASSERT(CHECK_OK(code, err))

/* A writable ledger in USD at the path, made when absent. */
static inline Ledger *helper_open(Str path)
{
    Error err = {0};
    Ledger *ledger = NULL;
    LedgerOptions options = {.path = path, .mode = LEDGER_CREATE, .currency = S("USD")};
    REQUIRE_OK(ledger_open(&options, &ledger, &err), &err);
    return ledger;
}

/* Accounts a0, a1 ... of changing types; their ids are 1 to count. */
static inline void helper_add_accounts(Ledger *ledger, Arena *arena, size_t count)
{
    Error err = {0};
    for (size_t i = 0; i < count; i++) {
        AccountId id;
        Str code = str_format(arena, "a%zu", i);
        REQUIRE_OK(ledger_add_account(ledger, code, (AccountType)(i % 6), code, &id, &err), &err);
        CHECK_INT(id, (int64_t)i + 1);
    }
}

/*
 * fuzz_ledger -- random operations on a ledger in memory. After each one ledger_check() holds;
 * refusals change nothing; at the end everything verifies.
 */
#include "base/date.h"
#include "ledger/ledger.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ACCOUNTS = 6, KEYS = 16, LINES_MAX = 4 };

typedef struct {
    const uint8_t *at;
    size_t left;
} Input;

static uint8_t take(Input *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->at++;
}

/* Small amounts mostly, and now and then one at the ends of the range. */
static int64_t take_amount(Input *input)
{
    uint8_t kind = take(input);
    int64_t small = (int64_t)take(input) - 128;
    if (kind < 224)
        return small;
    return kind % 2 == 0 ? INT64_MAX - (small & 3) : INT64_MIN + (small & 3);
}

static Str take_key(Input *input)
{
    static const char keys[] = "0123456789abcdef";
    size_t at = take(input) % (KEYS + 1);
    return (Str){.ptr = keys + at, .len = at < KEYS ? 1 : 0};
}

static int32_t take_month(Input *input)
{
    return 202001 + take(input) % 4;
}

static ErrorCode do_post(Ledger *ledger, Input *input, Posted *posted)
{
    LedgerLine lines[LINES_MAX];
    size_t count = take(input) % (LINES_MAX + 1);
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        lines[i].account = take(input) % (ACCOUNTS + 2);
        lines[i].minor = take_amount(input);
        sum += (uint64_t)lines[i].minor;
    }
    if (count > 0 && take(input) % 8 != 0)
        lines[count - 1].minor = (int64_t)((uint64_t)lines[count - 1].minor - sum);
    int32_t month = take_month(input);
    int32_t day = day_from_date(2020, month - 202000, 1 + take(input) % 28);
    LedgerEntry entry = {.key = take_key(input),
                         .day = take(input) == 0 ? DAY_NONE : day,
                         .month = month,
                         .memo = take_key(input),
                         .source = {.clause = take_key(input)},
                         .lines = lines,
                         .line_count = count};
    return ledger_post(ledger, &entry, posted, NULL);
}

static ErrorCode do_reverse(Ledger *ledger, Input *input, Posted *posted)
{
    int32_t month = take_month(input);
    LedgerReversal reversal = {.entry = take(input) % 20,
                               .key = take_key(input),
                               .day = day_from_date(2020, month - 202000, 1),
                               .month = month,
                               .reason = S("r")};
    return ledger_reverse(ledger, &reversal, posted, NULL);
}

/* Posts or reverses; a refusal must leave everything as it was. */
static void change(Ledger *ledger, Input *input, bool is_reversal)
{
    int64_t balances[ACCOUNTS];
    for (AccountId id = 1; id <= ACCOUNTS; id++)
        balances[id - 1] = ledger_account(ledger, id).balance;
    size_t before = ledger_entry_count(ledger);
    Posted posted = {0};
    ErrorCode code =
        is_reversal ? do_reverse(ledger, input, &posted) : do_post(ledger, input, &posted);
    ASSERT((code == ERR_OK) == (posted.result == POST_POSTED || posted.result == POST_ALREADY));
    ASSERT((posted.entry != 0) == (code == ERR_OK));
    bool is_new = posted.result == POST_POSTED;
    ASSERT(ledger_entry_count(ledger) == before + is_new);
    for (AccountId id = 1; id <= ACCOUNTS; id++)
        ASSERT(is_new || ledger_account(ledger, id).balance == balances[id - 1]);
}

static void statement(Ledger *ledger, AccountId account)
{
    LedgerCursor *cursor;
    StatementRow row = {0};
    ErrorCode code = ledger_statement(ledger, account, &cursor, NULL);
    ASSERT(code == ERR_OK);
    while (ledger_next_statement_row(cursor, &row))
        ASSERT(row.minor != 0);
    ASSERT(row.balance == ledger_account(ledger, account).balance);
    code = ledger_cursor_finish(cursor, NULL);
    ASSERT(code == ERR_OK);
}

static void step(Ledger *ledger, Input *input, bool *in_batch)
{
    ErrorCode ignored = ERR_OK;
    uint8_t op = take(input) % 16;
    if (op == 0 && !*in_batch) {
        ignored = ledger_begin(ledger, NULL);
        *in_batch = true;
    } else if (op == 1 && *in_batch) {
        ignored = ledger_commit(ledger, NULL);
        *in_batch = false;
    } else if (op == 2 && *in_batch) {
        ledger_rollback(ledger);
        *in_batch = false;
    } else if (op == 3) {
        (void)!ledger_open_period(ledger, take_month(input), NULL);
    } else if (op == 4) {
        (void)!ledger_close_period(ledger, take_month(input), NULL);
    } else if (op == 5 && take(input) == 0) {
        (void)!ledger_lock_period(ledger, take_month(input), NULL);
    } else if (op == 6) {
        statement(ledger, 1 + take(input) % ACCOUNTS);
    } else {
        change(ledger, input, op == 7);
    }
    ASSERT(ignored == ERR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Error err = {0};
    Input input = {.at = data, .left = size < 2000 ? size : 2000};
    Ledger *ledger;
    LedgerOptions options = {.path = S(":memory:"), .mode = LEDGER_CREATE, .currency = S("USD")};
    ErrorCode code = ledger_open(&options, &ledger, &err);
    ASSERT(code == ERR_OK);
    static const char names[] = "ABCDEF";
    for (size_t i = 0; i < ACCOUNTS; i++) {
        AccountId id;
        Str name = {.ptr = names + i, .len = 1};
        code = ledger_add_account(ledger, name, (AccountType)i, name, &id, &err);
        ASSERT(code == ERR_OK && id == i + 1);
    }
    for (int32_t month = 202001; month <= 202003; month++) {
        code = ledger_open_period(ledger, month, &err);
        ASSERT(code == ERR_OK);
    }
    bool in_batch = false;
    while (input.left > 0) {
        step(ledger, &input, &in_batch);
        ledger_check(ledger);
    }
    code = ledger_verify(ledger, NULL, &err);
    ASSERT(code == ERR_OK);
    ledger_close(ledger);
    return 0;
}

/*
 * ledger -- double-entry accounts of one currency in one SQLite file.
 *
 * Entries are only ever added: a correction reverses an entry and posts another. The lines of
 * an entry sum to zero, so the balances of all accounts do too. An entry belongs to a period (a
 * month), which must be open, and to an idempotency key: posting the same again under its key
 * changes nothing and says so. Each entry keeps the SHA-256 of its content and of the entry
 * before it, so that ledger_verify() names the first one that was tampered with or damaged.
 *
 * Amounts are whole minor units in int64_t: debits positive, credits negative.
 *
 * What is posted between ledger_begin() and ledger_commit() is there whole after a crash, a full
 * disk or a loss of power, or not at all. A call outside of a batch is a batch of its own. After an
 * operating failure inside a batch every call up to ledger_rollback() fails in the same way.
 *
 * One writer at a time: the second gets ERR_BUSY at ledger_open(). Readers see the last commit.
 * One thread at a time per Ledger. Texts given out live until the next call unless said else.
 *
 *     CLEANUP(ledger_close_cleanup) Ledger *ledger = NULL;
 *     LedgerOptions options = {.path = path, .mode = LEDGER_CREATE, .currency = S("USD")};
 *     ledger_open(&options, &ledger, err);
 *     ledger_add_account(ledger, S("payable:practice:7"), ACCOUNT_LIABILITY, name, &payable, err);
 *     ledger_open_period(ledger, 202001, err);
 *     ledger_begin(ledger, err);
 *     LedgerLine lines[] = {{expense, 125000}, {payable, -125000}};
 *     LedgerEntry entry = {.key = S("fee:7:2020-01"), .day = day, .month = 202001,
 *                          .lines = lines, .line_count = 2};
 *     ledger_post(ledger, &entry, NULL, err);
 *     ledger_commit(ledger, err);
 */
#pragma once

#include "base/base.h"
#include "base/money.h"

typedef struct Ledger Ledger;
typedef uint32_t AccountId; /* from 1 in the order of their making; 0 is no account */
typedef int64_t EntryId;    /* from 1 in the order of posting, without gaps; 0 is no entry */

enum {
    LEDGER_KEY_BYTES_MAX = 512,
    LEDGER_TEXT_BYTES_MAX = 4096, /* a memo, a name, each part of a source */
    LEDGER_CODE_BYTES_MAX = 256,
    LEDGER_LINES_MAX = 100000 /* of one entry */
};

typedef enum {
#define ACCOUNT_TYPE(name, text) ACCOUNT_##name,
#include "ledger/account_type.def"
#undef ACCOUNT_TYPE
} AccountType;

typedef enum { PERIOD_NEVER_OPENED, PERIOD_OPEN, PERIOD_CLOSED, PERIOD_LOCKED } PeriodState;

typedef enum {
#define POST_RESULT(name, error, text) POST_##name,
#include "ledger/post_result.def"
#undef POST_RESULT
} PostResult;

/* --- the file --- */

typedef enum {
    LEDGER_READ,  /* must exist */
    LEDGER_WRITE, /* must exist */
    LEDGER_CREATE /* write; made when absent */
} LedgerMode;

typedef struct {
    Str path; /* ":memory:" for one that goes with the handle */
    LedgerMode mode;
    Str currency; /* ISO 4217; asked for by LEDGER_CREATE, else may be empty */
} LedgerOptions;

/* ERR_NOT_FOUND, ERR_BUSY (another writer), ERR_VERSION (made by a later version), ERR_DAMAGED (no
   ledger), ERR_REFUSED (its currency is another one). */
MUST_USE ErrorCode ledger_open(const LedgerOptions *options, Ledger **ret_ledger, Error *err);
/* What is not committed is rolled back. NULL is fine. */
void ledger_close(Ledger *ledger);
void ledger_close_cleanup(Ledger **ledger);
Currency ledger_currency(const Ledger *ledger);

/* --- batches --- */

MUST_USE ErrorCode ledger_begin(Ledger *ledger, Error *err);
/* On failure the batch is rolled back. */
MUST_USE ErrorCode ledger_commit(Ledger *ledger, Error *err);
/* Fine without a batch. */
void ledger_rollback(Ledger *ledger);

/* --- accounts --- */

typedef struct {
    AccountId id;
    AccountType type;
    Str code; /* unique; parts from the general to the particular: "payable:practice:123" */
    Str name;
    int64_t balance; /* of all entries */
} Account;

/* Gives the account of that code, made when absent. ERR_EXISTS when it has another type; an
   existing account keeps its name. */
MUST_USE ErrorCode ledger_add_account(Ledger *ledger, Str code, AccountType type, Str name,
                                      AccountId *ret_account, Error *err);
/* 0 when there is none. */
AccountId ledger_find_account(const Ledger *ledger, Str code);
/* Accounts have the ids 1 to ledger_account_count(). */
size_t ledger_account_count(const Ledger *ledger);
Account ledger_account(const Ledger *ledger, AccountId account);
const char *account_type_text(AccountType type);
bool account_type_from_text(Str text, AccountType *ret_type);

/* --- periods: months written as 202001 --- */

int32_t ledger_month_of_day(int32_t day);
PeriodState ledger_period(const Ledger *ledger, int32_t month);
const char *period_state_text(PeriodState state);
/* Periods that were ever opened, by month. */
size_t ledger_period_count(const Ledger *ledger);
int32_t ledger_period_month(const Ledger *ledger, size_t index);
/* The month that something of `month` can be posted in: that month when it is open or was never
   opened, else the first open one behind it, else the one behind the last that there is. */
int32_t ledger_open_month(const Ledger *ledger, int32_t month);
/* A new or a closed one is open then; ERR_CLOSED when it is locked. */
MUST_USE ErrorCode ledger_open_period(Ledger *ledger, int32_t month, Error *err);
/* ERR_NOT_FOUND when it was never opened; ERR_CLOSED when it is locked. */
MUST_USE ErrorCode ledger_close_period(Ledger *ledger, int32_t month, Error *err);
/* For good. ERR_NOT_FOUND when it was never opened. */
MUST_USE ErrorCode ledger_lock_period(Ledger *ledger, int32_t month, Error *err);

typedef struct {
    int32_t month;
    PeriodState to; /* PERIOD_OPEN, PERIOD_CLOSED or PERIOD_LOCKED */
    Str person;     /* who, when and why: what the act says */
    int32_t day;
    Str reason;
} LedgerPeriodChange;

/* The same with who did it. Every change of a period that was opened before is an act of the kind
   "period", with which ledger_verify() compares the states. */
MUST_USE ErrorCode ledger_change_period(Ledger *ledger, const LedgerPeriodChange *change,
                                        Error *err);

/* --- posting --- */

typedef struct {
    AccountId account;
    int64_t minor; /* debit positive, credit negative, never 0 */
} LedgerLine;

/* What an entry was made from. Any part may be empty. */
typedef struct {
    Str contract;
    Str version; /* of the contract */
    Str clause;
    Str run; /* of the settlement */
} LedgerSource;

typedef struct {
    EntryId id;       /* given by the ledger */
    EntryId reverses; /* the entry that this one takes back, or 0; given by ledger_reverse() */
    EntryId corrects; /* an earlier entry that this one is the difference to, or 0 */
    Str key;
    int32_t day; /* its accounting date, in the month */
    int32_t month;
    Str memo;
    LedgerSource source;
    const LedgerLine *lines;
    size_t line_count;
} LedgerEntry;

typedef struct {
    PostResult result;
    EntryId entry; /* the new one, or the one there was; 0 when refused */
} Posted;

/* Adds the entry (its id and reverses are not read) or changes nothing and says why not: ERR_OK for
   POSTED and ALREADY; for a refusal the error of post_result.def, with the reason in *ret_posted
   (which may be NULL). */
MUST_USE ErrorCode ledger_post(Ledger *ledger, const LedgerEntry *entry, Posted *ret_posted,
                               Error *err);

typedef struct {
    EntryId entry; /* to take back */
    Str key;
    int32_t day;
    int32_t month;
    Str reason; /* the memo of the reversal */
} LedgerReversal;

/* Posts the mirror image, with the source of the original; an entry is reversed once at most. */
MUST_USE ErrorCode ledger_reverse(Ledger *ledger, const LedgerReversal *reversal,
                                  Posted *ret_posted, Error *err);
const char *post_result_text(PostResult result);
const char *post_result_name(PostResult result);

/* --- asking --- */

size_t ledger_entry_count(const Ledger *ledger);
/* ERR_NOT_FOUND when there is none. Texts and lines live in the arena. */
MUST_USE ErrorCode ledger_entry(Ledger *ledger, Arena *arena, EntryId id, LedgerEntry *ret_entry,
                                Error *err);
/* The entry of that key, 0 when there is none. */
MUST_USE ErrorCode ledger_find_key(Ledger *ledger, Str key, EntryId *ret_entry, Error *err);

/* Rows one by one. A cursor must be closed before its ledger and before the batch ends; what is
   posted while it is open may or may not come. */
typedef struct LedgerCursor LedgerCursor;
/* ERR_OK at the end of the rows, or what stopped them before it. */
MUST_USE ErrorCode ledger_cursor_finish(LedgerCursor *cursor, Error *err);
void ledger_cursor_cleanup(LedgerCursor **cursor); /* for CLEANUP */

typedef struct {
    AccountId account;
    int64_t debit; /* sums of all lines up to the month: not negative */
    int64_t credit;
    int64_t balance; /* debit - credit */
} TrialRow;

/* All accounts by code, up to and including the month; 0 for all months. */
MUST_USE ErrorCode ledger_trial_balance(Ledger *ledger, int32_t up_to_month,
                                        LedgerCursor **ret_cursor, Error *err);
bool ledger_next_trial_row(LedgerCursor *cursor, TrialRow *ret_row);

typedef struct {
    EntryId entry;
    EntryId reverses;
    Str key;
    int32_t day;
    int32_t month;
    Str memo;
    int64_t minor;
    int64_t balance; /* after this line, in order of posting */
} StatementRow;

/* The lines of an account in order of posting. */
MUST_USE ErrorCode ledger_statement(Ledger *ledger, AccountId account, LedgerCursor **ret_cursor,
                                    Error *err);
bool ledger_next_statement_row(LedgerCursor *cursor, StatementRow *ret_row);

/* Entries of a source in order of posting; empty parts of the source match all. */
MUST_USE ErrorCode ledger_entries(Ledger *ledger, LedgerSource source, LedgerCursor **ret_cursor,
                                  Error *err);
/* Texts and lines live until the next call. */
bool ledger_next_entry(LedgerCursor *cursor, LedgerEntry *ret_entry);

/* --- acts: what people decided, beside the entries and chained as they are --- */

typedef int64_t ActId; /* from 1, without gaps */

/* What an act means is its writer's; any part but the kind may be empty. */
typedef struct {
    ActId id; /* given by the ledger */
    Str kind; /* "approve" */
    Str subject;
    Str account; /* its code */
    Str person;
    Str role;
    int32_t day;
    int64_t minor;
    EntryId entry;
    Str text;
} LedgerAct;

/* Acts are only added. ERR_LIMIT when a text is too long, ERR_REFUSED for a day that is none. */
MUST_USE ErrorCode ledger_add_act(Ledger *ledger, const LedgerAct *act, ActId *ret_act, Error *err);
size_t ledger_act_count(const Ledger *ledger);
/* In their order. */
MUST_USE ErrorCode ledger_acts(Ledger *ledger, LedgerCursor **ret_cursor, Error *err);
bool ledger_next_act(LedgerCursor *cursor, LedgerAct *ret_act);

/* --- trust --- */

typedef struct {
    uint64_t entries;
    uint64_t lines;
    uint64_t acts;
    EntryId first_damaged; /* 0 when the damage is in no entry */
} LedgerVerdict;

/* Reads everything: SQLite's own check, the chain of hashes, that entries balance, and that
   balances and totals are the sums of the lines. ERR_DAMAGED names the first thing wrong.
   ret_verdict may be NULL; it is filled either way. Takes two threads where they are to be had. */
MUST_USE ErrorCode ledger_verify(Ledger *ledger, LedgerVerdict *ret_verdict, Error *err);
/* Asserts what must hold in memory after every call: for tests and the fuzzer. */
void ledger_check(const Ledger *ledger);

/*
 * ledger_int -- what the files of this folder share: the open ledger and its statements.
 *
 * Accounts, periods and the head of the chain are kept in memory and are what refusals are
 * decided by; SQLite is asked only for keys. In a batch the balances change in memory and are
 * written once, by ledger_flush(). After a rollback all of it is read again.
 */
#pragma once

#include <sqlite3.h>

#include "base/date.h"
#include "base/io.h"
#include "ledger/ledger.h"

enum { HASH_BYTES = 32 };

typedef struct {
    unsigned char bytes[HASH_BYTES];
} EntryHash;

typedef struct {
    Account account; /* its balance is not kept: debit - credit is */
    int64_t debit;   /* sums of all lines; neither passes INT64_MAX, so the balance fits too */
    int64_t credit;
    bool is_dirty;
    uint32_t last_note; /* number + 1 of the last of its notes; 0 is none */
    uint32_t note_count;
} AccountState;

/* An entry of an account that account_entry does not list yet; those of an account are chained from
   the last to the first. */
typedef struct {
    EntryId entry;
    uint32_t previous; /* as AccountState.last_note */
} EntryNote;

typedef struct {
    int32_t month;
    PeriodState state;
} PeriodRow;

/* What a batch adds to an account in a month. */
typedef struct {
    AccountId account;
    int32_t month;
    int64_t debit;
    int64_t credit;
} TotalDelta;

typedef enum {
#define LEDGER_SQL(name, sql) SQL_##name,
#include "ledger/sql.def"
#undef LEDGER_SQL
    SQL_COUNT
} SqlId;

/* SHA-256 over OpenSSL's EVP, fetched once. */
typedef struct Hasher Hasher;

struct Ledger {
    sqlite3 *db;
    sqlite3_stmt *statements[SQL_COUNT];
    IoFile lock; /* held by the writer */
    LedgerMode mode;
    Str path;
    Currency currency;
    Hasher *hasher;

    Arena *arena; /* as long as the ledger */

    Arena *state; /* as long as what was read last: all of the following */
    Vec(AccountState) accounts;
    Map account_by_code;
    Vec(PeriodRow) periods; /* by month */
    Map sources;            /* joined parts -> id, those met so far */
    int64_t entry_count;
    int64_t line_count;
    EntryHash head; /* hash of the last entry */
    int64_t act_count;
    EntryHash act_head; /* hash of the last act */
    int64_t data_version;

    bool in_batch;
    bool has_failed; /* in this batch; `failure` says how */
    bool is_stale;   /* the state could not be read again after a rollback */
    Error failure;
    Arena *batch; /* as long as a batch: all of the following */
    Vec(TotalDelta) totals;
    Map total_by_key;
    Vec(AccountId) dirty;
    Vec(EntryNote) notes;
    int64_t flushed_entries; /* entry_count at the last flush */

    Arena *scratch; /* within one call */
    size_t open_cursors;
};

/* --- sql.c --- */

/* The cached statement, reset and ready to be bound. */
MUST_USE ErrorCode ledger_sql(Ledger *ledger, SqlId id, sqlite3_stmt **ret_statement, Error *err);
/* Fills the Error with what SQLite says, of any connection or of the ledger's. */
ErrorCode ledger_db_error(sqlite3 *db, Str path, const char *what, Error *err);
ErrorCode ledger_sql_error(Ledger *ledger, const char *what, Error *err);
/* Steps a statement that gives no rows, and resets it. */
MUST_USE ErrorCode ledger_sql_run(Ledger *ledger, sqlite3_stmt *statement, Error *err);
MUST_USE ErrorCode ledger_sql_exec(Ledger *ledger, const char *sql, Error *err);
/* The first number of the first row of a query. */
MUST_USE ErrorCode ledger_sql_number(Ledger *ledger, const char *sql, int64_t *ret_number,
                                     Error *err);
void ledger_bind_text(sqlite3_stmt *statement, int index, Str text);
/* A view of the column, good until the next step. */
Str ledger_column_text(sqlite3_stmt *statement, int index);

/* --- vfs.c --- */

/* Registers the file layer "braid" once: SQLite's own, with io's hook before each change. */
const char *ledger_vfs_name(void);

/* --- ledger.c --- */

/* A connection to the ledger's file; *ret_db is to be closed even after a failure. */
MUST_USE ErrorCode ledger_connect(const Ledger *ledger, sqlite3 **ret_db, Error *err);
bool ledger_is_in_memory(const Ledger *ledger);

/* Begins a batch of its own for a call outside of one; fails where the ledger is not for writing or
   the batch has failed. */
MUST_USE ErrorCode ledger_call_begin(Ledger *ledger, bool *ret_is_own, Error *err);
/* Ends what ledger_call_begin began; a code other than ERR_OK is a failure and not a refusal. */
MUST_USE ErrorCode ledger_call_end(Ledger *ledger, bool is_own, ErrorCode code, Error *err);
/* Writes balances, totals and the head, within the batch. */
MUST_USE ErrorCode ledger_flush(Ledger *ledger, Error *err);
/* Before reading: flushes a writer's batch; takes a reader to the last commit and holds it there
   until ledger_read_end(). */
MUST_USE ErrorCode ledger_read_begin(Ledger *ledger, Error *err);
void ledger_read_end(Ledger *ledger);
MUST_USE ErrorCode ledger_load(Ledger *ledger, Error *err);

/* --- hash.c --- */

Hasher *ledger_hasher_create(void);
void ledger_hasher_destroy(Hasher *hasher);
/* The hash of the entry (with its id) behind `previous`. Accounts go in by their codes. */
EntryHash ledger_hash_entry(const Ledger *ledger, const LedgerEntry *entry, EntryHash previous);

EntryHash ledger_hash_act(const Ledger *ledger, const LedgerAct *act, EntryHash previous);

/* --- act.c --- */

#define SQL_ACT_COLUMNS "id, kind, subject, account, person, role, day, minor, entry, text, hash"
enum { ACT_COLUMN_HASH = 10 };
/* The row of SQL_ACT_COLUMNS; texts are SQLite's, good until the next step. */
LedgerAct ledger_read_act_row(sqlite3_stmt *row);

/* --- lines.c --- */

/* The lines as they stand in the file; a view into the arena. */
Str ledger_format_lines(Arena *arena, const LedgerLine *lines, size_t count);
/* false when the text is not what ledger_format_lines() writes, or names no account of these. */
bool ledger_parse_lines(const Ledger *ledger, Arena *arena, Str text, LedgerEntry *entry);
/* Notes that the entry, the last one so far, has lines of the account, until the next flush. */
void ledger_note_entry(Ledger *ledger, AccountId account, EntryId entry);
/* Writes what was noted of an account to account_entry. */
MUST_USE ErrorCode ledger_flush_notes(Ledger *ledger, AccountState *state, Error *err);

/* Walks the numbers of one row of account_entry. */
typedef struct {
    Str bytes;
    size_t at;
    EntryId entry; /* the last one given, or the row's first before the first call */
    bool is_started;
    bool is_damaged;
} EntryList;

/* false at the end, or where the bytes are damaged. */
bool ledger_list_next(EntryList *list, EntryId *ret_entry);

/* --- query.c --- */

#define SQL_ENTRY_COLUMNS                                                                          \
    "e.id, e.key, e.day, e.month, e.memo, coalesce(e.reverses, 0), s.contract, s.version, "        \
    "s.clause, s.run, e.lines, e.hash, coalesce(e.corrects, 0)"
enum { ENTRY_COLUMN_LINES = 10, ENTRY_COLUMN_HASH = 11, ENTRY_COLUMN_CORRECTS = 12 };
/* The row of SQL_ENTRY_COLUMNS. Texts are SQLite's, good until the next step; the lines are in the
   arena. ERR_DAMAGED when they make no sense. */
MUST_USE ErrorCode ledger_read_entry_row(Ledger *ledger, Arena *arena, sqlite3_stmt *row,
                                         LedgerEntry *ret_entry, Error *err);
/* As ledger_entry, without ledger_read_begin. */
MUST_USE ErrorCode ledger_read_entry(Ledger *ledger, Arena *arena, EntryId id,
                                     LedgerEntry *ret_entry, Error *err);

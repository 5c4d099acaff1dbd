/* Entries by their number, and cursors. */
#include "ledger/ledger_int.h"

struct LedgerCursor {
    Ledger *ledger;
    Arena *arena; /* the cursor itself and its texts */
    Arena *row;
    sqlite3_stmt *statement;
    bool is_done;
    ErrorCode code;
    Error failure;
    /* of a statement: */
    AccountId account;
    int64_t balance;
    EntryList list;    /* a view into `texts` */
    Arena *texts;      /* of the row of account_entry */
    LedgerEntry entry; /* whose lines come next, in `row` */
    size_t next_line;
};

/* --- entries --- */

static ErrorCode damaged_entry(const Ledger *ledger, EntryId id, const char *what, Error *err)
{
    return error_set(err, ERR_DAMAGED, "%.*s: damaged: entry %lld: %s", STR_ARG(ledger->path),
                     (long long)id, what);
}

ErrorCode ledger_read_entry_row(Ledger *ledger, Arena *arena, sqlite3_stmt *row,
                                LedgerEntry *ret_entry, Error *err)
{
    LedgerEntry entry = {
        .id = sqlite3_column_int64(row, 0),
        .key = ledger_column_text(row, 1),
        .day = (int32_t)sqlite3_column_int64(row, 2),
        .month = (int32_t)sqlite3_column_int64(row, 3),
        .memo = ledger_column_text(row, 4),
        .reverses = sqlite3_column_int64(row, 5),
        .corrects = sqlite3_column_int64(row, ENTRY_COLUMN_CORRECTS),
        .source = {.contract = ledger_column_text(row, 6),
                   .version = ledger_column_text(row, 7),
                   .clause = ledger_column_text(row, 8),
                   .run = ledger_column_text(row, 9)},
    };
    if (!ledger_parse_lines(ledger, arena, ledger_column_text(row, ENTRY_COLUMN_LINES), &entry))
        return damaged_entry(ledger, entry.id, "its lines make no sense", err);
    *ret_entry = entry;
    return ERR_OK;
}

static void copy_texts(Arena *arena, LedgerEntry *entry)
{
    Str *const texts[] = {
        &entry->key,           &entry->memo,      &entry->source.contract, &entry->source.version,
        &entry->source.clause, &entry->source.run};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        *texts[i] = str_copy(arena, *texts[i]);
}

ErrorCode ledger_read_entry(Ledger *ledger, Arena *arena, EntryId id, LedgerEntry *ret_entry,
                            Error *err)
{
    sqlite3_stmt *row;
    ErrorCode code = ledger_sql(ledger, SQL_ENTRY, &row, err);
    if (code != ERR_OK)
        return code;
    sqlite3_bind_int64(row, 1, id);
    int result = sqlite3_step(row);
    if (result == SQLITE_ROW) {
        code = ledger_read_entry_row(ledger, arena, row, ret_entry, err);
        if (code == ERR_OK)
            copy_texts(arena, ret_entry);
    } else if (result == SQLITE_DONE) {
        code = error_set(err, ERR_NOT_FOUND, "%.*s: no entry %lld", STR_ARG(ledger->path),
                         (long long)id);
    } else {
        code = ledger_sql_error(ledger, "read", err);
    }
    sqlite3_reset(row);
    return code;
}

ErrorCode ledger_entry(Ledger *ledger, Arena *arena, EntryId id, LedgerEntry *ret_entry, Error *err)
{
    ErrorCode code = ledger_read_begin(ledger, err);
    if (code != ERR_OK)
        return code;
    code = ledger_read_entry(ledger, arena, id, ret_entry, err);
    ledger_read_end(ledger);
    return code;
}

size_t ledger_entry_count(const Ledger *ledger)
{
    return (size_t)ledger->entry_count;
}

/* --- cursors --- */

static ErrorCode cursor_open(Ledger *ledger, const char *sql, LedgerCursor **ret_cursor, Error *err)
{
    ErrorCode code = ledger_read_begin(ledger, err);
    if (code != ERR_OK)
        return code;
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(ledger->db, sql, -1, &statement, NULL) != SQLITE_OK) {
        code = ledger_sql_error(ledger, "read", err);
        ledger_read_end(ledger);
        return code;
    }
    Arena *arena = arena_create(4096);
    LedgerCursor *cursor = ARENA_NEW(arena, LedgerCursor);
    cursor->ledger = ledger;
    cursor->arena = arena;
    cursor->row = arena_create(0);
    cursor->statement = statement;
    /* Those of a reader are counted by ledger_read_begin(). */
    if (ledger->mode != LEDGER_READ)
        ledger->open_cursors++;
    *ret_cursor = cursor;
    return ERR_OK;
}

/* To the next row; false at the end and after a failure, which the cursor keeps. */
static bool cursor_step(LedgerCursor *cursor)
{
    if (cursor->is_done)
        return false;
    arena_reset(cursor->row);
    int result = sqlite3_step(cursor->statement);
    if (result == SQLITE_ROW)
        return true;
    cursor->is_done = true;
    if (result != SQLITE_DONE)
        cursor->code = ledger_sql_error(cursor->ledger, "read", &cursor->failure);
    return false;
}

ErrorCode ledger_cursor_finish(LedgerCursor *cursor, Error *err)
{
    ErrorCode code = cursor->code;
    if (code != ERR_OK && err != NULL)
        *err = cursor->failure;
    Ledger *ledger = cursor->ledger;
    sqlite3_finalize(cursor->statement);
    if (ledger->mode == LEDGER_READ)
        ledger_read_end(ledger);
    else
        ledger->open_cursors--;
    arena_destroy(cursor->row);
    arena_destroy(cursor->texts);
    arena_destroy(cursor->arena);
    return code;
}

void ledger_cursor_cleanup(LedgerCursor **cursor)
{
    if (*cursor == NULL)
        return;
    ErrorCode ignored = ledger_cursor_finish(*cursor, NULL);
    (void)ignored;
    *cursor = NULL;
}

ErrorCode ledger_trial_balance(Ledger *ledger, int32_t up_to_month, LedgerCursor **ret_cursor,
                               Error *err)
{
    ErrorCode code = cursor_open(
        ledger,
        "SELECT a.id, coalesce(sum(t.debit), 0), coalesce(sum(t.credit), 0) FROM account a "
        "LEFT JOIN total t ON t.account = a.id AND t.month <= ? GROUP BY a.id ORDER BY a.code",
        ret_cursor, err);
    if (code == ERR_OK)
        sqlite3_bind_int64((*ret_cursor)->statement, 1, up_to_month == 0 ? INT32_MAX : up_to_month);
    return code;
}

bool ledger_next_trial_row(LedgerCursor *cursor, TrialRow *ret_row)
{
    if (!cursor_step(cursor))
        return false;
    TrialRow row = {.account = (AccountId)sqlite3_column_int64(cursor->statement, 0),
                    .debit = sqlite3_column_int64(cursor->statement, 1),
                    .credit = sqlite3_column_int64(cursor->statement, 2)};
    row.balance = row.debit - row.credit;
    *ret_row = row;
    return true;
}

ErrorCode ledger_statement(Ledger *ledger, AccountId account, LedgerCursor **ret_cursor, Error *err)
{
    ErrorCode code = cursor_open(
        ledger, "SELECT first, entries FROM account_entry WHERE account = ? ORDER BY first",
        ret_cursor, err);
    if (code != ERR_OK)
        return code;
    LedgerCursor *cursor = *ret_cursor;
    cursor->account = account;
    cursor->texts = arena_create(0);
    cursor->list.is_started = true; /* and at its end */
    sqlite3_bind_int64(cursor->statement, 1, account);
    return ERR_OK;
}

static bool cursor_fail(LedgerCursor *cursor, ErrorCode code)
{
    cursor->is_done = true;
    cursor->code = code;
    return false;
}

/* Takes the next entry of the account; false at the end and after a failure. */
static bool next_entry_of_account(LedgerCursor *cursor)
{
    EntryId id;
    while (!ledger_list_next(&cursor->list, &id)) {
        if (cursor->list.is_damaged)
            return cursor_fail(cursor, damaged_entry(cursor->ledger, cursor->list.entry,
                                                     "the list of its account breaks off behind it",
                                                     &cursor->failure));
        if (!cursor_step(cursor))
            return false;
        const char *bytes = sqlite3_column_blob(cursor->statement, 1);
        int size = sqlite3_column_bytes(cursor->statement, 1);
        Str view = {.ptr = bytes, .len = bytes == NULL ? 0 : (size_t)size};
        arena_reset(cursor->texts);
        cursor->list = (EntryList){.bytes = str_copy(cursor->texts, view),
                                   .entry = sqlite3_column_int64(cursor->statement, 0)};
    }
    arena_reset(cursor->row);
    cursor->next_line = 0;
    ErrorCode code =
        ledger_read_entry(cursor->ledger, cursor->row, id, &cursor->entry, &cursor->failure);
    return code == ERR_OK || cursor_fail(cursor, code);
}

/* To the next line of the account. */
static const LedgerLine *next_line_of_account(LedgerCursor *cursor)
{
    for (;;) {
        while (cursor->next_line < cursor->entry.line_count) {
            const LedgerLine *line = &cursor->entry.lines[cursor->next_line++];
            if (line->account == cursor->account)
                return line;
        }
        if (cursor->is_done || !next_entry_of_account(cursor))
            return NULL;
    }
}

bool ledger_next_statement_row(LedgerCursor *cursor, StatementRow *ret_row)
{
    const LedgerLine *line = next_line_of_account(cursor);
    if (line == NULL)
        return false;
    const LedgerEntry *entry = &cursor->entry;
    if (__builtin_add_overflow(cursor->balance, line->minor, &cursor->balance))
        return cursor_fail(cursor, damaged_entry(cursor->ledger, entry->id, "the balance overflows",
                                                 &cursor->failure));
    *ret_row = (StatementRow){.entry = entry->id,
                              .reverses = entry->reverses,
                              .key = entry->key,
                              .day = entry->day,
                              .month = entry->month,
                              .memo = entry->memo,
                              .minor = line->minor,
                              .balance = cursor->balance};
    return true;
}

ErrorCode ledger_entries(Ledger *ledger, LedgerSource source, LedgerCursor **ret_cursor, Error *err)
{
    const Str parts[] = {source.contract, source.version, source.clause, source.run};
    /* Only the numbers of the entries are gathered and sorted; rows come one by one. */
    ErrorCode code =
        cursor_open(ledger,
                    "SELECT " SQL_ENTRY_COLUMNS " FROM entry e JOIN source s ON s.id = e.source "
                    "WHERE e.id IN (SELECT id FROM entry WHERE source IN (SELECT id FROM source "
                    "WHERE (?1 = '' OR contract = ?1) AND (?2 = '' OR version = ?2) "
                    "AND (?3 = '' OR clause = ?3) AND (?4 = '' OR run = ?4))) ORDER BY e.id",
                    ret_cursor, err);
    if (code != ERR_OK)
        return code;
    LedgerCursor *cursor = *ret_cursor;
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        ledger_bind_text(cursor->statement, (int)i + 1, str_copy(cursor->arena, parts[i]));
    return ERR_OK;
}

bool ledger_next_entry(LedgerCursor *cursor, LedgerEntry *ret_entry)
{
    if (!cursor_step(cursor))
        return false;
    ErrorCode code = ledger_read_entry_row(cursor->ledger, cursor->row, cursor->statement,
                                           ret_entry, &cursor->failure);
    return code == ERR_OK || cursor_fail(cursor, code);
}

ErrorCode ledger_acts(Ledger *ledger, LedgerCursor **ret_cursor, Error *err)
{
    return cursor_open(ledger, "SELECT " SQL_ACT_COLUMNS " FROM act ORDER BY id", ret_cursor, err);
}

bool ledger_next_act(LedgerCursor *cursor, LedgerAct *ret_act)
{
    if (!cursor_step(cursor))
        return false;
    *ret_act = ledger_read_act_row(cursor->statement);
    return true;
}

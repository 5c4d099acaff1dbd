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
    int64_t balance; /* of a statement */
};

/* --- entries --- */

void ledger_read_entry_row(sqlite3_stmt *statement, LedgerEntry *ret_entry, int64_t *ret_first_line)
{
    *ret_entry = (LedgerEntry){
        .id = sqlite3_column_int64(statement, 0),
        .key = ledger_column_text(statement, 1),
        .day = (int32_t)sqlite3_column_int64(statement, 2),
        .month = (int32_t)sqlite3_column_int64(statement, 3),
        .memo = ledger_column_text(statement, 4),
        .reverses = sqlite3_column_int64(statement, 5),
        .source = {.contract = ledger_column_text(statement, 6),
                   .version = ledger_column_text(statement, 7),
                   .clause = ledger_column_text(statement, 8),
                   .run = ledger_column_text(statement, 9)},
        .line_count = (size_t)sqlite3_column_int64(statement, 11),
    };
    *ret_first_line = sqlite3_column_int64(statement, 10);
}

static ErrorCode damaged_entry(const Ledger *ledger, EntryId id, const char *what, Error *err)
{
    return error_set(err, ERR_DAMAGED, "%.*s: damaged: entry %lld: %s", STR_ARG(ledger->path),
                     (long long)id, what);
}

ErrorCode ledger_read_lines(Ledger *ledger, Arena *arena, int64_t first_line, LedgerEntry *entry,
                            Error *err)
{
    if (entry->line_count < 2 || entry->line_count > LEDGER_LINES_MAX)
        return damaged_entry(ledger, entry->id, "it has an impossible number of lines", err);
    sqlite3_stmt *statement;
    ErrorCode code = ledger_sql(ledger, SQL_LINES, &statement, err);
    if (code != ERR_OK)
        return code;
    LedgerLine *lines = ARENA_ARRAY(arena, LedgerLine, entry->line_count);
    sqlite3_bind_int64(statement, 1, first_line);
    sqlite3_bind_int64(statement, 2, (int64_t)entry->line_count);
    size_t count = 0;
    int result;
    bool is_own = true;
    while ((result = sqlite3_step(statement)) == SQLITE_ROW && is_own) {
        int64_t account = sqlite3_column_int64(statement, 1);
        is_own = sqlite3_column_int64(statement, 0) == entry->id && account >= 1 &&
                 account <= (int64_t)ledger->accounts.count;
        if (is_own)
            lines[count++] = (LedgerLine){.account = (AccountId)account,
                                          .minor = sqlite3_column_int64(statement, 2)};
    }
    if (result != SQLITE_DONE && result != SQLITE_ROW)
        code = ledger_sql_error(ledger, "read", err);
    else if (count != entry->line_count)
        code = damaged_entry(ledger, entry->id, "lines of it are missing", err);
    sqlite3_reset(statement);
    entry->lines = lines;
    return code;
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
    sqlite3_stmt *statement;
    ErrorCode code = ledger_sql(ledger, SQL_ENTRY, &statement, err);
    if (code != ERR_OK)
        return code;
    sqlite3_bind_int64(statement, 1, id);
    int result = sqlite3_step(statement);
    LedgerEntry entry = {0};
    int64_t first_line = 0;
    if (result == SQLITE_ROW) {
        ledger_read_entry_row(statement, &entry, &first_line);
        copy_texts(arena, &entry);
    } else if (result == SQLITE_DONE) {
        code = error_set(err, ERR_NOT_FOUND, "%.*s: no entry %lld", STR_ARG(ledger->path),
                         (long long)id);
    } else {
        code = ledger_sql_error(ledger, "read", err);
    }
    sqlite3_reset(statement);
    if (code == ERR_OK)
        code = ledger_read_lines(ledger, arena, first_line, &entry, err);
    if (code == ERR_OK)
        *ret_entry = entry;
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
        ledger,
        "SELECT l.entry, coalesce(e.reverses, 0), e.key, e.day, e.month, e.memo, l.minor "
        "FROM line l JOIN entry e ON e.id = l.entry WHERE l.account = ? ORDER BY l.id",
        ret_cursor, err);
    if (code == ERR_OK)
        sqlite3_bind_int64((*ret_cursor)->statement, 1, account);
    return code;
}

bool ledger_next_statement_row(LedgerCursor *cursor, StatementRow *ret_row)
{
    if (!cursor_step(cursor))
        return false;
    sqlite3_stmt *row = cursor->statement;
    StatementRow result = {.entry = sqlite3_column_int64(row, 0),
                           .reverses = sqlite3_column_int64(row, 1),
                           .key = ledger_column_text(row, 2),
                           .day = (int32_t)sqlite3_column_int64(row, 3),
                           .month = (int32_t)sqlite3_column_int64(row, 4),
                           .memo = ledger_column_text(row, 5),
                           .minor = sqlite3_column_int64(row, 6)};
    if (__builtin_add_overflow(cursor->balance, result.minor, &cursor->balance)) {
        cursor->is_done = true;
        cursor->code =
            damaged_entry(cursor->ledger, result.entry, "the balance overflows", &cursor->failure);
        return false;
    }
    result.balance = cursor->balance;
    *ret_row = result;
    return true;
}

ErrorCode ledger_entries(Ledger *ledger, LedgerSource source, LedgerCursor **ret_cursor, Error *err)
{
    const Str parts[] = {source.contract, source.version, source.clause, source.run};
    ErrorCode code =
        cursor_open(ledger,
                    "SELECT " SQL_ENTRY_COLUMNS " FROM entry e JOIN source s ON s.id = e.source "
                    "WHERE (?1 = '' OR s.contract = ?1) AND (?2 = '' OR s.version = ?2) "
                    "AND (?3 = '' OR s.clause = ?3) AND (?4 = '' OR s.run = ?4) ORDER BY e.id",
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
    LedgerEntry entry;
    int64_t first_line;
    ledger_read_entry_row(cursor->statement, &entry, &first_line);
    cursor->code =
        ledger_read_lines(cursor->ledger, cursor->row, first_line, &entry, &cursor->failure);
    cursor->is_done = cursor->code != ERR_OK;
    if (cursor->is_done)
        return false;
    *ret_entry = entry;
    return true;
}

#include <errno.h>

#include "ledger/ledger_int.h"

static const char *const sql_texts[] = {
#define LEDGER_SQL(name, sql) sql,
#include "ledger/sql.def"
#undef LEDGER_SQL
};

/* Which of our failures a result of SQLite is. */
static ErrorCode code_of(sqlite3 *db, int result)
{
    switch (result & 0xFF) {
    case SQLITE_FULL:
        return ERR_DISK_FULL;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CONSTRAINT: /* we check before we write, so the file holds what it must not */
    case SQLITE_SCHEMA:
    case SQLITE_ERROR: /* our statements are right, so it is the tables that are not */
        return ERR_DAMAGED;
    case SQLITE_IOERR: {
        int fault = sqlite3_system_errno(db);
        return fault == ENOSPC || fault == EDQUOT ? ERR_DISK_FULL : ERR_IO;
    }
    default:
        return ERR_IO;
    }
}

ErrorCode ledger_db_error(sqlite3 *db, Str path, const char *what, Error *err)
{
    ErrorCode code = code_of(db, sqlite3_extended_errcode(db));
    const char *reason = code == ERR_BUSY ? "in use by another process" : sqlite3_errmsg(db);
    return error_set(err, code, "%.*s: cannot %s: %s", STR_ARG(path), what, reason);
}

ErrorCode ledger_sql_error(Ledger *ledger, const char *what, Error *err)
{
    return ledger_db_error(ledger->db, ledger->path, what, err);
}

ErrorCode ledger_sql(Ledger *ledger, SqlId id, sqlite3_stmt **ret_statement, Error *err)
{
    if (ledger->statements[id] == NULL &&
        sqlite3_prepare_v3(ledger->db, sql_texts[id], -1, SQLITE_PREPARE_PERSISTENT,
                           &ledger->statements[id], NULL) != SQLITE_OK)
        return ledger_sql_error(ledger, "read", err);
    sqlite3_reset(ledger->statements[id]);
    *ret_statement = ledger->statements[id];
    return ERR_OK;
}

ErrorCode ledger_sql_run(Ledger *ledger, sqlite3_stmt *statement, Error *err)
{
    int result = sqlite3_step(statement);
    ErrorCode code = ERR_OK;
    if (result != SQLITE_DONE)
        code = ledger_sql_error(ledger, "write", err);
    sqlite3_reset(statement);
    return code;
}

ErrorCode ledger_sql_exec(Ledger *ledger, const char *sql, Error *err)
{
    int result = sqlite3_exec(ledger->db, sql, NULL, NULL, NULL);
    return result == SQLITE_OK ? ERR_OK : ledger_sql_error(ledger, "write", err);
}

ErrorCode ledger_sql_number(Ledger *ledger, const char *sql, int64_t *ret_number, Error *err)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(ledger->db, sql, -1, &statement, NULL) != SQLITE_OK)
        return ledger_sql_error(ledger, "read", err);
    ErrorCode code = ERR_OK;
    int result = sqlite3_step(statement);
    if (result == SQLITE_ROW)
        *ret_number = sqlite3_column_int64(statement, 0);
    else if (result == SQLITE_DONE)
        code = error_set(err, ERR_DAMAGED, "%.*s: damaged: a row is missing (%s)",
                         STR_ARG(ledger->path), sql);
    else
        code = ledger_sql_error(ledger, "read", err);
    sqlite3_finalize(statement);
    return code;
}

void ledger_bind_text(sqlite3_stmt *statement, int index, Str text)
{
    /* Static: the statement is reset before the caller's text can go. */
    int result = sqlite3_bind_text64(statement, index, text.len == 0 ? "" : text.ptr, text.len,
                                     SQLITE_STATIC, SQLITE_UTF8);
    ASSERT(result == SQLITE_OK);
}

Str ledger_column_text(sqlite3_stmt *statement, int index)
{
    const unsigned char *text = sqlite3_column_text(statement, index);
    int size = sqlite3_column_bytes(statement, index);
    if (text == NULL)
        return S("");
    return (Str){.ptr = (const char *)text, .len = (size_t)size};
}

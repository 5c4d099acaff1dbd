/* Acts: what people decided, each chained to the one before. */
#include "ledger/ledger_int.h"

LedgerAct ledger_read_act_row(sqlite3_stmt *row)
{
    return (LedgerAct){.id = sqlite3_column_int64(row, 0),
                       .kind = ledger_column_text(row, 1),
                       .subject = ledger_column_text(row, 2),
                       .account = ledger_column_text(row, 3),
                       .person = ledger_column_text(row, 4),
                       .role = ledger_column_text(row, 5),
                       .day = (int32_t)sqlite3_column_int64(row, 6),
                       .minor = sqlite3_column_int64(row, 7),
                       .entry = sqlite3_column_int64(row, 8),
                       .text = ledger_column_text(row, 9)};
}

size_t ledger_act_count(const Ledger *ledger)
{
    return (size_t)ledger->act_count;
}

static ErrorCode check_act(const Ledger *ledger, const LedgerAct *act, Error *err)
{
    const Str texts[] = {act->kind, act->subject, act->account, act->person, act->role, act->text};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (texts[i].len > LEDGER_TEXT_BYTES_MAX)
            return error_set(err, ERR_LIMIT, "%.*s: a text is longer than %d bytes",
                             STR_ARG(ledger->path), LEDGER_TEXT_BYTES_MAX);
    if (act->kind.len == 0)
        return error_set(err, ERR_REFUSED, "%.*s: an act without a kind", STR_ARG(ledger->path));
    if (act->day < DAY_FIRST || act->day > DAY_LAST)
        return error_set(err, ERR_REFUSED, "%.*s: the day is outside of the years 1 to 9999",
                         STR_ARG(ledger->path));
    if (act->entry < 0 || act->entry > ledger->entry_count)
        return error_set(err, ERR_NOT_FOUND, "%.*s: no entry %lld", STR_ARG(ledger->path),
                         (long long)act->entry);
    return ERR_OK;
}

static ErrorCode insert_act(Ledger *ledger, const LedgerAct *act, const EntryHash *hash, Error *err)
{
    sqlite3_stmt *add;
    ErrorCode code = ledger_sql(ledger, SQL_ADD_ACT, &add, err);
    if (code != ERR_OK)
        return code;
    sqlite3_bind_int64(add, 1, act->id);
    ledger_bind_text(add, 2, act->kind);
    ledger_bind_text(add, 3, act->subject);
    ledger_bind_text(add, 4, act->account);
    ledger_bind_text(add, 5, act->person);
    ledger_bind_text(add, 6, act->role);
    sqlite3_bind_int64(add, 7, act->day);
    sqlite3_bind_int64(add, 8, act->minor);
    sqlite3_bind_int64(add, 9, act->entry);
    ledger_bind_text(add, 10, act->text);
    sqlite3_bind_blob(add, 11, hash->bytes, HASH_BYTES, SQLITE_STATIC);
    code = ledger_sql_run(ledger, add, err);
    if (code != ERR_OK)
        return code;
    sqlite3_stmt *set;
    code = ledger_sql(ledger, SQL_SET_ACTS, &set, err);
    if (code != ERR_OK)
        return code;
    sqlite3_bind_int64(set, 1, act->id);
    sqlite3_bind_blob(set, 2, hash->bytes, HASH_BYTES, SQLITE_STATIC);
    return ledger_sql_run(ledger, set, err);
}

ErrorCode ledger_add_act(Ledger *ledger, const LedgerAct *act, ActId *ret_act, Error *err)
{
    ErrorCode code = check_act(ledger, act, err);
    bool is_own;
    if (code != ERR_OK)
        return code;
    code = ledger_call_begin(ledger, &is_own, err);
    if (code != ERR_OK)
        return code;
    LedgerAct own = *act;
    own.id = ledger->act_count + 1;
    EntryHash hash = ledger_hash_act(ledger, &own, ledger->act_head);
    code = insert_act(ledger, &own, &hash, err);
    if (code == ERR_OK) {
        ledger->act_count = own.id;
        ledger->act_head = hash;
    }
    code = ledger_call_end(ledger, is_own, code, err);
    if (code == ERR_OK && ret_act != NULL)
        *ret_act = own.id;
    return code;
}

/* Opening, batches, accounts and periods. */
#include "ledger/ledger.h"

#include <stdio.h>
#include <stdlib.h>

#include "ledger/ledger_int.h"
#include "ledger/schema.h"

static const char *const type_texts[] = {
#define ACCOUNT_TYPE(name, text) text,
#include "ledger/account_type.def"
#undef ACCOUNT_TYPE
};

const char *account_type_text(AccountType type)
{
    ASSERT((size_t)type < COUNT_OF(type_texts));
    return type_texts[type];
}

bool account_type_from_text(Str text, AccountType *ret_type)
{
    for (size_t i = 0; i < COUNT_OF(type_texts); i++) {
        if (str_eq(text, str_from_c(type_texts[i]))) {
            *ret_type = (AccountType)i;
            return true;
        }
    }
    return false;
}

/* --- what is kept in memory --- */

static ErrorCode damaged(const Ledger *ledger, const char *what, Error *err)
{
    return error_set(err, ERR_DAMAGED, "%.*s: damaged: %s", STR_ARG(ledger->path), what);
}

static ErrorCode load_account(Ledger *ledger, sqlite3_stmt *row, Error *err)
{
    int64_t id = sqlite3_column_int64(row, 0);
    int64_t type = sqlite3_column_int64(row, 2);
    AccountState state = {.debit = sqlite3_column_int64(row, 4),
                          .credit = sqlite3_column_int64(row, 5)};
    if (id != (int64_t)ledger->accounts.count + 1)
        return damaged(ledger, "accounts are not numbered through", err);
    if (type < 0 || type >= (int64_t)COUNT_OF(type_texts) || state.debit < 0 || state.credit < 0)
        return damaged(ledger, "an account holds what it cannot", err);
    state.account = (Account){.id = (AccountId)id,
                              .type = (AccountType)type,
                              .code = str_copy(ledger->state, ledger_column_text(row, 1)),
                              .name = str_copy(ledger->state, ledger_column_text(row, 3))};
    bool is_new;
    (void)map_intern(&ledger->account_by_code, state.account.code, (uint64_t)id, &is_new);
    if (!is_new)
        return damaged(ledger, "two accounts have one code", err);
    VEC_PUSH(ledger->state, &ledger->accounts, state);
    return ERR_OK;
}

static ErrorCode load_period(Ledger *ledger, sqlite3_stmt *row, Error *err)
{
    int64_t state = sqlite3_column_int64(row, 1);
    if (state < PERIOD_OPEN || state > PERIOD_LOCKED)
        return damaged(ledger, "a period holds what it cannot", err);
    PeriodRow period = {.month = (int32_t)sqlite3_column_int64(row, 0),
                        .state = (PeriodState)state};
    VEC_PUSH(ledger->state, &ledger->periods, period);
    return ERR_OK;
}

static ErrorCode load_head(Ledger *ledger, sqlite3_stmt *row, Error *err)
{
    ledger->entry_count = sqlite3_column_int64(row, 0);
    ledger->line_count = sqlite3_column_int64(row, 1);
    const void *hash = sqlite3_column_blob(row, 2);
    if (ledger->entry_count < 0 || ledger->line_count < 0 ||
        sqlite3_column_bytes(row, 2) != HASH_BYTES || hash == NULL)
        return damaged(ledger, "the head holds what it cannot", err);
    memcpy(ledger->head.bytes, hash, HASH_BYTES);
    ledger->act_count = sqlite3_column_int64(row, 3);
    const void *act_hash = sqlite3_column_blob(row, 4);
    if (ledger->act_count < 0 || sqlite3_column_bytes(row, 4) != HASH_BYTES || act_hash == NULL)
        return damaged(ledger, "the head holds what it cannot", err);
    memcpy(ledger->act_head.bytes, act_hash, HASH_BYTES);
    ledger->flushed_entries = ledger->entry_count;
    return ERR_OK;
}

/* Hands each row of a query to fn. */
static ErrorCode load_rows(Ledger *ledger, const char *sql,
                           ErrorCode (*fn)(Ledger *, sqlite3_stmt *, Error *), Error *err)
{
    sqlite3_stmt *row;
    if (sqlite3_prepare_v2(ledger->db, sql, -1, &row, NULL) != SQLITE_OK)
        return ledger_sql_error(ledger, "read", err);
    ErrorCode code = ERR_OK;
    int result = SQLITE_DONE;
    while (code == ERR_OK && (result = sqlite3_step(row)) == SQLITE_ROW)
        code = fn(ledger, row, err);
    if (code == ERR_OK && result != SQLITE_DONE)
        code = ledger_sql_error(ledger, "read", err);
    sqlite3_finalize(row);
    return code;
}

static void forget_batch(Ledger *ledger)
{
    ledger->totals.count = ledger->totals.capacity = 0;
    ledger->totals.items = NULL;
    ledger->dirty.count = ledger->dirty.capacity = 0;
    ledger->dirty.items = NULL;
    ledger->notes.count = ledger->notes.capacity = 0;
    ledger->notes.items = NULL;
    arena_reset(ledger->batch);
    map_init(&ledger->total_by_key, ledger->batch);
}

ErrorCode ledger_load(Ledger *ledger, Error *err)
{
    arena_reset(ledger->state);
    forget_batch(ledger);
    ledger->accounts.count = ledger->accounts.capacity = 0;
    ledger->accounts.items = NULL;
    ledger->periods.count = ledger->periods.capacity = 0;
    ledger->periods.items = NULL;
    map_init(&ledger->account_by_code, ledger->state);
    map_init(&ledger->sources, ledger->state);
    int64_t entries;
    /* No row is no new ledger: its making writes one. */
    ErrorCode code = ledger_sql_number(ledger, "SELECT entries FROM head", &entries, err);
    if (code == ERR_OK)
        code =
            load_rows(ledger, "SELECT id, code, type, name, debit, credit FROM account ORDER BY id",
                      load_account, err);
    if (code == ERR_OK)
        code =
            load_rows(ledger, "SELECT month, state FROM period ORDER BY month", load_period, err);
    if (code == ERR_OK)
        code = load_rows(ledger, "SELECT entries, lines, hash, acts, act_hash FROM head", load_head,
                         err);
    return code;
}

/* --- the file --- */

enum { PATH_BYTES = 4096, BUSY_MS_MAX = 2000 };

bool ledger_is_in_memory(const Ledger *ledger)
{
    return str_eq(ledger->path, S(":memory:"));
}

ErrorCode ledger_connect(const Ledger *ledger, sqlite3 **ret_db, Error *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (ledger->mode == LEDGER_CREATE)
        flags |= SQLITE_OPEN_CREATE;
    CLEANUP(arena_cleanup) Arena *arena = arena_create(PATH_BYTES);
    const char *path = str_to_c(arena, ledger->path);
    if (sqlite3_open_v2(path, ret_db, flags, ledger_vfs_name()) != SQLITE_OK)
        return ledger_db_error(*ret_db, ledger->path, "open", err);
    /* Readers may meet the end of a checkpoint or a recovery: these are short. */
    sqlite3_busy_timeout(*ret_db, BUSY_MS_MAX);
    return ERR_OK;
}

/* Durability, and less trust in the file than SQLite has by itself. */
static ErrorCode configure(Ledger *ledger, Error *err)
{
    ErrorCode code = ledger_sql_exec(ledger,
                                     "PRAGMA trusted_schema = OFF;"
                                     "PRAGMA cell_size_check = ON;"
                                     "PRAGMA foreign_keys = ON;"
                                     "PRAGMA temp_store = MEMORY;"
                                     "PRAGMA cache_size = -65536;"
                                     "PRAGMA synchronous = FULL;",
                                     err);
    if (code == ERR_OK && ledger->mode == LEDGER_READ)
        code = ledger_sql_exec(ledger, "PRAGMA query_only = ON;", err);
    else if (code == ERR_OK && !ledger_is_in_memory(ledger))
        code = ledger_sql_exec(ledger, "PRAGMA journal_mode = WAL;", err);
    return code;
}

static ErrorCode create_schema(Ledger *ledger, Error *err)
{
    CLEANUP(arena_cleanup) Arena *arena = arena_create(0);
    Str mark = str_format(arena,
                          "PRAGMA application_id = %d; PRAGMA user_version = %d;"
                          "INSERT INTO meta VALUES('currency', '%s');",
                          LEDGER_APPLICATION_ID, LEDGER_SCHEMA_VERSION, ledger->currency.code);
    ErrorCode code = ledger_sql_exec(ledger, "BEGIN IMMEDIATE;" LEDGER_SCHEMA, err);
    if (code == ERR_OK)
        code = ledger_sql_exec(ledger, str_to_c(arena, mark), err);
    if (code == ERR_OK)
        code = ledger_sql_exec(ledger, "COMMIT;", err);
    if (code != ERR_OK)
        (void)sqlite3_exec(ledger->db, "ROLLBACK;", NULL, NULL, NULL);
    return code;
}

static ErrorCode read_currency(Ledger *ledger, sqlite3_stmt *row, Error *err)
{
    if (!currency_find(ledger_column_text(row, 0), &ledger->currency))
        return damaged(ledger, "its currency is unknown", err);
    return ERR_OK;
}

/* The tables of an existing file: of a ledger, of this version, in that currency. */
static ErrorCode check_schema(Ledger *ledger, const LedgerOptions *options, Error *err)
{
    int64_t version;
    ErrorCode code = ledger_sql_number(ledger, "PRAGMA user_version", &version, err);
    if (code != ERR_OK)
        return code;
    if (version != LEDGER_SCHEMA_VERSION)
        return error_set(err, ERR_VERSION, "%.*s: version %lld of the format; this is for %d",
                         STR_ARG(ledger->path), (long long)version, LEDGER_SCHEMA_VERSION);
    ledger->currency = (Currency){0}; /* what the caller wants may differ from what is there */
    code = load_rows(ledger, "SELECT value FROM meta WHERE name = 'currency'", read_currency, err);
    if (code != ERR_OK)
        return code;
    if (ledger->currency.code[0] == '\0')
        return damaged(ledger, "it has no currency", err);
    if (options->currency.len > 0 && !str_eq(options->currency, str_from_c(ledger->currency.code)))
        return error_set(err, ERR_REFUSED, "%.*s: is kept in %s and not in %.*s",
                         STR_ARG(ledger->path), ledger->currency.code, STR_ARG(options->currency));
    return ERR_OK;
}

static ErrorCode open_schema(Ledger *ledger, const LedgerOptions *options, Error *err)
{
    int64_t application;
    int64_t tables;
    ErrorCode code = ledger_sql_number(ledger, "PRAGMA application_id", &application, err);
    if (code == ERR_OK)
        code = ledger_sql_number(ledger, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (code != ERR_OK)
        return code;
    if (application == LEDGER_APPLICATION_ID)
        return check_schema(ledger, options, err);
    if (application != 0 || tables != 0)
        return error_set(err, ERR_DAMAGED, "%.*s: not a ledger", STR_ARG(ledger->path));
    /* Empty: new, or its making was cut short. */
    if (options->mode != LEDGER_CREATE)
        return error_set(err, ERR_NOT_FOUND, "%.*s: no ledger in it", STR_ARG(ledger->path));
    return create_schema(ledger, err);
}

/* The lock file is what makes the second writer wait for nothing: SQLite's own lock is held in
   batches only. */
static ErrorCode take_lock(Ledger *ledger, Error *err)
{
    if (ledger->mode == LEDGER_READ || ledger_is_in_memory(ledger))
        return ERR_OK;
    Str name = str_format(ledger->arena, "%.*s.lock", STR_ARG(ledger->path));
    ErrorCode code = io_lock(name, &ledger->lock, err);
    if (code == ERR_BUSY)
        return error_set(err, ERR_BUSY, "%.*s: another process is writing to it",
                         STR_ARG(ledger->path));
    return code;
}

static ErrorCode open_file(Ledger *ledger, const LedgerOptions *options, Error *err)
{
    bool is_new = !ledger_is_in_memory(ledger) && !io_exists(ledger->path);
    if (is_new && options->mode != LEDGER_CREATE)
        return error_set(err, ERR_NOT_FOUND, "%.*s: no such ledger", STR_ARG(ledger->path));
    ErrorCode code = take_lock(ledger, err);
    if (code != ERR_OK)
        return code;
    code = ledger_connect(ledger, &ledger->db, err);
    if (code != ERR_OK)
        return code;
    code = configure(ledger, err);
    if (code == ERR_OK)
        code = open_schema(ledger, options, err);
    if (code == ERR_OK && ledger->mode == LEDGER_READ) {
        code = ledger_read_begin(ledger, err); /* all of it from one commit */
        if (code == ERR_OK)
            ledger_read_end(ledger);
    } else if (code == ERR_OK) {
        code = ledger_load(ledger, err);
    }
    if (code == ERR_OK && is_new) {
        /* So that a loss of power does not take the new file's name. */
        size_t cut = ledger->path.len;
        while (cut > 0 && ledger->path.ptr[cut - 1] != '/')
            cut--;
        Str folder = str_slice(ledger->path, 0, cut);
        code = io_sync_dir(folder.len == 0 ? S(".") : folder, err);
    }
    return code;
}

ErrorCode ledger_open(const LedgerOptions *options, Ledger **ret_ledger, Error *err)
{
    Currency currency = {0};
    bool needs_currency = options->mode == LEDGER_CREATE;
    if (needs_currency && !currency_find(options->currency, &currency))
        return error_set(err, ERR_REFUSED, "\"%.*s\": not a currency of ISO 4217",
                         STR_ARG(options->currency));
    Arena *arena = arena_create(0);
    Ledger *ledger = ARENA_NEW(arena, Ledger);
    ledger->arena = arena;
    ledger->state = arena_create(0);
    ledger->batch = arena_create(0);
    ledger->scratch = arena_create(0);
    ledger->hasher = ledger_hasher_create();
    ledger->lock = IO_FILE_CLOSED;
    ledger->mode = options->mode;
    ledger->path = str_copy(arena, options->path);
    ledger->currency = currency;
    ErrorCode code = open_file(ledger, options, err);
    if (code != ERR_OK) {
        ledger_close(ledger);
        return code;
    }
    *ret_ledger = ledger;
    return ERR_OK;
}

void ledger_close(Ledger *ledger)
{
    if (ledger == NULL)
        return;
    ASSERT(ledger->open_cursors == 0);
    for (size_t i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(ledger->statements[i]);
    int result = sqlite3_close(ledger->db);
    ASSERT(result == SQLITE_OK);
    io_close_cleanup(&ledger->lock);
    ledger_hasher_destroy(ledger->hasher);
    arena_destroy(ledger->scratch);
    arena_destroy(ledger->batch);
    arena_destroy(ledger->state);
    arena_destroy(ledger->arena);
}

void ledger_close_cleanup(Ledger **ledger)
{
    ledger_close(*ledger);
    *ledger = NULL;
}

Currency ledger_currency(const Ledger *ledger)
{
    return ledger->currency;
}

/* --- batches --- */

/* Rolls back whether or not SQLite did so by itself already. */
void ledger_rollback(Ledger *ledger)
{
    if (!ledger->in_batch)
        return;
    for (size_t i = 0; i < SQL_COUNT; i++)
        sqlite3_reset(ledger->statements[i]);
    if (!sqlite3_get_autocommit(ledger->db))
        (void)sqlite3_exec(ledger->db, "ROLLBACK", NULL, NULL, NULL);
    ledger->in_batch = false;
    ledger->has_failed = false;
    /* A failure here is told by the next call, which tries again. */
    ledger->is_stale = ledger_load(ledger, NULL) != ERR_OK;
}

/* After a rollback whose end could not be read. */
static ErrorCode refresh_stale(Ledger *ledger, Error *err)
{
    if (!ledger->is_stale)
        return ERR_OK;
    ErrorCode code = ledger_load(ledger, err);
    ledger->is_stale = code != ERR_OK;
    return code;
}

ErrorCode ledger_begin(Ledger *ledger, Error *err)
{
    ASSERT(!ledger->in_batch);
    if (ledger->mode == LEDGER_READ)
        return error_set(err, ERR_REFUSED, "%.*s: open for reading only", STR_ARG(ledger->path));
    ErrorCode code = refresh_stale(ledger, err);
    if (code == ERR_OK)
        code = ledger_sql_exec(ledger, "BEGIN IMMEDIATE", err);
    ledger->in_batch = code == ERR_OK;
    ledger->has_failed = false;
    return code;
}

ErrorCode ledger_commit(Ledger *ledger, Error *err)
{
    ASSERT(ledger->in_batch);
    ErrorCode code;
    if (ledger->has_failed) {
        code = error_set(err, ledger->failure.code, "%s", ledger->failure.message);
    } else {
        code = ledger_flush(ledger, err);
        if (code == ERR_OK)
            code = ledger_sql_exec(ledger, "COMMIT", err);
    }
    if (code != ERR_OK) {
        ledger_rollback(ledger);
        return code;
    }
    ledger->in_batch = false;
    forget_batch(ledger);
    return ERR_OK;
}

/* What is in memory can be decided by: the batch has not failed, a rollback was read to its end. */
static ErrorCode check_ready(Ledger *ledger, Error *err)
{
    if (ledger->in_batch && ledger->has_failed)
        return error_set(err, ledger->failure.code, "%s", ledger->failure.message);
    return refresh_stale(ledger, err);
}

ErrorCode ledger_call_begin(Ledger *ledger, bool *ret_is_own, Error *err)
{
    arena_reset(ledger->scratch);
    ErrorCode code = check_ready(ledger, err);
    if (code != ERR_OK)
        return code;
    *ret_is_own = !ledger->in_batch;
    return ledger->in_batch ? ERR_OK : ledger_begin(ledger, err);
}

ErrorCode ledger_call_end(Ledger *ledger, bool is_own, ErrorCode code, Error *err)
{
    if (is_own && code == ERR_OK)
        return ledger_commit(ledger, err);
    if (is_own) {
        ledger_rollback(ledger);
    } else if (code != ERR_OK) {
        ledger->has_failed = true;
        (void)error_set(&ledger->failure, code, "%s",
                        err == NULL ? error_code_text(code) : err->message);
    }
    return code;
}

static ErrorCode flush_balances(Ledger *ledger, Error *err)
{
    sqlite3_stmt *set;
    ErrorCode code = ledger_sql(ledger, SQL_SET_BALANCE, &set, err);
    if (code != ERR_OK)
        return code;
    VEC_FOREACH (AccountId, id, &ledger->dirty) {
        AccountState *state = &ledger->accounts.items[*id - 1];
        sqlite3_bind_int64(set, 1, *id);
        sqlite3_bind_int64(set, 2, state->debit);
        sqlite3_bind_int64(set, 3, state->credit);
        code = ledger_sql_run(ledger, set, err);
        if (code != ERR_OK)
            return code;
        code = ledger_flush_notes(ledger, state, err);
        if (code != ERR_OK)
            return code;
        state->is_dirty = false;
    }
    ledger->dirty.count = 0;
    ledger->notes.count = 0;
    return ERR_OK;
}

static ErrorCode flush_totals(Ledger *ledger, Error *err)
{
    sqlite3_stmt *add;
    ErrorCode code = ledger_sql(ledger, SQL_ADD_TOTAL, &add, err);
    if (code != ERR_OK)
        return code;
    VEC_FOREACH (TotalDelta, total, &ledger->totals) {
        if (total->debit == 0 && total->credit == 0)
            continue;
        sqlite3_bind_int64(add, 1, total->account);
        sqlite3_bind_int64(add, 2, total->month);
        sqlite3_bind_int64(add, 3, total->debit);
        sqlite3_bind_int64(add, 4, total->credit);
        code = ledger_sql_run(ledger, add, err);
        if (code != ERR_OK)
            return code;
        /* They are in the file now; the batch goes on adding from nothing. */
        total->debit = 0;
        total->credit = 0;
    }
    return ERR_OK;
}

ErrorCode ledger_flush(Ledger *ledger, Error *err)
{
    if (ledger->flushed_entries == ledger->entry_count)
        return ERR_OK;
    ErrorCode code = flush_balances(ledger, err);
    if (code == ERR_OK)
        code = flush_totals(ledger, err);
    if (code != ERR_OK)
        return code;
    sqlite3_stmt *set;
    code = ledger_sql(ledger, SQL_SET_HEAD, &set, err);
    if (code != ERR_OK)
        return code;
    sqlite3_bind_int64(set, 1, ledger->entry_count);
    sqlite3_bind_int64(set, 2, ledger->line_count);
    sqlite3_bind_blob(set, 3, ledger->head.bytes, HASH_BYTES, SQLITE_STATIC);
    code = ledger_sql_run(ledger, set, err);
    if (code == ERR_OK)
        ledger->flushed_entries = ledger->entry_count;
    return code;
}

ErrorCode ledger_read_begin(Ledger *ledger, Error *err)
{
    arena_reset(ledger->scratch);
    ErrorCode code = check_ready(ledger, err);
    if (code != ERR_OK)
        return code;
    if (ledger->mode != LEDGER_READ)
        return ledger->in_batch ? ledger_flush(ledger, err) : ERR_OK;
    if (ledger->open_cursors++ > 0)
        return ERR_OK;
    int64_t version = 0;
    code = ledger_sql_exec(ledger, "BEGIN", err);
    /* The first read takes the snapshot, so what is loaded and what is asked then agree. */
    if (code == ERR_OK)
        code = ledger_sql_number(ledger, "SELECT entries FROM head", &version, err);
    if (code == ERR_OK)
        code = ledger_sql_number(ledger, "PRAGMA data_version", &version, err);
    if (code == ERR_OK && version != ledger->data_version)
        code = ledger_load(ledger, err);
    if (code == ERR_OK)
        ledger->data_version = version;
    else
        ledger_read_end(ledger);
    return code;
}

void ledger_read_end(Ledger *ledger)
{
    if (ledger->mode != LEDGER_READ)
        return;
    ASSERT(ledger->open_cursors > 0);
    if (--ledger->open_cursors == 0 && !sqlite3_get_autocommit(ledger->db))
        (void)sqlite3_exec(ledger->db, "COMMIT", NULL, NULL, NULL);
}

/* --- accounts --- */

AccountId ledger_find_account(const Ledger *ledger, Str code)
{
    uint64_t id;
    return map_find(&ledger->account_by_code, code, &id) ? (AccountId)id : 0;
}

size_t ledger_account_count(const Ledger *ledger)
{
    return ledger->accounts.count;
}

Account ledger_account(const Ledger *ledger, AccountId account)
{
    ASSERT(account >= 1 && account <= ledger->accounts.count);
    const AccountState *state = &ledger->accounts.items[account - 1];
    Account result = state->account;
    result.balance = state->debit - state->credit;
    return result;
}

static ErrorCode insert_account(Ledger *ledger, const Account *account, Error *err)
{
    sqlite3_stmt *add;
    ErrorCode code = ledger_sql(ledger, SQL_ADD_ACCOUNT, &add, err);
    if (code != ERR_OK)
        return code;
    sqlite3_bind_int64(add, 1, account->id);
    ledger_bind_text(add, 2, account->code);
    sqlite3_bind_int64(add, 3, account->type);
    ledger_bind_text(add, 4, account->name);
    return ledger_sql_run(ledger, add, err);
}

ErrorCode ledger_add_account(Ledger *ledger, Str code, AccountType type, Str name,
                             AccountId *ret_account, Error *err)
{
    ASSERT((size_t)type < COUNT_OF(type_texts));
    if (code.len == 0 || code.len > LEDGER_CODE_BYTES_MAX || name.len > LEDGER_TEXT_BYTES_MAX)
        return error_set(err, ERR_LIMIT, "account \"%.*s\": its code or name is empty or too long",
                         STR_ARG(str_slice(code, 0, LEDGER_CODE_BYTES_MAX)));
    ErrorCode result = check_ready(ledger, err);
    if (result != ERR_OK)
        return result;
    AccountId known = ledger_find_account(ledger, code);
    if (known != 0) {
        AccountType has = ledger->accounts.items[known - 1].account.type;
        if (has != type)
            return error_set(err, ERR_EXISTS, "account %.*s: is of type %s and not %s",
                             STR_ARG(code), account_type_text(has), account_type_text(type));
        *ret_account = known;
        return ERR_OK;
    }
    bool is_own;
    result = ledger_call_begin(ledger, &is_own, err);
    if (result != ERR_OK)
        return result;
    ASSERT(ledger->accounts.count < UINT32_MAX - 1);
    Account account = {.id = (AccountId)ledger->accounts.count + 1,
                       .type = type,
                       .code = str_copy(ledger->state, code),
                       .name = str_copy(ledger->state, name)};
    result = insert_account(ledger, &account, err);
    if (result == ERR_OK) {
        VEC_PUSH(ledger->state, &ledger->accounts, (AccountState){.account = account});
        map_put(&ledger->account_by_code, account.code, account.id);
    }
    result = ledger_call_end(ledger, is_own, result, err);
    if (result == ERR_OK)
        *ret_account = account.id;
    return result;
}

/* --- periods --- */

int32_t ledger_month_of_day(int32_t day)
{
    int32_t year;
    int32_t month;
    int32_t of_month;
    day_to_date(day, &year, &month, &of_month);
    return year * 100 + month;
}

/* Where the month is among the periods, or where it would go. */
static size_t period_index(const Ledger *ledger, int32_t month)
{
    size_t low = 0;
    size_t high = ledger->periods.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ledger->periods.items[middle].month < month)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

PeriodState ledger_period(const Ledger *ledger, int32_t month)
{
    size_t index = period_index(ledger, month);
    bool is_there = index < ledger->periods.count && ledger->periods.items[index].month == month;
    return is_there ? ledger->periods.items[index].state : PERIOD_NEVER_OPENED;
}

const char *period_state_text(PeriodState state)
{
    static const char *const texts[] = {"never opened", "open", "closed", "locked"};
    ASSERT((size_t)state < COUNT_OF(texts));
    return texts[state];
}

size_t ledger_period_count(const Ledger *ledger)
{
    return ledger->periods.count;
}

int32_t ledger_period_month(const Ledger *ledger, size_t index)
{
    ASSERT(index < ledger->periods.count);
    return ledger->periods.items[index].month;
}

int32_t ledger_open_month(const Ledger *ledger, int32_t month)
{
    PeriodState state = ledger_period(ledger, month);
    if (state == PERIOD_OPEN || state == PERIOD_NEVER_OPENED)
        return month;
    for (size_t i = period_index(ledger, month); i < ledger->periods.count; i++)
        if (ledger->periods.items[i].state == PERIOD_OPEN)
            return ledger->periods.items[i].month;
    int32_t last = ledger->periods.items[ledger->periods.count - 1].month;
    return last % 100 == 12 ? last + 89 : last + 1;
}

static void remember_period(Ledger *ledger, int32_t month, PeriodState state)
{
    size_t index = period_index(ledger, month);
    if (ledger_period(ledger, month) == PERIOD_NEVER_OPENED) {
        VEC_PUSH(ledger->state, &ledger->periods, (PeriodRow){0});
        PeriodRow *at = ledger->periods.items + index;
        memmove(at + 1, at, (ledger->periods.count - 1 - index) * sizeof(PeriodRow));
    }
    ledger->periods.items[index] = (PeriodRow){.month = month, .state = state};
}

static ErrorCode write_period(Ledger *ledger, int32_t month, PeriodState state, Error *err)
{
    sqlite3_stmt *set;
    ErrorCode code = ledger_sql(ledger, SQL_SET_PERIOD, &set, err);
    if (code != ERR_OK)
        return code;
    sqlite3_bind_int64(set, 1, month);
    sqlite3_bind_int64(set, 2, state);
    return ledger_sql_run(ledger, set, err);
}

static ErrorCode add_period_act(Ledger *ledger, const LedgerPeriodChange *change, Error *err)
{
    /* Not in the scratch arena, which ledger_add_act() begins with giving up. */
    char name[24];
    int len = snprintf(name, sizeof(name), "%04d-%02d", change->month / 100, change->month % 100);
    LedgerAct act = {.kind = S("period"),
                     .subject = {.ptr = name, .len = (size_t)len},
                     .person = change->person,
                     .role = str_from_c(period_state_text(change->to)),
                     .day = change->day,
                     .text = change->reason};
    return ledger_add_act(ledger, &act, NULL, err);
}

/* Only what is there can be ended, and what is locked stays so. */
ErrorCode ledger_change_period(Ledger *ledger, const LedgerPeriodChange *change, Error *err)
{
    int32_t month = change->month;
    PeriodState to = change->to;
    if (!date_exists(month / 100, month % 100, 1))
        return error_set(err, ERR_REFUSED, "period %d: not a month", month);
    ErrorCode code = check_ready(ledger, err);
    if (code != ERR_OK)
        return code;
    PeriodState from = ledger_period(ledger, month);
    if (from == to)
        return ERR_OK;
    if (from == PERIOD_NEVER_OPENED && to != PERIOD_OPEN)
        return error_set(err, ERR_NOT_FOUND, "period %04d-%02d: was never opened", month / 100,
                         month % 100);
    if (from == PERIOD_LOCKED)
        return error_set(err, ERR_CLOSED, "period %04d-%02d: is locked", month / 100, month % 100);
    bool is_own;
    code = ledger_call_begin(ledger, &is_own, err);
    if (code != ERR_OK)
        return code;
    bool is_new = from == PERIOD_NEVER_OPENED;
    code = write_period(ledger, month, to, err);
    if (code == ERR_OK)
        remember_period(ledger, month, to);
    if (code == ERR_OK && !is_new)
        code = add_period_act(ledger, change, err);
    return ledger_call_end(ledger, is_own, code, err);
}

static ErrorCode change_period(Ledger *ledger, int32_t month, PeriodState to, Error *err)
{
    LedgerPeriodChange change = {.month = month, .to = to};
    if (date_exists(month / 100, month % 100, 1))
        change.day = day_from_date(month / 100, month % 100, 1);
    return ledger_change_period(ledger, &change, err);
}

ErrorCode ledger_open_period(Ledger *ledger, int32_t month, Error *err)
{
    return change_period(ledger, month, PERIOD_OPEN, err);
}

ErrorCode ledger_close_period(Ledger *ledger, int32_t month, Error *err)
{
    return change_period(ledger, month, PERIOD_CLOSED, err);
}

ErrorCode ledger_lock_period(Ledger *ledger, int32_t month, Error *err)
{
    return change_period(ledger, month, PERIOD_LOCKED, err);
}

/* --- invariants --- */

void ledger_check(const Ledger *ledger)
{
    if (ledger->has_failed || ledger->is_stale)
        return; /* until it is rolled back */
    __int128 sum = 0;
    for (size_t i = 0; i < ledger->accounts.count; i++) {
        const AccountState *state = &ledger->accounts.items[i];
        ASSERT(state->account.id == i + 1);
        ASSERT(state->debit >= 0 && state->credit >= 0);
        ASSERT(ledger_find_account(ledger, state->account.code) == state->account.id);
        ASSERT(ledger->in_batch || !state->is_dirty);
        sum += (__int128)state->debit - state->credit;
    }
    ASSERT(sum == 0);
    for (size_t i = 1; i < ledger->periods.count; i++)
        ASSERT(ledger->periods.items[i - 1].month < ledger->periods.items[i].month);
    sum = 0;
    VEC_FOREACH (TotalDelta, total, &ledger->totals)
        sum += (__int128)total->debit - total->credit;
    ASSERT(sum == 0);
    ASSERT(ledger->in_batch || ledger->flushed_entries == ledger->entry_count);
    ASSERT(ledger->line_count >= 2 * ledger->entry_count);
    ASSERT(ledger->in_batch == !sqlite3_get_autocommit(ledger->db) || ledger->mode == LEDGER_READ);
}

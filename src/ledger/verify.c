/* Reading everything and adding it up again. */
#include <stdio.h>

#include "base/threads.h"
#include "ledger/ledger_int.h"

/* Numbers in their order, boiled down so that two rows of them can be told apart. */
typedef struct {
    EntryId last;
    uint64_t mixed;
} EntryTrail;

/* Sums of what was walked, beside what the file says. */
typedef struct {
    Ledger *ledger;
    Arena *arena; /* of the walk */
    Arena *row;   /* of one entry */
    LedgerVerdict *verdict;
    EntryHash previous;
    EntryHash previous_act;
    int64_t *debit; /* by account - 1 */
    int64_t *credit;
    EntryTrail *trails; /* of the entries of each account, as walked */
    EntryTrail *listed; /* and as account_entry lists them */
    Map states;         /* of periods by name, as the acts say */
    Map totals;         /* account and month -> index of sums */
    Vec(TotalDelta) sums;
    Error *err;
} Walk;

static ErrorCode wrong(const Walk *walk, const char *what)
{
    return error_set(walk->err, ERR_DAMAGED, "%.*s: damaged: %s", STR_ARG(walk->ledger->path),
                     what);
}

static ErrorCode wrong_entry(const Walk *walk, EntryId id, const char *what)
{
    walk->verdict->first_damaged = id;
    return error_set(walk->err, ERR_DAMAGED, "%.*s: damaged: entry %lld: %s",
                     STR_ARG(walk->ledger->path), (long long)id, what);
}

static void trail_add(EntryTrail *trail, EntryId entry)
{
    if (trail->last == entry)
        return;
    trail->last = entry;
    trail->mixed = trail->mixed * 0x9E3779B97F4A7C15ull + (uint64_t)entry;
}

static TotalDelta *total_of(Walk *walk, AccountId account, int32_t month)
{
    uint64_t both = (uint64_t)account << 32 | (uint32_t)month;
    Str key = {.ptr = (const char *)&both, .len = sizeof(both)};
    uint64_t index;
    if (!map_find(&walk->totals, key, &index)) {
        index = walk->sums.count;
        VEC_PUSH(walk->arena, &walk->sums, (TotalDelta){.account = account, .month = month});
        map_put(&walk->totals, str_copy(walk->arena, key), index);
    }
    return &walk->sums.items[index];
}

/* The entry's lines into the sums; a message when they are not what was let in. */
static const char *add_lines(Walk *walk, const LedgerEntry *entry)
{
    __int128 balance = 0;
    for (size_t i = 0; i < entry->line_count; i++) {
        const LedgerLine *line = &entry->lines[i];
        TotalDelta *total = total_of(walk, line->account, entry->month);
        bool overflow = false;
        trail_add(&walk->trails[line->account - 1], entry->id);
        if (line->minor == 0)
            return "a line has no amount";
        if (line->minor > 0) {
            int64_t *debit = &walk->debit[line->account - 1];
            overflow = __builtin_add_overflow(*debit, line->minor, debit);
            total->debit = (int64_t)((uint64_t)total->debit + (uint64_t)line->minor);
        } else {
            int64_t *credit = &walk->credit[line->account - 1];
            overflow = __builtin_sub_overflow(*credit, line->minor, credit);
            total->credit = (int64_t)((uint64_t)total->credit - (uint64_t)line->minor);
        }
        if (overflow)
            return "the totals of an account overflow";
        balance += line->minor;
    }
    return balance == 0 ? NULL : "its lines do not sum to zero";
}

static ErrorCode check_entry(Walk *walk, sqlite3_stmt *row)
{
    LedgerEntry entry;
    EntryId expected = (EntryId)walk->verdict->entries + 1;
    if (sqlite3_column_int64(row, 0) != expected)
        return wrong_entry(walk, expected, "it is missing");
    arena_reset(walk->row);
    ErrorCode code = ledger_read_entry_row(walk->ledger, walk->row, row, &entry, walk->err);
    if (code != ERR_OK) {
        walk->verdict->first_damaged = expected;
        return code;
    }
    EntryHash hash = ledger_hash_entry(walk->ledger, &entry, walk->previous);
    const void *kept = sqlite3_column_blob(row, ENTRY_COLUMN_HASH);
    if (kept == NULL || sqlite3_column_bytes(row, ENTRY_COLUMN_HASH) != HASH_BYTES ||
        memcmp(kept, hash.bytes, HASH_BYTES) != 0)
        return wrong_entry(walk, entry.id, "its hash is another one than that of its content");
    const char *what = add_lines(walk, &entry);
    if (what != NULL)
        return wrong_entry(walk, entry.id, what);
    if (entry.reverses >= entry.id)
        return wrong_entry(walk, entry.id, "it reverses an entry that is not before it");
    if (entry.corrects < 0 || entry.corrects >= entry.id)
        return wrong_entry(walk, entry.id, "it corrects an entry that is not before it");
    if (ledger_period(walk->ledger, entry.month) == PERIOD_NEVER_OPENED)
        return wrong_entry(walk, entry.id, "its period was never opened");
    walk->previous = hash;
    walk->verdict->entries++;
    walk->verdict->lines += entry.line_count;
    return ERR_OK;
}

/* Hands each row of a query to fn. */
static ErrorCode each_row(Walk *walk, const char *sql, ErrorCode (*fn)(Walk *, sqlite3_stmt *))
{
    sqlite3_stmt *row;
    if (sqlite3_prepare_v2(walk->ledger->db, sql, -1, &row, NULL) != SQLITE_OK)
        return ledger_sql_error(walk->ledger, "read", walk->err);
    ErrorCode code = ERR_OK;
    int result = SQLITE_DONE;
    while (code == ERR_OK && (result = sqlite3_step(row)) == SQLITE_ROW)
        code = fn(walk, row);
    if (code == ERR_OK && result != SQLITE_DONE)
        code = ledger_sql_error(walk->ledger, "read", walk->err);
    sqlite3_finalize(row);
    return code;
}

static ErrorCode check_total_row(Walk *walk, sqlite3_stmt *row)
{
    int64_t account = sqlite3_column_int64(row, 0);
    if (account < 1 || account > (int64_t)walk->ledger->accounts.count)
        return wrong(walk, "a total of an account that is not there");
    int64_t month = sqlite3_column_int64(row, 1);
    if (month != (int32_t)month ||
        ledger_period(walk->ledger, (int32_t)month) == PERIOD_NEVER_OPENED)
        return wrong(walk, "a total of a period that was never opened");
    TotalDelta *sum = total_of(walk, (AccountId)account, (int32_t)month);
    bool is_same =
        sum->debit == sqlite3_column_int64(row, 2) && sum->credit == sqlite3_column_int64(row, 3);
    if (!is_same)
        return wrong(walk, "the total of an account in a month is not the sum of its lines");
    *sum = (TotalDelta){.account = sum->account, .month = sum->month}; /* seen */
    return ERR_OK;
}

static ErrorCode check_sums(Walk *walk)
{
    const Ledger *ledger = walk->ledger;
    if ((int64_t)walk->verdict->entries != ledger->entry_count) {
        walk->verdict->first_damaged = (EntryId)walk->verdict->entries + 1;
        return wrong(walk, "entries are missing at the end");
    }
    if ((int64_t)walk->verdict->lines != ledger->line_count ||
        memcmp(walk->previous.bytes, ledger->head.bytes, HASH_BYTES) != 0)
        return wrong(walk, "the head of the chain is not that of the last entry");
    for (size_t i = 0; i < ledger->accounts.count; i++) {
        const AccountState *state = &ledger->accounts.items[i];
        if (walk->debit[i] != state->debit || walk->credit[i] != state->credit)
            return error_set(walk->err, ERR_DAMAGED,
                             "%.*s: damaged: the balance of account %.*s is not the sum of its "
                             "lines",
                             STR_ARG(ledger->path), STR_ARG(state->account.code));
    }
    ErrorCode code =
        each_row(walk, "SELECT account, month, debit, credit FROM total", check_total_row);
    VEC_FOREACH (TotalDelta, sum, &walk->sums) {
        if (code == ERR_OK && (sum->debit != 0 || sum->credit != 0))
            code = wrong(walk, "the total of an account in a month is missing");
    }
    return code;
}

static ErrorCode check_list_row(Walk *walk, sqlite3_stmt *row)
{
    int64_t account = sqlite3_column_int64(row, 0);
    const char *bytes = sqlite3_column_blob(row, 2);
    size_t size = bytes == NULL ? 0 : (size_t)sqlite3_column_bytes(row, 2);
    EntryList list = {.bytes = {.ptr = bytes, .len = size}, .entry = sqlite3_column_int64(row, 1)};
    if (account < 1 || account > (int64_t)walk->ledger->accounts.count)
        return wrong(walk, "a list of entries of an account that is not there");
    EntryId entry;
    while (ledger_list_next(&list, &entry))
        trail_add(&walk->listed[account - 1], entry);
    return list.is_damaged ? wrong(walk, "a list of the entries of an account breaks off") : ERR_OK;
}

static ErrorCode check_lists(Walk *walk)
{
    ErrorCode code =
        each_row(walk, "SELECT account, first, entries FROM account_entry ORDER BY account, first",
                 check_list_row);
    for (size_t i = 0; code == ERR_OK && i < walk->ledger->accounts.count; i++)
        if (walk->trails[i].mixed != walk->listed[i].mixed)
            code = wrong(walk, "the list of the entries of an account is not that of its lines");
    return code;
}

static uint64_t state_of(Str text)
{
    uint64_t state = PERIOD_OPEN;
    while (state < PERIOD_LOCKED &&
           !str_eq(text, str_from_c(period_state_text((PeriodState)state))))
        state++;
    return state;
}

static ErrorCode check_act(Walk *walk, sqlite3_stmt *row)
{
    LedgerAct act = ledger_read_act_row(row);
    EntryHash hash = ledger_hash_act(walk->ledger, &act, walk->previous_act);
    const void *kept = sqlite3_column_blob(row, ACT_COLUMN_HASH);
    bool is_whole = act.id == (ActId)walk->verdict->acts + 1 && kept != NULL &&
                    sqlite3_column_bytes(row, ACT_COLUMN_HASH) == HASH_BYTES &&
                    memcmp(kept, hash.bytes, HASH_BYTES) == 0;
    if (!is_whole)
        return error_set(walk->err, ERR_DAMAGED, "%.*s: damaged: act %llu is not what it was",
                         STR_ARG(walk->ledger->path), (unsigned long long)walk->verdict->acts + 1);
    walk->previous_act = hash;
    walk->verdict->acts++;
    if (str_eq(act.kind, S("period")))
        map_put(&walk->states, str_copy(walk->arena, act.subject), state_of(act.role));
    return ERR_OK;
}

/* The state that a period's last change gave it; one that was never changed is open. */
static ErrorCode check_period_states(Walk *walk)
{
    const Ledger *ledger = walk->ledger;
    for (size_t i = 0; i < ledger->periods.count; i++) {
        const PeriodRow *period = &ledger->periods.items[i];
        char name[24];
        int len =
            snprintf(name, sizeof(name), "%04d-%02d", period->month / 100, period->month % 100);
        uint64_t state = PERIOD_OPEN;
        (void)map_find(&walk->states, (Str){.ptr = name, .len = (size_t)len}, &state);
        if ((uint64_t)period->state != state)
            return error_set(walk->err, ERR_DAMAGED,
                             "%.*s: damaged: period %s is %s, which nobody made it",
                             STR_ARG(ledger->path), name, period_state_text(period->state));
    }
    return ERR_OK;
}

static ErrorCode check_acts(Walk *walk)
{
    const Ledger *ledger = walk->ledger;
    ErrorCode code = each_row(walk, "SELECT " SQL_ACT_COLUMNS " FROM act ORDER BY id", check_act);
    if (code != ERR_OK)
        return code;
    if ((int64_t)walk->verdict->acts != ledger->act_count ||
        memcmp(walk->previous_act.bytes, ledger->act_head.bytes, HASH_BYTES) != 0)
        return wrong(walk, "acts are missing at the end");
    return check_period_states(walk);
}

static ErrorCode walk_all(Walk *walk)
{
    /* The entries first, so that damage is named by the entry it is in. What SQLite would call
       foreign keys is looked at on the way: sources by the join, all else in check_*(). */
    ErrorCode code = each_row(walk,
                              "SELECT " SQL_ENTRY_COLUMNS
                              " FROM entry e JOIN source s ON s.id = e.source ORDER BY e.id",
                              check_entry);
    if (code != ERR_OK && walk->verdict->first_damaged == 0)
        walk->verdict->first_damaged = (EntryId)walk->verdict->entries + 1;
    if (code == ERR_OK)
        code = check_sums(walk);
    if (code == ERR_OK)
        code = check_lists(walk);
    return code == ERR_OK ? check_acts(walk) : code;
}

/* SQLite's own check, of pages and indexes. */
static ErrorCode check_pages(sqlite3 *db, Str path, Error *err)
{
    sqlite3_stmt *row;
    if (sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &row, NULL) != SQLITE_OK)
        return ledger_db_error(db, path, "read", err);
    ErrorCode code = ERR_OK;
    Str text = S("");
    if (sqlite3_step(row) == SQLITE_ROW)
        text = ledger_column_text(row, 0);
    else
        code = ledger_db_error(db, path, "read", err);
    if (code == ERR_OK && !str_eq(text, S("ok")))
        code = error_set(err, ERR_DAMAGED, "%.*s: damaged: %.*s", STR_ARG(path),
                         STR_ARG(str_slice(text, 0, 200)));
    sqlite3_finalize(row);
    return code;
}

/* The same by a connection of its own, so that it can go on beside the walk. */
static ErrorCode check_pages_beside(const Ledger *ledger, Error *err)
{
    sqlite3 *db = NULL;
    ErrorCode code = ledger_connect(ledger, &db, err);
    if (code == ERR_OK)
        code = check_pages(db, ledger->path, err);
    sqlite3_close(db);
    return code;
}

typedef struct {
    Walk *walk;
    ErrorCode walk_code;
    ErrorCode pages_code;
    Error pages_error;
} Parts;

static bool run_part(void *context, UNUSED size_t worker, size_t part)
{
    Parts *parts = context;
    if (part == 0)
        parts->walk_code = walk_all(parts->walk);
    else
        parts->pages_code = check_pages_beside(parts->walk->ledger, &parts->pages_error);
    return true;
}

/* What the walk finds is told first, as it names the entry. Another connection sees neither memory
   nor a batch; then one check comes after the other. */
static ErrorCode walk_and_check_pages(Walk *walk)
{
    const Ledger *ledger = walk->ledger;
    if (ledger_is_in_memory(ledger) || ledger->in_batch) {
        ErrorCode code = walk_all(walk);
        return code == ERR_OK ? check_pages(ledger->db, ledger->path, walk->err) : code;
    }
    Parts parts = {.walk = walk};
    (void)work_run(2, 2, run_part, &parts);
    if (parts.walk_code == ERR_OK && parts.pages_code != ERR_OK && walk->err != NULL)
        *walk->err = parts.pages_error;
    return parts.walk_code == ERR_OK ? parts.pages_code : parts.walk_code;
}

ErrorCode ledger_verify(Ledger *ledger, LedgerVerdict *ret_verdict, Error *err)
{
    LedgerVerdict verdict = {0};
    ErrorCode code = ledger_read_begin(ledger, err);
    if (code != ERR_OK)
        return code;
    CLEANUP(arena_cleanup) Arena *arena = arena_create(0);
    CLEANUP(arena_cleanup) Arena *row = arena_create(0);
    Walk walk = {.ledger = ledger,
                 .arena = arena,
                 .row = row,
                 .verdict = &verdict,
                 .debit = ARENA_ZARRAY(arena, int64_t, ledger->accounts.count),
                 .credit = ARENA_ZARRAY(arena, int64_t, ledger->accounts.count),
                 .trails = ARENA_ZARRAY(arena, EntryTrail, ledger->accounts.count),
                 .listed = ARENA_ZARRAY(arena, EntryTrail, ledger->accounts.count),
                 .err = err};
    map_init(&walk.totals, arena);
    map_init(&walk.states, arena);
    code = walk_and_check_pages(&walk);
    ledger_read_end(ledger);
    if (ret_verdict != NULL)
        *ret_verdict = verdict;
    return code;
}

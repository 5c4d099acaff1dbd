/* Posting and reversing: refusals in their order, then one row with the lines and the hash. */
#include "ledger/ledger_int.h"

static const struct {
    const char *name;
    const char *text;
    ErrorCode error;
} results[] = {
#define POST_RESULT(name, error, text) {#name, text, ERR_##error},
#include "ledger/post_result.def"
#undef POST_RESULT
};

const char *post_result_text(PostResult result)
{
    ASSERT((size_t)result < COUNT_OF(results));
    return results[result].text;
}

const char *post_result_name(PostResult result)
{
    ASSERT((size_t)result < COUNT_OF(results));
    return results[result].name;
}

/* --- refusals --- */

static PostResult check_key(Str key)
{
    if (key.len == 0)
        return POST_KEY_MISSING;
    if (key.len > LEDGER_KEY_BYTES_MAX)
        return POST_KEY_TOO_LONG;
    return POST_POSTED;
}

static bool is_too_long(Str text)
{
    return text.len > LEDGER_TEXT_BYTES_MAX;
}

static bool knows_corrected(const Ledger *ledger, const LedgerEntry *entry)
{
    return entry->corrects >= 0 && entry->corrects <= ledger->entry_count;
}

static PostResult check_texts(const LedgerEntry *entry)
{
    const LedgerSource *source = &entry->source;
    if (is_too_long(entry->memo) || is_too_long(source->contract) || is_too_long(source->version) ||
        is_too_long(source->clause) || is_too_long(source->run))
        return POST_TEXT_TOO_LONG;
    return POST_POSTED;
}

static PostResult check_lines(const Ledger *ledger, const LedgerEntry *entry)
{
    if (entry->line_count < 2)
        return POST_TOO_FEW_LINES;
    if (entry->line_count > LEDGER_LINES_MAX)
        return POST_TOO_MANY_LINES;
    __int128 sum = 0;
    bool has_zero = false;
    for (size_t i = 0; i < entry->line_count; i++) {
        const LedgerLine *line = &entry->lines[i];
        if (line->account == 0 || line->account > ledger->accounts.count)
            return POST_ACCOUNT_UNKNOWN;
        has_zero = has_zero || line->minor == 0;
        sum += line->minor;
    }
    if (has_zero)
        return POST_ZERO_LINE;
    return sum == 0 ? POST_POSTED : POST_UNBALANCED;
}

static PostResult check_period(const Ledger *ledger, const LedgerEntry *entry)
{
    if (entry->day < DAY_FIRST || entry->day > DAY_LAST)
        return POST_DATE_IMPOSSIBLE;
    if (ledger_month_of_day(entry->day) != entry->month)
        return POST_DATE_OUTSIDE_PERIOD;
    switch (ledger_period(ledger, entry->month)) {
    case PERIOD_OPEN:
        return POST_POSTED;
    case PERIOD_CLOSED:
        return POST_PERIOD_CLOSED;
    case PERIOD_LOCKED:
        return POST_PERIOD_LOCKED;
    case PERIOD_NEVER_OPENED:
        break;
    }
    return POST_PERIOD_UNKNOWN;
}

static void undo_lines(Ledger *ledger, const LedgerEntry *entry, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const LedgerLine *line = &entry->lines[i];
        AccountState *state = &ledger->accounts.items[line->account - 1];
        if (line->minor > 0)
            state->debit -= line->minor;
        else
            state->credit += line->minor;
    }
}

/* Adds the lines to the accounts' sums in memory; false, with nothing changed, when one of them
   would not fit. */
static bool apply_lines(Ledger *ledger, const LedgerEntry *entry)
{
    for (size_t i = 0; i < entry->line_count; i++) {
        const LedgerLine *line = &entry->lines[i];
        AccountState *state = &ledger->accounts.items[line->account - 1];
        int64_t sum;
        bool overflow = line->minor > 0 ? __builtin_add_overflow(state->debit, line->minor, &sum)
                                        : __builtin_sub_overflow(state->credit, line->minor, &sum);
        if (overflow) {
            undo_lines(ledger, entry, i);
            return false;
        }
        *(line->minor > 0 ? &state->debit : &state->credit) = sum;
    }
    return true;
}

/* Everything but the key, in the order of post_result.def. Where all is well the lines are in the
   accounts' sums. */
static PostResult check_entry(Ledger *ledger, const LedgerEntry *entry)
{
    PostResult result =
        knows_corrected(ledger, entry) ? check_texts(entry) : POST_CORRECTED_UNKNOWN;
    if (result == POST_POSTED)
        result = check_lines(ledger, entry);
    if (result == POST_POSTED)
        result = check_period(ledger, entry);
    if (result == POST_POSTED && !apply_lines(ledger, entry))
        result = POST_BALANCE_OVERFLOW;
    return result;
}

/* --- keys that are there --- */

static bool is_same_source(const LedgerSource *a, const LedgerSource *b)
{
    return str_eq(a->contract, b->contract) && str_eq(a->version, b->version) &&
           str_eq(a->clause, b->clause) && str_eq(a->run, b->run);
}

static bool is_same_content(const LedgerEntry *a, const LedgerEntry *b)
{
    if (a->day != b->day || a->month != b->month || a->reverses != b->reverses ||
        a->corrects != b->corrects || a->line_count != b->line_count || !str_eq(a->memo, b->memo) ||
        !is_same_source(&a->source, &b->source))
        return false;
    for (size_t i = 0; i < a->line_count; i++)
        if (a->lines[i].account != b->lines[i].account || a->lines[i].minor != b->lines[i].minor)
            return false;
    return true;
}

/* The number that the query gives, 0 when it gives none. */
static ErrorCode find_number(Ledger *ledger, sqlite3_stmt *find, int64_t *ret_number, Error *err)
{
    *ret_number = 0;
    int result = sqlite3_step(find);
    ErrorCode code = ERR_OK;
    if (result == SQLITE_ROW)
        *ret_number = sqlite3_column_int64(find, 0);
    else if (result != SQLITE_DONE)
        code = ledger_sql_error(ledger, "read", err);
    sqlite3_reset(find);
    return code;
}

static ErrorCode find_key(Ledger *ledger, Str key, EntryId *ret_entry, Error *err)
{
    sqlite3_stmt *find;
    ErrorCode code = ledger_sql(ledger, SQL_FIND_KEY, &find, err);
    if (code != ERR_OK)
        return code;
    ledger_bind_text(find, 1, key);
    return find_number(ledger, find, ret_entry, err);
}

ErrorCode ledger_find_key(Ledger *ledger, Str key, EntryId *ret_entry, Error *err)
{
    ErrorCode code = ledger_read_begin(ledger, err);
    if (code != ERR_OK)
        return code;
    code = find_key(ledger, key, ret_entry, err);
    ledger_read_end(ledger);
    return code;
}

/* If the key is there: ALREADY or KEY_REUSED in *posted. */
static ErrorCode look_for_key(Ledger *ledger, const LedgerEntry *entry, Posted *posted, Error *err)
{
    EntryId known;
    ErrorCode code = find_key(ledger, entry->key, &known, err);
    if (code != ERR_OK || known == 0)
        return code;
    LedgerEntry there;
    code = ledger_read_entry(ledger, ledger->scratch, known, &there, err);
    if (code != ERR_OK)
        return code;
    bool is_same = is_same_content(entry, &there);
    *posted =
        (Posted){.result = is_same ? POST_ALREADY : POST_KEY_REUSED, .entry = is_same ? known : 0};
    return ERR_OK;
}

/* --- writing --- */

/* The parts with the length of each before it, so that no two sources have one key. */
static Str source_key(Arena *arena, const LedgerSource *source)
{
    size_t len = source->contract.len + source->version.len + source->clause.len + source->run.len;
    char *text = arena_alloc(arena, len + 4 * sizeof(uint32_t));
    const Str parts[] = {source->contract, source->version, source->clause, source->run};
    size_t at = 0;
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        uint32_t part_len = (uint32_t)parts[i].len;
        memcpy(text + at, &part_len, sizeof(part_len));
        at += sizeof(part_len);
        if (part_len > 0)
            memcpy(text + at, parts[i].ptr, part_len);
        at += part_len;
    }
    return (Str){.ptr = text, .len = at};
}

static void bind_source(sqlite3_stmt *statement, const LedgerSource *source)
{
    ledger_bind_text(statement, 1, source->contract);
    ledger_bind_text(statement, 2, source->version);
    ledger_bind_text(statement, 3, source->clause);
    ledger_bind_text(statement, 4, source->run);
}

static bool find_known_source(Ledger *ledger, const LedgerSource *source, int64_t *ret_id)
{
    ArenaMark mark = arena_mark(ledger->scratch);
    uint64_t id;
    bool is_known = map_find(&ledger->sources, source_key(ledger->scratch, source), &id);
    arena_rewind(ledger->scratch, mark);
    if (is_known)
        *ret_id = (int64_t)id;
    return is_known;
}

/* The number of the source, adding it where it is new. */
static ErrorCode intern_source(Ledger *ledger, const LedgerSource *source, int64_t *ret_id,
                               Error *err)
{
    sqlite3_stmt *find;
    ErrorCode code = ledger_sql(ledger, SQL_FIND_SOURCE, &find, err);
    if (code != ERR_OK)
        return code;
    bind_source(find, source);
    code = find_number(ledger, find, ret_id, err);
    if (code == ERR_OK && *ret_id == 0) {
        sqlite3_stmt *add;
        code = ledger_sql(ledger, SQL_ADD_SOURCE, &add, err);
        if (code != ERR_OK)
            return code;
        bind_source(add, source);
        code = ledger_sql_run(ledger, add, err);
        *ret_id = sqlite3_last_insert_rowid(ledger->db);
    }
    if (code == ERR_OK)
        map_put(&ledger->sources, source_key(ledger->state, source), (uint64_t)*ret_id);
    return code;
}

/* What the entry adds to its accounts in its month, until the batch is flushed. */
static void add_totals(Ledger *ledger, const LedgerEntry *entry)
{
    for (size_t i = 0; i < entry->line_count; i++) {
        const LedgerLine *line = &entry->lines[i];
        AccountState *state = &ledger->accounts.items[line->account - 1];
        if (!state->is_dirty) {
            state->is_dirty = true;
            VEC_PUSH(ledger->batch, &ledger->dirty, line->account);
        }
        ledger_note_entry(ledger, line->account, entry->id);
        uint64_t both = (uint64_t)line->account << 32 | (uint32_t)entry->month;
        Str key = {.ptr = (const char *)&both, .len = sizeof(both)};
        uint64_t index;
        if (!map_find(&ledger->total_by_key, key, &index)) {
            index = ledger->totals.count;
            VEC_PUSH(ledger->batch, &ledger->totals,
                     (TotalDelta){.account = line->account, .month = entry->month});
            map_put(&ledger->total_by_key, str_copy(ledger->batch, key), index);
        }
        TotalDelta *total = &ledger->totals.items[index];
        if (line->minor > 0)
            total->debit += line->minor;
        else
            total->credit -= line->minor;
    }
}

/* Inserts the entry's row; *ret_is_new is false when its key is there. */
static ErrorCode insert_entry(Ledger *ledger, const LedgerEntry *entry, int64_t source,
                              const EntryHash *hash, bool *ret_is_new, Error *err)
{
    sqlite3_stmt *add;
    ErrorCode code = ledger_sql(ledger, SQL_ADD_ENTRY, &add, err);
    if (code != ERR_OK)
        return code;
    sqlite3_bind_int64(add, 1, entry->id);
    ledger_bind_text(add, 2, entry->key);
    sqlite3_bind_int64(add, 3, entry->day);
    sqlite3_bind_int64(add, 4, entry->month);
    ledger_bind_text(add, 5, entry->memo);
    sqlite3_bind_int64(add, 6, source);
    if (entry->reverses == 0)
        sqlite3_bind_null(add, 7);
    else
        sqlite3_bind_int64(add, 7, entry->reverses);
    ArenaMark mark = arena_mark(ledger->scratch);
    ledger_bind_text(add, 8, ledger_format_lines(ledger->scratch, entry->lines, entry->line_count));
    sqlite3_bind_blob(add, 9, hash->bytes, HASH_BYTES, SQLITE_STATIC);
    if (entry->corrects == 0)
        sqlite3_bind_null(add, 10);
    else
        sqlite3_bind_int64(add, 10, entry->corrects);
    code = ledger_sql_run(ledger, add, err);
    arena_rewind(ledger->scratch, mark);
    *ret_is_new = code == ERR_OK && sqlite3_changes(ledger->db) == 1;
    return code;
}

/* Writes the checked entry unless its key is there, which *ret_is_new says. */
static ErrorCode write_entry(Ledger *ledger, LedgerEntry *entry, bool *ret_is_new, Error *err)
{
    int64_t source;
    *ret_is_new = true;
    if (!find_known_source(ledger, &entry->source, &source)) {
        /* A new source must not come with an entry that does not. */
        EntryId known;
        ErrorCode code = find_key(ledger, entry->key, &known, err);
        if (code != ERR_OK)
            return code;
        *ret_is_new = known == 0;
        if (known != 0)
            return ERR_OK;
        code = intern_source(ledger, &entry->source, &source, err);
        if (code != ERR_OK)
            return code;
    }
    entry->id = ledger->entry_count + 1;
    EntryHash hash = ledger_hash_entry(ledger, entry, ledger->head);
    ErrorCode code = insert_entry(ledger, entry, source, &hash, ret_is_new, err);
    if (code != ERR_OK || !*ret_is_new)
        return code;
    add_totals(ledger, entry);
    ledger->entry_count++;
    ledger->line_count += (int64_t)entry->line_count;
    ledger->head = hash;
    /* What waits in memory stays bounded, however large the batch. */
    enum { NOTES_MAX = 1 << 20 };
    return ledger->notes.count < NOTES_MAX ? ERR_OK : ledger_flush(ledger, err);
}

/* Posts within a batch; `early` is a refusal that was found before and comes behind the key. */
static ErrorCode post_in_batch(Ledger *ledger, const LedgerEntry *entry, PostResult early,
                               Posted *posted, Error *err)
{
    LedgerEntry copy = *entry;
    *posted = (Posted){.result = check_key(entry->key)};
    if (posted->result != POST_POSTED)
        return ERR_OK;
    posted->result = early != POST_POSTED ? early : check_entry(ledger, entry);
    if (posted->result != POST_POSTED)
        return look_for_key(ledger, entry, posted, err);
    bool is_new;
    ErrorCode code = write_entry(ledger, &copy, &is_new, err);
    if (code == ERR_OK && is_new) {
        posted->entry = copy.id;
        return ERR_OK;
    }
    undo_lines(ledger, entry, entry->line_count);
    return code == ERR_OK ? look_for_key(ledger, entry, posted, err) : code;
}

static ErrorCode finish(Ledger *ledger, Str key, const Posted *posted, Error *err)
{
    ErrorCode code = results[posted->result].error;
    if (code == ERR_OK)
        return ERR_OK;
    Str shown = str_slice(key, 0, LEDGER_KEY_BYTES_MAX);
    return error_set(err, code, "%.*s: entry \"%.*s\": %s", STR_ARG(ledger->path), STR_ARG(shown),
                     results[posted->result].text);
}

ErrorCode ledger_post(Ledger *ledger, const LedgerEntry *entry, Posted *ret_posted, Error *err)
{
    Posted posted = {0};
    LedgerEntry own = *entry;
    own.reverses = 0;
    bool is_own;
    ErrorCode code = ledger_call_begin(ledger, &is_own, err);
    if (code != ERR_OK)
        return code;
    code = post_in_batch(ledger, &own, POST_POSTED, &posted, err);
    code = ledger_call_end(ledger, is_own, code, err);
    if (code != ERR_OK)
        return code;
    if (ret_posted != NULL)
        *ret_posted = posted;
    return finish(ledger, entry->key, &posted, err);
}

/* --- reversing --- */

/* The mirror image of `original`, in scratch. */
static LedgerEntry mirror(Ledger *ledger, const LedgerEntry *original,
                          const LedgerReversal *reversal)
{
    LedgerLine *lines = ARENA_ARRAY(ledger->scratch, LedgerLine, original->line_count);
    for (size_t i = 0; i < original->line_count; i++) {
        lines[i] = original->lines[i];
        /* INT64_MIN never was posted: its credit would not have fitted. */
        lines[i].minor = -lines[i].minor;
    }
    return (LedgerEntry){.reverses = original->id,
                         .key = reversal->key,
                         .day = reversal->day,
                         .month = reversal->month,
                         .memo = reversal->reason,
                         .source = original->source,
                         .lines = lines,
                         .line_count = original->line_count};
}

/* Whether the entry can be reversed (*ret_early), and the entry itself where it exists. */
static ErrorCode check_original(Ledger *ledger, EntryId id, PostResult *ret_early,
                                LedgerEntry *ret_original, Error *err)
{
    *ret_early = POST_POSTED;
    if (id < 1 || id > ledger->entry_count) {
        *ret_early = POST_ENTRY_UNKNOWN;
        return ERR_OK;
    }
    sqlite3_stmt *find;
    EntryId earlier = 0;
    ErrorCode code = ledger_read_entry(ledger, ledger->scratch, id, ret_original, err);
    if (code == ERR_OK)
        code = ledger_sql(ledger, SQL_FIND_REVERSAL, &find, err);
    if (code != ERR_OK)
        return code;
    sqlite3_bind_int64(find, 1, id);
    code = find_number(ledger, find, &earlier, err);
    if (ret_original->reverses != 0)
        *ret_early = POST_ENTRY_IS_REVERSAL;
    else if (earlier != 0)
        *ret_early = POST_ENTRY_REVERSED;
    return code;
}

static ErrorCode reverse_in_batch(Ledger *ledger, const LedgerReversal *reversal, Posted *posted,
                                  Error *err)
{
    LedgerEntry original = {0};
    PostResult early;
    ErrorCode code = check_original(ledger, reversal->entry, &early, &original, err);
    if (code != ERR_OK)
        return code;
    LedgerEntry entry = mirror(ledger, &original, reversal);
    return post_in_batch(ledger, &entry, early, posted, err);
}

ErrorCode ledger_reverse(Ledger *ledger, const LedgerReversal *reversal, Posted *ret_posted,
                         Error *err)
{
    Posted posted = {0};
    bool is_own;
    ErrorCode code = ledger_call_begin(ledger, &is_own, err);
    if (code != ERR_OK)
        return code;
    code = reverse_in_batch(ledger, reversal, &posted, err);
    code = ledger_call_end(ledger, is_own, code, err);
    if (code != ERR_OK)
        return code;
    if (ret_posted != NULL)
        *ret_posted = posted;
    return finish(ledger, reversal->key, &posted, err);
}

/* Lines as they stand in the file, and the lists of an account's entries. */
#include "ledger/ledger_int.h"

enum {
    LINE_TEXT_MAX = 40,    /* "[4294967295,-9223372036854775808]," */
    LIST_BYTES_MAX = 1800, /* of one row, so that some rows share a page of 4096 */
    VARINT_BYTES_MAX = 10
};

/* --- lines --- */

static char *put_digits(char *end, uint64_t value)
{
    do {
        *--end = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return end;
}

static size_t put_number(char *to, int64_t value)
{
    char text[24];
    char *end = text + sizeof(text);
    char *at = put_digits(end, value < 0 ? -(uint64_t)value : (uint64_t)value);
    if (value < 0)
        *--at = '-';
    size_t len = (size_t)(end - at);
    memcpy(to, at, len);
    return len;
}

Str ledger_format_lines(Arena *arena, const LedgerLine *lines, size_t count)
{
    char *text = arena_alloc(arena, count * LINE_TEXT_MAX + 2);
    size_t at = 0;
    text[at++] = '[';
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            text[at++] = ',';
        text[at++] = '[';
        at += put_number(text + at, lines[i].account);
        text[at++] = ',';
        at += put_number(text + at, lines[i].minor);
        text[at++] = ']';
    }
    text[at++] = ']';
    return (Str){.ptr = text, .len = at};
}

static bool take_char(Str text, size_t *at, char wanted)
{
    if (*at >= text.len || text.ptr[*at] != wanted)
        return false;
    (*at)++;
    return true;
}

static bool take_number(Str text, size_t *at, int64_t *ret_value)
{
    size_t from = *at;
    while (*at < text.len &&
           (text.ptr[*at] == '-' || (text.ptr[*at] >= '0' && text.ptr[*at] <= '9')))
        (*at)++;
    return str_to_int64(str_slice(text, from, *at - from), ret_value);
}

static bool take_line(const Ledger *ledger, Str text, size_t *at, LedgerLine *ret_line)
{
    int64_t account;
    bool ok = take_char(text, at, '[') && take_number(text, at, &account) &&
              take_char(text, at, ',') && take_number(text, at, &ret_line->minor) &&
              take_char(text, at, ']');
    if (!ok || account < 1 || account > (int64_t)ledger->accounts.count)
        return false;
    ret_line->account = (AccountId)account;
    return true;
}

bool ledger_parse_lines(const Ledger *ledger, Arena *arena, Str text, LedgerEntry *entry)
{
    size_t most = text.len / 6 + 1; /* "[1,2]," */
    LedgerLine *lines = ARENA_ARRAY(arena, LedgerLine, most);
    size_t at = 0;
    size_t count = 0;
    if (!take_char(text, &at, '['))
        return false;
    do {
        if (count == most || !take_line(ledger, text, &at, &lines[count]))
            return false;
        count++;
    } while (take_char(text, &at, ','));
    entry->lines = lines;
    entry->line_count = count;
    return take_char(text, &at, ']') && at == text.len && count >= 2;
}

/* --- the entries of an account --- */

void ledger_note_entry(Ledger *ledger, AccountId account, EntryId entry)
{
    AccountState *state = &ledger->accounts.items[account - 1];
    if (state->last_note != 0 && ledger->notes.items[state->last_note - 1].entry == entry)
        return; /* another line of the same entry */
    VEC_PUSH(ledger->batch, &ledger->notes,
             (EntryNote){.entry = entry, .previous = state->last_note});
    ASSERT(ledger->notes.count < UINT32_MAX);
    state->last_note = (uint32_t)ledger->notes.count;
    state->note_count++;
}

static size_t put_varint(char *to, uint64_t value)
{
    size_t len = 0;
    for (; value >= 0x80; value >>= 7)
        to[len++] = (char)(0x80 | (value & 0x7F));
    to[len++] = (char)value;
    return len;
}

/* Rows of account_entry from entries in ascending order. */
static ErrorCode write_lists(Ledger *ledger, AccountId account, const EntryId *entries,
                             size_t count, Error *err)
{
    char bytes[LIST_BYTES_MAX + VARINT_BYTES_MAX];
    sqlite3_stmt *add;
    ErrorCode code = ledger_sql(ledger, SQL_ADD_ACCOUNT_ENTRY, &add, err);
    size_t i = 0;
    while (code == ERR_OK && i < count) {
        EntryId first = entries[i++];
        size_t len = 0;
        for (; i < count && len < LIST_BYTES_MAX; i++)
            len += put_varint(bytes + len, (uint64_t)(entries[i] - entries[i - 1]));
        sqlite3_bind_int64(add, 1, account);
        sqlite3_bind_int64(add, 2, first);
        sqlite3_bind_blob(add, 3, bytes, (int)len, SQLITE_STATIC);
        code = ledger_sql_run(ledger, add, err);
    }
    return code;
}

ErrorCode ledger_flush_notes(Ledger *ledger, AccountState *state, Error *err)
{
    ArenaMark mark = arena_mark(ledger->batch);
    size_t count = state->note_count;
    EntryId *entries = ARENA_ARRAY(ledger->batch, EntryId, count);
    uint32_t note = state->last_note;
    for (size_t i = count; i > 0; i--) {
        entries[i - 1] = ledger->notes.items[note - 1].entry;
        note = ledger->notes.items[note - 1].previous;
    }
    ErrorCode code = write_lists(ledger, state->account.id, entries, count, err);
    arena_rewind(ledger->batch, mark);
    state->last_note = 0;
    state->note_count = 0;
    return code;
}

bool ledger_list_next(EntryList *list, EntryId *ret_entry)
{
    if (!list->is_started) {
        list->is_started = true;
        *ret_entry = list->entry;
        return true;
    }
    if (list->at >= list->bytes.len)
        return false;
    uint64_t step = 0;
    for (unsigned shift = 0; shift < 63; shift += 7) {
        if (list->at >= list->bytes.len)
            break;
        unsigned char byte = (unsigned char)list->bytes.ptr[list->at++];
        step |= (uint64_t)(byte & 0x7F) << shift;
        if (byte >= 0x80)
            continue;
        if (step == 0 || __builtin_add_overflow(list->entry, (int64_t)step, &list->entry))
            break;
        *ret_entry = list->entry;
        return true;
    }
    list->is_damaged = true;
    return false;
}

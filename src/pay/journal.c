/* The journal as CSV, for a general ledger. */
#include "pay/pay_int.h"

/* RFC 4180. A text that a spreadsheet would take for a formula gets a ' in front. */
static void put_cell(StrBuf *out, Str text)
{
    bool is_formula = text.len > 0 && str_find_char(S("=+-@"), text.ptr[0]) != SIZE_MAX;
    strbuf_add_c(out, is_formula ? "\"'" : "\"");
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"')
            strbuf_add_char(out, '"');
        strbuf_add_char(out, text.ptr[i]);
    }
    strbuf_add_char(out, '"');
}

typedef struct {
    Ledger *ledger;
    Arena *arena;
    StrBuf *out;
} Writer;

static void put_line(const Writer *writer, const LedgerEntry *entry, size_t number)
{
    StrBuf *out = writer->out;
    const LedgerLine *line = &entry->lines[number];
    Account account = ledger_account(writer->ledger, line->account);
    Currency currency = ledger_currency(writer->ledger);
    Str amount =
        money_format(writer->arena, line->minor < 0 ? -line->minor : line->minor, currency, false);
    strbuf_printf(out, "%lld,%zu,%.*s,%.*s,", (long long)entry->id, number + 1,
                  STR_ARG(day_format(writer->arena, entry->day)),
                  STR_ARG(pay_month_text(writer->arena, entry->month)));
    put_cell(out, account.code);
    strbuf_add_char(out, ',');
    put_cell(out, account.name);
    strbuf_printf(out, ",%s,", account_type_text(account.type));
    if (line->minor > 0)
        strbuf_add(out, amount);
    strbuf_add_char(out, ',');
    if (line->minor < 0)
        strbuf_add(out, amount);
    strbuf_printf(out, ",%s,", currency.code);
    const Str texts[] = {entry->memo,           entry->key,           entry->source.contract,
                         entry->source.version, entry->source.clause, entry->source.run};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        put_cell(out, texts[i]);
        strbuf_add_char(out, ',');
    }
    if (entry->reverses != 0)
        strbuf_printf(out, "%lld", (long long)entry->reverses);
    strbuf_add_char(out, ',');
    if (entry->corrects != 0)
        strbuf_printf(out, "%lld", (long long)entry->corrects);
    strbuf_add_c(out, "\r\n");
}

ErrorCode pay_write_journal(Ledger *ledger, int32_t through_month, StrBuf *out, Error *err)
{
    CLEANUP(arena_cleanup) Arena *arena = arena_create(0);
    Writer writer = {.ledger = ledger, .arena = arena, .out = out};
    LedgerCursor *cursor = NULL;
    LedgerEntry entry;
    ErrorCode code = ledger_entries(ledger, (LedgerSource){0}, &cursor, err);
    if (code != ERR_OK)
        return code;
    strbuf_add_c(out, "entry,line,date,period,account,name,type,debit,credit,currency,memo,key,"
                      "contract,version,clause,run,reverses,corrects\r\n");
    while (ledger_next_entry(cursor, &entry)) {
        if (through_month != 0 && entry.month > through_month)
            continue;
        for (size_t i = 0; i < entry.line_count; i++)
            put_line(&writer, &entry, i);
        arena_reset(arena);
    }
    code = ledger_cursor_finish(cursor, err);
    if (code == ERR_OK && out->overflowed)
        code = error_set(err, ERR_LIMIT, "the journal is too long for one text");
    return code;
}

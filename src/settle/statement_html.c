/* A statement as a page and as a table. */
#include "base/json.h"
#include "base/xml.h"
#include "settle/settle_int.h"

static const char style[] =
    "body{font:15px/1.5 sans-serif;max-width:64em;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;width:100%;margin:.5em 0 1.5em}"
    "th,td{text-align:left;padding:.25em .6em;border-bottom:1px solid #ddd;vertical-align:top}"
    ".n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}"
    "pre{white-space:pre-wrap;background:#f6f6f6;padding:.8em}h2{margin-top:2em}"
    "@media print{details{display:none}}";

typedef struct {
    StatementLines lines;
    StrBuf *out;
} Page;

static void put(Page *page, const char *markup)
{
    strbuf_add_c(page->out, markup);
}

static void put_text(Page *page, Str text)
{
    xml_escape(page->out, text);
}

static void put_amount(Page *page, int64_t minor)
{
    put(page, "<td class=\"n\">");
    put_text(page, money_format_grouped(page->lines.arena, minor, page->lines.contract->currency));
    put(page, "</td>");
}

static void put_cell(Page *page, Str text)
{
    put(page, "<td>");
    put_text(page, text);
    put(page, "</td>");
}

static size_t clause_number(const Page *page, const Clause *clause)
{
    return (size_t)(clause - page->lines.contract->clauses);
}

static void put_head(Page *page)
{
    const StatementLines *lines = &page->lines;
    Str name = lines->line_count == 0 ? lines->statement->practice : lines->lines[0].practice_name;
    put(page,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Statement of ");
    put_text(page, name);
    put(page, "</title><style>");
    put(page, style);
    put(page, "</style></head><body>\n<h1>Statement of ");
    put_text(page, name);
    put(page, "</h1>\n<p>");
    put_text(page, lines->statement->practice);
    put(page, ", ");
    put_text(page, lines->contract->title);
    strbuf_printf(page->out, ", version %d. Amounts in %s.</p>\n", lines->contract->version,
                  lines->contract->currency.code);
}

/* Periods down, clauses across. */
static void put_summary(Page *page, const Str *periods, size_t period_count)
{
    const StatementLines *lines = &page->lines;
    const Contract *contract = lines->contract;
    put(page, "<table><tr><th>period</th>");
    for (size_t i = 0; i < contract->clause_count; i++) {
        strbuf_printf(page->out, "<th class=\"n\"><a href=\"#clause-%zu\">", i);
        put_text(page, contract->clauses[i].title);
        put(page, "</a></th>");
    }
    put(page, "<th class=\"n\">total</th></tr>\n");
    for (size_t k = 0; k <= period_count; k++) {
        Str period = k == period_count ? S("") : periods[k];
        put(page, "<tr><td>");
        if (k < period_count)
            strbuf_printf(page->out, "<a href=\"#period-%zu\">", k);
        put_text(page, k == period_count ? S("all") : period);
        put(page, k < period_count ? "</a></td>" : "</td>");
        for (size_t i = 0; i < contract->clause_count; i++)
            put_amount(page, settle_statement_total(lines, &contract->clauses[i], period));
        put_amount(page, settle_statement_total(lines, NULL, period));
        put(page, "</tr>\n");
    }
    put(page, "</table>\n");
}

static void put_changes(Page *page, Str period)
{
    StatementChanges changes;
    settle_statement_changes(&page->lines, period, &changes);
    if (changes.before.len == 0)
        return;
    int64_t now = settle_statement_total(&page->lines, NULL, period);
    int64_t before = settle_statement_total(&page->lines, NULL, changes.before);
    put(page, "<p>Against ");
    put_text(page, changes.before);
    put(page, ": ");
    put_text(page,
             money_format_grouped(page->lines.arena, now - before, page->lines.contract->currency));
    put(page,
        changes.rows.count == 0 ? ", as nothing changed.</p>\n" : ", because of</p>\n<table>");
    for (size_t i = 0; i < changes.rows.count; i++) {
        const StatementChange *change = &changes.rows.items[i];
        put(page, "<tr>");
        put_cell(page, change->line->clause->title);
        put_cell(page, change->text);
        put_amount(page, change->minor);
        put(page, "</tr>\n");
    }
    if (changes.rows.count > 0)
        put(page, "</table>\n");
}

static void put_period(Page *page, Str period, size_t number)
{
    const StatementLines *lines = &page->lines;
    strbuf_printf(page->out, "<h2 id=\"period-%zu\">", number);
    put_text(page, period);
    put(page, "</h2>\n<table><tr><th>clause</th><th>how it comes about</th><th>persons</th>"
              "<th class=\"n\">amount</th></tr>\n");
    for (size_t i = 0; i < lines->line_count; i++) {
        const SettleLine *line = &lines->lines[i];
        if (!str_eq(line->period, period))
            continue;
        strbuf_printf(page->out, "<tr><td><a href=\"#clause-%zu\">",
                      clause_number(page, line->clause));
        put_text(page, line->clause->title);
        put(page, "</a></td>");
        put_cell(page, line->reason);
        strbuf_printf(page->out,
                      "<td><a href=\"#persons-%zu\">persons</a>, "
                      "<a href=\"../details/%.*s.ndjson\">file</a></td>",
                      clause_number(page, line->clause), STR_ARG(line->detail));
        put_amount(page, line->amount_minor);
        put(page, "</tr>\n");
    }
    put(page, "<tr><td colspan=\"3\">total</td>");
    put_amount(page, settle_statement_total(lines, NULL, period));
    put(page, "</tr></table>\n");
    put_changes(page, period);
}

/* The members of a fact that are no column of their own: "age 43, encounters 7, …". */
static void put_fact(Page *page, const JsonValue *fact)
{
    static const Str columns[] = {STR_INIT("person"), STR_INIT("from"), STR_INIT("to"),
                                  STR_INIT("cell")};
    bool is_first = true;
    for (size_t i = 0; i < fact->count; i++) {
        const JsonValue *member = &fact->items[i];
        bool is_column = false;
        for (size_t k = 0; k < COUNT_OF(columns); k++)
            is_column = is_column || str_eq(member->key, columns[k]);
        if (is_column || member->kind == JSON_ARRAY || member->kind == JSON_OBJECT)
            continue;
        if (!is_first)
            put(page, ", ");
        put_text(page, member->key);
        put(page, " ");
        put_text(page, member->text);
        is_first = false;
    }
}

static ErrorCode put_persons_of(Page *page, const SettleLine *line, Error *err)
{
    Arena *arena = page->lines.arena;
    SettleFactVec facts;
    ErrorCode code = settle_clause_facts(arena, page->lines.statement->out, line, &facts, err);
    if (code != ERR_OK)
        return code;
    put(page, "<table><tr><th>person</th><th>from</th><th>to</th><th>facts</th></tr>\n");
    for (size_t i = 0; i < facts.count; i++) {
        JsonValue *fact;
        code = json_parse(arena, facts.items[i].json, &fact, err);
        if (code != ERR_OK)
            return code;
        put(page, "<tr>");
        put_cell(page, json_find_text(fact, S("person")));
        put_cell(page, facts.items[i].first_period);
        put_cell(page, facts.items[i].last_period);
        put(page, "<td>");
        put_fact(page, fact);
        put(page, "</td></tr>\n");
    }
    put(page, "</table>\n");
    return ERR_OK;
}

/* The clauses in words, and the persons behind them. */
static ErrorCode put_clauses(Page *page, Error *err)
{
    const StatementLines *lines = &page->lines;
    const Contract *contract = lines->contract;
    bool shows_persons = lines->statement->out.len > 0 &&
                         lines->statement->result->persons_paid <= SETTLE_PERSONS_SHOWN;
    ErrorCode code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < contract->clause_count; i++) {
        StrBuf text;
        strbuf_init(&text, lines->arena, 0);
        contract_explain_clause(contract, i, &text);
        strbuf_printf(page->out, "<h2 id=\"clause-%zu\">", i);
        put_text(page, contract->clauses[i].title);
        put(page, "</h2>\n<pre>");
        put_text(page, str_trim(strbuf_str(&text)));
        strbuf_printf(page->out, "</pre>\n<h3 id=\"persons-%zu\">Persons</h3>\n", i);
        if (!shows_persons)
            put(page, "<p>They stand in the files that the lines name.</p>\n");
        Str last = S("");
        for (size_t k = 0; code == ERR_OK && shows_persons && k < lines->line_count; k++) {
            const SettleLine *line = &lines->lines[k];
            if (line->clause != &contract->clauses[i] || str_eq(line->detail, last))
                continue;
            code = put_persons_of(page, line, err);
            last = line->detail;
        }
    }
    return code;
}

ErrorCode settle_statement_html(const SettleStatement *statement, StrBuf *out, Error *err)
{
    CLEANUP(arena_cleanup) Arena *arena = arena_create(0);
    Page page = {.lines = settle_statement_lines(statement, arena), .out = out};
    const Str *periods;
    size_t count = settle_statement_periods(&page.lines, &periods);
    put_head(&page);
    put_summary(&page, periods, count);
    for (size_t i = 0; i < count; i++)
        put_period(&page, periods[i], i);
    ErrorCode code = put_clauses(&page, err);
    put(&page, "</body></html>\n");
    return code;
}

/* --- CSV --- */

/* RFC 4180; a text that a spreadsheet would take for a formula gets a ' in front. */
static void put_field(StrBuf *out, Str text)
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

ErrorCode settle_statement_csv(const SettleStatement *statement, StrBuf *out, UNUSED Error *err)
{
    CLEANUP(arena_cleanup) Arena *arena = arena_create(0);
    StatementLines lines = settle_statement_lines(statement, arena);
    strbuf_add_c(out, "practice,name,period,clause,indicator,cell,quantity,amount,currency,reason,"
                      "detail\r\n");
    for (size_t i = 0; i < lines.line_count; i++) {
        const SettleLine *line = &lines.lines[i];
        const Str texts[] = {line->practice,   line->practice_name, line->period,
                             line->clause->id, line->indicator,     line->cell_label};
        for (size_t k = 0; k < COUNT_OF(texts); k++) {
            put_field(out, texts[k]);
            strbuf_add_char(out, ',');
        }
        strbuf_printf(
            out, "%lld,%.*s,%s,", (long long)line->quantity,
            STR_ARG(money_format(arena, line->amount_minor, lines.contract->currency, false)),
            lines.contract->currency.code);
        put_field(out, line->reason);
        strbuf_printf(out, ",%.*s\r\n", STR_ARG(line->detail));
    }
    return ERR_OK;
}

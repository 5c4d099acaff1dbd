/* What one practice is paid, as JSON and as plain text. */
#include "base/json.h"
#include "settle/settle_int.h"

typedef StatementLines Lines;

/* Lines are in order of practice ids. */
StatementLines settle_statement_lines(const SettleStatement *statement, Arena *arena)
{
    const SettleResult *result = statement->result;
    Lines lines = {.statement = statement, .contract = result->contract, .arena = arena};
    size_t low = 0;
    size_t high = result->line_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (str_cmp(result->lines[middle].practice, statement->practice) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    lines.lines = result->lines + low;
    while (low + lines.line_count < result->line_count &&
           str_eq(lines.lines[lines.line_count].practice, statement->practice))
        lines.line_count++;
    return lines;
}

int64_t settle_statement_total(const Lines *lines, const Clause *clause, Str period)
{
    int64_t total = 0;
    for (size_t i = 0; i < lines->line_count; i++) {
        const SettleLine *line = &lines->lines[i];
        bool is_wanted = (clause == NULL || line->clause == clause) &&
                         (period.len == 0 || str_eq(line->period, period));
        if (is_wanted)
            total += line->amount_minor; /* the run's total is in range, and so is a part of it */
    }
    return total;
}

static Str money_text(const Lines *lines, int64_t minor)
{
    return money_format(lines->arena, minor, lines->contract->currency, false);
}

static Str practice_name(const Lines *lines)
{
    return lines->line_count == 0 ? lines->statement->practice : lines->lines[0].practice_name;
}

/* Accounts that the practice has a part in: its own and those of the contract's clauses. */
static size_t accounts_of(const Lines *lines, AccountId **ret_ids)
{
    const Ledger *ledger = lines->statement->ledger;
    size_t count = 0;
    AccountId *ids = ARENA_ARRAY(lines->arena, AccountId, lines->contract->clause_count + 1);
    *ret_ids = ids;
    if (ledger == NULL)
        return 0;
    AccountId id = ledger_find_account(
        ledger, str_format(lines->arena, "payable:%.*s", STR_ARG(lines->statement->practice)));
    if (id != 0)
        ids[count++] = id;
    for (size_t i = 0; i < lines->contract->clause_count; i++) {
        id = ledger_find_account(ledger, str_format(lines->arena, "expense:%.*s:%.*s",
                                                    STR_ARG(lines->contract->id),
                                                    STR_ARG(lines->contract->clauses[i].id)));
        if (id != 0)
            ids[count++] = id;
    }
    return count;
}

/* Numbers of the lines that are the first of their period, in the order of periods. */
size_t settle_statement_periods(const Lines *lines, const Str **ret_periods)
{
    Str *periods = ARENA_ARRAY(lines->arena, Str, lines->line_count + 1);
    size_t count = 0;
    for (size_t i = 0; i < lines->line_count; i++) {
        bool is_known = false;
        for (size_t k = 0; k < count && !is_known; k++)
            is_known = str_eq(periods[k], lines->lines[i].period);
        if (!is_known)
            periods[count++] = lines->lines[i].period;
    }
    *ret_periods = periods;
    return count;
}

/* --- why it is not as the month before --- */

/* The line of the period for the same clause, indicator and cell; NULL when there is none. */
static const SettleLine *same_line(const Lines *lines, const SettleLine *line, Str period)
{
    for (size_t i = 0; i < lines->line_count; i++) {
        const SettleLine *other = &lines->lines[i];
        if (other->clause == line->clause && other->cell == line->cell &&
            str_eq(other->period, period) && str_eq(other->indicator, line->indicator))
            return other;
    }
    return NULL;
}

static void add_change(const Lines *lines, const SettleLine *now, const SettleLine *before,
                       StatementChanges *changes)
{
    const SettleLine *line = now != NULL ? now : before;
    int64_t minor =
        (now == NULL ? 0 : now->amount_minor) - (before == NULL ? 0 : before->amount_minor);
    int64_t quantity = (now == NULL ? 0 : now->quantity) - (before == NULL ? 0 : before->quantity);
    if (minor == 0 && quantity == 0)
        return;
    Str what = line->indicator.len > 0
                   ? str_format(lines->arena, "%.*s, %.*s", STR_ARG(line->indicator),
                                STR_ARG(line->cell_label))
                   : line->cell_label;
    StatementChange change = {.line = line,
                              .minor = minor,
                              .text = str_format(lines->arena, "%lld %s (%.*s)",
                                                 (long long)(quantity < 0 ? -quantity : quantity),
                                                 quantity < 0 ? "fewer" : "more", STR_ARG(what))};
    VEC_PUSH(lines->arena, &changes->rows, change);
}

void settle_statement_changes(const StatementLines *lines, Str period,
                              StatementChanges *ret_changes)
{
    StatementChanges changes = {.before = S("")};
    if (str_find(period, S("..")) == SIZE_MAX) {
        for (size_t i = 0; i < lines->line_count; i++) {
            Str other = lines->lines[i].period;
            bool is_month = str_find(other, S("..")) == SIZE_MAX;
            if (is_month && str_cmp(other, period) < 0 && str_cmp(other, changes.before) > 0)
                changes.before = other;
        }
    }
    for (size_t i = 0; changes.before.len > 0 && i < lines->line_count; i++) {
        const SettleLine *line = &lines->lines[i];
        if (str_eq(line->period, period))
            add_change(lines, line, same_line(lines, line, changes.before), &changes);
        else if (str_eq(line->period, changes.before) && same_line(lines, line, period) == NULL)
            add_change(lines, NULL, line, &changes);
    }
    *ret_changes = changes;
}

/* --- JSON --- */

static void add_amount(JsonWriter *json, const Lines *lines, Str key, int64_t minor)
{
    json_key(json, key);
    json_raw(json, money_text(lines, minor));
}

static void add_lines(JsonWriter *json, const Lines *lines)
{
    json_key(json, S("lines"));
    json_array_begin(json);
    for (size_t i = 0; i < lines->line_count; i++) {
        const SettleLine *line = &lines->lines[i];
        json_object_begin(json);
        json_member_str(json, S("clause"), line->clause->id);
        json_member_str(json, S("period"), line->period);
        if (line->indicator.len > 0)
            json_member_str(json, S("indicator"), line->indicator);
        json_member_str(json, S("cell"), line->cell_label);
        json_member_int(json, S("quantity"), line->quantity);
        add_amount(json, lines, S("amount"), line->amount_minor);
        json_member_str(json, S("reason"), line->reason);
        json_member_str(json, S("detail"), line->detail);
        json_object_end(json);
    }
    json_array_end(json);
}

static void add_totals(JsonWriter *json, const Lines *lines)
{
    const Str *periods;
    size_t period_count = settle_statement_periods(lines, &periods);
    json_key(json, S("byClause"));
    json_array_begin(json);
    for (size_t i = 0; i < lines->contract->clause_count; i++) {
        const Clause *clause = &lines->contract->clauses[i];
        json_object_begin(json);
        json_member_str(json, S("clause"), clause->id);
        json_member_str(json, S("title"), clause->title);
        add_amount(json, lines, S("amount"), settle_statement_total(lines, clause, S("")));
        json_object_end(json);
    }
    json_array_end(json);
    json_key(json, S("byPeriod"));
    json_array_begin(json);
    for (size_t i = 0; i < period_count; i++) {
        json_object_begin(json);
        json_member_str(json, S("period"), periods[i]);
        add_amount(json, lines, S("amount"), settle_statement_total(lines, NULL, periods[i]));
        json_object_end(json);
    }
    json_array_end(json);
}

static void add_balances(JsonWriter *json, const Lines *lines)
{
    AccountId *ids;
    size_t count = accounts_of(lines, &ids);
    if (lines->statement->ledger == NULL)
        return;
    json_key(json, S("trialBalance"));
    json_array_begin(json);
    for (size_t i = 0; i < count; i++) {
        Account account = ledger_account(lines->statement->ledger, ids[i]);
        json_object_begin(json);
        json_member_str(json, S("account"), account.code);
        add_amount(json, lines, S("balance"), account.balance);
        json_object_end(json);
    }
    json_array_end(json);
}

void settle_statement_json(const SettleStatement *statement, StrBuf *out)
{
    Arena *arena = arena_create(0);
    Lines lines = settle_statement_lines(statement, arena);
    JsonWriter json;
    json_writer_init(&json, out, true);
    json_object_begin(&json);
    json_member_str(&json, S("practice"), statement->practice);
    json_member_str(&json, S("name"), practice_name(&lines));
    json_member_str(&json, S("contract"), lines.contract->id);
    json_member_int(&json, S("version"), lines.contract->version);
    json_member_str(&json, S("title"), lines.contract->title);
    json_member_str(&json, S("currency"), str_from_c(lines.contract->currency.code));
    add_amount(&json, &lines, S("total"), settle_statement_total(&lines, NULL, S("")));
    add_totals(&json, &lines);
    add_lines(&json, &lines);
    add_balances(&json, &lines);
    json_object_end(&json);
    strbuf_add_char(out, '\n');
    arena_destroy(arena);
}

/* --- text --- */

enum { AMOUNT_WIDTH = 14 };

static void text_amount(StrBuf *out, const Lines *lines, int64_t minor)
{
    Str text = money_format_grouped(lines->arena, minor, lines->contract->currency);
    int pad = text.len < AMOUNT_WIDTH ? AMOUNT_WIDTH - (int)text.len : 0;
    strbuf_printf(out, "%*s%.*s", pad, "", STR_ARG(text));
}

static void text_lines(StrBuf *out, const Lines *lines)
{
    for (size_t i = 0; i < lines->line_count; i++) {
        const SettleLine *line = &lines->lines[i];
        text_amount(out, lines, line->amount_minor);
        strbuf_printf(out, "  %.*s  %.*s: %.*s\n", STR_ARG(line->period), STR_ARG(line->clause->id),
                      STR_ARG(line->reason));
    }
}

static void text_changes(StrBuf *out, const Lines *lines, Str period)
{
    StatementChanges changes;
    settle_statement_changes(lines, period, &changes);
    for (size_t i = 0; i < changes.rows.count; i++) {
        const StatementChange *change = &changes.rows.items[i];
        text_amount(out, lines, change->minor);
        strbuf_printf(out, "  %.*s against %.*s, %.*s: %.*s\n", STR_ARG(period),
                      STR_ARG(changes.before), STR_ARG(change->line->clause->id),
                      STR_ARG(change->text));
    }
}

void settle_statement_text(const SettleStatement *statement, StrBuf *out)
{
    Arena *arena = arena_create(0);
    Lines lines = settle_statement_lines(statement, arena);
    const Str *periods;
    size_t period_count = settle_statement_periods(&lines, &periods);
    Str name = practice_name(&lines);
    AccountId *ids;
    size_t account_count = accounts_of(&lines, &ids);
    strbuf_printf(out, "Statement of %.*s (%.*s)\n%.*s, version %d, amounts in %s\n\n",
                  STR_ARG(name), STR_ARG(statement->practice), STR_ARG(lines.contract->title),
                  lines.contract->version, lines.contract->currency.code);
    text_lines(out, &lines);
    strbuf_add_c(out, "\nBy clause\n");
    for (size_t i = 0; i < lines.contract->clause_count; i++) {
        const Clause *clause = &lines.contract->clauses[i];
        text_amount(out, &lines, settle_statement_total(&lines, clause, S("")));
        strbuf_printf(out, "  %.*s\n", STR_ARG(clause->title));
    }
    strbuf_add_c(out, "\nBy period\n");
    for (size_t i = 0; i < period_count; i++) {
        text_amount(out, &lines, settle_statement_total(&lines, NULL, periods[i]));
        strbuf_printf(out, "  %.*s\n", STR_ARG(periods[i]));
    }
    strbuf_add_c(out, "\nWhy a month is not as the one before\n");
    for (size_t i = 0; i < period_count; i++)
        text_changes(out, &lines, periods[i]);
    strbuf_add_c(out, "\nTotal\n");
    text_amount(out, &lines, settle_statement_total(&lines, NULL, S("")));
    strbuf_add_c(out, account_count == 0 ? "\n" : "\n\nBalances in the ledger (debit positive)\n");
    for (size_t i = 0; i < account_count; i++) {
        Account account = ledger_account(statement->ledger, ids[i]);
        text_amount(out, &lines, account.balance);
        strbuf_printf(out, "  %.*s\n", STR_ARG(account.code));
    }
    arena_destroy(arena);
}

/* --- files --- */

/* A practice's id as the name of a file: what is no letter, digit, '-' or '.' becomes '_'. */
static Str file_name(Arena *arena, Str practice, const char *suffix)
{
    Str name = str_format(arena, "%.*s%s", STR_ARG(practice), suffix);
    char *bytes = arena_copy(arena, name.ptr, name.len);
    for (size_t i = 0; i < name.len; i++) {
        char c = bytes[i];
        bool is_kept = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.';
        bytes[i] = is_kept ? c : '_';
    }
    return (Str){.ptr = bytes, .len = name.len};
}

static ErrorCode write_statement(Arena *arena, const SettleStatement *statement, Str folder,
                                 Error *err)
{
    StrBuf text;
    strbuf_init(&text, arena, 0);
    settle_statement_json(statement, &text);
    Str name = file_name(arena, statement->practice, ".json");
    ErrorCode code = io_write_file(io_join(arena, folder, name), strbuf_str(&text), err);
    if (code != ERR_OK)
        return code;
    strbuf_clear(&text);
    settle_statement_text(statement, &text);
    name = file_name(arena, statement->practice, ".txt");
    return io_write_file(io_join(arena, folder, name), strbuf_str(&text), err);
}

/* As HTML, CSV, PDF and FHIR MeasureReport. */
static ErrorCode write_forms(Arena *arena, const SettleStatement *statement, Str folder, Error *err)
{
    static const struct {
        const char *suffix;
        ErrorCode (*write)(const SettleStatement *, StrBuf *, Error *);
    } forms[] = {{".html", settle_statement_html},
                 {".csv", settle_statement_csv},
                 {".pdf", settle_statement_pdf},
                 {".fhir.json", settle_statement_fhir}};
    ErrorCode code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < COUNT_OF(forms); i++) {
        StrBuf text;
        strbuf_init(&text, arena, 0);
        Str name = file_name(arena, statement->practice, forms[i].suffix);
        code = forms[i].write(statement, &text, err);
        if (code == ERR_OK && text.overflowed)
            code = error_set(err, ERR_LIMIT, "statement %.*s: too long", STR_ARG(name));
        if (code == ERR_OK)
            code = io_write_file(io_join(arena, folder, name), strbuf_str(&text), err);
    }
    return code;
}

ErrorCode settle_write_statements(Arena *arena, const SettleResult *result, const Ledger *ledger,
                                  const SettleOptions *options, Error *err)
{
    const Str *practices;
    Str below = io_join(arena, settle_folder(arena, options->out), S("statements"));
    ErrorCode code = io_remove_tree(below, err);
    if (code == ERR_OK)
        code = io_make_dirs(below, err);
    size_t count = settle_practices(result, arena, &practices);
    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        SettleStatement statement = {
            .result = result, .practice = practices[i], .ledger = ledger, .out = options->out};
        ArenaMark mark = arena_mark(arena);
        code = write_statement(arena, &statement, below, err);
        if (code == ERR_OK && options->writes_forms)
            code = write_forms(arena, &statement, below, err);
        arena_rewind(arena, mark);
    }
    return code;
}

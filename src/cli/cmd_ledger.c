/* braid ledger: whether the books are whole, and what they say. */
#include "base/date.h"
#include "cli/cli_int.h"
#include "ledger/ledger.h"

static ErrorCode open_ledger(Cli *cli, Ledger **ret_ledger)
{
    LedgerOptions options = {.path = cli->arguments.items[0], .mode = LEDGER_READ};
    return ledger_open(&options, ret_ledger, &cli->err);
}

ExitCode cmd_ledger_verify(Cli *cli)
{
    CLEANUP(ledger_close_cleanup) Ledger *ledger = NULL;
    LedgerVerdict verdict = {0};
    ErrorCode code = open_ledger(cli, &ledger);
    if (code == ERR_OK)
        code = ledger_verify(ledger, &verdict, &cli->err);
    if (code != ERR_OK && (code != ERR_DAMAGED || !cli_has(cli, OPTION_JSON)))
        return cli_fail(cli);
    if (!cli_has(cli, OPTION_JSON)) {
        strbuf_printf(&cli->out,
                      "nothing is wrong with the ledger: %.*s entries, %.*s lines, %.*s acts\n",
                      STR_ARG(cli_grouped(cli->arena, verdict.entries)),
                      STR_ARG(cli_grouped(cli->arena, verdict.lines)),
                      STR_ARG(cli_grouped(cli->arena, verdict.acts)));
        return cli_finish(cli, EXIT_CODE_OK);
    }
    JsonWriter json;
    json_writer_init(&json, &cli->out, true);
    json_object_begin(&json);
    json_member_bool(&json, S("ok"), code == ERR_OK);
    json_member_int(&json, S("entries"), (int64_t)verdict.entries);
    json_member_int(&json, S("lines"), (int64_t)verdict.lines);
    json_member_int(&json, S("acts"), (int64_t)verdict.acts);
    json_member_int(&json, S("first_damaged"), verdict.first_damaged);
    json_member_str(&json, S("text"), str_from_c(cli->err.message));
    json_object_end(&json);
    strbuf_add_char(&cli->out, '\n');
    return cli_finish(cli, exit_code_of(code));
}

/* --- the trial balance --- */

typedef struct {
    int64_t debit;
    int64_t credit;
    int64_t balance;
} Totals;

static void show_row(Cli *cli, Currency currency, Str name, Totals row)
{
    strbuf_printf(&cli->out, "%-60.*s%16.*s%16.*s%16.*s\n", STR_ARG(name),
                  STR_ARG(money_format_grouped(cli->arena, row.debit, currency)),
                  STR_ARG(money_format_grouped(cli->arena, row.credit, currency)),
                  STR_ARG(money_format_grouped(cli->arena, row.balance, currency)));
}

static void write_row(JsonWriter *json, const Account *account, Totals row)
{
    json_object_begin(json);
    json_member_str(json, S("account"), account->code);
    json_member_str(json, S("name"), account->name);
    json_member_int(json, S("debit_minor"), row.debit);
    json_member_int(json, S("credit_minor"), row.credit);
    json_member_int(json, S("balance_minor"), row.balance);
    json_object_end(json);
}

static ErrorCode show_rows(Cli *cli, Ledger *ledger, int32_t month, JsonWriter *json,
                           Totals *ret_totals)
{
    CLEANUP(ledger_cursor_cleanup) LedgerCursor *cursor = NULL;
    ErrorCode code = ledger_trial_balance(ledger, month, &cursor, &cli->err);
    if (code != ERR_OK)
        return code;
    TrialRow row;
    bool fits = true;
    while (ledger_next_trial_row(cursor, &row)) {
        Account account = ledger_account(ledger, row.account);
        Totals shown = {.debit = row.debit, .credit = row.credit, .balance = row.balance};
        fits = fits && money_add(ret_totals->debit, row.debit, &ret_totals->debit) &&
               money_add(ret_totals->credit, row.credit, &ret_totals->credit) &&
               money_add(ret_totals->balance, row.balance, &ret_totals->balance);
        if (json != NULL)
            write_row(json, &account, shown);
        else
            show_row(cli, ledger_currency(ledger), account.code, shown);
    }
    LedgerCursor *finished = cursor;
    cursor = NULL;
    code = ledger_cursor_finish(finished, &cli->err);
    if (code == ERR_OK && !fits)
        code = error_set(&cli->err, ERR_OVERFLOW, "the totals are too large to add up");
    return code;
}

ExitCode cmd_ledger_trial_balance(Cli *cli)
{
    CLEANUP(ledger_close_cleanup) Ledger *ledger = NULL;
    int32_t through = DAY_NONE;
    if (cli_day(cli, OPTION_THROUGH, &through) != ERR_OK || open_ledger(cli, &ledger) != ERR_OK)
        return cli_fail(cli);
    int32_t month = through == DAY_NONE ? 0 : ledger_month_of_day(through);
    Totals totals = {0};
    JsonWriter json;
    json_writer_init(&json, &cli->out, true);
    bool is_json = cli_has(cli, OPTION_JSON);
    if (is_json) {
        json_object_begin(&json);
        json_member_str(&json, S("currency"), str_from_c(ledger_currency(ledger).code));
        json_key(&json, S("accounts"));
        json_array_begin(&json);
    } else {
        strbuf_printf(&cli->out, "%-60s%16s%16s%16s\n", ledger_currency(ledger).code, "debit",
                      "credit", "balance");
    }
    if (show_rows(cli, ledger, month, is_json ? &json : NULL, &totals) != ERR_OK)
        return cli_fail(cli);
    if (is_json) {
        json_array_end(&json);
        json_member_int(&json, S("debit_minor"), totals.debit);
        json_member_int(&json, S("credit_minor"), totals.credit);
        json_member_int(&json, S("balance_minor"), totals.balance);
        json_object_end(&json);
        strbuf_add_char(&cli->out, '\n');
    } else {
        show_row(cli, ledger_currency(ledger), S("total"), totals);
    }
    return cli_finish(cli, EXIT_CODE_OK);
}

/* --- periods --- */

ExitCode cmd_ledger_periods(Cli *cli)
{
    CLEANUP(ledger_close_cleanup) Ledger *ledger = NULL;
    if (open_ledger(cli, &ledger) != ERR_OK)
        return cli_fail(cli);
    JsonWriter json;
    json_writer_init(&json, &cli->out, true);
    bool is_json = cli_has(cli, OPTION_JSON);
    if (is_json)
        json_array_begin(&json);
    for (size_t i = 0; i < ledger_period_count(ledger); i++) {
        int32_t month = ledger_period_month(ledger, i);
        Str state = str_from_c(period_state_text(ledger_period(ledger, month)));
        Str name = str_format(cli->arena, "%04d-%02d", month / 100, month % 100);
        if (is_json) {
            json_object_begin(&json);
            json_member_str(&json, S("month"), name);
            json_member_str(&json, S("state"), state);
            json_object_end(&json);
        } else {
            strbuf_printf(&cli->out, "%.*s  %.*s\n", STR_ARG(name), STR_ARG(state));
        }
    }
    if (is_json) {
        json_array_end(&json);
        strbuf_add_char(&cli->out, '\n');
    }
    return cli_finish(cli, EXIT_CODE_OK);
}

/* "2020-01" */
static ErrorCode read_month(Cli *cli, Str text, int32_t *ret_month)
{
    int32_t day;
    if (text.len != 7 || !day_parse(str_format(cli->arena, "%.*s-01", STR_ARG(text)), &day))
        return error_set(&cli->err, ERR_USAGE, "\"%.*s\" is no month such as 2020-01",
                         STR_ARG(text));
    *ret_month = ledger_month_of_day(day);
    return ERR_OK;
}

static ExitCode change_period(Cli *cli, PeriodState to)
{
    CLEANUP(ledger_close_cleanup) Ledger *ledger = NULL;
    LedgerPeriodChange change = {
        .to = to, .person = cli_text(cli, OPTION_BY), .reason = cli_text(cli, OPTION_REASON)};
    LedgerOptions options = {.path = cli->arguments.items[0], .mode = LEDGER_WRITE};
    ErrorCode code = read_month(cli, cli->arguments.items[1], &change.month);
    if (code == ERR_OK)
        code = cli_today(cli, &change.day);
    if (code == ERR_OK && str_is_empty(change.person))
        code = error_set(&cli->err, ERR_USAGE, "it needs --by NAME");
    if (code == ERR_OK && to == PERIOD_OPEN && str_is_empty(change.reason))
        code = error_set(&cli->err, ERR_USAGE, "it needs --reason TEXT");
    if (code == ERR_OK)
        code = ledger_open(&options, &ledger, &cli->err);
    if (code == ERR_OK && to == PERIOD_OPEN &&
        ledger_period(ledger, change.month) == PERIOD_NEVER_OPENED)
        code = error_set(&cli->err, ERR_NOT_FOUND, "period %.*s: was never opened",
                         STR_ARG(cli->arguments.items[1]));
    if (code == ERR_OK)
        code = ledger_change_period(ledger, &change, &cli->err);
    if (code != ERR_OK)
        return cli_fail(cli);
    strbuf_printf(&cli->out, "period %.*s is %s\n", STR_ARG(cli->arguments.items[1]),
                  period_state_text(ledger_period(ledger, change.month)));
    return cli_finish(cli, EXIT_CODE_OK);
}

ExitCode cmd_ledger_close(Cli *cli)
{
    return change_period(cli, PERIOD_CLOSED);
}

ExitCode cmd_ledger_reopen(Cli *cli)
{
    return change_period(cli, PERIOD_OPEN);
}

ExitCode cmd_ledger_lock(Cli *cli)
{
    return change_period(cli, PERIOD_LOCKED);
}

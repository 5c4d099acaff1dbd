/* braid ledger invoice, approve, pay and the like: from what is owed to what the bank did. */
#include "base/date.h"
#include "base/io.h"
#include "cli/cli_int.h"
#include "pay/pay.h"

/* One command's ledger, books and actor. */
typedef struct {
    Ledger *ledger;
    PayBooks books;
    PayActor actor;
    DiagList diags;
} Desk;

static ErrorCode open_desk(Cli *cli, LedgerMode mode, Desk *desk)
{
    LedgerOptions options = {.path = cli->arguments.items[0], .mode = mode};
    diag_init(&desk->diags, cli->arena);
    desk->actor.person = cli_text(cli, OPTION_BY);
    if (mode == LEDGER_WRITE && str_is_empty(desk->actor.person))
        return error_set(&cli->err, ERR_USAGE, "it needs --by NAME");
    ErrorCode code = ERR_OK;
    if (mode == LEDGER_WRITE)
        code = cli_today(cli, &desk->actor.day);
    if (code == ERR_OK)
        code = ledger_open(&options, &desk->ledger, &cli->err);
    if (code == ERR_OK)
        code = pay_read(cli->arena, desk->ledger, &desk->books, &cli->err);
    return code;
}

static ErrorCode read_text(Cli *cli, Str path, Str *ret_text)
{
    return io_read_file(cli->arena, path, LIMIT_DOCUMENT_BYTES, ret_text, &cli->err);
}

static Str money_text(Cli *cli, const Desk *desk, int64_t minor)
{
    return money_format_grouped(cli->arena, minor, ledger_currency(desk->ledger));
}

/* Ends the command: closes the ledger, shows findings and the error or the output. */
static ExitCode leave_desk(Cli *cli, Desk *desk, ErrorCode code)
{
    ledger_close(desk->ledger);
    cli_show_findings(cli, &desk->diags);
    return code == ERR_OK ? cli_finish(cli, EXIT_CODE_OK) : cli_fail(cli);
}

/* --- documents --- */

ExitCode cmd_ledger_invoice(Cli *cli)
{
    Desk desk = {0};
    PayIssued issued = {0};
    int32_t through = DAY_NONE;
    ErrorCode code = cli_day(cli, OPTION_THROUGH, &through);
    int32_t month = through == DAY_NONE ? 0 : ledger_month_of_day(through);
    if (code == ERR_OK)
        code = open_desk(cli, LEDGER_WRITE, &desk);
    if (code == ERR_OK)
        code = pay_issue(&desk.books, &desk.actor, month, &issued, &cli->err);
    if (code == ERR_OK)
        strbuf_printf(&cli->out, "%zu invoices, %.*s; %zu credit notes, %.*s\n", issued.invoices,
                      STR_ARG(money_text(cli, &desk, issued.invoiced_minor)), issued.credit_notes,
                      STR_ARG(money_text(cli, &desk, issued.credited_minor)));
    return leave_desk(cli, &desk, code);
}

static Str status_of(const Desk *desk, const PayDocument *document)
{
    Str stopped = pay_stopped(&desk->books, document);
    if (document->settled == document->minor)
        return S("settled");
    if (stopped.len > 0)
        return stopped;
    if (document->settled != 0)
        return S("settled in part");
    return pay_is_approved(&desk->books, document) ? S("approved") : S("to be approved");
}

static void write_document(Cli *cli, JsonWriter *json, const Desk *desk,
                           const PayDocument *document)
{
    json_object_begin(json);
    json_member_str(json, S("number"), document->number);
    json_member_str(json, S("kind"), str_from_c(pay_kind_text(document->kind)));
    json_member_str(json, S("party"), pay_party(document->account));
    json_member_str(
        json, S("month"),
        str_format(cli->arena, "%04d-%02d", document->month / 100, document->month % 100));
    json_member_str(json, S("day"), day_format(cli->arena, document->day));
    json_member_int(json, S("minor"), document->minor);
    json_member_int(json, S("settled_minor"), document->settled);
    json_member_str(json, S("status"), status_of(desk, document));
    json_key(json, S("approvals"));
    json_array_begin(json);
    VEC_FOREACH (PayApproval, approval, &document->approvals) {
        json_object_begin(json);
        json_member_str(json, S("role"), approval->role);
        json_member_str(json, S("person"), approval->person);
        json_member_str(json, S("day"), day_format(cli->arena, approval->day));
        json_object_end(json);
    }
    json_array_end(json);
    json_object_end(json);
}

ExitCode cmd_ledger_documents(Cli *cli)
{
    Desk desk = {0};
    JsonWriter json;
    bool is_json = cli_has(cli, OPTION_JSON);
    ErrorCode code = open_desk(cli, LEDGER_READ, &desk);
    json_writer_init(&json, &cli->out, true);
    if (is_json)
        json_array_begin(&json);
    for (size_t i = 0; code == ERR_OK && i < desk.books.documents.count; i++) {
        const PayDocument *document = &desk.books.documents.items[i];
        if (is_json)
            write_document(cli, &json, &desk, document);
        else
            strbuf_printf(&cli->out, "%.*s  %04d-%02d%16.*s  %-20.*s  %.*s\n",
                          STR_ARG(document->number), document->month / 100, document->month % 100,
                          STR_ARG(money_text(cli, &desk, document->minor)),
                          STR_ARG(status_of(&desk, document)),
                          STR_ARG(pay_party(document->account)));
    }
    if (is_json) {
        json_array_end(&json);
        strbuf_add_char(&cli->out, '\n');
    }
    return leave_desk(cli, &desk, code);
}

ExitCode cmd_ledger_advance(Cli *cli)
{
    Desk desk = {0};
    Str number;
    int64_t minor = 0;
    ErrorCode code = open_desk(cli, LEDGER_WRITE, &desk);
    if (code == ERR_OK &&
        !money_parse(cli->arguments.items[2], ledger_currency(desk.ledger), &minor))
        code = error_set(&cli->err, ERR_USAGE, "\"%.*s\" is no amount such as 1200.00",
                         STR_ARG(cli->arguments.items[2]));
    PayOnAccount advance = {
        .party = cli->arguments.items[1], .minor = minor, .reason = cli_text(cli, OPTION_REASON)};
    if (code == ERR_OK)
        code = pay_advance(&desk.books, &desk.actor, &advance, &number, &cli->err);
    if (code == ERR_OK)
        strbuf_printf(&cli->out, "%.*s\n", STR_ARG(number));
    return leave_desk(cli, &desk, code);
}

/* --- deciding --- */

/* The documents that are named, or all that lack the role's approval. */
static ErrorCode approve_all(Cli *cli, Desk *desk, Str role, size_t *ret_count)
{
    ErrorCode code = ERR_OK;
    *ret_count = 0;
    bool is_all = cli->arguments.count == 2 && str_eq(cli->arguments.items[1], S("all"));
    for (size_t i = 1; !is_all && code == ERR_OK && i < cli->arguments.count; i++, ++*ret_count)
        code = pay_approve(&desk->books, &desk->actor, cli->arguments.items[i], role, &cli->err);
    for (size_t i = 0; is_all && code == ERR_OK && i < desk->books.documents.count; i++) {
        const PayDocument *document = &desk->books.documents.items[i];
        bool has_role = document->settled == document->minor;
        VEC_FOREACH (PayApproval, approval, &document->approvals)
            has_role = has_role || str_eq(approval->role, role);
        if (has_role)
            continue;
        code = pay_approve(&desk->books, &desk->actor, document->number, role, &cli->err);
        ++*ret_count;
    }
    return code;
}

ExitCode cmd_ledger_approve(Cli *cli)
{
    Desk desk = {0};
    size_t count = 0;
    Str role = cli_text(cli, OPTION_ROLE);
    ErrorCode code = open_desk(cli, LEDGER_WRITE, &desk);
    if (code == ERR_OK)
        code = ledger_begin(desk.ledger, &cli->err);
    if (code == ERR_OK) {
        code = approve_all(cli, &desk, role, &count);
        if (code == ERR_OK)
            code = ledger_commit(desk.ledger, &cli->err);
        else
            ledger_rollback(desk.ledger);
    }
    if (code == ERR_OK)
        strbuf_printf(&cli->out, "%zu approved as %.*s by %.*s\n", count, STR_ARG(role),
                      STR_ARG(desk.actor.person));
    return leave_desk(cli, &desk, code);
}

static ExitCode stop(Cli *cli, PayStop kind, const char *says)
{
    Desk desk = {0};
    ErrorCode code = open_desk(cli, LEDGER_WRITE, &desk);
    if (code == ERR_OK)
        code = pay_stop(&desk.books, &desk.actor, kind, cli->arguments.items[1],
                        cli_text(cli, OPTION_REASON), &cli->err);
    if (code == ERR_OK)
        strbuf_printf(&cli->out, "%.*s is %s\n", STR_ARG(cli->arguments.items[1]), says);
    return leave_desk(cli, &desk, code);
}

ExitCode cmd_ledger_hold(Cli *cli)
{
    return stop(cli, PAY_HOLD, "held");
}

ExitCode cmd_ledger_dispute(Cli *cli)
{
    return stop(cli, PAY_DISPUTE, "disputed");
}

ExitCode cmd_ledger_release(Cli *cli)
{
    return stop(cli, PAY_RELEASE, "released");
}

ExitCode cmd_ledger_rule(Cli *cli)
{
    Desk desk = {0};
    ErrorCode code = open_desk(cli, LEDGER_WRITE, &desk);
    if (code == ERR_OK)
        code = pay_set_rule(&desk.books, &desk.actor, cli->arguments.items[1],
                            cli->arguments.items[2], &cli->err);
    if (code == ERR_OK)
        strbuf_printf(&cli->out, "%.*s: %.*s\n", STR_ARG(cli->arguments.items[1]),
                      STR_ARG(cli->arguments.items[2]));
    return leave_desk(cli, &desk, code);
}

/* --- paying --- */

static void write_outcome(JsonWriter *json, const PayOutcome *outcome)
{
    json_object_begin(json);
    json_member_str(json, S("party"), pay_party(outcome->account));
    json_member_str(json, S("payment"), outcome->payment);
    json_member_int(json, S("invoices_minor"), outcome->invoices);
    json_member_int(json, S("credit_notes_minor"), outcome->credits);
    json_member_int(json, S("owed_minor"), outcome->owed);
    json_member_int(json, S("recouped_minor"), outcome->recouped);
    json_member_int(json, S("netted_minor"), outcome->netted);
    json_member_int(json, S("advanced_minor"), outcome->advanced);
    json_member_int(json, S("paid_minor"), outcome->paid);
    json_member_str(json, S("text"), outcome->text);
    json_object_end(json);
}

static void show_run(Cli *cli, const Desk *desk, const PayRun *run)
{
    VEC_FOREACH (PayOutcome, outcome, &run->outcomes)
        strbuf_printf(&cli->out, "%-12.*s%16.*s  %.*s%s%.*s\n", STR_ARG(outcome->payment),
                      STR_ARG(money_text(cli, desk, outcome->paid)),
                      STR_ARG(pay_party(outcome->account)), outcome->text.len > 0 ? ": " : "",
                      STR_ARG(outcome->text));
    strbuf_printf(&cli->out, "%zu payments, %.*s\n", run->payments,
                  STR_ARG(money_text(cli, desk, run->paid_minor)));
}

ExitCode cmd_ledger_pay(Cli *cli)
{
    Desk desk = {0};
    PayRun run = {0};
    ErrorCode code = open_desk(cli, LEDGER_WRITE, &desk);
    if (code == ERR_OK)
        code = pay_run(&desk.books, &desk.actor, cli->arguments.items[1], &run, &cli->err);
    if (code == ERR_OK && cli_has(cli, OPTION_JSON)) {
        JsonWriter json;
        json_writer_init(&json, &cli->out, true);
        json_object_begin(&json);
        json_member_bool(&json, S("is_known"), run.is_known);
        json_member_int(&json, S("payments"), (int64_t)run.payments);
        json_member_int(&json, S("paid_minor"), run.paid_minor);
        json_key(&json, S("parties"));
        json_array_begin(&json);
        VEC_FOREACH (PayOutcome, outcome, &run.outcomes)
            write_outcome(&json, outcome);
        json_array_end(&json);
        json_object_end(&json);
        strbuf_add_char(&cli->out, '\n');
    } else if (code == ERR_OK && run.is_known) {
        strbuf_printf(&cli->out, "the run %.*s was paid before: nothing is paid twice\n",
                      STR_ARG(cli->arguments.items[1]));
    } else if (code == ERR_OK) {
        show_run(cli, &desk, &run);
    }
    return leave_desk(cli, &desk, code);
}

ExitCode cmd_ledger_reconcile(Cli *cli)
{
    Desk desk = {0};
    PayReconciled done = {0};
    Str text;
    Str file = cli->arguments.items[1];
    ErrorCode code = open_desk(cli, LEDGER_WRITE, &desk);
    if (code == ERR_OK)
        code = read_text(cli, file, &text);
    if (code == ERR_OK)
        code = pay_reconcile(&desk.books, text, file, &desk.diags, &done, &cli->err);
    if (code != ERR_OK)
        return leave_desk(cli, &desk, code);
    strbuf_printf(&cli->out, "%zu payments booked, %.*s; %zu booked before\n", done.matched,
                  STR_ARG(money_text(cli, &desk, done.matched_minor)), done.known);
    VEC_FOREACH (PayBankRow, row, &done.unmatched)
        strbuf_printf(&cli->out, "not matched: line %u, %.*s, %.*s, %.*s: %.*s\n", row->line,
                      STR_ARG(day_format(cli->arena, row->day)),
                      STR_ARG(row->reference.len > 0 ? row->reference : S("-")),
                      STR_ARG(money_text(cli, &desk, row->minor)), STR_ARG(row->text));
    VEC_FOREACH (size_t, number, &done.outstanding) {
        const PayPayment *payment = &desk.books.payments.items[*number];
        strbuf_printf(&cli->out, "not on a statement yet: %.*s, %.*s\n", STR_ARG(payment->number),
                      STR_ARG(money_text(cli, &desk, payment->minor)));
    }
    return leave_desk(cli, &desk, ERR_OK);
}

/* --- out --- */

ExitCode cmd_ledger_export(Cli *cli)
{
    Desk desk = {0};
    PayParties parties = {0};
    Str text = S("");
    Str format = cli->arguments.items[1];
    Str file = cli_text(cli, OPTION_PARTIES);
    int32_t through = DAY_NONE;
    bool is_journal = str_eq(format, S("journal"));
    ErrorCode code = cli_day(cli, OPTION_THROUGH, &through);
    if (code == ERR_OK)
        code = open_desk(cli, LEDGER_READ, &desk);
    if (code == ERR_OK && is_journal) {
        code =
            pay_write_journal(desk.ledger, through == DAY_NONE ? 0 : ledger_month_of_day(through),
                              &cli->out, &cli->err);
        return leave_desk(cli, &desk, code);
    }
    if (code == ERR_OK && (file.len == 0 || !cli_has(cli, OPTION_RUN)))
        code = error_set(&cli->err, ERR_USAGE, "%.*s needs --run ID and --parties FILE",
                         STR_ARG(format));
    if (code == ERR_OK)
        code = read_text(cli, file, &text);
    if (code == ERR_OK && pay_read_parties(cli->arena, text, file, &desk.diags, &parties) != ERR_OK)
        code = diag_to_error(&desk.diags, &cli->err);
    PayExport what = {.books = &desk.books,
                      .parties = &parties,
                      .run = cli_text(cli, OPTION_RUN),
                      .made_at = cli_text(cli, OPTION_RECORDED_AT),
                      .file = file,
                      .diags = &desk.diags};
    if (what.made_at.len == 0)
        what.made_at = cli_now(cli->arena);
    if (code != ERR_OK)
        return leave_desk(cli, &desk, code);
    if (str_eq(format, S("pain001")))
        code = pay_write_pain001(&what, &cli->out, &cli->err);
    else if (str_eq(format, S("x12-835")))
        code = pay_write_835(&what, &cli->out, &cli->err);
    else if (str_eq(format, S("x12-820")))
        code = pay_write_820(&what, &cli->out, &cli->err);
    else
        code = error_set(&cli->err, ERR_USAGE,
                         "\"%.*s\": no format; there are journal, pain001, x12-835, x12-820",
                         STR_ARG(format));
    return leave_desk(cli, &desk, code);
}

/* --- accruals and plans --- */

static ErrorCode month_of(Cli *cli, Str text, int32_t *ret_month)
{
    int32_t day;
    if (text.len != 7 || !day_parse(str_format(cli->arena, "%.*s-01", STR_ARG(text)), &day))
        return error_set(&cli->err, ERR_USAGE, "\"%.*s\" is no month such as 2020-01",
                         STR_ARG(text));
    *ret_month = ledger_month_of_day(day);
    return ERR_OK;
}

ExitCode cmd_ledger_accrue(Cli *cli)
{
    Desk desk = {0};
    PayAccrued accrued = {0};
    Str text = S("");
    int32_t month = 0;
    ErrorCode code = open_desk(cli, LEDGER_WRITE, &desk);
    if (code == ERR_OK)
        code = month_of(cli, cli->arguments.items[1], &month);
    if (code == ERR_OK)
        code = read_text(cli, cli->arguments.items[2], &text);
    PayTable table = {.ledger = desk.ledger,
                      .arena = cli->arena,
                      .month = month,
                      .text = text,
                      .file = cli->arguments.items[2],
                      .diags = &desk.diags};
    if (code == ERR_OK)
        code = pay_accrue(&table, &accrued, &cli->err);
    if (code == ERR_OK)
        strbuf_printf(&cli->out,
                      "%zu accruals posted and taken back a month later, %.*s; %zu stood already\n",
                      accrued.posted, STR_ARG(money_text(cli, &desk, accrued.minor)),
                      accrued.known);
    return leave_desk(cli, &desk, code);
}

ExitCode cmd_ledger_budget(Cli *cli)
{
    Desk desk = {0};
    PayPlan plan = {0};
    Str text = S("");
    int32_t through = DAY_NONE;
    ErrorCode code = cli_day(cli, OPTION_THROUGH, &through);
    if (code == ERR_OK && through == DAY_NONE)
        code = error_set(&cli->err, ERR_USAGE, "it needs --through DATE");
    if (code == ERR_OK)
        code = open_desk(cli, LEDGER_READ, &desk);
    if (code == ERR_OK)
        code = read_text(cli, cli->arguments.items[1], &text);
    PayTable table = {.ledger = desk.ledger,
                      .arena = cli->arena,
                      .month = through == DAY_NONE ? 0 : ledger_month_of_day(through),
                      .text = text,
                      .file = cli->arguments.items[1],
                      .diags = &desk.diags};
    if (code == ERR_OK)
        code = pay_plan(&table, &plan, &cli->err);
    if (code == ERR_OK)
        strbuf_printf(&cli->out, "%-40s%16s%16s%16s%16s%16s\n", "account", "budget", "actual",
                      "actual-budget", "budget, all", "forecast, all");
    for (size_t i = 0; code == ERR_OK && i < plan.count; i++) {
        const PayPlanRow *row = &plan.items[i];
        strbuf_printf(&cli->out, "%-40.*s%16.*s%16.*s%16.*s%16.*s%16.*s\n", STR_ARG(row->account),
                      STR_ARG(money_text(cli, &desk, row->budget)),
                      STR_ARG(money_text(cli, &desk, row->actual)),
                      STR_ARG(money_text(cli, &desk, row->actual - row->budget)),
                      STR_ARG(money_text(cli, &desk, row->budget_year)),
                      STR_ARG(money_text(cli, &desk, row->forecast_year)));
    }
    return leave_desk(cli, &desk, code);
}

/* braid run, measure, settle and report: the stages of a programme. */
#include "base/date.h"
#include "base/io.h"
#include "base/threads.h"
#include "cli/cli_int.h"
#include "programme/programme.h"

enum { REPORT_PERSONS_DEFAULT = 5000, REPORT_PERSONS_MAX = 1000000, LOOK_BACK_MONTHS_MAX = 1200 };

static void say_skipped(void *context, Stage stage)
{
    const Cli *cli = context;
    cli_note(cli, "%-10.*s skipped: nothing has changed since it was done (--force runs it)",
             STR_ARG(stage_name(stage)));
}

static ErrorCode read_options(Cli *cli, ProgrammeOptions *options)
{
    int64_t threads = (int64_t)threads_available();
    int64_t persons = REPORT_PERSONS_DEFAULT;
    int64_t look_back = 0;
    if (cli_number(cli, OPTION_THREADS, 1, LIMIT_THREADS_MAX, &threads) != ERR_OK ||
        cli_number(cli, OPTION_REPORT_PERSONS, 0, REPORT_PERSONS_MAX, &persons) != ERR_OK ||
        cli_memory(cli, &options->memory_max, &threads) != ERR_OK ||
        cli_size(cli, OPTION_MAX_RESOURCE, &options->resource_bytes_max) != ERR_OK ||
        cli_number(cli, OPTION_LOOK_BACK, 1, LOOK_BACK_MONTHS_MAX, &look_back) != ERR_OK ||
        cli_day(cli, OPTION_FREEZE, &options->freeze_day) != ERR_OK ||
        cli_day(cli, OPTION_POSTING_DAY, &options->posting_day) != ERR_OK ||
        cli_day(cli, OPTION_THROUGH, &options->through_day) != ERR_OK ||
        cli_day(cli, OPTION_ON, &options->on_day) != ERR_OK)
        return cli->err.code;
    options->look_back_months = (int32_t)look_back;
    options->threads = (size_t)threads;
    options->report_persons = (size_t)persons;
    options->omit_narrative = cli_has(cli, OPTION_NO_NARRATIVE);
    options->is_forced = options->is_forced || cli_has(cli, OPTION_FORCE);
    options->writes_forms = cli_has(cli, OPTION_STATEMENTS);
    options->is_dry_run = cli_has(cli, OPTION_DRY_RUN);
    options->out = cli_text(cli, OPTION_OUT);
    options->store_path = cli_text(cli, OPTION_STORE);
    if (cli_recorded_at(cli, &options->recorded_at) != ERR_OK)
        return cli->err.code;
    if (str_is_empty(options->out))
        return error_set(&cli->err, ERR_USAGE, "%.*s needs --out DIR", STR_ARG(cli->command->name));
    return ERR_OK;
}

/* --- the summary for people, from the result for machines --- */

static int64_t number_of(const JsonValue *object, Str key)
{
    const JsonValue *member = json_find(object, key);
    int64_t number = 0;
    if (member != NULL && member->kind == JSON_NUMBER)
        (void)str_to_int64(member->text, &number);
    return number;
}

static Str grouped(Cli *cli, const JsonValue *object, Str key)
{
    return cli_grouped(cli->arena, (uint64_t)number_of(object, key));
}

/* What makes the word behind a number its plural. */
static const char *plural(const JsonValue *object, Str key)
{
    return number_of(object, key) == 1 ? "" : "s";
}

/* "0.8571" as "85.7" */
static Str percent(Cli *cli, const JsonValue *object, Str key)
{
    const JsonValue *member = json_find(object, key);
    Decimal rate;
    Decimal result;
    if (member == NULL || member->kind != JSON_NUMBER || !decimal_parse(member->text, &rate) ||
        !decimal_multiply(rate, decimal_from_int(100), ROUNDING_HALF_EVEN, &result))
        return S("-");
    return decimal_format_places(cli->arena, result, 1);
}

static void show_measures(Cli *cli, const JsonValue *measure)
{
    StrBuf *out = &cli->out;
    const JsonValue *list = json_find(measure, S("registers"));
    strbuf_add(out, S("\nRegisters\n"));
    for (size_t i = 0; list != NULL && i < list->count; i++) {
        const JsonValue *each = &list->items[i];
        strbuf_printf(out, "  %-46.*s%9.*s person%s\n", STR_ARG(json_find_text(each, S("title"))),
                      STR_ARG(grouped(cli, each, S("persons"))), plural(each, S("persons")));
    }
    list = json_find(measure, S("indicators"));
    strbuf_add(out, S("\nIndicators\n"));
    for (size_t i = 0; list != NULL && i < list->count; i++) {
        const JsonValue *each = &list->items[i];
        int64_t achieved = number_of(each, S("achieved"));
        int64_t eligible = achieved + number_of(each, S("gaps"));
        strbuf_printf(out, "  %-46.*s%9.*s of %-9.*s", STR_ARG(json_find_text(each, S("title"))),
                      STR_ARG(cli_grouped(cli->arena, (uint64_t)achieved)),
                      STR_ARG(cli_grouped(cli->arena, (uint64_t)eligible)));
        if (eligible > 0)
            strbuf_printf(out, "%5.*s %%  (95 %%: %.*s to %.*s)",
                          STR_ARG(percent(cli, each, S("rate"))),
                          STR_ARG(percent(cli, each, S("rate_low"))),
                          STR_ARG(percent(cli, each, S("rate_high"))));
        strbuf_add_char(out, '\n');
    }
    if (number_of(measure, S("failed")) > 0)
        strbuf_printf(out, "  not evaluated: %.*s persons; see findings.ndjson\n",
                      STR_ARG(grouped(cli, measure, S("failed"))));
}

/* "USD 1,234.50" of the member total_minor. */
static Str total_text(Cli *cli, const JsonValue *object, Str code)
{
    Currency currency;
    if (!currency_find(code, &currency))
        return json_find_text(object, S("total"));
    Str amount = money_format_grouped(cli->arena, number_of(object, S("total_minor")), currency);
    return str_format(cli->arena, "%.*s %14.*s", STR_ARG(code), STR_ARG(amount));
}

static void show_settled(Cli *cli, const JsonValue *settle)
{
    StrBuf *out = &cli->out;
    Str currency = json_find_text(settle, S("currency"));
    strbuf_add(out, S("\nPayments\n"));
    const JsonValue *clauses = json_find(settle, S("clauses"));
    for (size_t i = 0; clauses != NULL && i < clauses->count; i++) {
        const JsonValue *each = &clauses->items[i];
        strbuf_printf(
            out, "  %-46.*s%9.*s lines   %.*s\n", STR_ARG(json_find_text(each, S("title"))),
            STR_ARG(grouped(cli, each, S("lines"))), STR_ARG(total_text(cli, each, currency)));
    }
    strbuf_printf(out, "  %-46s%9s         %.*s\n", "total", "",
                  STR_ARG(total_text(cli, settle, currency)));
    const JsonValue *posting = json_find(settle, S("posting"));
    const JsonValue *ledger = json_find(settle, S("ledger"));
    if (ledger == NULL || ledger->kind != JSON_OBJECT)
        strbuf_add(out, S("  nothing was posted (a dry run)\n"));
    else
        strbuf_printf(out,
                      "  ledger: %.*s entries (%.*s new, %.*s stood already); trial balance "
                      "%.*s\n",
                      STR_ARG(grouped(cli, ledger, S("entries"))),
                      STR_ARG(grouped(cli, posting, S("entries"))),
                      STR_ARG(grouped(cli, posting, S("unchanged"))),
                      STR_ARG(json_find_text(ledger, S("trial_balance"))));
}

static void show_summary(Cli *cli, const JsonValue *result, const ProgrammeOptions *options)
{
    StrBuf *out = &cli->out;
    const JsonValue *programme = json_find(result, S("programme"));
    const JsonValue *load = json_find(result, S("load"));
    const JsonValue *measure = json_find(result, S("measure"));
    const JsonValue *settle = json_find(result, S("settle"));
    strbuf_printf(out, "%.*s (%.*s to %.*s)\n", STR_ARG(json_find_text(programme, S("title"))),
                  STR_ARG(json_find_text(programme, S("from"))),
                  STR_ARG(json_find_text(programme, S("to"))));
    if (load != NULL && load->kind == JSON_OBJECT)
        strbuf_printf(out, "\nRecords\n  %.*s person%s, %.*s resource%s, %.*s refused\n",
                      STR_ARG(grouped(cli, load, S("persons"))), plural(load, S("persons")),
                      STR_ARG(grouped(cli, load, S("accepted"))), plural(load, S("accepted")),
                      STR_ARG(grouped(cli, load, S("refused"))));
    if (measure != NULL && measure->kind == JSON_OBJECT)
        show_measures(cli, measure);
    if (settle != NULL && settle->kind == JSON_OBJECT)
        show_settled(cli, settle);
    if (options->stages[STAGE_REPORT])
        strbuf_printf(out, "\nReport: %.*s/report.html\n", STR_ARG(options->out));
    else
        strbuf_printf(out, "\nFiles: %.*s\n", STR_ARG(options->out));
}

/* --- the commands: `run` passes over what has not changed; a stage that is asked for by name is
   done --- */

static ExitCode finish(Cli *cli, const ProgrammeOptions *options, const ProgrammeResult *result)
{
    JsonValue *json;
    if (json_parse(cli->arena, result->json, &json, &cli->err) != ERR_OK)
        return cli_fail(cli);
    const JsonValue *load = json_find(json, S("load"));
    bool is_refused = (options->stages[STAGE_LOAD] && number_of(load, S("refused")) > 0) ||
                      diag_has_errors(options->diags);
    if (cli_has(cli, OPTION_JSON))
        strbuf_add(&cli->out, result->json);
    else
        show_summary(cli, json, options);
    return cli_finish(cli, is_refused ? EXIT_CODE_REFUSED : EXIT_CODE_OK);
}

static ExitCode run_stages(Cli *cli, ProgrammeOptions *options)
{
    options->posting_day = DAY_NONE;
    options->through_day = DAY_NONE;
    options->on_day = DAY_NONE;
    options->freeze_day = DAY_NONE;
    if (read_options(cli, options) != ERR_OK)
        return cli_fail(cli);
    DiagList documents;
    diag_init(&documents, cli->arena);
    Programme *programme = NULL;
    ErrorCode code =
        programme_read(cli->arena, cli->arguments.items[0], &documents, &programme, &cli->err);
    cli_show_findings(cli, &documents);
    if (code != ERR_OK)
        return cli_fail(cli);
    DiagList *diags = ARENA_NEW(cli->arena, DiagList);
    diag_init(diags, cli->arena);
    options->diags = diags;
    options->progress = cli_progress(cli);
    options->on_skip = say_skipped;
    options->context = cli;
    ProgrammeResult result;
    code = programme_run(cli->arena, programme, options, &result, &cli->err);
    cli_show_findings(cli, diags);
    if (code != ERR_OK)
        return cli_fail(cli);
    return finish(cli, options, &result);
}

ExitCode cmd_run(Cli *cli)
{
    Vec(Str) data = {0};
    VEC_FOREACH (GivenOption, given, &cli->given)
        if (given->option == OPTION_DATA)
            VEC_PUSH(cli->arena, &data, given->value);
    if (data.count == 0) {
        (void)error_set(&cli->err, ERR_USAGE, "run needs --data SOURCE");
        return cli_fail(cli);
    }
    /* What the run refuses is written below --out, so mended resources must be elsewhere. */
    Str out = cli_text(cli, OPTION_OUT);
    Str refused = io_join(cli->arena, out, S("refused.ndjson"));
    if (cli_check_output(cli, "--out", out, data.items, data.count) != ERR_OK ||
        cli_check_output(cli, "--out", refused, data.items, data.count) != ERR_OK)
        return cli_fail(cli);
    ProgrammeOptions options = {
        .data = data.items, .data_count = data.count, .stages = {true, true, true, true}};
    return run_stages(cli, &options);
}

ExitCode cmd_measure(Cli *cli)
{
    ProgrammeOptions options = {.stages = {[STAGE_MEASURE] = true}, .is_forced = true};
    return run_stages(cli, &options);
}

ExitCode cmd_settle(Cli *cli)
{
    if (cli_has(cli, OPTION_AGGREGATES))
        return cmd_settle_tables(cli);
    ProgrammeOptions options = {.stages = {[STAGE_SETTLE] = true}, .is_forced = true};
    return run_stages(cli, &options);
}

ExitCode cmd_report(Cli *cli)
{
    ProgrammeOptions options = {.stages = {[STAGE_REPORT] = true}, .is_forced = true};
    return run_stages(cli, &options);
}

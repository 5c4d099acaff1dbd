/* braid load: records into a store. */
#include "base/threads.h"
#include "cli/cli_int.h"
#include "intake/intake.h"

static void show_json(Cli *cli, const IntakeReport *report, const DiagList *diags)
{
    JsonWriter json;
    json_writer_init(&json, &cli->out, true);
    json_object_begin(&json);
    json_member_int(&json, S("files"), (int64_t)report->files);
    json_member_int(&json, S("bytes"), (int64_t)report->bytes);
    json_member_int(&json, S("documents"), (int64_t)report->documents);
    json_member_int(&json, S("persons"), (int64_t)report->persons);
    json_member_int(&json, S("accepted"), (int64_t)report->accepted);
    json_member_int(&json, S("shared"), (int64_t)report->shared);
    json_member_int(&json, S("repeated"), (int64_t)report->repeated);
    json_member_int(&json, S("partitions"), (int64_t)report->partitions);
    json_key(&json, S("accepted_by_type"));
    json_object_begin(&json);
    for (size_t type = 0; type < FHIR_RESOURCE_TYPE_LIMIT; type++)
        if (report->accepted_by_type[type] > 0)
            json_member_int(&json, fhir_type_name((uint16_t)type),
                            (int64_t)report->accepted_by_type[type]);
    json_object_end(&json);
    json_member_int(&json, S("refused"), (int64_t)report->refused);
    json_key(&json, S("refused_by_rule"));
    json_object_begin(&json);
    VEC_FOREACH (IntakeRefusal, refusal, &report->refused_by_rule)
        json_member_int(&json, refusal->rule, (int64_t)refusal->count);
    json_object_end(&json);
    cli_json_findings(&json, diags);
    json_object_end(&json);
    strbuf_add_char(&cli->out, '\n');
}

static void show_text(Cli *cli, const IntakeReport *report)
{
    StrBuf *out = &cli->out;
    strbuf_printf(out, "%-12s%14.*s\n", "files", STR_ARG(cli_grouped(cli->arena, report->files)));
    strbuf_printf(out, "%-12s%14.*s\n", "bytes", STR_ARG(cli_grouped(cli->arena, report->bytes)));
    strbuf_printf(out, "%-12s%14.*s\n", "persons",
                  STR_ARG(cli_grouped(cli->arena, report->persons)));
    strbuf_printf(out, "%-12s%14.*s\n", "accepted",
                  STR_ARG(cli_grouped(cli->arena, report->accepted)));
    if (report->repeated > 0)
        strbuf_printf(out, "%-12s%14.*s\n", "repeated",
                      STR_ARG(cli_grouped(cli->arena, report->repeated)));
    strbuf_printf(out, "%-12s%14.*s\n", "refused",
                  STR_ARG(cli_grouped(cli->arena, report->refused)));
    VEC_FOREACH (IntakeRefusal, refusal, &report->refused_by_rule)
        strbuf_printf(out, "  %-32.*s%10.*s\n", STR_ARG(refusal->rule),
                      STR_ARG(cli_grouped(cli->arena, refusal->count)));
}

ExitCode cmd_load(Cli *cli)
{
    int64_t threads = (int64_t)threads_available();
    IntakeOptions options = {.sources = cli->arguments.items,
                             .source_count = cli->arguments.count,
                             .store_path = cli_text(cli, OPTION_STORE),
                             .omit_narrative = cli_has(cli, OPTION_NO_NARRATIVE),
                             .refused_path = cli_text(cli, OPTION_REFUSED)};
    if (str_is_empty(options.store_path)) {
        (void)error_set(&cli->err, ERR_USAGE, "load needs --store DIR");
        return cli_fail(cli);
    }
    if (cli_number(cli, OPTION_THREADS, 1, LIMIT_THREADS_MAX, &threads) != ERR_OK ||
        cli_memory(cli, &options.memory_max, &threads) != ERR_OK ||
        cli_size(cli, OPTION_MAX_RESOURCE, &options.resource_bytes_max) != ERR_OK)
        return cli_fail(cli);
    if (cli_check_output(cli, "--refused", options.refused_path, options.sources,
                         options.source_count) != ERR_OK ||
        cli_check_output(cli, "--findings", cli_text(cli, OPTION_FINDINGS), options.sources,
                         options.source_count) != ERR_OK ||
        cli_check_output(cli, "--store", options.store_path, options.sources,
                         options.source_count) != ERR_OK)
        return cli_fail(cli);
    options.threads = (size_t)threads;
    options.progress = cli_progress(cli);
    DiagList diags;
    diag_init(&diags, cli->arena);
    IntakeReport report;
    ErrorCode code = intake_load(cli->arena, &options, &diags, &report, &cli->err);
    if (str_is_empty(cli_text(cli, OPTION_FINDINGS)))
        cli_show_findings(cli, &diags);
    if (code == ERR_OK)
        code = cli_write_findings(cli, &diags);
    if (code != ERR_OK)
        return cli_fail(cli);
    if (cli_has(cli, OPTION_JSON))
        show_json(cli, &report, &diags);
    else
        show_text(cli, &report);
    return cli_finish(cli, report.refused > 0 || diag_has_errors(&diags) ? EXIT_CODE_REFUSED
                                                                         : EXIT_CODE_OK);
}

/* braid synth: synthetic populations. */
#include <unistd.h>

#include "base/io.h"
#include "base/threads.h"
#include "cli/cli_int.h"
#include "synth/synth.h"

enum { PERSONS_DEFAULT = 1000, YEARS_DEFAULT = 3, CHECK_PERSONS_DEFAULT = 200000 };

/* A profile by the name of one that is part of the command, or by its file. */
static ErrorCode read_profile(Cli *cli, DiagList *diags, SynthProfile **ret_profile)
{
    Str name = cli_has(cli, OPTION_PROFILE) ? cli_text(cli, OPTION_PROFILE) : S("england");
    Str file = str_format(cli->arena, "%.*s.yaml", STR_ARG(name));
    Str text;
    if (!synth_file_find(file, &text)) {
        file = name;
        ErrorCode code = io_read_file(cli->arena, file, 0, &text, &cli->err);
        if (code != ERR_OK)
            return code;
    }
    return synth_profile_parse(cli->arena, text, file, diags, ret_profile) ? ERR_OK : ERR_DOCUMENT;
}

static ErrorCode make_model(Cli *cli, int64_t persons, SynthModel **ret_model)
{
    DiagList diags;
    SynthProfile *profile;
    int64_t seed = 1;
    int64_t years = YEARS_DEFAULT;
    diag_init(&diags, cli->arena);
    ErrorCode code = cli_number(cli, OPTION_PERSONS, 1, SYNTH_PERSONS_MAX, &persons);
    if (code == ERR_OK)
        code = cli_number(cli, OPTION_SEED, 0, INT64_MAX, &seed);
    if (code == ERR_OK)
        code = cli_number(cli, OPTION_YEARS, 1, SYNTH_YEARS_MAX, &years);
    if (code != ERR_OK)
        return code;
    code = read_profile(cli, &diags, &profile);
    cli_show_findings(cli, &diags);
    if (code == ERR_DOCUMENT)
        return diag_to_error(&diags, &cli->err);
    if (code != ERR_OK)
        return code;
    SynthOptions options = {
        .persons = (uint64_t)persons, .seed = (uint64_t)seed, .years = (uint32_t)years};
    return synth_model_create(cli->arena, profile, &options, ret_model, &cli->err);
}

static ErrorCode make_run(Cli *cli, SynthRun *run)
{
    int64_t threads = (int64_t)threads_available();
    ErrorCode code = cli_number(cli, OPTION_THREADS, 1, LIMIT_THREADS_MAX, &threads);
    *run = (SynthRun){.threads = (size_t)threads, .progress = cli_progress(cli)};
    return code;
}

static void show_report(Cli *cli, const SynthReport *report)
{
    if (cli_has(cli, OPTION_JSON)) {
        JsonWriter json;
        json_writer_init(&json, &cli->out, true);
        json_object_begin(&json);
        json_member_int(&json, S("persons"), (int64_t)report->persons);
        json_member_int(&json, S("resources"), (int64_t)report->resources);
        json_member_int(&json, S("pricedLines"), (int64_t)report->lines);
        json_member_int(&json, S("bytes"), (int64_t)report->bytes);
        json_key(&json, S("byType"));
        json_object_begin(&json);
        for (size_t type = 0; type < FHIR_RESOURCE_TYPE_LIMIT; type++)
            if (report->by_type[type] > 0)
                json_member_int(&json, fhir_type_name((uint16_t)type),
                                (int64_t)report->by_type[type]);
        json_object_end(&json);
        json_object_end(&json);
        strbuf_add_char(&cli->out, '\n');
        return;
    }
    strbuf_printf(&cli->out, "%-14s%14.*s\n", "persons",
                  STR_ARG(cli_grouped(cli->arena, report->persons)));
    strbuf_printf(&cli->out, "%-14s%14.*s\n", "resources",
                  STR_ARG(cli_grouped(cli->arena, report->resources)));
    strbuf_printf(&cli->out, "%-14s%14.*s\n", "priced lines",
                  STR_ARG(cli_grouped(cli->arena, report->lines)));
    if (report->bytes > 0)
        strbuf_printf(&cli->out, "%-14s%14.*s\n", "bytes",
                      STR_ARG(cli_grouped(cli->arena, report->bytes)));
}

ExitCode cmd_synth(Cli *cli)
{
    SynthModel *model = NULL;
    SynthRun run = {0};
    SynthReport report = {0};
    Str out = cli_text(cli, OPTION_OUT);
    Str store = cli_text(cli, OPTION_STORE);
    if (str_is_empty(out) == str_is_empty(store)) {
        (void)error_set(&cli->err, ERR_USAGE,
                        "synth needs either --out DIR (or - for standard output) or --store DIR");
        return cli_fail(cli);
    }
    ErrorCode code = make_run(cli, &run);
    if (code == ERR_OK)
        code = make_model(cli, PERSONS_DEFAULT, &model);
    if (code != ERR_OK)
        return cli_fail(cli);
    bool is_stream = str_eq(out, S("-"));
    if (!str_is_empty(store))
        code = synth_write_store(model, store, &run, &report, &cli->err);
    else if (is_stream)
        code = synth_write_stream(model, STDOUT_FILENO, &run, &report, &cli->err);
    else
        code = synth_write_files(model, out, &run, &report, &cli->err);
    if (code != ERR_OK)
        return cli_fail(cli);
    if (!is_stream)
        show_report(cli, &report);
    return cli_finish(cli, EXIT_CODE_OK);
}

static void show_targets(Cli *cli, const SynthTargets *targets)
{
    size_t met = 0;
    strbuf_printf(&cli->out, "%-24s %10s %10s %10s  %s\n", "figure", "wanted", "tolerance", "found",
                  "");
    VEC_FOREACH (SynthTarget, target, targets) {
        met += target->is_met;
        strbuf_printf(&cli->out, "%-24.*s %10.4g %10.3g %10.4g  %s\n", STR_ARG(target->name),
                      target->wanted, target->tolerance, target->found,
                      target->is_met ? "" : "missed");
    }
    strbuf_printf(&cli->out, "\n%zu of %zu figures are within their tolerance\n", met,
                  targets->count);
}

static void show_targets_json(Cli *cli, const SynthTargets *targets)
{
    JsonWriter json;
    json_writer_init(&json, &cli->out, true);
    json_array_begin(&json);
    VEC_FOREACH (SynthTarget, target, targets) {
        json_object_begin(&json);
        json_member_str(&json, S("figure"), target->name);
        json_member_str(&json, S("title"), target->title);
        json_member_str(&json, S("source"), target->source);
        json_key(&json, S("wanted"));
        json_raw(&json, str_format(cli->arena, "%.10g", target->wanted));
        json_key(&json, S("tolerance"));
        json_raw(&json, str_format(cli->arena, "%.10g", target->tolerance));
        json_key(&json, S("found"));
        json_raw(&json, str_format(cli->arena, "%.10g", target->found));
        json_member_bool(&json, S("met"), target->is_met);
        json_object_end(&json);
    }
    json_array_end(&json);
    strbuf_add_char(&cli->out, '\n');
}

static ErrorCode read_tolerance(Cli *cli, double *ret_tolerance)
{
    Decimal factor;
    *ret_tolerance = 1;
    if (!cli_has(cli, OPTION_TOLERANCE))
        return ERR_OK;
    Str text = cli_text(cli, OPTION_TOLERANCE);
    if (decimal_parse(text, &factor) && decimal_to_double(factor) > 0 &&
        decimal_to_double(factor) <= 100) {
        *ret_tolerance = decimal_to_double(factor);
        return ERR_OK;
    }
    return error_set(&cli->err, ERR_USAGE,
                     "--tolerance '%.*s': expected a factor above 0, at most 100", STR_ARG(text));
}

ExitCode cmd_synth_check(Cli *cli)
{
    SynthModel *model = NULL;
    SynthRun run = {0};
    SynthTargets targets = {0};
    DiagList diags;
    double tolerance = 1;
    diag_init(&diags, cli->arena);
    ErrorCode code = read_tolerance(cli, &tolerance);
    if (code == ERR_OK)
        code = make_run(cli, &run);
    if (code == ERR_OK)
        code = make_model(cli, CHECK_PERSONS_DEFAULT, &model);
    if (code == ERR_OK)
        code = synth_check(cli->arena, model, &run, tolerance, &diags, &targets, &cli->err);
    cli_show_findings(cli, &diags);
    if (code == ERR_OK && diag_has_errors(&diags))
        code = diag_to_error(&diags, &cli->err);
    if (code == ERR_OK && cli_has(cli, OPTION_HTML)) {
        StrBuf page;
        strbuf_init(&page, cli->arena, 0);
        synth_check_page(&targets, model, &page);
        code = io_write_file(cli_text(cli, OPTION_HTML), strbuf_str(&page), &cli->err);
    }
    if (code != ERR_OK)
        return cli_fail(cli);
    bool is_met = true;
    VEC_FOREACH (SynthTarget, target, &targets)
        is_met &= target->is_met;
    if (cli_has(cli, OPTION_JSON))
        show_targets_json(cli, &targets);
    else
        show_targets(cli, &targets);
    return cli_finish(cli, is_met ? EXIT_CODE_OK : EXIT_CODE_REFUSED);
}

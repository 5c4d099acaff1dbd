/* braid measure check: the test cases of published measures. */
#include <time.h>

#include "cli/cli_int.h"
#include "measure/measure.h"

static double seconds_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double milliseconds_a_person(const MeasureCheckResult *result)
{
    return result->cases == 0 ? 0 : result->seconds * 1000 / (double)result->cases;
}

static void show_difference(StrBuf *out, const MeasureDifference *difference)
{
    strbuf_printf(out, "    %.*s, %.*s", STR_ARG(difference->group),
                  STR_ARG(difference->population));
    if (!str_is_empty(difference->stratum))
        strbuf_printf(out, " in %.*s", STR_ARG(difference->stratum));
    strbuf_printf(out, ": expected %.*s, found %.*s\n", STR_ARG(difference->expected),
                  STR_ARG(difference->found));
}

static void show_values(const Cli *cli, StrBuf *out, const MeasureCaseResult *result)
{
    size_t at = 0;
    VEC_FOREACH (const GivenOption, given, &cli->given)
        if (given->option == OPTION_EXPRESSION && result->values != NULL) {
            Str value = result->values[at++];
            strbuf_printf(out, "    \"%.*s\" = ", STR_ARG(given->value));
            strbuf_add(out, value);
            strbuf_add_char(out, '\n');
        }
}

static void show_measure(const Cli *cli, StrBuf *out, const MeasureCheckResult *result)
{
    strbuf_printf(out, "%.*s: %zu of %zu, %.3f ms a person\n", STR_ARG(result->name),
                  result->passed, result->cases, milliseconds_a_person(result));
    for (size_t i = 0; i < result->cases; i++) {
        const MeasureCaseResult *each = &result->results[i];
        if (each->is_passed && each->values == NULL)
            continue;
        strbuf_printf(out, "  %.*s\n", STR_ARG(each->of->name));
        show_values(cli, out, each);
        if (!str_is_empty(each->failure))
            strbuf_printf(out, "    not evaluated: %.*s\n", STR_ARG(each->failure));
        VEC_FOREACH (const MeasureDifference, difference, &each->differences)
            show_difference(out, difference);
    }
}

static void json_case(JsonWriter *json, const MeasureCaseResult *result)
{
    json_object_begin(json);
    json_member_str(json, S("case"), result->of->name);
    if (!str_is_empty(result->failure))
        json_member_str(json, S("failure"), result->failure);
    json_key(json, S("differences"));
    json_array_begin(json);
    VEC_FOREACH (const MeasureDifference, each, &result->differences) {
        json_object_begin(json);
        json_member_str(json, S("group"), each->group);
        json_member_str(json, S("population"), each->population);
        if (!str_is_empty(each->stratum))
            json_member_str(json, S("stratum"), each->stratum);
        json_member_str(json, S("expected"), each->expected);
        json_member_str(json, S("found"), each->found);
        json_object_end(json);
    }
    json_array_end(json);
    json_object_end(json);
}

static void json_report(Cli *cli, const MeasureCheckReport *report, const DiagList *diags)
{
    JsonWriter json;
    json_writer_init(&json, &cli->out, true);
    json_object_begin(&json);
    json_key(&json, S("measures"));
    json_array_begin(&json);
    VEC_FOREACH (const MeasureCheckResult, each, &report->measures) {
        json_object_begin(&json);
        json_member_str(&json, S("measure"), each->name);
        json_member_int(&json, S("cases"), (int64_t)each->cases);
        json_member_int(&json, S("passed"), (int64_t)each->passed);
        json_key(&json, S("ms_a_person"));
        json_raw(&json, str_format(cli->arena, "%.4f", milliseconds_a_person(each)));
        json_key(&json, S("failed"));
        json_array_begin(&json);
        for (size_t i = 0; i < each->cases; i++)
            if (!each->results[i].is_passed)
                json_case(&json, &each->results[i]);
        json_array_end(&json);
        json_object_end(&json);
    }
    json_array_end(&json);
    json_member_int(&json, S("passed"), (int64_t)report->passed);
    json_member_int(&json, S("failed"), (int64_t)report->failed);
    cli_json_findings(&json, diags);
    json_object_end(&json);
    strbuf_add_char(&cli->out, '\n');
}

ExitCode cmd_measure_check(Cli *cli)
{
    DiagList diags;
    diag_init(&diags, cli->arena);
    Vec(Str) expressions = {0};
    VEC_FOREACH (const GivenOption, given, &cli->given)
        if (given->option == OPTION_EXPRESSION)
            VEC_PUSH(cli->arena, &expressions, given->value);
    MeasureCheckOptions options = {.wanted = {.ig = cli_text(cli, OPTION_IG),
                                              .measure = cli_text(cli, OPTION_MEASURE_NAME),
                                              .name = cli_text(cli, OPTION_CASE)},
                                   .expressions = expressions.items,
                                   .expression_count = expressions.count,
                                   .seconds = seconds_now,
                                   .diags = &diags};
    if (str_is_empty(options.wanted.ig)) {
        (void)error_set(&cli->err, ERR_USAGE, "measure check needs --ig DIR");
        return cli_fail(cli);
    }
    MeasureCheckReport report;
    ErrorCode code = measure_check(cli->arena, &options, &report, &cli->err);
    if (code != ERR_OK) {
        cli_show_findings(cli, &diags);
        return cli_fail(cli);
    }
    if (report.measures.count == 0) {
        cli_show_findings(cli, &diags);
        (void)error_set(&cli->err, ERR_NOT_FOUND, "%.*s: there is no test case of a measure%s",
                        STR_ARG(options.wanted.ig),
                        str_is_empty(options.wanted.measure) ? "" : " of that name");
        return cli_fail(cli);
    }
    if (cli_has(cli, OPTION_JSON)) {
        json_report(cli, &report, &diags);
    } else {
        cli_show_findings(cli, &diags);
        VEC_FOREACH (const MeasureCheckResult, each, &report.measures)
            show_measure(cli, &cli->out, each);
        strbuf_printf(&cli->out, "%zu passed, %zu failed\n", report.passed, report.failed);
    }
    return cli_finish(cli, report.failed > 0 ? EXIT_CODE_REFUSED : EXIT_CODE_OK);
}

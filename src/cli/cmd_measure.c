/* braid measure check: the test cases of published measures. */
#include <time.h>

#include "base/io.h"
#include "base/threads.h"
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

/* --- evaluate --- */

enum { TEXT_FILES = 4, ATTRIBUTION_MONTHS = 24 };

typedef struct {
    Cli *cli;
    Str out;
    DiagList diags;
    MeasureContent *content;
    Store *store;
    Vec(const Measure *) measures;
    MeasurePeriod period;
    MeasureReportFrame frame;
    bool kinds[REPORT_KIND_COUNT];
    IoFile files[TEXT_FILES]; /* individual, data collection, persons, gaps */
    Str paths[TEXT_FILES];
    MeasureSet *set;
    MeasurePopulations *populations;
} Evaluation;

static ErrorCode read_kinds(Evaluation *evaluation)
{
    VEC_FOREACH (GivenOption, given, &evaluation->cli->given) {
        MeasureReportKind kind;
        if (given->option != OPTION_REPORT)
            continue;
        if (!measure_report_find(given->value, &kind))
            return error_set(&evaluation->cli->err, ERR_USAGE,
                             "\"%.*s\" is no report; individual, summary, subject-list and "
                             "data-collection are",
                             STR_ARG(given->value));
        evaluation->kinds[kind] = true;
    }
    return ERR_OK;
}

static ErrorCode read_sources(Evaluation *evaluation)
{
    static const OptionId sources[] = {OPTION_MEASURE_NAME, OPTION_LIBRARY, OPTION_VALUE_SETS};
    Cli *cli = evaluation->cli;
    evaluation->content = measure_content_create(cli->arena, &evaluation->diags);
    for (size_t i = 0; i < COUNT_OF(sources); i++)
        VEC_FOREACH (GivenOption, given, &cli->given)
            if (given->option == sources[i] &&
                measure_content_add(evaluation->content, given->value, &cli->err) != ERR_OK)
                return cli->err.code;
    measure_content_finish(evaluation->content);
    const MeasureVec *found = measure_content_measures(evaluation->content);
    for (size_t i = 0; i < found->count; i++)
        VEC_PUSH(cli->arena, &evaluation->measures, &found->items[i]);
    if (found->count == 0)
        return error_set(&cli->err, ERR_NOT_FOUND,
                         "there is no usable measure in what --measure names");
    return ERR_OK;
}

/* As it was given, else that of the measures, which must be the same for all. */
static ErrorCode find_period(Evaluation *evaluation)
{
    Cli *cli = evaluation->cli;
    Str text = cli_text(cli, OPTION_PERIOD);
    MeasurePeriod *period = &evaluation->period;
    if (!str_is_empty(text)) {
        size_t cut = str_find(text, S(".."));
        if (cut != SIZE_MAX)
            *period = (MeasurePeriod){.start = str_slice(text, 0, cut),
                                      .end = str_slice(text, cut + 2, text.len)};
        if (cut == SIZE_MAX || !measure_period_check(*period))
            return error_set(&cli->err, ERR_USAGE,
                             "--period \"%.*s\": expected START..END, such as "
                             "2026-01-01..2026-12-31",
                             STR_ARG(text));
        return ERR_OK;
    }
    for (size_t i = 0; i < evaluation->measures.count; i++) {
        const Measure *each = evaluation->measures.items[i];
        MeasurePeriod own = {.start = each->period_start, .end = each->period_end};
        if (!measure_period_check(own))
            return error_set(&cli->err, ERR_USAGE,
                             "%.*s has no period with a start and an end: give --period",
                             STR_ARG(measure_name(each)));
        if (i > 0 && (!str_eq(own.start, period->start) || !str_eq(own.end, period->end)))
            return error_set(&cli->err, ERR_USAGE,
                             "the measures have different periods: give --period");
        *period = own;
    }
    return ERR_OK;
}

static ErrorCode open_files(Evaluation *evaluation)
{
    static const Str names[TEXT_FILES] = {STR_INIT("individual.ndjson"),
                                          STR_INIT("data-collection.ndjson"),
                                          STR_INIT("persons.csv"), STR_INIT("gaps.csv")};
    Cli *cli = evaluation->cli;
    bool wanted[TEXT_FILES] = {evaluation->kinds[REPORT_INDIVIDUAL],
                               evaluation->kinds[REPORT_DATA_COLLECTION], true, true};
    if (io_make_dirs(evaluation->out, &cli->err) != ERR_OK)
        return cli->err.code;
    for (size_t i = 0; i < TEXT_FILES; i++) {
        evaluation->paths[i] = io_join(cli->arena, evaluation->out, names[i]);
        if (wanted[i] &&
            io_create(evaluation->paths[i], &evaluation->files[i], &cli->err) != ERR_OK)
            return cli->err.code;
    }
    Str persons = measure_pass_persons_head();
    Str gaps = measure_pass_gaps_head();
    if (io_write(&evaluation->files[2], persons.ptr, persons.len, &cli->err) != ERR_OK)
        return cli->err.code;
    return io_write(&evaluation->files[3], gaps.ptr, gaps.len, &cli->err);
}

static ErrorCode write_text(void *context, MeasurePassWants kind, Str text, Error *err)
{
    Evaluation *evaluation = context;
    size_t at = kind == PASS_INDIVIDUAL        ? 0
                : kind == PASS_DATA_COLLECTION ? 1
                : kind == PASS_PERSONS         ? 2
                                               : 3;
    return io_write(&evaluation->files[at], text.ptr, text.len, err);
}

static ErrorCode run_pass(Evaluation *evaluation)
{
    Cli *cli = evaluation->cli;
    int64_t threads = (int64_t)threads_available();
    if (cli_number(cli, OPTION_THREADS, 1, LIMIT_THREADS_MAX, &threads) != ERR_OK)
        return cli->err.code;
    /* The practice with most encounters in two years, as the starter programme has it. */
    static const AttributionRule rule = {
        .method = ATTRIBUTION_BY_PLURALITY_OF_ENCOUNTERS,
        .months = ATTRIBUTION_MONTHS,
        .ties = {ATTRIBUTION_TIE_LATEST_ENCOUNTER, ATTRIBUTION_TIE_ORGANISATION_ID},
        .tie_count = 2};
    MeasureSetOptions options = {.content = evaluation->content,
                                 .measures = evaluation->measures.items,
                                 .measure_count = evaluation->measures.count,
                                 .period = evaluation->period,
                                 .dict = store_dict(evaluation->store)};
    if (measure_set_create(cli->arena, &options, &evaluation->diags, &evaluation->set, &cli->err) !=
        ERR_OK)
        return cli->err.code;
    MeasurePassOptions pass = {.threads = (size_t)threads,
                               .progress = cli_progress(cli),
                               .diags = &evaluation->diags,
                               .wants = PASS_PERSONS | PASS_GAPS | PASS_SUPPLEMENTS,
                               .attribution = &rule,
                               .frame = &evaluation->frame,
                               .on_text = write_text,
                               .context = evaluation};
    pass.wants |= evaluation->kinds[REPORT_INDIVIDUAL] ? PASS_INDIVIDUAL : 0;
    pass.wants |= evaluation->kinds[REPORT_DATA_COLLECTION] ? PASS_DATA_COLLECTION : 0;
    return measure_pass(cli->arena, evaluation->set, evaluation->store, &pass,
                        &evaluation->populations, &cli->err);
}

static ErrorCode write_sums(Evaluation *evaluation)
{
    Cli *cli = evaluation->cli;
    StrBuf table;
    StrBuf summaries;
    StrBuf lists;
    strbuf_init(&table, cli->arena, 0);
    strbuf_init(&summaries, cli->arena, 0);
    strbuf_init(&lists, cli->arena, 0);
    measure_pass_summary_head(&table);
    for (size_t i = 0; i < evaluation->measures.count; i++) {
        const MeasureTally *tally = measure_pass_tally(evaluation->populations, i);
        measure_pass_summary_rows(tally, &table);
        if (evaluation->kinds[REPORT_SUMMARY])
            measure_report_summary(&evaluation->frame, tally, &summaries);
        if (!evaluation->kinds[REPORT_SUBJECT_LIST])
            continue;
        MeasureSubjectVec subjects;
        if (measure_pass_subjects(evaluation->populations, evaluation->store, i, cli->arena,
                                  &subjects, &cli->err) != ERR_OK)
            return cli->err.code;
        measure_report_subjects(&evaluation->frame, tally, &subjects, &lists);
    }
    ErrorCode code = io_write_file(io_join(cli->arena, evaluation->out, S("summary.csv")),
                                   strbuf_str(&table), &cli->err);
    if (code == ERR_OK && evaluation->kinds[REPORT_SUMMARY])
        code = io_write_file(io_join(cli->arena, evaluation->out, S("summary.ndjson")),
                             strbuf_str(&summaries), &cli->err);
    if (code == ERR_OK && evaluation->kinds[REPORT_SUBJECT_LIST])
        code = io_write_file(io_join(cli->arena, evaluation->out, S("subject-list.ndjson")),
                             strbuf_str(&lists), &cli->err);
    return code;
}

static void show_group(Cli *cli, const Measure *measure, size_t number, const MeasureTally *tally)
{
    const MeasureGroup *group = &measure->groups[number];
    const PopulationTally *all = &tally->groups[number].all;
    Decimal score;
    strbuf_printf(&cli->out, "%.*s, %.*s (%.*s)\n", STR_ARG(measure_name(measure)),
                  STR_ARG(measure_group_name(cli->arena, group)),
                  STR_ARG(measure_scoring_code(group->scoring)));
    for (size_t i = 0; i < group->population_count; i++)
        strbuf_printf(&cli->out, "  %-30.*s %10.*s\n",
                      STR_ARG(measure_part_display(group->populations[i].part)),
                      STR_ARG(cli_grouped(cli->arena, all->counts[i])));
    if (measure_score(group, all, cli->arena, &score))
        strbuf_printf(&cli->out, "  %-30s %10.*s\n", "Score",
                      STR_ARG(decimal_format_places(cli->arena, score, 4)));
}

static void show_evaluation(Evaluation *evaluation)
{
    Cli *cli = evaluation->cli;
    for (size_t i = 0; i < evaluation->measures.count; i++) {
        const Measure *measure = evaluation->measures.items[i];
        for (size_t j = 0; j < measure->group_count; j++)
            if (measure_set_group_is_usable(evaluation->set, i, j))
                show_group(cli, measure, j, measure_pass_tally(evaluation->populations, i));
    }
    strbuf_printf(&cli->out, "Files: %.*s\n", STR_ARG(evaluation->out));
}

static void json_evaluation(Evaluation *evaluation)
{
    Cli *cli = evaluation->cli;
    JsonWriter json;
    json_writer_init(&json, &cli->out, true);
    json_object_begin(&json);
    json_key(&json, S("groups"));
    json_array_begin(&json);
    for (size_t i = 0; i < evaluation->measures.count; i++) {
        const Measure *measure = evaluation->measures.items[i];
        for (size_t j = 0; j < measure->group_count; j++) {
            const MeasureGroup *group = &measure->groups[j];
            const PopulationTally *all =
                &measure_pass_tally(evaluation->populations, i)->groups[j].all;
            Decimal score;
            json_object_begin(&json);
            json_member_str(&json, S("measure"), measure_name(measure));
            json_member_str(&json, S("group"), measure_group_name(cli->arena, group));
            json_member_bool(&json, S("evaluated"),
                             measure_set_group_is_usable(evaluation->set, i, j));
            json_key(&json, S("populations"));
            json_object_begin(&json);
            for (size_t k = 0; k < group->population_count; k++) {
                Str id = group->populations[k].id;
                json_member_int(
                    &json, str_is_empty(id) ? measure_part_code(group->populations[k].part) : id,
                    (int64_t)all->counts[k]);
            }
            json_object_end(&json);
            if (measure_score(group, all, cli->arena, &score)) {
                json_key(&json, S("score"));
                json_decimal(&json, score);
            }
            json_object_end(&json);
        }
    }
    json_array_end(&json);
    json_member_int(&json, S("failed"), (int64_t)measure_pass_failed(evaluation->populations));
    cli_json_findings(&json, &evaluation->diags);
    json_object_end(&json);
    strbuf_add_char(&cli->out, '\n');
}

static ErrorCode evaluate(Evaluation *evaluation)
{
    Cli *cli = evaluation->cli;
    Str store = cli_text(cli, OPTION_STORE);
    evaluation->out = cli_text(cli, OPTION_OUT);
    if (str_is_empty(evaluation->out) || str_is_empty(cli_text(cli, OPTION_MEASURE_NAME)))
        return error_set(&cli->err, ERR_USAGE,
                         "measure evaluate needs --measure FILE|DIR and --out DIR");
    if (str_is_empty(store))
        store = io_join(cli->arena, evaluation->out, S("store"));
    if (cli_recorded_at(cli, &evaluation->frame.date) != ERR_OK)
        return cli->err.code;
    evaluation->frame.reporter = cli_text(cli, OPTION_REPORTER);
    if (str_is_empty(evaluation->frame.reporter))
        evaluation->frame.reporter = S("Braid");
    if (read_kinds(evaluation) != ERR_OK || read_sources(evaluation) != ERR_OK ||
        find_period(evaluation) != ERR_OK)
        return cli->err.code;
    evaluation->frame.period = evaluation->period;
    if (store_open(cli->arena, store, &evaluation->store, &cli->err) != ERR_OK ||
        open_files(evaluation) != ERR_OK || run_pass(evaluation) != ERR_OK)
        return cli->err.code;
    return write_sums(evaluation);
}

ExitCode cmd_measure_evaluate(Cli *cli)
{
    Evaluation evaluation = {.cli = cli};
    diag_init(&evaluation.diags, cli->arena);
    for (size_t i = 0; i < TEXT_FILES; i++)
        evaluation.files[i] = IO_FILE_CLOSED;
    ErrorCode code = evaluate(&evaluation);
    for (size_t i = 0; i < TEXT_FILES; i++)
        if (evaluation.files[i].fd >= 0 && code == ERR_OK)
            code = io_close(&evaluation.files[i], &cli->err);
        else
            io_close_cleanup(&evaluation.files[i]);
    store_close(evaluation.store);
    if (code != ERR_OK || !cli_has(cli, OPTION_JSON))
        cli_show_findings(cli, &evaluation.diags);
    if (code != ERR_OK)
        return cli_fail(cli);
    if (cli_has(cli, OPTION_JSON))
        json_evaluation(&evaluation);
    else
        show_evaluation(&evaluation);
    return cli_finish(cli, diag_has_errors(&evaluation.diags) ? EXIT_CODE_REFUSED : EXIT_CODE_OK);
}

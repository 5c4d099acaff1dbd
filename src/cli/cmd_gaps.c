/* braid gaps: what is still to be done for whom, and why. */
#include "base/date.h"
#include "cli/cli_view.h"

typedef struct {
    Cli *cli;
    CliView view;
    GapOptions options;
    size_t practice;  /* SIZE_MAX: all */
    size_t indicator; /* SIZE_MAX: all */
    bool has_person;
    size_t partition;
    uint32_t row;
    bool shows_all; /* closed and excluded ones too */
    CqlEval *eval;
    Arena *scratch; /* of one gap, or of one document */
} Ask;

static bool is_wanted(const void *context, size_t indicator, size_t partition, uint32_t row)
{
    const Ask *ask = context;
    if (ask->has_person && (partition != ask->partition || row != ask->row))
        return false;
    if (ask->indicator != SIZE_MAX && indicator != ask->indicator)
        return false;
    return ask->practice == SIZE_MAX ||
           programme_view_practice_of(ask->view.view, partition, row) == ask->practice;
}

static ErrorCode read_wishes(Ask *ask)
{
    Cli *cli = ask->cli;
    int64_t due = 0;
    int64_t late = 0;
    ErrorCode code = ERR_OK;
    if (cli_number(cli, OPTION_DUE_WITHIN, 0, GAPS_DUE_DAYS_MAX, &due) != ERR_OK ||
        cli_number(cli, OPTION_LATE_WITHIN, 0, GAPS_LATE_MONTHS_MAX, &late) != ERR_OK)
        return cli->err.code;
    ask->practice = SIZE_MAX;
    ask->indicator = SIZE_MAX;
    if (cli_has(cli, OPTION_PRACTICE))
        code = cli_view_practice(cli, &ask->view, cli_text(cli, OPTION_PRACTICE), &ask->practice);
    if (code == ERR_OK && cli_has(cli, OPTION_INDICATOR))
        code =
            cli_view_indicator(cli, &ask->view, cli_text(cli, OPTION_INDICATOR), &ask->indicator);
    ask->has_person = cli_has(cli, OPTION_PERSON);
    if (code == ERR_OK && ask->has_person)
        code =
            store_locate_person(programme_view_store(ask->view.view), cli_text(cli, OPTION_PERSON),
                                &ask->partition, &ask->row, &cli->err);
    ask->shows_all = ask->has_person || cli_has(cli, OPTION_ALL) || cli_has(cli, OPTION_FHIR);
    ask->options = (GapOptions){.due_within = (int32_t)due,
                                .late_within = (uint32_t)late,
                                .threads = ask->view.options.threads,
                                .exceptions = programme_view_exceptions(ask->view.view),
                                .is_wanted = is_wanted,
                                .context = ask};
    return code;
}

static ErrorCode evidence_of(const Ask *ask, const Gap *gap, Record *ret_record,
                             EvidenceVec *ret_evidence, Error *err)
{
    const RecordBatch *batch;
    ErrorCode code = store_batch(programme_view_store(ask->view.view), gap->partition, &batch, err);
    if (code != ERR_OK)
        return code;
    *ret_record = (Record){.batch = batch, .row = gap->row};
    MeasureAsk measure = {
        .arena = ask->scratch, .plan = programme_view_plan(ask->view.view), .eval = ask->eval};
    return measure_evidence(&measure, gap->indicator, *ret_record, ret_evidence, err);
}

static void text_gap(const Ask *ask, const Gap *gap, Record record, const EvidenceVec *evidence)
{
    StrBuf *out = &ask->cli->out;
    const IndicatorSpec *spec =
        &programme_view_programme(ask->view.view)->measures.indicators[gap->indicator];
    strbuf_printf(out, "%-38.*s %-24.*s %-9.*s", STR_ARG(record_person_id(record)),
                  STR_ARG(spec->id), STR_ARG(gap_status_name(gap->status)));
    if (gap->due_day != DAY_NONE)
        strbuf_printf(out, " %.*s", STR_ARG(day_format(ask->scratch, gap->due_day)));
    if (gap->late_months > 0)
        strbuf_printf(out, " for %u month%s or more", gap->late_months,
                      gap->late_months == 1 ? "" : "s");
    if ((gap->status == GAP_OPEN || gap->status == GAP_DUE_SOON) && !str_is_empty(spec->closes))
        strbuf_printf(out, "  %.*s", STR_ARG(spec->closes));
    strbuf_add_char(out, '\n');
    VEC_FOREACH (const Evidence, each, evidence) {
        strbuf_printf(out, "    %.*s: ", STR_ARG(each->definition));
        strbuf_add(out, each->value);
        if (!str_is_empty(each->resource))
            strbuf_printf(out, "  %.*s", STR_ARG(each->resource));
        if (each->day != DAY_NONE)
            strbuf_printf(out, " of %.*s", STR_ARG(day_format(ask->scratch, each->day)));
        strbuf_add_char(out, '\n');
    }
}

static void json_gap(const Ask *ask, JsonWriter *json, const Gap *gap, Record record,
                     const EvidenceVec *evidence)
{
    const IndicatorSpec *spec =
        &programme_view_programme(ask->view.view)->measures.indicators[gap->indicator];
    size_t practice = programme_view_practice_of(ask->view.view, gap->partition, gap->row);
    json_object_begin(json);
    json_member_str(json, S("person"), record_person_id(record));
    json_member_str(json, S("indicator"), spec->id);
    json_key(json, S("practice"));
    if (practice == SIZE_MAX)
        json_null(json);
    else
        json_str(json, programme_view_practice(ask->view.view, practice).id);
    json_member_str(json, S("status"), gap_status_name(gap->status));
    if (gap->due_day != DAY_NONE)
        json_member_str(json, S("due"), day_format(ask->scratch, gap->due_day));
    if (gap->status == GAP_OPEN)
        json_member_int(json, S("late_months"), gap->late_months);
    json_member_int(json, S("priority"), (int64_t)gap->priority);
    if (gap->status == GAP_OPEN || gap->status == GAP_DUE_SOON)
        json_member_str(json, S("closes"), spec->closes);
    programme_write_evidence(json, evidence);
    json_object_end(json);
}

static bool is_shown(const Ask *ask, const Gap *gap)
{
    return ask->shows_all || gap->status == GAP_OPEN || gap->status == GAP_DUE_SOON;
}

static ErrorCode show_list(Ask *ask, const GapVec *gaps)
{
    Cli *cli = ask->cli;
    bool is_json = cli_has(cli, OPTION_JSON);
    int64_t most = INT64_MAX;
    ErrorCode code = cli_number(cli, OPTION_MOST, 1, INT64_MAX, &most);
    JsonWriter json;
    json_writer_init(&json, &cli->out, true);
    uint64_t counts[GAP_EXCEPTED + 1] = {0};
    int64_t shown = 0;
    if (is_json)
        json_array_begin(&json);
    for (size_t i = 0; code == ERR_OK && i < gaps->count; i++) {
        const Gap *gap = &gaps->items[i];
        counts[gap->status]++;
        if (!is_shown(ask, gap) || shown == most)
            continue;
        shown++;
        Record record;
        EvidenceVec evidence = {0};
        code = evidence_of(ask, gap, &record, &evidence, &cli->err);
        if (code == ERR_OK && is_json)
            json_gap(ask, &json, gap, record, &evidence);
        else if (code == ERR_OK)
            text_gap(ask, gap, record, &evidence);
        arena_reset(ask->scratch);
    }
    if (is_json) {
        json_array_end(&json);
        strbuf_add_char(&cli->out, '\n');
    } else {
        strbuf_printf(
            &cli->out, "%llu open, %llu due soon, %llu closed, %llu excluded, %llu excepted\n",
            (unsigned long long)counts[GAP_OPEN], (unsigned long long)counts[GAP_DUE_SOON],
            (unsigned long long)counts[GAP_CLOSED], (unsigned long long)counts[GAP_EXCLUDED],
            (unsigned long long)counts[GAP_EXCEPTED]);
    }
    return code;
}

/* A document a person, from their gaps, which stand together. */
static ErrorCode show_documents(Ask *ask, const GapVec *gaps)
{
    Cli *cli = ask->cli;
    const Programme *programme = programme_view_programme(ask->view.view);
    GapDocumentFrame frame = {.programme = programme->id,
                              .version = programme->version,
                              .title = programme->title,
                              .period_first = programme->measures.period_first,
                              .period_last = programme->measures.period_last,
                              .spec = &programme->measures,
                              .date = cli_has(cli, OPTION_RECORDED_AT)
                                          ? cli_text(cli, OPTION_RECORDED_AT)
                                          : cli_now(cli->arena)};
    ErrorCode code = ERR_OK;
    for (size_t from = 0, to; code == ERR_OK && from < gaps->count; from = to) {
        const Gap *first = &gaps->items[from];
        for (to = from; to < gaps->count && gaps->items[to].partition == first->partition &&
                        gaps->items[to].row == first->row;)
            to++;
        GapWithEvidence *with = ARENA_ZARRAY(ask->scratch, GapWithEvidence, to - from);
        Record record = {0};
        for (size_t i = from; code == ERR_OK && i < to; i++) {
            with[i - from].gap = gaps->items[i];
            code = evidence_of(ask, &gaps->items[i], &record, &with[i - from].evidence, &cli->err);
        }
        size_t practice = programme_view_practice_of(ask->view.view, first->partition, first->row);
        frame.author =
            practice == SIZE_MAX ? S("") : programme_view_practice(ask->view.view, practice).id;
        StrBuf text;
        strbuf_init(&text, ask->scratch, 0);
        if (code == ERR_OK)
            measure_gap_document(&frame, record, with, to - from, &text);
        strbuf_add(&cli->out, strbuf_str(&text));
        arena_reset(ask->scratch);
    }
    return code;
}

static ErrorCode run(Ask *ask)
{
    Cli *cli = ask->cli;
    ErrorCode code = read_wishes(ask);
    if (code != ERR_OK)
        return code;
    MeasureSource source = programme_view_source(ask->view.view);
    DiagList diags;
    diag_init(&diags, cli->arena);
    GapVec gaps;
    code =
        measure_gaps(cli->arena, &source, programme_view_results(ask->view.view),
                     programme_view_store(ask->view.view), &ask->options, &diags, &gaps, &cli->err);
    cli_show_findings(cli, &diags);
    diag_append(ask->view.options.diags, &diags);
    if (code != ERR_OK)
        return code;
    ask->scratch = arena_create(0);
    ask->eval = cql_eval_create(measure_plan_cql(programme_view_plan(ask->view.view)));
    if (cli_has(cli, OPTION_FHIR)) {
        code = show_documents(ask, &gaps);
    } else {
        measure_gaps_sort(&gaps);
        code = show_list(ask, &gaps);
    }
    cql_eval_destroy(ask->eval);
    arena_destroy(ask->scratch);
    return code;
}

ExitCode cmd_gaps(Cli *cli)
{
    Ask ask = {.cli = cli};
    if (cli_view_open(cli, &ask.view) != ERR_OK)
        return cli_fail(cli);
    ErrorCode code = run(&ask);
    bool has_errors = diag_has_errors(ask.view.options.diags);
    cli_view_close(&ask.view);
    if (code != ERR_OK)
        return cli_fail(cli);
    return cli_finish(cli, has_errors ? EXIT_CODE_REFUSED : EXIT_CODE_OK);
}

/* The stages in order, each passed over when nothing that it depends on has changed. */
#include "programme/programme.h"

#include "programme/programme_int.h"

#ifndef BRAID_VERSION /* given by the build */
#define BRAID_VERSION "unknown"
#endif

/* Raised whenever a stage comes to write its files in another way within a version. */
enum { STAGE_FORMAT = 1 };

Str stage_name(Stage stage)
{
    static const Str names[STAGE_COUNT] = {STR_INIT("load"), STR_INIT("measure"),
                                           STR_INIT("settle"), STR_INIT("report")};
    return names[stage];
}

/* --- what several stages need --- */

ErrorCode run_need_store(Run *run, Error *err)
{
    if (run->store != NULL)
        return ERR_OK;
    return store_open(run->arena, run->store_path, &run->store, err);
}

/* The moment of evaluation is the end of the period: the result must not depend on the day that
   somebody runs it. */
static ErrorCode need_plan(Run *run, Error *err)
{
    ErrorCode code = run_need_store(run, err);
    if (code != ERR_OK || run->plan != NULL)
        return code;
    MeasureSource source = programme_source(run->programme, store_dict(run->store));
    MeasurePlan *plan;
    code = measure_source_plan(run->arena, &source, run->diags, &plan, err);
    if (code != ERR_OK)
        return code;
    run->cql = measure_plan_cql(plan);
    run->plan = plan;
    return ERR_OK;
}

ErrorCode run_need_measures(Run *run, Error *err)
{
    ErrorCode code = need_plan(run, err);
    if (code != ERR_OK || run->measures != NULL)
        return code;
    MeasureOptions options = {.threads = run->options->threads,
                              .progress = run->options->progress,
                              .diags = run->diags,
                              .exceptions = run->exceptions};
    MeasureResults *results;
    code = measure_run(run->arena, run->plan, run->store, &options, &results, err);
    if (code == ERR_OK)
        run->measures = results;
    return code;
}

/* --- work by partition, written in order --- */

typedef struct {
    Run *run;
    PartitionFn fn;
    void *context;
    size_t first;   /* partition of item 0 */
    Arena **arenas; /* one a worker */
    CqlEval **evals;
    Arena **text_arenas; /* one an item */
    StrBuf *texts;
    Error *errors; /* one an item */
} Wave;

static bool visit_item(void *context, size_t worker, size_t item)
{
    Wave *wave = context;
    PartitionWork work = {.run = wave->run,
                          .arena = wave->arenas[worker],
                          .eval = wave->evals[worker],
                          .partition = wave->first + item,
                          .text = &wave->texts[item]};
    Error *err = &wave->errors[item];
    arena_reset(work.arena);
    if (store_batch(wave->run->store, work.partition, &work.batch, err) != ERR_OK)
        return false;
    return wave->fn(wave->context, &work, err) == ERR_OK;
}

static ErrorCode run_wave(Wave *wave, size_t count, IoFile *file, Error *err)
{
    for (size_t i = 0; i < count; i++) {
        arena_reset(wave->text_arenas[i]);
        strbuf_init(&wave->texts[i], wave->text_arenas[i], 0);
        wave->errors[i] = (Error){0};
    }
    (void)work_run(wave->run->options->threads, count, visit_item, wave); /* errors say it */
    for (size_t i = 0; i < count; i++) {
        if (wave->errors[i].code != ERR_OK)
            return error_set(err, wave->errors[i].code, "%s", wave->errors[i].message);
        ErrorCode code = io_write(file, wave->texts[i].ptr, wave->texts[i].len, err);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

ErrorCode run_partitions(Run *run, PartitionFn fn, void *context, IoFile *file, Error *err)
{
    size_t threads = run->options->threads;
    size_t items = threads * 4;
    Wave wave = {.run = run,
                 .fn = fn,
                 .context = context,
                 .arenas = ARENA_ARRAY(run->arena, Arena *, threads),
                 .evals = ARENA_ARRAY(run->arena, CqlEval *, threads),
                 .text_arenas = ARENA_ARRAY(run->arena, Arena *, items),
                 .texts = ARENA_ZARRAY(run->arena, StrBuf, items),
                 .errors = ARENA_ZARRAY(run->arena, Error, items)};
    for (size_t i = 0; i < threads; i++) {
        wave.arenas[i] = arena_create(0);
        wave.evals[i] = cql_eval_create(run->cql);
    }
    for (size_t i = 0; i < items; i++)
        wave.text_arenas[i] = arena_create(0);
    size_t partitions = store_partition_count(run->store);
    ErrorCode code = ERR_OK;
    for (; code == ERR_OK && wave.first < partitions; wave.first += items) {
        size_t left = partitions - wave.first;
        code = run_wave(&wave, left < items ? left : items, file, err);
    }
    for (size_t i = 0; i < threads; i++) {
        cql_eval_destroy(wave.evals[i]);
        arena_destroy(wave.arenas[i]);
    }
    for (size_t i = 0; i < items; i++)
        arena_destroy(wave.text_arenas[i]);
    return code;
}

/* --- has anything changed? --- */

static ErrorCode digest_data(Run *run, uint64_t *ret_digest, Error *err)
{
    const ProgrammeOptions *options = run->options;
    InputDigest digest = {0};
    for (size_t i = 0; i < options->data_count; i++) {
        /* Standard input can be read only once: it is loaded whenever it is given. */
        if (str_eq(options->data[i], S("-")))
            input_digest_text(&digest, options->recorded_at);
        else if (input_digest_path(run->arena, &digest, options->data[i], err) != ERR_OK)
            return error_wrap(err, "%.*s", STR_ARG(options->data[i]));
    }
    input_digest_number(&digest, options->omit_narrative);
    input_digest_number(&digest, (int64_t)options->resource_bytes_max);
    *ret_digest = digest.value;
    return ERR_OK;
}

/* What the store holds, for runs that did not load it. */
static ErrorCode digest_store(Run *run, uint64_t *ret_digest, Error *err)
{
    ErrorCode code = run_need_store(run, err);
    if (code != ERR_OK)
        return code;
    const StoreInfo *info = store_info(run->store);
    InputDigest digest = {0};
    input_digest_number(&digest, info->generation);
    input_digest_number(&digest, (int64_t)info->persons);
    input_digest_number(&digest, (int64_t)info->resources);
    input_digest_number(&digest, (int64_t)info->file_bytes);
    input_digest_number(&digest, (int64_t)info->source_bytes);
    *ret_digest = digest.value;
    return ERR_OK;
}

static ErrorCode stage_digest(Run *run, Stage stage, uint64_t *ret_digest, Error *err)
{
    const ProgrammeOptions *options = run->options;
    InputDigest digest = {.value = STAGE_FORMAT};
    uint64_t below = 0;
    ErrorCode code = stage == STAGE_LOAD      ? digest_data(run, &below, err)
                     : stage == STAGE_MEASURE ? digest_store(run, &below, err)
                                              : ERR_OK;
    if (code != ERR_OK)
        return code;
    input_digest_text(&digest, S(BRAID_VERSION));
    input_digest_number(&digest, (int64_t)below);
    if (stage != STAGE_LOAD) {
        input_digest_number(&digest, (int64_t)run->programme->digest);
        input_digest_number(&digest, options->on_day);
    }
    if (stage == STAGE_SETTLE || stage == STAGE_REPORT) {
        if (digest_store(run, &below, err) != ERR_OK)
            return err->code;
        input_digest_number(&digest, (int64_t)below);
        input_digest_number(&digest, (int64_t)run->programme->contract_digest);
        input_digest_number(&digest, options->posting_day);
        input_digest_number(&digest, options->through_day);
    }
    if (stage == STAGE_SETTLE) {
        input_digest_number(&digest, options->is_dry_run);
        input_digest_number(&digest, options->look_back_months);
        input_digest_number(&digest, options->freeze_day);
        input_digest_number(&digest, options->writes_forms);
    }
    if (stage == STAGE_REPORT) {
        input_digest_number(&digest, (int64_t)options->report_persons);
        report_digest_page(&digest);
    }
    *ret_digest = digest.value;
    return ERR_OK;
}

static Str state_path(Run *run, Stage stage, const char *ending)
{
    return str_format(run->arena, "%.*s/stages/%.*s.%s", STR_ARG(run->options->out),
                      STR_ARG(stage_name(stage)), ending);
}

static Str digest_hex(Run *run, Stage stage)
{
    return str_format(run->arena, "%016llx\n", (unsigned long long)run->digests[stage]);
}

/* Reads what an earlier run left of the stage: its result, and whether it was made from the same.
 */
static bool read_state(Run *run, Stage stage)
{
    Str inputs;
    Str result;
    if (io_read_file(run->arena, state_path(run, stage, "json"), 0, &result, NULL) != ERR_OK ||
        io_read_file(run->arena, state_path(run, stage, "inputs"), 0, &inputs, NULL) != ERR_OK)
        return false;
    run->results[stage] = str_trim(result);
    return str_eq(inputs, digest_hex(run, stage));
}

/* The result first: a stage counts as done from the second file on. */
static ErrorCode write_state(Run *run, Stage stage, Error *err)
{
    ErrorCode code =
        io_replace_file(state_path(run, stage, "json"),
                        str_format(run->arena, "%.*s\n", STR_ARG(run->results[stage])), err);
    if (code == ERR_OK)
        code = io_replace_file(state_path(run, stage, "inputs"), digest_hex(run, stage), err);
    return code;
}

/* Files that must be there for a stage to count as done. */
static bool has_outputs(Run *run, Stage stage)
{
    static const Str files[STAGE_COUNT] = {STR_INIT(""), STR_INIT("measure/practices.json"),
                                           STR_INIT("settle/summary.json"),
                                           STR_INIT("report.html")};
    if (stage == STAGE_LOAD)
        return io_is_dir(run->store_path);
    return io_exists(io_join(run->arena, run->options->out, files[stage])) ||
           (stage == STAGE_SETTLE && run->programme->contract == NULL);
}

static ErrorCode write_stage_findings(Run *run, Stage stage, Error *err)
{
    StrBuf text;
    strbuf_init(&text, run->arena, 0);
    JsonWriter json;
    json_writer_init(&json, &text, false);
    VEC_FOREACH (Diag, diag, &run->diags->kept) {
        json_diag(&json, diag);
        json_line_end(&json);
    }
    return io_write_file(state_path(run, stage, "findings"), strbuf_str(&text), err);
}

static ErrorCode do_stage(Run *run, Stage stage, Error *err)
{
    static ErrorCode (*const stages[STAGE_COUNT])(Run *, Str *, Error *) = {
        stage_load, stage_measure, stage_settle, stage_report};
    const ProgrammeOptions *options = run->options;
    ErrorCode code = stage_digest(run, stage, &run->digests[stage], err);
    if (code != ERR_OK)
        return code;
    bool is_done = read_state(run, stage) && has_outputs(run, stage) && !options->is_forced;
    if (is_done) {
        if (options->on_skip != NULL)
            options->on_skip(options->context, stage);
        return stage == STAGE_SETTLE ? check_ledger(run, err) : ERR_OK;
    }
    /* While the stage is at work nobody must take its files for finished ones. */
    code = io_remove(state_path(run, stage, "inputs"), err);
    if (code != ERR_OK)
        return code;
    DiagList diags;
    diag_init(&diags, run->arena);
    run->diags = &diags;
    code = stages[stage](run, &run->results[stage], err);
    diag_append(options->diags, &diags);
    if (code == ERR_OK)
        code = write_stage_findings(run, stage, err);
    if (code == ERR_OK)
        code = write_state(run, stage, err);
    return code;
}

/* --- the result --- */

static void write_result(Run *run, StrBuf *out)
{
    const Programme *programme = run->programme;
    JsonWriter json;
    json_writer_init(&json, out, false);
    json_object_begin(&json);
    json_key(&json, S("programme"));
    json_object_begin(&json);
    json_member_str(&json, S("id"), programme->id);
    json_member_str(&json, S("title"), programme->title);
    json_member_str(&json, S("version"), programme->version);
    json_member_str(&json, S("from"), day_format(run->arena, programme->measures.period_first));
    json_member_str(&json, S("to"), day_format(run->arena, programme->measures.period_last));
    json_object_end(&json);
    for (size_t stage = 0; stage < STAGE_COUNT; stage++) {
        json_key(&json, stage_name((Stage)stage));
        if (str_is_empty(run->results[stage]))
            json_null(&json);
        else
            json_raw(&json, run->results[stage]);
    }
    json_object_end(&json);
    strbuf_add_char(out, '\n');
}

/* The findings of all stages, of this run and of those that were passed over. */
static ErrorCode write_findings(Run *run, Error *err)
{
    StrBuf text;
    strbuf_init(&text, run->arena, 0);
    for (size_t stage = 0; stage < STAGE_COUNT; stage++) {
        Str findings;
        if (io_read_file(run->arena, state_path(run, (Stage)stage, "findings"), 0, &findings,
                         NULL) == ERR_OK)
            strbuf_add(&text, findings);
    }
    return io_write_file(io_join(run->arena, run->options->out, S("findings.ndjson")),
                         strbuf_str(&text), err);
}

ErrorCode programme_run(Arena *arena, const Programme *programme, const ProgrammeOptions *options,
                        ProgrammeResult *ret_result, Error *err)
{
    const Programme at_day = programme_at(programme, options->on_day);
    Run run = {.arena = arena, .programme = &at_day, .options = options};
    ASSERT(options->threads > 0 && options->diags != NULL);
    run.store_path = str_is_empty(options->store_path) ? io_join(arena, options->out, S("store"))
                                                       : options->store_path;
    Str stages = io_join(arena, options->out, S("stages"));
    /* One at a time over a folder: what a stage reads is what the stage before it wrote. */
    CLEANUP(io_close_cleanup) IoFile lock = IO_FILE_CLOSED;
    ErrorCode code = io_make_dirs(stages, err);
    if (code == ERR_OK)
        code = io_lock(io_join(arena, stages, S("lock")), &lock, err);
    for (size_t stage = 0; code == ERR_OK && stage < STAGE_COUNT; stage++)
        if (options->stages[stage])
            code = do_stage(&run, (Stage)stage, err);
        else
            (void)read_state(&run, (Stage)stage);
    StrBuf text;
    strbuf_init(&text, arena, 0);
    if (code == ERR_OK)
        write_result(&run, &text);
    if (code == ERR_OK)
        code =
            io_replace_file(io_join(arena, options->out, S("result.json")), strbuf_str(&text), err);
    if (code == ERR_OK)
        code = write_findings(&run, err);
    store_close(run.store);
    if (code != ERR_OK)
        return code;
    *ret_result = (ProgrammeResult){.json = strbuf_str(&text),
                                    .report_path = io_join(arena, options->out, S("report.html"))};
    return ERR_OK;
}

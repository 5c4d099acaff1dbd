/* The stages load, measure and settle: each does its work and says in JSON what came of it. */
#include "programme/programme_int.h"

/* --- load --- */

ErrorCode stage_load(Run *run, Str *ret_json, Error *err)
{
    const ProgrammeOptions *options = run->options;
    IntakeOptions intake = {.sources = options->data,
                            .source_count = options->data_count,
                            .store_path = run->store_path,
                            .progress = options->progress,
                            .threads = options->threads,
                            .memory_max = options->memory_max,
                            .resource_bytes_max = options->resource_bytes_max,
                            .omit_narrative = options->omit_narrative,
                            .refused_path = io_join(run->arena, options->out, S("refused.ndjson"))};
    IntakeReport report;
    ErrorCode code = intake_load(run->arena, &intake, run->diags, &report, err);
    if (code != ERR_OK)
        return code;
    StrBuf text;
    strbuf_init(&text, run->arena, 0);
    JsonWriter json;
    json_writer_init(&json, &text, false);
    json_object_begin(&json);
    json_member_int(&json, S("files"), (int64_t)report.files);
    json_member_int(&json, S("bytes"), (int64_t)report.bytes);
    json_member_int(&json, S("persons"), (int64_t)report.persons);
    json_member_int(&json, S("accepted"), (int64_t)report.accepted);
    json_member_int(&json, S("shared"), (int64_t)report.shared);
    json_member_int(&json, S("repeated"), (int64_t)report.repeated);
    json_key(&json, S("accepted_by_type"));
    json_object_begin(&json);
    for (size_t type = 0; type < FHIR_RESOURCE_TYPE_LIMIT; type++)
        if (report.accepted_by_type[type] > 0)
            json_member_int(&json, fhir_type_name((uint16_t)type),
                            (int64_t)report.accepted_by_type[type]);
    json_object_end(&json);
    json_member_int(&json, S("refused"), (int64_t)report.refused);
    json_key(&json, S("refused_by_rule"));
    json_object_begin(&json);
    VEC_FOREACH (IntakeRefusal, refusal, &report.refused_by_rule)
        json_member_int(&json, refusal->rule, (int64_t)refusal->count);
    json_object_end(&json);
    json_object_end(&json);
    *ret_json = strbuf_str(&text);
    return ERR_OK;
}

/* --- measure --- */

IndicatorRate programme_rate(const MeasureResults *results, size_t indicator)
{
    IndicatorRate rate = {.achieved = measure_count(results, POPULATION_NUMERATOR, indicator)};
    rate.eligible = rate.achieved + measure_count(results, POPULATION_GAP, indicator);
    MeasureInterval interval = measure_wilson(rate.achieved, rate.eligible);
    rate.rate = interval.rate;
    rate.low = interval.low;
    rate.high = interval.high;
    return rate;
}

void write_rate(JsonWriter *json, Arena *arena, IndicatorRate rate)
{
    static const Str keys[] = {STR_INIT("rate"), STR_INIT("rate_low"), STR_INIT("rate_high")};
    const double values[] = {rate.rate, rate.low, rate.high};
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        json_key(json, keys[i]);
        if (rate.eligible == 0)
            json_null(json);
        else
            json_raw(json, str_format(arena, "%.6f", values[i]));
    }
}

void write_evidence(JsonWriter *json, const EvidenceVec *evidence)
{
    json_key(json, S("evidence"));
    json_array_begin(json);
    VEC_FOREACH (Evidence, each, evidence) {
        json_object_begin(json);
        json_member_str(json, S("definition"), each->definition);
        json_member_str(json, S("value"), each->value);
        if (!str_is_empty(each->resource))
            json_member_str(json, S("resource"), each->resource);
        if (each->day != DAY_NONE)
            json_member_str(json, S("date"), day_format(json->out->arena, each->day));
        json_object_end(json);
    }
    json_array_end(json);
}

static void write_practice(JsonWriter *json, const Run *run, size_t partition, uint32_t row)
{
    uint32_t practice = practice_of(run->practices, partition, row);
    json_key(json, S("practice"));
    if (practice == PRACTICE_NONE)
        json_null(json);
    else
        json_str(json, practice_at(run->practices, practice)->id);
}

static ErrorCode write_register_line(const PartitionWork *work, size_t index, Record record,
                                     Error *err)
{
    MeasureAsk ask = {.arena = work->arena, .plan = work->run->plan, .eval = work->eval};
    EvidenceVec evidence = {0};
    ErrorCode code = measure_register_evidence(&ask, index, record, &evidence, err);
    if (code != ERR_OK)
        return code;
    JsonWriter json;
    json_writer_init(&json, work->text, false);
    json_object_begin(&json);
    json_member_str(&json, S("person"), record_person_id(record));
    json_member_str(&json, S("register"),
                    measure_results_spec(work->run->measures)->registers[index].id);
    write_practice(&json, work->run, work->partition, record.row);
    write_evidence(&json, &evidence);
    json_object_end(&json);
    json_line_end(&json);
    return ERR_OK;
}

static ErrorCode write_registers(void *context, const PartitionWork *work, Error *err)
{
    (void)context;
    const MeasureResults *measures = work->run->measures;
    size_t count = measure_results_spec(measures)->register_count;
    ErrorCode code = ERR_OK;
    for (uint32_t row = 0; row < work->batch->person_count; row++)
        for (size_t i = 0; i < count && code == ERR_OK; i++)
            if (measure_is_in(measures, POPULATION_REGISTER, i, work->partition, row)) {
                ArenaMark mark = arena_mark(work->arena);
                code =
                    write_register_line(work, i, (Record){.batch = work->batch, .row = row}, err);
                arena_rewind(work->arena, mark);
            }
    return code;
}

static ErrorCode write_gap_line(const PartitionWork *work, size_t index, Record record, Error *err)
{
    MeasureAsk ask = {
        .arena = work->arena, .plan = work->run->plan, .eval = work->eval, .is_begun = true};
    const IndicatorSpec *spec = &measure_results_spec(work->run->measures)->indicators[index];
    EvidenceVec evidence = {0};
    ErrorCode code = measure_evidence(&ask, index, record, &evidence, err);
    if (code != ERR_OK)
        return code;
    JsonWriter json;
    json_writer_init(&json, work->text, false);
    json_object_begin(&json);
    json_member_str(&json, S("person"), record_person_id(record));
    json_member_str(&json, S("indicator"), spec->id);
    write_practice(&json, work->run, work->partition, record.row);
    Str status = measure_answer_name(
        measure_answer(work->run->measures, index, work->partition, record.row));
    json_member_str(&json, S("status"), status);
    if (str_eq(status, S("gap")) && !str_is_empty(spec->closes))
        json_member_str(&json, S("closes"), spec->closes);
    write_evidence(&json, &evidence);
    json_object_end(&json);
    json_line_end(&json);
    return ERR_OK;
}

/* All lines of one person, from one evaluation. */
static ErrorCode write_person_gaps(const PartitionWork *work, Record record, Error *err)
{
    const MeasureResults *measures = work->run->measures;
    size_t count = measure_results_spec(measures)->indicator_count;
    bool is_begun = false;
    ErrorCode code = ERR_OK;
    for (size_t i = 0; i < count && code == ERR_OK; i++) {
        if (!measure_is_in(measures, POPULATION_DENOMINATOR, i, work->partition, record.row))
            continue;
        if (!is_begun)
            cql_eval_begin(work->eval, record);
        is_begun = true;
        ArenaMark mark = arena_mark(work->arena);
        code = write_gap_line(work, i, record, err);
        arena_rewind(work->arena, mark);
    }
    return code;
}

static ErrorCode write_gaps(void *context, const PartitionWork *work, Error *err)
{
    (void)context;
    ErrorCode code = ERR_OK;
    for (uint32_t row = 0; row < work->batch->person_count && code == ERR_OK; row++)
        code = write_person_gaps(work, (Record){.batch = work->batch, .row = row}, err);
    return code;
}

/* A file written bit by bit under another name, and named when it is whole. */
static ErrorCode write_by_partition(Run *run, Str path, PartitionFn fn, Error *err)
{
    Str partial = str_format(run->arena, "%.*s.partial", STR_ARG(path));
    CLEANUP(io_close_cleanup) IoFile file = IO_FILE_CLOSED;
    ErrorCode code = io_create(partial, &file, err);
    if (code == ERR_OK)
        code = run_partitions(run, fn, NULL, &file, err);
    if (code == ERR_OK)
        code = io_close(&file, err);
    if (code == ERR_OK)
        code = io_rename(partial, path, err);
    return code;
}

void write_registers_and_indicators(Run *run, JsonWriter *json)
{
    const MeasureSpec *spec = measure_results_spec(run->measures);
    json_key(json, S("registers"));
    json_array_begin(json);
    for (size_t i = 0; i < spec->register_count; i++) {
        json_object_begin(json);
        json_member_str(json, S("id"), spec->registers[i].id);
        json_member_str(json, S("title"), spec->registers[i].title);
        json_member_int(json, S("persons"),
                        (int64_t)measure_count(run->measures, POPULATION_REGISTER, i));
        json_object_end(json);
    }
    json_array_end(json);
    json_key(json, S("indicators"));
    json_array_begin(json);
    for (size_t i = 0; i < spec->indicator_count; i++) {
        const IndicatorSpec *each = &spec->indicators[i];
        json_object_begin(json);
        json_member_str(json, S("id"), each->id);
        json_member_str(json, S("title"), each->title);
        json_member_str(json, S("register"), each->register_id);
        json_member_int(json, S("denominator"),
                        (int64_t)measure_count(run->measures, POPULATION_DENOMINATOR, i));
        json_member_int(json, S("excluded"),
                        (int64_t)measure_count(run->measures, POPULATION_EXCLUSION, i));
        json_member_int(json, S("achieved"),
                        (int64_t)measure_count(run->measures, POPULATION_NUMERATOR, i));
        json_member_int(json, S("excepted"),
                        (int64_t)measure_count(run->measures, POPULATION_EXCEPTION, i));
        json_member_int(json, S("gaps"), (int64_t)measure_count(run->measures, POPULATION_GAP, i));
        write_rate(json, run->arena, programme_rate(run->measures, i));
        json_object_end(json);
    }
    json_array_end(json);
}

enum { COUNTS_OF_INDICATOR = 5 };

/* Counts of each practice, and of nobody's persons last: persons, registers, then denominator,
   excluded, achieved, gaps and excepted of each indicator. */
typedef struct {
    size_t width;
    uint64_t *counts;
} PracticeCounts;

static PracticeCounts count_by_practice(Run *run)
{
    const MeasureSpec *spec = measure_results_spec(run->measures);
    static const Population populations[] = {POPULATION_DENOMINATOR, POPULATION_EXCLUSION,
                                             POPULATION_NUMERATOR, POPULATION_GAP,
                                             POPULATION_EXCEPTION};
    ASSERT(COUNT_OF(populations) == COUNTS_OF_INDICATOR);
    size_t rows = practice_count(run->practices) + 1;
    PracticeCounts counts = {.width = 1 + spec->register_count +
                                      COUNTS_OF_INDICATOR * spec->indicator_count};
    counts.counts = ARENA_ZARRAY(run->arena, uint64_t, rows * counts.width);
    for (size_t part = 0; part < store_partition_count(run->store); part++)
        for (uint32_t row = 0; row < store_partition_persons(run->store, part); row++) {
            uint32_t practice = practice_of(run->practices, part, row);
            size_t at = practice == PRACTICE_NONE ? rows - 1 : practice;
            uint64_t *line = counts.counts + at * counts.width;
            *line++ += 1;
            for (size_t i = 0; i < spec->register_count; i++)
                *line++ += measure_is_in(run->measures, POPULATION_REGISTER, i, part, row);
            for (size_t i = 0; i < spec->indicator_count; i++)
                for (size_t j = 0; j < COUNT_OF(populations); j++)
                    *line++ += measure_is_in(run->measures, populations[j], i, part, row);
        }
    return counts;
}

static void write_practice_counts(Run *run, JsonWriter *json, const uint64_t *line)
{
    const MeasureSpec *spec = measure_results_spec(run->measures);
    static const Str keys[] = {STR_INIT("denominator"), STR_INIT("excluded"), STR_INIT("achieved"),
                               STR_INIT("gaps"), STR_INIT("excepted")};
    json_member_int(json, S("persons"), (int64_t)*line++);
    json_key(json, S("registers"));
    json_object_begin(json);
    for (size_t i = 0; i < spec->register_count; i++)
        json_member_int(json, spec->registers[i].id, (int64_t)*line++);
    json_object_end(json);
    json_key(json, S("indicators"));
    json_object_begin(json);
    for (size_t i = 0; i < spec->indicator_count; i++) {
        json_key(json, spec->indicators[i].id);
        json_object_begin(json);
        for (size_t j = 0; j < COUNT_OF(keys); j++)
            json_member_int(json, keys[j], (int64_t)*line++);
        json_object_end(json);
    }
    json_object_end(json);
}

static void write_practices(Run *run, JsonWriter *json)
{
    PracticeCounts counts = count_by_practice(run);
    size_t practices = practice_count(run->practices);
    json_object_begin(json);
    json_member_str(json, S("attributed_on"), day_format(run->arena, practice_day(run->practices)));
    json_key(json, S("practices"));
    json_array_begin(json);
    for (size_t i = 0; i < practices; i++) {
        json_object_begin(json);
        json_member_str(json, S("id"), practice_at(run->practices, i)->id);
        json_member_str(json, S("name"), practice_at(run->practices, i)->name);
        write_practice_counts(run, json, counts.counts + i * counts.width);
        json_object_end(json);
    }
    json_array_end(json);
    json_key(json, S("without_practice"));
    json_object_begin(json);
    write_practice_counts(run, json, counts.counts + practices * counts.width);
    json_object_end(json);
    json_object_end(json);
}

static void write_compact(Run *run, JsonWriter *json, const uint64_t *line)
{
    const MeasureSpec *spec = measure_results_spec(run->measures);
    json_member_int(json, S("persons"), (int64_t)*line++);
    json_key(json, S("registers"));
    json_array_begin(json);
    for (size_t i = 0; i < spec->register_count; i++)
        json_int(json, (int64_t)*line++);
    json_array_end(json);
    json_key(json, S("indicators"));
    json_array_begin(json);
    for (size_t i = 0; i < spec->indicator_count; i++) {
        json_array_begin(json);
        for (size_t j = 0; j < COUNTS_OF_INDICATOR; j++)
            json_int(json, (int64_t)*line++);
        json_array_end(json);
    }
    json_array_end(json);
}

void write_practices_compact(Run *run, JsonWriter *json)
{
    PracticeCounts counts = count_by_practice(run);
    size_t practices = practice_count(run->practices);
    json_member_str(json, S("attributed_on"), day_format(run->arena, practice_day(run->practices)));
    json_key(json, S("practices"));
    json_array_begin(json);
    for (size_t i = 0; i < practices; i++) {
        json_object_begin(json);
        json_member_str(json, S("id"), practice_at(run->practices, i)->id);
        json_member_str(json, S("name"), practice_at(run->practices, i)->name);
        write_compact(run, json, counts.counts + i * counts.width);
        json_object_end(json);
    }
    json_array_end(json);
    json_key(json, S("without"));
    json_object_begin(json);
    write_compact(run, json, counts.counts + practices * counts.width);
    json_object_end(json);
}

/* A run of an earlier day than the last leaves the history as it is, and says so. */
static ErrorCode update_history(Run *run, Error *err)
{
    RegisterHistory history;
    Str path = programme_history_path(run->arena, run->options->out);
    ErrorCode code = register_history_read(run->arena, path, &history, err);
    if (code != ERR_OK)
        return code;
    Error refused = {0};
    code = register_history_update(run->arena, &history, run->measures, run->store, &refused);
    if (code == ERR_REFUSED) {
        diag_add(run->diags, &(Diag){.severity = SEVERITY_WARNING,
                                     .rule = S("register-history"),
                                     .file = path,
                                     .text = str_from_c(refused.message)});
        return ERR_OK;
    }
    if (code != ERR_OK)
        return error_set(err, code, "%s", refused.message);
    return register_history_write(run->arena, path, &history, err);
}

ErrorCode stage_measure(Run *run, Str *ret_json, Error *err)
{
    run->measures = NULL;
    Str folder = io_join(run->arena, run->options->out, S("measure"));
    ErrorCode code = run_need_measures(run, err);
    if (code == ERR_OK)
        code = run_need_practices(run, err);
    if (code == ERR_OK)
        code = io_make_dirs(folder, err);
    if (code == ERR_OK)
        code = write_by_partition(run, io_join(run->arena, folder, S("registers.ndjson")),
                                  write_registers, err);
    if (code == ERR_OK)
        code =
            write_by_partition(run, io_join(run->arena, folder, S("gaps.ndjson")), write_gaps, err);
    if (code == ERR_OK)
        code = update_history(run, err);
    if (code != ERR_OK)
        return code;
    const StoreInfo *info = store_info(run->store);
    StrBuf text;
    JsonWriter json;
    strbuf_init(&text, run->arena, 0);
    json_writer_init(&json, &text, false);
    json_object_begin(&json);
    json_member_int(&json, S("persons"), (int64_t)info->persons);
    json_member_int(&json, S("resources"), (int64_t)info->resources);
    json_member_int(&json, S("failed"), (int64_t)measure_failed_count(run->measures));
    programme_write_versions(run->programme, &json);
    json_member_int(&json, S("practices"), (int64_t)practice_count(run->practices));
    write_registers_and_indicators(run, &json);
    json_object_end(&json);
    *ret_json = strbuf_str(&text);
    code = io_write_file(io_join(run->arena, folder, S("indicators.json")),
                         str_format(run->arena, "%.*s\n", STR_ARG(*ret_json)), err);
    if (code != ERR_OK)
        return code;
    StrBuf practices;
    strbuf_init(&practices, run->arena, 0);
    json_writer_init(&json, &practices, true);
    write_practices(run, &json);
    strbuf_add_char(&practices, '\n');
    return io_write_file(io_join(run->arena, folder, S("practices.json")), strbuf_str(&practices),
                         err);
}

/* --- settle --- */

/* A contract does not know its file: findings about it are given its name here. */
static void name_contract(Run *run)
{
    VEC_FOREACH (Diag, diag, &run->diags->kept)
        if (str_is_empty(diag->file) && diag->line > 0)
            diag->file = run->programme->contract_file;
}

static ErrorCode settle_into(Run *run, Str out, Ledger *ledger, bool is_dry_run, Error *err)
{
    const ProgrammeOptions *options = run->options;
    ErrorCode code = run_need_measures(run, err);
    if (code != ERR_OK)
        return code;
    SettleInput input = {.contract = run->programme->contract,
                         .store = run->store,
                         .measures = run->measures,
                         .plan = run->plan,
                         .cql = run->cql,
                         .ledger = ledger};
    SettleOptions settle = {.out = out,
                            .posting_day = options->posting_day,
                            .through_day = options->through_day,
                            .look_back_months = options->look_back_months,
                            .freeze_day = options->freeze_day,
                            .writes_forms = options->writes_forms,
                            .recorded_at = options->recorded_at,
                            .is_dry_run = is_dry_run,
                            .threads = options->threads,
                            .progress = options->progress};
    code = settle_run(run->arena, &input, &settle, run->diags, &run->settled, err);
    if (code == ERR_OK)
        run->settled_out = out;
    name_contract(run);
    return code == ERR_DOCUMENT ? diag_to_error(run->diags, err) : code;
}

/* The payment lines for the report when settling itself was passed over: worked out again into a
   folder that is thrown away, posting nothing. */
ErrorCode run_need_settled(Run *run, Error *err)
{
    if (run->programme->contract == NULL || run->settled != NULL)
        return ERR_OK;
    return settle_into(run, io_join(run->arena, run->options->out, S(".settled")), NULL, true, err);
}

typedef struct {
    int64_t debit;
    int64_t balance;
    uint64_t entries;
    Str text; /* of the trial balance, as JSON rows */
} TrialBalance;

static ErrorCode read_trial_balance(Run *run, Ledger *ledger, TrialBalance *ret_trial, Error *err)
{
    LedgerCursor *cursor = NULL;
    ErrorCode code = ledger_trial_balance(ledger, 0, &cursor, err);
    if (code != ERR_OK)
        return code;
    TrialBalance trial = {.entries = ledger_entry_count(ledger)};
    StrBuf text;
    strbuf_init(&text, run->arena, 0);
    JsonWriter json;
    json_writer_init(&json, &text, false);
    json_array_begin(&json);
    TrialRow row;
    bool fits = true;
    while (ledger_next_trial_row(cursor, &row)) {
        Account account = ledger_account(ledger, row.account);
        fits = fits && money_add(trial.debit, row.debit, &trial.debit) &&
               money_add(trial.balance, row.balance, &trial.balance);
        json_object_begin(&json);
        json_member_str(&json, S("account"), account.code);
        json_member_str(&json, S("name"), account.name);
        json_member_int(&json, S("debit_minor"), row.debit);
        json_member_int(&json, S("credit_minor"), row.credit);
        json_member_int(&json, S("balance_minor"), row.balance);
        json_object_end(&json);
    }
    json_array_end(&json);
    trial.text = strbuf_str(&text);
    code = ledger_cursor_finish(cursor, err);
    if (code == ERR_OK && !fits)
        code = error_set(err, ERR_OVERFLOW, "the ledger's totals are too large to add up");
    if (code == ERR_OK)
        *ret_trial = trial;
    return code;
}

static void write_money(JsonWriter *json, Run *run, int64_t minor)
{
    json_member_int(json, S("total_minor"), minor);
    json_member_str(json, S("total"),
                    money_format(run->arena, minor, run->programme->contract->currency, false));
}

static void write_clause_totals(JsonWriter *json, Run *run)
{
    const Contract *contract = run->programme->contract;
    json_key(json, S("clauses"));
    json_array_begin(json);
    for (size_t i = 0; i < contract->clause_count; i++) {
        const Clause *clause = &contract->clauses[i];
        int64_t total = 0;
        int64_t lines = 0;
        for (size_t j = 0; j < run->settled->line_count; j++)
            if (run->settled->lines[j].clause == clause) {
                total += run->settled->lines[j].amount_minor; /* total_minor was checked to fit */
                lines++;
            }
        json_object_begin(json);
        json_member_str(json, S("id"), clause->id);
        json_member_str(json, S("title"), clause->title);
        json_member_int(json, S("lines"), lines);
        write_money(json, run, total);
        json_object_end(json);
    }
    json_array_end(json);
}

/* Lines are in order of practice: one walk. */
static void write_practice_totals(JsonWriter *json, Run *run)
{
    const SettleResult *settled = run->settled;
    json_key(json, S("practices"));
    json_array_begin(json);
    for (size_t i = 0; i < settled->line_count;) {
        const SettleLine *first = &settled->lines[i];
        int64_t total = 0;
        for (; i < settled->line_count && str_eq(settled->lines[i].practice, first->practice); i++)
            total += settled->lines[i].amount_minor;
        json_object_begin(json);
        json_member_str(json, S("id"), first->practice);
        json_member_str(json, S("name"), first->practice_name);
        write_money(json, run, total);
        json_object_end(json);
    }
    json_array_end(json);
}

static void write_settled(JsonWriter *json, Run *run, const TrialBalance *trial)
{
    const Contract *contract = run->programme->contract;
    const SettleResult *settled = run->settled;
    json_object_begin(json);
    json_member_str(json, S("contract"), contract->id);
    json_member_int(json, S("version"), contract->version);
    json_member_str(json, S("currency"), str_from_c(contract->currency.code));
    write_money(json, run, settled->total_minor);
    json_member_int(json, S("lines"), (int64_t)settled->line_count);
    json_member_int(json, S("persons_paid"), (int64_t)settled->persons_paid);
    json_member_int(json, S("persons_unattributed"), (int64_t)settled->persons_unattributed);
    write_clause_totals(json, run);
    write_practice_totals(json, run);
    json_key(json, S("posting"));
    json_object_begin(json);
    json_member_bool(json, S("is_dry_run"), run->options->is_dry_run);
    json_member_int(json, S("entries"), (int64_t)settled->posting.entries);
    json_member_int(json, S("corrected"), (int64_t)settled->posting.corrected);
    json_member_int(json, S("unchanged"), (int64_t)settled->posting.unchanged);
    json_member_int(json, S("posted_minor"), settled->posting.posted_minor);
    json_object_end(json);
    json_key(json, S("ledger"));
    if (trial == NULL) {
        json_null(json);
    } else {
        json_object_begin(json);
        json_member_int(json, S("entries"), (int64_t)trial->entries);
        json_member_int(json, S("debit_minor"), trial->debit);
        json_member_int(json, S("trial_balance_minor"), trial->balance);
        json_member_str(json, S("trial_balance"),
                        money_format(run->arena, trial->balance, contract->currency, false));
        json_key(json, S("accounts"));
        json_raw(json, trial->text);
        json_object_end(json);
    }
    json_object_end(json);
}

ErrorCode check_ledger(Run *run, Error *err)
{
    LedgerOptions open = {.path = io_join(run->arena, run->options->out, S("ledger.sqlite")),
                          .mode = LEDGER_READ};
    if (run->programme->contract == NULL || !io_exists(open.path))
        return ERR_OK;
    CLEANUP(ledger_close_cleanup) Ledger *ledger = NULL;
    ErrorCode code = ledger_open(&open, &ledger, err);
    return code == ERR_OK ? ledger_verify(ledger, NULL, err) : code;
}

ErrorCode stage_settle(Run *run, Str *ret_json, Error *err)
{
    const ProgrammeOptions *options = run->options;
    const Contract *contract = run->programme->contract;
    if (contract == NULL) {
        *ret_json = S("null");
        return ERR_OK;
    }
    CLEANUP(ledger_close_cleanup) Ledger *ledger = NULL;
    LedgerOptions open = {.path = io_join(run->arena, options->out, S("ledger.sqlite")),
                          .mode = LEDGER_CREATE,
                          .currency = str_from_c(contract->currency.code)};
    ErrorCode code = options->is_dry_run ? ERR_OK : ledger_open(&open, &ledger, err);
    if (code == ERR_OK)
        code = settle_into(run, options->out, ledger, options->is_dry_run, err);
    TrialBalance trial;
    if (code == ERR_OK && ledger != NULL)
        code = settle_check(run->settled, options->out, ledger, run->diags, err);
    if (code == ERR_OK && ledger != NULL)
        code = read_trial_balance(run, ledger, &trial, err);
    if (code != ERR_OK)
        return code;
    StrBuf text;
    strbuf_init(&text, run->arena, 0);
    JsonWriter json;
    json_writer_init(&json, &text, false);
    write_settled(&json, run, ledger == NULL ? NULL : &trial);
    *ret_json = strbuf_str(&text);
    return ERR_OK;
}

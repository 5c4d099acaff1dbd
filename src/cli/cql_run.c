/*
 * braid cql run: each definition's value for each person, a line a person.
 *
 * Persons are shared out to threads in units of some hundreds; a unit's lines are printed when all
 * units before it have been, so that the output is the same on any number of threads and only what
 * waits for its turn is held.
 */
#include <errno.h>
#include <pthread.h>

#include "base/threads.h"
#include "cli/cql_input.h"
#include "cli/cql_persons.h"

enum { UNIT_PERSONS = 256 };

/* Rows from .. to of a part, and what came of them. */
typedef struct {
    size_t part;
    uint32_t from;
    uint32_t to;
    Arena *arena; /* of what follows, while it waits to be printed */
    StrBuf lines;
    DiagList diags;
    uint64_t failed;
    bool is_done;
} Unit;

typedef struct {
    Cli *cli;
    const CqlPlan *plan;
    const size_t *definitions;
    size_t definition_count;
    const CqlPersons *persons;
    CqlEval **evals; /* one a thread */
    Vec(Unit) units;
    pthread_mutex_t lock; /* of all below */
    size_t printed;       /* units */
    uint64_t failed;
    DiagList *diags;
    Map said;  /* warnings that stand in diags: each is said once a run */
    Error err; /* the first that was not one person's */
} Run;

/* --- one person --- */

static void add_finding(const Run *run, Unit *unit, Str person, size_t definition, const Error *err)
{
    const CqlDefinition *facts = cql_plan_definition(run->plan, definition);
    diag_addf(&unit->diags,
              (Diag){.severity = SEVERITY_ERROR,
                     .rule = S("cql-evaluation"),
                     .file = facts->file,
                     .path = str_format(unit->arena, "Patient/%.*s", STR_ARG(person))},
              "%.*s: %s", STR_ARG(facts->name), err->message);
}

/* The name under which a value stands: with its library where several were named. */
static void add_name(const Run *run, Unit *unit, JsonWriter *json, size_t definition)
{
    const CqlDefinition *facts = cql_plan_definition(run->plan, definition);
    const CqlDefinition *first = cql_plan_definition(run->plan, run->definitions[0]);
    bool is_same = str_eq(facts->library, first->library) && str_eq(facts->version, first->version);
    json_key(json, is_same ? facts->name
                           : str_format(unit->arena, "%.*s.%.*s", STR_ARG(facts->library),
                                        STR_ARG(facts->name)));
}

typedef struct {
    size_t definition;
    Str text;
} Failure;
typedef Vec(Failure) FailureVec;

static void add_errors(const Run *run, Unit *unit, JsonWriter *json, const FailureVec *failures)
{
    json_key(json, S("errors"));
    json_object_begin(json);
    VEC_FOREACH (Failure, failure, failures) {
        add_name(run, unit, json, failure->definition);
        json_str(json, failure->text);
    }
    json_object_end(json);
}

/* NULL record: what needs no person. After an error the person is begun anew, so that the other
   definitions have their values. */
static void ask_person(const Run *run, CqlEval *eval, const Record *record, Unit *unit)
{
    Str id = record == NULL ? S("") : record_person_id(*record);
    FailureVec failures = {0};
    JsonWriter json;
    json_writer_init(&json, &unit->lines, false);
    json_object_begin(&json);
    if (record != NULL)
        json_member_str(&json, S("person"), id);
    json_key(&json, S("values"));
    json_object_begin(&json);
    bool is_begun = false;
    for (size_t i = 0; i < run->definition_count; i++) {
        if (!is_begun && record != NULL)
            cql_eval_begin(eval, *record);
        else if (!is_begun)
            cql_eval_begin_unfiltered(eval);
        CqlValue value;
        Error err = {0};
        is_begun = cql_eval_definition(eval, run->definitions[i], &value, &err) == ERR_OK;
        if (is_begun) {
            add_name(run, unit, &json, run->definitions[i]);
            json_raw(&json, S(""));
            cql_value_json(value, &unit->lines);
            continue;
        }
        add_finding(run, unit, id, run->definitions[i], &err);
        VEC_PUSH(unit->arena, &failures,
                 (Failure){.definition = run->definitions[i],
                           .text = str_copy(unit->arena, str_from_c(err.message))});
    }
    json_object_end(&json);
    unit->failed += failures.count > 0;
    if (failures.count > 0)
        add_errors(run, unit, &json, &failures);
    json_object_end(&json);
    json_line_end(&json);
    if (is_begun)
        diag_append(&unit->diags, cql_eval_messages(eval));
}

/* --- units --- */

static void begin_unit(Unit *unit)
{
    unit->arena = arena_create(0);
    strbuf_init(&unit->lines, unit->arena, 0);
    diag_init(&unit->diags, unit->arena);
}

/* What a record says wrongly, many may: a warning is said for the first person alone. */
static void add_findings(Run *run, const DiagList *diags)
{
    VEC_FOREACH (const Diag, diag, &diags->kept) {
        bool is_warning = diag->severity != SEVERITY_ERROR;
        if (is_warning && map_has(&run->said, diag->text))
            continue;
        if (is_warning)
            map_put(&run->said, str_copy(run->cli->arena, diag->text), 1);
        diag_add(run->diags, diag);
    }
}

static ErrorCode print_unit(Run *run, Unit *unit, Error *err)
{
    Str text = strbuf_str(&unit->lines);
    ErrorCode code = ERR_OK;
    errno = 0;
    if (unit->lines.overflowed)
        code = error_set(err, ERR_LIMIT, "the values of %d persons are too long", UNIT_PERSONS);
    else if (text.len > 0 && fwrite(text.ptr, 1, text.len, stdout) != text.len)
        code = error_set_errno(err, errno, "cannot write the result");
    add_findings(run, &unit->diags);
    run->failed += unit->failed;
    arena_destroy(unit->arena);
    unit->arena = NULL;
    return code;
}

/* Prints what stands in order from the first unit that has not been printed. */
static bool end_unit(Run *run, Unit *unit, const Error *wrong)
{
    pthread_mutex_lock(&run->lock);
    unit->is_done = wrong->code == ERR_OK;
    if (!unit->is_done && run->err.code == ERR_OK)
        run->err = *wrong;
    while (run->err.code == ERR_OK && run->printed < run->units.count &&
           run->units.items[run->printed].is_done) {
        Error err = {0};
        if (print_unit(run, &run->units.items[run->printed++], &err) != ERR_OK)
            run->err = err;
    }
    bool goes_on = run->err.code == ERR_OK;
    pthread_mutex_unlock(&run->lock);
    return goes_on;
}

static bool run_unit(void *context, size_t worker, size_t item)
{
    Run *run = context;
    Unit *unit = &run->units.items[item];
    const RecordBatch *batch;
    Error err = {0};
    begin_unit(unit);
    if (cql_persons_batch(run->persons, unit->part, &batch, &err) == ERR_OK)
        for (uint32_t row = unit->from; row < unit->to; row++)
            ask_person(run, run->evals[worker], &(Record){.batch = batch, .row = row}, unit);
    return end_unit(run, unit, &err);
}

static ErrorCode run_all(Run *run, size_t threads)
{
    for (size_t part = 0; part < cql_persons_parts(run->persons); part++) {
        uint32_t count = cql_persons_of_part(run->persons, part);
        for (uint32_t from = 0; from < count; from += UNIT_PERSONS)
            VEC_PUSH(run->cli->arena, &run->units,
                     (Unit){.part = part,
                            .from = from,
                            .to = count - from < UNIT_PERSONS ? count : from + UNIT_PERSONS});
    }
    (void)work_run(threads, run->units.count, run_unit, run);
    VEC_FOREACH (Unit, unit, &run->units)
        if (unit->arena != NULL)
            arena_destroy(unit->arena);
    return run->err.code;
}

/* --person, or without persons what needs none. */
static ErrorCode run_one(Run *run)
{
    Unit unit = {0};
    Record record;
    bool has_person = cli_has(run->cli, OPTION_PERSON);
    if (has_person && cql_persons_find(run->persons, cli_text(run->cli, OPTION_PERSON), &record,
                                       &run->err) != ERR_OK)
        return run->err.code;
    begin_unit(&unit);
    ask_person(run, run->evals[0], has_person ? &record : NULL, &unit);
    return print_unit(run, &unit, &run->err);
}

/* --- the command --- */

static ErrorCode make_plan(Cli *cli, const CqlInput *input, const CqlPersons *persons,
                           DiagList *diags, CqlPlan **ret_plan)
{
    CqlPlanOptions options;
    ErrorCode code = cql_input_options(cli, input, &options);
    if (code != ERR_OK)
        return code;
    options.dict = cql_persons_dict(persons);
    return cql_plan_create(cli->arena, input->libraries, &options, diags, ret_plan, &cli->err);
}

static ErrorCode run_plan(Cli *cli, Run *run, size_t threads)
{
    bool is_one = !run->persons->is_given || cli_has(cli, OPTION_PERSON);
    run->evals = ARENA_ARRAY(cli->arena, CqlEval *, threads);
    ErrorCode code = ERR_OK;
    for (size_t i = 0; i < threads; i++) {
        run->evals[i] = cql_eval_create(run->plan);
        if (code == ERR_OK)
            code = cql_persons_share(run->persons, run->evals[i], &cli->err);
    }
    map_init(&run->said, cli->arena);
    pthread_mutex_init(&run->lock, NULL);
    if (code == ERR_OK)
        code = is_one ? run_one(run) : run_all(run, threads);
    pthread_mutex_destroy(&run->lock);
    for (size_t i = 0; i < threads; i++)
        cql_eval_destroy(run->evals[i]);
    if (code != ERR_OK && cli->err.code == ERR_OK)
        cli->err = run->err;
    return code;
}

static uint64_t count_persons(const CqlPersons *persons)
{
    uint64_t count = 0;
    for (size_t i = 0; i < cql_persons_parts(persons); i++)
        count += cql_persons_of_part(persons, i);
    return count;
}

static void show_counts(Cli *cli, const Run *run)
{
    const IntakeReport *report = &run->persons->report;
    if (run->persons->is_given && !cli_has(cli, OPTION_PERSON))
        cli_note(cli, "%.*s persons, %.*s with errors, %.*s resources refused",
                 STR_ARG(cli_grouped(cli->arena, count_persons(run->persons))),
                 STR_ARG(cli_grouped(cli->arena, run->failed)),
                 STR_ARG(cli_grouped(cli->arena, report->refused)));
}

static ExitCode run_with(Cli *cli, const CqlInput *input, const CqlPersons *persons, size_t threads,
                         DiagList *diags)
{
    CqlPlan *plan = NULL;
    Run run = {.cli = cli, .persons = persons, .diags = diags};
    ErrorCode code = make_plan(cli, input, persons, diags, &plan);
    if (code == ERR_OK)
        code = cql_input_definitions(cli, input, plan, &run.definitions, &run.definition_count);
    bool has_document_errors = code == ERR_DOCUMENT;
    run.plan = plan;
    if (code == ERR_OK)
        code = run_plan(cli, &run, threads);
    if (!cli_has(cli, OPTION_FINDINGS) || has_document_errors)
        cli_show_findings(cli, diags);
    if (cli_write_findings(cli, diags) != ERR_OK || code != ERR_OK)
        return cli_fail(cli);
    show_counts(cli, &run);
    bool is_whole = run.failed == 0 && persons->report.refused == 0;
    return cli_finish(cli, is_whole ? EXIT_CODE_OK : EXIT_CODE_REFUSED);
}

ExitCode cmd_cql_run(Cli *cli)
{
    int64_t threads = (int64_t)threads_available();
    DiagList diags;
    diag_init(&diags, cli->arena);
    CqlInput input;
    CqlPersons persons = {0};
    if (cli_number(cli, OPTION_THREADS, 1, LIMIT_THREADS_MAX, &threads) != ERR_OK ||
        cql_input_read(cli, cli->arguments.items, cli->arguments.count, &diags, &input) != ERR_OK)
        return cli_fail(cli);
    if (cli_check_output(cli, "--findings", cli_text(cli, OPTION_FINDINGS), NULL, 0) != ERR_OK)
        return cli_fail(cli);
    if (cli_has(cli, OPTION_PERSON) && !cli_has(cli, OPTION_STORE) && !cli_has(cli, OPTION_DATA)) {
        (void)error_set(&cli->err, ERR_USAGE, "--person needs --store or --data");
        return cli_fail(cli);
    }
    if (diag_has_errors(&diags)) {
        cli_show_findings(cli, &diags);
        (void)error_set(&cli->err, ERR_DOCUMENT, "the documents have errors; nothing was run");
        return cli_fail(cli);
    }
    if (cql_persons_open(cli, (size_t)threads, &diags, &persons) != ERR_OK)
        return cli_fail(cli);
    if (!persons.is_given)
        cli_note(cli, "no persons were given (--data or --store): retrieves find nothing");
    ExitCode code = run_with(cli, &input, &persons, (size_t)threads, &diags);
    cql_persons_close(&persons);
    return code;
}

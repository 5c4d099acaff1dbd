/* Gaps in care on a day, and on days before and after it. */
#include "measure/gaps.h"

#include <stdlib.h>

#include "base/threads.h"
#include "measure/measure_int.h"

enum { DAYS_OF_A_STEP = 30 };

Str gap_status_name(GapStatus status)
{
    static const Str names[] = {[GAP_OPEN] = STR_INIT("open"),
                                [GAP_DUE_SOON] = STR_INIT("due-soon"),
                                [GAP_CLOSED] = STR_INIT("closed"),
                                [GAP_EXCLUDED] = STR_INIT("excluded"),
                                [GAP_EXCEPTED] = STR_INIT("excepted")};
    return names[status];
}

static bool status_of(MeasureAnswer answer, GapStatus *ret_status)
{
    static const GapStatus statuses[] = {[ANSWER_OUTSIDE] = GAP_CLOSED,
                                         [ANSWER_EXCLUDED] = GAP_EXCLUDED,
                                         [ANSWER_ACHIEVED] = GAP_CLOSED,
                                         [ANSWER_EXCEPTED] = GAP_EXCEPTED,
                                         [ANSWER_GAP] = GAP_OPEN};
    *ret_status = statuses[answer];
    return answer != ANSWER_OUTSIDE;
}

static void collect(Arena *arena, const MeasureResults *results, const Store *store,
                    const GapOptions *options, GapVec *gaps)
{
    size_t indicators = measure_results_spec(results)->indicator_count;
    for (size_t part = 0; part < store_partition_count(store); part++)
        for (uint32_t row = 0; row < store_partition_persons(store, part); row++)
            for (size_t i = 0; i < indicators; i++) {
                Gap gap = {.indicator = i, .partition = part, .row = row, .due_day = DAY_NONE};
                if (status_of(measure_answer(results, i, part, row), &gap.status) &&
                    (options->is_wanted == NULL ||
                     options->is_wanted(options->context, i, part, row)))
                    VEC_PUSH(arena, gaps, gap);
            }
}

/* --- the same questions on another day --- */

/* Gaps still in question, as numbers, with the ranges of each partition. */
typedef struct {
    const Store *store;
    const GapOptions *options;
    GapVec *gaps;
    size_t *pending;
    size_t pending_count;
    bool *is_open; /* by number of the gap: the answer of the day */
    const MeasurePlan *plan;
    CqlEval **evals; /* one a worker */
    Arena **arenas;  /* one a worker, of the day */
    Str *failures;   /* by number of the gap: why it could not be asked, in a worker's arena */
    Error *errors;   /* one a worker */
    struct {
        size_t from;
        size_t to;
    } * ranges; /* of pending, by partition that has any */
    size_t range_count;
} AnotherDay;

/* Whether the indicator is an open gap for the person that the evaluator has turned to. */
static ErrorCode ask_again(const AnotherDay *day, CqlEval *eval, const Gap *gap, Str person,
                           bool *ret_is_open, Error *err)
{
    const IndicatorPlan *plan = &day->plan->indicators[gap->indicator];
    const MeasureExceptions *exceptions = day->options->exceptions;
    CqlValue value;
    *ret_is_open = false;
    ErrorCode code = cql_eval_definition(
        eval, day->plan->registers[plan->register_index].definition, &value, err);
    if (code != ERR_OK || !cql_value_is_true(value))
        return code;
    MeasureAnswer answer;
    code = indicator_decide(eval, plan, &answer, err);
    *ret_is_open = code == ERR_OK && answer == ANSWER_GAP &&
                   !(exceptions != NULL &&
                     exceptions->is_excepted(exceptions->context, gap->indicator, person));
    return code;
}

static bool visit_range(void *context, size_t worker, size_t item)
{
    AnotherDay *day = context;
    CqlEval *eval = day->evals[worker];
    const RecordBatch *batch;
    const Gap *gaps = day->gaps->items;
    uint32_t begun = UINT32_MAX;
    if (store_batch(day->store, gaps[day->pending[day->ranges[item].from]].partition, &batch,
                    &day->errors[worker]) != ERR_OK)
        return false;
    for (size_t i = day->ranges[item].from; i < day->ranges[item].to; i++) {
        const Gap *gap = &gaps[day->pending[i]];
        Record record = {.batch = batch, .row = gap->row};
        Error wrong = {0};
        if (gap->row != begun)
            cql_eval_begin(eval, record);
        begun = gap->row;
        if (ask_again(day, eval, gap, record_person_id(record), &day->is_open[day->pending[i]],
                      &wrong) != ERR_OK)
            day->failures[day->pending[i]] =
                str_copy(day->arenas[worker], str_from_c(wrong.message));
    }
    return true;
}

static void find_ranges(AnotherDay *day)
{
    day->range_count = 0;
    for (size_t i = 0; i < day->pending_count; i++) {
        size_t partition = day->gaps->items[day->pending[i]].partition;
        bool is_same = i > 0 && day->gaps->items[day->pending[i - 1]].partition == partition;
        if (!is_same) {
            day->ranges[day->range_count].from = i;
            day->range_count++;
        }
        day->ranges[day->range_count - 1].to = i + 1;
    }
}

/* In order of the gaps, whichever worker asked. */
static void say_failures(AnotherDay *day, DiagList *diags)
{
    for (size_t i = 0; i < day->pending_count; i++) {
        const Gap *gap = &day->gaps->items[day->pending[i]];
        Str *failure = &day->failures[day->pending[i]];
        const RecordBatch *batch;
        if (failure->ptr == NULL || store_batch(day->store, gap->partition, &batch, NULL) != ERR_OK)
            continue;
        Str id = record_person_id((Record){.batch = batch, .row = gap->row});
        diag_addf(diags,
                  (Diag){.severity = SEVERITY_ERROR,
                         .rule = S("measure-evaluation"),
                         .path = str_format(diags->arena, "Patient/%.*s", STR_ARG(id))},
                  "%.*s", STR_ARG(*failure));
        *failure = (Str){0};
    }
}

/* Answers all that is pending for the period that ends on `last_day`, with a plan of its own. */
static ErrorCode ask_day(AnotherDay *day, const MeasureSource *source, int32_t last_day,
                         DiagList *diags, Error *err)
{
    Arena *arena = arena_create(0);
    MeasureSpec spec = measure_spec_at(source->spec, last_day);
    MeasureSource moved = *source;
    moved.spec = &spec;
    DiagList said; /* of the documents: said when the plan of the day itself was made */
    diag_init(&said, arena);
    size_t threads = day->options->threads == 0 ? 1 : day->options->threads;
    MeasurePlan *plan;
    ErrorCode code = measure_source_plan(arena, &moved, &said, &plan, err);
    if (code != ERR_OK) {
        arena_destroy(arena);
        return code;
    }
    day->plan = plan;
    day->evals = ARENA_ARRAY(arena, CqlEval *, threads);
    day->errors = ARENA_ZARRAY(arena, Error, threads);
    day->arenas = ARENA_ARRAY(arena, Arena *, threads);
    for (size_t i = 0; i < threads; i++) {
        day->arenas[i] = arena_create(0);
        day->evals[i] = cql_eval_create(plan->cql);
    }
    find_ranges(day);
    (void)work_run(threads, day->range_count, visit_range, day); /* errors say it */
    say_failures(day, diags);
    for (size_t i = 0; i < threads; i++) {
        if (code == ERR_OK && day->errors[i].code != ERR_OK)
            code = error_set(err, day->errors[i].code, "%s", day->errors[i].message);
        cql_eval_destroy(day->evals[i]);
        arena_destroy(day->arenas[i]);
    }
    arena_destroy(arena);
    return code;
}

static void start(AnotherDay *day, GapStatus status)
{
    day->pending_count = 0;
    for (size_t i = 0; i < day->gaps->count; i++)
        if (day->gaps->items[i].status == status)
            day->pending[day->pending_count++] = i;
}

static ErrorCode look_ahead(AnotherDay *day, const MeasureSource *source, DiagList *diags,
                            Error *err)
{
    start(day, GAP_CLOSED);
    ErrorCode code = ERR_OK;
    for (int32_t ahead = 1; ahead <= day->options->due_within && day->pending_count > 0; ahead++) {
        int32_t last = source->spec->period_last + ahead;
        if (last > DAY_LAST - 1)
            break;
        code = ask_day(day, source, last, diags, err);
        if (code != ERR_OK)
            return code;
        size_t kept = 0;
        for (size_t i = 0; i < day->pending_count; i++) {
            size_t number = day->pending[i];
            Gap *gap = &day->gaps->items[number];
            if (day->is_open[number]) {
                gap->status = GAP_DUE_SOON;
                gap->due_day = last;
            } else {
                day->pending[kept++] = number;
            }
        }
        day->pending_count = kept;
    }
    return ERR_OK;
}

static ErrorCode look_back(AnotherDay *day, const MeasureSource *source, DiagList *diags,
                           Error *err)
{
    start(day, GAP_OPEN);
    for (uint32_t back = 1; back <= day->options->late_within && day->pending_count > 0; back++) {
        /* The day after the period, so that the last of a month stays the last of a month. */
        int32_t after = day_add_months(source->spec->period_last + 1, -(int32_t)back);
        if (after == DAY_NONE)
            break;
        ErrorCode code = ask_day(day, source, after - 1, diags, err);
        if (code != ERR_OK)
            return code;
        size_t kept = 0;
        for (size_t i = 0; i < day->pending_count; i++) {
            size_t number = day->pending[i];
            if (!day->is_open[number])
                continue;
            day->gaps->items[number].late_months = back;
            day->pending[kept++] = number;
        }
        day->pending_count = kept;
    }
    return ERR_OK;
}

static void set_priorities(const MeasureSpec *spec, GapVec *gaps)
{
    VEC_FOREACH (Gap, gap, gaps) {
        uint64_t weight = spec->indicators[gap->indicator].weight;
        if (gap->status == GAP_OPEN)
            gap->priority = weight * (1 + gap->late_months) * DAYS_OF_A_STEP;
        else if (gap->status == GAP_DUE_SOON)
            gap->priority = weight * DAYS_OF_A_STEP /
                            (1 + (uint64_t)(gap->due_day - spec->period_last) / DAYS_OF_A_STEP) / 2;
    }
}

ErrorCode measure_gaps(Arena *arena, const MeasureSource *source, const MeasureResults *results,
                       const Store *store, const GapOptions *options, DiagList *diags,
                       GapVec *ret_gaps, Error *err)
{
    GapVec gaps = {0};
    collect(arena, results, store, options, &gaps);
    AnotherDay day = {
        .store = store,
        .options = options,
        .gaps = &gaps,
        .pending = ARENA_ARRAY(arena, size_t, gaps.count),
        .is_open = ARENA_ZARRAY(arena, bool, gaps.count),
        .failures = ARENA_ZARRAY(arena, Str, gaps.count),
        .ranges = arena_alloc_array(arena, store_partition_count(store), sizeof *day.ranges)};
    ErrorCode code = look_ahead(&day, source, diags, err);
    if (code == ERR_OK)
        code = look_back(&day, source, diags, err);
    if (code != ERR_OK)
        return code;
    set_priorities(source->spec, &gaps);
    *ret_gaps = gaps;
    return ERR_OK;
}

static int compare_gaps(const void *a, const void *b)
{
    const Gap *x = a;
    const Gap *y = b;
    if (x->priority != y->priority)
        return x->priority < y->priority ? 1 : -1;
    if (x->due_day != y->due_day)
        return x->due_day < y->due_day ? -1 : 1;
    if (x->partition != y->partition)
        return x->partition < y->partition ? -1 : 1;
    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    return (x->indicator > y->indicator) - (x->indicator < y->indicator);
}

void measure_gaps_sort(GapVec *gaps)
{
    if (gaps->count > 0)
        qsort(gaps->items, gaps->count, sizeof *gaps->items, compare_gaps);
}

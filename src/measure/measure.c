/* One pass over the store: who is on which register, and what the indicators say of them. */
#include "measure/measure.h"

#include "measure/measure_int.h"

/* Bit sets of one partition, one after the other: registers, then denominator, exclusion,
   numerator, gap and exception of each indicator. */
typedef struct {
    size_t words;
    uint32_t persons;
    uint64_t *bits;
    uint64_t *known; /* of whom there are answers: all but those that failed */
    DiagList diags;
    uint64_t failed;
} PartitionResults;

struct MeasureResults {
    const MeasurePlan *plan;
    size_t set_count;
    size_t partition_count;
    PartitionResults *partitions;
};

enum { SETS_OF_INDICATOR = 5 };

static size_t set_number(const MeasureResults *results, Population population, size_t index)
{
    const MeasureSpec *spec = results->plan->spec;
    if (population == POPULATION_REGISTER) {
        ASSERT(index < spec->register_count);
        return index;
    }
    ASSERT(index < spec->indicator_count);
    return spec->register_count + SETS_OF_INDICATOR * index +
           (size_t)(population - POPULATION_DENOMINATOR);
}

static uint64_t *bits_of(const MeasureResults *results, size_t set, size_t partition)
{
    const PartitionResults *part = &results->partitions[partition];
    return part->bits + set * part->words;
}

/* A worker: the evaluator with its arena, and the first failure that was not one person's. */
typedef struct {
    Arena *arena; /* findings until the end of the run, and the bits of one partition */
    CqlEval *eval;
    Error err;
} Worker;

typedef struct {
    MeasureResults *results;
    const MeasurePlan *plan;
    const Store *store;
    Progress *progress;
    const MeasureExceptions *exceptions;
    Worker *workers;
} Run;

/* One partition in work. */
typedef struct {
    Run *run;
    Worker *worker;
    size_t partition;
    const RecordBatch *batch;
} Visit;

static void set_bit(const Visit *visit, size_t set, uint32_t row)
{
    bits_of(visit->run->results, set, visit->partition)[row / 64] |= UINT64_C(1) << (row % 64);
}

static ErrorCode is_true(CqlEval *eval, int64_t definition, bool *ret_is_true, Error *err)
{
    CqlValue value;
    ErrorCode code = cql_eval_definition(eval, (size_t)definition, &value, err);
    if (code == ERR_OK)
        *ret_is_true = cql_value_is_true(value);
    return code;
}

/* FHIR Measure, proportion scoring: of the denominator exclusions first, then the numerator, then
   exceptions of those who are not in it. */
ErrorCode indicator_decide(CqlEval *eval, const IndicatorPlan *plan, MeasureAnswer *ret_answer,
                           Error *err)
{
    bool is_denominator = true;
    bool is_excluded = false;
    bool is_numerator = false;
    bool is_excepted = false;
    ErrorCode code = ERR_OK;
    if (plan->denominator != DEFINITION_NONE)
        code = is_true(eval, plan->denominator, &is_denominator, err);
    if (code == ERR_OK && is_denominator && plan->exclusion != DEFINITION_NONE)
        code = is_true(eval, plan->exclusion, &is_excluded, err);
    if (code == ERR_OK && is_denominator && !is_excluded)
        code = is_true(eval, (int64_t)plan->numerator, &is_numerator, err);
    if (code == ERR_OK && is_denominator && !is_excluded && !is_numerator &&
        plan->exception != DEFINITION_NONE)
        code = is_true(eval, plan->exception, &is_excepted, err);
    if (code != ERR_OK)
        return code;
    *ret_answer = !is_denominator                       ? ANSWER_OUTSIDE
                  : is_excluded                         ? ANSWER_EXCLUDED
                  : is_excepted                         ? ANSWER_EXCEPTED
                  : (is_numerator != plan->is_decrease) ? ANSWER_ACHIEVED
                                                        : ANSWER_GAP;
    return ERR_OK;
}

static ErrorCode ask_indicator(const Visit *visit, size_t index, uint32_t row, Error *err)
{
    static const Population populations[] = {[ANSWER_EXCLUDED] = POPULATION_EXCLUSION,
                                             [ANSWER_ACHIEVED] = POPULATION_NUMERATOR,
                                             [ANSWER_EXCEPTED] = POPULATION_EXCEPTION,
                                             [ANSWER_GAP] = POPULATION_GAP};
    const MeasureResults *results = visit->run->results;
    const MeasureExceptions *exceptions = visit->run->exceptions;
    MeasureAnswer answer;
    ErrorCode code =
        indicator_decide(visit->worker->eval, &visit->run->plan->indicators[index], &answer, err);
    if (code != ERR_OK || answer == ANSWER_OUTSIDE)
        return code;
    if (answer == ANSWER_GAP && exceptions != NULL &&
        exceptions->is_excepted(exceptions->context, index,
                                record_person_id((Record){.batch = visit->batch, .row = row})))
        answer = ANSWER_EXCEPTED;
    set_bit(visit, set_number(results, POPULATION_DENOMINATOR, index), row);
    set_bit(visit, set_number(results, populations[answer], index), row);
    return ERR_OK;
}

/* candidates: a bit set a register, of the persons that must be asked. */
static ErrorCode ask_person(const Visit *visit, const uint64_t *candidates, uint32_t row,
                            Error *err)
{
    const MeasurePlan *plan = visit->run->plan;
    size_t words = visit->run->results->partitions[visit->partition].words;
    cql_eval_begin(visit->worker->eval, (Record){.batch = visit->batch, .row = row});
    for (size_t i = 0; i < plan->spec->register_count; i++) {
        bool is_in = plan->registers[i].is_true_without;
        ErrorCode code = ERR_OK;
        if ((candidates[i * words + row / 64] >> (row % 64) & 1) != 0)
            code =
                is_true(visit->worker->eval, (int64_t)plan->registers[i].definition, &is_in, err);
        if (code != ERR_OK)
            return code;
        if (!is_in)
            continue;
        set_bit(visit, i, row);
        for (size_t j = 0; j < plan->spec->indicator_count && code == ERR_OK; j++)
            if (plan->indicators[j].register_index == i)
                code = ask_indicator(visit, j, row, err);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

/* The person's answers could not all be found out: they are in no population. */
static void drop_person(const Visit *visit, uint32_t row, const Error *err)
{
    PartitionResults *part = &visit->run->results->partitions[visit->partition];
    for (size_t set = 0; set < visit->run->results->set_count; set++)
        part->bits[set * part->words + row / 64] &= ~(UINT64_C(1) << (row % 64));
    part->known[row / 64] &= ~(UINT64_C(1) << (row % 64));
    part->failed++;
    Str id = record_person_id((Record){.batch = visit->batch, .row = row});
    diag_addf(&part->diags,
              (Diag){.severity = SEVERITY_ERROR,
                     .rule = S("measure-evaluation"),
                     .path = str_format(visit->worker->arena, "Patient/%.*s", STR_ARG(id))},
              "%s", err->message);
}

/* Fills `candidates` with who must be asked for each register, by the posting lists; gives in
   `any` who must be opened at all. */
static ErrorCode find_candidates(const Visit *visit, uint64_t *candidates, uint64_t *any,
                                 Error *err)
{
    const MeasurePlan *plan = visit->run->plan;
    const PartitionResults *part = &visit->run->results->partitions[visit->partition];
    for (size_t i = 0; i < plan->spec->register_count; i++) {
        const RegisterPlan *each = &plan->registers[i];
        uint64_t *bits = candidates + i * part->words;
        if (!each->has_needs)
            memset(bits, 0xff, part->words * sizeof *bits);
        for (size_t j = 0; each->has_needs && j < each->need_count; j++) {
            ErrorCode code =
                store_rows_with(visit->run->store, visit->partition, each->needs[j].type,
                                each->needs[j].concepts, bits, err);
            if (code != ERR_OK)
                return code;
        }
        for (size_t word = 0; word < part->words; word++)
            any[word] |= each->is_true_without ? UINT64_MAX : bits[word];
    }
    return ERR_OK;
}

static ErrorCode visit_partition(const Visit *visit, Error *err)
{
    const PartitionResults *part = &visit->run->results->partitions[visit->partition];
    size_t registers = visit->run->plan->spec->register_count;
    /* Kept until the end of the run, as findings share the arena: a bit a person and register. */
    uint64_t *candidates =
        ARENA_ZARRAY(visit->worker->arena, uint64_t, (registers + 1) * part->words);
    uint64_t *any = candidates + registers * part->words;
    ErrorCode code = find_candidates(visit, candidates, any, err);
    if (code != ERR_OK)
        return code;
    for (size_t word = 0; word < part->words; word++)
        for (uint64_t left = any[word]; left != 0; left &= left - 1) {
            uint32_t row = (uint32_t)(word * 64) + (uint32_t)__builtin_ctzll(left);
            if (row >= part->persons)
                break;
            Error wrong = {0};
            if (ask_person(visit, candidates, row, &wrong) != ERR_OK)
                drop_person(visit, row, &wrong);
        }
    return ERR_OK;
}

static bool visit_batch(void *context, size_t worker, size_t partition, const RecordBatch *batch)
{
    Run *run = context;
    PartitionResults *part = &run->results->partitions[partition];
    Visit visit = {
        .run = run, .worker = &run->workers[worker], .partition = partition, .batch = batch};
    ASSERT(batch->person_count == part->persons);
    diag_init(&part->diags, visit.worker->arena);
    if (visit_partition(&visit, &visit.worker->err) != ERR_OK)
        return false;
    progress_add(run->progress, batch->person_count);
    return true;
}

static MeasureResults *create_results(Arena *arena, const MeasurePlan *plan, const Store *store)
{
    MeasureResults *results = ARENA_NEW(arena, MeasureResults);
    results->plan = plan;
    results->set_count =
        plan->spec->register_count + SETS_OF_INDICATOR * plan->spec->indicator_count;
    results->partition_count = store_partition_count(store);
    results->partitions = ARENA_ZARRAY(arena, PartitionResults, results->partition_count);
    for (size_t i = 0; i < results->partition_count; i++) {
        PartitionResults *part = &results->partitions[i];
        part->persons = store_partition_persons(store, i);
        part->words = store_row_words(part->persons);
        part->bits = ARENA_ZARRAY(arena, uint64_t, results->set_count * part->words);
        part->known = ARENA_ZARRAY(arena, uint64_t, part->words);
        for (uint32_t row = 0; row < part->persons; row++)
            part->known[row / 64] |= UINT64_C(1) << (row % 64);
    }
    return results;
}

ErrorCode measure_run(Arena *arena, const MeasurePlan *plan, const Store *store,
                      const MeasureOptions *options, MeasureResults **ret_results, Error *err)
{
    size_t threads = options->threads == 0 ? 1 : options->threads;
    MeasureResults *results = create_results(arena, plan, store);
    Run run = {.results = results,
               .plan = plan,
               .store = store,
               .progress = options->progress,
               .exceptions = options->exceptions,
               .workers = ARENA_ZARRAY(arena, Worker, threads)};
    for (size_t i = 0; i < threads; i++) {
        run.workers[i].arena = arena_create(0);
        run.workers[i].eval = cql_eval_create(plan->cql);
    }
    progress_begin(options->progress, S("measure"), store_info(store)->persons, S("persons"));
    ErrorCode code = store_for_each(store, threads, visit_batch, &run, err);
    progress_end(options->progress);
    for (size_t i = 0; i < threads; i++)
        if (run.workers[i].err.code != ERR_OK) {
            code = error_set(err, run.workers[i].err.code, "%s", run.workers[i].err.message);
            break;
        }
    for (size_t i = 0; code == ERR_OK && i < results->partition_count; i++)
        diag_append(options->diags, &results->partitions[i].diags);
    for (size_t i = 0; i < threads; i++) {
        cql_eval_destroy(run.workers[i].eval);
        arena_destroy(run.workers[i].arena);
    }
    if (code == ERR_OK)
        *ret_results = results;
    return code;
}

/* --- asking the results --- */

const MeasureSpec *measure_results_spec(const MeasureResults *results)
{
    return results->plan->spec;
}

const MeasurePlan *measure_results_plan(const MeasureResults *results)
{
    return results->plan;
}

const uint64_t *measure_bits(const MeasureResults *results, Population population, size_t index,
                             size_t partition)
{
    ASSERT(partition < results->partition_count);
    return bits_of(results, set_number(results, population, index), partition);
}

size_t measure_words(const MeasureResults *results, size_t partition)
{
    ASSERT(partition < results->partition_count);
    return results->partitions[partition].words;
}

const uint64_t *measure_known_bits(const MeasureResults *results, size_t partition)
{
    ASSERT(partition < results->partition_count);
    return results->partitions[partition].known;
}

bool measure_is_in(const MeasureResults *results, Population population, size_t index,
                   size_t partition, uint32_t row)
{
    const uint64_t *bits = measure_bits(results, population, index, partition);
    ASSERT(row < results->partitions[partition].persons);
    return (bits[row / 64] >> (row % 64) & 1) != 0;
}

MeasureAnswer measure_answer(const MeasureResults *results, size_t indicator, size_t partition,
                             uint32_t row)
{
    static const struct {
        Population population;
        MeasureAnswer answer;
    } rows[] = {{POPULATION_GAP, ANSWER_GAP},
                {POPULATION_NUMERATOR, ANSWER_ACHIEVED},
                {POPULATION_EXCLUSION, ANSWER_EXCLUDED},
                {POPULATION_EXCEPTION, ANSWER_EXCEPTED}};
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (measure_is_in(results, rows[i].population, indicator, partition, row))
            return rows[i].answer;
    return ANSWER_OUTSIDE;
}

Str measure_answer_name(MeasureAnswer answer)
{
    static const Str names[] = {STR_INIT("outside"), STR_INIT("excluded"), STR_INIT("achieved"),
                                STR_INIT("excepted"), STR_INIT("gap")};
    return names[answer];
}

uint64_t measure_count(const MeasureResults *results, Population population, size_t index)
{
    uint64_t count = 0;
    for (size_t i = 0; i < results->partition_count; i++) {
        const uint64_t *bits = measure_bits(results, population, index, i);
        for (size_t word = 0; word < results->partitions[i].words; word++)
            count += (uint64_t)__builtin_popcountll(bits[word]);
    }
    return count;
}

uint64_t measure_failed_count(const MeasureResults *results)
{
    uint64_t count = 0;
    for (size_t i = 0; i < results->partition_count; i++)
        count += results->partitions[i].failed;
    return count;
}

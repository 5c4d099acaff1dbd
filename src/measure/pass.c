/* Measures over a store. */
#include "measure/pass.h"

#include "base/threads.h"
#include "measure/measure_int.h"

enum { TEXT_KINDS = 4, PARTITIONS_A_ROUND = 4 };

static const MeasurePassWants text_kinds[TEXT_KINDS] = {PASS_INDIVIDUAL, PASS_DATA_COLLECTION,
                                                        PASS_PERSONS, PASS_GAPS};

/* What one partition gave. */
typedef struct {
    Arena *arena; /* of the texts, until they are passed on */
    uint64_t *bits;
    size_t words;
    uint32_t persons;
    DiagList diags;
    StrBuf texts[TEXT_KINDS];
    MeasureTally *tallies;
    uint64_t failed;
} Part;

struct MeasurePopulations {
    const MeasureSet *set;
    size_t *first_set; /* number of the first bit set of each measure's group, by measure */
    size_t set_count;
    size_t part_count;
    Part *parts;
    MeasureTally *tallies; /* by measure */
    uint64_t failed;
};

typedef struct {
    Arena *arena;
    const Store *store;
    const MeasurePassOptions *options;
    MeasurePopulations *out;
    MeasureWorker **workers;
    Error *errors; /* by worker */
    size_t from;   /* first partition of the round */
} Pass;

/* --- bits --- */

static size_t set_number(const MeasurePopulations *populations, size_t measure, size_t group,
                         size_t population)
{
    const Measure *of = measure_set_measure(populations->set, measure);
    size_t number = populations->first_set[measure];
    ASSERT(group < of->group_count && population < of->groups[group].population_count);
    for (size_t i = 0; i < group; i++)
        number += of->groups[i].population_count;
    return number + population;
}

static MeasurePopulations *create_populations(Arena *arena, const MeasureSet *set,
                                              const Store *store)
{
    MeasurePopulations *out = ARENA_NEW(arena, MeasurePopulations);
    size_t count = measure_set_count(set);
    out->set = set;
    out->first_set = ARENA_ARRAY(arena, size_t, count);
    out->tallies = ARENA_ZARRAY(arena, MeasureTally, count);
    for (size_t i = 0; i < count; i++) {
        const Measure *measure = measure_set_measure(set, i);
        out->first_set[i] = out->set_count;
        for (size_t j = 0; j < measure->group_count; j++)
            out->set_count += measure->groups[j].population_count;
        measure_tally_init(&out->tallies[i], arena, measure);
    }
    out->part_count = store_partition_count(store);
    out->parts = ARENA_ZARRAY(arena, Part, out->part_count);
    for (size_t i = 0; i < out->part_count; i++) {
        Part *part = &out->parts[i];
        part->persons = store_partition_persons(store, i);
        part->words = store_row_words(part->persons);
        part->bits = ARENA_ZARRAY(arena, uint64_t, out->set_count * part->words);
    }
    return out;
}

/* --- candidates --- */

/* The definition behind a group's initial population, when its value for a person without any of
   what it looks for is nothing. */
static bool initial_needs(const MeasureSet *set, size_t measure, size_t group, size_t initial,
                          const CqlNeed **ret_needs, size_t *ret_count)
{
    const CqlPlan *plan = measure_set_plan(set);
    size_t definition;
    if (!measure_set_definition(set, measure, group, initial, &definition) ||
        !cql_plan_needs(plan, definition, ret_needs, ret_count))
        return false;
    CqlValue without = cql_plan_value_without(plan, definition);
    return !cql_value_is_true(without) && cql_value_count(without) == 0;
}

/* Sets the bits of those who may be in an initial population of the measure. */
static ErrorCode find_candidates(const Pass *pass, size_t partition, size_t measure, uint64_t *bits,
                                 Error *err)
{
    const MeasureSet *set = pass->out->set;
    const Measure *of = measure_set_measure(set, measure);
    size_t words = pass->out->parts[partition].words;
    for (size_t i = 0; i < of->group_count; i++) {
        const MeasureGroup *group = &of->groups[i];
        if (!measure_set_group_is_usable(set, measure, i))
            continue;
        for (size_t j = 0; j < group->population_count; j++) {
            const CqlNeed *needs;
            size_t count;
            if (group->populations[j].part != PART_INITIAL)
                continue;
            if (!initial_needs(set, measure, i, j, &needs, &count)) {
                memset(bits, 0xff, words * sizeof *bits);
                return ERR_OK;
            }
            for (size_t k = 0; k < count; k++) {
                ErrorCode code = store_rows_with(pass->store, partition, needs[k].type,
                                                 needs[k].concepts, bits, err);
                if (code != ERR_OK)
                    return code;
            }
        }
    }
    return ERR_OK;
}

/* --- persons --- */

static StrBuf *text_of(Part *part, MeasurePassWants kind)
{
    for (size_t i = 0; i < TEXT_KINDS; i++)
        if (text_kinds[i] == kind)
            return &part->texts[i];
    ASSERT(false);
    return NULL;
}

static void add_cell(StrBuf *out, Str text)
{
    bool is_plain = true;
    for (size_t i = 0; i < text.len; i++)
        is_plain &=
            text.ptr[i] != ',' && text.ptr[i] != '"' && text.ptr[i] != '\n' && text.ptr[i] != '\r';
    if (is_plain) {
        strbuf_add(out, text);
        return;
    }
    strbuf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"')
            strbuf_add_char(out, '"');
        strbuf_add_char(out, text.ptr[i]);
    }
    strbuf_add_char(out, '"');
}

static const MeasurePart columns[] = {
    PART_INITIAL,
    PART_DENOMINATOR,
    PART_DENOMINATOR_EXCLUSION,
    PART_DENOMINATOR_EXCEPTION,
    PART_NUMERATOR,
    PART_NUMERATOR_EXCLUSION,
    PART_MEASURE_POPULATION,
    PART_MEASURE_POPULATION_EXCLUSION,
};

Str measure_pass_persons_head(void)
{
    return S("measure,group,person,practice,standing,initial-population,denominator,denominator-"
             "exclusion,"
             "denominator-exception,numerator,numerator-exclusion,measure-population,"
             "measure-population-exclusion,observations\n");
}

static void add_observations(StrBuf *out, const MeasureGroup *group,
                             const MeasureGroupResult *result)
{
    bool is_begun = false;
    for (size_t i = 0; i < result->episode_count; i++)
        for (size_t j = 0; j < group->population_count; j++) {
            const MeasureEpisode *episode = &result->episodes[i];
            if ((episode->observed_of >> j & 1) == 0 || !episode->observed[j].has_value)
                continue;
            if (is_begun)
                strbuf_add_char(out, ' ');
            strbuf_add(out, decimal_format(out->arena, episode->observed[j].value));
            is_begun = true;
        }
}

Str measure_pass_gaps_head(void)
{
    return S("practice,measure,group,person\n");
}

static void add_gaps(StrBuf *out, const Measure *measure, Str person, Str practice,
                     const MeasureResult *result)
{
    for (size_t i = 0; i < measure->group_count; i++) {
        const MeasureGroup *group = &measure->groups[i];
        if (measure_standing(group, &result->groups[i]) != STANDING_GAP)
            continue;
        Str cells[] = {practice, measure_name(measure), measure_group_name(out->arena, group),
                       person};
        for (size_t j = 0; j < COUNT_OF(cells); j++) {
            add_cell(out, cells[j]);
            strbuf_add_char(out, j + 1 < COUNT_OF(cells) ? ',' : '\n');
        }
    }
}

/* Who answers for the person on the day after the period; empty: nobody. */
static Str practice_of(const Pass *pass, Record record, Arena *arena)
{
    const AttributionRule *rule = pass->options->attribution;
    Moment end;
    if (rule == NULL || !moment_parse(measure_set_period(pass->out->set).end, &end))
        return S("");
    int32_t day = moment_day(end);
    if (end.precision < PRECISION_DAY)
        day = day_add_months(day, end.precision == PRECISION_YEAR ? 12 : 1) - 1;
    AttributionDecision decision = attribution_decide(rule, record, day + 1, arena);
    if (decision.organisation == CONCEPT_NONE)
        return S("");
    return concept_dict_name(record.batch->dict, decision.organisation).code;
}

static void add_rows(StrBuf *out, const Measure *measure, Str person, Str practice,
                     const MeasureResult *result)
{
    for (size_t i = 0; i < measure->group_count; i++) {
        const MeasureGroup *group = &measure->groups[i];
        const MeasureGroupResult *found = &result->groups[i];
        if (found->episode_count == 0)
            continue;
        add_cell(out, measure_name(measure));
        strbuf_add_char(out, ',');
        add_cell(out, measure_group_name(out->arena, group));
        strbuf_add_char(out, ',');
        add_cell(out, person);
        strbuf_add_char(out, ',');
        add_cell(out, practice);
        strbuf_printf(out, ",%.*s", STR_ARG(measure_standing_name(measure_standing(group, found))));
        for (size_t j = 0; j < COUNT_OF(columns); j++) {
            int population = measure_group_find(group, columns[j]);
            strbuf_add_char(out, ',');
            if (population >= 0)
                strbuf_printf(out, "%llu",
                              (unsigned long long)measure_result_count(found, (size_t)population));
        }
        strbuf_add_char(out, ',');
        add_observations(out, group, found);
        strbuf_add_char(out, '\n');
    }
}

static void keep_bits(const Pass *pass, Part *part, size_t measure, uint32_t row,
                      const MeasureResult *result)
{
    const Measure *of = measure_set_measure(pass->out->set, measure);
    for (size_t i = 0; i < of->group_count; i++)
        for (size_t j = 0; j < result->groups[i].episode_count; j++)
            for (uint32_t left = result->groups[i].episodes[j].members; left != 0;
                 left &= left - 1) {
                size_t set = set_number(pass->out, measure, i, (size_t)__builtin_ctz(left));
                part->bits[set * part->words + row / 64] |= UINT64_C(1) << (row % 64);
            }
}

static void report_failure(Part *part, const Measure *measure, Str person, Str failure)
{
    part->failed++;
    diag_addf(&part->diags,
              (Diag){.severity = SEVERITY_ERROR,
                     .rule = S("measure-evaluation"),
                     .path = str_format(part->arena, "Patient/%.*s", STR_ARG(person))},
              "%.*s: %.*s", STR_ARG(measure_name(measure)), STR_ARG(failure));
}

static void write_reports(const Pass *pass, Part *part, MeasureWorker *worker, size_t measure,
                          Record record)
{
    static const struct {
        MeasurePassWants wants;
        MeasureReportKind kind;
    } kinds[] = {{PASS_INDIVIDUAL, REPORT_INDIVIDUAL},
                 {PASS_DATA_COLLECTION, REPORT_DATA_COLLECTION}};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if ((pass->options->wants & kinds[i].wants) == 0)
            continue;
        /* Asked anew and alone, so that what the retrieves have found is this measure's. */
        measure_worker_begin(worker, record);
        measure_report_person(pass->options->frame, kinds[i].kind, worker, measure, record,
                              measure_worker_ask(worker, measure), text_of(part, kinds[i].wants));
    }
}

static void ask_person(const Pass *pass, Part *part, MeasureWorker *worker, Record record,
                       const uint64_t *candidates)
{
    const MeasureSet *set = pass->out->set;
    uint32_t row = record.row;
    bool writes = (pass->options->wants & (PASS_INDIVIDUAL | PASS_DATA_COLLECTION)) != 0;
    Str practice = {0};
    measure_worker_begin(worker, record);
    for (size_t i = 0; i < measure_set_count(set); i++) {
        const Measure *measure = measure_set_measure(set, i);
        if ((candidates[i * part->words + row / 64] >> (row % 64) & 1) == 0) {
            part->tallies[i].persons++;
            continue;
        }
        const MeasureResult *result = measure_worker_ask(worker, i);
        const CqlValue *supplements = NULL;
        if (result->is_in && (pass->options->wants & PASS_SUPPLEMENTS) != 0)
            supplements = measure_worker_supplements(worker, i);
        measure_tally_add(&part->tallies[i], result, supplements);
        if (result->is_failed)
            report_failure(part, measure, record_person_id(record), result->failure);
        if (!result->is_in)
            continue;
        keep_bits(pass, part, i, row, result);
        if ((pass->options->wants & (PASS_PERSONS | PASS_GAPS)) != 0 && practice.ptr == NULL)
            practice = practice_of(pass, record, part->arena);
        if ((pass->options->wants & PASS_PERSONS) != 0)
            add_rows(text_of(part, PASS_PERSONS), measure, record_person_id(record), practice,
                     result);
        if ((pass->options->wants & PASS_GAPS) != 0)
            add_gaps(text_of(part, PASS_GAPS), measure, record_person_id(record), practice, result);
        if (writes) {
            write_reports(pass, part, worker, i, record);
            measure_worker_begin(worker, record);
        }
    }
}

static ErrorCode ask_partition(const Pass *pass, MeasureWorker *worker, size_t partition,
                               Error *err)
{
    Part *part = &pass->out->parts[partition];
    size_t measures = measure_set_count(pass->out->set);
    const RecordBatch *batch;
    ErrorCode code = store_batch(pass->store, partition, &batch, err);
    uint64_t *candidates = ARENA_ZARRAY(part->arena, uint64_t, measures * part->words + 1);
    for (size_t i = 0; i < measures && code == ERR_OK; i++)
        code = find_candidates(pass, partition, i, candidates + i * part->words, err);
    if (code != ERR_OK)
        return code;
    for (size_t word = 0; word < part->words; word++) {
        uint64_t any = 0;
        for (size_t i = 0; i < measures; i++)
            any |= candidates[i * part->words + word];
        for (uint32_t bit = 0; bit < 64 && word * 64 + bit < part->persons; bit++) {
            Record record = {.batch = batch, .row = (uint32_t)(word * 64) + bit};
            if ((any >> bit & 1) != 0) {
                ask_person(pass, part, worker, record, candidates);
                continue;
            }
            for (size_t i = 0; i < measures; i++)
                part->tallies[i].persons++;
        }
    }
    progress_add(pass->options->progress, part->persons);
    return ERR_OK;
}

static bool visit(void *context, size_t worker, size_t item)
{
    const Pass *pass = context;
    size_t partition = pass->from + item;
    Part *part = &pass->out->parts[partition];
    size_t measures = measure_set_count(pass->out->set);
    part->arena = arena_create(0);
    diag_init(&part->diags, part->arena);
    for (size_t i = 0; i < TEXT_KINDS; i++)
        strbuf_init(&part->texts[i], part->arena, 0);
    part->tallies = ARENA_ZARRAY(part->arena, MeasureTally, measures);
    for (size_t i = 0; i < measures; i++)
        measure_tally_init(&part->tallies[i], part->arena, measure_set_measure(pass->out->set, i));
    return ask_partition(pass, pass->workers[worker], partition, &pass->errors[worker]) == ERR_OK;
}

/* --- the pass --- */

/* Passes on what a partition gave, and gives its memory back. */
static ErrorCode take_part(const Pass *pass, Part *part, Error *err)
{
    ErrorCode code = ERR_OK;
    diag_append(pass->options->diags, &part->diags);
    pass->out->failed += part->failed;
    for (size_t i = 0; i < measure_set_count(pass->out->set); i++)
        measure_tally_merge(&pass->out->tallies[i], &part->tallies[i]);
    for (size_t i = 0; i < TEXT_KINDS && code == ERR_OK && pass->options->on_text != NULL; i++)
        if (part->texts[i].overflowed)
            code = error_set(err, ERR_LIMIT, "the reports of one partition pass %zu bytes",
                             LIMIT_STRBUF_BYTES);
        else if (part->texts[i].len > 0)
            code = pass->options->on_text(pass->options->context, text_kinds[i],
                                          strbuf_str(&part->texts[i]), err);
    return code;
}

static ErrorCode run_round(Pass *pass, size_t threads, size_t count, Error *err)
{
    ErrorCode code = ERR_OK;
    (void)work_run(threads, count, visit, pass);
    for (size_t i = 0; i < threads && code == ERR_OK; i++)
        if (pass->errors[i].code != ERR_OK)
            code = error_set(err, pass->errors[i].code, "%s", pass->errors[i].message);
    for (size_t i = 0; i < count; i++) {
        Part *part = &pass->out->parts[pass->from + i];
        if (code == ERR_OK)
            code = take_part(pass, part, err);
        arena_destroy(part->arena);
        part->arena = NULL;
    }
    return code;
}

static ErrorCode create_workers(Pass *pass, size_t threads, Error *err)
{
    size_t shared_count = store_shared_count(pass->store);
    const RecordBatch **shared = ARENA_ARRAY(pass->arena, const RecordBatch *, shared_count);
    for (size_t i = 0; i < shared_count; i++) {
        ErrorCode code = store_shared(pass->store, i, &shared[i], err);
        if (code != ERR_OK)
            return code;
    }
    pass->workers = ARENA_ZARRAY(pass->arena, MeasureWorker *, threads);
    pass->errors = ARENA_ZARRAY(pass->arena, Error, threads);
    for (size_t i = 0; i < threads; i++) {
        pass->workers[i] = measure_worker_create(pass->out->set);
        for (size_t k = 0; k < shared_count; k++)
            cql_eval_share(measure_worker_eval(pass->workers[i]), (Record){.batch = shared[k]});
    }
    return ERR_OK;
}

ErrorCode measure_pass(Arena *arena, const MeasureSet *set, const Store *store,
                       const MeasurePassOptions *options, MeasurePopulations **ret_populations,
                       Error *err)
{
    size_t threads = options->threads == 0 ? 1 : options->threads;
    Pass pass = {.arena = arena,
                 .store = store,
                 .options = options,
                 .out = create_populations(arena, set, store)};
    ErrorCode code = create_workers(&pass, threads, err);
    if (code != ERR_OK)
        return code;
    progress_begin(options->progress, S("measure"), store_info(store)->persons, S("persons"));
    size_t round = threads * PARTITIONS_A_ROUND;
    for (; pass.from < pass.out->part_count && code == ERR_OK; pass.from += round) {
        size_t left = pass.out->part_count - pass.from;
        code = run_round(&pass, threads, left < round ? left : round, err);
    }
    progress_end(options->progress);
    for (size_t i = 0; i < threads; i++)
        measure_worker_destroy(pass.workers[i]);
    if (code == ERR_OK)
        *ret_populations = pass.out;
    return code;
}

/* --- asking --- */

const MeasureTally *measure_pass_tally(const MeasurePopulations *populations, size_t measure)
{
    return &populations->tallies[measure];
}

const uint64_t *measure_pass_bits(const MeasurePopulations *populations, size_t measure,
                                  size_t group, size_t population, size_t partition)
{
    ASSERT(partition < populations->part_count);
    const Part *part = &populations->parts[partition];
    return part->bits + set_number(populations, measure, group, population) * part->words;
}

uint64_t measure_pass_persons(const MeasurePopulations *populations, size_t measure, size_t group,
                              size_t population)
{
    uint64_t count = 0;
    for (size_t i = 0; i < populations->part_count; i++) {
        const uint64_t *bits = measure_pass_bits(populations, measure, group, population, i);
        for (size_t word = 0; word < populations->parts[i].words; word++)
            count += (uint64_t)__builtin_popcountll(bits[word]);
    }
    return count;
}

uint64_t measure_pass_failed(const MeasurePopulations *populations)
{
    return populations->failed;
}

ErrorCode measure_pass_subjects(const MeasurePopulations *populations, const Store *store,
                                size_t measure, Arena *arena, MeasureSubjectVec *ret_subjects,
                                Error *err)
{
    const Measure *of = measure_set_measure(populations->set, measure);
    MeasureSubjectVec subjects = {0};
    for (size_t partition = 0; partition < populations->part_count; partition++) {
        const RecordBatch *batch;
        ErrorCode code = store_directory(store, partition, &batch, err);
        if (code != ERR_OK)
            return code;
        for (uint32_t row = 0; row < populations->parts[partition].persons; row++)
            for (uint32_t i = 0; i < of->group_count; i++)
                for (uint32_t j = 0; j < of->groups[i].population_count; j++) {
                    const uint64_t *bits = measure_pass_bits(populations, measure, i, j, partition);
                    if ((bits[row / 64] >> (row % 64) & 1) == 0)
                        continue;
                    Str person = record_person_id((Record){.batch = batch, .row = row});
                    MeasureSubject subject = {
                        .group = i, .population = j, .person = str_copy(arena, person)};
                    VEC_PUSH(arena, &subjects, subject);
                }
    }
    *ret_subjects = subjects;
    return ERR_OK;
}

/* --- the table of sums --- */

void measure_pass_summary_head(StrBuf *out)
{
    strbuf_add(out, S("measure,group,stratifier,stratum,population,count,score\n"));
}

static void add_sums(const Measure *measure, const MeasureGroup *group, Str stratifier, Str stratum,
                     const PopulationTally *tally, StrBuf *out)
{
    Decimal score;
    bool has_score = measure_score(group, tally, out->arena, &score);
    for (size_t i = 0; i < group->population_count; i++) {
        const MeasurePopulation *each = &group->populations[i];
        Str cells[] = {measure_name(measure), measure_group_name(out->arena, group), stratifier,
                       stratum, str_is_empty(each->id) ? measure_part_code(each->part) : each->id};
        for (size_t j = 0; j < COUNT_OF(cells); j++) {
            add_cell(out, cells[j]);
            strbuf_add_char(out, ',');
        }
        strbuf_printf(out, "%llu,", (unsigned long long)tally->counts[i]);
        if (has_score)
            strbuf_add(out, decimal_format(out->arena, score));
        strbuf_add_char(out, '\n');
    }
}

void measure_pass_summary_rows(const MeasureTally *tally, StrBuf *out)
{
    const Measure *measure = tally->measure;
    for (size_t i = 0; i < measure->group_count; i++) {
        const MeasureGroup *group = &measure->groups[i];
        add_sums(measure, group, S(""), S(""), &tally->groups[i].all, out);
        for (size_t j = 0; j < group->stratifier_count; j++)
            for (size_t k = 0; k < tally->groups[i].strata[j].count; k++) {
                const StratumTally *each = tally->groups[i].strata[j].items[k];
                StrBuf values;
                strbuf_init(&values, out->arena, 0);
                for (size_t c = 0; c < group->stratifiers[j].component_count; c++) {
                    strbuf_add(&values, c > 0 ? S(" / ") : S(""));
                    strbuf_add(&values, each->values[c]);
                }
                Str name = group->stratifiers[j].id;
                add_sums(measure, group,
                         str_is_empty(name) ? str_format(out->arena, "%zu", j + 1) : name,
                         strbuf_str(&values), &each->tally, out);
            }
    }
}

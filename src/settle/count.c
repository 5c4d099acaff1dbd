/*
 * The pass: every person once, in parallel by partition.
 *
 * For each clause and period: does the clause count the person (alive, indicator achieved), who is
 * responsible, which cell. Periods that follow each other and agree in all of that are one Fact. A
 * partition's facts depend on the partition alone, so their order is that of the store.
 */
#include "base/threads.h"
#include "settle/settle_int.h"

typedef struct {
    const SettlePlan *plan;
    const SettleOptions *options;
    PartFacts *parts;
    Arena **scratch; /* by worker */
    Error *errors;   /* by partition: the first by number is told */
    bool *failed;
} Counter;

/* One person being counted. */
typedef struct {
    const SettlePlan *plan;
    PartFacts *part;
    size_t partition;
    Record record;
    const AttributionDecision *decisions; /* by the plan's days */
    bool is_paid;
    bool is_unattributed;
    bool is_refused; /* told once a person */
} PersonCount;

/* Age on a day, or -1 when nobody knows. */
static int32_t age_on(Record record, int32_t day)
{
    int32_t birth = record.batch->birth_days[record.row];
    if (birth == DAY_NONE || birth > day)
        return -1;
    return day_age_years(birth, day);
}

/* A price by age needs an age: not finding one is an error that names person and clause. */
static void refuse_ageless(PersonCount *person, const PlanClause *clause, const PlanPeriod *period)
{
    if (person->is_refused)
        return;
    person->is_refused = true;
    Str id = record_person_id(person->record);
    Diag diag = {
        .severity = SEVERITY_ERROR, .rule = S("settle-no-rate"), .path = clause->clause->id};
    diag_addf(&person->part->diags, diag,
              "Patient/%.*s: no age on the day of %.*s, so no cell of the rate table; give the "
              "birth date or correct it",
              STR_ARG(id), STR_ARG(period->text));
}

static void add_unpaid(PersonCount *person, size_t clause, size_t period, UnpaidReason reason)
{
    PartFacts *part = person->part;
    Unpaid *last = part->unpaid.count == 0 ? NULL : &part->unpaid.items[part->unpaid.count - 1];
    bool is_same = last != NULL && last->row == person->record.row && last->clause == clause &&
                   last->reason == reason;
    /* Another indicator of the same clause and person. */
    if (is_same && period >= last->first_period && period <= last->last_period)
        return;
    part->person_periods_unattributed += reason == UNPAID_NOBODY;
    if (is_same && last->last_period + 1u == period) {
        last->last_period = (uint16_t)period;
        return;
    }
    VEC_PUSH(part->arena, &part->unpaid,
             (Unpaid){.row = person->record.row,
                      .clause = (uint16_t)clause,
                      .first_period = (uint16_t)period,
                      .last_period = (uint16_t)period,
                      .reason = (uint8_t)reason});
}

static bool is_same_span(const Fact *a, const Fact *b)
{
    return a->row == b->row && a->clause == b->clause && a->option == b->option &&
           a->last_period + 1 == b->first_period && a->organisation == b->organisation &&
           a->cell == b->cell && a->age == b->age && a->count == b->count && a->total == b->total &&
           a->next_count == b->next_count && a->latest_day == b->latest_day &&
           a->reason == b->reason && a->decided_by == b->decided_by;
}

static void add_fact(PersonCount *person, const Fact *fact)
{
    PartFacts *part = person->part;
    size_t count = part->facts.count;
    person->is_paid = true;
    if (count > 0 && is_same_span(&part->facts.items[count - 1], fact)) {
        part->facts.items[count - 1].last_period = fact->last_period;
        return;
    }
    VEC_PUSH(part->arena, &part->facts, *fact);
}

/* Whether the clause counts the person in the period; a reason is kept where it cannot be told. */
static bool is_member(PersonCount *person, const PlanClause *clause, size_t period)
{
    if (!clause->basis->must_be_alive)
        return true;
    size_t number = (size_t)(clause - person->plan->clauses);
    switch (member_state(person->record, clause->periods[period].alive_day)) {
    case MEMBER_ALIVE:
        return true;
    case MEMBER_BIRTH_UNKNOWN:
        add_unpaid(person, number, period, UNPAID_BIRTH_UNKNOWN);
        return false;
    case MEMBER_DEATH_UNDATED:
        add_unpaid(person, number, period, UNPAID_DEATH_UNDATED);
        return false;
    case MEMBER_NOT_BORN:
    case MEMBER_DEAD:
    default:
        return false;
    }
}

static void count_period(PersonCount *person, const PlanClause *clause, size_t option,
                         size_t number)
{
    const PlanPeriod *period = &clause->periods[number];
    const AttributionDecision *decision = &person->decisions[period->decision];
    size_t clause_number = (size_t)(clause - person->plan->clauses);
    if (!is_member(person, clause, number))
        return;
    if (decision->organisation == CONCEPT_NONE) {
        add_unpaid(person, clause_number, number, UNPAID_NOBODY);
        person->is_unattributed = true;
        return;
    }
    int32_t age = age_on(person->record, decision->day);
    if (age < 0 && clause->needs_age) {
        refuse_ageless(person, clause, period);
        return;
    }
    int32_t values[ATTRIBUTE_COUNT];
    values[ATTRIBUTE_AGE] = age;
    values[ATTRIBUTE_SEX] = (int32_t)member_sex(person->record);
    values[ATTRIBUTE_INDICATOR] = (int32_t)option;
    Fact fact = {.organisation = decision->organisation,
                 .row = person->record.row,
                 .clause = (uint16_t)clause_number,
                 .option = (uint16_t)option,
                 .cell = (uint16_t)rate_cell(clause->rate, values),
                 .age = age < 0 || age >= UINT16_MAX ? UINT16_MAX : (uint16_t)age,
                 .first_period = (uint16_t)number,
                 .last_period = (uint16_t)number,
                 .count = decision->count,
                 .total = decision->total,
                 .next_count = decision->runner_up_count,
                 .latest_day = decision->latest_day,
                 .reason = (uint8_t)decision->reason,
                 .decided_by = (uint8_t)decision->decided_by};
    add_fact(person, &fact);
}

static void count_clause(PersonCount *person, const PlanClause *clause)
{
    const MeasureResults *measures = person->plan->input->measures;
    for (size_t option = 0; option < clause->option_count; option++) {
        if (clause->gate != NULL &&
            !measure_is_in(measures, POPULATION_NUMERATOR, clause->indicators[option],
                           person->partition, person->record.row))
            continue;
        for (size_t i = 0; i < clause->period_count; i++)
            count_period(person, clause, option, i);
    }
}

static void count_person(Counter *counter, size_t partition, Record record, Arena *scratch)
{
    const SettlePlan *plan = counter->plan;
    PartFacts *part = &counter->parts[partition];
    AttributionDecision *decisions = ARENA_ARRAY(scratch, AttributionDecision, plan->day_count + 1);
    attribution_decide_months(&plan->contract->attribution, record, plan->days, plan->day_count,
                              decisions, scratch);
    PersonCount person = {.plan = plan,
                          .part = part,
                          .partition = partition,
                          .record = record,
                          .decisions = decisions};
    for (size_t i = 0; i < plan->clause_count; i++)
        count_clause(&person, &plan->clauses[i]);
    part->persons_paid += person.is_paid;
    part->persons_unattributed += person.is_unattributed;
    part->persons_death_undated += record.batch->death_days[record.row] == DEATH_UNDATED;
}

static bool count_partition(void *context, size_t worker, size_t partition)
{
    Counter *counter = context;
    PartFacts *part = &counter->parts[partition];
    Arena *scratch = counter->scratch[worker];
    ErrorCode code = store_batch(counter->plan->input->store, partition, &part->batch,
                                 &counter->errors[partition]);
    if (code != ERR_OK) {
        counter->failed[partition] = true;
        return false;
    }
    ArenaMark mark = arena_mark(scratch);
    for (uint32_t row = 0; row < part->batch->person_count; row++) {
        count_person(counter, partition, (Record){.batch = part->batch, .row = row}, scratch);
        arena_rewind(scratch, mark);
    }
    progress_add(counter->options->progress, part->batch->person_count);
    return true;
}

static ErrorCode first_error(const Counter *counter, size_t count, Error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (!counter->failed[i])
            continue;
        if (err != NULL)
            *err = counter->errors[i];
        return counter->errors[i].code;
    }
    return ERR_OK;
}

void settle_facts_init(Facts *facts, Arena *arena, size_t partitions)
{
    facts->parts = ARENA_ZARRAY(arena, PartFacts, partitions);
    facts->part_count = partitions;
    for (size_t i = 0; i < partitions; i++) {
        facts->parts[i].arena = arena_create(0);
        diag_init(&facts->parts[i].diags, facts->parts[i].arena);
    }
}

ErrorCode settle_count(const SettlePlan *plan, const SettleOptions *options, Facts *facts,
                       Error *err)
{
    const Store *store = plan->input->store;
    size_t count = facts->part_count;
    size_t threads = options->threads == 0 ? 1 : options->threads;
    Arena *arena = arena_create(0);
    Counter counter = {.plan = plan,
                       .options = options,
                       .parts = facts->parts,
                       .scratch = ARENA_ZARRAY(arena, Arena *, threads),
                       .errors = ARENA_ZARRAY(arena, Error, count),
                       .failed = ARENA_ZARRAY(arena, bool, count)};
    for (size_t i = 0; i < threads; i++)
        counter.scratch[i] = arena_create(0);
    progress_begin(options->progress, S("settle"), store_info(store)->persons, S("persons"));
    (void)work_run(threads, count, count_partition, &counter);
    progress_end(options->progress);
    ErrorCode code = first_error(&counter, count, err);
    for (size_t i = 0; i < threads; i++)
        arena_destroy(counter.scratch[i]);
    arena_destroy(arena);
    return code;
}

void settle_facts_done(Facts *facts)
{
    for (size_t i = 0; i < facts->part_count; i++)
        arena_destroy(facts->parts[i].arena);
    facts->part_count = 0;
}

/* One person and one measure: which episodes are in which populations. */
#include "measure/set_int.h"

#include <stdlib.h>

struct MeasureWorker {
    const MeasureSet *set;
    CqlEval *eval;
    Arena *arena; /* of the person */
    Record record;
    bool is_broken; /* an evaluation failed: the evaluator must turn to the person again */
};

/* One group being decided. */
typedef struct {
    MeasureWorker *worker;
    const MeasureGroup *group;
    const GroupPlan *plan;
    MeasureEpisode *episodes;
    size_t count;
    Error err;
} Decision;

MeasureWorker *measure_worker_create(const MeasureSet *set)
{
    Arena *arena = arena_create(0);
    MeasureWorker *worker = malloc(sizeof(*worker));
    ASSERT(worker != NULL);
    *worker = (MeasureWorker){.set = set, .eval = cql_eval_create(set->cql), .arena = arena};
    return worker;
}

void measure_worker_destroy(MeasureWorker *worker)
{
    if (worker == NULL)
        return;
    cql_eval_destroy(worker->eval);
    arena_destroy(worker->arena);
    free(worker);
}

size_t measure_worker_memory(const MeasureWorker *worker)
{
    return cql_eval_memory(worker->eval) + arena_bytes_held(worker->arena);
}

void measure_worker_begin(MeasureWorker *worker, Record record)
{
    arena_reset(worker->arena);
    worker->record = record;
    worker->is_broken = false;
    cql_eval_begin(worker->eval, record);
}

const MeasureSet *measure_worker_set(const MeasureWorker *worker)
{
    return worker->set;
}

CqlEval *measure_worker_eval(MeasureWorker *worker)
{
    return worker->eval;
}

Arena *measure_worker_arena(MeasureWorker *worker)
{
    return worker->arena;
}

/* --- asking --- */

static bool ask(MeasureWorker *worker, const Criterion *criterion, const MeasureEpisode *episode,
                CqlValue *ret_value, Error *err)
{
    if (criterion->kind == ASK_FUNCTION)
        return cql_eval_function(worker->eval, criterion->number,
                                 criterion->takes_episode ? &episode->value : NULL, ret_value,
                                 err) == ERR_OK;
    return cql_eval_definition(worker->eval, criterion->number, ret_value, err) == ERR_OK;
}

static bool has(const MeasureEpisode *episode, int population)
{
    return population >= 0 && (episode->members >> population & 1) != 0;
}

/* Whether the population is decided for this episode at all. */
static bool may_be_in(const Decision *decision, size_t population, const MeasureEpisode *episode)
{
    const GroupPlan *plan = decision->plan;
    int base = plan->base[population];
    if (base >= 0 && !has(episode, base))
        return false;
    MeasurePart part = decision->group->populations[population].part;
    bool is_excluded = has(episode, plan->denominator_exclusion);
    switch (part) {
    case PART_NUMERATOR:
        /* In a ratio numerator and denominator are independent. */
        return decision->group->scoring == SCORING_RATIO || !is_excluded;
    case PART_DENOMINATOR_EXCEPTION:
        return !is_excluded && !has(episode, plan->numerator);
    case PART_OBSERVATION:
        if (base == plan->numerator)
            return !has(episode, plan->numerator_exclusion);
        return !is_excluded && !has(episode, plan->measure_exclusion);
    default:
        return true;
    }
}

static MeasureEpisode *find_episode(const Decision *decision, FhirNode resource)
{
    for (size_t i = 0; i < decision->count; i++)
        if (decision->episodes[i].resource.at == resource.at)
            return &decision->episodes[i];
    return NULL;
}

static void add_episode(Decision *decision, CqlValue value, FhirNode resource)
{
    MeasureEpisode *episode = &decision->episodes[decision->count++];
    *episode = (MeasureEpisode){.resource = resource, .value = value};
}

/* The initial populations make the episodes. */
static bool find_episodes(Decision *decision)
{
    MeasureWorker *worker = decision->worker;
    CqlValue values[MEASURE_POPULATIONS_MAX];
    size_t most = 1;
    for (size_t i = 0; i < decision->group->population_count; i++) {
        if (decision->group->populations[i].part != PART_INITIAL)
            continue;
        if (!ask(worker, &decision->plan->populations[i], NULL, &values[i], &decision->err))
            return false;
        most += cql_value_count(values[i]);
    }
    decision->episodes = ARENA_ARRAY(worker->arena, MeasureEpisode, most);
    bool is_person = decision->plan->basis == FHIR_TYPE_NONE;
    for (size_t i = 0; i < decision->group->population_count; i++) {
        if (decision->group->populations[i].part != PART_INITIAL)
            continue;
        uint32_t bit = UINT32_C(1) << i;
        if (is_person && cql_value_is_true(values[i])) {
            if (decision->count == 0)
                add_episode(decision, values[i], FHIR_ABSENT);
            decision->episodes[0].members |= bit;
        }
        for (size_t j = 0; !is_person && j < cql_value_count(values[i]); j++) {
            FhirNode resource;
            if (!cql_value_node(cql_value_item(values[i], j), &resource))
                continue;
            MeasureEpisode *episode = find_episode(decision, resource);
            if (episode == NULL) {
                add_episode(decision, cql_value_item(values[i], j), resource);
                episode = &decision->episodes[decision->count - 1];
            }
            episode->members |= bit;
        }
    }
    return true;
}

static bool decide_population(Decision *decision, size_t population)
{
    CqlValue value;
    bool is_open = false;
    uint32_t bit = UINT32_C(1) << population;
    for (size_t i = 0; i < decision->count && !is_open; i++)
        is_open = may_be_in(decision, population, &decision->episodes[i]);
    if (!is_open)
        return true;
    if (!ask(decision->worker, &decision->plan->populations[population], NULL, &value,
             &decision->err))
        return false;
    if (decision->plan->basis == FHIR_TYPE_NONE) {
        if (cql_value_is_true(value))
            decision->episodes[0].members |= bit;
        return true;
    }
    for (size_t i = 0; i < cql_value_count(value); i++) {
        FhirNode resource;
        if (!cql_value_node(cql_value_item(value, i), &resource))
            continue;
        MeasureEpisode *episode = find_episode(decision, resource);
        if (episode != NULL && may_be_in(decision, population, episode))
            episode->members |= bit;
    }
    return true;
}

/* A number, or the number of a quantity. */
static MeasureObserved observed_value(Arena *arena, CqlValue value)
{
    MeasureObserved result = {.has_value = false};
    Str unit;
    result.has_value = cql_value_decimal(value, &result.value) ||
                       cql_value_quantity(value, arena, &result.value, &unit);
    return result;
}

static bool observe(Decision *decision, size_t population)
{
    Arena *arena = decision->worker->arena;
    for (size_t i = 0; i < decision->count; i++) {
        MeasureEpisode *episode = &decision->episodes[i];
        CqlValue value;
        if (!may_be_in(decision, population, episode))
            continue;
        if (!ask(decision->worker, &decision->plan->populations[population], episode, &value,
                 &decision->err))
            return false;
        MeasureObserved *observed = (MeasureObserved *)episode->observed;
        if (observed == NULL)
            observed = ARENA_ZARRAY(arena, MeasureObserved, decision->group->population_count);
        observed[population] = observed_value(arena, value);
        episode->observed = observed;
        episode->observed_of |= UINT32_C(1) << population;
    }
    return true;
}

/* --- strata --- */

Str measure_value_text(Arena *arena, CqlValue value)
{
    Str text;
    StrBuf out;
    if (cql_value_is_null(value))
        return S("unknown");
    if (cql_value_string(value, arena, &text))
        return text;
    strbuf_init(&out, arena, 0);
    cql_value_format(value, &out);
    return strbuf_str(&out);
}

static bool is_member(CqlValue list, FhirNode resource)
{
    for (size_t i = 0; i < cql_value_count(list); i++) {
        FhirNode item;
        if (cql_value_node(cql_value_item(list, i), &item) && item.at == resource.at)
            return true;
    }
    return false;
}

static Str stratum_text(const Decision *decision, const MeasureEpisode *episode, CqlValue value)
{
    if (cql_value_kind(value) == CQL_LIST && decision->plan->basis != FHIR_TYPE_NONE)
        return is_member(value, episode->resource) ? S("true") : S("false");
    if (cql_value_kind(value) == CQL_BOOLEAN)
        return cql_value_is_true(value) ? S("true") : S("false");
    return measure_value_text(decision->worker->arena, value);
}

static bool stratify(Decision *decision)
{
    const GroupPlan *plan = decision->plan;
    for (size_t i = 0; i < decision->count && plan->component_count > 0; i++) {
        MeasureEpisode *episode = &decision->episodes[i];
        Str *texts = ARENA_ZARRAY(decision->worker->arena, Str, plan->component_count);
        for (size_t j = 0; j < plan->component_count; j++) {
            CqlValue value;
            if (!ask(decision->worker, &plan->components[j], episode, &value, &decision->err))
                return false;
            texts[j] = stratum_text(decision, episode, value);
        }
        episode->strata = texts;
    }
    return true;
}

/* --- groups and measures --- */

static bool decide(Decision *decision)
{
    if (!find_episodes(decision))
        return false;
    for (size_t i = 0; i < decision->group->population_count && decision->count > 0; i++) {
        size_t population = decision->plan->order[i];
        MeasurePart part = decision->group->populations[population].part;
        bool is_fine = part == PART_INITIAL ||
                       (part == PART_OBSERVATION ? observe(decision, population)
                                                 : decide_population(decision, population));
        if (!is_fine)
            return false;
    }
    return stratify(decision);
}

/* After a failure the evaluator gives nothing more for this person until it begins anew. */
static void mend(MeasureWorker *worker)
{
    if (worker->is_broken)
        cql_eval_begin(worker->eval, worker->record);
    worker->is_broken = false;
}

const MeasureResult *measure_worker_ask(MeasureWorker *worker, size_t measure)
{
    ASSERT(measure < worker->set->count);
    const MeasureEntry *entry = &worker->set->entries[measure];
    size_t count = entry->measure->group_count;
    MeasureResult *result = ARENA_NEW(worker->arena, MeasureResult);
    MeasureGroupResult *groups = ARENA_ZARRAY(worker->arena, MeasureGroupResult, count);
    result->groups = groups;
    mend(worker);
    for (size_t i = 0; i < count; i++) {
        if (!entry->groups[i].is_usable)
            continue;
        Decision decision = {
            .worker = worker, .group = &entry->measure->groups[i], .plan = &entry->groups[i]};
        if (!decide(&decision)) {
            worker->is_broken = true;
            result->is_failed = true;
            result->failure = str_copy(worker->arena, str_from_c(decision.err.message));
            result->is_in = false;
            result->groups = ARENA_ZARRAY(worker->arena, MeasureGroupResult, count);
            return result;
        }
        groups[i] =
            (MeasureGroupResult){.episodes = decision.episodes, .episode_count = decision.count};
        result->is_in |= decision.count > 0;
    }
    return result;
}

const CqlValue *measure_worker_supplements(MeasureWorker *worker, size_t measure)
{
    const MeasureEntry *entry = &worker->set->entries[measure];
    size_t count = entry->measure->supplement_count;
    CqlValue *values = ARENA_ZARRAY(worker->arena, CqlValue, count);
    for (size_t i = 0; i < count; i++) {
        Error err = {0};
        mend(worker);
        if (entry->supplements[i].kind == ASK_DEFINITION &&
            !ask(worker, &entry->supplements[i], NULL, &values[i], &err)) {
            values[i] = (CqlValue){.kind = CQL_NULL};
            worker->is_broken = true;
        }
    }
    return values;
}

bool measure_worker_value(MeasureWorker *worker, size_t measure, Str expression,
                          CqlValue *ret_value, Error *err)
{
    const MeasureEntry *entry = &worker->set->entries[measure];
    const CqlPlan *cql = worker->set->cql;
    mend(worker);
    for (size_t i = 0; i < cql_plan_definition_count(cql); i++) {
        const CqlDefinition *each = cql_plan_definition(cql, i);
        if (!str_eq(each->library, entry->library) || !str_eq(each->version, entry->version) ||
            !str_eq(each->name, expression))
            continue;
        worker->is_broken = cql_eval_definition(worker->eval, i, ret_value, err) != ERR_OK;
        return !worker->is_broken;
    }
    (void)error_set(err, ERR_NOT_FOUND, "the library %.*s has no definition \"%.*s\"",
                    STR_ARG(entry->library), STR_ARG(expression));
    return false;
}

uint64_t measure_result_count(const MeasureGroupResult *result, size_t population)
{
    uint64_t count = 0;
    for (size_t i = 0; i < result->episode_count; i++)
        count += has(&result->episodes[i], (int)population);
    return count;
}

/* Who is responsible for whom on the day after the period: the lists of gaps are by it. */
#include <stdlib.h>

#include "programme/programme_int.h"

struct PracticeMap {
    int32_t day;
    const Organisations *organisations;
    Practice *practices;
    size_t count;
    uint32_t **of; /* by partition, then row */
};

typedef struct {
    Run *run;
    PracticeMap *map;
    Arena **arenas; /* one a worker */
} MapWork;

static bool attribute_partition(void *context, size_t worker, size_t partition,
                                const RecordBatch *batch)
{
    MapWork *work = context;
    const AttributionRule *rule = &work->run->programme->attribution;
    uint32_t *of = work->map->of[partition]; /* ConceptIds, until they are numbered */
    for (uint32_t row = 0; row < batch->person_count; row++) {
        Record record = {.batch = batch, .row = row};
        of[row] =
            attribution_decide(rule, record, work->map->day, work->arenas[worker]).organisation;
        arena_reset(work->arenas[worker]);
    }
    return true;
}

static int compare_practices(const void *a, const void *b)
{
    return str_cmp(((const Practice *)a)->id, ((const Practice *)b)->id);
}

static ErrorCode read_organisations(Run *run, const Organisations **ret_organisations, Error *err)
{
    Organisations *organisations = organisations_create(run->arena, store_dict(run->store));
    for (size_t i = 0; i < store_shared_count(run->store); i++) {
        const RecordBatch *shared;
        ErrorCode code = store_shared(run->store, i, &shared, err);
        if (code != ERR_OK)
            return code;
        organisations_add(organisations, shared);
    }
    organisations_finish(organisations, run->diags);
    *ret_organisations = organisations;
    return ERR_OK;
}

/* Practices by id instead of organisations by concept: concepts are in order of (system, id), but
   an organisation without a person must not be a practice. */
static void number_practices(Run *run, PracticeMap *map)
{
    const ConceptDict *dict = store_dict(run->store);
    size_t concepts = (size_t)concept_dict_count(dict) + 1;
    uint32_t *number = ARENA_ZARRAY(run->arena, uint32_t, concepts);
    size_t partitions = store_partition_count(run->store);
    for (size_t i = 0; i < partitions; i++)
        for (uint32_t row = 0; row < store_partition_persons(run->store, i); row++)
            number[map->of[i][row]] = 1;
    map->practices = ARENA_ARRAY(run->arena, Practice, concepts);
    for (size_t concept = 1; concept < concepts; concept ++)
        if (number[concept] != 0)
            map->practices[map->count++] =
                (Practice){.id = concept_dict_name(dict, (ConceptId) concept).code,
                           .name = organisation_name(map->organisations, (ConceptId) concept)};
    qsort(map->practices, map->count, sizeof *map->practices, compare_practices);
    number[0] = PRACTICE_NONE;
    for (size_t i = 0; i < map->count; i++)
        number[concept_dict_find(dict, S("Organization"), map->practices[i].id)] = (uint32_t)i;
    for (size_t i = 0; i < partitions; i++)
        for (uint32_t row = 0; row < store_partition_persons(run->store, i); row++)
            map->of[i][row] = number[map->of[i][row]];
}

static ErrorCode attribute_all(Run *run, PracticeMap *map, Error *err)
{
    size_t threads = run->options->threads;
    MapWork work = {.run = run, .map = map, .arenas = ARENA_ARRAY(run->arena, Arena *, threads)};
    for (size_t i = 0; i < threads; i++)
        work.arenas[i] = arena_create(0);
    ErrorCode code = store_for_each(run->store, threads, attribute_partition, &work, err);
    for (size_t i = 0; i < threads; i++)
        arena_destroy(work.arenas[i]);
    return code;
}

ErrorCode run_need_practices(Run *run, Error *err)
{
    ErrorCode code = run_need_store(run, err);
    if (code != ERR_OK || run->practices != NULL)
        return code;
    size_t partitions = store_partition_count(run->store);
    PracticeMap *map = ARENA_NEW(run->arena, PracticeMap);
    map->day = run->programme->measures.period_last + 1;
    map->of = ARENA_ARRAY(run->arena, uint32_t *, partitions);
    for (size_t i = 0; i < partitions; i++)
        map->of[i] = ARENA_ZARRAY(run->arena, uint32_t, store_partition_persons(run->store, i));
    code = read_organisations(run, &map->organisations, err);
    if (code == ERR_OK && run->programme->has_attribution)
        code = attribute_all(run, map, err);
    if (code != ERR_OK)
        return code;
    number_practices(run, map);
    run->practices = map;
    return ERR_OK;
}

size_t practice_count(const PracticeMap *map)
{
    return map->count;
}

const Practice *practice_at(const PracticeMap *map, size_t practice)
{
    ASSERT(practice < map->count);
    return &map->practices[practice];
}

uint32_t practice_of(const PracticeMap *map, size_t partition, uint32_t row)
{
    return map->of[partition][row];
}

int32_t practice_day(const PracticeMap *map)
{
    return map->day;
}

const Organisations *practice_organisations(const PracticeMap *map)
{
    return map->organisations;
}

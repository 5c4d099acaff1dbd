/*
 * bench_attribution -- deciding for a million persons on the first of twelve months, from the
 * directory alone. The persons are columns made here: 50 encounters over five years each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "attribution/attribution.h"

enum { RUNS = 5, PERSONS = 100000, ENCOUNTERS = 50, ORGANISATIONS = 200, MONTHS = 12 };

static double now_ns(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

static int compare_days(const void *a, const void *b)
{
    int32_t left = *(const int32_t *)a;
    int32_t right = *(const int32_t *)b;
    return (left > right) - (left < right);
}

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dull;
}

/* Most encounters of a person are with one practice, the others anywhere. */
static RecordBatch *make_batch(Arena *arena, int32_t first_day, int32_t last_day)
{
    uint64_t state = 9;
    size_t entries = (size_t)PERSONS * ENCOUNTERS;
    int32_t *days = ARENA_ARRAY(arena, int32_t, entries);
    ConceptId *orgs = ARENA_ARRAY(arena, ConceptId, entries);
    uint32_t *starts = ARENA_ARRAY(arena, uint32_t, (size_t)PERSONS + 1);
    for (size_t person = 0; person < PERSONS; person++) {
        size_t from = person * ENCOUNTERS;
        starts[person] = (uint32_t)from;
        ConceptId own = 1 + (ConceptId)(random_next(&state) % ORGANISATIONS);
        for (size_t i = from; i < from + ENCOUNTERS; i++) {
            days[i] =
                first_day + (int32_t)(random_next(&state) % (uint64_t)(last_day - first_day + 1));
            bool is_own = random_next(&state) % 3 != 0;
            orgs[i] = is_own ? own : 1 + (ConceptId)(random_next(&state) % ORGANISATIONS);
        }
        qsort(days + from, ENCOUNTERS, sizeof(*days), compare_days);
    }
    starts[PERSONS] = (uint32_t)entries;
    RecordBatch *batch = ARENA_NEW(arena, RecordBatch);
    batch->person_count = PERSONS;
    batch->types[FHIR_TYPE_Encounter] = (RecordType){
        .entries = {.count = (uint32_t)entries,
                    .days = days,
                    .orgs = orgs,
                    .tapes = ARENA_ZARRAY(arena, uint32_t, entries)},
        .starts = starts,
    };
    return batch;
}

int main(void)
{
    Arena *arena = arena_create(0);
    Arena *scratch = arena_create(0);
    int32_t first = day_from_date(2020, 1, 1);
    RecordBatch *batch = make_batch(arena, day_from_date(2016, 1, 1), day_from_date(2020, 12, 31));
    const int32_t *days;
    size_t count =
        member_month_days(arena, first, day_from_date(2020, 12, 31), MEMBER_ON_FIRST_DAY, &days);
    ASSERT(count == MONTHS);
    AttributionRule rule = {
        .method = ATTRIBUTION_BY_PLURALITY_OF_ENCOUNTERS,
        .months = 24,
        .ties = {ATTRIBUTION_TIE_LATEST_ENCOUNTER, ATTRIBUTION_TIE_ORGANISATION_ID},
        .tie_count = 2};
    double times[RUNS];
    uint64_t decided = 0;
    for (int run = 0; run < RUNS; run++) {
        double start = now_ns();
        for (uint32_t row = 0; row < PERSONS; row++) {
            AttributionDecision decisions[MONTHS];
            attribution_decide_months(&rule, (Record){.batch = batch, .row = row}, days, MONTHS,
                                      decisions, scratch);
            decided += decisions[MONTHS - 1].organisation != CONCEPT_NONE;
        }
        times[run] = (now_ns() - start) / PERSONS;
    }
    qsort(times, RUNS, sizeof(*times), compare_doubles);
    double median = times[RUNS / 2];
    printf("bench: attribution/person-of-12-months %.0f ns\n", median);
    printf("bench: attribution/million-persons-12-months %.2f s\n", median / 1000);
    if (decided == 0)
        printf("nothing was decided\n");
    arena_destroy(scratch);
    arena_destroy(arena);
    return 0;
}

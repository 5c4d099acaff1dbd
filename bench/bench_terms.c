/*
 * bench_terms -- what interning a code, asking a set and finishing a dictionary cost. Each figure
 * is the median of several runs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "terms/terms.h"

/* TEXTS texts are looked up again and again: they stay in the cache, as a resource does while it is
   read. */
enum { RUNS = 7, LOOKUPS = 1 << 20, TEXTS = 8192 };

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

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare_doubles);
    return values[count / 2];
}

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dull;
}

/* Names as they stand in resources: each look-up brings texts of its own. */
static ConceptName *make_names(Arena *arena, size_t distinct, size_t count)
{
    static const char *const systems[] = {"http://snomed.info/sct", "http://loinc.org",
                                          "http://www.nlm.nih.gov/research/umls/rxnorm",
                                          "http://hl7.org/fhir/sid/icd-10-cm"};
    uint64_t state = 1;
    ConceptName *names = ARENA_ARRAY(arena, ConceptName, count);
    for (size_t i = 0; i < count; i++) {
        uint64_t pick = distinct == count ? i : random_next(&state) % distinct;
        names[i].system = str_copy(arena, str_from_c(systems[pick % COUNT_OF(systems)]));
        names[i].code = str_format(arena, "%llu", 10000000 + (unsigned long long)pick * 7919);
    }
    return names;
}

static void bench_hits(const char *figure, size_t distinct)
{
    Arena *arena = arena_create(0);
    size_t texts = distinct < TEXTS ? TEXTS : LOOKUPS;
    ConceptName *names = make_names(arena, distinct, texts);
    ConceptBuilder *builder = concept_builder_create();
    ConceptInterner *interner = concept_interner_create(builder);
    double times[RUNS] = {0};
    uint64_t sum = 0;
    for (int run = -1; run < RUNS; run++) {
        double start = now_ns();
        for (size_t i = 0; i < LOOKUPS; i++)
            sum += concept_intern(interner, names[i & (texts - 1)].system,
                                  names[i & (texts - 1)].code);
        if (run >= 0)
            times[run] = (now_ns() - start) / LOOKUPS;
    }
    printf("bench: %s %.1f ns\n", figure, median(times, RUNS));
    if (sum == 0)
        printf("nothing was interned\n");
    concept_interner_destroy(interner);
    concept_builder_destroy(builder);
    arena_destroy(arena);
}

static void bench_new_and_finish(void)
{
    Arena *arena = arena_create(0);
    ConceptName *names = make_names(arena, LOOKUPS, LOOKUPS);
    double new_times[RUNS];
    double finish_times[RUNS];
    double bytes = 0;
    for (int run = 0; run < RUNS; run++) {
        ConceptBuilder *builder = concept_builder_create();
        ConceptInterner *interner = concept_interner_create(builder);
        double start = now_ns();
        for (size_t i = 0; i < LOOKUPS; i++)
            (void)concept_intern(interner, names[i].system, names[i].code);
        new_times[run] = (now_ns() - start) / LOOKUPS;
        bytes = (double)concept_builder_bytes(builder) / LOOKUPS;
        Arena *dict_arena = arena_create(0);
        const ConceptId *renumber;
        start = now_ns();
        (void)concept_builder_finish(builder, dict_arena, &renumber);
        finish_times[run] = (now_ns() - start) / LOOKUPS;
        arena_destroy(dict_arena);
        concept_interner_destroy(interner);
        concept_builder_destroy(builder);
    }
    printf("bench: terms/intern-new %.1f ns\n", median(new_times, RUNS));
    printf("bench: terms/builder-bytes-a-concept %.1f bytes\n", bytes);
    printf("bench: terms/finish-a-concept %.1f ns\n", median(finish_times, RUNS));
    arena_destroy(arena);
}

static void bench_set(void)
{
    enum { CODES = 100000, MEMBERS = 500 };
    Arena *arena = arena_create(0);
    ConceptName *names = make_names(arena, CODES, CODES);
    ConceptBuilder *builder = concept_builder_create();
    ConceptInterner *interner = concept_interner_create(builder);
    for (size_t i = 0; i < CODES; i++)
        (void)concept_intern(interner, names[i].system, names[i].code);
    const ConceptId *renumber;
    ConceptDict *dict = concept_builder_finish(builder, arena, &renumber);
    uint64_t state = 3;
    ConceptId members[MEMBERS];
    for (size_t i = 0; i < MEMBERS; i++)
        members[i] = 1 + (ConceptId)(random_next(&state) % CODES);
    ConceptSet set = concept_set_of(arena, dict, members, MEMBERS);
    ConceptId *ids = ARENA_ARRAY(arena, ConceptId, LOOKUPS);
    for (size_t i = 0; i < LOOKUPS; i++)
        ids[i] = 1 + (ConceptId)(random_next(&state) % CODES);
    double times[RUNS] = {0};
    double find_times[RUNS] = {0};
    uint32_t hits = 0;
    for (int run = 0; run < RUNS; run++) {
        double start = now_ns();
        for (size_t i = 0; i < LOOKUPS; i++)
            hits += concept_set_has(&set, ids[i]);
        times[run] = (now_ns() - start) / LOOKUPS;
        start = now_ns();
        for (size_t i = 0; i < CODES; i++)
            hits += concept_dict_find(dict, names[i].system, names[i].code) != CONCEPT_NONE;
        find_times[run] = (now_ns() - start) / CODES;
    }
    printf("bench: terms/set-has %.2f ns\n", median(times, RUNS));
    printf("bench: terms/dict-find %.1f ns\n", median(find_times, RUNS));
    if (hits == 0)
        printf("nothing was found\n");
    concept_interner_destroy(interner);
    concept_builder_destroy(builder);
    arena_destroy(arena);
}

int main(void)
{
    bench_hits("terms/intern-seen-of-3k", 3000);
    bench_hits("terms/intern-seen-of-100k", 100000);
    bench_new_and_finish();
    bench_set();
    return 0;
}

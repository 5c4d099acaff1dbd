/*
 * bench_store -- what a finished store costs to read: walking the directory, opening a person at
 * random, and counting by posting lists.
 */
#include "bench_population.h"

enum { PERSONS = 40000, LOOKUPS = 1 << 20, WALKS = 20 };

/* Every entry of every type, through the records as a reader of persons does: how many have a
   concept of the set in a span of days. */
static uint64_t walk(const Store *store, const ConceptSet *set, uint64_t *ret_entries)
{
    uint64_t hits = 0;
    uint64_t entries = 0;
    for (size_t i = 0; i < store_partition_count(store); i++) {
        const RecordBatch *batch;
        Error err = {0};
        bench_must(store_directory(store, i, &batch, &err), &err);
        for (uint32_t type = 1; type < FHIR_RESOURCE_TYPE_LIMIT; type++) {
            const RecordType *columns = &batch->types[type];
            if (columns->starts == NULL || columns->entries.concepts == NULL ||
                columns->entries.days == NULL)
                continue;
            for (uint32_t row = 0; row < batch->person_count; row++) {
                RecordSlice slice =
                    record_slice((Record){.batch = batch, .row = row}, (uint16_t)type);
                for (uint32_t k = 0; k < slice.count; k++)
                    hits += concept_set_has(set, slice.concepts[k]) & (slice.days[k] > 14000);
                entries += slice.count;
            }
        }
    }
    *ret_entries = entries;
    return hits;
}

static void measure_walk(Arena *arena, const Store *store)
{
    ConceptId code = concept_dict_find(store_dict(store), S("http://loinc.org"), S("4548-4"));
    ConceptSet set = concept_set_of(arena, store_dict(store), &code, 1);
    uint64_t entries = 0;
    uint64_t hits = walk(store, &set, &entries);
    for (size_t run = 0; run < bench_runs(); run++) {
        double begin = bench_seconds();
        for (int i = 0; i < WALKS; i++)
            hits += walk(store, &set, &entries);
        double seconds = bench_seconds() - begin;
        bench_figure("directory cursor, 1 thread", (double)entries * WALKS / 1e6 / seconds,
                     "Mentries/s");
    }
    printf("%zu hits\n", (size_t)hits);
}

static void measure_open(Arena *arena, const Store *store)
{
    Str *ids = ARENA_ARRAY(arena, Str, LOOKUPS);
    uint64_t state = 42;
    for (size_t i = 0; i < LOOKUPS; i++) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
        const RecordBatch *batch;
        Error err = {0};
        size_t partition = (size_t)(state >> 33) % store_partition_count(store);
        bench_must(store_batch(store, partition, &batch, &err), &err);
        Record record = {.batch = batch, .row = (uint32_t)(state >> 20) % batch->person_count};
        ids[i] = str_copy(arena, record_person_id(record));
    }
    for (size_t run = 0; run < bench_runs(); run++) {
        uint64_t sum = 0;
        double begin = bench_seconds();
        for (size_t i = 0; i < LOOKUPS; i++) {
            Record record;
            if (store_find_person(store, ids[i], &record, NULL) == ERR_OK)
                sum += record_slice(record, FHIR_TYPE_Observation).count;
        }
        bench_figure("person opened at random", (bench_seconds() - begin) * 1e9 / LOOKUPS, "ns");
        if (sum == 0)
            exit(1);
    }
}

int main(void)
{
    Arena *arena = arena_create(0);
    Str scratch = bench_scratch(arena);
    Store *store = population_store(arena, scratch, PERSONS, true);
    measure_walk(arena, store);
    measure_open(arena, store);
    store_close(store);
    arena_destroy(arena);
    return 0;
}

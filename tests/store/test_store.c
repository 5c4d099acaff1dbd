#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/io.h"
#include "base/test.h"
#include "people.h"

static Store *open_people(Arena *arena, Str path, size_t persons, size_t partitions)
{
    Error err = {0};
    Store *store = NULL;
    CHECK_OK(people_store(arena, path, people_ndjson(arena, 0, persons), partitions, &err), &err);
    CHECK_OK(store_open(arena, path, &store, &err), &err);
    ASSERT(store != NULL);
    return store;
}

TEST(every_person_is_found_by_id)
{
    Str path = io_join(arena, test_temp_dir(arena), S("store"));
    Store *store CLEANUP(store_cleanup) = open_people(arena, path, 3000, 7);
    CHECK_INT(store_partition_count(store), 7);
    CHECK_INT(store_info(store)->persons, 3000);
    CHECK_INT(store_info(store)->by_type[FHIR_TYPE_Observation], 9000);
    CHECK_INT(store_info(store)->shared_resources, 1);
    size_t found = 0;
    for (size_t i = 0; i < 6000; i++) {
        Record record;
        Str id = str_format(arena, "p%zu", i);
        ErrorCode code = store_find_person(store, id, &record, NULL);
        found += code == ERR_OK && str_eq(record_person_id(record), id);
        if (i >= 3000)
            CHECK_INT(code, ERR_NOT_FOUND);
    }
    CHECK_INT(found, 3000);
    Error err = {0};
    Record record;
    CHECK_INT(store_find_person(store, S(""), &record, &err), ERR_NOT_FOUND);
}

TEST(a_person_reads_back_as_written)
{
    Str path = io_join(arena, test_temp_dir(arena), S("store"));
    Store *store CLEANUP(store_cleanup) = open_people(arena, path, 100, 3);
    Record record;
    Error err = {0};
    if (!CHECK_OK(store_find_person(store, S("p7"), &record, &err), &err))
        return;
    StrBuf json;
    strbuf_init(&json, arena, 0);
    CHECK(fhir_write_json(record_patient(record), &json));
    CHECK_STR(strbuf_str(&json), S("{\"resourceType\":\"Patient\",\"id\":\"p7\",\"gender\":"
                                   "\"female\",\"birthDate\":\"1937-05-11\"}"));
    RecordSlice conditions = record_slice(record, FHIR_TYPE_Condition);
    CHECK_INT(conditions.count, 3);
    CHECK(conditions.days[0] < conditions.days[2]);
    const RecordBatch *shared;
    CHECK_INT((int64_t)store_shared_count(store), 1);
    CHECK_OK(store_shared(store, 0, &shared, &err), &err);
    CHECK_INT(shared->types[FHIR_TYPE_Organization].entries.count, 1);
    /* The directory alone answers without tapes. */
    const RecordBatch *directory;
    CHECK_OK(store_directory(store, 0, &directory, &err), &err);
    CHECK_INT(directory->area.size, 0);
}

/* Persons with a condition of the code, counted along the columns. */
static uint64_t count_along_columns(const Store *store, uint16_t type, const ConceptSet *set)
{
    uint64_t count = 0;
    for (size_t i = 0; i < store_partition_count(store); i++) {
        const RecordBatch *batch;
        Error err = {0};
        CHECK_OK(store_batch(store, i, &batch, &err), &err);
        for (uint32_t row = 0; row < batch->person_count; row++) {
            RecordSlice slice = record_slice((Record){.batch = batch, .row = row}, type);
            bool has = false;
            for (uint32_t k = 0; k < slice.count; k++)
                has |= set == NULL || concept_set_has(set, slice.concepts[k]);
            count += has;
        }
    }
    return count;
}

TEST(posting_lists_count_as_the_columns_do)
{
    Str path = io_join(arena, test_temp_dir(arena), S("store"));
    Store *store CLEANUP(store_cleanup) = open_people(arena, path, 2000, 4);
    const ConceptDict *dict = store_dict(store);
    Error err = {0};
    ConceptId ids[7];
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        Str code = str_format(arena, "%zu", 1000 + i);
        ids[i] = concept_dict_find(dict, S("http://snomed.info/sct"), code);
        CHECK(ids[i] != CONCEPT_NONE);
    }
    for (size_t n = 0; n <= COUNT_OF(ids); n++) {
        ConceptSet set = concept_set_of(arena, dict, ids, n);
        uint64_t count;
        CHECK_OK(store_count_with(store, FHIR_TYPE_Condition, &set, &count, &err), &err);
        CHECK_INT(count, count_along_columns(store, FHIR_TYPE_Condition, &set));
    }
    uint64_t count;
    CHECK_OK(store_count_with(store, FHIR_TYPE_Condition, NULL, &count, &err), &err);
    CHECK_INT(count, 1500);
    CHECK_OK(store_count_with(store, FHIR_TYPE_Claim, NULL, &count, &err), &err);
    CHECK_INT(count, 0);

    /* The rows are those persons, beside what was set before. */
    ConceptSet set = concept_set_of(arena, dict, ids, 2);
    uint64_t total = 0;
    for (size_t i = 0; i < store_partition_count(store); i++) {
        size_t words = store_row_words(store_partition_persons(store, i));
        uint64_t *bits = ARENA_ZARRAY(arena, uint64_t, words);
        CHECK_OK(store_rows_with(store, i, FHIR_TYPE_Condition, &set, bits, &err), &err);
        for (size_t k = 0; k < words; k++)
            total += (uint64_t)__builtin_popcountll(bits[k]);
    }
    CHECK_INT(total, count_along_columns(store, FHIR_TYPE_Condition, &set));
}

typedef struct {
    atomic_size_t persons;
    size_t stop_at;
} Seen;

static bool count_persons(void *context, UNUSED size_t worker, size_t partition,
                          const RecordBatch *batch)
{
    Seen *seen = context;
    (void)atomic_fetch_add(&seen->persons, batch->person_count);
    return partition != seen->stop_at;
}

TEST(all_partitions_are_visited_unless_stopped)
{
    Str path = io_join(arena, test_temp_dir(arena), S("store"));
    Store *store CLEANUP(store_cleanup) = open_people(arena, path, 500, 5);
    Error err = {0};
    Seen seen = {.stop_at = SIZE_MAX};
    CHECK_OK(store_for_each(store, 3, count_persons, &seen, &err), &err);
    CHECK_INT(atomic_load(&seen.persons), 500);
    seen = (Seen){.stop_at = 1};
    CHECK_INT(store_for_each(store, 1, count_persons, &seen, &err), ERR_STOPPED);
}

TEST(there_may_be_no_store_or_an_empty_one)
{
    Str folder = test_temp_dir(arena);
    Error err = {0};
    Store *store CLEANUP(store_cleanup) = NULL;
    CHECK_INT(store_open(arena, folder, &store, &err), ERR_NOT_FOUND);
    StoreWriter *writer = NULL;
    Str path = io_join(arena, folder, S("store"));
    CHECK_OK(store_writer_begin(arena, path, &writer, &err), &err);
    ConceptBuilder *concepts = concept_builder_create();
    const ConceptId *renumber;
    ConceptDict *dict = concept_builder_finish(concepts, arena, &renumber);
    CHECK_OK(store_writer_dict(writer, dict, &err), &err);
    CHECK_OK(store_writer_commit(writer, &(StoreSource){0}, &err), &err);
    store_writer_end(writer);
    concept_builder_destroy(concepts);
    CHECK_OK(store_open(arena, path, &store, &err), &err);
    CHECK_INT(store_partition_count(store), 0);
    Record record;
    CHECK_INT(store_find_person(store, S("p1"), &record, NULL), ERR_NOT_FOUND);
    CHECK_INT((int64_t)store_shared_count(store), 0);
    uint64_t count;
    CHECK_OK(store_count_with(store, FHIR_TYPE_Patient, NULL, &count, &err), &err);
    CHECK_INT(count, 0);
}

/* ---- readers while a writer replaces ---- */

typedef struct {
    Str path;
    atomic_bool is_done;
    atomic_size_t opened;
} Race;

static void *read_again_and_again(void *context)
{
    Race *race = context;
    while (!atomic_load(&race->is_done)) {
        Arena *arena CLEANUP(arena_cleanup) = arena_create(0);
        Store *store CLEANUP(store_cleanup) = NULL;
        Error err = {0};
        if (!CHECK_OK(store_open(arena, race->path, &store, &err), &err))
            return NULL;
        uint64_t persons = 0;
        for (size_t i = 0; i < store_partition_count(store); i++) {
            const RecordBatch *batch;
            CHECK_OK(store_batch(store, i, &batch, &err), &err);
            persons += batch->person_count;
        }
        CHECK_INT(persons, store_info(store)->persons);
        (void)atomic_fetch_add(&race->opened, 1);
    }
    return NULL;
}

TEST(readers_go_on_while_versions_are_replaced)
{
    Str path = io_join(arena, test_temp_dir(arena), S("store"));
    Error err = {0};
    CHECK_OK(people_store(arena, path, people_ndjson(arena, 0, 50), 2, &err), &err);
    Race race = {.path = path};
    pthread_t reader;
    ASSERT(pthread_create(&reader, NULL, read_again_and_again, &race) == 0);
    for (size_t i = 0; i < 40; i++) {
        Str text = people_ndjson(arena, 0, 50 + i);
        CHECK_OK(people_store(arena, path, text, 1 + i % 3, &err), &err);
    }
    atomic_store(&race.is_done, true);
    (void)pthread_join(reader, NULL);
    CHECK(atomic_load(&race.opened) > 0);
}

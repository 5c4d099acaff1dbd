#include <stdlib.h>

#include "base/test.h"
#include "store/store_int.h"

/* A batch of observations alone: concept c of the dictionary is with the rows for which wanted(c,
   row) is true. */
typedef bool (*Wanted)(ConceptId concept, uint32_t row);

static bool never(UNUSED ConceptId concept, UNUSED uint32_t row)
{
    return false;
}

static bool sparse(ConceptId concept, uint32_t row)
{
    return row % (97 * concept) == 5;
}

static bool dense(ConceptId concept, uint32_t row)
{
    return (row * 2654435761u >> 16) % 8 < concept;
}

static bool runs(ConceptId concept, uint32_t row)
{
    return row / 1000 % (concept + 1) == 0;
}

static bool edges(ConceptId concept, uint32_t row)
{
    return row == 0 || row == 65535 || row == 65536 || row == concept;
}

static bool all(UNUSED ConceptId concept, UNUSED uint32_t row)
{
    return true;
}

enum { CONCEPTS = 6 };

static ConceptDict *make_dict(Arena *arena)
{
    ConceptBuilder *concepts = concept_builder_create();
    ConceptInterner *interner = concept_interner_create(concepts);
    for (int i = 0; i < CONCEPTS; i++)
        (void)concept_intern(interner, S("s"), str_format(arena, "%d", i));
    concept_interner_destroy(interner);
    const ConceptId *renumber;
    ConceptDict *dict = concept_builder_finish(concepts, arena, &renumber);
    concept_builder_destroy(concepts);
    return dict;
}

static RecordBatch *make_batch(Arena *arena, uint32_t persons, Wanted wanted)
{
    RecordBatch *batch = ARENA_NEW(arena, RecordBatch);
    batch->person_count = persons;
    batch->dict = make_dict(arena);
    uint32_t *starts = ARENA_ARRAY(arena, uint32_t, persons + 1);
    ConceptId *concepts = ARENA_ARRAY(arena, ConceptId, (size_t)persons * CONCEPTS);
    uint32_t count = 0;
    for (uint32_t row = 0; row < persons; row++) {
        starts[row] = count;
        for (ConceptId concept = 1; concept <= CONCEPTS; concept ++) {
            if (wanted(concept, row))
            concepts[count++] = concept;
        }
    }
    starts[persons] = count;
    batch->types[FHIR_TYPE_Observation] = (RecordType){
        .starts = starts, .entries = {.count = count, .concepts = concepts, .tapes = concepts}};
    return batch;
}

static Postings build(Arena *arena, const RecordBatch *batch)
{
    StrBuf index;
    StrBuf data;
    strbuf_init(&index, arena, 0);
    strbuf_init(&data, arena, 0);
    postings_build(arena, batch, &index, &data);
    return (Postings){.index = (const void *)index.ptr,
                      .count = (uint32_t)(index.len / sizeof(Posting)),
                      .data = (const uint8_t *)data.ptr,
                      .data_size = data.len,
                      .person_count = batch->person_count};
}

TEST(rows_come_back_from_every_form)
{
    static const struct {
        const char *row;
        uint32_t persons;
        Wanted wanted;
    } rows[] = {
        {"none", 1000, never},          {"one person", 1, all},
        {"sparse", 4096, sparse},       {"dense", 4096, dense},
        {"runs", 4096, runs},           {"all", 4096, all},
        {"edges", 70000, edges},        {"sparse, many", 200000, sparse},
        {"dense, many", 200000, dense}, {"runs, many", 400000, runs},
        {"all, many", 65536, all},
    };
    bool seen[POSTING_FORM_LIMIT] = {false};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Arena *scratch CLEANUP(arena_cleanup) = arena_create(0);
        RecordBatch *batch = make_batch(scratch, rows[i].persons, rows[i].wanted);
        Postings postings = build(scratch, batch);
        size_t words = store_row_words(rows[i].persons);
        uint64_t *bits = ARENA_ARRAY(scratch, uint64_t, words);
        for (ConceptId concept = 1; concept <= CONCEPTS; concept ++) {
            ConceptSet set = concept_set_of(scratch, batch->dict, &concept, 1);
            memset(bits, 0, words * sizeof(*bits));
            CHECK(postings_rows_with(&postings, FHIR_TYPE_Observation, &set, bits));
            size_t wrong = 0;
            for (uint32_t row = 0; row < rows[i].persons; row++)
                wrong += ((bits[row >> 6] >> (row & 63)) & 1) != rows[i].wanted(concept, row);
            CHECK_ROW(rows[i].row, wrong, 0);
        }
        for (uint32_t k = 0; k < postings.count; k++)
            seen[postings.index[k].form] = true;
    }
    for (size_t form = 0; form < POSTING_FORM_LIMIT; form++)
        CHECK(seen[form]);
}

TEST(damaged_rows_are_refused_and_never_written_beyond)
{
    uint64_t state = 77;
    static const Wanted kinds[] = {sparse, dense, runs, edges};
    for (size_t kind = 0; kind < COUNT_OF(kinds); kind++) {
        for (uint32_t persons = 3000; persons <= 90000; persons *= 30) {
            Arena *scratch CLEANUP(arena_cleanup) = arena_create(0);
            RecordBatch *batch = make_batch(scratch, persons, kinds[kind]);
            Postings postings = build(scratch, batch);
            uint8_t *data = malloc(postings.data_size + 1);
            size_t words = store_row_words(persons);
            uint64_t *bits = malloc(words * sizeof(*bits));
            ASSERT(data != NULL && bits != NULL);
            for (size_t i = 0; i < 2000; i++) {
                memcpy(data, postings.data, postings.data_size);
                /* Lengths and heads stand in front. */
                for (size_t k = 0; k < 1 + i % 3 && postings.data_size > 0; k++) {
                    size_t at = test_random(&state) %
                                (i % 2 == 0 && postings.data_size > 24 ? 24 : postings.data_size);
                    data[at] = (uint8_t)test_random(&state);
                }
                Postings damaged = postings;
                damaged.data = data;
                damaged.data_size = test_random(&state) % (postings.data_size + 1);
                const Posting *posting = &postings.index[test_random(&state) % postings.count];
                memset(bits, 0, words * sizeof(*bits));
                (void)!posting_set_bits(&damaged, posting, bits);
                if (persons % 64 != 0)
                    CHECK_INT(bits[words - 1] >> (persons % 64), 0);
            }
            free(data);
            free(bits);
        }
    }
}

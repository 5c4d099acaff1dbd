/* Batches: whose is what, in which order, and that nothing but the set of inputs counts. */
#include "support.h"

#include "fhir/fhir_int.h"

enum { INPUTS_MAX = 4000 };

typedef struct {
    Arena *arena;
    ConceptBuilder *concepts;
    FhirReader *reader;
    RecordInput inputs[INPUTS_MAX];
    size_t count;
} Source;

static Source *source_new(Arena *arena)
{
    Source *source = ARENA_NEW(arena, Source);
    source->arena = arena;
    source->concepts = concept_builder_create();
    source->reader = fhir_reader_create(source->concepts, &(FhirReaderOptions){0});
    return source;
}

static void source_add(Source *source, const char *json)
{
    DiagList diags;
    FhirParsed parsed;
    diag_init(&diags, source->arena);
    fhir_reader_begin(source->reader, padded(source->arena, str_from_c(json)), S("f"), 1, &diags);
    ASSERT(fhir_reader_next(source->reader, &parsed) && !parsed.is_refused);
    RecordInput *input = &source->inputs[source->count];
    *input = (RecordInput){.facts = parsed.facts,
                           .tape = arena_copy(source->arena, parsed.tape, parsed.tape_size),
                           .tape_size = parsed.tape_size,
                           .source = source->count++};
    input->facts.id = str_copy(source->arena, parsed.facts.id);
    input->facts.patient_id = str_copy(source->arena, parsed.facts.patient_id);
}

static void source_done(Source *source)
{
    fhir_reader_destroy(source->reader);
    concept_builder_destroy(source->concepts);
}

static void note_refusal(void *context, const RecordInput *input, RecordVerdict verdict)
{
    StrBuf *out = context;
    strbuf_printf(out, "%u:%d ", (unsigned)input->source, (int)verdict);
}

static RecordBatch *build(Source *source, const RecordBuilderOptions *options)
{
    RecordBatch *batch = NULL;
    Error err = {0};
    RecordBuilder *builder = record_builder_create(source->arena, options);
    for (size_t i = 0; i < source->count; i++)
        record_builder_add(builder, &source->inputs[i]);
    CHECK_OK(record_builder_finish(builder, &batch, &err), &err);
    return batch;
}

#define PATIENT(id, more) "{\"resourceType\":\"Patient\",\"id\":\"" id "\"" more "}"
#define CONDITION(id, whose, code, when)                                                           \
    "{\"resourceType\":\"Condition\",\"id\":\"" id "\",\"code\":{\"coding\":[{\"system\":\"s\","   \
    "\"code\":\"" code "\"}]},\"subject\":{\"reference\":\"Patient/" whose "\"}" when "}"
#define ON(day) ",\"onsetDateTime\":\"" day "\""

static Str ids_of(Arena *arena, const RecordBatch *batch, uint16_t type, uint32_t row)
{
    StrBuf out;
    strbuf_init(&out, arena, 0);
    Record record = {.batch = batch, .row = row};
    RecordSlice slice = record_slice(record, type);
    for (uint32_t i = 0; i < slice.count; i++) {
        FhirNode resource = record_resource(record, slice, type, i);
        strbuf_add(&out, fhir_text(fhir_child(resource, 1), arena));
        strbuf_add_char(&out, ' ');
    }
    return strbuf_str(&out);
}

TEST(entries_are_in_order_and_twins_and_strangers_are_refused)
{
    Source *source = source_new(arena);
    source_add(source, CONDITION("c3", "p", "z", ON("2020-05-02")));
    source_add(source, CONDITION("c2", "p", "y", ON("2020-05-01T10:00:00Z")));
    source_add(source, CONDITION("c1", "p", "x", ON("2020-05-01T10:00:00Z")));
    source_add(source, CONDITION("c0", "p", "x", ON("2020-05-01T12:00:00+04:00")));
    source_add(source, CONDITION("c9", "p", "x", "")); /* undated: first */
    source_add(source, PATIENT("p", ",\"gender\":\"female\",\"birthDate\":\"1950-03\","
                                    "\"deceasedBoolean\":true"));
    source_add(source, CONDITION("c1", "p", "w", ON("1999")));
    source_add(source, CONDITION("c1", "q", "w", ON("1999")));
    source_add(source, PATIENT("p", ""));
    source_add(source, PATIENT("r", ",\"deceasedDateTime\":\"2020-01-02\""));
    const ConceptId *renumber;
    ConceptDict *dict = concept_builder_finish(source->concepts, arena, &renumber);
    StrBuf refused;
    strbuf_init(&refused, arena, 0);
    const RecordBatch *batch = build(source, &(RecordBuilderOptions){.dict = dict,
                                                                     .renumber = renumber,
                                                                     .on_refusal = note_refusal,
                                                                     .context = &refused});
    uint32_t row = 0;
    CHECK_STR(strbuf_str(&refused), S("6:1 7:2 8:1 "));
    CHECK_INT(batch->person_count, 2);
    CHECK(record_find(batch, S("p"), &row));
    CHECK(!record_find(batch, S("q"), &row));
    CHECK_STR(ids_of(arena, batch, FHIR_TYPE_Condition, row), S("c9 c0 c1 c2 c3 "));
    CHECK_INT(batch->sexes[row], SEX_FEMALE);
    CHECK_INT(batch->birth_days[row], day_from_date(1950, 3, 1));
    CHECK_INT(batch->death_days[row], DEATH_UNDATED);
    Record record = {.batch = batch, .row = row};
    CHECK_STR(record_person_id(record), S("p"));
    RecordSlice slice = record_slice(record, FHIR_TYPE_Condition);
    CHECK_INT(slice.days[0], DAY_NONE);
    CHECK_INT(slice.concepts[4], concept_dict_find(dict, S("s"), S("z")));
    CHECK(slice.numbers == NULL && slice.orgs == NULL);
    FhirNode found = record_find_resource(record, FHIR_TYPE_Condition, S("c2"));
    ConceptId id;
    CHECK_INT((int64_t)fhir_concepts(fhir_child(found, FHIR_ELEM_Condition_code), &id, 1), 1);
    CHECK_STR(concept_dict_name(dict, id).code, S("y"));
    CHECK(record_find(batch, S("r"), &row));
    CHECK_INT(batch->death_days[row], day_from_date(2020, 1, 2));
    CHECK_INT(record_slice((Record){batch, row}, FHIR_TYPE_Condition).count, 0);
    source_done(source);
}

static void fill(Source *source, uint64_t seed)
{
    uint64_t state = seed;
    for (unsigned person = 0; person < 40; person++) {
        source_add(source, str_to_c(source->arena,
                                    str_format(source->arena,
                                               PATIENT("p%u", ",\"gender\":\"male\""), person)));
        for (unsigned i = 0; i < 30; i++) {
            uint64_t r = test_random(&state);
            source_add(source,
                       str_to_c(source->arena,
                                str_format(source->arena,
                                           CONDITION("c%u-%u", "p%u", "k%u", ON("20%02u-0%u-11")),
                                           person, i, person, (unsigned)(r % 9),
                                           (unsigned)(r >> 8) % 20, (unsigned)(r >> 16) % 9 + 1)));
        }
    }
}

static void shuffle(Source *source, uint64_t seed)
{
    uint64_t state = seed;
    for (size_t i = source->count; i > 1; i--) {
        size_t other = test_random(&state) % i;
        RecordInput swap = source->inputs[i - 1];
        source->inputs[i - 1] = source->inputs[other];
        source->inputs[other] = swap;
    }
}

/* Another order of adding, and other provisional numbers: the same bytes. */
TEST(batches_depend_on_nothing_but_their_inputs)
{
    const RecordBatch *batches[3];
    for (unsigned run = 0; run < 3; run++) {
        Source *source = source_new(arena);
        ConceptInterner *interner = concept_interner_create(source->concepts);
        for (unsigned i = 9; run == 2 && i > 0; i--)
            (void)concept_intern(interner, S("s"), str_format(arena, "k%u", i - 1));
        concept_interner_destroy(interner);
        fill(source, 1);
        if (run > 0)
            shuffle(source, run);
        const ConceptId *renumber;
        ConceptDict *dict = concept_builder_finish(source->concepts, arena, &renumber);
        batches[run] = build(source, &(RecordBuilderOptions){.dict = dict, .renumber = renumber});
        source_done(source);
    }
    for (unsigned run = 1; run < 3; run++) {
        CHECK_INT((int64_t)batches[run]->area.size, (int64_t)batches[0]->area.size);
        CHECK(memcmp(batches[run]->area.bytes, batches[0]->area.bytes, batches[0]->area.size) == 0);
        const RecordType *a = &batches[run]->types[FHIR_TYPE_Condition];
        const RecordType *b = &batches[0]->types[FHIR_TYPE_Condition];
        CHECK_INT(a->entries.count, 1200);
        CHECK(memcmp(a->entries.tapes, b->entries.tapes, 1200 * sizeof(uint32_t)) == 0);
        CHECK(memcmp(a->entries.concepts, b->entries.concepts, 1200 * sizeof(ConceptId)) == 0);
    }
}

TEST(shared_tapes_say_the_same_as_flat_ones)
{
    Source *source = source_new(arena);
    fill(source, 5);
    const ConceptId *renumber;
    ConceptDict *dict = concept_builder_finish(source->concepts, arena, &renumber);
    const RecordBatch *batch =
        build(source, &(RecordBuilderOptions){.dict = dict, .renumber = renumber});
    size_t flat = 0;
    for (size_t i = 0; i < source->count; i++) {
        const RecordInput *input = &source->inputs[i];
        uint32_t row = 0;
        flat += input->tape_size;
        CHECK(record_find(batch, input->facts.patient_id, &row));
        FhirNode shared =
            record_find_resource((Record){batch, row}, input->facts.type, input->facts.id);
        Error err = {0};
        CHECK_OK(fhir_tape_check(&batch->area, shared.at, &err), &err);
        TapeArea area = {
            .bytes = input->tape, .size = input->tape_size, .names.builder = source->concepts};
        CHECK_STR(to_json(arena, shared), to_json(arena, fhir_root(&area, 0)));
    }
    CHECK(batch->area.size * 3 < flat * 2);
    source_done(source);
}

TEST(a_shared_batch_has_one_row_for_all)
{
    Source *source = source_new(arena);
    source_add(source, "{\"resourceType\":\"Organization\",\"id\":\"b\",\"name\":\"B\"}");
    source_add(source, "{\"resourceType\":\"Organization\",\"id\":\"a\",\"name\":\"A\"}");
    source_add(source, "{\"resourceType\":\"Organization\",\"id\":\"a\",\"name\":\"A2\"}");
    source_add(source, "{\"resourceType\":\"Location\",\"id\":\"a\"}");
    const ConceptId *renumber;
    ConceptDict *dict = concept_builder_finish(source->concepts, arena, &renumber);
    const RecordBatch *batch = build(
        source, &(RecordBuilderOptions){.dict = dict, .renumber = renumber, .is_shared = true});
    CHECK_INT(batch->person_count, 1);
    CHECK_STR(ids_of(arena, batch, FHIR_TYPE_Organization, 0), S("a b "));
    CHECK_STR(ids_of(arena, batch, FHIR_TYPE_Location, 0), S("a "));
    source_done(source);
}

TEST(an_empty_batch_is_good)
{
    Source *source = source_new(arena);
    const ConceptId *renumber;
    ConceptDict *dict = concept_builder_finish(source->concepts, arena, &renumber);
    const RecordBatch *batch =
        build(source, &(RecordBuilderOptions){.dict = dict, .renumber = renumber});
    uint32_t row;
    CHECK_INT(batch->person_count, 0);
    CHECK(!record_find(batch, S("p"), &row));
    source_done(source);
}

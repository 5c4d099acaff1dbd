#include "people.h"

#include "base/json_index.h"

Str people_ndjson(Arena *arena, size_t first, size_t count)
{
    StrBuf buf;
    strbuf_init(&buf, arena, 0);
    for (size_t n = first; n < first + count; n++) {
        strbuf_printf(&buf,
                      "{\"resourceType\":\"Patient\",\"id\":\"p%zu\",\"gender\":\"female\","
                      "\"birthDate\":\"%zu-05-11\"}\n",
                      n, 1930 + n % 80);
        for (size_t k = 0; k < n % 4; k++)
            strbuf_printf(&buf,
                          "{\"resourceType\":\"Condition\",\"id\":\"c%zu-%zu\",\"subject\":"
                          "{\"reference\":\"Patient/p%zu\"},\"code\":{\"coding\":[{\"system\":"
                          "\"http://snomed.info/sct\",\"code\":\"%zu\"}]},\"onsetDateTime\":"
                          "\"2010-03-0%zu\"}\n",
                          n, k, n, 1000 + (n + k) % 7, 1 + k);
        for (size_t k = 0; k < 3; k++)
            strbuf_printf(&buf,
                          "{\"resourceType\":\"Observation\",\"id\":\"o%zu-%zu\",\"status\":"
                          "\"final\",\"code\":{\"coding\":[{\"system\":\"http://loinc.org\","
                          "\"code\":\"%zu\"}]},\"subject\":{\"reference\":\"Patient/p%zu\"},"
                          "\"effectiveDateTime\":\"2020-01-0%zu\",\"valueQuantity\":"
                          "{\"value\":%zu.5}}\n",
                          n, k, k, n, 1 + k, 4 + n % 9);
    }
    strbuf_add(&buf,
               S("{\"resourceType\":\"Organization\",\"id\":\"org\",\"name\":\"Practice\"}\n"));
    return strbuf_str(&buf);
}

typedef struct {
    Arena *arena;
    RecordBuilder **builders; /* one a partition, the last one of what is shared */
    size_t partitions;
    uint64_t source;
} People;

static void add(People *people, const FhirParsed *parsed)
{
    Arena *arena = people->arena;
    RecordInput input = {.facts = parsed->facts,
                         .tape = arena_copy(arena, parsed->tape, parsed->tape_size),
                         .tape_size = parsed->tape_size,
                         .source = people->source++};
    input.facts.id = str_copy(arena, parsed->facts.id);
    input.facts.patient_id = str_copy(arena, parsed->facts.patient_id);
    size_t at = people->partitions;
    if (!parsed->facts.is_shared) {
        unsigned __int128 hash = str_hash(parsed->facts.patient_id);
        at = (size_t)((hash * people->partitions) >> 64);
    }
    record_builder_add(people->builders[at], &input);
}

/* Reads twice: once for the dictionary, so that builders can be made with it. */
static void read_text(ConceptBuilder *concepts, Str text, People *people)
{
    Arena *arena = arena_create(0);
    DiagList diags;
    diag_init(&diags, arena);
    char *padded = arena_zalloc(arena, text.len + JSON_INDEX_PADDING);
    memcpy(padded, text.ptr, text.len);
    FhirReaderOptions options = {.split_bundles = true};
    FhirReader *reader = fhir_reader_create(concepts, &options);
    fhir_reader_begin(reader, (Str){.ptr = padded, .len = text.len}, S("people"), 1, &diags);
    FhirParsed parsed;
    while (fhir_reader_next(reader, &parsed)) {
        ASSERT(!parsed.is_refused);
        if (people != NULL)
            add(people, &parsed);
    }
    fhir_reader_destroy(reader);
    arena_destroy(arena);
}

static ErrorCode write_store(Arena *arena, Str path, People *people, const ConceptDict *dict,
                             Error *err)
{
    StoreWriter *writer = NULL;
    ErrorCode code = store_writer_begin(arena, path, &writer, err);
    if (code == ERR_OK)
        code = store_writer_dict(writer, dict, err);
    for (size_t i = 0; code == ERR_OK && i <= people->partitions; i++) {
        RecordBatch *batch;
        code = record_builder_finish(people->builders[i], &batch, err);
        if (code == ERR_OK)
            code = i < people->partitions ? store_writer_add(writer, i, batch, err)
                                          : store_writer_add_shared(writer, 0, batch, err);
    }
    if (code == ERR_OK)
        code = store_writer_commit(writer, &(StoreSource){.files = 1, .source = S("people")}, err);
    store_writer_end(writer);
    return code;
}

ErrorCode people_store(Arena *arena, Str path, Str text, size_t partitions, Error *err)
{
    ConceptBuilder *concepts = concept_builder_create();
    read_text(concepts, text, NULL);
    const ConceptId *renumber;
    Arena *own = arena_create(0);
    ConceptDict *dict = concept_builder_finish(concepts, own, &renumber);
    People people = {.arena = own,
                     .builders = ARENA_ARRAY(own, RecordBuilder *, partitions + 1),
                     .partitions = partitions};
    for (size_t i = 0; i <= partitions; i++)
        people.builders[i] = record_builder_create(
            own, &(RecordBuilderOptions){
                     .dict = dict, .renumber = renumber, .is_shared = i == partitions});
    read_text(concepts, text, &people);
    ErrorCode code = write_store(arena, path, &people, dict, err);
    concept_builder_destroy(concepts);
    arena_destroy(own);
    return code;
}

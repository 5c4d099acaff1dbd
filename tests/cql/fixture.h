/*
 * fixture -- records in memory from FHIR JSON, for tests and benches of the engine.
 */
#pragma once

#include "base/json_index.h"
#include "cql/cql.h"

typedef struct {
    Arena *arena;
    ConceptBuilder *concepts;
    FhirReader *reader;
    Vec(RecordInput) inputs;
    DiagList diags;
    ConceptDict *dict;
    RecordBatch *batch;
    Str owner; /* unless empty, whoever gets what names no patient */
} Fixture;

static inline void fixture_init(Fixture *fixture, Arena *arena)
{
    static const FhirReaderOptions options = {.split_bundles = true, .resolve_urns = true};
    *fixture = (Fixture){.arena = arena, .concepts = concept_builder_create()};
    fixture->reader = fhir_reader_create(fixture->concepts, &options);
    diag_init(&fixture->diags, arena);
}

/* Reads all resources of a text that has JSON_INDEX_PADDING bytes behind it: a resource, a Bundle,
   or NDJSON. */
static inline void fixture_add_padded(Fixture *fixture, Str json, Str file)
{
    fhir_reader_begin(fixture->reader, json, file, 1, &fixture->diags);
    FhirParsed parsed;
    while (fhir_reader_next(fixture->reader, &parsed)) {
        bool is_shared = parsed.facts.is_shared;
        if (parsed.is_refused || (is_shared && fixture->owner.len == 0))
            continue;
        RecordInput input = {.facts = parsed.facts,
                             .tape = arena_copy(fixture->arena, parsed.tape, parsed.tape_size),
                             .tape_size = parsed.tape_size,
                             .source = fixture->inputs.count};
        input.facts.id = str_copy(fixture->arena, parsed.facts.id);
        input.facts.patient_id =
            str_copy(fixture->arena, is_shared ? fixture->owner : parsed.facts.patient_id);
        input.facts.is_shared = false;
        VEC_PUSH(fixture->arena, &fixture->inputs, input);
    }
}

/* The same of any text. */
static inline void fixture_add(Fixture *fixture, Str json, Str file)
{
    char *text = arena_alloc(fixture->arena, json.len + JSON_INDEX_PADDING);
    memcpy(text, json.ptr, json.len);
    memset(text + json.len, ' ', JSON_INDEX_PADDING);
    fixture_add_padded(fixture, (Str){.ptr = text, .len = json.len}, file);
}

/* The batch of all that was read; its ids are final. */
static inline bool fixture_finish(Fixture *fixture, Error *err)
{
    const ConceptId *renumber;
    fhir_reader_destroy(fixture->reader);
    fixture->dict = concept_builder_finish(fixture->concepts, fixture->arena, &renumber);
    RecordBuilderOptions options = {.dict = fixture->dict, .renumber = renumber};
    RecordBuilder *builder = record_builder_create(fixture->arena, &options);
    for (size_t i = 0; i < fixture->inputs.count; i++)
        record_builder_add(builder, &fixture->inputs.items[i]);
    bool ok = record_builder_finish(builder, &fixture->batch, err) == ERR_OK;
    concept_builder_destroy(fixture->concepts);
    return ok;
}

/*
 * support -- reading JSON in the tests of fhir.
 */
#pragma once

#include "base/json_index.h"
#include "base/test.h"
#include "fhir/fhir.h"

/* A copy with the padding that the reader needs. */
static inline Str padded(Arena *arena, Str text)
{
    char *copy = arena_zalloc(arena, text.len + JSON_INDEX_PADDING);
    memcpy(copy, text.ptr, text.len);
    return (Str){.ptr = copy, .len = text.len};
}

/* The tape of one resource, or an absent node when it is refused. */
static inline FhirNode parse(Arena *arena, const char *json)
{
    static ConceptBuilder *concepts; /* one for all tests: trees name their codes by it */
    if (concepts == NULL)
        concepts = concept_builder_create();
    TapeArea *area = ARENA_NEW(arena, TapeArea);
    Error err = {0};
    if (fhir_parse_one(arena, concepts, str_from_c(json), area, NULL, &err) != ERR_OK)
        return FHIR_ABSENT;
    return fhir_root(area, 0);
}

static inline Str to_json(Arena *arena, FhirNode node)
{
    StrBuf out;
    strbuf_init(&out, arena, 0);
    return fhir_write_json(node, &out) ? strbuf_str(&out) : S("(damaged)");
}

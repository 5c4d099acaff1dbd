/*
 * reader -- FHIR JSON to flat tapes, at the speed of the memory.
 *
 * One FhirReader per thread. A text holds one JSON document or several (NDJSON). A document is a
 * resource, or a Bundle whose entries' resources are given one by one. Each resource comes out as a
 * flat tape with the facts that the directory needs, or as a refusal with findings; either
 * way the reader goes on with the next.
 *
 *     fhir_reader_begin(reader, text, len, source);
 *     FhirParsed parsed;
 *     while (fhir_reader_next(reader, &parsed))
 *         if (parsed.is_refused) keep(parsed.source_text); else spill(parsed.tape, &parsed.facts);
 */
#pragma once

#include "fhir/tape.h"

typedef struct FhirReader FhirReader;

typedef struct {
    bool keep_narrative; /* false leaves DomainResource.text out */
    bool split_bundles;  /* false: a Bundle is a resource like any other */
    bool resolve_urns;   /* rewrite references to entries of the same Bundle ("urn:uuid:…" or any
                            fullUrl) as Type/id */
    bool accepts_local_times;  /* a dateTime without an offset, which R4 forbids, is no refusal */
    size_t resource_bytes_max; /* 0: LIMIT_RESOURCE_BYTES */
} FhirReaderOptions;

/* What the directory and the person table want to know of a resource (models/directory.tsv). */
typedef struct {
    uint16_t type;     /* FhirType */
    bool is_shared;    /* belongs to no patient by its type, or is about a Group, a Device ... */
    Str id;            /* of the resource; empty when it has none */
    Str patient_id;    /* whose it is; of a Patient its own id; empty when none is named */
    ConceptId concept; /* code or group, provisional */
    int32_t day;
    int64_t instant_ms; /* of the same element, UTC; INT64_MIN when there is no day */
    int64_t number;     /* 10^-8 units; INT64_MIN none */
    ConceptId org;      /* ("Organization", id), provisional */
} FhirFacts;

typedef struct {
    bool is_refused;
    bool is_first;       /* of its document */
    const Diag *finding; /* why it is refused; good until the next call */
    FhirFacts facts;     /* views are good until the next call */
    const uint8_t *tape; /* flat; good until the next call */
    size_t tape_size;
    Str full_url;    /* of the Bundle entry, as written */
    Str source_text; /* the resource's own JSON, in the text given to fhir_reader_begin */
    uint32_t line;   /* where it begins, from 1 */
    uint32_t entry;  /* number of the (outermost) Bundle's entry from 0 */
} FhirParsed;

FhirReader *fhir_reader_create(ConceptBuilder *concepts, const FhirReaderOptions *options);
void fhir_reader_destroy(FhirReader *reader);
/* text is followed by JSON_INDEX_PADDING readable bytes. first_line is the line number of its first
   byte (for chunks of a larger file). Findings of all that follows go to diags, under the name
   `file`. */
void fhir_reader_begin(FhirReader *reader, Str text, Str file, uint32_t first_line,
                       DiagList *diags);
/* False at the end of the text. */
bool fhir_reader_next(FhirReader *reader, FhirParsed *ret_parsed);
/* What the entry with that fullUrl is, of the Bundle whose resources are being given out. */
bool fhir_reader_find_entry(const FhirReader *reader, Str full_url, uint16_t *ret_type,
                            Str *ret_id);
/* An area over the flat tape just parsed, for reading it with tape.h. */
TapeArea fhir_reader_area(const FhirReader *reader, const FhirParsed *parsed);
/* For tests and tools: parses one resource and copies its tape into the arena. */
MUST_USE ErrorCode fhir_parse_one(Arena *arena, ConceptBuilder *concepts, Str json,
                                  TapeArea *ret_area, FhirFacts *ret_facts, Error *err);

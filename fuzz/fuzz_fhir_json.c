/*
 * fuzz_fhir_json -- any bytes as FHIR JSON: what is taken must check, and come back from its own
 * JSON as an equal tape. Byte 0 holds the options.
 */
#include "base/json_index.h"
#include "fhir/fhir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_parsed(Arena *arena, ConceptBuilder *concepts, const TapeArea *area)
{
    Error err = {0};
    StrBuf json;
    StrBuf again;
    TapeArea second;
    strbuf_init(&json, arena, 0);
    strbuf_init(&again, arena, 0);
    FhirNode root = fhir_root(area, 0);
    ASSERT(fhir_tape_check(area, 0, &err) == ERR_OK);
    ASSERT(fhir_write_json(root, &json));
    ASSERT(fhir_parse_one(arena, concepts, strbuf_str(&json), &second, NULL, &err) == ERR_OK);
    ASSERT(fhir_write_json(fhir_root(&second, 0), &again));
    ASSERT(str_eq(strbuf_str(&json), strbuf_str(&again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    Arena *arena = arena_create(0);
    ConceptBuilder *concepts = concept_builder_create();
    FhirReaderOptions options = {.keep_narrative = (data[0] & 1) != 0,
                                 .split_bundles = (data[0] & 2) != 0,
                                 .resolve_urns = (data[0] & 4) != 0};
    FhirReader *reader = fhir_reader_create(concepts, &options);
    char *text = arena_zalloc(arena, size + JSON_INDEX_PADDING);
    DiagList diags;
    FhirParsed parsed;
    memcpy(text, data + 1, size - 1);
    diag_init(&diags, arena);
    fhir_reader_begin(reader, (Str){.ptr = text, .len = size - 1}, S("fuzz"), 1, &diags);
    while (fhir_reader_next(reader, &parsed)) {
        if (parsed.is_refused)
            continue;
        TapeArea area = fhir_reader_area(reader, &parsed);
        check_parsed(arena, concepts, &area);
    }
    fhir_reader_destroy(reader);
    concept_builder_destroy(concepts);
    arena_destroy(arena);
    return 0;
}

/*
 * fuzz_tape -- any bytes as a tape: reading must stay within them and end, and what checks must
 * also be writable as JSON.
 */
#include "fhir/fhir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Asks every value for everything, down to a depth. */
static void ask(FhirNode node, Arena *arena, unsigned depth)
{
    bool boolean;
    int64_t integer;
    Decimal decimal;
    Moment moment;
    uint16_t type;
    Str id;
    ConceptId ids[4];
    uint8_t element;
    FhirNode value;
    (void)fhir_kind(node);
    (void)fhir_boolean(node, &boolean);
    (void)fhir_integer(node, &integer);
    (void)fhir_decimal(node, &decimal);
    (void)fhir_moment(node, &moment);
    (void)fhir_reference(node, arena, &type, &id);
    (void)fhir_text(node, arena);
    (void)fhir_concepts(node, ids, COUNT_OF(ids));
    (void)fhir_equal(node, node);
    if (depth > 4)
        return;
    FhirElements elements = fhir_elements(node);
    while (fhir_elements_next(&elements, &element, &value))
        ask(value, arena, depth + 1);
    FhirItems items = fhir_items(node);
    unsigned left = 16;
    while (fhir_kind(node) == FHIR_KIND_LIST && left-- > 0 && fhir_items_next(&items, &value))
        ask(value, arena, depth + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 4096) /* references can make a tree that is far larger than its bytes */
        return 0;
    Arena *arena = arena_create(0);
    ConceptBuilder *concepts = concept_builder_create();
    ConceptInterner *interner = concept_interner_create(concepts);
    for (unsigned i = 0; i < 8; i++)
        (void)concept_intern(interner, S("s"), str_format(arena, "%u", i));
    TapeArea area = {
        .bytes = arena_copy(arena, data, size), .size = size, .names.builder = concepts};
    Error err = {0};
    FhirNode root = fhir_root(&area, 0);
    bool is_good = fhir_tape_check(&area, 0, &err) == ERR_OK;
    ask(root, arena, 0);
    StrBuf out;
    strbuf_init(&out, arena, (size_t)1 << 24);
    bool is_written = fhir_write_json(root, &out);
    ASSERT(is_written || !is_good || out.overflowed);
    concept_interner_destroy(interner);
    concept_builder_destroy(concepts);
    arena_destroy(arena);
    return 0;
}

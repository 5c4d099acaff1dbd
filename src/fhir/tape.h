/*
 * tape -- a FHIR resource as a compact binary tree, and how to read it.
 *
 * The format is in fhir/README.md. A TapeArea is bytes that hold many tapes: the tapes of one
 * batch of persons, or of one resource just parsed. A FhirNode is a place in an area together with
 * the FHIR type that stands there: a cheap value, copied freely. All reads check the area's
 * bounds; a damaged area yields absent nodes and never a crash. Reading needs no allocation but
 * for text that is kept in another form (UUIDs, references, dates), which is written into a scratch
 * buffer or an arena.
 *
 *     FhirNode period = fhir_child(encounter, FHIR_ELEM_Encounter_period);
 *     Moment start;
 *     if (fhir_moment(fhir_child(period, FHIR_ELEM_Period_start), &start)) ...
 */
#pragma once

#include "base/date.h"
#include "base/decimal.h"
#include "fhir/model.h"
#include "terms/terms.h"

typedef struct {
    const uint8_t *bytes;
    size_t size;
    ConceptNames names;
} TapeArea;

typedef struct {
    const TapeArea *area; /* NULL: absent */
    uint32_t at;
    uint16_t type; /* FhirType of the value; of an element of a list, the item's type */
} FhirNode;

#define FHIR_ABSENT ((FhirNode){.area = NULL})

typedef enum {
    FHIR_KIND_ABSENT,
    FHIR_KIND_OBJECT, /* datatype, backbone element or resource */
    FHIR_KIND_LIST,
    FHIR_KIND_BOOLEAN,
    FHIR_KIND_INTEGER, /* integer, positiveInt, unsignedInt */
    FHIR_KIND_DECIMAL,
    FHIR_KIND_MOMENT, /* date, dateTime, instant, time */
    FHIR_KIND_TEXT,   /* all other primitives */
    FHIR_KIND_DAMAGED
} FhirKind;

static inline bool fhir_is_absent(FhirNode node)
{
    return node.area == NULL;
}

/* The root object of the tape that begins at offset `at`; absent when it is damaged. node.type is
 * the resource type. */
FhirNode fhir_root(const TapeArea *area, uint32_t at);
FhirKind fhir_kind(FhirNode node);
/* The value of an element (by its number in the type of the object), a list node where it repeats.
   A primitive with id or extensions gives its value here; see fhir_primitive_extra. */
FhirNode fhir_child(FhirNode object, uint8_t element);
/* By JSON property name, for callers that learn names at run time; slower. */
FhirNode fhir_child_named(FhirNode object, Str name);
/* Of a choice element such as value[x], by the group's number in the model: whichever is there. */
FhirNode fhir_child_choice(FhirNode object, uint8_t choice_group);
/* The {id, extension} object beside a primitive value, or absent. */
FhirNode fhir_primitive_extra(FhirNode value);

/* Walks the items of a list, or gives a single value once, or nothing for an absent one. In a list
   of primitives an item may be absent (JSON null): is_null is set. */
typedef struct {
    FhirNode node;
    uint32_t next;
    uint32_t left;
    bool is_null;
} FhirItems;
FhirItems fhir_items(FhirNode node);
bool fhir_items_next(FhirItems *items, FhirNode *ret_item);
uint32_t fhir_count(FhirNode node);
FhirNode fhir_first(FhirNode node);

/* Walks the elements that an object has, in the order of the source. */
typedef struct {
    FhirNode object;
    uint32_t next;
    uint32_t end;
} FhirElements;
FhirElements fhir_elements(FhirNode object);
bool fhir_elements_next(FhirElements *elements, uint8_t *ret_element, FhirNode *ret_value);

/* --- values; false when the node is absent or of another kind --- */
bool fhir_boolean(FhirNode node, bool *ret_value);
bool fhir_integer(FhirNode node, int64_t *ret_value);
/* The value at 8 places (rounded half away from zero); false when it has over 28 - 8 whole digits.
 */
bool fhir_decimal(FhirNode node, Decimal *ret_value);
bool fhir_moment(FhirNode node, Moment *ret_value);
/* The text of any primitive as it stood in the source (of numbers, dates, booleans too). The view
   points into the area or into the arena. Empty for absent. */
Str fhir_text(FhirNode node, Arena *arena);
bool fhir_text_is(FhirNode node, Str text);
/* Of a Coding: its (system, code), CONCEPT_NONE when it has no code. */
ConceptId fhir_coding_concept(FhirNode coding);
/* Of a CodeableConcept, Coding or list of either: appends the ids of all codings (at most limit;
 * gives how many there were). */
size_t fhir_concepts(FhirNode node, ConceptId *ret_ids, size_t limit);
/* Of a Reference (or its `reference` text): the target as type and id when it is relative
   ("Encounter/x"), "urn:uuid:x" (type NONE) or absolute (type by its last parts). False otherwise.
   id is a view into the area or the arena. */
bool fhir_reference(FhirNode reference, Arena *arena, uint16_t *ret_type, Str *ret_id);
/* Equal as trees: same elements in the same order with the same values, wherever they are stored.
 */
bool fhir_equal(FhirNode a, FhirNode b);

/* --- and back --- */
/* Writes the node as JSON: the same values, order of members and number text as in the source.
 * False when damaged. */
bool fhir_write_json(FhirNode node, StrBuf *out);
/* Walks the whole tape and checks everything that can be checked. */
MUST_USE ErrorCode fhir_tape_check(const TapeArea *area, uint32_t at, Error *err);

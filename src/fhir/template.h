/*
 * template -- resources of one shape, written many times: as JSON text and as flat tapes.
 *
 * A template is one resource (or one element of it, a *part*) as JSON in which placeholders stand
 * for what changes:
 *
 *     "<t0>"  text; also within a text          <i0>  whole number
 *     "<d0>"  date                              <m0>  decimal of two places, <a0> of one
 *     "<s0>"  dateTime to the second, UTC       <n0>  an element: a part
 *     <c0>    CodeableConcept: a part           <l0>  a list of elements: parts
 *     <o0>    Reference to an Organization: a part
 *
 * Digits are the number of the slot, 0 to 26, each used as one kind. The text is the pieces between
 * the placeholders; the tape is what the reader makes of the same JSON, so that both always say the
 * same. Texts that go into slots must not need escaping.
 *
 * What the directory wants to know (FhirFacts) is found as the reader finds it: a template knows
 * which of its slots gives the id, the person, the code, the day, the number and the organisation.
 *
 * Templates are compiled with provisional concepts; once fhir_template_renumber has been told the
 * final ids they are immutable and may be used by any number of threads.
 *
 *     fhir_template_compile(arena, concepts, S("Condition"), json, &condition, err);
 *     FhirSlot slots[] = {{.text = id}, {.text = person}, {.part = {code, NULL}}, {.day = onset}};
 *     size_t len = fhir_template_text(condition, slots, line) - line;
 */
#pragma once

#include "fhir/reader.h"

typedef struct FhirTemplate FhirTemplate;
typedef struct FhirSlot FhirSlot;

/* A template of an element with what goes into its own slots. */
typedef struct {
    const FhirTemplate *template;
    const FhirSlot *slots;
} FhirPart;

struct FhirSlot {
    union {
        Str text;
        int32_t day;
        int64_t second; /* since 1970-01-01T00:00:00Z */
        int64_t number; /* all digits, without the point */
        FhirPart part;
        struct {
            const FhirPart *parts; /* one at least */
            size_t count;
        } list;
    };
};

enum { FHIR_TEMPLATE_SLOTS_MAX = 27 };

/* `element` is empty for a whole resource ("resourceType" and all), else the path of the element
   that the JSON is one of, such as "Condition.code". Errors are of the document. */
typedef struct {
    Str name; /* for messages */
    Str element;
    Str json;
} FhirTemplateSource;
MUST_USE ErrorCode fhir_template_compile(Arena *arena, ConceptBuilder *concepts,
                                         const FhirTemplateSource *source,
                                         FhirTemplate **ret_template, Error *err);
/* concept_builder_finish's renumbering. Once. */
void fhir_template_renumber(FhirTemplate *template, const ConceptId *renumber);
/* Of a part: its code or organisation. */
ConceptId fhir_template_concept(const FhirTemplate *template);
uint16_t fhir_template_type(const FhirTemplate *template);

/* Bytes that text or tape take at most with these slots. */
size_t fhir_template_size_max(const FhirTemplate *template, const FhirSlot *slots);
/* Writes the JSON and gives the place behind it. */
char *fhir_template_text(const FhirTemplate *template, const FhirSlot *slots, char *out);
/* Writes the tape so that it ends at `end`, and gives the place where it begins: sizes of what
   holds others are known when they are written. */
uint8_t *fhir_template_tape(const FhirTemplate *template, const FhirSlot *slots, uint8_t *end);
/* What the reader would say of it; texts are views of the slots'. */
FhirFacts fhir_template_facts(const FhirTemplate *template, const FhirSlot *slots);

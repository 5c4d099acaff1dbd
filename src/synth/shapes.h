/*
 * shapes -- the templates of all resources and the parts that go into their slots, ready for any
 * thread.
 */
#pragma once

#include "synth/synth_int.h"

typedef enum {
#define SHAPE(name, text) SHAPE_##name,
#include "synth/shape.def"
#undef SHAPE
    SHAPE_COUNT
} Shape;

typedef enum {
#define CODE(name, text) CODE_##name,
#include "synth/code.def"
#undef CODE
    CODE_COUNT
} Code;

typedef enum {
    ORGANISATION_PRACTICE,
    ORGANISATION_HOSPITAL,
    ORGANISATION_COMMUNITY,
    ORGANISATION_COUNCIL,
    ORGANISATION_PHARMACY,
    ORGANISATION_PAYER,
    ORGANISATION_COUNT
} Organisation;

typedef enum { NAME_WOMAN, NAME_MAN, NAME_FAMILY, NAME_STREET, NAME_TOWN, NAME_COUNT } NameKind;
typedef Vec(Str) Names;

struct Shapes {
    const FhirTemplate *shapes[SHAPE_COUNT];
    FhirPart codes[CODE_COUNT];
    FhirPart conditions[CONDITION_MAX];
    FhirPart medicines[MEDICINE_MAX];
    FhirPart *organisations[ORGANISATION_COUNT];
    uint32_t organisation_counts[ORGANISATION_COUNT];
    Names names[NAME_COUNT];
    const ConceptDict *dict;
};

Str synth_organisation_id(Arena *arena, Organisation kind, uint32_t number);

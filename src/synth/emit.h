/*
 * emit -- one person's resources, as templates and slots, to an Emitter.
 */
#pragma once

#include "synth/shapes.h"

enum { LINES_MAX = 48, LINE_SLOTS = 7 };

typedef struct {
    const SynthModel *model;
    const Shapes *shapes;
    Arena *arena;
    Emitter *emitter;
    Person *person;
    Random random; /* of measurements and bills */
    Str id;        /* the person's */
    Str coverage;
    uint32_t serial;
    char name[2 * ID_MAX];
    bool takes[MEDICINE_MAX];
    uint8_t medicine_of[MEDICINE_MAX]; /* illness that a medicine is for */
    double adherence;
    /* The bill that is being written. */
    FhirSlot line_slots[LINES_MAX][LINE_SLOTS];
    FhirPart lines[LINES_MAX];
    size_t line_count;
    int64_t line_sum;
} Emission;

/* A new id of the person's; good until the next one. */
Str emission_id(Emission *emission);
void emission_take(Emission *emission, Shape shape, const FhirSlot *slots);
FhirPart emission_organisation(const Emission *emission, Organisation kind, uint32_t number);
/* The first span that holds the day, or NULL: dead, not born, or away. */
const Span *emission_span(const Emission *emission, int32_t day);

/* --- measures.c --- */
void emit_measures(Emission *emission);

/* --- bills.c --- */
/* All bills: contacts' by quarter or one each, medicines' and social care's by quarter. */
void emit_bills(Emission *emission);

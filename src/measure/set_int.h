/*
 * set_int -- compiled measures: every name found in the plan.
 */
#pragma once

#include "measure/evaluate.h"

typedef enum { ASK_NOTHING, ASK_DEFINITION, ASK_FUNCTION } AskKind;

/* What a criteria is in the plan. */
typedef struct {
    AskKind kind;
    bool takes_episode; /* a function of one operand */
    size_t number;
} Criterion;

typedef struct {
    bool is_usable;
    uint16_t basis; /* FHIR_TYPE_NONE: persons */
    Criterion populations[MEASURE_POPULATIONS_MAX];
    int8_t base[MEASURE_POPULATIONS_MAX];
    uint8_t order[MEASURE_POPULATIONS_MAX]; /* in which populations are decided */
    int8_t denominator_exclusion;           /* numbers of populations, or -1 */
    int8_t numerator;
    int8_t numerator_exclusion;
    int8_t measure_exclusion;
    Criterion *components; /* of all stratifiers, in order */
    size_t component_count;
} GroupPlan;

typedef struct {
    const Measure *measure;
    Str library;
    Str version;
    GroupPlan *groups;
    Criterion *supplements;
} MeasureEntry;

struct MeasureSet {
    MeasurePeriod period;
    MeasureEntry *entries;
    size_t count;
    CqlPlan *cql;
};

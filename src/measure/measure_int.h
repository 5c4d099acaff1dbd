/*
 * measure_int -- what the files of this folder share: the plan with its definitions found.
 */
#pragma once

#include "measure/measure.h"

enum { DEFINITION_NONE = -1 };

typedef struct {
    size_t definition;
    const size_t *evidence; /* definitions, as many as the spec names */
    /* What a person must have an entry of to be asked; none of it: `value_without`. */
    const CqlNeed *needs;
    size_t need_count;
    bool has_needs;
    bool is_true_without;
} RegisterPlan;

typedef struct {
    size_t register_index;
    int64_t denominator; /* a definition or DEFINITION_NONE */
    int64_t exclusion;
    int64_t exception;
    size_t numerator;
    bool is_decrease;
    const size_t *evidence;
} IndicatorPlan;

struct MeasurePlan {
    const MeasureSpec *spec;
    const CqlPlan *cql;
    RegisterPlan *registers;
    IndicatorPlan *indicators;
};

/* What the indicator says of the person that the evaluator has turned to, who is on its register.
 */
MUST_USE ErrorCode indicator_decide(CqlEval *eval, const IndicatorPlan *plan,
                                    MeasureAnswer *ret_answer, Error *err);

/* False when it is none; white space is passed over. */
bool measure_decode_base64(Arena *arena, Str text, Str *ret_bytes);
/* A resource in a few words: what it is, and its value where it has one. */
Str evidence_describe(Arena *arena, FhirNode resource);

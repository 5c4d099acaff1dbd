/*
 * measure -- registers, indicators and gaps in care over a whole store, in one pass.
 *
 * A MeasureSpec names registers (who has the disease) and indicators (what should have been done
 * for them), each by CQL definitions. measure_run() opens every person once, answers all of them
 * and keeps the answers as one bit a person and population, so that counting, set algebra and
 * payment read bits only. What is behind an answer is worked out anew for one person
 * when somebody asks (measure_evidence): nothing about a reason is stored that could go stale.
 *
 * Persons are named by (partition, row) of the store that was measured. Results depend only on
 * the store and the documents, never on the number of threads. An error while evaluating one
 * person is that person's finding; the person is in no population and the others go on.
 */
#pragma once

#include "base/progress.h"
#include "base/yaml.h"
#include "cql/cql.h"
#include "measure/check.h"
#include "measure/content.h"
#include "measure/definition.h"
#include "measure/evaluate.h"
#include "measure/pass.h"
#include "measure/report.h"
#include "store/store.h"

/* A register: the persons for whom a CQL definition is true. */
typedef struct {
    Str id;
    Str title;
    Str library;         /* CQL library */
    Str definition;      /* Boolean definition in context Patient */
    const Str *evidence; /* definitions whose values explain why somebody is on it */
    size_t evidence_count;
    uint32_t line;        /* in MeasureSpec.file */
    const YamlNode *node; /* for the places of its members; NULL when it was not read */
} RegisterSpec;

/* An indicator of the proportion kind (FHIR Measure: proportion, boolean basis). Within the
   population of its register and denominator: excluded, else achieved (numerator) or a gap. */
typedef struct {
    Str id;
    Str title;
    Str register_id; /* the register that it belongs to; persons outside of it are not asked */
    Str library;
    Str denominator; /* empty: all of the register */
    Str exclusion;   /* empty: none */
    Str numerator;
    Str closes;          /* what would close the gap, for people */
    const Str *evidence; /* definitions whose values explain the answer */
    size_t evidence_count;
    uint32_t line;
    const YamlNode *node;
} IndicatorSpec;

typedef struct {
    const RegisterSpec *registers;
    size_t register_count;
    const IndicatorSpec *indicators;
    size_t indicator_count;
    int32_t period_first; /* days, both inclusive: CQL parameter "Measurement Period" */
    int32_t period_last;
    Str file; /* where registers and indicators were read, for findings */
} MeasureSpec;

/* Reads the mappings `registers:` and `indicators:` of a document (docs/measures.md has the form).
 */
MUST_USE ErrorCode measure_spec_parse(const YamlReader *reader, const YamlNode *root,
                                      MeasureSpec *ret_spec);
/* Finds every named definition in the plan and checks its type: Boolean. Findings go to diags. */
typedef struct MeasurePlan MeasurePlan;
MUST_USE ErrorCode measure_plan_create(Arena *arena, const MeasureSpec *spec, const CqlPlan *cql,
                                       DiagList *diags, MeasurePlan **ret_plan);

/* The populations that are kept as bits. */
typedef enum {
    POPULATION_REGISTER,    /* index is a register */
    POPULATION_DENOMINATOR, /* of an indicator: in the register and the denominator */
    POPULATION_EXCLUSION,   /* of those, excluded */
    POPULATION_NUMERATOR,   /* of those not excluded, achieved */
    POPULATION_GAP          /* of those not excluded, not achieved */
} Population;

typedef struct MeasureResults MeasureResults;

typedef struct {
    size_t threads;
    Progress *progress; /* may be NULL */
    DiagList *diags;    /* findings about persons, in order of partition and row */
} MeasureOptions;

MUST_USE ErrorCode measure_run(Arena *arena, const MeasurePlan *plan, const Store *store,
                               const MeasureOptions *options, MeasureResults **ret_results,
                               Error *err);

const MeasureSpec *measure_results_spec(const MeasureResults *results);
bool measure_is_in(const MeasureResults *results, Population population, size_t index,
                   size_t partition, uint32_t row);
/* Bits of one partition: bit row % 64 of word row / 64; persons of the partition in all. */
const uint64_t *measure_bits(const MeasureResults *results, Population population, size_t index,
                             size_t partition);
uint64_t measure_count(const MeasureResults *results, Population population, size_t index);
/* Persons whose evaluation failed. */
uint64_t measure_failed_count(const MeasureResults *results);
/* Number of the indicator or register with this id, or SIZE_MAX. */
size_t measure_find_indicator(const MeasureSpec *spec, Str id);
size_t measure_find_register(const MeasureSpec *spec, Str id);

/* One value behind an answer. */
typedef struct {
    Str definition;
    Str value;    /* in words */
    Str resource; /* "Observation/abc" of the event behind it, or empty */
    int32_t day;  /* of that event, or DAY_NONE */
} Evidence;
typedef Vec(Evidence) EvidenceVec;

/* Who asks, with what: the evaluator is the caller's (one a thread), the evidence lives in the
 * arena.
 */
typedef struct {
    Arena *arena;
    const MeasurePlan *plan;
    CqlEval *eval;
    bool is_begun; /* it is turned to the person already: definitions that several answers rest on
                      are worked out once */
} MeasureAsk;

/* The evidence of an indicator for one person: turns the evaluator to the person (unless it is)
   and evaluates the indicator's evidence definitions. A definition that finds nothing gives one
   Evidence that says so.
 */
MUST_USE ErrorCode measure_evidence(const MeasureAsk *ask, size_t indicator, Record record,
                                    EvidenceVec *ret_evidence, Error *err);
/* Why a person is on a register. */
MUST_USE ErrorCode measure_register_evidence(const MeasureAsk *ask, size_t register_index,
                                             Record record, EvidenceVec *ret_evidence, Error *err);
/* The CQL parameter "Measurement Period" of the spec, for cql_plan_create: whole days. */
Str measure_period_text(const MeasureSpec *spec, Arena *arena);

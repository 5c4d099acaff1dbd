/*
 * populations -- registers and indicators over a whole store: who is in which population.
 *
 * A MeasureSpec is planned against the libraries for its period, run over a store, and the answers
 * are kept as one bit a person and population (see measure.h).
 */
#pragma once

#include "base/progress.h"
#include "base/yaml.h"
#include "cql/cql.h"
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
   population of its register and denominator: excluded, else achieved (numerator), else excepted,
   else a gap. Where less is better the numerator is what should not be, and achieved is who is not
   in it. */
typedef struct {
    Str id;
    Str title;
    Str register_id; /* the register that it belongs to; persons outside of it are not asked */
    Str library;
    Str denominator; /* empty: all of the register */
    Str exclusion;   /* empty: none */
    Str exception;   /* of those not in the numerator; empty: none */
    Str numerator;
    bool is_decrease;    /* less is better */
    bool has_target;     /* the rate (of the numerator) that is wanted */
    bool has_minimum;    /* and the one that is the least that will do */
    Decimal target;      /* 0 to 1 */
    Decimal minimum;     /* 0 to 1 */
    uint32_t weight;     /* of its gaps among others, from 1 */
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

/* The same for the period that ends on another day and is as long: as many months where it is of
   whole months, else as many days. */
MeasureSpec measure_spec_at(const MeasureSpec *spec, int32_t last_day);

/* Reads the mappings `registers:` and `indicators:` of a document (docs/measures.md has the form).
 */
MUST_USE ErrorCode measure_spec_parse(const YamlReader *reader, const YamlNode *root,
                                      MeasureSpec *ret_spec);
/* Finds every named definition in the plan and checks its type: Boolean. Findings go to diags. */
typedef struct MeasurePlan MeasurePlan;

/* All that a plan is made of, for whoever needs it for several days. */
typedef struct {
    const CqlLibraries *libraries;
    const ValueSets *value_sets;
    const ConceptDict *dict; /* of the records to come; NULL: none, to check only */
    const MeasureSpec *spec;
    const CqlParameter *parameters; /* beside "Measurement Period" */
    size_t parameter_count;
} MeasureSource;

/* Compiles the libraries for the spec's period (the moment of evaluation is its last day, so that a
   result does not depend on the day that somebody works it out) and plans the spec over them.
   ERR_DOCUMENT with findings. */
MUST_USE ErrorCode measure_source_plan(Arena *arena, const MeasureSource *source, DiagList *diags,
                                       MeasurePlan **ret_plan, Error *err);
const CqlPlan *measure_plan_cql(const MeasurePlan *plan);
MUST_USE ErrorCode measure_plan_create(Arena *arena, const MeasureSpec *spec, const CqlPlan *cql,
                                       DiagList *diags, MeasurePlan **ret_plan);

/* The populations that are kept as bits. */
typedef enum {
    POPULATION_REGISTER,    /* index is a register */
    POPULATION_DENOMINATOR, /* of an indicator: in the register and the denominator */
    POPULATION_EXCLUSION,   /* of those, excluded */
    POPULATION_NUMERATOR,   /* of those not excluded, achieved */
    POPULATION_GAP,         /* of those not excluded, neither achieved nor excepted */
    POPULATION_EXCEPTION    /* of those not excluded, not achieved for a reason that counts */
} Population;

/* What an indicator says of one person. */
typedef enum {
    ANSWER_OUTSIDE, /* not on the register, or not in the denominator */
    ANSWER_EXCLUDED,
    ANSWER_ACHIEVED,
    ANSWER_EXCEPTED,
    ANSWER_GAP
} MeasureAnswer;
/* "outside", "excluded", "achieved", "excepted", "gap" */
Str measure_answer_name(MeasureAnswer answer);

/* Who is excepted beside what CQL says: because somebody said so (see prompt.h). Asked by several
   threads. */
typedef struct {
    bool (*is_excepted)(const void *context, size_t indicator, Str person);
    const void *context;
} MeasureExceptions;

typedef struct MeasureResults MeasureResults;

typedef struct {
    size_t threads;
    Progress *progress;                  /* may be NULL */
    DiagList *diags;                     /* findings about persons, in order of partition and row */
    const MeasureExceptions *exceptions; /* may be NULL */
} MeasureOptions;

MUST_USE ErrorCode measure_run(Arena *arena, const MeasurePlan *plan, const Store *store,
                               const MeasureOptions *options, MeasureResults **ret_results,
                               Error *err);

const MeasureSpec *measure_results_spec(const MeasureResults *results);
const MeasurePlan *measure_results_plan(const MeasureResults *results);
bool measure_is_in(const MeasureResults *results, Population population, size_t index,
                   size_t partition, uint32_t row);
/* Bits of one partition: bit row % 64 of word row / 64; persons of the partition in all. */
const uint64_t *measure_bits(const MeasureResults *results, Population population, size_t index,
                             size_t partition);
/* Words of those bits; and the persons of whom answers are known: all but those that failed. */
size_t measure_words(const MeasureResults *results, size_t partition);
const uint64_t *measure_known_bits(const MeasureResults *results, size_t partition);
uint64_t measure_count(const MeasureResults *results, Population population, size_t index);
MeasureAnswer measure_answer(const MeasureResults *results, size_t indicator, size_t partition,
                             uint32_t row);
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

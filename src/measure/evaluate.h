/*
 * evaluate -- what published measures say of one person, and of many together.
 *
 * A MeasureSet is any number of measures compiled into one plan, for one period and the dictionary
 * of the records to come. It is immutable and shared by threads. A MeasureWorker (one a thread)
 * turns to a person and decides all groups of all measures, each in the order that the
 * specification gives: initial population, denominator, exclusion, numerator, its exclusion,
 * exception; for a continuous variable measure population, exclusion, observations. What rests on
 * another population is asked only of its members.
 *
 * A group counts *episodes*: the resources in its populations, or, on the basis boolean, the
 * person, who is one episode without a resource. An error while one measure is evaluated costs that
 * measure of that person: a finding, and no population.
 */
#pragma once

#include "base/decimal.h"
#include "cql/cql.h"
#include "measure/content.h"

/* The measurement period as CQL wants it. */
typedef struct {
    Str start; /* as written: "2026-01-01" or a dateTime */
    Str end;
} MeasurePeriod;

/* False when either is no date or dateTime, or the end is before the start. */
bool measure_period_check(MeasurePeriod period);
/* Interval[…] from the first to the last instant of it, times without offset as UTC. */
Str measure_period_interval(MeasurePeriod period, Arena *arena);

typedef struct MeasureSet MeasureSet;

typedef struct {
    const MeasureContent *content;
    const Measure *const *measures;
    size_t measure_count;
    MeasurePeriod period;
    const ConceptDict *dict;
    const Str *expressions; /* further definitions of the measures' libraries that will be asked */
    size_t expression_count;
} MeasureSetOptions;

/* Findings name measure, group and element. A group that cannot be evaluated is left out
   (measure_set_group_is_usable); an error only when nothing could be planned at all. */
MUST_USE ErrorCode measure_set_create(Arena *arena, const MeasureSetOptions *options,
                                      DiagList *diags, MeasureSet **ret_set, Error *err);
size_t measure_set_count(const MeasureSet *set);
const Measure *measure_set_measure(const MeasureSet *set, size_t measure);
MeasurePeriod measure_set_period(const MeasureSet *set);
bool measure_set_group_is_usable(const MeasureSet *set, size_t measure, size_t group);
/* The group counts resources of this type; FHIR_TYPE_NONE: persons. */
uint16_t measure_set_basis(const MeasureSet *set, size_t measure, size_t group);
const CqlPlan *measure_set_plan(const MeasureSet *set);
/* The definition of the plan behind a population of the measure; false for a function. */
bool measure_set_definition(const MeasureSet *set, size_t measure, size_t group, size_t population,
                            size_t *ret_definition);

/* --- one person --- */

typedef struct {
    bool has_value; /* false: the observation gave null */
    Decimal value;
} MeasureObserved;

typedef struct {
    FhirNode resource; /* absent: the person */
    CqlValue value;
    uint32_t members;                /* bit of each population of the group, by number */
    uint32_t observed_of;            /* bit of each population that is an observation made of it */
    const MeasureObserved *observed; /* by population */
    const Str *strata; /* text of the value of each component of each stratifier, in order */
} MeasureEpisode;

typedef struct {
    const MeasureEpisode *episodes; /* that are in an initial population */
    size_t episode_count;
} MeasureGroupResult;

typedef struct {
    bool is_failed;
    Str failure;                      /* why */
    const MeasureGroupResult *groups; /* by group of the measure; empty where it is not usable */
    bool is_in;                       /* in an initial population of some group */
} MeasureResult;

typedef struct MeasureWorker MeasureWorker;
MeasureWorker *measure_worker_create(const MeasureSet *set);
void measure_worker_destroy(MeasureWorker *worker);
/* Bytes that it holds: those that the largest person so far needed are kept. */
size_t measure_worker_memory(const MeasureWorker *worker);
/* Turns to a person: gives up all results of the one before. */
void measure_worker_begin(MeasureWorker *worker, Record record);
/* What one measure says. Results are good until the next begin. */
const MeasureResult *measure_worker_ask(MeasureWorker *worker, size_t measure);
/* Supplemental data of the person (as many as the measure has): null where it could not be had. */
const CqlValue *measure_worker_supplements(MeasureWorker *worker, size_t measure);
/* The value of a definition of the measure's library; false when there is none or it fails. */
bool measure_worker_value(MeasureWorker *worker, size_t measure, Str expression,
                          CqlValue *ret_value, Error *err);
const MeasureSet *measure_worker_set(const MeasureWorker *worker);
CqlEval *measure_worker_eval(MeasureWorker *worker);
Arena *measure_worker_arena(MeasureWorker *worker);

/* A value as the text of a stratum or of supplemental data: "true", a string, a code. */
Str measure_value_text(Arena *arena, CqlValue value);

/* How many episodes of a result are in a population. */
uint64_t measure_result_count(const MeasureGroupResult *result, size_t population);
/* Number of the first population of a part, or -1. */
int measure_group_find(const MeasureGroup *group, MeasurePart part);
/* Which population another rests on: the initial population of a numerator or denominator, the
   population whose episodes are observed; -1 for an initial population. */
int measure_group_base(const MeasureGroup *group, size_t population);

/*
 * check -- the test cases of published measures: what each expects, and what was found.
 *
 * A case is a folder of resources (or one Bundle) of one person with the MeasureReport that is
 * expected, as content guides keep them below input/tests/measure/<measure>/<case> or
 * input/tests/<measure>/<case>, or as tests-<case>-bundle.json beside a measure. The report's
 * period is the measurement period of its case. All resources of a case belong to its person, also
 * those that name no patient, and none is dropped for having an id that another has.
 *
 * Compared are the counts of every population that the report has, group by group, the values of
 * observations (in any order; a report cannot tell 0 from none), and the populations of strata.
 * Strata that a report calls "true" and "false" are not compared: authoring tools write the whole
 * population and its complement there, whatever the stratum.
 */
#pragma once

#include "measure/evaluate.h"

/* All persons of the cases in one batch, read into memory. */
typedef struct {
    Str name;               /* of the case: its folder's */
    Str measure_name;       /* as the folder or the report says */
    const Measure *measure; /* NULL: there is none of that name */
    const JsonValue *expected;
    MeasurePeriod period;
    Str file;     /* of the expected report, for findings */
    uint32_t row; /* in the batch */
    bool is_usable;
} MeasureCase;
typedef Vec(MeasureCase) MeasureCaseVec;

typedef struct {
    MeasureCaseVec cases; /* in order of their measures' folders and their own names */
    const RecordBatch *batch;
    const ConceptDict *dict;
} MeasureCases;

typedef struct {
    Str ig;
    Str measure; /* the only one wanted, or empty */
    Str name;    /* what the wanted cases' names begin with, or empty */
} MeasureCasesWanted;

/* Reads the cases below a folder. */
MUST_USE ErrorCode measure_cases_read(Arena *arena, const MeasureCasesWanted *wanted,
                                      const MeasureContent *content, DiagList *diags,
                                      MeasureCases *ret_cases, Error *err);

typedef struct {
    Str group;
    Str population; /* its id, else its code */
    Str stratum;    /* "Stratification_1_1 true", or empty */
    Str expected;
    Str found;
} MeasureDifference;
typedef Vec(MeasureDifference) MeasureDifferenceVec;

typedef struct {
    const MeasureCase *of;
    bool is_passed;
    Str failure; /* why it could not be evaluated; empty else */
    MeasureDifferenceVec differences;
    const Str *values; /* of the options' expressions, as JSON; NULL without any */
} MeasureCaseResult;

typedef struct {
    Str name; /* of the measure */
    size_t cases;
    size_t passed;
    double seconds; /* of evaluation */
    const MeasureCaseResult *results;
} MeasureCheckResult;
typedef Vec(MeasureCheckResult) MeasureCheckResultVec;

typedef struct {
    MeasureCasesWanted wanted;
    const Str *expressions; /* definitions whose values are wanted for each case */
    size_t expression_count;
    double (*seconds)(void); /* a clock, or NULL */
    DiagList *diags;
} MeasureCheckOptions;

typedef struct {
    MeasureCheckResultVec measures;
    size_t passed;
    size_t failed;
    size_t memory_most; /* bytes that a thread's evaluation of all measures of a period held */
} MeasureCheckReport;

MUST_USE ErrorCode measure_check(Arena *arena, const MeasureCheckOptions *options,
                                 MeasureCheckReport *ret_report, Error *err);
/* What differs between an expected report and a result; none: they agree. */
void measure_compare(Arena *arena, const Measure *measure, const JsonValue *expected,
                     const MeasureResult *result, MeasureDifferenceVec *ret_differences);

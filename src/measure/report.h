/*
 * report -- what was found as FHIR MeasureReports and as tables.
 *
 * A MeasureTally adds up results: of one person for an individual report, of all for a summary, so
 * that the sums of individual reports are those of the summary, in every group and stratum. Reports
 * are FHIR R4 with the extensions of the DEQM guide (http://hl7.org/fhir/us/davinci-deqm), one a
 * line.
 */
#pragma once

#include "measure/evaluate.h"

/* Of the values of one observation. */
typedef struct {
    uint64_t count;
    Decimal sum;
    Decimal least;
    Decimal greatest;
    Vec(Decimal) values; /* kept for a median only */
    bool is_lost;        /* the sum went out of range */
} ObservedTally;

typedef struct {
    uint64_t counts[MEASURE_POPULATIONS_MAX];
    ObservedTally *observed; /* by population; NULL where the group observes nothing */
} PopulationTally;

typedef struct {
    const Str *values; /* as many as the stratifier has components */
    PopulationTally tally;
} StratumTally;

typedef struct {
    PopulationTally all;
    Vec(StratumTally *) * strata; /* by stratifier; in order of their values once sorted */
} GroupTally;

/* A value of supplemental data and how many persons have it. */
typedef struct {
    Str text;
    uint64_t count;
} SupplementTally;

typedef struct {
    Arena *arena;
    const Measure *measure;
    GroupTally *groups;
    Vec(SupplementTally) * supplements; /* by supplement of the measure */
    uint64_t persons;                   /* that were asked */
    uint64_t failed;
} MeasureTally;

void measure_tally_init(MeasureTally *tally, Arena *arena, const Measure *measure);
/* supplements may be NULL: not asked for. */
void measure_tally_add(MeasureTally *tally, const MeasureResult *result,
                       const CqlValue *supplements);
void measure_tally_merge(MeasureTally *tally, const MeasureTally *other);
/* The score of a group, or of a stratum of it; false where there is none. */
bool measure_score(const MeasureGroup *group, const PopulationTally *tally, Arena *arena,
                   Decimal *ret_score);

typedef enum {
    REPORT_INDIVIDUAL,
    REPORT_SUMMARY,
    REPORT_SUBJECT_LIST,
    REPORT_DATA_COLLECTION,
    REPORT_KIND_COUNT
} MeasureReportKind;

Str measure_report_name(MeasureReportKind kind); /* "subject-list" */
bool measure_report_find(Str name, MeasureReportKind *ret_kind);

typedef struct {
    MeasurePeriod period;
    Str date;     /* dateTime of the report */
    Str reporter; /* a reference such as "Organization/a", or a name */
    bool omits_supplements;
} MeasureReportFrame;

/* One person's, of one measure: the worker has turned to the person and asked only this measure
   since, so that the resources that it looked at are those of the report. */
void measure_report_person(const MeasureReportFrame *frame, MeasureReportKind kind,
                           MeasureWorker *worker, size_t measure, Record record,
                           const MeasureResult *result, StrBuf *out);
void measure_report_summary(const MeasureReportFrame *frame, const MeasureTally *tally,
                            StrBuf *out);

/* A person in a population, for lists of subjects. */
typedef struct {
    uint32_t group;
    uint32_t population;
    Str person;
} MeasureSubject;
typedef Vec(MeasureSubject) MeasureSubjectVec;
/* The summary with a contained list of individual reports a population. */
void measure_report_subjects(const MeasureReportFrame *frame, const MeasureTally *tally,
                             const MeasureSubjectVec *subjects, StrBuf *out);

/* The id that the individual report of a person has. */
Str measure_report_id(Arena *arena, const Measure *measure, MeasurePeriod period, Str person);

/* Where a person stands in a group, for lists of gaps. */
typedef enum {
    STANDING_OUTSIDE, /* not in the denominator (of a cohort: not in it) */
    STANDING_EXCLUDED,
    STANDING_EXCEPTED,
    STANDING_MET, /* nothing is to be done */
    STANDING_GAP, /* what the measure wants is missing */
    STANDING_IN   /* of a cohort or continuous variable: in it */
} MeasureStanding;
Str measure_standing_name(MeasureStanding standing);
/* With improvement notation "decrease" the numerator is what should not be. Of several episodes the
   one that leaves most to be done counts. */
MeasureStanding measure_standing(const MeasureGroup *group, const MeasureGroupResult *result);

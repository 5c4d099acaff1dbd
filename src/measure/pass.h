/*
 * pass -- measures over a whole store: any number of them in one pass, in threads.
 *
 * Every person is opened once and asked all measures; whom posting lists show to be in no initial
 * population is not opened at all. Kept are a bit a person, measure, group and population, and the
 * sums of each measure; texts (reports of persons, lines of tables) are passed on as the pass goes,
 * in order of persons, whatever the number of threads.
 */
#pragma once

#include "attribution/attribution.h"
#include "base/progress.h"
#include "measure/report.h"
#include "store/store.h"

typedef struct MeasurePopulations MeasurePopulations;

typedef enum {
    PASS_INDIVIDUAL = 1,      /* an individual report a person of a measure's initial population */
    PASS_DATA_COLLECTION = 2, /* a report of the data behind it */
    PASS_PERSONS = 4,         /* a row of the table of persons (measure_pass_persons_head) */
    PASS_SUPPLEMENTS = 8,     /* supplemental data in the sums */
    PASS_GAPS = 16            /* a row of the table of gaps (measure_pass_gaps_head) */
} MeasurePassWants;

typedef struct {
    size_t threads;
    Progress *progress; /* may be NULL */
    DiagList *diags;    /* findings about persons, in order */
    uint32_t wants;     /* bits of MeasurePassWants */
    const MeasureReportFrame *frame;
    /* Whose practice a person is, for the tables; NULL: nobody's. On the day after the period. */
    const AttributionRule *attribution;
    /* Given what was written, in order of the persons; from the calling thread. May be NULL. */
    ErrorCode (*on_text)(void *context, MeasurePassWants kind, Str text, Error *err);
    void *context;
} MeasurePassOptions;

MUST_USE ErrorCode measure_pass(Arena *arena, const MeasureSet *set, const Store *store,
                                const MeasurePassOptions *options,
                                MeasurePopulations **ret_populations, Error *err);

const MeasureTally *measure_pass_tally(const MeasurePopulations *populations, size_t measure);
/* Bits of one partition's rows: who has an episode in the population (is in it). */
const uint64_t *measure_pass_bits(const MeasurePopulations *populations, size_t measure,
                                  size_t group, size_t population, size_t partition);
uint64_t measure_pass_persons(const MeasurePopulations *populations, size_t measure, size_t group,
                              size_t population);
uint64_t measure_pass_failed(const MeasurePopulations *populations);
/* Who is in which population of the measure, in order of the store. */
MUST_USE ErrorCode measure_pass_subjects(const MeasurePopulations *populations, const Store *store,
                                         size_t measure, Arena *arena,
                                         MeasureSubjectVec *ret_subjects, Error *err);

/* Head rows and rows of the tables. */
Str measure_pass_persons_head(void);
Str measure_pass_gaps_head(void);
void measure_pass_summary_head(StrBuf *out);
void measure_pass_summary_rows(const MeasureTally *tally, StrBuf *out);

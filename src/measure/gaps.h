/*
 * gaps -- what is still to be done for whom: open, closed, excluded, excepted, or due soon.
 *
 * A gap is open when its indicator says so on the last day of the period. It is due soon when it is
 * closed on that day and open on a later one if nothing more is done: the same definitions are
 * asked again for the period that ends on each later day, in order, until one says that it is open.
 * Every day is asked, as CQL may answer yes and no in any order (bisection would be right only for
 * what changes once); a day costs one plan for all persons together, and a person is asked no more
 * once an answer is found. How long an open gap has been open is asked at the ends of earlier
 * months likewise.
 *
 * Nothing is stored: all of it is computed for the day that it is asked for.
 */
#pragma once

#include "measure/populations.h"

typedef enum { GAP_OPEN, GAP_DUE_SOON, GAP_CLOSED, GAP_EXCLUDED, GAP_EXCEPTED } GapStatus;
Str gap_status_name(GapStatus status); /* "open", "due-soon", "closed", "excluded", "excepted" */

typedef struct {
    size_t indicator;
    size_t partition;
    uint32_t row;
    GapStatus status;
    int32_t due_day; /* of one due soon: the first day on which it is open; else DAY_NONE */
    uint32_t
        late_months;   /* of an open one: it was open at the ends of so many months before, too */
    uint64_t priority; /* open: 30 * weight * (1 + late_months); due soon: half of 30 * weight,
                          divided by one more than the whole 30 days to go; else 0 */
} Gap;
typedef Vec(Gap) GapVec;

enum { GAPS_DUE_DAYS_MAX = 731, GAPS_LATE_MONTHS_MAX = 120 };

typedef struct {
    int32_t due_within;   /* days to look ahead, 0: none */
    uint32_t late_within; /* months to look back, 0: none */
    size_t threads;
    const MeasureExceptions *exceptions; /* as for the results; may be NULL */
    /* Whose gaps, of which indicator; NULL: all. */
    bool (*is_wanted)(const void *context, size_t indicator, size_t partition, uint32_t row);
    const void *context;
} GapOptions;

/* The gaps of results worked out for the source, in order of partition, row and indicator: one for
   each person in a denominator. A person who cannot be evaluated on another day is a finding, and
   not due. */
MUST_USE ErrorCode measure_gaps(Arena *arena, const MeasureSource *source,
                                const MeasureResults *results, const Store *store,
                                const GapOptions *options, DiagList *diags, GapVec *ret_gaps,
                                Error *err);
/* The order of a worklist: highest priority first, then the earliest due, then as they were. */
void measure_gaps_sort(GapVec *gaps);

/*
 * statistic -- what a proportion is worth: intervals, funnels, comparisons, and small numbers
 * hidden.
 *
 * Doubles, for display: nothing here decides about a person or an amount. All functions depend on
 * their parameters only.
 */
#pragma once

#include "base/base.h"

/* A proportion with an interval around it; all 0 where there is nobody. */
typedef struct {
    double rate;
    double low;
    double high;
} MeasureInterval;

/* Wilson's score interval at 95 % (E. B. Wilson, J Am Stat Assoc 1927; 22: 209-212): with the
   proportion p of n, (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n). Unlike the normal
   one it stays within 0 and 1, and says something of an indicator that everybody achieves. */
MeasureInterval measure_wilson(uint64_t numerator, uint64_t denominator);

/* The difference a - b of two independent proportions with Newcombe's hybrid score interval at 95 %
   (R. G. Newcombe, Stat Med 1998; 17: 873-890, method 10): rate is the difference. */
MeasureInterval measure_difference(uint64_t a_numerator, uint64_t a_denominator,
                                   uint64_t b_numerator, uint64_t b_denominator);

/* The limit of a funnel at the standard `target` for a unit of n persons: what a proportion lies
   below with the probability `tail` when nothing but chance is at work. Exact binomial quantiles
   with interpolation (D. J. Spiegelhalter, Stat Med 2005; 24: 1185-1202, appendix A.1.1): with r
   the smallest number whose distribution function F(r) is above the tail, the limit is (r - (F(r) -
   tail) / (F(r) - F(r-1))) / n, here kept within 0 and 1. n from 1. */
double measure_funnel_limit(double target, uint64_t n, double tail);

enum { FUNNEL_NORMAL, FUNNEL_LOW, FUNNEL_VERY_LOW, FUNNEL_HIGH, FUNNEL_VERY_HIGH };
typedef struct {
    double low95; /* tails of 2.5 % */
    double high95;
    double low998; /* tails of 0.1 %: about three standard errors */
    double high998;
    int place; /* of the unit's own rate: FUNNEL_… */
} MeasureFunnel;
MeasureFunnel measure_funnel(double target, uint64_t numerator, uint64_t denominator);
Str measure_funnel_place(int place); /* "within", "low", "very low", "high", "very high" */

/* Among the rates of peers: how many are below, and the quartiles (linear between order statistics,
   R's type 7). Rates are sorted in place. */
typedef struct {
    double lower_quartile;
    double median;
    double upper_quartile;
} MeasureQuartiles;
MeasureQuartiles measure_quartiles(double *rates, size_t count);

/* --- small numbers --- */

typedef struct {
    Str name;
    uint64_t least;   /* counts from 1 to below it are hidden */
    uint64_t step;    /* others are rounded to the nearest multiple; 1: as they are */
    bool complements; /* a further count is hidden where a sum would give a hidden one away */
    Str source;
} SuppressionRule;

/* By name; NULL when there is none. Names for messages: measure_suppression_names(). */
const SuppressionRule *measure_suppression_find(Str name);
Str measure_suppression_names(void);

/* A row of a table whose rows may be sums of others: `parent` is the number of the row that this
   one is part of (SIZE_MAX: of none), and all parts of a row are there. */
typedef struct {
    uint64_t denominator;
    uint64_t numerator;
    size_t parent;
    bool hides_denominator; /* given back; numerator and rate are hidden then too */
    bool hides_numerator;
} SuppressedRow;

/* Says what is hidden. Small are a denominator, a numerator, and what they differ by. With rules
   that complement, no hidden count can be worked out from rows that are shown: of the parts of a
   shown sum never just one is hidden, and of a hidden sum not all parts are shown. */
void measure_suppress(const SuppressionRule *rule, SuppressedRow *rows, size_t count);
/* As the rule shows a count that is not hidden. */
uint64_t measure_suppressed_count(const SuppressionRule *rule, uint64_t count);

/*
 * triangle -- payments by origin and age, and what is still to come (incurred but not reported).
 *
 * A Triangle holds cumulative amounts by origin period (when care was given) and age (how long
 * after the period payments were known). Four answers: development factors and their completion
 * factors, the ultimate by chain ladder with Mack's standard errors, by Bornhuetter-Ferguson, and
 * by Cape Cod.
 *
 * These are estimates: they are worked out in doubles, never in money. What a contract pays on
 * account of them is rounded where it is paid.
 *
 * Sources: T. Mack, Distribution-free calculation of the standard error of chain ladder reserve
 * estimates, ASTIN Bulletin 23/2 (1993); R. Bornhuetter and R. Ferguson, The actuary and IBNR, PCAS
 * 59 (1972); J. Stanard, PCAS 72 (1985) and S. Gluck, Balancing development and trend in loss
 * reserve analysis, PCAS 84 (1997) for Cape Cod and its decay.
 */
#pragma once

#include "base/csv.h"

typedef struct {
    Str *origins; /* as written, in order of time */
    size_t origin_count;
    size_t age_count;
    double *cells; /* cumulative, [origin * age_count + age]; NAN where unknown */
    size_t *first; /* by origin: the first and the last age that is known; between them all are */
    size_t *latest;
    bool is_calendar; /* the column `development` named dates rather than ages */
} Triangle;

typedef struct {
    Str column;          /* of the amounts; empty: "values", or the only one left */
    bool is_incremental; /* amounts are of one age each, and are added up */
} TriangleOptions;

/* Reads columns `origin`, `development` and one of amounts, one row a cell, in any order. Origins
   are numbers, years, months (2020-03), quarters (2020-Q1) or days; `development` is an age in any
   unit, or a date of the same kinds, told apart by their size. An empty amount or NA is unknown.
   Findings: a cell given twice, a hole between cells, an amount that is no number, no rows at all.
   False when there was any. */
bool triangle_read(Arena *arena, const CsvTable *table, const TriangleOptions *options,
                   DiagList *diags, Triangle *ret_triangle);
double triangle_cell(const Triangle *triangle, size_t origin, size_t age);

/* From an age to the next one, over the origins that have both. */
typedef struct {
    double factor;     /* sum of the later amounts over sum of the earlier */
    double sigma;      /* Mack's, NAN when it cannot be told */
    double error;      /* standard error of the factor */
    double base;       /* sum of the earlier amounts */
    double completion; /* part of the ultimate that is known at the earlier age */
    size_t links;      /* origins behind it */
    bool is_sigma_extrapolated;
} Development;

typedef enum {
    SIGMA_MACK,      /* smallest of the two before and of the trend between them (Mack 1993) */
    SIGMA_LOG_LINEAR /* least squares of log sigma on age */
} SigmaRule;

typedef struct {
    double
        tail; /* from the last age to the ultimate; 0 means 1: none. It has no error of its own */
    SigmaRule sigma_rule;
} ChainLadderOptions;

/* What an origin will come to. */
typedef struct {
    Str origin;
    double latest;
    double completion; /* latest / ultimate by chain ladder */
    double ultimate;
    double ibnr;  /* ultimate - latest */
    double prior; /* what was expected beforehand: Bornhuetter-Ferguson, Cape Cod; else NAN */
    double error; /* standard error of ibnr: chain ladder only, else NAN */
} Reserve;

typedef struct {
    Development *development; /* age_count - 1 */
    size_t development_count;
    double tail;
    Reserve *reserves; /* origin_count, in order of time */
    size_t reserve_count;
    Reserve total; /* its error holds the correlation that origins have through common factors */
} Reserving;

/* Findings: an age without any development to the next one, or whose earlier amounts sum to nothing
   (division by nothing). False when there was one. A standard error that cannot be told (fewer than
   three ages) is NAN. */
bool triangle_chain_ladder(Arena *arena, const Triangle *triangle,
                           const ChainLadderOptions *options, DiagList *diags,
                           Reserving *ret_reserving);

/* Amounts by origin, from a table with columns `origin` and `name`: every origin of the triangle
   once. Findings name an origin that is missing, unknown, or given twice, and amounts below zero.
 */
bool triangle_read_by_origin(Arena *arena, const Triangle *triangle, const CsvTable *table,
                             Str name, DiagList *diags, double **ret_amounts);

/* ibnr = prior x (1 - completion). `chain` is of the same triangle. */
void triangle_bornhuetter_ferguson(Arena *arena, const Reserving *chain, const double *priors,
                                   Reserving *ret_reserving);
/* The prior of an origin is its exposure times the ratio of all latest amounts to all exposure used
   up so far, both weighted by decay ^ (distance in origins); decay 1 is one ratio for all.
   Exposures that sum to nothing are a finding. decay in 0..1. */
bool triangle_cape_cod(Arena *arena, const Reserving *chain, const double *exposures, double decay,
                       DiagList *diags, Reserving *ret_reserving);

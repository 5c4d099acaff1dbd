/*
 * check -- what a population's records say, person by person, and the metrics made of it.
 */
#pragma once

#include "synth/shapes.h"

enum { CHECK_YEARS = 2, CHECK_SERVICES = SERVICE_COUNT + 1, CHECK_READMISSION = SERVICE_COUNT };

/* What is known of one person from the records. Years are the first two. */
typedef struct {
    int32_t birth;
    int32_t death; /* INT32_MAX: none recorded */
    uint8_t sex;
    uint8_t tenth;        /* 1 most deprived; 0 not recorded */
    uint8_t smoking;      /* 1 no, 2 yes; 0 not recorded */
    bool was_here;        /* born before the first day */
    uint16_t last_year;   /* emergency admissions within a year of death */
    uint16_t emergencies; /* of the first year, as the two around it */
    uint16_t readmissions;
    uint64_t active[CHECK_YEARS]; /* conditions at the end of the year */
    uint16_t contacts[CHECK_YEARS][CHECK_SERVICES];
    int64_t cost[CHECK_YEARS][BILL_COUNT]; /* minor units */
} Fact;

typedef struct {
    const SynthModel *model;
    const Fact *facts;
    size_t count;
    Arena *arena;
} Facts;

/* False when there is no metric of that name. */
bool metric_find(const Facts *facts, Str name, double *ret_value);

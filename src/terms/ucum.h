/*
 * ucum -- units of measure: the Unified Code for Units of Measure, version 2.2, case-sensitive.
 *
 * All of its grammar and every unit of its tables (models/ucum.tsv). A unit is worked out to powers
 * of seven base dimensions and an exact factor (a fraction, a power of ten, a power of pi), so that
 * conversions are exact and rounded once, to Decimal's places. Annotations say nothing about the
 * quantity: "{cells}/uL" is "/uL". Units with a zero or a scale of their own (Cel, [pH], B …)
 * convert by their function, and cannot stand within a product. Arbitrary units ([iU] …) measure
 * the same thing as nothing but themselves, whatever the prefix.
 *
 * Conversions that were worked out are kept in a UcumCache, one a thread.
 *
 *     UcumConversion room;
 *     const UcumConversion *conversion = ucum_find(cache, S("mg/dL"), S("g/L"), &room);
 *     if (ucum_convert(conversion, value, &value)) …
 */
#pragma once

#include "base/base.h"
#include "base/decimal.h"

enum { UCUM_TEXT_BYTES = 128 }; /* the longest unit that is read */

/* Why a text is no unit: the part that is wrong (a view into it) and a unit that may have been
   meant (or empty). */
typedef struct {
    const char *text;
    Str part;
    Str hint;
} UcumProblem;

/* Whether it is a unit of UCUM. ret_problem may be NULL. */
bool ucum_is_unit(Str text, UcumProblem *ret_problem);

typedef enum {
    UCUM_KNOWN,
    UCUM_BAD_FROM,       /* the first text is no unit */
    UCUM_BAD_TO,         /* the second is none */
    UCUM_INCOMMENSURABLE /* they measure different things */
} UcumStatus;

/* From one unit to another. */
typedef struct {
    uint8_t status;        /* UcumStatus */
    uint8_t from_function; /* of special units */
    uint8_t to_function;
    bool is_exact;                 /* numerator / denominator is all of it */
    unsigned __int128 numerator;   /* when is_exact */
    unsigned __int128 denominator; /* when is_exact */
    long double factor;            /* what a unit of the first is in the second, or nearly */
    /* Of special units: of the first and the second in base units, and what their functions want.
     */
    long double from_factor, to_factor, from_argument, to_argument, from_prefix, to_prefix;
} UcumConversion;

typedef struct UcumCache UcumCache;
UcumCache *ucum_cache_create(Arena *arena);
/* The conversion: from the cache (good until the next call) or, with a NULL cache, in *room. */
const UcumConversion *ucum_find(UcumCache *cache, Str from, Str to, UcumConversion *room);
/* False when there is none, or the result is out of Decimal's range. Rounded half away from zero.
 */
bool ucum_convert(const UcumConversion *conversion, Decimal value, Decimal *ret_value);
/* How `a` of the first unit stands to `b` of the second: -1, 0 or 1. They are compared in the
   smaller of the two units, to Decimal's places. The conversion must be UCUM_KNOWN. */
int ucum_compare(const UcumConversion *conversion, Decimal a, Decimal b);

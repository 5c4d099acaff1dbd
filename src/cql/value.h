/*
 * value -- what is behind a CqlValue, and the relations between values.
 *
 * Nothing is changed once made. Structures live in the arena of the person or of the plan.
 * Decimals that fit in 64 bits of 10^-8 stand in the value itself; so do dates and times.
 */
#pragma once

#include "cql/type.h"

/* flag of a CQL_DECIMAL: the 128 bits are behind ptr. aux: places it was written with. */
enum { VALUE_BOXED = 1 };

typedef struct {
    CqlValue low;
    CqlValue high;
    bool low_closed;
    bool high_closed;
    const CqlType *point;
} CqlIntervalBody;

typedef struct {
    Decimal value;
    Str unit; /* UCUM, or a calendar word in the singular */
    bool is_calendar;
} CqlQuantityBody;

typedef struct {
    CqlQuantityBody numerator;
    CqlQuantityBody denominator;
} CqlRatioBody;

typedef struct {
    Str system;
    Str code;
    Str version;
    Str display;
    bool has_system; /* absent texts are null */
    bool has_version;
    bool has_display;
    bool has_code;
} CqlCodeBody;

typedef struct {
    const CqlCodeBody *codes;
    size_t count;
    Str display;
    bool has_display;
} CqlConceptBody;

typedef struct {
    const CqlType *type; /* names in order */
    const CqlValue *values;
} CqlTupleBody;

/* A value of a FHIR type, or of a model's class, that was made and not found. */
typedef struct {
    const CqlType *type;
    const Str *names; /* of the elements that were given */
    const CqlValue *values;
    size_t count;
} CqlInstanceBody;

/* A value set or code system. */
typedef struct {
    Str id;
    Str version;
    Str name;
    const ValueSet *set; /* NULL for code systems and when unknown */
    ConceptSet bound;    /* in the plan's dictionary */
} CqlVocabularyBody;

/* Truth of three values. */
typedef enum { TRI_FALSE, TRI_TRUE, TRI_NULL } Tri;
typedef enum { ORDER_LESS = -1, ORDER_EQUAL = 0, ORDER_GREATER = 1, ORDER_UNKNOWN = 2 } Order;

/* What relations need to know beside the values. */
typedef struct {
    Arena *arena;
    int16_t offset_minutes; /* of date-times without an offset */
    UcumCache *units;       /* conversions worked out before; may be NULL */
    DiagList *messages;     /* of the person; may be NULL */
} ValueContext;

static inline Tri tri_and(Tri a, Tri b)
{
    if (a == TRI_FALSE || b == TRI_FALSE)
        return TRI_FALSE;
    return a == TRI_TRUE && b == TRI_TRUE ? TRI_TRUE : TRI_NULL;
}

static inline Tri tri_or(Tri a, Tri b)
{
    if (a == TRI_TRUE || b == TRI_TRUE)
        return TRI_TRUE;
    return a == TRI_FALSE && b == TRI_FALSE ? TRI_FALSE : TRI_NULL;
}

static inline Tri tri_not(Tri a)
{
    return a == TRI_NULL ? TRI_NULL : a == TRI_TRUE ? TRI_FALSE : TRI_TRUE;
}

static inline CqlValue value_null(void)
{
    return (CqlValue){.kind = CQL_NULL};
}

static inline CqlValue value_boolean(bool truth)
{
    return (CqlValue){.kind = CQL_BOOLEAN, .integer = truth};
}

static inline CqlValue value_tri(Tri tri)
{
    return tri == TRI_NULL ? value_null() : value_boolean(tri == TRI_TRUE);
}

static inline Tri value_truth(CqlValue value)
{
    if (value.kind != CQL_BOOLEAN)
        return TRI_NULL;
    return value.integer != 0 ? TRI_TRUE : TRI_FALSE;
}

static inline CqlValue value_integer(int64_t integer)
{
    return (CqlValue){.kind = CQL_INTEGER, .integer = integer};
}

static inline CqlValue value_long(int64_t integer)
{
    return (CqlValue){.kind = CQL_LONG, .integer = integer};
}

static inline CqlValue value_string(Str text)
{
    return (CqlValue){.kind = CQL_STRING, .count = (uint32_t)text.len, .ptr = text.ptr};
}

static inline Str value_text(CqlValue value)
{
    return (Str){.ptr = value.ptr, .len = value.count};
}

static inline CqlValue value_moment(CqlKind kind, Moment moment)
{
    CqlValue value = {.moment_kind = (uint8_t)kind, .moment = moment};
    return value;
}

static inline CqlValue value_list(const CqlValue *items, size_t count)
{
    return (CqlValue){.kind = CQL_LIST, .count = (uint32_t)count, .ptr = items};
}

static inline const CqlValue *value_items(CqlValue list)
{
    return list.ptr;
}

static inline CqlValue value_pointer(CqlKind kind, const void *body)
{
    return (CqlValue){.kind = (uint8_t)kind, .ptr = body};
}

static inline CqlValue value_fhir(FhirNode node)
{
    if (node.area == NULL)
        return value_null();
    return (CqlValue){.kind = CQL_FHIR, .aux = node.type, .count = node.at, .ptr = node.area};
}

static inline FhirNode value_node(CqlValue value)
{
    return (FhirNode){.area = value.ptr, .at = value.count, .type = value.aux};
}

static inline Decimal value_decimal_units(CqlValue value)
{
    if ((value.flag & VALUE_BOXED) != 0)
        return *(const Decimal *)value.ptr;
    return (Decimal){.units = value.integer};
}

static inline const CqlIntervalBody *value_interval(CqlValue value)
{
    return value.ptr;
}

static inline const CqlQuantityBody *value_quantity(CqlValue value)
{
    return value.ptr;
}

CqlValue value_decimal(Arena *arena, Decimal decimal);
CqlValue value_decimal_scaled(Arena *arena, Decimal decimal, uint16_t places);
CqlValue value_make_quantity(Arena *arena, Decimal value, Str unit, bool is_calendar);
CqlValue value_make_interval(Arena *arena, const CqlIntervalBody *interval);
CqlValue value_make_code(Arena *arena, Str system, Str code);
/* Between two integers; one alone when they are equal. */
CqlValue value_uncertain(Arena *arena, int64_t low, int64_t high);
void value_uncertainty(CqlValue value, int64_t *ret_low, int64_t *ret_high);
/* Integer, Long or Decimal as a Decimal. */
Decimal value_number(CqlValue value);
/* Digits behind the point without trailing zeros. */
int decimal_places(Decimal value);

/* The element of an instance; null when it was not given. */
CqlValue instance_element(const CqlInstanceBody *instance, Str name);
/* What FHIRHelpers would make of it; null where it makes nothing of the type. */
CqlValue instance_value(Arena *arena, const CqlInstanceBody *instance);
/* Of an instance and something else, makes System values of what is in the record or made; false
   when neither changes. */
bool instance_make_plain(Arena *arena, CqlValue *a, CqlValue *b);
Tri instance_equal(const ValueContext *context, const CqlInstanceBody *a, const CqlInstanceBody *b);
bool instance_equivalent(const ValueContext *context, const CqlInstanceBody *a,
                         const CqlInstanceBody *b);

/* --- relations (CQL Appendix B: Equal, Equivalent, Less …) --- */
Tri value_equal(const ValueContext *context, CqlValue a, CqlValue b);
bool value_equivalent(const ValueContext *context, CqlValue a, CqlValue b);
/* Of numbers, strings, dates, times, quantities; ORDER_UNKNOWN for nulls, different kinds, and what
   precision leaves open. precision 0: as fine as they are. */
Order value_order(const ValueContext *context, CqlValue a, CqlValue b, uint8_t precision);
Order moment_order(const ValueContext *context, CqlValue a, CqlValue b, uint8_t precision);
/* For sorting: null first, what cannot be told apart is equal. */
int value_sort_order(const ValueContext *context, CqlValue a, CqlValue b);
bool code_equivalent(const CqlCodeBody *a, const CqlCodeBody *b);
/* The date-time at another offset, parts below its precision untouched. */
Moment moment_at_offset(Moment moment, int16_t offset_minutes, int16_t default_offset);

/* --- steps and bounds (successor, predecessor, minimum, maximum) --- */
bool value_step(const ValueContext *context, CqlValue value, int direction, CqlValue *ret_next);
/* Null for a type without one. */
CqlValue value_extreme(Arena *arena, const CqlType *type, bool is_maximum);
/* The first and last point: null when unknown (an open null bound). */
CqlValue interval_start(const ValueContext *context, const CqlIntervalBody *interval);
CqlValue interval_end(const ValueContext *context, const CqlIntervalBody *interval);
/* The least or greatest of its point type, in the unit of its bounds; null for types without. */
CqlValue interval_extreme(const ValueContext *context, const CqlIntervalBody *interval,
                          bool is_maximum);

/* --- quantities --- */
/* value in `from` as `to`; false when they do not measure the same thing, are unknown, or the
   result is out of range. A text that is no unit is a warning of the person. */
bool quantity_convert(const ValueContext *context, Decimal value, Str from, Str to,
                      Decimal *ret_value);
/* A unit of UCUM or the word of a calendar duration. ret_problem may be NULL. */
bool quantity_has_unit(Str unit, UcumProblem *ret_problem);
/* Text of the product or quotient, reduced where they are the same. */
Str quantity_combine_units(Arena *arena, Str a, Str b, bool is_quotient);
/* "years" and "year" are PRECISION_YEAR, 'a' too, and so on; 0 for other units. */
uint8_t quantity_precision(Str unit);
Str calendar_unit(uint8_t precision);
/* ORDER_UNKNOWN when they cannot be compared (then the answer is null). */
Order quantity_order(const ValueContext *context, const CqlQuantityBody *a,
                     const CqlQuantityBody *b, bool for_equivalence);

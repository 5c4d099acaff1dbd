/*
 * definition -- a measure as it was published: groups of populations, each named by a CQL
 * definition.
 *
 * What a FHIR R4 Measure resource says (with the extensions of the Quality Measure guide), read
 * into plain structures: nothing is looked up in libraries yet. Everything lives in the arena that
 * it was read into and is never changed afterwards.
 */
#pragma once

#include "base/date.h"
#include "base/json.h"

typedef enum {
    SCORING_COHORT,
    SCORING_PROPORTION,
    SCORING_RATIO,
    SCORING_CONTINUOUS
} MeasureScoring;

/* What a population is for. The order is that in which the parts of a group are decided. */
typedef enum {
    PART_INITIAL,
    PART_DENOMINATOR,
    PART_DENOMINATOR_EXCLUSION,
    PART_NUMERATOR,
    PART_NUMERATOR_EXCLUSION,
    PART_DENOMINATOR_EXCEPTION,
    PART_MEASURE_POPULATION,
    PART_MEASURE_POPULATION_EXCLUSION,
    PART_OBSERVATION,
    PART_COUNT
} MeasurePart;

typedef enum {
    AGGREGATE_NONE,
    AGGREGATE_COUNT,
    AGGREGATE_SUM,
    AGGREGATE_AVERAGE,
    AGGREGATE_MEDIAN,
    AGGREGATE_MINIMUM,
    AGGREGATE_MAXIMUM
} MeasureAggregate;

/* A definition by name, and where that stands. */
typedef struct {
    Str expression; /* without quotation marks; empty: none was given */
    Str library;    /* when it is qualified, else empty */
    uint32_t line;
    uint32_t column;
} MeasureCriteria;

typedef struct {
    Str id; /* empty when it has none */
    MeasurePart part;
    Str description;
    MeasureCriteria criteria;
    Str reference; /* of an observation, numerator or denominator: id of the population it rests on
                    */
    MeasureAggregate aggregate; /* of an observation */
    Str head;                   /* its JSON in a report, up to the count */
} MeasurePopulation;

typedef struct {
    Str id;
    Str text; /* of its code, or empty */
    MeasureCriteria criteria;
} MeasureComponent;

typedef struct {
    Str id;
    Str text;
    const MeasureComponent *components; /* one, without id and text, where it has criteria itself */
    size_t component_count;
    bool has_components;
    uint32_t applies_to; /* bit of each MeasurePart; 0: all */
} MeasureStratifier;

typedef struct {
    Str id;
    Str title; /* of its code, or empty */
    Str description;
    MeasureScoring scoring;
    Str basis; /* "boolean" or a resource type; empty: as the initial population's definition has it
                */
    Str improvement; /* "increase", "decrease" or empty */
    Str rate_aggregation;
    const MeasurePopulation *populations; /* at most MEASURE_POPULATIONS_MAX */
    size_t population_count;
    const MeasureStratifier *stratifiers;
    size_t stratifier_count;
    uint32_t number; /* in Measure.group, from 0 */
    uint32_t line;
    Str head; /* its JSON in a report, up to the populations */
} MeasureGroup;

enum { MEASURE_POPULATIONS_MAX = 32 };

/* Supplemental data or a risk adjustment factor. */
typedef struct {
    Str id;
    Str text;
    bool is_risk_adjustment;
    MeasureCriteria criteria;
} MeasureSupplement;

typedef struct {
    Str id;
    Str url;
    Str version;
    Str name;
    Str title;
    const Str *libraries; /* canonicals, the first holds the definitions */
    size_t library_count;
    const MeasureGroup *groups; /* those without errors */
    size_t group_count;
    const MeasureSupplement *supplements;
    size_t supplement_count;
    Str period_start; /* of effectivePeriod, as written; empty when there is none */
    Str period_end;
    Str improvement;
    Str file;
    uint32_t line;
} Measure;

/* "initial-population", and the words for people. */
Str measure_part_code(MeasurePart part);
Str measure_part_display(MeasurePart part);
Str measure_scoring_code(MeasureScoring scoring);
Str measure_scoring_display(MeasureScoring scoring);
Str measure_aggregate_code(MeasureAggregate aggregate);
bool measure_part_find(Str code, MeasurePart *ret_part);

/* Its name for people and findings: name, else id, else url. */
Str measure_name(const Measure *measure);
/* "Group_1", or "group 1" where the group has no id. */
Str measure_group_name(Arena *arena, const MeasureGroup *group);

/* What of a group is the same in all of its reports (report.c). */
void measure_render_heads(Arena *arena, MeasureGroup *group, MeasurePopulation *populations);

/* Reads a Measure resource. Findings name file, line and element; a group with an error is left
   out, false when nothing is left of the measure. */
bool measure_read(Arena *arena, const JsonValue *resource, Str file, DiagList *diags,
                  Measure *ret_measure);

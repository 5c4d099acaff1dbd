/*
 * mapping -- where an element of a profile is found in the FHIR resource: the `target` of model
 * info, such as %value.value, FHIRHelpers.ToConcept(%value) or
 * %parent.extension[url='http://…'].value.
 *
 *     mapping   = typed (";" typed)* | converted
 *     typed     = type ":" converted
 *     converted = "FHIRHelpers." name "(" path ")" | path
 *     path      = ("%value" | "%parent") ("." name ["[x]"] ["[" condition ("," condition)* "]"])*
 *     condition = name ("." name)* "=" "'" text "'"
 *
 * A path is read over lists as if it stood at each item. Conditions of one step hold together for
 * one thing: [coding.system='s',coding.code='c'] is a coding with both.
 */
#pragma once

#include "base/base.h"

enum { MAPPING_STEPS_MAX = 6, MAPPING_PATH_MAX = 4, MAPPING_CONDITIONS_MAX = 4 };

typedef struct {
    Str name; /* the last of its path */
    Str value;
} MappingCondition;

typedef struct {
    Str name;
    Str path[MAPPING_PATH_MAX]; /* that the conditions have in common */
    size_t path_count;
    MappingCondition conditions[MAPPING_CONDITIONS_MAX];
    size_t condition_count;
} MappingStep;

typedef struct Mapping Mapping;
struct Mapping {
    Str type;     /* before the colon, or empty */
    Str function; /* of FHIRHelpers, or empty */
    bool is_parent;
    MappingStep steps[MAPPING_STEPS_MAX];
    size_t step_count;
    const Mapping *next; /* of the next type */
};

/* NULL when it cannot be read; *ret_expected then says what was expected, and *ret_at where. */
const Mapping *mapping_parse(Arena *arena, Str text, const char **ret_expected, size_t *ret_at);

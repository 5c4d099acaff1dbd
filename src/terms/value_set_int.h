/*
 * value_set_int -- a ValueSet as it was read, before what it includes is worked out.
 *
 * value_set_read.c makes these from JSON; value_set.c resolves them.
 */
#pragma once

#include "base/json.h"
#include "terms/terms.h"

typedef Vec(ConceptName) Codes;

/* One compose.include or compose.exclude. */
typedef struct {
    Str system;
    bool is_whole_system; /* a system without concepts: only good as a restriction */
    Codes codes;
    Vec(Str) value_sets; /* canonicals */
    bool has_filter;
    uint32_t line;
} ComposePart;

typedef Vec(ComposePart) ComposeParts;

typedef enum { SOURCE_NEW, SOURCE_IN_PROGRESS, SOURCE_USABLE, SOURCE_UNUSABLE } SourceState;

typedef struct {
    ValueSet set;
    Str file;
    uint32_t line;
    uint64_t content_hash;
    size_t order; /* of adding */
    bool has_expansion;
    bool has_compose;
    Codes expansion;
    uint64_t expansion_nodes;
    uint64_t expansion_total; /* 0 when not given */
    bool is_unclosed;         /* the server says that it could not list everything */
    ComposeParts includes;
    ComposeParts excludes;
    SourceState state;
    uint32_t height; /* of what it includes; 1 when it includes no value set */
} ValueSetSource;

struct ValueSets {
    Arena *arena;
    Map systems; /* one copy of the text of each system */
    Vec(ValueSetSource) sources;
    Vec(size_t) usable; /* numbers of sources */
    bool is_resolved;
};

/* Reads one ValueSet resource; false with findings when it cannot be used at all. */
bool value_set_read(ValueSets *sets, const JsonValue *resource, Str file, DiagList *diags,
                    ValueSetSource *ret_source);
int concept_name_compare(const void *a, const void *b);
/* Sorts by (system, code) and leaves out repetitions. */
void codes_to_set(Codes *codes);

/*
 * terms -- codes as numbers: the concept dictionary and value sets over it.
 *
 * A ConceptId is a 32-bit number for one (system, code); 0 is none. Records hold ConceptIds, so
 * that "is this code in that value set" is one bit test. A *group* stands for several codes
 * that were given together for one thing (a CodeableConcept with a SNOMED CT and an ICD-10
 * coding): it has an id of its own, and a value set bound to a dictionary holds every group that
 * has a member in it. References to what belongs to no person are interned too, with the resource
 * type as system: ("Organization", "abc").
 *
 * While records are loaded, a ConceptBuilder gives provisional ids in order of arrival from any
 * thread. concept_builder_finish() renumbers: codes by (system, code) in byte order from 1, then
 * groups by their member lists, so that a dictionary depends on what is in it and on nothing else.
 * A ConceptDict is immutable and may be used by any number of threads.
 */
#pragma once

#include "base/base.h"
#include "base/io.h"
#include "terms/ucum.h"

typedef uint32_t ConceptId;
#define CONCEPT_NONE ((ConceptId)0)

/* What a ConceptId stands for. Views into the dictionary. */
typedef struct {
    Str system; /* empty for a code without a system */
    Str code;
} ConceptName;

/* --- while loading --- */
typedef struct ConceptBuilder ConceptBuilder;
/* A thread's own window on a builder: remembers what it has seen, so that nearly every look-up
 * takes no lock. */
typedef struct ConceptInterner ConceptInterner;

ConceptBuilder *concept_builder_create(void);
void concept_builder_destroy(ConceptBuilder *builder);
ConceptInterner *concept_interner_create(ConceptBuilder *builder);
void concept_interner_destroy(ConceptInterner *interner);
/* The id of (system, code). Texts longer than LIMIT_CONCEPT_TEXT_BYTES together are the caller's
   finding: asserts. Expected cost when seen before by this thread: under 20 ns. */
ConceptId concept_intern(ConceptInterner *interner, Str system, Str code);
/* The id of the set of these codes (order and repetition do not count); of one distinct code, that
 * code itself; of none, 0. */
ConceptId concept_intern_group(ConceptInterner *interner, const ConceptId *members, size_t count);
/* Name of a provisional id (never a group); safe from any thread for ids that this thread has got.
 */
ConceptName concept_builder_name(const ConceptBuilder *builder, ConceptId id);
size_t concept_builder_bytes(const ConceptBuilder *builder);
/* Members of a provisional id: of a code itself alone. */
const ConceptId *concept_builder_members(const ConceptBuilder *builder, ConceptId id,
                                         size_t *ret_count);

/* --- the dictionary --- */
typedef struct ConceptDict ConceptDict;

/* Renumbers. The dictionary lives in the arena; ret_renumber[provisional] is the final id (entry 0
   is 0). No interner may be used at the same time. */
ConceptDict *concept_builder_finish(ConceptBuilder *builder, Arena *arena,
                                    const ConceptId **ret_renumber);
/* The whole dictionary as bytes for a file, and back. A dictionary opened from bytes keeps pointing
   into them. All offsets are checked on opening: ERR_DAMAGED names what is wrong. */
Str concept_dict_serialise(const ConceptDict *dict, Arena *arena);
MUST_USE ErrorCode concept_dict_open(Arena *arena, const void *bytes, size_t size,
                                     ConceptDict **ret_dict, Error *err);
/* Codes and groups together; ids run from 1 to this. */
uint32_t concept_dict_count(const ConceptDict *dict);
uint32_t concept_dict_code_count(const ConceptDict *dict); /* ids above are groups */
/* 0 when the dictionary does not hold it. */
ConceptId concept_dict_find(const ConceptDict *dict, Str system, Str code);
/* Asserts that id is from 1 to the count. The name of a group is that of its first member. */
ConceptName concept_dict_name(const ConceptDict *dict, ConceptId id);
bool concept_dict_is_group(const ConceptDict *dict, ConceptId id);
const ConceptId *concept_dict_members(const ConceptDict *dict, ConceptId id, size_t *ret_count);
/* Both (system, code) look-ups behind one face, for whoever reads tapes with provisional or final
 * ids. */
typedef struct {
    const ConceptDict *dict;
    const ConceptBuilder *builder; /* used when dict is NULL */
} ConceptNames;
ConceptName concept_name(ConceptNames names, ConceptId id);
/* False for 0 and for ids beyond the dictionary: what a damaged tape may hold. */
bool concept_is_known(ConceptNames names, ConceptId id);

/* --- sets of concepts --- */
/* Bits over a span of ids. Zeroed: empty. */
typedef struct {
    ConceptId first;
    uint32_t span; /* bits cover first .. first + span - 1 */
    const uint64_t *bits;
    uint32_t count;
} ConceptSet;

static inline bool concept_set_has(const ConceptSet *set, ConceptId id)
{
    uint32_t at = id - set->first;
    return at < set->span && ((set->bits[at >> 6] >> (at & 63)) & 1) != 0;
}

/* The set of these codes and of every group that has one of them. */
ConceptSet concept_set_of(Arena *arena, const ConceptDict *dict, const ConceptId *ids,
                          size_t count);
/* Members in ascending order: *at begins at 0; false at the end. */
bool concept_set_next(const ConceptSet *set, ConceptId *at);

/* --- value sets --- */
/* Value sets known by canonical URL (and version), from FHIR ValueSet resources. */
typedef struct ValueSets ValueSets;
typedef struct {
    Str url;
    Str version;
    Str name;
    Str title;
    size_t count;
    const ConceptName *codes; /* sorted by (system, code), each once */
    bool is_truncated;        /* expansion.total says that there are more than were given */
} ValueSet;

ValueSets *value_sets_create(Arena *arena);
/* Adds one ValueSet (or each one in a Bundle) given as JSON text. Findings name file and line; a
 * bad one is left out. */
void value_sets_add(ValueSets *sets, Str json, Str file, DiagList *diags);
/* Works out every set: an expansion where there is one, else compose: enumerated concepts, included
   and excluded value sets (also by intersection within one include). What cannot be worked out (a
   filter, a whole code system, an unknown value set, a cycle) is a finding and leaves that set
   unusable. Call once, after the last add. */
void value_sets_resolve(ValueSets *sets, DiagList *diags);
/* By canonical "url" or "url|version"; without a version the highest. NULL when unknown or
 * unusable. */
const ValueSet *value_sets_find(const ValueSets *sets, Str canonical);
size_t value_sets_count(const ValueSets *sets);
const ValueSet *value_sets_at(const ValueSets *sets, size_t index); /* in order of url, version */
/* The ids of its codes that the dictionary knows, with their groups. */
ConceptSet value_set_bind(const ValueSet *set, const ConceptDict *dict, Arena *arena);
bool value_set_has(const ValueSet *set, Str system, Str code);

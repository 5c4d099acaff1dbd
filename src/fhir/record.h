/*
 * record -- one person's resources behind a directory; and batches of persons.
 *
 * A RecordBatch holds some thousands of persons: for each resource type the directory columns of
 * all of them one after the other, so that a question about one type is a walk along a few arrays,
 * and one TapeArea with their tapes in which equal sub-trees are stored once. A store partition is
 * a batch mapped from a file; a batch can be built in memory as well. Immutable once built; any
 * number of threads may read.
 *
 * A Record is one person in a batch: a pointer and a row. Entries of a type are in order of (day,
 * instant, id, source). A column that no entry of the type in this batch uses is NULL.
 */
#pragma once

#include "fhir/reader.h"
#include "fhir/tape.h"

#define NUMBER_NONE INT64_MIN
/* Died, but nobody says when. */
#define DEATH_UNDATED (DAY_NONE + 1)

typedef enum { SEX_UNKNOWN, SEX_FEMALE, SEX_MALE, SEX_OTHER } PersonSex;

/* The directory of one type: of a whole batch, or (as a RecordSlice) of one person. */
typedef struct {
    uint32_t count;
    const ConceptId *concepts; /* primary code or group */
    const int32_t *days;       /* local date as written; DAY_NONE */
    const int64_t *numbers;    /* 10^-8 units; NUMBER_NONE */
    const ConceptId *orgs;
    const uint32_t *tapes; /* offset in the area; never NULL when count > 0 */
} RecordSlice;

typedef struct {
    RecordSlice entries;    /* of all persons */
    const uint32_t *starts; /* person_count + 1: entries of person p are starts[p] .. starts[p + 1]
                               - 1; NULL if none */
} RecordType;

typedef struct RecordBatch RecordBatch;
struct RecordBatch {
    uint32_t person_count;
    TapeArea area;
    const ConceptDict *dict;
    /* The person table, by row. Rows are in order of (id hash, id). */
    const uint64_t *id_hashes; /* str_hash of the id */
    const uint32_t *id_starts; /* person_count + 1 offsets into id_bytes */
    const char *id_bytes;
    const int32_t *birth_days; /* first day it can mean; DAY_NONE */
    const int32_t *death_days; /* DAY_NONE: not known to be dead; DEATH_UNDATED */
    const uint8_t *sexes;      /* PersonSex */
    RecordType types[FHIR_RESOURCE_TYPE_LIMIT];
};

typedef struct {
    const RecordBatch *batch;
    uint32_t row;
} Record;

Str record_person_id(Record record);
/* The directory of one type for this person; count 0 when there is none. Inline: a few loads. */
static inline RecordSlice record_slice(Record record, uint16_t type)
{
    const RecordType *columns = &record.batch->types[type];
    if (columns->starts == NULL)
        return (RecordSlice){.count = 0};
    uint32_t from = columns->starts[record.row];
    const RecordSlice *all = &columns->entries;
    return (RecordSlice){
        .count = columns->starts[record.row + 1] - from,
        .concepts = all->concepts == NULL ? NULL : all->concepts + from,
        .days = all->days == NULL ? NULL : all->days + from,
        .numbers = all->numbers == NULL ? NULL : all->numbers + from,
        .orgs = all->orgs == NULL ? NULL : all->orgs + from,
        .tapes = all->tapes + from,
    };
}
/* The resource of one entry. */
FhirNode record_resource(Record record, RecordSlice slice, uint16_t type, uint32_t entry);
/* The person's Patient resource, or absent. */
FhirNode record_patient(Record record);
/* The row of a person in a batch; false when it is not there. */
bool record_find(const RecordBatch *batch, Str person_id, uint32_t *ret_row);
/* A resource of this person by type and id: walks the person's entries of the type. */
FhirNode record_find_resource(Record record, uint16_t type, Str id);

/* --- building --- */
/* Collects flat tapes and makes a batch of them. */
typedef struct RecordBuilder RecordBuilder;

/* One resource to build with. All views must live until record_builder_finish. */
typedef struct {
    FhirFacts facts;
    const uint8_t *tape;
    size_t tape_size;
    uint64_t source; /* (file, line, entry) in order: breaks ties, and the first of two equal ids is
                        kept */
} RecordInput;

typedef enum {
    RECORD_KEPT,
    RECORD_REFUSED_TWICE,     /* a second resource of that type and id for this person */
    RECORD_REFUSED_NO_PATIENT /* nobody with this id has a Patient resource */
} RecordVerdict;

/* Told of each input that is not kept, in order of source. */
typedef void (*RecordRefusalFn)(void *context, const RecordInput *input, RecordVerdict verdict);

typedef struct {
    const ConceptDict *dict;    /* final */
    const ConceptId *renumber;  /* provisional -> final; NULL when the inputs hold final ids */
    bool is_shared;             /* a batch of resources of no person: one row, no Patient needed */
    Arena *scratch;             /* what is needed until finish has ended, to be used again by the
                                   caller; NULL: one of its own */
    bool keeps_repeated;        /* several resources of one type and id are all kept */
    RecordRefusalFn on_refusal; /* may be NULL */
    void *context;
} RecordBuilderOptions;

RecordBuilder *record_builder_create(Arena *arena, const RecordBuilderOptions *options);
void record_builder_add(RecordBuilder *builder, const RecordInput *input);
/* Sorts, shares equal sub-trees, renumbers concepts. The batch lives in the builder's arena and
   depends only on the set of inputs, not on the order of adding. ERR_LIMIT when the tapes pass 4
   GiB. */
MUST_USE ErrorCode record_builder_finish(RecordBuilder *builder, RecordBatch **ret_batch,
                                         Error *err);

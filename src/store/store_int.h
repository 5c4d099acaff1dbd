/*
 * store_int -- what the files of this folder share: the partition file, postings, the manifest.
 *
 * A partition file is a head, a table of sections, and the sections, each on a multiple of 64
 * bytes; numbers are little-endian. README.md has the format in full. Opening it checks the shape:
 * head, table, the size of every section against the counts. Verifying it checks the content: the
 * checksum of every section, orders, bounds. Both take bytes from anywhere (the fuzzer's too) and
 * trust none of them.
 */
#pragma once

#include "store/store.h"

enum {
    PARTITION_VERSION = 1,
    PARTITION_ALIGN = 64,
    PARTITION_SECTIONS_MAX = 4096,
    MANIFEST_VERSION = 2,
};

#define PARTITION_MAGIC "BRAIDPRT"

/* In the order in which they stand in a file; within a kind by type. */
typedef enum {
    SECTION_NONE,
    SECTION_ID_HASHES,
    SECTION_ID_STARTS,
    SECTION_ID_BYTES,
    SECTION_BIRTH_DAYS,
    SECTION_DEATH_DAYS,
    SECTION_SEXES,
    SECTION_STARTS, /* from here one a resource type */
    SECTION_CONCEPTS,
    SECTION_DAYS,
    SECTION_NUMBERS,
    SECTION_ORGS,
    SECTION_TAPES,
    SECTION_POSTING_INDEX, /* from here one a file again */
    SECTION_POSTING_DATA,
    SECTION_AREA,
    SECTION_KIND_LIMIT
} SectionKind;

typedef struct {
    char magic[8];
    uint32_t version;
    uint32_t model; /* store_model_mark() of the program that wrote it */
    uint32_t person_count;
    uint32_t section_count;
    uint64_t file_size;
    uint32_t dict_count; /* ids run from 1 to this */
    uint32_t zeros[6];
    uint32_t crc; /* of the head with 0 here and the section table */
} PartitionHead;

typedef struct {
    uint16_t kind;
    uint16_t type; /* FhirType, 0 where there is one section a file */
    uint32_t crc;
    uint64_t offset;
    uint64_t size; /* without the zero bytes up to the next section */
} PartitionSection;

/* How the rows of a posting are kept. */
typedef enum {
    POSTING_ONE,     /* `at` is the row */
    POSTING_LIST16,  /* ascending uint16_t */
    POSTING_LIST32,  /* ascending uint32_t */
    POSTING_ROARING, /* the portable form of Roaring bitmaps */
    POSTING_FORM_LIMIT
} PostingForm;

/* In order of (type, concept). Concept 0: any resource of the type. */
typedef struct {
    uint16_t type;
    uint16_t form;
    ConceptId concept;
    uint32_t count; /* rows */
    uint32_t at;    /* in the posting data */
} Posting;

typedef struct {
    const Posting *index;
    uint32_t count;
    const uint8_t *data;
    size_t data_size;
    uint32_t person_count;
} Postings;

/* A partition file seen through its head and table. */
typedef struct {
    Str name; /* for messages */
    const uint8_t *bytes;
    size_t size;
    const PartitionSection *sections;
    uint32_t section_count;
    uint32_t head_crc;
    uint32_t dict_count;
    Postings postings;
    RecordBatch batch;     /* everything */
    RecordBatch directory; /* with an empty area */
} Partition;

_Static_assert(sizeof(PartitionHead) == 64, "the head is 64 bytes in the file");
_Static_assert(sizeof(PartitionSection) == 24, "a section is 24 bytes in the table");
_Static_assert(sizeof(Posting) == 16, "a posting is 16 bytes in the file");

/* A number that changes with the element model, on which tapes depend. */
uint32_t store_model_mark(void);

/* Fills the partition (which must not move afterwards: batches point into it) from the bytes, which
   are aligned to 8 and stay with the caller. ERR_DAMAGED or ERR_VERSION. */
MUST_USE ErrorCode partition_open(Str name, const void *bytes, size_t size, const ConceptDict *dict,
                                  Partition *ret_partition, Error *err);
/* Verifies all sections but the area, or the area alone. */
MUST_USE ErrorCode partition_verify_directory(const Partition *partition, Error *err);
MUST_USE ErrorCode partition_verify_area(const Partition *partition, Error *err);
/* Walks every tape and every posting; each thing wrong becomes a finding. */
void partition_check_deep(const Partition *partition, bool is_shared, DiagList *diags);

/* The file of a batch: all but the area as one text, the area comes behind it. */
typedef struct {
    Str front;
    const uint8_t *area;
    size_t area_size;
    size_t padding; /* zero bytes between front and area are in front; these come last */
    uint32_t head_crc;
} PartitionImage;
MUST_USE ErrorCode partition_image(Arena *arena, const RecordBatch *batch,
                                   PartitionImage *ret_image, Error *err);

/* --- postings --- */
/* Builds index and data for a batch. */
void postings_build(Arena *arena, const RecordBatch *batch, StrBuf *ret_index, StrBuf *ret_data);
/* The first posting at or behind (type, concept). */
uint32_t postings_lower_bound(const Postings *postings, uint16_t type, ConceptId concept);
/* Sets the bits of a posting's rows; false when it is damaged. */
MUST_USE bool posting_set_bits(const Postings *postings, const Posting *posting, uint64_t *bits);
/* Sets the bits of all rows with the type and a concept of the set, or names the damage. */
MUST_USE bool postings_rows_with(const Postings *postings, uint16_t type, const ConceptSet *set,
                                 uint64_t *bits);
/* How many rows; *scratch holds store_row_words(person_count) words. */
MUST_USE bool postings_count_with(const Postings *postings, uint16_t type, const ConceptSet *set,
                                  uint64_t *scratch, uint64_t *ret_count);

/* --- the manifest --- */
typedef struct {
    uint64_t size;
    uint64_t first_hash; /* of its persons' ids, the lowest */
    uint32_t persons;
    uint32_t crc; /* of a partition: its head_crc; of the dictionary: of all bytes */
} ManifestFile;

typedef struct {
    uint32_t generation;
    uint32_t model;
    uint64_t shared_resources;
    uint64_t by_type[FHIR_RESOURCE_TYPE_LIMIT];
    ManifestFile dict;
    ManifestFile *shared;
    size_t shared_count;
    ManifestFile *partitions;
    size_t partition_count;
    StoreSource source;
} Manifest;

Str manifest_format(Arena *arena, const Manifest *manifest);
MUST_USE ErrorCode manifest_read(Arena *arena, Str store_path, Manifest *ret_manifest, Error *err);
Str manifest_path(Arena *arena, Str store_path);
Str store_generation_path(Arena *arena, Str store_path, uint32_t generation);
Str store_partition_path(Arena *arena, Str generation_path, size_t partition);
Str store_shared_path(Arena *arena, Str generation_path, size_t number);
/* The number of a "gen-…" name; false for any other name. */
bool store_parse_generation(Str name, uint32_t *ret_generation);

/* A partition of an open store, with what is known of its state. For store_check. */
const Partition *store_partition_opened(const Store *store, size_t partition);
const Partition *store_shared_opened(const Store *store, size_t number);
const Manifest *store_manifest(const Store *store);

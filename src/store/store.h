/*
 * store -- persons on disk: a folder of mapped partition files behind a manifest.
 *
 * A store holds one version of a population. A partition is a RecordBatch of some thousands of
 * persons in one file; persons are dealt to partitions by the hash of their id, in order, so that a
 * person is found without an index over all of them. Beside the partitions there are the concept
 * dictionary, batches of what belongs to no person (the shared ones), and posting lists: for
 * each resource type and concept the rows of a partition that have it.
 *
 * A store is never changed in place. A StoreWriter writes the next version beside the present
 * one and replaces the manifest at the end; until then, and whatever happens, readers see the
 * present version whole. One writer at a time (ERR_BUSY), any number of readers in any number of
 * processes; a reader keeps the version that it opened.
 *
 * Nothing read from a file is trusted: a partition's checksums and offsets are verified when it is
 * first asked for, and damage is an ERR_DAMAGED that names file, section and what is wrong. The
 * format is in store/README.md. A Store may be used from any number of threads.
 *
 *     Store *store;
 *     if (store_open(arena, path, &store, err) != ERR_OK) ...
 *     for (size_t i = 0; i < store_partition_count(store); i++) {
 *         const RecordBatch *batch;
 *         if (store_batch(store, i, &batch, err) != ERR_OK) ...
 *         for (uint32_t row = 0; row < batch->person_count; row++)
 *             use((Record){.batch = batch, .row = row});
 *     }
 *     store_close(store);
 */
#pragma once

#include "fhir/fhir.h"

typedef struct Store Store;

/* Counts of what a store holds. The views live as long as the store. */
typedef struct {
    uint64_t persons;
    uint64_t resources; /* of persons and shared ones */
    uint64_t shared_resources;
    uint64_t by_type[FHIR_RESOURCE_TYPE_LIMIT]; /* persons' and shared ones */
    uint64_t file_bytes;                        /* of all files of this version */
    uint64_t source_files;
    uint64_t source_bytes; /* as read, after decompression */
    uint32_t partitions;
    uint32_t generation; /* goes up with every version */
    Str source;          /* what was loaded, in words of the one who loaded it */
} StoreInfo;

/* Maps the present version. The Store lives in the arena; ERR_NOT_FOUND where there is no store. */
MUST_USE ErrorCode store_open(Arena *arena, Str path, Store **ret_store, Error *err);
/* Unmaps. Batches, records and views of it are gone; accepts NULL. */
void store_close(Store *store);
/* As store_close, for CLEANUP(store_cleanup). */
void store_cleanup(Store **store);

const StoreInfo *store_info(const Store *store);
const ConceptDict *store_dict(const Store *store);
size_t store_partition_count(const Store *store);
/* Persons of one partition, without touching its file. */
uint32_t store_partition_persons(const Store *store, size_t partition);

/* --- reading --- */
/* The persons of a partition. Verified when first asked for; from then on the cost of an atomic
   load. */
MUST_USE ErrorCode store_batch(const Store *store, size_t partition, const RecordBatch **ret_batch,
                               Error *err);
/* As store_batch for questions that the directory answers alone: the tapes are not verified, not
   read from disk, and not there (the area is empty). */
MUST_USE ErrorCode store_directory(const Store *store, size_t partition,
                                   const RecordBatch **ret_batch, Error *err);
/* Resources of no person, in batches of one row each: mostly none or one, more only where there are
   very many such resources. */
size_t store_shared_count(const Store *store);
MUST_USE ErrorCode store_shared(const Store *store, size_t number, const RecordBatch **ret_batch,
                                Error *err);
/* The person with this id (of the Patient resource); ERR_NOT_FOUND when there is none. Pass a
   NULL err where that is no failure. */
MUST_USE ErrorCode store_find_person(const Store *store, Str id, Record *ret_record, Error *err);
/* The partition and row of a person, as store_find_person. */
MUST_USE ErrorCode store_locate_person(const Store *store, Str id, size_t *ret_partition,
                                       uint32_t *ret_row, Error *err);

/* Calls visit for every partition, from `threads` workers. Returning false stops (ERR_STOPPED,
   unless the visitor is content with that and looks at its context). */
typedef bool (*StoreVisitFn)(void *context, size_t worker, size_t partition,
                             const RecordBatch *batch);
MUST_USE ErrorCode store_for_each(const Store *store, size_t threads, StoreVisitFn visit,
                                  void *context, Error *err);

/* --- posting lists --- */
/* Words of a bit set over a partition's rows. */
static inline size_t store_row_words(uint32_t person_count)
{
    return ((size_t)person_count + 63) / 64;
}
/* Sets the bit of each row that has a resource of the type whose primary concept is in the set
   (NULL: any resource of the type). Bits that are set already stay. Opens no person. */
MUST_USE ErrorCode store_rows_with(const Store *store, size_t partition, uint16_t type,
                                   const ConceptSet *set, uint64_t *bits, Error *err);
/* How many persons of the store have one: exists [Type: code in set]. */
MUST_USE ErrorCode store_count_with(const Store *store, uint16_t type, const ConceptSet *set,
                                    uint64_t *ret_count, Error *err);

/* --- checking --- */
/* Verifies every byte: checksums, offsets, orders, every tape, every posting, the counts of the
   manifest. What is wrong becomes findings (rule "store-damaged"); an error only if nothing could
   be checked. */
MUST_USE ErrorCode store_check(Str path, size_t threads, DiagList *diags, Error *err);

/* --- writing --- */
typedef struct StoreWriter StoreWriter;

/* Takes the writer's lock, removes what an interrupted writer left, and begins the next version.
   The folder is made when absent. The writer lives in the arena. */
MUST_USE ErrorCode store_writer_begin(Arena *arena, Str path, StoreWriter **ret_writer, Error *err);
/* A folder for files of the work on this version; removed at the end. */
Str store_writer_temp_dir(const StoreWriter *writer);
/* The dictionary that all batches are numbered by. Once. */
MUST_USE ErrorCode store_writer_dict(StoreWriter *writer, const ConceptDict *dict, Error *err);
/* Partitions are numbered from 0 in order of the persons' id hashes; any order, any thread, each
   number once; durable once committed. The batch is not needed afterwards. */
MUST_USE ErrorCode store_writer_add(StoreWriter *writer, size_t partition, const RecordBatch *batch,
                                    Error *err);
/* The batches of resources of no person, numbered from 0; there may be none. Any order, any
   thread, each number once. */
MUST_USE ErrorCode store_writer_add_shared(StoreWriter *writer, size_t number,
                                           const RecordBatch *batch, Error *err);

/* Syncs files that wait for it, so that the commit does not have to. Any thread, and several at a
   time; at any time. */
MUST_USE ErrorCode store_writer_settle(StoreWriter *writer, Error *err);

typedef struct {
    uint64_t files;
    uint64_t bytes;
    Str source;
} StoreSource;

/* Makes the version the present one, durably, and removes the earlier one. Afterwards, failed or
   not, only store_writer_end may be called. */
MUST_USE ErrorCode store_writer_commit(StoreWriter *writer, const StoreSource *source, Error *err);
/* Removes what was not committed and gives up the lock; accepts NULL. */
void store_writer_end(StoreWriter *writer);

/*
 * intake -- other people's files into a store: FHIR R4 bundles and NDJSON.
 *
 * A source is a file, a folder (all files below it, in order of their names) or standard input
 * ("-"). What a file is, is told from its first bytes and not from its name: FHIR JSON (one
 * document, several one after another, or one a line), also within gzip, zstd, xz or tar.
 *
 * Workers take turns at cutting the input into texts of whole documents, and parse what they cut
 * each on its own; tapes are dealt to buckets by the hash of the person's id, spill to disk when
 * the memory budget asks for it, and are merged into partitions. So memory stays under
 * memory_max plus the concept dictionary whatever the input's size, and the store is the same
 * bytes on any number of threads.
 *
 * A resource that cannot be taken is refused: a finding says where and why, and its text goes to
 * the refused file, one JSON object a line:
 *     {"file":"a.ndjson","line":7,"path":"Observation.status","rule":"fhir-wrong-type",
 *      "finding":"…","resource":{…}}
 * with "text":"…" instead of "resource" where the text is no JSON object, and "references" before
 * it where it stood in a Bundle (what its URNs stand for). That file is a source like any other:
 * once mended, intake_load() takes the resource (or text) out of each line.
 */
#pragma once

#include "base/progress.h"
#include "store/store.h"

typedef struct {
    const Str *sources;
    size_t source_count;
    Str store_path;
    Progress *progress;        /* may be NULL */
    size_t threads;            /* 0: as many as there are processors */
    size_t memory_max;         /* 0: LIMIT_MEMORY_DEFAULT_BYTES */
    size_t resource_bytes_max; /* 0: LIMIT_RESOURCE_BYTES */
    bool omit_narrative;       /* leave DomainResource.text out */
    Str refused_path;          /* empty: what is refused is counted and not kept */
    /* Where "-" reads from; -1 (and 0 by default) is standard input. For tests. */
    int stdin_fd;
    /* For whoever measures stages: called when one ends, from the calling thread. May be NULL. */
    void (*on_stage)(void *context, Str stage);
    void *context;
} IntakeOptions;

/* How often a rule refused something. */
typedef struct {
    Str rule;
    uint64_t count;
} IntakeRefusal;
typedef Vec(IntakeRefusal) IntakeRefusalVec;

/* Exact counts. Those of resources are of what the store holds in the end. */
typedef struct {
    uint64_t files;     /* that held anything of use */
    uint64_t bytes;     /* of text, after decompression */
    uint64_t documents; /* texts that a resource or a bundle came out of */
    uint64_t accepted;
    uint64_t accepted_by_type[FHIR_RESOURCE_TYPE_LIMIT];
    uint64_t refused;
    IntakeRefusalVec refused_by_rule; /* by name of the rule; a resource counts for its first */
    uint64_t repeated; /* shared resources given again, word for word: neither kept nor refused */
    uint64_t persons;
    uint64_t shared;
    uint64_t partitions;
    uint64_t spilled_bytes; /* that went through files on the way */
} IntakeReport;

/* Loads the sources into a new version of the store. Findings go to diags: those of reading in
   order of the sources, then those of merging (a resource given twice, a person without a Patient
   resource) in order of the persons. An error (a source that cannot be opened, a full disk,
   ERR_BUSY) leaves the earlier version as it was. */
MUST_USE ErrorCode intake_load(Arena *arena, const IntakeOptions *options, DiagList *diags,
                               IntakeReport *ret_report, Error *err);

/* Persons in memory: the batches that a store of them would hold, in the same order. */
typedef struct {
    const ConceptDict *dict;
    const RecordBatch **batches;
    size_t count;
    Arena **arenas; /* one a batch */
    /* What belongs to no person: batches of one row each. Mostly none or one. */
    const RecordBatch **shared;
    size_t shared_count;
    Arena **shared_arenas;
} IntakeBatches;

/* As intake_load, for whoever asks the persons at once and needs no store: nothing is written (but
   the file of what is refused), store_path and memory_max are of no account, and all of it must fit
   into memory. The dictionary lives in `arena`. */
MUST_USE ErrorCode intake_read(Arena *arena, const IntakeOptions *options, DiagList *diags,
                               IntakeReport *ret_report, IntakeBatches *ret_batches, Error *err);
/* Accepts what is zeroed. */
void intake_batches_free(IntakeBatches *batches);

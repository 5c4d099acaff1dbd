/*
 * intake_int -- the parts of a load: source, output, spill, merge.
 *
 * A *source* cuts the input into chunks: texts of whole documents, numbered in order. An *output*
 * is what is to be said about one chunk (findings, refused texts); the *sink* takes outputs in any
 * order and passes them on in order of their chunks. A *spill* holds tapes dealt to buckets, in
 * memory and beyond that in files. The *merge* turns buckets into partitions.
 */
#pragma once

#include <pthread.h>

#include "base/io.h"
#include "base/json_index.h"
#include "intake/intake.h"

/* ---- outputs ---- */

typedef struct Output Output;
struct Output {
    Arena *arena;
    DiagList diags;
    StrBuf refused; /* lines for the refused file */
    Str references; /* of the next text: a JSON object, what its URNs stand for; or empty */
    IntakeRefusalVec rules;
    uint64_t refused_count;
};

Output *output_create(void);
void output_destroy(Output *output);
/* Counts a refusal under the finding's rule and writes its line: `text` is the refused text as it
   stood (empty: nothing to keep). The finding itself is not added. */
void output_refuse(Output *output, const Diag *diag, Str text, bool keeps_text);
/* Adds the finding, and refuses with it. */
void output_refuse_with(Output *output, const Diag *diag, Str text, bool keeps_text);
void intake_count_rule(Arena *arena, IntakeRefusalVec *rules, Str rule, uint64_t count);

typedef struct Sink Sink;
/* refused_path empty: refused texts are dropped. The file is made at the first one. */
Sink *sink_create(Arena *arena, Str refused_path, DiagList *diags, IntakeReport *report);
/* An earlier refused file is one of the sources: it stays when nothing is refused. */
void sink_keep_earlier(Sink *sink);
bool sink_keeps_texts(const Sink *sink);
/* Hands in what there is to say about a chunk (NULL: nothing) and gives the output away. Every
   number from 0 on comes once, from any thread. */
MUST_USE ErrorCode sink_put(Sink *sink, uint32_t number, Output *output, Error *err);
/* All has been put: completes the refused file, or removes it when `is_failed`. */
MUST_USE ErrorCode sink_finish(Sink *sink, bool is_failed, Error *err);

/* ---- the source ---- */

/* Text of whole documents, with the padding that the reader wants behind it. */
typedef struct {
    char *ptr;
    size_t len;
    size_t capacity;
    uint32_t number;
    uint32_t first_line;
    Str file;
    bool is_envelopes;
    uint32_t *breaks; /* line breaks that the file does not have, between items of an array */
    size_t break_count;
    size_t break_capacity;
    Output *output; /* findings about what came before this text; NULL mostly */
} Chunk;

typedef struct {
    const Str *paths;
    size_t path_count;
    size_t chunk_bytes;        /* aimed at */
    size_t document_bytes_max; /* longest document that is held in memory */
    int stdin_fd;
    bool keeps_texts;
    Progress *progress;
} SourceOptions;

typedef struct Source Source;
/* Lists the files of all paths. */
MUST_USE ErrorCode source_create(Arena *arena, const SourceOptions *options, Source **ret_source,
                                 Error *err);
void source_destroy(Source *source);
/* The next chunk into the caller's buffer. False in *ret_more at the end (chunk->output may be set
   even then, and the chunk have a number). One thread at a time. */
MUST_USE ErrorCode source_next(Source *source, Chunk *chunk, bool *ret_more, Error *err);
/* The file that a chunk came from. */
Str source_file_of(const Source *source, uint32_t chunk);
uint32_t source_chunk_count(const Source *source);
void source_counts(const Source *source, uint64_t *ret_files, uint64_t *ret_bytes);
uint64_t source_total_bytes(const Source *source); /* on disk; 0 when not known */
uint32_t source_count_lines(const char *text, size_t len);
void chunk_reserve(Chunk *chunk, size_t capacity);
void chunk_free(Chunk *chunk);

/* ---- a JSON array as documents ---- */

enum { ARRAY_DEPTH_MAX = 512 };

typedef enum {
    ARRAY_BEFORE,
    ARRAY_BETWEEN,
    ARRAY_ITEM,
    ARRAY_STRING,        /* within an item */
    ARRAY_SCALAR_STRING, /* which is an item */
    ARRAY_LOST,          /* within an item that is not understood */
    ARRAY_BEHIND,
    ARRAY_COMMA,
    ARRAY_END
} ArrayState;

/* Where a cutter is. Offsets are in the text that it was given last. */
typedef struct {
    ArrayState state;
    bool is_escaped;
    bool is_behind_string;
    bool is_behind_comma;
    bool is_lost_found;
    uint32_t depth;
    uint32_t matched;
    size_t at; /* looked at so far */
    size_t comma;
    size_t string; /* where the last string began */
    size_t last;   /* behind the last item that is whole and followed by another */
    uint64_t lists[ARRAY_DEPTH_MAX / 64];
} ArrayCut;

void array_begin(ArrayCut *cut);
/* Goes on to the end of the chunk, to which more was added. Gives the last place where one item
   ended and another follows, 0 if there is none. */
size_t array_cut(ArrayCut *cut, Chunk *chunk);
/* The same, but stops at the first such place. */
size_t array_first(ArrayCut *cut, Chunk *chunk);
/* The first `by` bytes are gone. */
void array_moved(ArrayCut *cut, size_t by);
/* Makes of the places of line breaks that were put in the lines at whose ends they are. */
void array_number_breaks(Chunk *chunk);
/* The line in the file of a line of the chunk, once its breaks are numbered. */
uint32_t array_line(const Chunk *chunk, uint32_t line);

/* Takes the resources (or texts) out of the envelopes of a refused file, a line each. */
void envelopes_open(Str text, Chunk *ret_chunk);

/* ---- spills ---- */

/* A resource on its way: this head, its tape, its id, its person's id. */
typedef struct {
    uint32_t size; /* of all, a multiple of 8 */
    uint32_t tape_size;
    uint32_t chunk; /* where it came from: number of the chunk, of the resource in it, the line */
    uint32_t index;
    uint32_t line;
    int32_t day;
    int64_t instant_ms;
    int64_t number;
    uint64_t person_hash; /* of what is shared: a hash of type and id */
    ConceptId concept;
    ConceptId org;
    uint16_t type;
    uint16_t id_len;
    uint16_t person_id_len;
    uint16_t is_shared;
} SpillRecord;

_Static_assert(sizeof(SpillRecord) == 64, "tapes stay aligned");

static inline const uint8_t *spill_record_tape(const SpillRecord *record)
{
    return (const uint8_t *)(record + 1);
}

typedef struct Spill Spill;
typedef struct {
    Str folder; /* for its files */
    const char *name;
    size_t lanes; /* threads that add, each to its own lane */
    size_t buckets;
    size_t memory_max; /* in all lanes */
} SpillOptions;

Spill *spill_create(const SpillOptions *options);
void spill_destroy(Spill *spill);
/* What is copied together as one record; the lengths in the head are filled from here. */
typedef struct {
    const SpillRecord *head;
    const uint8_t *tape;
    Str id;
    Str person_id;
} SpillItem;
MUST_USE ErrorCode spill_add(Spill *spill, size_t lane, size_t bucket, const SpillItem *item,
                             Error *err);
/* All has been added: from here buckets may be visited, each by any one thread. */
MUST_USE ErrorCode spill_seal(Spill *spill, Error *err);
/* Calls visit for every record of a bucket. What is in files is read into the arena; with keeps,
   all records stay readable until the arena is reset and the bucket dropped; without, each is good
   during the call only. */
typedef ErrorCode (*SpillVisitFn)(void *context, const SpillRecord *record, Error *err);
typedef struct {
    SpillVisitFn visit;
    void *context;
    Arena *arena;
    bool keeps;
} SpillVisit;
MUST_USE ErrorCode spill_visit(Spill *spill, size_t bucket, const SpillVisit *visit, Error *err);
/* Gives up a bucket's memory. */
void spill_drop(Spill *spill, size_t bucket);
uint64_t spill_written_bytes(const Spill *spill);
size_t spill_memory(const Spill *spill);

/* ---- the merge ---- */

enum {
    BUCKET_BITS = 8,
    BUCKET_COUNT = 1 << BUCKET_BITS,
    SHARED_BITS = 4,
    SHARED_FIRST = BUCKET_COUNT, /* behind them those of what is shared */
    SHARED_COUNT = 1 << SHARED_BITS,
    FINE_BITS = 16,
    FINE_COUNT = 1 << FINE_BITS,
};

/* What fell into one of 65,536 parts of the hashes. */
typedef struct {
    uint64_t bytes;
    uint64_t persons;
} FineCount;

typedef struct {
    Spill *spill;
    const FineCount *fine; /* FINE_COUNT */
    const Source *source;
    Sink *sink;
    uint32_t first_output; /* number of the first output that the merge may put */
    StoreWriter *writer;
    IntakeBatches *kept; /* where batches are kept, with a NULL writer; NULL: written */
    Arena *kept_arena;   /* for the lists of them */
    const ConceptBuilder *concepts;
    const ConceptDict *dict;
    const ConceptId *renumber;
    size_t threads;
    size_t memory_max;     /* for records */
    uint64_t shared_bytes; /* that were added to the buckets of what is shared */
    Progress *progress;
    IntakeReport *report;
} MergeOptions;

MUST_USE ErrorCode merge_run(const MergeOptions *options, Error *err);

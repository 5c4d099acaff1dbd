/*
 * reader_int -- what the parts of the reader share: the walk over the offsets of json_index.
 *
 * Every read_… function takes a Pos and gives the Pos behind what it read, or one whose `out` is
 * NULL: then reader->refusal says why. `at` points at the offset of the first structural character
 * of a value. The tape buffer always has room: a node is never longer than its JSON text and a few
 * bytes.
 */
#pragma once

#include "base/json_index.h"
#include "fhir/fhir_int.h"

typedef enum {
    REFUSAL_NONE,
#define REFUSAL(name, rule, text) REFUSAL_##name,
#include "fhir/reader_refusal.def"
#undef REFUSAL
    REFUSAL_COUNT
} Refusal;

typedef struct {
    const uint32_t *at;
    uint8_t *out;
} Pos;

/* Where the walk is, for the path of a finding: kept up to date at the cost of a store. */
typedef struct {
    uint16_t type;
    uint8_t element; /* 0: none yet */
    bool in_list;
    uint8_t depth; /* of JSON: lists count too */
    uint32_t index;
} Frame;

/* A sub-tree seen before: its JSON text and its tape. See reader_walk.c. */
enum { MEMO_SLOTS = 4096, MEMO_TEXT_MAX = 800, MEMO_TAPE_MAX = 200 };
typedef struct {
    uint32_t text_len; /* 0: free */
    uint16_t tape_len;
    uint16_t offset_count;
    uint8_t tape[MEMO_TAPE_MAX];
    char text[MEMO_TEXT_MAX];
} Memo;

/* A resource of the document that has been parsed and waits to be given out. */
typedef struct {
    uint32_t text_from;
    uint32_t text_to;
    size_t tape_from;
    size_t tape_size;
    uint32_t entry;
    uint16_t type;
    bool is_refused;
    const Diag *finding; /* why it is refused */
    Str full_url;
    Str id; /* as written; only in Bundles whose references are resolved */
} Parsed;

/* What could not be indexed: in the text that is read, "{}" stands there. Offsets in the whole. */
typedef struct {
    size_t from;
    size_t to;
    size_t at; /* of the bad byte */
    Refusal refusal;
} Damage;

/* An organisation met lately. */
enum { KNOWN_ORGS = 64 };
typedef struct {
    uint8_t uuid[TAPE_UUID_BYTES];
    ConceptId id; /* 0: free */
} KnownOrg;

struct FhirReader {
    const char *text; /* of the current index run */
    const uint32_t *end;
    uint8_t *tape;
    size_t tape_capacity;
    Frame *frame; /* the current one */
    Refusal refusal;
    uint32_t refused_at; /* offset in the text */
    uint32_t warning_count;
    uint32_t patch_count;
    bool has_open_urls; /* saw a reference that only a look at the fullUrls could resolve */
    bool is_resolving;  /* second pass over a Bundle, with `urls` */
    bool skip_narrative;
    Arena *memory; /* for the memos */
    Memo *memos;
    uint8_t *followers; /* by element_first + number: which element came next the last time */
    Frame frames[LIMIT_JSON_DEPTH + 2];

    char own_id[TAPE_UUID_TEXT_BYTES]; /* texts of the facts given out last */
    char patient_id[TAPE_UUID_TEXT_BYTES];
    KnownOrg orgs[KNOWN_ORGS];

    ConceptInterner *interner;
    ConceptBuilder *concepts;
    FhirReaderOptions options;
    JsonIndex *index;
    Arena *scratch;        /* reset with each document */
    Vec(uint32_t) patches; /* offsets in the tape of type bytes of "urn:uuid:" references */
    Map urls;              /* fullUrl -> number of Parsed */
    Vec(Parsed) parsed;    /* of the current document */
    size_t parsed_next;
    unsigned bundle_depth; /* a Bundle in a Bundle is 2 */
    uint32_t entry;        /* of the outermost Bundle */
    const Diag *finding;   /* the last error reported */
    Str source;            /* the text given to fhir_reader_begin */
    Str whole;             /* the same, or a copy in which damages are blanked */
    Arena *salvage;        /* of the copy; NULL until one is needed */
    char *salvage_text;
    Vec(Damage) damages;
    Str file;
    DiagList *diags;
    const uint32_t *next; /* the next document */
    size_t line_from;     /* by lines: where the next begins; SIZE_MAX when the whole is indexed */
    uint32_t line;        /* of the byte at line_at */
    size_t line_at;
    size_t base; /* of `text` in the whole */
};

static inline Pos refuse(FhirReader *reader, Refusal refusal, const uint32_t *at)
{
    reader->refusal = refusal;
    reader->refused_at = *at;
    return (Pos){.at = at, .out = NULL};
}

/* --- reader_walk.c --- */
/* A resource at pos.at (a '{'): its node. ret_type is FHIR_TYPE_NONE when it has no good one. */
Pos reader_resource(FhirReader *reader, Pos pos, uint16_t *ret_type);
Pos reader_object(FhirReader *reader, Pos pos, uint16_t type);
/* The offset behind the value at `at`, whatever it holds; stops at the end and where a line begins
   with '{' (the next document). */
const uint32_t *reader_skip(const FhirReader *reader, const uint32_t *at);
/* Value of a string member of the object at `at`; empty when it is not there. */
Str reader_peek(FhirReader *reader, const uint32_t *at, Str name);

/* --- reader_value.c --- */
/* A primitive of this type; a Reference's `reference` is of REFERENCE_TEXT. */
Pos reader_primitive(FhirReader *reader, Pos pos, uint16_t type);
Pos reader_reference_text(FhirReader *reader, Pos pos);
/* The string at `at`: its bytes between the quotes as they stand; false when it is not followed by
   a structural character. */
bool reader_raw_string(const FhirReader *reader, const uint32_t *at, Str *ret_raw);
/* As reader_raw_string, with escapes undone (into scratch). */
bool reader_string(FhirReader *reader, const uint32_t *at, Str *ret_text);
uint8_t *reader_put_text(uint8_t *out, Str text);
/* A key whose escapes are undone, followed by readable bytes; the same where it has none. */
Str reader_plain_key(FhirReader *reader, Str raw_key);
/* A key as it stands (with its escapes, which only make it longer) against a name. */
static inline bool reader_key_is(FhirReader *reader, Str raw_key, Str name)
{
    if (LIKELY(raw_key.len <= name.len || memchr(raw_key.ptr, '\\', raw_key.len) == NULL))
        return raw_key.len == name.len && memcmp(raw_key.ptr, name.ptr, name.len) == 0;
    return str_eq(reader_plain_key(reader, raw_key), name);
}

/* --- reader_facts.c --- */
void reader_facts(FhirReader *reader, const uint8_t *tape, size_t size, FhirFacts *ret_facts);

/* --- reader_finding.c --- */
/* Adds the finding of the refusal at hand. */
void reader_report(FhirReader *reader, Severity severity, Refusal refusal, uint32_t offset);
uint32_t reader_line(FhirReader *reader, uint32_t offset);

/* --- reader.c --- */
Refusal reader_index_refusal(JsonIndexResult result);

/* --- reader_salvage.c --- */
/* Makes a copy in which what cannot be indexed between two offsets of the whole is blanked, and
   reads on from there. False when nothing could be made of it. */
bool reader_salvage(FhirReader *reader, size_t from, size_t to);
/* What was blanked at this place of the whole; NULL when nothing. */
const Damage *reader_damage_at(const FhirReader *reader, size_t from);
/* The first byte that makes the index fail like this. */
size_t reader_bad_byte(const char *text, size_t from, size_t to, JsonIndexResult result);

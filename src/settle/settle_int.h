/*
 * settle_int -- what the files of settle share: the plan, the facts of the pass, the buckets.
 *
 * The pass (count.c) writes one Fact for each span of periods in which everything about a person
 * and a clause stayed the same, in one array a partition, so that nothing depends on which worker
 * came first. Facts are then dealt to buckets, one a practice and clause (bucket.c); detail.c
 * writes each bucket's persons into a detail file and counts them, lines.c makes lines of the
 * counts, post.c entries of the lines.
 */
#pragma once

#include "attribution/attribution.h"
#include "base/io.h"
#include "settle/settle.h"

enum { DIGEST_BYTES = 32, DIGEST_HEX = 64 };

/* --- digest.c: SHA-256, by OpenSSL --- */
typedef struct Digest Digest;
Digest *digest_create(void);
void digest_destroy(Digest *digest);
void digest_begin(Digest *digest);
void digest_add(Digest *digest, const void *bytes, size_t size);
/* In lower-case hexadecimal. */
void digest_end(Digest *digest, char ret_hex[DIGEST_HEX]);
Str digest_of(Arena *arena, Str text);

/* --- plan.c: the contract made ready for counting --- */
typedef struct {
    int32_t first_day;
    int32_t last_day;
    int32_t alive_day;
    uint32_t decision; /* number of its day among the plan's days */
    Str text;          /* "2020-01", "2020-01..2020-12" */
} PlanPeriod;

typedef struct {
    const Clause *clause;
    const Basis *basis;
    const Gate *gate; /* or NULL */
    const RateTable *rate;
    PlanPeriod *periods;
    size_t period_count;
    size_t option_count;      /* indicators of the gate, else 1 */
    const size_t *indicators; /* their numbers in the measures */
    bool needs_age;
} PlanClause;

typedef struct {
    const Contract *contract;
    const SettleInput *input;
    PlanClause *clauses;
    size_t clause_count;
    const int32_t *days; /* ascending, each once: those that a practice is asked for */
    size_t day_count;
} SettlePlan;

/* Findings (rule "settle-…") when measures are missing or for another time. */
MUST_USE ErrorCode settle_plan_create(Arena *arena, const SettleInput *input, int32_t through_day,
                                      DiagList *diags, SettlePlan **ret_plan, Error *err);

/* --- count.c: the pass over the store --- */
typedef struct {
    ConceptId organisation;
    uint32_t row;
    uint16_t clause;
    uint16_t option;
    uint16_t cell;
    uint16_t age; /* UINT16_MAX: not known, and not asked for */
    uint16_t first_period;
    uint16_t last_period;
    uint32_t count;
    uint32_t total;
    uint32_t next_count;
    int32_t latest_day;
    uint8_t reason;     /* AttributionReason */
    uint8_t decided_by; /* AttributionTieKind */
} Fact;

typedef enum { UNPAID_NOBODY, UNPAID_BIRTH_UNKNOWN, UNPAID_DEATH_UNDATED } UnpaidReason;

/* Periods in which nobody is paid for a person, though the clause may have counted it. */
typedef struct {
    uint32_t row;
    uint16_t clause;
    uint16_t first_period;
    uint16_t last_period;
    uint8_t reason;
} Unpaid;

/* What the pass found in a partition. */
typedef struct {
    Arena *arena;
    const RecordBatch *batch;
    Vec(Fact) facts; /* by row, clause, option, period */
    Vec(Unpaid) unpaid;
    DiagList diags;
    uint64_t persons_paid;
    uint64_t persons_unattributed;
    uint64_t person_periods_unattributed;
    uint64_t persons_death_undated;
} PartFacts;

typedef struct {
    PartFacts *parts;
    size_t part_count;
} Facts;

/* Ready for a store of so many partitions; settle_facts_done() gives the memory back. */
void settle_facts_init(Facts *facts, Arena *arena, size_t partitions);
/* Into facts that are initialised. */
MUST_USE ErrorCode settle_count(const SettlePlan *plan, const SettleOptions *options, Facts *facts,
                                Error *err);
void settle_facts_done(Facts *facts);

/* --- bucket.c: facts by practice and clause --- */
typedef struct {
    uint32_t partition;
    uint32_t index;
} FactRef;

typedef struct {
    ConceptId organisation;
    Str practice; /* its id */
    Str name;
    uint32_t clause;
    const FactRef *refs; /* in order of partition and fact */
    size_t ref_count;
    /* From detail.c: persons by period, option and cell, in this order. */
    int64_t *counts;
    Str detail;
} Bucket;

typedef struct {
    Bucket *buckets; /* by practice id, clause; none is empty */
    size_t bucket_count;
} Buckets;

MUST_USE ErrorCode settle_buckets(Arena *arena, const SettlePlan *plan, const Facts *facts,
                                  Buckets *ret_buckets, Error *err);

/* --- detail.c --- */
/* Writes the detail files and fills each bucket's counts and digests. */
MUST_USE ErrorCode settle_write_details(Arena *arena, const SettlePlan *plan, const Facts *facts,
                                        Buckets *buckets, const SettleOptions *options, Error *err);

/* --- lines.c --- */
/* Lines and groups into the result. */
MUST_USE ErrorCode settle_make_lines(Arena *arena, const SettlePlan *plan, const Buckets *buckets,
                                     SettleResult *result, Error *err);

/* --- output.c --- */
Str settle_folder(Arena *arena, Str out);
Str settle_details_folder(Arena *arena, Str out);
/* lines.ndjson; gives its digest, which names the run. */
MUST_USE ErrorCode settle_write_lines(Arena *arena, const SettleResult *result, Str folder,
                                      Str *ret_digest, Error *err);
MUST_USE ErrorCode settle_write_unpaid(const SettlePlan *plan, const Facts *facts, Str folder,
                                       Error *err);
MUST_USE ErrorCode settle_write_summary(Arena *arena, const SettleResult *result,
                                        const SettleOptions *options, Str run, Error *err);

/* --- statement.c --- */
typedef struct {
    const SettleStatement *statement;
    const Contract *contract;
    const SettleLine *lines; /* of the practice: they follow one another */
    size_t line_count;
    Arena *arena; /* of the writing */
} StatementLines;
StatementLines settle_statement_lines(const SettleStatement *statement, Arena *arena);
/* Of a clause (NULL: all) and period (empty: all). */
int64_t settle_statement_total(const StatementLines *lines, const Clause *clause, Str period);
size_t settle_statement_periods(const StatementLines *lines, const Str **ret_periods);

/* One reason why a month comes to another amount than the one before it. */
typedef struct {
    const SettleLine *line; /* of the month, or where it has none of the month before */
    int64_t minor;
    Str text; /* "2 fewer (age under 65)" */
} StatementChange;
typedef struct {
    Str before; /* the month before; empty when there is none */
    Vec(StatementChange) rows;
} StatementChanges;
/* The amounts of the rows sum to the difference of the months. */
void settle_statement_changes(const StatementLines *lines, Str period,
                              StatementChanges *ret_changes);

/* --- check.c --- */
/* All rows of a practice and clause in a detail file. */
MUST_USE ErrorCode settle_clause_facts(Arena *arena, Str out, const SettleLine *line,
                                       SettleFactVec *ret_facts, Error *err);

/* Statements of all practices; made anew by every run, so not durable. */
MUST_USE ErrorCode settle_write_statements(Arena *arena, const SettleResult *result,
                                           const Ledger *ledger, const SettleOptions *options,
                                           Error *err);

/* A file written piece by piece under a temporary name, then durably put in place. */
typedef struct {
    Arena *arena;
    Str folder;
    Str temporary;
    IoFile file;
    StrBuf buf;     /* add to it, then settle_out_flush() now and then */
    Digest *digest; /* NULL: none is wanted */
} SettleOut;
MUST_USE ErrorCode settle_out_open(SettleOut *out, Arena *arena, Str folder, Str temporary_name,
                                   Error *err);
MUST_USE ErrorCode settle_out_flush(SettleOut *out, Error *err);
/* Puts it in place under the name. */
MUST_USE ErrorCode settle_out_close(SettleOut *out, Str name, Error *err);
/* After a failure: removes what there is. Fine when closed. */
void settle_out_done(SettleOut *out);

/* --- post.c --- */
/* Posts and fills result->posting. `run` names the run in the entries' source. */
MUST_USE ErrorCode settle_post(Arena *arena, SettleResult *result, Ledger *ledger,
                               const SettleOptions *options, Str run, Error *err);

/* What the ledger holds for a practice, clause and period. */
typedef struct {
    Str prefix; /* of the keys: settle/<contract>/<clause>/<practice>/<period> */
    int64_t minor;
    uint32_t entries;
    EntryId last;
    Str version; /* of the contract, in the key of the last */
    Str data;    /* version of the data there */
} PostedGroup;
typedef struct {
    Vec(PostedGroup) groups;
    Map by_prefix; /* number in groups */
} PostedGroups;
MUST_USE ErrorCode settle_read_posted(Arena *arena, const Contract *contract, Ledger *ledger,
                                      PostedGroups *ret_posted, Error *err);
Str settle_group_prefix(Arena *arena, const Contract *contract, const SettleLine *line);

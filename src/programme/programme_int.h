/*
 * programme_int -- what the files of this folder share: the state of a run.
 */
#pragma once

#include "base/date.h"
#include "base/io.h"
#include "base/json.h"
#include "base/threads.h"
#include "programme/programme.h"

/* --- digest.c: has anything changed? --- */

/* A running digest of texts and files: for telling changes, not for trust. */
typedef struct {
    uint64_t value;
} InputDigest;
void input_digest_text(InputDigest *digest, Str text);
void input_digest_number(InputDigest *digest, int64_t number);
/* The bytes and the name of a file, or of all files below a folder. */
MUST_USE ErrorCode input_digest_path(Arena *arena, InputDigest *digest, Str path, Error *err);

/* --- the state of a run --- */

/* What a person is attributed to, by partition and row; see practices.c. */
typedef struct PracticeMap PracticeMap;

typedef struct {
    Arena *arena; /* of the whole run */
    const Programme *programme;
    const ProgrammeOptions *options;
    DiagList *diags; /* of the stage at work */
    Str store_path;
    Store *store; /* NULL until somebody needs it */
    const CqlPlan *cql;
    const MeasurePlan *plan;
    const MeasureResults *measures;
    const MeasureExceptions *exceptions; /* NULL: nobody said anything */
    const PracticeMap *practices;
    const SettleResult *settled;
    Str settled_out;  /* where its details are */
    bool has_posting; /* settled has just been posted */
    uint64_t digests[STAGE_COUNT];
    Str results[STAGE_COUNT]; /* JSON of each stage that was done, now or earlier */
} Run;

/* Each makes what it names unless it is there. */
MUST_USE ErrorCode run_need_store(Run *run, Error *err);
MUST_USE ErrorCode run_need_measures(Run *run, Error *err);
MUST_USE ErrorCode run_need_practices(Run *run, Error *err);
MUST_USE ErrorCode run_need_settled(Run *run, Error *err);

/* Calls fn for each partition on the run's threads and hands what it wrote into `text` to `file`,
   in order of the partitions and with little of it in memory at once. */
typedef struct {
    Run *run;
    Arena *arena; /* reset after the partition */
    CqlEval *eval;
    size_t partition;
    const RecordBatch *batch;
    StrBuf *text;
} PartitionWork;
typedef ErrorCode (*PartitionFn)(void *context, const PartitionWork *work, Error *err);
MUST_USE ErrorCode run_partitions(Run *run, PartitionFn fn, void *context, IoFile *file,
                                  Error *err);

const Run *view_run(const ProgrammeView *view);

/* --- the documents beside programme.yaml: what is wrong goes to the reader's findings --- */
ProgrammeAdaptation *adaptation_parse(const YamlReader *yaml, const YamlNode *root, Str text,
                                      const Programme *programme);
ProgrammeTiers *tiers_parse(const YamlReader *reader, const YamlNode *root);

/* --- practices.c --- */

enum { PRACTICE_NONE = UINT32_MAX };

typedef struct {
    Str id;
    Str name; /* the id where it has none */
} Practice;

/* Who is responsible for whom on the day after the period. */
size_t practice_count(const PracticeMap *map);
const Practice *practice_at(const PracticeMap *map, size_t practice); /* in order of id */
/* PRACTICE_NONE when nobody is responsible. */
uint32_t practice_of(const PracticeMap *map, size_t partition, uint32_t row);
const Organisations *practice_organisations(const PracticeMap *map);
int32_t practice_day(const PracticeMap *map);

/* --- the stages: each does its work and gives its result as JSON --- */
MUST_USE ErrorCode stage_load(Run *run, Str *ret_json, Error *err);
MUST_USE ErrorCode stage_measure(Run *run, Str *ret_json, Error *err);
MUST_USE ErrorCode stage_settle(Run *run, Str *ret_json, Error *err);
MUST_USE ErrorCode stage_report(Run *run, Str *ret_json, Error *err);

/* Verifies the ledger of the run where there is one: a stage that is passed over must not pass over
   damage. */
MUST_USE ErrorCode check_ledger(Run *run, Error *err);

/* {"definition", "value", "resource", "date"} of each. */
void write_evidence(JsonWriter *json, const EvidenceVec *evidence);
/* A rate such as 0.714286, or null where nobody is eligible. */
void write_rate(JsonWriter *json, Arena *arena, IndicatorRate rate);

/* --- report.c --- */
/* The page that the data are put into: another one makes another report. */
void report_digest_page(InputDigest *digest);

/* The members "registers" and "indicators" with their counts. */
void write_registers_and_indicators(Run *run, JsonWriter *json);
/* The members "practices", "without" and "attributed_on", for the report: numbers in arrays. */
void write_practices_compact(Run *run, JsonWriter *json);

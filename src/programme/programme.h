/*
 * programme -- a system of care as a folder of documents, run from records to a report.
 *
 * programme_read() reads programme.yaml and all that it names (CQL libraries, value sets,
 * the contract), and finds everything that is wrong with them in one run. programme_run() then runs
 * stages in order: load, measure, settle, report. Each stage writes below one folder; what it was
 * made from is kept as a digest in stages.json there, and a stage whose inputs are those of the
 * last time is skipped. Every file is replaced whole, so a run that was stopped goes on from the
 * stages that are complete.
 *
 *     store/                     the records
 *     measure/registers.ndjson   a person on a register a line, with the facts behind it
 *     measure/indicators.json    counts and rates
 *     measure/register-history.ndjson  who came onto a register and left it, kept from run to run
 *     measure/gaps.ndjson        a person and indicator a line: practice, status, values and events
 *     measure/practices.json     the same by practice
 *     settle/…                   payment lines and the persons behind them (settle.h)
 *     ledger.sqlite              the journal
 *     findings.ndjson, refused.ndjson
 *     report.html                all of it to look through
 *     result.json                the figures for machines
 *
 * The same documents, records and options give the same bytes on any number of threads.
 */
#pragma once

#include "attribution/attribution.h"
#include "base/json.h"
#include "contract/contract.h"
#include "intake/intake.h"
#include "ledger/ledger.h"
#include "measure/measure.h"
#include "settle/settle.h"

/* What a clinical board has set otherwise than the libraries' authors: values of their parameters,
   in a document of its own, with who approved it. It is in force when the period ends within from
   .. to. */
typedef struct {
    Str id;
    Str version;
    Str author;
    Str reason;
    int32_t approved;
    int32_t from;
    int32_t to;
    const CqlParameter *parameters;
    size_t parameter_count;
    uint64_t digest; /* of the document */
} ProgrammeAdaptation;

/* The tiers of care above practices, by a document. */
typedef struct ProgrammeTiers ProgrammeTiers;

/* A programme whose documents are without errors. Lives in the arena it was read into. */
typedef struct {
    Str folder;
    Str id;
    Str title;
    Str version;
    MeasureSpec measures;
    ValueSets *value_sets;
    CqlLibraries *libraries;
    const Contract *contract; /* what is paid; NULL when the programme pays nothing */
    Str contract_file;
    /* Whose list of gaps a person is on; without a rule there are no lists by practice. */
    AttributionRule attribution;
    bool has_attribution;
    const ProgrammeAdaptation *adaptation; /* NULL: none */
    const ProgrammeTiers *tiers;           /* NULL: networks, by what organisations are part of */
    uint64_t digest;                       /* of the documents for measuring */
    uint64_t contract_digest;
} Programme;

/* Reads all documents. Findings go to diags; with an error among them ERR_DOCUMENT. */
MUST_USE ErrorCode programme_read(Arena *arena, Str folder, DiagList *diags,
                                  Programme **ret_programme, Error *err);
/* Adds every value set of a folder (or the one file; the path may be empty) and resolves them; for
   whoever works with libraries by themselves. */
MUST_USE ErrorCode programme_read_value_sets(Arena *arena, Str path, DiagList *diags,
                                             ValueSets **ret_sets, Error *err);

/* What a plan of its measures is made of. */
MeasureSource programme_source(const Programme *programme, const ConceptDict *dict);

bool programme_adaptation_is_in_force(const Programme *programme);
/* The member "documents": the versions that a result came from. */
void programme_write_versions(const Programme *programme, JsonWriter *json);

typedef enum { STAGE_LOAD, STAGE_MEASURE, STAGE_SETTLE, STAGE_REPORT, STAGE_COUNT } Stage;

Str stage_name(Stage stage);

typedef struct {
    Str out;
    Str store_path;  /* empty: <out>/store */
    const Str *data; /* for STAGE_LOAD */
    size_t data_count;
    bool stages[STAGE_COUNT]; /* which to run */
    bool is_forced;           /* also when nothing has changed */
    size_t threads;
    size_t memory_max;
    size_t resource_bytes_max;
    bool omit_narrative;
    size_t report_persons; /* most persons' rows in the report */
    int32_t posting_day;   /* as in SettleOptions */
    int32_t through_day;
    int32_t look_back_months;
    bool writes_forms;
    int32_t freeze_day;
    Str recorded_at;
    bool is_dry_run;
    int32_t on_day;     /* measure for the period that ends on it; DAY_NONE: the programme's own */
    Progress *progress; /* may be NULL */
    /* Told of a stage that is passed over. May be NULL. */
    void (*on_skip)(void *context, Stage stage);
    void *context;
    DiagList *diags; /* findings of all stages */
} ProgrammeOptions;

typedef struct {
    Str json;        /* of result.json: one object with a member a stage */
    Str report_path; /* whether or not it was written now */
} ProgrammeResult;

/* Runs the stages wanted. The result lives in the arena. */
MUST_USE ErrorCode programme_run(Arena *arena, const Programme *programme,
                                 const ProgrammeOptions *options, ProgrammeResult *ret_result,
                                 Error *err);

/* The rate of an indicator with Wilson's score interval at 95 %. */
typedef struct {
    uint64_t eligible; /* denominator less exclusions and exceptions */
    uint64_t achieved;
    double rate; /* of eligible; 0 when nobody is */
    double low;
    double high;
} IndicatorRate;
IndicatorRate programme_rate(const MeasureResults *results, size_t indicator);

/* --- asking --- */

/* The programme with its period moved to end on the day (DAY_NONE: as it is). */
Programme programme_at(const Programme *programme, int32_t day);

/* The answers of a programme over its store, for the period of options->on_day; nothing is written.
   Of the options store_path or out, on_day, threads, progress and diags count. */
typedef struct ProgrammeView ProgrammeView;

MUST_USE ErrorCode programme_view_open(Arena *arena, const Programme *programme,
                                       const ProgrammeOptions *options, ProgrammeView **ret_view,
                                       Error *err);
void programme_view_close(ProgrammeView *view); /* accepts NULL */
const Programme *programme_view_programme(const ProgrammeView *view);
const MeasureResults *programme_view_results(const ProgrammeView *view);
const MeasurePlan *programme_view_plan(const ProgrammeView *view);
const Store *programme_view_store(const ProgrammeView *view);
/* What plans for other days are made of; and who is excepted because somebody said so (NULL:
 * nobody). */
MeasureSource programme_view_source(const ProgrammeView *view);
const MeasureExceptions *programme_view_exceptions(const ProgrammeView *view);
/* The member "evidence": [{"definition", "value", "resource", "date"}]. */
void programme_write_evidence(JsonWriter *json, const EvidenceVec *evidence);

typedef struct {
    Str id;
    Str name; /* the id where it has none */
} ProgrammePractice;
/* Practices that somebody is attributed to, in order of id. */
size_t programme_view_practice_count(const ProgrammeView *view);
ProgrammePractice programme_view_practice(const ProgrammeView *view, size_t practice);
/* SIZE_MAX when nobody is responsible. */
size_t programme_view_practice_of(const ProgrammeView *view, size_t partition, uint32_t row);
const Organisations *programme_view_organisations(const ProgrammeView *view);
/* What an indicator says of the persons of a unit. */
typedef struct {
    uint64_t denominator;
    uint64_t excluded;
    uint64_t achieved;
    uint64_t excepted;
    uint64_t gaps;
} ProgrammeCounts;

/* A unit of care: the programme itself, a unit of a tier of its organisation document, a practice,
   a clinician (Patient.generalPractitioner). Units without a name of their own (id empty) are those
   whom nobody answers for. */
typedef struct {
    Str tier; /* "programme", "network" or the document's word, "practice", "clinician" */
    Str id;
    Str name;
    size_t parent; /* number of the unit that it is part of; SIZE_MAX: the programme */
    uint64_t persons;
    ProgrammeCounts *counts; /* by indicator */
} ProgrammeUnit;
typedef Vec(ProgrammeUnit) ProgrammeUnitVec;

/* All units with somebody in them: each before its parts, in order of the store. */
MUST_USE ErrorCode programme_view_units(Arena *arena, const ProgrammeView *view,
                                        ProgrammeUnitVec *ret_units, Error *err);
/* The file of movements on registers below --out. */
Str programme_history_path(Arena *arena, Str out);

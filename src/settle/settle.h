/*
 * settle -- a contract worked out over a population: payment lines, their persons, the journal.
 *
 * settle_run() opens every person once, in parallel by partition. For each clause and period it
 * asks who was responsible for the person on the clause's day (attribution), whether the clause
 * counts the person, and in which cell of the rate table; then it adds up by practice, clause,
 * period and cell. A sum is one payment line, rounded once by the contract's rule. What cannot be
 * priced is an error that names the person and the cell, and nothing is posted then.
 *
 * Facts = detail = lines = ledger. Each line names a detail file by its SHA-256; the file lists the
 * persons behind the line with what was known of each. Detail files are immutable and kept outside
 * of the database; equal details are one file. Files of a run, below `out`:
 *
 *     settle/lines.ndjson              one payment line a line
 *     settle/details/<sha-256>.ndjson  persons behind a practice and clause
 *     settle/unpaid.ndjson             persons that nobody is paid for, and why
 *     settle/statements/<practice>.txt what the practice is paid and why, for people; and .json;
 *                                      when asked for .html, .csv, .pdf and .fhir.json
 *     settle/differences.ndjson        what changed against the ledger: posted, or left and why
 *     settle/summary.json              contract, version, totals, what was posted
 *
 * Posting is one transaction a run: an entry for each practice, clause and period, debit
 * expense:<contract>:<clause>, credit payable:<practice>. A run first looks at what has been posted
 * for each of them: an equal amount is left alone, another amount is corrected by an entry of the
 * difference that names the one before. So the same run twice posts nothing the second time, and a
 * run that was killed is simply run again. Where the month of what is corrected is closed the
 * difference goes to the next open one; closed months never change. The ledger is verified before:
 * nothing is posted on top of one that is damaged (ERR_DAMAGED). Two at once: ERR_BUSY for the
 * second.
 *
 * The same contract, store and measures give the same bytes on any number of threads.
 */
#pragma once

#include "base/progress.h"
#include "contract/contract.h"
#include "ledger/ledger.h"
#include "measure/measure.h"
#include "store/store.h"

typedef struct {
    const Contract *contract;
    const Store *store;
    const MeasureResults *measures; /* needed when some clause pays for indicators, else NULL */
    const MeasurePlan *plan; /* with it the detail of indicators holds evidence; may be NULL */
    const CqlPlan *cql;      /* of `plan` */
    Ledger *ledger;          /* may be NULL in a dry run */
} SettleInput;

typedef struct {
    Str out; /* folder of the run; made when absent */
    int32_t
        posting_day; /* accounting date of entries; DAY_NONE: the last day of what each pays for */
    int32_t through_day; /* periods that end later are left out; DAY_NONE: the whole contract */
    Str recorded_at;     /* the time of the run for summary.json, from the caller's clock */
    /* Nothing is posted for what ended more than so many months before the run's reference day (the
       posting day, else `through_day`, else the contract's last day); 0: no limit. */
    int32_t look_back_months;
    int32_t freeze_day; /* nor for what ended on or before it; DAY_NONE: nothing is frozen */
    bool writes_forms;  /* statements also as HTML, CSV, PDF and FHIR */
    bool is_dry_run;    /* writes the files, posts nothing */
    size_t threads;
    Progress *progress; /* may be NULL */
} SettleOptions;

/* One payment. Texts live in the result's arena. */
typedef struct {
    Str practice; /* id of the Organization */
    Str practice_name;
    const Clause *clause;
    Str period; /* "2020-01", or "2020-01..2020-12" */
    int32_t first_day;
    int32_t last_day;
    uint32_t period_index;
    uint32_t cell;
    Str indicator; /* of a clause that pays for indicators, else empty */
    Str cell_label;
    int64_t quantity;
    int64_t amount_minor;
    Str reason; /* "412 member months at USD 2.50 (age under 65)" */
    Str detail; /* SHA-256 in hexadecimal: the name of its file in settle/details */
} SettleLine;

/* All that is posted as one: a practice, clause and period. */
typedef struct {
    size_t first_line; /* its lines follow one another */
    size_t line_count;
    int64_t amount_minor;
    Str data_version; /* of its detail file: what the amount was worked out from */
} SettleGroup;

typedef struct {
    uint64_t entries;     /* all that were posted now */
    uint64_t first;       /* of those, the first for their practice, clause and period */
    uint64_t corrected;   /* of those, differences to what had been posted */
    uint64_t left;        /* groups whose difference is beyond the look-back, or frozen */
    int64_t left_minor;   /* sum of those differences */
    uint64_t unchanged;   /* groups whose amount stands in the ledger already */
    int64_t posted_minor; /* sum of what was posted now, differences with their sign */
} SettlePosting;

typedef struct {
    const Contract *contract;
    const SettleLine *lines; /* by practice id, clause, period, indicator, cell */
    size_t line_count;
    const SettleGroup *groups;
    size_t group_count;
    int64_t total_minor;
    uint64_t persons;      /* in the store */
    uint64_t persons_paid; /* behind at least one line */
    /* Persons that a clause would count but for whom no practice is responsible in some period. */
    uint64_t persons_unattributed;
    uint64_t person_periods_unattributed;
    uint64_t persons_death_undated; /* dead, nobody says since when: not counted as alive */
    SettlePosting posting;          /* zero in a dry run */
} SettleResult;

/* Settles. Findings about persons go to `diags`; with an error among them nothing is posted and
   ERR_REFUSED comes back. The lock is <out>/settle/lock, and the ledger's own. */
MUST_USE ErrorCode settle_run(Arena *arena, const SettleInput *input, const SettleOptions *options,
                              DiagList *diags, const SettleResult **ret_result, Error *err);

/* --- behind a line --- */

/* One person behind a line, in the words of its detail file. */
typedef struct {
    Str person;
    Str first_period; /* the facts are the same in periods first .. last */
    Str last_period;
    Str json; /* the whole row */
} SettleFact;
typedef Vec(SettleFact) SettleFactVec;

/* The persons of a line, read from its detail file, which is verified against its name: ERR_DAMAGED
   when somebody changed it. */
MUST_USE ErrorCode settle_line_facts(Arena *arena, Str out, const SettleLine *line,
                                     SettleFactVec *ret_facts, Error *err);

/* --- statements --- */

/* What one practice is paid: lines, totals by clause and by period, and with a ledger (which may be
   NULL) the balances of its account and of those that it is paid from. */
typedef struct {
    const SettleResult *result;
    Str practice;
    const Ledger *ledger;
    Str out; /* folder of the run, where the persons behind its lines are; may be empty */
} SettleStatement;
void settle_statement_json(const SettleStatement *statement, StrBuf *out);
void settle_statement_text(const SettleStatement *statement, StrBuf *out);
/* A page that needs nothing else: amounts, what changed since the month before, the clauses in
   words, and for runs of up to SETTLE_PERSONS_SHOWN persons those behind each line with their
   facts. */
enum { SETTLE_PERSONS_SHOWN = 5000 };
MUST_USE ErrorCode settle_statement_html(const SettleStatement *statement, StrBuf *out, Error *err);
/* A line of the statement a row. */
MUST_USE ErrorCode settle_statement_csv(const SettleStatement *statement, StrBuf *out, Error *err);
/* The plain text on pages of A4. The same text gives the same bytes. What Latin-1 lacks stands as
   [U+0141]. */
MUST_USE ErrorCode settle_statement_pdf(const SettleStatement *statement, StrBuf *out, Error *err);
/* A value-based performance report: FHIR MeasureReport by the profile of Da Vinci's guide (STU 1),
   a group a clause with the amount, strata by period. */
MUST_USE ErrorCode settle_statement_fhir(const SettleStatement *statement, StrBuf *out, Error *err);
/* Ids of all practices with a line, in order. */
size_t settle_practices(const SettleResult *result, Arena *arena, const Str **ret_ids);

/* --- checking --- */

/* Reads the run's files back and compares: persons of the details = quantities of the lines,
   quantities at their rates = amounts, amounts by group = what the ledger holds (when it is not
   NULL). What is wrong becomes findings (rule "settle-sums"). */
MUST_USE ErrorCode settle_check(const SettleResult *result, Str out, Ledger *ledger,
                                DiagList *diags, Error *err);

/* --- from tables, without persons --- */

typedef struct {
    Str name; /* for findings */
    Str text; /* TSV or CSV with a line of column names */
} SettleTable;

/* Reads what a contract's inputs are out of tables. A table either has the columns `input` and
   `value` (one value a line), or a column for each input that it gives; the other columns are keys
   by the names of dimensions. An empty cell is no value. What is wrong becomes findings with file
   and line and gives ERR_REFUSED. */
MUST_USE ErrorCode settle_read_tables(const Contract *contract, const SettleTable *tables,
                                      size_t count, ContractFacts *facts, DiagList *diags);
/* The lines of an outcome as one JSON document, and for people. */
void settle_outcome_json(Arena *arena, const Outcome *outcome, StrBuf *out);
void settle_outcome_text(Arena *arena, const Outcome *outcome, StrBuf *out);

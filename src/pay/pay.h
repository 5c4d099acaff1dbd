/*
 * pay -- from what the ledger owes to what is paid: documents, approval, payments.
 *
 * What stands on the accounts payable:<party> is gathered into documents: an invoice where the
 * party is owed, a credit note where it owes, one for each party and month of the ledger, each
 * entry in exactly one. Numbers run through without gaps. Two persons in two named roles approve
 * a document; a document or a party may be held or disputed, with the reason, until it is
 * released. A payment run pays what is approved and free:
 *
 *     deductions = min(open credit notes + what the party owes, invoices x recoupment limit)
 *     payment    = invoices - deductions; below the least amount nothing is paid
 *
 * What is not paid or not yet taken back stays open and comes again in the next run. A run has an
 * id, and the same id again pays nothing. All that is decided are acts of the ledger, chained; a
 * call is one batch, there whole after a kill or not at all.
 *
 * Accounts: payable:<party> (credit: owed to it), receivable:<party> and advance:<party> (debit:
 * owed by it), clearing:payments (ordered, not yet seen on a bank statement), bank:cash.
 */
#pragma once

#include "base/base.h"
#include "ledger/ledger.h"

typedef enum { PAY_INVOICE, PAY_CREDIT_NOTE, PAY_ADVANCE, PAY_KIND_COUNT } PayKind;

typedef struct {
    Str person;
    Str role;
    int32_t day;
} PayApproval;
typedef Vec(PayApproval) PayApprovals;

typedef struct {
    PayKind kind;
    Str number;  /* "INV-000001" */
    Str account; /* "payable:practice-7" */
    int32_t day;
    int32_t month;   /* of its entries, as 202001; of an advance that of its day */
    int64_t minor;   /* of a credit note negative */
    int64_t settled; /* of it, with its sign */
    EntryId first;   /* its entries: those of account and month behind `first` and up to `last` */
    EntryId last;
    Str text; /* of an advance: what for */
    PayApprovals approvals;
} PayDocument;

typedef struct {
    Str number; /* "PMT-000001": also the end-to-end id at the bank */
    Str run;
    Str account;
    int32_t day;
    int64_t minor;
    EntryId entry;
} PayPayment;

/* What a payment settled of a document. */
typedef struct {
    size_t document;
    size_t payment;
    int64_t minor; /* with the sign of the document */
} PaySettlement;

typedef struct {
    Vec(Str) roles;         /* that must approve */
    int64_t least_minor;    /* least amount that is paid */
    int64_t recoup_percent; /* of the invoices of a run, 0 to 100 */
} PayRules;

/* What the acts come to. Read once; a change needs a new reading. */
typedef struct {
    Arena *arena;
    Ledger *ledger;
    PayRules rules;
    Vec(PayDocument) documents;
    Map by_number;
    Vec(PayPayment) payments;
    Map payment_by_number;
    Vec(PaySettlement) settlements;
    Vec(Str) runs;
    Map covered; /* account and month -> last entry that is in a document */
    Map stops;   /* document or account -> number in stop_texts + 1; 0 when released */
    Vec(Str) stop_texts;
    size_t counts[PAY_KIND_COUNT];
} PayBooks;

MUST_USE ErrorCode pay_read(Arena *arena, Ledger *ledger, PayBooks *ret_books, Error *err);
/* NULL when there is none. */
const PayDocument *pay_find(const PayBooks *books, Str number);
/* "held: wrong list", "disputed: …", or empty; of the document or its account. */
Str pay_stopped(const PayBooks *books, const PayDocument *document);
bool pay_is_approved(const PayBooks *books, const PayDocument *document);
/* The party of "payable:<party>". */
Str pay_party(Str account);
const char *pay_kind_text(PayKind kind);

/* Who does something, and when. */
typedef struct {
    Str person;
    int32_t day;
} PayActor;

/* --- documents --- */

typedef struct {
    size_t invoices;
    size_t credit_notes;
    int64_t invoiced_minor;
    int64_t credited_minor; /* negative */
} PayIssued;
/* Documents for all entries up to the month (0: all) that are in none. */
MUST_USE ErrorCode pay_issue(PayBooks *books, const PayActor *actor, int32_t through_month,
                             PayIssued *ret_issued, Error *err);
typedef struct {
    Str party;
    int64_t minor;
    Str reason;
} PayOnAccount;
/* A payment on account that the party owes back until its invoices make up for it. */
MUST_USE ErrorCode pay_advance(PayBooks *books, const PayActor *actor, const PayOnAccount *advance,
                               Str *ret_number, Error *err);

/* --- deciding --- */

/* ERR_REFUSED: the role is none of the rules', has approved already, or the person has approved in
   another role, or the document is settled. */
MUST_USE ErrorCode pay_approve(PayBooks *books, const PayActor *actor, Str number, Str role,
                               Error *err);
typedef enum { PAY_HOLD, PAY_DISPUTE, PAY_RELEASE } PayStop;
/* The subject is a document's number or a party. */
MUST_USE ErrorCode pay_stop(PayBooks *books, const PayActor *actor, PayStop stop, Str subject,
                            Str reason, Error *err);
/* Names: "roles" ("finance,contract"), "least" and "recoupment" (a number). */
MUST_USE ErrorCode pay_set_rule(PayBooks *books, const PayActor *actor, Str name, Str value,
                                Error *err);

/* --- paying --- */

typedef struct {
    Str account;
    int64_t invoices;
    int64_t credits; /* open credit notes, positive */
    int64_t owed;    /* on receivable: and advance: */
    int64_t recouped;
    int64_t netted;
    int64_t advanced; /* advances that are paid out now */
    int64_t paid;
    Str payment; /* its number; empty when nothing is paid */
    Str text;    /* why it was carried forward */
} PayOutcome;

typedef struct {
    bool is_known; /* the run was done before: nothing is paid now */
    Vec(PayOutcome) outcomes;
    size_t payments;
    int64_t paid_minor;
} PayRun;
MUST_USE ErrorCode pay_run(PayBooks *books, const PayActor *actor, Str run, PayRun *ret_run,
                           Error *err);

/* --- the parties, for those who move money --- */

typedef struct {
    Str account; /* as in documents; of the payer "payer" */
    Str name;
    Str iban; /* or account_number with routing */
    Str bic;
    Str account_number;
    Str routing;
    Str npi;
    Str tax_id;
    Str street;
    Str city;
    Str state;
    Str postcode;
    uint32_t line;
} PayParty;
typedef Vec(PayParty) PayParties;
/* A table with the columns `party` and `name` and any of the others. Findings for what is wrong: an
   IBAN whose check digits do not fit among them. */
MUST_USE ErrorCode pay_read_parties(Arena *arena, Str text, Str file, DiagList *diags,
                                    PayParties *ret_parties);
/* ISO 13616: length, characters and check digits. */
bool pay_iban_is_valid(Str iban);

/* --- out --- */

typedef struct {
    const PayBooks *books;
    const PayParties *parties;
    Str run;     /* the payments of this run */
    Str made_at; /* "2026-01-31T12:34:56Z" */
    Str file;    /* of the parties, for findings */
    DiagList *diags;
} PayExport;
/* The journal line by line, up to the month (0: all). */
MUST_USE ErrorCode pay_write_journal(Ledger *ledger, int32_t through_month, StrBuf *out,
                                     Error *err);
/* ISO 20022 customer credit transfer initiation, pain.001.001.09. What is missing of a party is a
   finding, and ERR_DOCUMENT. */
MUST_USE ErrorCode pay_write_pain001(const PayExport *what, StrBuf *out, Error *err);
/* X12 005010X221A1: health care claim payment. */
MUST_USE ErrorCode pay_write_835(const PayExport *what, StrBuf *out, Error *err);
/* X12 005010X218: premium payment. */
MUST_USE ErrorCode pay_write_820(const PayExport *what, StrBuf *out, Error *err);

/* --- in --- */

typedef struct {
    Str reference; /* end-to-end id */
    int64_t minor;
    int32_t day;
    Str text; /* why it was not matched */
    uint32_t line;
} PayBankRow;

typedef struct {
    size_t matched; /* booked now */
    int64_t matched_minor;
    size_t known; /* booked before */
    Vec(PayBankRow) unmatched;
    Vec(size_t) outstanding; /* payments that no statement has shown yet */
} PayReconciled;
/* A bank statement, camt.053: each debit with the end-to-end id and the amount of a payment is
   booked from clearing:payments to bank:cash, once. What is wrong with the document is a finding.
 */
MUST_USE ErrorCode pay_reconcile(PayBooks *books, Str text, Str file, DiagList *diags,
                                 PayReconciled *ret_reconciled, Error *err);

/* --- accruals and plans --- */

/* A table to be worked with. */
typedef struct {
    Ledger *ledger;
    Arena *arena;
    int32_t month; /* of the accruals, or up to which a plan is shown */
    Str text;
    Str file; /* for findings */
    DiagList *diags;
} PayTable;

typedef struct {
    size_t posted;
    size_t known;
    int64_t minor;
} PayAccrued;
/* A table with the columns `key`, `debit`, `credit` (accounts, made as expense and liability),
   `amount` and `memo`: each row is posted on the month's last day and taken back on the first day
   of the next month. The same key of the same month once. */
MUST_USE ErrorCode pay_accrue(const PayTable *table, PayAccrued *ret_accrued, Error *err);

typedef struct {
    Str account;
    int64_t budget; /* through the month */
    int64_t actual;
    int64_t budget_year;   /* all months of the table */
    int64_t forecast_year; /* actual, and for the months behind it forecast, else budget */
} PayPlanRow;
typedef Vec(PayPlanRow) PayPlan;
/* A table with the columns `account`, `month`, `budget` and perhaps `forecast`. */
MUST_USE ErrorCode pay_plan(const PayTable *table, PayPlan *ret_plan, Error *err);

/*
 * pay_int -- what the files of this folder share.
 */
#pragma once

#include "base/date.h"
#include "base/money.h"
#include "pay/pay.h"

/* Kinds of acts, and what their fields hold:
   document  subject number, account, role kind, day, minor, entry last, text "first month reason"
   approve   subject number, person, role
   stop      subject number or account, role hold, dispute or release, text reason
   rule      subject name, text value
   run       subject id, minor all that was paid
   payment   subject number, account, day, minor, entry, text run
   settle    subject number of the document, text number of the payment, minor */
extern const char *const pay_prefixes[PAY_KIND_COUNT];

/* An act by the actor, within a batch. */
MUST_USE ErrorCode pay_add_act(PayBooks *books, const PayActor *actor, LedgerAct act, Error *err);
/* "payable:x" as "receivable:x". */
Str pay_sister(Arena *arena, Str account, const char *kind);
/* Debit - credit of an account, 0 when there is none. */
int64_t pay_balance(const Ledger *ledger, Str code);
Str pay_month_text(Arena *arena, int32_t month);
Str pay_amount(const PayBooks *books, int64_t minor);
/* Commits when the code is ERR_OK, else rolls back. */
MUST_USE ErrorCode pay_end_batch(Ledger *ledger, ErrorCode code, Error *err);
/* Opens the month if it never was. */
MUST_USE ErrorCode pay_open_month(Ledger *ledger, int32_t month, Error *err);

/*
 * run -- a settlement with everything that most tests of this folder want.
 */
#pragma once

#include "settle/settle.h"

typedef struct {
    Arena *arena;
    const Contract *contract;
    const Store *store;
    const MeasureResults *measures; /* with plan and cql, or all NULL */
    const MeasurePlan *plan;
    const CqlPlan *cql;
    Ledger *ledger; /* NULL: a dry run */
    Str out;
    DiagList diags;
    Error err;
    size_t threads;
    int32_t through_day;
    int32_t posting_day;
    int32_t look_back_months;
    int32_t freeze_day;
} SettleCase;

SettleCase run_make(Arena *arena, const Contract *contract, const Store *store, Str out);
ErrorCode run_settle(SettleCase *settle, const SettleResult **ret_result);
Ledger *run_memory_ledger(void);
/* Checks that settle_check() finds nothing. */
void run_check_sums(SettleCase *settle, const SettleResult *result);

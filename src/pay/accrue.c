/* Accruals with their reversals; budget, actual and forecast. */
#include <stdlib.h>

#include "base/csv.h"
#include "pay/pay_int.h"

static void complain(DiagList *diags, const CsvTable *table, const CsvRow *row, Str path,
                     const char *text)
{
    Diag diag = {.severity = SEVERITY_ERROR,
                 .rule = S("pay-table"),
                 .file = table->file,
                 .line = row->line,
                 .path = path,
                 .text = str_from_c(text)};
    diag_add(diags, &diag);
}

static int32_t month_after(int32_t month)
{
    return month % 100 == 12 ? month + 89 : month + 1;
}

static int32_t month_before(int32_t month)
{
    return month % 100 == 1 ? month - 89 : month - 1;
}

/* --- accruals --- */

typedef struct {
    Ledger *ledger;
    Arena *arena;
    DiagList *diags;
    CsvTable table;
    size_t columns[5]; /* as in accrual_columns */
    int32_t month;
    PayAccrued result;
} Accruer;

enum { COLUMN_KEY, COLUMN_DEBIT, COLUMN_CREDIT, COLUMN_AMOUNT, COLUMN_MEMO };
static const char *const accrual_columns[] = {"key", "debit", "credit", "amount", "memo"};

static Str cell(const Accruer *accruer, const CsvRow *row, size_t column)
{
    return str_trim(row->cells[accruer->columns[column]]);
}

static ErrorCode post_accrual(Accruer *accruer, const CsvRow *row, int64_t minor, Error *err)
{
    Ledger *ledger = accruer->ledger;
    AccountId ids[2];
    Posted posted;
    int32_t next = month_after(accruer->month);
    int32_t next_day = day_from_date(next / 100, next % 100, 1);
    Str debit = cell(accruer, row, COLUMN_DEBIT);
    Str credit = cell(accruer, row, COLUMN_CREDIT);
    Str key = str_format(accruer->arena, "accrual/%d/%.*s", accruer->month,
                         STR_ARG(cell(accruer, row, COLUMN_KEY)));
    ErrorCode code = ledger_add_account(ledger, debit, ACCOUNT_EXPENSE, debit, &ids[0], err);
    if (code == ERR_OK)
        code = ledger_add_account(ledger, credit, ACCOUNT_LIABILITY, credit, &ids[1], err);
    if (code == ERR_OK)
        code = pay_open_month(ledger, accruer->month, err);
    if (code == ERR_OK)
        code = pay_open_month(ledger, next, err);
    if (code != ERR_OK)
        return code;
    LedgerLine lines[] = {{ids[0], minor}, {ids[1], -minor}};
    LedgerEntry entry = {.key = key,
                         .day = next_day - 1,
                         .month = accruer->month,
                         .memo = cell(accruer, row, COLUMN_MEMO),
                         .lines = lines,
                         .line_count = COUNT_OF(lines)};
    code = ledger_post(ledger, &entry, &posted, err);
    if (code != ERR_OK)
        return code;
    LedgerReversal reversal = {
        .entry = posted.entry,
        .key = str_format(accruer->arena, "%.*s/back", STR_ARG(key)),
        .day = next_day,
        .month = next,
        .reason = str_format(accruer->arena, "accrual of %.*s taken back",
                             STR_ARG(pay_month_text(accruer->arena, accruer->month)))};
    bool is_new = posted.result == POST_POSTED;
    accruer->result.posted += is_new;
    accruer->result.known += !is_new;
    accruer->result.minor += is_new ? minor : 0;
    return ledger_reverse(ledger, &reversal, &posted, err);
}

static ErrorCode accrue_row(Accruer *accruer, const CsvRow *row, Error *err)
{
    int64_t minor = 0;
    int64_t total;
    size_t errors = accruer->diags->counts[SEVERITY_ERROR];
    for (size_t i = COLUMN_KEY; i <= COLUMN_CREDIT; i++)
        if (cell(accruer, row, i).len == 0)
            complain(accruer->diags, &accruer->table, row, str_from_c(accrual_columns[i]),
                     "it is empty");
    if (!money_parse(cell(accruer, row, COLUMN_AMOUNT), ledger_currency(accruer->ledger), &minor) ||
        minor == 0 || !money_add(accruer->result.minor, minor, &total))
        complain(accruer->diags, &accruer->table, row, S("amount"),
                 "no amount of the ledger's currency, or nothing");
    if (accruer->diags->counts[SEVERITY_ERROR] != errors)
        return ERR_OK;
    ErrorCode code = post_accrual(accruer, row, minor, err);
    return code == ERR_OK ? ERR_OK
                          : error_wrap(err, "%.*s:%u", STR_ARG(accruer->table.file), row->line);
}

ErrorCode pay_accrue(const PayTable *table, PayAccrued *ret_accrued, Error *err)
{
    Ledger *ledger = table->ledger;
    DiagList *diags = table->diags;
    Accruer accruer = {
        .ledger = ledger, .arena = table->arena, .diags = diags, .month = table->month};
    size_t errors = diags->counts[SEVERITY_ERROR];
    if (!csv_parse(table->arena, table->text, table->file, diags, &accruer.table))
        return diag_to_error(diags, err);
    for (size_t i = 0; i < COUNT_OF(accrual_columns); i++)
        if (!csv_require(&accruer.table, str_from_c(accrual_columns[i]), diags,
                         &accruer.columns[i]))
            return diag_to_error(diags, err);
    ErrorCode code = ledger_begin(ledger, err);
    if (code != ERR_OK)
        return code;
    for (size_t i = 0; code == ERR_OK && i < accruer.table.row_count; i++)
        code = accrue_row(&accruer, &accruer.table.rows[i], err);
    if (code == ERR_OK && diags->counts[SEVERITY_ERROR] != errors)
        code = diag_to_error(diags, err);
    code = pay_end_batch(ledger, code, err);
    if (code == ERR_OK)
        *ret_accrued = accruer.result;
    return code;
}

/* --- budget, actual and forecast --- */

typedef struct {
    Ledger *ledger;
    Arena *arena;
    DiagList *diags;
    CsvTable table;
    int32_t through_month;
    int32_t first_month; /* of the table */
    PayPlan rows;
    Map by_account;
    bool fits;
} Planner;

static bool read_month(Str text, int32_t *ret_month)
{
    char day_text[11] = "0000-00-01";
    int32_t day;
    if (text.len != 7)
        return false;
    memcpy(day_text, text.ptr, 7);
    if (!day_parse((Str){.ptr = day_text, .len = 10}, &day))
        return false;
    *ret_month = ledger_month_of_day(day);
    return true;
}

static PayPlanRow *plan_row(Planner *planner, Str account)
{
    uint64_t index;
    if (!map_find(&planner->by_account, account, &index)) {
        index = planner->rows.count;
        map_put(&planner->by_account, account, index);
        VEC_PUSH(planner->arena, &planner->rows, (PayPlanRow){.account = account});
    }
    return &planner->rows.items[index];
}

static void add(Planner *planner, int64_t *sum, int64_t minor)
{
    planner->fits = planner->fits && money_add(*sum, minor, sum);
}

static void read_plan_row(Planner *planner, const CsvRow *row, const size_t columns[4])
{
    Currency currency = ledger_currency(planner->ledger);
    Str account = str_trim(row->cells[columns[0]]);
    int32_t month;
    int64_t budget;
    int64_t forecast;
    if (ledger_find_account(planner->ledger, account) == 0) {
        complain(planner->diags, &planner->table, row, S("account"), "no account of the ledger");
        return;
    }
    if (!read_month(str_trim(row->cells[columns[1]]), &month)) {
        complain(planner->diags, &planner->table, row, S("month"), "no month such as 2020-01");
        return;
    }
    if (!money_parse(str_trim(row->cells[columns[2]]), currency, &budget)) {
        complain(planner->diags, &planner->table, row, S("budget"), "no amount");
        return;
    }
    Str text = columns[3] == SIZE_MAX ? S("") : str_trim(row->cells[columns[3]]);
    forecast = budget;
    if (text.len > 0 && !money_parse(text, currency, &forecast)) {
        complain(planner->diags, &planner->table, row, S("forecast"), "no amount");
        return;
    }
    if (planner->first_month == 0 || month < planner->first_month)
        planner->first_month = month;
    PayPlanRow *plan = plan_row(planner, account);
    add(planner, &plan->budget_year, budget);
    if (month <= planner->through_month)
        add(planner, &plan->budget, budget);
    else
        add(planner, &plan->forecast_year, forecast);
}

/* Balances up to the month, of the accounts that the table names; taken off when is_before. */
static ErrorCode add_actuals(Planner *planner, int32_t month, bool is_before, Error *err)
{
    LedgerCursor *cursor = NULL;
    TrialRow row;
    ErrorCode code = ledger_trial_balance(planner->ledger, month, &cursor, err);
    if (code != ERR_OK)
        return code;
    while (ledger_next_trial_row(cursor, &row)) {
        Str account = ledger_account(planner->ledger, row.account).code;
        if (!map_has(&planner->by_account, account))
            continue;
        PayPlanRow *plan = plan_row(planner, account);
        int64_t minor = is_before ? -row.balance : row.balance;
        add(planner, &plan->actual, minor);
        add(planner, &plan->forecast_year, minor);
    }
    return ledger_cursor_finish(cursor, err);
}

ErrorCode pay_plan(const PayTable *table, PayPlan *ret_plan, Error *err)
{
    DiagList *diags = table->diags;
    Planner planner = {.ledger = table->ledger,
                       .arena = table->arena,
                       .diags = diags,
                       .through_month = table->month,
                       .fits = true};
    size_t columns[4] = {0, 0, 0, SIZE_MAX};
    size_t errors = diags->counts[SEVERITY_ERROR];
    map_init(&planner.by_account, table->arena);
    if (!csv_parse(table->arena, table->text, table->file, diags, &planner.table) ||
        !csv_require(&planner.table, S("account"), diags, &columns[0]) ||
        !csv_require(&planner.table, S("month"), diags, &columns[1]) ||
        !csv_require(&planner.table, S("budget"), diags, &columns[2]))
        return diag_to_error(diags, err);
    (void)csv_find(&planner.table, S("forecast"), &columns[3]);
    for (size_t i = 0; i < planner.table.row_count; i++)
        read_plan_row(&planner, &planner.table.rows[i], columns);
    if (diags->counts[SEVERITY_ERROR] != errors)
        return diag_to_error(diags, err);
    ErrorCode code = add_actuals(&planner, table->month, false, err);
    if (code == ERR_OK && planner.first_month > 101)
        code = add_actuals(&planner, month_before(planner.first_month), true, err);
    if (code == ERR_OK && !planner.fits)
        code = error_set(err, ERR_OVERFLOW, "the plan is too large to add up");
    if (code == ERR_OK)
        *ret_plan = planner.rows;
    return code;
}

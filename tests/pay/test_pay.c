/* Documents, approvals, payment runs: worked figures, refusals, and random operations against what
   must always hold. */
#include <stdio.h>

#include "pay_helper.h"

TEST(each_entry_is_in_one_document_and_numbers_have_no_gaps)
{
    Ledger *ledger = helper_open(S(":memory:"));
    helper_owe(ledger, arena, "a", 1, 1000);
    helper_owe(ledger, arena, "a", 1, 500);
    helper_owe(ledger, arena, "a", 2, -300);
    helper_owe(ledger, arena, "b", 1, 700);
    helper_owe(ledger, arena, "c", 1, 700);
    helper_owe(ledger, arena, "c", 1, -700);
    PayIssued issued = helper_issue(arena, ledger);
    CHECK_INT(issued.invoices, 2);
    CHECK_INT(issued.invoiced_minor, 2200);
    CHECK_INT(issued.credit_notes, 1);
    CHECK_INT(issued.credited_minor, -300);
    CHECK_INT(helper_issue(arena, ledger).invoices, 0);
    helper_owe(ledger, arena, "a", 1, 25); /* late, for a month that has a document */
    helper_owe(ledger, arena, "c", 1, 1);
    CHECK_INT(helper_issue(arena, ledger).invoiced_minor, 26);
    PayBooks books = helper_books(arena, ledger);
    static const struct {
        const char *number;
        const char *account;
        int32_t month;
        int64_t minor;
    } want[] = {
        {"INV-000001", "payable:a", 202001, 1500}, {"CRN-000001", "payable:a", 202002, -300},
        {"INV-000002", "payable:b", 202001, 700},  {"INV-000003", "payable:a", 202001, 25},
        {"INV-000004", "payable:c", 202001, 1},
    };
    CHECK_INT(books.documents.count, COUNT_OF(want));
    for (size_t i = 0; i < COUNT_OF(want) && i < books.documents.count; i++) {
        const PayDocument *document = &books.documents.items[i];
        CHECK_STR(document->number, str_from_c(want[i].number));
        CHECK_STR(document->account, str_from_c(want[i].account));
        CHECK_INT(document->month, want[i].month);
        CHECK_INT(document->minor, want[i].minor);
    }
    ledger_close(ledger);
}

TEST(nothing_is_paid_without_two_persons_in_two_roles)
{
    Error err = {0};
    Ledger *ledger = helper_open(S(":memory:"));
    helper_owe(ledger, arena, "a", 1, 1000);
    (void)helper_issue(arena, ledger);
    static const struct {
        const char *row;
        const char *person;
        const char *number;
        const char *role;
        ErrorCode want;
        int64_t paid; /* by a run afterwards */
    } rows[] = {
        {"a role that is none", "anna", "INV-000001", "boss", ERR_REFUSED, 0},
        {"a document that is none", "anna", "INV-000002", "finance", ERR_NOT_FOUND, 0},
        {"the first role", "anna", "INV-000001", "contract", ERR_OK, 0},
        {"the same role again", "ben", "INV-000001", "contract", ERR_REFUSED, 0},
        {"the same person again", "anna", "INV-000001", "finance", ERR_REFUSED, 0},
        {"another person", "ben", "INV-000001", "finance", ERR_OK, 1000},
        {"what is settled", "carl", "INV-000001", "finance", ERR_REFUSED, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char run[16];
        PayBooks books = helper_books(arena, ledger);
        PayActor actor = helper_actor(rows[i].person);
        CHECK_ROW(
            rows[i].row,
            pay_approve(&books, &actor, str_from_c(rows[i].number), str_from_c(rows[i].role), &err),
            rows[i].want);
        (void)snprintf(run, sizeof(run), "run-%zu", i);
        CHECK_ROW(rows[i].row, helper_pay(arena, ledger, run).paid_minor, rows[i].paid);
    }
    CHECK_INT(helper_balance(ledger, "payable:a"), 0);
    CHECK_INT(helper_balance(ledger, "clearing:payments"), -1000);
    ledger_close(ledger);
}

TEST(a_run_nets_recoups_and_carries_forward)
{
    /* a: 1000 less a credit note of 300; with a limit of 20 percent 200 are taken back, 100 stay.
       b: owes more than it is owed. c: below the least amount. */
    Ledger *ledger = helper_open(S(":memory:"));
    helper_rule(arena, ledger, "recoupment", "20");
    helper_rule(arena, ledger, "least", "5.00");
    helper_owe(ledger, arena, "a", 1, 1000);
    helper_owe(ledger, arena, "a", 2, -300);
    helper_owe(ledger, arena, "b", 1, -50);
    helper_owe(ledger, arena, "c", 1, 499);
    (void)helper_issue(arena, ledger);
    helper_approve_all(arena, ledger);
    PayRun run = helper_pay(arena, ledger, "one");
    CHECK_INT(run.payments, 1);
    CHECK_INT(run.paid_minor, 800);
    CHECK_INT(run.outcomes.count, 3);
    CHECK_INT(helper_balance(ledger, "payable:a"), 100); /* it owes that much still */
    CHECK_INT(helper_balance(ledger, "payable:b"), 50);
    CHECK_INT(helper_balance(ledger, "payable:c"), -499);
    CHECK(helper_pay(arena, ledger, "one").is_known);
    CHECK_INT(helper_pay(arena, ledger, "two").paid_minor, 0);
    /* The next month: 100 come off a's 600 (limit 120), c comes past the least amount. */
    helper_owe(ledger, arena, "a", 3, 600);
    helper_owe(ledger, arena, "c", 3, 1);
    (void)helper_issue(arena, ledger);
    helper_approve_all(arena, ledger);
    CHECK_INT(helper_pay(arena, ledger, "three").paid_minor, 500 + 500);
    CHECK_INT(helper_balance(ledger, "payable:a"), 0);
    CHECK_INT(helper_balance(ledger, "payable:c"), 0);
    ledger_close(ledger);
}

TEST(an_advance_is_paid_and_taken_back)
{
    Error err = {0};
    Str number;
    Ledger *ledger = helper_open(S(":memory:"));
    helper_owe(ledger, arena, "a", 1, 100);
    PayBooks books = helper_books(arena, ledger);
    PayActor anna = helper_actor("anna");
    CHECK_INT(pay_advance(&books, &anna, &(PayOnAccount){S("nobody"), 5, S("")}, &number, &err),
              ERR_NOT_FOUND);
    CHECK_INT(pay_advance(&books, &anna, &(PayOnAccount){S("a"), 0, S("")}, &number, &err),
              ERR_REFUSED);
    CHECK_OK(
        pay_advance(&books, &anna, &(PayOnAccount){S("a"), 1000, S("on account")}, &number, &err),
        &err);
    CHECK_STR(number, S("ADV-000001"));
    helper_approve_all(arena, ledger);
    CHECK_INT(helper_pay(arena, ledger, "one").paid_minor, 1000);
    CHECK_INT(helper_balance(ledger, "advance:a"), 1000);
    (void)helper_issue(arena, ledger); /* 100: all of it is kept back */
    helper_approve_all(arena, ledger);
    PayRun two = helper_pay(arena, ledger, "two");
    CHECK_INT(two.paid_minor, 0);
    CHECK_INT(two.outcomes.items[0].netted, 100);
    CHECK_INT(helper_balance(ledger, "advance:a"), 900);
    helper_owe(ledger, arena, "a", 2, 1500);
    (void)helper_issue(arena, ledger);
    helper_approve_all(arena, ledger);
    CHECK_INT(helper_pay(arena, ledger, "three").paid_minor, 600);
    CHECK_INT(helper_balance(ledger, "advance:a"), 0);
    CHECK_INT(helper_balance(ledger, "payable:a"), 0);
    ledger_close(ledger);
}

TEST(what_is_held_or_disputed_is_not_paid)
{
    Error err = {0};
    Ledger *ledger = helper_open(S(":memory:"));
    helper_owe(ledger, arena, "a", 1, 100);
    helper_owe(ledger, arena, "a", 2, 200);
    helper_owe(ledger, arena, "b", 1, 400);
    (void)helper_issue(arena, ledger);
    helper_approve_all(arena, ledger);
    PayActor ben = helper_actor("ben");
    PayBooks books = helper_books(arena, ledger);
    CHECK_INT(pay_stop(&books, &ben, PAY_HOLD, S("INV-000001"), S(""), &err), ERR_REFUSED);
    CHECK_INT(pay_stop(&books, &ben, PAY_HOLD, S("INV-9"), S("why"), &err), ERR_NOT_FOUND);
    CHECK_OK(pay_stop(&books, &ben, PAY_HOLD, S("INV-000001"), S("which list?"), &err), &err);
    CHECK_OK(pay_stop(&books, &ben, PAY_DISPUTE, S("b"), S("moved"), &err), &err);
    CHECK_INT(helper_pay(arena, ledger, "one").paid_minor, 200);
    books = helper_books(arena, ledger);
    CHECK_STR(pay_stopped(&books, pay_find(&books, S("INV-000001"))), S("held: which list?"));
    CHECK_STR(pay_stopped(&books, pay_find(&books, S("INV-000003"))), S("disputed: moved"));
    CHECK_OK(pay_stop(&books, &ben, PAY_RELEASE, S("b"), S("settled by phone"), &err), &err);
    CHECK_OK(pay_stop(&books, &ben, PAY_RELEASE, S("INV-000001"), S("checked"), &err), &err);
    CHECK_INT(helper_pay(arena, ledger, "two").paid_minor, 500);
    ledger_close(ledger);
}

TEST(rules_that_make_no_sense_are_refused)
{
    Error err = {0};
    Ledger *ledger = helper_open(S(":memory:"));
    static const char *const rows[][2] = {
        {"roles", "finance"},
        {"roles", "finance,finance"},
        {"roles", "finance, contract"},
        {"roles", ""},
        {"roles", ",a"},
        {"least", "-1.00"},
        {"least", "1.001"},
        {"recoupment", "101"},
        {"recoupment", "-1"},
        {"recoupment", "10.5"},
        {"colour", "red"},
    };
    PayBooks books = helper_books(arena, ledger);
    PayActor anna = helper_actor("anna");
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_ROW(rows[i][1],
                  pay_set_rule(&books, &anna, str_from_c(rows[i][0]), str_from_c(rows[i][1]), &err),
                  ERR_REFUSED);
    helper_rule(arena, ledger, "roles", "a,b,c");
    books = helper_books(arena, ledger);
    CHECK_INT(books.rules.roles.count, 3);
    ledger_close(ledger);
}

/* --- random operations --- */

static void check_books(Arena *arena, Ledger *ledger)
{
    PayBooks books = helper_books(arena, ledger);
    int64_t open = 0;
    int64_t advanced = 0;
    int64_t paid = 0;
    int64_t owed = 0;
    VEC_FOREACH (PayDocument, document, &books.documents) {
        int64_t left = document->minor - document->settled;
        CHECK(document->minor > 0 ? left >= 0 && left <= document->minor
                                  : left <= 0 && left >= document->minor);
        *(document->kind == PAY_ADVANCE ? &advanced : &open) +=
            document->kind == PAY_ADVANCE ? document->settled : left;
    }
    VEC_FOREACH (PayPayment, payment, &books.payments) {
        CHECK(payment->minor >= 0);
        paid += payment->minor;
    }
    for (AccountId id = 1; id <= ledger_account_count(ledger); id++) {
        Account account = ledger_account(ledger, id);
        if (str_starts_with(account.code, S("payable:")))
            owed -= account.balance;
        if (str_starts_with(account.code, S("advance:")))
            CHECK(account.balance >= 0);
    }
    CHECK_INT(owed, open); /* everything is in documents, and what is settled is off the account */
    CHECK_INT(helper_balance(ledger, "clearing:payments"), -paid);
    CHECK(advanced >= 0);
}

TEST(random_runs_keep_the_books_right)
{
    static const char *const parties[] = {"a", "b", "c"};
    static const char *const limits[] = {"0", "10", "50", "100"};
    static const char *const leasts[] = {"0", "1.00", "3.00"};
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t state = seed;
        Error err = {0};
        Str number;
        Ledger *ledger = helper_open(S(":memory:"));
        PayActor anna = helper_actor("anna");
        for (int step = 0; step < 40; step++) {
            const char *party = parties[test_random(&state) % COUNT_OF(parties)];
            int64_t minor = (int64_t)(test_random(&state) % 900) - 300;
            if (minor != 0)
                helper_owe(ledger, arena, party, 1 + (int)(test_random(&state) % 12), minor);
            if (test_random(&state) % 8 == 0)
                helper_rule(arena, ledger, "recoupment", limits[test_random(&state) % 4]);
            if (test_random(&state) % 8 == 0)
                helper_rule(arena, ledger, "least", leasts[test_random(&state) % 3]);
            PayBooks books = helper_books(arena, ledger);
            if (test_random(&state) % 10 == 0 && minor != 0)
                CHECK_OK(
                    pay_advance(&books, &anna,
                                &(PayOnAccount){str_from_c(party),
                                                1 + (int64_t)(test_random(&state) % 500), S("x")},
                                &number, &err),
                    &err);
            if (test_random(&state) % 3 != 0)
                continue;
            char run[16];
            (void)helper_issue(arena, ledger);
            helper_approve_all(arena, ledger);
            (void)snprintf(run, sizeof(run), "run-%d", step);
            PayRun first = helper_pay(arena, ledger, run);
            CHECK(!first.is_known);
            CHECK(helper_pay(arena, ledger, run).is_known);
            check_books(arena, ledger);
        }
        CHECK_OK(ledger_verify(ledger, NULL, &err), &err);
        ledger_close(ledger);
    }
}

/* --- accruals and plans --- */

static ErrorCode accrue(Ledger *ledger, Arena *arena, Str text, DiagList *diags,
                        PayAccrued *ret_accrued, Error *err)
{
    PayTable table = {ledger, arena, 202012, text, S("t.csv"), diags};
    return pay_accrue(&table, ret_accrued, err);
}

static ErrorCode plan_of(Ledger *ledger, Arena *arena, Str text, DiagList *diags, PayPlan *ret_plan,
                         Error *err)
{
    PayTable table = {ledger, arena, 202003, text, S("t.csv"), diags};
    return pay_plan(&table, ret_plan, err);
}

TEST(an_accrual_comes_back_a_month_later_and_only_once)
{
    Error err = {0};
    DiagList diags;
    PayAccrued accrued;
    Ledger *ledger = helper_open(S(":memory:"));
    Str table = S("key,debit,credit,amount,memo\na,expense:a,accrued:a,12.50,m\n"
                  "b,expense:b,accrued:b,-2.00,m\n");
    diag_init(&diags, arena);
    for (int round = 0; round < 2; round++) {
        CHECK_OK(accrue(ledger, arena, table, &diags, &accrued, &err), &err);
        CHECK_INT(accrued.posted, round == 0 ? 2 : 0);
        CHECK_INT(accrued.known, round == 0 ? 0 : 2);
        CHECK_INT(ledger_entry_count(ledger), 4);
    }
    LedgerEntry back;
    CHECK_OK(ledger_entry(ledger, arena, 2, &back, &err), &err);
    CHECK_INT(back.reverses, 1);
    CHECK_INT(back.month, 202101);
    CHECK_INT(back.day, day_from_date(2021, 1, 1));
    CHECK_INT(helper_balance(ledger, "accrued:a"), 0);
    Str wrong = S("key,debit,credit,amount,memo\nc,expense:a,accrued:a,1,m\n,expense:a,,x,m\n");
    CHECK_INT(accrue(ledger, arena, wrong, &diags, &accrued, &err), ERR_DOCUMENT);
    CHECK_INT(diags.counts[SEVERITY_ERROR], 3);
    CHECK_INT(ledger_entry_count(ledger), 4); /* the row that was right came not either */
    ledger_close(ledger);
}

TEST(a_plan_shows_budget_actual_and_forecast)
{
    Error err = {0};
    DiagList diags;
    PayPlan plan;
    Ledger *ledger = helper_open(S(":memory:"));
    helper_owe(ledger, arena, "a", 1, 7777); /* before the table's first month */
    helper_owe(ledger, arena, "a", 2, 1000);
    helper_owe(ledger, arena, "a", 3, 1100);
    helper_owe(ledger, arena, "a", 4, 5000);
    diag_init(&diags, arena);
    Str table =
        S("account,month,budget,forecast\nexpense:x,2020-02,9.00,\n"
          "expense:x,2020-03,9.00,\nexpense:x,2020-04,9.00,12.00\nexpense:x,2020-05,9.00,\n");
    CHECK_OK(plan_of(ledger, arena, table, &diags, &plan, &err), &err);
    CHECK_INT(plan.count, 1);
    CHECK_INT(plan.items[0].budget, 1800);
    CHECK_INT(plan.items[0].actual, 2100);
    CHECK_INT(plan.items[0].budget_year, 3600);
    CHECK_INT(plan.items[0].forecast_year, 2100 + 1200 + 900);
    Str wrong =
        S("account,month,budget\nnone,2020-02,1\nexpense:x,2020-13,1\nexpense:x,2020-02,x\n");
    CHECK_INT(plan_of(ledger, arena, wrong, &diags, &plan, &err), ERR_DOCUMENT);
    CHECK_INT(diags.counts[SEVERITY_ERROR], 3);
    ledger_close(ledger);
}

#include <stdio.h>

#include "base/date.h"
#include "base/io.h"
#include "ledger_helper.h"

enum { A = 1, B = 2, C = 3, NOBODY = 0, UNKNOWN = 99 };

static Str repeat(Arena *arena, char c, size_t count)
{
    char *text = arena_alloc(arena, count);
    memset(text, c, count);
    return (Str){.ptr = text, .len = count};
}

/* Three accounts; 2020-01 open, 2020-02 closed, 2020-03 locked, 2020-04 never opened; entry 1 under
   key "first". */
static Ledger *prepare(Arena *arena)
{
    Error err = {0};
    Ledger *ledger = helper_open(S(":memory:"));
    helper_add_accounts(ledger, arena, 3);
    for (int32_t month = 202001; month <= 202003; month++)
        REQUIRE_OK(ledger_open_period(ledger, month, &err), &err);
    REQUIRE_OK(ledger_close_period(ledger, 202002, &err), &err);
    REQUIRE_OK(ledger_lock_period(ledger, 202003, &err), &err);
    LedgerLine lines[] = {{A, 5}, {B, -5}};
    LedgerEntry entry = {.key = S("first"),
                         .day = day_from_date(2020, 1, 2),
                         .month = 202001,
                         .memo = S("memo"),
                         .source = {S("contract"), S("1"), S("clause"), S("run")},
                         .lines = lines,
                         .line_count = 2};
    REQUIRE_OK(ledger_post(ledger, &entry, NULL, &err), &err);
    return ledger;
}

typedef struct {
    const char *row;
    const char *key;
    int32_t month;
    int32_t day; /* of the month, or a day number when out of range */
    LedgerLine lines[3];
    size_t line_count;
    PostResult want;
} PostRow;

static LedgerEntry entry_of(const PostRow *row)
{
    bool is_day = row->day >= 1 && row->day <= 31;
    return (LedgerEntry){.key = str_from_c(row->key),
                         .day = is_day ? day_from_date(row->month / 100, row->month % 100, row->day)
                                       : row->day,
                         .month = row->month,
                         .memo = S("memo"),
                         .source = {S("contract"), S("1"), S("clause"), S("run")},
                         .lines = row->lines,
                         .line_count = row->line_count};
}

/* Each row fails one check only after passing all those before it, so the table also fixes the
   order in which the checks are made. */
TEST(post_answers_with_the_first_check_that_holds)
{
    enum { TOO_LATE = DAY_LAST + 1 };
    static const PostRow rows[] = {
        /* clang-format off */
        {"no key, else wrong too",    "",      202004, TOO_LATE, {{0}},                        0, POST_KEY_MISSING},
        {"same again",                "first", 202001, 2,        {{A, 5}, {B, -5}},            2, POST_ALREADY},
        {"key with other amount",     "first", 202001, 2,        {{A, 6}, {B, -6}},            2, POST_KEY_REUSED},
        {"key with other day",        "first", 202001, 3,        {{A, 5}, {B, -5}},            2, POST_KEY_REUSED},
        {"key with other order",      "first", 202001, 2,        {{B, -5}, {A, 5}},            2, POST_KEY_REUSED},
        {"key and else wrong too",    "first", 202004, TOO_LATE, {{0}},                        0, POST_KEY_REUSED},
        {"no line",                   "k",     202004, TOO_LATE, {{0}},                        0, POST_TOO_FEW_LINES},
        {"one line",                  "k",     202004, TOO_LATE, {{UNKNOWN, 0}},               1, POST_TOO_FEW_LINES},
        {"no account",                "k",     202004, TOO_LATE, {{NOBODY, 0}, {A, 1}},        2, POST_ACCOUNT_UNKNOWN},
        {"unknown account",           "k",     202004, TOO_LATE, {{A, 0}, {UNKNOWN, 1}},       2, POST_ACCOUNT_UNKNOWN},
        {"line without amount",       "k",     202004, TOO_LATE, {{A, 0}, {B, 1}},             2, POST_ZERO_LINE},
        {"does not balance",          "k",     202004, TOO_LATE, {{A, 1}, {B, -2}},            2, POST_UNBALANCED},
        {"one's ends do not balance", "k",     202004, TOO_LATE, {{A, INT64_MAX}, {B, INT64_MIN}}, 2, POST_UNBALANCED},
        {"after year 9999",           "k",     202004, TOO_LATE, {{A, 1}, {B, -1}},            2, POST_DATE_IMPOSSIBLE},
        {"no date",                   "k",     202004, DAY_NONE, {{A, 1}, {B, -1}},            2, POST_DATE_IMPOSSIBLE},
        {"never opened",              "k",     202004, 1,        {{A, 1}, {B, -1}},            2, POST_PERIOD_UNKNOWN},
        {"closed",                    "k",     202002, 1,        {{A, 1}, {B, -1}},            2, POST_PERIOD_CLOSED},
        {"locked",                    "k",     202003, 1,        {{A, INT64_MAX}, {B, -INT64_MAX}}, 2, POST_PERIOD_LOCKED},
        {"over the most of an account", "k",   202001, 1,        {{A, INT64_MAX}, {B, -INT64_MAX}}, 2, POST_BALANCE_OVERFLOW},
        {"over in the second line",   "k",     202001, 1,        {{C, INT64_MAX}, {B, -INT64_MAX}}, 2, POST_BALANCE_OVERFLOW},
        {"over within the entry",     "k",     202001, 1,        {{C, INT64_MAX}, {C, 1}, {B, INT64_MIN}}, 3, POST_BALANCE_OVERFLOW},
        {"the least of all",          "k",     202001, 1,        {{C, INT64_MIN}, {C, INT64_MAX}, {A, 1}}, 3, POST_BALANCE_OVERFLOW},
        {"most that fits",            "k",     202001, 1,        {{C, INT64_MAX}, {C, -INT64_MAX}}, 2, POST_POSTED},
        {"one more",                  "l",     202001, 1,        {{C, 1}, {A, -1}},            2, POST_BALANCE_OVERFLOW},
        {"first again",               "first", 202001, 2,        {{A, 5}, {B, -5}},            2, POST_ALREADY},
        /* clang-format on */
    };
    Ledger *ledger = prepare(arena);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Error err = {0};
        Posted posted = {0};
        LedgerEntry entry = entry_of(&rows[i]);
        size_t before = ledger_entry_count(ledger);
        int64_t balance = ledger_account(ledger, A).balance;
        ErrorCode code = ledger_post(ledger, &entry, &posted, &err);
        CHECK_ROW(rows[i].row, posted.result, rows[i].want);
        bool is_fine = rows[i].want == POST_POSTED || rows[i].want == POST_ALREADY;
        CHECK_ROW(rows[i].row, code == ERR_OK, is_fine);
        size_t added = rows[i].want == POST_POSTED ? 1 : 0;
        CHECK_ROW(rows[i].row, (int64_t)(ledger_entry_count(ledger) - before), (int64_t)added);
        CHECK_ROW(rows[i].row, posted.entry, added ? (int64_t)before + 1 : is_fine ? 1 : 0);
        if (!added)
            CHECK_ROW(rows[i].row, ledger_account(ledger, A).balance, balance);
        ledger_check(ledger);
    }
    Error err = {0};
    CHECK_OK(ledger_verify(ledger, NULL, &err), &err);
    ledger_close(ledger);
}

TEST(post_refuses_what_is_too_long)
{
    Ledger *ledger = prepare(arena);
    Error err = {0};
    Posted posted;
    LedgerLine *lines = ARENA_ARRAY(arena, LedgerLine, LEDGER_LINES_MAX + 1);
    for (size_t i = 0; i <= LEDGER_LINES_MAX; i++)
        lines[i] = (LedgerLine){A, i % 2 == 0 ? 1 : -1};
    LedgerEntry good = {.key = repeat(arena, 'k', LEDGER_KEY_BYTES_MAX),
                        .day = day_from_date(2020, 1, 31),
                        .month = 202001,
                        .memo = repeat(arena, 'm', LEDGER_TEXT_BYTES_MAX),
                        .lines = lines,
                        .line_count = LEDGER_LINES_MAX};
    LedgerEntry entry = good;
    entry.key = repeat(arena, 'k', LEDGER_KEY_BYTES_MAX + 1);
    CHECK_INT(ledger_post(ledger, &entry, &posted, &err), ERR_LIMIT);
    CHECK_INT(posted.result, POST_KEY_TOO_LONG);
    entry = good;
    entry.memo = repeat(arena, 'm', LEDGER_TEXT_BYTES_MAX + 1);
    CHECK_INT(ledger_post(ledger, &entry, &posted, &err), ERR_LIMIT);
    CHECK_INT(posted.result, POST_TEXT_TOO_LONG);
    for (int part = 0; part < 4; part++) {
        entry = good;
        Str *parts[] = {&entry.source.contract, &entry.source.version, &entry.source.clause,
                        &entry.source.run};
        *parts[part] = repeat(arena, 's', LEDGER_TEXT_BYTES_MAX + 1);
        CHECK_INT(ledger_post(ledger, &entry, &posted, &err), ERR_LIMIT);
        CHECK_INT(posted.result, POST_TEXT_TOO_LONG);
    }
    entry = good;
    entry.line_count = LEDGER_LINES_MAX + 1;
    CHECK_INT(ledger_post(ledger, &entry, &posted, &err), ERR_LIMIT);
    CHECK_INT(posted.result, POST_TOO_MANY_LINES);
    entry = good;
    entry.day = day_from_date(2020, 2, 1);
    CHECK_INT(ledger_post(ledger, &entry, &posted, &err), ERR_REFUSED);
    CHECK_INT(posted.result, POST_DATE_OUTSIDE_PERIOD);
    CHECK_OK(ledger_post(ledger, &good, &posted, &err), &err);
    LedgerEntry there;
    CHECK_OK(ledger_entry(ledger, arena, posted.entry, &there, &err), &err);
    CHECK_INT((int64_t)there.line_count, LEDGER_LINES_MAX);
    CHECK_OK(ledger_verify(ledger, NULL, &err), &err);
    ledger_close(ledger);
}

TEST(entry_comes_back_as_it_was_posted)
{
    Ledger *ledger = prepare(arena);
    Error err = {0};
    LedgerEntry entry;
    CHECK_OK(ledger_entry(ledger, arena, 1, &entry, &err), &err);
    CHECK_INT(entry.id, 1);
    CHECK_INT(entry.reverses, 0);
    CHECK_STR(entry.key, S("first"));
    CHECK_INT(entry.day, day_from_date(2020, 1, 2));
    CHECK_INT(entry.month, 202001);
    CHECK_STR(entry.memo, S("memo"));
    CHECK_STR(entry.source.contract, S("contract"));
    CHECK_STR(entry.source.version, S("1"));
    CHECK_STR(entry.source.clause, S("clause"));
    CHECK_STR(entry.source.run, S("run"));
    CHECK_INT((int64_t)entry.line_count, 2);
    CHECK_INT(entry.lines[0].account, A);
    CHECK_INT(entry.lines[0].minor, 5);
    CHECK_INT(entry.lines[1].account, B);
    CHECK_INT(entry.lines[1].minor, -5);
    CHECK_INT(ledger_entry(ledger, arena, 2, &entry, &err), ERR_NOT_FOUND);
    EntryId id;
    CHECK_OK(ledger_find_key(ledger, S("first"), &id, &err), &err);
    CHECK_INT(id, 1);
    CHECK_OK(ledger_find_key(ledger, S("second"), &id, &err), &err);
    CHECK_INT(id, 0);
    ledger_close(ledger);
}

TEST(reversal_mirrors_once_and_is_no_original)
{
    Ledger *ledger = prepare(arena);
    int32_t day = day_from_date(2020, 1, 31);
    static const struct {
        const char *row;
        EntryId entry;
        const char *key;
        int32_t month;
        PostResult want;
    } rows[] = {
        /* clang-format off */
        {"no key",              9, "",      202001, POST_KEY_MISSING},
        {"key of another",      9, "first", 202001, POST_KEY_REUSED},
        {"no such entry",       9, "back",  202009, POST_ENTRY_UNKNOWN},
        {"entry nought",        0, "back",  202009, POST_ENTRY_UNKNOWN},
        {"other period",        1, "back",  202002, POST_DATE_OUTSIDE_PERIOD},
        {"as it should be",     1, "back",  202001, POST_POSTED},
        {"the same again",      1, "back",  202001, POST_ALREADY},
        {"a second time",       1, "again", 202001, POST_ENTRY_REVERSED},
        {"of the reversal",     2, "again", 202001, POST_ENTRY_IS_REVERSAL},
        {"another's reversal",  2, "back",  202001, POST_KEY_REUSED},
        /* clang-format on */
    };
    Error err = {0};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Posted posted = {0};
        LedgerReversal reversal = {.entry = rows[i].entry,
                                   .key = str_from_c(rows[i].key),
                                   .day = day,
                                   .month = rows[i].month,
                                   .reason = S("posted in error")};
        ErrorCode code = ledger_reverse(ledger, &reversal, &posted, &err);
        CHECK_ROW(rows[i].row, posted.result, rows[i].want);
        CHECK_ROW(rows[i].row, code == ERR_OK, posted.result <= POST_ALREADY);
        ledger_check(ledger);
    }
    CHECK_INT((int64_t)ledger_entry_count(ledger), 2);
    CHECK_INT(ledger_account(ledger, A).balance, 0);
    LedgerEntry entry;
    CHECK_OK(ledger_entry(ledger, arena, 2, &entry, &err), &err);
    CHECK_INT(entry.reverses, 1);
    CHECK_INT(entry.lines[0].minor, -5);
    CHECK_STR(entry.source.clause, S("clause"));
    CHECK_STR(entry.memo, S("posted in error"));
    CHECK_OK(ledger_verify(ledger, NULL, &err), &err);
    ledger_close(ledger);
}

/* The model: what a list of entries in plain arrays says of balances and totals. */
enum { MODEL_ACCOUNTS = 7, MODEL_MONTHS = 4, MODEL_KEYS = 400 };

typedef struct {
    int64_t balance[MODEL_ACCOUNTS];
    int64_t debit[MODEL_ACCOUNTS][MODEL_MONTHS];
    int64_t credit[MODEL_ACCOUNTS][MODEL_MONTHS];
    bool is_posted[MODEL_KEYS];
    size_t entries;
    size_t lines[MODEL_ACCOUNTS];
} Model;

static void model_post(Model *model, size_t key, int month, const LedgerLine *lines, size_t count)
{
    model->is_posted[key] = true;
    model->entries++;
    for (size_t i = 0; i < count; i++) {
        size_t account = lines[i].account - 1;
        model->lines[account]++;
        model->balance[account] += lines[i].minor;
        if (lines[i].minor > 0)
            model->debit[account][month] += lines[i].minor;
        else
            model->credit[account][month] -= lines[i].minor;
    }
}

static void check_trial(Ledger *ledger, const Model *model, int up_to)
{
    Error err = {0};
    LedgerCursor *cursor;
    REQUIRE_OK(ledger_trial_balance(ledger, 202001 + up_to, &cursor, &err), &err);
    TrialRow row;
    size_t rows = 0;
    while (ledger_next_trial_row(cursor, &row)) {
        int64_t debit = 0;
        int64_t credit = 0;
        for (int month = 0; month <= up_to; month++) {
            debit += model->debit[row.account - 1][month];
            credit += model->credit[row.account - 1][month];
        }
        CHECK_INT(row.debit, debit);
        CHECK_INT(row.credit, credit);
        CHECK_INT(row.balance, debit - credit);
        rows++;
    }
    CHECK_INT((int64_t)rows, MODEL_ACCOUNTS);
    CHECK_OK(ledger_cursor_finish(cursor, &err), &err);
}

static void check_statement(Ledger *ledger, const Model *model, AccountId account)
{
    Error err = {0};
    LedgerCursor *cursor;
    REQUIRE_OK(ledger_statement(ledger, account, &cursor, &err), &err);
    StatementRow row = {0};
    size_t rows = 0;
    EntryId before = 0;
    while (ledger_next_statement_row(cursor, &row)) {
        CHECK(row.entry >= before);
        before = row.entry;
        rows++;
    }
    CHECK_INT((int64_t)rows, (int64_t)model->lines[account - 1]);
    CHECK_INT(row.balance, model->balance[account - 1]);
    CHECK_OK(ledger_cursor_finish(cursor, &err), &err);
}

static void check_model(Ledger *ledger, const Model *model)
{
    CHECK_INT((int64_t)ledger_entry_count(ledger), (int64_t)model->entries);
    for (AccountId id = 1; id <= MODEL_ACCOUNTS; id++) {
        CHECK_INT(ledger_account(ledger, id).balance, model->balance[id - 1]);
        check_statement(ledger, model, id);
    }
    for (int month = 0; month < MODEL_MONTHS; month++)
        check_trial(ledger, model, month);
    Error err = {0};
    CHECK_OK(ledger_verify(ledger, NULL, &err), &err);
    ledger_check(ledger);
}

/* Two to five lines that balance, or not. */
static size_t random_lines(uint64_t *seed, LedgerLine *lines)
{
    size_t count = 2 + test_random(seed) % 4;
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        lines[i].account = (AccountId)(1 + test_random(seed) % MODEL_ACCOUNTS);
        lines[i].minor = (int64_t)(test_random(seed) % 2001) - 1000;
        sum += lines[i].minor;
    }
    if (test_random(seed) % 8 != 0)
        lines[count - 1].minor -= sum;
    return count;
}

static bool is_good(const LedgerLine *lines, size_t count)
{
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        if (lines[i].minor == 0)
            return false;
        sum += lines[i].minor;
    }
    return sum == 0;
}

/* Posts something random, perhaps what must be refused. */
static void random_post(Ledger *ledger, Model *model, uint64_t *seed)
{
    Error err = {0};
    LedgerLine lines[5];
    size_t count = random_lines(seed, lines);
    size_t key = test_random(seed) % MODEL_KEYS;
    int month = (int)(test_random(seed) % MODEL_MONTHS);
    char text[24];
    snprintf(text, sizeof(text), "key-%zu", key);
    LedgerEntry entry = {.key = str_from_c(text),
                         .day = day_from_date(2020, 1 + month, 1),
                         .month = 202001 + month,
                         .source = {.clause = S("c")},
                         .lines = lines,
                         .line_count = count};
    Posted posted = {0};
    ErrorCode code = ledger_post(ledger, &entry, &posted, &err);
    bool expect = !model->is_posted[key] && is_good(lines, count);
    CHECK_INT(code == ERR_OK && posted.result == POST_POSTED, expect);
    if (expect)
        model_post(model, key, month, lines, count);
}

TEST(random_posts_agree_with_a_model)
{
    for (uint64_t round = 1; round <= 12; round++) {
        uint64_t seed = round * 7919;
        Error err = {0};
        Str path =
            round % 3 == 0 ? io_join(arena, test_temp_dir(arena), S("ledger")) : S(":memory:");
        Ledger *ledger = helper_open(path);
        Model model = {0};
        Model committed;
        helper_add_accounts(ledger, arena, MODEL_ACCOUNTS);
        for (int32_t month = 0; month < MODEL_MONTHS; month++)
            REQUIRE_OK(ledger_open_period(ledger, 202001 + month, &err), &err);
        committed = model;
        bool in_batch = false;
        for (int step = 0; step < 300; step++) {
            uint64_t choice = test_random(&seed) % 32;
            if (choice == 0 && !in_batch) {
                REQUIRE_OK(ledger_begin(ledger, &err), &err);
                committed = model;
                in_batch = true;
            } else if (choice == 1 && in_batch) {
                REQUIRE_OK(ledger_commit(ledger, &err), &err);
                in_batch = false;
            } else if (choice == 2 && in_batch) {
                ledger_rollback(ledger);
                model = committed;
                in_batch = false;
            } else if (choice == 3) {
                check_model(ledger, &model);
            } else {
                random_post(ledger, &model, &seed);
            }
            ledger_check(ledger);
        }
        check_model(ledger, &model);
        if (in_batch)
            model = committed;
        ledger_close(ledger); /* rolls an open batch back */
        if (!str_eq(path, S(":memory:"))) {
            ledger = helper_open(path);
            check_model(ledger, &model);
            ledger_close(ledger);
        }
    }
}

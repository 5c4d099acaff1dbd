#include <sqlite3.h>
#include <stdio.h>

#include "base/date.h"
#include "base/io.h"
#include "ledger_helper.h"

static Str fresh_path(Arena *arena)
{
    return io_join(arena, test_temp_dir(arena), S("ledger"));
}

static EntryId post(Ledger *ledger, const char *key, int32_t month, AccountId from, AccountId to,
                    int64_t minor)
{
    Error err = {0};
    LedgerLine lines[] = {{to, minor}, {from, -minor}};
    LedgerEntry entry = {.key = str_from_c(key),
                         .day = day_from_date(month / 100, month % 100, 1),
                         .month = month,
                         .memo = S("m"),
                         .source = {.contract = S("k"), .clause = str_from_c(key)},
                         .lines = lines,
                         .line_count = 2};
    Posted posted = {0};
    CHECK_OK(ledger_post(ledger, &entry, &posted, &err), &err);
    return posted.entry;
}

/* Changes the file behind the ledger's back. */
static void meddle(Arena *arena, Str path, const char *sql)
{
    sqlite3 *db;
    ASSERT(sqlite3_open(str_to_c(arena, path), &db) == SQLITE_OK);
    CHECK_INT(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

TEST(open_tells_what_is_wrong)
{
    Error err = {0};
    Ledger *ledger = NULL;
    Str path = fresh_path(arena);
    LedgerOptions options = {.path = path, .mode = LEDGER_WRITE};
    CHECK_INT(ledger_open(&options, &ledger, &err), ERR_NOT_FOUND);
    options.mode = LEDGER_READ;
    CHECK_INT(ledger_open(&options, &ledger, &err), ERR_NOT_FOUND);
    options = (LedgerOptions){.path = path, .mode = LEDGER_CREATE, .currency = S("XYZ")};
    CHECK_INT(ledger_open(&options, &ledger, &err), ERR_REFUSED);
    CHECK(!io_exists(path));
    options.currency = S("EUR");
    REQUIRE_OK(ledger_open(&options, &ledger, &err), &err);
    CHECK_STR(str_from_c(ledger_currency(ledger).code), S("EUR"));
    Ledger *second = NULL;
    CHECK_INT(ledger_open(&options, &second, &err), ERR_BUSY);
    ledger_close(ledger);
    options.currency = S("USD");
    CHECK_INT(ledger_open(&options, &ledger, &err), ERR_REFUSED);
    meddle(arena, path, "PRAGMA user_version = 3");
    options.currency = S("EUR");
    CHECK_INT(ledger_open(&options, &ledger, &err), ERR_VERSION);
    Str other = fresh_path(arena);
    meddle(arena, other, "CREATE TABLE t(x)");
    options.path = other;
    CHECK_INT(ledger_open(&options, &ledger, &err), ERR_DAMAGED);
    Str text = fresh_path(arena);
    CHECK_OK(io_write_file(text,
                           S("this is no database, but it is long enough to be looked at, "
                             "and says so in so many words"),
                           &err),
             &err);
    options.path = text;
    CHECK_INT(ledger_open(&options, &ledger, &err), ERR_DAMAGED);
}

TEST(accounts_keep_their_type_and_survive)
{
    Error err = {0};
    Str path = fresh_path(arena);
    Ledger *ledger = helper_open(path);
    AccountId a;
    AccountId b;
    CHECK_OK(ledger_add_account(ledger, S("x:1"), ACCOUNT_ASSET, S("One"), &a, &err), &err);
    CHECK_OK(ledger_add_account(ledger, S("x:1"), ACCOUNT_ASSET, S("Two"), &b, &err), &err);
    CHECK_INT(a, b);
    CHECK_INT(ledger_add_account(ledger, S("x:1"), ACCOUNT_INCOME, S(""), &b, &err), ERR_EXISTS);
    CHECK_INT(ledger_add_account(ledger, S(""), ACCOUNT_INCOME, S(""), &b, &err), ERR_LIMIT);
    REQUIRE_OK(ledger_begin(ledger, &err), &err);
    CHECK_OK(ledger_add_account(ledger, S("gone"), ACCOUNT_ASSET, S(""), &b, &err), &err);
    CHECK_INT(ledger_find_account(ledger, S("gone")), b);
    ledger_rollback(ledger);
    CHECK_INT(ledger_find_account(ledger, S("gone")), 0);
    ledger_close(ledger);
    ledger = helper_open(path);
    CHECK_INT((int64_t)ledger_account_count(ledger), 1);
    Account account = ledger_account(ledger, ledger_find_account(ledger, S("x:1")));
    CHECK_STR(account.name, S("One"));
    CHECK_INT(account.type, ACCOUNT_ASSET);
    CHECK_STR(str_from_c(account_type_text(account.type)), S("asset"));
    ledger_close(ledger);
}

TEST(periods_go_from_open_to_closed_and_back_but_not_from_locked)
{
    Error err = {0};
    Ledger *ledger = helper_open(S(":memory:"));
    CHECK_INT(ledger_open_period(ledger, 202013, &err), ERR_REFUSED);
    CHECK_INT(ledger_open_period(ledger, -5, &err), ERR_REFUSED);
    CHECK_INT(ledger_close_period(ledger, 202001, &err), ERR_NOT_FOUND);
    CHECK_INT(ledger_lock_period(ledger, 202001, &err), ERR_NOT_FOUND);
    CHECK_INT(ledger_period(ledger, 202001), PERIOD_NEVER_OPENED);
    CHECK_OK(ledger_open_period(ledger, 202003, &err), &err);
    CHECK_OK(ledger_open_period(ledger, 202001, &err), &err);
    CHECK_OK(ledger_close_period(ledger, 202001, &err), &err);
    CHECK_INT(ledger_period(ledger, 202001), PERIOD_CLOSED);
    CHECK_INT(ledger_period(ledger, 202003), PERIOD_OPEN);
    CHECK_OK(ledger_open_period(ledger, 202001, &err), &err);
    CHECK_OK(ledger_lock_period(ledger, 202001, &err), &err);
    CHECK_INT(ledger_open_period(ledger, 202001, &err), ERR_CLOSED);
    CHECK_INT(ledger_close_period(ledger, 202001, &err), ERR_CLOSED);
    CHECK_INT(ledger_period(ledger, 202001), PERIOD_LOCKED);
    CHECK_INT(ledger_month_of_day(day_from_date(2020, 2, 29)), 202002);
    ledger_close(ledger);
}

TEST(readers_see_the_last_commit)
{
    Error err = {0};
    Str path = fresh_path(arena);
    Ledger *writer = helper_open(path);
    helper_add_accounts(writer, arena, 2);
    REQUIRE_OK(ledger_open_period(writer, 202001, &err), &err);
    Ledger *reader = NULL;
    LedgerOptions options = {.path = path, .mode = LEDGER_READ};
    REQUIRE_OK(ledger_open(&options, &reader, &err), &err);
    CHECK_INT((int64_t)ledger_account_count(reader), 2);
    AccountId id;
    CHECK_INT(ledger_add_account(reader, S("b"), ACCOUNT_ASSET, S(""), &id, &err), ERR_REFUSED);
    CHECK_INT(ledger_begin(reader, &err), ERR_REFUSED);
    REQUIRE_OK(ledger_begin(writer, &err), &err);
    post(writer, "one", 202001, 1, 2, 10);
    CHECK_OK(ledger_verify(reader, NULL, &err), &err);
    CHECK_INT((int64_t)ledger_entry_count(reader), 0);
    REQUIRE_OK(ledger_commit(writer, &err), &err);
    CHECK_OK(ledger_verify(reader, NULL, &err), &err);
    CHECK_INT((int64_t)ledger_entry_count(reader), 1);
    CHECK_INT(ledger_account(reader, 2).balance, 10);
    LedgerEntry entry;
    CHECK_OK(ledger_entry(reader, arena, 1, &entry, &err), &err);
    CHECK_STR(entry.key, S("one"));
    ledger_close(reader);
    ledger_close(writer);
}

TEST(entries_are_found_by_their_source)
{
    Error err = {0};
    Ledger *ledger = helper_open(S(":memory:"));
    helper_add_accounts(ledger, arena, 3);
    REQUIRE_OK(ledger_open_period(ledger, 202001, &err), &err);
    char key[16];
    for (int i = 0; i < 9; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        post(ledger, key, 202001, 1, 2, 1 + i);
    }
    static const struct {
        const char *row;
        LedgerSource source;
        size_t want;
    } rows[] = {
        {"all", {.contract = STR_INIT("")}, 9},
        {"contract", {.contract = STR_INIT("k")}, 9},
        {"clause", {.clause = STR_INIT("k4")}, 1},
        {"contract and clause", {.contract = STR_INIT("k"), .clause = STR_INIT("k5")}, 1},
        {"another run", {.run = STR_INIT("r")}, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(ledger_cursor_cleanup) LedgerCursor *cursor = NULL;
        REQUIRE_OK(ledger_entries(ledger, rows[i].source, &cursor, &err), &err);
        LedgerEntry entry;
        size_t count = 0;
        while (ledger_next_entry(cursor, &entry)) {
            CHECK_INT((int64_t)entry.line_count, 2);
            count++;
        }
        CHECK_ROW(rows[i].row, (int64_t)count, (int64_t)rows[i].want);
    }
    ledger_close(ledger);
}

TEST(the_lists_of_an_account_span_many_rows)
{
    enum { ENTRIES = 9000 };
    Error err = {0};
    Ledger *ledger = helper_open(S(":memory:"));
    helper_add_accounts(ledger, arena, 300);
    REQUIRE_OK(ledger_open_period(ledger, 202001, &err), &err);
    REQUIRE_OK(ledger_begin(ledger, &err), &err);
    char key[16];
    for (int i = 0; i < ENTRIES; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        post(ledger, key, 202001, 1, (AccountId)(2 + i % 299), 1);
    }
    REQUIRE_OK(ledger_commit(ledger, &err), &err);
    LedgerCursor *cursor;
    REQUIRE_OK(ledger_statement(ledger, 1, &cursor, &err), &err);
    StatementRow row;
    EntryId next = 1;
    while (ledger_next_statement_row(cursor, &row)) {
        CHECK_INT(row.entry, next);
        CHECK_INT(row.balance, -next);
        next++;
    }
    CHECK_OK(ledger_cursor_finish(cursor, &err), &err);
    CHECK_INT(next, ENTRIES + 1);
    CHECK_OK(ledger_verify(ledger, NULL, &err), &err);
    ledger_close(ledger);
}

/* Each row is one change to the file that verification must name. */
TEST(verify_names_the_first_damaged_entry)
{
    static const struct {
        const char *row;
        const char *sql;
        EntryId want; /* 0: no entry */
    } rows[] = {
        /* clang-format off */
        {"amount",             "UPDATE entry SET lines = '[[2,11],[1,-11]]' WHERE id = 3",  3},
        {"account",            "UPDATE entry SET lines = replace(lines, '[2', '[3') WHERE id = 3", 3},
        {"memo",               "UPDATE entry SET memo = 'other' WHERE id = 2",              2},
        {"day",                "UPDATE entry SET day = day + 1 WHERE id = 5",               5},
        {"key",                "UPDATE entry SET key = 'other' WHERE id = 1",               1},
        {"source",             "UPDATE source SET clause = 'other' WHERE clause = 'k2'",    3},
        {"hash",               "UPDATE entry SET hash = zeroblob(32) WHERE id = 4",         4},
        {"code of an account", "UPDATE account SET code = 'zz' WHERE id = 3",               2},
        {"lines no JSON",      "UPDATE entry SET lines = '[[2,1' WHERE id = 3",             3},
        {"lines of nobody",    "UPDATE entry SET lines = '[[2,1],[9,-1]]' WHERE id = 3",    3},
        {"one in between gone", "DELETE FROM entry WHERE id = 3",                           3},
        {"the last gone",      "DELETE FROM entry WHERE id = 6",                            6},
        {"reversal link",      "UPDATE entry SET reverses = 1 WHERE id = 2",                2},
        {"correction link",    "UPDATE entry SET corrects = 1 WHERE id = 2",                2},
        {"act",                "UPDATE act SET person = 'other'",                           0},
        {"act gone",           "DELETE FROM act",                                           0},
        {"acts of the head",   "UPDATE head SET acts = 0, act_hash = zeroblob(32)",         0},
        {"period opened",      "UPDATE period SET state = 1 WHERE month = 202003",          0},
        {"period closed",      "UPDATE period SET state = 2 WHERE month = 202002",          0},
        {"balance",            "UPDATE account SET debit = debit + 1 WHERE id = 2",         0},
        {"total",              "UPDATE total SET debit = debit + 1 WHERE account = 2",      0},
        {"total gone",         "DELETE FROM total WHERE account = 2",                       0},
        {"period gone",        "PRAGMA foreign_keys = OFF; DELETE FROM period",             1},
        {"total of no period", "PRAGMA foreign_keys = OFF; INSERT INTO total VALUES(2, 7, 0, 0)", 0},
        {"total too many",     "INSERT INTO total VALUES(1, 202002, 1, 0)",                 0},
        {"list",               "UPDATE account_entry SET entries = x'02' WHERE account = 3", 0},
        {"list gone",          "DELETE FROM account_entry WHERE account = 1",               0},
        {"list broken",        "UPDATE account_entry SET entries = x'80' WHERE account = 1", 0},
        {"head",               "UPDATE head SET lines = 11",                                0},
        {"head's hash",        "UPDATE head SET hash = zeroblob(32)",                       0},
        {"source unknown",     "PRAGMA foreign_keys = OFF; UPDATE entry SET source = 99 WHERE id = 6", 6},
        {"index",              "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = "
                               "replace(sql, 'WHERE reverses IS NOT NULL', 'WHERE reverses IS NULL') "
                               "WHERE name = 'entry_by_reverses'",                          0},
        /* clang-format on */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Error err = {0};
        Str path = fresh_path(arena);
        Ledger *ledger = helper_open(path);
        helper_add_accounts(ledger, arena, 3);
        REQUIRE_OK(ledger_open_period(ledger, 202001, &err), &err);
        REQUIRE_OK(ledger_open_period(ledger, 202002, &err), &err);
        for (int k = 0; k < 6; k++) {
            char key[16];
            snprintf(key, sizeof(key), "k%d", k);
            post(ledger, key, 202001, 1, (AccountId)(2 + k % 2), 10 + k);
        }
        REQUIRE_OK(ledger_open_period(ledger, 202003, &err), &err);
        LedgerPeriodChange change = {.month = 202003,
                                     .to = PERIOD_CLOSED,
                                     .person = S("anna"),
                                     .day = day_from_date(2020, 4, 2),
                                     .reason = S("month end")};
        REQUIRE_OK(ledger_change_period(ledger, &change, &err), &err);
        CHECK_OK(ledger_verify(ledger, NULL, &err), &err);
        ledger_close(ledger);
        meddle(arena, path, rows[i].sql);
        ledger = helper_open(path);
        LedgerVerdict verdict;
        CHECK_ROW(rows[i].row, ledger_verify(ledger, &verdict, &err), ERR_DAMAGED);
        CHECK_ROW(rows[i].row, verdict.first_damaged, rows[i].want);
        ledger_close(ledger);
    }
}

/* Bytes that change by themselves: whatever they hit, nothing crashes, and either opening or
   verifying says so or the file still says the same. */
TEST(damaged_bytes_are_found_or_harmless)
{
    Error err = {0};
    Str path = fresh_path(arena);
    Ledger *ledger = helper_open(path);
    helper_add_accounts(ledger, arena, 3);
    REQUIRE_OK(ledger_open_period(ledger, 202001, &err), &err);
    for (int k = 0; k < 60; k++) {
        char key[16];
        snprintf(key, sizeof(key), "k%d", k);
        post(ledger, key, 202001, 1, (AccountId)(2 + k % 2), 10 + k);
    }
    ledger_close(ledger);
    Str whole;
    REQUIRE_OK(io_read_file(arena, path, 0, &whole, &err), &err);
    uint64_t seed = 99;
    size_t found = 0;
    for (int round = 0; round < 300; round++) {
        char *bytes = arena_copy(arena, whole.ptr, whole.len);
        size_t at = (size_t)(test_random(&seed) % whole.len);
        bytes[at] = (char)(bytes[at] ^ (1 + test_random(&seed) % 255));
        REQUIRE_OK(io_write_file(path, (Str){bytes, whole.len}, &err), &err);
        LedgerOptions options = {.path = path, .mode = LEDGER_READ};
        ErrorCode code = ledger_open(&options, &ledger, &err);
        if (code == ERR_OK) {
            code = ledger_verify(ledger, NULL, &err);
            if (code == ERR_OK)
                CHECK_INT((int64_t)ledger_entry_count(ledger), 60);
            ledger_close(ledger);
        }
        found += code != ERR_OK;
    }
    CHECK(found > 30); /* the rest fell on free space */
}

/* What loading alone refuses: the file holds what no ledger writes. */
TEST(open_refuses_tables_that_make_no_sense)
{
    static const struct {
        const char *row;
        const char *sql;
    } rows[] = {
        {"account numbers", "UPDATE account SET id = 9 WHERE id = 3"},
        {"account type", "UPDATE account SET type = 6 WHERE id = 1"},
        {"currency unknown", "UPDATE meta SET value = 'XXX'"},
        {"currency gone", "DELETE FROM meta"},
        {"head gone", "DROP TABLE head"},
        {"head empty", "DELETE FROM head"},
        {"entries below zero", "UPDATE head SET entries = -1"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Error err = {0};
        Str path = fresh_path(arena);
        Ledger *ledger = helper_open(path);
        helper_add_accounts(ledger, arena, 3);
        ledger_close(ledger);
        meddle(arena, path, rows[i].sql);
        static const LedgerMode modes[] = {LEDGER_WRITE, LEDGER_CREATE, LEDGER_READ};
        for (size_t k = 0; k < COUNT_OF(modes); k++) {
            LedgerOptions options = {.path = path, .mode = modes[k]};
            if (modes[k] == LEDGER_CREATE)
                options.currency = S("USD");
            ErrorCode code = ledger_open(&options, &ledger, &err);
            CHECK_ROW(rows[i].row, code, ERR_DAMAGED);
        }
    }
}

TEST(names_are_those_of_the_tables)
{
    AccountType type;
    CHECK(account_type_from_text(S("memorandum"), &type) && type == ACCOUNT_MEMORANDUM);
    CHECK(!account_type_from_text(S("Asset"), &type));
    CHECK_STR(str_from_c(post_result_name(POST_UNBALANCED)), S("UNBALANCED"));
    CHECK_STR(str_from_c(post_result_text(POST_UNBALANCED)), S("the lines do not sum to zero"));
    Error err = {0};
    Ledger *ledger = helper_open(S(":memory:"));
    LedgerLine lines[] = {{1, 1}, {2, -2}};
    LedgerEntry entry = {.key = S("k"), .lines = lines, .line_count = 2};
    CHECK_INT(ledger_post(ledger, &entry, NULL, &err), ERR_NOT_FOUND);
    CHECK_STR(str_from_c(err.message),
              S(":memory:: entry \"k\": a line names an account that does not exist"));
    ledger_close(ledger);
    ledger_close(NULL);
}

TEST(acts_are_kept_in_order_and_chained)
{
    Error err = {0};
    Str path = fresh_path(arena);
    Ledger *ledger = helper_open(path);
    LedgerAct act = {.kind = S("approve"), .subject = S("INV-000001"), .person = S("anna")};
    ActId id = 0;
    CHECK_OK(ledger_add_act(ledger, &act, &id, &err), &err);
    CHECK_INT(id, 1);
    REQUIRE_OK(ledger_begin(ledger, &err), &err);
    CHECK_OK(ledger_add_act(ledger, &act, &id, &err), &err);
    ledger_rollback(ledger);
    CHECK_INT(ledger_act_count(ledger), 1);
    act.kind = S("");
    CHECK_INT(ledger_add_act(ledger, &act, &id, &err), ERR_REFUSED);
    act.kind = S("hold");
    act.entry = 1;
    CHECK_INT(ledger_add_act(ledger, &act, &id, &err), ERR_NOT_FOUND);
    act.entry = 0;
    CHECK_OK(ledger_add_act(ledger, &act, &id, &err), &err);
    CHECK_INT(id, 2);
    ledger_close(ledger);
    ledger = helper_open(path);
    LedgerCursor *cursor = NULL;
    LedgerAct row;
    REQUIRE_OK(ledger_acts(ledger, &cursor, &err), &err);
    CHECK(ledger_next_act(cursor, &row));
    CHECK_STR(row.kind, S("approve"));
    CHECK_STR(row.subject, S("INV-000001"));
    CHECK(ledger_next_act(cursor, &row));
    CHECK_STR(row.kind, S("hold"));
    CHECK(!ledger_next_act(cursor, &row));
    CHECK_OK(ledger_cursor_finish(cursor, &err), &err);
    LedgerVerdict verdict;
    CHECK_OK(ledger_verify(ledger, &verdict, &err), &err);
    CHECK_INT(verdict.acts, 2);
    ledger_close(ledger);
}

TEST(what_a_closed_month_cannot_take_goes_to_the_next_open_one)
{
    Error err = {0};
    Ledger *ledger = helper_open(S(":memory:"));
    CHECK_INT(ledger_open_month(ledger, 202001), 202001);
    for (int32_t month = 202010; month <= 202012; month++)
        REQUIRE_OK(ledger_open_period(ledger, month, &err), &err);
    REQUIRE_OK(ledger_close_period(ledger, 202010, &err), &err);
    CHECK_INT(ledger_open_month(ledger, 202010), 202011);
    CHECK_INT(ledger_open_month(ledger, 202012), 202012);
    REQUIRE_OK(ledger_lock_period(ledger, 202011, &err), &err);
    REQUIRE_OK(ledger_close_period(ledger, 202012, &err), &err);
    CHECK_INT(ledger_open_month(ledger, 202010), 202101);
    CHECK_INT(ledger_open_month(ledger, 202103), 202103);
    ledger_close(ledger);
}

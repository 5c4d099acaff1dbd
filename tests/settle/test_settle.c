/*
 * Settling small populations: against the plainest calculation, and the properties that hold for
 * every one: facts = detail = lines = ledger, the same bytes on any number of threads and in any
 * order of the input, nothing posted twice, differences posted when the data or the rules change.
 */

#include "base/json.h"
#include "base/test.h"
#include "run.h"
#include "world.h"

enum { PERSONS = 400 };

static Str all_bytes(Arena *arena, Str out)
{
    static const char *const names[] = {"lines.ndjson", "unpaid.ndjson", "summary.json"};
    StrBuf bytes;
    Error err = {0};
    IoNames details = {0};
    strbuf_init(&bytes, arena, 0);
    Str folder = io_join(arena, out, S("settle"));
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        Str text;
        CHECK_OK(io_read_file(arena, io_join(arena, folder, str_from_c(names[i])), 0, &text, &err),
                 &err);
        strbuf_add(&bytes, text);
    }
    folder = io_join(arena, folder, S("details"));
    CHECK_OK(io_list_dir(arena, folder, &details, &err), &err);
    VEC_FOREACH (Str, name, &details) {
        Str text;
        CHECK_OK(io_read_file(arena, io_join(arena, folder, *name), 0, &text, &err), &err);
        strbuf_add(&bytes, *name);
        strbuf_add(&bytes, text);
    }
    return strbuf_str(&bytes);
}

/* ---- amounts ---- */

static int64_t naive_amount(const World *world, int practice, int month, const int64_t cents[2])
{
    int64_t total = 0;
    int32_t day = day_from_date(2020, month, 1);
    for (size_t i = 0; i < world->count; i++) {
        const WorldPerson *person = &world->persons[i];
        bool is_alive = person->birth <= day && (person->death == DAY_NONE || person->death >= day);
        if (!is_alive || world_practice(person, day) != practice)
            continue;
        int32_t year;
        int32_t of_year;
        int32_t of_month;
        day_to_date(person->birth, &year, &of_year, &of_month);
        int age = 2020 - year - (of_year > month || (of_year == month && of_month > 1));
        total += cents[age >= 65];
    }
    return total;
}

static int64_t result_amount(const SettleResult *result, Str practice, Str period)
{
    int64_t total = 0;
    for (size_t i = 0; i < result->line_count; i++)
        if (str_eq(result->lines[i].practice, practice) && str_eq(result->lines[i].period, period))
            total += result->lines[i].amount_minor;
    return total;
}

TEST(amounts_are_those_of_the_plainest_calculation)
{
    Str folder = test_temp_dir(arena);
    World world = world_make(arena, PERSONS, 1);
    Store *store CLEANUP(store_cleanup) = world_store(arena, &world, 0, folder, "store");
    const Contract *contract = world_contract(arena, world_contract_text(arena, 250, 500));
    const SettleResult *result = NULL;
    if (store == NULL || contract == NULL)
        return;
    CLEANUP(ledger_close_cleanup) Ledger *ledger = run_memory_ledger();
    SettleCase settle = run_make(arena, contract, store, io_join(arena, folder, S("out")));
    settle.ledger = ledger;
    if (!CHECK_OK(run_settle(&settle, &result), &settle.err))
        return;
    int64_t cents[2] = {250, 500};
    int64_t total = 0;
    for (int month = 1; month <= 12; month++) {
        for (int practice = 0; practice < WORLD_PRACTICES; practice++) {
            int64_t want = naive_amount(&world, practice, month, cents);
            Str period = str_format(arena, "2020-%02d", month);
            CHECK_INT(result_amount(result, world_practice_id(arena, practice), period), want);
            total += want;
        }
    }
    CHECK(total > 0);
    CHECK_INT(result->total_minor, total);
    CHECK_INT(result->persons, PERSONS);
    CHECK(result->persons_unattributed > 0);
    CHECK_INT(result->posting.posted_minor, total);
    CHECK_INT(result->posting.entries, result->group_count);
    run_check_sums(&settle, result);
    CHECK_OK(ledger_verify(ledger, NULL, &settle.err), &settle.err);
    Account expense = ledger_account(ledger, ledger_find_account(ledger, S("expense:world:fee")));
    CHECK_INT(expense.balance, total);
}

/* Each line's persons, one by one, are those that the world says. */
TEST(persons_behind_a_line_are_the_right_ones)
{
    Str folder = test_temp_dir(arena);
    World world = world_make(arena, PERSONS, 2);
    Store *store CLEANUP(store_cleanup) = world_store(arena, &world, 0, folder, "store");
    const Contract *contract = world_contract(arena, world_contract_text(arena, 100, 100));
    const SettleResult *result = NULL;
    if (store == NULL || contract == NULL)
        return;
    SettleCase settle = run_make(arena, contract, store, io_join(arena, folder, S("out")));
    if (!CHECK_OK(run_settle(&settle, &result), &settle.err))
        return;
    for (size_t i = 0; i < result->line_count; i++) {
        const SettleLine *line = &result->lines[i];
        SettleFactVec facts;
        CHECK_OK(settle_line_facts(arena, settle.out, line, &facts, &settle.err), &settle.err);
        CHECK_INT(facts.count, line->quantity);
        VEC_FOREACH (SettleFact, fact, &facts) {
            int64_t number = -1;
            CHECK(str_to_int64(str_slice(fact->person, 1, SIZE_MAX), &number));
            const WorldPerson *person = &world.persons[number];
            int practice = world_practice(person, line->first_day);
            CHECK_STR(world_practice_id(arena, practice), line->practice);
        }
    }
}

/* Rows of unpaid.ndjson are spans of months: each month once, and only those. */
TEST(who_belongs_to_nobody_is_listed_for_exactly_those_months)
{
    Str folder = test_temp_dir(arena);
    World world = world_make(arena, PERSONS, 12);
    Store *store CLEANUP(store_cleanup) = world_store(arena, &world, 0, folder, "store");
    const Contract *contract = world_contract(arena, world_contract_text(arena, 250, 500));
    const SettleResult *result = NULL;
    if (store == NULL || contract == NULL)
        return;
    SettleCase settle = run_make(arena, contract, store, io_join(arena, folder, S("out")));
    if (!CHECK_OK(run_settle(&settle, &result), &settle.err))
        return;
    Str rest;
    Str row;
    bool(*listed)[13] = arena_zalloc_array(arena, PERSONS, sizeof(*listed));
    uint64_t months = 0;
    Str path = io_join(arena, settle.out, S("settle/unpaid.ndjson"));
    CHECK_OK(io_read_file(arena, path, 0, &rest, &settle.err), &settle.err);
    while (str_split_next(&rest, '\n', &row) && row.len > 0) {
        JsonValue *value = NULL;
        int64_t person;
        int64_t from;
        int64_t to;
        CHECK_OK(json_parse(arena, row, &value, &settle.err), &settle.err);
        CHECK(str_to_int64(str_slice(json_find_text(value, S("person")), 1, SIZE_MAX), &person));
        CHECK(str_to_int64(str_slice(json_find_text(value, S("from")), 5, 2), &from));
        CHECK(str_to_int64(str_slice(json_find_text(value, S("to")), 5, 2), &to));
        for (; from <= to; from++, months++) {
            CHECK(!listed[person][from]);
            listed[person][from] = true;
        }
    }
    CHECK_INT(months, result->person_periods_unattributed);
    for (size_t i = 0; i < PERSONS; i++) {
        const WorldPerson *person = &world.persons[i];
        for (int month = 1; month <= 12; month++) {
            int32_t day = day_from_date(2020, month, 1);
            bool is_alive =
                person->birth <= day && (person->death == DAY_NONE || person->death >= day);
            CHECK_INT(listed[i][month], is_alive && world_practice(person, day) < 0);
        }
    }
}

/* ---- the same bytes ---- */

TEST(threads_and_order_of_input_change_no_byte)
{
    static const struct {
        const char *row;
        size_t threads;
        uint64_t shuffle;
    } rows[] = {{"one thread", 1, 0}, {"seven threads", 7, 0}, {"another order", 2, 99}};
    Str folder = test_temp_dir(arena);
    World world = world_make(arena, PERSONS, 3);
    const Contract *contract = world_contract(arena, world_contract_text(arena, 250, 500));
    Str want = {0};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Str name = str_format(arena, "store-%zu", i);
        Store *store CLEANUP(store_cleanup) =
            world_store(arena, &world, rows[i].shuffle, folder, str_to_c(arena, name));
        Str out = io_join(arena, folder, str_format(arena, "out-%zu", i));
        const SettleResult *result = NULL;
        if (store == NULL || contract == NULL)
            return;
        SettleCase settle = run_make(arena, contract, store, out);
        settle.threads = rows[i].threads;
        CHECK_OK(run_settle(&settle, &result), &settle.err);
        Str bytes = all_bytes(arena, out);
        if (i == 0)
            want = bytes;
        CHECK_ROW(rows[i].row, str_eq(bytes, want), true);
    }
}

/* ---- posting again ---- */

TEST(the_same_run_again_posts_nothing)
{
    Str folder = test_temp_dir(arena);
    World world = world_make(arena, PERSONS, 4);
    Store *store CLEANUP(store_cleanup) = world_store(arena, &world, 0, folder, "store");
    const Contract *contract = world_contract(arena, world_contract_text(arena, 250, 500));
    const SettleResult *result = NULL;
    if (store == NULL || contract == NULL)
        return;
    CLEANUP(ledger_close_cleanup) Ledger *ledger = run_memory_ledger();
    SettleCase settle = run_make(arena, contract, store, io_join(arena, folder, S("out")));
    settle.ledger = ledger;
    CHECK_OK(run_settle(&settle, &result), &settle.err);
    size_t entries = ledger_entry_count(ledger);
    CHECK_OK(run_settle(&settle, &result), &settle.err);
    CHECK_INT(result->posting.entries, 0);
    CHECK_INT(result->posting.unchanged, result->group_count);
    CHECK_INT(result->posting.posted_minor, 0);
    CHECK_INT(ledger_entry_count(ledger), entries);
}

/* Posts version after version of the data or the contract; the ledger always ends at the last. */
TEST(changes_post_the_difference)
{
    Str folder = test_temp_dir(arena);
    World world = world_make(arena, PERSONS, 5);
    World fewer = {.persons = world.persons + 40, .count = PERSONS - 40};
    World none = {.persons = world.persons, .count = 1};
    none.persons[0].encounter_count = 0;
    Store *all CLEANUP(store_cleanup) = world_store(arena, &world, 0, folder, "all");
    Store *some CLEANUP(store_cleanup) = world_store(arena, &fewer, 0, folder, "some");
    Store *nobody CLEANUP(store_cleanup) = world_store(arena, &none, 0, folder, "nobody");
    const Contract *contract = world_contract(arena, world_contract_text(arena, 250, 500));
    const Contract *dearer = world_contract(arena, world_contract_text(arena, 260, 500));
    CLEANUP(ledger_close_cleanup) Ledger *ledger = run_memory_ledger();
    const struct {
        const char *row;
        const Store *store;
        const Contract *contract;
        bool is_change;
    } rows[] = {
        {"first", all, contract, true},
        {"data gone", some, contract, true},
        {"data back", all, contract, true},
        {"nothing new", all, contract, false},
        {"another price", all, dearer, true},
        {"gone again", some, contract, true},
        {"everybody gone", nobody, contract, true},
        {"all again", all, contract, true},
    };
    if (all == NULL || some == NULL || nobody == NULL || contract == NULL || dearer == NULL)
        return;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const SettleResult *result = NULL;
        SettleCase settle =
            run_make(arena, rows[i].contract, rows[i].store, io_join(arena, folder, S("out")));
        settle.ledger = ledger;
        if (!CHECK_OK(run_settle(&settle, &result), &settle.err))
            return;
        CHECK_ROW(rows[i].row, result->posting.entries > 0, rows[i].is_change);
        run_check_sums(&settle, result);
        Account expense =
            ledger_account(ledger, ledger_find_account(ledger, S("expense:world:fee")));
        CHECK_ROW(rows[i].row, expense.balance, result->total_minor);
        ledger_check(ledger);
    }
    Error err = {0};
    CHECK_OK(ledger_verify(ledger, NULL, &err), &err);
}

/* Periods after the day are neither settled nor taken back. */
TEST(a_run_through_a_day_leaves_later_periods_alone)
{
    Str folder = test_temp_dir(arena);
    World world = world_make(arena, PERSONS, 6);
    Store *store CLEANUP(store_cleanup) = world_store(arena, &world, 0, folder, "store");
    const Contract *contract = world_contract(arena, world_contract_text(arena, 250, 500));
    if (store == NULL || contract == NULL)
        return;
    CLEANUP(ledger_close_cleanup) Ledger *ledger = run_memory_ledger();
    SettleCase settle = run_make(arena, contract, store, io_join(arena, folder, S("out")));
    settle.ledger = ledger;
    const SettleResult *half = NULL;
    const SettleResult *whole = NULL;
    const SettleResult *again = NULL;
    settle.through_day = day_from_date(2020, 6, 30);
    CHECK_OK(run_settle(&settle, &half), &settle.err);
    settle.through_day = DAY_NONE;
    CHECK_OK(run_settle(&settle, &whole), &settle.err);
    CHECK_INT(half->posting.posted_minor + whole->posting.posted_minor, whole->total_minor);
    CHECK_INT(whole->posting.unchanged, half->group_count);
    settle.through_day = day_from_date(2020, 6, 29);
    CHECK_OK(run_settle(&settle, &again), &settle.err);
    CHECK_INT(again->posting.entries, 0);
    for (size_t i = 0; i < again->line_count; i++)
        CHECK(again->lines[i].last_day <= settle.through_day);
}

/* The contract goes on under its id in the next year: what is outside of its period stays. */
TEST(another_year_of_the_contract_takes_nothing_back)
{
    Str folder = test_temp_dir(arena);
    World world = world_make(arena, PERSONS, 13);
    Store *store CLEANUP(store_cleanup) = world_store(arena, &world, 0, folder, "store");
    Str text = world_contract_text(arena, 250, 500);
    size_t at = str_find(text, S("{from: 2020-01-01, to: 2020-12-31}"));
    Str next =
        str_format(arena, "%.*s{from: 2021-01-01, to: 2021-12-31}%.*s",
                   STR_ARG(str_slice(text, 0, at)), STR_ARG(str_slice(text, at + 34, SIZE_MAX)));
    CLEANUP(ledger_close_cleanup) Ledger *ledger = run_memory_ledger();
    SettleCase settle =
        run_make(arena, world_contract(arena, text), store, io_join(arena, folder, S("out")));
    const SettleResult *first = NULL;
    const SettleResult *second = NULL;
    settle.ledger = ledger;
    if (store == NULL || !CHECK_OK(run_settle(&settle, &first), &settle.err))
        return;
    settle.contract = world_contract(arena, next);
    if (!CHECK_OK(run_settle(&settle, &second), &settle.err))
        return;
    CHECK_INT(second->posting.corrected, 0);
    CHECK_INT(second->posting.posted_minor, second->total_minor);
    Account expense = ledger_account(ledger, ledger_find_account(ledger, S("expense:world:fee")));
    CHECK_INT(expense.balance, first->total_minor + second->total_minor);
}

/* ---- refusals ---- */

TEST(a_closed_period_is_never_changed)
{
    Str folder = test_temp_dir(arena);
    World world = world_make(arena, PERSONS, 7);
    Store *store CLEANUP(store_cleanup) = world_store(arena, &world, 0, folder, "store");
    const Contract *contract = world_contract(arena, world_contract_text(arena, 250, 500));
    const Contract *dearer = world_contract(arena, world_contract_text(arena, 300, 500));
    const SettleResult *result = NULL;
    if (store == NULL || contract == NULL || dearer == NULL)
        return;
    CLEANUP(ledger_close_cleanup) Ledger *ledger = run_memory_ledger();
    SettleCase settle = run_make(arena, contract, store, io_join(arena, folder, S("out")));
    settle.ledger = ledger;
    CHECK_OK(run_settle(&settle, &result), &settle.err);
    size_t entries = ledger_entry_count(ledger);
    CHECK_OK(ledger_close_period(ledger, 202005, &settle.err), &settle.err);
    settle.contract = dearer;
    settle.posting_day = day_from_date(2020, 5, 31);
    CHECK_INT(run_settle(&settle, &result), ERR_CLOSED);
    CHECK_INT(ledger_entry_count(ledger), entries);
    /* The differences can go into a period that is open; the closed one stays as it was. */
    settle.posting_day = day_from_date(2021, 1, 31);
    int64_t before = result->total_minor;
    if (!CHECK_OK(run_settle(&settle, &result), &settle.err))
        return;
    CHECK_INT(result->posting.posted_minor, result->total_minor - before);
    run_check_sums(&settle, result);
    LedgerEntry last;
    CHECK_OK(ledger_entry(ledger, arena, (EntryId)ledger_entry_count(ledger), &last, &settle.err),
             &settle.err);
    CHECK_INT(last.month, 202101);
    CHECK(str_find(last.memo, S("the last entry for it is")) != SIZE_MAX);
}

TEST(another_currency_is_refused)
{
    Str folder = test_temp_dir(arena);
    World world = world_make(arena, 10, 8);
    Store *store CLEANUP(store_cleanup) = world_store(arena, &world, 0, folder, "store");
    const Contract *contract = world_contract(arena, world_contract_text(arena, 250, 500));
    const SettleResult *result = NULL;
    Error err = {0};
    CLEANUP(ledger_close_cleanup) Ledger *ledger = NULL;
    LedgerOptions options = {.path = S(":memory:"), .mode = LEDGER_CREATE, .currency = S("EUR")};
    CHECK_OK(ledger_open(&options, &ledger, &err), &err);
    if (store == NULL || contract == NULL)
        return;
    SettleCase settle = run_make(arena, contract, store, io_join(arena, folder, S("out")));
    settle.ledger = ledger;
    CHECK_INT(run_settle(&settle, &result), ERR_REFUSED);
    CHECK_INT(ledger_entry_count(ledger), 0);
}

TEST(a_detail_file_that_was_changed_is_noticed)
{
    Str folder = test_temp_dir(arena);
    World world = world_make(arena, 50, 9);
    Store *store CLEANUP(store_cleanup) = world_store(arena, &world, 0, folder, "store");
    const Contract *contract = world_contract(arena, world_contract_text(arena, 250, 500));
    const SettleResult *result = NULL;
    if (store == NULL || contract == NULL)
        return;
    SettleCase settle = run_make(arena, contract, store, io_join(arena, folder, S("out")));
    if (!CHECK_OK(run_settle(&settle, &result), &settle.err))
        return;
    run_check_sums(&settle, result);
    const SettleLine *line = &result->lines[0];
    Str path = str_format(arena, "%.*s/settle/details/%.*s.ndjson", STR_ARG(settle.out),
                          STR_ARG(line->detail));
    Str text;
    CHECK_OK(io_read_file(arena, path, 0, &text, &settle.err), &settle.err);
    char *bytes = arena_copy(arena, text.ptr, text.len);
    bytes[text.len / 2] ^= 1;
    CHECK_OK(io_write_file(path, (Str){.ptr = bytes, .len = text.len}, &settle.err), &settle.err);
    SettleFactVec facts;
    DiagList diags;
    diag_init(&diags, arena);
    CHECK_INT(settle_line_facts(arena, settle.out, line, &facts, &settle.err), ERR_DAMAGED);
    CHECK_INT(settle_check(result, settle.out, NULL, &diags, &settle.err), ERR_DAMAGED);
}

/* ---- statements ---- */

TEST(a_statement_adds_up)
{
    Str folder = test_temp_dir(arena);
    World world = world_make(arena, PERSONS, 10);
    Store *store CLEANUP(store_cleanup) = world_store(arena, &world, 0, folder, "store");
    const Contract *contract = world_contract(arena, world_contract_text(arena, 250, 500));
    const SettleResult *result = NULL;
    if (store == NULL || contract == NULL)
        return;
    CLEANUP(ledger_close_cleanup) Ledger *ledger = run_memory_ledger();
    SettleCase settle = run_make(arena, contract, store, io_join(arena, folder, S("out")));
    settle.ledger = ledger;
    if (!CHECK_OK(run_settle(&settle, &result), &settle.err))
        return;
    const Str *practices;
    size_t count = settle_practices(result, arena, &practices);
    int64_t total = 0;
    CHECK_INT(count, WORLD_PRACTICES);
    for (size_t i = 0; i < count; i++) {
        SettleStatement statement = {.result = result, .practice = practices[i], .ledger = ledger};
        StrBuf json;
        StrBuf text;
        JsonValue *value = NULL;
        strbuf_init(&json, arena, 0);
        strbuf_init(&text, arena, 0);
        settle_statement_json(&statement, &json);
        settle_statement_text(&statement, &text);
        CHECK_OK(json_parse(arena, strbuf_str(&json), &value, &settle.err), &settle.err);
        int64_t minor = 0;
        CHECK(money_parse(json_find_text(value, S("total")), contract->currency, &minor) ||
              money_parse(json_find(value, S("total"))->text, contract->currency, &minor));
        total += minor;
        Account payable = ledger_account(
            ledger,
            ledger_find_account(ledger, str_format(arena, "payable:%.*s", STR_ARG(practices[i]))));
        CHECK_INT(payable.balance, -minor);
        CHECK(str_find(strbuf_str(&text), S("Balances in the ledger")) != SIZE_MAX);
        Str written;
        Str path = str_format(arena, "%.*s/settle/statements/%.*s.txt", STR_ARG(settle.out),
                              STR_ARG(practices[i]));
        CHECK_OK(io_read_file(arena, path, 0, &written, &settle.err), &settle.err);
        CHECK_STR(written, strbuf_str(&text));
    }
    CHECK_INT(total, result->total_minor);
}

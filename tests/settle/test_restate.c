/*
 * Restatement: late facts and changed rules are posted as differences in open months, linked to
 * what they correct with the reason; closed months never change; in whatever order facts arrive,
 * the ledger ends at the same amount for each practice, clause and service period.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/test.h"
#include "run.h"
#include "settle/settle_int.h"
#include "world.h"

enum { PERSONS = 90, BATCHES = 4, SUBSETS = 1 << BATCHES, ORDERS = 10 };

/* Those of the encounters that have arrived: each belongs to one of BATCHES. */
static World arrived(Arena *arena, const World *world, unsigned batches)
{
    World some = {.persons = ARENA_ARRAY(arena, WorldPerson, world->count), .count = world->count};
    for (size_t i = 0; i < world->count; i++) {
        WorldPerson *person = &some.persons[i];
        *person = world->persons[i];
        person->encounter_count = 0;
        for (size_t k = 0; k < world->persons[i].encounter_count; k++)
            if (batches >> ((i * 7 + k) % BATCHES) & 1)
                person->encounters[person->encounter_count++] = world->persons[i].encounters[k];
    }
    return some;
}

/* Debits of each account up to the month. */
static Str books_through(Arena *arena, Ledger *ledger, int32_t month)
{
    StrBuf out;
    Error err = {0};
    LedgerCursor *cursor = NULL;
    TrialRow row;
    strbuf_init(&out, arena, 0);
    CHECK_OK(ledger_trial_balance(ledger, month, &cursor, &err), &err);
    while (ledger_next_trial_row(cursor, &row))
        if (row.debit != 0 || row.credit != 0)
            strbuf_printf(&out, "%.*s %lld %lld\n",
                          STR_ARG(ledger_account(ledger, row.account).code), (long long)row.debit,
                          (long long)row.credit);
    CHECK_OK(ledger_cursor_finish(cursor, &err), &err);
    return strbuf_str(&out);
}

/* What stands for each practice, clause and service period, as lines in order of text. */
static Str standing(Arena *arena, const Contract *contract, Ledger *ledger)
{
    PostedGroups posted;
    Error err = {0};
    StrBuf out;
    Vec(Str) lines = {0};
    CHECK_OK(settle_read_posted(arena, contract, ledger, &posted, &err), &err);
    for (size_t i = 0; i < posted.groups.count; i++) {
        const PostedGroup *group = &posted.groups.items[i];
        if (group->minor != 0)
            VEC_PUSH(
                arena, &lines,
                str_format(arena, "%.*s %lld\n", STR_ARG(group->prefix), (long long)group->minor));
    }
    if (lines.count > 0)
        qsort(lines.items, lines.count, sizeof(Str), str_compare_items);
    strbuf_init(&out, arena, 0);
    VEC_FOREACH (Str, line, &lines)
        strbuf_add(&out, *line);
    return strbuf_str(&out);
}

/* One order of arrival, with a month closed behind every run; what stands at the end. */
static Str settle_in_order(Arena *arena, const Contract *contract, Store *const *stores,
                           const unsigned order[BATCHES], Str out)
{
    CLEANUP(ledger_close_cleanup) Ledger *ledger = run_memory_ledger();
    unsigned have = 0;
    Str closed = S("");
    int32_t closed_month = 0;
    for (size_t i = 0; i < BATCHES; i++) {
        have |= 1u << order[i];
        SettleCase settle = run_make(arena, contract, stores[have], out);
        const SettleResult *result = NULL;
        settle.ledger = ledger;
        if (!CHECK_OK(run_settle(&settle, &result), &settle.err))
            return S("failed");
        run_check_sums(&settle, result);
        if (closed_month != 0)
            CHECK_STR(books_through(arena, ledger, closed_month), closed);
        for (int32_t month = closed_month + 1; month <= 202000 + 3 * ((int)i + 1); month++)
            if (ledger_period(ledger, month) == PERIOD_OPEN)
                CHECK_OK(ledger_close_period(ledger, month, &settle.err), &settle.err);
        closed_month = 202000 + 3 * ((int)i + 1);
        closed = books_through(arena, ledger, closed_month);
    }
    Error err = {0};
    CHECK_OK(ledger_verify(ledger, NULL, &err), &err);
    return standing(arena, contract, ledger);
}

TEST(any_order_of_late_facts_ends_at_the_same_balances)
{
    Str folder = test_temp_dir(arena);
    World world = world_make(arena, PERSONS, 31);
    const Contract *contract = world_contract(arena, world_contract_text(arena, 250, 500));
    Store *stores[SUBSETS] = {NULL};
    bool is_ready = contract != NULL;
    for (unsigned set = 1; set < SUBSETS; set++) {
        World some = arrived(arena, &world, set);
        char name[16];
        (void)snprintf(name, sizeof(name), "store-%u", set);
        stores[set] = world_store(arena, &some, 0, folder, name);
        is_ready = is_ready && stores[set] != NULL;
    }
    Str want = S("");
    uint64_t seed = 5;
    for (size_t round = 0; is_ready && round < ORDERS; round++) {
        unsigned order[BATCHES] = {0, 1, 2, 3};
        for (size_t left = BATCHES; left > 1; left--) {
            size_t pick = (size_t)(test_random(&seed) % left);
            unsigned swapped = order[left - 1];
            order[left - 1] = order[pick];
            order[pick] = swapped;
        }
        Str got = settle_in_order(arena, contract, stores, order,
                                  io_join(arena, folder, str_format(arena, "out-%zu", round)));
        if (round == 0)
            want = got;
        CHECK(got.len > 100);
        CHECK_STR(got, want);
    }
    for (size_t i = 0; i < SUBSETS; i++)
        store_close(stores[i]);
}

/* ---- what a difference says ---- */

typedef struct {
    Str folder;
    Store *all;
    Store *some;
    const Contract *contract;
    Ledger *ledger;
} Late;

static bool late_make(Arena *arena, Late *late)
{
    World world = world_make(arena, PERSONS, 32);
    World some = arrived(arena, &world, 7);
    late->folder = test_temp_dir(arena);
    late->all = world_store(arena, &world, 0, late->folder, "all");
    late->some = world_store(arena, &some, 0, late->folder, "some");
    late->contract = world_contract(arena, world_contract_text(arena, 250, 500));
    late->ledger = run_memory_ledger();
    return late->all != NULL && late->some != NULL && late->contract != NULL;
}

static void late_done(Late *late)
{
    store_close(late->all);
    store_close(late->some);
    ledger_close(late->ledger);
}

static ErrorCode late_settle(Arena *arena, const Late *late, SettleCase *settle,
                             const SettleResult **ret_result)
{
    settle->out = io_join(arena, late->folder, S("out"));
    settle->ledger = late->ledger;
    return run_settle(settle, ret_result);
}

TEST(a_difference_names_what_it_corrects_and_why)
{
    Late late = {0};
    const SettleResult *result = NULL;
    if (!late_make(arena, &late)) {
        late_done(&late);
        return;
    }
    SettleCase settle = run_make(arena, late.contract, late.some, S(""));
    CHECK_OK(late_settle(arena, &late, &settle, &result), &settle.err);
    EntryId first = (EntryId)ledger_entry_count(late.ledger);
    for (int32_t month = 202001; month <= 202006; month++)
        CHECK_OK(ledger_close_period(late.ledger, month, &settle.err), &settle.err);
    settle.store = late.all;
    CHECK_OK(late_settle(arena, &late, &settle, &result), &settle.err);
    CHECK(result->posting.corrected > 0);
    for (EntryId id = first + 1; id <= (EntryId)ledger_entry_count(late.ledger); id++) {
        LedgerEntry entry;
        LedgerEntry corrected;
        CHECK_OK(ledger_entry(late.ledger, arena, id, &entry, &settle.err), &settle.err);
        CHECK(entry.month >= 202007);
        if (entry.corrects == 0)
            continue;
        CHECK(str_ends_with(entry.memo, S("late facts")));
        CHECK_OK(ledger_entry(late.ledger, arena, entry.corrects, &corrected, &settle.err),
                 &settle.err);
        size_t len = str_find(entry.key, S("/v1/"));
        CHECK_STR(str_slice(entry.key, 0, len), str_slice(corrected.key, 0, len));
    }
    Str text;
    Str path = io_join(arena, late.folder, S("out/settle/differences.ndjson"));
    CHECK_OK(io_read_file(arena, path, 0, &text, &settle.err), &settle.err);
    size_t lines = 0;
    Str line;
    while (str_split_next(&text, '\n', &line)) {
        JsonValue *row;
        if (line.len == 0)
            continue;
        lines++;
        CHECK_OK(json_parse(arena, line, &row, &settle.err), &settle.err);
        CHECK_STR(json_find_text(row, S("status")), S("posted"));
    }
    CHECK_INT(lines, result->posting.entries);
    late_done(&late);
}

TEST(nothing_is_posted_beyond_the_look_back_or_for_what_is_frozen)
{
    static const struct {
        const char *row;
        int32_t look_back;
        const char *freeze;
        int32_t first_month; /* for which something may be posted */
    } rows[] = {
        {"look-back of three months", 3, "", 202009},
        {"frozen through May", 0, "2020-05-31", 202006},
        {"the stricter of both", 6, "2020-08-31", 202009},
        {"a day before the month's end freezes not it", 0, "2020-05-30", 202005},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Late late = {0};
        const SettleResult *result = NULL;
        if (!late_make(arena, &late)) {
            late_done(&late);
            return;
        }
        SettleCase settle = run_make(arena, late.contract, late.some, S(""));
        CHECK_OK(late_settle(arena, &late, &settle, &result), &settle.err);
        EntryId first = (EntryId)ledger_entry_count(late.ledger);
        int64_t before = result->total_minor;
        settle.store = late.all;
        settle.look_back_months = rows[i].look_back;
        if (rows[i].freeze[0] != '\0')
            CHECK(day_parse(str_from_c(rows[i].freeze), &settle.freeze_day));
        CHECK_OK(late_settle(arena, &late, &settle, &result), &settle.err);
        CHECK(result->posting.left > 0);
        CHECK(result->posting.entries > 0);
        CHECK_ROW(rows[i].row, result->posting.posted_minor + result->posting.left_minor,
                  result->total_minor - before);
        int32_t earliest = 999999;
        for (EntryId id = first + 1; id <= (EntryId)ledger_entry_count(late.ledger); id++) {
            LedgerEntry entry;
            CHECK_OK(ledger_entry(late.ledger, arena, id, &entry, &settle.err), &settle.err);
            earliest = entry.month < earliest ? entry.month : earliest;
        }
        CHECK_ROW(rows[i].row, earliest, rows[i].first_month);
        late_done(&late);
    }
}

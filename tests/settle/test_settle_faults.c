/*
 * What a full disk, a kill and a loss of power leave of a settlement: the ledger as before or as
 * after, never between, and the next run makes everything right without paying anything twice.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/power_loss.h"
#include "base/test.h"
#include "run.h"
#include "world.h"

enum { PERSONS = 60, POINTS = 100 };

/* A small world, a contract and what it comes to; the ledger is a file in the folder of the run. */
typedef struct {
    Arena *arena;
    Store *store;
    const Contract *contract;
    int64_t total;
    size_t groups;
} Fixture;

static bool fixture_make(Arena *arena, Fixture *ret_fixture)
{
    Str folder = test_temp_dir(arena);
    World world = world_make(arena, PERSONS, 11);
    Fixture fixture = {.arena = arena};
    fixture.store = world_store(arena, &world, 0, folder, "store");
    fixture.contract = world_contract(arena, world_contract_text(arena, 250, 500));
    if (fixture.store == NULL || fixture.contract == NULL)
        return false;
    const SettleResult *result = NULL;
    SettleCase settle =
        run_make(arena, fixture.contract, fixture.store, io_join(arena, folder, S("dry")));
    if (!CHECK_OK(run_settle(&settle, &result), &settle.err))
        return false;
    fixture.total = result->total_minor;
    fixture.groups = result->group_count;
    *ret_fixture = fixture;
    return true;
}

/* Opens the ledger below the folder and settles into the folder. */
static ErrorCode settle_into(const Fixture *fixture, Str folder, const SettleResult **ret_result,
                             Error *err)
{
    CLEANUP(ledger_close_cleanup) Ledger *ledger = NULL;
    Str path = io_join(fixture->arena, folder, S("ledger.db"));
    LedgerOptions options = {.path = path, .mode = LEDGER_CREATE, .currency = S("USD")};
    ErrorCode code = ledger_open(&options, &ledger, err);
    if (code != ERR_OK)
        return code;
    SettleCase settle = run_make(fixture->arena, fixture->contract, fixture->store, folder);
    settle.ledger = ledger;
    code = run_settle(&settle, ret_result);
    *err = settle.err;
    return code;
}

/* The ledger of the folder is whole, and holds nothing or everything. */
static void check_nothing_or_all(const Fixture *fixture, Str folder)
{
    Error err = {0};
    CLEANUP(ledger_close_cleanup) Ledger *ledger = NULL;
    Str path = io_join(fixture->arena, folder, S("ledger.db"));
    LedgerOptions options = {.path = path, .mode = LEDGER_CREATE, .currency = S("USD")};
    if (!CHECK_OK(ledger_open(&options, &ledger, &err), &err))
        return;
    CHECK_OK(ledger_verify(ledger, NULL, &err), &err);
    size_t entries = ledger_entry_count(ledger);
    CHECK(entries == 0 || entries == fixture->groups);
    AccountId id = ledger_find_account(ledger, S("expense:world:fee"));
    int64_t balance = id == 0 ? 0 : ledger_account(ledger, id).balance;
    CHECK_INT(balance, entries == 0 ? 0 : fixture->total);
}

/* After whatever happened: one run more and all is as it should be. */
static void check_mended(const Fixture *fixture, Str folder)
{
    Error err = {0};
    const SettleResult *result = NULL;
    if (!CHECK_OK(settle_into(fixture, folder, &result, &err), &err))
        return;
    CHECK_INT(result->total_minor, fixture->total);
    CHECK_INT(result->posting.entries + result->posting.unchanged, fixture->groups);
    CHECK_INT(result->posting.corrected, 0);
    CLEANUP(ledger_close_cleanup) Ledger *ledger = NULL;
    LedgerOptions options = {.path = io_join(fixture->arena, folder, S("ledger.db")),
                             .mode = LEDGER_WRITE};
    CHECK_OK(ledger_open(&options, &ledger, &err), &err);
    SettleCase settle = run_make(fixture->arena, fixture->contract, fixture->store, folder);
    settle.ledger = ledger;
    run_check_sums(&settle, result);
    CHECK_INT(ledger_entry_count(ledger), fixture->groups);
}

TEST(full_disk_at_any_write_leaves_nothing_or_all)
{
    Fixture fixture;
    if (!fixture_make(arena, &fixture))
        return;
    Str folder = test_temp_dir(arena);
    size_t writes = 1;
    bool has_ended = false;
    for (size_t n = 0; !has_ended && n < 2000; n += writes) {
        Str out = io_join(arena, folder, str_format(arena, "%zu", n));
        FullDisk disk = {.writes_left = n};
        const SettleResult *result = NULL;
        Error err = {0};
        CHECK_OK(io_make_dirs(out, &err), &err);
        io_set_hook(full_disk_hook, &disk);
        ErrorCode code = settle_into(&fixture, out, &result, &err);
        io_set_hook(NULL, NULL);
        has_ended = code == ERR_OK;
        if (!has_ended)
            CHECK_INT(code, ERR_DISK_FULL);
        check_nothing_or_all(&fixture, out);
        check_mended(&fixture, out);
    }
    CHECK(has_ended);
    store_close(fixture.store);
}

TEST(power_lost_at_any_moment_leaves_nothing_or_all)
{
    static const PowerLossMode modes[] = {POWER_LOSS_SYNCED, POWER_LOSS_RANDOM};
    Fixture fixture;
    if (!fixture_make(arena, &fixture))
        return;
    Str folder = test_temp_dir(arena);
    Str out = io_join(arena, folder, S("recorded"));
    Str target = io_join(arena, folder, S("replayed"));
    const SettleResult *result = NULL;
    Error err = {0};
    CHECK_OK(io_make_dirs(out, &err), &err);
    /* The run gives memory of its arena back; what is recorded lives elsewhere. */
    CLEANUP(arena_cleanup) Arena *kept = arena_create(0);
    PowerLoss *recording = power_loss_begin(kept, out);
    ErrorCode code = settle_into(&fixture, out, &result, &err);
    power_loss_end(recording);
    if (!CHECK_OK(code, &err))
        return;
    size_t events = power_loss_events(recording);
    size_t step = events / (POINTS / 2) + 1;
    for (size_t n = 0; n <= events; n += step) {
        for (size_t i = 0; i < COUNT_OF(modes); i++) {
            CHECK_OK(io_make_dirs(target, &err), &err);
            CHECK_OK(power_loss_replay(recording, n, modes[i], n + 1, target, &err), &err);
            check_nothing_or_all(&fixture, target);
            check_mended(&fixture, target);
        }
    }
    store_close(fixture.store);
}

/* A child settles and is killed after so many microseconds; most of them are during the work. */
static void kill_while_settling(const Fixture *fixture, Str folder, useconds_t microseconds)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        const SettleResult *result = NULL;
        Error err = {0};
        ErrorCode code = settle_into(fixture, folder, &result, &err);
        _exit(code == ERR_OK ? 0 : 1);
    }
    (void)usleep(microseconds);
    (void)kill(child, SIGKILL);
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
}

TEST(killed_at_any_moment_leaves_nothing_or_all)
{
    Fixture fixture;
    if (!fixture_make(arena, &fixture))
        return;
    Str folder = test_temp_dir(arena);
    Error err = {0};
    uint64_t seed = 12;
    for (size_t i = 0; i < POINTS; i++) {
        Str out = io_join(arena, folder, S("out"));
        CHECK_OK(io_remove_tree(out, &err), &err);
        CHECK_OK(io_make_dirs(out, &err), &err);
        kill_while_settling(&fixture, out, (useconds_t)(test_random(&seed) % 25000));
        check_nothing_or_all(&fixture, out);
        /* Killed again while mending, then left in peace. */
        if (i % 4 == 0)
            kill_while_settling(&fixture, out, (useconds_t)(test_random(&seed) % 25000));
        check_mended(&fixture, out);
    }
    store_close(fixture.store);
}

/* A bit of the ledger's file turned round: posted right, or refused; never a crash, never wrong. */
TEST(a_damaged_ledger_is_not_posted_to)
{
    Fixture fixture;
    if (!fixture_make(arena, &fixture))
        return;
    Str folder = test_temp_dir(arena);
    Str path = io_join(arena, folder, S("ledger.db"));
    const SettleResult *result = NULL;
    Error err = {0};
    Str whole;
    if (!CHECK_OK(settle_into(&fixture, folder, &result, &err), &err) ||
        !CHECK_OK(io_read_file(arena, path, SIZE_MAX, &whole, &err), &err))
        return;
    uint64_t seed = 31;
    int refused = 0;
    for (int i = 0; i < POINTS; i++) {
        ArenaMark mark = arena_mark(arena);
        char *bytes = arena_copy(arena, whole.ptr, whole.len);
        size_t at = (size_t)(test_random(&seed) % whole.len);
        bytes[at] = (char)(bytes[at] ^ (1 << (test_random(&seed) % 8)));
        CHECK_OK(io_write_file(path, (Str){.ptr = bytes, .len = whole.len}, &err), &err);
        ErrorCode code = settle_into(&fixture, folder, &result, &err);
        refused += code != ERR_OK;
        if (code == ERR_OK)
            CHECK_INT(result->posting.entries, 0);
        arena_rewind(arena, mark);
    }
    CHECK(refused > POINTS / 4);
    store_close(fixture.store);
}

TEST(the_second_of_two_settlements_is_told_to_wait)
{
    Fixture fixture;
    if (!fixture_make(arena, &fixture))
        return;
    Str folder = test_temp_dir(arena);
    Error err = {0};
    const SettleResult *result = NULL;
    CLEANUP(io_close_cleanup) IoFile lock = IO_FILE_CLOSED;
    CHECK_OK(io_make_dirs(io_join(arena, folder, S("settle")), &err), &err);
    CHECK_OK(io_lock(io_join(arena, folder, S("settle/lock")), &lock, &err), &err);
    CHECK_INT(settle_into(&fixture, folder, &result, &err), ERR_BUSY);
    io_close_cleanup(&lock);
    lock.fd = -1;
    check_mended(&fixture, folder);
    store_close(fixture.store);
}

/* What a kill, a full disk and a loss of power leave behind: each batch whole or not at all. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/date.h"
#include "base/io.h"
#include "ledger_helper.h"

enum { BATCH_ENTRIES = 12, ACCOUNTS = 4 };

/* Makes the ledger what the batches need; a batch of its own each. */
static ErrorCode prepare(Ledger *ledger, Error *err)
{
    ErrorCode code = ledger_begin(ledger, err);
    for (size_t i = 0; code == ERR_OK && i < ACCOUNTS; i++) {
        AccountId id;
        const char name[2] = {(char)('a' + i), '\0'};
        code = ledger_add_account(ledger, str_from_c(name), ACCOUNT_ASSET, S(""), &id, err);
    }
    if (code == ERR_OK)
        code = ledger_open_period(ledger, 202001, err);
    if (code != ERR_OK) {
        ledger_rollback(ledger);
        return code;
    }
    return ledger_commit(ledger, err);
}

static ErrorCode post_one(Ledger *ledger, size_t batch, size_t number, Error *err)
{
    char key[48];
    char clause[32];
    snprintf(key, sizeof(key), "batch-%zu-entry-%zu", batch, number);
    snprintf(clause, sizeof(clause), "clause-%zu", batch);
    LedgerLine lines[] = {{(AccountId)(1 + number % ACCOUNTS), 100 + (int64_t)batch},
                          {(AccountId)(1 + (number + 1) % ACCOUNTS), -100 - (int64_t)batch}};
    LedgerEntry entry = {.key = str_from_c(key),
                         .day = day_from_date(2020, 1, 1 + (int32_t)(number % 28)),
                         .month = 202001,
                         .memo = S("a memo that takes some room in the page that it is on"),
                         .source = {.clause = str_from_c(clause)},
                         .lines = lines,
                         .line_count = 2};
    return ledger_post(ledger, &entry, NULL, err);
}

static ErrorCode post_batch(Ledger *ledger, size_t batch, Error *err)
{
    ErrorCode code = ledger_begin(ledger, err);
    if (code != ERR_OK)
        return code;
    for (size_t i = 0; code == ERR_OK && i < BATCH_ENTRIES; i++)
        code = post_one(ledger, batch, i, err);
    if (code != ERR_OK) {
        ledger_rollback(ledger);
        return code;
    }
    return ledger_commit(ledger, err);
}

/* Opens, verifies, and gives the number of whole batches, which are the first ones. */
static size_t whole_batches(Str path)
{
    Error err = {0};
    Ledger *ledger = helper_open(path);
    CHECK_OK(ledger_verify(ledger, NULL, &err), &err);
    ledger_check(ledger);
    size_t entries = ledger_entry_count(ledger);
    CHECK_INT((int64_t)(entries % BATCH_ENTRIES), 0);
    size_t batches = entries / BATCH_ENTRIES;
    for (size_t batch = 0; batch <= batches; batch++) {
        char key[48];
        EntryId id = 0;
        snprintf(key, sizeof(key), "batch-%zu-entry-%d", batch, BATCH_ENTRIES - 1);
        CHECK_OK(ledger_find_key(ledger, str_from_c(key), &id, &err), &err);
        CHECK_INT(id != 0, batch < batches);
    }
    ledger_close(ledger);
    return batches;
}

/* --- kill -9 --- */

static int kill_hook(void *context, const IoEvent *event, size_t *size)
{
    size_t *left = context;
    if ((*left)-- != 0)
        return 0;
    if (event->op == IO_WRITE)
        *size /= 2;
    kill(getpid(), SIGKILL);
    return EIO;
}

/* Posts batch after batch, telling each that is committed through the pipe; killed in between. */
static void poster_main(Str path, size_t first, size_t kill_at, int tell)
{
    Error err = {0};
    if (kill_at != SIZE_MAX)
        io_set_hook(kill_hook, &kill_at);
    Ledger *ledger = NULL;
    LedgerOptions options = {.path = path, .mode = LEDGER_CREATE, .currency = S("USD")};
    if (ledger_open(&options, &ledger, &err) != ERR_OK || prepare(ledger, &err) != ERR_OK)
        _exit(1);
    for (size_t batch = first; batch < first + 1000; batch++) {
        if (post_batch(ledger, batch, &err) != ERR_OK)
            _exit(1);
        if (write(tell, &batch, sizeof(batch)) != sizeof(batch))
            _exit(1);
    }
    _exit(0);
}

/* Returns how many batches the poster said it committed. */
static size_t run_poster(Str path, size_t first, uint64_t *seed, bool by_time)
{
    int tell[2];
    ASSERT(pipe(tell) == 0);
    size_t kill_at = by_time ? SIZE_MAX : (size_t)(test_random(seed) % 200);
    fflush(stdout);
    pid_t child = fork();
    ASSERT(child >= 0);
    if (child == 0)
        poster_main(path, first, kill_at, tell[1]);
    close(tell[1]);
    if (by_time) {
        struct timespec wait = {.tv_nsec = (long)(test_random(seed) % 40000000)};
        nanosleep(&wait, NULL);
        kill(child, SIGKILL);
    }
    int status;
    ASSERT(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    size_t batch;
    size_t told = first;
    while (read(tell[0], &batch, sizeof(batch)) == sizeof(batch))
        told = batch + 1;
    close(tell[0]);
    return told;
}

TEST(killed_at_a_hundred_random_points_each_batch_is_whole_or_absent)
{
    uint64_t seed = 4711;
    Str path = S("");
    size_t batches = 0;
    for (int round = 0; round < 100; round++) {
        if (round % 10 == 0) {
            path = io_join(arena, test_temp_dir(arena), S("ledger"));
            batches = 0;
        }
        size_t told = run_poster(path, batches, &seed, round % 2 == 0);
        size_t found = whole_batches(path);
        CHECK(found >= told);     /* what was told is there */
        CHECK(found <= told + 1); /* and at most the one that was being committed */
        batches = found;
    }
}

/* --- loss of power --- */

typedef struct {
    IoOp op;
    Str name; /* without the folder */
    const void *data;
    size_t size;
    uint64_t offset;
} Recorded;

typedef struct {
    Arena *arena;
    Vec(Recorded) events;
} Recorder;

static Str base_name(Arena *arena, const char *path)
{
    Str rest = str_from_c(path);
    Str part;
    Str last = rest;
    while (str_split_next(&rest, '/', &part))
        last = part;
    return str_copy(arena, last);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): an IoHook */
static int record_hook(void *context, const IoEvent *event, UNUSED size_t *size)
{
    Recorder *recorder = context;
    Recorded copy = {.op = event->op,
                     .name = base_name(recorder->arena, event->path),
                     .size = event->size,
                     .offset = event->offset};
    if (event->op == IO_WRITE)
        copy.data = arena_copy(recorder->arena, event->data, event->size);
    VEC_PUSH(recorder->arena, &recorder->events, copy);
    return 0;
}

typedef enum {
    ALL_WRITTEN,       /* everything before the cut reached the disk */
    LAST_TORN,         /* of the last write only the first half did */
    UNSYNCED_LOST,     /* nothing that was not synced did */
    UNSYNCED_AT_RANDOM /* some of it did */
} Loss;

/* Whether the file of event i is synced between i and the cut. */
static bool is_synced(const Recorder *recorder, size_t i, size_t cut)
{
    for (size_t j = i + 1; j < cut; j++) {
        const Recorded *later = &recorder->events.items[j];
        if (later->op == IO_SYNC && str_eq(later->name, recorder->events.items[i].name))
            return true;
    }
    return false;
}

static void apply(Arena *arena, Str folder, const Recorded *event, size_t size)
{
    Str path = io_join(arena, folder, event->name);
    const char *name = str_to_c(arena, path);
    Error err = {0};
    if (event->op == IO_REMOVE) {
        CHECK_OK(io_remove(path, &err), &err);
    } else if (event->op == IO_TRUNCATE) {
        CHECK_INT(truncate(name, (off_t)event->size), 0);
    } else if (event->op == IO_OPEN) {
        FILE *stream = fopen(name, "ab"); /* made when absent, else left as it is */
        ASSERT(stream != NULL);
        fclose(stream);
    } else if (event->op == IO_WRITE) {
        FILE *stream = fopen(name, "r+b");
        ASSERT(stream != NULL);
        fseek(stream, (long)event->offset, SEEK_SET);
        CHECK_INT((int64_t)fwrite(event->data, 1, size, stream), (int64_t)size);
        fclose(stream);
    }
}

/* The folder as the disk has it after the first `cut` events. */
static Str replay(Arena *arena, const Recorder *recorder, size_t cut, Loss loss, uint64_t *seed)
{
    Str folder = test_temp_dir(arena);
    for (size_t i = 0; i < cut; i++) {
        const Recorded *event = &recorder->events.items[i];
        bool may_be_lost = event->op == IO_WRITE || event->op == IO_TRUNCATE;
        bool is_safe = loss <= LAST_TORN || !may_be_lost || is_synced(recorder, i, cut);
        if (!is_safe && (loss == UNSYNCED_LOST || test_random(seed) % 2 == 0))
            continue;
        bool is_torn = loss == LAST_TORN && i + 1 == cut;
        apply(arena, folder, event, is_torn ? event->size / 2 : event->size);
    }
    return folder;
}

TEST(after_a_loss_of_power_it_is_before_or_after_each_commit)
{
    enum { BATCHES = 4 };
    Error err = {0};
    Recorder recorder = {.arena = arena_create(0)};
    size_t begun[BATCHES + 1];
    size_t committed[BATCHES + 1];
    Str path = io_join(arena, test_temp_dir(arena), S("ledger"));
    io_set_hook(record_hook, &recorder);
    Ledger *ledger = helper_open(path);
    REQUIRE_OK(prepare(ledger, &err), &err);
    for (size_t batch = 0; batch < BATCHES; batch++) {
        begun[batch] = recorder.events.count;
        REQUIRE_OK(post_batch(ledger, batch, &err), &err);
        committed[batch] = recorder.events.count;
        if (batch == 1) { /* closing moves everything from the log to the file */
            ledger_close(ledger);
            ledger = helper_open(path);
        }
    }
    ledger_close(ledger);
    io_set_hook(NULL, NULL);
    begun[BATCHES] = committed[BATCHES] = SIZE_MAX;
    CHECK(recorder.events.count > 100);
    uint64_t seed = 31;
    for (size_t cut = 0; cut <= recorder.events.count; cut++) {
        for (Loss loss = ALL_WRITTEN; loss <= UNSYNCED_AT_RANDOM; loss++) {
            CLEANUP(arena_cleanup) Arena *scratch = arena_create(0);
            Str folder = replay(scratch, &recorder, cut, loss, &seed);
            size_t least = 0;
            size_t most = 0;
            while (committed[least] <= cut)
                least++;
            while (begun[most] < cut)
                most++;
            size_t found = whole_batches(io_join(scratch, folder, S("ledger")));
            CHECK(found >= least && found <= most);
            CHECK_OK(io_remove_tree(folder, &err), &err);
        }
    }
    arena_destroy(recorder.arena);
}

/* --- full disk --- */

typedef struct {
    size_t left; /* operations that still succeed */
    IoOp op;     /* which are counted */
    int fault;
    bool stays; /* the disk stays full */
    bool happened;
} FullDisk;

static int full_hook(void *context, const IoEvent *event, size_t *size)
{
    FullDisk *disk = context;
    if (event->op != disk->op || (disk->happened && !disk->stays))
        return 0;
    if (disk->left > 0) {
        disk->left--;
        return 0;
    }
    disk->happened = true;
    *size /= 3;
    return disk->fault;
}

/* Two batches with a fault; both are tried again once the fault is gone, on the same handle. */
static bool run_with_fault(Arena *arena, FullDisk *disk)
{
    Error err = {0};
    Str path = io_join(arena, test_temp_dir(arena), S("ledger"));
    Ledger *ledger = helper_open(path);
    REQUIRE_OK(prepare(ledger, &err), &err);
    REQUIRE_OK(post_batch(ledger, 0, &err), &err);
    io_set_hook(full_hook, disk);
    ErrorCode codes[3];
    for (size_t batch = 1; batch <= 2; batch++)
        codes[batch] = post_batch(ledger, batch, &err);
    io_set_hook(NULL, NULL);
    ledger_check(ledger);
    for (size_t batch = 1; batch <= 2; batch++) {
        bool is_full = disk->fault == ENOSPC;
        if (codes[batch] != ERR_OK)
            CHECK_INT(codes[batch], is_full ? ERR_DISK_FULL : ERR_IO);
        CHECK(codes[batch] == ERR_OK || disk->happened);
        /* A batch that is there is there whole, so this adds nothing to it. */
        CHECK_OK(post_batch(ledger, batch, &err), &err);
    }
    CHECK_INT((int64_t)ledger_entry_count(ledger), 3 * BATCH_ENTRIES);
    CHECK_OK(ledger_verify(ledger, NULL, &err), &err);
    ledger_check(ledger);
    ledger_close(ledger);
    ledger = helper_open(path);
    CHECK_INT((int64_t)ledger_entry_count(ledger), 3 * BATCH_ENTRIES);
    CHECK_OK(ledger_verify(ledger, NULL, &err), &err);
    ledger_close(ledger);
    return disk->happened;
}

TEST(a_full_disk_at_any_write_loses_nothing_that_was_committed)
{
    static const struct {
        IoOp op;
        int fault;
        bool stays;
    } rows[] = {{IO_WRITE, ENOSPC, true},
                {IO_WRITE, ENOSPC, false},
                {IO_WRITE, EIO, false},
                {IO_SYNC, EIO, false}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bool happened = true;
        for (size_t n = 0; happened; n++) {
            CLEANUP(arena_cleanup) Arena *scratch = arena_create(0);
            FullDisk disk = {
                .left = n, .op = rows[i].op, .fault = rows[i].fault, .stays = rows[i].stays};
            happened = run_with_fault(scratch, &disk);
        }
    }
}

/* So large a batch that SQLite writes before it ends, and then cannot. */
TEST(a_disk_full_within_a_batch_fails_every_call_until_it_is_rolled_back)
{
    enum { ENTRIES_MAX = 60000 };
    Error err = {0};
    Str path = io_join(arena, test_temp_dir(arena), S("ledger"));
    Ledger *ledger = helper_open(path);
    REQUIRE_OK(prepare(ledger, &err), &err);
    FullDisk disk = {.op = IO_WRITE, .fault = ENOSPC, .stays = true};
    io_set_hook(full_hook, &disk);
    char *memo = arena_alloc(arena, LEDGER_TEXT_BYTES_MAX);
    memset(memo, 'm', LEDGER_TEXT_BYTES_MAX);
    LedgerLine lines[] = {{1, 1}, {2, -1}};
    LedgerEntry entry = {.day = day_from_date(2020, 1, 1),
                         .month = 202001,
                         .memo = {memo, LEDGER_TEXT_BYTES_MAX},
                         .lines = lines,
                         .line_count = 2};
    REQUIRE_OK(ledger_begin(ledger, &err), &err);
    ErrorCode code = ERR_OK;
    for (int i = 0; code == ERR_OK && i < ENTRIES_MAX; i++) {
        char key[32];
        snprintf(key, sizeof(key), "k%d", i);
        entry.key = str_from_c(key);
        code = ledger_post(ledger, &entry, NULL, i % 2 == 0 ? &err : NULL);
    }
    CHECK_INT(code, ERR_DISK_FULL);
    entry.key = S("next");
    LedgerEntry ignored;
    AccountId account;
    CHECK_INT(ledger_post(ledger, &entry, NULL, &err), ERR_DISK_FULL);
    CHECK_INT(ledger_entry(ledger, arena, 1, &ignored, &err), ERR_DISK_FULL);
    CHECK_INT(ledger_add_account(ledger, S("z"), ACCOUNT_ASSET, S(""), &account, &err),
              ERR_DISK_FULL);
    ledger_check(ledger);
    CHECK_INT(ledger_commit(ledger, &err), ERR_DISK_FULL);
    io_set_hook(NULL, NULL);
    ledger_check(ledger);
    CHECK_INT((int64_t)ledger_entry_count(ledger), 0);
    CHECK_INT(ledger_account(ledger, 1).balance, 0);
    CHECK_OK(post_batch(ledger, 0, &err), &err);
    CHECK_OK(ledger_verify(ledger, NULL, &err), &err);
    ledger_close(ledger);
    CHECK_INT((int64_t)whole_batches(path), 1);
}

/* The making of a ledger is cut short at each of its writes, and done again. */
TEST(a_ledger_half_made_is_made_again)
{
    bool happened = true;
    for (size_t n = 0; happened; n++) {
        CLEANUP(arena_cleanup) Arena *scratch = arena_create(0);
        Error err = {0};
        Str path = io_join(scratch, test_temp_dir(scratch), S("ledger"));
        FullDisk disk = {.left = n, .op = IO_WRITE, .fault = ENOSPC, .stays = true};
        Ledger *ledger = NULL;
        LedgerOptions options = {.path = path, .mode = LEDGER_CREATE, .currency = S("USD")};
        io_set_hook(full_hook, &disk);
        ErrorCode code = ledger_open(&options, &ledger, &err);
        ledger_close(code == ERR_OK ? ledger : NULL);
        io_set_hook(NULL, NULL);
        happened = disk.happened;
        CHECK(code == ERR_OK || (happened && code == ERR_DISK_FULL));
        ledger = helper_open(path);
        CHECK_OK(prepare(ledger, &err), &err);
        CHECK_OK(ledger_verify(ledger, NULL, &err), &err);
        ledger_close(ledger);
    }
}

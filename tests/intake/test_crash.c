#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../support/power_loss.h"
#include "base/test.h"
#include "population.h"

/*
 * A load that replaces an earlier store is cut short in three ways: killed, by loss of power, by a
 * full disk. Afterwards the store opens and checks clean, as the earlier or the new version.
 */
enum { OLD_PERSONS = 40, NEW_PERSONS = 60 };

static ErrorCode load(Arena *arena, Str folder, Str store, size_t persons, Error *err)
{
    DiagList diags;
    diag_init(&diags, arena);
    IntakeReport report = {0};
    /* Little memory, so that spills are among what is cut short. */
    IntakeOptions options = {.store_path = store, .threads = 2, .memory_max = 1 << 20};
    return population_load(folder, population_ndjson(arena, 0, persons), options, &diags, &report,
                           err);
}

/* The persons of a store that must be whole; 0 when there is none. */
static uint64_t whole_persons(Arena *arena, Str store)
{
    Error err = {0};
    DiagList diags;
    diag_init(&diags, arena);
    ErrorCode code = store_check(store, 1, &diags, &err);
    if (code == ERR_NOT_FOUND)
        return 0;
    CHECK_OK(code, &err);
    CHECK_INT(diags.kept.count, 0);
    Store *opened CLEANUP(store_cleanup) = NULL;
    if (!CHECK_OK(store_open(arena, store, &opened, &err), &err))
        return UINT64_MAX;
    return store_info(opened)->persons;
}

/* What a writer leaves behind once it has come through. */
static void check_clean(Arena *arena, Str store)
{
    Error err = {0};
    IoNames names = {0};
    CHECK_OK(io_list_dir(arena, store, &names, &err), &err);
    CHECK_INT(names.count, 3); /* gen-…, lock, manifest */
}

static uint64_t now_us(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

TEST(killed_at_a_hundred_points_the_store_is_old_or_new)
{
    Str folder = test_temp_dir(arena);
    Str store = io_join(arena, folder, S("store"));
    Error err = {0};
    uint64_t begin = now_us();
    if (!CHECK_OK(load(arena, folder, store, OLD_PERSONS, &err), &err))
        return;
    /* Kills are spread over what a load takes here and now: the span follows what was seen. */
    uint64_t span_us = 2 * (now_us() - begin) + 2000;
    uint64_t state = 20201122;
    uint64_t last = OLD_PERSONS;
    size_t seen_old = 0;
    size_t seen_new = 0;
    for (size_t i = 0; i < 100; i++) {
        Arena *scratch CLEANUP(arena_cleanup) = arena_create(0);
        /* Sizes alternate, so that old and new can be told apart. */
        size_t next = last == NEW_PERSONS ? OLD_PERSONS : NEW_PERSONS;
        useconds_t wait_us = (useconds_t)(test_random(&state) % span_us);
        pid_t child = fork();
        ASSERT(child >= 0);
        if (child == 0) {
            (void)load(scratch, folder, store, next, &err);
            _exit(0);
        }
        (void)usleep(wait_us);
        (void)kill(child, SIGKILL);
        CHECK(waitpid(child, NULL, 0) == child);
        uint64_t persons = whole_persons(scratch, store);
        if (!CHECK(persons == last || persons == next))
            return;
        seen_old += persons == last;
        seen_new += persons == next;
        span_us = persons == last ? span_us + span_us / 8 : span_us - span_us / 8;
        last = persons;
    }
    CHECK(seen_old > 0 && seen_new > 0);
    CHECK_OK(load(arena, folder, store, NEW_PERSONS, &err), &err);
    CHECK_INT(whole_persons(arena, store), NEW_PERSONS);
    check_clean(arena, store);
}

static void replay_all(Arena *arena, const PowerLoss *recording, Str target, uint64_t old_persons)
{
    size_t events = power_loss_events(recording);
    static const struct {
        PowerLossMode mode;
        size_t seeds;
    } modes[] = {{POWER_LOSS_SYNCED, 1}, {POWER_LOSS_ALL, 1}, {POWER_LOSS_RANDOM, 3}};
    bool seen_new = false;
    for (size_t n = 0; n <= events; n++) {
        for (size_t m = 0; m < COUNT_OF(modes); m++) {
            for (uint64_t seed = 0; seed < modes[m].seeds; seed++) {
                Arena *scratch CLEANUP(arena_cleanup) = arena_create(0);
                Error err = {0};
                CHECK_OK(power_loss_replay(recording, n, modes[m].mode, n * 3 + seed, target, &err),
                         &err);
                uint64_t persons = whole_persons(scratch, target);
                seen_new |= persons == NEW_PERSONS;
                if (!CHECK(persons == old_persons || persons == NEW_PERSONS))
                    return;
            }
        }
    }
    CHECK(seen_new);
    CHECK_INT(whole_persons(arena, target), NEW_PERSONS);
}

TEST(power_lost_at_any_point_leaves_old_or_new)
{
    Str folder = test_temp_dir(arena);
    Str store = io_join(arena, folder, S("store"));
    Str target = io_join(arena, folder, S("after"));
    Error err = {0};
    PowerLoss *recording = power_loss_begin(arena, store);
    ErrorCode code = load(arena, folder, store, NEW_PERSONS, &err);
    power_loss_end(recording);
    CHECK_OK(code, &err);
    replay_all(arena, recording, target, 0);

    CHECK_OK(io_remove_tree(store, &err), &err);
    CHECK_OK(load(arena, folder, store, OLD_PERSONS, &err), &err);
    recording = power_loss_begin(arena, store);
    code = load(arena, folder, store, NEW_PERSONS, &err);
    power_loss_end(recording);
    CHECK_OK(code, &err);
    replay_all(arena, recording, target, OLD_PERSONS);
    /* And what was left can be loaded anew. */
    CHECK_OK(load(arena, folder, target, NEW_PERSONS, &err), &err);
    check_clean(arena, target);
}

TEST(a_full_disk_leaves_the_earlier_store_and_no_rubbish)
{
    Str folder = test_temp_dir(arena);
    Str store = io_join(arena, folder, S("store"));
    Error err = {0};
    /* population_load writes its input with the first write. */
    FullDisk counting = {.writes_left = SIZE_MAX};
    io_set_hook(full_disk_hook, &counting);
    ErrorCode code = load(arena, folder, store, OLD_PERSONS, &err);
    io_set_hook(NULL, NULL);
    CHECK_OK(code, &err);
    size_t writes = SIZE_MAX - counting.writes_left;
    CHECK(writes > 10);
    for (size_t n = 1; n < writes; n++) {
        Arena *scratch CLEANUP(arena_cleanup) = arena_create(0);
        FullDisk disk = {.writes_left = n};
        io_set_hook(full_disk_hook, &disk);
        code = load(scratch, folder, store, NEW_PERSONS, &err);
        io_set_hook(NULL, NULL);
        CHECK_INT(code, disk.has_failed ? ERR_DISK_FULL : ERR_OK);
        if (!disk.has_failed)
            break;
        CHECK_INT(whole_persons(scratch, store), OLD_PERSONS);
        check_clean(scratch, store);
    }
}

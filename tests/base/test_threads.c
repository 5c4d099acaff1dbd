#include <stdatomic.h>

#include "base/progress.h"
#include "base/test.h"
#include "base/threads.h"

enum { ITEMS = 5000, WORKERS = 5 };

typedef struct {
    atomic_int done[ITEMS];
    atomic_size_t most_worker;
    size_t stop_at;
} Counts;

static bool count_item(void *context, size_t worker, size_t item)
{
    Counts *counts = context;
    atomic_fetch_add(&counts->done[item], 1);
    size_t most = atomic_load(&counts->most_worker);
    while (worker > most && !atomic_compare_exchange_weak(&counts->most_worker, &most, worker))
        ;
    return item != counts->stop_at;
}

TEST(work_is_done_once_each_on_any_number_of_threads)
{
    for (size_t threads = 0; threads <= WORKERS; threads++) {
        Counts *counts = ARENA_NEW(arena, Counts);
        counts->stop_at = SIZE_MAX;
        CHECK(work_run(threads, ITEMS, count_item, counts));
        for (size_t i = 0; i < ITEMS; i++)
            CHECK_INT(counts->done[i], 1);
        CHECK(counts->most_worker < (threads == 0 ? 1 : threads));
    }
    CHECK(work_run(4, 0, count_item, NULL));
    CHECK(threads_available() >= 1);
}

TEST(work_stops_when_an_item_says_so)
{
    for (size_t threads = 1; threads <= 4; threads += 3) {
        Counts *counts = ARENA_NEW(arena, Counts);
        counts->stop_at = 100;
        CHECK(!work_run(threads, ITEMS, count_item, counts));
        for (size_t i = 0; i <= 100; i++)
            CHECK_INT(counts->done[i], 1);
        CHECK_INT(counts->done[ITEMS - 1], 0);
    }
}

typedef struct {
    size_t calls;
    uint64_t last;
    bool is_finished;
    atomic_int inside;
} Shown;

static void show(void *context, Str stage, uint64_t done, uint64_t total, Str unit,
                 bool is_finished)
{
    Shown *shown = context;
    CHECK_INT(atomic_fetch_add(&shown->inside, 1), 0);
    CHECK_STR(stage, S("load"));
    CHECK_STR(unit, S("bytes"));
    CHECK(total == 0 || done <= total);
    CHECK(done >= shown->last);
    shown->last = done;
    shown->calls++;
    shown->is_finished = is_finished;
    atomic_fetch_sub(&shown->inside, 1);
}

static bool progress_item(void *context, size_t worker, size_t item)
{
    (void)worker;
    (void)item;
    progress_add(context, 3);
    return true;
}

TEST(progress_is_told_now_and_then_and_at_the_end)
{
    static const uint64_t totals[] = {(uint64_t)3 * ITEMS, 0};
    for (size_t i = 0; i < COUNT_OF(totals); i++) {
        Shown shown = {0};
        Progress *progress = progress_create(arena, show, &shown);
        progress_begin(progress, S("load"), totals[i], S("bytes"));
        CHECK(work_run(4, ITEMS, progress_item, progress));
        CHECK(!shown.is_finished);
        progress_end(progress);
        CHECK(shown.is_finished);
        CHECK_INT((int64_t)shown.last, 3 * ITEMS);
        CHECK(shown.calls <= 259);
        CHECK(shown.calls >= (totals[i] == 0 ? 2 : 20));
    }
    progress_begin(NULL, S("load"), 1, S("bytes"));
    progress_add(NULL, 1);
    progress_end(NULL);
}

#include "base/threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

size_t threads_available(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    int count = CPU_COUNT(&set);
    return count < 1 ? 1 : (size_t)count;
}

typedef struct {
    WorkFn fn;
    void *context;
    size_t items;
    atomic_size_t next;
    atomic_bool stopped;
} Work;

typedef struct {
    Work *work;
    size_t worker;
    pthread_t thread;
} Helper;

static void work_loop(Work *work, size_t worker)
{
    while (!atomic_load_explicit(&work->stopped, memory_order_relaxed)) {
        size_t item = atomic_fetch_add(&work->next, 1);
        if (item >= work->items)
            return;
        if (!work->fn(work->context, worker, item))
            atomic_store(&work->stopped, true);
    }
}

static void *helper_main(void *argument)
{
    const Helper *helper = argument;
    work_loop(helper->work, helper->worker);
    return NULL;
}

bool work_run(size_t threads, size_t items, WorkFn fn, void *context)
{
    ASSERT(threads <= LIMIT_THREADS_MAX);
    Work work = {.fn = fn, .context = context, .items = items};
    Helper helpers[LIMIT_THREADS_MAX];
    size_t wanted = threads < items ? threads : items;
    size_t started = 0;
    for (; started + 1 < wanted; started++) {
        Helper *helper = &helpers[started];
        *helper = (Helper){.work = &work, .worker = started + 1};
        /* Where threads are rationed, those that there are do it all. */
        if (pthread_create(&helper->thread, NULL, helper_main, helper) != 0)
            break;
    }
    work_loop(&work, 0);
    for (size_t i = 0; i < started; i++)
        pthread_join(helpers[i].thread, NULL);
    return !atomic_load(&work.stopped);
}

#include "base/progress.h"

#include <pthread.h>
#include <stdatomic.h>

enum { STEPS = 256, STEP_UNKNOWN = 64 * 1024 };

struct Progress {
    ProgressFn fn;
    void *context;
    pthread_mutex_t mutex; /* held while fn runs */
    Str stage;
    Str unit;
    uint64_t total;
    uint64_t step;
    atomic_uint_fast64_t done;
    atomic_uint_fast64_t next; /* what `done` must reach before fn is called again */
};

Progress *progress_create(Arena *arena, ProgressFn fn, void *context)
{
    Progress *progress = ARENA_NEW(arena, Progress);
    progress->fn = fn;
    progress->context = context;
    pthread_mutex_init(&progress->mutex, NULL);
    return progress;
}

void progress_begin(Progress *progress, Str stage, uint64_t total, Str unit)
{
    if (progress == NULL)
        return;
    pthread_mutex_lock(&progress->mutex);
    progress->stage = stage;
    progress->unit = unit;
    progress->total = total;
    progress->step = total == 0 ? STEP_UNKNOWN : total / STEPS + 1;
    atomic_store(&progress->done, 0);
    atomic_store(&progress->next, progress->step);
    progress->fn(progress->context, stage, 0, total, unit, false);
    pthread_mutex_unlock(&progress->mutex);
}

void progress_add(Progress *progress, uint64_t amount)
{
    if (progress == NULL)
        return;
    uint64_t done = atomic_fetch_add_explicit(&progress->done, amount, memory_order_relaxed);
    if (done + amount < atomic_load_explicit(&progress->next, memory_order_relaxed))
        return;
    /* Whoever finds the lock taken leaves the telling to its holder or to the next step. */
    if (pthread_mutex_trylock(&progress->mutex) != 0)
        return;
    done = atomic_load(&progress->done);
    if (done >= atomic_load(&progress->next)) {
        atomic_store(&progress->next, done + progress->step);
        progress->fn(progress->context, progress->stage, done, progress->total, progress->unit,
                     false);
    }
    pthread_mutex_unlock(&progress->mutex);
}

void progress_end(Progress *progress)
{
    if (progress == NULL)
        return;
    pthread_mutex_lock(&progress->mutex);
    progress->fn(progress->context, progress->stage, atomic_load(&progress->done), progress->total,
                 progress->unit, true);
    pthread_mutex_unlock(&progress->mutex);
}

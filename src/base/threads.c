#include "base/threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

size_t threads_available(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    int count = CPU_COUNT(&set);
    return count < 1 ? 1 : (size_t)count;
}

/* These live beyond any one arena's thread, so they come from malloc and go with their owner. */
static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    ASSERT(memory != NULL);
    return memory;
}

/* --- groups --- */

typedef struct {
    ThreadGroup *group;
    size_t worker;
    pthread_t thread;
} GroupMember;

struct ThreadGroup {
    ThreadFn fn;
    void *context;
    size_t count;
    GroupMember members[];
};

static void *group_main(void *argument)
{
    GroupMember *member = argument;
    member->group->fn(member->group->context, member->worker);
    return NULL;
}

ThreadGroup *thread_group_start(size_t threads, ThreadFn fn, void *context)
{
    ThreadGroup *group = allocate(1, sizeof(*group) + threads * sizeof(GroupMember));
    group->fn = fn;
    group->context = context;
    group->count = threads;
    for (size_t i = 0; i < threads; i++) {
        GroupMember *member = &group->members[i];
        member->group = group;
        member->worker = i;
        int fault = pthread_create(&member->thread, NULL, group_main, member);
        ASSERT(fault == 0); /* a machine that cannot start a thread is out of memory */
    }
    return group;
}

void thread_group_join(ThreadGroup *group)
{
    if (group == NULL)
        return;
    for (size_t i = 0; i < group->count; i++)
        pthread_join(group->members[i].thread, NULL);
    free(group);
}

/* --- items --- */

typedef struct {
    WorkFn fn;
    void *context;
    size_t items;
    atomic_size_t next;
    atomic_bool stopped;
} Work;

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

static void work_helper(void *context, size_t worker)
{
    work_loop(context, worker + 1); /* the caller is worker 0 */
}

bool work_run(size_t threads, size_t items, WorkFn fn, void *context)
{
    ASSERT(threads <= LIMIT_THREADS_MAX);
    Work work = {.fn = fn, .context = context, .items = items};
    size_t helpers = threads < items ? threads : items;
    helpers = helpers > 1 ? helpers - 1 : 0;
    ThreadGroup *group = helpers > 0 ? thread_group_start(helpers, work_helper, &work) : NULL;
    work_loop(&work, 0);
    thread_group_join(group);
    return !atomic_load(&work.stopped);
}

/* --- queues --- */

struct Queue {
    pthread_mutex_t mutex;
    pthread_cond_t can_put;
    pthread_cond_t can_take;
    size_t capacity;
    size_t first;
    size_t count;
    bool closed;
    bool stopped;
    void *items[];
};

Queue *queue_create(size_t capacity)
{
    ASSERT(capacity > 0);
    Queue *queue = allocate(1, sizeof(*queue) + capacity * sizeof(void *));
    queue->capacity = capacity;
    pthread_mutex_init(&queue->mutex, NULL);
    pthread_cond_init(&queue->can_put, NULL);
    pthread_cond_init(&queue->can_take, NULL);
    return queue;
}

void queue_destroy(Queue *queue)
{
    if (queue == NULL)
        return;
    pthread_cond_destroy(&queue->can_take);
    pthread_cond_destroy(&queue->can_put);
    pthread_mutex_destroy(&queue->mutex);
    free(queue);
}

bool queue_put(Queue *queue, void *item)
{
    pthread_mutex_lock(&queue->mutex);
    ASSERT(!queue->closed || queue->stopped);
    while (queue->count == queue->capacity && !queue->stopped)
        pthread_cond_wait(&queue->can_put, &queue->mutex);
    bool ok = !queue->stopped;
    if (ok) {
        queue->items[(queue->first + queue->count) % queue->capacity] = item;
        queue->count++;
        pthread_cond_signal(&queue->can_take);
    }
    pthread_mutex_unlock(&queue->mutex);
    return ok;
}

bool queue_take(Queue *queue, void **ret_item)
{
    pthread_mutex_lock(&queue->mutex);
    while (queue->count == 0 && !queue->closed && !queue->stopped)
        pthread_cond_wait(&queue->can_take, &queue->mutex);
    bool ok = queue->count > 0 && !queue->stopped;
    if (ok) {
        *ret_item = queue->items[queue->first];
        queue->first = (queue->first + 1) % queue->capacity;
        queue->count--;
        pthread_cond_signal(&queue->can_put);
    }
    pthread_mutex_unlock(&queue->mutex);
    return ok;
}

static void queue_end(Queue *queue, bool stop)
{
    pthread_mutex_lock(&queue->mutex);
    queue->closed = true;
    queue->stopped = queue->stopped || stop;
    pthread_cond_broadcast(&queue->can_take);
    pthread_cond_broadcast(&queue->can_put);
    pthread_mutex_unlock(&queue->mutex);
}

void queue_close(Queue *queue)
{
    queue_end(queue, false);
}

void queue_stop(Queue *queue)
{
    queue_end(queue, true);
}

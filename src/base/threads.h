/*
 * threads -- work that is independent, shared out among threads.
 *
 * work_run() gives item numbers 0..items-1 to workers; every worker knows its own number, for
 * arenas and counters of its own. What must not depend on the number of threads is joined by item
 * number afterwards, not in order of arrival.
 *
 * A Queue hands pointers from one producer stage to the next with a bounded number in flight.
 */
#pragma once

#include "base/base.h"

/* Number of processors that this process may run on. */
size_t threads_available(void);

/* Returns false to stop: no further items are begun. */
typedef bool (*WorkFn)(void *context, size_t worker, size_t item);
/* Runs on `threads` workers (the caller is worker 0; 0 or 1 means no new threads). Returns when all
   are done; false when an item asked to stop. */
bool work_run(size_t threads, size_t items, WorkFn fn, void *context);

typedef struct Queue Queue;
Queue *queue_create(size_t capacity);
void queue_destroy(Queue *queue);
/* Waits while full; false when the queue was stopped. */
bool queue_put(Queue *queue, void *item);
/* Waits while empty; false when it is closed and empty, or stopped. */
bool queue_take(Queue *queue, void **ret_item);
/* No more will be put: takers drain it. */
void queue_close(Queue *queue);
/* Everybody returns false at once: an error elsewhere. */
void queue_stop(Queue *queue);

/* Starts `threads` workers that each run fn(context, worker) once; thread_group_join waits for
 * them. */
typedef struct ThreadGroup ThreadGroup;
typedef void (*ThreadFn)(void *context, size_t worker);
ThreadGroup *thread_group_start(size_t threads, ThreadFn fn, void *context);
void thread_group_join(ThreadGroup *group);

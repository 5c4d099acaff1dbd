/*
 * threads -- work that is independent, shared out among threads.
 *
 * work_run() gives item numbers 0..items-1 to workers; every worker knows its own number, for
 * arenas and counters of its own. What must not depend on the number of threads is joined by item
 * number afterwards, not in order of arrival.
 */
#pragma once

#include "base/base.h"

/* Number of processors that this process may run on. */
size_t threads_available(void);

/* Returns false to stop: no further items are begun. */
typedef bool (*WorkFn)(void *context, size_t worker, size_t item);
/* Runs on `threads` workers (the caller is worker 0; 0 or 1 means no new threads), on fewer where
   the machine gives no more. Returns when all are done; false when an item asked to stop. */
bool work_run(size_t threads, size_t items, WorkFn fn, void *context);

/*
 * pages -- large memory straight from the system, on large pages where there are any.
 *
 * For what is some megabytes at least and lives long: the system gives only what is touched, in
 * pieces of 2 MiB, which costs a fraction of what small pages do; and nothing goes back before it
 * is freed, as that interrupts every other thread. Zeroed. Out of memory stops the process.
 */
#pragma once

#include "base/attr.h"

enum { PAGES_UNIT = 2 << 20 };

/* The next multiple of PAGES_UNIT: what an allocation of this size really has. */
size_t pages_round(size_t size);
/* Aligned to PAGES_UNIT. */
void *pages_alloc(size_t size);
/* size as it was given to pages_alloc; memory may be NULL. */
void pages_free(void *memory, size_t size);

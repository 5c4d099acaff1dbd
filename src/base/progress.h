/*
 * progress -- how far long work is, told to whoever wants to show it.
 *
 * The work calls progress_add() from any thread, cheaply; the command shows lines: one that
 * is rewritten on a terminal, plain lines now and then when output is no terminal. A NULL
 * Progress is allowed everywhere and does nothing. The clock is the caller's: libraries that take a
 * Progress never read the time themselves.
 */
#pragma once

#include "base/base.h"

typedef struct Progress Progress;

/* Told of a change of state: label of the stage, done and total (0 when unknown) in `unit`, and
   whether it is finished. Called from one thread at a time. */
typedef void (*ProgressFn)(void *context, Str stage, uint64_t done, uint64_t total, Str unit,
                           bool is_finished);

Progress *progress_create(Arena *arena, ProgressFn fn, void *context);
void progress_begin(Progress *progress, Str stage, uint64_t total, Str unit);
/* Safe from any thread; calls the function at most once per 1/256 of the total or per 64 Ki units
 * when the total is unknown. */
void progress_add(Progress *progress, uint64_t amount);
void progress_end(Progress *progress);

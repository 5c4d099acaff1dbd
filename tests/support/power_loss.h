/*
 * power_loss -- what a loss of power may leave of the files that were being written.
 *
 * A recording notes every write, sync, rename and removal below a folder. Replaying the first n
 * of them into another folder gives a state that the disk may be in when power fails
 * there: what was synced is there, what was not may be there, in part or not at all. A file's
 * bytes are safe from its sync on, a name (new, renamed or removed) from the sync of its folder
 * on.
 *
 *     PowerLoss *recording = power_loss_begin(arena, folder);
 *     ... the work ...
 *     power_loss_end(recording);
 *     for (size_t n = 0; n <= power_loss_events(recording); n++) {
 *         CHECK_OK(power_loss_replay(recording, n, POWER_LOSS_SYNCED, 0, target, &err), &err);
 *         ... what is in target must be either old or new ...
 *     }
 *
 * A disk that is full is here too: the hook below fails the n-th write and all that follow.
 */
#pragma once

#include "base/io.h"

typedef struct PowerLoss PowerLoss;

typedef enum {
    POWER_LOSS_SYNCED, /* nothing but what was synced */
    POWER_LOSS_ALL,    /* everything: what a kill -9 leaves */
    POWER_LOSS_RANDOM  /* of what was not synced, each thing or not, writes in part */
} PowerLossMode;

/* Takes the files that are below the folder now as safe, and records from here. Sets the hook of
   base/io. */
PowerLoss *power_loss_begin(Arena *arena, Str folder);
void power_loss_end(PowerLoss *recording);
size_t power_loss_events(const PowerLoss *recording);
/* Empties target and writes into it what is left after `events` events. */
MUST_USE ErrorCode power_loss_replay(const PowerLoss *recording, size_t events, PowerLossMode mode,
                                     uint64_t seed, Str target, Error *err);

typedef struct {
    size_t writes_left; /* that still succeed; then there is no space */
    bool has_failed;
} FullDisk;

/* An IoHook with a FullDisk as its context; also counts, when writes_left begins very high. */
int full_disk_hook(void *context, const IoEvent *event, size_t *size);

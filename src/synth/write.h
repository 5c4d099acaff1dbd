/*
 * write -- a population as batches of records, partition by partition.
 */
#pragma once

#include "synth/synth_int.h"

/* A person's place in the order of the store. */
typedef struct {
    uint64_t hash;
    uint64_t number;
} SynthPlace;

#define SYNTH_SHARED SIZE_MAX

/* Takes the batch of a partition, or of what belongs to no person; it is gone afterwards. From any
 * worker. */
typedef ErrorCode (*SynthBatchFn)(void *context, size_t worker, size_t partition,
                                  const RecordBatch *batch, Error *err);
size_t synth_partition_count(const SynthModel *model);
MUST_USE ErrorCode synth_make_batches(const SynthModel *model, const SynthRun *run,
                                      SynthBatchFn take, void *context, SynthReport *ret_report,
                                      Error *err);

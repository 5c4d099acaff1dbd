/*
 * people -- batches for the tests of this folder, from resources written as JSON.
 */
#pragma once

#include "attribution/attribution.h"

/* A batch of these resources; is_shared: of resources of no person. Stops the test run on text that
   is no resource. */
RecordBatch *people_batch(Arena *arena, const Str *resources, size_t count, bool is_shared);
/* The record of a person that must be there. */
Record people_record(const RecordBatch *batch, Str id);
Str people_patient(Arena *arena, const char *id, const char *more);
/* period, organisation: JSON of the members, or NULL to leave them out. */
Str people_encounter(Arena *arena, const char *id, const char *patient, const char *period,
                     const char *organisation);

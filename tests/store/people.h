/*
 * people -- small stores for tests: NDJSON text to batches to a store, without intake.
 */
#pragma once

#include "store/store.h"

/* Patients p<first>.., each with three observations and up to three conditions. */
Str people_ndjson(Arena *arena, size_t first, size_t count);
/* Writes the text's persons into a store of so many partitions, by equal spans of the hash. Asserts
   that the text is good. */
ErrorCode people_store(Arena *arena, Str path, Str text, size_t partitions, Error *err);

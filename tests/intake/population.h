/*
 * population -- small made-up persons as NDJSON, for tests of loading.
 */
#pragma once

#include "intake/intake.h"

/* One Patient with a few conditions, observations and encounters, and every tenth time an
   organisation, for each of the numbers first .. first + count - 1. */
Str population_ndjson(Arena *arena, size_t first, size_t count);
/* Loads the text as one file into the store; asserts nothing, gives what intake_load gives. */
ErrorCode population_load(Str folder, Str text, IntakeOptions options, DiagList *diags,
                          IntakeReport *ret_report, Error *err);

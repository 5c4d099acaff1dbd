/*
 * world -- small made-up populations for settling, and what a contract comes to for them by the
 * plainest means: every encounter looked at again for every month, no shared code with src/.
 */
#pragma once

#include "settle/settle.h"

enum { WORLD_ENCOUNTERS_MAX = 12, WORLD_PRACTICES = 7 };

typedef struct {
    int32_t day;
    int practice; /* 0 .. WORLD_PRACTICES - 1 */
    int hour;
} WorldEncounter;

typedef struct {
    size_t number;
    int32_t birth;
    int32_t death; /* DAY_NONE: alive */
    WorldEncounter encounters[WORLD_ENCOUNTERS_MAX];
    size_t encounter_count;
} WorldPerson;

typedef struct {
    WorldPerson *persons;
    size_t count;
} World;

/* The same world from the same seed. */
World world_make(Arena *arena, size_t count, uint64_t seed);
/* As NDJSON; with another order of lines for each shuffle but 0. */
Str world_ndjson(Arena *arena, const World *world, uint64_t shuffle);
/* Loads it into folder/name; NULL (and a failed check) when that fails. Closed by the caller. */
Store *world_store(Arena *arena, const World *world, uint64_t shuffle, Str folder,
                   const char *name);
/* The same for any NDJSON. */
Store *world_store_of(Arena *arena, Str ndjson, Str folder, const char *name);
/* Number of the practice that the starter's rule gives on a day, or -1. */
int world_practice(const WorldPerson *person, int32_t day);
Str world_practice_id(Arena *arena, int practice);
/* A contract of member-month fees for 2020 by age, as YAML: under 65 and from 65, in cents. */
Str world_contract_text(Arena *arena, int under_65, int from_65);
const Contract *world_contract(Arena *arena, Str text);

/*
 * map -- the one hash map: text keys to 64-bit values.
 *
 * Keys are not copied: they must live as long as the map. Entries keep the order in
 * which they came, so walking a map gives the same order every time. Nothing is removed.
 *
 *     Map map;
 *     map_init(&map, arena);
 *     map_put(&map, S("practice-1"), 7);
 *     uint64_t value;
 *     if (map_find(&map, S("practice-1"), &value)) ...
 *     for (size_t i = 0; i < map.count; i++) use(map.entries[i].key, map.entries[i].value);
 */
#pragma once

#include "base/str.h"

typedef struct {
    Str key;
    uint64_t value;
    uint64_t hash;
} MapEntry;

typedef struct {
    Arena *arena;
    MapEntry *entries; /* in order of arrival */
    size_t count;
    size_t capacity;
    uint32_t *slots; /* entry number + 1; 0 is free */
    size_t slot_count;
} Map;

void map_init(Map *map, Arena *arena);
/* Sets the value of a key, replacing an earlier one. */
void map_put(Map *map, Str key, uint64_t value);
/* Adds the key unless it is there; gives its entry number (and whether it was new). */
size_t map_intern(Map *map, Str key, uint64_t value_if_new, bool *ret_is_new);
bool map_find(const Map *map, Str key, uint64_t *ret_value);
bool map_has(const Map *map, Str key);

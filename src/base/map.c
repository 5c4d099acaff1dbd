#include "base/map.h"

void map_init(Map *map, Arena *arena)
{
    *map = (Map){.arena = arena};
}

/* Where the key is, or the free slot where it would go. Linear probing; at most 1/2 full. */
static size_t slot_of(const Map *map, Str key, uint64_t hash)
{
    size_t mask = map->slot_count - 1;
    size_t slot = (size_t)hash & mask;
    while (map->slots[slot] != 0) {
        const MapEntry *entry = &map->entries[map->slots[slot] - 1];
        if (entry->hash == hash && str_eq(entry->key, key))
            return slot;
        slot = (slot + 1) & mask;
    }
    return slot;
}

static void map_grow(Map *map)
{
    size_t capacity = map->capacity == 0 ? 8 : map->capacity * 2;
    ASSERT(capacity < UINT32_MAX);
    map->entries = arena_grow(map->arena, map->entries, map->capacity * sizeof(MapEntry),
                              capacity * sizeof(MapEntry));
    map->capacity = capacity;
    map->slot_count = capacity * 2;
    map->slots = ARENA_ZARRAY(map->arena, uint32_t, map->slot_count);
    for (size_t i = 0; i < map->count; i++) {
        const MapEntry *entry = &map->entries[i];
        map->slots[slot_of(map, entry->key, entry->hash)] = (uint32_t)i + 1;
    }
}

size_t map_intern(Map *map, Str key, uint64_t value_if_new, bool *ret_is_new)
{
    if (map->count == map->capacity)
        map_grow(map);
    uint64_t hash = str_hash(key);
    size_t slot = slot_of(map, key, hash);
    *ret_is_new = map->slots[slot] == 0;
    if (*ret_is_new) {
        map->entries[map->count] = (MapEntry){.key = key, .value = value_if_new, .hash = hash};
        map->count++;
        map->slots[slot] = (uint32_t)map->count;
    }
    return map->slots[slot] - 1;
}

void map_put(Map *map, Str key, uint64_t value)
{
    bool is_new;
    size_t entry = map_intern(map, key, value, &is_new);
    map->entries[entry].value = value;
}

bool map_find(const Map *map, Str key, uint64_t *ret_value)
{
    if (map->count == 0)
        return false;
    size_t slot = slot_of(map, key, str_hash(key));
    if (map->slots[slot] == 0)
        return false;
    *ret_value = map->entries[map->slots[slot] - 1].value;
    return true;
}

bool map_has(const Map *map, Str key)
{
    uint64_t ignored;
    return map_find(map, key, &ignored);
}

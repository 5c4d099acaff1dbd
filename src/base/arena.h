/*
 * arena -- memory by lifetime: allocate freely, give all of it back at once.
 *
 * An arena is made for a lifetime (process, run, request, person) and passed as a
 * parameter. Nothing in it is freed by itself. arena_reset() keeps the blocks, so the
 * arena of a person costs nothing from the second person on. Every pointer is aligned
 * to 16 bytes. Out of memory stops the process: inputs are bounded by limits.h, so a
 * failing allocation is a fault of the machine and not of the input.
 *
 * One thread at a time per arena. Sanitized builds fill what is given up with 0xDD.
 *
 *     Arena *arena = arena_create(0);
 *     Person *person = ARENA_NEW(arena, Person);      zeroed
 *     uint32_t *ids = ARENA_ARRAY(arena, uint32_t, n); not zeroed
 *     arena_destroy(arena);
 */
#pragma once

#include "base/attr.h"

typedef struct Arena Arena;

/* A place in an arena to come back to: what was allocated since is given up. */
typedef struct {
    void *block;
    size_t used;
} ArenaMark;

/* block_bytes: the size of ordinary blocks; 0 means 64 KiB. */
Arena *arena_create(size_t block_bytes);
void arena_destroy(Arena *arena);
/* As arena_destroy, for CLEANUP(arena_cleanup); accepts a NULL arena. */
void arena_cleanup(Arena **arena);
void arena_reset(Arena *arena);
ArenaMark arena_mark(const Arena *arena);
void arena_rewind(Arena *arena, ArenaMark mark);

/* 16-byte aligned, contents undefined; size 0 gives a valid pointer. Never NULL. */
void *arena_alloc(Arena *arena, size_t size);
void *arena_zalloc(Arena *arena, size_t size);
/* Like arena_alloc(count * size), stopping the process if the product overflows. */
void *arena_alloc_array(Arena *arena, size_t count, size_t size);
void *arena_copy(Arena *arena, const void *bytes, size_t size);
/* Grows the allocation in place where it is the last one, else copies it. */
void *arena_grow(Arena *arena, void *old, size_t old_size, size_t new_size);

/* Bytes of all blocks held, for limits and reports. */
size_t arena_bytes_held(const Arena *arena);

#define ARENA_NEW(arena, Type)          ((Type *)arena_zalloc((arena), sizeof(Type)))
#define ARENA_ARRAY(arena, Type, count) ((Type *)arena_alloc_array((arena), (count), sizeof(Type)))
#define ARENA_ZARRAY(arena, Type, count)                                                           \
    ((Type *)arena_zalloc_array((arena), (count), sizeof(Type)))
void *arena_zalloc_array(Arena *arena, size_t count, size_t size);

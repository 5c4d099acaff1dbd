#include "base/vec.h"

void *vec_grow(Arena *arena, void *items, size_t *capacity, size_t wanted, size_t item_size)
{
    size_t larger = *capacity * 2 > wanted ? *capacity * 2 : wanted;
    if (larger < 8)
        larger = 8;
    size_t bytes;
    ASSERT(!__builtin_mul_overflow(larger, item_size, &bytes));
    void *grown = arena_grow(arena, items, *capacity * item_size, bytes);
    *capacity = larger;
    return grown;
}

/*
 * vec -- an array that grows in an arena.
 *
 * A zeroed Vec is empty and ready. Elements move when it grows: hold indexes, not pointers.
 *
 *     typedef Vec(Posting) PostingVec;
 *     PostingVec postings = {0};
 *     VEC_PUSH(arena, &postings, (Posting){...});
 *     VEC_FOREACH (Posting, posting, &postings)
 *         total += posting->minor;
 */
#pragma once

#include "base/arena.h"

#define Vec(T)                                                                                     \
    struct {                                                                                       \
        T *items;                                                                                  \
        size_t count;                                                                              \
        size_t capacity;                                                                           \
    }

/* The new capacity and storage for one element more; used by VEC_PUSH only. */
void *vec_grow(Arena *arena, void *items, size_t *capacity, size_t wanted, size_t item_size);

#define VEC_RESERVE(arena, vec, wanted)                                                            \
    do {                                                                                           \
        if ((vec)->capacity < (wanted))                                                            \
            (vec)->items = vec_grow((arena), (vec)->items, &(vec)->capacity, (wanted),             \
                                    sizeof(*(vec)->items));                                        \
    } while (0)

#define VEC_PUSH(arena, vec, ...)                                                                  \
    do {                                                                                           \
        VEC_RESERVE(arena, vec, (vec)->count + 1);                                                 \
        (vec)->items[(vec)->count++] = (__VA_ARGS__);                                              \
    } while (0)

/* The test of count keeps an empty Vec, whose items are NULL, from pointer arithmetic. */
#define VEC_FOREACH(Type, name, vec)                                                               \
    for (Type *name = (vec)->items; (vec)->count > 0 && name < (vec)->items + (vec)->count; name++)

#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pages.h"

enum { ARENA_ALIGN = 16, ARENA_BLOCK_DEFAULT = 64 * 1024 };

typedef struct ArenaBlock {
    struct ArenaBlock *next;
    size_t size; /* of bytes[] */
    size_t used;
    size_t padding; /* keeps bytes[] aligned to 16 */
    unsigned char bytes[];
} ArenaBlock;

/* Blocks form one list in the order of use. Those behind `current` are empty and wait
   for reuse, so that a reset costs nothing and a rewind keeps what it gives up. */
struct Arena {
    ArenaBlock *first;
    ArenaBlock *current;
    size_t block_bytes;
    size_t held;
};

void assert_failed(const char *expr, const char *file, int line)
{
    fprintf(stderr, "braid: internal error: %s (%s:%d)\n", expr, file, line);
    abort();
}

static size_t round_up(size_t size)
{
    ASSERT(size <= SIZE_MAX - ARENA_ALIGN);
    return (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
}

/* Large blocks come in whole pages, of which the system gives what is touched. */
static ArenaBlock *block_new(Arena *arena, size_t size)
{
    bool is_large = size >= PAGES_UNIT;
    if (is_large)
        size = pages_round(sizeof(ArenaBlock) + size) - sizeof(ArenaBlock);
    ArenaBlock *block =
        is_large ? pages_alloc(sizeof(ArenaBlock) + size) : malloc(sizeof(ArenaBlock) + size);
    if (block == NULL) {
        fprintf(stderr, "braid: out of memory (%zu bytes wanted, %zu held)\n", size, arena->held);
        abort();
    }
    block->next = NULL;
    block->size = size;
    block->used = 0;
    arena->held += size;
    return block;
}

static void block_free(ArenaBlock *block)
{
    if (block->size >= PAGES_UNIT)
        pages_free(block, sizeof(ArenaBlock) + block->size);
    else
        free(block);
}

Arena *arena_create(size_t block_bytes)
{
    Arena *arena = calloc(1, sizeof(Arena));
    if (arena == NULL) {
        fprintf(stderr, "braid: out of memory\n");
        abort();
    }
    arena->block_bytes = block_bytes == 0 ? ARENA_BLOCK_DEFAULT : round_up(block_bytes);
    arena->first = block_new(arena, arena->block_bytes);
    arena->current = arena->first;
    return arena;
}

void arena_destroy(Arena *arena)
{
    if (arena == NULL)
        return;
    ArenaBlock *block = arena->first;
    while (block != NULL) {
        ArenaBlock *next = block->next;
        block_free(block);
        block = next;
    }
    free(arena);
}

void arena_cleanup(Arena **arena)
{
    arena_destroy(*arena);
    *arena = NULL;
}

static void block_empty(ArenaBlock *block, size_t used)
{
#ifdef BRAID_DEBUG
    memset(block->bytes + used, 0xDD, block->used - used);
#endif
    block->used = used;
}

/* Makes a block that can hold size the current one: the first empty one that is large
   enough, else a new one. */
static void arena_next_block(Arena *arena, size_t size)
{
    ArenaBlock **link = &arena->current->next;
    while (*link != NULL && (*link)->size < size)
        link = &(*link)->next;
    ArenaBlock *block = *link;
    if (block == NULL)
        block = block_new(arena, size > arena->block_bytes ? size : arena->block_bytes);
    else
        *link = block->next;
    block->next = arena->current->next;
    arena->current->next = block;
    arena->current = block;
}

void *arena_alloc(Arena *arena, size_t size)
{
    size_t wanted = round_up(size);
    ArenaBlock *block = arena->current;
    if (UNLIKELY(block->size - block->used < wanted)) {
        arena_next_block(arena, wanted);
        block = arena->current;
    }
    void *result = block->bytes + block->used;
    block->used += wanted;
    return result;
}

void *arena_zalloc(Arena *arena, size_t size)
{
    void *result = arena_alloc(arena, size);
    memset(result, 0, size);
    return result;
}

void *arena_alloc_array(Arena *arena, size_t count, size_t size)
{
    size_t bytes;
    ASSERT(!__builtin_mul_overflow(count, size, &bytes));
    return arena_alloc(arena, bytes);
}

void *arena_zalloc_array(Arena *arena, size_t count, size_t size)
{
    size_t bytes;
    ASSERT(!__builtin_mul_overflow(count, size, &bytes));
    return arena_zalloc(arena, bytes);
}

void *arena_copy(Arena *arena, const void *bytes, size_t size)
{
    void *result = arena_alloc(arena, size);
    if (size > 0)
        memcpy(result, bytes, size);
    return result;
}

void *arena_grow(Arena *arena, void *old, size_t old_size, size_t new_size)
{
    ASSERT(new_size >= old_size);
    ArenaBlock *block = arena->current;
    size_t old_room = round_up(old_size);
    size_t new_room = round_up(new_size);
    bool is_last = old != NULL && block->used >= old_room &&
                   (unsigned char *)old == block->bytes + block->used - old_room;
    if (is_last && block->size - (block->used - old_room) >= new_room) {
        block->used += new_room - old_room;
        return old;
    }
    void *result = arena_alloc(arena, new_size);
    if (old != NULL && old_size > 0)
        memcpy(result, old, old_size);
    return result;
}

void arena_reset(Arena *arena)
{
    arena_rewind(arena, (ArenaMark){.block = arena->first, .used = 0});
}

ArenaMark arena_mark(const Arena *arena)
{
    return (ArenaMark){.block = arena->current, .used = arena->current->used};
}

void arena_rewind(Arena *arena, ArenaMark mark)
{
    ArenaBlock *block = mark.block;
    ArenaBlock *last = arena->current;
    ASSERT(mark.used <= block->used);
    arena->current = block;
    block_empty(block, mark.used);
    while (block != last) {
        block = block->next;
        ASSERT(block != NULL);
        block_empty(block, 0);
    }
}

size_t arena_bytes_held(const Arena *arena)
{
    return arena->held;
}

#include "base/pages.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

size_t pages_round(size_t size)
{
    ASSERT(size <= SIZE_MAX - PAGES_UNIT);
    return (size + PAGES_UNIT - 1) / PAGES_UNIT * PAGES_UNIT;
}

#ifdef BRAID_DEBUG

/* From the allocator, so that leaks and uses after free are seen. */
static void *new_pages(size_t size)
{
    void *memory = NULL;
    if (posix_memalign(&memory, PAGES_UNIT, size) != 0)
        return NULL;
    memset(memory, 0, size);
    return memory;
}

static void drop_pages(void *memory, UNUSED size_t size)
{
    free(memory);
}

#else

/* One unit more than wanted holds an aligned piece; the ends, which nobody touched, go back. */
static void *new_pages(size_t size)
{
    size_t room = size + PAGES_UNIT;
    char *from = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (from == MAP_FAILED)
        return NULL;
    size_t before = (PAGES_UNIT - (uintptr_t)from % PAGES_UNIT) % PAGES_UNIT;
    size_t behind = PAGES_UNIT - before;
    if (before > 0)
        (void)munmap(from, before);
    (void)munmap(from + before + size, behind);
    (void)madvise(from + before, size, MADV_HUGEPAGE); /* only faster where it works */
    return from + before;
}

static void drop_pages(void *memory, size_t size)
{
    (void)munmap(memory, size);
}

#endif

void *pages_alloc(size_t size)
{
    size_t rounded = pages_round(size == 0 ? 1 : size);
    void *memory = new_pages(rounded);
    ASSERT(memory != NULL);
    return memory;
}

void pages_free(void *memory, size_t size)
{
    if (memory != NULL)
        drop_pages(memory, pages_round(size == 0 ? 1 : size));
}

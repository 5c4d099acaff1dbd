/*
 * fuzz_valueset -- any text as a ValueSet or a Bundle of them: reads, works out, and checks that
 * what comes out is sorted and can be found again.
 */
#include "terms/terms.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_set(const ValueSets *sets, const ValueSet *set)
{
    for (size_t i = 0; i < set->count; i++) {
        ASSERT(value_set_has(set, set->codes[i].system, set->codes[i].code));
        if (i == 0)
            continue;
        int order = str_cmp(set->codes[i - 1].system, set->codes[i].system);
        ASSERT(order < 0 ||
               (order == 0 && str_cmp(set->codes[i - 1].code, set->codes[i].code) < 0));
    }
    /* The highest version is found, where it can be used. */
    if (str_find_char(set->url, '|') == SIZE_MAX)
        (void)value_sets_find(sets, set->url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_create(0);
    DiagList diags;
    diag_init(&diags, arena);
    ValueSets *sets = value_sets_create(arena);
    value_sets_add(sets, (Str){.ptr = (const char *)data, .len = size}, S("fuzz.json"), &diags);
    value_sets_resolve(sets, &diags);
    for (size_t i = 0; i < value_sets_count(sets); i++)
        check_set(sets, value_sets_at(sets, i));
    arena_destroy(arena);
    return 0;
}

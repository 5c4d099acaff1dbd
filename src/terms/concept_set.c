#include "terms/terms_int.h"

static inline bool bit_is_set(const uint64_t *bits, uint32_t at)
{
    return ((bits[at >> 6] >> (at & 63)) & 1) != 0;
}

static inline void bit_set(uint64_t *bits, uint32_t at)
{
    bits[at >> 6] |= (uint64_t)1 << (at & 63);
}

typedef struct {
    ConceptId low;
    ConceptId high;
    uint32_t count;
} Extent;

static void extent_add(Extent *extent, ConceptId id)
{
    if (extent->count == 0 || id < extent->low)
        extent->low = id;
    if (extent->count == 0 || id > extent->high)
        extent->high = id;
    extent->count++;
}

/* Sets the bit of each group that has a member among the bits. */
static void add_groups(const ConceptDict *dict, uint64_t *bits)
{
    uint32_t code_count = dict->header->code_count;
    for (uint32_t g = 0; g < dict->header->group_count; g++)
        for (uint32_t m = dict->group_starts[g]; m < dict->group_starts[g + 1]; m++)
            if (bit_is_set(bits, dict->members[m])) {
                bit_set(bits, code_count + g + 1);
                break;
            }
}

ConceptSet concept_set_of(Arena *arena, const ConceptDict *dict, const ConceptId *ids, size_t count)
{
    uint32_t last = concept_dict_count(dict);
    size_t words = (size_t)last / 64 + 1;
    uint64_t *bits = ARENA_ZARRAY(arena, uint64_t, words);
    for (size_t i = 0; i < count; i++) {
        ASSERT(ids[i] <= last);
        if (ids[i] != CONCEPT_NONE)
            bit_set(bits, ids[i]);
    }
    if (count > 0)
        add_groups(dict, bits);
    Extent extent = {.count = 0};
    for (size_t w = 0; w < words; w++)
        for (uint64_t left = bits[w]; left != 0; left &= left - 1)
            extent_add(&extent, (ConceptId)(w * 64 + (unsigned)__builtin_ctzll(left)));
    if (extent.count == 0)
        return (ConceptSet){.count = 0};
    /* Whole words are kept, so that the bits need no shifting. */
    ConceptId first = extent.low & ~(ConceptId)63;
    return (ConceptSet){.first = first,
                        .span = extent.high - first + 1,
                        .bits = bits + first / 64,
                        .count = extent.count};
}

bool concept_set_next(const ConceptSet *set, ConceptId *at)
{
    uint64_t offset = *at < set->first ? 0 : (uint64_t)*at - set->first + 1;
    while (offset < set->span) {
        uint64_t left = set->bits[offset >> 6] >> (offset & 63);
        if (left != 0) {
            offset += (unsigned)__builtin_ctzll(left);
            if (offset >= set->span)
                return false;
            *at = set->first + (ConceptId)offset;
            return true;
        }
        offset = (offset | 63) + 1;
    }
    return false;
}

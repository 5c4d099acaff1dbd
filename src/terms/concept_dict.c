#include "terms/terms_int.h"

static const char dict_magic[8] = {'B', 'R', 'D', 'C', 'O', 'N', 'C', '\n'};

void dict_header_init(DictHeader *header)
{
    *header = (DictHeader){.version = DICT_VERSION};
    memcpy(header->magic, dict_magic, sizeof(dict_magic));
}

/* Gives where a section of count * size bytes begins and moves *end behind it. */
static bool place_section(size_t *end, uint64_t count, size_t size, size_t *ret_start)
{
    size_t bytes;
    size_t next;
    if (__builtin_mul_overflow(count, size, &bytes) || __builtin_add_overflow(*end, bytes, &next) ||
        __builtin_add_overflow(next, 7, &next))
        return false;
    *ret_start = *end;
    *end = next & ~(size_t)7;
    return true;
}

bool dict_layout(const DictHeader *header, DictLayout *ret_layout)
{
    DictLayout layout = {.end = sizeof(DictHeader)};
    size_t *end = &layout.end;
    uint64_t blocks = ((uint64_t)header->code_count >> DICT_TEXT_BLOCK_SHIFT) + 1;
    uint64_t systems = (uint64_t)header->system_count + 1;
    uint64_t codes = (uint64_t)header->code_count + 1;
    uint64_t groups = (uint64_t)header->group_count + 1;
    if (!place_section(end, blocks, sizeof(uint64_t), &layout.text_bases) ||
        !place_section(end, systems, sizeof(uint32_t), &layout.system_starts) ||
        !place_section(end, systems, sizeof(uint32_t), &layout.system_firsts) ||
        !place_section(end, codes, sizeof(uint32_t), &layout.text_starts) ||
        !place_section(end, groups, sizeof(uint32_t), &layout.group_starts) ||
        !place_section(end, header->member_count, sizeof(ConceptId), &layout.members) ||
        !place_section(end, header->system_text_bytes, 1, &layout.system_text) ||
        !place_section(end, header->code_text_bytes, 1, &layout.code_text))
        return false;
    *ret_layout = layout;
    return true;
}

ConceptDict *dict_bind(Arena *arena, const void *image, const DictLayout *layout)
{
    const char *bytes = image;
    const DictHeader *header = image;
    ConceptId *selves = ARENA_ARRAY(arena, ConceptId, header->code_count);
    for (uint32_t i = 0; i < header->code_count; i++)
        selves[i] = i + 1;
    ConceptDict *dict = ARENA_NEW(arena, ConceptDict);
    *dict = (ConceptDict){
        .header = header,
        .text_bases = (const void *)(bytes + layout->text_bases),
        .system_starts = (const void *)(bytes + layout->system_starts),
        .system_firsts = (const void *)(bytes + layout->system_firsts),
        .text_starts = (const void *)(bytes + layout->text_starts),
        .group_starts = (const void *)(bytes + layout->group_starts),
        .members = (const void *)(bytes + layout->members),
        .selves = selves,
        .system_text = bytes + layout->system_text,
        .code_text = bytes + layout->code_text,
    };
    return dict;
}

uint32_t dict_image_crc(const DictHeader *image)
{
    size_t from = offsetof(DictHeader, crc) + sizeof(image->crc);
    return io_crc32c(0, (const char *)image + from, image->image_bytes - from);
}

static uint64_t text_position(const ConceptDict *dict, uint32_t index)
{
    return dict->text_bases[index >> DICT_TEXT_BLOCK_SHIFT] + dict->text_starts[index];
}

Str dict_code_text(const ConceptDict *dict, uint32_t index)
{
    uint64_t from = text_position(dict, index);
    uint64_t to = text_position(dict, index + 1);
    return (Str){.ptr = dict->code_text + from, .len = to - from};
}

Str dict_system_text(const ConceptDict *dict, uint32_t system)
{
    uint32_t from = dict->system_starts[system];
    return (Str){.ptr = dict->system_text + from, .len = dict->system_starts[system + 1] - from};
}

/* --- opening --- */

/* counts ascend from 0 to `end`; `strictly`: none is empty. */
static bool starts_are_good(const uint32_t *starts, uint32_t count, uint64_t end, bool strictly)
{
    if (starts[0] != 0 || starts[count] != end)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (starts[i] > starts[i + 1] || (strictly && starts[i] == starts[i + 1]))
            return false;
    return true;
}

static bool texts_are_in_bounds(const ConceptDict *dict)
{
    uint64_t bytes = dict->header->code_text_bytes;
    uint64_t before = 0;
    for (uint64_t i = 0; i <= dict->header->code_count; i++) {
        uint64_t base = dict->text_bases[i >> DICT_TEXT_BLOCK_SHIFT];
        if (base > bytes || base + dict->text_starts[i] < before)
            return false;
        before = base + dict->text_starts[i];
        if (before > bytes)
            return false;
    }
    return text_position(dict, 0) == 0 && before == bytes;
}

static bool names_ascend(const ConceptDict *dict)
{
    for (uint32_t s = 0; s < dict->header->system_count; s++) {
        if (s > 0 && str_cmp(dict_system_text(dict, s - 1), dict_system_text(dict, s)) >= 0)
            return false;
        for (uint32_t i = dict->system_firsts[s] + 1; i < dict->system_firsts[s + 1]; i++)
            if (str_cmp(dict_code_text(dict, i - 1), dict_code_text(dict, i)) >= 0)
                return false;
    }
    return true;
}

/* Below, at or above zero as the lists compare, the shorter first when one begins the other. */
static int compare_members(const ConceptId *a, size_t a_count, const ConceptId *b, size_t b_count)
{
    size_t common = a_count < b_count ? a_count : b_count;
    for (size_t i = 0; i < common; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return (a_count > b_count) - (a_count < b_count);
}

static bool groups_are_good(const ConceptDict *dict)
{
    const uint32_t *starts = dict->group_starts;
    for (uint32_t g = 0; g < dict->header->group_count; g++) {
        const ConceptId *members = dict->members + starts[g];
        uint32_t count = starts[g + 1] - starts[g];
        if (count < 2)
            return false;
        for (uint32_t i = 0; i < count; i++)
            if (members[i] == CONCEPT_NONE || members[i] > dict->header->code_count ||
                (i > 0 && members[i - 1] >= members[i]))
                return false;
        if (g > 0 && compare_members(dict->members + starts[g - 1], starts[g] - starts[g - 1],
                                     members, count) >= 0)
            return false;
    }
    return true;
}

static const char *image_fault(const ConceptDict *dict)
{
    const DictHeader *header = dict->header;
    if (dict_image_crc(header) != header->crc)
        return "its checksum is wrong";
    if (!starts_are_good(dict->system_starts, header->system_count, header->system_text_bytes,
                         false))
        return "the offsets of systems are wrong";
    if (!starts_are_good(dict->system_firsts, header->system_count, header->code_count, true))
        return "the codes of systems are wrong";
    if (!texts_are_in_bounds(dict))
        return "the offsets of codes are wrong";
    if (!names_ascend(dict))
        return "codes are out of order";
    if (!starts_are_good(dict->group_starts, header->group_count, header->member_count, true))
        return "the offsets of groups are wrong";
    if (!groups_are_good(dict))
        return "the members of groups are wrong";
    return NULL;
}

ErrorCode concept_dict_open(Arena *arena, const void *bytes, size_t size, ConceptDict **ret_dict,
                            Error *err)
{
    static const char what[] = "concept dictionary";
    DictHeader header;
    if (size < sizeof(header))
        return error_set(err, ERR_DAMAGED, "%s: %zu bytes are too few", what, size);
    memcpy(&header, bytes, sizeof(header));
    if (memcmp(header.magic, dict_magic, sizeof(dict_magic)) != 0)
        return error_set(err, ERR_DAMAGED, "%s: not one by its first bytes", what);
    if (header.version != DICT_VERSION)
        return error_set(err, ERR_VERSION, "%s: version %u, expected %d", what, header.version,
                         DICT_VERSION);
    DictLayout layout;
    bool ids_fit = (uint64_t)header.code_count + header.group_count < UINT32_MAX;
    if (!ids_fit || !dict_layout(&header, &layout) || layout.end != size ||
        header.image_bytes != size)
        return error_set(err, ERR_DAMAGED, "%s: its parts do not add up to its %zu bytes", what,
                         size);
    if ((uintptr_t)bytes % sizeof(uint64_t) != 0)
        bytes = arena_copy(arena, bytes, size);
    ConceptDict *dict = dict_bind(arena, bytes, &layout);
    const char *fault = image_fault(dict);
    if (fault != NULL)
        return error_set(err, ERR_DAMAGED, "%s: %s", what, fault);
    *ret_dict = dict;
    return ERR_OK;
}

Str concept_dict_serialise(const ConceptDict *dict, UNUSED Arena *arena)
{
    return (Str){.ptr = (const char *)dict->header, .len = dict->header->image_bytes};
}

/* --- looking up --- */

uint32_t concept_dict_count(const ConceptDict *dict)
{
    return dict->header->code_count + dict->header->group_count;
}

uint32_t concept_dict_code_count(const ConceptDict *dict)
{
    return dict->header->code_count;
}

uint32_t dict_find_system(const ConceptDict *dict, Str system)
{
    uint32_t from = 0;
    uint32_t to = dict->header->system_count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        int order = str_cmp(dict_system_text(dict, middle), system);
        if (order == 0)
            return middle;
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return UINT32_MAX;
}

uint32_t dict_lower_bound(const ConceptDict *dict, Str code, uint32_t from, uint32_t to)
{
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (str_cmp(dict_code_text(dict, middle), code) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

ConceptId concept_dict_find(const ConceptDict *dict, Str system, Str code)
{
    uint32_t number = dict_find_system(dict, system);
    if (number == UINT32_MAX)
        return CONCEPT_NONE;
    uint32_t to = dict->system_firsts[number + 1];
    uint32_t index = dict_lower_bound(dict, code, dict->system_firsts[number], to);
    bool found = index < to && str_eq(dict_code_text(dict, index), code);
    return found ? index + 1 : CONCEPT_NONE;
}

/* The system whose span of codes holds the index: the last that begins at or before it. */
static uint32_t system_of(const ConceptDict *dict, uint32_t index)
{
    uint32_t from = 0;
    uint32_t to = dict->header->system_count;
    while (to - from > 1) {
        uint32_t middle = from + (to - from) / 2;
        if (dict->system_firsts[middle] <= index)
            from = middle;
        else
            to = middle;
    }
    return from;
}

ConceptName concept_dict_name(const ConceptDict *dict, ConceptId id)
{
    size_t count;
    uint32_t index = concept_dict_members(dict, id, &count)[0] - 1;
    return (ConceptName){.system = dict_system_text(dict, system_of(dict, index)),
                         .code = dict_code_text(dict, index)};
}

bool concept_dict_is_group(const ConceptDict *dict, ConceptId id)
{
    return id > dict->header->code_count;
}

const ConceptId *concept_dict_members(const ConceptDict *dict, ConceptId id, size_t *ret_count)
{
    ASSERT(id != CONCEPT_NONE && id <= concept_dict_count(dict));
    uint32_t code_count = dict->header->code_count;
    if (id <= code_count) {
        *ret_count = 1;
        return &dict->selves[id - 1];
    }
    uint32_t group = id - code_count - 1;
    *ret_count = dict->group_starts[group + 1] - dict->group_starts[group];
    return dict->members + dict->group_starts[group];
}

/* --- names by either --- */

ConceptName concept_name(ConceptNames names, ConceptId id)
{
    if (names.dict != NULL)
        return concept_dict_name(names.dict, id);
    return concept_builder_name(names.builder, id);
}

bool concept_is_known(ConceptNames names, ConceptId id)
{
    if (id == CONCEPT_NONE)
        return false;
    if (names.dict != NULL)
        return id <= concept_dict_count(names.dict);
    return names.builder != NULL && builder_has(names.builder, id);
}

/*
 * fuzz_dict -- opens any bytes as a concept dictionary, then asks everything of what was opened.
 *
 * Byte 0 says whether the checksum is put right first: without that no change would get past it.
 */
#include "terms/terms_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask_everything(Arena *arena, const ConceptDict *dict)
{
    ConceptId ids[64];
    size_t wanted = 0;
    for (ConceptId id = 1; id <= concept_dict_count(dict); id++) {
        ConceptName name = concept_dict_name(dict, id);
        size_t count;
        const ConceptId *members = concept_dict_members(dict, id, &count);
        ASSERT(count >= 1 && members[count - 1] <= concept_dict_code_count(dict));
        if (!concept_dict_is_group(dict, id))
            ASSERT(concept_dict_find(dict, name.system, name.code) == id);
        if (wanted < COUNT_OF(ids))
            ids[wanted++] = id;
    }
    ConceptSet set = concept_set_of(arena, dict, ids, wanted);
    uint32_t walked = 0;
    ConceptId at = 0;
    while (concept_set_next(&set, &at)) {
        ASSERT(concept_set_has(&set, at));
        walked++;
    }
    ASSERT(walked == set.count && walked >= wanted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    Arena *arena = arena_create(0);
    char *image = arena_copy(arena, data + 1, size - 1);
    DictHeader *header = (void *)image;
    if ((data[0] & 1) != 0 && size - 1 >= sizeof(*header)) {
        header->image_bytes = size - 1;
        header->crc = dict_image_crc(header);
    }
    ConceptDict *dict;
    Error err;
    if (concept_dict_open(arena, image, size - 1, &dict, &err) == ERR_OK)
        ask_everything(arena, dict);
    arena_destroy(arena);
    return 0;
}

/*
 * terms_int -- the image of a dictionary, shared by the files of this folder.
 *
 * A dictionary is one stretch of bytes, the same in memory and in a file: a header and
 * sections one after the other, each beginning at a multiple of 8, numbers little-endian.
 *
 *     text_bases     u64[code_count / 65536 + 1]  where the texts of each 65,536 codes begin
 *     system_starts  u32[system_count + 1]        offsets into system_text
 *     system_firsts  u32[system_count + 1]        index of the system's first code
 *     text_starts    u32[code_count + 1]          offsets from the text base
 *     group_starts   u32[group_count + 1]         offsets into members
 *     members        u32[member_count]            ids of codes
 *     system_text, code_text                      bytes
 *
 * Systems ascend in byte order, the codes of a system too, the members of a group by id, and
 * groups by their member lists; nothing occurs twice. A group has two members at least.
 */
#pragma once

#include "terms/terms.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "images are mapped as they are");

enum { DICT_VERSION = 1, DICT_TEXT_BLOCK_SHIFT = 16 };

typedef struct {
    char magic[8];
    uint32_t version;
    uint32_t crc; /* CRC-32C of all that follows this field */
    uint32_t system_count;
    uint32_t code_count;
    uint32_t group_count;
    uint32_t member_count;
    uint64_t system_text_bytes;
    uint64_t code_text_bytes;
    uint64_t image_bytes;
} DictHeader;

struct ConceptDict {
    const DictHeader *header;
    const uint64_t *text_bases;
    const uint32_t *system_starts;
    const uint32_t *system_firsts;
    const uint32_t *text_starts;
    const uint32_t *group_starts;
    const ConceptId *members;
    const ConceptId *selves; /* 1, 2, ...: a code as the list of itself; not in the image */
    const char *system_text;
    const char *code_text;
};

/* Where each section begins, from the counts in the header alone. False when the sum does not fit
 * into 64 bits or memory. */
typedef struct {
    size_t text_bases;
    size_t system_starts;
    size_t system_firsts;
    size_t text_starts;
    size_t group_starts;
    size_t members;
    size_t system_text;
    size_t code_text;
    size_t end;
} DictLayout;

void dict_header_init(DictHeader *header);
bool dict_layout(const DictHeader *header, DictLayout *ret_layout);
/* A dictionary over an image with that layout. */
ConceptDict *dict_bind(Arena *arena, const void *image, const DictLayout *layout);
uint32_t dict_image_crc(const DictHeader *image);
/* A code by its index from 0 (its id less one). */
Str dict_code_text(const ConceptDict *dict, uint32_t index);
Str dict_system_text(const ConceptDict *dict, uint32_t system);
/* The number of the system, or UINT32_MAX. */
uint32_t dict_find_system(const ConceptDict *dict, Str system);
/* First index in [from, to) whose code is not below; `to` when there is none. */
uint32_t dict_lower_bound(const ConceptDict *dict, Str code, uint32_t from, uint32_t to);

/* False for an id that the builder has not given out. */
bool builder_has(const ConceptBuilder *builder, ConceptId id);

/*
 * share -- many flat tapes into one area in which equal sub-trees stand once.
 *
 * The table of what stands where is exact: it never forgets, and bytes are compared, so the area
 * depends on the order of the tapes and on nothing else.
 */
#pragma once

#include "fhir/fhir_int.h"

typedef struct Share Share;

/* The area has room for size_max bytes: the flat sizes of all that will be added, together, and
   SHARE_HEAD_BYTES. renumber may be NULL. The area lives in `arena`, all else in `scratch`. */
enum { SHARE_HEAD_BYTES = 1 << 13 };
Share *share_create(Arena *arena, Arena *scratch, size_t size_max, const ConceptId *renumber);
/* Before all else: looks at some of the tapes to come, and counts what is in them. */
void share_sample(Share *share, const uint8_t *tape, size_t size);
/* Then: puts the sub-trees seen most often to the head of the area, where references are short. */
void share_put_head(Share *share);
/* May be called before the resource before this one is added: so memory has time to answer. */
void share_prepare(Share *share, const uint8_t *tape, size_t size);
/* Adds a resource; its tape must live as long as the Share. Gives its offset. */
size_t share_add(Share *share, const uint8_t *tape, size_t size);
/* The area; the table is given up. */
const uint8_t *share_finish(Share *share, size_t *ret_size);

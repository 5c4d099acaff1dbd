/*
 * json_index -- where the structure of JSON text is, found at gigabytes a second.
 *
 * A thin C interface to simdjson's first stage: it checks UTF-8 and lists the offsets of all
 * structural characters ( { } [ ] : , ), of opening quotes and of the first byte of each
 * number, true, false and null, outside of strings. Several documents (NDJSON) may stand in
 * one text. Nothing else is checked: whoever walks the offsets checks the grammar, by the byte at
 * each offset (simdjson lists a stray form feed or 0x1A as if it were a comma or a colon).
 *
 * The text must be followed by JSON_INDEX_PADDING readable bytes. One thread per index.
 */
#pragma once

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { JSON_INDEX_PADDING = 64 };

typedef struct JsonIndex JsonIndex;

JsonIndex *json_index_create(void);
void json_index_destroy(JsonIndex *index);

typedef enum {
    JSON_INDEX_OK,
    JSON_INDEX_BAD_UTF8,
    JSON_INDEX_UNCLOSED_STRING,
    JSON_INDEX_BAD_STRING, /* a control character inside a string */
    JSON_INDEX_EMPTY,
    JSON_INDEX_TOO_LONG /* over 4 GiB */
} JsonIndexResult;

/* Indexes the text; the offsets stay good until the next call. */
MUST_USE JsonIndexResult json_index_run(JsonIndex *index, const char *text, size_t len);
/* The offsets of the last run, ascending; *ret_count of them. At least two readable entries follow
   the last, both holding the text's length. */
const uint32_t *json_index_offsets(const JsonIndex *index, size_t *ret_count);
const char *json_index_result_text(JsonIndexResult result);

#ifdef __cplusplus
}
#endif

/*
 * str -- text as views (Str) and as buffers that grow (StrBuf).
 *
 * A Str is a pointer and a length: it owns nothing, need not end in a zero byte, and
 * lives as long as what it points into. Bytes are UTF-8 unless a function says else.
 * C strings are made only at the edge of libc, with str_to_c().
 *
 * A StrBuf grows in an arena up to its ceiling; past that it stops taking text and
 * says so by `overflowed`, which the caller checks once at the end.
 */
#pragma once

#include <string.h>

#include "base/arena.h"

typedef struct {
    const char *ptr;
    size_t len;
} Str;

/* A Str of a string literal. */
#define S(literal) ((Str){.ptr = (literal), .len = sizeof(literal) - 1})
/* For static tables, where a compound literal is not constant. */
#define STR_INIT(literal)                                                                          \
    {                                                                                              \
        .ptr = (literal), .len = sizeof(literal) - 1                                               \
    }
/* The two arguments of a "%.*s". */
#define STR_ARG(str) (int)(str).len, (str).ptr

static inline bool str_eq(Str a, Str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool str_is_empty(Str str)
{
    return str.len == 0;
}

/* Equal but for the case of ASCII letters. */
bool str_eq_ignoring_case(Str a, Str b);
/* From a C string; NULL gives the empty Str. */
Str str_from_c(const char *text);
/* The bytes that base64 text stands for (RFC 4648; white space is passed over); false when it is
   none. */
bool str_from_base64(Arena *arena, Str text, Str *ret_bytes);
/* Byte order; a prefix comes before what it begins. Below, at or above zero. */
int str_cmp(Str a, Str b);
bool str_starts_with(Str str, Str prefix);
bool str_ends_with(Str str, Str suffix);
/* The part from byte `from` (at most str.len), `len` bytes or what is left of them. */
Str str_slice(Str str, size_t from, size_t len);
/* Without ASCII white space at both ends. */
Str str_trim(Str str);
/* Position of the first `needle`, or SIZE_MAX. */
size_t str_find(Str str, Str needle);
size_t str_find_char(Str str, char wanted);
/* Cuts *rest at the first separator and gives the part before; false when *rest is used up.
   "a,,b" gives "a", "", "b"; the empty Str gives one empty part. *rest.ptr becomes NULL at the end.
 */
bool str_split_next(Str *rest, char separator, Str *ret_part);
/* Not for strangers' keys that could be chosen to collide: same bytes, same hash, on any machine.
 */
uint64_t str_hash(Str str);
/* Decimal digits with an optional '-'; false on anything else or on overflow. */
bool str_to_int64(Str str, int64_t *ret_value);

Str str_copy(Arena *arena, Str str);
/* Zero-terminated copy, for libc. A zero byte inside the text ends it early. */
const char *str_to_c(Arena *arena, Str str);
Str str_format(Arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);
/* qsort comparator over Str. */
int str_compare_items(const void *a, const void *b);

typedef struct {
    Arena *arena;
    char *ptr;
    size_t len;
    size_t capacity;
    size_t limit; /* most bytes it may hold */
    bool overflowed;
} StrBuf;

/* limit 0 means LIMIT_STRBUF_BYTES. */
void strbuf_init(StrBuf *buf, Arena *arena, size_t limit);
void strbuf_clear(StrBuf *buf);
void strbuf_add(StrBuf *buf, Str text);
void strbuf_add_c(StrBuf *buf, const char *text);
void strbuf_add_char(StrBuf *buf, char c);
void strbuf_printf(StrBuf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
/* Room for `size` more bytes at buf->ptr + buf->len, or NULL past the limit; the caller adds to
 * len. */
char *strbuf_reserve(StrBuf *buf, size_t size);
/* A view of what is in it, good until the next addition. */
Str strbuf_str(const StrBuf *buf);

/* The code point as UTF-8: up to 4 bytes go to `to`, how many is given back. */
size_t str_put_utf8(char *to, uint32_t point);
/* Drops the character that a cut at the end of a buffer left incomplete. */
void str_mend_cut(char *text);

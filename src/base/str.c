#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/limits.h"

Str str_from_c(const char *text)
{
    if (text == NULL)
        return (Str){.ptr = "", .len = 0};
    return (Str){.ptr = text, .len = strlen(text)};
}

static char small(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool str_eq_ignoring_case(Str a, Str b)
{
    for (size_t i = 0; a.len == b.len && i < a.len; i++)
        if (small(a.ptr[i]) != small(b.ptr[i]))
            return false;
    return a.len == b.len;
}

int str_cmp(Str a, Str b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter == 0 ? 0 : memcmp(a.ptr, b.ptr, shorter);
    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

int str_compare_items(const void *a, const void *b)
{
    return str_cmp(*(const Str *)a, *(const Str *)b);
}

bool str_starts_with(Str str, Str prefix)
{
    return str.len >= prefix.len && str_eq(str_slice(str, 0, prefix.len), prefix);
}

bool str_ends_with(Str str, Str suffix)
{
    return str.len >= suffix.len &&
           str_eq(str_slice(str, str.len - suffix.len, suffix.len), suffix);
}

Str str_slice(Str str, size_t from, size_t len)
{
    ASSERT(from <= str.len);
    size_t left = str.len - from;
    if (from == 0)
        return (Str){.ptr = str.ptr, .len = len < left ? len : left};
    return (Str){.ptr = str.ptr + from, .len = len < left ? len : left};
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

Str str_trim(Str str)
{
    while (str.len > 0 && is_space(str.ptr[0])) {
        str.ptr++;
        str.len--;
    }
    while (str.len > 0 && is_space(str.ptr[str.len - 1]))
        str.len--;
    return str;
}

size_t str_find(Str str, Str needle)
{
    if (needle.len == 0)
        return 0;
    if (str.len == 0)
        return SIZE_MAX;
    const char *found = memmem(str.ptr, str.len, needle.ptr, needle.len);
    return found == NULL ? SIZE_MAX : (size_t)(found - str.ptr);
}

size_t str_find_char(Str str, char wanted)
{
    if (str.len == 0)
        return SIZE_MAX;
    const char *found = memchr(str.ptr, wanted, str.len);
    return found == NULL ? SIZE_MAX : (size_t)(found - str.ptr);
}

bool str_split_next(Str *rest, char separator, Str *ret_part)
{
    if (rest->ptr == NULL)
        return false;
    size_t at = str_find_char(*rest, separator);
    if (at == SIZE_MAX) {
        *ret_part = *rest;
        *rest = (Str){.ptr = NULL, .len = 0};
        return true;
    }
    *ret_part = str_slice(*rest, 0, at);
    *rest = str_slice(*rest, at + 1, SIZE_MAX);
    return true;
}

/* A multiply-and-fold hash over 8-byte words, after wyhash's construction (Wang Yi, public
   domain): fast on the short keys that codes are. Little-endian loads, so the same everywhere. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t load_word(const char *bytes, size_t len)
{
    uint64_t word = 0;
    memcpy(&word, bytes, len);
    return word;
}

uint64_t str_hash(Str str)
{
    uint64_t hash = mix(str.len ^ 0xa0761d6478bd642full, 0xe7037ed1a0b428dbull);
    const char *at = str.ptr;
    size_t left = str.len;
    while (left > 8) {
        hash = mix(hash ^ load_word(at, 8), 0x8ebc6af09c88c6e3ull);
        at += 8;
        left -= 8;
    }
    uint64_t last = left == 0 ? 0 : load_word(at, left);
    return mix(hash ^ last, 0x589965cc75374cc3ull);
}

bool str_to_int64(Str str, int64_t *ret_value)
{
    bool negative = str.len > 0 && str.ptr[0] == '-';
    size_t i = negative ? 1 : 0;
    if (i == str.len)
        return false;
    int64_t value = 0;
    for (; i < str.len; i++) {
        if (str.ptr[i] < '0' || str.ptr[i] > '9')
            return false;
        int64_t digit = str.ptr[i] - '0';
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, digit,
                                   &value)) /* downwards, as INT64_MIN has no positive */
            return false;
    }
    if (!negative && value == INT64_MIN)
        return false;
    *ret_value = negative ? value : -value;
    return true;
}

Str str_copy(Arena *arena, Str str)
{
    return (Str){.ptr = arena_copy(arena, str.ptr, str.len), .len = str.len};
}

const char *str_to_c(Arena *arena, Str str)
{
    char *text = arena_alloc(arena, str.len + 1);
    if (str.len > 0)
        memcpy(text, str.ptr, str.len);
    text[str.len] = '\0';
    return text;
}

Str str_format(Arena *arena, const char *format, ...)
{
    va_list args;
    va_list again;
    va_start(args, format);
    va_copy(again, args);
    int needed = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ASSERT(needed >= 0);
    char *text = arena_alloc(arena, (size_t)needed + 1);
    vsnprintf(text, (size_t)needed + 1, format, again);
    va_end(again);
    return (Str){.ptr = text, .len = (size_t)needed};
}

void strbuf_init(StrBuf *buf, Arena *arena, size_t limit)
{
    *buf = (StrBuf){.arena = arena, .limit = limit == 0 ? LIMIT_STRBUF_BYTES : limit};
}

void strbuf_clear(StrBuf *buf)
{
    buf->len = 0;
    buf->overflowed = false;
}

char *strbuf_reserve(StrBuf *buf, size_t size)
{
    if (size > buf->limit - buf->len) {
        buf->overflowed = true;
        return NULL;
    }
    size_t needed = buf->len + size;
    if (needed > buf->capacity) {
        size_t capacity = buf->capacity * 2 > needed ? buf->capacity * 2 : needed;
        if (capacity < 64)
            capacity = 64;
        buf->ptr = arena_grow(buf->arena, buf->ptr, buf->capacity, capacity);
        buf->capacity = capacity;
    }
    return buf->ptr + buf->len;
}

void strbuf_add(StrBuf *buf, Str text)
{
    if (text.len == 0)
        return;
    char *to = strbuf_reserve(buf, text.len);
    if (to == NULL)
        return;
    memcpy(to, text.ptr, text.len);
    buf->len += text.len;
}

void strbuf_add_c(StrBuf *buf, const char *text)
{
    strbuf_add(buf, str_from_c(text));
}

void strbuf_add_char(StrBuf *buf, char c)
{
    char *to = strbuf_reserve(buf, 1);
    if (to == NULL)
        return;
    *to = c;
    buf->len++;
}

void strbuf_printf(StrBuf *buf, const char *format, ...)
{
    va_list args;
    va_list again;
    va_start(args, format);
    va_copy(again, args);
    int needed = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ASSERT(needed >= 0);
    char *to = strbuf_reserve(buf, (size_t)needed + 1); /* vsnprintf wants room for its zero */
    if (to != NULL) {
        vsnprintf(to, (size_t)needed + 1, format, again);
        buf->len += (size_t)needed;
    }
    va_end(again);
}

Str strbuf_str(const StrBuf *buf)
{
    return (Str){.ptr = buf->ptr == NULL ? "" : buf->ptr, .len = buf->len};
}

size_t str_put_utf8(char *to, uint32_t point)
{
    if (point < 0x80) {
        to[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        to[0] = (char)(0xC0 | point >> 6);
        to[1] = (char)(0x80 | (point & 0x3F));
        return 2;
    }
    if (point < 0x10000) {
        to[0] = (char)(0xE0 | point >> 12);
        to[1] = (char)(0x80 | (point >> 6 & 0x3F));
        to[2] = (char)(0x80 | (point & 0x3F));
        return 3;
    }
    to[0] = (char)(0xF0 | point >> 18);
    to[1] = (char)(0x80 | (point >> 12 & 0x3F));
    to[2] = (char)(0x80 | (point >> 6 & 0x3F));
    to[3] = (char)(0x80 | (point & 0x3F));
    return 4;
}

void str_mend_cut(char *text)
{
    size_t len = strlen(text);
    size_t at = len;
    while (at > 0 && len - at < 3 && ((unsigned char)text[at - 1] & 0xC0) == 0x80)
        at--;
    if (at == 0)
        return;
    unsigned char lead = (unsigned char)text[at - 1];
    size_t needs = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (needs > len - at + 1)
        text[at - 1] = '\0';
}

/* 0 to 63, or -1 for what is no digit of base64. */
static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool str_from_base64(Arena *arena, Str text, Str *ret_bytes)
{
    char *bytes = arena_alloc(arena, text.len / 4 * 3 + 3);
    size_t len = 0;
    size_t digits = 0;
    size_t pads = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == ' ' || c == '\n' || c == '\r' || c == '\t')
            continue;
        int digit = base64_digit(c);
        pads += c == '=';
        if ((digit < 0 && c != '=') || (digit >= 0 && pads > 0))
            return false;
        if (digit < 0)
            continue;
        bits = bits << 6 | (uint32_t)digit;
        digits++;
        if (digits % 4 != 1)
            bytes[len++] = (char)(bits >> (digits % 4 == 0 ? 0 : digits % 4 == 3 ? 2 : 4) & 0xFF);
    }
    if (digits % 4 == 1 || pads > 2 || (pads > 0 && (digits + pads) % 4 != 0))
        return false;
    *ret_bytes = (Str){.ptr = bytes, .len = len};
    return true;
}

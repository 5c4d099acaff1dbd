/*
 * fhir_int -- the tape's format, shared by those who write, share, read and check tapes.
 *
 * fhir/README.md is the specification. A node is a tag byte and what the tag says follows.
 */
#pragma once

#include "fhir/fhir.h"

enum {
    TAPE_NULL = 0x00, /* an item of a primitive list, or a value, that is not there */
    TAPE_FALSE = 0x01,
    TAPE_TRUE = 0x02,
    TAPE_EXTRA = 0x03, /* a primitive's value node, then the object of its id and extensions */
    TAPE_LIST1 = 0x04, /* a list of one item: the item follows */
    TAPE_LIST8 = 0x05, /* length of the items in 1, 2 or 4 bytes; items */
    TAPE_LIST16 = 0x06,
    TAPE_LIST32 = 0x07,
    TAPE_OBJECT8 = 0x08, /* length of the fields in 1, 2 or 4 bytes; fields */
    TAPE_OBJECT16 = 0x09,
    TAPE_OBJECT32 = 0x0A,
    TAPE_RESOURCE8 = 0x0B, /* resource type; length; fields */
    TAPE_RESOURCE16 = 0x0C,
    TAPE_RESOURCE32 = 0x0D,
    TAPE_TEXT8 = 0x0E, /* length in 1 or 4 bytes; UTF-8 */
    TAPE_TEXT32 = 0x0F,
    TAPE_UUID = 0x10,       /* 16 bytes; lower-case text */
    TAPE_REFERENCE = 0x11,  /* resource type, id node: "Type/id"; type 0: "urn:uuid:", a UUID */
    TAPE_INTEGER = 0x12,    /* zigzag varint */
    TAPE_DECIMAL0 = 0x13,   /* zigzag varint of all digits; the tag counts those behind the point */
    TAPE_DECIMAL3 = 0x16,   /* … 0x13 to 0x16: 0 to 3 of them */
    TAPE_DECIMAL_N = 0x17,  /* … here a byte does */
    TAPE_YEAR = 0x18,       /* 3 bytes: see tape_moment.c */
    TAPE_MONTH = 0x19,      /* 3 bytes */
    TAPE_DAY = 0x1A,        /* 3 bytes */
    TAPE_SECOND = 0x1B,     /* 6 bytes */
    TAPE_MILLI = 0x1C,      /* 7 bytes */
    TAPE_REF32 = 0x1D,      /* 4 bytes: absolute offset of the node that stands here */
    TAPE_CODE = 0x1E,       /* ConceptId, 4 bytes: its code */
    TAPE_SYSTEM = 0x1F,     /* a TAPE_CODE follows, belonging to it: its system */
    TAPE_TEXT0 = 0x20,      /* to 0x3F: text of 0 to 31 bytes */
    TAPE_OBJECT0 = 0x40,    /* to 0x5F: object whose fields have 0 to 31 bytes */
    TAPE_INTEGER0 = 0x60,   /* to 0x6F: integer 0 to 15 */
    TAPE_REF_NEAR2 = 0x80,  /* to 0x9F: 13 bits back from this node: 2 bytes */
    TAPE_REF_FIRST2 = 0xA0, /* to 0xBF: 13 bits of absolute offset: 2 bytes */
    TAPE_REF_NEAR3 = 0xC0,  /* to 0xDF: 21 bits back from this node: 3 bytes */
    TAPE_REF_FIRST3 = 0xE0, /* to 0xFF: 21 bits of absolute offset: 3 bytes */

    TAPE_SMALL_MAX = 31,
    TAPE_REF_BITS = 0x1F, /* of the tag of a short reference */
    /* In place of an element number, only in a Coding: the members "system" and "code" in this
       order, as TAPE_SYSTEM and TAPE_CODE: 7 bytes with this one. */
    TAPE_FIELD_SYSTEM_CODE = 0xFF,
    TAPE_UUID_BYTES = 16,
    TAPE_UUID_TEXT_BYTES = 36,
    /* A contained tree copied from elsewhere in the JSON may sit deeper than where it was read. */
    TAPE_DEPTH_MAX = 2 * LIMIT_JSON_DEPTH,
};
#define TAPE_NOWHERE UINT32_MAX
#define URN_UUID     "urn:uuid:"

static inline bool tape_is_ref(uint8_t tag)
{
    return tag >= TAPE_REF_NEAR2 || tag == TAPE_REF32;
}

static inline uint32_t tape_load16(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8;
}

static inline uint32_t tape_load32(const uint8_t *bytes)
{
    return tape_load16(bytes) | tape_load16(bytes + 2) << 16;
}

static inline void tape_store32(uint8_t *bytes, uint32_t value)
{
    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)(value >> 8);
    bytes[2] = (uint8_t)(value >> 16);
    bytes[3] = (uint8_t)(value >> 24);
}

static inline uint64_t tape_zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}

static inline int64_t tape_unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

static inline uint8_t *tape_put_varint(uint8_t *out, uint64_t value)
{
    while (value >= 0x80) {
        *out++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *out++ = (uint8_t)value;
    return out;
}

/* Bytes of a node with its tag; 0 where they depend on what follows. */
extern const uint8_t tape_fixed_sizes[256];
/* Position behind the node that begins at `at`, or 0 when it does not lie within the area. */
size_t tape_skip(const TapeArea *area, size_t at);
/* Where the node at `at` really stands, behind references; TAPE_NOWHERE when damaged. References
   only lead backwards, so this ends. */
uint32_t tape_follow(const TapeArea *area, uint32_t at);
/* As tape_follow, and behind an EXTRA to its value. */
uint32_t tape_value(const TapeArea *area, uint32_t at);
/* The bytes between *ret_from and *ret_to are the fields of an object or the items of a list
   that stands at `at` (no reference); false for other tags and when they leave the area. */
bool tape_body(const TapeArea *area, uint32_t at, uint32_t *ret_from, uint32_t *ret_to);
static inline bool tape_is_object(uint8_t tag)
{
    return (tag >= TAPE_OBJECT8 && tag <= TAPE_RESOURCE32) ||
           (tag >= TAPE_OBJECT0 && tag < TAPE_INTEGER0);
}
static inline bool tape_is_list(uint8_t tag)
{
    return tag >= TAPE_LIST1 && tag <= TAPE_LIST32;
}
/* The varint at `at`; gives the position behind it, or 0. */
size_t tape_varint(const TapeArea *area, size_t at, uint64_t *ret_value);

/* --- tape_moment.c --- */
/* Packs a date, dateTime or instant; the result stands for exactly this text. 0 bytes when the text
   is good but has no packed form; -1 when it is not a moment that exists in FHIR's grammar. */
int tape_pack_moment(const char *text, size_t len, uint8_t out[8]);
/* `bytes` begins with the tag. */
void tape_unpack_moment(const uint8_t *bytes, Moment *ret_moment);
enum { TAPE_MOMENT_TEXT_MAX = 32 };
size_t tape_moment_text(const uint8_t *bytes, char out[TAPE_MOMENT_TEXT_MAX]);

/* --- tape_value.c --- */
/* 36 characters of lower-case UUID; at least 36 readable bytes. */
bool tape_pack_uuid(const char *text, uint8_t out[TAPE_UUID_BYTES]);
void tape_uuid_text(const uint8_t *bytes, char out[TAPE_UUID_TEXT_BYTES]);
/* The primitive's text into the arena, or a view into the area. False when damaged. */
bool tape_text(const TapeArea *area, uint32_t at, Arena *arena, Str *ret_text);
/* The digits of a decimal node, or of its text form. */
enum { TAPE_NUMBER_TEXT_MAX = 300 };

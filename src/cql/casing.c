/*
 * Upper and lower case of the alphabets that have them, by Unicode's simple mappings: one character
 * to one of the same length in UTF-8, whatever the locale. What has no such mapping stays.
 */
#include "cql/casing.h"

typedef struct {
    uint32_t first; /* upper case */
    uint32_t last;
    uint32_t step; /* 1: lower case is `shift` on; 2: upper and lower take turns */
    uint32_t shift;
} CaseRange;

static const CaseRange ranges[] = {
    {'A', 'Z', 1, 32},     {0xC0, 0xD6, 1, 32},    {0xD8, 0xDE, 1, 32},    {0x100, 0x12E, 2, 1},
    {0x132, 0x136, 2, 1},  {0x139, 0x147, 2, 1},   {0x14A, 0x176, 2, 1},   {0x179, 0x17D, 2, 1},
    {0x1CD, 0x1DB, 2, 1},  {0x1DE, 0x1EE, 2, 1},   {0x1F8, 0x21E, 2, 1},   {0x222, 0x232, 2, 1},
    {0x386, 0x386, 1, 38}, {0x388, 0x38A, 1, 37},  {0x38C, 0x38C, 1, 64},  {0x38E, 0x38F, 1, 63},
    {0x391, 0x3A1, 1, 32}, {0x3A3, 0x3AB, 1, 32},  {0x400, 0x40F, 1, 80},  {0x410, 0x42F, 1, 32},
    {0x460, 0x480, 2, 1},  {0x48A, 0x4BE, 2, 1},   {0x4C1, 0x4CD, 2, 1},   {0x4D0, 0x52E, 2, 1},
    {0x531, 0x556, 1, 48}, {0x1E00, 0x1E94, 2, 1}, {0x1EA0, 0x1EFE, 2, 1}, {0xFF21, 0xFF3A, 1, 32},
};

uint32_t casing_lower(uint32_t point)
{
    if (point < 'A')
        return point;
    for (size_t i = 0; i < COUNT_OF(ranges) && point >= ranges[i].first; i++) {
        const CaseRange *range = &ranges[i];
        if (point <= range->last && (point - range->first) % range->step == 0)
            return point + range->shift;
    }
    return point == 0x178 ? 0xFF : point;
}

uint32_t casing_upper(uint32_t point)
{
    if (point < 'a')
        return point;
    if (point == 0xFF || point == 0x3C2)
        return point == 0xFF ? 0x178 : 0x3A3;
    for (size_t i = 0; i < COUNT_OF(ranges); i++) {
        const CaseRange *range = &ranges[i];
        if (point >= range->first + range->shift && point <= range->last + range->shift &&
            (point - range->first - range->shift) % range->step == 0)
            return point - range->shift;
    }
    return point;
}

uint32_t casing_next(Str text, size_t *at)
{
    unsigned char lead = (unsigned char)text.ptr[*at];
    size_t len = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (*at + len > text.len)
        len = 1;
    uint32_t point = len == 1 ? lead : lead & (0x7FU >> len);
    for (size_t i = 1; i < len; i++)
        point = point << 6 | ((unsigned char)text.ptr[*at + i] & 0x3F);
    *at += len;
    return point;
}

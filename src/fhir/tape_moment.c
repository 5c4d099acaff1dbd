/*
 * Moments as few bytes. All numbers are little-endian.
 *   YEAR    year
 *   MONTH   year, month 4 bits
 *   DAY     year, month 4 bits, day 5 bits
 *   SECOND  year, month 4, day 5, hour 5, minute 6, second 6, zone 7 bits: 47 bits of 48
 *   MILLI   the same as one number of mixed base (12, 31, 24, 60, 60, 1000), zone 7 bits: 56 bits
 * A zone is 0 none, 1 "Z", else quarter hours + 58.
 */
#include "fhir/fhir_int.h"

enum {
    ZONE_NONE = 0,
    ZONE_Z = 1,
    ZONE_ZERO = 58, /* +00:00 */
    ZONE_MINUTES = 15,
    DATE_CHARS = 10,
    SECOND_CHARS = 19,
    ZONE_CHARS = 6,
    MILLI_CHARS = 4
};

static bool two_digits(const char *text, uint32_t *ret_value)
{
    uint32_t tens = (uint32_t)(uint8_t)text[0] - '0';
    uint32_t ones = (uint32_t)(uint8_t)text[1] - '0';
    *ret_value = tens * 10 + ones;
    return tens <= 9 && ones <= 9;
}

static uint32_t days_in_month(uint32_t year, uint32_t month)
{
    if (month != 2)
        return 30 + ((month + (month >> 3)) & 1);
    return ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0) ? 29 : 28;
}

static void store(uint8_t *out, uint64_t value, int count)
{
    for (int i = 0; i < count; i++)
        out[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t load(const uint8_t *bytes, int count)
{
    uint64_t value = 0;
    for (int i = 0; i < count; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

/* "+hh:mm", "-hh:mm" or "Z" up to the end. -1 bad, 0 good but not packable. */
static int parse_zone(const char *text, size_t len, uint32_t *ret_zone)
{
    if (len == 1 && text[0] == 'Z') {
        *ret_zone = ZONE_Z;
        return 1;
    }
    uint32_t hours;
    uint32_t minutes;
    if (len != ZONE_CHARS || (text[0] != '+' && text[0] != '-') || text[3] != ':' ||
        !two_digits(text + 1, &hours) || !two_digits(text + 4, &minutes) || minutes > 59 ||
        hours * 60 + minutes > 14 * 60)
        return -1;
    uint32_t total = hours * 60 + minutes;
    if (total % ZONE_MINUTES != 0 || (total == 0 && text[0] == '-'))
        return 0;
    *ret_zone =
        text[0] == '+' ? ZONE_ZERO + total / ZONE_MINUTES : ZONE_ZERO - total / ZONE_MINUTES;
    return 1;
}

typedef struct {
    uint32_t year, month, day, hour, minute, second, milli, zone;
} Parts;

/* Behind the date: "Thh:mm:ss[.f+]zone". */
static int pack_time(const char *text, size_t len, Parts *parts, uint8_t *out)
{
    const char *time = text + DATE_CHARS + 1;
    if (len < SECOND_CHARS + 1 || text[DATE_CHARS] != 'T' || time[2] != ':' || time[5] != ':' ||
        !two_digits(time, &parts->hour) || !two_digits(time + 3, &parts->minute) ||
        !two_digits(time + 6, &parts->second) || parts->hour > 23 || parts->minute > 59 ||
        parts->second > 60)
        return -1;
    bool can_pack = parts->second < 60; /* a leap second stays text */
    size_t at = SECOND_CHARS;
    size_t digits = 0;
    if (text[at] == '.') {
        at++;
        while (at < len && text[at] >= '0' && text[at] <= '9') {
            if (digits < 3)
                parts->milli = parts->milli * 10 + (uint32_t)(text[at] - '0');
            digits++;
            at++;
        }
        if (digits == 0)
            return -1;
    }
    int zone = parse_zone(text + at, len - at, &parts->zone);
    if (zone <= 0)
        return zone;
    if (!can_pack || (digits != 0 && digits != 3))
        return 0;
    if (digits == 0) {
        uint64_t packed = (uint64_t)parts->year << 33 | (uint64_t)parts->month << 29 |
                          (uint64_t)parts->day << 24 | parts->hour << 19 | parts->minute << 13 |
                          parts->second << 7 | parts->zone;
        out[0] = TAPE_SECOND;
        store(out + 1, packed, 6);
        return 7;
    }
    uint64_t date = (parts->year * 12 + parts->month - 1) * 31 + parts->day - 1;
    uint64_t seconds = ((date * 24 + parts->hour) * 60 + parts->minute) * 60 + parts->second;
    out[0] = TAPE_MILLI;
    store(out + 1, (seconds * 1000 + parts->milli) << 7 | parts->zone, 7);
    return 8;
}

int tape_pack_moment(const char *text, size_t len, uint8_t out[8])
{
    Parts parts = {0};
    uint32_t century;
    uint32_t years;
    if (len < 4 || !two_digits(text, &century) || !two_digits(text + 2, &years))
        return -1;
    parts.year = century * 100 + years;
    if (parts.year == 0)
        return -1;
    if (len == 4) {
        out[0] = TAPE_YEAR;
        store(out + 1, parts.year, 3);
        return 4;
    }
    if (len < 7 || text[4] != '-' || !two_digits(text + 5, &parts.month) || parts.month < 1 ||
        parts.month > 12)
        return -1;
    if (len == 7) {
        out[0] = TAPE_MONTH;
        store(out + 1, parts.year << 4 | parts.month, 3);
        return 4;
    }
    if (len < DATE_CHARS || text[7] != '-' || !two_digits(text + 8, &parts.day) || parts.day < 1 ||
        parts.day > days_in_month(parts.year, parts.month))
        return -1;
    if (len > DATE_CHARS)
        return pack_time(text, len, &parts, out);
    out[0] = TAPE_DAY;
    store(out + 1, parts.year << 9 | parts.month << 5 | parts.day, 3);
    return 4;
}

static int16_t zone_offset(uint32_t zone)
{
    if (zone == ZONE_NONE)
        return OFFSET_NONE;
    return zone == ZONE_Z ? 0 : (int16_t)(((int)zone - ZONE_ZERO) * ZONE_MINUTES);
}

/* Also gives the zone's number, which tells "Z" from "+00:00". A damaged tape may hold any bits;
   each part is brought into its range. */
static uint32_t unpack(const uint8_t *bytes, Moment *moment)
{
    uint64_t packed = load(bytes + 1, bytes[0] == TAPE_MILLI ? 7 : bytes[0] == TAPE_SECOND ? 6 : 3);
    *moment = (Moment){.month = 1, .day = 1, .offset_minutes = OFFSET_NONE};
    uint32_t zone = ZONE_NONE;
    uint64_t year = packed;
    switch (bytes[0]) {
    case TAPE_YEAR:
        moment->precision = PRECISION_YEAR;
        break;
    case TAPE_MONTH:
        moment->precision = PRECISION_MONTH;
        moment->month = packed & 15;
        year = packed >> 4;
        break;
    case TAPE_DAY:
        moment->precision = PRECISION_DAY;
        moment->month = (packed >> 5) & 15;
        moment->day = packed & 31;
        year = packed >> 9;
        break;
    case TAPE_SECOND:
        moment->precision = PRECISION_SECOND;
        zone = packed & 127;
        moment->second = (packed >> 7) & 63;
        moment->minute = (packed >> 13) & 63;
        moment->hour = (packed >> 19) & 31;
        moment->day = (packed >> 24) & 31;
        moment->month = (packed >> 29) & 15;
        year = packed >> 33;
        break;
    default:
        moment->precision = PRECISION_MILLISECOND;
        zone = packed & 127;
        packed >>= 7;
        moment->millisecond = (uint16_t)(packed % 1000);
        moment->second = (uint8_t)((packed /= 1000) % 60);
        moment->minute = (uint8_t)((packed /= 60) % 60);
        moment->hour = (uint8_t)((packed /= 60) % 24);
        moment->day = (uint8_t)((packed /= 24) % 31 + 1);
        moment->month = (uint8_t)((packed /= 31) % 12 + 1);
        year = packed / 12;
        break;
    }
    moment->year = year < 1 ? 1 : year > 9999 ? 9999 : (int16_t)year;
    moment->month = moment->month < 1 ? 1 : moment->month > 12 ? 12 : moment->month;
    uint32_t last = days_in_month((uint32_t)moment->year, moment->month);
    moment->day = moment->day < 1 ? 1 : moment->day > last ? (uint8_t)last : moment->day;
    moment->hour = moment->hour > 23 ? 23 : moment->hour;
    moment->minute = moment->minute > 59 ? 59 : moment->minute;
    moment->second = moment->second > 59 ? 59 : moment->second;
    zone = zone > ZONE_ZERO + 56 ? ZONE_NONE : zone;
    moment->offset_minutes = zone_offset(zone);
    return zone;
}

void tape_unpack_moment(const uint8_t *bytes, Moment *ret_moment)
{
    (void)unpack(bytes, ret_moment);
}

static char *put_digits(char *out, uint32_t value, int count)
{
    for (int i = count - 1; i >= 0; i--, value /= 10)
        out[i] = (char)('0' + value % 10);
    return out + count;
}

size_t tape_moment_text(const uint8_t *bytes, char out[TAPE_MOMENT_TEXT_MAX])
{
    Moment moment;
    uint32_t zone = unpack(bytes, &moment);
    char *at = put_digits(out, (uint32_t)moment.year, 4);
    if (moment.precision >= PRECISION_MONTH) {
        *at++ = '-';
        at = put_digits(at, moment.month, 2);
    }
    if (moment.precision >= PRECISION_DAY) {
        *at++ = '-';
        at = put_digits(at, moment.day, 2);
    }
    if (moment.precision >= PRECISION_SECOND) {
        *at++ = 'T';
        at = put_digits(at, moment.hour, 2);
        *at++ = ':';
        at = put_digits(at, moment.minute, 2);
        *at++ = ':';
        at = put_digits(at, moment.second, 2);
    }
    if (moment.precision == PRECISION_MILLISECOND) {
        *at++ = '.';
        at = put_digits(at, moment.millisecond, 3);
    }
    if (zone == ZONE_Z) {
        *at++ = 'Z';
    } else if (zone != ZONE_NONE) {
        int minutes = moment.offset_minutes;
        *at++ = minutes < 0 ? '-' : '+';
        uint32_t size = (uint32_t)(minutes < 0 ? -minutes : minutes);
        at = put_digits(at, size / 60, 2);
        *at++ = ':';
        at = put_digits(at, size % 60, 2);
    }
    return (size_t)(at - out);
}

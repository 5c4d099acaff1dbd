#include "base/date.h"

enum { YEAR_MIN = 1, YEAR_MAX = 9999, OFFSET_MAX = 14 * 60 };
#define MS_PER_DAY    ((int64_t)86400000)
#define MS_PER_MINUTE ((int64_t)60000)

bool date_is_leap_year(int32_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int32_t date_days_in_month(int32_t year, int32_t month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    ASSERT(month >= 1 && month <= 12);
    return days[month - 1] + (month == 2 && date_is_leap_year(year));
}

bool date_exists(int32_t year, int32_t month, int32_t day)
{
    return year >= YEAR_MIN && year <= YEAR_MAX && month >= 1 && month <= 12 && day >= 1 &&
           day <= date_days_in_month(year, month);
}

/* Hinnant, "chrono-Compatible Low-Level Date Algorithms": the year begins in March, so that the
   leap day is its last; eras of 400 years have 146097 days. */
int32_t day_from_date(int32_t year, int32_t month, int32_t day)
{
    ASSERT(date_exists(year, month, day));
    int32_t y = year - (month <= 2);
    int32_t era = y / 400;
    int32_t year_of_era = y - era * 400;
    int32_t month_from_march = month > 2 ? month - 3 : month + 9;
    int32_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    int32_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

void day_to_date(int32_t day, int32_t *ret_year, int32_t *ret_month, int32_t *ret_day)
{
    ASSERT(day >= DAY_FIRST && day <= DAY_LAST);
    int32_t z = day + 719468;
    int32_t era = z / 146097;
    int32_t day_of_era = z - era * 146097;
    int32_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int32_t month_from_march = (5 * day_of_year + 2) / 153;
    *ret_day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    *ret_month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    *ret_year = year_of_era + era * 400 + (*ret_month <= 2);
}

int32_t day_add_months(int32_t day, int32_t months)
{
    int32_t year;
    int32_t month;
    int32_t of_month;
    day_to_date(day, &year, &month, &of_month);
    int64_t index = (int64_t)year * 12 + month - 1 + months;
    if (index < (int64_t)YEAR_MIN * 12 || index >= (int64_t)(YEAR_MAX + 1) * 12)
        return DAY_NONE;
    year = (int32_t)(index / 12);
    month = (int32_t)(index % 12) + 1;
    int32_t last = date_days_in_month(year, month);
    return day_from_date(year, month, of_month < last ? of_month : last);
}

int32_t day_age_years(int32_t birth, int32_t on)
{
    if (on < birth)
        return -day_age_years(on, birth);
    int32_t from[3];
    int32_t to[3];
    day_to_date(birth, &from[0], &from[1], &from[2]);
    day_to_date(on, &to[0], &to[1], &to[2]);
    bool is_before = to[1] < from[1] || (to[1] == from[1] && to[2] < from[2]);
    return to[0] - from[0] - is_before;
}

/* --- text --- */

/* Reads exactly `digits` digits at *at; false when there are fewer or others. */
static bool read_digits(Str text, size_t *at, size_t digits, int32_t *ret_value)
{
    if (text.len - *at < digits)
        return false;
    int32_t value = 0;
    for (size_t i = 0; i < digits; i++) {
        char c = text.ptr[*at + i];
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (c - '0');
    }
    *at += digits;
    *ret_value = value;
    return true;
}

static bool read_char(Str text, size_t *at, char wanted)
{
    if (*at >= text.len || text.ptr[*at] != wanted)
        return false;
    (*at)++;
    return true;
}

/* YYYY[-MM[-DD]]; stops at the first character that does not go on with it. */
static bool read_date(Str text, size_t *at, Moment *moment)
{
    int32_t year;
    int32_t month = 1;
    int32_t day = 1;
    if (!read_digits(text, at, 4, &year))
        return false;
    moment->precision = PRECISION_YEAR;
    if (read_char(text, at, '-')) {
        if (!read_digits(text, at, 2, &month))
            return false;
        moment->precision = PRECISION_MONTH;
        if (read_char(text, at, '-')) {
            if (!read_digits(text, at, 2, &day))
                return false;
            moment->precision = PRECISION_DAY;
        }
    }
    if (!date_exists(year, month, day))
        return false;
    moment->year = (int16_t)year;
    moment->month = (uint8_t)month;
    moment->day = (uint8_t)day;
    return true;
}

/* The digits behind the point: three count, more are read over, at least one must be there. */
static bool read_fraction(Str text, size_t *at, Moment *moment)
{
    static const uint16_t weights[] = {100, 10, 1};
    size_t digits = 0;
    unsigned value = 0;
    while (*at < text.len && text.ptr[*at] >= '0' && text.ptr[*at] <= '9') {
        if (digits < COUNT_OF(weights))
            value += weights[digits] * (unsigned)(text.ptr[*at] - '0');
        digits++;
        (*at)++;
    }
    moment->millisecond = (uint16_t)value;
    moment->precision = PRECISION_MILLISECOND;
    return digits > 0;
}

/* hh[:mm[:ss[.f+]]] */
static bool read_time(Str text, size_t *at, Moment *moment)
{
    int32_t part;
    if (!read_digits(text, at, 2, &part) || part > 23)
        return false;
    moment->hour = (uint8_t)part;
    moment->precision = PRECISION_HOUR;
    if (!read_char(text, at, ':'))
        return true;
    if (!read_digits(text, at, 2, &part) || part > 59)
        return false;
    moment->minute = (uint8_t)part;
    moment->precision = PRECISION_MINUTE;
    if (!read_char(text, at, ':'))
        return true;
    if (!read_digits(text, at, 2, &part) || part > 60)
        return false;
    moment->second = (uint8_t)(part == 60 ? 59 : part); /* FHIR lets a leap second be written */
    moment->precision = PRECISION_SECOND;
    return !read_char(text, at, '.') || read_fraction(text, at, moment);
}

/* Z, +hh:mm, -hh:mm or nothing. */
static bool read_offset(Str text, size_t *at, Moment *moment)
{
    if (*at == text.len)
        return true;
    if (read_char(text, at, 'Z')) {
        moment->offset_minutes = 0;
        return true;
    }
    bool is_negative = read_char(text, at, '-');
    int32_t hours;
    int32_t minutes;
    if (!is_negative && !read_char(text, at, '+'))
        return false;
    if (!read_digits(text, at, 2, &hours) || !read_char(text, at, ':') ||
        !read_digits(text, at, 2, &minutes) || minutes > 59)
        return false;
    int32_t total = hours * 60 + minutes;
    moment->offset_minutes = (int16_t)(is_negative ? -total : total);
    return total <= OFFSET_MAX;
}

bool day_parse(Str text, int32_t *ret_day)
{
    Moment moment = {0};
    size_t at = 0;
    if (!read_date(text, &at, &moment) || at != text.len || moment.precision != PRECISION_DAY)
        return false;
    *ret_day = moment_day(moment);
    return true;
}

bool moment_parse(Str text, Moment *ret_moment)
{
    Moment moment = {.offset_minutes = OFFSET_NONE};
    size_t at = 0;
    if (!read_date(text, &at, &moment))
        return false;
    if (moment.precision == PRECISION_DAY && read_char(text, &at, 'T')) {
        if (!read_time(text, &at, &moment) || !read_offset(text, &at, &moment))
            return false;
    }
    if (at != text.len)
        return false;
    *ret_moment = moment;
    return true;
}

bool moment_parse_time(Str text, Moment *ret_moment)
{
    Moment moment = {.offset_minutes = OFFSET_NONE, .month = 1, .day = 1};
    size_t at = 0;
    if (!read_time(text, &at, &moment) || at != text.len)
        return false;
    *ret_moment = moment;
    return true;
}

Str day_format(Arena *arena, int32_t day)
{
    int32_t year;
    int32_t month;
    int32_t of_month;
    day_to_date(day, &year, &month, &of_month);
    return str_format(arena, "%04d-%02d-%02d", year, month, of_month);
}

static void add_time(StrBuf *buf, Moment moment)
{
    strbuf_printf(buf, "%02u", moment.hour);
    if (moment.precision >= PRECISION_MINUTE)
        strbuf_printf(buf, ":%02u", moment.minute);
    if (moment.precision >= PRECISION_SECOND)
        strbuf_printf(buf, ":%02u", moment.second);
    if (moment.precision >= PRECISION_MILLISECOND)
        strbuf_printf(buf, ".%03u", moment.millisecond);
}

static void add_offset(StrBuf *buf, Moment moment)
{
    if (moment.offset_minutes == OFFSET_NONE)
        return;
    int minutes = moment.offset_minutes < 0 ? -moment.offset_minutes : moment.offset_minutes;
    if (minutes == 0)
        strbuf_add_char(buf, 'Z');
    else
        strbuf_printf(buf, "%c%02d:%02d", moment.offset_minutes < 0 ? '-' : '+', minutes / 60,
                      minutes % 60);
}

Str moment_format(Arena *arena, Moment moment)
{
    StrBuf buf;
    strbuf_init(&buf, arena, 0);
    if (moment.year == 0) {
        add_time(&buf, moment);
        return strbuf_str(&buf);
    }
    strbuf_printf(&buf, "%04d", moment.year);
    if (moment.precision >= PRECISION_MONTH)
        strbuf_printf(&buf, "-%02u", moment.month);
    if (moment.precision >= PRECISION_DAY)
        strbuf_printf(&buf, "-%02u", moment.day);
    if (moment.precision >= PRECISION_HOUR) {
        strbuf_add_char(&buf, 'T');
        add_time(&buf, moment);
        add_offset(&buf, moment);
    }
    return strbuf_str(&buf);
}

/* --- the line of time --- */

int32_t moment_day(Moment moment)
{
    ASSERT(moment.year != 0);
    return day_from_date(moment.year, moment.month, moment.day);
}

int64_t moment_first_ms(Moment moment, int16_t default_offset_minutes)
{
    int64_t ms = ((int64_t)moment.hour * 60 + moment.minute) * MS_PER_MINUTE +
                 (int64_t)moment.second * 1000 + moment.millisecond;
    if (moment.year == 0)
        return ms;
    int16_t offset =
        moment.offset_minutes == OFFSET_NONE ? default_offset_minutes : moment.offset_minutes;
    return moment_day(moment) * MS_PER_DAY + ms - offset * MS_PER_MINUTE;
}

/*
 * date -- days and moments with the precision that they were given in.
 *
 * Calendar: proleptic Gregorian, years 1 to 9999 (FHIR and CQL). A day number counts days
 * from 1970-01-01 (which is 0). A Moment is what FHIR calls date, dateTime, instant and time and
 * CQL calls Date, DateTime and Time: parts down to a precision, and for date-times perhaps
 * an offset from UTC. Nothing here reads a clock or a time zone.
 */
#pragma once

#include "base/base.h"

#define DAY_NONE  INT32_MIN
#define DAY_FIRST (-719162) /* 0001-01-01, a Monday */
#define DAY_LAST  2932896   /* 9999-12-31 */

typedef enum {
    PRECISION_NONE,
    PRECISION_YEAR,
    PRECISION_MONTH,
    PRECISION_DAY,
    PRECISION_HOUR,
    PRECISION_MINUTE,
    PRECISION_SECOND,
    PRECISION_MILLISECOND
} Precision;

#define OFFSET_NONE INT16_MIN

typedef struct {
    int16_t year;           /* 1 to 9999; 0 in a time of day */
    int16_t offset_minutes; /* -840 to 840, or OFFSET_NONE */
    uint16_t millisecond;   /* of what follows the precision all parts are 0 (month and day: 1) */
    uint8_t month;
    uint8_t day;
    uint8_t hour; /* 0 to 23 */
    uint8_t minute;
    uint8_t second;    /* 0 to 59; FHIR's leap second 60 is read as 59 */
    uint8_t precision; /* a Precision */
} Moment;

bool date_is_leap_year(int32_t year);
int32_t date_days_in_month(int32_t year, int32_t month);
bool date_exists(int32_t year, int32_t month, int32_t day);
/* Hinnant's civil-from-days algorithms (public domain). The date must exist. */
int32_t day_from_date(int32_t year, int32_t month, int32_t day);
void day_to_date(int32_t day, int32_t *ret_year, int32_t *ret_month, int32_t *ret_day);
/* Same day of the month `months` later, or that month's last day (CQL Add). DAY_NONE past
   the years 1 to 9999. */
int32_t day_add_months(int32_t day, int32_t months);
/* Whole years lived on `on`: someone born on 29 February has a birthday on 1 March of common years
   (CQL CalculateAgeAt: the anniversary is reached when month and day are). Before birth: less
   the whole years until then, so 0 in the last of them. */
int32_t day_age_years(int32_t birth, int32_t on);
/* "2020-02-29", complete and existing. */
bool day_parse(Str text, int32_t *ret_day);
Str day_format(Arena *arena, int32_t day);

/* FHIR date and dateTime, CQL without '@': YYYY, YYYY-MM, YYYY-MM-DD,
   YYYY-MM-DDThh[:mm[:ss[.f+]]][Z|(+-)hh:mm]. Fractions beyond milliseconds are cut. False for other
   text or a date that does not exist. */
bool moment_parse(Str text, Moment *ret_moment);
/* hh:mm:ss[.f+] with CQL's shorter forms. */
bool moment_parse_time(Str text, Moment *ret_moment);
Str moment_format(Arena *arena, Moment moment);
/* Day number of the date as written, with missing month and day taken as 1. */
int32_t moment_day(Moment moment);
/* Milliseconds since 1970-01-01T00:00Z of the first instant that it can mean; without an offset, in
 * default_offset_minutes. */
int64_t moment_first_ms(Moment moment, int16_t default_offset_minutes);

#include "attribution/attribution.h"

MemberState member_state(Record record, int32_t day)
{
    int32_t birth = record.batch->birth_days[record.row];
    int32_t death = record.batch->death_days[record.row];
    if (birth == DAY_NONE)
        return MEMBER_BIRTH_UNKNOWN;
    if (birth > day)
        return MEMBER_NOT_BORN;
    if (death == DEATH_UNDATED)
        return MEMBER_DEATH_UNDATED;
    return death == DAY_NONE || death >= day ? MEMBER_ALIVE : MEMBER_DEAD;
}

PersonSex member_sex(Record record)
{
    uint8_t sex = record.batch->sexes[record.row];
    return sex <= SEX_OTHER ? (PersonSex)sex : SEX_UNKNOWN;
}

int32_t member_days(Record record, int32_t first_day, int32_t last_day)
{
    int32_t birth = record.batch->birth_days[record.row];
    int32_t death = record.batch->death_days[record.row];
    if (birth == DAY_NONE || death == DEATH_UNDATED)
        return 0;
    int32_t from = birth > first_day ? birth : first_day;
    int32_t to = death != DAY_NONE && death < last_day ? death : last_day;
    return from > to ? 0 : to - from + 1;
}

/* A day behind all when the month is the calendar's last. */
static int32_t next_month(int32_t first_day)
{
    int32_t next = day_add_months(first_day, 1);
    return next == DAY_NONE ? DAY_LAST + 1 : next;
}

/* The first day of a month that is not before `day`. */
static int32_t month_begin(int32_t day)
{
    int32_t year;
    int32_t month;
    int32_t date;
    day_to_date(day, &year, &month, &date);
    int32_t begin = day - (date - 1);
    return begin == day ? day : next_month(begin);
}

static int32_t day_in_month(int32_t first_day, MemberDay on)
{
    switch (on) {
    case MEMBER_ON_FIRST_DAY:
        return first_day;
    case MEMBER_ON_FIFTEENTH:
        return first_day + 14;
    case MEMBER_ON_LAST_DAY:
        break;
    }
    return next_month(first_day) - 1;
}

size_t member_month_days(Arena *arena, int32_t first_day, int32_t last_day, MemberDay on,
                         const int32_t **ret_days)
{
    Vec(int32_t) days = {0};
    for (int32_t at = month_begin(first_day); at <= last_day; at = next_month(at))
        VEC_PUSH(arena, &days, day_in_month(at, on));
    *ret_days = days.items;
    return days.count;
}

MemberMonths member_months(Record record, int32_t first_day, int32_t last_day, MemberDay on)
{
    return (MemberMonths){
        .record = record, .next_first_day = month_begin(first_day), .last_day = last_day, .on = on};
}

bool member_months_next(MemberMonths *months, MemberMonth *ret_month)
{
    if (months->next_first_day > months->last_day)
        return false;
    MemberMonth month = {.first_day = months->next_first_day};
    month.day = day_in_month(month.first_day, months->on);
    month.state = member_state(months->record, month.day);
    if (month.state == MEMBER_ALIVE)
        month.age = day_age_years(months->record.batch->birth_days[months->record.row], month.day);
    months->next_first_day = next_month(month.first_day);
    *ret_month = month;
    return true;
}

/* Intervals, funnels and comparisons of proportions; tables without small numbers. */
#include "measure/statistic.h"

#include <math.h>
#include <stdlib.h>

static const double z95 = 1.959963984540054;

MeasureInterval measure_wilson(uint64_t numerator, uint64_t denominator)
{
    if (denominator == 0)
        return (MeasureInterval){0};
    double n = (double)denominator;
    double p = (double)numerator / n;
    double middle = p + z95 * z95 / (2 * n);
    double half = z95 * sqrt(p * (1 - p) / n + z95 * z95 / (4 * n * n));
    double whole = 1 + z95 * z95 / n;
    return (MeasureInterval){.rate = p,
                             .low = fmax(0, (middle - half) / whole),
                             .high = fmin(1, (middle + half) / whole)};
}

MeasureInterval measure_difference(uint64_t a_numerator, uint64_t a_denominator,
                                   uint64_t b_numerator, uint64_t b_denominator)
{
    if (a_denominator == 0 || b_denominator == 0)
        return (MeasureInterval){0};
    MeasureInterval a = measure_wilson(a_numerator, a_denominator);
    MeasureInterval b = measure_wilson(b_numerator, b_denominator);
    double difference = a.rate - b.rate;
    return (MeasureInterval){.rate = difference,
                             .low = difference - hypot(a.rate - a.low, b.high - b.rate),
                             .high = difference + hypot(a.high - a.rate, b.rate - b.low)};
}

/* log of n over k */
static double log_choose(double n, double k)
{
    int sign;
    return lgamma_r(n + 1, &sign) - lgamma_r(k + 1, &sign) - lgamma_r(n - k + 1, &sign);
}

double measure_funnel_limit(double target, uint64_t n, double tail)
{
    ASSERT(n > 0 && tail > 0 && tail < 1);
    if (target <= 0 || target >= 1)
        return target <= 0 ? 0 : 1;
    double below = 0; /* F(r - 1) */
    for (uint64_t r = 0; r <= n; r++) {
        double here = exp(log_choose((double)n, (double)r) + (double)r * log(target) +
                          (double)(n - r) * log1p(-target));
        if (below + here > tail || r == n) {
            double rest = here > 0 ? fmin(1, fmax(0, (below + here - tail) / here)) : 0;
            return fmin(1, fmax(0, ((double)r - rest) / (double)n));
        }
        below += here;
    }
    return 1;
}

MeasureFunnel measure_funnel(double target, uint64_t numerator, uint64_t denominator)
{
    MeasureFunnel funnel = {.low95 = measure_funnel_limit(target, denominator, 0.025),
                            .high95 = measure_funnel_limit(target, denominator, 0.975),
                            .low998 = measure_funnel_limit(target, denominator, 0.001),
                            .high998 = measure_funnel_limit(target, denominator, 0.999)};
    double rate = (double)numerator / (double)denominator;
    funnel.place = rate < funnel.low998    ? FUNNEL_VERY_LOW
                   : rate > funnel.high998 ? FUNNEL_VERY_HIGH
                   : rate < funnel.low95   ? FUNNEL_LOW
                   : rate > funnel.high95  ? FUNNEL_HIGH
                                           : FUNNEL_NORMAL;
    return funnel;
}

Str measure_funnel_place(int place)
{
    static const Str names[] = {[FUNNEL_NORMAL] = STR_INIT("within"),
                                [FUNNEL_LOW] = STR_INIT("low"),
                                [FUNNEL_VERY_LOW] = STR_INIT("very low"),
                                [FUNNEL_HIGH] = STR_INIT("high"),
                                [FUNNEL_VERY_HIGH] = STR_INIT("very high")};
    return names[place];
}

static int compare_rates(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *sorted, size_t count, double part)
{
    double at = (double)(count - 1) * part;
    size_t low = (size_t)at;
    if (low + 1 >= count)
        return sorted[count - 1];
    return sorted[low] + (at - (double)low) * (sorted[low + 1] - sorted[low]);
}

MeasureQuartiles measure_quartiles(double *rates, size_t count)
{
    if (count == 0)
        return (MeasureQuartiles){0};
    qsort(rates, count, sizeof *rates, compare_rates);
    return (MeasureQuartiles){.lower_quartile = quantile(rates, count, 0.25),
                              .median = quantile(rates, count, 0.5),
                              .upper_quartile = quantile(rates, count, 0.75)};
}

/* --- small numbers --- */

static const SuppressionRule rules[] = {
#define SUPPRESSION(text, fewest, multiple, hides_more, where)                                     \
    {.name = STR_INIT(text),                                                                       \
     .least = (fewest),                                                                            \
     .step = (multiple),                                                                           \
     .complements = (hides_more),                                                                  \
     .source = STR_INIT(where)},
#include "measure/suppression.def"
#undef SUPPRESSION
};

const SuppressionRule *measure_suppression_find(Str name)
{
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        if (str_eq(rules[i].name, name))
            return &rules[i];
    return NULL;
}

Str measure_suppression_names(void)
{
#define SUPPRESSION(text, fewest, multiple, hides_more, where) text " "
    static const char names[] =
#include "measure/suppression.def"
        ;
#undef SUPPRESSION
    return (Str){.ptr = names, .len = sizeof names - 2}; /* without the last space */
}

static bool is_small(const SuppressionRule *rule, uint64_t count)
{
    return count > 0 && count < rule->least;
}

/* One column of the table: which flag, which count. */
typedef enum { COLUMN_DENOMINATOR, COLUMN_NUMERATOR, COLUMN_COUNT } Column;

static bool *flag_of(SuppressedRow *row, int column)
{
    return column == COLUMN_DENOMINATOR ? &row->hides_denominator : &row->hides_numerator;
}

static uint64_t count_of(const SuppressedRow *row, int column)
{
    return column == COLUMN_DENOMINATOR ? row->denominator : row->numerator;
}

/* Of the parts of a row: how many there are and are hidden, and the one that is best hidden next:
   the smallest that is not nothing, else the first. */
typedef struct {
    size_t parts;
    size_t hidden;
    size_t next; /* SIZE_MAX: all are hidden */
} Family;

static Family family_of(SuppressedRow *rows, size_t count, size_t parent, int column)
{
    Family family = {.next = SIZE_MAX};
    uint64_t best = 0;
    for (size_t i = 0; i < count; i++) {
        if (rows[i].parent != parent)
            continue;
        family.parts++;
        if (*flag_of(&rows[i], column)) {
            family.hidden++;
            continue;
        }
        uint64_t size = count_of(&rows[i], column);
        if (family.next == SIZE_MAX || (size > 0 && (best == 0 || size < best))) {
            family.next = i;
            best = size;
        }
    }
    return family;
}

/* Hides one more count where a sum would give a hidden one away; false when none would. */
static bool hide_one_more(SuppressedRow *rows, size_t count, int column)
{
    for (size_t parent = 0; parent < count; parent++) {
        Family family = family_of(rows, count, parent, column);
        bool *is_hidden = flag_of(&rows[parent], column);
        if (family.parts == 0)
            continue;
        bool tells_part = !*is_hidden && family.hidden == 1;
        bool tells_sum = *is_hidden && family.hidden == 0;
        if ((tells_part || tells_sum) && family.next != SIZE_MAX) {
            *flag_of(&rows[family.next], column) = true;
            return true;
        }
        if (tells_part) { /* the only part is the sum itself */
            *is_hidden = true;
            return true;
        }
    }
    return false;
}

void measure_suppress(const SuppressionRule *rule, SuppressedRow *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        SuppressedRow *row = &rows[i];
        row->hides_denominator = is_small(rule, row->denominator);
        row->hides_numerator = row->hides_denominator || is_small(rule, row->numerator) ||
                               is_small(rule, row->denominator - row->numerator);
    }
    bool is_changing = rule->complements;
    while (is_changing) {
        is_changing = hide_one_more(rows, count, COLUMN_DENOMINATOR);
        for (size_t i = 0; i < count; i++)
            rows[i].hides_numerator = rows[i].hides_numerator || rows[i].hides_denominator;
        is_changing = hide_one_more(rows, count, COLUMN_NUMERATOR) || is_changing;
    }
}

uint64_t measure_suppressed_count(const SuppressionRule *rule, uint64_t count)
{
    return (count + rule->step / 2) / rule->step * rule->step;
}

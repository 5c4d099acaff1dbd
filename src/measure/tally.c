/* Results added up, and the score of the sums. */
#include <stdlib.h>

#include "measure/report.h"

static bool observes(const MeasureGroup *group)
{
    return measure_group_find(group, PART_OBSERVATION) >= 0;
}

static void init_populations(Arena *arena, const MeasureGroup *group, PopulationTally *tally)
{
    *tally = (PopulationTally){.observed = NULL};
    if (observes(group))
        tally->observed = ARENA_ZARRAY(arena, ObservedTally, group->population_count);
}

void measure_tally_init(MeasureTally *tally, Arena *arena, const Measure *measure)
{
    *tally = (MeasureTally){.arena = arena, .measure = measure};
    tally->groups = ARENA_ZARRAY(arena, GroupTally, measure->group_count);
    tally->supplements =
        arena_alloc(arena, sizeof(*tally->supplements) * (measure->supplement_count + 1));
    memset(tally->supplements, 0, sizeof(*tally->supplements) * (measure->supplement_count + 1));
    for (size_t i = 0; i < measure->group_count; i++) {
        const MeasureGroup *group = &measure->groups[i];
        GroupTally *out = &tally->groups[i];
        init_populations(arena, group, &out->all);
        size_t size = sizeof(*out->strata) * (group->stratifier_count + 1);
        out->strata = arena_alloc(arena, size);
        memset(out->strata, 0, size);
    }
}

static void add_value(Arena *arena, ObservedTally *tally, Decimal value, bool keeps)
{
    if (tally->count == 0 || decimal_cmp(value, tally->least) < 0)
        tally->least = value;
    if (tally->count == 0 || decimal_cmp(value, tally->greatest) > 0)
        tally->greatest = value;
    tally->count++;
    if (!decimal_add(tally->sum, value, &tally->sum))
        tally->is_lost = true;
    if (keeps)
        VEC_PUSH(arena, &tally->values, value);
}

static void add_episode(Arena *arena, const MeasureGroup *group, const MeasureEpisode *episode,
                        PopulationTally *tally)
{
    for (size_t i = 0; i < group->population_count; i++) {
        if ((episode->members >> i & 1) != 0)
            tally->counts[i]++;
        if ((episode->observed_of >> i & 1) == 0 || !episode->observed[i].has_value)
            continue;
        tally->counts[i]++;
        add_value(arena, &tally->observed[i], episode->observed[i].value,
                  group->populations[i].aggregate == AGGREGATE_MEDIAN);
    }
}

static int compare_values(const Str *a, const Str *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int order = str_cmp(a[i], b[i]);
        if (order != 0)
            return order;
    }
    return 0;
}

/* The stratum with these values; made in its place by order when it is not there. */
static PopulationTally *find_stratum(MeasureTally *tally, const MeasureGroup *group,
                                     GroupTally *out, size_t stratifier, const Str *values)
{
    size_t components = group->stratifiers[stratifier].component_count;
    size_t low = 0;
    size_t high = out->strata[stratifier].count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        StratumTally *each = out->strata[stratifier].items[middle];
        int order = compare_values(values, each->values, components);
        if (order == 0)
            return &each->tally;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    StratumTally *made = ARENA_NEW(tally->arena, StratumTally);
    Str *copies = ARENA_ARRAY(tally->arena, Str, components);
    for (size_t i = 0; i < components; i++)
        copies[i] = str_copy(tally->arena, values[i]);
    made->values = copies;
    init_populations(tally->arena, group, &made->tally);
    VEC_PUSH(tally->arena, &out->strata[stratifier], made);
    StratumTally **items = out->strata[stratifier].items;
    for (size_t i = out->strata[stratifier].count - 1; i > low; i--)
        items[i] = items[i - 1];
    items[low] = made;
    return &made->tally;
}

static void add_supplement(MeasureTally *tally, size_t supplement, Str text, uint64_t count)
{
    VEC_FOREACH (SupplementTally, each, &tally->supplements[supplement])
        if (str_eq(each->text, text)) {
            each->count += count;
            return;
        }
    SupplementTally made = {.text = str_copy(tally->arena, text), .count = count};
    VEC_PUSH(tally->arena, &tally->supplements[supplement], made);
}

void measure_tally_add(MeasureTally *tally, const MeasureResult *result,
                       const CqlValue *supplements)
{
    const Measure *measure = tally->measure;
    tally->persons++;
    tally->failed += result->is_failed;
    for (size_t i = 0; i < measure->group_count; i++) {
        const MeasureGroup *group = &measure->groups[i];
        const MeasureGroupResult *found = &result->groups[i];
        for (size_t j = 0; j < found->episode_count; j++) {
            const MeasureEpisode *episode = &found->episodes[j];
            size_t at = 0;
            add_episode(tally->arena, group, episode, &tally->groups[i].all);
            for (size_t k = 0; k < group->stratifier_count; k++) {
                add_episode(tally->arena, group, episode,
                            find_stratum(tally, group, &tally->groups[i], k, episode->strata + at));
                at += group->stratifiers[k].component_count;
            }
        }
    }
    for (size_t i = 0; supplements != NULL && result->is_in && i < measure->supplement_count; i++)
        add_supplement(tally, i, measure_value_text(tally->arena, supplements[i]), 1);
}

/* --- joining --- */

static void merge_populations(Arena *arena, const MeasureGroup *group, PopulationTally *into,
                              const PopulationTally *from)
{
    for (size_t i = 0; i < group->population_count; i++) {
        into->counts[i] += from->counts[i];
        if (from->observed == NULL || from->observed[i].count == 0)
            continue;
        ObservedTally *to = &into->observed[i];
        const ObservedTally *of = &from->observed[i];
        if (to->count == 0 || decimal_cmp(of->least, to->least) < 0)
            to->least = of->least;
        if (to->count == 0 || decimal_cmp(of->greatest, to->greatest) > 0)
            to->greatest = of->greatest;
        to->count += of->count;
        to->is_lost |= of->is_lost || !decimal_add(to->sum, of->sum, &to->sum);
        for (size_t j = 0; j < of->values.count; j++)
            VEC_PUSH(arena, &to->values, of->values.items[j]);
    }
}

void measure_tally_merge(MeasureTally *tally, const MeasureTally *other)
{
    const Measure *measure = tally->measure;
    tally->persons += other->persons;
    tally->failed += other->failed;
    for (size_t i = 0; i < measure->group_count; i++) {
        const MeasureGroup *group = &measure->groups[i];
        const GroupTally *from = &other->groups[i];
        merge_populations(tally->arena, group, &tally->groups[i].all, &from->all);
        for (size_t j = 0; j < group->stratifier_count; j++)
            for (size_t k = 0; k < from->strata[j].count; k++) {
                const StratumTally *each = from->strata[j].items[k];
                merge_populations(tally->arena, group,
                                  find_stratum(tally, group, &tally->groups[i], j, each->values),
                                  &each->tally);
            }
    }
    for (size_t i = 0; i < measure->supplement_count; i++)
        VEC_FOREACH (SupplementTally, each, &other->supplements[i])
            add_supplement(tally, i, each->text, each->count);
}

/* --- the score --- */

static int compare_decimals(const void *a, const void *b)
{
    return decimal_cmp(*(const Decimal *)a, *(const Decimal *)b);
}

static bool median(const ObservedTally *tally, Arena *arena, Decimal *ret_value)
{
    size_t count = tally->values.count;
    if (count == 0)
        return false;
    Decimal *sorted = ARENA_ARRAY(arena, Decimal, count);
    memcpy(sorted, tally->values.items, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_decimals);
    *ret_value = sorted[count / 2];
    if (count % 2 == 1)
        return true;
    Decimal sum;
    return decimal_add(sorted[count / 2 - 1], sorted[count / 2], &sum) &&
           decimal_divide(sum, decimal_from_int(2), ROUNDING_HALF_AWAY, ret_value);
}

static bool aggregate(const MeasurePopulation *population, const ObservedTally *tally, Arena *arena,
                      Decimal *ret_value)
{
    switch (population->aggregate) {
    case AGGREGATE_COUNT:
        *ret_value = decimal_from_int((int64_t)tally->count);
        return true;
    case AGGREGATE_SUM:
        *ret_value = tally->sum;
        return !tally->is_lost;
    case AGGREGATE_MINIMUM:
        *ret_value = tally->least;
        return tally->count > 0;
    case AGGREGATE_MAXIMUM:
        *ret_value = tally->greatest;
        return tally->count > 0;
    case AGGREGATE_MEDIAN:
        return median(tally, arena, ret_value);
    case AGGREGATE_AVERAGE:
    case AGGREGATE_NONE:
        break;
    }
    return tally->count > 0 && !tally->is_lost &&
           decimal_divide(tally->sum, decimal_from_int((int64_t)tally->count), ROUNDING_HALF_AWAY,
                          ret_value);
}

static int64_t count_of(const MeasureGroup *group, const PopulationTally *tally, MeasurePart part)
{
    int found = measure_group_find(group, part);
    return found < 0 ? 0 : (int64_t)tally->counts[found];
}

/* The observation made of the numerator (or denominator) of a ratio; -1: none. */
static int observation_of(const MeasureGroup *group, MeasurePart part)
{
    for (size_t i = 0; i < group->population_count; i++) {
        int base = measure_group_base(group, i);
        if (group->populations[i].part == PART_OBSERVATION && base >= 0 &&
            group->populations[base].part == part)
            return (int)i;
    }
    return -1;
}

bool measure_score(const MeasureGroup *group, const PopulationTally *tally, Arena *arena,
                   Decimal *ret_score)
{
    int observed = measure_group_find(group, PART_OBSERVATION);
    if (group->scoring == SCORING_COHORT)
        return false;
    if (group->scoring == SCORING_CONTINUOUS)
        return observed >= 0 && aggregate(&group->populations[observed], &tally->observed[observed],
                                          arena, ret_score);
    int above = observation_of(group, PART_NUMERATOR);
    int below = observation_of(group, PART_DENOMINATOR);
    Decimal numerator = decimal_from_int(count_of(group, tally, PART_NUMERATOR) -
                                         count_of(group, tally, PART_NUMERATOR_EXCLUSION));
    Decimal denominator = decimal_from_int(count_of(group, tally, PART_DENOMINATOR) -
                                           count_of(group, tally, PART_DENOMINATOR_EXCLUSION) -
                                           count_of(group, tally, PART_DENOMINATOR_EXCEPTION));
    if (above >= 0 &&
        !aggregate(&group->populations[above], &tally->observed[above], arena, &numerator))
        return false;
    if (below >= 0 &&
        !aggregate(&group->populations[below], &tally->observed[below], arena, &denominator))
        return false;
    return decimal_divide(numerator, denominator, ROUNDING_HALF_AWAY, ret_score);
}

/* --- standings --- */

static const Str standings[] = {
    [STANDING_OUTSIDE] = STR_INIT("outside"),   [STANDING_EXCLUDED] = STR_INIT("excluded"),
    [STANDING_EXCEPTED] = STR_INIT("excepted"), [STANDING_MET] = STR_INIT("met"),
    [STANDING_GAP] = STR_INIT("gap"),           [STANDING_IN] = STR_INIT("in"),
};

Str measure_standing_name(MeasureStanding standing)
{
    return standings[standing];
}

static bool is_in(const MeasureGroup *group, const MeasureEpisode *episode, MeasurePart part)
{
    int found = measure_group_find(group, part);
    return found >= 0 && (episode->members >> found & 1) != 0;
}

static MeasureStanding standing_of(const MeasureGroup *group, const MeasureEpisode *episode)
{
    if (group->scoring == SCORING_COHORT)
        return STANDING_IN;
    if (group->scoring == SCORING_CONTINUOUS) {
        if (is_in(group, episode, PART_MEASURE_POPULATION_EXCLUSION))
            return STANDING_EXCLUDED;
        return is_in(group, episode, PART_MEASURE_POPULATION) ? STANDING_IN : STANDING_OUTSIDE;
    }
    if (!is_in(group, episode, PART_DENOMINATOR))
        return STANDING_OUTSIDE;
    if (is_in(group, episode, PART_DENOMINATOR_EXCLUSION) ||
        is_in(group, episode, PART_NUMERATOR_EXCLUSION))
        return STANDING_EXCLUDED;
    if (is_in(group, episode, PART_DENOMINATOR_EXCEPTION))
        return STANDING_EXCEPTED;
    bool is_wanted = !str_eq(group->improvement, S("decrease"));
    return is_in(group, episode, PART_NUMERATOR) == is_wanted ? STANDING_MET : STANDING_GAP;
}

MeasureStanding measure_standing(const MeasureGroup *group, const MeasureGroupResult *result)
{
    MeasureStanding worst = STANDING_OUTSIDE;
    for (size_t i = 0; i < result->episode_count; i++) {
        MeasureStanding each = standing_of(group, &result->episodes[i]);
        worst = each > worst ? each : worst;
    }
    return worst;
}

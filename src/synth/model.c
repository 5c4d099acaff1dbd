/*
 * A model: tables worked out of a profile, and the level of each rate.
 *
 * A rate of the profile is what persons of an age have on average. Each person's own is that times
 * a factor of conditions, habits and chance; what this factor is on average is found by making a
 * sample of persons, and divided out by age and fifth of deprivation.
 */
#include "synth/synth_int.h"

#include <stdlib.h>

enum { SAMPLE = 40000, SAMPLE_LEAST = 40 };
#define SAMPLE_SEED UINT64_C(0x5EED)

static double odds_shift(double part, double shift)
{
    if (part <= 0)
        return 0;
    double odds = part / (1 - part) * exp(shift);
    return odds / (1 + odds);
}

static void make_prevalence(Arena *arena, SynthModel *model)
{
    const SynthProfile *profile = model->profile;
    model->prevalence = arena_zalloc(arena, profile->condition_count * sizeof *model->prevalence);
    for (size_t i = 0; i < profile->condition_count; i++) {
        const ConditionProfile *condition = &profile->conditions[i];
        double shared = condition->frailty * condition->frailty +
                        condition->metabolic * condition->metabolic +
                        condition->mental * condition->mental;
        model->own_weight[i] = sqrt(shared < 0.98 ? 1 - shared : 0.02);
        for (size_t sex = 0; sex < SEX_COUNT; sex++)
            for (size_t fifth = 0; fifth < FIFTH_COUNT; fifth++) {
                double shift = log(condition->sex) * (sex == 1 ? 0.5 : -0.5) +
                               log(condition->deprived) * model->fifth_odds[fifth];
                float most = 0;
                /* Of what only one sex has, it has twice the average. */
                double all = condition->sex >= 50 || condition->sex <= 0.02 ? 2 : 1;
                for (size_t age = 0; age < AGE_LIMIT; age++) {
                    bool has_none =
                        (condition->sex >= 50 && sex == 0) || (condition->sex <= 0.02 && sex == 1);
                    double part =
                        all == 2 ? odds_shift(condition->prevalence[age] * 2,
                                              log(condition->deprived) * model->fifth_odds[fifth])
                                 : odds_shift(condition->prevalence[age], shift);
                    float value = has_none ? 0 : (float)part;
                    model->prevalence[i][sex][fifth][age] = value;
                    most = value > most ? value : most;
                }
                model->prevalence_max[i][sex][fifth] = most;
            }
    }
}

static void make_ages(SynthModel *model)
{
    const SynthProfile *profile = model->profile;
    double sum = 0;
    for (size_t age = 0; age < AGE_LIMIT; age++)
        sum += profile->ages[age];
    double below = 0;
    for (size_t age = 0; age < AGE_LIMIT; age++) {
        model->age_below[age] = below / sum;
        below += profile->ages[age];
    }
    model->age_below[AGE_LIMIT] = 1;
    double born = profile->births / 1000 * model->options.years;
    model->births_part = born / (1 + born);
}

static void make_fifths(SynthModel *model)
{
    for (size_t i = 0; i < FIFTH_COUNT; i++)
        model->fifth_odds[i] = ((double)i - 2) / 4;
}

typedef struct {
    double sum[BAND_COUNT][FIFTH_COUNT];
    double count[BAND_COUNT][FIFTH_COUNT];
} Means;

static void add(Means *means, unsigned band, unsigned fifth, double value, double weight)
{
    means->sum[band][fifth] += value * weight;
    means->count[band][fifth] += weight;
}

static void put_levels(const Means *means, double levels[BAND_COUNT][FIFTH_COUNT])
{
    for (size_t band = 0; band < BAND_COUNT; band++)
        for (size_t fifth = 0; fifth < FIFTH_COUNT; fifth++) {
            double sum = means->sum[band][fifth];
            double count = means->count[band][fifth];
            levels[band][fifth] = count < SAMPLE_LEAST || sum <= 0 ? 1 : count / sum;
        }
}

/* The sample is the same whatever the seed and the number of persons: levels are part of the
 * profile. */
static void find_levels(SynthModel *model)
{
    SynthOptions options = model->options;
    int32_t end = model->end;
    model->options = (SynthOptions){.persons = SAMPLE, .seed = SAMPLE_SEED, .years = 1};
    model->end = model->start + YEAR_DAYS;
    Person person = {.number = 0};
    Means deaths = {0};
    for (uint64_t i = 0; i < SAMPLE; i++) {
        person_make(model, i, &person);
        int age = person_age(&person, model->start);
        uint64_t active = person_active(&person, model->start + YEAR_DAYS / 2);
        add(&deaths, age_band(age), person.fifth, death_factor(model, &person, active), 1);
    }
    put_levels(&deaths, model->death_level);
    Means *means = calloc(SERVICE_COUNT, sizeof *means);
    ASSERT(means != NULL);
    for (uint64_t i = 0; i < SAMPLE; i++) {
        person_make(model, i, &person);
        unsigned band = age_band(person_age(&person, model->start));
        double days = person_days(&person, model->start, model->end);
        CareYear year = care_year(model, &person, 0);
        for (Service service = 0; service < SERVICE_COUNT; service++) {
            double factor = care_factor(model, &person, service, &year);
            add(&means[service], band, person.fifth, factor, days / YEAR_DAYS);
        }
    }
    for (size_t service = 0; service < SERVICE_COUNT; service++)
        put_levels(&means[service], model->level[service]);
    free(means);
    model->options = options;
    model->end = end;
}

ErrorCode synth_model_create(Arena *arena, const SynthProfile *profile, const SynthOptions *options,
                             SynthModel **ret_model, Error *err)
{
    static const Str known[] = {
#define KNOWN(name, text) STR_INIT(text),
#include "synth/known.def"
#undef KNOWN
    };
    if (options->persons == 0 || options->persons > SYNTH_PERSONS_MAX || options->years == 0 ||
        options->years > SYNTH_YEARS_MAX)
        return error_set(err, ERR_LIMIT, "a population has 1 to %d persons and 1 to %d years",
                         SYNTH_PERSONS_MAX, SYNTH_YEARS_MAX);
    SynthModel *model = ARENA_NEW(arena, SynthModel);
    model->profile = profile;
    model->options = *options;
    model->start = profile->start;
    model->end = profile->start + (int32_t)options->years * YEAR_DAYS;
    double persons = (double)options->persons;
    model->practices = (uint32_t)(persons / profile->persons_per_practice) + 2;
    model->hospitals = (uint32_t)(persons / profile->persons_per_hospital) + 1;
    for (size_t i = 0; i < KNOWN_COUNT; i++)
        model->known[i] = (int8_t)synth_condition_find(profile, known[i]);
    for (size_t band = 0; band < BAND_COUNT; band++)
        for (size_t fifth = 0; fifth < FIFTH_COUNT; fifth++) {
            model->death_level[band][fifth] = 1;
            for (size_t service = 0; service < SERVICE_COUNT; service++)
                model->level[service][band][fifth] = 1;
        }
    make_fifths(model);
    make_ages(model);
    make_prevalence(arena, model);
    find_levels(model);
    *ret_model = model;
    model->shapes = shapes_create(arena, model, err);
    return model->shapes == NULL ? err->code : ERR_OK;
}

const SynthOptions *synth_model_options(const SynthModel *model)
{
    return &model->options;
}

Str synth_model_title(const SynthModel *model)
{
    return model->profile->title;
}

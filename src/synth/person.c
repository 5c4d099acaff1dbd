/*
 * Who somebody is: household and age, sex, deprivation, practice; three common factors; which
 * conditions from when; registrations; death.
 */
#include "synth/synth_int.h"

enum { BLOCK = 4 }; /* persons whose households are dealt out together */

double curve_at(const double *curve, double age)
{
    if (age <= 0)
        return curve[0];
    if (age >= AGE_LIMIT - 1)
        return curve[AGE_LIMIT - 1];
    int whole = (int)age;
    return curve[whole] + (curve[whole + 1] - curve[whole]) * (age - whole);
}

int person_age(const Person *person, int32_t day)
{
    int age = (int)((double)(day - person->birth) / 365.25);
    return age < 0 ? 0 : age > AGE_LIMIT - 1 ? AGE_LIMIT - 1 : age;
}

unsigned age_band(int age)
{
    return age < 1 ? 0 : age < 5 ? 1 : age >= 85 ? BAND_COUNT - 1 : 2 + (unsigned)(age - 5) / 10;
}

static uint8_t fifth_of(unsigned tenth)
{
    return (uint8_t)(tenth / 2);
}

/* Persons of a block live in one, two or four households. Gives the number of the person's
   household in the block and the place in it. */
static unsigned place_in_block(unsigned pattern, unsigned of_block, unsigned *ret_place)
{
    static const uint8_t homes[6][BLOCK] = {{0, 0, 0, 0}, {0, 0, 1, 1}, {0, 1, 1, 1},
                                            {0, 1, 2, 2}, {0, 0, 1, 1}, {0, 1, 2, 3}};
    unsigned home = homes[pattern][of_block];
    unsigned place = 0;
    for (unsigned i = 0; i < of_block; i++)
        place += homes[pattern][i] == home;
    *ret_place = place;
    return home;
}

/*
 * The quantile of a person's age: every mapping below keeps the uniform distribution, so that ages
 * are those of the profile whatever households are made of. The second person is near the first,
 * the others a generation away.
 */
static double age_quantile(const Random *home, unsigned place)
{
    Random random = *home;
    double first = random_uniform(&random);
    if (place == 0)
        return first;
    double near = normal_quantile(first) * 0.97;
    if (place == 1)
        return normal_below(near + 0.243 * random_normal(&random));
    random.state += place * UINT64_C(0x9E3779B97F4A7C15);
    double away = first - 0.36 + 0.10 * (random_uniform(&random) - 0.5);
    return away - floor(away);
}

static void make_home(const SynthModel *model, Person *person)
{
    const SynthProfile *profile = model->profile;
    uint64_t block = person->number / BLOCK;
    Random random = random_stream(model->options.seed, block, STREAM_HOUSEHOLD);
    unsigned pattern = random_below(&random, 6);
    unsigned place;
    unsigned home = place_in_block(pattern, (unsigned)(person->number % BLOCK), &place);
    person->household = (uint32_t)(block * BLOCK + home);
    random = random_stream(model->options.seed, person->household, STREAM_HOUSEHOLD + 7000);
    double part = random_uniform(&random);
    /* Practices lie from rich to poor; a household's own deprivation is near its practice's. */
    double practice = random_uniform(&random);
    double same = profile->same_fifth;
    double z = same * normal_quantile(practice) + sqrt(1 - same * same) * normal_quantile(part);
    double rank = normal_below(z);
    person->practice = (uint32_t)(practice * model->practices);
    person->tenth = (uint8_t)(rank * 10);
    person->fifth = fifth_of(person->tenth);
    double quantile = age_quantile(&random, place);
    Random own = random_stream(model->options.seed, person->number, STREAM_BASE);
    if (quantile < model->births_part) {
        double at = quantile / model->births_part;
        person->birth = model->start + (int32_t)(at * (model->end - model->start));
    } else {
        double left = (quantile - model->births_part) / (1 - model->births_part);
        int age = 0;
        while (age + 1 < AGE_LIMIT && model->age_below[age + 1] <= left)
            age++;
        person->birth = model->start - 1 - (int32_t)((age + random_uniform(&own)) * 365.25);
    }
    person->sex = !random_chance(&own, profile->women);
    double ethnic = random_uniform(&own);
    while (person->ethnic + 1 < ETHNIC_COUNT && ethnic >= profile->ethnic[person->ethnic])
        ethnic -= profile->ethnic[person->ethnic++];
    person->frailty = random_normal(&own);
    person->metabolic = random_normal(&own);
    person->mental = random_normal(&own);
    for (size_t i = 0; i < SERVICE_COUNT; i++)
        person->wellness[i] = random_normal(&own);
    double urgent = person->wellness[SERVICE_EMERGENCY];
    for (size_t i = 0; i < SERVICE_COUNT; i++)
        if (i != SERVICE_EMERGENCY)
            person->wellness[i] = 0.45 * urgent + 0.893 * person->wellness[i];
    int age = person_age(person, model->start);
    double smokes = curve_at(profile->smoking, age) * (person->sex ? profile->smoking_men : 1) /
                    (0.5 + 0.5 * profile->smoking_men) *
                    exp(log(profile->smoking_deprived) * model->fifth_odds[person->fifth]);
    smokes *= exp(0.3 * person->mental - 0.045);
    double u = random_uniform(&own);
    person->smoking = u < smokes ? 2 : u < smokes + (age < 18 ? 0 : 0.10 + 0.003 * age) ? 1 : 0;
}

/* The first age of those up to `age` at which the part of those who have it passes u. */
static int onset_age(const float *prevalence, double u, int age)
{
    while (age > 0 && prevalence[age - 1] > u)
        age--;
    return age;
}

/*
 * A condition is there while u < prevalence(age), where u is the person's rank: the normal
 * distribution of weights times common factors and something of its own. So prevalence at each age
 * is the table's, and what has common factors comes together.
 */
static void make_illnesses(const SynthModel *model, Person *person)
{
    const SynthProfile *profile = model->profile;
    Random random = random_stream(model->options.seed, person->number, STREAM_ILLNESS);
    int age_end = person_age(person, model->end);
    for (size_t i = 0; i < profile->condition_count; i++) {
        const ConditionProfile *condition = &profile->conditions[i];
        uint64_t bits = random_bits(&random);
        if (model->prevalence_max[i][person->sex][person->fifth] <= 0)
            continue;
        double own = normal_quantile(((double)(bits >> 11) + 0.5) * 0x1p-53);
        double x = condition->frailty * person->frailty + condition->metabolic * person->metabolic +
                   condition->mental * person->mental + model->own_weight[i] * own;
        double u = normal_below(-x);
        const float *prevalence = model->prevalence[i][person->sex][person->fifth];
        int last = age_end;
        if (u >= model->prevalence_max[i][person->sex][person->fifth])
            continue;
        /* Of what comes and goes: the last age up to now at which it was there. */
        while (last >= 0 && prevalence[last] <= u)
            last--;
        if (last < 0)
            continue;
        int first = onset_age(prevalence, u, last);
        double within = (double)(bits & 0x7FF) / 2048;
        Illness *illness = &person->illnesses[person->illness_count];
        *illness = (Illness){.condition = (uint8_t)i, .end = INT32_MAX};
        illness->onset = person->birth + (int32_t)((first + within) * 365.25);
        if (last < age_end && !condition->is_for_life) {
            illness->end = person->birth + (int32_t)((last + 1 + within) * 365.25);
            illness->has_ended = illness->end < model->end;
        }
        illness->severity = 1 - u / prevalence[last];
        if (illness->onset < model->end && (!illness->has_ended || illness->end > model->start))
            person->illness_count++;
    }
}

uint64_t person_active(const Person *person, int32_t day)
{
    uint64_t active = 0;
    for (size_t i = 0; i < person->illness_count; i++)
        if (person->illnesses[i].onset <= day && day < person->illnesses[i].end)
            active |= UINT64_C(1) << person->illnesses[i].condition;
    return active;
}

double death_factor(const SynthModel *model, const Person *person, uint64_t active)
{
    double factor =
        exp(0.35 * person->frailty) * synth_joint_effect(model->profile, active, EFFECT_DEATH);
    return factor * (person->smoking == 2 ? 1.6 : person->smoking == 1 ? 1.15 : 1);
}

static void make_death(const SynthModel *model, Person *person)
{
    const SynthProfile *profile = model->profile;
    Random random = random_stream(model->options.seed, person->number, STREAM_LIFE);
    person->death = INT32_MAX;
    /* A year longer than the population is followed: the last year of life is known in advance. */
    for (uint32_t year = 0; year <= model->options.years; year++) {
        int32_t from = model->start + (int32_t)year * YEAR_DAYS;
        double part = random_uniform(&random);
        double when = random_uniform(&random);
        int32_t begin = person->birth > from ? person->birth : from;
        int32_t days = from + YEAR_DAYS - begin;
        if (days <= 0)
            continue;
        int age = person_age(person, begin);
        double men = profile->mortality_men;
        double rate = curve_at(profile->mortality, age) / 1000 * (person->sex ? men : 1) /
                      (0.5 + 0.5 * men) *
                      exp(log(profile->mortality_deprived) * model->fifth_odds[person->fifth]);
        rate *= death_factor(model, person, person_active(person, from + YEAR_DAYS / 2)) *
                model->death_level[age_band(age)][person->fifth];
        if (part < 1 - exp(-rate * days / YEAR_DAYS)) {
            person->death = begin + (int32_t)(when * days);
            return;
        }
    }
}

static void add_span(Person *person, int32_t from, int32_t to, uint32_t practice)
{
    if (person->span_count < SPANS_MAX && from < to)
        person->spans[person->span_count++] = (Span){.from = from, .to = to, .practice = practice};
}

/* Registrations within the years: some move to another practice, some are away for a time between.
 */
static void make_spans(const SynthModel *model, Person *person)
{
    const SynthProfile *profile = model->profile;
    Random random = random_stream(model->options.seed, person->number, STREAM_LIFE + 500);
    int32_t from = person->birth > model->start ? person->birth : model->start;
    int32_t until = person->death < model->end ? person->death + 1 : model->end;
    uint32_t practice = person->practice;
    if (from >= until) /* died before anything could be recorded */
        until = from + 1;
    while (from < until && person->span_count + 1 < SPANS_MAX) {
        double rate = curve_at(profile->moves, person_age(person, from)) / 1000;
        double days = rate <= 0 ? 1e9 : -log(random_uniform(&random)) / rate * YEAR_DAYS;
        bool is_away = random_chance(&random, profile->gap);
        uint32_t next = random_below(&random, model->practices);
        int32_t away = 30 + (int32_t)(-log(random_uniform(&random)) * 250);
        int32_t to = days < until - from ? from + (int32_t)days + 1 : until;
        add_span(person, from, to, practice);
        from = to + (is_away ? away : 0);
        practice = next;
    }
    if (person->span_count > 0) {
        Span *last = &person->spans[person->span_count - 1];
        last->is_open = last->to == model->end;
    }
}

int32_t person_days(const Person *person, int32_t from, int32_t to)
{
    int32_t days = 0;
    for (size_t i = 0; i < person->span_count; i++) {
        const Span *span = &person->spans[i];
        int32_t begin = span->from > from ? span->from : from;
        int32_t end = span->to < to ? span->to : to;
        days += end > begin ? end - begin : 0;
    }
    return days;
}

void person_make(const SynthModel *model, uint64_t number, Person *person)
{
    Contact *contacts = person->contacts;
    size_t capacity = person->contact_capacity;
    *person = (Person){.number = number, .contacts = contacts, .contact_capacity = capacity};
    make_home(model, person);
    make_illnesses(model, person);
    make_death(model, person);
    make_spans(model, person);
}

/*
 * What happens to a person: how many contacts of each kind a year brings, when, what about, how
 * long, and at which price.
 *
 * The number of contacts is Poisson with the mean rate(age) * men * deprived * factor * level, for
 * the part of the year that the person lives and is registered. The factor is the product of those
 * of conditions, of what stays the person's own, of the year, and of dying (model.c finds the
 * level).
 */
#include "synth/synth_int.h"

enum { READMISSION_DAYS = 30, READMISSIONS_MAX = 4, STAY_MAX = 150, FACTOR_MAX = 50 };

static const uint8_t service_effects[SERVICE_COUNT] = {
    [SERVICE_GP] = EFFECT_GP,
    [SERVICE_NURSE] = EFFECT_GP,
    [SERVICE_COMMUNITY] = EFFECT_URGENT,
    [SERVICE_MENTAL] = EFFECT_COUNT,
    [SERVICE_OUTPATIENT] = EFFECT_PLANNED,
    [SERVICE_ED] = EFFECT_URGENT,
    [SERVICE_EMERGENCY] = EFFECT_URGENT,
    [SERVICE_ELECTIVE] = EFFECT_PLANNED,
    [SERVICE_DAYCASE] = EFFECT_PLANNED,
    [SERVICE_MATERNITY] = EFFECT_COUNT,
};

/* The product of the effects of all conditions that are there. */
double synth_joint_effect(const SynthProfile *profile, uint64_t active, Effect effect)
{
    double sum = 0;
    for (uint64_t left = active; left != 0; left &= left - 1)
        sum += profile->conditions[__builtin_ctzll(left)].log_effects[effect];
    return exp(sum);
}

CareYear care_year(const SynthModel *model, const Person *person, uint32_t year)
{
    CareYear of = {.from = model->start + (int32_t)year * YEAR_DAYS};
    of.to = of.from + YEAR_DAYS;
    of.active = person_active(person, of.from + YEAR_DAYS / 2);
    of.random = random_stream(model->options.seed, person->number, STREAM_CARE + year);
    of.shock = random_normal(&of.random);
    return of;
}

/* Mental health care goes by the common factor and the conditions that rest on it. */
static double mental_factor(const SynthModel *model, const Person *person, uint64_t active)
{
    double factor = exp(0.6 * person->mental - 0.18);
    for (uint64_t left = active; left != 0; left &= left - 1) {
        const ConditionProfile *condition = &model->profile->conditions[__builtin_ctzll(left)];
        factor *= condition->mental >= 0.55 ? 5 : 1;
    }
    return factor > 200 ? 200 : factor;
}

static double dying_factor(const Person *person, double dying, const CareYear *year)
{
    if (person->death == INT32_MAX || person->death - year->to >= YEAR_DAYS)
        return 1;
    if (person->death < year->to)
        return dying;
    return 1 + (dying - 1) * (YEAR_DAYS - (person->death - year->to)) / YEAR_DAYS;
}

double care_factor(const SynthModel *model, const Person *person, Service service, CareYear *year)
{
    const ServiceProfile *profile = &model->profile->services[service];
    uint8_t effect = service_effects[service];
    double log_factor =
        profile->lasting * person->wellness[service] - 0.5 * profile->lasting * profile->lasting;
    double shock = 0.6 * year->shock + 0.8 * random_normal(&year->random);
    log_factor += profile->yearly * shock - 0.5 * profile->yearly * profile->yearly;
    double factor = exp(log_factor);
    if (service == SERVICE_MENTAL)
        factor *= mental_factor(model, person, year->active);
    else if (effect != EFFECT_COUNT)
        factor *= synth_joint_effect(model->profile, year->active, effect);
    factor *= dying_factor(person, profile->dying, year);
    return factor < FACTOR_MAX ? factor : FACTOR_MAX;
}

static Contact *add_contact(Arena *arena, Person *person)
{
    if (person->contact_count == person->contact_capacity) {
        size_t wanted = person->contact_capacity == 0 ? 256 : 2 * person->contact_capacity;
        Contact *more = ARENA_ARRAY(arena, Contact, wanted);
        if (person->contact_count > 0)
            memcpy(more, person->contacts, person->contact_count * sizeof *more);
        person->contacts = more;
        person->contact_capacity = wanted;
    }
    return &person->contacts[person->contact_count++];
}

/* The n-th day of those that the person lives and is registered; and the practice then. */
static int32_t day_of(const Person *person, const CareYear *year, int32_t nth,
                      uint32_t *ret_practice)
{
    int32_t day = year->from;
    for (size_t i = 0; i < person->span_count; i++) {
        const Span *span = &person->spans[i];
        int32_t begin = span->from > year->from ? span->from : year->from;
        int32_t end = span->to < year->to ? span->to : year->to;
        if (end <= begin)
            continue;
        *ret_practice = span->practice;
        day = end - 1;
        if (nth < end - begin)
            return begin + nth;
        nth -= end - begin;
    }
    return day;
}

/* One of the conditions that are there, by how much they weigh for this kind of care; -1 for none.
 */
static int16_t reason_of(const SynthModel *model, Service service, uint64_t active, Random *random)
{
    uint8_t effect = service_effects[service];
    double all = service == SERVICE_GP ? 1.2 : 0.6;
    double weights[CONDITION_MAX];
    if (effect == EFFECT_COUNT)
        return -1;
    for (uint64_t left = active; left != 0; left &= left - 1) {
        int at = __builtin_ctzll(left);
        double weight = model->profile->conditions[at].effects[effect] - 0.95;
        weights[at] = weight > 0 ? weight : 0;
        all += weights[at];
    }
    double drawn = random_uniform(random) * all;
    for (uint64_t left = active; left != 0; left &= left - 1) {
        int at = __builtin_ctzll(left);
        if (drawn < weights[at])
            return (int16_t)at;
        drawn -= weights[at];
    }
    return -1;
}

static uint16_t draw_stay(double average, Random *random)
{
    double stay = 1 - log(random_uniform(random)) * (average - 1) + 0.5;
    return (uint16_t)(stay > STAY_MAX ? STAY_MAX : stay);
}

static void price_contact(const SynthModel *model, Contact *contact, double average_stay,
                          Random *random)
{
    const SynthProfile *profile = model->profile;
    const ServiceProfile *service = &profile->services[contact->service];
    double price = service->price * random_factor(random, service->varies);
    if (contact->service == SERVICE_EMERGENCY)
        price *= contact->stay == 0 ? 0.30 : 0.75 + 0.55 * contact->stay / average_stay;
    contact->price = (int64_t)(price + 0.5);
}

/* How long it lasts: planned stays are short, emergencies go by age. */
static void make_stay(const SynthModel *model, const Person *person, Contact *contact,
                      Random *random)
{
    const SynthProfile *profile = model->profile;
    double average = curve_at(profile->stay, person_age(person, contact->day));
    if (contact->service == SERVICE_EMERGENCY && !random_chance(random, profile->same_day))
        contact->stay = draw_stay(average, random);
    else if (contact->service == SERVICE_ELECTIVE || contact->service == SERVICE_MATERNITY)
        contact->stay = draw_stay(contact->service == SERVICE_ELECTIVE ? 3.2 : 2.0, random);
    if (contact->stay > 0 && contact->service != SERVICE_MATERNITY &&
        random_chance(random, profile->intensive))
        contact->intensive = (uint16_t)(1 + random_below(random, 6) +
                                        random_below(random, 6) * random_below(random, 3));
    if (contact->intensive > contact->stay)
        contact->stay = contact->intensive;
    int32_t last = person->death != INT32_MAX ? person->death : INT32_MAX - STAY_MAX;
    if (contact->day + contact->stay >= last) {
        contact->stay = (uint16_t)(last > contact->day ? last - contact->day : 0);
        contact->intensive =
            contact->intensive > contact->stay ? contact->stay : contact->intensive;
        contact->ends_in_death = contact->service == SERVICE_EMERGENCY;
    }
    price_contact(model, contact, average, random);
}

typedef struct {
    const SynthModel *model;
    Arena *arena;
    Person *person;
    CareYear *year;
} Making;

static Contact *begin_contact(Making *making, Service service, int32_t day, uint32_t practice)
{
    CareYear *year = making->year;
    Contact *contact = add_contact(making->arena, making->person);
    *contact = (Contact){.day = day, .service = (uint8_t)service, .practice = practice};
    bool is_urgent = service == SERVICE_ED || service == SERVICE_EMERGENCY;
    contact->second = is_urgent ? random_below(&year->random, 86400)
                                : 8 * 3600 + 300 * random_below(&year->random, 120);
    contact->illness = reason_of(making->model, service, year->active, &year->random);
    return contact;
}

/* After an emergency admission, with a certain chance, another one within a month, and so on. */
static void make_readmissions(Making *making, const Contact *first)
{
    const SynthModel *model = making->model;
    Random *random = &making->year->random;
    Contact before = *first;
    for (int i = 0; i < READMISSIONS_MAX && !before.ends_in_death; i++) {
        if (!random_chance(random, model->profile->readmission))
            return;
        int32_t day = before.day + before.stay + 1 +
                      (int32_t)(READMISSION_DAYS * pow(random_uniform(random), 1.4));
        if (day >= model->end || day > making->person->death ||
            day - before.day - before.stay >= READMISSION_DAYS)
            return;
        if (person_days(making->person, day, day + 1) == 0)
            return;
        Contact *next = begin_contact(making, SERVICE_EMERGENCY, day, before.practice);
        next->is_readmission = true;
        next->illness = before.illness;
        make_stay(model, making->person, next, random);
        before = *next;
    }
}

static void make_contacts(Making *making, Service service, uint32_t count, int32_t days)
{
    Random *random = &making->year->random;
    bool is_dying = making->person->death < making->year->to;
    for (uint32_t i = 0; i < count; i++) {
        double at = random_uniform(random);
        if (is_dying && service == SERVICE_EMERGENCY)
            at = 1 - at * at;
        uint32_t practice = making->person->practice;
        int32_t day = day_of(making->person, making->year, (int32_t)(at * days), &practice);
        Contact *contact = begin_contact(making, service, day, practice);
        make_stay(making->model, making->person, contact, random);
        Contact first = *contact;
        if (service == SERVICE_EMERGENCY)
            make_readmissions(making, &first);
    }
}

static void make_year(Making *making)
{
    const SynthModel *model = making->model;
    Person *person = making->person;
    CareYear *year = making->year;
    int32_t days = person_days(person, year->from, year->to);
    if (days == 0)
        return;
    int age = person_age(person, person->birth > year->from ? person->birth : year->from);
    for (Service service = 0; service < SERVICE_COUNT; service++) {
        const ServiceProfile *profile = &model->profile->services[service];
        double factor = care_factor(model, person, service, year);
        double rate = curve_at(profile->rate, age + 0.5) * (person->sex ? profile->men : 1) *
                      exp(log(profile->deprived) * model->fifth_odds[person->fifth]);
        if (service == SERVICE_MATERNITY)
            rate *= 2 * (person->sex == 0);
        else
            rate *= 2 / (1 + profile->men);
        if (service == SERVICE_EMERGENCY)
            rate *= 1 - model->profile->readmission;
        double mean =
            rate * factor * model->level[service][age_band(age)][person->fifth] * days / YEAR_DAYS;
        make_contacts(making, service, random_poisson(&year->random, mean > 150 ? 150 : mean),
                      days);
    }
}

static bool comes_before(const Contact *a, const Contact *b)
{
    return a->day != b->day ? a->day < b->day : a->second < b->second;
}

/* Insertion: contacts are few and come year by year. */
static void sort_contacts(Person *person)
{
    Contact *contacts = person->contacts;
    for (size_t i = 1; i < person->contact_count; i++) {
        Contact contact = contacts[i];
        size_t at = i;
        for (; at > 0 && comes_before(&contact, &contacts[at - 1]); at--)
            contacts[at] = contacts[at - 1];
        contacts[at] = contact;
    }
}

void care_make(const SynthModel *model, Arena *arena, Person *person)
{
    person->contact_count = 0;
    for (uint32_t i = 0; i < model->options.years; i++) {
        CareYear year = care_year(model, person, i);
        Making making = {.model = model, .arena = arena, .person = person, .year = &year};
        make_year(&making);
    }
    sort_contacts(person);
}

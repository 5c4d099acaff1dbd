/*
 * Measurements, screening, immunisation, assessments, plans.
 *
 * A measurement is a level of the person's own, a drift with the years of a condition, less what
 * treatment does (as far as it is taken), and an error of the day.
 */
#include "synth/emit.h"

typedef struct {
    int32_t from;
    int32_t to;
    int age;
    uint64_t active;
} Year;

static bool has(const Emission *emission, uint64_t active, Known known)
{
    int8_t at = emission->model->known[known];
    return at >= 0 && (active >> at & 1) != 0;
}

static const Illness *illness_of(const Emission *emission, Known known)
{
    for (size_t i = 0; i < emission->person->illness_count; i++)
        if (emission->person->illnesses[i].condition == emission->model->known[known])
            return &emission->person->illnesses[i];
    return NULL;
}

/* A day of the year on which the person is registered; false when there is none. */
static bool draw_day(Emission *emission, const Year *year, int32_t *ret_day)
{
    int32_t day = year->from + (int32_t)random_below(&emission->random, YEAR_DAYS);
    *ret_day = day;
    return emission_span(emission, day) != NULL;
}

static void take_value(Emission *emission, Code code, int32_t day, double value, Str unit)
{
    FhirSlot slots[] = {
        {.text = emission_id(emission)},         {.text = emission->id},
        {.part = emission->shapes->codes[code]}, {.day = day},
        {.number = (int64_t)(value * 10 + 0.5)}, {.text = unit},
    };
    emission_take(emission, SHAPE_OBSERVATION, slots);
}

static void take_score(Emission *emission, Code code, int32_t day, int64_t score)
{
    FhirSlot slots[] = {
        {.text = emission_id(emission)},
        {.text = emission->id},
        {.part = emission->shapes->codes[code]},
        {.day = day},
        {.number = score},
    };
    emission_take(emission, SHAPE_OBSERVATION_SCORE, slots);
}

static void take_coded(Emission *emission, Code code, int32_t day, Code value)
{
    FhirSlot slots[] = {
        {.text = emission_id(emission)},          {.text = emission->id},
        {.part = emission->shapes->codes[code]},  {.day = day},
        {.part = emission->shapes->codes[value]},
    };
    emission_take(emission, SHAPE_OBSERVATION_CODED, slots);
}

static double clamp(double value, double least, double most)
{
    return value < least ? least : value > most ? most : value;
}

static double years_of(const Illness *illness, int32_t day)
{
    return illness == NULL ? 0 : clamp((day - illness->onset) / 365.25, 0, 30);
}

/* How many of the medicines of a condition are taken, times how well. */
static double treatment(const Emission *emission, Known known)
{
    const SynthProfile *profile = emission->model->profile;
    int8_t at = emission->model->known[known];
    double taken = 0;
    if (at < 0)
        return 0;
    for (size_t i = 0; i < profile->conditions[at].medicine_count; i++)
        taken += emission->takes[profile->conditions[at].medicines[i]];
    return taken * emission->adherence;
}

static void emit_sugar(Emission *emission, const Year *year)
{
    Known known = has(emission, year->active, KNOWN_DIABETES_2)   ? KNOWN_DIABETES_2
                  : has(emission, year->active, KNOWN_DIABETES_1) ? KNOWN_DIABETES_1
                                                                  : KNOWN_COUNT;
    if (known == KNOWN_COUNT) {
        int32_t day;
        if (year->age >= 40 && random_chance(&emission->random, 0.12) &&
            draw_day(emission, year, &day))
            take_value(
                emission, CODE_HBA1C, day,
                clamp(37 + 2.2 * emission->person->metabolic + random_normal(&emission->random), 20,
                      47),
                S("mmol/mol"));
        return;
    }
    const Illness *illness = illness_of(emission, known);
    for (int i = 0; i < 2; i++) {
        int32_t day;
        if (!draw_day(emission, year, &day) || day < illness->onset)
            continue;
        double level = (known == KNOWN_DIABETES_2 ? 59 : 70) + 9 * (illness->severity - 0.5) * 2 +
                       0.9 * years_of(illness, day) - 6.5 * treatment(emission, known) +
                       5 * random_normal(&emission->random);
        take_value(emission, CODE_HBA1C, day, clamp(level, 30, 140), S("mmol/mol"));
    }
}

static void emit_pressure(Emission *emission, const Year *year)
{
    bool is_followed = has(emission, year->active, KNOWN_HYPERTENSION) ||
                       has(emission, year->active, KNOWN_DIABETES_2) ||
                       has(emission, year->active, KNOWN_KIDNEY) ||
                       has(emission, year->active, KNOWN_CORONARY);
    int32_t day;
    if (year->age < 18 || !random_chance(&emission->random, is_followed ? 0.9 : 0.2) ||
        !draw_day(emission, year, &day))
        return;
    const Person *person = emission->person;
    double treated = has(emission, year->active, KNOWN_HYPERTENSION)
                         ? treatment(emission, KNOWN_HYPERTENSION)
                         : 0;
    double level = 112 + 0.28 * year->age + 5 * person->metabolic +
                   (has(emission, year->active, KNOWN_HYPERTENSION) ? 20 : 0) - 8.5 * treated +
                   8 * random_normal(&emission->random);
    double systolic = clamp(level, 85, 230);
    FhirSlot slots[] = {
        {.text = emission_id(emission)},
        {.text = emission->id},
        {.part = emission->shapes->codes[CODE_BLOOD_PRESSURE]},
        {.day = day},
        {.number = (int64_t)systolic},
        {.number = (int64_t)clamp(systolic * 0.58 + 4 * random_normal(&emission->random), 40, 130)},
    };
    emission_take(emission, SHAPE_BLOOD_PRESSURE, slots);
}

static void emit_blood(Emission *emission, const Year *year)
{
    Random *random = &emission->random;
    const Person *person = emission->person;
    bool has_risk = has(emission, year->active, KNOWN_DIABETES_2) ||
                    has(emission, year->active, KNOWN_CORONARY) ||
                    has(emission, year->active, KNOWN_STROKE) ||
                    has(emission, year->active, KNOWN_HYPERTENSION);
    int32_t day;
    if (year->age >= 25 && random_chance(random, has_risk ? 0.6 : 0.08) &&
        draw_day(emission, year, &day)) {
        double treated = treatment(emission, KNOWN_CORONARY) + treatment(emission, KNOWN_STROKE);
        take_value(emission, CODE_LDL, day,
                   clamp(3.3 + 0.35 * person->metabolic -
                             (treated > 0 ? 1.3 * emission->adherence : 0) +
                             0.4 * random_normal(random),
                         0.5, 9),
                   S("mmol/L"));
    }
    bool has_kidney = has(emission, year->active, KNOWN_KIDNEY);
    if (year->age >= 25 && random_chance(random, has_kidney || has_risk ? 0.8 : 0.1) &&
        draw_day(emission, year, &day)) {
        double level = 118 - 0.75 * year->age + 7 * random_normal(random);
        if (has_kidney)
            level = 52 - 16 * illness_of(emission, KNOWN_KIDNEY)->severity -
                    0.8 * years_of(illness_of(emission, KNOWN_KIDNEY), day) +
                    4 * random_normal(random);
        take_value(emission, CODE_EGFR, day, clamp(level, 6, 125), S("mL/min/{1.73_m2}"));
    }
}

static void emit_lungs_and_mood(Emission *emission, const Year *year)
{
    Random *random = &emission->random;
    int32_t day;
    bool has_copd = has(emission, year->active, KNOWN_COPD);
    if ((has_copd || has(emission, year->active, KNOWN_ASTHMA)) && year->age >= 8 &&
        random_chance(random, 0.6) && draw_day(emission, year, &day)) {
        const Illness *copd = illness_of(emission, KNOWN_COPD);
        double level =
            emission->person->sex ? 4.3 - 0.030 * (year->age - 25) : 3.2 - 0.025 * (year->age - 25);
        level = has_copd ? level * (0.72 - 0.35 * copd->severity) - 0.02 * years_of(copd, day)
                         : level * 0.93;
        take_value(emission, CODE_FEV1, day, clamp(level + 0.1 * random_normal(random), 0.4, 6),
                   S("L"));
    }
    if (has(emission, year->active, KNOWN_DEPRESSION) && random_chance(random, 0.6) &&
        draw_day(emission, year, &day)) {
        const Illness *illness = illness_of(emission, KNOWN_DEPRESSION);
        double level = 7 + 9 * illness->severity - 3 * treatment(emission, KNOWN_DEPRESSION) +
                       3 * random_normal(random);
        take_score(emission, CODE_PHQ9, day, (int64_t)clamp(level, 0, 27));
    }
}

static void emit_body(Emission *emission, const Year *year)
{
    const Person *person = emission->person;
    Random *random = &emission->random;
    bool is_ill = year->active != 0;
    int32_t day;
    if (year->age >= 16 && random_chance(random, is_ill ? 0.5 : 0.12) &&
        draw_day(emission, year, &day))
        take_value(emission, CODE_BMI, day,
                   clamp(26.8 + 4.2 * person->metabolic + 2.2 * (year->age > 40) +
                             0.5 * random_normal(random),
                         15, 62),
                   S("kg/m2"));
    if (year->age >= 16 && random_chance(random, is_ill ? 0.75 : 0.30) &&
        draw_day(emission, year, &day))
        take_coded(emission, CODE_SMOKING, day,
                   person->smoking == 2   ? CODE_SMOKER
                   : person->smoking == 1 ? CODE_EX_SMOKER
                                          : CODE_NEVER_SMOKED);
    if (year->age >= 65 && random_chance(random, 0.7) && draw_day(emission, year, &day)) {
        double deficits = 1.5 + 1.25 * __builtin_popcountll(year->active) + 1.2 * person->frailty +
                          0.12 * (year->age - 65);
        take_score(emission, CODE_FRAILTY, day, (int64_t)clamp(deficits, 0, 36));
    }
}

static void take_event(Emission *emission, Shape shape, Code code, int32_t day)
{
    const Span *span = emission_span(emission, day);
    if (span == NULL)
        return;
    FhirSlot slots[] = {
        {.text = emission_id(emission)},
        {.text = emission->id},
        {.part = emission->shapes->codes[code]},
        {.day = day},
        {.part = emission_organisation(emission, ORGANISATION_PRACTICE, span->practice)},
    };
    emission_take(emission, shape, slots);
}

static void emit_prevention(Emission *emission, const Year *year)
{
    const Person *person = emission->person;
    Random *random = &emission->random;
    int32_t birthday = person->birth;
    static const struct {
        int days;
        Code code;
    } schedule[] = {{56, CODE_VACCINE_SIX_IN_ONE},
                    {84, CODE_VACCINE_SIX_IN_ONE},
                    {112, CODE_VACCINE_SIX_IN_ONE},
                    {365, CODE_VACCINE_MMR},
                    {1220, CODE_VACCINE_MMR}};
    for (size_t i = 0; year->age <= 4 && i < COUNT_OF(schedule); i++) {
        int32_t day = birthday + schedule[i].days;
        if (day >= year->from && day < year->to && random_chance(random, 0.91))
            take_event(emission, SHAPE_IMMUNIZATION, schedule[i].code, day);
    }
    int32_t autumn = year->from + 170 + (int32_t)random_below(random, 90);
    bool is_offered = year->age >= 65 || (year->active != 0 && year->age >= 2 &&
                                          __builtin_popcountll(year->active) >= 2);
    if (is_offered && random_chance(random, year->age >= 65 ? 0.78 : 0.42))
        take_event(emission, SHAPE_IMMUNIZATION, CODE_VACCINE_INFLUENZA, autumn);
    if (year->age == 65 && random_chance(random, 0.7))
        take_event(emission, SHAPE_IMMUNIZATION, CODE_VACCINE_PNEUMOCOCCAL, autumn);
    if (year->age == 70 && random_chance(random, 0.6))
        take_event(emission, SHAPE_IMMUNIZATION, CODE_VACCINE_SHINGLES, autumn);
    int32_t day = year->from + (int32_t)random_below(random, YEAR_DAYS);
    bool is_woman = person->sex == 0;
    if (is_woman && year->age >= 50 && year->age <= 70 &&
        ((uint64_t)year->age + person->number) % 3 == 0 && random_chance(random, 0.66))
        take_event(emission, SHAPE_PROCEDURE, CODE_SCREENING_BREAST, day);
    if (is_woman && year->age >= 25 && year->age <= 64 && random_chance(random, 0.19))
        take_event(emission, SHAPE_PROCEDURE, CODE_SCREENING_CERVIX, day);
    if (year->age >= 56 && year->age <= 74 && ((uint64_t)year->age + person->number) % 2 == 0 &&
        random_chance(random, 0.66))
        take_event(emission, SHAPE_PROCEDURE, CODE_SCREENING_BOWEL, day);
    if (!is_woman && year->age == 65 && random_chance(random, 0.75))
        take_event(emission, SHAPE_PROCEDURE, CODE_SCREENING_AORTA, day);
}

static void emit_once(Emission *emission)
{
    static const Code groups[ETHNIC_COUNT] = {CODE_ETHNIC_WHITE, CODE_ETHNIC_ASIAN,
                                              CODE_ETHNIC_BLACK, CODE_ETHNIC_MIXED,
                                              CODE_ETHNIC_OTHER};
    const Person *person = emission->person;
    int32_t day = person->spans[0].from;
    /* 1 is the most deprived, as tenths are counted in England. */
    take_score(emission, CODE_DEPRIVATION, day, 10 - person->tenth);
    take_coded(emission, CODE_ETHNICITY, day, groups[person->ethnic]);
}

void emit_measures(Emission *emission)
{
    const SynthModel *model = emission->model;
    Person *person = emission->person;
    emit_once(emission);
    for (uint32_t i = 0; i < model->options.years; i++) {
        Year year = {.from = model->start + (int32_t)i * YEAR_DAYS};
        year.to = year.from + YEAR_DAYS;
        if (person_days(person, year.from, year.to) == 0)
            continue;
        year.age = person_age(person, year.from + YEAR_DAYS / 2);
        year.active = person_active(person, year.from + YEAR_DAYS / 2);
        emit_sugar(emission, &year);
        emit_pressure(emission, &year);
        emit_blood(emission, &year);
        emit_lungs_and_mood(emission, &year);
        emit_body(emission, &year);
        emit_prevention(emission, &year);
    }
}

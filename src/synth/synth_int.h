/*
 * synth_int -- what the files of this folder share: profiles as tables, a person while it is made.
 *
 * The way: profile.c reads; model.c works tables out of it and tries a sample of persons to find
 * the level of each rate; person.c makes who somebody is and what they have; care.c what happens to
 * them; bills.c what that costs; emit.c gives each of those as resources to an Emitter (text or
 * tapes).
 */
#pragma once

#include "base/csv.h"
#include "base/date.h"
#include "base/yaml.h"
#include "synth/random.h"
#include "synth/synth.h"

enum {
    AGE_LIMIT = 101, /* ages 0 to 100; older is 100 */
    FIFTH_COUNT = 5, /* of deprivation; 0 is the least deprived */
    SEX_COUNT = 2,   /* 0 women, 1 men */
    CONDITION_MAX = 64,
    MEDICINE_MAX = 128,
    CONDITION_MEDICINES_MAX = 4,
    ETHNIC_COUNT = 5,
    BAND_COUNT = 11, /* ages in which rates are levelled */
    YEAR_DAYS = 365,
    QUARTER_DAYS = 91,
    SPANS_MAX = 8, /* registrations of a person */
    CONTACTS_MAX = 4096,
    ID_MAX = 32,
};

typedef enum { PLACE_PRACTICE, PLACE_COMMUNITY, PLACE_HOSPITAL } Place;
typedef enum {
    BILL_PRIMARY,
    BILL_PHARMACY,
    BILL_HOSPITAL,
    BILL_COMMUNITY,
    BILL_SOCIAL,
    BILL_COUNT
} Bill;

typedef enum {
#define SERVICE(name, key, class, bill, place) SERVICE_##name,
#include "synth/service.def"
#undef SERVICE
    SERVICE_COUNT
} Service;

/* --- the profile --- */

typedef double Curve[AGE_LIMIT];

typedef struct {
    Curve rate;
    double men;
    double deprived;
    double lasting;
    double yearly;
    double dying;
    double price; /* minor units */
    double varies;
} ServiceProfile;

typedef enum { EFFECT_GP, EFFECT_PLANNED, EFFECT_URGENT, EFFECT_DEATH, EFFECT_COUNT } Effect;

typedef struct {
    Str name;
    Str icd10;
    Str title;
    Curve prevalence; /* of all persons */
    double sex;
    double deprived;
    double frailty, metabolic, mental; /* weights of the common factors */
    double effects[EFFECT_COUNT];
    double log_effects[EFFECT_COUNT];
    bool is_for_life;
    uint8_t medicine_count;
    uint8_t medicines[CONDITION_MEDICINES_MAX];
    double medicine_parts[CONDITION_MEDICINES_MAX];
} ConditionProfile;

typedef struct {
    Str name;
    double price;
} Medicine;

struct SynthProfile {
    Str name;
    Str title;
    Str currency;
    int32_t start;
    double persons_per_practice;
    double persons_per_hospital;
    double women;
    Curve ages;
    double births;
    Curve moves;
    double gap;
    double same_fifth;
    double ethnic[ETHNIC_COUNT];
    Curve mortality;
    double mortality_men;
    double mortality_deprived;
    Curve smoking;
    double smoking_men;
    double smoking_deprived;
    ServiceProfile services[SERVICE_COUNT];
    double readmission;
    double same_day;
    Curve stay;
    double excess_day;
    double trim;
    double intensive;
    double intensive_day;
    Curve package;
    double package_week;
    Curve care_home;
    double care_home_week;
    double carer;
    Curve delay; /* by month instead of age */
    double adjusted;
    double reversed;
    double denied;
    ConditionProfile conditions[CONDITION_MAX];
    size_t condition_count;
    Medicine medicines[MEDICINE_MAX];
    size_t medicine_count;
};

extern const Str synth_service_keys[SERVICE_COUNT];
extern const Str synth_ethnic_names[ETHNIC_COUNT];

/* The condition of that name; -1 when there is none. */
int synth_condition_find(const SynthProfile *profile, Str name);
bool synth_conditions_read(Arena *arena, Str text, Str file, DiagList *diags,
                           SynthProfile *profile);

/* --- the model --- */

/* Conditions of which more than a name is known. */
typedef enum {
#define KNOWN(name, text) KNOWN_##name,
#include "synth/known.def"
#undef KNOWN
    KNOWN_COUNT
} Known;

typedef struct Shapes Shapes;

struct SynthModel {
    const SynthProfile *profile;
    SynthOptions options;
    int32_t start;
    int32_t end;        /* the first day that is not in it */
    double births_part; /* of the persons, those who are born within */
    double age_below[AGE_LIMIT + 1];
    double fifth_odds[FIFTH_COUNT]; /* logarithms, -0.5 to 0.5 */
    /* Part of persons of this sex, fifth and age that have the condition, and the most of them. */
    float (*prevalence)[SEX_COUNT][FIFTH_COUNT][AGE_LIMIT];
    float prevalence_max[CONDITION_MAX][SEX_COUNT][FIFTH_COUNT];
    double own_weight[CONDITION_MAX]; /* of what a condition does not share with others */
    int8_t known[KNOWN_COUNT];        /* conditions; -1 */
    /* 1 / the mean of the persons' own factors. */
    double level[SERVICE_COUNT][BAND_COUNT][FIFTH_COUNT];
    double death_level[BAND_COUNT][FIFTH_COUNT];
    uint32_t practices;
    uint32_t hospitals;
    Shapes *shapes;
};

/* --- a person --- */

typedef struct {
    uint8_t condition;
    bool has_ended;
    int32_t onset;
    int32_t end;
    double severity; /* 0 to 1 */
} Illness;

/* Registered with a practice. */
typedef struct {
    int32_t from;
    int32_t to; /* first day that is not in it */
    uint32_t practice;
    bool is_open; /* the record does not say that it ended */
} Span;

typedef struct {
    int32_t day;
    uint32_t second;
    uint8_t service;
    bool is_readmission;
    bool ends_in_death;
    uint16_t stay; /* days */
    uint16_t intensive;
    int16_t illness; /* the condition that it is about, or -1 */
    uint32_t practice;
    int64_t price; /* minor units, of the contact itself */
    char id[ID_MAX];
    uint8_t id_len;
} Contact;

typedef struct {
    uint64_t number;
    int32_t birth;
    int32_t death; /* INT32_MAX: lives on */
    uint8_t sex;
    uint8_t tenth; /* of deprivation: 0 the least deprived */
    uint8_t fifth;
    uint8_t ethnic;
    uint8_t smoking; /* 0 never, 1 used to, 2 does */
    uint32_t practice;
    uint32_t household;
    double frailty, metabolic, mental;
    double wellness[SERVICE_COUNT]; /* what stays a person's own, standard normal */
    Illness illnesses[CONDITION_MAX];
    size_t illness_count;
    Span spans[SPANS_MAX];
    size_t span_count;
    Contact *contacts;
    size_t contact_count;
    size_t contact_capacity;
} Person;

enum {
    STREAM_HOUSEHOLD = 1,
    STREAM_BASE,
    STREAM_ILLNESS,
    STREAM_LIFE,
    STREAM_NAMES,
    STREAM_MEASURES,
    STREAM_BILLS,
    STREAM_CARE = 1000, /* and the year */
};

/* Who the person is and what they have. */
void person_make(const SynthModel *model, uint64_t number, Person *person);
/* What happens in all years. Contacts are in order of day. */
void care_make(const SynthModel *model, Arena *arena, Person *person);
double curve_at(const double *curve, double age);
int person_age(const Person *person, int32_t day);
uint64_t person_active(const Person *person, int32_t day); /* bits of conditions */
unsigned age_band(int age);
/* One year of a person. */
typedef struct {
    int32_t from;
    int32_t to;
    uint64_t active; /* conditions as bits, in the middle of it */
    double shock;    /* what all services have in common this year, standard normal */
    Random random;
} CareYear;
CareYear care_year(const SynthModel *model, const Person *person, uint32_t year);
double synth_joint_effect(const SynthProfile *profile, uint64_t active, Effect effect);
/* The person's own factor of a rate, without what is levelled. */
double care_factor(const SynthModel *model, const Person *person, Service service, CareYear *year);
double death_factor(const SynthModel *model, const Person *person, uint64_t active);
/* Days of the year that the person lives and is registered. */
int32_t person_days(const Person *person, int32_t from, int32_t to);

/* --- resources --- */

/* Takes resources: one at a time, on one thread. */
typedef struct Emitter Emitter;
struct Emitter {
    void (*take)(Emitter *emitter, const FhirTemplate *template, const FhirSlot *slots);
    SynthReport report;
};

Shapes *shapes_create(Arena *arena, const SynthModel *model, Error *err);
const ConceptDict *shapes_dict(const Shapes *shapes);
/* All of one person's resources. `arena` is the person's. */
void emit_person(const SynthModel *model, Arena *arena, uint64_t number, Emitter *emitter);
void emit_shared(const SynthModel *model, Emitter *emitter);
Str synth_person_id(const SynthModel *model, uint64_t number, char out[ID_MAX]);

/* Patients, registrations, conditions, contacts, medicines. Slots are as in
 * models/synth/shapes.tsv. */
#include "synth/emit.h"

#include <stdio.h>

enum { DAY_SECONDS = 86400, ID_DIGITS = 7 };

/* "p0000017" */
Str synth_person_id(const SynthModel *model, uint64_t number, char out[ID_MAX])
{
    (void)model;
    size_t digits = ID_DIGITS;
    for (uint64_t left = number / 10000000; left > 0; left /= 10)
        digits++;
    out[0] = 'p';
    for (size_t i = digits; i > 0; i--) {
        out[i] = (char)('0' + number % 10);
        number /= 10;
    }
    return (Str){out, digits + 1};
}

Str emission_id(Emission *emission)
{
    uint32_t serial = emission->serial++;
    size_t digits = serial < 1000 ? 3 : serial < 10000 ? 4 : 6;
    char *to = emission->name;
    memcpy(to, emission->id.ptr, emission->id.len);
    to += emission->id.len;
    *to = '-';
    for (size_t i = digits; i > 0; i--) {
        to[i] = (char)('0' + serial % 10);
        serial /= 10;
    }
    return (Str){emission->name, emission->id.len + 1 + digits};
}

void emission_take(Emission *emission, Shape shape, const FhirSlot *slots)
{
    Emitter *emitter = emission->emitter;
    const FhirTemplate *template = emission->shapes->shapes[shape];
    emitter->report.resources++;
    emitter->report.by_type[fhir_template_type(template)]++;
    emitter->take(emitter, template, slots);
}

FhirPart emission_organisation(const Emission *emission, Organisation kind, uint32_t number)
{
    return emission->shapes
        ->organisations[kind][number % emission->shapes->organisation_counts[kind]];
}

const Span *emission_span(const Emission *emission, int32_t day)
{
    for (size_t i = 0; i < emission->person->span_count; i++) {
        const Span *span = &emission->person->spans[i];
        if (span->from <= day && day < span->to)
            return span;
    }
    return NULL;
}

static Str pick(const Names *names, Random *random)
{
    return names->items[random_below(random, (uint32_t)names->count)];
}

static void emit_patient(Emission *emission)
{
    const Shapes *shapes = emission->shapes;
    const Person *person = emission->person;
    Random home = random_stream(emission->model->options.seed, person->household, STREAM_NAMES);
    Random own = random_stream(emission->model->options.seed, person->number, STREAM_NAMES + 1);
    char street[96];
    char code[16];
    Str street_name = pick(&shapes->names[NAME_STREET], &home);
    uint32_t house = 1 + random_below(&home, 180);
    int street_len = snprintf(street, sizeof street, "%u %.*s", house, STR_ARG(street_name));
    /* Areas with letters that no post office uses. */
    int code_len =
        snprintf(code, sizeof code, "ZZ%02u %uQQ", person->practice % 100, person->household % 10);
    Str family = pick(&shapes->names[NAME_FAMILY], random_chance(&own, 0.8) ? &home : &own);
    bool is_dead = person->death < emission->model->end;
    FhirSlot slots[] = {
        {.text = emission->id},
        {.text = emission->id},
        {.text = family},
        {.text = pick(&shapes->names[person->sex ? NAME_MAN : NAME_WOMAN], &own)},
        {.text = person->sex ? S("male") : S("female")},
        {.day = person->birth},
        {.text = {street, (size_t)street_len}},
        {.text = shapes->names[NAME_TOWN].items[person->practice % shapes->names[NAME_TOWN].count]},
        {.text = {code, (size_t)code_len}},
        {.part = emission_organisation(emission, ORGANISATION_PRACTICE,
                                       person->spans[person->span_count - 1].practice)},
        {.day = person->death},
    };
    emission_take(emission, is_dead ? SHAPE_PATIENT_DEAD : SHAPE_PATIENT, slots);
}

static void emit_registrations(Emission *emission)
{
    const Person *person = emission->person;
    const Shapes *shapes = emission->shapes;
    int32_t long_ago = emission->model->start - 400;
    for (size_t i = 0; i < person->span_count; i++) {
        const Span *span = &person->spans[i];
        int32_t since = i == 0 && span->from == emission->model->start && person->birth < long_ago
                            ? long_ago
                            : span->from;
        FhirSlot slots[] = {
            {.text = emission_id(emission)},
            {.text = emission->id},
            {.part = shapes->codes[CODE_REGISTRATION]},
            {.part = emission_organisation(emission, ORGANISATION_PRACTICE, span->practice)},
            {.day = since},
            {.day = span->to - 1},
        };
        emission_take(emission, span->is_open ? SHAPE_REGISTRATION : SHAPE_REGISTRATION_ENDED,
                      slots);
    }
    FhirSlot slots[] = {
        {.text = emission->coverage},
        {.text = emission->id},
        {.part = shapes->codes[CODE_PUBLIC_COVER]},
        {.day = person->birth > long_ago ? person->birth : long_ago},
        {.part = emission_organisation(emission, ORGANISATION_PAYER, 0)},
    };
    emission_take(emission, SHAPE_COVERAGE, slots);
}

static void emit_conditions(Emission *emission)
{
    const Person *person = emission->person;
    const Shapes *shapes = emission->shapes;
    for (size_t i = 0; i < person->illness_count; i++) {
        const Illness *illness = &person->illnesses[i];
        if (illness->onset > person->death)
            continue;
        Code severity = illness->severity > 0.85   ? CODE_SEVERITY_SEVERE
                        : illness->severity > 0.45 ? CODE_SEVERITY_MODERATE
                                                   : CODE_SEVERITY_MILD;
        bool has_ended = illness->has_ended && illness->end <= person->death;
        FhirSlot slots[] = {
            {.text = emission_id(emission)},
            {.text = emission->id},
            {.part = shapes->conditions[illness->condition]},
            {.day = illness->onset},
            {.part = shapes->codes[severity]},
            {.day = illness->end},
        };
        emission_take(emission, has_ended ? SHAPE_CONDITION_RESOLVED : SHAPE_CONDITION, slots);
    }
}

/* What a contact is about when it is none of the person's conditions. */
static Code other_reason(const Contact *contact, int age, Random *random)
{
    static const Code urgent[] = {CODE_REASON_CHEST_PAIN, CODE_REASON_ABDOMINAL_PAIN,
                                  CODE_REASON_INJURY,     CODE_REASON_PNEUMONIA,
                                  CODE_REASON_URINARY,    CODE_REASON_FALL,
                                  CODE_REASON_SEPSIS,     CODE_REASON_HIP_FRACTURE};
    switch (contact->service) {
    case SERVICE_MATERNITY:
        return CODE_REASON_DELIVERY;
    case SERVICE_DAYCASE:
    case SERVICE_ELECTIVE:
        return age >= 65 && random_chance(random, 0.4) ? CODE_REASON_CATARACT
               : random_chance(random, 0.3)            ? CODE_REASON_HERNIA
                                                       : CODE_REASON_ABDOMINAL_PAIN;
    case SERVICE_EMERGENCY:
    case SERVICE_ED:
        if (age < 5)
            return random_chance(random, 0.5) ? CODE_REASON_INFECTION : CODE_REASON_BRONCHIOLITIS;
        return urgent[random_below(random, age >= 65 ? 8 : 4)];
    default:
        return CODE_REASON_REVIEW;
    }
}

static FhirPart place_of(const Emission *emission, const Contact *contact)
{
    static const uint8_t places[SERVICE_COUNT] = {
#define SERVICE(name, key, class, bill, place) place,
#include "synth/service.def"
#undef SERVICE
    };
    uint32_t practice = contact->practice;
    switch ((Place)places[contact->service]) {
    case PLACE_PRACTICE:
        return emission_organisation(emission, ORGANISATION_PRACTICE, practice);
    case PLACE_COMMUNITY:
        return emission_organisation(emission, ORGANISATION_COMMUNITY, practice);
    case PLACE_HOSPITAL:
        break;
    }
    return emission_organisation(emission, ORGANISATION_HOSPITAL, practice);
}

static void emit_procedure(Emission *emission, const Contact *contact, Code code)
{
    FhirSlot slots[] = {
        {.text = emission_id(emission)},         {.text = emission->id},
        {.part = emission->shapes->codes[code]}, {.day = contact->day},
        {.part = place_of(emission, contact)},
    };
    emission_take(emission, SHAPE_PROCEDURE, slots);
}

/* What is done in a planned admission, by the condition that it is for. */
static void emit_operation(Emission *emission, const Contact *contact)
{
    const SynthModel *model = emission->model;
    Random *random = &emission->random;
    const int8_t *known = model->known;
    Code code = random_chance(random, 0.6) ? CODE_PROCEDURE_ENDOSCOPY : CODE_PROCEDURE_HERNIA;
    if (contact->illness >= 0 && contact->illness == known[KNOWN_OSTEOARTHRITIS] &&
        contact->service == SERVICE_ELECTIVE)
        code = random_chance(random, 0.5) ? CODE_PROCEDURE_HIP : CODE_PROCEDURE_KNEE;
    else if (contact->illness >= 0 && contact->illness == known[KNOWN_CORONARY])
        code = CODE_PROCEDURE_ANGIOGRAPHY;
    else if (contact->illness >= 0 && contact->illness == known[KNOWN_KIDNEY] &&
             random_chance(random, 0.3))
        code = CODE_PROCEDURE_DIALYSIS;
    else if (contact->illness >= 0 && (contact->illness == known[KNOWN_LUNG_CANCER] ||
                                       contact->illness == known[KNOWN_OTHER_CANCER]))
        code = CODE_PROCEDURE_CHEMOTHERAPY;
    else if (person_age(emission->person, contact->day) >= 68 && random_chance(random, 0.35))
        code = CODE_PROCEDURE_CATARACT;
    emit_procedure(emission, contact, code);
}

static const uint16_t contact_codes[SERVICE_COUNT] = {
    CODE_CONTACT_GP,         CODE_CONTACT_NURSE,    CODE_CONTACT_COMMUNITY, CODE_CONTACT_MENTAL,
    CODE_CONTACT_OUTPATIENT, CODE_CONTACT_ED,       CODE_CONTACT_EMERGENCY, CODE_CONTACT_ELECTIVE,
    CODE_CONTACT_DAYCASE,    CODE_CONTACT_MATERNITY};

static void emit_contact(Emission *emission, Contact *contact)
{
    static const uint16_t minutes[SERVICE_COUNT] = {10, 15, 30, 45, 20, 190, 0, 0, 240, 0};
    const Shapes *shapes = emission->shapes;
    Str id = emission_id(emission);
    memcpy(contact->id, id.ptr, id.len);
    contact->id_len = (uint8_t)id.len;
    bool is_admission = contact->service >= SERVICE_EMERGENCY;
    bool has_reason = contact->illness >= 0 || contact->service >= SERVICE_ED;
    int age = person_age(emission->person, contact->day);
    FhirPart reason = shapes->codes[CODE_REASON_REVIEW];
    if (contact->illness >= 0)
        reason = shapes->conditions[contact->illness];
    else if (has_reason)
        reason = shapes->codes[other_reason(contact, age, &emission->random)];
    Code class = contact->service == SERVICE_ED          ? CODE_CLASS_EMERGENCY
                 : is_admission                          ? CODE_CLASS_INPATIENT
                 : contact->service == SERVICE_COMMUNITY ? CODE_CLASS_HOME
                                                         : CODE_CLASS_AMBULATORY;
    int64_t start = (int64_t)contact->day * DAY_SECONDS + contact->second;
    int64_t end = start + (int64_t)minutes[contact->service] * 60;
    if (is_admission && contact->service != SERVICE_DAYCASE)
        end = contact->stay > 0 ? (int64_t)(contact->day + contact->stay) * DAY_SECONDS + 15 * 3600
                                : start + 5 * 3600;
    FhirSlot slots[] = {
        {.text = {contact->id, contact->id_len}},
        {.text = emission->id},
        {.part = shapes->codes[class]},
        {.part = shapes->codes[contact->is_readmission ? CODE_CONTACT_READMISSION
                                                       : contact_codes[contact->service]]},
        {.second = start},
        {.second = end > start ? end : start + 60},
        {.part = place_of(emission, contact)},
        {.part = reason},
        {.number = contact->stay},
        {.part = shapes->codes[contact->ends_in_death ? CODE_DISCHARGE_DEAD : CODE_DISCHARGE_HOME]},
    };
    emission_take(emission,
                  is_admission ? SHAPE_ADMISSION
                  : has_reason ? SHAPE_ENCOUNTER_REASON
                               : SHAPE_ENCOUNTER,
                  slots);
    if (contact->service == SERVICE_ELECTIVE || contact->service == SERVICE_DAYCASE)
        emit_operation(emission, contact);
}

/* Which medicines the person takes, and what for; one request a year of each. */
static void emit_medicines(Emission *emission)
{
    const SynthModel *model = emission->model;
    const SynthProfile *profile = model->profile;
    Person *person = emission->person;
    Random random = random_stream(model->options.seed, person->number, STREAM_MEASURES + 1);
    double z = random_normal(&random);
    emission->adherence = 0.45 + 0.55 * normal_below(0.9 + z);
    for (size_t i = 0; i < person->illness_count; i++) {
        const ConditionProfile *condition = &profile->conditions[person->illnesses[i].condition];
        for (size_t m = 0; m < condition->medicine_count; m++) {
            double part =
                condition->medicine_parts[m] * (0.7 + 0.6 * person->illnesses[i].severity);
            uint8_t medicine = condition->medicines[m];
            if (!random_chance(&random, part) || emission->takes[medicine])
                continue;
            emission->takes[medicine] = true;
            emission->medicine_of[medicine] = (uint8_t)i;
        }
    }
    for (size_t medicine = 0; medicine < profile->medicine_count; medicine++) {
        if (!emission->takes[medicine])
            continue;
        const Illness *illness = &person->illnesses[emission->medicine_of[medicine]];
        int32_t offset = (int32_t)random_below(&random, YEAR_DAYS / 2);
        for (uint32_t year = 0; year < model->options.years; year++) {
            int32_t day = model->start + (int32_t)year * YEAR_DAYS + offset;
            const Span *span = emission_span(emission, day);
            if (span == NULL || day < illness->onset || day >= illness->end)
                continue;
            FhirSlot slots[] = {
                {.text = emission_id(emission)},
                {.text = emission->id},
                {.part = emission->shapes->medicines[medicine]},
                {.day = day},
                {.part = emission_organisation(emission, ORGANISATION_PRACTICE, span->practice)},
                {.number = 12},
            };
            emission_take(emission, SHAPE_MEDICATION_REQUEST, slots);
        }
    }
}

void emit_person(const SynthModel *model, Arena *arena, uint64_t number, Emitter *emitter)
{
    char id[ID_MAX];
    char coverage[ID_MAX];
    Person *person = ARENA_NEW(arena, Person);
    Emission *emission = ARENA_NEW(arena, Emission);
    person_make(model, number, person);
    care_make(model, arena, person);
    emission->model = model;
    emission->shapes = model->shapes;
    emission->arena = arena;
    emission->emitter = emitter;
    emission->person = person;
    emission->random = random_stream(model->options.seed, number, STREAM_MEASURES);
    emission->id = synth_person_id(model, number, id);
    memcpy(coverage, id, emission->id.len);
    memcpy(coverage + emission->id.len, "-cover", 6);
    emission->coverage = (Str){coverage, emission->id.len + 6};
    emitter->report.persons++;
    emit_patient(emission);
    emit_registrations(emission);
    emit_conditions(emission);
    for (size_t i = 0; i < person->contact_count; i++)
        emit_contact(emission, &person->contacts[i]);
    emit_medicines(emission);
    emit_measures(emission);
    emit_bills(emission);
}

void emit_shared(const SynthModel *model, Emitter *emitter)
{
    static const Code types[ORGANISATION_COUNT] = {CODE_TYPE_PRACTICE,  CODE_TYPE_HOSPITAL,
                                                   CODE_TYPE_COMMUNITY, CODE_TYPE_COUNCIL,
                                                   CODE_TYPE_PHARMACY,  CODE_TYPE_PAYER};
    static const char *const words[ORGANISATION_COUNT] = {
        "Surgery", "Hospital", "Community Services", "Council", "Pharmacy", "Health Board"};
    const Shapes *shapes = model->shapes;
    Emission emission = {.model = model, .shapes = shapes, .emitter = emitter};
    emission.arena = arena_create(0);
    const Names *towns = &shapes->names[NAME_TOWN];
    for (Organisation kind = 0; kind < ORGANISATION_COUNT; kind++)
        for (uint32_t i = 0; i < shapes->organisation_counts[kind]; i++) {
            Str name = str_format(emission.arena, "%.*s %s %u",
                                  STR_ARG(towns->items[i % towns->count]), words[kind], i + 1);
            FhirSlot slots[] = {{.text = synth_organisation_id(emission.arena, kind, i)},
                                {.text = name},
                                {.part = shapes->codes[types[kind]]}};
            emission_take(&emission, SHAPE_ORGANISATION, slots);
        }
    arena_destroy(emission.arena);
}

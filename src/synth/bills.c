/*
 * Bills: priced lines with payer and provider, and what becomes of them.
 *
 * A bill comes in some time after the service (the profile's curve of delay) and is paid 30 days
 * later. Some are denied (paid 0); some are corrected: the first bill stands as superseded, a
 * second takes all of it back, a third is the final action; some are taken back altogether. So the
 * sum of payments is right at any time, and what counts in the end says "final action".
 */
#include "synth/emit.h"

#include <stdio.h>

enum { PAID_AFTER_DAYS = 30, MONTH_DAYS = 30, WEEK_DAYS = 7, CLAIM_SLOTS = 16 };

static void begin_bill(Emission *emission)
{
    emission->line_count = 0;
    emission->line_sum = 0;
}

static void add_line(Emission *emission, FhirPart code, int32_t day, int64_t quantity,
                     int64_t price)
{
    FhirSlot *slots = emission->line_slots[emission->line_count];
    int64_t amount = quantity * price;
    ASSERT(emission->line_count < LINES_MAX);
    slots[0].number = (int64_t)emission->line_count + 1;
    slots[1].part = code;
    slots[2].day = day;
    slots[3].number = amount;
    slots[4].number = quantity;
    slots[5].number = amount;
    slots[6].text = emission->model->profile->currency;
    emission->lines[emission->line_count++] =
        (FhirPart){.template = emission->shapes->shapes[SHAPE_LINE], .slots = slots};
    emission->line_sum += amount;
}

typedef struct {
    Bill kind;
    FhirPart provider;
    int32_t from;
    int32_t to;
} BillHead;

typedef struct {
    int32_t created;
    int32_t paid;
    Str number;
    Str disposition;
    Str prior; /* number of the bill that this one is about; empty for none */
} BillState;

static void take_bill(Emission *emission, const BillHead *head, const BillState *state)
{
    static const Code codes[BILL_COUNT] = {CODE_CLAIM_PRIMARY, CODE_CLAIM_PHARMACY,
                                           CODE_CLAIM_HOSPITAL, CODE_CLAIM_COMMUNITY,
                                           CODE_CLAIM_SOCIAL};
    const Shapes *shapes = emission->shapes;
    int64_t sum = 0;
    for (size_t i = 0; i < emission->line_count; i++)
        sum += emission->line_slots[i][5].number;
    FhirPart payer =
        head->kind == BILL_SOCIAL
            ? emission_organisation(emission, ORGANISATION_COUNCIL, emission->person->practice)
            : emission_organisation(emission, ORGANISATION_PAYER, 0);
    FhirSlot slots[CLAIM_SLOTS] = {
        {.text = state->number},
        {.text = emission->id},
        {.part = shapes->codes[codes[head->kind]]},
        {.day = head->from},
        {.day = head->to},
        {.day = state->created},
        {.part = payer},
        {.part = head->provider},
        {.text = emission->coverage},
        {.list = {emission->lines, emission->line_count}},
        {.number = sum},
        {.text = state->number},
        {.text = state->disposition},
        {.day = state->paid},
        {.text = state->prior},
        {.text = emission->model->profile->currency},
    };
    emission->emitter->report.lines += emission->line_count;
    emission_take(emission, state->prior.len > 0 ? SHAPE_CLAIM_RELATED : SHAPE_CLAIM, slots);
}

/* Takes part of every line: 1 all of it, 0 nothing, -1 all of it back. */
static void scale_lines(Emission *emission, double net, double paid)
{
    for (size_t i = 0; i < emission->line_count; i++) {
        FhirSlot *slots = emission->line_slots[i];
        double amount = (double)slots[3].number;
        slots[3].number = (int64_t)(amount * net);
        slots[5].number = (int64_t)(amount * paid);
    }
}

static int32_t draw_delay(const Emission *emission, Random *random)
{
    const double *curve = emission->model->profile->delay;
    double part = random_uniform(random);
    int month = 0;
    while (month + 1 < AGE_LIMIT && curve[month + 1] < part && month < 36)
        month++;
    double width = curve[month + 1] - curve[month];
    double within = width > 0 ? (part - curve[month]) / width : 0.5;
    within = within < 0 ? 0 : within > 1 ? 1 : within;
    return (int32_t)((month + within) * MONTH_DAYS);
}

static Str copy_id(Emission *emission, char to[2 * ID_MAX])
{
    Str id = emission_id(emission);
    memcpy(to, id.ptr, id.len);
    return (Str){to, id.len};
}

static void finish_bill(Emission *emission, const BillHead *head)
{
    const SynthProfile *profile = emission->model->profile;
    char first_id[2 * ID_MAX];
    char second_id[2 * ID_MAX];
    Random *random = &emission->random;
    if (emission->line_count == 0)
        return;
    Str first = copy_id(emission, first_id);
    int32_t created = head->to + 1 + draw_delay(emission, random);
    double fate = random_uniform(random);
    BillState state = {.created = created,
                       .paid = created + PAID_AFTER_DAYS,
                       .number = first,
                       .disposition = S("final action")};
    if (fate < profile->denied) {
        scale_lines(emission, 1, 0);
        state.disposition = S("denied");
        take_bill(emission, head, &state);
    } else if (fate < profile->denied + profile->adjusted + profile->reversed) {
        bool is_given_anew = fate < profile->denied + profile->adjusted;
        state.disposition = S("superseded");
        take_bill(emission, head, &state);
        int32_t later = created + 40 + (int32_t)random_below(random, 150);
        scale_lines(emission, -1, -1);
        BillState reversal = {.created = later,
                              .paid = later + PAID_AFTER_DAYS,
                              .number = copy_id(emission, second_id),
                              .disposition =
                                  is_given_anew ? S("reversal") : S("final action: reversed"),
                              .prior = first};
        take_bill(emission, head, &reversal);
        if (is_given_anew) {
            double change = 0.75 + 0.4 * random_uniform(random);
            scale_lines(emission, -change, -change);
            reversal.number = copy_id(emission, second_id);
            reversal.disposition = S("final action");
            take_bill(emission, head, &reversal);
        }
    } else {
        take_bill(emission, head, &state);
    }
    begin_bill(emission);
}

/* --- contacts --- */

static const uint8_t service_bills[SERVICE_COUNT] = {
#define SERVICE(name, key, class, bill, place) bill,
#include "synth/service.def"
#undef SERVICE
};
static const uint16_t line_codes[SERVICE_COUNT] = {
    CODE_LINE_GP, CODE_LINE_NURSE, CODE_LINE_COMMUNITY, CODE_LINE_MENTAL, CODE_LINE_OUTPATIENT,
    CODE_LINE_ED, CODE_LINE_SPELL, CODE_LINE_SPELL,     CODE_LINE_SPELL,  CODE_LINE_SPELL};

static void bill_hospital(Emission *emission, const Contact *contact)
{
    const SynthProfile *profile = emission->model->profile;
    const FhirPart *codes = emission->shapes->codes;
    begin_bill(emission);
    add_line(emission, codes[line_codes[contact->service]], contact->day, 1, contact->price);
    if (contact->stay > profile->trim)
        add_line(emission, codes[CODE_LINE_DAYS], contact->day,
                 (int64_t)(contact->stay - profile->trim), (int64_t)profile->excess_day);
    if (contact->intensive > 0)
        add_line(emission, codes[CODE_LINE_INTENSIVE], contact->day, contact->intensive,
                 (int64_t)profile->intensive_day);
    BillHead head = {.kind = BILL_HOSPITAL,
                     .provider =
                         emission_organisation(emission, ORGANISATION_HOSPITAL, contact->practice),
                     .from = contact->day,
                     .to = contact->day + contact->stay};
    finish_bill(emission, &head);
}

static int32_t quarter_of(const Emission *emission, int32_t day)
{
    return (day - emission->model->start) / QUARTER_DAYS;
}

/* Contacts of one kind of bill: a bill a quarter and practice. */
static void bill_by_quarter(Emission *emission, Bill kind)
{
    const Person *person = emission->person;
    BillHead head = {.kind = kind};
    int32_t quarter = -1;
    uint32_t practice = 0;
    begin_bill(emission);
    for (size_t i = 0; i < person->contact_count; i++) {
        const Contact *contact = &person->contacts[i];
        if (service_bills[contact->service] != kind)
            continue;
        int32_t now = quarter_of(emission, contact->day);
        if (now != quarter || contact->practice != practice || emission->line_count == LINES_MAX) {
            finish_bill(emission, &head);
            head.from = contact->day;
            quarter = now;
            practice = contact->practice;
            head.provider = emission_organisation(
                emission, kind == BILL_PRIMARY ? ORGANISATION_PRACTICE : ORGANISATION_COMMUNITY,
                practice);
        }
        head.to = contact->day;
        add_line(emission, emission->shapes->codes[line_codes[contact->service]], contact->day, 1,
                 contact->price);
    }
    finish_bill(emission, &head);
}

/* --- medicines and social care --- */

static void bill_medicines(Emission *emission)
{
    const SynthModel *model = emission->model;
    const SynthProfile *profile = model->profile;
    Person *person = emission->person;
    for (int32_t from = model->start; from < model->end; from += QUARTER_DAYS) {
        int32_t day = from + (int32_t)random_below(&emission->random, QUARTER_DAYS / 2);
        const Span *span = emission_span(emission, day);
        if (span == NULL)
            continue;
        begin_bill(emission);
        for (size_t medicine = 0; medicine < profile->medicine_count; medicine++) {
            const Illness *illness = &person->illnesses[emission->medicine_of[medicine]];
            if (!emission->takes[medicine] || day < illness->onset || day >= illness->end ||
                emission->line_count == LINES_MAX)
                continue;
            int64_t items =
                (int64_t)(3.25 * emission->adherence + random_uniform(&emission->random));
            if (items > 0)
                add_line(emission, emission->shapes->medicines[medicine], day, items,
                         (int64_t)profile->medicines[medicine].price);
        }
        if (random_chance(&emission->random, 0.12))
            add_line(emission,
                     emission->shapes->medicines[random_below(&emission->random,
                                                              (uint32_t)profile->medicine_count)],
                     day, 1, 350);
        BillHead head = {.kind = BILL_PHARMACY,
                         .provider =
                             emission_organisation(emission, ORGANISATION_PHARMACY, span->practice),
                         .from = day,
                         .to = day};
        finish_bill(emission, &head);
    }
}

static void take_plan(Emission *emission, Code code, int32_t from, int32_t to)
{
    FhirSlot slots[] = {
        {.text = emission_id(emission)},
        {.text = emission->id},
        {.part = emission->shapes->codes[code]},
        {.day = from},
        {.day = to},
        {.part = emission_organisation(emission, ORGANISATION_COUNCIL, emission->person->practice)},
    };
    emission_take(emission, SHAPE_CARE_PLAN, slots);
}

static void take_assessment(Emission *emission, int32_t day, double need)
{
    FhirSlot slots[] = {
        {.text = emission_id(emission)},
        {.text = emission->id},
        {.part = emission->shapes->codes[CODE_CARE_NEEDS]},
        {.day = day},
        {.number = (int64_t)need},
    };
    emission_take(emission, SHAPE_OBSERVATION_SCORE, slots);
}

static void take_carer(Emission *emission, int32_t day)
{
    FhirSlot slots[] = {{.text = emission_id(emission)},
                        {.text = emission->id},
                        {.part = emission->shapes->codes[CODE_CARER]},
                        {.day = day}};
    emission_take(emission, SHAPE_CARER, slots);
}

/* A quarter of care at home or in a care home. */
static void bill_care(Emission *emission, int32_t from, int32_t to, bool is_home, double need)
{
    const SynthProfile *profile = emission->model->profile;
    int64_t weeks = (to - from + WEEK_DAYS - 1) / WEEK_DAYS;
    begin_bill(emission);
    double price = is_home ? profile->care_home_week : profile->package_week * (0.5 + need / 20);
    add_line(emission, emission->shapes->codes[is_home ? CODE_LINE_CARE_HOME : CODE_LINE_PACKAGE],
             from, weeks, (int64_t)price);
    BillHead head = {.kind = BILL_SOCIAL,
                     .provider = emission_organisation(emission, ORGANISATION_COUNCIL,
                                                       emission->person->practice),
                     .from = from,
                     .to = to - 1};
    finish_bill(emission, &head);
}

/* Who needs care is told by a rank that stays a person's own, against the curves of age. */
static void make_social_care(Emission *emission)
{
    const SynthModel *model = emission->model;
    const SynthProfile *profile = model->profile;
    Person *person = emission->person;
    double x = 0.7 * person->frailty + 0.714 * person->wellness[SERVICE_COMMUNITY];
    double rank = normal_below(-x);
    bool was_cared_for = false;
    for (uint32_t i = 0; i < model->options.years; i++) {
        int32_t from = model->start + (int32_t)i * YEAR_DAYS;
        int32_t to = from + YEAR_DAYS < person->death ? from + YEAR_DAYS : person->death + 1;
        int age = person_age(person, from);
        double home_part = curve_at(profile->care_home, age);
        bool is_home = rank < home_part && age >= 60;
        bool is_package =
            !is_home && age >= 18 && rank < home_part + curve_at(profile->package, age);
        if ((!is_home && !is_package) || from > person->death ||
            emission_span(emission, from) == NULL)
            continue;
        double need = is_home ? 14 + 4 * (1 - rank) : 5 + 10 * (1 - rank);
        take_assessment(emission, from, need);
        take_plan(emission, is_home ? CODE_CARE_HOME : CODE_PLAN_PACKAGE, from, to - 1);
        if (!was_cared_for && random_chance(&emission->random, profile->carer))
            take_carer(emission, from);
        was_cared_for = true;
        for (int32_t at = from; at < to; at += QUARTER_DAYS)
            bill_care(emission, at, at + QUARTER_DAYS < to ? at + QUARTER_DAYS : to, is_home, need);
    }
    if (person->death < model->end && person->illness_count > 0 &&
        random_chance(&emission->random, 0.55)) {
        int32_t from = person->death - 20 - (int32_t)random_below(&emission->random, 150);
        take_plan(emission, CODE_PLAN_END_OF_LIFE, from > person->birth ? from : person->birth,
                  person->death);
    }
}

void emit_bills(Emission *emission)
{
    const Person *person = emission->person;
    bill_by_quarter(emission, BILL_PRIMARY);
    bill_by_quarter(emission, BILL_COMMUNITY);
    for (size_t i = 0; i < person->contact_count; i++)
        if (service_bills[person->contacts[i].service] == BILL_HOSPITAL)
            bill_hospital(emission, &person->contacts[i]);
    bill_medicines(emission);
    make_social_care(emission);
}

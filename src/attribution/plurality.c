/* plurality-of-encounters: see attribution.h. */
#include "attribution/attribution_int.h"

#define NO_TALLY UINT32_MAX

/* One organisation within the window. */
typedef struct {
    ConceptId organisation;
    uint32_t count;
    uint32_t latest; /* the entry that came into the window last */
} Tally;

/*
 * A window that moves over the person's encounters, which are in order of day. Entries `from` to
 * `to` less one lie in some window; each of them knows its organisation's tally, so that moving
 * the window is adding and taking away.
 */
typedef struct {
    const AttributionRule *rule;
    Record record;
    RecordSlice slice;
    uint32_t from;
    uint32_t to;
    uint32_t begin;     /* the first entry of the window as it stands */
    uint32_t *tally_of; /* by entry less `from`; NO_TALLY: does not count */
    Tally *tallies;
    uint32_t tally_count;
    uint32_t total;
} Window;

/* The first entry whose day is not before `day`. */
static uint32_t first_entry_at(RecordSlice slice, int32_t day)
{
    uint32_t from = 0;
    uint32_t to = slice.count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (slice.days[middle] < day)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static bool entry_counts(const AttributionRule *rule, Record record, RecordSlice slice,
                         uint32_t entry)
{
    if (slice.orgs[entry] == CONCEPT_NONE)
        return false;
    if (rule->status_count == 0)
        return true;
    FhirNode encounter = record_resource(record, slice, FHIR_TYPE_Encounter, entry);
    FhirNode status = fhir_child(encounter, FHIR_ELEM_Encounter_status);
    for (size_t i = 0; i < rule->status_count; i++)
        if (fhir_text_is(status, rule->statuses[i]))
            return true;
    return false;
}

/* Gives each organisation of the entries a tally, by open addressing. */
static void window_fill(Window *window, Arena *arena)
{
    uint32_t count = window->to - window->from;
    uint32_t slot_count = 4;
    while (slot_count < 2 * count)
        slot_count *= 2;
    uint32_t *slots = ARENA_ZARRAY(arena, uint32_t, slot_count); /* number of tally + 1 */
    window->tally_of = ARENA_ARRAY(arena, uint32_t, count);
    window->tallies = ARENA_ARRAY(arena, Tally, count);
    for (uint32_t i = 0; i < count; i++) {
        window->tally_of[i] = NO_TALLY;
        if (!entry_counts(window->rule, window->record, window->slice, window->from + i))
            continue;
        ConceptId organisation = window->slice.orgs[window->from + i];
        uint32_t slot = organisation * 0x9e3779b1u & (slot_count - 1);
        while (slots[slot] != 0 && window->tallies[slots[slot] - 1].organisation != organisation)
            slot = (slot + 1) & (slot_count - 1);
        if (slots[slot] == 0) {
            window->tallies[window->tally_count++] = (Tally){.organisation = organisation};
            slots[slot] = window->tally_count;
        }
        window->tally_of[i] = slots[slot] - 1;
    }
}

static void window_add(Window *window, uint32_t entry)
{
    uint32_t number = window->tally_of[entry - window->from];
    if (number == NO_TALLY)
        return;
    window->tallies[number].count++;
    window->tallies[number].latest = entry;
    window->total++;
}

static void window_take_away(Window *window, uint32_t entry)
{
    uint32_t number = window->tally_of[entry - window->from];
    if (number == NO_TALLY)
        return;
    window->tallies[number].count--;
    window->total--;
}

int64_t attribution_entry_instant(Record record, uint32_t entry)
{
    RecordSlice slice = record_slice(record, FHIR_TYPE_Encounter);
    FhirNode encounter = record_resource(record, slice, FHIR_TYPE_Encounter, entry);
    FhirNode period = fhir_child(encounter, FHIR_ELEM_Encounter_period);
    Moment moment;
    if (!fhir_moment(fhir_child(period, FHIR_ELEM_Period_start), &moment) &&
        !fhir_moment(fhir_child(period, FHIR_ELEM_Period_end), &moment))
        return INT64_MIN;
    return moment_first_ms(moment, 0);
}

/* Local days of the same instant lie at most this many apart: offsets go from -14:00 to +14:00. */
enum { LOCAL_DAYS_APART = 2 };

/* When the organisation was last visited. The last entry in order of local days need not be the
   latest instant: those of the days just before it are looked at too. */
static int64_t latest_instant(const Window *window, const Tally *tally)
{
    const int32_t *days = window->slice.days;
    uint32_t number = (uint32_t)(tally - window->tallies);
    int64_t latest = INT64_MIN;
    for (uint32_t entry = tally->latest + 1; entry > window->begin; entry--) {
        if (days[entry - 1] + LOCAL_DAYS_APART < days[tally->latest])
            break;
        if (window->tally_of[entry - 1 - window->from] != number)
            continue;
        int64_t instant = attribution_entry_instant(window->record, entry - 1);
        latest = instant > latest ? instant : latest;
    }
    return latest;
}

/* Above zero when a's latest encounter is the later one. Tapes are opened only where the days leave
   it open. */
static int compare_latest(const Window *window, const Tally *a, const Tally *b)
{
    int32_t a_day = window->slice.days[a->latest];
    int32_t b_day = window->slice.days[b->latest];
    if (a_day > b_day + LOCAL_DAYS_APART || b_day > a_day + LOCAL_DAYS_APART)
        return a_day < b_day ? -1 : 1;
    int64_t a_instant = latest_instant(window, a);
    int64_t b_instant = latest_instant(window, b);
    return (a_instant > b_instant) - (a_instant < b_instant);
}

/* Whether a comes before b, and by which tie rule when they have as many encounters. Numbers of the
   dictionary are in the byte order of ids. */
static bool tally_wins(const Window *window, const Tally *a, const Tally *b,
                       AttributionTieKind *ret_tie)
{
    if (a->count != b->count)
        return a->count > b->count;
    for (size_t i = 0; i < window->rule->tie_count; i++) {
        *ret_tie = window->rule->ties[i];
        if (*ret_tie == ATTRIBUTION_TIE_ORGANISATION_ID)
            break;
        int order = compare_latest(window, a, b);
        if (order != 0)
            return order > 0;
    }
    return a->organisation < b->organisation;
}

static void window_decide(const Window *window, AttributionDecision *decision)
{
    const Tally *best = NULL;
    const Tally *second = NULL;
    AttributionTieKind tie = ATTRIBUTION_TIE_ORGANISATION_ID;
    for (uint32_t i = 0; i < window->tally_count; i++) {
        const Tally *tally = &window->tallies[i];
        if (tally->count == 0)
            continue;
        if (best == NULL || tally_wins(window, tally, best, &tie)) {
            second = best;
            best = tally;
        } else if (second == NULL || tally_wins(window, tally, second, &tie)) {
            second = tally;
        }
    }
    if (best == NULL)
        return;
    decision->organisation = best->organisation;
    decision->count = best->count;
    decision->total = window->total;
    decision->latest_entry = best->latest;
    decision->latest_day = window->slice.days[best->latest];
    decision->reason = ATTRIBUTION_ONLY_ONE;
    if (second == NULL)
        return;
    decision->runner_up = second->organisation;
    decision->runner_up_count = second->count;
    decision->reason = ATTRIBUTION_MOST;
    if (best->count > second->count)
        return;
    decision->reason = ATTRIBUTION_TIED;
    (void)tally_wins(window, best, second, &decision->decided_by);
}

/* The same encounters give the same decision. */
static void decision_repeat(const AttributionDecision *before, AttributionDecision *decision)
{
    int32_t day = decision->day;
    int32_t from_day = decision->from_day;
    *decision = *before;
    decision->day = day;
    decision->from_day = from_day;
}

/* The calendar's first day where it does not go back so far. */
static int32_t months_before(int32_t day, int32_t months)
{
    int32_t before = day_add_months(day, -months);
    return before == DAY_NONE ? DAY_FIRST : before;
}

static void plurality_decide(const AttributionRule *rule, Record record, const int32_t *days,
                             size_t count, AttributionDecision *decisions, Arena *arena)
{
    for (size_t i = 0; i < count; i++)
        decisions[i] = (AttributionDecision){.day = days[i],
                                             .from_day = months_before(days[i], rule->months),
                                             .latest_day = DAY_NONE};
    Window window = {
        .rule = rule, .record = record, .slice = record_slice(record, FHIR_TYPE_Encounter)};
    if (window.slice.count == 0 || window.slice.days == NULL || window.slice.orgs == NULL)
        return;
    window.from = first_entry_at(window.slice, decisions[0].from_day);
    window.to = first_entry_at(window.slice, days[count - 1]);
    if (window.from == window.to)
        return;
    window_fill(&window, arena);
    uint32_t end = window.from;
    window.begin = window.from;
    for (size_t i = 0; i < count; i++) {
        uint32_t end_before = end;
        uint32_t begin_before = window.begin;
        for (; end < window.to && window.slice.days[end] < days[i]; end++)
            window_add(&window, end);
        for (; window.begin < end && window.slice.days[window.begin] < decisions[i].from_day;
             window.begin++)
            window_take_away(&window, window.begin);
        if (i == 0 || end != end_before || window.begin != begin_before)
            window_decide(&window, &decisions[i]);
        else
            decision_repeat(&decisions[i - 1], &decisions[i]);
    }
}

static size_t plurality_entries(const AttributionRule *rule, Record record,
                                const AttributionDecision *decision, Arena *arena,
                                const uint32_t **ret_entries)
{
    uint32_t *entries = ARENA_ARRAY(arena, uint32_t, decision->count);
    size_t count = 0;
    *ret_entries = entries;
    RecordSlice slice = record_slice(record, FHIR_TYPE_Encounter);
    if (decision->count == 0 || slice.days == NULL || slice.orgs == NULL)
        return 0;
    uint32_t end = first_entry_at(slice, decision->day);
    for (uint32_t i = first_entry_at(slice, decision->from_day); i < end; i++) {
        if (slice.orgs[i] != decision->organisation || !entry_counts(rule, record, slice, i))
            continue;
        ASSERT(count < decision->count); /* the decision is of this rule and record */
        entries[count++] = i;
    }
    return count;
}

static const Str plurality_keys[] = {STR_INIT("organisation"), STR_INIT("months"), STR_INIT("ties"),
                                     STR_INIT("statuses")};

const MethodInfo method_plurality = {
    .keys = plurality_keys,
    .key_count = COUNT_OF(plurality_keys),
    .read = plurality_read,
    .decide = plurality_decide,
    .entries = plurality_entries,
};

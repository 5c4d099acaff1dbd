#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "people.h"

static const AttributionRule starter = {
    .method = ATTRIBUTION_BY_PLURALITY_OF_ENCOUNTERS,
    .months = 24,
    .ties = {ATTRIBUTION_TIE_LATEST_ENCOUNTER, ATTRIBUTION_TIE_ORGANISATION_ID},
    .tie_count = 2,
};

static int32_t day_of(const char *text)
{
    int32_t day;
    bool ok = day_parse(str_from_c(text), &day);
    ASSERT(ok);
    return day;
}

#define ENCOUNTERS_MAX 8

TEST(organisation_with_most_encounters_before_the_day)
{
    typedef struct {
        const char *start; /* NULL: the row ends; what begins with '"' is the whole period */
        const char *organisation;
    } Visit;
    static const struct {
        const char *row;
        const char *want; /* "" nobody */
        AttributionReason reason;
        uint32_t count;
        Visit visits[ENCOUNTERS_MAX];
    } rows[] = {
        /* clang-format off */
        {"no encounter", "", ATTRIBUTION_NOBODY, 0, {{0}}},
        {"one", "a", ATTRIBUTION_ONLY_ONE, 1, {{"2019-05-01", "a"}}},
        {"most", "b", ATTRIBUTION_MOST, 2, {{"2019-05-01", "b"}, {"2019-05-02", "b"}, {"2019-12-31", "a"}}},
        {"the day itself is not before it", "", ATTRIBUTION_NOBODY, 0, {{"2020-01-01", "a"}}},
        {"the last moment before it", "a", ATTRIBUTION_ONLY_ONE, 1, {{"2019-12-31T23:59:59-05:00", "a"}}},
        {"the first day of the window", "a", ATTRIBUTION_ONLY_ONE, 1, {{"2018-01-01", "a"}}},
        {"a day too early", "", ATTRIBUTION_NOBODY, 0, {{"2017-12-31", "a"}}},
        {"the date as written counts, not UTC", "", ATTRIBUTION_NOBODY, 0, {{"2020-01-01T00:30:00+02:00", "a"}}},
        {"tie by the later day", "a", ATTRIBUTION_TIED, 1, {{"2019-03-01", "b"}, {"2019-03-02", "a"}}},
        {"tie by the later instant of a day", "a", ATTRIBUTION_TIED, 1,
         {{"2019-03-01T10:00:00Z", "b"}, {"2019-03-01T11:00:00Z", "a"}}},
        {"instants have offsets", "b", ATTRIBUTION_TIED, 1,
         {{"2019-03-01T10:00:00-05:00", "b"}, {"2019-03-01T11:00:00Z", "a"}}},
        {"the later instant, whatever the local day", "b", ATTRIBUTION_TIED, 1,
         {{"2019-03-01T23:00:00-05:00", "b"}, {"2019-03-02T01:00:00+05:00", "a"}}},
        {"an organisation's own latest too", "b", ATTRIBUTION_TIED, 2,
         {{"2019-03-01T23:00:00-05:00", "b"}, {"2019-03-02T01:00:00+05:00", "b"},
          {"2019-02-01", "a"}, {"2019-03-02T02:00:00Z", "a"}}},
        {"tie to the end: the lower id", "a", ATTRIBUTION_TIED, 1,
         {{"2019-03-01T10:00:00Z", "b"}, {"2019-03-01T11:00:00+01:00", "a"}}},
        {"ids by bytes", "B", ATTRIBUTION_TIED, 1, {{"2019-03-01", "a"}, {"2019-03-01", "B"}}},
        {"of three, two tie", "c", ATTRIBUTION_TIED, 2,
         {{"2018-02-01", "a"}, {"2018-03-01", "a"}, {"2019-01-01", "c"}, {"2019-02-01", "c"}, {"2019-11-01", "b"}}},
        {"without an organisation it does not count", "b", ATTRIBUTION_ONLY_ONE, 1,
         {{"2019-03-01", NULL}, {"2019-03-02", NULL}, {"2019-02-01", "b"}}},
        {"without a period it does not count", "b", ATTRIBUTION_ONLY_ONE, 1, {{"", "a"}, {"2019-02-01", "b"}}},
        {"a month stands for its first day", "a", ATTRIBUTION_ONLY_ONE, 1, {{"2018-01", "a"}}},
        {"a year too", "", ATTRIBUTION_NOBODY, 0, {{"2020", "a"}}},
        {"end where there is no start", "a", ATTRIBUTION_ONLY_ONE, 1, {{"\"end\":\"2019-12-31\"", "a"}}},
        /* clang-format on */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Str resources[ENCOUNTERS_MAX + 1];
        size_t count = 0;
        resources[count++] = people_patient(arena, "p", NULL);
        for (const Visit *visit = rows[i].visits; visit->start != NULL; visit++) {
            Str id = str_format(arena, "e%zu", count);
            Str period = visit->start[0] == '"'
                             ? str_from_c(visit->start)
                             : str_format(arena, "\"start\":\"%s\"", visit->start);
            resources[count++] = people_encounter(
                arena, str_to_c(arena, id), "p",
                visit->start[0] == '\0' ? NULL : str_to_c(arena, period), visit->organisation);
        }
        RecordBatch *batch = people_batch(arena, resources, count, false);
        Record record = people_record(batch, S("p"));
        AttributionDecision decision =
            attribution_decide(&starter, record, day_of("2020-01-01"), arena);
        Str got = decision.organisation == CONCEPT_NONE
                      ? S("")
                      : concept_dict_name(batch->dict, decision.organisation).code;
        CHECK_ROW_STR(rows[i].row, got, str_from_c(rows[i].want));
        CHECK_ROW(rows[i].row, decision.reason, rows[i].reason);
        CHECK_ROW(rows[i].row, decision.count, rows[i].count);
        CHECK_ROW(rows[i].row, decision.from_day, day_of("2018-01-01"));
        const uint32_t *entries;
        CHECK_ROW(rows[i].row, attribution_entries(&starter, record, &decision, arena, &entries),
                  decision.count);
    }
}

TEST(statuses_choose_what_counts)
{
    Str resources[] = {
        people_patient(arena, "p", NULL),
        people_encounter(arena, "1", "p", "\"start\":\"2019-05-01\"", "a"),
        S("{\"resourceType\":\"Encounter\",\"id\":\"2\",\"status\":\"cancelled\",\"class\":{"
          "\"code\":\"AMB\"},"
          "\"subject\":{\"reference\":\"Patient/p\"},\"period\":{\"start\":\"2019-05-02\"},"
          "\"serviceProvider\":{\"reference\":\"Organization/b\"}}"),
        S("{\"resourceType\":\"Encounter\",\"id\":\"3\",\"status\":\"entered-in-error\","
          "\"class\":{\"code\":\"AMB\"},\"subject\":{\"reference\":\"Patient/p\"},"
          "\"period\":{\"start\":\"2019-05-03\"},"
          "\"serviceProvider\":{\"reference\":\"Organization/b\"}}"),
    };
    RecordBatch *batch = people_batch(arena, resources, COUNT_OF(resources), false);
    Record record = people_record(batch, S("p"));
    ConceptId a = concept_dict_find(batch->dict, S("Organization"), S("a"));
    ConceptId b = concept_dict_find(batch->dict, S("Organization"), S("b"));
    int32_t day = day_of("2020-01-01");
    CHECK_INT(attribution_decide(&starter, record, day, arena).organisation, b);
    static const Str statuses[] = {STR_INIT("finished"), STR_INIT("in-progress")};
    AttributionRule rule = starter;
    rule.statuses = statuses;
    rule.status_count = COUNT_OF(statuses);
    AttributionDecision decision = attribution_decide(&rule, record, day, arena);
    CHECK_INT(decision.organisation, a);
    CHECK_INT(decision.total, 1);
    StrBuf text;
    strbuf_init(&text, arena, 0);
    attribution_explain(&rule, &decision, &text);
    CHECK_STR(strbuf_str(&text), S("1 of 1 encounters from 2018-01-01 to 2019-12-31, of some "
                                   "statuses, latest 2019-05-01"));
}

TEST(decision_is_explained)
{
    Str resources[] = {
        people_patient(arena, "p", NULL),
        people_encounter(arena, "1", "p", "\"start\":\"2019-05-01\"", "a"),
        people_encounter(arena, "2", "p", "\"start\":\"2019-05-02\"", "b"),
    };
    RecordBatch *batch = people_batch(arena, resources, COUNT_OF(resources), false);
    Record record = people_record(batch, S("p"));
    StrBuf text;
    strbuf_init(&text, arena, 0);
    AttributionDecision decision =
        attribution_decide(&starter, record, day_of("2020-02-29"), arena);
    attribution_explain(&starter, &decision, &text);
    CHECK_STR(strbuf_str(&text),
              S("1 of 2 encounters from 2018-02-28 to 2020-02-28, latest 2019-05-02; next: 1, "
                "decided by the later latest encounter"));
    strbuf_clear(&text);
    decision = attribution_decide(&starter, record, day_of("2019-01-01"), arena);
    attribution_explain(&starter, &decision, &text);
    CHECK_STR(strbuf_str(&text),
              S("no encounter with an organisation from 2017-01-01 to 2018-12-31"));
}

/* --- the same worked out again from the tapes, in another way --- */

typedef struct {
    int32_t day;
    int64_t instant;
    Str organisation;
} Seen;

/* All encounters that count, read from the resources; the directory is not used. */
static size_t read_encounters(Arena *arena, Record record, Seen *seen)
{
    RecordSlice slice = record_slice(record, FHIR_TYPE_Encounter);
    size_t count = 0;
    for (uint32_t i = 0; i < slice.count; i++) {
        FhirNode encounter = record_resource(record, slice, FHIR_TYPE_Encounter, i);
        FhirNode period = fhir_child_named(encounter, S("period"));
        Str start = fhir_text(fhir_child_named(period, S("start")), arena);
        Str end = fhir_text(fhir_child_named(period, S("end")), arena);
        Str reference = fhir_text(
            fhir_child_named(fhir_child_named(encounter, S("serviceProvider")), S("reference")),
            arena);
        Moment moment;
        if (str_is_empty(reference) || !moment_parse(str_is_empty(start) ? end : start, &moment))
            continue;
        size_t slash = str_find_char(reference, '/');
        seen[count++] = (Seen){.day = moment_day(moment),
                               .instant = moment_first_ms(moment, 0),
                               .organisation = str_slice(reference, slash + 1, reference.len)};
    }
    return count;
}

typedef struct {
    Str organisation;
    uint32_t count;
    int32_t latest_day;
    int64_t latest_instant; /* of the last entry in order of day */
    int64_t last_visit;     /* whatever its local day */
} Rank;

/* Descending in what makes an organisation come first. */
static int compare_ranks(const void *a, const void *b)
{
    const Rank *left = a;
    const Rank *right = b;
    if (left->count != right->count)
        return left->count > right->count ? -1 : 1;
    if (left->last_visit != right->last_visit)
        return left->last_visit > right->last_visit ? -1 : 1;
    return str_cmp(left->organisation, right->organisation);
}

static size_t rank_organisations(const Seen *seen, size_t count, int32_t day, Rank *ranks)
{
    size_t rank_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (seen[i].day >= day || seen[i].day < day_add_months(day, -24))
            continue;
        size_t k = 0;
        while (k < rank_count && !str_eq(ranks[k].organisation, seen[i].organisation))
            k++;
        if (k == rank_count)
            ranks[rank_count++] = (Rank){.organisation = seen[i].organisation,
                                         .latest_day = INT32_MIN,
                                         .latest_instant = INT64_MIN,
                                         .last_visit = INT64_MIN};
        Rank *rank = &ranks[k];
        rank->count++;
        if (seen[i].instant > rank->last_visit)
            rank->last_visit = seen[i].instant;
        bool later = seen[i].day > rank->latest_day ||
                     (seen[i].day == rank->latest_day && seen[i].instant > rank->latest_instant);
        if (later) {
            rank->latest_day = seen[i].day;
            rank->latest_instant = seen[i].instant;
        }
    }
    qsort(ranks, rank_count, sizeof(*ranks), compare_ranks);
    return rank_count;
}

static Str random_encounter(Arena *arena, uint64_t *state, size_t number, const char *patient)
{
    static const char *const zones[] = {"Z", "+02:00", "-05:00", "-05:00", "+05:30"};
    char period[128];
    int year = 2017 + (int)(test_random(state) % 4);
    int month = 1 + (int)(test_random(state) % 12);
    int date = 1 + (int)(test_random(state) % 3);
    const char *side = test_random(state) % 8 == 0 ? "end" : "start";
    int form = (int)(test_random(state) % 10);
    if (form == 0)
        (void)snprintf(period, sizeof(period), "\"%s\":\"%d-%02d\"", side, year, month);
    else if (form < 3)
        (void)snprintf(period, sizeof(period), "\"%s\":\"%d-%02d-%02d\"", side, year, month, date);
    else
        (void)snprintf(period, sizeof(period), "\"%s\":\"%d-%02d-%02dT%02d:00:00%s\"", side, year,
                       month, date, (int)(test_random(state) % 4) * 6,
                       zones[test_random(state) % COUNT_OF(zones)]);
    Str id = str_format(arena, "e%zu", number);
    Str organisation = str_format(arena, "o%d", (int)(test_random(state) % 5));
    return people_encounter(arena, str_to_c(arena, id), patient,
                            test_random(state) % 16 == 0 ? NULL : period,
                            test_random(state) % 12 == 0 ? NULL : str_to_c(arena, organisation));
}

static Str concept_code(const RecordBatch *batch, ConceptId id)
{
    return id == CONCEPT_NONE ? S("") : concept_dict_name(batch->dict, id).code;
}

static void check_person(Arena *arena, Record record, const int32_t *days, size_t count)
{
    uint32_t entries = record_slice(record, FHIR_TYPE_Encounter).count;
    Seen *seen = ARENA_ARRAY(arena, Seen, entries);
    Rank *ranks = ARENA_ARRAY(arena, Rank, entries);
    size_t seen_count = read_encounters(arena, record, seen);
    AttributionDecision *decisions = ARENA_ARRAY(arena, AttributionDecision, count);
    attribution_decide_months(&starter, record, days, count, decisions, arena);
    for (size_t i = 0; i < count; i++) {
        size_t rank_count = rank_organisations(seen, seen_count, days[i], ranks);
        const AttributionDecision *got = &decisions[i];
        AttributionDecision alone = attribution_decide(&starter, record, days[i], arena);
        CHECK_INT(alone.organisation, got->organisation);
        CHECK_INT(alone.runner_up, got->runner_up);
        CHECK_INT(alone.latest_entry, got->latest_entry);
        Str want = rank_count > 0 ? ranks[0].organisation : S("");
        CHECK_STR(concept_code(record.batch, got->organisation), want);
        CHECK_STR(concept_code(record.batch, got->runner_up),
                  rank_count > 1 ? ranks[1].organisation : S(""));
        CHECK_INT(got->count, rank_count > 0 ? ranks[0].count : 0);
        CHECK_INT(got->runner_up_count, rank_count > 1 ? ranks[1].count : 0);
        CHECK_INT(got->latest_day, rank_count > 0 ? ranks[0].latest_day : DAY_NONE);
        if (rank_count > 0)
            CHECK_INT(attribution_entry_instant(record, got->latest_entry),
                      ranks[0].latest_instant);
        const uint32_t *counted;
        size_t counted_count = attribution_entries(&starter, record, got, arena, &counted);
        CHECK_INT((int64_t)counted_count, got->count);
        for (size_t k = 0; k < counted_count; k++)
            CHECK_STR(concept_code(record.batch,
                                   record_slice(record, FHIR_TYPE_Encounter).orgs[counted[k]]),
                      want);
    }
}

TEST(decisions_agree_with_the_tapes)
{
    enum { PERSONS = 60, RESOURCES_MAX = 4000 };
    uint64_t state = 2020;
    Str *resources = ARENA_ARRAY(arena, Str, RESOURCES_MAX);
    size_t count = 0;
    for (int person = 0; person < PERSONS; person++) {
        const char *id = str_to_c(arena, str_format(arena, "p%d", person));
        resources[count++] = people_patient(arena, id, NULL);
        size_t encounters = test_random(&state) % (person % 3 == 0 ? 60 : 8);
        for (size_t i = 0; i < encounters; i++) {
            resources[count] = random_encounter(arena, &state, count, id);
            count++;
        }
    }
    ASSERT(count <= RESOURCES_MAX);
    RecordBatch *batch = people_batch(arena, resources, count, false);
    CHECK_INT(batch->person_count, PERSONS);
    const int32_t *days;
    size_t day_count = member_month_days(arena, day_of("2018-01-01"), day_of("2021-02-28"),
                                         MEMBER_ON_FIRST_DAY, &days);
    for (uint32_t row = 0; row < batch->person_count; row++)
        check_person(arena, (Record){.batch = batch, .row = row}, days, day_count);
}

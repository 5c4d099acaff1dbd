/*
 * attribution -- which organisation is responsible for a person on a day, and why; who counts in
 * a month; the organisations themselves.
 *
 * A rule is read from a document (of a contract, a programme) and decides for a person and a day. A
 * decision names the organisation, what it rests on and who came next, so that it can be
 * explained and contested; the events behind it are worked out again when they are asked for.
 * Rules are rows of a table: a method is its word, the keys it knows, how it is read and how it
 * decides.
 *
 *     plurality-of-encounters: the organisation with most encounters whose day d satisfies
 *     day - months <= d < day (months back by the calendar, day_add_months). The day of an
 *     encounter is the local date of its start as written (of its end where it has no start: the
 *     directory's day). One without a day or a service provider does not count.
 *
 * Everything here is a function of its parameters, and safe on any number of threads.
 *
 *     AttributionDecision decision = attribution_decide(rule, record, day, arena);
 *     if (decision.organisation != CONCEPT_NONE) ...
 */
#pragma once

#include "base/base.h"
#include "base/date.h"
#include "base/yaml.h"
#include "fhir/fhir.h"

/* --- rules --- */

typedef enum {
#define ATTRIBUTION_METHOD(name, text, says) ATTRIBUTION_BY_##name,
#include "attribution/words.def"
#undef ATTRIBUTION_METHOD
} AttributionMethodKind;

typedef enum {
#define ATTRIBUTION_TIE(name, text, says) ATTRIBUTION_TIE_##name,
#include "attribution/words.def"
#undef ATTRIBUTION_TIE
    ATTRIBUTION_TIE_COUNT
} AttributionTieKind;

enum { ATTRIBUTION_MONTHS_MAX = 120 };

typedef struct {
    AttributionMethodKind method;
    int32_t months; /* looked back over, up to the day before */
    AttributionTieKind ties[ATTRIBUTION_TIE_COUNT];
    size_t tie_count; /* the last is organisation-id, which always decides */
    /* Statuses of encounters that count. Empty: every one that the source gives; then no tape is
       opened but for ties. */
    const Str *statuses;
    size_t status_count;
} AttributionRule;

/* The rule in a mapping such as
       {method: plurality-of-encounters, organisation: serviceProvider, months: 24,
        ties: [latest-encounter, organisation-id], statuses: [finished]}      (statuses may be
   absent) False with findings, each with its place, when it is not one. */
MUST_USE bool attribution_rule_parse(const YamlReader *reader, const YamlNode *node,
                                     AttributionRule *ret_rule);
/* "plurality-of-encounters", "latest-encounter", and what they mean in a sentence. */
Str attribution_method_text(AttributionMethodKind method);
Str attribution_method_says(AttributionMethodKind method);
Str attribution_tie_text(AttributionTieKind tie);
Str attribution_tie_says(AttributionTieKind tie);

/* --- decisions --- */

typedef enum {
    ATTRIBUTION_NOBODY,   /* no encounter counts */
    ATTRIBUTION_ONLY_ONE, /* no other organisation had any */
    ATTRIBUTION_MOST,
    ATTRIBUTION_TIED /* as many as the runner-up; decided_by says what decided */
} AttributionReason;

typedef struct {
    ConceptId organisation; /* ("Organization", id); CONCEPT_NONE: nobody */
    AttributionReason reason;
    AttributionTieKind decided_by;
    uint32_t count;      /* its encounters */
    uint32_t total;      /* encounters of all organisations that count */
    ConceptId runner_up; /* CONCEPT_NONE: there is none */
    uint32_t runner_up_count;
    int32_t from_day; /* encounters of days from_day .. day - 1 were looked at */
    int32_t day;
    int32_t latest_day;    /* of its encounters; DAY_NONE for nobody */
    uint32_t latest_entry; /* number of that encounter in the person's directory of Encounter */
} AttributionDecision;

/* Nothing is left in the arena. */
AttributionDecision attribution_decide(const AttributionRule *rule, Record record, int32_t day,
                                       Arena *arena);
/* The same for days that do not descend (as first days of months do), in one walk over the person's
   encounters: about 1.5 us for twelve days and fifty encounters. Nothing is left in the arena. */
void attribution_decide_months(const AttributionRule *rule, Record record, const int32_t *days,
                               size_t count, AttributionDecision *decisions, Arena *arena);
/* The encounters that were counted for the organisation: numbers in the person's directory of
   Encounter, in its order. */
size_t attribution_entries(const AttributionRule *rule, Record record,
                           const AttributionDecision *decision, Arena *arena,
                           const uint32_t **ret_entries);
/* The instant of an entry's period.start (period.end without a start) in UTC; without an offset UTC
   is taken. INT64_MIN when the tape has none. */
int64_t attribution_entry_instant(Record record, uint32_t entry);
/* One sentence: "7 of 12 encounters from 2018-03-01 to 2020-02-29, latest 2020-02-11; next: 4".
   Names no organisation: ids are the caller's to resolve. */
void attribution_explain(const AttributionRule *rule, const AttributionDecision *decision,
                         StrBuf *out);

/* --- who counts in a month --- */

typedef enum {
    MEMBER_ALIVE,
    MEMBER_NOT_BORN,
    MEMBER_BIRTH_UNKNOWN, /* no birth date: no age, does not count */
    MEMBER_DEAD,
    MEMBER_DEATH_UNDATED /* dead, nobody says since when: counts as dead on every day, and is a
                            finding of whoever asks */
} MemberState;

/* The state on a day: born on it or before, and not dead before it (the day of death is a day
   lived). */
MemberState member_state(Record record, int32_t day);
PersonSex member_sex(Record record);
/* Days lived in first_day .. last_day, both inclusive; person-years are these over the days of the
   year. 0 when birth is unknown or death undated. */
int32_t member_days(Record record, int32_t first_day, int32_t last_day);

typedef enum { MEMBER_ON_FIRST_DAY, MEMBER_ON_FIFTEENTH, MEMBER_ON_LAST_DAY } MemberDay;

typedef struct {
    int32_t first_day; /* of the month */
    int32_t day;       /* the day looked at */
    MemberState state;
    int32_t age; /* whole years on `day`; only where the state is MEMBER_ALIVE */
} MemberMonth;

/* The day of each month that begins in first_day .. last_day: what attribution_decide_months takes
   and MemberMonths goes through. */
size_t member_month_days(Arena *arena, int32_t first_day, int32_t last_day, MemberDay on,
                         const int32_t **ret_days);

/* Walks a person's months in order of time. A person who lives through some of them and dies is
   seen in all, with the state. */
typedef struct {
    Record record;
    int32_t next_first_day;
    int32_t last_day;
    MemberDay on;
} MemberMonths;
MemberMonths member_months(Record record, int32_t first_day, int32_t last_day, MemberDay on);
bool member_months_next(MemberMonths *months, MemberMonth *ret_month);

/* --- organisations --- */

typedef struct Organisation Organisation;
struct Organisation {
    Str id;
    Str name;                   /* the id where it has none */
    ConceptId concept;          /* ("Organization", id); CONCEPT_NONE: no record refers to it */
    Str parent_id;              /* of partOf; empty at the top */
    const Organisation *parent; /* NULL at the top, and where the parent was not given */
};

/* The organisations of the shared resources, by id and by concept. Immutable once finished. */
typedef struct Organisations Organisations;

Organisations *organisations_create(Arena *arena, const ConceptDict *dict);
/* Takes the Organization resources of a batch of shared resources. Nothing of the batch is kept. */
void organisations_add(Organisations *organisations, const RecordBatch *batch);
/* Joins parts to wholes. An organisation that is part of itself by some way (a finding) is cut off
   from its parent. Call once, after the last add. */
void organisations_finish(Organisations *organisations, DiagList *diags);
size_t organisations_count(const Organisations *organisations);
const Organisation *organisations_at(const Organisations *organisations,
                                     size_t index); /* in order of id */
/* NULL when no Organization resource of that id was given. */
const Organisation *organisation_find(const Organisations *organisations, ConceptId concept);
const Organisation *organisation_find_id(const Organisations *organisations, Str id);
/* The name for people: of an organisation without a resource, its id in the dictionary. */
Str organisation_name(const Organisations *organisations, ConceptId concept);
/* The organisation at the top of its tree (itself when it is part of nothing). */
const Organisation *organisation_network(const Organisation *organisation);

/* MeasureReports as JSON. */
#include "measure/report.h"

#include "base/json.h"

#define DEQM(name) "http://hl7.org/fhir/us/davinci-deqm/StructureDefinition/" name

enum { ID_BYTES = 19 };

typedef struct {
    JsonWriter json;
    Arena *arena;
    const MeasureReportFrame *frame;
    const Measure *measure;
} Report;

static const Str names[REPORT_KIND_COUNT] = {
    [REPORT_INDIVIDUAL] = STR_INIT("individual"),
    [REPORT_SUMMARY] = STR_INIT("summary"),
    [REPORT_SUBJECT_LIST] = STR_INIT("subject-list"),
    [REPORT_DATA_COLLECTION] = STR_INIT("data-collection"),
};

static const Str profiles[REPORT_KIND_COUNT] = {
    [REPORT_INDIVIDUAL] = STR_INIT(DEQM("indv-measurereport-deqm")),
    [REPORT_SUMMARY] = STR_INIT(DEQM("summary-measurereport-deqm")),
    [REPORT_SUBJECT_LIST] = STR_INIT(DEQM("subjectlist-measurereport-deqm")),
    [REPORT_DATA_COLLECTION] = STR_INIT(DEQM("datax-measurereport-deqm")),
};

Str measure_report_name(MeasureReportKind kind)
{
    return names[kind];
}

bool measure_report_find(Str name, MeasureReportKind *ret_kind)
{
    for (size_t i = 0; i < REPORT_KIND_COUNT; i++)
        if (str_eq(names[i], name)) {
            *ret_kind = (MeasureReportKind)i;
            return true;
        }
    return false;
}

Str measure_report_id(Arena *arena, const Measure *measure, MeasurePeriod period, Str person)
{
    static const char digits[] = "0123456789abcdef";
    Str parts[] = {measure->url, measure_name(measure), period.start, person};
    char *id = arena_alloc(arena, ID_BYTES);
    StrBuf key;
    strbuf_init(&key, arena, 0);
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        strbuf_add(&key, parts[i]);
        strbuf_add_char(&key, '|');
    }
    uint64_t hash = str_hash(strbuf_str(&key));
    memcpy(id, "mr-", 3);
    for (size_t i = 0; i < 16; i++)
        id[3 + i] = digits[hash >> (60 - 4 * i) & 15];
    return (Str){.ptr = id, .len = ID_BYTES};
}

/* --- parts of all kinds --- */

static void write_concept(Report *report, Str system, Str code, Str display)
{
    JsonWriter *json = &report->json;
    json_object_begin(json);
    json_key(json, S("coding"));
    json_array_begin(json);
    json_object_begin(json);
    json_member_str(json, S("system"), system);
    json_member_str(json, S("code"), code);
    if (!str_is_empty(display))
        json_member_str(json, S("display"), display);
    json_object_end(json);
    json_array_end(json);
    json_object_end(json);
}

static void write_text_concept(Report *report, Str text)
{
    json_object_begin(&report->json);
    json_member_str(&report->json, S("text"), text);
    json_object_end(&report->json);
}

static void write_score(Report *report, const MeasureGroup *group, const PopulationTally *tally)
{
    Decimal score;
    if (!measure_score(group, tally, report->arena, &score))
        return;
    json_key(&report->json, S("measureScore"));
    json_object_begin(&report->json);
    json_key(&report->json, S("value"));
    json_decimal(&report->json, score);
    json_object_end(&report->json);
}

/* list_prefix empty: no lists of subjects. */
static void write_populations(Report *report, const MeasureGroup *group,
                              const PopulationTally *tally, Str list_prefix)
{
    JsonWriter *json = &report->json;
    json_key(json, S("population"));
    json_array_begin(json);
    for (size_t i = 0; i < group->population_count; i++) {
        json_raw(json, group->populations[i].head);
        json->after_key = true; /* the head ends with the key of the count */
        json_int(json, (int64_t)tally->counts[i]);
        if (!str_is_empty(list_prefix)) {
            Str list = str_format(report->arena, "#%.*s-%zu", STR_ARG(list_prefix), i + 1);
            strbuf_printf(json->out, ",\"subjectResults\":{\"reference\":\"%.*s\"}", STR_ARG(list));
        }
        strbuf_add_char(json->out, '}');
    }
    json_array_end(json);
}

static void write_stratum(Report *report, const MeasureGroup *group,
                          const MeasureStratifier *stratifier, const StratumTally *stratum)
{
    JsonWriter *json = &report->json;
    json_object_begin(json);
    if (!stratifier->has_components) {
        json_key(json, S("value"));
        write_text_concept(report, stratum->values[0]);
    } else {
        json_key(json, S("component"));
        json_array_begin(json);
        for (size_t i = 0; i < stratifier->component_count; i++) {
            const MeasureComponent *each = &stratifier->components[i];
            json_object_begin(json);
            json_key(json, S("code"));
            write_text_concept(report, !str_is_empty(each->text) ? each->text
                                       : !str_is_empty(each->id) ? each->id
                                                                 : each->criteria.expression);
            json_key(json, S("value"));
            write_text_concept(report, stratum->values[i]);
            json_object_end(json);
        }
        json_array_end(json);
    }
    write_populations(report, group, &stratum->tally, S(""));
    write_score(report, group, &stratum->tally);
    json_object_end(json);
}

static void write_stratifiers(Report *report, const MeasureGroup *group, const GroupTally *tally)
{
    JsonWriter *json = &report->json;
    size_t count = 0;
    for (size_t i = 0; i < group->stratifier_count; i++)
        count += tally->strata[i].count;
    if (count == 0)
        return;
    json_key(json, S("stratifier"));
    json_array_begin(json);
    for (size_t i = 0; i < group->stratifier_count; i++) {
        const MeasureStratifier *each = &group->stratifiers[i];
        if (tally->strata[i].count == 0)
            continue;
        json_object_begin(json);
        if (!str_is_empty(each->id))
            json_member_str(json, S("id"), each->id);
        if (!str_is_empty(each->text)) {
            json_key(json, S("code"));
            json_array_begin(json);
            write_text_concept(report, each->text);
            json_array_end(json);
        }
        json_key(json, S("stratum"));
        json_array_begin(json);
        for (size_t j = 0; j < tally->strata[i].count; j++)
            write_stratum(report, group, each, tally->strata[i].items[j]);
        json_array_end(json);
        json_object_end(json);
    }
    json_array_end(json);
}

static void write_group_extensions(Report *report, const MeasureGroup *group)
{
    JsonWriter *json = &report->json;
    json_key(json, S("extension"));
    json_array_begin(json);
    json_object_begin(json);
    json_member_str(json, S("url"), S(DEQM("extension-measureScoring")));
    json_key(json, S("valueCodeableConcept"));
    write_concept(report, S("http://terminology.hl7.org/CodeSystem/measure-scoring"),
                  measure_scoring_code(group->scoring), measure_scoring_display(group->scoring));
    json_object_end(json);
    if (!str_is_empty(group->improvement)) {
        json_object_begin(json);
        json_member_str(json, S("url"), S(DEQM("extension-groupImprovementNotation")));
        json_key(json, S("valueCodeableConcept"));
        write_concept(report,
                      S("http://terminology.hl7.org/CodeSystem/measure-improvement-notation"),
                      group->improvement, S(""));
        json_object_end(json);
    }
    json_array_end(json);
}

/* The text of an object that is still open, without the brace that would end it. */
static Str take_open(Report *report)
{
    return str_copy(report->arena, strbuf_str(report->json.out));
}

static void render_population(Report *report, MeasurePopulation *population)
{
    StrBuf text;
    strbuf_init(&text, report->arena, 0);
    json_writer_init(&report->json, &text, false);
    JsonWriter *json = &report->json;
    json_object_begin(json);
    if (!str_is_empty(population->id))
        json_member_str(json, S("id"), population->id);
    json_key(json, S("code"));
    write_concept(report, S("http://terminology.hl7.org/CodeSystem/measure-population"),
                  measure_part_code(population->part), measure_part_display(population->part));
    json_key(json, S("count"));
    population->head = take_open(report);
}

void measure_render_heads(Arena *arena, MeasureGroup *group, MeasurePopulation *populations)
{
    Report report = {.arena = arena};
    StrBuf text;
    for (size_t i = 0; i < group->population_count; i++)
        render_population(&report, &populations[i]);
    strbuf_init(&text, arena, 0);
    json_writer_init(&report.json, &text, false);
    json_object_begin(&report.json);
    if (!str_is_empty(group->id))
        json_member_str(&report.json, S("id"), group->id);
    write_group_extensions(&report, group);
    if (!str_is_empty(group->title)) {
        json_key(&report.json, S("code"));
        write_text_concept(&report, group->title);
    }
    group->head = take_open(&report);
}

static void write_groups(Report *report, const MeasureTally *tally, bool has_lists)
{
    JsonWriter *json = &report->json;
    json_key(json, S("group"));
    json_array_begin(json);
    for (size_t i = 0; i < report->measure->group_count; i++) {
        const MeasureGroup *group = &report->measure->groups[i];
        const GroupTally *each = &tally->groups[i];
        json_object_begin(json);
        /* The head is an object whose members go on here. */
        strbuf_add(json->out, str_slice(group->head, 1, group->head.len));
        json->has_items[json->depth] = true;
        write_populations(report, group, &each->all,
                          has_lists ? str_format(report->arena, "list-%zu", i + 1) : S(""));
        write_score(report, group, &each->all);
        write_stratifiers(report, group, each);
        json_object_end(json);
    }
    json_array_end(json);
}

static Str canonical_of(Arena *arena, const Measure *measure)
{
    Str url = str_is_empty(measure->url) ? measure_name(measure) : measure->url;
    if (str_is_empty(measure->version))
        return url;
    return str_format(arena, "%.*s|%.*s", STR_ARG(url), STR_ARG(measure->version));
}

/* What stands before the groups: the object is left open. */
static void begin_report(Report *report, MeasureReportKind kind, Str person)
{
    JsonWriter *json = &report->json;
    const MeasureReportFrame *frame = report->frame;
    json_object_begin(json);
    json_member_str(json, S("resourceType"), S("MeasureReport"));
    Str id = measure_report_id(report->arena, report->measure, frame->period, person);
    if (kind == REPORT_DATA_COLLECTION)
        id = str_format(report->arena, "%.*s-data", STR_ARG(id));
    json_member_str(json, S("id"), id);
    json_key(json, S("meta"));
    json_object_begin(json);
    json_key(json, S("profile"));
    json_array_begin(json);
    json_str(json, profiles[kind]);
    json_array_end(json);
    json_object_end(json);
}

static void write_frame(Report *report, MeasureReportKind kind, Str person)
{
    JsonWriter *json = &report->json;
    const MeasureReportFrame *frame = report->frame;
    json_member_str(json, S("status"), S("complete"));
    json_member_str(json, S("type"), names[kind]);
    json_member_str(json, S("measure"), canonical_of(report->arena, report->measure));
    if (!str_is_empty(person)) {
        json_key(json, S("subject"));
        json_object_begin(json);
        json_member_str(json, S("reference"),
                        str_format(report->arena, "Patient/%.*s", STR_ARG(person)));
        json_object_end(json);
    }
    if (!str_is_empty(frame->date))
        json_member_str(json, S("date"), frame->date);
    if (!str_is_empty(frame->reporter)) {
        bool is_reference = str_starts_with(frame->reporter, S("Organization/")) ||
                            str_starts_with(frame->reporter, S("Practitioner"));
        json_key(json, S("reporter"));
        json_object_begin(json);
        json_member_str(json, is_reference ? S("reference") : S("display"), frame->reporter);
        json_object_end(json);
    }
    json_key(json, S("period"));
    json_object_begin(json);
    json_member_str(json, S("start"), frame->period.start);
    json_member_str(json, S("end"), frame->period.end);
    json_object_end(json);
}

/* --- supplemental data --- */

static Str usage_code(const MeasureSupplement *supplement)
{
    return supplement->is_risk_adjustment ? S("risk-adjustment-factor") : S("supplemental-data");
}

static void begin_observation(Report *report, size_t supplement)
{
    JsonWriter *json = &report->json;
    const MeasureSupplement *each = &report->measure->supplements[supplement];
    json_object_begin(json);
    json_member_str(json, S("resourceType"), S("Observation"));
    json_member_str(json, S("id"), str_format(report->arena, "supplement-%zu", supplement + 1));
    json_member_str(json, S("status"), S("final"));
    json_key(json, S("code"));
    json_object_begin(json);
    json_key(json, S("coding"));
    json_array_begin(json);
    json_object_begin(json);
    json_member_str(json, S("system"),
                    S("http://terminology.hl7.org/CodeSystem/measure-data-usage"));
    json_member_str(json, S("code"), usage_code(each));
    json_object_end(json);
    json_array_end(json);
    json_member_str(json, S("text"), each->text);
    json_object_end(json);
}

static void write_supplement_references(Report *report, const bool *is_there)
{
    JsonWriter *json = &report->json;
    bool is_begun = false;
    for (size_t i = 0; i < report->measure->supplement_count; i++) {
        if (!is_there[i])
            continue;
        if (!is_begun) {
            json_key(json, S("extension"));
            json_array_begin(json);
        }
        is_begun = true;
        json_object_begin(json);
        json_member_str(json, S("url"), S(DEQM("extension-supplementalData")));
        json_key(json, S("valueReference"));
        json_object_begin(json);
        json_member_str(json, S("reference"), str_format(report->arena, "#supplement-%zu", i + 1));
        json_object_end(json);
        json_object_end(json);
    }
    if (is_begun)
        json_array_end(json);
}

/* Of one person: each value as an Observation. */
static void write_person_supplements(Report *report, const CqlValue *values)
{
    JsonWriter *json = &report->json;
    size_t count = report->measure->supplement_count;
    bool *is_there = ARENA_ZARRAY(report->arena, bool, count + 1);
    bool is_begun = false;
    for (size_t i = 0; i < count; i++) {
        is_there[i] = !cql_value_is_null(values[i]) &&
                      (cql_value_kind(values[i]) != CQL_LIST || cql_value_count(values[i]) > 0);
        if (!is_there[i])
            continue;
        if (!is_begun) {
            json_key(json, S("contained"));
            json_array_begin(json);
        }
        is_begun = true;
        begin_observation(report, i);
        json_member_str(json, S("valueString"), measure_value_text(report->arena, values[i]));
        json_object_end(json);
    }
    if (is_begun)
        json_array_end(json);
    write_supplement_references(report, is_there);
}

static bool has_supplements(const MeasureTally *tally)
{
    for (size_t i = 0; i < tally->measure->supplement_count; i++)
        if (tally->supplements[i].count > 0)
            return true;
    return false;
}

/* Of many: how many persons have each value. */
static void write_supplement_counts(Report *report, const MeasureTally *tally)
{
    JsonWriter *json = &report->json;
    for (size_t i = 0; i < report->measure->supplement_count; i++) {
        if (tally->supplements[i].count == 0)
            continue;
        begin_observation(report, i);
        json_key(json, S("component"));
        json_array_begin(json);
        VEC_FOREACH (SupplementTally, each, &tally->supplements[i]) {
            json_object_begin(json);
            json_key(json, S("code"));
            write_text_concept(report, each->text);
            json_member_int(json, S("valueInteger"), (int64_t)each->count);
            json_object_end(json);
        }
        json_array_end(json);
        json_object_end(json);
    }
}

static void write_counted_references(Report *report, const MeasureTally *tally)
{
    bool *is_there = ARENA_ZARRAY(report->arena, bool, report->measure->supplement_count + 1);
    for (size_t i = 0; i < report->measure->supplement_count; i++)
        is_there[i] = tally->supplements[i].count > 0;
    write_supplement_references(report, is_there);
}

/* --- one person --- */

static void write_reference(Report *report, Str type, Str id)
{
    char *text = arena_alloc(report->arena, type.len + id.len + 1);
    memcpy(text, type.ptr, type.len);
    text[type.len] = '/';
    memcpy(text + type.len + 1, id.ptr, id.len);
    json_member_str(&report->json, S("reference"),
                    (Str){.ptr = text, .len = type.len + id.len + 1});
}

/* The populations that an evaluated resource is counted in. */
static void write_population_references(Report *report, const MeasureResult *result,
                                        FhirNode resource)
{
    JsonWriter *json = &report->json;
    bool is_begun = false;
    for (size_t i = 0; i < report->measure->group_count; i++)
        for (size_t j = 0; j < result->groups[i].episode_count; j++) {
            const MeasureEpisode *episode = &result->groups[i].episodes[j];
            const MeasureGroup *group = &report->measure->groups[i];
            if (fhir_is_absent(episode->resource) || episode->resource.at != resource.at ||
                episode->resource.area != resource.area)
                continue;
            for (size_t k = 0; k < group->population_count; k++) {
                if ((episode->members >> k & 1) == 0 || str_is_empty(group->populations[k].id))
                    continue;
                if (!is_begun) {
                    json_key(json, S("extension"));
                    json_array_begin(json);
                }
                is_begun = true;
                json_object_begin(json);
                json_member_str(json, S("url"), S(DEQM("extension-populationReference")));
                json_member_str(json, S("valueString"), group->populations[k].id);
                json_object_end(json);
            }
        }
    if (is_begun)
        json_array_end(json);
}

static void write_evaluated(Report *report, MeasureWorker *worker, Record record,
                            const MeasureResult *result)
{
    JsonWriter *json = &report->json;
    CqlEventVec events = {0};
    cql_eval_retrieved(measure_worker_eval(worker), report->arena, &events);
    json_key(json, S("evaluatedResource"));
    json_array_begin(json);
    json_object_begin(json);
    write_reference(report, S("Patient"), record_person_id(record));
    json_object_end(json);
    VEC_FOREACH (CqlEvent, event, &events) {
        if (event->type == FHIR_TYPE_Patient || str_is_empty(event->id))
            continue;
        json_object_begin(json);
        write_population_references(report, result, event->resource);
        write_reference(report, fhir_type_name(event->type), event->id);
        json_object_end(json);
    }
    json_array_end(json);
}

void measure_report_person(const MeasureReportFrame *frame, MeasureReportKind kind,
                           MeasureWorker *worker, size_t measure, Record record,
                           const MeasureResult *result, StrBuf *out)
{
    Arena *arena = measure_worker_arena(worker);
    Report report = {.arena = arena,
                     .frame = frame,
                     .measure = measure_set_measure(measure_worker_set(worker), measure)};
    json_writer_init(&report.json, out, false);
    Str person = record_person_id(record);
    begin_report(&report, kind, person);
    if (kind == REPORT_INDIVIDUAL && !frame->omits_supplements) {
        write_person_supplements(&report, measure_worker_supplements(worker, measure));
    } else if (kind == REPORT_DATA_COLLECTION) {
        json_key(&report.json, S("extension"));
        json_array_begin(&report.json);
        json_object_begin(&report.json);
        json_member_str(&report.json, S("url"), S(DEQM("extension-submitDataUpdateType")));
        json_member_str(&report.json, S("valueCode"), S("snapshot"));
        json_object_end(&report.json);
        json_array_end(&report.json);
    }
    write_frame(&report, kind, person);
    if (kind == REPORT_INDIVIDUAL) {
        MeasureTally tally;
        measure_tally_init(&tally, arena, report.measure);
        measure_tally_add(&tally, result, NULL);
        write_groups(&report, &tally, false);
    }
    write_evaluated(&report, worker, record, result);
    json_object_end(&report.json);
    json_line_end(&report.json);
}

/* --- many --- */

void measure_report_summary(const MeasureReportFrame *frame, const MeasureTally *tally, StrBuf *out)
{
    Report report = {.arena = tally->arena, .frame = frame, .measure = tally->measure};
    json_writer_init(&report.json, out, false);
    begin_report(&report, REPORT_SUMMARY, S(""));
    if (has_supplements(tally)) {
        json_key(&report.json, S("contained"));
        json_array_begin(&report.json);
        write_supplement_counts(&report, tally);
        json_array_end(&report.json);
        write_counted_references(&report, tally);
    }
    write_frame(&report, REPORT_SUMMARY, S(""));
    write_groups(&report, tally, false);
    json_object_end(&report.json);
    json_line_end(&report.json);
}

/* A list of the individual reports of those in one population. */
static void write_list(Report *report, size_t group, size_t population,
                       const MeasureSubjectVec *subjects)
{
    JsonWriter *json = &report->json;
    bool is_begun = false;
    json_object_begin(json);
    json_member_str(json, S("resourceType"), S("List"));
    json_member_str(json, S("id"),
                    str_format(report->arena, "list-%zu-%zu", group + 1, population + 1));
    json_member_str(json, S("status"), S("current"));
    json_member_str(json, S("mode"), S("snapshot"));
    VEC_FOREACH (const MeasureSubject, each, subjects) {
        if (each->group != group || each->population != population)
            continue;
        if (!is_begun) {
            json_key(json, S("entry"));
            json_array_begin(json);
        }
        is_begun = true;
        json_object_begin(json);
        json_key(json, S("item"));
        json_object_begin(json);
        Str id =
            measure_report_id(report->arena, report->measure, report->frame->period, each->person);
        json_member_str(json, S("reference"),
                        str_format(report->arena, "MeasureReport/%.*s", STR_ARG(id)));
        json_member_str(json, S("display"), each->person);
        json_object_end(json);
        json_object_end(json);
    }
    if (is_begun)
        json_array_end(json);
    json_object_end(json);
}

void measure_report_subjects(const MeasureReportFrame *frame, const MeasureTally *tally,
                             const MeasureSubjectVec *subjects, StrBuf *out)
{
    Report report = {.arena = tally->arena, .frame = frame, .measure = tally->measure};
    json_writer_init(&report.json, out, false);
    begin_report(&report, REPORT_SUBJECT_LIST, S(""));
    json_key(&report.json, S("contained"));
    json_array_begin(&report.json);
    for (size_t i = 0; i < report.measure->group_count; i++)
        for (size_t j = 0; j < report.measure->groups[i].population_count; j++)
            write_list(&report, i, j, subjects);
    write_supplement_counts(&report, tally);
    json_array_end(&report.json);
    write_counted_references(&report, tally);
    write_frame(&report, REPORT_SUBJECT_LIST, S(""));
    write_groups(&report, tally, true);
    json_object_end(&report.json);
    json_line_end(&report.json);
}

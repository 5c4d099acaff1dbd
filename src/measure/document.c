/* Gaps in care as FHIR: a document of a composition, reports and issues. */
#include "measure/document.h"

#include "base/json.h"

#define DEQM "http://hl7.org/fhir/us/davinci-deqm/"

typedef struct {
    const GapDocumentFrame *frame;
    Arena *arena;
    JsonWriter json;
    Record record;
    Str person;
    Str patient_url; /* urn:uuid of the Patient's entry */
} Writer;

/* A UUID (version 8: of our own making) of the words: the same words, the same id. */
static Str uuid_of(const Writer *writer, Str kind, Str of)
{
    const GapDocumentFrame *frame = writer->frame;
    Str words = str_format(writer->arena, "%.*s %.*s %.*s %.*s %d %d", STR_ARG(kind), STR_ARG(of),
                           STR_ARG(frame->programme), STR_ARG(writer->person), frame->period_first,
                           frame->period_last);
    uint64_t high = str_hash(words);
    uint64_t low = str_hash(str_format(writer->arena, "%.*s again", STR_ARG(words)));
    return str_format(writer->arena, "%08x-%04x-8%03x-%04x-%012llx", (unsigned)(high >> 32),
                      (unsigned)(high >> 16 & 0xffff), (unsigned)(high & 0xfff),
                      (unsigned)(0x8000 | (low >> 48 & 0x3fff)),
                      (unsigned long long)(low & 0xffffffffffff));
}

static Str url_of(const Writer *writer, Str kind, Str of)
{
    return str_format(writer->arena, "urn:uuid:%.*s", STR_ARG(uuid_of(writer, kind, of)));
}

static void member_coding(JsonWriter *json, Str key, Str system, Str code, Str display)
{
    json_key(json, key);
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

static void member_reference(JsonWriter *json, Str key, Str reference)
{
    json_key(json, key);
    json_object_begin(json);
    json_member_str(json, S("reference"), reference);
    json_object_end(json);
}

/* Who says it: the organisation, or the name of what worked it out. */
static void author_object(Writer *writer)
{
    JsonWriter *json = &writer->json;
    json_object_begin(json);
    if (str_is_empty(writer->frame->author))
        json_member_str(json, S("display"), S("Braid"));
    else
        json_member_str(
            json, S("reference"),
            str_format(writer->arena, "Organization/%.*s", STR_ARG(writer->frame->author)));
    json_object_end(json);
}

/* Begins an entry and its resource, up to the profile. */
static void resource_begin(Writer *writer, Str type, Str of, Str profile)
{
    JsonWriter *json = &writer->json;
    json_object_begin(json);
    json_member_str(json, S("fullUrl"), url_of(writer, type, of));
    json_key(json, S("resource"));
    json_object_begin(json);
    json_member_str(json, S("resourceType"), type);
    json_member_str(json, S("id"), uuid_of(writer, type, of));
    json_key(json, S("meta"));
    json_object_begin(json);
    json_key(json, S("profile"));
    json_array_begin(json);
    json_str(json, str_format(writer->arena, DEQM "StructureDefinition/%.*s", STR_ARG(profile)));
    json_array_end(json);
    json_object_end(json);
}

static void resource_end(Writer *writer)
{
    json_object_end(&writer->json);
    json_object_end(&writer->json);
}

static bool has_issue(const Gap *gap)
{
    return gap->status == GAP_OPEN || gap->status == GAP_DUE_SOON || gap->status == GAP_CLOSED;
}

static const IndicatorSpec *indicator_of(const Writer *writer, const Gap *gap)
{
    return &writer->frame->spec->indicators[gap->indicator];
}

static void write_composition(Writer *writer, const GapWithEvidence *gaps, size_t count)
{
    JsonWriter *json = &writer->json;
    resource_begin(writer, S("Composition"), S("document"), S("gaps-composition-deqm"));
    json_member_str(json, S("status"), S("final"));
    member_coding(json, S("type"), S("http://loinc.org"), S("96315-7"), S("Gaps in care report"));
    member_reference(json, S("subject"), writer->patient_url);
    json_member_str(json, S("date"), writer->frame->date);
    json_key(json, S("author"));
    json_array_begin(json);
    author_object(writer);
    json_array_end(json);
    json_member_str(json, S("title"),
                    str_format(writer->arena, "Gaps in care: %.*s", STR_ARG(writer->frame->title)));
    if (count > 0) {
        json_key(json, S("section"));
        json_array_begin(json);
    }
    for (size_t i = 0; i < count; i++) {
        const IndicatorSpec *spec = indicator_of(writer, &gaps[i].gap);
        json_object_begin(json);
        json_member_str(json, S("title"), spec->title);
        member_reference(json, S("focus"), url_of(writer, S("MeasureReport"), spec->id));
        if (has_issue(&gaps[i].gap)) {
            json_key(json, S("entry"));
            json_array_begin(json);
            json_object_begin(json);
            json_member_str(json, S("reference"), url_of(writer, S("DetectedIssue"), spec->id));
            json_object_end(json);
            json_array_end(json);
        } else {
            json_key(json, S("text"));
            json_object_begin(json);
            json_member_str(json, S("status"), S("generated"));
            json_member_str(json, S("div"),
                            str_format(writer->arena,
                                       "<div xmlns=\"http://www.w3.org/1999/xhtml\">%.*s</div>",
                                       STR_ARG(gap_status_name(gaps[i].gap.status))));
            json_object_end(json);
        }
        json_object_end(json);
    }
    if (count > 0)
        json_array_end(json);
    resource_end(writer);
}

static void write_patient(Writer *writer)
{
    JsonWriter *json = &writer->json;
    StrBuf patient;
    strbuf_init(&patient, writer->arena, 0);
    if (!fhir_write_json(record_patient(writer->record), &patient))
        return;
    json_object_begin(json);
    json_member_str(json, S("fullUrl"), writer->patient_url);
    json_key(json, S("resource"));
    json_raw(json, strbuf_str(&patient));
    json_object_end(json);
}

static void population(JsonWriter *json, Str code, Str display, bool is_in)
{
    json_object_begin(json);
    member_coding(json, S("code"), S("http://terminology.hl7.org/CodeSystem/measure-population"),
                  code, display);
    json_member_int(json, S("count"), is_in);
    json_object_end(json);
}

/* In FHIR's terms: where less is better an open gap is in the numerator. */
static void write_populations(Writer *writer, const IndicatorSpec *spec, const Gap *gap)
{
    JsonWriter *json = &writer->json;
    bool is_open = gap->status == GAP_OPEN;
    bool is_achieved = gap->status == GAP_CLOSED || gap->status == GAP_DUE_SOON;
    json_key(json, S("group"));
    json_array_begin(json);
    json_object_begin(json);
    json_key(json, S("population"));
    json_array_begin(json);
    population(json, S("initial-population"), S("Initial Population"), true);
    population(json, S("denominator"), S("Denominator"), true);
    population(json, S("denominator-exclusion"), S("Denominator Exclusion"),
               gap->status == GAP_EXCLUDED);
    population(json, S("numerator"), S("Numerator"), spec->is_decrease ? is_open : is_achieved);
    population(json, S("denominator-exception"), S("Denominator Exception"),
               gap->status == GAP_EXCEPTED);
    json_array_end(json);
    if (is_open || is_achieved) {
        bool is_numerator = spec->is_decrease ? is_open : is_achieved;
        json_key(json, S("measureScore"));
        json_object_begin(json);
        json_key(json, S("value"));
        json_raw(json, is_numerator ? S("1.0") : S("0.0"));
        json_object_end(json);
    }
    json_object_end(json);
    json_array_end(json);
}

static bool has_resources(const EvidenceVec *evidence)
{
    VEC_FOREACH (const Evidence, each, evidence)
        if (!str_is_empty(each->resource))
            return true;
    return false;
}

static void write_resources(Writer *writer, Str key, const EvidenceVec *evidence)
{
    JsonWriter *json = &writer->json;
    json_key(json, key);
    json_array_begin(json);
    VEC_FOREACH (const Evidence, each, evidence)
        if (!str_is_empty(each->resource)) {
            json_object_begin(json);
            json_member_str(json, S("reference"), each->resource);
            json_object_end(json);
        }
    json_array_end(json);
}

static void write_report(Writer *writer, const GapWithEvidence *of)
{
    const IndicatorSpec *spec = indicator_of(writer, &of->gap);
    const GapDocumentFrame *frame = writer->frame;
    JsonWriter *json = &writer->json;
    resource_begin(writer, S("MeasureReport"), spec->id, S("indv-measurereport-deqm"));
    json_member_str(json, S("status"), S("complete"));
    json_member_str(json, S("type"), S("individual"));
    json_member_str(json, S("measure"),
                    str_format(writer->arena, "urn:braid:measure:%.*s:%.*s|%.*s",
                               STR_ARG(frame->programme), STR_ARG(spec->id),
                               STR_ARG(frame->version)));
    member_reference(json, S("subject"), writer->patient_url);
    json_member_str(json, S("date"), frame->date);
    json_key(json, S("reporter"));
    author_object(writer);
    json_key(json, S("period"));
    json_object_begin(json);
    json_member_str(json, S("start"), day_format(writer->arena, frame->period_first));
    json_member_str(json, S("end"), day_format(writer->arena, frame->period_last));
    json_object_end(json);
    member_coding(json, S("improvementNotation"),
                  S("http://terminology.hl7.org/CodeSystem/measure-improvement-notation"),
                  spec->is_decrease ? S("decrease") : S("increase"), S(""));
    write_populations(writer, spec, &of->gap);
    if (has_resources(&of->evidence))
        write_resources(writer, S("evaluatedResource"), &of->evidence);
    resource_end(writer);
}

static void write_status(Writer *writer, const Gap *gap)
{
    JsonWriter *json = &writer->json;
    json_key(json, S("modifierExtension"));
    json_array_begin(json);
    json_object_begin(json);
    json_member_str(json, S("url"), S(DEQM "StructureDefinition/extension-gapStatus"));
    member_coding(json, S("valueCodeableConcept"), S(DEQM "CodeSystem/gaps-status"),
                  gap->status == GAP_OPEN       ? S("open-gap")
                  : gap->status == GAP_DUE_SOON ? S("prospective-gap")
                                                : S("closed-gap"),
                  S(""));
    json_object_end(json);
    json_array_end(json);
}

static void write_issue(Writer *writer, const GapWithEvidence *of)
{
    const IndicatorSpec *spec = indicator_of(writer, &of->gap);
    JsonWriter *json = &writer->json;
    resource_begin(writer, S("DetectedIssue"), spec->id, S("gaps-detectedissue-deqm"));
    write_status(writer, &of->gap);
    json_member_str(json, S("status"), S("final"));
    member_coding(json, S("code"), S("http://terminology.hl7.org/CodeSystem/v3-ActCode"),
                  S("CAREGAP"), S("Care Gaps"));
    member_reference(json, S("patient"), writer->patient_url);
    json_member_str(json, S("identifiedDateTime"), writer->frame->date);
    json_key(json, S("evidence"));
    json_array_begin(json);
    json_object_begin(json);
    json_key(json, S("detail"));
    json_array_begin(json);
    json_object_begin(json);
    json_member_str(json, S("reference"), url_of(writer, S("MeasureReport"), spec->id));
    json_object_end(json);
    json_array_end(json);
    json_object_end(json);
    json_array_end(json);
    if (of->gap.due_day != DAY_NONE)
        json_member_str(json, S("detail"),
                        str_format(writer->arena, "due on %.*s",
                                   STR_ARG(day_format(writer->arena, of->gap.due_day))));
    if (of->gap.status != GAP_CLOSED && !str_is_empty(spec->closes)) {
        json_key(json, S("mitigation"));
        json_array_begin(json);
        json_object_begin(json);
        json_key(json, S("action"));
        json_object_begin(json);
        json_member_str(json, S("text"), spec->closes);
        json_object_end(json);
        json_object_end(json);
        json_array_end(json);
    }
    resource_end(writer);
}

void measure_gap_document(const GapDocumentFrame *frame, Record record, const GapWithEvidence *gaps,
                          size_t count, StrBuf *out)
{
    Writer writer = {
        .frame = frame, .arena = out->arena, .record = record, .person = record_person_id(record)};
    JsonWriter *json = &writer.json;
    json_writer_init(json, out, false);
    writer.patient_url = url_of(&writer, S("Patient"), S(""));
    json_object_begin(json);
    json_member_str(json, S("resourceType"), S("Bundle"));
    json_member_str(json, S("id"), uuid_of(&writer, S("Bundle"), S("")));
    json_key(json, S("meta"));
    json_object_begin(json);
    json_key(json, S("profile"));
    json_array_begin(json);
    json_str(json, S(DEQM "StructureDefinition/gaps-bundle-deqm"));
    json_array_end(json);
    json_object_end(json);
    json_key(json, S("identifier"));
    json_object_begin(json);
    json_member_str(json, S("system"), S("urn:ietf:rfc:3986"));
    json_member_str(json, S("value"), url_of(&writer, S("Bundle"), S("")));
    json_object_end(json);
    json_member_str(json, S("type"), S("document"));
    json_member_str(json, S("timestamp"), frame->date);
    json_key(json, S("entry"));
    json_array_begin(json);
    write_composition(&writer, gaps, count);
    write_patient(&writer);
    for (size_t i = 0; i < count; i++)
        write_report(&writer, &gaps[i]);
    for (size_t i = 0; i < count; i++)
        if (has_issue(&gaps[i].gap))
            write_issue(&writer, &gaps[i]);
    json_array_end(json);
    json_object_end(json);
    json_line_end(json);
}

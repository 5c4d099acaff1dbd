/*
 * A statement as FHIR MeasureReport, by the profile vbp-performance-measurereport of the Da Vinci
 * Value-Based Performance Reporting guide: category vbp, type summary, the organisation as subject
 * by extension, a group a clause whose score is money, strata by period.
 */
#include "base/date.h"
#include "base/json.h"
#include "settle/settle_int.h"

#define VBPR "http://hl7.org/fhir/us/davinci-vbpr/StructureDefinition/"

typedef struct {
    StatementLines lines;
    JsonWriter json;
} Report;

static void put_url(JsonWriter *json, const char *url)
{
    json_object_begin(json);
    json_member_str(json, S("url"), str_from_c(url));
}

static void put_reference(Report *report, Str key, Str type, Str id)
{
    JsonWriter *json = &report->json;
    json_key(json, key);
    json_object_begin(json);
    json_member_str(json, S("reference"),
                    str_format(report->lines.arena, "%.*s/%.*s", STR_ARG(type), STR_ARG(id)));
    json_object_end(json);
}

static void put_period(Report *report, Str key, int32_t first, int32_t last)
{
    JsonWriter *json = &report->json;
    json_key(json, key);
    json_object_begin(json);
    json_member_str(json, S("start"), day_format(report->lines.arena, first));
    json_member_str(json, S("end"), day_format(report->lines.arena, last));
    json_object_end(json);
}

/* measureScore with the amount as Money: the profile's alternate score. */
static void put_score(Report *report, int64_t minor)
{
    JsonWriter *json = &report->json;
    const Contract *contract = report->lines.contract;
    json_key(json, S("measureScore"));
    json_object_begin(json);
    json_key(json, S("extension"));
    json_array_begin(json);
    put_url(json, VBPR "alternate-measurescore");
    json_key(json, S("valueMoney"));
    json_object_begin(json);
    json_key(json, S("value"));
    json_raw(json, money_format(report->lines.arena, minor, contract->currency, false));
    json_member_str(json, S("currency"), str_from_c(contract->currency.code));
    json_object_end(json);
    json_object_end(json);
    json_array_end(json);
    json_object_end(json);
}

static void put_concept(Report *report, Str key, Str text)
{
    JsonWriter *json = &report->json;
    json_key(json, key);
    json_object_begin(json);
    json_member_str(json, S("text"), text);
    json_object_end(json);
}

static bool has_lines(const StatementLines *lines, const Clause *clause, Str period)
{
    for (size_t i = 0; i < lines->line_count; i++)
        if (lines->lines[i].clause == clause && str_eq(lines->lines[i].period, period))
            return true;
    return false;
}

static void put_strata(Report *report, const Clause *clause)
{
    JsonWriter *json = &report->json;
    const Str *periods;
    size_t count = settle_statement_periods(&report->lines, &periods);
    json_key(json, S("stratifier"));
    json_array_begin(json);
    json_object_begin(json);
    json_key(json, S("code"));
    json_array_begin(json);
    json_object_begin(json);
    json_member_str(json, S("text"), S("period"));
    json_object_end(json);
    json_array_end(json);
    json_key(json, S("stratum"));
    json_array_begin(json);
    for (size_t i = 0; i < count; i++) {
        if (!has_lines(&report->lines, clause, periods[i]))
            continue;
        json_object_begin(json);
        put_concept(report, S("value"), periods[i]);
        put_score(report, settle_statement_total(&report->lines, clause, periods[i]));
        json_object_end(json);
    }
    json_array_end(json);
    json_object_end(json);
    json_array_end(json);
}

/* The first and last day that the practice's lines of the clause (NULL: of all) are for. */
static bool days_of(const StatementLines *lines, const Clause *clause, int32_t *ret_first,
                    int32_t *ret_last)
{
    bool is_found = false;
    for (size_t i = 0; i < lines->line_count; i++) {
        const SettleLine *line = &lines->lines[i];
        if (clause != NULL && line->clause != clause)
            continue;
        *ret_first = !is_found || line->first_day < *ret_first ? line->first_day : *ret_first;
        *ret_last = !is_found || line->last_day > *ret_last ? line->last_day : *ret_last;
        is_found = true;
    }
    return is_found;
}

static void put_group(Report *report, const Clause *clause)
{
    JsonWriter *json = &report->json;
    int32_t first = 0;
    int32_t last = 0;
    if (!days_of(&report->lines, clause, &first, &last))
        return;
    json_object_begin(json);
    json_member_str(json, S("id"), clause->id);
    json_key(json, S("extension"));
    json_array_begin(json);
    put_url(json, VBPR "service-period");
    put_period(report, S("valuePeriod"), first, last);
    json_object_end(json);
    json_array_end(json);
    put_concept(report, S("code"), clause->title);
    put_score(report, settle_statement_total(&report->lines, clause, S("")));
    put_strata(report, clause);
    json_object_end(json);
}

static void put_head(Report *report, int32_t first, int32_t last)
{
    JsonWriter *json = &report->json;
    const StatementLines *lines = &report->lines;
    json_member_str(json, S("resourceType"), S("MeasureReport"));
    json_key(json, S("meta"));
    json_object_begin(json);
    json_key(json, S("profile"));
    json_array_begin(json);
    json_str(json, S(VBPR "vbp-performance-measurereport"));
    json_array_end(json);
    json_object_end(json);
    json_key(json, S("extension"));
    json_array_begin(json);
    put_url(json, "http://hl7.org/fhir/StructureDefinition/measurereport-category");
    json_key(json, S("valueCodeableConcept"));
    json_object_begin(json);
    json_key(json, S("coding"));
    json_array_begin(json);
    json_object_begin(json);
    json_member_str(json, S("system"), S("http://hl7.org/fhir/CodeSystem/measurereport-category"));
    json_member_str(json, S("code"), S("vbp"));
    json_object_end(json);
    json_array_end(json);
    json_object_end(json);
    json_object_end(json);
    json_array_end(json);
    json_member_str(json, S("status"), S("complete"));
    json_member_str(json, S("type"), S("summary"));
    json_member_str(json, S("measure"),
                    str_format(lines->arena, "urn:braid:contract:%.*s|%d",
                               STR_ARG(lines->contract->id), lines->contract->version));
    json_key(json, S("subject"));
    json_object_begin(json);
    json_key(json, S("extension"));
    json_array_begin(json);
    put_url(json, VBPR "organization-subject");
    put_reference(report, S("valueReference"), S("Organization"), lines->statement->practice);
    json_object_end(json);
    json_array_end(json);
    json_member_str(json, S("display"),
                    lines->line_count == 0 ? lines->statement->practice
                                           : lines->lines[0].practice_name);
    json_object_end(json);
    json_member_str(json, S("date"), day_format(lines->arena, last));
    Str payer = S("payer");
    for (size_t i = 0; i < lines->contract->party_count; i++)
        if (lines->contract->parties[i].role == PARTY_PAYER)
            payer = lines->contract->parties[i].id;
    put_reference(report, S("reporter"), S("Organization"), payer);
    put_period(report, S("period"), first, last);
}

ErrorCode settle_statement_fhir(const SettleStatement *statement, StrBuf *out, Error *err)
{
    CLEANUP(arena_cleanup) Arena *arena = arena_create(0);
    Report report = {.lines = settle_statement_lines(statement, arena)};
    const Contract *contract = report.lines.contract;
    int32_t first = 0;
    int32_t last = 0;
    if (!days_of(&report.lines, NULL, &first, &last))
        return error_set(err, ERR_NOT_FOUND, "practice %.*s has no lines",
                         STR_ARG(statement->practice));
    json_writer_init(&report.json, out, true);
    json_object_begin(&report.json);
    put_head(&report, first, last);
    json_key(&report.json, S("group"));
    json_array_begin(&report.json);
    for (size_t i = 0; i < contract->clause_count; i++)
        put_group(&report, &contract->clauses[i]);
    json_array_end(&report.json);
    json_object_end(&report.json);
    strbuf_add_char(out, '\n');
    return ERR_OK;
}

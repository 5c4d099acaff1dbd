/* What the reader takes, what it refuses and why, and how it goes on. */
#include "support.h"

#define PATIENT(members) "{\"resourceType\":\"Patient\"," members "}"
#define OBS(members)                                                                               \
    "{\"resourceType\":\"Observation\",\"status\":\"final\",\"code\":{\"text\":\"x\"}," members "}"

typedef struct {
    DiagList diags;
    FhirReader *reader;
    ConceptBuilder *concepts;
} Reading;

static Reading begin(Arena *arena, FhirReaderOptions options)
{
    Reading reading = {.concepts = concept_builder_create()};
    reading.reader = fhir_reader_create(reading.concepts, &options);
    diag_init(&reading.diags, arena);
    return reading;
}

static void end(Reading *reading)
{
    fhir_reader_destroy(reading->reader);
    concept_builder_destroy(reading->concepts);
}

/* Each row breaks one rule; rows of which two are broken fix which one is named. */
static const struct {
    const char *json;
    const char *rule;
    const char *path;
} refusals[] = {
    /* clang-format off */
    {PATIENT("\"id\":\"\xff\""), "json-utf8", "Patient.id"},
    {"{\"resourceType\":\"Patient\",\"id\":\"a", "json-string", "Patient.id"},
    {PATIENT("\"id\":\"a\tb\""), "json-string", "Patient.id"},
    {PATIENT("\"id\" \"a\""), "json-syntax", "Patient"},
    {PATIENT("\"active\":true \"id\":\"a\""), "json-syntax", "Patient.active"},
    {PATIENT("\"language\":\"\\x\""), "json-escape", "Patient.language"},
    {PATIENT("\"language\":\"\\u0000\""), "json-escape", "Patient.language"},
    {PATIENT("\"language\":\"\\ud800x\""), "json-escape", "Patient.language"},
    {PATIENT("\"language\":\"\\udc00\""), "json-escape", "Patient.language"},
    {"[]", "fhir-not-a-resource", ""},
    {"{\"id\":\"a\"}", "fhir-resource-type", ""},
    {"{\"resourceType\":\"Patent\"}", "fhir-resource-type", ""},
    {"{\"resourceType\":\"DomainResource\"}", "fhir-resource-type", ""},
    {"{\"resourceType\":\"HumanName\"}", "fhir-resource-type", ""},
    {PATIENT("\"active\":true,\"active\":true"), "fhir-duplicate-element", "Patient.active"},
    {PATIENT("\"_active\":{\"id\":\"a\"},\"_active\":{\"id\":\"a\"}"), "fhir-duplicate-element", "Patient._active"},
    {PATIENT("\"colour\":\"red\""), "fhir-unknown-element", "Patient.colour"},
    {PATIENT("\"name\":[{\"given\":[\"a\"]},{\"givven\":[\"b\"]}]"), "fhir-unknown-element", "Patient.name[1].givven"},
    {PATIENT("\"_name\":[{\"id\":\"a\"}]"), "fhir-unknown-element", "Patient._name"},
    {OBS("\"valueInteger\":1,\"valueString\":\"a\""), "fhir-second-choice", "Observation.valueString"},
    {PATIENT("\"name\":{\"family\":\"a\"}"), "fhir-wants-list", "Patient.name"},
    {PATIENT("\"active\":[true]"), "fhir-wants-single", "Patient.active"},
    {PATIENT("\"name\":[[{}]]"), "fhir-wants-object", "Patient.name[0]"},
    {PATIENT("\"name\":[\"a\"]"), "fhir-wants-object", "Patient.name[0]"},
    {PATIENT("\"id\":12"), "fhir-wants-string", "Patient.id"},
    {PATIENT("\"birthDate\":2000"), "fhir-wants-string", "Patient.birthDate"},
    {OBS("\"component\":[{\"code\":{\"text\":\"a\"}},{\"code\":{\"text\":\"b\"},\"valueQuantity\":{\"value\":\"12\"}}]"),
     "fhir-wants-number", "Observation.component[1].valueQuantity.value"},
    {PATIENT("\"active\":\"true\""), "fhir-wants-boolean", "Patient.active"},
    {PATIENT("\"active\":truer"), "fhir-wants-boolean", "Patient.active"},
    {PATIENT("\"name\":[]"), "fhir-empty", "Patient.name"},
    {PATIENT("\"maritalStatus\":{}"), "fhir-empty", "Patient.maritalStatus"},
    {PATIENT("\"id\":\"\""), "fhir-empty", "Patient.id"},
    {PATIENT("\"language\":null"), "fhir-null", "Patient.language"},
    {PATIENT("\"name\":[null]"), "fhir-wants-object", "Patient.name[0]"},
    {PATIENT("\"birthDate\":\"2021-02-30\""), "fhir-date", "Patient.birthDate"},
    {PATIENT("\"birthDate\":\"2021-02-03T00:00:00Z\""), "fhir-date", "Patient.birthDate"},
    {PATIENT("\"birthDate\":\"21-02-03\""), "fhir-date", "Patient.birthDate"},
    {OBS("\"effectiveDateTime\":\"2021-02-03T10:00:00\""), "fhir-date", "Observation.effectiveDateTime"},
    {OBS("\"effectiveDateTime\":\"2021-02-03T10:00Z\""), "fhir-date", "Observation.effectiveDateTime"},
    {OBS("\"effectiveDateTime\":\"2021-02-03T24:00:00Z\""), "fhir-date", "Observation.effectiveDateTime"},
    {OBS("\"issued\":\"2021-02-03\""), "fhir-date", "Observation.issued"},
    {OBS("\"valueTime\":\"8:30\""), "fhir-date", "Observation.valueTime"},
    {OBS("\"valueInteger\":1.0"), "fhir-integer", "Observation.valueInteger"},
    {OBS("\"valueInteger\":2147483648"), "fhir-integer", "Observation.valueInteger"},
    {OBS("\"valueInteger\":01"), "fhir-integer", "Observation.valueInteger"},
    {PATIENT("\"telecom\":[{\"rank\":0}]"), "fhir-integer", "Patient.telecom[0].rank"},
    {OBS("\"valueQuantity\":{\"value\":1.}"), "fhir-decimal", "Observation.valueQuantity.value"},
    {OBS("\"valueQuantity\":{\"value\":00.5}"), "fhir-decimal", "Observation.valueQuantity.value"},
    {PATIENT("\"id\":\"a_b\""), "fhir-id", "Patient.id"},
    {PATIENT("\"gender\":\" male\""), "fhir-code", "Patient.gender"},
    {PATIENT("\"implicitRules\":\"a b\""), "fhir-uri", "Patient.implicitRules"},
    {PATIENT("\"extension\":[{\"url\":\"u\",\"valueOid\":\"urn:oid:1.02\"}]"), "fhir-oid", "Patient.extension[0].valueOid"},
    {PATIENT("\"extension\":[{\"url\":\"u\",\"valueUuid\":\"urn:uuid:1\"}]"), "fhir-uuid", "Patient.extension[0].valueUuid"},
    {PATIENT("\"photo\":[{\"data\":\"a*b\"}]"), "fhir-base64", "Patient.photo[0].data"},
    {"{\"resourceType\":\"Bundle\",\"type\":\"searchset\",\"entry\":[{\"response\":{\"status\":\"200\"}}]}", "fhir-bundle-kind", "Bundle.entry"},
    {"{\"resourceType\":\"Bundle\",\"type\":\"searchset\",\"entry\":[{\"resource\":{\"resourceType\":\"Patient\",\"active\":1}}]}",
     "fhir-wants-boolean", "Bundle.entry[0].resource.active"},
    /* clang-format on */
};

TEST(refusals_name_the_rule_and_the_place)
{
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        Str text = padded(arena, str_from_c(refusals[i].json));
        Reading reading =
            begin(arena, (FhirReaderOptions){.keep_narrative = true, .split_bundles = true});
        FhirParsed parsed;
        fhir_reader_begin(reading.reader, text, S("f"), 1, &reading.diags);
        CHECK_ROW(refusals[i].json, fhir_reader_next(reading.reader, &parsed), true);
        CHECK_ROW(refusals[i].json, parsed.is_refused, true);
        CHECK_ROW(refusals[i].json, (int64_t)reading.diags.counts[SEVERITY_ERROR], 1);
        if (reading.diags.kept.count == 1) {
            CHECK_ROW_STR(refusals[i].json, reading.diags.kept.items[0].rule,
                          str_from_c(refusals[i].rule));
            CHECK_ROW_STR(refusals[i].json, reading.diags.kept.items[0].path,
                          str_from_c(refusals[i].path));
        }
        CHECK_ROW(refusals[i].json, fhir_reader_next(reading.reader, &parsed), false);
        end(&reading);
    }
}

TEST(what_is_missing_is_warned_of_and_kept)
{
    Str text = padded(
        arena, S("{\"resourceType\":\"Observation\",\"id\":\"a\",\"code\":{\"text\":\"x\"}}"));
    Reading reading = begin(arena, (FhirReaderOptions){0});
    FhirParsed parsed;
    fhir_reader_begin(reading.reader, text, S("f"), 1, &reading.diags);
    CHECK(fhir_reader_next(reading.reader, &parsed) && !parsed.is_refused);
    CHECK_INT((int64_t)reading.diags.counts[SEVERITY_WARNING], 1);
    CHECK_STR(reading.diags.kept.items[0].path, S("Observation.status"));
    end(&reading);
}

TEST(a_full_url_that_is_no_text_is_warned_of)
{
    Str text = padded(arena, S("{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"entry\":["
                               "{\"fullUrl\":x\"urn:y\",\"resource\":{\"resourceType\":\"Patient\","
                               "\"id\":\"a\"}},{\"fullUrl\":\"ur\\:n\",\"resource\":"
                               "{\"resourceType\":\"Patient\",\"id\":\"b\"}}]}"));
    Reading reading = begin(arena, (FhirReaderOptions){.split_bundles = true});
    FhirParsed parsed;
    fhir_reader_begin(reading.reader, text, S("f"), 1, &reading.diags);
    CHECK(fhir_reader_next(reading.reader, &parsed) && !parsed.is_refused);
    CHECK(fhir_reader_next(reading.reader, &parsed) && !parsed.is_refused);
    CHECK_INT((int64_t)reading.diags.counts[SEVERITY_WARNING], 2);
    if (CHECK_INT((int64_t)reading.diags.kept.count, 2)) {
        CHECK_STR(reading.diags.kept.items[0].rule, S("fhir-wants-string"));
        CHECK_STR(reading.diags.kept.items[1].path, S("Bundle.entry[1].fullUrl"));
    }
    end(&reading);
}

/* Depth counts objects and lists: 64 may be. */
TEST(depth_has_a_limit)
{
    for (int depth = 29; depth <= 33; depth++) {
        StrBuf json;
        strbuf_init(&json, arena, 0);
        strbuf_add(&json, S("{\"resourceType\":\"Patient\""));
        for (int i = 0; i < depth; i++)
            strbuf_add(&json, S(",\"extension\":[{\"url\":\"u\""));
        for (int i = 0; i < depth; i++)
            strbuf_add(&json, S("}]"));
        strbuf_add(&json, S("}"));
        bool fits = 1 + 2 * depth <= LIMIT_JSON_DEPTH;
        Str text = padded(arena, strbuf_str(&json));
        Reading reading = begin(arena, (FhirReaderOptions){0});
        FhirParsed parsed;
        fhir_reader_begin(reading.reader, text, S("f"), 1, &reading.diags);
        CHECK(fhir_reader_next(reading.reader, &parsed));
        CHECK_INT(parsed.is_refused, !fits);
        end(&reading);
    }
}

/* Reads all and writes ids of what is good, '!' for what is refused. */
static Str read_all(Arena *arena, Str json, FhirReaderOptions options)
{
    Str text = padded(arena, json);
    Reading reading = begin(arena, options);
    FhirParsed parsed;
    StrBuf out;
    strbuf_init(&out, arena, 0);
    fhir_reader_begin(reading.reader, text, S("f"), 1, &reading.diags);
    while (fhir_reader_next(reading.reader, &parsed)) {
        strbuf_printf(&out, "%u:", parsed.line);
        strbuf_add(&out, parsed.is_refused ? S("!") : parsed.facts.id);
        strbuf_add_char(&out, ' ');
    }
    end(&reading);
    return strbuf_str(&out);
}

#define GOOD(id) "{\"resourceType\":\"Patient\",\"id\":\"" id "\"}\n"

TEST(a_bad_line_costs_only_itself)
{
    static const struct {
        const char *bad;
        const char *want;
    } rows[] = {
        /* clang-format off */
        {"{\"resourceType\":\"Patient\",\"id\":\"x\n", "1:a 2:! 3:b "},
        {"{\"resourceType\":\"Patient\",\"name\":[{\n", "1:a 2:! 3:b "},
        {"{\"resourceType\":\"Patient\",\"active\":1}}}]\n", "1:a 2:! 3:b "},
        {"junk }{ [1 2 3] \"\n", "1:a 2:! 3:b "},
        {"junk }{ [1 2 3] \"\"\n", "1:a 2:! 3:b "},
        {"\x01\x02\n", "1:a 2:! 3:b "},
        {"\xff\xfe\n", "1:a 2:! 3:b "},
        {"\n", "1:a 3:b "},
        {"[" GOOD("x"), "1:a 2:! 3:b "},
        {"{\"resourceType\":\"Patient\"}", "1:a 2: 2:b "},
        /* clang-format on */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Str json = str_format(arena, "%s%s%s", GOOD("a"), rows[i].bad, GOOD("b"));
        CHECK_ROW_STR(rows[i].bad, read_all(arena, json, (FhirReaderOptions){0}),
                      str_from_c(rows[i].want));
    }
}

TEST(resources_have_a_size_limit)
{
    Str json = S(GOOD("a") "{\"resourceType\":\"Patient\",\"id\":\"b\",\"language\":"
                           "\"0123456789012345\"}\n" GOOD("c"));
    CHECK_STR(read_all(arena, json, (FhirReaderOptions){.resource_bytes_max = 60}),
              S("1:a 2:! 3:c "));
}

TEST(facts_come_from_the_directory_table)
{
    TapeArea area;
    FhirFacts facts;
    Error err = {0};
    ConceptBuilder *concepts = concept_builder_create();
    CHECK_OK(fhir_parse_one(arena, concepts,
                            S("{\"resourceType\":\"Observation\",\"id\":\"o\",\"status\":\"final\","
                              "\"code\":{\"coding\":[{\"system\":\"s\",\"code\":\"c\"},{\"system\":"
                              "\"t\",\"code\":\"d\"}]},\"subject\":{\"reference\":\"Patient/p\"},"
                              "\"effectiveDateTime\":\"2020-01-01T00:30:00+02:00\",\"performer\":[{"
                              "\"reference\":\"Practitioner/x\"},{\"reference\":\"Organization/h\"}"
                              "],\"valueQuantity\":{\"value\":6.5}}"),
                            &area, &facts, &err),
             &err);
    size_t count;
    CHECK_INT(facts.type, FHIR_TYPE_Observation);
    CHECK(!facts.is_shared);
    CHECK_STR(facts.id, S("o"));
    CHECK_STR(facts.patient_id, S("p"));
    (void)concept_builder_members(concepts, facts.concept, &count);
    CHECK_INT((int64_t)count, 2);
    CHECK_INT(facts.day, day_from_date(2020, 1, 1));
    CHECK_INT(facts.instant_ms,
              (int64_t)day_from_date(2020, 1, 1) * 86400000 - INT64_C(90) * 60000);
    CHECK_INT(facts.number, 650000000);
    CHECK_STR(concept_builder_name(concepts, facts.org).system, S("Organization"));
    CHECK_STR(concept_builder_name(concepts, facts.org).code, S("h"));
    CHECK_OK(fhir_parse_one(arena, concepts, S("{\"resourceType\":\"Location\",\"id\":\"l\"}"),
                            &area, &facts, &err),
             &err);
    CHECK(facts.is_shared);
    CHECK_OK(fhir_parse_one(arena, concepts,
                            S("{\"resourceType\":\"Patient\",\"id\":\"p\",\"birthDate\":\"1950\"}"),
                            &area, &facts, &err),
             &err);
    CHECK_STR(facts.patient_id, S("p"));
    CHECK_INT(facts.day, day_from_date(1950, 1, 1));
    CHECK_INT(facts.concept, CONCEPT_NONE);
    concept_builder_destroy(concepts);
}

/* All that a reader gives and finds: "line:id" or "line:!" for each resource, "line rule path" for
   each finding. */
static Str read_bundle(Arena *arena, Str json)
{
    StrBuf out;
    strbuf_init(&out, arena, 0);
    Str text = padded(arena, json);
    Reading reading =
        begin(arena, (FhirReaderOptions){.split_bundles = true, .resolve_urns = true});
    FhirParsed parsed;
    fhir_reader_begin(reading.reader, text, S("f"), 1, &reading.diags);
    while (fhir_reader_next(reading.reader, &parsed)) {
        CHECK(parsed.is_refused == (parsed.finding != NULL));
        CHECK(parsed.source_text.ptr >= text.ptr &&
              parsed.source_text.ptr + parsed.source_text.len <= text.ptr + text.len);
        strbuf_printf(&out, "%u:%.*s", parsed.line,
                      parsed.is_refused ? 1 : (int)parsed.facts.id.len,
                      parsed.is_refused ? "!" : parsed.facts.id.ptr);
        if (parsed.facts.patient_id.len > 0 && parsed.facts.type != FHIR_TYPE_Patient)
            strbuf_printf(&out, "(%.*s)", STR_ARG(parsed.facts.patient_id));
        strbuf_add_char(&out, ' ');
    }
    VEC_FOREACH (Diag, diag, &reading.diags.kept)
        strbuf_printf(&out, "| %u %.*s %.*s ", diag->line, STR_ARG(diag->rule),
                      STR_ARG(diag->path));
    end(&reading);
    return strbuf_str(&out);
}

#define BUNDLE(type, entries)                                                                      \
    "{\"resourceType\":\"Bundle\",\"type\":\"" type "\",\"entry\":[" entries "]}"
#define PAT(id) "{\"resource\":{\"resourceType\":\"Patient\",\"id\":\"" id "\"}}"

/* What is wrong with a Bundle's envelope is said, and costs no resource. */
TEST(envelopes_of_bundles_are_checked)
{
    static const struct {
        const char *json;
        const char *want;
    } rows[] = {
        /* clang-format off */
        {BUNDLE("collection", PAT("a") "," PAT("b")), "1:a 1:b "},
        {BUNDLE("message", PAT("a")), "1:a "},
        {BUNDLE("document", PAT("a")), "1:a "},
        {BUNDLE("nonsense", PAT("a")), "1:a | 1 fhir-bundle-type Bundle.type "},
        {BUNDLE("history", PAT("a")), "1:a | 1 fhir-bundle-history Bundle.type "},
        {"{\"resourceType\":\"Bundle\",\"type\":5,\"entry\":[" PAT("a") "]}", "1:a | 1 fhir-bundle-type Bundle.type "},
        {"{\"resourceType\":\"Bundle\",\"entry\":[" PAT("a") "]}", "1:a | 1 fhir-missing-element Bundle.type "},
        {"{\"resourceType\":\"Bundle\",\"type\":\"batch\",\"foo\":1,\"entry\":[" PAT("a") "]}", "1:a | 1 fhir-unknown-element Bundle.foo "},
        {"{\"resourceType\":\"Bundle\",\"type\":\"batch\",\"_type\":{\"id\":\"x\"},\"entry\":[" PAT("a") "]}", "1:a "},
        {"{\"resourceType\":\"Bundle\",\"type\":\"batch\",\"type\":\"batch\",\"entry\":[" PAT("a") "]}", "1:a | 1 fhir-duplicate-element Bundle.type "},
        {BUNDLE("batch", "{\"bar\":1,\"resource\":{\"resourceType\":\"Patient\",\"id\":\"a\"}}"), "1:a | 1 fhir-unknown-element Bundle.entry[0].bar "},
        {BUNDLE("batch", "null," PAT("a") ",{},5"),
         "1:! 1:a 1:! 1:! | 1 fhir-wants-object Bundle.entry[0] | 1 fhir-empty Bundle.entry[2] | 1 fhir-wants-object Bundle.entry[3] "},
        {BUNDLE("transaction-response", PAT("a") ",{\"response\":{\"status\":\"201\"}}"), "1:a | 1 fhir-no-resource Bundle.entry[1] "},
        {BUNDLE("history", "{\"request\":{\"method\":\"DELETE\",\"url\":\"Patient/x\"}}," PAT("a")),
         "1:a | 1 fhir-bundle-history Bundle.type | 1 fhir-bundle-delete Bundle.entry[0] "},
        {BUNDLE("batch", "{\"resource\":{\"resourceType\":\"Patient\",\"id\":\"x\"},\"request\":{\"method\":\"DELETE\"}}"),
         "1:! | 1 fhir-bundle-delete Bundle.entry[0] "},
        {BUNDLE("batch", "{\"resource\":" BUNDLE("batch", PAT("a") "," PAT("b")) "}," PAT("c")), "1:a 1:b 1:c "},
        {BUNDLE("batch", "{\"resource\":{\"resourceType\":\"Bundle\",\"type\":\"batch\"}}," PAT("c")),
         "1:! 1:c | 1 fhir-bundle-kind Bundle.entry[0].resource.entry "},
        {BUNDLE("batch", "{\"resource\":" BUNDLE("batch", "{\"resource\":" BUNDLE("batch", PAT("a")) "}") "}," PAT("c")),
         "1:! 1:c | 1 fhir-bundle-nested Bundle.entry[0].resource.entry[0].resource "},
        {"{\"resourceType\":\"Bundle\",\"type\":\"batch\",\"entry\":[" PAT("a") ",{\"resource\":{\"resourceType\":\"Patient\",\"active\":true,", "1:a 1:! | 1 json-syntax Bundle.entry[1].resource.active "},
        {"{\"resourceTyp\\u0065\":\"Bund\\u006ce\",\"type\":\"batch\",\"\\u0065ntry\":[" PAT("a") "]}", "1:a "},
        {"{\"r\\u0065sourceType\":\"Pat\\u0069ent\",\"\\u0069d\":\"x\",\"_\\u0061ctive\":{\"id\":\"y\"}}", "1:x "},
        {"{\"resourceType\":\"Patient\",\"id\":\"x\",\"\\u0069d\":\"x\"}", "1:! | 1 fhir-duplicate-element Patient.\\u0069d "},
        /* clang-format on */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_ROW_STR(rows[i].json, read_bundle(arena, str_from_c(rows[i].json)),
                      str_from_c(rows[i].want));
}

#define LINE_PAT(id)                                                                               \
    "  {\n   \"fullUrl\": \"urn:uuid:" id "\",\n   \"resource\": {\"resourceType\": \"Patient\", " \
    "\"id\": \"" id "\"}\n  }"
#define U3 "d442b673-1185-42f5-bf7c-32eb47bb6b3d"
#define LINE_OBS(id, text)                                                                         \
    "  {\n   \"resource\": {\"resourceType\": \"Observation\", \"id\": \"" id                      \
    "\",\n    \"code\": {\"text\": \"" text "\"}, \"status\": \"final\",\n    \"subject\": "       \
    "{\"reference\": \"urn:uuid:" U3 "\"}}\n  }"
#define HEAD "{\n \"resourceType\": \"Bundle\",\n \"type\": \"batch\",\n \"entry\": [\n"

/* What stands between entries costs none of them. */
TEST(what_stands_between_entries_costs_only_itself)
{
#define LINES(entries)                                                                             \
    "{\"resourceType\":\"Bundle\",\"type\":\"batch\",\"entry\":[\n" entries "\n]}\n"
    static const struct {
        const char *json;
        const char *want;
    } rows[] = {
        /* clang-format off */
        {LINES(PAT("a") "\",\n" PAT("b") ",\n" PAT("c")), "2:a 2:! 3:b 4:c | 2 json-string Bundle.entry[1] "},
        {LINES(PAT("a") ",\n\"" PAT("b") ",\n" PAT("c")), "2:a 3:b 4:c | 3 json-string Bundle.entry "},
        {LINES("\"" PAT("a") ",\n" PAT("b")), "2:a 3:b | 2 json-string Bundle.entry "},
        {LINES(PAT("a") ",\n" PAT("b") "\""), "2:a 3:b | 3 json-string Bundle.entry "},
        {LINES(PAT("a") ",\n\xff" PAT("b") ",\n" PAT("c")), "2:a 3:b 4:c | 3 json-utf8 Bundle.entry "},
        {LINES(PAT("a") " x,\n" PAT("b")), "2:a 2:! 3:b | 2 json-comma Bundle.entry[0] "},
        {LINES(PAT("a") " [1,{\"a\":2}],\n" PAT("b")), "2:a 2:! 3:b | 2 json-comma Bundle.entry[0] "},
        {LINES(PAT("a") ",\"x\",\n" PAT("b")), "2:a 2:! 3:b | 2 fhir-wants-object Bundle.entry[1] "},
        {LINES(PAT("a") "\n" PAT("b")), "2:a 3:b | 3 json-comma Bundle.entry[0] "},
        {LINES(PAT("a") ",,\n" PAT("b") ","), "2:a 3:b | 2 json-comma Bundle.entry[0] | 3 json-comma Bundle.entry[1] "},
        {"{\"resourceType\":\"Bundle\",\"type\":\"batch\",\"entry\":[" PAT("a") "\n{\"resourceType\":\"Patient\",\"id\":\"b\"}", "1:a 2:b | 2 json-syntax Bundle.entry[0] "},
        /* clang-format on */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_ROW_STR(rows[i].json, read_bundle(arena, str_from_c(rows[i].json)),
                      str_from_c(rows[i].want));
}

/* One bad byte, or a cut within a string, costs the entry that it stands in. */
TEST(a_bad_byte_costs_its_entry_only)
{
    static const struct {
        const char *json;
        const char *want;
    } rows[] = {
        /* clang-format off */
        {HEAD LINE_PAT(U3) ",\n" LINE_OBS("a", "x\xff") ",\n" LINE_OBS("b", "x") "]}",
         "7:" U3 " 9:! 15:b(" U3 ") | 11 json-utf8 Bundle.entry[1] "},
        {HEAD LINE_OBS("b", "x") ",\n" LINE_OBS("a", "x\001") ",\n" LINE_PAT(U3) "]}",
         "6:b(" U3 ") 10:! 17:" U3 " | 12 json-string Bundle.entry[1] "},
        {HEAD LINE_OBS("a", "x\ny") ",\n" LINE_OBS("b", "x") ",\n" LINE_PAT(U3) "]}",
         "5:! 12:b(" U3 ") 18:" U3 " | 7 json-string Bundle.entry[0] "},
        {HEAD LINE_PAT(U3) ",\n" LINE_OBS("a", "x\" , \"b") ",\n" LINE_OBS("b", "x") "]}",
         "7:" U3 " 10:! 15:b(" U3 ") | 11 json-syntax Bundle.entry[1].resource.code.text "},
        {HEAD LINE_PAT(U3) ",\n" LINE_OBS("b", "x") ",\n {\"resource\": {\"resourceType\": \"Patient\",\n \"id\": \"c",
         "7:" U3 " 10:b(" U3 ") 14:! | 15 json-string Bundle.entry[2] "},
        {HEAD LINE_PAT(U3) ",\n" LINE_OBS("b", "x") ",\n {\"",
         "7:" U3 " 10:b(" U3 ") 14:! | 14 json-string Bundle.entry[2] "},
        {HEAD LINE_PAT(U3) ",\n" LINE_OBS("b", "x") "],\"id\":\"x",
         "7:" U3 " 10:b(" U3 ") | 13 json-string Bundle "},
        {"{\n \"id\": \"\xfe\",\"resourceType\":\"Bundle\",\"type\":\"batch\",\"entry\":[\n" LINE_PAT(U3) "]}",
         "5:" U3 " | 2 json-utf8 Bundle "},
        /* In one line a lost quote turns the strings of all that follows inside out. */
        {BUNDLE("batch", PAT("a") ",{\"resource\":{\"resourceType\":\"Patient\",\"id\":\"b}}," PAT("c") "," PAT("d")),
         "1:a 1:! 1:c 1:d | 1 json-string Bundle.entry[1] "},
        {PATIENT("\"id\":\"a\"") "\n" BUNDLE("batch", PAT("b") "," PAT("\xff") "," PAT("c")) "\n" PATIENT("\"id\":\"d\"") "\n",
         "1:a 2:b 2:! 2:c 3:d | 2 json-utf8 Bundle.entry[1] "},
        {"{\n\"resourceType\":\"Patient\",\n\"id\":\"a\xff\"\n}\n{\n\"resourceType\":\"Patient\",\n\"id\":\"b\"\n}\n",
         "1:! 5:b | 3 json-utf8 Patient.id "},
        {"{\n \"resourceType\": \"Bundle\",\n \"type\": \"bat", "1:! | 3 json-string Bundle.type "},
        /* clang-format on */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_ROW_STR(rows[i].json, read_bundle(arena, str_from_c(rows[i].json)),
                      str_from_c(rows[i].want));
}

/* Whatever is cut off or changed, the reader comes to an end within its bounds. */
TEST(every_cut_and_every_changed_byte_is_survived)
{
    static const char whole[] = HEAD LINE_PAT(U3) ",\n" LINE_OBS("a", "x") ",\n" LINE_OBS(
        "b", "y") "\n ],\n \"id\": \"z\"\n}\n";
    static const char bytes[] = {'"', '\xff', '\n', '\\', '{', '}', '[', ']', ',', '\0', '\001'};
    for (size_t i = 1; i < sizeof whole - 1; i++) {
        (void)read_bundle(arena, (Str){.ptr = whole, .len = i});
        for (size_t k = 0; k < sizeof bytes; k++) {
            Str copy = str_copy(arena, (Str){.ptr = whole, .len = sizeof whole - 1});
            char *changed = arena_copy(arena, copy.ptr, copy.len);
            changed[i] = bytes[k];
            (void)read_bundle(arena, (Str){.ptr = changed, .len = copy.len});
        }
    }
}

/* Only a reference to a Patient names a person. */
TEST(what_is_about_no_patient_is_shared_or_names_none)
{
    static const struct {
        const char *reference;
        const char *patient;
        bool is_shared;
    } rows[] = {
        /* clang-format off */
        {"\"subject\":{\"reference\":\"Patient/p\"}", "p", false},
        {"\"subject\":{\"reference\":\"http://x.org/fhir/Patient/p\"}", "p", false},
        {"\"subject\":{\"reference\":\"http://x.org/Patient/p/_history/2\"}", "p", false},
        {"\"subject\":{\"reference\":\"Group/p\"}", "", true},
        {"\"subject\":{\"reference\":\"Device/p\"}", "", true},
        {"\"subject\":{\"reference\":\"Location/d442b673-1185-42f5-bf7c-32eb47bb6b3d\"}", "", true},
        {"\"subject\":{\"reference\":\"http://x.org/fhir/Group/p\"}", "", true},
        {"\"subject\":{\"reference\":\"#p\"}", "", false},
        {"\"subject\":{\"reference\":\"urn:uuid:d442b673-1185-42f5-bf7c-32eb47bb6b3d\"}", "", false},
        {"\"subject\":{\"identifier\":{\"value\":\"p\"}}", "", false},
        {"\"subject\":{\"display\":\"p\"}", "", false},
        {"\"performer\":[{\"reference\":\"Patient/p\"}]", "", false},
        /* clang-format on */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        TapeArea area;
        FhirFacts facts;
        Error err = {0};
        ConceptBuilder *concepts = concept_builder_create();
        Str json = str_format(arena,
                              "{\"resourceType\":\"Observation\",\"status\":\"final\",\"code\":{"
                              "\"text\":\"x\"},%s}",
                              rows[i].reference);
        CHECK_OK(fhir_parse_one(arena, concepts, json, &area, &facts, &err), &err);
        CHECK_ROW_STR(rows[i].reference, facts.patient_id, str_from_c(rows[i].patient));
        CHECK_ROW(rows[i].reference, facts.is_shared, rows[i].is_shared);
        concept_builder_destroy(concepts);
    }
    /* There FHIR has room for a Patient only. */
    TapeArea area;
    FhirFacts facts;
    Error err = {0};
    ConceptBuilder *concepts = concept_builder_create();
    Str coverage = S("{\"resourceType\":\"Coverage\",\"status\":\"active\",\"payor\":[{\"display\":"
                     "\"x\"}],\"beneficiary\":{\"reference\":\"Group/p\"}}");
    CHECK_OK(fhir_parse_one(arena, concepts, coverage, &area, &facts, &err), &err);
    CHECK_STR(facts.patient_id, S(""));
    CHECK(!facts.is_shared);
    concept_builder_destroy(concepts);
}

#define U1 "d442b673-1185-42f5-bf7c-32eb47bb6b3d"
#define U2 "0d4fb673-1185-42f5-bf7c-32eb47bb6b3d"

/* What a reference in a Bundle becomes, by the fullUrl of the entry that it means. */
TEST(references_within_a_bundle_are_resolved)
{
    static const struct {
        const char *row;
        const char *full_url;
        const char *id;
        const char *reference;
        const char *want;
    } rows[] = {
        /* clang-format off */
        {"id is the URN's", "urn:uuid:" U1, U1, "urn:uuid:" U1, "Patient/" U1},
        {"other id", "urn:uuid:" U1, "p", "urn:uuid:" U1, "Patient/p"},
        {"other UUID", "urn:uuid:" U1, U2, "urn:uuid:" U1, "Patient/" U2},
        {"absolute", "http://x.org/Patient/p", "p", "http://x.org/Patient/p", "Patient/p"},
        {"unknown URN", "urn:uuid:" U1, U1, "urn:uuid:" U2, "urn:uuid:" U2},
        {"relative", "urn:uuid:" U1, U1, "Patient/q", "Patient/q"},
        {"other server", "http://x.org/Patient/p", "p", "http://y.org/Patient/p", "http://y.org/Patient/p"},
        /* clang-format on */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        /* The reference comes before what it means. */
        Str json = str_format(
            arena,
            "{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"entry\":[{\"resource\":"
            "{\"resourceType\":\"Condition\",\"id\":\"c\",\"subject\":{\"reference\":\"%s\"}}},"
            "{\"fullUrl\":\"%s\",\"resource\":{\"resourceType\":\"Patient\",\"id\":\"%s\"}}]}",
            rows[i].reference, rows[i].full_url, rows[i].id);
        Str text = padded(arena, json);
        Reading reading =
            begin(arena, (FhirReaderOptions){.split_bundles = true, .resolve_urns = true});
        FhirParsed parsed;
        fhir_reader_begin(reading.reader, text, S("f"), 1, &reading.diags);
        CHECK(fhir_reader_next(reading.reader, &parsed));
        TapeArea area = fhir_reader_area(reading.reader, &parsed);
        FhirNode subject = fhir_child(fhir_root(&area, 0), FHIR_ELEM_Condition_subject);
        CHECK_ROW_STR(rows[i].row,
                      fhir_text(fhir_child(subject, FHIR_ELEM_Reference_reference), arena),
                      str_from_c(rows[i].want));
        CHECK(fhir_reader_next(reading.reader, &parsed));
        CHECK_STR(parsed.full_url, str_from_c(rows[i].full_url));
        CHECK_INT(parsed.entry, 1);
        CHECK(!fhir_reader_next(reading.reader, &parsed));
        end(&reading);
    }
}

TEST(narrative_is_left_out_unless_wanted)
{
    const char *json = "{\"resourceType\":\"Patient\",\"text\":{\"status\":\"generated\",\"div\":"
                       "\"<div/>\"},\"id\":\"a\"}";
    for (int keep = 0; keep < 2; keep++) {
        Str text = padded(arena, str_from_c(json));
        Reading reading = begin(arena, (FhirReaderOptions){.keep_narrative = keep == 1});
        FhirParsed parsed;
        fhir_reader_begin(reading.reader, text, S("f"), 1, &reading.diags);
        CHECK(fhir_reader_next(reading.reader, &parsed));
        TapeArea area = fhir_reader_area(reading.reader, &parsed);
        CHECK_STR(to_json(arena, fhir_root(&area, 0)),
                  keep == 1 ? str_from_c(json) : S("{\"resourceType\":\"Patient\",\"id\":\"a\"}"));
        end(&reading);
    }
}

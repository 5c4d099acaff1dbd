/* JSON -> tape -> JSON for the Synthea data, and for resources made at random from the model. */
#include "support.h"

#include <stdlib.h>

#include "base/io.h"
#include "base/json.h"

/* Equal as JSON: members in any order, numbers by their digits. */
static bool same_json(const JsonValue *a, const JsonValue *b)
{
    if (a->kind != b->kind || a->count != b->count || a->boolean != b->boolean ||
        !str_eq(a->text, b->text))
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const JsonValue *other =
            a->kind == JSON_OBJECT ? json_find(b, a->items[i].key) : &b->items[i];
        if (other == NULL || !same_json(&a->items[i], other))
            return false;
    }
    return true;
}

/* `b` is `a` with white space between the tokens: true for nearly all, without a tree. */
static bool differs_in_space(Str a, Str b)
{
    size_t at = 0;
    bool in_string = false;
    for (size_t i = 0; i < b.len; i++) {
        char c = b.ptr[i];
        if (!in_string && (c == ' ' || c == '\n' || c == '\r' || c == '\t'))
            continue;
        if (at >= a.len || a.ptr[at++] != c)
            return false;
        if (c == '\\' && i + 1 < b.len && at < a.len && a.ptr[at++] != b.ptr[++i])
            return false;
        if (c == '"')
            in_string = !in_string;
    }
    return at == a.len;
}

static bool same_text(Arena *arena, Str a, Str b)
{
    if (differs_in_space(a, b))
        return true;
    JsonValue *x;
    JsonValue *y;
    Error err = {0};
    return json_parse(arena, a, &x, &err) == ERR_OK && json_parse(arena, b, &y, &err) == ERR_OK &&
           same_json(x, y);
}

/* Counts the resources of the file that do not come back; findings count too. */
static size_t check_file(FhirReader *reader, Str path, size_t *count)
{
    Arena *arena = arena_create(1 << 20);
    Arena *scratch = arena_create(0);
    DiagList diags;
    FhirParsed parsed;
    Error err = {0};
    Str text;
    size_t bad = 0;
    diag_init(&diags, arena);
    CHECK_OK(io_read_file(arena, path, 0, &text, &err), &err);
    fhir_reader_begin(reader, text, path, 1, &diags);
    while (fhir_reader_next(reader, &parsed)) {
        TapeArea area = fhir_reader_area(reader, &parsed);
        arena_reset(scratch);
        (*count)++;
        if (parsed.is_refused ||
            !same_text(scratch, to_json(scratch, fhir_root(&area, 0)), parsed.source_text))
            bad++;
    }
    bad += diags.kept.count;
    arena_destroy(scratch);
    arena_destroy(arena);
    return bad;
}

TEST(synthea_comes_back)
{
    Str data = test_shared_data(arena);
    Str packed = io_join(arena, data, S("synthea-r4/bundles.tar.xz"));
    Str folder = test_temp_dir(arena);
    const char *command = str_to_c(arena, str_format(arena, "tar xJf '%.*s' -C '%.*s' 2>/dev/null",
                                                     STR_ARG(packed), STR_ARG(folder)));
    /* NOLINTNEXTLINE(cert-env33-c): tools that the test set installs */
    if (data.len == 0 || system(command) != 0) {
        test_skip("no Synthea data, tar or xz");
        return;
    }
    ConceptBuilder *concepts = concept_builder_create();
    FhirReader *reader = fhir_reader_create(
        concepts, &(FhirReaderOptions){.keep_narrative = true, .split_bundles = true});
    IoNames names = {0};
    Error err = {0};
    size_t count = 0;
    if (io_is_dir(io_join(arena, folder, S("bundles"))))
        folder = io_join(arena, folder, S("bundles"));
    CHECK_OK(io_list_dir(arena, folder, &names, &err), &err);
    VEC_FOREACH (Str, name, &names)
        CHECK_ROW(str_to_c(arena, *name),
                  (int64_t)check_file(reader, io_join(arena, folder, *name), &count), 0);
    CHECK_INT((int64_t)count, 56585);
    fhir_reader_destroy(reader);
    concept_builder_destroy(concepts);
}

/* --- resources made from the model --- */

typedef struct {
    StrBuf out;
    uint64_t state;
    int depth;
} Maker;

static uint64_t pick(Maker *maker, uint64_t count)
{
    return (test_random(&maker->state) >> 20) % count;
}

static void make_object(Maker *maker, uint16_t type);

static void make_primitive(Maker *maker, uint16_t type)
{
    static const char *const uris[] = {"http://x.org/a", "urn:oid:1.2.3", "u",
                                       "urn:uuid:d442b673-1185-42f5-bf7c-32eb47bb6b3d"};
    static const char *const dates[] = {"2020", "2020-02", "2020-02-29", "1900-12-31"};
    static const char *const moments[] = {"2020-02-29T01:02:03Z", "2020-02-29T01:02:03.250+05:30",
                                          "0987-06-05T04:03:02.1-00:30"};
    static const char *const decimals[] = {"0",   "-1.50",   "3.14159",
                                           "1e3", "100.000", "12345678901234567.89"};
    static const char *const texts[] = {"a",
                                        "active",
                                        "two words",
                                        "\\u00e9\\n\\\"",
                                        "a longer text that does not fit into the tag of a node",
                                        "d442b673-1185-42f5-bf7c-32eb47bb6b3d"};
    const char *text;
    switch (type) {
    case FHIR_TYPE_boolean:
        strbuf_add(&maker->out, pick(maker, 2) == 0 ? S("true") : S("false"));
        return;
    case FHIR_TYPE_integer:
    case FHIR_TYPE_unsignedInt:
    case FHIR_TYPE_positiveInt:
        strbuf_printf(&maker->out, "%u", (unsigned)(pick(maker, 40) * pick(maker, 2000) + 1));
        return;
    case FHIR_TYPE_decimal:
        strbuf_add_c(&maker->out, decimals[pick(maker, COUNT_OF(decimals))]);
        return;
    case FHIR_TYPE_date:
        text = dates[pick(maker, COUNT_OF(dates))];
        break;
    case FHIR_TYPE_dateTime:
        text = pick(maker, 2) == 0 ? dates[pick(maker, COUNT_OF(dates))]
                                   : moments[pick(maker, COUNT_OF(moments))];
        break;
    case FHIR_TYPE_instant:
        text = moments[pick(maker, COUNT_OF(moments))];
        break;
    case FHIR_TYPE_time:
        text = "12:34:56.789";
        break;
    case FHIR_TYPE_uri:
    case FHIR_TYPE_url:
    case FHIR_TYPE_canonical:
        text = uris[pick(maker, COUNT_OF(uris))];
        break;
    case FHIR_TYPE_oid:
        text = "urn:oid:2.16.840.1";
        break;
    case FHIR_TYPE_uuid:
        text = uris[3];
        break;
    case FHIR_TYPE_id:
        text = pick(maker, 2) == 0 ? "a-1.b" : texts[5];
        break;
    case FHIR_TYPE_code:
        text = texts[pick(maker, 3)];
        break;
    case FHIR_TYPE_base64Binary:
        text = "AbC+/w==";
        break;
    default:
        text = texts[pick(maker, COUNT_OF(texts))];
        break;
    }
    strbuf_printf(&maker->out, "\"%s\"", text);
}

static void make_value(Maker *maker, const FhirElementInfo *info)
{
    if ((info->flags & FHIR_FLAG_PRIMITIVE) != 0)
        make_primitive(maker, info->type);
    else if ((info->flags & FHIR_FLAG_RESOURCE) != 0)
        strbuf_add(&maker->out, S("{\"resourceType\":\"Basic\",\"code\":{\"text\":\"b\"}}"));
    else
        make_object(maker, info->type);
}

/* FHIR wants lists of values and of their extensions to be of one length. */
static void make_list(Maker *maker, const FhirElementInfo *info, uint64_t count, bool extras)
{
    strbuf_add_char(&maker->out, '[');
    for (uint64_t i = 0; i < count; i++) {
        if (i > 0)
            strbuf_add_char(&maker->out, ',');
        if (extras)
            strbuf_add(&maker->out, i + 1 < count ? S("null") : S("{\"id\":\"e\"}"));
        else
            make_value(maker, info);
    }
    strbuf_add_char(&maker->out, ']');
}

static void make_member(Maker *maker, const FhirElementInfo *info)
{
    bool is_list = (info->flags & FHIR_FLAG_LIST) != 0;
    uint64_t count = pick(maker, 3) + 1;
    bool has_extra = (info->flags & FHIR_FLAG_PRIMITIVE) != 0 && pick(maker, 8) == 0;
    strbuf_printf(&maker->out, "\"%s\":", info->name);
    if (is_list)
        make_list(maker, info, count, false);
    else
        make_value(maker, info);
    if (!has_extra)
        return;
    strbuf_printf(&maker->out, ",\"_%s\":", info->name);
    if (is_list)
        make_list(maker, info, count, true);
    else
        strbuf_add(&maker->out, S("{\"extension\":[{\"url\":\"x\",\"valueInteger\":3}]}"));
}

static void make_object(Maker *maker, uint16_t type)
{
    const FhirTypeInfo *info = fhir_type_info((FhirType)type);
    bool is_first = true;
    uint8_t last_choice = 0;
    uint64_t rarity = 3 + 5 * (uint64_t)maker->depth;
    strbuf_add_char(&maker->out, '{');
    if (fhir_type_is_resource((FhirType)type)) {
        strbuf_printf(&maker->out, "\"resourceType\":\"%s\"", info->name);
        is_first = false;
    }
    maker->depth++;
    for (uint8_t number = 1; number <= info->element_count; number++) {
        const FhirElementInfo *element = fhir_element_info((FhirType)type, number);
        bool is_deep = (maker->depth > 4 || maker->out.len > 4000) &&
                       (element->flags & FHIR_FLAG_PRIMITIVE) == 0;
        bool is_needed = is_first && number == info->element_count;
        if ((pick(maker, rarity) != 0 && !is_needed) || (is_deep && !is_needed) ||
            (element->choice != 0 && element->choice == last_choice) || maker->depth > 20)
            continue;
        last_choice = element->choice;
        if (!is_first)
            strbuf_add_char(&maker->out, ',');
        is_first = false;
        make_member(maker, element);
    }
    maker->depth--;
    if (is_first) /* every datatype has an id */
        strbuf_add(&maker->out, S("\"id\":\"x\""));
    strbuf_add_char(&maker->out, '}');
}

TEST(whatever_the_model_allows_comes_back)
{
    ConceptBuilder *concepts = concept_builder_create();
    FhirReader *reader = fhir_reader_create(concepts, &(FhirReaderOptions){.keep_narrative = true});
    Arena *scratch = arena_create(1 << 20);
    for (unsigned type = 1; type < FHIR_RESOURCE_TYPE_LIMIT; type++) {
        if (!fhir_type_is_concrete_resource((FhirType)type))
            continue;
        for (uint64_t seed = 1; seed <= 6; seed++) {
            Maker maker = {.state = seed * 977 + type};
            DiagList diags;
            FhirParsed parsed;
            Error err = {0};
            arena_reset(scratch);
            diag_init(&diags, scratch);
            strbuf_init(&maker.out, scratch, 0);
            make_object(&maker, (uint16_t)type);
            Str json = strbuf_str(&maker.out);
            fhir_reader_begin(reader, padded(scratch, json), S("f"), 1, &diags);
            CHECK(fhir_reader_next(reader, &parsed));
            if (parsed.is_refused) {
                StrBuf out;
                strbuf_init(&out, scratch, 0);
                VEC_FOREACH (Diag, diag, &diags.kept)
                    if (diag->severity == SEVERITY_ERROR)
                        diag_format(diag, &out);
                CHECK_STR(strbuf_str(&out), S(""));
                continue;
            }
            TapeArea area = fhir_reader_area(reader, &parsed);
            Str back = to_json(scratch, fhir_root(&area, 0));
            if (!same_text(scratch, back, json))
                CHECK_STR(back, json);
            CHECK_OK(fhir_tape_check(&area, 0, &err), &err);
        }
    }
    arena_destroy(scratch);
    fhir_reader_destroy(reader);
    concept_builder_destroy(concepts);
}

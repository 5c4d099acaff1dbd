/* Reading tapes, and writing them as JSON again. */
#include <stdio.h>

#include "support.h"

#include "fhir/fhir_int.h"

#define OBS "{\"resourceType\":\"Observation\",\"status\":\"final\",\"code\":{\"text\":\"x\"},"

/* Each must come back byte for byte. */
TEST(json_comes_back_as_it_was)
{
    static const struct {
        const char *row;
        const char *json;
    } rows[] = {
        /* clang-format off */
        {"decimal digits", OBS "\"valueQuantity\":{\"value\":1.50}}"},
        {"zero places", OBS "\"valueQuantity\":{\"value\":0.000}}"},
        {"many places", OBS "\"valueQuantity\":{\"value\":0.00000000000000012}}"},
        {"negative", OBS "\"valueQuantity\":{\"value\":-12.5}}"},
        {"minus zero", OBS "\"valueQuantity\":{\"value\":-0.0}}"},
        {"exponent", OBS "\"valueQuantity\":{\"value\":1.5E-7}}"},
        {"nineteen digits", OBS "\"valueQuantity\":{\"value\":1234567890123456789}}"},
        {"thirty digits", OBS "\"valueQuantity\":{\"value\":123456789012345678901234567890.5}}"},
        {"integer 0", OBS "\"valueInteger\":0}"},
        {"integer 16", OBS "\"valueInteger\":16}"},
        {"integer least", OBS "\"valueInteger\":-2147483648}"},
        {"boolean", OBS "\"valueBoolean\":false}"},
        {"year", OBS "\"effectiveDateTime\":\"2020\"}"},
        {"month", OBS "\"effectiveDateTime\":\"2020-02\"}"},
        {"leap day", OBS "\"effectiveDateTime\":\"2020-02-29\"}"},
        {"Z", OBS "\"effectiveDateTime\":\"2020-02-29T23:59:59Z\"}"},
        {"+00:00", OBS "\"effectiveDateTime\":\"2020-02-29T23:59:59+00:00\"}"},
        {"-00:00", OBS "\"effectiveDateTime\":\"2020-02-29T23:59:59-00:00\"}"},
        {"odd zone", OBS "\"effectiveDateTime\":\"2020-02-29T23:59:59+05:53\"}"},
        {"zones", OBS "\"effectiveDateTime\":\"0001-01-01T00:00:00-14:00\"}"},
        {"milliseconds", OBS "\"effectiveDateTime\":\"9999-12-31T23:59:59.999+14:00\"}"},
        {"no milliseconds", OBS "\"effectiveDateTime\":\"1999-12-31T23:59:59.000Z\"}"},
        {"tenths", OBS "\"effectiveDateTime\":\"1999-12-31T23:59:59.5Z\"}"},
        {"leap second", OBS "\"effectiveDateTime\":\"1999-12-31T23:59:60Z\"}"},
        {"time", OBS "\"valueTime\":\"08:30:00\"}"},
        {"text of 31", OBS "\"valueString\":\"1234567890123456789012345678901\"}"},
        {"text of 32", OBS "\"valueString\":\"12345678901234567890123456789012\"}"},
        {"escapes", OBS "\"valueString\":\"a\\\"b\\\\c\\nd\\u0001\"}"},
        {"UUID", OBS "\"valueString\":\"d442b673-1185-42f5-bf7c-32eb47bb6b3d\"}"},
        {"UUID in capitals", OBS "\"valueString\":\"D442B673-1185-42F5-BF7C-32EB47BB6B3D\"}"},
        {"reference", OBS "\"subject\":{\"reference\":\"Patient/p1\"}}"},
        {"reference to UUID", OBS "\"subject\":{\"reference\":\"Patient/d442b673-1185-42f5-bf7c-32eb47bb6b3d\"}}"},
        {"reference to URN", OBS "\"subject\":{\"reference\":\"urn:uuid:d442b673-1185-42f5-bf7c-32eb47bb6b3d\"}}"},
        {"reference with version", OBS "\"subject\":{\"reference\":\"Patient/p1/_history/2\"}}"},
        {"absolute reference", OBS "\"subject\":{\"reference\":\"http://x.org/fhir/Patient/p1\"}}"},
        {"inner reference", OBS "\"subject\":{\"reference\":\"#p\"}}"},
        {"coding", OBS "\"category\":[{\"coding\":[{\"system\":\"s\",\"code\":\"c\",\"display\":\"d\"}]}]}"},
        {"coding, code first", OBS "\"category\":[{\"coding\":[{\"code\":\"c\",\"system\":\"s\"}]}]}"},
        {"coding, between", OBS "\"category\":[{\"coding\":[{\"system\":\"s\",\"version\":\"v\",\"code\":\"c\"}]}]}"},
        {"coding, code alone", OBS "\"category\":[{\"coding\":[{\"code\":\"c\"}]}]}"},
        {"coding, no code", OBS "\"category\":[{\"coding\":[{\"system\":\"s\"},{\"display\":\"d\"}]}]}"},
        {"extra", OBS "\"valueString\":\"v\",\"_valueString\":{\"id\":\"i\"}}"},
        {"extra alone", OBS "\"_valueString\":{\"extension\":[{\"url\":\"u\",\"valueCode\":\"c\"}]}}"},
        {"extras in a list", "{\"resourceType\":\"Patient\",\"name\":[{\"given\":[\"a\",null,\"c\"],\"_given\":[null,{\"id\":\"b\"},{\"id\":\"x\"}]}]}"},
        {"extras alone in a list", "{\"resourceType\":\"Patient\",\"name\":[{\"_given\":[{\"id\":\"b\"}]}]}"},
        {"contained", "{\"resourceType\":\"Patient\",\"contained\":[{\"resourceType\":\"Organization\",\"id\":\"o\",\"name\":\"n\"}]}"},
        {"Bundle", "{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"entry\":[{\"resource\":{\"resourceType\":\"Patient\",\"id\":\"a\"}}]}"},
        /* clang-format on */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        FhirNode root = parse(arena, rows[i].json);
        CHECK_ROW_STR(rows[i].row, to_json(arena, root), str_from_c(rows[i].json));
        Error err = {0};
        if (root.area != NULL)
            CHECK_OK(fhir_tape_check(root.area, 0, &err), &err);
    }
}

/* Where the order of members changes, or an escape its form, the values stay. */
TEST(json_comes_back_with_the_same_values)
{
    static const struct {
        const char *json;
        const char *want;
    } rows[] = {
        /* clang-format off */
        {"{\"id\":\"a\",\"resourceType\":\"Patient\"}", "{\"resourceType\":\"Patient\",\"id\":\"a\"}"},
        {"{\"resourceType\":\"Patient\",\"_birthDate\":{\"id\":\"x\"},\"active\":true,\"birthDate\":\"2000\"}",
         "{\"resourceType\":\"Patient\",\"birthDate\":\"2000\",\"_birthDate\":{\"id\":\"x\"},\"active\":true}"},
        {"{\"resourceType\":\"Patient\",\"birthDate\":\"2000\",\"active\":true,\"_birthDate\":{\"id\":\"x\"}}",
         "{\"resourceType\":\"Patient\",\"birthDate\":\"2000\",\"_birthDate\":{\"id\":\"x\"},\"active\":true}"},
        {"{\"resourceType\":\"Patient\",\"name\":[{\"_given\":[null,{\"id\":\"b\"}],\"family\":\"f\",\"given\":[\"x\",\"y\",\"z\"]}]}",
         "{\"resourceType\":\"Patient\",\"name\":[{\"given\":[\"x\",\"y\",\"z\"],\"_given\":[null,{\"id\":\"b\"},null],\"family\":\"f\"}]}"},
        {"{\"resourceType\":\"Patient\",\"language\":\"\\u00e9\\ud83d\\ude00\\/\"}", "{\"resourceType\":\"Patient\",\"language\":\"é😀/\"}"},
        {" { \"resourceType\" : \"Patient\" , \"id\" : \"a\" } ", "{\"resourceType\":\"Patient\",\"id\":\"a\"}"},
        /* clang-format on */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_STR(to_json(arena, parse(arena, rows[i].json)), str_from_c(rows[i].want));
}

TEST(values_are_read_by_kind)
{
    FhirNode root = parse(
        arena, "{\"resourceType\":\"Observation\",\"id\":\"o1\",\"status\":\"final\",\"code\":{"
               "\"coding\":[{\"system\":\"s\",\"code\":\"c\"},{\"code\":\"d\"}]},\"subject\":{"
               "\"reference\":\"Patient/p1\"},\"effectiveDateTime\":\"2020-05-06T07:08:09+02:00\","
               "\"valueQuantity\":{\"value\":7.250,\"unit\":\"%\"}}");
    FhirNode quantity = fhir_child_named(root, S("valueQuantity"));
    FhirNode value = fhir_child(quantity, FHIR_ELEM_Quantity_value);
    Decimal decimal;
    Moment moment;
    uint16_t type;
    Str id;
    ConceptId concepts[4];
    int64_t integer;
    bool boolean;
    CHECK_INT(root.type, FHIR_TYPE_Observation);
    CHECK_INT(quantity.type, FHIR_TYPE_Quantity);
    CHECK(fhir_decimal(value, &decimal) && decimal.units == (__int128)725000000);
    CHECK_STR(fhir_text(value, arena), S("7.250"));
    CHECK_INT(fhir_kind(value), FHIR_KIND_DECIMAL);
    CHECK(!fhir_integer(value, &integer) && !fhir_boolean(value, &boolean));
    CHECK(fhir_moment(fhir_child(root, FHIR_ELEM_Observation_effectiveDateTime), &moment));
    CHECK_INT(moment.offset_minutes, 120);
    CHECK_INT(moment.hour, 7);
    CHECK(fhir_reference(fhir_child(root, FHIR_ELEM_Observation_subject), arena, &type, &id));
    CHECK_INT(type, FHIR_TYPE_Patient);
    CHECK_STR(id, S("p1"));
    CHECK_INT((int64_t)fhir_concepts(fhir_child(root, FHIR_ELEM_Observation_code), concepts, 4), 2);
    CHECK(concepts[0] != concepts[1] && concepts[0] != CONCEPT_NONE);
    CHECK(fhir_is_absent(fhir_child(root, FHIR_ELEM_Observation_bodySite)));
    CHECK_INT(fhir_kind(fhir_child(root, FHIR_ELEM_Observation_bodySite)), FHIR_KIND_ABSENT);
    const FhirElementInfo *info =
        fhir_element_info(FHIR_TYPE_Observation, FHIR_ELEM_Observation_valueQuantity);
    CHECK_INT(fhir_child_choice(root, info->choice).type, FHIR_TYPE_Quantity);
    CHECK(fhir_text_is(fhir_child(root, FHIR_ELEM_Observation_id), S("o1")));
}

TEST(lists_and_single_values_are_walked_alike)
{
    FhirNode root = parse(arena, "{\"resourceType\":\"Patient\",\"active\":true,\"name\":[{"
                                 "\"given\":[\"a\",null,\"b\"],\"_given\":[null,{\"id\":\"i\"}]},"
                                 "{\"family\":\"f\"}]}");
    FhirNode names = fhir_child(root, FHIR_ELEM_Patient_name);
    CHECK_INT(fhir_kind(names), FHIR_KIND_LIST);
    CHECK_INT(fhir_count(names), 2);
    CHECK_INT(fhir_count(fhir_child(root, FHIR_ELEM_Patient_active)), 1);
    CHECK_INT(fhir_count(FHIR_ABSENT), 0);
    FhirItems items = fhir_items(fhir_child(fhir_first(names), FHIR_ELEM_HumanName_given));
    FhirNode item;
    CHECK(fhir_items_next(&items, &item) && fhir_text_is(item, S("a")));
    CHECK(fhir_items_next(&items, &item) && !items.is_null);
    CHECK_INT(fhir_kind(item), FHIR_KIND_ABSENT);
    CHECK(fhir_text_is(fhir_child(fhir_primitive_extra(item), FHIR_ELEM_Element_id), S("i")));
    CHECK(fhir_items_next(&items, &item) && fhir_text_is(item, S("b")));
    CHECK(!fhir_items_next(&items, &item));
}

TEST(equality_does_not_look_at_where_things_stand)
{
    FhirNode a = parse(arena, OBS "\"note\":[{\"text\":\"n\"},{\"text\":\"m\"}]}");
    FhirNode b = parse(arena, OBS "\"note\":[{\"text\":\"n\"},{\"text\":\"m\"}]}");
    FhirNode c = parse(arena, OBS "\"note\":[{\"text\":\"n\"},{\"text\":\"o\"}]}");
    CHECK(fhir_equal(a, b));
    CHECK(!fhir_equal(a, c));
    CHECK(!fhir_equal(a, FHIR_ABSENT));
    CHECK(fhir_equal(FHIR_ABSENT, FHIR_ABSENT));
}

/* Every byte of a tape, changed in every bit: no crash, no endless walk, whatever is said. */
TEST(damaged_tapes_are_survived)
{
    FhirNode root = parse(arena, OBS "\"valueQuantity\":{\"value\":12.345678,\"unit\":\"mg\"},"
                                     "\"subject\":{\"reference\":\"Patient/p1\"},\"note\":[{"
                                     "\"text\":\"n\",\"_text\":{\"id\":\"x\"}},{\"text\":\"m\"}]}");
    uint8_t *bytes = arena_copy(arena, root.area->bytes, root.area->size);
    TapeArea area = *root.area;
    Arena *scratch = arena_create(0);
    area.bytes = bytes;
    for (size_t i = 0; i < area.size; i++) {
        for (unsigned change = 1; change < 256; change++) {
            Error err = {0};
            StrBuf out;
            bytes[i] ^= (uint8_t)change;
            arena_reset(scratch);
            strbuf_init(&out, scratch, 0);
            bool is_good = fhir_tape_check(&area, 0, &err) == ERR_OK;
            bool is_written = fhir_write_json(fhir_root(&area, 0), &out);
            CHECK(is_written || !is_good);
            bytes[i] ^= (uint8_t)change;
        }
    }
    for (size_t size = 0; size < area.size; size++) {
        TapeArea cut = area;
        Error err = {0};
        cut.size = size;
        CHECK_INT(fhir_tape_check(&cut, 0, &err), ERR_DAMAGED);
    }
    arena_destroy(scratch);
}

TEST(moments_pack_only_what_comes_back)
{
    uint64_t state = 7;
    for (int i = 0; i < 20000; i++) {
        char text[TAPE_MOMENT_TEXT_MAX + 32];
        uint8_t packed[8];
        char back[TAPE_MOMENT_TEXT_MAX];
        uint64_t r = test_random(&state);
        int len =
            snprintf(text, sizeof text, "%04u-%02u-%02uT%02u:%02u:%02u%s%s", (unsigned)(r % 10000),
                     (unsigned)(r >> 14) % 14, (unsigned)(r >> 18) % 33, (unsigned)(r >> 24) % 25,
                     (unsigned)(r >> 30) % 61, (unsigned)(r >> 36) % 62,
                     (const char *[]){"", ".123", ".000", ".5"}[(r >> 42) & 3],
                     (const char *[]){"Z", "+05:30", "-11:45", "+00:00", "", "+01:07", "-14:00",
                                      "+14:15"}[(r >> 44) & 7]);
        static const int cuts[] = {4, 7, 10};
        if (((r >> 50) & 3) != 0)
            len = cuts[((r >> 50) & 3) - 1];
        int size = tape_pack_moment(text, (size_t)len, packed);
        if (size <= 0)
            continue;
        size_t back_len = tape_moment_text(packed, back);
        CHECK_STR(((Str){back, back_len}), ((Str){text, (size_t)len}));
        Moment moment;
        Moment want;
        tape_unpack_moment(packed, &moment);
        CHECK(moment_parse((Str){text, (size_t)len}, &want));
        CHECK(memcmp(&moment, &want, sizeof moment) == 0);
    }
}

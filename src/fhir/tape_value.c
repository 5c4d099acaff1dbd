/* Values of primitive nodes: numbers, texts, UUIDs, references, concepts. */
#include "fhir/fhir_int.h"

/* --- UUIDs --- */

static inline uint64_t load8(const char *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof word);
    return word;
}

static inline uint32_t load4(const char *text)
{
    uint32_t word;
    memcpy(&word, text, sizeof word);
    return word;
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Eight lower-case hexadecimal digits, first digit in the lowest byte, into four bytes. *ok loses
   the top bit of each byte that is none. */
static inline uint32_t pack_hex8(uint64_t text, uint64_t *ok)
{
    uint64_t low = text & EACH(0x7F);
    uint64_t digit = (low + EACH(0x80 - '0')) & ~(low + EACH(0x7F - '9'));
    uint64_t alpha = (low + EACH(0x80 - 'a')) & ~(low + EACH(0x7F - 'f'));
    *ok &= (digit | alpha) & ~text;
    uint64_t nibbles = (text & EACH(0x0F)) + ((alpha >> 7) & EACH(1)) * 9;
    uint64_t pairs = ((nibbles << 4) | (nibbles >> 8)) & UINT64_C(0x00FF00FF00FF00FF);
    pairs = (pairs | (pairs >> 8)) & UINT64_C(0x0000FFFF0000FFFF);
    return (uint32_t)(pairs | (pairs >> 16));
}

bool tape_pack_uuid(const char *text, uint8_t out[TAPE_UUID_BYTES])
{
    uint64_t ok = EACH(0x80);
    uint32_t words[4] = {
        pack_hex8(load8(text), &ok),
        pack_hex8(load4(text + 9) | (uint64_t)load4(text + 14) << 32, &ok),
        pack_hex8(load4(text + 19) | (uint64_t)load4(text + 24) << 32, &ok),
        pack_hex8(load8(text + 28), &ok),
    };
    memcpy(out, words, sizeof words);
    return ok == EACH(0x80) && text[8] == '-' && text[13] == '-' && text[18] == '-' &&
           text[23] == '-';
}

/* Four bytes as eight lower-case digits. */
static inline uint64_t unpack_hex8(const uint8_t *bytes)
{
    uint64_t spread = tape_load32(bytes);
    spread = (spread | (spread << 16)) & UINT64_C(0x0000FFFF0000FFFF);
    spread = (spread | (spread << 8)) & UINT64_C(0x00FF00FF00FF00FF);
    uint64_t nibbles = (spread >> 4 & EACH(0x0F)) | (spread & UINT64_C(0x000F000F000F000F)) << 8;
    uint64_t is_letter = ((nibbles + EACH(0x80 - 10)) >> 7) & EACH(1);
    return nibbles + EACH('0') + is_letter * ('a' - '0' - 10);
}

void tape_uuid_text(const uint8_t *bytes, char out[TAPE_UUID_TEXT_BYTES])
{
    uint64_t words[4] = {unpack_hex8(bytes), unpack_hex8(bytes + 4), unpack_hex8(bytes + 8),
                         unpack_hex8(bytes + 12)};
    const char *digits = (const char *)words;
    memcpy(out, digits, 8);
    memcpy(out + 9, digits + 8, 4);
    memcpy(out + 14, digits + 12, 4);
    memcpy(out + 19, digits + 16, 4);
    memcpy(out + 24, digits + 20, 4);
    memcpy(out + 28, digits + 24, 8);
    out[8] = out[13] = out[18] = out[23] = '-';
}

/* --- text of any primitive --- */

static bool plain_text(const TapeArea *area, uint32_t at, Str *ret_text)
{
    uint8_t tag = area->bytes[at];
    size_t from = at + 1;
    size_t len;
    if (tag >= TAPE_TEXT0 && tag < TAPE_OBJECT0) {
        len = tag - TAPE_TEXT0;
    } else if (tag == TAPE_TEXT8 && area->size - at > 1) {
        len = area->bytes[at + 1];
        from = at + 2;
    } else if (tag == TAPE_TEXT32 && area->size - at > 4) {
        len = tape_load32(area->bytes + at + 1);
        from = at + 5;
    } else {
        return false;
    }
    if (len > area->size - from)
        return false;
    *ret_text = (Str){.ptr = (const char *)area->bytes + from, .len = len};
    return true;
}

/* Digits and point of a packed decimal: mantissa and number of places behind the point. */
static bool decimal_parts(const TapeArea *area, uint32_t at, int64_t *ret_digits,
                          uint32_t *ret_places)
{
    uint8_t tag = area->bytes[at];
    size_t from = at + 1;
    if (tag < TAPE_DECIMAL0 || tag > TAPE_DECIMAL_N)
        return false;
    *ret_places = tag - TAPE_DECIMAL0;
    if (tag == TAPE_DECIMAL_N) {
        if (from >= area->size)
            return false;
        *ret_places = area->bytes[from++];
    }
    uint64_t zigzag;
    if (*ret_places > 20 || tape_varint(area, from, &zigzag) == 0)
        return false;
    *ret_digits = tape_unzigzag(zigzag);
    return true;
}

static Str decimal_text(Arena *arena, int64_t digits, uint32_t places)
{
    char text[48];
    size_t at = sizeof text;
    uint64_t left = digits < 0 ? 0 - (uint64_t)digits : (uint64_t)digits;
    uint32_t written = 0;
    do {
        text[--at] = (char)('0' + left % 10);
        left /= 10;
        written++;
        if (written == places)
            text[--at] = '.';
    } while (left > 0 || written <= places);
    if (digits < 0)
        text[--at] = '-';
    return str_copy(arena, (Str){.ptr = text + at, .len = sizeof text - at});
}

static bool integer_value(const TapeArea *area, uint32_t at, int64_t *ret_value)
{
    uint8_t tag = area->bytes[at];
    uint64_t zigzag;
    if (tag >= TAPE_INTEGER0 && tag < TAPE_INTEGER0 + 16) {
        *ret_value = tag - TAPE_INTEGER0;
        return true;
    }
    if (tag != TAPE_INTEGER || tape_varint(area, at + 1, &zigzag) == 0)
        return false;
    *ret_value = tape_unzigzag(zigzag);
    return true;
}

static bool reference_text(const TapeArea *area, uint32_t at, Arena *arena, Str *ret_text)
{
    if (area->size - at < 3)
        return false;
    uint8_t type = area->bytes[at + 1];
    uint32_t id_at = tape_follow(area, at + 2);
    Str id;
    if (id_at == TAPE_NOWHERE || area->bytes[id_at] == TAPE_REFERENCE ||
        type > FHIR_RESOURCE_TYPE_LAST || !tape_text(area, id_at, arena, &id))
        return false;
    Str name = fhir_type_name(type);
    *ret_text = type == FHIR_TYPE_NONE ? str_format(arena, URN_UUID "%.*s", STR_ARG(id))
                                       : str_format(arena, "%.*s/%.*s", STR_ARG(name), STR_ARG(id));
    return true;
}

/* A concept's system or code: what a TAPE_SYSTEM or TAPE_CODE stands for. */
static bool concept_text(const TapeArea *area, uint32_t at, Str *ret_text)
{
    bool is_system = area->bytes[at] == TAPE_SYSTEM;
    uint32_t code_at = at + is_system;
    if (area->size - at < 6u - !is_system || area->bytes[code_at] != TAPE_CODE)
        return false;
    ConceptId id = tape_load32(area->bytes + code_at + 1);
    if (!concept_is_known(area->names, id))
        return false;
    ConceptName name = concept_name(area->names, id);
    *ret_text = is_system ? name.system : name.code;
    return true;
}

bool tape_text(const TapeArea *area, uint32_t at, Arena *arena, Str *ret_text)
{
    uint8_t tag = area->bytes[at];
    int64_t number;
    uint32_t places;
    if (plain_text(area, at, ret_text))
        return true;
    switch (tag) {
    case TAPE_FALSE:
        *ret_text = S("false");
        return true;
    case TAPE_TRUE:
        *ret_text = S("true");
        return true;
    case TAPE_REFERENCE:
        return reference_text(area, at, arena, ret_text);
    case TAPE_CODE:
    case TAPE_SYSTEM:
        return concept_text(area, at, ret_text);
    default:
        break;
    }
    uint8_t fixed = tape_fixed_sizes[tag];
    if (tag == TAPE_UUID && area->size - at >= fixed) {
        char *text = arena_alloc(arena, TAPE_UUID_TEXT_BYTES);
        tape_uuid_text(area->bytes + at + 1, text);
        *ret_text = (Str){.ptr = text, .len = TAPE_UUID_TEXT_BYTES};
        return true;
    }
    if (tag >= TAPE_YEAR && tag <= TAPE_MILLI && area->size - at >= fixed) {
        char *text = arena_alloc(arena, TAPE_MOMENT_TEXT_MAX);
        *ret_text = (Str){.ptr = text, .len = tape_moment_text(area->bytes + at, text)};
        return true;
    }
    if (integer_value(area, at, &number)) {
        *ret_text = str_format(arena, "%lld", (long long)number);
        return true;
    }
    if (decimal_parts(area, at, &number, &places)) {
        *ret_text = decimal_text(arena, number, places);
        return true;
    }
    return false;
}

/* --- the facade --- */

static bool value_of(FhirNode node, uint32_t *ret_at)
{
    if (node.area == NULL)
        return false;
    *ret_at = tape_value(node.area, node.at);
    return *ret_at != TAPE_NOWHERE;
}

bool fhir_boolean(FhirNode node, bool *ret_value)
{
    uint32_t at;
    if (!value_of(node, &at) || node.area->bytes[at] < TAPE_FALSE ||
        node.area->bytes[at] > TAPE_TRUE)
        return false;
    *ret_value = node.area->bytes[at] == TAPE_TRUE;
    return true;
}

bool fhir_integer(FhirNode node, int64_t *ret_value)
{
    uint32_t at;
    return value_of(node, &at) && integer_value(node.area, at, ret_value);
}

bool fhir_decimal(FhirNode node, Decimal *ret_value)
{
    uint32_t at;
    int64_t digits;
    uint32_t places;
    Str text;
    if (!value_of(node, &at))
        return false;
    if (integer_value(node.area, at, &digits)) {
        *ret_value = decimal_from_int(digits);
        return true;
    }
    if (decimal_parts(node.area, at, &digits, &places)) {
        __int128 units = digits;
        for (; places < DECIMAL_PLACES; places++)
            units *= 10;
        __int128 divisor = 1;
        for (; places > DECIMAL_PLACES; places--)
            divisor *= 10;
        __int128 half = units < 0 ? -(divisor / 2) : divisor / 2;
        ret_value->units = divisor == 1 ? units : (units + half) / divisor;
        return decimal_is_in_range(*ret_value);
    }
    return node.type == FHIR_TYPE_decimal && plain_text(node.area, at, &text) &&
           decimal_parse_rounded(text, ret_value);
}

bool fhir_moment(FhirNode node, Moment *ret_value)
{
    uint32_t at;
    Str text;
    if (!value_of(node, &at))
        return false;
    uint8_t tag = node.area->bytes[at];
    if (tag >= TAPE_YEAR && tag <= TAPE_MILLI) {
        if (node.area->size - at < tape_fixed_sizes[tag])
            return false;
        tape_unpack_moment(node.area->bytes + at, ret_value);
        return true;
    }
    if (!plain_text(node.area, at, &text))
        return false;
    return node.type == FHIR_TYPE_time ? moment_parse_time(text, ret_value)
                                       : moment_parse(text, ret_value);
}

Str fhir_text(FhirNode node, Arena *arena)
{
    uint32_t at;
    Str text;
    if (!value_of(node, &at) || !tape_text(node.area, at, arena, &text))
        return (Str){0};
    return text;
}

bool fhir_text_is(FhirNode node, Str text)
{
    uint32_t at;
    Str plain;
    if (!value_of(node, &at))
        return false;
    if (plain_text(node.area, at, &plain) || concept_text(node.area, at, &plain))
        return str_eq(plain, text);
    if (node.area->bytes[at] == TAPE_UUID) {
        char own[TAPE_UUID_TEXT_BYTES];
        if (node.area->size - at <= TAPE_UUID_BYTES)
            return false;
        tape_uuid_text(node.area->bytes + at + 1, own);
        return str_eq((Str){.ptr = own, .len = sizeof own}, text);
    }
    Arena *scratch = arena_create(1024);
    bool same = str_eq(fhir_text(node, scratch), text);
    arena_destroy(scratch);
    return same;
}

ConceptId fhir_coding_concept(FhirNode coding)
{
    if (coding.type != FHIR_TYPE_Coding)
        return CONCEPT_NONE;
    FhirNode code = fhir_child(coding, FHIR_ELEM_Coding_code);
    uint32_t at;
    if (!value_of(code, &at) || code.area->size - at < 5 || code.area->bytes[at] != TAPE_CODE)
        return CONCEPT_NONE;
    return tape_load32(code.area->bytes + at + 1);
}

size_t fhir_concepts(FhirNode node, ConceptId *ret_ids, size_t limit)
{
    size_t count = 0;
    FhirItems items = fhir_items(node);
    FhirNode item;
    while (fhir_items_next(&items, &item)) {
        FhirItems codings = fhir_items(item.type == FHIR_TYPE_CodeableConcept
                                           ? fhir_child(item, FHIR_ELEM_CodeableConcept_coding)
                                           : item);
        FhirNode coding;
        while (fhir_items_next(&codings, &coding)) {
            ConceptId id = fhir_coding_concept(coding);
            if (id == CONCEPT_NONE)
                continue;
            if (count < limit)
                ret_ids[count] = id;
            count++;
        }
    }
    return count;
}

/* "…/Type/id" or "…/Type/id/_history/v": the last two parts before a version. */
static bool split_reference(Str text, uint16_t *ret_type, Str *ret_id)
{
    size_t version = str_find(text, S("/_history/"));
    if (version != SIZE_MAX)
        text = str_slice(text, 0, version);
    size_t slash = text.len;
    while (slash > 0 && text.ptr[slash - 1] != '/')
        slash--;
    if (slash < 2 || slash == text.len)
        return false;
    size_t from = slash - 1;
    while (from > 0 && text.ptr[from - 1] != '/')
        from--;
    *ret_type = fhir_resource_by_name(str_slice(text, from, slash - 1 - from));
    *ret_id = str_slice(text, slash, SIZE_MAX);
    return *ret_type != FHIR_TYPE_NONE;
}

bool fhir_reference(FhirNode reference, Arena *arena, uint16_t *ret_type, Str *ret_id)
{
    FhirNode text_node = reference.type == FHIR_TYPE_Reference
                             ? fhir_child(reference, FHIR_ELEM_Reference_reference)
                             : reference;
    uint32_t at;
    if (!value_of(text_node, &at))
        return false;
    const TapeArea *area = text_node.area;
    if (area->bytes[at] == TAPE_REFERENCE) {
        if (area->size - at < 3 || area->bytes[at + 1] > FHIR_RESOURCE_TYPE_LAST)
            return false;
        uint32_t id_at = tape_follow(area, at + 2);
        if (id_at == TAPE_NOWHERE || area->bytes[id_at] == TAPE_REFERENCE)
            return false;
        *ret_type = area->bytes[at + 1];
        return tape_text(area, id_at, arena, ret_id);
    }
    Str text;
    if (!plain_text(area, at, &text))
        return false;
    if (str_starts_with(text, S(URN_UUID))) {
        *ret_type = FHIR_TYPE_NONE;
        *ret_id = str_slice(text, sizeof(URN_UUID) - 1, SIZE_MAX);
        return true;
    }
    return split_reference(text, ret_type, ret_id);
}

/* The whole of a tape against the model: what a reader of damaged bytes would stumble over. */
#include "fhir/fhir_int.h"

typedef struct {
    const TapeArea *area;
    Arena *scratch;
    Error *err;
    uint32_t root;
    unsigned depth;
    uint64_t steps; /* references may make a small tape stand for a huge tree */
} Check;

#define STEPS_MAX (UINT64_C(1) << 26)

static ErrorCode damaged(Check *check, uint32_t at, const char *what)
{
    return error_set(check->err, ERR_DAMAGED, "tape at %u: %s at %u", check->root, what, at);
}

static ErrorCode check_value(Check *check, uint32_t at, uint16_t type, uint8_t flags);

static bool fits_type(FhirNode node, Arena *scratch)
{
    bool boolean;
    int64_t integer;
    Decimal decimal;
    Moment moment;
    Str text = fhir_text(node, scratch);
    switch (fhir_kind(node)) {
    case FHIR_KIND_BOOLEAN:
        return fhir_boolean(node, &boolean);
    case FHIR_KIND_INTEGER:
        return fhir_integer(node, &integer);
    case FHIR_KIND_MOMENT: /* a leap second is kept as text */
        return fhir_moment(node, &moment) || str_find(text, S(":60")) != SIZE_MAX;
    case FHIR_KIND_DECIMAL: /* or too large for a Decimal, or kept as text */
        return fhir_decimal(node, &decimal) || text.len > 0;
    case FHIR_KIND_TEXT:
        return text.ptr != NULL && !fhir_boolean(node, &boolean) && !fhir_integer(node, &integer);
    default:
        return false;
    }
}

static ErrorCode check_primitive(Check *check, uint32_t at, uint16_t type)
{
    const TapeArea *area = check->area;
    FhirNode node = {.area = area, .at = at, .type = type};
    if (area->bytes[at] == TAPE_EXTRA) {
        FhirNode extra = fhir_primitive_extra(node);
        if (extra.area == NULL || !tape_is_object(area->bytes[extra.at]))
            return damaged(check, at, "no extension object");
        ErrorCode code = check_value(check, extra.at, FHIR_TYPE_Element, 0);
        if (code != ERR_OK || fhir_kind(node) == FHIR_KIND_ABSENT)
            return code;
    }
    ArenaMark mark = arena_mark(check->scratch);
    bool fits = fits_type(node, check->scratch);
    arena_rewind(check->scratch, mark);
    return fits ? ERR_OK : damaged(check, at, "a value that is not of its type");
}

static ErrorCode check_object(Check *check, uint32_t at, uint16_t type)
{
    const TapeArea *area = check->area;
    uint8_t tag = area->bytes[at];
    bool is_resource = tag >= TAPE_RESOURCE8 && tag <= TAPE_RESOURCE32;
    if (is_resource)
        type = area->size - at < 2 ? FHIR_TYPE_NONE : area->bytes[at + 1];
    if (!tape_is_object(tag) || type == FHIR_TYPE_NONE || type >= FHIR_TYPE_COUNT ||
        (is_resource && !fhir_type_is_concrete_resource((FhirType)type)))
        return damaged(check, at, "no object");
    uint32_t from;
    uint32_t end;
    if (!tape_body(area, at, &from, &end))
        return damaged(check, at, "an object that goes past the end");
    uint64_t seen[4] = {0};
    FhirElements elements = fhir_elements((FhirNode){.area = area, .at = at, .type = type});
    uint8_t element;
    FhirNode value;
    while (fhir_elements_next(&elements, &element, &value)) {
        const FhirElementInfo *info = fhir_element_info((FhirType)type, element);
        if (value.area == NULL)
            return damaged(check, at, "a bad reference");
        if ((seen[element >> 6] >> (element & 63) & 1) != 0)
            return damaged(check, at, "an element twice");
        seen[element >> 6] |= UINT64_C(1) << (element & 63);
        ErrorCode code = check_value(check, value.at, info->type, info->flags);
        if (code != ERR_OK)
            return code;
    }
    return elements.next == end ? ERR_OK : damaged(check, at, "an unknown element");
}

static ErrorCode check_list(Check *check, uint32_t at, uint16_t type, uint8_t flags)
{
    const TapeArea *area = check->area;
    uint32_t from;
    uint32_t end;
    if (!tape_body(area, at, &from, &end))
        return damaged(check, at, "a list that goes past the end");
    while (from < end) {
        size_t next = tape_skip(area, from);
        uint32_t item = tape_follow(area, from);
        if (next == 0 || next > end || item == TAPE_NOWHERE)
            return damaged(check, from, "a bad item");
        bool is_null = area->bytes[item] == TAPE_NULL;
        if (is_null && (flags & FHIR_FLAG_PRIMITIVE) == 0)
            return damaged(check, from, "a null");
        ErrorCode code =
            is_null ? ERR_OK : check_value(check, item, type, flags & (uint8_t)~FHIR_FLAG_LIST);
        if (code != ERR_OK)
            return code;
        from = (uint32_t)next;
    }
    return ERR_OK;
}

static ErrorCode check_value(Check *check, uint32_t at, uint16_t type, uint8_t flags)
{
    if (check->depth >= TAPE_DEPTH_MAX || ++check->steps > STEPS_MAX)
        return damaged(check, at, "too deep or too large a tree");
    bool is_list = tape_is_list(check->area->bytes[at]);
    if (is_list != ((flags & FHIR_FLAG_LIST) != 0))
        return damaged(check, at, "a list for a single value, or the other way round");
    check->depth++;
    ErrorCode code = is_list                              ? check_list(check, at, type, flags)
                     : (flags & FHIR_FLAG_PRIMITIVE) != 0 ? check_primitive(check, at, type)
                                                          : check_object(check, at, type);
    check->depth--;
    return code;
}

ErrorCode fhir_tape_check(const TapeArea *area, uint32_t at, Error *err)
{
    Check check = {.area = area, .err = err, .root = at};
    FhirNode root = fhir_root(area, at);
    if (root.area == NULL || root.at != at)
        return damaged(&check, at, "no resource");
    check.scratch = arena_create(0);
    ErrorCode code = check_object(&check, at, root.type);
    arena_destroy(check.scratch);
    return code;
}

/* Where nodes are: skipping, following, children, items. */
#include "fhir/fhir_int.h"

/* clang-format off */
#define SIZES_4(n)  (n), (n) + 1, (n) + 2, (n) + 3
#define SIZES_16(n) SIZES_4(n), SIZES_4((n) + 4), SIZES_4((n) + 8), SIZES_4((n) + 12)
#define SAME_4(n)   (n), (n), (n), (n)
#define SAME_16(n)  SAME_4(n), SAME_4(n), SAME_4(n), SAME_4(n)
const uint8_t tape_fixed_sizes[256] = {
    1, 1, 1, 0, 0, 0, 0, 0,                        /* 0x00 null, false, true, extra, lists */
    0, 0, 0, 0, 0, 0, 0, 0,                        /* 0x08 objects, resources, texts */
    17, 0, 0, 0, 0, 0, 0, 0,                       /* 0x10 UUID, reference, numbers */
    4, 4, 4, 7, 8, 5, 5, 6,                        /* 0x18 moments, reference, code, system */
    SIZES_16(1), SIZES_16(17),                     /* 0x20 texts */
    SIZES_16(1), SIZES_16(17),                     /* 0x40 objects */
    SAME_16(1),                                    /* 0x60 integers */
    SAME_16(0),                                    /* 0x70 not used */
    SAME_16(2), SAME_16(2), SAME_16(2), SAME_16(2), /* 0x80 references */
    SAME_16(3), SAME_16(3), SAME_16(3), SAME_16(3),
};
/* clang-format on */

size_t tape_varint(const TapeArea *area, size_t at, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && at < area->size; shift += 7) {
        uint8_t byte = area->bytes[at++];
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *ret_value = value;
            return at;
        }
    }
    return 0;
}

/* Bytes of the header with its length field, and the length; 0 for tags without one. */
static size_t header(const TapeArea *area, size_t at, size_t *ret_length)
{
    /* By tag from LIST8 to TEXT32: bytes before the length field, bytes of the length field. */
    static const uint8_t forms[][2] = {{1, 1}, {1, 2}, {1, 4}, {1, 1}, {1, 2}, {1, 4},
                                       {2, 1}, {2, 2}, {2, 4}, {1, 1}, {1, 4}};
    uint8_t tag = area->bytes[at];
    if (tag < TAPE_LIST8 || tag > TAPE_TEXT32)
        return 0;
    const uint8_t *form = forms[tag - TAPE_LIST8];
    size_t size = (size_t)form[0] + form[1];
    if (area->size - at < size)
        return 0;
    const uint8_t *field = area->bytes + at + form[0];
    *ret_length = form[1] == 1 ? field[0] : form[1] == 2 ? tape_load16(field) : tape_load32(field);
    return size;
}

static size_t skip_variable(const TapeArea *area, size_t at)
{
    uint64_t ignored;
    switch (area->bytes[at]) {
    case TAPE_INTEGER:
    case TAPE_DECIMAL0:
    case TAPE_DECIMAL0 + 1:
    case TAPE_DECIMAL0 + 2:
    case TAPE_DECIMAL3:
        return tape_varint(area, at + 1, &ignored);
    case TAPE_DECIMAL_N:
        return tape_varint(area, at + 2, &ignored);
    default:
        break;
    }
    size_t length;
    size_t size = header(area, at, &length);
    if (size == 0 || length > area->size - at - size)
        return 0;
    return at + size + length;
}

/* Whatever may stand within an EXTRA: no EXTRA and no list. */
static size_t skip_inner(const TapeArea *area, size_t at)
{
    if (at + 1 < area->size && area->bytes[at] == TAPE_REFERENCE)
        at += 2;
    if (at >= area->size)
        return 0;
    size_t size = tape_fixed_sizes[area->bytes[at]];
    if (size > 0)
        return size <= area->size - at ? at + size : 0;
    return skip_variable(area, at);
}

size_t tape_skip(const TapeArea *area, size_t at)
{
    if (at >= area->size)
        return 0;
    uint8_t tag = area->bytes[at];
    size_t size = tape_fixed_sizes[tag];
    if (LIKELY(size > 0))
        return size <= area->size - at ? at + size : 0;
    if (tag == TAPE_LIST1) {
        at++;
        if (at >= area->size)
            return 0;
        tag = area->bytes[at];
    }
    if (tag == TAPE_EXTRA) {
        at = skip_inner(area, at + 1);
        return at == 0 ? 0 : skip_inner(area, at);
    }
    return skip_inner(area, at);
}

uint32_t tape_follow(const TapeArea *area, uint32_t at)
{
    for (;;) {
        if (at >= area->size)
            return TAPE_NOWHERE;
        const uint8_t *bytes = area->bytes + at;
        uint8_t tag = bytes[0];
        if (LIKELY(!tape_is_ref(tag)))
            return at;
        if (area->size - at < tape_fixed_sizes[tag])
            return TAPE_NOWHERE;
        uint32_t high = tag & TAPE_REF_BITS;
        uint32_t target;
        if (tag == TAPE_REF32)
            target = tape_load32(bytes + 1);
        else if (tag < TAPE_REF_FIRST2)
            target = at - (high << 8 | bytes[1]);
        else if (tag < TAPE_REF_NEAR3)
            target = high << 8 | bytes[1];
        else if (tag < TAPE_REF_FIRST3)
            target = at - (high << 16 | tape_load16(bytes + 1));
        else
            target = high << 16 | tape_load16(bytes + 1);
        if (target >= at)
            return TAPE_NOWHERE;
        at = target;
    }
}

uint32_t tape_value(const TapeArea *area, uint32_t at)
{
    at = tape_follow(area, at);
    if (at == TAPE_NOWHERE || area->bytes[at] != TAPE_EXTRA)
        return at;
    return tape_follow(area, at + 1);
}

bool tape_body(const TapeArea *area, uint32_t at, uint32_t *ret_from, uint32_t *ret_to)
{
    uint8_t tag = area->bytes[at];
    size_t length;
    size_t size = 1;
    if (tag >= TAPE_OBJECT0 && tag < TAPE_INTEGER0) {
        length = tag - TAPE_OBJECT0;
    } else if (tag == TAPE_LIST1) {
        size_t end = tape_skip(area, at);
        if (end == 0)
            return false;
        length = end - at - 1;
    } else {
        size = header(area, at, &length);
        if (size == 0 || tag >= TAPE_TEXT8)
            return false;
    }
    if (length > area->size - at - size)
        return false;
    *ret_from = at + (uint32_t)size;
    *ret_to = (uint32_t)(at + size + length);
    return true;
}

/* --- nodes --- */

/* The node at `at`, whose type by the model is `type`; absent when damaged. */
static FhirNode node_at(const TapeArea *area, uint32_t at, uint16_t type)
{
    at = tape_follow(area, at);
    if (at == TAPE_NOWHERE)
        return FHIR_ABSENT;
    uint8_t tag = area->bytes[at];
    if (tag >= TAPE_RESOURCE8 && tag <= TAPE_RESOURCE32) {
        if (area->size - at < 2 || !fhir_type_is_concrete_resource(area->bytes[at + 1]))
            return FHIR_ABSENT;
        type = area->bytes[at + 1];
    }
    return (FhirNode){.area = area, .at = at, .type = type};
}

FhirNode fhir_root(const TapeArea *area, uint32_t at)
{
    FhirNode root = node_at(area, at, FHIR_TYPE_NONE);
    return root.type == FHIR_TYPE_NONE ? FHIR_ABSENT : root;
}

static FhirKind kind_of_type(uint16_t type)
{
    switch (type) {
    case FHIR_TYPE_integer:
    case FHIR_TYPE_positiveInt:
    case FHIR_TYPE_unsignedInt:
        return FHIR_KIND_INTEGER;
    case FHIR_TYPE_decimal:
        return FHIR_KIND_DECIMAL;
    case FHIR_TYPE_date:
    case FHIR_TYPE_dateTime:
    case FHIR_TYPE_instant:
    case FHIR_TYPE_time:
        return FHIR_KIND_MOMENT;
    case FHIR_TYPE_boolean:
        return FHIR_KIND_BOOLEAN;
    default:
        return FHIR_KIND_TEXT;
    }
}

FhirKind fhir_kind(FhirNode node)
{
    if (node.area == NULL)
        return FHIR_KIND_ABSENT;
    uint32_t at = tape_value(node.area, node.at);
    if (at == TAPE_NOWHERE)
        return FHIR_KIND_DAMAGED;
    uint8_t tag = node.area->bytes[at];
    if (tag == TAPE_NULL)
        return FHIR_KIND_ABSENT;
    if (tape_is_list(tag))
        return FHIR_KIND_LIST;
    if (tape_is_object(tag))
        return fhir_type_is_primitive(node.type) ? FHIR_KIND_DAMAGED : FHIR_KIND_OBJECT;
    return fhir_type_is_primitive(node.type) ? kind_of_type(node.type) : FHIR_KIND_DAMAGED;
}

FhirElements fhir_elements(FhirNode object)
{
    FhirElements elements = {.object = object};
    if (object.area != NULL && (!tape_is_object(object.area->bytes[object.at]) ||
                                !tape_body(object.area, object.at, &elements.next, &elements.end)))
        elements.next = elements.end = 0;
    return elements;
}

/* The field at *next: its element number (0 when damaged) and where its node is. A Coding keeps
   system and code as one: see TAPE_FIELD_SYSTEM_CODE. */
static uint8_t field_next(const TapeArea *area, uint16_t type, uint32_t *next, uint32_t *ret_at)
{
    uint32_t at = *next;
    uint8_t number = area->bytes[at];
    if (type == FHIR_TYPE_Coding && number == TAPE_FIELD_SYSTEM_CODE) {
        *ret_at = at + 1;
        *next = at + 2;
        return FHIR_ELEM_Coding_system;
    }
    if (type == FHIR_TYPE_Coding && number == TAPE_CODE) {
        *ret_at = at;
        number = FHIR_ELEM_Coding_code;
    } else {
        *ret_at = at + 1;
        if (number == 0 || number > fhir_type_table[type].element_count)
            return 0;
    }
    size_t end = tape_skip(area, *ret_at);
    *next = (uint32_t)end;
    return end == 0 ? 0 : number;
}

bool fhir_elements_next(FhirElements *elements, uint8_t *ret_element, FhirNode *ret_value)
{
    FhirNode object = elements->object;
    if (elements->next >= elements->end)
        return false;
    uint32_t at;
    uint8_t number = field_next(object.area, object.type, &elements->next, &at);
    if (number == 0 || elements->next > elements->end) {
        elements->next = elements->end;
        return false;
    }
    *ret_element = number;
    *ret_value = node_at(object.area, at, fhir_element_info((FhirType)object.type, number)->type);
    return true;
}

FhirNode fhir_child(FhirNode object, uint8_t element)
{
    FhirElements elements = fhir_elements(object);
    while (elements.next < elements.end) {
        uint32_t at;
        uint8_t number = field_next(object.area, object.type, &elements.next, &at);
        if (number == element && number != 0)
            return node_at(object.area, at, fhir_element_info((FhirType)object.type, number)->type);
        if (number == 0)
            break;
    }
    return FHIR_ABSENT;
}

FhirNode fhir_child_named(FhirNode object, Str name)
{
    uint8_t number = object.area == NULL ? 0 : fhir_element_by_name(object.type, name);
    return number == 0 ? FHIR_ABSENT : fhir_child(object, number);
}

FhirNode fhir_child_choice(FhirNode object, uint8_t choice_group)
{
    FhirElements elements = fhir_elements(object);
    while (elements.next < elements.end) {
        uint32_t at;
        uint8_t number = field_next(object.area, object.type, &elements.next, &at);
        if (number == 0)
            break;
        const FhirElementInfo *info = fhir_element_info((FhirType)object.type, number);
        if (info->choice == choice_group && choice_group != 0)
            return node_at(object.area, at, info->type);
    }
    return FHIR_ABSENT;
}

FhirNode fhir_primitive_extra(FhirNode value)
{
    if (value.area == NULL || value.area->bytes[value.at] != TAPE_EXTRA)
        return FHIR_ABSENT;
    size_t at = skip_inner(value.area, value.at + 1);
    return at == 0 ? FHIR_ABSENT : node_at(value.area, (uint32_t)at, FHIR_TYPE_Element);
}

/* --- lists --- */

FhirItems fhir_items(FhirNode node)
{
    FhirItems items = {.node = node};
    if (node.area == NULL)
        return items;
    uint32_t end;
    if (!tape_is_list(node.area->bytes[node.at])) {
        items.next = node.at;
        items.left = 1;
    } else if (tape_body(node.area, node.at, &items.next, &end)) {
        items.left = end - items.next;
    }
    return items;
}

/* `left` counts bytes of a list, or is 1 for a single value. */
bool fhir_items_next(FhirItems *items, FhirNode *ret_item)
{
    const TapeArea *area = items->node.area;
    items->is_null = false;
    if (items->left == 0)
        return false;
    if (items->next == items->node.at) { /* a value that is no list */
        items->left = 0;
        *ret_item = items->node;
        return true;
    }
    size_t end = tape_skip(area, items->next);
    if (end == 0 || end - items->next > items->left) {
        items->left = 0;
        return false;
    }
    *ret_item = node_at(area, items->next, items->node.type);
    items->left -= (uint32_t)(end - items->next);
    items->next = (uint32_t)end;
    if (ret_item->area != NULL && area->bytes[ret_item->at] == TAPE_NULL) {
        items->is_null = true;
        *ret_item = FHIR_ABSENT;
    }
    return true;
}

uint32_t fhir_count(FhirNode node)
{
    uint32_t count = 0;
    FhirItems items = fhir_items(node);
    FhirNode item;
    while (fhir_items_next(&items, &item))
        count++;
    return count;
}

FhirNode fhir_first(FhirNode node)
{
    FhirItems items = fhir_items(node);
    FhirNode item;
    return fhir_items_next(&items, &item) ? item : FHIR_ABSENT;
}

/* --- equality --- */

static bool same_tree(FhirNode a, FhirNode b, unsigned depth);

static bool same_bodies(FhirNode a, FhirNode b, unsigned depth)
{
    uint32_t at_a;
    uint32_t end_a;
    uint32_t at_b;
    uint32_t end_b;
    if (!tape_body(a.area, a.at, &at_a, &end_a) || !tape_body(b.area, b.at, &at_b, &end_b))
        return false;
    bool has_fields = tape_is_object(a.area->bytes[a.at]);
    while (at_a < end_a && at_b < end_b) {
        FhirNode item_a = a;
        FhirNode item_b = b;
        item_a.at = at_a;
        item_b.at = at_b;
        size_t next_a;
        size_t next_b;
        if (has_fields) {
            uint32_t next = at_a;
            uint8_t number = field_next(a.area, a.type, &next, &item_a.at);
            next_a = next;
            next = at_b;
            if (number == 0 || field_next(b.area, b.type, &next, &item_b.at) != number)
                return false;
            next_b = next;
            item_a.type = item_b.type = fhir_element_info((FhirType)a.type, number)->type;
        } else {
            next_a = tape_skip(a.area, at_a);
            next_b = tape_skip(b.area, at_b);
        }
        if (next_a == 0 || next_b == 0 || !same_tree(item_a, item_b, depth + 1))
            return false;
        at_a = (uint32_t)next_a;
        at_b = (uint32_t)next_b;
    }
    return at_a == end_a && at_b == end_b;
}

static bool same_tree(FhirNode a, FhirNode b, unsigned depth)
{
    if (a.area == NULL || b.area == NULL) /* the extras of a damaged value */
        return false;
    a = node_at(a.area, a.at, a.type);
    b = node_at(b.area, b.at, b.type);
    if (a.area == NULL || b.area == NULL || a.type != b.type || depth > TAPE_DEPTH_MAX)
        return false;
    uint8_t tag_a = a.area->bytes[a.at];
    uint8_t tag_b = b.area->bytes[b.at];
    if ((tape_is_object(tag_a) && tape_is_object(tag_b)) ||
        (tape_is_list(tag_a) && tape_is_list(tag_b)))
        return same_bodies(a, b, depth);
    size_t size = tape_skip(a.area, a.at);
    if (tag_a != tag_b || size == 0 || tape_skip(b.area, b.at) == 0)
        return false;
    if (tag_a == TAPE_REFERENCE) {
        FhirNode id_a = {.area = a.area, .at = a.at + 2, .type = FHIR_TYPE_id};
        FhirNode id_b = {.area = b.area, .at = b.at + 2, .type = FHIR_TYPE_id};
        return a.area->bytes[a.at + 1] == b.area->bytes[b.at + 1] &&
               same_tree(id_a, id_b, depth + 1);
    }
    if (tag_a == TAPE_EXTRA) {
        FhirNode value_a = {.area = a.area, .at = a.at + 1, .type = a.type};
        FhirNode value_b = {.area = b.area, .at = b.at + 1, .type = b.type};
        return same_tree(value_a, value_b, depth + 1) &&
               same_tree(fhir_primitive_extra(a), fhir_primitive_extra(b), depth + 1);
    }
    size -= a.at;
    return size <= b.area->size - b.at &&
           memcmp(a.area->bytes + a.at, b.area->bytes + b.at, size) == 0;
}

bool fhir_equal(FhirNode a, FhirNode b)
{
    if (a.area == NULL || b.area == NULL)
        return a.area == b.area;
    return same_tree(a, b, 0);
}

/* Tapes back to JSON. */
#include "fhir/fhir_int.h"

typedef struct {
    const TapeArea *area;
    StrBuf *out;
    Arena *scratch; /* for texts that are kept in another form; rewound after each */
    unsigned depth;
} Writer;

/* Whether JSON wants an escape for the byte. */
static inline bool needs_escape(char c)
{
    return (uint8_t)c < ' ' || c == '"' || c == '\\';
}

static void put_string(StrBuf *out, Str text)
{
    static const char hex[] = "0123456789abcdef";
    char *to = strbuf_reserve(out, 6 * text.len + 2);
    if (to == NULL) {
        out->overflowed = true;
        return;
    }
    char *start = to;
    *to++ = '"';
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (LIKELY(!needs_escape(c))) {
            *to++ = c;
            continue;
        }
        const char *letter = memchr("\"\"\\\\\bb\ff\nn\rr\tt", c, 14);
        *to++ = '\\';
        if (letter != NULL) {
            *to++ = c == '"' || c == '\\' ? c : letter[1];
            continue;
        }
        memcpy(to, "u00", 3);
        to[3] = hex[(uint8_t)c >> 4];
        to[4] = hex[c & 15];
        to += 5;
    }
    *to++ = '"';
    out->len += (size_t)(to - start);
}

static bool put_node(Writer *writer, FhirNode node);

static bool put_primitive(Writer *writer, FhirNode value)
{
    uint32_t at = tape_value(writer->area, value.at);
    if (at == TAPE_NOWHERE)
        return false;
    if (writer->area->bytes[at] == TAPE_NULL) {
        strbuf_add(writer->out, S("null"));
        return true;
    }
    ArenaMark mark = arena_mark(writer->scratch);
    Str text;
    bool ok = tape_text(writer->area, at, writer->scratch, &text);
    if (ok) {
        uint8_t form = fhir_type_table[value.type].json;
        if (form == FHIR_JSON_STRING)
            put_string(writer->out, text);
        else
            strbuf_add(writer->out, text);
    }
    arena_rewind(writer->scratch, mark);
    return ok;
}

/* The items of a list; of primitives either their values or, with `extras`, what stands beside
   them. */
static bool put_items(Writer *writer, FhirNode list, bool extras)
{
    bool is_first = true;
    FhirItems items = fhir_items(list);
    FhirNode item;
    strbuf_add_char(writer->out, '[');
    while (fhir_items_next(&items, &item)) {
        if (!is_first)
            strbuf_add_char(writer->out, ',');
        is_first = false;
        if (items.is_null) {
            strbuf_add(writer->out, S("null"));
            continue;
        }
        if (item.area == NULL)
            return false;
        FhirNode value = extras ? fhir_primitive_extra(item) : item;
        if (value.area == NULL)
            strbuf_add(writer->out, S("null"));
        else if (!put_node(writer, value))
            return false;
    }
    strbuf_add_char(writer->out, ']');
    return true;
}

/* Of a primitive or a list of them: whether values, and extras, are there. */
static void look_for_extras(FhirNode value, bool *ret_has_values, bool *ret_has_extras)
{
    *ret_has_values = *ret_has_extras = false;
    FhirItems items = fhir_items(value);
    FhirNode item;
    while (fhir_items_next(&items, &item)) {
        if (item.area == NULL)
            continue;
        *ret_has_values |= fhir_kind(item) != FHIR_KIND_ABSENT;
        *ret_has_extras |= fhir_primitive_extra(item).area != NULL;
    }
}

static void put_key(Writer *writer, Str name, bool is_extra, bool *is_first)
{
    if (!*is_first)
        strbuf_add_char(writer->out, ',');
    *is_first = false;
    strbuf_add_char(writer->out, '"');
    if (is_extra)
        strbuf_add_char(writer->out, '_');
    strbuf_add(writer->out, name);
    strbuf_add(writer->out, S("\":"));
}

static bool put_member(Writer *writer, uint16_t type, uint8_t element, FhirNode value,
                       bool *is_first)
{
    const FhirElementInfo *info = fhir_element_info((FhirType)type, element);
    Str name = {.ptr = info->name, .len = info->name_len};
    uint8_t tag = writer->area->bytes[value.at];
    bool is_list = tape_is_list(tag);
    if (is_list != ((info->flags & FHIR_FLAG_LIST) != 0))
        return false;
    if ((info->flags & FHIR_FLAG_PRIMITIVE) == 0) {
        put_key(writer, name, false, is_first);
        return is_list ? put_items(writer, value, false) : put_node(writer, value);
    }
    bool has_values;
    bool has_extras = tag == TAPE_EXTRA;
    if (!is_list && !has_extras) {
        put_key(writer, name, false, is_first);
        return put_primitive(writer, value);
    }
    look_for_extras(value, &has_values, &has_extras);
    if (has_values || !has_extras) {
        put_key(writer, name, false, is_first);
        if (!(is_list ? put_items(writer, value, false) : put_primitive(writer, value)))
            return false;
    }
    if (!has_extras)
        return true;
    put_key(writer, name, true, is_first);
    return is_list ? put_items(writer, value, true) : put_node(writer, fhir_primitive_extra(value));
}

static bool put_object(Writer *writer, FhirNode object)
{
    bool is_first = true;
    uint8_t tag = writer->area->bytes[object.at];
    strbuf_add_char(writer->out, '{');
    if (tag >= TAPE_RESOURCE8 && tag <= TAPE_RESOURCE32) {
        strbuf_add(writer->out, S("\"resourceType\":\""));
        strbuf_add(writer->out, fhir_type_name(object.type));
        strbuf_add_char(writer->out, '"');
        is_first = false;
    }
    FhirElements elements = fhir_elements(object);
    uint8_t element;
    FhirNode value;
    uint32_t from;
    uint32_t end;
    if (!tape_body(writer->area, object.at, &from, &end))
        return false;
    while (fhir_elements_next(&elements, &element, &value))
        if (value.area == NULL || !put_member(writer, object.type, element, value, &is_first))
            return false;
    strbuf_add_char(writer->out, '}');
    return elements.next == end; /* else it broke off in the middle */
}

static bool put_node(Writer *writer, FhirNode node)
{
    if (writer->depth > TAPE_DEPTH_MAX || writer->out->overflowed)
        return false;
    writer->depth++;
    uint8_t tag = node.area == NULL ? TAPE_NULL : node.area->bytes[node.at];
    bool ok = node.area != NULL;
    if (ok && tape_is_list(tag))
        ok = put_items(writer, node, false);
    else if (ok && tape_is_object(tag))
        ok = put_object(writer, node);
    else if (ok)
        ok = fhir_type_is_primitive(node.type) && put_primitive(writer, node);
    writer->depth--;
    return ok;
}

bool fhir_write_json(FhirNode node, StrBuf *out)
{
    if (node.area == NULL)
        return false;
    Arena *scratch = arena_create(0);
    Writer writer = {.area = node.area, .out = out, .scratch = scratch};
    bool ok = put_node(&writer, node) && !out->overflowed;
    arena_destroy(scratch);
    return ok;
}

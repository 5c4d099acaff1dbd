/*
 * Templates: compiled by reading a sample of the resource in which slots hold values that nothing
 * else holds, and walking its tape.
 */
#include "fhir/template.h"

#include "fhir/fhir_int.h"

enum {
    SENTINEL_YEAR = 1,
    SENTINEL_NUMBER = 7000000,
    SENTINEL_DIGITS = 2, /* "slot-n07" */
    NO_SLOT = 0xFF,
    PIECES_MAX = 4 * FHIR_TEMPLATE_SLOTS_MAX,
    TEXT_HEADER_MAX = 5,
    VALUE_BYTES_MAX = 24, /* of a slot that is a number or a moment, as text or tape */
    NESTING_MAX = 32,
};
#define SENTINEL_SYSTEM S("urn:slot")

typedef enum {
    SLOT_TEXT = 't',
    SLOT_DAY = 'd',
    SLOT_SECOND = 's',
    SLOT_INTEGER = 'i',
    SLOT_MONEY = 'm',
    SLOT_TENTHS = 'a',
    SLOT_PART = 'n',
    SLOT_CONCEPT = 'c',
    SLOT_ORGANISATION = 'o',
    SLOT_LIST = 'l',
} SlotKind;

/* Text before a placeholder, and the placeholder; the last piece has none (kind 0). */
typedef struct {
    Str text;
    uint8_t kind;
    uint8_t slot;
} Piece;

typedef enum { OP_BYTES, OP_OPEN, OP_CLOSE, OP_SLOT } OpKind;

typedef struct {
    uint8_t kind; /* OpKind */
    uint8_t tag;  /* OPEN: of the narrowest form; SLOT: SlotKind */
    uint8_t slot;
    uint8_t places; /* of a decimal */
    uint8_t type;   /* OPEN of a resource */
    uint32_t size;  /* BYTES */
    uint8_t *bytes;
} Op;

struct FhirTemplate {
    uint16_t type; /* of the resource; of a part, of the resource that it was compiled in */
    Vec(Piece) pieces;
    Vec(Op) ops;
    Vec(uint8_t *) codes; /* places of concept ids within bytes */
    size_t size_max;      /* without what is in slots of text and parts */
    uint8_t slot_kinds[FHIR_TEMPLATE_SLOTS_MAX];
    /* Facts: slots, or NO_SLOT and the constant. */
    uint8_t id_slot, patient_slot, concept_slot, day_slot, number_slot, org_slot;
    bool number_is_scaled;
    int64_t number_scale; /* to 10^-8 units */
    FhirFacts facts;
};

/* --- the source --- */

static bool is_kind(char c)
{
    return c != '\0' && memchr("tdsimanclo", c, 10) != NULL;
}

/* Reads the "<k12>" at text[at]; gives its length or 0. */
static size_t read_placeholder(Str text, size_t at, Piece *ret_piece)
{
    size_t i = at + 2;
    uint32_t slot = 0;
    if (at + 3 >= text.len || text.ptr[at] != '<' || !is_kind(text.ptr[at + 1]))
        return 0;
    for (; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9' && i < at + 4; i++)
        slot = slot * 10 + (uint32_t)(text.ptr[i] - '0');
    if (i == at + 2 || i >= text.len || text.ptr[i] != '>' || slot >= FHIR_TEMPLATE_SLOTS_MAX)
        return 0;
    ret_piece->kind = (uint8_t)text.ptr[at + 1];
    ret_piece->slot = (uint8_t)slot;
    return i + 1 - at;
}

/* What stands for the slot in the sample. */
static void add_sentinel(StrBuf *out, const Piece *piece)
{
    unsigned slot = piece->slot;
    switch ((SlotKind)piece->kind) {
    case SLOT_TEXT:
        strbuf_printf(out, "slot-t%02u", slot);
        break;
    case SLOT_DAY:
        strbuf_printf(out, "0001-01-%02u", slot + 1);
        break;
    case SLOT_SECOND:
        strbuf_printf(out, "0001-01-%02uT00:00:00Z", slot + 1);
        break;
    case SLOT_INTEGER:
        strbuf_printf(out, "%u", SENTINEL_NUMBER + slot);
        break;
    case SLOT_MONEY:
        strbuf_printf(out, "%u.00", SENTINEL_NUMBER + slot);
        break;
    case SLOT_TENTHS:
        strbuf_printf(out, "%u.0", SENTINEL_NUMBER + slot);
        break;
    case SLOT_PART:
        strbuf_printf(out, "{\"id\":\"slot-n%02u\"}", slot);
        break;
    case SLOT_CONCEPT:
        strbuf_printf(out, "{\"coding\":[{\"system\":\"urn:slot\",\"code\":\"slot-c%02u\"}]}",
                      slot);
        break;
    case SLOT_ORGANISATION:
        strbuf_printf(out, "{\"reference\":\"Organization/slot-o%02u\"}", slot);
        break;
    case SLOT_LIST:
        strbuf_printf(out, "[{\"id\":\"slot-l%02u\"}]", slot);
        break;
    }
}

/* Cuts the source into pieces; the sample goes to out. */
static ErrorCode cut(FhirTemplate *template, Arena *arena, const FhirTemplateSource *source,
                     StrBuf *out, Error *err)
{
    Str text = source->json;
    size_t from = 0;
    for (size_t at = 0; at < text.len; at++) {
        Piece piece = {.kind = 0};
        size_t len = text.ptr[at] == '<' ? read_placeholder(text, at, &piece) : 0;
        if (text.ptr[at] == '<' && len == 0)
            return error_set(err, ERR_DOCUMENT,
                             "template %.*s: byte %zu: expected a placeholder such as <t0>",
                             STR_ARG(source->name), at);
        if (len == 0)
            continue;
        uint8_t *known = &template->slot_kinds[piece.slot];
        if (*known != 0 && *known != piece.kind)
            return error_set(err, ERR_DOCUMENT, "template %.*s: slot %u is used as two kinds",
                             STR_ARG(source->name), (unsigned)piece.slot);
        *known = piece.kind;
        piece.text = str_copy(arena, str_slice(text, from, at - from));
        VEC_PUSH(arena, &template->pieces, piece);
        strbuf_add(out, piece.text);
        add_sentinel(out, &piece);
        from = at + len;
        at = from - 1;
    }
    Piece last = {.text = str_copy(arena, str_slice(text, from, SIZE_MAX))};
    VEC_PUSH(arena, &template->pieces, last);
    strbuf_add(out, last.text);
    return ERR_OK;
}

/* --- the tape of the sample --- */

typedef struct {
    Arena *arena;
    const TapeArea *area;
    const ConceptBuilder *concepts;
    FhirTemplate *template;
    uint8_t part_kind; /* a slot that takes the place of what holds it, some levels up; 0: none */
    uint8_t part_slot;
    unsigned part_levels;
} Walk;

/* "slot-k07" */
static bool is_sentinel_text(Str text, uint8_t *ret_kind, uint8_t *ret_slot)
{
    int64_t slot;
    if (text.len != 8 || !str_starts_with(text, S("slot-")) ||
        !str_to_int64(str_slice(text, 6, SENTINEL_DIGITS), &slot) || slot < 0 ||
        slot >= FHIR_TEMPLATE_SLOTS_MAX)
        return false;
    *ret_kind = (uint8_t)text.ptr[5];
    *ret_slot = (uint8_t)slot;
    return true;
}

static bool is_sentinel_number(int64_t digits, unsigned places, uint8_t *ret_slot)
{
    int64_t scale = 1;
    for (unsigned i = 0; i < places; i++)
        scale *= 10;
    int64_t whole = digits / scale;
    if (digits % scale != 0 || whole < SENTINEL_NUMBER ||
        whole >= SENTINEL_NUMBER + FHIR_TEMPLATE_SLOTS_MAX)
        return false;
    *ret_slot = (uint8_t)(whole - SENTINEL_NUMBER);
    return true;
}

static void push_bytes(Walk *walk, const uint8_t *bytes, size_t size)
{
    FhirTemplate *template = walk->template;
    uint8_t *copy = arena_copy(walk->arena, bytes, size);
    VEC_PUSH(walk->arena, &template->ops,
             (Op){.kind = OP_BYTES, .size = (uint32_t)size, .bytes = copy});
}

static void push_slot(Walk *walk, uint8_t kind, uint8_t slot, uint8_t places)
{
    VEC_PUSH(walk->arena, &walk->template->ops,
             (Op){.kind = OP_SLOT, .tag = kind, .slot = slot, .places = places});
}

static void take_part(Walk *walk, uint8_t kind, uint8_t slot)
{
    walk->part_kind = kind;
    walk->part_slot = slot;
    walk->part_levels = kind == SLOT_CONCEPT ? 3 : kind == SLOT_LIST ? 2 : 1;
}

/* A number or a moment that is a sentinel; false when it is neither. */
static bool push_value_slot(Walk *walk, const uint8_t *bytes, size_t at)
{
    uint8_t tag = bytes[0];
    uint8_t slot;
    uint64_t value;
    Moment moment;
    switch (tag) {
    case TAPE_INTEGER:
        if (tape_varint(walk->area, at + 1, &value) == 0 ||
            !is_sentinel_number(tape_unzigzag(value), 0, &slot))
            return false;
        push_slot(walk, SLOT_INTEGER, slot, 0);
        return true;
    case TAPE_DECIMAL0:
    case TAPE_DECIMAL0 + 1:
    case TAPE_DECIMAL0 + 2:
        if (tape_varint(walk->area, at + 1, &value) == 0 ||
            !is_sentinel_number(tape_unzigzag(value), tag - TAPE_DECIMAL0, &slot))
            return false;
        push_slot(walk, SLOT_MONEY, slot, (uint8_t)(tag - TAPE_DECIMAL0));
        return true;
    case TAPE_DAY:
    case TAPE_SECOND:
        tape_unpack_moment(bytes, &moment);
        if (moment.year != SENTINEL_YEAR)
            return false;
        push_slot(walk, tag == TAPE_DAY ? SLOT_DAY : SLOT_SECOND, (uint8_t)(moment.day - 1), 0);
        return true;
    default:
        return false;
    }
}

static void walk_leaf(Walk *walk, size_t at, size_t end)
{
    const uint8_t *bytes = walk->area->bytes + at;
    uint8_t kind;
    uint8_t slot;
    if (bytes[0] == TAPE_REFERENCE) {
        push_bytes(walk, bytes, 2);
        walk_leaf(walk, at + 2, end);
        return;
    }
    if (bytes[0] >= TAPE_TEXT0 && bytes[0] <= TAPE_TEXT0 + TAPE_SMALL_MAX &&
        is_sentinel_text((Str){(const char *)bytes + 1, end - at - 1}, &kind, &slot)) {
        if (kind == SLOT_TEXT)
            push_slot(walk, kind, slot, 0);
        else
            take_part(walk, kind, slot);
        return;
    }
    if (push_value_slot(walk, bytes, at))
        return;
    push_bytes(walk, bytes, end - at);
}

/* A Coding's system and code. */
static void walk_code(Walk *walk, size_t at)
{
    const uint8_t *bytes = walk->area->bytes + at;
    uint8_t kind;
    uint8_t slot;
    ConceptName name = concept_builder_name(walk->concepts, tape_load32(bytes + 1));
    if (str_eq(name.system, SENTINEL_SYSTEM) && is_sentinel_text(name.code, &kind, &slot)) {
        take_part(walk, kind, slot);
        return;
    }
    push_bytes(walk, bytes, 5);
    Op *op = &walk->template->ops.items[walk->template->ops.count - 1];
    VEC_PUSH(walk->arena, &walk->template->codes, op->bytes + 1);
}

static bool walk_node(Walk *walk, uint32_t at, unsigned depth);

static bool walk_fields(Walk *walk, uint32_t from, uint32_t to, unsigned depth)
{
    const TapeArea *area = walk->area;
    for (uint32_t at = from; at < to;) {
        push_bytes(walk, area->bytes + at, 1);
        if (area->bytes[at++] == TAPE_FIELD_SYSTEM_CODE) {
            push_bytes(walk, area->bytes + at, 1); /* TAPE_SYSTEM */
            at++;
        }
        size_t next = tape_skip(area, at);
        if (next == 0 || !walk_node(walk, at, depth))
            return false;
        at = (uint32_t)next;
    }
    return true;
}

static bool walk_items(Walk *walk, uint32_t from, uint32_t to, unsigned depth)
{
    for (uint32_t at = from; at < to;) {
        size_t next = tape_skip(walk->area, at);
        if (next == 0 || !walk_node(walk, at, depth))
            return false;
        at = (uint32_t)next;
    }
    return true;
}

/* Objects and lists: what stands within is between OPEN and CLOSE. When it held the sentinel of a
   part, the part takes its place. */
static bool walk_container(Walk *walk, uint32_t at, unsigned depth)
{
    const uint8_t *bytes = walk->area->bytes + at;
    FhirTemplate *template = walk->template;
    uint32_t from;
    uint32_t to;
    if (depth >= NESTING_MAX || !tape_body(walk->area, at, &from, &to))
        return false;
    size_t before = template->ops.count;
    size_t codes = template->codes.count;
    uint8_t tag = bytes[0];
    Op open = {.kind = OP_OPEN, .tag = TAPE_OBJECT8};
    if (tag >= TAPE_RESOURCE8 && tag <= TAPE_RESOURCE32) {
        open.tag = TAPE_RESOURCE16; /* as the reader begins them */
        open.type = bytes[1];
    } else if (tape_is_list(tag)) {
        open.tag = tag == TAPE_LIST1 ? TAPE_LIST1 : TAPE_LIST8;
    }
    VEC_PUSH(walk->arena, &template->ops, open);
    bool is_good = tape_is_list(tag) ? walk_items(walk, from, to, depth + 1)
                                     : walk_fields(walk, from, to, depth + 1);
    if (!is_good)
        return false;
    VEC_PUSH(walk->arena, &template->ops, (Op){.kind = OP_CLOSE});
    if (walk->part_kind != 0 && --walk->part_levels == 0) {
        template->ops.count = before;
        template->codes.count = codes;
        push_slot(walk, walk->part_kind, walk->part_slot, 0);
        walk->part_kind = 0;
    }
    return true;
}

static bool walk_node(Walk *walk, uint32_t at, unsigned depth)
{
    uint8_t tag = walk->area->bytes[at];
    size_t end = tape_skip(walk->area, at);
    if (end == 0 || tag == TAPE_EXTRA)
        return false;
    if (tape_is_object(tag) || tape_is_list(tag))
        return walk_container(walk, at, depth);
    if (tag == TAPE_CODE)
        walk_code(walk, at);
    else
        walk_leaf(walk, at, end);
    return true;
}

/* Neighbouring bytes become one. The places of codes move with them. */
static void join_bytes(FhirTemplate *template, Arena *arena)
{
    size_t kept = 0;
    for (size_t i = 0; i < template->ops.count; i++) {
        Op op = template->ops.items[i];
        Op *last = kept > 0 ? &template->ops.items[kept - 1] : NULL;
        if (op.kind != OP_BYTES || last == NULL || last->kind != OP_BYTES) {
            template->ops.items[kept++] = op;
            continue;
        }
        uint8_t *joined = arena_alloc(arena, last->size + op.size);
        memcpy(joined, last->bytes, last->size);
        memcpy(joined + last->size, op.bytes, op.size);
        VEC_FOREACH (uint8_t *, code, &template->codes) {
            if (*code >= last->bytes && *code < last->bytes + last->size)
                *code = joined + (*code - last->bytes);
            else if (*code >= op.bytes && *code < op.bytes + op.size)
                *code = joined + last->size + (*code - op.bytes);
        }
        last->bytes = joined;
        last->size += op.size;
    }
    template->ops.count = kept;
}

/* --- compiling --- */

static uint8_t slot_of_text(Str text, uint8_t wanted)
{
    uint8_t kind;
    uint8_t slot;
    return is_sentinel_text(text, &kind, &slot) && kind == wanted ? slot : NO_SLOT;
}

static uint8_t slot_of_concept(const ConceptBuilder *concepts, ConceptId id, uint8_t wanted)
{
    size_t count;
    if (id == CONCEPT_NONE)
        return NO_SLOT;
    const ConceptId *members = concept_builder_members(concepts, id, &count);
    return count != 1 ? NO_SLOT
                      : slot_of_text(concept_builder_name(concepts, members[0]).code, wanted);
}

static void find_facts(FhirTemplate *template, const ConceptBuilder *concepts)
{
    FhirFacts *facts = &template->facts;
    int32_t year = 0;
    int32_t month;
    int32_t day = 0;
    template->id_slot = slot_of_text(facts->id, SLOT_TEXT);
    template->patient_slot = slot_of_text(facts->patient_id, SLOT_TEXT);
    template->concept_slot = slot_of_concept(concepts, facts->concept, SLOT_CONCEPT);
    template->org_slot = slot_of_concept(concepts, facts->org, SLOT_ORGANISATION);
    template->day_slot = NO_SLOT;
    template->number_slot = NO_SLOT;
    if (facts->day != DAY_NONE)
        day_to_date(facts->day, &year, &month, &day);
    if (year == SENTINEL_YEAR)
        template->day_slot = (uint8_t)(day - 1);
    uint8_t slot;
    if (facts->number != NUMBER_NONE && is_sentinel_number(facts->number, 8, &slot)) {
        uint8_t kind = template->slot_kinds[slot];
        template->number_slot = slot;
        template->number_scale = kind == SLOT_MONEY    ? 1000000
                                 : kind == SLOT_TENTHS ? 10000000
                                                       : 100000000;
    }
    template->facts.type = template->type;
    template->facts.id = S("");
    template->facts.patient_id = S("");
}

/* The sample as a whole resource: as it is, or wrapped into the one that has the element. */
static ErrorCode wrap(const FhirTemplateSource *source, Str sample, StrBuf *out, Str *ret_element,
                      Error *err)
{
    if (str_is_empty(source->element)) {
        strbuf_add(out, sample);
        return ERR_OK;
    }
    size_t dot = str_find_char(source->element, '.');
    Str type_name = str_slice(source->element, 0, dot);
    uint16_t type = fhir_resource_by_name(type_name);
    *ret_element = dot == SIZE_MAX ? S("") : str_slice(source->element, dot + 1, SIZE_MAX);
    uint8_t element = type == FHIR_TYPE_NONE ? 0 : fhir_element_by_name(type, *ret_element);
    if (element == 0)
        return error_set(err, ERR_DOCUMENT, "template %.*s: %.*s is no element of a resource",
                         STR_ARG(source->name), STR_ARG(source->element));
    bool is_list = (fhir_element_info((FhirType)type, element)->flags & FHIR_FLAG_LIST) != 0;
    strbuf_printf(out, "{\"resourceType\":\"%.*s\",\"%.*s\":%s%.*s%s}", STR_ARG(type_name),
                  STR_ARG(*ret_element), is_list ? "[" : "", STR_ARG(sample), is_list ? "]" : "");
    return ERR_OK;
}

/* The most that text and tape take, without what is in slots. */
static void find_size(FhirTemplate *template)
{
    size_t text = 0;
    size_t tape = 0;
    VEC_FOREACH (Piece, piece, &template->pieces)
        text += piece->text.len + VALUE_BYTES_MAX;
    VEC_FOREACH (Op, op, &template->ops)
        tape += op->size + VALUE_BYTES_MAX;
    template->size_max = text > tape ? text : tape;
}

ErrorCode fhir_template_compile(Arena *arena, ConceptBuilder *concepts,
                                const FhirTemplateSource *source, FhirTemplate **ret_template,
                                Error *err)
{
    FhirTemplate *template = ARENA_NEW(arena, FhirTemplate);
    StrBuf sample;
    StrBuf whole;
    Str element = {0};
    TapeArea area;
    strbuf_init(&sample, arena, 0);
    strbuf_init(&whole, arena, 0);
    ErrorCode code = cut(template, arena, source, &sample, err);
    if (code == ERR_OK)
        code = wrap(source, strbuf_str(&sample), &whole, &element, err);
    if (code == ERR_OK &&
        fhir_parse_one(arena, concepts, strbuf_str(&whole), &area, &template->facts, err) != ERR_OK)
        code = error_wrap(err, "template %.*s", STR_ARG(source->name));
    if (code != ERR_OK)
        return code;
    FhirNode node = fhir_root(&area, 0);
    template->type = node.type;
    if (!str_is_empty(element))
        node = fhir_first(fhir_child_named(node, element));
    Walk walk = {.arena = arena, .area = &area, .concepts = concepts, .template = template};
    if (fhir_is_absent(node) || !walk_node(&walk, node.at, 0) || walk.part_kind != 0)
        return error_set(
            err, ERR_DOCUMENT,
            "template %.*s: extensions of primitives and slots in odd places are not supported",
            STR_ARG(source->name));
    join_bytes(template, arena);
    find_facts(template, concepts);
    find_size(template);
    *ret_template = template;
    return ERR_OK;
}

void fhir_template_renumber(FhirTemplate *template, const ConceptId *renumber)
{
    VEC_FOREACH (uint8_t *, code, &template->codes)
        tape_store32(*code, renumber[tape_load32(*code)]);
    template->facts.concept = renumber[template->facts.concept];
    template->facts.org = renumber[template->facts.org];
}

ConceptId fhir_template_concept(const FhirTemplate *template)
{
    return template->facts.concept != CONCEPT_NONE ? template->facts.concept : template->facts.org;
}

uint16_t fhir_template_type(const FhirTemplate *template)
{
    return template->type;
}

/* --- writing --- */

size_t fhir_template_size_max(const FhirTemplate *template, const FhirSlot *slots)
{
    size_t size = template->size_max;
    VEC_FOREACH (Piece, piece, &template->pieces) {
        const FhirSlot *slot = &slots[piece->slot];
        switch (piece->kind) {
        case SLOT_TEXT:
            size += slot->text.len + TEXT_HEADER_MAX;
            break;
        case SLOT_PART:
        case SLOT_CONCEPT:
        case SLOT_ORGANISATION:
            size += fhir_template_size_max(slot->part.template, slot->part.slots);
            break;
        case SLOT_LIST:
            for (size_t i = 0; i < slot->list.count; i++)
                size += 1 + fhir_template_size_max(slot->list.parts[i].template,
                                                   slot->list.parts[i].slots);
            break;
        default:
            break;
        }
    }
    return size;
}

static inline char *put_two(char *out, uint32_t value)
{
    out[0] = (char)('0' + value / 10);
    out[1] = (char)('0' + value % 10);
    return out + 2;
}

static char *put_day(char *out, int32_t day)
{
    int32_t year;
    int32_t month;
    int32_t of_month;
    day_to_date(day, &year, &month, &of_month);
    out = put_two(out, (uint32_t)year / 100);
    out = put_two(out, (uint32_t)year % 100);
    *out++ = '-';
    out = put_two(out, (uint32_t)month);
    *out++ = '-';
    return put_two(out, (uint32_t)of_month);
}

enum { DAY_SECONDS = 24 * 60 * 60 };

static int32_t day_of_second(int64_t second, uint32_t *ret_of_day)
{
    int64_t day = second / DAY_SECONDS;
    int64_t rest = second % DAY_SECONDS;
    if (rest < 0) {
        rest += DAY_SECONDS;
        day--;
    }
    *ret_of_day = (uint32_t)rest;
    return (int32_t)day;
}

static char *put_second(char *out, int64_t second)
{
    uint32_t of_day;
    out = put_day(out, day_of_second(second, &of_day));
    *out++ = 'T';
    out = put_two(out, of_day / 3600);
    *out++ = ':';
    out = put_two(out, of_day / 60 % 60);
    *out++ = ':';
    out = put_two(out, of_day % 60);
    *out++ = 'Z';
    return out;
}

static char *put_number(char *out, int64_t value, unsigned places)
{
    char digits[VALUE_BYTES_MAX];
    size_t count = 0;
    uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;
    if (value < 0)
        *out++ = '-';
    do {
        digits[count++] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0 || count <= places);
    while (count > 0) {
        *out++ = digits[--count];
        if (count == places && places > 0)
            *out++ = '.';
    }
    return out;
}

static char *put_list(const FhirSlot *slot, char *out)
{
    *out++ = '[';
    for (size_t i = 0; i < slot->list.count; i++) {
        if (i > 0)
            *out++ = ',';
        out = fhir_template_text(slot->list.parts[i].template, slot->list.parts[i].slots, out);
    }
    *out++ = ']';
    return out;
}

char *fhir_template_text(const FhirTemplate *template, const FhirSlot *slots, char *out)
{
    const Piece *end = template->pieces.items + template->pieces.count;
    for (const Piece *piece = template->pieces.items; piece < end; piece++) {
        memcpy(out, piece->text.ptr, piece->text.len);
        out += piece->text.len;
        const FhirSlot *slot = &slots[piece->slot];
        switch (piece->kind) {
        case SLOT_TEXT:
            memcpy(out, slot->text.ptr, slot->text.len);
            out += slot->text.len;
            break;
        case SLOT_DAY:
            out = put_day(out, slot->day);
            break;
        case SLOT_SECOND:
            out = put_second(out, slot->second);
            break;
        case SLOT_INTEGER:
            out = put_number(out, slot->number, 0);
            break;
        case SLOT_TENTHS:
            out = put_number(out, slot->number, 1);
            break;
        case SLOT_MONEY:
            out = put_number(out, slot->number, 2);
            break;
        case SLOT_LIST:
            out = put_list(slot, out);
            break;
        case SLOT_PART:
        case SLOT_CONCEPT:
        case SLOT_ORGANISATION:
            out = fhir_template_text(slot->part.template, slot->part.slots, out);
            break;
        default:
            break; /* the last piece */
        }
    }
    return out;
}

static uint8_t *put_varint_before(uint8_t *at, uint64_t value)
{
    uint8_t bytes[10];
    size_t size = (size_t)(tape_put_varint(bytes, value) - bytes);
    at -= size;
    memcpy(at, bytes, size);
    return at;
}

static uint8_t *put_moment_before(uint8_t *at, uint8_t kind, const FhirSlot *slot)
{
    char text[VALUE_BYTES_MAX];
    uint8_t packed[8];
    const char *end = kind == SLOT_DAY ? put_day(text, slot->day) : put_second(text, slot->second);
    int size = tape_pack_moment(text, (size_t)(end - text), packed);
    ASSERT(size > 0);
    at -= size;
    memcpy(at, packed, (size_t)size);
    return at;
}

static uint8_t *put_text_before(uint8_t *at, Str text)
{
    at -= text.len;
    memcpy(at, text.ptr, text.len);
    if (text.len <= TAPE_SMALL_MAX) {
        *--at = (uint8_t)(TAPE_TEXT0 + text.len);
        return at;
    }
    if (text.len == TAPE_UUID_TEXT_BYTES) {
        uint8_t packed[TAPE_UUID_BYTES];
        if (tape_pack_uuid((const char *)at, packed)) {
            at += TAPE_UUID_TEXT_BYTES - TAPE_UUID_BYTES;
            memcpy(at, packed, TAPE_UUID_BYTES);
            *--at = TAPE_UUID;
            return at;
        }
    }
    if (text.len <= UINT8_MAX) {
        *--at = (uint8_t)text.len;
        *--at = TAPE_TEXT8;
        return at;
    }
    at -= 4;
    tape_store32(at, (uint32_t)text.len);
    *--at = TAPE_TEXT32;
    return at;
}

/* The header of what lies from `at` on. Tags of a kind follow each other: 1, 2 and 4 bytes. */
static uint8_t *put_header_before(uint8_t *at, const Op *op, size_t length)
{
    uint8_t tag = op->tag;
    if (tag == TAPE_LIST1) {
        *--at = tag;
        return at;
    }
    bool is_resource = tag == TAPE_RESOURCE16;
    size_t width = length > UINT16_MAX ? 4 : length > UINT8_MAX || is_resource ? 2 : 1;
    at -= width;
    for (size_t i = 0; i < width; i++)
        at[i] = (uint8_t)(length >> (8 * i));
    if (is_resource)
        *--at = op->type;
    else
        tag = (uint8_t)(tag + (width == 2));
    *--at = (uint8_t)(tag + (width == 4 ? is_resource ? 1 : 2 : 0));
    return at;
}

static uint8_t *put_list_before(uint8_t *at, const FhirSlot *slot)
{
    const uint8_t *end = at;
    for (size_t i = slot->list.count; i-- > 0;)
        at = fhir_template_tape(slot->list.parts[i].template, slot->list.parts[i].slots, at);
    static const Op one = {.tag = TAPE_LIST1};
    static const Op many = {.tag = TAPE_LIST8};
    return put_header_before(at, slot->list.count == 1 ? &one : &many, (size_t)(end - at));
}

static uint8_t *put_slot_before(uint8_t *at, const Op *op, const FhirSlot *slot)
{
    switch (op->tag) {
    case SLOT_TEXT:
        return put_text_before(at, slot->text);
    case SLOT_DAY:
    case SLOT_SECOND:
        return put_moment_before(at, op->tag, slot);
    case SLOT_INTEGER:
        if (slot->number >= 0 && slot->number <= 15) {
            *--at = (uint8_t)(TAPE_INTEGER0 + slot->number);
            return at;
        }
        at = put_varint_before(at, tape_zigzag(slot->number));
        *--at = TAPE_INTEGER;
        return at;
    case SLOT_MONEY: /* and tenths */
        at = put_varint_before(at, tape_zigzag(slot->number));
        *--at = (uint8_t)(TAPE_DECIMAL0 + op->places);
        return at;
    case SLOT_LIST:
        return put_list_before(at, slot);
    default:
        return fhir_template_tape(slot->part.template, slot->part.slots, at);
    }
}

uint8_t *fhir_template_tape(const FhirTemplate *template, const FhirSlot *slots, uint8_t *end)
{
    const uint8_t *ends[NESTING_MAX];
    size_t depth = 0;
    uint8_t *at = end;
    for (size_t i = template->ops.count; i-- > 0;) {
        const Op *op = &template->ops.items[i];
        switch ((OpKind)op->kind) {
        case OP_BYTES:
            at -= op->size;
            memcpy(at, op->bytes, op->size);
            break;
        case OP_CLOSE:
            ASSERT(depth < NESTING_MAX);
            ends[depth++] = at;
            break;
        case OP_OPEN:
            ASSERT(depth > 0);
            depth--;
            at = put_header_before(at, op, (size_t)(ends[depth] - at));
            break;
        case OP_SLOT:
            at = put_slot_before(at, op, &slots[op->slot]);
            break;
        }
    }
    return at;
}

FhirFacts fhir_template_facts(const FhirTemplate *template, const FhirSlot *slots)
{
    FhirFacts facts = template->facts;
    if (template->id_slot != NO_SLOT)
        facts.id = slots[template->id_slot].text;
    if (template->patient_slot != NO_SLOT)
        facts.patient_id = slots[template->patient_slot].text;
    if (template->concept_slot != NO_SLOT)
    facts.concept = fhir_template_concept(slots[template->concept_slot].part.template);
    if (template->org_slot != NO_SLOT)
        facts.org = fhir_template_concept(slots[template->org_slot].part.template);
    if (template->number_slot != NO_SLOT)
        facts.number = slots[template->number_slot].number * template->number_scale;
    if (template->day_slot != NO_SLOT) {
        const FhirSlot *slot = &slots[template->day_slot];
        uint32_t of_day;
        bool has_time = template->slot_kinds[template->day_slot] == SLOT_SECOND;
        facts.day = has_time ? day_of_second(slot->second, &of_day) : slot->day;
        facts.instant_ms = (has_time ? slot->second : (int64_t)slot->day * DAY_SECONDS) * 1000;
    }
    return facts;
}

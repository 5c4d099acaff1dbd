/* Objects, lists and resources: the walk along the offsets, guided by the model. */
#include "fhir/reader_int.h"

enum { LONG_ITEM = 200, FIELD_OFFSETS_MIN = 3, FIRST_HEADER = 2 };

static inline bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* --- frames --- */

static inline bool enter(FhirReader *reader, uint16_t type)
{
    unsigned depth = reader->frame->depth + 1U + reader->frame->in_list;
    if (UNLIKELY(depth > LIMIT_JSON_DEPTH))
        return false;
    *++reader->frame = (Frame){.type = type, .depth = (uint8_t)depth};
    return true;
}

/* --- containers: the header is written short and made longer when the body outgrows it --- */

/* Moves what stands from `from` to `end` up by `by`, with the places noted for patching in it. */
static uint8_t *shift(FhirReader *reader, uint8_t *from, uint8_t *end, size_t by)
{
    memmove(from + by, from, (size_t)(end - from));
    uint32_t at = (uint32_t)(from - reader->tape);
    for (uint32_t i = reader->patch_count; i > 0 && reader->patches.items[i - 1] >= at; i--)
        reader->patches.items[i - 1] += (uint32_t)by;
    return end + by;
}

/* Ends a container whose header is at `start`: a tag of the 1-byte form, `skip` bytes, the length
   field of `width` bytes; bodies that need it get a wider one. The tags of a kind follow each
   other: 1, 2, 4 bytes. */
static uint8_t *close_body(FhirReader *reader, uint8_t *start, size_t skip, size_t width,
                           uint8_t *end)
{
    uint8_t *field = start + 1 + skip;
    size_t length = (size_t)(end - field) - width;
    size_t wanted = length <= UINT8_MAX ? 1 : length <= UINT16_MAX ? 2 : 4;
    if (UNLIKELY(wanted > width)) {
        end = shift(reader, field + width, end, wanted - width);
        width = wanted;
    }
    if (width == 1) {
        field[0] = (uint8_t)length;
    } else if (width == 2) {
        *start = (uint8_t)(*start + 1);
        field[0] = (uint8_t)length;
        field[1] = (uint8_t)(length >> 8);
    } else {
        *start = (uint8_t)(*start + 2);
        tape_store32(field, (uint32_t)length);
    }
    return end;
}

/* --- skipping and peeking --- */

const uint32_t *reader_skip(const FhirReader *reader, const uint32_t *at)
{
    const char *text = reader->text;
    const uint32_t *first = at;
    unsigned depth = 0;
    while (at < reader->end) {
        char c = text[*at];
        if (c == '{' && at > first && text[*at - 1] == '\n')
            return at; /* JSON has no business there unless it is a new document */
        bool is_close = c == '}' || c == ']';
        if (depth == 0 && (is_close || c == ',' || c == ':'))
            break;
        at++;
        if (c == '{' || c == '[')
            depth++;
        else if (is_close)
            depth--;
        if (depth == 0)
            break;
    }
    return at;
}

Str reader_peek(FhirReader *reader, const uint32_t *at, Str name)
{
    const char *text = reader->text;
    Str key;
    Str value;
    at++;
    while (at + FIELD_OFFSETS_MIN <= reader->end && text[at[0]] == '"' && text[at[1]] == ':' &&
           reader_raw_string(reader, at, &key)) {
        at += 2;
        if (reader_key_is(reader, key, name)) {
            bool is_string = text[*at] == '"' && reader_raw_string(reader, at, &value);
            return is_string ? reader_plain_key(reader, value) : (Str){0};
        }
        at = reader_skip(reader, at);
        if (at >= reader->end || text[*at] != ',')
            break;
        at++;
    }
    return (Str){0};
}

/* --- memory of sub-trees: codes come again and again with the same text --- */

static inline bool is_memoized(uint16_t type)
{
    return type == FHIR_TYPE_CodeableConcept || type == FHIR_TYPE_Coding || type == FHIR_TYPE_Meta;
}

/* A slot by lengths and ends of the first few strings; equal text is found out afterwards. NULL
   near the end of the text. */
static inline Memo *memo_slot(FhirReader *reader, const uint32_t *at)
{
    if (at + 13 >= reader->end)
        return NULL;
    const char *text = reader->text;
    uint32_t from = *at;
    uint64_t a = fhir_load8(text + at[8] - 8) + (at[8] - from);
    uint64_t b = fhir_load8(text + at[12] - 8) + ((uint64_t)(at[12] - from) << 32);
    uint64_t c = fhir_load8(text + at[11] + 1);
    uint64_t mix = (a * UINT64_C(0x9E3779B97F4A7C15)) ^ (b * UINT64_C(0xC2B2AE3D27D4EB4F));
    mix = (mix ^ (mix >> 29) ^ c) * UINT64_C(0xBF58476D1CE4E5B9);
    return &reader->memos[mix >> 52];
}

static inline bool memo_matches(const FhirReader *reader, const Memo *memo, const uint32_t *at)
{
    size_t len = memo->text_len;
    if (len == 0 || at + memo->offset_count > reader->end ||
        at[memo->offset_count - 1] - at[0] + 1 != len)
        return false;
    return memcmp(memo->text, reader->text + *at, len) == 0;
}

static inline Pos memo_use(const Memo *memo, Pos pos)
{
    memcpy(pos.out, memo->tape, 64);
    if (memo->tape_len > 64)
        memcpy(pos.out + 64, memo->tape + 64, memo->tape_len - 64u);
    return (Pos){.at = pos.at + memo->offset_count, .out = pos.out + memo->tape_len};
}

static void memo_keep(const FhirReader *reader, Memo *memo, Pos from, Pos to)
{
    size_t text_len = to.at[-1] + 1 - from.at[0];
    size_t tape_len = (size_t)(to.out - from.out);
    if (text_len > MEMO_TEXT_MAX || tape_len > MEMO_TAPE_MAX)
        return;
    memo->text_len = (uint32_t)text_len;
    memo->tape_len = (uint16_t)tape_len;
    memo->offset_count = (uint16_t)(to.at - from.at);
    memcpy(memo->text, reader->text + from.at[0], text_len);
    memcpy(memo->tape, from.out, tape_len);
}

/* --- Coding: system and code become a concept --- */

/* Looks ahead for the members system and code of the Coding at `at`. ret_id is 0 when there is no
   code, or when one of them is not plain text: those stay as they are. */
static void find_concept(FhirReader *reader, const uint32_t *at, ConceptId *ret_id)
{
    const char *text = reader->text;
    Str system = {0};
    Str code = {0};
    Str key;
    *ret_id = CONCEPT_NONE;
    const uint32_t *member = at + 1;
    while (member + FIELD_OFFSETS_MIN <= reader->end && text[member[0]] == '"' &&
           reader_raw_string(reader, member, &key)) {
        Str *target = reader_key_is(reader, key, S("system")) ? &system
                      : reader_key_is(reader, key, S("code")) ? &code
                                                              : NULL;
        if (target != NULL && !reader_string(reader, member + 2, target))
            return; /* the walk will say what is wrong */
        member = reader_skip(reader, member + 2);
        if (member >= reader->end || text[*member] != ',')
            break;
        member++;
    }
    if (code.len > 0 && system.len + code.len <= LIMIT_CONCEPT_TEXT_BYTES)
        *ret_id = concept_intern(reader->interner, system, code);
}

static uint8_t *put_code(uint8_t *out, ConceptId id)
{
    *out = TAPE_CODE;
    tape_store32(out + 1, id);
    return out + 5;
}

/* "system" and "code" as the first two members, the way nearly everybody writes them. Gives
   pos.at behind the code, or the same pos when they are not like that. */
static inline Pos read_usual_coding(FhirReader *reader, Pos pos)
{
    const char *text = reader->text;
    const uint32_t *at = pos.at;
    if (at + 8 >= reader->end)
        return pos;
    uint64_t system_key = fhir_load8(text + at[1] + 1);
    uint64_t code_key = fhir_load8(text + at[5] + 1);
    Str system;
    Str code;
    if (memcmp(&system_key, "system\":", 8) != 0 || memcmp(&code_key, "code\":", 6) != 0 ||
        text[at[3]] != '"' || text[at[4]] != ',' || text[at[7]] != '"' ||
        !reader_raw_string(reader, at + 3, &system) || !reader_raw_string(reader, at + 7, &code) ||
        code.len == 0 || system.len == 0 || system.len + code.len > LIMIT_CONCEPT_TEXT_BYTES)
        return pos;
    for (size_t i = 0; i < system.len; i++)
        if ((uint8_t)system.ptr[i] <= ' ' || system.ptr[i] == '\\')
            return pos;
    for (size_t i = 0; i < code.len; i++)
        if ((uint8_t)code.ptr[i] <= ' ' || code.ptr[i] == '\\')
            return pos;
    ConceptId id = concept_intern(reader->interner, system, code);
    uint8_t *out = pos.out;
    out[0] = TAPE_FIELD_SYSTEM_CODE;
    out[1] = TAPE_SYSTEM;
    return (Pos){.at = at + 8, .out = put_code(out + 2, id)};
}

/* --- primitives with id or extensions --- */

/* The field of this number in the fields from `from` to `out`; NULL when it is not there. */
static uint8_t *find_field(const FhirReader *reader, const uint8_t *from, const uint8_t *out,
                           uint8_t number, uint16_t type)
{
    TapeArea area = {.bytes = reader->tape, .size = (size_t)(out - reader->tape)};
    size_t at = (size_t)(from - reader->tape);
    while (at < area.size) {
        bool is_pair = type == FHIR_TYPE_Coding && area.bytes[at] == TAPE_FIELD_SYSTEM_CODE;
        if (is_pair) {
            at += 7;
            continue;
        }
        if (area.bytes[at] == number)
            return reader->tape + at;
        at = tape_skip(&area, at + 1);
        ASSERT(at != 0);
    }
    return NULL;
}

static void reverse(uint8_t *from, const uint8_t *to_end)
{
    uint8_t *to = from + (to_end - from);
    while (from < --to) {
        uint8_t byte = *from;
        *from++ = *to;
        *to = byte;
    }
}

/* Exchanges the blocks from..middle and middle..end. Slow and rare. No place noted for patching may
   lie within: extensions on primitives that hold references keep them as they are. */
static void rotate(uint8_t *from, uint8_t *middle, uint8_t *end)
{
    reverse(from, middle);
    reverse(middle, end);
    reverse(from, end);
}

static Pos read_list(FhirReader *reader, Pos pos, uint16_t type, uint8_t flags);

/* Joins the items of a list of values and of a list of extras (both general lists or single ones)
   pairwise into one list at `out`. Both were read as lists; nulls fill up the shorter one. */
static uint8_t *join_lists(FhirReader *reader, const uint8_t *values, const uint8_t *extras,
                           const uint8_t *end, uint8_t *out)
{
    TapeArea area = {.bytes = values, .size = (size_t)(end - values)};
    uint32_t value = 0;
    uint32_t value_end = 0;
    uint32_t extra = 0;
    uint32_t extra_end = 0;
    (void)tape_body(&area, 0, &value, &value_end);
    (void)tape_body(&area, (uint32_t)(extras - values), &extra, &extra_end);
    uint8_t *start = out;
    *out = TAPE_LIST8;
    out += FIRST_HEADER;
    while (value < value_end || extra < extra_end) {
        size_t value_next = value < value_end ? tape_skip(&area, value) : value;
        size_t extra_next = extra < extra_end ? tape_skip(&area, extra) : extra;
        ASSERT((value_next != 0 || value == value_end) && (extra_next != 0 || extra == extra_end));
        bool has_extra = extra < extra_end && values[extra] != TAPE_NULL;
        if (has_extra)
            *out++ = TAPE_EXTRA;
        if (value < value_end) {
            memcpy(out, values + value, value_next - value);
            out += value_next - value;
        } else {
            *out++ = TAPE_NULL;
        }
        if (has_extra) {
            memcpy(out, values + extra, extra_next - extra);
            out += extra_next - extra;
        }
        value = value_end <= value ? value : (uint32_t)value_next;
        extra = extra_end <= extra ? extra : (uint32_t)extra_next;
    }
    return close_body(reader, start, 0, 1, out);
}

/* `field` (number and value node) ends at `field_end`; the extras' node lies from there to out, or
   behind other fields: makes the value an EXTRA, in place. Gives the new end. */
static uint8_t *join_extra(FhirReader *reader, uint8_t *field, uint8_t *extras, uint8_t *out,
                           bool is_list)
{
    TapeArea area = {.bytes = reader->tape, .size = (size_t)(out - reader->tape)};
    size_t value_end = tape_skip(&area, (size_t)(field + 1 - reader->tape));
    ASSERT(value_end != 0);
    uint8_t *behind = reader->tape + value_end;
    rotate(behind, extras, out); /* now: value, extras, other fields */
    size_t extra_size = (size_t)(out - extras);
    uint8_t *extra_end = behind + extra_size;
    if (!is_list) {
        memmove(field + 2, field + 1, (size_t)(out - field) - 1);
        field[1] = TAPE_EXTRA;
        return out + 1;
    }
    size_t from = (size_t)(field + 1 - reader->tape);
    size_t both = (size_t)(extra_end - field) - 1;
    uint8_t *copy = arena_copy(reader->scratch, field + 1, both);
    uint8_t *joined = arena_alloc(reader->scratch, 2 * both + 16);
    uint8_t *copy_extras = copy + (behind - field - 1);
    size_t size = (size_t)(join_lists(reader, copy, copy_extras, copy + both, joined) - joined);
    memmove(reader->tape + from + size, extra_end, (size_t)(out - extra_end));
    memcpy(reader->tape + from, joined, size);
    return out - both + size;
}

/* The object (or list of objects and nulls) of a "_name" member, for element `info`. */
static Pos read_extra_value(FhirReader *reader, Pos pos, uint8_t flags)
{
    if ((flags & FHIR_FLAG_LIST) != 0)
        return read_list(reader, pos, FHIR_TYPE_Element, FHIR_FLAG_LIST);
    return reader_object(reader, pos, FHIR_TYPE_Element);
}

typedef struct {
    const FhirTypeInfo *info;
    const uint32_t *start; /* the '{' */
    uint8_t *fields;
    ConceptId concept; /* of a Coding in unusual order */
    uint16_t type;
    uint8_t last; /* element number before this one */
    uint64_t seen[4];
    uint64_t extras_seen[4];
    uint64_t choices;
} Object;

static inline bool test_bit(const uint64_t *bits, uint8_t number)
{
    return (bits[number >> 6] >> (number & 63) & 1) != 0;
}

static inline void set_bit(uint64_t *bits, uint8_t number)
{
    bits[number >> 6] |= UINT64_C(1) << (number & 63);
}

/* "_name" at pos.at, with key text `key` behind the underscore. */
static Pos read_extra(FhirReader *reader, Pos pos, Object *object, Str key)
{
    uint8_t number = fhir_element_find((FhirType)object->type, key.ptr, key.len);
    const FhirElementInfo *info =
        number == 0 ? NULL : fhir_element_info((FhirType)object->type, number);
    if (info == NULL || (info->flags & FHIR_FLAG_PRIMITIVE) == 0)
        return refuse(reader, REFUSAL_UNKNOWN_ELEMENT, pos.at);
    if (test_bit(object->extras_seen, number))
        return refuse(reader, REFUSAL_DUPLICATE, pos.at);
    set_bit(object->extras_seen, number);
    reader->frame->element = number;
    bool is_list = (info->flags & FHIR_FLAG_LIST) != 0;
    uint8_t *out = pos.out;
    uint8_t *field = find_field(reader, object->fields, out, number, object->type);
    if (field == NULL) {
        field = out;
        *out++ = number;
        if (is_list) {
            *out++ = TAPE_LIST8;
            *out++ = 0;
        } else {
            *out++ = TAPE_NULL;
        }
    }
    uint32_t patches = reader->patch_count;
    Pos next = read_extra_value(reader, (Pos){.at = pos.at + 2, .out = out}, info->flags);
    if (next.out == NULL)
        return next;
    reader->patch_count = patches; /* such references stay URNs */
    next.out = join_extra(reader, field, out, next.out, is_list);
    return next;
}

/* A value that comes after its "_name": the field is there already, with a NULL. */
static Pos read_late_value(FhirReader *reader, Pos pos, const Object *object, uint8_t number)
{
    const FhirElementInfo *info = fhir_element_info((FhirType)object->type, number);
    uint8_t *out = pos.out;
    uint8_t *field = find_field(reader, object->fields, out, number, object->type);
    ASSERT(field != NULL);
    bool is_list = (info->flags & FHIR_FLAG_LIST) != 0;
    Pos next = is_list ? read_list(reader, pos, info->type, info->flags)
                       : reader_primitive(reader, pos, info->type);
    if (next.out == NULL)
        return next;
    TapeArea area = {.bytes = reader->tape, .size = (size_t)(out - reader->tape)};
    size_t field_end = tape_skip(&area, (size_t)(field + 1 - reader->tape));
    uint8_t *behind = reader->tape + field_end;
    size_t old_size = (size_t)(behind - field) - 1;
    size_t new_size = (size_t)(next.out - out);
    uint8_t *old = arena_copy(reader->scratch, field + 1, old_size);
    uint8_t *value = arena_copy(reader->scratch, out, new_size);
    uint8_t *joined = arena_alloc(reader->scratch, 2 * (old_size + new_size) + 16);
    uint8_t *end = joined;
    if (!is_list) { /* EXTRA, NULL, object -> EXTRA, value, object */
        *end++ = TAPE_EXTRA;
        memcpy(end, value, new_size);
        memcpy(end + new_size, old + 2, old_size - 2);
        end += new_size + old_size - 2;
    } else { /* the items of `old` are EXTRA, NULL, object, or NULL */
        uint8_t *plain = arena_alloc(reader->scratch, new_size + old_size + 16);
        memcpy(plain, value, new_size);
        uint8_t *extras = plain + new_size;
        uint8_t *extras_end = extras + FIRST_HEADER;
        TapeArea items = {.bytes = old, .size = old_size};
        uint32_t at;
        uint32_t to;
        *extras = TAPE_LIST8;
        ASSERT(tape_body(&items, 0, &at, &to));
        while (at < to) {
            size_t item_end = tape_skip(&items, at);
            ASSERT(item_end != 0);
            size_t skip = old[at] == TAPE_EXTRA ? 2 : 0;
            memcpy(extras_end, old + at + skip, item_end - at - skip);
            extras_end += item_end - at - skip;
            at = (uint32_t)item_end;
        }
        extras_end = close_body(reader, extras, 0, 1, extras_end);
        end = join_lists(reader, plain, extras, extras_end, joined);
    }
    size_t size = (size_t)(end - joined);
    memmove(field + 1 + size, behind, (size_t)(out - behind));
    memcpy(field + 1, joined, size);
    next.out = out - old_size + size;
    return next;
}

/* --- lists --- */

static Pos read_item(FhirReader *reader, Pos pos, uint16_t type, uint8_t flags)
{
    char c = reader->text[*pos.at];
    if ((flags & FHIR_FLAG_PRIMITIVE) != 0 || type == FHIR_TYPE_Element) {
        if (c == 'n' && memcmp(reader->text + *pos.at, "null", 4) == 0 &&
            (is_space(reader->text[*pos.at + 4]) || pos.at[1] == *pos.at + 4)) {
            *pos.out = TAPE_NULL;
            return (Pos){.at = pos.at + 1, .out = pos.out + 1};
        }
        if (c == '[')
            return refuse(reader, REFUSAL_WANTS_SINGLE, pos.at);
        if ((flags & FHIR_FLAG_PRIMITIVE) != 0)
            return reader_primitive(reader, pos, type);
    }
    if ((flags & FHIR_FLAG_RESOURCE) != 0) {
        uint16_t ignored;
        return reader_resource(reader, pos, &ignored);
    }
    return reader_object(reader, pos, type);
}

/* The list at pos.at, which holds values of this type. */
static Pos read_list(FhirReader *reader, Pos pos, uint16_t type, uint8_t flags)
{
    const char *text = reader->text;
    if (UNLIKELY(text[*pos.at] != '['))
        return refuse(reader, REFUSAL_WANTS_LIST, pos.at);
    if (UNLIKELY(pos.at + 2 >= reader->end))
        return refuse(reader, REFUSAL_BAD_JSON, pos.at);
    if (UNLIKELY(text[pos.at[1]] == ']'))
        return refuse(reader, REFUSAL_EMPTY, pos.at);
    Frame *frame = reader->frame;
    frame->in_list = true;
    frame->index = 0;
    uint8_t *start = pos.out;
    *start = TAPE_LIST1;
    Pos next = read_item(reader, (Pos){.at = pos.at + 1, .out = start + 1}, type, flags);
    if (UNLIKELY(next.out == NULL))
        return next;
    if (UNLIKELY(next.at >= reader->end))
        return refuse(reader, REFUSAL_BAD_JSON, next.at);
    if (text[*next.at] == ']') {
        frame->in_list = false;
        next.at++;
        return next;
    }
    size_t width = next.out - start > LONG_ITEM ? 2 : 1;
    next.out = shift(reader, start + 1, next.out, width);
    *start = TAPE_LIST8;
    while (text[*next.at] == ',') {
        frame->index++;
        next.at++;
        if (UNLIKELY(next.at + 1 >= reader->end))
            return refuse(reader, REFUSAL_BAD_JSON, next.at);
        next = read_item(reader, next, type, flags);
        if (UNLIKELY(next.out == NULL))
            return next;
        if (UNLIKELY(next.at >= reader->end))
            return refuse(reader, REFUSAL_BAD_JSON, next.at);
    }
    if (UNLIKELY(text[*next.at] != ']'))
        return refuse(reader, REFUSAL_BAD_JSON, next.at);
    frame->in_list = false;
    return (Pos){.at = next.at + 1, .out = close_body(reader, start, 0, width, next.out)};
}

/* --- objects --- */

/* Which element the key names: mostly the one that followed the last one the time before. */
static inline uint8_t find_element(FhirReader *reader, const Object *object, const char *key,
                                   size_t len)
{
    const FhirTypeInfo *info = object->info;
    uint8_t *follower = &reader->followers[info->element_first + object->last + object->type];
    const FhirElementInfo *guess = &fhir_element_table[info->element_first + *follower];
    if (LIKELY(guess->name_len == len)) {
        uint64_t head = fhir_name_head(key, len);
        if (LIKELY(head == guess->head) &&
            (len <= 8 || (fhir_load8(key + len - 8) == fhir_load8(guess->name + len - 8) &&
                          (len <= 16 || memcmp(key, guess->name, len) == 0))) &&
            *follower < info->element_count)
            return (uint8_t)(*follower + 1);
    }
    uint8_t number = fhir_element_find((FhirType)object->type, key, len);
    if (number != 0)
        *follower = (uint8_t)(number - 1);
    return number;
}

static inline Pos read_single(FhirReader *reader, Pos pos, Object *object,
                              const FhirElementInfo *info, uint8_t number)
{
    char c = reader->text[*pos.at];
    if (UNLIKELY(c == '[' || c == 'n'))
        return refuse(reader, c == '[' ? REFUSAL_WANTS_SINGLE : REFUSAL_BAD_NULL, pos.at);
    if ((info->flags & FHIR_FLAG_PRIMITIVE) != 0) {
        if (object->type == FHIR_TYPE_Reference && number == FHIR_ELEM_Reference_reference)
            return reader_reference_text(reader, pos);
        Pos next = reader_primitive(reader, pos, info->type);
        if (UNLIKELY(object->concept != CONCEPT_NONE) && next.out != NULL) {
            if (number == FHIR_ELEM_Coding_system) {
                *pos.out = TAPE_SYSTEM;
                next.out = put_code(pos.out + 1, object->concept);
            } else if (number == FHIR_ELEM_Coding_code) {
                next.out = put_code(pos.out, object->concept);
            }
        }
        return next;
    }
    if (UNLIKELY((info->flags & FHIR_FLAG_RESOURCE) != 0)) {
        uint16_t ignored;
        return reader_resource(reader, pos, &ignored);
    }
    return reader_object(reader, pos, info->type);
}

/* One member: pos.at at its key. */
static inline Pos read_member(FhirReader *reader, Pos pos, Object *object)
{
    const char *text = reader->text;
    const uint32_t *at = pos.at;
    if (UNLIKELY(at + FIELD_OFFSETS_MIN >= reader->end || text[at[0]] != '"' || text[at[1]] != ':'))
        return refuse(reader, REFUSAL_BAD_JSON, at);
    Str key = {.ptr = text + at[0] + 1, .len = at[1] - at[0] - 2};
    if (UNLIKELY(text[at[1] - 1] != '"') && !reader_raw_string(reader, at, &key))
        return refuse(reader, REFUSAL_BAD_JSON, at);
    if (UNLIKELY(key.len == 0))
        return refuse(reader, REFUSAL_UNKNOWN_ELEMENT, at);
    uint8_t number = find_element(reader, object, key.ptr, key.len);
    if (UNLIKELY(number == 0)) {
        key = reader_plain_key(reader, key);
        number = key.len == 0 ? 0 : find_element(reader, object, key.ptr, key.len);
    }
    if (UNLIKELY(number == 0)) {
        if (key.len == 0)
            return refuse(reader, REFUSAL_UNKNOWN_ELEMENT, at);
        if (key.ptr[0] == '_' && key.len > 1)
            return read_extra(reader, pos, object, str_slice(key, 1, SIZE_MAX));
        return refuse(reader, REFUSAL_UNKNOWN_ELEMENT, at);
    }
    if (UNLIKELY(test_bit(object->seen, number)))
        return refuse(reader, REFUSAL_DUPLICATE, at);
    set_bit(object->seen, number);
    object->last = number;
    reader->frame->element = number;
    const FhirElementInfo *info = &fhir_element_table[object->info->element_first + number - 1U];
    if ((info->flags & FHIR_FLAG_CHOICE) != 0) {
        uint64_t bit = UINT64_C(1) << (info->choice & 63);
        if (UNLIKELY((object->choices & bit) != 0))
            return refuse(reader, REFUSAL_SECOND_CHOICE, at);
        object->choices |= bit;
    }
    pos.at = at + 2;
    if (UNLIKELY(test_bit(object->extras_seen, number)))
        return read_late_value(reader, pos, object, number);
    *pos.out++ = number;
    if ((info->flags & FHIR_FLAG_LIST) != 0)
        return read_list(reader, pos, info->type, info->flags);
    return read_single(reader, pos, object, info, number);
}

/* Warns of each element that must be there and is not. */
static void check_required(FhirReader *reader, const Object *object)
{
    const FhirTypeInfo *info = object->info;
    for (unsigned i = 0; i < info->required_count; i++) {
        uint8_t number = fhir_required_table[info->required_first + i];
        if (LIKELY(test_bit(object->seen, number) || test_bit(object->extras_seen, number)))
            continue;
        const FhirElementInfo *element = fhir_element_info((FhirType)object->type, number);
        if (element->choice != 0 && (object->choices >> (element->choice & 63) & 1) != 0)
            continue;
        reader->frame->element = number;
        reader->warning_count++;
        reader_report(reader, SEVERITY_WARNING, REFUSAL_MISSING, *object->start);
    }
}

/* The members of an object up to its '}'. pos.at is at the first key, pos.out behind the header. */
static inline Pos read_members(FhirReader *reader, Pos pos, Object *object)
{
    const char *text = reader->text;
    for (;;) {
        pos = read_member(reader, pos, object);
        if (UNLIKELY(pos.out == NULL))
            return pos;
        if (UNLIKELY(pos.at >= reader->end))
            return refuse(reader, REFUSAL_BAD_JSON, pos.at);
        char c = text[*pos.at++];
        if (c == ',')
            continue;
        if (LIKELY(c == '}'))
            break;
        return refuse(reader, REFUSAL_BAD_JSON, pos.at - 1);
    }
    if (object->info->required_count > 0)
        check_required(reader, object);
    return pos;
}

static Pos begin_coding(FhirReader *reader, Pos pos, Object *object)
{
    Pos usual = read_usual_coding(reader, pos);
    if (usual.at == pos.at) {
        find_concept(reader, pos.at, &object->concept);
        return (Pos){.at = pos.at + 1, .out = pos.out};
    }
    set_bit(object->seen, FHIR_ELEM_Coding_system);
    set_bit(object->seen, FHIR_ELEM_Coding_code);
    object->last = FHIR_ELEM_Coding_code;
    return usual;
}

static Pos read_object(FhirReader *reader, Pos pos, uint16_t type)
{
    const char *text = reader->text;
    uint8_t *start = pos.out;
    Object object = {.info = fhir_type_info((FhirType)type),
                     .type = type,
                     .start = pos.at,
                     .fields = start + FIRST_HEADER};
    if (UNLIKELY(pos.at + 2 > reader->end))
        return refuse(reader, REFUSAL_BAD_JSON, pos.at);
    if (UNLIKELY(text[pos.at[1]] == '}'))
        return refuse(reader, REFUSAL_EMPTY, pos.at);
    if (UNLIKELY(!enter(reader, type)))
        return refuse(reader, REFUSAL_TOO_DEEP, pos.at);
    *start = TAPE_OBJECT8;
    Pos next = {.at = pos.at, .out = object.fields};
    if (type == FHIR_TYPE_Coding)
        next = begin_coding(reader, next, &object);
    else
        next.at++;
    if (next.at > pos.at + 1) { /* system and code have been read */
        char c = next.at < reader->end ? text[*next.at++] : '\0';
        if (c == ',')
            next = read_members(reader, next, &object);
        else if (c != '}')
            return refuse(reader, REFUSAL_BAD_JSON, next.at - 1);
    } else {
        next = read_members(reader, next, &object);
    }
    if (UNLIKELY(next.out == NULL))
        return next;
    next.out = close_body(reader, start, 0, 1, next.out);
    reader->frame--;
    return next;
}

Pos reader_object(FhirReader *reader, Pos pos, uint16_t type)
{
    if (UNLIKELY(reader->text[*pos.at] != '{'))
        return refuse(reader, REFUSAL_WANTS_OBJECT, pos.at);
    bool may_know = is_memoized(type) && !reader->is_resolving;
    Memo *memo = may_know ? memo_slot(reader, pos.at) : NULL;
    if (memo == NULL)
        return read_object(reader, pos, type);
    if (memo_matches(reader, memo, pos.at))
        return memo_use(memo, pos);
    uint32_t patches = reader->patch_count;
    uint32_t warnings = reader->warning_count;
    Pos next = read_object(reader, pos, type);
    if (next.out != NULL && patches == reader->patch_count && warnings == reader->warning_count)
        memo_keep(reader, memo, pos, next);
    return next;
}

/* --- resources --- */

/* `text` of a DomainResource: read, for it may be wrong, and not kept. */
static bool is_narrative(const FhirReader *reader, const Object *object, const uint32_t *at)
{
    return reader->skip_narrative && object->info->class == FHIR_CLASS_DOMAIN_RESOURCE &&
           at + FIELD_OFFSETS_MIN < reader->end && memcmp(reader->text + *at, "\"text\"", 6) == 0 &&
           reader->text[at[1]] == ':';
}

/* The member at pos was refused: unless it is "resourceType" with escapes in its name, which is
   an element of no type. */
static Pos pass_escaped_type(FhirReader *reader, Pos pos, Pos refused, bool *has_type)
{
    Str key;
    if (reader->refusal != REFUSAL_UNKNOWN_ELEMENT || reader->refused_at != *pos.at ||
        reader->text[pos.at[1]] != ':' || !reader_raw_string(reader, pos.at, &key) ||
        !reader_key_is(reader, key, S("resourceType")))
        return refused;
    *has_type = true;
    return (Pos){.at = pos.at + 3, .out = pos.out};
}

static Pos pass_narrative(FhirReader *reader, Pos pos, Object *object)
{
    uint8_t *keep = pos.out;
    uint32_t patches = reader->patch_count;
    pos = read_member(reader, pos, object);
    if (UNLIKELY(pos.out == NULL))
        return pos;
    reader->patch_count = patches;
    return (Pos){.at = pos.at, .out = keep};
}

static Pos read_resource_members(FhirReader *reader, Pos pos, Object *object)
{
    const char *text = reader->text;
    bool has_type = false;
    for (;;) {
        if (UNLIKELY(pos.at + FIELD_OFFSETS_MIN >= reader->end))
            return refuse(reader, REFUSAL_BAD_JSON, pos.at);
        if (memcmp(text + *pos.at, "\"resourceType\"", 14) == 0) {
            if (UNLIKELY(has_type))
                return refuse(reader, REFUSAL_DUPLICATE, pos.at);
            has_type = true;
            pos.at += 3;
        } else if (UNLIKELY(is_narrative(reader, object, pos.at))) {
            pos = pass_narrative(reader, pos, object);
        } else {
            Pos next = read_member(reader, pos, object);
            if (UNLIKELY(next.out == NULL) && !has_type)
                next = pass_escaped_type(reader, pos, next, &has_type);
            pos = next;
        }
        if (UNLIKELY(pos.out == NULL))
            return pos;
        if (UNLIKELY(pos.at >= reader->end))
            return refuse(reader, REFUSAL_BAD_JSON, pos.at);
        char c = text[*pos.at++];
        if (c == ',')
            continue;
        if (LIKELY(c == '}'))
            break;
        return refuse(reader, REFUSAL_BAD_JSON, pos.at - 1);
    }
    if (object->info->required_count > 0)
        check_required(reader, object);
    return pos;
}

Pos reader_resource(FhirReader *reader, Pos pos, uint16_t *ret_type)
{
    *ret_type = FHIR_TYPE_NONE;
    if (UNLIKELY(reader->text[*pos.at] != '{' || pos.at + 2 > reader->end))
        return refuse(reader, REFUSAL_NOT_A_RESOURCE, pos.at);
    Str name = reader_peek(reader, pos.at, S("resourceType"));
    uint16_t type =
        name.len == 0 ? FHIR_TYPE_NONE : (uint16_t)fhir_resource_find(name.ptr, name.len);
    if (UNLIKELY(!fhir_type_is_concrete_resource((FhirType)type)))
        return refuse(reader, REFUSAL_NO_RESOURCE_TYPE, pos.at);
    *ret_type = type;
    if (UNLIKELY(!enter(reader, type)))
        return refuse(reader, REFUSAL_TOO_DEEP, pos.at);
    uint8_t *start = pos.out;
    start[0] = TAPE_RESOURCE8;
    start[1] = (uint8_t)type;
    Object object = {
        .info = fhir_type_info((FhirType)type), .type = type, .start = pos.at, .fields = start + 4};
    Pos next =
        read_resource_members(reader, (Pos){.at = pos.at + 1, .out = object.fields}, &object);
    if (UNLIKELY(next.out == NULL))
        return next;
    next.out = close_body(reader, start, 1, 2, next.out);
    reader->frame--;
    return next;
}

/* Primitive values: JSON text to tape nodes, checked against FHIR's lexical rules. */
#include "fhir/reader_int.h"

typedef uint8_t Bytes16 __attribute__((vector_size(16)));
typedef uint64_t Words2 __attribute__((vector_size(16)));

enum { HAS_BACKSLASH = 1, HAS_SPACE = 2, INTEGER_DIGITS_MAX = 10, DECIMAL_DIGITS_MAX = 18 };

static inline bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

bool reader_raw_string(const FhirReader *reader, const uint32_t *at, Str *ret_raw)
{
    const char *text = reader->text;
    uint32_t from = at[0] + 1;
    uint32_t to = at[1];
    do
        to--;
    while (to >= from && is_space(text[to]));
    if (to < from || text[to] != '"')
        return false;
    *ret_raw = (Str){.ptr = text + from, .len = to - from};
    return true;
}

/* Copies up to 16 bytes more than len, of which the reader's buffers have room; says which
   characters that ask for a closer look are among the len. */
static inline unsigned copy_text(uint8_t *out, const char *from, size_t len)
{
    static const uint8_t masks[32] = {255, 255, 255, 255, 255, 255, 255, 255,
                                      255, 255, 255, 255, 255, 255, 255, 255};
    const Bytes16 backslash = (Bytes16){} + (uint8_t)'\\';
    const Bytes16 space = (Bytes16){} + (uint8_t)' ';
    Bytes16 backslashes = {};
    Bytes16 spaces = {};
    Bytes16 block;
    size_t i = 0;
    for (; i + 16 <= len; i += 16) {
        memcpy(&block, from + i, 16);
        memcpy(out + i, &block, 16);
        backslashes |= (Bytes16)(block == backslash);
        spaces |= (Bytes16)(block <= space);
    }
    if (i < len) {
        Bytes16 mask;
        memcpy(&mask, masks + 16 - (len - i), 16);
        memcpy(&block, from + i, 16);
        memcpy(out + i, &block, 16);
        backslashes |= (Bytes16)(block == backslash) & mask;
        spaces |= (Bytes16)(block <= space) & mask;
    }
    Words2 any_backslash = (Words2)backslashes;
    Words2 any_space = (Words2)spaces;
    return ((any_backslash[0] | any_backslash[1]) != 0 ? HAS_BACKSLASH : 0U) |
           ((any_space[0] | any_space[1]) != 0 ? HAS_SPACE : 0U);
}

/* The header of a text node of len bytes. */
static inline uint8_t *put_text_header(uint8_t *out, size_t len)
{
    if (len <= TAPE_SMALL_MAX) {
        *out = (uint8_t)(TAPE_TEXT0 + len);
        return out + 1;
    }
    if (len <= UINT8_MAX) {
        out[0] = TAPE_TEXT8;
        out[1] = (uint8_t)len;
        return out + 2;
    }
    out[0] = TAPE_TEXT32;
    tape_store32(out + 1, (uint32_t)len);
    return out + 5;
}

uint8_t *reader_put_text(uint8_t *out, Str text)
{
    out = put_text_header(out, text.len);
    memcpy(out, text.ptr, text.len);
    return out + text.len;
}

/* --- escapes --- */

static bool hex4(const char *from, uint32_t *ret_value)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        char c = from[i];
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10
                                                : 16;
        if (digit > 15)
            return false;
        value = value << 4 | digit;
    }
    *ret_value = value;
    return true;
}

static char *put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xC0 | c >> 6);
        *out++ = (char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        *out++ = (char)(0xE0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 63));
        *out++ = (char)(0x80 | (c & 63));
    } else {
        *out++ = (char)(0xF0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 63));
        *out++ = (char)(0x80 | (c >> 6 & 63));
        *out++ = (char)(0x80 | (c & 63));
    }
    return out;
}

/* \uXXXX at from (behind the 'u'), with its second half where it is a surrogate. NUL is refused:
   FHIR has no use for it, and text that ends early has been used to smuggle. */
static const char *unescape_unicode(const char *from, const char *end, char **out)
{
    uint32_t c;
    uint32_t low;
    if (end - from < 4 || !hex4(from, &c) || c == 0)
        return NULL;
    from += 4;
    if (c >= 0xD800 && c < 0xE000) {
        if (c >= 0xDC00 || end - from < 6 || from[0] != '\\' || from[1] != 'u' ||
            !hex4(from + 2, &low) || low < 0xDC00 || low >= 0xE000)
            return NULL;
        from += 6;
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    }
    *out = put_utf8(*out, c);
    return from;
}

static bool unescape(Arena *arena, Str raw, Str *ret_text)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    char *buffer = arena_alloc(arena, raw.len);
    char *out = buffer;
    const char *end = raw.ptr + raw.len;
    for (const char *from = raw.ptr; from < end;) {
        if (*from != '\\') {
            *out++ = *from++;
            continue;
        }
        if (end - from < 2)
            return false;
        char letter = from[1];
        from += 2;
        const char *found = memchr(letters, letter, sizeof letters - 1);
        if (found != NULL)
            *out++ = meanings[found - letters];
        else if (letter != 'u' || (from = unescape_unicode(from, end, &out)) == NULL)
            return false;
    }
    *ret_text = (Str){.ptr = buffer, .len = (size_t)(out - buffer)};
    return true;
}

bool reader_string(FhirReader *reader, const uint32_t *at, Str *ret_text)
{
    Str raw;
    if (reader->text[*at] != '"' || !reader_raw_string(reader, at, &raw))
        return false;
    if (raw.len == 0 || memchr(raw.ptr, '\\', raw.len) == NULL) {
        *ret_text = raw;
        return true;
    }
    return unescape(reader->scratch, raw, ret_text);
}

Str reader_plain_key(FhirReader *reader, Str raw_key)
{
    Str plain;
    char *copy;
    if (memchr(raw_key.ptr, '\\', raw_key.len) == NULL ||
        !unescape(reader->scratch, raw_key, &plain))
        return raw_key;
    /* Names are looked at eight bytes at a time. */
    copy = arena_zalloc(reader->scratch, plain.len + 16);
    memcpy(copy, plain.ptr, plain.len);
    return (Str){.ptr = copy, .len = plain.len};
}

/* --- what the types demand of their text --- */

static bool is_id_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.';
}

static bool is_id(Str text)
{
    if (text.len < 1 || text.len > 64)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!is_id_char(text.ptr[i]))
            return false;
    return true;
}

/* No white space at the ends, and within only single ones. */
static bool is_code(Str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((uint8_t)text.ptr[i] <= ' ' &&
            (i == 0 || i + 1 == text.len || (uint8_t)text.ptr[i - 1] <= ' '))
            return false;
    return text.len > 0;
}

/* urn:oid:[0-2](\.(0|[1-9][0-9]*))+ */
static bool is_oid(Str text)
{
    if (!str_starts_with(text, S("urn:oid:")) || text.len < 11 || text.ptr[8] < '0' ||
        text.ptr[8] > '2')
        return false;
    for (size_t i = 9; i < text.len;) {
        size_t from = i + 1;
        if (text.ptr[i] != '.')
            return false;
        for (i++; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++)
            ;
        if (i == from || (text.ptr[from] == '0' && i > from + 1))
            return false;
    }
    return true;
}

static bool is_base64(Str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '+' || c == '/' || c == '=' || is_space(c);
        if (!good)
            return false;
    }
    return true;
}

/* hh:mm:ss[.f+] */
static bool is_time(Str text)
{
    Moment moment;
    return text.len >= 8 && text.ptr[2] == ':' && text.ptr[5] == ':' &&
           moment_parse_time(text, &moment) && moment.precision >= PRECISION_SECOND;
}

static bool is_blank(Str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_space(text.ptr[i]))
            return false;
    return true;
}

/* What is wrong with this text of this type, or REFUSAL_NONE. */
static Refusal check_text(uint16_t type, Str text, unsigned signs)
{
    switch (type) {
    case FHIR_TYPE_id:
        return is_id(text) ? REFUSAL_NONE : REFUSAL_BAD_ID;
    case FHIR_TYPE_code:
        return (signs & HAS_SPACE) == 0 || is_code(text) ? REFUSAL_NONE : REFUSAL_BAD_CODE;
    case FHIR_TYPE_uri:
    case FHIR_TYPE_url:
    case FHIR_TYPE_canonical:
        return (signs & HAS_SPACE) == 0 ? REFUSAL_NONE : REFUSAL_BAD_URI;
    case FHIR_TYPE_oid:
        return is_oid(text) ? REFUSAL_NONE : REFUSAL_BAD_OID;
    case FHIR_TYPE_uuid: /* a good one has been packed */
        return REFUSAL_BAD_UUID;
    case FHIR_TYPE_base64Binary:
        return is_base64(text) ? REFUSAL_NONE : REFUSAL_BAD_BASE64;
    case FHIR_TYPE_time:
        return is_time(text) ? REFUSAL_NONE : REFUSAL_BAD_DATE;
    default:
        return (signs & HAS_SPACE) != 0 && is_blank(text) ? REFUSAL_EMPTY : REFUSAL_NONE;
    }
}

/* A UUID alone, or behind "urn:uuid:". */
static inline uint8_t *try_uuid(uint8_t *out, Str raw)
{
    if (raw.len == TAPE_UUID_TEXT_BYTES && raw.ptr[8] == '-') {
        out[0] = TAPE_UUID;
        return tape_pack_uuid(raw.ptr, out + 1) ? out + 1 + TAPE_UUID_BYTES : NULL;
    }
    if (raw.len == TAPE_UUID_TEXT_BYTES + sizeof(URN_UUID) - 1 &&
        memcmp(raw.ptr, URN_UUID, sizeof(URN_UUID) - 1) == 0) {
        out[0] = TAPE_REFERENCE;
        out[1] = FHIR_TYPE_NONE;
        out[2] = TAPE_UUID;
        return tape_pack_uuid(raw.ptr + sizeof(URN_UUID) - 1, out + 3) ? out + 3 + TAPE_UUID_BYTES
                                                                       : NULL;
    }
    return NULL;
}

/* Text with escapes: undone first. */
static Pos escaped_text(FhirReader *reader, Pos pos, uint16_t type, Str raw)
{
    Str text;
    if (!unescape(reader->scratch, raw, &text))
        return refuse(reader, REFUSAL_BAD_ESCAPE, pos.at);
    Refusal refusal = check_text(type, text, HAS_SPACE);
    if (refusal != REFUSAL_NONE && !(type == FHIR_TYPE_uri && refusal == REFUSAL_BAD_URI))
        return refuse(reader, refusal, pos.at);
    if (refusal == REFUSAL_BAD_URI)
        for (size_t i = 0; i < text.len; i++)
            if ((uint8_t)text.ptr[i] <= ' ')
                return refuse(reader, refusal, pos.at);
    return (Pos){.at = pos.at + 1, .out = reader_put_text(pos.out, text)};
}

static inline Pos plain_text(FhirReader *reader, Pos pos, uint16_t type, Str raw)
{
    size_t header = raw.len <= TAPE_SMALL_MAX ? 1 : raw.len <= UINT8_MAX ? 2 : 5;
    uint8_t *body = pos.out + header;
    unsigned signs = copy_text(body, raw.ptr, raw.len);
    if (UNLIKELY((signs & HAS_BACKSLASH) != 0))
        return escaped_text(reader, pos, type, raw);
    bool is_strict = type == FHIR_TYPE_id || type == FHIR_TYPE_oid || type == FHIR_TYPE_uuid ||
                     type == FHIR_TYPE_time || type == FHIR_TYPE_base64Binary;
    if ((signs & HAS_SPACE) != 0 || is_strict) {
        Refusal refusal = check_text(type, raw, signs);
        if (UNLIKELY(refusal != REFUSAL_NONE))
            return refuse(reader, refusal, pos.at);
    }
    (void)put_text_header(pos.out, raw.len);
    return (Pos){.at = pos.at + 1, .out = body + raw.len};
}

static Pos read_text(FhirReader *reader, Pos pos, uint16_t type)
{
    Str raw;
    if (UNLIKELY(reader->text[*pos.at] != '"'))
        return refuse(reader, REFUSAL_WANTS_STRING, pos.at);
    if (UNLIKELY(!reader_raw_string(reader, pos.at, &raw)))
        return refuse(reader, REFUSAL_BAD_JSON, pos.at);
    if (UNLIKELY(raw.len == 0))
        return refuse(reader, REFUSAL_EMPTY, pos.at);
    if (raw.len == TAPE_UUID_TEXT_BYTES || raw.len == TAPE_UUID_TEXT_BYTES + sizeof(URN_UUID) - 1) {
        uint8_t *end = try_uuid(pos.out, raw);
        bool is_urn = raw.len != TAPE_UUID_TEXT_BYTES;
        if (end != NULL && (is_urn ? type != FHIR_TYPE_id : type != FHIR_TYPE_uuid))
            return (Pos){.at = pos.at + 1, .out = end};
    }
    return plain_text(reader, pos, type, raw);
}

/* --- references --- */

static void note_urn(FhirReader *reader, const uint8_t *type_byte)
{
    if (reader->patch_count == reader->patches.capacity)
        VEC_RESERVE(reader->scratch, &reader->patches, (size_t)reader->patch_count + 1);
    reader->patches.items[reader->patch_count++] = (uint32_t)(type_byte - reader->tape);
}

/* In the second pass over a Bundle: what a fullUrl stands for. */
static uint8_t *put_resolved(FhirReader *reader, uint8_t *out, Str raw)
{
    uint64_t number;
    if (!map_find(&reader->urls, raw, &number))
        return NULL;
    const Parsed *target = &reader->parsed.items[number];
    if (target->type == FHIR_TYPE_NONE || target->id.len == 0)
        return NULL;
    out[0] = TAPE_REFERENCE;
    out[1] = (uint8_t)target->type;
    uint8_t *end = try_uuid(out + 2, target->id);
    return end != NULL ? end : reader_put_text(out + 2, target->id);
}

Pos reader_reference_text(FhirReader *reader, Pos pos)
{
    Str raw;
    uint8_t *out = pos.out;
    if (UNLIKELY(reader->text[*pos.at] != '"' || !reader_raw_string(reader, pos.at, &raw)))
        return read_text(reader, pos, FHIR_TYPE_string);
    if (UNLIKELY(reader->is_resolving)) {
        uint8_t *end = put_resolved(reader, out, raw);
        if (end != NULL)
            return (Pos){.at = pos.at + 1, .out = end};
    }
    size_t urn = sizeof(URN_UUID) - 1;
    if (raw.len == TAPE_UUID_TEXT_BYTES + urn && memcmp(raw.ptr, URN_UUID, urn) == 0) {
        uint8_t *end = try_uuid(out, raw);
        if (end != NULL && reader->options.resolve_urns)
            note_urn(reader, out + 1);
        if (end != NULL)
            return (Pos){.at = pos.at + 1, .out = end};
    }
    const char *slash = memchr(raw.ptr, '/', raw.len < 40 ? raw.len : 40);
    if (slash != NULL) {
        size_t name_len = (size_t)(slash - raw.ptr);
        FhirType type = fhir_resource_find(raw.ptr, name_len);
        Str id = {.ptr = slash + 1, .len = raw.len - name_len - 1};
        if (type != FHIR_TYPE_NONE) {
            out[0] = TAPE_REFERENCE;
            out[1] = (uint8_t)type;
            out[2] = TAPE_UUID;
            if (id.len == TAPE_UUID_TEXT_BYTES && tape_pack_uuid(id.ptr, out + 3))
                return (Pos){.at = pos.at + 1, .out = out + 3 + TAPE_UUID_BYTES};
            if (is_id(id))
                return (Pos){.at = pos.at + 1, .out = reader_put_text(out + 2, id)};
        }
    }
    if (raw.len > 0 && raw.ptr[0] != '#')
        reader->has_open_urls = true;
    return read_text(reader, pos, FHIR_TYPE_string);
}

/* --- numbers --- */

/* The characters of a number, true, false or null, up to white space or the next structure. */
static Str scalar(const FhirReader *reader, const uint32_t *at)
{
    const char *text = reader->text;
    uint32_t to = at[1];
    while (to > at[0] + 1 && is_space(text[to - 1]))
        to--;
    return (Str){.ptr = text + at[0], .len = to - at[0]};
}

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static Pos read_integer(FhirReader *reader, Pos pos, uint16_t type)
{
    Str number = scalar(reader, pos.at);
    bool is_negative = number.ptr[0] == '-';
    size_t i = is_negative;
    size_t digits = number.len - i;
    if (!is_digit(number.ptr[0]) && !is_negative)
        return refuse(reader, REFUSAL_WANTS_NUMBER, pos.at);
    if (digits == 0 || digits > INTEGER_DIGITS_MAX || (number.ptr[i] == '0' && number.len > 1))
        return refuse(reader, REFUSAL_BAD_INTEGER, pos.at);
    int64_t value = 0;
    for (; i < number.len; i++) {
        if (!is_digit(number.ptr[i]))
            return refuse(reader, REFUSAL_BAD_INTEGER, pos.at);
        value = value * 10 + (number.ptr[i] - '0');
    }
    value = is_negative ? -value : value;
    int64_t least = type == FHIR_TYPE_positiveInt   ? 1
                    : type == FHIR_TYPE_unsignedInt ? 0
                                                    : INT32_MIN;
    if (value < least || value > INT32_MAX)
        return refuse(reader, REFUSAL_BAD_INTEGER, pos.at);
    if (value >= 0 && value < 16) {
        *pos.out = (uint8_t)(TAPE_INTEGER0 + value);
        return (Pos){.at = pos.at + 1, .out = pos.out + 1};
    }
    *pos.out = TAPE_INTEGER;
    return (Pos){.at = pos.at + 1, .out = tape_put_varint(pos.out + 1, tape_zigzag(value))};
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? : JSON's number, and FHIR's decimal. */
static bool is_number(Str text)
{
    size_t i = text.ptr[0] == '-';
    size_t from = i;
    while (i < text.len && is_digit(text.ptr[i]))
        i++;
    if (i == from || (text.ptr[from] == '0' && i > from + 1))
        return false;
    if (i < text.len && text.ptr[i] == '.') {
        from = ++i;
        while (i < text.len && is_digit(text.ptr[i]))
            i++;
        if (i == from)
            return false;
    }
    if (i < text.len && (text.ptr[i] == 'e' || text.ptr[i] == 'E')) {
        i++;
        if (i < text.len && (text.ptr[i] == '+' || text.ptr[i] == '-'))
            i++;
        from = i;
        while (i < text.len && is_digit(text.ptr[i]))
            i++;
        if (i == from)
            return false;
    }
    return i == text.len;
}

static Pos read_decimal(FhirReader *reader, Pos pos)
{
    Str number = scalar(reader, pos.at);
    if (!is_digit(number.ptr[0]) && number.ptr[0] != '-')
        return refuse(reader, REFUSAL_WANTS_NUMBER, pos.at);
    bool is_negative = number.ptr[0] == '-';
    uint64_t value = 0;
    size_t digits = 0;
    size_t point = 0; /* digits before it, plus one */
    size_t i = is_negative;
    for (; i < number.len && digits <= DECIMAL_DIGITS_MAX; i++) {
        if (number.ptr[i] == '.' && point == 0)
            point = digits + 1;
        else if (is_digit(number.ptr[i]))
            value = value * 10 + (uint64_t)(number.ptr[i] - '0'), digits++;
        else
            break;
    }
    size_t whole = point == 0 ? digits : point - 1;
    size_t places = digits - whole;
    bool is_plain = i == number.len && digits <= DECIMAL_DIGITS_MAX && whole > 0 &&
                    (point == 0 || places > 0) && (whole == 1 || number.ptr[is_negative] != '0') &&
                    !(is_negative && value == 0);
    if (!is_plain) {
        if (!is_number(number) || number.len > TAPE_NUMBER_TEXT_MAX)
            return refuse(reader, REFUSAL_BAD_DECIMAL, pos.at);
        return (Pos){.at = pos.at + 1, .out = reader_put_text(pos.out, number)};
    }
    uint8_t *out = pos.out;
    if (places <= TAPE_DECIMAL3 - TAPE_DECIMAL0) {
        *out++ = (uint8_t)(TAPE_DECIMAL0 + places);
    } else {
        *out++ = TAPE_DECIMAL_N;
        *out++ = (uint8_t)places;
    }
    int64_t mantissa = is_negative ? -(int64_t)value : (int64_t)value;
    return (Pos){.at = pos.at + 1, .out = tape_put_varint(out, tape_zigzag(mantissa))};
}

static Pos read_boolean(FhirReader *reader, Pos pos)
{
    Str word = scalar(reader, pos.at);
    bool is_true = str_eq(word, S("true"));
    if (!is_true && !str_eq(word, S("false")))
        return refuse(reader, REFUSAL_WANTS_BOOLEAN, pos.at);
    *pos.out = is_true ? TAPE_TRUE : TAPE_FALSE;
    return (Pos){.at = pos.at + 1, .out = pos.out + 1};
}

/* A dateTime that lacks nothing but its offset. */
static bool is_local_time(Str text)
{
    Moment moment;
    return text.len > 16 && text.ptr[10] == 'T' && moment_parse(text, &moment) &&
           moment.precision >= PRECISION_SECOND && moment.offset_minutes == OFFSET_NONE;
}

static Pos read_moment(FhirReader *reader, Pos pos, uint16_t type)
{
    Str raw;
    if (UNLIKELY(reader->text[*pos.at] != '"'))
        return refuse(reader, REFUSAL_WANTS_STRING, pos.at);
    if (UNLIKELY(!reader_raw_string(reader, pos.at, &raw)))
        return refuse(reader, REFUSAL_BAD_JSON, pos.at);
    int size = tape_pack_moment(raw.ptr, raw.len, pos.out);
    bool has_time = raw.len > 10;
    if (UNLIKELY(size < 0 && reader->options.accepts_local_times && is_local_time(raw)))
        size = 0;
    if (UNLIKELY(size < 0 || (type == FHIR_TYPE_date && has_time) ||
                 (type == FHIR_TYPE_instant && !has_time)))
        return refuse(reader, REFUSAL_BAD_DATE, pos.at);
    if (size == 0)
        return (Pos){.at = pos.at + 1, .out = reader_put_text(pos.out, raw)};
    return (Pos){.at = pos.at + 1, .out = pos.out + size};
}

Pos reader_primitive(FhirReader *reader, Pos pos, uint16_t type)
{
    switch (type) {
    case FHIR_TYPE_boolean:
        return read_boolean(reader, pos);
    case FHIR_TYPE_integer:
    case FHIR_TYPE_positiveInt:
    case FHIR_TYPE_unsignedInt:
        return read_integer(reader, pos, type);
    case FHIR_TYPE_decimal:
        return read_decimal(reader, pos);
    case FHIR_TYPE_date:
    case FHIR_TYPE_dateTime:
    case FHIR_TYPE_instant:
        return read_moment(reader, pos, type);
    default:
        return read_text(reader, pos, type);
    }
}

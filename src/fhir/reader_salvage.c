/*
 * Texts that cannot be indexed: one bad byte or a cut within a string is to cost only itself.
 *
 * A copy of the text is made in which each entry of a Bundle (or document) that holds the damage
 * becomes "{}" and blanks; lines and offsets stay what they were. The copy is read as any other
 * text, and at each such place the reader says what was wrong there. Off the good path: byte by
 * byte, strings and brackets only.
 */
#include "fhir/reader_int.h"

enum { COPY_SLACK = 16, LOOK_AHEAD_MAX = 256 };

typedef struct {
    FhirReader *reader;
    char *text; /* the copy */
    size_t at;
    size_t end;
    bool has_changed;
} Scan;

static inline bool is_white(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void skip_white(Scan *scan)
{
    while (scan->at < scan->end && is_white(scan->text[scan->at]))
        scan->at++;
}

static char now(const Scan *scan)
{
    return scan->at < scan->end ? scan->text[scan->at] : '\0';
}

/* --- where the bad byte is --- */

/* The bytes of the UTF-8 character at `at`, 0 when there is none. */
static size_t utf8_size(const char *text, size_t at, size_t end)
{
    uint8_t first = (uint8_t)text[at];
    size_t size = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (first > 0xF4 || size == 0 || size > end - at)
        return 0;
    for (size_t i = 1; i < size; i++)
        if (((uint8_t)text[at + i] & 0xC0) != 0x80)
            return 0;
    uint8_t second = size > 1 ? (uint8_t)text[at + 1] : 0;
    bool is_bad = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
                  (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F);
    return is_bad ? 0 : size;
}

size_t reader_bad_byte(const char *text, size_t from, size_t to, JsonIndexResult result)
{
    bool in_string = false;
    size_t opened = from;
    size_t at = from;
    while (at < to) {
        size_t size = utf8_size(text, at, to);
        char c = text[at];
        if (size == 0 && result == JSON_INDEX_BAD_UTF8)
            return at;
        if (in_string && (uint8_t)c < ' ' && result == JSON_INDEX_BAD_STRING)
            return at;
        if (c == '"') {
            in_string = !in_string;
            opened = at;
        } else if (c == '\\' && in_string) {
            size = 2;
        }
        at += size == 0 ? 1 : size;
    }
    return result == JSON_INDEX_UNCLOSED_STRING ? opened : from;
}

/* --- strings and values --- */

/* At the line break in a string: whether its closing quote was lost, by what the next line begins
   with. */
static bool is_quote_lost(const Scan *scan, size_t at)
{
    if (at + 1 < scan->end && scan->text[at + 1] == '{')
        return true;
    size_t end = scan->end - at > LOOK_AHEAD_MAX ? at + LOOK_AHEAD_MAX : scan->end;
    while (at < end && is_white(scan->text[at]))
        at++;
    return at < end && (scan->text[at] == '"' || scan->text[at] == '}' || scan->text[at] == ']');
}

static bool pass_string(Scan *scan)
{
    size_t at = scan->at + 1;
    while (at < scan->end) {
        char c = scan->text[at];
        if (c == '"' || (c == '\n' && is_quote_lost(scan, at))) {
            scan->at = c == '"' ? at + 1 : at;
            return true;
        }
        at += c == '\\' ? 2 : 1;
    }
    scan->at = scan->end;
    return false;
}

/* Passes a value; false when the text ends within it or a new document begins. */
static bool pass_value(Scan *scan)
{
    size_t depth = 0;
    size_t first = scan->at;
    while (scan->at < scan->end) {
        char c = scan->text[scan->at];
        bool opens = c == '{' || c == '[';
        bool closes = c == '}' || c == ']';
        if (c == '"') {
            if (!pass_string(scan))
                return false;
        } else if (c == '{' && scan->at > first && scan->text[scan->at - 1] == '\n') {
            return false;
        } else if (depth == 0 && (closes || c == ',')) {
            return true;
        } else {
            scan->at++;
        }
        depth += opens;
        depth -= closes;
        if (depth == 0 && (closes || c == '"'))
            return true;
    }
    return false;
}

/* --- what is damaged is blanked --- */

static void blank(Scan *scan, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (scan->text[i] != '\n')
            scan->text[i] = ' ';
    scan->has_changed = true;
}

/* Puts a character at the first blank from `from` on, or behind the end of the text. */
static size_t put_char(Scan *scan, size_t from, size_t to, char c)
{
    while (from < to && scan->text[from] != ' ')
        from++;
    if (from == scan->reader->whole.len) {
        scan->text[from] = c;
        scan->reader->whole.len++;
        scan->end++;
    } else if (from < to) {
        scan->text[from] = c;
    }
    return from + 1;
}

/* The unit from..to becomes "{}" and is to be refused. */
static size_t put_damage(Scan *scan, size_t from, size_t to, JsonIndexResult result)
{
    FhirReader *reader = scan->reader;
    Damage damage = {.from = from,
                     .to = to,
                     .at = reader_bad_byte(scan->text, from, to, result),
                     .refusal = reader_index_refusal(result)};
    VEC_PUSH(reader->salvage, &reader->damages, damage);
    blank(scan, from, to);
    return put_char(scan, put_char(scan, from, to, '{'), to, '}');
}

static JsonIndexResult check(const Scan *scan, size_t from, size_t to)
{
    JsonIndexResult result = json_index_run(scan->reader->index, scan->text + from, to - from);
    return result == JSON_INDEX_EMPTY ? JSON_INDEX_OK : result;
}

/* --- Bundles --- */

/* Where within from..to the next entry begins, by the members that entries begin with; `to` when
   nowhere. */
static size_t next_entry(const Scan *scan, size_t from, size_t to)
{
    static const char *const names[] = {"\"fullUrl\"", "\"resource\""};
    for (size_t at = from; at < to; at++) {
        if (scan->text[at] != '{')
            continue;
        size_t name = at + 1;
        while (name < to && is_white(scan->text[name]))
            name++;
        for (size_t i = 0; i < COUNT_OF(names); i++)
            if (str_starts_with((Str){.ptr = scan->text + name, .len = to - name},
                                str_from_c(names[i])))
                return at;
    }
    return to;
}

/* A single character that is no part of an entry: there is no room for "{}" in its place. */
static void drop_char(Scan *scan, size_t at, JsonIndexResult result)
{
    FhirReader *reader = scan->reader;
    reader->frames[1] = (Frame){.type = FHIR_TYPE_Bundle, .element = FHIR_ELEM_Bundle_entry};
    reader->frame = reader->frames + 1;
    reader_report(reader, SEVERITY_ERROR, reader_index_refusal(result), (uint32_t)at);
    reader->frame = reader->frames;
    blank(scan, at, at + 1);
    scan->at = at + 1;
}

/* A quote before an entry, which turns the strings behind it inside out. */
static bool is_stray_quote(const Scan *scan)
{
    size_t at = scan->at + 1;
    while (at < scan->end && is_white(scan->text[at]))
        at++;
    return now(scan) == '"' && at < scan->end && scan->text[at] == '{' &&
           next_entry(scan, at,
                      at + LOOK_AHEAD_MAX < scan->end ? at + LOOK_AHEAD_MAX : scan->end) == at;
}

/* One item of Bundle.entry; false when the text ends within it. */
static bool salvage_entry(Scan *scan)
{
    size_t from = scan->at;
    if (is_stray_quote(scan)) {
        drop_char(scan, from, JSON_INDEX_UNCLOSED_STRING);
        return true;
    }
    bool is_whole = pass_value(scan);
    size_t to = scan->at;
    JsonIndexResult result = check(scan, from, to);
    if (result == JSON_INDEX_OK)
        return is_whole && to > from;
    /* A quote too many or too few turns strings inside out: then the entry seems longer. */
    size_t next = next_entry(scan, from + 1, to);
    if (next < to) {
        to = next;
        while (to > from + 1 && is_white(scan->text[to - 1]))
            to--;
        to -= scan->text[to - 1] == ',';
        result = check(scan, from, to);
        result = result == JSON_INDEX_OK ? JSON_INDEX_UNCLOSED_STRING : result;
        is_whole = true;
    }
    if (is_whole && to == from + 1) {
        drop_char(scan, from, result);
        return true;
    }
    size_t behind = put_damage(scan, from, to, result);
    if (!is_whole)
        (void)put_char(scan, put_char(scan, behind, to, ']'), to, '}');
    scan->at = to;
    return is_whole;
}

/* The list at `at`; true when its end was found. */
static bool salvage_entries(Scan *scan)
{
    scan->at++;
    for (;;) {
        skip_white(scan);
        char c = now(scan);
        if (c == ']' || c == ',') {
            scan->at++;
            if (c == ']')
                return true;
        } else if (scan->at >= scan->end || !salvage_entry(scan)) {
            return false;
        }
    }
}

/* Bad bytes in the Bundle's own members: they are not loaded, and so only warned of. */
static void mend_envelope(Scan *scan, size_t from)
{
    FhirReader *reader = scan->reader;
    for (int round = 0; round < 2; round++) { /* bytes that are no UTF-8, control characters */
        JsonIndexResult result = check(scan, from, scan->at);
        if (result != JSON_INDEX_BAD_UTF8 && result != JSON_INDEX_BAD_STRING)
            return;
        size_t at = reader_bad_byte(scan->text, from, scan->at, result);
        if (at == from)
            return;
        reader->frames[1] = (Frame){.type = FHIR_TYPE_Bundle};
        reader->frame = reader->frames + 1;
        reader_report(reader, SEVERITY_WARNING, reader_index_refusal(result), (uint32_t)at);
        reader->frame = reader->frames;
        /* All of the kind: one finding is enough. */
        bool in_string = false;
        for (size_t i = from; i < scan->at; i++) {
            char *c = &scan->text[i];
            size_t size = utf8_size(scan->text, i, scan->at);
            if (size == 0 || (in_string && (uint8_t)*c < ' ' && *c != '\n'))
                *c = '?';
            else if (*c == '\\' && in_string)
                i++;
            else if (*c == '"')
                in_string = !in_string;
            else
                i += size - 1;
            if (in_string && *c == '\n')
                *c = ' ';
        }
        scan->has_changed = true;
    }
}

/* The text ends within a member behind the entries: it is left out. */
static void close_envelope(Scan *scan, size_t comma)
{
    FhirReader *reader = scan->reader;
    reader->frames[1] = (Frame){.type = FHIR_TYPE_Bundle};
    reader->frame = reader->frames + 1;
    reader_report(reader, SEVERITY_ERROR, REFUSAL_BAD_STRING, (uint32_t)comma);
    reader->frame = reader->frames;
    blank(scan, comma, scan->end);
    (void)put_char(scan, comma, scan->end, '}');
}

/* The members of the document at `at`: whether it has entries, which are mended on the way. */
static bool salvage_members(Scan *scan)
{
    bool has_entries = false;
    size_t comma = scan->at;
    scan->at++;
    for (;;) {
        skip_white(scan);
        size_t key = scan->at;
        bool is_good = now(scan) == '"' && pass_string(scan);
        bool is_entry = is_good && str_eq((Str){scan->text + key, scan->at - key}, S("\"entry\""));
        skip_white(scan);
        is_good = is_good && now(scan) == ':';
        scan->at += is_good;
        skip_white(scan);
        if (is_good && is_entry && now(scan) == '[') {
            has_entries = true;
            if (!salvage_entries(scan))
                return true;
        } else {
            is_good = is_good && pass_value(scan);
        }
        skip_white(scan);
        if (!is_good && has_entries && scan->at >= scan->end)
            close_envelope(scan, comma);
        if (!is_good || now(scan) != ',') {
            scan->at += now(scan) == '}';
            return has_entries;
        }
        comma = scan->at++;
    }
}

/* Behind what could not be understood: where a line begins with a bracket, or at the end. */
static void find_document(Scan *scan)
{
    const char *found = NULL;
    while (scan->at < scan->end && found == NULL) {
        size_t left = scan->end - scan->at;
        found = memchr(scan->text + scan->at, '\n', left);
        scan->at = found == NULL ? scan->end : (size_t)(found - scan->text) + 1;
        if (now(scan) != '{')
            found = NULL;
    }
}

bool reader_salvage(FhirReader *reader, size_t from, size_t to)
{
    size_t len = reader->whole.len;
    if (reader->salvage == NULL)
        reader->salvage = arena_create(0);
    if (reader->whole.ptr == reader->source.ptr) {
        char *copy = arena_alloc(reader->salvage, len + COPY_SLACK + JSON_INDEX_PADDING);
        memcpy(copy, reader->whole.ptr, len);
        memset(copy + len, ' ', COPY_SLACK + JSON_INDEX_PADDING);
        reader->whole.ptr = reader->salvage_text = copy;
    }
    Scan scan = {.reader = reader, .text = reader->salvage_text, .at = from, .end = to};
    reader->base = 0;
    reader->text = reader->whole.ptr;
    for (skip_white(&scan); scan.at < scan.end; skip_white(&scan)) {
        size_t start = scan.at;
        bool has_entries = now(&scan) == '{' && salvage_members(&scan);
        if (has_entries) {
            mend_envelope(&scan, start);
            continue;
        }
        if (scan.at <= start || check(&scan, start, scan.at) != JSON_INDEX_OK)
            find_document(&scan);
        JsonIndexResult result = check(&scan, start, scan.at);
        if (result != JSON_INDEX_OK)
            (void)put_damage(&scan, start, scan.at, result);
    }
    return scan.has_changed && reader->whole.len <= len + COPY_SLACK;
}

const Damage *reader_damage_at(const FhirReader *reader, size_t from)
{
    size_t low = 0;
    size_t high = reader->damages.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (reader->damages.items[middle].from <= from)
            low = middle + 1;
        else
            high = middle;
    }
    const Damage *found = low == 0 ? NULL : &reader->damages.items[low - 1];
    return found != NULL && from < found->to ? found : NULL;
}

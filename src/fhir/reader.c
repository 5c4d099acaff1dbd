/* The reader's facade: documents, Bundles, and what to do after a bad one. */
#include "fhir/reader_int.h"

#include <stdlib.h>

enum { TAPE_SLACK = 4096, FOLLOWERS = FHIR_ELEMENT_COUNT + FHIR_TYPE_COUNT + 256 };

/* --- life --- */

static void *must_alloc(size_t size)
{
    void *memory = calloc(1, size);
    ASSERT(memory != NULL);
    return memory;
}

/* Written from the first: a page that is read before it is written is mapped twice, and the second
   time each other thread has to be interrupted. */
static Memo *new_memos(Arena *arena)
{
    Memo *memos = ARENA_ARRAY(arena, Memo, MEMO_SLOTS);
    for (size_t i = 0; i < MEMO_SLOTS; i++)
        memos[i].text_len = 0;
    return memos;
}

FhirReader *fhir_reader_create(ConceptBuilder *concepts, const FhirReaderOptions *options)
{
    FhirReader *reader = must_alloc(sizeof *reader);
    reader->concepts = concepts;
    reader->interner = concept_interner_create(concepts);
    reader->options = *options;
    if (reader->options.resource_bytes_max == 0)
        reader->options.resource_bytes_max = LIMIT_RESOURCE_BYTES;
    reader->skip_narrative = !options->keep_narrative;
    reader->index = json_index_create();
    reader->scratch = arena_create(0);
    reader->memory = arena_create(MEMO_SLOTS * sizeof(Memo));
    reader->memos = new_memos(reader->memory);
    reader->followers = must_alloc(FOLLOWERS);
    return reader;
}

void fhir_reader_destroy(FhirReader *reader)
{
    if (reader == NULL)
        return;
    concept_interner_destroy(reader->interner);
    json_index_destroy(reader->index);
    arena_destroy(reader->scratch);
    if (reader->salvage != NULL)
        arena_destroy(reader->salvage);
    arena_destroy(reader->memory);
    free(reader->followers);
    free(reader->tape);
    free(reader);
}

/* --- the index --- */

static bool run_index(FhirReader *reader, size_t from, size_t to, JsonIndexResult *ret_result)
{
    size_t count;
    reader->text = reader->whole.ptr + from;
    reader->base = from;
    *ret_result = json_index_run(reader->index, reader->text, to - from);
    if (*ret_result != JSON_INDEX_OK)
        return false;
    reader->next = json_index_offsets(reader->index, &count);
    reader->end = reader->next + count;
    return true;
}

Refusal reader_index_refusal(JsonIndexResult result)
{
    switch (result) {
    case JSON_INDEX_BAD_UTF8:
        return REFUSAL_BAD_UTF8;
    case JSON_INDEX_TOO_LONG:
        return REFUSAL_TOO_LONG;
    case JSON_INDEX_UNCLOSED_STRING:
    case JSON_INDEX_BAD_STRING:
        return REFUSAL_BAD_STRING;
    default:
        return REFUSAL_BAD_JSON;
    }
}

static size_t line_end(const FhirReader *reader, size_t from)
{
    const char *found = memchr(reader->whole.ptr + from, '\n', reader->whole.len - from);
    return found == NULL ? reader->whole.len : (size_t)(found - reader->whole.ptr);
}

/* The text as lines of documents: whether its first line that is not blank looks like a whole one,
   or like one that is cut off before the next. */
static bool has_lines(const FhirReader *reader)
{
    size_t from = 0;
    while (from < reader->whole.len) {
        size_t to = line_end(reader, from);
        Str line = str_trim(str_slice(reader->whole, from, to - from));
        if (line.len > 0)
            return to + 1 < reader->whole.len && line.ptr[0] == '{' &&
                   (line.ptr[line.len - 1] == '}' ||
                    str_starts_with(str_slice(reader->whole, to + 1, reader->whole.len),
                                    S("{\"resourceType\"")));
        from = to + 1;
    }
    return false;
}

/* Behind the tapes of the document so far. */
static size_t tape_end(const FhirReader *reader)
{
    if (reader->parsed.count == 0)
        return 0;
    const Parsed *last = &reader->parsed.items[reader->parsed.count - 1];
    return last->tape_from + last->tape_size;
}

static void add_refused(FhirReader *reader, uint32_t from, uint32_t to)
{
    VEC_PUSH(reader->scratch, &reader->parsed,
             (Parsed){.text_from = from,
                      .text_to = to,
                      .tape_from = tape_end(reader),
                      .entry = reader->entry,
                      .is_refused = true,
                      .finding = reader->finding});
}

/* What stands at this place was blanked: the finding names the bad byte. False when it was not. */
static bool refuse_damage(FhirReader *reader, uint32_t from)
{
    const Damage *damage = reader_damage_at(reader, reader->base + from);
    if (damage == NULL)
        return false;
    reader_report(reader, SEVERITY_ERROR, damage->refusal, (uint32_t)(damage->at - reader->base));
    add_refused(reader, (uint32_t)(damage->from - reader->base),
                (uint32_t)(damage->to - reader->base));
    return true;
}

/* A piece of text that cannot even be indexed is one refused document. */
static void refuse_piece(FhirReader *reader, size_t from, size_t to, JsonIndexResult result)
{
    if (str_trim(str_slice(reader->whole, from, to - from)).len == 0)
        return;
    reader->frame = reader->frames;
    size_t bad = reader_bad_byte(reader->whole.ptr, from, to, result) - from;
    reader_report(reader, SEVERITY_ERROR, reader_index_refusal(result),
                  bad > UINT32_MAX ? 0 : (uint32_t)bad);
    add_refused(reader, 0, (uint32_t)(to - from > UINT32_MAX ? UINT32_MAX : to - from));
}

/* Indexes what is between two offsets, without what is damaged in it; else it is refused. */
static void index_piece(FhirReader *reader, size_t from, size_t to)
{
    JsonIndexResult result;
    if (run_index(reader, from, to, &result) || result == JSON_INDEX_EMPTY)
        return;
    JsonIndexResult mended = result;
    bool is_last = to == reader->whole.len;
    if (result != JSON_INDEX_TOO_LONG && reader_salvage(reader, from, to) &&
        run_index(reader, from, is_last ? reader->whole.len : to, &mended))
        return;
    reader->whole = reader->source;
    reader->text = reader->whole.ptr + from;
    reader->base = from;
    reader->next = reader->end = NULL;
    refuse_piece(reader, from, to, result);
}

/* For the largest document that may come. The system gives only what is written to. */
static void reserve_tape(FhirReader *reader, size_t json_size)
{
    size_t wanted = 2 * json_size + TAPE_SLACK;
    if (reader->tape_capacity >= wanted)
        return;
    free(reader->tape);
    reader->tape_capacity = wanted + wanted / 4;
    reader->tape = malloc(reader->tape_capacity);
    ASSERT(reader->tape != NULL);
}

void fhir_reader_begin(FhirReader *reader, Str text, Str file, uint32_t first_line, DiagList *diags)
{
    JsonIndexResult result;
    reader->source = reader->whole = text;
    reader->base = 0;
    if (reader->salvage != NULL)
        arena_reset(reader->salvage);
    reader->damages.items = NULL;
    reader->damages.count = reader->damages.capacity = 0;
    reader->file = file;
    reader->diags = diags;
    reader->line = first_line;
    reader->line_at = 0;
    reader->line_from = SIZE_MAX;
    arena_reset(reader->scratch);
    reader->parsed.items = NULL;
    reader->parsed.count = reader->parsed.capacity = 0;
    reader->patches.items = NULL;
    reader->patches.capacity = 0;
    reader->patch_count = 0;
    reader->parsed_next = 0;
    reader->next = reader->end = NULL;
    reserve_tape(reader, text.len);
    if (run_index(reader, 0, text.len, &result) || result == JSON_INDEX_EMPTY)
        return;
    reader->next = reader->end = NULL;
    if (has_lines(reader))
        reader->line_from = 0; /* only the bad lines are to be lost */
    else
        index_piece(reader, 0, text.len);
}

/* --- one document --- */

static void begin_document(FhirReader *reader)
{
    arena_reset(reader->scratch);
    reader->parsed.items = NULL;
    reader->parsed.count = reader->parsed.capacity = 0;
    reader->patches.items = NULL;
    reader->patches.capacity = 0;
    reader->patch_count = 0;
    reader->parsed_next = 0;
    reader->bundle_depth = 0;
    reader->entry = 0;
    reader->has_open_urls = false;
    reader->urls = (Map){0};
    reader->frames[0] = (Frame){0};
    reader->frame = reader->frames;
}

/* Where a resource that was refused ends: its brackets decide, as far as they can. */
static const uint32_t *behind_refused(const FhirReader *reader, const uint32_t *start)
{
    const uint32_t *at = reader_skip(reader, start);
    return at == start ? at + 1 : at;
}

/* The text of a resource from its '{' to behind its last structural character. */
static uint32_t text_end(const FhirReader *reader, const uint32_t *behind)
{
    /* Behind the offsets stands the length of what was indexed: the text, or a line of it. */
    return behind >= reader->end ? *reader->end : behind[-1] + 1;
}

/* One resource at `at`; adds a Parsed. Gives the offset behind it and the end of its tape. */
static Pos read_one(FhirReader *reader, Pos pos)
{
    Frame *frame = reader->frame;
    uint32_t patches = reader->patch_count;
    Parsed parsed = {.text_from = *pos.at, .entry = reader->entry};
    reader->refusal = REFUSAL_NONE;
    Pos next = reader_resource(reader, pos, &parsed.type);
    if (next.out != NULL &&
        next.at[-1] + 1 - parsed.text_from > reader->options.resource_bytes_max) {
        next.out = NULL;
        reader->refusal = REFUSAL_TOO_LONG;
        reader->refused_at = parsed.text_from;
    }
    if (UNLIKELY(next.out == NULL)) {
        reader_report(reader, SEVERITY_ERROR, reader->refusal, reader->refused_at);
        reader->patch_count = patches;
        parsed.is_refused = true;
        parsed.finding = reader->finding;
        next = (Pos){.at = behind_refused(reader, pos.at), .out = pos.out};
    }
    reader->frame = frame;
    parsed.text_to = text_end(reader, next.at);
    parsed.tape_from = (size_t)(pos.out - reader->tape);
    parsed.tape_size = (size_t)(next.out - pos.out);
    VEC_PUSH(reader->scratch, &reader->parsed, parsed);
    return next;
}

/* --- Bundles --- */

/* What is known of an object of a Bundle's envelope while its members are read. */
typedef struct {
    uint16_t type;
    uint64_t seen; /* bits by element number, of which there are few */
} Envelope;

/* Of the envelope only what holds resources is loaded: what is wrong with the rest is a warning.
   Gives the element's number, 0 for an unknown one. */
static uint8_t see_member(FhirReader *reader, Envelope *envelope, const uint32_t *at, Str key)
{
    uint8_t usual = fhir_element_find((FhirType)envelope->type, key.ptr, key.len);
    if (usual != 0 && (envelope->seen >> (usual & 63) & 1) == 0) {
        envelope->seen |= UINT64_C(1) << (usual & 63);
        return usual;
    }
    Str name = reader_plain_key(reader, key);
    if (str_eq(name, S("resourceType")) && envelope->type == FHIR_TYPE_Bundle)
        return 0;
    bool is_extra = name.len > 1 && name.ptr[0] == '_';
    Str plain = is_extra ? str_slice(name, 1, SIZE_MAX) : name;
    uint8_t number =
        plain.len == 0 ? 0 : fhir_element_find((FhirType)envelope->type, plain.ptr, plain.len);
    bool is_twice = number != 0 && !is_extra && (envelope->seen >> (number & 63) & 1) != 0;
    if (number == 0 || is_twice)
        reader_report(reader, SEVERITY_WARNING,
                      is_twice ? REFUSAL_DUPLICATE : REFUSAL_UNKNOWN_ELEMENT, *at);
    if (number == 0 || is_extra)
        return 0;
    envelope->seen |= UINT64_C(1) << (number & 63);
    return number;
}

static Pos read_bundle(FhirReader *reader, Pos pos);

/* A Bundle that is the resource of an entry: its entries are given out as if they stood here. */
static Pos read_inner_bundle(FhirReader *reader, Pos pos)
{
    Frame *frame = reader->frame;
    size_t count = reader->parsed.count;
    reader->bundle_depth++;
    Pos next = reader->bundle_depth > 2 ? refuse(reader, REFUSAL_BUNDLE_NESTED, pos.at)
                                        : read_bundle(reader, pos);
    reader->bundle_depth--;
    if (next.out == NULL) {
        reader_report(reader, SEVERITY_ERROR, reader->refusal, reader->refused_at);
        next = (Pos){.at = behind_refused(reader, pos.at), .out = pos.out};
        if (reader->parsed.count == count)
            add_refused(reader, *pos.at, text_end(reader, next.at));
        else
            next.out = reader->tape + tape_end(reader);
    }
    reader->frame = frame;
    return next;
}

typedef struct {
    Envelope envelope;
    Str full_url;
    bool is_deleted;
} Entry;

/* One member of an entry; pos.at behind its value. */
static Pos read_entry_member(FhirReader *reader, Pos pos, Entry *entry)
{
    Str key;
    if (!reader_raw_string(reader, pos.at, &key) || reader->text[pos.at[1]] != ':')
        return refuse(reader, REFUSAL_BAD_JSON, pos.at);
    const uint32_t *value = pos.at + 2;
    uint8_t number = see_member(reader, &entry->envelope, pos.at, key);
    if (number == FHIR_ELEM_Bundle_entry_resource) {
        reader->frame->element = number;
        bool is_bundle = reader->text[*value] == '{' &&
                         str_eq(reader_peek(reader, value, S("resourceType")), S("Bundle"));
        Pos next = is_bundle ? read_inner_bundle(reader, (Pos){.at = value, .out = pos.out})
                             : read_one(reader, (Pos){.at = value, .out = pos.out});
        reader->frame->element = 0;
        return next;
    }
    if (number == FHIR_ELEM_Bundle_entry_fullUrl) {
        bool is_string = reader->text[*value] == '"';
        reader->frame->element = number;
        if (!is_string || !reader_string(reader, value, &entry->full_url))
            reader_report(reader, SEVERITY_WARNING,
                          is_string ? REFUSAL_BAD_ESCAPE : REFUSAL_WANTS_STRING, *value);
        reader->frame->element = 0;
    }
    if (number == FHIR_ELEM_Bundle_entry_request && reader->text[*value] == '{')
        entry->is_deleted = str_eq(reader_peek(reader, value, S("method")), S("DELETE"));
    return (Pos){.at = reader_skip(reader, value), .out = pos.out};
}

/* What is to be said when all members of an entry are known; its resources are from `first` on. */
static void end_entry(FhirReader *reader, const Entry *entry, size_t first, uint32_t offset)
{
    if (reader->parsed.count == first)
        reader_report(reader, SEVERITY_WARNING,
                      entry->is_deleted ? REFUSAL_BUNDLE_DELETE : REFUSAL_NO_RESOURCE, offset);
    for (size_t i = first; i < reader->parsed.count; i++) {
        Parsed *parsed = &reader->parsed.items[i];
        if (entry->envelope.type == FHIR_TYPE_Bundle_entry && parsed->full_url.len == 0)
            parsed->full_url = entry->full_url;
        if (!entry->is_deleted || parsed->is_refused)
            continue;
        reader_report(reader, SEVERITY_ERROR, REFUSAL_BUNDLE_DELETE, parsed->text_from);
        parsed->is_refused = true;
        parsed->finding = reader->finding;
    }
}

/* An item of Bundle.entry that is no object or an empty one. */
static Pos refuse_entry(FhirReader *reader, Pos pos)
{
    bool is_object = reader->text[*pos.at] == '{';
    const uint32_t *behind = behind_refused(reader, pos.at);
    if (!is_object || !refuse_damage(reader, *pos.at)) {
        reader_report(reader, SEVERITY_ERROR, is_object ? REFUSAL_EMPTY : REFUSAL_WANTS_OBJECT,
                      *pos.at);
        bool is_scalar = behind == pos.at + 1 && behind < reader->end;
        add_refused(reader, *pos.at, is_scalar ? *behind : text_end(reader, behind));
    }
    return (Pos){.at = behind, .out = pos.out};
}

/* The entry at pos.at: its resource becomes a Parsed. */
static Pos read_entry(FhirReader *reader, Pos pos)
{
    const char *text = reader->text;
    Entry entry = {.envelope.type = FHIR_TYPE_Bundle_entry};
    size_t first = reader->parsed.count;
    uint32_t offset = *pos.at;
    if (text[offset] != '{' || (pos.at + 1 < reader->end && text[pos.at[1]] == '}'))
        return refuse_entry(reader, pos);
    if (reader->frame->depth + 2U > LIMIT_JSON_DEPTH)
        return refuse(reader, REFUSAL_TOO_DEEP, pos.at);
    uint8_t depth = (uint8_t)(reader->frame->depth + 2U);
    *++reader->frame = (Frame){.type = FHIR_TYPE_Bundle_entry, .depth = depth};
    pos.at++;
    while (pos.at + 3 < reader->end && text[*pos.at] == '"') {
        pos = read_entry_member(reader, pos, &entry);
        if (pos.out == NULL)
            return pos;
        if (pos.at >= reader->end || text[*pos.at] != ',')
            break;
        pos.at++;
    }
    if (pos.at >= reader->end || text[*pos.at] != '}')
        return refuse(reader, REFUSAL_BAD_JSON, pos.at);
    end_entry(reader, &entry, first, offset);
    reader->frame--;
    pos.at++;
    return pos;
}

/* Whether the next document, and not an entry, begins at this '{'. */
static bool is_document(FhirReader *reader, const uint32_t *at)
{
    Str key;
    bool is_first = *at == 0 || reader->text[*at - 1] == '\n';
    return is_first && at + 1 < reader->end && reader->text[at[1]] == '"' &&
           reader_raw_string(reader, at + 1, &key) && reader_key_is(reader, key, S("resourceType"));
}

/* Behind an entry, where a comma or the end of the list should stand: goes on to the next entry or
   to the end. What stands between costs only itself. */
static Pos pass_comma(FhirReader *reader, Pos pos)
{
    const char *text = reader->text;
    const uint32_t *from = pos.at;
    size_t commas = 0;
    bool has_junk = false;
    while (pos.at < reader->end && text[*pos.at] != '{' && text[*pos.at] != ']' &&
           text[*pos.at] != '}') {
        bool is_comma = text[*pos.at] == ',';
        bool is_value = commas == 1 && !is_comma && !has_junk; /* to be refused as an entry */
        if (is_value)
            break;
        commas += is_comma;
        has_junk |= !is_comma;
        pos.at = is_comma ? pos.at + 1 : behind_refused(reader, pos.at);
    }
    if (pos.at >= reader->end || text[*pos.at] == '}' ||
        (text[*pos.at] == '{' && is_document(reader, pos.at)))
        return refuse(reader, REFUSAL_BAD_JSON, from);
    bool is_end = text[*pos.at] == ']';
    bool is_blanked = !is_end && reader_damage_at(reader, reader->base + *pos.at) != NULL;
    if (has_junk) {
        reader_report(reader, SEVERITY_ERROR, REFUSAL_BAD_COMMA, *from);
        add_refused(reader, *from, *pos.at);
    } else if (commas != !is_end && !is_blanked) {
        reader_report(reader, SEVERITY_WARNING, REFUSAL_BAD_COMMA, *from);
    }
    return pos;
}

static Pos read_entries(FhirReader *reader, Pos pos)
{
    const char *text = reader->text;
    if (text[*pos.at] != '[')
        return refuse(reader, REFUSAL_WANTS_LIST, pos.at);
    pos.at++;
    for (uint32_t entry = 0; pos.at < reader->end && text[*pos.at] != ']'; entry++) {
        reader->frame->in_list = true;
        reader->frame->index = entry;
        if (reader->bundle_depth == 1)
            reader->entry = entry;
        bool was_blanked = reader_damage_at(reader, reader->base + *pos.at) != NULL;
        pos = read_entry(reader, pos);
        if (pos.out == NULL)
            return pos;
        /* A comma may have been lost with what was blanked. */
        bool is_lost = was_blanked && pos.at < reader->end && text[*pos.at] == '{';
        if (!is_lost || is_document(reader, pos.at))
            pos = pass_comma(reader, pos);
        if (pos.out == NULL)
            return pos;
    }
    reader->frame->in_list = false;
    pos.at++;
    return pos;
}

/* Bundle.type: what an unknown one means for its entries nobody can tell. */
static void check_bundle_type(FhirReader *reader, const uint32_t *at)
{
    static const char *const types[] = {
        "document",       "message", "transaction", "transaction-response", "batch",
        "batch-response", "history", "searchset",   "collection",
    };
    Str raw = {0};
    bool is_known = false;
    if (reader->text[*at] == '"' && reader_raw_string(reader, at, &raw))
        raw = reader_plain_key(reader, raw);
    for (size_t i = 0; i < COUNT_OF(types); i++)
        is_known |= str_eq(raw, str_from_c(types[i]));
    if (!is_known || str_eq(raw, S("history")))
        reader_report(reader, SEVERITY_WARNING,
                      is_known ? REFUSAL_BUNDLE_HISTORY : REFUSAL_BUNDLE_TYPE, *at);
}

/* The Bundle's own members; of them only the entries are loaded. */
static Pos read_bundle(FhirReader *reader, Pos pos)
{
    const char *text = reader->text;
    const uint32_t *start = pos.at;
    size_t first = reader->parsed.count;
    Envelope envelope = {.type = FHIR_TYPE_Bundle};
    if (reader->frame->depth + 1U > LIMIT_JSON_DEPTH)
        return refuse(reader, REFUSAL_TOO_DEEP, pos.at);
    uint8_t depth = (uint8_t)(reader->frame->depth + 1U);
    *++reader->frame = (Frame){.type = FHIR_TYPE_Bundle, .depth = depth};
    pos.at++;
    for (;;) {
        Str key;
        if (pos.at + 3 >= reader->end || text[*pos.at] != '"' || text[pos.at[1]] != ':' ||
            !reader_raw_string(reader, pos.at, &key))
            return refuse(reader, REFUSAL_BAD_JSON, pos.at);
        uint8_t number = see_member(reader, &envelope, pos.at, key);
        reader->frame->element = number;
        pos.at += 2;
        if (number == FHIR_ELEM_Bundle_type)
            check_bundle_type(reader, pos.at);
        if (number == FHIR_ELEM_Bundle_entry)
            pos = read_entries(reader, pos);
        else
            pos.at = reader_skip(reader, pos.at);
        if (pos.out == NULL)
            return pos;
        if (pos.at >= reader->end || (text[*pos.at] != ',' && text[*pos.at] != '}'))
            return refuse(reader, REFUSAL_BAD_JSON, pos.at);
        if (text[*pos.at++] == '}')
            break;
    }
    reader->frame->element = FHIR_ELEM_Bundle_type;
    if ((envelope.seen >> FHIR_ELEM_Bundle_type & 1) == 0)
        reader_report(reader, SEVERITY_WARNING, REFUSAL_MISSING, *start);
    reader->frame->element = FHIR_ELEM_Bundle_entry;
    if (reader->parsed.count == first)
        return refuse(reader, REFUSAL_NO_ENTRIES, start);
    return pos;
}

/* --- references within a Bundle --- */

typedef struct {
    uint64_t low;
    uint64_t high;
    uint32_t type; /* 0: the slot is free */
} UrnSlot;

typedef struct {
    UrnSlot *slots;
    size_t mask;
} Urns;

static UrnSlot *urn_slot(const Urns *urns, const uint8_t *uuid)
{
    uint64_t low;
    uint64_t high;
    memcpy(&low, uuid, 8);
    memcpy(&high, uuid + 8, 8);
    size_t at = (size_t)((low * UINT64_C(0x9E3779B97F4A7C15) ^ high) >> 20) & urns->mask;
    while (urns->slots[at].type != 0 &&
           (urns->slots[at].low != low || urns->slots[at].high != high))
        at = (at + 1) & urns->mask;
    if (urns->slots[at].type == 0) {
        urns->slots[at].low = low;
        urns->slots[at].high = high;
    }
    return &urns->slots[at];
}

/* The id of a resource of this Bundle, from its text: it may have been refused. */
static Str entry_id(FhirReader *reader, const Parsed *parsed, const uint32_t *offsets,
                    size_t offset_count)
{
    size_t low = 0;
    size_t high = offset_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (offsets[middle] < parsed->text_from)
            low = middle + 1;
        else
            high = middle;
    }
    return low < offset_count && reader->text[offsets[low]] == '{'
               ? reader_peek(reader, offsets + low, S("id"))
               : (Str){0};
}

/* Fills `urls` and the table of URNs whose UUID is the id as well. True when there are other
   fullUrls, which need a second pass where something may refer to them. */
static bool gather_urls(FhirReader *reader, Urns *urns)
{
    bool has_others = false;
    size_t count;
    const uint32_t *offsets = json_index_offsets(reader->index, &count);
    map_init(&reader->urls, reader->scratch);
    VEC_FOREACH (Parsed, parsed, &reader->parsed) {
        if (parsed->full_url.len == 0 || parsed->type == FHIR_TYPE_NONE)
            continue;
        uint8_t uuid[TAPE_UUID_BYTES];
        size_t urn = sizeof(URN_UUID) - 1;
        parsed->id = entry_id(reader, parsed, offsets, count);
        bool is_own = parsed->full_url.len == urn + TAPE_UUID_TEXT_BYTES &&
                      str_starts_with(parsed->full_url, S(URN_UUID)) &&
                      str_eq(str_slice(parsed->full_url, urn, SIZE_MAX), parsed->id) &&
                      tape_pack_uuid(parsed->id.ptr, uuid);
        if (is_own)
            urn_slot(urns, uuid)->type = parsed->type;
        else
            has_others = true;
        map_put(&reader->urls, parsed->full_url, (uint64_t)(parsed - reader->parsed.items));
    }
    return has_others;
}

/* Rewrites references to entries as Type/id: in place where the id is the URN's UUID; else, when
   something is left over that a fullUrl may explain, by reading the Bundle once more. */
static Pos resolve(FhirReader *reader, const uint32_t *start, Pos end)
{
    size_t size = 64;
    while (size < 2 * reader->parsed.count)
        size *= 2;
    Urns urns = {.slots = ARENA_ZARRAY(reader->scratch, UrnSlot, size), .mask = size - 1};
    bool has_others = gather_urls(reader, &urns);
    bool is_open = reader->has_open_urls;
    for (uint32_t i = 0; i < reader->patch_count; i++) {
        uint8_t *type_byte = reader->tape + reader->patches.items[i];
        uint32_t type = urn_slot(&urns, type_byte + 2)->type;
        *type_byte = (uint8_t)type;
        is_open |= type == FHIR_TYPE_NONE;
    }
    if (!has_others || !is_open)
        return end;
    DiagList *diags = reader->diags;
    DiagList again; /* all has been said the first time */
    size_t count = reader->parsed.count;
    diag_init(&again, reader->scratch);
    reader->diags = &again;
    reader->is_resolving = true;
    reader->patch_count = 0;
    reader->frame = reader->frames;
    /* `urls` numbers the entries of the first pass, which stay in front while reading. */
    reader->bundle_depth = 1;
    Pos next = read_bundle(reader, (Pos){.at = start, .out = reader->tape});
    reader->is_resolving = false;
    reader->diags = diags;
    for (uint32_t i = 0; i < reader->patch_count; i++) {
        uint8_t *type_byte = reader->tape + reader->patches.items[i];
        *type_byte = (uint8_t)urn_slot(&urns, type_byte + 2)->type;
    }
    for (size_t i = 0; i < count && count + i < reader->parsed.count; i++)
        reader->parsed.items[count + i].id = reader->parsed.items[i].id;
    memmove(reader->parsed.items, reader->parsed.items + count,
            (reader->parsed.count - count) * sizeof(Parsed));
    reader->parsed.count -= count;
    return next.out == NULL ? end : next;
}

/* A Bundle at pos.at whose entries are to be given out. */
static Pos read_split_bundle(FhirReader *reader, Pos pos)
{
    const uint32_t *start = pos.at;
    reader->bundle_depth = 1;
    Pos next = read_bundle(reader, pos);
    if (next.out == NULL) {
        size_t count = reader->parsed.count;
        /* A resource that is cut off has been refused: the Bundle is for the same reason. */
        bool is_said = count > 0 && reader->parsed.items[count - 1].is_refused &&
                       reader->parsed.items[count - 1].text_to >= *reader->end;
        if (!is_said)
            reader_report(reader, SEVERITY_ERROR, reader->refusal, reader->refused_at);
        uint32_t bad = reader->refused_at;
        next = (Pos){.at = behind_refused(reader, start), .out = reader->tape};
        if (reader->refusal != REFUSAL_NO_ENTRIES) {
            while (next.at < reader->end && *next.at < bad)
                next.at = behind_refused(reader, next.at);
        }
        if (reader->parsed.count == 0)
            add_refused(reader, *start, text_end(reader, next.at));
    }
    if (reader->options.resolve_urns)
        next = (Pos){.at = next.at, .out = resolve(reader, start, next).out};
    reader->frame = reader->frames;
    return next;
}

/* What else stands in the line where a refused document ends goes with it. */
static void refuse_line(FhirReader *reader)
{
    Parsed *parsed = &reader->parsed.items[0];
    size_t last = reader->base + parsed->text_to - 1;
    if (last >= reader->whole.len || reader->whole.ptr[last] == '\n')
        return;
    uint32_t end = (uint32_t)(line_end(reader, last) - reader->base);
    if (reader->next >= reader->end || *reader->next >= end)
        return;
    while (reader->next < reader->end && *reader->next < end)
        reader->next++;
    parsed->text_to = end;
}

static void read_document(FhirReader *reader)
{
    begin_document(reader);
    const uint32_t *at = reader->next;
    Pos pos = {.at = at, .out = reader->tape};
    bool is_object = reader->text[*at] == '{';
    if (is_object && reader->options.split_bundles) {
        /* Nearly always the first member. */
        Str type = reader_peek(reader, at, S("resourceType"));
        if (str_eq(type, S("Bundle"))) {
            reader->next = read_split_bundle(reader, pos).at;
            return;
        }
    }
    bool is_empty = is_object && at + 1 < reader->end && reader->text[at[1]] == '}';
    if (is_empty && refuse_damage(reader, *at)) {
        reader->next = at + 2;
        return;
    }
    reader->next = read_one(reader, pos).at;
    if (reader->parsed.items[0].is_refused)
        refuse_line(reader);
}

/* --- giving out --- */

static bool fill(FhirReader *reader)
{
    while (reader->parsed_next == reader->parsed.count) {
        if (reader->next != NULL && reader->next < reader->end) {
            read_document(reader);
            continue;
        }
        if (reader->line_from >= reader->whole.len)
            return false;
        size_t from = reader->line_from;
        size_t to = line_end(reader, from);
        reader->line_from = to + 1;
        begin_document(reader);
        reader->next = reader->end = NULL;
        index_piece(reader, from, to);
    }
    return true;
}

bool fhir_reader_next(FhirReader *reader, FhirParsed *ret_parsed)
{
    if (!fill(reader))
        return false;
    const Parsed *parsed = &reader->parsed.items[reader->parsed_next++];
    *ret_parsed = (FhirParsed){
        .is_refused = parsed->is_refused,
        .full_url = parsed->full_url,
        .is_first = reader->parsed_next == 1,
        .finding = parsed->finding,
        .source_text = str_slice(reader->source, reader->base + parsed->text_from,
                                 parsed->text_to - parsed->text_from),
        .line = reader_line(reader, parsed->text_from),
        .entry = parsed->entry,
        .facts.type = parsed->type,
    };
    if (!parsed->is_refused) {
        ret_parsed->tape = reader->tape + parsed->tape_from;
        ret_parsed->tape_size = parsed->tape_size;
        reader_facts(reader, ret_parsed->tape, parsed->tape_size, &ret_parsed->facts);
    }
    return true;
}

bool fhir_reader_find_entry(const FhirReader *reader, Str full_url, uint16_t *ret_type, Str *ret_id)
{
    uint64_t number;
    if (!map_find(&reader->urls, full_url, &number) || number >= reader->parsed.count)
        return false;
    const Parsed *parsed = &reader->parsed.items[number];
    *ret_type = parsed->type;
    *ret_id = parsed->id;
    return parsed->type != FHIR_TYPE_NONE && parsed->id.len > 0;
}

TapeArea fhir_reader_area(const FhirReader *reader, const FhirParsed *parsed)
{
    return (TapeArea){
        .bytes = parsed->tape, .size = parsed->tape_size, .names.builder = reader->concepts};
}

ErrorCode fhir_parse_one(Arena *arena, ConceptBuilder *concepts, Str json, TapeArea *ret_area,
                         FhirFacts *ret_facts, Error *err)
{
    FhirReaderOptions options = {.keep_narrative = true};
    FhirReader *reader = fhir_reader_create(concepts, &options);
    DiagList diags;
    diag_init(&diags, arena);
    char *text = arena_zalloc(arena, json.len + JSON_INDEX_PADDING);
    memcpy(text, json.ptr, json.len);
    fhir_reader_begin(reader, (Str){.ptr = text, .len = json.len}, S("json"), 1, &diags);
    FhirParsed parsed;
    ErrorCode code = ERR_OK;
    if (!fhir_reader_next(reader, &parsed)) {
        code = error_set(err, ERR_INPUT, "no resource in the text");
    } else if (parsed.is_refused) {
        code = diag_to_error(&diags, err);
    } else {
        uint8_t *tape = arena_copy(arena, parsed.tape, parsed.tape_size);
        *ret_area = (TapeArea){.bytes = tape, .size = parsed.tape_size, .names.builder = concepts};
        if (ret_facts != NULL) {
            *ret_facts = parsed.facts;
            ret_facts->id = str_copy(arena, parsed.facts.id);
            ret_facts->patient_id = str_copy(arena, parsed.facts.patient_id);
        }
    }
    fhir_reader_destroy(reader);
    return code;
}

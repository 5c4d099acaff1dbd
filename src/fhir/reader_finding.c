/* Findings: where, by line and element path, and what was expected. Off the good path. */
#include "fhir/reader_int.h"

static const struct {
    Str rule;
    Str text;
} refusals[] = {
    {STR_INIT(""), STR_INIT("")},
#define REFUSAL(name, rule, text) {STR_INIT(rule), STR_INIT(text)},
#include "fhir/reader_refusal.def"
#undef REFUSAL
};

typedef uint8_t Bytes16 __attribute__((vector_size(16)));

/* This looks at all of the text again, so 64 bytes at a time; a lane of `sums` counts up to 192
   lines before it is added up. */
static uint32_t count_newlines(const char *from, const char *to)
{
    enum { BLOCK = 64, BLOCKS_AT_ONCE = 48 };
    const Bytes16 newline = (Bytes16){} + (uint8_t)'\n';
    uint32_t count = 0;
    while (to - from >= BLOCK) {
        Bytes16 sums = {};
        for (int i = 0; i < BLOCKS_AT_ONCE && to - from >= BLOCK; i++, from += BLOCK) {
            Bytes16 block[4];
            memcpy(block, from, sizeof block);
            sums -= (Bytes16)(block[0] == newline) + (Bytes16)(block[1] == newline) +
                    (Bytes16)(block[2] == newline) + (Bytes16)(block[3] == newline);
        }
        for (int i = 0; i < 16; i++)
            count += sums[i];
    }
    for (; from < to; from++)
        count += *from == '\n';
    return count;
}

uint32_t reader_line(FhirReader *reader, uint32_t offset)
{
    size_t at = reader->base + offset;
    const char *text = reader->source.ptr;
    if (at > reader->source.len) /* the end of what was mended */
        at = reader->source.len;
    if (at < reader->line_at)
        return reader->line - count_newlines(text + at, text + reader->line_at);
    reader->line += count_newlines(text + reader->line_at, text + at);
    reader->line_at = at;
    return reader->line;
}

/* The member's name at this place, for a look; empty when none is there. */
static Str name_at(const FhirReader *reader, uint32_t offset)
{
    enum { SHOWN_MAX = 40 };
    size_t left = reader->whole.len - reader->base - offset;
    const char *from = reader->text + offset + 1;
    size_t len = 0;
    if (left < 2 || from[-1] != '"')
        return (Str){0};
    while (len + 1 < left && len < SHOWN_MAX && (uint8_t)from[len] > ' ' &&
           (uint8_t)from[len] < 0x7F && from[len] != '"')
        len++;
    return (Str){.ptr = from, .len = len};
}

/* "Observation.component[2].valueQuantity.value", from the frames of the walk. An unknown member
   stands at its end by its own name. */
static void put_path(const FhirReader *reader, Str unknown, StrBuf *out)
{
    for (const Frame *frame = reader->frames + 1; frame <= reader->frame; frame++) {
        bool is_last = frame == reader->frame;
        if (frame == reader->frames + 1)
            strbuf_add(out, fhir_type_name(frame->type));
        if (is_last && unknown.len > 0) {
            strbuf_add_char(out, '.');
            strbuf_add(out, unknown);
        } else if (frame->element != 0) {
            strbuf_add_char(out, '.');
            strbuf_add(out, fhir_element_name(frame->type, frame->element));
            if (frame->in_list)
                strbuf_printf(out, "[%u]", frame->index);
        }
    }
}

/* Where a text broke off that was not walked: its open members, as far as brackets and strings
 * tell. */
typedef struct {
    bool is_list;
    uint32_t index;
    Str key;
} Open;

static void put_open(const Open *open, size_t depth, Str type, StrBuf *out)
{
    strbuf_add(out, type);
    for (size_t i = 0; i < depth; i++) {
        if (open[i].is_list)
            strbuf_printf(out, "[%u]", open[i].index);
        else if (open[i].key.len > 0)
            strbuf_printf(out, "%s%.*s", out->len > 0 ? "." : "", STR_ARG(open[i].key));
    }
}

/* A name may be shown; anything else between quotes may tell who the patient is. */
static bool is_name(Str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!((text.ptr[i] | 32) >= 'a' && (text.ptr[i] | 32) <= 'z') && text.ptr[i] != '_' &&
            !(text.ptr[i] >= '0' && text.ptr[i] <= '9'))
            return false;
    return text.len > 0 && text.len <= 64;
}

enum { OPEN_DEPTH = 64 };

typedef struct {
    Open open[OPEN_DEPTH];
    size_t depth;
    Str type;
} Rough;

/* A string from its quote on: a member's name, the resource's type, or neither. Gives its last
 * byte. */
static size_t read_word(Rough *rough, Str text, size_t at)
{
    Open *top = rough->depth > 0 ? &rough->open[rough->depth - 1] : NULL;
    size_t end = at + 1;
    while (end < text.len && text.ptr[end] != '"')
        end += text.ptr[end] == '\\' ? 2 : 1;
    if (top == NULL || end >= text.len)
        return end;
    Str word = str_slice(text, at + 1, end - at - 1);
    if (!is_name(word) || top->is_list)
        return end;
    if (top->key.len == 0)
        top->key = word;
    else if (rough->depth == 1 && str_eq(top->key, S("resourceType")))
        rough->type = word;
    return end;
}

static void put_rough_path(Str text, StrBuf *out)
{
    Rough rough = {.depth = 0};
    for (size_t at = 0; at < text.len; at++) {
        char c = text.ptr[at];
        bool is_opening = c == '{' || c == '[';
        if (is_opening && rough.depth == OPEN_DEPTH)
            return;
        if (is_opening)
            rough.open[rough.depth++] = (Open){.is_list = c == '['};
        else if ((c == '}' || c == ']') && rough.depth > 0)
            rough.depth--;
        else if (c == '"')
            at = read_word(&rough, text, at);
        else if (c == ',' && rough.depth > 0) {
            rough.open[rough.depth - 1].index++;
            rough.open[rough.depth - 1].key = (Str){0};
        }
    }
    if (rough.depth > 0)
        put_open(rough.open, rough.depth, rough.type, out);
}

void reader_report(FhirReader *reader, Severity severity, Refusal refusal, uint32_t offset)
{
    StrBuf path;
    strbuf_init(&path, reader->scratch, 0);
    bool has_name = refusal == REFUSAL_UNKNOWN_ELEMENT || refusal == REFUSAL_DUPLICATE ||
                    refusal == REFUSAL_SECOND_CHOICE;
    Str name = has_name ? name_at(reader, offset) : (Str){0};
    put_path(reader, name, &path);
    uint32_t line = reader_line(reader, offset);
    size_t at = reader->base + offset;
    if (path.len == 0 && at > reader->base && at <= reader->source.len)
        put_rough_path(str_slice(reader->source, reader->base, offset), &path);
    /* A line may have millions of findings: what lies further back than this is unknown. */
    enum { COLUMN_MAX = 1 << 14 };
    size_t column = 1;
    while (column <= at && column < COLUMN_MAX && reader->whole.ptr[at - column] != '\n')
        column++;
    Diag diag = {.severity = severity,
                 .line = line,
                 .column = column == COLUMN_MAX ? 0 : (uint32_t)column,
                 .rule = refusals[refusal].rule,
                 .file = reader->file,
                 .path = strbuf_str(&path)};
    /* Only names of elements are shown: values may tell who the patient is. */
    diag.text = refusals[refusal].text;
    if (name.len > 0)
        diag.text = str_format(reader->scratch, "%.*s: %.*s", STR_ARG(refusals[refusal].text),
                               STR_ARG(name));
    diag_add(reader->diags, &diag);
    if (severity == SEVERITY_ERROR)
        reader->finding = arena_copy(reader->scratch, &diag, sizeof diag);
}

#include "intake/intake_int.h"

#include <stdlib.h>

/*
 * A JSON array of resources, made into documents one behind the other, in place: its brackets
 * become blanks, and so does the comma between two items, or a line break where there is none
 * between them. Only strings and brackets are looked at. Where an item has a quote or a bracket
 * too many or too few, the next one is found by how a resource begins, so that it costs itself.
 */
static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void array_begin(ArrayCut *cut)
{
    *cut = (ArrayCut){.state = ARRAY_BEFORE};
}

static bool is_list(const ArrayCut *cut)
{
    return (cut->lists[cut->depth / 64] >> cut->depth % 64 & 1) != 0;
}

static void open_bracket(ArrayCut *cut, char c)
{
    cut->depth++;
    uint64_t bit = UINT64_C(1) << cut->depth % 64;
    uint64_t *word = &cut->lists[cut->depth / 64];
    *word = c == '[' ? *word | bit : *word & ~bit;
}

/* The item is not understood any more: the next is searched for from here. */
static void lose(ArrayCut *cut)
{
    cut->state = ARRAY_LOST;
    cut->matched = 0;
}

static void add_break(Chunk *chunk, size_t at)
{
    if (chunk->break_count == chunk->break_capacity) {
        chunk->break_capacity = 2 * chunk->break_capacity + 64;
        chunk->breaks = realloc(chunk->breaks, chunk->break_capacity * sizeof(*chunk->breaks));
        ASSERT(chunk->breaks != NULL);
    }
    chunk->breaks[chunk->break_count++] = (uint32_t)at;
    chunk->ptr[at] = '\n';
}

/* The character at `from` (a comma, or the bracket of a further array) parts two items, the second
   of which is at `next`. */
static void part(ArrayCut *cut, Chunk *chunk, size_t from, size_t next)
{
    if (memchr(chunk->ptr + from, '\n', next - from) != NULL)
        chunk->ptr[from] = ' ';
    else
        add_break(chunk, from);
    cut->state = ARRAY_BETWEEN;
    cut->depth = 0;
    cut->last = from + 1;
}

/* Steps on in the search for "},{" (or "],{", where a '}' is missing) and "resourceType", with
   blanks between. */
static void step_lost(ArrayCut *cut, Chunk *chunk, size_t at)
{
    static const char wanted[] = "},{\"resourceType\"";
    char c = chunk->ptr[at];
    bool may_be_blank = cut->matched <= 3;
    bool ends_value = c == '}' || c == ']';
    if (c == wanted[cut->matched]) {
        if (cut->matched == 1)
            cut->comma = at;
        cut->matched++;
    } else if (!is_blank(c) || !may_be_blank) {
        cut->matched = ends_value;
    }
    if (wanted[cut->matched] == '\0') {
        part(cut, chunk, cut->comma, at);
        cut->is_lost_found = true;
    }
}

/* A byte within an item, outside of its strings. */
static void step_item(ArrayCut *cut, char c)
{
    if (cut->is_behind_string && c != ',' && c != ':' && c != ']' && c != '}') {
        lose(cut);
        return;
    }
    bool may_be_key = !is_list(cut) && cut->depth > 0 && cut->is_behind_comma;
    if (c == '"') {
        cut->state = ARRAY_STRING;
    } else if (c == '{' || c == '[') {
        if (may_be_key || cut->depth + 1 == ARRAY_DEPTH_MAX)
            lose(cut);
        else
            open_bracket(cut, c);
    } else if (c == '}' || c == ']') {
        if (is_list(cut) != (c == ']'))
            lose(cut);
        else if (--cut->depth == 0)
            cut->state = ARRAY_BEHIND;
    }
    cut->is_behind_comma = c == ',';
    cut->is_behind_string = false;
}

/* A byte outside of all items. */
static void step_outside(ArrayCut *cut, Chunk *chunk, size_t at)
{
    char c = chunk->ptr[at];
    if (cut->state == ARRAY_BEFORE && c == '[') {
        chunk->ptr[at] = ' ';
        cut->state = ARRAY_BETWEEN;
    } else if (cut->state == ARRAY_END && c == '[') {
        part(cut, chunk, at, at);
    } else if (c == ']') {
        chunk->ptr[at] = ' ';
        cut->state = ARRAY_END;
    } else if (c == ',') {
        cut->comma = at;
        cut->state = ARRAY_COMMA;
    } else if (c == '{' || c == '[') {
        cut->depth = 0;
        open_bracket(cut, c);
        cut->state = ARRAY_ITEM;
        cut->is_behind_comma = cut->is_behind_string = false;
    } else if (c == '"') {
        cut->state = ARRAY_SCALAR_STRING;
    }
}

static void step_string(ArrayCut *cut, char c)
{
    if (cut->is_escaped) {
        cut->is_escaped = false;
    } else if (c == '\\') {
        cut->is_escaped = true;
    } else if (c == '"') {
        bool is_item = cut->state == ARRAY_STRING;
        cut->state = is_item ? ARRAY_ITEM : ARRAY_BEHIND;
        cut->is_behind_string = is_item;
        cut->is_behind_comma = false;
    } else if (c == '\n') {
        lose(cut);
    }
}

static void step(ArrayCut *cut, Chunk *chunk, size_t at)
{
    char c = chunk->ptr[at];
    switch (cut->state) {
    case ARRAY_STRING:
    case ARRAY_SCALAR_STRING:
        step_string(cut, c);
        break;
    case ARRAY_LOST:
        step_lost(cut, chunk, at);
        break;
    case ARRAY_ITEM:
        if (!is_blank(c))
            step_item(cut, c);
        break;
    case ARRAY_COMMA:
        if (!is_blank(c)) {
            part(cut, chunk, cut->comma, at);
            step_outside(cut, chunk, at);
        }
        break;
    default:
        if (!is_blank(c))
            step_outside(cut, chunk, at);
    }
}

/* Where a string that was never closed may have begun: a lost item is searched from there. */
static size_t begin_of_loss(const ArrayCut *cut, size_t at)
{
    return cut->string > cut->last && cut->string < at ? cut->string : at;
}

static size_t cut_until(ArrayCut *cut, Chunk *chunk, bool stops_at_first)
{
    while (cut->at < chunk->len && !(stops_at_first && cut->last > 0)) {
        size_t at = cut->at++;
        ArrayState before = cut->state;
        step(cut, chunk, at);
        if (before == ARRAY_ITEM && cut->state == ARRAY_STRING)
            cut->string = at;
        if (before != ARRAY_LOST && cut->state == ARRAY_LOST)
            cut->at = begin_of_loss(cut, at);
        if (cut->is_lost_found) { /* what was matched is read again as the item's beginning */
            cut->is_lost_found = false;
            cut->at = cut->last;
        }
    }
    return cut->last;
}

size_t array_cut(ArrayCut *cut, Chunk *chunk)
{
    return cut_until(cut, chunk, false);
}

size_t array_first(ArrayCut *cut, Chunk *chunk)
{
    return cut_until(cut, chunk, true);
}

void array_moved(ArrayCut *cut, size_t by)
{
    cut->at = cut->at > by ? cut->at - by : 0;
    cut->comma = cut->comma > by ? cut->comma - by : 0;
    cut->string = cut->string > by ? cut->string - by : 0;
    cut->last = 0;
}

void array_number_breaks(Chunk *chunk)
{
    size_t from = 0;
    uint32_t lines = 0;
    for (size_t i = 0; i < chunk->break_count; i++) {
        size_t at = chunk->breaks[i];
        lines += source_count_lines(chunk->ptr + from, at - from);
        chunk->breaks[i] = lines;
        from = at;
    }
}

uint32_t array_line(const Chunk *chunk, uint32_t line)
{
    if (LIKELY(chunk->break_count == 0) || line < chunk->first_line)
        return line;
    uint32_t after = line - chunk->first_line; /* line breaks before it */
    size_t low = 0;
    size_t high = chunk->break_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (chunk->breaks[middle] < after)
            low = middle + 1;
        else
            high = middle;
    }
    return line - (uint32_t)low;
}

#include "cql/regex.h"

enum { DEPTH_MAX = 2000, GROUPS = 10 };

/*
 * The pattern is matched as it stands: match_alternatives() tries the alternatives of a group,
 * match_piece() one atom with its quantifier, and what comes after is a continuation, a chain of
 * frames that says where to go on when the group is done.
 */
typedef struct Frame Frame;
struct Frame {
    const Frame *next;
    size_t pattern_at; /* after the group */
    int group;         /* which closes, or -1 */
    /* A repeated group: its atom, and how often it was taken. */
    size_t atom;
    size_t min;
    size_t max;
    size_t count;
    size_t began;
    bool lazy;
    bool is_repeat;
};

typedef struct {
    Str pattern;
    Str text;
    size_t budget;
    unsigned depth;
    bool bad;
    RegexMatch match;
} Matcher;

static bool match_here(Matcher *m, size_t p, size_t t, const Frame *frame);

static size_t char_length(Str text, size_t at)
{
    unsigned char c = (unsigned char)text.ptr[at];
    size_t len = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    return at + len <= text.len ? len : text.len - at;
}

static uint32_t char_at(Str text, size_t at)
{
    size_t len = char_length(text, at);
    uint32_t point = (unsigned char)text.ptr[at];
    if (len > 1)
        point &= 0xFFU >> (len + 1);
    for (size_t i = 1; i < len; i++)
        point = point << 6 | ((unsigned char)text.ptr[at + i] & 0x3FU);
    return point;
}

static bool is_word(uint32_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* \d and the like; false in *ret_known when the letter names no class. */
static bool in_class(char letter, uint32_t c, bool *ret_known)
{
    *ret_known = true;
    switch (letter) {
    case 'd':
        return c >= '0' && c <= '9';
    case 'D':
        return !(c >= '0' && c <= '9');
    case 'w':
        return is_word(c);
    case 'W':
        return !is_word(c);
    case 's':
        return c == ' ' || (c >= '\t' && c <= '\r');
    case 'S':
        return !(c == ' ' || (c >= '\t' && c <= '\r'));
    default:
        *ret_known = false;
        return false;
    }
}

static uint32_t escaped(char letter)
{
    switch (letter) {
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case 'r':
        return '\r';
    case 'f':
        return '\f';
    default:
        return (unsigned char)letter;
    }
}

/* End of the [class] that begins at p; 0 when it is not closed. */
static size_t class_end(const Matcher *m, size_t p)
{
    size_t at = p + 1;
    if (at < m->pattern.len && m->pattern.ptr[at] == '^')
        at++;
    if (at < m->pattern.len && m->pattern.ptr[at] == ']')
        at++;
    while (at < m->pattern.len && m->pattern.ptr[at] != ']')
        at += m->pattern.ptr[at] == '\\' ? 2 : 1;
    return at < m->pattern.len ? at + 1 : 0;
}

static bool match_class(const Matcher *m, size_t p, size_t end, uint32_t c)
{
    size_t at = p + 1;
    bool negated = m->pattern.ptr[at] == '^';
    at += negated;
    bool found = false;
    while (at < end - 1) {
        char letter = m->pattern.ptr[at];
        bool is_known = false;
        uint32_t low = char_at(m->pattern, at);
        size_t len = char_length(m->pattern, at);
        if (letter == '\\' && at + 1 < end - 1) {
            found |= in_class(m->pattern.ptr[at + 1], c, &is_known);
            low = escaped(m->pattern.ptr[at + 1]);
            len = 2;
        }
        at += len;
        if (is_known)
            continue;
        uint32_t high = low;
        if (at + 1 < end - 1 && m->pattern.ptr[at] == '-') {
            high = char_at(m->pattern, at + 1);
            at += 1 + char_length(m->pattern, at + 1);
        }
        found |= c >= low && c <= high;
    }
    return found != negated;
}

/* End of the group that begins at p with '('; 0 when it is not closed. */
static size_t group_end(const Matcher *m, size_t p)
{
    size_t open = 0;
    for (size_t at = p; at < m->pattern.len; at++) {
        char c = m->pattern.ptr[at];
        if (c == '\\') {
            at++;
        } else if (c == '[') {
            size_t end = class_end(m, at);
            if (end == 0)
                return 0;
            at = end - 1;
        } else if (c == '(') {
            open++;
        } else if (c == ')' && --open == 0) {
            return at + 1;
        }
    }
    return 0;
}

/* Takes what reading `bytes` of pattern or text costs. */
static void charge(Matcher *m, size_t bytes)
{
    size_t cost = bytes / 8;
    m->budget -= cost < m->budget ? cost : m->budget;
}

static size_t atom_end(const Matcher *m, size_t p)
{
    switch (m->pattern.ptr[p]) {
    case '(':
        return group_end(m, p);
    case '[':
        return class_end(m, p);
    case '\\':
        return p + 2 <= m->pattern.len ? p + 2 : 0;
    default:
        return p + char_length(m->pattern, p);
    }
}

/* Which capturing group opens at p: one more than those that open before it. */
static int group_number(const Matcher *m, size_t p)
{
    int number = 1;
    for (size_t at = 0; at < p; at++) {
        if (m->pattern.ptr[at] == '\\')
            at++;
        else if (m->pattern.ptr[at] == '(' && m->pattern.ptr[at + 1] != '?')
            number++;
    }
    return m->pattern.ptr[p + 1] == '?' || number >= GROUPS ? -1 : number;
}

/* {n}, {n,}, {n,m}, *, +, ? after an atom; p moves behind it. */
static void read_quantifier(Matcher *m, size_t *p, Frame *frame)
{
    frame->min = frame->max = 1;
    if (*p >= m->pattern.len)
        return;
    char c = m->pattern.ptr[*p];
    if (c == '*' || c == '+' || c == '?') {
        frame->min = c == '+';
        frame->max = c == '?' ? 1 : SIZE_MAX;
        (*p)++;
    } else if (c == '{' && *p + 1 < m->pattern.len && m->pattern.ptr[*p + 1] >= '0' &&
               m->pattern.ptr[*p + 1] <= '9') {
        size_t at = *p + 1;
        size_t numbers[2] = {0, 0};
        size_t which = 0;
        for (; at < m->pattern.len && m->pattern.ptr[at] != '}'; at++) {
            if (m->pattern.ptr[at] == ',')
                which = 1;
            else if (numbers[which] < 100000)
                numbers[which] = numbers[which] * 10 + (size_t)(m->pattern.ptr[at] - '0');
        }
        bool is_open = which == 1 && m->pattern.ptr[at - 1] == ',';
        frame->min = numbers[0];
        frame->max = which == 0 ? numbers[0] : is_open ? SIZE_MAX : numbers[1];
        m->bad |= at >= m->pattern.len;
        *p = at + 1;
    } else {
        return;
    }
    if (*p < m->pattern.len && m->pattern.ptr[*p] == '?') {
        frame->lazy = true;
        (*p)++;
    }
}

/* One character against an atom that is no group. */
static bool match_one(const Matcher *m, size_t p, size_t end, size_t t)
{
    if (t >= m->text.len)
        return false;
    uint32_t c = char_at(m->text, t);
    char letter = m->pattern.ptr[p];
    if (letter == '.')
        return true;
    if (letter == '[')
        return match_class(m, p, end, c);
    if (letter == '\\') {
        bool is_known;
        bool found = in_class(m->pattern.ptr[p + 1], c, &is_known);
        return is_known ? found : c == escaped(m->pattern.ptr[p + 1]);
    }
    return c == char_at(m->pattern, p);
}

/* The next alternative's '|' or the end of the group or pattern, from p. */
static size_t alternative_end(const Matcher *m, size_t p)
{
    while (p < m->pattern.len && m->pattern.ptr[p] != '|' && m->pattern.ptr[p] != ')') {
        size_t end = atom_end(m, p);
        if (end == 0)
            return m->pattern.len;
        p = end;
    }
    return p;
}

static bool match_alternatives(Matcher *m, size_t p, size_t t, const Frame *frame)
{
    for (;;) {
        if (match_here(m, p, t, frame))
            return true;
        size_t end = alternative_end(m, p);
        charge(m, end - p);
        if (end >= m->pattern.len || m->pattern.ptr[end] != '|')
            return false;
        p = end + 1;
    }
}

static bool match_repeat(Matcher *m, size_t t, const Frame *frame);

/* Enters the body of the group once more. */
static bool enter_group(Matcher *m, size_t t, const Frame *frame)
{
    Frame inner = *frame;
    inner.count++;
    inner.began = t;
    size_t body = frame->atom + 1;
    if (m->pattern.ptr[body] == '?')
        body += 2; /* (?: */
    int group = frame->group;
    size_t start = 0;
    size_t end = 0;
    if (group > 0) {
        start = m->match.group_starts[group];
        end = m->match.group_ends[group];
    }
    if (match_alternatives(m, body, t, &inner))
        return true;
    if (group > 0) {
        m->match.group_starts[group] = start;
        m->match.group_ends[group] = end;
    }
    return false;
}

static bool match_repeat(Matcher *m, size_t t, const Frame *frame)
{
    bool is_empty_round = frame->count > frame->min && t == frame->began;
    bool may_repeat = frame->count < frame->max && !is_empty_round;
    if (frame->count < frame->min)
        return enter_group(m, t, frame);
    if (frame->lazy)
        return match_here(m, frame->pattern_at, t, frame->next) ||
               (may_repeat && enter_group(m, t, frame));
    return (may_repeat && enter_group(m, t, frame)) ||
           match_here(m, frame->pattern_at, t, frame->next);
}

static bool match_simple(Matcher *m, size_t p, size_t end, size_t t, const Frame *frame,
                         const Frame *times)
{
    size_t count = 0;
    size_t at = t;
    while (count < times->min) {
        if (!match_one(m, p, end, at))
            return false;
        at += char_length(m->text, at);
        count++;
    }
    if (times->lazy) {
        for (;;) {
            if (match_here(m, times->pattern_at, at, frame))
                return true;
            if (count >= times->max || !match_one(m, p, end, at))
                return false;
            at += char_length(m->text, at);
            count++;
        }
    }
    size_t least = at;
    while (count < times->max && match_one(m, p, end, at)) {
        at += char_length(m->text, at);
        count++;
    }
    charge(m, (at - t) * (end - p));
    for (;;) {
        if (match_here(m, times->pattern_at, at, frame))
            return true;
        if (at == least || m->budget == 0)
            return false;
        do {
            at--;
        } while (at > least && ((unsigned char)m->text.ptr[at] & 0xC0) == 0x80);
    }
}

/* The end of a group's body: close it and go on with its frame. */
static bool leave_group(Matcher *m, size_t t, const Frame *frame)
{
    int group = frame->group;
    if (group > 0) {
        m->match.group_starts[group] = frame->began;
        m->match.group_ends[group] = t;
    }
    return match_repeat(m, t, frame);
}

static bool match_end(Matcher *m, size_t t)
{
    m->match.end = t;
    return true;
}

static bool at_boundary(const Matcher *m, size_t t)
{
    bool before = t > 0 && is_word((unsigned char)m->text.ptr[t - 1]);
    bool after = t < m->text.len && is_word((unsigned char)m->text.ptr[t]);
    return before != after;
}

/* Handles ^ $ \b: 1 matched (p moved), 0 failed, -1 is no anchor. */
static int match_anchor(const Matcher *m, size_t *p, size_t t)
{
    char c = m->pattern.ptr[*p];
    if (c == '^' || c == '$') {
        (*p)++;
        return (c == '^' ? t == 0 : t == m->text.len) ? 1 : 0;
    }
    if (c == '\\' && *p + 1 < m->pattern.len && m->pattern.ptr[*p + 1] == 'b') {
        *p += 2;
        return at_boundary(m, t) ? 1 : 0;
    }
    return -1;
}

static bool match_atom(Matcher *m, size_t p, size_t t, const Frame *frame)
{
    size_t end = atom_end(m, p);
    char c = m->pattern.ptr[p];
    /* Numbering a group reads the pattern from its beginning. */
    charge(m, end < p ? 0 : c == '(' ? end : end - p);
    if (end == 0 || c == '*' || c == '+' || c == '?') {
        m->bad = true;
        return false;
    }
    Frame times = {.next = frame, .atom = p, .group = -1, .is_repeat = true};
    size_t after = end;
    read_quantifier(m, &after, &times);
    times.pattern_at = after;
    if (m->bad)
        return false;
    if (c != '(')
        return match_simple(m, p, end, t, frame, &times);
    times.group = group_number(m, p);
    return match_repeat(m, t, &times);
}

static bool match_here(Matcher *m, size_t p, size_t t, const Frame *frame)
{
    if (m->budget == 0 || m->bad || m->depth >= DEPTH_MAX) {
        m->budget = 0;
        return false;
    }
    m->budget--;
    m->depth++;
    bool ok = false;
    int anchor = 1;
    while (anchor == 1 && p < m->pattern.len)
        anchor = match_anchor(m, &p, t);
    if (anchor == 0)
        ok = false;
    else if (p >= m->pattern.len || m->pattern.ptr[p] == '|' || m->pattern.ptr[p] == ')')
        ok = frame != NULL ? leave_group(m, t, frame) : match_end(m, t);
    else
        ok = match_atom(m, p, t, frame);
    m->depth--;
    return ok;
}

static RegexResult find(Matcher *m, size_t from, RegexMatch *ret_match)
{
    Str text = m->text;
    for (size_t t = from; t <= text.len; t++) {
        for (size_t i = 0; i < GROUPS; i++)
            m->match.group_starts[i] = m->match.group_ends[i] = SIZE_MAX;
        m->match.start = t;
        if (match_alternatives(m, 0, t, NULL)) {
            *ret_match = m->match;
            return REGEX_YES;
        }
        if (m->bad)
            return REGEX_BAD_PATTERN;
        if (m->budget == 0)
            return REGEX_TOO_LONG;
        while (t + 1 < text.len && ((unsigned char)text.ptr[t + 1] & 0xC0) == 0x80)
            t++;
    }
    return REGEX_NO;
}

RegexResult regex_find(Str pattern, Str text, size_t from, size_t *budget, RegexMatch *ret_match)
{
    Matcher m = {.pattern = pattern, .text = text, .budget = *budget};
    RegexResult result = find(&m, from, ret_match);
    *budget = m.budget;
    return result;
}

#include "cql/mapping.h"

typedef struct {
    Arena *arena;
    Str text;
    size_t at;
    const char *expected; /* set by the first failure */
} Reader;

static bool fail(Reader *r, const char *expected)
{
    if (r->expected == NULL)
        r->expected = expected;
    return false;
}

static bool is_next(const Reader *r, char c)
{
    return r->at < r->text.len && r->text.ptr[r->at] == c;
}

static bool take(Reader *r, Str text)
{
    if (!str_starts_with(str_slice(r->text, r->at, r->text.len - r->at), text))
        return false;
    r->at += text.len;
    return true;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

static bool read_name(Reader *r, Str *ret_name)
{
    size_t start = r->at;
    while (r->at < r->text.len && is_name_char(r->text.ptr[r->at]))
        r->at++;
    *ret_name = str_slice(r->text, start, r->at - start);
    return ret_name->len > 0 || fail(r, "a name");
}

static bool read_text(Reader *r, Str *ret_text)
{
    if (!take(r, S("'")))
        return fail(r, "a text in '…'");
    size_t start = r->at;
    while (r->at < r->text.len && r->text.ptr[r->at] != '\'')
        r->at++;
    *ret_text = str_slice(r->text, start, r->at - start);
    return take(r, S("'")) || fail(r, "the end of the text");
}

static bool read_condition(Reader *r, MappingStep *step)
{
    Str names[MAPPING_PATH_MAX + 1];
    size_t count = 0;
    do {
        if (count > MAPPING_PATH_MAX)
            return fail(r, "fewer names in the condition");
        if (!read_name(r, &names[count++]))
            return false;
    } while (take(r, S(".")));
    if (step->condition_count == MAPPING_CONDITIONS_MAX)
        return fail(r, "fewer conditions");
    bool is_same = step->condition_count == 0 || step->path_count == count - 1;
    for (size_t i = 0; i + 1 < count; i++) {
        is_same &= step->condition_count == 0 || str_eq(step->path[i], names[i]);
        step->path[i] = names[i];
    }
    if (!is_same)
        return fail(r, "conditions on one thing");
    step->path_count = count - 1;
    MappingCondition *condition = &step->conditions[step->condition_count++];
    condition->name = names[count - 1];
    if (!take(r, S("=")))
        return fail(r, "'='");
    return read_text(r, &condition->value);
}

static bool read_step(Reader *r, MappingStep *step)
{
    *step = (MappingStep){.path_count = 0};
    if (!read_name(r, &step->name))
        return false;
    (void)take(r, S("[x]"));
    if (!take(r, S("[")))
        return true;
    do {
        if (!read_condition(r, step))
            return false;
    } while (take(r, S(",")));
    return take(r, S("]")) || fail(r, "']'");
}

static bool read_path(Reader *r, Mapping *mapping)
{
    mapping->is_parent = take(r, S("%parent"));
    if (!mapping->is_parent && !take(r, S("%value")))
        return fail(r, "%value or %parent");
    while (take(r, S("."))) {
        if (mapping->step_count == MAPPING_STEPS_MAX)
            return fail(r, "a shorter path");
        if (!read_step(r, &mapping->steps[mapping->step_count++]))
            return false;
    }
    return !mapping->is_parent || mapping->step_count > 0 || fail(r, "a path behind %parent");
}

static bool read_converted(Reader *r, Mapping *mapping)
{
    if (!take(r, S("FHIRHelpers.")))
        return read_path(r, mapping);
    if (!read_name(r, &mapping->function))
        return false;
    if (!take(r, S("(")))
        return fail(r, "'('");
    return read_path(r, mapping) && (take(r, S(")")) || fail(r, "')'"));
}

/* "System.Concept:" in front, where there is one. */
static void read_type(Reader *r, Mapping *mapping)
{
    size_t start = r->at;
    while (r->at < r->text.len && (is_name_char(r->text.ptr[r->at]) || is_next(r, '.')))
        r->at++;
    mapping->type = str_slice(r->text, start, r->at - start);
    if (take(r, S(":")))
        return;
    mapping->type = S("");
    r->at = start;
}

const Mapping *mapping_parse(Arena *arena, Str text, const char **ret_expected, size_t *ret_at)
{
    Reader r = {.arena = arena, .text = text};
    Mapping *first = NULL;
    Mapping **end = &first;
    do {
        Mapping *mapping = ARENA_NEW(arena, Mapping);
        read_type(&r, mapping);
        if (!read_converted(&r, mapping))
            break;
        *end = mapping;
        /* Only the last one may lack a type, and then it is alone. */
        if (mapping->type.len == 0)
            break;
        end = (Mapping **)&mapping->next; /* NOLINT: being built */
    } while (take(&r, S(";")));
    if (r.expected == NULL && r.at < text.len)
        (void)fail(&r, "the end");
    if (r.expected == NULL && first != NULL)
        return first;
    *ret_expected = r.expected;
    *ret_at = r.at;
    return NULL;
}

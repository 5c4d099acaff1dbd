#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "terms/terms_int.h"
#include "terms/value_set_int.h"

ValueSets *value_sets_create(Arena *arena)
{
    ValueSets *sets = ARENA_NEW(arena, ValueSets);
    sets->arena = arena;
    map_init(&sets->systems, arena);
    return sets;
}

int concept_name_compare(const void *a, const void *b)
{
    const ConceptName *left = a;
    const ConceptName *right = b;
    /* Systems are shared, so that equal ones mostly have one address. */
    if (left->system.ptr != right->system.ptr || left->system.len != right->system.len) {
        int order = str_cmp(left->system, right->system);
        if (order != 0)
            return order;
    }
    return str_cmp(left->code, right->code);
}

void codes_to_set(Codes *codes)
{
    if (codes->count == 0)
        return;
    qsort(codes->items, codes->count, sizeof(*codes->items), concept_name_compare);
    size_t kept = 1;
    for (size_t i = 1; i < codes->count; i++)
        if (concept_name_compare(&codes->items[kept - 1], &codes->items[i]) != 0)
            codes->items[kept++] = codes->items[i];
    codes->count = kept;
}

/* --- adding --- */

static void add_resource(ValueSets *sets, const JsonValue *resource, Str file, DiagList *diags)
{
    ValueSetSource source;
    if (!value_set_read(sets, resource, file, diags, &source))
        return;
    source.order = sets->sources.count;
    VEC_PUSH(sets->arena, &sets->sources, source);
}

static void add_document(ValueSets *sets, const JsonValue *root, Str file, DiagList *diags)
{
    Str type = json_find_text(root, S("resourceType"));
    if (str_eq(type, S("ValueSet"))) {
        add_resource(sets, root, file, diags);
        return;
    }
    if (!str_eq(type, S("Bundle"))) {
        diag_addf(diags,
                  (Diag){.severity = SEVERITY_ERROR,
                         .rule = S("value-set-type"),
                         .file = file,
                         .line = root->line,
                         .path = S("resourceType")},
                  "expected a ValueSet or a Bundle of them, found '%.*s'", STR_ARG(type));
        return;
    }
    const JsonValue *entries = json_find(root, S("entry"));
    for (size_t i = 0; entries != NULL && i < entries->count; i++) {
        const JsonValue *resource = json_find(&entries->items[i], S("resource"));
        if (str_eq(json_find_text(resource, S("resourceType")), S("ValueSet")))
            add_resource(sets, resource, file, diags);
    }
}

void value_sets_add(ValueSets *sets, Str json, Str file, DiagList *diags)
{
    ASSERT(!sets->is_resolved);
    Arena *scratch = arena_create(0);
    JsonValue *root;
    Error err;
    if (json_parse(scratch, json, &root, &err) == ERR_OK)
        add_document(sets, root, file, diags);
    else
        diag_addf(diags,
                  (Diag){.severity = SEVERITY_ERROR, .rule = S("value-set-json"), .file = file},
                  "%s", err.message);
    arena_destroy(scratch);
}

/* --- order and look-up --- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The run of digits at the beginning, without leading zeros; moves *rest behind it. */
static Str take_digits(Str *rest)
{
    size_t end = 0;
    while (end < rest->len && is_digit(rest->ptr[end]))
        end++;
    Str digits = str_slice(*rest, 0, end);
    *rest = str_slice(*rest, end, rest->len - end);
    while (digits.len > 0 && digits.ptr[0] == '0')
        digits = str_slice(digits, 1, digits.len - 1);
    return digits;
}

/* Runs of digits compare as numbers and the rest by bytes: 4.0.10 is above 4.0.9. */
static int compare_versions(Str a, Str b)
{
    Str left = a;
    Str right = b;
    while (left.len > 0 && right.len > 0) {
        if (is_digit(left.ptr[0]) && is_digit(right.ptr[0])) {
            Str one = take_digits(&left);
            Str other = take_digits(&right);
            if (one.len != other.len)
                return one.len < other.len ? -1 : 1;
            int order = str_cmp(one, other);
            if (order != 0)
                return order;
            continue;
        }
        if (left.ptr[0] != right.ptr[0])
            return (unsigned char)left.ptr[0] < (unsigned char)right.ptr[0] ? -1 : 1;
        left = str_slice(left, 1, left.len - 1);
        right = str_slice(right, 1, right.len - 1);
    }
    if (left.len != right.len)
        return left.len < right.len ? -1 : 1;
    return str_cmp(a, b); /* "1.01" and "1.1" */
}

static int compare_sources(const void *a, const void *b)
{
    const ValueSetSource *left = a;
    const ValueSetSource *right = b;
    int order = str_cmp(left->set.url, right->set.url);
    if (order == 0)
        order = compare_versions(left->set.version, right->set.version);
    if (order == 0)
        order = left->order < right->order ? -1 : 1;
    return order;
}

/* The first source that is not below (url, version); `version` NULL: behind the url's last. */
static size_t source_bound(const ValueSets *sets, Str url, const Str *version)
{
    size_t from = 0;
    size_t to = sets->sources.count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        const ValueSet *set = &sets->sources.items[middle].set;
        int order = str_cmp(set->url, url);
        if (order == 0)
            order = version == NULL ? -1 : compare_versions(set->version, *version);
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static ValueSetSource *find_source(const ValueSets *sets, Str canonical)
{
    size_t bar = str_find_char(canonical, '|');
    if (bar == SIZE_MAX) {
        size_t end = source_bound(sets, canonical, NULL);
        if (end == 0 || !str_eq(sets->sources.items[end - 1].set.url, canonical))
            return NULL;
        return &sets->sources.items[end - 1];
    }
    Str url = str_slice(canonical, 0, bar);
    Str version = str_slice(canonical, bar + 1, canonical.len - bar - 1);
    size_t at = source_bound(sets, url, &version);
    if (at == sets->sources.count)
        return NULL;
    ValueSetSource *source = &sets->sources.items[at];
    bool found = str_eq(source->set.url, url) && str_eq(source->set.version, version);
    return found ? source : NULL;
}

/* Keeps the first of those with one (url, version). */
static void drop_repeated(ValueSets *sets, DiagList *diags)
{
    size_t kept = 0;
    for (size_t i = 0; i < sets->sources.count; i++) {
        const ValueSetSource *source = &sets->sources.items[i];
        const ValueSetSource *before = kept == 0 ? NULL : &sets->sources.items[kept - 1];
        if (before == NULL || !str_eq(before->set.url, source->set.url) ||
            !str_eq(before->set.version, source->set.version)) {
            sets->sources.items[kept++] = *source;
            continue;
        }
        bool is_same = before->content_hash == source->content_hash;
        diag_addf(diags,
                  (Diag){.severity = is_same ? SEVERITY_INFO : SEVERITY_ERROR,
                         .rule = S("value-set-twice"),
                         .file = source->file,
                         .line = source->line},
                  "value set '%.*s' version '%.*s' was given in %.*s before%s; the first is kept",
                  STR_ARG(source->set.url), STR_ARG(source->set.version), STR_ARG(before->file),
                  is_same ? "" : " with other codes");
    }
    sets->sources.count = kept;
}

/* --- working out --- */

typedef enum { RESOLVED, RESOLVED_NOT, RESOLVED_TOO_DEEP } Resolved;

/* What resolving carries along. Recursion goes from value set to included value set, at most
 * LIMIT_VALUE_SET_INCLUSION deep. */
typedef struct {
    ValueSets *sets;
    DiagList *diags;
    ValueSetSource *source;
    uint32_t depth;
    bool is_quiet; /* this one's own findings do not matter: its expansion stands in */
} Resolving;

static Resolved resolve_source(ValueSets *sets, ValueSetSource *source, uint32_t depth,
                               DiagList *diags);

static void report(const Resolving *at, Severity severity, Str rule, uint32_t line,
                   const char *format, ...) PRINTF_LIKE(5, 6);

static void report(const Resolving *at, Severity severity, Str rule, uint32_t line,
                   const char *format, ...)
{
    if (at->is_quiet)
        return;
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    diag_addf(at->diags,
              (Diag){.severity = severity, .rule = rule, .file = at->source->file, .line = line},
              "value set '%.*s' %s", STR_ARG(at->source->set.url), text);
}

/* The codes that both have, into a. */
static void intersect(Codes *a, const ValueSet *b)
{
    size_t kept = 0;
    size_t at = 0;
    for (size_t i = 0; i < a->count; i++) {
        while (at < b->count && concept_name_compare(&b->codes[at], &a->items[i]) < 0)
            at++;
        if (at < b->count && concept_name_compare(&b->codes[at], &a->items[i]) == 0)
            a->items[kept++] = a->items[i];
    }
    a->count = kept;
}

static void keep_system_only(Codes *codes, Str system)
{
    size_t kept = 0;
    for (size_t i = 0; i < codes->count; i++)
        if (str_eq(codes->items[i].system, system))
            codes->items[kept++] = codes->items[i];
    codes->count = kept;
}

static void add_codes(Arena *arena, Codes *codes, const ConceptName *items, size_t count)
{
    if (count == 0)
        return;
    VEC_RESERVE(arena, codes, codes->count + count);
    memcpy(codes->items + codes->count, items, count * sizeof(*items));
    codes->count += count;
}

/* A value set that another one names, worked out; NULL with a finding when it cannot be used. */
static Resolved resolve_named(const Resolving *at, Str canonical, uint32_t line,
                              const ValueSet **ret_set)
{
    ValueSetSource *source = at->source;
    ValueSetSource *named = find_source(at->sets, canonical);
    if (named == NULL) {
        report(at, SEVERITY_ERROR, S("value-set-unknown"), line,
               "includes '%.*s', which was not given", STR_ARG(canonical));
        return RESOLVED_NOT;
    }
    if (named->state == SOURCE_IN_PROGRESS) {
        report(at, SEVERITY_ERROR, S("value-set-cycle"), line, "includes '%.*s', which includes it",
               STR_ARG(canonical));
        return RESOLVED_NOT;
    }
    Resolved resolved = resolve_source(at->sets, named, at->depth + 1, at->diags);
    if (resolved == RESOLVED_NOT)
        report(at, SEVERITY_ERROR, S("value-set-unusable"), line,
               "includes '%.*s', which cannot be used", STR_ARG(canonical));
    if (resolved != RESOLVED)
        return resolved;
    if (source->height <= named->height)
        source->height = named->height + 1;
    *ret_set = &named->set;
    return RESOLVED;
}

/*
 * The codes of one part: its enumerated concepts and each of its value sets, all intersected. A
 * system alone beside value sets keeps their codes of that system.
 */
static Resolved part_codes(const Resolving *at, const ComposePart *part, Codes *ret_codes)
{
    if (part->has_filter || (part->is_whole_system && part->value_sets.count == 0)) {
        report(at, SEVERITY_ERROR, S("value-set-filter"), part->line,
               "takes %s of %.*s, which needs that code system; give the value set with its "
               "expansion",
               part->has_filter ? "a filter" : "all codes", STR_ARG(part->system));
        return RESOLVED_NOT;
    }
    Codes codes = {0};
    bool is_first = part->codes.count == 0;
    add_codes(at->sets->arena, &codes, part->codes.items, part->codes.count);
    codes_to_set(&codes);
    for (size_t i = 0; i < part->value_sets.count; i++) {
        const ValueSet *set;
        Resolved resolved = resolve_named(at, part->value_sets.items[i], part->line, &set);
        if (resolved != RESOLVED)
            return resolved;
        if (is_first)
            add_codes(at->sets->arena, &codes, set->codes, set->count);
        else
            intersect(&codes, set);
        is_first = false;
    }
    if (part->is_whole_system)
        keep_system_only(&codes, part->system);
    *ret_codes = codes;
    return RESOLVED;
}

static void subtract(Codes *a, const Codes *b)
{
    size_t kept = 0;
    size_t at = 0;
    for (size_t i = 0; i < a->count; i++) {
        while (at < b->count && concept_name_compare(&b->items[at], &a->items[i]) < 0)
            at++;
        if (at == b->count || concept_name_compare(&b->items[at], &a->items[i]) != 0)
            a->items[kept++] = a->items[i];
    }
    a->count = kept;
}

static void subtract_system(Codes *codes, Str system)
{
    size_t kept = 0;
    for (size_t i = 0; i < codes->count; i++)
        if (!str_eq(codes->items[i].system, system))
            codes->items[kept++] = codes->items[i];
    codes->count = kept;
}

static Resolved subtract_part(const Resolving *at, const ComposePart *part, Codes *codes)
{
    /* A whole system is unknown as a list, but known well enough to be taken away. */
    if (part->is_whole_system && !part->has_filter && part->value_sets.count == 0) {
        subtract_system(codes, part->system);
        return RESOLVED;
    }
    Codes taken;
    Resolved resolved = part_codes(at, part, &taken);
    if (resolved == RESOLVED)
        subtract(codes, &taken);
    return resolved;
}

static Resolved compose_codes(const Resolving *at, Codes *ret_codes)
{
    const ValueSetSource *source = at->source;
    Codes codes = {0};
    for (size_t i = 0; i < source->includes.count; i++) {
        Codes part;
        Resolved resolved = part_codes(at, &source->includes.items[i], &part);
        if (resolved != RESOLVED)
            return resolved;
        add_codes(at->sets->arena, &codes, part.items, part.count);
    }
    codes_to_set(&codes);
    for (size_t i = 0; i < source->excludes.count; i++) {
        Resolved resolved = subtract_part(at, &source->excludes.items[i], &codes);
        if (resolved != RESOLVED)
            return resolved;
    }
    *ret_codes = codes;
    return RESOLVED;
}

/* The expansion where it is whole; else the definition; else what there is of the expansion. */
static Resolved source_codes(const Resolving *at, Codes *ret_codes)
{
    ValueSetSource *source = at->source;
    if (!source->has_expansion)
        return compose_codes(at, ret_codes);
    bool is_truncated = source->is_unclosed || source->expansion_total > source->expansion_nodes;
    if (is_truncated && source->has_compose) {
        Resolving quiet = *at;
        quiet.is_quiet = true;
        Resolved resolved = compose_codes(&quiet, ret_codes);
        if (resolved == RESOLVED || (resolved == RESOLVED_TOO_DEEP && at->depth > 1))
            return resolved;
        source->height = 1;
    }
    if (is_truncated) {
        source->set.is_truncated = true;
        report(at, SEVERITY_WARNING, S("value-set-truncated"), source->line,
               "has an expansion that lists %llu of %llu concepts",
               (unsigned long long)source->expansion_nodes,
               (unsigned long long)source->expansion_total);
    }
    *ret_codes = source->expansion;
    codes_to_set(ret_codes);
    return RESOLVED;
}

static Resolved settle_state(ValueSetSource *source, Resolved resolved, const Resolving *at)
{
    bool is_too_deep = resolved == RESOLVED_TOO_DEEP || source->height > LIMIT_VALUE_SET_INCLUSION;
    /* Where it was reached from too far up, it may still be fine by itself. */
    if (is_too_deep && at->depth > 1) {
        source->state = SOURCE_NEW;
        return RESOLVED_TOO_DEEP;
    }
    if (is_too_deep) {
        report(at, SEVERITY_ERROR, S("value-set-depth"), source->line,
               "includes others more than %d deep", LIMIT_VALUE_SET_INCLUSION);
        resolved = RESOLVED_NOT;
    }
    source->state = resolved == RESOLVED ? SOURCE_USABLE : SOURCE_UNUSABLE;
    return resolved;
}

static Resolved resolve_source(ValueSets *sets, ValueSetSource *source, uint32_t depth,
                               DiagList *diags)
{
    if (source->state == SOURCE_USABLE)
        return RESOLVED;
    if (source->state == SOURCE_UNUSABLE)
        return RESOLVED_NOT;
    if (depth > LIMIT_VALUE_SET_INCLUSION)
        return RESOLVED_TOO_DEEP;
    source->state = SOURCE_IN_PROGRESS;
    source->height = 1;
    Resolving at = {.sets = sets, .diags = diags, .source = source, .depth = depth};
    Codes codes = {0};
    Resolved resolved = source_codes(&at, &codes);
    if (resolved == RESOLVED) {
        source->set.codes = codes.items;
        source->set.count = codes.count;
    }
    return settle_state(source, resolved, &at);
}

void value_sets_resolve(ValueSets *sets, DiagList *diags)
{
    ASSERT(!sets->is_resolved);
    sets->is_resolved = true;
    if (sets->sources.count > 0)
        qsort(sets->sources.items, sets->sources.count, sizeof(*sets->sources.items),
              compare_sources);
    drop_repeated(sets, diags);
    for (size_t i = 0; i < sets->sources.count; i++) {
        ValueSetSource *source = &sets->sources.items[i];
        if (resolve_source(sets, source, 1, diags) == RESOLVED)
            VEC_PUSH(sets->arena, &sets->usable, i);
    }
}

/* --- the results --- */

const ValueSet *value_sets_find(const ValueSets *sets, Str canonical)
{
    ASSERT(sets->is_resolved);
    const ValueSetSource *source = find_source(sets, canonical);
    return source != NULL && source->state == SOURCE_USABLE ? &source->set : NULL;
}

size_t value_sets_count(const ValueSets *sets)
{
    return sets->usable.count;
}

const ValueSet *value_sets_at(const ValueSets *sets, size_t index)
{
    ASSERT(index < sets->usable.count);
    return &sets->sources.items[sets->usable.items[index]].set;
}

ConceptSet value_set_bind(const ValueSet *set, const ConceptDict *dict, Arena *arena)
{
    ConceptId *ids = ARENA_ARRAY(arena, ConceptId, set->count);
    size_t found = 0;
    uint32_t from = 0;
    uint32_t to = 0;
    for (size_t i = 0; i < set->count; i++) {
        const ConceptName *name = &set->codes[i];
        if (i == 0 || !str_eq(name->system, set->codes[i - 1].system)) {
            uint32_t system = dict_find_system(dict, name->system);
            from = system == UINT32_MAX ? 0 : dict->system_firsts[system];
            to = system == UINT32_MAX ? 0 : dict->system_firsts[system + 1];
        }
        from = dict_lower_bound(dict, name->code, from, to);
        if (from < to && str_eq(dict_code_text(dict, from), name->code))
            ids[found++] = from + 1;
    }
    return concept_set_of(arena, dict, ids, found);
}

bool value_set_has(const ValueSet *set, Str system, Str code)
{
    if (set->count == 0)
        return false;
    ConceptName wanted = {.system = system, .code = code};
    return bsearch(&wanted, set->codes, set->count, sizeof(wanted), concept_name_compare) != NULL;
}

/*
 * Which library an include means, and what a name that is not known may have meant.
 *
 * A qualified name means the library of that name. One without a namespace means the library of the
 * including library's own namespace, or else the one that has none. With a version it is that
 * version; without, the highest there is, part by part, numbers as numbers.
 */
#include "cql/resolve_int.h"

Str library_namespace(Str name)
{
    for (size_t i = name.len; i > 0; i--) {
        if (name.ptr[i - 1] == '.')
            return str_slice(name, 0, i - 1);
    }
    return S("");
}

static bool is_digits(Str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    }
    return text.len > 0;
}

static Str without_zeros(Str digits)
{
    size_t from = 0;
    while (from + 1 < digits.len && digits.ptr[from] == '0')
        from++;
    return str_slice(digits, from, digits.len);
}

static int compare_parts(Str a, Str b)
{
    if (!is_digits(a) || !is_digits(b))
        return str_cmp(a, b);
    a = without_zeros(a);
    b = without_zeros(b);
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return str_cmp(a, b);
}

int version_compare(Str a, Str b)
{
    while (a.ptr != NULL && b.ptr != NULL) {
        Str part_a = S("");
        Str part_b = S("");
        bool more_a = str_split_next(&a, '.', &part_a);
        bool more_b = str_split_next(&b, '.', &part_b);
        int order = more_a && more_b ? compare_parts(part_a, part_b) : (int)more_a - (int)more_b;
        if (order != 0)
            return order;
    }
    return (a.ptr != NULL) - (b.ptr != NULL);
}

bool import_is_helpers(const AstImport *import)
{
    return str_eq(import->name, S("FHIRHelpers")) || str_ends_with(import->name, S(".FHIRHelpers"));
}

int import_fit(const AstImport *import, Str own_namespace, Str name)
{
    bool is_qualified = library_namespace(import->name).len > 0;
    if (!is_qualified && own_namespace.len > 0 &&
        name.len == own_namespace.len + 1 + import->name.len &&
        str_starts_with(name, own_namespace) && str_ends_with(name, import->name) &&
        name.ptr[own_namespace.len] == '.')
        return 2;
    return str_eq(name, import->name) ? 1 : 0;
}

static Library *choose(Resolver *r, const AstImport *import, Str own_namespace)
{
    Library *best = NULL;
    int best_fit = 0;
    for (size_t i = 0; i < r->library_count; i++) {
        Library *other = &r->libraries[i];
        int fit = import_fit(import, own_namespace, other->name);
        if (fit == 0 || (import->version.len > 0 && !str_eq(other->version, import->version)))
            continue;
        bool is_better = best == NULL || fit > best_fit ||
                         (fit == best_fit && version_compare(other->version, best->version) > 0);
        if (is_better) {
            best = other;
            best_fit = fit;
        }
    }
    return best;
}

static void report_missing(Resolver *r, const AstImport *import, Str own_namespace)
{
    StrBuf others;
    Nearest nearest = nearest_to(r->arena, import->name);
    strbuf_init(&others, r->arena, 0);
    for (size_t i = 0; i < r->library_count; i++) {
        const Library *other = &r->libraries[i];
        nearest_try(&nearest, other->name);
        if (import_fit(import, own_namespace, other->name) > 0)
            strbuf_printf(&others, "%s'%.*s'", others.len > 0 ? ", " : "; there is version ",
                          STR_ARG(other->version));
    }
    if (others.len == 0)
        strbuf_add(&others, nearest_text(&nearest));
    if (import->version.len > 0)
        resolve_error(r, import->line, import->column, "cql-include",
                      "the library '%.*s' version '%.*s' is missing%.*s", STR_ARG(import->name),
                      STR_ARG(import->version), STR_ARG(strbuf_str(&others)));
    else
        resolve_error(r, import->line, import->column, "cql-include",
                      "the library '%.*s' is missing%.*s", STR_ARG(import->name),
                      STR_ARG(strbuf_str(&others)));
}

static bool alias_is_taken(const AstLibrary *ast, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (str_eq(ast->includes[i].alias, ast->includes[at].alias))
            return true;
    }
    return false;
}

void resolve_includes(Resolver *r, Library *library)
{
    Str own_namespace = library_namespace(library->name);
    r->library = library;
    for (size_t i = 0; i < library->ast->include_count; i++) {
        const AstImport *import = &library->ast->includes[i];
        library->includes[i] = choose(r, import, own_namespace);
        if (alias_is_taken(library->ast, i))
            resolve_error(r, import->line, import->column, "cql-name",
                          "'%.*s' names two libraries; say which with called",
                          STR_ARG(import->alias));
        else if (library->includes[i] != NULL && library->includes[i]->ast->has_errors)
            resolve_error(r, import->line, import->column, "cql-include",
                          "the library '%.*s' has errors of its own", STR_ARG(import->name));
        else if (library->includes[i] == NULL && !import_is_helpers(import))
            report_missing(r, import, own_namespace);
    }
}

/* --- libraries that include one another --- */

typedef struct {
    Resolver *r;
    uint8_t *states; /* by library: ResolveState */
    const Library **path;
    size_t depth;
} Walk;

static void report_cycle(Walk *walk, const Library *again, const AstImport *import)
{
    StrBuf text;
    size_t from = 0;
    strbuf_init(&text, walk->r->arena, 0);
    while (walk->path[from] != again)
        from++;
    for (size_t i = from; i < walk->depth; i++)
        strbuf_printf(&text, "%.*s -> ", STR_ARG(walk->path[i]->name));
    strbuf_add(&text, again->name);
    resolve_error(walk->r, import->line, import->column, "cql-cycle",
                  "libraries include one another: %.*s", STR_ARG(strbuf_str(&text)));
}

static void walk_includes(Walk *walk, Library *library) /* NOLINT(misc-no-recursion) */
{
    size_t number = (size_t)(library - walk->r->libraries);
    if (walk->depth >= LIMIT_CQL_DEPTH)
        return;
    walk->states[number] = STATE_RESOLVING;
    walk->path[walk->depth++] = library;
    for (size_t i = 0; i < library->ast->include_count; i++) {
        Library *other = library->includes[i];
        if (other == NULL)
            continue;
        uint8_t state = walk->states[other - walk->r->libraries];
        walk->r->library = library;
        if (state == STATE_RESOLVING)
            report_cycle(walk, other, &library->ast->includes[i]);
        else if (state == STATE_UNTOUCHED)
            walk_includes(walk, other);
    }
    walk->depth--;
    walk->states[number] = STATE_DONE;
}

void check_include_cycles(Resolver *r)
{
    Walk walk = {.r = r,
                 .states = ARENA_ZARRAY(r->arena, uint8_t, r->library_count),
                 .path = ARENA_ZARRAY(r->arena, const Library *, LIMIT_CQL_DEPTH)};
    for (size_t i = 0; i < r->library_count; i++) {
        if (walk.states[i] == STATE_UNTOUCHED)
            walk_includes(&walk, &r->libraries[i]);
    }
}

/* --- did you mean --- */

enum { NAME_COMPARED_MAX = 64 };

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* Insertions, deletions, replacements and swaps of neighbours between two names; letters of either
   case are the same. */
static uint32_t distance(Str a, Str b)
{
    uint32_t rows[3][NAME_COMPARED_MAX + 1];
    for (uint32_t j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (uint32_t i = 1; i <= a.len; i++) {
        uint32_t *row = rows[i % 3];
        const uint32_t *above = rows[(i + 2) % 3];
        const uint32_t *before = rows[(i + 1) % 3];
        row[0] = i;
        for (uint32_t j = 1; j <= b.len; j++) {
            char x = lower(a.ptr[i - 1]);
            char y = lower(b.ptr[j - 1]);
            uint32_t least = above[j - 1] + (x != y);
            least = above[j] + 1 < least ? above[j] + 1 : least;
            least = row[j - 1] + 1 < least ? row[j - 1] + 1 : least;
            bool is_swap = i > 1 && j > 1 && x == lower(b.ptr[j - 2]) && y == lower(a.ptr[i - 2]);
            row[j] = is_swap && before[j - 2] + 1 < least ? before[j - 2] + 1 : least;
        }
    }
    return rows[a.len % 3][b.len];
}

Nearest nearest_to(Arena *arena, Str name)
{
    uint32_t limit = name.len < 4 ? 1 : name.len < 8 ? 2 : 3;
    return (Nearest){.arena = arena, .wanted = name, .distance = limit + 1};
}

void nearest_try(Nearest *nearest, Str name)
{
    Str wanted = nearest->wanted;
    if (wanted.len > NAME_COMPARED_MAX || name.len > NAME_COMPARED_MAX || name.len == 0)
        return;
    /* A name of one or two letters is near to any other. */
    uint32_t found = distance(wanted, name);
    if (found < nearest->distance && found < name.len && found < wanted.len) {
        nearest->distance = found;
        nearest->name = name;
    }
}

Str nearest_text(const Nearest *nearest)
{
    if (nearest->name.len == 0)
        return S("");
    return str_format(nearest->arena, "; did you mean '%.*s'?", STR_ARG(nearest->name));
}

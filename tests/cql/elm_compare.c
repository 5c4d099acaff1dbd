/*
 * elm_compare -- evaluates libraries from two sources, and says where a definition's value differs.
 *
 *     elm_compare [-v VALUE_SET_DIR] [-p NAME=VALUE] [-l LIBRARY] LEFT_FILE... -- RIGHT_FILE... [--
 * DATA_FILE...]
 *
 * -l: only the definitions of this library are asked for (with what they refer to). Prints a line a
 * difference: person TAB library TAB definition TAB left TAB right; then
 * "N same, N differ, N of one side" and the findings of libraries on standard error.
 */
#include "base/io.h"
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct {
    CqlLibraries *libraries;
    CqlPlan *plan;
    CqlEval *eval;
} Side;

typedef struct {
    Arena *arena;
    Side sides[2];
    Fixture fixture;
    ValueSets *sets;
    Vec(CqlParameter) parameters;
    Str library;
    DiagList diags;
    Error err;
    size_t same;
    size_t differ;
    size_t single;
    bool failed;
} Comparison;

static void show(const DiagList *diags)
{
    Arena *arena = arena_create(0);
    for (size_t i = 0; i < diags->kept.count; i++) {
        StrBuf out;
        strbuf_init(&out, arena, 0);
        if (diags->kept.items[i].severity != SEVERITY_ERROR)
            continue;
        diag_format(&diags->kept.items[i], &out);
        (void)fprintf(stderr, "%.*s\n", STR_ARG(strbuf_str(&out)));
    }
    arena_destroy(arena);
}

static Str read_file(Comparison *c, Str path)
{
    Str text = S("");
    if (io_read_file(c->arena, path, 0, &text, &c->err) != ERR_OK) {
        (void)fprintf(stderr, "%s\n", c->err.message);
        exit(2);
    }
    return text;
}

static void read_value_sets(Comparison *c, Str dir)
{
    IoNames names = {0};
    c->sets = value_sets_create(c->arena);
    if (io_list_dir(c->arena, dir, &names, &c->err) != ERR_OK)
        exit(2);
    for (size_t i = 0; i < names.count; i++) {
        Str path = io_join(c->arena, dir, names.items[i]);
        if (str_ends_with(path, S(".json")))
            value_sets_add(c->sets, read_file(c, path), path, &c->diags);
    }
    value_sets_resolve(c->sets, &c->diags);
}

/* All definitions of the library as roots. */
static bool make_plan(Comparison *c, Side *side)
{
    CqlPlanOptions options = {.value_sets = c->sets,
                              .dict = c->fixture.dict,
                              .now = {.year = 2026,
                                      .month = 6,
                                      .day = 30,
                                      .offset_minutes = 0,
                                      .precision = PRECISION_DAY},
                              .parameters = c->parameters.items,
                              .parameter_count = c->parameters.count};
    DiagList ignored;
    diag_init(&ignored, c->arena);
    Vec(CqlRoot) roots = {0};
    if (c->library.len > 0) {
        /* A plan for nothing knows the names. */
        static const CqlRoot none = {.library = STR_INIT("")};
        options.roots = &none;
        CqlPlan *all;
        if (cql_plan_create(c->arena, side->libraries, &options, &ignored, &all, &c->err) != ERR_OK)
            return false;
        for (size_t i = 0; i < cql_plan_definition_count(all); i++) {
            const CqlDefinition *facts = cql_plan_definition(all, i);
            CqlRoot root = {.library = facts->library, .name = facts->name};
            if (str_eq(facts->library, c->library))
                VEC_PUSH(c->arena, &roots, root);
        }
        options.roots = roots.items;
        options.root_count = roots.count;
    }
    ErrorCode code =
        cql_plan_create(c->arena, side->libraries, &options, &c->diags, &side->plan, &c->err);
    if (code == ERR_OK)
        side->eval = cql_eval_create(side->plan);
    return code == ERR_OK;
}

static Str value_text(Comparison *c, Side *side, size_t definition)
{
    CqlValue value;
    StrBuf out;
    Error err = {0};
    strbuf_init(&out, c->arena, 0);
    if (cql_eval_definition(side->eval, definition, &value, &err) != ERR_OK)
        return S("an error");
    cql_value_format(value, &out);
    return strbuf_str(&out);
}

static void compare_person(Comparison *c, Str person)
{
    const CqlPlan *left = c->sides[0].plan;
    for (size_t i = 0; i < cql_plan_definition_count(left); i++) {
        const CqlDefinition *facts = cql_plan_definition(left, i);
        size_t other;
        bool is_asked = c->library.len == 0 || str_eq(c->library, facts->library);
        if (!is_asked)
            continue;
        if (!cql_plan_find(c->sides[1].plan, facts->library, facts->name, &other) ||
            facts->is_usable != cql_plan_definition(c->sides[1].plan, other)->is_usable) {
            c->single++;
            continue;
        }
        if (!facts->is_usable)
            continue;
        Str a = value_text(c, &c->sides[0], i);
        Str b = value_text(c, &c->sides[1], other);
        c->same += str_eq(a, b);
        c->differ += !str_eq(a, b);
        if (!str_eq(a, b))
            printf("%.*s\t%.*s\t%.*s\t%.*s\t%.*s\n", STR_ARG(person), STR_ARG(facts->library),
                   STR_ARG(facts->name), STR_ARG(str_slice(a, 0, 400)),
                   STR_ARG(str_slice(b, 0, 400)));
    }
}

static void compare_all(Comparison *c, bool has_data)
{
    if (!has_data) {
        for (size_t i = 0; i < 2; i++)
            cql_eval_begin_unfiltered(c->sides[i].eval);
        compare_person(c, S("-"));
        return;
    }
    for (uint32_t person = 0; person < c->fixture.batch->person_count; person++) {
        Record record = {.batch = c->fixture.batch, .row = person};
        for (size_t i = 0; i < 2; i++)
            cql_eval_begin(c->sides[i].eval, record);
        compare_person(c, record_person_id(record));
    }
}

static int read_arguments(Comparison *c, int argc, char **argv)
{
    int part = 0;
    for (int i = 1; i < argc; i++) {
        Str word = str_from_c(argv[i]);
        if (str_eq(word, S("--"))) {
            part++;
        } else if (str_eq(word, S("-v")) && i + 1 < argc) {
            read_value_sets(c, str_from_c(argv[++i]));
        } else if (str_eq(word, S("-l")) && i + 1 < argc) {
            c->library = str_from_c(argv[++i]);
        } else if (str_eq(word, S("-p")) && i + 1 < argc) {
            Str value = str_from_c(argv[++i]);
            Str name;
            (void)str_split_next(&value, '=', &name);
            VEC_PUSH(c->arena, &c->parameters, (CqlParameter){.name = name, .value = value});
        } else if (part < 2) {
            c->failed |=
                !cql_libraries_add(c->sides[part].libraries, read_file(c, word), word, &c->diags);
        } else {
            fixture_add(&c->fixture, read_file(c, word), word);
        }
    }
    return part;
}

int main(int argc, char **argv)
{
    Comparison c = {.arena = arena_create(0)};
    diag_init(&c.diags, c.arena);
    fixture_init(&c.fixture, c.arena);
    for (size_t i = 0; i < 2; i++)
        c.sides[i].libraries = cql_libraries_create(c.arena);
    int parts = read_arguments(&c, argc, argv);
    bool ok = fixture_finish(&c.fixture, &c.err) && parts >= 1 && !c.failed &&
              make_plan(&c, &c.sides[0]) && make_plan(&c, &c.sides[1]);
    show(&c.diags);
    if (ok)
        compare_all(&c, parts == 2);
    else
        (void)fprintf(stderr, "%s\n", c.err.message);
    for (size_t i = 0; i < 2; i++)
        if (c.sides[i].eval != NULL)
            cql_eval_destroy(c.sides[i].eval);
    printf("%zu same, %zu differ, %zu of one side\n", c.same, c.differ, c.single);
    arena_destroy(c.arena);
    return !ok ? 2 : c.differ > 0;
}

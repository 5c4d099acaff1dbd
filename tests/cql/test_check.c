/*
 * Runs the tables tests/cql/cases/check-*.tsv: what a set of libraries is told by the checker; and
 * tests/cql/cases/values-*.tsv: what the definitions of the last library are worth for the person
 * lena of tests/cql/data ("name = value", as JSON
 * where the name begins with Json, " | " between; the first error where there are any).
 *
 * A row is a name, the libraries and the findings, tabs between. Libraries are texts with \n for
 * line ends, `;;` between several: they are called 1.cql, 2.cql … in that order. Findings are
 * "file:line:column: severity: text [rule]", " | " between; "none" when there are none.
 * With BRAID_GOLDEN=1 the findings are rewritten to what comes out.
 */
#include <stdlib.h>

#include "base/io.h"
#include "base/test.h"
#include "fixture.h"

static Str unescape(Arena *arena, Str text)
{
    StrBuf out;
    strbuf_init(&out, arena, 0);
    for (size_t i = 0; i < text.len; i++) {
        bool is_end = text.ptr[i] == '\\' && i + 1 < text.len && text.ptr[i + 1] == 'n';
        strbuf_add_char(&out, is_end ? '\n' : text.ptr[i]);
        i += is_end;
    }
    return strbuf_str(&out);
}

static Str findings(Arena *arena, const DiagList *diags)
{
    StrBuf out;
    strbuf_init(&out, arena, 0);
    VEC_FOREACH (Diag, diag, &diags->kept) {
        strbuf_add(&out, out.len > 0 ? S(" | ") : S(""));
        diag_format(diag, &out);
    }
    return out.len == 0 ? S("none") : strbuf_str(&out);
}

/* An external function for tests: the sum of two Integers; refuses a sum of 13. */
static ErrorCode add_up(void *user, Arena *arena, const CqlValue *args, CqlValue *ret_value,
                        Error *err)
{
    int64_t a = 0;
    int64_t b = 0;
    (void)arena;
    *(int *)user += 1;
    if (!cql_value_integer(args[0], &a) || !cql_value_integer(args[1], &b))
        return ERR_OK;
    if (a + b == 13)
        return error_set(err, ERR_REFUSED, "not thirteen");
    *ret_value = a + b == 14 ? cql_value_of_boolean(true) : cql_value_of_integer((int32_t)(a + b));
    return ERR_OK;
}

typedef struct {
    Arena *arena;
    Fixture fixture;
    ValueSets *sets;
    DiagList diags;
    CqlLibraries *libraries;
    CqlPlan *plan;
    int external_calls;
} Checker;

static bool make_plan(Checker *checker, Str sources)
{
    Error err = {0};
    const CqlExternal external = {
        .name = S("Add Up"), .operand_count = 2, .run = add_up, .user = &checker->external_calls};
    const CqlParameter parameters[] = {{.name = S("%given"), .value = S("5")},
                                       {.library = S("A"), .name = S("P"), .value = S("6")}};
    Moment now = {.year = 2026, .month = 1, .day = 15, .precision = PRECISION_DAY};
    CqlPlanOptions options = {.now = now,
                              .value_sets = checker->sets,
                              .dict = checker->fixture.dict,
                              .parameters = parameters,
                              .parameter_count = COUNT_OF(parameters),
                              .externals = arena_copy(checker->arena, &external, sizeof(external)),
                              .external_count = 1};
    checker->libraries = cql_libraries_create(checker->arena);
    diag_init(&checker->diags, checker->arena);
    for (uint32_t number = 1; sources.ptr != NULL; number++) {
        size_t end = str_find(sources, S(";;"));
        Str source = str_slice(sources, 0, end == SIZE_MAX ? sources.len : end);
        Str file = str_format(checker->arena, "%u.cql", number);
        (void)cql_libraries_add(checker->libraries, unescape(checker->arena, source), file,
                                &checker->diags);
        sources = end == SIZE_MAX ? (Str){0} : str_slice(sources, end + 2, sources.len);
    }
    size_t before = checker->diags.counts[SEVERITY_ERROR];
    ErrorCode code = cql_plan_create(checker->arena, checker->libraries, &options, &checker->diags,
                                     &checker->plan, &err);
    CHECK((code == ERR_OK) == (checker->diags.counts[SEVERITY_ERROR] == before));
    return code == ERR_OK && before == 0;
}

static Str check(Checker *checker, Str sources)
{
    (void)make_plan(checker, sources);
    return findings(checker->arena, &checker->diags);
}

static Str values(Checker *checker, Str sources)
{
    StrBuf out;
    Error err = {0};
    uint32_t row;
    strbuf_init(&out, checker->arena, 0);
    if (!make_plan(checker, sources))
        return findings(checker->arena, &checker->diags);
    CqlEval *eval = cql_eval_create(checker->plan);
    if (CHECK(record_find(checker->fixture.batch, S("lena"), &row)))
        cql_eval_begin(eval, (Record){.batch = checker->fixture.batch, .row = row});
    size_t last = cql_libraries_count(checker->libraries) - 1;
    for (size_t i = 0; i < cql_plan_definition_count(checker->plan); i++) {
        const CqlDefinition *definition = cql_plan_definition(checker->plan, i);
        CqlValue value;
        if (!str_eq(definition->library, cql_libraries_name(checker->libraries, last)) ||
            !str_eq(definition->version, cql_libraries_version(checker->libraries, last)))
            continue;
        strbuf_printf(&out, "%s%.*s = ", out.len > 0 ? " | " : "", STR_ARG(definition->name));
        if (cql_eval_definition(eval, i, &value, &err) == ERR_OK) {
            if (str_starts_with(definition->name, S("Json")))
                cql_value_json(value, &out);
            else
                cql_value_format(value, &out);
        } else {
            strbuf_printf(&out, "error: %s", err.message);
            cql_eval_begin(eval, (Record){.batch = checker->fixture.batch, .row = row});
        }
    }
    cql_eval_destroy(eval);
    return strbuf_str(&out);
}

static void init_checker(Checker *checker, Arena *arena)
{
    Error err = {0};
    Str text = S("");
    *checker = (Checker){.arena = arena, .sets = value_sets_create(arena)};
    diag_init(&checker->diags, arena);
    fixture_init(&checker->fixture, arena);
    CHECK_OK(io_read_file(arena, S("tests/cql/data/language.ndjson"), 0, &text, &err), &err);
    fixture_add(&checker->fixture, text, S("language.ndjson"));
    CHECK(fixture_finish(&checker->fixture, &err));
    CHECK_OK(io_read_file(arena, S("tests/cql/data/value-sets.json"), 0, &text, &err), &err);
    value_sets_add(checker->sets, text, S("value-sets.json"), &checker->diags);
    value_sets_resolve(checker->sets, &checker->diags);
}

static void run_table(Arena *arena, const char *path, Str (*run)(Checker *, Str))
{
    Checker checker;
    Str text = S("");
    Error err = {0};
    StrBuf golden;
    strbuf_init(&golden, arena, 0);
    init_checker(&checker, arena);
    if (!CHECK_OK(io_read_file(arena, str_from_c(path), 0, &text, &err), &err))
        return;
    bool is_golden = getenv("BRAID_GOLDEN") != NULL; /* NOLINT(concurrency-mt-unsafe) */
    Str line;
    size_t rows = 0;
    for (uint32_t number = 1; str_split_next(&text, '\n', &line); number++) {
        Str rest = line;
        Str name;
        Str sources = S("");
        if (line.len == 0 || line.ptr[0] == '#') {
            if (text.ptr != NULL || line.len > 0)
                strbuf_printf(&golden, "%.*s\n", STR_ARG(line));
            continue;
        }
        CHECK(str_split_next(&rest, '\t', &name) && str_split_next(&rest, '\t', &sources));
        Str got = run(&checker, sources);
        strbuf_printf(&golden, "%.*s\t%.*s\t%.*s\n", STR_ARG(name), STR_ARG(sources), STR_ARG(got));
        if (!is_golden)
            (void)check_str(got, rest, str_to_c(arena, name), path, (int)number);
        rows++;
    }
    CHECK(rows > 0);
    if (is_golden)
        CHECK_OK(io_write_file(str_from_c(path), strbuf_str(&golden), &err), &err);
}

TEST(findings_of_libraries)
{
    run_table(arena, "tests/cql/cases/check-libraries.tsv", check);
}

TEST(findings_of_calls)
{
    run_table(arena, "tests/cql/cases/check-calls.tsv", check);
}

TEST(findings_of_expressions)
{
    run_table(arena, "tests/cql/cases/check-expressions.tsv", check);
}

TEST(values_of_instances)
{
    run_table(arena, "tests/cql/cases/values-instances.tsv", values);
}

TEST(findings_of_instances)
{
    run_table(arena, "tests/cql/cases/check-instances.tsv", check);
}

TEST(values_of_retrieves)
{
    run_table(arena, "tests/cql/cases/values-retrieves.tsv", values);
}

TEST(findings_of_contexts)
{
    run_table(arena, "tests/cql/cases/check-contexts.tsv", check);
}

TEST(values_of_the_language)
{
    run_table(arena, "tests/cql/cases/values-language.tsv", values);
}

/* A choice called through forty functions is a part of each branch: it is told once. */
TEST(shared_parts_are_told_once)
{
    Checker checker;
    Str source = S("");
    Error err = {0};
    size_t definition;
    CqlClauseVec clauses;
    StrBuf text;
    uint32_t row;
    init_checker(&checker, arena);
    strbuf_init(&text, arena, 0);
    CHECK_OK(io_read_file(arena, S("tests/cql/libraries/Nested.cql"), 0, &source, &err), &err);
    if (!CHECK(make_plan(&checker, source)) ||
        !CHECK(cql_plan_find(checker.plan, S("Nested"), S("Deep"), &definition)) ||
        !CHECK(record_find(checker.fixture.batch, S("lena"), &row)))
        return;
    cql_plan_describe(checker.plan, definition, &text);
    cql_plan_describe_retrieves(checker.plan, &text);
    CHECK(text.len < 100000);
    CqlEval *eval = cql_eval_create(checker.plan);
    cql_eval_begin(eval, (Record){.batch = checker.fixture.batch, .row = row});
    CHECK_OK(cql_eval_trace(eval, definition, arena, &clauses, &err), &err);
    CHECK(clauses.count > 40 && clauses.count < 1000);
    cql_eval_destroy(eval);
}

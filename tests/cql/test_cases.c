/*
 * Runs tests/cql/cases/<name>.case. A line is one of
 *
 *     # a remark, printed when a case after it fails
 *     eval EXPRESSION              without a record; EXPRESSION goes on over indented lines
 *     library PATH                 libraries, value sets and records, relative to tests/cql
 *     value-sets PATH
 *     given PATH
 *     parameter NAME: VALUE
 *     person ID                    whose definitions are asked for
 *     ask NAME                     the value of a definition
 *     needs NAME                   the summary of cql_plan_needs
 *     trace NAME                   every expression that was evaluated: range, kind, value
 *     plan NAME                    the plan, its lines joined by " / "
 *     expect TEXT                  of the line before: the value, or "error: " and the words
 *
 * With BRAID_GOLDEN=1 the expectations are rewritten to what comes out.
 */
#include <stdlib.h>

#include "base/io.h"
#include "base/test.h"
#include "fixture.h"

typedef struct {
    Arena *arena;
    Str file;
    Fixture fixture;
    bool has_fixture;
    bool has_failed;
    ValueSets *sets;
    CqlLibraries *libraries;
    Vec(CqlParameter) parameters;
    DiagList diags;
    CqlPlan *plan;
    CqlEval *eval;
    Str got;
    StrBuf golden;
} Case;

static const Moment evaluation_moment = {
    .year = 2026, .month = 1, .day = 15, .hour = 10, .minute = 30, .precision = PRECISION_MINUTE};

static Str read_input(Case *test, Str path)
{
    Str text = S("");
    Error err = {0};
    CHECK_OK(io_read_file(test->arena, io_join(test->arena, S("tests/cql"), path), 0, &text, &err),
             &err);
    return text;
}

static Str first_error(Case *test, const DiagList *diags, const Error *err)
{
    VEC_FOREACH (Diag, diag, &diags->kept) {
        if (diag->severity == SEVERITY_ERROR)
            return str_format(test->arena, "error: %u:%u %.*s [%.*s]", diag->line, diag->column,
                              STR_ARG(diag->text), STR_ARG(diag->rule));
    }
    return str_format(test->arena, "error: %s", err->message);
}

static void eval_expression(Case *test, Str expression)
{
    StrBuf out;
    DiagList diags;
    Error err = {0};
    CqlPlanOptions options = {.now = evaluation_moment};
    diag_init(&diags, test->arena);
    strbuf_init(&out, test->arena, 0);
    ErrorCode code = cql_eval_expression(test->arena, expression, &options, &diags, &out, &err);
    test->got = code == ERR_OK ? strbuf_str(&out) : first_error(test, &diags, &err);
}

static bool make_plan(Case *test)
{
    Error err = {0};
    if (test->plan != NULL || test->has_failed)
        return test->plan != NULL;
    if (!test->has_fixture)
        fixture_init(&test->fixture, test->arena);
    test->has_fixture = true;
    CHECK(fixture_finish(&test->fixture, &err));
    value_sets_resolve(test->sets, &test->diags);
    CqlPlanOptions options = {.value_sets = test->sets,
                              .dict = test->fixture.dict,
                              .now = evaluation_moment,
                              .parameters = test->parameters.items,
                              .parameter_count = test->parameters.count};
    ErrorCode code =
        cql_plan_create(test->arena, test->libraries, &options, &test->diags, &test->plan, &err);
    if (code != ERR_OK || diag_has_errors(&test->diags)) {
        test->got = first_error(test, &test->diags, &err);
        test->plan = NULL;
        test->has_failed = true;
        return false;
    }
    test->eval = cql_eval_create(test->plan);
    return true;
}

static void choose_person(Case *test, Str id)
{
    uint32_t row;
    if (!make_plan(test))
        return;
    if (CHECK(record_find(test->fixture.batch, id, &row)))
        cql_eval_begin(test->eval, (Record){.batch = test->fixture.batch, .row = row});
}

static void ask(Case *test, Str name)
{
    size_t definition;
    CqlValue value;
    Error err = {0};
    StrBuf out;
    strbuf_init(&out, test->arena, 0);
    if (!make_plan(test))
        return;
    if (!CHECK(cql_plan_find(test->plan, S(""), name, &definition)))
        return;
    if (cql_eval_definition(test->eval, definition, &value, &err) == ERR_OK) {
        cql_value_format(value, &out);
        test->got = strbuf_str(&out);
    } else {
        test->got = str_format(test->arena, "error: %s", err.message);
    }
}

static void ask_needs(Case *test, Str name)
{
    size_t definition;
    const CqlNeed *needs;
    size_t count;
    StrBuf out;
    strbuf_init(&out, test->arena, 0);
    if (!make_plan(test) || !CHECK(cql_plan_find(test->plan, S(""), name, &definition)))
        return;
    if (!cql_plan_needs(test->plan, definition, &needs, &count)) {
        test->got = S("everybody");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        strbuf_printf(&out, "%.*s", STR_ARG(fhir_type_name(needs[i].type)));
        if (needs[i].concepts != NULL)
            strbuf_printf(&out, " of %u concepts", needs[i].concepts->count);
        strbuf_add(&out, S(", "));
    }
    strbuf_add(&out, S("else "));
    cql_value_format(cql_plan_value_without(test->plan, definition), &out);
    test->got = strbuf_str(&out);
}

static void trace(Case *test, Str name)
{
    size_t definition;
    CqlClauseVec clauses;
    Error err = {0};
    StrBuf out;
    strbuf_init(&out, test->arena, 0);
    if (!make_plan(test) || !CHECK(cql_plan_find(test->plan, S(""), name, &definition)))
        return;
    ErrorCode code = cql_eval_trace(test->eval, definition, test->arena, &clauses, &err);
    if (code != ERR_OK)
        strbuf_printf(&out, "error: %s", err.message);
    VEC_FOREACH (CqlClause, clause, &clauses) {
        strbuf_printf(&out, "%s%.*s%s%.*s %u:%u-%u:%u", out.len > 0 ? " / " : "",
                      STR_ARG(clause->role), clause->role.len > 0 ? " " : "", STR_ARG(clause->kind),
                      clause->range.line, clause->range.column, clause->range.end_line,
                      clause->range.end_column);
        if (clause->times != 1)
            strbuf_printf(&out, " x%llu", (unsigned long long)clause->times);
        if (clause->times > 0) {
            FhirNode node;
            strbuf_add(&out, S(" = "));
            if (cql_value_node(clause->value, &node))
                strbuf_add(&out, fhir_type_name(node.type));
            else
                cql_value_format(clause->value, &out);
        }
    }
    test->got = strbuf_str(&out);
}

static void show_plan(Case *test, Str name)
{
    size_t definition;
    StrBuf out;
    strbuf_init(&out, test->arena, 0);
    if (!make_plan(test) || !CHECK(cql_plan_find(test->plan, S(""), name, &definition)))
        return;
    cql_plan_describe(test->plan, definition, &out);
    cql_plan_describe_retrieves(test->plan, &out);
    Str rest = str_trim(strbuf_str(&out));
    Str line;
    StrBuf joined;
    strbuf_init(&joined, test->arena, 0);
    while (str_split_next(&rest, '\n', &line))
        strbuf_printf(&joined, "%s%.*s", joined.len > 0 ? " / " : "", STR_ARG(line));
    test->got = strbuf_str(&joined);
}

static void add_parameter(Case *test, Str text)
{
    size_t colon = str_find(text, S(": "));
    CqlParameter parameter = {.name = str_slice(text, 0, colon),
                              .value = str_slice(text, colon + 2, text.len)};
    VEC_PUSH(test->arena, &test->parameters, parameter);
}

static void expect(Case *test, Str want, uint32_t line)
{
    if (!check_str(test->got, want, "expect", (const char *)test->file.ptr, (int)line))
        return;
}

static bool take_word(Str line, const char *word, Str *ret_rest)
{
    Str prefix = str_from_c(word);
    if (!str_starts_with(line, prefix))
        return false;
    *ret_rest = str_trim(str_slice(line, prefix.len, line.len));
    return true;
}

static void run_line(Case *test, Str line, uint32_t number)
{
    Str rest;
    if (take_word(line, "eval ", &rest)) {
        eval_expression(test, rest);
    } else if (take_word(line, "library ", &rest)) {
        (void)cql_libraries_add(test->libraries, read_input(test, rest), rest, &test->diags);
    } else if (take_word(line, "value-sets ", &rest)) {
        value_sets_add(test->sets, read_input(test, rest), rest, &test->diags);
    } else if (take_word(line, "given ", &rest)) {
        if (!test->has_fixture)
            fixture_init(&test->fixture, test->arena);
        test->has_fixture = true;
        fixture_add(&test->fixture, read_input(test, rest), rest);
    } else if (take_word(line, "parameter ", &rest)) {
        add_parameter(test, rest);
    } else if (take_word(line, "person ", &rest)) {
        choose_person(test, rest);
    } else if (take_word(line, "ask ", &rest)) {
        ask(test, rest);
    } else if (take_word(line, "needs ", &rest)) {
        ask_needs(test, rest);
    } else if (take_word(line, "trace ", &rest)) {
        trace(test, rest);
    } else if (take_word(line, "plan ", &rest)) {
        show_plan(test, rest);
    } else if (take_word(line, "expect ", &rest)) {
        expect(test, rest, number);
    } else {
        CHECK(line.len == 0 || line.ptr[0] == '#');
    }
}

static void run_file(Arena *arena, const char *path)
{
    Str text = S("");
    Error err = {0};
    Case test = {.arena = arena, .file = str_from_c(path), .sets = value_sets_create(arena)};
    test.libraries = cql_libraries_create(arena);
    diag_init(&test.diags, arena);
    strbuf_init(&test.golden, arena, 0);
    if (!CHECK_OK(io_read_file(arena, test.file, 0, &text, &err), &err))
        return;
    bool is_golden = getenv("BRAID_GOLDEN") != NULL; /* NOLINT(concurrency-mt-unsafe) */
    Str line;
    for (uint32_t number = 1; str_split_next(&text, '\n', &line); number++) {
        Str ignored;
        if (is_golden && take_word(line, "expect ", &ignored)) {
            strbuf_printf(&test.golden, "expect %.*s\n", STR_ARG(test.got));
            continue;
        }
        run_line(&test, str_trim(line), number);
        if (text.ptr != NULL || line.len > 0)
            strbuf_printf(&test.golden, "%.*s\n", STR_ARG(line));
    }
    if (is_golden)
        CHECK_OK(io_write_file(test.file, strbuf_str(&test.golden), &err), &err);
    cql_eval_destroy(test.eval);
}

TEST(cases_of_expressions)
{
    run_file(arena, "tests/cql/cases/expressions.case");
}

TEST(cases_of_errors)
{
    run_file(arena, "tests/cql/cases/errors.case");
}

TEST(cases_of_the_diabetes_library)
{
    run_file(arena, "tests/cql/cases/diabetes.case");
}

TEST(cases_of_the_visits_library)
{
    run_file(arena, "tests/cql/cases/visits.case");
}

TEST(profiles_and_mapped_elements)
{
    run_file(arena, "tests/cql/cases/profiles.case");
}

TEST(slices_of_an_older_version)
{
    run_file(arena, "tests/cql/cases/slices.case");
}

TEST(cases_of_what_grows_without_end)
{
    run_file(arena, "tests/cql/cases/limits.case");
}

TEST(cases_of_explanations)
{
    run_file(arena, "tests/cql/cases/explain.case");
}

TEST(cases_of_a_library_with_errors)
{
    run_file(arena, "tests/cql/cases/broken.case");
}

/* The library that comes with the programme must resolve without a finding. */
TEST(the_starter_library_resolves)
{
    Case test = {.arena = arena, .file = S("starter"), .sets = value_sets_create(arena)};
    IoNames names = {0};
    Error err = {0};
    Str folder = S("../../programmes/starter/valuesets");
    test.libraries = cql_libraries_create(arena);
    diag_init(&test.diags, arena);
    CHECK_OK(io_list_dir(arena, S("programmes/starter/valuesets"), &names, &err), &err);
    VEC_FOREACH (Str, name, &names)
        value_sets_add(test.sets, read_input(&test, io_join(arena, folder, *name)), *name,
                       &test.diags);
    Str library = S("../../programmes/starter/cql/Starter.cql");
    CHECK(cql_libraries_add(test.libraries, read_input(&test, library), library, &test.diags));
    add_parameter(&test, S("Measurement Period: Interval[@2020-01-01T00, @2020-12-31T23]"));
    CHECK(make_plan(&test));
    CHECK_INT((int64_t)test.diags.kept.count, 0);
    size_t definition;
    const CqlNeed *needs;
    size_t count;
    CHECK(cql_plan_find(test.plan, S("Starter"), S("On the Diabetes Register"), &definition));
    CHECK(cql_plan_needs(test.plan, definition, &needs, &count));
    CHECK_INT((int64_t)count, 1);
    CHECK(!cql_value_is_true(cql_plan_value_without(test.plan, definition)));
    cql_eval_destroy(test.eval);
}

/* With roots, an error elsewhere costs only what rests on it; functions are called from outside. */
TEST(a_plan_for_roots_leaves_out_what_cannot_be_resolved)
{
    CqlLibraries *libraries = cql_libraries_create(arena);
    DiagList diags;
    diag_init(&diags, arena);
    CHECK(cql_libraries_add(libraries,
                            S("library R version '1'\n"
                              "context Unfiltered\n"
                              "define Good: 1 + Used\n"
                              "define Used: 2\n"
                              "define Unused: Missing + 1\n"
                              "define Bad: Lost + 1\n"
                              "define Worse: Bad\n"
                              "define function Twice(n Integer): n * 2\n"
                              "define function Other(n Integer): Lost\n"),
                            S("R.cql"), &diags));
    const CqlRoot roots[] = {{.library = S("R"), .name = S("Good")},
                             {.library = S("R"), .version = S("1"), .name = S("Worse")},
                             {.library = S("R"), .name = S("Twice")},
                             {.library = S("R"), .name = S("Other")}};
    CqlPlanOptions options = {
        .now = {.year = 2020, .month = 1, .day = 1}, .roots = roots, .root_count = COUNT_OF(roots)};
    CqlPlan *plan = NULL;
    Error err = {0};
    CHECK_OK(cql_plan_create(arena, libraries, &options, &diags, &plan, &err), &err);
    CHECK_INT(diags.counts[SEVERITY_ERROR], 2); /* Bad and Other; Unused was not asked for */
    static const struct {
        const char *name;
        bool is_usable;
    } rows[] = {
        {"Good", true}, {"Used", true}, {"Unused", false}, {"Bad", false}, {"Worse", false}};
    CqlEval *eval = cql_eval_create(plan);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t definition = 0;
        CqlValue value;
        CHECK(cql_plan_find(plan, S("R"), str_from_c(rows[i].name), &definition));
        CHECK_ROW(rows[i].name, cql_plan_definition(plan, definition)->is_usable,
                  rows[i].is_usable);
        cql_eval_begin_unfiltered(eval);
        CHECK_ROW(rows[i].name, cql_eval_definition(eval, definition, &value, &err) == ERR_OK,
                  rows[i].is_usable);
    }
    CHECK_INT(cql_plan_function_count(plan), 1);
    CHECK_STR(cql_plan_function(plan, 0)->name, S("Twice"));
    CHECK_STR(cql_plan_function(plan, 0)->operand, S("System.Integer"));
    size_t good = 0;
    CqlValue value;
    int64_t number = 0;
    cql_eval_begin_unfiltered(eval);
    CHECK(cql_plan_find(plan, S("R"), S("Good"), &good));
    CHECK_OK(cql_eval_definition(eval, good, &value, &err), &err);
    CHECK_OK(cql_eval_function(eval, 0, &value, &value, &err), &err);
    CHECK(cql_value_integer(value, &number));
    CHECK_INT(number, 6);
    cql_eval_destroy(eval);
}

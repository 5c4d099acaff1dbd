/*
 * braid cql test: files of the public suite's XML form.
 *
 * A test is an expression and what it should come to, which is CQL too: it passes when both have
 * the same canonical text, or `(expression) = (expected)` is true. One that is marked invalid
 * passes when it does not compile or its evaluation ends with an error. What belongs to another
 * version of CQL than 1.0 to 1.5 is skipped, and named.
 */
#include "base/io.h"
#include "base/xml.h"
#include "cli/cql_input.h"

typedef struct {
    size_t passed;
    size_t failed;
    size_t skipped;
} Counts;

typedef struct {
    Cli *cli;
    Arena *arena;     /* of one test */
    JsonWriter *json; /* NULL without --json */
    DiagList diags;
    Counts all;
    Counts file;
    Str path;
} Run;

/* The moment of all tests: fixed, so that the outcome is that of the suite and the engine alone. */
static const Moment test_now = {.year = 2026,
                                .month = 1,
                                .day = 15,
                                .hour = 10,
                                .minute = 30,
                                .second = 15,
                                .millisecond = 250,
                                .offset_minutes = 0,
                                .precision = PRECISION_MILLISECOND};

/* --- judging --- */

/* The canonical text of the value, or false and what went wrong. */
static bool evaluate(Run *run, Str expression, Str *ret_text)
{
    DiagList diags;
    Error err = {0};
    StrBuf out;
    strbuf_init(&out, run->arena, 0);
    diag_init(&diags, run->arena);
    CqlPlanOptions options = {.now = test_now};
    if (cql_eval_expression(run->arena, expression, &options, &diags, &out, &err) == ERR_OK) {
        *ret_text = strbuf_str(&out);
        return true;
    }
    *ret_text = str_copy(run->arena, str_from_c(err.message));
    VEC_FOREACH (Diag, diag, &diags.kept)
        if (diag->severity == SEVERITY_ERROR) {
            *ret_text = diag->text;
            break;
        }
    return false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Numbers are compared by value: "10.0" and "10" alike. */
static Str without_zeros(Arena *arena, Str text)
{
    StrBuf buf;
    strbuf_init(&buf, arena, 0);
    for (size_t i = 0; i < text.len; i++) {
        bool is_zero = text.ptr[i] == '.' && i > 0 && is_digit(text.ptr[i - 1]) &&
                       i + 1 < text.len && text.ptr[i + 1] == '0' &&
                       (i + 2 == text.len || strchr(", ]})", text.ptr[i + 2]) != NULL);
        if (is_zero)
            i++;
        else
            strbuf_add_char(&buf, text.ptr[i]);
    }
    return strbuf_str(&buf);
}

static bool is_as_expected(Run *run, Str expression, Str got, Str expected, Str *ret_want)
{
    if (!evaluate(run, expected, ret_want))
        return false;
    if (str_eq(without_zeros(run->arena, got), without_zeros(run->arena, *ret_want)))
        return true;
    Str answer;
    Str question =
        str_format(run->arena, "(%.*s\n) = (%.*s\n)", STR_ARG(expression), STR_ARG(expected));
    return evaluate(run, question, &answer) && str_eq(answer, S("true"));
}

/* "1.0" to "1.5" as 10 to 15; 0 for anything else. */
static int version_number(Str version)
{
    bool is_number = version.len >= 3 && is_digit(version.ptr[0]) && version.ptr[1] == '.' &&
                     is_digit(version.ptr[2]) && (version.len == 3 || !is_digit(version.ptr[3]));
    return is_number ? (version.ptr[0] - '0') * 10 + (version.ptr[2] - '0') : 0;
}

/* Why the test is of another version, or the empty Str. The nearest element that says a version
   counts. */
static Str other_version(Run *run, const XmlNode *const *elements, size_t count)
{
    const Str *from = NULL;
    const Str *to = NULL;
    for (size_t i = 0; i < count; i++) {
        const Str *version = xml_find_attribute(elements[i], S("version"));
        const Str *last = xml_find_attribute(elements[i], S("versionTo"));
        from = version == NULL ? from : version;
        to = last == NULL ? to : last;
    }
    if (from != NULL && version_number(*from) > 15)
        return str_format(run->arena, "from version %.*s on", STR_ARG(*from));
    if (to != NULL && version_number(*to) < 15)
        return str_format(run->arena, "up to version %.*s", STR_ARG(*to));
    return (Str){0};
}

/* --- showing --- */

/* On one line. */
static Str flat(Arena *arena, Str text)
{
    StrBuf buf;
    strbuf_init(&buf, arena, 0);
    Str trimmed = str_trim(text);
    for (size_t i = 0; i < trimmed.len; i++) {
        char c = trimmed.ptr[i];
        bool is_space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
        if (!is_space)
            strbuf_add_char(&buf, c);
        else if (buf.len > 0 && buf.ptr[buf.len - 1] != ' ')
            strbuf_add_char(&buf, ' ');
    }
    return strbuf_str(&buf);
}

typedef struct {
    Str name;
    Str outcome; /* "passed", "failed", "skipped" */
    Str expression;
    Str expected;
    Str found;
    Str why;
    uint32_t line;
} Outcome;

static void show(Run *run, const Outcome *outcome)
{
    Arena *arena = run->arena;
    if (run->json != NULL) {
        json_object_begin(run->json);
        json_member_str(run->json, S("test"), outcome->name);
        json_member_int(run->json, S("line"), outcome->line);
        json_member_str(run->json, S("outcome"), outcome->outcome);
        if (outcome->why.len > 0) {
            json_member_str(run->json, S("why"), outcome->why);
        } else {
            json_member_str(run->json, S("expression"), flat(arena, outcome->expression));
            json_member_str(run->json, S("expected"), flat(arena, outcome->expected));
            json_member_str(run->json, S("found"), flat(arena, outcome->found));
        }
        json_object_end(run->json);
        return;
    }
    StrBuf *out = &run->cli->out;
    if (outcome->why.len > 0)
        strbuf_printf(out, "%.*s:%u: skipped: %.*s: %.*s\n", STR_ARG(run->path), outcome->line,
                      STR_ARG(outcome->name), STR_ARG(outcome->why));
    else if (str_eq(outcome->outcome, S("failed")))
        strbuf_printf(out,
                      "%.*s:%u: failed: %.*s\n    expression  %.*s\n    expected    %.*s\n"
                      "    found       %.*s\n",
                      STR_ARG(run->path), outcome->line, STR_ARG(outcome->name),
                      STR_ARG(flat(arena, outcome->expression)),
                      STR_ARG(flat(arena, outcome->expected)),
                      STR_ARG(flat(arena, outcome->found)));
}

/* --- running --- */

static void run_one(Run *run, const XmlNode *test, Outcome *outcome)
{
    const XmlNode *expression = xml_first(test, S("expression"));
    if (expression == NULL) {
        outcome->found = S("the test has no expression");
        return;
    }
    const XmlNode *output = xml_first(test, S("output"));
    Str invalid = xml_attribute(expression, S("invalid"));
    bool is_invalid = invalid.len > 0 && !str_eq(invalid, S("false"));
    outcome->expression = expression->text;
    outcome->expected = is_invalid ? S("an error") : output == NULL ? S("") : output->text;
    bool is_value = evaluate(run, expression->text, &outcome->found);
    if (is_invalid) {
        outcome->outcome = is_value ? S("failed") : S("passed");
        return;
    }
    Str want;
    if (output == NULL)
        outcome->expected = S("(the test has no output)");
    else if (is_value && is_as_expected(run, expression->text, outcome->found, output->text, &want))
        outcome->outcome = S("passed");
}

static void run_test(Run *run, const XmlNode *const *elements, size_t count)
{
    const XmlNode *test = elements[count - 1];
    Outcome outcome = {.name = str_format(run->arena, "%.*s.%.*s",
                                          STR_ARG(xml_attribute(elements[count - 2], S("name"))),
                                          STR_ARG(xml_attribute(test, S("name")))),
                       .outcome = S("failed"),
                       .line = test->line};
    outcome.why = other_version(run, elements, count);
    if (outcome.why.len > 0) {
        outcome.outcome = S("skipped");
        run->file.skipped++;
    } else {
        run_one(run, test, &outcome);
        bool is_passed = str_eq(outcome.outcome, S("passed"));
        run->file.passed += is_passed;
        run->file.failed += !is_passed;
    }
    show(run, &outcome);
    arena_reset(run->arena);
}

static void run_groups(Run *run, const XmlNode *root)
{
    for (const XmlNode *group = xml_first(root, S("group")); group != NULL;
         group = xml_next(group, S("group")))
        for (const XmlNode *test = xml_first(group, S("test")); test != NULL;
             test = xml_next(test, S("test")))
            run_test(run, (const XmlNode *const[]){root, group, test}, 3);
}

static void end_file(Run *run)
{
    const Counts *file = &run->file;
    if (run->json != NULL) {
        json_array_end(run->json);
        json_member_int(run->json, S("passed"), (int64_t)file->passed);
        json_member_int(run->json, S("failed"), (int64_t)file->failed);
        json_member_int(run->json, S("skipped"), (int64_t)file->skipped);
        json_object_end(run->json);
    } else {
        strbuf_printf(&run->cli->out, "%.*s: %zu passed, %zu failed, %zu skipped\n",
                      STR_ARG(run->path), file->passed, file->failed, file->skipped);
    }
    run->all.passed += file->passed;
    run->all.failed += file->failed;
    run->all.skipped += file->skipped;
}

static ErrorCode run_file(Run *run, Str path)
{
    Arena *arena CLEANUP(arena_cleanup) = arena_create(0);
    Str text;
    ErrorCode code = io_read_file(arena, path, 0, &text, &run->cli->err);
    if (code != ERR_OK)
        return code;
    XmlNode *root;
    if (!xml_parse(arena, text, path, &run->diags, &root))
        return ERR_OK;
    if (!str_eq(root->name, S("tests"))) {
        diag_addf(&run->diags,
                  (Diag){.severity = SEVERITY_ERROR,
                         .file = path,
                         .line = root->line,
                         .rule = S("cql-test")},
                  "the element is '%.*s' and should be 'tests'", STR_ARG(root->name));
        return ERR_OK;
    }
    run->path = path;
    run->file = (Counts){0};
    if (run->json != NULL) {
        json_object_begin(run->json);
        json_member_str(run->json, S("file"), path);
        json_key(run->json, S("tests"));
        json_array_begin(run->json);
    }
    run_groups(run, root);
    end_file(run);
    return ERR_OK;
}

static ErrorCode run_path(Run *run, Str path)
{
    if (!io_is_dir(path))
        return run_file(run, path);
    IoNames names = {0};
    ErrorCode code = io_list_dir(run->cli->arena, path, &names, &run->cli->err);
    for (size_t i = 0; code == ERR_OK && i < names.count; i++)
        if (str_ends_with(names.items[i], S(".xml")))
            code = run_file(run, io_join(run->cli->arena, path, names.items[i]));
    return code;
}

static void end_run(Run *run)
{
    const Counts *all = &run->all;
    if (run->json != NULL) {
        json_array_end(run->json);
        json_member_int(run->json, S("passed"), (int64_t)all->passed);
        json_member_int(run->json, S("failed"), (int64_t)all->failed);
        json_member_int(run->json, S("skipped"), (int64_t)all->skipped);
        cli_json_findings(run->json, &run->diags);
        json_object_end(run->json);
        strbuf_add_char(&run->cli->out, '\n');
    } else {
        strbuf_printf(&run->cli->out, "%zu passed, %zu failed, %zu skipped\n", all->passed,
                      all->failed, all->skipped);
    }
}

ExitCode cmd_cql_test(Cli *cli)
{
    Arena *arena CLEANUP(arena_cleanup) = arena_create(0);
    JsonWriter json;
    Run run = {.cli = cli, .arena = arena};
    diag_init(&run.diags, cli->arena);
    if (cli_has(cli, OPTION_JSON)) {
        run.json = &json;
        json_writer_init(&json, &cli->out, true);
        json_object_begin(&json);
        json_key(&json, S("files"));
        json_array_begin(&json);
    }
    for (size_t i = 0; i < cli->arguments.count; i++)
        if (run_path(&run, cli->arguments.items[i]) != ERR_OK)
            return cli_fail(cli);
    end_run(&run);
    cli_show_findings(cli, &run.diags);
    return cli_finish(cli, diag_has_errors(&run.diags) ? EXIT_CODE_DOCUMENT
                           : run.all.failed > 0        ? EXIT_CODE_REFUSED
                                                       : EXIT_CODE_OK);
}

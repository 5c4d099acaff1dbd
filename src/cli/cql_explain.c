/*
 * braid cql explain: how a definition is worked out: its plan, and for a person what every
 * expression of its text gave, with the resources behind it.
 */
#include <stdlib.h>

#include "base/io.h"
#include "cli/cql_input.h"
#include "cli/cql_persons.h"

enum { VALUE_SHOWN = 160, SOURCE_SHOWN = 80, EVENTS_SHOWN = 5 };

/* A library's text, read again to be shown. */
typedef struct {
    Str file;
    Str text;
    size_t *lines; /* where each begins, and the end */
    size_t line_count;
} Source;

typedef struct {
    Cli *cli;
    const CqlPlan *plan;
    CqlEval *eval;
    CqlPersons persons;
    const size_t *definitions;
    size_t definition_count;
    Vec(Source) sources;
    DiagList diags;
    bool had_errors;
} Explain;

/* --- the text of expressions --- */

static const Source *source_of(Explain *explain, Str file)
{
    Arena *arena = explain->cli->arena;
    VEC_FOREACH (const Source, each, &explain->sources)
        if (str_eq(each->file, file))
            return each; /* good until another one is added */
    Source source = {.file = file};
    Error err = {0};
    if (io_read_file(arena, file, 0, &source.text, &err) != ERR_OK)
        source.text = S("");
    source.lines = ARENA_ARRAY(arena, size_t, source.text.len + 2);
    source.lines[source.line_count++] = 0;
    for (size_t i = 0; i < source.text.len; i++)
        if (source.text.ptr[i] == '\n')
            source.lines[source.line_count++] = i + 1;
    source.lines[source.line_count] = source.text.len;
    VEC_PUSH(arena, &explain->sources, source);
    return &explain->sources.items[explain->sources.count - 1];
}

/* Byte offset of a place; the end of the text for places beyond it. */
static size_t offset_of(const Source *source, uint32_t line, uint32_t column)
{
    if (line == 0 || line > source->line_count || column == 0)
        return source->text.len;
    size_t at = source->lines[line - 1] + column - 1;
    return at < source->text.len ? at : source->text.len;
}

static size_t clause_begin(const Source *source, const CqlClause *clause)
{
    return offset_of(source, clause->range.line, clause->range.column);
}

static size_t clause_end(const Source *source, const CqlClause *clause)
{
    size_t begin = clause_begin(source, clause);
    size_t last = offset_of(source, clause->range.end_line, clause->range.end_column);
    return last >= begin && last < source->text.len ? last + 1 : begin;
}

/* White space as one blank, cut to `most` bytes. */
static Str one_line(Arena *arena, Str text, size_t most)
{
    StrBuf buf;
    strbuf_init(&buf, arena, 0);
    for (size_t i = 0; i < text.len && buf.len < most; i++) {
        bool is_space = strchr(" \t\r\n", text.ptr[i]) != NULL;
        if (!is_space)
            strbuf_add_char(&buf, text.ptr[i]);
        else if (buf.len > 0 && buf.ptr[buf.len - 1] != ' ')
            strbuf_add_char(&buf, ' ');
    }
    if (buf.len < most)
        return strbuf_str(&buf);
    strbuf_add_char(&buf, '\0');
    str_mend_cut(buf.ptr);
    return str_format(arena, "%s ...", buf.ptr);
}

/* --- values --- */

static Str value_text(Arena *arena, const CqlClause *clause)
{
    if (clause->times == 0)
        return S("(passed by)");
    CqlKind kind = cql_value_kind(clause->value);
    if (kind == CQL_LIST)
        return str_format(arena, "%zu items", cql_value_count(clause->value));
    StrBuf buf;
    strbuf_init(&buf, arena, 0);
    cql_value_format(clause->value, &buf);
    return one_line(arena, strbuf_str(&buf), VALUE_SHOWN);
}

/* "Observation/a 2020-03-02, Condition/b" */
static Str events_text(const Explain *explain, Arena *arena, const CqlClause *clause)
{
    CqlEventVec events = {0};
    if (clause->times > 0)
        cql_eval_events(explain->eval, clause->value, arena, &events);
    StrBuf buf;
    strbuf_init(&buf, arena, 0);
    for (size_t i = 0; i < events.count && i < EVENTS_SHOWN; i++) {
        const CqlEvent *event = &events.items[i];
        strbuf_printf(&buf, "%s%.*s/%.*s", i == 0 ? "" : ", ", STR_ARG(fhir_type_name(event->type)),
                      STR_ARG(event->id));
        if (event->day != DAY_NONE)
            strbuf_printf(&buf, " %.*s", STR_ARG(day_format(arena, event->day)));
    }
    if (events.count > EVENTS_SHOWN)
        strbuf_printf(&buf, " and %zu more", events.count - EVENTS_SHOWN);
    return strbuf_str(&buf);
}

/* "true", "false", "null", "empty" or "value" for highlighting; "none" for what was passed by. */
static const char *outcome_of(const CqlClause *clause)
{
    CqlKind kind = cql_value_kind(clause->value);
    if (clause->times == 0)
        return "none";
    if (kind == CQL_NULL)
        return "null";
    if (kind == CQL_BOOLEAN)
        return cql_value_is_true(clause->value) ? "true" : "false";
    return kind == CQL_LIST && cql_value_count(clause->value) == 0 ? "empty" : "value";
}

/* --- as text --- */

static void add_clause(Explain *explain, Arena *arena, const CqlClause *clause)
{
    StrBuf *out = &explain->cli->out;
    const Source *source = source_of(explain, clause->file);
    size_t begin = clause_begin(source, clause);
    Str text = str_slice(source->text, begin, clause_end(source, clause) - begin);
    if (clause->depth == 0)
        strbuf_printf(out, "\n%.*s:%u: %.*s.\"%.*s\"\n", STR_ARG(clause->file), clause->range.line,
                      STR_ARG(clause->library), STR_ARG(clause->definition));
    strbuf_printf(out, "%*s%.*s", (int)(2 + 2 * (clause->depth < 40 ? clause->depth : 40)), "",
                  STR_ARG(value_text(arena, clause)));
    if (clause->times > 1)
        strbuf_printf(out, " (last of %llu", (unsigned long long)clause->times);
    if (clause->times > 1 && cql_value_kind(clause->value) == CQL_BOOLEAN)
        strbuf_printf(out, ", %llu true", (unsigned long long)clause->times_true);
    strbuf_printf(out, "%s  %.*s%s%.*s  %.*s", clause->times > 1 ? ")" : "", STR_ARG(clause->role),
                  clause->role.len > 0 ? ": " : "", STR_ARG(clause->kind),
                  STR_ARG(one_line(arena, text, SOURCE_SHOWN)));
    Str events = events_text(explain, arena, clause);
    if (events.len > 0)
        strbuf_printf(out, "  <- %.*s", STR_ARG(events));
    strbuf_add_char(out, '\n');
}

/* --- as JSON --- */

static void add_json_clause(Explain *explain, Arena *arena, JsonWriter *json,
                            const CqlClause *clause)
{
    json_object_begin(json);
    json_member_str(json, S("library"), clause->library);
    json_member_str(json, S("file"), clause->file);
    json_member_str(json, S("definition"), clause->definition);
    json_member_int(json, S("line"), clause->range.line);
    json_member_int(json, S("column"), clause->range.column);
    json_member_int(json, S("endLine"), clause->range.end_line);
    json_member_int(json, S("endColumn"), clause->range.end_column);
    json_member_int(json, S("depth"), clause->depth);
    json_member_str(json, S("kind"), clause->kind);
    json_member_str(json, S("role"), clause->role);
    json_member_str(json, S("type"), clause->type);
    json_member_int(json, S("times"), (int64_t)clause->times);
    json_member_int(json, S("timesTrue"), (int64_t)clause->times_true);
    if (clause->times > 0) {
        StrBuf value;
        strbuf_init(&value, arena, 0);
        cql_value_json(clause->value, &value);
        json_key(json, S("value"));
        json_raw(json, strbuf_str(&value));
    }
    CqlEventVec events = {0};
    if (clause->times > 0)
        cql_eval_events(explain->eval, clause->value, arena, &events);
    json_key(json, S("facts"));
    json_array_begin(json);
    VEC_FOREACH (const CqlEvent, event, &events)
        json_str(json, str_format(arena, "%.*s/%.*s", STR_ARG(fhir_type_name(event->type)),
                                  STR_ARG(event->id)));
    json_array_end(json);
    json_object_end(json);
}

/* --- as HTML --- */

static void add_html_text(StrBuf *out, Str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '<')
            strbuf_add(out, S("&lt;"));
        else if (c == '>')
            strbuf_add(out, S("&gt;"));
        else if (c == '&')
            strbuf_add(out, S("&amp;"));
        else if (c == '"')
            strbuf_add(out, S("&quot;"));
        else
            strbuf_add_char(out, c);
    }
}

/* An expression's place in the text, and what is shown of it: values do not outlive their trace. */
typedef struct {
    size_t source;
    size_t begin;
    size_t end;
    size_t order;
    const char *outcome;
    Str title;
} Span;
typedef Vec(Span) SpanVec;

/* By place, what is around before what is within. */
static int compare_spans(const void *a, const void *b)
{
    const Span *x = a;
    const Span *y = b;
    if (x->source != y->source)
        return x->source < y->source ? -1 : 1;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end > y->end ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static void add_span(Explain *explain, Arena *arena, SpanVec *spans, const CqlClause *clause)
{
    const Source *source = source_of(explain, clause->file);
    Str events = events_text(explain, arena, clause);
    Span span = {.source = (size_t)(source - explain->sources.items),
                 .begin = clause_begin(source, clause),
                 .end = clause_end(source, clause),
                 .order = spans->count,
                 .outcome = outcome_of(clause),
                 .title = str_format(arena, "%.*s%s%.*s", STR_ARG(value_text(arena, clause)),
                                     events.len > 0 ? "\n" : "", STR_ARG(events))};
    if (span.end > span.begin)
        VEC_PUSH(arena, spans, span);
}

/* The file's text with a span round every expression; *at moves over its spans. */
static void add_html_source(Explain *explain, Arena *arena, size_t number, const SpanVec *spans,
                            size_t *at)
{
    StrBuf *out = &explain->cli->out;
    Str text = explain->sources.items[number].text;
    SpanVec open = {0};
    size_t done = 0;
    for (;; ++*at) {
        bool is_last = *at == spans->count || spans->items[*at].source != number;
        size_t until = is_last ? text.len : spans->items[*at].begin;
        while (open.count > 0 && open.items[open.count - 1].end <= until) {
            size_t end = open.items[--open.count].end;
            add_html_text(out, str_slice(text, done, end - done));
            done = end;
            strbuf_add(out, S("</span>"));
        }
        add_html_text(out, str_slice(text, done, until - done));
        done = until;
        if (is_last)
            break;
        /* Ranges nest; one that would not ends with what is around it. */
        Span span = spans->items[*at];
        if (open.count > 0 && span.end > open.items[open.count - 1].end)
            span.end = open.items[open.count - 1].end;
        strbuf_printf(out, "<span class=\"%s\" title=\"", span.outcome);
        add_html_text(out, span.title);
        strbuf_add(out, S("\">"));
        VEC_PUSH(arena, &open, span);
    }
}

static void add_html(Explain *explain, Arena *arena, Str person, SpanVec *spans)
{
    StrBuf *out = &explain->cli->out;
    strbuf_add(out, S("<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>"));
    add_html_text(out, person);
    strbuf_add(out, S("</title>\n<style>\n"
                      "body{font-family:sans-serif;margin:2em}pre{line-height:1.5}\n"
                      ".true,.value{background:#d8f0d8}.false,.null,.empty{background:#f6dcd6}\n"
                      ".none{background:#eee;color:#777}span:hover{outline:1px solid #555}\n"
                      "</style>\n<h1>"));
    add_html_text(out, person);
    strbuf_add(out, S("</h1>\n<p>Green: true, or a value. Red: false, null or empty. Grey: not "
                      "asked for. Point at an expression for its value and the resources behind "
                      "it.</p>\n"));
    if (spans->count > 0)
        qsort(spans->items, spans->count, sizeof(Span), compare_spans);
    size_t at = 0;
    for (size_t i = 0; i < explain->sources.count; i++) {
        strbuf_add(out, S("<h2>"));
        add_html_text(out, explain->sources.items[i].file);
        strbuf_add(out, S("</h2>\n<pre>"));
        add_html_source(explain, arena, i, spans, &at);
        strbuf_add(out, S("</pre>\n"));
    }
}

/* --- the command --- */

static void add_plan(Explain *explain)
{
    StrBuf *out = &explain->cli->out;
    for (size_t i = 0; i < explain->definition_count; i++) {
        const CqlDefinition *facts = cql_plan_definition(explain->plan, explain->definitions[i]);
        strbuf_printf(out, "%.*s.\"%.*s\": %.*s\n", STR_ARG(facts->library), STR_ARG(facts->name),
                      STR_ARG(facts->type));
        cql_plan_describe(explain->plan, explain->definitions[i], out);
        strbuf_add_char(out, '\n');
    }
    cql_plan_describe_retrieves(explain->plan, out);
}

/* What the clauses of a person go into: one of text (both NULL), JSON and spans. */
typedef struct {
    JsonWriter *json;
    SpanVec *spans;
    Map shown; /* definitions that stand there already */
} Output;

/* Definitions that were not come to, or have been shown, are left out with all that is in them. */
static bool is_shown(Output *output, Arena *arena, const CqlClause *root)
{
    Str name = str_format(arena, "%.*s\n%.*s\n%u", STR_ARG(root->file), STR_ARG(root->definition),
                          root->range.line);
    if (root->times == 0 || map_has(&output->shown, name))
        return false;
    map_put(&output->shown, name, 1);
    return true;
}

static void explain_definition(Explain *explain, Arena *arena, size_t definition, Output *output)
{
    CqlClauseVec clauses = {0};
    Error err = {0};
    if (cql_eval_trace(explain->eval, definition, arena, &clauses, &err) != ERR_OK) {
        const CqlDefinition *facts = cql_plan_definition(explain->plan, definition);
        explain->had_errors = true;
        fprintf(stderr, "%.*s: error: %.*s: %s\n", STR_ARG(facts->file), STR_ARG(facts->name),
                err.message);
    }
    bool is_in = false;
    VEC_FOREACH (const CqlClause, clause, &clauses) {
        is_in = clause->depth == 0 ? is_shown(output, arena, clause) : is_in;
        if (!is_in)
            continue;
        if (output->json != NULL)
            add_json_clause(explain, arena, output->json, clause);
        else if (output->spans != NULL)
            add_span(explain, arena, output->spans, clause);
        else
            add_clause(explain, arena, clause);
    }
}

static void explain_all(Explain *explain, Arena *arena, Output *output)
{
    map_init(&output->shown, arena);
    for (size_t i = 0; i < explain->definition_count; i++)
        explain_definition(explain, arena, explain->definitions[i], output);
}

static void explain_json(Explain *explain, Arena *arena, Str person)
{
    JsonWriter json;
    Output output = {.json = &json};
    json_writer_init(&json, &explain->cli->out, true);
    json_object_begin(&json);
    json_member_str(&json, S("person"), person);
    json_key(&json, S("clauses"));
    json_array_begin(&json);
    explain_all(explain, arena, &output);
    json_array_end(&json);
    json_object_end(&json);
    strbuf_add_char(&explain->cli->out, '\n');
}

static ErrorCode explain_html(Explain *explain, Arena *arena, Str person)
{
    Cli *cli = explain->cli;
    SpanVec spans = {0};
    Output output = {.spans = &spans};
    explain_all(explain, arena, &output);
    add_html(explain, arena, person, &spans);
    ErrorCode code = io_write_file(cli_text(cli, OPTION_HTML), strbuf_str(&cli->out), &cli->err);
    strbuf_clear(&cli->out);
    return code;
}

static ErrorCode explain_person(Explain *explain)
{
    Cli *cli = explain->cli;
    Arena *arena CLEANUP(arena_cleanup) = arena_create(0);
    Str person = cli_text(cli, OPTION_PERSON);
    Record record;
    ErrorCode code = cql_persons_find(&explain->persons, person, &record, &cli->err);
    if (code != ERR_OK)
        return code;
    explain->eval = cql_eval_create(explain->plan);
    cql_eval_begin(explain->eval, record);
    Output text = {0};
    if (cli_has(cli, OPTION_HTML))
        code = explain_html(explain, arena, person);
    else if (cli_has(cli, OPTION_JSON))
        explain_json(explain, arena, person);
    else
        explain_all(explain, arena, &text);
    cql_eval_destroy(explain->eval);
    return code;
}

static ErrorCode open_explain(Explain *explain, CqlInput *input)
{
    Cli *cli = explain->cli;
    if (cli_has(cli, OPTION_PERSON) && !cli_has(cli, OPTION_STORE) && !cli_has(cli, OPTION_DATA))
        return error_set(&cli->err, ERR_USAGE, "--person needs --store or --data");
    if (cli_check_output(cli, "--html", cli_text(cli, OPTION_HTML), NULL, 0) != ERR_OK)
        return cli->err.code;
    if (!cli_has(cli, OPTION_PERSON) && (cli_has(cli, OPTION_HTML) || cli_has(cli, OPTION_JSON)))
        return error_set(&cli->err, ERR_USAGE, "--html and --json are of a person: give --person");
    CqlPlanOptions options;
    ErrorCode code =
        cql_input_read(cli, cli->arguments.items, cli->arguments.count, &explain->diags, input);
    if (code == ERR_OK && diag_has_errors(&explain->diags))
        code = diag_to_error(&explain->diags, &cli->err);
    if (code == ERR_OK)
        code = cql_persons_open(cli, 0, &explain->diags, &explain->persons);
    if (code == ERR_OK)
        code = cql_input_options(cli, input, &options);
    if (code != ERR_OK)
        return code;
    options.dict = cql_persons_dict(&explain->persons);
    CqlPlan *plan;
    code =
        cql_plan_create(cli->arena, input->libraries, &options, &explain->diags, &plan, &cli->err);
    if (code == ERR_OK)
        code = cql_input_definitions(cli, input, plan, &explain->definitions,
                                     &explain->definition_count);
    if (code == ERR_OK)
        explain->plan = plan;
    return code;
}

ExitCode cmd_cql_explain(Cli *cli)
{
    Explain explain = {.cli = cli};
    CqlInput input;
    diag_init(&explain.diags, cli->arena);
    ErrorCode code = open_explain(&explain, &input);
    cli_show_findings(cli, &explain.diags);
    if (code == ERR_OK && (cli_has(cli, OPTION_PLAN) || !cli_has(cli, OPTION_PERSON)))
        add_plan(&explain);
    if (code == ERR_OK && cli_has(cli, OPTION_PERSON))
        code = explain_person(&explain);
    cql_persons_close(&explain.persons);
    if (code != ERR_OK)
        return cli_fail(cli);
    return cli_finish(cli, explain.had_errors ? EXIT_CODE_REFUSED : EXIT_CODE_OK);
}

/*
 * braid cql repl: expressions and declarations, line by line.
 *
 * The session is one library: the file that was loaded last, then what was declared since. Each
 * line compiles all of it anew with the line behind it, which takes well under a millisecond.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/io.h"
#include "cli/cql_input.h"
#include "cli/cql_persons.h"

/* A declaration that was entered. */
typedef struct {
    Str name; /* empty for those that never replace one another */
    Str text;
} Declared;

typedef struct {
    Cli *cli;
    Arena *arena; /* of one line */
    CqlPersons persons;
    bool has_person;
    Record person;
    Str base; /* text of the file loaded */
    Str base_path;
    Vec(Declared) declared;
    CqlPlanOptions options;
    bool is_terminal;
    bool had_errors;
    bool is_over;
} Session;

#define ANSWER "this line"

/* --- compiling --- */

/* The session's library with `line` as its last line; gives the number of that line. */
static Str session_text(const Session *session, Str line, uint32_t *ret_line)
{
    StrBuf text;
    strbuf_init(&text, session->arena, 0);
    if (session->base.len > 0)
        strbuf_printf(&text, "%.*s\n", STR_ARG(session->base));
    else if (session->persons.is_given)
        strbuf_add(&text, S("using FHIR version '4.0.1'\ninclude FHIRHelpers version '4.0.1'\n"));
    if (session->persons.is_given)
        strbuf_add(&text, S("context Patient\n"));
    VEC_FOREACH (const Declared, each, &session->declared)
        strbuf_printf(&text, "%.*s\n", STR_ARG(each->text));
    *ret_line = 1;
    for (size_t i = 0; i < text.len; i++)
        *ret_line += text.ptr[i] == '\n';
    strbuf_add(&text, line);
    return strbuf_str(&text);
}

/* Findings about the line itself are said to be at its columns. `before` is what stands before the
   user's own text in it. */
static void show_findings(Session *session, const DiagList *diags, uint32_t line, uint32_t before)
{
    StrBuf out;
    strbuf_init(&out, session->arena, 0);
    VEC_FOREACH (const Diag, diag, &diags->kept) {
        bool is_here = diag->line >= line && str_eq(diag->file, session->base_path);
        if (diag->severity != SEVERITY_ERROR && !is_here)
            continue;
        Diag shown = *diag;
        if (is_here) {
            shown.file = S("input");
            shown.line = diag->line - line + 1;
            shown.column = shown.line == 1 && diag->column > before ? diag->column - before : 1;
        }
        diag_format(&shown, &out);
        strbuf_add_char(&out, '\n');
    }
    fprintf(stderr, "%.*s", STR_ARG(strbuf_str(&out)));
}

/* Compiles the session with the line; NULL with findings shown when that fails. */
static CqlPlan *compile(Session *session, Str line, uint32_t before, Str *ret_library)
{
    Cli *cli = session->cli;
    uint32_t at;
    Str text = session_text(session, line, &at);
    DiagList diags;
    diag_init(&diags, session->arena);
    CqlInput input;
    CqlPlan *plan = NULL;
    cli->err = (Error){0};
    ErrorCode code = cql_input_text(cli, session->arena, text, session->base_path, &diags, &input);
    if (code == ERR_OK && !diag_has_errors(&diags))
        code = cql_plan_create(session->arena, input.libraries, &session->options, &diags, &plan,
                               &cli->err);
    show_findings(session, &diags, at, before);
    if (code != ERR_OK && code != ERR_DOCUMENT)
        fprintf(stderr, "error: %s\n", cli->err.message);
    session->had_errors |= plan == NULL;
    if (plan != NULL)
        *ret_library = cql_libraries_name(input.libraries, 0);
    return plan;
}

/* --- expressions --- */

static void print_value(Session *session, const CqlPlan *plan, size_t definition)
{
    CqlEval *eval = cql_eval_create(plan);
    if (session->has_person)
        cql_eval_begin(eval, session->person);
    else
        cql_eval_begin_unfiltered(eval);
    CqlValue value;
    Error err = {0};
    StrBuf out;
    strbuf_init(&out, session->arena, 0);
    if (cql_eval_definition(eval, definition, &value, &err) == ERR_OK) {
        cql_value_format(value, &out);
        strbuf_add_char(&out, '\n');
        fputs(str_to_c(session->arena, strbuf_str(&out)), stdout);
    } else {
        session->had_errors = true;
        fprintf(stderr, "error: %s\n", err.message);
    }
    cql_eval_destroy(eval);
}

static void answer(Session *session, Str expression, bool wants_type)
{
    static const char head[] = "define \"" ANSWER "\": ";
    Str line = str_format(session->arena, "%s%.*s", head, STR_ARG(expression));
    Str library;
    size_t definition;
    CqlPlan *plan = compile(session, line, sizeof head - 1, &library);
    if (plan == NULL || !cql_plan_find(plan, library, S(ANSWER), &definition))
        return;
    if (wants_type)
        printf("%.*s\n", STR_ARG(cql_plan_definition(plan, definition)->type));
    else
        print_value(session, plan, definition);
}

/* --- declarations --- */

static bool take_word(Str *rest, Str *ret_word)
{
    *rest = str_trim(*rest);
    size_t len = 0;
    bool is_quoted = rest->len > 0 && rest->ptr[0] == '"';
    if (is_quoted) {
        len = str_find_char(str_slice(*rest, 1, SIZE_MAX), '"');
        len = len == SIZE_MAX ? rest->len : len + 2;
    }
    while (!is_quoted && len < rest->len && strchr(" \t\n:(", rest->ptr[len]) == NULL)
        len++;
    *ret_word = str_slice(*rest, 0, len);
    *rest = str_slice(*rest, len, SIZE_MAX);
    return len > 0;
}

static bool is_one_of(Str word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(word, str_from_c(words[i])))
            return true;
    return false;
}

/* Whether it is a declaration; its name when a later one of that name takes its place. */
static bool is_declaration(Arena *arena, Str text, Str *ret_name)
{
    static const char *const kinds[] = {"define",  "parameter", "codesystem", "valueset", "code",
                                        "concept", "using",     "include",    "context"};
    static const char *const access[] = {"private", "public"};
    Str rest = text;
    Str kind;
    Str word;
    *ret_name = (Str){0};
    if (!take_word(&rest, &kind) || !is_one_of(kind, kinds, COUNT_OF(kinds)))
        return false;
    bool has_word = take_word(&rest, &word);
    if (has_word && is_one_of(word, access, COUNT_OF(access)))
        has_word = take_word(&rest, &word);
    static const char *const without_name[] = {"using", "include", "context"};
    static const char *const functions[] = {"function", "fluent"};
    if (has_word && !is_one_of(kind, without_name, COUNT_OF(without_name)) &&
        !is_one_of(word, functions, COUNT_OF(functions)))
        *ret_name = str_copy(arena, word);
    /* `code in { … }` and the like are expressions, though. */
    rest = str_trim(rest);
    bool has_colon = rest.len > 0 && rest.ptr[0] == ':';
    static const char *const with_colon[] = {"define", "codesystem", "valueset", "code", "concept"};
    return !is_one_of(kind, with_colon, COUNT_OF(with_colon)) || has_colon || ret_name->len == 0;
}

static void declare(Session *session, Str name, Str text)
{
    Arena *kept = session->cli->arena;
    Declared *old = NULL;
    VEC_FOREACH (Declared, each, &session->declared)
        old = name.len > 0 && str_eq(each->name, name) ? each : old;
    Declared before = old == NULL ? (Declared){0} : *old;
    if (old != NULL)
        old->text = S("");
    Str library;
    bool is_fine = compile(session, text, 0, &library) != NULL;
    if (is_fine && old != NULL)
        old->text = str_copy(kept, text);
    else if (is_fine)
        VEC_PUSH(kept, &session->declared,
                 (Declared){.name = str_copy(kept, name), .text = str_copy(kept, text)});
    else if (old != NULL)
        *old = before;
}

/* --- commands --- */

static void load(Session *session, Str path)
{
    Str text;
    Error err = {0};
    Str old_base = session->base;
    Str old_path = session->base_path;
    if (io_read_file(session->cli->arena, path, 0, &text, &err) != ERR_OK) {
        session->had_errors = true;
        fprintf(stderr, "error: %s\n", err.message);
        return;
    }
    session->base = text;
    session->base_path = str_copy(session->cli->arena, path);
    Str library;
    if (compile(session, S(""), 0, &library) == NULL) {
        session->base = old_base;
        session->base_path = old_path;
    }
}

static void choose_person(Session *session, Str id)
{
    Error err = {0};
    Record record;
    if (!session->persons.is_given)
        (void)error_set(&err, ERR_USAGE, "there are no persons: begin with --store or --data");
    else if (cql_persons_find(&session->persons, id, &record, &err) == ERR_OK) {
        session->person = record;
        session->has_person = true;
        return;
    }
    session->had_errors = true;
    fprintf(stderr, "error: %s\n", err.message);
}

static void list(const Session *session)
{
    if (session->base_path.len > 0 && session->base.len > 0)
        printf("// %.*s\n", STR_ARG(session->base_path));
    VEC_FOREACH (const Declared, each, &session->declared)
        printf("%.*s\n", STR_ARG(each->text));
}

static void run_command(Session *session, Str line)
{
    Str rest = line;
    Str word;
    (void)take_word(&rest, &word);
    rest = str_trim(rest);
    if (str_eq(line, S(":quit")) || str_eq(line, S(":q"))) {
        session->is_over = true;
    } else if (str_starts_with(line, S(":type "))) {
        answer(session, str_slice(line, 6, SIZE_MAX), true);
    } else if (str_starts_with(line, S(":load "))) {
        load(session, str_trim(str_slice(line, 6, SIZE_MAX)));
    } else if (str_starts_with(line, S(":person "))) {
        choose_person(session, str_trim(str_slice(line, 8, SIZE_MAX)));
    } else if (str_eq(line, S(":list"))) {
        list(session);
    } else {
        session->had_errors |= !str_eq(line, S(":help"));
        fputs(
            ":type EXPRESSION  its type\n:load FILE        a library, in place of the one before\n"
            ":person ID        whose records are asked\n:list             what was declared\n"
            ":quit             the end\nAnything else is an expression or a declaration "
            "(define, codesystem, valueset, parameter, …).\n",
            stderr);
    }
}

/* --- reading --- */

/* Open brackets and quotes go on to the next line. */
static bool is_complete(Str text)
{
    int depth = 0;
    char quote = '\0';
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (quote != '\0') {
            i += c == '\\';
            quote = c == quote ? '\0' : quote;
        } else if (c == '\'' || c == '"' || c == '`') {
            quote = c;
        } else if (strchr("([{", c) != NULL) {
            depth++;
        } else if (strchr(")]}", c) != NULL) {
            depth--;
        }
    }
    return depth <= 0 && quote == '\0';
}

/* The next entry: a line, or several while brackets are open. False at the end of input. */
static bool read_entry(const Session *session, Str *ret_entry)
{
    StrBuf entry;
    strbuf_init(&entry, session->arena, LIMIT_DOCUMENT_BYTES);
    char *line = NULL;
    size_t capacity = 0;
    bool has_any = false;
    do {
        if (session->is_terminal)
            fputs(has_any ? "...> " : "cql> ", stdout);
        fflush(stdout);
        ssize_t len = getline(&line, &capacity, stdin);
        if (len < 0)
            break;
        has_any = true;
        strbuf_add(&entry, (Str){.ptr = line, .len = (size_t)len});
    } while (!is_complete(strbuf_str(&entry)) && !entry.overflowed);
    free(line);
    *ret_entry = str_trim(strbuf_str(&entry));
    return has_any;
}

static void run_entry(Session *session, Str entry)
{
    Str name;
    if (entry.len == 0 || str_starts_with(entry, S("//")))
        return;
    if (entry.ptr[0] == ':')
        run_command(session, entry);
    else if (is_declaration(session->arena, entry, &name))
        declare(session, name, entry);
    else
        answer(session, entry, false);
}

static ErrorCode open_session(Session *session)
{
    Cli *cli = session->cli;
    DiagList diags;
    diag_init(&diags, cli->arena);
    CqlInput nothing = {0};
    ErrorCode code = cql_input_read(cli, NULL, 0, &diags, &nothing);
    if (code == ERR_OK)
        code = cql_input_options(cli, &nothing, &session->options);
    if (code == ERR_OK)
        code = cql_persons_open(cli, 0, &diags, &session->persons);
    cli_show_findings(cli, &diags);
    session->options.dict = cql_persons_dict(&session->persons);
    if (code == ERR_OK && cli_has(cli, OPTION_PERSON)) {
        code = cql_persons_find(&session->persons, cli_text(cli, OPTION_PERSON), &session->person,
                                &cli->err);
        session->has_person = code == ERR_OK;
    }
    return code;
}

ExitCode cmd_cql_repl(Cli *cli)
{
    Session session = {.cli = cli, .arena = arena_create(0), .base_path = S("input")};
    session.is_terminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
    ExitCode code = EXIT_CODE_OK;
    if (open_session(&session) != ERR_OK)
        code = cli_fail(cli);
    else if (cli->arguments.count > 0)
        load(&session, cli->arguments.items[0]);
    Str entry;
    while (code == EXIT_CODE_OK && !session.is_over && read_entry(&session, &entry)) {
        run_entry(&session, entry);
        arena_reset(session.arena);
    }
    cql_persons_close(&session.persons);
    arena_destroy(session.arena);
    if (code == EXIT_CODE_OK && session.had_errors && !session.is_terminal)
        code = EXIT_CODE_DOCUMENT;
    return cli_finish(cli, code);
}

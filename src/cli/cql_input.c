#include "cli/cql_input.h"

#include <string.h>

#include "base/io.h"
#include "base/yaml.h"
#include "programme/programme.h"

/* A library that lies in a folder to be looked in. */
typedef struct {
    Str name;
    Str version;
    Str path;
} Candidate;

typedef struct {
    Cli *cli;
    Arena *arena;
    DiagList *diags;
    CqlInput *input;
    Vec(Str) folders;
    Vec(Candidate) candidates;
    bool has_candidates;
} Reader;

static Str folder_of(Str path)
{
    for (size_t i = path.len; i > 0; i--)
        if (path.ptr[i - 1] == '/')
            return str_slice(path, 0, i > 1 ? i - 1 : 1);
    return S(".");
}

static void add_folder(Reader *reader, Str folder)
{
    VEC_FOREACH (Str, other, &reader->folders)
        if (str_eq(*other, folder))
            return;
    VEC_PUSH(reader->arena, &reader->folders, folder);
}

static ErrorCode add_file(Reader *reader, Str path)
{
    Str text;
    Error *err = &reader->cli->err;
    ErrorCode code = io_read_file(reader->arena, path, 0, &text, err);
    if (code == ERR_OK)
        (void)cql_libraries_add(reader->input->libraries, text, path, reader->diags);
    return code;
}

static ErrorCode add_path(Reader *reader, Str path)
{
    Cli *cli = reader->cli;
    if (!io_exists(path))
        return error_set(&cli->err, ERR_NOT_FOUND, "%.*s: there is no such file or folder",
                         STR_ARG(path));
    if (!io_is_dir(path))
        return add_file(reader, path);
    IoNames names = {0};
    ErrorCode code = io_list_dir(cli->arena, path, &names, &cli->err);
    size_t found = 0;
    for (size_t i = 0; code == ERR_OK && i < names.count; i++) {
        if (!str_ends_with(names.items[i], S(".cql")) && !str_ends_with(names.items[i], S(".json")))
            continue;
        found++;
        code = add_file(reader, io_join(cli->arena, path, names.items[i]));
    }
    if (code == ERR_OK && found == 0)
        return error_set(&cli->err, ERR_NOT_FOUND, "%.*s: there is no file *.cql or *.json in it",
                         STR_ARG(path));
    return code;
}

/* --- includes --- */

/* Name and version of the library in a file; what is wrong with it is of account only if it is
   wanted. */
static void index_file(Reader *reader, Str path)
{
    Arena *arena CLEANUP(arena_cleanup) = arena_create(0);
    Error err = {0};
    Str text;
    DiagList diags;
    diag_init(&diags, arena);
    CqlLibraries *one = cql_libraries_create(arena);
    if (io_read_file(arena, path, 0, &text, &err) != ERR_OK ||
        !cql_libraries_add(one, text, path, &diags))
        return;
    Arena *kept = reader->arena;
    VEC_PUSH(kept, &reader->candidates,
             (Candidate){.name = str_copy(kept, cql_libraries_name(one, 0)),
                         .version = str_copy(kept, cql_libraries_version(one, 0)),
                         .path = path});
}

static void index_folders(Reader *reader)
{
    Arena *arena = reader->arena;
    VEC_FOREACH (Str, folder, &reader->folders) {
        IoNames names = {0};
        Error err = {0};
        if (io_list_dir(arena, *folder, &names, &err) != ERR_OK)
            continue;
        for (size_t i = 0; i < names.count; i++)
            if (str_ends_with(names.items[i], S(".cql")))
                index_file(reader, io_join(arena, *folder, names.items[i]));
    }
    reader->has_candidates = true;
}

/* Libraries as JSON lie among other documents: only files named after the library are opened. */
static void index_json(Reader *reader, Str name)
{
    Arena *arena = reader->arena;
    VEC_FOREACH (Str, folder, &reader->folders) {
        IoNames names = {0};
        Error err = {0};
        if (io_list_dir(arena, *folder, &names, &err) != ERR_OK)
            continue;
        for (size_t i = 0; i < names.count; i++) {
            if (str_ends_with(names.items[i], S(".json")) &&
                str_find(names.items[i], name) != SIZE_MAX)
                index_file(reader, io_join(arena, *folder, names.items[i]));
        }
    }
}

/* Without a version the highest is meant, runs of digits compared as numbers. */
static bool is_better(Arena *arena, const Candidate *candidate, const Candidate *best)
{
    return best == NULL ||
           strverscmp(str_to_c(arena, candidate->version), str_to_c(arena, best->version)) > 0;
}

static ErrorCode find_includes(Reader *reader)
{
    Str name;
    Str version;
    size_t at = 0;
    while (cql_libraries_missing(reader->input->libraries, &at, &name, &version)) {
        if (!reader->has_candidates)
            index_folders(reader);
        index_json(reader, name);
        const Candidate *best = NULL;
        VEC_FOREACH (Candidate, candidate, &reader->candidates) {
            if (!str_eq(candidate->name, name))
                continue;
            bool fits = version.len == 0 ? is_better(reader->arena, candidate, best)
                                         : best == NULL && str_eq(candidate->version, version);
            best = fits ? candidate : best;
        }
        ErrorCode code = best == NULL ? ERR_OK : add_file(reader, best->path);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

static ErrorCode list_folders(Reader *reader, const Str *paths, size_t count)
{
    Cli *cli = reader->cli;
    size_t given = cli_texts(cli, OPTION_LIBRARY, NULL);
    Str *folders = ARENA_ARRAY(cli->arena, Str, given);
    (void)cli_texts(cli, OPTION_LIBRARY, folders);
    for (size_t i = 0; i < given; i++) {
        if (!io_is_dir(folders[i]))
            return error_set(&cli->err, ERR_NOT_FOUND, "--library: %.*s is no folder",
                             STR_ARG(folders[i]));
        add_folder(reader, folders[i]);
    }
    for (size_t i = 0; i < count; i++)
        add_folder(reader, io_is_dir(paths[i]) ? paths[i] : folder_of(paths[i]));
    return ERR_OK;
}

/* The tables of --model. */
static ErrorCode read_models(Reader *reader)
{
    Cli *cli = reader->cli;
    size_t count = cli_texts(cli, OPTION_MODEL, NULL);
    Str *paths = ARENA_ARRAY(cli->arena, Str, count);
    (void)cli_texts(cli, OPTION_MODEL, paths);
    for (size_t i = 0; i < count; i++) {
        Str text;
        ErrorCode code =
            io_read_file(reader->arena, paths[i], LIMIT_DOCUMENT_BYTES, &text, &cli->err);
        if (code != ERR_OK)
            return code;
        (void)cql_libraries_add_model(reader->input->libraries, text, paths[i], reader->diags);
    }
    return ERR_OK;
}

ErrorCode cql_input_read(Cli *cli, const Str *paths, size_t count, DiagList *diags,
                         CqlInput *ret_input)
{
    *ret_input = (CqlInput){.libraries = cql_libraries_create(cli->arena)};
    Reader reader = {.cli = cli, .arena = cli->arena, .diags = diags, .input = ret_input};
    ErrorCode code = read_models(&reader);
    for (size_t i = 0; i < count && code == ERR_OK; i++)
        code = add_path(&reader, paths[i]);
    ret_input->given = cql_libraries_count(ret_input->libraries);
    if (code == ERR_OK)
        code = list_folders(&reader, paths, count);
    if (code == ERR_OK)
        code = find_includes(&reader);
    if (code == ERR_OK)
        code = programme_read_value_sets(cli->arena, cli_text(cli, OPTION_VALUE_SETS), diags,
                                         &ret_input->value_sets, &cli->err);
    return code;
}

ErrorCode cql_input_text(Cli *cli, Arena *arena, Str text, Str path, DiagList *diags,
                         CqlInput *ret_input)
{
    *ret_input = (CqlInput){.libraries = cql_libraries_create(arena), .given = 1};
    Reader reader = {.cli = cli, .arena = arena, .diags = diags, .input = ret_input};
    if (!cql_libraries_add(ret_input->libraries, text, path, diags))
        return ERR_OK;
    ErrorCode code = read_models(&reader);
    if (code == ERR_OK)
        code = list_folders(&reader, &path, 1);
    return code == ERR_OK ? find_includes(&reader) : code;
}

/* --- options --- */

static ErrorCode read_parameter(Cli *cli, const CqlInput *input, Str given,
                                CqlParameter *ret_parameter)
{
    size_t equals = str_find_char(given, '=');
    if (equals == SIZE_MAX || equals == 0)
        return error_set(&cli->err, ERR_USAGE, "--parameter: '%.*s' is not NAME=VALUE",
                         STR_ARG(given));
    Str name = str_trim(str_slice(given, 0, equals));
    Str value = str_trim(str_slice(given, equals + 1, SIZE_MAX));
    if (!cql_libraries_has_parameter(input->libraries, name))
        return error_set(&cli->err, ERR_USAGE, "--parameter: no library has a parameter '%.*s'",
                         STR_ARG(name));
    *ret_parameter = (CqlParameter){.name = name, .value = value};
    return ERR_OK;
}

ErrorCode cql_input_options(Cli *cli, const CqlInput *input, CqlPlanOptions *ret_options)
{
    Str text = cli_has(cli, OPTION_NOW) ? cli_text(cli, OPTION_NOW) : cli_now(cli->arena);
    Moment now;
    if (!moment_parse(text, &now) || now.precision < PRECISION_DAY)
        return error_set(&cli->err, ERR_USAGE,
                         "--now: '%.*s' is no moment: write it like 2026-01-31T12:00:00Z",
                         STR_ARG(text));
    size_t count = cli_texts(cli, OPTION_PARAMETER, NULL);
    Str *given = ARENA_ARRAY(cli->arena, Str, count);
    CqlParameter *parameters = ARENA_ARRAY(cli->arena, CqlParameter, count);
    (void)cli_texts(cli, OPTION_PARAMETER, given);
    for (size_t i = 0; i < count; i++) {
        ErrorCode code = read_parameter(cli, input, given[i], &parameters[i]);
        if (code != ERR_OK)
            return code;
    }
    *ret_options = (CqlPlanOptions){.value_sets = input->value_sets,
                                    .now = now,
                                    .parameters = parameters,
                                    .parameter_count = count};
    return ERR_OK;
}

static bool is_given(const CqlInput *input, const CqlDefinition *definition)
{
    for (size_t i = 0; i < input->given; i++)
        if (str_eq(cql_libraries_name(input->libraries, i), definition->library) &&
            str_eq(cql_libraries_version(input->libraries, i), definition->version))
            return true;
    return false;
}

/* "Name", or "Library.Name" where several libraries have one. */
static ErrorCode find_definition(Cli *cli, const CqlInput *input, const CqlPlan *plan, Str wanted,
                                 size_t *ret_definition)
{
    size_t count = cql_plan_definition_count(plan);
    Str *names = ARENA_ARRAY(cli->arena, Str, count);
    for (size_t i = 0; i < count; i++) {
        const CqlDefinition *each = cql_plan_definition(plan, i);
        names[i] = each->name;
        Str whole =
            str_format(cli->arena, "%.*s.%.*s", STR_ARG(each->library), STR_ARG(each->name));
        if ((is_given(input, each) && str_eq(each->name, wanted)) || str_eq(whole, wanted)) {
            *ret_definition = i;
            return ERR_OK;
        }
    }
    const Str *near = yaml_nearest_name(wanted, names, count);
    if (near == NULL)
        return error_set(&cli->err, ERR_USAGE, "--expression: there is no definition '%.*s'",
                         STR_ARG(wanted));
    return error_set(&cli->err, ERR_USAGE,
                     "--expression: there is no definition '%.*s'; did you mean '%.*s'?",
                     STR_ARG(wanted), STR_ARG(*near));
}

ErrorCode cql_input_definitions(Cli *cli, const CqlInput *input, const CqlPlan *plan,
                                const size_t **ret_definitions, size_t *ret_count)
{
    size_t asked = cli_texts(cli, OPTION_EXPRESSION, NULL);
    size_t count = cql_plan_definition_count(plan);
    size_t *definitions = ARENA_ARRAY(cli->arena, size_t, asked > 0 ? asked : count);
    Str *names = ARENA_ARRAY(cli->arena, Str, asked);
    (void)cli_texts(cli, OPTION_EXPRESSION, names);
    size_t found = 0;
    for (size_t i = 0; i < asked; i++) {
        ErrorCode code = find_definition(cli, input, plan, names[i], &definitions[found++]);
        if (code != ERR_OK)
            return code;
    }
    for (size_t i = 0; asked == 0 && i < count; i++)
        if (is_given(input, cql_plan_definition(plan, i)))
            definitions[found++] = i;
    *ret_definitions = definitions;
    *ret_count = found;
    return ERR_OK;
}

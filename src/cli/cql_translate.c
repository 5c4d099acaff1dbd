/* braid cql translate: libraries as ELM, for other engines. */
#include "base/io.h"
#include "cli/cql_input.h"

/* NAME-VERSION.json, without signs that a file's name cannot have. */
static Str file_name(Cli *cli, const CqlLibraries *libraries, size_t index)
{
    Str name = cql_libraries_name(libraries, index);
    Str version = cql_libraries_version(libraries, index);
    StrBuf out;
    strbuf_init(&out, cli->arena, 0);
    strbuf_add(&out, name.len > 0 ? name : S("library"));
    if (version.len > 0)
        strbuf_printf(&out, "-%.*s", STR_ARG(version));
    for (size_t i = 0; i < out.len; i++) {
        if (out.ptr[i] == '/' || out.ptr[i] == '\\' || out.ptr[i] == ':')
            out.ptr[i] = '_';
    }
    strbuf_add_c(&out, ".json");
    return strbuf_str(&out);
}

/* The files that were written: a line each, or a list. */
static void show_paths(Cli *cli, const IoNames *paths)
{
    if (!cli_has(cli, OPTION_JSON)) {
        VEC_FOREACH (const Str, path, paths)
            strbuf_printf(&cli->out, "%.*s\n", STR_ARG(*path));
        return;
    }
    JsonWriter json;
    json_writer_init(&json, &cli->out, true);
    json_object_begin(&json);
    json_key(&json, S("files"));
    json_array_begin(&json);
    VEC_FOREACH (const Str, path, paths)
        json_str(&json, *path);
    json_array_end(&json);
    json_object_end(&json);
    strbuf_add_char(&cli->out, '\n');
}

static ErrorCode write_files(Cli *cli, const CqlInput *input, const Str *texts)
{
    Str folder = cli_text(cli, OPTION_OUT);
    IoNames paths = {0};
    ErrorCode code = io_make_dirs(folder, &cli->err);
    for (size_t i = 0; code == ERR_OK && i < input->given; i++) {
        Str path = io_join(cli->arena, folder, file_name(cli, input->libraries, i));
        if (texts[i].len == 0)
            continue;
        code = io_write_file(path, texts[i], &cli->err);
        if (code == ERR_OK)
            VEC_PUSH(cli->arena, &paths, path);
    }
    if (code == ERR_OK)
        show_paths(cli, &paths);
    return code;
}

static ErrorCode check_words(Cli *cli, const CqlInput *input)
{
    Str format = cli_text(cli, OPTION_ELM);
    if (!str_eq(format, S("json")))
        return error_set(&cli->err, ERR_USAGE,
                         "--elm json is needed: ELM is written as JSON, not as '%.*s'",
                         STR_ARG(format));
    if (input->given > 1 && !cli_has(cli, OPTION_OUT))
        return error_set(&cli->err, ERR_USAGE, "%zu libraries are written to a folder: --out DIR",
                         input->given);
    return ERR_OK;
}

ExitCode cmd_cql_translate(Cli *cli)
{
    DiagList diags;
    CqlInput input;
    diag_init(&diags, cli->arena);
    if (cql_input_read(cli, cli->arguments.items, cli->arguments.count, &diags, &input) != ERR_OK ||
        check_words(cli, &input) != ERR_OK)
        return cli_fail(cli);
    Str *texts = ARENA_ZARRAY(cli->arena, Str, cql_libraries_count(input.libraries));
    CqlElmOptions options = {.result_types = cli_has(cli, OPTION_RESULT_TYPES),
                             .locators = cli_has(cli, OPTION_LOCATORS)};
    ErrorCode code = ERR_OK;
    if (!diag_has_errors(&diags))
        code =
            cql_libraries_to_elm(cli->arena, input.libraries, &options, &diags, texts, &cli->err);
    if (code == ERR_OK && cli_has(cli, OPTION_OUT))
        code = write_files(cli, &input, texts);
    else if (code == ERR_OK)
        strbuf_add(&cli->out, texts[0]);
    if (code != ERR_OK && code != ERR_DOCUMENT)
        return cli_fail(cli);
    if (!diag_has_errors(&diags))
        return cli_finish(cli, EXIT_CODE_OK);
    /* That parameters have no value is so because nothing is evaluated here. */
    DiagList shown;
    diag_init(&shown, cli->arena);
    VEC_FOREACH (Diag, diag, &diags.kept)
        if (!str_eq(diag->rule, S("cql-parameter")))
            diag_add(&shown, diag);
    return cli_finish_check(cli, &shown, S(""));
}

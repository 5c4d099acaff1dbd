#include "cli/cli_view.h"

#include "base/threads.h"

ErrorCode cli_view_open(Cli *cli, CliView *ret_view)
{
    CliView view = {0};
    int64_t threads = (int64_t)threads_available();
    ProgrammeOptions *options = &view.options;
    diag_init(&view.diags, cli->arena);
    options->on_day = DAY_NONE;
    options->posting_day = DAY_NONE;
    options->through_day = DAY_NONE;
    if (cli_number(cli, OPTION_THREADS, 1, LIMIT_THREADS_MAX, &threads) != ERR_OK ||
        cli_day(cli, OPTION_ON, &options->on_day) != ERR_OK)
        return cli->err.code;
    options->threads = (size_t)threads;
    options->out = cli_text(cli, OPTION_OUT);
    options->store_path = cli_text(cli, OPTION_STORE);
    if (str_is_empty(options->out) && str_is_empty(options->store_path))
        return error_set(&cli->err, ERR_USAGE, "%.*s needs --store DIR or --out DIR",
                         STR_ARG(cli->command->name));
    DiagList *diags = ARENA_NEW(cli->arena, DiagList);
    diag_init(diags, cli->arena);
    ErrorCode code =
        programme_read(cli->arena, cli->arguments.items[0], diags, &view.programme, &cli->err);
    options->diags = diags;
    options->progress = NULL;
    if (code == ERR_OK)
        code = programme_view_open(cli->arena, view.programme, options, &view.view, &cli->err);
    cli_show_findings(cli, diags);
    if (code == ERR_OK)
        *ret_view = view;
    return code;
}

void cli_view_close(CliView *view)
{
    programme_view_close(view->view);
}

static ErrorCode unknown(Cli *cli, const char *what, Str name, const Str *known, size_t count)
{
    const Str *near = yaml_nearest_name(name, known, count);
    if (near != NULL)
        return error_set(&cli->err, ERR_USAGE, "there is no %s \"%.*s\"; did you mean \"%.*s\"?",
                         what, STR_ARG(name), STR_ARG(*near));
    return error_set(&cli->err, ERR_USAGE, "there is no %s \"%.*s\"", what, STR_ARG(name));
}

ErrorCode cli_view_practice(Cli *cli, const CliView *view, Str name, size_t *ret_practice)
{
    size_t count = programme_view_practice_count(view->view);
    Str *names = ARENA_ARRAY(cli->arena, Str, 2 * count);
    for (size_t i = 0; i < count; i++) {
        ProgrammePractice practice = programme_view_practice(view->view, i);
        names[2 * i] = practice.id;
        names[2 * i + 1] = practice.name;
        if (str_eq_ignoring_case(practice.id, name) || str_eq_ignoring_case(practice.name, name)) {
            *ret_practice = i;
            return ERR_OK;
        }
    }
    return unknown(cli, "practice", name, names, 2 * count);
}

ErrorCode cli_view_indicator(Cli *cli, const CliView *view, Str id, size_t *ret_indicator)
{
    const MeasureSpec *spec = &view->programme->measures;
    *ret_indicator = measure_find_indicator(spec, id);
    if (*ret_indicator != SIZE_MAX)
        return ERR_OK;
    Str *names = ARENA_ARRAY(cli->arena, Str, spec->indicator_count);
    for (size_t i = 0; i < spec->indicator_count; i++)
        names[i] = spec->indicators[i].id;
    return unknown(cli, "indicator", id, names, spec->indicator_count);
}

ErrorCode cli_view_register(Cli *cli, const CliView *view, Str id, size_t *ret_register)
{
    const MeasureSpec *spec = &view->programme->measures;
    *ret_register = measure_find_register(spec, id);
    if (*ret_register != SIZE_MAX)
        return ERR_OK;
    Str *names = ARENA_ARRAY(cli->arena, Str, spec->register_count);
    for (size_t i = 0; i < spec->register_count; i++)
        names[i] = spec->registers[i].id;
    return unknown(cli, "register", id, names, spec->register_count);
}

Str cli_percent(Arena *arena, double rate, uint64_t of)
{
    return of == 0 ? S("-") : str_format(arena, "%.1f", rate * 100);
}

/* The command: parse, run, print; and the commands about itself. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/yaml.h"
#include "cli/cli_int.h"

#ifndef BRAID_VERSION /* given by the build */
#define BRAID_VERSION "unknown"
#endif

ExitCode cmd_version(Cli *cli)
{
    if (cli_has(cli, OPTION_JSON))
        strbuf_add(&cli->out, S("{\"version\":\"" BRAID_VERSION "\"}\n"));
    else
        strbuf_add(&cli->out, S("braid " BRAID_VERSION "\n"));
    return cli_finish(cli, EXIT_CODE_OK);
}

/* The first command whose name is, or begins with, these words. */
static const CommandSpec *find_named(Str name)
{
    for (size_t i = 0; i < cli_command_count; i++) {
        Str other = cli_commands[i].name;
        if (str_eq(other, name) ||
            (str_starts_with(other, name) && other.len > name.len && other.ptr[name.len] == ' '))
            return &cli_commands[i];
    }
    return NULL;
}

ExitCode cmd_help(Cli *cli)
{
    if (cli_has(cli, OPTION_MARKDOWN)) {
        help_markdown(&cli->out);
        return cli_finish(cli, EXIT_CODE_OK);
    }
    Str name = {0};
    if (cli->arguments.count == 1)
        name = cli->arguments.items[0];
    else if (cli->arguments.count == 2)
        name = str_format(cli->arena, "%.*s %.*s", STR_ARG(cli->arguments.items[0]),
                          STR_ARG(cli->arguments.items[1]));
    const CommandSpec *command = str_is_empty(name) ? NULL : find_named(name);
    if (command == NULL && !str_is_empty(name)) {
        const Str *names;
        size_t count = cli_command_names(cli->arena, &names);
        const Str *near = yaml_nearest_name(name, names, count);
        Str hint = near == NULL ? S("see braid help")
                                : str_format(cli->arena, "did you mean '%.*s'?", STR_ARG(*near));
        (void)error_set(&cli->err, ERR_USAGE, "there is no command '%.*s'; %.*s", STR_ARG(name),
                        STR_ARG(hint));
        return cli_fail(cli);
    }
    if (cli_has(cli, OPTION_MAN))
        help_man(str_slice(name, 0, str_find_char(name, ' ')), &cli->out);
    else if (command == NULL)
        help_overview(&cli->out);
    else
        for (size_t i = 0; i < cli_command_count; i++) {
            const CommandSpec *each = &cli_commands[i];
            bool is_it =
                each == command || (str_starts_with(each->name, name) &&
                                    each->name.len > name.len && each->name.ptr[name.len] == ' ');
            if (!is_it)
                continue;
            if (cli->out.len > 0)
                strbuf_add_char(&cli->out, '\n');
            help_command(each, &cli->out);
        }
    return cli_finish(cli, EXIT_CODE_OK);
}

static ExitCode run(Cli *cli, size_t count, const Str *words)
{
    if (count > 0 && (str_eq(words[0], S("--help")) || str_eq(words[0], S("-h")))) {
        help_overview(&cli->out);
        return cli_finish(cli, EXIT_CODE_OK);
    }
    if (count > 0 && str_eq(words[0], S("--version")))
        return cmd_version(cli);
    if (cli_parse(cli, count, words) != ERR_OK)
        return cli_fail(cli);
    if (cli_has(cli, OPTION_HELP)) {
        help_command(cli->command, &cli->out);
        return cli_finish(cli, EXIT_CODE_OK);
    }
    return cli->command->run(cli);
}

/* A stream that was closed by the caller would be the next file that is opened, and progress would
   be written into it. */
static void open_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) == -1 && errno == EBADF && open("/dev/null", O_RDWR) != fd)
            _exit(EXIT_CODE_IO);
}

int cli_main(int argument_count, char **arguments)
{
    open_streams();
    /* A file that may not grow is an error of writing (EFBIG) like a full disk, not the end. */
    (void)signal(SIGXFSZ, SIG_IGN);
    cli_watch_interrupt();
    Arena *arena = arena_create(0);
    Cli cli = {.arena = arena};
    strbuf_init(&cli.out, arena, 0);
    size_t count = argument_count > 1 ? (size_t)argument_count - 1 : 0;
    Str *words = ARENA_ARRAY(arena, Str, count);
    for (size_t i = 0; i < count; i++)
        words[i] = str_from_c(arguments[i + 1]);
    ExitCode code = run(&cli, count, words);
    arena_destroy(arena);
    return (int)code;
}

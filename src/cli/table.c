/* The tables of commands, options and exit codes, as data. */
#include "cli/cli_int.h"

#define OPT(name) ((OptionSet)1 << OPTION_##name)
/* Options that go together. */
#define OPT_WORK (OPT(THREADS) | OPT(MEMORY))
#define OPT_LOAD (OPT(MAX_RESOURCE) | OPT(NO_NARRATIVE))
#define OPT_SHOW (OPT(JSON) | OPT(QUIET))

const OptionSpec cli_options[OPTION_COUNT] = {
#define OPTION(id, text, value_name, about)                                                        \
    {.name = STR_INIT(text), .value = STR_INIT(value_name), .says = STR_INIT(about)},
#include "cli/options.def"
#undef OPTION
};

const CommandSpec cli_commands[] = {
#define COMMAND(id, text, takes, fewest, greatest, fn, mask, about, long_text, shown)              \
    {.name = STR_INIT(text),                                                                       \
     .arguments = STR_INIT(takes),                                                                 \
     .least = (fewest),                                                                            \
     .most = (greatest),                                                                           \
     .run = (fn),                                                                                  \
     .options = (mask) | OPT(HELP),                                                                \
     .says = STR_INIT(about),                                                                      \
     .description = STR_INIT(long_text),                                                           \
     .examples = STR_INIT(shown)},
#include "cli/commands.def"
#undef COMMAND
};
const size_t cli_command_count = COUNT_OF(cli_commands);

ExitCode exit_code_of(ErrorCode code)
{
    static const ExitCode exits[] = {
#define EXIT_OF(error, name) [ERR_##error] = EXIT_CODE_##name,
#include "cli/exit.def"
#undef EXIT_OF
    };
    ASSERT((size_t)code < COUNT_OF(exits));
    return exits[code];
}

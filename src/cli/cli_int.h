/*
 * cli_int -- what the files of this folder share: the tables, parsed arguments, and how to show.
 */
#pragma once

#include <stdio.h>

#include "base/base.h"
#include "base/json.h"
#include "base/progress.h"

typedef enum {
#define OPTION(name, text, value, says) OPTION_##name,
#include "cli/options.def"
#undef OPTION
    OPTION_COUNT
} OptionId;

typedef enum {
#define EXIT_CODE(name, number, text) EXIT_CODE_##name = (number),
#include "cli/exit.def"
#undef EXIT_CODE
} ExitCode;

typedef struct {
    Str name;  /* without the dashes */
    Str value; /* what its value is called; empty when it takes none */
    Str says;
} OptionSpec;

/* A bit of each OptionId. */
typedef unsigned __int128 OptionSet;
_Static_assert(OPTION_COUNT <= 128, "an option is a bit of an OptionSet");

typedef struct Cli Cli;

typedef struct {
    Str name; /* one word or two */
    Str arguments;
    size_t least;
    size_t most;
    ExitCode (*run)(Cli *cli);
    OptionSet options; /* those that it takes */
    Str says;
    Str description;
    Str examples;
} CommandSpec;

/* The tables. */
extern const OptionSpec cli_options[OPTION_COUNT];
extern const CommandSpec cli_commands[];
extern const size_t cli_command_count;
ExitCode exit_code_of(ErrorCode code);

typedef struct {
    OptionId option;
    Str value;
} GivenOption;

/* One call of the command. */
struct Cli {
    Arena *arena; /* for all of the call */
    const CommandSpec *command;
    Vec(Str) arguments; /* beside options */
    Vec(GivenOption) given;
    StrBuf out; /* what goes to standard output at the end */
    Error err;
};

/* --- args.c --- */
/* Fills command, arguments and given. What is wrong goes to cli->err. */
MUST_USE ErrorCode cli_parse(Cli *cli, size_t count, const Str *words);
bool cli_has(const Cli *cli, OptionId option);
/* The last value that was given, or the empty Str. */
Str cli_text(const Cli *cli, OptionId option);
/* How often it was given; fills in all its values unless texts is NULL. */
size_t cli_texts(const Cli *cli, OptionId option, Str *texts);
/* Each reads the option's value, leaving *ret_value alone when it was not given. */
MUST_USE ErrorCode cli_number(Cli *cli, OptionId option, int64_t least, int64_t most,
                              int64_t *ret_value);
MUST_USE ErrorCode cli_size(Cli *cli, OptionId option, size_t *ret_value);
/* --memory of a load: refuses what cannot be kept to, and lowers *threads to what it is enough for.
 */
MUST_USE ErrorCode cli_memory(Cli *cli, size_t *ret_memory, int64_t *threads);
MUST_USE ErrorCode cli_day(Cli *cli, OptionId option, int32_t *ret_day);
/* --recorded-at, or now in UTC. */
MUST_USE ErrorCode cli_recorded_at(Cli *cli, Str *ret_time);
/* --day, or today in UTC. */
MUST_USE ErrorCode cli_today(Cli *cli, int32_t *ret_day);
size_t cli_command_names(Arena *arena, const Str **ret_names);

/* ERR_USAGE when the file or folder that is to be written is one of the sources or lies within one:
   it would be overwritten after it was read, or be read the next time; also when it is no file or
   folder, but a link, a device or a pipe. An empty path is fine. */
MUST_USE ErrorCode cli_check_output(Cli *cli, const char *option, Str path, const Str *sources,
                                    size_t count);

/* --- show.c --- */
/* Prints the error and gives its exit code. */
ExitCode cli_fail(Cli *cli);
/* Prints what is in cli->out; a failure to do so is an error of its own. */
ExitCode cli_finish(Cli *cli, ExitCode code);
/* The findings on standard error (the first 20 of them), unless --quiet. */
void cli_show_findings(const Cli *cli, const DiagList *diags);
/* All findings that were kept as NDJSON into the file of --findings, if it was given. */
MUST_USE ErrorCode cli_write_findings(Cli *cli, const DiagList *diags);
/* The member "findings" with those that were kept. */
void cli_json_findings(JsonWriter *json, const DiagList *diags);
/* A document's findings as the result of a check: text, or with --json {"findings":[…]}. */
ExitCode cli_finish_check(Cli *cli, const DiagList *diags, Str fine);
/* "1,234,567" */
Str cli_grouped(Arena *arena, uint64_t number);
/* A line on standard error, unless --quiet. */
void cli_note(const Cli *cli, const char *format, ...) PRINTF_LIKE(2, 3);

/* Lines of progress on standard error: rewritten on a terminal, plain ones elsewhere. NULL with
   --quiet. */
Progress *cli_progress(const Cli *cli);
/* Now in UTC: "2026-01-31T12:34:56Z". */
Str cli_now(Arena *arena);
/* Ends the process cleanly on SIGINT and SIGTERM; call before any thread is made. */
void cli_watch_interrupt(void);

/* --- help.c --- */
void help_overview(StrBuf *out);
void help_command(const CommandSpec *command, StrBuf *out);
/* The page of one word (all commands that begin with it), or of `braid` for the empty Str. */
void help_man(Str word, StrBuf *out);
void help_markdown(StrBuf *out);

/* --- cmd_settle.c --- */
/* braid settle with --aggregates: a contract worked out from tables. */
ExitCode cmd_settle_tables(Cli *cli);

/* --- the commands --- */
#define COMMAND(name, text, arguments, least, most, run, options, says, description, examples)     \
    ExitCode run(Cli *cli);
#include "cli/commands.def"
#undef COMMAND

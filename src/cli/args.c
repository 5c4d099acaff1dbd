/* From words to a command, its arguments and options; and what options' values mean. */
#include <stdlib.h>

#include "base/date.h"
#include "base/io.h"
#include "base/yaml.h"
#include "cli/cli_int.h"

size_t cli_command_names(Arena *arena, const Str **ret_names)
{
    Str *names = ARENA_ARRAY(arena, Str, cli_command_count);
    for (size_t i = 0; i < cli_command_count; i++)
        names[i] = cli_commands[i].name;
    *ret_names = names;
    return cli_command_count;
}

static ErrorCode unknown_command(Cli *cli, Str word)
{
    const Str *names;
    size_t count = cli_command_names(cli->arena, &names);
    const Str *near = yaml_nearest_name(word, names, count);
    if (near == NULL)
        return error_set(&cli->err, ERR_USAGE, "there is no command '%.*s'; see braid help",
                         STR_ARG(word));
    return error_set(&cli->err, ERR_USAGE, "there is no command '%.*s'; did you mean '%.*s'?",
                     STR_ARG(word), STR_ARG(*near));
}

/* Finds the command by its one or two words; gives how many words that took. */
static ErrorCode find_command(Cli *cli, size_t count, const Str *words, size_t *ret_used)
{
    Str two = count < 2 ? words[0]
                        : str_format(cli->arena, "%.*s %.*s", STR_ARG(words[0]), STR_ARG(words[1]));
    /* The longer name first: `measure check` is no argument of `measure`. */
    for (size_t used = count < 2 ? 1 : 2; used > 0; used--)
        for (size_t i = 0; i < cli_command_count; i++)
            if (str_eq(cli_commands[i].name, used == 1 ? words[0] : two)) {
                cli->command = &cli_commands[i];
                *ret_used = used;
                return ERR_OK;
            }
    Str family = str_format(cli->arena, "%.*s ", STR_ARG(words[0]));
    StrBuf members;
    strbuf_init(&members, cli->arena, 0);
    for (size_t i = 0; i < cli_command_count; i++)
        if (str_starts_with(cli_commands[i].name, family))
            strbuf_printf(&members, "%s%.*s", members.len > 0 ? ", " : "",
                          STR_ARG(str_slice(cli_commands[i].name, family.len, SIZE_MAX)));
    if (members.len > 0 && (count < 2 || str_starts_with(words[1], S("-"))))
        return error_set(&cli->err, ERR_USAGE, "%.*s needs one of: %.*s", STR_ARG(words[0]),
                         STR_ARG(strbuf_str(&members)));
    return unknown_command(cli, members.len > 0 ? two : words[0]);
}

static bool takes(const Cli *cli, OptionId option)
{
    return (cli->command->options >> option & 1) != 0;
}

static ErrorCode unknown_option(Cli *cli, Str name)
{
    Str known[OPTION_COUNT];
    size_t count = 0;
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (takes(cli, (OptionId)i))
            known[count++] = cli_options[i].name;
    const Str *near = yaml_nearest_name(name, known, count);
    if (near == NULL)
        return error_set(&cli->err, ERR_USAGE, "%.*s has no option --%.*s; see braid help %.*s",
                         STR_ARG(cli->command->name), STR_ARG(name), STR_ARG(cli->command->name));
    return error_set(&cli->err, ERR_USAGE, "%.*s has no option --%.*s; did you mean --%.*s?",
                     STR_ARG(cli->command->name), STR_ARG(name), STR_ARG(*near));
}

static ErrorCode lacks_value(Cli *cli, OptionId option)
{
    return error_set(&cli->err, ERR_USAGE, "--%.*s needs a value: %.*s",
                     STR_ARG(cli_options[option].name), STR_ARG(cli_options[option].value));
}

/* The option's value is the next word. */
static ErrorCode take_value(Cli *cli, OptionId option, size_t count, const Str *words, size_t *at)
{
    if (*at + 1 >= count || str_is_empty(words[*at + 1]))
        return lacks_value(cli, option);
    VEC_PUSH(cli->arena, &cli->given, (GivenOption){.option = option, .value = words[*at + 1]});
    ++*at;
    return ERR_OK;
}

/* One option from words[*at]; moves *at past what it used beyond the first word. */
static ErrorCode parse_option(Cli *cli, size_t count, const Str *words, size_t *at)
{
    Str name = str_slice(words[*at], 2, SIZE_MAX);
    Str value = {0};
    size_t equals = str_find_char(name, '=');
    bool has_value = equals != SIZE_MAX;
    if (has_value) {
        value = str_slice(name, equals + 1, SIZE_MAX);
        name = str_slice(name, 0, equals);
    }
    size_t option = 0;
    while (option < OPTION_COUNT &&
           !(takes(cli, (OptionId)option) && str_eq(cli_options[option].name, name)))
        option++;
    if (option == OPTION_COUNT)
        return unknown_option(cli, name);
    bool wants_value = !str_is_empty(cli_options[option].value);
    if (has_value && !wants_value)
        return error_set(&cli->err, ERR_USAGE, "--%.*s takes no value", STR_ARG(name));
    if (wants_value && !has_value)
        return take_value(cli, (OptionId)option, count, words, at);
    if (wants_value && str_is_empty(value))
        return lacks_value(cli, (OptionId)option);
    VEC_PUSH(cli->arena, &cli->given, (GivenOption){.option = (OptionId)option, .value = value});
    return ERR_OK;
}

ErrorCode cli_parse(Cli *cli, size_t count, const Str *words)
{
    if (count == 0)
        return error_set(&cli->err, ERR_USAGE, "no command was given; see braid help");
    size_t at = 0;
    ErrorCode code = find_command(cli, count, words, &at);
    bool only_arguments = false;
    for (; code == ERR_OK && at < count; at++) {
        if (!only_arguments && str_eq(words[at], S("--")))
            only_arguments = true;
        else if (!only_arguments && str_eq(words[at], S("-h")))
            VEC_PUSH(cli->arena, &cli->given, (GivenOption){.option = OPTION_HELP});
        else if (!only_arguments && str_starts_with(words[at], S("--")))
            code = parse_option(cli, count, words, &at);
        else if (!only_arguments && str_eq(words[at], S("-I")) && takes(cli, OPTION_LIBRARY))
            code = take_value(cli, OPTION_LIBRARY, count, words, &at);
        else if (!only_arguments && words[at].len > 1 && words[at].ptr[0] == '-')
            code = error_set(&cli->err, ERR_USAGE,
                             "'%.*s' is no option: options begin with two dashes (a file of that "
                             "name goes behind --)",
                             STR_ARG(words[at]));
        else
            VEC_PUSH(cli->arena, &cli->arguments, words[at]);
    }
    if (code != ERR_OK || cli_has(cli, OPTION_HELP))
        return code;
    const CommandSpec *command = cli->command;
    if (cli->arguments.count < command->least)
        return error_set(&cli->err, ERR_USAGE, "too few arguments; usage: braid %.*s %.*s",
                         STR_ARG(command->name), STR_ARG(command->arguments));
    if (cli->arguments.count > command->most)
        return error_set(&cli->err, ERR_USAGE, "what is '%.*s'? usage: braid %.*s %.*s",
                         STR_ARG(cli->arguments.items[command->most]), STR_ARG(command->name),
                         STR_ARG(command->arguments));
    return ERR_OK;
}

bool cli_has(const Cli *cli, OptionId option)
{
    for (size_t i = 0; i < cli->given.count; i++)
        if (cli->given.items[i].option == option)
            return true;
    return false;
}

Str cli_text(const Cli *cli, OptionId option)
{
    for (size_t i = cli->given.count; i > 0; i--)
        if (cli->given.items[i - 1].option == option)
            return cli->given.items[i - 1].value;
    return (Str){0};
}

size_t cli_texts(const Cli *cli, OptionId option, Str *texts)
{
    size_t count = 0;
    for (size_t i = 0; i < cli->given.count; i++) {
        if (cli->given.items[i].option != option)
            continue;
        if (texts != NULL)
            texts[count] = cli->given.items[i].value;
        count++;
    }
    return count;
}

ErrorCode cli_number(Cli *cli, OptionId option, int64_t least, int64_t most, int64_t *ret_value)
{
    if (!cli_has(cli, option))
        return ERR_OK;
    Str text = cli_text(cli, option);
    int64_t value;
    if (!str_to_int64(text, &value) || value < least || value > most)
        return error_set(
            &cli->err, ERR_USAGE, "--%.*s: '%.*s' is no whole number from %lld to %lld",
            STR_ARG(cli_options[option].name), STR_ARG(text), (long long)least, (long long)most);
    *ret_value = value;
    return ERR_OK;
}

ErrorCode cli_size(Cli *cli, OptionId option, size_t *ret_value)
{
    if (!cli_has(cli, option))
        return ERR_OK;
    static const char units[] = "KMGT";
    Str text = cli_text(cli, option);
    Str digits = text;
    unsigned shift = 0;
    for (unsigned i = 0; i < 4; i++)
        if (text.len > 0 && (text.ptr[text.len - 1] & ~0x20) == units[i]) {
            shift = 10 * (i + 1);
            digits.len--;
        }
    int64_t value;
    if (!str_to_int64(digits, &value) || value <= 0 || value > (INT64_MAX >> shift))
        return error_set(&cli->err, ERR_USAGE,
                         "--%.*s: '%.*s' is no size: write it like 512M or 4G",
                         STR_ARG(cli_options[option].name), STR_ARG(text));
    *ret_value = (size_t)value << shift;
    return ERR_OK;
}

ErrorCode cli_memory(Cli *cli, size_t *ret_memory, int64_t *threads)
{
    size_t memory = LIMIT_MEMORY_DEFAULT_BYTES;
    ErrorCode code = cli_size(cli, OPTION_MEMORY, &memory);
    if (code != ERR_OK)
        return code;
    if (memory < LIMIT_MEMORY_MIN_BYTES)
        return error_set(&cli->err, ERR_USAGE,
                         "--memory: a load cannot keep to less than %zuM, and %.*s are given",
                         LIMIT_MEMORY_MIN_BYTES >> 20, STR_ARG(cli_text(cli, OPTION_MEMORY)));
    size_t enough_for = memory / LIMIT_MEMORY_THREAD_BYTES;
    if ((uint64_t)*threads > enough_for)
        *threads = (int64_t)enough_for;
    *ret_memory = memory;
    return ERR_OK;
}

ErrorCode cli_today(Cli *cli, int32_t *ret_day)
{
    if (cli_has(cli, OPTION_DAY))
        return cli_day(cli, OPTION_DAY, ret_day);
    bool ok = day_parse(str_slice(cli_now(cli->arena), 0, 10), ret_day);
    return ok ? ERR_OK : error_set(&cli->err, ERR_USAGE, "the clock gives no day: give --day");
}

ErrorCode cli_recorded_at(Cli *cli, Str *ret_time)
{
    Str text = cli_text(cli, OPTION_RECORDED_AT);
    if (str_is_empty(text))
        text = cli_now(cli->arena);
    Moment moment;
    if (!moment_parse(text, &moment) || moment.precision < PRECISION_SECOND)
        return error_set(&cli->err, ERR_USAGE,
                         "--recorded-at: '%.*s' is no time: write it like 2021-01-31T12:00:00Z",
                         STR_ARG(text));
    *ret_time = text;
    return ERR_OK;
}

ErrorCode cli_day(Cli *cli, OptionId option, int32_t *ret_day)
{
    if (!cli_has(cli, option))
        return ERR_OK;
    Str text = cli_text(cli, option);
    if (!day_parse(text, ret_day))
        return error_set(&cli->err, ERR_USAGE, "--%.*s: '%.*s' is no day: write it like 2020-12-31",
                         STR_ARG(cli_options[option].name), STR_ARG(text));
    return ERR_OK;
}

/* The path without links and dots; of what is not there yet, that of the folder with the name
   behind it. Empty when there is no such folder either. */
static Str real_path(Arena *arena, Str path)
{
    char *whole = realpath(str_to_c(arena, path), NULL);
    if (whole != NULL) {
        Str result = str_copy(arena, str_from_c(whole));
        free(whole);
        return result;
    }
    size_t slash = path.len;
    while (slash > 0 && path.ptr[slash - 1] != '/')
        slash--;
    Str folder = slash == 0 ? S(".") : str_slice(path, 0, slash);
    whole = realpath(str_to_c(arena, folder), NULL);
    if (whole == NULL)
        return S("");
    Str result = str_format(arena, "%s/%.*s", whole, STR_ARG(str_slice(path, slash, SIZE_MAX)));
    free(whole);
    return result;
}

ErrorCode cli_check_output(Cli *cli, const char *option, Str path, const Str *sources, size_t count)
{
    if (str_is_empty(path))
        return ERR_OK;
    /* A file is written beside its place and renamed: it would stand where /dev/null was. */
    if (io_is_special(path))
        return error_set(
            &cli->err, ERR_USAGE,
            "%s: %.*s is no file but a link, a device or a pipe, and would be replaced by one",
            option, STR_ARG(path));
    Str output = real_path(cli->arena, path);
    for (size_t i = 0; i < count && output.len > 0; i++) {
        Str source = real_path(cli->arena, sources[i]);
        if (str_is_empty(source) || str_eq(sources[i], S("-")))
            continue;
        Str within = str_format(cli->arena, "%.*s/", STR_ARG(source));
        if (str_eq(output, source) || str_starts_with(output, within))
            return error_set(&cli->err, ERR_USAGE,
                             "%.*s would be written by %s, and is read as a source (%.*s); give "
                             "another place, or copy it first",
                             STR_ARG(path), option, STR_ARG(sources[i]));
    }
    return ERR_OK;
}

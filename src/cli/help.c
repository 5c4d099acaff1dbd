/* Help, man pages and the Markdown page of commands: all from the tables. */
#include "cli/cli_int.h"

static const char about[] =
    "Braid joins patient records from every provider, keeps registers, finds gaps in care, and "
    "works "
    "out payment contracts to the penny, with the persons and events behind each figure.";

/* True for the first command of its family: the man page of "store check" is that of "store". */
static Str family_of(const CommandSpec *command)
{
    return str_slice(command->name, 0, str_find_char(command->name, ' '));
}

static bool is_in_family(const CommandSpec *command, Str word)
{
    return str_eq(family_of(command), word);
}

static bool has_page(const CommandSpec *command)
{
    return !str_eq(command->name, S("help")) && !str_eq(command->name, S("version"));
}

/* Text in lines of at most `width` columns, each behind `indent` blanks. */
static void add_wrapped(StrBuf *out, Str text, size_t indent, size_t width)
{
    size_t column = 0;
    Str word;
    Str rest = text;
    while (str_split_next(&rest, ' ', &word)) {
        if (column != 0 && column + 1 + word.len > width) {
            strbuf_add_char(out, '\n');
            column = 0;
        }
        if (column == 0) {
            strbuf_printf(out, "%*s", (int)indent, "");
            column = indent;
        } else {
            strbuf_add_char(out, ' ');
            column++;
        }
        strbuf_add(out, word);
        column += word.len;
    }
    strbuf_add_char(out, '\n');
}

/* Calls add for each paragraph of a description. */
static bool next_paragraph(Str *rest, Str *ret_paragraph)
{
    if (str_is_empty(*rest))
        return false;
    size_t at = str_find(*rest, S("\n\n"));
    *ret_paragraph = str_slice(*rest, 0, at);
    size_t next = at == SIZE_MAX ? rest->len : at + 2;
    *rest = str_slice(*rest, next, SIZE_MAX);
    return true;
}

void help_overview(StrBuf *out)
{
    strbuf_add(out, S("Usage: braid COMMAND [ARGUMENT...] [OPTION...]\n\n"));
    add_wrapped(out, str_from_c(about), 0, 90);
    strbuf_add(out, S("\nCommands:\n"));
    for (size_t i = 0; i < cli_command_count; i++) {
        const CommandSpec *command = &cli_commands[i];
        if (has_page(command) && str_find_char(command->name, ' ') == SIZE_MAX)
            strbuf_printf(out, "  %-18.*s  %.*s\n", STR_ARG(command->name), STR_ARG(command->says));
    }
    for (size_t i = 0; i < cli_command_count; i++) {
        const CommandSpec *command = &cli_commands[i];
        if (str_find_char(command->name, ' ') != SIZE_MAX)
            strbuf_printf(out, "  %-18.*s  %.*s\n", STR_ARG(command->name), STR_ARG(command->says));
    }
    strbuf_add(out, S("  help, version       what a command does and takes; the version\n\n"
                      "braid help COMMAND tells more. Exit codes are in braid(1).\n"));
}

static void add_options(const CommandSpec *command, StrBuf *out)
{
    strbuf_add(out, S("\nOptions:\n"));
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const OptionSpec *option = &cli_options[i];
        if ((command->options >> i & 1) == 0)
            continue;
        strbuf_printf(out, "  --%.*s %.*s\n", STR_ARG(option->name), STR_ARG(option->value));
        if (str_is_empty(option->value))
            out->len -= 2, strbuf_add_char(out, '\n');
        add_wrapped(out, option->says, 6, 90);
    }
}

void help_command(const CommandSpec *command, StrBuf *out)
{
    strbuf_printf(out, "Usage: braid %.*s %.*s [OPTION...]\n", STR_ARG(command->name),
                  STR_ARG(command->arguments));
    Str rest = command->description;
    Str paragraph;
    while (next_paragraph(&rest, &paragraph)) {
        strbuf_add_char(out, '\n');
        add_wrapped(out, paragraph, 0, 90);
    }
    add_options(command, out);
    strbuf_add(out, S("\nExamples:\n"));
    Str line;
    for (rest = str_trim(command->examples); str_split_next(&rest, '\n', &line);)
        strbuf_printf(out, "  %.*s\n", STR_ARG(line));
}

/* --- man pages --- */

/* Text with what troff would take as its own escaped. */
static void add_troff(StrBuf *out, Str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool begins_line = i == 0 || text.ptr[i - 1] == '\n';
        if (begins_line && (c == '.' || c == '\''))
            strbuf_add(out, S("\\&"));
        if (c == '\\')
            strbuf_add(out, S("\\e"));
        else if (c == '-')
            strbuf_add(out, S("\\-"));
        else
            strbuf_add_char(out, c);
    }
}

/* As add_wrapped at 90 columns, for the source of a page. */
static void add_troff_paragraph(StrBuf *out, Str text)
{
    StrBuf lines;
    strbuf_init(&lines, out->arena, 0);
    add_wrapped(&lines, text, 0, 90);
    add_troff(out, strbuf_str(&lines));
}

static void add_title(StrBuf *out, Str word, Str says)
{
    strbuf_add(out, S(".\\\" Made from the tables of src/cli: braid help --man. Do not edit.\n"));
    StrBuf name;
    strbuf_init(&name, out->arena, 0);
    strbuf_add(&name, S("braid"));
    if (!str_is_empty(word))
        strbuf_printf(&name, "-%.*s", STR_ARG(word));
    strbuf_add(out, S(".TH "));
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        strbuf_add_char(out, c >= 'a' && c <= 'z' ? (char)(c - 32) : c);
    }
    strbuf_add(out, S(" 1 \"\" \"Braid\" \"User Commands\"\n.SH NAME\n"));
    add_troff(out, strbuf_str(&name));
    strbuf_printf(out, " \\- ");
    add_troff(out, says);
    strbuf_add_char(out, '\n');
}

static void add_man_options(OptionSet options, StrBuf *out)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if ((options >> i & 1) == 0)
            continue;
        strbuf_add(out, S(".TP\n.B \\-\\-"));
        add_troff(out, cli_options[i].name);
        if (!str_is_empty(cli_options[i].value))
            strbuf_printf(out, " \\fI%.*s\\fR", STR_ARG(cli_options[i].value));
        strbuf_add_char(out, '\n');
        add_troff_paragraph(out, cli_options[i].says);
    }
}

static void add_man_exits(StrBuf *out)
{
    strbuf_add(out, S(".SH EXIT STATUS\n"));
#define EXIT_CODE(name, number, text)                                                              \
    strbuf_add(out, S(".TP\n.B " #number "\n"));                                                   \
    add_troff_paragraph(out, S(text));
#include "cli/exit.def"
#undef EXIT_CODE
}

static void add_man_synopsis(const CommandSpec *command, StrBuf *out)
{
    strbuf_add(out, S(".B braid "));
    add_troff(out, command->name);
    strbuf_printf(out, "\n\\fI%.*s\\fR [\\fIOPTION\\fR...]\n.br\n", STR_ARG(command->arguments));
}

static void add_man_examples(const CommandSpec *command, StrBuf *out)
{
    Str rest = str_trim(command->examples);
    Str line;
    while (str_split_next(&rest, '\n', &line)) {
        strbuf_add(out, S(".PP\n.nf\n$ "));
        add_troff(out, line);
        strbuf_add(out, S("\n.fi\n"));
    }
}

static void man_overview(StrBuf *out)
{
    add_title(out, (Str){0}, S("integrated care and its payment as one system"));
    strbuf_add(out, S(".SH SYNOPSIS\n.B braid\n\\fICOMMAND\\fR [\\fIARGUMENT\\fR...] "
                      "[\\fIOPTION\\fR...]\n.SH DESCRIPTION\n"));
    add_troff_paragraph(out, str_from_c(about));
    strbuf_add(out, S(".SH COMMANDS\n"));
    for (size_t i = 0; i < cli_command_count; i++) {
        strbuf_add(out, S(".TP\n.B braid "));
        add_troff(out, cli_commands[i].name);
        strbuf_add_char(out, '\n');
        add_troff(out, cli_commands[i].says);
        strbuf_add_char(out, '\n');
    }
    add_man_exits(out);
    strbuf_add(out, S(".SH SEE ALSO\n"));
    Str last = {0};
    for (size_t i = 0; i < cli_command_count; i++) {
        Str word = family_of(&cli_commands[i]);
        if (has_page(&cli_commands[i]) && !str_eq(word, last))
            strbuf_printf(out, ".BR braid\\-%.*s (1),\n", STR_ARG(word));
        last = word;
    }
    strbuf_add(out, S(".BR braid\\-programme (5)\n"));
}

static void add_man_description(const CommandSpec *command, bool has_title, StrBuf *out)
{
    if (has_title) {
        strbuf_add(out, S(".SS braid "));
        add_troff(out, command->name);
        strbuf_add_char(out, '\n');
    }
    Str rest = command->description;
    Str paragraph;
    for (bool is_first = true; next_paragraph(&rest, &paragraph); is_first = false) {
        if (!is_first)
            strbuf_add(out, S(".PP\n"));
        add_troff_paragraph(out, paragraph);
    }
}

/* What a family of commands is about, for the title of its page. */
static Str family_says(const CommandSpec *first, size_t members)
{
    Str word = family_of(first);
    if (members == 1)
        return first->says;
    if (str_eq(word, S("store")))
        return S("look into a store and check it");
    if (str_eq(word, S("ledger")))
        return S("check a ledger and show its balances");
    if (str_eq(word, S("contract")))
        return S("check, explain, compare and draw contracts");
    if (str_eq(word, S("cql")))
        return S("write, check, run and test Clinical Quality Language");
    return S("its commands");
}

void help_man(Str word, StrBuf *out)
{
    if (str_is_empty(word)) {
        man_overview(out);
        return;
    }
    const CommandSpec *members[64]; /* more than any family has */
    size_t count = 0;
    OptionSet options = 0;
    for (size_t i = 0; i < cli_command_count; i++)
        if (is_in_family(&cli_commands[i], word)) {
            ASSERT(count < COUNT_OF(members));
            members[count++] = &cli_commands[i];
            options |= cli_commands[i].options;
        }
    ASSERT(count > 0);
    add_title(out, word, family_says(members[0], count));
    strbuf_add(out, S(".SH SYNOPSIS\n"));
    for (size_t i = 0; i < count; i++)
        add_man_synopsis(members[i], out);
    strbuf_add(out, S(".SH DESCRIPTION\n"));
    for (size_t i = 0; i < count; i++)
        add_man_description(members[i], count > 1, out);
    strbuf_add(out, S(".SH OPTIONS\n"));
    add_man_options(options, out);
    strbuf_add(out, S(".SH EXAMPLES\n"));
    for (size_t i = 0; i < count; i++)
        add_man_examples(members[i], out);
    add_man_exits(out);
    strbuf_add(out, S(".SH SEE ALSO\n.BR braid (1),\n.BR braid\\-programme (5)\n"));
}

/* --- docs/commands.md --- */

static void markdown_command(const CommandSpec *command, StrBuf *out)
{
    strbuf_printf(out, "\n## braid %.*s\n\n    braid %.*s %.*s\n", STR_ARG(command->name),
                  STR_ARG(command->name), STR_ARG(command->arguments));
    if (command->arguments.len == 0)
        out->len -= 2, strbuf_add_char(out, '\n');
    Str rest = command->description;
    Str paragraph;
    while (next_paragraph(&rest, &paragraph)) {
        strbuf_add_char(out, '\n');
        add_wrapped(out, paragraph, 0, 110);
    }
    strbuf_add(out, S("\n| option | |\n|---|---|\n"));
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if ((command->options >> i & 1) == 0)
            continue;
        const OptionSpec *option = &cli_options[i];
        strbuf_printf(out, "| `--%.*s%s%.*s` | %.*s |\n", STR_ARG(option->name),
                      option->value.len > 0 ? " " : "", STR_ARG(option->value),
                      STR_ARG(option->says));
    }
    strbuf_printf(out, "\n```sh\n%.*s```\n", STR_ARG(command->examples));
}

void help_markdown(StrBuf *out)
{
    strbuf_add(out,
               S("# Commands\n\nMade from the tables of `src/cli` by `braid help --markdown`; "
                 "the same is in the man pages.\n\n"
                 "Results go to standard output, as text for people or with `--json` as one "
                 "JSON document; progress and findings go to standard error. Progress is a line "
                 "that is rewritten on a terminal, and plain lines elsewhere.\n\n"
                 "## Exit codes\n\n| code | |\n|---|---|\n"));
#define EXIT_CODE(name, number, text) strbuf_add(out, S("| " #number " | " text " |\n"));
#include "cli/exit.def"
#undef EXIT_CODE
    for (size_t i = 0; i < cli_command_count; i++)
        markdown_command(&cli_commands[i], out);
}

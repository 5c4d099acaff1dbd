/* What people and machines get to see: results, findings, progress, errors; and the interrupt. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "cli/cli_int.h"

enum { FINDINGS_SHOWN = 20 };

ExitCode cli_fail(Cli *cli)
{
    fprintf(stderr, "braid: %s\n", cli->err.message);
    return exit_code_of(cli->err.code);
}

ExitCode cli_finish(Cli *cli, ExitCode code)
{
    Str text = strbuf_str(&cli->out);
    errno = 0;
    if (cli->out.overflowed) {
        fputs("braid: the result is too long to be shown\n", stderr);
        return EXIT_CODE_IO;
    }
    /* What a command printed before it came here counts too. */
    if (fwrite(text.ptr, 1, text.len, stdout) == text.len && fflush(stdout) == 0 && !ferror(stdout))
        return code;
    (void)error_set_errno(&cli->err, errno == 0 ? EIO : errno, "cannot write the result");
    return cli_fail(cli);
}

void cli_show_findings(const Cli *cli, const DiagList *diags)
{
    if (cli_has(cli, OPTION_QUIET))
        return;
    StrBuf line;
    strbuf_init(&line, cli->arena, 0);
    size_t shown = 0;
    for (size_t i = 0; i < diags->kept.count && shown < FINDINGS_SHOWN; i++, shown++) {
        strbuf_clear(&line);
        diag_format(&diags->kept.items[i], &line);
        fprintf(stderr, "%.*s\n", STR_ARG(strbuf_str(&line)));
    }
    size_t all = diags->counts[SEVERITY_INFO] + diags->counts[SEVERITY_WARNING] +
                 diags->counts[SEVERITY_ERROR];
    if (all > shown)
        fprintf(stderr, "... and %zu more findings\n", all - shown);
}

ErrorCode cli_write_findings(Cli *cli, const DiagList *diags)
{
    Str path = cli_text(cli, OPTION_FINDINGS);
    if (str_is_empty(path))
        return ERR_OK;
    StrBuf lines;
    strbuf_init(&lines, cli->arena, 0);
    JsonWriter json;
    json_writer_init(&json, &lines, false);
    VEC_FOREACH (Diag, diag, &diags->kept) {
        json_diag(&json, diag);
        json_line_end(&json);
    }
    return io_write_file(path, strbuf_str(&lines), &cli->err);
}

void cli_json_findings(JsonWriter *json, const DiagList *diags)
{
    json_key(json, S("findings"));
    json_array_begin(json);
    VEC_FOREACH (Diag, diag, &diags->kept)
        json_diag(json, diag);
    json_array_end(json);
}

ExitCode cli_finish_check(Cli *cli, const DiagList *diags, Str fine)
{
    ExitCode code = diag_has_errors(diags) ? EXIT_CODE_DOCUMENT : EXIT_CODE_OK;
    StrBuf *out = &cli->out;
    if (cli_has(cli, OPTION_JSON)) {
        JsonWriter json;
        json_writer_init(&json, out, true);
        json_object_begin(&json);
        json_member_bool(&json, S("ok"), code == EXIT_CODE_OK);
        cli_json_findings(&json, diags);
        json_object_end(&json);
        strbuf_add_char(out, '\n');
        return cli_finish(cli, code);
    }
    VEC_FOREACH (Diag, diag, &diags->kept) {
        diag_format(diag, out);
        strbuf_add_char(out, '\n');
    }
    if (code == EXIT_CODE_OK)
        strbuf_printf(out, "%.*s\n", STR_ARG(fine));
    else
        strbuf_printf(out, "%zu errors\n", diags->counts[SEVERITY_ERROR]);
    return cli_finish(cli, code);
}

Str cli_grouped(Arena *arena, uint64_t number)
{
    char text[32];
    size_t at = sizeof text;
    for (unsigned digits = 0; number != 0 || digits == 0; number /= 10, digits++) {
        if (digits != 0 && digits % 3 == 0)
            text[--at] = ',';
        text[--at] = (char)('0' + number % 10);
    }
    return str_copy(arena, (Str){.ptr = text + at, .len = sizeof text - at});
}

void cli_note(const Cli *cli, const char *format, ...)
{
    if (cli_has(cli, OPTION_QUIET))
        return;
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

/* --- progress --- */

typedef struct {
    bool is_terminal;
    bool is_running;
    struct timespec began;
    double shown_at; /* seconds since `began` */
} ProgressLines;

static double seconds_since(const struct timespec *began)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - began->tv_sec) + (double)(now.tv_nsec - began->tv_nsec) / 1e9;
}

/* Bytes as MB; other numbers with the digits grouped, and their unit if it is wanted. */
static Str amount_text(Arena *arena, uint64_t amount, Str unit)
{
    if (str_eq(unit, S("bytes")))
        return str_format(arena, "%.1f MB", (double)amount / 1e6);
    Str number = cli_grouped(arena, amount);
    return unit.len == 0 ? number : str_format(arena, "%.*s %.*s", STR_ARG(number), STR_ARG(unit));
}

static void show_progress(void *context, Str stage, uint64_t done, uint64_t total, Str unit,
                          bool is_finished)
{
    ProgressLines *lines = context;
    if (!lines->is_running) {
        lines->is_running = true;
        clock_gettime(CLOCK_MONOTONIC, &lines->began);
        lines->shown_at = lines->is_terminal ? -1 : 0;
    }
    double seconds = seconds_since(&lines->began);
    double pause = lines->is_terminal ? 0.1 : 10;
    if (!is_finished && seconds - lines->shown_at < pause)
        return;
    lines->shown_at = seconds;
    Arena *arena = arena_create(0);
    bool is_part = !is_finished && total > 0;
    Str amount = amount_text(arena, done, is_part && !str_eq(unit, S("bytes")) ? S("") : unit);
    const char *begin = lines->is_terminal ? "\r\033[K" : "";
    const char *end = lines->is_terminal && !is_finished ? "" : "\n";
    if (!is_part)
        fprintf(stderr, "%s%-10.*s %.*s in %.1f s%s", begin, STR_ARG(stage), STR_ARG(amount),
                seconds, end);
    else
        fprintf(stderr, "%s%-10.*s %3.0f%%  %.*s of %.*s%s", begin, STR_ARG(stage),
                100.0 * (double)done / (double)total, STR_ARG(amount),
                STR_ARG(amount_text(arena, total, unit)), end);
    fflush(stderr);
    arena_destroy(arena);
    if (is_finished)
        lines->is_running = false;
}

Progress *cli_progress(const Cli *cli)
{
    if (cli_has(cli, OPTION_QUIET))
        return NULL;
    ProgressLines *lines = ARENA_NEW(cli->arena, ProgressLines);
    lines->is_terminal = isatty(STDERR_FILENO) == 1;
    return progress_create(cli->arena, show_progress, lines);
}

Str cli_now(Arena *arena)
{
    time_t now = time(NULL);
    struct tm parts;
    char text[32];
    if (gmtime_r(&now, &parts) == NULL ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        return (Str){0};
    return str_copy(arena, str_from_c(text));
}

/* --- the interrupt --- */

static sigset_t interrupt_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    return signals;
}

/* Waits for the signal in a thread of its own. Whatever is being written then is a temporary file
   or an open transaction: stopping between any two instructions leaves the last whole version,
   which is what a later run begins from. */
static void *wait_for_interrupt(void *context)
{
    (void)context;
    sigset_t signals = interrupt_signals();
    int number = 0;
    while (sigwait(&signals, &number) != 0) {
    }
    static const char text[] = "\nbraid: stopped\n";
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    _exit(written >= 0 ? EXIT_CODE_STOPPED : EXIT_CODE_IO);
    return NULL;
}

void cli_watch_interrupt(void)
{
    sigset_t signals = interrupt_signals();
    pthread_t thread;
    if (pthread_sigmask(SIG_BLOCK, &signals, NULL) == 0 &&
        pthread_create(&thread, NULL, wait_for_interrupt, NULL) == 0)
        pthread_detach(thread);
}

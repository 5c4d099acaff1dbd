/*
 * cql_expressions -- evaluates CQL expressions, one a line of standard input, without a record.
 *
 * A line in is an expression with \t \n \r \\ escaped. A line out is "value" TAB its canonical
 * text, or "error" TAB what was wrong. For tools/differential and for trying things.
 *
 *     cql_expressions --generate COUNT SEED
 *
 * prints so many expressions of the generator instead.
 */
#include "cql/cql.h"
#include "generator.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINE_MAX_BYTES = 1 << 20, STEPS_MAX = 2000000 };

static Str unescape_line(Arena *arena, Str text)
{
    char *out = arena_alloc(arena, text.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\\' && i + 1 < text.len) {
            char c = text.ptr[++i];
            out[len++] = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
        } else {
            out[len++] = text.ptr[i];
        }
    }
    return (Str){.ptr = out, .len = len};
}

static void print_line(const char *kind, Str text)
{
    printf("%s\t", kind);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        (void)putchar(c == '\n' || c == '\t' || c == '\r' ? ' ' : c);
    }
    (void)putchar('\n');
}

static void run_line(Arena *arena, Str line)
{
    DiagList diags;
    Error err = {0};
    StrBuf out;
    strbuf_init(&out, arena, 0);
    diag_init(&diags, arena);
    CqlPlanOptions options = {.now = {.year = 2026,
                                      .month = 1,
                                      .day = 15,
                                      .hour = 10,
                                      .minute = 30,
                                      .second = 15,
                                      .millisecond = 250,
                                      .offset_minutes = 0,
                                      .precision = PRECISION_MILLISECOND},
                              .steps_max = STEPS_MAX};
    ErrorCode code =
        cql_eval_expression(arena, unescape_line(arena, line), &options, &diags, &out, &err);
    if (code == ERR_OK)
        print_line("value", strbuf_str(&out));
    else if (diags.kept.count > 0)
        print_line("error", diags.kept.items[0].text);
    else
        print_line("error", str_from_c(err.message));
}

static int generate(Arena *arena, Str count_text, Str seed_text)
{
    int64_t count;
    int64_t seed;
    if (!str_to_int64(count_text, &count) || !str_to_int64(seed_text, &seed))
        return 2;
    Generator generator = {.seed = ((uint64_t)seed + 1) * 0x9E3779B97F4A7C15U};
    for (int64_t i = 0; i < count; i++) {
        StrBuf out;
        strbuf_init(&out, arena, 0);
        generator.out = &out;
        generate_expression(&generator);
        printf("%.*s\n", STR_ARG(strbuf_str(&out)));
        arena_reset(arena);
    }
    return 0;
}

int main(int argc, char **argv)
{
    char *line = malloc(LINE_MAX_BYTES);
    Arena *arena = arena_create(0);
    int code = 0;
    if (argc == 4 && strcmp(argv[1], "--generate") == 0) {
        code = generate(arena, str_from_c(argv[2]), str_from_c(argv[3]));
        arena_destroy(arena);
        free(line);
        return code;
    }
    while (line != NULL && fgets(line, LINE_MAX_BYTES, stdin) != NULL) {
        size_t len = strlen(line);
        while (len > 0 && line[len - 1] == '\n')
            len--;
        run_line(arena, (Str){.ptr = line, .len = len});
        arena_reset(arena);
    }
    arena_destroy(arena);
    free(line);
    return 0;
}

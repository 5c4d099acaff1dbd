/*
 * cql_suite -- evaluates expressions of the public suite, given by test_suite.py.
 *
 * A line in: name TAB invalid ("", "true", "syntax", "semantic") TAB expression TAB expected; with
 * \t \n \\ escaped. A line out: name TAB "pass" or "fail" TAB what was got TAB what was expected.
 * The expected text is CQL too: both are evaluated and their canonical texts compared, open bounds
 * of intervals closed first.
 */
#include "cql/cql.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINE_MAX_BYTES = 1 << 20 };

static Str unescape_line(Arena *arena, Str text)
{
    char *out = arena_alloc(arena, text.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\\' && i + 1 < text.len) {
            char c = text.ptr[++i];
            out[len++] = c == 'n' ? '\n' : c == 't' ? '\t' : c;
        } else {
            out[len++] = text.ptr[i];
        }
    }
    return (Str){.ptr = out, .len = len};
}

/* Numbers are compared by value: "10.0" and "10" alike, and so of an uncertain Integer. */
static Str without_zeros(Arena *arena, Str text)
{
    StrBuf buf;
    strbuf_init(&buf, arena, 0);
    for (size_t i = 0; i < text.len; i++) {
        bool is_zero = text.ptr[i] == '.' && i + 1 < text.len && text.ptr[i + 1] == '0' && i > 0 &&
                       text.ptr[i - 1] >= '0' && text.ptr[i - 1] <= '9' &&
                       (i + 2 == text.len || strchr(", ]})", text.ptr[i + 2]) != NULL);
        if (is_zero)
            i++;
        else
            strbuf_add_char(&buf, text.ptr[i]);
    }
    return strbuf_str(&buf);
}

static Str escape_line(Arena *arena, Str text)
{
    StrBuf buf;
    strbuf_init(&buf, arena, 0);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        strbuf_add_char(&buf, c == '\n' || c == '\t' || c == '\r' ? ' ' : c);
    }
    return strbuf_str(&buf);
}

/* The canonical text of an expression's value, or what went wrong; false when it failed. */
static bool evaluate(Arena *arena, Str expression, Str *ret_text)
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
                                      .precision = PRECISION_MILLISECOND}};
    ErrorCode code = cql_eval_expression(arena, expression, &options, &diags, &out, &err);
    *ret_text = strbuf_str(&out);
    if (code == ERR_OK)
        return true;
    if (diags.kept.count > 0)
        *ret_text = diags.kept.items[0].text;
    else
        *ret_text = str_copy(arena, str_from_c(err.message));
    return false;
}

static void run_line(Arena *arena, Str line)
{
    Str parts[4] = {{0}};
    for (size_t i = 0; i < 4; i++) {
        if (!str_split_next(&line, '\t', &parts[i]))
            parts[i] = S("");
    }
    Str got;
    Str want = S("an error");
    bool ok = evaluate(arena, unescape_line(arena, parts[2]), &got);
    bool is_valid = parts[1].len == 0;
    bool passed = !ok && !is_valid;
    if (is_valid) {
        bool known = evaluate(arena, unescape_line(arena, parts[3]), &want);
        passed = ok && known && str_eq(without_zeros(arena, got), without_zeros(arena, want));
    }
    printf("%.*s\t%s\t%.*s\t%.*s\n", STR_ARG(parts[0]), passed ? "pass" : "fail",
           STR_ARG(escape_line(arena, got)), STR_ARG(escape_line(arena, want)));
}

int main(void)
{
    char *line = malloc(LINE_MAX_BYTES);
    Arena *arena = arena_create(0);
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

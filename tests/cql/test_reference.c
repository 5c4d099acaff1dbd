/*
 * The tables tests/cql/cases/reference-*.tsv: what CQL's reference (Appendix B), its Language
 * Semantics (chapter 5) and Appendix H say of operators, by example. A row is
 *
 *     section TAB expression TAB expected
 *
 * with \t \n \\ escaped. Expected is CQL too, and the canonical texts of both values are compared;
 * or it is the word error. Rows are run without a record.
 */
#include "base/io.h"
#include "base/test.h"
#include "cql/cql.h"

static Str unescape(Arena *arena, Str text)
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

/* The canonical text, numbers without the zeros that only say of what type they are. */
static Str value_of(Arena *arena, Str expression)
{
    DiagList diags;
    Error err = {0};
    StrBuf out;
    diag_init(&diags, arena);
    strbuf_init(&out, arena, 0);
    CqlPlanOptions options = {.now = {.year = 2026,
                                      .month = 1,
                                      .day = 15,
                                      .hour = 10,
                                      .minute = 30,
                                      .offset_minutes = 0,
                                      .precision = PRECISION_MINUTE}};
    if (cql_eval_expression(arena, expression, &options, &diags, &out, &err) != ERR_OK)
        return S("error");
    Str text = strbuf_str(&out);
    StrBuf plain;
    strbuf_init(&plain, arena, 0);
    for (size_t i = 0; i < text.len; i++) {
        bool is_zero = text.ptr[i] == '.' && i > 0 && i + 1 < text.len && text.ptr[i + 1] == '0' &&
                       text.ptr[i - 1] >= '0' && text.ptr[i - 1] <= '9' &&
                       (i + 2 == text.len || strchr(" ,])}:", text.ptr[i + 2]) != NULL);
        if (is_zero)
            i++;
        else
            strbuf_add_char(&plain, text.ptr[i]);
    }
    return strbuf_str(&plain);
}

static void run_table(Arena *arena, const char *file, size_t least)
{
    Error err = {0};
    Str text = S("");
    CHECK_OK(io_read_file(arena, str_from_c(file), 0, &text, &err), &err);
    size_t rows = 0;
    Str line;
    for (int number = 1; str_split_next(&text, '\n', &line); number++) {
        Str parts[3] = {{0}};
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        for (size_t i = 0; i < 3; i++)
            CHECK(str_split_next(&line, '\t', &parts[i]));
        Str want = unescape(arena, parts[2]);
        want = str_eq(want, S("error")) ? want : value_of(arena, want);
        check_str(value_of(arena, unescape(arena, parts[1])), want, "value", file, number);
        rows++;
    }
    CHECK(rows >= least);
}

TEST(reference_of_operators_on_single_values)
{
    run_table(arena, "tests/cql/cases/reference-values.tsv", 600);
}

TEST(reference_of_dates_intervals_and_lists)
{
    run_table(arena, "tests/cql/cases/reference-times-and-lists.tsv", 400);
}

TEST(reference_of_literals_queries_and_phrases)
{
    run_table(arena, "tests/cql/cases/reference-language.tsv", 150);
}

/*
 * Runs the tables tests/cql/cases/check-*.tsv: what a set of libraries is told by the checker.
 *
 * A row is a name, the libraries and the findings, tabs between. Libraries are texts with \n for
 * line ends, `;;` between several: they are called 1.cql, 2.cql … in that order. Findings are
 * "file:line:column: severity: text [rule]", " | " between; "none" when there are none.
 * With BRAID_GOLDEN=1 the findings are rewritten to what comes out.
 */
#include <stdlib.h>

#include "base/io.h"
#include "base/test.h"
#include "cql/cql.h"

static Str unescape(Arena *arena, Str text)
{
    StrBuf out;
    strbuf_init(&out, arena, 0);
    for (size_t i = 0; i < text.len; i++) {
        bool is_end = text.ptr[i] == '\\' && i + 1 < text.len && text.ptr[i + 1] == 'n';
        strbuf_add_char(&out, is_end ? '\n' : text.ptr[i]);
        i += is_end;
    }
    return strbuf_str(&out);
}

static Str findings(Arena *arena, const DiagList *diags)
{
    StrBuf out;
    strbuf_init(&out, arena, 0);
    VEC_FOREACH (Diag, diag, &diags->kept) {
        strbuf_add(&out, out.len > 0 ? S(" | ") : S(""));
        diag_format(diag, &out);
    }
    return out.len == 0 ? S("none") : strbuf_str(&out);
}

static Str check(Arena *arena, Str sources)
{
    DiagList diags;
    Error err = {0};
    CqlPlan *plan;
    Moment now = {.year = 2026, .month = 1, .day = 15, .precision = PRECISION_DAY};
    ValueSets *sets = value_sets_create(arena);
    CqlPlanOptions options = {.now = now, .value_sets = sets};
    CqlLibraries *libraries = cql_libraries_create(arena);
    diag_init(&diags, arena);
    value_sets_resolve(sets, &diags);
    for (uint32_t number = 1; sources.ptr != NULL; number++) {
        size_t end = str_find(sources, S(";;"));
        Str source = unescape(arena, str_slice(sources, 0, end == SIZE_MAX ? sources.len : end));
        Str file = str_format(arena, "%u.cql", number);
        (void)cql_libraries_add(libraries, source, file, &diags);
        sources = end == SIZE_MAX ? (Str){0} : str_slice(sources, end + 2, sources.len);
    }
    size_t before = diags.counts[SEVERITY_ERROR];
    ErrorCode code = cql_plan_create(arena, libraries, &options, &diags, &plan, &err);
    CHECK((code == ERR_OK) == (diags.counts[SEVERITY_ERROR] == before));
    return findings(arena, &diags);
}

static void run_table(Arena *arena, const char *path)
{
    Str text = S("");
    Error err = {0};
    StrBuf golden;
    strbuf_init(&golden, arena, 0);
    if (!CHECK_OK(io_read_file(arena, str_from_c(path), 0, &text, &err), &err))
        return;
    bool is_golden = getenv("BRAID_GOLDEN") != NULL; /* NOLINT(concurrency-mt-unsafe) */
    Str line;
    size_t rows = 0;
    for (uint32_t number = 1; str_split_next(&text, '\n', &line); number++) {
        Str rest = line;
        Str name;
        Str sources;
        if (line.len == 0 || line.ptr[0] == '#') {
            if (text.ptr != NULL || line.len > 0)
                strbuf_printf(&golden, "%.*s\n", STR_ARG(line));
            continue;
        }
        CHECK(str_split_next(&rest, '\t', &name) && str_split_next(&rest, '\t', &sources));
        Str got = check(arena, sources);
        strbuf_printf(&golden, "%.*s\t%.*s\t%.*s\n", STR_ARG(name), STR_ARG(sources), STR_ARG(got));
        if (!is_golden)
            (void)check_str(got, rest, str_to_c(arena, name), path, (int)number);
        rows++;
    }
    CHECK(rows > 0);
    if (is_golden)
        CHECK_OK(io_write_file(str_from_c(path), strbuf_str(&golden), &err), &err);
}

TEST(tables_of_libraries)
{
    run_table(arena, "tests/cql/cases/check-libraries.tsv");
}

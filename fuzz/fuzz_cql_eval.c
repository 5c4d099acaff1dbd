/*
 * fuzz_cql_eval -- bytes choose well-typed CQL expressions (tests/cql/generator.h), which are
 * resolved and evaluated under a small step limit. Nothing may crash, leak, recurse or go on for
 * ever; what is printed of a value must read back as the same value.
 */
#include "../tests/cql/generator.h"
#include "cql/cql.h"

enum { STEPS_MAX = 50000 };

static ErrorCode evaluate(Arena *arena, Str expression, StrBuf *out)
{
    DiagList diags;
    Error err = {0};
    diag_init(&diags, arena);
    strbuf_init(out, arena, 1 << 20);
    CqlPlanOptions options = {.steps_max = STEPS_MAX};
    options.now = (Moment){.year = 2026, .month = 1, .day = 1, .precision = PRECISION_DAY};
    ErrorCode code = cql_eval_expression(arena, expression, &options, &diags, out, &err);
    /* The generator knows its types: only values may be wrong. */
    ASSERT(code != ERR_DOCUMENT);
    return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_create(0);
    StrBuf text;
    StrBuf first;
    StrBuf again;
    strbuf_init(&text, arena, 0);
    Generator generator = {.bytes = data, .len = size, .out = &text};
    generate_expression(&generator);
    bool ok = evaluate(arena, strbuf_str(&text), &first) == ERR_OK && !first.overflowed;
    if (ok && str_find(strbuf_str(&first), S("Interval")) == SIZE_MAX) {
        bool reads_back = evaluate(arena, strbuf_str(&first), &again) == ERR_OK;
        ASSERT(reads_back && str_eq(strbuf_str(&first), strbuf_str(&again)));
    }
    arena_destroy(arena);
    return 0;
}

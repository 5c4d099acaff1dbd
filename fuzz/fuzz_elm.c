/*
 * fuzz_elm -- bytes as ELM JSON or a FHIR Library: read, resolved, and what resolves evaluated
 * without a record, under a small step limit. Nothing may crash, leak, or go on for ever.
 */
#include "cql/cql.h"

enum { STEPS_MAX = 20000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_create(0);
    DiagList diags;
    Error err = {0};
    CqlPlan *plan;
    diag_init(&diags, arena);
    CqlLibraries *libraries = cql_libraries_create(arena);
    CqlPlanOptions options = {.steps_max = STEPS_MAX};
    options.now = (Moment){.year = 2026, .month = 1, .day = 1, .precision = PRECISION_DAY};
    Str source = {.ptr = (const char *)data, .len = size};
    bool ok = cql_libraries_add(libraries, source, S("fuzz.json"), &diags) &&
              cql_plan_create(arena, libraries, &options, &diags, &plan, &err) == ERR_OK;
    if (ok) {
        CqlEval *eval = cql_eval_create(plan);
        cql_eval_begin_unfiltered(eval);
        for (size_t i = 0; i < cql_plan_definition_count(plan); i++) {
            CqlValue value;
            StrBuf out;
            strbuf_init(&out, arena, 1 << 20);
            if (cql_eval_definition(eval, i, &value, &err) == ERR_OK) {
                cql_value_format(value, &out);
                cql_value_json(value, &out);
            }
        }
        cql_eval_destroy(eval);
    }
    arena_destroy(arena);
    return 0;
}

/* fuzz_model -- any bytes as model info, and as a table of a model: refused with findings, or read;
   a table that was made from XML is always read. */
#include "cql/cql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_create(0);
    Str text = {(const char *)data, size};
    DiagList diags;
    diag_init(&diags, arena);
    CqlLibraries *libraries = cql_libraries_create(arena);
    bool is_read = cql_libraries_add_model(libraries, text, S("fuzz"), &diags);
    ASSERT(is_read == !diag_has_errors(&diags));
    StrBuf table;
    strbuf_init(&table, arena, 0);
    diag_init(&diags, arena);
    if (cql_model_import(arena, text, S("fuzz"), &diags, &table)) {
        is_read = cql_libraries_add_model(libraries, strbuf_str(&table), S("table"), &diags);
        ASSERT(is_read);
    }
    if (is_read) {
        CqlPlan *plan;
        Error err = {0};
        const CqlPlanOptions options = {.steps_max = 1000};
        Str source = S("using Registry version '1.0.0' context Patient define A: Patient.birthDate "
                       "define B: [RegisteredPatient] P return P.registryNumber");
        (void)cql_libraries_add(libraries, source, S("library"), &diags);
        ErrorCode code = cql_plan_create(arena, libraries, &options, &diags, &plan, &err);
        ASSERT(code == ERR_OK || err.code != ERR_OK);
    }
    arena_destroy(arena);
    return 0;
}

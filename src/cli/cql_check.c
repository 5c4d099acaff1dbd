/* braid cql check: everything that is wrong with CQL libraries, in one run. */
#include "cli/cql_input.h"

static void list_definitions(Cli *cli, const CqlPlan *plan)
{
    for (size_t i = 0; i < cql_plan_definition_count(plan); i++) {
        const CqlDefinition *each = cql_plan_definition(plan, i);
        strbuf_printf(&cli->out, "%.*s:%u: %.*s.\"%.*s\": %.*s\n", STR_ARG(each->file), each->line,
                      STR_ARG(each->library), STR_ARG(each->name), STR_ARG(each->type));
    }
}

ExitCode cmd_cql_check(Cli *cli)
{
    DiagList diags;
    diag_init(&diags, cli->arena);
    CqlInput input;
    if (cql_input_read(cli, cli->arguments.items, cli->arguments.count, &diags, &input) != ERR_OK)
        return cli_fail(cli);
    /* Checking reads no records, so the moment of evaluation is of no account. */
    CqlPlanOptions options = {
        .value_sets = input.value_sets,
        .now = {
            .year = 2000, .month = 1, .day = 1, .offset_minutes = 0, .precision = PRECISION_DAY}};
    CqlPlan *plan = NULL;
    ErrorCode code =
        cql_plan_create(cli->arena, input.libraries, &options, &diags, &plan, &cli->err);
    if (code != ERR_OK && code != ERR_DOCUMENT)
        return cli_fail(cli);
    if (code == ERR_OK && !diag_has_errors(&diags) && !cli_has(cli, OPTION_JSON))
        list_definitions(cli, plan);
    /* That parameters have no value is so because nothing is evaluated here. */
    DiagList shown;
    diag_init(&shown, cli->arena);
    VEC_FOREACH (Diag, diag, &diags.kept)
        if (diag->severity == SEVERITY_ERROR || !str_eq(diag->rule, S("cql-parameter")))
            diag_add(&shown, diag);
    return cli_finish_check(cli, &shown, S("nothing is wrong with the libraries"));
}

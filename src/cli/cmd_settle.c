/* braid settle --aggregates: a contract worked out from tables, without persons. */
#include "base/io.h"
#include "cli/cli_int.h"
#include "programme/programme.h"
#include "settle/settle.h"

/* The contract of a programme's folder: what programme.yaml names, or contract.yaml. */
static ErrorCode find_contract(Cli *cli, DiagList *diags, const Contract **ret_contract,
                               Str *ret_file)
{
    Str path = cli->arguments.items[0];
    Str document = io_join(cli->arena, path, S("programme.yaml"));
    if (io_exists(document)) {
        Programme *programme = NULL;
        ErrorCode code = programme_read(cli->arena, path, diags, &programme, &cli->err);
        if (code != ERR_OK)
            return code;
        if (programme->contract == NULL)
            return error_set(&cli->err, ERR_NOT_FOUND, "%.*s: the programme has no contract",
                             STR_ARG(path));
        *ret_contract = programme->contract;
        *ret_file = programme->contract_file;
        return ERR_OK;
    }
    Str file = io_join(cli->arena, path, S("contract.yaml"));
    Str text;
    if (!io_exists(file))
        file = path;
    ErrorCode code = io_read_file(cli->arena, file, LIMIT_DOCUMENT_BYTES, &text, &cli->err);
    if (code != ERR_OK)
        return code;
    *ret_file = file;
    code = contract_check(cli->arena, text, file, NULL, diags, ret_contract);
    return code == ERR_DOCUMENT ? diag_to_error(diags, &cli->err) : code;
}

static ErrorCode read_tables(Cli *cli, const Contract *contract, ContractFacts *facts,
                             DiagList *diags)
{
    Vec(SettleTable) tables = {0};
    VEC_FOREACH (GivenOption, given, &cli->given) {
        SettleTable table = {.name = given->value};
        if (given->option != OPTION_AGGREGATES)
            continue;
        bool is_input = str_eq(given->value, S("-"));
        ErrorCode code = io_read_file(cli->arena, is_input ? S("/dev/stdin") : given->value, 0,
                                      &table.text, &cli->err);
        if (code != ERR_OK)
            return code;
        VEC_PUSH(cli->arena, &tables, table);
    }
    ErrorCode code = settle_read_tables(contract, tables.items, tables.count, facts, diags);
    return code == ERR_OK ? ERR_OK : diag_to_error(diags, &cli->err);
}

ExitCode cmd_settle_tables(Cli *cli)
{
    DiagList diags;
    diag_init(&diags, cli->arena);
    const Contract *contract = NULL;
    const Outcome *outcome = NULL;
    Str file = S("");
    ErrorCode code = find_contract(cli, &diags, &contract, &file);
    if (code == ERR_OK) {
        ContractFacts *facts = contract_facts_new(cli->arena, contract);
        code = read_tables(cli, contract, facts, &diags);
        if (code == ERR_OK) {
            code = contract_evaluate(cli->arena, contract, facts, file, &diags, &outcome);
            if (code != ERR_OK)
                code = diag_to_error(&diags, &cli->err);
        }
    }
    cli_show_findings(cli, &diags);
    if (code != ERR_OK)
        return cli_fail(cli);
    if (cli_has(cli, OPTION_JSON))
        settle_outcome_json(cli->arena, outcome, &cli->out);
    else
        settle_outcome_text(cli->arena, outcome, &cli->out);
    return cli_finish(cli, EXIT_CODE_OK);
}

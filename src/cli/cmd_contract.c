/* braid contract: documents checked and explained by themselves. */
#include "base/io.h"
#include "cli/cli_int.h"
#include "programme/programme.h"

static ErrorCode read_contract(Cli *cli, const ContractKnown *known, DiagList *diags,
                               const Contract **ret_contract)
{
    Str path = cli->arguments.items[0];
    Str text;
    ErrorCode code = io_read_file(cli->arena, path, 0, &text, &cli->err);
    if (code == ERR_OK)
        code = contract_check(cli->arena, text, path, known, diags, ret_contract);
    if (code == ERR_DOCUMENT && cli->err.code == ERR_OK)
        code = diag_to_error(diags, &cli->err);
    return code;
}

ExitCode cmd_contract_check(Cli *cli)
{
    DiagList diags;
    diag_init(&diags, cli->arena);
    ContractKnown known = {0};
    if (cli_has(cli, OPTION_PROGRAMME)) {
        Programme *programme = NULL;
        /* Its own findings are not asked for, but a programme with errors has no known indicators.
         */
        if (programme_read(cli->arena, cli_text(cli, OPTION_PROGRAMME), &diags, &programme,
                           &cli->err) != ERR_OK)
            return diag_has_errors(&diags) ? cli_finish_check(cli, &diags, S("")) : cli_fail(cli);
        const MeasureSpec *spec = &programme->measures;
        Str *ids = ARENA_ARRAY(cli->arena, Str, spec->indicator_count);
        for (size_t i = 0; i < spec->indicator_count; i++)
            ids[i] = spec->indicators[i].id;
        known = (ContractKnown){
            .indicators = ids, .indicator_count = spec->indicator_count, .has_indicators = true};
    }
    const Contract *contract = NULL;
    ErrorCode code = read_contract(cli, &known, &diags, &contract);
    if (code != ERR_OK && code != ERR_DOCUMENT)
        return cli_fail(cli);
    return cli_finish_check(cli, &diags, S("nothing is wrong with the contract"));
}

ExitCode cmd_contract_explain(Cli *cli)
{
    DiagList diags;
    diag_init(&diags, cli->arena);
    const Contract *contract = NULL;
    if (read_contract(cli, NULL, &diags, &contract) != ERR_OK || contract == NULL) {
        cli_show_findings(cli, &diags);
        return cli_fail(cli);
    }
    if (!cli_has(cli, OPTION_JSON)) {
        contract_explain(contract, &cli->out);
        return cli_finish(cli, EXIT_CODE_OK);
    }
    StrBuf text;
    strbuf_init(&text, cli->arena, 0);
    contract_explain(contract, &text);
    JsonWriter json;
    json_writer_init(&json, &cli->out, true);
    json_object_begin(&json);
    json_member_str(&json, S("contract"), contract->id);
    json_member_str(&json, S("text"), strbuf_str(&text));
    json_object_end(&json);
    strbuf_add_char(&cli->out, '\n');
    return cli_finish(cli, EXIT_CODE_OK);
}

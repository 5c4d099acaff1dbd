/* braid contract: documents checked, explained, compared and drawn by themselves. */
#include "base/io.h"
#include "base/json.h"
#include "cli/cli_int.h"
#include "programme/programme.h"

static ErrorCode read_contract(Cli *cli, size_t argument, const ContractKnown *known,
                               DiagList *diags, const Contract **ret_contract)
{
    Str path = cli->arguments.items[argument];
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
    Vec(const Contract *) contracts = {0};
    for (size_t i = 0; i < cli->arguments.count; i++) {
        const Contract *contract = NULL;
        ErrorCode code = read_contract(cli, i, &known, &diags, &contract);
        if (code != ERR_OK && code != ERR_DOCUMENT)
            return cli_fail(cli);
        if (code == ERR_OK && contract != NULL)
            VEC_PUSH(cli->arena, &contracts, contract);
    }
    if (contracts.count == cli->arguments.count)
        contract_check_twice(contracts.items, cli->arguments.items, contracts.count, &diags);
    return cli_finish_check(cli, &diags, S("nothing is wrong with the contract"));
}

ExitCode cmd_contract_explain(Cli *cli)
{
    DiagList diags;
    diag_init(&diags, cli->arena);
    const Contract *contract = NULL;
    if (read_contract(cli, 0, NULL, &diags, &contract) != ERR_OK || contract == NULL) {
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

static void show_changes(Cli *cli, const ContractChanges *changes)
{
    StrBuf *out = &cli->out;
    if (changes->count == 0)
        strbuf_add(out, S("nothing differs\n"));
    VEC_FOREACH (ContractChange, change, changes) {
        if (change->line_before == 0)
            strbuf_printf(out, "+ %.*s: %.*s (line %u)\n", STR_ARG(change->path),
                          STR_ARG(change->after), change->line_after);
        else if (change->line_after == 0)
            strbuf_printf(out, "- %.*s: %.*s (line %u)\n", STR_ARG(change->path),
                          STR_ARG(change->before), change->line_before);
        else
            strbuf_printf(out, "  %.*s: %.*s -> %.*s (lines %u and %u)\n", STR_ARG(change->path),
                          STR_ARG(change->before), STR_ARG(change->after), change->line_before,
                          change->line_after);
    }
}

static void write_side(JsonWriter *json, Str key, Str value, uint32_t line)
{
    json_key(json, key);
    if (line == 0)
        json_null(json);
    else
        json_str(json, value);
}

static void write_changes(Cli *cli, const ContractChanges *changes)
{
    JsonWriter json;
    json_writer_init(&json, &cli->out, true);
    json_object_begin(&json);
    json_key(&json, S("changes"));
    json_array_begin(&json);
    VEC_FOREACH (ContractChange, change, changes) {
        json_object_begin(&json);
        json_member_str(&json, S("path"), change->path);
        write_side(&json, S("before"), change->before, change->line_before);
        write_side(&json, S("after"), change->after, change->line_after);
        json_member_int(&json, S("line_before"), change->line_before);
        json_member_int(&json, S("line_after"), change->line_after);
        json_object_end(&json);
    }
    json_array_end(&json);
    json_object_end(&json);
    strbuf_add_char(&cli->out, '\n');
}

ExitCode cmd_contract_diff(Cli *cli)
{
    DiagList diags;
    diag_init(&diags, cli->arena);
    Str files[2] = {cli->arguments.items[0], cli->arguments.items[1]};
    Str texts[2];
    ContractChanges changes = {0};
    for (size_t i = 0; i < 2; i++)
        if (io_read_file(cli->arena, files[i], LIMIT_DOCUMENT_BYTES, &texts[i], &cli->err) !=
            ERR_OK)
            return cli_fail(cli);
    if (contract_diff(cli->arena, texts, files, &diags, &changes) != ERR_OK) {
        cli_show_findings(cli, &diags);
        (void)!diag_to_error(&diags, &cli->err);
        return cli_fail(cli);
    }
    if (cli_has(cli, OPTION_JSON))
        write_changes(cli, &changes);
    else
        show_changes(cli, &changes);
    return cli_finish(cli, EXIT_CODE_OK);
}

ExitCode cmd_contract_graph(Cli *cli)
{
    DiagList diags;
    diag_init(&diags, cli->arena);
    const Contract *contract = NULL;
    if (read_contract(cli, 0, NULL, &diags, &contract) != ERR_OK || contract == NULL) {
        cli_show_findings(cli, &diags);
        return cli_fail(cli);
    }
    contract_draw(contract, &cli->out);
    return cli_finish(cli, EXIT_CODE_OK);
}

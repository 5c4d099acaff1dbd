/* braid model import: HL7 model info as a table of the engine. */
#include "base/io.h"
#include "cli/cli_int.h"
#include "cql/cql.h"

ExitCode cmd_model_import(Cli *cli)
{
    Str path = cli->arguments.items[0];
    Str text;
    DiagList diags;
    diag_init(&diags, cli->arena);
    if (io_read_file(cli->arena, path, LIMIT_DOCUMENT_BYTES, &text, &cli->err) != ERR_OK)
        return cli_fail(cli);
    if (cql_model_import(cli->arena, text, path, &diags, &cli->out))
        return cli_finish(cli, EXIT_CODE_OK);
    strbuf_clear(&cli->out);
    return cli_finish_check(cli, &diags, S(""));
}

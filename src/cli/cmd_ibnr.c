/* braid ibnr: triangles of payments to what is still to come. */
#include <math.h>

#include "base/io.h"
#include "cli/cli_int.h"
#include "risk/risk.h"

typedef enum { METHOD_CHAIN_LADDER, METHOD_BORNHUETTER_FERGUSON, METHOD_CAPE_COD } Method;

static const Str method_names[] = {STR_INIT("chain-ladder"), STR_INIT("bornhuetter-ferguson"),
                                   STR_INIT("cape-cod")};
static const Str sigma_names[] = {STR_INIT("mack"), STR_INIT("log-linear")};

/* The number of the option's word among those that it may be; 0 when it was not given. */
static ErrorCode read_choice(Cli *cli, OptionId option, const Str *names, size_t count,
                             size_t *ret_choice)
{
    *ret_choice = 0;
    if (!cli_has(cli, option))
        return ERR_OK;
    Str given = cli_text(cli, option);
    StrBuf list;
    strbuf_init(&list, cli->arena, 0);
    for (size_t i = 0; i < count; i++) {
        if (str_eq(given, names[i])) {
            *ret_choice = i;
            return ERR_OK;
        }
        strbuf_printf(&list, "%s%.*s", i > 0 ? ", " : "", STR_ARG(names[i]));
    }
    return error_set(&cli->err, ERR_USAGE, "--%.*s '%.*s': expected one of %.*s",
                     STR_ARG(cli_options[option].name), STR_ARG(given), STR_ARG(strbuf_str(&list)));
}

static ErrorCode read_factor(Cli *cli, OptionId option, double most, double *ret_factor)
{
    Decimal factor;
    if (!cli_has(cli, option))
        return ERR_OK;
    if (decimal_parse(cli_text(cli, option), &factor)) {
        *ret_factor = decimal_to_double(factor);
        if (*ret_factor >= 0 && *ret_factor <= most)
            return ERR_OK;
    }
    return error_set(&cli->err, ERR_USAGE, "--%.*s '%.*s': expected a number from 0 to %g",
                     STR_ARG(cli_options[option].name), STR_ARG(cli_text(cli, option)), most);
}

static ErrorCode read_table(Cli *cli, Str path, DiagList *diags, CsvTable *ret_table)
{
    Str text;
    ErrorCode code = io_read_file(cli->arena, path, 0, &text, &cli->err);
    if (code == ERR_OK && !csv_parse(cli->arena, text, path, diags, ret_table))
        code = ERR_DOCUMENT;
    return code;
}

typedef struct {
    Method method;
    double decay;
    TriangleOptions triangle;
    ChainLadderOptions chain;
} Asked;

static ErrorCode read_asked(Cli *cli, Asked *asked)
{
    size_t method;
    size_t sigma;
    *asked = (Asked){.decay = 1,
                     .triangle = {.column = cli_text(cli, OPTION_COLUMN),
                                  .is_incremental = cli_has(cli, OPTION_INCREMENTAL)}};
    ErrorCode code = read_choice(cli, OPTION_METHOD, method_names, COUNT_OF(method_names), &method);
    if (code == ERR_OK)
        code = read_choice(cli, OPTION_SIGMA, sigma_names, COUNT_OF(sigma_names), &sigma);
    if (code == ERR_OK)
        code = read_factor(cli, OPTION_TAIL, 1000, &asked->chain.tail);
    if (code == ERR_OK)
        code = read_factor(cli, OPTION_DECAY, 1, &asked->decay);
    if (code != ERR_OK)
        return code;
    asked->method = (Method)method;
    asked->chain.sigma_rule = (SigmaRule)sigma;
    if (asked->method != METHOD_CHAIN_LADDER && !cli_has(cli, OPTION_EXPOSURE))
        return error_set(&cli->err, ERR_USAGE, "--method %.*s needs --exposure FILE",
                         STR_ARG(method_names[method]));
    return ERR_OK;
}

static ErrorCode work_out(Cli *cli, const Asked *asked, DiagList *diags, Reserving *ret_reserving)
{
    CsvTable table;
    CsvTable exposure;
    Triangle triangle;
    double *amounts;
    ErrorCode code = read_table(cli, cli->arguments.items[0], diags, &table);
    if (code != ERR_OK)
        return code;
    if (!triangle_read(cli->arena, &table, &asked->triangle, diags, &triangle) ||
        !triangle_chain_ladder(cli->arena, &triangle, &asked->chain, diags, ret_reserving))
        return ERR_DOCUMENT;
    if (asked->method == METHOD_CHAIN_LADDER)
        return ERR_OK;
    Reserving chain = *ret_reserving;
    Str column = asked->method == METHOD_CAPE_COD ? S("exposure") : S("prior");
    code = read_table(cli, cli_text(cli, OPTION_EXPOSURE), diags, &exposure);
    if (code != ERR_OK)
        return code;
    if (!triangle_read_by_origin(cli->arena, &triangle, &exposure, column, diags, &amounts))
        return ERR_DOCUMENT;
    if (asked->method == METHOD_CAPE_COD)
        return triangle_cape_cod(cli->arena, &chain, amounts, asked->decay, diags, ret_reserving)
                   ? ERR_OK
                   : ERR_DOCUMENT;
    triangle_bornhuetter_ferguson(cli->arena, &chain, amounts, ret_reserving);
    return ERR_OK;
}

/* "-" where a number cannot be told. */
static Str amount_text(Arena *arena, double value, int places)
{
    return isfinite(value) ? str_format(arena, "%.*f", places, value) : S("-");
}

static void print_reserve(Cli *cli, const Reserve *each)
{
    strbuf_printf(&cli->out, "%-12.*s %16.2f %10.4f %16.2f %16.2f %16.*s %16.*s\n",
                  STR_ARG(each->origin), each->latest, each->completion, each->ultimate, each->ibnr,
                  STR_ARG(amount_text(cli->arena, each->prior, 2)),
                  STR_ARG(amount_text(cli->arena, each->error, 2)));
}

static void print_text(Cli *cli, const Asked *asked, const Reserving *reserving)
{
    strbuf_printf(&cli->out, "%.*s\n%-12s %16s %10s %16s %16s %16s %16s\n",
                  STR_ARG(method_names[asked->method]), "origin", "latest", "complete", "ultimate",
                  "to come", "prior", "standard error");
    for (size_t i = 0; i < reserving->reserve_count; i++)
        print_reserve(cli, &reserving->reserves[i]);
    print_reserve(cli, &reserving->total);
    strbuf_printf(&cli->out, "\n%-12s %16s %10s %16s %16s %8s\n", "age", "factor", "complete",
                  "sigma", "standard error", "origins");
    for (size_t i = 0; i < reserving->development_count; i++) {
        const Development *link = &reserving->development[i];
        Str error = amount_text(cli->arena, link->error, 6);
        Str sigma =
            str_format(cli->arena, "%.*s%s", STR_ARG(amount_text(cli->arena, link->sigma, 6)),
                       link->is_sigma_extrapolated && isfinite(link->sigma) ? "*" : "");
        strbuf_printf(&cli->out, "%-12zu %16.6f %10.4f %16.*s %16.*s %8zu\n", i + 1, link->factor,
                      link->completion, STR_ARG(sigma), STR_ARG(error), link->links);
    }
    if (reserving->tail != 1)
        strbuf_printf(&cli->out, "%-12s %16.6f\n", "tail", reserving->tail);
}

static void member_amount(JsonWriter *json, Arena *arena, Str key, double value)
{
    json_key(json, key);
    if (isfinite(value))
        json_raw(json, str_format(arena, "%.17g", value));
    else
        json_null(json);
}

static void json_reserve(JsonWriter *json, Arena *arena, const Reserve *each)
{
    json_object_begin(json);
    json_member_str(json, S("origin"), each->origin);
    member_amount(json, arena, S("latest"), each->latest);
    member_amount(json, arena, S("completion"), each->completion);
    member_amount(json, arena, S("ultimate"), each->ultimate);
    member_amount(json, arena, S("ibnr"), each->ibnr);
    member_amount(json, arena, S("prior"), each->prior);
    member_amount(json, arena, S("standardError"), each->error);
    json_object_end(json);
}

static void print_json(Cli *cli, const Asked *asked, const Reserving *reserving)
{
    JsonWriter json;
    json_writer_init(&json, &cli->out, true);
    json_object_begin(&json);
    json_member_str(&json, S("method"), method_names[asked->method]);
    json_key(&json, S("development"));
    json_array_begin(&json);
    for (size_t i = 0; i < reserving->development_count; i++) {
        const Development *link = &reserving->development[i];
        json_object_begin(&json);
        json_member_int(&json, S("age"), (int64_t)i + 1);
        member_amount(&json, cli->arena, S("factor"), link->factor);
        member_amount(&json, cli->arena, S("completion"), link->completion);
        member_amount(&json, cli->arena, S("sigma"), link->sigma);
        json_member_bool(&json, S("sigmaExtrapolated"), link->is_sigma_extrapolated);
        member_amount(&json, cli->arena, S("standardError"), link->error);
        json_member_int(&json, S("origins"), (int64_t)link->links);
        json_object_end(&json);
    }
    json_array_end(&json);
    member_amount(&json, cli->arena, S("tail"), reserving->tail);
    json_key(&json, S("origins"));
    json_array_begin(&json);
    for (size_t i = 0; i < reserving->reserve_count; i++)
        json_reserve(&json, cli->arena, &reserving->reserves[i]);
    json_array_end(&json);
    json_key(&json, S("total"));
    json_reserve(&json, cli->arena, &reserving->total);
    json_object_end(&json);
    strbuf_add_char(&cli->out, '\n');
}

ExitCode cmd_ibnr(Cli *cli)
{
    DiagList diags;
    Asked asked;
    Reserving reserving = {0};
    diag_init(&diags, cli->arena);
    ErrorCode code = read_asked(cli, &asked);
    if (code == ERR_OK)
        code = work_out(cli, &asked, &diags, &reserving);
    cli_show_findings(cli, &diags);
    if (code == ERR_DOCUMENT && cli->err.code == ERR_OK)
        code = diag_to_error(&diags, &cli->err);
    if (code != ERR_OK)
        return cli_fail(cli);
    if (cli_has(cli, OPTION_JSON))
        print_json(cli, &asked, &reserving);
    else
        print_text(cli, &asked, &reserving);
    return cli_finish(cli, EXIT_CODE_OK);
}

/* braid store: what is in a store, whether it is whole, and one person of it. */
#include "base/threads.h"
#include "cli/cli_int.h"
#include "store/store.h"

static void info_json(Cli *cli, const StoreInfo *info)
{
    JsonWriter json;
    json_writer_init(&json, &cli->out, true);
    json_object_begin(&json);
    json_member_int(&json, S("persons"), (int64_t)info->persons);
    json_member_int(&json, S("resources"), (int64_t)info->resources);
    json_member_int(&json, S("shared_resources"), (int64_t)info->shared_resources);
    json_member_int(&json, S("partitions"), info->partitions);
    json_member_int(&json, S("generation"), info->generation);
    json_member_int(&json, S("file_bytes"), (int64_t)info->file_bytes);
    json_member_int(&json, S("source_files"), (int64_t)info->source_files);
    json_member_int(&json, S("source_bytes"), (int64_t)info->source_bytes);
    json_member_str(&json, S("source"), info->source);
    json_key(&json, S("by_type"));
    json_object_begin(&json);
    for (size_t type = 0; type < FHIR_RESOURCE_TYPE_LIMIT; type++)
        if (info->by_type[type] > 0)
            json_member_int(&json, fhir_type_name((uint16_t)type), (int64_t)info->by_type[type]);
    json_object_end(&json);
    json_object_end(&json);
    strbuf_add_char(&cli->out, '\n');
}

static void info_row(Cli *cli, Str name, uint64_t value)
{
    strbuf_printf(&cli->out, "%-28.*s%16.*s\n", STR_ARG(name),
                  STR_ARG(cli_grouped(cli->arena, value)));
}

static void info_text(Cli *cli, const StoreInfo *info)
{
    info_row(cli, S("persons"), info->persons);
    info_row(cli, S("resources"), info->resources);
    info_row(cli, S("of no person"), info->shared_resources);
    for (size_t type = 0; type < FHIR_RESOURCE_TYPE_LIMIT; type++)
        if (info->by_type[type] > 0)
            info_row(cli, str_format(cli->arena, "  %.*s", STR_ARG(fhir_type_name((uint16_t)type))),
                     info->by_type[type]);
    info_row(cli, S("partitions"), info->partitions);
    info_row(cli, S("version"), info->generation);
    info_row(cli, S("bytes of its files"), info->file_bytes);
    info_row(cli, S("bytes it was loaded from"), info->source_bytes);
}

ExitCode cmd_store_info(Cli *cli)
{
    CLEANUP(store_cleanup) Store *store = NULL;
    if (store_open(cli->arena, cli->arguments.items[0], &store, &cli->err) != ERR_OK)
        return cli_fail(cli);
    if (cli_has(cli, OPTION_JSON))
        info_json(cli, store_info(store));
    else
        info_text(cli, store_info(store));
    return cli_finish(cli, EXIT_CODE_OK);
}

ExitCode cmd_store_check(Cli *cli)
{
    int64_t threads = (int64_t)threads_available();
    DiagList diags;
    diag_init(&diags, cli->arena);
    if (cli_number(cli, OPTION_THREADS, 1, LIMIT_THREADS_MAX, &threads) != ERR_OK ||
        store_check(cli->arguments.items[0], (size_t)threads, &diags, &cli->err) != ERR_OK)
        return cli_fail(cli);
    ExitCode code = cli_finish_check(cli, &diags, S("nothing is wrong with the store"));
    return code == EXIT_CODE_DOCUMENT ? EXIT_CODE_DAMAGED : code;
}

ExitCode cmd_store_person(Cli *cli)
{
    CLEANUP(store_cleanup) Store *store = NULL;
    Record record;
    if (store_open(cli->arena, cli->arguments.items[0], &store, &cli->err) != ERR_OK ||
        store_find_person(store, cli->arguments.items[1], &record, &cli->err) != ERR_OK)
        return cli_fail(cli);
    for (size_t type = 0; type < FHIR_RESOURCE_TYPE_LIMIT; type++) {
        RecordSlice slice = record_slice(record, (uint16_t)type);
        for (uint32_t entry = 0; entry < slice.count; entry++) {
            if (!fhir_write_json(record_resource(record, slice, (uint16_t)type, entry),
                                 &cli->out)) {
                (void)error_set(&cli->err, ERR_DAMAGED, "%.*s %u of the person is damaged",
                                STR_ARG(fhir_type_name((uint16_t)type)), entry + 1);
                return cli_fail(cli);
            }
            strbuf_add_char(&cli->out, '\n');
        }
    }
    return cli_finish(cli, EXIT_CODE_OK);
}

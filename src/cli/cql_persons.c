#include "cli/cql_persons.h"

static ErrorCode read_data(Cli *cli, size_t threads, DiagList *diags, CqlPersons *persons)
{
    size_t count = cli_texts(cli, OPTION_DATA, NULL);
    Str *sources = ARENA_ARRAY(cli->arena, Str, count);
    (void)cli_texts(cli, OPTION_DATA, sources);
    const IntakeOptions options = {
        .sources = sources, .source_count = count, .threads = threads, .omit_narrative = true};
    return intake_read(cli->arena, &options, diags, &persons->report, &persons->batches, &cli->err);
}

ErrorCode cql_persons_open(Cli *cli, size_t threads, DiagList *diags, CqlPersons *ret_persons)
{
    CqlPersons persons = {.is_given = true};
    ErrorCode code = ERR_OK;
    if (cli_has(cli, OPTION_STORE) && cli_has(cli, OPTION_DATA))
        code = error_set(&cli->err, ERR_USAGE, "give either --store or --data, not both");
    else if (cli_has(cli, OPTION_STORE))
        code = store_open(cli->arena, cli_text(cli, OPTION_STORE), &persons.store, &cli->err);
    else if (cli_has(cli, OPTION_DATA))
        code = read_data(cli, threads, diags, &persons);
    else
        persons.is_given = false;
    if (code == ERR_OK)
        *ret_persons = persons;
    return code;
}

void cql_persons_close(CqlPersons *persons)
{
    store_close(persons->store);
    intake_batches_free(&persons->batches);
}

const ConceptDict *cql_persons_dict(const CqlPersons *persons)
{
    return persons->store != NULL ? store_dict(persons->store) : persons->batches.dict;
}

size_t cql_persons_parts(const CqlPersons *persons)
{
    return persons->store != NULL ? store_partition_count(persons->store) : persons->batches.count;
}

uint32_t cql_persons_of_part(const CqlPersons *persons, size_t part)
{
    return persons->store != NULL ? store_partition_persons(persons->store, part)
                                  : persons->batches.batches[part]->person_count;
}

ErrorCode cql_persons_batch(const CqlPersons *persons, size_t part, const RecordBatch **ret_batch,
                            Error *err)
{
    if (persons->store != NULL)
        return store_batch(persons->store, part, ret_batch, err);
    *ret_batch = persons->batches.batches[part];
    return ERR_OK;
}

ErrorCode cql_persons_share(const CqlPersons *persons, CqlEval *eval, Error *err)
{
    const Store *store = persons->store;
    size_t count = store != NULL ? store_shared_count(store) : persons->batches.shared_count;
    for (size_t i = 0; i < count; i++) {
        const RecordBatch *shared = store != NULL ? NULL : persons->batches.shared[i];
        ErrorCode code = store != NULL ? store_shared(store, i, &shared, err) : ERR_OK;
        if (code != ERR_OK)
            return code;
        cql_eval_share(eval, (Record){.batch = shared, .row = 0});
    }
    return ERR_OK;
}

ErrorCode cql_persons_find(const CqlPersons *persons, Str id, Record *ret_record, Error *err)
{
    if (persons->store != NULL)
        return store_find_person(persons->store, id, ret_record, err);
    for (size_t i = 0; i < persons->batches.count; i++) {
        const RecordBatch *batch = persons->batches.batches[i];
        uint32_t row;
        if (record_find(batch, id, &row)) {
            *ret_record = (Record){.batch = batch, .row = row};
            return ERR_OK;
        }
    }
    return error_set(err, ERR_NOT_FOUND, "there is no person '%.*s'", STR_ARG(id));
}

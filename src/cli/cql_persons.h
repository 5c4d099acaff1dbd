/*
 * cql_persons -- whose records CQL is asked about: a store, or sources read into memory.
 */
#pragma once

#include "cli/cli_int.h"
#include "cql/cql.h"
#include "intake/intake.h"

typedef struct {
    bool is_given; /* --store or --data */
    Store *store;
    IntakeBatches batches; /* of --data */
    IntakeReport report;   /* of --data */
} CqlPersons;

/* Opens --store, or reads --data with what was refused in diags. */
MUST_USE ErrorCode cql_persons_open(Cli *cli, size_t threads, DiagList *diags,
                                    CqlPersons *ret_persons);
void cql_persons_close(CqlPersons *persons);
/* NULL where no persons were given. */
const ConceptDict *cql_persons_dict(const CqlPersons *persons);
/* Persons stand in parts; the order of parts and of the rows in them depends on the persons only.
 */
size_t cql_persons_parts(const CqlPersons *persons);
uint32_t cql_persons_of_part(const CqlPersons *persons, size_t part);
MUST_USE ErrorCode cql_persons_batch(const CqlPersons *persons, size_t part,
                                     const RecordBatch **ret_batch, Error *err);
/* Lets an evaluator see what belongs to no person. */
MUST_USE ErrorCode cql_persons_share(const CqlPersons *persons, CqlEval *eval, Error *err);
MUST_USE ErrorCode cql_persons_find(const CqlPersons *persons, Str id, Record *ret_record,
                                    Error *err);

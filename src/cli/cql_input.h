/*
 * cql_input -- what the commands of `braid cql` are told: libraries, value sets, parameters, the
 * moment, and the persons.
 */
#pragma once

#include "cli/cli_int.h"
#include "cql/cql.h"

typedef struct {
    CqlLibraries *libraries;
    size_t given; /* libraries of the files that were named; those found for them come behind */
    ValueSets *value_sets;
} CqlInput;

/* Reads the libraries of these files and folders, looks for what they include (--library, then the
   folders of the files), and reads --value-sets. What is wrong with them goes to diags. */
MUST_USE ErrorCode cql_input_read(Cli *cli, const Str *paths, size_t count, DiagList *diags,
                                  CqlInput *ret_input);
/* The same for one library given as text, with everything in the arena and without value sets. */
MUST_USE ErrorCode cql_input_text(Cli *cli, Arena *arena, Str text, Str path, DiagList *diags,
                                  CqlInput *ret_input);
/* --parameter and --now. */
MUST_USE ErrorCode cql_input_options(Cli *cli, const CqlInput *input, CqlPlanOptions *ret_options);
/* The numbers of the definitions asked for: --expression, or all of the libraries named. */
MUST_USE ErrorCode cql_input_definitions(Cli *cli, const CqlInput *input, const CqlPlan *plan,
                                         const size_t **ret_definitions, size_t *ret_count);

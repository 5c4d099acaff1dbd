/*
 * embed -- CQL inside another program: a library and a FHIR bundle, both from memory, and the
 * values of all definitions for every person.
 *
 *     embed LIBRARY.cql BUNDLE.json
 *
 * Only public headers are used: cql.h, fhir.h (which includes terms.h) and base.
 * docs/cql-embedding.md goes through it step by step.
 */
#include <stdio.h>

#include "base/base.h"
#include "base/io.h"
#include "cql/cql.h"

/* Whatever lives as long as the program's work: libraries, records, plan. */
typedef struct {
    Arena *arena;
    DiagList diags; /* what is wrong with the library or the records */
    Error err;      /* why the work cannot go on */
} Work;

static void show_findings(Work *work)
{
    StrBuf line;
    strbuf_init(&line, work->arena, 0);
    VEC_FOREACH (const Diag, diag, &work->diags.kept) {
        strbuf_clear(&line);
        diag_format(diag, &line);
        fprintf(stderr, "%.*s\n", STR_ARG(strbuf_str(&line)));
    }
}

/* FHIR JSON to a batch of records: resources are read one by one into tapes, which the builder
   puts in order by person. Codes get their final numbers once all have been seen. */
static ErrorCode read_records(Work *work, Str json, const RecordBatch **ret_batch)
{
    ConceptBuilder *concepts = concept_builder_create();
    FhirReaderOptions options = {.split_bundles = true, .resolve_urns = true};
    FhirReader *reader = fhir_reader_create(concepts, &options);
    Vec(RecordInput) inputs = {0};
    FhirParsed parsed;
    fhir_reader_begin(reader, json, S("bundle"), 1, &work->diags);
    while (fhir_reader_next(reader, &parsed)) {
        if (parsed.is_refused || parsed.facts.is_shared)
            continue;
        /* What the reader gives is good until the next call. */
        RecordInput input = {.facts = parsed.facts,
                             .tape = arena_copy(work->arena, parsed.tape, parsed.tape_size),
                             .tape_size = parsed.tape_size,
                             .source = inputs.count};
        input.facts.id = str_copy(work->arena, parsed.facts.id);
        input.facts.patient_id = str_copy(work->arena, parsed.facts.patient_id);
        VEC_PUSH(work->arena, &inputs, input);
    }
    fhir_reader_destroy(reader);
    const ConceptId *renumber;
    const ConceptDict *dict = concept_builder_finish(concepts, work->arena, &renumber);
    RecordBuilderOptions builder_options = {.dict = dict, .renumber = renumber};
    RecordBuilder *builder = record_builder_create(work->arena, &builder_options);
    VEC_FOREACH (const RecordInput, input, &inputs)
        record_builder_add(builder, input);
    RecordBatch *batch = NULL;
    ErrorCode code = record_builder_finish(builder, &batch, &work->err);
    concept_builder_destroy(concepts);
    *ret_batch = batch;
    return code;
}

/* The plan is made once, for the dictionary of the records, and shared by all threads. */
static ErrorCode make_plan(Work *work, Str source, const ConceptDict *dict, CqlPlan **ret_plan)
{
    CqlLibraries *libraries = cql_libraries_create(work->arena);
    if (!cql_libraries_add(libraries, source, S("library"), &work->diags)) {
        ErrorCode code = diag_to_error(&work->diags, &work->err);
        return code == ERR_OK ? ERR_DOCUMENT : code;
    }
    CqlPlanOptions options = {
        .dict = dict,
        .now =
            {.year = 2026, .month = 1, .day = 1, .offset_minutes = 0, .precision = PRECISION_DAY},
    };
    return cql_plan_create(work->arena, libraries, &options, &work->diags, ret_plan, &work->err);
}

static void print_person(const CqlPlan *plan, CqlEval *eval, Record record)
{
    Arena *arena CLEANUP(arena_cleanup) = arena_create(0);
    cql_eval_begin(eval, record);
    for (size_t i = 0; i < cql_plan_definition_count(plan); i++) {
        const CqlDefinition *definition = cql_plan_definition(plan, i);
        CqlValue value;
        Error err = {0};
        StrBuf text;
        strbuf_init(&text, arena, 0);
        if (cql_eval_definition(eval, i, &value, &err) == ERR_OK)
            cql_value_json(value, &text);
        else
            strbuf_printf(&text, "error: %s", err.message);
        printf("%.*s  %.*s  %.*s\n", STR_ARG(record_person_id(record)), STR_ARG(definition->name),
               STR_ARG(strbuf_str(&text)));
    }
}

static ErrorCode run(Work *work, Str library_path, Str bundle_path)
{
    Str source;
    Str json;
    const RecordBatch *batch;
    CqlPlan *plan;
    ErrorCode code = io_read_file(work->arena, library_path, 0, &source, &work->err);
    if (code == ERR_OK) /* io_read_file leaves the padding that the reader wants */
        code = io_read_file(work->arena, bundle_path, 0, &json, &work->err);
    if (code == ERR_OK)
        code = read_records(work, json, &batch);
    if (code == ERR_OK)
        code = make_plan(work, source, batch->dict, &plan);
    if (code != ERR_OK)
        return code;
    CqlEval *eval = cql_eval_create(plan); /* one a thread */
    for (uint32_t row = 0; row < batch->person_count; row++)
        print_person(plan, eval, (Record){.batch = batch, .row = row});
    cql_eval_destroy(eval);
    return ERR_OK;
}

int main(int count, char **words)
{
    if (count != 3) {
        fprintf(stderr, "usage: embed LIBRARY.cql BUNDLE.json\n");
        return 2;
    }
    Work work = {.arena = arena_create(0)};
    diag_init(&work.diags, work.arena);
    ErrorCode code = run(&work, str_from_c(words[1]), str_from_c(words[2]));
    show_findings(&work);
    if (code != ERR_OK)
        fprintf(stderr, "embed: %s\n", work.err.message);
    arena_destroy(work.arena);
    return code == ERR_OK ? 0 : 1;
}

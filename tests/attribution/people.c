#include "people.h"

#include <stdio.h>

RecordBatch *people_batch(Arena *arena, const Str *resources, size_t count, bool is_shared)
{
    ConceptBuilder *concepts = concept_builder_create();
    RecordInput *inputs = ARENA_ZARRAY(arena, RecordInput, count);
    Error err = {0};
    for (size_t i = 0; i < count; i++) {
        TapeArea area;
        ErrorCode code =
            fhir_parse_one(arena, concepts, resources[i], &area, &inputs[i].facts, &err);
        if (code != ERR_OK)
            fprintf(stderr, "%s in %.*s\n", err.message, STR_ARG(resources[i]));
        ASSERT(code == ERR_OK);
        inputs[i].tape = area.bytes;
        inputs[i].tape_size = area.size;
        inputs[i].source = i;
    }
    RecordBuilderOptions options = {.is_shared = is_shared};
    options.dict = concept_builder_finish(concepts, arena, &options.renumber);
    RecordBuilder *builder = record_builder_create(arena, &options);
    for (size_t i = 0; i < count; i++)
        record_builder_add(builder, &inputs[i]);
    RecordBatch *batch;
    ErrorCode code = record_builder_finish(builder, &batch, &err);
    ASSERT(code == ERR_OK);
    concept_builder_destroy(concepts);
    return batch;
}

Record people_record(const RecordBatch *batch, Str id)
{
    Record record = {.batch = batch};
    bool found = record_find(batch, id, &record.row);
    ASSERT(found);
    return record;
}

Str people_patient(Arena *arena, const char *id, const char *more)
{
    return str_format(arena, "{\"resourceType\":\"Patient\",\"id\":\"%s\"%s%s}", id,
                      more == NULL ? "" : ",", more == NULL ? "" : more);
}

Str people_encounter(Arena *arena, const char *id, const char *patient, const char *period,
                     const char *organisation)
{
    StrBuf json;
    strbuf_init(&json, arena, 0);
    strbuf_printf(&json,
                  "{\"resourceType\":\"Encounter\",\"id\":\"%s\",\"status\":\"finished\","
                  "\"class\":{\"code\":\"AMB\"},\"subject\":{\"reference\":\"Patient/%s\"}",
                  id, patient);
    if (period != NULL)
        strbuf_printf(&json, ",\"period\":{%s}", period);
    if (organisation != NULL)
        strbuf_printf(&json, ",\"serviceProvider\":{\"reference\":\"Organization/%s\"}",
                      organisation);
    strbuf_add_char(&json, '}');
    return strbuf_str(&json);
}

/*
 * fuzz_store -- partition files from anywhere: what opens and verifies may be read without a crash.
 *
 * Each input is tried as it is, and once more with the checksums and marks put right, as the
 * fuzzer cannot guess them: so that what lies behind is reached.
 */
#include <stdlib.h>

#include "base/io.h"
#include "store/store_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CONCEPTS = 64, INPUT_BYTES_MAX = 1 << 20 };

static ConceptDict *make_dict(Arena *arena)
{
    ConceptBuilder *concepts = concept_builder_create();
    ConceptInterner *interner = concept_interner_create(concepts);
    for (int i = 0; i < CONCEPTS; i++)
        (void)concept_intern(interner, S("s"), str_format(arena, "%d", i));
    concept_interner_destroy(interner);
    const ConceptId *renumber;
    ConceptDict *dict = concept_builder_finish(concepts, arena, &renumber);
    concept_builder_destroy(concepts);
    return dict;
}

/* Puts right what only the writer can know. */
static void mend(uint8_t *bytes, size_t size)
{
    PartitionHead head;
    if (size < sizeof(head))
        return;
    memcpy(&head, bytes, sizeof(head));
    memcpy(head.magic, PARTITION_MAGIC, sizeof(head.magic));
    head.version = PARTITION_VERSION;
    head.model = store_model_mark();
    head.file_size = size;
    head.dict_count = CONCEPTS;
    size_t room = (size - sizeof(head)) / sizeof(PartitionSection);
    size_t count = head.section_count < room ? head.section_count : room;
    PartitionSection *sections = (void *)(bytes + sizeof(head));
    for (size_t i = 0; i < count; i++) {
        PartitionSection *section = &sections[i];
        if (section->offset <= size && section->size <= size - section->offset)
            section->crc = io_crc32c(0, bytes + section->offset, section->size);
    }
    head.crc = 0;
    head.crc = io_crc32c(0, &head, sizeof(head));
    head.crc = io_crc32c(head.crc, sections, count * sizeof(PartitionSection));
    memcpy(bytes, &head, sizeof(head));
}

/* What a reader does: columns, tapes, postings. */
static void read_all(Arena *arena, const Partition *partition)
{
    DiagList diags;
    diag_init(&diags, arena);
    partition_check_deep(partition, false, &diags);
    const RecordBatch *batch = &partition->batch;
    StrBuf json;
    strbuf_init(&json, arena, 1 << 20);
    for (uint32_t row = 0; row < batch->person_count && row < 64; row++) {
        Record record = {.batch = batch, .row = row};
        uint32_t found;
        (void)record_find(batch, record_person_id(record), &found);
        for (uint32_t i = 1; i < FHIR_RESOURCE_TYPE_LIMIT; i++) {
            uint16_t type = (uint16_t)i;
            RecordSlice slice = record_slice(record, type);
            for (uint32_t k = 0; k < slice.count && k < 64; k++) {
                strbuf_clear(&json);
                (void)fhir_write_json(record_resource(record, slice, type, k), &json);
            }
        }
    }
    uint64_t *bits = ARENA_ZARRAY(arena, uint64_t, store_row_words(batch->person_count));
    for (uint32_t i = 0; i < partition->postings.count; i++)
        (void)!posting_set_bits(&partition->postings, &partition->postings.index[i], bits);
}

static void try_bytes(const uint8_t *bytes, size_t size)
{
    Arena *arena CLEANUP(arena_cleanup) = arena_create(0);
    ConceptDict *dict = make_dict(arena);
    Partition partition;
    Error err = {0};
    if (partition_open(S("fuzz"), bytes, size, dict, &partition, &err) == ERR_OK &&
        partition_verify_directory(&partition, &err) == ERR_OK &&
        partition_verify_area(&partition, &err) == ERR_OK)
        read_all(arena, &partition);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_BYTES_MAX)
        return 0;
    /* A copy of its own size, so that reading beyond it shows. */
    uint8_t *bytes = calloc(1, size + 1);
    ASSERT(bytes != NULL);
    if (size > 0)
        memcpy(bytes, data, size);
    try_bytes(bytes, size);
    mend(bytes, size);
    try_bytes(bytes, size);
    free(bytes);
    return 0;
}

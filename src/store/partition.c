#include "store/store_int.h"

#include "base/io.h"

/* Bytes an item of each kind of section; 0: any size. */
static const uint8_t section_item_size[SECTION_KIND_LIMIT] = {
    [SECTION_ID_HASHES] = 8,  [SECTION_ID_STARTS] = 4,      [SECTION_ID_BYTES] = 1,
    [SECTION_BIRTH_DAYS] = 4, [SECTION_DEATH_DAYS] = 4,     [SECTION_SEXES] = 1,
    [SECTION_STARTS] = 4,     [SECTION_CONCEPTS] = 4,       [SECTION_DAYS] = 4,
    [SECTION_NUMBERS] = 8,    [SECTION_ORGS] = 4,           [SECTION_TAPES] = 4,
    [SECTION_AREA] = 1,       [SECTION_POSTING_INDEX] = 16, [SECTION_POSTING_DATA] = 1,
};

static const char *const section_name[SECTION_KIND_LIMIT] = {
    "none",        "id hashes", "id starts", "ids",   "birth days", "death days",
    "sexes",       "starts",    "concepts",  "days",  "numbers",    "organisations",
    "tape starts", "postings",  "rows",      "tapes",
};

static bool kind_has_type(unsigned kind)
{
    return kind >= SECTION_STARTS && kind <= SECTION_TAPES;
}

uint32_t store_model_mark(void)
{
    uint32_t crc = 0;
    for (uint32_t i = 0; i < FHIR_TYPE_COUNT; i++)
        crc = io_crc32c(crc, fhir_type_table[i].name, fhir_type_table[i].name_len + (size_t)1);
    for (uint32_t i = 0; i < FHIR_ELEMENT_COUNT; i++) {
        const FhirElementInfo *element = &fhir_element_table[i];
        crc = io_crc32c(crc, element->name, element->name_len);
        crc = io_crc32c(crc, &element->type, sizeof(element->type));
    }
    return crc;
}

/* ---- opening ---- */

static ErrorCode damaged(const Partition *partition, const PartitionSection *section,
                         const char *what, Error *err)
{
    if (section == NULL)
        return error_set(err, ERR_DAMAGED, "%.*s: head: %s", STR_ARG(partition->name), what);
    bool is_known = section->kind < SECTION_KIND_LIMIT;
    bool is_typed = is_known && kind_has_type(section->kind) && section->type != 0 &&
                    section->type < FHIR_RESOURCE_TYPE_LIMIT;
    return error_set(err, ERR_DAMAGED, "%.*s: section %s%s%s at %llu: %s", STR_ARG(partition->name),
                     is_typed ? fhir_type_table[section->type].name : "", is_typed ? " " : "",
                     is_known ? section_name[section->kind] : "of an unknown kind",
                     (unsigned long long)section->offset, what);
}

static uint64_t align_up(uint64_t offset)
{
    return (offset + PARTITION_ALIGN - 1) / PARTITION_ALIGN * PARTITION_ALIGN;
}

/* Whether the bytes from `end` to the next multiple are there and zero. */
static bool is_padded(const Partition *partition, uint64_t end)
{
    uint64_t next = align_up(end);
    if (next > partition->size)
        return false;
    uint8_t found = 0;
    for (uint64_t i = end; i < next; i++)
        found |= partition->bytes[i];
    return found == 0;
}

/* Order, kinds, and that the sections fill the file one after the other. */
static ErrorCode check_table(const Partition *partition, Error *err)
{
    uint64_t end = sizeof(PartitionHead) + partition->section_count * sizeof(PartitionSection);
    if (!is_padded(partition, end))
        return damaged(partition, NULL, "bytes behind the table that are not zero", err);
    uint32_t last = 0;
    for (uint32_t i = 0; i < partition->section_count; i++) {
        const PartitionSection *section = &partition->sections[i];
        uint32_t order = (uint32_t)section->kind << 16 | section->type;
        if (section->kind == SECTION_NONE || section->kind >= SECTION_KIND_LIMIT)
            return damaged(partition, section, "unknown kind", err);
        if (kind_has_type(section->kind)
                ? section->type == 0 || section->type >= FHIR_RESOURCE_TYPE_LIMIT
                : section->type != 0)
            return damaged(partition, section, "wrong resource type", err);
        if (order <= last)
            return damaged(partition, section, "sections are out of order", err);
        last = order;
        if (section->offset != align_up(end))
            return damaged(partition, section, "wrong place", err);
        if (section->size > partition->size || section->offset > partition->size - section->size)
            return damaged(partition, section, "reaches beyond the end of the file", err);
        if (section->size % section_item_size[section->kind] != 0)
            return damaged(partition, section, "size is no multiple of an item's", err);
        end = section->offset + section->size;
    }
    if (align_up(end) != partition->size)
        return damaged(partition, NULL, "the file is longer or shorter than its sections", err);
    return ERR_OK;
}

static ErrorCode check_head(Partition *partition, Error *err)
{
    if (partition->size < sizeof(PartitionHead))
        return damaged(partition, NULL, "the file is too short", err);
    PartitionHead head;
    memcpy(&head, partition->bytes, sizeof(head));
    if (memcmp(head.magic, PARTITION_MAGIC, sizeof(head.magic)) != 0)
        return damaged(partition, NULL, "this is no partition file", err);
    if (head.version != PARTITION_VERSION)
        return error_set(err, ERR_VERSION, "%.*s: partition format %u; this program reads %d",
                         STR_ARG(partition->name), head.version, PARTITION_VERSION);
    if (head.file_size != partition->size)
        return damaged(partition, NULL, "the file has another size than it had", err);
    size_t room = (partition->size - sizeof(head)) / sizeof(PartitionSection);
    if (head.section_count > PARTITION_SECTIONS_MAX || head.section_count > room)
        return damaged(partition, NULL, "too many sections", err);
    size_t table_size = head.section_count * sizeof(PartitionSection);
    partition->head_crc = head.crc;
    head.crc = 0;
    uint32_t crc = io_crc32c(0, &head, sizeof(head));
    crc = io_crc32c(crc, partition->bytes + sizeof(head), table_size);
    if (crc != partition->head_crc)
        return damaged(partition, NULL, "wrong checksum", err);
    if (head.model != store_model_mark())
        return error_set(err, ERR_VERSION,
                         "%.*s: written with another element model; load the sources anew",
                         STR_ARG(partition->name));
    partition->section_count = head.section_count;
    partition->sections = (const void *)(partition->bytes + sizeof(head));
    partition->batch.person_count = head.person_count;
    partition->dict_count = head.dict_count;
    return ERR_OK;
}

static const PartitionSection *find_section(const Partition *partition, SectionKind kind,
                                            uint16_t type)
{
    for (uint32_t i = 0; i < partition->section_count; i++) {
        const PartitionSection *section = &partition->sections[i];
        if (section->kind == kind && section->type == type)
            return section;
    }
    return NULL;
}

/* The bytes of a section that must be there with `count` items. */
static ErrorCode need_section(const Partition *partition, SectionKind kind, uint64_t count,
                              const void **ret_bytes, Error *err)
{
    const PartitionSection *section = find_section(partition, kind, 0);
    if (section == NULL)
        return error_set(err, ERR_DAMAGED, "%.*s: section %s is missing", STR_ARG(partition->name),
                         section_name[kind]);
    if (section->size != count * section_item_size[kind])
        return damaged(partition, section, "wrong size for the number of persons", err);
    *ret_bytes = partition->bytes + section->offset;
    return ERR_OK;
}

static ErrorCode open_persons(Partition *partition, Error *err)
{
    RecordBatch *batch = &partition->batch;
    uint64_t count = batch->person_count;
    const struct {
        SectionKind kind;
        uint64_t count;
        const void **ret;
    } columns[] = {
        {SECTION_ID_HASHES, count, (const void **)&batch->id_hashes},
        {SECTION_ID_STARTS, count + 1, (const void **)&batch->id_starts},
        {SECTION_BIRTH_DAYS, count, (const void **)&batch->birth_days},
        {SECTION_DEATH_DAYS, count, (const void **)&batch->death_days},
        {SECTION_SEXES, count, (const void **)&batch->sexes},
    };
    for (size_t i = 0; i < COUNT_OF(columns); i++) {
        ErrorCode code =
            need_section(partition, columns[i].kind, columns[i].count, columns[i].ret, err);
        if (code != ERR_OK)
            return code;
    }
    const PartitionSection *ids = find_section(partition, SECTION_ID_BYTES, 0);
    if (ids == NULL)
        return error_set(err, ERR_DAMAGED, "%.*s: section ids is missing",
                         STR_ARG(partition->name));
    batch->id_bytes = (const char *)partition->bytes + ids->offset;
    return ERR_OK;
}

/* The columns of one type, whose sections stand apart in the file. */
static ErrorCode open_column(Partition *partition, const PartitionSection *section, Error *err)
{
    RecordType *type = &partition->batch.types[section->type];
    const void *bytes = partition->bytes + section->offset;
    uint64_t items = section->size / section_item_size[section->kind];
    if (section->kind == SECTION_STARTS) {
        if (items != (uint64_t)partition->batch.person_count + 1)
            return damaged(partition, section, "wrong size for the number of persons", err);
        type->starts = bytes;
        type->entries.count = type->starts[items - 1];
        return ERR_OK;
    }
    if (type->starts == NULL)
        return damaged(partition, section, "a column without starts", err);
    if (items != type->entries.count)
        return damaged(partition, section, "wrong size for the number of entries", err);
    switch ((SectionKind)section->kind) {
    case SECTION_CONCEPTS:
        type->entries.concepts = bytes;
        return ERR_OK;
    case SECTION_DAYS:
        type->entries.days = bytes;
        return ERR_OK;
    case SECTION_NUMBERS:
        type->entries.numbers = bytes;
        return ERR_OK;
    case SECTION_ORGS:
        type->entries.orgs = bytes;
        return ERR_OK;
    default:
        type->entries.tapes = bytes;
        return ERR_OK;
    }
}

static ErrorCode open_types(Partition *partition, Error *err)
{
    for (uint32_t i = 0; i < partition->section_count; i++) {
        const PartitionSection *section = &partition->sections[i];
        ErrorCode code =
            kind_has_type(section->kind) ? open_column(partition, section, err) : ERR_OK;
        if (code != ERR_OK)
            return code;
    }
    for (uint32_t i = 0; i < FHIR_RESOURCE_TYPE_LIMIT; i++) {
        const RecordType *type = &partition->batch.types[i];
        if (type->entries.count > 0 && type->entries.tapes == NULL)
            return error_set(err, ERR_DAMAGED, "%.*s: section %s tape starts is missing",
                             STR_ARG(partition->name), fhir_type_table[i].name);
    }
    return ERR_OK;
}

static ErrorCode open_rest(Partition *partition, const ConceptDict *dict, Error *err)
{
    const PartitionSection *index = find_section(partition, SECTION_POSTING_INDEX, 0);
    const PartitionSection *data = find_section(partition, SECTION_POSTING_DATA, 0);
    const PartitionSection *area = find_section(partition, SECTION_AREA, 0);
    if (index == NULL || data == NULL || area == NULL)
        return error_set(err, ERR_DAMAGED, "%.*s: section %s is missing", STR_ARG(partition->name),
                         area == NULL ? "tapes" : "postings");
    if (index->size / sizeof(Posting) > UINT32_MAX || area->size > UINT32_MAX)
        return damaged(partition, area, "too large", err);
    partition->postings = (Postings){
        .index = (const void *)(partition->bytes + index->offset),
        .count = (uint32_t)(index->size / sizeof(Posting)),
        .data = partition->bytes + data->offset,
        .data_size = data->size,
        .person_count = partition->batch.person_count,
    };
    RecordBatch *batch = &partition->batch;
    batch->dict = dict;
    batch->area = (TapeArea){
        .bytes = partition->bytes + area->offset, .size = area->size, .names = {.dict = dict}};
    partition->directory = *batch;
    partition->directory.area.size = 0;
    return ERR_OK;
}

ErrorCode partition_open(Str name, const void *bytes, size_t size, const ConceptDict *dict,
                         Partition *ret_partition, Error *err)
{
    Partition *partition = ret_partition;
    *partition = (Partition){.name = name, .bytes = bytes, .size = size};
    ErrorCode code = check_head(partition, err);
    if (code == ERR_OK && partition->dict_count != concept_dict_count(dict))
        code = damaged(partition, NULL, "belongs to another dictionary", err);
    if (code == ERR_OK)
        code = check_table(partition, err);
    if (code == ERR_OK)
        code = open_persons(partition, err);
    if (code == ERR_OK)
        code = open_types(partition, err);
    if (code == ERR_OK)
        code = open_rest(partition, dict, err);
    return code;
}

/* ---- verifying ---- */

static bool are_ascending32(const uint32_t *values, uint64_t count, uint32_t last)
{
    uint32_t wrong = values[0] != 0 || values[count - 1] != last;
    for (uint64_t i = 1; i < count; i++)
        wrong |= values[i] < values[i - 1];
    return wrong == 0;
}

static bool are_ascending64(const uint64_t *values, uint64_t count)
{
    uint64_t wrong = 0;
    for (uint64_t i = 1; i < count; i++)
        wrong |= values[i] < values[i - 1];
    return wrong == 0;
}

static bool are_below(const uint32_t *values, uint64_t count, uint64_t limit)
{
    uint32_t highest = 0;
    for (uint64_t i = 0; i < count; i++)
        highest = values[i] > highest ? values[i] : highest;
    return count == 0 || highest < limit;
}

static bool are_sexes(const uint8_t *values, uint64_t count)
{
    uint8_t highest = 0;
    for (uint64_t i = 0; i < count; i++)
        highest = values[i] > highest ? values[i] : highest;
    return highest <= SEX_OTHER;
}

static bool are_postings(const Posting *index, uint64_t count, uint32_t dict_count)
{
    uint64_t last = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t order = (uint64_t)index[i].type << 32 | index[i].concept;
        if (index[i].type == 0 || order <= last || index[i].concept > dict_count)
            return false;
        last = order;
    }
    return true;
}

/* What is wrong with the values of a section, or NULL. */
static const char *section_complaint(const Partition *partition, const PartitionSection *section)
{
    const void *bytes = partition->bytes + section->offset;
    uint64_t count = section->size / section_item_size[section->kind];
    const RecordBatch *batch = &partition->batch;
    switch ((SectionKind)section->kind) {
    case SECTION_ID_HASHES:
        return are_ascending64(bytes, count) ? NULL : "hashes are out of order";
    case SECTION_ID_STARTS: {
        const PartitionSection *ids = find_section(partition, SECTION_ID_BYTES, 0);
        bool ok = ids->size <= UINT32_MAX && are_ascending32(bytes, count, (uint32_t)ids->size);
        return ok ? NULL : "offsets do not ascend to the end of the ids";
    }
    case SECTION_STARTS:
        return are_ascending32(bytes, count, batch->types[section->type].entries.count)
                   ? NULL
                   : "offsets do not ascend";
    case SECTION_CONCEPTS:
    case SECTION_ORGS:
        return are_below(bytes, count, (uint64_t)partition->dict_count + 1)
                   ? NULL
                   : "a concept that the dictionary does not have";
    case SECTION_TAPES:
        return are_below(bytes, count, batch->area.size) ? NULL : "a tape beyond the area";
    case SECTION_SEXES:
        return are_sexes(bytes, count) ? NULL : "an unknown sex";
    case SECTION_POSTING_INDEX:
        return are_postings(bytes, count, partition->dict_count) ? NULL
                                                                 : "postings are out of order";
    default:
        return NULL;
    }
}

static ErrorCode verify_section(const Partition *partition, const PartitionSection *section,
                                Error *err)
{
    const uint8_t *bytes = partition->bytes + section->offset;
    if (io_crc32c(0, bytes, section->size) != section->crc)
        return damaged(partition, section, "wrong checksum", err);
    if (!is_padded(partition, section->offset + section->size))
        return damaged(partition, section, "bytes behind it that are not zero", err);
    const char *complaint = section_complaint(partition, section);
    return complaint == NULL ? ERR_OK : damaged(partition, section, complaint, err);
}

ErrorCode partition_verify_directory(const Partition *partition, Error *err)
{
    for (uint32_t i = 0; i < partition->section_count; i++) {
        const PartitionSection *section = &partition->sections[i];
        if (section->kind == SECTION_AREA)
            continue;
        ErrorCode code = verify_section(partition, section, err);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

ErrorCode partition_verify_area(const Partition *partition, Error *err)
{
    return verify_section(partition, find_section(partition, SECTION_AREA, 0), err);
}

/* ---- writing ---- */

typedef struct {
    PartitionSection *table;
    const void **bytes;
    uint32_t count;
} SectionList;

static void list_section(SectionList *list, SectionKind kind, uint16_t type, const void *bytes,
                         uint64_t count)
{
    ASSERT(list->count < PARTITION_SECTIONS_MAX);
    list->bytes[list->count] = bytes;
    list->table[list->count++] = (PartitionSection){
        .kind = (uint16_t)kind,
        .type = type,
        .size = count * section_item_size[kind],
    };
}

static const void *type_column(const RecordType *type, SectionKind kind)
{
    switch (kind) {
    case SECTION_STARTS:
        return type->starts;
    case SECTION_CONCEPTS:
        return type->entries.concepts;
    case SECTION_DAYS:
        return type->entries.days;
    case SECTION_NUMBERS:
        return type->entries.numbers;
    case SECTION_ORGS:
        return type->entries.orgs;
    default:
        return type->entries.tapes;
    }
}

static void list_batch(const RecordBatch *batch, SectionList *list)
{
    uint64_t persons = batch->person_count;
    list_section(list, SECTION_ID_HASHES, 0, batch->id_hashes, persons);
    list_section(list, SECTION_ID_STARTS, 0, batch->id_starts, persons + 1);
    list_section(list, SECTION_ID_BYTES, 0, batch->id_bytes, batch->id_starts[persons]);
    list_section(list, SECTION_BIRTH_DAYS, 0, batch->birth_days, persons);
    list_section(list, SECTION_DEATH_DAYS, 0, batch->death_days, persons);
    list_section(list, SECTION_SEXES, 0, batch->sexes, persons);
    for (unsigned kind = SECTION_STARTS; kind <= SECTION_TAPES; kind++) {
        for (uint32_t type = 1; type < FHIR_RESOURCE_TYPE_LIMIT; type++) {
            const RecordType *columns = &batch->types[type];
            const void *bytes = type_column(columns, (SectionKind)kind);
            if (columns->starts == NULL || bytes == NULL)
                continue;
            uint64_t count = kind == SECTION_STARTS ? persons + 1 : columns->entries.count;
            list_section(list, (SectionKind)kind, (uint16_t)type, bytes, count);
        }
    }
}

/* Gives every section its place, and the size of the file. */
static uint64_t place_sections(SectionList *list)
{
    uint64_t end = sizeof(PartitionHead) + list->count * sizeof(PartitionSection);
    for (uint32_t i = 0; i < list->count; i++) {
        PartitionSection *section = &list->table[i];
        section->offset = align_up(end);
        section->crc = io_crc32c(0, list->bytes[i], section->size);
        end = section->offset + section->size;
    }
    return align_up(end);
}

ErrorCode partition_image(Arena *arena, const RecordBatch *batch, PartitionImage *ret_image,
                          Error *err)
{
    if (batch->area.size > UINT32_MAX)
        return error_set(err, ERR_LIMIT, "the tapes of one partition pass 4 GiB");
    StrBuf index;
    StrBuf data;
    strbuf_init(&index, arena, 0);
    strbuf_init(&data, arena, 0);
    postings_build(arena, batch, &index, &data);
    ASSERT(!index.overflowed && !data.overflowed);
    SectionList list = {
        .table = ARENA_ARRAY(arena, PartitionSection, PARTITION_SECTIONS_MAX),
        .bytes = ARENA_ARRAY(arena, const void *, PARTITION_SECTIONS_MAX),
    };
    list_batch(batch, &list);
    list_section(&list, SECTION_POSTING_INDEX, 0, index.ptr, index.len / sizeof(Posting));
    list_section(&list, SECTION_POSTING_DATA, 0, data.ptr, data.len);
    list_section(&list, SECTION_AREA, 0, batch->area.bytes, batch->area.size);
    uint64_t file_size = place_sections(&list);
    PartitionHead head = {
        .version = PARTITION_VERSION,
        .model = store_model_mark(),
        .person_count = batch->person_count,
        .section_count = list.count,
        .file_size = file_size,
        .dict_count = concept_dict_count(batch->dict),
    };
    memcpy(head.magic, PARTITION_MAGIC, sizeof(head.magic));
    head.crc = io_crc32c(0, &head, sizeof(head));
    head.crc = io_crc32c(head.crc, list.table, list.count * sizeof(PartitionSection));

    uint64_t front_size = list.table[list.count - 1].offset;
    char *front = arena_zalloc(arena, front_size);
    memcpy(front, &head, sizeof(head));
    memcpy(front + sizeof(head), list.table, list.count * sizeof(PartitionSection));
    for (uint32_t i = 0; i + 1 < list.count; i++) {
        if (list.table[i].size > 0)
            memcpy(front + list.table[i].offset, list.bytes[i], list.table[i].size);
    }
    *ret_image = (PartitionImage){
        .front = {.ptr = front, .len = front_size},
        .area = batch->area.bytes,
        .area_size = batch->area.size,
        .padding = file_size - front_size - batch->area.size,
        .head_crc = head.crc,
    };
    return ERR_OK;
}

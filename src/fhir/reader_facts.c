/* What the directory wants to know of a resource: models/directory.tsv applied to its tape. */
#include "fhir/reader_int.h"

enum { CONCEPTS_MAX = 64, DECIMAL_UNITS = 100000000 };

typedef struct {
    FhirReader *reader;
    FhirFacts *facts;
    ConceptId concepts[CONCEPTS_MAX];
    size_t concept_count;
} Gather;

/* Takes the value at the end of a path; true when the column is full and no more is wanted. */
typedef bool (*TakeFn)(Gather *gather, FhirNode value);

/* All values along the path from step `step` on, over all items of lists, until one is taken. */
static bool take_along(Gather *gather, FhirNode node, const FhirElementPath *path, unsigned step,
                       TakeFn take)
{
    if (node.area == NULL)
        return false;
    FhirNode child = fhir_child(node, path->number[step]);
    if (child.area == NULL)
        return false;
    bool is_last = step + 1u >= path->count;
    if (!tape_is_list(child.area->bytes[child.at]))
        return is_last ? take(gather, child) : take_along(gather, child, path, step + 1, take);
    FhirItems items = fhir_items(child);
    FhirNode item;
    while (fhir_items_next(&items, &item))
        if (is_last ? take(gather, item) : take_along(gather, item, path, step + 1, take))
            return true;
    return false;
}

static void take_first(Gather *gather, FhirNode root, FhirElementPaths paths, TakeFn take)
{
    for (unsigned i = 0; i < paths.count; i++)
        if (take_along(gather, root, &fhir_directory_path_table[paths.first + i], 0, take))
            return;
}

static bool reference_of(Gather *gather, FhirNode node, uint16_t wanted, Str *ret_id)
{
    uint16_t type;
    return fhir_reference(node, gather->reader->scratch, &type, ret_id) && type == wanted;
}

static bool take_patient(Gather *gather, FhirNode node)
{
    if (node.type == FHIR_TYPE_id) {
        gather->facts->patient_id = gather->facts->id;
        return true;
    }
    return reference_of(gather, node, FHIR_TYPE_Patient, &gather->facts->patient_id);
}

static bool take_org(Gather *gather, FhirNode node)
{
    Str id;
    if (!reference_of(gather, node, FHIR_TYPE_Organization, &id) ||
        id.len > LIMIT_CONCEPT_TEXT_BYTES / 2)
        return false;
    gather->facts->org = concept_intern(gather->reader->interner, S("Organization"), id);
    return true;
}

/* Of a list every item counts: gathers all, and so never says that it is done. */
static bool take_codes(Gather *gather, FhirNode node)
{
    size_t room = CONCEPTS_MAX - gather->concept_count;
    size_t found = fhir_concepts(node, gather->concepts + gather->concept_count, room);
    gather->concept_count += found < room ? found : room;
    return false;
}

static void gather_concept(Gather *gather, FhirNode root, FhirElementPaths paths)
{
    for (unsigned i = 0; i < paths.count && gather->concept_count == 0; i++)
        (void)take_along(gather, root, &fhir_directory_path_table[paths.first + i], 0, take_codes);
    if (gather->concept_count == 1)
    gather->facts->concept = gather->concepts[0];
    else if (gather->concept_count > 1) gather->facts->concept =
        concept_intern_group(gather->reader->interner, gather->concepts, gather->concept_count);
}

static bool take_date(Gather *gather, FhirNode node)
{
    Moment moment;
    if (!fhir_moment(node, &moment))
        return false;
    gather->facts->day = moment_day(moment);
    gather->facts->instant_ms = moment_first_ms(moment, 0);
    return true;
}

static bool take_number(Gather *gather, FhirNode node)
{
    Decimal value;
    if (!fhir_decimal(node, &value) || value.units > INT64_MAX || value.units <= INT64_MIN)
        return false;
    gather->facts->number = (int64_t)value.units;
    return true;
}

void reader_facts(FhirReader *reader, const uint8_t *tape, size_t size, FhirFacts *ret_facts)
{
    TapeArea area = {.bytes = tape, .size = size, .names.builder = reader->concepts};
    FhirNode root = fhir_root(&area, 0);
    Gather gather = {.reader = reader, .facts = ret_facts};
    *ret_facts = (FhirFacts){
        .type = root.type, .day = DAY_NONE, .instant_ms = INT64_MIN, .number = INT64_MIN};
    const FhirDirectoryInfo *info = &fhir_directory_table[root.type];
    ret_facts->is_shared = !info->is_patient_bound;
    uint8_t id = fhir_element_find((FhirType)root.type, "id\0\0\0\0\0\0", 2);
    ret_facts->id = fhir_text(fhir_child(root, id), reader->scratch);
    if (ret_facts->is_shared)
        return;
    take_first(&gather, root, info->patient, take_patient);
    gather_concept(&gather, root, info->code);
    take_first(&gather, root, info->date, take_date);
    take_first(&gather, root, info->number, take_number);
    take_first(&gather, root, info->org, take_org);
}

/* What the directory wants to know of a resource: models/directory.tsv applied to its tape. */
#include "fhir/reader_int.h"

enum { CONCEPTS_MAX = 64, DECIMAL_UNITS = 100000000 };

typedef struct {
    FhirReader *reader;
    FhirFacts *facts;
    FhirNode root;
    uint64_t has[4];      /* bits by element number: the root has it */
    uint32_t fields[256]; /* where its value node is */
    ConceptId concepts[CONCEPTS_MAX];
    size_t concept_count;
    bool names_another; /* where a patient may stand there is a Group, a Device, ... */
} Gather;

/* Takes the value at the end of a path; true when the column is full and no more is wanted. */
typedef bool (*TakeFn)(Gather *gather, FhirNode value);

static bool take_along(Gather *gather, FhirNode node, const FhirElementPath *path, unsigned step,
                       TakeFn take);

/* The child that step `step - 1` of the path led to. */
static bool take_child(Gather *gather, FhirNode child, const FhirElementPath *path, unsigned step,
                       TakeFn take)
{
    bool is_last = step >= path->count;
    if (child.area == NULL)
        return false;
    if (!tape_is_list(child.area->bytes[child.at]))
        return is_last ? take(gather, child) : take_along(gather, child, path, step, take);
    FhirItems items = fhir_items(child);
    FhirNode item;
    while (fhir_items_next(&items, &item))
        if (is_last ? take(gather, item) : take_along(gather, item, path, step, take))
            return true;
    return false;
}

/* All values along the path from step `step` on, over all items of lists, until one is taken. */
static bool take_along(Gather *gather, FhirNode node, const FhirElementPath *path, unsigned step,
                       TakeFn take)
{
    return node.area != NULL &&
           take_child(gather, fhir_child(node, path->number[step]), path, step + 1, take);
}

/* As fhir_child of the root: all paths begin there, so its fields are found once. */
static FhirNode root_child(const Gather *gather, uint8_t number)
{
    if ((gather->has[number >> 6] >> (number & 63) & 1) == 0)
        return FHIR_ABSENT;
    const FhirElementInfo *info = fhir_element_info((FhirType)gather->root.type, number);
    return (FhirNode){.area = gather->root.area, .at = gather->fields[number], .type = info->type};
}

static void find_fields(Gather *gather)
{
    const TapeArea *area = gather->root.area;
    uint32_t at;
    uint32_t end;
    if (!tape_body(area, gather->root.at, &at, &end))
        return;
    while (at < end) {
        uint8_t number = area->bytes[at];
        gather->has[number >> 6] |= UINT64_C(1) << (number & 63);
        gather->fields[number] = at + 1;
        at = (uint32_t)tape_skip(area, at + 1);
    }
}

static bool take_path(Gather *gather, const FhirElementPath *path, TakeFn take)
{
    return take_child(gather, root_child(gather, path->number[0]), path, 1, take);
}

static void take_first(Gather *gather, FhirElementPaths paths, TakeFn take)
{
    for (unsigned i = 0; i < paths.count; i++)
        if (take_path(gather, &fhir_directory_path_table[paths.first + i], take))
            return;
}

/* The UUID of a reference to `wanted` in its packed form, which nearly all have; NULL for others.
 */
static const uint8_t *packed_reference(FhirNode node, uint16_t wanted)
{
    FhirNode text = fhir_child(node, FHIR_ELEM_Reference_reference);
    if (text.area == NULL)
        return NULL;
    const uint8_t *bytes = text.area->bytes + text.at;
    return bytes[0] == TAPE_REFERENCE && bytes[1] == wanted && bytes[2] == TAPE_UUID ? bytes + 3
                                                                                     : NULL;
}

/* The type that a literal reference names; FHIR_TYPE_NONE when it names none, as a URN that no
   entry explains, an identifier or a display alone. ret_id only where it is the wanted one. */
static uint16_t reference_of(Gather *gather, FhirNode node, uint16_t wanted, Str *ret_id)
{
    uint16_t type;
    Str id;
    if (!fhir_reference(node, gather->reader->scratch, &type, &id))
        return FHIR_TYPE_NONE;
    if (type == wanted)
        *ret_id = id;
    return type;
}

static bool take_patient(Gather *gather, FhirNode node)
{
    if (node.type == FHIR_TYPE_id) {
        gather->facts->patient_id = gather->facts->id;
        return true;
    }
    const uint8_t *uuid = packed_reference(node, FHIR_TYPE_Patient);
    if (uuid == NULL) {
        uint16_t type = reference_of(gather, node, FHIR_TYPE_Patient, &gather->facts->patient_id);
        gather->names_another |= type != FHIR_TYPE_NONE && type != FHIR_TYPE_Patient;
        return type == FHIR_TYPE_Patient;
    }
    tape_uuid_text(uuid, gather->reader->patient_id);
    gather->facts->patient_id = (Str){gather->reader->patient_id, TAPE_UUID_TEXT_BYTES};
    return true;
}

/* The few organisations of a neighbourhood come again and again. */
static ConceptId intern_org(FhirReader *reader, const uint8_t *uuid)
{
    char text[TAPE_UUID_TEXT_BYTES];
    KnownOrg *known = &reader->orgs[uuid[0] % KNOWN_ORGS];
    if (known->id != CONCEPT_NONE && memcmp(known->uuid, uuid, TAPE_UUID_BYTES) == 0)
        return known->id;
    tape_uuid_text(uuid, text);
    memcpy(known->uuid, uuid, TAPE_UUID_BYTES);
    known->id = concept_intern(reader->interner, S("Organization"), (Str){text, sizeof text});
    return known->id;
}

static bool take_org(Gather *gather, FhirNode node)
{
    Str id;
    const uint8_t *uuid = packed_reference(node, FHIR_TYPE_Organization);
    if (uuid != NULL) {
        gather->facts->org = intern_org(gather->reader, uuid);
        return true;
    }
    if (reference_of(gather, node, FHIR_TYPE_Organization, &id) != FHIR_TYPE_Organization ||
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

static void gather_concept(Gather *gather, FhirElementPaths paths)
{
    for (unsigned i = 0; i < paths.count && gather->concept_count == 0; i++)
        (void)take_path(gather, &fhir_directory_path_table[paths.first + i], take_codes);
    if (gather->concept_count == 1)
    gather->facts->concept = gather->concepts[0];
    else if (gather->concept_count > 1) gather->facts->concept =
        concept_intern_group(gather->reader->interner, gather->concepts, gather->concept_count);
}

/* Elements of which FHIR says that only a Patient may stand there. */
static bool wants_patient(uint16_t type, const FhirElementPath *path)
{
    Str name = fhir_element_name(type, path->number[0]);
    return str_eq(name, S("patient")) || str_eq(name, S("beneficiary")) ||
           str_eq(name, S("candidate")) || str_eq(name, S("individual"));
}

/* Whose it is. What is about a Group, a Device or a Location is about no person: it is shared, as
   what belongs to no patient by its type. */
static void gather_patient(Gather *gather, FhirElementPaths paths)
{
    bool is_shared = false;
    for (unsigned i = 0; i < paths.count; i++) {
        const FhirElementPath *path = &fhir_directory_path_table[paths.first + i];
        gather->names_another = false;
        if (take_path(gather, path, take_patient))
            return;
        is_shared |= gather->names_another && !wants_patient(gather->root.type, path);
    }
    gather->facts->is_shared = is_shared;
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
    Gather gather = {.reader = reader, .facts = ret_facts, .root = fhir_root(&area, 0)};
    uint16_t type = gather.root.type;
    *ret_facts =
        (FhirFacts){.type = type, .day = DAY_NONE, .instant_ms = INT64_MIN, .number = INT64_MIN};
    const FhirDirectoryInfo *info = &fhir_directory_table[type];
    ret_facts->is_shared = !info->is_patient_bound;
    find_fields(&gather);
    /* Every resource type has Resource's own elements first. */
    FhirNode id = root_child(&gather, FHIR_ELEM_Resource_id);
    if (id.area != NULL && tape[id.at] == TAPE_UUID) {
        tape_uuid_text(tape + id.at + 1, reader->own_id);
        ret_facts->id = (Str){reader->own_id, TAPE_UUID_TEXT_BYTES};
    } else {
        ret_facts->id = fhir_text(id, reader->scratch);
    }
    if (ret_facts->is_shared)
        return;
    gather_patient(&gather, info->patient);
    if (ret_facts->is_shared)
        return;
    gather_concept(&gather, info->code);
    take_first(&gather, info->date, take_date);
    take_first(&gather, info->number, take_number);
    take_first(&gather, info->org, take_org);
}

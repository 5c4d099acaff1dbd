/* Reading records: persons of a batch and their entries. */
#include "fhir/fhir_int.h"

Str record_person_id(Record record)
{
    const RecordBatch *batch = record.batch;
    uint32_t from = batch->id_starts[record.row];
    return (Str){.ptr = batch->id_bytes + from, .len = batch->id_starts[record.row + 1] - from};
}

FhirNode record_resource(Record record, RecordSlice slice, uint16_t type, uint32_t entry)
{
    ASSERT(entry < slice.count);
    FhirNode root = fhir_root(&record.batch->area, slice.tapes[entry]);
    return root.type == type ? root : FHIR_ABSENT;
}

FhirNode record_patient(Record record)
{
    RecordSlice slice = record_slice(record, FHIR_TYPE_Patient);
    return slice.count == 0 ? FHIR_ABSENT : record_resource(record, slice, FHIR_TYPE_Patient, 0);
}

/* Rows are in order of (id hash, id). */
bool record_find(const RecordBatch *batch, Str person_id, uint32_t *ret_row)
{
    uint64_t hash = str_hash(person_id);
    uint32_t low = 0;
    uint32_t high = batch->person_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint64_t other = batch->id_hashes[middle];
        int order = other < hash   ? -1
                    : other > hash ? 1
                                   : str_cmp(record_person_id((Record){batch, middle}), person_id);
        if (order == 0) {
            *ret_row = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

FhirNode record_find_resource(Record record, uint16_t type, Str id)
{
    if (!fhir_type_is_concrete_resource((FhirType)type))
        return FHIR_ABSENT;
    RecordSlice slice = record_slice(record, type);
    uint8_t element = fhir_element_by_name(type, S("id"));
    for (uint32_t i = 0; i < slice.count; i++) {
        FhirNode resource = record_resource(record, slice, type, i);
        if (fhir_text_is(fhir_child(resource, element), id))
            return resource;
    }
    return FHIR_ABSENT;
}

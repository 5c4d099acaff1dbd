/*
 * Retrieves: the entries of a person's directory that have the type, the codes and the profile.
 */
#include "cql/operator.h"

static bool path_has(const PlanRetrieve *retrieve, FhirNode resource)
{
    FhirNode node = resource;
    for (size_t i = 0; i < COUNT_OF(retrieve->path) && retrieve->path[i] != 0; i++) {
        if (fhir_kind(node) == FHIR_KIND_LIST)
            node = fhir_first(node);
        node = fhir_child(node, retrieve->path[i]);
    }
    ConceptId ids[16];
    size_t count = fhir_concepts(node, ids, COUNT_OF(ids));
    for (size_t i = 0; i < count && i < COUNT_OF(ids); i++) {
        if (concept_set_has(&retrieve->concepts, ids[i]))
            return true;
    }
    return false;
}

static bool entry_matches(const PlanRetrieve *retrieve, const RecordSlice *slice, uint32_t entry)
{
    return slice->concepts != NULL && concept_set_has(&retrieve->concepts, slice->concepts[entry]);
}

/* A person's entries of one type, or those of nobody's. */
typedef struct {
    Record record;
    RecordSlice slice;
} Source;

/* Whether the retrieve takes an entry. The tape is opened only for what the directory does not
   tell; *ret_resource is absent when it was not. */
static bool takes(const CqlEval *eval, const PlanRetrieve *retrieve, const Source *source,
                  uint32_t entry, FhirNode *ret_resource)
{
    bool has_code = !retrieve->has_codes;
    *ret_resource = FHIR_ABSENT;
    if (!has_code && retrieve->by_directory)
        has_code = entry_matches(retrieve, &source->slice, entry);
    bool is_open = !has_code && (!retrieve->by_directory || retrieve->not_done != NULL);
    if (!has_code && !is_open)
        return false;
    if (is_open || retrieve->profile != NULL)
        *ret_resource = record_resource(source->record, source->slice, retrieve->type, entry);
    if (!has_code && !retrieve->by_directory)
        has_code = path_has(retrieve, *ret_resource);
    if (!has_code && retrieve->not_done != NULL)
        has_code = not_done_fits(retrieve->not_done, *ret_resource);
    return has_code && (retrieve->profile == NULL ||
                        profile_fits(retrieve->profile, *ret_resource, eval->context.arena));
}

/* Where a type's entries may be: with the person, and for what belongs to no person (Location,
   Medication …) with what all share. */
static size_t sources_of(const CqlEval *eval, uint16_t type, Source sources[2])
{
    size_t count = 0;
    if (eval->has_record)
        sources[count++] = (Source){eval->record, record_slice(eval->record, type)};
    if (eval->has_shared && !fhir_directory_table[type].is_patient_bound)
        sources[count++] = (Source){eval->shared, record_slice(eval->shared, type)};
    return count;
}

static void gather_entries(CqlEval *eval, const PlanRetrieve *retrieve, const Source *source,
                           ValueVec *items)
{
    eval->steps += source->slice.count;
    for (uint32_t i = 0; i < source->slice.count; i++) {
        FhirNode resource;
        if (!takes(eval, retrieve, source, i, &resource))
            continue;
        if (fhir_is_absent(resource))
            resource = record_resource(source->record, source->slice, retrieve->type, i);
        if (!fhir_is_absent(resource))
            VEC_PUSH(eval->context.arena, items, value_fhir(resource));
    }
}

CqlValue run_retrieve(CqlEval *eval, const CqlNode *node)
{
    if (eval->retrieve_states[node->index] == SLOT_DONE)
        return eval->retrieved[node->index];
    const PlanRetrieve *retrieve = &eval->plan->retrieves.items[node->index];
    ValueVec items = {0};
    Source sources[2];
    size_t count = sources_of(eval, retrieve->type, sources);
    for (size_t i = 0; i < count; i++)
        gather_entries(eval, retrieve, &sources[i], &items);
    CqlValue list = value_from_vec(&items);
    eval->retrieved[node->index] = list;
    eval->retrieve_states[node->index] = SLOT_DONE;
    return list;
}

/* exists [Type: codes]: no tape is opened, unless to look at a profile. */
CqlValue run_exists_retrieve(CqlEval *eval, const CqlNode *node)
{
    const PlanRetrieve *retrieve = &eval->plan->retrieves.items[node->index];
    Source sources[2];
    size_t count = sources_of(eval, retrieve->type, sources);
    for (size_t i = 0; i < count; i++) {
        eval->steps += sources[i].slice.count;
        for (uint32_t j = 0; j < sources[i].slice.count; j++) {
            FhirNode resource;
            if (takes(eval, retrieve, &sources[i], j, &resource))
                return value_boolean(true);
        }
    }
    return value_boolean(false);
}

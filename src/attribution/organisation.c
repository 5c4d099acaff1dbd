#include <stdlib.h>

#include "attribution/attribution.h"

struct Organisations {
    Arena *arena;
    const ConceptDict *dict;
    Map numbers; /* of items, by id, until finished */
    Vec(Organisation) items;
    uint32_t *known; /* numbers of the items that records refer to, in order of id */
    size_t known_count;
    bool is_finished;
};

Organisations *organisations_create(Arena *arena, const ConceptDict *dict)
{
    Organisations *organisations = ARENA_NEW(arena, Organisations);
    organisations->arena = arena;
    organisations->dict = dict;
    map_init(&organisations->numbers, arena);
    return organisations;
}

/* The id of the organisation that it is part of, or the empty Str. */
static Str part_of(FhirNode resource, Arena *arena)
{
    uint16_t type;
    Str id;
    FhirNode reference = fhir_child(resource, FHIR_ELEM_Organization_partOf);
    if (fhir_is_absent(reference) || !fhir_reference(reference, arena, &type, &id) ||
        type != FHIR_TYPE_Organization)
        return S("");
    return id;
}

static void add_resource(Organisations *organisations, FhirNode resource, Arena *scratch)
{
    Arena *arena = organisations->arena;
    Str id = fhir_text(fhir_child(resource, FHIR_ELEM_Organization_id), scratch);
    if (str_is_empty(id) || map_has(&organisations->numbers, id))
        return;
    Str name = fhir_text(fhir_child(resource, FHIR_ELEM_Organization_name), scratch);
    Organisation item = {.id = str_copy(arena, id),
                         .parent_id = str_copy(arena, part_of(resource, scratch))};
    item.name = str_is_empty(name) ? item.id : str_copy(arena, name);
    item.concept = concept_dict_find(organisations->dict, S("Organization"), id);
    map_put(&organisations->numbers, item.id, organisations->items.count);
    VEC_PUSH(arena, &organisations->items, item);
}

void organisations_add(Organisations *organisations, const RecordBatch *batch)
{
    ASSERT(!organisations->is_finished);
    Arena *scratch = arena_create(0);
    for (uint32_t row = 0; row < batch->person_count; row++) {
        Record record = {.batch = batch, .row = row};
        RecordSlice slice = record_slice(record, FHIR_TYPE_Organization);
        for (uint32_t i = 0; i < slice.count; i++) {
            add_resource(organisations, record_resource(record, slice, FHIR_TYPE_Organization, i),
                         scratch);
            arena_reset(scratch);
        }
    }
    arena_destroy(scratch);
}

static int compare_ids(const void *a, const void *b)
{
    return str_cmp(((const Organisation *)a)->id, ((const Organisation *)b)->id);
}

static Organisation *find_id(const Organisations *organisations, Str id)
{
    const Organisation wanted = {.id = id};
    if (organisations->items.count == 0)
        return NULL;
    return bsearch(&wanted, organisations->items.items, organisations->items.count, sizeof(wanted),
                   compare_ids);
}

/*
 * Follows the parents from each organisation up to one that was seen before. One that was seen on
 * the same way closes a circle: the link back is cut. `ways` holds the number of the way, from 1.
 */
static void cut_circles(Organisations *organisations, DiagList *diags)
{
    size_t count = organisations->items.count;
    Organisation *items = organisations->items.items;
    size_t *ways = ARENA_ZARRAY(organisations->arena, size_t, count);
    for (size_t i = 0; i < count; i++) {
        Organisation *at = &items[i];
        while (ways[at - items] == 0) {
            ways[at - items] = i + 1;
            if (at->parent == NULL)
                break;
            Organisation *parent = &items[at->parent - items];
            if (ways[parent - items] != i + 1) {
                at = parent;
                continue;
            }
            diag_addf(
                diags,
                (Diag){.severity = SEVERITY_WARNING,
                       .rule = S("organisation-circle"),
                       .path = S("Organization.partOf")},
                "organisation '%.*s' is part of itself by way of '%.*s'; the link is left out",
                STR_ARG(at->id), STR_ARG(parent->id));
            at->parent = NULL;
        }
    }
}

void organisations_finish(Organisations *organisations, DiagList *diags)
{
    ASSERT(!organisations->is_finished);
    organisations->is_finished = true;
    size_t count = organisations->items.count;
    if (count == 0)
        return;
    qsort(organisations->items.items, count, sizeof(Organisation), compare_ids);
    organisations->known = ARENA_ARRAY(organisations->arena, uint32_t, count);
    for (size_t i = 0; i < count; i++) {
        Organisation *item = &organisations->items.items[i];
        if (!str_is_empty(item->parent_id))
            item->parent = find_id(organisations, item->parent_id);
        if (item->concept != CONCEPT_NONE)
            organisations->known[organisations->known_count++] = (uint32_t)i;
    }
    cut_circles(organisations, diags);
}

size_t organisations_count(const Organisations *organisations)
{
    return organisations->items.count;
}

const Organisation *organisations_at(const Organisations *organisations, size_t index)
{
    ASSERT(organisations->is_finished && index < organisations->items.count);
    return &organisations->items.items[index];
}

const Organisation *organisation_find_id(const Organisations *organisations, Str id)
{
    ASSERT(organisations->is_finished);
    return find_id(organisations, id);
}

/* Concepts of one system ascend with their ids, so that `known` is in order of concept too. */
const Organisation *organisation_find(const Organisations *organisations, ConceptId concept)
{
    ASSERT(organisations->is_finished);
    size_t from = 0;
    size_t to = organisations->known_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        const Organisation *item = &organisations->items.items[organisations->known[middle]];
        if (item->concept == concept)
            return item;
        if (item->concept < concept)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

Str organisation_name(const Organisations *organisations, ConceptId concept)
{
    const Organisation *found = organisation_find(organisations, concept);
    return found != NULL ? found->name : concept_dict_name(organisations->dict, concept).code;
}

const Organisation *organisation_network(const Organisation *organisation)
{
    while (organisation->parent != NULL)
        organisation = organisation->parent;
    return organisation;
}

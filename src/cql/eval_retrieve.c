/*
 * Retrieves: the entries of a person's directory that have the type, the codes and the profile.
 */
#include "cql/operator.h"

/* What codes of a retrieve are looked for in an element: ids, and texts for elements that are plain
   codes. */
typedef struct {
    const ConceptSet *concepts;
    const Str *texts;
    size_t text_count;
} Wanted;

static bool element_has(const Wanted *wanted, FhirNode node)
{
    ConceptId ids[16];
    if (fhir_kind(node) == FHIR_KIND_TEXT) {
        for (size_t i = 0; i < wanted->text_count; i++) {
            if (fhir_text_is(node, wanted->texts[i]))
                return true;
        }
        return false;
    }
    size_t count = fhir_concepts(node, ids, COUNT_OF(ids));
    for (size_t i = 0; i < count && i < COUNT_OF(ids); i++) {
        if (concept_set_has(wanted->concepts, ids[i]))
            return true;
    }
    return false;
}

enum { PATH_MAX = 4 };

/* Whether some element at the end of the path has one of the codes; lists are walked whole. */
static bool path_has(const Wanted *wanted, const uint8_t *path, size_t at, FhirNode node)
{
    FhirItems walk = fhir_items(node);
    FhirNode item;
    bool is_end = at == PATH_MAX || path[at] == 0;
    while (fhir_items_next(&walk, &item)) {
        if (walk.is_null)
            continue;
        if (is_end ? element_has(wanted, item)
                   : path_has(wanted, path, at + 1, fhir_child(item, path[at])))
            return true;
    }
    return false;
}

static bool entry_matches(const PlanRetrieve *retrieve, const RecordSlice *slice, uint32_t entry)
{
    return slice->concepts != NULL && concept_set_has(&retrieve->concepts, slice->concepts[entry]);
}

static bool medication_has(const PlanRetrieve *retrieve, FhirNode medication)
{
    ConceptId ids[16];
    size_t count =
        fhir_concepts(fhir_child(medication, FHIR_ELEM_Medication_code), ids, COUNT_OF(ids));
    for (size_t i = 0; i < count && i < COUNT_OF(ids); i++) {
        if (concept_set_has(&retrieve->concepts, ids[i]))
            return true;
    }
    return false;
}

/* The medication that is referred to by "#id", within the resource. */
static FhirNode contained(FhirNode resource, Str id)
{
    FhirItems walk = fhir_items(fhir_child_named(resource, S("contained")));
    FhirNode item;
    while (fhir_items_next(&walk, &item)) {
        if (!walk.is_null && item.type == FHIR_TYPE_Medication &&
            fhir_text_is(fhir_child(item, FHIR_ELEM_Medication_id), id))
            return item;
    }
    return FHIR_ABSENT;
}

/* Whether the medication that a resource refers to, in place of a code of its own, has the code. */
static bool refers_to_code(const CqlEval *eval, const PlanRetrieve *retrieve, FhirNode resource)
{
    FhirNode reference = fhir_child(resource, retrieve->medication);
    uint16_t type = FHIR_TYPE_NONE;
    Str id;
    if (fhir_is_absent(reference))
        return false;
    Str text = fhir_text(fhir_child(reference, FHIR_ELEM_Reference_reference), eval->context.arena);
    if (str_starts_with(text, S("#")))
        return medication_has(retrieve, contained(resource, str_slice(text, 1, SIZE_MAX)));
    if (!fhir_reference(reference, eval->context.arena, &type, &id))
        return false;
    FhirNode medication = FHIR_ABSENT;
    if (eval->has_record)
        medication = record_find_resource(eval->record, FHIR_TYPE_Medication, id);
    for (size_t i = 0; fhir_is_absent(medication) && i < eval->shared.count; i++)
        medication = record_find_resource(eval->shared.items[i], FHIR_TYPE_Medication, id);
    return medication_has(retrieve, medication);
}

/* Whether the retrieve takes an entry. The tape is opened only for what the directory does not
   tell; *ret_resource is absent when it was not. */
static bool takes(const CqlEval *eval, const PlanRetrieve *retrieve, const Source *source,
                  uint32_t entry, FhirNode *ret_resource)
{
    bool has_code = !retrieve->has_codes;
    const Wanted wanted = {.concepts = &retrieve->concepts};
    *ret_resource = FHIR_ABSENT;
    if (!has_code && retrieve->by_directory)
        has_code = entry_matches(retrieve, &source->slice, entry);
    /* An entry with a code of its own refers to no medication. */
    bool may_refer = retrieve->medication != 0 && (source->slice.concepts == NULL ||
                                                   source->slice.concepts[entry] == CONCEPT_NONE);
    bool is_open =
        !has_code && (!retrieve->by_directory || retrieve->not_done != NULL || may_refer);
    if (!has_code && !is_open)
        return false;
    if (is_open || retrieve->profile != NULL)
        *ret_resource = record_resource(source->record, source->slice, retrieve->type, entry);
    if (!has_code && !retrieve->by_directory)
        has_code = path_has(&wanted, retrieve->path, 0, *ret_resource);
    if (!has_code && retrieve->not_done != NULL)
        has_code = not_done_fits(retrieve->not_done, *ret_resource);
    if (!has_code && may_refer)
        has_code = refers_to_code(eval, retrieve, *ret_resource);
    return has_code && (retrieve->profile == NULL ||
                        profile_fits(retrieve->profile, *ret_resource, eval->context.arena));
}

bool eval_source(const CqlEval *eval, const PlanRetrieve *retrieve, size_t number,
                 Source *ret_source)
{
    uint16_t type = retrieve->type;
    bool is_person = eval->has_record && !retrieve->is_shared;
    if (is_person && number == 0) {
        *ret_source = (Source){eval->record, record_slice(eval->record, type)};
        return true;
    }
    number -= is_person;
    if (number >= eval->shared.count || fhir_directory_table[type].is_patient_bound)
        return false;
    Record shared = eval->shared.items[number];
    *ret_source = (Source){shared, record_slice(shared, type)};
    return true;
}

static void gather_entries(CqlEval *eval, const PlanRetrieve *retrieve, const Source *source,
                           const PlanRange *range, ValueVec *items)
{
    const int32_t *days = range == NULL ? NULL : source->slice.days;
    eval->steps += source->slice.count;
    for (uint32_t i = 0; i < source->slice.count; i++) {
        FhirNode resource;
        if (range != NULL && days != NULL && days[i] != DAY_NONE &&
            (days[i] < range->from || days[i] > range->to))
            continue;
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
    bool has_any = eval_has_retrieve(eval, node->index);
    Source source;
    for (size_t i = 0; has_any && eval_source(eval, retrieve, i, &source); i++)
        gather_entries(eval, retrieve, &source, NULL, &items);
    CqlValue list = value_from_vec(&items);
    eval->retrieved[node->index] = list;
    eval->retrieve_states[node->index] = SLOT_DONE;
    return list;
}

CqlValue run_retrieve_narrow(CqlEval *eval, const CqlNode *node)
{
    const PlanRange *range = node->detail;
    const PlanRetrieve *retrieve = &eval->plan->retrieves.items[node->index];
    /* Whoever watches sees the whole list; so may who comes after one that needed it. */
    if (eval->trace != NULL || eval->retrieve_states[node->index] == SLOT_DONE)
        return run_retrieve(eval, node);
    if (eval->narrow_states[range->number] == SLOT_DONE)
        return eval->narrowed[range->number];
    ValueVec items = {0};
    bool has_any = eval_has_retrieve(eval, node->index);
    Source source;
    for (size_t i = 0; has_any && eval_source(eval, retrieve, i, &source); i++)
        gather_entries(eval, retrieve, &source, range, &items);
    CqlValue list = value_from_vec(&items);
    eval->narrowed[range->number] = list;
    eval->narrow_states[range->number] = SLOT_DONE;
    if (eval->retrieve_states[node->index] == SLOT_EMPTY)
        eval->retrieve_states[node->index] = SLOT_BUSY;
    return list;
}

static void add_retrieved(FhirNode resource, Arena *arena, CqlEventVec *events)
{
    for (size_t i = 0; i < events->count; i++) {
        const FhirNode *known = &events->items[i].resource;
        if (known->at == resource.at && known->area == resource.area)
            return;
    }
    CqlEvent event = {.type = resource.type,
                      .id = fhir_text(fhir_child_named(resource, S("id")), arena),
                      .day = DAY_NONE,
                      .resource = resource};
    VEC_PUSH(arena, events, event);
}

void cql_eval_retrieved(CqlEval *eval, Arena *arena, CqlEventVec *ret_events)
{
    *ret_events = (CqlEventVec){0};
    for (uint32_t i = 0; i < eval->plan->retrieves.count; i++) {
        const CqlNode node = {.run = run_retrieve, .index = i};
        if (eval->retrieve_states[i] == SLOT_EMPTY)
            continue;
        CqlValue list = run_retrieve(eval, &node);
        for (uint32_t j = 0; j < list.count; j++)
            add_retrieved(value_node(value_items(list)[j]), arena, ret_events);
    }
}

/* exists [Type: codes]: no tape is opened, unless to look at a profile. The retrieve is marked as
   asked (SLOT_BUSY), for cql_eval_retrieved(). */
CqlValue run_exists_retrieve(CqlEval *eval, const CqlNode *node)
{
    if (eval->retrieve_states[node->index] == SLOT_EMPTY)
        eval->retrieve_states[node->index] = SLOT_BUSY;
    const PlanRetrieve *retrieve = &eval->plan->retrieves.items[node->index];
    bool has_any = eval_has_retrieve(eval, node->index);
    Source source;
    for (size_t i = 0; has_any && eval_source(eval, retrieve, i, &source); i++) {
        eval->steps += source.slice.count;
        for (uint32_t j = 0; j < source.slice.count; j++) {
            FhirNode resource;
            if (takes(eval, retrieve, &source, j, &resource))
                return value_boolean(true);
        }
    }
    return value_boolean(false);
}

/* --- retrieves of which something is known only for the person --- */

typedef struct {
    CqlEval *eval;
    Vec(ConceptId) ids;
    Vec(Str) texts;
} Codes;

static void add_code(Codes *codes, Str system, Str code)
{
    const ConceptDict *dict = codes->eval->plan->dict;
    ConceptId id = dict == NULL ? CONCEPT_NONE : concept_dict_find(dict, system, code);
    if (id != CONCEPT_NONE)
        VEC_PUSH(codes->eval->context.arena, &codes->ids, id);
}

static void add_fhir_codes(Codes *codes, FhirNode node)
{
    ConceptId ids[64];
    Arena *arena = codes->eval->context.arena;
    if (fhir_kind(node) == FHIR_KIND_TEXT)
        VEC_PUSH(arena, &codes->texts, fhir_text(node, arena));
    size_t count = fhir_concepts(node, ids, COUNT_OF(ids));
    for (size_t i = 0; i < count && i < COUNT_OF(ids); i++)
        VEC_PUSH(arena, &codes->ids, ids[i]);
}

static void add_value_set(Codes *codes, const CqlVocabularyBody *body)
{
    for (size_t i = 0; body->set != NULL && i < body->set->count; i++) {
        add_code(codes, body->set->codes[i].system, body->set->codes[i].code);
        VEC_PUSH(codes->eval->context.arena, &codes->texts, body->set->codes[i].code);
    }
}

static void add_codes(Codes *codes, CqlValue value) /* NOLINT(misc-no-recursion) */
{
    const CqlCodeBody *code = value.ptr;
    const CqlConceptBody *concept = value.ptr;
    switch (value.kind) {
    case CQL_STRING:
        VEC_PUSH(codes->eval->context.arena, &codes->texts, value_text(value));
        break;
    case CQL_CODE:
        add_code(codes, code->system, code->code);
        VEC_PUSH(codes->eval->context.arena, &codes->texts, code->code);
        break;
    case CQL_CONCEPT:
        for (size_t i = 0; i < concept->count; i++)
            add_code(codes, concept->codes[i].system, concept->codes[i].code);
        break;
    case CQL_VALUE_SET:
        add_value_set(codes, value.ptr);
        break;
    case CQL_INSTANCE:
        add_codes(codes, instance_value(codes->eval->context.arena, value.ptr));
        break;
    case CQL_FHIR:
        add_fhir_codes(codes, value_node(value));
        break;
    case CQL_LIST:
        for (uint32_t i = 0; i < value.count; i++)
            add_codes(codes, value_items(value)[i]);
        break;
    default:
        break;
    }
}

enum { REFERENCE_DEPTH_MAX = 24 };

/* Whether some Reference within the node points to the resource. */
static bool refers_to(FhirNode node, uint16_t type, Str id, Arena *arena, uint32_t depth)
{
    uint16_t of_type;
    Str of_id;
    FhirItems walk = fhir_items(node);
    FhirNode item;
    while (depth < REFERENCE_DEPTH_MAX && fhir_items_next(&walk, &item)) {
        if (walk.is_null || fhir_kind(item) != FHIR_KIND_OBJECT)
            continue;
        if (item.type == FHIR_TYPE_Reference && fhir_reference(item, arena, &of_type, &of_id) &&
            (of_type == type || of_type == FHIR_TYPE_NONE) && str_eq(of_id, id))
            return true;
        FhirElements elements = fhir_elements(item);
        uint8_t element;
        FhirNode value;
        while (fhir_elements_next(&elements, &element, &value)) {
            if (refers_to(value, type, id, arena, depth + 1))
                return true;
        }
    }
    return false;
}

/* Keeps of the list what refers to the resource. The person's own Patient has everything. */
static CqlValue keep_related(CqlEval *eval, const CqlNode *node, CqlValue list, CqlValue related)
{
    Arena *arena = eval->context.arena;
    ValueVec kept = {0};
    if (related.kind == CQL_NULL)
        return value_null();
    if (related.kind != CQL_FHIR)
        return eval_fail(eval, ERR_EVALUATION, node, "what stands before -> is no resource");
    FhirNode about = value_node(related);
    Str id = fhir_text(fhir_child_named(about, S("id")), arena);
    if (about.type == FHIR_TYPE_Patient) {
        if (eval->has_record && str_eq(id, record_person_id(eval->record)))
            return list;
        return eval_fail(eval, ERR_EVALUATION, node,
                         "the record holds nothing of another person, Patient/%.*s", STR_ARG(id));
    }
    for (uint32_t i = 0; i < list.count && eval_charge(eval, node, 8); i++) {
        if (refers_to(value_node(value_items(list)[i]), about.type, id, arena, 0))
            VEC_PUSH(arena, &kept, value_items(list)[i]);
    }
    return value_from_vec(&kept);
}

static CqlValue keep_coded(CqlEval *eval, const CqlNode *node, CqlValue list, CqlValue value)
{
    const PlanRetrieveBy *by = node->detail;
    Codes codes = {.eval = eval};
    ConceptSet concepts = {.count = 0};
    ValueVec kept = {0};
    add_codes(&codes, value);
    if (eval->plan->dict != NULL)
        concepts =
            concept_set_of(eval->context.arena, eval->plan->dict, codes.ids.items, codes.ids.count);
    const Wanted wanted = {
        .concepts = &concepts, .texts = codes.texts.items, .text_count = codes.texts.count};
    for (uint32_t i = 0; i < list.count && eval_charge(eval, node, 1 + codes.texts.count / 16);
         i++) {
        FhirNode resource = value_node(value_items(list)[i]);
        if (path_has(&wanted, by->path, 0, resource))
            VEC_PUSH(eval->context.arena, &kept, value_items(list)[i]);
    }
    return value_from_vec(&kept);
}

CqlValue run_retrieve_by(CqlEval *eval, const CqlNode *node)
{
    const PlanRetrieveBy *by = node->detail;
    CqlValue list = run_retrieve(eval, node);
    if (by->related != NULL)
        list = keep_related(eval, node, list, eval_node(eval, by->related));
    if (by->codes != NULL && list.kind == CQL_LIST)
        list = keep_coded(eval, node, list, eval_node(eval, by->codes));
    return eval->failed ? value_null() : list;
}

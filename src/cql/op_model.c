/* Elements of a model's classes, read in the FHIR resource behind them; and profiles. */
#include "cql/operator.h"

#define OP(name)                                                                                   \
    CqlValue name(UNUSED CqlEval *eval, UNUSED const CqlNode *node, UNUSED const CqlValue *args)

/* The System value where there is one; what has none stays in the record. */
static CqlValue mapped(Arena *arena, FhirNode node)
{
    if (fhir_is_absent(node))
        return value_null();
    switch (node.type) {
    case FHIR_TYPE_Quantity:
    case FHIR_TYPE_Age:
    case FHIR_TYPE_Distance:
    case FHIR_TYPE_Duration:
    case FHIR_TYPE_Count:
    case FHIR_TYPE_Ratio:
    case FHIR_TYPE_Range:
    case FHIR_TYPE_Period:
    case FHIR_TYPE_Coding:
    case FHIR_TYPE_CodeableConcept:
        return value_of_fhir(arena, node);
    default:
        return fhir_type_is_primitive(node.type) ? value_of_fhir(arena, node) : value_fhir(node);
    }
}

OP(op_property_value)
{
    Arena *arena = eval->context.arena;
    if (args[0].kind != CQL_FHIR)
        return value_null();
    FhirNode child = fhir_child(value_node(args[0]), (uint8_t)node->index);
    if ((node->flags & NODE_LIST) == 0)
        return mapped(arena, fhir_kind(child) == FHIR_KIND_LIST ? fhir_first(child) : child);
    uint32_t count = fhir_count(child);
    CqlValue *items = ARENA_ARRAY(arena, CqlValue, count);
    FhirItems walk = fhir_items(child);
    FhirNode item;
    uint32_t at = 0;
    while (at < count && fhir_items_next(&walk, &item))
        items[at++] = walk.is_null ? value_null() : mapped(arena, item);
    return value_list(items, at);
}

OP(op_property_choice_value)
{
    if (args[0].kind != CQL_FHIR)
        return value_null();
    return mapped(eval->context.arena,
                  fhir_child_choice(value_node(args[0]), (uint8_t)node->index));
}

/* --- paths --- */

/* The element of that name, of a choice the one that is there. */
static FhirNode child_of(FhirNode object, Str name, uint8_t element)
{
    if (element == 0)
        element = fhir_element_by_name(object.type, name);
    if (element != 0)
        return fhir_child(object, element);
    for (uint8_t i = 1; i <= fhir_type_table[object.type].element_count; i++) {
        const FhirElementInfo *info = fhir_element_info((FhirType)object.type, i);
        if ((info->flags & FHIR_FLAG_CHOICE) != 0 && info->choice_stem == name.len &&
            memcmp(info->name, name.ptr, name.len) == 0)
            return fhir_child_choice(object, info->choice);
    }
    return FHIR_ABSENT;
}

static bool has_values(const PlanStep *step, FhirNode node)
{
    for (size_t i = 0; i < step->filter_count; i++) {
        if (!fhir_text_is(child_of(node, step->filter_names[i], 0), step->filter_values[i]))
            return false;
    }
    return true;
}

/* Whether one thing along the path of the filter has all the values. */
static bool passes(const PlanStep *step, FhirNode node, size_t at) /* NOLINT(misc-no-recursion) */
{
    if (at == step->filter_path_count)
        return has_values(step, node);
    FhirItems walk = fhir_items(child_of(node, step->filter_path[at], 0));
    FhirNode item;
    while (fhir_items_next(&walk, &item)) {
        if (!walk.is_null && passes(step, item, at + 1))
            return true;
    }
    return false;
}

typedef struct {
    CqlEval *eval;
    const PlanPath *path;
    ValueVec found;
} PathWalk;

static void walk_path(PathWalk *walk, FhirNode node, size_t at) /* NOLINT(misc-no-recursion) */
{
    const PlanPath *path = walk->path;
    /* The value of a primitive is itself. */
    while (at < path->step_count && fhir_type_is_primitive(node.type) &&
           str_eq(path->steps[at].name, S("value")))
        at++;
    if (at == path->step_count) {
        VEC_PUSH(walk->eval->context.arena, &walk->found, mapped(walk->eval->context.arena, node));
        return;
    }
    const PlanStep *step = &path->steps[at];
    FhirItems items = fhir_items(child_of(node, step->name, step->element));
    FhirNode item;
    while (fhir_items_next(&items, &item)) {
        if (!items.is_null && passes(step, item, 0))
            walk_path(walk, item, at + 1);
    }
}

static CqlValue value_set_value(CqlEval *eval, CqlValue url)
{
    if (url.kind != CQL_STRING)
        return value_null();
    CqlVocabularyBody *body = ARENA_NEW(eval->context.arena, CqlVocabularyBody);
    body->id = value_text(url);
    if (eval->plan->value_sets != NULL)
        body->set = value_sets_find(eval->plan->value_sets, body->id);
    if (body->set != NULL && eval->plan->dict != NULL)
        body->bound = value_set_bind(body->set, eval->plan->dict, eval->context.arena);
    return value_pointer(CQL_VALUE_SET, body);
}

/* detail: index many paths; the last that finds something counts (a value set in place of a
   concept is written beside an empty one). */
OP(op_property_path)
{
    const PlanPath *paths = node->detail;
    if (args[0].kind != CQL_FHIR)
        return value_null();
    for (uint32_t i = node->index; i-- > 0;) {
        PathWalk walk = {.eval = eval, .path = &paths[i]};
        walk_path(&walk, value_node(args[0]), 0);
        if ((node->flags & NODE_LIST) != 0)
            return value_from_vec(&walk.found);
        if (walk.found.count > 0)
            return paths[i].is_value_set ? value_set_value(eval, walk.found.items[0])
                                         : walk.found.items[0];
    }
    return value_null();
}

/* --- profiles --- */

bool profile_fits(const PlanProfile *profile, FhirNode resource)
{
    (void)profile;
    return !fhir_is_absent(resource);
}

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
        return made_property(node, args[0], false);
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

OP(op_fhir_or_value)
{
    (void)node;
    return args[0].kind == CQL_FHIR ? mapped(eval->context.arena, value_node(args[0])) : args[0];
}

OP(op_property_choice_value)
{
    if (args[0].kind != CQL_FHIR)
        return made_property(node, args[0], true);
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

/* Told of each place that a path leads to; true: enough. */
typedef bool (*FoundFn)(void *context, FhirNode node);

typedef struct {
    const PlanPath *path;
    FoundFn found;
    void *context;
} PathWalk;

static bool walk_path(const PathWalk *walk, FhirNode node,
                      size_t at) /* NOLINT(misc-no-recursion) */
{
    const PlanPath *path = walk->path;
    /* The value of a primitive is itself. */
    while (at < path->step_count && fhir_type_is_primitive(node.type) &&
           str_eq(path->steps[at].name, S("value")))
        at++;
    if (at == path->step_count)
        return walk->found(walk->context, node);
    const PlanStep *step = &path->steps[at];
    FhirItems items = fhir_items(child_of(node, step->name, step->element));
    FhirNode item;
    while (fhir_items_next(&items, &item)) {
        if (!items.is_null && passes(step, item, 0) && walk_path(walk, item, at + 1))
            return true;
    }
    return false;
}

typedef struct {
    CqlEval *eval;
    ValueVec values;
    bool is_list;
} Gathering;

static bool gather(void *context, FhirNode node)
{
    Gathering *gathering = context;
    Arena *arena = gathering->eval->context.arena;
    VEC_PUSH(arena, &gathering->values, mapped(arena, node));
    return !gathering->is_list;
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
        Gathering found = {.eval = eval, .is_list = (node->flags & NODE_LIST) != 0};
        PathWalk walk = {.path = &paths[i], .found = gather, .context = &found};
        (void)walk_path(&walk, value_node(args[0]), 0);
        if (found.is_list)
            return value_from_vec(&found.values);
        if (found.values.count > 0)
            return paths[i].is_value_set ? value_set_value(eval, found.values.items[0])
                                         : found.values.items[0];
    }
    return value_null();
}

/* --- profiles --- */

static bool is_text(void *context, FhirNode node)
{
    const Str *wanted = context;
    bool truth;
    if (fhir_boolean(node, &truth))
        return str_eq(*wanted, truth ? S("true") : S("false"));
    return fhir_text_is(node, *wanted);
}

static bool has_concept(void *context, FhirNode node)
{
    const ConceptSet *concepts = context;
    ConceptId ids[16];
    size_t count = fhir_concepts(node, ids, COUNT_OF(ids));
    for (size_t i = 0; i < count && i < COUNT_OF(ids); i++) {
        if (concept_set_has(concepts, ids[i]))
            return true;
    }
    return false;
}

static bool is_no_patient(void *context, FhirNode node)
{
    uint16_t type = FHIR_TYPE_NONE;
    Str id;
    return fhir_reference(node, context, &type, &id) && type != FHIR_TYPE_Patient;
}

static bool is_there(void *context, FhirNode node)
{
    (void)context;
    return !fhir_is_absent(node);
}

static bool demand_holds(const PlanDemand *demand, FhirNode resource, Arena *arena)
{
    Str value = demand->value;
    ConceptSet concepts = demand->concepts;
    PathWalk walk = {.path = &demand->path, .found = is_text, .context = &value};
    if (demand->kind == DEMAND_HAS || demand->kind == DEMAND_IF_ANY) {
        walk.found = has_concept;
        walk.context = &concepts;
    } else if (demand->kind == DEMAND_NO_PATIENT) {
        walk.found = is_no_patient;
        walk.context = arena;
    }
    bool is_found = walk_path(&walk, resource, 0);
    if (demand->kind != DEMAND_IF_ANY || is_found)
        return is_found != (demand->kind == DEMAND_NOT);
    walk.found = is_there;
    return !walk_path(&walk, resource, 0);
}

/* Without the version behind a bar. */
static bool is_among(Str claim, const Str *profiles, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = profiles[i].len;
        if (str_starts_with(claim, profiles[i]) && (claim.len == len || claim.ptr[len] == '|'))
            return true;
    }
    return false;
}

bool profile_fits(const PlanProfile *profile, FhirNode resource, Arena *arena)
{
    bool claims_other = false;
    FhirItems walk =
        fhir_items(fhir_child_named(fhir_child_named(resource, S("meta")), S("profile")));
    FhirNode claim;
    if (fhir_is_absent(resource))
        return false;
    while (fhir_items_next(&walk, &claim)) {
        Str text = walk.is_null ? S("") : fhir_text(claim, arena);
        if (is_among(text, profile->accepted, profile->accepted_count))
            return true;
        claims_other |= is_among(text, profile->others, profile->other_count) ||
                        (profile->guide.len > 0 && str_starts_with(text, profile->guide));
    }
    for (size_t i = 0; i < profile->demand_count && !claims_other; i++)
        claims_other = !demand_holds(&profile->demands[i], resource, arena);
    return !claims_other;
}

bool not_done_fits(const PlanNotDone *not_done, FhirNode resource)
{
    Str url = not_done->url;
    PathWalk walk = {.path = not_done->path, .found = is_text, .context = &url};
    return !fhir_is_absent(resource) && walk_path(&walk, resource, 0);
}

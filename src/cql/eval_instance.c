/* Instances made element by element: Quantity { value: 5, unit: 'mg' }, FHIR.Coding { … }. */
#include "cql/plan_int.h"

typedef struct {
    const Str *names;
    const CqlValue *values;
    uint32_t count;
} Elements;

static CqlValue find(const Elements *elements, Str name)
{
    for (uint32_t i = 0; i < elements->count; i++) {
        if (str_eq(elements->names[i], name))
            return elements->values[i];
    }
    return value_null();
}

static Str text_of(const Elements *elements, Str name, bool *ret_has)
{
    CqlValue value = find(elements, name);
    *ret_has = value.kind == CQL_STRING;
    return *ret_has ? value_text(value) : S("");
}

static CqlValue make_quantity(Arena *arena, const Elements *elements)
{
    bool has_unit;
    CqlValue value = find(elements, S("value"));
    Str unit = text_of(elements, S("unit"), &has_unit);
    if (value.kind != CQL_DECIMAL)
        return value_null();
    return value_make_quantity(arena, value_decimal_units(value), has_unit ? unit : S("1"), false);
}

static CqlValue make_code(Arena *arena, const Elements *elements)
{
    CqlCodeBody code;
    code.code = text_of(elements, S("code"), &code.has_code);
    code.system = text_of(elements, S("system"), &code.has_system);
    code.version = text_of(elements, S("version"), &code.has_version);
    code.display = text_of(elements, S("display"), &code.has_display);
    return value_pointer(CQL_CODE, arena_copy(arena, &code, sizeof(code)));
}

static CqlValue make_concept(Arena *arena, const Elements *elements)
{
    CqlConceptBody *concept = ARENA_NEW(arena, CqlConceptBody);
    CqlValue list = find(elements, S("codes"));
    uint32_t count = list.kind == CQL_LIST ? list.count : 0;
    CqlCodeBody *codes = ARENA_ARRAY(arena, CqlCodeBody, count);
    for (uint32_t i = 0; i < count; i++) {
        if (value_items(list)[i].kind == CQL_CODE)
            codes[concept->count++] = *(const CqlCodeBody *)value_items(list)[i].ptr;
    }
    concept->codes = codes;
    concept->display = text_of(elements, S("display"), &concept->has_display);
    return value_pointer(CQL_CONCEPT, concept);
}

static CqlValue make_ratio(Arena *arena, const Elements *elements)
{
    CqlValue numerator = find(elements, S("numerator"));
    CqlValue denominator = find(elements, S("denominator"));
    if (numerator.kind != CQL_QUANTITY || denominator.kind != CQL_QUANTITY)
        return value_null();
    CqlRatioBody *ratio = ARENA_NEW(arena, CqlRatioBody);
    ratio->numerator = *value_quantity(numerator);
    ratio->denominator = *value_quantity(denominator);
    return value_pointer(CQL_RATIO, ratio);
}

static CqlValue make_vocabulary(const CqlEval *eval, const Elements *elements, CqlKind kind)
{
    bool has;
    CqlVocabularyBody *body = ARENA_NEW(eval->context.arena, CqlVocabularyBody);
    body->id = text_of(elements, S("id"), &has);
    body->version = text_of(elements, S("version"), &has);
    body->name = text_of(elements, S("name"), &has);
    if (kind == CQL_VALUE_SET && eval->plan->value_sets != NULL)
        body->set = value_sets_find(eval->plan->value_sets, body->id);
    if (body->set != NULL && eval->plan->dict != NULL)
        body->bound = value_set_bind(body->set, eval->plan->dict, eval->context.arena);
    return value_pointer(kind, body);
}

/* Primitives of the record become System values, as those that are written are. */
static CqlValue plain_primitive(Arena *arena, CqlValue value)
{
    if (value.kind == CQL_FHIR && fhir_type_is_primitive(value.aux))
        return value_of_fhir(arena, value_node(value));
    if (value.kind != CQL_LIST)
        return value;
    CqlValue *items = ARENA_ARRAY(arena, CqlValue, value.count);
    for (uint32_t i = 0; i < value.count; i++)
        items[i] = value_items(value)[i].kind == CQL_LIST
                       ? value_items(value)[i]
                       : plain_primitive(arena, value_items(value)[i]);
    return value_list(items, value.count);
}

/* A primitive is its value. */
static CqlValue make_instance(Arena *arena, const CqlNode *node, CqlValue *values)
{
    for (uint32_t i = 0; i < node->count; i++)
        values[i] = plain_primitive(arena, values[i]);
    if (fhir_type_is_primitive(node->type->fhir))
        return node->count > 0 ? values[0] : value_null();
    CqlInstanceBody *body = ARENA_NEW(arena, CqlInstanceBody);
    *body = (CqlInstanceBody){
        .type = node->type, .names = node->detail, .values = values, .count = node->count};
    return value_pointer(CQL_INSTANCE, body);
}

CqlValue run_instance(CqlEval *eval, const CqlNode *node)
{
    Arena *arena = eval->context.arena;
    CqlValue *values = ARENA_ARRAY(arena, CqlValue, node->count);
    for (uint32_t i = 0; i < node->count; i++)
        values[i] = eval_node(eval, node->args[i]);
    if (eval->failed)
        return value_null();
    if (node->type->kind == TYPE_FHIR || node->type->kind == TYPE_CLASS)
        return make_instance(arena, node, values);
    Elements elements = {.names = node->detail, .values = values, .count = node->count};
    switch (node->type->kind) {
    case TYPE_QUANTITY:
        return make_quantity(arena, &elements);
    case TYPE_CODE:
        return make_code(arena, &elements);
    case TYPE_CONCEPT:
        return make_concept(arena, &elements);
    case TYPE_RATIO:
        return make_ratio(arena, &elements);
    case TYPE_VALUE_SET:
        return make_vocabulary(eval, &elements, CQL_VALUE_SET);
    default:
        return make_vocabulary(eval, &elements, CQL_CODE_SYSTEM);
    }
}

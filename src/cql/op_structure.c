/* Children and Descendents: what stands directly, or at any depth, within a structured value. */
#include "cql/operator.h"

#define OP(name)                                                                                   \
    CqlValue name(UNUSED CqlEval *eval, UNUSED const CqlNode *node, UNUSED const CqlValue *args)

typedef struct {
    CqlEval *eval;
    const CqlNode *node;
    ValueVec items;
} Gathering;

/* False once the list is as long as a list may be, or the steps are used up. */
static bool gather_one(Gathering *gathering, CqlValue value)
{
    if (value.kind == CQL_NULL)
        return true;
    if (gathering->items.count >= PLAN_LIST_MAX) {
        (void)eval_fail(gathering->eval, ERR_LIMIT, gathering->node, "a list grows beyond %d items",
                        PLAN_LIST_MAX);
        return false;
    }
    VEC_PUSH(gathering->eval->context.arena, &gathering->items, value);
    return eval_charge(gathering->eval, gathering->node, 1);
}

/* An element: a list is laid out. */
static bool gather(Gathering *gathering, CqlValue value)
{
    if (value.kind != CQL_LIST)
        return gather_one(gathering, value);
    for (uint32_t i = 0; i < value.count; i++) {
        if (!gather_one(gathering, value_items(value)[i]))
            return false;
    }
    return true;
}

static bool gather_text(Gathering *gathering, Str text, bool has)
{
    return !has || gather_one(gathering, value_string(text));
}

static bool gather_code(Gathering *gathering, const CqlCodeBody *code)
{
    return gather_text(gathering, code->code, code->has_code) &&
           gather_text(gathering, code->display, code->has_display) &&
           gather_text(gathering, code->system, code->has_system) &&
           gather_text(gathering, code->version, code->has_version);
}

static bool gather_concept(Gathering *gathering, const CqlConceptBody *concept)
{
    for (size_t i = 0; i < concept->count; i++) {
        if (!gather_one(gathering, value_pointer(CQL_CODE, &concept->codes[i])))
            return false;
    }
    return gather_text(gathering, concept->display, concept->has_display);
}

static bool gather_tuple(Gathering *gathering, const CqlTupleBody *tuple)
{
    for (size_t i = 0; i < tuple->type->count; i++) {
        if (!gather(gathering, tuple->values[i]))
            return false;
    }
    return true;
}

static bool gather_elements(Gathering *gathering, FhirNode object)
{
    if (fhir_kind(object) != FHIR_KIND_OBJECT)
        return true;
    FhirElements elements = fhir_elements(object);
    uint8_t element;
    FhirNode value;
    while (fhir_elements_next(&elements, &element, &value)) {
        FhirItems items = fhir_items(value);
        FhirNode item;
        while (fhir_items_next(&items, &item)) {
            if (!fhir_is_absent(item) && !gather_one(gathering, value_fhir(item)))
                return false;
        }
    }
    return true;
}

static bool gather_children(Gathering *gathering, CqlValue value)
{
    const CqlRatioBody *ratio = value.ptr;
    const CqlQuantityBody *quantity = value.ptr;
    switch (value.kind) {
    case CQL_TUPLE:
        return gather_tuple(gathering, value.ptr);
    case CQL_QUANTITY:
        return gather_one(gathering,
                          value_decimal(gathering->eval->context.arena, quantity->value)) &&
               gather_one(gathering, value_string(quantity->unit));
    case CQL_RATIO:
        return gather_one(gathering, value_pointer(CQL_QUANTITY, &ratio->numerator)) &&
               gather_one(gathering, value_pointer(CQL_QUANTITY, &ratio->denominator));
    case CQL_CODE:
        return gather_code(gathering, value.ptr);
    case CQL_CONCEPT:
        return gather_concept(gathering, value.ptr);
    case CQL_FHIR:
        return gather_elements(gathering, value_node(value));
    default:
        return true;
    }
}

static bool gather_all_children(Gathering *gathering, CqlValue value)
{
    if (value.kind != CQL_LIST)
        return gather_children(gathering, value);
    for (uint32_t i = 0; i < value.count; i++) {
        if (!gather_children(gathering, value_items(value)[i]))
            return false;
    }
    return true;
}

OP(op_children)
{
    Gathering gathering = {.eval = eval, .node = node};
    return gather_all_children(&gathering, args[0]) ? value_from_vec(&gathering.items)
                                                    : value_null();
}

/* Level by level: the children of what was found so far, until nothing new is. */
OP(op_descendents)
{
    Gathering gathering = {.eval = eval, .node = node};
    if (!gather_all_children(&gathering, args[0]))
        return value_null();
    for (size_t i = 0; i < gathering.items.count; i++) {
        if (!gather_all_children(&gathering, gathering.items.items[i]))
            return value_null();
    }
    return value_from_vec(&gathering.items);
}

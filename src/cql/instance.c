/*
 * Values of FHIR types and of models' classes that a library makes itself:
 * FHIR.Quantity { value: 5, unit: 'mg' }. Primitives among their elements are System values.
 */
#include "cql/plan_int.h"

CqlValue instance_element(const CqlInstanceBody *instance, Str name)
{
    for (size_t i = 0; i < instance->count; i++) {
        if (str_eq(instance->names[i], name))
            return instance->values[i];
    }
    return value_null();
}

/* --- relations: an element that was not given is null --- */

static bool same_type(const CqlInstanceBody *a, const CqlInstanceBody *b)
{
    return a->type->fhir == b->type->fhir;
}

/* Whether `a` has no element with a value that `b` has not. */
static bool is_covered(const CqlInstanceBody *a, const CqlInstanceBody *b)
{
    for (size_t i = 0; i < a->count; i++) {
        if (a->values[i].kind != CQL_NULL && instance_element(b, a->names[i]).kind == CQL_NULL)
            return false;
    }
    return true;
}

Tri instance_equal(const ValueContext *context, const CqlInstanceBody *a, const CqlInstanceBody *b)
{
    Tri result = TRI_TRUE;
    if (!same_type(a, b))
        return TRI_FALSE;
    for (size_t i = 0; i < a->count && result != TRI_FALSE; i++) {
        CqlValue other = instance_element(b, a->names[i]);
        if (a->values[i].kind != CQL_NULL && other.kind != CQL_NULL)
            result = tri_and(result, value_equal(context, a->values[i], other));
    }
    bool is_whole = is_covered(a, b) && is_covered(b, a);
    return is_whole ? result : tri_and(result, TRI_NULL);
}

bool instance_equivalent(const ValueContext *context, const CqlInstanceBody *a,
                         const CqlInstanceBody *b)
{
    if (!same_type(a, b) || !is_covered(a, b) || !is_covered(b, a))
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (!value_equivalent(context, a->values[i], instance_element(b, a->names[i])))
            return false;
    }
    return true;
}

/* --- as System values --- */

static Str text_of(const CqlInstanceBody *instance, Str name, bool *ret_has)
{
    CqlValue value = instance_element(instance, name);
    *ret_has = value.kind == CQL_STRING;
    return *ret_has ? value_text(value) : S("");
}

static CqlValue quantity_of(Arena *arena, const CqlInstanceBody *instance)
{
    bool has_unit;
    CqlValue value = instance_element(instance, S("value"));
    Str unit = text_of(instance, S("code"), &has_unit);
    if (!has_unit)
        unit = text_of(instance, S("unit"), &has_unit);
    if (value.kind != CQL_DECIMAL)
        return value_null();
    return value_make_quantity(arena, value_decimal_units(value), has_unit ? unit : S("1"), false);
}

static CqlCodeBody code_of(const CqlInstanceBody *instance)
{
    CqlCodeBody code;
    code.code = text_of(instance, S("code"), &code.has_code);
    code.system = text_of(instance, S("system"), &code.has_system);
    code.version = text_of(instance, S("version"), &code.has_version);
    code.display = text_of(instance, S("display"), &code.has_display);
    return code;
}

static CqlValue concept_of(Arena *arena, const CqlInstanceBody *instance)
{
    CqlConceptBody *concept = ARENA_NEW(arena, CqlConceptBody);
    CqlValue list = instance_element(instance, S("coding"));
    uint32_t count = list.kind == CQL_LIST ? list.count : 0;
    CqlCodeBody *codes = ARENA_ARRAY(arena, CqlCodeBody, count);
    for (uint32_t i = 0; i < count; i++) {
        CqlValue item = value_items(list)[i];
        if (item.kind == CQL_FHIR)
            item = value_of_fhir(arena, value_node(item));
        if (item.kind == CQL_INSTANCE)
            codes[concept->count++] = code_of(item.ptr);
        else if (item.kind == CQL_CODE)
            codes[concept->count++] = *(const CqlCodeBody *)item.ptr;
    }
    concept->codes = codes;
    concept->display = text_of(instance, S("text"), &concept->has_display);
    return value_pointer(CQL_CONCEPT, concept);
}

static CqlValue as_quantity(Arena *arena, CqlValue value)
{
    if (value.kind == CQL_FHIR)
        return value_of_fhir(arena, value_node(value));
    return value.kind == CQL_INSTANCE ? instance_value(arena, value.ptr) : value;
}

static const CqlType point_of_period = {.kind = TYPE_DATETIME, .text = STR_INIT("System.DateTime")};
static const CqlType point_of_range = {.kind = TYPE_QUANTITY, .text = STR_INIT("System.Quantity")};

/* As FHIRHelpers has it: a Period without a start begins at an unknown moment. */
static CqlValue interval_of(Arena *arena, const CqlInstanceBody *instance, bool is_period)
{
    CqlIntervalBody interval = {.low_closed = true, .high_closed = true};
    if (is_period) {
        interval.low = instance_element(instance, S("start"));
        interval.high = instance_element(instance, S("end"));
        interval.low_closed = interval.low.kind != CQL_NULL;
        interval.point = &point_of_period;
    } else {
        interval.low = as_quantity(arena, instance_element(instance, S("low")));
        interval.high = as_quantity(arena, instance_element(instance, S("high")));
        interval.point = &point_of_range;
    }
    return value_make_interval(arena, &interval);
}

static CqlValue ratio_of(Arena *arena, const CqlInstanceBody *instance)
{
    CqlValue numerator = as_quantity(arena, instance_element(instance, S("numerator")));
    CqlValue denominator = as_quantity(arena, instance_element(instance, S("denominator")));
    if (numerator.kind != CQL_QUANTITY || denominator.kind != CQL_QUANTITY)
        return value_null();
    CqlRatioBody *ratio = ARENA_NEW(arena, CqlRatioBody);
    ratio->numerator = *value_quantity(numerator);
    ratio->denominator = *value_quantity(denominator);
    return value_pointer(CQL_RATIO, ratio);
}

CqlValue instance_value(Arena *arena,
                        const CqlInstanceBody *instance) /* NOLINT(misc-no-recursion) */
{
    CqlCodeBody code;
    switch (instance->type->fhir) {
    case FHIR_TYPE_Quantity:
    case FHIR_TYPE_Age:
    case FHIR_TYPE_Distance:
    case FHIR_TYPE_Duration:
    case FHIR_TYPE_Count:
        return quantity_of(arena, instance);
    case FHIR_TYPE_Coding:
        code = code_of(instance);
        return value_pointer(CQL_CODE, arena_copy(arena, &code, sizeof(code)));
    case FHIR_TYPE_CodeableConcept:
        return concept_of(arena, instance);
    case FHIR_TYPE_Period:
        return interval_of(arena, instance, true);
    case FHIR_TYPE_Range:
        return interval_of(arena, instance, false);
    case FHIR_TYPE_Ratio:
        return ratio_of(arena, instance);
    default:
        return value_null();
    }
}

bool instance_make_plain(Arena *arena, CqlValue *a, CqlValue *b)
{
    CqlValue *both[2] = {a, b};
    bool has_changed = false;
    if (a->kind != CQL_INSTANCE && b->kind != CQL_INSTANCE)
        return false;
    for (size_t i = 0; i < 2; i++) {
        CqlValue plain = *both[i];
        if (plain.kind == CQL_INSTANCE)
            plain = instance_value(arena, plain.ptr);
        else if (plain.kind == CQL_FHIR)
            plain = value_of_fhir(arena, value_node(plain));
        if (plain.kind == CQL_NULL)
            continue;
        has_changed |= plain.kind != both[i]->kind;
        *both[i] = plain;
    }
    return has_changed;
}

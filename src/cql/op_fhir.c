/*
 * What touches the record: elements, what FHIRHelpers makes of them, and codes in vocabularies.
 */
#include "cql/operator.h"

#define OP(name)                                                                                   \
    CqlValue name(UNUSED CqlEval *eval, UNUSED const CqlNode *node, UNUSED const CqlValue *args)

/* --- elements --- */

/* A list node becomes a CQL list; anything else itself. */
static CqlValue wrap(CqlEval *eval, FhirNode child, bool is_list)
{
    if (!is_list)
        return value_fhir(fhir_kind(child) == FHIR_KIND_LIST ? fhir_first(child) : child);
    uint32_t count = fhir_count(child);
    CqlValue *items = ARENA_ARRAY(eval->context.arena, CqlValue, count);
    FhirItems walk = fhir_items(child);
    FhirNode item;
    uint32_t at = 0;
    while (at < count && fhir_items_next(&walk, &item))
        items[at++] = walk.is_null ? value_null() : value_fhir(item);
    return value_list(items, at);
}

/* The name that an element has in CQL: of a choice its stem. */
static Str element_name(uint16_t type, uint8_t element)
{
    const FhirElementInfo *info = fhir_element_info((FhirType)type, element);
    Str name = str_from_c(info->name);
    return (info->flags & FHIR_FLAG_CHOICE) != 0 ? str_slice(name, 0, info->choice_stem) : name;
}

CqlValue made_property(const CqlNode *node, CqlValue object, bool is_choice)
{
    if (object.kind != CQL_INSTANCE)
        return value_null();
    const CqlInstanceBody *instance = object.ptr;
    uint16_t type = instance->type->fhir;
    uint8_t count = fhir_type_table[type].element_count;
    for (uint8_t i = 1; i <= count; i++) {
        uint32_t number = is_choice ? fhir_element_info((FhirType)type, i)->choice : i;
        if (number == node->index)
            return instance_element(instance, element_name(type, i));
    }
    return value_null();
}

OP(op_property)
{
    if (UNLIKELY(args[0].kind != CQL_FHIR))
        return made_property(node, args[0], false);
    FhirNode child = fhir_child(value_node(args[0]), (uint8_t)node->index);
    return wrap(eval, child, (node->flags & NODE_LIST) != 0);
}

OP(op_property_choice)
{
    if (UNLIKELY(args[0].kind != CQL_FHIR))
        return made_property(node, args[0], true);
    return value_fhir(fhir_child_choice(value_node(args[0]), (uint8_t)node->index));
}

/* The element of a choice by its stem: `effective` of effectiveDateTime, effectivePeriod … */
static CqlValue choice_named(FhirNode object, Str name)
{
    for (uint8_t i = 1; i <= fhir_type_table[object.type].element_count; i++) {
        const FhirElementInfo *info = fhir_element_info((FhirType)object.type, i);
        if ((info->flags & FHIR_FLAG_CHOICE) != 0 && info->choice_stem == name.len &&
            memcmp(info->name, name.ptr, name.len) == 0) {
            FhirNode child = fhir_child_choice(object, info->choice);
            return fhir_is_absent(child) ? value_null() : value_fhir(child);
        }
    }
    return value_null();
}

/* By name, where the type is only known now: of a choice. detail: the name. */
OP(op_property_named)
{
    const Str *name = node->detail;
    if (args[0].kind == CQL_TUPLE || args[0].kind == CQL_INSTANCE)
        return cql_value_element(args[0], *name);
    if (args[0].kind != CQL_FHIR)
        return args[0].kind == CQL_NULL ? args[0] : op_property_system(eval, node, args);
    FhirNode object = value_node(args[0]);
    if (fhir_type_is_primitive(object.type) && str_eq(*name, S("value")))
        return value_of_fhir(eval->context.arena, object);
    uint8_t element = fhir_element_by_name(object.type, *name);
    if (element == 0)
        return choice_named(object, *name);
    const FhirElementInfo *info = fhir_element_info((FhirType)object.type, element);
    return wrap(eval, fhir_child(object, element), (info->flags & FHIR_FLAG_LIST) != 0);
}

/* A path over a list: the elements of all its items, lists laid end to end. args[0] is the list;
   detail the node that does one item, which is in the slot. */
OP(op_property_list)
{
    const CqlNode *one = node->detail;
    ValueVec items = {0};
    if (args[0].kind != CQL_LIST)
        return value_null();
    for (uint32_t i = 0; i < args[0].count; i++) {
        eval->frame[node->index] = value_items(args[0])[i];
        CqlValue value = eval_node(eval, one);
        if (value.kind == CQL_LIST) {
            for (uint32_t j = 0; j < value.count; j++)
                VEC_PUSH(eval->context.arena, &items, value_items(value)[j]);
        } else if (value.kind != CQL_NULL) {
            VEC_PUSH(eval->context.arena, &items, value);
        }
    }
    return value_from_vec(&items);
}

OP(op_property_tuple)
{
    const CqlTupleBody *tuple = args[0].ptr;
    if (args[0].kind != CQL_TUPLE || node->index >= tuple->type->count)
        return value_null();
    return tuple->values[node->index];
}

static CqlValue text_or_null(Str text, bool has)
{
    return has ? value_string(text) : value_null();
}

static CqlValue code_property(const CqlCodeBody *code, Str name)
{
    if (str_eq(name, S("code")))
        return text_or_null(code->code, code->has_code);
    if (str_eq(name, S("system")))
        return text_or_null(code->system, code->has_system);
    if (str_eq(name, S("version")))
        return text_or_null(code->version, code->has_version);
    return text_or_null(code->display, code->has_display);
}

static CqlValue concept_property(CqlEval *eval, const CqlConceptBody *concept, Str name)
{
    if (str_eq(name, S("display")))
        return text_or_null(concept->display, concept->has_display);
    CqlValue *codes = ARENA_ARRAY(eval->context.arena, CqlValue, concept->count);
    for (size_t i = 0; i < concept->count; i++)
        codes[i] = value_pointer(CQL_CODE, &concept->codes[i]);
    return value_list(codes, concept->count);
}

static CqlValue interval_property(const CqlIntervalBody *interval, Str name)
{
    if (str_eq(name, S("low")))
        return interval->low;
    if (str_eq(name, S("high")))
        return interval->high;
    return value_boolean(str_eq(name, S("lowClosed")) ? interval->low_closed
                                                      : interval->high_closed);
}

/* An element of a structured System type. detail: the name. */
OP(op_property_system)
{
    Str name = *(const Str *)node->detail;
    const CqlRatioBody *ratio = args[0].ptr;
    const CqlQuantityBody *quantity = args[0].ptr;
    const CqlVocabularyBody *vocabulary = args[0].ptr;
    switch (args[0].kind) {
    case CQL_QUANTITY:
        return str_eq(name, S("value")) ? value_decimal(eval->context.arena, quantity->value)
                                        : value_string(quantity->unit);
    case CQL_RATIO:
        return value_pointer(CQL_QUANTITY, str_eq(name, S("numerator")) ? &ratio->numerator
                                                                        : &ratio->denominator);
    case CQL_CODE:
        return code_property(args[0].ptr, name);
    case CQL_CONCEPT:
        return concept_property(eval, args[0].ptr, name);
    case CQL_INTERVAL:
        return interval_property(args[0].ptr, name);
    case CQL_VALUE_SET:
    case CQL_CODE_SYSTEM:
        if (str_eq(name, S("id")))
            return value_string(vocabulary->id);
        return text_or_null(str_eq(name, S("version")) ? vocabulary->version : vocabulary->name,
                            true);
    default:
        return value_null();
    }
}

/* --- FHIRHelpers --- */

static CqlValue primitive_value(Arena *arena, FhirNode node)
{
    bool truth;
    int64_t integer;
    Decimal decimal;
    Moment moment;
    switch (fhir_kind(node)) {
    case FHIR_KIND_BOOLEAN:
        return fhir_boolean(node, &truth) ? value_boolean(truth) : value_null();
    case FHIR_KIND_INTEGER:
        return fhir_integer(node, &integer) ? value_integer(integer) : value_null();
    case FHIR_KIND_DECIMAL:
        return fhir_decimal(node, &decimal) ? value_decimal(arena, decimal) : value_null();
    case FHIR_KIND_MOMENT:
        if (!fhir_moment(node, &moment))
            return value_null();
        /* In FHIR the fraction is a part of the seconds, and none is none: 08:00:00 is
           08:00:00.000, which CQL would otherwise take for less precise. */
        if (moment.precision == PRECISION_SECOND) {
            moment.precision = PRECISION_MILLISECOND;
            moment.millisecond = 0;
        }
        return value_moment(node.type == FHIR_TYPE_date   ? CQL_DATE
                            : node.type == FHIR_TYPE_time ? CQL_TIME
                                                          : CQL_DATETIME,
                            moment);
    case FHIR_KIND_TEXT:
        return value_string(fhir_text(node, arena));
    default:
        return value_null();
    }
}

/* As FHIRHelpers.ToQuantity: units of time are calendar durations, by their UCUM code or by name.
   A value with a comparator (<5) is no quantity: null, where FHIRHelpers would stop the person. */
static CqlValue quantity_value(Arena *arena, FhirNode node)
{
    Decimal value;
    if (!fhir_decimal(fhir_child(node, FHIR_ELEM_Quantity_value), &value) ||
        !fhir_is_absent(fhir_child(node, FHIR_ELEM_Quantity_comparator)))
        return value_null();
    Str unit = fhir_text(fhir_child(node, FHIR_ELEM_Quantity_code), arena);
    if (unit.len == 0)
        unit = fhir_text(fhir_child(node, FHIR_ELEM_Quantity_unit), arena);
    uint8_t precision = quantity_precision(unit);
    if (precision != 0)
        return value_make_quantity(arena, value, calendar_unit(precision), true);
    return value_make_quantity(arena, value, unit.len == 0 ? S("1") : unit, false);
}

static CqlCodeBody code_body(Arena *arena, FhirNode coding)
{
    CqlCodeBody code = {
        .system = fhir_text(fhir_child(coding, FHIR_ELEM_Coding_system), arena),
        .code = fhir_text(fhir_child(coding, FHIR_ELEM_Coding_code), arena),
        .version = fhir_text(fhir_child(coding, FHIR_ELEM_Coding_version), arena),
        .display = fhir_text(fhir_child(coding, FHIR_ELEM_Coding_display), arena),
    };
    code.has_system = code.system.len > 0;
    code.has_code = code.code.len > 0;
    code.has_version = code.version.len > 0;
    code.has_display = code.display.len > 0;
    return code;
}

static CqlValue concept_value(Arena *arena, FhirNode node)
{
    FhirNode codings = fhir_child(node, FHIR_ELEM_CodeableConcept_coding);
    uint32_t count = fhir_count(codings);
    CqlCodeBody *codes = ARENA_ARRAY(arena, CqlCodeBody, count);
    CqlConceptBody *concept = ARENA_NEW(arena, CqlConceptBody);
    FhirItems walk = fhir_items(codings);
    FhirNode coding;
    while (concept->count < count && fhir_items_next(&walk, &coding))
        codes[concept->count++] = code_body(arena, coding);
    concept->codes = codes;
    concept->display = fhir_text(fhir_child(node, FHIR_ELEM_CodeableConcept_text), arena);
    concept->has_display = concept->display.len > 0;
    return value_pointer(CQL_CONCEPT, concept);
}

static const CqlType interval_point_datetime = {.kind = TYPE_DATETIME,
                                                .text = STR_INIT("System.DateTime")};
static const CqlType interval_point_quantity = {.kind = TYPE_QUANTITY,
                                                .text = STR_INIT("System.Quantity")};

/* A Period without a start begins at an unknown moment (an open null), one without an end goes on
   without end (a closed null), as FHIRHelpers has it. One that is turned round is no interval. */
static CqlValue period_value(Arena *arena, FhirNode node)
{
    CqlIntervalBody interval = {
        .low = primitive_value(arena, fhir_child(node, FHIR_ELEM_Period_start)),
        .high = primitive_value(arena, fhir_child(node, FHIR_ELEM_Period_end)),
        .high_closed = true,
        .point = &interval_point_datetime};
    interval.low_closed = interval.low.kind != CQL_NULL;
    const ValueContext context = {.arena = arena};
    if (interval.low_closed && interval.high.kind != CQL_NULL &&
        value_order(&context, interval.low, interval.high, 0) == ORDER_GREATER)
        return value_null();
    return value_make_interval(arena, &interval);
}

static CqlValue range_value(Arena *arena, FhirNode node)
{
    CqlIntervalBody interval = {.low = quantity_value(arena, fhir_child(node, FHIR_ELEM_Range_low)),
                                .high =
                                    quantity_value(arena, fhir_child(node, FHIR_ELEM_Range_high)),
                                .high_closed = true,
                                .low_closed = true,
                                .point = &interval_point_quantity};
    return value_make_interval(arena, &interval);
}

static CqlValue ratio_value(Arena *arena, FhirNode node)
{
    CqlValue numerator = quantity_value(arena, fhir_child(node, FHIR_ELEM_Ratio_numerator));
    CqlValue denominator = quantity_value(arena, fhir_child(node, FHIR_ELEM_Ratio_denominator));
    if (numerator.kind == CQL_NULL || denominator.kind == CQL_NULL)
        return value_null();
    CqlRatioBody *ratio = ARENA_NEW(arena, CqlRatioBody);
    ratio->numerator = *value_quantity(numerator);
    ratio->denominator = *value_quantity(denominator);
    return value_pointer(CQL_RATIO, ratio);
}

CqlValue value_of_fhir(Arena *arena, FhirNode node)
{
    switch (node.type) {
    case FHIR_TYPE_Quantity:
    case FHIR_TYPE_Age:
    case FHIR_TYPE_Distance:
    case FHIR_TYPE_Duration:
    case FHIR_TYPE_Count:
        return quantity_value(arena, node);
    case FHIR_TYPE_Ratio:
        return ratio_value(arena, node);
    case FHIR_TYPE_Range:
        return range_value(arena, node);
    case FHIR_TYPE_Period:
        return period_value(arena, node);
    case FHIR_TYPE_Coding: {
        CqlCodeBody code = code_body(arena, node);
        return value_pointer(CQL_CODE, arena_copy(arena, &code, sizeof(code)));
    }
    case FHIR_TYPE_CodeableConcept:
        return concept_value(arena, node);
    default:
        return primitive_value(arena, node);
    }
}

/* What is made, not found, as a System value. */
static CqlValue made_value(CqlEval *eval, CqlValue value)
{
    return value.kind == CQL_INSTANCE ? instance_value(eval->context.arena, value.ptr) : value;
}

OP(op_fhir_value)
{
    if (args[0].kind != CQL_FHIR)
        return made_value(eval, args[0]);
    return value_of_fhir(eval->context.arena, value_node(args[0]));
}

OP(op_fhir_text_equal)
{
    if (args[0].kind != CQL_FHIR)
        return value_tri(value_equal(&eval->context, args[0], args[1]));
    return value_boolean(fhir_text_is(value_node(args[0]), value_text(args[1])));
}

/* --- codes --- */

/* The plan's id of a code, where records can hold it. */
static ConceptId concept_of(const CqlEval *eval, const CqlCodeBody *code)
{
    if (eval->plan->dict == NULL)
        return CONCEPT_NONE;
    return concept_dict_find(eval->plan->dict, code->system, code->code);
}

enum { CODINGS_MAX = 64 };

static bool node_has_code(const CqlEval *eval, FhirNode node, const CqlCodeBody *code)
{
    ConceptId wanted = concept_of(eval, code);
    if (wanted == CONCEPT_NONE)
        return false;
    ConceptId ids[CODINGS_MAX];
    size_t count = fhir_concepts(node, ids, CODINGS_MAX);
    for (size_t i = 0; i < count && i < CODINGS_MAX; i++) {
        if (ids[i] == wanted)
            return true;
    }
    return false;
}

/* A Coding or CodeableConcept that was made against a Code or Concept. */
static bool made_is_equivalent(CqlEval *eval, const CqlValue *args)
{
    CqlValue both[2] = {made_value(eval, args[0]), args[1]};
    for (size_t i = 0; i < 2; i++) {
        if (both[i].kind == CQL_CODE)
            both[i] = op_to_concept(eval, NULL, &both[i]);
    }
    return value_equivalent(&eval->context, both[0], both[1]);
}

OP(op_fhir_code_equivalent)
{
    if (args[0].kind == CQL_INSTANCE)
        return value_boolean(made_is_equivalent(eval, args));
    if (args[0].kind != CQL_FHIR || args[1].kind != CQL_CODE)
        return value_boolean(args[0].kind == CQL_NULL && args[1].kind == CQL_NULL);
    return value_boolean(node_has_code(eval, value_node(args[0]), args[1].ptr));
}

OP(op_fhir_concept_equivalent)
{
    if (args[0].kind == CQL_INSTANCE)
        return value_boolean(made_is_equivalent(eval, args));
    const CqlConceptBody *concept = args[1].ptr;
    if (args[0].kind != CQL_FHIR || args[1].kind != CQL_CONCEPT)
        return value_boolean(args[0].kind == CQL_NULL && args[1].kind == CQL_NULL);
    for (size_t i = 0; i < concept->count; i++) {
        if (node_has_code(eval, value_node(args[0]), &concept->codes[i]))
            return value_boolean(true);
    }
    return value_boolean(false);
}

static bool text_in_set(const ValueSet *set, Str code)
{
    for (size_t i = 0; set != NULL && i < set->count; i++) {
        if (str_eq(set->codes[i].code, code))
            return true;
    }
    return false;
}

static bool code_in(const CqlVocabularyBody *vocabulary, CqlKind kind, const CqlCodeBody *code)
{
    if (kind == CQL_CODE_SYSTEM)
        return str_eq(vocabulary->id, code->system);
    return vocabulary->set != NULL && value_set_has(vocabulary->set, code->system, code->code);
}

static bool node_in(const CqlVocabularyBody *vocabulary, CqlKind kind, FhirNode node, Arena *arena)
{
    if (fhir_type_is_primitive(node.type))
        return kind == CQL_VALUE_SET && text_in_set(vocabulary->set, fhir_text(node, arena));
    if (kind == CQL_CODE_SYSTEM) {
        CqlValue value = value_of_fhir(arena, node);
        const CqlConceptBody *concept = value.ptr;
        if (value.kind == CQL_CODE)
            return code_in(vocabulary, kind, value.ptr);
        for (size_t i = 0; value.kind == CQL_CONCEPT && i < concept->count; i++) {
            if (code_in(vocabulary, kind, &concept->codes[i]))
                return true;
        }
        return false;
    }
    ConceptId ids[CODINGS_MAX];
    size_t count = fhir_concepts(node, ids, CODINGS_MAX);
    for (size_t i = 0; i < count && i < CODINGS_MAX; i++) {
        if (concept_set_has(&vocabulary->bound, ids[i]))
            return true;
    }
    return false;
}

static bool value_in(CqlEval *eval, CqlValue vocabulary, CqlValue value)
{
    const CqlVocabularyBody *body = vocabulary.ptr;
    const CqlConceptBody *concept = value.ptr;
    CqlKind kind = (CqlKind)vocabulary.kind;
    switch (value.kind) {
    case CQL_STRING:
        return text_in_set(body->set, value_text(value));
    case CQL_CODE:
        return code_in(body, kind, value.ptr);
    case CQL_CONCEPT:
        for (size_t i = 0; i < concept->count; i++) {
            if (code_in(body, kind, &concept->codes[i]))
                return true;
        }
        return false;
    case CQL_INSTANCE:
        return value_in(eval, vocabulary, made_value(eval, value));
    case CQL_FHIR:
        return node_in(body, kind, value_node(value), eval->context.arena);
    case CQL_LIST:
        for (uint32_t i = 0; i < value.count; i++) {
            if (value_in(eval, vocabulary, value_items(value)[i]))
                return true;
        }
        return false;
    default:
        return false;
    }
}

/* A null code is in no value set: false (CQL 1.5, "In (Valueset)"). */
OP(op_in_vocabulary)
{
    if (args[1].kind == CQL_NULL)
        return value_null();
    return value_boolean(value_in(eval, args[1], args[0]));
}

OP(op_contains_vocabulary)
{
    CqlValue turned[2] = {args[1], args[0]};
    return op_in_vocabulary(eval, node, turned);
}

OP(op_expand_value_set)
{
    const CqlVocabularyBody *body = args[0].ptr;
    if (body->set == NULL)
        return value_null();
    CqlValue *codes = ARENA_ARRAY(eval->context.arena, CqlValue, body->set->count);
    for (size_t i = 0; i < body->set->count; i++)
        codes[i] = value_make_code(eval->context.arena, body->set->codes[i].system,
                                   body->set->codes[i].code);
    return value_list(codes, body->set->count);
}

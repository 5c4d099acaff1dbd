/* Types and literals as ELM. */
#include "cql/elm_write_int.h"

Str elm_type_name(Arena *arena, const CqlType *type)
{
    size_t dot = str_find_char(type->text, '.');
    Str name = str_slice(type->text, dot + 1, SIZE_MAX);
    Str url = S("urn:hl7-org:elm-types:r1");
    switch (type->kind) {
    case TYPE_LIST:
    case TYPE_INTERVAL:
    case TYPE_TUPLE:
    case TYPE_CHOICE:
        return S("");
    case TYPE_FHIR:
    case TYPE_CLASS:
        name = fhir_type_name(type->fhir);
        url = S("http://hl7.org/fhir");
        break;
    default:
        break;
    }
    /* Backbone types: Observation.component is Observation.Component in the model. */
    StrBuf out;
    strbuf_init(&out, arena, 0);
    strbuf_printf(&out, "{%.*s}", STR_ARG(url));
    for (size_t i = 0; i < name.len; i++) {
        bool is_part = i > 0 && name.ptr[i - 1] == '.' && name.ptr[i] >= 'a' && name.ptr[i] <= 'z';
        strbuf_add_char(&out, (char)(name.ptr[i] - (is_part ? 32 : 0)));
    }
    return strbuf_str(&out);
}

void elm_write_specifier(ElmWriter *w, const CqlType *type)
{
    JsonWriter *json = &w->json;
    json_object_begin(json);
    switch (type->kind) {
    case TYPE_LIST:
        json_member_str(json, S("type"), S("ListTypeSpecifier"));
        elm_write_type(w, S("elementType"), type->element);
        break;
    case TYPE_INTERVAL:
        json_member_str(json, S("type"), S("IntervalTypeSpecifier"));
        elm_write_type(w, S("pointType"), type->element);
        break;
    case TYPE_TUPLE:
        json_member_str(json, S("type"), S("TupleTypeSpecifier"));
        json_key(json, S("element"));
        json_array_begin(json);
        for (size_t i = 0; i < type->count; i++) {
            json_object_begin(json);
            json_member_str(json, S("name"), type->names[i]);
            elm_write_type(w, S("elementType"), type->parts[i]);
            json_object_end(json);
        }
        json_array_end(json);
        break;
    case TYPE_CHOICE:
        json_member_str(json, S("type"), S("ChoiceTypeSpecifier"));
        json_key(json, S("choice"));
        json_array_begin(json);
        for (size_t i = 0; i < type->count; i++)
            elm_write_specifier(w, type->parts[i]);
        json_array_end(json);
        break;
    default:
        json_member_str(json, S("type"), S("NamedTypeSpecifier"));
        json_member_str(json, S("name"), elm_type_name(w->resolver->arena, type));
    }
    json_object_end(json);
}

void elm_write_type(ElmWriter *w, Str key, const CqlType *type)
{
    json_key(&w->json, key);
    elm_write_specifier(w, type);
}

void elm_write_type_as(ElmWriter *w, Str name_key, Str specifier_key, const CqlType *type)
{
    Str name = elm_type_name(w->resolver->arena, type);
    if (name.len > 0)
        json_member_str(&w->json, name_key, name);
    else
        elm_write_type(w, specifier_key, type);
}

/* --- literals --- */

static void literal_value(ElmWriter *w, const char *type, Str text)
{
    json_member_str(&w->json, S("valueType"),
                    str_format(w->resolver->arena, "{urn:hl7-org:elm-types:r1}%s", type));
    json_member_str(&w->json, S("value"), text);
}

static void write_literal(ElmWriter *w, const CqlNode *node, const char *type, Str text)
{
    elm_begin(w, "Literal", node);
    literal_value(w, type, text);
    json_object_end(&w->json);
}

/* A negative number is the negation of a literal, as the grammar has it. */
static void write_number(ElmWriter *w, const CqlNode *node, const char *type, Str text)
{
    if (!str_starts_with(text, S("-"))) {
        write_literal(w, node, type, text);
        return;
    }
    elm_begin(w, "Negate", node);
    json_key(&w->json, S("operand"));
    write_literal(w, NULL, type, str_slice(text, 1, SIZE_MAX));
    json_object_end(&w->json);
}

static void literal_member(ElmWriter *w, const char *key, const char *type, Str text)
{
    json_key(&w->json, str_from_c(key));
    json_object_begin(&w->json);
    json_member_str(&w->json, S("type"), S("Literal"));
    literal_value(w, type, text);
    json_object_end(&w->json);
}

static Str decimal_text(const ElmWriter *w, Decimal value)
{
    return decimal_format(w->resolver->arena, value);
}

static void moment_part(ElmWriter *w, const char *key, int part)
{
    literal_member(w, key, "Integer", str_format(w->resolver->arena, "%d", part));
}

static void write_moment(ElmWriter *w, const CqlNode *node)
{
    Moment moment = node->constant.moment;
    CqlKind kind = cql_value_kind(node->constant);
    int precision = moment.precision;
    elm_begin(w, kind == CQL_DATE ? "Date" : kind == CQL_TIME ? "Time" : "DateTime", node);
    if (kind != CQL_TIME) {
        moment_part(w, "year", moment.year);
        if (precision >= PRECISION_MONTH)
            moment_part(w, "month", moment.month);
        if (precision >= PRECISION_DAY)
            moment_part(w, "day", moment.day);
    }
    if (kind != CQL_DATE) {
        if (precision >= PRECISION_HOUR)
            moment_part(w, "hour", moment.hour);
        if (precision >= PRECISION_MINUTE)
            moment_part(w, "minute", moment.minute);
        if (precision >= PRECISION_SECOND)
            moment_part(w, "second", moment.second);
        if (precision >= PRECISION_MILLISECOND)
            moment_part(w, "millisecond", moment.millisecond);
    }
    if (kind == CQL_DATETIME && moment.offset_minutes != OFFSET_NONE) {
        Decimal hours = {0};
        Decimal sixty = {0};
        Str minutes = str_format(w->resolver->arena, "%d", moment.offset_minutes);
        bool is_exact = decimal_parse(minutes, &hours) && decimal_parse(S("60"), &sixty) &&
                        decimal_divide(hours, sixty, ROUNDING_HALF_AWAY, &hours);
        ASSERT(is_exact);
        literal_member(w, "timezoneOffset", "Decimal", decimal_text(w, hours));
    }
    json_object_end(&w->json);
}

static void quantity_members(ElmWriter *w, const CqlQuantityBody *quantity)
{
    json_key(&w->json, S("value"));
    json_raw(&w->json, decimal_text(w, quantity->value));
    json_member_str(&w->json, S("unit"), quantity->unit);
}

static void quantity_member(ElmWriter *w, Str key, const CqlQuantityBody *quantity)
{
    json_key(&w->json, key);
    json_object_begin(&w->json);
    quantity_members(w, quantity);
    json_object_end(&w->json);
}

/* A code that stands for itself: as an instance, for its system may have no name here. */
static void code_element(ElmWriter *w, const char *name, bool has, Str text)
{
    if (!has)
        return;
    json_object_begin(&w->json);
    json_member_str(&w->json, S("name"), str_from_c(name));
    literal_member(w, "value", "String", text);
    json_object_end(&w->json);
}

static void write_code(ElmWriter *w, const CqlNode *node, const CqlCodeBody *code)
{
    elm_begin(w, "Instance", node);
    json_member_str(&w->json, S("classType"), S("{urn:hl7-org:elm-types:r1}Code"));
    json_key(&w->json, S("element"));
    json_array_begin(&w->json);
    code_element(w, "code", code->has_code, code->code);
    code_element(w, "system", code->has_system, code->system);
    code_element(w, "version", code->has_version, code->version);
    code_element(w, "display", code->has_display, code->display);
    json_array_end(&w->json);
    json_object_end(&w->json);
}

static void write_concept(ElmWriter *w, const CqlNode *node, const CqlConceptBody *concept)
{
    elm_begin(w, "Instance", node);
    json_member_str(&w->json, S("classType"), S("{urn:hl7-org:elm-types:r1}Concept"));
    json_key(&w->json, S("element"));
    json_array_begin(&w->json);
    json_object_begin(&w->json);
    json_member_str(&w->json, S("name"), S("codes"));
    json_key(&w->json, S("value"));
    json_object_begin(&w->json);
    json_member_str(&w->json, S("type"), S("List"));
    json_key(&w->json, S("element"));
    json_array_begin(&w->json);
    for (size_t i = 0; i < concept->count; i++)
        write_code(w, NULL, &concept->codes[i]);
    json_array_end(&w->json);
    json_object_end(&w->json);
    json_object_end(&w->json);
    code_element(w, "display", concept->has_display, concept->display);
    json_array_end(&w->json);
    json_object_end(&w->json);
}

/* With the places that it was written with: Precision counts them. */
static Str decimal_literal(const ElmWriter *w, CqlValue value)
{
    Decimal decimal = {0};
    (void)cql_value_decimal(value, &decimal);
    Str shortest = decimal_format(w->resolver->arena, decimal);
    size_t point = str_find_char(shortest, '.');
    size_t places = point == SIZE_MAX ? 0 : shortest.len - point - 1;
    if (value.aux <= DECIMAL_PLACES && value.aux > places)
        return decimal_format_places(w->resolver->arena, decimal, value.aux);
    return places > 0 ? shortest : decimal_format_places(w->resolver->arena, decimal, 1);
}

void elm_write_constant(ElmWriter *w, const CqlNode *node)
{
    CqlValue value = node->constant;
    const CqlRatioBody *ratio = value.ptr;
    switch (cql_value_kind(value)) {
    case CQL_NULL:
        elm_begin(w, "Null", node);
        json_object_end(&w->json);
        break;
    case CQL_BOOLEAN:
        write_literal(w, node, "Boolean", cql_value_is_true(value) ? S("true") : S("false"));
        break;
    case CQL_INTEGER:
    case CQL_LONG:
        write_number(w, node, value.kind == CQL_LONG ? "Long" : "Integer",
                     str_format(w->resolver->arena, "%lld", (long long)value.integer));
        break;
    case CQL_DECIMAL:
        write_number(w, node, "Decimal", decimal_literal(w, value));
        break;
    case CQL_STRING:
        write_literal(w, node, "String", value_text(value));
        break;
    case CQL_DATE:
    case CQL_DATETIME:
    case CQL_TIME:
        write_moment(w, node);
        break;
    case CQL_QUANTITY:
        elm_begin(w, "Quantity", node);
        quantity_members(w, value_quantity(value));
        json_object_end(&w->json);
        break;
    case CQL_RATIO:
        elm_begin(w, "Ratio", node);
        quantity_member(w, S("numerator"), &ratio->numerator);
        quantity_member(w, S("denominator"), &ratio->denominator);
        json_object_end(&w->json);
        break;
    case CQL_CODE:
        write_code(w, node, value.ptr);
        break;
    case CQL_CONCEPT:
        write_concept(w, node, value.ptr);
        break;
    default:
        elm_unsupported(w, node, "a constant of this type");
    }
}

/* Values for the outside: accessors, canonical text, JSON, and the resources behind them. */
#include "cql/plan_int.h"

static CqlValue plain(CqlValue value, Arena *arena)
{
    if (value.kind == CQL_INSTANCE)
        return instance_value(arena, value.ptr);
    return value.kind == CQL_FHIR ? value_of_fhir(arena, value_node(value)) : value;
}

bool cql_value_boolean(CqlValue value, bool *ret_value)
{
    if (value.kind == CQL_FHIR)
        return fhir_boolean(value_node(value), ret_value);
    if (value.kind != CQL_BOOLEAN)
        return false;
    *ret_value = value.integer != 0;
    return true;
}

bool cql_value_integer(CqlValue value, int64_t *ret_value)
{
    if (value.kind == CQL_FHIR)
        return fhir_integer(value_node(value), ret_value);
    if (value.kind != CQL_INTEGER && value.kind != CQL_LONG)
        return false;
    *ret_value = value.integer;
    return true;
}

bool cql_value_decimal(CqlValue value, Decimal *ret_value)
{
    int64_t integer;
    if (value.kind == CQL_FHIR && fhir_decimal(value_node(value), ret_value))
        return true;
    if (value.kind == CQL_DECIMAL) {
        *ret_value = value_decimal_units(value);
        return true;
    }
    if (!cql_value_integer(value, &integer))
        return false;
    *ret_value = decimal_from_int(integer);
    return true;
}

bool cql_value_string(CqlValue value, Arena *arena, Str *ret_value)
{
    value = plain(value, arena);
    if (value.kind != CQL_STRING)
        return false;
    *ret_value = value_text(value);
    return true;
}

bool cql_value_moment(CqlValue value, Moment *ret_value)
{
    if (value.kind == CQL_FHIR)
        return fhir_moment(value_node(value), ret_value);
    if (value.kind < CQL_DATE || value.kind > CQL_TIME)
        return false;
    *ret_value = value.moment;
    return true;
}

bool cql_value_quantity(CqlValue value, Arena *arena, Decimal *ret_value, Str *ret_unit)
{
    value = plain(value, arena);
    if (value.kind != CQL_QUANTITY)
        return false;
    *ret_value = value_quantity(value)->value;
    *ret_unit = value_quantity(value)->unit;
    return true;
}

size_t cql_value_count(CqlValue value)
{
    return value.kind == CQL_LIST ? value.count : 0;
}

CqlValue cql_value_item(CqlValue list, size_t index)
{
    return list.kind == CQL_LIST && index < list.count ? value_items(list)[index] : value_null();
}

bool cql_value_interval(CqlValue value, CqlValue *ret_low, CqlValue *ret_high,
                        bool *ret_is_low_closed, bool *ret_is_high_closed)
{
    if (value.kind != CQL_INTERVAL)
        return false;
    const CqlIntervalBody *interval = value.ptr;
    *ret_low = interval->low;
    *ret_high = interval->high;
    *ret_is_low_closed = interval->low_closed;
    *ret_is_high_closed = interval->high_closed;
    return true;
}

CqlValue cql_value_element(CqlValue tuple, Str name)
{
    const CqlTupleBody *body = tuple.ptr;
    if (tuple.kind == CQL_INSTANCE)
        return instance_element(tuple.ptr, name);
    if (tuple.kind != CQL_TUPLE)
        return value_null();
    for (size_t i = 0; i < body->type->count; i++) {
        if (str_eq(body->type->names[i], name))
            return body->values[i];
    }
    return value_null();
}

bool cql_value_node(CqlValue value, FhirNode *ret_node)
{
    if (value.kind != CQL_FHIR)
        return false;
    *ret_node = value_node(value);
    return true;
}

CqlValue cql_value_of_null(void)
{
    return value_null();
}

CqlValue cql_value_of_boolean(bool value)
{
    return value_boolean(value);
}

CqlValue cql_value_of_integer(int32_t value)
{
    return value_integer(value);
}

CqlValue cql_value_of_decimal(Arena *arena, Decimal value)
{
    return value_decimal(arena, value);
}

CqlValue cql_value_of_string(Arena *arena, Str value)
{
    return value_string(str_copy(arena, value));
}

CqlValue cql_value_of_moment(CqlKind kind, Moment value)
{
    ASSERT(kind >= CQL_DATE && kind <= CQL_TIME);
    return value_moment(kind, value);
}

CqlValue cql_value_of_list(Arena *arena, const CqlValue *items, size_t count)
{
    return value_list(arena_copy(arena, items, count * sizeof(*items)), count);
}

/* --- CQL text --- */

static void add_quoted(StrBuf *out, Str text)
{
    strbuf_add_char(out, '\'');
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\'' || c == '\\')
            strbuf_add_char(out, '\\');
        if (c == '\n')
            strbuf_add(out, S("\\n"));
        else
            strbuf_add_char(out, c);
    }
    strbuf_add_char(out, '\'');
}

static void format_code(const CqlCodeBody *code, StrBuf *out)
{
    const struct {
        const char *name;
        Str text;
        bool has;
    } parts[] = {{"code", code->code, code->has_code},
                 {"system", code->system, code->has_system},
                 {"version", code->version, code->has_version},
                 {"display", code->display, code->has_display}};
    strbuf_add(out, S("Code { "));
    bool first = true;
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (!parts[i].has)
            continue;
        strbuf_printf(out, "%s%s: ", first ? "" : ", ", parts[i].name);
        add_quoted(out, parts[i].text);
        first = false;
    }
    strbuf_add(out, S(" }"));
}

static void format_concept(const CqlConceptBody *concept, StrBuf *out)
{
    strbuf_add(out, S("Concept { codes: { "));
    for (size_t i = 0; i < concept->count; i++) {
        strbuf_add(out, i > 0 ? S(", ") : S(""));
        format_code(&concept->codes[i], out);
    }
    strbuf_add(out, S(" }"));
    if (concept->has_display) {
        strbuf_add(out, S(", display: "));
        add_quoted(out, concept->display);
    }
    strbuf_add(out, S(" }"));
}

static void format_interval(const CqlIntervalBody *interval, StrBuf *out)
{
    strbuf_add(out, interval->low_closed ? S("Interval[") : S("Interval("));
    cql_value_format(interval->low, out);
    strbuf_add(out, S(", "));
    cql_value_format(interval->high, out);
    strbuf_add_char(out, interval->high_closed ? ']' : ')');
}

static void format_list(CqlValue list, StrBuf *out)
{
    strbuf_add(out, list.count == 0 ? S("{") : S("{ "));
    for (uint32_t i = 0; i < list.count; i++) {
        strbuf_add(out, i > 0 ? S(", ") : S(""));
        cql_value_format(value_items(list)[i], out);
    }
    strbuf_add(out, list.count == 0 ? S("}") : S(" }"));
}

static void format_tuple(const CqlTupleBody *tuple, StrBuf *out)
{
    strbuf_add(out, S("Tuple { "));
    for (size_t i = 0; i < tuple->type->count; i++) {
        strbuf_printf(out, "%s%.*s: ", i > 0 ? ", " : "", STR_ARG(tuple->type->names[i]));
        cql_value_format(tuple->values[i], out);
    }
    strbuf_add(out, tuple->type->count == 0 ? S(": }") : S(" }"));
}

static void format_instance(const CqlInstanceBody *instance, StrBuf *out)
{
    strbuf_printf(out, "%.*s { ", STR_ARG(instance->type->text));
    for (size_t i = 0; i < instance->count; i++) {
        strbuf_printf(out, "%s%.*s: ", i > 0 ? ", " : "", STR_ARG(instance->names[i]));
        cql_value_format(instance->values[i], out);
    }
    strbuf_add(out, instance->count == 0 ? S(": }") : S(" }"));
}

static void format_vocabulary(const CqlVocabularyBody *body, bool is_set, StrBuf *out)
{
    strbuf_add(out, is_set ? S("ValueSet { id: ") : S("CodeSystem { id: "));
    add_quoted(out, body->id);
    strbuf_add(out, S(" }"));
}

static void format_moment(CqlValue value, StrBuf *out)
{
    Str text = moment_format(out->arena, value.moment);
    strbuf_add(out, value.kind == CQL_TIME ? S("@T") : S("@"));
    strbuf_add(out, text);
    /* A DateTime of no more than a day is told from a Date by its T. */
    if (value.kind == CQL_DATETIME && value.moment.precision < PRECISION_HOUR)
        strbuf_add_char(out, 'T');
}

void cql_value_format(CqlValue value, StrBuf *out) /* NOLINT(misc-no-recursion) */
{
    int64_t low;
    int64_t high;
    switch (value.kind) {
    case CQL_NULL:
        strbuf_add(out, S("null"));
        break;
    case CQL_STRING:
        add_quoted(out, value_text(value));
        break;
    case CQL_LONG:
        strbuf_printf(out, "%lldL", (long long)value.integer);
        break;
    case CQL_DATE:
    case CQL_DATETIME:
    case CQL_TIME:
        format_moment(value, out);
        break;
    case CQL_CODE:
        format_code(value.ptr, out);
        break;
    case CQL_CONCEPT:
        format_concept(value.ptr, out);
        break;
    case CQL_VALUE_SET:
    case CQL_CODE_SYSTEM:
        format_vocabulary(value.ptr, value.kind == CQL_VALUE_SET, out);
        break;
    case CQL_INTERVAL:
        format_interval(value.ptr, out);
        break;
    case CQL_LIST:
        format_list(value, out);
        break;
    case CQL_TUPLE:
        format_tuple(value.ptr, out);
        break;
    case CQL_INSTANCE:
        format_instance(value.ptr, out);
        break;
    case CQL_FHIR:
        (void)fhir_write_json(value_node(value), out);
        break;
    case CQL_UNCERTAINTY:
        value_uncertainty(value, &low, &high);
        strbuf_printf(out, "Interval[%lld, %lld]", (long long)low, (long long)high);
        break;
    default:
        strbuf_add(out, value_to_string(out->arena, value));
    }
}

/* --- JSON --- */

static void add_json_string(StrBuf *out, Str text)
{
    static const char hex[] = "0123456789abcdef";
    strbuf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '"' || c == '\\') {
            strbuf_add_char(out, '\\');
            strbuf_add_char(out, (char)c);
        } else if (c < 0x20) {
            strbuf_add(out, S("\\u00"));
            strbuf_add_char(out, hex[c >> 4]);
            strbuf_add_char(out, hex[c & 15]);
        } else {
            strbuf_add_char(out, (char)c);
        }
    }
    strbuf_add_char(out, '"');
}

static void json_member(StrBuf *out, const char *name, bool first)
{
    strbuf_printf(out, "%s\"%s\":", first ? "" : ",", name);
}

static void json_quantity(const CqlQuantityBody *quantity, StrBuf *out)
{
    json_member(out, "value", true);
    strbuf_add(out, decimal_format(out->arena, quantity->value));
    json_member(out, "unit", false);
    add_json_string(out, quantity->unit);
}

static void json_code(const CqlCodeBody *code, StrBuf *out)
{
    strbuf_add_char(out, '{');
    json_member(out, "code", true);
    add_json_string(out, code->code);
    if (code->has_system) {
        json_member(out, "system", false);
        add_json_string(out, code->system);
    }
    if (code->has_display) {
        json_member(out, "display", false);
        add_json_string(out, code->display);
    }
    strbuf_add_char(out, '}');
}

static void json_interval(const CqlIntervalBody *interval, StrBuf *out)
{
    strbuf_add_char(out, '{');
    json_member(out, "low", true);
    cql_value_json(interval->low, out);
    json_member(out, "high", false);
    cql_value_json(interval->high, out);
    strbuf_printf(out, ",\"lowClosed\":%s,\"highClosed\":%s}",
                  interval->low_closed ? "true" : "false",
                  interval->high_closed ? "true" : "false");
}

static void json_tuple(const CqlTupleBody *tuple, StrBuf *out)
{
    strbuf_add_char(out, '{');
    for (size_t i = 0; i < tuple->type->count; i++) {
        strbuf_add(out, i > 0 ? S(",") : S(""));
        add_json_string(out, tuple->type->names[i]);
        strbuf_add_char(out, ':');
        cql_value_json(tuple->values[i], out);
    }
    strbuf_add_char(out, '}');
}

/* What FHIR's JSON puts behind the name of a choice: valueQuantity. */
static Str choice_suffix(CqlValue value)
{
    static const char *const of_kind[] = {
        [CQL_BOOLEAN] = "Boolean",
        [CQL_INTEGER] = "Integer",
        [CQL_DECIMAL] = "Decimal",
        [CQL_STRING] = "String",
        [CQL_DATE] = "Date",
        [CQL_DATETIME] = "DateTime",
        [CQL_TIME] = "Time",
        [CQL_QUANTITY] = "Quantity",
        [CQL_RATIO] = "Ratio",
        [CQL_CODE] = "Coding",
        [CQL_CONCEPT] = "CodeableConcept",
    };
    if (value.kind == CQL_INSTANCE)
        return fhir_type_name(((const CqlInstanceBody *)value.ptr)->type->fhir);
    if (value.kind == CQL_FHIR)
        return fhir_type_name(value.aux);
    const char *text = value.kind < COUNT_OF(of_kind) ? of_kind[value.kind] : NULL;
    return str_from_c(text == NULL ? "" : text);
}

static bool is_choice_stem(uint16_t type, Str name)
{
    for (uint8_t i = 1; i <= fhir_type_table[type].element_count; i++) {
        const FhirElementInfo *info = fhir_element_info((FhirType)type, i);
        if ((info->flags & FHIR_FLAG_CHOICE) != 0 && info->choice_stem == name.len &&
            memcmp(info->name, name.ptr, name.len) == 0)
            return true;
    }
    return false;
}

/* FHIR's JSON: elements without a value are left out. */
static void json_instance(const CqlInstanceBody *instance, StrBuf *out)
{
    uint16_t type = instance->type->fhir;
    bool first = true;
    strbuf_add_char(out, '{');
    if (fhir_type_is_resource((FhirType)type)) {
        json_member(out, "resourceType", true);
        add_json_string(out, fhir_type_name(type));
        first = false;
    }
    for (size_t i = 0; i < instance->count; i++) {
        CqlValue value = instance->values[i];
        Str name = instance->names[i];
        if (value.kind == CQL_NULL)
            continue;
        if (is_choice_stem(type, name)) {
            Str suffix = choice_suffix(value);
            char initial = suffix.len > 0 ? suffix.ptr[0] : 'X';
            bool is_small = initial >= 'a' && initial <= 'z';
            name = str_format(out->arena, "%.*s%c%.*s", STR_ARG(name),
                              is_small ? initial - 32 : initial,
                              STR_ARG(str_slice(suffix, 1, suffix.len)));
        }
        strbuf_add(out, first ? S("") : S(","));
        add_json_string(out, name);
        strbuf_add_char(out, ':');
        cql_value_json(value, out);
        first = false;
    }
    strbuf_add_char(out, '}');
}

static void json_concept(const CqlConceptBody *concept, StrBuf *out)
{
    strbuf_add(out, S("{\"codes\":["));
    for (size_t i = 0; i < concept->count; i++) {
        strbuf_add(out, i > 0 ? S(",") : S(""));
        json_code(&concept->codes[i], out);
    }
    strbuf_add_char(out, ']');
    if (concept->has_display) {
        json_member(out, "display", false);
        add_json_string(out, concept->display);
    }
    strbuf_add_char(out, '}');
}

static void json_structure(CqlValue value, StrBuf *out)
{
    const CqlRatioBody *ratio = value.ptr;
    int64_t low;
    int64_t high;
    switch (value.kind) {
    case CQL_QUANTITY:
        strbuf_add_char(out, '{');
        json_quantity(value.ptr, out);
        strbuf_add_char(out, '}');
        break;
    case CQL_RATIO:
        strbuf_add(out, S("{\"numerator\":{"));
        json_quantity(&ratio->numerator, out);
        strbuf_add(out, S("},\"denominator\":{"));
        json_quantity(&ratio->denominator, out);
        strbuf_add(out, S("}}"));
        break;
    case CQL_CODE:
        json_code(value.ptr, out);
        break;
    case CQL_CONCEPT:
        json_concept(value.ptr, out);
        break;
    case CQL_INTERVAL:
        json_interval(value.ptr, out);
        break;
    case CQL_TUPLE:
        json_tuple(value.ptr, out);
        break;
    case CQL_INSTANCE:
        json_instance(value.ptr, out);
        break;
    case CQL_FHIR:
        (void)fhir_write_json(value_node(value), out);
        break;
    case CQL_UNCERTAINTY:
        value_uncertainty(value, &low, &high);
        strbuf_printf(out, "{\"low\":%lld,\"high\":%lld}", (long long)low, (long long)high);
        break;
    default:
        add_json_string(out, ((const CqlVocabularyBody *)value.ptr)->id);
    }
}

void cql_value_json(CqlValue value, StrBuf *out) /* NOLINT(misc-no-recursion) */
{
    switch (value.kind) {
    case CQL_NULL:
        strbuf_add(out, S("null"));
        break;
    case CQL_BOOLEAN:
    case CQL_INTEGER:
    case CQL_LONG:
        strbuf_add(out, value_to_string(out->arena, value));
        break;
    case CQL_DECIMAL:
        strbuf_add(out, decimal_format(out->arena, value_decimal_units(value)));
        break;
    case CQL_STRING:
    case CQL_DATE:
    case CQL_DATETIME:
    case CQL_TIME:
        add_json_string(out, value_to_string(out->arena, value));
        break;
    case CQL_LIST:
        strbuf_add_char(out, '[');
        for (uint32_t i = 0; i < value.count; i++) {
            strbuf_add(out, i > 0 ? S(",") : S(""));
            cql_value_json(value_items(value)[i], out);
        }
        strbuf_add_char(out, ']');
        break;
    default:
        json_structure(value, out);
    }
}

/* --- events --- */

static int32_t day_of(const CqlEval *eval, FhirNode resource)
{
    RecordSlice slice = record_slice(eval->record, resource.type);
    for (uint32_t i = 0; i < slice.count && slice.days != NULL; i++) {
        FhirNode entry = record_resource(eval->record, slice, resource.type, i);
        if (entry.at == resource.at)
            return slice.days[i];
    }
    return DAY_NONE;
}

static void add_event(const CqlEval *eval, FhirNode resource, Arena *arena, CqlEventVec *events)
{
    for (size_t i = 0; i < events->count; i++) {
        if (events->items[i].resource.at == resource.at)
            return;
    }
    CqlEvent event = {.type = resource.type, .day = day_of(eval, resource), .resource = resource};
    event.id = str_copy(arena, fhir_text(fhir_child_named(resource, S("id")), arena));
    VEC_PUSH(arena, events, event);
}

static void find_events(const CqlEval *eval, CqlValue value, Arena *arena, CqlEventVec *events)
{
    const CqlTupleBody *tuple = value.ptr;
    if (value.kind == CQL_FHIR && fhir_type_is_resource((FhirType)value.aux)) {
        add_event(eval, value_node(value), arena, events);
    } else if (value.kind == CQL_LIST) {
        for (uint32_t i = 0; i < value.count; i++)
            find_events(eval, value_items(value)[i], arena, events);
    } else if (value.kind == CQL_TUPLE) {
        for (size_t i = 0; i < tuple->type->count; i++)
            find_events(eval, tuple->values[i], arena, events);
    }
}

void cql_eval_events(CqlEval *eval, CqlValue value, Arena *arena, CqlEventVec *ret_events)
{
    *ret_events = (CqlEventVec){0};
    if (eval->has_record)
        find_events(eval, value, arena, ret_events);
}

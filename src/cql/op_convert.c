/*
 * Conversions between System types: ToX, ConvertsToX, and the implicit ones, which the resolver
 * asks for by type (op_convert).
 */
#include "cql/operator.h"

#define OP(name)                                                                                   \
    CqlValue name(UNUSED CqlEval *eval, UNUSED const CqlNode *node, UNUSED const CqlValue *args)

/* --- to text --- */

static Str quantity_text(Arena *arena, const CqlQuantityBody *quantity)
{
    Str number = decimal_format(arena, quantity->value);
    /* As written: 1 day, 4 days. */
    if (quantity->is_calendar)
        return str_format(arena, "%.*s %.*s%s", STR_ARG(number), STR_ARG(quantity->unit),
                          quantity->value.units == DECIMAL_ONE ? "" : "s");
    return str_format(arena, "%.*s '%.*s'", STR_ARG(number), STR_ARG(quantity->unit));
}

Str value_to_string(Arena *arena, CqlValue value)
{
    const CqlRatioBody *ratio = value.ptr;
    switch (value.kind) {
    case CQL_BOOLEAN:
        return value.integer != 0 ? S("true") : S("false");
    case CQL_INTEGER:
    case CQL_LONG:
        return str_format(arena, "%lld", (long long)value.integer);
    case CQL_DECIMAL: {
        Str text = decimal_format(arena, value_decimal_units(value));
        return str_find_char(text, '.') == SIZE_MAX ? str_format(arena, "%.*s.0", STR_ARG(text))
                                                    : text;
    }
    case CQL_STRING:
        return value_text(value);
    case CQL_DATE:
    case CQL_DATETIME:
    case CQL_TIME:
        return moment_format(arena, value.moment);
    case CQL_QUANTITY:
        return quantity_text(arena, value.ptr);
    case CQL_RATIO: {
        Str a = quantity_text(arena, &ratio->numerator);
        Str b = quantity_text(arena, &ratio->denominator);
        return str_format(arena, "%.*s:%.*s", STR_ARG(a), STR_ARG(b));
    }
    default:
        return S("");
    }
}

OP(op_to_string)
{
    return value_string(value_to_string(eval->context.arena, args[0]));
}

/* --- from text --- */

static bool is_one_of(Str text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        Str word = str_from_c(words[i]);
        bool same = text.len == word.len;
        for (size_t j = 0; same && j < text.len; j++) {
            char c = text.ptr[j];
            same = (c >= 'A' && c <= 'Z' ? (char)(c + 32) : c) == word.ptr[j];
        }
        if (same)
            return true;
    }
    return false;
}

OP(op_to_boolean)
{
    static const char *const yes[] = {"true", "t", "yes", "y", "1"};
    static const char *const no[] = {"false", "f", "no", "n", "0"};
    if (args[0].kind == CQL_BOOLEAN)
        return args[0];
    if (args[0].kind == CQL_STRING) {
        if (is_one_of(value_text(args[0]), yes, COUNT_OF(yes)))
            return value_boolean(true);
        return is_one_of(value_text(args[0]), no, COUNT_OF(no)) ? value_boolean(false)
                                                                : value_null();
    }
    Decimal number = value_number(args[0]);
    if (number.units == 0 || number.units == DECIMAL_ONE)
        return value_boolean(number.units != 0);
    return value_null();
}

/* (+|-)? digits */
static bool whole_number(Str text, int64_t *ret_value)
{
    if (str_starts_with(text, S("+-")))
        return false;
    if (str_starts_with(text, S("+")))
        text = str_slice(text, 1, text.len);
    return str_to_int64(text, ret_value);
}

OP(op_to_integer)
{
    int64_t number = args[0].integer;
    if (args[0].kind == CQL_STRING && !whole_number(value_text(args[0]), &number))
        return value_null();
    return number >= INT32_MIN && number <= INT32_MAX ? value_integer(number) : value_null();
}

OP(op_to_long)
{
    int64_t number = args[0].integer;
    if (args[0].kind == CQL_STRING && !whole_number(value_text(args[0]), &number))
        return value_null();
    return value_long(number);
}

OP(op_to_decimal)
{
    Decimal number;
    if (args[0].kind == CQL_DECIMAL)
        return args[0];
    if (args[0].kind != CQL_STRING)
        return value_decimal(eval->context.arena, decimal_from_int(args[0].integer));
    Str text = value_text(args[0]);
    bool ok = str_find_char(text, 'e') == SIZE_MAX && str_find_char(text, 'E') == SIZE_MAX &&
              decimal_parse_rounded(text, &number);
    return ok ? value_decimal(eval->context.arena, number) : value_null();
}

static Moment cut_to_day(Moment moment)
{
    Moment date = {.year = moment.year,
                   .month = moment.month,
                   .day = moment.day,
                   .offset_minutes = OFFSET_NONE,
                   .precision = moment.precision};
    if (date.precision > PRECISION_DAY)
        date.precision = PRECISION_DAY;
    return date;
}

OP(op_to_date)
{
    Moment moment;
    if (args[0].kind == CQL_DATE)
        return args[0];
    if (args[0].kind == CQL_DATETIME)
        return value_moment(CQL_DATE, cut_to_day(args[0].moment));
    if (!moment_parse(value_text(args[0]), &moment))
        return value_null();
    return value_moment(CQL_DATE, cut_to_day(moment));
}

OP(op_to_datetime)
{
    Moment moment;
    if (args[0].kind == CQL_DATETIME)
        return args[0];
    if (args[0].kind == CQL_DATE)
        return value_moment(CQL_DATETIME, args[0].moment);
    return moment_parse(value_text(args[0]), &moment) ? value_moment(CQL_DATETIME, moment)
                                                      : value_null();
}

/* An offset, Z or ±hh:mm, says nothing of a time of day: it is read over. */
static Str without_offset(Str text)
{
    if (str_ends_with(text, S("Z")))
        return str_slice(text, 0, text.len - 1);
    size_t at = text.len < 6 ? 0 : text.len - 6;
    bool has_offset =
        text.len > 6 && (text.ptr[at] == '+' || text.ptr[at] == '-') && text.ptr[at + 3] == ':';
    for (size_t i = at + 1; has_offset && i < text.len; i++)
        has_offset = i == at + 3 || (text.ptr[i] >= '0' && text.ptr[i] <= '9');
    return has_offset ? str_slice(text, 0, at) : text;
}

OP(op_to_time)
{
    Moment moment;
    if (args[0].kind == CQL_TIME)
        return args[0];
    if (args[0].kind == CQL_DATETIME)
        return op_time_from(eval, node, args);
    Str text = value_text(args[0]);
    if (str_starts_with(text, S("T")))
        text = str_slice(text, 1, text.len);
    return moment_parse_time(without_offset(text), &moment) ? value_moment(CQL_TIME, moment)
                                                            : value_null();
}

/* Of a calendar word (day, months), not of UCUM's codes; 0 for other units. */
static uint8_t calendar_precision(Str unit)
{
    return unit.len > 2 && !str_eq(unit, S("min")) ? quantity_precision(unit) : 0;
}

/* number ('unit' | calendar word)? */
static bool parse_quantity(Arena *arena, Str text, CqlQuantityBody *ret_quantity)
{
    text = str_trim(text);
    size_t len = 0;
    while (len < text.len && strchr("+-.0123456789", text.ptr[len]) != NULL)
        len++;
    Str unit = str_trim(str_slice(text, len, text.len));
    if (!decimal_parse_rounded(str_slice(text, 0, len), &ret_quantity->value))
        return false;
    ret_quantity->unit = S("1");
    ret_quantity->is_calendar = false;
    if (unit.len == 0)
        return true;
    if (unit.len >= 2 && unit.ptr[0] == '\'' && unit.ptr[unit.len - 1] == '\'') {
        ret_quantity->unit = str_copy(arena, str_slice(unit, 1, unit.len - 2));
        return quantity_has_unit(ret_quantity->unit, NULL);
    }
    uint8_t precision = calendar_precision(unit);
    ret_quantity->unit = calendar_unit(precision);
    ret_quantity->is_calendar = precision != 0;
    return precision != 0;
}

static CqlValue quantity_value(CqlEval *eval, const CqlQuantityBody *quantity)
{
    return value_pointer(CQL_QUANTITY,
                         arena_copy(eval->context.arena, quantity, sizeof(*quantity)));
}

OP(op_to_quantity)
{
    CqlQuantityBody quantity = {.unit = S("1")};
    const CqlRatioBody *ratio = args[0].ptr;
    switch (args[0].kind) {
    case CQL_QUANTITY:
        return args[0];
    case CQL_STRING:
        return parse_quantity(eval->context.arena, value_text(args[0]), &quantity)
                   ? quantity_value(eval, &quantity)
                   : value_null();
    case CQL_RATIO: {
        CqlValue parts[2] = {quantity_value(eval, &ratio->numerator),
                             quantity_value(eval, &ratio->denominator)};
        return op_divide_quantity(eval, node, parts);
    }
    default:
        quantity.value = value_number(args[0]);
        return quantity_value(eval, &quantity);
    }
}

OP(op_to_ratio)
{
    CqlRatioBody ratio;
    if (args[0].kind == CQL_RATIO)
        return args[0];
    Str text = value_text(args[0]);
    size_t colon = str_find_char(text, ':');
    if (colon == SIZE_MAX ||
        !parse_quantity(eval->context.arena, str_slice(text, 0, colon), &ratio.numerator) ||
        !parse_quantity(eval->context.arena, str_slice(text, colon + 1, text.len),
                        &ratio.denominator))
        return value_null();
    return value_pointer(CQL_RATIO, arena_copy(eval->context.arena, &ratio, sizeof(ratio)));
}

#define CONVERTS(name, convert)                                                                    \
    OP(name)                                                                                       \
    {                                                                                              \
        return value_boolean(convert(eval, node, args).kind != CQL_NULL);                          \
    }

CONVERTS(op_converts_to_string, op_to_string)
CONVERTS(op_converts_to_boolean, op_to_boolean)
CONVERTS(op_converts_to_integer, op_to_integer)
CONVERTS(op_converts_to_long, op_to_long)
CONVERTS(op_converts_to_decimal, op_to_decimal)
CONVERTS(op_converts_to_date, op_to_date)
CONVERTS(op_converts_to_datetime, op_to_datetime)
CONVERTS(op_converts_to_time, op_to_time)
CONVERTS(op_converts_to_quantity, op_to_quantity)
CONVERTS(op_converts_to_ratio, op_to_ratio)

OP(op_to_concept)
{
    if (args[0].kind == CQL_CONCEPT)
        return args[0];
    CqlConceptBody *concept = ARENA_NEW(eval->context.arena, CqlConceptBody);
    if (args[0].kind == CQL_CODE) {
        const CqlCodeBody *code = args[0].ptr;
        *concept = (CqlConceptBody){
            .codes = code, .count = 1, .display = code->display, .has_display = code->has_display};
        return value_pointer(CQL_CONCEPT, concept);
    }
    CqlCodeBody *codes = ARENA_ARRAY(eval->context.arena, CqlCodeBody, args[0].count);
    concept->codes = codes;
    for (uint32_t i = 0; i < args[0].count; i++) {
        if (value_items(args[0])[i].kind == CQL_CODE)
            codes[concept->count++] = *(const CqlCodeBody *)value_items(args[0])[i].ptr;
    }
    return value_pointer(CQL_CONCEPT, concept);
}

OP(op_convert_quantity)
{
    const CqlQuantityBody *quantity = args[0].ptr;
    Str unit = value_text(args[1]);
    uint8_t precision = calendar_precision(unit);
    CqlQuantityBody result = {.unit = precision != 0 ? calendar_unit(precision) : unit,
                              .is_calendar = precision != 0};
    if (!quantity_convert(&eval->context, quantity->value, quantity->unit, result.unit,
                          &result.value))
        return value_null();
    return quantity_value(eval, &result);
}

OP(op_can_convert_quantity)
{
    return value_boolean(op_convert_quantity(eval, node, args).kind != CQL_NULL);
}

/* --- implicit conversion --- */

/* By its elements: what made the tuple may have known less of their types. */
static bool tuple_is_of(const CqlTupleBody *tuple, const CqlType *type)
{
    if (type_is_subtype(tuple->type, type))
        return true;
    bool same = tuple->type->count == type->count;
    for (size_t i = 0; same && i < type->count; i++)
        same = str_eq(tuple->type->names[i], type->names[i]) &&
               (tuple->values[i].kind == CQL_NULL || value_is_of(tuple->values[i], type->parts[i]));
    return same;
}

bool value_is_of(CqlValue value, const CqlType *type)
{
    switch (type->kind) {
    case TYPE_ANY:
        return true;
    case TYPE_CHOICE:
        for (size_t i = 0; i < type->count; i++) {
            if (value_is_of(value, type->parts[i]))
                return true;
        }
        return false;
    case TYPE_CLASS: /* a class is told from another by the FHIR type alone */
    case TYPE_FHIR: {
        const CqlType of = {.kind = TYPE_FHIR, .fhir = type->fhir};
        const CqlType node = {.kind = TYPE_FHIR, .fhir = value.aux};
        if (value.kind == CQL_INSTANCE)
            return type_is_subtype(((const CqlInstanceBody *)value.ptr)->type, type);
        return value.kind == CQL_FHIR && type_is_subtype(&node, &of);
    }
    case TYPE_VOCABULARY:
        return value.kind == CQL_VALUE_SET || value.kind == CQL_CODE_SYSTEM;
    case TYPE_LIST:
        if (value.kind != CQL_LIST)
            return false;
        for (uint32_t i = 0; i < value.count; i++) {
            CqlValue item = value_items(value)[i];
            if (item.kind != CQL_NULL && !value_is_of(item, type->element))
                return false;
        }
        return true;
    case TYPE_INTERVAL: {
        const CqlIntervalBody *interval = value.ptr;
        return value.kind == CQL_INTERVAL &&
               (interval->low.kind == CQL_NULL || value_is_of(interval->low, type->element)) &&
               (interval->high.kind == CQL_NULL || value_is_of(interval->high, type->element));
    }
    case TYPE_TUPLE:
        return value.kind == CQL_TUPLE && tuple_is_of(value.ptr, type);
    default:
        return value.kind == (uint8_t)type_value_kind(type);
    }
}

static CqlValue convert_list(CqlEval *eval, CqlValue list, const CqlType *element)
{
    CqlValue *items = ARENA_ARRAY(eval->context.arena, CqlValue, list.count);
    for (uint32_t i = 0; i < list.count; i++)
        items[i] = value_convert(eval, value_items(list)[i], element);
    return value_list(items, list.count);
}

static CqlValue convert_interval(CqlEval *eval, CqlValue value, const CqlType *element)
{
    CqlIntervalBody interval = *value_interval(value);
    interval.low = value_convert(eval, interval.low, element);
    interval.high = value_convert(eval, interval.high, element);
    interval.point = element;
    return value_make_interval(eval->context.arena, &interval);
}

static CqlValue convert_simple(CqlEval *eval, CqlValue value, const CqlType *type)
{
    bool is_whole = value.kind == CQL_INTEGER || value.kind == CQL_LONG;
    switch (type->kind) {
    case TYPE_LONG:
        return is_whole ? value_long(value.integer) : value_null();
    case TYPE_INTEGER:
        /* Power of a negative exponent gives a Decimal for an Integer. */
        return value.kind == CQL_DECIMAL ? value : value_null();
    case TYPE_DECIMAL:
        if (value.kind == CQL_UNCERTAINTY)
            return value;
        return is_whole ? value_decimal(eval->context.arena, decimal_from_int(value.integer))
                        : value_null();
    case TYPE_QUANTITY:
        return is_whole || value.kind == CQL_DECIMAL ? op_to_quantity(eval, NULL, &value)
                                                     : value_null();
    case TYPE_DATETIME:
        return value.kind == CQL_DATE ? value_moment(CQL_DATETIME, value.moment) : value_null();
    case TYPE_CONCEPT:
        return value.kind == CQL_CODE ? op_to_concept(eval, NULL, &value) : value_null();
    default:
        return value_null();
    }
}

CqlValue value_convert(CqlEval *eval, CqlValue value, const CqlType *type)
{
    if (value.kind == CQL_NULL || type->kind == TYPE_ANY)
        return value;
    bool is_plain_wanted = type->kind != TYPE_FHIR && type->kind != TYPE_CLASS;
    if (value.kind == CQL_INSTANCE && is_plain_wanted && !value_is_of(value, type))
        return value_convert(eval, instance_value(eval->context.arena, value.ptr), type);
    if (value.kind == CQL_FHIR && is_plain_wanted) {
        if (type->kind == TYPE_CHOICE && value_is_of(value, type))
            return value;
        value = value_of_fhir(eval->context.arena, value_node(value));
        return value_convert(eval, value, type);
    }
    if (type->kind == TYPE_LIST)
        return value.kind == CQL_LIST ? convert_list(eval, value, type->element) : value_null();
    if (type->kind == TYPE_INTERVAL)
        return value.kind == CQL_INTERVAL ? convert_interval(eval, value, type->element)
                                          : value_null();
    if (value_is_of(value, type) || value.kind == CQL_UNCERTAINTY)
        return value;
    if (type->kind != TYPE_CHOICE)
        return convert_simple(eval, value, type);
    for (size_t i = 0; i < type->count; i++) {
        CqlValue converted = value_convert(eval, value, type->parts[i]);
        if (converted.kind != CQL_NULL)
            return converted;
    }
    return value_null();
}

OP(op_convert)
{
    return value_convert(eval, args[0], node->operand);
}

/* flags of the node: index 1 is `cast … as`, which fails where `as` gives null. */
OP(op_as)
{
    if (args[0].kind == CQL_NULL || value_is_of(args[0], node->operand) ||
        args[0].kind == CQL_UNCERTAINTY)
        return args[0];
    if (node->index == 1)
        return eval_fail(eval, ERR_EVALUATION, node, "the value is not of type %.*s",
                         STR_ARG(node->operand->text));
    return value_null();
}

OP(op_is)
{
    return value_boolean(args[0].kind != CQL_NULL && value_is_of(args[0], node->operand));
}

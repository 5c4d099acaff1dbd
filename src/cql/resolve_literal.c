/* Literals, and selectors of codes and instances. */
#include "cql/resolve_int.h"

static CqlNode *bad_literal(Resolver *r, const Ast *ast, const char *what)
{
    resolve_error(r, ast->line, ast->column, "cql-literal", "%s: '%.*s'", what, STR_ARG(ast->text));
    return NULL;
}

static CqlNode *integer_literal(Resolver *r, const Ast *ast, bool is_negated)
{
    int64_t value;
    Str text = is_negated ? str_format(r->arena, "-%.*s", STR_ARG(ast->text)) : ast->text;
    bool is_long = ast->kind == AST_LONG;
    if (!str_to_int64(text, &value) || (!is_long && (value > INT32_MAX || value < INT32_MIN)))
        return bad_literal(r, ast,
                           is_long ? "out of the range of Long" : "out of the range of Integer");
    return node_constant(r, ast, is_long ? value_long(value) : value_integer(value),
                         type_simple(r->types, is_long ? TYPE_LONG : TYPE_INTEGER));
}

static CqlNode *decimal_literal(Resolver *r, const Ast *ast)
{
    Decimal value;
    size_t point = str_find_char(ast->text, '.');
    size_t places = ast->text.len - point - 1;
    if (places > DECIMAL_PLACES)
        return bad_literal(r, ast, "more than 8 digits behind the point of a Decimal");
    if (!decimal_parse(ast->text, &value))
        return bad_literal(r, ast, "out of the range of Decimal");
    return node_constant(r, ast, value_decimal_scaled(r->arena, value, (uint16_t)places),
                         type_simple(r->types, TYPE_DECIMAL));
}

static CqlNode *moment_literal(Resolver *r, const Ast *ast)
{
    Moment moment;
    Str text = ast->text;
    bool is_time = ast->kind == AST_TIME;
    if (ast->kind == AST_DATETIME && str_ends_with(text, S("T")))
        text = str_slice(text, 0, text.len - 1);
    bool ok = is_time ? moment_parse_time(text, &moment) : moment_parse(text, &moment);
    /* FHIR has a leap second, CQL has not. */
    if (!ok || str_find(text, S(":60")) != SIZE_MAX)
        return bad_literal(r, ast, is_time ? "no such time" : "no such date");
    CqlTypeKind kind = is_time ? TYPE_TIME : ast->kind == AST_DATE ? TYPE_DATE : TYPE_DATETIME;
    const CqlType *type = type_simple(r->types, kind);
    return node_constant(r, ast, value_moment(type_value_kind(type), moment), type);
}

static bool read_quantity(Resolver *r, const Ast *ast, CqlQuantityBody *ret_quantity)
{
    if (!decimal_parse(ast->text, &ret_quantity->value)) {
        (void)bad_literal(r, ast, "out of the range of Decimal");
        return false;
    }
    bool is_calendar = (ast->flags & AST_CALENDAR) != 0;
    ret_quantity->is_calendar = is_calendar;
    ret_quantity->unit = is_calendar ? calendar_unit(quantity_precision(ast->unit)) : ast->unit;
    /* Records hold units that are none; a library may compare with them. */
    UcumProblem problem = {0};
    if (!is_calendar && !quantity_has_unit(ast->unit, &problem))
        resolve_warning(r, ast->line, ast->column, "cql-unit",
                        "'%.*s' is no unit of UCUM: '%.*s' is %s%s%.*s", STR_ARG(ast->unit),
                        STR_ARG(problem.part), problem.text,
                        problem.hint.len > 0 ? "; perhaps meant is " : "", STR_ARG(problem.hint));
    return true;
}

CqlNode *resolve_literal(Resolver *r, const Ast *ast, bool is_negated)
{
    CqlQuantityBody quantity;
    CqlRatioBody ratio;
    switch (ast->kind) {
    case AST_NULL:
        return node_constant(r, ast, value_null(), type_simple(r->types, TYPE_ANY));
    case AST_BOOLEAN:
        return node_constant(r, ast, value_boolean(ast->text.ptr[0] == 't'),
                             type_simple(r->types, TYPE_BOOLEAN));
    case AST_STRING:
        return node_constant(r, ast, value_string(ast->text), type_simple(r->types, TYPE_STRING));
    case AST_INTEGER:
    case AST_LONG:
        return integer_literal(r, ast, is_negated);
    case AST_DECIMAL:
        return decimal_literal(r, ast);
    case AST_QUANTITY:
        if (!read_quantity(r, ast, &quantity))
            return NULL;
        return node_constant(
            r, ast, value_pointer(CQL_QUANTITY, arena_copy(r->arena, &quantity, sizeof(quantity))),
            type_simple(r->types, TYPE_QUANTITY));
    case AST_RATIO:
        if (!read_quantity(r, ast->items[0], &ratio.numerator) ||
            !read_quantity(r, ast->items[1], &ratio.denominator))
            return NULL;
        return node_constant(r, ast,
                             value_pointer(CQL_RATIO, arena_copy(r->arena, &ratio, sizeof(ratio))),
                             type_simple(r->types, TYPE_RATIO));
    default:
        return moment_literal(r, ast);
    }
}

/* Code 'x' from "System" display 'd' */
static bool read_code(Resolver *r, const Ast *ast, CqlCodeBody *ret_code)
{
    CqlNode *system = resolve_expression(r, ast->items[0]);
    if (system == NULL)
        return false;
    if (!node_is_constant(system) || system->constant.kind != CQL_CODE_SYSTEM) {
        resolve_error(r, ast->line, ast->column, "cql-type",
                      "a code system is expected after from");
        return false;
    }
    const CqlVocabularyBody *body = system->constant.ptr;
    *ret_code = (CqlCodeBody){.system = body->id,
                              .has_system = true,
                              .code = ast->text,
                              .has_code = true,
                              .version = body->version,
                              .has_version = body->version.len > 0,
                              .display = ast->unit,
                              .has_display = ast->unit.len > 0};
    return true;
}

CqlNode *resolve_code_selector(Resolver *r, const Ast *ast)
{
    if (ast->kind == AST_CODE) {
        CqlCodeBody code;
        if (!read_code(r, ast, &code))
            return NULL;
        return node_constant(r, ast,
                             value_pointer(CQL_CODE, arena_copy(r->arena, &code, sizeof(code))),
                             type_simple(r->types, TYPE_CODE));
    }
    CqlConceptBody *concept = ARENA_NEW(r->arena, CqlConceptBody);
    CqlCodeBody *codes = ARENA_ARRAY(r->arena, CqlCodeBody, ast->count);
    for (size_t i = 0; i < ast->count; i++) {
        if (!read_code(r, ast->items[i], &codes[i]))
            return NULL;
    }
    *concept = (CqlConceptBody){.codes = codes,
                                .count = ast->count,
                                .display = ast->unit,
                                .has_display = ast->unit.len > 0};
    return node_constant(r, ast, value_pointer(CQL_CONCEPT, concept),
                         type_simple(r->types, TYPE_CONCEPT));
}

static bool is_constructible(const CqlType *type)
{
    switch (type->kind) {
    case TYPE_QUANTITY:
    case TYPE_RATIO:
    case TYPE_CODE:
    case TYPE_CONCEPT:
    case TYPE_VALUE_SET:
    case TYPE_CODE_SYSTEM:
        return true;
    default:
        return false;
    }
}

/* Whether a value of the type is one of a System type that stands in FHIR for another: a String for
   a FHIR.code, a list of Strings for a list of FHIR.id. */
static const CqlType *plain_type(Resolver *r, const CqlType *wanted, const CqlType *given)
{
    if (wanted->kind == TYPE_FHIR && fhir_type_is_primitive(wanted->fhir)) {
        const CqlType *value = type_of_fhir_value(r->types, wanted->fhir);
        return conversion_cost(r, given, value) >= 0 ? value : NULL;
    }
    if (wanted->kind == TYPE_LIST && given != NULL && given->kind == TYPE_LIST) {
        const CqlType *element = plain_type(r, wanted->element, given->element);
        return element == NULL ? NULL : type_list(r->types, element);
    }
    const CqlType *found = NULL;
    for (size_t i = 0; wanted->kind == TYPE_CHOICE && i < wanted->count; i++) {
        const CqlType *part = plain_type(r, wanted->parts[i], given);
        if (part == given || (part != NULL && found == NULL))
            found = part;
    }
    return found;
}

/* The argument as the element wants it; NULL when it cannot be that. */
static CqlNode *fit_element(Resolver *r, const Ast *place, CqlNode *arg, const CqlType *wanted)
{
    /* One where a list is expected is a list of one. */
    bool is_single = wanted->kind == TYPE_LIST && arg->type->kind != TYPE_LIST &&
                     arg->type->kind != TYPE_ANY && arg->type->kind != TYPE_CHOICE;
    if (is_single)
        arg = resolve_call(r, place, "ToList", arg, NULL, 0);
    if (arg == NULL)
        return NULL;
    if (type_is_subtype(arg->type, wanted))
        return arg;
    const CqlType *plain = plain_type(r, wanted, arg->type);
    if (plain != NULL)
        return node_convert(r, arg, plain);
    return conversion_cost(r, arg->type, wanted) < 0 ? NULL : node_convert(r, arg, wanted);
}

/* What the element must be; NULL, with a finding, when there is none that can be set. */
static const CqlType *settable(Resolver *r, const Ast *ast, const CqlType *type, Str name)
{
    CqlNode probe = {.run = run_slot, .type = type, .flags = NODE_IMPURE};
    if (type->kind == TYPE_FHIR && fhir_type_is_primitive(type->fhir) && str_eq(name, S("value")))
        return type_of_fhir_value(r->types, type->fhir);
    CqlNode *element = resolve_property(r, ast, &probe, name, false);
    if (element == NULL)
        return NULL;
    if (element->op == op_property_path) {
        resolve_error(r, ast->line, ast->column, "cql-element",
                      "'%.*s' of %.*s is found in more than one element: it cannot be set",
                      STR_ARG(name), STR_ARG(type->text));
        return NULL;
    }
    return element->type;
}

static bool is_given_twice(const Ast *ast, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (str_eq(ast->names[i], ast->names[at]))
            return true;
    }
    return false;
}

CqlNode *resolve_instance(Resolver *r, const Ast *ast)
{
    const CqlType *type = resolve_type(r, ast->type);
    if (type == NULL)
        return NULL;
    bool is_of_model =
        (type->kind == TYPE_FHIR || type->kind == TYPE_CLASS) && type->fhir != FHIR_TYPE_NONE;
    if (!is_of_model && !is_constructible(type)) {
        resolve_error(r, ast->line, ast->column, "cql-type", "no instances of %.*s can be made",
                      STR_ARG(type->text));
        return NULL;
    }
    CqlNode **args = ARENA_ARRAY(r->arena, CqlNode *, ast->count);
    bool failed = false;
    for (size_t i = 0; i < ast->count; i++) {
        const CqlType *wanted = settable(r, ast, type, ast->names[i]);
        CqlNode *arg = resolve_expression(r, ast->items[i]);
        args[i] = wanted == NULL || arg == NULL ? NULL : fit_element(r, ast, arg, wanted);
        failed |= args[i] == NULL;
        if (wanted != NULL && arg != NULL && args[i] == NULL)
            resolve_error(r, ast->items[i]->line, ast->items[i]->column, "cql-type",
                          "'%.*s' of %.*s is %.*s, not %.*s", STR_ARG(ast->names[i]),
                          STR_ARG(type->text), STR_ARG(wanted->text), STR_ARG(arg->type->text));
        if (is_given_twice(ast, i))
            resolve_error(r, ast->line, ast->column, "cql-element", "'%.*s' is given twice",
                          STR_ARG(ast->names[i]));
    }
    if (failed)
        return NULL;
    CqlNode *node = node_new(r, ast, run_instance, type);
    node->detail = ast->names;
    node_set_args(r, node, args, (uint32_t)ast->count);
    return node_fold(r, node);
}

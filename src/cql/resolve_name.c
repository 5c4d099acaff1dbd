/* Names: aliases, definitions, libraries, and elements of what stands before a dot. */
#include "cql/resolve_int.h"

/* The property of a sort item that has this name, or NULL without a finding. */
static CqlNode *item_element(Resolver *r, const Ast *ast, const Scope *scope)
{
    CqlNode *item = node_new(r, ast, run_slot, scope->type);
    item->index = scope->slot;
    item->flags = NODE_IMPURE;
    return resolve_property(r, ast, item, ast->text, true);
}

/* The alias, operand or let of the name. *ret_is_failed: it is one that could not be resolved. */
static CqlNode *in_scopes(Resolver *r, const Ast *ast, bool *ret_is_failed)
{
    for (const Scope *scope = r->scope; scope != NULL; scope = scope->outer) {
        if (str_eq(scope->name, ast->text)) {
            *ret_is_failed = scope->type == NULL;
            if (scope->type == NULL)
                return NULL;
            CqlNode *node = node_new(r, ast, run_slot, scope->type);
            node->index = scope->slot;
            node->flags = NODE_IMPURE;
            if (scope->is_used != NULL)
                *scope->is_used = true;
            return node;
        }
        if (scope->is_item) {
            CqlNode *element = item_element(r, ast, scope);
            if (element != NULL)
                return element;
        }
    }
    return NULL;
}

static void near_definitions(Nearest *nearest, const Library *library, bool with_private)
{
    for (size_t i = 0; library != NULL && i < library->definition_count; i++) {
        const AstDef *ast = library->definitions[i].ast;
        if (ast->kind != DEF_FUNCTION && (with_private || !ast->is_private))
            nearest_try(nearest, ast->name);
    }
}

static void report_unknown(Resolver *r, const Ast *ast)
{
    if (ast->text.len > 0 && ast->text.ptr[0] == '$') {
        const char *where = str_eq(ast->text, S("$total")) ? "in aggregate"
                            : str_eq(ast->text, S("$this"))
                                ? "in a query of one source and in sort by"
                                : "in a query of one source";
        resolve_error(r, ast->line, ast->column, "cql-name", "'%.*s' has a meaning only %s",
                      STR_ARG(ast->text), where);
        return;
    }
    Nearest nearest = nearest_to(r->arena, ast->text);
    for (const Scope *scope = r->scope; scope != NULL; scope = scope->outer)
        nearest_try(&nearest, scope->name);
    near_definitions(&nearest, r->library, true);
    resolve_error(r, ast->line, ast->column, "cql-name", "the name '%.*s' is not known here%.*s",
                  STR_ARG(ast->text), STR_ARG(nearest_text(&nearest)));
}

CqlNode *resolve_identifier(Resolver *r, const Ast *ast)
{
    bool is_failed = false;
    bool is_global = (ast->flags & AST_GLOBAL) != 0;
    CqlNode *node = is_global ? NULL : in_scopes(r, ast, &is_failed);
    if (node != NULL || is_failed)
        return node;
    Definition *definition = find_definition(r->library, ast->text);
    if (definition != NULL)
        return resolve_reference(r, ast, definition);
    if (str_eq(ast->text, S("Patient")) && str_eq(r->context, S("Patient"))) {
        node = node_new(r, ast, run_patient, patient_type(r));
        node->flags = NODE_IMPURE;
        return node;
    }
    Include include;
    if (find_include(r, ast->text, &include)) {
        if (!include.is_broken)
            resolve_error(r, ast->line, ast->column, "cql-name",
                          "'%.*s' is a library; a definition of it is expected: %.*s.name",
                          STR_ARG(ast->text), STR_ARG(ast->text));
        return NULL;
    }
    report_unknown(r, ast);
    return NULL;
}

/* A constant of the environment: what was given for a parameter of that name, with its %. */
CqlNode *resolve_constant(Resolver *r, const Ast *ast)
{
    for (size_t i = 0; i < r->options->parameter_count; i++) {
        const CqlParameter *given = &r->options->parameters[i];
        if (!str_eq(given->name, ast->text) ||
            (given->library.len > 0 && !str_eq(given->library, r->library->name)))
            continue;
        Ast *value = cql_parse_expression(r->arena, given->value, S("parameter"), r->diags);
        CqlNode *node = value == NULL ? NULL : resolve_expression(r, value);
        if (node != NULL && !node_is_constant(node)) {
            resolve_error(r, ast->line, ast->column, "cql-parameter",
                          "the value given for '%.*s' is no constant", STR_ARG(ast->text));
            return NULL;
        }
        return node == NULL ? NULL : node_constant(r, ast, node->constant, node->type);
    }
    resolve_error(r, ast->line, ast->column, "cql-parameter",
                  "nothing was given for the constant '%.*s'", STR_ARG(ast->text));
    return NULL;
}

bool is_variable(const Resolver *r, Str name)
{
    for (const Scope *scope = r->scope; scope != NULL; scope = scope->outer) {
        if (str_eq(scope->name, name))
            return true;
    }
    return false;
}

CqlNode *resolve_member(Resolver *r, const Ast *ast)
{
    const Ast *left = ast->items[0];
    Include include;
    bool is_library = left->kind == AST_IDENTIFIER &&
                      ((left->flags & AST_GLOBAL) != 0 || !is_variable(r, left->text)) &&
                      find_include(r, left->text, &include);
    if (!is_library) {
        CqlNode *object = resolve_expression(r, left);
        return object == NULL ? NULL : resolve_property(r, ast, object, ast->text, false);
    }
    if (include.is_broken)
        return NULL;
    Library *library = include.library;
    Definition *definition = library == NULL ? NULL : find_definition(library, ast->text);
    if (definition == NULL) {
        Nearest nearest = nearest_to(r->arena, ast->text);
        near_definitions(&nearest, library, false);
        resolve_error(r, ast->line, ast->column, "cql-name", "the library '%.*s' has no '%.*s'%.*s",
                      STR_ARG(left->text), STR_ARG(ast->text), STR_ARG(nearest_text(&nearest)));
        return NULL;
    }
    if (definition->ast->is_private) {
        resolve_error(r, ast->line, ast->column, "cql-access", "'%.*s' is private to '%.*s'",
                      STR_ARG(ast->text), STR_ARG(library->name));
        return NULL;
    }
    return resolve_reference(r, ast, definition);
}

/* --- elements --- */

/* The choice group whose stem is the name: `value` of valueQuantity, valueString …; 0 for none. */
static uint8_t find_choice(uint16_t type, Str name)
{
    for (uint8_t i = 1; i <= fhir_type_table[type].element_count; i++) {
        const FhirElementInfo *info = fhir_element_info((FhirType)type, i);
        if ((info->flags & FHIR_FLAG_CHOICE) != 0 && info->choice_stem == name.len &&
            memcmp(info->name, name.ptr, name.len) == 0)
            return info->choice;
    }
    return 0;
}

static const CqlType *choice_type(Resolver *r, uint16_t type, uint8_t group)
{
    const CqlType *parts[64];
    size_t count = 0;
    for (uint8_t i = 1; i <= fhir_type_table[type].element_count; i++) {
        const FhirElementInfo *info = fhir_element_info((FhirType)type, i);
        if (info->choice == group && count < COUNT_OF(parts))
            parts[count++] = type_fhir(r->types, info->type);
    }
    return type_choice(r->types, parts, count);
}

CqlNode *fhir_property(Resolver *r, const Ast *place, CqlNode *object, uint16_t type, Str name)
{
    if (fhir_type_is_primitive(type) && str_eq(name, S("value")))
        return node_operator(r, place, op_fhir_value, type_of_fhir_value(r->types, type), object);
    uint8_t element = fhir_element_by_name(type, name);
    if (element != 0) {
        const FhirElementInfo *info = fhir_element_info((FhirType)type, element);
        bool is_list = (info->flags & FHIR_FLAG_LIST) != 0;
        const CqlType *of = type_fhir(r->types, info->type);
        CqlNode *node =
            node_operator(r, place, op_property, is_list ? type_list(r->types, of) : of, object);
        node->index = element;
        node->flags |= is_list ? NODE_LIST : 0;
        return node;
    }
    uint8_t group = find_choice(type, name);
    if (group == 0)
        return NULL;
    CqlNode *node =
        node_operator(r, place, op_property_choice, choice_type(r, type, group), object);
    node->index = group;
    return node;
}

static const CqlType *element_of_system(Resolver *r, const CqlType *type, Str name)
{
    static const struct {
        CqlTypeKind owner;
        const char *name;
        const char *type;
    } elements[] = {
        {TYPE_QUANTITY, "value", "Decimal"},     {TYPE_QUANTITY, "unit", "String"},
        {TYPE_RATIO, "numerator", "Quantity"},   {TYPE_RATIO, "denominator", "Quantity"},
        {TYPE_CODE, "code", "String"},           {TYPE_CODE, "system", "String"},
        {TYPE_CODE, "version", "String"},        {TYPE_CODE, "display", "String"},
        {TYPE_CONCEPT, "codes", "List<Code>"},   {TYPE_CONCEPT, "display", "String"},
        {TYPE_VALUE_SET, "id", "String"},        {TYPE_VALUE_SET, "version", "String"},
        {TYPE_VALUE_SET, "name", "String"},      {TYPE_CODE_SYSTEM, "id", "String"},
        {TYPE_CODE_SYSTEM, "version", "String"}, {TYPE_CODE_SYSTEM, "name", "String"},
        {TYPE_INTERVAL, "lowClosed", "Boolean"}, {TYPE_INTERVAL, "highClosed", "Boolean"},
    };
    bool is_bound = str_eq(name, S("low")) || str_eq(name, S("high"));
    if (type->kind == TYPE_INTERVAL && is_bound)
        return type->element;
    for (size_t i = 0; i < COUNT_OF(elements); i++) {
        if (elements[i].owner == type->kind && str_eq(name, str_from_c(elements[i].name)))
            return type_parse(r->types, str_from_c(elements[i].type));
    }
    return NULL;
}

static CqlNode *named_node(Resolver *r, const Ast *place, CqlOperatorFn op, const CqlType *type,
                           CqlNode *object, Str name)
{
    CqlNode *node = node_operator(r, place, op, type, object);
    node->detail = arena_copy(r->arena, &name, sizeof(name));
    return node;
}

/* Whether another alternative, a class on the same FHIR type, speaks for this one too: values do
   not tell them apart, so the one of which more can be said goes first. */
static bool is_spoken_for(const CqlType *choice, const CqlNode *const *found, size_t at)
{
    for (size_t i = 0; i < choice->count; i++) {
        const CqlType *other = choice->parts[i];
        bool is_same = i != at && found[i] != NULL && other->kind == TYPE_CLASS &&
                       choice->parts[at]->kind == TYPE_CLASS &&
                       other->fhir == choice->parts[at]->fhir;
        if (!is_same)
            continue;
        bool is_wider = found[i]->type->kind == TYPE_CHOICE && found[at]->type->kind != TYPE_CHOICE;
        bool is_alike =
            (found[i]->type->kind == TYPE_CHOICE) == (found[at]->type->kind == TYPE_CHOICE);
        if (is_wider || (is_alike && i < at))
            return true;
    }
    return false;
}

/* The element of each alternative that has it, as that one maps it; at run time by what is there.
 */
static CqlNode *ladder_property(Resolver *r, const Ast *place, CqlNode *object, Str name)
{
    const CqlType *choice = object->type;
    uint32_t slot = r->frame_size++;
    CqlNode **found = ARENA_ZARRAY(r->arena, CqlNode *, choice->count);
    CqlNode **branches = ARENA_ARRAY(r->arena, CqlNode *, choice->count + 1);
    const CqlType **types = ARENA_ARRAY(r->arena, const CqlType *, choice->count);
    uint32_t count = 0;
    for (size_t i = 0; i < choice->count; i++) {
        CqlNode *one = node_new(r, place, run_slot, choice->parts[i]);
        one->index = slot;
        one->flags = NODE_IMPURE;
        found[i] = resolve_property(r, place, one, name, true);
    }
    for (size_t i = 0; i < choice->count; i++) {
        if (found[i] == NULL || is_spoken_for(choice, (const CqlNode *const *)found, i))
            continue;
        types[count] = choice->parts[i];
        branches[++count] = found[i];
    }
    if (count == 0)
        return NULL;
    const CqlType *type = common_type(r, branches + 1, count);
    for (uint32_t i = 1; i <= count; i++)
        branches[i] = node_convert(r, branches[i], type);
    branches[0] = object;
    CqlNode *node = node_new(r, place, run_ladder, type);
    node->index = slot;
    node->detail = types;
    node->flags = NODE_IMPURE;
    node_set_args(r, node, branches, count + 1);
    return node;
}

/* Whatever element of this name the alternatives have, found at run time. */
static CqlNode *choice_property(Resolver *r, const Ast *place, CqlNode *object, Str name)
{
    const CqlType *parts[64];
    size_t count = 0;
    for (size_t i = 0; i < object->type->count; i++) {
        if (object->type->parts[i]->kind == TYPE_CLASS)
            return ladder_property(r, place, object, name);
    }
    for (size_t i = 0; i < object->type->count && count < COUNT_OF(parts); i++) {
        CqlNode *probe = node_new(r, place, run_slot, object->type->parts[i]);
        probe->flags = NODE_IMPURE;
        CqlNode *one = resolve_property(r, place, probe, name, true);
        if (one != NULL)
            parts[count++] = one->type;
    }
    if (count == 0)
        return NULL;
    return named_node(r, place, op_property_named, type_choice(r->types, parts, count), object,
                      name);
}

static CqlNode *list_property(Resolver *r, const Ast *place, CqlNode *object, Str name)
{
    CqlNode *item = node_new(r, place, run_slot, object->type->element);
    item->index = r->frame_size++;
    item->flags = NODE_IMPURE;
    CqlNode *one = resolve_property(r, place, item, name, true);
    if (one == NULL)
        return NULL;
    const CqlType *type = one->type->kind == TYPE_LIST ? one->type : type_list(r->types, one->type);
    CqlNode *node = node_operator(r, place, op_property_list, type, object);
    node->index = item->index;
    node->detail = one;
    node->flags |= NODE_IMPURE;
    return node;
}

static CqlNode *tuple_property(Resolver *r, const Ast *place, CqlNode *object, Str name)
{
    const CqlType *type = object->type;
    for (uint32_t i = 0; i < type->count; i++) {
        if (str_eq(type->names[i], name)) {
            CqlNode *node = node_operator(r, place, op_property_tuple, type->parts[i], object);
            node->index = i;
            return node;
        }
    }
    return NULL;
}

static void near_elements(Nearest *nearest, const CqlType *type) /* NOLINT(misc-no-recursion) */
{
    if (type->kind == TYPE_LIST || type->kind == TYPE_INTERVAL)
        near_elements(nearest, type->element);
    for (size_t i = 0; type->kind == TYPE_CHOICE && i < type->count; i++)
        near_elements(nearest, type->parts[i]);
    for (size_t i = 0; type->kind == TYPE_TUPLE && i < type->count; i++)
        nearest_try(nearest, type->names[i]);
    for (uint8_t i = 1; type->kind == TYPE_FHIR && i <= fhir_type_table[type->fhir].element_count;
         i++) {
        const FhirElementInfo *info = fhir_element_info((FhirType)type->fhir, i);
        bool is_choice = (info->flags & FHIR_FLAG_CHOICE) != 0;
        Str name = str_from_c(info->name);
        nearest_try(nearest, is_choice ? str_slice(name, 0, info->choice_stem) : name);
    }
    for (const ModelClass *class = type->kind == TYPE_CLASS ? type->class : NULL; class != NULL;
         class = class->super) {
        for (size_t i = 0; i < class->element_count; i++)
            nearest_try(nearest, class->elements[i].name);
    }
}

static void report_no_element(Resolver *r, const Ast *place, const CqlType *type, Str name)
{
    Nearest nearest = nearest_to(r->arena, name);
    near_elements(&nearest, type);
    resolve_error(r, place->line, place->column, "cql-element", "%.*s has no element '%.*s'%.*s",
                  STR_ARG(type->text), STR_ARG(name), STR_ARG(nearest_text(&nearest)));
}

CqlNode *resolve_property(Resolver *r, const Ast *place, CqlNode *object, Str name, bool quiet)
{
    const CqlType *type = object->type;
    const CqlType *of_system = NULL;
    CqlNode *node = NULL;
    switch (type->kind) {
    case TYPE_FHIR:
        node = fhir_property(r, place, object, type->fhir, name);
        break;
    case TYPE_CLASS:
        node = class_property(r, place, object, name);
        break;
    case TYPE_CHOICE:
        node = choice_property(r, place, object, name);
        break;
    case TYPE_LIST:
        node = list_property(r, place, object, name);
        break;
    case TYPE_TUPLE:
        node = tuple_property(r, place, object, name);
        break;
    default:
        of_system = element_of_system(r, type, name);
        if (of_system != NULL)
            node = named_node(r, place, op_property_system, of_system, object, name);
    }
    if (node == NULL && !quiet)
        report_no_element(r, place, type, name);
    return node == NULL ? NULL : node_fold(r, node);
}

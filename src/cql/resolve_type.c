/* Type specifiers, implicit conversions and what they cost. */
#include "cql/resolve_int.h"

static const CqlType *fhir_by_name(Resolver *r, Str name)
{
    uint16_t fhir = model_fhir_type(name);
    if (fhir != FHIR_TYPE_NONE)
        return type_fhir(r->types, fhir);
    /* The codes of one element are a class of their own in model info: FHIR.ObservationStatus. */
    return find_class(r, S("FHIR"), name);
}

static const CqlType *named_type(Resolver *r, const AstType *type)
{
    const CqlType *found = NULL;
    if (str_eq(type->model, S("System"))) {
        found = type_system(r->types, type->name);
    } else if (str_eq(type->model, S("FHIR"))) {
        found = fhir_by_name(r, type->name);
    } else {
        Str name = type->name;
        if (type->model.len > 0)
            found = find_class(r, type->model, name);
        /* Not a model but the first part of a name: Observation.Component. */
        if (found == NULL && type->model.len > 0)
            name = str_format(r->arena, "%.*s.%.*s", STR_ARG(type->model), STR_ARG(name));
        if (found == NULL)
            found = find_class(r, S(""), name);
        if (found == NULL)
            found = type_system(r->types, name);
    }
    if (found == NULL)
        resolve_error(r, type->line, type->column, "cql-type", "the type '%.*s%s%.*s' is not known",
                      STR_ARG(type->model), type->model.len > 0 ? "." : "", STR_ARG(type->name));
    return found;
}

const CqlType *resolve_type(Resolver *r, const AstType *type)
{
    if (type->kind == AST_TYPE_NAMED)
        return named_type(r, type);
    const CqlType **parts = ARENA_ARRAY(r->arena, const CqlType *, type->count);
    for (size_t i = 0; i < type->count; i++) {
        parts[i] = resolve_type(r, type->parts[i]);
        if (parts[i] == NULL)
            return NULL;
    }
    switch (type->kind) {
    case AST_TYPE_LIST:
        return type_list(r->types, parts[0]);
    case AST_TYPE_INTERVAL:
        return type_interval(r->types, parts[0]);
    case AST_TYPE_TUPLE:
        return type_tuple(r->types, type->names, parts, type->count);
    default:
        return type_choice(r->types, parts, type->count);
    }
}

const CqlType *system_type_of(Resolver *r, const CqlType *type)
{
    if (type->kind != TYPE_FHIR)
        return type;
    const CqlType *value = type_of_fhir_value(r->types, type->fhir);
    return value == NULL ? type : value;
}

/* Implicit conversions between System types (CQL author's guide, "Implicit conversions"). */
static int simple_cost(CqlTypeKind from, CqlTypeKind to)
{
    if (from == TYPE_INTEGER && to == TYPE_LONG)
        return 4;
    if (from == TYPE_INTEGER && to == TYPE_DECIMAL)
        return 5;
    if (from == TYPE_LONG && to == TYPE_DECIMAL)
        return 4;
    if (from == TYPE_DATE && to == TYPE_DATETIME)
        return 4;
    if (from == TYPE_CODE && to == TYPE_CONCEPT)
        return 4;
    bool is_number = from == TYPE_INTEGER || from == TYPE_LONG || from == TYPE_DECIMAL;
    return is_number && to == TYPE_QUANTITY ? 7 : -1;
}

static int choice_cost(Resolver *r, const CqlType *from, const CqlType *to)
{
    int best = -1;
    for (size_t i = 0; i < from->count; i++) {
        int cost = conversion_cost(r, from->parts[i], to);
        if (cost >= 0 && (best < 0 || cost < best))
            best = cost;
    }
    return best < 0 ? -1 : best + 3;
}

static int to_choice_cost(Resolver *r, const CqlType *from, const CqlType *to)
{
    int best = -1;
    for (size_t i = 0; i < to->count; i++) {
        int cost = conversion_cost(r, from, to->parts[i]);
        if (cost >= 0 && (best < 0 || cost < best))
            best = cost;
    }
    return best < 0 ? -1 : best + 1;
}

int conversion_cost(Resolver *r, const CqlType *from, const CqlType *to)
{
    if (from == to)
        return 0;
    if (from->kind == TYPE_ANY)
        return 2;
    if (type_is_subtype(from, to))
        return 1;
    if (from->kind == TYPE_CHOICE)
        return choice_cost(r, from, to);
    if (to->kind == TYPE_CHOICE)
        return to_choice_cost(r, from, to);
    if (from->kind == TYPE_FHIR && to->kind != TYPE_CLASS) {
        const CqlType *value = type_of_fhir_value(r->types, from->fhir);
        int cost = value == NULL ? -1 : conversion_cost(r, value, to);
        return cost < 0 ? -1 : cost + 5;
    }
    /* A class is a view on its FHIR type, which it stands for where one of another model is
       wanted. */
    bool are_nodes = (from->kind == TYPE_CLASS || from->kind == TYPE_FHIR) &&
                     (to->kind == TYPE_CLASS || to->kind == TYPE_FHIR);
    if (are_nodes &&
        (from->class == NULL || to->class == NULL || from->class->model != to->class->model)) {
        const CqlType a = {.kind = TYPE_FHIR, .fhir = from->fhir};
        const CqlType b = {.kind = TYPE_FHIR, .fhir = to->fhir};
        return type_is_subtype(&a, &b) ? 4 : -1;
    }
    bool same_shape =
        from->kind == to->kind && (from->kind == TYPE_LIST || from->kind == TYPE_INTERVAL);
    if (same_shape) {
        int cost = conversion_cost(r, from->element, to->element);
        return cost < 0 ? -1 : cost + 1;
    }
    return simple_cost(from->kind, to->kind);
}

CqlNode *node_convert(Resolver *r, CqlNode *node, const CqlType *to)
{
    if (node->type == to || type_is_subtype(node->type, to))
        return node;
    if (node_is_constant(node) && node->constant.kind == CQL_NULL) {
        CqlNode *null = node_new(r, NULL, run_constant, to);
        null->line = node->line;
        null->column = node->column;
        null->range = node->range;
        return null;
    }
    bool is_fhir =
        node->type->kind == TYPE_FHIR && type_of_fhir_value(r->types, node->type->fhir) == to;
    CqlNode *outer = node_operator(r, NULL, is_fhir ? op_fhir_value : op_convert, to, node);
    outer->line = node->line;
    outer->column = node->column;
    outer->range = node->range;
    outer->operand = to;
    outer->flags |= NODE_UNCERTAIN | NODE_IMPLICIT;
    return node_fold(r, outer);
}

/* Whether every value of the type can become one of the other: of a choice, each alternative must.
 */
static bool becomes(Resolver *r, const CqlType *from, const CqlType *to)
{
    bool has_choice = from->kind == TYPE_CHOICE || to->kind == TYPE_CHOICE;
    return has_choice ? type_is_subtype(from, to) : conversion_cost(r, from, to) >= 0;
}

const CqlType *common_type(Resolver *r, CqlNode *const *nodes, size_t count)
{
    const CqlType *common = type_simple(r->types, TYPE_ANY);
    for (size_t i = 0; i < count; i++) {
        const CqlType *type = nodes[i]->type;
        if (common->kind == TYPE_ANY) {
            common = type;
        } else if (type->kind != TYPE_ANY && !becomes(r, type, common)) {
            const CqlType *both[2] = {common, type};
            common = becomes(r, common, type) ? type : type_choice(r->types, both, 2);
        }
    }
    return common;
}

bool types_meet(const CqlType *a, const CqlType *b) /* NOLINT(misc-no-recursion) */
{
    if (a->kind == TYPE_ANY || b->kind == TYPE_ANY || type_is_subtype(a, b) ||
        type_is_subtype(b, a))
        return true;
    const CqlType *choice = a->kind == TYPE_CHOICE ? a : b;
    const CqlType *other = choice == a ? b : a;
    for (size_t i = 0; choice->kind == TYPE_CHOICE && i < choice->count; i++) {
        if (types_meet(choice->parts[i], other))
            return true;
    }
    bool is_view = (a->kind == TYPE_CLASS && (b->kind == TYPE_CLASS || b->kind == TYPE_FHIR)) ||
                   (b->kind == TYPE_CLASS && a->kind == TYPE_FHIR);
    if (is_view)
        return a->fhir == b->fhir || a->fhir == FHIR_TYPE_NONE || b->fhir == FHIR_TYPE_NONE ||
               !fhir_type_is_resource((FhirType)a->fhir) ||
               !fhir_type_is_resource((FhirType)b->fhir);
    if (a->kind != b->kind || (a->kind != TYPE_LIST && a->kind != TYPE_INTERVAL))
        return a->kind == TYPE_TUPLE && b->kind == TYPE_TUPLE && a->count == b->count;
    return types_meet(a->element, b->element);
}

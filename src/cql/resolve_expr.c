/* Expressions: one function for each kind of syntax node, and how nodes are made and folded. */
#include "cql/resolve_int.h"

/* --- nodes --- */

CqlNode *node_new(Resolver *r, const Ast *place, CqlRunFn run, const CqlType *type)
{
    CqlNode *node = ARENA_NEW(r->arena, CqlNode);
    node->run = run;
    node->type = type;
    if (place != NULL) {
        node->line = place->line;
        node->column = place->column;
        node->range = (CqlRange){place->range.line, place->range.column, place->range.end_line,
                                 place->range.end_column};
    }
    return node;
}

CqlNode *node_constant(Resolver *r, const Ast *place, CqlValue value, const CqlType *type)
{
    CqlNode *node = node_new(r, place, run_constant, type);
    node->constant = value;
    return node;
}

void node_set_args(Resolver *r, CqlNode *node, CqlNode *const *args, uint32_t count)
{
    node->args = ARENA_ARRAY(r->arena, CqlNode *, count);
    for (uint32_t i = 0; i < count; i++)
        node->args[i] = args[i];
    node->count = count;
}

CqlNode *node_operator(Resolver *r, const Ast *place, CqlOperatorFn op, const CqlType *type,
                       CqlNode *arg)
{
    CqlNode *node = node_new(r, place, run_operator, type);
    node->op = op;
    node_set_args(r, node, &arg, 1);
    return node;
}

void node_keep(Resolver *r, CqlNode *node, NodeForm form)
{
    if (r->keeps_forms)
        node->form = arena_copy(r->arena, &form, sizeof(form));
}

bool node_is_constant(const CqlNode *node)
{
    return node->run == run_constant;
}

bool node_is_null(const CqlNode *node)
{
    return node_is_constant(node) && node->constant.kind == CQL_NULL;
}

CqlNode *node_fold(Resolver *r, CqlNode *node)
{
    if (node_is_constant(node) || (node->flags & NODE_IMPURE) != 0)
        return node;
    for (uint32_t i = 0; i < node->count; i++) {
        if (node->args[i] != NULL && !node_is_constant(node->args[i]))
            return node;
    }
    CqlEval *eval = &r->folding;
    eval->failed = false;
    eval->steps = 0;
    eval->steps_max = eval->steps_free = 100000;
    CqlValue value = eval_node(eval, node);
    /* What fails now fails the same way for each person who needs it. */
    if (eval->failed)
        return node;
    CqlNode *folded = node_new(r, NULL, run_constant, node->type);
    folded->constant = value;
    node_keep(r, folded, (NodeForm){.whole = node});
    folded->line = node->line;
    folded->column = node->column;
    folded->range = node->range;
    return folded;
}

/* --- single kinds --- */

static CqlNode *to_boolean(Resolver *r, const Ast *ast, CqlNode *node)
{
    const CqlType *boolean = type_simple(r->types, TYPE_BOOLEAN);
    if (node == NULL)
        return NULL;
    if (conversion_cost(r, node->type, boolean) < 0) {
        resolve_error(r, ast->line, ast->column, "cql-type", "a Boolean is expected, not %.*s",
                      STR_ARG(node->type->text));
        return NULL;
    }
    return node_convert(r, node, boolean);
}

static CqlNode *logic(Resolver *r, const Ast *ast, CqlRunFn run)
{
    CqlNode *args[2];
    for (size_t i = 0; i < 2; i++)
        args[i] = to_boolean(r, ast->items[i], resolve_expression(r, ast->items[i]));
    if (args[0] == NULL || args[1] == NULL)
        return NULL;
    CqlNode *node = node_new(r, ast, run, type_simple(r->types, TYPE_BOOLEAN));
    node_set_args(r, node, args, 2);
    return node_fold(r, node);
}

/* exists [Type: codes] needs the directory only. */
static CqlNode *exists_retrieve(Resolver *r, const Ast *ast, const CqlNode *arg)
{
    const PlanRetrieve *retrieve = &r->plan->retrieves.items[arg->index];
    if (retrieve->has_codes && !retrieve->by_directory)
        return NULL;
    CqlNode *node = node_new(r, ast, run_exists_retrieve, type_simple(r->types, TYPE_BOOLEAN));
    node->index = arg->index;
    node->flags = NODE_IMPURE;
    node_keep(r, node, (NodeForm){.whole = arg});
    return node;
}

/* `x = null` is never true: whoever writes it mostly means `x is null`. */
static void warn_null_literal(Resolver *r, const Ast *ast, const CqlNode *node)
{
    bool has_literal = false;
    for (size_t i = 0; i < ast->count; i++)
        has_literal |= ast->items[i]->kind == AST_NULL;
    if (node == NULL || !has_literal)
        return;
    bool is_null = node_is_null(node);
    for (uint32_t i = 0; i < node->count && (node->flags & NODE_STRICT) != 0; i++)
        is_null |= node_is_null(node->args[i]);
    if (!is_null)
        return;
    bool is_comparison = str_ends_with(ast->text, S("Equal")) || str_eq(ast->text, S("Less")) ||
                         str_eq(ast->text, S("Greater"));
    resolve_warning(r, ast->line, ast->column, "cql-null", "%.*s with null can only be null%s",
                    STR_ARG(ast->text), is_comparison ? "; 'is null' asks for it" : "");
}

static CqlNode *resolve_ast_operator(Resolver *r, const Ast *ast)
{
    static const struct {
        const char *name;
        CqlRunFn run;
    } lazy[] = {{"And", run_and}, {"Or", run_or}, {"Implies", run_implies}};
    for (size_t i = 0; i < COUNT_OF(lazy); i++) {
        if (str_eq(ast->text, str_from_c(lazy[i].name)))
            return logic(r, ast, lazy[i].run);
    }
    if (str_eq(ast->text, S("Negate")) &&
        (ast->items[0]->kind == AST_INTEGER || ast->items[0]->kind == AST_LONG))
        return resolve_literal(r, ast->items[0], true);
    CqlNode **args = ARENA_ARRAY(r->arena, CqlNode *, ast->count);
    bool failed = false;
    for (size_t i = 0; i < ast->count; i++) {
        args[i] = resolve_expression(r, ast->items[i]);
        failed |= args[i] == NULL;
    }
    if (failed)
        return NULL;
    if (str_eq(ast->text, S("Exists")) && args[0]->run == run_retrieve) {
        CqlNode *node = exists_retrieve(r, ast, args[0]);
        if (node != NULL)
            return node;
    }
    Call call = {.name = ast->text,
                 .place = ast,
                 .args = args,
                 .count = (uint32_t)ast->count,
                 .precision = ast->precision};
    CqlNode *node = resolve_system_function(r, &call);
    warn_null_literal(r, ast, node);
    return node;
}

static CqlNode *resolve_if(Resolver *r, const Ast *ast)
{
    CqlNode *args[3];
    for (size_t i = 0; i < 3; i++)
        args[i] = resolve_expression(r, ast->items[i]);
    args[0] = to_boolean(r, ast->items[0], args[0]);
    if (args[0] == NULL || args[1] == NULL || args[2] == NULL)
        return NULL;
    const CqlType *type = common_type(r, args + 1, 2);
    args[1] = node_convert(r, args[1], type);
    args[2] = node_convert(r, args[2], type);
    CqlNode *node = node_new(r, ast, run_if, type);
    node_set_args(r, node, args, 3);
    return node_fold(r, node);
}

/* Brings the comparand and all `when` values to one type, or the `when` conditions to Boolean. */
static bool convert_whens(Resolver *r, const Ast *ast, CqlNode **args)
{
    size_t count = 0;
    CqlNode **compared = ARENA_ARRAY(r->arena, CqlNode *, ast->count);
    if (args[0] == NULL) {
        for (size_t i = 1; i + 1 < ast->count; i += 2) {
            args[i] = to_boolean(r, ast->items[i], args[i]);
            if (args[i] == NULL)
                return false;
        }
        return true;
    }
    compared[count++] = args[0];
    for (size_t i = 1; i + 1 < ast->count; i += 2)
        compared[count++] = args[i];
    const CqlType *type = common_type(r, compared, count);
    args[0] = node_convert(r, args[0], type);
    for (size_t i = 1; i + 1 < ast->count; i += 2)
        args[i] = node_convert(r, args[i], type);
    return true;
}

static CqlNode *resolve_case(Resolver *r, const Ast *ast)
{
    CqlNode **args = ARENA_ZARRAY(r->arena, CqlNode *, ast->count);
    CqlNode **results = ARENA_ARRAY(r->arena, CqlNode *, ast->count);
    size_t count = 0;
    bool failed = false;
    for (size_t i = 0; i < ast->count; i++) {
        if (ast->items[i] == NULL)
            continue;
        args[i] = resolve_expression(r, ast->items[i]);
        failed |= args[i] == NULL;
        bool is_result = (i > 0 && i % 2 == 0) || i + 1 == ast->count;
        if (is_result)
            results[count++] = args[i];
    }
    if (failed || !convert_whens(r, ast, args))
        return NULL;
    const CqlType *type = common_type(r, results, count);
    for (size_t i = 1; i < ast->count; i++) {
        if (i % 2 == 0 || i + 1 == ast->count)
            args[i] = node_convert(r, args[i], type);
    }
    CqlNode *node = node_new(r, ast, run_case, type);
    node_set_args(r, node, args, (uint32_t)ast->count);
    return node_fold(r, node);
}

static CqlNode *resolve_list(Resolver *r, const Ast *ast)
{
    const CqlType *element = ast->type == NULL ? NULL : resolve_type(r, ast->type);
    CqlNode **args = ARENA_ARRAY(r->arena, CqlNode *, ast->count);
    if (ast->type != NULL && element == NULL)
        return NULL;
    bool failed = false;
    for (size_t i = 0; i < ast->count; i++) {
        args[i] = resolve_expression(r, ast->items[i]);
        failed |= args[i] == NULL;
    }
    if (failed)
        return NULL;
    if (element == NULL)
        element = common_type(r, args, ast->count);
    for (size_t i = 0; i < ast->count; i++) {
        if (conversion_cost(r, args[i]->type, element) < 0) {
            resolve_error(r, ast->items[i]->line, ast->items[i]->column, "cql-type",
                          "an item of type %.*s is expected, not %.*s", STR_ARG(element->text),
                          STR_ARG(args[i]->type->text));
            return NULL;
        }
        args[i] = node_convert(r, args[i], element);
    }
    CqlNode *node = node_new(r, ast, run_list, type_list(r->types, element));
    node_set_args(r, node, args, (uint32_t)ast->count);
    return node_fold(r, node);
}

static CqlNode *resolve_tuple(Resolver *r, const Ast *ast)
{
    CqlNode **given = ARENA_ARRAY(r->arena, CqlNode *, ast->count);
    const CqlType **types = ARENA_ARRAY(r->arena, const CqlType *, ast->count);
    bool failed = false;
    for (size_t i = 0; i < ast->count; i++) {
        given[i] = resolve_expression(r, ast->items[i]);
        failed |= given[i] == NULL;
        types[i] = given[i] == NULL ? NULL : given[i]->type;
    }
    if (failed)
        return NULL;
    const CqlType *type = type_tuple(r->types, ast->names, types, ast->count);
    CqlNode **args = ARENA_ARRAY(r->arena, CqlNode *, type->count);
    for (size_t i = 0; i < type->count; i++) {
        for (size_t j = ast->count; j-- > 0;) {
            if (str_eq(type->names[i], ast->names[j]))
                args[i] = given[j];
        }
    }
    CqlNode *node = node_new(r, ast, run_tuple, type);
    node_set_args(r, node, args, (uint32_t)type->count);
    return node_fold(r, node);
}

static bool is_ordered(const CqlType *type) /* NOLINT(misc-no-recursion): one level */
{
    switch (type->kind) {
    case TYPE_ANY:
    case TYPE_INTEGER:
    case TYPE_LONG:
    case TYPE_DECIMAL:
    case TYPE_QUANTITY:
    case TYPE_STRING:
    case TYPE_DATE:
    case TYPE_DATETIME:
    case TYPE_TIME:
        return true;
    case TYPE_CHOICE:
        for (size_t i = 0; i < type->count; i++) {
            if (type->parts[i]->kind == TYPE_CHOICE || !is_ordered(type->parts[i]))
                return false;
        }
        return true;
    default:
        return false;
    }
}

static CqlNode *resolve_interval(Resolver *r, const Ast *ast)
{
    CqlNode *args[4];
    for (size_t i = 0; i < 2; i++) {
        args[i] = resolve_expression(r, ast->items[i]);
        if (args[i] == NULL)
            return NULL;
    }
    const CqlType *point = system_type_of(r, common_type(r, args, 2));
    if (!is_ordered(point)) {
        resolve_error(r, ast->line, ast->column, "cql-type", "no interval of %.*s can be made",
                      STR_ARG(point->text));
        return NULL;
    }
    for (size_t i = 0; i < 2; i++)
        args[i] = node_convert(r, args[i], point);
    CqlNode *node = node_new(r, ast, run_interval, type_interval(r->types, point));
    node->operand = point;
    node->index = ((ast->flags & AST_LOW_CLOSED) != 0 ? 1U : 0U) |
                  ((ast->flags & AST_HIGH_CLOSED) != 0 ? 2U : 0U);
    if (ast->count == 4) {
        const CqlType *boolean = type_simple(r->types, TYPE_BOOLEAN);
        for (size_t i = 2; i < 4; i++) {
            bool closed = (node->index & (i == 2 ? 1U : 2U)) != 0;
            args[i] = ast->items[i] == NULL
                          ? node_constant(r, ast, value_boolean(closed), boolean)
                          : to_boolean(r, ast->items[i], resolve_expression(r, ast->items[i]));
            if (args[i] == NULL)
                return NULL;
        }
    }
    node_set_args(r, node, args, ast->count == 4 ? 4 : 2);
    return node_fold(r, node);
}

static CqlNode *resolve_is_as(Resolver *r, const Ast *ast)
{
    CqlNode *arg = resolve_expression(r, ast->items[0]);
    const CqlType *type = resolve_type(r, ast->type);
    if (arg == NULL || type == NULL)
        return NULL;
    bool is_as = ast->kind == AST_AS;
    /* Primitives that were made have forgotten their FHIR type: what is known now counts. */
    if (type->kind == TYPE_FHIR && arg->type->kind == TYPE_FHIR && type_is_subtype(arg->type, type))
        return is_as ? arg
                     : resolve_call(r, ast, "Not", resolve_call(r, ast, "IsNull", arg, NULL, 0),
                                    NULL, 0);
    if (!types_meet(arg->type, type))
        resolve_warning(r, ast->line, ast->column, "cql-null", "%.*s is never %.*s: this is %s",
                        STR_ARG(arg->type->text), STR_ARG(type->text),
                        !is_as                           ? "false"
                        : (ast->flags & AST_STRICT) != 0 ? "an error"
                                                         : "null");
    CqlNode *node = node_operator(r, ast, is_as ? op_as : op_is,
                                  is_as ? type : type_simple(r->types, TYPE_BOOLEAN), arg);
    node->operand = type;
    node->index = is_as && (ast->flags & AST_STRICT) != 0;
    node->flags |= NODE_UNCERTAIN;
    return node_fold(r, node);
}

static CqlNode *resolve_convert(Resolver *r, const Ast *ast)
{
    CqlNode *arg = resolve_expression(r, ast->items[0]);
    if (arg == NULL)
        return NULL;
    if (ast->type == NULL) {
        CqlNode *unit =
            node_constant(r, ast, value_string(ast->unit), type_simple(r->types, TYPE_STRING));
        return resolve_call(r, ast, "ConvertQuantity", arg, unit, 0);
    }
    const CqlType *type = resolve_type(r, ast->type);
    if (type == NULL)
        return NULL;
    if (conversion_cost(r, arg->type, type) >= 0)
        return node_convert(r, arg, type);
    size_t dot = str_find_char(type->text, '.');
    const char *name =
        str_to_c(r->arena, str_format(r->arena, "To%.*s",
                                      STR_ARG(str_slice(type->text, dot + 1, type->text.len))));
    return resolve_call(r, ast, name, arg, NULL, 0);
}

static CqlNode *resolve_extreme(Resolver *r, const Ast *ast)
{
    const CqlType *type = resolve_type(r, ast->type);
    if (type == NULL)
        return NULL;
    CqlValue value = value_extreme(r->arena, type, (ast->flags & AST_MAXIMUM) != 0);
    if (value.kind == CQL_NULL) {
        resolve_error(r, ast->line, ast->column, "cql-type", "%.*s has no minimum and maximum",
                      STR_ARG(type->text));
        return NULL;
    }
    return node_constant(r, ast, value, type);
}

static CqlNode *resolve_kind(Resolver *r, const Ast *ast)
{
    switch (ast->kind) {
    case AST_INTERVAL:
        return resolve_interval(r, ast);
    case AST_LIST:
        return resolve_list(r, ast);
    case AST_TUPLE:
        return resolve_tuple(r, ast);
    case AST_INSTANCE:
        return resolve_instance(r, ast);
    case AST_CODE:
    case AST_CONCEPT:
        return resolve_code_selector(r, ast);
    case AST_IDENTIFIER:
        return resolve_identifier(r, ast);
    case AST_MEMBER:
        return resolve_member(r, ast);
    case AST_FUNCTION:
        return resolve_function(r, ast);
    case AST_OPERATOR:
        return resolve_ast_operator(r, ast);
    case AST_PHRASE:
        return resolve_phrase(r, ast);
    case AST_IS:
    case AST_AS:
        return resolve_is_as(r, ast);
    case AST_CONVERT:
        return resolve_convert(r, ast);
    case AST_EXTREME:
        return resolve_extreme(r, ast);
    case AST_IF:
        return resolve_if(r, ast);
    case AST_CASE:
        return resolve_case(r, ast);
    case AST_RETRIEVE:
        return resolve_retrieve(r, ast);
    case AST_QUERY:
        return resolve_query(r, ast);
    case AST_SPECIAL:
        return resolve_constant(r, ast);
    default:
        return resolve_literal(r, ast, false);
    }
}

/* Some forms are resolved twice to learn a type; nested ones must not go on for ever. */
enum { RESOLVED_MAX = 2000000 };

CqlNode *resolve_expression(Resolver *r, const Ast *ast)
{
    if (ast->kind == AST_ERROR)
        return NULL;
    if (r->depth >= PLAN_DEPTH_MAX) {
        resolve_error(r, ast->line, ast->column, "cql-limit",
                      "expressions and definitions are more than %d within one another",
                      PLAN_DEPTH_MAX);
        return NULL;
    }
    if (++r->resolved > RESOLVED_MAX) {
        if (r->resolved == RESOLVED_MAX + 1)
            resolve_error(r, ast->line, ast->column, "cql-limit",
                          "resolving takes more than %d steps", RESOLVED_MAX);
        return NULL;
    }
    r->depth++;
    if (r->depth > r->deepest)
        r->deepest = r->depth;
    CqlNode *node = resolve_kind(r, ast);
    r->depth--;
    return node;
}

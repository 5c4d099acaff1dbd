/*
 * Libraries: their includes, their definitions, and the plan made of them.
 */
#include "cql/resolve_int.h"

#include <stdarg.h>
#include <stdio.h>

struct CqlLibraries {
    Arena *arena;
    Vec(const AstLibrary *) items;
    Vec(const Model *) models; /* beside those of the engine */
};

/* --- findings --- */

static void report(Resolver *r, Severity severity, uint32_t line, uint32_t column, const char *rule,
                   const char *text)
{
    Diag diag = {.severity = severity,
                 .line = line,
                 .column = column,
                 .rule = str_from_c(rule),
                 .file = r->library != NULL ? r->library->ast->file : S("")};
    diag_addf(r->diags, diag, "%s", text);
}

void resolve_error(Resolver *r, uint32_t line, uint32_t column, const char *rule,
                   const char *format, ...)
{
    char text[1200];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    str_mend_cut(text);
    report(r, SEVERITY_ERROR, line, column, rule, text);
}

/* Some expressions are resolved twice: each warning is given once. */
static bool is_told(const Resolver *r, uint32_t line, uint32_t column, const char *text)
{
    size_t count = r->diags->kept.count;
    for (size_t i = count; i > 0 && i + 8 > count; i--) {
        const Diag *diag = &r->diags->kept.items[i - 1];
        if (diag->line == line && diag->column == column && str_eq(diag->text, str_from_c(text)))
            return true;
    }
    return false;
}

void resolve_warning(Resolver *r, uint32_t line, uint32_t column, const char *rule,
                     const char *format, ...)
{
    char text[1200];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    str_mend_cut(text);
    if (is_told(r, line, column, text))
        return;
    report(r, SEVERITY_WARNING, line, column, rule, text);
}

/* --- libraries --- */

CqlLibraries *cql_libraries_create(Arena *arena)
{
    CqlLibraries *libraries = ARENA_NEW(arena, CqlLibraries);
    libraries->arena = arena;
    return libraries;
}

static bool add_library(CqlLibraries *libraries, const AstLibrary *library, DiagList *diags)
{
    for (size_t i = 0; i < libraries->items.count; i++) {
        const AstLibrary *other = libraries->items.items[i];
        if (library->name.len > 0 && str_eq(other->name, library->name) &&
            str_eq(other->version, library->version)) {
            Diag diag = {.severity = SEVERITY_ERROR,
                         .line = 1,
                         .rule = S("cql-library"),
                         .file = library->file};
            diag_addf(diags, diag, "the library '%.*s' version '%.*s' is there already, from %.*s",
                      STR_ARG(library->name), STR_ARG(library->version), STR_ARG(other->file));
            return false;
        }
    }
    /* One with syntax errors stays known by its name, so that what includes it is told the truth.
     */
    VEC_PUSH(libraries->arena, &libraries->items, library);
    return !library->has_errors;
}

bool cql_libraries_add(CqlLibraries *libraries, Str source, Str file, DiagList *diags)
{
    Str text = str_copy(libraries->arena, source);
    const AstLibrary *library =
        cql_read_library(libraries->arena, text, str_copy(libraries->arena, file), diags);
    return add_library(libraries, library, diags);
}

bool cql_libraries_add_as(CqlLibraries *libraries, Str source, Str file, Str version,
                          DiagList *diags)
{
    Str text = str_copy(libraries->arena, source);
    const AstLibrary *parsed =
        cql_read_library(libraries->arena, text, str_copy(libraries->arena, file), diags);
    AstLibrary *library = arena_copy(libraries->arena, parsed, sizeof(*parsed));
    library->version = str_copy(libraries->arena, version);
    return add_library(libraries, library, diags);
}

bool cql_libraries_add_model(CqlLibraries *libraries, Str table, Str file, DiagList *diags)
{
    Str text = str_copy(libraries->arena, table);
    const Model *model =
        model_read(libraries->arena, text, str_copy(libraries->arena, file), diags);
    if (model == NULL)
        return false;
    VEC_PUSH(libraries->arena, &libraries->models, model);
    return true;
}

size_t cql_libraries_count(const CqlLibraries *libraries)
{
    return libraries->items.count;
}

Str cql_libraries_name(const CqlLibraries *libraries, size_t index)
{
    return libraries->items.items[index]->name;
}

Str cql_libraries_version(const CqlLibraries *libraries, size_t index)
{
    return libraries->items.items[index]->version;
}

static bool is_answered(const CqlLibraries *libraries, const AstImport *import, Str own_namespace)
{
    for (size_t i = 0; i < libraries->items.count; i++) {
        const AstLibrary *library = libraries->items.items[i];
        if (import_fit(import, own_namespace, library->name) > 0 &&
            (import->version.len == 0 || str_eq(library->version, import->version)))
            return true;
    }
    return import_is_helpers(import);
}

bool cql_libraries_missing(const CqlLibraries *libraries, size_t *at, Str *ret_name,
                           Str *ret_version)
{
    size_t passed = 0;
    for (size_t i = 0; i < libraries->items.count; i++) {
        const AstLibrary *library = libraries->items.items[i];
        for (size_t j = 0; j < library->include_count; j++, passed++) {
            const AstImport *import = &library->includes[j];
            if (passed < *at || is_answered(libraries, import, library_namespace(library->name)))
                continue;
            *at = passed + 1;
            *ret_name = import->name;
            *ret_version = import->version;
            return true;
        }
    }
    return false;
}

bool cql_libraries_has_parameter(const CqlLibraries *libraries, Str name)
{
    for (size_t i = 0; i < libraries->items.count; i++) {
        const AstLibrary *library = libraries->items.items[i];
        for (size_t j = 0; j < library->def_count; j++)
            if (library->defs[j].kind == DEF_PARAMETER && str_eq(library->defs[j].name, name))
                return true;
    }
    return false;
}

size_t cql_libraries_parameters(const CqlLibraries *libraries, Arena *arena, Str library,
                                const Str **ret_names)
{
    Vec(Str) names = {0};
    for (size_t i = 0; i < libraries->items.count; i++) {
        const AstLibrary *each = libraries->items.items[i];
        if (library.len > 0 && !str_eq(each->name, library))
            continue;
        for (size_t j = 0; j < each->def_count; j++)
            if (each->defs[j].kind == DEF_PARAMETER)
                VEC_PUSH(arena, &names, each->defs[j].name);
    }
    *ret_names = names.items;
    return names.count;
}

bool find_include(Resolver *r, Str alias, Include *ret_include)
{
    for (size_t i = 0; i < r->library->ast->include_count; i++) {
        const AstImport *import = &r->library->ast->includes[i];
        if (!str_eq(import->alias, alias))
            continue;
        Library *library = r->library->includes[i];
        bool is_helpers = library == NULL && import_is_helpers(import);
        *ret_include =
            (Include){.library = library,
                      .is_broken = library == NULL ? !is_helpers : library->ast->has_errors};
        return true;
    }
    return false;
}

Definition *find_definition(Library *library, Str name)
{
    uint64_t index;
    return map_find(&library->by_name, name, &index) ? &library->definitions[index] : NULL;
}

static void set_up_library(Resolver *r, Library *library, const AstLibrary *ast)
{
    *library = (Library){.ast = ast, .name = ast->name, .version = ast->version};
    library->definitions = ARENA_ZARRAY(r->arena, Definition, ast->def_count);
    map_init(&library->by_name, r->arena);
    library->includes = ARENA_ZARRAY(r->arena, Library *, ast->include_count);
    /* What could be read of a library with syntax errors would only give follow-on errors. */
    if (ast->has_errors)
        return;
    library->definition_count = ast->def_count;
    r->library = library;
    for (size_t i = 0; i < ast->def_count; i++) {
        Definition *definition = &library->definitions[i];
        definition->ast = &ast->defs[i];
        definition->library = library;
        if (ast->defs[i].kind == DEF_FUNCTION)
            continue;
        bool is_new;
        (void)map_intern(&library->by_name, ast->defs[i].name, i, &is_new);
        if (!is_new)
            resolve_error(r, ast->defs[i].line, ast->defs[i].column, "cql-name",
                          "'%.*s' is defined twice", STR_ARG(ast->defs[i].name));
    }
    find_models(r, library);
}

static void resolve_operand_types(Resolver *r, Library *library)
{
    r->library = library;
    for (size_t i = 0; i < library->definition_count; i++) {
        Definition *definition = &library->definitions[i];
        const AstDef *ast = definition->ast;
        if (ast->kind != DEF_FUNCTION)
            continue;
        const CqlType **operands = ARENA_ARRAY(r->arena, const CqlType *, ast->operand_count);
        bool ok = true;
        for (size_t j = 0; j < ast->operand_count; j++) {
            operands[j] = resolve_type(r, ast->operand_types[j]);
            ok &= operands[j] != NULL;
        }
        definition->operands = ok ? operands : NULL;
    }
}

/* --- terminology --- */

static CqlNode *constant_of(Resolver *r, const Definition *definition, CqlKind kind,
                            const void *body, CqlTypeKind type)
{
    const Ast place = {.line = definition->ast->line, .column = definition->ast->column};
    return node_constant(r, &place, value_pointer(kind, body), type_simple(r->types, type));
}

static CqlNode *resolve_value_set(Resolver *r, const Definition *definition)
{
    const AstDef *ast = definition->ast;
    CqlVocabularyBody *body = ARENA_NEW(r->arena, CqlVocabularyBody);
    *body = (CqlVocabularyBody){.id = ast->id, .version = ast->version, .name = ast->name};
    if (r->options->value_sets != NULL) {
        Str canonical = ast->version.len == 0 ? ast->id
                                              : str_format(r->arena, "%.*s|%.*s", STR_ARG(ast->id),
                                                           STR_ARG(ast->version));
        body->set = value_sets_find(r->options->value_sets, canonical);
        if (body->set == NULL)
            resolve_error(r, ast->line, ast->column, "cql-value-set",
                          "the value set '%.*s' is missing or unusable", STR_ARG(canonical));
        else if (r->plan->dict != NULL)
            body->bound = value_set_bind(body->set, r->plan->dict, r->arena);
    }
    return constant_of(r, definition, CQL_VALUE_SET, body, TYPE_VALUE_SET);
}

static CqlNode *resolve_code(Resolver *r, const Definition *definition)
{
    const AstDef *ast = definition->ast;
    CqlNode *system = resolve_expression(r, ast->system);
    if (system == NULL)
        return NULL;
    if (!node_is_constant(system) || system->constant.kind != CQL_CODE_SYSTEM) {
        resolve_error(r, ast->line, ast->column, "cql-type",
                      "a code system is expected after from");
        return NULL;
    }
    const CqlVocabularyBody *vocabulary = system->constant.ptr;
    CqlCodeBody *code = ARENA_NEW(r->arena, CqlCodeBody);
    *code = (CqlCodeBody){.system = vocabulary->id,
                          .has_system = true,
                          .code = ast->id,
                          .has_code = true,
                          .version = vocabulary->version,
                          .has_version = vocabulary->version.len > 0,
                          .display = ast->display,
                          .has_display = ast->display.len > 0};
    return constant_of(r, definition, CQL_CODE, code, TYPE_CODE);
}

static CqlNode *resolve_concept(Resolver *r, const Definition *definition)
{
    const AstDef *ast = definition->ast;
    CqlCodeBody *codes = ARENA_ARRAY(r->arena, CqlCodeBody, ast->code_count);
    for (size_t i = 0; i < ast->code_count; i++) {
        CqlNode *code = resolve_expression(r, ast->codes[i]);
        if (code == NULL)
            return NULL;
        if (!node_is_constant(code) || code->constant.kind != CQL_CODE) {
            resolve_error(r, ast->line, ast->column, "cql-type", "a code is expected in a concept");
            return NULL;
        }
        codes[i] = *(const CqlCodeBody *)code->constant.ptr;
    }
    CqlConceptBody *concept = ARENA_NEW(r->arena, CqlConceptBody);
    *concept = (CqlConceptBody){.codes = codes,
                                .count = ast->code_count,
                                .display = ast->display,
                                .has_display = ast->display.len > 0};
    return constant_of(r, definition, CQL_CONCEPT, concept, TYPE_CONCEPT);
}

/* --- parameters --- */

static const CqlParameter *supplied(const Resolver *r, const Definition *definition)
{
    for (size_t i = 0; i < r->options->parameter_count; i++) {
        const CqlParameter *parameter = &r->options->parameters[i];
        if (str_eq(parameter->name, definition->ast->name) &&
            (parameter->library.len == 0 || str_eq(parameter->library, definition->library->name)))
            return parameter;
    }
    return NULL;
}

static CqlNode *resolve_parameter(Resolver *r, const Definition *definition)
{
    const AstDef *ast = definition->ast;
    const CqlType *type = ast->type == NULL ? NULL : resolve_type(r, ast->type);
    const CqlParameter *given = supplied(r, definition);
    const Ast *value = ast->body;
    const Ast place = {.kind = AST_NULL, .line = ast->line, .column = ast->column};
    if (ast->type != NULL && type == NULL)
        return NULL;
    if (given != NULL)
        value = cql_parse_expression(r->arena, given->value, S("parameter"), r->diags);
    if (given != NULL && value == NULL)
        return NULL;
    if (value == NULL) {
        resolve_warning(r, ast->line, ast->column, "cql-parameter",
                        "the parameter '%.*s' has no value: it is null", STR_ARG(ast->name));
        value = &place;
    }
    CqlNode *node = resolve_expression(r, value);
    if (node == NULL)
        return NULL;
    if (type != NULL && conversion_cost(r, node->type, type) < 0) {
        resolve_error(r, ast->line, ast->column, "cql-parameter",
                      "the parameter '%.*s' is %.*s and cannot be %.*s", STR_ARG(ast->name),
                      STR_ARG(type->text), STR_ARG(node->type->text));
        return NULL;
    }
    node = type == NULL ? node : node_convert(r, node, type);
    if (!node_is_constant(node)) {
        resolve_error(r, ast->line, ast->column, "cql-parameter",
                      "the value of the parameter '%.*s' is no constant", STR_ARG(ast->name));
        return NULL;
    }
    return node;
}

/* --- definitions --- */

/* What of the resolver belongs to the definition in hand. */
typedef struct {
    Library *library;
    Str context;
    const Scope *scope;
    uint32_t frame_size;
    uint32_t deepest;
    DiagList *diags;
} Focus;

static Focus take_focus(Resolver *r, const Definition *definition)
{
    Focus before = {r->library, r->context, r->scope, r->frame_size, r->deepest, r->diags};
    r->diags = r->findings;
    r->library = definition->library;
    r->context = definition->ast->context;
    r->scope = NULL;
    r->frame_size = 0;
    r->deepest = r->depth;
    return before;
}

static void give_back(Resolver *r, const Focus *focus)
{
    r->library = focus->library;
    r->context = focus->context;
    r->scope = focus->scope;
    r->frame_size = focus->frame_size;
    r->deepest = focus->deepest;
    r->diags = focus->diags;
}

static uint16_t fhir_behind(const CqlType *type)
{
    bool is_fhir = type->kind == TYPE_FHIR || type->kind == TYPE_CLASS;
    return is_fhir ? type->fhir : (uint16_t)FHIR_TYPE_NONE;
}

static bool define_expression(Resolver *r, Definition *definition)
{
    PlanDefinition *plan = r->plan->definitions.items[definition->index];
    CqlNode *body = resolve_expression(r, definition->ast->body);
    if (body == NULL)
        return false;
    plan->body = body;
    plan->frame_size = r->frame_size;
    plan->levels = r->deepest - r->depth;
    plan->facts.type = body->type->text;
    plan->facts.is_boolean = body->type->kind == TYPE_BOOLEAN;
    plan->facts.is_list = body->type->kind == TYPE_LIST;
    plan->facts.item_type = plan->facts.is_list ? fhir_behind(body->type->element) : FHIR_TYPE_NONE;
    plan->facts.is_usable = true;
    definition->type = body->type;
    if (node_is_constant(body))
        definition->constant = body;
    return true;
}

static bool define_function(Resolver *r, Definition *definition)
{
    const AstDef *ast = definition->ast;
    if (definition->operands == NULL)
        return false;
    for (size_t i = 0; i < ast->operand_count; i++) {
        Scope *scope = ARENA_NEW(r->arena, Scope);
        *scope = (Scope){.outer = r->scope,
                         .name = ast->operand_names[i],
                         .type = definition->operands[i],
                         .slot = r->frame_size++};
        r->scope = scope;
    }
    PlanFunction *function = ARENA_NEW(r->arena, PlanFunction);
    definition->function = function;
    CqlNode *body = resolve_expression(r, ast->body);
    const CqlType *type = ast->type == NULL || body == NULL ? NULL : resolve_type(r, ast->type);
    if (body == NULL || (ast->type != NULL && type == NULL))
        return false;
    if (type != NULL && conversion_cost(r, body->type, type) < 0) {
        resolve_error(r, ast->line, ast->column, "cql-type", "the function returns %.*s, not %.*s",
                      STR_ARG(body->type->text), STR_ARG(type->text));
        return false;
    }
    body = type == NULL ? body : node_convert(r, body, type);
    *function = (PlanFunction){.body = body,
                               .frame_size = r->frame_size,
                               .levels = r->deepest - r->depth,
                               .operand_count = (uint32_t)ast->operand_count,
                               .name = ast->name,
                               .operands = definition->operands,
                               .facts = {.library = definition->library->name,
                                         .version = definition->library->version,
                                         .name = ast->name,
                                         .operand_count = ast->operand_count,
                                         .type = body->type->text,
                                         .file = definition->library->ast->file,
                                         .line = ast->line}};
    if (ast->operand_count > 0) {
        function->facts.operand = definition->operands[0]->text;
        function->facts.operand_type = fhir_behind(definition->operands[0]);
    }
    VEC_PUSH(r->arena, &r->plan->bodies, body);
    definition->type = body->type;
    return true;
}

static bool define_external(Resolver *r, Definition *definition)
{
    const AstDef *ast = definition->ast;
    if (ast->type == NULL)
        resolve_error(r, ast->line, ast->column, "cql-external",
                      "the external function '%.*s' must say what it returns", STR_ARG(ast->name));
    if (ast->operand_count > OPERANDS_MAX)
        resolve_error(r, ast->line, ast->column, "cql-external",
                      "an external function has no more than %d operands", OPERANDS_MAX);
    definition->type = ast->type == NULL ? NULL : resolve_type(r, ast->type);
    return definition->type != NULL && definition->operands != NULL &&
           ast->operand_count <= OPERANDS_MAX;
}

static bool define(Resolver *r, Definition *definition)
{
    CqlNode *node = NULL;
    CqlVocabularyBody *body;
    switch (definition->ast->kind) {
    case DEF_EXPRESSION:
        return define_expression(r, definition);
    case DEF_FUNCTION:
        return definition->ast->is_external ? define_external(r, definition)
                                            : define_function(r, definition);
    case DEF_PARAMETER:
        node = resolve_parameter(r, definition);
        break;
    case DEF_CODE_SYSTEM:
        body = ARENA_NEW(r->arena, CqlVocabularyBody);
        *body = (CqlVocabularyBody){.id = definition->ast->id,
                                    .version = definition->ast->version,
                                    .name = definition->ast->name};
        node = constant_of(r, definition, CQL_CODE_SYSTEM, body, TYPE_CODE_SYSTEM);
        break;
    case DEF_VALUE_SET:
        node = resolve_value_set(r, definition);
        break;
    case DEF_CODE:
        node = resolve_code(r, definition);
        break;
    case DEF_CONCEPT:
        node = resolve_concept(r, definition);
        break;
    }
    definition->constant = node;
    definition->type = node == NULL ? NULL : node->type;
    return node != NULL;
}

/* Names the whole ring, from the definition that was asked for again back to it. */
static void report_cycle(Resolver *r, const Definition *again)
{
    const Definition *ring[16];
    size_t count = 0;
    StrBuf text;
    strbuf_init(&text, r->arena, 0);
    const Definition *at = r->resolving;
    for (; at != again && count < COUNT_OF(ring); at = at->outer)
        ring[count++] = at;
    strbuf_printf(&text, "'%.*s' refers to itself: %.*s", STR_ARG(again->ast->name),
                  STR_ARG(again->ast->name));
    if (at != again)
        strbuf_add(&text, S(" -> …"));
    for (size_t i = count; i > 0; i--)
        strbuf_printf(&text, " -> %.*s", STR_ARG(ring[i - 1]->ast->name));
    Library *library = r->library;
    r->library = again->library;
    resolve_error(r, again->ast->line, again->ast->column, "cql-cycle", "%.*s -> %.*s",
                  STR_ARG(strbuf_str(&text)), STR_ARG(again->ast->name));
    r->library = library;
}

bool resolve_definition(Resolver *r, Definition *definition)
{
    if (definition->state == STATE_RESOLVING) {
        report_cycle(r, definition);
        return false;
    }
    if (definition->state != STATE_UNTOUCHED)
        return definition->state == STATE_DONE;
    definition->state = STATE_RESOLVING;
    definition->outer = r->resolving;
    r->resolving = definition;
    Focus focus = take_focus(r, definition);
    bool ok = define(r, definition);
    give_back(r, &focus);
    r->resolving = definition->outer;
    definition->state = ok ? STATE_DONE : STATE_FAILED;
    return ok;
}

bool is_unfiltered(Str context)
{
    return str_eq(context, S("Unfiltered")) || str_eq(context, S("Population"));
}

CqlNode *resolve_reference(Resolver *r, const Ast *place, Definition *definition)
{
    if (!resolve_definition(r, definition))
        return NULL;
    /* From Unfiltered, a definition of persons means the list of its values for all of them. */
    if (definition->constant == NULL && is_unfiltered(r->context) &&
        str_eq(definition->ast->context, S("Patient"))) {
        resolve_error(
            r, place->line, place->column, "cql-context",
            "in the context Unfiltered '%.*s' would be of all persons; a record is of one",
            STR_ARG(definition->ast->name));
        return NULL;
    }
    CqlNode *node;
    if (definition->constant != NULL) {
        const CqlNode *constant = definition->constant;
        node = node_constant(r, place, constant->constant, constant->type);
    } else {
        node = node_new(r, place, run_definition, definition->type);
        node->index = definition->index;
        node->flags = NODE_IMPURE;
    }
    node_keep(r, node, (NodeForm){.definition = definition});
    return node;
}

/* Numbers the expression definitions of a library in the order of its text. */
static void number_definitions(Resolver *r, Library *library)
{
    for (size_t i = 0; i < library->definition_count; i++) {
        Definition *definition = &library->definitions[i];
        const AstDef *ast = definition->ast;
        if (ast->kind != DEF_EXPRESSION)
            continue;
        PlanDefinition *plan = ARENA_NEW(r->arena, PlanDefinition);
        plan->facts = (CqlDefinition){.library = library->name,
                                      .version = library->version,
                                      .name = ast->name,
                                      .type = S(""),
                                      .is_unfiltered = is_unfiltered(ast->context),
                                      .file = library->ast->file,
                                      .line = ast->line};
        definition->index = (uint32_t)r->plan->definitions.count;
        VEC_PUSH(r->arena, &r->plan->definitions, plan);
    }
}

/* The evaluation moment down to the millisecond and with an offset. */
static Moment whole_moment(Moment now)
{
    if (now.year == 0)
        now = (Moment){.year = 1970, .month = 1, .day = 1};
    now.precision = PRECISION_MILLISECOND;
    if (now.offset_minutes == OFFSET_NONE)
        now.offset_minutes = 0;
    return now;
}

static CqlPlan *new_plan(Arena *arena, const CqlPlanOptions *options)
{
    CqlPlan *plan = ARENA_NEW(arena, CqlPlan);
    plan->arena = arena;
    plan->types = type_table_create(arena);
    plan->dict = options->dict;
    plan->value_sets = options->value_sets;
    plan->now = whole_moment(options->now);
    plan->steps_max = options->steps_max == 0 ? LIMIT_CQL_STEPS : options->steps_max;
    return plan;
}

static bool is_root(const Resolver *r, const Definition *definition)
{
    const Library *library = definition->library;
    for (size_t i = 0; i < r->options->root_count; i++) {
        const CqlRoot *root = &r->options->roots[i];
        if (str_eq_ignoring_case(root->name, definition->ast->name) &&
            str_eq(root->library, library->name) &&
            (root->version.len == 0 || str_eq(root->version, library->version)))
            return true;
    }
    return false;
}

/* Resolves what the plan is for; the rest is resolved when something refers to it. */
static void resolve_wanted(Resolver *r, Definition *definition)
{
    if (r->options->roots == NULL) {
        (void)resolve_definition(r, definition);
        return;
    }
    bool is_code = definition->ast->kind == DEF_EXPRESSION || definition->ast->kind == DEF_FUNCTION;
    if (is_code && is_root(r, definition) && resolve_definition(r, definition) &&
        definition->function != NULL)
        VEC_PUSH(r->arena, &r->plan->functions, definition->function);
}

ErrorCode resolve_libraries(Resolver *r, const CqlLibraries *libraries, Error *err)
{
    size_t errors = r->diags->counts[SEVERITY_ERROR];
    r->plan = new_plan(r->arena, r->options);
    r->types = r->plan->types;
    r->folding = eval_for_folding(r->plan);
    for (size_t i = 0; i < libraries->models.count; i++)
        VEC_PUSH(r->arena, &r->models, libraries->models.items[i]);
    r->library_count = libraries->items.count;
    r->libraries = ARENA_ZARRAY(r->arena, Library, r->library_count);
    for (size_t i = 0; i < r->library_count; i++)
        set_up_library(r, &r->libraries[i], libraries->items.items[i]);
    for (size_t i = 0; i < r->library_count; i++) {
        if (!r->libraries[i].ast->has_errors)
            resolve_includes(r, &r->libraries[i]);
        resolve_operand_types(r, &r->libraries[i]);
        number_definitions(r, &r->libraries[i]);
    }
    check_include_cycles(r);
    for (size_t i = 0; i < r->library_count; i++) {
        for (size_t j = 0; j < r->libraries[i].definition_count; j++)
            resolve_wanted(r, &r->libraries[i].definitions[j]);
    }
    if (r->options->roots == NULL && r->diags->counts[SEVERITY_ERROR] != errors)
        return error_set(err, ERR_DOCUMENT, "the CQL libraries have %zu errors",
                         r->diags->counts[SEVERITY_ERROR] - errors);
    return ERR_OK;
}

ErrorCode cql_plan_create(Arena *arena, const CqlLibraries *libraries,
                          const CqlPlanOptions *options, DiagList *diags, CqlPlan **ret_plan,
                          Error *err)
{
    Resolver r = {.arena = arena, .options = options, .diags = diags, .findings = diags};
    ErrorCode code = resolve_libraries(&r, libraries, err);
    if (code != ERR_OK)
        return code;
    CqlPlan *plan = r.plan;
    plan_number_nodes(plan);
    plan_find_presence(plan);
    plan_find_needs(plan);
    if (!options->keeps_wide)
        plan_narrow_retrieves(plan);
    *ret_plan = plan;
    return ERR_OK;
}

ErrorCode cql_eval_expression(Arena *arena, Str expression, const CqlPlanOptions *options,
                              DiagList *diags, StrBuf *out, Error *err)
{
    CqlLibraries *libraries = cql_libraries_create(arena);
    AstLibrary *library = ARENA_NEW(arena, AstLibrary);
    AstDef *definition = ARENA_NEW(arena, AstDef);
    Ast *body = cql_parse_expression(arena, str_copy(arena, expression), S("expression"), diags);
    if (body == NULL)
        return error_set(err, ERR_DOCUMENT, "the expression has syntax errors");
    *definition =
        (AstDef){.kind = DEF_EXPRESSION, .name = S("expression"), .body = body, .context = S("")};
    *library = (AstLibrary){.file = S("expression"), .defs = definition, .def_count = 1};
    VEC_PUSH(arena, &libraries->items, library);
    CqlPlan *plan;
    ErrorCode code = cql_plan_create(arena, libraries, options, diags, &plan, err);
    if (code != ERR_OK)
        return code;
    CqlEval *eval = cql_eval_create(plan);
    CqlValue value;
    cql_eval_begin_unfiltered(eval);
    code = cql_eval_definition(eval, 0, &value, err);
    if (code == ERR_OK)
        cql_value_format(value, out);
    cql_eval_destroy(eval);
    return code;
}

/* --- looking into a plan --- */

size_t cql_plan_definition_count(const CqlPlan *plan)
{
    return plan->definitions.count;
}

const CqlDefinition *cql_plan_definition(const CqlPlan *plan, size_t definition)
{
    ASSERT(definition < plan->definitions.count);
    return &plan->definitions.items[definition]->facts;
}

size_t cql_plan_function_count(const CqlPlan *plan)
{
    return plan->functions.count;
}

const CqlFunction *cql_plan_function(const CqlPlan *plan, size_t function)
{
    ASSERT(function < plan->functions.count);
    return &plan->functions.items[function]->facts;
}

bool cql_plan_find(const CqlPlan *plan, Str library, Str definition, size_t *ret_definition)
{
    return cql_plan_find_version(plan, library, S(""), definition, ret_definition);
}

bool cql_plan_find_version(const CqlPlan *plan, Str library, Str version, Str definition,
                           size_t *ret_definition)
{
    const CqlDefinition *best = NULL;
    for (size_t i = 0; i < plan->definitions.count; i++) {
        const CqlDefinition *facts = &plan->definitions.items[i]->facts;
        bool fits = str_eq(facts->name, definition) &&
                    (library.len == 0 || str_eq(facts->library, library)) &&
                    (version.len == 0 || str_eq(facts->version, version));
        if (!fits)
            continue;
        bool is_higher = best != NULL && str_eq(facts->library, best->library) &&
                         version_compare(facts->version, best->version) > 0;
        if (best == NULL || is_higher) {
            best = facts;
            *ret_definition = i;
        }
    }
    return best != NULL;
}

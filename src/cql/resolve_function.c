/*
 * Calls of functions: of the library in hand, of included ones, external ones, and those of System.
 */
#include "cql/resolve_int.h"

/* The cheapest functions of a name: of two as cheap in one library none is the one. */
typedef struct {
    Definition *best;
    Definition *equal; /* as cheap as the best, in the same library; or NULL */
    int cost;          /* -1 while there is none */
    uint32_t fitting;
} Candidates;

static bool is_of_name(const AstDef *ast, Str name)
{
    return ast->kind == DEF_FUNCTION && str_eq(ast->name, name);
}

static void look_in(Resolver *r, Library *library, const Call *call, bool fluent_only,
                    Candidates *candidates)
{
    for (size_t i = 0; i < library->definition_count; i++) {
        Definition *definition = &library->definitions[i];
        const AstDef *ast = definition->ast;
        bool is_candidate = is_of_name(ast, call->name) && ast->operand_count == call->count &&
                            (!fluent_only || ast->is_fluent) &&
                            (!ast->is_private || library == r->library);
        if (!is_candidate || definition->operands == NULL)
            continue;
        int cost = call_cost(r, call->args, definition->operands, call->count);
        if (cost < 0)
            continue;
        candidates->fitting++;
        bool is_cheaper = candidates->best == NULL || cost < candidates->cost;
        if (is_cheaper) {
            candidates->best = definition;
            candidates->equal = NULL;
            candidates->cost = cost;
        } else if (cost == candidates->cost && candidates->best->library == library) {
            candidates->equal = definition;
        }
    }
}

static void add_signature(StrBuf *out, const Definition *definition)
{
    strbuf_printf(out, "%s%.*s(", out->len > 0 ? ", " : "", STR_ARG(definition->ast->name));
    for (size_t i = 0; i < definition->ast->operand_count; i++)
        strbuf_printf(out, "%s%.*s", i > 0 ? ", " : "", STR_ARG(definition->operands[i]->text));
    strbuf_add_char(out, ')');
}

static const CqlExternal *find_external(const Resolver *r, const Definition *definition)
{
    for (size_t i = 0; i < r->options->external_count; i++) {
        const CqlExternal *external = &r->options->externals[i];
        if (str_eq(external->name, definition->ast->name) &&
            (external->library.len == 0 || str_eq(external->library, definition->library->name)) &&
            external->operand_count == definition->ast->operand_count)
            return external;
    }
    return NULL;
}

static CqlNode *call_external(Resolver *r, const Call *call, const Definition *definition)
{
    const CqlExternal *external = find_external(r, definition);
    if (external == NULL) {
        resolve_error(r, call->place->line, call->place->column, "cql-external",
                      "the external function '%.*s' with %zu operands has not been supplied",
                      STR_ARG(call->name), definition->ast->operand_count);
        return NULL;
    }
    CqlNode *node = node_new(r, call->place, run_external, definition->type);
    node->detail = external;
    return node;
}

static CqlNode *call_function(Resolver *r, const Call *call, Definition *definition)
{
    if (!resolve_definition(r, definition))
        return NULL;
    CqlNode *node = NULL;
    if (definition->ast->is_external) {
        node = call_external(r, call, definition);
        if (node == NULL)
            return NULL;
    } else {
        node = node_new(r, call->place, run_function, definition->type);
        node_keep(r, node, (NodeForm){.definition = definition});
        node->detail = definition->function;
    }
    CqlNode **args = ARENA_ARRAY(r->arena, CqlNode *, call->count);
    for (uint32_t i = 0; i < call->count; i++)
        args[i] = node_convert(r, call->args[i], definition->operands[i]);
    node->flags = NODE_IMPURE;
    node_set_args(r, node, args, call->count);
    return node;
}

/* The call of what was found. Where a choice fits several functions by its alternatives, each
   alternative goes to its own. */
static CqlNode *call_found(Resolver *r, const Call *call, const Candidates *found,
                           ResolveCallFn *again)
{
    if (found->fitting > 1) {
        size_t choice = partial_choice(r, call, found->best->operands);
        CqlNode *ladder = choice == SIZE_MAX ? NULL : resolve_ladder(r, call, choice, again);
        if (ladder != NULL)
            return ladder;
    }
    if (found->equal != NULL) {
        StrBuf text;
        strbuf_init(&text, r->arena, 0);
        add_signature(&text, found->best);
        add_signature(&text, found->equal);
        Str types = call_types(r, call);
        resolve_error(r, call->place->line, call->place->column, "cql-ambiguous",
                      "the call of '%.*s' with (%.*s) may mean each of %.*s", STR_ARG(call->name),
                      STR_ARG(types), STR_ARG(strbuf_str(&text)));
        return NULL;
    }
    return call_function(r, call, found->best);
}

/* Functions of the name, whatever they take: for the finding. */
static void report_no_function(Resolver *r, const Call *call, const Library *library)
{
    enum { SHOWN_MAX = 6 };
    StrBuf text;
    strbuf_init(&text, r->arena, 0);
    Nearest nearest = nearest_to(r->arena, call->name);
    size_t count = 0;
    bool is_private = false;
    for (size_t i = 0; i < library->definition_count; i++) {
        const Definition *definition = &library->definitions[i];
        const AstDef *ast = definition->ast;
        bool is_hidden = ast->is_private && library != r->library;
        if (ast->kind == DEF_FUNCTION && !is_hidden)
            nearest_try(&nearest, ast->name);
        if (!is_of_name(ast, call->name))
            continue;
        is_private |= is_hidden;
        if (!is_hidden && definition->operands != NULL && count++ < SHOWN_MAX)
            add_signature(&text, definition);
    }
    Str types = call_types(r, call);
    if (count > 0)
        resolve_error(r, call->place->line, call->place->column, "cql-overload",
                      "'%.*s' does not take (%.*s); expected %.*s%s", STR_ARG(call->name),
                      STR_ARG(types), STR_ARG(strbuf_str(&text)), count > SHOWN_MAX ? " …" : "");
    else if (is_private)
        resolve_error(r, call->place->line, call->place->column, "cql-access",
                      "'%.*s' is private to '%.*s'", STR_ARG(call->name), STR_ARG(library->name));
    else
        resolve_error(r, call->place->line, call->place->column, "cql-name",
                      "the library '%.*s' has no function '%.*s'%.*s", STR_ARG(library->name),
                      STR_ARG(call->name), STR_ARG(nearest_text(&nearest)));
}

static bool has_function(const Library *library, Str name)
{
    for (size_t i = 0; i < library->definition_count; i++) {
        if (is_of_name(library->definitions[i].ast, name))
            return true;
    }
    return false;
}

/* call->library says which. */
static CqlNode *call_in_library(Resolver *r, const Call *call)
{
    Candidates found = {.cost = -1};
    look_in(r, call->library, call, false, &found);
    if (found.best != NULL)
        return call_found(r, call, &found, call_in_library);
    report_no_function(r, call, call->library);
    return NULL;
}

static CqlNode *resolve_coalesce(Resolver *r, const Call *call)
{
    if (call->count == 1) {
        Call list = *call;
        list.name = S("CoalesceList");
        return resolve_operator(r, &list);
    }
    if (call->count > 5) {
        resolve_error(r, call->place->line, call->place->column, "cql-overload",
                      "Coalesce takes at most five arguments, or one list of any length");
        return NULL;
    }
    const CqlType *type = common_type(r, call->args, call->count);
    for (uint32_t i = 0; i < call->count; i++)
        call->args[i] = node_convert(r, call->args[i], type);
    CqlNode *node = node_new(r, call->place, run_coalesce, type);
    node_set_args(r, node, call->args, call->count);
    return node_fold(r, node);
}

/* AgeInYears(), AgeInYearsAt(d), CalculateAgeInYears(b), CalculateAgeInYearsAt(b, d) and so on for
   the other precisions. NULL with *ret_is_age false when the name is none of these. */
static CqlNode *resolve_age(Resolver *r, const Call *call, bool *ret_is_age)
{
    Str name = call->name;
    bool calculates = str_starts_with(name, S("CalculateAgeIn"));
    bool is_at = str_ends_with(name, S("At"));
    size_t lead = calculates ? 14 : 5;
    *ret_is_age = calculates || str_starts_with(name, S("AgeIn"));
    if (!*ret_is_age)
        return NULL;
    Str word = str_slice(name, lead, name.len - lead - (is_at ? 2 : 0));
    static const char *const words[] = {"",        "Years",   "Months",       "Days", "Hours",
                                        "Minutes", "Seconds", "Milliseconds", "Weeks"};
    Call age = *call;
    age.precision = 0;
    for (size_t i = 1; i < COUNT_OF(words); i++) {
        if (str_eq(word, str_from_c(words[i])))
            age.precision = (uint8_t)i;
    }
    *ret_is_age = age.precision != 0;
    if (!*ret_is_age)
        return NULL;
    CqlNode *args[OPERANDS_MAX];
    age.args = args;
    age.name = is_at ? S("AgeAt") : S("Age");
    age.count = 0;
    if (!calculates) {
        CqlNode *patient = node_new(r, call->place, run_patient, patient_type(r));
        patient->flags = NODE_IMPURE;
        args[age.count++] = resolve_property(r, call->place, patient, S("birthDate"), false);
    }
    for (uint32_t i = 0; i < call->count && age.count < OPERANDS_MAX; i++)
        args[age.count++] = call->args[i];
    return resolve_operator(r, &age);
}

static Str capitalised(Resolver *r, Str name)
{
    Str copy = str_copy(r->arena, name);
    bool is_small = copy.len > 0 && copy.ptr[0] >= 'a' && copy.ptr[0] <= 'z';
    return is_small
               ? str_format(r->arena, "%c%.*s", copy.ptr[0] - 32, (int)copy.len - 1, copy.ptr + 1)
               : copy;
}

/* FHIRHelpers.ToValue: of each alternative its System value, where FHIRHelpers has one. */
static CqlNode *resolve_to_value(Resolver *r, const Call *call)
{
    const CqlType *type = call->args[0]->type;
    size_t count = type->kind == TYPE_CHOICE ? type->count : 1;
    const CqlType **parts = ARENA_ARRAY(r->arena, const CqlType *, count);
    for (size_t i = 0; i < count; i++)
        parts[i] = system_type_of(r, type->kind == TYPE_CHOICE ? type->parts[i] : type);
    return node_operator(r, call->place, op_fhir_or_value, type_choice(r->types, parts, count),
                         call->args[0]);
}

CqlNode *resolve_system_function(Resolver *r, const Call *call)
{
    if (str_eq(call->name, S("ToValue")) && call->count == 1)
        return resolve_to_value(r, call);
    if (str_eq(call->name, S("Coalesce")) && call->count > 0)
        return resolve_coalesce(r, call);
    if (operator_exists(r, call->name))
        return resolve_operator(r, call);
    Nearest nearest = nearest_to(r->arena, call->name);
    for (size_t i = 0; i < r->library->definition_count; i++) {
        if (r->library->definitions[i].ast->kind == DEF_FUNCTION)
            nearest_try(&nearest, r->library->definitions[i].ast->name);
    }
    for (size_t i = 0; operator_table[i].name != NULL; i++)
        nearest_try(&nearest, str_from_c(operator_table[i].name));
    resolve_error(r, call->place->line, call->place->column, "cql-name",
                  "there is no function '%.*s'%.*s", STR_ARG(call->name),
                  STR_ARG(nearest_text(&nearest)));
    return NULL;
}

static bool has_broken_include(Resolver *r)
{
    Include include;
    for (size_t i = 0; i < r->library->ast->include_count; i++) {
        if (find_include(r, r->library->ast->includes[i].alias, &include) && include.is_broken)
            return true;
    }
    return false;
}

/* Says whether there are fluent functions of the name for others, or none at all. */
static void report_no_fluent(Resolver *r, const Call *call)
{
    StrBuf text;
    strbuf_init(&text, r->arena, 0);
    Nearest nearest = nearest_to(r->arena, call->name);
    for (size_t i = 0; i <= r->library->ast->include_count; i++) {
        const Library *library = i == 0 ? r->library : r->library->includes[i - 1];
        for (size_t j = 0; library != NULL && j < library->definition_count; j++) {
            const Definition *definition = &library->definitions[j];
            const AstDef *ast = definition->ast;
            bool is_here = ast->is_fluent && (!ast->is_private || library == r->library);
            if (is_here)
                nearest_try(&nearest, ast->name);
            if (is_here && is_of_name(ast, call->name) && definition->operands != NULL &&
                text.len < 400)
                add_signature(&text, definition);
        }
    }
    Str types = call_types(r, call);
    if (text.len == 0 && has_broken_include(r))
        return; /* it may be defined there */
    if (text.len > 0)
        resolve_error(r, call->place->line, call->place->column, "cql-overload",
                      "'%.*s' does not take (%.*s); expected %.*s", STR_ARG(call->name),
                      STR_ARG(types), STR_ARG(strbuf_str(&text)));
    else
        resolve_error(r, call->place->line, call->place->column, "cql-name",
                      "there is no fluent function '%.*s' for %.*s%.*s", STR_ARG(call->name),
                      STR_ARG(types), STR_ARG(nearest_text(&nearest)));
}

static CqlNode *call_fluent(Resolver *r, const Call *call)
{
    Candidates found = {.cost = -1};
    look_in(r, r->library, call, true, &found);
    for (size_t i = 0; i < r->library->ast->include_count; i++) {
        Library *library = r->library->includes[i];
        if (library != NULL)
            look_in(r, library, call, true, &found);
    }
    if (found.best != NULL)
        return call_found(r, call, &found, call_fluent);
    Call system = *call;
    if (!operator_exists(r, system.name))
        system.name = capitalised(r, call->name);
    if (operator_exists(r, system.name))
        return resolve_system_function(r, &system);
    report_no_fluent(r, call);
    return NULL;
}

static CqlNode *call_plain(Resolver *r, const Call *call)
{
    Candidates found = {.cost = -1};
    look_in(r, r->library, call, false, &found);
    if (found.best != NULL)
        return call_found(r, call, &found, call_plain);
    bool is_age;
    CqlNode *age = resolve_age(r, call, &is_age);
    if (is_age)
        return age;
    /* A function of one's own does not hide the System functions of its name. */
    if (has_function(r->library, call->name) && !operator_exists(r, call->name)) {
        report_no_function(r, call, r->library);
        return NULL;
    }
    return resolve_system_function(r, call);
}

/* ELM says which overload is meant: the arguments become what it takes. */
static void convert_to_signature(Resolver *r, const Ast *ast, Call *call)
{
    for (uint32_t i = 0; i < call->count; i++) {
        const CqlType *type = resolve_type(r, ast->signature[i]);
        if (type != NULL && conversion_cost(r, call->args[i]->type, type) >= 0)
            call->args[i] = node_convert(r, call->args[i], type);
    }
}

CqlNode *resolve_function(Resolver *r, const Ast *ast)
{
    Include include = {.library = NULL};
    bool is_fluent = (ast->flags & AST_FLUENT) != 0;
    bool is_qualified =
        is_fluent && ast->items[0]->kind == AST_IDENTIFIER &&
        ((ast->items[0]->flags & AST_GLOBAL) != 0 || !is_variable(r, ast->items[0]->text)) &&
        find_include(r, ast->items[0]->text, &include);
    size_t skip = is_qualified ? 1 : 0;
    if (is_fluent && ast->items[0]->kind == AST_IDENTIFIER &&
        str_eq(ast->items[0]->text, S("System"))) {
        is_qualified = true;
        skip = 1;
    }
    Call call = {.name = ast->text,
                 .place = ast,
                 .count = (uint32_t)(ast->count - skip),
                 .library = include.library};
    call.args = ARENA_ARRAY(r->arena, CqlNode *, call.count);
    bool failed = false;
    for (uint32_t i = 0; i < call.count; i++) {
        call.args[i] = resolve_expression(r, ast->items[i + skip]);
        failed |= call.args[i] == NULL;
    }
    if (failed || include.is_broken)
        return NULL;
    if (ast->signature != NULL)
        convert_to_signature(r, ast, &call);
    if (is_qualified)
        return include.library == NULL ? resolve_system_function(r, &call)
                                       : call_in_library(r, &call);
    return is_fluent ? call_fluent(r, &call) : call_plain(r, &call);
}

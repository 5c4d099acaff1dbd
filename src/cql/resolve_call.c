/*
 * Overload resolution: of the rows of operators.def (and of a library's functions) the one whose
 * operands need the cheapest conversions.
 */
#include "cql/resolve_int.h"

enum { OPERANDS_MAX = 8, CANDIDATES_MAX = 64 };

typedef struct {
    const CqlType *operands[OPERANDS_MAX];
    const CqlType *result;
    int cost;
} Match;

/* Cuts "Integer,List<T>" at commas outside of <>. */
static uint32_t split_operands(Resolver *r, const char *text, const CqlType **operands)
{
    uint32_t count = 0;
    Str rest = str_from_c(text);
    int depth = 0;
    size_t start = 0;
    if (rest.len == 0)
        return 0;
    for (size_t i = 0; i <= rest.len; i++) {
        char c = i < rest.len ? rest.ptr[i] : ',';
        depth += (c == '<') - (c == '>');
        if (c == ',' && depth == 0) {
            operands[count++] = type_parse(r->types, str_slice(rest, start, i - start));
            start = i + 1;
        }
    }
    return count;
}

static uint32_t count_operands(const char *text)
{
    uint32_t count = text[0] != '\0';
    int depth = 0;
    for (; *text != '\0'; text++) {
        depth += (*text == '<') - (*text == '>');
        count += *text == ',' && depth == 0;
    }
    return count;
}

static int total_cost(Resolver *r, CqlNode *const *args, const CqlType *const *operands,
                      uint32_t count)
{
    int total = 0;
    for (uint32_t i = 0; i < count; i++) {
        int cost = conversion_cost(r, args[i]->type, operands[i]);
        if (cost < 0)
            return -1;
        total += cost;
    }
    return total;
}

typedef struct {
    const CqlType *types[CANDIDATES_MAX];
    size_t count;
} Candidates;

static void add_candidate(Candidates *candidates, const CqlType *type)
{
    if (type == NULL || candidates->count == CANDIDATES_MAX)
        return;
    for (size_t i = 0; i < candidates->count; i++) {
        if (candidates->types[i] == type)
            return;
    }
    candidates->types[candidates->count++] = type;
}

/* What T could be, going by one argument: the type itself, what FHIRHelpers would make of it, and
   the same of each alternative of a choice. */
static void gather(Resolver *r, const CqlType *pattern, const CqlType *type, Candidates *candidates)
{
    if (!type_has_variable(pattern))
        return;
    add_candidate(candidates, type_unify(pattern, type));
    const CqlType *value = system_type_of(r, type);
    if (value != type)
        add_candidate(candidates, type_unify(pattern, value));
    for (size_t i = 0; type->kind == TYPE_CHOICE && i < type->count; i++)
        gather(r, pattern, type->parts[i], candidates);
}

static void try_bound(Resolver *r, const OperatorRow *row, const Call *call,
                      const CqlType *const *patterns, const CqlType *bound, Match *best)
{
    Match match;
    for (uint32_t i = 0; i < call->count; i++)
        match.operands[i] = bound == NULL ? patterns[i] : type_bind(r->types, patterns[i], bound);
    match.cost = total_cost(r, call->args, match.operands, call->count);
    if (match.cost < 0 || (best->cost >= 0 && match.cost >= best->cost))
        return;
    const CqlType *result = type_parse(r->types, str_from_c(row->result));
    match.result = bound == NULL ? result : type_bind(r->types, result, bound);
    *best = match;
}

static void try_row(Resolver *r, const OperatorRow *row, const Call *call, Match *best)
{
    const CqlType *patterns[OPERANDS_MAX];
    Candidates candidates = {.count = 0};
    bool is_generic = false;
    (void)split_operands(r, row->operands, patterns);
    for (uint32_t i = 0; i < call->count; i++) {
        is_generic |= type_has_variable(patterns[i]);
        gather(r, patterns[i], call->args[i]->type, &candidates);
    }
    if (!is_generic) {
        try_bound(r, row, call, patterns, NULL, best);
        return;
    }
    for (size_t i = 0; i < candidates.count; i++)
        try_bound(r, row, call, patterns, candidates.types[i], best);
    if (candidates.count == 0)
        try_bound(r, row, call, patterns, type_simple(r->types, TYPE_ANY), best);
}

static const OperatorRow *first_row(Resolver *r, Str name)
{
    if (r->operators.count == 0) {
        bool is_new;
        map_init(&r->operators, r->arena);
        for (size_t i = 0; operator_table[i].name != NULL; i++)
            (void)map_intern(&r->operators, str_from_c(operator_table[i].name), i + 1, &is_new);
    }
    uint64_t at;
    return map_find(&r->operators, name, &at) ? &operator_table[at - 1] : NULL;
}

bool operator_exists(Resolver *r, Str name)
{
    return first_row(r, name) != NULL;
}

static Str argument_types(Resolver *r, const Call *call)
{
    StrBuf buf;
    strbuf_init(&buf, r->arena, 0);
    for (uint32_t i = 0; i < call->count; i++) {
        strbuf_add(&buf, i > 0 ? S(", ") : S(""));
        strbuf_add(&buf, call->args[i]->type->text);
    }
    return strbuf_str(&buf);
}

static void report_no_match(Resolver *r, const Call *call, const OperatorRow *row)
{
    StrBuf expected;
    strbuf_init(&expected, r->arena, 0);
    size_t shown = 0;
    for (const OperatorRow *at = row; at->name != NULL && str_eq(str_from_c(at->name), call->name);
         at++) {
        if (shown++ < 6)
            strbuf_printf(&expected, "%s(%s)", shown > 1 ? ", " : "", at->operands);
    }
    Str types = argument_types(r, call);
    resolve_error(r, call->place->line, call->place->column, "cql-overload",
                  "%.*s does not take (%.*s); expected %.*s%s", STR_ARG(call->name), STR_ARG(types),
                  STR_ARG(strbuf_str(&expected)), shown > 6 ? " …" : "");
}

/* Lists of unlike types are joined as a list of a choice. */
static bool widen_set(Resolver *r, const Call *call, Match *match)
{
    bool is_set = str_eq(call->name, S("Union")) || str_eq(call->name, S("Except")) ||
                  str_eq(call->name, S("Intersect"));
    bool are_lists = is_set && call->count == 2 && call->args[0]->type->kind == TYPE_LIST &&
                     call->args[1]->type->kind == TYPE_LIST;
    if (!are_lists)
        return false;
    const CqlType *both[2] = {call->args[0]->type->element, call->args[1]->type->element};
    const CqlType *list = type_list(r->types, type_choice(r->types, both, 2));
    *match = (Match){.operands = {list, list}, .result = list};
    return true;
}

static CqlNode *build(Resolver *r, const Call *call, const OperatorRow *row, const Match *match)
{
    CqlNode *args[OPERANDS_MAX];
    for (uint32_t i = 0; i < call->count; i++)
        args[i] = node_convert(r, call->args[i], match->operands[i]);
    CqlNode *node = node_new(r, call->place, run_operator, match->result);
    node->op = row->op;
    node->flags = row->flags;
    node->precision = call->precision;
    node_set_args(r, node, args, call->count);
    return node_fold(r, node);
}

/* The cheapest row for the call, or NULL. */
static const OperatorRow *choose_row(Resolver *r, const Call *call, const OperatorRow *row,
                                     Match *ret_best)
{
    const OperatorRow *chosen = NULL;
    ret_best->cost = -1;
    for (const OperatorRow *at = row; at->name != NULL && str_eq(str_from_c(at->name), call->name);
         at++) {
        int before = ret_best->cost;
        if (call->count <= OPERANDS_MAX && count_operands(at->operands) == call->count)
            try_row(r, at, call, ret_best);
        if (ret_best->cost != before)
            chosen = at;
    }
    return chosen;
}

/* The first argument that is a choice of which the match takes only a part; SIZE_MAX for none. */
static size_t partial_choice(Resolver *r, const Call *call, const Match *match)
{
    for (uint32_t i = 0; i < call->count; i++) {
        const CqlType *type = call->args[i]->type;
        if (type->kind == TYPE_CHOICE && !node_is_constant(call->args[i]) &&
            conversion_cost(r, type, match->operands[i]) >= 3)
            return i;
    }
    return SIZE_MAX;
}

/*
 * A choice may need another overload for each of its alternatives: `effective during P` is
 * membership for a dateTime and inclusion for a Period. The node evaluates the choice once into a
 * slot and goes on with the branch for the alternative that is there.
 */
static CqlNode *resolve_ladder(Resolver *r, const Call *call, size_t at)
{
    const CqlType *choice = call->args[at]->type;
    CqlNode **branches = ARENA_ARRAY(r->arena, CqlNode *, choice->count + 1);
    const CqlType **types = ARENA_ARRAY(r->arena, const CqlType *, choice->count);
    uint32_t slot = r->frame_size++;
    uint32_t count = 0;
    DiagList *diags = r->diags;
    DiagList quiet;
    diag_init(&quiet, r->arena);
    r->diags = &quiet;
    for (size_t i = 0; i < choice->count; i++) {
        CqlNode *args[OPERANDS_MAX];
        for (uint32_t j = 0; j < call->count; j++)
            args[j] = call->args[j];
        args[at] = node_new(r, call->place, run_slot, choice->parts[i]);
        args[at]->index = slot;
        args[at]->flags = NODE_IMPURE;
        Call one = *call;
        one.args = args;
        CqlNode *branch = resolve_operator(r, &one);
        if (branch != NULL) {
            types[count] = choice->parts[i];
            branches[++count] = branch;
        }
    }
    r->diags = diags;
    if (count == 0)
        return NULL;
    const CqlType *type = common_type(r, branches + 1, count);
    for (uint32_t i = 1; i <= count; i++)
        branches[i] = node_convert(r, branches[i], type);
    branches[0] = call->args[at];
    CqlNode *node = node_new(r, call->place, run_ladder, type);
    node->index = slot;
    node->detail = types;
    node->flags = NODE_IMPURE;
    node_set_args(r, node, branches, count + 1);
    return node;
}

CqlNode *resolve_operator(Resolver *r, const Call *call)
{
    const OperatorRow *row = first_row(r, call->name);
    if (row == NULL) {
        resolve_error(r, call->place->line, call->place->column, "cql-name",
                      "there is no function '%.*s'", STR_ARG(call->name));
        return NULL;
    }
    for (uint32_t i = 0; i < call->count; i++) {
        if (call->args[i] == NULL)
            return NULL;
    }
    Match best = {.cost = -1};
    const OperatorRow *chosen = choose_row(r, call, row, &best);
    if (chosen == NULL && widen_set(r, call, &best))
        chosen = row;
    if (chosen == NULL) {
        report_no_match(r, call, row);
        return NULL;
    }
    size_t choice = partial_choice(r, call, &best);
    CqlNode *ladder = choice == SIZE_MAX ? NULL : resolve_ladder(r, call, choice);
    return ladder != NULL ? ladder : build(r, call, chosen, &best);
}

CqlNode *resolve_call(Resolver *r, const Ast *place, const char *name, CqlNode *a, CqlNode *b,
                      uint8_t precision)
{
    CqlNode *args[2] = {a, b};
    Call call = {.name = str_from_c(name),
                 .place = place,
                 .args = args,
                 .count = b == NULL ? 1 : 2,
                 .precision = precision};
    return a == NULL ? NULL : resolve_operator(r, &call);
}

/* --- functions of libraries --- */

/* The cheapest function of this name in one library; *cost is -1 while none was found. */
static Definition *best_function(Resolver *r, Library *library, const Call *call, bool fluent_only,
                                 int *cost)
{
    Definition *best = NULL;
    for (size_t i = 0; i < library->definition_count; i++) {
        Definition *definition = &library->definitions[i];
        const AstDef *ast = definition->ast;
        bool is_candidate = ast->kind == DEF_FUNCTION && ast->operand_count == call->count &&
                            str_eq(ast->name, call->name) && (!fluent_only || ast->is_fluent) &&
                            (!ast->is_private || library == r->library);
        if (!is_candidate || definition->operands == NULL)
            continue;
        int total = total_cost(r, call->args, definition->operands, call->count);
        if (total >= 0 && (*cost < 0 || total < *cost)) {
            *cost = total;
            best = definition;
        }
    }
    return best;
}

static CqlNode *call_function(Resolver *r, const Call *call, Definition *definition)
{
    CqlNode **args = ARENA_ARRAY(r->arena, CqlNode *, call->count);
    if (definition->ast->is_external) {
        resolve_error(r, call->place->line, call->place->column, "cql-unsupported",
                      "the external function '%.*s' cannot be called", STR_ARG(call->name));
        return NULL;
    }
    if (!resolve_definition(r, definition))
        return NULL;
    for (uint32_t i = 0; i < call->count; i++)
        args[i] = node_convert(r, call->args[i], definition->operands[i]);
    CqlNode *node = node_new(r, call->place, run_function, definition->type);
    node->detail = definition->function;
    node->flags = NODE_IMPURE;
    node_set_args(r, node, args, call->count);
    return node;
}

static bool has_function(const Library *library, Str name)
{
    for (size_t i = 0; i < library->definition_count; i++) {
        const AstDef *ast = library->definitions[i].ast;
        if (ast->kind == DEF_FUNCTION && str_eq(ast->name, name))
            return true;
    }
    return false;
}

static CqlNode *call_in_library(Resolver *r, const Call *call, Library *library)
{
    int cost = -1;
    Definition *definition = best_function(r, library, call, false, &cost);
    if (definition != NULL)
        return call_function(r, call, definition);
    Str types = argument_types(r, call);
    resolve_error(r, call->place->line, call->place->column, "cql-overload",
                  "the library '%.*s' has no function '%.*s' for (%.*s)", STR_ARG(library->name),
                  STR_ARG(call->name), STR_ARG(types));
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

static CqlNode *call_fluent(Resolver *r, const Call *call)
{
    int cost = -1;
    Definition *best = best_function(r, r->library, call, true, &cost);
    for (size_t i = 0; i < r->library->ast->include_count; i++) {
        Library *library = r->library->includes[i];
        Definition *other = library == NULL ? NULL : best_function(r, library, call, true, &cost);
        best = other != NULL ? other : best;
    }
    if (best != NULL)
        return call_function(r, call, best);
    Call system = *call;
    if (!operator_exists(r, system.name))
        system.name = capitalised(r, call->name);
    return resolve_operator(r, &system);
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
    return resolve_operator(r, call);
}

static CqlNode *call_plain(Resolver *r, const Call *call)
{
    if (has_function(r->library, call->name))
        return call_in_library(r, call, r->library);
    bool is_age;
    CqlNode *age = resolve_age(r, call, &is_age);
    return is_age ? age : resolve_system_function(r, call);
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
    Call call = {.name = ast->text, .place = ast, .count = (uint32_t)(ast->count - skip)};
    call.args = ARENA_ARRAY(r->arena, CqlNode *, call.count);
    bool failed = false;
    for (uint32_t i = 0; i < call.count; i++) {
        call.args[i] = resolve_expression(r, ast->items[i + skip]);
        failed |= call.args[i] == NULL;
    }
    if (failed || include.is_broken)
        return NULL;
    if (is_qualified)
        return include.library == NULL ? resolve_system_function(r, &call)
                                       : call_in_library(r, &call, include.library);
    return is_fluent ? call_fluent(r, &call) : call_plain(r, &call);
}

/*
 * Overload resolution: of the rows of operators.def the one whose operands need the cheapest
 * conversions. Functions of libraries: resolve_function.c.
 */
#include "cql/resolve_int.h"

enum { CANDIDATES_MAX = 64 };

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

int call_cost(Resolver *r, CqlNode *const *args, const CqlType *const *operands, uint32_t count)
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
    match.cost = call_cost(r, call->args, match.operands, call->count);
    if (match.cost < 0 || (best->cost >= 0 && match.cost >= best->cost))
        return;
    const CqlType *result = type_parse(r->types, str_from_c(row->result));
    match.result = bound == NULL ? result : type_bind(r->types, result, bound);
    *best = match;
}

static void try_row(Resolver *r, const OperatorRow *row, const Call *call, Match *best)
{
    const CqlType *patterns[OPERANDS_MAX] = {NULL};
    Candidates candidates = {.count = 0};
    bool is_generic = false;
    size_t count = split_operands(r, row->operands, patterns);
    ASSERT(count == call->count);
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

Str call_types(Resolver *r, const Call *call)
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
    Str types = call_types(r, call);
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

/* Weeks are counted (duration, difference, age), but not compared: their numbers are nowhere
 * agreed. */
static bool compares_weeks(const Call *call, const OperatorRow *row)
{
    Str name = str_from_c(row->name);
    bool counts = str_starts_with(name, S("Duration")) || str_starts_with(name, S("Difference")) ||
                  str_starts_with(name, S("Age"));
    return call->precision == AST_PRECISION_WEEK && !counts;
}

static CqlNode *build(Resolver *r, const Call *call, const OperatorRow *row, const Match *match)
{
    CqlNode *args[OPERANDS_MAX];
    if (compares_weeks(call, row)) {
        resolve_error(r, call->place->line, call->place->column, "cql-precision",
                      "dates and times cannot be compared by week");
        return NULL;
    }
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

/* The first argument that is a choice of which the operands take only a part; SIZE_MAX for none. */
size_t partial_choice(Resolver *r, const Call *call, const CqlType *const *operands)
{
    for (uint32_t i = 0; i < call->count; i++) {
        const CqlType *type = call->args[i]->type;
        if (type->kind == TYPE_CHOICE && !node_is_null(call->args[i]) &&
            conversion_cost(r, type, operands[i]) >= 3)
            return i;
    }
    return SIZE_MAX;
}

/*
 * A choice may need another overload for each of its alternatives: `effective during P` is
 * membership for a dateTime and inclusion for a Period. The node evaluates the choice once into a
 * slot and goes on with the branch for the alternative that is there.
 */
CqlNode *resolve_ladder(Resolver *r, const Call *call, size_t at, ResolveCallFn *resolve)
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
        CqlNode *branch = resolve(r, &one);
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
    size_t choice = partial_choice(r, call, best.operands);
    CqlNode *ladder = choice == SIZE_MAX ? NULL : resolve_ladder(r, call, choice, resolve_operator);
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

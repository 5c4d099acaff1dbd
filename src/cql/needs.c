/*
 * Which persons can be passed over: what a definition is worth for a record that has none of the
 * entries that its retrieves look for.
 *
 * Each node is looked at as if all retrieves gave empty lists. Either its value is then known
 * (a constant), together with the retrieves that were relied on to be empty, or it is not known,
 * because it depends on the person otherwise (age, date of death). `and` and `or` need one side
 * only where that decides: a register that asks `alive and exists [Condition: …]` is known to be
 * false from the condition alone. Where a definition's value is known, the retrieves relied on are
 * its needs: a record with no directory entry for any of them has that value.
 */
#include "cql/plan_int.h"

typedef struct {
    bool is_known;
    CqlValue value;
    uint64_t *relied; /* bits by retrieve; NULL: none */
} Empty;

/* Calls of functions are looked into anew each time, so that a library could ask for exponential
   work: what is not reached with so many looks counts as unknown. */
enum { LOOKS_MAX = 2000000 };

typedef struct {
    CqlPlan *plan;
    CqlEval eval;
    Empty *definitions;
    uint8_t *states;
    Empty *memo; /* by node number, of bodies of definitions */
    uint8_t *memo_states;
    Empty *frame; /* by slot: operands of a function, choices of a ladder */
    bool is_in_function;
    size_t words;
    size_t looks;
    unsigned depth;
} Needs;

static Empty look(Needs *needs, CqlNode *node);

static Empty unknown(void)
{
    return (Empty){.is_known = false};
}

static Empty known(CqlValue value)
{
    return (Empty){.is_known = true, .value = value};
}

static uint64_t *join(Needs *needs, const uint64_t *a, const uint64_t *b)
{
    if (a == NULL && b == NULL)
        return NULL;
    uint64_t *bits = ARENA_ZARRAY(needs->plan->arena, uint64_t, needs->words);
    for (size_t i = 0; i < needs->words; i++)
        bits[i] = (a == NULL ? 0 : a[i]) | (b == NULL ? 0 : b[i]);
    return bits;
}

static size_t count_bits(const Needs *needs, const uint64_t *bits)
{
    size_t count = 0;
    for (size_t i = 0; bits != NULL && i < needs->words; i++)
        count += (size_t)__builtin_popcountll(bits[i]);
    return count;
}

static Empty look_retrieve(Needs *needs, const CqlNode *node, CqlValue empty)
{
    Empty result = known(empty);
    result.relied = ARENA_ZARRAY(needs->plan->arena, uint64_t, needs->words);
    result.relied[node->index / 64] |= UINT64_C(1) << (node->index % 64);
    return result;
}

static Empty look_body(Needs *needs, CqlNode *body, Empty *frame, bool is_function)
{
    Empty *outer = needs->frame;
    bool was_in_function = needs->is_in_function;
    needs->frame = frame;
    needs->is_in_function = is_function;
    Empty result = look(needs, body);
    needs->frame = outer;
    needs->is_in_function = was_in_function;
    return result;
}

static Empty look_definition(Needs *needs, uint32_t index)
{
    const PlanDefinition *definition = needs->plan->definitions.items[index];
    if (needs->states[index] == SLOT_EMPTY) {
        needs->states[index] = SLOT_BUSY;
        Empty *frame = ARENA_ZARRAY(needs->plan->arena, Empty, definition->frame_size);
        needs->definitions[index] = look_body(needs, definition->body, frame, false);
        needs->states[index] = SLOT_DONE;
    }
    return needs->states[index] == SLOT_DONE ? needs->definitions[index] : unknown();
}

static Empty look_function(Needs *needs, const CqlNode *node)
{
    const PlanFunction *function = node->detail;
    Empty *frame = ARENA_ZARRAY(needs->plan->arena, Empty, function->frame_size);
    for (uint32_t i = 0; i < node->count && i < function->frame_size; i++)
        frame[i] = look(needs, node->args[i]);
    return function->body == NULL ? unknown() : look_body(needs, function->body, frame, true);
}

/* The branch of the alternative that the choice is known to be. */
static Empty look_ladder(Needs *needs, const CqlNode *node)
{
    const CqlType *const *types = node->detail;
    Empty choice = look(needs, node->args[0]);
    uint32_t branch = 1;
    if (!choice.is_known)
        return unknown();
    if (choice.value.kind != CQL_NULL)
        while (branch < node->count && !value_is_of(choice.value, types[branch - 1]))
            branch++;
    needs->frame[node->index] = choice;
    Empty result = branch < node->count ? look(needs, node->args[branch]) : known(value_null());
    needs->frame[node->index] = unknown();
    result.relied = join(needs, choice.relied, result.relied);
    return result;
}

/* and/or/implies: one side that decides is enough, and the one with fewer needs is taken. */
static Empty look_logic(Needs *needs, const CqlNode *node)
{
    Empty sides[2] = {look(needs, node->args[0]), look(needs, node->args[1])};
    bool is_and = node->run == run_and;
    const Empty *best = NULL;
    for (size_t i = 0; i < 2; i++) {
        Tri decisive = is_and || (node->run == run_implies && i == 0) ? TRI_FALSE : TRI_TRUE;
        bool decides = sides[i].is_known && value_truth(sides[i].value) == decisive &&
                       sides[i].value.kind == CQL_BOOLEAN;
        if (decides &&
            (best == NULL || count_bits(needs, sides[i].relied) < count_bits(needs, best->relied)))
            best = &sides[i];
    }
    if (best != NULL) {
        Empty result = known(value_boolean(!is_and));
        result.relied = best->relied;
        return result;
    }
    if (!sides[0].is_known || !sides[1].is_known)
        return unknown();
    Tri a = value_truth(sides[0].value);
    Tri b = value_truth(sides[1].value);
    Tri tri = is_and ? tri_and(a, b) : tri_or(node->run == run_implies ? tri_not(a) : a, b);
    Empty result = known(value_tri(tri));
    result.relied = join(needs, sides[0].relied, sides[1].relied);
    return result;
}

/* if and case over conditions: follow the branch that is taken. */
static Empty look_branches(Needs *needs, const CqlNode *node)
{
    bool is_if = node->run == run_if;
    uint64_t *relied = NULL;
    if (!is_if && node->args[0] != NULL)
        return unknown();
    for (uint32_t i = is_if ? 0 : 1; i + 1 < node->count; i += 2) {
        Empty condition = look(needs, node->args[i]);
        if (!condition.is_known)
            return unknown();
        relied = join(needs, relied, condition.relied);
        if (cql_value_is_true(condition.value)) {
            Empty result = look(needs, node->args[i + 1]);
            result.relied = join(needs, relied, result.relied);
            return result;
        }
    }
    Empty result = look(needs, node->args[node->count - 1]);
    result.relied = join(needs, relied, result.relied);
    return result;
}

static Empty look_coalesce(Needs *needs, const CqlNode *node)
{
    uint64_t *relied = NULL;
    for (uint32_t i = 0; i < node->count; i++) {
        Empty value = look(needs, node->args[i]);
        if (!value.is_known)
            return unknown();
        relied = join(needs, relied, value.relied);
        if (value.value.kind != CQL_NULL) {
            value.relied = relied;
            return value;
        }
    }
    Empty result = known(value_null());
    result.relied = relied;
    return result;
}

/* A query over nothing: an empty list, no item, or the start of the aggregate. */
static Empty look_query(Needs *needs, const CqlNode *node)
{
    const PlanQuery *query = node->detail;
    for (size_t i = 0; i < query->source_count; i++) {
        Empty source = look(needs, query->sources[i].node);
        /* A source that depends on an earlier row is never reached when that one is empty. */
        if (!source.is_known)
            continue;
        bool is_null = source.value.kind == CQL_NULL;
        bool is_empty = source.value.kind == CQL_LIST && source.value.count == 0;
        if (!is_null && !is_empty)
            continue;
        Empty result = known(value_list(NULL, 0));
        result.relied = source.relied;
        if (query->aggregate != NULL) {
            Empty start = query->aggregate_start == NULL ? known(value_null())
                                                         : look(needs, query->aggregate_start);
            if (!start.is_known)
                return unknown();
            result.value = start.value;
            result.relied = join(needs, result.relied, start.relied);
        } else if (!query->is_list || (is_null && query->source_count == 1)) {
            result.value = value_null();
        }
        return result;
    }
    return unknown();
}

/* An operator: null of a strict one decides; else all arguments must be known, and it is run. */
static Empty look_operator(Needs *needs, const CqlNode *node)
{
    CqlValue args[8];
    uint64_t *relied = NULL;
    bool all_known = true;
    if (node->count > COUNT_OF(args))
        return unknown();
    for (uint32_t i = 0; i < node->count; i++) {
        Empty arg = look(needs, node->args[i]);
        if (!arg.is_known) {
            all_known = false;
            continue;
        }
        if (arg.value.kind == CQL_NULL && (node->flags & NODE_STRICT) != 0) {
            arg.value = value_null();
            return arg;
        }
        args[i] = arg.value;
        relied = join(needs, relied, arg.relied);
    }
    if (!all_known || (node->flags & NODE_IMPURE) != 0)
        return unknown();
    needs->eval.failed = false;
    needs->eval.steps = 0;
    Empty result = known(node->op(&needs->eval, node, args));
    result.relied = relied;
    return needs->eval.failed ? unknown() : result;
}

static Empty look_at(Needs *needs, const CqlNode *node)
{
    if (node->run == run_constant)
        return known(node->constant);
    if (node->run == run_retrieve ||
        (node->run == run_retrieve_by && ((const PlanRetrieveBy *)node->detail)->related == NULL))
        return look_retrieve(needs, node, value_list(NULL, 0));
    if (node->run == run_exists_retrieve)
        return look_retrieve(needs, node, value_boolean(false));
    if (node->run == run_definition)
        return look_definition(needs, node->index);
    if (node->run == run_and || node->run == run_or || node->run == run_implies)
        return look_logic(needs, node);
    if (node->run == run_if || node->run == run_case)
        return look_branches(needs, node);
    if (node->run == run_coalesce)
        return look_coalesce(needs, node);
    if (node->run == run_query)
        return look_query(needs, node);
    if (node->run == run_slot)
        return needs->frame[node->index];
    if (node->run == run_function)
        return look_function(needs, node);
    if (node->run == run_ladder)
        return look_ladder(needs, node);
    return node->run == run_operator ? look_operator(needs, node) : unknown();
}

/* Guards cost a little: they are for nodes that would do more than look at a retrieve. */
static bool is_worth_guarding(const CqlNode *node)
{
    return node->run == run_query || node->run == run_function || node->run == run_and ||
           node->run == run_or || node->run == run_if || node->run == run_case ||
           node->run == run_coalesce || (node->run == run_operator && node->count > 0);
}

static const PlanGuard *make_guard(const Needs *needs, const Empty *empty)
{
    Arena *arena = needs->plan->arena;
    uint32_t *words = ARENA_ARRAY(arena, uint32_t, needs->words);
    uint64_t *bits = ARENA_ARRAY(arena, uint64_t, needs->words);
    PlanGuard *guard = ARENA_NEW(arena, PlanGuard);
    *guard = (PlanGuard){.value = empty->value, .words = words, .bits = bits};
    for (uint32_t i = 0; i < needs->words; i++) {
        if (empty->relied[i] == 0)
            continue;
        words[guard->word_count] = i;
        bits[guard->word_count++] = empty->relied[i];
    }
    return guard;
}

/* A node of a definition's body: its parts too, also those that its value does not rest on, so that
   they get guards of their own. */
static Empty look_memo(Needs *needs, CqlNode *node)
{
    if (needs->memo_states[node->number] != SLOT_EMPTY)
        return needs->memo_states[node->number] == SLOT_DONE ? needs->memo[node->number]
                                                             : unknown();
    needs->memo_states[node->number] = SLOT_BUSY;
    Empty result = look_at(needs, node);
    needs->memo[node->number] = result;
    needs->memo_states[node->number] = SLOT_DONE;
    PlanChildVec children;
    plan_children(node, needs->plan->arena, &children);
    VEC_FOREACH (PlanChild, child, &children)
        (void)look(needs, child->node);
    if (result.is_known && result.relied != NULL && is_worth_guarding(node))
        node->guard = make_guard(needs, &result);
    return result;
}

static Empty look(Needs *needs, CqlNode *node) /* NOLINT(misc-no-recursion) */
{
    if (node == NULL || needs->depth >= LIMIT_CQL_DEPTH || ++needs->looks > LOOKS_MAX)
        return unknown();
    needs->depth++;
    Empty result = needs->is_in_function ? look_at(needs, node) : look_memo(needs, node);
    needs->depth--;
    return result;
}

static void set_needs(Needs *needs, PlanDefinition *definition, const Empty *empty)
{
    Arena *arena = needs->plan->arena;
    definition->has_needs = empty->is_known;
    if (!empty->is_known)
        return;
    definition->value_without = empty->value;
    size_t count = count_bits(needs, empty->relied);
    CqlNeed *list = ARENA_ARRAY(arena, CqlNeed, count);
    for (size_t i = 0; empty->relied != NULL && i < needs->plan->retrieves.count; i++) {
        const PlanRetrieve *retrieve = &needs->plan->retrieves.items[i];
        if ((empty->relied[i / 64] >> (i % 64) & 1) == 0)
            continue;
        bool by_codes = retrieve_is_by_code(retrieve) && retrieve->medication == 0;
        list[definition->need_count++] =
            (CqlNeed){.type = retrieve->type, .concepts = by_codes ? &retrieve->concepts : NULL};
    }
    definition->needs = list;
}

void plan_find_needs(CqlPlan *plan)
{
    size_t count = plan->definitions.count;
    Needs needs = {.plan = plan, .eval = eval_for_folding(plan)};
    needs.words = (plan->retrieves.count + 63) / 64;
    needs.definitions = ARENA_ZARRAY(plan->arena, Empty, count);
    needs.states = ARENA_ZARRAY(plan->arena, uint8_t, count);
    needs.memo = ARENA_ZARRAY(plan->arena, Empty, plan->node_count + 1);
    needs.memo_states = ARENA_ZARRAY(plan->arena, uint8_t, plan->node_count + 1);
    for (uint32_t i = 0; i < count; i++) {
        Empty empty = look_definition(&needs, i);
        set_needs(&needs, plan->definitions.items[i], &empty);
    }
}

bool cql_plan_needs(const CqlPlan *plan, size_t definition, const CqlNeed **ret_needs,
                    size_t *ret_count)
{
    ASSERT(definition < plan->definitions.count);
    const PlanDefinition *facts = plan->definitions.items[definition];
    *ret_needs = facts->needs;
    *ret_count = facts->need_count;
    return facts->has_needs;
}

CqlValue cql_plan_value_without(const CqlPlan *plan, size_t definition)
{
    ASSERT(definition < plan->definitions.count);
    return plan->definitions.items[definition]->value_without;
}

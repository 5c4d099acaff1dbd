/* The plan in words, for people who ask why it is slow or what was folded. */
#include "cql/plan_int.h"

enum { CONSTANT_SHOWN_MAX = 120, DEPTH_SHOWN_MAX = 200 };

static void add_constant(const CqlNode *node, Arena *arena, StrBuf *out)
{
    StrBuf text;
    strbuf_init(&text, arena, 0);
    cql_value_format(node->constant, &text);
    Str shown = strbuf_str(&text);
    bool is_long = shown.len > CONSTANT_SHOWN_MAX;
    char cut[CONSTANT_SHOWN_MAX + 1] = {0};
    if (is_long) {
        memcpy(cut, shown.ptr, CONSTANT_SHOWN_MAX);
        str_mend_cut(cut);
        shown = str_from_c(cut);
    }
    strbuf_printf(out, " %.*s%s", STR_ARG(shown), is_long ? "…" : "");
}

static void add_retrieve(const CqlPlan *plan, uint32_t index, StrBuf *out)
{
    const PlanRetrieve *retrieve = &plan->retrieves.items[index];
    strbuf_printf(out, " #%u %.*s", index, STR_ARG(fhir_type_name(retrieve->type)));
    if (!retrieve->has_codes)
        return;
    strbuf_printf(out, " of %u concepts", retrieve->concepts.count);
    strbuf_add(out, retrieve->by_directory ? S(", by the directory") : S(", by a path"));
}

static bool is_retrieve(const CqlNode *node)
{
    return node->run == run_retrieve || node->run == run_exists_retrieve ||
           node->run == run_retrieve_by || node->run == run_retrieve_narrow;
}

static void add_day(int32_t day, const char *word, StrBuf *out)
{
    int32_t year;
    int32_t month;
    int32_t of_month;
    if (day == INT32_MIN || day == INT32_MAX)
        return;
    day_to_date(day, &year, &month, &of_month);
    strbuf_printf(out, " %s %04d-%02d-%02d", word, year, month, of_month);
}

/* Which days of the directory come into question. */
static void add_range(const CqlNode *node, StrBuf *out)
{
    const PlanRange *range = node->detail;
    if (node->run != run_retrieve_narrow)
        return;
    strbuf_add(out, S(", dated"));
    add_day(range->from, "from", out);
    add_day(range->to, "to", out);
}

static void add_reference(const CqlPlan *plan, const CqlNode *node, StrBuf *out)
{
    if (node->run == run_definition) {
        const CqlDefinition *facts = &plan->definitions.items[node->index]->facts;
        strbuf_printf(out, " %.*s.\"%.*s\"", STR_ARG(facts->library), STR_ARG(facts->name));
    } else if (node->run == run_function) {
        const PlanFunction *function = node->detail;
        strbuf_printf(out, " %.*s.\"%.*s\"", STR_ARG(function->facts.library),
                      STR_ARG(function->name));
    } else if (node->run == run_slot) {
        strbuf_printf(out, " in slot %u", node->index);
    }
}

typedef struct {
    const CqlPlan *plan;
    Arena *arena;
    PlanSeen seen;
    StrBuf *out;
} Description;

static void describe(Description *text, const PlanChild *at,
                     uint32_t depth) /* NOLINT(misc-no-recursion) */
{
    const CqlNode *node = at->node;
    const CqlPlan *plan = text->plan;
    StrBuf *out = text->out;
    strbuf_printf(out, "%*s", (int)(depth < DEPTH_SHOWN_MAX ? depth : DEPTH_SHOWN_MAX) * 2, "");
    if (at->role != NULL)
        strbuf_printf(out, "%s ", at->role);
    if (at->name.len > 0)
        strbuf_printf(out, "%.*s: ", STR_ARG(at->name));
    strbuf_add(out, plan_node_kind(node));
    if (node->run == run_constant)
        add_constant(node, text->arena, out);
    else if (is_retrieve(node))
        add_retrieve(plan, node->index, out);
    else
        add_reference(plan, node, out);
    add_range(node, out);
    if (node->type != NULL)
        strbuf_printf(out, " : %.*s", STR_ARG(node->type->text));
    if (node->range.line != 0)
        strbuf_printf(out, " [%u:%u-%u:%u]", node->range.line, node->range.column,
                      node->range.end_line, node->range.end_column);
    PlanChildVec children;
    plan_children(node, text->arena, &children);
    bool is_again = plan_seen_before(&text->seen, node) && children.count > 0;
    strbuf_add(out, is_again ? S(", as above\n") : S("\n"));
    VEC_FOREACH (PlanChild, child, &children) {
        if (!is_again)
            describe(text, child, depth + 1);
    }
}

void cql_plan_describe(const CqlPlan *plan, size_t definition, StrBuf *out)
{
    ASSERT(definition < plan->definitions.count);
    const PlanDefinition *of = plan->definitions.items[definition];
    Arena *arena = arena_create(0);
    strbuf_printf(out, "define %.*s.\"%.*s\" : %.*s, %s context, %u slots, %.*s:%u\n",
                  STR_ARG(of->facts.library), STR_ARG(of->facts.name), STR_ARG(of->facts.type),
                  of->facts.is_unfiltered ? "Unfiltered" : "person", of->frame_size,
                  STR_ARG(of->facts.file), of->facts.line);
    const PlanChild body = {.node = of->body};
    Description text = {.plan = plan, .arena = arena, .seen = plan_seen(plan, arena), .out = out};
    if (of->body != NULL)
        describe(&text, &body, 1);
    arena_destroy(arena);
}

static void count_uses(const CqlNode *node, Arena *arena, PlanSeen *seen, uint32_t *uses)
{
    if (plan_seen_before(seen, node))
        return;
    if (is_retrieve(node))
        uses[node->index]++;
    PlanChildVec children;
    plan_children(node, arena, &children);
    VEC_FOREACH (PlanChild, child, &children)
        count_uses(child->node, arena, seen, uses); /* NOLINT(misc-no-recursion) */
}

void cql_plan_describe_retrieves(const CqlPlan *plan, StrBuf *out)
{
    Arena *arena = arena_create(0);
    uint32_t *uses = ARENA_ZARRAY(arena, uint32_t, plan->retrieves.count);
    PlanSeen seen = plan_seen(plan, arena);
    VEC_FOREACH (PlanDefinition *, definition, &plan->definitions) {
        if ((*definition)->body != NULL)
            count_uses((*definition)->body, arena, &seen, uses);
    }
    VEC_FOREACH (CqlNode *, body, &plan->bodies)
        count_uses(*body, arena, &seen, uses);
    for (size_t i = 0; i < plan->retrieves.count; i++) {
        strbuf_add(out, S("retrieve"));
        add_retrieve(plan, (uint32_t)i, out);
        strbuf_printf(out, ", in %u places\n", uses[i]);
    }
    arena_destroy(arena);
}

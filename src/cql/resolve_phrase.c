/*
 * Timing phrases with boundaries and offsets: what they mean in terms of the plain operators
 * (CQL author's guide, "Timing and interval operators").
 */
#include "cql/resolve_int.h"

static bool is_interval(Resolver *r, const CqlNode *node)
{
    return system_type_of(r, node->type)->kind == TYPE_INTERVAL;
}

static CqlNode *boundary(Resolver *r, const Ast *ast, CqlNode *node, AstBoundary which)
{
    if (which == BOUNDARY_START)
        return resolve_call(r, ast, "Start", node, NULL, 0);
    return which == BOUNDARY_END ? resolve_call(r, ast, "End", node, NULL, 0) : node;
}

/* Of an interval without a boundary named: the end that faces the other side. */
static CqlNode *facing(Resolver *r, const Ast *ast, CqlNode *node, AstBoundary which)
{
    return node != NULL && is_interval(r, node) ? boundary(r, ast, node, which) : node;
}

/* Interval from low to high around points. */
static CqlNode *interval_node(Resolver *r, const Ast *ast, CqlNode *low, CqlNode *high,
                              uint32_t closed)
{
    if (low == NULL || high == NULL)
        return NULL;
    CqlNode *bounds[2] = {low, high};
    const CqlType *point = system_type_of(r, common_type(r, bounds, 2));
    for (size_t i = 0; i < 2; i++) {
        if (conversion_cost(r, bounds[i]->type, point) < 0)
            return NULL;
        bounds[i] = node_convert(r, bounds[i], point);
    }
    CqlNode *node = node_new(r, ast, run_interval, type_interval(r->types, point));
    node->operand = point;
    node->index = closed;
    node_set_args(r, node, bounds, 2);
    return node_fold(r, node);
}

/* `inner and anchor is not null`: an unknown anchor must not become an open end. */
static CqlNode *unless_null(Resolver *r, const Ast *ast, CqlNode *inner, CqlNode *anchor)
{
    CqlNode *is_null = resolve_call(r, ast, "IsNull", anchor, NULL, 0);
    CqlNode *known = resolve_call(r, ast, "Not", is_null, NULL, 0);
    if (inner == NULL || known == NULL)
        return NULL;
    CqlNode *node = node_new(r, ast, run_and, type_simple(r->types, TYPE_BOOLEAN));
    CqlNode *args[2] = {inner, known};
    node_set_args(r, node, args, 2);
    return node_fold(r, node);
}

/* Which bounds belong to `3 days or less before`: bit 0 the low one, bit 1 the high one. The side
   of the anchor does with `on or`, the far side unless it is `less than`. */
static uint32_t closed_bounds(const AstPhrase *phrase)
{
    uint32_t anchor = phrase->is_inclusive ? 1 : 0;
    uint32_t edge = phrase->offset == OFFSET_OR_LESS ? 1 : 0;
    return phrase->direction < 0 ? edge | anchor << 1 : anchor | edge << 1;
}

/* left `quantity` [or more | or less …] before/after right. */
static CqlNode *offset_phrase(Resolver *r, const Ast *ast, CqlNode *left, CqlNode *right)
{
    const AstPhrase *phrase = ast->phrase;
    bool is_before = phrase->direction < 0;
    left = facing(r, ast, left, is_before ? BOUNDARY_END : BOUNDARY_START);
    right = facing(r, ast, right, is_before ? BOUNDARY_START : BOUNDARY_END);
    CqlNode *quantity = resolve_literal(r, phrase->quantity, false);
    CqlNode *edge = right == NULL || quantity == NULL
                        ? NULL
                        : resolve_call(r, ast, is_before ? "Subtract" : "Add", right, quantity, 0);
    if (left == NULL || edge == NULL)
        return NULL;
    switch (phrase->offset) {
    case OFFSET_EXACT:
        return resolve_call(r, ast, "SameAs", left, edge, phrase->precision);
    case OFFSET_OR_MORE:
        return resolve_call(r, ast, is_before ? "SameOrBefore" : "SameOrAfter", left, edge,
                            phrase->precision);
    case OFFSET_MORE_THAN:
        return resolve_call(r, ast, is_before ? "Before" : "After", left, edge, phrase->precision);
    default:
        break;
    }
    uint32_t closed = closed_bounds(phrase);
    CqlNode *low = is_before ? edge : right;
    CqlNode *high = is_before ? right : edge;
    CqlNode *span = interval_node(r, ast, low, high, closed);
    CqlNode *in = span == NULL ? NULL : resolve_call(r, ast, "In", left, span, phrase->precision);
    return unless_null(r, ast, in, right);
}

/* left [properly] within quantity of right */
static CqlNode *within_phrase(Resolver *r, const Ast *ast, CqlNode *left, CqlNode *right)
{
    const AstPhrase *phrase = ast->phrase;
    CqlNode *quantity = resolve_literal(r, phrase->quantity, false);
    CqlNode *from = facing(r, ast, right, BOUNDARY_START);
    CqlNode *to = facing(r, ast, right, BOUNDARY_END);
    if (quantity == NULL || from == NULL || to == NULL)
        return NULL;
    CqlNode *low = resolve_call(r, ast, "Subtract", from, quantity, 0);
    CqlNode *high = resolve_call(r, ast, "Add", to, quantity, 0);
    CqlNode *span = interval_node(r, ast, low, high, phrase->is_properly ? 0 : 3);
    if (span == NULL)
        return NULL;
    const char *name = is_interval(r, left) ? "IncludedIn" : "In";
    return unless_null(r, ast, resolve_call(r, ast, name, left, span, phrase->precision), from);
}

CqlNode *resolve_phrase(Resolver *r, const Ast *ast)
{
    const AstPhrase *phrase = ast->phrase;
    CqlNode *left = resolve_expression(r, ast->items[0]);
    CqlNode *right = resolve_expression(r, ast->items[1]);
    if (left == NULL || right == NULL)
        return NULL;
    left = boundary(r, ast, left, phrase->left);
    right = boundary(r, ast, right, phrase->right);
    if (left == NULL || right == NULL)
        return NULL;
    bool is_before = phrase->direction < 0;
    const char *name = "";
    switch (phrase->kind) {
    case PHRASE_SAME:
        name = phrase->direction == 0 ? "SameAs" : is_before ? "SameOrBefore" : "SameOrAfter";
        break;
    case PHRASE_INCLUDES:
        name = phrase->is_properly ? "ProperIncludes" : "Includes";
        break;
    case PHRASE_INCLUDED_IN:
        name = phrase->is_properly ? "ProperIncludedIn" : "IncludedIn";
        break;
    case PHRASE_BEFORE_AFTER:
        if (phrase->offset != OFFSET_ABSENT)
            return offset_phrase(r, ast, left, right);
        if (phrase->is_inclusive)
            name = is_before ? "SameOrBefore" : "SameOrAfter";
        else
            name = is_before ? "Before" : "After";
        break;
    case PHRASE_WITHIN:
        return within_phrase(r, ast, left, right);
    }
    return resolve_call(r, ast, name, left, right, phrase->precision);
}

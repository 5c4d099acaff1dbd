#include "cql/parse_int.h"

typedef Vec(AstSource) SourceVec;

static AstSource make_source(Parser *parser, Ast *expression)
{
    const Token *token = parse_peek(parser, 0);
    AstSource source = {.expression = expression, .line = token->line, .column = token->column};
    source.alias = parse_name(parser, "an alias");
    return source;
}

/* querySource alias: the source is a retrieve, a name, or in parentheses. */
static AstSource parse_aliased(Parser *parser)
{
    size_t began = parser->at;
    Ast *expression = parse_close(parser, began, parse_term(parser));
    uint32_t parts = 0;
    const Token *place = parse_peek(parser, 0);
    while (parse_take_dot(parser, &parts)) {
        Ast *member = parse_operator(parser, "", place, expression, NULL);
        member->kind = AST_MEMBER;
        member->text = parse_any_name(parser, "the name of an element");
        expression = parse_close(parser, began, member);
    }
    return make_source(parser, expression);
}

static void parse_lets(Parser *parser, AstQuery *query)
{
    SourceVec lets = {0};
    do {
        const Token *token = parse_peek(parser, 0);
        AstSource let = {.line = token->line, .column = token->column};
        let.alias = parse_name(parser, "a name");
        parse_expect(parser, ":");
        let.expression = parse_expression(parser);
        VEC_PUSH(parser->arena, &lets, let);
    } while (!parser->panic && parse_take(parser, ","));
    query->lets = lets.items;
    query->let_count = lets.count;
}

static void parse_relations(Parser *parser, AstQuery *query)
{
    Vec(AstRelation) relations = {0};
    while (!parser->panic && (parse_is(parser, 0, "with") || parse_is(parser, 0, "without"))) {
        AstRelation relation = {.is_without = parse_is(parser, 0, "without")};
        parse_next(parser);
        relation.source = parse_aliased(parser);
        parse_expect(parser, "such");
        parse_expect(parser, "that");
        relation.such_that = parse_expression(parser);
        VEC_PUSH(parser->arena, &relations, relation);
    }
    query->relations = relations.items;
    query->relation_count = relations.count;
}

static bool parse_direction(Parser *parser, bool *ret_is_descending)
{
    *ret_is_descending = parse_is(parser, 0, "desc") || parse_is(parser, 0, "descending");
    if (*ret_is_descending || parse_is(parser, 0, "asc") || parse_is(parser, 0, "ascending")) {
        parse_next(parser);
        return true;
    }
    return false;
}

static void parse_sort(Parser *parser, AstQuery *query)
{
    Vec(AstSortKey) keys = {0};
    AstSortKey key = {.expression = NULL};
    if (parse_take(parser, "by")) {
        do {
            key.expression = parse_expression_term(parser);
            (void)parse_direction(parser, &key.is_descending);
            VEC_PUSH(parser->arena, &keys, key);
        } while (!parser->panic && parse_take(parser, ","));
    } else {
        if (!parse_direction(parser, &key.is_descending))
            parse_fail(parser, "'asc', 'desc' or 'by'");
        VEC_PUSH(parser->arena, &keys, key);
    }
    query->sort_keys = keys.items;
    query->sort_count = keys.count;
}

/* starting simpleLiteral | quantity | (expression); never a ratio, as a colon follows. */
static Ast *parse_starting(Parser *parser)
{
    bool is_minus = parse_take(parser, "-");
    const Token *token = parse_peek(parser, 0);
    Ast *node = NULL;
    if (token->kind == TOKEN_INTEGER || token->kind == TOKEN_DECIMAL) {
        node = parse_quantity(parser);
        bool is_plain = str_eq(node->unit, S("1")) && node->flags == 0;
        if (is_plain)
            node->kind = token->kind == TOKEN_INTEGER ? AST_INTEGER : AST_DECIMAL;
    } else {
        node = parse_term(parser);
    }
    return is_minus ? parse_operator(parser, "Negate", token, node, NULL) : node;
}

static void parse_aggregate(Parser *parser, AstQuery *query)
{
    if (!parse_take(parser, "all"))
        query->aggregate_distinct = parse_take(parser, "distinct");
    query->aggregate_name = parse_name(parser, "a name for the result");
    if (parse_take(parser, "starting"))
        query->aggregate_start = parse_starting(parser);
    parse_expect(parser, ":");
    query->aggregate = parse_expression(parser);
}

static Ast *parse_clauses(Parser *parser, const Token *place, const SourceVec *sources)
{
    AstQuery *query = ARENA_NEW(parser->arena, AstQuery);
    query->sources = sources->items;
    query->source_count = sources->count;
    if (parse_take(parser, "let"))
        parse_lets(parser, query);
    parse_relations(parser, query);
    if (parse_take(parser, "where"))
        query->where = parse_expression(parser);
    if (parse_take(parser, "return")) {
        query->return_all = parse_take(parser, "all");
        if (!query->return_all)
            (void)parse_take(parser, "distinct");
        query->returns = parse_expression(parser);
    } else if (parse_take(parser, "aggregate")) {
        parse_aggregate(parser, query);
    }
    if (parse_take(parser, "sort"))
        parse_sort(parser, query);
    Ast *node = parse_node(parser, AST_QUERY, place);
    node->query = query;
    return node;
}

Ast *parse_query_after(Parser *parser, Ast *source)
{
    const Token *place = parse_peek(parser, 0);
    SourceVec sources = {0};
    VEC_PUSH(parser->arena, &sources, make_source(parser, source));
    return parse_clauses(parser, place, &sources);
}

Ast *parse_from_query(Parser *parser)
{
    const Token *place = parse_next(parser);
    SourceVec sources = {0};
    do {
        VEC_PUSH(parser->arena, &sources, parse_aliased(parser));
    } while (!parser->panic && parse_take(parser, ","));
    return parse_clauses(parser, place, &sources);
}

/* A code path as written: names joined by dots. False when the expression is something else. */
static bool path_text(Parser *parser, const Ast *node, Str *ret_path)
{
    if (node->kind == AST_IDENTIFIER) {
        *ret_path = node->text;
        return true;
    }
    if (node->kind != AST_MEMBER || !path_text(parser, node->items[0], ret_path))
        return false;
    *ret_path = str_format(parser->arena, "%.*s.%.*s", STR_ARG(*ret_path), STR_ARG(node->text));
    return true;
}

/* A name, or names joined by dots, before an arrow. */
static void parse_related(Parser *parser, AstRetrieve *retrieve)
{
    size_t arrow = 1;
    while (parse_is(parser, arrow, ".") && arrow < LIMIT_CQL_DEPTH)
        arrow += 2;
    if (!parse_is(parser, arrow, "->"))
        return;
    size_t began = parser->at;
    const Token *place = parse_peek(parser, 0);
    Ast *node = parse_node(parser, AST_IDENTIFIER, place);
    uint32_t parts = 0;
    node->text = parse_name(parser, "the name of what the resources are related to");
    while (parse_take_dot(parser, &parts)) {
        Ast *member = parse_operator(parser, "", place, node, NULL);
        member->kind = AST_MEMBER;
        member->text = parse_any_name(parser, "a name");
        node = member;
    }
    retrieve->related = parse_close(parser, began, node);
    parse_next(parser);
}

/* [context -> Type : path comparator terminology] */
Ast *parse_retrieve(Parser *parser)
{
    Ast *node = parse_node(parser, AST_RETRIEVE, parse_next(parser));
    AstRetrieve *retrieve = ARENA_NEW(parser->arena, AstRetrieve);
    node->retrieve = retrieve;
    parse_related(parser, retrieve);
    retrieve->type = parse_named_type(parser);
    if (parse_take(parser, ":")) {
        Ast *terminology = parse_expression(parser);
        static const char *const comparators[][2] = {
            {"In", "in"}, {"Equal", "="}, {"Equivalent", "~"}};
        for (size_t i = 0; i < 3 && terminology->kind == AST_OPERATOR; i++) {
            if (str_eq(terminology->text, str_from_c(comparators[i][0])) &&
                path_text(parser, terminology->items[0], &retrieve->path)) {
                retrieve->comparator = str_from_c(comparators[i][1]);
                terminology = terminology->items[1];
                break;
            }
        }
        retrieve->terminology = terminology;
    }
    parse_expect(parser, "]");
    return node;
}

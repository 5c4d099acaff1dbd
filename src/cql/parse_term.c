#include "cql/parse_int.h"

static bool at_number(const Parser *parser)
{
    TokenKind kind = parse_peek(parser, 0)->kind;
    return kind == TOKEN_INTEGER || kind == TOKEN_DECIMAL || kind == TOKEN_LONG;
}

/* NUMBER unit, where the unit is a string or a calendar word. */
static bool has_unit(const Parser *parser, size_t ahead)
{
    const Token *token = parse_peek(parser, ahead);
    bool is_plural;
    if (token->kind == TOKEN_STRING)
        return true;
    return token->kind == TOKEN_IDENTIFIER && parse_precision_word(token->text, &is_plural) != 0;
}

Ast *parse_quantity(Parser *parser)
{
    const Token *token = parse_peek(parser, 0);
    bool is_number = token->kind == TOKEN_INTEGER || token->kind == TOKEN_DECIMAL;
    if (!is_number)
        return NULL;
    Ast *node = parse_node(parser, AST_QUANTITY, token);
    node->text = parse_next(parser)->text;
    node->unit = S("1");
    if (has_unit(parser, 0)) {
        node->flags = parse_peek(parser, 0)->kind == TOKEN_IDENTIFIER ? AST_CALENDAR : 0;
        node->unit = parse_next(parser)->text;
    }
    return node;
}

static Ast *parse_number(Parser *parser)
{
    const Token *token = parse_peek(parser, 0);
    bool is_quantity = token->kind != TOKEN_LONG && has_unit(parser, 1);
    bool is_ratio = false;
    size_t after = is_quantity ? 2 : 1;
    if (parse_is(parser, after, ":")) {
        TokenKind kind = parse_peek(parser, after + 1)->kind;
        is_ratio = kind == TOKEN_INTEGER || kind == TOKEN_DECIMAL;
    }
    if (is_ratio) {
        Ast *left = parse_quantity(parser);
        parse_next(parser);
        Ast *node = parse_operator(parser, "", token, left, parse_quantity(parser));
        node->kind = AST_RATIO;
        return node;
    }
    if (is_quantity)
        return parse_quantity(parser);
    AstKind kind = token->kind == TOKEN_INTEGER ? AST_INTEGER
                   : token->kind == TOKEN_LONG  ? AST_LONG
                                                : AST_DECIMAL;
    Ast *node = parse_node(parser, kind, token);
    node->text = parse_next(parser)->text;
    return node;
}

static Ast *parse_interval(Parser *parser)
{
    Ast *node = parse_node(parser, AST_INTERVAL, parse_next(parser));
    if (parse_take(parser, "["))
        node->flags = AST_LOW_CLOSED;
    else
        parse_expect(parser, "(");
    AstVec items = {0};
    VEC_PUSH(parser->arena, &items, parse_expression(parser));
    parse_expect(parser, ",");
    VEC_PUSH(parser->arena, &items, parse_expression(parser));
    if (parse_take(parser, "]"))
        node->flags |= AST_HIGH_CLOSED;
    else
        parse_expect(parser, ")");
    parse_set_items(parser, node, &items);
    return node;
}

/* name: expression, … } of tuples and instances; `{ : }` is an empty one. */
static void parse_elements(Parser *parser, Ast *node)
{
    AstVec items = {0};
    StrVec names = {0};
    if (!parse_take(parser, ":") && !parse_is(parser, 0, "}")) {
        do {
            VEC_PUSH(parser->arena, &names, parse_any_name(parser, "the name of an element"));
            parse_expect(parser, ":");
            VEC_PUSH(parser->arena, &items, parse_expression(parser));
        } while (!parser->panic && parse_take(parser, ","));
    }
    parse_expect(parser, "}");
    parse_set_items(parser, node, &items);
    node->names = names.items;
}

/* { … }: a list, or a tuple when a name and a colon follow. */
static Ast *parse_braces(Parser *parser, AstType *type)
{
    const Token *place = parse_next(parser);
    TokenKind first = parse_peek(parser, 0)->kind;
    bool is_name = first == TOKEN_IDENTIFIER || first == TOKEN_QUOTED;
    if (type == NULL && (parse_is(parser, 0, ":") || (is_name && parse_is(parser, 1, ":")))) {
        Ast *node = parse_node(parser, AST_TUPLE, place);
        parse_elements(parser, node);
        return node;
    }
    Ast *node = parse_node(parser, AST_LIST, place);
    node->type = type;
    AstVec items = {0};
    if (!parse_is(parser, 0, "}")) {
        do {
            VEC_PUSH(parser->arena, &items, parse_expression(parser));
        } while (!parser->panic && parse_take(parser, ","));
    }
    parse_expect(parser, "}");
    parse_set_items(parser, node, &items);
    return node;
}

static Ast *parse_typed_list(Parser *parser)
{
    parse_next(parser);
    AstType *type = NULL;
    if (parse_take(parser, "<")) {
        type = parse_type(parser);
        parse_expect(parser, ">");
    }
    if (!parse_is(parser, 0, "{")) {
        parse_fail(parser, "'{'");
        return parse_node(parser, AST_ERROR, parse_peek(parser, 0));
    }
    return parse_braces(parser, type);
}

/* Code 'x' from "System" display 'd' */
static Ast *parse_code_selector(Parser *parser)
{
    Ast *node = parse_node(parser, AST_CODE, parse_next(parser));
    node->text = parse_next(parser)->text;
    parse_expect(parser, "from");
    AstVec items = {0};
    const Token *place = parse_peek(parser, 0);
    Ast *system = parse_node(parser, AST_IDENTIFIER, place);
    system->text = parse_name(parser, "the name of a code system");
    uint32_t parts = 0;
    while (parse_take_dot(parser, &parts)) {
        Ast *member = parse_operator(parser, "", place, system, NULL);
        member->kind = AST_MEMBER;
        member->text = parse_any_name(parser, "the name of a code system");
        system = member;
    }
    VEC_PUSH(parser->arena, &items, system);
    if (parse_take(parser, "display"))
        node->unit = parse_next(parser)->text;
    parse_set_items(parser, node, &items);
    return node;
}

static Ast *parse_concept_selector(Parser *parser)
{
    Ast *node = parse_node(parser, AST_CONCEPT, parse_next(parser));
    parse_expect(parser, "{");
    AstVec items = {0};
    do {
        if (!parse_is(parser, 0, "Code"))
            parse_fail(parser, "a Code");
        else
            VEC_PUSH(parser->arena, &items, parse_code_selector(parser));
    } while (!parser->panic && parse_take(parser, ","));
    parse_expect(parser, "}");
    if (parse_take(parser, "display"))
        node->unit = parse_next(parser)->text;
    parse_set_items(parser, node, &items);
    return node;
}

static void parse_arguments(Parser *parser, AstVec *items)
{
    parse_expect(parser, "(");
    if (!parse_is(parser, 0, ")")) {
        do {
            VEC_PUSH(parser->arena, items, parse_expression(parser));
        } while (!parser->panic && parse_take(parser, ","));
    }
    parse_expect(parser, ")");
}

/* Whether `{` after a name opens an instance: Name { element: or Name { : }. */
static bool is_instance(const Parser *parser)
{
    size_t at = 0;
    if (!parse_at_name(parser, 0))
        return false;
    while (parse_is(parser, at + 1, ".") && parse_peek(parser, at + 2)->kind == TOKEN_IDENTIFIER)
        at += 2;
    if (!parse_is(parser, at + 1, "{"))
        return false;
    return parse_is(parser, at + 2, ":") || parse_is(parser, at + 3, ":");
}

static Ast *parse_name_term(Parser *parser)
{
    if (is_instance(parser)) {
        Ast *node = parse_node(parser, AST_INSTANCE, parse_peek(parser, 0));
        node->type = parse_named_type(parser);
        parse_expect(parser, "{");
        parse_elements(parser, node);
        return node;
    }
    const Token *token = parse_peek(parser, 0);
    Ast *node = parse_node(parser, AST_IDENTIFIER, token);
    node->flags = token->kind == TOKEN_QUOTED ? AST_QUOTED : 0;
    node->text = parse_name(parser, "an expression");
    if (parse_is(parser, 0, "(")) {
        node->kind = AST_FUNCTION;
        node->flags = 0;
        AstVec items = {0};
        parse_arguments(parser, &items);
        parse_set_items(parser, node, &items);
    }
    return node;
}

static Ast *parse_text_token(Parser *parser, AstKind kind)
{
    Ast *node = parse_node(parser, kind, parse_peek(parser, 0));
    node->text = parse_next(parser)->text;
    return node;
}

static Ast *parse_group(Parser *parser)
{
    parse_next(parser);
    Ast *inner = parse_expression(parser);
    parse_expect(parser, ")");
    inner->flags |= AST_PARENTHESES;
    return inner;
}

/* %name: a constant of the environment. */
static Ast *parse_external(Parser *parser)
{
    Ast *node = parse_node(parser, AST_SPECIAL, parse_next(parser));
    const Token *token = parse_next(parser);
    node->text = str_format(parser->arena, "%%%.*s", STR_ARG(token->text));
    return node;
}

static Ast *parse_word_term(Parser *parser)
{
    const Token *token = parse_peek(parser, 0);
    if (parse_is(parser, 0, "null"))
        return parse_text_token(parser, AST_NULL);
    if (parse_is(parser, 0, "true") || parse_is(parser, 0, "false"))
        return parse_text_token(parser, AST_BOOLEAN);
    if (parse_is(parser, 0, "Interval"))
        return parse_interval(parser);
    if (parse_is(parser, 0, "Tuple") && parse_is(parser, 1, "{")) {
        parse_next(parser);
        parse_next(parser);
        Ast *node = parse_node(parser, AST_TUPLE, token);
        parse_elements(parser, node);
        return node;
    }
    bool is_list = parse_is(parser, 0, "List");
    if (is_list && (parse_is(parser, 1, "{") || parse_is(parser, 1, "<")))
        return parse_typed_list(parser);
    if (parse_is(parser, 0, "Code") && parse_peek(parser, 1)->kind == TOKEN_STRING)
        return parse_code_selector(parser);
    bool is_concept = parse_is(parser, 0, "Concept") && parse_is(parser, 1, "{");
    if (is_concept && parse_is(parser, 2, "Code") && parse_peek(parser, 3)->kind == TOKEN_STRING)
        return parse_concept_selector(parser);
    return parse_name_term(parser);
}

Ast *parse_term(Parser *parser)
{
    if (at_number(parser))
        return parse_number(parser);
    switch (parse_peek(parser, 0)->kind) {
    case TOKEN_STRING:
        return parse_text_token(parser, AST_STRING);
    case TOKEN_DATE:
        return parse_text_token(parser, AST_DATE);
    case TOKEN_DATETIME:
        return parse_text_token(parser, AST_DATETIME);
    case TOKEN_TIME:
        return parse_text_token(parser, AST_TIME);
    case TOKEN_IDENTIFIER:
        return parse_word_term(parser);
    case TOKEN_QUOTED:
        return parse_name_term(parser);
    default:
        break;
    }
    if (parse_is(parser, 0, "("))
        return parse_group(parser);
    if (parse_is(parser, 0, "{"))
        return parse_braces(parser, NULL);
    if (parse_is(parser, 0, "["))
        return parse_retrieve(parser);
    if (parse_is(parser, 0, "%"))
        return parse_external(parser);
    parse_fail(parser, "an expression");
    Ast *node = parse_node(parser, AST_ERROR, parse_peek(parser, 0));
    parse_next(parser);
    return node;
}

/*
 * Expressions by precedence climbing. From loose to tight: set operators, implies, or/xor, and,
 * membership, equality, timing phrases, inequality, between, not/exists, is/as; then the terms:
 * + - &, * / div mod, ^, prefix words, postfix `.` and `[]`.
 */
#include "cql/parse_int.h"

enum {
    LEVEL_SET = 1,
    LEVEL_IMPLIES,
    LEVEL_OR,
    LEVEL_AND,
    LEVEL_MEMBER,
    LEVEL_EQUAL,
    LEVEL_TIMING,
    LEVEL_ORDER,
    LEVEL_BETWEEN,
    LEVEL_TYPE
};

typedef struct {
    const char *word;
    const char *operator_name;
    int level;
} BinaryWord;

static const BinaryWord binary_words[] = {
    {"|", "Union", LEVEL_SET},
    {"union", "Union", LEVEL_SET},
    {"intersect", "Intersect", LEVEL_SET},
    {"except", "Except", LEVEL_SET},
    {"implies", "Implies", LEVEL_IMPLIES},
    {"or", "Or", LEVEL_OR},
    {"xor", "Xor", LEVEL_OR},
    {"and", "And", LEVEL_AND},
    {"in", "In", LEVEL_MEMBER},
    {"contains", "Contains", LEVEL_MEMBER},
    {"=", "Equal", LEVEL_EQUAL},
    {"!=", "NotEqual", LEVEL_EQUAL},
    {"~", "Equivalent", LEVEL_EQUAL},
    {"!~", "NotEquivalent", LEVEL_EQUAL},
    {"<=", "LessOrEqual", LEVEL_ORDER},
    {"<", "Less", LEVEL_ORDER},
    {">=", "GreaterOrEqual", LEVEL_ORDER},
    {">", "Greater", LEVEL_ORDER},
};

static Ast *parse_binary(Parser *parser, int level_min);

static bool enter(Parser *parser)
{
    if (++parser->depth <= LIMIT_CQL_DEPTH)
        return true;
    parse_fail(parser, "fewer expressions within one another");
    return false;
}

Ast *parse_expression(Parser *parser)
{
    Ast *node = NULL;
    if (enter(parser))
        node = parse_binary(parser, LEVEL_SET);
    else
        node = parse_node(parser, AST_ERROR, parse_peek(parser, 0));
    parser->depth--;
    return node;
}

Ast *parse_phrase_operand(Parser *parser)
{
    return parse_binary(parser, LEVEL_ORDER);
}

static uint8_t word_precision(const Parser *parser, size_t ahead, bool want_plural)
{
    const Token *token = parse_peek(parser, ahead);
    bool is_plural;
    if (token->kind != TOKEN_IDENTIFIER)
        return 0;
    uint8_t precision = parse_precision_word(token->text, &is_plural);
    return is_plural == want_plural ? precision : 0;
}

/* … between low and high: operands are terms, so that `and` stays ours. */
static Ast *parse_between_operands(Parser *parser, const char *name, const Token *place)
{
    parse_expect(parser, "between");
    Ast *low = parse_expression_term(parser);
    parse_expect(parser, "and");
    Ast *high = parse_expression_term(parser);
    return parse_operator(parser, name, place, low, high);
}

/* [duration in] days between a and b; difference in days between a and b. NULL when not here. */
static Ast *parse_duration_between(Parser *parser)
{
    const Token *place = parse_peek(parser, 0);
    bool is_difference = parse_is(parser, 0, "difference");
    size_t lead = is_difference || parse_is(parser, 0, "duration") ? 2 : 0;
    if (lead == 2 && !parse_is(parser, 1, "in"))
        return NULL;
    uint8_t precision = word_precision(parser, lead, true);
    if (precision == 0 || !parse_is(parser, lead + 1, "between"))
        return NULL;
    for (size_t i = 0; i <= lead; i++)
        parse_next(parser);
    const char *name = is_difference ? "DifferenceBetween" : "DurationBetween";
    Ast *node = parse_between_operands(parser, name, place);
    node->precision = precision;
    return node;
}

static Ast *parse_cast(Parser *parser)
{
    const Token *place = parse_next(parser);
    Ast *inner = parse_binary(parser, LEVEL_TYPE + 1);
    parse_expect(parser, "as");
    Ast *node = parse_operator(parser, "", place, inner, NULL);
    node->kind = AST_AS;
    node->flags = AST_STRICT;
    node->type = parse_type(parser);
    return node;
}

static Ast *parse_prefix(Parser *parser)
{
    const Token *place = parse_peek(parser, 0);
    if (parse_take(parser, "not"))
        return parse_operator(parser, "Not", place, parse_binary(parser, LEVEL_TYPE), NULL);
    if (parse_take(parser, "exists"))
        return parse_operator(parser, "Exists", place, parse_binary(parser, LEVEL_TYPE), NULL);
    if (parse_is(parser, 0, "cast"))
        return parse_cast(parser);
    Ast *duration = parse_duration_between(parser);
    return duration != NULL ? duration : parse_expression_term(parser);
}

/* is [not] null/true/false, is T, as T */
static Ast *parse_type_suffix(Parser *parser, Ast *left)
{
    const Token *place = parse_next(parser);
    bool is_as = place->text.ptr[0] == 'a';
    bool is_not = !is_as && parse_take(parser, "not");
    static const char *const tests[][2] = {
        {"null", "IsNull"}, {"true", "IsTrue"}, {"false", "IsFalse"}};
    for (size_t i = 0; i < 3 && !is_as; i++) {
        if (!parse_take(parser, tests[i][0]))
            continue;
        Ast *node = parse_operator(parser, tests[i][1], place, left, NULL);
        return is_not ? parse_operator(parser, "Not", place, node, NULL) : node;
    }
    Ast *node = parse_operator(parser, "", place, left, NULL);
    node->kind = is_as ? AST_AS : AST_IS;
    node->type = parse_type(parser);
    return node;
}

static Ast *parse_between(Parser *parser, Ast *left)
{
    bool is_properly = parse_take(parser, "properly");
    const Token *place = parse_peek(parser, 0);
    Ast *bounds = parse_between_operands(parser, "", place);
    Ast *node =
        parse_operator(parser, is_properly ? "ProperBetween" : "Between", place, left, NULL);
    Ast **items = ARENA_ARRAY(parser->arena, Ast *, 3);
    items[0] = left;
    items[1] = bounds->items[0];
    items[2] = bounds->items[1];
    node->items = items;
    node->count = 3;
    return node;
}

/* `in day of`, `contains day of`: the precision before the right operand. */
static uint8_t take_precision_of(Parser *parser)
{
    uint8_t precision = word_precision(parser, 0, false);
    if (precision == 0 || !parse_is(parser, 1, "of"))
        return 0;
    parse_next(parser);
    parse_next(parser);
    return precision;
}

static const BinaryWord *find_binary(const Parser *parser, int level_min)
{
    const Token *token = parse_peek(parser, 0);
    if (token->kind != TOKEN_IDENTIFIER && token->kind != TOKEN_PUNCTUATION)
        return NULL;
    for (size_t i = 0; i < sizeof(binary_words) / sizeof(binary_words[0]); i++) {
        const BinaryWord *word = &binary_words[i];
        if (word->level >= level_min && str_eq(token->text, str_from_c(word->word)))
            return word;
    }
    return NULL;
}

/* One suffix at or above the level, or NULL when there is none. */
static Ast *parse_suffix(Parser *parser, Ast *left, int level_min)
{
    if (level_min <= LEVEL_TYPE && (parse_is(parser, 0, "is") || parse_is(parser, 0, "as")))
        return parse_type_suffix(parser, left);
    bool is_between = parse_is(parser, 0, "between") ||
                      (parse_is(parser, 0, "properly") && parse_is(parser, 1, "between"));
    if (is_between && level_min <= LEVEL_BETWEEN)
        return parse_between(parser, left);
    const BinaryWord *word = find_binary(parser, level_min);
    if (word != NULL) {
        const Token *place = parse_next(parser);
        uint8_t precision = word->level == LEVEL_MEMBER ? take_precision_of(parser) : 0;
        Ast *right = parse_binary(parser, word->level + 1);
        Ast *node = parse_operator(parser, word->operator_name, place, left, right);
        node->precision = precision;
        return node;
    }
    return level_min <= LEVEL_TIMING ? parse_phrase(parser, left) : NULL;
}

static Ast *parse_binary(Parser *parser, int level_min)
{
    if (!enter(parser)) {
        parser->depth--;
        return parse_node(parser, AST_ERROR, parse_peek(parser, 0));
    }
    size_t began = parser->at;
    Ast *left = parse_close(parser, began, parse_prefix(parser));
    uint32_t chain = 0;
    while (!parser->panic) {
        Ast *longer = parse_suffix(parser, left, level_min);
        if (longer == NULL)
            break;
        left = parse_close(parser, began, longer);
        /* A chain of operators is a tree as deep as it is long. */
        if (++chain > LIMIT_CQL_DEPTH)
            parse_fail(parser, "fewer operators in one expression");
    }
    parser->depth--;
    return left;
}

/* --- terms --- */

static Ast *parse_if(Parser *parser)
{
    Ast *node = parse_node(parser, AST_IF, parse_next(parser));
    AstVec items = {0};
    VEC_PUSH(parser->arena, &items, parse_expression(parser));
    parse_expect(parser, "then");
    VEC_PUSH(parser->arena, &items, parse_expression(parser));
    parse_expect(parser, "else");
    VEC_PUSH(parser->arena, &items, parse_expression(parser));
    parse_set_items(parser, node, &items);
    return node;
}

static Ast *parse_case(Parser *parser)
{
    Ast *node = parse_node(parser, AST_CASE, parse_next(parser));
    AstVec items = {0};
    Ast *comparand = parse_is(parser, 0, "when") ? NULL : parse_expression(parser);
    VEC_PUSH(parser->arena, &items, comparand);
    if (!parse_is(parser, 0, "when"))
        parse_fail(parser, "'when'");
    while (!parser->panic && parse_take(parser, "when")) {
        VEC_PUSH(parser->arena, &items, parse_expression(parser));
        parse_expect(parser, "then");
        VEC_PUSH(parser->arena, &items, parse_expression(parser));
    }
    parse_expect(parser, "else");
    VEC_PUSH(parser->arena, &items, parse_expression(parser));
    parse_expect(parser, "end");
    parse_set_items(parser, node, &items);
    return node;
}

static Ast *parse_convert(Parser *parser)
{
    const Token *place = parse_next(parser);
    Ast *node = parse_operator(parser, "", place, parse_expression(parser), NULL);
    node->kind = AST_CONVERT;
    parse_expect(parser, "to");
    bool is_plural;
    const Token *token = parse_peek(parser, 0);
    bool is_calendar =
        token->kind == TOKEN_IDENTIFIER && parse_precision_word(token->text, &is_plural) != 0;
    if (token->kind == TOKEN_STRING || is_calendar) {
        node->unit = parse_next(parser)->text;
        node->flags = is_calendar ? AST_CALENDAR : 0;
    } else {
        node->type = parse_type(parser);
    }
    return node;
}

/* expand/collapse e [per precision | per e] */
static Ast *parse_per(Parser *parser, const char *name)
{
    const Token *place = parse_next(parser);
    Ast *left = parse_expression(parser);
    Ast *right = NULL;
    if (parse_take(parser, "per")) {
        bool is_plural;
        const Token *token = parse_peek(parser, 0);
        bool is_word =
            token->kind == TOKEN_IDENTIFIER && parse_precision_word(token->text, &is_plural) != 0;
        if (is_word) {
            right = parse_node(parser, AST_QUANTITY, token);
            right->text = S("1");
            right->unit = parse_next(parser)->text;
            right->flags = AST_CALENDAR;
        } else {
            right = parse_expression(parser);
        }
    }
    return parse_operator(parser, name, place, left, right);
}

static Ast *parse_unary(Parser *parser, const char *name, size_t words)
{
    const Token *place = parse_peek(parser, 0);
    for (size_t i = 0; i < words; i++)
        parse_next(parser);
    if (!enter(parser)) {
        parser->depth--;
        return parse_node(parser, AST_ERROR, place);
    }
    Ast *node = parse_operator(parser, name, place, parse_postfix_term(parser), NULL);
    parser->depth--;
    return node;
}

static Ast *parse_extreme(Parser *parser)
{
    Ast *node = parse_node(parser, AST_EXTREME, parse_peek(parser, 0));
    node->flags = parse_is(parser, 0, "maximum") ? AST_MAXIMUM : 0;
    parse_next(parser);
    node->type = parse_named_type(parser);
    return node;
}

/* `year from`, `date from`, `time from`, `timezoneoffset from` */
static Ast *parse_component(Parser *parser)
{
    static const char *const others[][2] = {
        {"date", "DateFrom"}, {"time", "TimeFrom"}, {"timezoneoffset", "TimezoneOffsetFrom"}};
    if (!parse_is(parser, 1, "from"))
        return NULL;
    for (size_t i = 0; i < 3; i++) {
        if (parse_is(parser, 0, others[i][0]))
            return parse_unary(parser, others[i][1], 2);
    }
    uint8_t precision = word_precision(parser, 0, false);
    if (precision == 0 || precision == AST_PRECISION_WEEK)
        return NULL;
    Ast *node = parse_unary(parser, "ComponentFrom", 2);
    node->precision = precision;
    return node;
}

/* duration/difference in days of an interval */
static Ast *parse_duration_of(Parser *parser)
{
    bool is_difference = parse_is(parser, 0, "difference");
    bool is_here = (is_difference || parse_is(parser, 0, "duration")) &&
                   parse_is(parser, 1, "in") && parse_is(parser, 3, "of");
    uint8_t precision = is_here ? word_precision(parser, 2, true) : 0;
    if (precision == 0)
        return NULL;
    Ast *node = parse_unary(parser, is_difference ? "DifferenceOf" : "DurationOf", 4);
    node->precision = precision;
    return node;
}

typedef struct {
    const char *first;
    const char *second; /* or NULL */
    const char *name;
} PrefixWord;

static const PrefixWord prefix_words[] = {
    {"start", "of", "Start"},
    {"end", "of", "End"},
    {"width", "of", "Width"},
    {"successor", "of", "Successor"},
    {"predecessor", "of", "Predecessor"},
    {"singleton", "from", "SingletonFrom"},
    {"point", "from", "PointFrom"},
    {"+", NULL, "Positive"},
    {"-", NULL, "Negate"},
};

/* A term that begins with a word of its own; NULL when it is an ordinary one. */
static Ast *parse_prefix_term(Parser *parser)
{
    if (parse_is(parser, 0, "if"))
        return parse_if(parser);
    if (parse_is(parser, 0, "case"))
        return parse_case(parser);
    if (parse_is(parser, 0, "convert"))
        return parse_convert(parser);
    if (parse_is(parser, 0, "expand"))
        return parse_per(parser, "Expand");
    if (parse_is(parser, 0, "collapse"))
        return parse_per(parser, "Collapse");
    const Token *place = parse_peek(parser, 0);
    if (parse_take(parser, "distinct"))
        return parse_operator(parser, "Distinct", place, parse_expression(parser), NULL);
    if (parse_take(parser, "flatten"))
        return parse_operator(parser, "Flatten", place, parse_expression(parser), NULL);
    if (parse_is(parser, 0, "minimum") || parse_is(parser, 0, "maximum"))
        return parse_extreme(parser);
    for (size_t i = 0; i < sizeof(prefix_words) / sizeof(prefix_words[0]); i++) {
        const PrefixWord *word = &prefix_words[i];
        if (parse_is(parser, 0, word->first) &&
            (word->second == NULL || parse_is(parser, 1, word->second)))
            return parse_unary(parser, word->name, word->second == NULL ? 1 : 2);
    }
    Ast *component = parse_component(parser);
    return component != NULL ? component : parse_duration_of(parser);
}

static Ast *parse_member(Parser *parser, Ast *left)
{
    const Token *place = parse_next(parser);
    Ast *node = parse_operator(parser, "", place, left, NULL);
    node->kind = AST_MEMBER;
    node->line = parse_peek(parser, 0)->line;
    node->column = parse_peek(parser, 0)->column;
    node->text = parse_any_name(parser, "the name of an element or function");
    if (!parse_take(parser, "("))
        return node;
    node->kind = AST_FUNCTION;
    node->flags = AST_FLUENT;
    AstVec items = {0};
    VEC_PUSH(parser->arena, &items, left);
    if (!parse_is(parser, 0, ")")) {
        do {
            VEC_PUSH(parser->arena, &items, parse_expression(parser));
        } while (!parser->panic && parse_take(parser, ","));
    }
    parse_expect(parser, ")");
    parse_set_items(parser, node, &items);
    return node;
}

/* Whether a query may be made of it: a retrieve, a name, or something in parentheses. */
static bool is_query_source(const Ast *node)
{
    if (node->kind == AST_RETRIEVE || (node->flags & AST_PARENTHESES) != 0)
        return true;
    while (node->kind == AST_MEMBER)
        node = node->items[0];
    return node->kind == AST_IDENTIFIER || node->kind == AST_RETRIEVE;
}

/* A name after a source is its alias, but for `more than 3 days after`. */
static bool at_alias(const Parser *parser)
{
    bool is_offset = parse_is(parser, 0, "more") || parse_is(parser, 0, "less");
    return parse_at_name(parser, 0) && !(is_offset && parse_is(parser, 1, "than"));
}

Ast *parse_postfix_term(Parser *parser)
{
    size_t began = parser->at;
    Ast *left = parse_prefix_term(parser);
    if (left == NULL && parse_is(parser, 0, "from"))
        left = parse_from_query(parser);
    if (left != NULL)
        return parse_close(parser, began, left);
    left = parse_close(parser, began, parse_term(parser));
    for (uint32_t chain = 0; !parser->panic; chain++) {
        if (chain > LIMIT_CQL_DEPTH)
            parse_fail(parser, "fewer elements one behind the other");
        if (is_query_source(left) && at_alias(parser)) {
            Ast *query = parse_query_after(parser, left);
            if (query == left)
                break;
            left = query;
        } else if (parse_is(parser, 0, ".")) {
            left = parse_member(parser, left);
        } else if (parse_is(parser, 0, "[")) {
            const Token *place = parse_next(parser);
            left = parse_operator(parser, "Indexer", place, left, parse_expression(parser));
            parse_expect(parser, "]");
        } else {
            break;
        }
        left = parse_close(parser, began, left);
    }
    return left;
}

static const BinaryWord term_words[] = {
    {"+", "Add", 1},      {"-", "Subtract", 1}, {"&", "ConcatenateNull", 1},
    {"*", "Multiply", 2}, {"/", "Divide", 2},   {"div", "TruncatedDivide", 2},
    {"mod", "Modulo", 2}, {"^", "Power", 3},
};

static Ast *parse_arithmetic(Parser *parser, int level_min)
{
    if (!enter(parser)) {
        parser->depth--;
        return parse_node(parser, AST_ERROR, parse_peek(parser, 0));
    }
    size_t began = parser->at;
    Ast *left = parse_postfix_term(parser);
    uint32_t chain = 0;
    for (bool more = true; more && !parser->panic;) {
        more = false;
        for (size_t i = 0; i < sizeof(term_words) / sizeof(term_words[0]); i++) {
            const BinaryWord *word = &term_words[i];
            if (word->level < level_min || !parse_is(parser, 0, word->word))
                continue;
            const Token *place = parse_next(parser);
            Ast *right = parse_arithmetic(parser, word->level + 1);
            left = parse_operator(parser, word->operator_name, place, left, right);
            left = parse_close(parser, began, left);
            more = true;
            if (++chain > LIMIT_CQL_DEPTH)
                parse_fail(parser, "fewer operators in one expression");
            break;
        }
    }
    parser->depth--;
    return left;
}

Ast *parse_expression_term(Parser *parser)
{
    return parse_arithmetic(parser, 1);
}

#include "cql/parse_int.h"

#include <stdio.h>

const Token *parse_peek(const Parser *parser, size_t ahead)
{
    size_t at = parser->at + ahead;
    return &parser->tokens.items[at < parser->tokens.count ? at : parser->tokens.count - 1];
}

const Token *parse_next(Parser *parser)
{
    const Token *token = parse_peek(parser, 0);
    if (parser->at + 1 < parser->tokens.count)
        parser->at++;
    return token;
}

bool parse_is(const Parser *parser, size_t ahead, const char *word)
{
    const Token *token = parse_peek(parser, ahead);
    return (token->kind == TOKEN_IDENTIFIER || token->kind == TOKEN_PUNCTUATION) &&
           str_eq(token->text, str_from_c(word));
}

bool parse_take(Parser *parser, const char *word)
{
    if (!parse_is(parser, 0, word))
        return false;
    parse_next(parser);
    return true;
}

void parse_fail(Parser *parser, const char *expected)
{
    parser->failed = true;
    if (parser->panic)
        return;
    parser->panic = true;
    const Token *token = parse_peek(parser, 0);
    Diag diag = {.severity = SEVERITY_ERROR,
                 .line = token->line,
                 .column = token->column,
                 .rule = S("cql-syntax"),
                 .file = parser->file};
    Str found = str_slice(token->text, 0, 60);
    if (token->kind == TOKEN_END)
        diag_addf(parser->diags, diag, "expected %s before %.*s", expected, STR_ARG(found));
    else
        diag_addf(parser->diags, diag, "expected %s, found '%.*s'", expected, STR_ARG(found));
}

bool parse_take_dot(Parser *parser, uint32_t *parts)
{
    if (parser->panic || !parse_take(parser, "."))
        return false;
    if (++*parts > LIMIT_CQL_DEPTH)
        parse_fail(parser, "fewer parts of one name");
    return !parser->panic;
}

bool parse_expect(Parser *parser, const char *word)
{
    if (parse_take(parser, word))
        return true;
    char expected[40];
    (void)snprintf(expected, sizeof(expected), "'%s'", word);
    parse_fail(parser, expected);
    return false;
}

/* Words that cannot be names without quotes (grammar: reservedWord), in byte order. */
static const char *const reserved_words[] = {
    "Interval",    "and",          "as",
    "asc",         "ascending",    "between",
    "by",          "called",       "case",
    "cast",        "code",         "codesystem",
    "collapse",    "concept",      "contains",
    "context",     "convert",      "date",
    "day",         "days",         "define",
    "desc",        "descending",   "difference",
    "distinct",    "div",          "during",
    "else",        "end",          "ends",
    "except",      "exists",       "expand",
    "false",       "flatten",      "from",
    "function",    "hour",         "hours",
    "if",          "implies",      "in",
    "include",     "includes",     "included",
    "intersect",   "is",           "let",
    "library",     "maximum",      "meets",
    "millisecond", "milliseconds", "minimum",
    "minute",      "minutes",      "mod",
    "month",       "months",       "not",
    "null",        "occurs",       "of",
    "on",          "or",           "overlaps",
    "parameter",   "per",          "point",
    "predecessor", "private",      "properly",
    "public",      "return",       "same",
    "second",      "seconds",      "singleton",
    "sort",        "start",        "starting",
    "starts",      "successor",    "such",
    "then",        "time",         "timezoneoffset",
    "to",          "true",         "union",
    "using",       "valueset",     "version",
    "week",        "weeks",        "when",
    "where",       "width",        "with",
    "within",      "without",      "xor",
    "year",        "years",        "after",
    "before",      "default",      "all",
    "aggregate",
};

bool parse_is_reserved(Str word)
{
    for (size_t i = 0; i < sizeof(reserved_words) / sizeof(reserved_words[0]); i++) {
        const char *reserved = reserved_words[i];
        if (strlen(reserved) == word.len && memcmp(reserved, word.ptr, word.len) == 0)
            return true;
    }
    return false;
}

bool parse_at_name(const Parser *parser, size_t ahead)
{
    const Token *token = parse_peek(parser, ahead);
    return token->kind == TOKEN_QUOTED ||
           (token->kind == TOKEN_IDENTIFIER && !parse_is_reserved(token->text));
}

/* Words that the grammar lets stand as names although they begin a phrase elsewhere
   (grammar: keywordIdentifier). */
static bool is_soft(Str word)
{
    static const char *const soft[] = {
        "code",    "codesystem",  "concept", "date",     "default",   "end",
        "library", "start",       "time",    "version",  "context",   "all",
        "display", "per",         "point",   "valueset", "parameter", "when",
        "where",   "year",        "day",     "month",    "hour",      "minute",
        "second",  "millisecond", "week",    "include",  "function",  "aggregate"};
    for (size_t i = 0; i < sizeof(soft) / sizeof(soft[0]); i++) {
        if (str_eq(word, str_from_c(soft[i])))
            return true;
    }
    return false;
}

Str parse_name(Parser *parser, const char *what)
{
    const Token *token = parse_peek(parser, 0);
    if (parse_at_name(parser, 0) || (token->kind == TOKEN_IDENTIFIER && is_soft(token->text)))
        return parse_next(parser)->text;
    parse_fail(parser, what);
    return S("");
}

Str parse_any_name(Parser *parser, const char *what)
{
    const Token *token = parse_peek(parser, 0);
    if (token->kind == TOKEN_QUOTED || token->kind == TOKEN_IDENTIFIER)
        return parse_next(parser)->text;
    parse_fail(parser, what);
    return S("");
}

uint8_t parse_precision_word(Str word, bool *ret_is_plural)
{
    static const char *const names[] = {"",       "year",   "month",       "day", "hour",
                                        "minute", "second", "millisecond", "week"};
    *ret_is_plural = word.len > 0 && word.ptr[word.len - 1] == 's';
    Str stem = *ret_is_plural ? str_slice(word, 0, word.len - 1) : word;
    for (size_t i = 1; i < sizeof(names) / sizeof(names[0]); i++) {
        if (str_eq(stem, str_from_c(names[i])))
            return (uint8_t)i;
    }
    return 0;
}

Ast *parse_node(Parser *parser, AstKind kind, const Token *place)
{
    Ast *node = ARENA_NEW(parser->arena, Ast);
    node->kind = (uint8_t)kind;
    node->line = place->line;
    node->column = place->column;
    return node;
}

Ast *parse_close(Parser *parser, size_t began, Ast *node)
{
    if (node == NULL || node->range.line != 0 || began >= parser->at)
        return node;
    const Token *first = &parser->tokens.items[began];
    const Token *last = &parser->tokens.items[parser->at - 1];
    node->range = (AstRange){first->line, first->column, last->end_line, last->end_column};
    return node;
}

void parse_set_items(Parser *parser, Ast *node, const AstVec *items)
{
    (void)parser;
    node->items = items->items;
    node->count = items->count;
}

Ast *parse_operator(Parser *parser, const char *name, const Token *place, Ast *left, Ast *right)
{
    Ast *node = parse_node(parser, AST_OPERATOR, place);
    node->text = str_from_c(name);
    node->items = ARENA_ARRAY(parser->arena, Ast *, 2);
    node->items[0] = left;
    node->items[1] = right;
    node->count = right == NULL ? 1 : 2;
    return node;
}

static AstType *new_type(Parser *parser, AstTypeKind kind)
{
    AstType *type = ARENA_NEW(parser->arena, AstType);
    const Token *token = parse_peek(parser, 0);
    type->kind = kind;
    type->line = token->line;
    type->column = token->column;
    return type;
}

/* (model '.')? name; backbone types have dots in their names. */
AstType *parse_named_type(Parser *parser)
{
    AstType *type = new_type(parser, AST_TYPE_NAMED);
    type->name = parse_name(parser, "the name of a type");
    uint32_t parts = 0;
    while (parse_take_dot(parser, &parts)) {
        Str part = parse_any_name(parser, "the name of a type");
        if (type->model.len == 0)
            type->model = type->name;
        else
            part = str_format(parser->arena, "%.*s.%.*s", STR_ARG(type->name), STR_ARG(part));
        type->name = part;
    }
    return type;
}

static void parse_type_parts(Parser *parser, AstType *type, bool with_names)
{
    Vec(AstType *) parts = {0};
    StrVec names = {0};
    bool braces = with_names;
    parse_expect(parser, braces ? "{" : "<");
    do {
        if (with_names)
            VEC_PUSH(parser->arena, &names, parse_any_name(parser, "the name of an element"));
        VEC_PUSH(parser->arena, &parts, parse_type(parser));
    } while (!parser->panic && parse_take(parser, ","));
    parse_expect(parser, braces ? "}" : ">");
    type->parts = parts.items;
    type->names = names.items;
    type->count = parts.count;
}

AstType *parse_type(Parser *parser)
{
    if (++parser->depth > LIMIT_CQL_DEPTH) {
        parse_fail(parser, "fewer types within one another");
        parser->depth--;
        return new_type(parser, AST_TYPE_NAMED);
    }
    AstType *type = NULL;
    bool is_interval = parse_is(parser, 0, "Interval");
    bool is_choice = parse_is(parser, 0, "Choice");
    bool is_generic = is_interval || is_choice || parse_is(parser, 0, "List");
    if (is_generic && parse_is(parser, 1, "<")) {
        AstTypeKind kind = is_interval ? AST_TYPE_INTERVAL
                           : is_choice ? AST_TYPE_CHOICE
                                       : AST_TYPE_LIST;
        type = new_type(parser, kind);
        parse_next(parser);
        parse_type_parts(parser, type, false);
    } else if (parse_is(parser, 0, "Tuple") && parse_is(parser, 1, "{")) {
        type = new_type(parser, AST_TYPE_TUPLE);
        parse_next(parser);
        parse_type_parts(parser, type, true);
    } else {
        type = parse_named_type(parser);
    }
    parser->depth--;
    return type;
}

/*
 * parse_int -- what the parser's files share: the tokens under the hand, and how to fail.
 */
#pragma once

#include "cql/lex.h"
#include "cql/parse.h"

typedef struct {
    Arena *arena;
    Str file;
    DiagList *diags;
    TokenList tokens;
    size_t at;
    uint32_t depth;
    bool panic; /* an error was reported; nothing more is until the next declaration */
    bool failed;
} Parser;

typedef Vec(Ast *) AstVec;
typedef Vec(Str) StrVec;

const Token *parse_peek(const Parser *parser, size_t ahead);
const Token *parse_next(Parser *parser);
/* Whether the token that is `ahead` is this keyword or punctuation. */
bool parse_is(const Parser *parser, size_t ahead, const char *word);
/* Takes the token if it is this one. */
bool parse_take(Parser *parser, const char *word);
/* Takes a dot between parts of a name; *parts counts them, and too many are an error. */
bool parse_take_dot(Parser *parser, uint32_t *parts);
/* Takes it, or reports that it was expected. */
bool parse_expect(Parser *parser, const char *word);
/* Reports once, then goes quiet until the next declaration. */
void parse_fail(Parser *parser, const char *expected);
bool parse_at_name(const Parser *parser, size_t ahead);
/* A name: quoted, or a word that is not reserved. */
Str parse_name(Parser *parser, const char *what);
/* After a dot or as an element name any word will do. */
Str parse_any_name(Parser *parser, const char *what);
bool parse_is_reserved(Str word);
/* PRECISION_… of "day" (or "days" when plural is wanted), AST_PRECISION_WEEK, or 0. */
uint8_t parse_precision_word(Str word, bool *ret_is_plural);

Ast *parse_node(Parser *parser, AstKind kind, const Token *place);
/* The node reaches from this token to the last one taken, unless it has its range already. */
Ast *parse_close(Parser *parser, size_t began, Ast *node);
Ast *parse_operator(Parser *parser, const char *name, const Token *place, Ast *left, Ast *right);
void parse_set_items(Parser *parser, Ast *node, const AstVec *items);

Ast *parse_expression(Parser *parser);
Ast *parse_expression_term(Parser *parser);
Ast *parse_term(Parser *parser);
/* Number with unit, or NULL when the next tokens are none; `with_ratio` allows a:b. */
Ast *parse_quantity(Parser *parser);
AstType *parse_type(Parser *parser);
AstType *parse_named_type(Parser *parser);
Ast *parse_retrieve(Parser *parser);
/* If a query begins here with the source already parsed (or `from`), the query; else the source. */
Ast *parse_query_after(Parser *parser, Ast *source);
Ast *parse_from_query(Parser *parser);
/* A timing phrase after `left`, or NULL when there is none here. */
Ast *parse_phrase(Parser *parser, Ast *left);
/* The right operand of a timing phrase: binds tighter than any of them. */
Ast *parse_phrase_operand(Parser *parser);
/* A term with its members, indexes and prefixes, without arithmetic. */
Ast *parse_postfix_term(Parser *parser);

/*
 * lex -- CQL text to tokens.
 *
 * The whole text is cut at once; the last token is TOKEN_END. Keywords are identifiers here: most
 * words of CQL are keywords in some places and names in others, and only the parser knows.
 * Escapes in strings and quoted identifiers are resolved; all other texts are views of the source.
 */
#pragma once

#include "base/base.h"

typedef enum {
    TOKEN_END,
    TOKEN_IDENTIFIER, /* plain: may be a keyword */
    TOKEN_QUOTED,     /* "…" or `…`: never a keyword */
    TOKEN_STRING,
    TOKEN_INTEGER,
    TOKEN_LONG, /* text without the L */
    TOKEN_DECIMAL,
    TOKEN_DATE,     /* text without the @ */
    TOKEN_DATETIME, /* likewise; may end in T */
    TOKEN_TIME,     /* text without @T */
    TOKEN_PUNCTUATION
} TokenKind;

typedef struct {
    TokenKind kind;
    uint32_t line;
    uint32_t column;
    uint32_t end_line; /* of the last byte */
    uint32_t end_column;
    Str text;
} Token;

typedef struct {
    Token *items;
    size_t count;
} TokenList;

/* Cuts the text into tokens; what is no token is a finding and left out. */
TokenList cql_lex(Arena *arena, Str source, Str file, DiagList *diags);
/* Resolves the escapes of a string body. */
Str cql_unescape(Arena *arena, Str body);

#include "cql/lex.h"

typedef Vec(Token) TokenVec;

typedef struct {
    Arena *arena;
    Str source;
    Str file;
    DiagList *diags;
    size_t at;
    uint32_t line;
    size_t line_start;
    TokenVec tokens;
} Lexer;

static char peek(const Lexer *lexer, size_t ahead)
{
    size_t at = lexer->at + ahead;
    return at < lexer->source.len ? lexer->source.ptr[at] : '\0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static void advance(Lexer *lexer, size_t count)
{
    for (size_t i = 0; i < count && lexer->at < lexer->source.len; i++) {
        if (lexer->source.ptr[lexer->at++] == '\n') {
            lexer->line++;
            lexer->line_start = lexer->at;
        }
    }
}

static void complain(Lexer *lexer, const char *text)
{
    Diag diag = {.severity = SEVERITY_ERROR,
                 .line = lexer->line,
                 .column = (uint32_t)(lexer->at - lexer->line_start + 1),
                 .rule = S("cql-syntax"),
                 .file = lexer->file};
    diag_addf(lexer->diags, diag, "%s", text);
}

static void push(Lexer *lexer, TokenKind kind, size_t len, Str text)
{
    Token token = {.kind = kind,
                   .line = lexer->line,
                   .column = (uint32_t)(lexer->at - lexer->line_start + 1),
                   .text = text};
    advance(lexer, len > 0 ? len - 1 : 0);
    token.end_line = lexer->line;
    token.end_column = (uint32_t)(lexer->at - lexer->line_start + 1);
    advance(lexer, len > 0 ? 1 : 0);
    VEC_PUSH(lexer->arena, &lexer->tokens, token);
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Four hex digits, or -1. */
static int32_t hex_four(Str text, size_t at)
{
    if (at + 4 > text.len)
        return -1;
    int32_t value = 0;
    for (size_t i = 0; i < 4; i++) {
        int digit = hex_digit(text.ptr[at + i]);
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* \uXXXX, perhaps a surrogate pair of them: what was written and how much was read. */
static size_t unescape_unicode(Str body, size_t at, char *out, size_t *ret_read)
{
    int32_t high = hex_four(body, at + 2);
    if (high < 0) {
        *ret_read = 2;
        out[0] = 'u';
        return 1;
    }
    *ret_read = 6;
    uint32_t point = (uint32_t)high;
    if (high >= 0xD800 && high < 0xDC00 && at + 12 <= body.len && body.ptr[at + 6] == '\\' &&
        body.ptr[at + 7] == 'u') {
        int32_t low = hex_four(body, at + 8);
        if (low >= 0xDC00 && low < 0xE000) {
            point = 0x10000 + (((uint32_t)high - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
            *ret_read = 12;
        }
    }
    if (point >= 0xD800 && point < 0xE000)
        point = 0xFFFD;
    return str_put_utf8(out, point);
}

Str cql_unescape(Arena *arena, Str body)
{
    if (str_find_char(body, '\\') == SIZE_MAX)
        return body;
    /* No escape is shorter than what it stands for. */
    char *out = arena_alloc(arena, body.len + 4);
    size_t len = 0;
    for (size_t i = 0; i < body.len;) {
        if (body.ptr[i] != '\\' || i + 1 == body.len) {
            out[len++] = body.ptr[i++];
            continue;
        }
        size_t read = 2;
        switch (body.ptr[i + 1]) {
        case 'n':
            out[len++] = '\n';
            break;
        case 'r':
            out[len++] = '\r';
            break;
        case 't':
            out[len++] = '\t';
            break;
        case 'f':
            out[len++] = '\f';
            break;
        case 'u':
            len += unescape_unicode(body, i, out + len, &read);
            break;
        default:
            out[len++] = body.ptr[i + 1];
        }
        i += read;
    }
    return (Str){.ptr = out, .len = len};
}

static void lex_quoted(Lexer *lexer, char quote, TokenKind kind)
{
    size_t len = 1;
    while (lexer->at + len < lexer->source.len && peek(lexer, len) != quote)
        len += peek(lexer, len) == '\\' ? 2 : 1;
    if (lexer->at + len >= lexer->source.len) {
        complain(lexer, "the text is not closed before the end of the library");
        advance(lexer, lexer->source.len - lexer->at);
        return;
    }
    Str body = str_slice(lexer->source, lexer->at + 1, len - 1);
    push(lexer, kind, len + 1, cql_unescape(lexer->arena, body));
}

static size_t digits(const Lexer *lexer, size_t at)
{
    size_t len = 0;
    while (is_digit(peek(lexer, at + len)))
        len++;
    return len;
}

static void lex_number(Lexer *lexer)
{
    size_t len = digits(lexer, 0);
    if (peek(lexer, len) == '.' && is_digit(peek(lexer, len + 1))) {
        len += 1 + digits(lexer, len + 1);
        push(lexer, TOKEN_DECIMAL, len, str_slice(lexer->source, lexer->at, len));
    } else if (peek(lexer, len) == 'L') {
        push(lexer, TOKEN_LONG, len + 1, str_slice(lexer->source, lexer->at, len));
    } else {
        push(lexer, TOKEN_INTEGER, len, str_slice(lexer->source, lexer->at, len));
    }
}

/* hh(:mm(:ss(.f+)?)?)? from `at`; its length. */
static size_t time_length(const Lexer *lexer, size_t at)
{
    size_t len = 0;
    for (int part = 0; part < 3; part++) {
        size_t lead = part == 0 ? 0 : 1;
        if (part > 0 && peek(lexer, at + len) != ':')
            break;
        if (!is_digit(peek(lexer, at + len + lead)) || !is_digit(peek(lexer, at + len + lead + 1)))
            break;
        len += lead + 2;
        if (part == 2 && peek(lexer, at + len) == '.' && is_digit(peek(lexer, at + len + 1)))
            len += 1 + digits(lexer, at + len + 1);
    }
    return len;
}

/* Z or (+-)hh:mm from `at`. */
static size_t offset_length(const Lexer *lexer, size_t at)
{
    char sign = peek(lexer, at);
    if (sign == 'Z')
        return 1;
    bool has_offset = (sign == '+' || sign == '-') && digits(lexer, at + 1) == 2 &&
                      peek(lexer, at + 3) == ':' && digits(lexer, at + 4) == 2;
    return has_offset ? 6 : 0;
}

/* @YYYY(-MM(-DD)?)?(T(time offset?)?)? and @Thh… */
static void lex_moment(Lexer *lexer)
{
    if (peek(lexer, 1) == 'T') {
        size_t len = time_length(lexer, 2);
        push(lexer, TOKEN_TIME, 2 + len, str_slice(lexer->source, lexer->at + 2, len));
        return;
    }
    size_t len = 1 + digits(lexer, 1);
    for (int part = 0; part < 2 && peek(lexer, len) == '-' && digits(lexer, len + 1) == 2; part++)
        len += 3;
    TokenKind kind = TOKEN_DATE;
    if (peek(lexer, len) == 'T') {
        kind = TOKEN_DATETIME;
        len++;
        size_t time = time_length(lexer, len);
        len += time;
        if (time > 0)
            len += offset_length(lexer, len);
    }
    push(lexer, kind, len, str_slice(lexer->source, lexer->at + 1, len - 1));
}

static bool skip_comment(Lexer *lexer)
{
    if (peek(lexer, 0) != '/')
        return false;
    if (peek(lexer, 1) == '/') {
        while (lexer->at < lexer->source.len && peek(lexer, 0) != '\n')
            advance(lexer, 1);
        return true;
    }
    if (peek(lexer, 1) != '*')
        return false;
    Str rest = str_slice(lexer->source, lexer->at + 2, lexer->source.len);
    size_t end = str_find(rest, S("*/"));
    if (end == SIZE_MAX)
        complain(lexer, "the comment is not closed before the end of the library");
    advance(lexer, end == SIZE_MAX ? rest.len + 2 : end + 4);
    return true;
}

static void lex_punctuation(Lexer *lexer)
{
    static const char *const pairs[] = {"<=", ">=", "!=", "!~", "->"};
    Str two = str_slice(lexer->source, lexer->at, 2);
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (str_eq(two, str_from_c(pairs[i]))) {
            push(lexer, TOKEN_PUNCTUATION, 2, two);
            return;
        }
    }
    char c = peek(lexer, 0);
    if (c != '\0' && strchr("()[]{}<>=~+-*/^&|,.:;%", c) != NULL) {
        push(lexer, TOKEN_PUNCTUATION, 1, str_slice(lexer->source, lexer->at, 1));
        return;
    }
    complain(lexer, "this character belongs to no token of CQL");
    advance(lexer, 1);
}

static void lex_one(Lexer *lexer)
{
    char c = peek(lexer, 0);
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        advance(lexer, 1);
    } else if (skip_comment(lexer)) {
        return;
    } else if (is_word_start(c) || (c == '$' && is_word_start(peek(lexer, 1)))) {
        size_t len = 1;
        while (is_word_start(peek(lexer, len)) || is_digit(peek(lexer, len)))
            len++;
        push(lexer, TOKEN_IDENTIFIER, len, str_slice(lexer->source, lexer->at, len));
    } else if (is_digit(c)) {
        lex_number(lexer);
    } else if (c == '\'') {
        lex_quoted(lexer, c, TOKEN_STRING);
    } else if (c == '"' || c == '`') {
        lex_quoted(lexer, c, TOKEN_QUOTED);
    } else if (c == '@') {
        lex_moment(lexer);
    } else {
        lex_punctuation(lexer);
    }
}

TokenList cql_lex(Arena *arena, Str source, Str file, DiagList *diags)
{
    Lexer lexer = {.arena = arena, .source = source, .file = file, .diags = diags, .line = 1};
    if (str_starts_with(source, S("\xEF\xBB\xBF")))
        lexer.at = lexer.line_start = 3;
    while (lexer.at < source.len)
        lex_one(&lexer);
    push(&lexer, TOKEN_END, 0, S("the end of the library"));
    return (TokenList){.items = lexer.tokens.items, .count = lexer.tokens.count};
}

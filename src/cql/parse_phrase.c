/*
 * Timing phrases (grammar: intervalOperatorPhrase). A plain one becomes an operator; one with a
 * boundary or an offset becomes AST_PHRASE, since what it means depends on the operands' types.
 */
#include "cql/parse_int.h"

/* The right operand binds tighter than any timing phrase. */

static uint8_t take_precision_of(Parser *parser)
{
    const Token *token = parse_peek(parser, 0);
    bool is_plural;
    uint8_t precision =
        token->kind == TOKEN_IDENTIFIER ? parse_precision_word(token->text, &is_plural) : 0;
    if (precision == 0 || is_plural || !parse_is(parser, 1, "of"))
        return 0;
    parse_next(parser);
    parse_next(parser);
    return precision;
}

/* `start` or `end` of the right operand, where it is not `start of …`. */
static AstBoundary take_right_boundary(Parser *parser)
{
    if (parse_is(parser, 1, "of"))
        return BOUNDARY_NONE;
    if (parse_take(parser, "start"))
        return BOUNDARY_START;
    return parse_take(parser, "end") ? BOUNDARY_END : BOUNDARY_NONE;
}

static Ast *make_phrase(Parser *parser, const Token *place, Ast *left, const AstPhrase *phrase)
{
    Ast *node = parse_operator(parser, "", place, left, parse_phrase_operand(parser));
    node->kind = AST_PHRASE;
    node->precision = phrase->precision;
    node->phrase = arena_copy(parser->arena, phrase, sizeof(*phrase));
    return node;
}

/* [starts|ends|occurs] same [precision] (as | or before | or after) [start|end] */
static Ast *parse_same(Parser *parser, Ast *left, AstPhrase *phrase)
{
    const Token *place = parse_next(parser);
    phrase->kind = PHRASE_SAME;
    const Token *token = parse_peek(parser, 0);
    bool is_plural;
    uint8_t precision = parse_precision_word(token->text, &is_plural);
    if (token->kind == TOKEN_IDENTIFIER && precision != 0 && !is_plural) {
        parse_next(parser);
        phrase->precision = precision;
    }
    if (parse_take(parser, "or")) {
        if (parse_take(parser, "before"))
            phrase->direction = -1;
        else if (parse_take(parser, "after"))
            phrase->direction = 1;
        else
            parse_fail(parser, "'before' or 'after'");
    } else {
        parse_expect(parser, "as");
    }
    phrase->right = take_right_boundary(parser);
    return make_phrase(parser, place, left, phrase);
}

static Ast *parse_within(Parser *parser, Ast *left, AstPhrase *phrase)
{
    const Token *place = parse_next(parser);
    phrase->kind = PHRASE_WITHIN;
    phrase->quantity = parse_quantity(parser);
    if (phrase->quantity == NULL)
        parse_fail(parser, "a quantity such as '3 days'");
    parse_expect(parser, "of");
    phrase->right = take_right_boundary(parser);
    return make_phrase(parser, place, left, phrase);
}

static Ast *parse_inclusion(Parser *parser, Ast *left, AstPhrase *phrase)
{
    const Token *place = parse_peek(parser, 0);
    if (parse_take(parser, "includes")) {
        phrase->kind = PHRASE_INCLUDES;
        phrase->precision = take_precision_of(parser);
        phrase->right = take_right_boundary(parser);
    } else {
        phrase->kind = PHRASE_INCLUDED_IN;
        if (parse_take(parser, "included"))
            parse_expect(parser, "in");
        else
            parse_next(parser);
        phrase->precision = take_precision_of(parser);
    }
    return make_phrase(parser, place, left, phrase);
}

/* before, after, `on or before`, `before or on` and the like; false when there is none. */
static bool take_relationship(Parser *parser, AstPhrase *phrase)
{
    if (parse_take(parser, "on")) {
        phrase->is_inclusive = true;
        parse_expect(parser, "or");
    }
    if (parse_take(parser, "before"))
        phrase->direction = -1;
    else if (parse_take(parser, "after"))
        phrase->direction = 1;
    else
        return false;
    if (parse_is(parser, 0, "or") && parse_is(parser, 1, "on")) {
        parse_next(parser);
        parse_next(parser);
        phrase->is_inclusive = true;
    }
    return true;
}

static bool take_offset(Parser *parser, AstPhrase *phrase)
{
    bool is_less = parse_is(parser, 0, "less");
    if ((is_less || parse_is(parser, 0, "more")) && parse_is(parser, 1, "than")) {
        parse_next(parser);
        parse_next(parser);
        phrase->quantity = parse_quantity(parser);
        phrase->offset = is_less ? OFFSET_LESS_THAN : OFFSET_MORE_THAN;
        return phrase->quantity != NULL;
    }
    phrase->quantity = parse_quantity(parser);
    if (phrase->quantity == NULL)
        return true;
    phrase->offset = OFFSET_EXACT;
    if (parse_is(parser, 0, "or") && (parse_is(parser, 1, "more") || parse_is(parser, 1, "less"))) {
        phrase->offset = parse_is(parser, 1, "more") ? OFFSET_OR_MORE : OFFSET_OR_LESS;
        parse_next(parser);
        parse_next(parser);
    }
    return true;
}

static Ast *parse_before_after(Parser *parser, Ast *left, AstPhrase *phrase)
{
    const Token *place = parse_peek(parser, 0);
    phrase->kind = PHRASE_BEFORE_AFTER;
    if (!take_offset(parser, phrase) || !take_relationship(parser, phrase)) {
        parse_fail(parser, "a timing phrase such as 'before', 'during' or 'same day as'");
        return left;
    }
    phrase->precision = take_precision_of(parser);
    phrase->right = take_right_boundary(parser);
    return make_phrase(parser, place, left, phrase);
}

static Ast *plain_operator(Parser *parser, const char *name, const Token *place, Ast *left)
{
    uint8_t precision = take_precision_of(parser);
    Ast *node = parse_operator(parser, name, place, left, parse_phrase_operand(parser));
    node->precision = precision;
    return node;
}

/* meets, overlaps [before|after] [precision of] */
static Ast *parse_touching(Parser *parser, Ast *left)
{
    const Token *place = parse_next(parser);
    bool is_meets = place->text.ptr[0] == 'm';
    if (parse_take(parser, "before"))
        return plain_operator(parser, is_meets ? "MeetsBefore" : "OverlapsBefore", place, left);
    if (parse_take(parser, "after"))
        return plain_operator(parser, is_meets ? "MeetsAfter" : "OverlapsAfter", place, left);
    return plain_operator(parser, is_meets ? "Meets" : "Overlaps", place, left);
}

/* What can follow starts, ends or occurs as part of one phrase. */
static bool continues_phrase(const Parser *parser, size_t ahead)
{
    static const char *const words[] = {"same",  "properly", "during", "included", "before",
                                        "after", "on",       "within", "less",     "more"};
    TokenKind kind = parse_peek(parser, ahead)->kind;
    if (kind == TOKEN_INTEGER || kind == TOKEN_DECIMAL)
        return true;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (parse_is(parser, ahead, words[i]))
            return true;
    }
    return false;
}

static bool begins_phrase(const Parser *parser)
{
    static const char *const words[] = {"includes", "meets", "overlaps",
                                        "starts",   "ends",  "occurs"};
    if (parse_is(parser, 0, "properly"))
        return !parse_is(parser, 1, "between");
    bool is_comparison = parse_is(parser, 0, "less") || parse_is(parser, 0, "more");
    if (is_comparison && !parse_is(parser, 1, "than"))
        return false;
    if (continues_phrase(parser, 0))
        return true;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (parse_is(parser, 0, words[i]))
            return true;
    }
    return false;
}

Ast *parse_phrase(Parser *parser, Ast *left)
{
    if (!begins_phrase(parser))
        return NULL;
    const Token *place = parse_peek(parser, 0);
    if (parse_is(parser, 0, "meets") || parse_is(parser, 0, "overlaps"))
        return parse_touching(parser, left);
    AstPhrase phrase = {.kind = PHRASE_SAME};
    bool is_starts = parse_is(parser, 0, "starts");
    if (is_starts || parse_is(parser, 0, "ends")) {
        parse_next(parser);
        if (!continues_phrase(parser, 0))
            return plain_operator(parser, is_starts ? "Starts" : "Ends", place, left);
        phrase.left = is_starts ? BOUNDARY_START : BOUNDARY_END;
    } else if (parse_take(parser, "occurs")) {
        phrase.left = BOUNDARY_OCCURS;
    }
    if (parse_is(parser, 0, "same"))
        return parse_same(parser, left, &phrase);
    phrase.is_properly = parse_take(parser, "properly");
    if (parse_is(parser, 0, "within"))
        return parse_within(parser, left, &phrase);
    bool is_inclusion = parse_is(parser, 0, "includes") || parse_is(parser, 0, "during") ||
                        parse_is(parser, 0, "included");
    if (is_inclusion)
        return parse_inclusion(parser, left, &phrase);
    return parse_before_after(parser, left, &phrase);
}

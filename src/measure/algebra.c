/* Set expressions over registers: read into steps for a stack, and run on bits. */
#include "measure/algebra.h"

typedef enum { STEP_SET, STEP_AND, STEP_OR, STEP_NOT } StepKind;

typedef struct {
    StepKind kind;
    Population population;
    size_t index;
} Step;

struct MeasureExpression {
    Step steps[ALGEBRA_STEPS_MAX];
    size_t count;
    size_t depth_max; /* of the stack */
};

typedef enum {
    TOKEN_END,
    TOKEN_NAME,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_AND,
    TOKEN_OR,
    TOKEN_NOT
} TokenKind;

typedef struct {
    TokenKind kind;
    Str text;
    size_t at;
} Token;

typedef struct {
    Arena *arena;
    const MeasureSpec *spec;
    DiagList *diags;
    Str text;
    size_t at;
    Token token;
    size_t nesting;
    size_t stack;
    bool is_wrong; /* one finding an expression: what follows a mistake is guesswork */
    MeasureExpression *expression;
} Parser;

static void wrong(Parser *parser, size_t at, Str rule, Str text)
{
    if (parser->is_wrong)
        return;
    parser->is_wrong = true;
    diag_add(parser->diags, &(Diag){.severity = SEVERITY_ERROR,
                                    .rule = rule,
                                    .file = S("expression"),
                                    .line = 1,
                                    .column = (uint32_t)(at < UINT32_MAX ? at + 1 : UINT32_MAX),
                                    .text = text});
}

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == ':' || c == '.' || ((unsigned char)c & 0x80) != 0;
}

/* A name in quotation marks; what follows them at once (":gap") belongs to it. */
static void read_quoted(Parser *parser)
{
    size_t from = parser->at + 1;
    size_t end = from;
    while (end < parser->text.len && parser->text.ptr[end] != '"')
        end++;
    if (end == parser->text.len) {
        wrong(parser, parser->at, S("register-expression"), S("the quotation mark is not closed"));
        parser->at = end;
        return;
    }
    size_t behind = end + 1;
    while (behind < parser->text.len && is_word_char(parser->text.ptr[behind]))
        behind++;
    Str name = str_slice(parser->text, from, end - from);
    Str suffix = str_slice(parser->text, end + 1, behind - end - 1);
    parser->token.kind = TOKEN_NAME;
    parser->token.text =
        suffix.len == 0 ? name
                        : str_format(parser->arena, "%.*s%.*s", STR_ARG(name), STR_ARG(suffix));
    parser->at = behind;
}

static void read_word(Parser *parser)
{
    static const struct {
        Str word;
        TokenKind kind;
    } words[] = {
        {STR_INIT("and"), TOKEN_AND}, {STR_INIT("or"), TOKEN_OR}, {STR_INIT("not"), TOKEN_NOT}};
    size_t from = parser->at;
    while (parser->at < parser->text.len && is_word_char(parser->text.ptr[parser->at]))
        parser->at++;
    parser->token.kind = TOKEN_NAME;
    parser->token.text = str_slice(parser->text, from, parser->at - from);
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (str_eq_ignoring_case(parser->token.text, words[i].word))
            parser->token.kind = words[i].kind;
}

static void next(Parser *parser)
{
    const Str text = parser->text;
    while (parser->at < text.len && (text.ptr[parser->at] == ' ' || text.ptr[parser->at] == '\t' ||
                                     text.ptr[parser->at] == '\n' || text.ptr[parser->at] == '\r'))
        parser->at++;
    parser->token = (Token){.kind = TOKEN_END, .at = parser->at};
    if (parser->at == text.len)
        return;
    char c = text.ptr[parser->at];
    if (c == '(' || c == ')') {
        parser->token.kind = c == '(' ? TOKEN_OPEN : TOKEN_CLOSE;
        parser->at++;
    } else if (c == '"') {
        read_quoted(parser);
    } else if (is_word_char(c)) {
        read_word(parser);
    } else {
        wrong(parser, parser->at, S("register-expression"),
              S("expected a register, and, or, not, or a bracket"));
        parser->at = text.len;
    }
}

static void add_step(Parser *parser, Step step)
{
    MeasureExpression *expression = parser->expression;
    if (expression->count == ALGEBRA_STEPS_MAX) {
        wrong(parser, parser->token.at, S("register-expression"), S("the expression is too long"));
        return;
    }
    expression->steps[expression->count++] = step;
    if (step.kind == STEP_SET)
        parser->stack++;
    else if (step.kind != STEP_NOT)
        parser->stack--;
    if (parser->stack > expression->depth_max)
        expression->depth_max = parser->stack;
}

static bool find_register(const MeasureSpec *spec, Str name, size_t *ret_index)
{
    for (size_t i = 0; i < spec->register_count; i++)
        if (str_eq_ignoring_case(spec->registers[i].id, name) ||
            str_eq_ignoring_case(spec->registers[i].title, name)) {
            *ret_index = i;
            return true;
        }
    return false;
}

static bool find_population(const MeasureSpec *spec, Str name, Step *ret_step)
{
    static const struct {
        Str word;
        Population population;
    } words[] = {{STR_INIT("gap"), POPULATION_GAP},
                 {STR_INIT("achieved"), POPULATION_NUMERATOR},
                 {STR_INIT("excluded"), POPULATION_EXCLUSION},
                 {STR_INIT("excepted"), POPULATION_EXCEPTION},
                 {STR_INIT("denominator"), POPULATION_DENOMINATOR}};
    size_t colon = str_find_char(name, ':');
    if (colon == SIZE_MAX)
        return false;
    size_t index = measure_find_indicator(spec, str_slice(name, 0, colon));
    Str word = str_slice(name, colon + 1, SIZE_MAX);
    for (size_t i = 0; i < COUNT_OF(words) && index != SIZE_MAX; i++)
        if (str_eq_ignoring_case(words[i].word, word)) {
            *ret_step = (Step){.kind = STEP_SET, .population = words[i].population, .index = index};
            return true;
        }
    return false;
}

static void unknown_name(Parser *parser, Token token)
{
    const MeasureSpec *spec = parser->spec;
    Str *names = ARENA_ARRAY(parser->arena, Str, 2 * spec->register_count + 1);
    for (size_t i = 0; i < spec->register_count; i++) {
        names[2 * i] = spec->registers[i].id;
        names[2 * i + 1] = spec->registers[i].title;
    }
    const Str *near = yaml_nearest_name(token.text, names, 2 * spec->register_count);
    Str text =
        near == NULL
            ? str_format(parser->arena, "there is no register \"%.*s\"", STR_ARG(token.text))
            : str_format(parser->arena, "there is no register \"%.*s\"; did you mean \"%.*s\"?",
                         STR_ARG(token.text), STR_ARG(*near));
    wrong(parser, token.at, S("register-unknown"), text);
}

static void parse_or(Parser *parser);

static void parse_primary(Parser *parser)
{
    Token token = parser->token;
    Step step = {.kind = STEP_SET, .population = POPULATION_REGISTER};
    if (++parser->nesting > ALGEBRA_DEPTH_MAX) {
        wrong(parser, token.at, S("register-expression"), S("brackets are nested too deeply"));
    } else if (token.kind == TOKEN_NOT) {
        next(parser);
        parse_primary(parser);
        add_step(parser, (Step){.kind = STEP_NOT});
    } else if (token.kind == TOKEN_OPEN) {
        next(parser);
        parse_or(parser);
        if (parser->token.kind != TOKEN_CLOSE)
            wrong(parser, parser->token.at, S("register-expression"), S("expected )"));
        next(parser);
    } else if (token.kind == TOKEN_NAME) {
        if (find_register(parser->spec, token.text, &step.index) ||
            find_population(parser->spec, token.text, &step))
            add_step(parser, step);
        else
            unknown_name(parser, token);
        next(parser);
    } else {
        wrong(parser, token.at, S("register-expression"), S("expected a register, not or ("));
    }
    parser->nesting--;
}

static void parse_and(Parser *parser)
{
    parse_primary(parser);
    while (!parser->is_wrong && parser->token.kind == TOKEN_AND) {
        next(parser);
        parse_primary(parser);
        add_step(parser, (Step){.kind = STEP_AND});
    }
}

static void parse_or(Parser *parser)
{
    parse_and(parser);
    while (!parser->is_wrong && parser->token.kind == TOKEN_OR) {
        next(parser);
        parse_and(parser);
        add_step(parser, (Step){.kind = STEP_OR});
    }
}

ErrorCode measure_expression_parse(Arena *arena, Str text, const MeasureSpec *spec, DiagList *diags,
                                   MeasureExpression **ret_expression)
{
    Parser parser = {.arena = arena,
                     .spec = spec,
                     .diags = diags,
                     .text = text,
                     .expression = ARENA_NEW(arena, MeasureExpression)};
    next(&parser);
    parse_or(&parser);
    if (parser.token.kind != TOKEN_END)
        wrong(&parser, parser.token.at, S("register-expression"),
              S("expected and, or, or the end"));
    if (parser.is_wrong)
        return ERR_DOCUMENT;
    *ret_expression = parser.expression;
    return ERR_OK;
}

const uint64_t *measure_expression_bits(const MeasureExpression *expression,
                                        const MeasureResults *results, size_t partition,
                                        Arena *arena)
{
    size_t words = measure_words(results, partition);
    const uint64_t *known = measure_known_bits(results, partition);
    uint64_t *stack = ARENA_ZARRAY(arena, uint64_t, expression->depth_max * words);
    size_t depth = 0;
    for (size_t i = 0; i < expression->count; i++) {
        const Step *step = &expression->steps[i];
        if (step->kind == STEP_SET) {
            const uint64_t *bits = measure_bits(results, step->population, step->index, partition);
            memcpy(stack + depth++ * words, bits, words * sizeof *bits);
            continue;
        }
        uint64_t *top = stack + (depth - 1) * words;
        if (step->kind == STEP_NOT) {
            for (size_t word = 0; word < words; word++)
                top[word] = known[word] & ~top[word];
            continue;
        }
        uint64_t *below = top - words;
        for (size_t word = 0; word < words; word++)
            below[word] =
                step->kind == STEP_AND ? below[word] & top[word] : below[word] | top[word];
        depth--;
    }
    ASSERT(depth == 1);
    return stack;
}

#include "cql/parse_int.h"

typedef struct {
    AstLibrary *library;
    Vec(AstImport) usings;
    Vec(AstImport) includes;
    Vec(AstDef) defs;
    Str context;
} LibraryParts;

static Str parse_qualified_name(Parser *parser, const char *what)
{
    Str name = parse_name(parser, what);
    uint32_t parts = 0;
    while (parse_take_dot(parser, &parts)) {
        Str part = parse_any_name(parser, what);
        name = str_format(parser->arena, "%.*s.%.*s", STR_ARG(name), STR_ARG(part));
    }
    return name;
}

static Str parse_string(Parser *parser, const char *what)
{
    if (parse_peek(parser, 0)->kind == TOKEN_STRING)
        return parse_next(parser)->text;
    parse_fail(parser, what);
    return S("");
}

static Str parse_version(Parser *parser)
{
    return parse_take(parser, "version") ? parse_string(parser, "a version in quotes") : S("");
}

/* using/include name version called alias */
static AstImport parse_import(Parser *parser)
{
    const Token *place = parse_next(parser);
    AstImport import = {.line = place->line, .column = place->column};
    import.name = parse_qualified_name(parser, "the name of a library or model");
    import.version = parse_version(parser);
    import.alias = import.name;
    if (parse_take(parser, "called")) {
        import.alias = parse_name(parser, "a name");
    } else {
        /* Without an alias the last part of a qualified name is it. */
        for (size_t i = import.name.len; i > 0; i--) {
            if (import.name.ptr[i - 1] == '.') {
                import.alias = str_slice(import.name, i, import.name.len);
                break;
            }
        }
    }
    return import;
}

static Ast *parse_reference(Parser *parser)
{
    const Token *place = parse_peek(parser, 0);
    Ast *node = parse_node(parser, AST_IDENTIFIER, place);
    node->text = parse_name(parser, "a name");
    uint32_t parts = 0;
    while (parse_take_dot(parser, &parts)) {
        Ast *member = parse_operator(parser, "", place, node, NULL);
        member->kind = AST_MEMBER;
        member->text = parse_any_name(parser, "a name");
        node = member;
    }
    return node;
}

static void parse_references(Parser *parser, AstDef *def)
{
    AstVec items = {0};
    parse_expect(parser, "{");
    do {
        VEC_PUSH(parser->arena, &items, parse_reference(parser));
    } while (!parser->panic && parse_take(parser, ","));
    parse_expect(parser, "}");
    def->codes = items.items;
    def->code_count = items.count;
}

/* codesystem, valueset, code, concept: the keyword is the current token. */
static void parse_terminology(Parser *parser, AstDef *def)
{
    const Token *word = parse_next(parser);
    def->name = parse_name(parser, "a name");
    parse_expect(parser, ":");
    if (str_eq(word->text, S("concept"))) {
        def->kind = DEF_CONCEPT;
        parse_references(parser, def);
    } else {
        def->id = parse_string(parser, "an identifier in quotes");
        def->kind = str_eq(word->text, S("codesystem")) ? DEF_CODE_SYSTEM
                    : str_eq(word->text, S("valueset")) ? DEF_VALUE_SET
                                                        : DEF_CODE;
    }
    if (def->kind == DEF_CODE) {
        parse_expect(parser, "from");
        def->system = parse_reference(parser);
    } else if (def->kind != DEF_CONCEPT) {
        def->version = parse_version(parser);
        if (def->kind == DEF_VALUE_SET && parse_take(parser, "codesystems"))
            parse_references(parser, def);
    }
    if (parse_take(parser, "display"))
        def->display = parse_string(parser, "a display text in quotes");
}

static void parse_parameter(Parser *parser, AstDef *def)
{
    parse_next(parser);
    def->kind = DEF_PARAMETER;
    def->name = parse_name(parser, "a name");
    bool is_name = parse_peek(parser, 0)->kind == TOKEN_IDENTIFIER && parse_at_name(parser, 0);
    if (is_name || parse_is(parser, 0, "Interval"))
        def->type = parse_type(parser);
    if (parse_take(parser, "default"))
        def->body = parse_expression(parser);
}

static void parse_operands(Parser *parser, AstDef *def)
{
    StrVec names = {0};
    Vec(AstType *) types = {0};
    parse_expect(parser, "(");
    if (!parse_is(parser, 0, ")")) {
        do {
            VEC_PUSH(parser->arena, &names, parse_name(parser, "the name of an operand"));
            VEC_PUSH(parser->arena, &types, parse_type(parser));
        } while (!parser->panic && parse_take(parser, ","));
    }
    parse_expect(parser, ")");
    def->operand_names = names.items;
    def->operand_types = types.items;
    def->operand_count = names.count;
}

static void parse_define(Parser *parser, AstDef *def)
{
    parse_next(parser);
    if (parse_take(parser, "private"))
        def->is_private = true;
    else
        (void)parse_take(parser, "public");
    def->is_fluent = parse_is(parser, 0, "fluent") && parse_is(parser, 1, "function");
    if (def->is_fluent)
        parse_next(parser);
    bool is_function = parse_is(parser, 0, "function") && !parse_is(parser, 1, ":");
    const Token *place = parse_peek(parser, is_function ? 1 : 0);
    def->line = place->line;
    def->column = place->column;
    def->kind = is_function ? DEF_FUNCTION : DEF_EXPRESSION;
    if (is_function) {
        parse_next(parser);
        def->name = parse_any_name(parser, "the name of a function");
        parse_operands(parser, def);
        if (parse_take(parser, "returns"))
            def->type = parse_type(parser);
    } else {
        def->name = parse_name(parser, "the name of a definition");
    }
    parse_expect(parser, ":");
    def->is_external = is_function && parse_take(parser, "external");
    if (!def->is_external)
        def->body = parse_expression(parser);
}

static bool at_terminology(const Parser *parser)
{
    return parse_is(parser, 0, "codesystem") || parse_is(parser, 0, "valueset") ||
           parse_is(parser, 0, "code") || parse_is(parser, 0, "concept");
}

static void parse_declaration(Parser *parser, LibraryParts *parts)
{
    if (parse_is(parser, 0, "using")) {
        VEC_PUSH(parser->arena, &parts->usings, parse_import(parser));
        return;
    }
    if (parse_is(parser, 0, "include")) {
        VEC_PUSH(parser->arena, &parts->includes, parse_import(parser));
        return;
    }
    if (parse_take(parser, "context")) {
        parts->context = parse_name(parser, "a context such as Patient");
        if (parse_take(parser, "."))
            parts->context = parse_any_name(parser, "a context such as Patient");
        return;
    }
    const Token *place = parse_peek(parser, 0);
    AstDef def = {.line = place->line, .column = place->column, .context = parts->context};
    if (parse_is(parser, 0, "define")) {
        parse_define(parser, &def);
    } else {
        def.is_private = parse_take(parser, "private");
        if (!def.is_private)
            (void)parse_take(parser, "public");
        if (at_terminology(parser))
            parse_terminology(parser, &def);
        else if (parse_is(parser, 0, "parameter"))
            parse_parameter(parser, &def);
        else
            parse_fail(parser, "a declaration (define, parameter, valueset, include …)");
    }
    if (!parser->panic)
        VEC_PUSH(parser->arena, &parts->defs, def);
}

/* To the next token that opens a declaration: `define` anywhere, others at the start of a line. */
static void recover(Parser *parser, size_t began)
{
    static const char *const words[] = {"context", "parameter", "valueset", "codesystem", "code",
                                        "concept", "include",   "using",    "private",    "public"};
    parser->panic = false;
    parser->depth = 0;
    if (parser->at == began)
        parse_next(parser);
    while (parse_peek(parser, 0)->kind != TOKEN_END) {
        if (parse_is(parser, 0, "define"))
            return;
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
            if (parse_peek(parser, 0)->column == 1 && parse_is(parser, 0, words[i]))
                return;
        }
        parse_next(parser);
    }
}

static Parser begin(Arena *arena, Str source, Str file, DiagList *diags)
{
    size_t errors = diags->counts[SEVERITY_ERROR];
    Parser parser = {.arena = arena, .file = file, .diags = diags};
    parser.tokens = cql_lex(arena, source, file, diags);
    parser.failed = diags->counts[SEVERITY_ERROR] != errors;
    return parser;
}

const AstLibrary *cql_parse_library(Arena *arena, Str source, Str file, DiagList *diags)
{
    Parser parser = begin(arena, source, file, diags);
    AstLibrary *library = ARENA_NEW(arena, AstLibrary);
    LibraryParts parts = {.library = library, .context = S("")};
    library->file = file;
    if (parse_take(&parser, "library")) {
        library->name = parse_qualified_name(&parser, "the name of the library");
        library->version = parse_version(&parser);
    }
    while (parse_peek(&parser, 0)->kind != TOKEN_END || parser.panic) {
        size_t began = parser.at;
        if (!parser.panic)
            parse_declaration(&parser, &parts);
        if (parser.panic)
            recover(&parser, began);
    }
    library->usings = parts.usings.items;
    library->using_count = parts.usings.count;
    library->includes = parts.includes.items;
    library->include_count = parts.includes.count;
    library->defs = parts.defs.items;
    library->def_count = parts.defs.count;
    library->has_errors = parser.failed;
    return library;
}

Ast *cql_parse_expression(Arena *arena, Str source, Str file, DiagList *diags)
{
    Parser parser = begin(arena, source, file, diags);
    Ast *node = parse_expression(&parser);
    if (!parser.panic && parse_peek(&parser, 0)->kind != TOKEN_END)
        parse_fail(&parser, "an operator or the end");
    return parser.failed ? NULL : node;
}

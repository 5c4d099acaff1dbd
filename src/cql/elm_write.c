/* A whole library as ELM JSON: its declarations, then its definitions. */
#include "cql/elm_write_int.h"

static void begin_section(ElmWriter *w, Str name)
{
    json_key(&w->json, name);
    json_object_begin(&w->json);
    json_key(&w->json, S("def"));
    json_array_begin(&w->json);
}

static void end_section(ElmWriter *w)
{
    json_array_end(&w->json);
    json_object_end(&w->json);
}

static void optional_text(ElmWriter *w, Str key, Str value)
{
    if (value.len > 0)
        json_member_str(&w->json, key, value);
}

/* --- usings and includes --- */

static void write_using(ElmWriter *w, Str name, Str uri, Str version)
{
    json_object_begin(&w->json);
    json_member_str(&w->json, S("localIdentifier"), name);
    json_member_str(&w->json, S("uri"), uri);
    optional_text(w, S("version"), version);
    json_object_end(&w->json);
}

static void write_usings(ElmWriter *w)
{
    const AstLibrary *ast = w->library->ast;
    begin_section(w, S("usings"));
    write_using(w, S("System"), S("urn:hl7-org:elm-types:r1"), S(""));
    for (size_t i = 0; i < ast->using_count; i++) {
        if (!str_eq(ast->usings[i].name, S("System")))
            write_using(w, ast->usings[i].name, S("http://hl7.org/fhir"), ast->usings[i].version);
    }
    end_section(w);
}

static void write_include(ElmWriter *w, Str alias, Str path, Str version)
{
    json_object_begin(&w->json);
    json_member_str(&w->json, S("localIdentifier"), alias);
    json_member_str(&w->json, S("path"), path);
    optional_text(w, S("version"), version);
    json_object_end(&w->json);
}

/* FHIRHelpers is part of our engine; of others the library that is written must include it. */
static void write_includes(ElmWriter *w)
{
    const AstLibrary *ast = w->library->ast;
    bool has_helpers = false;
    bool uses_fhir = ast->using_count > 0;
    if (ast->include_count == 0 && !uses_fhir)
        return;
    begin_section(w, S("includes"));
    for (size_t i = 0; i < ast->include_count; i++) {
        const AstImport *import = &ast->includes[i];
        write_include(w, import->alias, import->name, import->version);
        if (str_eq(import->name, S("FHIRHelpers"))) {
            has_helpers = true;
            w->helpers = import->alias;
        }
    }
    if (!has_helpers && uses_fhir)
        write_include(w, w->helpers, S("FHIRHelpers"), S("4.0.1"));
    end_section(w);
}

/* --- definitions --- */

static void begin_def(ElmWriter *w, const AstDef *ast)
{
    json_object_begin(&w->json);
    if (w->options->locators)
        json_member_str(&w->json, S("locator"),
                        str_format(w->resolver->arena, "%u:%u", ast->line, ast->column));
    json_member_str(&w->json, S("name"), ast->name);
    json_member_str(&w->json, S("accessLevel"), ast->is_private ? S("Private") : S("Public"));
}

static bool has_kind(const ElmWriter *w, AstDefKind kind)
{
    for (size_t i = 0; i < w->library->definition_count; i++) {
        if (w->library->definitions[i].ast->kind == kind)
            return true;
    }
    return false;
}

/* The name of a definition as an object: name, and the library when it is another's. */
static void write_name_of(ElmWriter *w, const Ast *reference)
{
    bool is_member = reference->kind == AST_MEMBER;
    json_object_begin(&w->json);
    json_member_str(&w->json, S("name"), reference->text);
    if (is_member && reference->items[0]->kind == AST_IDENTIFIER)
        json_member_str(&w->json, S("libraryName"), reference->items[0]->text);
    json_object_end(&w->json);
}

static void write_terminology(ElmWriter *w, AstDefKind kind, Str section)
{
    if (!has_kind(w, kind))
        return;
    begin_section(w, section);
    for (size_t i = 0; i < w->library->definition_count; i++) {
        const AstDef *ast = w->library->definitions[i].ast;
        if (ast->kind != kind)
            continue;
        begin_def(w, ast);
        if (kind != DEF_CONCEPT)
            json_member_str(&w->json, S("id"), ast->id);
        optional_text(w, S("version"), ast->version);
        optional_text(w, S("display"), ast->display);
        if (kind == DEF_CODE) {
            json_key(&w->json, S("codeSystem"));
            write_name_of(w, ast->system);
        } else if (ast->code_count > 0) {
            json_key(&w->json, kind == DEF_CONCEPT ? S("code") : S("codeSystem"));
            json_array_begin(&w->json);
            for (size_t j = 0; j < ast->code_count; j++)
                write_name_of(w, ast->codes[j]);
            json_array_end(&w->json);
        }
        json_object_end(&w->json);
    }
    end_section(w);
}

static void write_parameters(ElmWriter *w)
{
    if (!has_kind(w, DEF_PARAMETER))
        return;
    begin_section(w, S("parameters"));
    for (size_t i = 0; i < w->library->definition_count; i++) {
        const Definition *definition = &w->library->definitions[i];
        if (definition->ast->kind != DEF_PARAMETER)
            continue;
        begin_def(w, definition->ast);
        if (definition->ast->type != NULL)
            elm_write_type(w, S("parameterTypeSpecifier"), definition->type);
        if (definition->ast->body != NULL) {
            json_key(&w->json, S("default"));
            elm_write_node(w, definition->constant);
        }
        json_object_end(&w->json);
    }
    end_section(w);
}

/* Of the contexts that its definitions are in. */
static void write_contexts(ElmWriter *w)
{
    Vec(Str) seen = {0};
    begin_section(w, S("contexts"));
    for (size_t i = 0; i < w->library->definition_count; i++) {
        const AstDef *ast = w->library->definitions[i].ast;
        bool is_new =
            ast->context.len > 0 && (ast->kind == DEF_EXPRESSION || ast->kind == DEF_FUNCTION);
        for (size_t j = 0; j < seen.count; j++)
            is_new &= !str_eq(seen.items[j], ast->context);
        if (!is_new)
            continue;
        VEC_PUSH(w->resolver->arena, &seen, ast->context);
        json_object_begin(&w->json);
        json_member_str(&w->json, S("name"), ast->context);
        json_object_end(&w->json);
    }
    end_section(w);
}

/* define Patient: what the context is, as every engine wants it. */
static void write_patient(ElmWriter *w)
{
    bool is_asked = false;
    for (size_t i = 0; i < w->library->definition_count; i++)
        is_asked |= str_eq(w->library->definitions[i].ast->context, S("Patient"));
    if (!is_asked)
        return;
    json_object_begin(&w->json);
    json_member_str(&w->json, S("name"), S("Patient"));
    json_member_str(&w->json, S("context"), S("Patient"));
    json_key(&w->json, S("expression"));
    elm_begin(w, "SingletonFrom", NULL);
    json_key(&w->json, S("operand"));
    elm_begin(w, "Retrieve", NULL);
    json_member_str(&w->json, S("dataType"), S("{http://hl7.org/fhir}Patient"));
    json_member_str(&w->json, S("templateId"),
                    S("http://hl7.org/fhir/StructureDefinition/Patient"));
    json_object_end(&w->json);
    json_object_end(&w->json);
    json_object_end(&w->json);
}

static void write_operands(ElmWriter *w, const Definition *definition)
{
    const AstDef *ast = definition->ast;
    json_key(&w->json, S("operand"));
    json_array_begin(&w->json);
    for (size_t i = 0; i < ast->operand_count; i++) {
        json_object_begin(&w->json);
        json_member_str(&w->json, S("name"), ast->operand_names[i]);
        elm_write_type(w, S("operandTypeSpecifier"), definition->operands[i]);
        json_object_end(&w->json);
        ElmVariable *variable = ARENA_NEW(w->resolver->arena, ElmVariable);
        *variable = (ElmVariable){.outer = w->variables,
                                  .slot = (uint32_t)i,
                                  .kind = VARIABLE_OPERAND,
                                  .name = ast->operand_names[i]};
        w->variables = variable;
    }
    json_array_end(&w->json);
}

static void write_statement(ElmWriter *w, const Definition *definition)
{
    const AstDef *ast = definition->ast;
    const CqlNode *body = definition->function != NULL
                              ? definition->function->body
                              : w->resolver->plan->definitions.items[definition->index]->body;
    begin_def(w, ast);
    json_member_str(&w->json, S("context"), ast->context.len > 0 ? ast->context : S("Unfiltered"));
    if (ast->kind == DEF_FUNCTION) {
        json_member_str(&w->json, S("type"), S("FunctionDef"));
        if (ast->is_fluent)
            json_member_bool(&w->json, S("fluent"), true);
        if (ast->is_external)
            json_member_bool(&w->json, S("external"), true);
        write_operands(w, definition);
    }
    if (!ast->is_external) {
        if (w->options->result_types)
            elm_write_type_as(w, S("resultTypeName"), S("resultTypeSpecifier"), body->type);
        json_key(&w->json, S("expression"));
        elm_write_node(w, body);
    }
    w->variables = NULL;
    json_object_end(&w->json);
}

static void write_library(ElmWriter *w)
{
    const AstLibrary *ast = w->library->ast;
    JsonWriter *json = &w->json;
    json_object_begin(json);
    json_key(json, S("library"));
    json_object_begin(json);
    json_key(json, S("identifier"));
    json_object_begin(json);
    optional_text(w, S("id"), ast->name);
    optional_text(w, S("version"), ast->version);
    json_object_end(json);
    json_key(json, S("schemaIdentifier"));
    json_object_begin(json);
    json_member_str(json, S("id"), S("urn:hl7-org:elm"));
    json_member_str(json, S("version"), S("r1"));
    json_object_end(json);
    write_usings(w);
    write_includes(w);
    write_parameters(w);
    write_terminology(w, DEF_CODE_SYSTEM, S("codeSystems"));
    write_terminology(w, DEF_VALUE_SET, S("valueSets"));
    write_terminology(w, DEF_CODE, S("codes"));
    write_terminology(w, DEF_CONCEPT, S("concepts"));
    write_contexts(w);
    begin_section(w, S("statements"));
    write_patient(w);
    for (size_t i = 0; i < w->library->definition_count; i++) {
        AstDefKind kind = w->library->definitions[i].ast->kind;
        if (kind == DEF_EXPRESSION || kind == DEF_FUNCTION)
            write_statement(w, &w->library->definitions[i]);
    }
    end_section(w);
    json_object_end(json);
    json_object_end(json);
    strbuf_add_char(json->out, '\n');
}

ErrorCode cql_libraries_to_elm(Arena *arena, const CqlLibraries *libraries,
                               const CqlElmOptions *options, DiagList *diags, Str *ret_texts,
                               Error *err)
{
    CqlPlanOptions plan_options = {.now = {.year = 2000, .month = 1, .day = 1}};
    Resolver resolver = {.arena = arena,
                         .options = &plan_options,
                         .diags = diags,
                         .findings = diags,
                         .keeps_forms = true};
    ErrorCode code = resolve_libraries(&resolver, libraries, err);
    if (code != ERR_OK)
        return code;
    for (size_t i = 0; i < resolver.library_count; i++) {
        StrBuf out;
        strbuf_init(&out, arena, LIMIT_DOCUMENT_BYTES);
        ElmWriter *w = ARENA_NEW(arena, ElmWriter);
        w->resolver = &resolver;
        w->library = &resolver.libraries[i];
        w->options = options;
        w->helpers = S("FHIRHelpers");
        resolver.library = &resolver.libraries[i];
        json_writer_init(&w->json, &out, true);
        write_library(w);
        ret_texts[i] = w->failed || out.overflowed ? S("") : strbuf_str(&out);
    }
    return ERR_OK;
}

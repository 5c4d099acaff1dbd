/*
 * A library of ELM JSON: its declarations and definitions. And FHIR Library resources, in which CQL
 * and ELM are published.
 */
#include "cql/cql.h"
#include "cql/elm_int.h"
#include "cql/parse.h"

typedef Vec(AstDef) Defs;

static const JsonValue *section(const ElmReader *reader, Str name, size_t *ret_count)
{
    const JsonValue *defs = json_find(json_find(reader->library, name), S("def"));
    *ret_count = defs == NULL || defs->kind != JSON_ARRAY ? 0 : defs->count;
    return defs;
}

/* What stands in all definitions. */
static AstDef begin_def(ElmReader *reader, const JsonValue *at, AstDefKind kind)
{
    AstDef def = {.kind = kind,
                  .name = json_find_text(at, S("name")),
                  .is_private = str_eq(json_find_text(at, S("accessLevel")), S("Private")),
                  .id = json_find_text(at, S("id")),
                  .version = json_find_text(at, S("version")),
                  .display = json_find_text(at, S("display")),
                  .context = json_find_text(at, S("context"))};
    elm_place(at, &def.line, &def.column);
    if (def.name.len == 0)
        (void)elm_fail(reader, at, "expected a definition with a name");
    return def;
}

/* --- usings and includes --- */

static AstImport read_import(ElmReader *reader, const JsonValue *at, Str name)
{
    AstImport import = {.name = name,
                        .version = json_find_text(at, S("version")),
                        .alias = json_find_text(at, S("localIdentifier"))};
    elm_place(at, &import.line, &import.column);
    if (import.name.len == 0 || import.alias.len == 0)
        (void)elm_fail(reader, at, "expected a local identifier and what it stands for");
    return import;
}

/* The types of models that are mapped to FHIR stand in ELM as those of FHIR, whose model then comes
   first; the model itself is used for the profiles that retrieves name. */
static void read_usings(ElmReader *reader, AstLibrary *library)
{
    size_t count;
    const JsonValue *defs = section(reader, S("usings"), &count);
    library->usings = ARENA_ARRAY(reader->arena, AstImport, count + 1);
    AstImport fhir = {.name = S("FHIR"), .version = S("4.0.1"), .alias = S("FHIR")};
    bool is_mapped = false;
    for (size_t i = 0; i < count; i++) {
        Str uri = json_find_text(&defs->items[i], S("uri"));
        is_mapped |= str_eq(uri, S("http://hl7.org/fhir")) &&
                     !str_eq(json_find_text(&defs->items[i], S("localIdentifier")), S("FHIR"));
    }
    if (is_mapped)
        library->usings[library->using_count++] = fhir;
    for (size_t i = 0; i < count; i++) {
        const JsonValue *at = &defs->items[i];
        library->usings[library->using_count++] =
            read_import(reader, at, json_find_text(at, S("localIdentifier")));
    }
}

static void read_includes(ElmReader *reader, AstLibrary *library)
{
    size_t count;
    const JsonValue *defs = section(reader, S("includes"), &count);
    library->includes = ARENA_ARRAY(reader->arena, AstImport, count);
    for (size_t i = 0; i < count; i++) {
        const JsonValue *at = &defs->items[i];
        Str path = json_find_text(at, S("path"));
        /* A path may be in a name space: http://example.org/measures/Common. */
        for (size_t j = path.len; j > 0; j--) {
            if (path.ptr[j - 1] == '/') {
                path = str_slice(path, j, path.len);
                break;
            }
        }
        library->includes[library->include_count++] = read_import(reader, at, path);
    }
}

/* --- definitions --- */

static void read_references(ElmReader *reader, const JsonValue *array, AstDef *def)
{
    size_t count = array == NULL || array->kind != JSON_ARRAY ? 0 : array->count;
    def->codes = ARENA_ARRAY(reader->arena, Ast *, count);
    for (size_t i = 0; i < count; i++)
        def->codes[def->code_count++] = elm_reference(reader, &array->items[i]);
}

static void read_terminology(ElmReader *reader, Defs *defs)
{
    static const struct {
        Str section;
        AstDefKind kind;
    } sections[] = {{STR_INIT("codeSystems"), DEF_CODE_SYSTEM},
                    {STR_INIT("valueSets"), DEF_VALUE_SET},
                    {STR_INIT("codes"), DEF_CODE},
                    {STR_INIT("concepts"), DEF_CONCEPT}};
    for (size_t i = 0; i < COUNT_OF(sections); i++) {
        size_t count;
        const JsonValue *array = section(reader, sections[i].section, &count);
        for (size_t j = 0; j < count; j++) {
            const JsonValue *at = &array->items[j];
            AstDef def = begin_def(reader, at, sections[i].kind);
            const JsonValue *system = json_find(at, S("codeSystem"));
            if (def.kind == DEF_CODE && system != NULL)
                def.system = elm_reference(reader, system);
            else if (def.kind == DEF_CODE)
                (void)elm_fail(reader, at, "expected a code with a code system");
            else if (def.kind != DEF_CODE_SYSTEM)
                read_references(reader, def.kind == DEF_CONCEPT ? json_find(at, S("code")) : system,
                                &def);
            VEC_PUSH(reader->arena, defs, def);
        }
    }
}

static void read_parameters(ElmReader *reader, Defs *defs)
{
    size_t count;
    const JsonValue *array = section(reader, S("parameters"), &count);
    for (size_t i = 0; i < count; i++) {
        const JsonValue *at = &array->items[i];
        AstDef def = begin_def(reader, at, DEF_PARAMETER);
        const JsonValue *otherwise = json_find(at, S("default"));
        bool has_type = json_find(at, S("parameterType")) != NULL ||
                        json_find(at, S("parameterTypeSpecifier")) != NULL;
        if (has_type)
            def.type = elm_type_of(reader, at, S("parameterType"), S("parameterTypeSpecifier"));
        def.body = otherwise == NULL ? NULL : elm_expression(reader, otherwise);
        VEC_PUSH(reader->arena, defs, def);
    }
}

static void read_operands(ElmReader *reader, const JsonValue *at, AstDef *def)
{
    const JsonValue *operands = json_find(at, S("operand"));
    size_t count = operands == NULL || operands->kind != JSON_ARRAY ? 0 : operands->count;
    def->operand_names = ARENA_ARRAY(reader->arena, Str, count);
    def->operand_types = ARENA_ARRAY(reader->arena, AstType *, count);
    for (size_t i = 0; i < count; i++) {
        const JsonValue *operand = &operands->items[i];
        def->operand_names[i] = json_find_text(operand, S("name"));
        def->operand_types[i] =
            elm_type_of(reader, operand, S("operandType"), S("operandTypeSpecifier"));
        if (def->operand_types[i] == NULL)
            return;
        def->operand_count++;
    }
}

/* What translators put into a library for each context: define "Patient" as the only one. The
   engine knows the person itself. */
static bool is_context_definition(const JsonValue *at)
{
    const JsonValue *expression = json_find(at, S("expression"));
    const JsonValue *operand = json_find(expression, S("operand"));
    return str_eq(json_find_text(at, S("name")), json_find_text(at, S("context"))) &&
           str_eq(json_find_text(expression, S("type")), S("SingletonFrom")) &&
           str_eq(json_find_text(operand, S("type")), S("Retrieve")) &&
           json_find(operand, S("codes")) == NULL;
}

static void read_statements(ElmReader *reader, Defs *defs)
{
    size_t count;
    const JsonValue *array = section(reader, S("statements"), &count);
    for (size_t i = 0; i < count; i++) {
        const JsonValue *at = &array->items[i];
        bool is_function = str_eq(json_find_text(at, S("type")), S("FunctionDef"));
        if (is_context_definition(at))
            continue;
        AstDef def = begin_def(reader, at, is_function ? DEF_FUNCTION : DEF_EXPRESSION);
        def.is_fluent = elm_flag(at, S("fluent"), false);
        def.is_external = is_function && elm_flag(at, S("external"), false);
        if (is_function)
            read_operands(reader, at, &def);
        if (!def.is_external)
            def.body = elm_child(reader, at, S("expression"));
        VEC_PUSH(reader->arena, defs, def);
    }
}

/* --- the library --- */

/* Errors that the translator put into the library: it does not stand for its source then. */
static void report_translator_errors(ElmReader *reader)
{
    const JsonValue *notes = json_find(reader->library, S("annotation"));
    for (size_t i = 0; notes != NULL && i < notes->count; i++) {
        const JsonValue *note = &notes->items[i];
        if (str_eq(json_find_text(note, S("errorSeverity")), S("error")))
            (void)elm_fail(reader, note, "the translator reported: %.*s",
                           STR_ARG(str_slice(json_find_text(note, S("message")), 0, 400)));
    }
}

static const AstLibrary *read_library(ElmReader *reader)
{
    AstLibrary *library = ARENA_NEW(reader->arena, AstLibrary);
    const JsonValue *identifier = json_find(reader->library, S("identifier"));
    Defs defs = {0};
    library->file = reader->file;
    library->name = json_find_text(identifier, S("id"));
    library->version = json_find_text(identifier, S("version"));
    report_translator_errors(reader);
    read_usings(reader, library);
    read_includes(reader, library);
    read_terminology(reader, &defs);
    read_parameters(reader, &defs);
    read_statements(reader, &defs);
    library->defs = defs.items;
    library->def_count = defs.count;
    library->has_errors = reader->failed;
    return library;
}

/* A library of which nothing could be read. */
static const AstLibrary *report(Arena *arena, DiagList *diags, Str file, const char *text)
{
    AstLibrary *library = ARENA_NEW(arena, AstLibrary);
    library->file = file;
    library->has_errors = true;
    diag_add(diags, &(Diag){.severity = SEVERITY_ERROR,
                            .rule = S("elm"),
                            .file = file,
                            .text = str_from_c(text)});
    return library;
}

static const AstLibrary *read_elm(Arena *arena, const JsonValue *root, Str file, DiagList *diags)
{
    ElmReader reader = {.arena = arena,
                        .file = file,
                        .diags = diags,
                        .root = root,
                        .library = json_find(root, S("library"))};
    if (reader.library == NULL || reader.library->kind != JSON_OBJECT)
        return report(arena, diags, file,
                      "expected ELM JSON with a member 'library', or a FHIR Library");
    return read_library(&reader);
}

/* --- FHIR Library resources --- */

static bool find_content(const JsonValue *root, Str content_type, Str *ret_data)
{
    const JsonValue *contents = json_find(root, S("content"));
    for (size_t i = 0; contents != NULL && i < contents->count; i++) {
        const JsonValue *content = &contents->items[i];
        Str type = json_find_text(content, S("contentType"));
        /* What follows a semicolon is a parameter such as the character set. */
        type = str_trim(str_slice(type, 0, str_find_char(type, ';')));
        *ret_data = json_find_text(content, S("data"));
        if (str_eq(type, content_type) && ret_data->len > 0)
            return true;
    }
    return false;
}

static bool content_of(Arena *arena, const JsonValue *root, bool prefers_elm, Str *ret_text,
                       Error *err)
{
    static const Str types[] = {STR_INIT("text/cql"), STR_INIT("application/elm+json")};
    for (size_t i = 0; i < 2; i++) {
        Str type = types[prefers_elm ? 1 - i : i];
        Str data;
        if (!find_content(root, type, &data))
            continue;
        if (str_from_base64(arena, data, ret_text))
            return true;
        (void)error_set(err, ERR_DOCUMENT, "the content of type %.*s is not base64", STR_ARG(type));
        return false;
    }
    (void)error_set(err, ERR_DOCUMENT,
                    "the FHIR Library has no content of type text/cql or application/elm+json");
    return false;
}

ErrorCode cql_library_content(Arena *arena, Str resource, bool prefers_elm, Str *ret_text,
                              Error *err)
{
    JsonValue *root;
    ErrorCode code = json_parse_nested(arena, resource, LIMIT_ELM_DEPTH, &root, err);
    if (code != ERR_OK)
        return code;
    if (!str_eq(json_find_text(root, S("resourceType")), S("Library")))
        return error_set(err, ERR_DOCUMENT, "expected a FHIR Library");
    return content_of(arena, root, prefers_elm, ret_text, err) ? ERR_OK : ERR_DOCUMENT;
}

static bool is_json(Str source)
{
    Str text = str_trim(source);
    if (str_starts_with(text, S("\xEF\xBB\xBF")))
        text = str_trim(str_slice(text, 3, text.len));
    return str_starts_with(text, S("{"));
}

/* A library is known by the version of the resource that it came in: some were published again with
   the text as it was. */
static const AstLibrary *as_version(Arena *arena, const AstLibrary *read, Str version)
{
    if (read == NULL || version.len == 0 || str_eq(read->version, version))
        return read;
    AstLibrary *library = arena_copy(arena, read, sizeof(*read));
    library->version = version;
    return library;
}

const AstLibrary *cql_read_library(Arena *arena, Str source, Str file, DiagList *diags)
{
    if (!is_json(source))
        return cql_parse_library(arena, source, file, diags);
    JsonValue *root;
    Error err = {0};
    Str text;
    if (json_parse_nested(arena, source, LIMIT_ELM_DEPTH, &root, &err) != ERR_OK)
        return report(arena, diags, file, err.message);
    if (json_find(root, S("resourceType")) == NULL)
        return read_elm(arena, root, file, diags);
    if (!str_eq(json_find_text(root, S("resourceType")), S("Library")))
        return report(arena, diags, file, "expected a FHIR Library, not another resource");
    if (!content_of(arena, root, false, &text, &err))
        return report(arena, diags, file, err.message);
    Str version = json_find_text(root, S("version"));
    if (!is_json(text))
        return as_version(arena, cql_parse_library(arena, text, file, diags), version);
    if (json_parse_nested(arena, text, LIMIT_ELM_DEPTH, &root, &err) != ERR_OK)
        return report(arena, diags, file, err.message);
    return as_version(arena, read_elm(arena, root, file, diags), version);
}

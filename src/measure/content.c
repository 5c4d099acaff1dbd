/* Where measures, libraries and value sets are found, and how they are told apart. */
#include "measure/content.h"

#include <archive.h>
#include <archive_entry.h>

#include "base/io.h"
#include "measure/measure_int.h"

enum { FOLDER_DEPTH_MAX = 16, PACKAGE_BLOCK = 1 << 16 };

/* A library by the url and version of its resource. */
typedef struct {
    Str url; /* empty when only its text was found */
    Str name;
    Str version;
} LibraryName;

struct MeasureContent {
    Arena *arena;
    DiagList *diags;
    CqlLibraries *libraries;
    ValueSets *value_sets;
    MeasureVec measures;
    Vec(LibraryName) names;
    Map seen; /* "url|version" of measures, hashes of library texts */
};

MeasureContent *measure_content_create(Arena *arena, DiagList *diags)
{
    MeasureContent *content = ARENA_NEW(arena, MeasureContent);
    content->arena = arena;
    content->diags = diags;
    content->libraries = cql_libraries_create(arena);
    content->value_sets = value_sets_create(arena);
    map_init(&content->seen, arena);
    return content;
}

static void finding(MeasureContent *content, Severity severity, Str file, const char *rule,
                    Str text)
{
    diag_add(content->diags,
             &(Diag){.severity = severity, .file = file, .rule = str_from_c(rule), .text = text});
}

/* --- libraries --- */

static bool is_known_library(const MeasureContent *content, Str name, Str version)
{
    for (size_t i = 0; i < content->names.count; i++)
        if (str_eq(content->names.items[i].name, name) &&
            str_eq(content->names.items[i].version, version))
            return true;
    return false;
}

static void keep_name(MeasureContent *content, Str url, Str name, Str version)
{
    LibraryName kept = {.url = str_copy(content->arena, url),
                        .name = str_copy(content->arena, name),
                        .version = str_copy(content->arena, version)};
    VEC_PUSH(content->arena, &content->names, kept);
}

/* CQL text under the name and version that its resource gives it, or its own. */
static void add_cql(MeasureContent *content, Str text, Str file, const LibraryName *of)
{
    size_t before = cql_libraries_count(content->libraries);
    bool is_added = of == NULL ? cql_libraries_add(content->libraries, text, file, content->diags)
                               : cql_libraries_add_as(content->libraries, text, file, of->version,
                                                      content->diags);
    if (!is_added || cql_libraries_count(content->libraries) == before)
        return;
    keep_name(content, of == NULL ? S("") : of->url, cql_libraries_name(content->libraries, before),
              cql_libraries_version(content->libraries, before));
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

bool measure_decode_base64(Arena *arena, Str text, Str *ret_bytes)
{
    char *bytes = arena_alloc(arena, text.len / 4 * 3 + 4);
    size_t len = 0;
    uint32_t bits = 0;
    int count = 0;
    for (size_t i = 0; i < text.len && text.ptr[i] != '='; i++) {
        int digit = base64_digit(text.ptr[i]);
        if (digit < 0 && (text.ptr[i] == '\n' || text.ptr[i] == '\r' || text.ptr[i] == ' '))
            continue;
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        count += 6;
        if (count >= 8) {
            count -= 8;
            bytes[len++] = (char)(bits >> count & 0xff);
        }
    }
    *ret_bytes = (Str){.ptr = bytes, .len = len};
    return true;
}

static const JsonValue *find_content(const JsonValue *library, Str type)
{
    const JsonValue *list = json_find(library, S("content"));
    for (size_t i = 0; list != NULL && list->kind == JSON_ARRAY && i < list->count; i++) {
        Str found = json_find_text(&list->items[i], S("contentType"));
        if (str_eq(found, type) && json_find(&list->items[i], S("data")) != NULL)
            return &list->items[i];
    }
    return NULL;
}

static void add_library(MeasureContent *content, const JsonValue *resource, Str file)
{
    LibraryName name = {.url = json_find_text(resource, S("url")),
                        .name = json_find_text(resource, S("name")),
                        .version = json_find_text(resource, S("version"))};
    const JsonValue *attachment = find_content(resource, S("text/cql"));
    if (attachment == NULL)
        attachment = find_content(resource, S("application/elm+json"));
    if (attachment == NULL)
        return; /* model info, or a manifest; one that is needed will be missed where it is named */
    if (str_eq(name.name, S("FHIRHelpers")))
        return; /* part of the engine */
    for (size_t i = 0; i < content->names.count; i++) {
        LibraryName *known = &content->names.items[i];
        if (str_eq(known->name, name.name) && str_eq(known->version, name.version)) {
            if (str_is_empty(known->url))
                known->url = str_copy(content->arena, name.url);
            return;
        }
    }
    Str text;
    if (!measure_decode_base64(content->arena, json_find_text(attachment, S("data")), &text)) {
        finding(content, SEVERITY_ERROR, file, "measure-library",
                str_format(content->arena, "the text of the library %.*s is no base64",
                           STR_ARG(name.name)));
        return;
    }
    add_cql(content, text, file, &name);
}

/* CQL that stands by itself: its name is in it. */
static void add_source(MeasureContent *content, Str text, Str file)
{
    Arena *scratch = arena_create(0);
    DiagList ignored;
    diag_init(&ignored, scratch);
    CqlLibraries *alone = cql_libraries_create(scratch);
    bool is_again = false;
    if (cql_libraries_add(alone, text, file, &ignored))
        is_again = str_eq(cql_libraries_name(alone, 0), S("FHIRHelpers")) ||
                   is_known_library(content, cql_libraries_name(alone, 0),
                                    cql_libraries_version(alone, 0));
    arena_destroy(scratch);
    if (!is_again)
        add_cql(content, text, file, NULL);
}

/* --- resources --- */

static void add_measure(MeasureContent *content, const JsonValue *resource, Str file)
{
    Measure measure;
    Str key =
        str_format(content->arena, "%.*s|%.*s|%.*s", STR_ARG(json_find_text(resource, S("url"))),
                   STR_ARG(json_find_text(resource, S("version"))),
                   STR_ARG(json_find_text(resource, S("name"))));
    bool is_new;
    (void)map_intern(&content->seen, key, 0, &is_new);
    if (is_new && measure_read(content->arena, resource, file, content->diags, &measure))
        VEC_PUSH(content->arena, &content->measures, measure);
}

static void add_resource(MeasureContent *content, const JsonValue *resource, Str file)
{
    Str type = json_find_text(resource, S("resourceType"));
    if (str_eq(type, S("Measure")))
        add_measure(content, resource, file);
    else if (str_eq(type, S("Library")))
        add_library(content, resource, file);
}

/* The value of the first "resourceType" near the beginning; empty when it must be parsed to know.
 */
static Str leading_type(Str text)
{
    Str head = str_slice(text, 0, 400);
    size_t at = str_find(head, S("\"resourceType\""));
    if (at == SIZE_MAX || str_find_char(str_slice(head, 1, at), '{') != SIZE_MAX)
        return S("");
    Str rest = str_slice(head, at + 14, head.len);
    size_t open = str_find_char(rest, '"');
    if (open == SIZE_MAX)
        return S("");
    rest = str_slice(rest, open + 1, rest.len);
    size_t close = str_find_char(rest, '"');
    return close == SIZE_MAX ? S("") : str_slice(rest, 0, close);
}

static bool concerns_measures(Str type)
{
    static const Str types[] = {STR_INIT(""), STR_INIT("Bundle"), STR_INIT("Measure"),
                                STR_INIT("Library"), STR_INIT("ValueSet")};
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (str_eq(type, types[i]))
            return true;
    return false;
}

static void add_json(MeasureContent *content, Str text, Str file)
{
    Str type = leading_type(text);
    if (!concerns_measures(type))
        return;
    if (str_eq(type, S("ValueSet"))) {
        value_sets_add(content->value_sets, text, file, content->diags);
        return;
    }
    JsonValue *root;
    Error err = {0};
    if (json_parse(content->arena, text, &root, &err) != ERR_OK) {
        finding(content, SEVERITY_ERROR, file, "measure-json", str_from_c(err.message));
        return;
    }
    type = json_find_text(root, S("resourceType"));
    if (!str_eq(type, S("Bundle"))) {
        if (str_eq(type, S("ValueSet")))
            value_sets_add(content->value_sets, text, file, content->diags);
        add_resource(content, root, file);
        return;
    }
    const JsonValue *entries = json_find(root, S("entry"));
    bool has_sets = false;
    for (size_t i = 0; entries != NULL && entries->kind == JSON_ARRAY && i < entries->count; i++) {
        const JsonValue *resource = json_find(&entries->items[i], S("resource"));
        has_sets |= str_eq(json_find_text(resource, S("resourceType")), S("ValueSet"));
        if (resource != NULL)
            add_resource(content, resource, file);
    }
    if (has_sets)
        value_sets_add(content->value_sets, text, file, content->diags);
}

void measure_content_add_text(MeasureContent *content, Str text, Str file)
{
    file = str_copy(content->arena, file);
    if (str_ends_with(file, S(".cql")))
        add_source(content, text, file);
    else
        add_json(content, text, file);
}

/* --- files --- */

static bool is_package(Str name)
{
    return str_ends_with(name, S(".tgz")) || str_ends_with(name, S(".tar.gz"));
}

/* The text of one member of a package. */
static bool read_member(MeasureContent *content, struct archive *archive, Str file, Str *ret_text)
{
    StrBuf text;
    strbuf_init(&text, content->arena, LIMIT_DOCUMENT_BYTES);
    for (;;) {
        char *room = strbuf_reserve(&text, PACKAGE_BLOCK);
        if (room == NULL) {
            finding(content, SEVERITY_ERROR, file, "measure-unreadable",
                    str_format(content->arena, "longer than %zu bytes", LIMIT_DOCUMENT_BYTES));
            return false;
        }
        la_ssize_t got = archive_read_data(archive, room, PACKAGE_BLOCK);
        if (got < 0) {
            finding(content, SEVERITY_ERROR, file, "measure-unreadable",
                    str_from_c(archive_error_string(archive)));
            return false;
        }
        if (got == 0)
            break;
        text.len += (size_t)got;
    }
    *ret_text = strbuf_str(&text);
    return true;
}

/* Of a FHIR package the resources in package/ and its folders but examples. */
static ErrorCode add_package(MeasureContent *content, Str path, Error *err)
{
    struct archive *archive = archive_read_new();
    ASSERT(archive != NULL);
    (void)archive_read_support_filter_gzip(archive);
    (void)archive_read_support_format_tar(archive);
    ErrorCode code = ERR_OK;
    if (archive_read_open_filename(archive, str_to_c(content->arena, path), PACKAGE_BLOCK) !=
        ARCHIVE_OK)
        code = error_set(err, ERR_IO, "%.*s: %s", STR_ARG(path), archive_error_string(archive));
    struct archive_entry *entry;
    int result = ARCHIVE_OK;
    while (code == ERR_OK && (result = archive_read_next_header(archive, &entry)) == ARCHIVE_OK) {
        Str name = str_from_c(archive_entry_pathname(entry));
        Str text;
        bool is_wanted = archive_entry_filetype(entry) == AE_IFREG &&
                         str_find(name, S("example")) == SIZE_MAX &&
                         str_find(name, S("tests/")) == SIZE_MAX && str_ends_with(name, S(".json"));
        Str file = str_format(content->arena, "%.*s:%.*s", STR_ARG(path), STR_ARG(name));
        if (is_wanted && read_member(content, archive, file, &text))
            measure_content_add_text(content, text, file);
    }
    if (code == ERR_OK && result != ARCHIVE_EOF)
        finding(content, SEVERITY_ERROR, path, "measure-unreadable",
                str_from_c(archive_error_string(archive)));
    (void)archive_read_free(archive);
    return code;
}

static void add_file(MeasureContent *content, Str path)
{
    Error err = {0};
    Str text;
    ErrorCode code = is_package(path) ? add_package(content, path, &err)
                                      : io_read_file(content->arena, path, 0, &text, &err);
    if (code != ERR_OK)
        finding(content, SEVERITY_ERROR, path, "measure-unreadable", str_from_c(err.message));
    else if (!is_package(path))
        measure_content_add_text(content, text, path);
}

static bool is_passed_over(Str name)
{
    static const Str names[] = {STR_INIT("tests"), STR_INIT("output"), STR_INIT("temp"),
                                STR_INIT("node_modules"), STR_INIT("input-cache")};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (str_eq(name, names[i]))
            return true;
    return name.ptr[0] == '.' || str_starts_with(name, S("tests-"));
}

static void add_folder(MeasureContent *content, Str path, int depth) /* NOLINT(misc-no-recursion) */
{
    IoNames names = {0};
    Error err = {0};
    if (depth > FOLDER_DEPTH_MAX || io_list_dir(content->arena, path, &names, &err) != ERR_OK) {
        finding(content, SEVERITY_ERROR, path, "measure-unreadable",
                depth > FOLDER_DEPTH_MAX ? S("folders are nested too deeply")
                                         : str_from_c(err.message));
        return;
    }
    VEC_FOREACH (Str, name, &names) {
        Str file = io_join(content->arena, path, *name);
        if (is_passed_over(*name))
            continue;
        if (io_is_dir(file))
            add_folder(content, file, depth + 1);
        else if (str_ends_with(*name, S(".json")) || str_ends_with(*name, S(".cql")) ||
                 is_package(*name))
            add_file(content, file);
    }
}

ErrorCode measure_content_add(MeasureContent *content, Str path, Error *err)
{
    static const Str parts[] = {STR_INIT("input/resources"), STR_INIT("input/vocabulary"),
                                STR_INIT("input/cql")};
    if (!io_exists(path))
        return error_set(err, ERR_NOT_FOUND, "%.*s: there is no such file or folder",
                         STR_ARG(path));
    if (!io_is_dir(path)) {
        add_file(content, path);
        return ERR_OK;
    }
    if (!io_is_dir(io_join(content->arena, path, S("input")))) {
        add_folder(content, path, 0);
        return ERR_OK;
    }
    size_t before = content->measures.count;
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        Str part = io_join(content->arena, path, parts[i]);
        if (io_is_dir(part))
            add_folder(content, part, 1);
    }
    Str bundles = io_join(content->arena, path, S("bundles"));
    if (content->measures.count == before && io_is_dir(bundles))
        add_folder(content, bundles, 1);
    return ERR_OK;
}

void measure_content_finish(MeasureContent *content)
{
    value_sets_resolve(content->value_sets, content->diags);
}

/* --- looking --- */

const MeasureVec *measure_content_measures(const MeasureContent *content)
{
    return &content->measures;
}

const CqlLibraries *measure_content_libraries(const MeasureContent *content)
{
    return content->libraries;
}

const ValueSets *measure_content_value_sets(const MeasureContent *content)
{
    return content->value_sets;
}

static Str last_part(Str url)
{
    size_t from = url.len;
    while (from > 0 && url.ptr[from - 1] != '/')
        from--;
    return str_slice(url, from, url.len);
}

/* Versions in order of their numbers: 1.9 before 1.10. */
static int compare_versions(Str a, Str b)
{
    Str left;
    Str right;
    for (;;) {
        bool has_left = str_split_next(&a, '.', &left);
        bool has_right = str_split_next(&b, '.', &right);
        if (!has_left || !has_right)
            return (int)has_left - (int)has_right;
        int64_t x;
        int64_t y;
        if (str_to_int64(left, &x) && str_to_int64(right, &y)) {
            if (x != y)
                return x < y ? -1 : 1;
        } else if (str_cmp(left, right) != 0) {
            return str_cmp(left, right);
        }
    }
}

bool measure_content_library(const MeasureContent *content, Str canonical, Str *ret_name,
                             Str *ret_version)
{
    Str url;
    Str version = canonical;
    (void)str_split_next(&version, '|', &url);
    const LibraryName *best = NULL;
    for (size_t i = 0; i < content->names.count; i++) {
        const LibraryName *each = &content->names.items[i];
        bool is_named = str_eq(each->url, url) ||
                        (str_is_empty(each->url) && str_eq(each->name, last_part(url))) ||
                        str_eq(each->name, url);
        if (!is_named)
            continue;
        bool is_exact = version.ptr != NULL && str_eq(each->version, version);
        if (best == NULL || is_exact || compare_versions(each->version, best->version) > 0)
            best = each;
        if (is_exact)
            break;
    }
    if (best == NULL)
        return false;
    *ret_name = best->name;
    *ret_version = best->version;
    return true;
}

const Measure *measure_content_find(const MeasureContent *content, Str name)
{
    Str url;
    Str version = name;
    (void)str_split_next(&version, '|', &url);
    const Measure *found = NULL;
    for (size_t i = 0; i < content->measures.count; i++) {
        const Measure *each = &content->measures.items[i];
        if (version.ptr != NULL && str_eq(each->url, url) && str_eq(each->version, version))
            return each;
        if (found == NULL &&
            (str_eq(each->name, url) || str_eq(each->id, url) || str_eq(each->url, url)))
            found = each;
    }
    return found;
}

#include "store/store_int.h"

#include "base/io.h"
#include "base/json.h"

/*
 * The manifest is one JSON object on one line. Its last member, "check", is the CRC-32C of all
 * bytes before it, so that a file cut short or changed by hand is not believed.
 */
static const char format_name[] = "braid-store";
static const Str check_key = STR_INIT(",\"check\":\"");
static const Str check_end = STR_INIT("\"}\n");

enum {
    CHECK_DIGITS = 8,
    MANIFEST_BYTES_MAX = 64 << 20,
    GENERATION_DIGITS = 6,
};

static void member_hex(JsonWriter *json, Arena *arena, Str key, uint64_t value, int digits)
{
    json_member_str(json, key, str_format(arena, "%0*llx", digits, (unsigned long long)value));
}

static void member_file(JsonWriter *json, Arena *arena, const ManifestFile *file)
{
    json_object_begin(json);
    json_member_int(json, S("bytes"), (int64_t)file->size);
    json_member_int(json, S("persons"), file->persons);
    member_hex(json, arena, S("first"), file->first_hash, 16);
    member_hex(json, arena, S("crc"), file->crc, CHECK_DIGITS);
    json_object_end(json);
}

static void member_files(JsonWriter *json, Arena *arena, Str key, const ManifestFile *files,
                         size_t count)
{
    json_key(json, key);
    json_array_begin(json);
    for (size_t i = 0; i < count; i++)
        member_file(json, arena, &files[i]);
    json_array_end(json);
}

Str manifest_format(Arena *arena, const Manifest *manifest)
{
    StrBuf buf;
    strbuf_init(&buf, arena, 0);
    JsonWriter json;
    json_writer_init(&json, &buf, false);
    json_object_begin(&json);
    json_member_str(&json, S("format"), str_from_c(format_name));
    json_member_int(&json, S("version"), MANIFEST_VERSION);
    json_member_int(&json, S("generation"), manifest->generation);
    member_hex(&json, arena, S("model"), manifest->model, CHECK_DIGITS);
    json_key(&json, S("types"));
    json_object_begin(&json);
    for (uint32_t type = 1; type < FHIR_RESOURCE_TYPE_LIMIT; type++) {
        if (manifest->by_type[type] > 0)
            json_member_int(&json, str_from_c(fhir_type_table[type].name),
                            (int64_t)manifest->by_type[type]);
    }
    json_object_end(&json);
    json_member_int(&json, S("source_files"), (int64_t)manifest->source.files);
    json_member_int(&json, S("source_bytes"), (int64_t)manifest->source.bytes);
    json_member_str(&json, S("source"), manifest->source.source);
    json_key(&json, S("dict"));
    member_file(&json, arena, &manifest->dict);
    json_member_int(&json, S("shared_resources"), (int64_t)manifest->shared_resources);
    member_files(&json, arena, S("shared"), manifest->shared, manifest->shared_count);
    member_files(&json, arena, S("partitions"), manifest->partitions, manifest->partition_count);
    uint32_t crc = io_crc32c(0, buf.ptr, buf.len);
    strbuf_add(&buf, check_key);
    strbuf_printf(&buf, "%08x", crc);
    strbuf_add(&buf, check_end);
    ASSERT(!buf.overflowed);
    return strbuf_str(&buf);
}

/* ---- reading ---- */

static bool parse_hex(Str text, uint64_t *ret_value)
{
    if (text.len == 0 || text.len > 16)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c >= '0' && c <= '9')
            value = value << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *ret_value = value;
    return true;
}

static bool find_uint(const JsonValue *object, Str key, uint64_t limit, uint64_t *ret_value)
{
    const JsonValue *member = json_find(object, key);
    int64_t value;
    if (member == NULL || member->kind != JSON_NUMBER || !str_to_int64(member->text, &value) ||
        value < 0 || (uint64_t)value > limit)
        return false;
    *ret_value = (uint64_t)value;
    return true;
}

static bool read_file_entry(const JsonValue *object, ManifestFile *ret_file)
{
    uint64_t persons;
    uint64_t crc;
    if (!find_uint(object, S("bytes"), INT64_MAX, &ret_file->size) ||
        !find_uint(object, S("persons"), UINT32_MAX, &persons) ||
        !parse_hex(json_find_text(object, S("first")), &ret_file->first_hash) ||
        !parse_hex(json_find_text(object, S("crc")), &crc) || crc > UINT32_MAX)
        return false;
    ret_file->persons = (uint32_t)persons;
    ret_file->crc = (uint32_t)crc;
    return true;
}

static bool read_types(const JsonValue *types, Manifest *manifest)
{
    if (types == NULL || types->kind != JSON_OBJECT)
        return false;
    for (size_t i = 0; i < types->count; i++) {
        const JsonValue *member = &types->items[i];
        FhirType type = fhir_type_find(member->key.ptr, member->key.len);
        if (!fhir_type_is_resource(type) ||
            !find_uint(types, member->key, INT64_MAX, &manifest->by_type[type]))
            return false;
    }
    return true;
}

static bool read_files(Arena *arena, const JsonValue *list, ManifestFile **ret_files,
                       size_t *ret_count)
{
    if (list == NULL || list->kind != JSON_ARRAY)
        return false;
    *ret_count = list->count;
    *ret_files = ARENA_ZARRAY(arena, ManifestFile, list->count);
    for (size_t i = 0; i < list->count; i++)
        if (!read_file_entry(&list->items[i], &(*ret_files)[i]))
            return false;
    return true;
}

static bool are_ascending(const ManifestFile *files, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (files[i].first_hash <= files[i - 1].first_hash)
            return false;
    return true;
}

static bool read_members(Arena *arena, const JsonValue *root, Manifest *manifest)
{
    uint64_t generation;
    uint64_t model;
    if (!find_uint(root, S("generation"), UINT32_MAX - 1, &generation) ||
        !parse_hex(json_find_text(root, S("model")), &model) || model > UINT32_MAX ||
        !find_uint(root, S("source_files"), INT64_MAX, &manifest->source.files) ||
        !find_uint(root, S("source_bytes"), INT64_MAX, &manifest->source.bytes))
        return false;
    manifest->generation = (uint32_t)generation;
    manifest->model = (uint32_t)model;
    manifest->source.source = str_copy(arena, json_find_text(root, S("source")));
    return find_uint(root, S("shared_resources"), INT64_MAX, &manifest->shared_resources) &&
           read_types(json_find(root, S("types")), manifest) &&
           read_file_entry(json_find(root, S("dict")), &manifest->dict) &&
           read_files(arena, json_find(root, S("shared")), &manifest->shared,
                      &manifest->shared_count) &&
           read_files(arena, json_find(root, S("partitions")), &manifest->partitions,
                      &manifest->partition_count) &&
           are_ascending(manifest->partitions, manifest->partition_count);
}

/* Whether the text ends with the checksum of what stands before it. */
static bool has_right_check(Str text)
{
    size_t tail = check_key.len + CHECK_DIGITS + check_end.len;
    if (text.len < tail)
        return false;
    size_t body = text.len - tail;
    uint64_t crc;
    return str_ends_with(text, check_end) &&
           str_eq(str_slice(text, body, check_key.len), check_key) &&
           parse_hex(str_slice(text, body + check_key.len, CHECK_DIGITS), &crc) &&
           crc == io_crc32c(0, text.ptr, body);
}

ErrorCode manifest_read(Arena *arena, Str store_path, Manifest *ret_manifest, Error *err)
{
    Str path = manifest_path(arena, store_path);
    if (!io_exists(path))
        return error_set(err, ERR_NOT_FOUND, "%.*s: there is no store here", STR_ARG(store_path));
    Str text;
    ErrorCode code = io_read_file(arena, path, MANIFEST_BYTES_MAX, &text, err);
    if (code != ERR_OK)
        return code;
    if (!has_right_check(text))
        return error_set(err, ERR_DAMAGED, "%.*s: wrong checksum", STR_ARG(path));
    JsonValue *root;
    if (json_parse(arena, text, &root, err) != ERR_OK)
        return error_set(err, ERR_DAMAGED, "%.*s: this is no JSON", STR_ARG(path));
    if (!str_eq(json_find_text(root, S("format")), str_from_c(format_name)))
        return error_set(err, ERR_DAMAGED, "%.*s: this is no manifest of a store", STR_ARG(path));
    uint64_t version;
    if (!find_uint(root, S("version"), INT64_MAX, &version) || version != MANIFEST_VERSION)
        return error_set(err, ERR_VERSION,
                         "%.*s: written in another format; this program reads version %d",
                         STR_ARG(path), MANIFEST_VERSION);
    Manifest manifest = {0};
    if (!read_members(arena, root, &manifest))
        return error_set(err, ERR_DAMAGED, "%.*s: a member is missing or of the wrong kind",
                         STR_ARG(path));
    if (manifest.model != store_model_mark())
        return error_set(err, ERR_VERSION,
                         "%.*s: written with another element model; load the sources anew",
                         STR_ARG(path));
    *ret_manifest = manifest;
    return ERR_OK;
}

/* ---- names ---- */

Str manifest_path(Arena *arena, Str store_path)
{
    return io_join(arena, store_path, S("manifest"));
}

Str store_generation_path(Arena *arena, Str store_path, uint32_t generation)
{
    return io_join(arena, store_path, str_format(arena, "gen-%06u", generation));
}

Str store_partition_path(Arena *arena, Str generation_path, size_t partition)
{
    return io_join(arena, generation_path, str_format(arena, "part-%05zu.brp", partition));
}

Str store_shared_path(Arena *arena, Str generation_path, size_t number)
{
    return io_join(arena, generation_path, str_format(arena, "shared-%05zu.brp", number));
}

bool store_parse_generation(Str name, uint32_t *ret_generation)
{
    Str prefix = S("gen-");
    int64_t number;
    if (!str_starts_with(name, prefix) || name.len < prefix.len + GENERATION_DIGITS ||
        !str_to_int64(str_slice(name, prefix.len, name.len), &number) || number < 0 ||
        number >= UINT32_MAX)
        return false;
    *ret_generation = (uint32_t)number;
    return true;
}

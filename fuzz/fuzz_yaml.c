/*
 * fuzz_yaml -- any bytes through the YAML reader and its helpers: every refusal must have a
 * finding, and every node a place.
 */
#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void visit(const YamlReader *reader, const YamlNode *node, int depth)
{
    static const Str known[] = {STR_INIT("name"), STR_INIT("amount"), STR_INIT("clauses")};
    ASSERT(node->line >= 1 && node->column >= 1 && depth <= LIMIT_YAML_DEPTH);
    Str text;
    int64_t number;
    Decimal decimal;
    bool boolean;
    int32_t day;
    yaml_check_keys(reader, node, known, COUNT_OF(known));
    for (size_t i = 0; i < node->count; i++) {
        if (node->kind == YAML_MAPPING) {
            Str key = node->items[i].key;
            (void)yaml_get_text(reader, node, key, &text);
            (void)yaml_get_int(reader, node, key, &number);
            (void)yaml_get_decimal(reader, node, key, &decimal);
            (void)yaml_get_bool(reader, node, key, &boolean);
            (void)yaml_get_day(reader, node, key, &day);
            (void)yaml_get_kind(reader, node, key, YAML_SEQUENCE);
        }
        visit(reader, &node->items[i], depth + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_create(0);
    DiagList diags;
    diag_init(&diags, arena);
    YamlNode *root;
    ErrorCode code = yaml_parse(arena, (Str){(const char *)data, size}, S("fuzz"), &diags, &root);
    ASSERT(code == ERR_OK || code == ERR_DOCUMENT);
    ASSERT(diag_has_errors(&diags) == (code != ERR_OK));
    if (code == ERR_OK) {
        YamlReader reader = {.arena = arena, .diags = &diags, .file = S("fuzz")};
        visit(&reader, root, 0);
    }
    arena_destroy(arena);
    return 0;
}

/* What differs between two contract documents, as trees. */
#include "contract/contract.h"

typedef struct {
    Arena *arena;
    ContractChanges *changes;
} Differ;

/* A value on one line. */
static void add_value(StrBuf *out, const YamlNode *node)
{
    if (node->kind == YAML_SCALAR) {
        strbuf_add(out, node->text);
        return;
    }
    bool is_list = node->kind == YAML_SEQUENCE;
    strbuf_add_char(out, is_list ? '[' : '{');
    for (size_t i = 0; i < node->count; i++) {
        if (i > 0)
            strbuf_add(out, S(", "));
        if (!is_list)
            strbuf_printf(out, "%.*s: ", STR_ARG(node->items[i].key));
        add_value(out, &node->items[i]);
    }
    strbuf_add_char(out, is_list ? ']' : '}');
}

static Str value_text(Arena *arena, const YamlNode *node)
{
    StrBuf out;
    if (node == NULL)
        return S("");
    strbuf_init(&out, arena, 0);
    add_value(&out, node);
    return strbuf_str(&out);
}

static void add_change(Differ *differ, Str path, const YamlNode *before, const YamlNode *after)
{
    ContractChange change = {.path = path,
                             .before = value_text(differ->arena, before),
                             .after = value_text(differ->arena, after),
                             .line_before = before == NULL ? 0 : before->line,
                             .line_after = after == NULL ? 0 : after->line};
    VEC_PUSH(differ->arena, differ->changes, change);
}

static Str id_of(const YamlNode *node)
{
    const YamlNode *id = yaml_find(node, S("id"));
    return id == NULL ? S("") : id->text;
}

static const YamlNode *find_by_id(const YamlNode *list, Str id)
{
    for (size_t i = 0; i < list->count; i++)
        if (str_eq(id_of(&list->items[i]), id))
            return &list->items[i];
    return NULL;
}

static bool has_ids(const YamlNode *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].kind != YAML_MAPPING || id_of(&list->items[i]).len == 0)
            return false;
    return list->count > 0;
}

static void compare(Differ *differ, Str path, const YamlNode *before, const YamlNode *after);

static Str below(const Differ *differ, Str path, Str name)
{
    if (path.len == 0)
        return name;
    return str_format(differ->arena, "%.*s.%.*s", STR_ARG(path), STR_ARG(name));
}

static void compare_mappings(Differ *differ, Str path, const YamlNode *before,
                             const YamlNode *after)
{
    for (size_t i = 0; i < before->count; i++) {
        const YamlNode *old = &before->items[i];
        compare(differ, below(differ, path, old->key), old, yaml_find(after, old->key));
    }
    for (size_t i = 0; i < after->count; i++)
        if (yaml_find(before, after->items[i].key) == NULL)
            add_change(differ, below(differ, path, after->items[i].key), NULL, &after->items[i]);
}

static void compare_by_id(Differ *differ, Str path, const YamlNode *before, const YamlNode *after)
{
    for (size_t i = 0; i < before->count; i++) {
        Str id = id_of(&before->items[i]);
        compare(differ, below(differ, path, id), &before->items[i], find_by_id(after, id));
    }
    for (size_t i = 0; i < after->count; i++) {
        Str id = id_of(&after->items[i]);
        if (find_by_id(before, id) == NULL)
            add_change(differ, below(differ, path, id), NULL, &after->items[i]);
    }
}

static void compare_lists(Differ *differ, Str path, const YamlNode *before, const YamlNode *after)
{
    size_t count = before->count > after->count ? before->count : after->count;
    for (size_t i = 0; i < count; i++) {
        Str item = str_format(differ->arena, "%.*s[%zu]", STR_ARG(path), i + 1);
        compare(differ, item, i < before->count ? &before->items[i] : NULL,
                i < after->count ? &after->items[i] : NULL);
    }
}

/* Depth is that of the documents, which the YAML reader limits. */
static void compare(Differ *differ, Str path, const YamlNode *before, const YamlNode *after)
{
    if (before == NULL || after == NULL || before->kind != after->kind) {
        if (before != NULL || after != NULL)
            add_change(differ, path, before, after);
    } else if (before->kind == YAML_SCALAR) {
        if (!str_eq(before->text, after->text))
            add_change(differ, path, before, after);
    } else if (before->kind == YAML_MAPPING) {
        compare_mappings(differ, path, before, after);
    } else if (has_ids(before) && has_ids(after)) {
        compare_by_id(differ, path, before, after);
    } else {
        compare_lists(differ, path, before, after);
    }
}

ErrorCode contract_diff(Arena *arena, const Str texts[2], const Str files[2], DiagList *diags,
                        ContractChanges *ret_changes)
{
    YamlNode *roots[2];
    for (size_t i = 0; i < 2; i++) {
        ErrorCode code = yaml_parse(arena, texts[i], files[i], diags, &roots[i]);
        if (code != ERR_OK)
            return code;
    }
    ContractChanges changes = {0};
    Differ differ = {arena, &changes};
    compare(&differ, S(""), roots[0], roots[1]);
    *ret_changes = changes;
    return ERR_OK;
}

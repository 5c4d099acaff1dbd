/*
 * yaml -- documents written by people: a tree with line and column at every node.
 *
 * Read with libyaml into one small tree, so that every check can name its place. The
 * subset: one document, no anchors and aliases, no tags, no merge keys, unique keys; scalars
 * keep their text and whether they were quoted. Numbers, true and false are not quoted.
 * Columns count characters. yaml_expect_* helpers read a member of the
 * kind that is wanted or add a finding that says what was expected.
 */
#pragma once

#include "base/base.h"
#include "base/decimal.h"

typedef enum { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING } YamlKind;

typedef struct YamlNode YamlNode;
struct YamlNode {
    YamlKind kind;
    bool is_quoted;
    uint32_t line;
    uint32_t column;
    Str text; /* of a scalar */
    Str key;  /* its name, when it is a value in a mapping */
    uint32_t key_line;
    uint32_t key_column;
    size_t count;
    YamlNode *items; /* of a sequence, or values of a mapping in order */
};

/* Parses one document. Syntax errors become findings in `diags` (file is the name for them) and
   give ERR_DOCUMENT; the tree lives in the arena. An empty document is an error. */
MUST_USE ErrorCode yaml_parse(Arena *arena, Str text, Str file, DiagList *diags,
                              YamlNode **ret_root);

/* What the helpers below need: where findings go. */
typedef struct {
    Arena *arena;
    DiagList *diags;
    Str file;
} YamlReader;

void yaml_error(const YamlReader *reader, const YamlNode *node, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* The member of that name or NULL, without a finding. */
const YamlNode *yaml_find(const YamlNode *mapping, Str key);
/* The member; adds "missing ..." at the mapping when it is not there. */
const YamlNode *yaml_get(const YamlReader *reader, const YamlNode *mapping, Str key);
/* Each reads the member `key`: gives false and adds a finding when it is missing or of another
 * kind. */
bool yaml_get_text(const YamlReader *reader, const YamlNode *mapping, Str key, Str *ret_text);
bool yaml_get_int(const YamlReader *reader, const YamlNode *mapping, Str key, int64_t *ret_value);
bool yaml_get_decimal(const YamlReader *reader, const YamlNode *mapping, Str key,
                      Decimal *ret_value);
bool yaml_get_bool(const YamlReader *reader, const YamlNode *mapping, Str key, bool *ret_value);
bool yaml_get_day(const YamlReader *reader, const YamlNode *mapping, Str key, int32_t *ret_day);
/* The member when present must be of this kind; NULL when absent. */
const YamlNode *yaml_find_kind(const YamlReader *reader, const YamlNode *mapping, Str key,
                               YamlKind kind);
const YamlNode *yaml_get_kind(const YamlReader *reader, const YamlNode *mapping, Str key,
                              YamlKind kind);
/* Adds a finding for each member whose name is not in the list, with the nearest known name as a
 * hint. */
void yaml_check_keys(const YamlReader *reader, const YamlNode *mapping, const Str *known,
                     size_t count);
/* The known name that the word was likely meant to be (at most a third of it wrong), or NULL. */
const Str *yaml_nearest_name(Str word, const Str *known, size_t count);

/* The table of kinds of clause: one YAML text each, carried in the program (models/clauses). */
#include "contract/graph_int.h"

#include "contract_macros.h"

const ClauseMacroText *contract_macros(size_t *ret_count)
{
    *ret_count = COUNT_OF(macro_texts);
    return macro_texts;
}

static const YamlNode *list_of(const YamlNode *root, Str key)
{
    const YamlNode *list = yaml_find(root, key);
    return list != NULL && list->kind == YAML_SEQUENCE ? list : NULL;
}

static const Macro *macro_read(ContractReader *reader, const ClauseMacroText *text)
{
    YamlNode *root;
    Str file = str_format(reader->arena, "models/clauses/%.*s.yaml", STR_ARG(text->name));
    if (yaml_parse(reader->arena, text->text, file, reader->yaml.diags, &root) != ERR_OK)
        return NULL;
    Macro *macro = ARENA_NEW(reader->arena, Macro);
    macro->name = text->name;
    macro->root = root;
    macro->parameters = list_of(root, S("parameters"));
    macro->graph = yaml_find(root, S("graph"));
    macro->pays = yaml_find(root, S("pays"));
    macro->shows = yaml_find(root, S("shows"));
    macro->reasons = list_of(root, S("reasons"));
    /* tools/gen_macros.py refuses a table without these. */
    ASSERT(macro->parameters != NULL && macro->graph != NULL && macro->pays != NULL);
    return macro;
}

const Macro *macro_find(ContractReader *reader, Str name)
{
    for (size_t i = 0; i < reader->macros.count; i++)
        if (str_eq(reader->macros.items[i]->name, name))
            return reader->macros.items[i];
    for (size_t i = 0; i < COUNT_OF(macro_texts); i++) {
        if (!str_eq(macro_texts[i].name, name))
            continue;
        const Macro *macro = macro_read(reader, &macro_texts[i]);
        if (macro != NULL)
            VEC_PUSH(reader->arena, &reader->macros, macro);
        return macro;
    }
    return NULL;
}

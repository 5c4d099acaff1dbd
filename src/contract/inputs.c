/* What a contract works on: dimensions that tables are told apart by, and inputs. */
#include "contract/graph_int.h"

static void refuse(const ContractReader *reader, ContractRefusal refusal, const YamlNode *node,
                   const char *text)
{
    contract_refuse(reader, refusal, node, "%s", text);
}

static const Str sex_words[] = {
#define CHOICE_SEX(name, text, says) STR_INIT(text),
#include "contract/choice.def"
#undef CHOICE_SEX
};

static void add_built_in(Dimension *dimensions)
{
    static const Dimension built_in[] = {
#define NAMES  DIMENSION_NAMES
#define CHOICE DIMENSION_CHOICE
#define RANGE  DIMENSION_RANGE
#define DIMENSION(upper, text, dimension_kind, first, says)                                        \
    {.name = STR_INIT(text), .kind = dimension_kind, .from = first, .under = DIMENSION_UNBOUNDED},
#include "contract/dimension.def"
#undef DIMENSION
#undef NAMES
#undef CHOICE
#undef RANGE
    };
    memcpy(dimensions, built_in, sizeof(built_in));
    for (size_t i = 0; i < DIMENSION_BUILT_IN_COUNT; i++)
        dimensions[i].column = dimensions[i].name;
    dimensions[DIMENSION_SEX].words = sex_words;
    dimensions[DIMENSION_SEX].word_count = COUNT_OF(sex_words);
    dimensions[DIMENSION_YEAR].of = dimension_bit(DIMENSION_PERIOD);
}

static void read_words(const ContractReader *reader, const YamlNode *list, Dimension *dimension)
{
    enum { WORDS_MAX = 10000 };
    if (list->kind != YAML_SEQUENCE || list->count == 0 || list->count > WORDS_MAX) {
        refuse(reader, CONTRACT_REFUSAL_DIMENSION, list, "expected a list of 1 to 10,000 words");
        return;
    }
    Str *words = ARENA_ZARRAY(reader->arena, Str, list->count);
    Map seen;
    map_init(&seen, reader->arena);
    for (size_t i = 0; i < list->count; i++) {
        bool is_new = true;
        if (!contract_text(reader, &list->items[i], &words[i]))
            continue;
        (void)map_intern(&seen, words[i], i, &is_new);
        if (!is_new)
            refuse(reader, CONTRACT_REFUSAL_ID_TWICE, &list->items[i], "the word is there twice");
    }
    dimension->kind = DIMENSION_CHOICE;
    dimension->words = words;
    dimension->word_count = list->count;
}

/* {1P: "1+"}: what tables write, and which word it is. */
static void read_aliases(const ContractReader *reader, const YamlNode *mapping,
                         Dimension *dimension)
{
    if (mapping->kind != YAML_MAPPING || dimension->word_count == 0) {
        refuse(reader, CONTRACT_REFUSAL_DIMENSION, mapping,
               "expected a mapping of what tables write to one of the words");
        return;
    }
    Str *aliases = ARENA_ZARRAY(reader->arena, Str, mapping->count + 1);
    Str *words = ARENA_ZARRAY(reader->arena, Str, mapping->count + 1);
    for (size_t i = 0; i < mapping->count; i++) {
        Words known = {dimension->words, dimension->word_count};
        size_t index;
        aliases[i] = mapping->items[i].key;
        if (contract_word(reader, &mapping->items[i], "word", known, &index))
            words[i] = dimension->words[index];
    }
    dimension->aliases = aliases;
    dimension->alias_words = words;
    dimension->alias_count = mapping->count;
}

static void read_range(const ContractReader *reader, const YamlNode *node, Dimension *dimension)
{
    static const Str keys[] = {STR_INIT("from"), STR_INIT("under")};
    dimension->kind = DIMENSION_RANGE;
    if (node->kind != YAML_MAPPING) {
        refuse(reader, CONTRACT_REFUSAL_DIMENSION, node,
               "expected {from: 0}, or {from: 0, under: 100}");
        return;
    }
    yaml_check_keys(&reader->yaml, node, keys, COUNT_OF(keys));
    int64_t from = 0;
    int64_t under = DIMENSION_UNBOUNDED;
    if (yaml_find(node, S("from")) != NULL && !yaml_get_int(&reader->yaml, node, S("from"), &from))
        return;
    if (yaml_find(node, S("under")) != NULL &&
        !yaml_get_int(&reader->yaml, node, S("under"), &under))
        return;
    if (from < 0 || under <= from || under > DIMENSION_UNBOUNDED) {
        refuse(reader, CONTRACT_REFUSAL_DIMENSION, node, "nothing is in this range");
        return;
    }
    dimension->from = (int32_t)from;
    dimension->under = (int32_t)under;
}

static size_t find_dimension(const Contract *contract, Str name)
{
    for (size_t i = 0; i < contract->dimension_count; i++)
        if (str_eq(contract->dimensions[i].name, name))
            return i;
    return SIZE_MAX;
}

static bool read_mask(const ContractReader *reader, const YamlNode *list, DimensionMask *ret_mask)
{
    const Contract *contract = reader->contract;
    DimensionMask mask = 0;
    if (list->kind != YAML_SEQUENCE) {
        refuse(reader, CONTRACT_REFUSAL_DIMENSION, list,
               "expected a list of dimensions such as [party, period]");
        return false;
    }
    for (size_t i = 0; i < list->count; i++) {
        size_t index = find_dimension(contract, list->items[i].text);
        if (index == SIZE_MAX || contract->dimensions[index].of != 0) {
            contract_refuse(reader, CONTRACT_REFUSAL_DIMENSION, &list->items[i],
                            "\"%.*s\" is no dimension of keys; declare it below \"dimensions\"",
                            STR_ARG(str_slice(list->items[i].text, 0, 64)));
            return false;
        }
        mask |= dimension_bit(index);
    }
    *ret_mask = mask;
    return true;
}

static void read_dimension(const ContractReader *reader, const YamlNode *node, Dimension *dimension)
{
    static const Str keys[] = {STR_INIT("words"), STR_INIT("range"), STR_INIT("of"),
                               STR_INIT("column"), STR_INIT("aliases")};
    dimension->name = node->key;
    dimension->line = node->line;
    dimension->column_number = node->column;
    dimension->column = node->key;
    if (node->kind != YAML_MAPPING) {
        refuse(reader, CONTRACT_REFUSAL_DIMENSION, node,
               "expected {words: [...]}, {range: {from: 0}} or {}");
        return;
    }
    yaml_check_keys(&reader->yaml, node, keys, COUNT_OF(keys));
    const YamlNode *words = yaml_find(node, S("words"));
    const YamlNode *range = yaml_find(node, S("range"));
    const YamlNode *of = yaml_find(node, S("of"));
    const YamlNode *column = yaml_find(node, S("column"));
    if (words != NULL)
        read_words(reader, words, dimension);
    else if (range != NULL)
        read_range(reader, range, dimension);
    const YamlNode *aliases = yaml_find(node, S("aliases"));
    if (aliases != NULL)
        read_aliases(reader, aliases, dimension);
    if (words != NULL && range != NULL)
        refuse(reader, CONTRACT_REFUSAL_DIMENSION, range, "words and range exclude each other");
    if (of != NULL)
        (void)!read_mask(reader, of, &dimension->of);
    if (column != NULL)
        (void)contract_text(reader, column, &dimension->column);
}

/* Of a built-in dimension a document may say in which column it is, and name its words. */
static void read_built_in(const ContractReader *reader, const YamlNode *node, Dimension *dimension)
{
    static const Str keys[] = {STR_INIT("column"), STR_INIT("words")};
    dimension->line = node->line;
    dimension->column_number = node->column;
    if (node->kind != YAML_MAPPING) {
        refuse(reader, CONTRACT_REFUSAL_DIMENSION, node, "expected {column: NAME}");
        return;
    }
    yaml_check_keys(&reader->yaml, node, keys, COUNT_OF(keys));
    const YamlNode *column = yaml_find(node, S("column"));
    const YamlNode *words = yaml_find(node, S("words"));
    if (column != NULL)
        (void)contract_text(reader, column, &dimension->column);
    if (words != NULL && dimension->kind != DIMENSION_NAMES)
        refuse(reader, CONTRACT_REFUSAL_DIMENSION, words, "this dimension has its values already");
    else if (words != NULL)
        read_words(reader, words, dimension);
}

void contract_read_dimensions(ContractReader *reader, const YamlNode *mapping)
{
    Contract *contract = reader->contract;
    Dimension *dimensions = ARENA_ZARRAY(reader->arena, Dimension, DIMENSIONS_MAX);
    add_built_in(dimensions);
    contract->dimensions = dimensions;
    contract->dimension_count = DIMENSION_BUILT_IN_COUNT;
    if (mapping == NULL)
        return;
    if (mapping->kind != YAML_MAPPING) {
        refuse(reader, CONTRACT_REFUSAL_DIMENSION, mapping, "expected a mapping of names");
        return;
    }
    for (size_t i = 0; i < mapping->count; i++) {
        const YamlNode *node = &mapping->items[i];
        size_t known = find_dimension(contract, node->key);
        if (known < DIMENSION_BUILT_IN_COUNT) {
            read_built_in(reader, node, &dimensions[known]);
            continue;
        }
        if (contract->dimension_count == DIMENSIONS_MAX) {
            contract_refuse(reader, CONTRACT_REFUSAL_LIMIT, node, "more than %d dimensions",
                            DIMENSIONS_MAX - DIMENSION_BUILT_IN_COUNT);
            return;
        }
        if (known != SIZE_MAX || str_eq(node->key, S("value")) || str_eq(node->key, S("amount")) ||
            str_eq(node->key, S("input"))) {
            contract_refuse(reader, CONTRACT_REFUSAL_ID_TWICE, node,
                            "\"%.*s\" is there already; choose another name", STR_ARG(node->key));
            continue;
        }
        read_dimension(reader, node, &dimensions[contract->dimension_count]);
        contract->dimension_count++;
    }
}

/* --- inputs --- */

static void read_input(const ContractReader *reader, const YamlNode *node, ContractInput *input)
{
    static const Str keys[] = {STR_INIT("unit"), STR_INIT("by"), STR_INIT("column"),
                               STR_INIT("default")};
    *input = (ContractInput){
        .name = node->key, .line = node->line, .column_number = node->column, .column = node->key};
    if (node->kind != YAML_MAPPING) {
        refuse(reader, CONTRACT_REFUSAL_INPUT, node,
               "expected a mapping such as {unit: money, by: [party, period]}");
        return;
    }
    yaml_check_keys(&reader->yaml, node, keys, COUNT_OF(keys));
    const YamlNode *unit = yaml_get(&reader->yaml, node, S("unit"));
    const YamlNode *by = yaml_get(&reader->yaml, node, S("by"));
    const YamlNode *column = yaml_find(node, S("column"));
    const YamlNode *fallback = yaml_find(node, S("default"));
    if (unit != NULL && (unit->kind != YAML_SCALAR || !unit_parse(unit->text, &input->unit)))
        contract_refuse(reader, CONTRACT_REFUSAL_UNIT, unit,
                        "unknown unit \"%.*s\"; write money, count, months, days, points, score or "
                        "ratio, or a quotient such as money/months",
                        STR_ARG(str_slice(unit->text, 0, 64)));
    if (by != NULL)
        (void)!read_mask(reader, by, &input->dims);
    if (column != NULL)
        (void)contract_text(reader, column, &input->column);
    if (fallback == NULL)
        return;
    if (graph_number(reader->arena, fallback, &input->fallback))
        input->has_fallback = true;
    else
        refuse(reader, CONTRACT_REFUSAL_AMOUNT, fallback, "expected a number");
}

void contract_read_inputs(ContractReader *reader, const YamlNode *mapping)
{
    enum { INPUTS_MAX = 1000 };
    Contract *contract = reader->contract;
    if (mapping == NULL)
        return;
    if (mapping->kind != YAML_MAPPING || mapping->count > INPUTS_MAX) {
        refuse(reader, CONTRACT_REFUSAL_INPUT, mapping,
               "expected a mapping of at most 1,000 names");
        return;
    }
    ContractInput *inputs = ARENA_ZARRAY(reader->arena, ContractInput, mapping->count + 1);
    for (size_t i = 0; i < mapping->count; i++)
        read_input(reader, &mapping->items[i], &inputs[i]);
    contract->inputs = inputs;
    contract->input_count = mapping->count;
}

/* --- output --- */

void contract_read_output(ContractReader *reader, const YamlNode *mapping)
{
    enum { COLUMNS_MAX = 100 };
    Contract *contract = reader->contract;
    if (mapping == NULL)
        return;
    if (mapping->kind != YAML_MAPPING || mapping->count == 0 || mapping->count > COLUMNS_MAX) {
        refuse(reader, CONTRACT_REFUSAL_INPUT, mapping,
               "expected a mapping such as {year: year, aco: party, earned: amount-minor}");
        return;
    }
    ContractColumn *columns = ARENA_ZARRAY(reader->arena, ContractColumn, mapping->count);
    for (size_t i = 0; i < mapping->count; i++) {
        columns[i].name = mapping->items[i].key;
        (void)contract_text(reader, &mapping->items[i], &columns[i].is);
    }
    contract->columns = columns;
    contract->column_count = mapping->count;
}

/* After the clauses are known: what each column is must be something that lines have. */
void contract_check_output(ContractReader *reader, const YamlNode *mapping)
{
    static const Str plain[] = {STR_INIT("clause"), STR_INIT("amount"), STR_INIT("amount-minor"),
                                STR_INIT("reason"), STR_INIT("from")};
    const Contract *contract = reader->contract;
    StrVec words = {0};
    for (size_t i = 0; i < COUNT_OF(plain); i++)
        VEC_PUSH(reader->arena, &words, plain[i]);
    for (size_t i = 0; i < contract->dimension_count; i++)
        VEC_PUSH(reader->arena, &words, contract->dimensions[i].name);
    for (size_t i = 0; i < contract->clause_count; i++)
        for (size_t k = 0; k < contract->clauses[i].show_count; k++)
            VEC_PUSH(reader->arena, &words, contract->clauses[i].shows[k].name);
    for (size_t i = 0; i < contract->column_count; i++) {
        size_t index;
        Words all = {words.items, words.count};
        if (contract->columns[i].is.len > 0)
            (void)!contract_word(reader, &mapping->items[i], "column", all, &index);
    }
}

/*
 * Rate tables: cells told apart by attributes, which together hold everybody exactly once.
 *
 * Every attribute that some cell names is an axis with a small number of values (ages 0 to 150,
 * sexes, the gate's indicators). The table is laid out over the product of its axes: one place that
 * two cells want is an overlap, one that none wants is a gap. What remains is the look-up
 * table that settlement uses, so what was checked is what is used.
 */
#include "contract/contract_int.h"

enum { CELL_NONE = UINT16_MAX, AGE_COUNT = CONTRACT_AGE_MAX + 1 };

static const Str attribute_names[] = {
#define ATTRIBUTE(name, text, kind) STR_INIT(text),
#include "contract/attribute.def"
#undef ATTRIBUTE
};

static const Str sex_words[] = {
#define CHOICE_SEX(name, text, says) STR_INIT(text),
#include "contract/choice.def"
#undef CHOICE_SEX
};

typedef struct {
    const ContractReader *reader;
    const YamlNode *node;
    const Gate *gate; /* or NULL */
    RateTable *table;
    RateCell *cells;
    uint32_t sizes[ATTRIBUTE_COUNT]; /* values on the axis; 1 when the attribute is not used */
    uint16_t *index;
    size_t place_count;
} RateReader;

static uint32_t axis_size(const Gate *gate, Attribute attribute)
{
    switch (attribute) {
    case ATTRIBUTE_AGE:
        return AGE_COUNT;
    case ATTRIBUTE_SEX:
        return COUNT_OF(sex_words);
    case ATTRIBUTE_INDICATOR:
        return gate == NULL ? 1 : (uint32_t)gate->indicator_count;
    default:
        ASSERT(false);
    }
}

static Words attribute_words(const Gate *gate, Attribute attribute)
{
    if (attribute == ATTRIBUTE_SEX)
        return WORDS(sex_words);
    ASSERT(attribute == ATTRIBUTE_INDICATOR && gate != NULL);
    return (Words){.items = gate->indicators, .count = gate->indicator_count};
}

/* --- one cell --- */

static void read_bound(const ContractReader *reader, const YamlNode *node, Str key, int32_t *bound)
{
    const YamlNode *member = yaml_find(node, key);
    int64_t value;
    if (member == NULL || !yaml_get_int(&reader->yaml, node, key, &value))
        return;
    if (value < 0 || value > CONTRACT_AGE_MAX)
        contract_refuse(reader, CONTRACT_REFUSAL_RATE_BAND, member,
                        "age %lld; write whole years from 0 to %d, or leave \"%.*s\" out",
                        (long long)value, CONTRACT_AGE_MAX, STR_ARG(key));
    else
        *bound = (int32_t)value;
}

/* age: {from: 65, under: 75} */
static void read_age(const ContractReader *reader, const YamlNode *node, AttributeSpan *span)
{
    static const KeyRow keys[] = {
#define REQUIRED            true
#define OPTIONAL            false
#define KEY_AGE(name, need) {STR_INIT(name), need},
#include "contract/key.def"
#undef KEY_AGE
    };
    if (!contract_check_mapping(reader, node, keys, COUNT_OF(keys)))
        return;
    span->is_whole = false;
    read_bound(reader, node, S("from"), &span->from);
    read_bound(reader, node, S("under"), &span->under);
    if (span->from >= span->under)
        contract_refuse(reader, CONTRACT_REFUSAL_RATE_BAND, node,
                        "nobody's age is from %d and under %d; \"from\" belongs to the band, "
                        "\"under\" no longer does",
                        span->from, span->under);
}

/* sex: female, or a list of words. */
static void read_choice(const RateReader *rate, const YamlNode *node, Attribute attribute,
                        AttributeSpan *span)
{
    const ContractReader *reader = rate->reader;
    Str name = attribute_names[attribute];
    Words words = attribute_words(rate->gate, attribute);
    const YamlNode *items = node->kind == YAML_SEQUENCE ? node->items : node;
    size_t count = node->kind == YAML_SEQUENCE ? node->count : 1;
    const char *what = str_to_c(reader->arena, name);
    span->is_whole = false;
    span->choices = 0;
    for (size_t i = 0; i < count; i++) {
        size_t index;
        if (contract_word(reader, &items[i], what, words, &index))
            span->choices |= (uint64_t)1 << index;
    }
    if (count == 0)
        contract_refuse(reader, CONTRACT_REFUSAL_RATE_BAND, node,
                        "the list is empty; name a value or leave \"%.*s\" out", STR_ARG(name));
}

static void read_amount(const ContractReader *reader, const YamlNode *node, Decimal *amount)
{
    const Contract *contract = reader->contract;
    /* More than any fee for one unit, and small enough for 10^6 of them in 63 bits of cents. */
    const __int128 most = (__int128)1000000000 * DECIMAL_ONE;
    if (node->kind != YAML_SCALAR || node->is_quoted || !decimal_parse(node->text, amount)) {
        contract_refuse(reader, CONTRACT_REFUSAL_AMOUNT, node,
                        "expected an amount such as 2.50, without a currency or exponent");
        return;
    }
    __int128 step = 1;
    for (int32_t i = contract->rate_digits; i < DECIMAL_PLACES; i++)
        step *= 10;
    if (amount->units < 0)
        contract_refuse(reader, CONTRACT_REFUSAL_AMOUNT, node,
                        "amount %.*s is negative; what is paid back is a clause the other way "
                        "round",
                        STR_ARG(node->text));
    else if (amount->units > most)
        contract_refuse(reader, CONTRACT_REFUSAL_AMOUNT, node,
                        "amount %.*s is more than 1,000,000,000", STR_ARG(node->text));
    else if (amount->units % step != 0)
        contract_refuse(reader, CONTRACT_REFUSAL_AMOUNT, node,
                        "amount %.*s has more than %d digits behind the point; shorten it, or "
                        "write rounding: {rate-digits: N} for rates finer than %s has coins",
                        STR_ARG(node->text), contract->rate_digits, contract->currency.code);
}

static void cell_init(RateCell *cell, const YamlNode *node)
{
    cell->line = node->line;
    cell->column = node->column;
    for (int i = 0; i < ATTRIBUTE_COUNT; i++)
        cell->spans[i] =
            (AttributeSpan){.is_whole = true, .from = 0, .under = AGE_COUNT, .choices = UINT64_MAX};
}

static void read_cell(RateReader *rate, const YamlNode *node, RateCell *cell)
{
    const ContractReader *reader = rate->reader;
    KeyRow keys[ATTRIBUTE_COUNT + 1];
    size_t key_count = 0;
    keys[key_count++] = (KeyRow){.name = S("amount"), .is_required = true};
    for (int i = 0; i < ATTRIBUTE_COUNT; i++)
        if (i != ATTRIBUTE_INDICATOR || rate->gate != NULL)
            keys[key_count++] = (KeyRow){.name = attribute_names[i]};
    if (!contract_check_mapping(reader, node, keys, key_count))
        return;
    for (int i = 0; i < ATTRIBUTE_COUNT; i++) {
        const YamlNode *member = yaml_find(node, attribute_names[i]);
        if (member == NULL || (i == ATTRIBUTE_INDICATOR && rate->gate == NULL))
            continue;
        rate->table->uses[i] = true;
        if (i == ATTRIBUTE_AGE)
            read_age(reader, member, &cell->spans[i]);
        else
            read_choice(rate, member, (Attribute)i, &cell->spans[i]);
    }
}

/* --- labels --- */

static void add_range(StrBuf *out, int32_t from, int32_t under)
{
    if (under == AGE_COUNT && from == 0)
        strbuf_add(out, S("any age"));
    else if (under == AGE_COUNT)
        strbuf_printf(out, "age from %d", from);
    else if (from == 0)
        strbuf_printf(out, "age under %d", under);
    else if (under == from + 1)
        strbuf_printf(out, "age %d", from);
    else
        strbuf_printf(out, "age %d to %d", from, under - 1);
}

static void add_choices(StrBuf *out, uint64_t choices, Words words)
{
    const char *between = "";
    for (size_t i = 0; i < words.count; i++) {
        if ((choices >> i & 1) == 0)
            continue;
        strbuf_printf(out, "%s%.*s", between, STR_ARG(words.items[i]));
        between = " or ";
    }
}

static Str cell_label(const RateReader *rate, const RateCell *cell)
{
    StrBuf out;
    strbuf_init(&out, rate->reader->arena, 0);
    for (int i = 0; i < ATTRIBUTE_COUNT; i++) {
        const AttributeSpan *span = &cell->spans[i];
        if (span->is_whole)
            continue;
        if (out.len > 0)
            strbuf_add(&out, S(", "));
        if (i == ATTRIBUTE_AGE)
            add_range(&out, span->from, span->under);
        else
            add_choices(&out, span->choices, attribute_words(rate->gate, (Attribute)i));
    }
    return out.len == 0 ? S("everyone") : strbuf_str(&out);
}

/* --- the whole table --- */

/* The values of a place in the product of the axes. */
static void place_values(const RateReader *rate, size_t place, int32_t values[ATTRIBUTE_COUNT])
{
    for (int i = 0; i < ATTRIBUTE_COUNT; i++)
        values[i] = (int32_t)(place / rate->table->strides[i] % rate->sizes[i]);
}

static bool cell_holds(const RateCell *cell, const RateTable *table,
                       const int32_t values[ATTRIBUTE_COUNT])
{
    for (int i = 0; i < ATTRIBUTE_COUNT; i++) {
        const AttributeSpan *span = &cell->spans[i];
        if (!table->uses[i])
            continue;
        bool is_in = i == ATTRIBUTE_AGE ? values[i] >= span->from && values[i] < span->under
                                        : (span->choices >> values[i] & 1) != 0;
        if (!is_in)
            return false;
    }
    return true;
}

/* Takes the cell's places; the first one that is taken already is an overlap. */
static void lay_cell(RateReader *rate, size_t number)
{
    RateTable *table = rate->table;
    bool is_told = false;
    for (size_t place = 0; place < rate->place_count; place++) {
        int32_t values[ATTRIBUTE_COUNT];
        place_values(rate, place, values);
        const RateCell *cell = &rate->cells[number];
        if (!cell_holds(cell, table, values))
            continue;
        if (rate->index[place] == CELL_NONE) {
            rate->index[place] = (uint16_t)number;
        } else if (!is_told) {
            const RateCell *other = &rate->cells[rate->index[place]];
            contract_refuse(rate->reader, CONTRACT_REFUSAL_RATE_OVERLAP, &rate->node->items[number],
                            "\"%.*s\" overlaps \"%.*s\" in line %u; a person may be in one cell "
                            "only",
                            STR_ARG(cell->label), STR_ARG(other->label), other->line);
            is_told = true;
        }
    }
}

/* Whether ages a and b lack a rate for the same values of the other attributes, and how many.
   Age is the innermost axis where it is one. */
static size_t gaps_at_age(const RateReader *rate, size_t age, size_t ages, uint64_t *ret_hash)
{
    size_t count = 0;
    uint64_t hash = 0;
    for (size_t place = age, i = 0; place < rate->place_count; place += ages, i++) {
        if (rate->index[place] != CELL_NONE)
            continue;
        count++;
        hash = (hash ^ (i + 1)) * 0x9E3779B97F4A7C15u;
    }
    *ret_hash = hash;
    return count;
}

static void tell_gap(const RateReader *rate, size_t from, size_t under, size_t ages)
{
    StrBuf out;
    strbuf_init(&out, rate->reader->arena, 0);
    if (rate->table->uses[ATTRIBUTE_AGE])
        add_range(&out, (int32_t)from, (int32_t)under);
    uint64_t hash;
    size_t missing = gaps_at_age(rate, from, ages, &hash);
    size_t combinations = rate->place_count / ages;
    size_t place = from;
    while (rate->index[place] != CELL_NONE)
        place += ages;
    int32_t values[ATTRIBUTE_COUNT];
    place_values(rate, place, values);
    for (int i = 0; missing < combinations && i < ATTRIBUTE_COUNT; i++) {
        if (i == ATTRIBUTE_AGE || !rate->table->uses[i])
            continue;
        Words words = attribute_words(rate->gate, (Attribute)i);
        strbuf_printf(&out, "%s%.*s %.*s", out.len > 0 ? ", " : "", STR_ARG(attribute_names[i]),
                      STR_ARG(words.items[values[i]]));
    }
    if (missing > 1 && missing < combinations)
        strbuf_printf(&out, " and %zu more like it", missing - 1);
    contract_refuse(rate->reader, CONTRACT_REFUSAL_RATE_GAP, rate->node,
                    "no rate for %.*s; add a cell (amount: 0 where nothing is paid)",
                    STR_ARG(strbuf_str(&out)));
}

/* One finding for each run of ages that lack the same. */
static void check_gaps(const RateReader *rate)
{
    size_t ages = rate->sizes[ATTRIBUTE_AGE];
    size_t age = 0;
    while (age < ages) {
        uint64_t hash;
        size_t count = gaps_at_age(rate, age, ages, &hash);
        size_t under = age + 1;
        uint64_t next_hash;
        while (under < ages && gaps_at_age(rate, under, ages, &next_hash) == count &&
               next_hash == hash)
            under++;
        if (count > 0)
            tell_gap(rate, age, under, ages);
        age = under;
    }
}

static void lay_table(RateReader *rate)
{
    RateTable *table = rate->table;
    /* Age innermost, so that check_gaps can step over it. */
    static const Attribute order[] = {ATTRIBUTE_AGE, ATTRIBUTE_SEX, ATTRIBUTE_INDICATOR};
    size_t places = 1;
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        Attribute attribute = order[i];
        rate->sizes[attribute] = table->uses[attribute] ? axis_size(rate->gate, attribute) : 1;
        table->strides[attribute] = (uint32_t)places;
        places *= rate->sizes[attribute];
    }
    rate->place_count = places;
    rate->index = ARENA_ARRAY(rate->reader->arena, uint16_t, places);
    memset(rate->index, 0xFF, places * sizeof(uint16_t));
    for (size_t i = 0; i < table->cell_count; i++)
        lay_cell(rate, i);
    check_gaps(rate);
    table->index = rate->index;
}

void contract_read_rate(const ContractReader *reader, const YamlNode *node, const Gate *gate,
                        RateTable *table)
{
    RateReader rate = {.reader = reader, .node = node, .gate = gate, .table = table};
    bool is_list = node->kind == YAML_SEQUENCE;
    size_t count = is_list ? node->count : 1;
    size_t errors = reader->yaml.diags->counts[SEVERITY_ERROR];
    if (node->kind == YAML_MAPPING || count == 0) {
        yaml_error(&reader->yaml, node, "expected an amount, or a list of cells with amounts");
        return;
    }
    if (count > CONTRACT_RATE_CELLS_MAX) {
        contract_refuse(reader, CONTRACT_REFUSAL_LIMIT, node, "more than %d cells",
                        CONTRACT_RATE_CELLS_MAX);
        return;
    }
    rate.cells = ARENA_ZARRAY(reader->arena, RateCell, count);
    for (size_t i = 0; i < count; i++) {
        cell_init(&rate.cells[i], is_list ? &node->items[i] : node);
        if (is_list)
            read_cell(&rate, &node->items[i], &rate.cells[i]);
    }
    table->cells = rate.cells;
    table->cell_count = count;
    /* With a bound missing or misspelt, gaps would be told that are none. */
    if (reader->yaml.diags->counts[SEVERITY_ERROR] == errors) {
        for (size_t i = 0; i < count; i++)
            rate.cells[i].label = cell_label(&rate, &rate.cells[i]);
        lay_table(&rate);
    }
    for (size_t i = 0; i < count; i++) {
        const YamlNode *amount = is_list ? yaml_find(&node->items[i], S("amount")) : node;
        if (amount != NULL)
            read_amount(reader, amount, &rate.cells[i].amount);
    }
}

size_t rate_cell(const RateTable *table, const int32_t values[ATTRIBUTE_COUNT])
{
    size_t place = 0;
    for (int i = 0; i < ATTRIBUTE_COUNT; i++) {
        if (!table->uses[i])
            continue;
        int32_t value = values[i];
        ASSERT(value >= 0);
        if (i == ATTRIBUTE_AGE && value > CONTRACT_AGE_MAX)
            value = CONTRACT_AGE_MAX;
        place += table->strides[i] * (size_t)value;
    }
    size_t cell = table->index[place];
    ASSERT(cell < table->cell_count);
    return cell;
}

/* Inputs of a contract from tables: TSV or CSV, one value a line or one input a column. */
#include "settle/settle.h"

enum { COLUMNS_MAX = 1000, KEY_BYTES_MAX = 200 };

typedef enum { COLUMN_UNUSED, COLUMN_KEY, COLUMN_INPUT, COLUMN_INPUT_NAME, COLUMN_VALUE } ColumnIs;

typedef struct {
    Str name;
    ColumnIs is;
    bool is_dimension;
    size_t dimension;
    size_t input;
} Column;

typedef struct {
    Arena *arena;
    const Contract *contract;
    ContractFacts *facts;
    DiagList *diags;
    Str file;
    Str rest;
    uint32_t line;
    char separator;
    Column columns[COLUMNS_MAX];
    size_t column_count;
    bool is_long;
    size_t key_columns[DIMENSIONS_MAX]; /* by dimension: SIZE_MAX is none */
    Str cells[COLUMNS_MAX];
    size_t cell_count;
    bool *seen_inputs; /* by input: some table has it */
} TableReader;

static void refuse(TableReader *reader, size_t column, const char *rule, Str text)
{
    Diag diag = {.severity = SEVERITY_ERROR,
                 .line = reader->line,
                 .rule = str_from_c(rule),
                 .file = reader->file,
                 .text = text};
    if (column < reader->column_count)
        diag.path = reader->columns[column].name;
    diag_add(reader->diags, &diag);
}

/* --- lines and cells --- */

static bool next_line(TableReader *reader, Str *ret_line)
{
    if (reader->rest.len == 0)
        return false;
    size_t end = str_find_char(reader->rest, '\n');
    *ret_line = str_slice(reader->rest, 0, end);
    reader->rest = end == SIZE_MAX ? S("") : str_slice(reader->rest, end + 1, SIZE_MAX);
    if (ret_line->len > 0 && ret_line->ptr[ret_line->len - 1] == '\r')
        ret_line->len--;
    reader->line++;
    return true;
}

/* A cell of CSV in quotes; *line goes behind it. */
static bool quoted_cell(TableReader *reader, Str *line, Str *ret_cell)
{
    StrBuf text;
    strbuf_init(&text, reader->arena, 0);
    size_t at = 1;
    for (; at < line->len; at++) {
        bool is_quote = line->ptr[at] == '"';
        if (is_quote && (at + 1 >= line->len || line->ptr[at + 1] != '"'))
            break;
        at += is_quote;
        strbuf_add_char(&text, line->ptr[at]);
    }
    if (at >= line->len)
        return false;
    *ret_cell = strbuf_str(&text);
    *line = str_slice(*line, at + 1, SIZE_MAX);
    return line->len == 0 || line->ptr[0] == ',';
}

static bool split(TableReader *reader, Str line)
{
    reader->cell_count = 0;
    for (bool more = true; more;) {
        Str cell;
        if (reader->cell_count == COLUMNS_MAX) {
            refuse(reader, SIZE_MAX, "table-limit", S("more than 1,000 columns"));
            return false;
        }
        if (reader->separator == ',' && line.len > 0 && line.ptr[0] == '"') {
            if (!quoted_cell(reader, &line, &cell)) {
                refuse(reader, SIZE_MAX, "table-quote", S("a quoted cell does not end"));
                return false;
            }
            more = line.len > 0;
            line = str_slice(line, more, SIZE_MAX);
        } else {
            size_t end = str_find_char(line, reader->separator);
            cell = str_slice(line, 0, end);
            more = end != SIZE_MAX;
            line = more ? str_slice(line, end + 1, SIZE_MAX) : S("");
        }
        reader->cells[reader->cell_count++] = str_trim(cell);
    }
    return true;
}

/* --- the head --- */

static void find_column(TableReader *reader, Column *column)
{
    const Contract *contract = reader->contract;
    for (size_t i = 0; i < contract->dimension_count; i++) {
        if (i == DIMENSION_YEAR || !str_eq(contract->dimensions[i].column, column->name))
            continue;
        column->is = COLUMN_KEY;
        column->is_dimension = true;
        column->dimension = i;
        return;
    }
    if (reader->is_long) {
        if (str_eq(column->name, S("input")))
            column->is = COLUMN_INPUT_NAME;
        else if (str_eq(column->name, S("value")))
            column->is = COLUMN_VALUE;
        return;
    }
    for (size_t i = 0; i < contract->input_count; i++) {
        if (!str_eq(contract->inputs[i].column, column->name))
            continue;
        column->is = COLUMN_INPUT;
        column->input = i;
        reader->seen_inputs[i] = true;
        return;
    }
}

static bool has_cell(const TableReader *reader, Str text)
{
    for (size_t i = 0; i < reader->cell_count; i++)
        if (str_eq(reader->cells[i], text))
            return true;
    return false;
}

static bool read_head(TableReader *reader)
{
    Str line;
    if (str_starts_with(reader->rest, S("\xEF\xBB\xBF")))
        reader->rest = str_slice(reader->rest, 3, SIZE_MAX);
    do {
        if (!next_line(reader, &line)) {
            refuse(reader, SIZE_MAX, "table-head",
                   S("the table is empty; its first line names "
                     "the columns"));
            return false;
        }
    } while (line.len == 0 || line.ptr[0] == '#');
    reader->separator = str_find_char(line, '\t') != SIZE_MAX ? '\t' : ',';
    if (!split(reader, line))
        return false;
    reader->is_long = has_cell(reader, S("input")) && has_cell(reader, S("value"));
    for (size_t i = 0; i < DIMENSIONS_MAX; i++)
        reader->key_columns[i] = SIZE_MAX;
    for (size_t i = 0; i < reader->cell_count; i++) {
        Column *column = &reader->columns[i];
        *column = (Column){.name = str_copy(reader->arena, reader->cells[i])};
        for (size_t k = 0; k < i; k++)
            if (column->name.len > 0 && str_eq(reader->columns[k].name, column->name)) {
                refuse(reader, SIZE_MAX, "table-head",
                       str_format(reader->arena, "there are two columns \"%.*s\"",
                                  STR_ARG(column->name)));
                return false;
            }
        find_column(reader, column);
        if (column->is_dimension)
            reader->key_columns[column->dimension] = i;
    }
    reader->column_count = reader->cell_count;
    return true;
}

/* --- keys --- */

static bool single_days(Str text, int32_t *ret_first, int32_t *ret_last)
{
    int64_t year;
    int64_t part;
    if (text.len < 4 || !str_to_int64(str_slice(text, 0, 4), &year) || year < 1 || year > 9998)
        return false;
    int32_t start = day_from_date((int32_t)year, 1, 1);
    Str rest = str_slice(text, 4, SIZE_MAX);
    if (rest.len == 0) {
        *ret_first = start;
        *ret_last = day_add_months(start, 12) - 1;
        return true;
    }
    if (rest.len == 3 && str_starts_with(rest, S("-Q")) && rest.ptr[2] >= '1' &&
        rest.ptr[2] <= '4') {
        *ret_first = day_add_months(start, (rest.ptr[2] - '1') * 3);
        *ret_last = day_add_months(*ret_first, 3) - 1;
        return true;
    }
    if (rest.len == 3 && rest.ptr[0] == '-' && str_to_int64(str_slice(rest, 1, 2), &part) &&
        part >= 1 && part <= 12) {
        *ret_first = day_add_months(start, (int32_t)part - 1);
        *ret_last = day_add_months(*ret_first, 1) - 1;
        return true;
    }
    if (!day_parse(text, ret_first))
        return false;
    *ret_last = *ret_first;
    return true;
}

/* First and last day that a period's text means: 2013, 2013-04, 2013-Q2, 2013-04-30, and two of
   them with .. between. */
static bool period_days(Str text, int32_t *ret_first, int32_t *ret_last)
{
    size_t dots = str_find(text, S(".."));
    if (dots != SIZE_MAX) {
        int32_t unused;
        Str to = str_slice(text, dots + 2, SIZE_MAX);
        return str_find(to, S("..")) == SIZE_MAX &&
               single_days(str_slice(text, 0, dots), ret_first, &unused) &&
               single_days(to, &unused, ret_last) && *ret_first <= *ret_last;
    }
    return single_days(text, ret_first, ret_last);
}

static bool check_period(TableReader *reader, size_t column, Str text)
{
    const Contract *contract = reader->contract;
    int32_t first;
    int32_t last;
    if (!period_days(text, &first, &last)) {
        refuse(reader, column, "table-period",
               str_format(reader->arena,
                          "\"%.*s\" is no period; write 2013, 2013-04, 2013-Q2, 2013-04-30 or "
                          "2013-04..2014-03",
                          STR_ARG(str_slice(text, 0, 64))));
        return false;
    }
    if (first >= contract->first_day && last <= contract->last_day)
        return true;
    Str from = day_format(reader->arena, contract->first_day);
    Str to = day_format(reader->arena, contract->last_day);
    refuse(reader, column, "table-period",
           str_format(reader->arena, "%.*s is not within the contract's period, %.*s to %.*s",
                      STR_ARG(text), STR_ARG(from), STR_ARG(to)));
    return false;
}

static bool check_word(TableReader *reader, size_t column, const Dimension *dimension, Str text)
{
    for (size_t i = 0; i < dimension->word_count; i++)
        if (str_eq(dimension->words[i], text))
            return true;
    const Str *nearest = yaml_nearest_name(text, dimension->words, dimension->word_count);
    refuse(reader, column, "table-word",
           str_format(reader->arena, "unknown %.*s \"%.*s\"%s%.*s%s", STR_ARG(dimension->name),
                      STR_ARG(str_slice(text, 0, 64)), nearest != NULL ? "; did you mean \"" : "",
                      nearest != NULL ? (int)nearest->len : 0, nearest != NULL ? nearest->ptr : "",
                      nearest != NULL ? "\"?" : "; the contract's dimensions name its words"));
    return false;
}

static bool check_name(TableReader *reader, size_t column, Str text)
{
    bool is_plain = text.len <= KEY_BYTES_MAX;
    for (size_t i = 0; i < text.len && is_plain; i++)
        is_plain = (unsigned char)text.ptr[i] >= 0x20 && text.ptr[i] != 0x7F;
    if (!is_plain)
        refuse(reader, column, "table-key",
               S("a key has at most 200 bytes and no control characters"));
    return is_plain;
}

/* The number of a key's part. */
static bool read_part(TableReader *reader, size_t number, int32_t *ret_value)
{
    const Dimension *dimension = &reader->contract->dimensions[number];
    size_t column = reader->key_columns[number];
    Str text = reader->cells[column];
    int64_t value;
    for (size_t i = 0; i < dimension->alias_count; i++) {
        if (str_eq(dimension->aliases[i], text)) {
            text = dimension->alias_words[i];
            break;
        }
    }
    if (dimension->kind == DIMENSION_RANGE) {
        if (!str_to_int64(text, &value) || value < dimension->from || value >= dimension->under) {
            refuse(reader, column, "table-number",
                   str_format(reader->arena, "\"%.*s\" is no whole number from %d to %d",
                              STR_ARG(str_slice(text, 0, 64)), dimension->from,
                              dimension->under - 1));
            return false;
        }
        *ret_value = (int32_t)value;
        return true;
    }
    if (!check_name(reader, column, text) ||
        (dimension->kind == DIMENSION_CHOICE && !check_word(reader, column, dimension, text)) ||
        (number == DIMENSION_PERIOD && !check_period(reader, column, text)))
        return false;
    *ret_value = contract_facts_symbol(reader->facts, text);
    return true;
}

typedef enum { KEY_READ, KEY_INCOMPLETE, KEY_WRONG } KeyRead;

static KeyRead read_key(TableReader *reader, DimensionMask dims, int32_t *ret_key,
                        size_t *ret_missing)
{
    size_t width = 0;
    for (size_t i = 0; i < reader->contract->dimension_count; i++) {
        if ((dims & dimension_bit(i)) == 0)
            continue;
        size_t column = reader->key_columns[i];
        if (column == SIZE_MAX || reader->cells[column].len == 0) {
            *ret_missing = i;
            return KEY_INCOMPLETE;
        }
        if (!read_part(reader, i, &ret_key[width++]))
            return KEY_WRONG;
    }
    return KEY_READ;
}

/* --- values --- */

static bool read_number(TableReader *reader, size_t column, const ContractInput *input,
                        Ratio *ret_value)
{
    Str text = reader->cells[column];
    if (!ratio_parse(reader->arena, text, ret_value)) {
        refuse(reader, column, "table-number",
               str_format(reader->arena,
                          "\"%.*s\" is no finite number such as 1234.50, without grouping",
                          STR_ARG(str_slice(text, 0, 64))));
        return false;
    }
    bool is_quantity = unit_eq(input->unit, unit_of(UNIT_BASE_COUNT)) ||
                       unit_eq(input->unit, unit_of(UNIT_BASE_MONTHS)) ||
                       unit_eq(input->unit, unit_of(UNIT_BASE_DAYS));
    if (is_quantity && ratio_sign(*ret_value) < 0) {
        refuse(
            reader, column, "table-number",
            str_format(reader->arena, "%.*s is negative, and counts what is there", STR_ARG(text)));
        return false;
    }
    return true;
}

static void tell_twice(TableReader *reader, size_t column, Str name)
{
    refuse(reader, column, "table-twice",
           str_format(reader->arena, "another value of \"%.*s\" for the same key; there may be one",
                      STR_ARG(name)));
}

static void add_value(TableReader *reader, size_t number, size_t column)
{
    const ContractInput *input = &reader->contract->inputs[number];
    int32_t key[DIMENSIONS_MAX];
    size_t missing = 0;
    Ratio value;
    KeyRead read = read_key(reader, input->dims, key, &missing);
    if (read == KEY_INCOMPLETE)
        refuse(reader, column, "table-key",
               str_format(reader->arena, "\"%.*s\" needs a %.*s, which is not given",
                          STR_ARG(input->name),
                          STR_ARG(reader->contract->dimensions[missing].name)));
    if (read != KEY_READ || !read_number(reader, column, input, &value))
        return;
    FactAdded added = contract_facts_add(reader->facts, number, key, value);
    /* In a table with a column for each input, what is told apart by less is there more than once.
     */
    if (added == FACT_DIFFERENT || (added == FACT_SAME && reader->is_long))
        tell_twice(reader, column, input->name);
}

static void add_attributes(TableReader *reader)
{
    const Contract *contract = reader->contract;
    for (size_t i = 0; i < contract->dimension_count; i++) {
        int32_t key[DIMENSIONS_MAX];
        size_t missing;
        int32_t value;
        size_t column = reader->key_columns[i];
        if (contract->dimensions[i].of == 0 || column == SIZE_MAX ||
            reader->cells[column].len == 0 ||
            read_key(reader, contract->dimensions[i].of, key, &missing) != KEY_READ ||
            !read_part(reader, i, &value))
            continue;
        if (contract_facts_add_attribute(reader->facts, i, key, value) == FACT_DIFFERENT)
            tell_twice(reader, column, contract->dimensions[i].name);
    }
}

static void read_long_row(TableReader *reader)
{
    const Contract *contract = reader->contract;
    size_t name_column = 0;
    size_t value_column = 0;
    for (size_t i = 0; i < reader->column_count; i++) {
        if (reader->columns[i].is == COLUMN_INPUT_NAME)
            name_column = i;
        if (reader->columns[i].is == COLUMN_VALUE)
            value_column = i;
    }
    Str name = reader->cells[name_column];
    Str *names = ARENA_ARRAY(reader->arena, Str, contract->input_count + 1);
    for (size_t i = 0; i < contract->input_count; i++) {
        names[i] = contract->inputs[i].name;
        if (!str_eq(names[i], name))
            continue;
        reader->seen_inputs[i] = true;
        if (reader->cells[value_column].len > 0)
            add_value(reader, i, value_column);
        return;
    }
    const Str *nearest = yaml_nearest_name(name, names, contract->input_count);
    refuse(reader, name_column, "table-input",
           str_format(reader->arena, "the contract has no input \"%.*s\"%s%.*s%s",
                      STR_ARG(str_slice(name, 0, 64)), nearest != NULL ? "; did you mean \"" : "",
                      nearest != NULL ? (int)nearest->len : 0, nearest != NULL ? nearest->ptr : "",
                      nearest != NULL ? "\"?" : ""));
}

static void read_rows(TableReader *reader)
{
    Str line;
    while (next_line(reader, &line)) {
        if (line.len == 0 || line.ptr[0] == '#' || !split(reader, line))
            continue;
        if (reader->cell_count != reader->column_count) {
            refuse(reader, SIZE_MAX, "table-columns",
                   str_format(reader->arena, "%zu cells, and the head has %zu", reader->cell_count,
                              reader->column_count));
            continue;
        }
        add_attributes(reader);
        if (reader->is_long) {
            read_long_row(reader);
            continue;
        }
        for (size_t i = 0; i < reader->column_count; i++)
            if (reader->columns[i].is == COLUMN_INPUT && reader->cells[i].len > 0)
                add_value(reader, reader->columns[i].input, i);
    }
}

ErrorCode settle_read_tables(const Contract *contract, const SettleTable *tables, size_t count,
                             ContractFacts *facts, DiagList *diags)
{
    size_t errors = diags->counts[SEVERITY_ERROR];
    Arena *arena = arena_create(0);
    TableReader *reader = ARENA_NEW(arena, TableReader);
    bool *seen = ARENA_ZARRAY(arena, bool, contract->input_count + 1);
    for (size_t i = 0; i < count; i++) {
        *reader = (TableReader){.arena = contract_facts_arena(facts),
                                .contract = contract,
                                .facts = facts,
                                .diags = diags,
                                .file = tables[i].name,
                                .rest = tables[i].text,
                                .seen_inputs = seen};
        if (read_head(reader))
            read_rows(reader);
    }
    for (size_t i = 0; i < contract->input_count; i++)
        if (!seen[i])
            diag_addf(diags,
                      (Diag){.severity = contract->inputs[i].has_fallback ? SEVERITY_WARNING
                                                                          : SEVERITY_ERROR,
                             .rule = S("table-input"),
                             .path = contract->inputs[i].name},
                      "no table has the input \"%.*s\"; give it a column of that name%s",
                      STR_ARG(contract->inputs[i].name),
                      contract->inputs[i].has_fallback ? " (its default is taken)" : "");
    arena_destroy(arena);
    return diags->counts[SEVERITY_ERROR] == errors ? ERR_OK : ERR_REFUSED;
}

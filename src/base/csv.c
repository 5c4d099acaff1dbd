#include "base/csv.h"

typedef struct {
    Arena *arena;
    DiagList *diags;
    Str file;
    Str text;
    size_t at;
    uint32_t line;
    char separator;
    bool is_ok;
} CsvReader;

typedef Vec(Str) CellVec;

static void refuse(CsvReader *reader, uint32_t line, const char *rule, Str text)
{
    diag_add(reader->diags, &(Diag){.severity = SEVERITY_ERROR,
                                    .line = line,
                                    .rule = str_from_c(rule),
                                    .file = reader->file,
                                    .text = text});
    reader->is_ok = false;
}

static bool is_at_end(const CsvReader *reader)
{
    return reader->at >= reader->text.len;
}

static char peek(const CsvReader *reader)
{
    return reader->text.ptr[reader->at];
}

/* Steps over one line end, of either kind. */
static bool skip_line_end(CsvReader *reader)
{
    if (is_at_end(reader) || (peek(reader) != '\r' && peek(reader) != '\n'))
        return false;
    if (peek(reader) == '\r' && reader->at + 1 < reader->text.len &&
        reader->text.ptr[reader->at + 1] == '\n')
        reader->at++;
    reader->at++;
    reader->line++;
    return true;
}

static size_t line_length(const CsvReader *reader)
{
    size_t end = reader->at;
    while (end < reader->text.len && reader->text.ptr[end] != '\n' && reader->text.ptr[end] != '\r')
        end++;
    return end - reader->at;
}

/* Comments and empty lines before the header; the separator is then told from it. */
static void find_header(CsvReader *reader)
{
    if (str_starts_with(reader->text, S("\xEF\xBB\xBF")))
        reader->at = 3;
    while (!is_at_end(reader)) {
        size_t length = line_length(reader);
        if (length > 0 && peek(reader) != '#')
            break;
        reader->at += length;
        (void)skip_line_end(reader);
    }
    Str header = str_slice(reader->text, reader->at, line_length(reader));
    static const char separators[] = {'\t', ';', ','};
    reader->separator = ',';
    for (size_t i = 0; i < COUNT_OF(separators); i++) {
        if (str_find_char(header, separators[i]) != SIZE_MAX) {
            reader->separator = separators[i];
            return;
        }
    }
}

/* A quoted cell, from its opening quote on. */
static Str read_quoted(CsvReader *reader)
{
    uint32_t line = reader->line;
    StrBuf cell;
    strbuf_init(&cell, reader->arena, LIMIT_DOCUMENT_BYTES);
    reader->at++;
    while (!is_at_end(reader)) {
        char c = peek(reader);
        reader->at++;
        if (c == '"' && (is_at_end(reader) || peek(reader) != '"'))
            return strbuf_str(&cell);
        if (c == '"')
            reader->at++;
        if (c == '\n')
            reader->line++;
        strbuf_add_char(&cell, c);
    }
    refuse(reader, line, "csv-quote", S("a quoted cell begins here and is never closed"));
    return strbuf_str(&cell);
}

static Str read_cell(CsvReader *reader)
{
    Str cell = {0};
    if (!is_at_end(reader) && peek(reader) == '"') {
        cell = read_quoted(reader);
        if (is_at_end(reader) || peek(reader) == reader->separator || peek(reader) == '\n' ||
            peek(reader) == '\r')
            return cell;
        refuse(reader, reader->line, "csv-quote",
               S("text behind a closing quote: expected a separator or the end of the line"));
    }
    size_t begin = reader->at;
    while (!is_at_end(reader) && peek(reader) != reader->separator && peek(reader) != '\n' &&
           peek(reader) != '\r')
        reader->at++;
    return cell.len > 0 ? cell : str_slice(reader->text, begin, reader->at - begin);
}

static CellVec read_row(CsvReader *reader)
{
    CellVec cells = {0};
    for (;;) {
        Str cell = read_cell(reader);
        VEC_PUSH(reader->arena, &cells, cell);
        if (is_at_end(reader) || peek(reader) != reader->separator)
            break;
        reader->at++;
    }
    (void)skip_line_end(reader);
    return cells;
}

static void read_header(CsvReader *reader, CsvTable *table)
{
    table->line = reader->line;
    if (is_at_end(reader)) {
        refuse(reader, reader->line, "csv-header", S("there is no header: the table is empty"));
        return;
    }
    CellVec names = read_row(reader);
    Map seen;
    map_init(&seen, reader->arena);
    for (size_t i = 0; i < names.count; i++) {
        names.items[i] = str_trim(names.items[i]);
        if (map_has(&seen, names.items[i]))
            refuse(
                reader, table->line, "csv-header",
                str_format(reader->arena, "column '%.*s' is named twice", STR_ARG(names.items[i])));
        map_put(&seen, names.items[i], i);
    }
    table->columns = names.items;
    table->column_count = names.count;
}

bool csv_parse(Arena *arena, Str text, Str file, DiagList *diags, CsvTable *ret_table)
{
    CsvReader reader = {
        .arena = arena, .diags = diags, .file = file, .text = text, .line = 1, .is_ok = true};
    Vec(CsvRow) rows = {0};
    *ret_table = (CsvTable){.file = file};
    if (str_find_char(text, '\0') != SIZE_MAX) {
        refuse(&reader, 0, "csv-zero-byte", S("there is a zero byte in it: this is no text"));
        return false;
    }
    find_header(&reader);
    ret_table->separator = reader.separator;
    read_header(&reader, ret_table);
    while (!is_at_end(&reader)) {
        if (skip_line_end(&reader))
            continue;
        uint32_t line = reader.line;
        CellVec cells = read_row(&reader);
        if (cells.count == ret_table->column_count)
            VEC_PUSH(arena, &rows, (CsvRow){.cells = cells.items, .line = line});
        else
            refuse(&reader, line, "csv-cells",
                   str_format(arena, "%zu cells where the header has %zu", cells.count,
                              ret_table->column_count));
    }
    ret_table->rows = rows.items;
    ret_table->row_count = rows.count;
    return reader.is_ok;
}

bool csv_find(const CsvTable *table, Str name, size_t *ret_column)
{
    for (size_t i = 0; i < table->column_count; i++) {
        if (str_eq(table->columns[i], name)) {
            *ret_column = i;
            return true;
        }
    }
    return false;
}

bool csv_require(const CsvTable *table, Str name, DiagList *diags, size_t *ret_column)
{
    if (csv_find(table, name, ret_column))
        return true;
    StrBuf list;
    strbuf_init(&list, diags->arena, 0);
    for (size_t i = 0; i < table->column_count; i++)
        strbuf_printf(&list, "%s'%.*s'", i > 0 ? ", " : "", STR_ARG(table->columns[i]));
    diag_addf(diags,
              (Diag){.severity = SEVERITY_ERROR,
                     .line = table->line,
                     .rule = S("csv-column"),
                     .file = table->file},
              "there is no column '%.*s'; there are %.*s", STR_ARG(name),
              STR_ARG(strbuf_str(&list)));
    return false;
}

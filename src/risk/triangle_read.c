/* Triangles from tables: labels to numbers of months or ages, cells to their places. */
#include "risk/triangle.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

/* More cells than any triangle that people reserve with: 1,000 origins of 1,000 ages. */
enum { CELLS_MAX = 1000000 };

typedef struct {
    int64_t number; /* of a date: months since the year 0; else as it stands */
    bool is_date;
} Label;

typedef struct {
    Label origin;
    Label development;
    Str origin_text;
    double amount;
    uint32_t line;
} Cell;

typedef struct {
    Arena *arena;
    DiagList *diags;
    const CsvTable *table;
    bool is_ok;
    Vec(Cell) cells;
} Reader;

static void refuse(Reader *reader, uint32_t line, const char *rule, Str text)
{
    diag_add(reader->diags, &(Diag){.severity = SEVERITY_ERROR,
                                    .line = line,
                                    .rule = str_from_c(rule),
                                    .file = reader->table->file,
                                    .text = text});
    reader->is_ok = false;
}

/* The only places where text becomes a double: amounts of estimates. Digits, point, exponent. */
static bool parse_amount(Arena *arena, Str text, double *ret_amount)
{
    if (text.len == 0 || text.len > 64)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!isdigit((unsigned char)text.ptr[i]) &&
            str_find_char(S("+-.eE"), text.ptr[i]) == SIZE_MAX)
            return false;
    const char *begin = str_to_c(arena, text);
    char *end;
    *ret_amount = strtod(begin, &end);
    return end == begin + text.len && isfinite(*ret_amount);
}

/* "2020-03", "2020-Q1", "2020-03-31" in months; "7", "2020", "2020.0" as the number that it is. */
static bool parse_label(Str text, Label *ret_label)
{
    Str rest = str_ends_with(text, S(".0")) ? str_slice(text, 0, text.len - 2) : text;
    Str part;
    int64_t parts[3] = {0, 1, 1};
    size_t count = 0;
    bool is_quarter = false;
    *ret_label = (Label){0};
    if (str_to_int64(rest, &ret_label->number))
        return ret_label->number > -1000000 && ret_label->number < 1000000;
    while (count < 3 && !is_quarter && str_split_next(&rest, '-', &part)) {
        is_quarter = count == 1 && part.len == 2 && (part.ptr[0] == 'Q' || part.ptr[0] == 'q');
        if (!str_to_int64(is_quarter ? str_slice(part, 1, 1) : part, &parts[count++]))
            return false;
    }
    if (rest.ptr != NULL || count < 2 || parts[0] < 1 || parts[0] > 9999 || parts[1] < 1 ||
        parts[1] > (is_quarter ? 4 : 12) || parts[2] < 1 || parts[2] > 31)
        return false;
    int64_t month = is_quarter ? (parts[1] - 1) * 3 : parts[1] - 1;
    *ret_label = (Label){.number = parts[0] * 12 + month, .is_date = true};
    return true;
}

typedef struct {
    size_t origin;
    size_t development;
    size_t amount;
} Columns;

static bool find_columns(Reader *reader, const TriangleOptions *options, Columns *ret_columns)
{
    const CsvTable *table = reader->table;
    bool is_found = csv_require(table, S("origin"), reader->diags, &ret_columns->origin);
    is_found =
        csv_require(table, S("development"), reader->diags, &ret_columns->development) && is_found;
    if (!is_found)
        return false;
    if (!str_is_empty(options->column))
        return csv_require(table, options->column, reader->diags, &ret_columns->amount);
    if (csv_find(table, S("values"), &ret_columns->amount))
        return true;
    if (table->column_count != 3) {
        refuse(
            reader, table->line, "triangle-column",
            S("several columns could hold the amounts: expected one named 'values', or --column"));
        return false;
    }
    ret_columns->amount = 3 - ret_columns->origin - ret_columns->development;
    return true;
}

static bool read_label(Reader *reader, const CsvRow *row, size_t column, Label *ret_label)
{
    Str text = str_trim(row->cells[column]);
    if (parse_label(text, ret_label))
        return true;
    refuse(reader, row->line, "triangle-label",
           str_format(reader->arena,
                      "%.*s '%.*s' is no period: expected a number, 2020, 2020-03, 2020-Q1 or "
                      "2020-03-31",
                      STR_ARG(reader->table->columns[column]), STR_ARG(text)));
    return false;
}

static void read_cells(Reader *reader, const Columns *columns)
{
    for (size_t i = 0; i < reader->table->row_count; i++) {
        const CsvRow *row = &reader->table->rows[i];
        Str amount = str_trim(row->cells[columns->amount]);
        Cell cell = {.line = row->line, .origin_text = str_trim(row->cells[columns->origin])};
        if (!read_label(reader, row, columns->origin, &cell.origin) ||
            !read_label(reader, row, columns->development, &cell.development) ||
            str_is_empty(amount) || str_eq(amount, S("NA")))
            continue;
        if (parse_amount(reader->arena, amount, &cell.amount))
            VEC_PUSH(reader->arena, &reader->cells, cell);
        else
            refuse(reader, row->line, "triangle-amount",
                   str_format(reader->arena, "'%.*s' is no amount: expected a number, or nothing",
                              STR_ARG(amount)));
    }
    if (reader->is_ok && reader->cells.count == 0)
        refuse(reader, reader->table->line, "triangle-empty", S("there is no amount in it"));
}

/* Beside dates a number is a year, unless it is an age (development without dates). */
static void join_scales(Reader *reader)
{
    bool has_dates = false;
    bool has_development_dates = false;
    VEC_FOREACH (Cell, cell, &reader->cells) {
        has_dates = has_dates || cell->origin.is_date || cell->development.is_date;
        has_development_dates = has_development_dates || cell->development.is_date;
    }
    VEC_FOREACH (Cell, cell, &reader->cells) {
        if (has_dates && !cell->origin.is_date)
            cell->origin.number *= 12;
        if (has_development_dates && !cell->development.is_date)
            cell->development.number *= 12;
    }
}

/* Development names times rather than ages when no cell lies before its origin, and there is more
   than one origin, or the only one is a year. */
static bool is_calendar(const Reader *reader)
{
    const Cell *first = &reader->cells.items[0];
    bool has_others = false;
    VEC_FOREACH (Cell, cell, &reader->cells) {
        if (cell->development.number < cell->origin.number)
            return cell->development.is_date;
        has_others = has_others || cell->origin.number != first->origin.number;
    }
    return has_others || first->origin.number >= 1000;
}

static int64_t greatest_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a < 0 ? -a : a;
}

/* Ages become 0, 1, 2 … of the widest step that all of them are multiples of. */
static size_t number_ages(Reader *reader)
{
    int64_t least = INT64_MAX;
    int64_t most = 0;
    int64_t step = 0;
    VEC_FOREACH (Cell, cell, &reader->cells) {
        if (cell->development.number < 0)
            refuse(reader, cell->line, "triangle-label",
                   S("the development lies before its origin"));
        least = cell->development.number < least ? cell->development.number : least;
    }
    VEC_FOREACH (Cell, cell, &reader->cells)
        step = greatest_divisor(cell->development.number - least, step);
    VEC_FOREACH (Cell, cell, &reader->cells) {
        cell->development.number = step > 0 ? (cell->development.number - least) / step : 0;
        most = cell->development.number > most ? cell->development.number : most;
    }
    return (size_t)most + 1;
}

static int compare_cells(const void *a, const void *b)
{
    const Cell *x = a;
    const Cell *y = b;
    if (x->origin.number != y->origin.number)
        return x->origin.number < y->origin.number ? -1 : 1;
    if (x->development.number != y->development.number)
        return x->development.number < y->development.number ? -1 : 1;
    return x->line < y->line ? -1 : 1;
}

/* Cells are in order of origin and age. */
static void place_cells(Reader *reader, bool is_incremental, Triangle *triangle)
{
    size_t place = SIZE_MAX;
    for (size_t i = 0; i < reader->cells.count; i++) {
        const Cell *cell = &reader->cells.items[i];
        size_t age = (size_t)cell->development.number;
        bool is_new = i == 0 || cell[-1].origin.number != cell->origin.number;
        if (is_new) {
            place++;
            triangle->origins[place] = cell->origin_text;
            triangle->first[place] = age;
        } else if ((size_t)cell[-1].development.number == age) {
            refuse(reader, cell->line, "triangle-twice",
                   str_format(reader->arena, "this cell of origin %.*s is given in line %u already",
                              STR_ARG(cell->origin_text), cell[-1].line));
        } else if ((size_t)cell[-1].development.number + 1 != age) {
            refuse(reader, cell->line, "triangle-hole",
                   str_format(reader->arena, "origin %.*s has nothing between this and line %u",
                              STR_ARG(cell->origin_text), cell[-1].line));
        }
        size_t index = place * triangle->age_count + age;
        bool is_added = is_incremental && !is_new && age > 0;
        triangle->cells[index] = cell->amount + (is_added ? triangle->cells[index - 1] : 0);
        triangle->latest[place] = age;
    }
}

bool triangle_read(Arena *arena, const CsvTable *table, const TriangleOptions *options,
                   DiagList *diags, Triangle *ret_triangle)
{
    Reader reader = {.arena = arena, .diags = diags, .table = table, .is_ok = true};
    Columns columns;
    if (!find_columns(&reader, options, &columns))
        return false;
    read_cells(&reader, &columns);
    if (!reader.is_ok)
        return false;
    join_scales(&reader);
    *ret_triangle = (Triangle){.is_calendar = is_calendar(&reader)};
    if (ret_triangle->is_calendar)
        VEC_FOREACH (Cell, cell, &reader.cells)
            cell->development.number -= cell->origin.number;
    ret_triangle->age_count = number_ages(&reader);
    qsort(reader.cells.items, reader.cells.count, sizeof(Cell), compare_cells);
    for (size_t i = 0; i < reader.cells.count; i++)
        if (i == 0 ||
            reader.cells.items[i - 1].origin.number != reader.cells.items[i].origin.number)
            ret_triangle->origin_count++;
    if (ret_triangle->age_count > CELLS_MAX / ret_triangle->origin_count)
        refuse(&reader, table->line, "triangle-label",
               str_format(arena, "the labels span %zu origins of %zu ages: more than %d cells",
                          ret_triangle->origin_count, ret_triangle->age_count, CELLS_MAX));
    if (!reader.is_ok)
        return false;
    size_t count = ret_triangle->origin_count;
    ret_triangle->origins = ARENA_ARRAY(arena, Str, count);
    ret_triangle->first = ARENA_ARRAY(arena, size_t, count);
    ret_triangle->latest = ARENA_ARRAY(arena, size_t, count);
    ret_triangle->cells = ARENA_ARRAY(arena, double, count * ret_triangle->age_count);
    for (size_t i = 0; i < count * ret_triangle->age_count; i++)
        ret_triangle->cells[i] = NAN;
    place_cells(&reader, options->is_incremental, ret_triangle);
    return reader.is_ok;
}

double triangle_cell(const Triangle *triangle, size_t origin, size_t age)
{
    return triangle->cells[origin * triangle->age_count + age];
}

bool triangle_read_by_origin(Arena *arena, const Triangle *triangle, const CsvTable *table,
                             Str name, DiagList *diags, double **ret_amounts)
{
    Reader reader = {.arena = arena, .diags = diags, .table = table, .is_ok = true};
    size_t origin_column;
    size_t column;
    Map origins;
    bool is_found = csv_require(table, S("origin"), diags, &origin_column);
    if (!csv_require(table, name, diags, &column) || !is_found)
        return false;
    map_init(&origins, arena);
    for (size_t i = 0; i < triangle->origin_count; i++)
        map_put(&origins, triangle->origins[i], i);
    *ret_amounts = ARENA_ARRAY(arena, double, triangle->origin_count);
    for (size_t i = 0; i < triangle->origin_count; i++)
        (*ret_amounts)[i] = NAN;
    for (size_t i = 0; i < table->row_count; i++) {
        const CsvRow *row = &table->rows[i];
        Str origin = str_trim(row->cells[origin_column]);
        uint64_t place;
        double amount;
        if (!map_find(&origins, origin, &place))
            refuse(&reader, row->line, "triangle-origin",
                   str_format(arena, "the triangle has no origin '%.*s'", STR_ARG(origin)));
        else if (!isnan((*ret_amounts)[place]))
            refuse(&reader, row->line, "triangle-twice",
                   str_format(arena, "origin '%.*s' is given twice", STR_ARG(origin)));
        else if (!parse_amount(arena, str_trim(row->cells[column]), &amount) || amount < 0)
            refuse(&reader, row->line, "triangle-amount",
                   str_format(arena, "'%.*s' is no amount of at least zero",
                              STR_ARG(row->cells[column])));
        else
            (*ret_amounts)[place] = amount;
    }
    for (size_t i = 0; i < triangle->origin_count; i++)
        if (isnan((*ret_amounts)[i]) && reader.is_ok)
            refuse(&reader, table->line, "triangle-origin",
                   str_format(arena, "there is no %.*s of origin '%.*s'", STR_ARG(name),
                              STR_ARG(triangle->origins[i])));
    return reader.is_ok;
}

/* csv: tables as text, and what is wrong with them. */
#include "base/csv.h"
#include "base/test.h"

typedef struct {
    Arena *arena;
    DiagList diags;
    CsvTable table;
    bool is_ok;
} Read;

static Read read_text(Str text)
{
    Read read = {.arena = arena_create(0)};
    diag_init(&read.diags, read.arena);
    read.is_ok = csv_parse(read.arena, text, S("t.csv"), &read.diags, &read.table);
    return read;
}

static Str cell(const Read *read, size_t row, size_t column)
{
    return read->table.rows[row].cells[column];
}

TEST(csv_reads_quotes_line_ends_and_comments)
{
    Read read = read_text(S("\xEF\xBB\xBF# from a book\n\na,\"b \"\"c\"\"\",d\r\n1,\"x,\ny\",\r\n\n"
                            "\"\",2,3"));
    CHECK(read.is_ok && read.table.column_count == 3 && read.table.row_count == 2);
    CHECK_STR(read.table.columns[1], S("b \"c\""));
    CHECK_STR(cell(&read, 0, 1), S("x,\ny"));
    CHECK_STR(cell(&read, 0, 2), S(""));
    CHECK_STR(cell(&read, 1, 0), S(""));
    CHECK_STR(cell(&read, 1, 2), S("3"));
    CHECK(read.table.rows[0].line == 4 && read.table.rows[1].line == 7);
    arena_destroy(read.arena);
}

TEST(csv_tells_the_separator_from_the_header)
{
    static const struct {
        Str text;
        char separator;
    } cases[] = {{STR_INIT("a\tb,c\n1\t2\n"), '\t'},
                 {STR_INIT("a;b\n1;2,5\n"), ';'},
                 {STR_INIT("a,b\n1,2\n"), ','},
                 {STR_INIT("a\n1\n"), ','}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Read read = read_text(cases[i].text);
        CHECK(read.is_ok && read.table.separator == cases[i].separator);
        CHECK(read.table.row_count == 1);
        arena_destroy(read.arena);
    }
}

TEST(csv_names_the_line_of_what_is_wrong_and_reads_the_rest)
{
    static const struct {
        Str text;
        Str rule;
        uint32_t line;
        size_t rows;
    } cases[] = {{STR_INIT("a,b\n1\n2,3\n"), STR_INIT("csv-cells"), 2, 1},
                 {STR_INIT("a,b\n1,2,3\n2,3\n"), STR_INIT("csv-cells"), 2, 1},
                 {STR_INIT("a,b\n1,2\n\"x,3\n"), STR_INIT("csv-quote"), 3, 1},
                 {STR_INIT("a,b\n\"x\"y,3\n"), STR_INIT("csv-quote"), 2, 1},
                 {STR_INIT("a,a\n1,2\n"), STR_INIT("csv-header"), 1, 1},
                 {STR_INIT("# only this\n"), STR_INIT("csv-header"), 2, 0}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        Read read = read_text(cases[i].text);
        CHECK(!read.is_ok && read.diags.kept.count >= 1);
        CHECK_STR(read.diags.kept.items[0].rule, cases[i].rule);
        CHECK_INT(read.diags.kept.items[0].line, cases[i].line);
        CHECK_INT(read.table.row_count, cases[i].rows);
        arena_destroy(read.arena);
    }
}

TEST(csv_refuses_zero_bytes_and_missing_columns)
{
    Read read = read_text((Str){"a,b\n1,\0\n", 8});
    CHECK(!read.is_ok);
    arena_destroy(read.arena);
    read = read_text(S("a,b\n"));
    size_t column = 9;
    CHECK(csv_require(&read.table, S("b"), &read.diags, &column) && column == 1);
    CHECK(!csv_require(&read.table, S("c"), &read.diags, &column));
    CHECK_STR(read.diags.kept.items[0].text, S("there is no column 'c'; there are 'a', 'b'"));
    arena_destroy(read.arena);
}

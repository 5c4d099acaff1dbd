/*
 * csv -- small tables as text (RFC 4180, or separated by tabs), with a header.
 *
 * For documents of at most LIMIT_DOCUMENT_BYTES: triangles, aggregates, rate tables. Lines before
 * the header that begin with '#' are comments, empty lines are passed over, and a byte order mark
 * is dropped. Quoted cells may hold separators, doubled quotes and line ends.
 *
 *     CsvTable table;
 *     if (csv_parse(arena, text, file, diags, &table) && csv_find(&table, S("origin"), &origin))
 *         for (size_t i = 0; i < table.row_count; i++)
 *             use(table.rows[i].cells[origin], table.rows[i].line);
 */
#pragma once

#include "base/base.h"

typedef struct {
    Str *cells;    /* column_count of them, quotes taken off; white space is kept */
    uint32_t line; /* of its first cell, from 1 */
} CsvRow;

typedef struct {
    Str file;
    char separator; /* '\t', ';' or ',': the first of these that the header has */
    uint32_t line;  /* of the header */
    Str *columns;
    size_t column_count;
    CsvRow *rows;
    size_t row_count;
} CsvTable;

/* Reads the whole table. What is wrong is a finding with its line: a row with too few or too many
   cells is left out and the rest is read; a quote that is never closed, a zero byte, and a header
   that is missing or names a column twice are errors of the table. False when there was any error.
   Cells are views into text where they need no unquoting, else live in the arena. */
bool csv_parse(Arena *arena, Str text, Str file, DiagList *diags, CsvTable *ret_table);
/* The number of the column of that name. */
bool csv_find(const CsvTable *table, Str name, size_t *ret_column);
/* As csv_find; when it is missing, a finding that lists the columns that are there. */
bool csv_require(const CsvTable *table, Str name, DiagList *diags, size_t *ret_column);

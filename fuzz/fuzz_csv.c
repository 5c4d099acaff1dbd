/* fuzz_csv -- any bytes through the table reader: every refusal has a finding, every row its cells.
 */
#include "base/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_create(0);
    DiagList diags;
    diag_init(&diags, arena);
    CsvTable table;
    bool is_ok = csv_parse(arena, (Str){(const char *)data, size}, S("fuzz"), &diags, &table);
    ASSERT(is_ok == !diag_has_errors(&diags));
    size_t bytes = 0;
    for (size_t i = 0; i < table.row_count; i++)
        for (size_t column = 0; column < table.column_count; column++)
            bytes += table.rows[i].cells[column].len;
    ASSERT(bytes <= size);
    size_t column;
    (void)csv_require(&table, S("origin"), &diags, &column);
    arena_destroy(arena);
    return 0;
}

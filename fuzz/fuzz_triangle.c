/* fuzz_triangle -- any bytes as a triangle: what is read has all cells of each origin, and
   reserving on it ends with an answer or a finding. */
#include "risk/risk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_create(0);
    DiagList diags;
    diag_init(&diags, arena);
    CsvTable table;
    Triangle triangle;
    Reserving reserving;
    TriangleOptions options = {.is_incremental = size % 2 == 1};
    ChainLadderOptions chain = {.sigma_rule = size % 3 == 0 ? SIGMA_MACK : SIGMA_LOG_LINEAR};
    if (csv_parse(arena, (Str){(const char *)data, size}, S("fuzz"), &diags, &table) &&
        triangle_read(arena, &table, &options, &diags, &triangle)) {
        for (size_t i = 0; i < triangle.origin_count; i++)
            for (size_t age = triangle.first[i]; age <= triangle.latest[i]; age++)
                ASSERT(triangle_cell(&triangle, i, age) == triangle_cell(&triangle, i, age));
        if (triangle_chain_ladder(arena, &triangle, &chain, &diags, &reserving))
            ASSERT(reserving.reserve_count == triangle.origin_count);
        else
            ASSERT(diag_has_errors(&diags));
    } else {
        ASSERT(diag_has_errors(&diags));
    }
    arena_destroy(arena);
    return 0;
}

/* Set expressions of registers, and histories of registers: the first byte says which. */
#include "measure/measure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const RegisterSpec registers[] = {
        {.id = STR_INIT("diabetes"), .title = STR_INIT("Diabetes")},
        {.id = STR_INIT("end"), .title = STR_INIT("End of life")}};
    static const IndicatorSpec indicators[] = {{.id = STR_INIT("a"), .title = STR_INIT("A")}};
    static const MeasureSpec spec = {.registers = registers,
                                     .register_count = 2,
                                     .indicators = indicators,
                                     .indicator_count = 1};
    if (size == 0)
        return 0;
    Arena *arena = arena_create(0);
    DiagList diags;
    diag_init(&diags, arena);
    Str text = {.ptr = (const char *)data + 1, .len = size - 1};
    MeasureExpression *expression;
    RegisterHistory history;
    if (data[0] != 'h')
        (void)!measure_expression_parse(arena, text, &spec, &diags, &expression);
    else
        (void)!register_history_parse(arena, text, S("history"), &history, NULL);
    arena_destroy(arena);
    return 0;
}

/*
 * fuzz_measure -- any bytes as a Measure, a Library, a Bundle of them, and as an expected report:
 * every measure that is left must be one that can be planned, compared and reported on.
 */
#include "measure/measure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(Arena *arena, const MeasureSet *set, size_t number, const JsonValue *expected)
{
    const Measure *measure = measure_set_measure(set, number);
    MeasureReportFrame frame = {.period = measure_set_period(set), .date = S("2021-01-01")};
    MeasureResult result = {.groups =
                                ARENA_ZARRAY(arena, MeasureGroupResult, measure->group_count)};
    MeasureDifferenceVec differences = {0};
    MeasureTally tally;
    StrBuf out;
    strbuf_init(&out, arena, 0);
    measure_tally_init(&tally, arena, measure);
    measure_tally_add(&tally, &result, NULL);
    measure_report_summary(&frame, &tally, &out);
    measure_pass_summary_rows(&tally, &out);
    if (expected != NULL)
        measure_compare(arena, measure, expected, &result, &differences);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_create(0);
    DiagList diags;
    Error err = {0};
    JsonValue *expected = NULL;
    Str text = {.ptr = (const char *)data, .len = size};
    diag_init(&diags, arena);
    MeasureContent *content = measure_content_create(arena, &diags);
    measure_content_add_text(content, text, S("fuzz.json"));
    measure_content_finish(content);
    const MeasureVec *found = measure_content_measures(content);
    const Measure **measures = ARENA_ARRAY(arena, const Measure *, found->count);
    for (size_t i = 0; i < found->count; i++)
        measures[i] = &found->items[i];
    MeasureSetOptions options = {.content = content,
                                 .measures = measures,
                                 .measure_count = found->count,
                                 .period = {.start = S("2020"), .end = S("2020")}};
    MeasureSet *set = NULL;
    if (json_parse(arena, text, &expected, &err) != ERR_OK)
        expected = NULL;
    if (measure_set_create(arena, &options, &diags, &set, &err) == ERR_OK)
        for (size_t i = 0; i < measure_set_count(set); i++)
            use(arena, set, i, expected);
    arena_destroy(arena);
    return 0;
}

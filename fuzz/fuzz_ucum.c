/* fuzz_ucum -- two units in a line each: read, converted there and back, compared. */
#include "terms/terms.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Str rest = {.ptr = (const char *)data, .len = size};
    Str from = {0};
    Str to = {0};
    if (!str_split_next(&rest, '\n', &from) || !str_split_next(&rest, '\n', &to))
        return 0;
    UcumProblem problem = {0};
    bool is_from = ucum_is_unit(from, &problem);
    ASSERT(is_from || problem.text != NULL);
    UcumConversion room;
    const UcumConversion *conversion = ucum_find(NULL, from, to, &room);
    ASSERT(is_from == (conversion->status != UCUM_BAD_FROM));
    static const int64_t values[] = {0, 1, -1, 37, 1000000, INT64_MAX};
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        Decimal value = {.units = (__int128)values[i] * DECIMAL_ONE};
        Decimal converted;
        if (ucum_convert(conversion, value, &converted))
            ASSERT(decimal_is_in_range(converted));
        if (conversion->status == UCUM_KNOWN)
            (void)ucum_compare(conversion, value, (Decimal){.units = DECIMAL_ONE});
    }
    return 0;
}

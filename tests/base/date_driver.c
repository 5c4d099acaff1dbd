/* date_driver -- reads lines "operation a b" and writes the result, for test_date.py. */
#include <stdio.h>

#include "base/date.h"

static Str answer(Arena *arena, Str line)
{
    Str operation;
    Str left;
    Str right;
    int32_t a;
    int32_t b;
    bool ok = str_split_next(&line, ' ', &operation) && str_split_next(&line, ' ', &left) &&
              str_split_next(&line, ' ', &right);
    ASSERT(ok);
    if (str_eq(operation, S("moment"))) {
        Moment moment;
        if (!moment_parse(left, &moment))
            return S("refused");
        return str_format(arena, "%lld", (long long)moment_first_ms(moment, 0));
    }
    ok = day_parse(left, &a);
    ASSERT(ok);
    if (str_eq(operation, S("months"))) {
        int64_t months;
        ok = str_to_int64(right, &months);
        ASSERT(ok);
        int32_t day = day_add_months(a, (int32_t)months);
        return day == DAY_NONE ? S("none") : day_format(arena, day);
    }
    ok = day_parse(right, &b);
    ASSERT(ok);
    return str_format(arena, "%d %d", b - a, day_age_years(a, b));
}

int main(void)
{
    char line[512];
    Arena *arena = arena_create(0);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        Str result = answer(arena, str_trim(str_from_c(line)));
        printf("%.*s\n", STR_ARG(result));
        arena_reset(arena);
    }
    arena_destroy(arena);
    return 0;
}

/* Units: products of powers of money, count, months and so on. */
#include "contract/contract.h"

enum { UNIT_POWER_MAX = 100 };

static const Str base_texts[] = {
#define UNIT(name, text) STR_INIT(text),
#include "contract/unit.def"
#undef UNIT
};

static bool add_base(Str text, int sign, Unit *unit)
{
    if (str_eq(text, S("ratio")))
        return true;
    for (size_t i = 0; i < UNIT_BASES; i++) {
        if (str_eq(text, base_texts[i])) {
            unit->powers[i] = (int8_t)(unit->powers[i] + sign);
            return true;
        }
    }
    return false;
}

bool unit_parse(Str text, Unit *ret_unit)
{
    Unit unit = {{0}};
    int sign = 1;
    Str part;
    if (text.len > 64)
        return false;
    while (str_split_next(&text, '/', &part)) {
        if (!add_base(part, sign, &unit))
            return false;
        sign = -1;
    }
    *ret_unit = unit;
    return true;
}

Str unit_format(Arena *arena, Unit unit)
{
    StrBuf out;
    strbuf_init(&out, arena, 0);
    for (size_t i = 0; i < UNIT_BASES; i++)
        for (int k = 0; k < unit.powers[i]; k++)
            strbuf_printf(&out, "%s%.*s", out.len > 0 ? "*" : "", STR_ARG(base_texts[i]));
    if (out.len == 0)
        strbuf_add(&out, S("ratio"));
    for (size_t i = 0; i < UNIT_BASES; i++)
        for (int k = 0; k > unit.powers[i]; k--)
            strbuf_printf(&out, "/%.*s", STR_ARG(base_texts[i]));
    return strbuf_str(&out);
}

bool unit_eq(Unit a, Unit b)
{
    return memcmp(&a, &b, sizeof(a)) == 0;
}

Unit unit_combine(Unit a, Unit b, int sign)
{
    for (size_t i = 0; i < UNIT_BASES; i++) {
        int power = a.powers[i] + sign * b.powers[i];
        if (power > UNIT_POWER_MAX) /* no sensible contract comes near; it only must not wrap */
            power = UNIT_POWER_MAX;
        if (power < -UNIT_POWER_MAX)
            power = -UNIT_POWER_MAX;
        a.powers[i] = (int8_t)power;
    }
    return a;
}

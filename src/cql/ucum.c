/*
 * Units: the part of UCUM that is in clinical use, as far as comparing and converting needs it.
 *
 * A unit is parsed into powers of seven base dimensions and a factor, kept as mantissa and power
 * of ten, so that conversions between units of one family (mg to g) are exact.
 * Source of factors: The Unified Code for Units of Measure, tables 4 to 26 (ucum.org).
 */
#include "cql/value.h"

#include <math.h>

enum {
    DIM_LENGTH,
    DIM_TIME,
    DIM_MASS,
    DIM_ANGLE,
    DIM_HEAT,
    DIM_CHARGE,
    DIM_LIGHT,
    DIM_ARBITRARY,
    DIM_COUNT
};

typedef struct {
    double mantissa;
    int exponent;
    int dims[DIM_COUNT];
    uint64_t arbitrary; /* which arbitrary unit ([iU]): they never convert */
} Unit;

typedef struct {
    const char *code;
    double mantissa;
    int exponent;
    int dims[DIM_COUNT]; /* length time mass angle heat charge light arbitrary */
    bool is_metric;
} Atom;

static const Atom atoms[] = {
    /* clang-format off */
    {"m", 1, 0, {1}, true},             {"s", 1, 0, {0, 1}, true},
    {"g", 1, 0, {0, 0, 1}, true},       {"rad", 1, 0, {0, 0, 0, 1}, true},
    {"K", 1, 0, {0, 0, 0, 0, 1}, true}, {"C", 1, 0, {0, 0, 0, 0, 0, 1}, true},
    {"cd", 1, 0, {0, 0, 0, 0, 0, 0, 1}, true},
    {"10*", 1, 1, {0}, false},          {"10^", 1, 1, {0}, false},
    {"%", 1, -2, {0}, false},           {"[ppth]", 1, -3, {0}, false},
    {"[ppm]", 1, -6, {0}, false},       {"[ppb]", 1, -9, {0}, false},
    {"[pi]", 3.14159265358979, 0, {0}, false},
    {"mol", 6.0221367, 23, {0}, true},  {"sr", 1, 0, {0, 0, 0, 2}, true},
    {"Hz", 1, 0, {0, -1}, true},        {"N", 1, 3, {1, -2, 1}, true},
    {"Pa", 1, 3, {-1, -2, 1}, true},    {"J", 1, 3, {2, -2, 1}, true},
    {"W", 1, 3, {2, -3, 1}, true},      {"A", 1, 0, {0, -1, 0, 0, 0, 1}, true},
    {"V", 1, 3, {2, -2, 1, 0, 0, -1}, true}, {"F", 1, -3, {-2, 2, -1, 0, 0, 2}, true},
    {"Ohm", 1, 3, {2, -1, 1, 0, 0, -2}, true}, {"S", 1, -3, {-2, 1, -1, 0, 0, 2}, true},
    {"Bq", 1, 0, {0, -1}, true},        {"Gy", 1, 0, {2, -2}, true},
    {"Sv", 1, 0, {2, -2}, true},        {"kat", 6.0221367, 23, {0, -1}, true},
    {"U", 1.00368945, 16, {0, -1}, true}, /* 1 umol/min */
    {"l", 1, -3, {3}, true},            {"L", 1, -3, {3}, true},
    {"ar", 1, 2, {2}, true},            {"t", 1, 6, {0, 0, 1}, true},
    {"bar", 1, 8, {-1, -2, 1}, true},   {"u", 1.6605402, -24, {0, 0, 1}, true},
    {"eV", 1.60217733, -16, {2, -2, 1}, true}, {"deg", 1.7453292519943295, -2, {0, 0, 0, 1}, false},
    {"min", 6, 1, {0, 1}, false},       {"h", 3.6, 3, {0, 1}, false},
    {"d", 8.64, 4, {0, 1}, false},      {"wk", 6.048, 5, {0, 1}, false},
    {"mo", 2.6298, 6, {0, 1}, false},   {"a", 3.15576, 7, {0, 1}, false},
    {"mo_j", 2.6298, 6, {0, 1}, false}, {"a_j", 3.15576, 7, {0, 1}, false},
    {"[in_i]", 2.54, -2, {1}, false},   {"[ft_i]", 3.048, -1, {1}, false},
    {"[yd_i]", 9.144, -1, {1}, false},  {"[mi_i]", 1.609344, 3, {1}, false},
    {"[in_us]", 2.54000508, -2, {1}, false}, {"[ft_us]", 3.04800610, -1, {1}, false},
    {"[lb_av]", 4.5359237, 2, {0, 0, 1}, false}, {"[oz_av]", 2.8349523125, 1, {0, 0, 1}, false},
    {"[gr]", 6.479891, -2, {0, 0, 1}, false}, {"[stone_av]", 6.35029318, 3, {0, 0, 1}, false},
    {"[gal_us]", 3.785411784, -3, {3}, false}, {"[qt_us]", 9.46352946, -4, {3}, false},
    {"[pt_us]", 4.73176473, -4, {3}, false}, {"[foz_us]", 2.95735295625, -5, {3}, false},
    {"[cup_us]", 2.365882365, -4, {3}, false}, {"[tbs_us]", 1.478676478125, -5, {3}, false},
    {"[tsp_us]", 4.92892159375, -6, {3}, false}, {"[drp]", 5, -8, {3}, false},
    {"cal", 4.184, 3, {2, -2, 1}, true}, {"[Cal]", 4.184, 6, {2, -2, 1}, false},
    {"m[H2O]", 9.80665, 6, {-1, -2, 1}, true}, {"m[Hg]", 1.333220, 8, {-1, -2, 1}, true},
    {"eq", 6.0221367, 23, {0}, true},   {"osm", 6.0221367, 23, {0}, true},
    {"[pH]", 1, 0, {0, 0, 0, 0, 0, 0, 0, 1}, false},
    {"[iU]", 1, 0, {0, 0, 0, 0, 0, 0, 0, 1}, true}, {"[IU]", 1, 0, {0, 0, 0, 0, 0, 0, 0, 1}, true},
    {"[arb'U]", 1, 0, {0, 0, 0, 0, 0, 0, 0, 1}, false}, {"[USP'U]", 1, 0, {0, 0, 0, 0, 0, 0, 0, 1}, false},
    {"[CFU]", 1, 0, {0, 0, 0, 0, 0, 0, 0, 1}, false}, {"[HPF]", 1, 0, {0}, false},
    {"[diop]", 1, 0, {-1}, false},      {"[MET]", 3.5, 0, {0, 0, 0, 0, 0, 0, 0, 1}, false},
    {"Cel", 1, 0, {0, 0, 0, 0, 1}, true}, {"[degF]", 5.5555555555555556, -1, {0, 0, 0, 0, 1}, false},
    {"[m/s2/Hz^0.5]", 1, 0, {0}, false}, {"kph", 1, 0, {0}, false},
    /* clang-format on */
};

static const struct {
    const char *code;
    int exponent;
} prefixes[] = {
    {"Y", 24}, {"Z", 21},  {"E", 18},  {"P", 15},  {"T", 12},  {"G", 9},   {"M", 6},
    {"k", 3},  {"h", 2},   {"da", 1},  {"d", -1},  {"c", -2},  {"m", -3},  {"u", -6},
    {"n", -9}, {"p", -12}, {"f", -15}, {"a", -18}, {"z", -21}, {"y", -24},
};

static void apply(Unit *unit, const Unit *factor, int power)
{
    int times = power < 0 ? -power : power;
    for (int i = 0; i < times; i++) {
        if (power > 0)
            unit->mantissa *= factor->mantissa;
        else
            unit->mantissa /= factor->mantissa;
    }
    unit->exponent += factor->exponent * power;
    for (int i = 0; i < DIM_COUNT; i++)
        unit->dims[i] += factor->dims[i] * power;
    if (factor->arbitrary != 0)
        unit->arbitrary = factor->arbitrary;
}

static bool find_atom(Str code, bool metric_only, Unit *ret_unit)
{
    for (size_t i = 0; i < COUNT_OF(atoms); i++) {
        const Atom *atom = &atoms[i];
        if (!str_eq(code, str_from_c(atom->code)) || (metric_only && !atom->is_metric))
            continue;
        *ret_unit = (Unit){.mantissa = atom->mantissa, .exponent = atom->exponent};
        memcpy(ret_unit->dims, atom->dims, sizeof(atom->dims));
        if (atom->dims[DIM_ARBITRARY] != 0)
            ret_unit->arbitrary = str_eq(code, S("[IU]")) ? str_hash(S("[iU]")) : str_hash(code);
        return true;
    }
    return false;
}

static bool find_simple(Str code, Unit *ret_unit)
{
    if (find_atom(code, false, ret_unit))
        return true;
    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        Str prefix = str_from_c(prefixes[i].code);
        if (!str_starts_with(code, prefix))
            continue;
        if (find_atom(str_slice(code, prefix.len, code.len), true, ret_unit)) {
            ret_unit->exponent += prefixes[i].exponent;
            return true;
        }
    }
    return false;
}

typedef struct {
    Str text;
    size_t at;
    unsigned depth;
} UnitReader;

static bool parse_unit_term(UnitReader *reader, Unit *unit);

static void skip_annotation(UnitReader *reader)
{
    if (reader->at >= reader->text.len || reader->text.ptr[reader->at] != '{')
        return;
    while (reader->at < reader->text.len && reader->text.ptr[reader->at] != '}')
        reader->at++;
    reader->at += reader->at < reader->text.len;
}

static size_t simple_length(const UnitReader *reader)
{
    size_t len = 0;
    bool in_brackets = false;
    for (; reader->at + len < reader->text.len; len++) {
        char c = reader->text.ptr[reader->at + len];
        if (c == '[')
            in_brackets = true;
        if (!in_brackets && strchr("./(){}", c) != NULL)
            break;
        if (c == ']')
            in_brackets = false;
    }
    return len;
}

/* Splits an exponent off the end of a simple unit: "m2", "s-1", "10*3". */
static Str split_exponent(Str code, int *ret_power)
{
    size_t end = code.len;
    while (end > 0 && code.ptr[end - 1] >= '0' && code.ptr[end - 1] <= '9')
        end--;
    *ret_power = 1;
    if (end == code.len || end == 0 || code.len - end > 2)
        return code;
    int power = 0;
    for (size_t i = end; i < code.len; i++)
        power = power * 10 + (code.ptr[i] - '0');
    bool has_sign = code.ptr[end - 1] == '-' || code.ptr[end - 1] == '+';
    if (has_sign && end == 1)
        return code;
    *ret_power = has_sign && code.ptr[end - 1] == '-' ? -power : power;
    return str_slice(code, 0, has_sign ? end - 1 : end);
}

static bool parse_unit_part(UnitReader *reader, Unit *ret_part)
{
    *ret_part = (Unit){.mantissa = 1};
    if (reader->at < reader->text.len && reader->text.ptr[reader->at] == '(') {
        reader->at++;
        if (++reader->depth > 8 || !parse_unit_term(reader, ret_part) ||
            reader->at >= reader->text.len || reader->text.ptr[reader->at] != ')')
            return false;
        reader->at++;
        return true;
    }
    size_t len = simple_length(reader);
    Str code = str_slice(reader->text, reader->at, len);
    reader->at += len;
    size_t after = reader->at;
    skip_annotation(reader);
    if (len == 0)
        return reader->at > after;
    int64_t number;
    if (code.len < 10 && str_to_int64(code, &number) && number > 0) {
        ret_part->mantissa = (double)number;
        return true;
    }
    Unit simple;
    int power = 1;
    if (!find_simple(code, &simple)) {
        code = split_exponent(code, &power);
        if (power > 30 || power < -30 || !find_simple(code, &simple))
            return false;
    }
    apply(ret_part, &simple, power);
    return true;
}

/* part (('.'|'/') part)*; a leading '/' divides. */
static bool parse_unit_term(UnitReader *reader, Unit *unit)
{
    *unit = (Unit){.mantissa = 1};
    int power = 1;
    if (reader->at < reader->text.len && reader->text.ptr[reader->at] == '/') {
        power = -1;
        reader->at++;
    }
    for (;;) {
        Unit part;
        if (!parse_unit_part(reader, &part))
            return false;
        apply(unit, &part, power);
        char c = reader->at < reader->text.len ? reader->text.ptr[reader->at] : '\0';
        if (c != '.' && c != '/')
            return true;
        power = c == '/' ? -1 : 1;
        reader->at++;
    }
}

/* Units come from records: their factor may be beyond a double. */
static bool is_usable(double mantissa)
{
    return isfinite(mantissa) && mantissa > 0;
}

enum { UNIT_BYTES = 256 };

static bool parse_unit(Str text, Unit *ret_unit)
{
    uint8_t precision = ucum_time_precision(text);
    if (precision != 0 && text.len > 2) {
        static const char *const codes[] = {"", "a", "mo", "d", "h", "min", "s", "ms", "wk"};
        text = str_from_c(codes[precision]);
    }
    UnitReader reader = {.text = text};
    if (text.len == 0 || text.len > UNIT_BYTES)
        return false;
    return parse_unit_term(&reader, ret_unit) && reader.at == text.len &&
           is_usable(ret_unit->mantissa);
}

bool ucum_is_known(Str unit)
{
    Unit parsed;
    return parse_unit(unit, &parsed);
}

/* Normalises the mantissa into 1 .. 10, so that equal factors look equal. */
static void normalise(Unit *unit)
{
    while (unit->mantissa >= 10 - 1e-12) {
        unit->mantissa /= 10;
        unit->exponent++;
    }
    while (unit->mantissa < 1 - 1e-12 && unit->mantissa > 0) {
        unit->mantissa *= 10;
        unit->exponent--;
    }
}

static bool shift_exact(Decimal value, int exponent, Decimal *ret_value)
{
    Decimal power = {.units = DECIMAL_ONE};
    int places = exponent < 0 ? -exponent : exponent;
    if (places > 19)
        return false;
    for (int i = 0; i < places; i++)
        power.units *= 10;
    return exponent < 0 ? decimal_divide(value, power, ROUNDING_HALF_AWAY, ret_value)
                        : decimal_multiply(value, power, ROUNDING_HALF_AWAY, ret_value);
}

static bool is_special(Str unit, const char *code)
{
    return str_eq(unit, str_from_c(code));
}

/* Temperatures have a zero of their own. */
static double to_kelvin(double value, Str unit)
{
    if (is_special(unit, "Cel"))
        return value + 273.15;
    return is_special(unit, "[degF]") ? (value + 459.67) * 5 / 9 : value;
}

static double from_kelvin(double value, Str unit)
{
    if (is_special(unit, "Cel"))
        return value - 273.15;
    return is_special(unit, "[degF]") ? value * 9 / 5 - 459.67 : value;
}

static bool from_double(double value, Decimal *ret_value)
{
    if (!(fabs(value) < 1e18))
        return false;
    long double scaled = roundl((long double)value * 1e8L);
    ret_value->units = (__int128)scaled;
    return true;
}

bool ucum_convert(Decimal value, Str from, Str to, Decimal *ret_value)
{
    Unit a;
    Unit b;
    if (str_eq(from, to)) {
        *ret_value = value;
        return true;
    }
    if (!parse_unit(from, &a) || !parse_unit(to, &b) || a.arbitrary != b.arbitrary ||
        memcmp(a.dims, b.dims, sizeof(a.dims)) != 0)
        return false;
    bool special = is_special(from, "Cel") || is_special(from, "[degF]") || is_special(to, "Cel") ||
                   is_special(to, "[degF]");
    if (special)
        return from_double(from_kelvin(to_kelvin(decimal_to_double(value), from), to), ret_value);
    a.mantissa /= b.mantissa;
    a.exponent -= b.exponent;
    if (!is_usable(a.mantissa))
        return false;
    normalise(&a);
    /* The remaining mantissa of most conversions has few digits: exact in a Decimal. */
    Decimal mantissa;
    if (!from_double(a.mantissa, &mantissa))
        return false;
    bool is_short = fabs(a.mantissa - decimal_to_double(mantissa)) < 1e-13;
    if (is_short && decimal_multiply(value, mantissa, ROUNDING_HALF_AWAY, &mantissa))
        return shift_exact(mantissa, a.exponent, ret_value);
    return from_double(decimal_to_double(value) * a.mantissa * pow(10, a.exponent), ret_value);
}

uint8_t ucum_time_precision(Str unit)
{
    static const char *const codes[][4] = {{"", "", "", ""},
                                           {"year", "years", "a", ""},
                                           {"month", "months", "mo", ""},
                                           {"day", "days", "d", ""},
                                           {"hour", "hours", "h", ""},
                                           {"minute", "minutes", "min", ""},
                                           {"second", "seconds", "s", ""},
                                           {"millisecond", "milliseconds", "ms", ""},
                                           {"week", "weeks", "wk", ""}};
    for (size_t i = 1; i < COUNT_OF(codes); i++) {
        for (size_t j = 0; j < 3; j++) {
            if (str_eq(unit, str_from_c(codes[i][j])))
                return (uint8_t)i;
        }
    }
    return 0;
}

Str calendar_unit(uint8_t precision)
{
    static const char *const names[] = {"1",      "year",   "month",       "day", "hour",
                                        "minute", "second", "millisecond", "week"};
    return str_from_c(names[precision]);
}

Str ucum_combine(Arena *arena, Str a, Str b, bool is_quotient)
{
    if (is_quotient && str_eq(a, b))
        return S("1");
    if (str_eq(b, S("1")))
        return a;
    if (str_eq(a, S("1")))
        return is_quotient ? str_format(arena, "/%.*s", STR_ARG(b)) : b;
    if (!is_quotient && str_eq(a, b))
        return str_format(arena, "%.*s2", STR_ARG(a));
    if (is_quotient) {
        /* 'cm2' / 'cm' is 'cm': the same unit with one power less. */
        int power;
        Str stem = split_exponent(a, &power);
        if (power == 2 && str_eq(stem, b))
            return b;
    }
    return str_format(arena, is_quotient ? "%.*s/%.*s" : "%.*s.%.*s", STR_ARG(a), STR_ARG(b));
}

/* Calendar years and months are no definite durations: = and < do not compare them with
   'a' and 'mo', ~ does. Weeks and shorter are the same either way. */
static bool is_indefinite(const CqlQuantityBody *quantity)
{
    uint8_t precision = ucum_time_precision(quantity->unit);
    return quantity->is_calendar && (precision == PRECISION_YEAR || precision == PRECISION_MONTH);
}

static bool is_definite_year_or_month(const CqlQuantityBody *quantity)
{
    uint8_t precision = ucum_time_precision(quantity->unit);
    return !quantity->is_calendar && (precision == PRECISION_YEAR || precision == PRECISION_MONTH);
}

static int64_t days_of(const CqlQuantityBody *quantity)
{
    if (!is_indefinite(quantity))
        return 1;
    return ucum_time_precision(quantity->unit) == PRECISION_YEAR ? 365 : 30;
}

static Order order_of(Decimal a, Decimal b)
{
    int sign = decimal_cmp(a, b);
    return sign < 0 ? ORDER_LESS : sign > 0 ? ORDER_GREATER : ORDER_EQUAL;
}

/* For ~ a calendar year is 365 days and a month 30. */
static Order equivalent_days(const CqlQuantityBody *a, const CqlQuantityBody *b)
{
    Decimal left = {.units = a->value.units * days_of(a)};
    Decimal right = {.units = b->value.units * days_of(b)};
    if (!is_indefinite(a) && !ucum_convert(a->value, a->unit, S("d"), &left))
        return ORDER_UNKNOWN;
    if (!is_indefinite(b) && !ucum_convert(b->value, b->unit, S("d"), &right))
        return ORDER_UNKNOWN;
    return order_of(left, right);
}

/* Both are calendar years or months. */
static Order order_months(const CqlQuantityBody *a, const CqlQuantityBody *b)
{
    int months_a = ucum_time_precision(a->unit) == PRECISION_YEAR ? 12 : 1;
    int months_b = ucum_time_precision(b->unit) == PRECISION_YEAR ? 12 : 1;
    return order_of((Decimal){.units = a->value.units * months_a},
                    (Decimal){.units = b->value.units * months_b});
}

Order quantity_order(const CqlQuantityBody *a, const CqlQuantityBody *b, bool for_equivalence)
{
    if (str_eq(a->unit, b->unit) && a->is_calendar == b->is_calendar)
        return order_of(a->value, b->value);
    bool mixed = (is_indefinite(a) && is_definite_year_or_month(b)) ||
                 (is_indefinite(b) && is_definite_year_or_month(a));
    /* Nor with days and shorter (Appendix B, Equal). */
    if (is_indefinite(a) != is_indefinite(b) && !for_equivalence)
        return ORDER_UNKNOWN;
    if (for_equivalence && is_indefinite(a) != is_indefinite(b) && !mixed)
        return equivalent_days(a, b);
    if (is_indefinite(a) && is_indefinite(b))
        return order_months(a, b);
    Decimal converted;
    return ucum_convert(a->value, a->unit, b->unit, &converted) ? order_of(converted, b->value)
                                                                : ORDER_UNKNOWN;
}

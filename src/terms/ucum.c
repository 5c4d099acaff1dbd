#include "terms/ucum.h"

#include <math.h>

typedef unsigned __int128 U128;

enum {
    DIMENSIONS = 7,
    ARBITRARY_MAX = 4, /* different arbitrary units in one unit */
    DEPTH_MAX = 16,    /* brackets within brackets */
    POWER_MAX = 30,
    TENS_MAX = 120 /* powers of ten that any conversion can need */
};

/* How a number on the scale of a special unit becomes a multiple of its unit. */
typedef enum {
    UCUM_LINEAR,
    UCUM_AFFINE,
    UCUM_NEGLG,
    UCUM_LG,
    UCUM_LG2,
    UCUM_LN,
    UCUM_LD,
    UCUM_SQRT,
    UCUM_TAN100,
    UCUM_HP
} Function;

typedef struct {
    Str code;
    uint64_t numerator;
    uint64_t denominator;
    int exponent; /* of ten */
    int pi;       /* exponent of pi */
    int dims[DIMENSIONS];
    uint16_t arbitrary; /* number of the arbitrary unit in it, or 0 */
    bool is_metric;
    uint8_t function;
    long double argument;
} Atom;

typedef struct {
    Str code;
    uint64_t numerator;
    int exponent;
} Prefix;

typedef struct {
    Str text;
    Str unit;
} Hint;

#include "ucum_tables.h"

/* A unit worked out: factor = numerator / denominator * 10^exponent * pi^pi. */
typedef struct {
    U128 numerator;
    U128 denominator;
    long double mantissa; /* numerator / denominator, also where these became too long */
    bool is_exact;
    int exponent;
    int pi;
    int dims[DIMENSIONS];
    struct {
        uint16_t number;
        int power;
    } arbitrary[ARBITRARY_MAX];
    size_t arbitrary_count;
    const Atom *special; /* alone, but for its prefix */
    long double prefix;  /* of the special unit */
} Unit;

static const Unit unit_one = {.numerator = 1, .denominator = 1, .mantissa = 1, .is_exact = true};

/* --- products --- */

static U128 common_divisor(U128 a, U128 b)
{
    while (b != 0) {
        U128 rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Multiplies the exact part; it is given up where it gets too long. */
static void multiply_fraction(Unit *unit, U128 numerator, U128 denominator)
{
    if (!unit->is_exact)
        return;
    U128 left = common_divisor(unit->numerator, denominator);
    U128 right = common_divisor(numerator, unit->denominator);
    unit->is_exact =
        !__builtin_mul_overflow(unit->numerator / left, numerator / right, &unit->numerator) &&
        !__builtin_mul_overflow(unit->denominator / right, denominator / left, &unit->denominator);
}

static bool add_arbitrary(Unit *unit, uint16_t number, int power)
{
    for (size_t i = 0; i < unit->arbitrary_count; i++)
        if (unit->arbitrary[i].number == number) {
            unit->arbitrary[i].power += power;
            return true;
        }
    if (unit->arbitrary_count == ARBITRARY_MAX)
        return false;
    unit->arbitrary[unit->arbitrary_count].number = number;
    unit->arbitrary[unit->arbitrary_count++].power = power;
    return true;
}

/* unit * factor^power; false when one of them is special or too much comes together. */
static bool multiply(Unit *unit, const Unit *factor, int power)
{
    if (factor->special != NULL || unit->special != NULL)
        return false;
    int times = power < 0 ? -power : power;
    for (int i = 0; i < times; i++) {
        U128 top = power > 0 ? factor->numerator : factor->denominator;
        U128 bottom = power > 0 ? factor->denominator : factor->numerator;
        unit->is_exact = unit->is_exact && factor->is_exact;
        multiply_fraction(unit, top, bottom);
        unit->mantissa =
            power > 0 ? unit->mantissa * factor->mantissa : unit->mantissa / factor->mantissa;
    }
    unit->exponent += factor->exponent * power;
    unit->pi += factor->pi * power;
    for (int i = 0; i < DIMENSIONS; i++)
        unit->dims[i] += factor->dims[i] * power;
    for (size_t i = 0; i < factor->arbitrary_count; i++)
        if (!add_arbitrary(unit, factor->arbitrary[i].number, factor->arbitrary[i].power * power))
            return false;
    return isfinite(unit->mantissa) && unit->mantissa > 0 && unit->exponent > -5000 &&
           unit->exponent < 5000;
}

/* --- reading --- */

typedef struct {
    Str text;
    size_t at;
    unsigned depth;
    UcumProblem problem;
} Reader;

static bool fail(Reader *reader, const char *text, Str part)
{
    if (reader->problem.text == NULL)
        reader->problem = (UcumProblem){.text = text, .part = part};
    return false;
}

static char peek(const Reader *reader)
{
    return reader->at < reader->text.len ? reader->text.ptr[reader->at] : '\0';
}

static const Atom *find_atom(Str code)
{
    size_t from = 0;
    size_t to = COUNT_OF(atoms);
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int order = str_cmp(atoms[middle].code, code);
        if (order == 0)
            return &atoms[middle];
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

static Unit unit_of(const Atom *atom, const Prefix *prefix)
{
    Unit unit = {.numerator = atom->numerator,
                 .denominator = atom->denominator,
                 .mantissa = (long double)atom->numerator / (long double)atom->denominator,
                 .is_exact = true,
                 .exponent = atom->exponent,
                 .pi = atom->pi,
                 .prefix = 1};
    for (int i = 0; i < DIMENSIONS; i++)
        unit.dims[i] = atom->dims[i];
    if (atom->arbitrary != 0)
        (void)add_arbitrary(&unit, atom->arbitrary, 1);
    unit.special = atom->function == UCUM_LINEAR ? NULL : atom;
    if (prefix == NULL)
        return unit;
    if (unit.special != NULL) {
        /* mCel: the number on the scale is what the prefix multiplies. */
        unit.prefix = (long double)prefix->numerator * powl(10, prefix->exponent);
        return unit;
    }
    multiply_fraction(&unit, prefix->numerator, 1);
    unit.mantissa *= (long double)prefix->numerator;
    unit.exponent += prefix->exponent;
    return unit;
}

static bool find_simple(Str code, Unit *ret_unit)
{
    const Atom *atom = find_atom(code);
    if (atom != NULL) {
        *ret_unit = unit_of(atom, NULL);
        return true;
    }
    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        if (!str_starts_with(code, prefixes[i].code))
            continue;
        atom = find_atom(str_slice(code, prefixes[i].code.len, SIZE_MAX));
        if (atom != NULL && atom->is_metric) {
            *ret_unit = unit_of(atom, &prefixes[i]);
            return true;
        }
    }
    return false;
}

/* Splits an exponent off the end: "m2", "s-1", "10*-3". */
static Str split_power(Str code, int *ret_power)
{
    size_t digits = code.len;
    while (digits > 0 && code.ptr[digits - 1] >= '0' && code.ptr[digits - 1] <= '9')
        digits--;
    *ret_power = 1;
    if (digits == code.len || digits == 0)
        return code;
    int power = 0;
    for (size_t i = digits; i < code.len && power <= POWER_MAX; i++)
        power = power * 10 + (code.ptr[i] - '0');
    char sign = code.ptr[digits - 1];
    bool has_sign = sign == '-' || sign == '+';
    *ret_power = sign == '-' ? -power : power;
    return str_slice(code, 0, has_sign ? digits - 1 : digits);
}

/* The text up to what ends a simple unit, except within its square brackets. */
static Str take_code(Reader *reader)
{
    size_t from = reader->at;
    bool is_inside = false;
    for (; reader->at < reader->text.len; reader->at++) {
        char c = peek(reader);
        if (!is_inside && strchr("./(){}", c) != NULL)
            break;
        is_inside = c == '[' || (is_inside && c != ']');
    }
    return str_slice(reader->text, from, reader->at - from);
}

static bool read_number(Reader *reader, Str code, Unit *ret_unit)
{
    int64_t number;
    if (code.len > 18 || !str_to_int64(code, &number))
        return fail(reader, "a number with too many digits", code);
    if (number <= 0)
        return fail(reader, "a factor of zero", code);
    *ret_unit = unit_one;
    ret_unit->numerator = (U128)number;
    ret_unit->mantissa = (long double)number;
    return true;
}

static bool read_simple(Reader *reader, Unit *ret_unit)
{
    Str code = take_code(reader);
    bool is_number = code.len > 0;
    for (size_t i = 0; i < code.len; i++)
        is_number = is_number && code.ptr[i] >= '0' && code.ptr[i] <= '9';
    if (is_number)
        return read_number(reader, code, ret_unit);
    int power;
    Unit simple;
    Str stem = split_power(code, &power);
    if (!find_simple(stem, &simple))
        return fail(reader, code.len == 0 ? "a unit is missing" : "not known", code);
    if (power > POWER_MAX || power < -POWER_MAX)
        return fail(reader, "a power beyond 30", code);
    if (power == 1) {
        *ret_unit = simple;
        return true;
    }
    *ret_unit = unit_one;
    return multiply(ret_unit, &simple, power) ||
           fail(reader, "a unit with a scale of its own has no powers", code);
}

static bool skip_annotation(Reader *reader)
{
    size_t from = reader->at;
    while (reader->at < reader->text.len && peek(reader) != '}') {
        char c = peek(reader);
        if (c < '!' || c > '~' || (c == '{' && reader->at > from))
            return fail(reader, "an annotation with a character that may not be in it",
                        str_slice(reader->text, from, reader->at - from + 1));
        reader->at++;
    }
    if (reader->at == reader->text.len)
        return fail(reader, "an annotation without its end",
                    str_slice(reader->text, from, SIZE_MAX));
    reader->at++;
    return true;
}

static bool read_term(Reader *reader, Unit *ret_unit);

static bool read_component(Reader *reader, Unit *ret_unit)
{
    if (peek(reader) == '{') {
        *ret_unit = unit_one;
        return skip_annotation(reader);
    }
    if (peek(reader) == '(') {
        size_t from = reader->at++;
        if (++reader->depth > DEPTH_MAX)
            return fail(reader, "brackets too deep", str_slice(reader->text, from, SIZE_MAX));
        if (!read_term(reader, ret_unit))
            return false;
        if (peek(reader) != ')')
            return fail(reader, "a bracket that is not closed",
                        str_slice(reader->text, from, SIZE_MAX));
        reader->at++;
        reader->depth--;
    } else if (!read_simple(reader, ret_unit)) {
        return false;
    }
    return peek(reader) != '{' || skip_annotation(reader);
}

/* component (('.' | '/') component)*, with a '/' before it perhaps */
static bool read_term(Reader *reader, Unit *ret_unit)
{
    size_t from = reader->at;
    int power = 1;
    bool is_first = true;
    *ret_unit = unit_one;
    if (peek(reader) == '/' && reader->at == 0) {
        power = -1;
        reader->at++;
    }
    for (;;) {
        Unit part;
        if (!read_component(reader, &part))
            return false;
        bool is_alone = is_first && power == 1 && strchr("./", peek(reader)) == NULL;
        if (is_first && power == 1 && (is_alone || reader->at == reader->text.len))
            *ret_unit = part;
        else if (!multiply(ret_unit, &part, power))
            return fail(reader, "what cannot be multiplied",
                        str_slice(reader->text, from, reader->at - from));
        char c = peek(reader);
        if (c != '.' && c != '/')
            return true;
        power = c == '.' ? 1 : -1;
        is_first = false;
        reader->at++;
    }
}

static bool read_unit(Str text, Unit *ret_unit, UcumProblem *ret_problem)
{
    Reader reader = {.text = text};
    bool is_unit;
    if (text.len == 0 || text.len > UCUM_TEXT_BYTES)
        is_unit = fail(&reader, text.len == 0 ? "an empty unit" : "a unit that is too long",
                       str_slice(text, 0, 20));
    else
        is_unit = read_term(&reader, ret_unit) &&
                  (reader.at == text.len || fail(&reader, "what stands behind a unit",
                                                 str_slice(text, reader.at, SIZE_MAX)));
    if (!is_unit && ret_problem != NULL)
        *ret_problem = reader.problem;
    return is_unit;
}

bool ucum_is_unit(Str text, UcumProblem *ret_problem)
{
    Unit unit;
    if (read_unit(text, &unit, ret_problem))
        return true;
    for (size_t i = 0; ret_problem != NULL && i < COUNT_OF(hints); i++)
        if (str_eq(hints[i].text, text))
            ret_problem->hint = hints[i].unit;
    return false;
}

/* --- conversions --- */

static bool are_commensurable(const Unit *a, const Unit *b)
{
    for (int i = 0; i < DIMENSIONS; i++)
        if (a->dims[i] != b->dims[i])
            return false;
    Unit quotient = {.arbitrary_count = 0};
    for (size_t i = 0; i < a->arbitrary_count; i++)
        (void)add_arbitrary(&quotient, a->arbitrary[i].number, a->arbitrary[i].power);
    for (size_t i = 0; i < b->arbitrary_count; i++)
        if (!add_arbitrary(&quotient, b->arbitrary[i].number, -b->arbitrary[i].power))
            return false;
    for (size_t i = 0; i < quotient.arbitrary_count; i++)
        if (quotient.arbitrary[i].power != 0)
            return false;
    return true;
}

static long double value_of(const Unit *unit)
{
    long double pi = 3.14159265358979323846264338327950288L;
    return unit->mantissa * powl(10, unit->exponent) * powl(pi, unit->pi);
}

/* Puts the tens into the fraction. */
static bool put_tens(Unit *unit)
{
    if (unit->exponent > TENS_MAX || unit->exponent < -TENS_MAX)
        return false;
    for (; unit->exponent > 0 && unit->is_exact; unit->exponent--)
        multiply_fraction(unit, 10, 1);
    for (; unit->exponent < 0 && unit->is_exact; unit->exponent++)
        multiply_fraction(unit, 1, 10);
    return unit->is_exact;
}

static void convert_special(const Unit *from, const Unit *to, UcumConversion *ret_conversion)
{
    ret_conversion->from_factor = value_of(from);
    ret_conversion->to_factor = value_of(to);
    ret_conversion->from_prefix = from->special != NULL ? from->prefix : 1;
    ret_conversion->to_prefix = to->special != NULL ? to->prefix : 1;
    if (from->special != NULL) {
        ret_conversion->from_function = from->special->function;
        ret_conversion->from_argument = from->special->argument;
    }
    if (to->special != NULL) {
        ret_conversion->to_function = to->special->function;
        ret_conversion->to_argument = to->special->argument;
    }
}

static void work_out(Str from_text, Str to_text, UcumConversion *ret_conversion)
{
    Unit from;
    Unit to;
    *ret_conversion = (UcumConversion){.status = UCUM_KNOWN};
    if (!read_unit(from_text, &from, NULL)) {
        ret_conversion->status = UCUM_BAD_FROM;
        return;
    }
    if (!read_unit(to_text, &to, NULL)) {
        ret_conversion->status = UCUM_BAD_TO;
        return;
    }
    if (!are_commensurable(&from, &to)) {
        ret_conversion->status = UCUM_INCOMMENSURABLE;
        return;
    }
    if (from.special != NULL || to.special != NULL) {
        convert_special(&from, &to, ret_conversion);
        return;
    }
    Unit ratio = from;
    if (!multiply(&ratio, &to, -1)) {
        ret_conversion->status = UCUM_INCOMMENSURABLE;
        return;
    }
    ret_conversion->factor = value_of(&ratio);
    /* Decimals are scaled by numbers below 2^126. */
    ret_conversion->is_exact = ratio.pi == 0 && put_tens(&ratio) && ratio.numerator >> 126 == 0 &&
                               ratio.denominator >> 126 == 0;
    ret_conversion->numerator = ratio.numerator;
    ret_conversion->denominator = ratio.denominator;
}

/* --- numbers --- */

static long double to_long(Decimal value)
{
    return (long double)value.units / (long double)DECIMAL_ONE;
}

static bool from_long(long double value, Decimal *ret_value)
{
    long double units = roundl(value * (long double)DECIMAL_ONE);
    if (!(fabsl(units) < 1e36L))
        return false;
    *ret_value = (Decimal){.units = (__int128)units};
    return decimal_is_in_range(*ret_value);
}

/* A number on the unit's scale as a multiple of the unit. */
static long double from_scale(uint8_t function, long double argument, long double x)
{
    switch (function) {
    case UCUM_AFFINE:
        return x + argument;
    case UCUM_NEGLG:
        return powl(10, -x);
    case UCUM_LG:
        return powl(10, x);
    case UCUM_LG2:
        return powl(10, x / 2);
    case UCUM_LN:
        return expl(x);
    case UCUM_LD:
        return exp2l(x);
    case UCUM_SQRT:
        return x * x;
    case UCUM_TAN100:
        return atanl(x / 100);
    case UCUM_HP:
        return powl(argument, -x);
    default:
        return x;
    }
}

static long double to_scale(uint8_t function, long double argument, long double y)
{
    switch (function) {
    case UCUM_AFFINE:
        return y - argument;
    case UCUM_NEGLG:
        return -log10l(y);
    case UCUM_LG:
        return log10l(y);
    case UCUM_LG2:
        return 2 * log10l(y);
    case UCUM_LN:
        return logl(y);
    case UCUM_LD:
        return log2l(y);
    case UCUM_SQRT:
        return sqrtl(y);
    case UCUM_TAN100:
        return tanl(y) * 100;
    case UCUM_HP:
        return -logl(y) / logl(argument);
    default:
        return y;
    }
}

static bool convert_on_scales(const UcumConversion *conversion, Decimal value, Decimal *ret_value)
{
    long double x = to_long(value) * conversion->from_prefix;
    long double base = from_scale(conversion->from_function, conversion->from_argument, x) *
                       conversion->from_factor;
    long double y =
        to_scale(conversion->to_function, conversion->to_argument, base / conversion->to_factor);
    return from_long(y / conversion->to_prefix, ret_value);
}

static bool is_special(const UcumConversion *conversion)
{
    return conversion->from_function != UCUM_LINEAR || conversion->to_function != UCUM_LINEAR;
}

bool ucum_convert(const UcumConversion *conversion, Decimal value, Decimal *ret_value)
{
    if (conversion->status != UCUM_KNOWN)
        return false;
    if (is_special(conversion))
        return convert_on_scales(conversion, value, ret_value);
    if (conversion->is_exact)
        return decimal_scale(value, conversion->numerator, conversion->denominator,
                             ROUNDING_HALF_AWAY, ret_value);
    return from_long(to_long(value) * conversion->factor, ret_value);
}

static int compare_long(long double a, long double b)
{
    return (a > b) - (a < b);
}

int ucum_compare(const UcumConversion *conversion, Decimal a, Decimal b)
{
    ASSERT(conversion->status == UCUM_KNOWN);
    Decimal converted;
    if (is_special(conversion))
        return convert_on_scales(conversion, a, &converted) ? decimal_cmp(converted, b) : 1;
    if (conversion->factor >= 1) {
        if (ucum_convert(conversion, a, &converted))
            return decimal_cmp(converted, b);
    } else {
        UcumConversion back = *conversion;
        back.numerator = conversion->denominator;
        back.denominator = conversion->numerator;
        back.factor = 1 / conversion->factor;
        if (ucum_convert(&back, b, &converted))
            return decimal_cmp(a, converted);
    }
    /* Beyond what a Decimal holds they are not nearly the same. */
    return compare_long(to_long(a) * conversion->factor, to_long(b));
}

/* --- the cache --- */

enum { CACHE_SLOTS = 128, CACHE_TEXT = 32 };

typedef struct {
    uint8_t from_len; /* 0: nothing is here */
    uint8_t to_len;
    char from[CACHE_TEXT];
    char to[CACHE_TEXT];
    UcumConversion conversion;
} Slot;

struct UcumCache {
    Slot slots[CACHE_SLOTS];
};

UcumCache *ucum_cache_create(Arena *arena)
{
    return ARENA_NEW(arena, UcumCache);
}

const UcumConversion *ucum_find(UcumCache *cache, Str from, Str to, UcumConversion *room)
{
    bool is_kept = cache != NULL && from.len > 0 && from.len <= CACHE_TEXT && to.len > 0 &&
                   to.len <= CACHE_TEXT;
    if (!is_kept) {
        work_out(from, to, room);
        return room;
    }
    Slot *slot = &cache->slots[(str_hash(from) * 31 + str_hash(to)) % CACHE_SLOTS];
    if (slot->from_len != from.len || slot->to_len != to.len ||
        memcmp(slot->from, from.ptr, from.len) != 0 || memcmp(slot->to, to.ptr, to.len) != 0) {
        work_out(from, to, &slot->conversion);
        slot->from_len = (uint8_t)from.len;
        slot->to_len = (uint8_t)to.len;
        memcpy(slot->from, from.ptr, from.len);
        memcpy(slot->to, to.ptr, to.len);
    }
    return &slot->conversion;
}

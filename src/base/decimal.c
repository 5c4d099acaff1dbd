#include "base/decimal.h"

typedef unsigned __int128 U128;

/* 10^36 units are 10^28. Text is of less; a result may reach it, so that 10^28 - 10^-8 can be
   worked out from 10 * 10^27. */
#define UNITS_END ((U128)1000000000000000000u * 1000000000000000000u)

typedef struct {
    U128 high;
    U128 low;
} U256;

static const uint32_t powers_of_ten[] = {1,      10,      100,      1000,     10000,
                                         100000, 1000000, 10000000, 100000000};

static const char *const rounding_texts[] = {
#define ROUNDING(name, text) text,
#include "base/rounding.def"
#undef ROUNDING
};

const char *rounding_text(Rounding rounding)
{
    ASSERT((size_t)rounding < COUNT_OF(rounding_texts));
    return rounding_texts[rounding];
}

bool rounding_from_text(Str text, Rounding *ret_rounding)
{
    for (size_t i = 0; i < COUNT_OF(rounding_texts); i++) {
        if (str_eq(text, str_from_c(rounding_texts[i]))) {
            *ret_rounding = (Rounding)i;
            return true;
        }
    }
    return false;
}

/* Well defined for the least number too. */
static U128 magnitude_of(__int128 value)
{
    return value < 0 ? -(U128)value : (U128)value;
}

static __int128 with_sign(U128 magnitude, bool is_negative)
{
    return (__int128)(is_negative ? -magnitude : magnitude);
}

/* Whether a magnitude that lies `remainder` of `divisor` above the step `quotient` goes up one. */
static bool rounds_up(Rounding rounding, bool is_negative, bool is_odd, U128 remainder,
                      U128 divisor)
{
    if (remainder == 0)
        return false;
    /* remainder against divisor - remainder, as twice the remainder might not fit */
    U128 rest = divisor - remainder;
    switch (rounding) {
    case ROUNDING_HALF_EVEN:
        return remainder > rest || (remainder == rest && is_odd);
    case ROUNDING_HALF_AWAY:
        return remainder >= rest;
    case ROUNDING_HALF_UP:
        return is_negative ? remainder > rest : remainder >= rest;
    case ROUNDING_DOWN:
        return false;
    case ROUNDING_UP:
        return true;
    case ROUNDING_FLOOR:
        return is_negative;
    case ROUNDING_CEILING:
        return !is_negative;
    }
    ASSERT(false);
    return false;
}

__int128 rounding_divide(__int128 numerator, __int128 denominator, Rounding rounding)
{
    ASSERT(denominator > 0);
    bool is_negative = numerator < 0;
    U128 magnitude = magnitude_of(numerator);
    U128 divisor = (U128)denominator;
    U128 quotient = magnitude / divisor;
    U128 remainder = magnitude % divisor;
    if (rounds_up(rounding, is_negative, quotient & 1, remainder, divisor))
        quotient++;
    return with_sign(quotient, is_negative);
}

/* --- 256 bits --- */

static U256 multiply_wide(U128 a, U128 b)
{
    uint64_t a0 = (uint64_t)a;
    uint64_t a1 = (uint64_t)(a >> 64);
    uint64_t b0 = (uint64_t)b;
    uint64_t b1 = (uint64_t)(b >> 64);
    U128 low = (U128)a0 * b0;
    U128 cross = (U128)a1 * b0 + (low >> 64); /* cannot carry: (2^64-1)^2 + 2^64-1 < 2^128 */
    U128 other = (U128)a0 * b1 + (uint64_t)cross;
    return (U256){.high = (U128)a1 * b1 + (cross >> 64) + (other >> 64),
                  .low = (other << 64) | (uint64_t)low};
}

/* Long division by one 64-bit digit; false when the quotient has more than 128 bits. */
static bool divide_by_digit(U256 n, uint64_t divisor, U128 *ret_quotient, U128 *ret_remainder)
{
    if (n.high >= divisor) /* then the quotient is 2^128 or more */
        return false;
    U128 part = (n.high << 64) | (uint64_t)(n.low >> 64);
    U128 upper = part / divisor;
    part = ((part % divisor) << 64) | (uint64_t)n.low;
    *ret_quotient = (upper << 64) | (uint64_t)(part / divisor);
    *ret_remainder = part % divisor;
    return true;
}

/* Shift and subtract, a bit a step: for divisors of more than 64 bits, which are rare. The
   divisor is below 2^127, so the doubled remainder fits. */
static bool divide_by_bits(U256 n, U128 divisor, U128 *ret_quotient, U128 *ret_remainder)
{
    if (n.high >= divisor)
        return false;
    U128 remainder = n.high;
    U128 quotient = 0;
    for (int bit = 127; bit >= 0; bit--) {
        remainder = (remainder << 1) | ((n.low >> bit) & 1);
        quotient <<= 1;
        if (remainder >= divisor) {
            remainder -= divisor;
            quotient |= 1;
        }
    }
    *ret_quotient = quotient;
    *ret_remainder = remainder;
    return true;
}

/* (a * b) / divisor brought to a whole number, in range or false. */
static bool multiply_divide(U128 a, U128 b, U128 divisor, bool is_negative, Rounding rounding,
                            Decimal *ret_result)
{
    U256 product = multiply_wide(a, b);
    U128 quotient;
    U128 remainder;
    bool fits = true;
    if (product.high == 0) {
        quotient = product.low / divisor;
        remainder = product.low % divisor;
    } else if (divisor <= UINT64_MAX) {
        fits = divide_by_digit(product, (uint64_t)divisor, &quotient, &remainder);
    } else {
        fits = divide_by_bits(product, divisor, &quotient, &remainder);
    }
    if (!fits || quotient > UNITS_END)
        return false;
    if (rounds_up(rounding, is_negative, quotient & 1, remainder, divisor))
        quotient++;
    if (quotient > UNITS_END)
        return false;
    ret_result->units = with_sign(quotient, is_negative);
    return true;
}

/* --- arithmetic --- */

Decimal decimal_from_int(int64_t value)
{
    return (Decimal){.units = value * DECIMAL_ONE};
}

bool decimal_is_in_range(Decimal value)
{
    return magnitude_of(value.units) <= UNITS_END;
}

int decimal_cmp(Decimal a, Decimal b)
{
    return (a.units > b.units) - (a.units < b.units);
}

/* The sum of two numbers in range fits 128 bits by far. */
bool decimal_add(Decimal a, Decimal b, Decimal *ret_result)
{
    ASSERT(decimal_is_in_range(a) && decimal_is_in_range(b));
    Decimal sum = {.units = a.units + b.units};
    if (!decimal_is_in_range(sum))
        return false;
    *ret_result = sum;
    return true;
}

bool decimal_subtract(Decimal a, Decimal b, Decimal *ret_result)
{
    return decimal_add(a, (Decimal){.units = -b.units}, ret_result);
}

bool decimal_multiply(Decimal a, Decimal b, Rounding rounding, Decimal *ret_result)
{
    ASSERT(decimal_is_in_range(a) && decimal_is_in_range(b));
    return multiply_divide(magnitude_of(a.units), magnitude_of(b.units), (U128)DECIMAL_ONE,
                           (a.units < 0) != (b.units < 0), rounding, ret_result);
}

bool decimal_multiply_to_steps(Decimal a, Decimal b, int places, Rounding rounding,
                               int64_t *ret_steps)
{
    ASSERT(decimal_is_in_range(a) && decimal_is_in_range(b));
    ASSERT(places >= 0 && places <= DECIMAL_PLACES);
    U128 divisor = (U128)DECIMAL_ONE * powers_of_ten[DECIMAL_PLACES - places];
    Decimal steps; /* counts the steps and not units, but the arithmetic is the same */
    if (!multiply_divide(magnitude_of(a.units), magnitude_of(b.units), divisor,
                         (a.units < 0) != (b.units < 0), rounding, &steps))
        return false;
    if (steps.units > INT64_MAX || steps.units < INT64_MIN)
        return false;
    *ret_steps = (int64_t)steps.units;
    return true;
}

bool decimal_divide(Decimal a, Decimal b, Rounding rounding, Decimal *ret_result)
{
    ASSERT(decimal_is_in_range(a) && decimal_is_in_range(b));
    if (b.units == 0)
        return false;
    return multiply_divide(magnitude_of(a.units), (U128)DECIMAL_ONE, magnitude_of(b.units),
                           (a.units < 0) != (b.units < 0), rounding, ret_result);
}

bool decimal_scale(Decimal value, unsigned __int128 numerator, unsigned __int128 denominator,
                   Rounding rounding, Decimal *ret_result)
{
    ASSERT(decimal_is_in_range(value) && denominator != 0);
    return multiply_divide(magnitude_of(value.units), numerator, denominator, value.units < 0,
                           rounding, ret_result);
}

bool decimal_round(Decimal value, int places, Rounding rounding, Decimal *ret_result)
{
    if (places < 0)
        return false;
    if (places >= DECIMAL_PLACES) {
        *ret_result = value;
        return true;
    }
    __int128 step = powers_of_ten[DECIMAL_PLACES - places];
    Decimal rounded = {.units = rounding_divide(value.units, step, rounding) * step};
    if (!decimal_is_in_range(rounded))
        return false;
    *ret_result = rounded;
    return true;
}

double decimal_to_double(Decimal value)
{
    return (double)value.units / 1e8;
}

/* --- text --- */

/* The parts of [-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)? */
typedef struct {
    bool is_negative;
    Str whole;
    Str fraction;
    int64_t exponent;
} NumberText;

static Str take_digits(Str text, size_t *at)
{
    size_t from = *at;
    while (*at < text.len && text.ptr[*at] >= '0' && text.ptr[*at] <= '9')
        (*at)++;
    return str_slice(text, from, *at - from);
}

static bool take_sign(Str text, size_t *at)
{
    bool is_negative = *at < text.len && text.ptr[*at] == '-';
    if (*at < text.len && (text.ptr[*at] == '-' || text.ptr[*at] == '+'))
        (*at)++;
    return is_negative;
}

static bool take_exponent(Str text, size_t *at, int64_t *ret_exponent)
{
    bool is_negative = take_sign(text, at);
    Str digits = take_digits(text, at);
    if (digits.len == 0)
        return false;
    /* Past a million every number is zero or out of range, however long its text. */
    enum { EXPONENT_CAP = 100000000 };
    int64_t value = 0;
    for (size_t i = 0; i < digits.len && value < EXPONENT_CAP; i++)
        value = value * 10 + (digits.ptr[i] - '0');
    *ret_exponent = is_negative ? -value : value;
    return true;
}

static bool split_number(Str text, bool with_exponent, NumberText *ret_number)
{
    NumberText number = {0};
    size_t at = 0;
    number.is_negative = take_sign(text, &at);
    number.whole = take_digits(text, &at);
    if (number.whole.len == 0)
        return false;
    if (at < text.len && text.ptr[at] == '.') {
        at++;
        number.fraction = take_digits(text, &at);
        if (number.fraction.len == 0)
            return false;
    }
    if (with_exponent && at < text.len && (text.ptr[at] == 'e' || text.ptr[at] == 'E')) {
        at++;
        if (!take_exponent(text, &at, &number.exponent))
            return false;
    }
    *ret_number = number;
    return at == text.len;
}

/* Takes the digits in turn, each at its power of ten in units; below one unit the first digit
   decides the rounding and *ret_is_exact says whether anything was lost. */
static bool number_to_units(const NumberText *number, U128 *ret_units, bool *ret_is_exact)
{
    size_t digits = number->whole.len + number->fraction.len;
    int64_t power = (int64_t)number->whole.len + number->exponent - 1 + DECIMAL_PLACES;
    U128 units = 0;
    bool round_up = false;
    bool is_exact = true;
    size_t i = 0;
    for (; i < digits; i++, power--) {
        char c = i < number->whole.len ? number->whole.ptr[i]
                                       : number->fraction.ptr[i - number->whole.len];
        unsigned digit = (unsigned)(c - '0');
        if (power >= 0)
            units = units * 10 + digit;
        else if (power == -1)
            round_up = digit >= 5;
        if (power < 0 && digit != 0)
            is_exact = false;
        if (units >= UNITS_END)
            return false;
    }
    for (; power >= 0 && units > 0; power--) {
        units *= 10;
        if (units >= UNITS_END)
            return false;
    }
    units += round_up;
    *ret_units = units;
    *ret_is_exact = is_exact;
    return units < UNITS_END;
}

bool decimal_parse(Str text, Decimal *ret_value)
{
    NumberText number;
    U128 units;
    bool is_exact;
    if (!split_number(text, false, &number) || !number_to_units(&number, &units, &is_exact) ||
        !is_exact)
        return false;
    ret_value->units = with_sign(units, number.is_negative);
    return true;
}

bool decimal_parse_rounded(Str text, Decimal *ret_value)
{
    NumberText number;
    U128 units;
    bool is_exact;
    if (!split_number(text, true, &number) || !number_to_units(&number, &units, &is_exact))
        return false;
    ret_value->units = with_sign(units, number.is_negative);
    return true;
}

/* "-", at most 31 whole digits, ".", 8 digits, zero */
enum { DECIMAL_TEXT_MAX = 48 };

static Str format_units(Arena *arena, U128 magnitude, bool is_negative, int places)
{
    char text[DECIMAL_TEXT_MAX];
    size_t at = sizeof(text);
    uint32_t fraction = (uint32_t)(magnitude % (U128)DECIMAL_ONE);
    U128 whole = magnitude / (U128)DECIMAL_ONE;
    fraction /= powers_of_ten[DECIMAL_PLACES - places];
    for (int i = 0; i < places; i++, fraction /= 10)
        text[--at] = (char)('0' + fraction % 10);
    if (places > 0)
        text[--at] = '.';
    do {
        text[--at] = (char)('0' + (int)(whole % 10));
        whole /= 10;
    } while (whole > 0);
    if (is_negative)
        text[--at] = '-';
    return str_copy(arena, (Str){.ptr = text + at, .len = sizeof(text) - at});
}

Str decimal_format(Arena *arena, Decimal value)
{
    U128 magnitude = magnitude_of(value.units);
    int places = 0;
    while (places < DECIMAL_PLACES && magnitude % powers_of_ten[DECIMAL_PLACES - places] != 0)
        places++;
    return format_units(arena, magnitude, value.units < 0, places);
}

Str decimal_format_places(Arena *arena, Decimal value, int places)
{
    ASSERT(places >= 0 && places <= DECIMAL_PLACES);
    __int128 step = powers_of_ten[DECIMAL_PLACES - places];
    __int128 rounded = rounding_divide(value.units, step, ROUNDING_HALF_EVEN) * step;
    return format_units(arena, magnitude_of(rounded), rounded < 0, places);
}

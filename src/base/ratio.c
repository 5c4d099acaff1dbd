#include "base/ratio.h"

#include <gmp.h>

_Static_assert(sizeof(mp_limb_t) == sizeof(uint64_t), "limbs of 64 bits");

/* Both without leading zero limbs, without a common divisor, and one of them beyond 63 bits. */
struct RatioBig {
    size_t num_count;
    size_t den_count;
    const mp_limb_t *num;
    const mp_limb_t *den;
};

static const Ratio too_large = {.num = 0, .den = 0};

/* --- between small and large --- */

typedef unsigned __int128 U128;

static uint64_t magnitude(int64_t value)
{
    return value < 0 ? (uint64_t)0 - (uint64_t)value : (uint64_t)value;
}

static uint64_t divisor_of_small(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static U128 divisor_of(U128 a, U128 b)
{
    while (b != 0) {
        if (((a | b) >> 64) == 0)
            return divisor_of_small((uint64_t)a, (uint64_t)b);
        U128 rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static void set_magnitude(mpz_t out, U128 value)
{
    mpz_set_ui(out, (unsigned long)(value >> 64));
    mpz_mul_2exp(out, out, 64);
    mpz_add_ui(out, out, (unsigned long)(uint64_t)value);
}

static void to_mpq(mpq_t out, Ratio value)
{
    if (value.big == NULL) {
        mpz_set_si(mpq_numref(out), value.num);
        mpz_set_si(mpq_denref(out), value.den);
        return;
    }
    const RatioBig *big = value.big;
    mpz_t view;
    mpz_set(mpq_numref(out),
            mpz_roinit_n(view, big->num,
                         value.num < 0 ? -(mp_size_t)big->num_count : (mp_size_t)big->num_count));
    mpz_set(mpq_denref(out), mpz_roinit_n(view, big->den, (mp_size_t)big->den_count));
}

static const mp_limb_t *copy_limbs(Arena *arena, const mpz_t value, size_t *ret_count)
{
    *ret_count = mpz_size(value);
    return arena_copy(arena, mpz_limbs_read(value), *ret_count * sizeof(mp_limb_t));
}

/* The value must be canonical. */
static Ratio from_mpq(Arena *arena, const mpq_t value)
{
    const __mpz_struct *num = mpq_numref(value);
    const __mpz_struct *den = mpq_denref(value);
    if (mpz_fits_slong_p(num) && mpz_fits_slong_p(den))
        return (Ratio){.num = mpz_get_si(num), .den = mpz_get_si(den)};
    if (mpz_sizeinbase(num, 2) > RATIO_BITS_MAX || mpz_sizeinbase(den, 2) > RATIO_BITS_MAX)
        return too_large;
    RatioBig *big = ARENA_NEW(arena, RatioBig);
    big->num = copy_limbs(arena, num, &big->num_count);
    big->den = copy_limbs(arena, den, &big->den_count);
    return (Ratio){.num = mpz_sgn(num), .den = 1, .big = big};
}

/* A product or sum of small ones; not reduced yet. */
static Ratio from_parts(Arena *arena, bool is_negative, U128 num, U128 den)
{
    if (num == 0)
        return ratio_from_int(0);
    U128 divisor = divisor_of(num, den);
    num /= divisor;
    den /= divisor;
    if (num <= INT64_MAX && den <= INT64_MAX)
        return (Ratio){.num = is_negative ? -(int64_t)num : (int64_t)num, .den = (int64_t)den};
    mpq_t large;
    mpq_init(large);
    set_magnitude(mpq_numref(large), num);
    set_magnitude(mpq_denref(large), den);
    if (is_negative)
        mpq_neg(large, large);
    Ratio result = from_mpq(arena, large);
    mpq_clear(large);
    return result;
}

/* --- making --- */

Ratio ratio_from_int(int64_t value)
{
    return ratio_make(value, 1);
}

Ratio ratio_make(int64_t numerator, int64_t denominator)
{
    ASSERT(denominator != 0 && numerator != INT64_MIN && denominator != INT64_MIN);
    uint64_t divisor = divisor_of_small(magnitude(numerator), magnitude(denominator));
    uint64_t num = magnitude(numerator) / divisor;
    int64_t den = (int64_t)(magnitude(denominator) / divisor);
    bool is_negative = (numerator < 0) != (denominator < 0);
    return (Ratio){.num = is_negative ? -(int64_t)num : (int64_t)num, .den = den};
}

Ratio ratio_from_decimal(Arena *arena, Decimal value)
{
    bool is_negative = value.units < 0;
    U128 units = is_negative ? (U128)0 - (U128)value.units : (U128)value.units;
    return from_parts(arena, is_negative, units, (U128)DECIMAL_ONE);
}

enum { PARSE_DIGITS_MAX = 100, PARSE_EXPONENT_MAX = 100 };

typedef struct {
    char digits[PARSE_DIGITS_MAX + 1];
    size_t digit_count;
    int64_t places;
    bool is_negative;
} NumberText;

/* [-+]?digits[.digits][(e|E)[-+]digits] */
static bool scan_number(Str text, NumberText *number)
{
    size_t at = 0;
    bool has_point = false;
    bool has_digit = false;
    if (text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+'))
        number->is_negative = text.ptr[at++] == '-';
    for (; at < text.len && text.ptr[at] != 'e' && text.ptr[at] != 'E'; at++) {
        char c = text.ptr[at];
        if (c == '.' && !has_point && has_digit) {
            has_point = true;
            has_digit = false; /* one must follow */
            continue;
        }
        if (c < '0' || c > '9' || number->digit_count == PARSE_DIGITS_MAX)
            return false;
        has_digit = true;
        number->places += has_point;
        if (number->digit_count > 0 || c != '0')
            number->digits[number->digit_count++] = c;
    }
    if (!has_digit)
        return false;
    if (at == text.len)
        return true;
    int64_t exponent;
    Str rest = str_slice(text, at + 1, SIZE_MAX);
    if (rest.len > 1 && rest.ptr[0] == '+')
        rest = str_slice(rest, 1, SIZE_MAX);
    if (!str_to_int64(rest, &exponent) || exponent > PARSE_EXPONENT_MAX ||
        exponent < -PARSE_EXPONENT_MAX)
        return false;
    number->places -= exponent;
    return true;
}

bool ratio_parse(Arena *arena, Str text, Ratio *ret_value)
{
    NumberText number = {.digit_count = 0};
    if (!scan_number(text, &number))
        return false;
    if (number.digit_count == 0) {
        *ret_value = ratio_from_int(0);
        return true;
    }
    mpq_t value;
    mpz_t power;
    mpq_init(value);
    mpz_init(power);
    number.digits[number.digit_count] = '\0';
    ASSERT(mpz_set_str(mpq_numref(value), number.digits, 10) == 0);
    mpz_ui_pow_ui(power, 10, (unsigned long)(number.places < 0 ? -number.places : number.places));
    if (number.places < 0)
        mpz_mul(mpq_numref(value), mpq_numref(value), power);
    else
        mpz_set(mpq_denref(value), power);
    mpq_canonicalize(value);
    if (number.is_negative)
        mpq_neg(value, value);
    *ret_value = from_mpq(arena, value);
    mpz_clear(power);
    mpq_clear(value);
    return true;
}

/* --- arithmetic --- */

typedef void (*MpqFn)(mpq_ptr, mpq_srcptr, mpq_srcptr);

static Ratio by_mpq(Arena *arena, MpqFn operation, Ratio a, Ratio b)
{
    mpq_t left;
    mpq_t right;
    mpq_init(left);
    mpq_init(right);
    to_mpq(left, a);
    to_mpq(right, b);
    operation(left, left, right);
    Ratio result = from_mpq(arena, left);
    mpq_clear(left);
    mpq_clear(right);
    return result;
}

Ratio ratio_add(Arena *arena, Ratio a, Ratio b)
{
    if (a.den == 0 || b.den == 0)
        return too_large;
    if (a.big != NULL || b.big != NULL)
        return by_mpq(arena, mpq_add, a, b);
    if (a.den == 1 && b.den == 1) {
        int64_t sum;
        if (!__builtin_add_overflow(a.num, b.num, &sum) && sum != INT64_MIN)
            return (Ratio){.num = sum, .den = 1};
    }
    /* Each product is below 2^126 in size, so their sum fits. */
    __int128 sum = (__int128)a.num * b.den + (__int128)b.num * a.den;
    U128 den = (U128)a.den * (U128)b.den;
    return from_parts(arena, sum < 0, sum < 0 ? (U128)-sum : (U128)sum, den);
}

Ratio ratio_negate(Arena *arena, Ratio a)
{
    (void)arena;
    a.num = -a.num; /* never INT64_MIN; of a large one the sign */
    return a;
}

Ratio ratio_subtract(Arena *arena, Ratio a, Ratio b)
{
    return ratio_add(arena, a, ratio_negate(arena, b));
}

Ratio ratio_multiply(Arena *arena, Ratio a, Ratio b)
{
    if (a.den == 0 || b.den == 0)
        return too_large;
    if (a.big != NULL || b.big != NULL)
        return by_mpq(arena, mpq_mul, a, b);
    return from_parts(arena, (a.num < 0) != (b.num < 0), (U128)magnitude(a.num) * magnitude(b.num),
                      (U128)a.den * (U128)b.den);
}

Ratio ratio_divide(Arena *arena, Ratio a, Ratio b)
{
    if (a.den == 0 || b.den == 0)
        return too_large;
    ASSERT(b.num != 0);
    if (a.big != NULL || b.big != NULL)
        return by_mpq(arena, mpq_div, a, b);
    return from_parts(arena, (a.num < 0) != (b.num < 0), (U128)magnitude(a.num) * (U128)b.den,
                      (U128)a.den * magnitude(b.num));
}

int ratio_sign(Ratio a)
{
    return (a.num > 0) - (a.num < 0);
}

bool ratio_is_integer(Ratio a)
{
    if (a.big == NULL)
        return a.den == 1;
    return a.big->den_count == 1 && a.big->den[0] == 1;
}

int ratio_cmp(Ratio a, Ratio b)
{
    ASSERT(a.den != 0 && b.den != 0);
    if (a.big == NULL && b.big == NULL) {
        __int128 left = (__int128)a.num * b.den;
        __int128 right = (__int128)b.num * a.den;
        return (left > right) - (left < right);
    }
    mpq_t left;
    mpq_t right;
    mpq_init(left);
    mpq_init(right);
    to_mpq(left, a);
    to_mpq(right, b);
    int order = mpq_cmp(left, right);
    mpq_clear(left);
    mpq_clear(right);
    return (order > 0) - (order < 0);
}

/* --- to whole steps --- */

/* value * 10^places = quotient + rest / den, towards zero; rest and den are magnitudes. */
static void scale(Ratio value, int places, mpz_t quotient, mpz_t rest, mpz_t den)
{
    mpq_t all;
    mpq_init(all);
    to_mpq(all, value);
    mpz_ui_pow_ui(rest, 10, (unsigned long)places);
    mpz_mul(quotient, mpq_numref(all), rest);
    mpz_set(den, mpq_denref(all));
    mpz_tdiv_qr(quotient, rest, quotient, den);
    mpz_abs(rest, rest);
    mpq_clear(all);
}

/* Whether a magnitude with a rest is brought up: away from zero. `half` is the order of twice the
   rest and the denominator. */
static bool goes_away(Rounding rounding, bool is_negative, bool is_odd, int half)
{
    switch (rounding) {
    case ROUNDING_HALF_EVEN:
        return half > 0 || (half == 0 && is_odd);
    case ROUNDING_HALF_AWAY:
        return half >= 0;
    case ROUNDING_HALF_UP:
        return is_negative ? half > 0 : half >= 0;
    case ROUNDING_DOWN:
        return false;
    case ROUNDING_UP:
        return true;
    case ROUNDING_FLOOR:
        return is_negative;
    case ROUNDING_CEILING:
        return !is_negative;
    default:
        ASSERT(false);
    }
}

bool ratio_round_to_steps(Ratio value, int places, Rounding rounding, int64_t *ret_steps)
{
    ASSERT(places >= 0 && places <= 18);
    if (value.den == 0)
        return false;
    mpz_t quotient;
    mpz_t rest;
    mpz_t den;
    mpz_inits(quotient, rest, den, NULL);
    scale(value, places, quotient, rest, den);
    bool is_negative = value.num < 0;
    if (mpz_sgn(rest) != 0) {
        mpz_mul_2exp(rest, rest, 1);
        if (goes_away(rounding, is_negative, mpz_odd_p(quotient) != 0, mpz_cmp(rest, den))) {
            if (is_negative)
                mpz_sub_ui(quotient, quotient, 1);
            else
                mpz_add_ui(quotient, quotient, 1);
        }
    }
    bool fits = mpz_fits_slong_p(quotient) != 0;
    if (fits)
        *ret_steps = mpz_get_si(quotient);
    mpz_clears(quotient, rest, den, NULL);
    return fits;
}

bool ratio_floor(Arena *arena, Ratio value, int64_t *ret_whole, Ratio *ret_rest)
{
    int64_t whole;
    if (!ratio_round_to_steps(value, 0, ROUNDING_FLOOR, &whole) || whole == INT64_MIN)
        return false;
    *ret_whole = whole;
    *ret_rest = ratio_subtract(arena, value, ratio_from_int(whole));
    return true;
}

/* --- text --- */

Str ratio_format(Arena *arena, Ratio value, int least, int places)
{
    ASSERT(least >= 0 && least <= places && places <= 18);
    if (value.den == 0)
        return S("(too large)");
    mpz_t quotient;
    mpz_t rest;
    mpz_t den;
    mpz_inits(quotient, rest, den, NULL);
    scale(value, places, quotient, rest, den);
    mpz_mul_2exp(rest, rest, 1);
    mpz_abs(quotient, quotient);
    if (goes_away(ROUNDING_HALF_EVEN, false, mpz_odd_p(quotient) != 0, mpz_cmp(rest, den)))
        mpz_add_ui(quotient, quotient, 1);
    bool is_zero = mpz_sgn(quotient) == 0;
    size_t size = mpz_sizeinbase(quotient, 10) + 2 + (size_t)places;
    char *digits = arena_zalloc(arena, size);
    mpz_get_str(digits, 10, quotient);
    mpz_clears(quotient, rest, den, NULL);
    Str all = str_from_c(digits);
    while (all.len <= (size_t)places) /* "5" of two places is "005" */
        all = str_format(arena, "0%.*s", STR_ARG(all));
    Str whole = str_slice(all, 0, all.len - (size_t)places);
    Str part = str_slice(all, whole.len, SIZE_MAX);
    while (part.len > (size_t)least && part.ptr[part.len - 1] == '0')
        part.len--;
    return str_format(arena, "%s%.*s%s%.*s", value.num < 0 && !is_zero ? "-" : "", STR_ARG(whole),
                      part.len > 0 ? "." : "", STR_ARG(part));
}

Str ratio_format_exact(Arena *arena, Ratio value)
{
    if (value.den == 0)
        return S("(too large)");
    mpq_t all;
    mpq_init(all);
    to_mpq(all, value);
    size_t size = mpz_sizeinbase(mpq_numref(all), 10) + mpz_sizeinbase(mpq_denref(all), 10) + 3;
    char *text = arena_zalloc(arena, size);
    mpq_get_str(text, 10, all);
    mpq_clear(all);
    return str_from_c(text);
}

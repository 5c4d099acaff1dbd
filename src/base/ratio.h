/*
 * ratio -- exact fractions of any size, for what lies between the facts and a rounded amount.
 *
 * A Ratio is a numerator over a denominator without a common divisor. Small ones (64 bits each) are
 * held in the struct itself; larger ones have their digits in the arena that the operation was
 * given, by GMP. Nothing is ever rounded except by ratio_round_to_steps(), which is how an exact
 * amount becomes money.
 *
 * A fraction that grows past RATIO_BITS_MAX becomes "too large": it stays so through every further
 * operation, and whoever asks for the result tests ratio_is_valid() once. Values are immutable and
 * may be shared by threads.
 *
 *     Ratio share = ratio_divide(arena, savings, benchmark);
 *     if (ratio_is_valid(share) && ratio_cmp(share, minimum) >= 0) ...
 */
#pragma once

#include "base/decimal.h"

enum { RATIO_BITS_MAX = 1 << 18 };

typedef struct RatioBig RatioBig;

typedef struct {
    int64_t num;         /* bears the sign */
    int64_t den;         /* above zero; 0: too large */
    const RatioBig *big; /* when not NULL it holds the value, and num is only its sign */
} Ratio;

static inline bool ratio_is_valid(Ratio value)
{
    return value.den != 0;
}

Ratio ratio_from_int(int64_t value);
Ratio ratio_from_decimal(Arena *arena, Decimal value);
/* numerator / denominator; the denominator is not zero. */
Ratio ratio_make(int64_t numerator, int64_t denominator);
/* "-12.50", "0.46880000000000005", "1e-05": all digits are kept. false on other text (also "nan"
   and "inf"), more than 100 digits, or an exponent beyond 100. */
bool ratio_parse(Arena *arena, Str text, Ratio *ret_value);

Ratio ratio_add(Arena *arena, Ratio a, Ratio b);
Ratio ratio_subtract(Arena *arena, Ratio a, Ratio b);
Ratio ratio_multiply(Arena *arena, Ratio a, Ratio b);
/* Asserts that b is not zero. */
Ratio ratio_divide(Arena *arena, Ratio a, Ratio b);
Ratio ratio_negate(Arena *arena, Ratio a);
/* Below, at or above zero. Both must be valid. */
int ratio_cmp(Ratio a, Ratio b);
int ratio_sign(Ratio a);
bool ratio_is_integer(Ratio a);

/* The value in steps of 10^-places (0 to 18), rounded once; false when that is beyond 63 bits. */
MUST_USE bool ratio_round_to_steps(Ratio value, int places, Rounding rounding, int64_t *ret_steps);
/* The largest whole number not above the value, and what is left, at least 0 and below 1; false
   when the whole number is beyond 63 bits. */
MUST_USE bool ratio_floor(Arena *arena, Ratio value, int64_t *ret_whole, Ratio *ret_rest);
/* With at most `places` digits behind the point (0 to 18), rounded half-even, no trailing zeros but
   at least `least` of them. "(too large)" when it is; for people. */
Str ratio_format(Arena *arena, Ratio value, int least, int places);
/* "7/12", exact; for machines. */
Str ratio_format_exact(Arena *arena, Ratio value);

/*
 * decimal -- exact decimal numbers: 28 digits, 8 of them behind the point.
 *
 * This is the Decimal of CQL 1.5 and the rate of a contract: a signed 128-bit count of
 * hundred-millionths. Texts stand for +-(10^28 - 10^-8); results outside of +-10^28 are overflow:
 * the operation gives false and leaves *ret_result alone. Never a double on the way.
 */
#pragma once

#include "base/base.h"

#define DECIMAL_PLACES 8
#define DECIMAL_ONE    ((__int128)100000000)

typedef struct {
    __int128 units; /* of 10^-8 */
} Decimal;

/* How a result that lies between two steps is brought to one of them. */
typedef enum {
#define ROUNDING(name, text) ROUNDING_##name,
#include "base/rounding.def"
#undef ROUNDING
} Rounding;

const char *rounding_text(Rounding rounding);
bool rounding_from_text(Str text, Rounding *ret_rounding);
/* numerator / denominator brought to a whole number by the rule; denominator > 0. */
__int128 rounding_divide(__int128 numerator, __int128 denominator, Rounding rounding);

Decimal decimal_from_int(int64_t value);
/* "-12.50", ".5" no, "1." no, exponents no: [-+]?[0-9]+(\.[0-9]+)?; false on other text, too many
   whole digits, or more than 8 digits behind the point that are not zero (use decimal_parse_rounded
   then). */
bool decimal_parse(Str text, Decimal *ret_value);
/* As decimal_parse, also with an exponent ("1.5e-3"), rounding half away from zero at 8 places. */
bool decimal_parse_rounded(Str text, Decimal *ret_value);
/* Shortest text: no trailing zeros behind the point, no point for whole numbers, "0" for zero. */
Str decimal_format(Arena *arena, Decimal value);
/* With exactly `places` digits (0 to 8), rounded half-even for display. */
Str decimal_format_places(Arena *arena, Decimal value, int places);
int decimal_cmp(Decimal a, Decimal b);
bool decimal_is_in_range(Decimal value);
MUST_USE bool decimal_add(Decimal a, Decimal b, Decimal *ret_result);
MUST_USE bool decimal_subtract(Decimal a, Decimal b, Decimal *ret_result);
/* Products and quotients keep all digits inside (256 bits) and are rounded once, at 8 places. */
MUST_USE bool decimal_multiply(Decimal a, Decimal b, Rounding rounding, Decimal *ret_result);
/* a * b in steps of 10^-places (0 to 8), rounded once: what money is made of. false on overflow. */
MUST_USE bool decimal_multiply_to_steps(Decimal a, Decimal b, int places, Rounding rounding,
                                        int64_t *ret_steps);
/* false on division by zero too. */
MUST_USE bool decimal_divide(Decimal a, Decimal b, Rounding rounding, Decimal *ret_result);
/* value * numerator / denominator (which is not 0), all digits kept inside and rounded once. */
MUST_USE bool decimal_scale(Decimal value, unsigned __int128 numerator,
                            unsigned __int128 denominator, Rounding rounding, Decimal *ret_result);
MUST_USE bool decimal_round(Decimal value, int places, Rounding rounding, Decimal *ret_result);
double decimal_to_double(Decimal value); /* for statistics and display only */

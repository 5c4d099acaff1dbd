/*
 * money -- whole minor units of a currency, with checked arithmetic.
 *
 * An amount is an int64_t of minor units (cents, pence) beside a Currency; nothing adds amounts
 * of two currencies. Every operation that could overflow says so. Amounts come from rates
 * by money_from_rate() only, with the rounding rule that the contract names.
 */
#pragma once

#include "base/decimal.h"

/* ISO 4217: three capital letters and the number of digits of the minor unit. */
typedef struct {
    char code[4];
    uint8_t digits;
} Currency;

/* The currencies that Braid knows, from a table; false for an unknown code. */
bool currency_find(Str code, Currency *ret_currency);
MUST_USE bool money_add(int64_t a, int64_t b, int64_t *ret_sum);
/* rate is in major units: 2.50 dollars. quantity * rate, rounded once to minor units. */
MUST_USE bool money_from_rate(Decimal rate, Decimal quantity, Currency currency, Rounding rounding,
                              int64_t *ret_minor);
/* Splits total among weights (none negative, sum > 0) exactly, by largest remainder; ties go to
   the lower index. Works for negative totals by mirror image. false if no weight is positive. */
MUST_USE bool money_split(int64_t total, const int64_t *weights, size_t count, int64_t *ret_parts);
/* "-1234.50"; with the code in front when with_code: "USD 1234.50". */
Str money_format(Arena *arena, int64_t minor, Currency currency, bool with_code);
/* "1,234.50", for people. */
Str money_format_grouped(Arena *arena, int64_t minor, Currency currency);
MUST_USE bool money_parse(Str text, Currency currency, int64_t *ret_minor);

#include "base/money.h"

#include <stdlib.h>

static const Currency currencies[] = {
#define CURRENCY(code, digits) {#code, digits},
#include "base/currency.def"
#undef CURRENCY
};

static int compare_code(const void *key, const void *item)
{
    return memcmp(key, ((const Currency *)item)->code, 3);
}

bool currency_find(Str code, Currency *ret_currency)
{
    if (code.len != 3)
        return false;
    const Currency *found =
        bsearch(code.ptr, currencies, COUNT_OF(currencies), sizeof(currencies[0]), compare_code);
    if (found == NULL)
        return false;
    *ret_currency = *found;
    return true;
}

bool money_add(int64_t a, int64_t b, int64_t *ret_sum)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *ret_sum = sum;
    return true;
}

bool money_from_rate(Decimal rate, Decimal quantity, Currency currency, Rounding rounding,
                     int64_t *ret_minor)
{
    return decimal_multiply_to_steps(rate, quantity, currency.digits, rounding, ret_minor);
}

/* --- splitting --- */

typedef unsigned __int128 U128;

typedef struct {
    U128 remainder;
    size_t index;
} Share;

/* Larger remainders first, then lower indexes. */
static int compare_shares(const void *a, const void *b)
{
    const Share *left = a;
    const Share *right = b;
    if (left->remainder != right->remainder)
        return left->remainder > right->remainder ? -1 : 1;
    return (left->index > right->index) - (left->index < right->index);
}

/* Largest remainder (Hamilton): everyone gets the whole part of total * weight / sum, and the
   units left over, fewer than there are remainders, go one each to the largest remainders.
   A product of an amount and a weight has at most 126 bits. */
bool money_split(int64_t total, const int64_t *weights, size_t count, int64_t *ret_parts)
{
    U128 sum = 0;
    for (size_t i = 0; i < count; i++) {
        ASSERT(weights[i] >= 0);
        sum += (uint64_t)weights[i];
    }
    if (sum == 0)
        return false;
    bool is_negative = total < 0;
    U128 magnitude = is_negative ? -(U128)total : (U128)total;
    U128 left = magnitude;
    CLEANUP(arena_cleanup) Arena *scratch = arena_create(0);
    Share *shares = ARENA_ARRAY(scratch, Share, count);
    uint64_t *parts = ARENA_ARRAY(scratch, uint64_t, count);
    for (size_t i = 0; i < count; i++) {
        U128 product = magnitude * (uint64_t)weights[i];
        parts[i] = (uint64_t)(product / sum);
        shares[i] = (Share){.remainder = product % sum, .index = i};
        left -= parts[i];
    }
    qsort(shares, count, sizeof(Share), compare_shares);
    for (size_t i = 0; i < (size_t)left; i++)
        parts[shares[i].index]++;
    for (size_t i = 0; i < count; i++)
        ret_parts[i] = (int64_t)(is_negative ? -parts[i] : parts[i]);
    return true;
}

/* --- text --- */

/* Sign, 19 digits, their commas, point, code and blank. */
enum { MONEY_TEXT_MAX = 48, GROUP = 3 };

static Str format_minor(Arena *arena, int64_t minor, Currency currency, bool is_grouped)
{
    char text[MONEY_TEXT_MAX];
    size_t at = sizeof(text);
    uint64_t magnitude = minor < 0 ? -(uint64_t)minor : (uint64_t)minor;
    for (int i = 0; i < currency.digits; i++, magnitude /= 10)
        text[--at] = (char)('0' + magnitude % 10);
    if (currency.digits > 0)
        text[--at] = '.';
    int digits = 0;
    do {
        if (is_grouped && digits > 0 && digits % GROUP == 0)
            text[--at] = ',';
        text[--at] = (char)('0' + magnitude % 10);
        magnitude /= 10;
        digits++;
    } while (magnitude > 0);
    if (minor < 0)
        text[--at] = '-';
    return str_copy(arena, (Str){.ptr = text + at, .len = sizeof(text) - at});
}

Str money_format(Arena *arena, int64_t minor, Currency currency, bool with_code)
{
    Str text = format_minor(arena, minor, currency, false);
    return with_code ? str_format(arena, "%s %.*s", currency.code, STR_ARG(text)) : text;
}

Str money_format_grouped(Arena *arena, int64_t minor, Currency currency)
{
    return format_minor(arena, minor, currency, true);
}

/* As a decimal of the major unit that has no more places than the currency. */
bool money_parse(Str text, Currency currency, int64_t *ret_minor)
{
    Decimal major;
    Decimal rounded;
    if (!decimal_parse(text, &major) ||
        !decimal_round(major, currency.digits, ROUNDING_DOWN, &rounded) ||
        decimal_cmp(major, rounded) != 0)
        return false;
    return decimal_multiply_to_steps(major, decimal_from_int(1), currency.digits, ROUNDING_DOWN,
                                     ret_minor);
}

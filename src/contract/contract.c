/* Questions to a checked contract, for whoever works it out. */
#include "contract/contract.h"

#include "contract/contract_int.h"

const ClauseNode *clause_find(const Clause *clause, Primitive primitive)
{
    for (size_t i = 0; i < clause->node_count; i++)
        if (clause->nodes[i].primitive == primitive)
            return &clause->nodes[i];
    return NULL;
}

const Clause *contract_find_clause(const Contract *contract, Str id)
{
    for (size_t i = 0; i < contract->clause_count; i++)
        if (str_eq(contract->clauses[i].id, id))
            return &contract->clauses[i];
    return NULL;
}

size_t contract_indicators(const Contract *contract, Arena *arena, const Str **ret_ids)
{
    StrVec ids = {0};
    for (size_t i = 0; i < contract->clause_count; i++) {
        const ClauseNode *node = clause_find(&contract->clauses[i], PRIMITIVE_GATE);
        for (size_t k = 0; node != NULL && k < node->as.gate.indicator_count; k++) {
            Str id = node->as.gate.indicators[k];
            if (contract_words_find((Words){ids.items, ids.count}, id) == SIZE_MAX)
                VEC_PUSH(arena, &ids, id);
        }
    }
    *ret_ids = ids.items;
    return ids.count;
}

/* amount = round(quantity x rate), or quantity x round(rate) where each person is rounded. */
bool contract_amount(const Contract *contract, const RateCell *cell, int64_t quantity,
                     int64_t *ret_minor)
{
    if (contract->round_at == ROUND_AT_LINE)
        return money_from_rate(cell->amount, decimal_from_int(quantity), contract->currency,
                               contract->rounding, ret_minor);
    int64_t each;
    int64_t total;
    if (!money_from_rate(cell->amount, decimal_from_int(1), contract->currency, contract->rounding,
                         &each) ||
        __builtin_mul_overflow(each, quantity, &total))
        return false;
    *ret_minor = total;
    return true;
}

static int32_t months_of(TimingEvery every)
{
    return every == EVERY_YEAR ? 12 : 1;
}

size_t contract_period_count(const Contract *contract, TimingEvery every)
{
    return (size_t)(contract->month_count / months_of(every));
}

void contract_period(const Contract *contract, TimingEvery every, size_t index, int32_t *ret_first,
                     int32_t *ret_last)
{
    ASSERT(index < contract_period_count(contract, every));
    int32_t months = months_of(every);
    *ret_first = day_add_months(contract->first_day, (int32_t)index * months);
    *ret_last = day_add_months(contract->first_day, ((int32_t)index + 1) * months) - 1;
}

int32_t contract_basis_day(BasisDay day, int32_t first, int32_t last)
{
    switch (day) {
    case BASIS_DAY_FIRST:
        return first;
    case BASIS_DAY_FIFTEENTH:
        return first + 14;
    case BASIS_DAY_LAST:
        return last;
    case BASIS_DAY_END:
        return last + 1;
    default:
        ASSERT(false);
    }
}

Str contract_rate_text(const Contract *contract, Decimal amount, Arena *arena)
{
    __int128 step = 1;
    for (int i = contract->currency.digits; i < DECIMAL_PLACES; i++)
        step *= 10;
    Str number = amount.units % step == 0
                     ? decimal_format_places(arena, amount, contract->currency.digits)
                     : decimal_format(arena, amount);
    return str_format(arena, "%s %.*s", contract->currency.code, STR_ARG(number));
}

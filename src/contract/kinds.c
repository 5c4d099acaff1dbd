/* The kinds of clause and the words of the language, from their tables. */
#include "contract/contract.h"

#include "contract_clauses.h"

const ClauseKind *contract_kinds(size_t *ret_count)
{
    *ret_count = COUNT_OF(clause_kinds);
    return clause_kinds;
}

const ClauseKind *contract_find_kind(Str name)
{
    for (size_t i = 0; i < COUNT_OF(clause_kinds); i++)
        if (str_eq(clause_kinds[i].name, name))
            return &clause_kinds[i];
    return NULL;
}

const char *contract_unit_says(BasisUnit unit)
{
    static const char *const says[] = {
#define CHOICE_UNIT(name, text, meaning) meaning,
#include "contract/choice.def"
#undef CHOICE_UNIT
    };
    ASSERT((size_t)unit < COUNT_OF(says));
    return says[unit];
}

const char *contract_day_says(BasisDay day)
{
    static const char *const says[] = {
#define CHOICE_DAY(name, text, meaning) meaning,
#include "contract/choice.def"
#undef CHOICE_DAY
    };
    ASSERT((size_t)day < COUNT_OF(says));
    return says[day];
}

const char *contract_every_text(TimingEvery every)
{
    static const char *const texts[] = {
#define CHOICE_EVERY(name, text, meaning) text,
#include "contract/choice.def"
#undef CHOICE_EVERY
    };
    ASSERT((size_t)every < COUNT_OF(texts));
    return texts[every];
}

const char *contract_round_at_says(RoundAt at)
{
    static const char *const says[] = {
#define CHOICE_ROUND_AT(name, text, meaning) meaning,
#include "contract/choice.def"
#undef CHOICE_ROUND_AT
    };
    ASSERT((size_t)at < COUNT_OF(says));
    return says[at];
}


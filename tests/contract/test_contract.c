/* What a good contract becomes: its parts, the look-up of rates, amounts, and the explanation. */
#include "base/io.h"
#include "base/test.h"
#include "contract/contract.h"

#include <stdlib.h>

static Str read_case(Arena *arena, Str path)
{
    Error err = {0};
    Str text = {0};
    CHECK_OK(io_read_file(arena, path, 0, &text, &err), &err);
    return text;
}

static const Contract *check_file(Arena *arena, Str path)
{
    DiagList diags;
    diag_init(&diags, arena);
    const Contract *contract = NULL;
    ErrorCode code = contract_check(arena, read_case(arena, path), path, NULL, &diags, &contract);
    CHECK_INT(code, ERR_OK);
    VEC_FOREACH (Diag, diag, &diags.kept) {
        StrBuf out;
        strbuf_init(&out, arena, 0);
        diag_format(diag, &out);
        CHECK_STR(strbuf_str(&out), S(""));
    }
    return contract;
}

TEST(starter_contract_has_its_parts)
{
    const Contract *contract = check_file(arena, S("programmes/starter/contract.yaml"));
    if (contract == NULL)
        return;
    CHECK_STR(contract->id, S("starter-2020"));
    CHECK_INT(contract->month_count, 12);
    CHECK_INT(contract->party_count, 2);
    CHECK_INT(contract->clause_count, 2);
    CHECK_INT(contract->attribution.months, 24);
    CHECK_INT(contract->rate_digits, 2);

    const Clause *fee = contract_find_clause(contract, S("care-management-fee"));
    CHECK_INT(fee->node_count, 3);
    const Basis *basis = &clause_find(fee, PRIMITIVE_BASIS)->as.basis;
    CHECK_INT(basis->unit, UNIT_MEMBER_MONTH);
    CHECK_INT(basis->day, BASIS_DAY_FIRST);
    CHECK(basis->must_be_alive);
    CHECK(clause_find(fee, PRIMITIVE_GATE) == NULL);

    const Clause *quality = contract_find_clause(contract, S("quality-achieved"));
    CHECK_INT(quality->node_count, 4);
    CHECK_INT(clause_find(quality, PRIMITIVE_GATE)->as.gate.indicator_count, 6);
    CHECK_INT(clause_find(quality, PRIMITIVE_BASIS)->as.basis.day, BASIS_DAY_END);
    CHECK(!clause_find(quality, PRIMITIVE_BASIS)->as.basis.must_be_alive);
    CHECK_INT(clause_find(quality, PRIMITIVE_TIMING)->as.timing.every, EVERY_YEAR);
    const Str *indicators;
    CHECK_INT(contract_indicators(contract, arena, &indicators), 6);
}

/* A clause takes only from primitives before it: there is no cycle to find. */
TEST(nodes_take_from_earlier_nodes)
{
    const Contract *contract = check_file(arena, S("tests/contract/cases/every-word.yaml"));
    for (size_t i = 0; contract != NULL && i < contract->clause_count; i++) {
        const Clause *clause = &contract->clauses[i];
        for (size_t k = 0; k < clause->node_count; k++)
            CHECK(k == 0 ? clause->nodes[k].input == CLAUSE_NODE_NONE : clause->nodes[k].input < k);
    }
}

TEST(rate_cell_is_found_by_values)
{
    const Contract *contract = check_file(arena, S("tests/contract/cases/every-word.yaml"));
    if (contract == NULL)
        return;
    const RateTable *table =
        &clause_find(contract_find_clause(contract, S("fee")), PRIMITIVE_RATE)->as.rate;
    /* clang-format off */
    static const struct {
        const char *row;
        int32_t age;
        RateSex sex;
        const char *label;
    } rows[] = {
        {"new-born",          0,    RATE_SEX_MALE,    "age under 15"},
        {"last under",        14,   RATE_SEX_UNKNOWN, "age under 15"},
        {"first from",        15,   RATE_SEX_FEMALE,  "age 15 to 44, female"},
        {"same age, others",  15,   RATE_SEX_MALE,    "age 15 to 44, unknown or male or other"},
        {"others",            44,   RATE_SEX_OTHER,   "age 15 to 44, unknown or male or other"},
        {"no upper bound",    45,   RATE_SEX_MALE,    "age from 45"},
        {"older than tables", 1000, RATE_SEX_FEMALE,  "age from 45"},
    };
    /* clang-format on */
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int32_t values[ATTRIBUTE_COUNT] = {0};
        values[ATTRIBUTE_AGE] = rows[i].age;
        values[ATTRIBUTE_SEX] = rows[i].sex;
        CHECK_ROW_STR(rows[i].row, table->cells[rate_cell(table, values)].label,
                      str_from_c(rows[i].label));
    }
}

/* 1,000 persons at EUR 310.24 a year for one month: by line 25,853.33, by person 25,850.00. */
TEST(amounts_are_rounded_where_the_contract_says)
{
    RateCell cell = {.amount = {.units = 2585333333}}; /* 310.24 / 12 = 25.85333333 */
    Contract contract = {.currency = {.code = "EUR", .digits = 2}, .rounding = ROUNDING_HALF_EVEN};
    int64_t amount = 0;
    contract.round_at = ROUND_AT_LINE;
    CHECK(contract_amount(&contract, &cell, 1000, &amount));
    CHECK_INT(amount, 2585333);
    contract.round_at = ROUND_AT_PERSON;
    CHECK(contract_amount(&contract, &cell, 1000, &amount));
    CHECK_INT(amount, 2585000);
}

TEST(amount_that_overflows_is_refused)
{
    RateCell cell = {.amount = {.units = (__int128)1000000000 * DECIMAL_ONE}};
    Contract contract = {.currency = {.code = "USD", .digits = 2}};
    int64_t amount = 7;
    CHECK(!contract_amount(&contract, &cell, INT64_MAX / 2, &amount));
    contract.round_at = ROUND_AT_PERSON;
    CHECK(!contract_amount(&contract, &cell, INT64_MAX / 2, &amount));
    CHECK_INT(amount, 7);
}

TEST(periods_are_months_and_years_of_the_contract)
{
    Contract contract = {.first_day = day_from_date(2019, 7, 1),
                         .last_day = day_from_date(2021, 6, 30),
                         .month_count = 24};
    int32_t first;
    int32_t last;
    CHECK_INT(contract_period_count(&contract, EVERY_MONTH), 24);
    CHECK_INT(contract_period_count(&contract, EVERY_YEAR), 2);
    contract_period(&contract, EVERY_MONTH, 7, &first, &last);
    CHECK_INT(first, day_from_date(2020, 2, 1));
    CHECK_INT(last, day_from_date(2020, 2, 29));
    contract_period(&contract, EVERY_YEAR, 1, &first, &last);
    CHECK_INT(first, day_from_date(2020, 7, 1));
    CHECK_INT(last, contract.last_day);
    CHECK_INT(contract_basis_day(BASIS_DAY_FIRST, first, last), first);
    CHECK_INT(contract_basis_day(BASIS_DAY_FIFTEENTH, first, last), day_from_date(2020, 7, 15));
    CHECK_INT(contract_basis_day(BASIS_DAY_LAST, first, last), last);
    CHECK_INT(contract_basis_day(BASIS_DAY_END, first, last), last + 1);
}

/* The explanation is compared with a file; BRAID_GOLDEN=1 writes it anew. */
static void check_golden(Arena *arena, Str contract_path, Str golden_path)
{
    const Contract *contract = check_file(arena, contract_path);
    if (contract == NULL)
        return;
    StrBuf out;
    strbuf_init(&out, arena, 0);
    contract_explain(contract, &out);
    Error err = {0};
    if (getenv("BRAID_GOLDEN") != NULL)
        CHECK_OK(io_write_file(golden_path, strbuf_str(&out), &err), &err);
    CHECK_STR(strbuf_str(&out), read_case(arena, golden_path));
    StrBuf again;
    strbuf_init(&again, arena, 0);
    contract_explain(check_file(arena, contract_path), &again);
    CHECK_STR(strbuf_str(&again), strbuf_str(&out));
}

TEST(explanation_of_the_starter_contract)
{
    check_golden(arena, S("programmes/starter/contract.yaml"),
                 S("tests/contract/cases/starter.explained"));
}

/* What docs/contracts.md gives as a whole contract is one. */
TEST(the_contract_of_the_documentation_is_one)
{
    Str page = read_case(arena, S("docs/contracts.md"));
    size_t from = str_find(page, S("```yaml\ncontract:"));
    if (!CHECK(from != SIZE_MAX))
        return;
    Str text = str_slice(page, from + strlen("```yaml\n"), SIZE_MAX);
    text = str_slice(text, 0, str_find(text, S("```")));
    DiagList diags;
    const Contract *contract = NULL;
    diag_init(&diags, arena);
    CHECK_INT(contract_check(arena, text, S("docs/contracts.md"), NULL, &diags, &contract), ERR_OK);
    CHECK_INT(diags.kept.count, 0);
}

TEST(explanation_of_every_word)
{
    check_golden(arena, S("tests/contract/cases/every-word.yaml"),
                 S("tests/contract/cases/every-word.explained"));
}

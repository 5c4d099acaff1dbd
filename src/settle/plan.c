/* The contract made ready for counting: periods, the days that decide, indicators as numbers. */
#include "settle/settle_int.h"

#include <stdlib.h>

_Static_assert((int)RATE_SEX_UNKNOWN == (int)SEX_UNKNOWN &&
                   (int)RATE_SEX_FEMALE == (int)SEX_FEMALE && (int)RATE_SEX_MALE == (int)SEX_MALE &&
                   (int)RATE_SEX_OTHER == (int)SEX_OTHER,
               "the sexes of a rate table are those of a record");

typedef Vec(int32_t) DayVec;

static Str period_text(Arena *arena, int32_t first, int32_t last, TimingEvery every)
{
    Str from = str_slice(day_format(arena, first), 0, 7);
    if (every == EVERY_MONTH)
        return from;
    Str to = str_slice(day_format(arena, last), 0, 7);
    return str_format(arena, "%.*s..%.*s", STR_ARG(from), STR_ARG(to));
}

static void plan_periods(Arena *arena, PlanClause *plan, const Contract *contract,
                         int32_t through_day, DayVec *days)
{
    TimingEvery every = clause_find(plan->clause, PRIMITIVE_TIMING)->as.timing.every;
    size_t count = contract_period_count(contract, every);
    plan->periods = ARENA_ZARRAY(arena, PlanPeriod, count);
    for (size_t i = 0; i < count; i++) {
        int32_t first;
        int32_t last;
        contract_period(contract, every, i, &first, &last);
        if (through_day != DAY_NONE && last > through_day)
            break;
        PlanPeriod *period = &plan->periods[plan->period_count++];
        period->first_day = first;
        period->last_day = last;
        period->alive_day = contract_basis_day(plan->basis->alive_day, first, last);
        period->text = period_text(arena, first, last, every);
        VEC_PUSH(arena, days, contract_basis_day(plan->basis->day, first, last));
    }
}

static int compare_days(const void *a, const void *b)
{
    int32_t left = *(const int32_t *)a;
    int32_t right = *(const int32_t *)b;
    return (left > right) - (left < right);
}

/* Sorts the days, each once, and gives each period the number of its own. */
static void number_days(SettlePlan *plan, DayVec *days)
{
    size_t count = 0;
    if (days->items == NULL) /* no period at all, so none needs a day */
        return;
    qsort(days->items, days->count, sizeof(int32_t), compare_days);
    for (size_t i = 0; i < days->count; i++)
        if (count == 0 || days->items[count - 1] != days->items[i])
            days->items[count++] = days->items[i];
    plan->days = days->items;
    plan->day_count = count;
    for (size_t i = 0; i < plan->clause_count; i++) {
        PlanClause *clause = &plan->clauses[i];
        for (size_t k = 0; k < clause->period_count; k++) {
            PlanPeriod *period = &clause->periods[k];
            int32_t day =
                contract_basis_day(clause->basis->day, period->first_day, period->last_day);
            const int32_t *found = bsearch(&day, days->items, count, sizeof(int32_t), compare_days);
            period->decision = (uint32_t)(found - days->items);
        }
    }
}

static void complain(DiagList *diags, const Clause *clause, const char *rule, Str text)
{
    diag_add(diags, &(Diag){.severity = SEVERITY_ERROR,
                            .line = clause->line,
                            .rule = str_from_c(rule),
                            .path = clause->id,
                            .text = text});
}

/* The gate's indicators in the measures, which must be of the periods that are paid for. */
static void plan_gate(Arena *arena, PlanClause *plan, const MeasureResults *measures,
                      DiagList *diags)
{
    const MeasureSpec *spec = measures == NULL ? NULL : measure_results_spec(measures);
    if (spec == NULL) {
        complain(diags, plan->clause, "settle-no-measures",
                 S("pays for indicators, and there are no measures; measure first"));
        return;
    }
    size_t *indicators = ARENA_ARRAY(arena, size_t, plan->gate->indicator_count);
    for (size_t i = 0; i < plan->gate->indicator_count; i++) {
        Str id = plan->gate->indicators[i];
        indicators[i] = measure_find_indicator(spec, id);
        if (indicators[i] == SIZE_MAX)
            complain(diags, plan->clause, "settle-unknown-indicator",
                     str_format(arena, "the measures have no indicator \"%.*s\"", STR_ARG(id)));
    }
    for (size_t i = 0; i < plan->period_count; i++) {
        const PlanPeriod *period = &plan->periods[i];
        if (period->first_day == spec->period_first && period->last_day == spec->period_last)
            continue;
        Str from = day_format(arena, spec->period_first);
        Str to = day_format(arena, spec->period_last);
        complain(diags, plan->clause, "settle-measures-period",
                 str_format(arena, "pays for %.*s, and the measures are of %.*s to %.*s",
                            STR_ARG(period->text), STR_ARG(from), STR_ARG(to)));
    }
    plan->indicators = indicators;
}

static ErrorCode check_size(const PlanClause *plan, Error *err)
{
    enum { COUNTS_MAX = 4000000 };
    size_t counts = plan->period_count * plan->option_count * plan->rate->cell_count;
    if (counts > COUNTS_MAX)
        return error_set(err, ERR_LIMIT,
                         "clause %.*s: %zu periods, indicators and cells; at most %d can be "
                         "settled at once",
                         STR_ARG(plan->clause->id), counts, COUNTS_MAX);
    return ERR_OK;
}

ErrorCode settle_plan_create(Arena *arena, const SettleInput *input, int32_t through_day,
                             DiagList *diags, SettlePlan **ret_plan, Error *err)
{
    const Contract *contract = input->contract;
    size_t errors = diags->counts[SEVERITY_ERROR];
    SettlePlan *plan = ARENA_NEW(arena, SettlePlan);
    DayVec days = {0};
    plan->contract = contract;
    plan->input = input;
    plan->clauses = ARENA_ZARRAY(arena, PlanClause, contract->clause_count);
    plan->clause_count = contract->clause_count;
    for (size_t i = 0; i < contract->clause_count; i++) {
        PlanClause *clause = &plan->clauses[i];
        clause->clause = &contract->clauses[i];
        if (clause->clause->is_graph) {
            complain(diags, clause->clause, "settle-needs-tables",
                     S("is worked out from inputs, and persons are no inputs yet; settle the "
                       "contract with --aggregates"));
            continue;
        }
        clause->basis = &clause_find(clause->clause, PRIMITIVE_BASIS)->as.basis;
        clause->rate = &clause_find(clause->clause, PRIMITIVE_RATE)->as.rate;
        clause->needs_age = clause->rate->uses[ATTRIBUTE_AGE];
        clause->option_count = 1;
        plan_periods(arena, clause, contract, through_day, &days);
        const ClauseNode *gate = clause_find(clause->clause, PRIMITIVE_GATE);
        if (gate != NULL) {
            clause->gate = &gate->as.gate;
            clause->option_count = clause->gate->indicator_count;
            plan_gate(arena, clause, input->measures, diags);
        }
        ErrorCode code = check_size(clause, err);
        if (code != ERR_OK)
            return code;
    }
    if (diags->counts[SEVERITY_ERROR] != errors)
        return diag_to_error(diags, err);
    number_days(plan, &days);
    *ret_plan = plan;
    return ERR_OK;
}

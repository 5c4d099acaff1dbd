/* Lines from the counts of buckets, and groups of lines: what is posted as one. */
#include "settle/settle_int.h"

typedef Vec(SettleLine) LineVec;
typedef Vec(SettleGroup) GroupVec;

typedef struct {
    Arena *arena;
    const SettlePlan *plan;
    LineVec lines;
    GroupVec groups;
    int64_t total_minor;
} LineMaker;

/* "412 member months", "1 person" */
static Str quantity_text(Arena *arena, int64_t quantity, BasisUnit unit)
{
    Str words = str_from_c(contract_unit_says(unit));
    if (quantity == 1) /* the words are plural, in s */
        words = str_slice(words, 0, words.len - 1);
    return str_format(arena, "%lld %.*s", (long long)quantity, STR_ARG(words));
}

/* "412 member months at USD 2.50 (age under 65)" */
static Str line_reason(const LineMaker *maker, const PlanClause *clause, const SettleLine *line)
{
    const RateCell *cell = &clause->rate->cells[line->cell];
    Str rate = contract_rate_text(maker->plan->contract, cell->amount, maker->arena);
    Str quantity = quantity_text(maker->arena, line->quantity, clause->basis->unit);
    if (clause->gate != NULL)
        return str_format(maker->arena, "%.*s achieved %.*s, at %.*s (%.*s)", STR_ARG(quantity),
                          STR_ARG(line->indicator), STR_ARG(rate), STR_ARG(cell->label));
    return str_format(maker->arena, "%.*s at %.*s (%.*s)", STR_ARG(quantity), STR_ARG(rate),
                      STR_ARG(cell->label));
}

static ErrorCode add_line(LineMaker *maker, const Bucket *bucket, SettleLine line, Error *err)
{
    const PlanClause *clause = &maker->plan->clauses[bucket->clause];
    const PlanPeriod *period = &clause->periods[line.period_index];
    const RateCell *cell = &clause->rate->cells[line.cell];
    line.practice = bucket->practice;
    line.practice_name = bucket->name;
    line.clause = clause->clause;
    line.period = period->text;
    line.first_day = period->first_day;
    line.last_day = period->last_day;
    line.cell_label = cell->label;
    line.detail = bucket->detail;
    if (!contract_amount(maker->plan->contract, cell, line.quantity, &line.amount_minor) ||
        !money_add(maker->total_minor, line.amount_minor, &maker->total_minor))
        return error_set(err, ERR_OVERFLOW, "clause %.*s, practice %.*s: amount out of range",
                         STR_ARG(clause->clause->id), STR_ARG(bucket->practice));
    line.reason = line_reason(maker, clause, &line);
    SettleGroup *group = &maker->groups.items[maker->groups.count - 1];
    group->line_count++;
    group->amount_minor += line.amount_minor; /* no more than the total */
    VEC_PUSH(maker->arena, &maker->lines, line);
    return ERR_OK;
}

static ErrorCode add_period(LineMaker *maker, const Bucket *bucket, size_t period, Error *err)
{
    const PlanClause *clause = &maker->plan->clauses[bucket->clause];
    size_t cells = clause->rate->cell_count;
    const int64_t *counts = &bucket->counts[period * clause->option_count * cells];
    SettleGroup group = {.first_line = maker->lines.count, .data_version = bucket->detail};
    VEC_PUSH(maker->arena, &maker->groups, group);
    for (size_t option = 0; option < clause->option_count; option++) {
        for (size_t cell = 0; cell < cells; cell++) {
            int64_t quantity = counts[option * cells + cell];
            if (quantity == 0)
                continue;
            SettleLine line = {
                .period_index = (uint32_t)period, .cell = (uint32_t)cell, .quantity = quantity};
            if (clause->gate != NULL)
                line.indicator = clause->gate->indicators[option];
            ErrorCode code = add_line(maker, bucket, line, err);
            if (code != ERR_OK)
                return code;
        }
    }
    if (maker->lines.count == group.first_line)
        maker->groups.count--;
    return ERR_OK;
}

ErrorCode settle_make_lines(Arena *arena, const SettlePlan *plan, const Buckets *buckets,
                            SettleResult *result, Error *err)
{
    LineMaker maker = {.arena = arena, .plan = plan};
    for (size_t i = 0; i < buckets->bucket_count; i++) {
        const Bucket *bucket = &buckets->buckets[i];
        size_t periods = plan->clauses[bucket->clause].period_count;
        for (size_t period = 0; period < periods; period++) {
            ErrorCode code = add_period(&maker, bucket, period, err);
            if (code != ERR_OK)
                return code;
        }
    }
    result->lines = maker.lines.items;
    result->line_count = maker.lines.count;
    result->groups = maker.groups.items;
    result->group_count = maker.groups.count;
    result->total_minor = maker.total_minor;
    return ERR_OK;
}

size_t settle_practices(const SettleResult *result, Arena *arena, const Str **ret_ids)
{
    Str *ids = ARENA_ARRAY(arena, Str, result->line_count + 1);
    size_t count = 0;
    for (size_t i = 0; i < result->line_count; i++)
        if (count == 0 || !str_eq(ids[count - 1], result->lines[i].practice))
            ids[count++] = result->lines[i].practice;
    *ret_ids = ids;
    return count;
}

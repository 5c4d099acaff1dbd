/* A run from end to end. */
#include "settle/settle.h"

#include "settle/settle_int.h"

static void gather(const Facts *facts, const Store *store, SettleResult *result, DiagList *diags)
{
    result->persons = store_info(store)->persons;
    for (size_t i = 0; i < facts->part_count; i++) {
        const PartFacts *part = &facts->parts[i];
        diag_append(diags, &part->diags);
        result->persons_paid += part->persons_paid;
        result->persons_unattributed += part->persons_unattributed;
        result->person_periods_unattributed += part->person_periods_unattributed;
        result->persons_death_undated += part->persons_death_undated;
    }
}

static ErrorCode refuse(const DiagList *diags, Error *err)
{
    Error first = {0};
    (void)!diag_to_error(diags, &first);
    return error_set(err, ERR_REFUSED, "nothing was settled: %s", first.message);
}

/* Facts, detail and lines; then nothing of the pass is needed any more. */
static ErrorCode work_out(Arena *arena, const SettlePlan *plan, const SettleOptions *options,
                          DiagList *diags, SettleResult *result, Error *err)
{
    const Store *store = plan->input->store;
    Str folder = settle_folder(arena, options->out);
    Facts facts;
    Buckets buckets;
    size_t errors = diags->counts[SEVERITY_ERROR];
    settle_facts_init(&facts, arena, store_partition_count(store));
    ErrorCode code = settle_count(plan, options, &facts, err);
    if (code == ERR_OK) {
        gather(&facts, store, result, diags);
        if (diags->counts[SEVERITY_ERROR] != errors)
            code = refuse(diags, err);
    }
    if (code == ERR_OK)
        code = settle_buckets(arena, plan, &facts, &buckets, err);
    if (code == ERR_OK)
        code = settle_write_details(arena, plan, &facts, &buckets, options, err);
    if (code == ERR_OK)
        code = settle_make_lines(arena, plan, &buckets, result, err);
    if (code == ERR_OK)
        code = settle_write_unpaid(plan, &facts, folder, err);
    settle_facts_done(&facts);
    return code;
}

static ErrorCode run_locked(Arena *arena, const SettleInput *input, const SettleOptions *options,
                            DiagList *diags, SettleResult *result, Error *err)
{
    Str folder = settle_folder(arena, options->out);
    SettlePlan *plan;
    Str run = S("");
    ErrorCode code = settle_plan_create(arena, input, options->through_day, diags, &plan, err);
    if (code == ERR_OK)
        code = work_out(arena, plan, options, diags, result, err);
    if (code == ERR_OK)
        code = settle_write_lines(arena, result, folder, &run, err);
    if (code == ERR_OK && !options->is_dry_run)
        code = settle_post(arena, result, input->ledger, options, run, err);
    if (code == ERR_OK)
        code = settle_write_statements(arena, result, options->is_dry_run ? NULL : input->ledger,
                                       options, err);
    if (code == ERR_OK)
        code = settle_write_summary(arena, result, options, run, err);
    return code;
}

ErrorCode settle_run(Arena *arena, const SettleInput *input, const SettleOptions *options,
                     DiagList *diags, const SettleResult **ret_result, Error *err)
{
    ASSERT(options->is_dry_run || input->ledger != NULL);
    CLEANUP(io_close_cleanup) IoFile lock = IO_FILE_CLOSED;
    ErrorCode code = io_make_dirs(settle_details_folder(arena, options->out), err);
    if (code != ERR_OK)
        return code;
    Str path = io_join(arena, settle_folder(arena, options->out), S("lock"));
    code = io_lock(path, &lock, err);
    if (code != ERR_OK)
        return code;
    SettleResult *result = ARENA_NEW(arena, SettleResult);
    result->contract = input->contract;
    code = run_locked(arena, input, options, diags, result, err);
    if (code == ERR_OK)
        *ret_result = result;
    return code;
}

/* A programme over a store, on a day, for whoever asks questions of it rather than running its
   stages. */
#include "programme/programme_int.h"

struct ProgrammeView {
    Programme programme; /* with its period moved to the day */
    ProgrammeOptions options;
    Run run;
};

const Run *view_run(const ProgrammeView *view)
{
    return &view->run;
}

Programme programme_at(const Programme *programme, int32_t day)
{
    Programme result = *programme;
    if (day != DAY_NONE)
        result.measures = measure_spec_at(&programme->measures, day);
    return result;
}

ErrorCode programme_view_open(Arena *arena, const Programme *programme,
                              const ProgrammeOptions *options, ProgrammeView **ret_view, Error *err)
{
    ProgrammeView *view = ARENA_NEW(arena, ProgrammeView);
    view->programme = programme_at(programme, options->on_day);
    view->options = *options;
    view->run = (Run){.arena = arena,
                      .programme = &view->programme,
                      .options = &view->options,
                      .diags = options->diags};
    view->run.store_path = str_is_empty(options->store_path)
                               ? io_join(arena, options->out, S("store"))
                               : options->store_path;
    ErrorCode code = run_need_measures(&view->run, err);
    if (code == ERR_OK)
        code = run_need_practices(&view->run, err);
    if (code != ERR_OK) {
        store_close(view->run.store);
        return code;
    }
    *ret_view = view;
    return ERR_OK;
}

void programme_view_close(ProgrammeView *view)
{
    if (view != NULL)
        store_close(view->run.store);
}

const Programme *programme_view_programme(const ProgrammeView *view)
{
    return &view->programme;
}

const MeasureResults *programme_view_results(const ProgrammeView *view)
{
    return view->run.measures;
}

const MeasurePlan *programme_view_plan(const ProgrammeView *view)
{
    return view->run.plan;
}

const Store *programme_view_store(const ProgrammeView *view)
{
    return view->run.store;
}

size_t programme_view_practice_count(const ProgrammeView *view)
{
    return practice_count(view->run.practices);
}

ProgrammePractice programme_view_practice(const ProgrammeView *view, size_t practice)
{
    const Practice *found = practice_at(view->run.practices, practice);
    return (ProgrammePractice){.id = found->id, .name = found->name};
}

size_t programme_view_practice_of(const ProgrammeView *view, size_t partition, uint32_t row)
{
    uint32_t practice = practice_of(view->run.practices, partition, row);
    return practice == PRACTICE_NONE ? SIZE_MAX : practice;
}

const Organisations *programme_view_organisations(const ProgrammeView *view)
{
    return practice_organisations(view->run.practices);
}

Str programme_history_path(Arena *arena, Str out)
{
    return io_join(arena, out, S("measure/register-history.ndjson"));
}

MeasureSource programme_view_source(const ProgrammeView *view)
{
    return programme_source(&view->programme, store_dict(view->run.store));
}

const MeasureExceptions *programme_view_exceptions(const ProgrammeView *view)
{
    return view->run.exceptions;
}

void programme_write_evidence(JsonWriter *json, const EvidenceVec *evidence)
{
    write_evidence(json, evidence);
}

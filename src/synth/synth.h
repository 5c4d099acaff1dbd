/*
 * synth -- synthetic populations: persons who never lived, with records and bills like those of
 * persons who do.
 *
 * A *profile* (YAML) says what a population is like; a SynthModel is a profile with a seed, a
 * number of persons and of years. Every person is made alone, from the seed and the person's
 * number: the same bytes come out on any number of threads, and any part of a population can be
 * made by itself. What is modelled, and from which sources, is in docs/synthetic.md.
 *
 *     SynthProfile *profile;
 *     if (!synth_profile_parse(arena, text, S("england.yaml"), diags, &profile)) ...
 *     SynthOptions options = {.persons = 1000, .seed = 1, .years = 3};
 *     if (synth_model_create(arena, profile, &options, &model, err) != ERR_OK) ...
 *     code = synth_write_store(model, S("store"), threads, &report, err);
 */
#pragma once

#include "base/progress.h"
#include "store/store.h"

typedef struct SynthProfile SynthProfile;
typedef struct SynthModel SynthModel;

/* Reads a profile. What is wrong is a finding with line and column; false when there was any error.
 */
bool synth_profile_parse(Arena *arena, Str text, Str file, DiagList *diags,
                         SynthProfile **ret_profile);
/* The text of a file that is part of the command, such as "england.yaml"; false when there is none.
 */
bool synth_file_find(Str name, Str *ret_text);
/* Names of the profiles that are part of the command, in order. */
size_t synth_profile_names(Arena *arena, const Str **ret_names);

typedef struct {
    uint64_t persons;
    uint64_t seed;
    uint32_t years;
} SynthOptions;

enum { SYNTH_PERSONS_MAX = 100 * 1000 * 1000, SYNTH_YEARS_MAX = 20 };

MUST_USE ErrorCode synth_model_create(Arena *arena, const SynthProfile *profile,
                                      const SynthOptions *options, SynthModel **ret_model,
                                      Error *err);
void synth_model_destroy(SynthModel *model);

/* What came out. */
typedef struct {
    uint64_t persons;
    uint64_t resources;
    uint64_t by_type[FHIR_RESOURCE_TYPE_LIMIT];
    uint64_t lines; /* priced lines of bills */
    uint64_t bytes; /* of text */
} SynthReport;

typedef struct {
    size_t threads;     /* 0: as many as there are processors */
    Progress *progress; /* may be NULL */
} SynthRun;

/* NDJSON, one file a resource type in the folder. */
MUST_USE ErrorCode synth_write_files(const SynthModel *model, Str folder, const SynthRun *run,
                                     SynthReport *ret_report, Error *err);
/* NDJSON of all types to an open file or pipe, person by person. */
MUST_USE ErrorCode synth_write_stream(const SynthModel *model, int fd, const SynthRun *run,
                                      SynthReport *ret_report, Error *err);
/* A new version of a store, without text in between. */
MUST_USE ErrorCode synth_write_store(const SynthModel *model, Str path, const SynthRun *run,
                                     SynthReport *ret_report, Error *err);

/* --- calibration --- */
/* A published figure, what the population has, and whether it is near enough. */
typedef struct {
    Str name;
    Str title;
    Str source;
    double wanted;
    double tolerance; /* either side */
    double found;
    bool is_met;
} SynthTarget;
typedef Vec(SynthTarget) SynthTargets;

/* Makes the population in memory and measures it from its records. `tolerance` widens every
   target's own (1: as they stand). Targets of unknown names are findings. */
MUST_USE ErrorCode synth_check(Arena *arena, const SynthModel *model, const SynthRun *run,
                               double tolerance, DiagList *diags, SynthTargets *ret_targets,
                               Error *err);
/* A page with the table and a plot. */
void synth_check_page(const SynthTargets *targets, const SynthModel *model, StrBuf *out);
const SynthOptions *synth_model_options(const SynthModel *model);
Str synth_model_title(const SynthModel *model);

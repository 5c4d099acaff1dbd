/*
 * bench_support -- clocks, figures and the Synthea data for the benchmarks of the store.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/io.h"
#include "intake/intake.h"

static inline double bench_seconds(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static inline void bench_figure(const char *name, double value, const char *unit)
{
    printf("bench: %s %.6g %s\n", name, value, unit);
    (void)fflush(stdout);
}

static inline size_t bench_runs(void)
{
    const char *text = getenv("BENCH_RUNS");
    int64_t runs;
    return text != NULL && str_to_int64(str_from_c(text), &runs) && runs > 0 ? (size_t)runs : 5;
}

/* Ends the benchmark when something that must work does not. */
static inline void bench_must(ErrorCode code, const Error *err)
{
    if (code != ERR_OK) {
        (void)fprintf(stderr, "bench: %s\n", err->message);
        exit(1);
    }
}

static inline void bench_system(const char *command)
{
    if (system(command) != 0) {
        (void)fprintf(stderr, "bench: '%s' failed\n", command);
        exit(1);
    }
}

static inline Str bench_scratch(Arena *arena)
{
    const char *path = getenv("BENCH_SCRATCH");
    Str scratch = path != NULL ? str_from_c(path) : S("bench-scratch");
    Error err = {0};
    bench_must(io_make_dirs(scratch, &err), &err);
    return str_copy(arena, scratch);
}

/* The unpacked Synthea bundles: BENCH_BUNDLES, or unpacked from ../shared/data into the scratch
   folder. Leaves with status 0 where there are none. */
static inline Str bench_bundles(Arena *arena, Str scratch)
{
    const char *given = getenv("BENCH_BUNDLES");
    if (given != NULL)
        return str_copy(arena, str_from_c(given));
    Str packed = S("../shared/data/synthea-r4/bundles.tar.xz");
    if (!io_exists(packed)) {
        printf("%.*s is absent: nothing to measure\n", STR_ARG(packed));
        exit(0);
    }
    Str folder = io_join(arena, scratch, S("bundles"));
    Error err = {0};
    bench_must(io_make_dirs(folder, &err), &err);
    bench_system(str_to_c(
        arena, str_format(arena, "tar xJf %.*s -C '%.*s'", STR_ARG(packed), STR_ARG(folder))));
    return folder;
}

static inline void bench_list_files(Arena *arena, Str folder, IoNames *files)
{
    IoNames names = {0};
    Error err = {0};
    bench_must(io_list_dir(arena, folder, &names, &err), &err);
    VEC_FOREACH (Str, name, &names) {
        Str path = io_join(arena, folder, *name);
        if (io_is_dir(path))
            bench_list_files(arena, path, files);
        else
            VEC_PUSH(arena, files, path);
    }
}

/* All resources of the bundles as minified NDJSON with references resolved, as a bulk export would
   give them. A shared resource comes once. */
static inline Str bench_ndjson(Arena *arena, Str bundles)
{
    StrBuf out;
    strbuf_init(&out, arena, 0);
    IoNames files = {0};
    bench_list_files(arena, bundles, &files);
    ConceptBuilder *concepts = concept_builder_create();
    FhirReader *reader = fhir_reader_create(
        concepts,
        &(FhirReaderOptions){.keep_narrative = true, .split_bundles = true, .resolve_urns = true});
    DiagList diags;
    diag_init(&diags, arena);
    Map seen;
    map_init(&seen, arena);
    VEC_FOREACH (Str, file, &files) {
        Arena *scratch = arena_create(1 << 20);
        Str text;
        Error err = {0};
        bench_must(io_read_file(scratch, *file, 0, &text, &err), &err);
        fhir_reader_begin(reader, text, *file, 1, &diags);
        FhirParsed parsed;
        while (fhir_reader_next(reader, &parsed)) {
            TapeArea area = fhir_reader_area(reader, &parsed);
            if (parsed.is_refused)
                continue;
            if (parsed.facts.is_shared) {
                Str key = str_copy(arena, parsed.facts.id);
                bool is_new;
                (void)map_intern(&seen, key, 1, &is_new);
                if (!is_new)
                    continue;
            }
            if (fhir_write_json(fhir_root(&area, 0), &out))
                strbuf_add_char(&out, '\n');
        }
        arena_destroy(scratch);
    }
    fhir_reader_destroy(reader);
    concept_builder_destroy(concepts);
    char *room = strbuf_reserve(&out, 64);
    if (room != NULL)
        memset(room, 0, 64);
    return strbuf_str(&out);
}

static inline uint64_t bench_file_bytes(Arena *arena, Str folder)
{
    IoNames files = {0};
    bench_list_files(arena, folder, &files);
    uint64_t bytes = 0;
    VEC_FOREACH (Str, file, &files) {
        struct stat status;
        if (stat(str_to_c(arena, *file), &status) == 0)
            bytes += (uint64_t)status.st_size;
    }
    return bytes;
}

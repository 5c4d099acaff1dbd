/*
 * bench_population -- as many persons as wanted: the Synthea records again and again under new ids,
 * as NDJSON, at the speed of copying.
 *
 * A person's block of lines is kept as text with the places of its own ids. A copy differs in the
 * first eight hexadecimal digits of each; ids of organisations and practitioners stay. A thin
 * population has for each person some fifty small resources, which say what the directory holds and
 * nothing else.
 */
#pragma once

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/date.h"
#include "bench_support.h"
#include "store/store.h"

typedef struct {
    Str text;
    uint32_t *places; /* of the first eight digits of ids that change */
    size_t place_count;
} PersonBlock;

typedef struct {
    PersonBlock *blocks;
    size_t count;
    Str shared; /* lines of what belongs to nobody, to be given once */
} Population;

enum { THIN_ALL = 50, UUID_LEN = 36, POPULATION_BUFFER = 1 << 20 };

static inline int population_hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static inline bool population_is_uuid(const char *at)
{
    for (int i = 0; i < UUID_LEN; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash ? at[i] != '-' : population_hex(at[i]) < 0)
            return false;
    }
    return true;
}

/* Finds the ids that are not those of shared resources. */
static inline void population_find_places(Arena *arena, const Map *shared_ids, PersonBlock *block)
{
    Vec(uint32_t) places = {0};
    for (size_t i = 0; i + UUID_LEN <= block->text.len; i++) {
        const char *dash = memchr(block->text.ptr + i, '-', block->text.len - i);
        if (dash == NULL)
            break;
        size_t at = (size_t)(dash - block->text.ptr);
        i = at;
        if (at < 8 || at - 8 + UUID_LEN > block->text.len ||
            !population_is_uuid(block->text.ptr + at - 8))
            continue;
        if (!map_has(shared_ids, str_slice(block->text, at - 8, UUID_LEN)))
            VEC_PUSH(arena, &places, (uint32_t)(at - 8));
        i = at - 8 + UUID_LEN - 1;
    }
    block->places = places.items;
    block->place_count = places.count;
}

/* A resource that says what the directory says. */
static inline void population_thin_line(Arena *arena, ConceptBuilder *concepts,
                                        const FhirFacts *facts, StrBuf *out)
{
    ConceptName code = {0};
    ConceptName org = {0};
    ConceptNames names = {.builder = concepts};
    if (facts->concept != CONCEPT_NONE) {
        size_t count;
        const ConceptId *members = concept_builder_members(concepts, facts->concept, &count);
        code = concept_name(names, members[0]);
    }
    if (facts->org != CONCEPT_NONE)
        org = concept_name(names, facts->org);
    Str day = facts->day == DAY_NONE ? S("2010-01-01") : day_format(arena, facts->day);
    strbuf_printf(out, "{\"resourceType\":\"%s\",\"id\":\"%.*s\"",
                  fhir_type_table[facts->type].name, STR_ARG(facts->id));
    StrBuf coding;
    strbuf_init(&coding, arena, 0);
    if (code.code.len > 0)
        strbuf_printf(&coding, "{\"coding\":[{\"system\":\"%.*s\",\"code\":\"%.*s\"}]}",
                      STR_ARG(code.system), STR_ARG(code.code));
    Str person = facts->patient_id;
    double number = facts->number == INT64_MIN ? 0 : (double)facts->number / 1e8;
    switch (facts->type) {
    case FHIR_TYPE_Patient:
        strbuf_printf(out, ",\"gender\":\"female\",\"birthDate\":\"%.*s\"", STR_ARG(day));
        break;
    case FHIR_TYPE_Condition:
        strbuf_printf(out,
                      ",\"code\":%.*s,\"subject\":{\"reference\":\"Patient/%.*s\"},"
                      "\"onsetDateTime\":\"%.*s\"",
                      STR_ARG(strbuf_str(&coding)), STR_ARG(person), STR_ARG(day));
        break;
    case FHIR_TYPE_Encounter:
        strbuf_printf(out,
                      ",\"status\":\"finished\",\"class\":{\"code\":\"AMB\"},\"type\":[%.*s],"
                      "\"subject\":{\"reference\":\"Patient/%.*s\"},\"period\":{\"start\":"
                      "\"%.*s\"},\"serviceProvider\":{\"reference\":\"Organization/%.*s\"}",
                      STR_ARG(strbuf_str(&coding)), STR_ARG(person), STR_ARG(day),
                      STR_ARG(org.code));
        break;
    case FHIR_TYPE_Claim:
        strbuf_printf(out,
                      ",\"status\":\"active\",\"type\":{\"text\":\"c\"},\"use\":\"claim\","
                      "\"priority\":{\"text\":"
                      "\"n\"},\"insurance\":[{\"sequence\":1,\"focal\":true,\"coverage\":{"
                      "\"display\":\"x\"}}],\"created\":\"2020-01-01\",\"patient\":{\"reference\":"
                      "\"Patient/%.*s\"},"
                      "\"billablePeriod\":{\"start\":\"%.*s\"},\"provider\":{\"reference\":"
                      "\"Organization/%.*s\"},\"total\":{\"value\":%.2f,\"currency\":\"USD\"}",
                      STR_ARG(person), STR_ARG(day), STR_ARG(org.code), number);
        break;
    default:
        strbuf_printf(out,
                      ",\"status\":\"final\",\"code\":%.*s,\"subject\":{\"reference\":"
                      "\"Patient/%.*s\"},\"effectiveDateTime\":\"%.*s\",\"valueQuantity\":"
                      "{\"value\":%.2f}",
                      STR_ARG(strbuf_str(&coding)), STR_ARG(person), STR_ARG(day), number);
        break;
    }
    strbuf_add(out, S("}\n"));
}

/* What a thin person may have: the latest of each kind. HbA1c counts apart, so that it is there. */
typedef enum {
    THIN_PATIENT,
    THIN_CONDITION,
    THIN_ENCOUNTER,
    THIN_CLAIM,
    THIN_HBA1C,
    THIN_OBSERVATION,
    THIN_NOTHING
} ThinKind;

static inline ThinKind population_kind(ConceptBuilder *concepts, const FhirFacts *facts)
{
    switch (facts->type) {
    case FHIR_TYPE_Patient:
        return THIN_PATIENT;
    case FHIR_TYPE_Condition:
        return facts->concept
        == CONCEPT_NONE ? THIN_NOTHING : THIN_CONDITION;
    case FHIR_TYPE_Encounter:
        return facts->org == CONCEPT_NONE ? THIN_NOTHING : THIN_ENCOUNTER;
    case FHIR_TYPE_Claim:
        return facts->org == CONCEPT_NONE ? THIN_NOTHING : THIN_CLAIM;
    case FHIR_TYPE_Observation: {
        if (facts->number == INT64_MIN || facts->concept == CONCEPT_NONE)
            return THIN_NOTHING;
        size_t count;
        ConceptId code = concept_builder_members(concepts, facts->concept, &count)[0];
        bool is_hba1c = str_eq(concept_builder_name(concepts, code).code, S("4548-4"));
        return is_hba1c ? THIN_HBA1C : THIN_OBSERVATION;
    }
    default:
        return THIN_NOTHING;
    }
}

/* From how many there are: how many of each kind are passed over. */
static inline void population_choose(const size_t *counts, size_t *ret_skips)
{
    static const size_t most[THIN_NOTHING] = {1, 6, 10, 12, 6, THIN_ALL};
    size_t all = 0;
    for (int kind = 0; kind < THIN_NOTHING; kind++) {
        size_t limit = most[kind] < THIN_ALL - all ? most[kind] : THIN_ALL - all;
        size_t taken = counts[kind] < limit ? counts[kind] : limit;
        ret_skips[kind] = counts[kind] - taken;
        all += taken;
    }
}

typedef struct {
    Arena *arena;
    ConceptBuilder *concepts;
    FhirReader *reader;
    Map shared_ids;
    StrBuf shared;
    bool is_thin;
} PopulationMaker;

/* One bundle: the lines of its person. */
static inline PersonBlock population_block(PopulationMaker *maker, Str file)
{
    Arena *arena = maker->arena;
    StrBuf lines;
    strbuf_init(&lines, arena, 0);
    Str text;
    Error err = {0};
    Arena *scratch = arena_create(1 << 20);
    bench_must(io_read_file(scratch, file, 0, &text, &err), &err);
    DiagList diags;
    diag_init(&diags, scratch);
    size_t counts[THIN_NOTHING + 1] = {0};
    size_t skips[THIN_NOTHING + 1] = {0};
    /* Twice when thin: to count, and to take. */
    for (int pass = 0; pass < (maker->is_thin ? 2 : 1); pass++) {
        population_choose(counts, skips);
        fhir_reader_begin(maker->reader, text, file, 1, &diags);
        FhirParsed parsed;
        while (fhir_reader_next(maker->reader, &parsed)) {
            const FhirFacts *facts = &parsed.facts;
            TapeArea area = fhir_reader_area(maker->reader, &parsed);
            if (parsed.is_refused)
                continue;
            if (facts->is_shared) {
                bool is_new;
                (void)map_intern(&maker->shared_ids, str_copy(arena, facts->id), 1, &is_new);
                if (is_new && fhir_write_json(fhir_root(&area, 0), &maker->shared))
                    strbuf_add_char(&maker->shared, '\n');
                continue;
            }
            if (!maker->is_thin) {
                if (fhir_write_json(fhir_root(&area, 0), &lines))
                    strbuf_add_char(&lines, '\n');
                continue;
            }
            ThinKind kind = population_kind(maker->concepts, facts);
            counts[kind] += pass == 0;
            if (pass == 0 || kind == THIN_NOTHING)
                continue;
            if (skips[kind] > 0) {
                skips[kind]--;
                continue;
            }
            population_thin_line(scratch, maker->concepts, facts, &lines);
        }
    }
    arena_destroy(scratch);
    return (PersonBlock){.text = strbuf_str(&lines)};
}

static inline Population population_make(Arena *arena, Str bundles, bool is_thin)
{
    PopulationMaker maker = {
        .arena = arena, .concepts = concept_builder_create(), .is_thin = is_thin};
    maker.reader = fhir_reader_create(
        maker.concepts,
        &(FhirReaderOptions){.keep_narrative = true, .split_bundles = true, .resolve_urns = true});
    map_init(&maker.shared_ids, arena);
    strbuf_init(&maker.shared, arena, 0);
    IoNames files = {0};
    bench_list_files(arena, bundles, &files);
    Population population = {.blocks = ARENA_ARRAY(arena, PersonBlock, files.count),
                             .count = files.count};
    for (size_t i = 0; i < files.count; i++)
        population.blocks[i] = population_block(&maker, files.items[i]);
    for (size_t i = 0; i < files.count; i++)
        population_find_places(arena, &maker.shared_ids, &population.blocks[i]);
    population.shared = strbuf_str(&maker.shared);
    fhir_reader_destroy(maker.reader);
    concept_builder_destroy(maker.concepts);
    return population;
}

static inline void population_put(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t done = write(fd, bytes, size);
        if (done <= 0)
            exit(1); /* whoever reads has gone */
        bytes += done;
        size -= (size_t)done;
    }
}

/* Writes persons until there are `persons` of them or `bytes_max` bytes. Gives how many. */
static inline size_t population_write(const Population *population, int fd, size_t persons,
                                      uint64_t bytes_max)
{
    static const char digits[] = "0123456789abcdef";
    size_t largest = 0;
    ASSERT(population->count > 0);
    for (size_t i = 0; i < population->count; i++)
        largest =
            population->blocks[i].text.len > largest ? population->blocks[i].text.len : largest;
    char *buffer = malloc(largest + POPULATION_BUFFER);
    ASSERT(buffer != NULL);
    size_t used = 0;
    uint64_t written = population->shared.len;
    population_put(fd, population->shared.ptr, population->shared.len);
    size_t person = 0;
    for (; person < persons && written < bytes_max; person++) {
        const PersonBlock *block = &population->blocks[person % population->count];
        uint32_t change = (uint32_t)(person / population->count) * UINT32_C(0x9E3779B1);
        char *copy = buffer + used;
        memcpy(copy, block->text.ptr, block->text.len);
        for (size_t i = 0; i < block->place_count; i++) {
            char *id = copy + block->places[i];
            for (int k = 0; k < 8; k++)
                id[k] = digits[population_hex(id[k]) ^ (int)(change >> (28 - 4 * k) & 15)];
        }
        used += block->text.len;
        written += block->text.len;
        if (used >= POPULATION_BUFFER) {
            population_put(fd, buffer, used);
            used = 0;
        }
    }
    population_put(fd, buffer, used);
    free(buffer);
    return person;
}

/* A child process that makes a population and writes it into a pipe; gives the end to read from.
   This process holds none of it. */
static inline int population_pipe(Str bundles, bool is_thin, size_t persons, uint64_t bytes_max)
{
    int ends[2];
    if (pipe(ends) != 0)
        exit(1);
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        (void)close(ends[0]);
        Arena *arena = arena_create(0);
        Population population = population_make(arena, bundles, is_thin);
        (void)population_write(&population, ends[1], persons, bytes_max);
        _exit(0);
    }
    (void)close(ends[1]);
    /* Until the first bytes are there: making the population is not part of any load. */
    struct pollfd wait = {.fd = ends[0], .events = POLLIN};
    (void)poll(&wait, 1, -1);
    return ends[0];
}

/* A finished store of as many persons: thin or of whole records, without bound or up to `bytes` of
 * NDJSON. */
typedef struct {
    size_t persons;
    bool is_thin;
    uint64_t bytes;
    IntakeOptions options; /* what is not the source */
} PopulationStore;

/* Loads it below the scratch folder from a pipe; gives the seconds that it took. */
static inline double population_load(Arena *arena, Str scratch, const PopulationStore *wanted,
                                     IntakeReport *ret_report)
{
    Error err = {0};
    DiagList diags;
    Str dash = S("-");
    IntakeOptions options = wanted->options;
    options.sources = &dash;
    options.source_count = 1;
    options.stdin_fd = population_pipe(bench_bundles(arena, scratch), wanted->is_thin,
                                       wanted->persons, wanted->bytes);
    diag_init(&diags, arena);
    double begin = bench_seconds();
    bench_must(intake_load(arena, &options, &diags, ret_report, &err), &err);
    double seconds = bench_seconds() - begin;
    (void)close(options.stdin_fd);
    (void)wait(NULL);
    return seconds;
}

static inline Store *population_store(Arena *arena, Str scratch, size_t persons, bool is_thin)
{
    Error err = {0};
    IntakeReport report;
    Store *store;
    PopulationStore wanted = {.persons = persons, .is_thin = is_thin, .bytes = UINT64_MAX};
    wanted.options.store_path = io_join(arena, scratch, S("store"));
    (void)population_load(arena, scratch, &wanted, &report);
    bench_must(store_open(arena, wanted.options.store_path, &store, &err), &err);
    printf("%zu persons, %zu resources, %zu partitions\n", (size_t)report.persons,
           (size_t)report.accepted, store_partition_count(store));
    return store;
}

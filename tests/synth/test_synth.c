/* Populations: same bytes on any threads, text and store alike, any person alone, bad profiles
 * told. */
#include <unistd.h>

#include "base/io.h"
#include "base/test.h"
#include "synth/write.h"

static SynthModel *model_of(Arena *arena, uint64_t persons, uint64_t seed)
{
    Str text;
    DiagList diags;
    SynthProfile *profile;
    SynthModel *model = NULL;
    Error err = {0};
    diag_init(&diags, arena);
    ASSERT(synth_file_find(S("england.yaml"), &text));
    ASSERT(synth_profile_parse(arena, text, S("england.yaml"), &diags, &profile));
    SynthOptions options = {.persons = persons, .seed = seed, .years = 2};
    CHECK_INT(synth_model_create(arena, profile, &options, &model, &err), ERR_OK);
    return model;
}

/* Hashes of what is emitted, and whether tape and text say the same. */
typedef struct {
    Emitter emitter;
    Arena *arena;
    const ConceptDict *dict;
    uint64_t hash;
    size_t differ;
} Comparing;

static void take_both(Emitter *emitter, const FhirTemplate *template, const FhirSlot *slots)
{
    Comparing *comparing = (Comparing *)emitter;
    Arena *arena = comparing->arena;
    size_t most = fhir_template_size_max(template, slots);
    char *text = arena_alloc(arena, most);
    uint8_t *bytes = arena_alloc(arena, most);
    size_t len = (size_t)(fhir_template_text(template, slots, text) - text);
    uint8_t *at = fhir_template_tape(template, slots, bytes + most);
    TapeArea area = {
        .bytes = at, .size = (size_t)(bytes + most - at), .names = {.dict = comparing->dict}};
    StrBuf json;
    Error err = {0};
    strbuf_init(&json, arena, 0);
    bool is_same = fhir_tape_check(&area, 0, &err) == ERR_OK &&
                   fhir_write_json(fhir_root(&area, 0), &json) &&
                   str_eq(strbuf_str(&json), (Str){text, len});
    comparing->differ += !is_same;
    comparing->hash = comparing->hash * 31 + str_hash((Str){text, len});
}

TEST(tape_and_text_of_every_resource_say_the_same)
{
    SynthModel *model = model_of(arena, 300, 5);
    Comparing comparing = {.emitter = {.take = take_both},
                           .arena = arena_create(0),
                           .dict = shapes_dict(model->shapes)};
    emit_shared(model, &comparing.emitter);
    for (uint64_t i = 0; i < 300; i++) {
        emit_person(model, comparing.arena, i, &comparing.emitter);
        arena_reset(comparing.arena);
    }
    CHECK_INT(comparing.differ, 0);
    CHECK(comparing.emitter.report.resources > 300 * 25);
    arena_destroy(comparing.arena);
}

TEST(a_person_is_the_same_alone_and_among_others)
{
    SynthModel *model = model_of(arena, 300, 5);
    Comparing all = {.emitter = {.take = take_both},
                     .arena = arena_create(0),
                     .dict = shapes_dict(model->shapes)};
    uint64_t last = 0;
    for (uint64_t i = 0; i <= 120; i++) {
        all.hash = 0;
        emit_person(model, all.arena, i, &all.emitter);
        last = all.hash;
    }
    all.hash = 0;
    emit_person(model, all.arena, 120, &all.emitter);
    CHECK(all.hash == last && last != 0);
    all.hash = 0;
    emit_person(model_of(arena, 300, 6), all.arena, 120, &all.emitter);
    CHECK(all.hash != last);
    arena_destroy(all.arena);
}

static Str written(Arena *arena, const SynthModel *model, size_t threads, Str folder)
{
    SynthRun run = {.threads = threads};
    SynthReport report;
    Error err = {0};
    Str path = io_join(arena, folder, str_format(arena, "out-%zu", threads));
    IoFile file;
    Str text = S("");
    CHECK_INT(io_create(path, &file, &err), ERR_OK);
    CHECK_INT(synth_write_stream(model, file.fd, &run, &report, &err), ERR_OK);
    CHECK_INT(io_close(&file, &err), ERR_OK);
    CHECK_INT(io_read_file(arena, path, 0, &text, &err), ERR_OK);
    CHECK_INT(text.len, report.bytes);
    return text;
}

TEST(same_bytes_on_any_number_of_threads)
{
    SynthModel *model = model_of(arena, 500, 9);
    Str folder = test_temp_dir(arena);
    Str one = written(arena, model, 1, folder);
    Str four = written(arena, model, 4, folder);
    CHECK(one.len > 1000 && str_eq(one, four));
}

TEST(what_is_wrong_with_a_profile_is_told_with_its_place)
{
    static const struct {
        const char *row;
        const char *from;
        const char *to;
        const char *finding; /* part of the first one */
    } rows[] = {
        /* clang-format off */
        {"unknown key", "births:", "birth:", "births"},
        {"text for a number", "births: 10.3", "births: many", "expected a number"},
        {"out of bounds", "women: 0.505", "women: 5", "is not from 0 to 1"},
        {"ages do not ascend", "[10, 1.20]", "[0, 1.20]", "ages must ascend"},
        {"no pair", "[10, 1.20]", "[10]", "expected a pair"},
        {"no list", "women: 0.505", "women: [1]", "expected a number"},
        {"parts not 1", "white: 0.81", "white: 0.5", "not to 1"},
        {"currency", "currency: GBP", "currency: gbp", "three capital letters"},
        {"unknown service", "  ed: {", "  edd: {", "ed"},
        {"a section is missing", "mortality:", "mortalty:", "mortality"},
        {"no day", "start: 2023-04-01", "start: 2023-13-01", "start"},
        /* clang-format on */
    };
    Str profile_text;
    ASSERT(synth_file_find(S("england.yaml"), &profile_text));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        DiagList diags;
        SynthProfile *profile;
        StrBuf text;
        bool is_told = false;
        diag_init(&diags, arena);
        strbuf_init(&text, arena, 0);
        size_t at = str_find(profile_text, str_from_c(rows[i].from));
        ASSERT(at != SIZE_MAX);
        strbuf_add(&text, str_slice(profile_text, 0, at));
        strbuf_add_c(&text, rows[i].to);
        strbuf_add(&text, str_slice(profile_text, at + strlen(rows[i].from), SIZE_MAX));
        CHECK(!synth_profile_parse(arena, strbuf_str(&text), S("p.yaml"), &diags, &profile));
        VEC_FOREACH (Diag, diag, &diags.kept)
            is_told |= diag->line > 0 && diag->column > 0 &&
                       str_find(diag->text, str_from_c(rows[i].finding)) != SIZE_MAX;
        CHECK_ROW(rows[i].row, is_told, true);
    }
}

/* Published figures at a size that a test can afford, with tolerances to match. */
TEST(figures_of_a_small_population_are_near_the_published_ones)
{
    SynthModel *model = model_of(arena, 12000, 3);
    SynthTargets targets;
    DiagList diags;
    Error err = {0};
    SynthRun run = {.threads = 2};
    diag_init(&diags, arena);
    CHECK_INT(synth_check(arena, model, &run, 2.5, &diags, &targets, &err), ERR_OK);
    CHECK_INT(diags.kept.count, 0);
    CHECK(targets.count >= 40);
    VEC_FOREACH (SynthTarget, target, &targets) {
        CHECK_ROW(str_to_c(arena, target->name), target->is_met, true);
    }
}

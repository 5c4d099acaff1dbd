/* Published measures: their cases, their reports, and what is wrong with some. The guide's expected
   reports are written by hand from the specification. */
#include <stdlib.h>

#include "base/io.h"
#include "base/test.h"
#include "intake/intake.h"
#include "measure/measure.h"

#define GUIDE "tests/measure/guide"

TEST(every_case_of_the_guide_gives_what_it_expects)
{
    DiagList diags;
    Error err = {0};
    MeasureCheckReport report;
    diag_init(&diags, arena);
    MeasureCheckOptions options = {.wanted = {.ig = S(GUIDE)}, .diags = &diags};
    CHECK_OK(measure_check(arena, &options, &report, &err), &err);
    CHECK_INT(report.measures.count, 4);
    CHECK_INT(report.passed, 13);
    CHECK_INT(report.failed, 1); /* one is meant to differ */
    const MeasureCheckResult *cohort = &report.measures.items[0];
    CHECK_STR(cohort->name, S("Cohort"));
    const MeasureCaseResult *bundle = &cohort->results[0];
    CHECK_STR(bundle->of->name, S("differs-bundle.json"));
    CHECK_INT(bundle->differences.count, 1);
    if (bundle->differences.count == 1) {
        const MeasureDifference *difference = &bundle->differences.items[0];
        CHECK_STR(difference->group, S("g1"));
        CHECK_STR(difference->population, S("ip"));
        CHECK_STR(difference->expected, S("1"));
        CHECK_STR(difference->found, S("0"));
    }
}

TEST(one_measure_and_one_case_can_be_asked_alone)
{
    DiagList diags;
    Error err = {0};
    MeasureCheckReport report;
    diag_init(&diags, arena);
    static const Str expression = STR_INIT("Visits Made");
    MeasureCheckOptions options = {
        .wanted = {.ig = S(GUIDE), .measure = S("Proportion"), .name = S("exc")},
        .expressions = &expression,
        .expression_count = 1,
        .diags = &diags};
    CHECK_OK(measure_check(arena, &options, &report, &err), &err);
    CHECK_INT(report.passed, 2); /* excepted, excluded-before-the-numerator */
    CHECK_INT(report.measures.count, 1);
    CHECK_STR(report.measures.items[0].results[0].values[0], S("1"));
    CHECK_STR(report.measures.items[0].results[1].values[0], S("2"));
}

/* --- over a store --- */

typedef struct {
    Arena *arena;
    Store *store;
    MeasureContent *content;
    MeasureSet *set;
    DiagList diags;
    StrBuf individual;
    StrBuf persons;
    MeasurePopulations *populations;
    MeasureReportFrame frame;
} Fixture;

static ErrorCode take_text(void *context, MeasurePassWants kind, Str text, Error *err)
{
    Fixture *fixture = context;
    (void)err;
    strbuf_add(kind == PASS_PERSONS ? &fixture->persons : &fixture->individual, text);
    return ERR_OK;
}

/* All resources of the cases, without the reports, as one store. */
static Store *load_cases(Arena *arena)
{
    Str folder = test_temp_dir(arena);
    Str source = str_copy(arena, S(GUIDE "/input/tests"));
    Str path = io_join(arena, folder, S("store"));
    DiagList diags;
    Error err = {0};
    IntakeReport report;
    Store *store = NULL;
    diag_init(&diags, arena);
    IntakeOptions options = {
        .sources = &source, .source_count = 1, .store_path = path, .threads = 2};
    CHECK_OK(intake_load(arena, &options, &diags, &report, &err), &err);
    CHECK_OK(store_open(arena, path, &store, &err), &err);
    return store;
}

static void set_up(Fixture *fixture, Arena *arena, Store *store, Str further)
{
    Error err = {0};
    *fixture = (Fixture){.arena = arena, .store = store};
    diag_init(&fixture->diags, arena);
    strbuf_init(&fixture->individual, arena, 0);
    strbuf_init(&fixture->persons, arena, 0);
    fixture->content = measure_content_create(arena, &fixture->diags);
    CHECK_OK(measure_content_add(fixture->content, S(GUIDE), &err), &err);
    if (!str_is_empty(further))
        CHECK_OK(measure_content_add(fixture->content, further, &err), &err);
    measure_content_finish(fixture->content);
    const MeasureVec *found = measure_content_measures(fixture->content);
    const Measure **measures = ARENA_ARRAY(arena, const Measure *, found->count);
    for (size_t i = 0; i < found->count; i++)
        measures[i] = &found->items[i];
    fixture->frame =
        (MeasureReportFrame){.period = {.start = S("2020-01-01"), .end = S("2020-12-31")},
                             .date = S("2021-01-02T03:04:05Z"),
                             .reporter = S("Organization/a")};
    MeasureSetOptions options = {.content = fixture->content,
                                 .measures = measures,
                                 .measure_count = found->count,
                                 .period = fixture->frame.period,
                                 .dict = store_dict(store)};
    CHECK_OK(measure_set_create(arena, &options, &fixture->diags, &fixture->set, &err), &err);
}

static void run(Fixture *fixture, size_t threads)
{
    Error err = {0};
    MeasurePassOptions options = {.threads = threads,
                                  .diags = &fixture->diags,
                                  .wants = PASS_INDIVIDUAL | PASS_DATA_COLLECTION | PASS_PERSONS |
                                           PASS_SUPPLEMENTS,
                                  .frame = &fixture->frame,
                                  .on_text = take_text,
                                  .context = fixture};
    CHECK_OK(measure_pass(fixture->arena, fixture->set, fixture->store, &options,
                          &fixture->populations, &err),
             &err);
}

/* "measure|group|stratifier|stratum|population" of each count of a report, added up. */
static void add_counts(Arena *arena, Map *sums, Str prefix, const JsonValue *populations)
{
    for (size_t i = 0; populations != NULL && i < populations->count; i++) {
        const JsonValue *each = &populations->items[i];
        int64_t count = 0;
        uint64_t before = 0;
        CHECK(str_to_int64(json_find(each, S("count"))->text, &count));
        Str key =
            str_format(arena, "%.*s|%.*s", STR_ARG(prefix), STR_ARG(json_find_text(each, S("id"))));
        (void)map_find(sums, key, &before);
        map_put(sums, key, before + (uint64_t)count);
    }
}

static Str stratum_name(Arena *arena, const JsonValue *stratum)
{
    const JsonValue *components = json_find(stratum, S("component"));
    Str name = json_find_text(json_find(stratum, S("value")), S("text"));
    for (size_t i = 0; components != NULL && i < components->count; i++)
        name = str_format(
            arena, "%.*s/%.*s", STR_ARG(name),
            STR_ARG(json_find_text(json_find(&components->items[i], S("value")), S("text"))));
    return name;
}

static void add_report(Arena *arena, Map *sums, const JsonValue *report)
{
    const JsonValue *groups = json_find(report, S("group"));
    for (size_t i = 0; groups != NULL && i < groups->count; i++) {
        const JsonValue *group = &groups->items[i];
        Str prefix = str_format(arena, "%.*s|%.*s", STR_ARG(json_find_text(report, S("measure"))),
                                STR_ARG(json_find_text(group, S("id"))));
        add_counts(arena, sums, prefix, json_find(group, S("population")));
        const JsonValue *stratifiers = json_find(group, S("stratifier"));
        for (size_t j = 0; stratifiers != NULL && j < stratifiers->count; j++) {
            const JsonValue *strata = json_find(&stratifiers->items[j], S("stratum"));
            for (size_t k = 0; k < strata->count; k++)
                add_counts(arena, sums,
                           str_format(arena, "%.*s|%.*s|%.*s", STR_ARG(prefix),
                                      STR_ARG(json_find_text(&stratifiers->items[j], S("id"))),
                                      STR_ARG(stratum_name(arena, &strata->items[k]))),
                           json_find(&strata->items[k], S("population")));
        }
    }
}

/* Each line is a valid MeasureReport of FHIR R4; their counts go into `sums`. */
static size_t take_reports(Arena *arena, Str text, Str type, Map *sums)
{
    Str line;
    size_t count = 0;
    while (str_split_next(&text, '\n', &line)) {
        JsonValue *report;
        Error err = {0};
        TapeArea area;
        FhirFacts facts;
        if (str_is_empty(line))
            continue;
        ConceptBuilder *concepts = concept_builder_create();
        CHECK_OK(fhir_parse_one(arena, concepts, line, &area, &facts, &err), &err);
        concept_builder_destroy(concepts);
        if (json_parse(arena, line, &report, &err) != ERR_OK) {
            CHECK_STR(str_from_c(err.message), S(""));
            return count;
        }
        if (!str_eq(json_find_text(report, S("type")), type))
            continue;
        count++;
        add_report(arena, sums, report);
    }
    return count;
}

static void check_same_sums(const Map *a, const Map *b)
{
    for (size_t i = 0; i < a->count; i++) {
        uint64_t other = 0;
        (void)map_find(b, a->entries[i].key, &other);
        CHECK_ROW(str_to_c(a->arena, a->entries[i].key), a->entries[i].value, other);
    }
}

TEST(individual_reports_are_valid_and_add_up_to_the_summary)
{
    Fixture fixture;
    Store *store = load_cases(arena);
    set_up(&fixture, arena, store, S(""));
    run(&fixture, 1);
    Map individual;
    Map summary;
    map_init(&individual, arena);
    map_init(&summary, arena);
    size_t reports =
        take_reports(arena, strbuf_str(&fixture.individual), S("individual"), &individual);
    StrBuf text;
    strbuf_init(&text, arena, 0);
    for (size_t i = 0; i < measure_set_count(fixture.set); i++)
        measure_report_summary(&fixture.frame, measure_pass_tally(fixture.populations, i), &text);
    CHECK_INT(take_reports(arena, strbuf_str(&text), S("summary"), &summary), 4);
    CHECK(reports > 20);
    CHECK(summary.count > 40);
    check_same_sums(&summary, &individual);
    check_same_sums(&individual, &summary);
    Map data;
    map_init(&data, arena);
    CHECK_INT(take_reports(arena, strbuf_str(&fixture.individual), S("data-collection"), &data),
              reports);
    CHECK_INT(data.count, 0); /* such reports have no groups */
    MeasureSubjectVec subjects;
    Error err = {0};
    strbuf_clear(&text);
    CHECK_OK(measure_pass_subjects(fixture.populations, store, 0, arena, &subjects, &err), &err);
    measure_report_subjects(&fixture.frame, measure_pass_tally(fixture.populations, 0), &subjects,
                            &text);
    CHECK_INT(take_reports(arena, strbuf_str(&text), S("subject-list"), &data), 1);
    store_close(store);
}

TEST(nothing_depends_on_threads)
{
    Fixture one;
    Fixture three;
    Store *store = load_cases(arena);
    set_up(&one, arena, store, S(""));
    set_up(&three, arena, store, S(""));
    run(&one, 1);
    run(&three, 3);
    CHECK_STR(strbuf_str(&three.individual), strbuf_str(&one.individual));
    CHECK_STR(strbuf_str(&three.persons), strbuf_str(&one.persons));
    CHECK(one.persons.len > 0);
    store_close(store);
}

TEST(scores_are_of_the_sums)
{
    static const struct {
        const char *measure;
        size_t group;
        const char *score;
    } rows[] = {
        /* clang-format off */
        /* By hand from the resources of the cases: (n - nx) / (d - dx - de). */
        {"Proportion", 0, "1"},          /* 2 / (6 - 3 - 1) */
        {"Proportion", 1, "0.42857143"}, /* (5 - 2) / (9 - 2) */
        {"Ratio", 0, "2"},               /* 4 + 8 + 4 + 4 + 8 days over 14 visits */
        {"Continuous", 0, "4"},          /* the median of 1 2 4 4 4 50 50 */
        {"Continuous", 1, "2.5"},        /* 2 + 2 + 1 + 2 + 4 + 4 visits of 6 persons */
        /* clang-format on */
    };
    Fixture fixture;
    Store *store = load_cases(arena);
    set_up(&fixture, arena, store, S(""));
    run(&fixture, 2);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (size_t j = 0; j < measure_set_count(fixture.set); j++) {
            const Measure *measure = measure_set_measure(fixture.set, j);
            const MeasureTally *tally = measure_pass_tally(fixture.populations, j);
            Decimal score;
            if (!str_eq(measure->name, str_from_c(rows[i].measure)))
                continue;
            CHECK(measure_score(&measure->groups[rows[i].group], &tally->groups[rows[i].group].all,
                                arena, &score));
            CHECK_ROW_STR(rows[i].measure, decimal_format(arena, score), str_from_c(rows[i].score));
        }
    store_close(store);
}

TEST(what_is_wrong_with_a_measure_costs_no_other)
{
    static const struct {
        const char *measure;
        const char *rule;
        const char *says;
    } rows[] = {
        {"MissingExpression", "measure-expression", "Nobody Wrote This"},
        {"BrokenExpression", "measure-expression", "could not be resolved"},
        {"WrongBasis", "measure-basis", "Furniture"},
        {"BooleanForEpisodes", "measure-type", "must be a list of Encounter"},
        {"EpisodesForBoolean", "measure-type", "must be a Boolean"},
        {"NoNumerator", "measure-population", "needs a population numerator"},
        {"UnknownScoring", "measure-scoring", "beauty"},
        {"MissingLibrary", "measure-library", "Elsewhere is missing"},
        {"OpenPeriod", "measure-period", "has no end"},
        {"Failing", "measure-evaluation", "singleton from"},
    };
    Fixture fixture;
    Store *store = load_cases(arena);
    set_up(&fixture, arena, store, S(GUIDE "/wrong"));
    run(&fixture, 2);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bool is_said = false;
        VEC_FOREACH (Diag, diag, &fixture.diags.kept)
            is_said |= str_eq(diag->rule, str_from_c(rows[i].rule)) &&
                       str_find(diag->text, str_from_c(rows[i].measure)) != SIZE_MAX &&
                       str_find(diag->text, str_from_c(rows[i].says)) != SIZE_MAX;
        CHECK_ROW(rows[i].measure, is_said, true);
    }
    /* The first group of each is right, and the persons whose evaluation of another measure failed
       are in it. */
    for (size_t i = 0; i < measure_set_count(fixture.set); i++) {
        const Measure *measure = measure_set_measure(fixture.set, i);
        bool is_fine = measure_set_group_is_usable(fixture.set, i, 0) &&
                       str_eq(measure->groups[0].id, S("fine"));
        if (is_fine)
            CHECK_ROW(str_to_c(arena, measure->name),
                      measure_pass_persons(fixture.populations, i, 0, 0), 7);
    }
    CHECK_INT(measure_pass_failed(fixture.populations), 7);
    store_close(store);
}

TEST(periods_are_whole)
{
    static const struct {
        const char *start;
        const char *end;
        const char *interval; /* NULL: no period */
    } rows[] = {
        /* clang-format off */
        {"2026-01-01", "2026-12-31", "Interval[@2026-01-01T00:00:00.000Z, @2026-12-31T23:59:59.999Z]"},
        {"2026", "2026", "Interval[@2026-01-01T00:00:00.000Z, @2026-12-31T23:59:59.999Z]"},
        {"2024-02", "2024-02", "Interval[@2024-02-01T00:00:00.000Z, @2024-02-29T23:59:59.999Z]"},
        {"2026-01-01T08:00:00+02:00", "2026-12-31T23:59:59.000-05:00",
         "Interval[@2026-01-01T08:00:00.000+02:00, @2026-12-31T23:59:59.000-05:00]"},
        {"2026-12-31", "2026-01-01", NULL},
        {"2026-01-01", "", NULL},
        {"", "2026-01-01", NULL},
        {"2026-02-30", "2026-12-31", NULL},
        /* clang-format on */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        MeasurePeriod period = {.start = str_from_c(rows[i].start), .end = str_from_c(rows[i].end)};
        CHECK_ROW(rows[i].start, measure_period_check(period), rows[i].interval != NULL);
        if (rows[i].interval != NULL)
            CHECK_ROW_STR(rows[i].start, measure_period_interval(period, arena),
                          str_from_c(rows[i].interval));
    }
}

/* The official measures, where they are: every case but the known defects of the package. */
TEST(official_measures_give_what_their_cases_expect)
{
    Str data = test_shared_data(arena);
    Str packed = io_join(arena, data, S("ecqm/content-ig.tar.xz"));
    if (str_is_empty(data) || !io_exists(packed)) {
        test_skip("../shared/data/ecqm is absent");
        return;
    }
    Str folder = test_temp_dir(arena);
    Str command = str_format(arena, "tar xJf '%.*s' -C '%.*s'", STR_ARG(packed), STR_ARG(folder));
    if (system(str_to_c(arena, command)) != 0) {
        test_skip("tar cannot unpack xz");
        return;
    }
    DiagList diags;
    Error err = {0};
    MeasureCheckReport report = {0};
    diag_init(&diags, arena);
    IoNames inside = {0};
    Str ig = folder;
    if (!io_is_dir(io_join(arena, ig, S("input"))) &&
        io_list_dir(arena, folder, &inside, &err) == ERR_OK && inside.count == 1)
        ig = io_join(arena, folder, inside.items[0]);
    MeasureCheckOptions options = {.wanted = {.ig = ig}, .diags = &diags};
    CHECK_OK(measure_check(arena, &options, &report, &err), &err);
    CHECK_INT(report.passed + report.failed, 1581);
    CHECK(report.failed <= 6);
    /* All measures of a period in one plan, and every case: under 8 MiB beside the records. */
    CHECK(report.memory_most > 0 && report.memory_most < 8 << 20);
}

/*
 * Clauses that pay for indicators, and persons of whom too little is known: an unknown price is an
 * error, an unknown life is nobody's payment, and both are told.
 */
#include "base/json.h"
#include "base/test.h"
#include "run.h"
#include "world.h"

enum { PERSONS = 200 };

static const char library[] =
    "library Tiny version '1'\n"
    "using FHIR version '4.0.1'\n"
    "include FHIRHelpers version '4.0.1' called FHIRHelpers\n"
    "parameter \"Measurement Period\" Interval<DateTime>\n"
    "context Patient\n"
    "define \"Everybody\": true\n"
    "define \"Visits\": [Encounter]\n"
    "define \"Was Seen\": exists \"Visits\"\n"
    "define \"Is Old\": AgeInYearsAt(date from (end of \"Measurement Period\")) >= 65\n";

static const Str evidence[] = {STR_INIT("Visits")};
static const RegisterSpec registers[] = {{.id = STR_INIT("all"),
                                          .title = STR_INIT("All"),
                                          .library = STR_INIT("Tiny"),
                                          .definition = STR_INIT("Everybody")}};
static const IndicatorSpec indicators[] = {
    {.id = STR_INIT("seen"),
     .title = STR_INIT("Seen"),
     .register_id = STR_INIT("all"),
     .library = STR_INIT("Tiny"),
     .numerator = STR_INIT("Was Seen"),
     .evidence = evidence,
     .evidence_count = COUNT_OF(evidence)},
    {.id = STR_INIT("old"),
     .title = STR_INIT("Old"),
     .register_id = STR_INIT("all"),
     .library = STR_INIT("Tiny"),
     .numerator = STR_INIT("Is Old")},
};

static Str contract_text(Arena *arena, const char *clause)
{
    Str fee = world_contract_text(arena, 250, 500);
    size_t from = str_find(fee, S("  - id: fee"));
    size_t to = str_find(fee, S("approval:"));
    return str_format(arena, "%.*s%s%.*s", STR_ARG(str_slice(fee, 0, from)), clause,
                      STR_ARG(str_slice(fee, to, SIZE_MAX)));
}

static const char quality_clause[] =
    "  - id: quality\n    kind: indicator-fee\n    title: Quality\n    from: payer\n"
    "    to: practices\n    indicator: [old, seen]\n    attributed-on: period-end\n"
    "    rate:\n"
    "      - {indicator: old, amount: 10.01}\n"
    "      - {indicator: seen, age: {under: 65}, amount: 1.10}\n"
    "      - {indicator: seen, age: {from: 65}, amount: 3.30}\n";

/* Measures of 2020 over the store, into the case. */
static bool measure(Arena *arena, SettleCase *settle, int32_t first_day)
{
    DiagList diags;
    Error err = {0};
    MeasureSpec *spec = ARENA_NEW(arena, MeasureSpec);
    *spec = (MeasureSpec){.registers = registers,
                          .register_count = COUNT_OF(registers),
                          .indicators = indicators,
                          .indicator_count = COUNT_OF(indicators),
                          .period_first = first_day,
                          .period_last = day_from_date(2020, 12, 31)};
    diag_init(&diags, arena);
    CqlLibraries *libraries = cql_libraries_create(arena);
    CHECK(cql_libraries_add(libraries, str_from_c(library), S("Tiny.cql"), &diags));
    CqlParameter parameter = {.name = S("Measurement Period"),
                              .value = measure_period_text(spec, arena)};
    CqlPlanOptions options = {
        .dict = store_dict(settle->store),
        .now = {.year = 2021, .month = 1, .day = 1, .precision = PRECISION_DAY},
        .parameters = &parameter,
        .parameter_count = 1};
    CqlPlan *cql = NULL;
    MeasurePlan *plan = NULL;
    MeasureResults *results = NULL;
    MeasureOptions measure_options = {.threads = 2, .diags = &diags};
    bool ok =
        CHECK_OK(cql_plan_create(arena, libraries, &options, &diags, &cql, &err), &err) &&
        CHECK_INT(measure_plan_create(arena, spec, cql, &diags, &plan), ERR_OK) &&
        CHECK_OK(measure_run(arena, plan, settle->store, &measure_options, &results, &err), &err);
    settle->measures = results;
    settle->plan = plan;
    settle->cql = cql;
    return ok;
}

/* What the world says: quantities by practice and cell (old, seen under 65, seen from 65). */
static void count_world(const World *world, int64_t counts[WORLD_PRACTICES][3])
{
    int32_t day = day_from_date(2021, 1, 1);
    for (size_t i = 0; i < world->count; i++) {
        const WorldPerson *person = &world->persons[i];
        int practice = world_practice(person, day);
        if (practice < 0)
            continue;
        int32_t year;
        int32_t month;
        int32_t of_month;
        day_to_date(person->birth, &year, &month, &of_month);
        bool is_new_year = month == 1 && of_month == 1;
        counts[practice][0] += 2020 - year >= 65;
        counts[practice][2020 - year + is_new_year >= 65 ? 2 : 1]++;
    }
}

TEST(indicators_are_paid_once_each_to_the_practice_of_the_day_after)
{
    static const int64_t cents[] = {1001, 110, 330};
    Str folder = test_temp_dir(arena);
    World world = world_make(arena, PERSONS, 21);
    Store *store CLEANUP(store_cleanup) = world_store(arena, &world, 0, folder, "store");
    const Contract *contract = world_contract(arena, contract_text(arena, quality_clause));
    const SettleResult *result = NULL;
    if (store == NULL || contract == NULL)
        return;
    CLEANUP(ledger_close_cleanup) Ledger *ledger = run_memory_ledger();
    SettleCase settle = run_make(arena, contract, store, io_join(arena, folder, S("out")));
    settle.ledger = ledger;
    if (!measure(arena, &settle, day_from_date(2020, 1, 1)) ||
        !CHECK_OK(run_settle(&settle, &result), &settle.err))
        return;
    int64_t want[WORLD_PRACTICES][3] = {{0}};
    int64_t total = 0;
    count_world(&world, want);
    for (size_t i = 0; i < result->line_count; i++) {
        const SettleLine *line = &result->lines[i];
        int practice = line->practice.ptr[line->practice.len - 1] - '0';
        CHECK_STR(line->period, S("2020-01..2020-12"));
        CHECK_STR(line->indicator, line->cell == 0 ? S("old") : S("seen"));
        CHECK_INT(line->quantity, want[practice][line->cell]);
        CHECK_INT(line->amount_minor, line->quantity * cents[line->cell]);
        want[practice][line->cell] = 0;
        total += line->amount_minor;
    }
    for (int i = 0; i < WORLD_PRACTICES; i++)
        CHECK_INT(want[i][0] + want[i][1] + want[i][2], 0);
    CHECK_INT(result->total_minor, total);
    CHECK(total > 0);
    run_check_sums(&settle, result);
}

/* A person behind an indicator is there with values and events. */
TEST(evidence_stands_in_the_detail)
{
    Str folder = test_temp_dir(arena);
    World world = world_make(arena, 40, 22);
    Store *store CLEANUP(store_cleanup) = world_store(arena, &world, 0, folder, "store");
    const Contract *contract = world_contract(arena, contract_text(arena, quality_clause));
    const SettleResult *result = NULL;
    if (store == NULL || contract == NULL)
        return;
    SettleCase settle = run_make(arena, contract, store, io_join(arena, folder, S("out")));
    if (!measure(arena, &settle, day_from_date(2020, 1, 1)) ||
        !CHECK_OK(run_settle(&settle, &result), &settle.err))
        return;
    size_t seen = 0;
    for (size_t i = 0; i < result->line_count; i++) {
        const SettleLine *line = &result->lines[i];
        SettleFactVec facts;
        CHECK_OK(settle_line_facts(arena, settle.out, line, &facts, &settle.err), &settle.err);
        CHECK_INT(facts.count, line->quantity);
        VEC_FOREACH (SettleFact, fact, &facts) {
            JsonValue *row = NULL;
            CHECK_OK(json_parse(arena, fact->json, &row, &settle.err), &settle.err);
            const JsonValue *list = json_find(row, S("evidence"));
            CHECK(list != NULL && list->kind == JSON_ARRAY);
            if (list == NULL || !str_eq(line->indicator, S("seen")))
                continue;
            CHECK(list->count > 0);
            Str event = json_find_text(&list->items[0], S("resource"));
            CHECK(str_starts_with(event,
                                  str_format(arena, "Encounter/%.*s-e", STR_ARG(fact->person))));
            seen++;
        }
    }
    CHECK(seen > 0);
}

static void check_refused(Arena *arena, SettleCase *settle, Str rule, const char *row)
{
    const SettleResult *result = NULL;
    ErrorCode code = run_settle(settle, &result);
    CHECK_ROW(row, code != ERR_OK, true);
    CHECK_ROW(row, settle->diags.kept.count > 0, true);
    if (settle->diags.kept.count > 0)
        CHECK_ROW_STR(row, settle->diags.kept.items[0].rule, rule);
    diag_init(&settle->diags, arena);
}

TEST(indicators_without_their_measures_are_refused)
{
    Str folder = test_temp_dir(arena);
    World world = world_make(arena, 10, 23);
    Store *store CLEANUP(store_cleanup) = world_store(arena, &world, 0, folder, "store");
    Str text = contract_text(arena, quality_clause);
    const Contract *contract = world_contract(arena, text);
    if (store == NULL || contract == NULL)
        return;
    SettleCase settle = run_make(arena, contract, store, io_join(arena, folder, S("out")));
    check_refused(arena, &settle, S("settle-no-measures"), "no measures");
    if (!measure(arena, &settle, day_from_date(2020, 2, 1)))
        return;
    check_refused(arena, &settle, S("settle-measures-period"), "measures of eleven months");
    if (!measure(arena, &settle, day_from_date(2020, 1, 1)))
        return;
    size_t at = str_find(text, S("[old, seen]"));
    Str other = str_format(arena,
                           "%.*s[aged, seen]\n    attributed-on: period-end\n    amount: 1\n"
                           "approval: {author: A, approvers: [B], reason: test}\n",
                           STR_ARG(str_slice(text, 0, at)));
    settle.contract = world_contract(arena, other);
    if (settle.contract != NULL)
        check_refused(arena, &settle, S("settle-unknown-indicator"), "another indicator");
}

static const char little_known[] =
    "{\"resourceType\":\"Organization\",\"id\":\"org-0\",\"name\":\"Practice\"}\n"
    "{\"resourceType\":\"Patient\",\"id\":\"ageless\"}\n"
    "{\"resourceType\":\"Patient\",\"id\":\"dead\",\"birthDate\":\"1950-01-01\","
    "\"deceasedBoolean\":true}\n"
    "{\"resourceType\":\"Patient\",\"id\":\"known\",\"birthDate\":\"1950-01-01\"}\n";

static Str little_known_text(Arena *arena)
{
    static const char *const ids[] = {"ageless", "dead", "known"};
    StrBuf out;
    strbuf_init(&out, arena, 0);
    strbuf_add_c(&out, little_known);
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        strbuf_printf(&out,
                      "{\"resourceType\":\"Encounter\",\"id\":\"e-%s\",\"status\":\"finished\","
                      "\"class\":{\"code\":\"AMB\"},\"subject\":{\"reference\":\"Patient/%s\"},"
                      "\"serviceProvider\":{\"reference\":\"Organization/org-0\"},"
                      "\"period\":{\"start\":\"2019-05-05T09:00:00Z\"}}\n",
                      ids[i], ids[i]);
    return strbuf_str(&out);
}

TEST(a_price_by_age_for_nobody_knows_which_age_posts_nothing)
{
    Str folder = test_temp_dir(arena);
    Store *store CLEANUP(store_cleanup) =
        world_store_of(arena, little_known_text(arena), folder, "store");
    const Contract *contract = world_contract(arena, contract_text(arena, quality_clause));
    if (store == NULL || contract == NULL)
        return;
    CLEANUP(ledger_close_cleanup) Ledger *ledger = run_memory_ledger();
    SettleCase settle = run_make(arena, contract, store, io_join(arena, folder, S("out")));
    settle.ledger = ledger;
    if (!measure(arena, &settle, day_from_date(2020, 1, 1)))
        return;
    const SettleResult *result = NULL;
    CHECK_INT(run_settle(&settle, &result), ERR_REFUSED);
    CHECK_INT(settle.diags.kept.count, 1);
    CHECK(str_find(settle.diags.kept.items[0].text, S("Patient/ageless")) != SIZE_MAX);
    CHECK_INT(ledger_entry_count(ledger), 0);
}

TEST(who_may_be_dead_or_unborn_is_listed_and_not_paid_for)
{
    Str folder = test_temp_dir(arena);
    Store *store CLEANUP(store_cleanup) =
        world_store_of(arena, little_known_text(arena), folder, "store");
    const Contract *contract = world_contract(arena, world_contract_text(arena, 250, 500));
    const SettleResult *result = NULL;
    if (store == NULL || contract == NULL)
        return;
    SettleCase settle = run_make(arena, contract, store, io_join(arena, folder, S("out")));
    if (!CHECK_OK(run_settle(&settle, &result), &settle.err))
        return;
    CHECK_INT(result->total_minor, 12 * 500);
    CHECK_INT(result->persons_paid, 1);
    CHECK_INT(result->persons_unattributed, 0);
    CHECK_INT(result->persons_death_undated, 1);
    Str text;
    Str path = io_join(arena, settle.out, S("settle/unpaid.ndjson"));
    CHECK_OK(io_read_file(arena, path, 0, &text, &settle.err), &settle.err);
    CHECK(str_find(text, S("{\"person\":\"ageless\",\"clause\":\"fee\",\"from\":\"2020-01\","
                           "\"to\":\"2020-12\",\"reason\":\"no birth date\"}")) != SIZE_MAX);
    CHECK(
        str_find(text, S("{\"person\":\"dead\",\"clause\":\"fee\",\"from\":\"2020-01\","
                         "\"to\":\"2020-12\",\"reason\":\"dead, and nobody says since when\"}")) !=
        SIZE_MAX);
}

#include "world.h"

#include "base/test.h"
#include "intake/intake.h"

World world_make(Arena *arena, size_t count, uint64_t seed)
{
    World world = {.persons = ARENA_ZARRAY(arena, WorldPerson, count), .count = count};
    int32_t start = day_from_date(2017, 6, 1);
    for (size_t i = 0; i < count; i++) {
        WorldPerson *person = &world.persons[i];
        person->number = i;
        /* Many birthdays around 65 in 2020, some births and deaths in the year. */
        int32_t years = (int32_t)(test_random(&seed) % 100);
        int32_t base = test_random(&seed) % 4 == 0 ? day_from_date(1955, 1, 1)
                                                   : day_from_date(1921 + years, 1, 1);
        person->birth = base + (int32_t)(test_random(&seed) % 366);
        person->death = DAY_NONE;
        if (test_random(&seed) % 8 == 0)
            person->death = day_from_date(2019, 10, 1) + (int32_t)(test_random(&seed) % 460);
        /* Few practices a person and few hours, so that ties of both kinds come up. */
        int home = (int)(test_random(&seed) % WORLD_PRACTICES);
        person->encounter_count = test_random(&seed) % (WORLD_ENCOUNTERS_MAX + 1);
        for (size_t k = 0; k < person->encounter_count; k++) {
            WorldEncounter *encounter = &person->encounters[k];
            encounter->practice =
                test_random(&seed) % 3 == 0
                    ? (home + 1) % WORLD_PRACTICES
                    : (home + (int)(test_random(&seed) % 2) * 3) % WORLD_PRACTICES;
            /* First days of months are where windows begin and end. */
            int32_t day = start + (int32_t)(test_random(&seed) % 1310);
            if (test_random(&seed) % 3 == 0)
                day -= day % 30;
            encounter->day = day;
            encounter->hour = (int)(test_random(&seed) % 3) + 9;
        }
    }
    return world;
}

Str world_practice_id(Arena *arena, int practice)
{
    return str_format(arena, "org-%d", practice);
}

static Str day_text(Arena *arena, int32_t day)
{
    return day_format(arena, day);
}

static Str person_lines(Arena *arena, const WorldPerson *person, StrBuf *out)
{
    strbuf_printf(out, "{\"resourceType\":\"Patient\",\"id\":\"p%zu\",\"gender\":\"%s\"",
                  person->number, person->number % 2 == 0 ? "female" : "male");
    strbuf_printf(out, ",\"birthDate\":\"%.*s\"", STR_ARG(day_text(arena, person->birth)));
    if (person->death != DAY_NONE)
        strbuf_printf(out, ",\"deceasedDateTime\":\"%.*sT08:00:00Z\"",
                      STR_ARG(day_text(arena, person->death)));
    strbuf_add_c(out, "}\n");
    for (size_t k = 0; k < person->encounter_count; k++) {
        const WorldEncounter *encounter = &person->encounters[k];
        strbuf_printf(
            out,
            "{\"resourceType\":\"Encounter\",\"id\":\"p%zu-e%zu\",\"status\":\"finished\","
            "\"class\":{\"code\":\"AMB\"},\"subject\":{\"reference\":\"Patient/p%zu\"},"
            "\"serviceProvider\":{\"reference\":\"Organization/org-%d\"},"
            "\"period\":{\"start\":\"%.*sT%02d:00:00Z\"}}\n",
            person->number, k, person->number, encounter->practice,
            STR_ARG(day_text(arena, encounter->day)), encounter->hour);
    }
    return strbuf_str(out);
}

Str world_ndjson(Arena *arena, const World *world, uint64_t shuffle)
{
    StrBuf out;
    StrBuf mixed;
    Vec(Str) lines = {0};
    strbuf_init(&out, arena, 0);
    for (int i = 0; i < WORLD_PRACTICES; i++)
        strbuf_printf(
            &out,
            "{\"resourceType\":\"Organization\",\"id\":\"org-%d\",\"name\":\"Practice %d\"}"
            "\n",
            i, i);
    for (size_t i = 0; i < world->count; i++)
        (void)person_lines(arena, &world->persons[i], &out);
    if (shuffle == 0)
        return strbuf_str(&out);
    Str rest = strbuf_str(&out);
    Str line;
    while (str_split_next(&rest, '\n', &line))
        if (line.len > 0)
            VEC_PUSH(arena, &lines, line);
    strbuf_init(&mixed, arena, 0);
    for (size_t left = lines.count; left > 0; left--) {
        size_t pick = (size_t)(test_random(&shuffle) % left);
        strbuf_add(&mixed, lines.items[pick]);
        strbuf_add_char(&mixed, '\n');
        lines.items[pick] = lines.items[left - 1];
    }
    return strbuf_str(&mixed);
}

Store *world_store_of(Arena *arena, Str ndjson, Str folder, const char *name)
{
    Error err = {0};
    DiagList diags;
    IntakeReport report;
    Store *store = NULL;
    diag_init(&diags, arena);
    Str source = io_join(arena, folder, str_format(arena, "%s.ndjson", name));
    Str path = io_join(arena, folder, str_from_c(name));
    IntakeOptions options = {
        .sources = &source, .source_count = 1, .store_path = path, .threads = 2};
    bool ok = CHECK_OK(io_write_file(source, ndjson, &err), &err) &&
              CHECK_OK(intake_load(arena, &options, &diags, &report, &err), &err) &&
              CHECK_OK(store_open(arena, path, &store, &err), &err);
    CHECK_INT(diags.kept.count, 0);
    return ok ? store : NULL;
}

Store *world_store(Arena *arena, const World *world, uint64_t shuffle, Str folder, const char *name)
{
    return world_store_of(arena, world_ndjson(arena, world, shuffle), folder, name);
}

/* The later of two encounters' instants; all are in UTC. */
static int64_t instant(const WorldEncounter *encounter)
{
    return (int64_t)encounter->day * 24 + encounter->hour;
}

int world_practice(const WorldPerson *person, int32_t day)
{
    int32_t from = day_add_months(day, -24);
    int best = -1;
    int best_count = 0;
    int64_t best_latest = 0;
    for (int practice = 0; practice < WORLD_PRACTICES; practice++) {
        int count = 0;
        int64_t latest = INT64_MIN;
        for (size_t k = 0; k < person->encounter_count; k++) {
            const WorldEncounter *encounter = &person->encounters[k];
            if (encounter->practice != practice || encounter->day < from || encounter->day >= day)
                continue;
            count++;
            if (instant(encounter) > latest)
                latest = instant(encounter);
        }
        /* Lower ids come first, so an equal one does not take over. */
        if (count > best_count || (count > 0 && count == best_count && latest > best_latest)) {
            best = practice;
            best_count = count;
            best_latest = latest;
        }
    }
    return best;
}

Str world_contract_text(Arena *arena, int under_65, int from_65)
{
    return str_format(
        arena,
        "contract: world\ntitle: A world\nversion: 1\ncurrency: USD\n"
        "period: {from: 2020-01-01, to: 2020-12-31}\n"
        "parties:\n"
        "  - {id: payer, role: payer, name: Payer}\n"
        "  - {id: practices, role: provider, name: Practices, each: attributed-practice}\n"
        "attribution: {method: plurality-of-encounters, organisation: serviceProvider, months: "
        "24,\n"
        "  ties: [latest-encounter, organisation-id]}\n"
        "clauses:\n"
        "  - id: fee\n    kind: member-month-fee\n    title: Fee\n    from: payer\n"
        "    to: practices\n    members: {alive-on: first-day}\n    rate:\n"
        "      - {age: {under: 65}, amount: %d.%02d}\n"
        "      - {age: {from: 65}, amount: %d.%02d}\n"
        "approval: {author: A, approvers: [B], reason: test}\n",
        under_65 / 100, under_65 % 100, from_65 / 100, from_65 % 100);
}

const Contract *world_contract(Arena *arena, Str text)
{
    DiagList diags;
    const Contract *contract = NULL;
    diag_init(&diags, arena);
    CHECK_INT(contract_check(arena, text, S("world.yaml"), NULL, &diags, &contract), ERR_OK);
    return contract;
}

/* The units of care, tier by tier: programme, the tiers of the organisation document (or networks,
   as organisations say what they are part of), practice, clinician; and what is counted in each. */
#include "programme/programme_int.h"

/* --- organisation.yaml --- */

enum { TIERS_MAX = 16 };

struct ProgrammeTiers {
    size_t count; /* from the lowest (above practices) to the top */
    struct {
        Str id;
        Str title;
        Map unit_of; /* id of a unit of the tier below -> number of the unit */
        Vec(ProgrammePractice) units;
    } tiers[TIERS_MAX];
};

static void read_unit(const YamlReader *reader, const YamlNode *item, ProgrammeTiers *tiers,
                      size_t tier)
{
    static const Str known[] = {STR_INIT("id"), STR_INIT("title"), STR_INIT("of")};
    ProgrammePractice unit = {0};
    if (item->kind != YAML_MAPPING) {
        yaml_error(reader, item, "expected a unit: id, title, of");
        return;
    }
    yaml_check_keys(reader, item, known, COUNT_OF(known));
    if (!yaml_get_text(reader, item, S("id"), &unit.id))
        return;
    unit.name = unit.id;
    if (yaml_find(item, S("title")) != NULL)
        (void)yaml_get_text(reader, item, S("title"), &unit.name);
    size_t number = tiers->tiers[tier].units.count;
    VEC_PUSH(reader->arena, &tiers->tiers[tier].units, unit);
    const YamlNode *parts = yaml_get_kind(reader, item, S("of"), YAML_SEQUENCE);
    for (size_t i = 0; parts != NULL && i < parts->count; i++) {
        if (parts->items[i].kind != YAML_SCALAR)
            yaml_error(reader, &parts->items[i], "expected the id of a unit of the tier below");
        else if (map_has(&tiers->tiers[tier].unit_of, parts->items[i].text))
            yaml_error(reader, &parts->items[i], "\"%.*s\" belongs to two units of this tier",
                       STR_ARG(parts->items[i].text));
        else
            map_put(&tiers->tiers[tier].unit_of, parts->items[i].text, number);
    }
}

static void read_tier(const YamlReader *reader, const YamlNode *item, ProgrammeTiers *tiers)
{
    static const Str known[] = {STR_INIT("id"), STR_INIT("title"), STR_INIT("units")};
    if (item->kind != YAML_MAPPING) {
        yaml_error(reader, item, "expected a tier: id, title, units");
        return;
    }
    if (tiers->count == TIERS_MAX) {
        yaml_error(reader, item, "at most %d tiers", TIERS_MAX);
        return;
    }
    yaml_check_keys(reader, item, known, COUNT_OF(known));
    size_t tier = tiers->count++;
    map_init(&tiers->tiers[tier].unit_of, reader->arena);
    (void)yaml_get_text(reader, item, S("id"), &tiers->tiers[tier].id);
    if (yaml_find(item, S("title")) != NULL)
        (void)yaml_get_text(reader, item, S("title"), &tiers->tiers[tier].title);
    const YamlNode *units = yaml_get_kind(reader, item, S("units"), YAML_SEQUENCE);
    for (size_t i = 0; units != NULL && i < units->count; i++)
        read_unit(reader, &units->items[i], tiers, tier);
}

ProgrammeTiers *tiers_parse(const YamlReader *reader, const YamlNode *root)
{
    static const Str known[] = {STR_INIT("tiers")};
    ProgrammeTiers *tiers = ARENA_NEW(reader->arena, ProgrammeTiers);
    yaml_check_keys(reader, root, known, COUNT_OF(known));
    const YamlNode *list = yaml_get_kind(reader, root, S("tiers"), YAML_SEQUENCE);
    for (size_t i = 0; list != NULL && i < list->count; i++)
        read_tier(reader, &list->items[i], tiers);
    return tiers;
}

/* --- units --- */

typedef struct {
    Arena *arena;
    const Run *run;
    ProgrammeUnitVec *units;
    Map numbers;         /* "parent tier id" -> unit */
    size_t *of_practice; /* by practice, nobody last: number of its unit + 1 */
} UnitBuilder;

static size_t unit_in(UnitBuilder *builder, size_t parent, Str tier, ProgrammePractice of)
{
    Str key = str_format(builder->arena, "%zu %.*s %.*s", parent, STR_ARG(tier), STR_ARG(of.id));
    uint64_t number;
    if (map_find(&builder->numbers, key, &number))
        return (size_t)number;
    size_t indicators = builder->run->programme->measures.indicator_count;
    ProgrammeUnit unit = {.tier = tier,
                          .id = of.id,
                          .name = of.name,
                          .parent = parent,
                          .counts = ARENA_ZARRAY(builder->arena, ProgrammeCounts, indicators)};
    map_put(&builder->numbers, key, builder->units->count);
    VEC_PUSH(builder->arena, builder->units, unit);
    return builder->units->count - 1;
}

static const ProgrammePractice nobody = {.id = STR_INIT(""), .name = STR_INIT("nobody")};

/* The unit above practices by the organisation document, made from the top down. */
static size_t unit_by_document(UnitBuilder *builder, const ProgrammeTiers *tiers, Str practice)
{
    ProgrammePractice path[TIERS_MAX];
    Str below = practice;
    for (size_t i = 0; i < tiers->count; i++) {
        uint64_t number;
        path[i] = nobody;
        if (map_find(&tiers->tiers[i].unit_of, below, &number))
            path[i] = tiers->tiers[i].units.items[number];
        below = path[i].id;
    }
    size_t parent = 0;
    for (size_t i = tiers->count; i > 0; i--)
        parent = unit_in(builder, parent, tiers->tiers[i - 1].id, path[i - 1]);
    return parent;
}

static size_t practice_unit(UnitBuilder *builder, size_t practice)
{
    const Run *run = builder->run;
    if (builder->of_practice[practice] != 0)
        return builder->of_practice[practice] - 1;
    ProgrammePractice of = nobody;
    if (practice < practice_count(run->practices)) {
        const Practice *found = practice_at(run->practices, practice);
        of = (ProgrammePractice){.id = found->id, .name = found->name};
    }
    size_t parent;
    if (run->programme->tiers != NULL) {
        parent = unit_by_document(builder, run->programme->tiers, of.id);
    } else {
        const Organisation *organisation =
            organisation_find_id(practice_organisations(run->practices), of.id);
        ProgrammePractice network = of;
        if (organisation != NULL) {
            organisation = organisation_network(organisation);
            network = (ProgrammePractice){.id = organisation->id, .name = organisation->name};
        }
        parent = unit_in(builder, 0, S("network"), network);
    }
    size_t unit = unit_in(builder, parent, S("practice"), of);
    builder->of_practice[practice] = unit + 1;
    return unit;
}

/* The first practitioner of Patient.generalPractitioner. */
static ProgrammePractice clinician_of(Record record, Arena *scratch)
{
    FhirNode list = fhir_child_named(record_patient(record), S("generalPractitioner"));
    FhirItems items = fhir_items(list);
    FhirNode item;
    while (fhir_items_next(&items, &item)) {
        uint16_t type;
        ProgrammePractice clinician;
        if (!fhir_reference(item, scratch, &type, &clinician.id) || type != FHIR_TYPE_Practitioner)
            continue;
        clinician.name = fhir_text(fhir_child_named(item, S("display")), scratch);
        if (str_is_empty(clinician.name))
            clinician.name = clinician.id;
        return clinician;
    }
    return nobody;
}

static void add_counts(ProgrammeCounts *counts, MeasureAnswer answer)
{
    counts->denominator += answer != ANSWER_OUTSIDE;
    counts->excluded += answer == ANSWER_EXCLUDED;
    counts->achieved += answer == ANSWER_ACHIEVED;
    counts->excepted += answer == ANSWER_EXCEPTED;
    counts->gaps += answer == ANSWER_GAP;
}

static void count_person(UnitBuilder *builder, size_t partition, Record record, Arena *scratch)
{
    const Run *run = builder->run;
    uint32_t practice = practice_of(run->practices, partition, record.row);
    size_t unit = practice_unit(builder, practice == PRACTICE_NONE ? practice_count(run->practices)
                                                                   : practice);
    ProgrammePractice clinician = clinician_of(record, scratch);
    clinician.id = str_copy(builder->arena, clinician.id);
    clinician.name = str_copy(builder->arena, clinician.name);
    unit = unit_in(builder, unit, S("clinician"), clinician);
    for (; unit != SIZE_MAX; unit = builder->units->items[unit].parent) {
        ProgrammeUnit *each = &builder->units->items[unit];
        each->persons++;
        for (size_t i = 0; i < run->programme->measures.indicator_count; i++)
            add_counts(&each->counts[i], measure_answer(run->measures, i, partition, record.row));
    }
}

ErrorCode programme_view_units(Arena *arena, const ProgrammeView *view, ProgrammeUnitVec *ret_units,
                               Error *err)
{
    const Run *run = view_run(view);
    ProgrammeUnitVec units = {0};
    UnitBuilder builder = {.arena = arena, .run = run, .units = &units};
    builder.of_practice = ARENA_ZARRAY(arena, size_t, practice_count(run->practices) + 1);
    map_init(&builder.numbers, arena);
    (void)unit_in(&builder, SIZE_MAX, S("programme"),
                  (ProgrammePractice){.id = run->programme->id, .name = run->programme->title});
    Arena *scratch = arena_create(0);
    ErrorCode code = ERR_OK;
    for (size_t part = 0; code == ERR_OK && part < store_partition_count(run->store); part++) {
        const RecordBatch *batch;
        code = store_batch(run->store, part, &batch, err);
        for (uint32_t row = 0; code == ERR_OK && row < batch->person_count; row++) {
            count_person(&builder, part, (Record){.batch = batch, .row = row}, scratch);
            arena_reset(scratch);
        }
    }
    arena_destroy(scratch);
    if (code == ERR_OK)
        *ret_units = units;
    return code;
}

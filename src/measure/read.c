/* A Measure resource as JSON into a Measure, with everything that is wrong with it. */
#include "measure/definition.h"

#include <stdarg.h>
#include <stdio.h>

typedef struct {
    Str code;
    Str display;
} Word;

static const Word parts[PART_COUNT] = {
    [PART_INITIAL] = {STR_INIT("initial-population"), STR_INIT("Initial Population")},
    [PART_DENOMINATOR] = {STR_INIT("denominator"), STR_INIT("Denominator")},
    [PART_DENOMINATOR_EXCLUSION] = {STR_INIT("denominator-exclusion"),
                                    STR_INIT("Denominator Exclusion")},
    [PART_NUMERATOR] = {STR_INIT("numerator"), STR_INIT("Numerator")},
    [PART_NUMERATOR_EXCLUSION] = {STR_INIT("numerator-exclusion"), STR_INIT("Numerator Exclusion")},
    [PART_DENOMINATOR_EXCEPTION] = {STR_INIT("denominator-exception"),
                                    STR_INIT("Denominator Exception")},
    [PART_MEASURE_POPULATION] = {STR_INIT("measure-population"), STR_INIT("Measure Population")},
    [PART_MEASURE_POPULATION_EXCLUSION] = {STR_INIT("measure-population-exclusion"),
                                           STR_INIT("Measure Population Exclusion")},
    [PART_OBSERVATION] = {STR_INIT("measure-observation"), STR_INIT("Measure Observation")},
};

static const Word scorings[] = {
    [SCORING_COHORT] = {STR_INIT("cohort"), STR_INIT("Cohort")},
    [SCORING_PROPORTION] = {STR_INIT("proportion"), STR_INIT("Proportion")},
    [SCORING_RATIO] = {STR_INIT("ratio"), STR_INIT("Ratio")},
    [SCORING_CONTINUOUS] = {STR_INIT("continuous-variable"), STR_INIT("Continuous Variable")},
};

static const Str aggregates[] = {
    [AGGREGATE_NONE] = STR_INIT(""),           [AGGREGATE_COUNT] = STR_INIT("count"),
    [AGGREGATE_SUM] = STR_INIT("sum"),         [AGGREGATE_AVERAGE] = STR_INIT("average"),
    [AGGREGATE_MEDIAN] = STR_INIT("median"),   [AGGREGATE_MINIMUM] = STR_INIT("minimum"),
    [AGGREGATE_MAXIMUM] = STR_INIT("maximum"),
};

enum { BIT_INITIAL = 1 << PART_INITIAL };

/* Which parts a group of each scoring must and may have (Quality Measure guide, table 3-1). */
static const struct {
    uint32_t must;
    uint32_t may;
} allowed[] = {
    [SCORING_COHORT] = {BIT_INITIAL, BIT_INITIAL},
    [SCORING_PROPORTION] = {BIT_INITIAL | 1 << PART_DENOMINATOR | 1 << PART_NUMERATOR,
                            BIT_INITIAL | 1 << PART_DENOMINATOR | 1 << PART_NUMERATOR |
                                1 << PART_DENOMINATOR_EXCLUSION | 1 << PART_NUMERATOR_EXCLUSION |
                                1 << PART_DENOMINATOR_EXCEPTION},
    [SCORING_RATIO] = {BIT_INITIAL | 1 << PART_DENOMINATOR | 1 << PART_NUMERATOR,
                       BIT_INITIAL | 1 << PART_DENOMINATOR | 1 << PART_NUMERATOR |
                           1 << PART_DENOMINATOR_EXCLUSION | 1 << PART_NUMERATOR_EXCLUSION |
                           1 << PART_OBSERVATION},
    [SCORING_CONTINUOUS] = {BIT_INITIAL | 1 << PART_MEASURE_POPULATION | 1 << PART_OBSERVATION,
                            BIT_INITIAL | 1 << PART_MEASURE_POPULATION | 1 << PART_OBSERVATION |
                                1 << PART_MEASURE_POPULATION_EXCLUSION},
};

Str measure_part_code(MeasurePart part)
{
    return parts[part].code;
}

Str measure_part_display(MeasurePart part)
{
    return parts[part].display;
}

Str measure_scoring_code(MeasureScoring scoring)
{
    return scorings[scoring].code;
}

Str measure_scoring_display(MeasureScoring scoring)
{
    return scorings[scoring].display;
}

Str measure_aggregate_code(MeasureAggregate aggregate)
{
    return aggregates[aggregate];
}

bool measure_part_find(Str code, MeasurePart *ret_part)
{
    for (size_t i = 0; i < PART_COUNT; i++)
        if (str_eq(parts[i].code, code)) {
            *ret_part = (MeasurePart)i;
            return true;
        }
    return false;
}

Str measure_name(const Measure *measure)
{
    if (!str_is_empty(measure->name))
        return measure->name;
    return str_is_empty(measure->id) ? measure->url : measure->id;
}

Str measure_group_name(Arena *arena, const MeasureGroup *group)
{
    if (!str_is_empty(group->id))
        return group->id;
    return str_format(arena, "group %u", group->number + 1);
}

/* --- reading --- */

typedef struct {
    Arena *arena;
    DiagList *diags;
    Measure *measure;
    Str file;
} Reader;

/* Where a finding is: the element's path is made as the reader goes down. */
typedef struct {
    const JsonValue *value;
    Str path;
} Place;

static void finding(const Reader *reader, Severity severity, Place place, const char *rule,
                    const char *format, ...) PRINTF_LIKE(5, 6);

static void finding(const Reader *reader, Severity severity, Place place, const char *rule,
                    const char *format, ...)
{
    va_list args;
    char text[600];
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    str_mend_cut(text);
    Diag diag = {.severity = severity,
                 .file = reader->file,
                 .line = place.value == NULL ? 0 : place.value->line,
                 .column = place.value == NULL ? 0 : place.value->column,
                 .rule = str_from_c(rule),
                 .path = place.path};
    diag_addf(reader->diags, diag, "%.*s: %s", STR_ARG(measure_name(reader->measure)), text);
}

static Place member(const Reader *reader, Place of, Str key)
{
    const JsonValue *found = json_find(of.value, key);
    return (Place){.value = found == NULL ? of.value : found,
                   .path = str_format(reader->arena, "%.*s.%.*s", STR_ARG(of.path), STR_ARG(key))};
}

static Place item(const Reader *reader, Place list, size_t index)
{
    return (Place){.value = &list.value->items[index],
                   .path = str_format(reader->arena, "%.*s[%zu]", STR_ARG(list.path), index)};
}

/* The items of a member that is a list. */
static size_t list_of(Place of, Str key, const JsonValue **ret_list)
{
    const JsonValue *list = json_find(of.value, key);
    *ret_list = list;
    return list == NULL || list->kind != JSON_ARRAY ? 0 : list->count;
}

/* "cqfm-scoring" of ".../StructureDefinition/cqfm-scoring". */
static Str last_part(Str url)
{
    size_t from = url.len;
    while (from > 0 && url.ptr[from - 1] != '/')
        from--;
    return str_slice(url, from, url.len);
}

/* The n-th extension with that last part of its url; NULL when there are no more. The guides name
   the same thing in several name spaces (cqfm-, cqf-, crmi-), so the prefix does not count. */
static const JsonValue *find_extension(const JsonValue *of, Str name, size_t nth)
{
    const JsonValue *list = json_find(of, S("extension"));
    for (size_t i = 0; list != NULL && list->kind == JSON_ARRAY && i < list->count; i++) {
        Str url = last_part(json_find_text(&list->items[i], S("url")));
        if (url.len >= name.len && str_eq(str_slice(url, url.len - name.len, name.len), name) &&
            (url.len == name.len || url.ptr[url.len - name.len - 1] == '-') && nth-- == 0)
            return &list->items[i];
    }
    return NULL;
}

/* The first code of a CodeableConcept. */
static Str concept_code(const JsonValue *concept)
{
    const JsonValue *codings = json_find(concept, S("coding"));
    if (codings == NULL || codings->kind != JSON_ARRAY || codings->count == 0)
        return json_find_text(concept, S("text"));
    return json_find_text(&codings->items[0], S("code"));
}

static Str concept_text(const JsonValue *concept)
{
    Str text = json_find_text(concept, S("text"));
    const JsonValue *codings = json_find(concept, S("coding"));
    if (!str_is_empty(text) || codings == NULL || codings->kind != JSON_ARRAY ||
        codings->count == 0)
        return text;
    text = json_find_text(&codings->items[0], S("display"));
    return str_is_empty(text) ? json_find_text(&codings->items[0], S("code")) : text;
}

/* The value of an extension as a word: code, string or CodeableConcept. */
static Str extension_text(const JsonValue *extension)
{
    static const Str names[] = {STR_INIT("valueCode"), STR_INIT("valueString"),
                                STR_INIT("valueMarkdown")};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        Str text = json_find_text(extension, names[i]);
        if (!str_is_empty(text))
            return text;
    }
    return concept_code(json_find(extension, S("valueCodeableConcept")));
}

/* The extension's word on the group, else on the measure. */
static Str inherited(Place group, Place measure, Str name)
{
    Str text = extension_text(find_extension(group.value, name, 0));
    return str_is_empty(text) ? extension_text(find_extension(measure.value, name, 0)) : text;
}

/* A name in double quotes or bare; qualified names are cut at the dot between two names. */
static Str unquoted(Str text)
{
    text = str_trim(text);
    if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"')
        return str_slice(text, 1, text.len - 2);
    return text;
}

static MeasureCriteria read_criteria(const Reader *reader, Place of)
{
    Place criteria = member(reader, of, S("criteria"));
    Place place = member(reader, criteria, S("expression"));
    Str text = json_find_text(criteria.value, S("expression"));
    MeasureCriteria result = {.line = place.value->line, .column = place.value->column};
    if (json_find(of.value, S("criteria")) == NULL || str_is_empty(str_trim(text))) {
        finding(reader, SEVERITY_ERROR, place, "measure-criteria",
                "expected the name of a CQL definition");
        return result;
    }
    text = str_trim(text);
    size_t cut = str_find(text, S("\".\""));
    size_t dot = str_find(text, S(".\""));
    if (cut != SIZE_MAX) {
        result.library = unquoted(str_slice(text, 0, cut + 1));
        text = str_slice(text, cut + 2, text.len);
    } else if (dot != SIZE_MAX && text.ptr[0] != '"') {
        result.library = str_slice(text, 0, dot);
        text = str_slice(text, dot + 1, text.len);
    }
    result.expression = str_copy(reader->arena, unquoted(text));
    return result;
}

static MeasureAggregate read_aggregate(const Reader *reader, Place of)
{
    Str text = extension_text(find_extension(of.value, S("aggregateMethod"), 0));
    if (str_is_empty(text))
        return AGGREGATE_NONE;
    for (size_t i = 1; i < COUNT_OF(aggregates); i++) {
        if (str_eq_ignoring_case(text, aggregates[i]))
            return (MeasureAggregate)i;
    }
    finding(
        reader, SEVERITY_ERROR, of, "measure-aggregate",
        "the aggregate method \"%.*s\" is none of count, sum, average, median, minimum, maximum",
        STR_ARG(text));
    return AGGREGATE_NONE;
}

static MeasurePopulation read_population(const Reader *reader, Place of)
{
    MeasurePopulation result = {.id = json_find_text(of.value, S("id")),
                                .description = json_find_text(of.value, S("description"))};
    Str code = concept_code(json_find(of.value, S("code")));
    if (str_eq(code, S("measure-population-observation")))
        code = measure_part_code(PART_OBSERVATION);
    if (!measure_part_find(code, &result.part))
        finding(reader, SEVERITY_ERROR, member(reader, of, S("code")), "measure-population",
                "\"%.*s\" is no measure population", STR_ARG(code));
    result.criteria = read_criteria(reader, of);
    result.reference = extension_text(find_extension(of.value, S("criteriaReference"), 0));
    if (result.part == PART_OBSERVATION)
        result.aggregate = read_aggregate(reader, of);
    return result;
}

/* --- groups --- */

static bool read_scoring(const Reader *reader, Place measure, Place of, MeasureScoring *ret_scoring)
{
    Str code = extension_text(find_extension(of.value, S("scoring"), 0));
    if (str_is_empty(code))
        code = concept_code(json_find(measure.value, S("scoring")));
    if (str_is_empty(code))
        code = extension_text(find_extension(measure.value, S("scoring"), 0));
    for (size_t i = 0; i < COUNT_OF(scorings); i++)
        if (str_eq(code, scorings[i].code)) {
            *ret_scoring = (MeasureScoring)i;
            return true;
        }
    finding(reader, SEVERITY_ERROR, of, "measure-scoring",
            "expected the scoring cohort, proportion, ratio or continuous-variable, found \"%.*s\"",
            STR_ARG(code));
    return false;
}

static bool has_population(const MeasureGroup *group, Str id)
{
    for (size_t i = 0; i < group->population_count; i++)
        if (str_eq(group->populations[i].id, id))
            return true;
    return false;
}

static void check_parts(const Reader *reader, Place of, const MeasureGroup *group)
{
    uint32_t seen = 0;
    size_t initial = 0;
    for (size_t i = 0; i < group->population_count; i++) {
        const MeasurePopulation *each = &group->populations[i];
        Place place = item(reader, member(reader, of, S("population")), i);
        bool is_new = (seen >> each->part & 1) == 0;
        seen |= UINT32_C(1) << each->part;
        initial += each->part == PART_INITIAL;
        if ((allowed[group->scoring].may >> each->part & 1) == 0)
            finding(reader, SEVERITY_ERROR, place, "measure-population",
                    "a %.*s has no population %.*s", STR_ARG(scorings[group->scoring].code),
                    STR_ARG(parts[each->part].code));
        if (!is_new && each->part != PART_OBSERVATION &&
            (each->part != PART_INITIAL || group->scoring != SCORING_RATIO))
            finding(reader, SEVERITY_ERROR, place, "measure-population",
                    "there are two populations %.*s", STR_ARG(parts[each->part].code));
        if (!str_is_empty(each->reference) && !has_population(group, each->reference))
            finding(reader, SEVERITY_WARNING, place, "measure-reference",
                    "its criteria refer to the population \"%.*s\", which the group does not have",
                    STR_ARG(each->reference));
    }
    for (size_t i = 0; i < PART_COUNT; i++)
        if ((allowed[group->scoring].must >> i & 1) != 0 && (seen >> i & 1) == 0)
            finding(reader, SEVERITY_ERROR, of, "measure-population",
                    "a %.*s needs a population %.*s", STR_ARG(scorings[group->scoring].code),
                    STR_ARG(parts[i].code));
    if (initial > 2)
        finding(reader, SEVERITY_ERROR, of, "measure-population",
                "a ratio has at most two initial populations");
}

static MeasureStratifier read_stratifier(const Reader *reader, Place of)
{
    MeasureStratifier result = {.id = json_find_text(of.value, S("id")),
                                .text = concept_text(json_find(of.value, S("code")))};
    const JsonValue *list;
    size_t count = list_of(of, S("component"), &list);
    MeasureComponent *components = ARENA_ZARRAY(reader->arena, MeasureComponent, count + 1);
    if (json_find(of.value, S("criteria")) != NULL || count == 0)
        components[result.component_count++].criteria = read_criteria(reader, of);
    else
        result.has_components = true;
    for (size_t i = 0; result.has_components && i < count; i++) {
        Place place = item(reader, member(reader, of, S("component")), i);
        components[result.component_count++] =
            (MeasureComponent){.id = json_find_text(place.value, S("id")),
                               .text = concept_text(json_find(place.value, S("code"))),
                               .criteria = read_criteria(reader, place)};
    }
    result.components = components;
    const JsonValue *extension;
    for (size_t i = 0; (extension = find_extension(of.value, S("appliesTo"), i)) != NULL; i++) {
        MeasurePart part;
        if (measure_part_find(extension_text(extension), &part))
            result.applies_to |= UINT32_C(1) << part;
    }
    return result;
}

static void read_basis(const Reader *reader, Place measure, Place of, MeasureGroup *group)
{
    group->basis = inherited(of, measure, S("populationBasis"));
    if (str_is_empty(group->basis) || str_eq(group->basis, S("boolean")))
        return;
    char first = group->basis.ptr[0];
    bool is_name = first >= 'A' && first <= 'Z';
    for (size_t i = 0; i < group->basis.len; i++) {
        char c = (char)(group->basis.ptr[i] | 0x20);
        is_name &= c >= 'a' && c <= 'z';
    }
    if (!is_name)
        finding(reader, SEVERITY_ERROR, of, "measure-basis",
                "the population basis \"%.*s\" is neither boolean nor a resource type",
                STR_ARG(group->basis));
}

/* False when the group has errors. */
static bool read_group(const Reader *reader, Place measure, Place of, MeasureGroup *ret_group)
{
    size_t errors = reader->diags->counts[SEVERITY_ERROR];
    MeasureGroup group = {.id = json_find_text(of.value, S("id")),
                          .title = concept_text(json_find(of.value, S("code"))),
                          .description = json_find_text(of.value, S("description")),
                          .number = ret_group->number,
                          .line = of.value->line};
    bool has_scoring = read_scoring(reader, measure, of, &group.scoring);
    read_basis(reader, measure, of, &group);
    group.improvement = inherited(of, measure, S("improvementNotation"));
    if (str_is_empty(group.improvement))
        group.improvement = reader->measure->improvement;
    group.rate_aggregation = extension_text(find_extension(of.value, S("rateAggregation"), 0));
    if (str_is_empty(group.rate_aggregation))
        group.rate_aggregation = json_find_text(measure.value, S("rateAggregation"));

    const JsonValue *list;
    size_t count = list_of(of, S("population"), &list);
    if (count > MEASURE_POPULATIONS_MAX) {
        finding(reader, SEVERITY_ERROR, of, "measure-population", "over %d populations in a group",
                MEASURE_POPULATIONS_MAX);
        return false;
    }
    MeasurePopulation *populations = ARENA_ZARRAY(reader->arena, MeasurePopulation, count);
    for (size_t i = 0; i < count; i++)
        populations[i] =
            read_population(reader, item(reader, member(reader, of, S("population")), i));
    group.populations = populations;
    group.population_count = count;
    if (has_scoring && reader->diags->counts[SEVERITY_ERROR] == errors)
        check_parts(reader, of, &group);

    count = list_of(of, S("stratifier"), &list);
    MeasureStratifier *stratifiers = ARENA_ZARRAY(reader->arena, MeasureStratifier, count);
    for (size_t i = 0; i < count; i++)
        stratifiers[i] =
            read_stratifier(reader, item(reader, member(reader, of, S("stratifier")), i));
    group.stratifiers = stratifiers;
    group.stratifier_count = count;
    if (has_scoring)
        measure_render_heads(reader->arena, &group, populations);
    *ret_group = group;
    return reader->diags->counts[SEVERITY_ERROR] == errors;
}

/* --- the measure --- */

static void read_supplements(const Reader *reader, Place of)
{
    Measure *measure = reader->measure;
    const JsonValue *list;
    size_t count = list_of(of, S("supplementalData"), &list);
    MeasureSupplement *supplements = ARENA_ZARRAY(reader->arena, MeasureSupplement, count);
    for (size_t i = 0; i < count; i++) {
        Place place = item(reader, member(reader, of, S("supplementalData")), i);
        const JsonValue *usages;
        supplements[i] =
            (MeasureSupplement){.id = json_find_text(place.value, S("id")),
                                .text = concept_text(json_find(place.value, S("code"))),
                                .criteria = read_criteria(reader, place)};
        size_t usage_count = list_of(place, S("usage"), &usages);
        for (size_t j = 0; j < usage_count; j++)
            supplements[i].is_risk_adjustment |=
                str_eq(concept_code(&usages->items[j]), S("risk-adjustment-factor"));
        if (str_is_empty(supplements[i].text))
            supplements[i].text = supplements[i].criteria.expression;
    }
    measure->supplements = supplements;
    measure->supplement_count = count;
}

static void read_libraries(const Reader *reader, Place of)
{
    const JsonValue *list;
    size_t count = list_of(of, S("library"), &list);
    Str *names = ARENA_ARRAY(reader->arena, Str, count);
    for (size_t i = 0; i < count; i++)
        names[i] = list->items[i].text;
    reader->measure->libraries = names;
    reader->measure->library_count = count;
    if (count == 0)
        finding(reader, SEVERITY_ERROR, of, "measure-library", "the measure names no library");
}

static void read_period(const Reader *reader, Place of)
{
    const JsonValue *period = json_find(of.value, S("effectivePeriod"));
    Measure *measure = reader->measure;
    measure->period_start = json_find_text(period, S("start"));
    measure->period_end = json_find_text(period, S("end"));
    if (period != NULL &&
        (str_is_empty(measure->period_start) || str_is_empty(measure->period_end)))
        finding(reader, SEVERITY_WARNING, member(reader, of, S("effectivePeriod")),
                "measure-period", "the effective period has no %s",
                str_is_empty(measure->period_end) ? "end" : "start");
}

bool measure_read(Arena *arena, const JsonValue *resource, Str file, DiagList *diags,
                  Measure *ret_measure)
{
    size_t errors = diags->counts[SEVERITY_ERROR];
    Measure measure = {.id = json_find_text(resource, S("id")),
                       .url = json_find_text(resource, S("url")),
                       .version = json_find_text(resource, S("version")),
                       .name = json_find_text(resource, S("name")),
                       .title = json_find_text(resource, S("title")),
                       .improvement = concept_code(json_find(resource, S("improvementNotation"))),
                       .file = file,
                       .line = resource->line};
    Reader reader = {.arena = arena, .diags = diags, .measure = &measure, .file = file};
    Place of = {.value = resource, .path = S("Measure")};
    read_libraries(&reader, of);
    read_period(&reader, of);
    read_supplements(&reader, of);
    bool is_usable = diags->counts[SEVERITY_ERROR] == errors;
    const JsonValue *list;
    size_t count = list_of(of, S("group"), &list);
    MeasureGroup *groups = ARENA_ZARRAY(arena, MeasureGroup, count);
    for (size_t i = 0; i < count; i++) {
        MeasureGroup *group = &groups[measure.group_count];
        group->number = (uint32_t)i;
        if (read_group(&reader, of, item(&reader, member(&reader, of, S("group")), i), group))
            measure.group_count++;
    }
    if (count == 0)
        finding(&reader, SEVERITY_ERROR, of, "measure-group", "the measure has no group");
    measure.groups = groups;
    *ret_measure = measure;
    return is_usable && measure.group_count > 0;
}

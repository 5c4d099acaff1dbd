/* Registers and indicators as a document writes them, and their definitions found in the plan. */
#include "measure/measure_int.h"

enum { WEIGHT_MAX = 1000 };

typedef struct {
    const YamlReader *reader;
    Map ids; /* of registers and indicators: one space of names */
} SpecReader;

/* Ids become names of files, keys and accounts: small letters, digits and dashes. */
static bool is_id(Str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!is_letter && !(c == '-' && i > 0 && i + 1 < text.len))
            return false;
    }
    return text.len > 0 && text.len <= 64;
}

static void read_id(SpecReader *spec, const YamlNode *item, Str *ret_id)
{
    if (!yaml_get_text(spec->reader, item, S("id"), ret_id))
        return;
    const YamlNode *node = yaml_find(item, S("id"));
    if (!is_id(*ret_id))
        yaml_error(spec->reader, node, "\"%.*s\" is no id: small letters, digits and dashes",
                   STR_ARG(*ret_id));
    bool is_new;
    (void)map_intern(&spec->ids, *ret_id, 0, &is_new);
    if (!is_new)
        yaml_error(spec->reader, node, "the id \"%.*s\" is used twice", STR_ARG(*ret_id));
}

/* A member that may be left out. */
static void read_optional(SpecReader *spec, const YamlNode *item, Str key, Str *ret_text)
{
    if (yaml_find(item, key) != NULL)
        (void)yaml_get_text(spec->reader, item, key, ret_text);
}

static void read_names(SpecReader *spec, const YamlNode *item, const Str **ret_names,
                       size_t *ret_count)
{
    const YamlNode *list = yaml_find_kind(spec->reader, item, S("evidence"), YAML_SEQUENCE);
    if (list == NULL)
        return;
    Str *names = ARENA_ARRAY(spec->reader->arena, Str, list->count);
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].kind != YAML_SCALAR)
            yaml_error(spec->reader, &list->items[i], "expected the name of a definition");
        names[i] = list->items[i].text;
    }
    *ret_names = names;
    *ret_count = list->count;
}

static RegisterSpec read_register(SpecReader *spec, const YamlNode *item)
{
    static const Str known[] = {STR_INIT("id"), STR_INIT("title"), STR_INIT("library"),
                                STR_INIT("definition"), STR_INIT("evidence")};
    RegisterSpec result = {.line = item->line, .node = item};
    if (item->kind != YAML_MAPPING) {
        yaml_error(spec->reader, item, "expected a register: id, title, library, definition");
        return result;
    }
    yaml_check_keys(spec->reader, item, known, COUNT_OF(known));
    read_id(spec, item, &result.id);
    (void)yaml_get_text(spec->reader, item, S("title"), &result.title);
    (void)yaml_get_text(spec->reader, item, S("library"), &result.library);
    (void)yaml_get_text(spec->reader, item, S("definition"), &result.definition);
    read_names(spec, item, &result.evidence, &result.evidence_count);
    return result;
}

static void read_direction(SpecReader *spec, const YamlNode *item, bool *ret_is_decrease)
{
    Str word = {0};
    read_optional(spec, item, S("direction"), &word);
    *ret_is_decrease = str_eq(word, S("decrease"));
    if (word.len > 0 && !*ret_is_decrease && !str_eq(word, S("increase")))
        yaml_error(spec->reader, yaml_find(item, S("direction")),
                   "\"%.*s\" is no direction: increase or decrease", STR_ARG(word));
}

/* A part of the whole, 0 to 1; false when it was not given. */
static bool read_part(SpecReader *spec, const YamlNode *item, Str key, Decimal *ret_part)
{
    const YamlNode *node = yaml_find(item, key);
    if (node == NULL || !yaml_get_decimal(spec->reader, item, key, ret_part))
        return false;
    if (decimal_cmp(*ret_part, decimal_from_int(0)) >= 0 &&
        decimal_cmp(*ret_part, decimal_from_int(1)) <= 0)
        return true;
    yaml_error(spec->reader, node, "%.*s is a part of the whole: 0 to 1", STR_ARG(key));
    return false;
}

/* The target lies beyond the minimum, in the direction of the indicator. */
static void check_target(SpecReader *spec, const YamlNode *item, const IndicatorSpec *indicator)
{
    if (!indicator->has_target || !indicator->has_minimum)
        return;
    int order = decimal_cmp(indicator->target, indicator->minimum);
    if (indicator->is_decrease ? order > 0 : order < 0)
        yaml_error(spec->reader, yaml_find(item, S("minimum")),
                   "the minimum is harder to reach than the target");
}

static void read_weight(SpecReader *spec, const YamlNode *item, uint32_t *ret_weight)
{
    const YamlNode *node = yaml_find(item, S("weight"));
    int64_t weight = 1;
    if (node == NULL || !yaml_get_int(spec->reader, item, S("weight"), &weight))
        return;
    if (weight < 1 || weight > WEIGHT_MAX)
        yaml_error(spec->reader, node, "a weight is from 1 to %d", WEIGHT_MAX);
    else
        *ret_weight = (uint32_t)weight;
}

static IndicatorSpec read_indicator(SpecReader *spec, const YamlNode *item,
                                    const MeasureSpec *registers)
{
    static const Str known[] = {
        STR_INIT("id"),        STR_INIT("title"),       STR_INIT("register"),
        STR_INIT("library"),   STR_INIT("denominator"), STR_INIT("exclusion"),
        STR_INIT("exception"), STR_INIT("numerator"),   STR_INIT("direction"),
        STR_INIT("target"),    STR_INIT("minimum"),     STR_INIT("weight"),
        STR_INIT("closes"),    STR_INIT("evidence")};
    IndicatorSpec result = {.line = item->line, .node = item, .weight = 1};
    if (item->kind != YAML_MAPPING) {
        yaml_error(spec->reader, item,
                   "expected an indicator: id, title, register, library, numerator");
        return result;
    }
    yaml_check_keys(spec->reader, item, known, COUNT_OF(known));
    read_id(spec, item, &result.id);
    (void)yaml_get_text(spec->reader, item, S("title"), &result.title);
    (void)yaml_get_text(spec->reader, item, S("library"), &result.library);
    (void)yaml_get_text(spec->reader, item, S("numerator"), &result.numerator);
    read_optional(spec, item, S("denominator"), &result.denominator);
    read_optional(spec, item, S("exclusion"), &result.exclusion);
    read_optional(spec, item, S("exception"), &result.exception);
    read_direction(spec, item, &result.is_decrease);
    result.has_target = read_part(spec, item, S("target"), &result.target);
    result.has_minimum = read_part(spec, item, S("minimum"), &result.minimum);
    check_target(spec, item, &result);
    read_weight(spec, item, &result.weight);
    read_optional(spec, item, S("closes"), &result.closes);
    read_names(spec, item, &result.evidence, &result.evidence_count);
    if (yaml_get_text(spec->reader, item, S("register"), &result.register_id) &&
        measure_find_register(registers, result.register_id) == SIZE_MAX)
        yaml_error(spec->reader, yaml_find(item, S("register")), "there is no register \"%.*s\"",
                   STR_ARG(result.register_id));
    return result;
}

ErrorCode measure_spec_parse(const YamlReader *reader, const YamlNode *root, MeasureSpec *ret_spec)
{
    size_t before = reader->diags->counts[SEVERITY_ERROR];
    SpecReader spec = {.reader = reader};
    map_init(&spec.ids, reader->arena);
    MeasureSpec result = *ret_spec;
    result.file = reader->file;
    const YamlNode *list = yaml_get_kind(reader, root, S("registers"), YAML_SEQUENCE);
    size_t count = list == NULL ? 0 : list->count;
    RegisterSpec *registers = ARENA_ZARRAY(reader->arena, RegisterSpec, count);
    for (size_t i = 0; i < count; i++)
        registers[i] = read_register(&spec, &list->items[i]);
    result.registers = registers;
    result.register_count = count;

    list = yaml_find_kind(reader, root, S("indicators"), YAML_SEQUENCE);
    count = list == NULL ? 0 : list->count;
    IndicatorSpec *indicators = ARENA_ZARRAY(reader->arena, IndicatorSpec, count);
    for (size_t i = 0; i < count; i++)
        indicators[i] = read_indicator(&spec, &list->items[i], &result);
    result.indicators = indicators;
    result.indicator_count = count;
    if (reader->diags->counts[SEVERITY_ERROR] > before)
        return ERR_DOCUMENT;
    *ret_spec = result;
    return ERR_OK;
}

size_t measure_find_indicator(const MeasureSpec *spec, Str id)
{
    for (size_t i = 0; i < spec->indicator_count; i++)
        if (str_eq(spec->indicators[i].id, id))
            return i;
    return SIZE_MAX;
}

size_t measure_find_register(const MeasureSpec *spec, Str id)
{
    for (size_t i = 0; i < spec->register_count; i++)
        if (str_eq(spec->registers[i].id, id))
            return i;
    return SIZE_MAX;
}

/* Whole months: from the first of a month (or the day after the last) to the day before the same
   day of another. */
static int32_t whole_months(int32_t first, int32_t last)
{
    int32_t from_year;
    int32_t from_month;
    int32_t to_year;
    int32_t to_month;
    int32_t day;
    day_to_date(first, &from_year, &from_month, &day);
    day_to_date(last + 1, &to_year, &to_month, &day);
    int32_t months = (to_year - from_year) * 12 + to_month - from_month;
    return months > 0 && day_add_months(first, months) == last + 1 ? months : 0;
}

MeasureSpec measure_spec_at(const MeasureSpec *spec, int32_t last_day)
{
    MeasureSpec result = *spec;
    int32_t months = whole_months(spec->period_first, spec->period_last);
    int32_t moved = last_day - spec->period_last;
    result.period_last = last_day;
    result.period_first =
        months > 0 ? day_add_months(last_day + 1, -months) : spec->period_first + moved;
    if (result.period_first == DAY_NONE || result.period_first < DAY_FIRST)
        result.period_first = DAY_FIRST;
    return result;
}

Str measure_period_text(const MeasureSpec *spec, Arena *arena)
{
    Str first = day_format(arena, spec->period_first);
    Str last = day_format(arena, spec->period_last);
    return str_format(arena, "Interval[@%.*sT00:00:00.000, @%.*sT23:59:59.999]", STR_ARG(first),
                      STR_ARG(last));
}

/* --- the plan --- */

typedef struct {
    Arena *arena;
    const MeasureSpec *spec;
    const CqlPlan *cql;
    DiagList *diags;
} Planner;

/* Where a name stands: a member of the mapping (or an item of its list), else the spec's line. */
typedef struct {
    const YamlNode *node;
    uint32_t line;
} Place;

static Place member_place(const YamlNode *mapping, uint32_t line, Str key, size_t item)
{
    const YamlNode *node = mapping == NULL ? NULL : yaml_find(mapping, key);
    if (node != NULL && node->kind == YAML_SEQUENCE && item < node->count)
        node = &node->items[item];
    return (Place){.node = node, .line = node == NULL ? line : node->line};
}

static void finding(const Planner *planner, Place place, Str rule, Str text)
{
    diag_add(planner->diags, &(Diag){.severity = SEVERITY_ERROR,
                                     .file = planner->spec->file,
                                     .line = place.line,
                                     .column = place.node == NULL ? 0 : place.node->column,
                                     .rule = rule,
                                     .text = text});
}

static void unknown_definition(const Planner *planner, Place place, Str library, Str name)
{
    size_t count = cql_plan_definition_count(planner->cql);
    Str *names = ARENA_ARRAY(planner->arena, Str, count);
    size_t of_library = 0;
    for (size_t i = 0; i < count; i++) {
        const CqlDefinition *definition = cql_plan_definition(planner->cql, i);
        if (str_eq(definition->library, library))
            names[of_library++] = definition->name;
    }
    Str text;
    const Str *near = yaml_nearest_name(name, names, of_library);
    if (of_library == 0)
        text = str_format(planner->arena, "there is no library %.*s", STR_ARG(library));
    else if (near != NULL)
        text = str_format(planner->arena,
                          "library %.*s has no definition \"%.*s\"; did you mean \"%.*s\"?",
                          STR_ARG(library), STR_ARG(name), STR_ARG(*near));
    else
        text = str_format(planner->arena, "library %.*s has no definition \"%.*s\"",
                          STR_ARG(library), STR_ARG(name));
    finding(planner, place, S("measure-unknown-definition"), text);
}

static size_t find_definition(const Planner *planner, Place place, Str library, Str name)
{
    size_t definition = 0;
    if (!cql_plan_find(planner->cql, library, name, &definition)) {
        unknown_definition(planner, place, library, name);
        return 0;
    }
    return definition;
}

/* The definition of a population: one that gives yes or no. */
static size_t find_boolean(const Planner *planner, Place place, Str library, Str name)
{
    size_t errors = planner->diags->counts[SEVERITY_ERROR];
    size_t found = find_definition(planner, place, library, name);
    if (planner->diags->counts[SEVERITY_ERROR] > errors)
        return 0;
    const CqlDefinition *definition = cql_plan_definition(planner->cql, found);
    if (!definition->is_boolean || definition->is_unfiltered)
        finding(planner, place, S("measure-not-boolean"),
                str_format(planner->arena,
                           "\"%.*s\" is %.*s; a population is a Boolean in context Patient",
                           STR_ARG(name), STR_ARG(definition->type)));
    return found;
}

static const size_t *find_evidence(const Planner *planner, Place of, Str library, const Str *names,
                                   size_t count)
{
    size_t *found = ARENA_ARRAY(planner->arena, size_t, count);
    for (size_t i = 0; i < count; i++)
        found[i] = find_definition(planner, member_place(of.node, of.line, S("evidence"), i),
                                   library, names[i]);
    return found;
}

static void plan_register(const Planner *planner, const RegisterSpec *spec, RegisterPlan *plan)
{
    plan->definition =
        find_boolean(planner, member_place(spec->node, spec->line, S("definition"), 0),
                     spec->library, spec->definition);
    plan->evidence = find_evidence(planner, (Place){.node = spec->node, .line = spec->line},
                                   spec->library, spec->evidence, spec->evidence_count);
}

/* A population that may be left out. */
static int64_t find_optional(const Planner *planner, const IndicatorSpec *spec, Str key, Str name)
{
    if (str_is_empty(name))
        return DEFINITION_NONE;
    return (int64_t)find_boolean(planner, member_place(spec->node, spec->line, key, 0),
                                 spec->library, name);
}

static void plan_indicator(const Planner *planner, const IndicatorSpec *spec, IndicatorPlan *plan)
{
    plan->register_index = measure_find_register(planner->spec, spec->register_id);
    ASSERT(plan->register_index != SIZE_MAX);
    plan->denominator = find_optional(planner, spec, S("denominator"), spec->denominator);
    plan->exclusion = find_optional(planner, spec, S("exclusion"), spec->exclusion);
    plan->exception = find_optional(planner, spec, S("exception"), spec->exception);
    plan->is_decrease = spec->is_decrease;
    plan->numerator = find_boolean(planner, member_place(spec->node, spec->line, S("numerator"), 0),
                                   spec->library, spec->numerator);
    plan->evidence = find_evidence(planner, (Place){.node = spec->node, .line = spec->line},
                                   spec->library, spec->evidence, spec->evidence_count);
}

ErrorCode measure_plan_create(Arena *arena, const MeasureSpec *spec, const CqlPlan *cql,
                              DiagList *diags, MeasurePlan **ret_plan)
{
    Planner planner = {.arena = arena, .spec = spec, .cql = cql, .diags = diags};
    size_t before = diags->counts[SEVERITY_ERROR];
    MeasurePlan *plan = ARENA_NEW(arena, MeasurePlan);
    plan->spec = spec;
    plan->cql = cql;
    plan->registers = ARENA_ZARRAY(arena, RegisterPlan, spec->register_count);
    plan->indicators = ARENA_ZARRAY(arena, IndicatorPlan, spec->indicator_count);
    for (size_t i = 0; i < spec->register_count; i++)
        plan_register(&planner, &spec->registers[i], &plan->registers[i]);
    for (size_t i = 0; i < spec->indicator_count; i++)
        plan_indicator(&planner, &spec->indicators[i], &plan->indicators[i]);
    if (diags->counts[SEVERITY_ERROR] > before)
        return ERR_DOCUMENT;
    for (size_t i = 0; i < spec->register_count; i++) {
        RegisterPlan *each = &plan->registers[i];
        each->has_needs = cql_plan_needs(cql, each->definition, &each->needs, &each->need_count);
        each->is_true_without =
            each->has_needs && cql_value_is_true(cql_plan_value_without(cql, each->definition));
    }
    *ret_plan = plan;
    return ERR_OK;
}

ErrorCode measure_source_plan(Arena *arena, const MeasureSource *source, DiagList *diags,
                              MeasurePlan **ret_plan, Error *err)
{
    const MeasureSpec *spec = source->spec;
    CqlParameter *parameters = ARENA_ARRAY(arena, CqlParameter, source->parameter_count + 1);
    parameters[0] =
        (CqlParameter){.name = S("Measurement Period"), .value = measure_period_text(spec, arena)};
    for (size_t i = 0; i < source->parameter_count; i++)
        parameters[i + 1] = source->parameters[i];
    int32_t year;
    int32_t month;
    int32_t day;
    day_to_date(spec->period_last, &year, &month, &day);
    CqlPlanOptions options = {.value_sets = source->value_sets,
                              .dict = source->dict,
                              .now = {.year = (int16_t)year,
                                      .month = (uint8_t)month,
                                      .day = (uint8_t)day,
                                      .offset_minutes = 0,
                                      .precision = PRECISION_DAY},
                              .parameters = parameters,
                              .parameter_count = source->parameter_count + 1};
    CqlPlan *cql;
    ErrorCode code = cql_plan_create(arena, source->libraries, &options, diags, &cql, err);
    if (code == ERR_OK && measure_plan_create(arena, spec, cql, diags, ret_plan) != ERR_OK)
        code = diag_to_error(diags, err);
    return code;
}

const CqlPlan *measure_plan_cql(const MeasurePlan *plan)
{
    return plan->cql;
}

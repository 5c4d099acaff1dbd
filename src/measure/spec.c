/* Registers and indicators as a document writes them, and their definitions found in the plan. */
#include "measure/measure_int.h"

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

static IndicatorSpec read_indicator(SpecReader *spec, const YamlNode *item,
                                    const MeasureSpec *registers)
{
    static const Str known[] = {
        STR_INIT("id"),        STR_INIT("title"),       STR_INIT("register"),
        STR_INIT("library"),   STR_INIT("denominator"), STR_INIT("exclusion"),
        STR_INIT("numerator"), STR_INIT("closes"),      STR_INIT("evidence")};
    IndicatorSpec result = {.line = item->line, .node = item};
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

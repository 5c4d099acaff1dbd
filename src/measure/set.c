/* Measures compiled: libraries and definitions found, their types checked against the basis. */
#include "measure/set_int.h"

#include <stdarg.h>
#include <stdio.h>

typedef struct {
    Arena *arena;
    MeasureSet *set;
    const MeasureSetOptions *options;
    DiagList *diags;
    Map definitions; /* "library|version|name": number */
    Vec(CqlRoot) roots;
} Planner;

/* --- the period --- */

static bool read_period(MeasurePeriod period, Moment *ret_start, Moment *ret_end)
{
    if (!moment_parse(period.start, ret_start) || !moment_parse(period.end, ret_end))
        return false;
    return moment_first_ms(*ret_start, 0) <= moment_first_ms(*ret_end, 0);
}

bool measure_period_check(MeasurePeriod period)
{
    Moment start;
    Moment end;
    return read_period(period, &start, &end);
}

/* The first or last instant that a moment stands for. */
static Moment whole(Moment moment, bool is_end)
{
    Moment result = moment;
    if (is_end) {
        if (moment.precision < PRECISION_MONTH)
            result.month = 12;
        if (moment.precision < PRECISION_DAY)
            result.day = (uint8_t)date_days_in_month(result.year, result.month);
        if (moment.precision < PRECISION_HOUR)
            result.hour = 23;
        if (moment.precision < PRECISION_MINUTE)
            result.minute = 59;
        if (moment.precision < PRECISION_SECOND)
            result.second = 59;
        if (moment.precision < PRECISION_MILLISECOND)
            result.millisecond = 999;
    }
    result.precision = PRECISION_MILLISECOND;
    if (result.offset_minutes == OFFSET_NONE)
        result.offset_minutes = 0;
    return result;
}

Str measure_period_interval(MeasurePeriod period, Arena *arena)
{
    Moment start;
    Moment end;
    bool is_read = read_period(period, &start, &end);
    ASSERT(is_read);
    return str_format(arena, "Interval[@%.*s, @%.*s]",
                      STR_ARG(moment_format(arena, whole(start, false))),
                      STR_ARG(moment_format(arena, whole(end, true))));
}

/* --- findings --- */

static void finding(const Planner *planner, const Measure *measure, const MeasureGroup *group,
                    const MeasureCriteria *criteria, const char *rule, const char *format, ...)
    PRINTF_LIKE(6, 7);

static void finding(const Planner *planner, const Measure *measure, const MeasureGroup *group,
                    const MeasureCriteria *criteria, const char *rule, const char *format, ...)
{
    va_list args;
    char text[700];
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    str_mend_cut(text);
    Diag diag = {.severity = SEVERITY_ERROR,
                 .file = measure->file,
                 .line = criteria == NULL ? measure->line : criteria->line,
                 .column = criteria == NULL ? 0 : criteria->column,
                 .rule = str_from_c(rule)};
    Str name = measure_name(measure);
    if (group == NULL)
        diag_addf(planner->diags, diag, "%.*s: %s", STR_ARG(name), text);
    else
        diag_addf(planner->diags, diag, "%.*s, %.*s: %s", STR_ARG(name),
                  STR_ARG(measure_group_name(planner->arena, group)), text);
}

/* --- roots --- */

static void add_root(Planner *planner, const MeasureEntry *entry, const MeasureCriteria *criteria)
{
    CqlRoot root = {
        .library = entry->library, .version = entry->version, .name = criteria->expression};
    if (!str_is_empty(criteria->library) && !str_eq(criteria->library, entry->library))
        root = (CqlRoot){.library = criteria->library, .name = criteria->expression};
    VEC_PUSH(planner->arena, &planner->roots, root);
}

static void add_roots(Planner *planner, const MeasureEntry *entry)
{
    const Measure *measure = entry->measure;
    for (size_t i = 0; i < measure->group_count; i++) {
        const MeasureGroup *group = &measure->groups[i];
        for (size_t j = 0; j < group->population_count; j++)
            add_root(planner, entry, &group->populations[j].criteria);
        for (size_t j = 0; j < group->stratifier_count; j++)
            for (size_t k = 0; k < group->stratifiers[j].component_count; k++)
                add_root(planner, entry, &group->stratifiers[j].components[k].criteria);
    }
    for (size_t i = 0; i < measure->supplement_count; i++)
        add_root(planner, entry, &measure->supplements[i].criteria);
    for (size_t i = 0; i < planner->options->expression_count; i++)
        add_root(planner, entry,
                 &(MeasureCriteria){.expression = planner->options->expressions[i]});
}

/* --- criteria --- */

static Str definition_key(Arena *arena, Str library, Str version, Str name)
{
    return str_format(arena, "%.*s|%.*s|%.*s", STR_ARG(library), STR_ARG(version), STR_ARG(name));
}

static void list_definitions(Planner *planner)
{
    const CqlPlan *cql = planner->set->cql;
    map_init(&planner->definitions, planner->arena);
    for (size_t i = 0; i < cql_plan_definition_count(cql); i++) {
        const CqlDefinition *each = cql_plan_definition(cql, i);
        Str key = definition_key(planner->arena, each->library, each->version, each->name);
        bool is_new;
        (void)map_intern(&planner->definitions, key, i, &is_new);
    }
}

/* The only definition of the library whose name is the same but for the case of letters. */
static bool find_nearly(const Planner *planner, const MeasureEntry *entry,
                        const MeasureCriteria *criteria, size_t *ret_number)
{
    const CqlPlan *cql = planner->set->cql;
    size_t found = 0;
    for (size_t i = 0; i < cql_plan_definition_count(cql); i++) {
        const CqlDefinition *each = cql_plan_definition(cql, i);
        if (str_eq(each->library, entry->library) && str_eq(each->version, entry->version) &&
            str_eq_ignoring_case(each->name, criteria->expression)) {
            *ret_number = i;
            found++;
        }
    }
    if (found != 1)
        return false;
    Str name = cql_plan_definition(cql, *ret_number)->name;
    diag_addf(planner->diags,
              (Diag){.severity = SEVERITY_WARNING,
                     .file = entry->measure->file,
                     .line = criteria->line,
                     .column = criteria->column,
                     .rule = S("measure-expression")},
              "%.*s: there is no definition \"%.*s\"; \"%.*s\" is taken",
              STR_ARG(measure_name(entry->measure)), STR_ARG(criteria->expression), STR_ARG(name));
    return true;
}

static bool find_definition(const Planner *planner, const MeasureEntry *entry,
                            const MeasureCriteria *criteria, size_t *ret_number)
{
    uint64_t number;
    if (!str_is_empty(criteria->library) && !str_eq(criteria->library, entry->library))
        return cql_plan_find(planner->set->cql, criteria->library, criteria->expression,
                             ret_number);
    Str key = definition_key(planner->arena, entry->library, entry->version, criteria->expression);
    if (!map_find(&planner->definitions, key, &number))
        return find_nearly(planner, entry, criteria, ret_number);
    *ret_number = number;
    return true;
}

/* A function of that name with no operand or one; of several the one for the basis. */
static bool find_function(const Planner *planner, const MeasureEntry *entry,
                          const MeasureCriteria *criteria, uint16_t basis, Criterion *ret_criterion)
{
    const CqlPlan *cql = planner->set->cql;
    Str library = str_is_empty(criteria->library) ? entry->library : criteria->library;
    bool is_found = false;
    for (size_t i = 0; i < cql_plan_function_count(cql); i++) {
        const CqlFunction *each = cql_plan_function(cql, i);
        bool fits = str_eq(each->library, library) && str_eq(each->name, criteria->expression) &&
                    (!str_eq(library, entry->library) || str_eq(each->version, entry->version)) &&
                    each->operand_count <= (basis != FHIR_TYPE_NONE);
        if (!fits || (is_found && each->operand_type != basis))
            continue;
        is_found = true;
        *ret_criterion = (Criterion){
            .kind = ASK_FUNCTION, .number = i, .takes_episode = each->operand_count == 1};
    }
    return is_found;
}

static bool find_criterion(const Planner *planner, const MeasureEntry *entry,
                           const MeasureGroup *group, const MeasureCriteria *criteria,
                           uint16_t basis, Criterion *ret_criterion)
{
    size_t number;
    if (find_function(planner, entry, criteria, basis, ret_criterion))
        return true;
    if (!find_definition(planner, entry, criteria, &number)) {
        finding(planner, entry->measure, group, criteria, "measure-expression",
                "the library %.*s has no usable definition or function \"%.*s\"",
                STR_ARG(str_is_empty(criteria->library) ? entry->library : criteria->library),
                STR_ARG(criteria->expression));
        return false;
    }
    if (!cql_plan_definition(planner->set->cql, number)->is_usable) {
        finding(planner, entry->measure, group, criteria, "measure-expression",
                "\"%.*s\" could not be resolved", STR_ARG(criteria->expression));
        return false;
    }
    *ret_criterion = (Criterion){.kind = ASK_DEFINITION, .number = number};
    return true;
}

/* --- groups --- */

/* The basis by its name, or by what the initial population gives where none is named. */
static bool find_basis(const Planner *planner, const MeasureEntry *entry, const MeasureGroup *group,
                       uint16_t *ret_basis)
{
    *ret_basis = FHIR_TYPE_NONE;
    if (str_eq(group->basis, S("boolean")))
        return true;
    if (!str_is_empty(group->basis)) {
        *ret_basis = fhir_resource_by_name(group->basis);
        if (*ret_basis != FHIR_TYPE_NONE)
            return true;
        finding(planner, entry->measure, group, NULL, "measure-basis",
                "there is no resource type \"%.*s\" for a population basis", STR_ARG(group->basis));
        return false;
    }
    size_t number;
    int initial = measure_group_find(group, PART_INITIAL);
    ASSERT(initial >= 0);
    if (find_definition(planner, entry, &group->populations[initial].criteria, &number))
        *ret_basis = cql_plan_definition(planner->set->cql, number)->item_type;
    return true;
}

/* A population is a Boolean on the basis boolean, else a list of resources of the basis. */
static bool check_population(const Planner *planner, const MeasureEntry *entry,
                             const MeasureGroup *group, size_t population, const GroupPlan *plan)
{
    const MeasurePopulation *spec = &group->populations[population];
    const Criterion *criterion = &plan->populations[population];
    if (spec->part == PART_OBSERVATION)
        return true;
    Str want = plan->basis == FHIR_TYPE_NONE ? S("a Boolean") : fhir_type_name(plan->basis);
    if (criterion->kind == ASK_FUNCTION) {
        finding(planner, entry->measure, group, &spec->criteria, "measure-type",
                "\"%.*s\" is a function; a population is a definition",
                STR_ARG(spec->criteria.expression));
        return false;
    }
    const CqlDefinition *facts = cql_plan_definition(planner->set->cql, criterion->number);
    bool is_right = plan->basis == FHIR_TYPE_NONE
                        ? facts->is_boolean
                        : facts->is_list && (facts->item_type == plan->basis ||
                                             facts->item_type == FHIR_TYPE_NONE);
    if (is_right)
        return true;
    finding(planner, entry->measure, group, &spec->criteria, "measure-type",
            plan->basis == FHIR_TYPE_NONE
                ? "\"%.*s\" is %.*s; on the population basis boolean it must be %.*s"
                : "\"%.*s\" is %.*s; on this population basis it must be a list of %.*s",
            STR_ARG(spec->criteria.expression), STR_ARG(facts->type), STR_ARG(want));
    return false;
}

int measure_group_find(const MeasureGroup *group, MeasurePart part)
{
    for (size_t i = 0; i < group->population_count; i++)
        if (group->populations[i].part == part)
            return (int)i;
    return -1;
}

static int find_by_id(const MeasureGroup *group, Str id)
{
    for (size_t i = 0; i < group->population_count && !str_is_empty(id); i++)
        if (str_eq(group->populations[i].id, id))
            return (int)i;
    return -1;
}

/* The second initial population of a ratio is the numerator's unless the measure says otherwise. */
static int initial_of(const MeasureGroup *group, const MeasurePopulation *population)
{
    int named = find_by_id(group, population->reference);
    if (named >= 0)
        return named;
    int found = measure_group_find(group, PART_INITIAL);
    for (size_t i = (size_t)found + 1;
         population->part == PART_NUMERATOR && group->scoring == SCORING_RATIO &&
         i < group->population_count;
         i++)
        if (group->populations[i].part == PART_INITIAL)
            found = (int)i;
    return found;
}

static int observed_by(const MeasureGroup *group, size_t population)
{
    int named = find_by_id(group, group->populations[population].reference);
    if (named >= 0)
        return named;
    if (group->scoring != SCORING_RATIO)
        return measure_group_find(group, PART_MEASURE_POPULATION);
    /* Without a word the first is the denominator's, the next the numerator's. */
    bool is_first = true;
    for (size_t i = 0; i < population; i++)
        is_first &= group->populations[i].part != PART_OBSERVATION;
    return measure_group_find(group, is_first ? PART_DENOMINATOR : PART_NUMERATOR);
}

int measure_group_base(const MeasureGroup *group, size_t population)
{
    const MeasurePopulation *spec = &group->populations[population];
    switch (spec->part) {
    case PART_INITIAL:
    case PART_COUNT:
        return -1;
    case PART_DENOMINATOR:
    case PART_MEASURE_POPULATION:
        return initial_of(group, spec);
    case PART_NUMERATOR:
        return group->scoring == SCORING_RATIO ? initial_of(group, spec)
                                               : measure_group_find(group, PART_DENOMINATOR);
    case PART_DENOMINATOR_EXCLUSION:
    case PART_DENOMINATOR_EXCEPTION:
        return measure_group_find(group, PART_DENOMINATOR);
    case PART_NUMERATOR_EXCLUSION:
        return measure_group_find(group, PART_NUMERATOR);
    case PART_MEASURE_POPULATION_EXCLUSION:
        return measure_group_find(group, PART_MEASURE_POPULATION);
    case PART_OBSERVATION:
        return observed_by(group, population);
    }
    return -1;
}

/* Populations by their parts, in the order of the enumeration. */
static void find_order(const MeasureGroup *group, GroupPlan *plan)
{
    size_t count = 0;
    for (uint32_t part = 0; part < PART_COUNT; part++)
        for (size_t i = 0; i < group->population_count; i++)
            if ((uint32_t)group->populations[i].part == part)
                plan->order[count++] = (uint8_t)i;
    for (size_t i = 0; i < group->population_count; i++)
        plan->base[i] = (int8_t)measure_group_base(group, i);
    plan->denominator_exclusion = (int8_t)measure_group_find(group, PART_DENOMINATOR_EXCLUSION);
    plan->numerator = (int8_t)measure_group_find(group, PART_NUMERATOR);
    plan->numerator_exclusion = (int8_t)measure_group_find(group, PART_NUMERATOR_EXCLUSION);
    plan->measure_exclusion = (int8_t)measure_group_find(group, PART_MEASURE_POPULATION_EXCLUSION);
}

static void plan_group(const Planner *planner, const MeasureEntry *entry, const MeasureGroup *group,
                       GroupPlan *plan)
{
    plan->is_usable = find_basis(planner, entry, group, &plan->basis);
    for (size_t i = 0; i < group->population_count; i++) {
        const MeasureCriteria *criteria = &group->populations[i].criteria;
        plan->is_usable &=
            find_criterion(planner, entry, group, criteria, plan->basis, &plan->populations[i]) &&
            check_population(planner, entry, group, i, plan);
    }
    for (size_t i = 0; i < group->stratifier_count; i++)
        plan->component_count += group->stratifiers[i].component_count;
    plan->components = ARENA_ZARRAY(planner->arena, Criterion, plan->component_count);
    size_t at = 0;
    for (size_t i = 0; i < group->stratifier_count; i++)
        for (size_t j = 0; j < group->stratifiers[i].component_count; j++)
            plan->is_usable &=
                find_criterion(planner, entry, group, &group->stratifiers[i].components[j].criteria,
                               plan->basis, &plan->components[at++]);
    find_order(group, plan);
}

static void plan_measure(const Planner *planner, MeasureEntry *entry)
{
    const Measure *measure = entry->measure;
    entry->supplements = ARENA_ZARRAY(planner->arena, Criterion, measure->supplement_count);
    if (str_is_empty(entry->library))
        return;
    for (size_t i = 0; i < measure->group_count; i++)
        plan_group(planner, entry, &measure->groups[i], &entry->groups[i]);
    for (size_t i = 0; i < measure->supplement_count; i++)
        (void)find_criterion(planner, entry, NULL, &measure->supplements[i].criteria,
                             FHIR_TYPE_NONE, &entry->supplements[i]);
}

/* --- the set --- */

static void find_library(Planner *planner, MeasureEntry *entry)
{
    const Measure *measure = entry->measure;
    Str wanted = measure->libraries[0];
    if (measure_content_library(planner->options->content, wanted, &entry->library,
                                &entry->version)) {
        Str version = wanted;
        Str url;
        (void)str_split_next(&version, '|', &url);
        if (version.ptr != NULL && !str_eq(version, entry->version))
            diag_addf(planner->diags,
                      (Diag){.severity = SEVERITY_WARNING,
                             .file = measure->file,
                             .line = measure->line,
                             .rule = S("measure-library")},
                      "%.*s: version %.*s of the library %.*s is missing; %.*s is used",
                      STR_ARG(measure_name(measure)), STR_ARG(version), STR_ARG(url),
                      STR_ARG(entry->version));
        add_roots(planner, entry);
        return;
    }
    finding(planner, measure, NULL, NULL, "measure-library", "the library %.*s is missing",
            STR_ARG(wanted));
}

/* The evaluation moment is the end of the period: nothing may depend on the day of the run. */
static Moment evaluation_moment(MeasurePeriod period)
{
    Moment start;
    Moment end;
    bool is_read = read_period(period, &start, &end);
    ASSERT(is_read);
    return whole(end, true);
}

ErrorCode measure_set_create(Arena *arena, const MeasureSetOptions *options, DiagList *diags,
                             MeasureSet **ret_set, Error *err)
{
    if (!measure_period_check(options->period))
        return error_set(err, ERR_DOCUMENT, "\"%.*s\" to \"%.*s\" is no measurement period",
                         STR_ARG(options->period.start), STR_ARG(options->period.end));
    MeasureSet *set = ARENA_NEW(arena, MeasureSet);
    *set = (MeasureSet){.period = options->period,
                        .entries = ARENA_ZARRAY(arena, MeasureEntry, options->measure_count),
                        .count = options->measure_count};
    Planner planner = {.arena = arena, .set = set, .options = options, .diags = diags};
    for (size_t i = 0; i < set->count; i++) {
        MeasureEntry *entry = &set->entries[i];
        entry->measure = options->measures[i];
        entry->groups = ARENA_ZARRAY(arena, GroupPlan, entry->measure->group_count);
        find_library(&planner, entry);
    }
    static const CqlRoot nothing = {.name = STR_INIT("")};
    CqlParameter parameter = {.name = S("Measurement Period"),
                              .value = measure_period_interval(options->period, arena)};
    CqlPlanOptions plan = {.value_sets = measure_content_value_sets(options->content),
                           .dict = options->dict,
                           .now = evaluation_moment(options->period),
                           .parameters = &parameter,
                           .parameter_count = 1,
                           .roots = planner.roots.count == 0 ? &nothing : planner.roots.items,
                           .root_count = planner.roots.count};
    ErrorCode code = cql_plan_create(arena, measure_content_libraries(options->content), &plan,
                                     diags, &set->cql, err);
    if (code != ERR_OK)
        return code;
    list_definitions(&planner);
    for (size_t i = 0; i < set->count; i++)
        plan_measure(&planner, &set->entries[i]);
    *ret_set = set;
    return ERR_OK;
}

size_t measure_set_count(const MeasureSet *set)
{
    return set->count;
}

const Measure *measure_set_measure(const MeasureSet *set, size_t measure)
{
    ASSERT(measure < set->count);
    return set->entries[measure].measure;
}

MeasurePeriod measure_set_period(const MeasureSet *set)
{
    return set->period;
}

bool measure_set_group_is_usable(const MeasureSet *set, size_t measure, size_t group)
{
    ASSERT(measure < set->count && group < set->entries[measure].measure->group_count);
    return set->entries[measure].groups[group].is_usable;
}

uint16_t measure_set_basis(const MeasureSet *set, size_t measure, size_t group)
{
    ASSERT(measure < set->count && group < set->entries[measure].measure->group_count);
    return set->entries[measure].groups[group].basis;
}

const CqlPlan *measure_set_plan(const MeasureSet *set)
{
    return set->cql;
}

bool measure_set_definition(const MeasureSet *set, size_t measure, size_t group, size_t population,
                            size_t *ret_definition)
{
    const Criterion *found = &set->entries[measure].groups[group].populations[population];
    *ret_definition = found->number;
    return found->kind == ASK_DEFINITION;
}

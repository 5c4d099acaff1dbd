/* Expected reports against what was found. */
#include "measure/check.h"

#include <stdlib.h>

/* --- comparing --- */

typedef struct {
    Arena *arena;
    const MeasureGroup *group;
    const MeasureGroupResult *result;
    Str group_name;
    MeasureDifferenceVec *out;
} Comparison;

static void differ(const Comparison *comparison, Str population, Str stratum, Str expected,
                   Str found)
{
    MeasureDifference difference = {.group = comparison->group_name,
                                    .population = population,
                                    .stratum = stratum,
                                    .expected = expected,
                                    .found = found};
    VEC_PUSH(comparison->arena, comparison->out, difference);
}

static Str code_of(const JsonValue *holder)
{
    const JsonValue *codings = json_find(json_find(holder, S("code")), S("coding"));
    if (codings == NULL || codings->kind != JSON_ARRAY || codings->count == 0)
        return S("");
    return json_find_text(&codings->items[0], S("code"));
}

static Str name_of(const JsonValue *population)
{
    Str id = json_find_text(population, S("id"));
    return str_is_empty(id) ? code_of(population) : id;
}

static bool is_observation(const JsonValue *population)
{
    Str code = code_of(population);
    return str_eq(code, S("measure-observation")) ||
           str_eq(code, S("measure-population-observation"));
}

/* By id, else the nth of its code. */
static int find_population(const MeasureGroup *group, const JsonValue *population, size_t nth)
{
    Str id = json_find_text(population, S("id"));
    Str code = code_of(population);
    for (size_t i = 0; i < group->population_count && !str_is_empty(id); i++)
        if (str_eq(group->populations[i].id, id))
            return (int)i;
    for (size_t i = 0; i < group->population_count; i++)
        if (str_eq(measure_part_code(group->populations[i].part), code) && nth-- == 0)
            return (int)i;
    return -1;
}

static Str number_of(const JsonValue *population)
{
    const JsonValue *count = json_find(population, S("count"));
    return count == NULL || count->kind != JSON_NUMBER ? S("") : count->text;
}

/* An episode counts for a stratum when the stratifier gives it that value. */
typedef struct {
    size_t first; /* of its components among all of the group */
    size_t count;
    const Str *values; /* NULL: every episode counts */
} StratumFilter;

static bool is_in_stratum(const MeasureEpisode *episode, const StratumFilter *filter)
{
    for (size_t i = 0; filter->values != NULL && i < filter->count; i++)
        if (!str_eq(episode->strata[filter->first + i], filter->values[i]))
            return false;
    return true;
}

static int compare_decimals(const void *a, const void *b)
{
    return decimal_cmp(*(const Decimal *)a, *(const Decimal *)b);
}

/* Values in order, as text; what a report cannot tell from nothing is left out. */
static Str observations_text(Arena *arena, Decimal *values, size_t count)
{
    StrBuf text;
    strbuf_init(&text, arena, 0);
    if (count > 0)
        qsort(values, count, sizeof *values, compare_decimals);
    for (size_t i = 0; i < count; i++) {
        if (text.len > 0)
            strbuf_add(&text, S(", "));
        strbuf_add(&text, decimal_format(arena, values[i]));
    }
    return text.len == 0 ? S("0") : strbuf_str(&text);
}

static Str observed_text(const Comparison *comparison, size_t population,
                         const StratumFilter *filter)
{
    const MeasureGroupResult *result = comparison->result;
    Decimal *values = ARENA_ARRAY(comparison->arena, Decimal, result->episode_count);
    size_t count = 0;
    for (size_t i = 0; i < result->episode_count; i++) {
        const MeasureEpisode *episode = &result->episodes[i];
        bool is_observed = (episode->observed_of >> population & 1) != 0;
        if (is_observed && is_in_stratum(episode, filter) &&
            episode->observed[population].has_value &&
            episode->observed[population].value.units != 0)
            values[count++] = episode->observed[population].value;
    }
    return observations_text(comparison->arena, values, count);
}

/* Whether an entry of the expected report is one of this observation: it has its id, with the
   number of the episode behind it, or the group has no other. */
static bool is_of(const MeasureGroup *group, size_t population, const JsonValue *entry)
{
    Str id = json_find_text(entry, S("id"));
    size_t longest = 0;
    size_t best = SIZE_MAX;
    size_t observations = 0;
    for (size_t i = 0; i < group->population_count; i++) {
        Str own = group->populations[i].id;
        if (group->populations[i].part != PART_OBSERVATION)
            continue;
        if (observations++ == 0)
            best = i;
        bool is_begun = own.len > longest && str_starts_with(id, own) &&
                        (id.len == own.len || id.ptr[own.len] == '_');
        if (is_begun) {
            longest = own.len;
            best = i;
        }
    }
    return best == population;
}

/* `limit`: so many of the entries are looked at. */
static void compare_observations(const Comparison *comparison, const JsonValue *list, size_t limit,
                                 const StratumFilter *filter, Str stratum)
{
    const MeasureGroup *group = comparison->group;
    Decimal *values = ARENA_ARRAY(comparison->arena, Decimal, limit);
    for (size_t i = 0; i < group->population_count; i++) {
        if (group->populations[i].part != PART_OBSERVATION)
            continue;
        size_t count = 0;
        bool is_there = false;
        for (size_t j = 0; j < limit; j++) {
            Decimal value;
            if (!is_observation(&list->items[j]) || !is_of(group, i, &list->items[j]))
                continue;
            is_there = true;
            if (decimal_parse_rounded(number_of(&list->items[j]), &value) && value.units != 0)
                values[count++] = value;
        }
        if (!is_there)
            continue;
        Str expected = observations_text(comparison->arena, values, count);
        Str found = observed_text(comparison, i, filter);
        Str name = group->populations[i].id;
        if (!str_eq(expected, found))
            differ(comparison, str_is_empty(name) ? S("measure-observation") : name, stratum,
                   expected, found);
    }
}

static size_t seen_before(const JsonValue *list, size_t index)
{
    size_t count = 0;
    for (size_t i = 0; i < index; i++)
        count += str_eq(code_of(&list->items[i]), code_of(&list->items[index]));
    return count;
}

static void compare_populations(const Comparison *comparison, const JsonValue *list, size_t limit,
                                const StratumFilter *filter, Str stratum)
{
    const MeasureGroupResult *result = comparison->result;
    for (size_t i = 0; i < limit; i++) {
        const JsonValue *entry = &list->items[i];
        if (is_observation(entry))
            continue;
        int population = find_population(comparison->group, entry, seen_before(list, i));
        if (population < 0) {
            differ(comparison, name_of(entry), stratum, number_of(entry),
                   S("no such population in the measure"));
            continue;
        }
        uint64_t count = 0;
        for (size_t j = 0; j < result->episode_count; j++)
            count += (result->episodes[j].members >> population & 1) != 0 &&
                     is_in_stratum(&result->episodes[j], filter);
        Str found = str_format(comparison->arena, "%llu", (unsigned long long)count);
        Str expected = number_of(entry);
        if (!str_eq(expected, found) && !str_is_empty(expected))
            differ(comparison, name_of(entry), stratum, expected, found);
    }
    compare_observations(comparison, list, limit, filter, stratum);
}

static Str concept_text(const JsonValue *concept)
{
    Str text = json_find_text(concept, S("text"));
    const JsonValue *codings = json_find(concept, S("coding"));
    if (!str_is_empty(text) || codings == NULL || codings->kind != JSON_ARRAY ||
        codings->count == 0)
        return text;
    return json_find_text(&codings->items[0], S("code"));
}

/* A stratum's list may be followed by those of others under the same ids: its own come first. */
static size_t own_entries(const JsonValue *list)
{
    for (size_t i = 1; i < list->count; i++) {
        Str id = json_find_text(&list->items[i], S("id"));
        if (!str_is_empty(id) && str_eq(id, json_find_text(&list->items[0], S("id"))))
            return i;
    }
    return list->count;
}

static void compare_stratum(const Comparison *comparison, const MeasureStratifier *stratifier,
                            StratumFilter filter, const JsonValue *stratum)
{
    const JsonValue *list = json_find(stratum, S("population"));
    if (list == NULL || list->kind != JSON_ARRAY)
        return;
    Str *values = ARENA_ARRAY(comparison->arena, Str, filter.count);
    values[0] = concept_text(json_find(stratum, S("value")));
    if (stratifier->has_components || str_eq(values[0], S("true")) || str_eq(values[0], S("false")))
        return;
    /* A report names the stratum of a Boolean stratifier by the stratifier's own text. */
    for (size_t i = 0; i < comparison->result->episode_count; i++) {
        Str own = comparison->result->episodes[i].strata[filter.first];
        if (str_eq(own, S("true")) || str_eq(own, S("false")))
            values[0] = S("true");
    }
    filter.values = values;
    Str name = str_format(comparison->arena, "%.*s %.*s", STR_ARG(stratifier->id),
                          STR_ARG(concept_text(json_find(stratum, S("value")))));
    compare_populations(comparison, list, own_entries(list), &filter, name);
}

static void compare_strata(const Comparison *comparison, const JsonValue *expected)
{
    const JsonValue *list = json_find(expected, S("stratifier"));
    if (list == NULL || list->kind != JSON_ARRAY)
        return;
    StratumFilter filter = {0};
    for (size_t i = 0; i < comparison->group->stratifier_count; i++) {
        const MeasureStratifier *stratifier = &comparison->group->stratifiers[i];
        filter.first += filter.count;
        filter.count = stratifier->component_count;
        const JsonValue *found = i < list->count ? &list->items[i] : NULL;
        for (size_t j = 0; j < list->count && !str_is_empty(stratifier->id); j++)
            if (str_eq(json_find_text(&list->items[j], S("id")), stratifier->id))
                found = &list->items[j];
        const JsonValue *strata = json_find(found, S("stratum"));
        for (size_t j = 0; strata != NULL && strata->kind == JSON_ARRAY && j < strata->count; j++)
            compare_stratum(comparison, stratifier, filter, &strata->items[j]);
    }
}

/* By id, else by place. */
static int find_group(const Measure *measure, const JsonValue *expected, size_t place)
{
    Str id = json_find_text(expected, S("id"));
    for (size_t i = 0; i < measure->group_count && !str_is_empty(id); i++)
        if (str_eq(measure->groups[i].id, id))
            return (int)i;
    for (size_t i = 0; i < measure->group_count; i++)
        if (measure->groups[i].number == place)
            return (int)i;
    return -1;
}

void measure_compare(Arena *arena, const Measure *measure, const JsonValue *expected,
                     const MeasureResult *result, MeasureDifferenceVec *ret_differences)
{
    const JsonValue *groups = json_find(expected, S("group"));
    static const StratumFilter everything = {0};
    for (size_t i = 0; groups != NULL && groups->kind == JSON_ARRAY && i < groups->count; i++) {
        const JsonValue *each = &groups->items[i];
        const JsonValue *list = json_find(each, S("population"));
        int number = find_group(measure, each, i);
        Comparison comparison = {.arena = arena, .out = ret_differences};
        if (number < 0) {
            comparison.group_name = json_find_text(each, S("id"));
            differ(&comparison, S(""), S(""), S("a group"), S("no such group in the measure"));
            continue;
        }
        comparison.group = &measure->groups[number];
        comparison.result = &result->groups[number];
        comparison.group_name = measure_group_name(arena, comparison.group);
        if (list != NULL && list->kind == JSON_ARRAY)
            compare_populations(&comparison, list, list->count, &everything, S(""));
        compare_strata(&comparison, each);
    }
}

/* --- checking --- */

typedef struct {
    Arena *arena;
    const MeasureCheckOptions *options;
    const MeasureContent *content;
    MeasureCases cases;
    MeasureCaseResult *results; /* by case */
    double *seconds;            /* by case */
    size_t memory_most;
} Checker;

static const Str *wanted_values(const Checker *checker, MeasureWorker *worker, size_t measure)
{
    size_t count = checker->options->expression_count;
    Str *values = ARENA_ARRAY(checker->arena, Str, count);
    for (size_t i = 0; i < count; i++) {
        CqlValue value;
        Error err = {0};
        StrBuf text;
        strbuf_init(&text, checker->arena, 0);
        if (measure_worker_value(worker, measure, checker->options->expressions[i], &value, &err))
            cql_value_json(value, &text);
        else
            strbuf_printf(&text, "\"%s\"", err.message);
        values[i] = strbuf_str(&text);
    }
    return values;
}

static void check_case(const Checker *checker, MeasureWorker *worker, size_t measure, size_t number)
{
    const MeasureCase *each = &checker->cases.cases.items[number];
    MeasureCaseResult *out = &checker->results[number];
    double begin = checker->options->seconds == NULL ? 0 : checker->options->seconds();
    measure_worker_begin(worker, (Record){.batch = checker->cases.batch, .row = each->row});
    const MeasureResult *result = measure_worker_ask(worker, measure);
    if (checker->options->seconds != NULL)
        checker->seconds[number] = checker->options->seconds() - begin;
    if (checker->options->expression_count > 0)
        out->values = wanted_values(checker, worker, measure);
    if (result->is_failed) {
        out->failure = str_copy(checker->arena, result->failure);
        return;
    }
    measure_compare(checker->arena, each->measure, each->expected, result, &out->differences);
    out->is_passed = out->differences.count == 0;
}

static bool same_period(MeasurePeriod a, MeasurePeriod b)
{
    return str_eq(a.start, b.start) && str_eq(a.end, b.end);
}

/* All cases of one period are evaluated by one set of their measures. */
static ErrorCode check_period(Checker *checker, MeasurePeriod period, Error *err)
{
    const MeasureCaseVec *cases = &checker->cases.cases;
    Vec(const Measure *) measures = {0};
    size_t *measure_of = ARENA_ARRAY(checker->arena, size_t, cases->count);
    for (size_t i = 0; i < cases->count; i++) {
        const MeasureCase *each = &cases->items[i];
        if (!each->is_usable || each->measure == NULL || !same_period(each->period, period))
            continue;
        size_t at = 0;
        while (at < measures.count && measures.items[at] != each->measure)
            at++;
        if (at == measures.count)
            VEC_PUSH(checker->arena, &measures, each->measure);
        measure_of[i] = at;
    }
    if (measures.count == 0)
        return ERR_OK;
    MeasureSetOptions options = {.content = checker->content,
                                 .measures = measures.items,
                                 .measure_count = measures.count,
                                 .period = period,
                                 .dict = checker->cases.dict,
                                 .expressions = checker->options->expressions,
                                 .expression_count = checker->options->expression_count};
    MeasureSet *set;
    ErrorCode code =
        measure_set_create(checker->arena, &options, checker->options->diags, &set, err);
    if (code != ERR_OK)
        return code;
    MeasureWorker *worker = measure_worker_create(set);
    for (size_t i = 0; i < cases->count; i++) {
        const MeasureCase *each = &cases->items[i];
        if (each->is_usable && each->measure != NULL && same_period(each->period, period))
            check_case(checker, worker, measure_of[i], i);
    }
    size_t memory = measure_worker_memory(worker);
    checker->memory_most = memory > checker->memory_most ? memory : checker->memory_most;
    measure_worker_destroy(worker);
    return ERR_OK;
}

static void sum_up(const Checker *checker, MeasureCheckReport *report)
{
    const MeasureCaseVec *cases = &checker->cases.cases;
    for (size_t i = 0; i < cases->count; i++) {
        const MeasureCase *each = &cases->items[i];
        MeasureCheckResult *result = report->measures.count == 0
                                         ? NULL
                                         : &report->measures.items[report->measures.count - 1];
        if (result == NULL || !str_eq(result->name, each->measure_name)) {
            MeasureCheckResult next = {.name = each->measure_name, .results = &checker->results[i]};
            VEC_PUSH(checker->arena, &report->measures, next);
            result = &report->measures.items[report->measures.count - 1];
        }
        result->cases++;
        result->passed += checker->results[i].is_passed;
        result->seconds += checker->seconds[i];
        report->passed += checker->results[i].is_passed;
        report->failed += !checker->results[i].is_passed;
    }
}

static ErrorCode check_all(Checker *checker, MeasureCheckReport *report, Error *err)
{
    const MeasureCaseVec *cases = &checker->cases.cases;
    checker->results = ARENA_ZARRAY(checker->arena, MeasureCaseResult, cases->count);
    checker->seconds = ARENA_ZARRAY(checker->arena, double, cases->count);
    Map periods;
    map_init(&periods, checker->arena);
    for (size_t i = 0; i < cases->count; i++) {
        const MeasureCase *each = &cases->items[i];
        checker->results[i].of = each;
        if (!each->is_usable || each->measure == NULL) {
            checker->results[i].failure = S("the case cannot be used");
            continue;
        }
        bool is_new;
        Str key = str_format(checker->arena, "%.*s|%.*s", STR_ARG(each->period.start),
                             STR_ARG(each->period.end));
        (void)map_intern(&periods, key, 0, &is_new);
        ErrorCode code = is_new ? check_period(checker, each->period, err) : ERR_OK;
        if (code != ERR_OK)
            return code;
    }
    sum_up(checker, report);
    report->memory_most = checker->memory_most;
    return ERR_OK;
}

ErrorCode measure_check(Arena *arena, const MeasureCheckOptions *options,
                        MeasureCheckReport *ret_report, Error *err)
{
    MeasureContent *content = measure_content_create(arena, options->diags);
    ErrorCode code = measure_content_add(content, options->wanted.ig, err);
    if (code != ERR_OK)
        return code;
    measure_content_finish(content);
    Checker checker = {.arena = arena, .options = options, .content = content};
    code =
        measure_cases_read(arena, &options->wanted, content, options->diags, &checker.cases, err);
    MeasureCheckReport report = {0};
    if (code == ERR_OK)
        code = check_all(&checker, &report, err);
    if (code == ERR_OK)
        *ret_report = report;
    return code;
}

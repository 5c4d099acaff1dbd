/* braid indicators: rates by tier of care, against the target, against peers and against the past.
 */
#include "cli/cli_view.h"

typedef struct {
    Cli *cli;
    CliView view;
    const SuppressionRule *rule;
    Str tier;
    ProgrammeUnitVec units;
    bool has_past;
    ProgrammeView *past_view; /* its units have views of its store */
    ProgrammeUnitVec past;
    SuppressedRow *rows; /* by unit: of the indicator in hand */
    JsonWriter json;
} Table;

static uint64_t eligible(const ProgrammeCounts *counts)
{
    return counts->achieved + counts->gaps;
}

/* The rate's numerator: where less is better, the gaps. */
static uint64_t numerator(const IndicatorSpec *spec, const ProgrammeCounts *counts)
{
    return spec->is_decrease ? counts->gaps : counts->achieved;
}

static void hide_small(Table *table, const IndicatorSpec *spec, size_t indicator)
{
    for (size_t i = 0; i < table->units.count; i++) {
        const ProgrammeUnit *unit = &table->units.items[i];
        table->rows[i] = (SuppressedRow){.denominator = eligible(&unit->counts[indicator]),
                                         .numerator = numerator(spec, &unit->counts[indicator]),
                                         .parent = unit->parent};
    }
    measure_suppress(table->rule, table->rows, table->units.count);
}

/* The same unit among those of the past, by tier and id. */
static const ProgrammeUnit *find_past(const Table *table, const ProgrammeUnit *unit)
{
    VEC_FOREACH (const ProgrammeUnit, each, &table->past)
        if (str_eq(each->tier, unit->tier) && str_eq(each->id, unit->id))
            return each;
    return NULL;
}

static void member_number(Table *table, Str key, double value)
{
    json_key(&table->json, key);
    json_raw(&table->json, str_format(table->cli->arena, "%.6f", value));
}

static void member_null(Table *table, Str key)
{
    json_key(&table->json, key);
    json_null(&table->json);
}

static void json_rate(Table *table, const SuppressedRow *row, double standard)
{
    MeasureInterval interval = measure_wilson(row->numerator, row->denominator);
    bool is_exact = table->rule->step == 1;
    json_key(&table->json, S("numerator"));
    json_int(&table->json, (int64_t)measure_suppressed_count(table->rule, row->numerator));
    if (row->denominator == 0) {
        member_null(table, S("rate"));
        return;
    }
    if (!is_exact) { /* of what is shown: the exact rate would give the counts away */
        uint64_t of = measure_suppressed_count(table->rule, row->denominator);
        double rate = (double)measure_suppressed_count(table->rule, row->numerator) / (double)of;
        member_number(table, S("rate"), rate);
        return;
    }
    member_number(table, S("rate"), interval.rate);
    member_number(table, S("rate_low"), interval.low);
    member_number(table, S("rate_high"), interval.high);
    MeasureFunnel funnel = measure_funnel(standard, row->numerator, row->denominator);
    json_key(&table->json, S("funnel"));
    json_object_begin(&table->json);
    member_number(table, S("standard"), standard);
    member_number(table, S("low_95"), funnel.low95);
    member_number(table, S("high_95"), funnel.high95);
    member_number(table, S("low_998"), funnel.low998);
    member_number(table, S("high_998"), funnel.high998);
    json_member_str(&table->json, S("place"), measure_funnel_place(funnel.place));
    json_object_end(&table->json);
}

/* Whether the rate is beyond a threshold, in the direction of the indicator. */
static bool reaches(const IndicatorSpec *spec, double rate, Decimal threshold)
{
    double wanted = decimal_to_double(threshold);
    return spec->is_decrease ? rate <= wanted : rate >= wanted;
}

static Str standing(const IndicatorSpec *spec, const SuppressedRow *row)
{
    if (row->denominator == 0 || row->hides_numerator)
        return S("");
    double rate = (double)row->numerator / (double)row->denominator;
    if (spec->has_target && reaches(spec, rate, spec->target))
        return S("target");
    if (spec->has_minimum && !reaches(spec, rate, spec->minimum))
        return S("below minimum");
    return spec->has_target || spec->has_minimum ? S("below target") : S("");
}

static void json_past(Table *table, size_t unit, size_t indicator, const IndicatorSpec *spec)
{
    const ProgrammeUnit *past = find_past(table, &table->units.items[unit]);
    const SuppressedRow *row = &table->rows[unit];
    json_key(&table->json, S("change"));
    if (past == NULL || row->hides_numerator || row->denominator == 0 ||
        eligible(&past->counts[indicator]) == 0 || table->rule->least > 0) {
        json_null(&table->json); /* nothing to compare, or what would give hidden counts away */
        return;
    }
    MeasureInterval change = measure_difference(row->numerator, row->denominator,
                                                numerator(spec, &past->counts[indicator]),
                                                eligible(&past->counts[indicator]));
    json_object_begin(&table->json);
    json_member_int(&table->json, S("past_numerator"),
                    (int64_t)numerator(spec, &past->counts[indicator]));
    json_member_int(&table->json, S("past_eligible"), (int64_t)eligible(&past->counts[indicator]));
    member_number(table, S("difference"), change.rate);
    member_number(table, S("difference_low"), change.low);
    member_number(table, S("difference_high"), change.high);
    json_object_end(&table->json);
}

static void json_unit(Table *table, size_t unit, size_t indicator, double standard)
{
    const ProgrammeUnit *of = &table->units.items[unit];
    const IndicatorSpec *spec =
        &programme_view_programme(table->view.view)->measures.indicators[indicator];
    const SuppressedRow *row = &table->rows[unit];
    JsonWriter *json = &table->json;
    json_object_begin(json);
    json_member_str(json, S("tier"), of->tier);
    json_member_str(json, S("id"), of->id);
    json_member_str(json, S("name"), of->name);
    json_member_str(json, S("part_of"),
                    of->parent == SIZE_MAX ? S("") : table->units.items[of->parent].id);
    json_member_bool(json, S("hidden"), row->hides_numerator);
    if (row->hides_denominator)
        member_null(table, S("eligible"));
    else
        json_member_int(json, S("eligible"),
                        (int64_t)measure_suppressed_count(table->rule, row->denominator));
    if (row->hides_numerator)
        member_null(table, S("rate"));
    else
        json_rate(table, row, standard);
    if (table->rule->least == 0) {
        json_member_int(json, S("denominator"), (int64_t)of->counts[indicator].denominator);
        json_member_int(json, S("excluded"), (int64_t)of->counts[indicator].excluded);
        json_member_int(json, S("excepted"), (int64_t)of->counts[indicator].excepted);
    }
    Str reached = standing(spec, row);
    if (!str_is_empty(reached))
        json_member_str(json, S("standing"), reached);
    if (table->has_past)
        json_past(table, unit, indicator, spec);
    json_object_end(json);
}

static void text_unit(Table *table, size_t unit, size_t indicator, double standard)
{
    const ProgrammeUnit *of = &table->units.items[unit];
    const IndicatorSpec *spec =
        &programme_view_programme(table->view.view)->measures.indicators[indicator];
    const SuppressedRow *row = &table->rows[unit];
    StrBuf *out = &table->cli->out;
    Arena *arena = table->cli->arena;
    Str name = str_is_empty(of->id) ? S("nobody") : of->id;
    strbuf_printf(out, "  %-12.*s %-38.*s", STR_ARG(of->tier), STR_ARG(name));
    if (row->hides_numerator) {
        Str shown =
            row->hides_denominator
                ? S("*")
                : cli_grouped(arena, measure_suppressed_count(table->rule, row->denominator));
        strbuf_printf(out, "%9s of %-9.*s\n", "*", STR_ARG(shown));
        return;
    }
    uint64_t shown_numerator = measure_suppressed_count(table->rule, row->numerator);
    uint64_t shown_of = measure_suppressed_count(table->rule, row->denominator);
    strbuf_printf(
        out, "%9.*s of %-9.*s %6.*s %%", STR_ARG(cli_grouped(arena, shown_numerator)),
        STR_ARG(cli_grouped(arena, shown_of)),
        STR_ARG(cli_percent(arena, shown_of == 0 ? 0 : (double)shown_numerator / (double)shown_of,
                            shown_of)));
    if (row->denominator > 0 && table->rule->step == 1) {
        MeasureInterval interval = measure_wilson(row->numerator, row->denominator);
        MeasureFunnel funnel = measure_funnel(standard, row->numerator, row->denominator);
        strbuf_printf(out, "  (%.1f to %.1f)  %.*s", interval.low * 100, interval.high * 100,
                      STR_ARG(measure_funnel_place(funnel.place)));
        Str reached = standing(spec, row);
        if (!str_is_empty(reached))
            strbuf_printf(out, ", %.*s", STR_ARG(reached));
    }
    strbuf_add_char(out, '\n');
}

/* The rates of the tier's units that are shown, as peers of each other. */
static MeasureQuartiles peers(Table *table, size_t *ret_count)
{
    double *rates = ARENA_ARRAY(table->cli->arena, double, table->units.count);
    size_t count = 0;
    for (size_t i = 0; i < table->units.count; i++)
        if (str_eq(table->units.items[i].tier, table->tier) &&
            !str_is_empty(table->units.items[i].id) && table->rows[i].denominator > 0 &&
            !table->rows[i].hides_numerator)
            rates[count++] = (double)table->rows[i].numerator / (double)table->rows[i].denominator;
    *ret_count = count;
    return measure_quartiles(rates, count);
}

static void show_indicator(Table *table, size_t indicator)
{
    const IndicatorSpec *spec =
        &programme_view_programme(table->view.view)->measures.indicators[indicator];
    hide_small(table, spec, indicator);
    /* The funnel's standard is the whole programme's rate. */
    const SuppressedRow *whole = &table->rows[0];
    double standard =
        whole->denominator == 0 ? 0 : (double)whole->numerator / (double)whole->denominator;
    size_t count;
    MeasureQuartiles quartiles = peers(table, &count);
    bool is_json = cli_has(table->cli, OPTION_JSON);
    bool shows_peers = count > 1 && table->rule->step == 1;
    if (is_json) {
        json_object_begin(&table->json);
        json_member_str(&table->json, S("id"), spec->id);
        json_member_str(&table->json, S("title"), spec->title);
        json_member_str(&table->json, S("direction"),
                        spec->is_decrease ? S("decrease") : S("increase"));
        if (shows_peers) {
            json_key(&table->json, S("peers"));
            json_object_begin(&table->json);
            json_member_int(&table->json, S("units"), (int64_t)count);
            member_number(table, S("lower_quartile"), quartiles.lower_quartile);
            member_number(table, S("median"), quartiles.median);
            member_number(table, S("upper_quartile"), quartiles.upper_quartile);
            json_object_end(&table->json);
        }
        json_key(&table->json, S("units"));
        json_array_begin(&table->json);
    } else {
        strbuf_printf(&table->cli->out, "%.*s\n", STR_ARG(spec->title));
    }
    for (size_t i = 0; i < table->units.count; i++) {
        const ProgrammeUnit *unit = &table->units.items[i];
        if (i != 0 && !str_eq(unit->tier, table->tier))
            continue;
        if (is_json)
            json_unit(table, i, indicator, standard);
        else
            text_unit(table, i, indicator, standard);
    }
    if (is_json) {
        json_array_end(&table->json);
        json_object_end(&table->json);
    } else if (shows_peers) {
        strbuf_printf(&table->cli->out, "  %zu units: quartiles %.1f, %.1f, %.1f %%\n", count,
                      quartiles.lower_quartile * 100, quartiles.median * 100,
                      quartiles.upper_quartile * 100);
    }
}

static ErrorCode check_tier(Table *table)
{
    StrBuf known;
    strbuf_init(&known, table->cli->arena, 0);
    VEC_FOREACH (const ProgrammeUnit, unit, &table->units) {
        if (str_eq(unit->tier, table->tier))
            return ERR_OK;
        if (str_find(strbuf_str(&known), unit->tier) == SIZE_MAX)
            strbuf_printf(&known, "%s%.*s", known.len == 0 ? "" : ", ", STR_ARG(unit->tier));
    }
    return error_set(&table->cli->err, ERR_USAGE, "there is no tier \"%.*s\": %.*s",
                     STR_ARG(table->tier), STR_ARG(strbuf_str(&known)));
}

static ErrorCode read_past(Table *table)
{
    Cli *cli = table->cli;
    ProgrammeOptions options = table->view.options;
    options.on_day = DAY_NONE;
    ErrorCode code = cli_day(cli, OPTION_COMPARE, &options.on_day);
    table->has_past = options.on_day != DAY_NONE;
    if (code != ERR_OK || !table->has_past)
        return code;
    code = programme_view_open(cli->arena, table->view.programme, &options, &table->past_view,
                               &cli->err);
    if (code == ERR_OK)
        code = programme_view_units(cli->arena, table->past_view, &table->past, &cli->err);
    return code;
}

static ErrorCode run(Table *table)
{
    Cli *cli = table->cli;
    const Programme *programme = programme_view_programme(table->view.view);
    size_t only = SIZE_MAX;
    ErrorCode code = ERR_OK;
    if (cli_has(cli, OPTION_INDICATOR))
        code = cli_view_indicator(cli, &table->view, cli_text(cli, OPTION_INDICATOR), &only);
    if (code == ERR_OK)
        code = programme_view_units(cli->arena, table->view.view, &table->units, &cli->err);
    if (code == ERR_OK)
        code = check_tier(table);
    if (code == ERR_OK)
        code = read_past(table);
    if (code != ERR_OK)
        return code;
    table->rows = ARENA_ZARRAY(cli->arena, SuppressedRow, table->units.count);
    bool is_json = cli_has(cli, OPTION_JSON);
    json_writer_init(&table->json, &cli->out, true);
    if (is_json) {
        json_object_begin(&table->json);
        programme_write_versions(programme, &table->json);
        json_member_str(&table->json, S("suppression"), table->rule->name);
        json_key(&table->json, S("indicators"));
        json_array_begin(&table->json);
    }
    for (size_t i = 0; i < programme->measures.indicator_count; i++)
        if (only == SIZE_MAX || only == i)
            show_indicator(table, i);
    if (is_json) {
        json_array_end(&table->json);
        json_object_end(&table->json);
        strbuf_add_char(&cli->out, '\n');
    }
    return ERR_OK;
}

ExitCode cmd_indicators(Cli *cli)
{
    Table table = {.cli = cli, .tier = S("practice")};
    if (cli_has(cli, OPTION_TIER))
        table.tier = cli_text(cli, OPTION_TIER);
    Str rule = cli_has(cli, OPTION_SUPPRESS) ? cli_text(cli, OPTION_SUPPRESS) : S("none");
    table.rule = measure_suppression_find(rule);
    if (table.rule == NULL) {
        (void)error_set(&cli->err, ERR_USAGE, "there is no rule \"%.*s\": %.*s", STR_ARG(rule),
                        STR_ARG(measure_suppression_names()));
        return cli_fail(cli);
    }
    if (cli_view_open(cli, &table.view) != ERR_OK)
        return cli_fail(cli);
    ErrorCode code = run(&table);
    bool has_errors = diag_has_errors(table.view.options.diags);
    programme_view_close(table.past_view);
    cli_view_close(&table.view);
    if (code != ERR_OK)
        return cli_fail(cli);
    return cli_finish(cli, has_errors ? EXIT_CODE_REFUSED : EXIT_CODE_OK);
}

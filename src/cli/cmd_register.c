/* braid register: who is on a programme's registers, how common that is, and who came and went. */
#include "cli/cli_view.h"

/* --- groups of persons --- */

typedef enum { SPLIT_NONE, SPLIT_AGE, SPLIT_SEX, SPLIT_PRACTICE, SPLIT_COUNT } Split;

static const Str split_names[] = {STR_INIT("all"), STR_INIT("age"), STR_INIT("sex"),
                                  STR_INIT("practice")};
/* First ages of the bands. */
static const int32_t bands[] = {0, 5, 15, 25, 45, 65, 75, 85};
static const Str band_names[] = {STR_INIT("0-4"),   STR_INIT("5-14"),  STR_INIT("15-24"),
                                 STR_INIT("25-44"), STR_INIT("45-64"), STR_INIT("65-74"),
                                 STR_INIT("75-84"), STR_INIT("85+"),   STR_INIT("unknown")};
static const Str sex_names[] = {[SEX_UNKNOWN] = STR_INIT("unknown"),
                                [SEX_FEMALE] = STR_INIT("female"),
                                [SEX_MALE] = STR_INIT("male"),
                                [SEX_OTHER] = STR_INIT("other")};

static size_t group_count(const CliView *view, Split split)
{
    return split == SPLIT_AGE        ? COUNT_OF(band_names)
           : split == SPLIT_SEX      ? COUNT_OF(sex_names)
           : split == SPLIT_PRACTICE ? programme_view_practice_count(view->view) + 1
                                     : 1;
}

static Str group_name(const CliView *view, Split split, size_t group)
{
    if (split == SPLIT_AGE)
        return band_names[group];
    if (split == SPLIT_SEX)
        return sex_names[group];
    if (split == SPLIT_PRACTICE)
        return group < programme_view_practice_count(view->view)
                   ? programme_view_practice(view->view, group).id
                   : S("nobody");
    return S("all");
}

static size_t age_band(int32_t birth, int32_t day)
{
    if (birth == DAY_NONE || birth > day)
        return COUNT_OF(bands); /* unknown */
    int32_t age = day_age_years(birth, day);
    size_t band = 0;
    while (band + 1 < COUNT_OF(bands) && age >= bands[band + 1])
        band++;
    return band;
}

static size_t group_of(const CliView *view, Split split, size_t partition, Record record)
{
    int32_t day = programme_view_programme(view->view)->measures.period_last;
    size_t practice;
    switch (split) {
    case SPLIT_AGE:
        return age_band(record.batch->birth_days[record.row], day);
    case SPLIT_SEX:
        return (size_t)member_sex(record);
    case SPLIT_PRACTICE:
        practice = programme_view_practice_of(view->view, partition, record.row);
        return practice == SIZE_MAX ? programme_view_practice_count(view->view) : practice;
    case SPLIT_NONE:
    case SPLIT_COUNT:
    default:
        return 0;
    }
}

/* Of a group: persons of the set who are alive on the day, and all who are; prevalence is one over
   the other. Who died counts in the set's size only. */
typedef struct {
    uint64_t set;
    uint64_t set_alive;
    uint64_t alive;
} Prevalence;

static ErrorCode count_groups(Cli *cli, const CliView *view, const MeasureExpression *expression,
                              Split split, Prevalence **ret_groups)
{
    const Store *store = programme_view_store(view->view);
    const MeasureResults *results = programme_view_results(view->view);
    int32_t day = programme_view_programme(view->view)->measures.period_last;
    Prevalence *groups = ARENA_ZARRAY(cli->arena, Prevalence, group_count(view, split));
    Arena *scratch = arena_create(0);
    ErrorCode code = ERR_OK;
    for (size_t part = 0; code == ERR_OK && part < store_partition_count(store); part++) {
        const RecordBatch *batch;
        arena_reset(scratch);
        const uint64_t *bits = measure_expression_bits(expression, results, part, scratch);
        code = store_directory(store, part, &batch, &cli->err);
        for (uint32_t row = 0; code == ERR_OK && row < batch->person_count; row++) {
            Record record = {.batch = batch, .row = row};
            Prevalence *group = &groups[group_of(view, split, part, record)];
            bool is_alive = member_state(record, day) == MEMBER_ALIVE ||
                            member_state(record, day) == MEMBER_BIRTH_UNKNOWN;
            bool is_in = (bits[row / 64] >> (row % 64) & 1) != 0;
            group->alive += is_alive;
            group->set += is_in;
            group->set_alive += is_in && is_alive;
        }
    }
    arena_destroy(scratch);
    if (code == ERR_OK)
        *ret_groups = groups;
    return code;
}

/* --- showing --- */

static void json_number(JsonWriter *json, Str key, Arena *arena, double value, uint64_t of)
{
    json_key(json, key);
    if (of == 0)
        json_null(json);
    else
        json_raw(json, str_format(arena, "%.6f", value));
}

static void json_prevalence(Cli *cli, JsonWriter *json, const Prevalence *group)
{
    MeasureInterval interval = measure_wilson(group->set_alive, group->alive);
    json_member_int(json, S("persons"), (int64_t)group->set);
    json_member_int(json, S("alive"), (int64_t)group->set_alive);
    json_member_int(json, S("population"), (int64_t)group->alive);
    json_number(json, S("prevalence"), cli->arena, interval.rate, group->alive);
    json_number(json, S("prevalence_low"), cli->arena, interval.low, group->alive);
    json_number(json, S("prevalence_high"), cli->arena, interval.high, group->alive);
}

static void text_prevalence(Cli *cli, Str name, const Prevalence *group)
{
    MeasureInterval interval = measure_wilson(group->set_alive, group->alive);
    strbuf_printf(&cli->out, "%-32.*s%9.*s", STR_ARG(name),
                  STR_ARG(cli_grouped(cli->arena, group->set)));
    strbuf_printf(&cli->out, "%9.*s of %-9.*s %6.*s %%",
                  STR_ARG(cli_grouped(cli->arena, group->set_alive)),
                  STR_ARG(cli_grouped(cli->arena, group->alive)),
                  STR_ARG(cli_percent(cli->arena, interval.rate, group->alive)));
    if (group->alive > 0)
        strbuf_printf(&cli->out, "  (%.1f to %.1f)", interval.low * 100, interval.high * 100);
    strbuf_add_char(&cli->out, '\n');
}

static ErrorCode parse(Cli *cli, const CliView *view, Str text, MeasureExpression **ret_expression)
{
    DiagList diags;
    diag_init(&diags, cli->arena);
    const MeasureSpec *spec = &programme_view_programme(view->view)->measures;
    if (measure_expression_parse(cli->arena, text, spec, &diags, ret_expression) == ERR_OK)
        return ERR_OK;
    const Diag *first = &diags.kept.items[0];
    return error_set(&cli->err, ERR_USAGE, "column %u: %.*s", first->column, STR_ARG(first->text));
}

/* The words behind PROGRAMME as one expression. */
static Str expression_text(Cli *cli)
{
    StrBuf text;
    strbuf_init(&text, cli->arena, 0);
    for (size_t i = 1; i < cli->arguments.count; i++) {
        if (i > 1)
            strbuf_add_char(&text, ' ');
        strbuf_add(&text, cli->arguments.items[i]);
    }
    return strbuf_str(&text);
}

static ExitCode finish(Cli *cli, CliView *view, ErrorCode code)
{
    cli_view_close(view);
    if (code != ERR_OK)
        return cli_fail(cli);
    return cli_finish(cli, diag_has_errors(view->options.diags) ? EXIT_CODE_REFUSED : EXIT_CODE_OK);
}

/* --- the commands --- */

ExitCode cmd_register_list(Cli *cli)
{
    CliView view = {0};
    if (cli_view_open(cli, &view) != ERR_OK)
        return cli_fail(cli);
    const MeasureSpec *spec = &programme_view_programme(view.view)->measures;
    bool is_json = cli_has(cli, OPTION_JSON);
    JsonWriter json;
    json_writer_init(&json, &cli->out, true);
    if (is_json)
        json_array_begin(&json);
    else
        strbuf_printf(&cli->out, "%-32s%9s%9s    %-9s %8s\n", "Register", "persons", "alive",
                      "of all", "part");
    ErrorCode code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < spec->register_count; i++) {
        MeasureExpression *expression;
        Prevalence *groups;
        code = parse(cli, &view, str_format(cli->arena, "\"%.*s\"", STR_ARG(spec->registers[i].id)),
                     &expression);
        if (code == ERR_OK)
            code = count_groups(cli, &view, expression, SPLIT_NONE, &groups);
        if (code != ERR_OK)
            break;
        if (is_json) {
            json_object_begin(&json);
            json_member_str(&json, S("id"), spec->registers[i].id);
            json_member_str(&json, S("title"), spec->registers[i].title);
            json_prevalence(cli, &json, groups);
            json_object_end(&json);
        } else {
            text_prevalence(cli, spec->registers[i].id, groups);
        }
    }
    if (is_json) {
        json_array_end(&json);
        strbuf_add_char(&cli->out, '\n');
    }
    return finish(cli, &view, code);
}

static ErrorCode read_split(Cli *cli, Split *ret_split)
{
    Str name = cli_text(cli, OPTION_SPLIT);
    *ret_split = SPLIT_NONE;
    if (str_is_empty(name))
        return ERR_OK;
    for (size_t i = 1; i < COUNT_OF(split_names); i++)
        if (str_eq(split_names[i], name)) {
            *ret_split = (Split)i;
            return ERR_OK;
        }
    return error_set(&cli->err, ERR_USAGE, "--split is age, sex or practice, not \"%.*s\"",
                     STR_ARG(name));
}

ExitCode cmd_register_count(Cli *cli)
{
    CliView view = {0};
    Split split;
    if (read_split(cli, &split) != ERR_OK || cli_view_open(cli, &view) != ERR_OK)
        return cli_fail(cli);
    MeasureExpression *expression;
    Prevalence *groups;
    ErrorCode code = parse(cli, &view, expression_text(cli), &expression);
    if (code == ERR_OK)
        code = count_groups(cli, &view, expression, split, &groups);
    if (code != ERR_OK)
        return finish(cli, &view, code);
    JsonWriter json;
    json_writer_init(&json, &cli->out, true);
    bool is_json = cli_has(cli, OPTION_JSON);
    if (is_json)
        json_array_begin(&json);
    for (size_t i = 0; i < group_count(&view, split); i++) {
        Str name = group_name(&view, split, i);
        if (is_json) {
            json_object_begin(&json);
            json_member_str(&json, S("group"), name);
            json_prevalence(cli, &json, &groups[i]);
            json_object_end(&json);
        } else if (split == SPLIT_NONE || groups[i].alive + groups[i].set > 0) {
            text_prevalence(cli, name, &groups[i]);
        }
    }
    if (is_json) {
        json_array_end(&json);
        strbuf_add_char(&cli->out, '\n');
    }
    return finish(cli, &view, ERR_OK);
}

/* One person a line: id and practice, and for the register shown when and why they came. */
typedef struct {
    JsonWriter json;
    const RegisterSpellVec *spells; /* NULL: not asked for */
    Str register_id;
    size_t practice; /* only of this one; SIZE_MAX: all */
    uint64_t count;
} PersonLines;

static const RegisterSpell *present_spell(const PersonLines *lines, Str person)
{
    const RegisterSpell *found = NULL;
    for (size_t low = 0, high = lines->spells->count; low < high;) {
        size_t middle = low + (high - low) / 2;
        const RegisterSpell *each = &lines->spells->items[middle];
        int order = str_cmp(each->register_id, lines->register_id);
        if (order == 0)
            order = str_cmp(each->person, person);
        if (order == 0)
            found = each; /* of several the last: the search goes on behind it */
        if (order <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return found != NULL && found->left == DAY_NONE ? found : NULL;
}

static void show_person(Cli *cli, const CliView *view, PersonLines *lines, size_t partition,
                        Record record)
{
    size_t practice = programme_view_practice_of(view->view, partition, record.row);
    if (lines->practice != SIZE_MAX && lines->practice != practice)
        return;
    lines->count++;
    Str id = record_person_id(record);
    Str practice_id =
        practice == SIZE_MAX ? S("") : programme_view_practice(view->view, practice).id;
    const RegisterSpell *spell = lines->spells == NULL ? NULL : present_spell(lines, id);
    if (cli_has(cli, OPTION_JSON)) {
        json_object_begin(&lines->json);
        json_member_str(&lines->json, S("person"), id);
        json_key(&lines->json, S("practice"));
        if (practice == SIZE_MAX)
            json_null(&lines->json);
        else
            json_str(&lines->json, practice_id);
        if (spell != NULL) {
            json_member_str(&lines->json, S("entered"), day_format(cli->arena, spell->entered));
            json_member_bool(&lines->json, S("first"), spell->is_first);
            json_member_str(&lines->json, S("reason"), spell->reason);
        }
        json_object_end(&lines->json);
        return;
    }
    strbuf_printf(&cli->out, "%-38.*s %-24.*s", STR_ARG(id), STR_ARG(practice_id));
    if (spell != NULL)
        strbuf_printf(&cli->out, " %s %.*s  %.*s", spell->is_first ? "by" : "on",
                      STR_ARG(day_format(cli->arena, spell->entered)), STR_ARG(spell->reason));
    strbuf_add_char(&cli->out, '\n');
}

static ErrorCode show_persons(Cli *cli, const CliView *view, const MeasureExpression *expression,
                              PersonLines *lines)
{
    const Store *store = programme_view_store(view->view);
    Arena *scratch = arena_create(0);
    ErrorCode code = ERR_OK;
    bool is_json = cli_has(cli, OPTION_JSON);
    json_writer_init(&lines->json, &cli->out, true);
    if (is_json)
        json_array_begin(&lines->json);
    for (size_t part = 0; code == ERR_OK && part < store_partition_count(store); part++) {
        const RecordBatch *batch;
        arena_reset(scratch);
        const uint64_t *bits =
            measure_expression_bits(expression, programme_view_results(view->view), part, scratch);
        code = store_directory(store, part, &batch, &cli->err);
        for (uint32_t row = 0; code == ERR_OK && row < batch->person_count; row++)
            if ((bits[row / 64] >> (row % 64) & 1) != 0)
                show_person(cli, view, lines, part, (Record){.batch = batch, .row = row});
    }
    arena_destroy(scratch);
    if (is_json) {
        json_array_end(&lines->json);
        strbuf_add_char(&cli->out, '\n');
    } else if (code == ERR_OK) {
        strbuf_printf(&cli->out, "%.*s person%s\n", STR_ARG(cli_grouped(cli->arena, lines->count)),
                      lines->count == 1 ? "" : "s");
    }
    return code;
}

/* Of --practice, when it was given. */
static ErrorCode wanted_practice(Cli *cli, const CliView *view, size_t *ret_practice)
{
    *ret_practice = SIZE_MAX;
    if (!cli_has(cli, OPTION_PRACTICE))
        return ERR_OK;
    return cli_view_practice(cli, view, cli_text(cli, OPTION_PRACTICE), ret_practice);
}

ExitCode cmd_register_combine(Cli *cli)
{
    CliView view = {0};
    if (cli_view_open(cli, &view) != ERR_OK)
        return cli_fail(cli);
    MeasureExpression *expression;
    PersonLines lines = {0};
    ErrorCode code = parse(cli, &view, expression_text(cli), &expression);
    if (code == ERR_OK)
        code = wanted_practice(cli, &view, &lines.practice);
    if (code == ERR_OK)
        code = show_persons(cli, &view, expression, &lines);
    return finish(cli, &view, code);
}

ExitCode cmd_register_show(Cli *cli)
{
    CliView view = {0};
    if (cli_view_open(cli, &view) != ERR_OK)
        return cli_fail(cli);
    MeasureExpression *expression;
    RegisterHistory history = {.through = DAY_NONE};
    size_t index;
    PersonLines lines = {.register_id = cli->arguments.items[1]};
    ErrorCode code = cli_view_register(cli, &view, lines.register_id, &index);
    if (code == ERR_OK)
        code = wanted_practice(cli, &view, &lines.practice);
    if (code == ERR_OK)
        code = parse(cli, &view, str_format(cli->arena, "\"%.*s\"", STR_ARG(lines.register_id)),
                     &expression);
    if (code == ERR_OK && cli_has(cli, OPTION_OUT))
        code = register_history_read(
            cli->arena, programme_history_path(cli->arena, view.options.out), &history, &cli->err);
    lines.spells = history.through == DAY_NONE ? NULL : &history.spells;
    if (code == ERR_OK)
        code = show_persons(cli, &view, expression, &lines);
    return finish(cli, &view, code);
}

/* --- movements --- */

static ErrorCode read_month(Cli *cli, int32_t *ret_first, int32_t *ret_last)
{
    Str month = cli_text(cli, OPTION_MONTH);
    if (!day_parse(str_format(cli->arena, "%.*s-01", STR_ARG(month)), ret_first))
        return error_set(&cli->err, ERR_USAGE, "--month is a month such as 2020-06, not \"%.*s\"",
                         STR_ARG(month));
    int32_t next = day_add_months(*ret_first, 1);
    *ret_last = next == DAY_NONE ? DAY_LAST : next - 1;
    return ERR_OK;
}

static void show_movement(Cli *cli, JsonWriter *json, const RegisterSpell *spell, bool is_entry)
{
    Str day = day_format(cli->arena, is_entry ? spell->entered : spell->left);
    Str reason = is_entry ? spell->reason : spell->left_reason;
    if (cli_has(cli, OPTION_JSON)) {
        json_object_begin(json);
        json_member_str(json, S("day"), day);
        json_member_str(json, S("register"), spell->register_id);
        json_member_str(json, S("person"), spell->person);
        json_member_str(json, S("movement"), is_entry ? S("entered") : S("left"));
        json_member_str(json, S("reason"), reason);
        json_object_end(json);
        return;
    }
    strbuf_printf(&cli->out, "%.*s  %-20.*s %-8s %-38.*s ", STR_ARG(day),
                  STR_ARG(spell->register_id), is_entry ? "entered" : "left",
                  STR_ARG(spell->person));
    strbuf_add(&cli->out, reason);
    strbuf_add_char(&cli->out, '\n');
}

ExitCode cmd_register_movements(Cli *cli)
{
    int32_t first = DAY_FIRST;
    int32_t last = DAY_LAST;
    Str out = cli_text(cli, OPTION_OUT);
    Str wanted = cli->arguments.count > 0 ? cli->arguments.items[0] : S("");
    RegisterHistory history;
    if (str_is_empty(out)) {
        (void)error_set(&cli->err, ERR_USAGE, "register movements needs --out DIR");
        return cli_fail(cli);
    }
    Str path = programme_history_path(cli->arena, out);
    if (!io_exists(path)) {
        (void)error_set(&cli->err, ERR_NOT_FOUND,
                        "%.*s: there is no history; braid measure makes it", STR_ARG(path));
        return cli_fail(cli);
    }
    if ((cli_has(cli, OPTION_MONTH) && read_month(cli, &first, &last) != ERR_OK) ||
        register_history_read(cli->arena, path, &history, &cli->err) != ERR_OK)
        return cli_fail(cli);
    JsonWriter json;
    json_writer_init(&json, &cli->out, true);
    bool is_json = cli_has(cli, OPTION_JSON);
    size_t entered = 0;
    size_t left = 0;
    if (is_json)
        json_array_begin(&json);
    VEC_FOREACH (const RegisterSpell, spell, &history.spells) {
        if (!str_is_empty(wanted) && !str_eq(wanted, spell->register_id))
            continue;
        if (register_spell_enters(spell, first, last)) {
            show_movement(cli, &json, spell, true);
            entered++;
        }
        if (register_spell_leaves(spell, first, last)) {
            show_movement(cli, &json, spell, false);
            left++;
        }
    }
    if (is_json) {
        json_array_end(&json);
        strbuf_add_char(&cli->out, '\n');
    } else {
        strbuf_printf(&cli->out, "%zu entered, %zu left\n", entered, left);
    }
    return cli_finish(cli, EXIT_CODE_OK);
}

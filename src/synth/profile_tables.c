/* The table of conditions. */
#include "synth/synth_int.h"

int synth_condition_find(const SynthProfile *profile, Str name)
{
    for (size_t i = 0; i < profile->condition_count; i++)
        if (str_eq(profile->conditions[i].name, name))
            return (int)i;
    return -1;
}

typedef struct {
    const CsvTable *table;
    DiagList *diags;
    const CsvRow *row;
    bool is_good;
} Row;

static Str cell(Row *row, Str column)
{
    size_t at;
    if (csv_require(row->table, column, row->diags, &at))
        return row->row->cells[at];
    row->is_good = false;
    return S("");
}

static double number(Row *row, Str column)
{
    Decimal decimal;
    Str text = cell(row, column);
    if (decimal_parse(text, &decimal))
        return decimal_to_double(decimal);
    if (row->is_good)
        diag_addf(row->diags,
                  (Diag){.severity = SEVERITY_ERROR,
                         .file = row->table->file,
                         .line = row->row->line,
                         .rule = S("synth-table"),
                         .path = column},
                  "'%.*s': expected a number", STR_ARG(text));
    row->is_good = false;
    return 0;
}

/* Per 1,000 at seven ages to a part at every age. */
static void read_prevalence(Row *row, double *curve)
{
    static const struct {
        Str column;
        int age;
    } points[] = {{STR_INIT("p5"), 5},   {STR_INIT("p20"), 20}, {STR_INIT("p35"), 35},
                  {STR_INIT("p50"), 50}, {STR_INIT("p65"), 65}, {STR_INIT("p80"), 80},
                  {STR_INIT("p90"), 90}};
    double before = 0;
    int age_before = 0;
    for (size_t i = 0; i < COUNT_OF(points); i++) {
        double value = number(row, points[i].column) / 1000;
        for (int age = age_before; age <= points[i].age; age++)
            curve[age] =
                before + (value - before) * (age - age_before) / (points[i].age - age_before);
        before = value;
        age_before = points[i].age;
    }
    for (int age = age_before; age < AGE_LIMIT; age++)
        curve[age] = before;
}

static int medicine_of(SynthProfile *profile, Str name, double price)
{
    for (size_t i = 0; i < profile->medicine_count; i++)
        if (str_eq(profile->medicines[i].name, name))
            return (int)i;
    if (profile->medicine_count == MEDICINE_MAX)
        return -1;
    profile->medicines[profile->medicine_count] = (Medicine){.name = name, .price = price};
    return (int)profile->medicine_count++;
}

/* "name=price/part;…" or "-" */
static void read_medicines(Row *row, SynthProfile *profile, ConditionProfile *condition)
{
    Str rest = cell(row, S("medicines"));
    Str part;
    if (str_eq(rest, S("-")))
        return;
    while (row->is_good && str_split_next(&rest, ';', &part)) {
        Str name;
        Str price_text;
        Decimal price;
        Decimal of_hundred;
        int medicine = -1;
        if (str_split_next(&part, '=', &name) && part.ptr != NULL &&
            str_split_next(&part, '/', &price_text) && part.ptr != NULL &&
            decimal_parse(price_text, &price) && decimal_parse(part, &of_hundred) &&
            condition->medicine_count < CONDITION_MEDICINES_MAX)
            medicine = medicine_of(profile, name, decimal_to_double(price));
        if (medicine < 0) {
            diag_addf(row->diags,
                      (Diag){.severity = SEVERITY_ERROR,
                             .file = row->table->file,
                             .line = row->row->line,
                             .rule = S("synth-table"),
                             .path = S("medicines")},
                      "expected at most %d of medicine=price/part, divided by semicolons",
                      CONDITION_MEDICINES_MAX);
            row->is_good = false;
            return;
        }
        condition->medicines[condition->medicine_count] = (uint8_t)medicine;
        condition->medicine_parts[condition->medicine_count++] =
            decimal_to_double(of_hundred) / 100;
    }
}

bool synth_conditions_read(Arena *arena, Str text, Str file, DiagList *diags, SynthProfile *profile)
{
    CsvTable table;
    if (!csv_parse(arena, text, file, diags, &table))
        return false;
    if (table.row_count > CONDITION_MAX) {
        diag_addf(diags, (Diag){.severity = SEVERITY_ERROR, .file = file, .rule = S("synth-table")},
                  "at most %d conditions", CONDITION_MAX);
        return false;
    }
    for (size_t i = 0; i < table.row_count; i++) {
        Row row = {.table = &table, .diags = diags, .row = &table.rows[i], .is_good = true};
        ConditionProfile *condition = &profile->conditions[i];
        condition->name = cell(&row, S("name"));
        condition->icd10 = cell(&row, S("icd10"));
        condition->title = cell(&row, S("title"));
        read_prevalence(&row, condition->prevalence);
        condition->sex = number(&row, S("sex"));
        condition->deprived = number(&row, S("deprived"));
        condition->frailty = number(&row, S("frailty"));
        condition->metabolic = number(&row, S("metabolic"));
        condition->mental = number(&row, S("mental"));
        condition->effects[EFFECT_GP] = number(&row, S("gp"));
        condition->effects[EFFECT_PLANNED] = number(&row, S("planned"));
        condition->effects[EFFECT_URGENT] = number(&row, S("urgent"));
        condition->effects[EFFECT_DEATH] = number(&row, S("death"));
        for (size_t effect = 0; effect < EFFECT_COUNT; effect++)
            condition->log_effects[effect] = log(condition->effects[effect]);
        condition->is_for_life = str_eq(cell(&row, S("kind")), S("life"));
        read_medicines(&row, profile, condition);
        if (!row.is_good)
            return false;
        profile->condition_count = i + 1;
    }
    return true;
}

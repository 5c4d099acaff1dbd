/* Calibration: the population's records to facts, and targets against metrics. */
#include "synth/check.h"

#include <stdlib.h>

#include "synth/write.h"

/* What codes of the records stand for, by concept. */
typedef struct {
    const SynthModel *model;
    Fact *facts; /* by partition */
    size_t *counts;
    size_t partition_max;
    uint8_t *services; /* by concept: number and 1 */
    uint8_t *conditions;
    uint8_t *bills;
    ConceptId deprivation;
    ConceptId smoking;
    ConceptId smoker;
} Reading;

static int32_t year_of(const Reading *reading, int32_t day)
{
    return day < reading->model->start ? -1 : (day - reading->model->start) / YEAR_DAYS;
}

static void read_contacts(const Reading *reading, Record record, Fact *fact)
{
    RecordSlice slice = record_slice(record, FHIR_TYPE_Encounter);
    for (uint32_t i = 0; i < slice.count; i++) {
        uint8_t service = reading->services[slice.concepts[i]];
        int32_t year = year_of(reading, slice.days[i]);
        if (service == 0)
            continue;
        service--;
        if (year >= 0 && year < CHECK_YEARS)
            fact->contacts[year][service]++;
        bool is_emergency = service == SERVICE_EMERGENCY || service == CHECK_READMISSION;
        fact->emergencies = (uint16_t)(fact->emergencies + (is_emergency && year == 0));
        fact->readmissions =
            (uint16_t)(fact->readmissions + (service == CHECK_READMISSION && year == 0));
        bool is_last = year == 0 && is_emergency && fact->death != INT32_MAX &&
                       fact->death - slice.days[i] < YEAR_DAYS;
        fact->last_year = (uint16_t)(fact->last_year + is_last);
    }
}

static void read_conditions(const Reading *reading, Record record, Fact *fact)
{
    RecordSlice slice = record_slice(record, FHIR_TYPE_Condition);
    for (uint32_t i = 0; i < slice.count; i++) {
        uint8_t condition = reading->conditions[slice.concepts[i]];
        if (condition == 0)
            continue;
        Moment moment;
        int32_t end = INT32_MAX;
        FhirNode resource = record_resource(record, slice, FHIR_TYPE_Condition, i);
        if (fhir_moment(fhir_child(resource, FHIR_ELEM_Condition_abatementDateTime), &moment))
            end = moment_day(moment);
        for (int year = 0; year < CHECK_YEARS; year++) {
            int32_t day = reading->model->start + (year + 1) * YEAR_DAYS - 1;
            if (slice.days[i] <= day && day < end)
                fact->active[year] |= UINT64_C(1) << (condition - 1);
        }
    }
}

static void read_bills(const Reading *reading, Record record, Fact *fact)
{
    RecordSlice slice = record_slice(record, FHIR_TYPE_ExplanationOfBenefit);
    for (uint32_t i = 0; i < slice.count; i++) {
        uint8_t bill = reading->bills[slice.concepts[i]];
        int32_t year = year_of(reading, slice.days[i]);
        if (bill > 0 && year >= 0 && year < CHECK_YEARS && slice.numbers[i] != NUMBER_NONE)
            fact->cost[year][bill - 1] += slice.numbers[i] / 1000000;
    }
}

static void read_observations(const Reading *reading, Record record, Fact *fact)
{
    RecordSlice slice = record_slice(record, FHIR_TYPE_Observation);
    for (uint32_t i = 0; i < slice.count; i++) {
        if (slice.concepts[i] == reading->deprivation && slice.numbers[i] != NUMBER_NONE)
            fact->tenth = (uint8_t)(slice.numbers[i] / 100000000);
        if (slice.concepts[i] == reading->smoking) {
            ConceptId value = CONCEPT_NONE;
            FhirNode resource = record_resource(record, slice, FHIR_TYPE_Observation, i);
            (void)fhir_concepts(fhir_child(resource, FHIR_ELEM_Observation_valueCodeableConcept),
                                &value, 1);
            fact->smoking = value == reading->smoker ? 2 : 1;
        }
    }
}

static ErrorCode read_batch(void *context, size_t worker, size_t partition,
                            const RecordBatch *batch, Error *err)
{
    (void)worker;
    (void)err;
    Reading *reading = context;
    if (partition == SYNTH_SHARED)
        return ERR_OK;
    Fact *facts = reading->facts + partition * reading->partition_max;
    ASSERT(batch->person_count <= reading->partition_max);
    for (uint32_t row = 0; row < batch->person_count; row++) {
        Record record = {.batch = batch, .row = row};
        Fact *fact = &facts[row];
        *fact = (Fact){.birth = batch->birth_days[row],
                       .death = INT32_MAX,
                       .sex = batch->sexes[row] == SEX_MALE};
        if (batch->death_days != NULL && batch->death_days[row] != DAY_NONE)
            fact->death = batch->death_days[row];
        fact->was_here = fact->birth <= reading->model->start;
        read_contacts(reading, record, fact);
        read_conditions(reading, record, fact);
        read_bills(reading, record, fact);
        read_observations(reading, record, fact);
    }
    reading->counts[partition] = batch->person_count;
    return ERR_OK;
}

static void know(uint8_t *table, FhirPart part, size_t number)
{
    table[fhir_template_concept(part.template)] = (uint8_t)(number + 1);
}

static void know_codes(Arena *arena, Reading *reading)
{
    const SynthModel *model = reading->model;
    const Shapes *shapes = model->shapes;
    size_t concepts = concept_dict_count(shapes->dict) + 1;
    reading->services = ARENA_ZARRAY(arena, uint8_t, concepts);
    reading->conditions = ARENA_ZARRAY(arena, uint8_t, concepts);
    reading->bills = ARENA_ZARRAY(arena, uint8_t, concepts);
    for (size_t i = 0; i < SERVICE_COUNT; i++)
        know(reading->services,
             shapes
                 ->codes[i < SERVICE_OUTPATIENT ? CODE_CONTACT_GP + i
                                                : CODE_CONTACT_OUTPATIENT + i - SERVICE_OUTPATIENT +
                                                      (i > SERVICE_EMERGENCY)],
             i);
    know(reading->services, shapes->codes[CODE_CONTACT_READMISSION], CHECK_READMISSION);
    for (size_t i = 0; i < model->profile->condition_count; i++)
        know(reading->conditions, shapes->conditions[i], i);
    for (size_t i = 0; i < BILL_COUNT; i++)
        know(reading->bills, shapes->codes[CODE_CLAIM_PRIMARY + i], i);
    reading->deprivation = fhir_template_concept(shapes->codes[CODE_DEPRIVATION].template);
    reading->smoking = fhir_template_concept(shapes->codes[CODE_SMOKING].template);
    reading->smoker = fhir_template_concept(shapes->codes[CODE_SMOKER].template);
}

static bool target_number(const CsvTable *table, const CsvRow *row, size_t column, DiagList *diags,
                          double *ret_value)
{
    Decimal decimal;
    if (decimal_parse(row->cells[column], &decimal)) {
        *ret_value = decimal_to_double(decimal);
        return true;
    }
    diag_addf(diags,
              (Diag){.severity = SEVERITY_ERROR,
                     .file = table->file,
                     .line = row->line,
                     .rule = S("synth-target")},
              "'%.*s': expected a number", STR_ARG(row->cells[column]));
    return false;
}

static void compare(const Facts *facts, const CsvTable *table, double tolerance, DiagList *diags,
                    SynthTargets *targets)
{
    static const Str names[] = {STR_INIT("metric"), STR_INIT("value"), STR_INIT("tolerance"),
                                STR_INIT("title"), STR_INIT("source")};
    size_t columns[COUNT_OF(names)];
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (!csv_require(table, names[i], diags, &columns[i]))
            return;
    for (size_t i = 0; i < table->row_count; i++) {
        const CsvRow *row = &table->rows[i];
        SynthTarget target = {.name = row->cells[columns[0]],
                              .title = row->cells[columns[3]],
                              .source = row->cells[columns[4]]};
        if (!target_number(table, row, columns[1], diags, &target.wanted) ||
            !target_number(table, row, columns[2], diags, &target.tolerance))
            continue;
        if (!metric_find(facts, target.name, &target.found)) {
            diag_addf(diags,
                      (Diag){.severity = SEVERITY_ERROR,
                             .file = table->file,
                             .line = row->line,
                             .rule = S("synth-target")},
                      "there is no metric '%.*s'", STR_ARG(target.name));
            continue;
        }
        target.tolerance *= tolerance;
        target.is_met = fabs(target.found - target.wanted) <= target.tolerance;
        VEC_PUSH(facts->arena, targets, target);
    }
}

ErrorCode synth_check(Arena *arena, const SynthModel *model, const SynthRun *run, double tolerance,
                      DiagList *diags, SynthTargets *ret_targets, Error *err)
{
    Str text;
    CsvTable table;
    SynthReport report;
    if (model->options.years < CHECK_YEARS)
        return error_set(err, ERR_USAGE, "a population of at least %d years is needed",
                         CHECK_YEARS);
    size_t partitions = synth_partition_count(model);
    Reading reading = {.model = model, .partition_max = 1024};
    reading.facts = ARENA_ARRAY(arena, Fact, partitions * reading.partition_max);
    reading.counts = ARENA_ZARRAY(arena, size_t, partitions);
    know_codes(arena, &reading);
    ErrorCode code = synth_make_batches(model, run, read_batch, &reading, &report, err);
    if (code != ERR_OK)
        return code;
    size_t count = 0;
    for (size_t i = 0; i < partitions; i++)
        for (size_t row = 0; row < reading.counts[i]; row++)
            reading.facts[count++] = reading.facts[i * reading.partition_max + row];
    Facts facts = {.model = model, .facts = reading.facts, .count = count, .arena = arena};
    *ret_targets = (SynthTargets){0};
    if (!synth_file_find(S("targets.tsv"), &text) ||
        !csv_parse(arena, text, S("targets.tsv"), diags, &table))
        return ERR_DOCUMENT;
    compare(&facts, &table, tolerance, diags, ret_targets);
    return ERR_OK;
}

/*
 * bench_jobs -- three jobs over a population of persons with some fifty resources each, from the
 * directory alone on one core, and DuckDB over the same facts in flat tables beside them:
 *
 *   register  persons with one of the codes of diabetes by a day, and of the latest HbA1c in the
 *             two years before: how many, and their sum
 *   cost      claims by provider and month over 63 months: sums
 *   window    claims in the 90 days from a person's first admission in six years: how many persons,
 *             and the sum
 *
 * Then CQL over the same store, person by person without posting lists.
 *
 * A million persons with BENCH_FULL=1, else 50,000; BENCH_PERSONS says another number.
 */
#include <sys/resource.h>

#include "bench_population.h"
#include "cql/cql.h"

/* 2019-12-31; the data ends in 2019. Two years, 63 months and six years before it. */
enum { UNTIL = 18261, TWO_YEARS = 730, MONTHS = 63, SIX_YEARS = 2191, WINDOW = 90 };

typedef struct {
    int64_t persons;
    int64_t tested;
    int64_t sum; /* 10^-8 units */
} RegisterAnswer;

typedef struct {
    int64_t claims;
    int64_t sum;
    int64_t cells; /* of provider and month with any cost */
    int64_t mark;  /* sum of cell * (cell number + 1) mod 2^61 - 1: equal only if all cells are */
} CostAnswer;

typedef struct {
    int64_t persons;
    int64_t claims;
    int64_t sum;
} WindowAnswer;

typedef struct {
    const Store *store;
    ConceptSet diabetes;
    ConceptSet hba1c;
    ConceptSet admission;
    ConceptId org_first; /* organisations lie together in the dictionary */
    ConceptId org_end;
    int32_t first_month_day;
    uint8_t month_of_day[2048];
    uint64_t *bits; /* as many words as the largest partition needs */
} Jobs;

static const RecordBatch *directory(const Jobs *jobs, size_t partition)
{
    const RecordBatch *batch;
    Error err = {0};
    bench_must(store_directory(jobs->store, partition, &batch, &err), &err);
    return batch;
}

static void find_rows(const Jobs *jobs, size_t partition, uint16_t type, const ConceptSet *set,
                      uint32_t persons)
{
    Error err = {0};
    memset(jobs->bits, 0, store_row_words(persons) * sizeof(*jobs->bits));
    bench_must(store_rows_with(jobs->store, partition, type, set, jobs->bits, &err), &err);
}

/* ---- the jobs ---- */

/* Of the types asked here, every batch with an entry uses the columns asked. */
static inline bool has_columns(const RecordSlice *slice)
{
    return slice->count == 0 || slice->days != NULL;
}

static void register_person(const Jobs *jobs, Record record, RegisterAnswer *answer)
{
    RecordSlice conditions = record_slice(record, FHIR_TYPE_Condition);
    RecordSlice tests = record_slice(record, FHIR_TYPE_Observation);
    if (!has_columns(&conditions) || !has_columns(&tests))
        return;
    bool is_in = false;
    for (uint32_t i = 0; i < conditions.count && !is_in; i++)
        is_in =
            conditions.days[i] <= UNTIL && concept_set_has(&jobs->diabetes, conditions.concepts[i]);
    if (!is_in)
        return;
    answer->persons++;
    for (uint32_t i = tests.count; i > 0 && tests.days[i - 1] > UNTIL - TWO_YEARS; i--) {
        if (tests.days[i - 1] > UNTIL || !concept_set_has(&jobs->hba1c, tests.concepts[i - 1]) ||
            tests.numbers[i - 1] == NUMBER_NONE)
            continue;
        answer->tested++;
        answer->sum += tests.numbers[i - 1];
        break;
    }
}

static RegisterAnswer run_register(const Jobs *jobs)
{
    RegisterAnswer answer = {0};
    for (size_t p = 0; p < store_partition_count(jobs->store); p++) {
        const RecordBatch *batch = directory(jobs, p);
        find_rows(jobs, p, FHIR_TYPE_Condition, &jobs->diabetes, batch->person_count);
        for (size_t word = 0; word < store_row_words(batch->person_count); word++) {
            for (uint64_t left = jobs->bits[word]; left != 0; left &= left - 1) {
                uint32_t row = (uint32_t)(64 * word) + (uint32_t)__builtin_ctzll(left);
                register_person(jobs, (Record){.batch = batch, .row = row}, &answer);
            }
        }
    }
    return answer;
}

static CostAnswer run_cost(Arena *arena, const Jobs *jobs)
{
    size_t orgs = jobs->org_end - jobs->org_first;
    int64_t *cells = ARENA_ZARRAY(arena, int64_t, orgs * 64);
    CostAnswer answer = {0};
    for (size_t p = 0; p < store_partition_count(jobs->store); p++) {
        RecordSlice claims = directory(jobs, p)->types[FHIR_TYPE_Claim].entries;
        for (uint32_t i = 0; i < claims.count; i++) {
            uint32_t day = (uint32_t)(claims.days[i] - jobs->first_month_day);
            uint32_t org = claims.orgs[i] - jobs->org_first;
            if (day > (uint32_t)(UNTIL - jobs->first_month_day) || org >= orgs ||
                claims.numbers[i] == NUMBER_NONE)
                continue;
            cells[org * 64 + jobs->month_of_day[day]] += claims.numbers[i];
            answer.claims++;
        }
    }
    for (size_t org = 0; org < orgs; org++) {
        for (size_t month = 0; month < MONTHS; month++) {
            int64_t cell = cells[org * 64 + month];
            answer.sum += cell;
            answer.cells += cell != 0;
            __int128 mark = (__int128)cell * (int64_t)((org + 1) * 64 + month);
            answer.mark = (int64_t)((answer.mark + mark) % ((INT64_C(1) << 61) - 1));
        }
    }
    return answer;
}

static void window_person(const Jobs *jobs, Record record, WindowAnswer *answer)
{
    RecordSlice visits = record_slice(record, FHIR_TYPE_Encounter);
    RecordSlice claims = record_slice(record, FHIR_TYPE_Claim);
    if (!has_columns(&visits) || !has_columns(&claims))
        return;
    int32_t index = DAY_NONE;
    for (uint32_t i = 0; i < visits.count && index == DAY_NONE; i++) {
        if (visits.days[i] > UNTIL - SIX_YEARS && visits.days[i] <= UNTIL &&
            concept_set_has(&jobs->admission, visits.concepts[i]))
            index = visits.days[i];
    }
    if (index == DAY_NONE)
        return;
    answer->persons++;
    for (uint32_t i = claims.count; i > 0 && claims.days[i - 1] >= index; i--) {
        if (claims.days[i - 1] >= index + WINDOW || claims.numbers[i - 1] == NUMBER_NONE)
            continue;
        answer->claims++;
        answer->sum += claims.numbers[i - 1];
    }
}

static WindowAnswer run_window(const Jobs *jobs)
{
    WindowAnswer answer = {0};
    for (size_t p = 0; p < store_partition_count(jobs->store); p++) {
        const RecordBatch *batch = directory(jobs, p);
        find_rows(jobs, p, FHIR_TYPE_Encounter, &jobs->admission, batch->person_count);
        for (size_t word = 0; word < store_row_words(batch->person_count); word++) {
            for (uint64_t left = jobs->bits[word]; left != 0; left &= left - 1) {
                uint32_t row = (uint32_t)(64 * word) + (uint32_t)__builtin_ctzll(left);
                window_person(jobs, (Record){.batch = batch, .row = row}, &answer);
            }
        }
    }
    return answer;
}

/* ---- the store ---- */

static size_t person_count(void)
{
    const char *given = getenv("BENCH_PERSONS");
    const char *full = getenv("BENCH_FULL");
    int64_t count;
    if (given != NULL && str_to_int64(str_from_c(given), &count) && count > 0)
        return (size_t)count;
    return full != NULL && full[0] == '1' ? 1000000 : 50000;
}

static Store *make_store(Arena *arena, Str scratch, size_t persons)
{
    Error err = {0};
    Store *store;
    PopulationStore wanted = {.persons = persons, .is_thin = true, .bytes = UINT64_MAX};
    wanted.options.store_path = io_join(arena, scratch, S("store"));
    if (getenv("BENCH_KEEP") == NULL || !io_exists(wanted.options.store_path)) {
        IntakeReport report;
        double seconds = population_load(arena, scratch, &wanted, &report);
        bench_figure("small resources from a pipe to store", (double)report.bytes / 1e6 / seconds,
                     "MB/s");
        printf("%.1f MB, %zu resources, %.1f s\n", (double)report.bytes / 1e6,
               (size_t)report.accepted, seconds);
    }
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    bench_figure("peak of memory while loading", (double)usage.ru_maxrss / 1024, "MiB");
    bench_must(store_open(arena, wanted.options.store_path, &store, &err), &err);
    bench_figure("persons", (double)store_info(store)->persons, "persons");
    return store;
}

static ConceptSet find_codes(Arena *arena, const Store *store, const char *system,
                             const char *const *codes, size_t count)
{
    ConceptId *ids = ARENA_ARRAY(arena, ConceptId, count);
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        ids[found] = concept_dict_find(store_dict(store), str_from_c(system), str_from_c(codes[i]));
        found += ids[found] != CONCEPT_NONE;
    }
    return concept_set_of(arena, store_dict(store), ids, found);
}

static Jobs make_jobs(Arena *arena, const Store *store)
{
    static const char *const diabetes[] = {"44054006",       "15777000",      "368581000119106",
                                           "422034002",      "127013003",     "90781000119102",
                                           "97331000119101", "1551000119108", "157141000119108",
                                           "1501000119109",  "60951000119105"};
    static const char *const hba1c[] = {"4548-4"};
    static const char *const admission[] = {"183452005", "50849002",  "32485007", "183495009",
                                            "305411003", "305428000", "305351004"};
    Jobs jobs = {.store = store};
    const char *snomed = "http://snomed.info/sct";
    jobs.diabetes = find_codes(arena, store, snomed, diabetes, COUNT_OF(diabetes));
    jobs.hba1c = find_codes(arena, store, "http://loinc.org", hba1c, 1);
    jobs.admission = find_codes(arena, store, snomed, admission, COUNT_OF(admission));
    const ConceptDict *dict = store_dict(store);
    for (ConceptId id = 1; id <= concept_dict_code_count(dict); id++) {
        if (!str_eq(concept_dict_name(dict, id).system, S("Organization")))
            continue;
        jobs.org_first = jobs.org_first == CONCEPT_NONE ? id : jobs.org_first;
        jobs.org_end = id + 1;
    }
    int32_t first = day_from_date(2014, 10, 1);
    jobs.first_month_day = first;
    for (int32_t day = first; day <= UNTIL; day++) {
        int32_t year;
        int32_t month;
        int32_t of_month;
        day_to_date(day, &year, &month, &of_month);
        jobs.month_of_day[day - first] = (uint8_t)((year - 2014) * 12 + month - 10);
    }
    uint32_t largest = 0;
    for (size_t i = 0; i < store_partition_count(store); i++) {
        uint32_t persons = store_partition_persons(store, i);
        largest = persons > largest ? persons : largest;
    }
    jobs.bits = ARENA_ARRAY(arena, uint64_t, store_row_words(largest));
    return jobs;
}

/* ---- DuckDB ---- */

/* Facts as lines "type,person,day,code,number,org" for the script beside. */
static void export_type(FILE *out, const Jobs *jobs, uint16_t type)
{
    uint32_t first_person = 0;
    for (size_t p = 0; p < store_partition_count(jobs->store); p++) {
        const RecordBatch *batch = directory(jobs, p);
        for (uint32_t row = 0; row < batch->person_count; row++) {
            RecordSlice slice = record_slice((Record){.batch = batch, .row = row}, type);
            for (uint32_t i = 0; slice.days != NULL && i < slice.count; i++) {
                bool has_number = slice.numbers != NULL && slice.numbers[i] != NUMBER_NONE;
                fprintf(out, "%u,%u,%d,%u,", type, first_person + row, slice.days[i],
                        slice.concepts == NULL ? 0 : slice.concepts[i]);
                if (has_number)
                    fprintf(out, "%lld", (long long)slice.numbers[i]);
                fprintf(out, ",%u\n", slice.orgs == NULL ? 0 : slice.orgs[i]);
            }
        }
        first_person += batch->person_count;
    }
}

static void print_set(FILE *out, const char *name, const ConceptSet *set)
{
    fprintf(out, "#%s", name);
    for (ConceptId id = 0; concept_set_next(set, &id);)
        fprintf(out, ",%u", id);
    fprintf(out, "\n");
}

/* The script reads facts and answers; it fails when its own answers differ. */
static void run_peer(const Jobs *jobs, RegisterAnswer a, CostAnswer b, WindowAnswer c)
{
    /* NOLINTNEXTLINE(cert-env33-c): a fixed command of this repository */
    FILE *out = popen("node bench/jobs_peers.mjs", "w");
    if (out == NULL)
        exit(1);
    print_set(out, "diabetes", &jobs->diabetes);
    print_set(out, "hba1c", &jobs->hba1c);
    print_set(out, "admission", &jobs->admission);
    fprintf(out, "#orgs,%u,%u\n", jobs->org_first, jobs->org_end);
    fprintf(out, "#register,%lld,%lld,%lld\n", (long long)a.persons, (long long)a.tested,
            (long long)a.sum);
    fprintf(out, "#cost,%lld,%lld,%lld\n", (long long)b.claims, (long long)b.sum,
            (long long)b.cells);
    fprintf(out, "#window,%lld,%lld,%lld\n", (long long)c.persons, (long long)c.claims,
            (long long)c.sum);
    export_type(out, jobs, FHIR_TYPE_Condition);
    export_type(out, jobs, FHIR_TYPE_Observation);
    export_type(out, jobs, FHIR_TYPE_Encounter);
    export_type(out, jobs, FHIR_TYPE_Claim);
    if (pclose(out) != 0) {
        printf("DuckDB's answers differ, or it failed\n");
        exit(1);
    }
}

static void measure_count(Arena *arena, const Jobs *jobs)
{
    ConceptId code = concept_dict_find(store_dict(jobs->store), S("http://loinc.org"), S("8302-2"));
    ConceptSet set = concept_set_of(arena, store_dict(jobs->store), &code, 1);
    uint64_t count = 0;
    for (size_t i = 0; i < bench_runs(); i++) {
        Error err = {0};
        double begin = bench_seconds();
        bench_must(store_count_with(jobs->store, FHIR_TYPE_Observation, &set, &count, &err), &err);
        bench_figure("exists [Observation: code], 1 thread", (bench_seconds() - begin) * 1e3, "ms");
    }
    printf("%zu persons have it\n", (size_t)count);
}

/* ---- the same store asked in CQL, posting lists switched off ---- */

static const char library_first[] =
    "library First\nusing FHIR version '4.0.1'\ninclude FHIRHelpers version '4.0.1'\n"
    "codesystem \"LOINC\": 'http://loinc.org'\n"
    "code \"Height\": '8302-2' from \"LOINC\"\ncode \"HbA1c\": '4548-4' from \"LOINC\"\n"
    "context Patient\n"
    "define \"Measured\": exists [Observation: \"Height\"]\n"
    "define \"High and Adult\": AgeInYearsAt(@2019-12-31) >= 18 and exists ([Observation: "
    "\"HbA1c\"] O\n"
    "  where O.effective during Interval[@2018-01-01, @2019-12-31] and O.value > 6 '%')\n";
static const char library_second[] =
    "library Second\nusing FHIR version '4.0.1'\ninclude FHIRHelpers version '4.0.1'\n"
    "codesystem \"LOINC\": 'http://loinc.org'\n"
    "code \"Height\": '8302-2' from \"LOINC\"\ncode \"HbA1c\": '4548-4' from \"LOINC\"\n"
    "context Patient\n"
    "define \"Measured Twice\": Count([Observation: \"Height\"]) >= 2\n"
    "define \"Low\": AgeInYearsAt(@2019-12-31) >= 40 and exists ([Observation: \"HbA1c\"] O\n"
    "  where O.effective during Interval[@2018-01-01, @2019-12-31] and O.value < 6 '%')\n";

static CqlPlan *plan_of(Arena *arena, const Jobs *jobs, bool with_second)
{
    Error err = {0};
    DiagList diags;
    CqlPlan *plan;
    CqlLibraries *libraries = cql_libraries_create(arena);
    CqlPlanOptions options = {.dict = store_dict(jobs->store)};
    diag_init(&diags, arena);
    options.now = (Moment){
        .year = 2020, .month = 1, .day = 1, .offset_minutes = 0, .precision = PRECISION_DAY};
    (void)cql_libraries_add(libraries, str_from_c(library_first), S("First"), &diags);
    if (with_second)
        (void)cql_libraries_add(libraries, str_from_c(library_second), S("Second"), &diags);
    bench_must(cql_plan_create(arena, libraries, &options, &diags, &plan, &err), &err);
    return plan;
}

/* Seconds to ask every person for these definitions of the plan; counts what is true. */
static double ask_everybody(const Jobs *jobs, const CqlPlan *plan, size_t from, size_t to,
                            uint64_t *ret_count)
{
    Error err = {0};
    CqlEval *eval = cql_eval_create(plan);
    *ret_count = 0;
    double begin = bench_seconds();
    for (size_t p = 0; p < store_partition_count(jobs->store); p++) {
        const RecordBatch *batch;
        bench_must(store_batch(jobs->store, p, &batch, &err), &err);
        for (uint32_t row = 0; row < batch->person_count; row++) {
            cql_eval_begin(eval, (Record){.batch = batch, .row = row});
            for (size_t i = from; i < to; i++) {
                CqlValue value;
                bench_must(cql_eval_definition(eval, i, &value, &err), &err);
                *ret_count += cql_value_is_true(value);
            }
        }
    }
    double seconds = bench_seconds() - begin;
    cql_eval_destroy(eval);
    return seconds;
}

static void measure_cql(Arena *arena, const Jobs *jobs)
{
    const CqlPlan *first = plan_of(arena, jobs, false);
    const CqlPlan *both = plan_of(arena, jobs, true);
    double persons = (double)store_info(jobs->store)->persons;
    uint64_t measured = 0;
    uint64_t high = 0;
    uint64_t all = 0;
    for (size_t i = 0; i <= bench_runs(); i++) {
        double a = ask_everybody(jobs, first, 0, 1, &measured);
        double b = ask_everybody(jobs, first, 1, 2, &high);
        double one = ask_everybody(jobs, first, 0, 2, &all);
        double two = ask_everybody(jobs, both, 0, 4, &all);
        if (i == 0)
            continue; /* the tapes are read from disk and verified here */
        bench_figure("CQL: exists [Observation: code], 1 thread", persons / a, "persons/s");
        bench_figure("CQL: code, value, date and age, 1 thread", persons / b, "persons/s");
        bench_figure("CQL: a second library adds", (two - one) / one * 100, "%");
    }
    printf("%zu measured, %zu high and adult\n", (size_t)measured, (size_t)high);
}

int main(void)
{
    Arena *arena = arena_create(0);
    Str scratch = bench_scratch(arena);
    Store *store = make_store(arena, scratch, person_count());
    Jobs jobs = make_jobs(arena, store);
    double begin = bench_seconds();
    RegisterAnswer a = run_register(&jobs);
    bench_figure("first job on a store just opened (verifies the directory)",
                 (bench_seconds() - begin) * 1e3, "ms");
    CostAnswer b = {0};
    WindowAnswer c = {0};
    for (size_t i = 0; i < bench_runs(); i++) {
        begin = bench_seconds();
        a = run_register(&jobs);
        double second = bench_seconds();
        b = run_cost(arena, &jobs);
        double third = bench_seconds();
        c = run_window(&jobs);
        double end = bench_seconds();
        bench_figure("job register with latest HbA1c, 1 thread", (second - begin) * 1e3, "ms");
        bench_figure("job cost by provider and month, 1 thread", (third - second) * 1e3, "ms");
        bench_figure("job 90 days from an admission, 1 thread", (end - third) * 1e3, "ms");
    }
    printf("register %lld, tested %lld; claims %lld in %lld cells; admitted %lld\n",
           (long long)a.persons, (long long)a.tested, (long long)b.claims, (long long)b.cells,
           (long long)c.persons);
    measure_count(arena, &jobs);
    measure_cql(arena, &jobs);
    if (getenv("BENCH_NO_NODE") == NULL)
        run_peer(&jobs, a, b, c);
    store_close(store);
    arena_destroy(arena);
    return 0;
}

/* Metrics of a population, from facts of its records. Unless said otherwise they are of persons who
   were there on the first day, in the first year. */
#include "synth/check.h"

#include <stdlib.h>

enum { AGE_CELLS = 2 * 19, TERMS_MAX = AGE_CELLS + CONDITION_MAX };

static int age_of(const Facts *facts, const Fact *fact)
{
    return (int)((facts->model->start - fact->birth) / 365.25);
}

static double health_cost(const Fact *fact, int year)
{
    return (double)(fact->cost[year][BILL_PRIMARY] + fact->cost[year][BILL_PHARMACY] +
                    fact->cost[year][BILL_HOSPITAL] + fact->cost[year][BILL_COMMUNITY]) /
           100;
}

/* --- shares and ranks --- */

typedef struct {
    double cost;
    uint32_t fact;
} Ranked;

static int compare_ranked(const void *a, const void *b)
{
    const Ranked *x = a;
    const Ranked *y = b;
    return x->cost != y->cost  ? (x->cost > y->cost ? -1 : 1)
           : x->fact < y->fact ? -1
                               : x->fact > y->fact;
}

/* Persons who were there, from the dearest to the cheapest. */
static Ranked *rank_by(const Facts *facts, int year, bool hospital_only, bool survivors,
                       size_t *ret_count)
{
    Ranked *ranked = ARENA_ARRAY(facts->arena, Ranked, facts->count);
    size_t count = 0;
    for (size_t i = 0; i < facts->count; i++) {
        const Fact *fact = &facts->facts[i];
        if (!fact->was_here || (survivors && fact->death < facts->model->start + YEAR_DAYS))
            continue;
        ranked[count++] =
            (Ranked){.cost = hospital_only ? (double)fact->cost[year][BILL_HOSPITAL] / 100
                                           : health_cost(fact, year),
                     .fact = (uint32_t)i};
    }
    qsort(ranked, count, sizeof *ranked, compare_ranked);
    *ret_count = count;
    return ranked;
}

static double share(const Facts *facts, double from, double to, bool hospital_only)
{
    size_t count;
    double sum = 0;
    double part = 0;
    const Ranked *ranked = rank_by(facts, 0, hospital_only, false, &count);
    for (size_t i = 0; i < count; i++) {
        sum += ranked[i].cost;
        if (i >= (size_t)(from * (double)count) && i < (size_t)(to * (double)count))
            part += ranked[i].cost;
    }
    return sum > 0 ? part / sum : 0;
}

/* Of those between two ranks in the first year, the part that is between two ranks in the second.
 */
static double stays(const Facts *facts, double from, double to, double next_from, double next_to)
{
    size_t count;
    const Ranked *first = rank_by(facts, 0, false, true, &count);
    const Ranked *second = rank_by(facts, 1, false, true, &count);
    uint8_t *is_in = ARENA_ZARRAY(facts->arena, uint8_t, facts->count);
    size_t all = 0;
    size_t both = 0;
    for (size_t i = (size_t)(next_from * (double)count); i < (size_t)(next_to * (double)count); i++)
        is_in[second[i].fact] = 1;
    for (size_t i = (size_t)(from * (double)count); i < (size_t)(to * (double)count); i++) {
        all++;
        both += is_in[first[i].fact];
    }
    return all > 0 ? (double)both / (double)all : 0;
}

typedef struct {
    double mean, variation, correlation;
} Moments;

static Moments cost_moments(const Facts *facts)
{
    double n = 0, x = 0, xx = 0, pairs = 0, sx = 0, sy = 0, sxx = 0, syy = 0, sxy = 0;
    for (size_t i = 0; i < facts->count; i++) {
        const Fact *fact = &facts->facts[i];
        if (!fact->was_here)
            continue;
        double a = health_cost(fact, 0);
        double b = health_cost(fact, 1);
        n++;
        x += a;
        xx += a * a;
        if (fact->death < facts->model->start + YEAR_DAYS)
            continue;
        pairs++;
        sx += a, sy += b, sxx += a * a, syy += b * b, sxy += a * b;
    }
    double mean = x / n;
    double covariance = sxy / pairs - sx / pairs * (sy / pairs);
    double spread =
        sqrt((sxx / pairs - sx / pairs * (sx / pairs)) * (syy / pairs - sy / pairs * (sy / pairs)));
    return (Moments){.mean = mean,
                     .variation = sqrt(xx / n - mean * mean) / mean,
                     .correlation = covariance / spread};
}

/* --- regression --- */

/* Solves the normal equations by Cholesky's decomposition, in place; terms that add nothing are
 * left out. */
static void solve(double *matrix, double *vector, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double diagonal = matrix[i * n + i];
        for (size_t k = 0; k < i; k++)
            diagonal -= matrix[i * n + k] * matrix[i * n + k];
        bool is_empty = diagonal <= 1e-9 * (matrix[i * n + i] + 1);
        double root = is_empty ? 0 : sqrt(diagonal);
        matrix[i * n + i] = root;
        for (size_t j = i + 1; j < n; j++) {
            double sum = matrix[j * n + i];
            for (size_t k = 0; k < i; k++)
                sum -= matrix[i * n + k] * matrix[j * n + k];
            matrix[j * n + i] = is_empty ? 0 : sum / root;
        }
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++)
            vector[i] -= matrix[i * n + k] * vector[k];
        vector[i] = matrix[i * n + i] == 0 ? 0 : vector[i] / matrix[i * n + i];
    }
    for (size_t i = n; i-- > 0;) {
        for (size_t k = i + 1; k < n; k++)
            vector[i] -= matrix[k * n + i] * vector[k];
        vector[i] = matrix[i * n + i] == 0 ? 0 : vector[i] / matrix[i * n + i];
    }
}

/* The terms of a person that are 1. */
static size_t terms_of(const Facts *facts, const Fact *fact, bool with_diagnoses,
                       uint16_t *ret_terms)
{
    int band = age_of(facts, fact) / 5;
    size_t count = 0;
    ret_terms[count++] = (uint16_t)((band > 18 ? 18 : band) * 2 + fact->sex);
    if (with_diagnoses)
        for (uint64_t left = fact->active[0]; left != 0; left &= left - 1)
            ret_terms[count++] = (uint16_t)(AGE_CELLS + __builtin_ctzll(left));
    return count;
}

/* R2 of the second year's cost on cells of age and sex, and perhaps diagnoses, by least squares. */
static double explained(const Facts *facts, bool with_diagnoses)
{
    enum { N = TERMS_MAX };
    double *matrix = ARENA_ZARRAY(facts->arena, double, N *N);
    double *vector = ARENA_ZARRAY(facts->arena, double, N);
    uint16_t terms[N];
    double n = 0, sum = 0, squares = 0;
    for (size_t i = 0; i < facts->count; i++) {
        const Fact *fact = &facts->facts[i];
        if (!fact->was_here || fact->death < facts->model->start + YEAR_DAYS)
            continue;
        double cost = health_cost(fact, 1);
        size_t count = terms_of(facts, fact, with_diagnoses, terms);
        n++;
        sum += cost;
        squares += cost * cost;
        for (size_t a = 0; a < count; a++) {
            vector[terms[a]] += cost;
            for (size_t b = 0; b <= a; b++)
                matrix[terms[a] * N + terms[b]] += 1;
        }
    }
    double *weights = arena_copy(facts->arena, vector, N * sizeof *vector);
    solve(matrix, weights, N);
    double explained = -sum * sum / n;
    for (size_t i = 0; i < N; i++)
        explained += weights[i] * vector[i];
    return explained / (squares - sum * sum / n);
}

/* --- rates --- */

typedef double (*CountFn)(const Facts *facts, const Fact *fact);

typedef struct {
    int age_from;
    int age_to;
    uint8_t tenth_from; /* 0: any */
    uint8_t tenth_to;
} Among;

/* The average of a count over persons. */
static double average(const Facts *facts, CountFn count_of, Among among)
{
    double sum = 0;
    double n = 0;
    for (size_t i = 0; i < facts->count; i++) {
        const Fact *fact = &facts->facts[i];
        int age = age_of(facts, fact);
        bool is_among = fact->was_here && age >= among.age_from && age <= among.age_to &&
                        (among.tenth_from == 0 ||
                         (fact->tenth >= among.tenth_from && fact->tenth <= among.tenth_to));
        if (!is_among)
            continue;
        n++;
        sum += count_of(facts, fact);
    }
    return n > 0 ? sum / n : 0;
}

static const Among everyone = {0, 200, 0, 0};

static double count_emergencies(const Facts *facts, const Fact *fact)
{
    (void)facts;
    return fact->contacts[0][SERVICE_EMERGENCY] + fact->contacts[0][CHECK_READMISSION];
}

static double count_admissions(const Facts *facts, const Fact *fact)
{
    return count_emergencies(facts, fact) + fact->contacts[0][SERVICE_ELECTIVE] +
           fact->contacts[0][SERVICE_DAYCASE] + fact->contacts[0][SERVICE_MATERNITY];
}

static double count_ed(const Facts *facts, const Fact *fact)
{
    (void)facts;
    return fact->contacts[0][SERVICE_ED];
}

static double count_consultations(const Facts *facts, const Fact *fact)
{
    (void)facts;
    return fact->contacts[0][SERVICE_GP] + fact->contacts[0][SERVICE_NURSE];
}

static double count_death(const Facts *facts, const Fact *fact)
{
    return fact->death < facts->model->start + YEAR_DAYS;
}

static double has_one(const Facts *facts, const Fact *fact)
{
    (void)facts;
    return fact->active[0] != 0;
}

static double has_two(const Facts *facts, const Fact *fact)
{
    (void)facts;
    return __builtin_popcountll(fact->active[0]) >= 2;
}

static double has_mind_and_body(const Facts *facts, const Fact *fact)
{
    static const Str mental[] = {STR_INIT("depression"),    STR_INIT("anxiety"),
                                 STR_INIT("schizophrenia"), STR_INIT("bipolar"),
                                 STR_INIT("dementia"),      STR_INIT("alcohol"),
                                 STR_INIT("substances"),    STR_INIT("eating-disorder")};
    uint64_t minds = 0;
    for (size_t i = 0; i < COUNT_OF(mental); i++) {
        int at = synth_condition_find(facts->model->profile, mental[i]);
        minds |= at >= 0 ? UINT64_C(1) << at : 0;
    }
    return (fact->active[0] & minds) != 0 && (fact->active[0] & ~minds) != 0;
}

static double part_with(const Facts *facts, Str first, Str second)
{
    int a = synth_condition_find(facts->model->profile, first);
    int b = synth_condition_find(facts->model->profile, second);
    uint64_t wanted = (a >= 0 ? UINT64_C(1) << a : 0) | (b >= 0 ? UINT64_C(1) << b : 0);
    double n = 0;
    double with = 0;
    for (size_t i = 0; i < facts->count; i++)
        if (facts->facts[i].was_here) {
            n++;
            with += (facts->facts[i].active[0] & wanted) != 0;
        }
    return n > 0 ? with / n : 0;
}

static double part_of_emergencies(const Facts *facts, bool of_last_year)
{
    double all = 0;
    double part = 0;
    for (size_t i = 0; i < facts->count; i++) {
        all += facts->facts[i].emergencies;
        part += of_last_year ? facts->facts[i].last_year : facts->facts[i].readmissions;
    }
    return all > 0 ? part / all : 0;
}

static double part_emergency_five(const Facts *facts)
{
    double all = 0;
    double five = 0;
    for (size_t i = 0; i < facts->count; i++) {
        const Fact *fact = &facts->facts[i];
        if (!fact->was_here || count_emergencies(facts, fact) == 0 || age_of(facts, fact) < 18)
            continue;
        all++;
        five += __builtin_popcountll(fact->active[0]) >= 5;
    }
    return all > 0 ? five / all : 0;
}

static double part_dear_two(const Facts *facts)
{
    size_t count;
    const Ranked *ranked = rank_by(facts, 0, false, false, &count);
    double all = 0;
    double two = 0;
    for (size_t i = 0; i < count / 20; i++) {
        const Fact *fact = &facts->facts[ranked[i].fact];
        if (age_of(facts, fact) < 18)
            continue;
        all++;
        two += has_two(facts, fact);
    }
    return all > 0 ? two / all : 0;
}

static double part_smoking(const Facts *facts)
{
    double all = 0;
    double smoke = 0;
    for (size_t i = 0; i < facts->count; i++) {
        const Fact *fact = &facts->facts[i];
        if (!fact->was_here || fact->smoking == 0 || age_of(facts, fact) < 16)
            continue;
        all++;
        smoke += fact->smoking == 2;
    }
    return all > 0 ? smoke / all : 0;
}

static double ratio(const Facts *facts, CountFn count, uint8_t width)
{
    double most = average(facts, count, (Among){0, 200, 1, width});
    double least = average(facts, count, (Among){0, 200, (uint8_t)(11 - width), 10});
    return least > 0 ? most / least : 0;
}

bool metric_find(const Facts *facts, Str name, double *ret_value)
{
#define METRIC(text, value)                                                                        \
    if (str_eq(name, S(text))) {                                                                   \
        *ret_value = (value);                                                                      \
        return true;                                                                               \
    }
#include "synth/metric.def"
#undef METRIC
    return false;
}

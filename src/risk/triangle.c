/* Chain ladder with Mack's errors, Bornhuetter-Ferguson, Cape Cod. */
#include "risk/triangle.h"

#include <math.h>

static double square(double x)
{
    return x * x;
}

static bool has_link(const Triangle *triangle, size_t origin, size_t age)
{
    return triangle->first[origin] <= age && triangle->latest[origin] > age;
}

static bool find_factor(const Triangle *triangle, size_t age, DiagList *diags, Development *link)
{
    double later = 0;
    *link = (Development){.sigma = NAN, .error = NAN};
    for (size_t i = 0; i < triangle->origin_count; i++) {
        if (!has_link(triangle, i, age))
            continue;
        link->base += triangle_cell(triangle, i, age);
        later += triangle_cell(triangle, i, age + 1);
        link->links++;
    }
    if (link->links > 0 && link->base > 0 && later > 0) {
        link->factor = later / link->base;
        return true;
    }
    diag_addf(diags, (Diag){.severity = SEVERITY_ERROR, .rule = S("triangle-development")},
              link->links == 0
                  ? "no origin is known at both of the ages %zu and %zu: they cannot be linked"
                  : "the amounts at ages %zu and %zu do not both sum to more than nothing, so that "
                    "there is no factor between them",
              age + 1, age + 2);
    return false;
}

/* Mack 1993, formula for sigma squared: at least two links, over links - 1. */
static void find_sigma(const Triangle *triangle, size_t age, Development *link)
{
    double sum = 0;
    size_t count = 0;
    for (size_t i = 0; i < triangle->origin_count; i++) {
        double earlier = has_link(triangle, i, age) ? triangle_cell(triangle, i, age) : 0;
        if (earlier <= 0)
            continue;
        sum += earlier * square(triangle_cell(triangle, i, age + 1) / earlier - link->factor);
        count++;
    }
    if (count > 1)
        link->sigma = sqrt(sum / (double)(count - 1));
}

static double mack_sigma(const Development *links, size_t age)
{
    if (age < 2)
        return NAN;
    double before = square(links[age - 1].sigma);
    double before_that = square(links[age - 2].sigma);
    double least = before < before_that ? before : before_that;
    double trend = square(before) / before_that;
    return sqrt(isfinite(trend) && trend < least ? trend : least);
}

/* Least squares of log sigma on age, over the sigmas that were told from links. */
static double log_linear_sigma(const Development *links, size_t count, size_t age)
{
    double n = 0, x = 0, y = 0, xx = 0, xy = 0;
    for (size_t i = 0; i < count; i++) {
        if (links[i].is_sigma_extrapolated || !(links[i].sigma > 0))
            continue;
        double value = log(links[i].sigma);
        n += 1;
        x += (double)i;
        y += value;
        xx += square((double)i);
        xy += (double)i * value;
    }
    double spread = n * xx - x * x;
    if (n < 2 || spread <= 0)
        return NAN;
    double slope = (n * xy - x * y) / spread;
    return exp((y - slope * x) / n + slope * (double)age);
}

static void extrapolate_sigmas(SigmaRule rule, Development *links, size_t count)
{
    for (size_t i = 0; i < count; i++)
        links[i].is_sigma_extrapolated = isnan(links[i].sigma);
    for (size_t i = 0; i < count; i++)
        if (links[i].is_sigma_extrapolated)
            links[i].sigma =
                rule == SIGMA_MACK ? mack_sigma(links, i) : log_linear_sigma(links, count, i);
    for (size_t i = 0; i < count; i++)
        links[i].error = links[i].sigma / sqrt(links[i].base);
}

static Reserve total_of(const Reserve *reserves, size_t count)
{
    Reserve total = {.origin = S("total"), .error = NAN};
    for (size_t i = 0; i < count; i++) {
        total.latest += reserves[i].latest;
        total.ultimate += reserves[i].ultimate;
        total.ibnr += reserves[i].ibnr;
        total.prior += reserves[i].prior; /* NAN where there are none */
    }
    total.completion = total.latest / total.ultimate;
    return total;
}

/* The variance of one origin's ultimate, age by age: what was uncertain so far grows by the factor,
   the step adds its own (process) and the factor's (estimation). Equal to Mack 1993, theorem 3. */
static double origin_variance(const Reserving *reserving, size_t latest, double amount)
{
    double variance = 0;
    for (size_t age = latest; age < reserving->development_count; age++) {
        const Development *link = &reserving->development[age];
        variance = variance * square(link->factor) + fabs(amount) * square(link->sigma) +
                   square(amount * link->error);
        amount *= link->factor;
    }
    return variance * square(reserving->tail);
}

/* What two origins share through the factors that both still need, as part of the product of their
   ultimates (the corollary to theorem 3). */
static double shared_variance(const Reserving *reserving, size_t from)
{
    double sum = 0;
    for (size_t age = from; age < reserving->development_count; age++) {
        const Development *link = &reserving->development[age];
        sum += square(link->error / link->factor);
    }
    return sum;
}

static void find_errors(const Triangle *triangle, Reserving *reserving)
{
    double total = 0;
    for (size_t i = 0; i < triangle->origin_count; i++) {
        Reserve *each = &reserving->reserves[i];
        double variance = origin_variance(reserving, triangle->latest[i], each->latest);
        each->error = sqrt(variance);
        total += variance;
        for (size_t j = 0; j < i; j++) {
            size_t from = triangle->latest[i] > triangle->latest[j] ? triangle->latest[i]
                                                                    : triangle->latest[j];
            total += 2 * each->ultimate * reserving->reserves[j].ultimate *
                     shared_variance(reserving, from);
        }
    }
    reserving->total.error = sqrt(total);
}

bool triangle_chain_ladder(Arena *arena, const Triangle *triangle,
                           const ChainLadderOptions *options, DiagList *diags,
                           Reserving *ret_reserving)
{
    size_t link_count = triangle->age_count - 1;
    Reserving result = {.development = ARENA_ARRAY(arena, Development, link_count),
                        .development_count = link_count,
                        .tail = options->tail > 0 ? options->tail : 1,
                        .reserves = ARENA_ARRAY(arena, Reserve, triangle->origin_count),
                        .reserve_count = triangle->origin_count};
    bool is_ok = true;
    for (size_t age = 0; age < link_count; age++) {
        is_ok = find_factor(triangle, age, diags, &result.development[age]) && is_ok;
        find_sigma(triangle, age, &result.development[age]);
    }
    if (!is_ok)
        return false;
    extrapolate_sigmas(options->sigma_rule, result.development, link_count);
    double *to_ultimate = ARENA_ARRAY(arena, double, triangle->age_count);
    to_ultimate[link_count] = result.tail;
    for (size_t age = link_count; age-- > 0;) {
        to_ultimate[age] = to_ultimate[age + 1] * result.development[age].factor;
        result.development[age].completion = 1 / to_ultimate[age];
    }
    for (size_t i = 0; i < triangle->origin_count; i++) {
        double latest = triangle_cell(triangle, i, triangle->latest[i]);
        double factor = to_ultimate[triangle->latest[i]];
        result.reserves[i] = (Reserve){.origin = triangle->origins[i],
                                       .latest = latest,
                                       .completion = 1 / factor,
                                       .ultimate = latest * factor,
                                       .ibnr = latest * factor - latest,
                                       .prior = NAN};
    }
    result.total = total_of(result.reserves, result.reserve_count);
    find_errors(triangle, &result);
    *ret_reserving = result;
    return true;
}

void triangle_bornhuetter_ferguson(Arena *arena, const Reserving *chain, const double *priors,
                                   Reserving *ret_reserving)
{
    *ret_reserving = *chain;
    ret_reserving->reserves = ARENA_ARRAY(arena, Reserve, chain->reserve_count);
    for (size_t i = 0; i < chain->reserve_count; i++) {
        Reserve each = chain->reserves[i];
        each.prior = priors[i];
        each.ibnr = priors[i] * (1 - each.completion);
        each.ultimate = each.latest + each.ibnr;
        each.error = NAN;
        ret_reserving->reserves[i] = each;
    }
    ret_reserving->total = total_of(ret_reserving->reserves, ret_reserving->reserve_count);
}

bool triangle_cape_cod(Arena *arena, const Reserving *chain, const double *exposures, double decay,
                       DiagList *diags, Reserving *ret_reserving)
{
    double *priors = ARENA_ARRAY(arena, double, chain->reserve_count);
    for (size_t i = 0; i < chain->reserve_count; i++) {
        double paid = 0;
        double used = 0;
        for (size_t j = 0; j < chain->reserve_count; j++) {
            double weight = pow(decay, i > j ? (double)(i - j) : (double)(j - i));
            paid += weight * chain->reserves[j].latest;
            used += weight * exposures[j] * chain->reserves[j].completion;
        }
        if (!(used > 0)) {
            diag_addf(
                diags, (Diag){.severity = SEVERITY_ERROR, .rule = S("triangle-exposure")},
                "the exposures around origin %.*s sum to nothing: there is no ratio to expect",
                STR_ARG(chain->reserves[i].origin));
            return false;
        }
        priors[i] = exposures[i] * paid / used;
    }
    triangle_bornhuetter_ferguson(arena, chain, priors, ret_reserving);
    return true;
}

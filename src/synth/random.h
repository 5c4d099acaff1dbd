/*
 * random -- numbers by counter: the n-th number of a stream depends on seed, person and stream
 * alone.
 *
 * SplitMix64 (Steele, Lea, Flood 2014, public domain) begun at a place that is a hash of the three.
 */
#pragma once

#include <math.h>

#include "base/base.h"

typedef struct {
    uint64_t state;
} Random;

static inline uint64_t random_mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static inline Random random_stream(uint64_t seed, uint64_t person, uint64_t stream)
{
    uint64_t state = random_mix(seed + UINT64_C(0x9E3779B97F4A7C15));
    state = random_mix(state ^ (person * UINT64_C(0xD1342543DE82EF95)));
    return (Random){.state = random_mix(state + stream * UINT64_C(0x9E3779B97F4A7C15))};
}

static inline uint64_t random_bits(Random *random)
{
    random->state += UINT64_C(0x9E3779B97F4A7C15);
    return random_mix(random->state);
}

/* Above 0, below 1. */
static inline double random_uniform(Random *random)
{
    return ((double)(random_bits(random) >> 11) + 0.5) * 0x1p-53;
}

/* 0 .. limit - 1. */
static inline uint32_t random_below(Random *random, uint32_t limit)
{
    return (uint32_t)(((random_bits(random) >> 32) * limit) >> 32);
}

static inline bool random_chance(Random *random, double part)
{
    return random_uniform(random) < part;
}

/* The standard normal distribution, and its inverse. */
static inline double normal_below(double x)
{
    return 0.5 * erfc(-x * 0.70710678118654752440);
}
double normal_quantile(double part);

static inline double random_normal(Random *random)
{
    return normal_quantile(random_uniform(random));
}

/* A factor of mean 1 whose logarithm has this standard deviation. */
static inline double random_factor(Random *random, double sigma)
{
    return sigma == 0 ? 1 : exp(sigma * random_normal(random) - 0.5 * sigma * sigma);
}

/* Counts with this mean; at most 500. */
uint32_t random_poisson(Random *random, double mean);

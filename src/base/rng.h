/* rng.h — A small seeded generator (SplitMix64, Steele et al. 2014). Not for secrets. */
#pragma once
#include <stdint.h>

struct bt_rng {
    uint64_t state; /* Any value is a good seed. */
};

static inline uint64_t bt_rng_next(struct bt_rng *rng)
{
    uint64_t z = (rng->state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* A number in [0, bound), bound > 0. */
static inline uint64_t bt_rng_below(struct bt_rng *rng, uint64_t bound)
{
    return (uint64_t)(((unsigned __int128)bt_rng_next(rng) * bound) >> 64);
}

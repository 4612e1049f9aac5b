/* sim.c — Seeds: each a storm of faults, then quiet, then the checks. Every 20th runs twice and
 * must leave the same trace. Usage: sim --seeds N [--from K] | --seed K [--verbose] */
#include "sim.h"

#include <stdio.h>
#include <string.h>

enum { STORM_STEPS = 600, QUIET_STEPS_MAX = 2000000, EXECS_MAX = 24 };

static const char *const fault_names[FAULT_COUNT] = {
    "crash",      "commit fails", "commit unknown", "result twice", "result late",
    "clock jump", "kill",         "restart",        "replay",       "hold"};

static void jump_clock(struct world *world)
{
    world->faults[FAULT_CLOCK_JUMP]++;
    int64_t by_us = (int64_t)bt_rng_below(&world->rng, 20000000) - 5000000;
    world->wall_us += by_us;
    world_note(world, "clock jumps %.3f s", (double)by_us / 1e6);
}

static void kill_one(struct world *world)
{
    if (world->execs.count == 0)
        return;
    const struct seen_exec *exec =
        &world->execs.items[bt_rng_below(&world->rng, world->execs.count)];
    if (exec->is_drained)
        return;
    world->faults[FAULT_KILL]++;
    world_note(world, "kill exec %llu", (unsigned long long)exec->key);
    (void)bt_runner_kill(world->runner, exec->key, NULL);
}

/* One that has ended: again from what failed, or anew from some task run. */
static void go_on(struct world *world)
{
    if (world->execs.count == 0)
        return;
    struct seen_exec *exec = &world->execs.items[bt_rng_below(&world->rng, world->execs.count)];
    if (!exec->is_drained) {
        world->faults[FAULT_HOLD]++;
        enum bt_event_kind kind = bt_rng_below(&world->rng, 2) ? BT_EVENT_HOLD : BT_EVENT_RESUME;
        world_note(world, "%s exec %llu", kind == BT_EVENT_HOLD ? "hold" : "release",
                   (unsigned long long)exec->key);
        (void)bt_runner_event(world->runner, exec->key, (struct bt_event){.kind = kind}, NULL);
    } else if (bt_rng_below(&world->rng, 2)) {
        world->faults[FAULT_RESTART]++;
        world_note(world, "restart exec %llu", (unsigned long long)exec->key);
        (void)bt_runner_restart(world->runner, exec->key, NULL);
    } else if (exec->runs.count) {
        world->faults[FAULT_REPLAY]++;
        struct bt_replay replay = {.source = exec->key,
                                   .n = (uint32_t)bt_rng_below(&world->rng, exec->runs.count)};
        world_note(world, "replay exec %llu from run %u", (unsigned long long)exec->key, replay.n);
        (void)bt_runner_replay(world->runner, &replay, NULL);
    }
}

static void storm_step(struct world *world, size_t *created)
{
    int64_t wake_us;
    uint64_t dice = bt_rng_below(&world->rng, 100);
    if (dice < 40) {
        (void)world_turn(world, &wake_us);
    } else if (dice < 65 && world->jobs.count) {
        world_finish_job(world, bt_rng_below(&world->rng, world->jobs.count), dice == 40);
    } else if (dice < 72 && *created < EXECS_MAX) {
        world_create(world, bt_rng_below(&world->rng, world->flows.count));
        (*created)++;
    } else if (dice < 90) {
        int64_t by_us = (int64_t)bt_rng_below(&world->rng, 3000000);
        world->wall_us += by_us;
        world->mono_us += by_us;
    } else if (dice < 92) {
        world_crash(world);
    } else if (dice < 94) {
        world->next_commit_fault =
            bt_rng_below(&world->rng, 2) ? FAULT_COMMIT_FAILS : FAULT_COMMIT_UNKNOWN;
    } else if (dice < 96 && world->ghosts.count) {
        world_finish_ghost(world, bt_rng_below(&world->rng, world->ghosts.count));
    } else if (dice < 98) {
        jump_clock(world);
    } else if (dice < 99) {
        kill_one(world);
    } else {
        go_on(world);
    }
}

void world_quiet(struct world *world)
{
    int64_t wake_us = 0;
    world->next_commit_fault = FAULT_COUNT;
    world_note(world, "quiet");
    for (size_t i = 0; i < world->execs.count; i++)
        (void)bt_runner_event(world->runner, world->execs.items[i].key,
                              (struct bt_event){.kind = BT_EVENT_RESUME}, NULL);
    for (size_t step = 0; step < QUIET_STEPS_MAX; step++) {
        if (world_turn(world, &wake_us))
            continue;
        if (world->jobs.count) {
            world_finish_job(world, bt_rng_below(&world->rng, world->jobs.count), false);
            continue;
        }
        if (wake_us == INT64_MAX)
            return;
        if (wake_us > world->wall_us) {
            world->mono_us += wake_us - world->wall_us;
            world->wall_us = wake_us;
        }
    }
    world_fail(world, "it does not come to rest");
}

/* The flow once, alone, without faults; results are cached per world by the caller's seed. */
enum bt_state check_reference(const struct world *world, size_t flow)
{
    static uint64_t seed;
    static enum bt_state states[16];
    static bool known[16];
    if (seed != world->seed) {
        memset(known, 0, sizeof known);
        seed = world->seed;
    }
    if (known[flow])
        return states[flow];
    struct world alone;
    world_init(&alone, world->seed, false);
    world_create(&alone, flow);
    world_quiet(&alone);
    for (size_t i = 0; i < alone.execs.count; i++)
        if (alone.execs.items[i].key == 1)
            states[flow] = alone.execs.items[i].state;
    known[flow] = true;
    world_done(&alone);
    return states[flow];
}

struct totals {
    size_t faults[FAULT_COUNT], seeds_with[FAULT_COUNT];
    size_t commits, events, execs;
};

static uint64_t run_seed(uint64_t seed, bool is_verbose, struct totals *totals)
{
    struct world world;
    size_t created = 0;
    world_init(&world, seed, is_verbose);
    for (int step = 0; step < STORM_STEPS; step++)
        storm_step(&world, &created);
    world_quiet(&world);
    check_end(&world);
    world_drop(&world);
    for (int i = 0; i < FAULT_COUNT; i++) {
        totals->faults[i] += world.faults[i];
        totals->seeds_with[i] += world.faults[i] > 0;
    }
    totals->commits += world.commits;
    totals->events += world.events;
    totals->execs += world.execs.count;
    uint64_t trace = world.trace;
    world_done(&world);
    return trace;
}

int main(int argc, char **argv)
{
    uint64_t seeds = 100, from = 1;
    bool is_verbose = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0)
            is_verbose = true;
        else if (i + 1 < argc && strcmp(argv[i], "--seeds") == 0)
            seeds = strtoull(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--from") == 0)
            from = strtoull(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0)
            from = strtoull(argv[++i], NULL, 10), seeds = 1;
    }
    struct totals totals = {0};
    for (uint64_t seed = from; seed < from + seeds; seed++) {
        uint64_t trace = run_seed(seed, is_verbose, &totals);
        struct totals again = {0};
        if (seed % 20 == 0 && run_seed(seed, false, &again) != trace) {
            (void)printf("VIOLATION: seed %llu is not repeatable\n", (unsigned long long)seed);
            return 1;
        }
    }
    (void)printf("%llu seeds, %zu executions, %zu commits, %zu committed changes\n",
                 (unsigned long long)seeds, totals.execs, totals.commits, totals.events);
    for (int i = 0; i < FAULT_COUNT; i++)
        (void)printf("  %-16s %6zu in %zu seeds\n", fault_names[i], totals.faults[i],
                     totals.seeds_with[i]);
    (void)printf("%llu passed, 0 failed\n", (unsigned long long)seeds);
    return 0;
}

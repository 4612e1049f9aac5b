/* drops.c — After the end: executions are removed, among faults, until nothing is left of them. */
#include "sim.h"

/* A failed commit refuses what it was asked for: half of it may stay. */
static void drop_some(struct world *world)
{
    int64_t wake_us;
    for (size_t i = 0; i < world->execs.count; i++) {
        if (bt_rng_below(&world->rng, 3) == 0)
            (void)bt_runner_drop_logs(world->runner, world->execs.items[i].key, NULL);
        if (bt_rng_below(&world->rng, 2))
            (void)bt_runner_drop(world->runner, world->execs.items[i].key, NULL);
        uint64_t dice = bt_rng_below(&world->rng, 8);
        if (dice == 0)
            world->next_commit_fault = FAULT_COMMIT_FAILS;
        else if (dice == 1)
            world->next_commit_fault = FAULT_COMMIT_UNKNOWN;
        else if (dice == 2)
            world_crash(world);
        if (dice < 6)
            (void)world_turn(world, &wake_us);
    }
    world_quiet(world);
}

void world_drop(struct world *world)
{
    static const char *const orphans[] = {
        "SELECT count(*) FROM task_runs WHERE exec NOT IN (SELECT key FROM executions)",
        "SELECT count(*) FROM log_chunks WHERE exec NOT IN (SELECT key FROM executions)",
        "SELECT count(*) FROM labels WHERE exec NOT IN (SELECT key FROM executions)"};
    static const char *const tables[] = {
        "SELECT count(*) FROM executions", "SELECT count(*) FROM task_runs",
        "SELECT count(*) FROM log_chunks", "SELECT count(*) FROM rollups",
        "SELECT count(*) FROM metrics",    "SELECT count(*) FROM log_lines"};
    drop_some(world);
    check_counters(world);
    for (size_t i = 0; i < BT_COUNT(orphans); i++)
        if (count_rows(world, orphans[i]))
            world_fail(world, "rows of a removed execution: %s", orphans[i]);
    for (size_t i = 0; i < world->execs.count; i++)
        (void)bt_runner_drop(world->runner, world->execs.items[i].key, NULL);
    world_quiet(world);
    for (size_t i = 0; i < BT_COUNT(tables); i++)
        if (count_rows(world, tables[i]))
            world_fail(world, "not empty after all was removed: %s", tables[i]);
}

/* logs.c — What the simulated workers write, and whether the rows of chunks say what is in them. */
#include "sim.h"

#include "store/sqlite/lines.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

void world_logs_open(struct world *world)
{
    struct bt_err err = BT_ERR_INIT;
    (void)snprintf(world->logs_dir, sizeof world->logs_dir, "/tmp/baton-sim-XXXXXX");
    if (!mkdtemp(world->logs_dir) || bt_logs_open(world->logs_dir, false, &world->logs, &err) < 0)
        world_fail(world, "logs: %s", err.msg);
}

void world_logs_close(struct world *world)
{
    DIR *dir = opendir(world->logs_dir);
    world->logs = bt_logs_close(world->logs);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        (void)unlinkat(dirfd(dir), entry->d_name, 0); /* Not the directory itself. */
    if (dir)
        (void)closedir(dir);
    (void)rmdir(world->logs_dir);
}

/* Some lines, of other hours too: clocks of workers differ. */
void world_log(struct world *world, const struct bt_job *job)
{
    struct bt_log_line lines[6];
    size_t count = job->taskrun % BT_COUNT(lines);
    for (size_t i = 0; i < count; i++)
        lines[i] = (struct bt_log_line){
            .time_us = world->wall_us + (int64_t)(i * job->attempt) * INT64_C(3600000000),
            .level = (enum bt_level)((i + job->taskrun) % BT_LEVEL_COUNT),
            .text = BT_STR("a line"),
        };
    if (count)
        bt_runner_logs(world->runner, job, lines, count);
}

static int count_line(void *data, const struct bt_log_entry *entry)
{
    return bt_log_chunk_count(data, entry) ? BT_OK : BT_CORRUPT;
}

static void check_chunk(struct world *world, sqlite3_stmt *row)
{
    struct bt_log_chunk told, counted = {.from_us = sqlite3_column_int64(row, 0),
                                         .segment = (uint32_t)sqlite3_column_int64(row, 1),
                                         .offset = (uint64_t)sqlite3_column_int64(row, 2),
                                         .length = (uint32_t)sqlite3_column_int64(row, 3)};
    struct bt_err err = BT_ERR_INIT;
    if (bt_lines_parse(bt_db_text(row, 4), &told, &err) < 0 ||
        bt_logs_read(world->logs, &counted, count_line, &counted, &err) < 0)
        world_fail(world, "a log chunk: %s", err.msg);
    bool is_same = told.hour_count == counted.hour_count;
    for (uint32_t i = 0; is_same && i < told.hour_count; i++)
        is_same =
            told.hours[i].hour == counted.hours[i].hour &&
            memcmp(told.hours[i].counts, counted.hours[i].counts, sizeof told.hours[i].counts) == 0;
    if (!is_same)
        world_fail(world, "a log chunk has other lines than its row says");
}

void check_chunks(struct world *world)
{
    static const char sql[] = "SELECT from_us,segment,offset,length,counts FROM log_chunks";
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(world->db.handle, sql, -1, &statement, NULL) != SQLITE_OK)
        world_fail(world, "cannot read log chunks");
    while (sqlite3_step(statement) == SQLITE_ROW)
        check_chunk(world, statement);
    (void)sqlite3_finalize(statement);
}

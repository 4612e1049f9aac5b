/* metrics.c — What metrics a flow has, and their sums by hour, from the counters. */
#include "base/own.h"
#include "base/vec.h"
#include "store/sqlite/read_int.h"
#include "store/sqlite/rollups.h"

#include <stdlib.h>

static const char sql_flow[] = "SELECT key FROM flows WHERE tenant=?1 AND namespace=?2 AND id=?3";
/* One seek each, however many hours there are: comparisons of pairs would pass over all of them. */
static const char sql_next_name[] =
    "SELECT name FROM metrics WHERE flow=?1 AND task=?2 AND name>?3 ORDER BY name LIMIT 1";
static const char sql_next_task[] =
    "SELECT task FROM metrics WHERE flow=?1 AND task>?2 ORDER BY task LIMIT 1";
static const char sql_sums[] =
    "SELECT hour,count,whole,nanos,least,greatest FROM metrics"
    " WHERE flow=?1 AND task=?2 AND name=?3 AND hour>=?4 AND hour<=?5 ORDER BY hour";

struct name {
    char *task, *name; /* Owned. */
};

struct reading {
    struct bt_db *db;
    const struct bt_metric_of *of;
    int64_t flow; /* 0: there is none. */
    BT_VEC(struct name) names;
    BT_VEC(struct bt_metric_sum) sums;
};

static int find_flow(struct reading *reading, struct bt_err *err)
{
    sqlite3_stmt *statement;
    bool is_row;
    BT_TRY(bt_db_prepare(reading->db, sql_flow, &statement, err));
    bt_db_bind(statement, 1, bt_str_of(reading->of->tenant));
    bt_db_bind(statement, 2, reading->of->namespace);
    bt_db_bind(statement, 3, reading->of->flow_id);
    BT_TRY(bt_db_step(reading->db, statement, &is_row, err));
    reading->flow = is_row ? sqlite3_column_int64(statement, 0) : 0;
    (void)sqlite3_reset(statement); /* Done with. */
    return BT_OK;
}

static char *copy(struct bt_str text)
{
    char *made = bt_str_dup(text);
    if (!made)
        bt_die("out of memory");
    return made;
}

/* The names of one task. */
static int read_names_of(struct reading *reading, struct bt_str task, struct bt_err *err)
{
    sqlite3_stmt *statement;
    struct bt_str last = BT_STR_NONE;
    bool is_row = true;
    while (is_row) {
        BT_TRY(bt_db_prepare(reading->db, sql_next_name, &statement, err));
        (void)sqlite3_bind_int64(statement, 1, reading->flow);
        bt_db_bind(statement, 2, task);
        bt_db_bind(statement, 3, last);
        BT_TRY(bt_db_step(reading->db, statement, &is_row, err));
        if (is_row) {
            struct name name = {copy(task), copy(bt_db_text(statement, 0))};
            bt_vec_push(&reading->names, name);
            last = bt_str_of(name.name);
        }
        (void)sqlite3_reset(statement); /* Done with. */
    }
    return BT_OK;
}

static int read_sums_of(struct reading *reading, struct bt_str task, struct bt_err *err)
{
    const struct bt_metric_of *of = reading->of;
    sqlite3_stmt *statement;
    bool is_row;
    BT_TRY(bt_db_prepare(reading->db, sql_sums, &statement, err));
    (void)sqlite3_bind_int64(statement, 1, reading->flow);
    bt_db_bind(statement, 2, task);
    bt_db_bind(statement, 3, of->name);
    (void)sqlite3_bind_int64(statement, 4, of->from_us / BT_HOUR_US);
    (void)sqlite3_bind_int64(statement, 5, of->to_us / BT_HOUR_US);
    BT_TRY(bt_db_step(reading->db, statement, &is_row, err));
    while (is_row) {
        struct bt_metric_sum sum = {
            .from_us = sqlite3_column_int64(statement, 0) * BT_HOUR_US,
            .count = sqlite3_column_int64(statement, 1),
            .sum = sqlite3_column_double(statement, 2) + sqlite3_column_double(statement, 3) / 1e9,
            .least = sqlite3_column_double(statement, 4),
            .greatest = sqlite3_column_double(statement, 5),
        };
        bt_vec_push(&reading->sums, sum);
        BT_TRY(bt_db_step(reading->db, statement, &is_row, err));
    }
    return BT_OK;
}

static int next_task(struct reading *reading, char **task, struct bt_err *err)
{
    sqlite3_stmt *statement;
    bool is_row;
    BT_TRY(bt_db_prepare(reading->db, sql_next_task, &statement, err));
    (void)sqlite3_bind_int64(statement, 1, reading->flow);
    bt_db_bind(statement, 2, *task ? bt_str_of(*task) : BT_STR_NONE);
    BT_TRY(bt_db_step(reading->db, statement, &is_row, err));
    char *found = is_row ? copy(bt_db_text(statement, 0)) : NULL;
    (void)sqlite3_reset(statement); /* Done with. */
    free(*task);
    *task = found;
    return BT_OK;
}

typedef int read_one(struct reading *reading, struct bt_str task, struct bt_err *err);

/* The task that was asked for, or each. */
static int read_tasks(struct reading *reading, read_one *read, struct bt_err *err)
{
    char *task = NULL;
    if (!reading->flow)
        return BT_OK;
    if (reading->of->task_id.len)
        return read(reading, reading->of->task_id, err);
    int rc = next_task(reading, &task, err);
    while (rc == BT_OK && task) {
        rc = read(reading, bt_str_of(task), err);
        if (rc == BT_OK)
            rc = next_task(reading, &task, err);
    }
    free(task);
    return rc;
}

static int read_all(struct bt_store *store, struct reading *reading, read_one *read,
                    struct bt_err *err)
{
    struct sqlite_store *self = (struct sqlite_store *)store;
    struct reader *reader;
    BT_TRY(store_take(self, &reader, err));
    reading->db = &reader->db;
    int rc = bt_db_exec(&reader->db, "BEGIN", err);
    if (rc == BT_OK)
        rc = find_flow(reading, err);
    if (rc == BT_OK)
        rc = read_tasks(reading, read, err);
    bt_db_rollback(&reader->db);
    store_give(self, reader);
    return rc;
}

int read_metric_names(struct bt_store *store, const struct bt_metric_of *of,
                      const struct bt_metric_name_sink *sink, struct bt_err *err)
{
    struct reading reading = {.of = of};
    int rc = read_all(store, &reading, read_names_of, err);
    for (size_t i = 0; i < reading.names.count; i++) {
        const struct name *name = &reading.names.items[i];
        if (rc == BT_OK)
            rc = sink->each(sink->data, name->task, name->name);
        free(name->task);
        free(name->name);
    }
    bt_vec_done(&reading.names);
    return rc;
}

int read_metric_sums(struct bt_store *store, const struct bt_metric_of *of,
                     const struct bt_metric_sink *sink, struct bt_err *err)
{
    struct reading reading = {.of = of};
    int rc = read_all(store, &reading, read_sums_of, err);
    for (size_t i = 0; rc == BT_OK && i < reading.sums.count; i++)
        rc = sink->each(sink->data, &reading.sums.items[i]);
    bt_vec_done(&reading.sums);
    return rc;
}

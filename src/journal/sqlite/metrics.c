/* metrics.c — Counters of metrics by flow, task, name and hour: added up in memory, then written
 * within the batch's transaction. */
#include "journal/sqlite/sqlite_int.h"

#include "base/vec.h"
#include "store/sqlite/rollups.h"

static const char sql_add[] =
    "INSERT INTO metrics(flow,task,name,hour,count,whole,nanos,least,greatest)"
    " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9) ON CONFLICT(flow,task,name,hour) DO UPDATE SET"
    " count=count+?5,whole=whole+?6,nanos=nanos+?7,least=min(least,?8),greatest=max(greatest,?9)";
static const char sql_drop[] =
    "DELETE FROM metrics WHERE flow=?1 AND task=?2 AND name=?3 AND hour=?4 AND count=0";

/* What a row is found by. */
struct metric_key {
    int64_t flow, hour;
    struct bt_str task, name;
};

struct metric {
    struct metric *next; /* With the same hash. */
    struct metric_key key;
    int64_t count, whole, nanos;
    double least, greatest; /* Of what comes and of what goes: bounds may be too wide. */
    char text[];            /* Task and name. */
};

static uint64_t hash_of(const struct metric_key *key)
{
    uint64_t hash = bt_str_hash(key->task, (uint64_t)key->flow);
    return bt_str_hash(key->name, hash ^ (uint64_t)key->hour);
}

static bool is_same(const struct metric_key *a, const struct metric_key *b)
{
    return a->flow == b->flow && a->hour == b->hour && bt_str_eq(a->task, b->task) &&
           bt_str_eq(a->name, b->name);
}

static struct metric *metric_of(struct sqlite_journal *self, const struct metric_key *key,
                                double value)
{
    uint64_t hash = hash_of(key);
    struct metric *first = bt_map64_get(&self->metrics, hash);
    for (struct metric *metric = first; metric; metric = metric->next)
        if (is_same(&metric->key, key))
            return metric;
    struct metric *metric = calloc(1, sizeof *metric + key->task.len + key->name.len + 1);
    if (!metric)
        bt_die("out of memory");
    if (key->task.len)
        memcpy(metric->text, key->task.at, key->task.len);
    if (key->name.len)
        memcpy(metric->text + key->task.len, key->name.at, key->name.len);
    metric->next = first;
    metric->key = *key;
    metric->key.task.at = metric->text;
    metric->key.name.at = metric->text + key->task.len;
    metric->least = metric->greatest = value;
    bt_map64_put(&self->metrics, hash, metric);
    return metric;
}

/* A thousand of the greatest values, and it stays where it is. */
static void add_whole(struct metric *metric, int64_t whole)
{
    if (__builtin_add_overflow(metric->whole, whole, &metric->whole))
        metric->whole = whole > 0 ? INT64_MAX : INT64_MIN;
}

void metric_run(struct sqlite_journal *self, const struct metric_run *of, int sign)
{
    const struct bt_histories *histories = &of->run->histories;
    if (!of->run->metrics || !histories->count || !bt_state_is_ended(of->run->state))
        return;
    int64_t end_us = bt_histories_at(histories, histories->count - 1)->at_us;
    struct metric_key key = {of->flow, end_us / BT_HOUR_US, of->task_id, BT_STR_NONE};
    for (size_t i = 0; i < bt_value_count(of->run->metrics); i++) {
        const struct bt_value *item = bt_list_at(of->run->metrics, i);
        struct bt_metric_parts parts =
            bt_metric_parts(bt_value_as_double(bt_map_gets(item, "value")));
        key.name = bt_map_str(item, "name");
        struct metric *metric = metric_of(self, &key, parts.value);
        metric->count += sign;
        add_whole(metric, sign * parts.whole);
        metric->nanos += sign * parts.nanos;
        if (parts.value < metric->least)
            metric->least = parts.value;
        if (parts.value > metric->greatest)
            metric->greatest = parts.value;
    }
}

static int bind_metric(struct sqlite_journal *self, const char *sql, const struct metric *metric,
                       sqlite3_stmt **ret_statement, struct bt_err *err)
{
    BT_TRY(bt_db_prepare(self->db, sql, ret_statement, err));
    (void)sqlite3_bind_int64(*ret_statement, 1, metric->key.flow);
    bt_db_bind(*ret_statement, 2, metric->key.task);
    bt_db_bind(*ret_statement, 3, metric->key.name);
    (void)sqlite3_bind_int64(*ret_statement, 4, metric->key.hour);
    return BT_OK;
}

static int write_metric(struct sqlite_journal *self, const struct metric *metric,
                        struct bt_err *err)
{
    sqlite3_stmt *statement;
    BT_TRY(bind_metric(self, sql_add, metric, &statement, err));
    (void)sqlite3_bind_int64(statement, 5, metric->count);
    (void)sqlite3_bind_int64(statement, 6, metric->whole);
    (void)sqlite3_bind_int64(statement, 7, metric->nanos);
    (void)sqlite3_bind_double(statement, 8, metric->least);
    (void)sqlite3_bind_double(statement, 9, metric->greatest);
    BT_TRY(bt_db_run(self->db, statement, err));
    if (metric->count > 0)
        return BT_OK;
    BT_TRY(bind_metric(self, sql_drop, metric, &statement, err));
    return bt_db_run(self->db, statement, err);
}

int metric_write(struct sqlite_journal *self, struct bt_err *err)
{
    for (size_t i = 0; i < self->metrics.cap; i++)
        for (const struct metric *metric = self->metrics.slots[i].value; metric;
             metric = metric->next)
            BT_TRY(write_metric(self, metric, err));
    return BT_OK;
}

void metric_clear(struct sqlite_journal *self)
{
    for (size_t i = 0; i < self->metrics.cap; i++) {
        struct metric *metric = self->metrics.slots[i].value;
        while (metric) {
            struct metric *next = metric->next;
            free(metric);
            metric = next;
        }
    }
    bt_map64_clear(&self->metrics);
}

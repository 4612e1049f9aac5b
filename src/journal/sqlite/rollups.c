/* rollups.c — Counters of executions and task runs: changes are added up in memory, then written
 * within the batch's transaction, so that they move exactly once with the rows that they count. */
#include "journal/sqlite/sqlite_int.h"

#include "base/vec.h"
#include "store/sqlite/rollups.h"

#include <assert.h>

static const char sql_roll[] =
    "INSERT INTO rollups(kind,period,flow,state,count,sum_us,min_us,max_us)"
    " VALUES(?1,?2,?3,?4,?5,?6,?7,?8) ON CONFLICT(kind,period,flow,state) DO UPDATE SET"
    " count=count+?5,sum_us=sum_us+?6,min_us=min(ifnull(min_us,?7),ifnull(?7,min_us)),"
    "max_us=max(ifnull(max_us,?8),ifnull(?8,max_us))";
/* Most states are passed through: their empty counters would soon outnumber the others. */
static const char sql_drop[] =
    "DELETE FROM rollups WHERE kind=?1 AND period=?2 AND flow=?3 AND state=?4 AND count=0";

struct roll {
    int64_t period, flow, count, sum_us, min_us, max_us;
    enum bt_roll_kind kind;
    enum bt_state state;
    bool has_duration;
};

static void add_to(struct sqlite_journal *self, enum bt_roll_kind kind, int64_t period,
                   const struct roll_row *row, int sign)
{
    /* Exact: 2 bits of kind, 4 of state, 34 of the flow, 24 of the period (hours: until 3883). */
    uint64_t key = (uint64_t)kind << 62 | ((uint64_t)period & 0xFFFFFF) << 38 |
                   ((uint64_t)row->flow & 0x3FFFFFFFF) << 4 | (uint64_t)row->state;
    struct roll *roll = bt_map64_get(&self->rolls, key);
    if (!roll) {
        roll = calloc(1, sizeof *roll);
        if (!roll)
            bt_die("out of memory");
        roll->kind = kind;
        roll->period = period;
        roll->flow = row->flow;
        roll->state = row->state;
        bt_map64_put(&self->rolls, key, roll);
    }
    roll->count += sign;
    if (row->duration_us < 0)
        return;
    roll->sum_us += sign * row->duration_us;
    if (!roll->has_duration || row->duration_us < roll->min_us)
        roll->min_us = row->duration_us;
    if (!roll->has_duration || row->duration_us > roll->max_us)
        roll->max_us = row->duration_us;
    roll->has_duration = true;
}

static void add(struct sqlite_journal *self, enum bt_roll_kind kind, int64_t period,
                const struct roll_row *row, int sign)
{
    struct roll_row all = *row;
    all.flow = BT_ROLL_ALL_FLOWS;
    add_to(self, kind, period, row, sign);
    add_to(self, kind, period, &all, sign);
}

void roll_exec(struct sqlite_journal *self, const struct roll_row *row, int sign)
{
    add(self, BT_ROLL_ALL, 0, row, sign);
    add(self, BT_ROLL_HOUR, row->start_us / BT_HOUR_US, row, sign);
    add(self, BT_ROLL_DAY, row->start_us / BT_DAY_US, row, sign);
}

void roll_run(struct sqlite_journal *self, const struct roll_row *row, int sign)
{
    add(self, BT_ROLL_RUN_DAY, row->start_us / BT_DAY_US, row, sign);
}

static int bind_roll(struct sqlite_journal *self, const char *sql, const struct roll *roll,
                     sqlite3_stmt **ret_statement, struct bt_err *err)
{
    BT_TRY(bt_db_prepare(self->db, sql, ret_statement, err));
    (void)sqlite3_bind_int64(*ret_statement, 1, roll->kind);
    (void)sqlite3_bind_int64(*ret_statement, 2, roll->period);
    (void)sqlite3_bind_int64(*ret_statement, 3, roll->flow);
    bt_db_bind(*ret_statement, 4, bt_str_of(bt_state_name(roll->state)));
    return BT_OK;
}

static int write_roll(struct sqlite_journal *self, const struct roll *roll, struct bt_err *err)
{
    sqlite3_stmt *statement;
    if (roll->count == 0 && roll->sum_us == 0)
        return BT_OK;
    BT_TRY(bind_roll(self, sql_roll, roll, &statement, err));
    (void)sqlite3_bind_int64(statement, 5, roll->count);
    (void)sqlite3_bind_int64(statement, 6, roll->sum_us);
    if (roll->has_duration) {
        (void)sqlite3_bind_int64(statement, 7, roll->min_us);
        (void)sqlite3_bind_int64(statement, 8, roll->max_us);
    } else {
        (void)sqlite3_bind_null(statement, 7);
        (void)sqlite3_bind_null(statement, 8);
    }
    BT_TRY(bt_db_run(self->db, statement, err));
    if (roll->count >= 0)
        return BT_OK;
    BT_TRY(bind_roll(self, sql_drop, roll, &statement, err));
    return bt_db_run(self->db, statement, err);
}

int roll_write(struct sqlite_journal *self, struct bt_err *err)
{
    for (size_t i = 0; i < self->rolls.cap; i++)
        if (self->rolls.slots[i].value)
            BT_TRY(write_roll(self, self->rolls.slots[i].value, err));
    return BT_OK;
}

void roll_clear(struct sqlite_journal *self)
{
    for (size_t i = 0; i < self->rolls.cap; i++)
        free(self->rolls.slots[i].value);
    bt_map64_clear(&self->rolls);
}

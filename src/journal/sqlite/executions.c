/* executions.c — Rows of executions and task runs, with labels and counters.
 *
 * What a row was before is read from the table, within the transaction: so counters move exactly
 * once, whatever happened to earlier commits. */
#include "journal/sqlite/sqlite_int.h"

#include "base/own.h"
#include "base/vec.h"
#include "engine/execution/codec.h"
#include "store/sqlite/rollups.h"

static const char sql_last_key[] = "SELECT coalesce(max(key),0) FROM executions";
static const char sql_find_flow[] =
    "SELECT key FROM flows WHERE tenant=?1 AND namespace=?2 AND id=?3";
/* Executions of a flow that was never pushed count as those of a deleted one. */
static const char sql_add_flow[] =
    "INSERT INTO flows(tenant,namespace,id,revision,is_deleted,updated_us)"
    " VALUES(?1,?2,?3,0,1,0)";
static const char sql_old[] =
    "SELECT flow,state,start_us,duration_us,is_drained,labels_hash,slot FROM executions WHERE "
    "key=?1";
static const char sql_insert[] =
    "INSERT INTO "
    "executions(key,state,end_us,is_drained,duration_us,labels_hash,record,slot,tenant,id,"
    "namespace,flow_id,revision,start_us,flow,day,parent,super)"
    " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18)";
static const char sql_update[] = "UPDATE executions SET state=?2,end_us=?3,is_drained=?4,"
                                 "duration_us=?5,labels_hash=?6,record=?7,slot=?8 WHERE key=?1";
static const char sql_update_record[] = "UPDATE executions SET record=?2 WHERE key=?1";
static const char sql_old_record[] = "SELECT record FROM executions WHERE key=?1";
static const char sql_put_label[] =
    "INSERT OR IGNORE INTO labels(name,value,exec) VALUES(?1,?2,?3)";
static const char sql_drop_label[] = "DELETE FROM labels WHERE name=?1 AND value=?2 AND exec=?3";
static const char sql_put_run[] =
    "INSERT INTO task_runs(exec,n,task_id,task,parent,value,state,record)"
    " VALUES(?1,?2,?3,?4,?5,?6,?7,?8) ON CONFLICT(exec,n) DO UPDATE SET state=?7,record=?8";
static const char sql_all_runs[] = "SELECT record,task_id FROM task_runs WHERE exec=?1";
static const char *const sql_drops[] = {
    "DELETE FROM task_runs WHERE exec=?1",  "DELETE FROM iteration_values WHERE exec=?1",
    "DELETE FROM timers WHERE exec=?1",     "DELETE FROM jobs WHERE exec=?1",
    "DELETE FROM log_chunks WHERE exec=?1", "DELETE FROM executions WHERE key=?1",
};
static const char sql_one_run[] = "SELECT record,task_id FROM task_runs WHERE exec=?1 AND n=?2";
static const char sql_drop_run[] = "DELETE FROM task_runs WHERE exec=?1 AND n=?2";
static const char sql_drop_values[] = "DELETE FROM iteration_values WHERE exec=?1 AND n=?2";
static const char sql_old_run[] = "SELECT state,record FROM task_runs WHERE exec=?1 AND n=?2";

static int bind_key(struct sqlite_journal *self, const char *sql, uint64_t key,
                    sqlite3_stmt **ret_statement, struct bt_err *err)
{
    BT_TRY(bt_db_prepare(self->db, sql, ret_statement, err));
    (void)sqlite3_bind_int64(*ret_statement, 1, (int64_t)key);
    return BT_OK;
}

/* --- The number of a flow --------------------------------------------------------------------- */

struct flow_key {
    struct flow_key *next;
    int64_t key;
    char tenant[64], namespace[160], id[112];
};

static void forget_flows(struct sqlite_journal *self)
{
    for (size_t i = 0; i < self->flows.cap; i++) {
        struct flow_key *flow = self->flows.slots[i].value;
        while (flow) {
            struct flow_key *next = flow->next;
            free(flow);
            flow = next;
        }
    }
    bt_map64_clear(&self->flows);
}

static int ask_flow(struct sqlite_journal *self, const char *sql, const struct bt_exec *exec,
                    int64_t *ret_key, struct bt_err *err)
{
    sqlite3_stmt *statement;
    bool is_row;
    BT_TRY(bt_db_prepare(self->db, sql, &statement, err));
    bt_db_bind(statement, 1, bt_str_of(exec->tenant));
    bt_db_bind(statement, 2, bt_str_of(exec->namespace));
    bt_db_bind(statement, 3, bt_str_of(exec->flow_id));
    BT_TRY(bt_db_step(self->db, statement, &is_row, err));
    if (is_row)
        *ret_key = sqlite3_column_int64(statement, 0);
    (void)sqlite3_reset(statement); /* Done with. */
    return BT_OK;
}

static int flow_of(struct sqlite_journal *self, const struct bt_exec *exec, int64_t *ret_key,
                   struct bt_err *err)
{
    enum { FLOWS_MAX = 10000 };
    uint64_t hash = bt_str_hash(bt_str_of(exec->tenant), 1);
    hash = bt_str_hash(bt_str_of(exec->namespace), hash);
    hash = bt_str_hash(bt_str_of(exec->flow_id), hash);
    struct flow_key *first = bt_map64_get(&self->flows, hash);
    for (struct flow_key *flow = first; flow; flow = flow->next) {
        if (strcmp(flow->id, exec->flow_id) == 0 && strcmp(flow->namespace, exec->namespace) == 0 &&
            strcmp(flow->tenant, exec->tenant) == 0) {
            *ret_key = flow->key;
            return BT_OK;
        }
    }
    int64_t key = 0;
    BT_TRY(ask_flow(self, sql_find_flow, exec, &key, err));
    if (!key) {
        BT_TRY(ask_flow(self, sql_add_flow, exec, &key, err));
        key = sqlite3_last_insert_rowid(self->db->handle);
    }
    if (self->flows.count >= FLOWS_MAX) {
        forget_flows(self);
        first = NULL;
    }
    struct flow_key *flow = calloc(1, sizeof *flow);
    if (!flow)
        bt_die("out of memory");
    flow->next = first;
    flow->key = key;
    memcpy(flow->tenant, exec->tenant, sizeof flow->tenant);
    memcpy(flow->namespace, exec->namespace, sizeof flow->namespace);
    memcpy(flow->id, exec->flow_id, sizeof flow->id);
    bt_map64_put(&self->flows, hash, flow);
    *ret_key = key;
    return BT_OK;
}

/* --- Labels ----------------------------------------------------------------------------------- */

/* 0: none. -1 stands in rows that were there before labels had a table. */
static int64_t hash_labels(const struct bt_value *labels)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < bt_value_count(labels); i++) {
        hash = bt_str_hash(bt_map_key(labels, i), hash + 1);
        hash = bt_str_hash(bt_value_str(bt_map_at(labels, i, NULL)), hash);
    }
    int64_t number = (int64_t)(hash >> 1);
    return bt_value_count(labels) && number == 0 ? 1 : number;
}

static int write_labels(struct sqlite_journal *self, const char *sql, uint64_t exec,
                        const struct bt_value *labels, struct bt_err *err)
{
    for (size_t i = 0; i < bt_value_count(labels); i++) {
        sqlite3_stmt *statement;
        BT_TRY(bt_db_prepare(self->db, sql, &statement, err));
        bt_db_bind(statement, 1, bt_map_key(labels, i));
        bt_db_bind(statement, 2, bt_value_str(bt_map_at(labels, i, NULL)));
        (void)sqlite3_bind_int64(statement, 3, (int64_t)exec);
        BT_TRY(bt_db_run(self->db, statement, err));
    }
    return BT_OK;
}

/* Removes the labels that the stored row has. */
static int drop_labels(struct sqlite_journal *self, uint64_t key, struct bt_err *err)
{
    sqlite3_stmt *statement;
    bool is_row;
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *old = NULL;
    BT_TRY(bind_key(self, sql_old_record, key, &statement, err));
    BT_TRY(bt_db_step(self->db, statement, &is_row, err));
    int rc = is_row ? bt_exec_decode(bt_db_text(statement, 0), &old, err) : BT_OK;
    (void)sqlite3_reset(statement); /* Done with. */
    BT_TRY(rc);
    return old ? write_labels(self, sql_drop_label, key, old->labels, err) : BT_OK;
}

/* --- Executions ------------------------------------------------------------------------------- */

/* The columns that lists look at. */
struct columns {
    struct roll_row roll;
    int64_t end_us, labels_hash, slot;
    bool is_drained;
};

static int read_old(struct sqlite_journal *self, uint64_t key, struct columns *ret_old,
                    bool *ret_is_there, struct bt_err *err)
{
    sqlite3_stmt *statement;
    *ret_is_there = false;
    if ((int64_t)key > self->last_key)
        return BT_OK;
    BT_TRY(bind_key(self, sql_old, key, &statement, err));
    BT_TRY(bt_db_step(self->db, statement, ret_is_there, err));
    if (!*ret_is_there)
        return BT_OK;
    bool has_ended = sqlite3_column_type(statement, 3) != SQLITE_NULL;
    *ret_old = (struct columns){
        .roll = {.flow = sqlite3_column_int64(statement, 0),
                 .start_us = sqlite3_column_int64(statement, 2),
                 .duration_us = has_ended ? sqlite3_column_int64(statement, 3) : -1},
        .is_drained = sqlite3_column_int(statement, 4) != 0,
        .labels_hash = sqlite3_column_int64(statement, 5),
        .slot = sqlite3_column_int64(statement, 6),
    };
    bool is_known = bt_state_parse(bt_db_text(statement, 1), &ret_old->roll.state);
    (void)sqlite3_reset(statement); /* Done with. */
    return is_known ? BT_OK : bt_fail(err, BT_CORRUPT, "a stored execution has an unknown state");
}

static struct columns columns_of(const struct bt_exec *exec, int64_t flow)
{
    const struct bt_histories *histories = &exec->histories;
    struct columns columns = {
        .roll = {flow, bt_histories_at(histories, 0)->at_us, exec->state, -1},
        .labels_hash = hash_labels(exec->labels),
        .slot = exec->slot,
        .is_drained = exec->is_drained,
    };
    if (!bt_state_is_ended(exec->state))
        return columns;
    columns.end_us = bt_histories_at(histories, histories->count - 1)->at_us;
    columns.roll.duration_us =
        columns.end_us > columns.roll.start_us ? columns.end_us - columns.roll.start_us : 0;
    return columns;
}

/* The columns that change, from the second on. */
static void bind_columns(struct sqlite_journal *self, sqlite3_stmt *statement,
                         const struct columns *columns)
{
    bt_db_bind(statement, 2, bt_str_of(bt_state_name(columns->roll.state)));
    if (columns->roll.duration_us < 0) {
        (void)sqlite3_bind_null(statement, 3);
        (void)sqlite3_bind_null(statement, 5);
    } else {
        (void)sqlite3_bind_int64(statement, 3, columns->end_us);
        (void)sqlite3_bind_int64(statement, 5, columns->roll.duration_us);
    }
    (void)sqlite3_bind_int64(statement, 4, columns->is_drained);
    (void)sqlite3_bind_int64(statement, 6, columns->labels_hash);
    bt_db_bind(statement, 7, bt_buf_str(&self->record));
    if (columns->slot)
        (void)sqlite3_bind_int64(statement, 8, columns->slot);
    else
        (void)sqlite3_bind_null(statement, 8);
}

static int insert_exec(struct sqlite_journal *self, const struct bt_exec *exec,
                       const struct columns *columns, struct bt_err *err)
{
    sqlite3_stmt *statement;
    struct bt_str parent = bt_map_str(bt_map_gets(exec->trigger, "variables"), "executionId");
    BT_TRY(bind_key(self, sql_insert, exec->key, &statement, err));
    bind_columns(self, statement, columns);
    bt_db_bind(statement, 9, bt_str_of(exec->tenant));
    bt_db_bind(statement, 10, bt_id_str(&exec->id));
    bt_db_bind(statement, 11, bt_str_of(exec->namespace));
    bt_db_bind(statement, 12, bt_str_of(exec->flow_id));
    (void)sqlite3_bind_int64(statement, 13, exec->revision);
    (void)sqlite3_bind_int64(statement, 14, columns->roll.start_us);
    (void)sqlite3_bind_int64(statement, 15, columns->roll.flow);
    (void)sqlite3_bind_int64(statement, 16, columns->roll.start_us / BT_DAY_US);
    if (parent.len)
        bt_db_bind(statement, 17, parent);
    else
        (void)sqlite3_bind_null(statement, 17);
    if (exec->super.key)
        (void)sqlite3_bind_int64(statement, 18, (int64_t)exec->super.key);
    else
        (void)sqlite3_bind_null(statement, 18);
    BT_TRY(bt_db_run(self->db, statement, err));
    return write_labels(self, sql_put_label, exec->key, exec->labels, err);
}

static int update_exec(struct sqlite_journal *self, const struct bt_exec *exec,
                       const struct columns *columns, const struct columns *old, struct bt_err *err)
{
    sqlite3_stmt *statement;
    if (columns->labels_hash != old->labels_hash) {
        BT_TRY(drop_labels(self, exec->key, err));
        BT_TRY(write_labels(self, sql_put_label, exec->key, exec->labels, err));
    } else if (columns->roll.state == old->roll.state && columns->is_drained == old->is_drained &&
               columns->slot == old->slot && columns->roll.duration_us == old->roll.duration_us) {
        BT_TRY(bind_key(self, sql_update_record, exec->key, &statement, err));
        bt_db_bind(statement, 2, bt_buf_str(&self->record));
        return bt_db_run(self->db, statement, err);
    }
    BT_TRY(bind_key(self, sql_update, exec->key, &statement, err));
    bind_columns(self, statement, columns);
    return bt_db_run(self->db, statement, err);
}

static void keep_exec(struct sqlite_journal *self, uint64_t key, int64_t flow, bool is_new)
{
    struct known_exec *known = malloc(sizeof *known);
    if (!known)
        bt_die("out of memory");
    *known = (struct known_exec){flow, is_new};
    free(bt_map64_remove(&self->execs, key)); /* One of the same batch. */
    bt_map64_put(&self->execs, key, known);
}

int exec_put(struct sqlite_journal *self, const struct bt_exec *exec, struct bt_err *err)
{
    struct columns old;
    bool is_there;
    int64_t flow;
    bt_buf_clear(&self->record);
    if (bt_exec_encode(exec, &self->record) < 0)
        return bt_buf_check(&self->record, "an execution's record", err);
    BT_TRY(read_old(self, exec->key, &old, &is_there, err));
    if (is_there)
        flow = old.roll.flow;
    else
        BT_TRY(flow_of(self, exec, &flow, err));
    struct columns columns = columns_of(exec, flow);
    if (is_there) {
        columns.roll.start_us = old.roll.start_us; /* Counted where it was counted first. */
        roll_exec(self, &old.roll, -1);
        BT_TRY(update_exec(self, exec, &columns, &old, err));
    } else {
        BT_TRY(insert_exec(self, exec, &columns, err));
    }
    roll_exec(self, &columns.roll, 1);
    keep_exec(self, exec->key, flow, !is_there);
    return BT_OK;
}

/* --- Task runs -------------------------------------------------------------------------------- */

int exec_known(struct sqlite_journal *self, uint64_t key, struct known_exec **ret_known,
               struct bt_err *err)
{
    struct columns old;
    bool is_there;
    *ret_known = bt_map64_get(&self->execs, key);
    if (*ret_known)
        return BT_OK;
    BT_TRY(read_old(self, key, &old, &is_there, err));
    if (!is_there)
        return BT_OK;
    keep_exec(self, key, old.roll.flow, false);
    *ret_known = bt_map64_get(&self->execs, key);
    return BT_OK;
}

static struct roll_row roll_of(const struct bt_taskrun *run, int64_t flow)
{
    const struct bt_histories *histories = &run->histories;
    int64_t start_us = histories->count ? bt_histories_at(histories, 0)->at_us : 0;
    struct roll_row row = {flow, start_us, run->state, -1};
    if (bt_state_is_ended(run->state) && histories->count) {
        int64_t end_us = bt_histories_at(histories, histories->count - 1)->at_us;
        row.duration_us = end_us > start_us ? end_us - start_us : 0;
    }
    return row;
}

/* Takes the stored run out of the counters. */
static int unroll_run(struct sqlite_journal *self, const struct bt_run_row *row, int64_t flow,
                      struct bt_err *err)
{
    sqlite3_stmt *statement;
    bool is_row;
    BT_CLEANUP(bt_taskrun_free_p) struct bt_taskrun *old = NULL;
    struct roll_row roll = roll_of(row->run, flow);
    BT_TRY(bind_key(self, sql_old_run, row->exec, &statement, err));
    (void)sqlite3_bind_int64(statement, 2, row->run->n);
    BT_TRY(bt_db_step(self->db, statement, &is_row, err));
    if (!is_row)
        return BT_OK;
    int rc = BT_OK;
    if (!bt_state_parse(bt_db_text(statement, 0), &roll.state))
        rc = bt_fail(err, BT_CORRUPT, "a stored task run has an unknown state");
    roll.duration_us = -1;
    if (rc == BT_OK && bt_state_is_ended(roll.state)) /* Rare: only then its end matters. */
        rc = bt_taskrun_decode(bt_db_text(statement, 1), &old, err);
    (void)sqlite3_reset(statement); /* Done with. */
    BT_TRY(rc);
    if (old) {
        roll = roll_of(old, flow);
        metric_run(self, &(struct metric_run){old, bt_str_of(row->task_id), flow}, -1);
    }
    roll_run(self, &roll, -1);
    return BT_OK;
}

static int count_run(struct sqlite_journal *self, const struct bt_run_row *row, struct bt_err *err)
{
    struct known_exec *known;
    BT_TRY(exec_known(self, row->exec, &known, err));
    if (!known)
        return BT_OK; /* Runs of nothing are not counted. */
    struct roll_row roll = roll_of(row->run, known->flow);
    if (!known->is_new)
        BT_TRY(unroll_run(self, row, known->flow, err));
    roll_run(self, &roll, 1);
    metric_run(self, &(struct metric_run){row->run, bt_str_of(row->task_id), known->flow}, 1);
    return BT_OK;
}

int run_put(struct sqlite_journal *self, const struct bt_run_row *row, struct bt_err *err)
{
    const struct bt_taskrun *run = row->run;
    sqlite3_stmt *statement;
    bt_buf_clear(&self->record);
    if (bt_taskrun_encode(run, &self->record) < 0)
        return bt_buf_check(&self->record, "a task run's record", err);
    BT_TRY(count_run(self, row, err));
    BT_TRY(bind_key(self, sql_put_run, row->exec, &statement, err));
    (void)sqlite3_bind_int64(statement, 2, run->n);
    bt_db_bind(statement, 3, bt_str_of(row->task_id));
    (void)sqlite3_bind_int64(statement, 4, run->task);
    (void)sqlite3_bind_int64(statement, 5, run->parent);
    bt_db_bind(statement, 6, bt_value_str(run->value));
    bt_db_bind(statement, 7, bt_str_of(bt_state_name(run->state)));
    bt_db_bind(statement, 8, bt_buf_str(&self->record));
    return bt_db_run(self->db, statement, err);
}

/* --- Removing --------------------------------------------------------------------------------- */

static int uncount_runs(struct sqlite_journal *self, uint64_t key, int64_t flow, struct bt_err *err)
{
    sqlite3_stmt *statement;
    bool is_row;
    BT_TRY(bind_key(self, sql_all_runs, key, &statement, err));
    int rc = bt_db_step(self->db, statement, &is_row, err);
    while (rc == BT_OK && is_row) {
        BT_CLEANUP(bt_taskrun_free_p) struct bt_taskrun *run = NULL;
        rc = bt_taskrun_decode(bt_db_text(statement, 0), &run, err);
        if (rc < 0)
            break;
        struct roll_row roll = roll_of(run, flow);
        roll_run(self, &roll, -1);
        metric_run(self, &(struct metric_run){run, bt_db_text(statement, 1), flow}, -1);
        rc = bt_db_step(self->db, statement, &is_row, err);
    }
    (void)sqlite3_reset(statement); /* Done with. */
    return rc;
}

int run_drop(struct sqlite_journal *self, const struct bt_run_place *place, struct bt_err *err)
{
    struct known_exec *known;
    sqlite3_stmt *statement;
    bool is_row;
    BT_TRY(exec_known(self, place->exec, &known, err));
    BT_TRY(bind_key(self, sql_one_run, place->exec, &statement, err));
    (void)sqlite3_bind_int64(statement, 2, place->n);
    BT_TRY(bt_db_step(self->db, statement, &is_row, err));
    if (!is_row)
        return BT_OK;
    BT_CLEANUP(bt_taskrun_free_p) struct bt_taskrun *run = NULL;
    int rc = bt_taskrun_decode(bt_db_text(statement, 0), &run, err);
    if (rc == BT_OK && known) {
        struct roll_row roll = roll_of(run, known->flow);
        roll_run(self, &roll, -1);
        metric_run(self, &(struct metric_run){run, bt_db_text(statement, 1), known->flow}, -1);
    }
    (void)sqlite3_reset(statement); /* Done with. */
    BT_TRY(rc);
    static const char *const drops[] = {sql_drop_run, sql_drop_values};
    for (size_t i = 0; i < BT_COUNT(drops); i++) {
        BT_TRY(bind_key(self, drops[i], place->exec, &statement, err));
        (void)sqlite3_bind_int64(statement, 2, place->n);
        BT_TRY(bt_db_run(self->db, statement, err));
    }
    return BT_OK;
}

int exec_drop(struct sqlite_journal *self, uint64_t key, struct bt_err *err)
{
    struct columns old;
    bool is_there;
    BT_TRY(read_old(self, key, &old, &is_there, err));
    if (!is_there)
        return BT_OK;
    roll_exec(self, &old.roll, -1);
    BT_TRY(uncount_runs(self, key, old.roll.flow, err));
    BT_TRY(chunks_uncount(self, key, old.roll.flow, err));
    BT_TRY(drop_labels(self, key, err));
    for (size_t i = 0; i < BT_COUNT(sql_drops); i++) {
        sqlite3_stmt *statement;
        BT_TRY(bind_key(self, sql_drops[i], key, &statement, err));
        BT_TRY(bt_db_run(self->db, statement, err));
    }
    return BT_OK;
}

/* --- The batch -------------------------------------------------------------------------------- */

int exec_begin(struct sqlite_journal *self, struct bt_err *err)
{
    sqlite3_stmt *statement;
    bool is_row;
    BT_TRY(bt_db_prepare(self->db, sql_last_key, &statement, err));
    BT_TRY(bt_db_step(self->db, statement, &is_row, err));
    self->last_key = is_row ? sqlite3_column_int64(statement, 0) : 0;
    (void)sqlite3_reset(statement); /* Done with. */
    return BT_OK;
}

void exec_end(struct sqlite_journal *self, bool is_committed)
{
    for (size_t i = 0; i < self->execs.cap; i++)
        free(self->execs.slots[i].value);
    bt_map64_clear(&self->execs);
    roll_clear(self);
    metric_clear(self);
    lines_clear(self);
    if (!is_committed)
        forget_flows(self);
}

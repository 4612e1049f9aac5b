/* list.c — Lists of flows and executions, with their totals. */
#include "base/own.h"
#include "engine/execution/codec.h"
#include "store/sqlite/read_int.h"

#include <stdio.h>

/* A namespace and its children: all that begin with "name.". */
static const char sql_flows[] =
    "SELECT f.namespace,f.id,f.revision,f.is_deleted,f.updated_us,CASE WHEN ?5 THEN r.source END"
    " FROM flows f JOIN flow_revisions r USING(tenant,namespace,id,revision)"
    " WHERE f.tenant=?1 AND (?2='' OR f.namespace=?2 OR (NOT ?3 AND"
    " substr(f.namespace,1,length(?2)+1)=?2||'.')) AND (?4 OR f.is_deleted=0)"
    " ORDER BY f.namespace,f.id";

int list_flows(struct bt_store *store, const struct bt_flow_query *query,
               const struct bt_flow_sink *sink, struct bt_err *err)
{
    struct sqlite_store *self = (struct sqlite_store *)store;
    struct reader *reader;
    sqlite3_stmt *statement;
    BT_TRY(store_take(self, &reader, err));
    int rc = bt_db_prepare(&reader->db, sql_flows, &statement, err);
    if (rc == BT_OK) {
        bt_db_bind(statement, 1, bt_str_of(query->tenant));
        bt_db_bind(statement, 2, query->namespace);
        (void)sqlite3_bind_int(statement, 3, query->is_exact);
        (void)sqlite3_bind_int(statement, 4, query->has_deleted);
        (void)sqlite3_bind_int(statement, 5, query->has_source);
        rc = each_flow_row(&reader->db, statement, sink, err);
    }
    store_give(self, reader);
    return rc;
}

/* --- Executions ------------------------------------------------------------------------------- */

#define WHERE_EXECS                                                                                \
    " FROM executions WHERE tenant=?1 AND (?2='' OR namespace=?2 OR (?3='' AND"                    \
    " substr(namespace,1,length(?2)+1)=?2||'.')) AND (?3='' OR flow_id=?3)"                        \
    " AND (?4='' OR instr(?4,','||state||',')) AND (?5=0 OR start_us>=?5) AND (?6=0 OR "           \
    "start_us<=?6)"

static const char sql_count[] = "SELECT count(*)" WHERE_EXECS;
#define LIST(order) "SELECT key,record" WHERE_EXECS " ORDER BY " order " LIMIT ?7 OFFSET ?8"
static const char *const sql_lists[][2] = {
    [BT_SORT_START] = {LIST("key DESC"), LIST("key")},
    [BT_SORT_END] = {LIST("end_us DESC,key DESC"), LIST("end_us,key")},
    [BT_SORT_DURATION] = {LIST("end_us-start_us DESC,key DESC"), LIST("end_us-start_us,key")},
    [BT_SORT_ID] = {LIST("id DESC"), LIST("id")},
    [BT_SORT_NAMESPACE] = {LIST("namespace DESC,key DESC"), LIST("namespace,key DESC")},
    [BT_SORT_FLOW] = {LIST("flow_id DESC,key DESC"), LIST("flow_id,key DESC")},
    [BT_SORT_STATE] = {LIST("state DESC,key DESC"), LIST("state,key DESC")},
};

static void name_states(uint32_t states, struct bt_buf *out)
{
    for (int state = 0; state < BT_STATE_COUNT; state++)
        if (states & 1u << state)
            (void)bt_buf_addf(out, ",%s,", bt_state_name((enum bt_state)state)); /* Has room. */
}

static int prepare(struct bt_db *db, const char *sql, const struct bt_exec_query *query,
                   sqlite3_stmt **ret_statement, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf states = BT_BUF_INIT(1024);
    name_states(query->states, &states);
    BT_TRY(bt_db_prepare(db, sql, ret_statement, err));
    bt_db_bind(*ret_statement, 1, bt_str_of(query->tenant));
    bt_db_bind(*ret_statement, 2, query->namespace);
    bt_db_bind(*ret_statement, 3, query->flow_id);
    (void)sqlite3_bind_text(*ret_statement, 4, states.at ? states.at : "", (int)states.len,
                            SQLITE_TRANSIENT);
    (void)sqlite3_bind_int64(*ret_statement, 5, query->from_us);
    (void)sqlite3_bind_int64(*ret_statement, 6, query->to_us);
    return BT_OK;
}

static int each_exec(struct bt_db *db, sqlite3_stmt *statement, const struct bt_exec_sink *sink,
                     struct bt_err *err)
{
    bool is_row;
    int rc = bt_db_step(db, statement, &is_row, err);
    while (rc == BT_OK && is_row) {
        struct bt_exec *exec = NULL;
        rc = bt_exec_decode(bt_db_text(statement, 1), &exec, err);
        if (rc == BT_OK) {
            exec->key = (uint64_t)sqlite3_column_int64(statement, 0);
            rc = sink->each(sink->data, exec);
        }
        if (rc == BT_OK)
            rc = bt_db_step(db, statement, &is_row, err);
    }
    (void)sqlite3_reset(statement); /* Done with. */
    return rc;
}

static int count_execs(struct bt_db *db, const struct bt_exec_query *query, int64_t *ret_count,
                       struct bt_err *err)
{
    sqlite3_stmt *statement;
    bool is_row;
    BT_TRY(prepare(db, sql_count, query, &statement, err));
    BT_TRY(bt_db_step(db, statement, &is_row, err));
    *ret_count = is_row ? sqlite3_column_int64(statement, 0) : 0;
    (void)sqlite3_reset(statement); /* Done with. */
    return BT_OK;
}

static int list_in(struct bt_db *db, const struct bt_exec_query *query,
                   const struct bt_exec_sink *sink, struct bt_total *ret_total, struct bt_err *err)
{
    sqlite3_stmt *statement;
    BT_TRY(count_execs(db, query, &ret_total->count, err));
    BT_TRY(prepare(db, sql_lists[query->sort][query->is_ascending], query, &statement, err));
    (void)sqlite3_bind_int64(statement, 7, (int64_t)query->limit);
    (void)sqlite3_bind_int64(statement, 8, (int64_t)query->skip);
    return each_exec(db, statement, sink, err);
}

int list_execs(struct bt_store *store, const struct bt_exec_query *query,
               const struct bt_exec_sink *sink, struct bt_total *ret_total, struct bt_err *err)
{
    struct sqlite_store *self = (struct sqlite_store *)store;
    struct reader *reader;
    *ret_total = (struct bt_total){0};
    BT_TRY(store_take(self, &reader, err));
    int rc = list_in(&reader->db, query, sink, ret_total, err);
    store_give(self, reader);
    return rc;
}

/* runs.c — Task runs: by number, and the children of one. Read some at a time: the receiver may be
 * slow, and no transaction may wait for it. */
#include "base/own.h"
#include "base/vec.h"
#include "engine/execution/codec.h"
#include "store/sqlite/read_int.h"

#include <assert.h>
#include <stdlib.h>

enum { SLICE = 500 };

static const char sql_runs[] =
    "SELECT record,task_id FROM task_runs WHERE exec=?1 AND n>=?2 ORDER BY n LIMIT ?3";
/* The next task that has runs; the index begins with execution and task. */
static const char sql_next_task[] = "SELECT min(task) FROM task_runs WHERE exec=?1 AND task>?2";
/* A bare column beside min() is that of its row. */
static const char sql_first[] = "SELECT min(n),record FROM task_runs INDEXED BY task_runs_task"
                                " WHERE exec=?1 AND task=?2 AND state=?3";
static const char sql_children[] =
    "SELECT n FROM task_runs INDEXED BY task_runs_task WHERE exec=?1 AND task=?2 AND parent=?3";
static const char sql_by_id[] =
    "SELECT n FROM task_runs WHERE exec=?1 AND instr(record,'\"id\":\"'||?2||'\"')>0 LIMIT 1";

/* Outputs may hold the same text: whoever asks looks at the id once more. */
static const char sql_with_id[] =
    "SELECT record FROM task_runs WHERE exec=?1 AND instr(record,'\"id\":\"'||?2||'\"')>0";

struct read_run {
    struct bt_taskrun *run;
    char *task_id;
};
typedef BT_VEC(struct read_run) read_vec;

static int read_slice(struct bt_db *db, const struct bt_run_query *query, read_vec *out,
                      struct bt_err *err)
{
    sqlite3_stmt *statement;
    bool is_row;
    BT_TRY(bt_db_prepare(db, sql_runs, &statement, err));
    (void)sqlite3_bind_int64(statement, 1, (int64_t)query->exec);
    (void)sqlite3_bind_int64(statement, 2, query->from_n);
    (void)sqlite3_bind_int64(statement, 3, query->limit);
    int rc = bt_db_step(db, statement, &is_row, err);
    while (rc == BT_OK && is_row) {
        struct read_run read = {0};
        rc = bt_taskrun_decode(bt_db_text(statement, 0), &read.run, err);
        if (rc < 0)
            break;
        read.task_id = bt_str_dup(bt_db_text(statement, 1));
        if (!read.task_id)
            bt_die("out of memory");
        bt_vec_push(out, read);
        rc = bt_db_step(db, statement, &is_row, err);
    }
    (void)sqlite3_reset(statement); /* Done with. */
    return rc;
}

/* Gives and frees all. */
static int give(read_vec *read, const struct bt_run_sink *sink, int rc)
{
    for (size_t i = 0; i < read->count; i++) {
        if (rc == BT_OK)
            rc = sink->each(sink->data, read->items[i].run, read->items[i].task_id);
        (void)bt_taskrun_free(read->items[i].run); /* NULL. */
        free(read->items[i].task_id);
    }
    read->count = 0;
    return rc;
}

int read_runs(struct bt_store *store, const struct bt_run_query *query,
              const struct bt_run_sink *sink, struct bt_err *err)
{
    struct sqlite_store *self = (struct sqlite_store *)store;
    struct reader *reader = NULL;
    struct bt_run_query slice = *query;
    uint32_t left = query->limit;
    read_vec read = {0};
    int rc = BT_OK;
    bool has_more = true;
    while (rc == BT_OK && has_more && left > 0) {
        slice.limit = left < SLICE ? left : SLICE;
        rc = store_take(self, &reader, err);
        if (rc < 0)
            break;
        rc = read_slice(&reader->db, &slice, &read, err);
        store_give(self, reader);
        has_more = read.count == slice.limit;
        left -= (uint32_t)read.count;
        if (read.count)
            slice.from_n = read.items[read.count - 1].run->n + 1;
        rc = give(&read, sink, rc);
    }
    bt_vec_done(&read);
    return rc;
}

static int read_first(struct bt_db *db, const struct bt_first_query *query,
                      struct bt_taskrun **ret_run, struct bt_err *err)
{
    sqlite3_stmt *statement;
    bool is_row;
    BT_TRY(bt_db_prepare(db, sql_first, &statement, err));
    (void)sqlite3_bind_int64(statement, 1, (int64_t)query->exec);
    (void)sqlite3_bind_int64(statement, 2, query->task);
    bt_db_bind(statement, 3, bt_str_of(bt_state_name(query->state)));
    BT_TRY(bt_db_step(db, statement, &is_row, err));
    int rc = BT_OK;
    if (is_row && sqlite3_column_type(statement, 0) != SQLITE_NULL)
        rc = bt_taskrun_decode(bt_db_text(statement, 1), ret_run, err);
    (void)sqlite3_reset(statement); /* Done with. */
    return rc;
}

int read_first_run(struct bt_store *store, const struct bt_first_query *query,
                   struct bt_taskrun **ret_run, struct bt_err *err)
{
    struct sqlite_store *self = (struct sqlite_store *)store;
    struct reader *reader = NULL;
    *ret_run = NULL;
    BT_TRY(store_take(self, &reader, err));
    int rc = read_first(&reader->db, query, ret_run, err);
    store_give(self, reader);
    return rc;
}

static int read_with_id(struct bt_db *db, uint64_t exec, struct bt_str id,
                        struct bt_taskrun **ret_run, struct bt_err *err)
{
    BT_CLEANUP(bt_taskrun_free_p) struct bt_taskrun *run = NULL;
    sqlite3_stmt *statement;
    bool is_row;
    BT_TRY(bt_db_prepare(db, sql_with_id, &statement, err));
    (void)sqlite3_bind_int64(statement, 1, (int64_t)exec);
    bt_db_bind(statement, 2, id);
    int rc = bt_db_step(db, statement, &is_row, err);
    while (rc == BT_OK && is_row) {
        run = bt_taskrun_free(run);
        rc = bt_taskrun_decode(bt_db_text(statement, 0), &run, err);
        if (rc < 0 || bt_str_eq(bt_id_str(&run->id), id))
            break;
        rc = bt_db_step(db, statement, &is_row, err);
    }
    (void)sqlite3_reset(statement); /* Done with. */
    BT_TRY(rc);
    if (!is_row)
        return bt_fail(err, BT_NOT_FOUND, "there is no such task run");
    *ret_run = BT_TAKE(run);
    return BT_OK;
}

int read_run(struct bt_store *store, uint64_t exec, struct bt_str id, struct bt_taskrun **ret_run,
             struct bt_err *err)
{
    struct sqlite_store *self = (struct sqlite_store *)store;
    struct reader *reader = NULL;
    BT_TRY(store_take(self, &reader, err));
    int rc = read_with_id(&reader->db, exec, id, ret_run, err);
    store_give(self, reader);
    return rc;
}

/* --- Children --------------------------------------------------------------------------------- */

typedef BT_VEC(uint32_t) number_vec;

static int next_task(struct bt_db *db, uint64_t exec, int64_t *task, bool *ret_is,
                     struct bt_err *err)
{
    sqlite3_stmt *statement;
    BT_TRY(bt_db_prepare(db, sql_next_task, &statement, err));
    (void)sqlite3_bind_int64(statement, 1, (int64_t)exec);
    (void)sqlite3_bind_int64(statement, 2, *task);
    BT_TRY(bt_db_step(db, statement, ret_is, err));
    if (!*ret_is)
        return BT_OK;
    *ret_is = sqlite3_column_type(statement, 0) != SQLITE_NULL;
    *task = sqlite3_column_int64(statement, 0);
    (void)sqlite3_reset(statement); /* Done with. */
    return BT_OK;
}

static int add_children(struct bt_db *db, const struct bt_child_query *query, int64_t task,
                        number_vec *out, struct bt_err *err)
{
    sqlite3_stmt *statement;
    bool is_row;
    BT_TRY(bt_db_prepare(db, sql_children, &statement, err));
    (void)sqlite3_bind_int64(statement, 1, (int64_t)query->exec);
    (void)sqlite3_bind_int64(statement, 2, task);
    (void)sqlite3_bind_int64(statement, 3, query->parent);
    BT_TRY(bt_db_step(db, statement, &is_row, err));
    while (is_row) {
        bt_vec_push(out, (uint32_t)sqlite3_column_int64(statement, 0));
        BT_TRY(bt_db_step(db, statement, &is_row, err));
    }
    return BT_OK;
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t one = *(const uint32_t *)a, two = *(const uint32_t *)b;
    return (one > two) - (one < two);
}

static int find_by_id(struct bt_db *db, const struct bt_child_query *query, uint32_t *ret_n,
                      struct bt_err *err)
{
    sqlite3_stmt *statement;
    bool is_row;
    BT_TRY(bt_db_prepare(db, sql_by_id, &statement, err));
    (void)sqlite3_bind_int64(statement, 1, (int64_t)query->exec);
    bt_db_bind(statement, 2, query->parent_id);
    BT_TRY(bt_db_step(db, statement, &is_row, err));
    if (!is_row)
        return bt_fail(err, BT_NOT_FOUND, "there is no such task run");
    *ret_n = (uint32_t)sqlite3_column_int64(statement, 0);
    (void)sqlite3_reset(statement); /* Done with. */
    return BT_OK;
}

/* All children by number, in a page's place; then only the page's rows. */
static int read_page(struct bt_db *db, const struct bt_child_query *query, read_vec *read,
                     int64_t *ret_total, struct bt_err *err)
{
    struct bt_child_query of = *query;
    number_vec numbers = {0};
    int64_t task = -1;
    bool is = true;
    int rc = query->parent_id.len ? find_by_id(db, query, &of.parent, err) : BT_OK;
    while (rc == BT_OK && is) {
        rc = next_task(db, of.exec, &task, &is, err);
        if (rc == BT_OK && is)
            rc = add_children(db, &of, task, &numbers, err);
    }
    if (numbers.count)
        qsort(numbers.items, numbers.count, sizeof *numbers.items, compare_numbers);
    for (uint64_t i = query->skip;
         rc == BT_OK && i < numbers.count && i < query->skip + query->limit; i++)
        rc = read_slice(db, &(struct bt_run_query){of.exec, numbers.items[i], 1}, read, err);
    *ret_total = (int64_t)numbers.count;
    bt_vec_done(&numbers);
    return rc;
}

int read_children(struct bt_store *store, const struct bt_child_query *query,
                  const struct bt_run_sink *sink, int64_t *ret_total, struct bt_err *err)
{
    struct sqlite_store *self = (struct sqlite_store *)store;
    struct reader *reader = NULL;
    read_vec read = {0};
    *ret_total = 0;
    BT_TRY(store_take(self, &reader, err));
    int rc = bt_db_exec(&reader->db, "BEGIN", err);
    if (rc == BT_OK)
        rc = read_page(&reader->db, query, &read, ret_total, err);
    bt_db_rollback(&reader->db);
    store_give(self, reader);
    rc = give(&read, sink, rc);
    bt_vec_done(&read);
    return rc;
}

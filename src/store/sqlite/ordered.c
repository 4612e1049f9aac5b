/* ordered.c — Keys by duration, end or id along the index of that order, others passed over. The
 * index of durations is by day of start: the days of the time range are merged. */
#include "store/sqlite/filter.h"

#include <stdlib.h>

enum { CHUNK_FIRST = 32, CHUNK_MAX = 4096 };

static const char *const sql_duration[2] = {
    "SELECT key,duration_us,flow,state FROM executions INDEXED BY executions_duration WHERE day=?1"
    " AND duration_us IS NOT NULL ORDER BY duration_us DESC,flow DESC,state DESC LIMIT ?2 OFFSET "
    "?3",
    "SELECT key,duration_us,flow,state FROM executions INDEXED BY executions_duration WHERE day=?1"
    " AND duration_us IS NOT NULL ORDER BY duration_us,flow,state LIMIT ?2 OFFSET ?3"};
static const char *const sql_end[2] = {
    "SELECT key,0,flow,state FROM executions INDEXED BY executions_end WHERE end_us IS NOT NULL"
    " ORDER BY end_us DESC,flow DESC,state DESC LIMIT ?2 OFFSET ?3",
    "SELECT key,0,flow,state FROM executions INDEXED BY executions_end WHERE end_us IS NOT NULL"
    " ORDER BY end_us,flow,state LIMIT ?2 OFFSET ?3"};
static const char *const sql_id[2] = {
    "SELECT key,0,flow,state FROM executions INDEXED BY executions_id WHERE tenant=?1"
    " ORDER BY id DESC LIMIT ?2 OFFSET ?3",
    "SELECT key,0,flow,state FROM executions INDEXED BY executions_id WHERE tenant=?1"
    " ORDER BY id LIMIT ?2 OFFSET ?3"};

struct found {
    int64_t key, value;
    bool is_possible; /* Flow and state match. */
};

struct run {
    int64_t day;
    BT_VEC(struct found) read;
    size_t at;
    int64_t done, chunk; /* Rows read so far; of the next chunk. */
    bool is_done;
};

struct ordered {
    const struct filter *filter;
    BT_VEC(struct run) runs;
};

static int read_chunk(struct ordered *ordered, struct run *run, struct bt_err *err)
{
    const struct filter *filter = ordered->filter;
    const struct bt_exec_query *query = filter->query;
    const char *const *sql = query->sort == BT_SORT_DURATION ? sql_duration
                             : query->sort == BT_SORT_END    ? sql_end
                                                             : sql_id;
    sqlite3_stmt *statement;
    bool is_row;
    run->at = run->read.count = 0;
    BT_TRY(bt_db_prepare(filter->db, sql[query->is_ascending], &statement, err));
    if (query->sort == BT_SORT_DURATION)
        (void)sqlite3_bind_int64(statement, 1, run->day);
    else if (query->sort == BT_SORT_ID)
        bt_db_bind(statement, 1, bt_str_of(query->tenant));
    (void)sqlite3_bind_int64(statement, 2, run->chunk);
    (void)sqlite3_bind_int64(statement, 3, run->done);
    BT_TRY(bt_db_step(filter->db, statement, &is_row, err));
    while (is_row) {
        enum bt_state state;
        struct found found = {sqlite3_column_int64(statement, 0),
                              sqlite3_column_int64(statement, 1), false};
        found.is_possible = found.key >= filter->from_key && found.key <= filter->to_key &&
                            bt_state_parse(bt_db_text(statement, 3), &state) &&
                            (filter->states & 1u << state) &&
                            (filter->has_words || /* The id may have them. */
                             filter_has_flow(filter, sqlite3_column_int64(statement, 2)));
        bt_vec_push(&run->read, found);
        BT_TRY(bt_db_step(filter->db, statement, &is_row, err));
    }
    run->done += (int64_t)run->read.count;
    run->is_done = (int64_t)run->read.count < run->chunk;
    run->chunk = run->chunk * 2 < CHUNK_MAX ? run->chunk * 2 : CHUNK_MAX;
    return BT_OK;
}

static int add_day(void *data, const struct roll_seen *seen)
{
    struct ordered *ordered = data;
    size_t count = ordered->runs.count;
    if (count == 0 || ordered->runs.items[count - 1].day != seen->period)
        bt_vec_push(&ordered->runs, ((struct run){.day = seen->period, .chunk = CHUNK_FIRST}));
    return BT_OK;
}

int ordered_open(const struct filter *filter, struct ordered **ret_ordered, struct bt_err *err)
{
    const struct bt_exec_query *query = filter->query;
    struct filter everything = {
        .db = filter->db, .query = query, .has_all_flows = true, .states = filter->states};
    struct roll_range days = {.kind = BT_ROLL_DAY,
                              .from = query->from_us / BT_DAY_US,
                              .to = query->to_us ? query->to_us / BT_DAY_US + 1 : INT64_MAX};
    struct ordered *ordered = calloc(1, sizeof *ordered);
    if (!ordered)
        return bt_fail_mem(err, "the list");
    ordered->filter = filter;
    int rc = BT_OK;
    if (query->sort == BT_SORT_DURATION)
        rc = rolls_read(&everything, &days, add_day, ordered, err);
    else
        bt_vec_push(&ordered->runs, ((struct run){.chunk = CHUNK_FIRST}));
    if (rc < 0) {
        ordered_close(ordered);
        return rc;
    }
    *ret_ordered = ordered;
    return BT_OK;
}

void ordered_close(struct ordered *ordered)
{
    for (size_t i = 0; i < ordered->runs.count; i++)
        bt_vec_done(&ordered->runs.items[i].read);
    bt_vec_done(&ordered->runs);
    free(ordered);
}

static int first_run(struct ordered *ordered, struct run **ret_first, struct bt_err *err)
{
    bool is_ascending = ordered->filter->query->is_ascending;
    *ret_first = NULL;
    for (size_t i = 0; i < ordered->runs.count; i++) {
        struct run *run = &ordered->runs.items[i];
        if (run->at == run->read.count && !run->is_done)
            BT_TRY(read_chunk(ordered, run, err));
        if (run->at == run->read.count)
            continue;
        int64_t value = run->read.items[run->at].value;
        if (!*ret_first ||
            (value < (*ret_first)->read.items[(*ret_first)->at].value) == is_ascending)
            *ret_first = run;
    }
    return BT_OK;
}

int ordered_next(struct ordered *ordered, int64_t *ret_key, struct bt_err *err)
{
    const struct filter *filter = ordered->filter;
    struct run *first;
    bool is = false;
    *ret_key = 0;
    while (!is) {
        BT_TRY(first_run(ordered, &first, err));
        if (!first)
            return BT_OK;
        struct found found = first->read.items[first->at++];
        is = found.is_possible;
        if (is && filter->has_words)
            BT_TRY(filter_probe(filter, found.key, &is, err));
        else if (is && filter->has_probes)
            BT_TRY(filter_probe_rest(filter, found.key, &is, err));
        if (is)
            *ret_key = found.key;
    }
    return BT_OK;
}

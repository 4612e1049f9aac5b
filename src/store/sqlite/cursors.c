/* cursors.c — Keys of executions that match, newest or oldest first: a merge of cursors over
 * indexes, each read some keys at a time, so that no statement stays open.
 *
 * Three ways, and the one that has to look at the fewest rows is taken: along each state (all
 * flows, others are passed over), along each flow and state, along a label or a parent. */
#include "store/sqlite/filter.h"

#include <stdlib.h>

enum {
    CURSORS_MAX = 600,
    SEEK_COST = 8,
    PROBE_COST = 4,
    CHUNK_MAX = 4096,
    LABEL_COUNT_MAX = 10001
};

#define PAGE(key) " AND " key ">=?2 AND " key "<=?3 ORDER BY " key
static const char *const sql_state[2] = {
    "SELECT key,flow FROM executions INDEXED BY executions_state WHERE state=?1" PAGE(
        "key") " DESC LIMIT ?4",
    "SELECT key,flow FROM executions INDEXED BY executions_state WHERE state=?1" PAGE(
        "key") " LIMIT ?4"};
static const char *const sql_flow[2] = {
    "SELECT key,flow FROM executions INDEXED BY executions_flow WHERE flow=?5 AND state=?1" PAGE(
        "key") " DESC LIMIT ?4",
    "SELECT key,flow FROM executions INDEXED BY executions_flow WHERE flow=?5 AND state=?1" PAGE(
        "key") " LIMIT ?4"};
static const char *const sql_label[2] = {
    "SELECT exec,0 FROM labels WHERE name=?1 AND value=?5" PAGE("exec") " DESC LIMIT ?4",
    "SELECT exec,0 FROM labels WHERE name=?1 AND value=?5" PAGE("exec") " LIMIT ?4"};
static const char *const sql_parent[2] = {
    "SELECT key,0 FROM executions INDEXED BY executions_parent WHERE parent=?1" PAGE(
        "key") " DESC LIMIT ?4",
    "SELECT key,0 FROM executions INDEXED BY executions_parent WHERE parent=?1" PAGE(
        "key") " LIMIT ?4"};
static const char sql_label_count[] = "SELECT count(*) FROM (SELECT 1 FROM labels"
                                      " WHERE name=?1 AND value=?2 LIMIT ?3)";

enum kind { ALONG_STATE, ALONG_FLOW, ALONG_LABEL, ALONG_PARENT, ALONG_IDS };

struct found {
    int64_t key, flow;
};

struct cursor {
    enum kind kind;
    struct bt_str name;       /* State, label or parent. */
    struct bt_str value;      /* Of the label. */
    int64_t flow;             /* ALONG_FLOW */
    int64_t from_key, to_key; /* What is still to be read. */
    BT_VEC(struct found) read;
    size_t at;
    int64_t chunk;
    bool is_done;  /* Nothing is left to be read. */
    bool is_exact; /* All of its keys match. */
};

struct cursors {
    const struct filter *filter;
    bool is_ascending, is_cut;
    int64_t looks; /* That are left. */
    BT_VEC(struct cursor) items;
};

static const char *sql_of(const struct cursor *cursor, bool is_ascending)
{
    switch (cursor->kind) {
    case ALONG_STATE: return sql_state[is_ascending];
    case ALONG_FLOW: return sql_flow[is_ascending];
    case ALONG_LABEL: return sql_label[is_ascending];
    case ALONG_PARENT: return sql_parent[is_ascending];
    case ALONG_IDS: break; /* They are in memory. */
    }
    return NULL;
}

static void read_ids(struct cursors *cursors, struct cursor *cursor)
{
    const struct filter *filter = cursors->filter;
    size_t count = filter->ids.count;
    for (size_t i = 0; i < count; i++) {
        int64_t key = filter->ids.items[cursors->is_ascending ? i : count - 1 - i];
        if (key >= cursor->from_key && key <= cursor->to_key)
            bt_vec_push(&cursor->read, ((struct found){key, 0}));
    }
    cursor->is_done = true;
}

/* The next chunk, into `read`. */
static int read_chunk(struct cursors *cursors, struct cursor *cursor, struct bt_err *err)
{
    struct bt_db *db = cursors->filter->db;
    sqlite3_stmt *statement;
    bool is_row;
    cursor->at = cursor->read.count = 0;
    if (cursor->kind == ALONG_IDS) {
        read_ids(cursors, cursor);
        return BT_OK;
    }
    BT_TRY(bt_db_prepare(db, sql_of(cursor, cursors->is_ascending), &statement, err));
    bt_db_bind(statement, 1, cursor->name);
    (void)sqlite3_bind_int64(statement, 2, cursor->from_key);
    (void)sqlite3_bind_int64(statement, 3, cursor->to_key);
    (void)sqlite3_bind_int64(statement, 4, cursor->chunk);
    if (cursor->kind == ALONG_FLOW)
        (void)sqlite3_bind_int64(statement, 5, cursor->flow);
    else if (cursor->kind == ALONG_LABEL)
        bt_db_bind(statement, 5, cursor->value);
    BT_TRY(bt_db_step(db, statement, &is_row, err));
    while (is_row) {
        struct found found = {sqlite3_column_int64(statement, 0),
                              sqlite3_column_int64(statement, 1)};
        bt_vec_push(&cursor->read, found);
        BT_TRY(bt_db_step(db, statement, &is_row, err));
    }
    cursor->is_done = (int64_t)cursor->read.count < cursor->chunk;
    if (cursor->read.count && cursors->is_ascending)
        cursor->from_key = cursor->read.items[cursor->read.count - 1].key + 1;
    else if (cursor->read.count)
        cursor->to_key = cursor->read.items[cursor->read.count - 1].key - 1;
    cursor->chunk = cursor->chunk * 2 < CHUNK_MAX ? cursor->chunk * 2 : CHUNK_MAX;
    return BT_OK;
}

/* --- Choosing --------------------------------------------------------------------------------- */

static void push(struct cursors *cursors, struct cursor cursor)
{
    cursor.from_key = cursors->filter->from_key;
    cursor.to_key = cursors->filter->to_key;
    bt_vec_push(&cursors->items, cursor);
}

static int count_label(const struct filter *filter, size_t index, int64_t *ret_count,
                       struct bt_err *err)
{
    sqlite3_stmt *statement;
    bool is_row;
    BT_TRY(bt_db_prepare(filter->db, sql_label_count, &statement, err));
    bt_db_bind(statement, 1, bt_map_key(filter->query->labels, index));
    bt_db_bind(statement, 2, bt_value_str(bt_map_at(filter->query->labels, index, NULL)));
    (void)sqlite3_bind_int64(statement, 3, LABEL_COUNT_MAX);
    BT_TRY(bt_db_step(filter->db, statement, &is_row, err));
    *ret_count = is_row ? sqlite3_column_int64(statement, 0) : 0;
    (void)sqlite3_reset(statement); /* Done with. */
    return BT_OK;
}

/* The label that the fewest executions have. */
static int rarest_label(const struct filter *filter, size_t *ret_index, int64_t *ret_count,
                        struct bt_err *err)
{
    *ret_count = INT64_MAX;
    for (size_t i = 0; i < bt_value_count(filter->query->labels); i++) {
        int64_t count;
        BT_TRY(count_label(filter, i, &count, err));
        if (count < *ret_count) {
            *ret_count = count;
            *ret_index = i;
        }
    }
    return BT_OK;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Rows to look at until `wanted` of `count` were met, which are spread over `all`. */
static int64_t cost(int64_t wanted, int64_t count, int64_t all)
{
    if (count <= 0)
        return all;
    return wanted > all / count * count ? all : least(all, wanted * (all / count + 1));
}

static void along_states(struct cursors *cursors, int64_t chunk)
{
    for (int state = 0; state < BT_STATE_COUNT; state++)
        if (cursors->filter->states & 1u << state)
            push(cursors, (struct cursor){.kind = ALONG_STATE,
                                          .name = bt_str_of(bt_state_name((enum bt_state)state)),
                                          .chunk = chunk});
}

static void along_flows(struct cursors *cursors, int64_t chunk)
{
    const struct filter *filter = cursors->filter;
    for (size_t i = 0; i < filter->combos.count; i++) {
        const struct combo *combo = &filter->combos.items[i];
        push(cursors, (struct cursor){.kind = ALONG_FLOW,
                                      .name = bt_str_of(bt_state_name(combo->state)),
                                      .flow = combo->flow,
                                      .chunk = least(chunk, 1 + chunk * 2 * combo->count /
                                                                    (filter->ever + 1))});
    }
}

static void along_label(struct cursors *cursors, size_t index, int64_t chunk)
{
    const struct filter *filter = cursors->filter;
    const struct bt_exec_query *query = filter->query;
    push(cursors,
         (struct cursor){.kind = ALONG_LABEL,
                         .name = bt_map_key(query->labels, index),
                         .value = bt_value_str(bt_map_at(query->labels, index, NULL)),
                         .chunk = chunk,
                         .is_exact = bt_value_count(query->labels) == 1 &&
                                     bt_value_count(query->no_labels) == 0 &&
                                     query->child == BT_CHILD_ANY && filter->has_all_flows &&
                                     filter->states == (1u << BT_STATE_COUNT) - 1});
}

static int choose(struct cursors *cursors, uint64_t wanted, struct bt_err *err)
{
    const struct filter *filter = cursors->filter;
    const struct bt_exec_query *query = filter->query;
    int64_t want = wanted < INT32_MAX ? (int64_t)wanted : INT32_MAX, all, label_count;
    int64_t chunk = least(want + 1, CHUNK_MAX);
    size_t label = 0;
    if (query->parent.len) {
        push(cursors, (struct cursor){.kind = ALONG_PARENT, .name = query->parent, .chunk = chunk});
        return BT_OK;
    }
    BT_TRY(filter_all(filter, &all, err));
    BT_TRY(rarest_label(filter, &label, &label_count, err));
    /* Executions that match have the labels too, in proportion. */
    int64_t met = least(want, filter->ever);
    int64_t by_flow = (int64_t)filter->combos.count * SEEK_COST + met;
    int64_t by_state = cost(want, filter->ever, all);
    if (label_count < INT64_MAX) {
        int64_t by_label = PROBE_COST * least(label_count, cost(want, filter->ever, all));
        if (by_label <= PROBE_COST * least(filter->ever, cost(want, label_count, all))) {
            along_label(cursors, label, chunk);
            return BT_OK;
        }
    }
    if (!filter->has_all_flows && filter->combos.count <= CURSORS_MAX && by_flow <= by_state)
        along_flows(cursors, chunk);
    else
        along_states(cursors, chunk);
    if (filter->ids.count)
        push(cursors, (struct cursor){.kind = ALONG_IDS});
    return BT_OK;
}

int cursors_open(const struct filter *filter, bool is_ascending, uint64_t wanted,
                 struct cursors **ret_cursors, struct bt_err *err)
{
    struct cursors *cursors = calloc(1, sizeof *cursors);
    if (!cursors)
        return bt_fail_mem(err, "the list");
    cursors->filter = filter;
    cursors->is_ascending = is_ascending;
    cursors->looks = INT64_MAX;
    int rc = choose(cursors, wanted, err);
    if (rc < 0) {
        cursors_close(cursors);
        return rc;
    }
    *ret_cursors = cursors;
    return BT_OK;
}

void cursors_close(struct cursors *cursors)
{
    for (size_t i = 0; i < cursors->items.count; i++)
        bt_vec_done(&cursors->items.items[i].read);
    bt_vec_done(&cursors->items);
    free(cursors);
}

void cursors_limit(struct cursors *cursors, int64_t looks)
{
    cursors->looks = looks;
}

bool cursors_are_cut(const struct cursors *cursors)
{
    return cursors->is_cut;
}

/* --- Merging ---------------------------------------------------------------------------------- */

/* The cursor whose next key is first; NULL: all have ended. */
static int first_cursor(struct cursors *cursors, struct cursor **ret_first, struct bt_err *err)
{
    *ret_first = NULL;
    for (size_t i = 0; i < cursors->items.count; i++) {
        struct cursor *cursor = &cursors->items.items[i];
        if (cursor->at == cursor->read.count && !cursor->is_done)
            BT_TRY(read_chunk(cursors, cursor, err));
        if (cursor->at == cursor->read.count)
            continue;
        int64_t key = cursor->read.items[cursor->at].key;
        if (!*ret_first ||
            (key < (*ret_first)->read.items[(*ret_first)->at].key) == cursors->is_ascending)
            *ret_first = cursor;
    }
    return BT_OK;
}

static int accept(const struct filter *filter, const struct cursor *cursor, struct found found,
                  bool *ret_is, struct bt_err *err)
{
    *ret_is = true;
    if (cursor->is_exact)
        return BT_OK;
    switch (cursor->kind) {
    case ALONG_STATE: *ret_is = filter_has_flow(filter, found.flow); break;
    case ALONG_LABEL:
    case ALONG_PARENT: return filter_probe(filter, found.key, ret_is, err);
    case ALONG_FLOW:
    case ALONG_IDS: break;
    }
    return *ret_is && filter->has_probes ? filter_probe_rest(filter, found.key, ret_is, err)
                                         : BT_OK;
}

int cursors_next(struct cursors *cursors, int64_t *ret_key, struct bt_err *err)
{
    struct cursor *first;
    bool is = false;
    *ret_key = 0;
    while (!is) {
        BT_TRY(first_cursor(cursors, &first, err));
        if (!first)
            return BT_OK;
        if (!first->is_exact && cursors->looks-- <= 0) {
            cursors->is_cut = true;
            return BT_OK;
        }
        struct found found = first->read.items[first->at++];
        BT_TRY(accept(cursors->filter, first, found, &is, err));
        if (is)
            *ret_key = found.key;
    }
    return BT_OK;
}

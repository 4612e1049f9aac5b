/* list.c — Lists of flows and executions, with their totals. */
#include "base/own.h"
#include "engine/execution/codec.h"
#include "store/sqlite/filter.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

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

static const char sql_record[] = "SELECT record FROM executions WHERE key=?1";
static const char sql_sorted[] = "SELECT duration_us,end_us,id FROM executions WHERE key=?1";

enum { GATHER_COST = 8, GATHER_FREE = 1000 };

typedef BT_VEC(int64_t) key_vec;

/* A page on its way. */
struct page {
    const struct bt_exec_query *query;
    uint64_t skip, left; /* That are still to be passed over; to be taken. */
    key_vec keys;
};

/* False: the page is full. */
static bool take(struct page *page, int64_t key)
{
    if (page->skip > 0) {
        page->skip--;
        return true;
    }
    if (page->left == 0)
        return false;
    bt_vec_push(&page->keys, key);
    return --page->left > 0;
}

static int list_by_key(struct filter *filter, bool is_ascending, struct page *page,
                       struct bt_err *err)
{
    struct cursors *cursors;
    int64_t key;
    if (page->left == 0)
        return BT_OK;
    BT_TRY(filter_skip(filter, is_ascending, &page->skip, err));
    BT_TRY(cursors_open(filter, is_ascending, page->skip + page->left, &cursors, err));
    int rc = cursors_next(cursors, &key, err);
    while (rc == BT_OK && key && take(page, key))
        rc = cursors_next(cursors, &key, err);
    cursors_close(cursors);
    return rc;
}

/* --- By duration, end, id --------------------------------------------------------------------- */

struct sortable {
    int64_t key, value;
    bool has_value;
    struct bt_id id;
};
typedef BT_VEC(struct sortable) sortables;

static int compare_sortables(const void *a, const void *b)
{
    const struct sortable *one = a, *two = b;
    int by_id = strcmp(one->id.text, two->id.text);
    if (by_id)
        return by_id;
    if (one->value != two->value)
        return one->value < two->value ? -1 : 1;
    return (one->key > two->key) - (one->key < two->key);
}

static int read_sortable(const struct filter *filter, int64_t key, sortables *found,
                         struct bt_err *err)
{
    sqlite3_stmt *statement;
    bool is_row;
    struct sortable sortable = {.key = key};
    enum bt_exec_sort sort = filter->query->sort;
    BT_TRY(bt_db_prepare(filter->db, sql_sorted, &statement, err));
    (void)sqlite3_bind_int64(statement, 1, key);
    BT_TRY(bt_db_step(filter->db, statement, &is_row, err));
    if (!is_row)
        return BT_OK;
    int column = sort == BT_SORT_END ? 1 : 0;
    if (sort == BT_SORT_ID)
        (void)snprintf(sortable.id.text, sizeof sortable.id.text, "%.*s",
                       BT_FMT(bt_db_text(statement, 2)));
    else
        sortable.value = sqlite3_column_int64(statement, column);
    sortable.has_value =
        sort == BT_SORT_ID || sqlite3_column_type(statement, column) != SQLITE_NULL;
    (void)sqlite3_reset(statement); /* Done with. */
    bt_vec_push(found, sortable);
    return BT_OK;
}

/* Reads all that match and sorts them: for few. */
static int list_gathered(const struct filter *filter, struct page *page, struct bt_err *err)
{
    struct cursors *cursors;
    int64_t key;
    sortables found = {0};
    BT_TRY(cursors_open(filter, false, UINT64_MAX, &cursors, err));
    int rc = cursors_next(cursors, &key, err);
    while (rc == BT_OK && key) {
        rc = read_sortable(filter, key, &found, err);
        if (rc == BT_OK)
            rc = cursors_next(cursors, &key, err);
    }
    cursors_close(cursors);
    if (found.count)
        qsort(found.items, found.count, sizeof *found.items, compare_sortables);
    for (size_t i = 0; i < found.count; i++) {
        size_t at = page->query->is_ascending ? i : found.count - 1 - i;
        if (found.items[at].has_value)
            (void)take(page, found.items[at].key); /* Takes no more than there is room for. */
    }
    bt_vec_done(&found);
    return rc;
}

static int list_along(const struct filter *filter, struct page *page, struct bt_err *err)
{
    struct ordered *ordered;
    int64_t key;
    BT_TRY(ordered_open(filter, &ordered, err));
    int rc = ordered_next(ordered, &key, err);
    while (rc == BT_OK && key && take(page, key))
        rc = ordered_next(ordered, &key, err);
    ordered_close(ordered);
    return rc;
}

static uint32_t ended_states(void)
{
    uint32_t states = 0;
    for (int state = 0; state < BT_STATE_COUNT; state++)
        states |= (uint32_t)bt_state_is_ended((enum bt_state)state) << state;
    return states;
}

/* Along the order's index, or by gathering, whatever looks at fewer rows. */
static int list_by_value(const struct filter *filter, const struct bt_total *total,
                         struct page *page, struct bt_err *err)
{
    int64_t all;
    uint64_t wanted = page->skip + page->left;
    BT_TRY(filter_all(filter, &all, err));
    double along = total->count ? (double)wanted * (double)all / (double)total->count : (double)all;
    bool is_few = !total->is_capped &&
                  (total->count <= GATHER_FREE || (double)total->count * GATHER_COST < along);
    return is_few ? list_gathered(filter, page, err) : list_along(filter, page, err);
}

/* Those that have ended by value; then the others, newest or oldest first. */
static int list_ended(struct bt_db *db, const struct bt_total *total, struct page *page,
                      struct bt_err *err)
{
    const uint32_t ended = ended_states(),
                   parts[2] = {ended, ~ended & ((1u << BT_STATE_COUNT) - 1)};
    int rc = BT_OK;
    for (int i = 0; rc == BT_OK && i < 2; i++) {
        struct bt_exec_query query = *page->query;
        struct filter filter;
        query.states = query.states ? query.states & parts[i] : parts[i];
        if (!query.states)
            continue;
        BT_TRY(filter_init(db, &query, &filter, err));
        rc = i == 0 ? list_by_value(&filter, total, page, err)
                    : list_by_key(&filter, query.is_ascending, page, err);
        filter_done(&filter);
    }
    return rc;
}

/* --- By namespace, flow, state ---------------------------------------------------------------- */

/* The flows whose executions stand together, or a state. */
struct group {
    struct bt_flow_cond cond;
    uint32_t states;
};
typedef BT_VEC(struct group) group_vec;

static int compare_groups(const void *a, const void *b)
{
    return bt_str_cmp(((const struct group *)a)->cond.text, ((const struct group *)b)->cond.text);
}

static void make_groups(const struct bt_exec_query *query, const named_flows *flows,
                        group_vec *groups)
{
    for (int state = 0; query->sort == BT_SORT_STATE && state < BT_STATE_COUNT; state++)
        if (!query->states || query->states & 1u << state)
            bt_vec_push(groups,
                        ((struct group){{.text = bt_str_of(bt_state_name((enum bt_state)state))},
                                        1u << state}));
    for (size_t i = 0; query->sort != BT_SORT_STATE && i < flows->count; i++) {
        bool is_flow = query->sort == BT_SORT_FLOW;
        const char *name = is_flow ? flows->items[i].id : flows->items[i].namespace;
        bt_vec_push(groups, ((struct group){{.field = is_flow ? BT_FIELD_FLOW : BT_FIELD_NAMESPACE,
                                             .op = BT_OP_IS,
                                             .text = bt_str_of(name),
                                             .any = UINT32_MAX},
                                            query->states}));
    }
    if (groups->count)
        qsort(groups->items, groups->count, sizeof *groups->items, compare_groups);
    size_t kept = 0;
    for (size_t i = 0; i < groups->count; i++)
        if (i == 0 || compare_groups(&groups->items[i], &groups->items[kept - 1]) != 0)
            groups->items[kept++] = groups->items[i];
    groups->count = kept;
}

static int list_group(struct bt_db *db, const struct group *group, struct page *page,
                      struct bt_err *err)
{
    struct bt_exec_query query = *page->query;
    BT_VEC(struct bt_flow_cond) conds = {0};
    struct filter filter;
    struct bt_total total = {0};
    for (size_t i = 0; i < query.cond_count; i++)
        bt_vec_push(&conds, query.conds[i]);
    if (query.sort != BT_SORT_STATE)
        bt_vec_push(&conds, group->cond);
    query.conds = conds.items;
    query.cond_count = conds.count;
    query.states = group->states;
    int rc = filter_init(db, &query, &filter, err);
    if (rc == BT_OK) {
        if (!filter.has_probes)
            rc = total_of(&filter, &total, err);
        if (rc == BT_OK && !filter.has_probes && !total.is_capped &&
            (uint64_t)total.count <= page->skip)
            page->skip -= (uint64_t)total.count; /* All of it is before the page. */
        else if (rc == BT_OK)
            rc = list_by_key(&filter, false, page, err);
        filter_done(&filter);
    }
    bt_vec_done(&conds);
    return rc;
}

static int list_grouped(struct bt_db *db, struct page *page, struct bt_err *err)
{
    group_vec groups = {0};
    named_flows flows = {0};
    struct bt_exec_query wide = *page->query;
    wide.text = BT_STR_NONE; /* A word may be in an id of any flow. */
    int rc = page->query->sort == BT_SORT_STATE ? BT_OK : filter_flows(db, &wide, &flows, err);
    if (rc == BT_OK)
        make_groups(page->query, &flows, &groups);
    for (size_t i = 0; rc == BT_OK && page->left > 0 && i < groups.count; i++)
        rc = list_group(db, &groups.items[page->query->is_ascending ? i : groups.count - 1 - i],
                        page, err);
    bt_vec_done(&groups);
    named_flows_done(&flows);
    return rc;
}

/* --- The page --------------------------------------------------------------------------------- */

static int read_keys(struct bt_db *db, struct page *page, struct bt_total *ret_total,
                     struct bt_err *err)
{
    struct filter filter;
    BT_TRY(filter_init(db, page->query, &filter, err));
    int rc = total_of(&filter, ret_total, err);
    if (rc == BT_OK && page->left > 0) {
        switch (page->query->sort) {
        case BT_SORT_START: rc = list_by_key(&filter, page->query->is_ascending, page, err); break;
        case BT_SORT_ID: rc = list_by_value(&filter, ret_total, page, err); break;
        case BT_SORT_END:
        case BT_SORT_DURATION: rc = list_ended(db, ret_total, page, err); break;
        case BT_SORT_NAMESPACE:
        case BT_SORT_FLOW:
        case BT_SORT_STATE: rc = list_grouped(db, page, err); break;
        }
    }
    filter_done(&filter);
    return rc;
}

typedef BT_VEC(struct bt_exec *) exec_vec;

static int read_execs(struct bt_db *db, const key_vec *keys, exec_vec *execs, struct bt_err *err)
{
    for (size_t i = 0; i < keys->count; i++) {
        struct bt_exec *exec = NULL;
        sqlite3_stmt *statement;
        bool is_row;
        BT_TRY(bt_db_prepare(db, sql_record, &statement, err));
        (void)sqlite3_bind_int64(statement, 1, keys->items[i]);
        BT_TRY(bt_db_step(db, statement, &is_row, err));
        if (!is_row)
            continue;
        int rc = bt_exec_decode(bt_db_text(statement, 0), &exec, err);
        (void)sqlite3_reset(statement); /* Done with. */
        BT_TRY(rc);
        exec->key = (uint64_t)keys->items[i];
        bt_vec_push(execs, exec);
    }
    return BT_OK;
}

/* Gives all; what the receiver does not take is freed. */
static int give_execs(exec_vec *execs, const struct bt_exec_sink *sink, int rc)
{
    for (size_t i = 0; i < execs->count; i++) {
        if (rc == BT_OK)
            rc = sink->each(sink->data, execs->items[i]);
        else
            (void)bt_exec_free(execs->items[i]); /* NULL. */
    }
    bt_vec_done(execs);
    return rc;
}

/* The newest of one of the filter's flows. */
static int latest_of(const struct filter *filter, int64_t flow, key_vec *keys, struct bt_err *err)
{
    struct filter one = *filter;
    struct page page = {filter->query, 0, filter->query->limit, *keys};
    one.combos = (__typeof__(one.combos)){0};
    one.flows.items = &flow;
    one.flows.count = one.flows.cap = 1;
    one.has_all_flows = false;
    one.ever = 0;
    one.ids.count = 0;
    for (size_t i = 0; i < filter->combos.count; i++) {
        if (filter->combos.items[i].flow != flow)
            continue;
        bt_vec_push(&one.combos, filter->combos.items[i]);
        one.ever += filter->combos.items[i].count;
    }
    int rc = one.combos.count ? list_by_key(&one, false, &page, err) : BT_OK;
    *keys = page.keys;
    bt_vec_done(&one.combos);
    return rc;
}

static int latest_keys(struct bt_db *db, const struct bt_exec_query *query, key_vec *keys,
                       struct bt_err *err)
{
    struct filter filter;
    named_flows flows = {0};
    BT_TRY(filter_init(db, query, &filter, err));
    int rc = filter_flows(db, query, &flows, err);
    for (size_t i = 0; rc == BT_OK && i < flows.count; i++)
        rc = latest_of(&filter, flows.items[i].key, keys, err);
    named_flows_done(&flows);
    filter_done(&filter);
    return rc;
}

int list_latest(struct bt_store *store, const struct bt_exec_query *query,
                const struct bt_exec_sink *sink, struct bt_err *err)
{
    struct sqlite_store *self = (struct sqlite_store *)store;
    struct reader *reader;
    key_vec keys = {0};
    exec_vec execs = {0};
    assert(query->flows); /* Without them the combos are not by flow. */
    BT_TRY(store_take(self, &reader, err));
    int rc = bt_db_exec(&reader->db, "BEGIN", err);
    if (rc == BT_OK)
        rc = latest_keys(&reader->db, query, &keys, err);
    if (rc == BT_OK)
        rc = read_execs(&reader->db, &keys, &execs, err);
    bt_db_rollback(&reader->db);
    store_give(self, reader);
    bt_vec_done(&keys);
    return give_execs(&execs, sink, rc);
}

/* One transaction for total and page, over before the receiver is called: it may be slow, and the
 * log of the database cannot be emptied while somebody reads. */
int list_execs(struct bt_store *store, const struct bt_exec_query *query,
               const struct bt_exec_sink *sink, struct bt_total *ret_total, struct bt_err *err)
{
    struct sqlite_store *self = (struct sqlite_store *)store;
    struct page page = {query, query->skip, query->limit, {0}};
    struct reader *reader;
    exec_vec execs = {0};
    *ret_total = (struct bt_total){0};
    BT_TRY(store_take(self, &reader, err));
    int rc = bt_db_exec(&reader->db, "BEGIN", err);
    if (rc == BT_OK)
        rc = read_keys(&reader->db, &page, ret_total, err);
    if (rc == BT_OK)
        rc = read_execs(&reader->db, &page.keys, &execs, err);
    bt_db_rollback(&reader->db);
    store_give(self, reader);
    bt_vec_done(&page.keys);
    return give_execs(&execs, sink, rc);
}

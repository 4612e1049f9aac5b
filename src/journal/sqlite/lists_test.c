/* lists_test.c — Goal: lists and totals are right whichever way they are read, and the ways are
 * those of docs/queries.md. Method: random executions written through the journal; random queries
 * beside a plain filter and sort of all of them; plans of all statements; a reader that is slow. */
#include "store/sqlite/filter.h"

#include "base/own.h"
#include "base/rng.h"
#include "journal/sqlite/sqlite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { EXECS = 1500, FLOWS = 11, PAGE_MAX = 40 };

static const char *const namespaces[] = {"prod", "prod.sales", "prod.sales.eu", "production",
                                         "dev"};

struct bench {
    char dir[64], path[96];
    struct bt_db db;
    struct bt_journal *journal;
    struct bt_store *store;
    struct bt_exec *execs[EXECS]; /* In the order of keys. */
    struct bt_rng rng;
};

static uint64_t below(struct bench *bench, uint64_t limit)
{
    return bt_rng_below(&bench->rng, limit);
}

static struct bt_exec *make_exec(struct bench *bench, uint64_t key, int64_t *start_us)
{
    static const enum bt_state states[] = {BT_SUCCESS, BT_SUCCESS, BT_SUCCESS, BT_FAILED,
                                           BT_WARNING, BT_RUNNING, BT_PAUSED,  BT_KILLED};
    struct bt_exec *exec = bt_exec_new();
    assert_non_null(exec);
    uint64_t flow = below(bench, 3) ? below(bench, 3) : below(bench, FLOWS);
    exec->key = key;
    *start_us += (int64_t)below(bench, 7200) * 1000000;
    exec->id = bt_id_make(*start_us / 1000, key, key * 7919);
    (void)snprintf(exec->tenant, sizeof exec->tenant, "main");
    (void)snprintf(exec->namespace, sizeof exec->namespace, "%s", namespaces[flow % 5]);
    (void)snprintf(exec->flow_id, sizeof exec->flow_id, "load-%s%d", flow % 2 ? "orders" : "",
                   (int)flow);
    exec->state = states[below(bench, BT_COUNT(states))];
    assert_int_equal(bt_histories_add(&exec->histories, *start_us, BT_CREATED), BT_OK);
    int64_t end_us = *start_us + (int64_t)below(bench, 100000000);
    assert_int_equal(bt_histories_add(&exec->histories, end_us, exec->state), BT_OK);
    exec->is_drained = bt_state_is_ended(exec->state);
    exec->labels = bt_map_new(0);
    (void)bt_map_puts(exec->labels, "team", bt_value_cstr(below(bench, 2) ? "red" : "blue"));
    if (below(bench, 20) == 0)
        (void)bt_map_puts(exec->labels, "rare", bt_value_cstr("yes"));
    if (below(bench, 6))
        return exec;
    struct bt_value *variables = bt_map_new(0);
    (void)bt_map_puts(variables, "executionId", bt_value_cstr(below(bench, 2) ? "up" : "other"));
    exec->trigger = bt_map_new(0);
    (void)bt_map_puts(exec->trigger, "variables", variables);
    return exec;
}

static int open_bench(void **state)
{
    static struct bench bench;
    memset(&bench, 0, sizeof bench);
    *state = &bench;
    bench.rng = (struct bt_rng){11};
    (void)snprintf(bench.dir, sizeof bench.dir, "/tmp/baton-list-XXXXXX");
    if (!mkdtemp(bench.dir))
        return 1;
    (void)snprintf(bench.path, sizeof bench.path, "%s/x.db", bench.dir);
    assert_int_equal(bt_db_open(bench.path, BT_DB_TEMPORARY, &bench.db, NULL), BT_OK);
    assert_int_equal(bt_journal_sqlite(&bench.db, &bench.journal, NULL), BT_OK);
    assert_int_equal(bt_store_sqlite(bench.path, NULL, &bench.store, NULL), BT_OK);
    int64_t start_us = INT64_C(1700000000000000);
    for (size_t i = 0; i < EXECS; i++)
        bench.execs[i] = make_exec(&bench, i + 1, &start_us);
    struct bt_batch batch = {.execs = (const struct bt_exec *const *)bench.execs,
                             .exec_count = EXECS};
    assert_int_equal(bench.journal->ops->commit(bench.journal, &batch, NULL), BT_OK);
    return 0;
}

static int close_bench(void **state)
{
    struct bench *bench = *state;
    static const char *const names[] = {"x.db", "x.db-wal", "x.db-shm"};
    bench->store->ops->close(bench->store);
    bench->journal->ops->close(bench->journal);
    bt_db_close(&bench->db);
    for (size_t i = 0; i < EXECS; i++)
        bt_exec_free(bench->execs[i]);
    for (size_t i = 0; i < BT_COUNT(names); i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", bench->dir, names[i]);
        (void)unlink(path);
    }
    return rmdir(bench->dir);
}

/* --- The plain way ---------------------------------------------------------------------------- */

static int64_t start_of(const struct bt_exec *exec)
{
    return bt_histories_at(&exec->histories, 0)->at_us;
}

static int64_t end_of(const struct bt_exec *exec)
{
    return bt_histories_at(&exec->histories, exec->histories.count - 1)->at_us;
}

static bool has_labels(const struct bt_exec *exec, const struct bt_value *labels, bool wanted)
{
    for (size_t i = 0; i < bt_value_count(labels); i++) {
        struct bt_str want = bt_value_str(bt_map_at(labels, i, NULL));
        struct bt_str have = bt_value_str(bt_map_get(exec->labels, bt_map_key(labels, i)));
        if (bt_str_eq(have, want) != wanted)
            return false;
    }
    return true;
}

static bool in_namespace(struct bt_str name, struct bt_str namespace)
{
    return !namespace.len || bt_str_eq(name, namespace) ||
           (bt_str_starts(name, namespace) && name.at[namespace.len] == '.');
}

/* The words that the queries below use, known by hand. */
static bool has_text(const struct bt_exec *exec, struct bt_str text)
{
    if (bt_str_is(text, "sal ORD"))
        return strstr(exec->namespace, "sales") && strstr(exec->flow_id, "orders");
    if (bt_str_is(text, "load"))
        return true;
    return !text.len || bt_str_is(text, exec->id.text);
}

static bool matches(const struct bt_exec *exec, const struct bt_exec_query *query)
{
    struct bt_str namespace = bt_str_of(exec->namespace);
    struct bt_str parent = bt_map_str(bt_map_gets(exec->trigger, "variables"), "executionId");
    for (size_t i = 0; i < query->cond_count; i++)
        if (bt_str_eq(namespace, query->conds[i].text) == query->conds[i].is_negated)
            return false;
    return in_namespace(namespace, query->namespace) &&
           (!query->flow_id.len ||
            (bt_str_is(query->flow_id, exec->flow_id) &&
             (!query->namespace.len || bt_str_eq(namespace, query->namespace)))) &&
           (!query->states || query->states & 1u << exec->state) &&
           (!query->from_us || start_of(exec) >= query->from_us) &&
           (!query->to_us || start_of(exec) <= query->to_us) &&
           has_labels(exec, query->labels, true) && has_labels(exec, query->no_labels, false) &&
           (!query->parent.len || bt_str_eq(parent, query->parent)) &&
           (query->child == BT_CHILD_ANY || (parent.len > 0) == (query->child == BT_CHILD_ONLY)) &&
           has_text(exec, query->text);
}

static const struct bt_exec_query *sorted_by;

static int compare_values(const struct bt_exec *one, const struct bt_exec *two)
{
    int64_t a = start_of(one), b = start_of(two);
    switch (sorted_by->sort) {
    case BT_SORT_ID: return strcmp(one->id.text, two->id.text);
    case BT_SORT_NAMESPACE: return strcmp(one->namespace, two->namespace);
    case BT_SORT_FLOW: return strcmp(one->flow_id, two->flow_id);
    case BT_SORT_STATE: return strcmp(bt_state_name(one->state), bt_state_name(two->state));
    case BT_SORT_END: a = end_of(one), b = end_of(two); break;
    case BT_SORT_DURATION: a = end_of(one) - a, b = end_of(two) - b; break;
    case BT_SORT_START: a = (int64_t)one->key, b = (int64_t)two->key; break;
    }
    return (a > b) - (a < b);
}

/* Negative: `one` may stand before `two`; 0: in any order. */
static int compare_execs(const void *a, const void *b)
{
    const struct bt_exec *one = *(const struct bt_exec *const *)a,
                         *two = *(const struct bt_exec *const *)b;
    bool by_value = sorted_by->sort == BT_SORT_END || sorted_by->sort == BT_SORT_DURATION;
    if (by_value && one->is_drained != two->is_drained)
        return one->is_drained ? -1 : 1;
    int order = by_value && !one->is_drained ? (one->key > two->key) - (one->key < two->key)
                                             : compare_values(one, two);
    return sorted_by->is_ascending ? order : -order;
}

struct got {
    struct bt_exec *execs[PAGE_MAX];
    size_t count;
};

static int keep(void *data, struct bt_exec *exec)
{
    struct got *got = data;
    assert_true(got->count < PAGE_MAX);
    got->execs[got->count++] = exec;
    return BT_OK;
}

/* Compares a page with the plain way: the same places have executions of equal order. */
static void check_query(struct bench *bench, const struct bt_exec_query *query, const char *what)
{
    static struct bt_exec *all[EXECS];
    struct got got = {.count = 0};
    struct bt_total total;
    struct bt_err err = BT_ERR_INIT;
    size_t count = 0;
    for (size_t i = 0; i < EXECS; i++)
        if (matches(bench->execs[i], query))
            all[count++] = bench->execs[i];
    sorted_by = query;
    qsort(all, count, sizeof *all, compare_execs);
    if (bench->store->ops->execs(bench->store, query, &(struct bt_exec_sink){keep, &got}, &total,
                                 &err) < 0)
        fail_msg("%s: %s", what, err.msg);
    size_t want = count > query->skip ? count - query->skip : 0;
    want = want > query->limit ? query->limit : want;
    if (got.count != want || total.count != (int64_t)count || total.is_capped)
        fail_msg("%s: %zu of %lld instead of %zu of %zu", what, got.count, (long long)total.count,
                 want, count);
    for (size_t i = 0; i < want; i++) {
        const struct bt_exec *const have = got.execs[i], *const here = all[query->skip + i];
        const struct bt_exec *stored = bench->execs[have->key - 1];
        if (!matches(stored, query) || compare_execs(&stored, &here) != 0)
            fail_msg("%s: row %zu is %llu instead of %llu", what, i, (unsigned long long)have->key,
                     (unsigned long long)here->key);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(got.execs[j]->key, have->key);
    }
    for (size_t i = 0; i < got.count; i++)
        bt_exec_free(got.execs[i]);
}

static void test_random(void **state)
{
    struct bench *bench = *state;
    static const uint32_t masks[] = {0,
                                     0,
                                     1u << BT_FAILED,
                                     1u << BT_RUNNING | 1u << BT_PAUSED,
                                     1u << BT_SUCCESS | 1u << BT_RUNNING,
                                     1u << BT_CANCELLED};
    static const char *const texts[] = {"", "", "", "sal ORD", "load"};
    static const char *const parents[] = {"", "", "", "up", "nobody"};
    static const uint64_t skips[] = {0, 0, 7, 100, 1400, 5000};
    for (int round = 0; round < 4000; round++) {
        char what[64];
        BT_VALUE labels = bt_map_new(0), *none = bt_map_new(0);
        struct bt_flow_cond cond = {
            .op = BT_OP_IS, .is_negated = true, .text = bt_str_of(namespaces[below(bench, 5)])};
        const struct bt_exec *some = bench->execs[below(bench, EXECS)],
                             *other = bench->execs[below(bench, EXECS)];
        (void)snprintf(what, sizeof what, "round %d", round);
        struct bt_exec_query query = {.tenant = "main",
                                      .text = bt_str_of(texts[below(bench, 5)]),
                                      .states = masks[below(bench, BT_COUNT(masks))],
                                      .parent = bt_str_of(parents[below(bench, 5)]),
                                      .sort = (enum bt_exec_sort)below(bench, BT_SORT_STATE + 1),
                                      .is_ascending = below(bench, 2),
                                      .skip = skips[below(bench, BT_COUNT(skips))],
                                      .limit = 1 + below(bench, PAGE_MAX),
                                      .conds = &cond,
                                      .cond_count = below(bench, 4) == 0};
        if (below(bench, 3) == 0)
            query.namespace = bt_str_of(namespaces[below(bench, 5)]);
        if (below(bench, 4) == 0)
            query.flow_id = bt_str_of(some->flow_id);
        if (below(bench, 3) == 0)
            query.from_us = start_of(some) + (int64_t)below(bench, 3) - 1;
        if (below(bench, 3) == 0)
            query.to_us = start_of(other) + (int64_t)below(bench, 3) - 1;
        if (below(bench, 3) == 0)
            (void)bt_map_puts(labels, "team", bt_value_cstr("red"));
        if (below(bench, 6) == 0)
            (void)bt_map_puts(labels, "rare", bt_value_cstr("yes"));
        if (below(bench, 6) == 0)
            (void)bt_map_puts(none, "team", bt_value_cstr("blue"));
        if (below(bench, 20) == 0)
            query.text = bt_str_of(some->id.text);
        query.child = below(bench, 4) ? BT_CHILD_ANY : (enum bt_exec_child)below(bench, 3);
        query.labels = labels;
        query.no_labels = none;
        check_query(bench, &query, what);
    }
}

/* Nobody sees what belongs to another tenant. */
static void test_tenants(void **state)
{
    struct bench *bench = *state;
    struct got got = {.count = 0};
    struct bt_total total;
    struct bt_exec_query query = {.tenant = "other", .limit = 5};
    assert_int_equal(bench->store->ops->execs(bench->store, &query,
                                              &(struct bt_exec_sink){keep, &got}, &total, NULL),
                     BT_OK);
    assert_int_equal(got.count + (size_t)total.count, 0);
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = bt_exec_new();
    exec->key = EXECS + 1;
    exec->id = bt_id_make(1, 2, 3);
    (void)snprintf(exec->tenant, sizeof exec->tenant, "other");
    (void)snprintf(exec->namespace, sizeof exec->namespace, "dev");
    (void)snprintf(exec->flow_id, sizeof exec->flow_id, "f");
    assert_int_equal(bt_histories_add(&exec->histories, INT64_C(1900000000000000), BT_CREATED),
                     BT_OK);
    const struct bt_exec *execs[] = {exec};
    struct bt_batch batch = {.execs = execs, .exec_count = 1};
    assert_int_equal(bench->journal->ops->commit(bench->journal, &batch, NULL), BT_OK);
    assert_int_equal(bench->store->ops->execs(bench->store, &query,
                                              &(struct bt_exec_sink){keep, &got}, &total, NULL),
                     BT_OK);
    assert_int_equal(got.count, 1);
    assert_int_equal(total.count, 1);
    bt_exec_free(got.execs[0]);
    query = (struct bt_exec_query){.tenant = "main", .limit = 5};
    check_query(bench, &query, "main beside another tenant");
}

/* Receives slowly: meanwhile the log of the database must be emptied. */
static int slow(void *data, struct bt_exec *exec)
{
    struct bench *bench = data;
    int left = -1, done = -1;
    bt_exec_free(exec);
    assert_int_equal(bt_db_exec(&bench->db, "UPDATE executions SET revision=revision+1", NULL),
                     BT_OK);
    assert_int_equal(
        sqlite3_wal_checkpoint_v2(bench->db.handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, &left, &done),
        SQLITE_OK);
    assert_int_equal(left, 0);
    return BT_OK;
}

static void test_slow_reader(void **state)
{
    struct bench *bench = *state;
    struct bt_total total;
    struct stat log;
    char wal[128];
    struct bt_exec_query query = {.tenant = "main", .limit = 20};
    (void)snprintf(wal, sizeof wal, "%s-wal", bench->path);
    assert_int_equal(bench->store->ops->execs(bench->store, &query,
                                              &(struct bt_exec_sink){slow, bench}, &total, NULL),
                     BT_OK);
    assert_int_equal(stat(wal, &log), 0);
    assert_int_equal(log.st_size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_tenants, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_slow_reader, open_bench, close_bench),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

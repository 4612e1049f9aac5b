/* others_test.c — Goal: what executions do to others is done once, whatever fails: subflows are
 * made, told and killed; slots of a flow are held, waited for and free again; replays copy what
 * they need. Method: a runner over SQLite in memory whose commits fail, and which dies and comes
 * back. */
#include "journal/runner/bench_int.h"

#define CHILD "id: child\nnamespace: a\ntasks:\n  - {id: p, type: pause}\n"
#define PARENT                                                                                     \
    "id: parent\nnamespace: a\ntasks:\n  - id: each\n    type: foreach\n    concurrencyLimit: 0\n" \
    "    values: [1, 2, 3]\n    tasks:\n      - {id: s, type: subflow, namespace: a, flowId: "     \
    "child}\n"                                                                                     \
    "      - {id: t, type: log, message: x}\n"

static struct bt_event resume_event(uint32_t n)
{
    return (struct bt_event){.kind = BT_EVENT_RESUME, .taskrun = n};
}

/* Every second commit fails, and the process dies now and then; not before what was sent is
 * committed. */
static void rough(struct bench *bench, bool is_rough)
{
    int64_t wake_us;
    for (int i = 0; i < 200; i++) {
        bench->commit_fails = is_rough && i % 2 == 1;
        bool is_busy = bt_runner_turn(bench->runner, &wake_us);
        bench->wall_us += 300000;
        if (is_rough && i % 5 == 3)
            restart(bench);
        if (!is_busy && bench->commit_fails == 0 && i > 20)
            break;
    }
    bench->commit_fails = 0;
    settle(bench);
}

static void check_children(struct bench *bench, bool is_rough)
{
    put_flow(bench, CHILD);
    put_flow(bench, PARENT);
    create(bench, "parent", NULL);
    rough(bench, is_rough);
    assert_int_equal(count(bench, "SELECT count(*) FROM executions"), 4);
    assert_int_equal(count(bench, "SELECT count(*) FROM executions WHERE state='PAUSED'"), 3);
    assert_int_equal(count(bench, "SELECT count(*) FROM executions WHERE super=1"), 3);
}

static void test_resumed(void **state)
{
    (void)state;
    for (int is_rough = 0; is_rough < 2; is_rough++) {
        struct bench bench;
        bench_open(&bench);
        check_children(&bench, is_rough);
        for (uint64_t key = 2; key <= 4; key++)
            assert_int_equal(bt_runner_event(bench.runner, key, resume_event(1), NULL), BT_OK);
        rough(&bench, is_rough);
        check_state(&bench, 1, BT_SUCCESS);
        assert_int_equal(count(&bench, "SELECT count(*) FROM task_runs WHERE exec=1"), 7);
        check_empty(&bench);
        bench_done(&bench);
    }
}

static void test_killed(void **state)
{
    (void)state;
    for (int is_rough = 0; is_rough < 2; is_rough++) {
        struct bench bench;
        bench_open(&bench);
        check_children(&bench, is_rough);
        assert_int_equal(bt_runner_kill(bench.runner, 1, NULL), BT_OK);
        rough(&bench, is_rough);
        assert_int_equal(count(&bench, "SELECT count(*) FROM executions WHERE state='KILLED'"), 4);
        check_empty(&bench);
        bench_done(&bench);
    }
}

#define ONE                                                                                        \
    "id: one\nnamespace: a\nconcurrency: {limit: 1}\ntasks:\n  - {id: t, type: sleep, duration: "  \
    "PT1S}\n"

static int64_t count_of(struct bench *bench, const char *which)
{
    char sql[256];
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM executions WHERE %s", which);
    return count(bench, sql);
}

/* How many hold a slot, never more than one, until all have ended. */
static void test_slots(void **state)
{
    (void)state;
    for (int is_rough = 0; is_rough < 2; is_rough++) {
        struct bench bench;
        bench_open(&bench);
        put_flow(&bench, ONE);
        for (int i = 0; i < 6; i++)
            create(&bench, "one", NULL);
        for (int i = 0; i < 400; i++) {
            int64_t wake_us;
            bench.commit_fails = is_rough && i % 3 == 1;
            (void)bt_runner_turn(bench.runner, &wake_us);
            assert_true(count_of(&bench, "slot=1") <= 1);
            assert_true(count_of(&bench, "state='RUNNING'") <= 1);
            if (is_rough && i % 7 == 6)
                restart(&bench);
            if (i == 10)
                assert_int_equal(bt_runner_kill(bench.runner, 4, NULL), BT_OK); /* It waits. */
            bench.wall_us += 200000;
        }
        bench.commit_fails = 0;
        settle(&bench);
        assert_int_equal(count_of(&bench, "slot IS NOT NULL"), 0);
        assert_int_equal(count_of(&bench, "state='SUCCESS'"), 5);
        check_state(&bench, 4, BT_KILLED);
        check_empty(&bench);
        bench_done(&bench);
    }
}

static int slot_fails; /* So many times. */
static const struct bt_journal_ops *slot_real;

static int b_slots(struct bt_journal *j, const struct bt_exec *of,
                   int (*each)(void *data, uint64_t key, enum bt_slot slot), void *data,
                   struct bt_err *err)
{
    BT_TRY(fails(&slot_fails, err));
    return slot_real->slots(j, of, each, data, err);
}

static int put_one(struct bench *bench, struct bt_reply *reply)
{
    struct bt_flow *flow = parse(ONE);
    int rc = bt_runner_put_flow(bench->runner, "main", flow, BT_PUT_ANY, reply);
    bt_flow_unref(flow);
    settle(bench);
    return rc < 0 ? rc : bt_reply_wait(reply, NULL);
}

/* A flow gets its first limit while its slots cannot be read: the caller is told, nothing of it is
 * stored, and the same flow is stored once when it is put again. */
static void test_limit_comes(void **state)
{
    (void)state;
    static const char before[] = "id: one\nnamespace: a\ntasks:\n"
                                 "  - {id: t, type: sleep, duration: PT1S}\n";
    struct bench bench;
    bench_open(&bench);
    slot_real = bench.real;
    bench.ops.slots = b_slots;
    put_flow(&bench, before);
    create(&bench, "one", NULL);
    settle(&bench);
    slot_fails = 1;
    struct bt_reply *reply = bt_reply_new();
    assert_int_equal(put_one(&bench, reply), BT_IO);
    bt_reply_free(reply);
    assert_int_equal(slot_fails, 0);
    assert_int_equal(count(&bench, "SELECT count(*) FROM flow_revisions"), 1);
    bench.wall_us += 1000000;
    settle(&bench);
    reply = bt_reply_new();
    assert_int_equal(put_one(&bench, reply), BT_OK);
    assert_int_equal(bt_reply_number(reply), 2);
    bt_reply_free(reply);
    assert_int_equal(count(&bench, "SELECT count(*) FROM flow_revisions"), 2);
    bench_done(&bench);
}

#define REPLAYED                                                                                   \
    "id: r\nnamespace: a\ntasks:\n"                                                                \
    "  - {id: a, type: return, format: A}\n"                                                       \
    "  - id: each\n    type: foreach\n    values: [1, 2, 3]\n    tasks:\n"                         \
    "      - {id: x, type: return, format: \"x{{ taskrun.value }}\"}\n"                            \
    "      - {id: y, type: return, format: \"{{ outputs.x[taskrun.value].value }}\"}\n"            \
    "  - {id: p, type: parallel, tasks: [{id: q, type: log, message: q}, {id: z, type: log, "      \
    "message: z}]}\n"                                                                              \
    "  - {id: last, type: return, format: \"{{ outputs.a.value }} {{ outputs.y['3'].value }}\"}\n"

/* Runs of the new execution by how they came to be: kept ones have the times of the old. */
static void check_replay(struct bench *bench, const char *task, const char *value, int64_t anew)
{
    char sql[512];
    (void)snprintf(sql, sizeof sql,
                   "SELECT n FROM task_runs WHERE exec=1 AND task_id='%s' AND value='%s'", task,
                   value);
    struct bt_replay replay = {.source = 1, .n = (uint32_t)count(bench, sql)};
    struct bt_reply *reply = bt_reply_new();
    bench->wall_us += 1000000;
    assert_int_equal(bt_runner_replay(bench->runner, &replay, reply), BT_OK);
    settle(bench);
    assert_int_equal(bt_reply_wait(reply, NULL), BT_OK);
    uint64_t key = bt_reply_number(reply);
    bt_reply_free(reply);
    check_state(bench, key, BT_SUCCESS);
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM task_runs WHERE exec=%d", (int)key);
    assert_int_equal(count(bench, sql), 12);
    (void)snprintf(sql, sizeof sql,
                   "SELECT count(*) FROM task_runs WHERE exec=%d AND record->'$.h' NOT IN (SELECT "
                   "record->'$.h' FROM task_runs WHERE exec=1)",
                   (int)key);
    if (count(bench, sql) != anew)
        fail_msg("from %s[%s] %d ran anew", task, value, (int)count(bench, sql));
    (void)snprintf(sql, sizeof sql,
                   "SELECT record->>'$.o.value'='A x3' FROM task_runs WHERE exec=%d AND "
                   "task_id='last'",
                   (int)key);
    assert_int_equal(count(bench, sql), 1);
    check_empty(bench);
}

static void test_replay(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    put_flow(&bench, REPLAYED);
    create(&bench, "r", NULL);
    settle(&bench);
    check_replay(&bench, "last", "", 1);
    check_replay(&bench, "q", "", 3);     /* q, p, last; z is kept. */
    check_replay(&bench, "y", "2", 8);    /* y2, each, x3, y3, p, q, z, last. */
    check_replay(&bench, "each", "", 11); /* All but a. */
    check_replay(&bench, "a", "", 12);
    struct bt_replay none = {.source = 1, .n = 99};
    struct bt_reply *reply = bt_reply_new();
    assert_int_equal(bt_runner_replay(bench.runner, &none, reply), BT_OK);
    settle(&bench);
    assert_int_equal(bt_reply_wait(reply, NULL), BT_NOT_FOUND);
    bt_reply_free(reply);
    bench_done(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resumed), cmocka_unit_test(test_killed),
        cmocka_unit_test(test_slots),   cmocka_unit_test(test_limit_comes),
        cmocka_unit_test(test_replay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* codec_test.c — Goal: rows and events come back as they were written; what is newer, cut or broken
 * is refused, never guessed. Method: full and empty rows through text and back; every prefix. */
#include "engine/execution/codec.h"
#include "engine/execution/lab_int.h"
#include "value/json.h"

static struct bt_value *json(const char *text)
{
    struct bt_value *value = NULL;
    assert_int_equal(bt_json_parse(bt_str_of(text), NULL, &value, NULL), BT_OK);
    return value;
}

static void check_equal(const struct bt_value *a, const struct bt_value *b)
{
    assert_true((a == NULL) == (b == NULL));
    assert_true(bt_value_equal(a, b));
}

static void check_histories(const struct bt_histories *a, const struct bt_histories *b)
{
    assert_int_equal(a->count, b->count);
    for (uint32_t i = 0; i < a->count; i++) {
        assert_int_equal(bt_histories_at(a, i)->at_us, bt_histories_at(b, i)->at_us);
        assert_int_equal(bt_histories_at(a, i)->state, bt_histories_at(b, i)->state);
    }
}

static void check_group(const struct bt_group *a, const struct bt_group *b)
{
    assert_int_equal(a->phase, b->phase);
    assert_int_equal(a->list, b->list);
    assert_int_equal(a->lanes, b->lanes);
    assert_int_equal(a->next, b->next);
    assert_int_equal(a->open, b->open);
    assert_int_equal(a->side_next, b->side_next);
    assert_int_equal(a->side_open, b->side_open);
    assert_int_equal(a->failed, b->failed);
    assert_int_equal(a->warned, b->warned);
    assert_int_equal(a->killed, b->killed);
    assert_int_equal(a->side_failed, b->side_failed);
    assert_int_equal(a->is_open_queued, b->is_open_queued);
}

static const struct bt_group full_group = {.phase = BT_PHASE_ERRORS,
                                           .list = 2,
                                           .lanes = 3,
                                           .next = 4,
                                           .open = 5,
                                           .side_next = 6,
                                           .side_open = 7,
                                           .failed = 8,
                                           .warned = 9,
                                           .killed = 10,
                                           .side_failed = true,
                                           .is_open_queued = true};

static struct bt_exec *full_exec(void)
{
    struct bt_exec *exec = bt_exec_new();
    assert_non_null(exec);
    *exec = (struct bt_exec){.id = bt_id_make(1, 2, 3),
                             .tenant = "t \"x\"",
                             .namespace = "a.b",
                             .flow_id = "f",
                             .revision = 4,
                             .group = full_group,
                             .next_n = 4000000000u,
                             .live = 6,
                             .attempt_number = 2,
                             .is_killing = true,
                             .is_failure = true,
                             .is_finishing = true,
                             .is_drained = true};
    for (int i = 0; i < 20; i++) /* Beyond the inline ones. */
        assert_int_equal(bt_histories_add(&exec->histories, i * INT64_C(1700000000000000),
                                          i % 2 ? BT_RUNNING : BT_RETRYING),
                         BT_OK);
    exec->state = BT_RUNNING;
    exec->labels = json("{\"a\":\"b\"}");
    exec->inputs = json("{\"n\":9223372036854775807,\"d\":0.1,\"x\":null,\"t\":\"\\u0000é\"}");
    exec->variables = json("{\"v\":[1,{\"w\":true}]}");
    exec->outputs = json("{}");
    exec->trigger = json("{\"k\":123456789012345678901234567890}");
    return exec;
}

static void test_exec(void **state)
{
    (void)state;
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = full_exec(), *back = NULL;
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(1 << 20);
    assert_int_equal(bt_exec_encode(exec, &text), BT_OK);
    assert_int_equal(bt_exec_decode(bt_buf_str(&text), &back, NULL), BT_OK);
    assert_string_equal(back->id.text, exec->id.text);
    assert_string_equal(back->tenant, exec->tenant);
    assert_string_equal(back->namespace, exec->namespace);
    assert_string_equal(back->flow_id, exec->flow_id);
    assert_int_equal(back->revision, 4);
    assert_int_equal(back->state, BT_RUNNING);
    check_histories(&back->histories, &exec->histories);
    check_equal(back->labels, exec->labels);
    check_equal(back->inputs, exec->inputs);
    check_equal(back->variables, exec->variables);
    check_equal(back->outputs, exec->outputs);
    check_equal(back->trigger, exec->trigger);
    check_group(&back->group, &exec->group);
    assert_int_equal(back->next_n, 4000000000u);
    assert_int_equal(back->live, 6);
    assert_int_equal(back->attempt_number, 2);
    assert_true(back->is_killing && back->is_failure && back->is_finishing && back->is_drained);
}

static struct bt_taskrun *full_run(void)
{
    struct bt_taskrun *run = bt_taskrun_new();
    assert_non_null(run);
    *run = (struct bt_taskrun){.n = 7,
                               .parent = 3,
                               .task = 2,
                               .lane = 999999,
                               .state = BT_RUNNING,
                               .id = bt_id_make(5, 6, 7),
                               .token = INT64_MAX,
                               .group = full_group};
    assert_int_equal(bt_histories_add(&run->histories, 10, BT_CREATED), BT_OK);
    assert_int_equal(bt_histories_add(&run->histories, 20, BT_RUNNING), BT_OK);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(bt_taskrun_attempt_add(run, 100 + i), BT_OK);
        run->attempts[i].end_us = 200 + i;
        run->attempts[i].state = BT_FAILED;
    }
    assert_int_equal(bt_taskrun_attempt_add(run, 300), BT_OK);
    run->value = bt_value_cstr("{\"quoted\"}\n");
    run->outputs = json("{\"o\":[1,2]}");
    run->metrics = json("[{\"name\":\"m\",\"value\":1.5}]");
    return run;
}

static void test_taskrun(void **state)
{
    (void)state;
    BT_CLEANUP(bt_taskrun_free_p) struct bt_taskrun *run = full_run(), *back = NULL;
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(1 << 20);
    assert_int_equal(bt_taskrun_encode(run, &text), BT_OK);
    assert_int_equal(bt_taskrun_decode(bt_buf_str(&text), &back, NULL), BT_OK);
    assert_int_equal(back->n, 7);
    assert_int_equal(back->parent, 3);
    assert_int_equal(back->task, 2);
    assert_int_equal(back->lane, 999999);
    assert_int_equal(back->state, BT_RUNNING);
    assert_string_equal(back->id.text, run->id.text);
    assert_int_equal(back->token, INT64_MAX);
    check_equal(back->value, run->value);
    check_histories(&back->histories, &run->histories);
    assert_int_equal(back->told, 2); /* The listener knows what is stored. */
    assert_int_equal(back->attempt_count, 6);
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(back->attempts[i].start_us, run->attempts[i].start_us);
        assert_int_equal(back->attempts[i].end_us, run->attempts[i].end_us);
        assert_int_equal(back->attempts[i].state, run->attempts[i].state);
    }
    check_equal(back->outputs, run->outputs);
    check_equal(back->metrics, run->metrics);
    check_group(&back->group, &run->group);
}

/* What is absent stays absent, and a group not begun is not written. */
static void test_empty(void **state)
{
    (void)state;
    BT_CLEANUP(bt_taskrun_free_p) struct bt_taskrun *run = bt_taskrun_new(), *back = NULL;
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(1 << 20);
    run->n = 1;
    run->group.list = BT_NO_TASK;
    assert_int_equal(bt_histories_add(&run->histories, 0, BT_CREATED), BT_OK);
    assert_int_equal(bt_taskrun_encode(run, &text), BT_OK);
    assert_int_equal(bt_taskrun_decode(bt_buf_str(&text), &back, NULL), BT_OK);
    assert_null(back->value);
    assert_null(back->outputs);
    assert_null(back->metrics);
    assert_int_equal(back->token, 0);
    assert_int_equal(back->attempt_count, 0);
    check_group(&back->group, &run->group);
    assert_true(bt_str_find(bt_buf_str(&text), BT_STR("\"g\""), 0) < 0);
}

static void test_events(void **state)
{
    (void)state;
    for (int kind = 0; kind < BT_EVENT_KIND_COUNT; kind++) {
        struct bt_event event = {.kind = (enum bt_event_kind)kind,
                                 .taskrun = 5,
                                 .child = 6,
                                 .token = INT64_MAX,
                                 .timer = BT_TIMER_TIMEOUT,
                                 .state = BT_WARNING,
                                 .at_us = -1,
                                 .end_us = INT64_MAX,
                                 .outputs = json("{\"a\":1}"),
                                 .metrics = json("[]"),
                                 .error = bt_value_cstr("broken\n")};
        struct bt_event back = {0};
        BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(1 << 20);
        assert_int_equal(bt_event_encode(&event, &text), BT_OK);
        assert_int_equal(bt_event_decode(bt_buf_str(&text), &back, NULL), BT_OK);
        assert_int_equal(back.kind, kind);
        assert_int_equal(back.taskrun, 5);
        assert_int_equal(back.child, 6);
        assert_int_equal(back.token, INT64_MAX);
        assert_int_equal(back.timer, BT_TIMER_TIMEOUT);
        assert_int_equal(back.state, BT_WARNING);
        assert_int_equal(back.at_us, -1);
        assert_int_equal(back.end_us, INT64_MAX);
        check_equal(back.outputs, event.outputs);
        check_equal(back.metrics, event.metrics);
        check_equal(back.error, event.error);
        bt_event_done(&event);
        bt_event_done(&back);
    }
}

/* How each kind of record reads a text: the code. */
static int decode_exec(struct bt_str text)
{
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    struct bt_err err = BT_ERR_INIT;
    int rc = bt_exec_decode(text, &exec, &err);
    assert_true(rc == BT_OK || (rc == BT_CORRUPT && err.msg[0] && !exec));
    return rc;
}
static int decode_run(struct bt_str text)
{
    BT_CLEANUP(bt_taskrun_free_p) struct bt_taskrun *run = NULL;
    struct bt_err err = BT_ERR_INIT;
    int rc = bt_taskrun_decode(text, &run, &err);
    assert_true(rc == BT_OK || (rc == BT_CORRUPT && err.msg[0] && !run));
    return rc;
}
static int decode_event(struct bt_str text)
{
    struct bt_event event = {0};
    struct bt_err err = BT_ERR_INIT;
    int rc = bt_event_decode(text, &event, &err);
    assert_true(rc == BT_OK || (rc == BT_CORRUPT && err.msg[0]));
    bt_event_done(&event);
    return rc;
}

/* Every prefix of a record, and the record of a newer program. */
static void check_record(struct bt_buf *text, int (*decode)(struct bt_str text))
{
    assert_int_equal(decode(bt_buf_str(text)), BT_OK);
    for (size_t len = 0; len < text->len; len++) {
        char *copy = malloc(len ? len : 1); /* So that reading past it is found. */
        assert_non_null(copy);
        memcpy(copy, text->at, len);
        assert_int_equal(decode((struct bt_str){copy, len}), BT_CORRUPT);
        free(copy);
    }
    ptrdiff_t at = bt_str_find(bt_buf_str(text), BT_STR("\"v\":1"), 0);
    assert_true(at > 0);
    text->at[at + 4] = '2';
    assert_int_equal(decode(bt_buf_str(text)), BT_CORRUPT);
    text->at[at + 4] = '0';
    assert_int_equal(decode(bt_buf_str(text)), BT_CORRUPT);
    text->at[at + 4] = '1';
    assert_int_equal(decode(bt_buf_str(text)), BT_OK);
}

static void test_cut(void **state)
{
    (void)state;
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = full_exec();
    BT_CLEANUP(bt_taskrun_free_p) struct bt_taskrun *run = full_run();
    struct bt_event event = {.kind = BT_EVENT_RESULT, .error = bt_value_cstr("x")};
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(1 << 20);
    assert_int_equal(bt_exec_encode(exec, &text), BT_OK);
    check_record(&text, decode_exec);
    bt_buf_clear(&text);
    assert_int_equal(bt_taskrun_encode(run, &text), BT_OK);
    check_record(&text, decode_run);
    bt_buf_clear(&text);
    assert_int_equal(bt_event_encode(&event, &text), BT_OK);
    check_record(&text, decode_event);
    bt_event_done(&event);
}

static const char long_tenant[] =
    "{\"v\":1,\"h\":[[1,\"CREATED\"]],\"a\":[[1,2,\"x\"]],\"t\":\""
    "a-tenant-that-is-longer-than-the-room-for-it-which-is-64-bytes-with-the-final-nul\"}";

static void test_broken(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "null",
        "[]",
        "{}",
        "{\"v\":\"1\"}",
        "{\"v\":1}",
        "{\"v\":1,\"h\":[]}",
        "{\"v\":1,\"h\":[[1,\"NEW\"]]}",
        "{\"v\":1,\"h\":[1]}",
        "{\"v\":1,\"h\":[[1]]}",
        "{\"v\":1,\"e\":-1,\"s\":\"CREATED\"}",
        "{\"v\":1,\"e\":99,\"s\":\"CREATED\"}",
        "{\"v\":1,\"e\":0,\"s\":\"created\"}",
        "{\"v\":1,\"e\":4294967296,\"s\":\"CREATED\"}",
        "{\"v\":1,\"h\":[[1,\"CREATED\"]],\"g\":[4]}",
        "{\"v\":1,\"e\":7,\"tm\":9,\"s\":\"CREATED\"}",
        "{\"v\":1,\"id\":\"more-than-22-characters-of-an-id\",\"h\":[[1,\"CREATED\"]]}",
        long_tenant,
    };
    for (size_t i = 0; i < BT_COUNT(texts); i++) {
        if (decode_exec(bt_str_of(texts[i])) == BT_OK || decode_run(bt_str_of(texts[i])) == BT_OK ||
            decode_event(bt_str_of(texts[i])) == BT_OK)
            fail_msg("%s was read", texts[i]);
    }
}

/* Random bytes changed in a good record: an answer or BT_CORRUPT, never a crash. */
static void test_noise(void **state)
{
    (void)state;
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = full_exec();
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(1 << 20);
    assert_int_equal(bt_exec_encode(exec, &text), BT_OK);
    struct bt_rng rng = {42};
    for (int i = 0; i < 2000; i++) {
        size_t at = bt_rng_below(&rng, text.len);
        char was = text.at[at];
        text.at[at] = (char)bt_rng_next(&rng);
        (void)decode_exec(bt_buf_str(&text));
        (void)decode_run(bt_buf_str(&text));
        text.at[at] = was;
    }
}

static void test_buffer_limit(void **state)
{
    (void)state;
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = full_exec();
    BT_CLEANUP(bt_buf_done) struct bt_buf full = BT_BUF_INIT(1 << 20);
    assert_int_equal(bt_exec_encode(exec, &full), BT_OK);
    BT_CLEANUP(bt_buf_done) struct bt_buf fits = BT_BUF_INIT(full.len);
    BT_CLEANUP(bt_buf_done) struct bt_buf small = BT_BUF_INIT(full.len - 1);
    assert_int_equal(bt_exec_encode(exec, &fits), BT_OK);
    assert_int_equal(bt_exec_encode(exec, &small), BT_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exec),  cmocka_unit_test(test_taskrun),
        cmocka_unit_test(test_empty), cmocka_unit_test(test_events),
        cmocka_unit_test(test_cut),   cmocka_unit_test(test_broken),
        cmocka_unit_test(test_noise), cmocka_unit_test(test_buffer_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

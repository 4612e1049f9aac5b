/* Goal: each task on files does what it says, in the original's words where it fails, ends when it
 * is killed, and holds no file in memory. Method: jobs through a real worker over local storage. */
#include "worker/worker_case.h"

#define BASE "baton:///company/team/flow/executions/exec/"

static void put(const char *uri, struct bt_str text)
{
    struct bt_file_writer *writer = NULL;
    assert_int_equal(bt_files_create(files, "main", bt_str_of(uri), &writer, NULL), BT_OK);
    assert_int_equal(bt_file_write(writer, text.at, text.len, NULL), BT_OK);
    assert_int_equal(bt_file_commit(writer, NULL), BT_OK);
}

static void expect_file(struct bt_str uri, const char *want)
{
    BT_FD fd = -1;
    char text[4096];
    assert_int_equal(bt_files_open(files, "main", uri, &fd, NULL), BT_OK);
    ssize_t len = read(fd, text, sizeof text - 1);
    text[len > 0 ? len : 0] = '\0';
    assert_string_equal(text, want);
}

static bool exists(const char *uri)
{
    int64_t size;
    return bt_files_size(files, "main", bt_str_of(uri), &size, NULL) == BT_OK;
}

static const struct bt_value *good(const char *type, const char *spec)
{
    struct bt_job_result *result = run(type, spec);
    assert_int_equal(result->state, BT_SUCCESS);
    return result->outputs;
}

static void bad(const char *type, const char *spec, const char *want)
{
    struct bt_job_result *result = run(type, spec);
    assert_int_equal(result->state, BT_FAILED);
    assert_null(result->outputs);
    assert_string_equal(result->error, want);
}

/* --- Whole files ------------------------------------------------------------------------------ */

static void test_concat(void **state)
{
    (void)state;
    put(BASE "a.txt", BT_STR("a\n"));
    put(BASE "b.txt", BT_STR("b"));
    const struct bt_value *outputs =
        good("storage.concat", "    files: ['" BASE "a.txt', '" BASE "b.txt']\n");
    struct bt_str uri = bt_map_str(outputs, "uri");
    assert_true(bt_str_starts(uri, BT_STR(BASE "tasks/task/run")));
    assert_true(bt_str_ends(uri, BT_STR("/concat.tmp")));
    expect_file(uri, "a\nb");
    outputs = good("io.kestra.core.tasks.storages.Concat",
                   "    files: '[\"" BASE "{{ \"a\" }}.txt\", \"" BASE "b.txt\"]'\n"
                   "    separator: \"--\\n\"\n    extension: .csv\n");
    expect_file(bt_map_str(outputs, "uri"), "a\n--\nb--\n");
    assert_true(bt_str_ends(bt_map_str(outputs, "uri"), BT_STR(".csv")));
    good("storage.concat", "    files: []\n");
    bad("storage.concat", "    files: {a: b}\n",
        "Invalid `files` properties with type 'class java.util.LinkedHashMap'");
    bad("storage.concat", "    files: ['" BASE "none']\n",
        "files: file '" BASE "none' does not exist");
    bad("storage.concat", "    files: ['/etc/passwd']\n",
        "files: '/etc/passwd' is not a URI of the internal storage");
}

static void test_size_and_write(void **state)
{
    (void)state;
    const struct bt_value *outputs =
        good("storage.write", "    content: \"hello {{ inputs.name }}\"\n    extension: .txt\n");
    struct bt_str uri = bt_map_str(outputs, "uri");
    expect_file(uri, "hello world");
    char spec[512];
    (void)snprintf(spec, sizeof spec, "    uri: '%.*s'\n", BT_FMT(uri));
    expect_json(good("io.kestra.plugin.core.storage.Size", spec), "{\"size\":11}");
    outputs = good("storage.write", "    content: ''\n");
    assert_true(bt_str_ends(bt_map_str(outputs, "uri"), BT_STR("/write.tmp")));
    struct bt_job_result *result =
        run("storage.write", "    content: x\n    extension: /../../x\n");
    assert_int_equal(result->state, BT_FAILED);
}

static void test_delete(void **state)
{
    (void)state;
    put(BASE "a.txt", BT_STR("a"));
    put("baton:///company/team/flow/executions/other/a.txt", BT_STR("a"));
    expect_json(good("storage.delete", "    uri: '" BASE "a.txt'\n"),
                "{\"uri\":\"" BASE "a.txt\",\"deleted\":true}");
    expect_json(good("storage.delete", "    uri: '" BASE "a.txt'\n"),
                "{\"uri\":\"" BASE "a.txt\",\"deleted\":false}");
    bad("storage.delete", "    uri: 'kestra:///a.txt'\n    errorOnMissing: true\n",
        "Unable to find file 'kestra:///a.txt'");
    bad("storage.delete", "    uri: 'baton:///company/team/flow/executions/other/a.txt'\n",
        "Unable to delete the file 'baton:///company/team/flow/executions/other/a.txt' as it "
        "didn't "
        "belong to the current execution");
    assert_true(exists("baton:///company/team/flow/executions/other/a.txt"));
}

static void test_purge(void **state)
{
    (void)state;
    put(BASE "inputs/in.txt", BT_STR("a"));
    put(BASE "tasks/t/r/a/b.txt", BT_STR("a"));
    put(BASE "outputs/r-1.json", BT_STR("{}"));
    put("baton:///company/team/flow/executions/exec2/a.txt", BT_STR("a"));
    const struct bt_value *outputs = good("storage.purge_execution", "");
    assert_int_equal(bt_value_count(bt_map_gets(outputs, "uris")), 2);
    assert_false(exists(BASE "inputs/in.txt"));
    assert_false(exists(BASE "tasks/t/r/a/b.txt"));
    assert_true(exists(BASE "outputs/r-1.json")); /* The engine's, not the flow's. */
    assert_true(exists("baton:///company/team/flow/executions/exec2/a.txt"));
    expect_json(good("io.kestra.core.tasks.storages.PurgeExecution", ""), "{\"uris\":[]}");
}

static void test_local_files(void **state)
{
    (void)state;
    put(BASE "a.txt", BT_STR("from storage"));
    const struct bt_value *outputs =
        good("storage.local_files", "    inputs: {d/x.txt: '{{ inputs.name }}', y.bin: '" BASE
                                    "a.txt'}\n    outputs: ['**.txt', 'y.bin']\n");
    const struct bt_value *uris = bt_map_gets(outputs, "uris");
    assert_int_equal(bt_value_count(uris), 2);
    expect_file(bt_map_str(uris, "d/x.txt"), "world");
    expect_file(bt_map_str(uris, "y.bin"), "from storage");
    expect_json(good("storage.local_files", "    inputs: '{\"a\": \"b\"}'\n"), "{\"uris\":{}}");
    bad("storage.local_files", "    inputs: {../x: y}\n",
        "inputFiles: '../x': The path to resolve must be a relative path inside the current "
        "working directory.");
}

/* --- Lines ------------------------------------------------------------------------------------ */

static void test_split(void **state)
{
    (void)state;
    put(BASE "a.csv", BT_STR("1\n2\n3\n"));
    const struct bt_value *uris = bt_map_gets(
        good("storage.split", "    from: '" BASE "a.csv'\n    rows: '{{ 1 + 1 }}'\n"), "uris");
    assert_int_equal(bt_value_count(uris), 2);
    struct bt_str first = bt_value_str(bt_list_at(uris, 0));
    assert_true(bt_str_ends(first, BT_STR("/split-0000001.csv")));
    expect_file(first, "1\n2\n");
    expect_file(bt_value_str(bt_list_at(uris, 1)), "3\n");
    uris =
        bt_map_gets(good("storage.split", "    from: '" BASE "a.csv'\n    bytes: 1KB\n"), "uris");
    assert_int_equal(bt_value_count(uris), 1);
    bad("storage.split", "    from: '" BASE "a.csv'\n",
        "Invalid configuration with no size, count, nor rows");
    bad("storage.split", "    from: '" BASE "a.csv'\n    bytes: many\n",
        "Invalid size with value 'many'");
}

static void test_reverse(void **state)
{
    (void)state;
    static const struct {
        struct bt_str text;
        const char *more, *want;
    } rows[] = {
        {BT_STR(""), "", ""},
        {BT_STR("\n"), "", "\n"},
        {BT_STR("1\n2\n3\n"), "", "3\n2\n1\n"},
        {BT_STR("1\n2\n3"), "", "3\n2\n1\n"},
        {BT_STR("1\r\n2\r\n"), "", "2\n1\n"},
        {BT_STR("1\r2\r\r3"), "", "3\n\n2\n1\n"},
        {BT_STR("\n1\n"), "    separator: ';'\n", "1;;"},
        {BT_STR("\xe4\n\xf6\n"), "    charset: ISO-8859-1\n", "\xf6\n\xe4\n"},
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        char spec[256];
        put(BASE "a.txt", rows[i].text);
        (void)snprintf(spec, sizeof spec, "    from: '" BASE "a.txt'\n%s", rows[i].more);
        expect_file(bt_map_str(good("storage.reverse", spec), "uri"), rows[i].want);
    }
    put(BASE "a.txt", BT_STR("\x0a\x01\n\0b\0\r\0\n\0c\0")); /* U+010A is no end of a line. */
    const struct bt_value *outputs =
        good("storage.reverse", "    from: '" BASE "a.txt'\n    charset: utf-16le\n");
    BT_FD fd = -1;
    char text[32];
    assert_int_equal(bt_files_open(files, "main", bt_map_str(outputs, "uri"), &fd, NULL), BT_OK);
    assert_int_equal(read(fd, text, sizeof text), 12);
    assert_memory_equal(text, "c\0\n\0b\0\n\0\x0a\x01\n\0", 12);
    bad("storage.reverse", "    from: '" BASE "a.txt'\n    charset: UTF-16\n",
        "For UTF-16, you need to specify the byte order (use UTF-16BE or UTF-16LE)");
}

/* Lines longer than blocks, and ends of lines at their edges. */
static void test_reverse_blocks(void **state)
{
    (void)state;
    static const size_t lengths[] = {262142, 1, 262143, 262144, 600000, 0, 3, 262141};
    struct bt_buf text = BT_BUF_INIT(4 << 20), want = BT_BUF_INIT(4 << 20);
    for (size_t i = 0; i < BT_COUNT(lengths); i++) {
        for (size_t c = 0; c < lengths[i]; c++)
            (void)bt_buf_addc(&text, (char)('a' + i));
        (void)bt_buf_adds(&text, i % 2 ? "\n" : "\r\n");
        for (size_t c = 0; c < lengths[BT_COUNT(lengths) - 1 - i]; c++)
            (void)bt_buf_addc(&want, (char)('a' + BT_COUNT(lengths) - 1 - i));
        (void)bt_buf_addc(&want, '\n');
    }
    put(BASE "a.txt", bt_buf_str(&text));
    const struct bt_value *outputs = good("storage.reverse", "    from: '" BASE "a.txt'\n");
    BT_FD fd = -1;
    assert_int_equal(bt_files_open(files, "main", bt_map_str(outputs, "uri"), &fd, NULL), BT_OK);
    bt_buf_clear(&text);
    assert_int_equal(bt_buf_reserve(&text, want.len + 1), BT_OK);
    assert_int_equal(read(fd, text.at, want.len + 1), want.len);
    assert_memory_equal(text.at, want.at, want.len);
    bt_buf_done(&text);
    bt_buf_done(&want);
}

/* --- Rows ------------------------------------------------------------------------------------- */

#define ROWS                                                                                       \
    "{\"id\":1,\"name\":\"a\"}\n{\"id\":2,\"name\":\"b\"}\n\n{id:3,name:\"a\"}\r\n"                \
    "{\"id\":4,\"name\":\"c\"}"

static void test_filter(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *want, *counts;
    } rows[] = {
        {"    filterCondition: '{{ id > 2 }}'\n", "{id:3,name:\"a\"}\n{\"id\":4,\"name\":\"c\"}\n",
         "4,2"},
        {"    filterCondition: '{{ id > 2 }}'\n    filterType: EXCLUDE\n",
         "{\"id\":1,\"name\":\"a\"}\n{\"id\":2,\"name\":\"b\"}\n", "4,2"},
        {"    filterCondition: '{{ name == inputs.name }}'\n", "", "4,4"},
        {"    filterCondition: '{{ nothing }}'\n    errorOrNullBehavior: EXCLUDE\n", "", "4,4"},
        {"    filterCondition: '{{ id > 3 ? nothing : 1 }}'\n    errorOrNullBehavior: INCLUDE\n"
         "    filterType: EXCLUDE\n",
         "{\"id\":4,\"name\":\"c\"}\n", "4,3"},
    };
    put(BASE "a.ion", BT_STR(ROWS));
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        char spec[512], counts[64];
        (void)snprintf(spec, sizeof spec, "    from: '" BASE "a.ion'\n%s", rows[i].spec);
        const struct bt_value *outputs = good("storage.filter", spec);
        expect_file(bt_map_str(outputs, "uri"), rows[i].want);
        (void)snprintf(counts, sizeof counts, "%d,%d",
                       (int)bt_value_as_int(bt_map_gets(outputs, "processedItemsTotal")),
                       (int)bt_value_as_int(bt_map_gets(outputs, "droppedItemsTotal")));
        assert_string_equal(counts, rows[i].counts);
    }
    struct bt_job_result *result =
        run("storage.filter", "    from: '" BASE "a.ion'\n    filterCondition: '{{ nothing }}'\n");
    assert_int_equal(result->state, BT_FAILED);
    assert_non_null(strstr(result->error, "nothing"));
    assert_non_null(strstr(result->error, "line 1 of the file"));
    put(BASE "b.ion", BT_STR("{\"a\":1}\n<xml>\n"));
    result = run("storage.filter", "    from: '" BASE "b.ion'\n    filterCondition: '1'\n");
    assert_int_equal(result->state, BT_FAILED);
    assert_non_null(strstr(result->error, "line 2: neither JSON nor Ion"));
    result = run("storage.filter", "    from: '" BASE "a.ion'\n"
                                   "    filterCondition: \"{{ http('http://127.0.0.1') }}\"\n");
    assert_int_equal(result->state, BT_FAILED);
    assert_non_null(strstr(result->error, "http() is not available here"));
}

static void test_deduplicate(void **state)
{
    (void)state;
    put(BASE "a.ion", BT_STR(ROWS));
    const struct bt_value *outputs =
        good("storage.deduplicate", "    from: '" BASE "a.ion'\n    expr: '{{ name }}'\n");
    expect_file(bt_map_str(outputs, "uri"),
                "{\"id\":2,\"name\":\"b\"}\n{id:3,name:\"a\"}\n{\"id\":4,\"name\":\"c\"}\n");
    assert_int_equal(bt_value_as_int(bt_map_gets(outputs, "numKeys")), 3);
    assert_int_equal(bt_value_as_int(bt_map_gets(outputs, "processedItemsTotal")), 4);
    assert_int_equal(bt_value_as_int(bt_map_gets(outputs, "droppedItemsTotal")), 1);
    put(BASE "a.ion", BT_STR(""));
    outputs = good("storage.deduplicate", "    from: '" BASE "a.ion'\n    expr: '{{ name }}'\n");
    expect_file(bt_map_str(outputs, "uri"), "");
}

/* More keys than fit into open chunks: each stands twice, the second half stays. */
static void test_deduplicate_many(void **state)
{
    (void)state;
    enum { KEYS = 100000 };
    struct bt_buf text = BT_BUF_INIT(16 << 20);
    for (int i = 0; i < 2 * KEYS; i++)
        (void)bt_buf_addf(&text, "{\"k\":%d,\"n\":%d}\n", i % KEYS, i);
    put(BASE "a.ion", bt_buf_str(&text));
    const struct bt_value *outputs =
        good("storage.deduplicate", "    from: '" BASE "a.ion'\n    expr: '{{ k }}'\n");
    assert_int_equal(bt_value_as_int(bt_map_gets(outputs, "numKeys")), KEYS);
    BT_FD fd = -1;
    assert_int_equal(bt_files_open(files, "main", bt_map_str(outputs, "uri"), &fd, NULL), BT_OK);
    ptrdiff_t half = bt_str_find(bt_buf_str(&text), BT_STR("{\"k\":0,\"n\":100000}"), 0);
    assert_true(half > 0);
    size_t len = text.len - (size_t)half;
    char *got = malloc(len + 1);
    assert_non_null(got);
    assert_int_equal(read(fd, got, len + 1), len);
    assert_memory_equal(got, text.at + half, len);
    free(got);
    bt_buf_done(&text);
}

/* --- States ----------------------------------------------------------------------------------- */

static void test_state(void **state)
{
    (void)state;
    expect_json(good("state.get", ""), "{\"count\":0,\"data\":{}}");
    bad("state.get", "    name: x\n    errorOnMissing: true\n",
        "Unable to find the state file 'x'");
    expect_json(good("state.set", "    data: {a: {b: 1, l: [1]}, n: '{{ inputs.name }}'}\n"),
                "{\"count\":2,\"key\":\"flow_states_tasks-states_default\"}");
    expect_json(good("state.set", "    data: {a: {c: 2, l: [2]}, n: 5, z: null}\n"),
                "{\"count\":3,\"key\":\"flow_states_tasks-states_default\"}");
    expect_json(good("io.kestra.core.tasks.states.Get", ""),
                "{\"count\":3,\"data\":{\"a\":{\"b\":1,\"l\":[1,2],\"c\":2},\"n\":5,\"z\":null}}");
    expect_json(good("state.get", "    namespace: true\n"), "{\"count\":0,\"data\":{}}");
    assert_true(exists("baton:///company/team/flow/states/tasks-states/default"));
    expect_json(good("state.delete", ""), "{\"deleted\":true}");
    expect_json(good("state.delete", ""), "{\"deleted\":false}");
    bad("state.delete", "    errorOnMissing: true\n", "Unable to find the state file 'default'");
    bad("state.set", "    name: ../x\n", "name: must be the name of a file");
}

static void test_state_of_value(void **state)
{
    (void)state;
    static const char *const values[] = {"a", "b"};
    for (int i = 0; i < 4; i++) {
        struct bt_job *job =
            make_job(i < 2 ? "state.set" : "state.get", i == 0   ? "    data: {v: 1}\n"
                                                        : i == 1 ? "    data: {v: 2}\n"
                                                                 : "");
        BT_VALUE taskrun = bt_map_new(1);
        assert_int_equal(bt_map_puts(taskrun, "value", bt_value_cstr(values[i % 2])), BT_OK);
        assert_int_equal(bt_map_puts(job->variables, "taskrun", BT_TAKE(taskrun)), BT_OK);
        bt_worker_submit(worker, job);
        struct bt_job_result *result = wait_result(told.count + 1);
        assert_int_equal(result->state, BT_SUCCESS);
        if (i >= 2)
            expect_json(bt_map_gets(result->outputs, "data"), i == 2 ? "{\"v\":1}" : "{\"v\":2}");
    }
    expect_json(good("state.get", ""), "{\"count\":0,\"data\":{}}");
}

/* --- Ends ------------------------------------------------------------------------------------- */

/* A file of `mb` megabytes, lines of 100 bytes. */
static void put_large(const char *uri, int mb)
{
    struct bt_file_writer *writer = NULL;
    struct bt_buf block = BT_BUF_INIT(2 << 20);
    int line = 0;
    assert_int_equal(bt_files_create(files, "main", bt_str_of(uri), &writer, NULL), BT_OK);
    for (int i = 0; i < mb; i++) {
        bt_buf_clear(&block);
        for (; block.len < 1000000; line++)
            (void)bt_buf_addf(&block, "{\"id\":%9d,\"text\":\"%073d\"}\n", line, line % 1000);
        assert_int_equal(bt_file_write(writer, block.at, block.len, NULL), BT_OK);
    }
    assert_int_equal(bt_file_commit(writer, NULL), BT_OK);
    bt_buf_done(&block);
}

static void test_kill_and_timeout(void **state)
{
    (void)state;
    put_large(BASE "a.ion", 20);
    static const char spec[] = "    from: '" BASE "a.ion'\n"
                               "    filterCondition: '{% for i in 1..2000 %}{{ i }}{% endfor %}'\n";
    for (int is_timeout = 0; is_timeout < 2; is_timeout++) {
        struct bt_job *job = make_job("storage.filter", spec);
        uint64_t token = job->token;
        job->timeout_us = is_timeout ? 200000 : 0;
        int64_t begin_us = bt_clock_mono_us(bt_clock_system());
        bt_worker_submit(worker, job);
        if (!is_timeout) {
            (void)poll(NULL, 0, 200);
            bt_worker_kill(worker, token);
        }
        struct bt_job_result *result = wait_result(told.count + 1);
        assert_int_equal(result->state, is_timeout ? BT_FAILED : BT_KILLED);
        assert_null(result->outputs);
        assert_true(bt_clock_mono_us(bt_clock_system()) - begin_us < 2000000);
    }
    char uri[256];
    (void)snprintf(uri, sizeof uri, BASE "tasks/task/run%" PRIu64 "/filter.ion", next_token - 1);
    assert_false(exists(uri));
}

static long peak_kb(void)
{
    char text[4096];
    BT_FD fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t len = read(fd, text, sizeof text - 1);
    text[len > 0 ? len : 0] = '\0';
    const char *at = strstr(text, "VmHWM:");
    return at ? strtol(at + 6, NULL, 10) : 0;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { LARGE_MB = 10, ROWS_MB = 2, GROWTH_KB = 1 << 20 }; /* Shadows are no memory of ours. */
#else
enum { LARGE_MB = 200, ROWS_MB = 25, GROWTH_KB = 20 << 10 };
#endif

static void test_memory(void **state)
{
    (void)state;
    put_large(BASE "large.ion", LARGE_MB);
    put_large(BASE "rows.ion", ROWS_MB);
    good("storage.write", "    content: x\n"); /* The thread's own, once. */
    long before_kb = peak_kb();
    good("storage.concat", "    files: ['" BASE "large.ion']\n    separator: x\n");
    good("storage.reverse", "    from: '" BASE "large.ion'\n");
    const struct bt_value *uris = bt_map_gets(
        good("storage.split", "    from: '" BASE "large.ion'\n    partitions: 70\n"), "uris");
    assert_int_equal(bt_value_count(uris), 70);
    good("storage.filter",
         "    from: '" BASE "rows.ion'\n    filterCondition: '{{ id > 1000 }}'\n");
    good("storage.deduplicate", "    from: '" BASE "rows.ion'\n    expr: '{{ id }}'\n");
    long growth_kb = peak_kb() - before_kb;
    print_message("    grew by %ld KB\n", growth_kb);
    assert_true(growth_kb < GROWTH_KB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_concat),         CASE(test_size_and_write),   CASE(test_delete),
        CASE(test_purge),          CASE(test_local_files),      CASE(test_split),
        CASE(test_reverse),        CASE(test_reverse_blocks),   CASE(test_filter),
        CASE(test_deduplicate),    CASE(test_deduplicate_many), CASE(test_state),
        CASE(test_state_of_value), CASE(test_kill_and_timeout), CASE(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

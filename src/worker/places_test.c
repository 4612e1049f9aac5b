/* Goal: jobs of one place share a directory that is made, kept and removed as the engine says;
 * files of the namespace, inputs, outputs and the cache go in and out of it; nothing stays behind.
 * Method: OPEN, IN and CLOSE jobs made by hand, through a real worker. */
#include "worker/worker_case.h"

#define CHILD "    tasks: [{id: child, type: log, message: x}]\n"
#define CACHED "    cache: {ttl: PT1H, patterns: ['*.txt', 'lib/**']}\n" CHILD
#define CACHE_URI "baton:///company/team/flow/task/cache/cache.zip"

static int64_t now_us; /* Of the next jobs. */

static struct bt_job *place_job(uint64_t id, enum bt_place_op op, const char *type,
                                const char *spec)
{
    struct bt_job *job = make_job(type, spec);
    job->place = (struct bt_place){.id = id, .op = op, .saves_cache = op == BT_PLACE_CLOSE};
    job->now_us = now_us ? now_us : bt_clock_wall_us(bt_clock_system());
    return job;
}

static struct bt_job_result *run_job(struct bt_job *job)
{
    size_t before = told.count;
    bt_worker_submit(worker, job);
    struct bt_job_result *result = wait_result(before + 1);
    if (result->error)
        print_message("    %s\n", result->error);
    return result;
}

static void expect_run(uint64_t id, enum bt_place_op op, const char *type, const char *spec)
{
    assert_int_equal(run_job(place_job(id, op, type, spec))->state, BT_SUCCESS);
}

static void open_place(uint64_t id, const char *spec)
{
    expect_run(id, BT_PLACE_OPEN, "working_directory", spec);
}

static void run_in(uint64_t id, const char *commands)
{
    char spec[1024];
    (void)snprintf(spec, sizeof spec, "    commands: [\"%s\"]\n", commands);
    expect_run(id, BT_PLACE_IN, "shell", spec);
}

static struct bt_job_result *close_place(uint64_t id, const char *spec)
{
    struct bt_job_result *result =
        run_job(place_job(id, BT_PLACE_CLOSE, "working_directory", spec));
    assert_int_equal(result->state, BT_SUCCESS);
    return result;
}

static void wait_lost(unsigned count)
{
    struct timespec until = deadline();
    pthread_mutex_lock(&told.mutex);
    int rc = 0;
    while (told.lost_count < count && rc == 0)
        rc = pthread_cond_timedwait(&told.changed, &told.mutex, &until);
    pthread_mutex_unlock(&told.mutex);
    assert_int_equal(rc, 0);
}

static int count_places(const char *dir, const char *prefix)
{
    int count = 0;
    DIR *list = opendir(dir);
    struct dirent *entry;
    while (list && (entry = readdir(list))) {
        char path[512];
        bool is_such = strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
        (void)snprintf(path, sizeof path, "%.200s/%.200s", dir, entry->d_name);
        if (is_such)
            count += *prefix == 'w' ? count_places(path, "place-") : 1;
    }
    if (list)
        (void)closedir(list);
    return count;
}

/* Directories in that of the worker, once removals have had their time. */
static int places(int want)
{
    char work[96];
    (void)snprintf(work, sizeof work, "%s/work", root);
    int count = count_places(work, "w-");
    for (int ms = 0; ms < 5000 && count != want; ms++) {
        (void)poll(NULL, 0, 1);
        count = count_places(work, "w-");
    }
    return count;
}

static void put_file(const char *uri, const char *text)
{
    struct bt_file_writer *writer = NULL;
    assert_int_equal(bt_files_create(files, "main", bt_str_of(uri), &writer, NULL), BT_OK);
    assert_int_equal(bt_file_write(writer, text, strlen(text), NULL), BT_OK);
    assert_int_equal(bt_file_commit(writer, NULL), BT_OK);
}

static bool has_file(const char *uri)
{
    int64_t size_bytes;
    return bt_files_size(files, "main", bt_str_of(uri), &size_bytes, NULL) == BT_OK;
}

/* --- Sharing ---------------------------------------------------------------------------------- */

static void test_shared(void **state)
{
    (void)state;
    open_place(7, "    inputFiles: {in.txt: 'hello {{ inputs.name }}'}\n" CHILD);
    open_place(8, CHILD);
    assert_int_equal(places(2), 2);
    run_in(7, "cat in.txt; echo; echo kept > left.txt; mkdir d; echo deep > d/e");
    run_in(7, "cat left.txt; ls; test $PWD = $WORKING_DIR");
    run_in(8, "ls");
    assert_string_equal(logs(), "I hello world\nI kept\nI d\nI in.txt\nI left.txt\n");
    struct bt_job_result *result = run_job(place_job(
        7, BT_PLACE_IN, "shell", "    outputFiles: ['*.txt']\n    commands: ['exit 1']\n"));
    assert_int_equal(result->state, BT_FAILED);
    assert_int_equal(bt_value_count(bt_map_gets(result->outputs, "outputFiles")), 2);
    result = close_place(7, "    outputFiles: ['d/**', none, '*.none']\n" CHILD);
    const struct bt_value *stored = bt_map_gets(result->outputs, "outputFiles");
    assert_int_equal(bt_value_count(stored), 1);
    assert_true(bt_str_starts(bt_map_str(stored, "d/e"),
                              BT_STR("baton:///company/team/flow/executions/exec/tasks/task/run")));
    expect_json(close_place(8, CHILD)->outputs, "{}");
    assert_int_equal(places(0), 0);
}

/* A script is a file of its task only. */
static void test_scripts(void **state)
{
    (void)state;
    open_place(7, CHILD);
    expect_run(7, BT_PLACE_IN, "python", "    script: open('made.csv', 'w').write('1')\n");
    expect_run(7, BT_PLACE_IN, "python", "    script: print(open('made.csv').read())\n");
    run_in(7, "ls -a | grep -v '^[.]*$'");
    assert_string_equal(logs(), "I 1\nI made.csv\n");
    assert_int_equal(
        bt_value_count(
            bt_map_gets(close_place(7, "    outputFiles: ['**']\n" CHILD)->outputs, "outputFiles")),
        1);
}

/* LocalFiles is made for it. */
static void test_local_files(void **state)
{
    (void)state;
    open_place(7, CHILD);
    expect_run(7, BT_PLACE_IN, "io.kestra.plugin.core.storage.LocalFiles",
               "    inputs: {out/stay.txt: here}\n");
    struct bt_job_result *result =
        run_job(place_job(7, BT_PLACE_IN, "io.kestra.plugin.core.storage.LocalFiles",
                          "    outputs: ['out/*', none]\n"));
    assert_int_equal(result->state, BT_SUCCESS);
    const struct bt_value *uris = bt_map_gets(result->outputs, "uris");
    assert_int_equal(bt_value_count(uris), 1);
    assert_true(bt_map_str(uris, "out/stay.txt").len > 0);
    run_in(7, "cat out/stay.txt");
    assert_non_null(strstr(logs(), "I here\n"));
    assert_non_null(strstr(logs(), "W outputFiles: 'none' was not made"));
    (void)close_place(7, CHILD);
    assert_int_equal(places(0), 0);
}

static void test_input_outside(void **state)
{
    (void)state;
    struct bt_job_result *result = run_job(place_job(
        7, BT_PLACE_OPEN, "working_directory", "    inputFiles: {good.txt: x, '../x': y}\n" CHILD));
    assert_int_equal(result->state, BT_FAILED);
    assert_string_equal(
        result->error, "inputFiles: '../x': The path to resolve must be a relative path inside the "
                       "current working directory.");
    assert_int_equal(places(0), 0);
    bt_worker_submit(worker, place_job(7, BT_PLACE_IN, "shell", "    commands: ['true']\n"));
    wait_lost(1);
}

static void test_lost(void **state)
{
    (void)state;
    bt_worker_submit(worker, place_job(7, BT_PLACE_IN, "shell", "    commands: ['true']\n"));
    wait_lost(1);
    bt_worker_submit(worker, place_job(7, BT_PLACE_CLOSE, "working_directory", CHILD));
    wait_lost(2);
    assert_int_equal(told.lost, next_token - 1);
    assert_int_equal(told.count, 0); /* And no result. */
    open_place(7, CHILD);
    (void)close_place(7, CHILD);
    bt_worker_submit(worker, place_job(7, BT_PLACE_CLOSE, "working_directory", CHILD));
    wait_lost(3);
}

static void test_release(void **state)
{
    (void)state;
    open_place(7, CHILD);
    open_place(8, CHILD);
    bt_worker_submit(worker,
                     place_job(7, BT_PLACE_IN, "shell", "    commands: ['echo up; sleep 100']\n"));
    wait_logs(1);
    bt_worker_release(worker, 7);
    bt_worker_release(worker, 8);
    bt_worker_release(worker, 9);
    assert_int_equal(wait_result(3)->state, BT_KILLED);
    assert_int_equal(places(0), 0);
    bt_worker_submit(worker, place_job(7, BT_PLACE_IN, "shell", "    commands: ['true']\n"));
    wait_lost(1);
}

/* Opened again under the same id: an empty one. */
static void test_again(void **state)
{
    (void)state;
    open_place(7, CHILD);
    run_in(7, "touch old");
    open_place(7, CHILD);
    run_in(7, "ls");
    assert_string_equal(logs(), "");
    assert_int_equal(places(1), 1);
}

/* A worker that is killed leaves its directories to the next one; one that stops none. */
static void test_left_behind(void **state)
{
    (void)state;
    open_place(7, CHILD);
    run_in(7, "touch left");
    worker = bt_worker_stop(worker, true);
    assert_int_equal(leftovers(), 0);
    BT_FD fd = -1;
    assert_int_equal(bt_fs_open_root(root, &fd, NULL), BT_OK);
    assert_int_equal(bt_fs_mkdirs(fd, "work/w-0123456789abcdef/place-7-1/d", NULL), BT_OK);
    start_worker(4, 300);
    assert_int_equal(places(0), 0);
}

/* --- Files of the namespace ------------------------------------------------------------------- */

static void test_namespace_files(void **state)
{
    (void)state;
    put_file("baton:///company/team/_files/a.py", "a");
    put_file("baton:///company/team/_files/lib/b%20c.py", "b");
    put_file("baton:///company/team/_files/ignore/4.txt", "4");
    put_file("baton:///company/team/_files/in.txt", "from the namespace");
    open_place(7, "    namespaceFiles: {exclude: [/ignore/**]}\n"
                  "    inputFiles: {in.txt: mine}\n" CHILD);
    run_in(7, "find . -type f | sort; cat in.txt");
    assert_string_equal(logs(), "I ./a.py\nI ./in.txt\nI ./lib/b c.py\nI mine\n");
    bt_buf_clear(&told.logs);
    open_place(8, "    namespaceFiles: {include: [4.txt, '/lib/*']}\n" CHILD);
    run_in(8, "find . -type f | sort");
    assert_string_equal(logs(), "I ./ignore/4.txt\nI ./lib/b c.py\n");
    bt_buf_clear(&told.logs);
    open_place(9, "    namespaceFiles: {enabled: false}\n" CHILD);
    run_in(9, "ls");
    assert_string_equal(logs(), "");
    struct bt_job_result *result = run("shell", "    namespaceFiles: {include: [a.py]}\n"
                                                "    commands: [ls]\n");
    assert_int_equal(result->state, BT_SUCCESS); /* Of a task by itself, too. */
    assert_string_equal(logs(), "I a.py\n");
    result = run_job(place_job(10, BT_PLACE_OPEN, "working_directory",
                               "    namespaceFiles: {include: ['{']}\n" CHILD));
    assert_int_equal(result->state, BT_FAILED);
    assert_true(bt_str_starts(bt_str_of(result->error), BT_STR("namespaceFiles: ")));
}

/* --- The cache -------------------------------------------------------------------------------- */

static void test_cache(void **state)
{
    (void)state;
    open_place(7, CACHED);
    run_in(7, "echo one > a.txt; mkdir -p lib/x; echo two > lib/x/b; echo no > c.csv");
    (void)close_place(7, CACHED);
    assert_string_equal(logs(), "D Cache files changed, we update the cache\n"
                                "D Caching in kestra:///company/team/flow/task/cache/cache.zip\n");
    bt_buf_clear(&told.logs);
    open_place(8, CACHED);
    run_in(8, "find . -type f | sort; cat a.txt");
    (void)close_place(8, CACHED); /* Nothing has changed. */
    assert_string_equal(logs(), "D Cache exist, downloading it\n"
                                "I ./a.txt\nI ./lib/x/b\nI one\n");
    bt_buf_clear(&told.logs);
    open_place(9, CACHED);
    run_in(9, "echo more >> a.txt");
    struct bt_job *job = place_job(9, BT_PLACE_CLOSE, "working_directory", CACHED);
    job->place.saves_cache = false; /* A child has failed. */
    assert_int_equal(run_job(job)->state, BT_SUCCESS);
    assert_string_equal(logs(), "D Cache exist, downloading it\n");
    bt_buf_clear(&told.logs);
    open_place(10, CACHED);
    run_in(10, "cat a.txt; rm a.txt");
    (void)close_place(10, CACHED);
    assert_non_null(strstr(logs(), "I one\nD Cache files changed"));
    bt_buf_clear(&told.logs);
    now_us = bt_clock_wall_us(bt_clock_system()) + 7200 * 1000000ll;
    open_place(11, CACHED); /* Too old. */
    run_in(11, "ls");
    assert_string_equal(logs(), "");
    now_us = 0;
}

/* Nothing to keep: nothing is kept. Iterations have a cache each. */
static void test_cache_value(void **state)
{
    (void)state;
    open_place(7, CACHED);
    (void)close_place(7, CACHED);
    assert_false(has_file(CACHE_URI));
    for (uint64_t id = 8; id < 10; id++) {
        struct bt_job *jobs[] = {place_job(id, BT_PLACE_OPEN, "working_directory", CACHED),
                                 place_job(id, BT_PLACE_CLOSE, "working_directory", CACHED)};
        for (size_t i = 0; i < 2; i++) {
            BT_VALUE taskrun = bt_map_new(1);
            char value[8];
            (void)snprintf(value, sizeof value, "v%d", (int)id);
            assert_int_equal(bt_map_puts(taskrun, "value", bt_value_cstr(value)), BT_OK);
            assert_int_equal(bt_map_puts(jobs[i]->variables, "taskrun", BT_TAKE(taskrun)), BT_OK);
        }
        assert_int_equal(run_job(jobs[0])->state, BT_SUCCESS);
        run_in(id, "ls; touch a.txt");
        assert_int_equal(run_job(jobs[1])->state, BT_SUCCESS);
    }
    assert_null(strstr(logs(), "I a.txt"));
    assert_false(has_file(CACHE_URI));
}

/* A cache that is no archive, or one that leads out, costs a warning. */
static void test_cache_damaged(void **state)
{
    (void)state;
    put_file(CACHE_URI, "this is no archive");
    open_place(7, CACHED);
    run_in(7, "ls; echo new > a.txt");
    (void)close_place(7, CACHED);
    assert_true(bt_str_starts(bt_str_of(logs()), BT_STR("W the cache is not used: ")));
    assert_non_null(strstr(logs(), "\nD Cache files changed"));
    bt_buf_clear(&told.logs);
    open_place(8, CACHED);
    run_in(8, "cat a.txt");
    assert_non_null(strstr(logs(), "I new\n"));
    struct bt_job_result *result = run_job(place_job(
        9, BT_PLACE_OPEN, "working_directory", "    cache: {ttl: soon, patterns: ['*']}\n" CHILD));
    assert_int_equal(result->state, BT_FAILED);
    assert_true(bt_str_starts(bt_str_of(result->error), BT_STR("cache: ttl")));
}

/* --- Ends ------------------------------------------------------------------------------------- */

static void test_kill(void **state)
{
    (void)state;
    open_place(7, CHILD);
    struct bt_job *job =
        place_job(7, BT_PLACE_IN, "shell", "    commands: ['echo up; touch x; sleep 100']\n");
    uint64_t token = job->token;
    bt_worker_submit(worker, job);
    wait_logs(1);
    bt_worker_kill(worker, token);
    assert_int_equal(wait_result(2)->state, BT_KILLED);
    run_in(7, "ls"); /* The place goes on. */
    assert_non_null(strstr(logs(), "I x\n"));
    assert_int_equal(places(1), 1);
}

static void test_many(void **state)
{
    (void)state;
    enum { ROUNDS = 12 };
    for (uint64_t id = 1; id <= ROUNDS; id++)
        bt_worker_submit(worker, place_job(id, BT_PLACE_OPEN, "working_directory", CHILD));
    (void)wait_result(ROUNDS);
    assert_int_equal(places(ROUNDS), ROUNDS);
    for (uint64_t id = 1; id <= ROUNDS; id++)
        bt_worker_submit(worker, place_job(id, BT_PLACE_CLOSE, "working_directory", CHILD));
    (void)wait_result(2 * ROUNDS);
    for (size_t i = 0; i < 2 * ROUNDS; i++)
        assert_int_equal(told.results[i].state, BT_SUCCESS);
    assert_int_equal(places(0), 0);
}

static void test_limit(void **state)
{
    (void)state;
    (void)bt_worker_stop(worker, true);
    places_max = 3;
    start_worker(4, 300);
    places_max = 0;
    for (uint64_t id = 1; id <= 3; id++)
        open_place(id, CHILD);
    struct bt_job_result *result = run_job(place_job(4, BT_PLACE_OPEN, "working_directory", CHILD));
    assert_int_equal(result->state, BT_FAILED);
    assert_string_equal(result->error, "this worker has 3 working directories open");
    bt_worker_release(worker, 1);
    open_place(5, CHILD);
    assert_int_equal(places(3), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_shared),        CASE(test_scripts),     CASE(test_local_files),
        CASE(test_input_outside), CASE(test_lost),        CASE(test_release),
        CASE(test_again),         CASE(test_left_behind), CASE(test_namespace_files),
        CASE(test_cache),         CASE(test_cache_value), CASE(test_cache_damaged),
        CASE(test_kill),          CASE(test_many),        CASE(test_limit),
    };
    return cmocka_run_group_tests_name("places", tests, NULL, NULL);
}

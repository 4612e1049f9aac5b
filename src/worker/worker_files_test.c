/* Goal: files come into a working directory and out of it, no path leads elsewhere, and Python
 * scripts run as they were written. Method: flows run job by job through a real worker. */
#include "worker/worker_case.h"

static void test_input_files(void **state)
{
    (void)state;
    struct bt_job_result *result =
        run("shell", "    inputFiles:\n"
                     "      a.txt: text of {{ inputs.name }}\n"
                     "      d/e/b.txt: deep\n"
                     "    commands: ['cat a.txt; echo; cat d/e/b.txt']\n");
    assert_int_equal(result->state, BT_SUCCESS);
    assert_string_equal(logs(), "I text of world\nI deep\n");
    result = run("shell", "    inputFiles: '{\"{{ inputs.name }}.txt\": \"json\"}'\n"
                          "    commands: ['cat world.txt']\n");
    assert_int_equal(result->state, BT_SUCCESS);
    static const char *const bad[] = {"../x", "/tmp/x", "a/../../x", ""};
    for (size_t i = 0; i < BT_COUNT(bad); i++) {
        char spec[256];
        (void)snprintf(spec, sizeof spec, "    inputFiles: {'%s': x}\n    commands: ['true']\n",
                       bad[i]);
        result = run("shell", spec);
        assert_int_equal(result->state, BT_FAILED);
        (void)snprintf(spec, sizeof spec,
                       "inputFiles: '%s': The path to resolve must be a relative path inside the "
                       "current working directory.",
                       bad[i]);
        assert_string_equal(result->error, spec);
    }
}

static void test_output_files(void **state)
{
    (void)state;
    struct bt_job_result *result = run(
        "shell", "    outputFiles: ['*.csv', 'd/**', 'plain', 'missing', 'l*', '{x,y}.[ab]']\n"
                 "    commands:\n"
                 "      - echo 1 > a.csv; echo 2 > 'b c.csv'; mkdir -p d/e d/.h; echo 3 > d/e/f\n"
                 "      - echo 4 > d/.h/g; echo 5 > plain; ln -s /etc/passwd link\n"
                 "      - ln -s plain inner.csv; echo 6 > x.a; echo 7 > z.a; mkfifo q.csv\n"
                 "      - exit 1\n");
    assert_int_equal(result->state, BT_FAILED);
    char want[2048];
    char base[128];
    (void)snprintf(base, sizeof base,
                   "baton:///company/team/flow/executions/exec/tasks/task/run%" PRIu64,
                   next_token - 1);
    (void)snprintf(want, sizeof want,
                   "{\"a.csv\":\"%s/a.csv\",\"b c.csv\":\"%s/b%%20c.csv\",\"d/.h/g\":\"%s/d/.h/g\","
                   "\"d/e/f\":\"%s/d/e/f\",\"inner.csv\":\"%s/inner.csv\",\"plain\":\"%s/plain\","
                   "\"x.a\":\"%s/x.a\"}",
                   base, base, base, base, base, base, base);
    expect_json(bt_map_gets(result->outputs, "outputFiles"), want);
    assert_non_null(strstr(logs(), "W outputFiles: 'missing' was not made by the command\n"));
    BT_FD fd = -1;
    struct bt_err err = BT_ERR_INIT;
    struct bt_str uri = bt_map_str(bt_map_gets(result->outputs, "outputFiles"), "b c.csv");
    assert_int_equal(bt_files_open(files, "main", uri, &fd, &err), BT_OK);
    char text[8];
    assert_int_equal(read(fd, text, sizeof text), 2);
    assert_memory_equal(text, "2\n", 2);
}

static void test_output_link_refused(void **state)
{
    (void)state;
    struct bt_job_result *result = run("shell", "    outputFiles: [link]\n"
                                                "    commands: ['ln -s /etc/passwd link']\n");
    assert_int_equal(result->state, BT_FAILED);
    assert_string_equal(result->error,
                        "outputFiles: cannot open 'link': the path leaves its directory");
    result = run("shell", "    outputFiles: ['../../../storage/**']\n    commands: ['true']\n");
    expect_json(bt_map_gets(result->outputs, "outputFiles"), "{}");
    result = run("shell", "    outputFiles: ['../secret']\n"
                          "    commands: ['echo x > ../secret']\n");
    assert_int_equal(result->state, BT_FAILED);
}

static void test_output_dir(void **state)
{
    (void)state;
    struct bt_job_result *result =
        run("shell", "    outputDirectory: true\n"
                     "    commands: ['mkdir {{ outputDir }}/s', 'echo x > $OUTPUT_DIR/s/t']\n");
    assert_int_equal(result->state, BT_SUCCESS);
    assert_int_equal(bt_value_count(bt_map_gets(result->outputs, "outputFiles")), 1);
    assert_true(bt_map_str(bt_map_gets(result->outputs, "outputFiles"), "s/t").len > 0);
}

static void test_uris(void **state)
{
    (void)state;
    struct bt_err err = BT_ERR_INIT;
    struct bt_file_writer *writer = NULL;
    struct bt_str uri = BT_STR("baton:///company/team/flow/executions/exec/in.csv");
    assert_int_equal(bt_files_create(files, "main", uri, &writer, &err), BT_OK);
    assert_int_equal(bt_file_write(writer, "a,b\n", 4, &err), BT_OK);
    assert_int_equal(bt_file_commit(writer, &err), BT_OK);
    struct bt_job_result *result = run(
        "shell", "    inputFiles: {x.csv: 'kestra:///company/team/flow/executions/exec/in.csv'}\n"
                 "    commands: ['cat x.csv', "
                 "'cat \"baton:///company/team/flow/executions/exec/in.csv\"', "
                 "'echo kestra:///company/team/flow/executions/exec/in.csv,', "
                 "'echo http:///x baton://y xbaton:///']\n");
    assert_int_equal(result->state, BT_SUCCESS);
    assert_true(bt_str_starts(bt_str_of(logs()), BT_STR("I a,b\nI a,b\nI /")));
    assert_non_null(strstr(logs(), "1-in.csv,\nI http:///x baton://y xbaton:///\n"));
    static const char *const calls[] = {"read", "fileSize"};
    static const char *const wants[] = {"I a,b\nI \n", "I 4\n"};
    for (size_t i = 0; i < BT_COUNT(calls); i++) {
        char spec[256];
        bt_buf_clear(&told.logs);
        (void)snprintf(spec, sizeof spec,
                       "    commands: [\"echo '{{ %s('baton:///company/team/flow/"
                       "executions/exec/in.csv') }}'\"]\n",
                       calls[i]);
        assert_int_equal(run("shell", spec)->state, BT_SUCCESS);
        assert_string_equal(logs(), wants[i]);
    }
    result =
        run("shell",
            "    commands: [\"{{ read('baton:///company/team/flow/executions/other/x') }}\"]\n");
    assert_int_equal(result->state, BT_FAILED);
    assert_non_null(strstr(result->error, "as it didn't belong to the current execution"));
    result = run("shell", "    commands: ['cat baton:///company/none']\n");
    assert_int_equal(result->state, BT_FAILED);
    assert_string_equal(result->error, "file 'baton:///company/none' does not exist");
}

static void test_disk_full(void **state)
{
    (void)state;
    char work[96];
    (void)bt_worker_stop(worker, true);
    (void)snprintf(work, sizeof work, "%s/work", root);
    bool is_root = mount("tmpfs", work, "tmpfs", 0, "size=64k,nr_inodes=6") == 0;
    start_worker(1, 300);
    if (!is_root)
        skip(); /* Only root may mount. */
    struct bt_job *job = make_job("shell", "    inputFiles: {x: '{{ inputs.name }}'}\n"
                                           "    commands: ['true']\n");
    struct bt_buf text = BT_BUF_INIT(1 << 20);
    for (int i = 0; i < 100000; i++)
        (void)bt_buf_addc(&text, 'y');
    BT_VALUE inputs = bt_map_new(1);
    assert_int_equal(bt_map_puts(inputs, "name", bt_value_string(bt_buf_str(&text))), BT_OK);
    assert_int_equal(bt_map_puts(job->variables, "inputs", BT_TAKE(inputs)), BT_OK);
    bt_buf_done(&text);
    bt_worker_submit(worker, job);
    assert_int_equal(wait_result(1)->state, BT_FAILED);
    assert_string_equal(told.results[0].error,
                        "inputFiles: file 'x': cannot write: No space left on device");
    assert_int_equal(run("shell", "    commands: ['true']\n")->state, BT_SUCCESS);
    worker = bt_worker_stop(worker, true);
    assert_int_equal(umount(work), 0);
    start_worker(1, 300);
}

static void test_unwritable(void **state)
{
    (void)state;
    struct bt_err err = BT_ERR_INIT;
    struct bt_worker *other = NULL;
    struct bt_worker_config config = {.slots = 1,
                                      .work_dir = "/proc/nowhere",
                                      .files = files,
                                      .clock = bt_clock_system(),
                                      .sink = {.result = on_result}};
    assert_true(bt_worker_start(&config, &other, &err) < 0);
    assert_string_equal(err.msg,
                        "cannot open directory '/proc/nowhere': No such file or directory");
}

/* --- Python ----------------------------------------------------------------------------------- */

static void test_python(void **state)
{
    (void)state;
    struct bt_job_result *result = run(
        "python", "    inputFiles: {helper.py: 'x = 5'}\n"
                  "    script: |\n"
                  "      \"\"\"Doc.\"\"\"\n"
                  "      from __future__ import annotations\n"
                  "      import sys, helper\n"
                  "      print(__name__, __doc__, helper.x, [true, false, null], len(sys.argv))\n"
                  "      print('::{\"outputs\":{\"n\":3}}::')\n");
    assert_int_equal(result->state, BT_SUCCESS);
    assert_string_equal(logs(), "I __main__ Doc. 5 [True, False, None] 1\n");
    expect_json(bt_map_gets(result->outputs, "vars"), "{\"n\":3}");
    expect_json(bt_map_gets(result->outputs, "outputFiles"), "{}");
}

static void test_python_traceback(void **state)
{
    (void)state;
    static const char *const words[] = {"pass", "null"};
    for (size_t i = 0; i < BT_COUNT(words); i++) {
        bt_buf_clear(&told.logs);
        char spec[256];
        (void)snprintf(spec, sizeof spec,
                       "    script: |\n      %s\n      def f():\n          raise ValueError('no')\n"
                       "      f()\n",
                       words[i]);
        struct bt_job_result *result = run("python.script", spec);
        assert_int_equal(result->state, BT_FAILED);
        assert_string_equal(result->error, "Command failed with exit code 1");
        assert_non_null(strstr(logs(), "_task.py\", line 4, in <module>\n"));
        assert_non_null(strstr(logs(), "_task.py\", line 3, in f\n"));
        assert_non_null(strstr(logs(), "E ValueError: no\n"));
        assert_null(strstr(logs(), "_run"));
        assert_null(strstr(logs(), "<string>"));
    }
}

static void test_python_before(void **state)
{
    (void)state;
    struct bt_job_result *result =
        run("python", "    beforeCommands: ['export X=1']\n"
                      "    script: import os; print(os.environ['X'], true)\n");
    assert_int_equal(result->state, BT_SUCCESS);
    result = run("python.commands", "    commands: ['python3 -c \"print(2)\"']\n");
    assert_int_equal(result->state, BT_SUCCESS);
    assert_string_equal(logs(), "I 1 True\nI 2\n");
}

static void test_python_venv(void **state)
{
    (void)state;
    char spec[512];
    char dir[128];
    (void)snprintf(dir, sizeof dir, "%s/venv", root);
    assert_int_equal(mkdir(dir, 0700), 0);
    (void)snprintf(dir, sizeof dir, "%s/venv/bin", root);
    assert_int_equal(mkdir(dir, 0700), 0);
    (void)snprintf(dir, sizeof dir, "%s/venv/bin/python3", root);
    BT_FD fd = open(dir, O_CREAT | O_WRONLY | O_CLOEXEC, 0700);
    assert_int_equal(bt_fs_write(fd, "#!/bin/sh\necho mine\n", 20, NULL), BT_OK);
    bt_fd_close(&fd);
    (void)snprintf(spec, sizeof spec, "    env: {VIRTUAL_ENV: %s/venv}\n    script: print(1)\n",
                   root);
    assert_int_equal(run("python", spec)->state, BT_SUCCESS);
    assert_string_equal(logs(), "I mine\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_input_files),   CASE(test_output_files), CASE(test_output_link_refused),
        CASE(test_output_dir),    CASE(test_uris),         CASE(test_disk_full),
        CASE(test_unwritable),    CASE(test_python),       CASE(test_python_traceback),
        CASE(test_python_before), CASE(test_python_venv),
    };
    return cmocka_run_group_tests_name("worker files", tests, NULL, NULL);
}

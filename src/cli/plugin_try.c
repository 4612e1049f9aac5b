/* plugin_try.c — baton plugin test: runs the examples of a plugin.json by a real worker, in a real
 * host process, and compares what comes back with what the examples expect. */
#include "cli/cli.h"

#include "base/limits.h"
#include "base/own.h"
#include "cli/plugin_int.h"
#include "cli/plugin_match.h"
#include "lang/yaml/yaml.h"
#include "sys/fs.h"
#include "value/json.h"
#include "worker/worker.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TIMEOUT_S = 60 };

struct tester {
    char root[64];
    struct bt_files *files;
    struct bt_worker *worker;
    pthread_mutex_t mutex; /* Guards what follows. */
    pthread_cond_t changed;
    bool has_result;
    struct bt_value *events; /* Owned: those of a realtime trigger so far. */
    size_t events_wanted;    /* It is stopped when it has flushed as many. */
    struct bt_job_result result;
    struct bt_buf logs;
    unsigned run, passed, failed, checked;
};

/* One example, its job, and what the job borrows. */
struct trial {
    const struct bt_type *type;
    const struct bt_value *example;
    struct bt_job *job;
    struct bt_task task; /* Of a trigger: not one of the flow. */
    struct bt_prop *props;
};

/* --- The sink --------------------------------------------------------------------------------- */

static void on_logs(void *data, const struct bt_job *job, const struct bt_log_line *lines,
                    size_t count)
{
    struct tester *tester = data;
    (void)job;
    pthread_mutex_lock(&tester->mutex);
    for (size_t i = 0; i < count; i++)
        (void)bt_buf_addf(&tester->logs, "      %-5s %.*s\n", bt_level_name(lines[i].level),
                          BT_FMT(lines[i].text)); /* Past the limit: not shown. */
    pthread_mutex_unlock(&tester->mutex);
}

static void on_result(void *data, struct bt_job_result *result)
{
    struct tester *tester = data;
    pthread_mutex_lock(&tester->mutex);
    tester->result = *result;
    tester->has_result = true;
    pthread_cond_signal(&tester->changed);
    pthread_mutex_unlock(&tester->mutex);
}

/* Keeps events until there are as many as wanted: what comes before it is killed is chance. */
static void keep_events(struct tester *tester, const struct bt_value *events)
{
    for (size_t i = 0; i < bt_value_count(events); i++)
        if (bt_value_count(tester->events) < tester->events_wanted)
            (void)bt_list_push(tester->events,
                               bt_value_ref(bt_list_at(events, i))); /* Else it is missed. */
}

/* Events of a realtime trigger: durable at once, and it is stopped when there are enough. */
static void on_events(void *data, const struct bt_job *job, struct bt_value *events,
                      struct bt_value *state)
{
    struct tester *tester = data;
    pthread_mutex_lock(&tester->mutex);
    keep_events(tester, events);
    bool is_enough = bt_value_count(tester->events) == tester->events_wanted;
    pthread_mutex_unlock(&tester->mutex);
    bt_value_unref(events);
    bt_value_unref(state);
    bt_worker_flushed(tester->worker, job->token, NULL);
    if (is_enough)
        bt_worker_kill(tester->worker, job->token);
}

/* A realtime trigger that we stopped ended well; its outputs are its events. */
static int end_listening(struct tester *tester, struct bt_err *err)
{
    struct bt_job_result *result = &tester->result;
    if (result->state != BT_KILLED)
        return BT_OK;
    result->state = BT_SUCCESS;
    keep_events(tester, bt_map_gets(result->outputs, "events"));
    BT_VALUE outputs = bt_map_new(1);
    if (!outputs || bt_map_puts(outputs, "events", BT_TAKE(tester->events)) < 0)
        return bt_fail_mem(err, "the example");
    bt_value_unref(result->outputs);
    result->outputs = BT_TAKE(outputs);
    return BT_OK;
}

/* --- Jobs from examples ----------------------------------------------------------------------- */

/* The example as the one task of a flow. */
static int flow_text(struct bt_str source, struct bt_buf *out)
{
    (void)bt_buf_adds(out, "id: example\nnamespace: plugin.test\ntasks:\n");
    for (bool is_first = true; source.len > 0; is_first = false) {
        const char *end = memchr(source.at, '\n', source.len);
        size_t len = end ? (size_t)(end - source.at) : source.len;
        (void)bt_buf_adds(out, is_first ? "  - " : "    ");
        (void)bt_buf_add(out, bt_str_slice(source, 0, len));
        (void)bt_buf_addc(out, '\n');
        source = bt_str_slice(source, len + 1, source.len);
    }
    return out->failed;
}

static int parse_task(struct bt_str source, struct bt_flow **ret_flow, struct bt_err *err)
{
    struct bt_buf text = BT_BUF_INIT(BT_YAML_BYTES_MAX);
    struct bt_diags diags = BT_DIAGS_INIT;
    int rc = flow_text(source, &text) < 0 ? bt_buf_check(&text, "the example", err) : BT_OK;
    if (rc == BT_OK && bt_flow_parse(bt_buf_str(&text), ret_flow, &diags) < 0)
        rc = bt_fail(err, BT_INVALID, "not valid: %s",
                     diags.count ? diags.items[0].msg : "out of memory");
    bt_diags_done(&diags);
    bt_buf_done(&text);
    return rc;
}

/* A trigger has no place in a flow's tasks: its properties are compiled here. */
static int parse_trigger(struct trial *trial, struct bt_err *err)
{
    const struct bt_type *type = trial->type;
    BT_VALUE map = NULL;
    BT_TRY(bt_yaml_text_value(bt_map_str(trial->example, "source"), &map, err));
    size_t count = bt_value_count(map);
    trial->task = (struct bt_task){.id = "trigger", .type = type};
    trial->task.props = trial->props = calloc(count + 1, sizeof *trial->props);
    if (!trial->props)
        return bt_fail_mem(err, "the example");
    for (size_t i = 0; i < count; i++) {
        struct bt_str name = bt_map_key(map, i);
        struct bt_prop *prop = &trial->props[trial->task.prop_count];
        bool is_common = bt_str_is(name, "id") || bt_str_is(name, "type");
        if (!is_common && !bt_map_get(type->schema, name) && !bt_str_is(name, "interval"))
            return bt_fail(err, BT_INVALID, "not valid: unknown property \"%.*s\"", BT_FMT(name));
        if (is_common)
            continue;
        BT_TRY(bt_dyn_compile(bt_map_at(map, i, NULL), &prop->value, err));
        prop->name = bt_str_dup(name);
        if (!prop->name)
            return bt_fail_mem(err, "the example");
        trial->task.prop_count++;
    }
    return BT_OK;
}

static void trial_done(struct trial *trial)
{
    for (uint32_t i = 0; i < trial->task.prop_count; i++) {
        free((char *)(uintptr_t)trial->props[i].name);
        bt_dyn_unref(trial->props[i].value);
    }
    free(trial->props);
}

/* Stores the example's files: `files.NAME` is the URI of each. */
static int store_files(struct tester *tester, const struct bt_value *example,
                       struct bt_value *variables, struct bt_err *err)
{
    const struct bt_value *files = bt_map_gets(example, "files");
    BT_VALUE uris = bt_map_new(bt_value_count(files));
    for (size_t i = 0; i < bt_value_count(files); i++) {
        char uri[512];
        struct bt_str name = bt_map_key(files, i);
        struct bt_str text = bt_value_str(bt_map_at(files, i, NULL));
        struct bt_file_writer *writer = NULL;
        (void)snprintf(uri, sizeof uri, "baton:///plugin/test/example/executions/run%u/files/%.*s",
                       tester->run, BT_FMT(name)); /* Longer ones fail there. */
        BT_TRY(bt_files_create(tester->files, "main", bt_str_of(uri), &writer, err));
        if (bt_file_write(writer, text.at, text.len, err) < 0) {
            (void)bt_file_abort(writer); /* Gives NULL. */
            return BT_IO;
        }
        BT_TRY(bt_file_commit(writer, err));
        if (bt_map_put(uris, name, bt_value_cstr(uri)) < 0)
            return bt_fail_mem(err, "the example");
    }
    if (!uris || bt_map_puts(variables, "files", BT_TAKE(uris)) < 0)
        return bt_fail_mem(err, "the example");
    const struct bt_value *state = bt_map_gets(example, "state");
    if (state && bt_map_puts(variables, "triggerState", bt_value_ref(state)) < 0)
        return bt_fail_mem(err, "the example");
    return BT_OK;
}

static int fill_job(struct tester *tester, struct trial *trial, struct bt_err *err)
{
    static const char carrier[] = "id: carrier\ntype: log\nmessage: x\n";
    struct bt_job *job = trial->job;
    bool is_trigger = trial->type->exec == BT_EXEC_TRIGGER;
    struct bt_str source = bt_map_str(trial->example, "source");
    job->variables = bt_map_new(2);
    if (!job->variables)
        return bt_fail_mem(err, "the example");
    if (is_trigger)
        BT_TRY(parse_trigger(trial, err));
    BT_TRY(parse_task(is_trigger ? bt_str_of(carrier) : source, &job->flow, err));
    assert(job->flow); /* Read. */
    job->task = is_trigger ? &trial->task : &job->flow->tasks[0];
    if (job->task->type != trial->type)
        return bt_fail(err, BT_INVALID, "not valid: it is an example of the type \"%s\"",
                       job->task->type->name);
    job->attempt = 1;
    job->token = ++tester->run;
    job->now_us = bt_clock_wall_us(bt_clock_system());
    job->timeout_us = TIMEOUT_S * INT64_C(1000000);
    (void)snprintf(job->tenant, sizeof job->tenant, "main");
    (void)snprintf(job->exec_id, sizeof job->exec_id, "run%u", tester->run);
    (void)snprintf(job->taskrun_id, sizeof job->taskrun_id, "task%u", tester->run); /* All fit. */
    return store_files(tester, trial->example, job->variables, err);
}

/* --- Running ---------------------------------------------------------------------------------- */

static void run_job(struct tester *tester, struct bt_job *job)
{
    tester->has_result = false;
    bt_buf_clear(&tester->logs);
    bt_worker_submit(tester->worker, job);
    pthread_mutex_lock(&tester->mutex);
    while (!tester->has_result)
        pthread_cond_wait(&tester->changed, &tester->mutex); /* A job's timeout bounds it. */
    pthread_mutex_unlock(&tester->mutex);
}

static int run_example(struct tester *tester, const struct bt_type *type,
                       const struct bt_value *example, struct bt_err *err)
{
    const struct bt_value *expect = bt_map_gets(example, "expect");
    struct trial trial = {.type = type, .example = example, .job = calloc(1, sizeof *trial.job)};
    int rc = trial.job ? fill_job(tester, &trial, err) : bt_fail_mem(err, "the example");
    if (rc == BT_OK && expect) {
        bool is_listening = bt_value_as_bool(bt_map_gets(type->manifest, "realtime"));
        int64_t wanted = bt_value_as_int(bt_map_gets(example, "stopAfter"));
        tester->events = bt_list_new(1);
        tester->events_wanted = wanted > 0 ? (size_t)wanted : 1;
        run_job(tester, BT_TAKE(trial.job));
        rc = is_listening ? end_listening(tester, err) : BT_OK;
        if (rc == BT_OK)
            rc = bt_plugin_match(tester->files, &tester->result, expect, err);
        tester->events = bt_value_unref(tester->events);
        bt_job_result_done(&tester->result);
    } else if (rc == BT_OK) {
        rc = BT_NEED; /* Valid, and nothing to compare with. */
    }
    (void)bt_job_free(trial.job); /* Gives NULL. */
    trial_done(&trial);
    return rc;
}

static void report(struct tester *tester, const struct bt_type *type,
                   const struct bt_value *example, int rc, const struct bt_err *err)
{
    struct bt_str title = bt_map_str(example, "title");
    const char *word = rc == BT_OK ? "ok" : rc == BT_NEED ? "valid" : "FAIL";
    (void)printf("%-6s%s: %.*s\n", word, type->name, BT_FMT(title));
    tester->passed += rc == BT_OK;
    tester->checked += rc == BT_NEED;
    if (rc == BT_OK || rc == BT_NEED)
        return;
    tester->failed++;
    (void)printf("      %s\n%.*s", err->msg, BT_FMT(bt_buf_str(&tester->logs)));
}

static void run_types(struct tester *tester, const char *only)
{
    size_t count;
    const struct bt_type *const *types = bt_types(&count);
    for (size_t i = 0; i < count; i++) {
        const struct bt_type *type = types[i];
        if (!type->plugin || (only && strcmp(only, type->name) != 0))
            continue;
        const struct bt_value *examples = bt_map_gets(type->manifest, "examples");
        for (size_t k = 0; k < bt_value_count(examples); k++) {
            struct bt_err err = BT_ERR_INIT;
            bt_buf_clear(&tester->logs);
            const struct bt_value *example = bt_list_at(examples, k);
            int rc = run_example(tester, type, example, &err);
            report(tester, type, example, rc, &err);
        }
    }
}

static int open_tester(struct tester *tester, struct bt_err *err)
{
    char path[128];
    (void)snprintf(tester->root, sizeof tester->root, "/tmp/baton-plugin-XXXXXX");
    if (!mkdtemp(tester->root))
        return bt_fail(err, BT_IO, "cannot make a directory in /tmp");
    (void)snprintf(path, sizeof path, "%s/storage", tester->root);
    BT_TRY(bt_files_open_local(path, &tester->files, err));
    (void)snprintf(path, sizeof path, "%s/work", tester->root); /* Fits. */
    struct bt_worker_config config = {
        .slots = 1,
        .work_dir = path,
        .files = tester->files,
        .clock = bt_clock_system(),
        .sink = {.data = tester, .logs = on_logs, .result = on_result, .events = on_events},
    };
    return bt_worker_start(&config, &tester->worker, err);
}

int bt_plugin_test(const char *dir, const char *type)
{
    struct tester tester = {
        .mutex = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER,
        .logs = BT_BUF_INIT(1 << 20),
    };
    struct bt_err err = BT_ERR_INIT;
    if (!bt_plugin_at("plugin test", dir))
        return BT_EXIT_FAILED;
    int rc = open_tester(&tester, &err);
    if (rc == BT_OK)
        run_types(&tester, type);
    tester.worker = bt_worker_stop(tester.worker, true);
    tester.files = bt_files_close(tester.files);
    (void)bt_fs_remove_tree(AT_FDCWD, tester.root, NULL); /* A leftover in /tmp. */
    bt_buf_done(&tester.logs);
    if (rc < 0)
        return bt_cli_fail("plugin test", &err, BT_EXIT_FAILED);
    (void)printf("%u passed, %u failed", tester.passed, tester.failed);
    (void)printf(tester.checked ? ", %u only checked (no \"expect\")\n" : "\n", tester.checked);
    return tester.failed || tester.passed + tester.checked == 0 ? BT_EXIT_FAILED : BT_EXIT_OK;
}

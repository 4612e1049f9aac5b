/* sample.c — A plugin in C: echo, counting and filtering the rows of a file, and a polling trigger.
 * Read it from the bottom: bt_plugin_entry() names the types, each has one function. */
#include <baton/plugin.h>

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* --- sample.echo ------------------------------------------------------------------------------ */

static int echo(const struct bt_host_api *host, struct bt_run *run)
{
    struct bt_text text = host->prop_text(run, "text");
    int64_t times = host->prop_int(run, "times", 1);
    for (int64_t i = 0; i < times; i++)
        host->log(run, BT_PLUGIN_INFO, text.at, text.len);
    host->metric(run, "echo.length", "counter", (double)text.len, NULL);
    host->output_int(run, "length", (int64_t)text.len);
    return host->output_text(run, "value", text.at, text.len);
}

/* --- sample.count ----------------------------------------------------------------------------- */

static int count(const struct bt_host_api *host, struct bt_run *run)
{
    struct bt_reader *reader;
    struct bt_text row;
    int64_t rows = 0, bytes = 0;
    int rc = host->file_open(run, host->prop_text(run, "from").at, &reader);
    if (rc != BT_PLUGIN_OK)
        return rc; /* Baton knows why. */
    while ((rc = host->row_next(reader, &row)) == BT_PLUGIN_OK) {
        rows++;
        bytes += (int64_t)row.len;
    }
    host->file_close(reader);
    if (rc != BT_PLUGIN_NOT_FOUND) /* That is the end of the file. */
        return rc;
    host->output_int(run, "rows", rows);
    return host->output_int(run, "bytes", bytes);
}

/* --- sample.filter ---------------------------------------------------------------------------- */

static atomic_int is_stopped; /* kill() comes on another thread. */

static void stop(struct bt_run *run)
{
    (void)run;
    atomic_store(&is_stopped, 1);
}

/* Copies the rows that hold a text, until the end or until it is killed. */
static int copy_rows(const struct bt_host_api *host, struct bt_run *run, struct bt_reader *reader,
                     struct bt_writer *writer)
{
    struct bt_text needle = host->prop_text(run, "contains");
    struct bt_text row;
    int64_t kept = 0, dropped = 0;
    int rc;
    while ((rc = host->row_next(reader, &row)) == BT_PLUGIN_OK) {
        if (atomic_load(&is_stopped))
            return BT_PLUGIN_KILLED;
        if (!strstr(row.at, needle.at)) {
            dropped++;
            continue;
        }
        kept++;
        if ((rc = host->row_add(writer, row.at, row.len)) != BT_PLUGIN_OK)
            return rc;
    }
    host->output_int(run, "kept", kept);
    host->output_int(run, "dropped", dropped);
    return rc == BT_PLUGIN_NOT_FOUND ? BT_PLUGIN_OK : rc;
}

static int filter(const struct bt_host_api *host, struct bt_run *run)
{
    struct bt_reader *reader;
    struct bt_writer *writer;
    struct bt_text uri;
    int rc = host->file_open(run, host->prop_text(run, "from").at, &reader);
    if (rc != BT_PLUGIN_OK)
        return rc;
    rc = host->file_create(run, "rows.jsonl", &writer);
    if (rc == BT_PLUGIN_OK) {
        rc = copy_rows(host, run, reader, writer);
        if (rc == BT_PLUGIN_OK)
            rc = host->file_commit(writer, &uri);
        else
            host->file_abort(writer);
    }
    host->file_close(reader);
    return rc == BT_PLUGIN_OK ? host->output_text(run, "uri", uri.at, uri.len) : rc;
}

/* --- sample.trigger --------------------------------------------------------------------------- */

/* Starts an execution when the file on this machine has changed since the last look. */
static int poll_file(const struct bt_host_api *host, struct bt_run *run)
{
    const char *path = host->prop_text(run, "path").at;
    struct bt_text state = host->state_get(run);
    long long seen = state.at ? atoll(state.at) : 0;
    char text[160];
    struct stat at;
    if (stat(path, &at) < 0)
        return BT_PLUGIN_OK; /* Not there yet: no event. */
    long long now = (long long)at.st_mtim.tv_sec * 1000000000 + at.st_mtim.tv_nsec;
    if (now == seen)
        return BT_PLUGIN_OK;
    int len = snprintf(text, sizeof text, "{\"bytes\": %lld, \"modified\": %lld}",
                       (long long)at.st_size, (long long)at.st_mtim.tv_sec);
    struct bt_rendered condition; /* An expression of the flow that sees `bytes` and `modified`. */
    int rc = host->render(run, "condition", text, (size_t)len, &condition);
    if (rc != BT_PLUGIN_OK || !condition.is_true)
        return rc;
    char id[32];
    snprintf(id, sizeof id, "%lld", now);
    rc = host->emit(run, text, (size_t)len, id); /* The same id twice starts one execution. */
    return rc == BT_PLUGIN_OK ? host->state_set(run, id, strlen(id)) : rc;
}

/* --- sample.ticks ----------------------------------------------------------------------------- */

/* Realtime: an event at every interval, until it is killed. */
static int listen_ticks(const struct bt_host_api *host, struct bt_run *run)
{
    int64_t every_ms = host->prop_duration_us(run, "every", 1000000) / 1000;
    atomic_store(&is_stopped, 0);
    for (int64_t tick = 1; !atomic_load(&is_stopped); tick++) {
        char text[48], id[24];
        int len = snprintf(text, sizeof text, "{\"tick\": %lld}", (long long)tick);
        snprintf(id, sizeof id, "%lld", (long long)tick);
        int rc = host->emit(run, text, (size_t)len, id);
        if (rc == BT_PLUGIN_OK)
            rc = host->flush(run); /* Now the event is safe: a queue would be told so here. */
        if (rc != BT_PLUGIN_OK)
            return rc;
        poll(NULL, 0, every_ms < 60000 ? (int)every_ms : 60000);
    }
    return BT_PLUGIN_KILLED;
}

/* --- The plugin ------------------------------------------------------------------------------- */

static const struct bt_task_def echo_def = {
    .size = sizeof echo_def, .type = "sample.echo", .run = echo};
static const struct bt_task_def count_def = {
    .size = sizeof count_def, .type = "sample.count", .run = count};
static const struct bt_task_def filter_def = {
    .size = sizeof filter_def, .type = "sample.filter", .run = filter, .kill = stop};
static const struct bt_trigger_def trigger_def = {
    .size = sizeof trigger_def, .type = "sample.trigger", .poll = poll_file};

static const struct bt_trigger_def ticks_def = {
    .size = sizeof ticks_def, .type = "sample.ticks", .listen = listen_ticks, .kill = stop};

static const struct bt_task_def *const tasks[] = {&echo_def, &count_def, &filter_def, NULL};
static const struct bt_trigger_def *const triggers[] = {&trigger_def, &ticks_def, NULL};

static const struct bt_plugin plugin = {
    .abi = BT_PLUGIN_ABI,
    .size = sizeof plugin,
    .name = "sample",
    .version = "1.0.0",
    .tasks = tasks,
    .triggers = triggers,
};

const struct bt_plugin *bt_plugin_entry(void)
{
    return &plugin;
}

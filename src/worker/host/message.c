/* message.c — What a plugin says, taken in: one function for each type of message. Nothing that a
 * plugin sends may hurt more than its own attempt. */
#include "base/limits.h"
#include "base/own.h"
#include "sys/fs.h"
#include "value/json.h"
#include "worker/host/slot_host.h"
#include "worker/reader.h"

#include <assert.h>
#include <stdio.h>
#include <unistd.h>

/* --- Answers ---------------------------------------------------------------------------------- */

static const char *code_word(int code)
{
    switch (code) {
    case BT_NOT_FOUND: return "not_found";
    case BT_LIMIT: return "limit";
    case BT_IO: return "io";
    default: return "failed";
    }
}

static int reply(struct slot *slot, const char *key, struct bt_str text, int fd, struct bt_err *err)
{
    struct bt_buf out = BT_BUF_INIT(BT_HOST_MESSAGE_MAX);
    (void)bt_buf_adds(&out, "{\"type\":\"reply\""); /* All checked below. */
    if (key) {
        (void)bt_buf_addf(&out, ",\"%s\":", key);
        (void)bt_json_write_str(text, &out);
    }
    (void)bt_buf_addc(&out, '}');
    int rc = bt_buf_check(&out, "a reply", err);
    if (rc == BT_OK)
        rc = host_send(slot->host, bt_buf_str(&out), fd, err);
    bt_buf_done(&out);
    return rc;
}

static int reply_error(struct slot *slot, const struct bt_err *why, struct bt_err *err)
{
    struct bt_buf out = BT_BUF_INIT(BT_HOST_MESSAGE_MAX);
    char text[sizeof why->msg + sizeof why->hint + 4];
    (void)snprintf(text, sizeof text, why->hint[0] ? "%s (%s)" : "%s%s", why->msg,
                   why->hint); /* Fits. */
    (void)bt_buf_addf(&out, "{\"type\":\"reply\",\"code\":\"%s\",\"error\":",
                      code_word(why->code)); /* All checked below. */
    (void)bt_json_write_str(bt_str_of(text), &out);
    (void)bt_buf_addc(&out, '}');
    int rc = bt_buf_check(&out, "a reply", err);
    if (rc == BT_OK)
        rc = host_send(slot->host, bt_buf_str(&out), -1, err);
    bt_buf_done(&out);
    return rc;
}

/* --- Files ------------------------------------------------------------------------------------ */

static int ask_help(struct slot *slot, enum help kind, const struct bt_value *message,
                    struct bt_err *err)
{
    struct bt_str name = bt_map_str(message, kind == HELP_STORE ? "name" : "uri");
    assert(slot->help == HELP_NONE);
    slot->help_name = bt_str_dup(name);
    slot->help_path = bt_str_dup(bt_map_str(message, "path"));
    if (!slot->help_name || !slot->help_path)
        return bt_fail_mem(err, "a file of a plugin");
    slot->help = kind;
    slot_start_help(slot);
    return BT_OK;
}

static int on_file_open(struct slot *slot, const struct bt_value *message, struct bt_err *err)
{
    bool is_executable = slot->host->plugin->is_executable;
    return ask_help(slot, is_executable ? HELP_BRING : HELP_OPEN, message, err);
}

static int on_file_store(struct slot *slot, const struct bt_value *message, struct bt_err *err)
{
    return ask_help(slot, HELP_STORE, message, err);
}

/* The URI of a new file of the task run. */
static int make_uri(const struct slot *slot, struct bt_str name, struct bt_buf *out,
                    struct bt_err *err)
{
    struct bt_buf path = BT_BUF_INIT(BT_PATH_BYTES_MAX);
    int rc = bt_job_path(slot->job, &path);
    if (rc == BT_OK)
        rc = bt_buf_addf(&path, "tasks/%s/%s/", slot->job->task->id, slot->job->taskrun_id);
    if (rc == BT_OK)
        rc = bt_buf_add(&path, name);
    if (rc == BT_OK)
        rc = bt_files_uri(bt_buf_str(&path), out);
    rc = rc == BT_OK ? BT_OK : bt_fail(err, BT_LIMIT, "the name of a file is too long");
    bt_buf_done(&path);
    return rc;
}

/* Moves a file of the working directory into the storage. On a helper thread. */
static int store(struct slot *slot, struct bt_err *err)
{
    struct bt_files *files = slot->worker->config.files;
    struct bt_buf uri = BT_BUF_INIT(BT_PATH_BYTES_MAX + 64);
    BT_FD dir = -1;
    BT_FD fd = -1;
    BT_TRY(bt_fs_open(slot->worker->root, slot->work_name, O_RDONLY | O_DIRECTORY, &dir, err));
    BT_TRY(bt_fs_open(dir, slot->help_path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, &fd, err));
    int rc = make_uri(slot, bt_str_of(slot->help_name), &uri, err);
    if (rc == BT_OK)
        rc = bt_files_put_fd(files, slot->job->tenant, bt_buf_str(&uri), fd, err);
    if (rc == BT_OK) {
        (void)unlinkat(dir, slot->help_path, 0); /* Else it goes with the directory. */
        free(slot->help_answer);
        slot->help_answer = bt_str_dup(bt_buf_str(&uri));
        rc = slot->help_answer ? BT_OK : bt_fail_mem(err, "a file of a plugin");
    }
    bt_buf_done(&uri);
    return rc;
}

/* Copies a file of the storage into the working directory. On a helper thread. */
static int bring(struct slot *slot, struct bt_err *err)
{
    struct bt_str uri = bt_str_of(slot->help_name);
    char name[32];
    BT_FD dir = -1;
    BT_FD from = -1;
    BT_FD to = -1;
    BT_TRY(bt_files_open(slot->worker->config.files, slot->job->tenant, uri, &from, err));
    (void)snprintf(name, sizeof name, ".baton-in-%u", ++slot->help_count); /* Fits. */
    BT_TRY(bt_fs_open(slot->worker->root, slot->work_name, O_RDONLY | O_DIRECTORY, &dir, err));
    BT_TRY(bt_fs_open(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, &to, err));
    BT_TRY(bt_fs_copy(from, to, err));
    free(slot->help_answer);
    slot->help_answer = NULL;
    if (asprintf(&slot->help_answer, "%s/%s", slot->work_dir, name) < 0)
        slot->help_answer = NULL;
    return slot->help_answer ? BT_OK : bt_fail_mem(err, "a file of a plugin");
}

void slot_host_help(struct slot *slot)
{
    struct bt_err err = BT_ERR_INIT;
    int rc = BT_OK;
    slot->help_fd = -1;
    if (slot->help == HELP_STORE)
        rc = store(slot, &err);
    else if (slot->help == HELP_BRING)
        rc = bring(slot, &err);
    else
        rc = bt_files_open(slot->worker->config.files, slot->job->tenant,
                           bt_str_of(slot->help_name), &slot->help_fd, &err);
    slot->help_err = rc < 0 ? err : (struct bt_err)BT_ERR_INIT;
}

int slot_host_answer(struct slot *slot, enum help kind, struct bt_err *err)
{
    if (slot->help_err.code != BT_OK)
        return reply_error(slot, &slot->help_err, err);
    if (kind == HELP_OPEN)
        return reply(slot, NULL, BT_STR_NONE, slot->help_fd, err);
    return reply(slot, kind == HELP_STORE ? "uri" : "path", bt_str_of(slot->help_answer), -1, err);
}

/* --- Other questions -------------------------------------------------------------------------- */

/* Answered at once: what `answer` puts into the reply, or why it cannot. */
static int answer_now(struct slot *slot, const struct bt_value *message,
                      int (*answer)(struct slot *slot, const struct bt_value *message,
                                    struct bt_value *reply, struct bt_err *err),
                      struct bt_err *err)
{
    struct bt_err why = BT_ERR_INIT;
    struct bt_buf out = BT_BUF_INIT(BT_HOST_MESSAGE_MAX);
    BT_VALUE map = bt_map_new(3);
    if (!map || bt_map_puts(map, "type", bt_value_cstr("reply")) < 0)
        return bt_fail_mem(err, "a reply");
    if (answer(slot, message, map, &why) < 0)
        return reply_error(slot, &why, err);
    int rc = bt_json_write(map, BT_JSON_COMPACT, &out, NULL);
    if (rc < 0) {
        (void)bt_fail(&why, BT_LIMIT, "the answer is larger than a message may be");
        rc = reply_error(slot, &why, err);
    } else {
        rc = host_send(slot->host, bt_buf_str(&out), -1, err);
    }
    bt_buf_done(&out);
    return rc;
}

static int on_render(struct slot *slot, const struct bt_value *message, struct bt_err *err)
{
    const struct bt_value *variables = bt_map_gets(message, "variables");
    if (!bt_value_is_null(variables) && !bt_value_is(variables, BT_KIND_MAP))
        return bt_fail(err, BT_INVALID, "a message \"render\" whose variables are no map");
    return answer_now(slot, message, slot_host_render, err);
}

static int on_encrypt(struct slot *slot, const struct bt_value *message, struct bt_err *err)
{
    return answer_now(slot, message, slot_host_encrypt, err);
}

/* --- Results ---------------------------------------------------------------------------------- */

static int on_log(struct slot *slot, const struct bt_value *message, struct bt_err *err)
{
    enum bt_level level = BT_LEVEL_INFO;
    (void)err;
    (void)bt_level_parse(bt_map_str(message, "level"), &level); /* Unknown: INFO. */
    slot_log(slot, level, bt_map_str(message, "message"));
    return BT_OK;
}

static int on_output(struct slot *slot, const struct bt_value *message, struct bt_err *err)
{
    struct bt_str name = bt_map_str(message, "name");
    if (name.len == 0)
        return bt_fail(err, BT_INVALID, "a message \"output\" without a name");
    bt_capture_output(&slot->capture, name, bt_map_gets(message, "value"));
    return BT_OK;
}

static int on_metric(struct slot *slot, const struct bt_value *message, struct bt_err *err)
{
    if (!bt_capture_metric(&slot->capture, message, "metric"))
        return bt_fail(err, BT_INVALID,
                       "a message \"metric\" without a name, a number as value, or "
                       "\"metric\": \"counter\" or \"timer\"");
    return BT_OK;
}

static int on_emit(struct slot *slot, const struct bt_value *message, struct bt_err *err)
{
    const struct bt_value *variables = bt_map_gets(message, "variables");
    const struct bt_value *id = bt_map_gets(message, "id");
    BT_VALUE event = bt_map_new(2);
    if (!bt_value_is(variables, BT_KIND_MAP))
        return bt_fail(err, BT_INVALID, "a message \"emit\" whose variables are no map");
    if (!slot->events)
        slot->events = bt_list_new(1);
    if (bt_value_count(slot->events) >= BT_HOST_EVENTS_MAX)
        return bt_fail(err, BT_LIMIT, "more than %u events", BT_HOST_EVENTS_MAX);
    if (!event || bt_map_puts(event, "variables", bt_value_ref(variables)) < 0 ||
        (id && bt_map_puts(event, "id", bt_value_ref(id)) < 0) || !slot->events ||
        bt_list_push(slot->events, BT_TAKE(event)) < 0)
        return bt_fail_mem(err, "events");
    return BT_OK;
}

static int on_state(struct slot *slot, const struct bt_value *message, struct bt_err *err)
{
    (void)err;
    bt_value_unref(slot->trigger_state);
    slot->trigger_state = bt_value_ref(bt_map_gets(message, "value"));
    return BT_OK;
}

int slot_host_answer_flush(struct slot *slot, const char *error, struct bt_err *err)
{
    struct bt_err why = BT_ERR_INIT;
    if (!error)
        return reply(slot, NULL, BT_STR_NONE, -1, err);
    (void)bt_fail(&why, BT_IO, "%s", error);
    return reply_error(slot, &why, err);
}

static int on_flush(struct slot *slot, const struct bt_value *message, struct bt_err *err)
{
    const struct bt_worker_sink *sink = &slot->worker->config.sink;
    bool is_trigger = slot->job->task->type->exec == BT_EXEC_TRIGGER;
    (void)message;
    if (!sink->events || !is_trigger)
        return slot_host_answer_flush(slot, "events become durable with the result of this run",
                                      err);
    struct bt_value *events = slot->events ? BT_TAKE(slot->events) : bt_list_new(0);
    if (!events)
        return bt_fail_mem(err, "events");
    if (slot->is_flushing) {
        bt_value_unref(events);
        return bt_fail(err, BT_INVALID, "a message \"flush\" before the answer to the last one");
    }
    slot->is_flushing = true;
    host_pause(slot->host, true);
    sink->events(sink->data, slot->job, events, bt_value_ref(slot->trigger_state));
    return BT_OK;
}

static int on_result(struct slot *slot, const struct bt_value *message, struct bt_err *err)
{
    struct bt_str state = bt_map_str(message, "state");
    struct bt_str why = bt_map_str(message, "error");
    const char *name = slot->host->plugin->name;
    slot->has_result = true;
    slot->has_children = bt_value_as_bool(bt_map_gets(message, "hasChildren"));
    slot->host_bytes = bt_value_as_int(bt_map_gets(message, "memoryBytes"));
    slot->is_host_warning = bt_str_is(state, "warning");
    if (bt_str_is(state, "success") || slot->is_host_warning)
        return BT_OK;
    if (!bt_str_is(state, "failed") && !bt_str_is(state, "killed"))
        return bt_fail(err, BT_INVALID, "a message \"result\" with an unknown state");
    if (why.len > 0)
        (void)bt_fail(&slot->err, BT_INVALID, "%.*s", BT_FMT(why));
    else if (bt_str_is(state, "killed"))
        (void)bt_fail(&slot->err, BT_ABORTED, "the plugin '%s' stopped by itself", name);
    else
        (void)bt_fail(&slot->err, BT_INVALID,
                      "the plugin '%s' failed without saying why (code %lld)", name,
                      (long long)bt_value_as_int(bt_map_gets(message, "code")));
    return BT_OK;
}

static int on_refused(struct slot *slot, const struct bt_value *message, struct bt_err *err)
{
    struct bt_str why = bt_map_str(message, "error");
    (void)err;
    slot->is_refused = true;
    (void)bt_fail(&slot->err, BT_UNAVAILABLE, "the plugin '%s' cannot be used: %.*s",
                  slot->host->plugin->name, BT_FMT(why));
    return BT_OK;
}

static const struct {
    const char *type;
    int (*take)(struct slot *slot, const struct bt_value *message, struct bt_err *err);
} takers[] = {
    {"log", on_log},
    {"output", on_output},
    {"metric", on_metric},
    {"file_open", on_file_open},
    {"file_store", on_file_store},
    {"render", on_render},
    {"encrypt", on_encrypt},
    {"emit", on_emit},
    {"state", on_state},
    {"flush", on_flush},
    {"result", on_result},
    {"refused", on_refused},
};

int slot_host_message(struct slot *slot, struct bt_str text, struct bt_err *err)
{
    BT_VALUE message = NULL;
    struct bt_err why = BT_ERR_INIT;
    if (bt_json_parse(text, NULL, &message, &why) < 0)
        return bt_fail(err, BT_INVALID, "a message that is no JSON (%s): %.*s", why.msg,
                       (int)(text.len < 80 ? text.len : 80), text.at);
    struct bt_str type = bt_map_str(message, "type");
    for (size_t i = 0; i < BT_COUNT(takers); i++)
        if (bt_str_is(type, takers[i].type))
            return takers[i].take(slot, message, err);
    return bt_fail(err, BT_INVALID, "a message of the unknown type '%.*s'", BT_FMT(type));
}

/* cmd_exec.c — `baton exec VERB`: executions of a running server. */
#include "cli/cli.h"
#include "cli/cmd_exec_int.h"
#include "cli/remote.h"
#include "cli/text.h"

#include "base/own.h"
#include "model/state.h"
#include "value/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int begin(struct bt_remote *remote, struct bt_options *spec, int argc, char **argv,
                 struct bt_err *err)
{
    BT_TRY(bt_options_read(spec, argc, argv, err));
    return bt_remote_open(remote, err);
}

int bt_exec_path(const char *kind, const char *id, const char *rest, struct bt_buf *out,
                 struct bt_err *err)
{
    (void)bt_buf_addf(out, "/api/v1/%s/", kind); /* Checked below. */
    (void)bt_client_escape(bt_str_of(id), out);
    (void)bt_buf_adds(out, rest);
    return bt_buf_cstr(out) ? BT_OK : bt_buf_check(out, "the address", err);
}

static struct bt_str state_of(const struct bt_value *exec)
{
    return bt_map_str(bt_map_gets(exec, "state"), "current");
}

/* 0 for SUCCESS and WARNING, 1 for what failed; as `baton run`. */
static int code_of(const struct bt_value *exec)
{
    struct bt_str state = state_of(exec);
    return bt_str_is(state, "SUCCESS") || bt_str_is(state, "WARNING") ? BT_EXIT_OK : BT_EXIT_FAILED;
}

/* --- watch ------------------------------------------------------------------------------------ */

static int print_line(void *data, struct bt_str id, struct bt_str text)
{
    BT_VALUE line = NULL;
    (void)data;
    if (!bt_str_is(id, "progress") || bt_json_parse(text, NULL, &line, NULL) < 0)
        return BT_OK;
    struct bt_str at = bt_map_str(line, "timestamp");
    (void)printf("%.*s %-5.*s ", (int)(at.len > 11 ? at.len - 11 : 0), at.at ? at.at + 11 : "",
                 BT_FMT(bt_map_str(line, "level")));
    bt_text_put(stdout, bt_map_str(line, "taskId"), 40);
    (void)fputs(": ", stdout);
    bt_text_put_lines(stdout, bt_map_str(line, "message"));
    (void)putchar('\n');
    (void)fflush(stdout);
    return BT_OK;
}

static void print_end(const struct bt_value *exec)
{
    const struct bt_value *outputs = bt_map_gets(exec, "outputs");
    struct bt_str took = bt_map_str(bt_map_gets(exec, "state"), "duration");
    (void)printf("%.*s in %.*s\n", BT_FMT(state_of(exec)), BT_FMT(took));
    for (size_t i = 0; i < bt_value_count(outputs); i++) {
        struct bt_value *key = NULL;
        BT_VALUE text = bt_json_text(bt_map_at(outputs, i, &key));
        (void)fputs("  ", stdout);
        bt_text_put(stdout, bt_value_str(key), 100);
        (void)fputs(": ", stdout);
        bt_text_put(stdout, bt_value_str(text), 2000);
        (void)putchar('\n');
    }
}

/* Log lines as they come, then the end. Gives the exit code. */
static int watch_one(struct bt_remote *remote, const char *id, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf logs = BT_BUF_INIT(8192);
    BT_CLEANUP(bt_buf_done) struct bt_buf path = BT_BUF_INIT(8192);
    BT_VALUE exec = NULL;
    BT_TRY(bt_exec_path("logs", id, "/follow", &logs, err));
    BT_TRY(bt_remote_follow(remote, bt_buf_cstr(&logs), print_line, NULL, err));
    BT_TRY(bt_exec_path("executions", id, "", &path, err));
    BT_TRY(bt_remote_get(remote, bt_buf_cstr(&path), &exec, err));
    print_end(exec);
    return code_of(exec);
}

static int watch(struct bt_remote *remote, int argc, char **argv, struct bt_err *err)
{
    const char *id = NULL;
    const struct bt_flag flags[] = {BT_REMOTE_FLAGS(remote)};
    struct bt_options spec = {.command = "exec",
                              .flags = flags,
                              .flag_count = BT_COUNT(flags),
                              .positional = &id,
                              .positional_max = 1};
    BT_TRY(begin(remote, &spec, argc, argv, err));
    if (!id)
        return bt_fail(err, BT_INVALID, "which execution? baton exec watch ID");
    return watch_one(remote, id, err);
}

/* --- start ------------------------------------------------------------------------------------ */

static int send_start(struct bt_remote *remote, struct bt_exec_form *form,
                      const char *const names[2], struct bt_value **ret_exec, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf path = BT_BUF_INIT(64u << 10);
    for (size_t i = 0; i < form->count; i++)
        BT_TRY(bt_exec_form_take(form, &form->repeated[i], err));
    (void)bt_buf_adds(&path, "/api/v1/executions/"); /* Checked below. */
    (void)bt_client_escape(bt_str_of(names[0]), &path);
    (void)bt_buf_addc(&path, '/');
    (void)bt_client_escape(bt_str_of(names[1]), &path);
    (void)bt_buf_adds(&path, "?wait=false");
    (void)bt_buf_add(&path, bt_buf_str(&form->query));
    struct bt_client_request request = {
        .method = "POST", .path = bt_buf_cstr(&path), .part_count = form->part_count};
    request.parts = form->part_count ? form->parts : NULL;
    return request.path ? bt_remote_call(remote, &request, ret_exec, err)
                        : bt_buf_check(&path, "the address", err);
}

static int start_one(struct bt_remote *remote, const struct bt_options *spec,
                     struct bt_exec_form *form, bool waits, struct bt_err *err)
{
    BT_VALUE exec = NULL;
    if (spec->positional_count != 2)
        return bt_fail(err, BT_INVALID, "which flow? baton exec start NAMESPACE ID");
    form->count = spec->repeated_count;
    BT_TRY(send_start(remote, form, spec->positional, &exec, err));
    char id[64];
    (void)snprintf(id, sizeof id, "%.*s", BT_FMT(bt_map_str(exec, "id"))); /* 22 characters. */
    (void)printf("%s\n", id);
    (void)fflush(stdout);
    return waits ? watch_one(remote, id, err) : BT_OK;
}

static int start(struct bt_remote *remote, int argc, char **argv, struct bt_err *err)
{
    const char *names[2], *waits = NULL;
    const struct bt_flag flags[] = {BT_REMOTE_FLAGS(remote),
                                    {'i', "--input", true, NULL},
                                    {'f', "--file", true, NULL},
                                    {'l', "--label", true, NULL},
                                    {'w', "--wait", false, &waits}};
    struct bt_exec_form *form = bt_exec_form_new();
    if (!form)
        return bt_fail_mem(err, "start");
    struct bt_options spec = {.command = "exec",
                              .flags = flags,
                              .flag_count = BT_COUNT(flags),
                              .positional = names,
                              .positional_max = 2,
                              .repeated = form->repeated,
                              .repeated_max = BT_COUNT(form->repeated)};
    int rc = begin(remote, &spec, argc, argv, err);
    if (rc == BT_OK)
        rc = start_one(remote, &spec, form, waits != NULL, err);
    bt_exec_form_free(form);
    return rc;
}

/* --- list, get, logs, kill -------------------------------------------------------------------- */

static void print_exec(const struct bt_value *exec)
{
    const struct bt_value *state = bt_map_gets(exec, "state");
    struct bt_str took = bt_map_str(state, "duration");
    (void)printf("%-24.*s%-11.*s%-26.*s%-14.*s", BT_FMT(bt_map_str(exec, "id")),
                 BT_FMT(state_of(exec)), BT_FMT(bt_map_str(state, "startDate")),
                 (int)(took.len > 2 ? took.len - 2 : 0), took.at ? took.at + 2 : "");
    bt_text_put(stdout, bt_map_str(exec, "namespace"), 60);
    (void)putchar('.');
    bt_text_put(stdout, bt_map_str(exec, "flowId"), 60);
    (void)putchar('\n');
}

static int list(struct bt_remote *remote, int argc, char **argv, struct bt_err *err)
{
    const char *namespace = "", *flow = "", *state = "", *size = "25", *json = NULL;
    const struct bt_flag flags[] = {
        BT_REMOTE_FLAGS(remote),    {'n', "--namespace", true, &namespace},
        {0, "--flow", true, &flow}, {0, "--state", true, &state},
        {0, "--size", true, &size}, {0, "--json", false, &json}};
    struct bt_options spec = {.command = "exec", .flags = flags, .flag_count = BT_COUNT(flags)};
    BT_CLEANUP(bt_buf_done) struct bt_buf path = BT_BUF_INIT(8192);
    BT_VALUE page = NULL;
    BT_TRY(begin(remote, &spec, argc, argv, err));
    const char *const pairs[][2] = {
        {"size", size}, {"namespace", namespace}, {"flowId", flow}, {"state", state}};
    (void)bt_buf_adds(&path, "/api/v1/executions/search?page=1"); /* Checked below. */
    for (size_t i = 0; i < BT_COUNT(pairs); i++) {
        (void)bt_buf_addf(&path, "&%s=", pairs[i][0]);
        (void)bt_client_escape(bt_str_of(pairs[i][1]), &path);
    }
    const char *address = bt_buf_cstr(&path);
    BT_TRY(address ? bt_remote_get(remote, address, &page, err)
                   : bt_buf_check(&path, "the address", err));
    const struct bt_value *execs = bt_map_gets(page, "results");
    if (json)
        return bt_remote_print(execs, err);
    (void)printf("%-24s%-11s%-26s%-14s%s\n", "ID", "STATE", "STARTED", "DURATION", "FLOW");
    for (size_t i = 0; i < bt_value_count(execs); i++)
        print_exec(bt_list_at(execs, i));
    return BT_OK;
}

/* One execution by id, and what is asked of it. */
static int one(struct bt_remote *remote, int argc, char **argv,
               const struct bt_client_request *asked, struct bt_err *err)
{
    const char *id = NULL;
    const struct bt_flag flags[] = {BT_REMOTE_FLAGS(remote)};
    struct bt_options spec = {.command = "exec",
                              .flags = flags,
                              .flag_count = BT_COUNT(flags),
                              .positional = &id,
                              .positional_max = 1};
    BT_CLEANUP(bt_buf_done) struct bt_buf path = BT_BUF_INIT(8192);
    BT_VALUE value = NULL;
    BT_TRY(begin(remote, &spec, argc, argv, err));
    if (!id)
        return bt_fail(err, BT_INVALID, "which execution? give its id");
    struct bt_client_request request = *asked;
    bool is_log = strcmp(request.path, "/download") == 0;
    BT_TRY(bt_exec_path(is_log ? "logs" : "executions", id, request.path, &path, err));
    request.path = bt_buf_cstr(&path);
    BT_TRY(bt_remote_call(remote, &request, &value, err));
    if (!is_log)
        return bt_value_is(value, BT_KIND_STRING) ? BT_OK : bt_remote_print(value, err);
    bt_text_put_lines(stdout, bt_value_str(value));
    (void)putchar('\n');
    return BT_OK;
}

static int get(struct bt_remote *remote, int argc, char **argv, struct bt_err *err)
{
    return one(remote, argc, argv, &(struct bt_client_request){.method = "GET", .path = ""}, err);
}

static int logs(struct bt_remote *remote, int argc, char **argv, struct bt_err *err)
{
    return one(remote, argc, argv,
               &(struct bt_client_request){.method = "GET", .path = "/download"}, err);
}

static int kill_one(struct bt_remote *remote, int argc, char **argv, struct bt_err *err)
{
    return one(remote, argc, argv, &(struct bt_client_request){.method = "DELETE", .path = "/kill"},
               err);
}

int bt_cmd_exec(int argc, char **argv)
{
    static const struct bt_verb verbs[] = {
        {"start", "start NAMESPACE FLOW [-i|-f|-l NAME=VALUE] [-w]",
         "Start a flow; -w: watch it to its end", start},
        {"list", "list [-n NAMESPACE] [--flow ID] [--state S]", "List executions, newest first",
         list},
        {"get", "get ID", "Print an execution as JSON", get},
        {"watch", "watch ID", "Print log lines until the end; exit as it ended", watch},
        {"logs", "logs ID", "Print the log", logs},
        {"kill", "kill ID", "Kill an execution", kill_one},
        {"pause", "pause ID...", "Pause running executions: nothing new starts", bt_exec_pause},
        {"resume", "resume ID [-i|-f NAME=VALUE]",
         "Resume a paused execution, with what it asks for", bt_exec_resume},
        {"restart", "restart ID...", "Let what ended badly go on from what failed",
         bt_exec_restart},
        {"replay", "replay ID [--from TASK] [-r REVISION] [-i|-f N=V]",
         "Make a new execution of an ended one; print its id", bt_exec_replay},
        {"force-run", "force-run ID...", "Begin now what waits for its date or its flow",
         bt_exec_force},
        {"unqueue", "unqueue ID... [--state S]",
         "Take out of the queue: RUNNING (default), CANCELLED, FAILED", bt_exec_unqueue},
        {"change-state", "change-state ID STATE [--task TASK]",
         "Another state for what has ended; of a task: it goes on from there", bt_exec_change},
        {NULL, NULL, NULL, NULL},
    };
    return bt_remote_main("exec", verbs, argc, argv);
}

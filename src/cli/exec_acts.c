/* exec_acts.c — `baton exec`: what somebody does with executions that are there. */
#include "cli/cmd_exec_int.h"

#include "base/own.h"
#include "cli/text.h"
#include "value/json.h"

#include <stdio.h>
#include <string.h>

enum { IDS_MAX = 200 };

/* "ID STATE", when the answer is an execution. */
static void print_state(const struct bt_value *exec)
{
    struct bt_str state = bt_map_str(bt_map_gets(exec, "state"), "current");
    if (!state.len)
        return;
    bt_text_put(stdout, bt_map_str(exec, "id"), 60);
    (void)printf(" %.*s\n", BT_FMT(state));
}

static int post(struct bt_remote *remote, const char *id, const char *rest,
                struct bt_client_request request, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf path = BT_BUF_INIT(8192);
    BT_VALUE exec = NULL;
    BT_TRY(bt_exec_path("executions", id, rest, &path, err));
    request.method = "POST";
    request.path = bt_buf_cstr(&path);
    BT_TRY(bt_remote_call(remote, &request, &exec, err));
    print_state(exec);
    return BT_OK;
}

/* --- Several at once -------------------------------------------------------------------------- */

/* The same of each id; the first that is refused ends it. */
static int each(struct bt_remote *remote, int argc, char **argv, const char *action,
                struct bt_err *err)
{
    const char *ids[IDS_MAX], *state = NULL;
    const struct bt_flag flags[] = {BT_REMOTE_FLAGS(remote), {0, "--state", true, &state}};
    bool has_state = strcmp(action, "/unqueue") == 0;
    struct bt_options spec = {.command = "exec",
                              .flags = flags,
                              .flag_count = BT_COUNT(flags) - !has_state,
                              .positional = ids,
                              .positional_max = IDS_MAX};
    BT_CLEANUP(bt_buf_done) struct bt_buf rest = BT_BUF_INIT(1024);
    BT_TRY(bt_options_read(&spec, argc, argv, err));
    (void)bt_buf_addf(&rest, "%s%s", action, state ? "?state=" : ""); /* Checked below. */
    if (state)
        (void)bt_client_escape(bt_str_of(state), &rest);
    if (!bt_buf_cstr(&rest))
        return bt_buf_check(&rest, "the address", err);
    if (!spec.positional_count)
        return bt_fail(err, BT_INVALID, "which execution? give its id");
    BT_TRY(bt_remote_open(remote, err));
    for (size_t i = 0; i < spec.positional_count; i++)
        if (post(remote, ids[i], bt_buf_cstr(&rest), (struct bt_client_request){0}, err) < 0)
            return spec.positional_count > 1 ? bt_err_prefix(err, "%s", ids[i]) : (int)err->code;
    return BT_OK;
}

int bt_exec_pause(struct bt_remote *remote, int argc, char **argv, struct bt_err *err)
{
    return each(remote, argc, argv, "/pause", err);
}

int bt_exec_restart(struct bt_remote *remote, int argc, char **argv, struct bt_err *err)
{
    return each(remote, argc, argv, "/restart?taskRuns=0", err);
}

int bt_exec_force(struct bt_remote *remote, int argc, char **argv, struct bt_err *err)
{
    return each(remote, argc, argv, "/force-run?taskRuns=0", err);
}

int bt_exec_unqueue(struct bt_remote *remote, int argc, char **argv, struct bt_err *err)
{
    return each(remote, argc, argv, "/unqueue", err);
}

/* --- With inputs ------------------------------------------------------------------------------ */

static int take_all(struct bt_exec_form *form, const struct bt_options *spec, struct bt_err *err)
{
    if (spec->positional_count != 1)
        return bt_fail(err, BT_INVALID, "which execution? give its id");
    for (size_t i = 0; i < spec->repeated_count; i++)
        BT_TRY(bt_exec_form_take(form, &form->repeated[i], err));
    return BT_OK;
}

static struct bt_client_request request_of(const struct bt_exec_form *form)
{
    return (struct bt_client_request){.parts = form->part_count ? form->parts : NULL,
                                      .part_count = form->part_count};
}

int bt_exec_resume(struct bt_remote *remote, int argc, char **argv, struct bt_err *err)
{
    const char *id = NULL;
    const struct bt_flag flags[] = {
        BT_REMOTE_FLAGS(remote), {'i', "--input", true, NULL}, {'f', "--file", true, NULL}};
    struct bt_exec_form *form = bt_exec_form_new();
    if (!form)
        return bt_fail_mem(err, "resume");
    struct bt_options spec = {.command = "exec",
                              .flags = flags,
                              .flag_count = BT_COUNT(flags),
                              .positional = &id,
                              .positional_max = 1,
                              .repeated = form->repeated,
                              .repeated_max = BT_COUNT(form->repeated)};
    int rc = bt_options_read(&spec, argc, argv, err);
    if (rc == BT_OK)
        rc = take_all(form, &spec, err);
    if (rc == BT_OK)
        rc = bt_remote_open(remote, err);
    if (rc == BT_OK)
        rc = post(remote, id, "/resume", request_of(form), err);
    bt_exec_form_free(form);
    return rc;
}

/* --- From a task ------------------------------------------------------------------------------ */

/* The id of a task run, by itself or by its task (then there may be only one). */
static int find_run(struct bt_remote *remote, const char *id, const char *task,
                    struct bt_value **ret_run_id, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf path = BT_BUF_INIT(8192);
    BT_VALUE exec = NULL;
    const struct bt_value *found = NULL;
    BT_TRY(bt_exec_path("executions", id, "", &path, err));
    BT_TRY(bt_remote_get(remote, bt_buf_cstr(&path), &exec, err));
    const struct bt_value *runs = bt_map_gets(exec, "taskRunList");
    for (size_t i = 0; i < bt_value_count(runs); i++) {
        const struct bt_value *run = bt_list_at(runs, i);
        bool is_run = bt_str_is(bt_map_str(run, "id"), task);
        if (!is_run && !bt_str_is(bt_map_str(run, "taskId"), task))
            continue;
        if (!is_run && found) {
            (void)bt_fail(err, BT_INVALID, "the task '%s' has run several times", task);
            return bt_hint(err, "give the id of one of its task runs: baton exec get %s", id);
        }
        found = run;
        if (is_run)
            break;
    }
    if (!found)
        return bt_fail(err, BT_INVALID, "'%s' is neither a task nor a task run of it", task);
    *ret_run_id = bt_value_ref(bt_map_gets(found, "id"));
    return BT_OK;
}

/* Prints the new id, as `start` does. */
static int send_replay(struct bt_remote *remote, const char *id, const char *rest,
                       const struct bt_exec_form *form, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf path = BT_BUF_INIT(8192);
    BT_VALUE exec = NULL;
    BT_TRY(bt_exec_path("executions", id, rest, &path, err));
    struct bt_client_request request = request_of(form);
    request.method = "POST";
    request.path = bt_buf_cstr(&path);
    BT_TRY(bt_remote_call(remote, &request, &exec, err));
    bt_text_put(stdout, bt_map_str(exec, "id"), 60);
    (void)putchar('\n');
    return BT_OK;
}

static int replay_one(struct bt_remote *remote, const char *id, const char *const options[2],
                      const struct bt_exec_form *form, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf rest = BT_BUF_INIT(4096);
    BT_VALUE run_id = NULL;
    BT_TRY(bt_remote_open(remote, err));
    if (options[0])
        BT_TRY(find_run(remote, id, options[0], &run_id, err));
    (void)bt_buf_addf(&rest, "/replay%s?taskRuns=0", form->part_count ? "-with-inputs" : "");
    if (run_id) {
        (void)bt_buf_adds(&rest, "&taskRunId="); /* Checked below. */
        (void)bt_client_escape(bt_value_str(run_id), &rest);
    }
    if (options[1]) {
        (void)bt_buf_adds(&rest, "&revision=");
        (void)bt_client_escape(bt_str_of(options[1]), &rest);
    }
    const char *address = bt_buf_cstr(&rest);
    return address ? send_replay(remote, id, address, form, err)
                   : bt_buf_check(&rest, "the address", err);
}

int bt_exec_replay(struct bt_remote *remote, int argc, char **argv, struct bt_err *err)
{
    const char *id = NULL, *options[2] = {NULL, NULL};
    const struct bt_flag flags[] = {BT_REMOTE_FLAGS(remote),
                                    {0, "--from", true, &options[0]},
                                    {'r', "--revision", true, &options[1]},
                                    {'i', "--input", true, NULL},
                                    {'f', "--file", true, NULL}};
    struct bt_exec_form *form = bt_exec_form_new();
    if (!form)
        return bt_fail_mem(err, "replay");
    struct bt_options spec = {.command = "exec",
                              .flags = flags,
                              .flag_count = BT_COUNT(flags),
                              .positional = &id,
                              .positional_max = 1,
                              .repeated = form->repeated,
                              .repeated_max = BT_COUNT(form->repeated)};
    int rc = bt_options_read(&spec, argc, argv, err);
    if (rc == BT_OK)
        rc = take_all(form, &spec, err);
    if (rc == BT_OK)
        rc = replay_one(remote, id, options, form, err);
    bt_exec_form_free(form);
    return rc;
}

/* --- States ----------------------------------------------------------------------------------- */

static int change_run(struct bt_remote *remote, const char *const names[2], const char *task,
                      struct bt_err *err)
{
    BT_VALUE run_id = NULL, *body = bt_map_new(2);
    BT_TRY(find_run(remote, names[0], task, &run_id, err));
    if (bt_map_puts(body, "taskRunId", BT_TAKE(run_id)) < 0 ||
        bt_map_puts(body, "state", bt_value_cstr(names[1])) < 0)
        return bt_fail_mem(err, "the state");
    BT_VALUE text = bt_json_text(body);
    return post(remote, names[0], "/state?taskRuns=0",
                (struct bt_client_request){.type = "application/json", .body = bt_value_str(text)},
                err);
}

int bt_exec_change(struct bt_remote *remote, int argc, char **argv, struct bt_err *err)
{
    const char *names[2], *task = NULL;
    const struct bt_flag flags[] = {BT_REMOTE_FLAGS(remote), {0, "--task", true, &task}};
    struct bt_options spec = {.command = "exec",
                              .flags = flags,
                              .flag_count = BT_COUNT(flags),
                              .positional = names,
                              .positional_max = 2};
    BT_CLEANUP(bt_buf_done) struct bt_buf rest = BT_BUF_INIT(1024);
    BT_TRY(bt_options_read(&spec, argc, argv, err));
    if (spec.positional_count != 2)
        return bt_fail(err, BT_INVALID, "which one, and what? baton exec change-state ID STATE");
    BT_TRY(bt_remote_open(remote, err));
    if (task)
        return change_run(remote, names, task, err);
    (void)bt_buf_adds(&rest, "/change-status?taskRuns=0&status="); /* Checked below. */
    (void)bt_client_escape(bt_str_of(names[1]), &rest);
    const char *address = bt_buf_cstr(&rest);
    return address ? post(remote, names[0], address, (struct bt_client_request){0}, err)
                   : bt_buf_check(&rest, "the address", err);
}

/* plan.c — Renders the properties of a script task. Must never touch files. */
#include "worker/runner/plan.h"

#include "base/limits.h"
#include "value/json.h"
#include "worker/context.h"
#include "worker/runner/plan_int.h"

#include <assert.h>

#define SCRIPT_NAME_SHELL "_task.sh"

void bt_plan_done(struct bt_plan *plan)
{
    bt_value_unref(plan->input_files);
    bt_value_unref(plan->output_files);
    bt_value_unref(plan->space_include);
    bt_value_unref(plan->space_exclude);
    bt_value_unref(plan->cache_patterns);
    bt_arena_done(&plan->arena);
    *plan = (struct bt_plan){0};
}

/* --- The scope: the job's variables and the two directories ----------------------------------- */

static int lookup(void *data, struct bt_str name, struct bt_value **ret_value, struct bt_err *err)
{
    const struct bt_planner *planner = data;
    struct bt_value *found = NULL;
    if (bt_str_is(name, "workingDir"))
        found = bt_value_cstr(planner->place->work_dir);
    else if (bt_str_is(name, "outputDir") && planner->plan->has_output_dir)
        found = bt_value_cstr(planner->place->output_dir);
    else
        return bt_context_get(planner->job, name, ret_value, err);
    if (!found)
        return bt_fail_mem(err, "variable");
    *ret_value = found;
    return BT_OK;
}

static int lookup_all(void *data, struct bt_value **ret_map, struct bt_err *err)
{
    const struct bt_planner *planner = data;
    BT_VALUE map = NULL;
    BT_TRY(bt_context_all(planner->job, &map, err));
    if (bt_map_puts(map, "workingDir", bt_value_cstr(planner->place->work_dir)) < 0)
        return bt_fail_mem(err, "variables");
    if (planner->plan->has_output_dir &&
        bt_map_puts(map, "outputDir", bt_value_cstr(planner->place->output_dir)) < 0)
        return bt_fail_mem(err, "variables");
    *ret_map = BT_TAKE(map);
    return BT_OK;
}

/* --- Properties ------------------------------------------------------------------------------- */

int bt_planner_render(struct bt_planner *planner, const char *name, struct bt_value **ret_value)
{
    const struct bt_dyn *prop = bt_task_prop(planner->job->task, name);
    *ret_value = NULL;
    if (!prop)
        return BT_OK;
    int rc = bt_dyn_render(prop, &planner->scope, ret_value, planner->err);
    if (rc < 0) {
        (void)bt_err_prefix(planner->err, "%s", name); /* Gives the code again. */
        return rc;
    }
    if (bt_value_is_null(*ret_value))
        *ret_value = bt_value_unref(*ret_value);
    return BT_OK;
}

static int render_bool(struct bt_planner *planner, const char *name, bool fallback, bool *ret_is)
{
    BT_VALUE value = NULL;
    BT_TRY(bt_planner_render(planner, name, &value));
    *ret_is = fallback;
    if (bt_value_is(value, BT_KIND_BOOL))
        *ret_is = bt_value_as_bool(value);
    else if (bt_value_is(value, BT_KIND_STRING))
        *ret_is = bt_text_is_truthy(bt_str_trim(bt_value_str(value)));
    else if (value)
        return bt_fail(planner->err, BT_INVALID, "%s: must be true or false", name);
    return BT_OK;
}

/* The text of one item without URIs, appended. */
static int add_item(struct bt_planner *planner, const struct bt_value *item, struct bt_buf *out)
{
    if (bt_value_is(item, BT_KIND_STRING))
        return bt_planner_localise(planner, bt_value_str(item), out);
    return bt_value_print(item, out, planner->err);
}

/* Appends the items of a list of commands (or the one text), each with a newline. */
static int add_commands(struct bt_planner *planner, const char *name, struct bt_buf *out)
{
    BT_VALUE list = NULL;
    BT_TRY(bt_planner_render(planner, name, &list));
    if (list && !bt_value_is(list, BT_KIND_LIST)) {
        BT_TRY(add_item(planner, list, out));
        return bt_buf_addc(out, '\n') < 0 ? bt_buf_check(out, "command", planner->err) : BT_OK;
    }
    for (size_t i = 0; i < bt_value_count(list); i++) {
        if (bt_value_is_null(bt_list_at(list, i)))
            continue;
        BT_TRY(add_item(planner, bt_list_at(list, i), out));
        (void)bt_buf_addc(out, '\n'); /* Checked below. */
    }
    return bt_buf_check(out, "command", planner->err);
}

static int check_nul(struct bt_planner *planner, struct bt_str text, const char *what)
{
    if (text.len > 0 && memchr(text.at, '\0', text.len))
        return bt_fail(planner->err, BT_INVALID, "%s: holds a NUL byte", what);
    return BT_OK;
}

/* A C string in the arena. */
static int keep_text(struct bt_planner *planner, struct bt_str text, const char **ret_text)
{
    *ret_text = bt_arena_dup(&planner->plan->arena, text);
    return *ret_text ? BT_OK : bt_fail_mem(planner->err, "command");
}

static int new_vector(struct bt_planner *planner, size_t count, const char ***ret_vector)
{
    *ret_vector = bt_arena_alloc(&planner->plan->arena, (count + 1) * sizeof(char *));
    return *ret_vector ? BT_OK : bt_fail_mem(planner->err, "command");
}

/* --- Environment ------------------------------------------------------------------------------ */

static int add_variable(struct bt_planner *planner, struct bt_str name,
                        const struct bt_value *value, const char **ret_text)
{
    if (name.len == 0 || memchr(name.at, '=', name.len))
        return bt_fail(planner->err, BT_INVALID, "env: '%.*s' cannot be the name of a variable",
                       BT_FMT(name));
    struct bt_buf text = BT_BUF_INIT(BT_COMMAND_BYTES_MAX);
    (void)bt_buf_add(&text, name); /* Checked below. */
    (void)bt_buf_addc(&text, '='); /* The same. */
    int rc = bt_value_print(value, &text, planner->err);
    if (rc == BT_OK)
        rc = bt_buf_check(&text, "env", planner->err);
    if (rc == BT_OK)
        rc = check_nul(planner, bt_buf_str(&text), "env");
    if (rc == BT_OK)
        rc = keep_text(planner, bt_buf_str(&text), ret_text);
    bt_buf_done(&text);
    return rc;
}

static bool is_python(const struct bt_job *job)
{
    enum bt_op op = job->task->type->op;
    return op == BT_OP_PYTHON_COMMANDS || op == BT_OP_PYTHON_SCRIPT;
}

static int make_env(struct bt_planner *planner)
{
    static const char *const python[] = {"PYTHONUNBUFFERED=1", "PIP_ROOT_USER_ACTION=ignore",
                                         "PIP_DISABLE_PIP_VERSION_CHECK=1"};
    BT_TRY(bt_planner_render(planner, "env", &planner->env));
    if (planner->env && !bt_value_is(planner->env, BT_KIND_MAP))
        return bt_fail(planner->err, BT_INVALID, "env: must be a map of names to texts");
    const char **env;
    size_t used = 0;
    BT_TRY(new_vector(planner, bt_value_count(planner->env) + BT_COUNT(python) + 2, &env));
    for (size_t i = 0; i < bt_value_count(planner->env); i++) {
        struct bt_value *value = bt_map_at(planner->env, i, NULL);
        if (!bt_value_is_null(value))
            BT_TRY(add_variable(planner, bt_map_key(planner->env, i), value, &env[used++]));
    }
    for (size_t i = 0; is_python(planner->job) && i < BT_COUNT(python); i++) {
        struct bt_str name = {python[i], strcspn(python[i], "=")};
        if (!bt_map_get(planner->env, name))
            env[used++] = python[i];
    }
    BT_VALUE dir = bt_value_cstr(planner->place->work_dir);
    BT_TRY(add_variable(planner, BT_STR("WORKING_DIR"), dir, &env[used++]));
    if (planner->plan->has_output_dir) {
        BT_VALUE out = bt_value_cstr(planner->place->output_dir);
        BT_TRY(add_variable(planner, BT_STR("OUTPUT_DIR"), out, &env[used++]));
    }
    planner->plan->env = env;
    return BT_OK;
}

/* --- The command line ------------------------------------------------------------------------- */

static bool is_shell(const struct bt_value *interpreter)
{
    static const char *const shells[] = {"sh", "bash", "dash", "ash", "zsh", "ksh", "busybox"};
    struct bt_str name = bt_value_str(bt_list_at(interpreter, 0));
    const char *slash = name.len ? memrchr(name.at, '/', name.len) : NULL;
    if (slash)
        name = bt_str_slice(name, (size_t)(slash - name.at) + 1, name.len);
    for (size_t i = 0; i < BT_COUNT(shells); i++) {
        if (bt_str_is(name, shells[i]))
            return true;
    }
    return !interpreter; /* The default is /bin/sh. */
}

/* interpreter + text. A text too long for one argument goes through a file that the shell reads. */
static int make_argv(struct bt_planner *planner, const struct bt_value *interpreter,
                     struct bt_str text)
{
    struct bt_plan *plan = planner->plan;
    BT_TRY(check_nul(planner, text, "command"));
    size_t count = interpreter ? bt_value_count(interpreter) : 2;
    const char **argv;
    BT_TRY(new_vector(planner, count + 1, &argv));
    plan->argv = argv;
    for (size_t i = 0; i < count; i++) {
        struct bt_value *item = bt_list_at(interpreter, i);
        struct bt_str part = interpreter ? bt_value_str(item)
                             : i == 0    ? BT_STR("/bin/sh")
                                         : BT_STR("-c");
        BT_TRY(check_nul(planner, part, "interpreter"));
        BT_TRY(keep_text(planner, part, &argv[i]));
    }
    if (text.len <= BT_COMMAND_INLINE_MAX)
        return keep_text(planner, text, &argv[count]);
    if (!is_shell(interpreter) || plan->file_name)
        return bt_fail(planner->err, BT_LIMIT, "the command has more than %u bytes",
                       BT_COMMAND_INLINE_MAX);
    plan->file_name = SCRIPT_NAME_SHELL;
    plan->file_text = bt_arena_str(&plan->arena, text);
    argv[count] = ". ./" SCRIPT_NAME_SHELL;
    return plan->file_text.at ? BT_OK : bt_fail_mem(planner->err, "command");
}

static bool has_prop(const struct bt_planner *planner, const char *name)
{
    return bt_task_prop(planner->job->task, name) != NULL;
}

static int make_body(struct bt_planner *planner, const struct bt_value *interpreter,
                     struct bt_buf *text)
{
    bool is_fail_fast = true;
    BT_TRY(render_bool(planner, "failFast", true, &is_fail_fast));
    bool is_script = has_prop(planner, "script");
    if (is_fail_fast && is_shell(interpreter))
        (void)bt_buf_adds(text, "set -e\n"); /* Checked when the commands are added. */
    BT_TRY(add_commands(planner, "beforeCommands", text));
    if (!is_script && !has_prop(planner, "commands"))
        return bt_fail(planner->err, BT_INVALID, "the task has neither commands nor a script");
    if (!is_script || !is_python(planner->job))
        return add_commands(planner, is_script ? "script" : "commands", text);
    struct bt_buf script = BT_BUF_INIT(BT_COMMAND_BYTES_MAX);
    int rc = add_commands(planner, "script", &script);
    bool is_direct = !interpreter && !has_prop(planner, "beforeCommands");
    if (rc == BT_OK)
        rc = bt_planner_python(planner, bt_buf_str(&script), is_direct ? NULL : text);
    bt_buf_done(&script);
    return rc;
}

static int make_command(struct bt_planner *planner)
{
    BT_VALUE interpreter = NULL;
    BT_TRY(bt_planner_render(planner, "interpreter", &interpreter));
    if (interpreter && (!bt_value_is(interpreter, BT_KIND_LIST) ||
                        !bt_value_is(bt_list_at(interpreter, 0), BT_KIND_STRING)))
        return bt_fail(planner->err, BT_INVALID, "interpreter: must be a list of texts");
    struct bt_buf text = BT_BUF_INIT(BT_COMMAND_BYTES_MAX);
    int rc = make_body(planner, interpreter, &text);
    if (rc == BT_OK && !planner->plan->argv)
        rc = make_argv(planner, interpreter, bt_buf_str(&text));
    bt_buf_done(&text);
    return rc;
}

/* --- All of it ----------------------------------------------------------------------------------
 */

static int make_all(struct bt_planner *planner)
{
    struct bt_plan *plan = planner->plan;
    BT_TRY(render_bool(planner, "outputDirectory", false, &plan->has_output_dir));
    BT_TRY(render_bool(planner, "warningOnStdErr", true, &plan->is_warning_on_stderr));
    BT_TRY(make_env(planner));
    BT_TRY(make_command(planner));
    BT_TRY(bt_planner_input_files(planner));
    BT_TRY(bt_planner_output_files(planner));
    BT_TRY(bt_planner_space_files(planner));
    plan->fetches = planner->fetches;
    return BT_OK;
}

int bt_plan_make(struct bt_plan *plan, const struct bt_job *job, const struct bt_plan_place *place,
                 struct bt_err *err)
{
    assert(job->task && job->task->type);
    *plan = (struct bt_plan){0};
    struct bt_planner planner = {
        .plan = plan, .job = job, .place = place, .rng = {job->seed}, .err = err};
    planner.scope = (struct bt_scope){
        .lookup = lookup,
        .all = lookup_all,
        .data = &planner,
        .capabilities = place->capabilities,
        .now_us = job->now_us,
        .rng = &planner.rng,
    };
    bool is_keeper = job->task->type->op == BT_OP_WORKING_DIRECTORY;
    int rc = is_keeper ? bt_planner_place(&planner) : make_all(&planner);
    bt_value_unref(planner.env);
    if (rc < 0)
        bt_plan_done(plan);
    return rc;
}

/* state.c — state.set, get, delete: a small map in a file of the flow or namespace, JSON.
 *
 * <namespace>/[<flow>/]states/tasks-states/[<hash of taskrun.value>/]<name>, where the original
 * keeps them. A set reads, merges and writes: not for flows that run at the same time. */
#include "base/limits.h"
#include "sys/fs.h"
#include "value/json.h"
#include "worker/core/core_int.h"
#include "worker/reader.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#define STATE_FOLDER "tasks-states"

enum { DEPTH_MAX = 64 };

struct state {
    struct bt_buf uri, key;
    char hash[33]; /* Empty: not by value. */
};

static void state_done(struct state *state)
{
    bt_buf_done(&state->uri);
    bt_buf_done(&state->key);
}

static void hash_value(const struct bt_core *core, char *hash, size_t size)
{
    const struct bt_value *taskrun = bt_map_gets(core->job->variables, "taskrun");
    const struct bt_value *value = bt_map_gets(taskrun, "value");
    struct bt_str text = bt_value_str(value);
    hash[0] = '\0';
    if (bt_value_is_null(value) || !bt_value_as_bool(bt_map_gets(core->props, "taskrunValue")))
        return;
    (void)snprintf(hash, size, "%016" PRIx64 "%016" PRIx64, bt_str_hash(text, 1),
                   bt_str_hash(text, 2)); /* Fits. */
}

/* Where the state stands, and what it is called in outputs. */
static int find_state(const struct bt_core *core, struct state *state, struct bt_err *err)
{
    const struct bt_flow *flow = core->job->flow;
    struct bt_str name = core_text(core, "name");
    bool is_shared = bt_value_as_bool(bt_map_gets(core->props, "namespace"));
    *state = (struct state){.uri = BT_BUF_INIT(BT_PATH_BYTES_MAX),
                            .key = BT_BUF_INIT(BT_PATH_BYTES_MAX)};
    if (name.len == 0 || memchr(name.at, '/', name.len))
        return bt_fail(err, BT_INVALID, "name: must be the name of a file");
    hash_value(core, state->hash, sizeof state->hash);
    (void)bt_buf_adds(&state->uri, "baton:///"); /* All checked at the end. */
    for (const char *at = flow->namespace; *at; at++)
        (void)bt_buf_addc(&state->uri, *at == '.' ? '/' : *at);
    (void)bt_buf_addc(&state->uri, '/');
    if (!is_shared) {
        (void)bt_buf_addf(&state->uri, "%s/", flow->id);
        (void)bt_buf_addf(&state->key, "%s_", flow->id);
    }
    (void)bt_buf_adds(&state->uri, "states/" STATE_FOLDER "/");
    (void)bt_buf_addf(&state->key, "states_" STATE_FOLDER "_%.*s", BT_FMT(name));
    if (state->hash[0]) {
        (void)bt_buf_addf(&state->uri, "%s/", state->hash);
        (void)bt_buf_addf(&state->key, "_%s", state->hash);
    }
    (void)bt_files_add_escaped(name, &state->uri);
    BT_TRY(bt_buf_check(&state->uri, "name", err));
    return bt_buf_check(&state->key, "name", err);
}

static int read_all(int fd, struct bt_buf *out, struct bt_err *err)
{
    enum { BLOCK_BYTES = 64 << 10 };
    for (ssize_t got = 1; got != 0;) {
        BT_TRY(bt_buf_reserve(out, BLOCK_BYTES));
        got = read(fd, out->at + out->len, BLOCK_BYTES);
        if (got < 0 && errno != EINTR)
            return bt_fail_errno(err, BT_IO, errno, "cannot read a state file");
        out->len += got > 0 ? (size_t)got : 0;
    }
    return BT_OK;
}

/* BT_NOT_FOUND: there is none. */
static int read_state(const struct bt_core *core, const struct state *state,
                      struct bt_value **ret_data, struct bt_err *err)
{
    BT_FD fd = -1;
    BT_VALUE data = NULL;
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(BT_STATE_BYTES_MAX + (1u << 17));
    BT_TRY(bt_files_open(core->files, core->job->tenant, bt_buf_str(&state->uri), &fd, err));
    int rc = read_all(fd, &text, err);
    if (rc < 0)
        return bt_buf_check(&text, "a state file", err) < 0 ? text.failed : rc;
    rc = bt_json_parse(bt_buf_str(&text), NULL, &data, err);
    if (rc < 0 || !bt_value_is(data, BT_KIND_MAP))
        return bt_fail(err, BT_CORRUPT, "the state file '%.*s' holds no JSON object",
                       BT_FMT(core_text(core, "name")));
    *ret_data = BT_TAKE(data);
    return BT_OK;
}

/* --- Merging ---------------------------------------------------------------------------------- */

static int merge(const struct bt_value *old, const struct bt_value *new, int depth,
                 struct bt_value **ret_merged, struct bt_err *err);

/* Lists are put behind each other. */
static int merge_lists(const struct bt_value *old, const struct bt_value *new,
                       struct bt_value **ret_merged, struct bt_err *err)
{
    BT_VALUE list = bt_value_copy(old);
    for (size_t i = 0; list && i < bt_value_count(new); i++)
        if (bt_list_push(list, bt_value_ref(bt_list_at(new, i))) < 0)
            return bt_fail_mem(err, "data");
    *ret_merged = BT_TAKE(list);
    return *ret_merged ? BT_OK : bt_fail_mem(err, "data");
}

static int merge_maps(const struct bt_value *old, const struct bt_value *new, int depth,
                      struct bt_value **ret_merged, struct bt_err *err)
{
    BT_VALUE map = bt_value_copy(old);
    if (!map)
        return bt_fail_mem(err, "data");
    for (size_t i = 0; i < bt_value_count(new); i++) {
        struct bt_value *key = NULL, *merged = NULL;
        const struct bt_value *value = bt_map_at(new, i, &key);
        BT_TRY(merge(bt_map_get(old, bt_value_str(key)), value, depth, &merged, err));
        if (bt_map_put_key(map, key, merged) < 0)
            return bt_fail_mem(err, "data");
    }
    *ret_merged = BT_TAKE(map);
    return BT_OK;
}

static int merge(const struct bt_value *old, const struct bt_value *new, int depth,
                 struct bt_value **ret_merged, struct bt_err *err)
{
    bool is_deep = depth < DEPTH_MAX;
    if (is_deep && bt_value_is(old, BT_KIND_MAP) && bt_value_is(new, BT_KIND_MAP))
        return merge_maps(old, new, depth + 1, ret_merged, err);
    if (is_deep && bt_value_is(old, BT_KIND_LIST) && bt_value_is(new, BT_KIND_LIST))
        return merge_lists(old, new, ret_merged, err);
    *ret_merged = bt_value_ref(new);
    return BT_OK;
}

/* --- The tasks -------------------------------------------------------------------------------- */

static int write_state(const struct bt_core *core, const struct state *state,
                       const struct bt_value *data, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(BT_STATE_BYTES_MAX);
    struct bt_file_writer *writer = NULL;
    int rc = bt_json_write(data, BT_JSON_COMPACT, &text, err);
    if (rc < 0 || bt_buf_check(&text, "the state", err) < 0)
        return rc < 0 ? rc : text.failed;
    if (bt_masks_has(&core->asks->masks, bt_buf_str(&text)))
        return bt_fail(err, BT_DENIED, "data: a state must not hold a secret");
    BT_TRY(bt_files_create(core->files, core->job->tenant, bt_buf_str(&state->uri), &writer, err));
    rc = bt_file_write(writer, text.at, text.len, err);
    if (rc == BT_OK)
        return bt_file_commit(writer, err);
    bt_file_abort(writer);
    return rc;
}

static int put_count(struct bt_core *core, const struct bt_value *data, struct bt_err *err)
{
    return core_put(core, "count", bt_value_int((int64_t)bt_value_count(data)), err);
}

int core_state_set(struct bt_core *core, struct bt_err *err)
{
    BT_CLEANUP(state_done) struct state state;
    BT_VALUE old = NULL, *data = NULL;
    BT_TRY(find_state(core, &state, err));
    int rc = read_state(core, &state, &old, err);
    if (rc == BT_NOT_FOUND)
        old = bt_map_new(0);
    else
        BT_TRY(rc);
    BT_VALUE none = bt_map_new(0);
    const struct bt_value *given = bt_map_gets(core->props, "data");
    if (!old || !none)
        return bt_fail_mem(err, "data");
    BT_TRY(merge(old, given ? given : none, 0, &data, err));
    BT_TRY(write_state(core, &state, data, err));
    BT_TRY(put_count(core, data, err));
    return core_put(core, "key", bt_value_string(bt_buf_str(&state.key)), err);
}

static bool is_error_on_missing(const struct bt_core *core)
{
    return bt_value_as_bool(bt_map_gets(core->props, "errorOnMissing"));
}

static int fail_missing(const struct bt_core *core, struct bt_err *err)
{
    return bt_fail(err, BT_NOT_FOUND, "Unable to find the state file '%.*s'",
                   BT_FMT(core_text(core, "name")));
}

int core_state_get(struct bt_core *core, struct bt_err *err)
{
    BT_CLEANUP(state_done) struct state state;
    BT_VALUE data = NULL;
    BT_TRY(find_state(core, &state, err));
    int rc = read_state(core, &state, &data, err);
    if (rc == BT_NOT_FOUND && is_error_on_missing(core))
        return fail_missing(core, err);
    if (rc == BT_NOT_FOUND)
        data = bt_map_new(0);
    else
        BT_TRY(rc);
    BT_TRY(put_count(core, data, err));
    return core_put(core, "data", BT_TAKE(data), err);
}

int core_state_delete(struct bt_core *core, struct bt_err *err)
{
    BT_CLEANUP(state_done) struct state state;
    BT_TRY(find_state(core, &state, err));
    int rc = bt_files_delete(core->files, core->job->tenant, bt_buf_str(&state.uri), err);
    if (rc == BT_NOT_FOUND && is_error_on_missing(core))
        return fail_missing(core, err);
    if (rc < 0 && rc != BT_NOT_FOUND)
        return rc;
    return core_put(core, "deleted", bt_value_bool(rc == BT_OK), err);
}

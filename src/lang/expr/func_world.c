/* func_world.c — Functions that touch the world: each is a capability that the scope grants. */
#include "lang/expr/expr_int.h"

/* The arguments by name; absent ones stay absent. */
static int named_args(struct bt_call *call, struct bt_value **ret_args)
{
    BT_VALUE args = bt_map_new(call->args_count);
    const char *name = call->fn->args;
    for (size_t i = 0; i < call->args_count; i++) {
        size_t len = strcspn(name, " ");
        if (call->args[i] && (!args || bt_map_put(args, (struct bt_str){name, len},
                                                  bt_value_ref(call->args[i])) < 0))
            return bt_raise_mem(call->run);
        name += len + (name[len] == ' ');
    }
    *ret_args = BT_TAKE(args);
    return *ret_args ? BT_OK : bt_raise_mem(call->run);
}

static int ask(struct bt_call *call, struct bt_value **ret_value)
{
    const struct bt_capabilities *capabilities = call->run->scope->capabilities;
    BT_VALUE args = NULL;
    struct bt_err err = BT_ERR_INIT;
    if (!capabilities || !capabilities->call)
        return bt_fail(call->run->err, BT_UNAVAILABLE, "the function '%s' is not available here",
                       call->fn->name);
    BT_TRY(named_args(call, &args));
    int rc = capabilities->call(capabilities->data, call->fn->name, args, ret_value, &err);
    if (rc == BT_INVALID || rc == BT_NOT_FOUND)
        return bt_raise(call->run, call->node->at, "%.280s", err.msg);
    if (rc < 0 && call->run->err)
        *call->run->err = err;
    return rc;
}

/* Asks after checking that the first argument is there. */
static int ask_with(struct bt_call *call, const char *message, struct bt_value **ret_value)
{
    return bt_call_has(call, 0) ? ask(call, ret_value)
                                : bt_raise(call->run, call->node->at, "%s", message);
}

static int secret(struct bt_call *call, struct bt_value **ret_value)
{
    return ask_with(call, "The 'secret' function expects an argument 'key'.", ret_value);
}

static int kv(struct bt_call *call, struct bt_value **ret_value)
{
    return ask_with(call, "The 'kv' function expects an argument 'key'.", ret_value);
}

static int read_file(struct bt_call *call, struct bt_value **ret_value)
{
    return ask_with(call,
                    "The 'read' function expects an argument 'path' that is a path to a namespace "
                    "file or an internal storage URI.",
                    ret_value);
}

static int file_size(struct bt_call *call, struct bt_value **ret_value)
{
    return ask_with(call,
                    "The 'fileSize' function expects an argument 'path' that is a path to the "
                    "internal storage URI.",
                    ret_value);
}

static int file_exists(struct bt_call *call, struct bt_value **ret_value)
{
    return ask_with(call,
                    "The 'fileExists' function expects an argument 'path' that is a path to the "
                    "internal storage URI.",
                    ret_value);
}

static int is_file_empty(struct bt_call *call, struct bt_value **ret_value)
{
    return ask_with(call,
                    "The 'isFileEmpty' function expects an argument 'path' that is a path to a "
                    "namespace file or an internal storage URI.",
                    ret_value);
}

static int http(struct bt_call *call, struct bt_value **ret_value)
{
    return ask_with(call, "The 'http' function expects an argument 'uri'.", ret_value);
}

/* The namespace of the flow, from a map or a lazy object. */
static int namespace_of(struct bt_call *call, struct bt_value **ret_name)
{
    BT_VALUE flow = NULL;
    int rc = bt_exec_root(call->run, BT_STR("flow"), &flow);
    if (rc == BT_NOT_FOUND)
        return bt_raise_missing(call->run, call->node->at, BT_STR("flow"));
    BT_TRY(rc);
    if (bt_value_is(flow, BT_KIND_LAZY)) {
        rc = bt_lazy_get(flow, BT_STR("namespace"), ret_name, call->run->err);
    } else {
        *ret_name = bt_value_ref(bt_map_gets(flow, "namespace"));
        rc = *ret_name ? BT_OK : BT_NOT_FOUND;
    }
    return rc == BT_NOT_FOUND ? bt_raise_missing(call->run, call->node->at, BT_STR("namespace"))
                              : rc;
}

/* Pure: only the name of the file is made. */
static int file_uri(struct bt_call *call, struct bt_value **ret_value)
{
    BT_VALUE path = NULL;
    BT_VALUE name = NULL;
    struct bt_buf buf = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    if (!bt_call_arg(call, 0))
        return bt_raise(call->run, call->node->at,
                        "The 'fileURI' function expects an argument 'path' that is a path to a "
                        "namespace file.");
    BT_TRY(namespace_of(call, &name));
    BT_TRY(bt_call_text(call, bt_call_arg(call, 0), &path));
    struct bt_str text = bt_value_str(name);
    (void)bt_buf_adds(&buf, "kestra:///"); /* Checked by take, here and below. */
    for (size_t i = 0; i < text.len; i++)
        (void)bt_buf_addc(&buf, text.at[i] == '.' ? '/' : text.at[i]);
    (void)bt_buf_adds(&buf, "/_files/");
    (void)bt_buf_add(&buf, bt_value_str(path));
    return bt_call_take(call, &buf, ret_value);
}

static const struct bt_fn rows[] = {
    {"errorLogs", "", 0, 0, BT_FN_IO, ask, "Error log entries of this execution"},
    {"fileExists", "path", 1, 1, BT_FN_IO, file_exists,
     "Whether a file of internal storage or of the namespace is there"},
    {"fileSize", "path", 1, 1, BT_FN_IO, file_size,
     "Size in bytes of a file of internal storage or of the namespace"},
    {"fileURI", "path", 1, 1, 0, file_uri, "URI of a namespace file: `fileURI('a.txt')`"},
    {"http", "uri method query body contentType headers options accept", 1, 8, BT_FN_IO, http,
     "Body of the answer to an HTTP request"},
    {"isFileEmpty", "path", 1, 1, BT_FN_IO, is_file_empty,
     "Whether a file of internal storage or of the namespace has no bytes"},
    {"kv", "key namespace errorOnMissing", 1, 3, BT_FN_IO, kv, "A stored value: `kv('my-key')`"},
    {"read", "path", 1, 1, BT_FN_IO, read_file,
     "Text of a file of internal storage or of the namespace"},
    {"secret", "key", 1, 1, BT_FN_IO, secret, "A secret: `secret('TOKEN')`"},
};

const struct bt_fn_table bt_fn_world_functions = {rows, BT_COUNT(rows)};

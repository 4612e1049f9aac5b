/* namespace.h — The namespace actor: step(view, request, env) over its key-values. Pure.
 *
 * A request is a map: {"op": "put" | "get" | "delete" | "keys" | "purge", …}
 *   put     key, value; type (a name; NULL: by the value), ttlUs, description,
 *           overwrite (default true), ifRevision (compare-and-set: 0 = must not exist)
 *   get     key, errorOnMissing            → {"value": …}
 *   delete  key, errorOnMissing            → {"deleted": bool}
 *   keys    prefix                         → {"keys": […]}
 *   purge   expiredOnly (default true)     → {"size": n}
 * An expired value is as if it were not there, but a get says that it has expired. It is removed by
 * the next put, delete or purge. */
#pragma once
#include "engine/namespace/kv.h"

struct bt_space_view {
    void *data;
    /* BT_OK with a borrowed row, BT_NOT_FOUND, or an error of reading. */
    int (*get)(void *data, struct bt_str key, const struct bt_kv **ret_kv, struct bt_err *err);
    int (*list)(void *data, const struct bt_kv_query *query, struct bt_err *err);
    void (*put)(void *data, struct bt_kv *kv); /* Takes the row; replaces one of its key. */
    void (*remove)(void *data, struct bt_str key);
};

struct bt_space_answer {
    struct bt_value *outputs; /* Owned map, or NULL. */
    int64_t number;           /* put: the revision; delete, purge: how many. */
};

struct bt_space_env {
    const char *namespace; /* For messages. */
    int64_t now_us;
};

/* Every error but one of reading is the answer to the request:
 * BT_INVALID, BT_NOT_FOUND, BT_EXISTS (overwrite), BT_CONFLICT (ifRevision), BT_LIMIT. Reads first,
 * changes last. */
int bt_namespace_step(const struct bt_space_view *view, struct bt_space_env env,
                      const struct bt_value *request, struct bt_space_answer *ret_answer,
                      struct bt_err *err);

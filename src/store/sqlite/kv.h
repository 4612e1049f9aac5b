/* kv.h — The rows of key-values in a database. One thread for each connection. */
#pragma once
#include "engine/namespace/kv.h"
#include "store/sqlite/db.h"

/* BT_NOT_FOUND when there is none. Expired rows are given as they are. */
int bt_kv_read(struct bt_db *db, struct bt_kv_place place, struct bt_str key, struct bt_kv **ret_kv,
               struct bt_err *err);
int bt_kv_list(struct bt_db *db, struct bt_kv_place place, const struct bt_kv_query *query,
               struct bt_err *err);
/* Inside the caller's transaction. */
int bt_kv_write(struct bt_db *db, struct bt_kv_place place, const struct bt_kv *kv,
                struct bt_err *err);
int bt_kv_remove(struct bt_db *db, struct bt_kv_place place, struct bt_str key, struct bt_err *err);

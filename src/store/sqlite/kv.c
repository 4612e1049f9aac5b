/* kv.c — Reading and writing rows of key-values. */
#include "store/sqlite/kv.h"

#include "base/limits.h"
#include "value/json.h"

static const char sql_read[] =
    "SELECT key,type,value,description,revision,created_us,updated_us,expires_us FROM key_values"
    " WHERE tenant=?1 AND namespace=?2 AND key=?3";
static const char sql_list[] =
    "SELECT key,type,value,description,revision,created_us,updated_us,expires_us FROM key_values"
    " WHERE tenant=?1 AND namespace=?2 AND key>=?3 AND substr(key,1,length(?3))=?3 ORDER BY key";
static const char sql_write[] =
    "INSERT OR REPLACE INTO key_values(tenant,namespace,key,type,value,description,revision,"
    "created_us,updated_us,expires_us) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)";
static const char sql_remove[] =
    "DELETE FROM key_values WHERE tenant=?1 AND namespace=?2 AND key=?3";

static int open_place(struct bt_db *db, const char *sql, struct bt_kv_place place,
                      sqlite3_stmt **ret_statement, struct bt_err *err)
{
    BT_TRY(bt_db_prepare(db, sql, ret_statement, err));
    bt_db_bind(*ret_statement, 1, bt_str_of(place.tenant));
    bt_db_bind(*ret_statement, 2, bt_str_of(place.namespace));
    return BT_OK;
}

static int read_row(sqlite3_stmt *statement, struct bt_kv **ret_kv, struct bt_err *err)
{
    BT_CLEANUP(bt_kv_free_p) struct bt_kv *kv = bt_kv_new();
    if (!kv)
        return bt_fail_mem(err, "key-value");
    if (!bt_kv_type_parse(bt_db_text(statement, 1), &kv->type) ||
        bt_json_parse(bt_db_text(statement, 2), NULL, &kv->value, NULL) < 0)
        return bt_fail(err, BT_CORRUPT, "a stored key-value is not readable");
    kv->key = bt_value_string(bt_db_text(statement, 0));
    struct bt_str description = bt_db_text(statement, 3);
    if (description.at)
        kv->description = bt_value_string(description);
    if (!kv->key || (description.at && !kv->description))
        return bt_fail_mem(err, "key-value");
    kv->revision = (uint32_t)sqlite3_column_int64(statement, 4);
    kv->created_us = sqlite3_column_int64(statement, 5);
    kv->updated_us = sqlite3_column_int64(statement, 6);
    kv->expires_us = sqlite3_column_int64(statement, 7);
    *ret_kv = BT_TAKE(kv);
    return BT_OK;
}

int bt_kv_read(struct bt_db *db, struct bt_kv_place place, struct bt_str key, struct bt_kv **ret_kv,
               struct bt_err *err)
{
    sqlite3_stmt *statement;
    bool is_row;
    BT_TRY(open_place(db, sql_read, place, &statement, err));
    bt_db_bind(statement, 3, key);
    BT_TRY(bt_db_step(db, statement, &is_row, err));
    int rc = is_row ? read_row(statement, ret_kv, err)
                    : bt_fail(err, BT_NOT_FOUND, "there is no key '%.*s'", BT_FMT(key));
    (void)sqlite3_reset(statement); /* Cannot fail after a row. */
    return rc;
}

int bt_kv_list(struct bt_db *db, struct bt_kv_place place, const struct bt_kv_query *query,
               struct bt_err *err)
{
    sqlite3_stmt *statement;
    BT_TRY(open_place(db, sql_list, place, &statement, err));
    bt_db_bind(statement, 3, query->prefix);
    int rc = BT_OK;
    bool is_row = true;
    while (rc == BT_OK && (rc = bt_db_step(db, statement, &is_row, err)) == BT_OK && is_row) {
        BT_CLEANUP(bt_kv_free_p) struct bt_kv *kv = NULL;
        rc = read_row(statement, &kv, err);
        if (rc == BT_OK)
            rc = query->each(query->data, kv);
    }
    (void)sqlite3_reset(statement); /* Repeats the error that was just told. */
    return rc;
}

int bt_kv_write(struct bt_db *db, struct bt_kv_place place, const struct bt_kv *kv,
                struct bt_err *err)
{
    sqlite3_stmt *statement;
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(8u * BT_KV_VALUE_BYTES_MAX);
    BT_TRY(bt_json_write(kv->value, BT_JSON_COMPACT, &text, err));
    BT_TRY(open_place(db, sql_write, place, &statement, err));
    bt_db_bind(statement, 3, bt_value_str(kv->key));
    bt_db_bind(statement, 4, bt_str_of(bt_kv_type_name(kv->type)));
    bt_db_bind(statement, 5, bt_buf_str(&text));
    if (kv->description)
        bt_db_bind(statement, 6, bt_value_str(kv->description));
    else
        (void)sqlite3_bind_null(statement, 6); /* Cannot fail: the place exists. */
    (void)sqlite3_bind_int64(statement, 7, kv->revision);
    (void)sqlite3_bind_int64(statement, 8, kv->created_us);
    (void)sqlite3_bind_int64(statement, 9, kv->updated_us);
    (void)sqlite3_bind_int64(statement, 10, kv->expires_us);
    return bt_db_run(db, statement, err);
}

int bt_kv_remove(struct bt_db *db, struct bt_kv_place place, struct bt_str key, struct bt_err *err)
{
    sqlite3_stmt *statement;
    BT_TRY(open_place(db, sql_remove, place, &statement, err));
    bt_db_bind(statement, 3, key);
    return bt_db_run(db, statement, err);
}

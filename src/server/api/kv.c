/* kv.c — The routes of key-values: translation only. */
#include "server/api/api.h"

#include "base/iso.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/utf8.h"
#include "server/router.h"
#include "service/shape.h"
#include "value/json.h"
#include "value/time.h"
#include "worker/host/ion.h"

static int name_of(struct bt_request *request, struct bt_kv_name *ret_name, struct bt_err *err)
{
    ret_name->namespace = bt_arena_dup(&request->arena, request->params[0]);
    ret_name->key = request->params[1];
    if (!ret_name->namespace)
        return bt_fail_mem(err, "request");
    return bt_kv_check_namespace(request->params[0], err);
}

static int64_t now_us(void)
{
    return bt_clock_wall_us(bt_clock_system());
}

/* --- Reading ---------------------------------------------------------------------------------- */

static struct bt_value *date(int64_t at_us)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(64);
    bt_shape_date(at_us, &text);
    return text.failed || text.len < 2
               ? NULL
               : bt_value_string(bt_str_slice(bt_buf_str(&text), 1, text.len - 1));
}

static int add_entry(void *data, const struct bt_kv *kv)
{
    BT_VALUE entry = bt_map_new(7);
    if (bt_kv_is_expired(kv, now_us()))
        return BT_OK;
    int rc = bt_map_puts(entry, "key", bt_value_ref(kv->key));
    rc |= bt_map_puts(entry, "creationDate", date(kv->created_us));
    rc |= bt_map_puts(entry, "updateDate", date(kv->updated_us));
    if (kv->expires_us)
        rc |= bt_map_puts(entry, "expirationDate", date(kv->expires_us));
    if (kv->description)
        rc |= bt_map_puts(entry, "description", bt_value_ref(kv->description));
    rc |= bt_map_puts(entry, "revision", bt_value_int(kv->revision));
    return rc == BT_OK ? bt_list_push(data, BT_TAKE(entry)) : BT_NO_MEM;
}

static int list(struct bt_request *request, struct bt_err *err)
{
    struct bt_kv_name name;
    BT_VALUE entries = bt_list_new(0);
    struct bt_kv_query query = {.each = add_entry, .data = entries};
    BT_TRY(name_of(request, &name, err));
    if (!entries)
        return bt_fail_mem(err, "the answer");
    BT_TRY(bt_service_kv_list(request->service, &request->principal, name.namespace, &query, err));
    return bt_respond_json(request, BT_TAKE(entries), err);
}

static int get(struct bt_request *request, struct bt_err *err)
{
    BT_CLEANUP(bt_kv_free_p) struct bt_kv *kv = NULL;
    struct bt_kv_name name;
    BT_VALUE body = bt_map_new(4);
    BT_TRY(name_of(request, &name, err));
    int rc = bt_service_kv_get(request->service, &request->principal, name, &kv, err);
    if (rc == BT_NOT_FOUND)
        return bt_fail(err, BT_NOT_FOUND, "No value found for key '%.*s' in namespace '%s'",
                       BT_FMT(name.key), name.namespace);
    BT_TRY(rc);
    if (bt_kv_is_expired(kv, now_us()))
        return bt_fail(err, BT_INVALID, "Resource has expired: the value of '%.*s'",
                       BT_FMT(name.key));
    rc = bt_map_puts(body, "type", bt_value_cstr(bt_kv_type_name(kv->type)));
    rc |= bt_map_puts(body, "value", bt_value_ref(kv->value));
    rc |= bt_map_puts(body, "revision", bt_value_int(kv->revision));
    rc |= bt_map_puts(body, "updated", date(kv->updated_us));
    return rc == BT_OK ? bt_respond_json(request, BT_TAKE(body), err)
                       : bt_fail_mem(err, "the answer");
}

/* --- Writing ---------------------------------------------------------------------------------- */

/* Whether a text is a date, or a date and time, as Ion has them: unquoted. */
static const char *date_type(struct bt_str text)
{
    struct bt_zone utc = bt_zone_utc();
    struct bt_moment moment;
    bool is_date = text.len >= 10 && text.at[4] == '-' && text.at[7] == '-';
    if (!is_date || bt_moment_parse(text, BT_STR_NONE, &utc, &moment, NULL) < 0)
        return NULL;
    return text.len == 10 ? "DATE" : "DATETIME";
}

/* JSON or Ion; an unquoted date; a duration in quotes. *ret_type NULL: by the value. */
static int read_value(struct bt_str text, struct bt_value **ret_value, const char **ret_type,
                      struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf json = BT_BUF_INIT(BT_HTTP_BODY_MAX);
    struct bt_duration duration;
    *ret_type = date_type(text);
    if (*ret_type) {
        *ret_value = bt_value_string(text);
        return *ret_value ? BT_OK : bt_fail_mem(err, "value");
    }
    int rc = bt_json_parse(text, NULL, ret_value, err);
    if (rc == BT_INVALID && text.len && bt_ion_to_json(text, &json) == BT_OK)
        rc = bt_json_parse(bt_buf_str(&json), NULL, ret_value, err);
    if (rc < 0)
        return bt_fail(err, BT_INVALID,
                       "Illegal argument: the body is no JSON value: put a text in quotes");
    struct bt_str word = bt_value_str(*ret_value);
    if (bt_value_is(*ret_value, BT_KIND_STRING) && word.len > 1 &&
        (word.at[0] == 'P' || bt_str_starts(word, BT_STR("-P"))) &&
        bt_time_duration_parse(word, &duration, NULL) == BT_OK)
        *ret_type = "DURATION";
    return BT_OK;
}

static int add_ttl(struct bt_request *request, struct bt_value *put, struct bt_err *err)
{
    struct bt_str text = bt_header(request, "ttl");
    struct bt_duration ttl;
    if (!text.len)
        return BT_OK;
    if (bt_time_duration_parse(text, &ttl, NULL) < 0 || ttl.seconds < 0 ||
        ttl.seconds > INT64_MAX / 4000000)
        return bt_fail(err, BT_INVALID, "Illegal argument: the header ttl is no duration: '%.*s'",
                       BT_FMT(text));
    return bt_map_puts(put, "ttlUs", bt_value_int(ttl.seconds * 1000000 + ttl.nano / 1000)) < 0
               ? bt_fail_mem(err, "value")
               : BT_OK;
}

static int put(struct bt_request *request, struct bt_err *err)
{
    struct bt_kv_name name;
    struct bt_value *value = NULL;
    const char *type = NULL;
    uint32_t revision;
    BT_VALUE put = bt_map_new(5);
    struct bt_str description = bt_header(request, "description");
    BT_TRY(name_of(request, &name, err));
    BT_TRY(read_value(bt_str_trim(bt_buf_str(&request->body)), &value, &type, err));
    int rc = bt_map_puts(put, "value", value);
    rc |= bt_map_puts(put, "key", bt_value_string(name.key));
    if (type)
        rc |= bt_map_puts(put, "type", bt_value_cstr(type));
    if (description.len && bt_utf8_is_valid(description, NULL))
        rc |= bt_map_puts(put, "description", bt_value_string(description));
    if (rc != BT_OK)
        return bt_fail_mem(err, "value");
    BT_TRY(add_ttl(request, put, err));
    BT_TRY(bt_service_kv_put(request->service, &request->principal,
                             &(struct bt_kv_put){name.namespace, put}, &revision, err));
    return bt_respond(request, 200);
}

static int delete_one(struct bt_request *request, struct bt_err *err)
{
    struct bt_kv_name name;
    bool was_there;
    BT_TRY(name_of(request, &name, err));
    BT_TRY(bt_service_kv_delete(request->service, &request->principal, name, &was_there, err));
    return bt_respond_json(request, bt_value_bool(was_there), err);
}

static int delete_many(struct bt_request *request, struct bt_err *err)
{
    struct bt_kv_name name;
    BT_VALUE body = NULL, *deleted = bt_list_new(0), *answer = bt_map_new(1);
    BT_TRY(name_of(request, &name, err));
    BT_TRY(bt_body_json(request, &body, err));
    const struct bt_value *keys = bt_map_gets(body, "keys");
    if (!bt_value_is(keys, BT_KIND_LIST) || bt_value_count(keys) > BT_KV_KEYS_MAX)
        return bt_fail(err, BT_INVALID, "the body must be {keys: [...]}, at most %u",
                       BT_KV_KEYS_MAX);
    for (size_t i = 0; i < bt_value_count(keys); i++) {
        bool was_there;
        name.key = bt_value_str(bt_list_at(keys, i));
        BT_TRY(bt_service_kv_delete(request->service, &request->principal, name, &was_there, err));
        if (was_there && bt_list_push(deleted, bt_value_string(name.key)) < 0)
            return bt_fail_mem(err, "the answer");
    }
    if (bt_map_puts(answer, "keys", BT_TAKE(deleted)) < 0)
        return bt_fail_mem(err, "the answer");
    return bt_respond_json(request, BT_TAKE(answer), err);
}

#define KV "/namespaces/{namespace}/kv"

const struct bt_route bt_routes_kv[] = {
    {BT_GET, KV, list, 0, "listKeys", "KV", "List the keys of a namespace", NULL, "KVEntries",
     NULL},
    {BT_GET, KV "/{key}", get, 0, "getKeyValue", "KV",
     "Get the value of a key (410 when it has expired)", NULL, "TypedValue", NULL},
    {BT_PUT, KV "/{key}", put, 0, "setKeyValue", "KV",
     "Set the value of a key: JSON, or a date; header ttl: a duration", "application/json", NULL,
     NULL},
    {BT_DELETE, KV "/{key}", delete_one, 0, "deleteKeyValue", "KV", "Delete a key", NULL, "Boolean",
     NULL},
    {BT_DELETE, KV, delete_many, 0, "deleteKeyValues", "KV", "Delete keys",
     "application/json DeletedKeys", "DeletedKeys", NULL},
    {0},
};

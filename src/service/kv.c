/* kv.c — Use cases of key-values, and of what is sealed. Changes go through the namespace's actor
 * and return after the commit; reads see what is committed. */
#include "service/service.h"
#include "value/sealed.h"

/* Takes the request. */
static int send(struct bt_service *service, struct bt_kv_place place, struct bt_value *request,
                uint64_t *ret_number, struct bt_err *err)
{
    struct bt_reply *reply = bt_reply_new();
    if (!reply) {
        bt_value_unref(request);
        return bt_fail_mem(err, "key-value");
    }
    int rc = bt_runner_space(service->runner, place.tenant, place.namespace, request, reply);
    if (rc == BT_OK)
        rc = bt_reply_wait(reply, err);
    if (rc == BT_OK)
        *ret_number = bt_reply_number(reply);
    bt_reply_free(reply);
    return rc;
}

int bt_service_kv_put(struct bt_service *service, const struct bt_principal *principal,
                      const struct bt_kv_put *put, uint32_t *ret_revision, struct bt_err *err)
{
    uint64_t number = 0;
    BT_VALUE request =
        bt_value_is(put->request, BT_KIND_MAP) ? bt_value_copy(put->request) : bt_map_new(1);
    if (!request || bt_map_puts(request, "op", bt_value_cstr("put")) < 0)
        return bt_fail_mem(err, "key-value");
    BT_TRY(send(service, (struct bt_kv_place){principal->tenant, put->namespace}, BT_TAKE(request),
                &number, err));
    *ret_revision = (uint32_t)number;
    return BT_OK;
}

int bt_service_kv_delete(struct bt_service *service, const struct bt_principal *principal,
                         struct bt_kv_name name, bool *ret_was_there, struct bt_err *err)
{
    uint64_t number = 0;
    BT_VALUE request = bt_map_new(2);
    if (bt_map_puts(request, "op", bt_value_cstr("delete")) < 0 ||
        bt_map_puts(request, "key", bt_value_string(name.key)) < 0)
        return bt_fail_mem(err, "key-value");
    BT_TRY(send(service, (struct bt_kv_place){principal->tenant, name.namespace}, BT_TAKE(request),
                &number, err));
    *ret_was_there = number > 0;
    return BT_OK;
}

int bt_service_kv_get(struct bt_service *service, const struct bt_principal *principal,
                      struct bt_kv_name name, struct bt_kv **ret_kv, struct bt_err *err)
{
    struct bt_kv_place place = {principal->tenant, name.namespace};
    return bt_server_world_kv(service->world, place, name.key, ret_kv, err);
}

int bt_service_kv_list(struct bt_service *service, const struct bt_principal *principal,
                       const char *namespace, const struct bt_kv_query *query, struct bt_err *err)
{
    struct bt_kv_place place = {principal->tenant, namespace};
    return bt_server_world_kv_list(service->world, place, query, err);
}

/* --- Sealed values ---------------------------------------------------------------------------- */

struct reveal_ctx {
    const struct bt_vault *vault;
    struct bt_vault_place place;
};

static int reveal(void *data, const struct bt_value *sealed, struct bt_value **ret_value,
                  struct bt_err *err)
{
    const struct reveal_ctx *ctx = data;
    (void)err; /* What cannot be opened is shown as it is. */
    if (bt_vault_unseal(ctx->vault, ctx->place, sealed, ret_value, NULL) < 0)
        *ret_value = bt_value_ref(sealed);
    return BT_OK;
}

int bt_service_reveal(struct bt_service *service, const struct bt_principal *principal,
                      const char *namespace, const struct bt_value *value,
                      struct bt_value **ret_value)
{
    struct reveal_ctx ctx = {service->vault, {principal->tenant, namespace}};
    return bt_sealed_replace(value, reveal, &ctx, ret_value, NULL);
}

/* once.c — Keys of clients for requests that are to be done once. */
#include "service/once.h"

#include "base/limits.h"
#include "base/own.h"
#include "sys/clock.h"
#include "sys/random.h"

#include <nettle/sha2.h>
#include <pthread.h>
#include <stdio.h>

/* Keys are spread over this many namespaces, so that each is small when what has expired is swept;
 * and over as many locks: of two requests with one key the second waits for the first. */
enum { SPACES = 256, KEY_HEX = 2 * SHA256_DIGEST_SIZE };
static const int64_t ttl_us = (int64_t)24 * 3600 * 1000000;
static const int64_t sweep_us = (int64_t)3600 * 1000000;

static struct {
    pthread_mutex_t lock;
    int64_t swept_us; /* Monotonic; 0: not yet. Under the lock. */
} spaces[SPACES] = {[0 ... SPACES - 1] = {.lock = PTHREAD_MUTEX_INITIALIZER}};

/* A key, and where it is kept. */
struct slot {
    struct bt_service *service;
    const struct bt_principal *principal; /* Whose tenant no user has. */
    struct bt_kv_name name;
    unsigned space;
    char tenant[80], namespace[16], key[KEY_HEX + 1];
    struct bt_principal hidden;
};

static void make_slot(struct slot *slot, struct bt_str key)
{
    struct sha256_ctx sha;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&sha);
    sha256_update(&sha, key.len, (const uint8_t *)key.at);
    sha256_digest(&sha, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        (void)snprintf(slot->key + 2 * i, 3, "%02x", digest[i]); /* Fits. */
    slot->space = digest[0];
    (void)snprintf(slot->namespace, sizeof slot->namespace, "once.%02x", slot->space);
    (void)snprintf(slot->tenant, sizeof slot->tenant, "%s#once", slot->principal->tenant);
    slot->hidden = (struct bt_principal){.tenant = slot->tenant, .user = slot->principal->user};
    slot->name = (struct bt_kv_name){slot->namespace, {slot->key, KEY_HEX}};
}

static int put(struct slot *slot, const struct bt_once *once, const struct bt_id *id,
               struct bt_err *err)
{
    uint32_t revision;
    BT_VALUE value = bt_map_new(2), *request = bt_map_new(4);
    int rc = bt_map_puts(value, "id", bt_value_string(bt_id_str(id)));
    rc |= bt_map_puts(value, "digest", bt_value_string(once->digest));
    rc |= bt_map_puts(request, "key", bt_value_string(slot->name.key));
    rc |= bt_map_puts(request, "value", BT_TAKE(value));
    rc |= bt_map_puts(request, "type", bt_value_cstr("JSON"));
    rc |= bt_map_puts(request, "ttlUs", bt_value_int(ttl_us));
    if (rc != BT_OK)
        return bt_fail_mem(err, "Idempotency-Key");
    return bt_service_kv_put(slot->service, &slot->hidden,
                             &(struct bt_kv_put){slot->namespace, request}, &revision, err);
}

/* Now and then; what fails is swept later. */
static void sweep(const struct slot *slot)
{
    int64_t now_us = bt_clock_mono_us(bt_clock_system());
    BT_VALUE request = bt_map_new(1);
    if (spaces[slot->space].swept_us && now_us - spaces[slot->space].swept_us < sweep_us)
        return;
    spaces[slot->space].swept_us = now_us;
    if (bt_map_puts(request, "op", bt_value_cstr("purge")) == BT_OK)
        (void)bt_runner_space(slot->service->runner, slot->tenant, slot->namespace,
                              BT_TAKE(request), NULL); /* Nobody waits for it. */
}

/* What the key stands for, if anything. BT_NOT_FOUND: nothing, or an execution that is not there.
 */
static int find(struct slot *slot, struct bt_once *once, struct bt_err *err)
{
    BT_CLEANUP(bt_kv_free_p) struct bt_kv *kv = NULL;
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    BT_TRY(bt_service_kv_get(slot->service, &slot->hidden, slot->name, &kv, err));
    if (bt_kv_is_expired(kv, bt_clock_wall_us(bt_clock_system())))
        return BT_NOT_FOUND;
    BT_TRY(
        bt_service_exec(slot->service, slot->principal, bt_map_str(kv->value, "id"), &exec, err));
    if (!bt_str_eq(bt_map_str(kv->value, "digest"), once->digest))
        return bt_fail(err, BT_INVALID,
                       "the Idempotency-Key was used for another request; the execution %s came "
                       "of it",
                       exec->id.text);
    once->is_known = true;
    once->started = (struct bt_start_result){exec->key, exec->id};
    return BT_OK;
}

static int start(struct slot *slot, const struct bt_start_request *request, struct bt_once *once,
                 struct bt_err *err)
{
    struct bt_start_request mine = *request;
    int rc = find(slot, once, err);
    if (rc != BT_NOT_FOUND)
        return rc;
    mine.id =
        bt_id_make(bt_clock_wall_us(bt_clock_system()) / 1000, bt_random_u64(), bt_random_u64());
    BT_TRY(put(slot, once, &mine.id, err));
    sweep(slot);
    rc = bt_service_start(slot->service, slot->principal, &mine, &once->started, err);
    bool was_there;
    if (rc == BT_INVALID || rc == BT_CONFLICT) /* It may be mended, and sent with the same key. */
        (void)bt_service_kv_delete(slot->service, &slot->hidden, slot->name, &was_there, NULL);
    return rc;
}

int bt_service_start_once(struct bt_service *service, const struct bt_principal *principal,
                          const struct bt_start_request *request, struct bt_once *once,
                          struct bt_err *err)
{
    struct slot slot = {.service = service, .principal = principal};
    once->is_known = false;
    if (!once->key.len || once->key.len > BT_ONCE_KEY_BYTES_MAX)
        return bt_fail(err, BT_INVALID, "an Idempotency-Key has 1 to %u bytes",
                       BT_ONCE_KEY_BYTES_MAX);
    make_slot(&slot, once->key);
    (void)pthread_mutex_lock(&spaces[slot.space].lock); /* Cannot fail on a default mutex. */
    int rc = start(&slot, request, once, err);
    (void)pthread_mutex_unlock(&spaces[slot.space].lock);
    return rc;
}

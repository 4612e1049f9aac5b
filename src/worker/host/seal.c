/* seal.c — Encrypts what a plugin asks to. The key stays here: no plugin ever sees it. */
#include "worker/host/seal.h"

#include "base/own.h"
#include "sys/random.h"

#include <nettle/base64.h>
#include <nettle/gcm.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_BYTES = 32, KEY_TEXT_MAX = 64 };

static bool read_key(struct bt_str text, uint8_t key[KEY_BYTES])
{
    struct base64_decode_ctx ctx;
    uint8_t out[BASE64_DECODE_LENGTH(KEY_TEXT_MAX)];
    size_t len = sizeof out;
    base64_decode_init(&ctx);
    bool is_good = text.len <= KEY_TEXT_MAX &&
                   base64_decode_update(&ctx, &len, out, text.len, text.at) &&
                   base64_decode_final(&ctx) && len == KEY_BYTES;
    if (is_good)
        memcpy(key, out, KEY_BYTES);
    explicit_bzero(out, sizeof out);
    return is_good;
}

static void encrypt(const uint8_t key[KEY_BYTES], struct bt_str text, uint8_t *out)
{
    struct gcm_aes256_ctx gcm;
    bt_random_bytes(out, GCM_IV_SIZE);
    gcm_aes256_set_key(&gcm, key);
    gcm_aes256_set_iv(&gcm, GCM_IV_SIZE, out);
    gcm_aes256_encrypt(&gcm, text.len, out + GCM_IV_SIZE, (const uint8_t *)text.at);
    gcm_aes256_digest(&gcm, GCM_DIGEST_SIZE, out + GCM_IV_SIZE + text.len);
    explicit_bzero(&gcm, sizeof gcm);
}

int bt_seal(struct bt_str key_text, struct bt_str text, struct bt_value **ret_value,
            struct bt_err *err)
{
    uint8_t key[KEY_BYTES];
    if (!read_key(key_text, key)) {
        (void)bt_fail(err, BT_UNAVAILABLE, "this Baton has no encryption key");
        return bt_hint(err, "set BATON_ENCRYPTION_KEY on the worker: base64 of 32 random bytes");
    }
    size_t len = GCM_IV_SIZE + text.len + GCM_DIGEST_SIZE;
    uint8_t *sealed = malloc(len);
    char *coded = malloc(BASE64_ENCODE_RAW_LENGTH(len));
    BT_VALUE map = bt_map_new(2);
    int rc = BT_NO_MEM;
    if (sealed && coded && map) {
        encrypt(key, text, sealed);
        base64_encode_raw(coded, len, sealed);
        struct bt_str value = {coded, BASE64_ENCODE_RAW_LENGTH(len)};
        rc = bt_map_puts(map, "value", bt_value_string(value));
        rc |= bt_map_puts(map, "type", bt_value_cstr("io.kestra.datatype:aes_encrypted"));
    }
    explicit_bzero(key, sizeof key);
    free(sealed);
    free(coded);
    if (rc != BT_OK)
        return bt_fail_mem(err, "an encrypted text");
    *ret_value = BT_TAKE(map);
    return BT_OK;
}

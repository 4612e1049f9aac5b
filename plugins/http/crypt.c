/* crypt.c — The encrypted form of a body: AES-GCM with Baton's key, in the form that expressions
 * and the original's clients decrypt: base64 of 12 bytes of nonce, the text, 16 bytes of tag. */
#include "http_int.h"

#include <nettle/base64.h>
#include <nettle/gcm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { KEY_BYTES = 32 };

/* The key is base64 of 32 bytes. */
static bool read_key(struct bt_text text, uint8_t key[KEY_BYTES])
{
    struct base64_decode_ctx ctx;
    uint8_t out[BASE64_DECODE_LENGTH(64)];
    size_t len = sizeof out;
    base64_decode_init(&ctx);
    if (!text.at || text.len > 64 || !base64_decode_update(&ctx, &len, out, text.len, text.at) ||
        !base64_decode_final(&ctx) || len != KEY_BYTES)
        return false;
    memcpy(key, out, KEY_BYTES);
    explicit_bzero(out, sizeof out);
    return true;
}

static void seal(const uint8_t key[KEY_BYTES], struct bt_text plain, uint8_t *out)
{
    struct gcm_aes256_ctx gcm;
    gcm_aes256_set_key(&gcm, key);
    gcm_aes256_set_iv(&gcm, GCM_IV_SIZE, out);
    gcm_aes256_encrypt(&gcm, plain.len, out + GCM_IV_SIZE, (const uint8_t *)plain.at);
    gcm_aes256_digest(&gcm, GCM_DIGEST_SIZE, out + GCM_IV_SIZE + plain.len);
    explicit_bzero(&gcm, sizeof gcm);
}

int http_encrypt(struct http_call *call, struct bt_text plain, struct bytes *out)
{
    uint8_t key[KEY_BYTES];
    if (!read_key(call->host->info(call->run, "encryptionKey"), key))
        return HTTP_FAIL(call,
                         "encryptBody: this Baton has no encryption key (base64 of 32 bytes)");
    size_t len = GCM_IV_SIZE + plain.len + GCM_DIGEST_SIZE;
    uint8_t *sealed = malloc(len);
    char *text = malloc(BASE64_ENCODE_RAW_LENGTH(len));
    bool is_one = sealed && text && getrandom(sealed, GCM_IV_SIZE, 0) == GCM_IV_SIZE;
    if (is_one) {
        seal(key, plain, sealed);
        base64_encode_raw(text, len, sealed);
        bytes_adds(out, "{\"value\":");
        bytes_add_json(out, (struct bt_text){text, BASE64_ENCODE_RAW_LENGTH(len)});
        is_one = bytes_adds(out, ",\"type\":\"io.kestra.datatype:aes_encrypted\"}");
    }
    free(sealed);
    free(text);
    explicit_bzero(key, sizeof key);
    return is_one ? BT_PLUGIN_OK : HTTP_FAIL(call, "encryptBody: out of memory");
}

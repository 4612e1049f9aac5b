/* vault.c — Sealing with AES-256-GCM: base64 of 12 bytes of nonce, the text, 16 bytes of tag. Names
 * of tenant and namespace are authenticated with it. */
#include "store/vault/vault.h"

#include "lang/expr/code_text.h"
#include "sys/fs.h"
#include "sys/random.h"
#include "value/sealed.h"

#include <fcntl.h>
#include <nettle/gcm.h>
#include <nettle/memops.h>
#include <stdlib.h>
#include <unistd.h>

enum { KEY_BYTES = 32, HEX_BYTES = 2 * KEY_BYTES };

struct bt_vault {
    uint8_t key[KEY_BYTES];
};

/* --- The key ---------------------------------------------------------------------------------- */

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_key(const char *hex, ssize_t len, uint8_t key[KEY_BYTES])
{
    for (int i = 0; i < KEY_BYTES && len >= HEX_BYTES; i++) {
        int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        key[i] = (uint8_t)(high << 4 | low);
    }
    return len >= HEX_BYTES;
}

static int write_key(int dir, const char *name, const uint8_t key[KEY_BYTES], struct bt_err *err)
{
    BT_FD fd = -1;
    BT_CLEANUP(bt_buf_done) struct bt_buf hex = BT_BUF_INIT(HEX_BYTES + 2);
    for (int i = 0; i < KEY_BYTES; i++)
        (void)bt_buf_addf(&hex, "%02x", key[i]); /* Fits. */
    (void)bt_buf_addc(&hex, '\n');
    BT_TRY(bt_fs_open(dir, name, O_WRONLY | O_CREAT | O_EXCL, &fd, err));
    BT_TRY(bt_fs_write(fd, hex.at, hex.len, err));
    explicit_bzero(hex.at, hex.len);
    if (fsync(fd) < 0 || fsync(dir) < 0)
        return bt_fail(err, BT_IO, "cannot write the key of the data directory");
    return BT_OK;
}

static int read_key(const char *path, const char *name, uint8_t key[KEY_BYTES], struct bt_err *err)
{
    BT_FD dir = -1, fd = -1;
    char hex[HEX_BYTES + 2];
    BT_TRY(bt_fs_open_root(path, &dir, err));
    int rc = bt_fs_open(dir, name, O_RDONLY, &fd, err);
    if (rc == BT_NOT_FOUND) {
        bt_random_bytes(key, KEY_BYTES);
        return write_key(dir, name, key, err);
    }
    BT_TRY(rc);
    bool is_right = parse_key(hex, read(fd, hex, sizeof hex), key);
    explicit_bzero(hex, sizeof hex);
    if (is_right)
        return BT_OK;
    (void)bt_fail(err, BT_CORRUPT, "'%s/%s' holds no key of %d hexadecimal digits", path, name,
                  HEX_BYTES);
    return bt_hint(err, "restore it from a backup: without it stored secrets cannot be read");
}

int bt_vault_open(const char *dir, const char *name, struct bt_vault **ret_vault,
                  struct bt_err *err)
{
    struct bt_vault *vault = calloc(1, sizeof *vault);
    if (!vault)
        return bt_fail_mem(err, "key");
    if (!dir)
        bt_random_bytes(vault->key, KEY_BYTES);
    int rc = dir ? read_key(dir, name, vault->key, err) : BT_OK;
    if (rc < 0) {
        bt_vault_close(vault);
        return rc;
    }
    *ret_vault = vault;
    return BT_OK;
}

struct bt_vault *bt_vault_close(struct bt_vault *vault)
{
    if (vault)
        explicit_bzero(vault, sizeof *vault);
    free(vault);
    return NULL;
}

/* --- Texts ------------------------------------------------------------------------------------ */

/* The place as bytes; a NUL between the names keeps "a","bc" and "ab","c" apart. */
static void begin(const struct bt_vault *vault, struct bt_vault_place place, const uint8_t *nonce,
                  struct gcm_aes256_ctx *gcm)
{
    char names[512];
    int len = snprintf(names, sizeof names, "%s%c%s", place.tenant, '\0', place.namespace);
    gcm_aes256_set_key(gcm, vault->key);
    gcm_aes256_set_iv(gcm, GCM_IV_SIZE, nonce);
    gcm_aes256_update(gcm, (size_t)len < sizeof names ? (size_t)len : sizeof names,
                      (const uint8_t *)names);
}

int bt_vault_seal(const struct bt_vault *vault, struct bt_vault_place place, struct bt_str text,
                  const struct bt_value *masked, struct bt_value **ret_sealed)
{
    size_t size = GCM_IV_SIZE + text.len + GCM_DIGEST_SIZE;
    uint8_t *bytes = malloc(size);
    struct gcm_aes256_ctx gcm;
    BT_CLEANUP(bt_buf_done) struct bt_buf code = BT_BUF_INIT(2 * size + 16);
    if (!bytes)
        return BT_NO_MEM;
    bt_random_bytes(bytes, GCM_IV_SIZE);
    begin(vault, place, bytes, &gcm);
    gcm_aes256_encrypt(&gcm, text.len, bytes + GCM_IV_SIZE, (const uint8_t *)text.at);
    gcm_aes256_digest(&gcm, GCM_DIGEST_SIZE, bytes + GCM_IV_SIZE + text.len);
    explicit_bzero(&gcm, sizeof gcm);
    int rc = bt_base64_encode((struct bt_str){(const char *)bytes, size}, &code);
    free(bytes);
    if (rc == BT_OK)
        *ret_sealed = bt_sealed_new(bt_value_string(bt_buf_str(&code)), bt_value_ref(masked));
    return rc == BT_OK && *ret_sealed ? BT_OK : BT_NO_MEM;
}

/* Writes the text over `bytes`. False: the tag does not fit. */
static bool open_bytes(const struct bt_vault *vault, struct bt_vault_place place, uint8_t *bytes,
                       size_t len)
{
    uint8_t tag[GCM_DIGEST_SIZE];
    struct gcm_aes256_ctx gcm;
    begin(vault, place, bytes, &gcm);
    gcm_aes256_decrypt(&gcm, len, bytes + GCM_IV_SIZE, bytes + GCM_IV_SIZE);
    gcm_aes256_digest(&gcm, GCM_DIGEST_SIZE, tag);
    explicit_bzero(&gcm, sizeof gcm);
    return memeql_sec(tag, bytes + GCM_IV_SIZE + len, GCM_DIGEST_SIZE) != 0;
}

int bt_vault_unseal(const struct bt_vault *vault, struct bt_vault_place place,
                    const struct bt_value *sealed, struct bt_value **ret_text, struct bt_err *err)
{
    struct bt_str code = bt_map_str(sealed, "value");
    BT_CLEANUP(bt_buf_done) struct bt_buf bytes = BT_BUF_INIT(code.len + 64);
    size_t least = GCM_IV_SIZE + GCM_DIGEST_SIZE;
    if (!bt_sealed_is(sealed) || bt_base64_decode(code, &bytes) < 0 || bytes.len < least ||
        !open_bytes(vault, place, (uint8_t *)bytes.at, bytes.len - least))
        return bt_fail(err, BT_DENIED, "an encrypted value cannot be opened here");
    *ret_text = bt_value_string((struct bt_str){bytes.at + GCM_IV_SIZE, bytes.len - least});
    explicit_bzero(bytes.at, bytes.len);
    return *ret_text ? BT_OK : bt_fail_mem(err, "encrypted value");
}

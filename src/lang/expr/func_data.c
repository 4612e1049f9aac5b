/* func_data.c — Functions that read texts: JSON, YAML, Ion; and encryption. Pure. */
#include "lang/expr/expr_int.h"

#include "base/utf8.h"
#include "lang/expr/code_text.h"
#include "lang/expr/ion.h"
#include "lang/yaml/yaml.h"
#include "value/json.h"

#include <nettle/aes.h>
#include <nettle/gcm.h>

enum { IV_LEN = 12, TAG_LEN = 16 };

/* The one text argument of a parsing function. *ret_is_null: there is nothing to parse. */
static int text_argument(struct bt_call *call, const char *function, struct bt_str *ret_text,
                         bool *ret_is_null)
{
    const struct bt_value *arg = bt_call_arg(call, 0);
    if (!arg)
        return bt_raise(call->run, call->node->at, "The '%s' function expects an argument '%s'.",
                        function, call->fn->args);
    *ret_is_null = bt_value_is_null(arg);
    if (!*ret_is_null &&
        (!bt_value_is(arg, BT_KIND_STRING) || bt_value_flavor(arg) != BT_FLAVOR_PLAIN))
        return bt_raise(call->run, call->node->at,
                        "The '%s' function expects an argument '%s' with type string.", function,
                        call->fn->args);
    *ret_text = bt_value_str(arg);
    return BT_OK;
}

static int from_json(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_str text;
    bool is_null;
    struct bt_err err = BT_ERR_INIT;
    *ret_value = bt_value_null();
    BT_TRY(text_argument(call, "fromJson", &text, &is_null));
    if (is_null)
        return BT_OK;
    int rc = bt_json_parse(text, NULL, ret_value, &err);
    if (rc == BT_INVALID)
        return bt_raise(call->run, call->node->at,
                        "Invalid json: %.200s\n at [Source: REDACTED; line: %u, column: %u]",
                        err.msg, err.line, err.col);
    if (rc < 0 && call->run->err)
        *call->run->err = err;
    return rc;
}

static int from_yaml(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_str text;
    bool is_null;
    struct bt_err err = BT_ERR_INIT;
    BT_TRY(text_argument(call, "yaml", &text, &is_null));
    if (is_null)
        return bt_raise(call->run, call->node->at,
                        "The 'yaml' function expects an argument 'yaml' with type string.");
    int rc = bt_yaml_text_value(text, ret_value, &err);
    if (rc == BT_INVALID)
        return bt_raise(call->run, call->node->at, "Invalid yaml: %.200s (line %u, column %u)",
                        err.msg, err.line, err.col);
    if (rc < 0 && call->run->err)
        *call->run->err = err;
    return rc;
}

static int from_ion(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_str text;
    bool is_null;
    struct bt_err err = BT_ERR_INIT;
    *ret_value = bt_value_null();
    BT_TRY(text_argument(call, "fromIon", &text, &is_null));
    if (is_null)
        return BT_OK;
    int rc = bt_ion_parse(text, ret_value, &err);
    if (rc == BT_NOT_FOUND)
        return bt_raise(call->run, call->node->at,
                        "Invalid ion: No content to map due to end-of-input\n at [Source: UNKNOWN; "
                        "byte offset: #UNKNOWN]");
    if (rc == BT_INVALID)
        return bt_raise(call->run, call->node->at, "Invalid ion: %.200s", err.msg);
    if (rc < 0 && call->run->err)
        *call->run->err = err;
    return rc;
}

/* --- Encryption ------------------------------------------------------------------------------- */

union gcm {
    struct gcm_aes128_ctx aes128;
    struct gcm_aes192_ctx aes192;
    struct gcm_aes256_ctx aes256;
};

/* Encrypts or decrypts `text` into `out` and writes the tag. */
static void gcm_run(struct bt_str key, const uint8_t *iv, bool is_encrypt, struct bt_str text,
                    uint8_t *out)
{
    union gcm gcm;
    const uint8_t *bytes = (const uint8_t *)key.at, *in = (const uint8_t *)text.at;
    if (key.len == 16) {
        gcm_aes128_set_key(&gcm.aes128, bytes);
        gcm_aes128_set_iv(&gcm.aes128, IV_LEN, iv);
        (is_encrypt ? gcm_aes128_encrypt : gcm_aes128_decrypt)(&gcm.aes128, text.len, out, in);
        gcm_aes128_digest(&gcm.aes128, TAG_LEN, out + text.len);
    } else if (key.len == 24) {
        gcm_aes192_set_key(&gcm.aes192, bytes);
        gcm_aes192_set_iv(&gcm.aes192, IV_LEN, iv);
        (is_encrypt ? gcm_aes192_encrypt : gcm_aes192_decrypt)(&gcm.aes192, text.len, out, in);
        gcm_aes192_digest(&gcm.aes192, TAG_LEN, out + text.len);
    } else {
        gcm_aes256_set_key(&gcm.aes256, bytes);
        gcm_aes256_set_iv(&gcm.aes256, IV_LEN, iv);
        (is_encrypt ? gcm_aes256_encrypt : gcm_aes256_decrypt)(&gcm.aes256, text.len, out, in);
        gcm_aes256_digest(&gcm.aes256, TAG_LEN, out + text.len);
    }
    explicit_bzero(&gcm, sizeof gcm);
}

/* Decodes the key. The buffer is wiped and freed by the caller. */
static int read_key(struct bt_call *call, struct bt_buf *key)
{
    struct bt_str text;
    BT_TRY(bt_call_str(call, 0, &text));
    int rc = bt_base64_decode(text, key);
    if (rc == BT_OK && (key->len == 16 || key->len == 24 || key->len == 32))
        return BT_OK;
    return rc == BT_NO_MEM
               ? bt_raise_mem(call->run)
               : bt_raise(call->run, call->node->at, "Invalid AES key length: %zu bytes", key->len);
}

static void wipe(struct bt_buf *buf)
{
    if (buf->at)
        explicit_bzero(buf->at, buf->cap);
    bt_buf_done(buf);
}

static int encrypt_text(struct bt_call *call, struct bt_str key, struct bt_str text,
                        struct bt_value **ret_value)
{
    struct bt_rng *rng = call->run->scope->rng ? call->run->scope->rng : &call->run->own_rng;
    uint64_t random[2] = {bt_rng_next(rng), bt_rng_next(rng)};
    uint8_t iv[IV_LEN];
    memcpy(iv, random, IV_LEN);
    uint8_t *bytes = malloc(IV_LEN + text.len + TAG_LEN);
    struct bt_buf out = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    if (!bytes)
        return bt_raise_mem(call->run);
    memcpy(bytes, iv, IV_LEN);
    gcm_run(key, iv, true, text, bytes + IV_LEN);
    (void)bt_base64_encode((struct bt_str){(const char *)bytes, IV_LEN + text.len + TAG_LEN},
                           &out); /* Checked by take. */
    free(bytes);
    return bt_call_take(call, &out, ret_value);
}

static int encrypt(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_str text;
    struct bt_buf key = BT_BUF_INIT(64);
    if (!bt_call_arg(call, 0) || !bt_call_arg(call, 1))
        return bt_raise(call->run, call->node->at,
                        "The 'encrypt' function expects two arguments 'key' and 'plaintext'.");
    BT_TRY(bt_call_str(call, 1, &text));
    if (!bt_call_has(call, 1)) {
        *ret_value = bt_value_null();
        return BT_OK;
    }
    int rc = read_key(call, &key);
    if (rc == BT_OK)
        rc = encrypt_text(call, bt_buf_str(&key), text, ret_value);
    wipe(&key);
    return rc;
}

static int decrypt_bytes(struct bt_call *call, struct bt_str key, struct bt_str bytes,
                         struct bt_value **ret_value)
{
    if (bytes.len < IV_LEN + TAG_LEN)
        return bt_raise(call->run, call->node->at, "Input too short - need tag");
    struct bt_str text = bt_str_slice(bytes, IV_LEN, bytes.len - TAG_LEN);
    uint8_t *out = malloc(text.len + TAG_LEN);
    if (!out)
        return bt_raise_mem(call->run);
    gcm_run(key, (const uint8_t *)bytes.at, false, text, out);
    uint8_t differs = 0;
    for (size_t i = 0; i < TAG_LEN; i++)
        differs |= (uint8_t)(out[text.len + i] ^ (uint8_t)bytes.at[bytes.len - TAG_LEN + i]);
    struct bt_str plain = {(const char *)out, text.len};
    int rc = differs || !bt_utf8_is_valid(plain, NULL)
                 ? bt_raise(call->run, call->node->at, "Tag mismatch")
                 : bt_call_string(call, plain, ret_value);
    explicit_bzero(out, text.len + TAG_LEN);
    free(out);
    return rc;
}

static int decrypt(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_str text;
    struct bt_buf key = BT_BUF_INIT(64), bytes = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    if (!bt_call_arg(call, 0) || !bt_call_arg(call, 1))
        return bt_raise(call->run, call->node->at,
                        "The 'decrypt' function expects two arguments 'key' and 'encrypted'.");
    BT_TRY(bt_call_str(call, 1, &text));
    if (!bt_call_has(call, 1)) {
        *ret_value = bt_value_null();
        return BT_OK;
    }
    int rc = read_key(call, &key);
    if (rc == BT_OK && bt_base64_decode(text, &bytes) < 0)
        rc = bt_raise(call->run, call->node->at, "Illegal base64 character");
    if (rc == BT_OK)
        rc = decrypt_bytes(call, bt_buf_str(&key), bt_buf_str(&bytes), ret_value);
    wipe(&key);
    wipe(&bytes);
    return rc;
}

static const struct bt_fn rows[] = {
    {"decrypt", "key encrypted", 2, 2, 0, decrypt, "Text from `encrypt` (AES-GCM, base64)"},
    {"encrypt", "key plaintext", 2, 2, 0, encrypt,
     "AES-GCM in base64; the key is base64 of 16, 24 or 32 bytes"},
    {"fromIon", "ion", 1, 1, 0, from_ion, "First value of an Ion text: `fromIon('{a:1}').a` → `1`"},
    {"fromJson", "json", 1, 1, 0, from_json, "Value of a JSON text: `fromJson('[1,2]')[1]` → `2`"},
    {"json", "json", 1, 1, 0, from_json, "The older name of `fromJson`"},
    {"yaml", "yaml", 1, 1, 0, from_yaml, "Value of a YAML text: `yaml('a: 1').a` → `1`"},
};

const struct bt_fn_table bt_fn_data_functions = {rows, BT_COUNT(rows)};

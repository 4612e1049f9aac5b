/* filter_code.c — Filters that code text: digests, base64, form encoding. Pure. */
#include "lang/expr/expr_int.h"

#include "base/utf8.h"
#include "lang/expr/code_text.h"

#include <nettle/md5.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>

static bool is_text(const struct bt_value *value)
{
    return bt_value_is(value, BT_KIND_STRING) && bt_value_flavor(value) == BT_FLAVOR_PLAIN;
}

static int digest(struct bt_call *call, void (*hash)(struct bt_str text, uint8_t *out), size_t size,
                  struct bt_value **ret_value)
{
    uint8_t bytes[SHA512_DIGEST_SIZE];
    struct bt_buf out = BT_BUF_INIT(2 * SHA512_DIGEST_SIZE);
    BT_NULL_THROUGH(call, ret_value);
    if (!is_text(call->input))
        return bt_raise(call->run, call->node->at, "Need a string to hash\n");
    hash(bt_value_str(call->input), bytes);
    (void)bt_hex_encode((struct bt_str){(const char *)bytes, size}, &out); /* Checked by take. */
    return bt_call_take(call, &out, ret_value);
}

static void hash_md5(struct bt_str text, uint8_t *out)
{
    struct md5_ctx ctx;
    md5_init(&ctx);
    md5_update(&ctx, text.len, (const uint8_t *)text.at);
    md5_digest(&ctx, MD5_DIGEST_SIZE, out);
}

static void hash_sha1(struct bt_str text, uint8_t *out)
{
    struct sha1_ctx ctx;
    sha1_init(&ctx);
    sha1_update(&ctx, text.len, (const uint8_t *)text.at);
    sha1_digest(&ctx, SHA1_DIGEST_SIZE, out);
}

static void hash_sha256(struct bt_str text, uint8_t *out)
{
    struct sha256_ctx ctx;
    sha256_init(&ctx);
    sha256_update(&ctx, text.len, (const uint8_t *)text.at);
    sha256_digest(&ctx, SHA256_DIGEST_SIZE, out);
}

static void hash_sha512(struct bt_str text, uint8_t *out)
{
    struct sha512_ctx ctx;
    sha512_init(&ctx);
    sha512_update(&ctx, text.len, (const uint8_t *)text.at);
    sha512_digest(&ctx, SHA512_DIGEST_SIZE, out);
}

static int md5(struct bt_call *call, struct bt_value **ret_value)
{
    return digest(call, hash_md5, MD5_DIGEST_SIZE, ret_value);
}

static int sha1(struct bt_call *call, struct bt_value **ret_value)
{
    return digest(call, hash_sha1, SHA1_DIGEST_SIZE, ret_value);
}

static int sha256(struct bt_call *call, struct bt_value **ret_value)
{
    return digest(call, hash_sha256, SHA256_DIGEST_SIZE, ret_value);
}

static int sha512(struct bt_call *call, struct bt_value **ret_value)
{
    return digest(call, hash_sha512, SHA512_DIGEST_SIZE, ret_value);
}

/* Decoded bytes as a text; frees them. */
static int take_mended(struct bt_call *call, struct bt_buf *bytes, struct bt_value **ret_value)
{
    struct bt_buf out = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    int rc = bt_buf_check(bytes, "the text", call->run->err);
    if (rc == BT_OK)
        (void)bt_utf8_mend(bt_buf_str(bytes), &out); /* Checked by take. */
    bt_buf_done(bytes);
    return rc < 0 ? rc : bt_call_take(call, &out, ret_value);
}

static int base64_encode(struct bt_call *call, struct bt_value **ret_value)
{
    BT_VALUE text = NULL;
    struct bt_buf out = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    BT_NULL_THROUGH(call, ret_value);
    BT_TRY(bt_call_text(call, call->input, &text));
    (void)bt_base64_encode(bt_value_str(text), &out); /* Checked by take. */
    return bt_call_take(call, &out, ret_value);
}

static int base64_decode(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_buf out = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    BT_NULL_THROUGH(call, ret_value);
    if (!is_text(call->input))
        return bt_raise(call->run, call->node->at, "This filter applies to String\n");
    int rc = bt_base64_decode(bt_value_str(call->input), &out);
    if (rc == BT_INVALID) {
        bt_buf_done(&out);
        return bt_raise(call->run, call->node->at,
                        "Please provide a correctly Base64 encoded string containing an UTF-8 "
                        "string\n");
    }
    return take_mended(call, &out, ret_value);
}

static int url_encode(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_str text;
    struct bt_buf out = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    BT_NULL_THROUGH(call, ret_value);
    BT_TRY(bt_call_input_str(call, &text));
    (void)bt_form_encode(text, &out); /* Checked by take. */
    return bt_call_take(call, &out, ret_value);
}

static int url_decode(struct bt_call *call, struct bt_value **ret_value)
{
    struct bt_str text;
    struct bt_buf out = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    BT_NULL_THROUGH(call, ret_value);
    BT_TRY(bt_call_input_str(call, &text));
    int rc = bt_form_decode(text, &out);
    if (rc == BT_INVALID) {
        bt_buf_done(&out);
        return bt_raise_java(call->run, call->node->at,
                             "URLDecoder: Illegal hex characters in escape (%%) pattern");
    }
    return take_mended(call, &out, ret_value);
}

static const struct bt_fn rows[] = {
    {"base64decode", "", 0, 0, BT_FN_LOOSE, base64_decode,
     "Text from base64: `'YWJj' | base64decode` → `abc`"},
    {"base64encode", "", 0, 0, BT_FN_LOOSE, base64_encode,
     "Text to base64: `'abc' | base64encode` → `YWJj`"},
    {"md5", "", 0, 0, BT_FN_LOOSE, md5, "MD5 digest in hex"},
    {"sha1", "", 0, 0, BT_FN_LOOSE, sha1, "SHA-1 digest in hex"},
    {"sha256", "", 0, 0, BT_FN_LOOSE, sha256, "SHA-256 digest in hex"},
    {"sha512", "", 0, 0, BT_FN_LOOSE, sha512, "SHA-512 digest in hex"},
    {"urldecode", "", 0, 0, BT_FN_LOOSE, url_decode,
     "Text from form encoding: `'a+b%26' | urldecode` → `a b&`"},
    {"urlencode", "", 0, 0, BT_FN_LOOSE, url_encode,
     "Text to form encoding: `'a b&' | urlencode` → `a+b%26`"},
};

const struct bt_fn_table bt_fn_code_filters = {rows, BT_COUNT(rows)};

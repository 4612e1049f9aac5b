/* secret.c — Secrets of the environment. */
#include "base/limits.h"
#include "base/utf8.h"
#include "lang/expr/code_text.h"
#include "service/world.h"

#include <stdlib.h>

/* Base64 may be broken into lines. */
static int decode(const char *text, struct bt_buf *out)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf code = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    for (; *text; text++)
        if (!strchr(" \t\r\n", *text))
            BT_TRY(bt_buf_addc(&code, *text));
    return bt_base64_decode(bt_buf_str(&code), out);
}

int bt_env_secret(struct bt_str key, struct bt_value **ret_text, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf name = BT_BUF_INIT(1000);
    BT_CLEANUP(bt_buf_done) struct bt_buf plain = BT_BUF_INIT(BT_EXPR_OUTPUT_MAX);
    (void)bt_buf_adds(&name, "SECRET_"); /* A name too long is not found. */
    for (size_t i = 0; i < key.len; i++)
        (void)bt_buf_addc(
            &name, (char)(key.at[i] >= 'a' && key.at[i] <= 'z' ? key.at[i] - 32 : key.at[i]));
    const char *cname = bt_buf_cstr(&name), *text = cname ? getenv(cname) : NULL;
    if (!text)
        return bt_fail(err, BT_NOT_FOUND, "Cannot find secret for key '%.*s'.", BT_FMT(key));
    int rc = decode(text, &plain);
    if (rc < 0 || !bt_utf8_is_valid(bt_buf_str(&plain), NULL)) {
        (void)bt_fail(err, BT_INVALID, "The secret for key '%.*s' is no base64 of a text.",
                      BT_FMT(key));
        return bt_hint(err, "set %s to what `base64 -w0` prints", cname);
    }
    *ret_text = bt_value_string(bt_buf_str(&plain));
    if (plain.at)
        explicit_bzero(plain.at, plain.len);
    return *ret_text ? BT_OK : bt_fail_mem(err, "secret");
}

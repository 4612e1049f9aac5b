/* charset.c — Makes the text of a response UTF-8, which is all that outputs can hold. */
#include "http_int.h"

#include <errno.h>
#include <iconv.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Bytes of the valid UTF-8 sequence at `at`, or 0; *ret_rune is the character. */
static size_t sequence(const unsigned char *at, size_t left, uint32_t *ret_rune)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = at[0] < 0x80   ? 1
                 : at[0] < 0xC2 ? 0
                 : at[0] < 0xE0 ? 2
                 : at[0] < 0xF0 ? 3
                 : at[0] < 0xF5 ? 4
                                : 0;
    if (len == 0 || len > left)
        return 0;
    uint32_t rune = len == 1 ? at[0] : at[0] & (0xFFu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
        rune = rune << 6 | (at[i] & 0x3F);
    }
    *ret_rune = rune;
    bool is_surrogate = rune >= 0xD800 && rune < 0xE000;
    return rune >= least[len] && rune <= 0x10FFFF && !is_surrogate ? len : 0;
}

bool http_is_utf8(struct bt_text text)
{
    for (size_t i = 0; i < text.len;) {
        uint32_t rune;
        size_t len = sequence((const unsigned char *)text.at + i, text.len - i, &rune);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

/* The code points that Unicode keeps for nobody. */
static bool is_undefined(uint32_t rune)
{
    return (rune >= 0xFDD0 && rune <= 0xFDEF) || rune == 0xFFFE || rune == 0xFFFF;
}

/* Replaces what is no UTF-8 by U+FFFD; says how often. Refuses undefined characters. */
static int mend(struct http_call *call, const struct bytes *in, struct bytes *out)
{
    size_t from = 0, bad = 0;
    for (size_t i = 0; i < in->len;) {
        uint32_t rune = 0;
        size_t len = sequence((const unsigned char *)in->at + i, in->len - i, &rune);
        if (len > 0 && is_undefined(rune))
            return HTTP_FAIL(
                call,
                "Illegal unicode code point in request body: %u, the Request task only "
                "support valid Unicode strings as body.\nYou can try using the "
                "Download task instead.",
                rune);
        if (len > 0) {
            i += len;
            continue;
        }
        bytes_add(out, in->at + from, i - from);
        bytes_add(out, "\xEF\xBF\xBD", 3);
        from = ++i;
        bad++;
    }
    bytes_add(out, in->len ? in->at + from : "", in->len - from);
    if (bad > 0)
        http_log(call, BT_PLUGIN_WARN,
                 "the response is no valid text: %zu bytes were replaced. For binary data use "
                 "http.download or responseType: FILE",
                 bad);
    return out->is_failed ? HTTP_FAIL(call, "out of memory") : BT_PLUGIN_OK;
}

/* The charset that the response names, else the option's, else UTF-8. */
static void charset_of(struct http_call *call, char name[64])
{
    const char *type = http_header(&call->response, "content-type");
    const char *at = type ? strcasestr(type, "charset=") : NULL;
    const char *from = at ? at + 8 : call->opt.charset ? call->opt.charset : "UTF-8";
    from += strspn(from, "\" '");
    (void)snprintf(name, 64, "%.*s", (int)strcspn(from, "\"'; ,"),
                   from); /* A long one is unknown. */
}

static int convert(iconv_t converter, const struct bytes *in, struct bytes *out)
{
    char part[4096];
    char *from = in->at;
    size_t left = in->len;
    while (left > 0) {
        char *to = part;
        size_t room = sizeof part;
        size_t rc = iconv(converter, &from, &left, &to, &room);
        bytes_add(out, part, sizeof part - room);
        if (rc != (size_t)-1 || errno == E2BIG)
            continue;
        bytes_add(out, "\xEF\xBF\xBD", 3); /* Not of this charset, or cut at the end. */
        from++;
        left--;
    }
    return out->is_failed ? BT_PLUGIN_LIMIT : BT_PLUGIN_OK;
}

int http_body_decode(struct http_call *call)
{
    struct bytes *body = &call->response.body;
    struct bytes out = {.max = 4 * body->len + 16};
    char name[64];
    int rc;
    charset_of(call, name);
    bool is_utf8 = strcasecmp(name, "utf-8") == 0 || strcasecmp(name, "utf8") == 0 ||
                   strcasecmp(name, "us-ascii") == 0 || name[0] == '\0';
    iconv_t converter = is_utf8 ? (iconv_t)-1 : iconv_open("UTF-8", name);
    if (converter != (iconv_t)-1) {
        rc = convert(converter, body, &out);
        iconv_close(converter);
        if (rc != BT_PLUGIN_OK) {
            bytes_done(&out);
            return HTTP_FAIL(call, "out of memory");
        }
        bytes_done(body);
        *body = out;
        out = (struct bytes){.max = 4 * body->len + 16};
    } else if (!is_utf8) {
        http_log(call, BT_PLUGIN_WARN, "the charset '%s' of the response is unknown", name);
    }
    rc = mend(call, body, &out);
    if (rc == BT_PLUGIN_OK) {
        bytes_done(body);
        *body = out;
        return rc;
    }
    bytes_done(&out);
    return rc;
}

/* err.c — Filling of struct bt_err. Never allocates and never fails. */
#include "base/err.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* These are macros for clang-tidy. */
#undef bt_fail
#undef bt_fail_mem
#undef bt_fail_errno

static void format_into(char *at, size_t size, const char *format, va_list args)
{
    int len = vsnprintf(at, size, format, args);
    if (len < 0)
        at[0] = '\0';
    bt_utf8_repair(at); /* Cut within a rune, or a path that is no text: messages are stored. */
}

static void reset(struct bt_err *err, enum bt_code code)
{
    err->code = code;
    err->line = 0;
    err->col = 0;
    err->hint[0] = '\0';
}

int bt_fail(struct bt_err *err, enum bt_code code, const char *format, ...)
{
    if (!err)
        return code;
    reset(err, code);
    va_list args;
    va_start(args, format);
    format_into(err->msg, sizeof err->msg, format, args);
    va_end(args);
    return code;
}

int bt_hint(struct bt_err *err, const char *format, ...)
{
    if (!err)
        return BT_INVALID;
    va_list args;
    va_start(args, format);
    format_into(err->hint, sizeof err->hint, format, args);
    va_end(args);
    return err->code;
}

int bt_fail_mem(struct bt_err *err, const char *what)
{
    return bt_fail(err, BT_NO_MEM, "%s: out of memory", what);
}

int bt_err_prefix(struct bt_err *err, const char *format, ...)
{
    if (!err)
        return BT_INVALID;
    char old[sizeof err->msg];
    memcpy(old, err->msg, sizeof old);
    va_list args;
    va_start(args, format);
    format_into(err->msg, sizeof err->msg, format, args);
    va_end(args);
    size_t used = strlen(err->msg);
    (void)snprintf(err->msg + used, sizeof err->msg - used, ": %s", old); /* Cut is fine. */
    bt_utf8_repair(err->msg);
    return err->code;
}

int bt_fail_errno(struct bt_err *err, enum bt_code code, int errno_value, const char *format, ...)
{
    if (!err)
        return code;
    reset(err, code);
    va_list args;
    va_start(args, format);
    format_into(err->msg, sizeof err->msg, format, args);
    va_end(args);
    char text[128];
    const char *why = strerror_r(errno_value, text, sizeof text); /* The GNU form. */
    size_t used = strlen(err->msg);
    (void)snprintf(err->msg + used, sizeof err->msg - used, ": %s", why); /* Cut is fine. */
    bt_utf8_repair(err->msg);
    return code;
}

const char *bt_code_name(enum bt_code code)
{
    switch (code) {
    case BT_OK: return "ok";
    case BT_INVALID: return "invalid";
    case BT_NOT_FOUND: return "not_found";
    case BT_EXISTS: return "exists";
    case BT_CONFLICT: return "conflict";
    case BT_NO_MEM: return "no_memory";
    case BT_IO: return "io";
    case BT_LIMIT: return "limit";
    case BT_TIMEOUT: return "timeout";
    case BT_ABORTED: return "aborted";
    case BT_BUSY: return "busy";
    case BT_DENIED: return "denied";
    case BT_CORRUPT: return "corrupt";
    case BT_NEED: return "need";
    case BT_UNAVAILABLE: return "unavailable";
    }
    return "unknown";
}

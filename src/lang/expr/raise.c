/* raise.c — Failures of a rendering, in the original's words and with the place in the template. */
#include "lang/expr/expr_int.h"

#include <stdarg.h>

/* Texts of templates are quoted up to here, so that the place behind them is still told. */
enum { QUOTE_MAX = 400 };

static struct bt_str quoted(const struct bt_run *run)
{
    return bt_str_slice(run->template->source, 0, QUOTE_MAX);
}

static int told(struct bt_run *run, uint32_t at, const char *class_name, const char *message)
{
    uint32_t line, col;
    struct bt_str source = quoted(run);
    bt_expr_place(run->template, at, &line, &col);
    (void)bt_fail(run->err, BT_INVALID, "%s%s (%.*s:%u)", class_name, message, BT_FMT(source),
                  line); /* The code is returned below. */
    run->err->line = line;
    run->err->col = col;
    return BT_INVALID;
}

static void forget_missing(struct bt_run *run)
{
    run->is_missing = false;
    run->missing = bt_value_unref(run->missing);
}

int bt_raise(struct bt_run *run, uint32_t at, const char *format, ...)
{
    char message[300];
    forget_missing(run);
    if (!run->err)
        return BT_INVALID;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args); /* Longer ones are cut. */
    va_end(args);
    return told(run, at, "io.pebbletemplates.pebble.error.PebbleException: ", message);
}

int bt_raise_access(struct bt_run *run, uint32_t at, const char *method)
{
    char message[200];
    forget_missing(run);
    if (!run->err)
        return BT_INVALID;
    (void)snprintf(message, sizeof message,
                   "For security reasons access to public final native java.lang.Class "
                   "java.lang.Object.%s() method is denied.",
                   method); /* Names are short. */
    return told(run, at, "io.pebbletemplates.pebble.error.ClassAccessException: ", message);
}

int bt_raise_java(struct bt_run *run, uint32_t at, const char *format, ...)
{
    char message[500];
    forget_missing(run);
    if (!run->err)
        return BT_INVALID;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args); /* Longer ones are cut. */
    va_end(args);
    (void)bt_fail(run->err, BT_INVALID, "%s", message); /* The code is returned below. */
    bt_expr_place(run->template, at, &run->err->line, &run->err->col);
    return BT_INVALID;
}

int bt_raise_cast(struct bt_run *run, uint32_t at, const struct bt_value *value,
                  const char *class_name)
{
    return bt_raise_java(run, at, "class %s cannot be cast to class %s", bt_java_class(value),
                         class_name);
}

int bt_raise_missing(struct bt_run *run, uint32_t at, struct bt_str name)
{
    bt_value_unref(run->missing);
    run->missing = bt_value_string(name);
    run->missing_at = at;
    run->is_missing = run->missing != NULL;
    return run->missing ? BT_NOT_FOUND : bt_raise_mem(run);
}

int bt_raise_mem(struct bt_run *run)
{
    return bt_fail_mem(run->err, "expression");
}

void bt_raise_settle(struct bt_run *run, int rc)
{
    if (rc != BT_NOT_FOUND || !run->is_missing || !run->err)
        return;
    uint32_t line, col;
    struct bt_str name = bt_value_str(run->missing), source = quoted(run);
    bt_expr_place(run->template, run->missing_at, &line, &col);
    (void)bt_fail(run->err, BT_INVALID,
                  "Unable to find `%.*s` used in the expression `%.*s` at line %u", BT_FMT(name),
                  BT_FMT(source), line); /* The caller returns the code. */
    run->err->line = line;
    run->err->col = col;
}

/* err.h — How a function says that it failed, in words for people.
 *
 * A function that can fail returns BT_OK (0) or one of the negative codes and, when the caller gave
 * an `err`, writes there what happened (`msg`), what to do (`hint`) and, where the cause stands in
 * the user's text, its line and column. Callers branch on the code, never on the text. */
#pragma once
#include <stdint.h>

enum bt_code {
    BT_OK = 0,
    BT_INVALID = -1,      /* The input is wrong; the user can mend it. */
    BT_NOT_FOUND = -2,    /* The named thing does not exist. */
    BT_EXISTS = -3,       /* The named thing exists already. */
    BT_CONFLICT = -4,     /* The state does not allow it now. */
    BT_NO_MEM = -5,       /* Out of memory. */
    BT_IO = -6,           /* The operating system or the database failed. */
    BT_LIMIT = -7,        /* A limit of base/limits.h was reached. */
    BT_TIMEOUT = -8,      /* A deadline passed. */
    BT_ABORTED = -9,      /* Stopped because somebody asked for it. */
    BT_BUSY = -10,        /* Somebody else holds it; try again later. */
    BT_DENIED = -11,      /* Not allowed. */
    BT_CORRUPT = -12,     /* Stored data cannot be read. */
    BT_NEED = -13,        /* A row is not in memory; fetch it and call again (engine only). */
    BT_UNAVAILABLE = -14, /* The capability does not exist in this place. */
};

struct bt_err {
    enum bt_code code;
    uint32_t line, col; /* 1-based position in the user's text; 0 = none. */
    char msg[768];      /* What happened: "unknown task type 'lgo'". */
    char hint[240];     /* What to do: "did you mean 'log'?" or "". */
};

#define BT_ERR_INIT                                                                                \
    {                                                                                              \
        .code = BT_OK                                                                              \
    }

/* Propagates a failure: BT_TRY(call()) returns the code when it is not BT_OK. */
#define BT_TRY(call)                                                                               \
    do {                                                                                           \
        int bt_try_rc_ = (call);                                                                   \
        if (bt_try_rc_ < 0)                                                                        \
            return bt_try_rc_;                                                                     \
    } while (0)

/* Fills *err (when not NULL) and returns `code`. The hint and the position are cleared. */
int bt_fail(struct bt_err *err, enum bt_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds a hint to a filled *err. Returns err->code (BT_INVALID when err is NULL). */
int bt_hint(struct bt_err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says that memory ran out while doing `what`. Returns BT_NO_MEM. */
int bt_fail_mem(struct bt_err *err, const char *what);

/* Puts "context: " before the message. Returns err->code. */
int bt_err_prefix(struct bt_err *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds errno's text to a message: "cannot open 'x': No such file or directory". */
int bt_fail_errno(struct bt_err *err, enum bt_code code, int errno_value, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* What these return, said to clang-tidy, which sees one file at a time: after BT_TRY() it would go
 * on with outputs that a failure left unset. */
#ifdef __clang_analyzer__
#define bt_fail(err, code, ...) ((void)bt_fail((err), (code), __VA_ARGS__), (int)(code))
#define bt_fail_mem(err, what) ((void)bt_fail_mem((err), (what)), (int)BT_NO_MEM)
#define bt_fail_errno(err, code, errno_value, ...)                                                 \
    ((void)bt_fail_errno((err), (code), (errno_value), __VA_ARGS__), (int)(code))
#endif

/* The stable name of a code: "invalid", "not_found", … Never NULL. */
const char *bt_code_name(enum bt_code code);

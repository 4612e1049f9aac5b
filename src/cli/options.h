/* options.h — Reading of command lines by a table of flags. */
#pragma once
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct bt_flag {
    char letter;      /* 0: no short form. */
    const char *name; /* "--data" */
    bool has_value;
    const char *
        *value; /* Where the value goes; of a flag without one: any text when it is given. */
};

/* Sets the flags' values and collects what is no flag. BT_NOT_FOUND: help was asked for (-h,
 * --help). Errors say what is wrong, with a hint. */
int bt_options_read(const char *command, int argc, char **argv, const struct bt_flag *flags,
                    size_t flag_count, const char **positional, size_t *positional_count,
                    struct bt_err *err);
/* A number from `least` to `most`; `absent` when text is NULL. */
int bt_option_number(const char *name, const char *text, unsigned least, unsigned most,
                     unsigned absent, unsigned *ret_number, struct bt_err *err);

/* options.h — Reading of command lines by a table of flags. */
#pragma once
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct bt_flag {
    char letter;      /* 0: no short form. */
    const char *name; /* "--data" */
    bool has_value;
    /* Where the value goes; of a flag without one: any text when it is given. NULL: the flag may be
     * repeated, and goes to the options' `repeated`. */
    const char **value;
};

struct bt_repeated {
    char letter; /* Of the flag. */
    const char *text;
};

struct bt_options {
    const char *command; /* For messages: "run". */
    const struct bt_flag *flags;
    size_t flag_count;
    const char **positional; /* What is no flag goes here. */
    size_t positional_max, positional_count;
    struct bt_repeated *repeated;
    size_t repeated_max, repeated_count;
};

/* Sets the flags' values and collects what is no flag. BT_NOT_FOUND: help was asked for (-h,
 * --help). Errors say what is wrong, with a hint. */
int bt_options_read(struct bt_options *options, int argc, char **argv, struct bt_err *err);

struct bt_number_option {
    const char *name;
    unsigned least, most, absent;
};
/* The number of a flag's text; `absent` when the text is NULL. */
int bt_option_number(const struct bt_number_option *option, const char *text, unsigned *ret_number,
                     struct bt_err *err);

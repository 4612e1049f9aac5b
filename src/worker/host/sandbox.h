/* sandbox.h — What this machine offers to fence plugins in. */
#pragma once
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct bt_sandbox_part {
    const char *name; /* "no new privileges" */
    unsigned bit;     /* enum bt_sandbox; 0: no option. */
    bool is_there;
    const char *use; /* What it does here, or what is missing without it. */
};

/* Asks the kernel. The parts, in a static array. */
const struct bt_sandbox_part *bt_sandbox_probe(size_t *ret_count);
/* Why one of the parts in `wanted` (enum bt_sandbox) cannot be had; NULL: all can. Any thread. */
const char *bt_sandbox_missing(unsigned wanted);
/* What the environment asks of all plugins: BATON_SANDBOX, words with commas. */
int bt_sandbox_wanted(unsigned *ret_sandbox, struct bt_err *err);

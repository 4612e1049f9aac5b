/* sandbox.h — What this machine offers to fence plugins in. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct bt_sandbox_part {
    const char *name; /* "no new privileges" */
    bool is_there;
    const char *use; /* What it does here, or what is missing without it. */
};

/* Asks the kernel. The parts, in a static array. */
const struct bt_sandbox_part *bt_sandbox_probe(size_t *ret_count);

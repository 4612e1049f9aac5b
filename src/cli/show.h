/* show.h — Shows executions while they run: a live tree on a terminal, plain lines elsewhere.
 *
 * Fed by the runner's listener (its thread) and ticked by the main thread; guarded by one lock. */
#pragma once
#include "journal/runner/runner.h"

#include <stdio.h>

struct bt_show; /* Opaque. */

struct bt_show_config {
    FILE *out;
    bool is_terminal; /* Redraws the running tasks at the bottom. */
    bool has_colour;
    bool is_quiet; /* Only what failed, and the end. */
};

struct bt_show *bt_show_new(const struct bt_show_config *config);
struct bt_show *bt_show_free(struct bt_show *show);
/* The runner's listener. */
void bt_show_changes(void *show, const struct bt_change *changes, size_t count);
void bt_show_trouble(void *show, const struct bt_err *err);
/* Redraws durations (terminal only). */
void bt_show_tick(struct bt_show *show);
/* Removes the live part. */
void bt_show_end(struct bt_show *show);
/* A line of our own. */
void bt_show_note(struct bt_show *show, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "1.234s", "12ms", "2m03s". */
const char *bt_show_duration(int64_t us, char out[32]);

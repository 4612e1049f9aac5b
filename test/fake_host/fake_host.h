/* fake_host.h — A run as the fake host of the tests knows it. Only tests include this. */
#pragma once
#include "base/buf.h"
#include "value/value.h"

#include <baton/plugin.h>
#include <stdatomic.h>

enum { TEXTS_MAX = 1 << 20 };

struct bt_run {
    const struct bt_value *properties, *info;           /* Borrowed from the line that was read. */
    struct bt_value *outputs, *logs, *metrics, *events; /* Owned. */
    char reason[8192];
    char **texts; /* Given to the plugin; freed at the end. */
    size_t text_count;
    int open_files; /* Must be 0 at the end: a plugin closes what it opens. */
    atomic_bool is_killed;
};

extern const char *fake_dir; /* The "internal storage": baton:///test/NAME is NAME in here. */

/* A copy that lives as long as the run. */
struct bt_text fake_keep(struct bt_run *run, struct bt_str text);

int fake_file_open(struct bt_run *run, const char *uri, struct bt_reader **ret_reader);
ptrdiff_t fake_file_read(struct bt_reader *reader, void *at, size_t len);
int64_t fake_file_size(struct bt_reader *reader);
void fake_file_close(struct bt_reader *reader);
int fake_file_create(struct bt_run *run, const char *name, struct bt_writer **ret_writer);
int fake_file_write(struct bt_writer *writer, const void *at, size_t len);
int fake_file_commit(struct bt_writer *writer, struct bt_text *ret_uri);
void fake_file_abort(struct bt_writer *writer);

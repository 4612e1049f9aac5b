/* space_int.h — What the sources about namespace files share. Private to the room. */
#pragma once
#include "service/space_files.h"

/* Appends the URI of a path; `is_folder`: with '/' at its end. BT_INVALID: no path for a file. */
int space_uri(const struct bt_space_file *file, bool is_folder, struct bt_buf *out,
              struct bt_err *err);
/* Calls `each` for all files beneath a folder with their paths ("/dir/a.py"), in no order. */
struct space_walk {
    struct bt_service *service;
    const struct bt_principal *principal;
    const char *namespace;
    int (*each)(void *data, struct bt_str path);
    void *data;
    size_t count;
    struct bt_err *err;
};
int space_walk(struct space_walk *walk);

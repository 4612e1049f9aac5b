/* backend.h — What a backend of the internal storage provides. For src/files, and for the
 * worker's remote backend, which reaches the server's storage over the worker protocol. */
#pragma once
#include "files/files.h"

struct bt_files_ops {
    int (*create)(struct bt_files *files, const char *tenant, struct bt_str uri,
                  struct bt_file_writer **ret_writer, struct bt_err *err);
    int (*write)(struct bt_file_writer *writer, const void *at, size_t len, struct bt_err *err);
    int (*commit)(struct bt_file_writer *writer, struct bt_err *err); /* Takes the writer. */
    void (*abort)(struct bt_file_writer *writer);                     /* Takes the writer. */
    int (*put_fd)(struct bt_files *files, const char *tenant, struct bt_str uri, int fd,
                  struct bt_err *err);
    int (*open)(struct bt_files *files, const char *tenant, struct bt_str uri, int *ret_fd,
                struct bt_err *err);
    int (*size)(struct bt_files *files, const char *tenant, struct bt_str uri,
                int64_t *ret_size_bytes, struct bt_err *err);
    int (*remove)(struct bt_files *files, const char *tenant, struct bt_str uri,
                  struct bt_err *err);
    int (*remove_tree)(struct bt_files *files, const char *tenant, struct bt_str uri,
                       struct bt_err *err);
    void (*close)(struct bt_files *files);
    /* May be NULL: not available over this backend. */
    int (*stat)(struct bt_files *files, const char *tenant, struct bt_str uri,
                struct bt_file_info *ret_info, struct bt_err *err);
    int (*list)(struct bt_files *files, const char *tenant, struct bt_str uri,
                const struct bt_folder_sink *sink, struct bt_err *err);
    int (*make_folder)(struct bt_files *files, const char *tenant, struct bt_str uri,
                       struct bt_err *err);
    int (*move)(struct bt_files *files, const char *tenant, const struct bt_file_move *move,
                struct bt_err *err);
    bool (*drop_empty)(struct bt_files *files, const char *tenant, struct bt_str uri);
    /* NULL: it is done with list, remove and drop_empty. */
    int (*walk)(struct bt_files *files, const char *tenant, const struct bt_files_walk *walk,
                bool deletes, struct bt_err *err);
};

/* Backends embed these first. */
struct bt_files {
    const struct bt_files_ops *ops;
};
struct bt_file_writer {
    struct bt_files *files;
};

/* Between two blocks of a transfer: BT_ABORTED when this thread is asked to end it. */
int bt_files_go_on(struct bt_err *err);

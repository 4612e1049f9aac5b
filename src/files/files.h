/* files.h — Internal storage: the files that tasks leave for each other, by URI.
 *
 * A URI is baton:///<namespace as path>/<flow>/executions/<id>/tasks/<task>/<run>/<file>
 * (kestra:/// is accepted and means the same). Paths are resolved beneath the tenant's root; "..",
 * absolute parts, NUL and empty segments are refused. Everything is streamed. Any thread. */
#pragma once
#include "value/value.h"

struct bt_files; /* Opaque. */

/* Local storage beneath `root` (made when missing). */
int bt_files_open_local(const char *root, struct bt_files **ret_files, struct bt_err *err);
struct bt_files *bt_files_close(struct bt_files *files); /* Accepts and returns NULL. */

/* Whether the text is a URI of the internal storage (either scheme). */
bool bt_files_is_uri(struct bt_str text);
/* Appends "baton:///" + path; the path has no leading slash. */
int bt_files_uri(struct bt_str path, struct bt_buf *out);
/* Appends a path; what may not stand in a URI is written %XX, and a file is stored under that very
 * name. */
int bt_files_add_escaped(struct bt_str path, struct bt_buf *out);
/* Appends the text that such a name stands for. */
int bt_files_unescape(struct bt_str name, struct bt_buf *out);
/* The path part of a URI, checked. Borrowed from `uri`. */
int bt_files_path(struct bt_str uri, struct bt_str *ret_path, struct bt_err *err);

/* A writer: the file appears whole at commit, or never. */
struct bt_file_writer;
int bt_files_create(struct bt_files *files, const char *tenant, struct bt_str uri,
                    struct bt_file_writer **ret_writer, struct bt_err *err);
int bt_file_write(struct bt_file_writer *writer, const void *at, size_t len, struct bt_err *err);
int bt_file_commit(struct bt_file_writer *writer, struct bt_err *err); /* Takes the writer. */
struct bt_file_writer *bt_file_abort(struct bt_file_writer *writer);   /* Takes; accepts NULL. */

/* Copies an open file descriptor (from its position to the end) to a URI. */
int bt_files_put_fd(struct bt_files *files, const char *tenant, struct bt_str uri, int fd,
                    struct bt_err *err);
/* Opens for reading; the descriptor is the caller's. */
int bt_files_open(struct bt_files *files, const char *tenant, struct bt_str uri, int *ret_fd,
                  struct bt_err *err);
int bt_files_size(struct bt_files *files, const char *tenant, struct bt_str uri,
                  int64_t *ret_size_bytes, struct bt_err *err);
/* --- Folders: over a worker's connection only stat and walk ----------------------------------- */

struct bt_file_info {
    bool is_folder;
    int64_t size_bytes;
    int64_t modified_us, created_us;
};
int bt_files_stat(struct bt_files *files, const char *tenant, struct bt_str uri,
                  struct bt_file_info *ret_info, struct bt_err *err);
/* What stands directly in a folder (its URI ends in '/'), in no order; names as they are stored.
 * A missing one is empty. A negative result ends it and is returned. */
struct bt_folder_sink {
    int (*each)(void *data, struct bt_str name, const struct bt_file_info *info);
    void *data;
};
int bt_files_list(struct bt_files *files, const char *tenant, struct bt_str uri,
                  const struct bt_folder_sink *sink, struct bt_err *err);
/* Makes a folder with those above it; one that is there is fine. */
int bt_files_make_folder(struct bt_files *files, const char *tenant, struct bt_str uri,
                         struct bt_err *err);
/* Moves a file or folder (no '/' at the end of either). A file that is in the way is replaced. */
struct bt_file_move {
    struct bt_str from, to;
};
int bt_files_move(struct bt_files *files, const char *tenant, const struct bt_file_move *move,
                  struct bt_err *err);
/* Removes a folder if nothing is in it. False: it stays. */
bool bt_files_drop_empty(struct bt_files *files, const char *tenant, struct bt_str uri);

int bt_files_delete(struct bt_files *files, const char *tenant, struct bt_str uri,
                    struct bt_err *err);
/* Tells every file beneath a folder, in no order. */
struct bt_files_walk {
    struct bt_str uri; /* Ends in '/'. Missing is no error. */
    const char *keep;  /* A folder directly in it that is passed by; or NULL. */
    int (*each)(void *data, struct bt_str uri); /* Negative ends it. NULL: nobody is told. */
    void *data;
};
int bt_files_walk(struct bt_files *files, const char *tenant, const struct bt_files_walk *walk,
                  struct bt_err *err);
/* The same, and deletes each before it is told; then the folders in which nothing is left. */
int bt_files_purge(struct bt_files *files, const char *tenant, const struct bt_files_walk *walk,
                   struct bt_err *err);
/* Deletes everything beneath a path prefix ending in '/'. Missing is no error. */
int bt_files_delete_tree(struct bt_files *files, const char *tenant, struct bt_str uri,
                         struct bt_err *err);

/* Transfers of this thread end with BT_ABORTED, between two blocks, once *is_over is true. The flag
 * lives until it is taken back with NULL. */
void bt_files_watch(const _Atomic bool *is_over);

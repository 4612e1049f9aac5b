/* space_files.h — Files of a namespace: a tree beneath <namespace>/_files/ of the internal storage,
 * where read() and tasks find them. Any thread.
 *
 * Paths are texts as people write them: "/dir/a.py", with or without the first '/'. "..", empty
 * parts and control characters are refused; what begins with "/_flows" is kept for flows. */
#pragma once
#include "service/service.h"

struct bt_space_file {
    const char *namespace;
    struct bt_str path;
};

/* {type, size, fileName, lastModifiedTime, creationTime} */
int bt_service_space_stat(struct bt_service *service, const struct bt_principal *principal,
                          const struct bt_space_file *file, struct bt_value **ret_info,
                          struct bt_err *err);
/* The same of all that stands directly in a folder, by name. */
int bt_service_space_list(struct bt_service *service, const struct bt_principal *principal,
                          const struct bt_space_file *folder, struct bt_value **ret_list,
                          struct bt_err *err);
/* Paths of all files that hold part->path, sorted; BT_LIMIT beyond BT_SPACE_FILES_MAX files. */
int bt_service_space_search(struct bt_service *service, const struct bt_principal *principal,
                            const struct bt_space_file *part, struct bt_value **ret_paths,
                            struct bt_err *err);
/* *ret_fd is the caller's. */
int bt_service_space_open(struct bt_service *service, const struct bt_principal *principal,
                          const struct bt_space_file *file, int *ret_fd, struct bt_err *err);
int bt_service_space_put(struct bt_service *service, const struct bt_principal *principal,
                         const struct bt_space_file *file, int fd, struct bt_err *err);
int bt_service_space_make_folder(struct bt_service *service, const struct bt_principal *principal,
                                 const struct bt_space_file *folder, struct bt_err *err);
int bt_service_space_move(struct bt_service *service, const struct bt_principal *principal,
                          const struct bt_space_file *from, struct bt_str to, struct bt_err *err);
/* A file or a folder with all in it; then folders above it that are left empty. Missing is fine. */
int bt_service_space_delete(struct bt_service *service, const struct bt_principal *principal,
                            const struct bt_space_file *file, struct bt_err *err);

/* Every file of a zip archive; what stands in _flows/ becomes a flow of the namespace. */
int bt_service_space_unzip(struct bt_service *service, const struct bt_principal *principal,
                           const char *namespace, int fd, struct bt_err *err);
/* The other way round: all files, and the flows in _flows/, into an open file. */
int bt_service_space_zip(struct bt_service *service, const struct bt_principal *principal,
                         const char *namespace, int fd, struct bt_err *err);

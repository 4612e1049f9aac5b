/* given_int.h — Inputs that somebody gives to an execution that begins or goes on. Private to the
 * room. */
#pragma once
#include "service/service.h"

/* All borrowed. */
struct given {
    const struct bt_exec *exec;
    const char *folder; /* Where files go, beneath the execution's own. */
    struct bt_input_set set;
    const struct bt_value *inputs; /* Map by input id, or NULL. */
    const struct bt_input_file *files;
    size_t file_count;
};
/* Checks that there are such inputs, and gives the values with the addresses that the files will
 * have. Nothing is stored. */
int given_name(struct bt_service *service, const struct given *given, struct bt_value **ret_named,
               struct bt_err *err);
/* Copies the files to where `named` says. */
int given_store(struct bt_service *service, const struct given *given, const struct bt_value *named,
                struct bt_err *err);
/* Appends <namespace>/<flow>/executions/<id>/<folder>. */
int given_folder(const struct bt_exec *exec, const char *folder, struct bt_buf *out);

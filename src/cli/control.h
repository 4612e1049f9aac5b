/* control.h — A server's socket for the command line of its machine: DIR/control.sock (mode 0600).
 *
 * The data directory belongs to the server's process; `baton run --data DIR` beside it hands its
 * flow over through this socket and shows what the server tells. */
#pragma once
#include "config/instance.h"

struct bt_control; /* Opaque. */

/* The control needs the listener of the instance that it serves, so it is made first. */
struct bt_control *bt_control_new(void); /* NULL without memory. */
/* The runner's listener: passes changes to the clients that watch. */
void bt_control_changes(void *control, const struct bt_change *changes, size_t count);
int bt_control_start(struct bt_control *control, struct bt_instance *instance, struct bt_err *err);
/* Closes the socket and all clients. Accepts and returns NULL. */
struct bt_control *bt_control_stop(struct bt_control *control);

/* What `baton run` hands over. */
struct bt_control_run {
    const char *path;              /* For messages. */
    struct bt_str source;          /* The flow. */
    const struct bt_value *inputs; /* Maps of texts. */
    const struct bt_value *labels;
    const struct bt_input_file *files;
    size_t file_count;
    bool is_quiet, is_json;
    int signal_fd; /* SIGINT arrives here: the execution is killed. */
};
/* Whether a server listens for this data directory. */
bool bt_control_is_there(const char *data_dir);
/* Runs the flow on the server and shows it. Returns the exit code. */
int bt_control_client_run(const char *data_dir, const struct bt_control_run *run);

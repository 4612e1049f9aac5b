/* cmd_exec_int.h — What the sources of `baton exec` share. Private to the room. */
#pragma once
#include "cli/remote.h"

/* Inputs and labels of the command line, as a form. */
struct bt_exec_form {
    struct bt_repeated repeated[500];
    size_t count;
    struct bt_client_part parts[500];
    size_t part_count;
    struct bt_buf query; /* "&labels=…" */
    char *names[500];    /* Owned. */
};
struct bt_exec_form *bt_exec_form_new(void);
void bt_exec_form_free(struct bt_exec_form *form); /* Accepts NULL. */
/* NAME=VALUE of -i, -f or -l. */
int bt_exec_form_take(struct bt_exec_form *form, const struct bt_repeated *given,
                      struct bt_err *err);

/* "/api/v1/executions/ID" and what follows, or the same of "logs". */
int bt_exec_path(const char *kind, const char *id, const char *rest, struct bt_buf *out,
                 struct bt_err *err);

/* Verbs of exec_acts.c. */
int bt_exec_pause(struct bt_remote *remote, int argc, char **argv, struct bt_err *err);
int bt_exec_resume(struct bt_remote *remote, int argc, char **argv, struct bt_err *err);
int bt_exec_restart(struct bt_remote *remote, int argc, char **argv, struct bt_err *err);
int bt_exec_replay(struct bt_remote *remote, int argc, char **argv, struct bt_err *err);
int bt_exec_force(struct bt_remote *remote, int argc, char **argv, struct bt_err *err);
int bt_exec_unqueue(struct bt_remote *remote, int argc, char **argv, struct bt_err *err);
int bt_exec_change(struct bt_remote *remote, int argc, char **argv, struct bt_err *err);

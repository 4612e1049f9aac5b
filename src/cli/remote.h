/* remote.h — Commands that ask a server: where it is, one call, and what it answers. */
#pragma once
#include "cli/options.h"
#include "net/client.h"
#include "value/value.h"

struct bt_remote {
    const char *server, *token, *data; /* Of the command line, or NULL. */
    struct bt_client *client;
    char *unix_path;
};

/* The flags that every such command has: put into its table. */
#define BT_REMOTE_FLAGS(remote)                                                                    \
    {'s', "--server", true, &(remote)->server}, {0, "--token", true, &(remote)->token},            \
    {                                                                                              \
        'd', "--data", true, &(remote)->data                                                       \
    }
#define BT_REMOTE_HELP                                                                             \
    "  -s, --server URL   The server (or BATON_SERVER); default: that of the data directory\n"     \
    "      --token TOKEN  What it wants to hear (or BATON_TOKEN)\n"                                \
    "  -d, --data DIR     The data directory of a server on this machine (default ./baton-data)\n" \
    "  -h, --help         Print this\n"

/* Finds the server; no call is made yet. */
int bt_remote_open(struct bt_remote *remote, struct bt_err *err);
void bt_remote_close(struct bt_remote *remote);
/* Calls; an answer that is no success becomes an error in the server's words. *ret_value (may be
 * NULL) is the body as JSON, or a STRING when it is none. */
int bt_remote_call(struct bt_remote *remote, const struct bt_client_request *request,
                   struct bt_value **ret_value, struct bt_err *err);
/* "GET" of a path. */
int bt_remote_get(struct bt_remote *remote, const char *path, struct bt_value **ret_value,
                  struct bt_err *err);
/* Follows server-sent events; `each` gets the id and the data of one. */
int bt_remote_follow(struct bt_remote *remote, const char *path,
                     int (*each)(void *data, struct bt_str id, struct bt_str text), void *data,
                     struct bt_err *err);
/* Runs a command's verb by name: "baton flow list …". */
struct bt_verb {
    const char *name, *usage, *summary;
    int (*run)(struct bt_remote *remote, int argc, char **argv, struct bt_err *err);
};
int bt_remote_main(const char *command, const struct bt_verb *verbs, int argc, char **argv);
/* Prints a JSON value over several lines. */
int bt_remote_print(const struct bt_value *value, struct bt_err *err);

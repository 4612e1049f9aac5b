/* cli.h — Commands of the program. Each returns the process's exit code. */
#pragma once
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { BT_EXIT_OK = 0, BT_EXIT_FAILED = 1, BT_EXIT_USAGE = 2 };

struct bt_command {
    const char *name;
    const char *summary;               /* One line. */
    int (*run)(int argc, char **argv); /* argv[0] is the command's name. */
};

/* All commands, ended by one without a name. */
extern const struct bt_command bt_commands[];

int bt_cli_main(int argc, char **argv);
/* Prints "baton COMMAND: message" and the hint to standard error; returns `code`. */
int bt_cli_fail(const char *command, const struct bt_err *err, int code);

/* For each signal that asks to stop; *first_us begins as 0. True: leave at once. One more within
 * a quarter of a second of the first is the same wish: wrappers send it to the group as well. */
bool bt_cli_stop_again(int64_t *first_us);

int bt_cmd_run(int argc, char **argv);
int bt_cmd_server(int argc, char **argv);
int bt_cmd_flow(int argc, char **argv);
int bt_cmd_exec(int argc, char **argv);
int bt_cmd_backup(int argc, char **argv);
int bt_cmd_restore(int argc, char **argv);
int bt_cmd_worker(int argc, char **argv);
int bt_cmd_validate(int argc, char **argv);
int bt_cmd_expr(int argc, char **argv);
int bt_cmd_plugin(int argc, char **argv);
int bt_cmd_version(int argc, char **argv);
int bt_cmd_completion(int argc, char **argv);

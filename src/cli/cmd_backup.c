/* cmd_backup.c — `baton backup` and `baton restore`. */
#include "cli/cli.h"
#include "cli/options.h"

#include "base/own.h"
#include "config/backup.h"

#include <stdio.h>

static const char backup_help[] =
    "Usage: baton backup TO [--data DIR]\n"
    "\n"
    "Copies a data directory to the new directory TO, also while a server works on it: the "
    "database\n"
    "as of one moment, logs, files and keys, with a manifest of checksums.\n"
    "\n"
    "  -d, --data DIR   The data directory (default ./baton-data)\n"
    "  -h, --help       Print this\n"
    "\n"
    "The copy holds the keys to its secrets: keep it where nobody else reads it.\n";
static const char restore_help[] =
    "Usage: baton restore FROM [--data DIR]\n"
    "\n"
    "Checks a backup and makes a new data directory of it. What was unfinished goes on when a "
    "server\n"
    "is started over it.\n"
    "\n"
    "  -d, --data DIR   The data directory to make (default ./baton-data)\n"
    "  -h, --help       Print this\n";

struct command {
    const char *name, *help, *done;
    int (*run)(const char *dir, const char *data_dir, struct bt_backup_report *report,
               struct bt_err *err);
};

static int run(const struct command *command, int argc, char **argv)
{
    const char *dir = NULL, *data = "baton-data";
    const struct bt_flag flags[] = {{'d', "--data", true, &data}};
    struct bt_options spec = {.command = command->name,
                              .flags = flags,
                              .flag_count = BT_COUNT(flags),
                              .positional = &dir,
                              .positional_max = 1};
    struct bt_backup_report report;
    struct bt_err err = BT_ERR_INIT;
    int rc = bt_options_read(&spec, argc, argv, &err);
    if (rc == BT_NOT_FOUND) {
        (void)fputs(command->help, stdout);
        return BT_EXIT_OK;
    }
    if (rc == BT_OK && !dir)
        rc = bt_fail(&err, BT_INVALID, "which directory? baton %s DIRECTORY", command->name);
    if (rc < 0)
        return bt_cli_fail(command->name, &err, BT_EXIT_USAGE);
    if (command->run(dir, data, &report, &err) < 0)
        return bt_cli_fail(command->name, &err, BT_EXIT_FAILED);
    (void)printf("%s: %llu files, %.1f MB\n", command->done, (unsigned long long)report.files,
                 (double)report.bytes / 1e6);
    return BT_EXIT_OK;
}

static int backup(const char *dir, const char *data_dir, struct bt_backup_report *report,
                  struct bt_err *err)
{
    return bt_backup(data_dir, dir, report, err);
}

int bt_cmd_backup(int argc, char **argv)
{
    static const struct command command = {"backup", backup_help, "backed up", backup};
    return run(&command, argc, argv);
}

int bt_cmd_restore(int argc, char **argv)
{
    static const struct command command = {"restore", restore_help, "restored", bt_restore};
    return run(&command, argc, argv);
}

/* cli.c — The command table, help, and the way into a command. */
#include "cli/cli.h"

#include "base/crash.h"
#include "base/own.h"
#include "base/str.h"
#include "cli/text.h"
#include "worker/host/catalog.h"
#include "sys/clock.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

const struct bt_command bt_commands[] = {
    {"run", "Run a flow here and now, and show it", bt_cmd_run},
    {"server", "Serve page and API, and run what is asked for", bt_cmd_server},
    {"flow", "Push, list, show and delete flows of a server", bt_cmd_flow},
    {"exec", "Start, list, watch and kill executions of a server", bt_cmd_exec},
    {"worker", "Run the jobs of a server elsewhere", bt_cmd_worker},
    {"backup", "Copy a data directory, also under a running server", bt_cmd_backup},
    {"restore", "Make a data directory of a backup", bt_cmd_restore},
    {"validate", "Check flows and say all that is wrong", bt_cmd_validate},
    {"expr", "Evaluate an expression", bt_cmd_expr},
    {"plugin", "List, show, make, test and install plugins", bt_cmd_plugin},
    {"completion", "Print completion for bash, zsh or fish", bt_cmd_completion},
    {"version", "Print the version", bt_cmd_version},
    {NULL, NULL, NULL},
};

static void print_help(FILE *out)
{
    (void)fprintf(out, "Baton runs flows: lists of tasks written in YAML.\n\n"
                       "Usage: baton COMMAND [ARGUMENTS]\n\nCommands:\n");
    for (const struct bt_command *command = bt_commands; command->name; command++)
        (void)fprintf(out, "  %-12s %s\n", command->name, command->summary);
    (void)fprintf(out, "\nbaton COMMAND --help tells more. A first flow:\n\n"
                       "  id: hello\n  namespace: demo\n  tasks:\n"
                       "    - id: greet\n      type: log\n      message: Hello\n\n"
                       "  baton run hello.yml\n");
}

int bt_cli_fail(const char *command, const struct bt_err *err, int code)
{
    (void)fflush(stdout);
    (void)fprintf(stderr, "baton %s: ", command);
    bt_text_put_lines(stderr, bt_str_of(err->msg));
    (void)fputc('\n', stderr);
    if (err->hint[0]) {
        (void)fputs("  ", stderr);
        bt_text_put_lines(stderr, bt_str_of(err->hint));
        (void)fputc('\n', stderr);
    }
    return code;
}

bool bt_cli_stop_again(int64_t *first_us)
{
    enum { SAME_WISH_US = 250000 };
    int64_t now_us = bt_clock_mono_us(bt_clock_system());
    if (*first_us == 0) {
        *first_us = now_us;
        return false;
    }
    return now_us - *first_us > SAME_WISH_US;
}

int bt_cmd_version(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        (void)puts("Usage: baton version\n\nPrints the version of this program.");
        return BT_EXIT_OK;
    }
    (void)printf("baton %s\n", BT_VERSION);
    return BT_EXIT_OK;
}

static int unknown_command(const char *name)
{
    const char *names[32];
    size_t count = 0;
    for (const struct bt_command *command = bt_commands; command->name; command++)
        names[count++] = command->name;
    const char *near = bt_str_nearest(bt_str_of(name), names, count);
    (void)fprintf(stderr, "baton: there is no command '%s'\n", name);
    if (near)
        (void)fprintf(stderr, "  did you mean 'baton %s'?\n", near);
    else
        (void)fprintf(stderr, "  'baton --help' lists the commands\n");
    return BT_EXIT_USAGE;
}

/* A standard descriptor that is closed would be given to the next file opened, and what is printed
 * would land in it. */
static void open_standard(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR); /* NOLINT: stays open for the children as well. */
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        (void)close(fd);
}

/* What was printed must have arrived, unless the reader has left (`| head`). */
static int flush_standard(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    if (poll(&out, 1, 0) == 1 && (out.revents & POLLERR))
        return code;
    (void)fprintf(stderr, "baton: cannot write to standard output\n");
    return code == BT_EXIT_OK ? BT_EXIT_FAILED : code;
}

static int run_command(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return BT_EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help(stdout);
        return BT_EXIT_OK;
    }
    bt_catalog_use();
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        return bt_cmd_version(1, argv);
    for (const struct bt_command *command = bt_commands; command->name; command++)
        if (strcmp(name, command->name) == 0)
            return command->run(argc - 1, argv + 1);
    return unknown_command(name);
}

int bt_cli_main(int argc, char **argv)
{
    bt_crash_init();
    open_standard();
    return flush_standard(run_command(argc, argv));
}

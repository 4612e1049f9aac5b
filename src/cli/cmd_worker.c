/* cmd_worker.c — `baton worker`: runs jobs of a server elsewhere, until SIGTERM or SIGINT. */
#include "cli/cli.h"
#include "cli/options.h"

#include "base/limits.h"
#include "base/own.h"
#include "base/str.h"
#include "base/tags.h"
#include "sys/fs.h"
#include "worker/remote/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const char help[] =
    "Usage: baton worker --server ADDR (--token TOKEN | --token-file FILE) [OPTIONS]\n"
    "\n"
    "Connects to a server and runs its jobs until SIGTERM or Ctrl-C; then it takes no more, lets\n"
    "the running ones end within the grace time, and hands the rest back.\n"
    "\n"
    "Options:\n"
    "  -s, --server ADDR      host:port, or unix:/path\n"
    "  -t, --token TOKEN      What the server's DIR/worker.token holds (or BATON_WORKER_TOKEN)\n"
    "      --token-file FILE  Read it from a file\n"
    "  -g, --group NAME       Take the jobs of this worker group (default: those without one)\n"
    "      --tags A,B         Also take jobs that ask for tags, when all are among these\n"
    "  -j, --slots N          Jobs at once (default: 8 per core)\n"
    "      --work DIR         Where working directories are made (default: a temporary one)\n"
    "      --grace SECONDS    How long running jobs may go on at the end (default 30)\n"
    "  -h, --help             Print this\n";

struct options {
    const char *server, *token, *token_file, *group, *tags, *slots, *work, *grace;
    char token_text[256];
    char work_text[64];
    unsigned slot_count, grace_s;
};

static int read_token_file(struct options *options, struct bt_err *err)
{
    BT_FD fd = open(options->token_file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return bt_fail_errno(err, BT_INVALID, errno, "cannot open '%s'", options->token_file);
    ssize_t len = read(fd, options->token_text, sizeof options->token_text - 1);
    options->token_text[len > 0 ? len : 0] = '\0';
    options->token_text[strcspn(options->token_text, "\r\n ")] = '\0';
    options->token = options->token_text;
    return BT_OK;
}

static int check_options(struct options *options, struct bt_err *err)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned default_slots = (unsigned)(cores > 0 ? cores : 1) * 8;
    if (!options->server) {
        (void)bt_fail(err, BT_INVALID, "which server?");
        return bt_hint(err, "baton worker --server host:port --token …");
    }
    if (options->token_file)
        BT_TRY(read_token_file(options, err));
    if (!options->token)
        options->token = getenv("BATON_WORKER_TOKEN");
    if (!options->token || !*options->token) {
        (void)bt_fail(err, BT_INVALID, "which token?");
        return bt_hint(err, "it is in the file worker.token of the server's data directory");
    }
    if (options->group && strlen(options->group) > BT_GROUP_BYTES_MAX)
        return bt_fail(err, BT_INVALID, "the name of a worker group has at most %u bytes",
                       BT_GROUP_BYTES_MAX);
    if (options->tags && !bt_tags_are_valid(bt_str_of(options->tags)))
        return bt_fail(err, BT_INVALID,
                       "--tags: words of letters, digits, '.', '_' and '-', with commas between");
    static const struct bt_number_option grace = {"--grace", 0, 86400, 30};
    const struct bt_number_option slots = {"--slots", 1, 10000, default_slots};
    BT_TRY(bt_option_number(&grace, options->grace, &options->grace_s, err));
    return bt_option_number(&slots, options->slots, &options->slot_count, err);
}

static int read_options(int argc, char **argv, struct options *options, struct bt_err *err)
{
    const struct bt_flag flags[] = {
        {'s', "--server", true, &options->server},
        {'t', "--token", true, &options->token},
        {0, "--token-file", true, &options->token_file},
        {'g', "--group", true, &options->group},
        {0, "--tags", true, &options->tags},
        {'j', "--slots", true, &options->slots},
        {0, "--work", true, &options->work},
        {0, "--grace", true, &options->grace},
    };
    struct bt_options spec = {.command = "worker", .flags = flags, .flag_count = BT_COUNT(flags)};
    BT_TRY(bt_options_read(&spec, argc, argv, err));
    return check_options(options, err);
}

static void note(void *data, const char *text)
{
    (void)data;
    (void)fprintf(stderr, "baton worker: %s\n", text);
}

/* Waits for a signal, or for the client's own end (then *err says why). */
static int wait_for_end(struct bt_client *client, struct bt_err *err)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    const struct timespec tick = {0, 200000000};
    for (;;) {
        if (sigtimedwait(&set, NULL, &tick) > 0)
            return BT_OK;
        if (bt_client_has_ended(client, err))
            return err->code;
    }
}

static int work(struct options *options, struct bt_err *err)
{
    struct bt_client_config config = {.address = options->server,
                                      .token = options->token,
                                      .group = options->group ? options->group : "",
                                      .tags = options->tags,
                                      .work_dir = options->work,
                                      .slots = options->slot_count,
                                      .note = note};
    struct bt_client *client = NULL;
    BT_TRY(bt_client_start(&config, &client, err));
    int rc = wait_for_end(client, err);
    if (rc == BT_OK)
        note(NULL, "draining");
    bt_client_stop(client, rc == BT_OK ? options->grace_s * 1000 : 0);
    return rc;
}

/* A temporary directory for the work, removed afterwards. */
static int work_in_temporary(struct options *options, struct bt_err *err)
{
    const char *base = getenv("TMPDIR");
    char path[4200];
    (void)snprintf(path, sizeof path, "%s/baton-worker-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(path))
        return bt_fail_errno(err, BT_IO, errno, "cannot make a temporary directory '%s'", path);
    options->work = path;
    int rc = work(options, err);
    options->work = NULL;
    char *slash = strrchr(path, '/');
    *slash = '\0';
    BT_FD root = -1;
    if (bt_fs_open_root(path, &root, NULL) == BT_OK)
        (void)bt_fs_remove_tree(root, slash + 1, NULL); /* A leftover there harms nobody. */
    return rc;
}

int bt_cmd_worker(int argc, char **argv)
{
    struct options options = {0};
    struct bt_err err = BT_ERR_INIT;
    int rc = read_options(argc, argv, &options, &err);
    if (rc == BT_NOT_FOUND) {
        (void)fputs(help, stdout);
        return BT_EXIT_OK;
    }
    if (rc < 0)
        return bt_cli_fail("worker", &err, BT_EXIT_USAGE);
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL); /* Cannot fail with these arguments. */
    (void)signal(SIGPIPE, SIG_IGN);
    rc = options.work ? work(&options, &err) : work_in_temporary(&options, &err);
    return rc < 0 ? bt_cli_fail("worker", &err, BT_EXIT_FAILED) : BT_EXIT_OK;
}

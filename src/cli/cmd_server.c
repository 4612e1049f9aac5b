/* cmd_server.c — `baton server`: the engine over a data directory, with a socket for remote workers
 * and one for the command line of this machine. Ends at SIGTERM or SIGINT. */
#include "cli/cli.h"
#include "cli/control.h"
#include "cli/options.h"

#include "base/num.h"
#include "base/own.h"
#include "server/server.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const char help[] =
    "Usage: baton server [OPTIONS]\n"
    "\n"
    "Serves page and API, and runs the engine, until SIGTERM or Ctrl-C. What was unfinished in\n"
    "the data directory goes on. While it runs, 'baton run FLOW.yml --data DIR' hands its flow\n"
    "to the server.\n"
    "\n"
    "Options:\n"
    "  -p, --port N              Where page and API are (default 8080; 0: a free one)\n"
    "      --bind ADDR           On which address (default 127.0.0.1: this machine only). Others\n"
    "                            need the token in DIR/api.token\n"
    "  -d, --data DIR            The data directory (made when missing; default ./baton-data)\n"
    "      --worker-listen ADDR  Where remote workers connect: host:port, :port (loopback) or\n"
    "                            unix:/path (default: unix:DIR/worker.sock)\n"
    "      --no-worker           Run no jobs here: remote workers do\n"
    "  -j, --slots N             Process tasks that run here at once (default: 8 per core)\n"
    "      --heartbeat-ms N      How often remote workers report (default 1000)\n"
    "      --lost-ms N           A silent worker is given up after this time (default 5000)\n"
    "  -h, --help                Print this\n"
    "\n"
    "Remote workers need the token in DIR/worker.token, made at the first start (mode 0600).\n";

struct options {
    const char *data, *listen, *no_worker, *slots, *heartbeat, *lost, *port, *bind;
    unsigned port_number;
};

static int read_options(int argc, char **argv, struct options *options,
                        struct bt_instance_config *config, struct bt_err *err)
{
    const struct bt_flag flags[] = {
        {'p', "--port", true, &options->port},
        {0, "--bind", true, &options->bind},
        {'d', "--data", true, &options->data},
        {0, "--worker-listen", true, &options->listen},
        {0, "--no-worker", false, &options->no_worker},
        {'j', "--slots", true, &options->slots},
        {0, "--heartbeat-ms", true, &options->heartbeat},
        {0, "--lost-ms", true, &options->lost},
    };
    struct bt_options spec = {.command = "server", .flags = flags, .flag_count = BT_COUNT(flags)};
    BT_TRY(bt_options_read(&spec, argc, argv, err));
    if (!options->data)
        options->data = "baton-data";
    if (!options->bind)
        options->bind = "127.0.0.1";
    static const struct bt_number_option port = {"--port", 0, 65535, 8080};
    BT_TRY(bt_option_number(&port, options->port, &options->port_number, err));
    static const struct bt_number_option slots = {"--slots", 1, 10000, 0};
    static const struct bt_number_option heartbeat = {"--heartbeat-ms", 50, 60000, 1000};
    static const struct bt_number_option lost = {"--lost-ms", 200, 600000, 5000};
    BT_TRY(bt_option_number(&slots, options->slots, &config->slots, err));
    BT_TRY(bt_option_number(&heartbeat, options->heartbeat, &config->heartbeat_ms, err));
    BT_TRY(bt_option_number(&lost, options->lost, &config->lost_ms, err));
    if (config->lost_ms < 2 * config->heartbeat_ms)
        return bt_fail(err, BT_INVALID, "--lost-ms must be at least twice --heartbeat-ms");
    config->data_dir = options->data;
    config->has_no_worker = options->no_worker != NULL;
    return BT_OK;
}

static int wait_for_signal(void)
{
    sigset_t set;
    int number = 0;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    while (sigwait(&set, &number) != 0) {
    }
    return number;
}

static void block_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL); /* Cannot fail with these arguments. */
    (void)signal(SIGPIPE, SIG_IGN);
}

/* A limit in seconds that the environment lowers or raises; 0: it does not. */
static unsigned env_seconds(const char *name)
{
    const char *text = getenv(name);
    int64_t seconds;
    return text && bt_parse_i64(bt_str_of(text), &seconds) && seconds > 0 && seconds < 1000000
               ? (unsigned)seconds
               : 0;
}

static int open_http(const struct options *options, struct bt_instance *instance,
                     struct bt_server **ret_server, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf local = BT_BUF_INIT(8192);
    (void)bt_buf_addf(&local, "%s/api.sock", bt_instance_dir(instance)); /* Checked below. */
    struct bt_server_config config = {
        .service = bt_instance_service(instance),
        .bind = options->bind,
        .port = (uint16_t)options->port_number,
        .local_path = bt_buf_cstr(&local),
        .token = bt_instance_api_token(instance),
        .upload_dir = bt_instance_dir(instance), /* The files there have no name. */
        .headers_s = env_seconds("BATON_HTTP_HEADERS_S"),
        .body_s = env_seconds("BATON_HTTP_BODY_S"),
    };
    if (!config.local_path)
        return bt_fail(err, BT_INVALID, "the path of the data directory is too long");
    return bt_server_start(&config, ret_server, err);
}

/* What is tried again: told once for as long as it is the same. From several threads. */
static void on_trouble(void *data, const struct bt_err *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static char last[sizeof err->msg];
    (void)data;
    (void)pthread_mutex_lock(&lock); /* Cannot fail on a default mutex. */
    if (strcmp(last, err->msg) != 0)
        (void)fprintf(stderr, "baton server: %s%s%s\n", err->msg, err->hint[0] ? "; " : "",
                      err->hint);
    (void)snprintf(last, sizeof last, "%s", err->msg); /* As long. */
    (void)pthread_mutex_unlock(&lock);                 /* As above. */
}

static int serve(const struct options *options, struct bt_instance_config *config,
                 struct bt_control *control, struct bt_err *err)
{
    struct bt_instance *instance = NULL;
    struct bt_server *server = NULL;
    config->listener = (struct bt_listener){control, bt_control_changes, on_trouble};
    BT_TRY(bt_instance_open(config, &instance, err));
    size_t unfinished, orphans;
    unsigned wait_ms;
    (void)bt_instance_unfinished(instance, &unfinished);
    orphans = bt_instance_orphans(instance, &wait_ms);
    int rc = bt_instance_start(instance, err);
    if (rc == BT_OK)
        rc = bt_control_start(control, instance, err);
    if (rc == BT_OK)
        rc = open_http(options, instance, &server, err);
    if (rc == BT_OK) {
        (void)printf("baton server: ready at %s over '%s'; workers connect to %s\n",
                     bt_server_address(server), bt_instance_dir(instance),
                     bt_instance_worker_address(instance));
        if (unfinished)
            (void)printf("baton server: %zu unfinished executions go on\n", unfinished);
        if (orphans)
            (void)printf("baton server: %zu jobs may still run on workers of before; those that no "
                         "worker comes back with are given out again after %.1f s\n",
                         orphans, wait_ms / 1000.0);
        (void)fflush(stdout);
        (void)wait_for_signal();
        (void)printf("baton server: stopping\n");
    }
    bt_server_stop(server);
    bt_control_stop(control);
    bt_instance_close(instance, false);
    return rc;
}

int bt_cmd_server(int argc, char **argv)
{
    struct options options = {0};
    struct bt_instance_config config = {0};
    struct bt_err err = BT_ERR_INIT;
    int rc = read_options(argc, argv, &options, &config, &err);
    if (rc == BT_NOT_FOUND) {
        (void)fputs(help, stdout);
        return BT_EXIT_OK;
    }
    if (rc < 0)
        return bt_cli_fail("server", &err, BT_EXIT_USAGE);
    char address[4200];
    (void)snprintf(address, sizeof address, "unix:%s/worker.sock",
                   options.data); /* Cut: refused. */
    config.worker_listen = options.listen ? options.listen : address;
    block_signals();
    struct bt_control *control = bt_control_new();
    if (!control)
        rc = bt_fail_mem(&err, "server");
    else
        rc = serve(&options, &config, control, &err);
    return rc < 0 ? bt_cli_fail("server", &err, BT_EXIT_FAILED) : BT_EXIT_OK;
}

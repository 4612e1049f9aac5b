/* cmd_run.c — `baton run`: a flow runs in this process, over a temporary or a given data directory.
 */
#include "cli/cli.h"

#include "base/limits.h"
#include "base/num.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "cli/control.h"
#include "cli/diags.h"
#include "cli/show.h"
#include "config/instance.h"
#include "value/json.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const char help[] =
    "Usage: baton run FLOW.yml [OPTIONS]\n"
    "       baton run --data DIR\n"
    "\n"
    "Runs a flow here and now; nothing else needs to be installed or running. With --data the\n"
    "state is kept in DIR, and executions that an earlier process left unfinished there go on.\n"
    "\n"
    "Options:\n"
    "  -i, --input NAME=VALUE  Give an input; may be repeated\n"
    "  -f, --file NAME=@PATH   Give a FILE input; may be repeated\n"
    "  -l, --label KEY=VALUE   Label the execution; may be repeated\n"
    "  -d, --data DIR          Keep state in DIR (default: a temporary directory)\n"
    "  -j, --slots N           Process tasks that run at once (default: 8 per core)\n"
    "  -q, --quiet             Print only what fails, the outputs and the end\n"
    "      --json              Print the outputs as one line of JSON, all else to standard error\n"
    "  -h, --help              Print this\n"
    "\n"
    "Exit code: 0 when the execution ends in SUCCESS or WARNING, 1 when it fails or is killed,\n"
    "2 when the flow or an input is wrong. Ctrl-C kills the execution; twice leaves at once.\n";

struct options {
    const char *path;     /* The flow's file, or NULL. */
    struct bt_buf source; /* Its text. */
    const char *data_dir;
    struct bt_value *inputs, *labels; /* Owned maps. */
    BT_VEC(struct bt_input_file) files;
    BT_VEC(char *) owned;
    unsigned slots;
    bool is_quiet, is_json;
};

static void options_done(struct options *options)
{
    bt_buf_done(&options->source);
    bt_value_unref(options->inputs);
    bt_value_unref(options->labels);
    bt_vec_done(&options->files);
    for (size_t i = 0; i < options->owned.count; i++)
        free(options->owned.items[i]);
    bt_vec_done(&options->owned);
}

/* --- The command line ------------------------------------------------------------------------- */

static int split_pair(const char *text, const char *what, struct bt_str *ret_name,
                      const char **ret_value, struct bt_err *err)
{
    assert(text);
    const char *equals = strchr(text, '=');
    if (!equals || equals == text) {
        (void)bt_fail(err, BT_INVALID, "%s '%s' is not NAME=VALUE", what, text);
        return BT_INVALID;
    }
    *ret_name = (struct bt_str){text, (size_t)(equals - text)};
    *ret_value = equals + 1;
    return BT_OK;
}

static int add_file(struct options *options, struct bt_str name, const char *path)
{
    char *copy = bt_str_dup(name);
    if (!copy)
        bt_die("out of memory");
    bt_vec_push(&options->owned, copy);
    bt_vec_push(&options->files, ((struct bt_input_file){copy, *path == '@' ? path + 1 : path, 0}));
    return BT_OK;
}

static int take_pair(struct options *options, char kind, const char *text, struct bt_err *err)
{
    struct bt_str name;
    const char *value;
    BT_TRY(split_pair(text, kind == 'l' ? "the label" : "the input", &name, &value, err));
    if (kind != 'f' && !bt_utf8_is_valid(bt_str_of(text), NULL))
        return bt_fail(err, BT_INVALID, "the %s '%.*s' is not UTF-8",
                       kind == 'l' ? "label" : "input", BT_FMT(name));
    for (size_t i = 0; kind == 'f' && i < options->files.count; i++)
        if (bt_str_is(name, options->files.items[i].input))
            return bt_fail(err, BT_INVALID, "the input '%.*s' is given twice", BT_FMT(name));
    if (kind == 'f')
        return add_file(options, name, value);
    struct bt_value *map = kind == 'l' ? options->labels : options->inputs;
    return bt_map_put(map, name, bt_value_cstr(value)) < 0 ? bt_fail_mem(err, "inputs") : BT_OK;
}

struct flag {
    char letter;
    const char *name;
    bool has_value;
};
static const struct flag flags[] = {
    {'i', "--input", true}, {'f', "--file", true},   {'l', "--label", true}, {'d', "--data", true},
    {'j', "--slots", true}, {'q', "--quiet", false}, {'J', "--json", false}, {'h', "--help", false},
};

static const struct flag *find_flag(const char *text)
{
    for (size_t i = 0; i < BT_COUNT(flags); i++) {
        bool is_short = text[0] == '-' && text[1] == flags[i].letter && !text[2];
        size_t len = strlen(flags[i].name);
        bool is_long = strncmp(text, flags[i].name, len) == 0 && (!text[len] || text[len] == '=');
        if ((is_short && flags[i].letter != 'J') || is_long)
            return &flags[i];
    }
    return NULL;
}

static int take_flag(struct options *options, const struct flag *flag, const char *value,
                     struct bt_err *err)
{
    assert(value || !flag->has_value);
    switch (flag->letter) {
    case 'd':
        if (!value || !*value)
            return bt_fail(err, BT_INVALID, "--data needs a directory");
        options->data_dir = value;
        return BT_OK;
    case 'q': options->is_quiet = true; return BT_OK;
    case 'J': options->is_json = true; return BT_OK;
    case 'j': {
        uint64_t slots;
        if (!bt_parse_u64(bt_str_of(value), &slots) || slots < 1 || slots > 10000)
            return bt_fail(err, BT_INVALID, "--slots must be a number from 1 to 10000");
        options->slots = (unsigned)slots;
        return BT_OK;
    }
    default: return take_pair(options, flag->letter, value, err);
    }
}

/* BT_NOT_FOUND: help was asked for. */
static int parse_options(int argc, char **argv, struct options *options, struct bt_err *err)
{
    for (int i = 1; i < argc; i++) {
        const struct flag *flag = find_flag(argv[i]);
        if (!flag && argv[i][0] == '-' && argv[i][1]) {
            (void)bt_fail(err, BT_INVALID, "unknown option '%s'", argv[i]);
            return bt_hint(err, "'baton run --help' lists the options");
        }
        if (!flag) {
            if (options->path)
                return bt_fail(err, BT_INVALID, "more than one flow: '%s' and '%s'", options->path,
                               argv[i]);
            options->path = argv[i];
            continue;
        }
        const char *equals = argv[i][1] == '-' ? strchr(argv[i], '=') : NULL;
        const char *value = equals ? equals + 1 : NULL;
        if (!flag->has_value && equals)
            return bt_fail(err, BT_INVALID, "%s takes no value", flag->name);
        if (flag->has_value && !value) {
            if (++i == argc)
                return bt_fail(err, BT_INVALID, "%s needs a value", flag->name);
            value = argv[i];
        }
        if (flag->letter == 'h')
            return BT_NOT_FOUND;
        BT_TRY(take_flag(options, flag, value, err));
    }
    if (!options->path && !options->data_dir) {
        (void)bt_fail(err, BT_INVALID, "which flow?");
        return bt_hint(err, "baton run FLOW.yml; 'baton run --help' tells more");
    }
    return BT_OK;
}

/* --- Running ---------------------------------------------------------------------------------- */

/* What the listener tells the main thread. */
struct session {
    struct bt_show *show;
    pthread_mutex_t lock;
    int event_fd;
    uint64_t key;           /* Our execution; 0: none (yet). */
    BT_VEC(uint64_t) open;  /* Executions that have not drained. */
    BT_VEC(uint64_t) ended; /* Drained before their key was known here. */
    enum bt_state state;
    int64_t duration_us;
    struct bt_value *outputs;
    bool has_ended, any_failed;
};

static void close_key(struct session *session, const struct bt_exec *exec)
{
    for (size_t i = 0; i < session->open.count; i++) {
        if (session->open.items[i] != exec->key)
            continue;
        session->open.items[i] = session->open.items[--session->open.count];
        return;
    }
    bt_vec_push(&session->ended, exec->key);
}

/* A subflow is waited for as well, also one that its execution does not wait for. */
static void open_subflow(struct session *session, const struct bt_exec *exec)
{
    for (size_t i = 0; i < session->open.count; i++)
        if (session->open.items[i] == exec->key)
            return;
    bt_vec_push(&session->open, exec->key);
}

static void on_changes(void *data, const struct bt_change *changes, size_t count)
{
    struct session *session = data;
    bt_show_changes(session->show, changes, count);
    bool is_news = false;
    (void)pthread_mutex_lock(&session->lock);
    for (size_t i = 0; i < count; i++) {
        const struct bt_exec *exec = changes[i].exec;
        if (changes[i].kind == BT_CHANGE_EXEC && !exec->is_drained && exec->super.key)
            open_subflow(session, exec);
        if (changes[i].kind != BT_CHANGE_EXEC || !exec->is_drained)
            continue;
        is_news = true;
        close_key(session, exec);
        if (exec->state == BT_FAILED || exec->state == BT_KILLED)
            session->any_failed = true;
        /* Until the key is known this execution is the newest one, so the last word counts. */
        if (session->key == exec->key || (session->key == 0 && !exec->super.key)) {
            session->state = exec->state;
            session->duration_us = bt_histories_duration_us(&exec->histories, 0);
            bt_value_unref(session->outputs);
            session->outputs = bt_value_ref(exec->outputs);
            session->has_ended = true;
        }
    }
    (void)pthread_mutex_unlock(&session->lock);
    uint64_t one = 1;
    if (is_news && write(session->event_fd, &one, sizeof one) < 0) {
        /* The counter is full: the main thread is awake anyway. */
    }
}

static void on_trouble(void *data, const struct bt_err *err)
{
    struct session *session = data;
    bt_show_trouble(session->show, err);
}

static bool is_over(struct session *session)
{
    (void)pthread_mutex_lock(&session->lock);
    bool is_over = session->open.count == 0;
    (void)pthread_mutex_unlock(&session->lock);
    return is_over;
}

/* Kills everything that runs here. Does not wait until that is durable: on a full disk that may be
 * long, and a second Ctrl-C must still be heard. */
static void kill_all(struct session *session, struct bt_service *service)
{
    (void)pthread_mutex_lock(&session->lock);
    BT_VEC(uint64_t) keys = {0};
    for (size_t i = 0; i < session->open.count; i++)
        bt_vec_push(&keys, session->open.items[i]);
    (void)pthread_mutex_unlock(&session->lock);
    for (size_t i = 0; i < keys.count; i++)
        (void)bt_runner_kill(service->runner, keys.items[i], NULL); /* Ended ones are fine. */
    bt_vec_done(&keys);
}

/* Waits for all executions. False: the user wants to leave at once. */
static bool wait_for_end(struct session *session, struct bt_service *service, int signal_fd)
{
    struct pollfd fds[2] = {{session->event_fd, POLLIN, 0}, {signal_fd, POLLIN, 0}};
    int64_t stop_us = 0;
    while (!is_over(session)) {
        int ready = poll(fds, 2, 100);
        if (ready < 0 && errno != EINTR)
            return false;
        uint64_t count;
        if (ready > 0 && (fds[0].revents & POLLIN) &&
            read(session->event_fd, &count, sizeof count) < 0)
            return false;
        struct signalfd_siginfo info;
        if (ready > 0 && (fds[1].revents & POLLIN) &&
            read(signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
            bool is_first = stop_us == 0;
            if (bt_cli_stop_again(&stop_us))
                return false;
            if (!is_first)
                continue;
            bt_show_note(session->show, "killing; again to leave at once");
            kill_all(session, service);
        }
        bt_show_tick(session->show);
    }
    return true;
}

static int read_file(const char *path, struct bt_buf *out, struct bt_err *err)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (!file)
        return bt_fail_errno(err, BT_INVALID, errno, "cannot open '%s'", path);
    int rc = BT_OK;
    size_t got = 1;
    while (rc == BT_OK && got > 0 && out->len <= BT_YAML_BYTES_MAX) {
        rc = bt_buf_reserve(out, 65536);
        if (rc < 0)
            break;
        got = fread(out->at + out->len, 1, 65536, file);
        out->len += got;
    }
    if (rc == BT_OK && ferror(file))
        rc = bt_fail_errno(err, BT_INVALID, errno, "cannot read '%s'", path);
    if (file != stdin)
        (void)fclose(file); /* Only read from. */
    return rc;
}

/* Pushes the flow and starts it. Prints what is wrong; BT_EXIT_OK or an exit code. */
static int start(const struct options *options, struct session *session, struct bt_service *service)
{
    struct bt_principal principal = bt_principal_local();
    struct bt_err err = BT_ERR_INIT;
    struct bt_str source = bt_buf_str(&options->source);
    struct bt_diags diags = BT_DIAGS_INIT;
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    int rc =
        bt_service_put_flow(service, &principal,
                            &(struct bt_flow_push){.source = source, .diags = &diags}, &flow, &err);
    if (diags.count)
        bt_cli_print_diags(stderr, options->path, source, &diags);
    size_t errors = diags.errors;
    bt_diags_done(&diags);
    if (rc < 0)
        return errors ? BT_EXIT_USAGE : bt_cli_fail("run", &err, BT_EXIT_FAILED);
    struct bt_start_request request = {.flow = flow,
                                       .inputs = options->inputs,
                                       .labels = options->labels,
                                       .files = options->files.items,
                                       .file_count = options->files.count};
    struct bt_start_result result;
    rc = bt_service_start(service, &principal, &request, &result, &err);
    if (rc < 0)
        return bt_cli_fail("run", &err, rc == BT_IO ? BT_EXIT_FAILED : BT_EXIT_USAGE);
    (void)pthread_mutex_lock(&session->lock);
    session->key = result.key;
    bool is_known = false;
    for (size_t i = 0; i < session->ended.count; i++)
        is_known = is_known || session->ended.items[i] == result.key;
    if (!is_known)
        bt_vec_push(&session->open, result.key);
    (void)pthread_mutex_unlock(&session->lock);
    return BT_EXIT_OK;
}

static void print_outputs(const struct session *session, bool is_json)
{
    if (bt_value_count(session->outputs) == 0) {
        if (is_json)
            (void)puts("{}");
        return;
    }
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(BT_JSON_BYTES_MAX);
    if (bt_json_write(session->outputs, is_json ? BT_JSON_COMPACT : BT_JSON_PRETTY, &text, NULL) <
        0)
        return;
    if (!is_json)
        (void)fputs("outputs: ", stdout);
    (void)fwrite(text.at, 1, text.len, stdout);
    (void)fputc('\n', stdout);
}

static int report(struct session *session, const struct options *options)
{
    bt_show_end(session->show);
    if (session->key == 0)
        return session->any_failed ? BT_EXIT_FAILED : BT_EXIT_OK;
    char duration[32];
    bool is_good = session->state == BT_SUCCESS || session->state == BT_WARNING;
    print_outputs(session, options->is_json);
    (void)fprintf(options->is_json ? stderr : stdout, "%s in %s\n", bt_state_name(session->state),
                  bt_show_duration(session->duration_us, duration));
    return is_good ? BT_EXIT_OK : BT_EXIT_FAILED;
}

static void take_up_unfinished(struct session *session, const struct bt_instance *instance)
{
    size_t count;
    unsigned wait_ms;
    size_t orphans = bt_instance_orphans(instance, &wait_ms);
    const uint64_t *keys = bt_instance_unfinished(instance, &count);
    for (size_t i = 0; i < count; i++)
        bt_vec_push(&session->open, keys[i]);
    session->any_failed = bt_instance_unreadable(instance) > 0;
    if (count)
        bt_show_note(session->show, "%zu unfinished execution%s go%s on", count,
                     count == 1 ? "" : "s", count == 1 ? "es" : "");
    if (orphans)
        bt_show_note(session->show,
                     "%zu job%s may still run on workers of a server that is gone; given out again "
                     "after %.1f s",
                     orphans, orphans == 1 ? "" : "s", wait_ms / 1000.0);
}

/* A server has the data directory: it runs the flow. */
static int run_on_server(const struct options *options, int signal_fd)
{
    struct bt_control_run run = {.path = options->path,
                                 .source = bt_buf_str(&options->source),
                                 .inputs = options->inputs,
                                 .labels = options->labels,
                                 .files = options->files.items,
                                 .file_count = options->files.count,
                                 .is_quiet = options->is_quiet,
                                 .is_json = options->is_json,
                                 .signal_fd = signal_fd};
    return bt_control_client_run(options->data_dir, &run);
}

static int run(const struct options *options, struct session *session, int signal_fd)
{
    struct bt_err err = BT_ERR_INIT;
    if (options->path && options->data_dir && bt_control_is_there(options->data_dir))
        return run_on_server(options, signal_fd);
    struct bt_instance *instance = NULL;
    struct bt_instance_config config = {.data_dir = options->data_dir,
                                        .slots = options->slots,
                                        .listener = {session, on_changes, on_trouble}};
    if (bt_instance_open(&config, &instance, &err) < 0)
        return bt_cli_fail("run", &err, BT_EXIT_FAILED);
    take_up_unfinished(session, instance);
    int code = BT_EXIT_OK;
    bool is_calm = true;
    if (bt_instance_start(instance, &err) < 0)
        code = bt_cli_fail("run", &err, BT_EXIT_FAILED);
    if (code == BT_EXIT_OK && options->path)
        code = start(options, session, bt_instance_service(instance));
    if (code == BT_EXIT_OK)
        is_calm = wait_for_end(session, bt_instance_service(instance), signal_fd);
    bt_instance_close(instance, true);
    if (!is_calm) {
        bt_show_end(session->show);
        (void)fputs("left before the end\n", stderr);
        return BT_EXIT_FAILED;
    }
    return code == BT_EXIT_OK ? report(session, options) : code;
}

/* SIGINT, SIGTERM and SIGHUP arrive at a descriptor; threads made later inherit the mask. */
static int open_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGHUP); /* The terminal is gone. Under nohup it stays ignored. */
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL); /* Cannot fail with these arguments. */
    (void)signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int bt_cmd_run(int argc, char **argv)
{
    struct options options = {.source = BT_BUF_INIT(BT_YAML_BYTES_MAX + (1u << 20)),
                              .inputs = bt_map_new(0),
                              .labels = bt_map_new(0)};
    struct bt_err err = BT_ERR_INIT;
    if (!options.inputs || !options.labels)
        bt_die("out of memory");
    int rc = parse_options(argc, argv, &options, &err);
    if (rc == BT_OK && options.path) /* Before signals are blocked: it may be a slow pipe. */
        rc = read_file(options.path, &options.source, &err);
    if (rc < 0) {
        options_done(&options);
        if (rc == BT_NOT_FOUND)
            (void)fputs(help, stdout);
        return rc == BT_NOT_FOUND ? BT_EXIT_OK : bt_cli_fail("run", &err, BT_EXIT_USAGE);
    }
    FILE *out = options.is_json ? stderr : stdout;
    const char *term = getenv("TERM");
    bool is_terminal = isatty(fileno(out)) && term && strcmp(term, "dumb") != 0;
    struct bt_show_config show = {.out = out,
                                  .is_terminal = is_terminal,
                                  .has_colour = is_terminal && !getenv("NO_COLOR"),
                                  .is_quiet = options.is_quiet};
    struct session session = {.show = bt_show_new(&show), .event_fd = eventfd(0, EFD_CLOEXEC)};
    (void)pthread_mutex_init(&session.lock, NULL); /* Cannot fail with default attributes. */
    int signal_fd = open_signals();
    int code = BT_EXIT_FAILED;
    if (session.event_fd < 0 || signal_fd < 0) {
        (void)bt_fail_errno(&err, BT_IO, errno, "cannot set up signals");
        (void)bt_cli_fail("run", &err, code);
    } else {
        code = run(&options, &session, signal_fd);
    }
    (void)close(signal_fd);
    (void)close(session.event_fd);
    bt_value_unref(session.outputs);
    bt_vec_done(&session.open);
    bt_vec_done(&session.ended);
    (void)pthread_mutex_destroy(&session.lock);
    bt_show_free(session.show);
    options_done(&options);
    return code;
}

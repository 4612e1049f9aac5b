/* child.c — The life of a host process: loads one plugin, then runs one task after the other until
 * the worker closes the socket. It was forked from the warden and holds nothing of the server. */
#include "worker/host/child.h"

#include "base/limits.h"
#include "base/own.h"
#include "value/json.h"
#include "worker/host/child_int.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct child bt_child = {
    .send_mutex = PTHREAD_MUTEX_INITIALIZER,
    .kill_mutex = PTHREAD_MUTEX_INITIALIZER,
};

/* --- Kill ------------------------------------------------------------------------------------- */

static void on_terminate(int number)
{
    int saved = errno;
    (void)number;
    if (write(bt_child.kill_pipe[1], "k", 1) < 0) /* Full: it was asked already. */
        errno = saved;
    errno = saved;
}

/* Calls kill() while a run is under way. Without one the process ends: nothing else stops it. */
static void kill_run(void)
{
    atomic_store(&bt_child.is_killed, true);
    pthread_mutex_lock(&bt_child.kill_mutex);
    bool is_running = bt_child.run != NULL;
    if (is_running && bt_child.kill)
        bt_child.kill(bt_child.run);
    bool is_deaf = is_running && !bt_child.kill;
    pthread_mutex_unlock(&bt_child.kill_mutex);
    if (is_deaf)
        (void)kill(getpid(), SIGKILL); /* Of ourselves: cannot fail. */
}

static void *watch_kills(void *data)
{
    char byte;
    ssize_t got;
    (void)data;
    while ((got = read(bt_child.kill_pipe[0], &byte, 1)) > 0 || (got < 0 && errno == EINTR))
        if (got > 0)
            kill_run();
    return NULL; /* The plugin closed what is not its own: the worker sees that too. */
}

static bool start_watch(void)
{
    pthread_t thread;
    struct sigaction action = {.sa_handler = on_terminate, .sa_flags = SA_RESTART};
    pthread_attr_t attributes;
    if (pipe2(bt_child.kill_pipe, O_CLOEXEC) < 0 || pthread_attr_init(&attributes) != 0)
        return false;
    (void)pthread_attr_setstacksize(&attributes, 256 << 10); /* A multiple of the page. */
    int rc = pthread_create(&thread, &attributes, watch_kills, NULL);
    (void)pthread_attr_destroy(&attributes); /* Cannot fail. */
    return rc == 0 && sigaction(SIGTERM, &action, NULL) == 0;
}

/* --- Loading ---------------------------------------------------------------------------------- */

/* Tells why the plugin cannot be used; the process ends. */
__attribute__((noreturn, format(printf, 1, 2))) static void refuse(const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* Cut is fine. */
    va_end(args);
    child_text(child_begin("refused"), "error", bt_str_of(text));
    (void)child_end(true); /* Short enough. */
    _exit(1);
}

static void load(const char *name, const char *file)
{
    void *object = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!object)
        refuse("%s", dlerror());
    const struct bt_plugin *(*entry)(void) = NULL;
    void *symbol = dlsym(object, "bt_plugin_entry");
    memcpy(&entry, &symbol, sizeof entry);
    const struct bt_plugin *plugin = entry ? entry() : NULL;
    if (!plugin)
        refuse("it has no function bt_plugin_entry()");
    if (plugin->abi != BT_PLUGIN_ABI)
        refuse("it was built for plugin ABI %u; this Baton has %u", plugin->abi, BT_PLUGIN_ABI);
    if (plugin->size < offsetof(struct bt_plugin, init) || !plugin->name ||
        strcmp(plugin->name, name) != 0)
        refuse("it calls itself '%s'", plugin->name ? plugin->name : "");
    bool has_init = plugin->size >= offsetof(struct bt_plugin, init) + sizeof plugin->init;
    if (has_init && plugin->init && plugin->init(&bt_host_table) != BT_PLUGIN_OK)
        refuse("its init() failed");
    bt_child.plugin = plugin;
}

/* --- Running ---------------------------------------------------------------------------------- */

struct calls {
    int (*run)(const struct bt_host_api *host, struct bt_run *run);
    void (*kill)(struct bt_run *run);
};

static bool find_calls(struct bt_str type, struct bt_str kind, struct calls *ret_calls)
{
    const struct bt_plugin *plugin = bt_child.plugin;
    for (size_t i = 0; plugin->tasks && plugin->tasks[i]; i++) {
        const struct bt_task_def *def = plugin->tasks[i];
        if (!bt_str_is(kind, "task") || !bt_str_is(type, def->type))
            continue;
        *ret_calls = (struct calls){def->run, def->kill};
        return true;
    }
    for (size_t i = 0; plugin->triggers && plugin->triggers[i]; i++) {
        const struct bt_trigger_def *def = plugin->triggers[i];
        if (bt_str_is(kind, "task") || !bt_str_is(type, def->type))
            continue;
        *ret_calls = (struct calls){bt_str_is(kind, "listen") ? def->listen : def->poll, def->kill};
        return true;
    }
    return false;
}

/* Sets a soft limit, 0: none, for this task alone: the one before may have had another. */
static void set_limit(__rlimit_resource_t resource, int64_t value)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) < 0)
        return;
    rlim_t wanted = value > 0 && (rlim_t)value < limit.rlim_max ? (rlim_t)value : limit.rlim_max;
    if (wanted == limit.rlim_cur)
        return;
    limit.rlim_cur = wanted;
    (void)setrlimit(resource, &limit); /* Within the hard one: cannot fail. */
}

/* The limit of time counts from what the process has used so far. */
static void set_limits(const struct bt_value *message)
{
    int64_t memory = bt_value_as_int(bt_map_gets(message, "memoryBytes"));
    int64_t cpu_s = bt_value_as_int(bt_map_gets(message, "cpuSeconds"));
    if (cpu_s > 0) {
        struct rusage usage = {0};
        (void)getrusage(RUSAGE_SELF, &usage); /* A valid argument. */
        cpu_s += usage.ru_utime.tv_sec + usage.ru_stime.tv_sec;
    }
    set_limit(RLIMIT_CPU, cpu_s);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    set_limit(RLIMIT_DATA, memory);
#else
    (void)memory; /* Their shadow memory is larger than any limit. */
#endif
}

/* Where the run works; what the plugin writes to a relative path, or to TMPDIR, lands there. */
static void enter_dir(struct bt_run *run)
{
    run->work_dir = bt_arena_dup(&run->arena, bt_map_str(run->message, "workDir"));
    const char *temporary = getenv("TMPDIR");
    bool is_set = run->work_dir && temporary && strcmp(temporary, run->work_dir) == 0;
    if (!run->work_dir || chdir(run->work_dir) < 0 ||
        (!is_set && setenv("TMPDIR", run->work_dir, 1) < 0))
        refuse("cannot enter the working directory");
}

static void begin_run(struct bt_run *run, void (*kill)(struct bt_run *run))
{
    pthread_mutex_lock(&bt_child.kill_mutex);
    bt_child.run = run;
    bt_child.kill = kill;
    pthread_mutex_unlock(&bt_child.kill_mutex);
}

static void end_run(void)
{
    pthread_mutex_lock(&bt_child.kill_mutex);
    bt_child.run = NULL;
    pthread_mutex_unlock(&bt_child.kill_mutex);
}

/* What the plugin started and left behind is our child: the warden made us a reaper. */
static bool has_children(void)
{
    pid_t pid;
    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
        continue;
    return pid == 0;
}

static int64_t peak_memory(void)
{
    struct rusage usage = {0};
    (void)getrusage(RUSAGE_SELF, &usage); /* A valid argument. */
    return usage.ru_maxrss * INT64_C(1024);
}

static void send_result(struct bt_run *run, int rc)
{
    (void)fflush(NULL); /* Its output belongs to this run. */
    struct bt_buf *out = child_begin("result");
    child_text(out, "state",
               rc == BT_PLUGIN_OK       ? BT_STR("success")
               : rc == BT_PLUGIN_KILLED ? BT_STR("killed")
                                        : BT_STR("failed"));
    if (rc != BT_PLUGIN_OK && run->reason.len > 0)
        child_text(out, "error", bt_buf_str(&run->reason));
    child_key(out, "code");
    (void)bt_buf_add_i64(out, rc); /* Checked in child_end(). */
    child_key(out, "memoryBytes");
    (void)bt_buf_add_i64(out, peak_memory()); /* The same. */
    if (has_children())
        (void)bt_buf_adds(out, ",\"hasChildren\":true"); /* The same. */
    (void)child_end(true);                               /* A reason is short. */
}

static void run_one(struct bt_value *message)
{
    struct bt_run run = {
        .message = message,
        .properties = bt_map_gets(message, "properties"),
        .info = bt_map_gets(message, "info"),
        .state = bt_value_ref(bt_map_gets(message, "state")),
        .reason = BT_BUF_INIT(8192),
    };
    struct calls calls = {0};
    struct bt_str task = bt_map_str(message, "task");
    int rc;
    enter_dir(&run);
    set_limits(message);
    if (find_calls(task, bt_map_str(message, "kind"), &calls) && calls.run) {
        begin_run(&run, calls.kill);
        rc = atomic_load(&bt_child.is_killed) ? BT_PLUGIN_KILLED : calls.run(&bt_host_table, &run);
        end_run();
    } else {
        rc = bt_host_table.fail(&run, "its shared object has no type '%.*s'", BT_FMT(task));
    }
    child_files_end(&run);
    send_result(&run, rc);
    bt_buf_done(&run.reason);
    bt_value_unref(run.state);
    bt_value_unref(run.message);
    bt_arena_done(&run.arena);
}

/* Standard input and output become the socket, and the program takes over. */
static int execute(char **argv)
{
    char *const args[] = {argv[CHILD_ARG_FILE], NULL};
    if (dup2(CHILD_SOCKET, 0) < 0 || dup2(CHILD_SOCKET, 1) < 0)
        return CHILD_EXIT_EXEC;
    (void)close(CHILD_SOCKET); /* It has other numbers now. */
    (void)execv(args[0], args);
    (void)fprintf(stderr, "cannot start '%s': %s\n", args[0], strerror(errno));
    return CHILD_EXIT_EXEC;
}

int bt_host_child(int argc, char **argv)
{
    const char *why = "";
    if (argc != CHILD_ARG_COUNT)
        return 1;
    char name[16];
    (void)snprintf(name, sizeof name, "bt:%s", argv[CHILD_ARG_PLUGIN]);      /* Cut is fine. */
    (void)prctl(PR_SET_NAME, name);                                          /* Cosmetic. */
    unsigned sandbox = (unsigned)strtoul(argv[CHILD_ARG_SANDBOX], NULL, 10); /* Our own digits. */
    if (!child_confine(sandbox, argv[CHILD_ARG_DIR], &why)) {
        (void)fprintf(stderr, "the sandbox that the plugin asks for is not there: %s\n", why);
        return CHILD_EXIT_CONFINE;
    }
    if (argv[CHILD_ARG_EXECUTABLE][0] == '1')
        return execute(argv);
    (void)fcntl(CHILD_SOCKET, F_SETFD, FD_CLOEXEC); /* What the plugin executes must not have it. */
    (void)setvbuf(stdout, NULL, _IOLBF, 0);         /* Lines show as they come. */
    bt_frames_init(&bt_child.frames, false);
    bt_child.out = (struct bt_buf)BT_BUF_INIT(2 * (size_t)BT_HOST_MESSAGE_MAX);
    if (!start_watch())
        return 1;
    load(argv[CHILD_ARG_PLUGIN], argv[CHILD_ARG_FILE]);
    for (;;)
        run_one(child_receive(NULL));
}

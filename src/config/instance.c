/* instance.c — Wiring of the rooms over one data directory. */
#include "config/instance.h"

#include "base/vec.h"
#include "config/environment.h"
#include "config/lease.h"
#include "journal/runner/snapshot.h"
#include "journal/sqlite/sqlite.h"
#include "service/world.h"
#include "store/sqlite/lines.h"
#include "sys/fs.h"
#include "sys/random.h"
#include "worker/host/catalog.h"
#include "worker/hub.h"
#include "worker/remote/listen.h"
#include "worker/worker.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SLOTS_PER_CORE = 8, TOKEN_SIZE = 65 };

struct bt_instance {
    char *dir;
    bool is_temporary;
    int lock_fd;
    bool has_db, has_reader;
    struct bt_db db, reader; /* The reader is for what workers fetch. */
    struct bt_journal *journal, *reader_journal;
    struct bt_snapshot *snapshot;
    struct bt_logs *logs;
    struct bt_files *files;
    struct bt_vault *vault;
    struct bt_server_world *world;
    struct bt_runner *runner;
    struct bt_hub *hub;
    struct bt_member *member; /* The worker of this process. */
    struct bt_worker *worker;
    struct bt_listener *listener;
    struct bt_lease *lease; /* Of remote workers. */
    size_t orphans;         /* Jobs that those of an earlier server may still run. */
    char token[TOKEN_SIZE];
    char api_token[TOKEN_SIZE];
    struct bt_service service;
    struct bt_store *store;
    struct bt_flow_cache *flows;
    struct bt_exec_cache *execs;
    struct bt_bus *bus;
    struct bt_listener listener_out; /* Of who opened it. */
    struct bt_value *envs, *globals;
    BT_VEC(uint64_t) unfinished;
    size_t unreadable;
};

static char *path_join(const char *dir, const char *name)
{
    char *path = NULL;
    return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

/* --- The directory ---------------------------------------------------------------------------- */

static int make_dir(const char *dir, struct bt_err *err)
{
    if (mkdir(dir, 0700) == 0 || errno == EEXIST)
        return BT_OK;
    int why = errno;
    (void)bt_fail_errno(err, BT_IO, why, "cannot make the data directory '%s'", dir);
    if (why == ENOENT)
        (void)bt_hint(err, "make its parent directory first");
    return BT_IO;
}

static int make_temporary(struct bt_instance *self, struct bt_err *err)
{
    const char *base = getenv("TMPDIR");
    self->dir = path_join(base && *base ? base : "/tmp", "baton-XXXXXX");
    if (!self->dir)
        return bt_fail_mem(err, "data directory");
    if (!mkdtemp(self->dir)) {
        (void)bt_fail_errno(err, BT_IO, errno, "cannot make a temporary directory '%s'", self->dir);
        return bt_hint(err, "set TMPDIR to a directory that can be written, or use --data DIR");
    }
    self->is_temporary = true;
    return BT_OK;
}

static int lock_dir(struct bt_instance *self, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf path = BT_BUF_INIT(8192);
    (void)bt_buf_addf(&path, "%s/lock", self->dir);
    const char *name = bt_buf_cstr(&path);
    if (!name)
        return bt_fail(err, BT_INVALID, "the path of the data directory is too long");
    self->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (self->lock_fd < 0) {
        (void)bt_fail_errno(err, BT_IO, errno, "cannot write in the data directory '%s'",
                            self->dir);
        return bt_hint(err, "check its permissions and that the disk is not full");
    }
    if (flock(self->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        char pid[32] = "";
        ssize_t len = pread(self->lock_fd, pid, sizeof pid - 1, 0);
        pid[len > 0 ? len : 0] = '\0';
        (void)bt_fail(err, BT_BUSY,
                      "the data directory '%s' is in use by another Baton (process %s)", self->dir,
                      *pid ? pid : "unknown");
        return bt_hint(err, "wait until it ends, or use another directory with --data");
    }
    char pid[32];
    int len = snprintf(pid, sizeof pid, "%ld", (long)getpid());
    if (ftruncate(self->lock_fd, 0) < 0 || pwrite(self->lock_fd, pid, (size_t)len, 0) != len) {
        (void)bt_fail_errno(err, BT_IO, errno, "cannot write in the data directory '%s'",
                            self->dir);
        return bt_hint(err, "check its permissions and that the disk is not full");
    }
    return BT_OK;
}

/* --- Opening ---------------------------------------------------------------------------------- */

static int open_stores(struct bt_instance *self, struct bt_err *err)
{
    char *db = path_join(self->dir, "baton.db"), *logs = path_join(self->dir, "logs");
    char *storage = path_join(self->dir, "storage");
    int rc = db && logs && storage ? BT_OK : bt_fail_mem(err, "data directory");
    if (rc == BT_OK)
        rc = bt_db_open(db, self->is_temporary ? BT_DB_TEMPORARY : BT_DB_DURABLE, &self->db, err);
    self->has_db = rc == BT_OK;
    if (rc == BT_OK)
        rc = bt_journal_sqlite(&self->db, &self->journal, err);
    if (rc == BT_OK)
        rc = bt_db_open(db, BT_DB_READER, &self->reader, err);
    self->has_reader = rc == BT_OK;
    if (rc == BT_OK)
        rc = bt_journal_sqlite(&self->reader, &self->reader_journal, err);
    if (rc == BT_OK)
        rc = bt_logs_open(logs, !self->is_temporary, &self->logs, err);
    if (rc == BT_OK)
        rc = bt_lines_fill(&self->db, self->logs, err);
    if (rc == BT_OK)
        rc = bt_store_sqlite(db, self->logs, &self->store, err);
    if (rc == BT_OK)
        rc = bt_files_open_local(storage, &self->files, err);
    self->flows = bt_flow_cache_new();
    self->execs = bt_exec_cache_new();
    self->bus = bt_bus_new();
    if (rc == BT_OK && (!self->flows || !self->execs || !self->bus))
        rc = bt_fail_mem(err, "data directory");
    if (rc == BT_OK)
        rc = bt_vault_open(self->is_temporary ? NULL : self->dir, "secret.key", &self->vault, err);
    if (rc == BT_OK)
        rc = bt_server_world_open(db, self->logs, self->vault, &self->world, err);
    if (rc == BT_OK)
        rc = bt_snapshot_new(self->reader_journal, self->files, &self->snapshot, err);
    free(db);
    free(logs);
    free(storage);
    return rc;
}

/* --- The worker of this process, as a member of the hub ----------------------------------------
 */

static void submit_job(void *data, struct bt_job *job)
{
    struct bt_instance *self = data;
    bt_worker_submit(self->worker, job);
}

static void kill_job(void *data, uint64_t token)
{
    struct bt_instance *self = data;
    bt_worker_kill(self->worker, token);
}

static void release_place(void *data, uint64_t place)
{
    struct bt_instance *self = data;
    bt_worker_release(self->worker, place);
}

static void on_logs(void *data, const struct bt_job *job, const struct bt_log_line *lines,
                    size_t count)
{
    struct bt_instance *self = data;
    (void)bt_hub_logs(self->member, job->token, lines, count); /* False: nobody waits for them. */
}

static void on_started(void *data, const struct bt_job *job, int64_t at_us)
{
    struct bt_instance *self = data;
    (void)bt_hub_started(self->member, job->token, at_us); /* As above. */
}

static void on_result(void *data, struct bt_job_result *result)
{
    struct bt_instance *self = data;
    (void)bt_hub_result(self->member, result); /* As above. */
}

static void on_lost(void *data, const struct bt_job *job)
{
    struct bt_instance *self = data;
    bt_hub_give_back(self->member, job->token);
}

/* Given out by an earlier process: a remote worker may still have it. */
static void keep_orphan(void *data, const struct bt_job_row *row, uint32_t attempt)
{
    struct bt_instance *self = data;
    struct bt_job stub = {
        .exec_key = row->exec, .taskrun = row->taskrun, .token = row->token, .attempt = attempt};
    bt_hub_orphan(self->hub, &stub);
    self->orphans++;
}

/* Everybody who wants to know of changes: who opened the instance, and the bus. */
static void on_changes(void *data, const struct bt_change *changes, size_t count)
{
    struct bt_instance *self = data;
    if (self->listener_out.changes)
        self->listener_out.changes(self->listener_out.data, changes, count);
    for (size_t i = 0; i < count; i++)
        if (changes[i].kind != BT_CHANGE_LOG)
            bt_exec_cache_drop(
                self->execs,
                &(struct bt_exec_name){changes[i].exec->tenant, bt_id_str(&changes[i].exec->id)});
    bt_bus_publish(self->bus, changes, count);
}

static void on_trouble(void *data, const struct bt_err *err)
{
    struct bt_instance *self = data;
    self->listener_out.trouble(self->listener_out.data, err);
}

static int open_runner(struct bt_instance *self, const struct bt_instance_config *config,
                       struct bt_err *err)
{
    struct bt_runner_config runner = {
        .journal = self->journal,
        .logs = self->logs,
        .files = self->files,
        .clock = bt_clock_system(),
        .seed = bt_random_u64(),
        .dispatcher = {.submit = bt_hub_submit, .kill = bt_hub_kill, .release = bt_hub_release},
        .listener = {self, on_changes, config->listener.trouble ? on_trouble : NULL},
        .envs = self->envs,
        .globals = self->globals,
    };
    if (bt_lease_ms(self->lease)) {
        runner.dispatcher.orphan = keep_orphan;
        runner.dispatcher.orphan_data = self;
    }
    struct bt_hub_config hub = {.lost = bt_runner_lost};
    self->hub = bt_hub_new(&hub);
    if (!self->hub)
        return bt_fail_mem(err, "workers");
    runner.dispatcher.data = self->hub;
    BT_TRY(bt_runner_new(&runner, &self->runner, err));
    bt_hub_set_sink(self->hub,
                    &(struct bt_worker_sink){self->runner, bt_runner_logs, bt_runner_started,
                                             bt_runner_result, NULL, NULL});
    self->service = (struct bt_service){.runner = self->runner,
                                        .files = self->files,
                                        .store = self->store,
                                        .flows = self->flows,
                                        .execs = self->execs,
                                        .bus = self->bus,
                                        .world = self->world,
                                        .vault = self->vault};
    return bt_runner_recover(self->runner, err);
}

static int keep_key(void *data, uint64_t key)
{
    struct bt_instance *self = data;
    bt_vec_push(&self->unfinished, key);
    return BT_OK;
}

/* An execution that cannot be read is told, and nobody waits for it. */
static int check_unfinished(struct bt_instance *self, const struct bt_instance_config *config,
                            struct bt_err *err)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->unfinished.count; i++) {
        uint64_t key = self->unfinished.items[i];
        BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
        BT_VALUE source = NULL;
        int rc = self->journal->ops->exec(self->journal, key, &exec, err);
        if (rc == BT_OK)
            rc = self->journal->ops->flow(self->journal, exec->tenant, exec->namespace,
                                          exec->flow_id, &(uint32_t){exec->revision}, &source, err);
        if (rc == BT_OK)
            self->unfinished.items[kept++] = key;
        else if (rc != BT_CORRUPT && rc != BT_NOT_FOUND)
            return rc;
        else if (config->listener.trouble)
            config->listener.trouble(config->listener.data, err);
    }
    self->unreadable = self->unfinished.count - kept;
    self->unfinished.count = kept;
    return BT_OK;
}

static int open_worker(struct bt_instance *self, const struct bt_instance_config *config,
                       struct bt_err *err)
{
    char *work = path_join(self->dir, "work");
    if (!work)
        return bt_fail_mem(err, "worker");
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct bt_worker_config worker = {
        .slots = config->slots ? config->slots : (unsigned)(cores > 0 ? cores : 1) * SLOTS_PER_CORE,
        .work_dir = work,
        .files = self->files,
        .world = bt_server_world(self->world),
        .clock = bt_clock_system(),
        .sink = {self, on_logs, on_started, on_result, NULL, on_lost},
        .fetcher = {self->snapshot, bt_snapshot_fetch},
    };
    static const struct bt_member_ops ops = {submit_job, kill_job, release_place};
    int rc = bt_worker_start(&worker, &self->worker, err);
    free(work);
    if (rc < 0)
        return rc;
    const struct bt_member_kind kind = {"", "", worker.slots};
    self->member = bt_hub_join(self->hub, &kind, &ops, self);
    if (!self->member)
        return bt_fail_mem(err, "worker");
    bt_hub_away(self->member, false);
    return BT_OK;
}

static int open_all(struct bt_instance *self, const struct bt_instance_config *config,
                    struct bt_err *err)
{
    if (config->data_dir) {
        self->dir = bt_str_dup(bt_str_of(config->data_dir));
        if (!self->dir)
            return bt_fail_mem(err, "data directory");
        BT_TRY(make_dir(self->dir, err));
    } else {
        BT_TRY(make_temporary(self, err));
    }
    BT_TRY(lock_dir(self, err));
    char *plugins = path_join(self->dir, "plugins");
    if (plugins)
        bt_catalog_add(plugins);
    free(plugins);
    BT_TRY(bt_lease_open(self->dir, &self->lease, err));
    BT_TRY(open_stores(self, err));
    BT_TRY(bt_environment_envs(&self->envs, err));
    BT_TRY(bt_environment_globals(&self->globals, err));
    assert(self->journal);
    BT_TRY(self->journal->ops->live(self->journal, keep_key, self, err));
    BT_TRY(check_unfinished(self, config, err));
    return open_runner(self, config, err);
}

/* --- Remote workers -----------------------------------------------------------------------------
 */

/* The token in a file of the directory, made at the first start. */
static int read_token(struct bt_instance *self, const char *name, char token[TOKEN_SIZE],
                      struct bt_err *err)
{
    BT_FD dir = -1, fd = -1;
    BT_TRY(bt_fs_open_root(self->dir, &dir, err));
    int rc = bt_fs_open(dir, name, O_RDONLY, &fd, err);
    if (rc == BT_OK) {
        ssize_t len = read(fd, token, TOKEN_SIZE - 1);
        token[len > 0 ? len : 0] = '\0';
        token[strcspn(token, "\r\n ")] = '\0';
        return strlen(token) >= 16
                   ? BT_OK
                   : bt_fail(err, BT_INVALID, "'%s/%s' holds no token of at least 16 characters",
                             self->dir, name);
    }
    if (rc != BT_NOT_FOUND)
        return rc;
    (void)snprintf(token, TOKEN_SIZE, "%016llx%016llx", (unsigned long long)bt_random_u64(),
                   (unsigned long long)bt_random_u64());
    BT_TRY(bt_fs_open(dir, name, O_WRONLY | O_CREAT | O_EXCL, &fd, err));
    BT_TRY(bt_fs_write(fd, token, strlen(token), err));
    return bt_fs_write(fd, "\n", 1, err);
}

static int hold_lease(void *data, unsigned ms, struct bt_err *err)
{
    struct bt_instance *self = data;
    int rc = bt_lease_hold(self->lease, ms, err);
    if (rc < 0)
        (void)bt_err_prefix(err, "a worker has to wait until worker.lease can be written");
    if (rc < 0 && self->listener_out.trouble)
        self->listener_out.trouble(self->listener_out.data, err); /* The worker comes again. */
    return rc;
}

static void drop_lease(void *data)
{
    struct bt_instance *self = data;
    bt_lease_drop(self->lease);
}

static int open_listener(struct bt_instance *self, const struct bt_instance_config *config,
                         struct bt_err *err)
{
    BT_TRY(read_token(self, "worker.token", self->token, err));
    BT_TRY(read_token(self, "api.token", self->api_token, err));
    struct bt_listener_config listener = {
        .hub = self->hub,
        .files = self->files,
        .world = bt_server_world(self->world),
        .address = config->worker_listen,
        .fetcher = {self->snapshot, bt_snapshot_fetch},
        .token = self->token,
        .heartbeat_ms = config->heartbeat_ms,
        .lost_ms = config->lost_ms,
        .orphan_ms = bt_lease_ms(self->lease),
        .hold_lease = hold_lease,
        .drop_lease = drop_lease,
        .data = self,
    };
    return bt_listener_start(&listener, &self->listener, err);
}

int bt_instance_open(const struct bt_instance_config *config, struct bt_instance **ret_instance,
                     struct bt_err *err)
{
    struct bt_instance *self = calloc(1, sizeof *self);
    if (!self)
        return bt_fail_mem(err, "Baton");
    self->lock_fd = -1;
    self->listener_out = config->listener;
    int rc = open_all(self, config, err);
    if (rc == BT_OK && !config->has_no_worker)
        rc = open_worker(self, config, err);
    if (rc == BT_OK && config->worker_listen)
        rc = open_listener(self, config, err);
    else if (rc == BT_OK && bt_lease_ms(self->lease))
        rc = bt_lease_wait(self->lease, self->hub, err);
    if (rc < 0) {
        bt_instance_close(self, true);
        return rc;
    }
    *ret_instance = self;
    return BT_OK;
}

int bt_instance_start(struct bt_instance *self, struct bt_err *err)
{
    return bt_runner_start(self->runner, err);
}

struct bt_service *bt_instance_service(struct bt_instance *self)
{
    return &self->service;
}

const uint64_t *bt_instance_unfinished(const struct bt_instance *self, size_t *ret_count)
{
    *ret_count = self->unfinished.count;
    return self->unfinished.items;
}

size_t bt_instance_unreadable(const struct bt_instance *self)
{
    return self->unreadable;
}

size_t bt_instance_orphans(const struct bt_instance *self, unsigned *ret_wait_ms)
{
    *ret_wait_ms = bt_lease_ms(self->lease);
    return self->orphans;
}

const char *bt_instance_dir(const struct bt_instance *self)
{
    return self->dir;
}

const char *bt_instance_worker_address(const struct bt_instance *self)
{
    return self->listener ? bt_listener_address(self->listener) : NULL;
}

const char *bt_instance_api_token(const struct bt_instance *self)
{
    return self->api_token;
}

const char *bt_instance_worker_token(const struct bt_instance *self)
{
    return self->token;
}

/* A leftover in the temporary directory harms nobody, so errors are not told. */
static void remove_temporary(const char *dir)
{
    const char *slash = strrchr(dir, '/');
    char *parent = slash ? bt_str_dup((struct bt_str){dir, (size_t)(slash - dir)}) : NULL;
    BT_FD root = -1;
    if (parent && *parent && bt_fs_open_root(parent, &root, NULL) == BT_OK)
        (void)bt_fs_remove_tree(root, slash + 1, NULL);
    free(parent);
}

struct bt_instance *bt_instance_close(struct bt_instance *self, bool is_now)
{
    if (!self)
        return NULL;
    if (self->hub)
        bt_hub_close(self->hub); /* What runs now is taken up again at the next start. */
    bt_listener_stop(self->listener);
    bt_lease_close(self->lease);
    bt_worker_stop(self->worker, is_now);
    if (self->member)
        bt_hub_leave(self->member);
    bt_member_free(self->member);
    bt_runner_free(self->runner);
    bt_hub_free(self->hub);
    if (self->store)
        self->store->ops->close(self->store);
    bt_flow_cache_free(self->flows);
    bt_exec_cache_free(self->execs);
    bt_bus_free(self->bus);
    bt_snapshot_free(self->snapshot);
    if (self->reader_journal)
        self->reader_journal->ops->close(self->reader_journal);
    if (self->has_reader)
        bt_db_close(&self->reader);
    if (self->journal)
        self->journal->ops->close(self->journal);
    bt_server_world_close(self->world);
    bt_vault_close(self->vault);
    bt_logs_close(self->logs);
    bt_files_close(self->files);
    if (self->has_db)
        bt_db_close(&self->db);
    bt_value_unref(self->envs);
    bt_value_unref(self->globals);
    bt_vec_done(&self->unfinished);
    if (self->lock_fd >= 0)
        (void)close(self->lock_fd);
    if (self->is_temporary)
        remove_temporary(self->dir);
    free(self->dir);
    free(self);
    return NULL;
}

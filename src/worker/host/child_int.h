/* child_int.h — Inside a host process: shared by the child_*.c files. Nothing of the worker's side
 * is known here but the messages. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "value/value.h"
#include "worker/host/frame.h"

#include <baton/plugin.h>

#include <pthread.h>
#include <stdatomic.h>

enum { CHILD_SOCKET = 3 };

struct bt_run {
    struct bt_arena arena;                    /* Texts that the plugin was given. */
    struct bt_value *message;                 /* Owned: the whole order. */
    const struct bt_value *properties, *info; /* Borrowed from it. */
    const char *work_dir;                     /* In the arena. */
    struct bt_buf reason;                     /* Of fail(). */
    struct bt_value *state;                   /* Owned: the trigger's own state, or NULL. */
    uint32_t file_count;                      /* Names of files being made. */
    struct bt_reader *readers; /* Open ones, closed at the end whatever the plugin did. */
    struct bt_writer *writers;
};

struct child {
    const struct bt_plugin *plugin;
    struct bt_frames frames;
    pthread_mutex_t send_mutex; /* Guards `out` and the socket's sending side. */
    struct bt_buf out;
    pthread_mutex_t kill_mutex; /* Guards what follows: kill() runs on another thread. */
    struct bt_run *run;         /* Under way, or NULL. */
    void (*kill)(struct bt_run *run);
    int kill_pipe[2];
    atomic_bool is_killed;
};

extern struct child bt_child;
extern const struct bt_host_api bt_host_table;

/* --- child_wire.c: messages ------------------------------------------------------------------- */

/* Begins a message: {"type":"TYPE". Takes the mutex; end with child_end() or child_end_flush(). */
struct bt_buf *child_begin(const char *type);
void child_key(struct bt_buf *out, const char *key);                      /* ,"key": */
void child_text(struct bt_buf *out, const char *key, struct bt_str text); /* Cleans it. */
/* BT_PLUGIN_OK or BT_PLUGIN_LIMIT: then nothing of the message is sent. */
int child_end(bool is_flush);
/* Waits for the next message; *ret_fd (may be NULL) is a descriptor that came with it, or -1. The
 * process ends when the worker is gone. */
struct bt_value *child_receive(int *ret_fd);
/* The answer to a question that was just sent: BT_PLUGIN_OK, or the code that it names. Owned. */
int child_ask(struct bt_run *run, struct bt_value **ret_reply, int *ret_fd);

/* --- child_*.c: the table --------------------------------------------------------------------- */

struct bt_text child_prop_json(struct bt_run *run, const char *path);
struct bt_text child_prop_text(struct bt_run *run, const char *path);
int64_t child_prop_int(struct bt_run *run, const char *path, int64_t absent);
double child_prop_double(struct bt_run *run, const char *path, double absent);
int child_prop_bool(struct bt_run *run, const char *path, int absent);
int64_t child_prop_duration_us(struct bt_run *run, const char *path, int64_t absent);
size_t child_prop_count(struct bt_run *run, const char *path);
int child_prop_at(struct bt_run *run, const char *path, size_t index, struct bt_text *ret_key,
                  struct bt_text *ret_json);
struct bt_text child_info(struct bt_run *run, const char *name);
const char *child_work_dir(struct bt_run *run);
/* The JSON text of a value in the run's arena; absent and null: {NULL, 0}. */
struct bt_text child_json_of(struct bt_run *run, const struct bt_value *value);

int child_file_open(struct bt_run *run, const char *uri, struct bt_reader **ret_reader);
ptrdiff_t child_file_read(struct bt_reader *reader, void *at, size_t len);
int64_t child_file_size(struct bt_reader *reader);
void child_file_close(struct bt_reader *reader);
int child_file_create(struct bt_run *run, const char *name, struct bt_writer **ret_writer);
int child_file_write(struct bt_writer *writer, const void *at, size_t len);
int child_file_commit(struct bt_writer *writer, struct bt_text *ret_uri);
void child_file_abort(struct bt_writer *writer);
int child_row_next(struct bt_reader *reader, struct bt_text *ret_json);
int child_row_add(struct bt_writer *writer, const char *json, size_t len);
void child_files_end(struct bt_run *run); /* Closes what the plugin left open. */

/* --- child_sandbox.c -------------------------------------------------------------------------- */

/* No new privileges, and what `sandbox` (enum bt_sandbox) asks for; `write_dir` is what alone may
 * be written with "files". False: the kernel cannot do it; *ret_why says what is missing. */
bool child_confine(unsigned sandbox, const char *write_dir, const char **ret_why);
/* child_seccomp.c: the part "syscalls". */
bool child_deny_syscalls(void);

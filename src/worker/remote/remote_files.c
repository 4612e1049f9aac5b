/* remote_files.c — Files over the worker protocol. Streams; never holds a file in memory. */
#include "worker/remote/remote_files.h"

#include "base/limits.h"
#include "files/backend.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "worker/remote/address.h"
#include "worker/remote/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRANSFER_MS_MAX = 60000, PATIENCE_MS = 10000, PAUSE_MS = 100, BLOCK_BYTES = 256 << 10 };

struct remote_files {
    struct bt_files base;
    char *address, *token, *temp_dir;
};

struct remote_writer {
    struct bt_file_writer base;
    int fd; /* Unlinked. */
    char tenant[64];
    char *uri;
};

static struct remote_files *remote(struct bt_files *files)
{
    return BT_CONTAINER(files, struct remote_files, base);
}

/* --- Requests ----------------------------------------------------------------------------------
 */

/* One request and its answer, on a connection of its own. */
struct exchange {
    enum bt_frame_type type;
    const struct bt_value *request; /* Borrowed. */
    int from;                       /* A file to send, or -1. */
    int to;                         /* Where the file that comes goes, or -1. */
    struct bt_value *answer;        /* Owned: the last message, after success. */
    bool is_answered;               /* The server has spoken; else it may be asked again. */
};

/* Turns a FAILED frame into the error that the server had. */
static int failed(const struct bt_frame *frame, struct bt_err *err)
{
    BT_VALUE map = NULL;
    BT_TRY(bt_frame_value(frame, &map, err));
    if (frame->type == BT_FRAME_REFUSED)
        return bt_fail(err, BT_DENIED, "%.*s", BT_FMT(bt_map_str(map, "message")));
    int64_t code = bt_value_as_int(bt_map_gets(map, "code"));
    int rc = code < 0 && code >= BT_UNAVAILABLE ? (int)code : BT_IO;
    (void)bt_fail(err, (enum bt_code)rc, "%.*s", BT_FMT(bt_map_str(map, "message")));
    struct bt_str hint = bt_map_str(map, "hint");
    if (hint.len)
        (void)bt_hint(err, "%.*s", BT_FMT(hint));
    return rc;
}

static int say_hello(struct remote_files *files, int fd, struct bt_buf *buf,
                     struct exchange *exchange, struct bt_err *err)
{
    BT_VALUE hello = bt_map_new(3);
    struct bt_frame frame;
    int rc = bt_map_puts(hello, "v", bt_value_int(BT_REMOTE_VERSION));
    rc |= bt_map_puts(hello, "token", bt_value_cstr(files->token));
    rc |= bt_map_puts(hello, "role", bt_value_cstr("files"));
    if (rc < 0)
        return bt_fail_mem(err, "file transfer");
    BT_TRY(bt_frame_send(fd, BT_FRAME_HELLO, hello, err));
    BT_TRY(bt_frame_receive(fd, buf, &frame, err));
    exchange->is_answered = frame.type == BT_FRAME_REFUSED;
    return frame.type == BT_FRAME_WELCOME ? BT_OK : failed(&frame, err);
}

static int send_file(int fd, int from, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf block = BT_BUF_INIT(BLOCK_BYTES);
    ssize_t got;
    if (bt_buf_reserve(&block, BLOCK_BYTES) < 0)
        return bt_fail_mem(err, "file transfer");
    while ((got = read(from, block.at, BLOCK_BYTES)) > 0) {
        BT_TRY(bt_files_go_on(err));
        BT_TRY(bt_frame_send_bytes(fd, (struct bt_str){block.at, (size_t)got}, err));
    }
    if (got < 0)
        return bt_fail_errno(err, BT_IO, errno, "cannot read a file");
    return bt_frame_send(fd, BT_FRAME_FILE_END, NULL, err);
}

/* Takes what comes until the last message. */
static int receive(int fd, struct bt_buf *buf, struct exchange *exchange, struct bt_err *err)
{
    struct bt_frame frame;
    for (;;) {
        BT_TRY(bt_frame_receive(fd, buf, &frame, err));
        if (frame.type != BT_FRAME_FILE_DATA || exchange->to < 0)
            break;
        BT_TRY(bt_files_go_on(err));
        BT_TRY(bt_fs_write(exchange->to, frame.payload.at, frame.payload.len, err));
    }
    exchange->is_answered = true;
    return frame.type == BT_FRAME_FILE_END ? bt_frame_value(&frame, &exchange->answer, err)
                                           : failed(&frame, err);
}

static int try_once(struct remote_files *files, struct exchange *exchange, struct bt_err *err)
{
    BT_FD fd = -1;
    BT_CLEANUP(bt_buf_done) struct bt_buf buf = BT_BUF_INIT(BT_FRAME_BYTES_MAX + 64);
    BT_TRY(bt_address_connect(files->address, TRANSFER_MS_MAX, &fd, err));
    BT_TRY(say_hello(files, fd, &buf, exchange, err));
    BT_TRY(bt_frame_send(fd, exchange->type, exchange->request, err));
    if (exchange->from >= 0)
        BT_TRY(send_file(fd, exchange->from, err));
    return receive(fd, &buf, exchange, err);
}

/* A server that is away for a moment, or busy with other transfers, does not fail a task. */
static int ask(struct bt_files *files, struct exchange *exchange, struct bt_err *err)
{
    int64_t until_us = bt_clock_mono_us(bt_clock_system()) + (int64_t)PATIENCE_MS * 1000;
    off_t start = exchange->from >= 0 ? lseek(exchange->from, 0, SEEK_CUR) : 0;
    for (;;) {
        int rc = try_once(remote(files), exchange, err);
        if (rc == BT_OK || exchange->is_answered || bt_files_go_on(NULL) < 0 ||
            bt_clock_mono_us(bt_clock_system()) > until_us)
            return rc;
        (void)poll(NULL, 0, PAUSE_MS);
        if (exchange->from >= 0 && lseek(exchange->from, start, SEEK_SET) < 0)
            return rc;
        if (exchange->to >= 0 &&
            (ftruncate(exchange->to, 0) < 0 || lseek(exchange->to, 0, SEEK_SET) < 0))
            return rc;
    }
}

struct target {
    const char *tenant;
    struct bt_str uri;
};

/* A request about one file. */
static int ask_file(struct bt_files *files, struct target target, struct exchange *exchange,
                    struct bt_err *err)
{
    BT_VALUE names = bt_map_new(2);
    if (bt_map_puts(names, "tenant", bt_value_cstr(target.tenant)) < 0 ||
        bt_map_puts(names, "uri", bt_value_string(target.uri)) < 0)
        return bt_fail_mem(err, "file transfer");
    exchange->request = names; /* For the time of the call. */
    return ask(files, exchange, err);
}

static int temp_file(struct bt_files *files, int *ret_fd, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf path = BT_BUF_INIT(8192);
    (void)bt_buf_addf(&path, "%s/file-XXXXXX", remote(files)->temp_dir);
    if (!bt_buf_cstr(&path))
        return bt_fail_mem(err, "file transfer");
    int fd = mkostemp(path.at, O_CLOEXEC);
    if (fd < 0)
        return bt_fs_fail(err, errno, "cannot make a file in", remote(files)->temp_dir);
    (void)unlink(path.at); /* It lives as long as its descriptor. */
    *ret_fd = fd;
    return BT_OK;
}

/* --- Reading -----------------------------------------------------------------------------------
 */

static int open_file(struct bt_files *files, const char *tenant, struct bt_str uri, int *ret_fd,
                     struct bt_err *err)
{
    BT_FD to = -1;
    BT_TRY(temp_file(files, &to, err));
    struct exchange exchange = {.type = BT_FRAME_FILE_GET, .from = -1, .to = to};
    int rc = ask_file(files, (struct target){tenant, uri}, &exchange, err);
    bt_value_unref(exchange.answer);
    BT_TRY(rc);
    if (lseek(to, 0, SEEK_SET) < 0)
        return bt_fail_errno(err, BT_IO, errno, "cannot read a file");
    *ret_fd = bt_fd_take(&to);
    return BT_OK;
}

static int file_size(struct bt_files *files, const char *tenant, struct bt_str uri,
                     int64_t *ret_size_bytes, struct bt_err *err)
{
    struct exchange exchange = {.type = BT_FRAME_FILE_SIZE, .from = -1, .to = -1};
    BT_TRY(ask_file(files, (struct target){tenant, uri}, &exchange, err));
    *ret_size_bytes = bt_value_as_int(bt_map_gets(exchange.answer, "size"));
    bt_value_unref(exchange.answer);
    return BT_OK;
}

static int file_stat(struct bt_files *files, const char *tenant, struct bt_str uri,
                     struct bt_file_info *ret_info, struct bt_err *err)
{
    struct exchange exchange = {.type = BT_FRAME_FILE_STAT, .from = -1, .to = -1};
    BT_TRY(ask_file(files, (struct target){tenant, uri}, &exchange, err));
    BT_VALUE answer = exchange.answer;
    *ret_info = (struct bt_file_info){
        .is_folder = bt_value_as_bool(bt_map_gets(answer, "folder")),
        .size_bytes = bt_value_as_int(bt_map_gets(answer, "size")),
        .modified_us = bt_value_as_int(bt_map_gets(answer, "modified")),
        .created_us = bt_value_as_int(bt_map_gets(answer, "created")),
    };
    return BT_OK;
}

static struct bt_value *fetch_value(const struct bt_fetch_request *request)
{
    const struct bt_job *job = request->job;
    struct bt_value *path = (struct bt_value *)(uintptr_t)request->path; /* Only counted. */
    BT_VALUE map = bt_map_new(7);
    int rc = bt_map_puts(map, "tenant", bt_value_cstr(job->tenant));
    rc |= bt_map_puts(map, "execution", bt_value_cstr(job->exec_id));
    rc |= bt_map_puts(map, "ends", bt_value_int(job->as_of.ends));
    rc |= bt_map_puts(map, "nextN", bt_value_int(job->as_of.next_n));
    rc |= bt_map_puts(map, "nowUs", bt_value_int(job->now_us));
    rc |= bt_map_puts(map, "path", bt_value_ref(path));
    rc |= bt_map_puts(map, "whole", bt_value_bool(request->is_whole));
    return rc < 0 ? NULL : BT_TAKE(map);
}

int bt_files_remote_fetch(void *files, const struct bt_fetch_request *request,
                          struct bt_value **ret_value, struct bt_err *err)
{
    BT_VALUE message = fetch_value(request);
    if (!message)
        return bt_fail_mem(err, "outputs");
    struct exchange exchange = {.type = BT_FRAME_FETCH, .request = message, .from = -1, .to = -1};
    BT_TRY(ask(files, &exchange, err));
    *ret_value = bt_value_ref(bt_map_gets(exchange.answer, "value"));
    bt_value_unref(exchange.answer);
    return BT_OK;
}

/* --- Writing -----------------------------------------------------------------------------------
 */

static int put_fd(struct bt_files *files, const char *tenant, struct bt_str uri, int from,
                  struct bt_err *err)
{
    struct exchange exchange = {.type = BT_FRAME_FILE_PUT, .from = from, .to = -1};
    int rc = ask_file(files, (struct target){tenant, uri}, &exchange, err);
    bt_value_unref(exchange.answer);
    return rc;
}

static void writer_free(struct remote_writer *writer)
{
    bt_fd_close(&writer->fd);
    free(writer->uri);
    free(writer);
}

static int create(struct bt_files *files, const char *tenant, struct bt_str uri,
                  struct bt_file_writer **ret_writer, struct bt_err *err)
{
    struct bt_str path;
    BT_TRY(bt_files_path(uri, &path, err));
    struct remote_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return bt_fail_mem(err, "file");
    writer->base.files = files;
    writer->fd = -1;
    (void)snprintf(writer->tenant, sizeof writer->tenant, "%s", tenant); /* Tenants are short. */
    writer->uri = bt_str_dup(uri);
    int rc = writer->uri ? temp_file(files, &writer->fd, err) : bt_fail_mem(err, "file");
    if (rc < 0) {
        writer_free(writer);
        return rc;
    }
    *ret_writer = &writer->base;
    return BT_OK;
}

static struct remote_writer *own(struct bt_file_writer *writer)
{
    return BT_CONTAINER(writer, struct remote_writer, base);
}

static int write_bytes(struct bt_file_writer *writer, const void *at, size_t len,
                       struct bt_err *err)
{
    return bt_fs_write(own(writer)->fd, at, len, err);
}

static int commit(struct bt_file_writer *writer, struct bt_err *err)
{
    struct remote_writer *self = own(writer);
    int rc = lseek(self->fd, 0, SEEK_SET) == 0
                 ? put_fd(writer->files, self->tenant, bt_str_of(self->uri), self->fd, err)
                 : bt_fail_errno(err, BT_IO, errno, "cannot read a file");
    writer_free(self);
    return rc;
}

static void abort_writer(struct bt_file_writer *writer)
{
    writer_free(own(writer));
}

/* --- Questions of expressions ------------------------------------------------------------------
 */

static int ask_world(void *data, const struct bt_question *question, struct bt_value **ret_value,
                     struct bt_err *err)
{
    BT_VALUE message = bt_map_new(5);
    int rc = bt_map_puts(message, "tenant", bt_value_cstr(question->tenant));
    rc |= bt_map_puts(message, "namespace", bt_value_cstr(question->namespace));
    rc |= bt_map_puts(message, "execution", bt_value_cstr(question->exec_id));
    rc |= bt_map_puts(message, "function", bt_value_cstr(question->function));
    rc |= bt_map_puts(message, "args", bt_value_ref(question->args));
    if (rc < 0)
        return bt_fail_mem(err, question->function);
    struct exchange exchange = {.type = BT_FRAME_ASK, .request = message, .from = -1, .to = -1};
    rc = ask(data, &exchange, err);
    if (rc == BT_OK) {
        const struct bt_value *value = bt_map_gets(exchange.answer, "value");
        *ret_value = value ? bt_value_ref(value) : bt_value_null();
        rc = *ret_value ? BT_OK : bt_fail_mem(err, question->function);
    }
    bt_value_unref(exchange.answer);
    return rc;
}

struct bt_world bt_world_remote(struct bt_files *files)
{
    return (struct bt_world){files, ask_world};
}

/* --- The backend -------------------------------------------------------------------------------
 */

static int remove_file(struct bt_files *files, const char *tenant, struct bt_str uri,
                       struct bt_err *err)
{
    struct exchange exchange = {.type = BT_FRAME_FILE_DELETE, .from = -1, .to = -1};
    int rc = ask_file(files, (struct target){tenant, uri}, &exchange, err);
    bt_value_unref(exchange.answer);
    return rc;
}

static int refuse_removal(struct bt_files *files, const char *tenant, struct bt_str uri,
                          struct bt_err *err)
{
    (void)files;
    (void)tenant;
    return bt_fail(err, BT_DENIED, "a worker may not delete '%.*s'", BT_FMT(uri));
}

/* The server's list: lines, told one by one. */
static int tell_lines(int fd, const struct bt_files_walk *walk, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(BLOCK_BYTES);
    ssize_t got = 1;
    if (lseek(fd, 0, SEEK_SET) < 0 || bt_buf_reserve(&text, BLOCK_BYTES) < 0)
        return bt_fail(err, BT_IO, "cannot read the names of files");
    while ((got = read(fd, text.at + text.len, BLOCK_BYTES - text.len)) > 0) {
        text.len += (size_t)got;
        struct bt_str rest = bt_buf_str(&text);
        for (const char *end; rest.len && (end = memchr(rest.at, '\n', rest.len));) {
            size_t len = (size_t)(end - rest.at);
            BT_TRY(walk->each(walk->data, bt_str_slice(rest, 0, len)));
            rest = bt_str_slice(rest, len + 1, rest.len);
        }
        memmove(text.at, rest.at, rest.len);
        text.len = rest.len;
    }
    return got < 0 ? bt_fail_errno(err, BT_IO, errno, "cannot read the names of files") : BT_OK;
}

static int walk_folder(struct bt_files *files, const char *tenant, const struct bt_files_walk *walk,
                       bool deletes, struct bt_err *err)
{
    BT_FD to = -1;
    BT_VALUE names = bt_map_new(3);
    BT_TRY(temp_file(files, &to, err));
    if (bt_map_puts(names, "tenant", bt_value_cstr(tenant)) < 0 ||
        bt_map_puts(names, "uri", bt_value_string(walk->uri)) < 0 ||
        bt_map_puts(names, "keep", bt_value_cstr(walk->keep ? walk->keep : "")) < 0 ||
        bt_map_puts(names, "deletes", bt_value_bool(deletes)) < 0)
        return bt_fail_mem(err, "file transfer");
    struct exchange exchange = {.type = BT_FRAME_FILE_WALK, .request = names, .from = -1, .to = to};
    int rc = ask(files, &exchange, err);
    bt_value_unref(exchange.answer);
    return rc == BT_OK && walk->each ? tell_lines(to, walk, err) : rc;
}

static void close_files(struct bt_files *files)
{
    free(remote(files)->address);
    free(remote(files)->token);
    free(remote(files)->temp_dir);
    free(remote(files));
}

static const struct bt_files_ops ops = {
    .create = create,
    .write = write_bytes,
    .commit = commit,
    .abort = abort_writer,
    .put_fd = put_fd,
    .open = open_file,
    .size = file_size,
    .stat = file_stat,
    .remove = remove_file,
    .remove_tree = refuse_removal,
    .walk = walk_folder,
    .close = close_files,
};

int bt_files_open_remote(const char *address, const char *token, const char *temp_dir,
                         struct bt_files **ret_files, struct bt_err *err)
{
    struct remote_files *files = calloc(1, sizeof *files);
    if (!files)
        return bt_fail_mem(err, "internal storage");
    files->base.ops = &ops;
    files->address = bt_str_dup(bt_str_of(address));
    files->token = bt_str_dup(bt_str_of(token));
    files->temp_dir = bt_str_dup(bt_str_of(temp_dir));
    if (!files->address || !files->token || !files->temp_dir) {
        close_files(&files->base);
        return bt_fail_mem(err, "internal storage");
    }
    *ret_files = &files->base;
    return BT_OK;
}

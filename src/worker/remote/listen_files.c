/* listen_files.c — File transfers of remote workers: one blocking thread a connection, bounded. */
#include "worker/remote/listen_int.h"

#include "base/limits.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TRANSFER_SECONDS_MAX = 60, BLOCK_BYTES = 256 << 10 };

struct transfer {
    struct bt_listener *listener;
    int fd;
    struct transfer *next, **link; /* Among all of the listener, under its mutex. */
};

static int send_failure(int fd, const struct bt_err *failure)
{
    BT_VALUE map = bt_map_new(3);
    int rc = bt_map_puts(map, "code", bt_value_int(failure->code));
    rc |= bt_map_puts(map, "message", bt_value_cstr(failure->msg));
    rc |= bt_map_puts(map, "hint", bt_value_cstr(failure->hint));
    return rc < 0 ? BT_NO_MEM : bt_frame_send(fd, BT_FRAME_FAILED, map, NULL);
}

/* Tenant and URI of a request. */
static int read_names(const struct bt_value *request, char tenant[64], struct bt_str *ret_uri,
                      struct bt_err *err)
{
    struct bt_str name = bt_map_str(request, "tenant");
    *ret_uri = bt_map_str(request, "uri");
    if (name.len == 0 || name.len > 63)
        return bt_fail(err, BT_INVALID, "a file request without a tenant");
    memcpy(tenant, name.at, name.len);
    tenant[name.len] = '\0';
    return BT_OK;
}

static int serve_get(struct transfer *transfer, const char *tenant, struct bt_str uri,
                     struct bt_err *err)
{
    BT_FD file = -1;
    BT_TRY(bt_files_open(transfer->listener->config.files, tenant, uri, &file, err));
    char *block = malloc(BLOCK_BYTES);
    int rc = block ? BT_OK : bt_fail_mem(err, "file transfer");
    ssize_t got = 1;
    while (rc == BT_OK && (got = read(file, block, BLOCK_BYTES)) > 0)
        rc = bt_frame_send_bytes(transfer->fd, (struct bt_str){block, (size_t)got}, err);
    free(block);
    if (rc == BT_OK && got < 0)
        rc = bt_fail(err, BT_IO, "cannot read the file");
    return rc < 0 ? rc : bt_frame_send(transfer->fd, BT_FRAME_FILE_END, NULL, err);
}

static int serve_put(struct transfer *transfer, const char *tenant, struct bt_str uri,
                     struct bt_err *err)
{
    struct bt_file_writer *writer = NULL;
    BT_CLEANUP(bt_buf_done) struct bt_buf buf = BT_BUF_INIT(BT_FRAME_BYTES_MAX + 64);
    int rc = bt_files_create(transfer->listener->config.files, tenant, uri, &writer, err);
    struct bt_frame frame = {.type = BT_FRAME_FILE_DATA};
    while (frame.type ==
           BT_FRAME_FILE_DATA) { /* Also after a failure: the worker is still sending. */
        int got = bt_frame_receive(transfer->fd, &buf, &frame, rc == BT_OK ? err : NULL);
        if (got < 0) {
            bt_file_abort(writer);
            return got;
        }
        if (rc == BT_OK && frame.type == BT_FRAME_FILE_DATA)
            rc = bt_file_write(writer, frame.payload.at, frame.payload.len, err);
    }
    if (rc == BT_OK && frame.type != BT_FRAME_FILE_END)
        rc = bt_fail(err, BT_ABORTED, "the transfer was given up");
    if (rc == BT_OK)
        rc = bt_file_commit(BT_TAKE(writer), err);
    bt_file_abort(writer);
    return rc < 0 ? rc : bt_frame_send(transfer->fd, BT_FRAME_FILE_END, NULL, err);
}

static int serve_size(struct transfer *transfer, const char *tenant, struct bt_str uri,
                      struct bt_err *err)
{
    int64_t size_bytes;
    BT_TRY(bt_files_size(transfer->listener->config.files, tenant, uri, &size_bytes, err));
    BT_VALUE map = bt_frame_map1("size", bt_value_int(size_bytes));
    return bt_frame_send(transfer->fd, BT_FRAME_FILE_END, map, err);
}

static int serve_stat(struct transfer *transfer, const char *tenant, struct bt_str uri,
                      struct bt_err *err)
{
    struct bt_file_info info;
    BT_VALUE map = bt_map_new(4);
    BT_TRY(bt_files_stat(transfer->listener->config.files, tenant, uri, &info, err));
    int rc = bt_map_puts(map, "folder", bt_value_bool(info.is_folder));
    rc |= bt_map_puts(map, "size", bt_value_int(info.size_bytes));
    rc |= bt_map_puts(map, "modified", bt_value_int(info.modified_us));
    rc |= bt_map_puts(map, "created", bt_value_int(info.created_us));
    if (rc < 0)
        return bt_fail_mem(err, "file");
    return bt_frame_send(transfer->fd, BT_FRAME_FILE_END, map, err);
}

static int serve_delete(struct transfer *transfer, const char *tenant, struct bt_str uri,
                        struct bt_err *err)
{
    BT_TRY(bt_files_delete(transfer->listener->config.files, tenant, uri, err));
    return bt_frame_send(transfer->fd, BT_FRAME_FILE_END, NULL, err);
}

/* …/executions/ID/: nothing else may be names as a whole. */
static bool is_execution(struct bt_str uri)
{
    static const struct bt_str folder = {"/executions/", 12};
    ptrdiff_t at = bt_str_find(uri, folder, 0);
    if (at < 0)
        return false;
    struct bt_str id = bt_str_slice(uri, (size_t)at + folder.len, uri.len);
    return id.len > 1 && memchr(id.at, '/', id.len) == id.at + id.len - 1;
}

/* Names of files, under way to the worker. */
struct names {
    int fd;
    struct bt_buf lines;
};

static int send_names(struct names *names, size_t least)
{
    if (names->lines.len < least || names->lines.len == 0)
        return BT_OK;
    int rc = bt_frame_send_bytes(names->fd, bt_buf_str(&names->lines), NULL);
    bt_buf_clear(&names->lines);
    return rc;
}

static int note_name(void *data, struct bt_str uri)
{
    struct names *names = data;
    (void)bt_buf_add(&names->lines, uri); /* Checked with the next. */
    BT_TRY(bt_buf_addc(&names->lines, '\n'));
    return send_names(names, BLOCK_BYTES);
}

static int serve_walk(struct transfer *transfer, const char *tenant, const struct bt_value *request,
                      struct bt_err *err)
{
    char keep[64];
    struct names names = {transfer->fd, BT_BUF_INIT(2 * BLOCK_BYTES)};
    struct bt_str name = bt_map_str(request, "keep"), uri = bt_map_str(request, "uri");
    bool deletes = bt_value_as_bool(bt_map_gets(request, "deletes"));
    if ((deletes && !is_execution(uri)) || name.len >= sizeof keep)
        return bt_fail(err, BT_DENIED, "a worker may not delete '%.*s'", BT_FMT(uri));
    (void)snprintf(keep, sizeof keep, "%.*s", BT_FMT(name));
    struct bt_files_walk walk = {uri, keep, note_name, &names};
    int rc = deletes ? bt_files_purge(transfer->listener->config.files, tenant, &walk, err)
                     : bt_files_walk(transfer->listener->config.files, tenant, &walk, err);
    if (rc == BT_OK)
        rc = send_names(&names, 0);
    bt_buf_done(&names.lines);
    return rc < 0 ? rc : bt_frame_send(transfer->fd, BT_FRAME_FILE_END, NULL, err);
}

/* A short text of a request, with its end. */
static int short_text(const struct bt_value *request, const char *key, char at[200],
                      struct bt_err *err)
{
    struct bt_str text = bt_map_str(request, key);
    if (text.len == 0 || text.len >= 200)
        return bt_fail(err, BT_INVALID, "a question without its '%s', or with too long a one", key);
    memcpy(at, text.at, text.len);
    at[text.len] = '\0';
    return BT_OK;
}

/* A question of an expression (worker/world.h). */
static int serve_ask(struct transfer *transfer, const char *tenant, const struct bt_value *request,
                     struct bt_err *err)
{
    const struct bt_world *world = &transfer->listener->config.world;
    char namespace[200], exec_id[200], function[200];
    BT_VALUE value = NULL;
    BT_TRY(short_text(request, "namespace", namespace, err));
    BT_TRY(short_text(request, "execution", exec_id, err));
    BT_TRY(short_text(request, "function", function, err));
    if (!world->ask)
        return bt_fail(err, BT_UNAVAILABLE, "this server answers no questions of expressions");
    const struct bt_question question = {tenant, namespace, exec_id, function,
                                         bt_map_gets(request, "args")};
    BT_TRY(world->ask(world->data, &question, &value, err));
    BT_VALUE answer = bt_frame_map1("value", BT_TAKE(value));
    return bt_frame_send(transfer->fd, BT_FRAME_FILE_END, answer, err);
}

static int serve_fetch(struct transfer *transfer, const struct bt_value *request,
                       struct bt_err *err)
{
    const struct bt_fetcher *fetcher = &transfer->listener->config.fetcher;
    struct bt_str tenant = bt_map_str(request, "tenant");
    struct bt_str exec = bt_map_str(request, "execution");
    struct bt_job job = {.now_us = bt_value_as_int(bt_map_gets(request, "nowUs"))};
    BT_VALUE value = NULL, *answer = bt_map_new(1);
    if (!fetcher->fetch || tenant.len >= sizeof job.tenant || exec.len >= sizeof job.exec_id)
        return bt_fail(err, BT_INVALID, "a request for outputs that cannot be");
    (void)snprintf(job.tenant, sizeof job.tenant, "%.*s", BT_FMT(tenant));
    (void)snprintf(job.exec_id, sizeof job.exec_id, "%.*s", BT_FMT(exec));
    job.as_of.ends = (uint32_t)bt_value_as_int(bt_map_gets(request, "ends"));
    job.as_of.next_n = (uint32_t)bt_value_as_int(bt_map_gets(request, "nextN"));
    struct bt_fetch_request wanted = {&job, bt_map_gets(request, "path"),
                                      bt_value_as_bool(bt_map_gets(request, "whole"))};
    BT_TRY(fetcher->fetch(fetcher->data, &wanted, &value, err));
    if (!answer || (value && bt_map_puts(answer, "value", BT_TAKE(value)) < 0))
        return bt_fail_mem(err, "outputs");
    return bt_frame_send(transfer->fd, BT_FRAME_FILE_END, answer, err);
}

/* One request. Negative: the connection is over. */
static int serve(struct transfer *transfer, struct bt_buf *buf)
{
    struct bt_frame frame;
    struct bt_err err = BT_ERR_INIT;
    BT_VALUE request = NULL;
    char tenant[64];
    struct bt_str uri;
    BT_TRY(bt_frame_receive(transfer->fd, buf, &frame, &err));
    BT_TRY(bt_frame_value(&frame, &request, &err));
    bool is_fetch = frame.type == BT_FRAME_FETCH;
    int rc =
        is_fetch ? serve_fetch(transfer, request, &err) : read_names(request, tenant, &uri, &err);
    if (rc == BT_OK && frame.type == BT_FRAME_FILE_GET)
        rc = serve_get(transfer, tenant, uri, &err);
    else if (rc == BT_OK && frame.type == BT_FRAME_FILE_PUT)
        rc = serve_put(transfer, tenant, uri, &err);
    else if (rc == BT_OK && frame.type == BT_FRAME_FILE_SIZE)
        rc = serve_size(transfer, tenant, uri, &err);
    else if (rc == BT_OK && frame.type == BT_FRAME_FILE_STAT)
        rc = serve_stat(transfer, tenant, uri, &err);
    else if (rc == BT_OK && frame.type == BT_FRAME_FILE_DELETE)
        rc = serve_delete(transfer, tenant, uri, &err);
    else if (rc == BT_OK && frame.type == BT_FRAME_FILE_WALK)
        rc = serve_walk(transfer, tenant, request, &err);
    else if (rc == BT_OK && frame.type == BT_FRAME_ASK)
        rc = serve_ask(transfer, tenant, request, &err);
    else if (rc == BT_OK && !is_fetch)
        rc = bt_fail(&err, BT_INVALID, "a message that a file connection does not know");
    return rc < 0 ? send_failure(transfer->fd, &err) : BT_OK;
}

static void unlist(struct transfer *transfer)
{
    struct bt_listener *listener = transfer->listener;
    lock(listener);
    *transfer->link = transfer->next;
    if (transfer->next)
        transfer->next->link = transfer->link;
    listener->transfer_count--;
    (void)close(transfer->fd);
    (void)pthread_cond_broadcast(&listener->transfers_changed);
    unlock(listener);
    free(transfer);
}

/* False: too many, or none any more. */
static bool list(struct transfer *transfer)
{
    struct bt_listener *listener = transfer->listener;
    lock(listener);
    bool has_room = listener->transfer_count < TRANSFERS_MAX && !listener->is_stopping;
    if (has_room) {
        listener->transfer_count++;
        transfer->next = listener->transfers;
        transfer->link = &listener->transfers;
        if (transfer->next)
            transfer->next->link = &transfer->next;
        listener->transfers = transfer;
    }
    unlock(listener);
    return has_room;
}

static void *transfer_main(void *data)
{
    struct transfer *transfer = data;
    struct bt_buf buf = BT_BUF_INIT(BT_FRAME_BYTES_MAX + 64);
    struct timeval limit = {TRANSFER_SECONDS_MAX, 0};
    int flags = fcntl(transfer->fd, F_GETFL);
    (void)fcntl(transfer->fd, F_SETFL, flags & ~O_NONBLOCK); /* Else the receives say EAGAIN. */
    (void)setsockopt(transfer->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    (void)setsockopt(transfer->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    BT_VALUE welcome = listener_welcome(transfer->listener);
    int rc = bt_frame_send(transfer->fd, BT_FRAME_WELCOME, welcome, NULL);
    while (rc == BT_OK)
        rc = serve(transfer, &buf);
    bt_buf_done(&buf);
    unlist(transfer);
    return NULL;
}

void listener_serve_files(struct bt_listener *listener, int fd)
{
    pthread_t thread;
    struct transfer *transfer = calloc(1, sizeof *transfer);
    if (transfer)
        *transfer = (struct transfer){.listener = listener, .fd = fd};
    if (!transfer || !list(transfer)) {
        free(transfer);
        (void)close(fd); /* The worker tries again. */
    } else if (pthread_create(&thread, NULL, transfer_main, transfer) == 0) {
        (void)pthread_detach(thread);
    } else {
        unlist(transfer);
    }
}

void files_done(struct bt_listener *listener)
{
    lock(listener);
    for (struct transfer *transfer = listener->transfers; transfer; transfer = transfer->next)
        (void)shutdown(transfer->fd, SHUT_RDWR); /* Its thread sees the end. */
    while (listener->transfer_count)
        (void)pthread_cond_wait(&listener->transfers_changed, &listener->lock);
    unlock(listener);
}

/* stream.c — Server-sent events: a bounded buffer between producers and one HTTP thread. */
#include "server/stream.h"

#include "base/limits.h"
#include "server/http_int.h"

#include <stdlib.h>

struct bt_stream {
    pthread_mutex_t lock;
    unsigned count; /* References. */
    struct MHD_Connection *connection;
    struct bt_buf buf; /* Not yet taken. */
    bool is_suspended; /* The connection waits for us. */
    bool is_ended, is_gone;
    struct bt_stream_ops ops;
    void *data;
};

struct bt_stream *bt_stream_new(struct bt_request *request, const struct bt_stream_ops *ops,
                                void *data)
{
    struct bt_stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return NULL;
    (void)pthread_mutex_init(&stream->lock, NULL); /* Cannot fail with default attributes. */
    stream->count = 1;
    stream->connection = ((struct exchange *)request)->connection;
    stream->buf = (struct bt_buf)BT_BUF_INIT(BT_STREAM_BYTES_MAX);
    stream->ops = *ops;
    stream->data = data;
    return stream;
}

static void lock(struct bt_stream *stream)
{
    (void)pthread_mutex_lock(&stream->lock); /* Cannot fail on a default mutex. */
}

static void unlock(struct bt_stream *stream)
{
    (void)pthread_mutex_unlock(&stream->lock);
}

struct bt_stream *bt_stream_unref(struct bt_stream *stream)
{
    if (!stream)
        return NULL;
    lock(stream);
    bool is_last = --stream->count == 0;
    unlock(stream);
    if (is_last) {
        bt_buf_done(&stream->buf);
        (void)pthread_mutex_destroy(&stream->lock);
        free(stream);
    }
    return NULL;
}

/* With the lock held. */
static void wake(struct bt_stream *stream)
{
    if (!stream->is_suspended)
        return;
    stream->is_suspended = false;
    bt_mhd.resume_connection(stream->connection);
}

/* Within text, each line of data needs its own prefix. */
static void add_field(struct bt_buf *buf, const char *name, struct bt_str text)
{
    for (size_t at = 0; at <= text.len;) {
        ptrdiff_t newline = bt_str_find(text, BT_STR("\n"), at);
        size_t end = newline < 0 ? text.len : (size_t)newline;
        (void)bt_buf_adds(buf, name); /* Checked by the caller. */
        (void)bt_buf_add(buf, bt_str_slice(text, at, end));
        (void)bt_buf_addc(buf, '\n');
        at = end + 1;
    }
}

bool bt_stream_has_room(struct bt_stream *stream, size_t bytes)
{
    lock(stream);
    bool has = !stream->is_gone && stream->buf.len + bytes + 256 < stream->buf.max;
    unlock(stream);
    return has;
}

bool bt_stream_send(struct bt_stream *stream, struct bt_str id, struct bt_str event,
                    struct bt_str data)
{
    lock(stream);
    size_t before = stream->buf.len;
    bool is_sent = !stream->is_gone && !stream->is_ended;
    if (is_sent) {
        if (id.len)
            add_field(&stream->buf, "id: ", id);
        if (event.len)
            add_field(&stream->buf, "event: ", event);
        add_field(&stream->buf, "data: ", data);
        (void)bt_buf_addc(&stream->buf, '\n'); /* As the others. */
        is_sent = !stream->buf.failed;
        if (!is_sent) {
            stream->buf.len = before;
            stream->buf.failed = BT_OK;
        }
    }
    wake(stream);
    unlock(stream);
    return is_sent;
}

void bt_stream_comment(struct bt_stream *stream)
{
    lock(stream);
    if (stream->buf.len == 0)
        (void)bt_buf_adds(&stream->buf, ":\n\n"); /* An empty buffer has room. */
    wake(stream);
    unlock(stream);
}

void bt_stream_end(struct bt_stream *stream)
{
    lock(stream);
    stream->is_ended = true;
    wake(stream);
    unlock(stream);
}

/* In the HTTP thread: gives what there is, or suspends the connection until there is more. */
static ssize_t read_stream(void *data, uint64_t offset, char *at, size_t len)
{
    struct bt_stream *stream = data;
    (void)offset;
    lock(stream);
    ssize_t given = 0;
    if (stream->buf.len) {
        size_t part = stream->buf.len < len ? stream->buf.len : len;
        memcpy(at, stream->buf.at, part);
        stream->buf.len -= part;
        memmove(stream->buf.at, stream->buf.at + part, stream->buf.len);
        if (stream->buf.len == 0)
            bt_buf_done(&stream->buf); /* Thousands of idle clients hold nothing. */
        given = (ssize_t)part;
    } else if (stream->is_ended) {
        given = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        stream->is_suspended = true;
        bt_mhd.suspend_connection(stream->connection);
    }
    unlock(stream);
    return given;
}

static void end_read(void *data)
{
    struct bt_stream *stream = data;
    lock(stream);
    stream->is_gone = true;
    unlock(stream);
    if (stream->ops.gone)
        stream->ops.gone(stream->data);
    bt_stream_unref(stream);
}

void bt_stream_drop(struct bt_stream *stream)
{
    end_read(stream);
}

struct MHD_Response *bt_stream_response(struct bt_stream *stream)
{
    enum { BLOCK_BYTES = 1024 };
    return bt_mhd.create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_stream, stream,
                                                end_read);
}

int bt_respond_stream(struct bt_request *request, struct bt_stream *stream)
{
    lock(stream);
    stream->count++;
    unlock(stream);
    request->response.stream = stream;
    request->response.type = "text/event-stream";
    bt_respond_header(request, "Cache-Control", "no-cache");
    return bt_respond(request, 200);
}

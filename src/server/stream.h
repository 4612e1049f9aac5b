/* stream.h — An answer without an end: server-sent events to one client.
 *
 * Producers append from any thread; a client that reads too slowly has what does not fit dropped,
 * and is told so by a marker: it never costs memory. */
#pragma once
#include "server/http.h"

struct MHD_Response;
struct bt_stream; /* Counted: the response holds one reference, the producer another. */

struct bt_stream_ops {
    /* The client is gone (or the server stops): nothing more is wanted. Any thread, once. */
    void (*gone)(void *data);
};

/* `request`: whose answer it becomes. NULL without memory. */
struct bt_stream *bt_stream_new(struct bt_request *request, const struct bt_stream_ops *ops,
                                void *data);
struct bt_stream *bt_stream_unref(struct bt_stream *stream); /* Accepts and returns NULL. */
/* One event; "id" and "event" may be empty. False: dropped, the client is too slow or gone. */
bool bt_stream_send(struct bt_stream *stream, struct bt_str id, struct bt_str event,
                    struct bt_str data);
bool bt_stream_has_room(struct bt_stream *stream, size_t bytes);
void bt_stream_comment(struct bt_stream *stream); /* Keeps the connection alive. */
void bt_stream_end(struct bt_stream *stream);     /* What was sent arrives, then it closes. */

struct MHD_Response *bt_stream_response(struct bt_stream *stream); /* For respond.c. Takes it. */
void bt_stream_drop(struct bt_stream *stream); /* It was never sent. Takes it. */
/* Answers the request with the stream. */
int bt_respond_stream(struct bt_request *request, struct bt_stream *stream);

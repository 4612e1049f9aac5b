/* frame.h — Frames of the stream between a server and its remote workers.
 *
 * A frame is a length (32 bits, little endian, of the payload), a type (one byte) and a payload:
 * JSON, or raw bytes in FILE_DATA. The first frame of a connection is HELLO with the protocol's
 * version `v`; another version is answered with REFUSED and words for people. */
#pragma once
#include "base/buf.h"
#include "value/value.h"

enum { BT_REMOTE_VERSION = 2 };
#define BT_FRAME_BYTES_MAX (16u << 20) /* One frame's payload. */

enum bt_frame_type {
    BT_FRAME_HELLO = 1, /* worker: {v, token, role, id, group, tags, slots, running, places}
                         */
    BT_FRAME_WELCOME,   /* server: {v, heartbeatMs, lostMs, nowUs} */
    BT_FRAME_REFUSED,   /* server: {message}; the connection is closed */
    BT_FRAME_HEARTBEAT, /* worker: {at}; the server sends it back as it is */
    BT_FRAME_FLOW,      /* server: {flow, revision, source, drop}: once before the first job of a
                           flow; drop: all flows of before may be forgotten */
    BT_FRAME_JOB,       /* server: see wire.h */
    BT_FRAME_KILL,      /* server: {token} */
    BT_FRAME_STARTED,   /* worker: {token, at} */
    BT_FRAME_LOGS,      /* worker: {token, n, lines: [[time, level, text]]}; repeated until */
    BT_FRAME_LOGS_ACK,  /* server: {n}: all up to there are taken over */
    BT_FRAME_RESULT,    /* worker: see wire.h; repeated until ACK */
    BT_FRAME_ACK,       /* server: {token}: the result is taken over, or of no interest any more */
    BT_FRAME_GIVE_BACK, /* worker: {token}: it will not finish this one */
    BT_FRAME_DRAIN,     /* worker: no further jobs, please */
    BT_FRAME_FILE_GET,  /* role "files": {tenant, uri} → FILE_DATA…, FILE_END | FAILED */
    BT_FRAME_FILE_PUT,  /* {tenant, uri}, FILE_DATA…, FILE_END → FILE_END | FAILED */
    BT_FRAME_FILE_SIZE, /* {tenant, uri} → FILE_END {size} | FAILED */
    BT_FRAME_ASK,       /* {tenant, namespace, execution, function, args} → FILE_END {value} */
    BT_FRAME_FETCH, /* {tenant, execution, ends, nextN, nowUs, path, whole} → FILE_END {value},
                       without a value for a branch | FAILED */
    BT_FRAME_FILE_DATA, /* raw bytes */
    BT_FRAME_FILE_END,
    BT_FRAME_FAILED, /* {code, message, hint} */
    /* On the control socket of a server, for the command line of its machine: */
    BT_FRAME_RUN,         /* cli: {source, inputs, labels, files: [[input, path]], quiet} */
    BT_FRAME_TEXT,        /* server: {text}: lines to show */
    BT_FRAME_ENDED,       /* server: {code, state, durationUs, outputs}; or {code, diags text} */
    BT_FRAME_FILE_DELETE, /* role "files": {tenant, uri} → FILE_END | FAILED */
    BT_FRAME_FILE_WALK, /* {tenant, uri, keep, deletes}: all beneath a folder → FILE_DATA… with
                           the URIs, each ended by a newline, FILE_END | FAILED */
    BT_FRAME_FILE_STAT, /* {tenant, uri} → FILE_END {folder, size, modified, created} | FAILED */
    /* To a worker: */
    BT_FRAME_RELEASE, /* server: {token}: this place is not wanted any more */
    BT_FRAME_TYPE_COUNT,
};

struct bt_frame {
    enum bt_frame_type type;
    struct bt_str payload; /* Borrowed from the buffer that it was read from. */
};

/* Appends a frame; `value` may be NULL for {}. */
int bt_frame_add(struct bt_buf *out, enum bt_frame_type type, const struct bt_value *value);
/* The next whole frame at *at in the buffer, which it moves past. False: none yet; BT_CORRUPT in
 * *ret_rc: the stream is no stream of ours. */
bool bt_frame_next(const struct bt_buf *in, size_t *at, struct bt_frame *ret_frame, int *ret_rc);
/* The payload as a value (a map). */
int bt_frame_value(const struct bt_frame *frame, struct bt_value **ret_value, struct bt_err *err);

/* Blocking use of a socket, with its send and receive timeouts. */
int bt_frame_send(int fd, enum bt_frame_type type, const struct bt_value *value,
                  struct bt_err *err);
int bt_frame_send_bytes(int fd, struct bt_str bytes, struct bt_err *err); /* FILE_DATA */
int bt_frame_send_raw(int fd, struct bt_str frames, struct bt_err *err);
/* Reads one frame into `buf` (cleared first). BT_NOT_FOUND: the other side has closed; BT_TIMEOUT.
 */
int bt_frame_receive(int fd, struct bt_buf *buf, struct bt_frame *ret_frame, struct bt_err *err);

/* {"key": …}; NULL without memory. Takes the value. */
struct bt_value *bt_frame_map1(const char *key, struct bt_value *value);

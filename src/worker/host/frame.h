/* frame.h — How messages travel between a worker and a plugin host. A message is one JSON map.
 *
 * Binary framing (hosts of our own program, over a socket): 8 bytes of header, little endian: u32
 * length of the JSON text, u16 version of the protocol, u16 a mark; then the text. Lines framing
 * (executables, over their standard streams): the text and a newline. docs/plugin-guide.md
 * describes the messages. Not for several threads. */
#pragma once
#include "base/buf.h"

enum { BT_HOST_PROTOCOL = 1, BT_FRAME_HEADER = 8 };

struct bt_frames {
    bool is_lines;
    struct bt_buf in; /* Received, not taken out yet … */
    size_t at;        /* … from here on. */
};

void bt_frames_init(struct bt_frames *frames, bool is_lines);
void bt_frames_done(struct bt_frames *frames);
/* The next whole message: BT_OK with its text (borrowed until bytes are added), BT_BUSY when none
 * is whole, BT_INVALID or BT_LIMIT when this is no message of the protocol. */
int bt_frames_next(struct bt_frames *frames, struct bt_str *ret_text, struct bt_err *err);
/* Room for more bytes behind what was received: *ret_at with *ret_len > 0. BT_NO_MEM, BT_LIMIT. */
int bt_frames_room(struct bt_frames *frames, char **ret_at, size_t *ret_len, struct bt_err *err);
void bt_frames_got(struct bt_frames *frames, size_t len); /* Bytes were written there. */

/* Appends a message: begin, then its JSON text into *out, then end with what begin gave. */
size_t bt_frame_begin(bool is_lines, struct bt_buf *out);
void bt_frame_end(bool is_lines, struct bt_buf *out, size_t begin);

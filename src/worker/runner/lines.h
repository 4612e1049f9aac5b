/* lines.h — Cuts a stream of bytes into lines, and texts into log messages. Pure.
 *
 * A line ends with LF, CR or CR LF, as the original reads them. Memory is bounded: a line that does
 * not fit is handed out in pieces. Not for several threads. */
#pragma once
#include "base/buf.h"

struct bt_lines {
    struct bt_buf rest; /* The begun line. */
    bool is_after_cr;   /* A LF that comes now belongs to the CR before it. */
    bool is_cut;        /* A piece of the begun line was handed out already. */
    uint64_t count;     /* Lines so far. */
    /* Gets each line (borrowed, raw bytes), or its pieces in order: `is_whole` tells which. */
    void (*emit)(void *data, struct bt_str line, bool is_whole);
    void *data;
};

void bt_lines_init(struct bt_lines *lines,
                   void (*emit)(void *data, struct bt_str line, bool is_whole), void *data);
void bt_lines_done(struct bt_lines *lines);
void bt_lines_feed(struct bt_lines *lines, struct bt_str bytes);
void bt_lines_end(struct bt_lines *lines); /* Hands out an unfinished last line. */

/* Whether a line may be one of the output protocol's: "::{…". */
bool bt_line_is_protocol(struct bt_str line);

/* Appends valid UTF-8: what is none, and NUL, becomes U+FFFD. */
int bt_text_clean(struct bt_str raw, struct bt_buf *out);
/* Length of the first piece (> 0 unless the text is empty) of at most `max` bytes, cut between
 * runes. `max` >= 4. */
size_t bt_text_piece(struct bt_str text, size_t max);

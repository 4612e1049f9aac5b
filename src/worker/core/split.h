/* split.h — Splits a file into batches of lines. Streams: at most BT_SPLIT_OPEN_MAX batches are
 * open at a time. Also for those who start a subflow for each batch. */
#pragma once
#include "worker/core/io.h"

enum { BT_SPLIT_OPEN_MAX = 64 };

/* Batches are numbered from 0 in the order of their first lines. An empty file has none. */
struct bt_split_sink {
    void *data;
    /* A writer for the batch; the splitter takes it. */
    int (*open)(void *data, uint64_t index, struct bt_file_writer **ret_writer, struct bt_err *err);
    /* The batch is stored. In the order of their numbers. */
    int (*stored)(void *data, uint64_t index, struct bt_err *err);
};

/* One of bytes, partitions, rows must be set; when several are, the first of these counts. */
struct bt_split {
    int fd;             /* At its beginning; a regular file, for partitions are read several
                           times when there are many. Borrowed. */
    int64_t bytes;      /* A batch is full once it has so many bytes; lines stay whole. 0: unset. */
    int64_t partitions; /* Lines are dealt out to so many batches in turn. */
    int64_t rows;       /* Lines of a batch. */
    struct bt_str separator;     /* Written behind every line. */
    const _Atomic bool *is_over; /* May be NULL. */
    struct bt_split_sink sink;
};
int bt_split(const struct bt_split *split, struct bt_err *err);

/* "10MB", "512KB", "1GiB", "1024": units count by 1024. False: no size of at least one byte. */
bool bt_split_parse_bytes(struct bt_str text, int64_t *ret_bytes);

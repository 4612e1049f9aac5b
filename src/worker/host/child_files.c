/* child_files.c — Files of the internal storage, from inside a host process. Reading goes through a
 * descriptor that the worker opened; writing goes into the working directory first, and the worker
 * stores it at commit: a host process never sees the storage itself. */
#include "worker/host/child_int.h"

#include "base/limits.h"
#include "base/own.h"
#include "value/json.h"
#include "worker/host/ion.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 64 << 10 };

struct bt_reader {
    struct bt_run *run;
    struct bt_reader *next, **back; /* Among the open ones of the run. */
    int fd;
    struct bt_buf in; /* Read ahead; used from `at` on. */
    size_t at;
    bool is_at_end;
    uint64_t row;
    struct bt_buf json; /* The row that the plugin looks at. */
};

struct bt_writer {
    struct bt_run *run;
    struct bt_writer *next, **back;
    int fd;
    char *name;    /* Asked for by the plugin. */
    char path[32]; /* In the working directory. */
    struct bt_buf out;
};

#define LINK(list, item)                                                                           \
    do {                                                                                           \
        (item)->next = (list);                                                                     \
        (item)->back = &(list);                                                                    \
        if (list)                                                                                  \
            (list)->back = &(item)->next;                                                          \
        (list) = (item);                                                                           \
    } while (0)

#define UNLINK(item)                                                                               \
    do {                                                                                           \
        *(item)->back = (item)->next;                                                              \
        if ((item)->next)                                                                          \
            (item)->next->back = (item)->back;                                                     \
    } while (0)

/* --- Reading ---------------------------------------------------------------------------------- */

int child_file_open(struct bt_run *run, const char *uri, struct bt_reader **ret_reader)
{
    struct bt_reader *reader = calloc(1, sizeof *reader);
    int fd = -1;
    *ret_reader = NULL;
    if (!reader)
        return BT_PLUGIN_LIMIT;
    child_text(child_begin("file_open"), "uri", bt_str_of(uri));
    int rc = child_end(true);
    rc = rc == BT_PLUGIN_OK ? child_ask(run, NULL, &fd) : rc;
    if (rc == BT_PLUGIN_OK && fd < 0)
        rc = BT_PLUGIN_IO;
    if (rc != BT_PLUGIN_OK) {
        free(reader);
        return rc;
    }
    *reader = (struct bt_reader){
        .run = run,
        .fd = fd,
        .in = BT_BUF_INIT(BT_ROW_BYTES_MAX + CHUNK),
        .json = BT_BUF_INIT(2 * (size_t)BT_ROW_BYTES_MAX),
    };
    LINK(run->readers, reader);
    *ret_reader = reader;
    return BT_PLUGIN_OK;
}

static ptrdiff_t read_some(struct bt_reader *reader, void *at, size_t len)
{
    ssize_t got;
    do {
        got = read(reader->fd, at, len);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? BT_PLUGIN_IO : got;
}

ptrdiff_t child_file_read(struct bt_reader *reader, void *at, size_t len)
{
    size_t have = reader->in.len - reader->at; /* Read ahead by row_next(). */
    if (have == 0)
        return read_some(reader, at, len);
    size_t count = have < len ? have : len;
    memcpy(at, reader->in.at + reader->at, count);
    reader->at += count;
    return (ptrdiff_t)count;
}

int64_t child_file_size(struct bt_reader *reader)
{
    struct stat at;
    return fstat(reader->fd, &at) == 0 ? at.st_size : BT_PLUGIN_IO;
}

void child_file_close(struct bt_reader *reader)
{
    if (!reader)
        return;
    UNLINK(reader);
    (void)close(reader->fd); /* Only read from. */
    bt_buf_done(&reader->in);
    bt_buf_done(&reader->json);
    free(reader);
}

/* --- Rows ------------------------------------------------------------------------------------- */

/* Reads on. BT_PLUGIN_OK also at the end of the file. */
static int fill(struct bt_reader *reader)
{
    struct bt_buf *in = &reader->in;
    if (reader->at > 0) {
        memmove(in->at, in->at + reader->at, in->len - reader->at);
        in->len -= reader->at;
        reader->at = 0;
    }
    if (bt_buf_reserve(in, CHUNK) < 0)
        return BT_PLUGIN_LIMIT;
    ptrdiff_t got = read_some(reader, in->at + in->len, CHUNK);
    if (got < 0)
        return (int)got;
    reader->is_at_end = got == 0;
    in->len += (size_t)got;
    return BT_PLUGIN_OK;
}

/* The next line without its end. BT_PLUGIN_NOT_FOUND at the end of the file. */
static int next_line(struct bt_reader *reader, struct bt_str *ret_line)
{
    size_t seen = 0;
    for (;;) {
        struct bt_buf *in = &reader->in;
        size_t have = in->len - reader->at;
        const char *at = in->at + reader->at;
        const char *end = have > seen ? memchr(at + seen, '\n', have - seen) : NULL;
        if (end || (reader->is_at_end && have > 0)) {
            size_t len = end ? (size_t)(end - at) : have;
            *ret_line = (struct bt_str){at, len};
            reader->at += len + (end != NULL);
            return BT_PLUGIN_OK;
        }
        if (reader->is_at_end)
            return BT_PLUGIN_NOT_FOUND;
        seen = have;
        int rc = fill(reader);
        if (rc < 0)
            return rc;
    }
}

int child_row_next(struct bt_reader *reader, struct bt_text *ret_json)
{
    struct bt_str line = {0};
    while (line.len == 0) {
        int rc = next_line(reader, &line);
        if (rc == BT_PLUGIN_LIMIT)
            (void)bt_host_table.fail(reader->run, "row %llu has more than %u bytes",
                                     (unsigned long long)reader->row + 1, BT_ROW_BYTES_MAX);
        if (rc != BT_PLUGIN_OK)
            return rc;
        line = bt_str_trim(line);
    }
    reader->row++;
    BT_VALUE value = NULL;
    struct bt_buf *out = &reader->json;
    bt_buf_clear(out);
    bool is_json = bt_json_parse(line, NULL, &value, NULL) == BT_OK;
    int rc = is_json ? bt_buf_add(out, line) : bt_ion_to_json(line, out);
    if (rc == BT_INVALID)
        return bt_host_table.fail(reader->run, "row %llu is neither JSON nor Ion",
                                  (unsigned long long)reader->row);
    if (rc < 0 || !bt_buf_cstr(out))
        return BT_PLUGIN_LIMIT;
    *ret_json = (struct bt_text){out->at, out->len};
    return BT_PLUGIN_OK;
}

/* --- Writing ---------------------------------------------------------------------------------- */

int child_file_create(struct bt_run *run, const char *name, struct bt_writer **ret_writer)
{
    struct bt_writer *writer = calloc(1, sizeof *writer);
    *ret_writer = NULL;
    if (!writer || !(writer->name = bt_str_dup(bt_str_of(name)))) {
        free(writer);
        return BT_PLUGIN_LIMIT;
    }
    (void)snprintf(writer->path, sizeof writer->path, ".baton-%u", ++run->file_count); /* Fits. */
    char full[4300];
    (void)snprintf(full, sizeof full, "%s/%s", run->work_dir, writer->path); /* Fits. */
    writer->fd = open(full, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (writer->fd < 0) {
        free(writer->name);
        free(writer);
        return BT_PLUGIN_IO;
    }
    writer->run = run;
    writer->out = (struct bt_buf)BT_BUF_INIT(2 * CHUNK);
    LINK(run->writers, writer);
    *ret_writer = writer;
    return BT_PLUGIN_OK;
}

static int write_all(int fd, const char *at, size_t len)
{
    while (len > 0) {
        ssize_t put = write(fd, at, len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return BT_PLUGIN_IO;
        at += put;
        len -= (size_t)put;
    }
    return BT_PLUGIN_OK;
}

static int flush(struct bt_writer *writer)
{
    int rc = write_all(writer->fd, writer->out.at, writer->out.len);
    bt_buf_clear(&writer->out);
    return rc;
}

int child_file_write(struct bt_writer *writer, const void *at, size_t len)
{
    if (writer->out.len + len > CHUNK) {
        int rc = flush(writer);
        if (rc < 0)
            return rc;
    }
    if (len > CHUNK)
        return write_all(writer->fd, at, len);
    return bt_buf_add(&writer->out, (struct bt_str){at, len}) < 0 ? BT_PLUGIN_LIMIT : BT_PLUGIN_OK;
}

static void free_writer(struct bt_writer *writer)
{
    UNLINK(writer);
    (void)close(writer->fd); /* Written and checked, or given up. */
    bt_buf_done(&writer->out);
    free(writer->name);
    free(writer);
}

int child_file_commit(struct bt_writer *writer, struct bt_text *ret_uri)
{
    struct bt_run *run = writer->run;
    BT_VALUE reply = NULL;
    int rc = flush(writer);
    if (rc == BT_PLUGIN_OK) {
        struct bt_buf *out = child_begin("file_store");
        child_text(out, "name", bt_str_of(writer->name));
        child_text(out, "path", bt_str_of(writer->path));
        rc = child_end(true);
        rc = rc == BT_PLUGIN_OK ? child_ask(run, &reply, NULL) : rc;
    }
    if (rc != BT_PLUGIN_OK) {
        child_file_abort(writer);
        return rc;
    }
    struct bt_str uri = bt_map_str(reply, "uri");
    const char *kept = bt_arena_dup(&run->arena, uri);
    free_writer(writer);
    if (ret_uri)
        *ret_uri = (struct bt_text){kept, kept ? uri.len : 0};
    return kept ? BT_PLUGIN_OK : BT_PLUGIN_LIMIT;
}

void child_file_abort(struct bt_writer *writer)
{
    if (!writer)
        return;
    char full[4300];
    (void)snprintf(full, sizeof full, "%s/%s", writer->run->work_dir, writer->path); /* Fits. */
    (void)unlink(full); /* The directory is removed at the end anyway. */
    free_writer(writer);
}

int child_row_add(struct bt_writer *writer, const char *json, size_t len)
{
    BT_VALUE value = NULL;
    if (bt_json_parse((struct bt_str){json, len}, NULL, &value, NULL) < 0)
        return bt_host_table.fail(writer->run, "the plugin wrote a row that is no valid JSON");
    if (len == 0 || !memchr(json, '\n', len)) {
        int rc = child_file_write(writer, json, len);
        return rc == BT_PLUGIN_OK ? child_file_write(writer, "\n", 1) : rc;
    }
    struct bt_buf line = BT_BUF_INIT(2 * (size_t)BT_ROW_BYTES_MAX);
    int rc = BT_PLUGIN_LIMIT;
    if (bt_json_write(value, BT_JSON_COMPACT, &line, NULL) == BT_OK &&
        bt_buf_addc(&line, '\n') == BT_OK)
        rc = child_file_write(writer, line.at, line.len);
    bt_buf_done(&line);
    return rc;
}

void child_files_end(struct bt_run *run)
{
    struct bt_reader *next_reader = NULL;
    struct bt_writer *next_writer = NULL;
    for (struct bt_reader *reader = run->readers; reader; reader = next_reader) {
        next_reader = reader->next;
        child_file_close(reader);
    }
    for (struct bt_writer *writer = run->writers; writer; writer = next_writer) {
        next_writer = writer->next;
        child_file_abort(writer);
    }
}

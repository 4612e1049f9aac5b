/* logs.c — Segments of log chunks. A line in a chunk is varint-framed: time delta, task run,
 * attempt, level, length, text. Never rewrites a byte that was written. */
#include "store/logs/logs.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/num.h"
#include "base/own.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

enum { SEGMENT_BYTES_MAX = 64 << 20, COMPRESS_LEAST = 256, ZSTD_LEVEL = 1, CHUNK_VERSION = 1 };
enum { FLAG_PLAIN = 0, FLAG_ZSTD = 1 };
#define HOUR_US INT64_C(3600000000)
#define CHUNK_RAW_MAX (4u * BT_LOG_CHUNK_BYTES)

struct bt_logs {
    int dir_fd;
    int segment_fd; /* Open for append, or -1. */
    uint32_t segment;
    uint64_t offset; /* Bytes in the current segment. */
    bool is_durable, is_dirty;
    ZSTD_CCtx *compressor;
    struct bt_buf raw, packed;
};

static void segment_name(uint32_t segment, char out[32])
{
    (void)snprintf(out, 32, "%08u.seg", segment); /* Fits. */
}

static int segment_open(struct bt_logs *logs, uint32_t segment, struct bt_err *err)
{
    char name[32];
    segment_name(segment, name);
    int fd = openat(logs->dir_fd, name, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return bt_fail_errno(err, BT_IO, errno, "cannot open the log segment %s", name);
    off_t end = lseek(fd, 0, SEEK_END);
    if (end == 0 && logs->is_durable)
        (void)fsync(logs->dir_fd); /* A lost new segment loses only lines never committed. */
    if (logs->segment_fd >= 0)
        (void)close(logs->segment_fd);
    logs->segment_fd = fd;
    logs->segment = segment;
    logs->offset = end > 0 ? (uint64_t)end : 0;
    return BT_OK;
}

/* The number of the newest segment, or 0. */
static uint32_t newest_segment(int dir_fd)
{
    int fd = dup(dir_fd);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    uint32_t newest = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        struct bt_str name = bt_str_of(entry->d_name);
        uint64_t number;
        if (bt_str_ends(name, BT_STR(".seg")) &&
            bt_parse_u64(bt_str_slice(name, 0, name.len - 4), &number) && number < UINT32_MAX &&
            number > newest)
            newest = (uint32_t)number;
    }
    if (dir)
        (void)closedir(dir);
    return newest;
}

int bt_logs_open(const char *dir, bool is_durable, struct bt_logs **ret_logs, struct bt_err *err)
{
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return bt_fail_errno(err, BT_IO, errno, "cannot make the log directory '%s'", dir);
    struct bt_logs *logs = calloc(1, sizeof *logs);
    if (!logs)
        return bt_fail_mem(err, "logs");
    logs->is_durable = is_durable;
    logs->segment_fd = -1;
    logs->raw.max = CHUNK_RAW_MAX + BT_LOG_MESSAGE_MAX;
    logs->packed.max = 2u * logs->raw.max;
    logs->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (logs->dir_fd < 0) {
        (void)bt_fail_errno(err, BT_IO, errno, "cannot open the log directory '%s'", dir);
        bt_logs_close(logs);
        return BT_IO;
    }
    logs->segment = newest_segment(logs->dir_fd);
    *ret_logs = logs;
    return BT_OK;
}

struct bt_logs *bt_logs_close(struct bt_logs *logs)
{
    if (!logs)
        return NULL;
    if (logs->segment_fd >= 0)
        (void)close(logs->segment_fd);
    if (logs->dir_fd >= 0)
        (void)close(logs->dir_fd);
    ZSTD_freeCCtx(logs->compressor);
    bt_buf_done(&logs->raw);
    bt_buf_done(&logs->packed);
    free(logs);
    return NULL;
}

/* --- Framing ---------------------------------------------------------------------------------- */

static void put_varint(struct bt_buf *out, uint64_t number)
{
    while (number >= 0x80) {
        (void)bt_buf_addc(out, (char)(number | 0x80)); /* Failures are sticky. */
        number >>= 7;
    }
    (void)bt_buf_addc(out, (char)number);
}

static bool get_varint(struct bt_str *text, uint64_t *ret_number)
{
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 64 && text->len; shift += 7) {
        unsigned char byte = (unsigned char)*text->at;
        *text = bt_str_slice(*text, 1, text->len);
        number |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) {
            *ret_number = number;
            return true;
        }
    }
    return false;
}

static void put_entry(struct bt_buf *out, const struct bt_log_entry *entry, int64_t from_us)
{
    int64_t delta = (int64_t)((uint64_t)entry->time_us - (uint64_t)from_us); /* May wrap. */
    put_varint(out, (uint64_t)delta << 1 ^ (uint64_t)(delta >> 63));         /* Zigzag. */
    put_varint(out, entry->taskrun);
    put_varint(out, entry->attempt);
    put_varint(out, entry->level);
    put_varint(out, entry->text.len);
    (void)bt_buf_add(out, entry->text);
}

static bool get_entry(struct bt_str *text, int64_t from_us, struct bt_log_entry *ret_entry)
{
    uint64_t delta, taskrun, attempt, level, len;
    if (!get_varint(text, &delta) || !get_varint(text, &taskrun) || !get_varint(text, &attempt) ||
        !get_varint(text, &level) || !get_varint(text, &len) || len > text->len ||
        level >= BT_LEVEL_COUNT)
        return false;
    *ret_entry = (struct bt_log_entry){
        .time_us = (int64_t)((uint64_t)from_us + (delta >> 1 ^ (0u - (delta & 1)))),
        .taskrun = (uint32_t)taskrun,
        .attempt = (uint32_t)attempt,
        .level = (enum bt_level)level,
        .text = bt_str_slice(*text, 0, (size_t)len),
    };
    *text = bt_str_slice(*text, (size_t)len, text->len);
    return true;
}

/* --- Writing ---------------------------------------------------------------------------------- */

static int write_all(struct bt_logs *logs, struct bt_str bytes, struct bt_err *err)
{
    while (bytes.len) {
        ssize_t wrote = write(logs->segment_fd, bytes.at, bytes.len);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0) {
            int why = errno;
            off_t end = lseek(logs->segment_fd, 0, SEEK_END);
            logs->offset = end > 0 ? (uint64_t)end : logs->offset;
            (void)bt_fail_errno(err, BT_IO, why, "cannot write logs");
            if (why == ENOSPC || why == EDQUOT)
                (void)bt_hint(err, "the disk is full: free some space");
            return BT_IO;
        }
        logs->offset += (uint64_t)wrote;
        bytes = bt_str_slice(bytes, (size_t)wrote, bytes.len);
    }
    return BT_OK;
}

/* Fills logs->packed: version, flag, raw length, bytes. */
static int pack(struct bt_logs *logs)
{
    struct bt_buf *out = &logs->packed;
    bt_buf_clear(out);
    (void)bt_buf_addc(out, CHUNK_VERSION);
    bool is_packed = logs->raw.len >= COMPRESS_LEAST;
    (void)bt_buf_addc(out, is_packed ? FLAG_ZSTD : FLAG_PLAIN);
    put_varint(out, logs->raw.len);
    if (!is_packed)
        return bt_buf_add(out, bt_buf_str(&logs->raw));
    if (!logs->compressor && !(logs->compressor = ZSTD_createCCtx()))
        return BT_NO_MEM;
    BT_TRY(bt_buf_reserve(out, ZSTD_compressBound(logs->raw.len)));
    size_t size = ZSTD_compressCCtx(logs->compressor, out->at + out->len, out->cap - out->len,
                                    logs->raw.at, logs->raw.len, ZSTD_LEVEL);
    if (ZSTD_isError(size))
        return BT_NO_MEM;
    out->len += size;
    return BT_OK;
}

bool bt_log_chunk_count(struct bt_log_chunk *chunk, const struct bt_log_entry *entry)
{
    const int64_t hour = entry->time_us / HOUR_US;
    uint32_t at = 0;
    while (at < chunk->hour_count && chunk->hours[at].hour != hour)
        at++;
    if (at == BT_LOG_HOURS_MAX)
        return false;
    if (at == chunk->hour_count)
        chunk->hours[chunk->hour_count++] = (struct bt_log_hour){.hour = hour};
    chunk->hours[at].counts[entry->level]++;
    return true;
}

int bt_logs_append(struct bt_logs *logs, const struct bt_log_entry *entries, size_t count,
                   struct bt_log_chunk *ret_chunk, size_t *ret_used, struct bt_err *err)
{
    assert(count > 0);
    struct bt_log_chunk chunk = {.from_us = entries[0].time_us, .to_us = entries[0].time_us};
    bt_buf_clear(&logs->raw);
    size_t used = 0;
    while (used < count &&
           (used == 0 || logs->raw.len + entries[used].text.len < BT_LOG_CHUNK_BYTES)) {
        const struct bt_log_entry *entry = &entries[used];
        if (!bt_log_chunk_count(&chunk, entry))
            break;
        used++;
        put_entry(&logs->raw, entry, chunk.from_us);
        chunk.levels |= 1u << entry->level;
        chunk.to_us = entry->time_us > chunk.to_us ? entry->time_us : chunk.to_us;
    }
    BT_TRY(bt_buf_check(&logs->raw, "log chunk", err));
    if (pack(logs) < 0)
        return bt_fail_mem(err, "log chunk");
    if (logs->segment_fd < 0 || logs->offset >= SEGMENT_BYTES_MAX)
        BT_TRY(segment_open(logs, logs->segment + (logs->segment_fd >= 0 || !logs->segment), err));
    chunk.lines = (uint32_t)used;
    chunk.segment = logs->segment;
    chunk.offset = logs->offset;
    chunk.length = (uint32_t)logs->packed.len;
    BT_TRY(write_all(logs, bt_buf_str(&logs->packed), err));
    logs->is_dirty = true;
    *ret_chunk = chunk;
    *ret_used = used;
    return BT_OK;
}

int bt_logs_sync(struct bt_logs *logs, struct bt_err *err)
{
    if (!logs->is_dirty || !logs->is_durable)
        return BT_OK;
    if (fdatasync(logs->segment_fd) < 0)
        return bt_fail_errno(err, BT_IO, errno, "cannot sync the log segment");
    logs->is_dirty = false;
    return BT_OK;
}

/* --- Reading ---------------------------------------------------------------------------------- */

static int read_bytes(struct bt_logs *logs, const struct bt_log_chunk *chunk, struct bt_buf *out,
                      struct bt_err *err)
{
    char name[32];
    segment_name(chunk->segment, name);
    int fd = openat(logs->dir_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return bt_fail_errno(err, BT_IO, errno, "cannot open the log segment %s", name);
    int rc = bt_buf_reserve(out, chunk->length);
    if (rc < 0)
        rc = bt_fail(err, rc == BT_NO_MEM ? BT_NO_MEM : BT_CORRUPT,
                     "a log chunk of %u bytes cannot be read", chunk->length);
    while (rc == BT_OK && out->len < chunk->length) {
        ssize_t got = pread(fd, out->at + out->len, chunk->length - out->len,
                            (off_t)(chunk->offset + out->len));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            rc = bt_fail(err, BT_CORRUPT, "the log segment %s is cut short", name);
        else
            out->len += (size_t)got;
    }
    (void)close(fd);
    return rc;
}

static int unpack(struct bt_str bytes, struct bt_buf *out)
{
    uint64_t raw_len;
    if (bytes.len < 2 || bytes.at[0] != CHUNK_VERSION)
        return BT_CORRUPT;
    bool is_packed = bytes.at[1] == FLAG_ZSTD;
    bytes = bt_str_slice(bytes, 2, bytes.len);
    if (!get_varint(&bytes, &raw_len) || raw_len > out->max)
        return BT_CORRUPT;
    if (!is_packed)
        return bt_buf_add(out, bytes);
    BT_TRY(bt_buf_reserve(out, (size_t)raw_len));
    size_t size = ZSTD_decompress(out->at, (size_t)raw_len, bytes.at, bytes.len);
    if (ZSTD_isError(size) || size != raw_len)
        return BT_CORRUPT;
    out->len = size;
    return BT_OK;
}

int bt_logs_read(struct bt_logs *logs, const struct bt_log_chunk *chunk,
                 int (*each)(void *data, const struct bt_log_entry *entry), void *data,
                 struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf packed = BT_BUF_INIT(logs->packed.max);
    BT_CLEANUP(bt_buf_done) struct bt_buf raw = BT_BUF_INIT(logs->raw.max);
    BT_TRY(read_bytes(logs, chunk, &packed, err));
    if (unpack(bt_buf_str(&packed), &raw) < 0)
        return bt_fail(err, BT_CORRUPT, "a log chunk is not readable");
    struct bt_str rest = bt_buf_str(&raw);
    struct bt_log_entry entry;
    while (rest.len) {
        if (!get_entry(&rest, chunk->from_us, &entry))
            return bt_fail(err, BT_CORRUPT, "a log line is not readable");
        BT_TRY(each(data, &entry));
    }
    return BT_OK;
}

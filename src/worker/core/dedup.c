/* dedup.c — storage.deduplicate: of the lines with the same key the last one stays.
 *
 * Keys are not held in memory. Pass 1 renders each line's key and writes its digest with the line's
 * number to a file on the worker's disk, in chunks by the digest's first bits. Pass 2 takes one
 * part after the other into a table and marks the last line of each key in a map of bits. Pass 3
 * copies the marked lines. Memory: the open chunks, one part's table, a bit for each line. */
#include "base/limits.h"
#include "sys/fs.h"
#include "worker/core/core_int.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <unistd.h>

enum { PART_BITS = 9, PART_COUNT = 1 << PART_BITS, CHUNK_RECORDS = 170 };

struct record {
    uint64_t key[2]; /* The first half of the SHA-256. */
    uint64_t line;
};

/* As it stands in the file; the last one of a part leads to those before it. */
struct chunk {
    uint64_t before; /* Place of the chunk before it, plus 1; 0: none. */
    uint64_t count;
    struct record records[CHUNK_RECORDS];
};

struct dedup {
    struct bt_core *core;
    int source, file;
    uint64_t chunks;      /* In the file. */
    struct chunk *open;   /* Owned: PART_COUNT. */
    uint64_t *part_count; /* Owned: records of each part. */
    unsigned char *kept;  /* Owned: a bit for each line. */
    uint64_t lines, keys;
    struct bt_out out;
};

static void dedup_done(struct dedup *dedup)
{
    bt_fd_close(&dedup->source);
    bt_fd_close(&dedup->file);
    free(dedup->open);
    free(dedup->part_count);
    free(dedup->kept);
    bt_out_done(&dedup->out);
}

/* --- Pass 1 ----------------------------------------------------------------------------------- */

static int write_chunk(struct dedup *dedup, struct chunk *chunk, struct bt_err *err)
{
    BT_TRY(bt_io_go_on(dedup->core->is_over, err));
    BT_TRY(bt_fs_write(dedup->file, chunk, sizeof *chunk, err));
    chunk->before = ++dedup->chunks;
    chunk->count = 0;
    return BT_OK;
}

static int add_record(struct dedup *dedup, struct bt_str key, struct bt_err *err)
{
    struct sha256_ctx sha;
    uint8_t digest[SHA256_DIGEST_SIZE];
    struct record record = {.line = dedup->lines};
    sha256_init(&sha);
    sha256_update(&sha, key.len, (const uint8_t *)key.at);
    sha256_digest(&sha, sizeof digest, digest);
    memcpy(record.key, digest, sizeof record.key);
    size_t part = record.key[0] >> (64 - PART_BITS);
    struct chunk *chunk = &dedup->open[part];
    chunk->records[chunk->count++] = record;
    dedup->part_count[part]++;
    return chunk->count == CHUNK_RECORDS ? write_chunk(dedup, chunk, err) : BT_OK;
}

static int read_keys(struct dedup *dedup, struct bt_err *err)
{
    struct core_expr expr;
    BT_CLEANUP(bt_rows_done) struct bt_rows rows;
    core_expr_init(&expr, dedup->core, "expr");
    bt_rows_init(&rows, dedup->source, dedup->core->is_over);
    for (;;) {
        struct bt_str line;
        BT_VALUE row = NULL, *key = NULL;
        int rc = core_row_next(&expr, &rows, &line, &row, err);
        if (rc == BT_NOT_FOUND)
            return BT_OK;
        BT_TRY(rc);
        if (dedup->lines == BT_DEDUP_LINES_MAX)
            return bt_fail(err, BT_LIMIT, "the file has more than %u lines", BT_DEDUP_LINES_MAX);
        BT_TRY(core_expr_render(&expr, row, &key, err));
        BT_TRY(add_record(dedup, bt_value_str(key), err));
        dedup->lines++;
    }
}

/* --- Pass 2 ----------------------------------------------------------------------------------- */

/* A table of one part, open addressing; `line` is plus 1, 0 is free. */
struct part_table {
    struct record *slots;
    uint64_t mask;
};

static void keep_last(struct dedup *dedup, const struct part_table *table,
                      const struct chunk *chunk)
{
    for (uint64_t i = 0; i < chunk->count; i++) {
        const struct record *record = &chunk->records[i];
        uint64_t at = record->key[1] & table->mask;
        while (table->slots[at].line &&
               memcmp(table->slots[at].key, record->key, sizeof record->key) != 0)
            at = (at + 1) & table->mask;
        struct record *slot = &table->slots[at];
        dedup->keys += slot->line == 0;
        if (record->line + 1 > slot->line)
            *slot = (struct record){{record->key[0], record->key[1]}, record->line + 1};
    }
}

static int read_part(struct dedup *dedup, size_t part, struct bt_err *err)
{
    struct part_table table = {.mask = 64 - 1};
    while (table.mask < 2 * dedup->part_count[part])
        table.mask = 2 * table.mask + 1;
    BT_TRY(bt_io_go_on(dedup->core->is_over, err));
    if (!(table.slots = calloc(table.mask + 1, sizeof *table.slots)))
        return bt_fail_mem(err, "keys");
    struct chunk *chunk = &dedup->open[part];
    keep_last(dedup, &table, chunk);
    int rc = BT_OK;
    for (uint64_t before = chunk->before; before && rc == BT_OK; before = chunk->before) {
        off_t place = (off_t)((before - 1) * sizeof *chunk);
        if (pread(dedup->file, chunk, sizeof *chunk, place) != (ssize_t)sizeof *chunk)
            rc = bt_fail_errno(err, BT_IO, errno, "cannot read keys");
        else
            keep_last(dedup, &table, chunk);
    }
    for (uint64_t i = 0; i <= table.mask; i++) {
        uint64_t line = table.slots[i].line;
        if (line)
            dedup->kept[(line - 1) / 8] |= (unsigned char)(1u << ((line - 1) % 8));
    }
    free(table.slots);
    return rc;
}

/* --- Pass 3 ----------------------------------------------------------------------------------- */

static int copy_kept(struct dedup *dedup, struct bt_err *err)
{
    BT_CLEANUP(bt_rows_done) struct bt_rows rows;
    struct bt_str line;
    uint64_t number = 0;
    int rc;
    bt_rows_init(&rows, dedup->source, dedup->core->is_over);
    if (lseek(dedup->source, 0, SEEK_SET) < 0)
        return bt_fail_errno(err, BT_IO, errno, "cannot read a file");
    while ((rc = bt_rows_next(&rows, &line, err)) == BT_OK) {
        if (bt_str_trim(line).len == 0)
            continue; /* Not counted in pass 1 either. */
        bool is_kept = dedup->kept[number / 8] >> (number % 8) & 1;
        number++;
        if (!is_kept)
            continue;
        BT_TRY(bt_out_add(&dedup->out, line, err));
        BT_TRY(bt_out_add(&dedup->out, BT_STR("\n"), err));
    }
    return rc == BT_NOT_FOUND ? BT_OK : rc;
}

static int run(struct dedup *dedup, struct bt_err *err)
{
    struct bt_core *core = dedup->core;
    dedup->open = calloc(PART_COUNT, sizeof *dedup->open);
    dedup->part_count = calloc(PART_COUNT, sizeof *dedup->part_count);
    if (!dedup->open || !dedup->part_count)
        return bt_fail_mem(err, "keys");
    BT_TRY(core_open(core, "from", &dedup->source, err));
    BT_TRY(core_temp(core, &dedup->file, err));
    BT_TRY(read_keys(dedup, err));
    if (!(dedup->kept = calloc(dedup->lines / 8 + 1, 1)))
        return bt_fail_mem(err, "lines");
    for (size_t part = 0; part < PART_COUNT; part++)
        BT_TRY(read_part(dedup, part, err));
    BT_TRY(core_create(core, "deduplicate", BT_STR(".ion"), &dedup->out, err));
    BT_TRY(copy_kept(dedup, err));
    BT_TRY(bt_out_commit(&dedup->out, err));
    BT_TRY(core_put(core, "numKeys", bt_value_int((int64_t)dedup->keys), err));
    BT_TRY(core_put(core, "processedItemsTotal", bt_value_int((int64_t)dedup->lines), err));
    int64_t dropped = (int64_t)(dedup->lines - dedup->keys);
    return core_put(core, "droppedItemsTotal", bt_value_int(dropped), err);
}

int core_deduplicate(struct bt_core *core, struct bt_err *err)
{
    struct dedup dedup = {.core = core, .source = -1, .file = -1};
    int rc = run(&dedup, err);
    dedup_done(&dedup);
    return rc;
}

/* digest.c — SHA-256 of a request. */
#include "server/api/digest.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <unistd.h>

/* With its length before it, so that no two requests give the same bytes. */
static void add(struct sha256_ctx *sha, struct bt_str text)
{
    uint64_t len = text.len;
    sha256_update(sha, sizeof len, (const uint8_t *)&len);
    sha256_update(sha, text.len, (const uint8_t *)text.at);
}

/* Without moving the file's position. */
static int add_file(struct sha256_ctx *sha, int fd, struct bt_err *err)
{
    uint8_t block[16384];
    off_t at = 0;
    for (;;) {
        ssize_t got = pread(fd, block, sizeof block, at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return bt_fail_errno(err, BT_IO, errno, "an uploaded file cannot be read");
        if (got == 0)
            return BT_OK;
        sha256_update(sha, (size_t)got, block);
        at += got;
    }
}

int bt_request_digest(const struct bt_request *request, char digest[BT_DIGEST_SIZE],
                      struct bt_err *err)
{
    struct sha256_ctx sha;
    uint8_t out[SHA256_DIGEST_SIZE];
    sha256_init(&sha);
    for (size_t i = 0; i < BT_PATH_PARAMS_MAX; i++)
        add(&sha, request->params[i]);
    for (size_t i = 0; i < request->query_count; i++) {
        if (bt_str_is(request->queries[i].name, "wait"))
            continue;
        add(&sha, request->queries[i].name);
        add(&sha, request->queries[i].value);
    }
    for (size_t i = 0; i < request->part_count; i++) {
        const struct bt_part *part = &request->parts[i];
        add(&sha, part->name);
        add(&sha, part->file_name);
        add(&sha, part->text);
        if (part->fd >= 0)
            BT_TRY(add_file(&sha, part->fd, err));
    }
    add(&sha, bt_buf_str(&request->body));
    sha256_digest(&sha, sizeof out, out);
    for (size_t i = 0; i < sizeof out; i++)
        (void)snprintf(digest + 2 * i, 3, "%02x", out[i]); /* Fits. */
    return BT_OK;
}

/* form.c — Bodies of forms, taken apart while they arrive. Files go to unnamed temporary files,
 * never to memory. */
#include "base/limits.h"
#include "base/utf8.h"
#include "server/http_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

struct bt_form {
    struct MHD_PostProcessor *processor;
    struct bt_part *parts;
    struct bt_buf *texts; /* One a part. */
    size_t count, cap;
    uint64_t text_bytes;
    bool is_multipart;
    struct bt_err err; /* Why it cannot be taken. */
};

static bool starts_like(struct bt_str text, struct bt_str with)
{
    return text.len >= with.len && strncasecmp(text.at, with.at, with.len) == 0;
}

bool form_is_wanted(struct bt_str content_type)
{
    return starts_like(content_type, BT_STR("multipart/form-data")) ||
           starts_like(content_type, BT_STR("application/x-www-form-urlencoded"));
}

static int grow(struct bt_form *form)
{
    if (form->count < form->cap)
        return BT_OK;
    size_t cap = form->cap ? form->cap * 2 : 8;
    struct bt_part *parts = realloc(form->parts, cap * sizeof *parts);
    if (!parts)
        return bt_fail_mem(&form->err, "form");
    form->parts = parts;
    struct bt_buf *texts = realloc(form->texts, cap * sizeof *texts);
    if (!texts)
        return bt_fail_mem(&form->err, "form");
    form->texts = texts;
    form->cap = cap;
    return BT_OK;
}

static int open_part(struct exchange *exchange, const char *name, const char *file_name)
{
    struct bt_form *form = exchange->form;
    struct bt_part part = {.fd = -1};
    if (form->is_multipart && !(name && *name))
        return bt_fail(&form->err, BT_INVALID, "Invalid format: a part of the form has no name");
    if (form->count == BT_FORM_PARTS_MAX)
        return bt_fail(&form->err, BT_LIMIT, "the form has more than %u parts", BT_FORM_PARTS_MAX);
    BT_TRY(grow(form));
    part.name = bt_arena_str(&exchange->request.arena, bt_str_of(name ? name : ""));
    if (file_name)
        part.file_name = bt_arena_str(&exchange->request.arena, bt_str_of(file_name));
    if (!part.name.at || (file_name && !part.file_name.at))
        return bt_fail_mem(&form->err, "form");
    if (file_name) {
        part.fd = open(exchange->server->config.upload_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (part.fd < 0)
            return bt_fail_errno(&form->err, BT_IO, errno, "an uploaded file cannot be kept");
    }
    form->texts[form->count] = (struct bt_buf)BT_BUF_INIT(BT_FORM_TEXT_MAX);
    form->parts[form->count++] = part;
    return BT_OK;
}

static int write_file(struct bt_form *form, struct bt_part *part, const char *at, size_t len)
{
    while (len) {
        ssize_t written = write(part->fd, at, len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return bt_fail_errno(&form->err, BT_IO, errno, "an uploaded file cannot be kept");
        at += written;
        len -= (size_t)written;
        part->size_bytes += (uint64_t)written;
    }
    return BT_OK;
}

static int add(struct exchange *exchange, const char *at, size_t len)
{
    struct bt_form *form = exchange->form;
    struct bt_part *part = &form->parts[form->count - 1];
    if (part->fd >= 0)
        return write_file(form, part, at, len);
    form->text_bytes += len;
    if (form->text_bytes > BT_FORM_TEXT_MAX)
        return bt_fail(&form->err, BT_LIMIT, "the fields of the form have more than %u bytes",
                       BT_FORM_TEXT_MAX);
    struct bt_buf *text = &form->texts[form->count - 1];
    if (bt_buf_add(text, (struct bt_str){at, len}) < 0)
        return bt_buf_check(text, "form", &form->err);
    return BT_OK;
}

static enum MHD_Result on_part(void *data, enum MHD_ValueKind kind, const char *name,
                               const char *file_name, const char *type, const char *encoding,
                               const char *at, uint64_t offset, size_t len)
{
    struct exchange *exchange = data;
    (void)kind;
    (void)type;
    (void)encoding;
    int rc = offset == 0 ? open_part(exchange, name, file_name) : BT_OK;
    if (rc == BT_OK && len)
        rc = add(exchange, at, len);
    return rc == BT_OK ? MHD_YES : MHD_NO;
}

int form_open(struct exchange *exchange, struct bt_err *err)
{
    enum { BUFFER_BYTES = 16384 };
    exchange->form = calloc(1, sizeof *exchange->form);
    if (!exchange->form)
        return bt_fail_mem(err, "form");
    exchange->form->processor =
        bt_mhd.create_post_processor(exchange->connection, BUFFER_BYTES, on_part, exchange);
    struct bt_str type = bt_header(&exchange->request, "Content-Type");
    exchange->form->is_multipart = starts_like(type, BT_STR("multipart/"));
    if (!exchange->form->processor)
        return bt_fail(err, BT_INVALID, "Invalid format: the form has no boundary");
    return BT_OK;
}

bool form_add(struct exchange *exchange, const char *at, size_t len)
{
    struct bt_form *form = exchange->form;
    if (form->err.code)
        return false;
    if (bt_mhd.post_process(form->processor, at, len) == MHD_YES)
        return true;
    if (!form->err.code)
        (void)bt_fail(&form->err, BT_INVALID, "Invalid format: the form is malformed");
    return false;
}

static bool is_text(const struct bt_part *part)
{
    return bt_utf8_is_valid(part->name, NULL) && bt_utf8_is_valid(part->file_name, NULL) &&
           bt_utf8_is_valid(part->text, NULL);
}

int form_close(struct exchange *exchange, struct bt_err *err)
{
    struct bt_form *form = exchange->form;
    enum MHD_Result is_whole = bt_mhd.destroy_post_processor(form->processor);
    form->processor = NULL;
    if (!form->err.code && is_whole == MHD_NO && exchange->body_bytes)
        (void)bt_fail(&form->err, BT_INVALID, "Invalid format: the form ends early");
    if (!form->err.code && !form->count && form->is_multipart &&
        exchange->body_bytes > bt_header(&exchange->request, "Content-Type").len)
        (void)bt_fail(&form->err, BT_INVALID,
                      "Invalid format: the form has no part between its boundaries");
    if (form->err.code) {
        *err = form->err;
        return (int)form->err.code;
    }
    for (size_t i = 0; i < form->count; i++) {
        form->parts[i].text = bt_buf_str(&form->texts[i]);
        if (!is_text(&form->parts[i]))
            return bt_fail(err, BT_INVALID, "Invalid format: the form is no valid UTF-8");
        if (form->parts[i].fd >= 0)
            (void)lseek(form->parts[i].fd, 0, SEEK_SET); /* Cannot fail on a file. */
    }
    exchange->request.parts = form->parts;
    exchange->request.part_count = form->count;
    return BT_OK;
}

void form_free(struct exchange *exchange)
{
    struct bt_form *form = exchange->form;
    if (!form)
        return;
    if (form->processor)
        (void)bt_mhd.destroy_post_processor(form->processor); /* Nobody waits for the rest. */
    for (size_t i = 0; i < form->count; i++) {
        bt_buf_done(&form->texts[i]);
        if (form->parts[i].fd >= 0)
            (void)close(form->parts[i].fd);
    }
    free(form->texts);
    free(form->parts);
    free(form);
}

/* preview.c — What a file looks like at its beginning: text, rows, or a picture as base64. */
#include "service/exec_file.h"

#include "base/limits.h"
#include "base/own.h"
#include "sys/fs.h"
#include "value/json.h"
#include "worker/host/ion.h"
#include "worker/runner/lines.h"

#include <errno.h>
#include <iconv.h>
#include <nettle/base64.h>
#include <unistd.h>

enum kind { KIND_TEXT, KIND_LIST, KIND_IMAGE, KIND_MARKDOWN, KIND_PDF };

static const struct {
    const char *extension;
    enum kind kind;
} kinds[] = {
    {"ion", KIND_LIST},   {"jsonl", KIND_LIST}, {"ndjson", KIND_LIST}, {"jpg", KIND_IMAGE},
    {"jpeg", KIND_IMAGE}, {"png", KIND_IMAGE},  {"svg", KIND_IMAGE},   {"gif", KIND_IMAGE},
    {"bmp", KIND_IMAGE},  {"webp", KIND_IMAGE}, {"md", KIND_MARKDOWN}, {"pdf", KIND_PDF},
};
static const char *const kind_names[] = {"TEXT", "LIST", "IMAGE", "MARKDOWN", "PDF"};

struct preview {
    const struct bt_preview_request *request;
    struct bt_str extension;
    enum kind kind;
    int64_t size_bytes;
    struct bt_buf raw; /* The beginning of the file. */
    bool is_truncated;
};

static void find_kind(struct preview *preview, struct bt_str name)
{
    size_t dot = name.len;
    while (dot && name.at[dot - 1] != '.' && name.at[dot - 1] != '/')
        dot--;
    if (dot && name.at[dot - 1] == '.')
        preview->extension = bt_str_slice(name, dot, name.len);
    for (size_t i = 0; preview->extension.len && i < BT_COUNT(kinds); i++)
        if (preview->extension.len == strlen(kinds[i].extension) &&
            strncasecmp(preview->extension.at, kinds[i].extension, preview->extension.len) == 0)
            preview->kind = kinds[i].kind;
}

static int read_start(struct preview *preview, int fd, size_t most, struct bt_err *err)
{
    struct bt_buf *raw = &preview->raw;
    if (bt_buf_reserve(raw, most + 1) < 0)
        return bt_fail_mem(err, "preview");
    while (raw->len < most) {
        ssize_t got = read(fd, raw->at + raw->len, most - raw->len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return bt_fail_errno(err, BT_IO, errno, "the file cannot be read");
        if (got == 0)
            break;
        raw->len += (size_t)got;
    }
    preview->is_truncated = (int64_t)raw->len < preview->size_bytes;
    return BT_OK;
}

/* --- Text ------------------------------------------------------------------------------------- */

static const char replacement[3] = {'\xEF', '\xBF', '\xBD'}; /* U+FFFD */

/* Recodes what can be; what is no text becomes U+FFFD. */
static int decode(const struct preview *preview, struct bt_buf *out, struct bt_err *err)
{
    struct bt_str raw = bt_buf_str(&preview->raw), encoding = preview->request->encoding;
    BT_CLEANUP(bt_buf_done) struct bt_buf name = BT_BUF_INIT(64);
    if (!encoding.len || bt_str_is(encoding, "UTF-8"))
        return bt_text_clean(raw, out);
    (void)bt_buf_add(&name, encoding); /* Too long is unknown. */
    const char *from = bt_buf_cstr(&name);
    iconv_t converter = from ? iconv_open("UTF-8", from) : (iconv_t)-1;
    if (converter == (iconv_t)-1)
        return bt_fail(err, BT_INVALID, "Illegal argument: unknown encoding '%.*s'",
                       BT_FMT(encoding));
    size_t in_left = raw.len, out_left = 4 * raw.len;
    char *in = (char *)(uintptr_t)raw.at;
    int rc = bt_buf_reserve(out, out_left + 1);
    char *at = out->at;
    while (rc == BT_OK && in_left &&
           iconv(converter, &in, &in_left, &at, &out_left) == (size_t)-1) {
        if (errno != EILSEQ || !in_left || out_left < sizeof replacement)
            break; /* The last character was cut. */
        in++, in_left--;
        memcpy(at, replacement, sizeof replacement);
        at += sizeof replacement, out_left -= sizeof replacement;
    }
    if (rc == BT_OK)
        out->len = (size_t)(at - out->at);
    (void)iconv_close(converter);
    return rc < 0 ? bt_fail_mem(err, "preview") : BT_OK;
}

/* The first lines of a text. */
static struct bt_str first_lines(struct preview *preview, struct bt_str text)
{
    size_t at = 0;
    for (uint32_t i = 0; i < preview->request->rows_max && at < text.len; i++) {
        ptrdiff_t end = bt_str_find(text, BT_STR("\n"), at);
        at = end < 0 ? text.len : (size_t)end + 1;
    }
    preview->is_truncated |= at < text.len;
    return bt_str_slice(text, 0, at);
}

static int text_content(struct preview *preview, struct bt_value **ret_content, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(4u * BT_PREVIEW_TEXT_MAX + 64);
    BT_TRY(decode(preview, &text, err));
    *ret_content = bt_value_string(first_lines(preview, bt_buf_str(&text)));
    return *ret_content ? BT_OK : bt_fail_mem(err, "preview");
}

/* --- Rows ------------------------------------------------------------------------------------- */

static struct bt_value *row_of(struct bt_str line)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf json = BT_BUF_INIT(BT_ROW_BYTES_MAX);
    struct bt_value *row = NULL;
    if (bt_json_parse(line, NULL, &row, NULL) == BT_OK)
        return row;
    if (bt_ion_to_json(line, &json) == BT_OK &&
        bt_json_parse(bt_buf_str(&json), NULL, &row, NULL) == BT_OK)
        return row;
    return bt_value_string(line); /* Shown as it is. */
}

static int list_content(struct preview *preview, struct bt_value **ret_content, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(4u * BT_PREVIEW_TEXT_MAX + 64);
    BT_VALUE list = bt_list_new(0);
    BT_TRY(decode(preview, &text, err));
    struct bt_str all = first_lines(preview, bt_buf_str(&text));
    for (size_t at = 0; list && at < all.len;) {
        ptrdiff_t end = bt_str_find(all, BT_STR("\n"), at);
        bool is_cut = end < 0 && (int64_t)preview->raw.len < preview->size_bytes;
        struct bt_str line = bt_str_trim(bt_str_slice(all, at, end < 0 ? all.len : (size_t)end));
        at = end < 0 ? all.len : (size_t)end + 1;
        if (line.len && !is_cut && bt_list_push(list, row_of(line)) < 0)
            return bt_fail_mem(err, "preview");
    }
    *ret_content = BT_TAKE(list);
    return *ret_content ? BT_OK : bt_fail_mem(err, "preview");
}

/* --- Pictures --------------------------------------------------------------------------------- */

static int base64_content(struct preview *preview, struct bt_value **ret_content,
                          struct bt_err *err)
{
    size_t len = BASE64_ENCODE_RAW_LENGTH(preview->raw.len);
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(len + 1);
    if (bt_buf_reserve(&text, len + 1) < 0)
        return bt_fail_mem(err, "preview");
    nettle_base64_encode_raw(text.at, preview->raw.len, (const uint8_t *)preview->raw.at);
    text.len = len;
    *ret_content = bt_value_string(bt_buf_str(&text));
    return *ret_content ? BT_OK : bt_fail_mem(err, "preview");
}

/* --- All -------------------------------------------------------------------------------------- */

static int load(struct preview *preview, int fd, struct bt_value **ret_content, struct bt_err *err)
{
    bool is_picture = preview->kind == KIND_IMAGE || preview->kind == KIND_PDF;
    if (is_picture && preview->size_bytes > BT_PREVIEW_PICTURE_MAX)
        return bt_fail(err, BT_INVALID,
                       "Illegal argument: the file has %lld bytes; up to %u can be shown: download "
                       "it",
                       (long long)preview->size_bytes, BT_PREVIEW_PICTURE_MAX);
    BT_TRY(read_start(preview, fd, is_picture ? BT_PREVIEW_PICTURE_MAX : BT_PREVIEW_TEXT_MAX, err));
    switch (preview->kind) {
    case KIND_LIST: return list_content(preview, ret_content, err);
    case KIND_IMAGE:
    case KIND_PDF: return base64_content(preview, ret_content, err);
    case KIND_TEXT:
    case KIND_MARKDOWN: break;
    }
    return text_content(preview, ret_content, err);
}

int bt_service_preview(struct bt_service *service, const struct bt_principal *principal,
                       const struct bt_preview_request *request, struct bt_value **ret_preview,
                       struct bt_err *err)
{
    struct preview preview = {.request = request, .raw = BT_BUF_INIT(BT_PREVIEW_PICTURE_MAX + 2)};
    BT_FD fd = -1;
    BT_VALUE content = NULL, *map = bt_map_new(5);
    find_kind(&preview, request->uri);
    BT_TRY(
        bt_files_size(service->files, principal->tenant, request->uri, &preview.size_bytes, err));
    BT_TRY(bt_files_open(service->files, principal->tenant, request->uri, &fd, err));
    int rc = load(&preview, fd, &content, err);
    bt_buf_done(&preview.raw);
    BT_TRY(rc);
    rc = bt_map_puts(map, "extension", bt_value_string(preview.extension));
    rc |= bt_map_puts(map, "type", bt_value_cstr(kind_names[preview.kind]));
    rc |= bt_map_puts(map, "content", BT_TAKE(content));
    rc |= bt_map_puts(map, "maxLine", bt_value_int(request->rows_max));
    rc |= bt_map_puts(map, "truncated", bt_value_bool(preview.is_truncated));
    if (rc != BT_OK)
        return bt_fail_mem(err, "preview");
    *ret_preview = BT_TAKE(map);
    return BT_OK;
}

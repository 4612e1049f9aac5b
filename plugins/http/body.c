/* body.c — What the request carries: a text, JSON, a form, a multipart form or a file. Files of the
 * internal storage are streamed, never held in memory. */
#include "http_int.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A part of a multipart form that is a file: opened when it is sent, again when it is sent again.
 */
struct file_part {
    struct http_call *call;
    struct bt_reader *reader;
    char uri[];
};

bool http_is_storage_uri(struct bt_text text)
{
    return text.at &&
           (strncmp(text.at, "baton:///", 9) == 0 || strncmp(text.at, "kestra:///", 10) == 0) &&
           strlen(text.at) == text.len && !strpbrk(text.at, "\r\n\t ");
}

/* --- Which body ------------------------------------------------------------------------------- */

static void add_field(struct bytes *form, struct bt_text name, struct bt_text json)
{
    struct bytes value = {.max = HTTP_FORM_BYTES_MAX};
    bytes_add_unquoted(&value, json);
    if (form->len > 0)
        bytes_add(form, "&", 1);
    bytes_add_escaped(form, name, "+");
    bytes_add(form, "=", 1);
    bytes_add_escaped(form, bytes_text(&value), "+");
    form->is_failed |= value.is_failed;
    bytes_done(&value);
}

/* A list repeats its field; a map is JSON. */
static void add_form_entry(struct http_call *call, struct bt_text name, struct bt_text json)
{
    struct bytes path = {.max = HTTP_FORM_BYTES_MAX};
    if (json.at[0] != '[') {
        add_field(&call->form, name, json);
        return;
    }
    struct bt_text item;
    bytes_adds(&path, "formData.");
    bytes_add(&path, name.at, name.len);
    for (size_t i = 0;
         !path.is_failed && call->host->prop_at(call->run, path.at, i, NULL, &item) == BT_PLUGIN_OK;
         i++)
        add_field(&call->form, name, item);
    call->form.is_failed |= path.is_failed;
    bytes_done(&path);
}

static int read_form(struct http_call *call)
{
    struct bt_text name, json;
    call->body_kind = HTTP_BODY_FORM;
    for (size_t i = 0; call->host->prop_at(call->run, "formData", i, &name, &json) == BT_PLUGIN_OK;
         i++)
        if (json.len > 0 && strcmp(json.at, "null") != 0)
            add_form_entry(call, name, json);
    if (call->form.is_failed)
        return HTTP_FAIL(call, "formData is larger than %d bytes", HTTP_FORM_BYTES_MAX);
    call->body = bytes_text(&call->form);
    return BT_PLUGIN_OK;
}

int http_body_read(struct http_call *call)
{
    const char *type = call->opt.content_type;
    const char *file = http_prop(call, "bodyFile");
    if (call->host->prop_json(call->run, "formData").at) {
        if (!type || strncasecmp(type, "multipart/", 10) != 0)
            return read_form(call);
        call->body_kind = HTTP_BODY_MULTIPART;
        return BT_PLUGIN_OK;
    }
    if (file) {
        if (!http_is_storage_uri(text_of(file)))
            return HTTP_FAIL(call, "bodyFile: '%.200s' is no file of the internal storage", file);
        call->body_kind = HTTP_BODY_FILE;
        return BT_PLUGIN_OK;
    }
    /* A map or a list gives its JSON, a text itself. */
    call->body = call->host->prop_text(call->run, "body");
    if (call->body.at)
        call->body_kind = HTTP_BODY_TEXT;
    return BT_PLUGIN_OK;
}

/* --- Files ------------------------------------------------------------------------------------ */

static int open_file(struct http_call *call, const char *uri, struct bt_reader **ret_reader)
{
    int rc = call->host->file_open(call->run, uri, ret_reader);
    if (rc == BT_PLUGIN_NOT_FOUND)
        return HTTP_FAIL(call, "the file '%s' does not exist", uri);
    return rc == BT_PLUGIN_OK ? rc : HTTP_FAIL(call, "the file '%s' cannot be read", uri);
}

static size_t read_upload(char *at, size_t size, size_t count, void *data)
{
    struct http_call *call = data;
    ptrdiff_t got = call->upload ? call->host->file_read(call->upload, at, size * count) : 0;
    call->activity++;
    return got < 0 ? CURL_READFUNC_ABORT : (size_t)got;
}

static int rewind_upload(void *data, curl_off_t offset, int origin)
{
    struct http_call *call = data;
    if (offset != 0 || origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    if (call->upload)
        call->host->file_close(call->upload);
    call->upload = NULL;
    int rc = open_file(call, http_prop(call, "bodyFile"), &call->upload);
    return rc == BT_PLUGIN_OK ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

static int set_file(struct http_call *call)
{
    if (call->upload)
        call->host->file_close(call->upload);
    call->upload = NULL;
    int rc = open_file(call, http_prop(call, "bodyFile"), &call->upload);
    if (rc != BT_PLUGIN_OK)
        return rc;
    curl_easy_setopt(call->easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(call->easy, CURLOPT_READFUNCTION, read_upload);
    curl_easy_setopt(call->easy, CURLOPT_READDATA, call);
    curl_easy_setopt(call->easy, CURLOPT_SEEKFUNCTION, rewind_upload);
    curl_easy_setopt(call->easy, CURLOPT_SEEKDATA, call);
    curl_easy_setopt(call->easy, CURLOPT_INFILESIZE_LARGE,
                     (curl_off_t)call->host->file_size(call->upload));
    return BT_PLUGIN_OK;
}

/* --- Multipart -------------------------------------------------------------------------------- */

static size_t read_part(char *at, size_t size, size_t count, void *data)
{
    struct file_part *part = data;
    ptrdiff_t got = part->call->host->file_read(part->reader, at, size * count);
    part->call->activity++;
    return got < 0 ? CURL_READFUNC_ABORT : (size_t)got;
}

static int rewind_part(void *data, curl_off_t offset, int origin)
{
    struct file_part *part = data;
    struct bt_reader *reader = NULL;
    if (offset != 0 || origin != SEEK_SET ||
        open_file(part->call, part->uri, &reader) != BT_PLUGIN_OK)
        return CURL_SEEKFUNC_FAIL;
    part->call->host->file_close(part->reader);
    part->reader = reader;
    return CURL_SEEKFUNC_OK;
}

static void free_part(void *data)
{
    struct file_part *part = data;
    part->call->host->file_close(part->reader);
    free(part);
}

/* `file_name` NULL: the last part of the URI. */
static int add_file(struct http_call *call, curl_mimepart *part, struct bt_text uri,
                    const char *file_name)
{
    struct file_part *source = calloc(1, sizeof *source + uri.len + 1);
    if (!source)
        return HTTP_FAIL(call, "out of memory");
    source->call = call;
    memcpy(source->uri, uri.at, uri.len);
    int rc = open_file(call, source->uri, &source->reader);
    if (rc != BT_PLUGIN_OK) {
        free(source);
        return rc;
    }
    const char *slash = strrchr(source->uri, '/');
    curl_mime_filename(part, file_name ? file_name : slash + 1);
    curl_mime_data_cb(part, call->host->file_size(source->reader), read_part, rewind_part,
                      free_part, source);
    return BT_PLUGIN_OK;
}

/* {name: …, content: …, contentType: …}: a file under a name of its own. */
static int add_named(struct http_call *call, curl_mimepart *part, const char *path)
{
    static const char *const keys[] = {".name", ".content", ".contentType"};
    const char *found[3];
    for (size_t i = 0; i < 3; i++) {
        struct bytes inner = {.max = HTTP_FORM_BYTES_MAX};
        bytes_adds(&inner, path);
        bytes_adds(&inner, keys[i]);
        struct bt_text text =
            inner.is_failed ? (struct bt_text){0} : call->host->prop_text(call->run, inner.at);
        found[i] = text.at;
        bytes_done(&inner);
    }
    if (!found[0] || !found[1])
        return BT_PLUGIN_NOT_FOUND;
    if (found[2])
        curl_mime_type(part, found[2]);
    if (http_is_storage_uri(text_of(found[1])))
        return add_file(call, part, text_of(found[1]), found[0]);
    curl_mime_filename(part, found[0]);
    curl_mime_data(part, found[1], strlen(found[1]));
    return BT_PLUGIN_OK;
}

/* One value of formData, or one item of a list there. */
static int add_part(struct http_call *call, struct bt_text name, const char *path,
                    struct bt_text json)
{
    struct bytes text = {.max = HTTP_FORM_BYTES_MAX};
    curl_mimepart *part = curl_mime_addpart(call->mime);
    if (!part || curl_mime_name(part, name.at) != CURLE_OK || !bytes_add_unquoted(&text, json)) {
        bytes_done(&text);
        return HTTP_FAIL(call, "formData: '%.100s' does not fit into memory", name.at);
    }
    int rc = json.at[0] == '{' ? add_named(call, part, path) : BT_PLUGIN_NOT_FOUND;
    if (rc == BT_PLUGIN_NOT_FOUND && json.at[0] == '"' && http_is_storage_uri(bytes_text(&text)))
        rc = add_file(call, part, bytes_text(&text), NULL);
    else if (rc == BT_PLUGIN_NOT_FOUND) {
        if (json.at[0] == '{' || json.at[0] == '[')
            curl_mime_type(part, "application/json");
        curl_mime_data(part, text.at, text.len);
        rc = BT_PLUGIN_OK;
    }
    bytes_done(&text);
    return rc;
}

/* A list whose items are files gives a part for each of them; any other list is JSON. */
static bool is_file_list(struct http_call *call, const char *path, struct bt_text json)
{
    struct bytes text = {.max = HTTP_FORM_BYTES_MAX};
    struct bt_text item;
    bool is_one = json.at[0] == '[' &&
                  call->host->prop_at(call->run, path, 0, NULL, &item) == BT_PLUGIN_OK &&
                  item.at[0] == '"' && bytes_add_unquoted(&text, item) &&
                  http_is_storage_uri(bytes_text(&text));
    bytes_done(&text);
    return is_one;
}

static int add_parts(struct http_call *call, struct bt_text name, struct bt_text json)
{
    struct bytes path = {.max = HTTP_FORM_BYTES_MAX};
    struct bt_text item;
    bytes_adds(&path, "formData.");
    bytes_add(&path, name.at, name.len);
    int rc = BT_PLUGIN_OK;
    if (path.is_failed)
        rc = HTTP_FAIL(call, "out of memory");
    else if (!is_file_list(call, path.at, json))
        rc = add_part(call, name, path.at, json);
    else
        for (size_t i = 0; rc == BT_PLUGIN_OK &&
                           call->host->prop_at(call->run, path.at, i, NULL, &item) == BT_PLUGIN_OK;
             i++)
            rc = add_part(call, name, "", item);
    bytes_done(&path);
    return rc;
}

static int set_multipart(struct http_call *call)
{
    struct bt_text name, json;
    curl_mime_free(call->mime);
    call->mime = curl_mime_init(call->easy);
    if (!call->mime)
        return HTTP_FAIL(call, "out of memory");
    for (size_t i = 0; call->host->prop_at(call->run, "formData", i, &name, &json) == BT_PLUGIN_OK;
         i++) {
        int rc = json.len > 0 && strcmp(json.at, "null") != 0 ? add_parts(call, name, json)
                                                              : BT_PLUGIN_OK;
        if (rc != BT_PLUGIN_OK)
            return rc;
    }
    curl_easy_setopt(call->easy, CURLOPT_MIMEPOST, call->mime);
    return BT_PLUGIN_OK;
}

/* --- On the handle ---------------------------------------------------------------------------- */

int http_body_set(struct http_call *call)
{
    enum http_body kind = call->is_bodiless ? HTTP_BODY_NONE : call->body_kind;
    int rc = BT_PLUGIN_OK;
    switch (kind) {
    case HTTP_BODY_NONE:
        if (strcmp(call->method, "HEAD") == 0)
            curl_easy_setopt(call->easy, CURLOPT_NOBODY, 1L);
        else if (strcmp(call->method, "POST") == 0 || strcmp(call->method, "PUT") == 0 ||
                 strcmp(call->method, "PATCH") == 0) { /* Say "Content-Length: 0". */
            curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
            curl_easy_setopt(call->easy, CURLOPT_POSTFIELDS, "");
        }
        break;
    case HTTP_BODY_TEXT:
    case HTTP_BODY_FORM:
        curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
        curl_easy_setopt(call->easy, CURLOPT_POSTFIELDS, call->body.at);
        break;
    case HTTP_BODY_MULTIPART: rc = set_multipart(call); break;
    case HTTP_BODY_FILE: rc = set_file(call); break;
    }
    curl_easy_setopt(call->easy, CURLOPT_CUSTOMREQUEST, call->method);
    return rc;
}

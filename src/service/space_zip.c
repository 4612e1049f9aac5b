/* space_zip.c — Namespace files as archives, in and out. */
#include "service/space_int.h"

#include "base/limits.h"
#include "base/own.h"
#include "files/zip.h"
#include "service/flow_many.h"
#include "sys/fs.h"

#include <sys/stat.h>

static const struct bt_str flow_folder = {"_flows/", 7};

/* --- In --------------------------------------------------------------------------------------- */

struct unzip {
    struct bt_service *service;
    const struct bt_principal *principal;
    const char *namespace;
    struct bt_err *err;
};

static int ignore(void *data, const struct bt_found_flow *found)
{
    (void)data;
    (void)found;
    return BT_OK;
}

static int unzip_flow(struct unzip *unzip, struct bt_str name, struct bt_zip_entry *entry)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(BT_YAML_BYTES_MAX + 65536u);
    struct bt_diags diags = BT_DIAGS_INIT;
    int64_t got = 1;
    while (got > 0 && bt_buf_reserve(&text, 65536) == BT_OK) {
        got = bt_zip_read(entry, text.at + text.len, 65536, unzip->err);
        text.len += got > 0 ? (size_t)got : 0;
    }
    if (got < 0)
        return (int)got;
    BT_TRY(bt_buf_check(&text, "a flow", unzip->err));
    struct bt_flow_pushes pushes = {.text = bt_buf_str(&text),
                                    .namespace = bt_str_of(unzip->namespace),
                                    .overrides = true,
                                    .diags = &diags};
    int rc = bt_service_push_flows(unzip->service, unzip->principal, &pushes,
                                   &(struct bt_found_sink){ignore, NULL}, unzip->err);
    bt_diags_done(&diags);
    return rc < 0 ? bt_err_prefix(unzip->err, "%.*s", BT_FMT(name)) : BT_OK;
}

static int unzip_file(struct unzip *unzip, struct bt_str name, struct bt_zip_entry *entry)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf uri = BT_BUF_INIT(8192);
    struct bt_file_writer *writer = NULL;
    struct bt_files *files = unzip->service->files;
    char block[16384];
    int64_t got = 0;
    BT_TRY(space_uri(&(struct bt_space_file){unzip->namespace, name}, false, &uri, unzip->err));
    BT_TRY(bt_files_create(files, unzip->principal->tenant, bt_buf_str(&uri), &writer, unzip->err));
    int rc = BT_OK;
    while (rc == BT_OK && (got = bt_zip_read(entry, block, sizeof block, unzip->err)) > 0)
        rc = bt_file_write(writer, block, (size_t)got, unzip->err);
    if (rc == BT_OK && got < 0)
        rc = (int)got;
    if (rc == BT_OK)
        return bt_file_commit(writer, unzip->err);
    bt_file_abort(writer);
    return rc;
}

static int unzip_one(void *data, struct bt_str name, struct bt_zip_entry *entry)
{
    while (name.len && name.at[0] == '/')
        name = bt_str_slice(name, 1, name.len);
    return bt_str_starts(name, flow_folder) ? unzip_flow(data, name, entry)
                                            : unzip_file(data, name, entry);
}

int bt_service_space_unzip(struct bt_service *service, const struct bt_principal *principal,
                           const char *namespace, int fd, struct bt_err *err)
{
    struct unzip unzip = {service, principal, namespace, err};
    return bt_zip_walk(fd, &(struct bt_zip_sink){unzip_one, &unzip}, err);
}

/* --- Out -------------------------------------------------------------------------------------- */

struct zip {
    struct bt_service *service;
    const struct bt_principal *principal;
    const char *namespace;
    struct bt_zip_writer *writer;
    struct bt_err *err;
};

static int zip_file(void *data, struct bt_str path)
{
    struct zip *zip = data;
    BT_FD fd = -1;
    struct stat at;
    struct bt_space_file file = {zip->namespace, path};
    int rc = bt_service_space_open(zip->service, zip->principal, &file, &fd, zip->err);
    if (rc == BT_NOT_FOUND)
        return BT_OK; /* Deleted just now. */
    BT_TRY(rc);
    if (fstat(fd, &at) < 0)
        return bt_fail(zip->err, BT_IO, "a file cannot be read");
    return bt_zip_add_fd(zip->writer, bt_str_slice(path, 1, path.len), fd, at.st_size, zip->err);
}

static int zip_flow(void *data, const struct bt_found_flow *found)
{
    struct zip *zip = data;
    BT_CLEANUP(bt_buf_done) struct bt_buf name = BT_BUF_INIT(1024);
    (void)bt_buf_addf(&name, "_flows/%s.yml", found->flow->id); /* Ids are short. */
    return bt_zip_add(zip->writer, bt_buf_str(&name), found->flow->source, zip->err);
}

int bt_service_space_zip(struct bt_service *service, const struct bt_principal *principal,
                         const char *namespace, int fd, struct bt_err *err)
{
    struct zip zip = {service, principal, namespace, NULL, err};
    struct space_walk walk = {.service = service,
                              .principal = principal,
                              .namespace = namespace,
                              .each = zip_file,
                              .data = &zip,
                              .err = err};
    struct bt_flow_query query = {.namespace = bt_str_of(namespace), .is_exact = true};
    BT_TRY(bt_zip_create(fd, &zip.writer, err));
    int rc = space_walk(&walk);
    if (rc == BT_OK)
        rc = bt_service_flows(service, principal, &query, &(struct bt_found_sink){zip_flow, &zip},
                              err);
    if (rc == BT_OK)
        return bt_zip_finish(zip.writer, err);
    bt_zip_abort(zip.writer);
    return rc;
}

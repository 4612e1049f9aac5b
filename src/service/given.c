/* given.c — Inputs that somebody gives: names checked, files stored. */
#include "service/given_int.h"

#include "base/limits.h"
#include "base/own.h"
#include "sys/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int given_folder(const struct bt_exec *exec, const char *folder, struct bt_buf *out)
{
    for (const char *c = exec->namespace; *c; c++)
        BT_TRY(bt_buf_addc(out, *c == '.' ? '/' : *c));
    return bt_buf_addf(out, "/%s/executions/%s/%s", exec->flow_id, exec->id.text, folder);
}

/* baton:///<namespace>/<flow>/executions/<id>/<folder>/<input>/<file name> */
static int input_uri(const struct given *given, const struct bt_input_file *file,
                     struct bt_buf *out)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf path = BT_BUF_INIT(4096);
    BT_TRY(given_folder(given->exec, given->folder, &path));
    const char *slash = strrchr(file->path, '/');
    BT_TRY(bt_buf_addf(&path, "/%s/", file->input));
    BT_TRY(bt_files_add_escaped(bt_str_of(slash ? slash + 1 : file->path), &path));
    return bt_files_uri(bt_buf_str(&path), out);
}

/* Only files: a pipe could keep the caller waiting for ever, and a device has no end. */
static int open_input(const struct bt_input_file *file, int *ret_fd, struct bt_err *err)
{
    BT_FD fd = file->fd ? fcntl(file->fd, F_DUPFD_CLOEXEC, 0)
                        : open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return bt_fail_errno(err, BT_INVALID, errno, "input '%s': cannot open '%s'", file->input,
                             file->path);
    struct stat at;
    if (fstat(fd, &at) < 0)
        return bt_fail_errno(err, BT_IO, errno, "input '%s': cannot read '%s'", file->input,
                             file->path);
    if (S_ISDIR(at.st_mode))
        return bt_fail(err, BT_INVALID, "input '%s': '%s' is a directory", file->input, file->path);
    if (!S_ISREG(at.st_mode)) {
        (void)bt_fail(err, BT_INVALID, "input '%s': '%s' is a pipe or a device", file->input,
                      file->path);
        return bt_hint(err, "write what it gives into a file first");
    }
    *ret_fd = bt_fd_take(&fd);
    return BT_OK;
}

/* Names the file among the inputs; store_file() then copies it. */
static int name_file(const struct given *given, const struct bt_input_file *file,
                     struct bt_value *inputs, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf uri = BT_BUF_INIT(8192);
    if (input_uri(given, file, &uri) < 0)
        return bt_fail(err, BT_INVALID, "input '%s': the file name is too long", file->input);
    if (bt_map_puts(inputs, file->input, bt_value_string(bt_buf_str(&uri))) < 0)
        return bt_fail_mem(err, "inputs");
    return BT_OK;
}

static bool is_given_file(const struct given *given, const char *input)
{
    for (size_t i = 0; i < given->file_count; i++)
        if (strcmp(given->files[i].input, input) == 0)
            return true;
    return false;
}

/* A FILE input given as text names a file of the internal storage. */
static int check_uris(struct bt_service *service, const struct given *given, struct bt_err *err)
{
    for (uint32_t i = 0; i < given->set.count; i++) {
        const struct bt_input *input = &given->set.items[i];
        struct bt_str uri = bt_map_str(given->inputs, input->id);
        int64_t size;
        if (input->type != BT_INPUT_FILE || !uri.at || is_given_file(given, input->id) ||
            bt_files_size(service->files, given->exec->tenant, uri, &size, NULL) == BT_OK)
            continue;
        (void)bt_fail(err, BT_INVALID,
                      "Invalid input for `%s`, Expected a file of the internal storage, but "
                      "received `%.*s`",
                      input->id, BT_FMT(uri));
        return bt_hint(err, "give a file of this machine with -f %s=@PATH", input->id);
    }
    return BT_OK;
}

static int check_files(const struct given *given, struct bt_err *err)
{
    for (size_t i = 0; i < given->file_count; i++) {
        const char *name = given->files[i].input;
        const struct bt_input *input = bt_inputs_find(&given->set, bt_str_of(name));
        if (!input)
            return bt_fail(err, BT_INVALID, "the flow has no input '%s'", name);
        if (input->type != BT_INPUT_FILE)
            return bt_fail(err, BT_INVALID, "the input '%s' is not of type FILE", name);
    }
    return BT_OK;
}

static int check_names(const struct given *given, struct bt_err *err)
{
    for (size_t i = 0; i < bt_value_count(given->inputs); i++) {
        struct bt_str name = bt_map_key(given->inputs, i);
        if (bt_inputs_find(&given->set, name))
            continue;
        const char *ids[64];
        size_t count = 0;
        for (uint32_t j = 0; j < given->set.count && count < BT_COUNT(ids); j++)
            ids[count++] = given->set.items[j].id;
        const char *near = bt_str_nearest(name, ids, count);
        (void)bt_fail(err, BT_INVALID, "the flow has no input '%.*s'", BT_FMT(name));
        if (near)
            (void)bt_hint(err, "did you mean '%s'?", near);
        return BT_INVALID;
    }
    return BT_OK;
}

int given_name(struct bt_service *service, const struct given *given, struct bt_value **ret_named,
               struct bt_err *err)
{
    BT_VALUE named = given->inputs ? bt_value_copy(given->inputs) : bt_map_new(0);
    if (!named)
        return bt_fail_mem(err, "inputs");
    BT_TRY(check_names(given, err));
    BT_TRY(check_files(given, err));
    BT_TRY(check_uris(service, given, err));
    for (size_t i = 0; i < given->file_count; i++)
        BT_TRY(name_file(given, &given->files[i], named, err));
    *ret_named = BT_TAKE(named);
    return BT_OK;
}

static int store_file(struct bt_service *service, const struct given *given,
                      const struct bt_input_file *file, struct bt_str uri, struct bt_err *err)
{
    BT_FD fd = -1;
    BT_TRY(open_input(file, &fd, err));
    if (bt_files_put_fd(service->files, given->exec->tenant, uri, fd, err) < 0)
        return bt_err_prefix(err, "input '%s'", file->input);
    return BT_OK;
}

int given_store(struct bt_service *service, const struct given *given, const struct bt_value *named,
                struct bt_err *err)
{
    for (size_t i = 0; i < given->file_count; i++)
        BT_TRY(store_file(service, given, &given->files[i],
                          bt_map_str(named, given->files[i].input), err));
    return BT_OK;
}

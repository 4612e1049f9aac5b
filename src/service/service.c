/* service.c — Use cases over the runner and the files. */
#include "service/service.h"

#include "engine/execution/create.h"

#include "base/limits.h"
#include "base/own.h"
#include "sys/fs.h"
#include "sys/random.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct bt_input *find_input(const struct bt_flow *flow, const char *id)
{
    for (uint32_t i = 0; i < flow->input_count; i++)
        if (strcmp(flow->inputs[i].id, id) == 0)
            return &flow->inputs[i];
    return NULL;
}

/* <namespace>/<flow>/executions/<id>/ */
static int exec_path(const struct bt_exec *exec, struct bt_buf *out)
{
    for (const char *c = exec->namespace; *c; c++)
        BT_TRY(bt_buf_addc(out, *c == '.' ? '/' : *c));
    return bt_buf_addf(out, "/%s/executions/%s/", exec->flow_id, exec->id.text);
}

/* baton:///<namespace>/<flow>/executions/<id>/inputs/<input>/<file name> */
static int input_uri(const struct bt_exec *exec, const struct bt_input_file *file,
                     struct bt_buf *out)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf path = BT_BUF_INIT(4096);
    BT_TRY(exec_path(exec, &path));
    const char *slash = strrchr(file->path, '/');
    BT_TRY(bt_buf_addf(&path, "inputs/%s/", file->input));
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
static int name_file(const struct bt_exec *exec, const struct bt_input_file *file,
                     struct bt_value *inputs, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf uri = BT_BUF_INIT(8192);
    if (input_uri(exec, file, &uri) < 0)
        return bt_fail(err, BT_INVALID, "input '%s': the file name is too long", file->input);
    if (bt_map_puts(inputs, file->input, bt_value_string(bt_buf_str(&uri))) < 0)
        return bt_fail_mem(err, "inputs");
    return BT_OK;
}

static int store_file(struct bt_service *service, const struct bt_exec *exec,
                      const struct bt_input_file *file, const struct bt_value *inputs,
                      struct bt_err *err)
{
    BT_FD fd = -1;
    BT_TRY(open_input(file, &fd, err));
    struct bt_str uri = bt_map_str(inputs, file->input);
    if (bt_files_put_fd(service->files, exec->tenant, uri, fd, err) < 0)
        return bt_err_prefix(err, "input '%s'", file->input);
    return BT_OK;
}

static bool is_given_file(const struct bt_start_request *request, const char *input)
{
    for (size_t i = 0; i < request->file_count; i++)
        if (strcmp(request->files[i].input, input) == 0)
            return true;
    return false;
}

/* A FILE input given as text names a file of the internal storage. */
static int check_uris(struct bt_service *service, const struct bt_start_request *request,
                      const struct bt_exec *exec, struct bt_err *err)
{
    for (uint32_t i = 0; i < request->flow->input_count; i++) {
        const struct bt_input *input = &request->flow->inputs[i];
        struct bt_str uri = bt_map_str(request->inputs, input->id);
        int64_t size;
        if (input->type != BT_INPUT_FILE || !uri.at || is_given_file(request, input->id) ||
            bt_files_size(service->files, exec->tenant, uri, &size, NULL) == BT_OK)
            continue;
        (void)bt_fail(err, BT_INVALID,
                      "Invalid input for `%s`, Expected a file of the internal storage, but "
                      "received `%.*s`",
                      input->id, BT_FMT(uri));
        return bt_hint(err, "give a file of this machine with -f %s=@PATH", input->id);
    }
    return BT_OK;
}

static int check_files(const struct bt_start_request *request, struct bt_err *err)
{
    for (size_t i = 0; i < request->file_count; i++) {
        const struct bt_input *input = find_input(request->flow, request->files[i].input);
        if (!input)
            return bt_fail(err, BT_INVALID, "the flow has no input '%s'", request->files[i].input);
        if (input->type != BT_INPUT_FILE)
            return bt_fail(err, BT_INVALID, "the input '%s' is not of type FILE",
                           request->files[i].input);
    }
    return BT_OK;
}

static int check_names(const struct bt_start_request *request, struct bt_err *err)
{
    for (size_t i = 0; i < bt_value_count(request->inputs); i++) {
        struct bt_str name = bt_map_key(request->inputs, i);
        BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(1024);
        (void)bt_buf_add(&text, name); /* Too long is unknown as well. */
        const char *id = bt_buf_cstr(&text);
        if (id && find_input(request->flow, id))
            continue;
        const char *ids[64];
        size_t count = 0;
        for (uint32_t j = 0; j < request->flow->input_count && count < BT_COUNT(ids); j++)
            ids[count++] = request->flow->inputs[j].id;
        const char *near = bt_str_nearest(name, ids, count);
        (void)bt_fail(err, BT_INVALID, "the flow has no input '%.*s'", BT_FMT(name));
        if (near)
            (void)bt_hint(err, "did you mean '%s'?", near);
        return BT_INVALID;
    }
    return BT_OK;
}

static int check_labels(const struct bt_value *labels, struct bt_err *err)
{
    for (size_t i = 0; i < bt_value_count(labels); i++) {
        struct bt_value *key = NULL;
        const struct bt_value *val = bt_map_at(labels, i, &key);
        if (bt_str_starts(bt_value_str(key), BT_STR("system.")) &&
            !bt_str_is(bt_value_str(key), "system.correlationId"))
            return bt_fail(err, BT_INVALID,
                           "System labels can only be set by Kestra itself, offending label: "
                           "%.*s=%.*s",
                           BT_FMT(bt_value_str(key)), BT_FMT(bt_value_str(val)));
    }
    return BT_OK;
}

static void name_exec(struct bt_exec *exec, const struct bt_principal *principal,
                      const struct bt_flow *flow)
{
    (void)snprintf(exec->tenant, sizeof exec->tenant, "%s", principal->tenant); /* Checked sizes. */
    (void)snprintf(exec->namespace, sizeof exec->namespace, "%s", flow->namespace);
    (void)snprintf(exec->flow_id, sizeof exec->flow_id, "%s", flow->id);
    exec->id =
        bt_id_make(bt_clock_wall_us(bt_clock_system()) / 1000, bt_random_u64(), bt_random_u64());
}

static int fill_exec(struct bt_service *service, const struct bt_start_request *request,
                     struct bt_exec *exec, struct bt_err *err)
{
    BT_VALUE given = request->inputs ? bt_value_copy(request->inputs) : bt_map_new(0);
    BT_TRY(check_names(request, err));
    BT_TRY(check_files(request, err));
    BT_TRY(check_labels(request->labels, err));
    BT_TRY(check_uris(service, request, exec, err));
    for (size_t i = 0; i < request->file_count; i++)
        BT_TRY(name_file(exec, &request->files[i], given, err));
    BT_TRY(bt_exec_fill(exec, request->flow,
                        &(struct bt_new_exec){.inputs = given, .labels = request->labels}, err));
    for (size_t i = 0; i < request->file_count; i++) /* Last, so that nothing is left behind. */
        BT_TRY(store_file(service, exec, &request->files[i], given, err));
    return BT_OK;
}

/* Files of an execution that was never created. What cannot be deleted is the sweeper's. */
static void drop_files(struct bt_service *service, const struct bt_exec *exec)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf path = BT_BUF_INIT(4096), uri = BT_BUF_INIT(8192);
    if (exec_path(exec, &path) == BT_OK && bt_files_uri(bt_buf_str(&path), &uri) == BT_OK)
        (void)bt_files_delete_tree(service->files, exec->tenant, bt_buf_str(&uri), NULL);
}

int bt_service_start(struct bt_service *service, const struct bt_principal *principal,
                     const struct bt_start_request *request, struct bt_start_result *ret_result,
                     struct bt_err *err)
{
    if (request->flow->is_disabled)
        return bt_fail(err, BT_CONFLICT, "the flow '%s' is disabled", request->flow->id);
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = bt_exec_new();
    if (!exec)
        return bt_fail_mem(err, "execution");
    name_exec(exec, principal, request->flow);
    if (request->id.text[0])
        exec->id = request->id;
    int rc = fill_exec(service, request, exec, err);
    if (rc < 0) {
        if (request->file_count)
            drop_files(service, exec);
        return rc;
    }
    struct bt_id id = exec->id;
    struct bt_reply *reply = bt_reply_new();
    if (!reply)
        return bt_fail_mem(err, "execution");
    rc = bt_runner_create(service->runner, BT_TAKE(exec), reply);
    if (rc == BT_OK)
        rc = bt_reply_wait(reply, err);
    if (rc == BT_OK)
        *ret_result = (struct bt_start_result){bt_reply_number(reply), id};
    bt_reply_free(reply);
    return rc;
}

int bt_service_kill(struct bt_service *service, const struct bt_principal *principal, uint64_t key,
                    struct bt_err *err)
{
    (void)principal; /* The only principal is the person at this machine. */
    struct bt_reply *reply = bt_reply_new();
    if (!reply)
        return bt_fail_mem(err, "kill");
    int rc = bt_runner_kill(service->runner, key, reply);
    if (rc == BT_OK)
        rc = bt_reply_wait(reply, err);
    bt_reply_free(reply);
    return rc;
}

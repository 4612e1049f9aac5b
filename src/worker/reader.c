/* reader.c — Files for expressions. Must never open a file of a stranger's execution. */
#include "worker/reader.h"

#include "base/limits.h"
#include "base/own.h"
#include "sys/fs.h"
#include "worker/runner/lines.h"

#include <errno.h>
#include <unistd.h>

/* Namespaces are directories there. */
static void add_namespace(struct bt_str namespace, struct bt_buf *out)
{
    for (size_t i = 0; i < namespace.len; i++) /* A failure shows in the next call. */
        (void)bt_buf_addc(out, namespace.at[i] == '.' ? '/' : namespace.at[i]);
}

int bt_job_flow_path(const struct bt_job *job, struct bt_buf *out)
{
    add_namespace(bt_str_of(job->flow->namespace), out);
    return bt_buf_addf(out, "/%s/", job->flow->id);
}

int bt_job_path(const struct bt_job *job, struct bt_buf *out)
{
    (void)bt_job_flow_path(job, out); /* A failure shows in the next call. */
    return bt_buf_addf(out, "executions/%s/", job->exec_id);
}

/* The execution that started this one, as `trigger` names it. */
static int trigger_path(const struct bt_job *job, struct bt_buf *out)
{
    const struct bt_value *trigger = bt_map_gets(job->variables, "trigger");
    struct bt_str namespace = bt_map_str(trigger, "namespace"),
                  flow = bt_map_str(trigger, "flowId"), exec = bt_map_str(trigger, "executionId");
    if (!namespace.len || !flow.len || !exec.len)
        return BT_NOT_FOUND;
    add_namespace(namespace, out);
    return bt_buf_addf(out, "/%.*s/executions/%.*s/", BT_FMT(flow), BT_FMT(exec));
}

int bt_job_space_path(const struct bt_job *job, struct bt_buf *out)
{
    add_namespace(bt_str_of(job->flow->namespace), out);
    return bt_buf_adds(out, "/_files/");
}

/* A replay has kept outputs and inputs of those that it was made of, at any distance: all are
 * executions of the same flow. */
static int family_path(const struct bt_job *job, struct bt_buf *out)
{
    const struct bt_value *execution = bt_map_gets(job->variables, "execution");
    struct bt_str original = bt_map_str(execution, "originalId");
    if (!original.len || bt_str_is(original, job->exec_id))
        return BT_NOT_FOUND;
    add_namespace(bt_str_of(job->flow->namespace), out);
    return bt_buf_addf(out, "/%s/executions/", job->flow->id);
}

static bool may_read(const struct bt_job *job, struct bt_str uri)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf family = BT_BUF_INIT(BT_PATH_BYTES_MAX);
    struct bt_str path;
    return bt_files_path(uri, &path, NULL) == BT_OK && family_path(job, &family) == BT_OK &&
           bt_str_starts(path, bt_buf_str(&family));
}

int bt_reader_owns(const struct bt_job *job, struct bt_str uri, const char *verb,
                   struct bt_err *err)
{
    static int (*const owners[])(const struct bt_job *job, struct bt_buf *out) = {
        bt_job_path, trigger_path, bt_job_space_path};
    struct bt_str path;
    BT_TRY(bt_files_path(uri, &path, err));
    for (size_t i = 0; i < BT_COUNT(owners); i++) {
        BT_CLEANUP(bt_buf_done) struct bt_buf own = BT_BUF_INIT(BT_PATH_BYTES_MAX);
        if (owners[i](job, &own) == BT_OK && bt_str_starts(path, bt_buf_str(&own)))
            return BT_OK;
    }
    return bt_fail(err, BT_INVALID,
                   "Unable to %s the file '%.*s' as it didn't belong to the current execution",
                   verb, BT_FMT(uri));
}

/* A relative path is a file of the namespace; anything with a scheme is a URI. */
static int resolve(const struct bt_job *job, struct bt_str path, struct bt_buf *out,
                   struct bt_err *err)
{
    if (path.len == 0)
        return bt_fail(err, BT_INVALID, "the path of a file is empty");
    if (bt_str_find(path, BT_STR("://"), 0) >= 0) {
        (void)bt_buf_add(out, path); /* Checked below. */
    } else {
        BT_CLEANUP(bt_buf_done) struct bt_buf inner = BT_BUF_INIT(BT_PATH_BYTES_MAX);
        (void)bt_job_space_path(job, &inner);
        (void)bt_files_add_escaped(path.at[0] == '/' ? bt_str_slice(path, 1, path.len) : path,
                                   &inner);
        BT_TRY(bt_buf_check(&inner, "path", err));
        (void)bt_files_uri(bt_buf_str(&inner), out);
    }
    return bt_buf_check(out, "path", err);
}

static int read_text(int fd, struct bt_value **ret_text, struct bt_err *err)
{
    struct bt_buf raw = BT_BUF_INIT(BT_READ_BYTES_MAX + (1u << 17));
    struct bt_buf clean = BT_BUF_INIT(3u * BT_READ_BYTES_MAX);
    ssize_t got = 1;
    while (got > 0 && bt_buf_reserve(&raw, 1 << 16) == BT_OK) {
        got = read(fd, raw.at + raw.len, 1 << 16);
        raw.len += got > 0 ? (size_t)got : 0;
        got = got < 0 && errno == EINTR ? 1 : got;
    }
    int rc = got < 0 ? bt_fail_errno(err, BT_IO, errno, "cannot read a file")
                     : bt_buf_check(&raw, "the text of a file", err);
    if (rc == BT_OK && bt_text_clean(bt_buf_str(&raw), &clean) < 0)
        rc = bt_buf_check(&clean, "the text of a file", err);
    if (rc == BT_OK && !(*ret_text = bt_value_string(bt_buf_str(&clean))))
        rc = bt_fail_mem(err, "the text of a file");
    bt_buf_done(&raw);
    bt_buf_done(&clean);
    return rc;
}

/* The size is looked at first: a large file is not fetched to be refused. */
static int read_whole(struct bt_files *files, const char *tenant, struct bt_str uri,
                      struct bt_value **ret_text, struct bt_err *err)
{
    BT_FD fd = -1;
    int64_t size_bytes;
    BT_TRY(bt_files_size(files, tenant, uri, &size_bytes, err));
    if (size_bytes > BT_READ_BYTES_MAX) {
        (void)bt_fail(err, BT_LIMIT,
                      "the file '%.*s' has %lld bytes, more than the limit of %u for read()",
                      BT_FMT(uri), (long long)size_bytes, BT_READ_BYTES_MAX);
        return bt_hint(err, "give the file to a task instead, for example in inputFiles");
    }
    BT_TRY(bt_files_open(files, tenant, uri, &fd, err));
    return read_text(fd, ret_text, err);
}

static const char *const functions[] = {"read", "fileSize", "fileExists", "isFileEmpty"};

bool bt_reader_knows(const char *function)
{
    for (size_t i = 0; i < BT_COUNT(functions); i++)
        if (strcmp(function, functions[i]) == 0)
            return true;
    return false;
}

int bt_reader_call(const struct bt_reading *reading, const char *function, struct bt_str path,
                   struct bt_value **ret_value, struct bt_err *err)
{
    struct bt_files *files = reading->files;
    const struct bt_job *job = reading->job;
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(2 * BT_PATH_BYTES_MAX);
    int64_t size_bytes;
    BT_TRY(resolve(job, path, &text, err));
    struct bt_str uri = bt_buf_str(&text);
    if (!may_read(job, uri))
        BT_TRY(bt_reader_owns(job, uri, "read", err));
    if (strcmp(function, "read") == 0)
        return read_whole(files, job->tenant, uri, ret_value, err);
    int rc = bt_files_size(files, job->tenant, uri, &size_bytes, err);
    bool is_question = strcmp(function, "fileExists") == 0;
    if (rc < 0 && !(is_question && rc == BT_NOT_FOUND))
        return rc;
    if (is_question)
        *ret_value = bt_value_bool(rc == BT_OK);
    else if (strcmp(function, "isFileEmpty") == 0)
        *ret_value = bt_value_bool(size_bytes == 0);
    else
        *ret_value = bt_value_int(size_bytes);
    return *ret_value ? BT_OK : bt_fail_mem(err, function);
}

/* Goal: files come back as they were, whole or not at all, and no path leaves the tenant's folder.
 * Method: a storage in a fresh directory, rows of good and bad URIs, a writer that dies. */
#include "base/limits.h"
#include "base/own.h"
#include "files/files.h"
#include "sys/fs.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char root[64];
static struct bt_files *files;

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(root, sizeof root, "/tmp/bt-files-XXXXXX");
    struct bt_err err = BT_ERR_INIT;
    return mkdtemp(root) ? bt_files_open_local(root, &files, &err) : -1;
}

static int tear_down(void **state)
{
    (void)state;
    files = bt_files_close(files);
    return bt_fs_remove_tree(AT_FDCWD, root, NULL);
}

static void put(struct bt_str uri, const char *text)
{
    struct bt_file_writer *writer = NULL;
    struct bt_err err = BT_ERR_INIT;
    assert_int_equal(bt_files_create(files, "main", uri, &writer, &err), BT_OK);
    assert_int_equal(bt_file_write(writer, text, strlen(text), &err), BT_OK);
    assert_int_equal(bt_file_commit(writer, &err), BT_OK);
}

static void expect(struct bt_str uri, const char *text)
{
    BT_FD fd = -1;
    struct bt_err err = BT_ERR_INIT;
    char read_back[256];
    assert_int_equal(bt_files_open(files, "main", uri, &fd, &err), BT_OK);
    ssize_t len = read(fd, read_back, sizeof read_back);
    assert_int_equal(len, strlen(text));
    assert_memory_equal(read_back, text, (size_t)len);
    int64_t size = -1;
    assert_int_equal(bt_files_size(files, "main", uri, &size, &err), BT_OK);
    assert_int_equal(size, len);
}

static void test_round_trip(void **state)
{
    (void)state;
    put(BT_STR("baton:///company/team/flow/executions/1/a.txt"), "one");
    expect(BT_STR("kestra:///company/team/flow/executions/1/a.txt"), "one");
    put(BT_STR("baton:///company/team/flow/executions/1/a.txt"), "two");
    expect(BT_STR("baton:///company/team/flow/executions/1/a.txt"), "two");
    put(BT_STR("baton:///top"), "");
    expect(BT_STR("baton:///top"), "");
    char path[128];
    (void)snprintf(path, sizeof path, "%s/main/company/team/flow/executions/1/a.txt", root);
    struct stat at;
    assert_int_equal(stat(path, &at), 0);
    assert_int_equal(at.st_mode & 0777, 0600);
}

static void test_missing(void **state)
{
    (void)state;
    struct bt_err err = BT_ERR_INIT;
    int fd = -1;
    assert_int_equal(bt_files_open(files, "main", BT_STR("baton:///a/b"), &fd, &err), BT_NOT_FOUND);
    assert_string_equal(err.msg, "file 'baton:///a/b' does not exist");
    put(BT_STR("baton:///a/b"), "x");
    assert_int_equal(bt_files_open(files, "other", BT_STR("baton:///a/b"), &fd, &err),
                     BT_NOT_FOUND);
    assert_int_equal(bt_files_open(files, "main", BT_STR("baton:///a/b/c"), &fd, &err),
                     BT_NOT_FOUND);
    assert_int_equal(bt_files_open(files, "main", BT_STR("baton:///a"), &fd, &err), BT_INVALID);
    assert_int_equal(bt_files_delete(files, "main", BT_STR("baton:///a/c"), &err), BT_NOT_FOUND);
}

static void test_delete(void **state)
{
    (void)state;
    struct bt_err err = BT_ERR_INIT;
    int fd = -1;
    put(BT_STR("baton:///a/1/x"), "x");
    put(BT_STR("baton:///a/1/d/y"), "y");
    put(BT_STR("baton:///a/2/z"), "z");
    assert_int_equal(bt_files_delete(files, "main", BT_STR("baton:///a/1/x"), &err), BT_OK);
    assert_int_equal(bt_files_open(files, "main", BT_STR("baton:///a/1/x"), &fd, &err),
                     BT_NOT_FOUND);
    assert_int_equal(bt_files_delete_tree(files, "main", BT_STR("baton:///a/1"), &err), BT_INVALID);
    assert_int_equal(bt_files_delete_tree(files, "main", BT_STR("baton:///a/1/"), &err), BT_OK);
    assert_int_equal(bt_files_delete_tree(files, "main", BT_STR("baton:///a/1/"), &err), BT_OK);
    assert_int_equal(bt_files_open(files, "main", BT_STR("baton:///a/1/d/y"), &fd, &err),
                     BT_NOT_FOUND);
    expect(BT_STR("baton:///a/2/z"), "z");
}

static void test_bad_uris(void **state)
{
    (void)state;
    static const char nul[] = "baton:///a\0b";
    const struct bt_str rows[] = {
        BT_STR(""),
        BT_STR("baton:///"),
        BT_STR("baton://a/b"),
        BT_STR("file:///etc/passwd"),
        BT_STR("baton:///../x"),
        BT_STR("baton:///a/../../x"),
        BT_STR("baton:///a/.."),
        BT_STR("baton:////etc/passwd"),
        BT_STR("baton:///a//b"),
        BT_STR("baton:///./a"),
        BT_STR("baton:///a/."),
        {nul, sizeof nul - 1},
        BT_STR("baton:///a\nb"),
        BT_STR("kestra:///.."),
        BT_STR("baton:///a/"),
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        struct bt_file_writer *writer = NULL;
        struct bt_err err = BT_ERR_INIT;
        int fd = -1;
        assert_int_equal(bt_files_create(files, "main", rows[i], &writer, &err), BT_INVALID);
        assert_int_equal(bt_files_open(files, "main", rows[i], &fd, &err), BT_INVALID);
        assert_int_equal(bt_files_delete(files, "main", rows[i], &err), BT_INVALID);
    }
    static const char *const tenants[] = {"", ".", "..", "a/b", ".tmp", "../main"};
    for (size_t i = 0; i < BT_COUNT(tenants); i++) {
        int fd = -1;
        struct bt_err err = BT_ERR_INIT;
        assert_int_equal(bt_files_open(files, tenants[i], BT_STR("baton:///a"), &fd, &err),
                         BT_INVALID);
    }
}

static void test_links(void **state)
{
    (void)state;
    struct bt_err err = BT_ERR_INIT;
    struct bt_file_writer *writer = NULL;
    int fd = -1;
    put(BT_STR("baton:///a/x"), "x");
    char path[128];
    (void)snprintf(path, sizeof path, "%s/main/a/out", root);
    assert_int_equal(symlink("/etc", path), 0);
    assert_int_equal(bt_files_open(files, "main", BT_STR("baton:///a/out/passwd"), &fd, &err),
                     BT_DENIED);
    assert_int_equal(bt_files_create(files, "main", BT_STR("baton:///a/out/new"), &writer, &err),
                     BT_OK);
    assert_int_equal(bt_file_commit(writer, &err), BT_INVALID);
    assert_int_equal(bt_files_delete(files, "main", BT_STR("baton:///a/out/passwd"), &err),
                     BT_NOT_FOUND);
    assert_int_equal(bt_files_delete_tree(files, "main", BT_STR("baton:///a/"), &err), BT_OK);
    assert_int_equal(access("/etc/passwd", F_OK), 0);
}

static void test_long_paths(void **state)
{
    (void)state;
    for (int over = -1; over <= 1; over++) {
        char uri[BT_PATH_BYTES_MAX + 32];
        size_t len = 9 + (size_t)((int)BT_PATH_BYTES_MAX + over);
        (void)snprintf(uri, sizeof uri, "baton:///");
        memset(uri + 9, 'a', sizeof uri - 9);
        for (size_t i = 9 + 200; i < len - 1; i += 201)
            uri[i] = '/';
        struct bt_str path;
        struct bt_err err = BT_ERR_INIT;
        assert_int_equal(bt_files_path((struct bt_str){uri, len}, &path, &err),
                         over > 0 ? BT_LIMIT : BT_OK);
        struct bt_file_writer *writer = NULL;
        int rc = bt_files_create(files, "main", (struct bt_str){uri, len}, &writer, &err);
        assert_int_equal(rc, over > 0 ? BT_LIMIT : BT_OK);
        if (rc == BT_OK)
            assert_int_equal(bt_file_commit(writer, &err), BT_OK);
    }
}

static int count_temps(void *data, const char *path, unsigned char type, struct bt_err *err)
{
    (void)path, (void)type, (void)err;
    ++*(int *)data;
    return BT_OK;
}

static int temps(void)
{
    int count = 0;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/.tmp", root);
    BT_FD dir = open(path, O_RDONLY | O_DIRECTORY);
    assert_int_equal(bt_fs_walk(dir, count_temps, &count, NULL), BT_OK);
    return count;
}

static void test_abort_and_crash(void **state)
{
    (void)state;
    struct bt_err err = BT_ERR_INIT;
    struct bt_file_writer *writer = NULL;
    struct bt_str uri = BT_STR("baton:///a/x");
    assert_int_equal(bt_files_create(files, "main", uri, &writer, &err), BT_OK);
    assert_int_equal(bt_file_write(writer, "half", 4, &err), BT_OK);
    assert_null(bt_file_abort(writer));
    assert_int_equal(temps(), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (bt_files_create(files, "main", uri, &writer, &err) == BT_OK &&
            bt_file_write(writer, "half", 4, &err) == BT_OK)
            (void)raise(SIGKILL);
        _exit(1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    int fd = -1;
    assert_int_equal(bt_files_open(files, "main", uri, &fd, &err), BT_NOT_FOUND);
    assert_int_equal(temps(), 1);
    assert_int_equal(bt_files_create(files, "main", uri, &writer, &err), BT_OK);
    struct bt_files *again = NULL;
    assert_int_equal(bt_files_open_local(root, &again, &err), BT_OK);
    assert_int_equal(temps(), 1); /* The living writer's. */
    assert_int_equal(bt_file_commit(writer, &err), BT_OK);
    assert_null(bt_files_close(again));
    expect(uri, "");
}

static void test_put_fd(void **state)
{
    (void)state;
    struct bt_err err = BT_ERR_INIT;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/source", root);
    BT_FD source = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(bt_fs_write(source, "0123456789", 10, &err), BT_OK);
    assert_int_equal(lseek(source, 4, SEEK_SET), 4);
    assert_int_equal(bt_files_put_fd(files, "main", BT_STR("baton:///p"), source, &err), BT_OK);
    expect(BT_STR("baton:///p"), "456789");
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    assert_int_equal(write(pipe_fds[1], "piped", 5), 5);
    (void)close(pipe_fds[1]);
    assert_int_equal(bt_files_put_fd(files, "main", BT_STR("baton:///q"), pipe_fds[0], &err),
                     BT_OK);
    (void)close(pipe_fds[0]);
    expect(BT_STR("baton:///q"), "piped");
    BT_FD proc = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    assert_int_equal(bt_files_put_fd(files, "main", BT_STR("baton:///r"), proc, &err), BT_OK);
    int64_t size = 0;
    assert_int_equal(bt_files_size(files, "main", BT_STR("baton:///r"), &size, &err), BT_OK);
    assert_true(size > 100);
}

static void test_disk_full(void **state)
{
    (void)state;
    if (mount("tmpfs", root, "tmpfs", 0, "size=256k") < 0)
        skip(); /* Only root may mount. */
    struct bt_files *small = NULL;
    struct bt_err err = BT_ERR_INIT;
    struct bt_file_writer *writer = NULL;
    assert_int_equal(bt_files_open_local(root, &small, &err), BT_OK);
    assert_int_equal(bt_files_create(small, "main", BT_STR("baton:///x"), &writer, &err), BT_OK);
    static const char block[64 << 10];
    int rc = BT_OK;
    for (int i = 0; i < 8 && rc == BT_OK; i++)
        rc = bt_file_write(writer, block, sizeof block, &err);
    assert_int_equal(rc, BT_LIMIT);
    assert_non_null(strstr(err.msg, "No space left on device"));
    assert_null(bt_file_abort(writer));
    assert_null(bt_files_close(small));
    assert_int_equal(umount(root), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_round_trip), CASE(test_missing),         CASE(test_delete),
        CASE(test_bad_uris),   CASE(test_links),           CASE(test_long_paths),
        CASE(test_put_fd),     CASE(test_abort_and_crash), CASE(test_disk_full),
    };
    return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}

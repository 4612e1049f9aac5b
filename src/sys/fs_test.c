/* Goal: no path leaves its root, trees go whole, patterns match what they say. Method: a directory
 * full of traps, rows of paths and patterns. */
#include "sys/fs.h"

#include "base/limits.h"
#include "base/own.h"
#include "sys/fs_int.h"
#include "sys/glob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char root_path[64];
static int root;

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(root_path, sizeof root_path, "/tmp/bt-fs-XXXXXX");
    if (!mkdtemp(root_path))
        return -1;
    return bt_fs_open_root(root_path, &root, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    bt_fd_close(&root);
    return bt_fs_remove_tree(AT_FDCWD, root_path, NULL);
}

static void make_file(const char *path, const char *text)
{
    struct bt_err err = BT_ERR_INIT;
    BT_FD fd = -1;
    assert_int_equal(bt_fs_mkdirs_above(root, path, &err), BT_OK);
    assert_int_equal(bt_fs_open(root, path, O_CREAT | O_WRONLY | O_TRUNC, &fd, &err), BT_OK);
    assert_int_equal(bt_fs_write(fd, text, strlen(text), &err), BT_OK);
}

static void test_beneath(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int flags, want;
    } rows[] = {
        {"d/file", 0, BT_OK},
        {"d/../d/file", 0, BT_OK},
        {"missing", 0, BT_NOT_FOUND},
        {"d/missing/x", 0, BT_NOT_FOUND},
        {"d/file/x", 0, BT_NOT_FOUND},
        {"..", 0, BT_DENIED},
        {"../x", 0, BT_DENIED},
        {"d/../../x", 0, BT_DENIED},
        {"/etc/passwd", 0, BT_DENIED},
        {"out/passwd", 0, BT_DENIED},
        {"up", 0, BT_DENIED},
        {"loop", 0, BT_DENIED},
        {"in", 0, BT_OK},
        {"in", O_NOFOLLOW, BT_DENIED},
        {"din/file", 0, BT_OK},
        {"din/file", O_NOFOLLOW, BT_DENIED},
    };
    make_file("d/file", "x");
    assert_int_equal(symlinkat("/etc", root, "out"), 0);
    assert_int_equal(symlinkat("../..", root, "up"), 0);
    assert_int_equal(symlinkat("loop", root, "loop"), 0);
    assert_int_equal(symlinkat("d/file", root, "in"), 0);
    assert_int_equal(symlinkat("d", root, "din"), 0);
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        BT_FD fd = -1;
        struct bt_err err = BT_ERR_INIT;
        int rc = bt_fs_open(root, rows[i].path, O_RDONLY | rows[i].flags, &fd, &err);
        if (rc != rows[i].want)
            print_error("%s: %d, not %d\n", rows[i].path, rc, rows[i].want);
        assert_int_equal(rc, rows[i].want);
    }
    assert_int_equal(bt_fs_mkdirs(root, "a/b/c/", NULL), BT_OK);
    assert_int_equal(bt_fs_mkdirs(root, "a/b/c", NULL), BT_OK);
    assert_int_equal(bt_fs_mkdirs(root, "../a", NULL), BT_DENIED);
    assert_int_equal(bt_fs_mkdirs(root, "out/a", NULL), BT_DENIED);
    assert_true(bt_fs_mkdirs(root, "d/file/a", NULL) < 0);
}

static void test_stepwise(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int want;
    } rows[] = {
        {"d/file", 0},       {"d//file", 0},         {"./d/file", 0},
        {"missing", ENOENT}, {"../x", EXDEV},        {"d/../d/file", EXDEV},
        {"d/..", EXDEV},     {"/etc/passwd", EXDEV}, {"out/passwd", ENOTDIR},
        {"in", ELOOP},       {"d/file/x", ENOTDIR},
    };
    make_file("d/file", "x");
    assert_int_equal(symlinkat("/etc", root, "out"), 0);
    assert_int_equal(symlinkat("d/file", root, "in"), 0);
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        errno = 0;
        BT_FD fd = fs_open_stepwise(root, rows[i].path, O_RDONLY | O_CLOEXEC);
        if ((fd < 0 ? errno : 0) != rows[i].want)
            print_error("%s: %d\n", rows[i].path, errno);
        assert_int_equal(fd < 0 ? errno : 0, rows[i].want);
    }
}

static void test_remove(void **state)
{
    (void)state;
    assert_int_equal(bt_fs_remove_tree(root, "missing", NULL), BT_OK);
    make_file("t/a/b/c", "x");
    make_file("t/d", "x");
    make_file("keep/x", "x");
    assert_int_equal(symlinkat("../keep", root, "t/link"), 0);
    assert_int_equal(fchmodat(root, "t/a/b", 0, 0), 0);
    assert_int_equal(bt_fs_remove_tree(root, "t", NULL), BT_OK);
    assert_int_equal(faccessat(root, "t", F_OK, 0), -1);
    assert_int_equal(faccessat(root, "keep/x", F_OK, 0), 0);
    assert_int_equal(symlinkat("keep", root, "link"), 0);
    assert_int_equal(bt_fs_remove_tree(root, "link", NULL), BT_OK);
    assert_int_equal(faccessat(root, "keep/x", F_OK, 0), 0);
}

static void test_remove_deep(void **state)
{
    (void)state;
    enum { DEPTH = 3000 };
    int at = dup(root);
    for (int i = 0; i < DEPTH; i++) {
        assert_int_equal(mkdirat(at, "d", 0700), 0);
        int inner = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        (void)close(at);
        at = inner;
    }
    (void)close(at);
    struct bt_err err = BT_ERR_INIT;
    assert_int_equal(bt_fs_remove_tree(root, "d", &err), BT_OK);
    assert_int_equal(faccessat(root, "d", F_OK, 0), -1);
}

static int stop_at_two(void *data, const char *path, unsigned char type, struct bt_err *err)
{
    (void)path, (void)type, (void)err;
    return ++*(int *)data == 2 ? 7 : 0;
}

static void test_walk(void **state)
{
    (void)state;
    int count = 0;
    make_file("a/x", "");
    make_file("a/b/y", "");
    assert_int_equal(symlinkat("a", root, "link"), 0);
    assert_int_equal(bt_fs_walk(root, stop_at_two, &count, NULL), 7);
    for (int over = 0; over < 2; over++) {
        char path[4 * BT_WALK_DEPTH_MAX] = "";
        for (int i = 0; i < BT_WALK_DEPTH_MAX + over; i++)
            memcpy(path + (size_t)i * 2, "d/", 3);
        assert_int_equal(bt_fs_mkdirs(root, path, NULL), BT_OK);
        count = -100;
        assert_int_equal(bt_fs_walk(root, stop_at_two, &count, NULL), over ? BT_LIMIT : BT_OK);
    }
}

static void test_copy(void **state)
{
    (void)state;
    make_file("a", "0123456789");
    BT_FD from = openat(root, "a", O_RDONLY | O_CLOEXEC);
    BT_FD to = openat(root, "b", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(bt_fs_copy(from, to, NULL), BT_OK);
    assert_int_equal(lseek(to, 0, SEEK_END), 10);
    assert_int_equal(bt_fs_copy(from, to, NULL), BT_OK);
    assert_int_equal(lseek(to, 0, SEEK_END), 10);
    BT_FD full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_int_equal(lseek(from, 0, SEEK_SET), 0);
    struct bt_err err = BT_ERR_INIT;
    assert_int_equal(bt_fs_copy(from, full, &err), BT_LIMIT);
}

static void test_glob(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *path;
        bool want;
    } rows[] = {
        {"a.txt", "a.txt", true},
        {"a.txt", "b.txt", false},
        {"a.txt", "d/a.txt", false},
        {"*.txt", "a.txt", true},
        {"*.txt", ".txt", true},
        {"*.txt", "d/a.txt", false},
        {"*", "a", true},
        {"*", "a/b", false},
        {"**", "a/b/c", true},
        {"**", "a", true},
        {"**/x", "x", true},
        {"**/x", "a/x", true},
        {"**/x", "a/b/x", true},
        {"**/x", "ax", false},
        {"**/x", "a/bx", false},
        {"d/**", "d/e/f", true},
        {"d/**", "e/f", false},
        {"d/**/f", "d/f", true},
        {"d/**/f", "d/a/b/f", true},
        {"a**b", "a/x/b", true},
        {"a**b", "a/x/c", false},
        {"?", "a", true},
        {"?", "/", false},
        {"?", "\xC3\xA9", true},
        {"??", "a", false},
        {"[abc]", "b", true},
        {"[abc]", "d", false},
        {"[!abc]", "d", true},
        {"[^abc]", "a", false},
        {"[a-c]x", "bx", true},
        {"[]]", "]", true},
        {"[a-]", "-", true},
        {"[!a]", "/", false},
        {"{a,b}.c", "b.c", true},
        {"{a,b}.c", "c.c", false},
        {"{a,{b,c}}d", "cd", true},
        {"x{,y}", "x", true},
        {"{*.a,d/*}", "d/q", true},
        {"\\*", "*", true},
        {"\\*", "a", false},
        {"\\{a\\}", "{a}", true},
        {"*a*b*c*", "xxaxxbxxcxx", true},
        {"*a*b*c*", "xxaxxcxxbxx", false},
        {"**/*.csv", "a/b.csv", true},
        {"*/*", "a/b", true},
        {"a}b", "a}b", true},
        {"", "", true},
        {"", "a", false},
        {"**/a/**/b", "a/x/a/y/b", true},
        {"*.{csv,json}", "r.json", true},
        {"[a,b]{c,d}", ",d", true},
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        struct bt_glob *glob = NULL;
        struct bt_err err = BT_ERR_INIT;
        assert_int_equal(bt_glob_parse(bt_str_of(rows[i].pattern), &glob, &err), BT_OK);
        if (bt_glob_match(glob, bt_str_of(rows[i].path)) != rows[i].want)
            print_error("row %zu\n", i);
        assert_int_equal(bt_glob_match(glob, bt_str_of(rows[i].path)), rows[i].want);
        assert_null(bt_glob_free(glob));
    }
}

static void test_glob_bad(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        int want;
    } rows[] = {
        {"[a", BT_INVALID},
        {"[", BT_INVALID},
        {"[]", BT_INVALID},
        {"{a", BT_INVALID},
        {"a{b,{c}", BT_INVALID},
        {"{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}", BT_OK},
        {"{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}", BT_LIMIT},
    };
    for (size_t i = 0; i < BT_COUNT(rows); i++) {
        struct bt_glob *glob = NULL;
        struct bt_err err = BT_ERR_INIT;
        assert_int_equal(bt_glob_parse(bt_str_of(rows[i].pattern), &glob, &err), rows[i].want);
        assert_null(bt_glob_free(glob));
    }
    static char text[BT_GLOB_BYTES_MAX + 1];
    memset(text, '*', sizeof text);
    struct bt_glob *glob = NULL;
    assert_int_equal(bt_glob_parse((struct bt_str){text, sizeof text}, &glob, NULL), BT_LIMIT);
    assert_int_equal(bt_glob_parse((struct bt_str){text, sizeof text - 1}, &glob, NULL), BT_OK);
    assert_true(bt_glob_match(glob, BT_STR("a/b")));
    assert_null(bt_glob_free(glob));
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 2 ? 'a' : '*';
    assert_int_equal(bt_glob_parse((struct bt_str){text, sizeof text - 1}, &glob, NULL), BT_OK);
    static char path[4000];
    memset(path, 'a', sizeof path);
    path[sizeof path - 1] = 'b';
    assert_false(bt_glob_match(glob, (struct bt_str){path, sizeof path}));
    assert_null(bt_glob_free(glob));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_beneath), CASE(test_stepwise), CASE(test_remove), CASE(test_remove_deep),
        CASE(test_walk),    CASE(test_copy),     CASE(test_glob),   CASE(test_glob_bad),
    };
    return cmocka_run_group_tests_name("fs", tests, NULL, NULL);
}

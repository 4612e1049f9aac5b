/* plan_text.c — Parts of a plan that are about text: URIs in commands, and how Python is started.
 */
#include "base/limits.h"
#include "files/files.h"
#include "worker/runner/plan_int.h"

#include <ctype.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCRIPT_NAME_PYTHON "_task.py"

/* --- URIs ------------------------------------------------------------------------------------- */

/* Characters that a URI in a command consists of. */
static bool is_uri_char(unsigned char c)
{
    return isalnum(c) || c >= 0x80 || (c != '\0' && strchr("-%._+~#=/", c));
}

/* The file's own name at the end of a URI, with a number before it to keep two of them apart. */
static const char *fetch_name(struct bt_planner *planner, struct bt_str uri)
{
    enum { NAME_BYTES_MAX = 150 };
    const char *slash = memrchr(uri.at, '/', uri.len);
    struct bt_str base = bt_str_slice(uri, (size_t)(slash - uri.at) + 1, uri.len);
    if (base.len > NAME_BYTES_MAX)
        base = bt_str_slice(base, base.len - NAME_BYTES_MAX, base.len); /* Keeps the extension. */
    char name[NAME_BYTES_MAX + 32];
    int len = snprintf(name, sizeof name, "%zu-%.*s", planner->plan->fetch_count, BT_FMT(base));
    return bt_arena_dup(&planner->plan->arena, (struct bt_str){name, (size_t)len});
}

static const struct bt_fetch *add_fetch(struct bt_planner *planner, struct bt_str uri)
{
    struct bt_plan *plan = planner->plan;
    for (size_t i = 0; i < plan->fetch_count; i++) {
        if (bt_str_eq(planner->fetches[i].uri, uri))
            return &planner->fetches[i];
    }
    if (plan->fetch_count == planner->fetch_cap) {
        size_t cap = planner->fetch_cap ? 2 * planner->fetch_cap : 8;
        struct bt_fetch *fetches = bt_arena_alloc(&plan->arena, cap * sizeof *fetches);
        if (!fetches)
            return NULL;
        if (plan->fetch_count)
            memcpy(fetches, planner->fetches, plan->fetch_count * sizeof *fetches);
        planner->fetches = fetches;
        planner->fetch_cap = cap;
    }
    struct bt_fetch *fetch = &planner->fetches[plan->fetch_count];
    fetch->uri = bt_arena_str(&plan->arena, uri);
    fetch->name = fetch_name(planner, uri);
    if (!fetch->uri.at || !fetch->name)
        return NULL;
    plan->fetch_count++;
    return fetch;
}

/* Length of the URI at the start of the text, or 0. */
static size_t uri_len(struct bt_str text)
{
    if (!bt_files_is_uri(text))
        return 0;
    size_t len = sizeof "baton:///" - 1; /* Both schemes have as many letters or more. */
    while (len < text.len && is_uri_char((unsigned char)text.at[len]))
        len++;
    struct bt_str path;
    struct bt_str uri = bt_str_slice(text, 0, len);
    return bt_files_path(uri, &path, NULL) == BT_OK && text.at[len - 1] != '/' ? len : 0;
}

int bt_planner_localise(struct bt_planner *planner, struct bt_str text, struct bt_buf *out)
{
    static const struct bt_str mark = {":///", 4};
    enum { SCHEME_LEN = 5, SCHEME_LEN_2 = 6 }; /* baton, kestra */
    size_t done = 0;
    for (ptrdiff_t at = bt_str_find(text, mark, 0); at >= 0;
         at = bt_str_find(text, mark, (size_t)at + 1)) {
        size_t len = 0;
        size_t from = (size_t)at;
        for (size_t scheme = SCHEME_LEN; scheme <= SCHEME_LEN_2 && len == 0; scheme++) {
            from = (size_t)at - scheme;
            if ((size_t)at >= done + scheme)
                len = uri_len(bt_str_slice(text, from, text.len));
        }
        if (len == 0)
            continue;
        const struct bt_fetch *fetch = add_fetch(planner, bt_str_slice(text, from, from + len));
        if (!fetch)
            return bt_fail_mem(planner->err, "command");
        (void)bt_buf_add(out, bt_str_slice(text, done, from)); /* Checked at the end. */
        (void)bt_buf_adds(out, planner->place->fetch_dir);     /* The same. */
        (void)bt_buf_addc(out, '/');                           /* The same. */
        (void)bt_buf_adds(out, fetch->name);                   /* The same. */
        done = from + len;
    }
    (void)bt_buf_add(out, bt_str_slice(text, done, text.len)); /* The same. */
    return bt_buf_check(out, "command", planner->err);
}

/* --- Python ----------------------------------------------------------------------------------- */

/* Scripts were written for an original that defines true, false and null. They are put into the
 * script's own globals, so that lines keep their numbers; the frames of this text are taken off a
 * traceback. Only scripts in which one of the words stands are started this way. */
static const char prelude[] = "def _run():\n"
                              "    import sys, os\n"
                              "    path = sys.argv[1]\n"
                              "    sys.argv.pop(0)\n"
                              "    sys.path[0] = os.path.dirname(path)\n"
                              "    main = sys.modules['__main__'].__dict__\n"
                              "    del main['_run']\n"
                              "    main.update(__file__=path, true=True, false=False, null=None)\n"
                              "    with open(path, 'rb') as file:\n"
                              "        text = file.read()\n"
                              "    try:\n"
                              "        exec(compile(text, path, 'exec', 0, True), main)\n"
                              "    except SystemExit:\n"
                              "        raise\n"
                              "    except BaseException as e:\n"
                              "        tb = e.__traceback__.tb_next\n"
                              "        sys.excepthook(type(e), e.with_traceback(tb), tb)\n"
                              "        sys.exit(1)\n"
                              "_run()\n";

static bool is_word_char(unsigned char c)
{
    return isalnum(c) || c == '_' || c >= 0x80;
}

static bool has_word(struct bt_str text, struct bt_str word)
{
    for (ptrdiff_t at = bt_str_find(text, word, 0); at >= 0;
         at = bt_str_find(text, word, (size_t)at + 1)) {
        size_t from = (size_t)at;
        size_t to = from + word.len;
        if ((from == 0 || !is_word_char((unsigned char)text.at[from - 1])) &&
            (to == text.len || !is_word_char((unsigned char)text.at[to])))
            return true;
    }
    return false;
}

const char *bt_planner_variable(const struct bt_planner *planner, const char *name)
{
    const struct bt_value *own = bt_map_gets(planner->env, name);
    if (bt_value_is(own, BT_KIND_STRING))
        return bt_arena_dup(&planner->plan->arena, bt_value_str(own));
    return getenv(name);
}

static bool is_program(const char *path)
{
    struct stat at;
    return access(path, X_OK) == 0 && stat(path, &at) == 0 && S_ISREG(at.st_mode);
}

static const char *join(struct bt_planner *planner, struct bt_str dir, const char *name)
{
    char path[BT_PATH_BYTES_MAX];
    int len = snprintf(path, sizeof path, "%.*s/%s", BT_FMT(dir), name);
    if (len < 0 || (size_t)len >= sizeof path)
        return NULL;
    return bt_arena_dup(&planner->plan->arena, (struct bt_str){path, (size_t)len});
}

/* python3, else python, of the virtual environment, else of the PATH. */
static const char *find_python(struct bt_planner *planner)
{
    static const char *const names[] = {"python3", "python"};
    const char *venv = bt_planner_variable(planner, "VIRTUAL_ENV");
    if (venv && venv[0]) {
        const char *path = join(planner, bt_str_of(venv), "bin/python3");
        if (path && is_program(path))
            return path;
    }
    for (size_t i = 0; i < BT_COUNT(names); i++) {
        const char *dirs = bt_planner_variable(planner, "PATH");
        while (dirs && *dirs) {
            size_t len = strcspn(dirs, ":");
            const char *path = join(planner, (struct bt_str){dirs, len}, names[i]);
            if (len > 0 && path && is_program(path))
                return path;
            dirs += len + (dirs[len] == ':');
        }
    }
    return names[0]; /* Its start says that there is none. */
}

int bt_planner_python(struct bt_planner *planner, struct bt_str script, struct bt_buf *out)
{
    struct bt_plan *plan = planner->plan;
    plan->file_name = SCRIPT_NAME_PYTHON;
    plan->file_text = bt_arena_str(&plan->arena, script);
    const char *path = join(planner, bt_str_of(planner->place->work_dir), SCRIPT_NAME_PYTHON);
    bool has_prelude = has_word(script, BT_STR("true")) || has_word(script, BT_STR("false")) ||
                       has_word(script, BT_STR("null"));
    if (!plan->file_text.at || !path)
        return bt_fail_mem(planner->err, "script");
    if (out) {
        (void)bt_buf_adds(out, "\"$(command -v \"${VIRTUAL_ENV:+$VIRTUAL_ENV/bin/}python3\" || "
                               "command -v python3 || command -v python || echo python3)\" ");
        if (has_prelude)
            (void)bt_buf_addf(out, "-c \"%s\" ",
                              prelude); /* It holds no character of the shell's. */
        (void)bt_buf_adds(out, "\"$WORKING_DIR/" SCRIPT_NAME_PYTHON "\"\n");
        return bt_buf_check(out, "command", planner->err);
    }
    const char **argv = bt_arena_alloc(&plan->arena, 5 * sizeof *argv);
    if (!argv)
        return bt_fail_mem(planner->err, "command");
    size_t used = 0;
    argv[used++] = find_python(planner);
    if (has_prelude) {
        argv[used++] = "-c";
        argv[used++] = prelude;
    }
    argv[used++] = path;
    plan->argv = argv;
    return BT_OK;
}

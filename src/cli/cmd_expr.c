/* cmd_expr.c — `baton expr`: one expression, or one request a line. Grants one capability, secrets
 * from SECRET_… of the environment; everything else is refused, so that nothing touches the world.
 */
#include "cli/cmd_expr.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "lang/expr/expr.h"
#include "service/world.h"
#include "sys/clock.h"
#include "sys/random.h"
#include "value/json.h"

#include <errno.h>

static const char help[] =
    "Usage: baton expr EXPRESSION [--context FILE.json] [--typed] [--recursive]\n"
    "       baton expr --jsonl\n"
    "\n"
    "Renders an expression such as '{{ 1 + 1 }}' or '{{ inputs.name | upper }}'.\n"
    "\n"
    "  --context FILE   variables, a JSON object ('-' reads standard input)\n"
    "  --typed          print the value as JSON instead of its text\n"
    "  --recursive      render again until the result stays the same\n"
    "  --jsonl          read a request a line from standard input,\n"
    "                   {\"template\": …, \"context\": {…}, \"typed\": bool, \"recursive\": "
    "bool},\n"
    "                   and write {\"result\": …} or {\"error\": …} for each\n"
    "  --help           this text\n";

struct request {
    struct bt_str template;
    const struct bt_value *context; /* Borrowed; a map. */
    bool is_typed, is_recursive;
};

static int call(void *data, const char *function, const struct bt_value *args,
                struct bt_value **ret_value, struct bt_err *err)
{
    (void)data; /* There is no state. */
    *ret_value = NULL;
    if (strcmp(function, "secret") == 0)
        return bt_env_secret(bt_map_str(args, "key"), ret_value, err);
    return bt_fail(err, BT_UNAVAILABLE, "the function '%s' is not available here", function);
}

static const struct bt_capabilities capabilities = {.call = call};

static int render(const struct request *request, struct bt_value **ret_value, struct bt_err *err)
{
    BT_CLEANUP(bt_template_unref_p) struct bt_template *template = NULL;
    struct bt_rng rng = {bt_random_u64()};
    struct bt_scope scope;
    BT_TRY(bt_template_parse(request->template, &template, err));
    bt_scope_of_map(&scope, request->context);
    scope.now_us = bt_clock_wall_us(bt_clock_system());
    scope.rng = &rng;
    scope.capabilities = &capabilities;
    scope.zone = getenv("TZ");
    scope.is_recursive = request->is_recursive;
    return request->is_typed ? bt_template_render_typed(template, &scope, ret_value, err)
                             : bt_template_render(template, &scope, ret_value, err);
}

/* --- One request a line ----------------------------------------------------------------------- */

static int answer(struct bt_str line, struct bt_value **ret_value, struct bt_err *err)
{
    BT_VALUE request = NULL;
    BT_VALUE none = bt_map_new(0);
    BT_TRY(bt_json_parse(line, NULL, &request, err));
    const struct bt_value *template = bt_map_gets(request, "template");
    const struct bt_value *context = bt_map_gets(request, "context");
    if (!bt_value_is(template, BT_KIND_STRING))
        return bt_fail(err, BT_INVALID, "the request has no text 'template'");
    if (!bt_value_is_null(context) && !bt_value_is(context, BT_KIND_MAP))
        return bt_fail(err, BT_INVALID, "the request's 'context' is no object");
    struct request parts = {
        .template = bt_value_str(template),
        .context = bt_value_is_null(context) ? none : context,
        .is_typed = bt_value_as_bool(bt_map_gets(request, "typed")),
        .is_recursive = bt_value_as_bool(bt_map_gets(request, "recursive")),
    };
    return render(&parts, ret_value, err);
}

static void write_answer(struct bt_str line)
{
    struct bt_err err = BT_ERR_INIT;
    struct bt_buf buf = BT_BUF_INIT(4 * BT_EXPR_OUTPUT_MAX);
    BT_VALUE value = NULL;
    int rc = answer(line, &value, &err);
    (void)bt_buf_adds(&buf, rc == BT_OK ? "{\"result\":" : "{\"error\":"); /* Checked below. */
    if (rc == BT_OK)
        rc = bt_json_write(value, BT_JSON_COMPACT, &buf, &err);
    if (rc < 0) {
        bt_buf_clear(&buf);
        (void)bt_buf_adds(&buf, "{\"error\":");
        (void)bt_json_write_str(bt_str_of(err.msg), &buf);
    }
    (void)bt_buf_adds(&buf, "}\n");
    if (bt_buf_check(&buf, "the answer", NULL) == BT_OK)
        (void)fwrite(buf.at, 1, buf.len, stdout); /* A closed pipe ends the program. */
    else
        (void)fputs("{\"error\":\"the answer is too large\"}\n", stdout);
    (void)fflush(stdout);
    bt_buf_done(&buf);
}

static int run_lines(void)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    while ((len = getline(&line, &cap, stdin)) >= 0) {
        struct bt_str text = bt_str_trim((struct bt_str){line, (size_t)len});
        if (text.len)
            write_answer(text);
    }
    free(line);
    return ferror(stdin) ? 2 : 0;
}

/* --- One expression --------------------------------------------------------------------------- */

static int complain(const struct bt_err *err, const char *where)
{
    if (err->line)
        (void)fprintf(stderr, "%s:%u:%u: %s\n", where, err->line, err->col, err->msg);
    else
        (void)fprintf(stderr, "%s: %s\n", where, err->msg);
    if (err->hint[0])
        (void)fprintf(stderr, "hint: %s\n", err->hint);
    return 2;
}

static int read_file(const char *path, struct bt_buf *out, struct bt_err *err)
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "rb");
    char bytes[65536];
    size_t len;
    if (!file)
        return bt_fail_errno(err, BT_IO, errno, "cannot open '%s'", path);
    while ((len = fread(bytes, 1, sizeof bytes, file)) > 0 && out->failed == BT_OK)
        (void)bt_buf_add(out, (struct bt_str){bytes, len}); /* Checked below. */
    int rc = ferror(file) ? bt_fail_errno(err, BT_IO, errno, "cannot read '%s'", path)
                          : bt_buf_check(out, "the context", err);
    if (!is_stdin)
        (void)fclose(file); /* It was only read. */
    return rc;
}

static int read_context(const char *path, struct bt_value **ret_context, struct bt_err *err)
{
    struct bt_buf buf = BT_BUF_INIT(BT_JSON_BYTES_MAX);
    int rc = read_file(path, &buf, err);
    if (rc == BT_OK)
        rc = bt_json_parse(bt_buf_str(&buf), NULL, ret_context, err);
    bt_buf_done(&buf);
    if (rc == BT_OK && !bt_value_is(*ret_context, BT_KIND_MAP))
        rc = bt_fail(err, BT_INVALID, "it holds no JSON object");
    return rc;
}

static int run_one(struct request *request, const char *context_path)
{
    struct bt_err err = BT_ERR_INIT;
    BT_VALUE context = NULL;
    BT_VALUE value = NULL;
    if (context_path) {
        if (read_context(context_path, &context, &err) < 0)
            return complain(&err, context_path);
    } else {
        context = bt_map_new(0);
    }
    request->context = context;
    if (render(request, &value, &err) < 0)
        return complain(&err, "expression");
    struct bt_buf buf = BT_BUF_INIT(4 * BT_EXPR_OUTPUT_MAX);
    int rc = request->is_typed ? bt_json_write(value, BT_JSON_COMPACT, &buf, &err)
                               : bt_buf_add(&buf, bt_value_str(value));
    if (rc == BT_OK && printf("%.*s\n", (int)buf.len, buf.at ? buf.at : "") < 0)
        rc = bt_fail_errno(&err, BT_IO, errno, "cannot write");
    bt_buf_done(&buf);
    return rc < 0 ? complain(&err, "expression") : 0;
}

static int usage(const char *problem, const char *what)
{
    (void)fprintf(stderr, "baton expr: %s%s\nTry 'baton expr --help'.\n", problem, what);
    return 2;
}

int bt_cmd_expr(int argc, char **argv)
{
    struct request request = {0};
    const char *context = NULL;
    bool is_lines = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return fputs(help, stdout) < 0 ? 2 : 0;
        if (strcmp(argv[i], "--jsonl") == 0)
            is_lines = true;
        else if (strcmp(argv[i], "--typed") == 0)
            request.is_typed = true;
        else if (strcmp(argv[i], "--recursive") == 0)
            request.is_recursive = true;
        else if (strcmp(argv[i], "--context") == 0 && ++i == argc)
            return usage("--context needs a file", "");
        else if (strcmp(argv[i - 1], "--context") == 0)
            context = argv[i];
        else if (argv[i][0] == '-' && argv[i][1] == '-')
            return usage("unknown option ", argv[i]);
        else if (request.template.at)
            return usage("more than one expression: ", argv[i]);
        else
            request.template = bt_str_of(argv[i]);
    }
    if (is_lines)
        return request.template.at || context ? usage("--jsonl takes nothing else", "")
                                              : run_lines();
    return request.template.at ? run_one(&request, context) : usage("no expression given", "");
}

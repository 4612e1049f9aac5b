/* cmd_flow.c — `baton flow VERB`: flows of a running server. */
#include "cli/cli.h"
#include "cli/remote.h"
#include "cli/text.h"

#include "base/limits.h"
#include "base/own.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { FILES_MAX = 1000 };

/* "/api/v1/flows/NAMESPACE/ID" and what follows. */
static int flow_path(const char *namespace, const char *id, const char *rest, struct bt_buf *out,
                     struct bt_err *err)
{
    (void)bt_buf_adds(out, "/api/v1/flows/"); /* Checked below. */
    (void)bt_client_escape(bt_str_of(namespace), out);
    (void)bt_buf_addc(out, '/');
    (void)bt_client_escape(bt_str_of(id), out);
    (void)bt_buf_adds(out, rest);
    return bt_buf_cstr(out) ? BT_OK : bt_buf_check(out, "the address", err);
}

/* NAMESPACE ID, or NAMESPACE.ID with the id behind the last dot. */
static int split_name(const struct bt_options *spec, char name[2][256], struct bt_err *err)
{
    const char *first = spec->positional_count ? spec->positional[0] : NULL;
    const char *second = spec->positional_count > 1 ? spec->positional[1] : NULL;
    const char *dot = first ? strrchr(first, '.') : NULL;
    if (first && second)
        (void)snprintf(name[0], 256, "%s", first); /* Too long is not found. */
    else if (dot)
        (void)snprintf(name[0], 256, "%.*s", (int)(dot - first), first);
    else
        return bt_fail(err, BT_INVALID, "which flow? give NAMESPACE and ID");
    (void)snprintf(name[1], 256, "%s", second ? second : dot + 1);
    return BT_OK;
}

static int begin(struct bt_remote *remote, struct bt_options *spec, int argc, char **argv,
                 struct bt_err *err)
{
    BT_TRY(bt_options_read(spec, argc, argv, err));
    return bt_remote_open(remote, err);
}

/* --- push ------------------------------------------------------------------------------------- */

static int read_file(const char *path, struct bt_buf *out, struct bt_err *err)
{
    char chunk[1 << 16];
    size_t len;
    FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe");
    if (!in)
        return bt_fail_errno(err, BT_INVALID, errno, "cannot open '%s'", path);
    while ((len = fread(chunk, 1, sizeof chunk, in)) > 0)
        if (bt_buf_add(out, (struct bt_str){chunk, len}) < 0)
            break;
    bool is_bad = ferror(in);
    if (in != stdin)
        (void)fclose(in);
    if (is_bad)
        return bt_fail_errno(err, BT_INVALID, errno, "cannot read '%s'", path);
    return bt_buf_check(out, path, err);
}

/* Creates the flow, or gives it a new revision. */
static int push_source(struct bt_remote *remote, struct bt_str source, struct bt_value **ret_flow,
                       struct bt_err *err)
{
    struct bt_client_request request = {.method = "POST",
                                        .path = "/api/v1/flows/import-source",
                                        .type = "application/x-yaml",
                                        .body = source};
    return bt_remote_call(remote, &request, ret_flow, err);
}

static int push_file(struct bt_remote *remote, const char *path, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf source = BT_BUF_INIT(BT_YAML_BYTES_MAX);
    BT_VALUE flow = NULL;
    BT_TRY(read_file(path, &source, err));
    if (push_source(remote, bt_buf_str(&source), &flow, err) < 0)
        return bt_err_prefix(err, "%s", path);
    bt_text_put(stdout, bt_map_str(flow, "namespace"), 1000);
    (void)putchar('.');
    bt_text_put(stdout, bt_map_str(flow, "id"), 1000);
    (void)printf(" revision %lld\n", (long long)bt_value_as_int(bt_map_gets(flow, "revision")));
    return BT_OK;
}

static int push(struct bt_remote *remote, int argc, char **argv, struct bt_err *err)
{
    const char *files[FILES_MAX];
    const struct bt_flag flags[] = {BT_REMOTE_FLAGS(remote)};
    struct bt_options spec = {.command = "flow",
                              .flags = flags,
                              .flag_count = BT_COUNT(flags),
                              .positional = files,
                              .positional_max = FILES_MAX};
    BT_TRY(begin(remote, &spec, argc, argv, err));
    if (!spec.positional_count)
        return bt_fail(err, BT_INVALID, "which files? baton flow push FILE...");
    for (size_t i = 0; i < spec.positional_count; i++)
        BT_TRY(push_file(remote, files[i], err));
    return BT_OK;
}

/* --- list, get, delete ------------------------------------------------------------------------ */

static void print_flow(const struct bt_value *flow)
{
    size_t columns = bt_text_put(stdout, bt_map_str(flow, "namespace"), 40);
    (void)printf("%*s", columns < 40 ? (int)(40 - columns) : 1, "");
    columns = bt_text_put(stdout, bt_map_str(flow, "id"), 40);
    (void)printf("%*s%5lld%s\n", columns < 40 ? (int)(40 - columns) : 1, "",
                 (long long)bt_value_as_int(bt_map_gets(flow, "revision")),
                 bt_value_as_bool(bt_map_gets(flow, "disabled")) ? "  disabled" : "");
}

static int list(struct bt_remote *remote, int argc, char **argv, struct bt_err *err)
{
    const char *namespace = NULL, *text = NULL, *json = NULL;
    const struct bt_flag flags[] = {BT_REMOTE_FLAGS(remote),
                                    {'n', "--namespace", true, &namespace},
                                    {'q', "--text", true, &text},
                                    {0, "--json", false, &json}};
    struct bt_options spec = {.command = "flow", .flags = flags, .flag_count = BT_COUNT(flags)};
    BT_CLEANUP(bt_buf_done) struct bt_buf path = BT_BUF_INIT(8192);
    BT_VALUE page = NULL;
    BT_TRY(begin(remote, &spec, argc, argv, err));
    (void)bt_buf_adds(&path, "/api/v1/flows/search?size=10000&namespace="); /* Checked below. */
    (void)bt_client_escape(bt_str_of(namespace ? namespace : ""), &path);
    (void)bt_buf_adds(&path, "&q=");
    (void)bt_client_escape(bt_str_of(text ? text : ""), &path);
    const char *address = bt_buf_cstr(&path);
    BT_TRY(address ? bt_remote_get(remote, address, &page, err)
                   : bt_buf_check(&path, "the address", err));
    const struct bt_value *flows = bt_map_gets(page, "results");
    if (json)
        return bt_remote_print(flows, err);
    (void)printf("%-40s%-40s%s\n", "NAMESPACE", "ID", "  REV");
    for (size_t i = 0; i < bt_value_count(flows); i++)
        print_flow(bt_list_at(flows, i));
    return BT_OK;
}

static int get(struct bt_remote *remote, int argc, char **argv, struct bt_err *err)
{
    const char *names[2], *json = NULL, *revision = NULL;
    char name[2][256], rest[64] = "?source=true";
    const struct bt_flag flags[] = {
        BT_REMOTE_FLAGS(remote), {'r', "--revision", true, &revision}, {0, "--json", false, &json}};
    struct bt_options spec = {.command = "flow",
                              .flags = flags,
                              .flag_count = BT_COUNT(flags),
                              .positional = names,
                              .positional_max = 2};
    BT_CLEANUP(bt_buf_done) struct bt_buf path = BT_BUF_INIT(8192);
    BT_VALUE flow = NULL;
    unsigned number;
    BT_TRY(begin(remote, &spec, argc, argv, err));
    BT_TRY(split_name(&spec, name, err));
    BT_TRY(bt_option_number(&(struct bt_number_option){"--revision", 1, 1u << 30, 0}, revision,
                            &number, err));
    if (number)
        (void)snprintf(rest, sizeof rest, "?source=true&revision=%u", number); /* Fits. */
    BT_TRY(flow_path(name[0], name[1], rest, &path, err));
    BT_TRY(bt_remote_get(remote, bt_buf_cstr(&path), &flow, err));
    if (json)
        return bt_remote_print(flow, err);
    bt_text_put_lines(stdout, bt_map_str(flow, "source"));
    return BT_OK;
}

static int delete_one(struct bt_remote *remote, int argc, char **argv, struct bt_err *err)
{
    const char *names[2];
    char name[2][256];
    const struct bt_flag flags[] = {BT_REMOTE_FLAGS(remote)};
    struct bt_options spec = {.command = "flow",
                              .flags = flags,
                              .flag_count = BT_COUNT(flags),
                              .positional = names,
                              .positional_max = 2};
    BT_CLEANUP(bt_buf_done) struct bt_buf path = BT_BUF_INIT(8192);
    BT_TRY(begin(remote, &spec, argc, argv, err));
    BT_TRY(split_name(&spec, name, err));
    BT_TRY(flow_path(name[0], name[1], "", &path, err));
    struct bt_client_request request = {.method = "DELETE", .path = bt_buf_cstr(&path)};
    BT_TRY(bt_remote_call(remote, &request, NULL, err));
    (void)printf("deleted\n");
    return BT_OK;
}

int bt_cmd_flow(int argc, char **argv)
{
    static const struct bt_verb verbs[] = {
        {"push", "push FILE...", "Create flows, or give them a new revision", push},
        {"list", "list [-n NAMESPACE] [-q TEXT] [--json]", "List flows", list},
        {"get", "get NAMESPACE ID [-r REVISION] [--json]", "Print a flow's source", get},
        {"delete", "delete NAMESPACE ID", "Delete a flow", delete_one},
        {NULL, NULL, NULL, NULL},
    };
    return bt_remote_main("flow", verbs, argc, argv);
}

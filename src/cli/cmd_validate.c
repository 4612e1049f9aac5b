/* cmd_validate.c — `baton validate FILE…`: reads flows and tells what is wrong with them. Writes
 * nothing but its report. */
#include "cli/cli.h"

#include "base/limits.h"
#include "cli/diags.h"
#include "model/flow.h"
#include "value/json.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

enum { FOLDER_DEPTH_MAX = 32 };

struct validation {
    bool is_json;
    size_t files, errors, warnings, bad_files;
    struct bt_value *report; /* A list, with --json. */
};

static const char usage[] =
    "Usage: baton validate FILE... [--json]\n"
    "\n"
    "Checks flows without running them: every mistake with its line, and what to do.\n"
    "FILE is a flow, a folder (all *.yml and *.yaml below it), or - for standard input.\n"
    "\n"
    "  --json   print a report for programs\n"
    "\n"
    "Exit code: 0 when all flows are valid (warnings allowed), 2 when one is not.\n"
    "Example:   baton validate flows/\n";

/* --- Reading ---------------------------------------------------------------------------------- */

static int read_stream(FILE *in, struct bt_buf *out, struct bt_err *err)
{
    char chunk[1 << 16];
    size_t len;
    while ((len = fread(chunk, 1, sizeof chunk, in)) > 0)
        if (bt_buf_add(out, (struct bt_str){chunk, len}) != BT_OK)
            break;
    if (ferror(in))
        return bt_fail_errno(err, BT_IO, errno, "cannot read");
    if (out->failed == BT_LIMIT)
        return bt_fail(err, BT_LIMIT, "larger than %u bytes", BT_YAML_BYTES_MAX);
    return bt_buf_check(out, "the file", err);
}

static int read_file(const char *name, struct bt_buf *out, struct bt_err *err)
{
    if (strcmp(name, "-") == 0)
        return read_stream(stdin, out, err);
    FILE *in = fopen(name, "rbe");
    if (!in)
        return bt_fail_errno(err, BT_IO, errno, "cannot open");
    int rc = read_stream(in, out, err);
    fclose(in);
    return rc;
}

/* --- Reporting -------------------------------------------------------------------------------- */

static void report_json(struct validation *validation, const char *name,
                        const struct bt_diags *diags)
{
    BT_VALUE entry = bt_map_new(3);
    bool is_good = entry && bt_map_puts(entry, "file", bt_value_cstr(name)) == BT_OK &&
                   bt_map_puts(entry, "valid", bt_value_bool(diags->errors == 0)) == BT_OK &&
                   bt_map_puts(entry, "diagnostics", bt_cli_diags_value(diags)) == BT_OK &&
                   bt_list_push(validation->report, BT_TAKE(entry)) == BT_OK;
    if (!is_good)
        fprintf(stderr, "baton: out of memory\n");
}

static void report(struct validation *validation, const char *name, struct bt_str source,
                   const struct bt_diags *diags)
{
    const char *shown = strcmp(name, "-") == 0 ? "<stdin>" : name;
    validation->files++;
    validation->errors += diags->errors;
    validation->bad_files += diags->errors ? 1 : 0;
    for (size_t i = 0; i < diags->count; i++)
        validation->warnings += diags->items[i].severity == BT_SEVERITY_WARNING ? 1 : 0;
    if (validation->is_json)
        report_json(validation, shown, diags);
    else
        bt_cli_print_diags(stdout, shown, source, diags);
}

static void validate_file(struct validation *validation, const char *name)
{
    struct bt_buf source = BT_BUF_INIT(BT_YAML_BYTES_MAX);
    struct bt_diags diags = BT_DIAGS_INIT;
    struct bt_err err = BT_ERR_INIT;
    struct bt_flow *flow = NULL;
    if (read_file(name, &source, &err) != BT_OK)
        bt_diags_add(&diags, BT_SEVERITY_ERROR, "unreadable", (struct bt_mark){0}, "%s", err.msg);
    else if (bt_flow_parse(bt_buf_str(&source), &flow, &diags) == BT_NO_MEM)
        bt_diags_add(&diags, BT_SEVERITY_ERROR, "no-memory", (struct bt_mark){0}, "out of memory");
    report(validation, name, bt_buf_str(&source), &diags);
    bt_flow_unref(flow);
    bt_diags_done(&diags);
    bt_buf_done(&source);
}

/* --- Folders ---------------------------------------------------------------------------------- */

static bool is_flow_name(const char *name)
{
    struct bt_str text = bt_str_of(name);
    return bt_str_ends(text, BT_STR(".yml")) || bt_str_ends(text, BT_STR(".yaml"));
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void validate_path(struct validation *validation, const char *path, int depth);

static void validate_folder(struct validation *validation, const char *path, int depth)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, is_visible, alphasort);
    for (int i = 0; i < count; i++) {
        char name[4096];
        int len = snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        struct stat info;
        free(entries[i]);
        if (len < 0 || (size_t)len >= sizeof name || stat(name, &info) != 0)
            continue;
        if (S_ISDIR(info.st_mode) || is_flow_name(name))
            validate_path(validation, name, depth + 1);
    }
    free(entries);
}

static void validate_path(struct validation *validation, const char *path, int depth)
{
    struct stat info;
    bool is_folder = strcmp(path, "-") != 0 && stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    if (!is_folder)
        validate_file(validation, path);
    else if (depth < FOLDER_DEPTH_MAX)
        validate_folder(validation, path, depth);
}

/* --- The command ------------------------------------------------------------------------------ */

static void summarise(const struct validation *validation)
{
    if (validation->files == 0) {
        printf("no flow found\n");
    } else if (validation->errors == 0) {
        printf("%zu flow%s valid", validation->files, validation->files == 1 ? "" : "s");
        if (validation->warnings)
            printf(", %zu warning%s", validation->warnings, validation->warnings == 1 ? "" : "s");
        printf("\n");
    } else {
        printf("%zu of %zu flow%s not valid: %zu error%s, %zu warning%s\n", validation->bad_files,
               validation->files, validation->files == 1 ? "" : "s", validation->errors,
               validation->errors == 1 ? "" : "s", validation->warnings,
               validation->warnings == 1 ? "" : "s");
    }
}

static int finish(struct validation *validation)
{
    if (validation->is_json) {
        struct bt_buf out = BT_BUF_INIT(BT_JSON_BYTES_MAX);
        struct bt_err err = BT_ERR_INIT;
        if (bt_json_write(validation->report, BT_JSON_PRETTY, &out, &err) == BT_OK)
            printf("%.*s\n", (int)out.len, out.at);
        else
            fprintf(stderr, "baton: %s\n", err.msg);
        bt_buf_done(&out);
    } else {
        summarise(validation);
    }
    return validation->errors ? BT_EXIT_USAGE : BT_EXIT_OK;
}

static int read_options(int argc, char **argv, struct validation *validation, size_t *ret_files)
{
    for (int i = 1; i < argc; i++) {
        bool is_option = argv[i][0] == '-' && argv[i][1] != '\0';
        if (strcmp(argv[i], "--json") == 0) {
            validation->is_json = true;
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage, stdout);
            return BT_EXIT_OK;
        } else if (is_option) {
            fprintf(stderr, "baton validate: unknown option '%s'\n\n%s", argv[i], usage);
            return BT_EXIT_USAGE;
        } else {
            (*ret_files)++;
        }
    }
    if (*ret_files)
        return -1;
    fprintf(stderr, "baton validate: which file?\n\n%s", usage);
    return BT_EXIT_USAGE;
}

int bt_cmd_validate(int argc, char **argv)
{
    struct validation validation = {0};
    size_t files = 0;
    int code = read_options(argc, argv, &validation, &files);
    if (code >= 0)
        return code;
    validation.report = bt_list_new(files);
    if (!validation.report) {
        fprintf(stderr, "baton: out of memory\n");
        return BT_EXIT_USAGE;
    }
    for (int i = 1; i < argc; i++)
        if (argv[i][0] != '-' || argv[i][1] == '\0')
            validate_path(&validation, argv[i], 0);
    code = finish(&validation);
    bt_value_unref(validation.report);
    return code;
}

/* plugin_new.c — baton plugin new: writes a small plugin that works, to begin with. */
#include "cli/cli.h"

#include "base/buf.h"
#include "cli/plugin_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern const char bt_plugin_header[], bt_plugin_header_end[]; /* include/baton/plugin.h */

static const char manifest[] =
    "{\n"
    "  \"name\": \"@\",\n"
    "  \"title\": \"@\",\n"
    "  \"version\": \"0.1.0\",\n"
    "  \"abi\": 1,\n"
    "%s"
    "  \"doc\": \"Says what the plugin is for.\",\n"
    "  \"types\": [\n"
    "    {\n"
    "      \"name\": \"@.greet\",\n"
    "      \"title\": \"Greet somebody\",\n"
    "      \"doc\": \"Logs a greeting and gives it as an output.\",\n"
    "      \"properties\": {\n"
    "        \"name\": {\n"
    "          \"type\": \"string\",\n"
    "          \"x-dynamic\": true,\n"
    "          \"x-required\": true,\n"
    "          \"description\": \"Who is greeted.\"\n"
    "        }\n"
    "      },\n"
    "      \"outputs\": {\n"
    "        \"greeting\": {\"type\": \"string\", \"description\": \"The greeting.\"}\n"
    "      },\n"
    "      \"examples\": [\n"
    "        {\n"
    "          \"title\": \"Greet the world\",\n"
    "          \"source\": \"id: greet\\ntype: @.greet\\nname: world\\n\",\n"
    "          \"expect\": {\"outputs\": {\"greeting\": \"Hello world\"}}\n"
    "        }\n"
    "      ]\n"
    "    }\n"
    "  ]\n"
    "}\n";

static const char source_c[] =
    "/* @.c — The plugin @: one task. */\n"
    "#include <baton/plugin.h>\n"
    "\n"
    "#include <stdio.h>\n"
    "#include <string.h>\n"
    "\n"
    "static int greet(const struct bt_host_api *host, struct bt_run *run)\n"
    "{\n"
    "    struct bt_text name = host->prop_text(run, \"name\");\n"
    "    char text[256];\n"
    "    if (name.len == 0)\n"
    "        return host->fail(run, \"name is empty\");\n"
    "    snprintf(text, sizeof text, \"Hello %s\", name.at);\n"
    "    host->log(run, BT_PLUGIN_INFO, text, strlen(text));\n"
    "    return host->output_text(run, \"greeting\", text, strlen(text));\n"
    "}\n"
    "\n"
    "static const struct bt_task_def greet_def = {\n"
    "    .size = sizeof greet_def, .type = \"@.greet\", .run = greet};\n"
    "\n"
    "static const struct bt_task_def *const tasks[] = {&greet_def, NULL};\n"
    "\n"
    "static const struct bt_plugin plugin = {\n"
    "    .abi = BT_PLUGIN_ABI,\n"
    "    .size = sizeof plugin,\n"
    "    .name = \"@\",\n"
    "    .version = \"0.1.0\",\n"
    "    .tasks = tasks,\n"
    "};\n"
    "\n"
    "const struct bt_plugin *bt_plugin_entry(void)\n"
    "{\n"
    "    return &plugin;\n"
    "}\n";

static const char makefile_c[] =
    "CFLAGS ?= -O2 -g -Wall -Wextra\n"
    "\n"
    "@.so: @.c baton/plugin.h\n"
    "\t$(CC) $(CFLAGS) -I. -fPIC -fvisibility=hidden -shared -o $@ $<\n"
    "\n"
    ".PHONY: test\n"
    "test: @.so\n"
    "\tbaton plugin test .\n";

static const char source_python[] =
    "#!/usr/bin/env python3\n"
    "\"\"\"The plugin @: reads orders from standard input, answers on standard output.\"\"\"\n"
    "import json\n"
    "import sys\n"
    "\n"
    "\n"
    "def say(message):\n"
    "    print(json.dumps(message), flush=True)\n"
    "\n"
    "\n"
    "def greet(properties):\n"
    "    text = \"Hello \" + properties[\"name\"]\n"
    "    say({\"type\": \"log\", \"level\": \"INFO\", \"message\": text})\n"
    "    say({\"type\": \"output\", \"name\": \"greeting\", \"value\": text})\n"
    "\n"
    "\n"
    "TASKS = {\"@.greet\": greet}\n"
    "\n"
    "while line := sys.stdin.readline():\n"
    "    order = json.loads(line)\n"
    "    try:\n"
    "        TASKS[order[\"task\"]](order[\"properties\"])\n"
    "        say({\"type\": \"result\", \"state\": \"success\"})\n"
    "    except Exception as error:\n"
    "        say({\"type\": \"result\", \"state\": \"failed\", \"error\": str(error)})\n";

static const char readme[] =
    "# @\n"
    "\n"
    "A plugin for Baton. `plugin.json` describes its types; docs/plugin-guide.md of Baton tells "
    "the "
    "rest.\n"
    "\n"
    "    %s\n"
    "    baton plugin test .                    # runs the examples of plugin.json\n"
    "    baton plugin install . --data DIR      # for `baton run --data DIR`\n";

/* Writes the template with the plugin's name for each '@'; a missing name keeps "$@" of make. */
static int write_file(const char *dir, const char *name, struct bt_str text, const char *plugin,
                      struct bt_err *err)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name); /* A longer one does not open. */
    FILE *file = fopen(path, "wxe");
    if (!file)
        return bt_fail_errno(err, BT_IO, errno, "cannot make '%s'", path);
    for (size_t i = 0; i < text.len; i++) {
        bool is_name = plugin && text.at[i] == '@' && (i == 0 || text.at[i - 1] != '$');
        if (is_name)
            (void)fputs(plugin, file); /* Checked below. */
        else
            (void)fputc(text.at[i], file);
    }
    bool is_bad = ferror(file);
    if (fclose(file) != 0 || is_bad)
        return bt_fail_errno(err, BT_IO, errno, "cannot write '%s'", path);
    return BT_OK;
}

static int write_format(const char *name, const char *file, const char *format, const char *part,
                        struct bt_err *err)
{
    struct bt_buf text = BT_BUF_INIT(1 << 16);
    const char *at = strstr(format, "%s");
    (void)bt_buf_add(&text, (struct bt_str){format, (size_t)(at - format)}); /* Checked below. */
    (void)bt_buf_adds(&text, part);
    (void)bt_buf_adds(&text, at + 2);
    int rc = bt_buf_check(&text, "the plugin", err);
    if (rc == BT_OK)
        rc = write_file(name, file, bt_buf_str(&text), name, err);
    bt_buf_done(&text);
    return rc;
}

static int write_c(const char *name, struct bt_err *err)
{
    char file[256], dir[256];
    struct bt_str header = {bt_plugin_header, (size_t)(bt_plugin_header_end - bt_plugin_header)};
    (void)snprintf(file, sizeof file, "%s.c", name);
    (void)snprintf(dir, sizeof dir, "%s/baton", name); /* Both fit. */
    if (mkdir(dir, 0777) < 0)
        return bt_fail_errno(err, BT_IO, errno, "cannot make '%s'", dir);
    BT_TRY(write_file(dir, "plugin.h", header, NULL, err));
    BT_TRY(write_file(name, file, bt_str_of(source_c), name, err));
    BT_TRY(write_file(name, "Makefile", bt_str_of(makefile_c), name, err));
    BT_TRY(write_format(name, "plugin.json", manifest, "", err));
    return write_format(name, "README.md", readme, "make", err);
}

static int write_python(const char *name, struct bt_err *err)
{
    char path[256];
    BT_TRY(write_file(name, "run.py", bt_str_of(source_python), name, err));
    (void)snprintf(path, sizeof path, "%s/run.py", name); /* Fits. */
    if (chmod(path, 0755) < 0)
        return bt_fail_errno(err, BT_IO, errno, "cannot make '%s' executable", path);
    BT_TRY(write_format(name, "plugin.json", manifest,
                        "  \"executable\": \"./run.py\",\n  \"reuse\": true,\n", err));
    return write_format(name, "README.md", readme, "./run.py is all there is to it", err);
}

static bool is_name(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < len; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_-", name[i]))
            return false;
    return len > 0 && len <= 64 && name[0] >= 'a' && name[0] <= 'z';
}

int bt_plugin_new(const char *name, const char *language)
{
    struct bt_err err = BT_ERR_INIT;
    bool is_c = strcmp(language, "c") == 0;
    int rc = BT_OK;
    if (!is_name(name))
        rc = bt_fail(&err, BT_INVALID, "'%s' cannot be a name: a-z, 0-9, - and _, from a letter on",
                     name);
    else if (!is_c && strcmp(language, "python") != 0)
        rc = bt_fail(&err, BT_INVALID, "--lang is c or python, not '%s'", language);
    else if (mkdir(name, 0777) < 0)
        rc = bt_fail_errno(&err, BT_EXISTS, errno, "cannot make the directory '%s'", name);
    if (rc < 0)
        return bt_cli_fail("plugin new", &err, BT_EXIT_USAGE);
    rc = is_c ? write_c(name, &err) : write_python(name, &err);
    if (rc < 0)
        return bt_cli_fail("plugin new", &err, BT_EXIT_FAILED);
    (void)printf("%s/ is a plugin with one task. Next:\n\n  cd %s%s\n  baton plugin test .\n", name,
                 name, is_c ? "\n  make" : "");
    return BT_EXIT_OK;
}

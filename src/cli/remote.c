/* remote.c — The client half of `baton flow` and `baton exec`. */
#include "cli/remote.h"

#include "base/limits.h"
#include "cli/cli.h"
#include "cli/text.h"
#include "value/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int bt_remote_open(struct bt_remote *remote, struct bt_err *err)
{
    struct bt_client_config config = {
        .url = remote->server ? remote->server : getenv("BATON_SERVER"),
        .token = remote->token ? remote->token : getenv("BATON_TOKEN"),
    };
    if (remote->data || !config.url || !*config.url) {
        const char *dir = remote->data ? remote->data : "baton-data";
        if (asprintf(&remote->unix_path, "%s/api.sock", dir) < 0)
            return bt_fail_mem(err, "server");
        config.unix_path = remote->unix_path;
        config.url = "http://localhost";
        config.token = NULL;
    }
    return bt_client_new(&config, &remote->client, err);
}

void bt_remote_close(struct bt_remote *remote)
{
    bt_client_free(remote->client);
    free(remote->unix_path);
}

/* The server's own words, of an error in the original's shape. */
static int refused(const struct bt_client_answer *answer, struct bt_err *err)
{
    BT_VALUE body = NULL;
    (void)bt_json_parse(bt_buf_str(&answer->body), NULL, &body, NULL); /* NULL: no JSON. */
    struct bt_str msg = bt_str_trim(bt_map_str(body, "message"));
    if (answer->status == 401) {
        (void)bt_fail(err, BT_DENIED, "the server wants a token");
        return bt_hint(err, "it is in api.token of its data directory: --token, or BATON_TOKEN");
    }
    if (!msg.len)
        return bt_fail(err, BT_IO, "the server answered with status %d", answer->status);
    return bt_fail(err, answer->status == 404 ? BT_NOT_FOUND : BT_INVALID, "%.*s", BT_FMT(msg));
}

int bt_remote_call(struct bt_remote *remote, const struct bt_client_request *request,
                   struct bt_value **ret_value, struct bt_err *err)
{
    struct bt_client_answer answer;
    BT_TRY(bt_client_call(remote->client, request, &answer, err));
    int rc = answer.status >= 200 && answer.status < 300 ? BT_OK : refused(&answer, err);
    if (rc == BT_OK && ret_value &&
        bt_json_parse(bt_buf_str(&answer.body), NULL, ret_value, NULL) < 0)
        *ret_value = bt_value_string(bt_buf_str(&answer.body));
    bt_client_answer_done(&answer);
    return rc;
}

int bt_remote_get(struct bt_remote *remote, const char *path, struct bt_value **ret_value,
                  struct bt_err *err)
{
    struct bt_client_request request = {.method = "GET", .path = path};
    return bt_remote_call(remote, &request, ret_value, err);
}

/* --- Server-sent events ----------------------------------------------------------------------- */

struct events {
    struct bt_buf line, id, text;
    int (*each)(void *data, struct bt_str id, struct bt_str text);
    void *data;
};

static int take_line(struct events *events)
{
    struct bt_str line = bt_buf_str(&events->line);
    int rc = BT_OK;
    if (bt_str_starts(line, BT_STR("id: "))) {
        bt_buf_clear(&events->id);
        rc = bt_buf_add(&events->id, bt_str_slice(line, 4, line.len));
    } else if (bt_str_starts(line, BT_STR("data: "))) {
        rc = bt_buf_add(&events->text, bt_str_slice(line, 6, line.len));
    } else if (!line.len && events->text.len) {
        rc = events->each(events->data, bt_buf_str(&events->id), bt_buf_str(&events->text));
        bt_buf_clear(&events->text);
    }
    bt_buf_clear(&events->line);
    return rc;
}

static int on_piece(void *data, struct bt_str piece)
{
    struct events *events = data;
    for (size_t i = 0; i < piece.len; i++) {
        if (piece.at[i] == '\n')
            BT_TRY(take_line(events));
        else
            BT_TRY(bt_buf_addc(&events->line, piece.at[i]));
    }
    return BT_OK;
}

int bt_remote_follow(struct bt_remote *remote, const char *path,
                     int (*each)(void *data, struct bt_str id, struct bt_str text), void *data,
                     struct bt_err *err)
{
    struct events events = {.line = BT_BUF_INIT(BT_JSON_BYTES_MAX),
                            .id = BT_BUF_INIT(1024),
                            .text = BT_BUF_INIT(BT_JSON_BYTES_MAX),
                            .each = each,
                            .data = data};
    struct bt_client_request request = {
        .method = "GET", .path = path, .each = on_piece, .data = &events};
    int rc = bt_remote_call(remote, &request, NULL, err);
    bt_buf_done(&events.line);
    bt_buf_done(&events.id);
    bt_buf_done(&events.text);
    return rc;
}

/* --- Verbs ------------------------------------------------------------------------------------ */

static void print_usage(FILE *out, const char *command, const struct bt_verb *verbs)
{
    (void)fprintf(out, "Usage: baton %s VERB [ARGUMENTS]\n\n", command);
    for (const struct bt_verb *verb = verbs; verb->name; verb++)
        (void)fprintf(out, "  %-44s %s\n", verb->usage, verb->summary);
    (void)fprintf(out, "\nOptions of all of them:\n" BT_REMOTE_HELP);
}

int bt_remote_main(const char *command, const struct bt_verb *verbs, int argc, char **argv)
{
    struct bt_err err = BT_ERR_INIT;
    const char *names[32];
    size_t count = 0;
    const char *asked = argc > 1 ? argv[1] : "--help";
    if (argc < 2 || strcmp(asked, "--help") == 0 || strcmp(asked, "-h") == 0) {
        print_usage(argc < 2 ? stderr : stdout, command, verbs);
        return argc < 2 ? BT_EXIT_USAGE : BT_EXIT_OK;
    }
    for (const struct bt_verb *verb = verbs; verb->name; verb++) {
        struct bt_remote remote = {0};
        names[count++] = verb->name;
        if (strcmp(verb->name, asked) != 0)
            continue;
        int rc = verb->run(&remote, argc - 1, argv + 1, &err);
        bt_remote_close(&remote);
        if (rc == BT_NOT_FOUND && err.code == BT_OK) {
            print_usage(stdout, command, verbs);
            return BT_EXIT_OK;
        }
        return rc < 0
                   ? bt_cli_fail(command, &err, rc == BT_INVALID ? BT_EXIT_USAGE : BT_EXIT_FAILED)
                   : rc;
    }
    const char *near = bt_str_nearest(bt_str_of(asked), names, count);
    (void)bt_fail(&err, BT_INVALID, "there is no '%s'", asked);
    if (near)
        (void)bt_hint(&err, "did you mean 'baton %s %s'?", command, near);
    else
        (void)bt_hint(&err, "'baton %s --help' lists what there is", command);
    return bt_cli_fail(command, &err, BT_EXIT_USAGE);
}

int bt_remote_print(const struct bt_value *value, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(2 * BT_JSON_BYTES_MAX);
    BT_TRY(bt_json_write(value, BT_JSON_PRETTY, &text, err));
    bt_text_put_lines(stdout, bt_buf_str(&text));
    (void)putchar('\n');
    return BT_OK;
}

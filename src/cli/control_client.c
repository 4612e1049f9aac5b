/* control_client.c — `baton run --data DIR` beside a running server: hands the flow over and shows.
 */
#include "cli/cli.h"
#include "cli/control.h"
#include "cli/show.h"
#include "value/json.h"
#include "worker/remote/address.h"
#include "worker/remote/frame.h"

#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void socket_address(const char *data_dir, char address[BT_ADDRESS_SIZE])
{
    (void)snprintf(address, BT_ADDRESS_SIZE, "unix:%s/control.sock",
                   data_dir); /* Cut: not there. */
}

bool bt_control_is_there(const char *data_dir)
{
    char address[BT_ADDRESS_SIZE];
    int fd;
    socket_address(data_dir, address);
    if (bt_address_connect(address, 1000, &fd, NULL) < 0)
        return false;
    (void)close(fd);
    return true;
}

static struct bt_value *run_message(const struct bt_control_run *run)
{
    BT_VALUE map = bt_map_new(6), *files = bt_list_new(run->file_count);
    int rc = bt_map_puts(map, "path", bt_value_cstr(run->path));
    rc |= bt_map_puts(map, "source", bt_value_string(run->source));
    rc |= bt_map_puts(map, "inputs", bt_value_ref(run->inputs));
    rc |= bt_map_puts(map, "labels", bt_value_ref(run->labels));
    rc |= bt_map_puts(map, "quiet", bt_value_bool(run->is_quiet));
    for (size_t i = 0; i < run->file_count; i++) {
        BT_VALUE pair = bt_list_new(2);
        char *path = realpath(run->files[i].path, NULL); /* The server may stand elsewhere. */
        rc |= bt_list_push(pair, bt_value_cstr(run->files[i].input));
        rc |= bt_list_push(pair, bt_value_cstr(path ? path : run->files[i].path));
        rc |= bt_list_push(files, BT_TAKE(pair));
        free(path);
    }
    rc |= bt_map_puts(map, "files", BT_TAKE(files));
    return rc < 0 ? NULL : BT_TAKE(map);
}

static int show_end(const struct bt_value *end, bool is_json)
{
    struct bt_str text = bt_map_str(end, "text"), state = bt_map_str(end, "state");
    const struct bt_value *outputs = bt_map_gets(end, "outputs");
    char duration[32];
    (void)fwrite(text.at ? text.at : "", 1, text.len, stderr);
    if (bt_value_count(outputs)) {
        BT_CLEANUP(bt_buf_done) struct bt_buf out = BT_BUF_INIT(64u << 20);
        if (bt_json_write(outputs, is_json ? BT_JSON_COMPACT : BT_JSON_PRETTY, &out, NULL) == BT_OK)
            (void)printf("%s%.*s\n", is_json ? "" : "outputs: ", (int)out.len, out.at);
    } else if (is_json) {
        (void)puts("{}");
    }
    if (state.len)
        (void)fprintf(is_json ? stderr : stdout, "%.*s in %s\n", BT_FMT(state),
                      bt_show_duration(bt_value_as_int(bt_map_gets(end, "durationUs")), duration));
    return (int)bt_value_as_int(bt_map_gets(end, "code"));
}

/* One frame of the server. True: it was the last, with the exit code. */
static bool take_frame(const struct bt_frame *frame, bool is_json, int *ret_code)
{
    BT_VALUE message = NULL;
    if (bt_frame_value(frame, &message, NULL) < 0)
        return false;
    if (frame->type == BT_FRAME_ENDED) {
        *ret_code = show_end(message, is_json);
        return true;
    }
    struct bt_str text = bt_map_str(message, "text");
    (void)fwrite(text.at ? text.at : "", 1, text.len, is_json ? stderr : stdout);
    (void)fflush(is_json ? stderr : stdout);
    return false;
}

static int follow(int fd, const struct bt_control_run *run, struct bt_err *err)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf buf = BT_BUF_INIT(BT_FRAME_BYTES_MAX + 64);
    struct pollfd fds[2] = {{fd, POLLIN, 0}, {run->signal_fd, POLLIN, 0}};
    int code = BT_EXIT_FAILED, signals = 0;
    for (;;) {
        if (poll(fds, 2, -1) < 0)
            continue;
        struct signalfd_siginfo info;
        if ((fds[1].revents & POLLIN) && read(run->signal_fd, &info, sizeof info) > 0) {
            if (signals++)
                return BT_EXIT_FAILED; /* The server goes on with it. */
            (void)fprintf(stderr, "killing; again to leave at once\n");
            BT_TRY(bt_frame_send(fd, BT_FRAME_KILL, NULL, err));
        }
        if (!(fds[0].revents & (POLLIN | POLLHUP)))
            continue;
        struct bt_frame frame;
        BT_TRY(bt_frame_receive(fd, &buf, &frame, err));
        if (take_frame(&frame, run->is_json, &code))
            return code;
    }
}

int bt_control_client_run(const char *data_dir, const struct bt_control_run *run)
{
    char address[BT_ADDRESS_SIZE];
    struct bt_err err = BT_ERR_INIT;
    int fd = -1;
    socket_address(data_dir, address);
    int rc = bt_address_connect(address, 3600 * 1000, &fd, &err);
    BT_VALUE message = run_message(run);
    if (rc == BT_OK && !message)
        rc = bt_fail_mem(&err, "run");
    if (rc == BT_OK)
        rc = bt_frame_send(fd, BT_FRAME_RUN, message, &err);
    int code = rc == BT_OK ? follow(fd, run, &err) : rc;
    if (fd >= 0)
        (void)close(fd);
    if (code >= 0)
        return code;
    if (err.code == BT_NOT_FOUND)
        (void)bt_fail(&err, BT_IO,
                      "the server has stopped; what was started goes on when it is back");
    return bt_cli_fail("run", &err, BT_EXIT_FAILED);
}

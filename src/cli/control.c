/* control.c — The server's half of the control socket: one thread a client, bounded; the runner's
 * thread only appends to bounded buffers. */
#include "cli/control.h"

#include "base/limits.h"
#include "base/vec.h"
#include "cli/cli.h"
#include "cli/diags.h"
#include "cli/show.h"
#include "sys/clock.h"
#include "sys/random.h"
#include "worker/remote/address.h"
#include "worker/remote/frame.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS_MAX = 32, WAIT_MS = 50 };
#define TEXT_BYTES_MAX (8u << 20)

struct client {
    struct bt_control *control;
    int fd;
    struct bt_id id; /* Of the execution that it watches. */
    uint64_t key;
    struct bt_show *show;
    FILE *out;          /* Writes into `text`. */
    struct bt_buf text; /* Under the control's mutex, as what follows. */
    bool has_ended;
    enum bt_state state;
    int64_t duration_us;
    struct bt_value *outputs;
};

struct bt_control {
    struct bt_instance *instance;
    int listen_fd;
    pthread_t thread;
    bool is_started;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_stopping;
    BT_VEC(struct client *) clients;
};

static void lock(struct bt_control *control)
{
    (void)pthread_mutex_lock(&control->lock); /* Cannot fail on a default mutex. */
}

static void unlock(struct bt_control *control)
{
    (void)pthread_cond_broadcast(&control->changed);
    (void)pthread_mutex_unlock(&control->lock);
}

/* --- What the runner tells ----------------------------------------------------------------------
 */

/* The show's stream: a client that reads too slowly misses lines, the runner never waits. */
static ssize_t write_text(void *data, const char *at, size_t len)
{
    struct client *client = data;
    if (client->text.len + len <= client->text.max)
        (void)bt_buf_add(&client->text, (struct bt_str){at, len}); /* Fits. */
    return (ssize_t)len;
}

static void tell(struct client *client, const struct bt_change *change)
{
    const struct bt_exec *exec = change->exec;
    bt_show_changes(client->show, change, 1);
    if (change->kind != BT_CHANGE_EXEC || !exec->is_drained || client->has_ended)
        return;
    client->has_ended = true;
    client->state = exec->state;
    client->duration_us = bt_histories_duration_us(&exec->histories, 0);
    client->outputs = bt_value_ref(exec->outputs);
}

void bt_control_changes(void *data, const struct bt_change *changes, size_t count)
{
    struct bt_control *control = data;
    lock(control);
    for (size_t i = 0; i < control->clients.count; i++) {
        struct client *client = control->clients.items[i];
        for (size_t j = 0; client->show && j < count; j++)
            if (strcmp(changes[j].exec->id.text, client->id.text) == 0)
                tell(client, &changes[j]);
    }
    unlock(control);
}

/* --- A client ------------------------------------------------------------------------------------
 */

static void send_ended(struct client *client, int code, struct bt_str text)
{
    BT_VALUE map = bt_map_new(5);
    int rc = bt_map_puts(map, "code", bt_value_int(code));
    if (text.len)
        rc |= bt_map_puts(map, "text", bt_value_string(text));
    if (client->has_ended) {
        rc |= bt_map_puts(map, "state", bt_value_cstr(bt_state_name(client->state)));
        rc |= bt_map_puts(map, "durationUs", bt_value_int(client->duration_us));
        rc |= bt_map_puts(map, "outputs",
                          client->outputs ? bt_value_ref(client->outputs) : bt_value_null());
    }
    if (rc == BT_OK)
        (void)bt_frame_send(client->fd, BT_FRAME_ENDED, map, NULL); /* It may be gone. */
}

static void send_error(struct client *client, const struct bt_err *err, int code)
{
    char text[1100];
    int len = snprintf(text, sizeof text, "baton run: %s\n%s%s%s", err->msg,
                       err->hint[0] ? "  " : "", err->hint, err->hint[0] ? "\n" : "");
    send_ended(client, code, (struct bt_str){text, len > 0 ? (size_t)len : 0});
}

static void send_diags(struct client *client, const char *name, struct bt_str source,
                       const struct bt_diags *diags, bool is_error)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return;
    bt_cli_print_diags(out, name, source, diags);
    (void)fclose(out);
    BT_VALUE map = bt_frame_map1("text", bt_value_string((struct bt_str){text, size}));
    if (is_error)
        send_ended(client, BT_EXIT_USAGE, (struct bt_str){text, size});
    else if (size)
        (void)bt_frame_send(client->fd, BT_FRAME_TEXT, map, NULL); /* It may be gone. */
    free(text);
}

static void watch(struct client *client, bool is_quiet)
{
    static const cookie_io_functions_t io = {.write = write_text};
    client->text.max = TEXT_BYTES_MAX;
    client->out = fopencookie(client, "w", io);
    if (!client->out)
        bt_die("out of memory");
    struct bt_show_config show = {.out = client->out, .is_quiet = is_quiet};
    client->id =
        bt_id_make(bt_clock_wall_us(bt_clock_system()) / 1000, bt_random_u64(), bt_random_u64());
    lock(client->control);
    client->show = bt_show_new(&show);
    unlock(client->control);
}

/* Starts what a RUN message asks for. */
static int start(struct client *client, const struct bt_value *message)
{
    struct bt_service *service = bt_instance_service(client->control->instance);
    struct bt_principal principal = bt_principal_local();
    struct bt_str source = bt_map_str(message, "source");
    struct bt_diags diags = BT_DIAGS_INIT;
    struct bt_err err = BT_ERR_INIT;
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    char *name = bt_str_dup(bt_map_str(message, "path"));
    int rc =
        bt_service_put_flow(service, &principal,
                            &(struct bt_flow_push){.source = source, .diags = &diags}, &flow, &err);
    if (name && diags.count)
        send_diags(client, name, source, &diags, diags.errors > 0);
    else if (rc < 0)
        send_error(client, &err, BT_EXIT_FAILED);
    free(name);
    bt_diags_done(&diags);
    if (rc < 0)
        return rc;
    const struct bt_value *list = bt_map_gets(message, "files");
    BT_VEC(struct bt_input_file) files = {0};
    for (size_t i = 0; i < bt_value_count(list); i++) {
        const struct bt_value *pair = bt_list_at(list, i);
        bt_vec_push(&files, ((struct bt_input_file){bt_value_str(bt_list_at(pair, 0)).at,
                                                    bt_value_str(bt_list_at(pair, 1)).at, 0}));
    }
    watch(client, bt_value_as_bool(bt_map_gets(message, "quiet")));
    struct bt_start_request request = {.id = client->id,
                                       .flow = flow,
                                       .inputs = bt_map_gets(message, "inputs"),
                                       .labels = bt_map_gets(message, "labels"),
                                       .files = files.items,
                                       .file_count = files.count};
    struct bt_start_result result;
    rc = bt_service_start(service, &principal, &request, &result, &err);
    bt_vec_done(&files);
    if (rc < 0)
        send_error(client, &err, rc == BT_IO ? BT_EXIT_FAILED : BT_EXIT_USAGE);
    else
        client->key = result.key;
    return rc;
}

/* Sends what has gathered. False: it has ended, or the client is gone. */
static bool pass_on(struct client *client)
{
    struct bt_control *control = client->control;
    struct timespec until;
    int64_t at_us = bt_clock_wall_us(bt_clock_system()) + WAIT_MS * 1000;
    until = (struct timespec){at_us / 1000000, at_us % 1000000 * 1000};
    lock(control);
    while (!client->text.len && !client->has_ended && !control->is_stopping)
        if (pthread_cond_timedwait(&control->changed, &control->lock, &until) != 0)
            break;
    BT_VALUE text = client->text.len ? bt_value_string(bt_buf_str(&client->text)) : NULL;
    bt_buf_clear(&client->text);
    bool goes_on = !client->has_ended && !control->is_stopping;
    unlock(control);
    if (text) {
        BT_VALUE map = bt_frame_map1("text", BT_TAKE(text));
        if (bt_frame_send(client->fd, BT_FRAME_TEXT, map, NULL) < 0)
            return false;
    }
    return goes_on;
}

/* False: the client has closed. */
static bool hear(struct client *client, struct bt_buf *buf)
{
    struct pollfd poll_fd = {client->fd, POLLIN, 0};
    struct bt_frame frame;
    if (poll(&poll_fd, 1, 0) <= 0)
        return true;
    if (bt_frame_receive(client->fd, buf, &frame, NULL) < 0)
        return false;
    struct bt_principal principal = bt_principal_local();
    if (frame.type == BT_FRAME_KILL)
        (void)bt_service_kill(bt_instance_service(client->control->instance), &principal,
                              client->key, NULL); /* It may have ended. */
    return true;
}

static void client_free(struct client *client)
{
    struct bt_control *control = client->control;
    lock(control);
    for (size_t i = 0; i < control->clients.count; i++) {
        if (control->clients.items[i] != client)
            continue;
        control->clients.items[i] = control->clients.items[--control->clients.count];
        break;
    }
    unlock(control);
    bt_show_free(client->show);
    if (client->out)
        (void)fclose(client->out); /* Into memory. */
    bt_buf_done(&client->text);
    bt_value_unref(client->outputs);
    (void)close(client->fd);
    free(client);
}

static void *client_main(void *data)
{
    struct client *client = data;
    struct bt_buf buf = BT_BUF_INIT(BT_FRAME_BYTES_MAX + 64);
    struct bt_frame frame;
    BT_VALUE message = NULL;
    int rc = bt_frame_receive(client->fd, &buf, &frame, NULL);
    if (rc == BT_OK && frame.type == BT_FRAME_RUN)
        rc = bt_frame_value(&frame, &message, NULL);
    else
        rc = BT_INVALID;
    if (rc == BT_OK && start(client, message) == BT_OK) {
        bool is_there = true;
        while (pass_on(client) && (is_there = hear(client, &buf))) {
        }
        if (client->has_ended && is_there) {
            (void)pass_on(client); /* The last lines. */
            bool is_good = client->state == BT_SUCCESS || client->state == BT_WARNING;
            send_ended(client, is_good ? BT_EXIT_OK : BT_EXIT_FAILED, BT_STR_NONE);
        }
    }
    bt_buf_done(&buf);
    client_free(client);
    return NULL;
}

/* --- The socket ----------------------------------------------------------------------------------
 */

static void accept_client(struct bt_control *control)
{
    int fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct client *client = calloc(1, sizeof *client);
    pthread_t thread;
    if (!client)
        bt_die("out of memory");
    *client = (struct client){.control = control, .fd = fd};
    struct timeval limit = {10, 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit,
                     sizeof limit); /* Only makes waits longer. */
    lock(control);
    bool has_room = control->clients.count < CLIENTS_MAX && !control->is_stopping;
    if (has_room)
        bt_vec_push(&control->clients, client);
    unlock(control);
    if (has_room && pthread_create(&thread, NULL, client_main, client) == 0)
        (void)pthread_detach(thread);
    else
        client_free(client);
}

static void *thread_main(void *data)
{
    struct bt_control *control = data;
    struct pollfd poll_fd = {control->listen_fd, POLLIN, 0};
    for (;;) {
        int ready = poll(&poll_fd, 1, 200);
        lock(control);
        bool is_stopping = control->is_stopping;
        unlock(control);
        if (is_stopping)
            return NULL;
        if (ready > 0)
            accept_client(control);
    }
}

struct bt_control *bt_control_new(void)
{
    struct bt_control *control = calloc(1, sizeof *control);
    if (!control)
        return NULL;
    control->listen_fd = -1;
    (void)pthread_mutex_init(&control->lock, NULL); /* Cannot fail with default attributes. */
    (void)pthread_cond_init(&control->changed, NULL);
    return control;
}

int bt_control_start(struct bt_control *control, struct bt_instance *instance, struct bt_err *err)
{
    char address[BT_ADDRESS_SIZE], bound[BT_ADDRESS_SIZE];
    control->instance = instance;
    (void)snprintf(address, sizeof address, "unix:%s/control.sock", bt_instance_dir(instance));
    BT_TRY(bt_address_listen(address, &control->listen_fd, bound, err));
    int rc = pthread_create(&control->thread, NULL, thread_main, control);
    control->is_started = rc == 0;
    return rc == 0 ? BT_OK : bt_fail_errno(err, BT_IO, rc, "cannot start the control thread");
}

struct bt_control *bt_control_stop(struct bt_control *control)
{
    if (!control)
        return NULL;
    lock(control);
    control->is_stopping = true;
    for (size_t i = 0; i < control->clients.count; i++)
        (void)shutdown(control->clients.items[i]->fd, SHUT_RDWR);
    unlock(control);
    if (control->is_started)
        (void)pthread_join(control->thread, NULL);
    lock(control);
    while (control->clients.count)
        (void)pthread_cond_wait(&control->changed, &control->lock);
    unlock(control);
    if (control->listen_fd >= 0)
        (void)close(control->listen_fd);
    bt_vec_done(&control->clients);
    (void)pthread_mutex_destroy(&control->lock);
    (void)pthread_cond_destroy(&control->changed);
    free(control);
    return NULL;
}

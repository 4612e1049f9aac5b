/* pool.c — The threads that run handlers. They start as they are needed, up to a maximum. */
#include "base/limits.h"
#include "server/http_int.h"

void run_handler(struct exchange *exchange)
{
    struct bt_request *request = &exchange->request;
    struct bt_err err = BT_ERR_INIT;
    int rc = exchange->handler(request, &err);
    if (rc == BT_PENDING)
        return;
    bt_request_finish(request, rc, &err);
}

void bt_request_again(struct bt_request *request, bt_handler *handler)
{
    struct exchange *exchange = (struct exchange *)request;
    struct bt_err err = BT_ERR_INIT;
    exchange->handler = handler;
    if (pool_add(exchange->server, exchange))
        return;
    (void)bt_fail(&err, BT_BUSY, "the server has too much to do, or stops");
    bt_request_finish(request, BT_BUSY, &err);
}

void bt_request_finish(struct bt_request *request, int rc, const struct bt_err *err)
{
    struct exchange *exchange = (struct exchange *)request;
    if (rc < 0)
        (void)bt_respond_failure(request, err); /* Always BT_OK. */
    bool is_suspended = exchange->phase == BT_PHASE_WORKING;
    exchange->phase = BT_PHASE_ANSWERED;
    if (!is_suspended)
        return;
    struct bt_server *server = exchange->server;
    bt_mhd.resume_connection(exchange->connection);
    (void)atomic_fetch_sub(&server->working, 1);
}

static struct exchange *take(struct bt_server *server)
{
    struct exchange *exchange = NULL;
    (void)pthread_mutex_lock(&server->lock);
    server->idle_count++;
    while (!server->queue_head && !atomic_load(&server->is_stopping))
        (void)pthread_cond_wait(&server->changed, &server->lock);
    server->idle_count--;
    exchange = server->queue_head;
    if (exchange) {
        server->queue_head = exchange->next;
        server->queued--;
    }
    (void)pthread_mutex_unlock(&server->lock);
    return exchange;
}

static void *work(void *data)
{
    struct bt_server *server = data;
    for (struct exchange *exchange; (exchange = take(server));)
        run_handler(exchange);
    return NULL;
}

int pool_start(struct bt_server *server, struct bt_err *err)
{
    (void)pthread_mutex_init(&server->lock, NULL); /* Cannot fail with default attributes. */
    (void)pthread_cond_init(&server->changed, NULL);
    if (pthread_create(&server->threads[0], NULL, work, server) != 0)
        return bt_fail_mem(err, "server");
    server->thread_count = 1;
    return BT_OK;
}

void pool_stop(struct bt_server *server)
{
    (void)pthread_mutex_lock(&server->lock);
    (void)pthread_cond_broadcast(&server->changed);
    (void)pthread_mutex_unlock(&server->lock);
    for (unsigned i = 0; i < server->thread_count; i++)
        (void)pthread_join(server->threads[i], NULL);
    (void)pthread_cond_destroy(&server->changed);
    (void)pthread_mutex_destroy(&server->lock);
}

bool pool_add(struct bt_server *server, struct exchange *exchange)
{
    bool is_taken = false;
    (void)pthread_mutex_lock(&server->lock);
    if (server->queued < BT_HTTP_QUEUE_MAX && !atomic_load(&server->is_stopping)) {
        exchange->next = NULL;
        if (server->queue_head)
            server->queue_tail->next = exchange;
        else
            server->queue_head = exchange;
        server->queue_tail = exchange;
        server->queued++;
        is_taken = true;
        /* One that cannot be started is not needed: the others go on. */
        if (server->queued > server->idle_count && server->thread_count < BT_HTTP_POOL_MAX &&
            pthread_create(&server->threads[server->thread_count], NULL, work, server) == 0)
            server->thread_count++;
        (void)pthread_cond_signal(&server->changed);
    }
    (void)pthread_mutex_unlock(&server->lock);
    return is_taken;
}

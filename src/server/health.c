/* health.c — Health and metrics of the server itself. */
#include "server/health.h"

#include "base/limits.h"
#include "base/own.h"
#include "server/http_int.h"

#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* --- Health ----------------------------------------------------------------------------------- */

static struct bt_value *part(bool is_up, struct bt_value *details)
{
    BT_VALUE map = bt_map_new(3);
    int rc = bt_map_puts(map, "name", bt_value_cstr("baton"));
    rc |= bt_map_puts(map, "status", bt_value_cstr(is_up ? "UP" : "DOWN"));
    rc |= bt_map_puts(map, "details", details);
    return rc == BT_OK ? BT_TAKE(map) : NULL;
}

static struct bt_value *disk(const struct bt_server *server, bool *is_up)
{
    struct statvfs at;
    BT_VALUE details = bt_map_new(3);
    bool is_read = statvfs(server->config.upload_dir, &at) == 0;
    int64_t block = is_read ? (int64_t)at.f_frsize : 0;
    int64_t free_bytes = is_read ? (int64_t)at.f_bavail * block : 0;
    bool is_good = is_read && free_bytes > BT_DISK_FREE_MIN;
    int rc =
        bt_map_puts(details, "total", bt_value_int(is_read ? (int64_t)at.f_blocks * block : 0));
    rc |= bt_map_puts(details, "free", bt_value_int(free_bytes));
    rc |= bt_map_puts(details, "threshold", bt_value_int(BT_DISK_FREE_MIN));
    *is_up &= is_good;
    return rc == BT_OK ? part(is_good, BT_TAKE(details)) : NULL;
}

/* One read of a flow that need not exist. */
static struct bt_value *database(struct bt_server *server, bool *is_up)
{
    struct bt_stored_flow flow = {0};
    struct bt_store *store = server->service->store;
    struct bt_flow_key key = {.tenant = "main", .namespace = BT_STR("-"), .id = BT_STR("-")};
    BT_VALUE details = bt_map_new(2);
    int64_t from_us = bt_clock_mono_us(bt_clock_system());
    int rc = store->ops->flow(store, &key, &flow, NULL);
    int64_t took_us = bt_clock_mono_us(bt_clock_system()) - from_us;
    bool is_good = rc == BT_OK || rc == BT_NOT_FOUND;
    bt_stored_flow_done(&flow);
    *is_up &= is_good;
    rc = bt_map_puts(details, "database", bt_value_cstr("SQLite"));
    rc |= bt_map_puts(details, "readUs", bt_value_int(took_us));
    return rc == BT_OK ? part(is_good, BT_TAKE(details)) : NULL;
}

struct bt_value *bt_server_health(struct bt_server *server, bool *ret_is_up)
{
    BT_VALUE details = bt_map_new(2);
    *ret_is_up = true;
    int rc = bt_map_puts(details, "diskSpace", disk(server, ret_is_up));
    rc |= bt_map_puts(details, "database", database(server, ret_is_up));
    return rc == BT_OK ? part(*ret_is_up, BT_TAKE(details)) : NULL;
}

/* --- Metrics ---------------------------------------------------------------------------------- */

static void head(struct bt_buf *out, const char *name, const char *type, const char *help)
{
    (void)bt_buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type); /* Sticky. */
}

static void gauge(struct bt_buf *out, const char *name, const char *help, uint64_t value)
{
    head(out, name, "gauge", help);
    (void)bt_buf_addf(out, "%s %llu\n", name, (unsigned long long)value); /* Sticky. */
}

static void add_requests(struct bt_server *server, struct bt_buf *out)
{
    static const char *const methods[BT_METHOD_COUNT] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    head(out, "baton_http_requests_total", "counter", "Requests by route and class of status.");
    for (size_t i = 0; i <= bt_router_count(server->router); i++) {
        bool is_route = i < bt_router_count(server->router);
        const struct bt_route *route = is_route ? bt_router_at(server->router, i) : NULL;
        for (int class = 1; class < 6; class ++) {
            uint64_t count = atomic_load(&server->stats[i].count[class]);
            if (count) /* Sticky. */
                (void)bt_buf_addf(out,
                                  "baton_http_requests_total{route=\"%s\",method=\"%s\","
                                  "status=\"%dxx\"} %llu\n",
                                  route ? route->path + (route->path[1] == '/') : "none",
                                  route ? methods[route->method] : "", class,
                                  (unsigned long long)count);
        }
    }
    head(out, "baton_http_request_seconds_total", "counter", "Time of requests by route.");
    for (size_t i = 0; i < bt_router_count(server->router); i++) {
        const struct bt_route *route = bt_router_at(server->router, i);
        uint64_t us = atomic_load(&server->stats[i].sum_us);
        if (us) /* Sticky. */
            (void)bt_buf_addf(out,
                              "baton_http_request_seconds_total{route=\"%s\",method=\"%s\"} "
                              "%.6f\n",
                              route->path + (route->path[1] == '/'), methods[route->method],
                              (double)us / 1e6);
    }
}

/* Resident memory; 0 when it cannot be read. */
static uint64_t resident_bytes(void)
{
    unsigned long long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%llu %llu", &size, &resident) != 2)
        resident = 0;
    (void)fclose(file); /* Only read. */
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

void bt_server_metrics(struct bt_server *server, struct bt_buf *out)
{
    (void)pthread_mutex_lock(&server->lock); /* Cannot fail on a default mutex. */
    unsigned queued = server->queued, threads = server->thread_count, idle = server->idle_count;
    (void)pthread_mutex_unlock(&server->lock);
    add_requests(server, out);
    gauge(out, "baton_http_connections", "Open connections.",
          (uint64_t)atomic_load(&server->connections));
    gauge(out, "baton_http_requests_active", "Requests that a handler has.",
          (uint64_t)atomic_load(&server->working));
    gauge(out, "baton_http_queue_size", "Requests that wait for a thread.", queued);
    gauge(out, "baton_http_threads", "Threads that run handlers.", threads);
    gauge(out, "baton_http_threads_idle", "Those of them without work.", idle);
    gauge(out, "process_resident_memory_bytes", "Resident memory.", resident_bytes());
}

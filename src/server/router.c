/* router.c — Matching of paths. Pure. */
#include "server/router.h"

#include "base/limits.h"
#include "base/own.h"

#include <stdlib.h>

enum { SEGMENTS_MAX = 12 };

static const struct bt_route *const tables[] = {
    bt_routes_flows,        bt_routes_flow_look,  bt_routes_flow_many,   bt_routes_executions,
    bt_routes_exec_start,   bt_routes_exec_edit,  bt_routes_exec_look,   bt_routes_exec_files,
    bt_routes_logs,         bt_routes_namespaces, bt_routes_space_files, bt_routes_kv,
    bt_routes_plugins,      bt_routes_blueprints, bt_routes_health,      bt_routes_misc,
    bt_routes_stats,        bt_routes_runs,       bt_routes_exec_runs,   bt_routes_metrics,
    bt_routes_exec_actions, bt_routes_page,
};

struct entry {
    const struct bt_route *route;
    struct bt_str segments[SEGMENTS_MAX];
    size_t count;
    bool is_open_ended; /* The last segment is "{name...}": the rest of the path. */
    bool is_api;        /* Begins with api/v1, as nearly all do. */
};

struct bt_router {
    struct entry *entries;
    size_t count;
};

static bool is_param(struct bt_str segment)
{
    return segment.len > 2 && segment.at[0] == '{';
}

static void add_segments(struct entry *entry, const char *path)
{
    while (*path) {
        path += *path == '/';
        size_t len = strcspn(path, "/");
        if (len && entry->count < SEGMENTS_MAX)
            entry->segments[entry->count++] = (struct bt_str){path, len};
        path += len;
    }
}

static struct entry make_entry(const struct bt_route *route)
{
    struct entry entry = {.route = route};
    entry.is_api = strncmp(route->path, "//", 2) != 0;
    if (!entry.is_api) {
        add_segments(&entry, route->path + 1);
    } else {
        add_segments(&entry, "/api/v1");
        add_segments(&entry, route->path);
    }
    if (entry.count)
        entry.is_open_ended = bt_str_ends(entry.segments[entry.count - 1], BT_STR("...}"));
    return entry;
}

struct bt_router *bt_router_new(void)
{
    struct bt_router *router = calloc(1, sizeof *router);
    size_t count = 0;
    for (size_t i = 0; i < BT_COUNT(tables); i++)
        for (const struct bt_route *route = tables[i]; route->path; route++)
            count++;
    if (router)
        router->entries = calloc(count + 1, sizeof *router->entries);
    if (!router || !router->entries)
        return bt_router_free(router);
    for (size_t i = 0; i < BT_COUNT(tables); i++)
        for (const struct bt_route *route = tables[i]; route->path; route++)
            router->entries[router->count++] = make_entry(route);
    return router;
}

struct bt_router *bt_router_free(struct bt_router *router)
{
    if (router)
        free(router->entries);
    free(router);
    return NULL;
}

size_t bt_router_count(const struct bt_router *router)
{
    return router->count;
}

const struct bt_route *bt_router_at(const struct bt_router *router, size_t index)
{
    return router->entries[index].route;
}

/* The tenant, and "actions" between an execution's id and what to do with it, are left out. */
static size_t normalise(const struct bt_str *segments, size_t count, struct bt_str *out)
{
    size_t kept = 0;
    bool is_api = count >= 2 && bt_str_is(segments[0], "api") && bt_str_is(segments[1], "v1");
    for (size_t i = 0; i < count && kept <= SEGMENTS_MAX; i++) {
        if (is_api && i == 2 && bt_str_is(segments[i], "main"))
            continue;
        if (is_api && kept == 4 && i + 1 < count && bt_str_is(out[2], "executions") &&
            bt_str_is(segments[i], "actions"))
            continue;
        out[kept++] = segments[i];
    }
    return kept;
}

/* How well a path fits: -1 not at all; else more for each literal, the earlier the more. */
static int64_t score(const struct entry *entry, const struct bt_str *segments, size_t count,
                     bool is_api)
{
    int64_t points = 0;
    if (entry->is_api != is_api && (entry->is_api || !entry->is_open_ended))
        return -1;
    if (entry->is_open_ended ? count + 1 < entry->count : count != entry->count)
        return -1;
    for (size_t i = is_api && entry->is_api ? 2 : 0; i < entry->count; i++) {
        struct bt_str want = entry->segments[i];
        points <<= 2;
        if (bt_str_is(want, "{executionId}")) {
            points += bt_id_is_valid(segments[i]) ? 2 : 0;
        } else if (is_param(want)) {
            points += entry->is_open_ended ? 0 : 1;
        } else if (bt_str_eq(want, segments[i])) {
            points += 3;
        } else {
            return -1;
        }
    }
    return points;
}

/* The rest of a path is given as it stands in memory: its segments lie behind each other. */
static void take_params(const struct entry *entry, const struct bt_str *segments, size_t count,
                        struct bt_match *match)
{
    size_t taken = 0;
    for (size_t i = 0; i < entry->count && taken < BT_PATH_PARAMS_MAX; i++) {
        if (!is_param(entry->segments[i]))
            continue;
        struct bt_str value = i < count ? segments[i] : BT_STR("");
        if (entry->is_open_ended && i + 1 == entry->count && i < count)
            value.len = (size_t)(segments[count - 1].at + segments[count - 1].len - value.at);
        match->params[taken++] = value;
    }
}

void bt_router_match(const struct bt_router *router, enum bt_method method,
                     const struct bt_str *segments, size_t count, struct bt_match *ret_match)
{
    struct bt_str path[SEGMENTS_MAX + 1] = {0};
    const struct entry *best = NULL;
    int64_t best_score = -1;
    *ret_match = (struct bt_match){0};
    size_t len = normalise(segments, count, path);
    bool is_api = len >= 2 && bt_str_is(path[0], "api") && bt_str_is(path[1], "v1");
    for (size_t i = 0; i < router->count; i++) {
        const struct entry *entry = &router->entries[i];
        int64_t points = score(entry, path, len, is_api);
        if (points < 0)
            continue;
        ret_match->is_known_path = true;
        ret_match->methods |= 1u << entry->route->method;
        if (entry->route->method != method || points <= best_score)
            continue;
        best = entry;
        best_score = points;
    }
    if (!best)
        return;
    ret_match->route = best->route;
    ret_match->index = (size_t)(best - router->entries);
    take_params(best, path, len, ret_match);
}

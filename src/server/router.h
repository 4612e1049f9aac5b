/* router.h — Which route a request means. The tables of api/ are the one source of routing.
 *
 * Serves the original's three dialects: /api/v1/…, /api/v1/{tenant}/… and, for single executions,
 * …/actions/X. A literal segment wins over a parameter; {executionId} only matches what can be an
 * id (or no other route fits), so that a flow may be called "kill". */
#pragma once
#include "server/http.h"

struct bt_router; /* Opaque; constant once made. */

struct bt_router *bt_router_new(void); /* Over all routes; NULL without memory. */
struct bt_router *bt_router_free(struct bt_router *router);
size_t bt_router_count(const struct bt_router *router);
const struct bt_route *bt_router_at(const struct bt_router *router, size_t index);

struct bt_match {
    const struct bt_route *route; /* NULL: none. */
    size_t index;
    bool is_known_path; /* Another method fits: 405. */
    unsigned methods;   /* Bit per enum bt_method that fits the path. */
    struct bt_str params[BT_PATH_PARAMS_MAX];
};
/* `path` is decoded into `segments` already. `tenant`: what may stand behind /api/v1/. */
void bt_router_match(const struct bt_router *router, enum bt_method method,
                     const struct bt_str *segments, size_t count, struct bt_match *ret_match);

/* The tables, one a file of api/; each ended by a NULL path. */
extern const struct bt_route bt_routes_flows[], bt_routes_flow_look[], bt_routes_flow_many[],
    bt_routes_executions[], bt_routes_exec_start[], bt_routes_exec_edit[], bt_routes_exec_look[],
    bt_routes_exec_files[], bt_routes_logs[], bt_routes_namespaces[], bt_routes_space_files[],
    bt_routes_kv[], bt_routes_plugins[], bt_routes_blueprints[], bt_routes_health[],
    bt_routes_misc[], bt_routes_stats[], bt_routes_runs[], bt_routes_exec_runs[],
    bt_routes_metrics[], bt_routes_exec_actions[], bt_routes_page[];

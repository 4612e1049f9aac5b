/* health.c — How the server is: health with details, versions, metrics for Prometheus. */
#include "server/api/api.h"

#include "base/own.h"
#include "server/health.h"
#include "server/router.h"
#include "service/usage.h"

#include <stdio.h>

static int health(struct bt_request *request, struct bt_err *err)
{
    bool is_up = true;
    struct bt_value *body = bt_server_health(request->server, &is_up);
    BT_TRY(bt_respond_json(request, body, err));
    return bt_respond(request, is_up ? 200 : 503);
}

static int version(struct bt_request *request, struct bt_err *err)
{
    (void)err;
    request->response.constant =
        BT_STR("{\"version\":\"" BT_VERSION "\",\"type\":\"OSS\",\"name\":\"baton\"}");
    request->response.type = "application/json";
    return bt_respond(request, 200);
}

static int info(struct bt_request *request, struct bt_err *err)
{
    (void)err;
    request->response.constant =
        BT_STR("{\"app\":{\"name\":\"baton\",\"version\":\"" BT_VERSION "\"}}");
    request->response.type = "application/json";
    return bt_respond(request, 200);
}

static int metrics(struct bt_request *request, struct bt_err *err)
{
    struct bt_buf *out = &request->response.body;
    bt_server_metrics(request->server, out);
    BT_TRY(bt_usage_metrics(request->service, &request->principal, out, err));
    return bt_respond_text(request, "text/plain; version=0.0.4; charset=utf-8", err);
}

static int usages(struct bt_request *request, struct bt_err *err)
{
    struct bt_value *value = NULL;
    BT_TRY(bt_usage_all(request->service, &request->principal, &value, err));
    return bt_respond_json(request, value, err);
}

#define OPEN (BT_ROUTE_ANONYMOUS | BT_ROUTE_HIDDEN)
#define HIDDEN BT_ROUTE_HIDDEN
#define QUICK BT_ROUTE_QUICK

const struct bt_route bt_routes_health[] = {
    {BT_GET, "//health", health, OPEN, "health", "Misc", "Health with details", NULL, "Health",
     NULL},
    {BT_GET, "//health/readiness", health, OPEN, "readiness", "Misc", "Health with details", NULL,
     "Health", NULL},
    {BT_GET, "//version", version, OPEN | QUICK, "version", "Misc", "Version", NULL, "Health",
     NULL},
    {BT_GET, "//info", info, OPEN | QUICK, "info", "Misc", "Version", NULL, "Health", NULL},
    {BT_GET, "/version", version, QUICK, "getVersion", "Misc", "Version", NULL, "Configuration",
     NULL},
    {BT_GET, "//prometheus", metrics, HIDDEN, "prometheus", "Misc", "Metrics", NULL, "Text", NULL},
    {BT_GET, "//metrics", metrics, HIDDEN, "metrics", "Misc", "Metrics", NULL, "Text", NULL},
    {BT_GET, "/usages/all", usages, 0, "getUsages", "Misc", "What there is", NULL, "Usages", NULL},
    {0},
};

/* misc.c — Signs of life, and what clients ask when they begin. */
#include "server/api/api.h"

#include "server/events.h"
#include "server/openapi.h"
#include "server/router.h"
#include "server/server.h"

static int ping(struct bt_request *request, struct bt_err *err)
{
    (void)err;
    request->response.constant = BT_STR("pong");
    request->response.type = "text/plain";
    return bt_respond(request, 200);
}

static int liveness(struct bt_request *request, struct bt_err *err)
{
    (void)err;
    request->response.constant = BT_STR("{\"name\":\"baton\",\"status\":\"UP\"}");
    request->response.type = "application/json";
    return bt_respond(request, 200);
}

static int configs(struct bt_request *request, struct bt_err *err)
{
    (void)bt_buf_adds(
        &request->response.body,
        "{\"version\":\"" BT_VERSION "\",\"isCustomDashboardsEnabled\":false,"
        "\"isTaskRunEnabled\":true,\"isAnonymousUsageEnabled\":false,"
        "\"isTemplateEnabled\":false,\"preview\":{\"initial\":100,\"max\":5000},"
        "\"isBasicAuthEnabled\":false,\"systemNamespace\":\"system\","
        "\"hiddenLabelsPrefixes\":[\"system.\",\"internal.\"]}"); /* Checked by what follows. */
    return bt_respond_text(request, "application/json", err);
}

static int openapi(struct bt_request *request, struct bt_err *err)
{
    struct bt_value *document = NULL;
    BT_TRY(bt_openapi(bt_server_router(request->server), &document, err));
    return bt_respond_json(request, document, err);
}

static int events(struct bt_request *request, struct bt_err *err)
{
    return bt_events_begin(request, err);
}

static const struct bt_param event_queries[] = {
    {"topics", "string[]", "executions, execution:ID, logs:ID, logs:ID:LINE"},
    {0},
};

#define QUICK (BT_ROUTE_QUICK | BT_ROUTE_ANONYMOUS | BT_ROUTE_HIDDEN)

const struct bt_route bt_routes_misc[] = {
    {BT_GET, "//ping", ping, QUICK, "ping", "Misc", "Is anybody there", NULL, "Text", NULL},
    {BT_GET, "//health/liveness", liveness, QUICK, "liveness", "Misc", "Health", NULL, "Health",
     NULL},
    {BT_GET, "/openapi.json", openapi, BT_ROUTE_HIDDEN, "getOpenApi", "Misc", "This document", NULL,
     "Configuration", NULL},
    {BT_GET, "/events", events, 0, "followEvents", "Events",
     "Follow what changes (server-sent events; resumes by Last-Event-ID)", NULL, "EventStream",
     event_queries},
    {BT_GET, "/configs", configs, BT_ROUTE_QUICK, "getConfiguration", "Misc", "Configuration", NULL,
     "Configuration", NULL},
    {0},
};

/* blueprints.c — The routes of blueprints: translation only. */
#include "server/api/api.h"

#include "base/own.h"
#include "server/router.h"
#include "service/blueprints.h"
#include "service/graph.h"

static int list(struct bt_request *request, struct bt_err *err)
{
    struct bt_paging paging;
    struct bt_blueprint blueprint;
    int64_t total = 0;
    BT_VALUE tags = NULL, *results = bt_list_new(13);
    BT_TRY(bt_paging_of(request, &paging, err));
    BT_TRY(bt_query_list(request, "tags", &tags, err));
    uint64_t skip = bt_paging_skip(&paging);
    for (size_t i = 0; bt_blueprint_at(i, &blueprint); i++) {
        if (!bt_blueprint_matches(&blueprint, bt_query(request, "q"), tags))
            continue;
        uint64_t at = (uint64_t)total++;
        if (at >= skip && at - skip < (uint64_t)paging.size &&
            bt_list_push(results, bt_blueprint_shape(&blueprint, false)) < 0)
            return bt_fail_mem(err, "the answer");
    }
    return bt_respond_page(request, BT_TAKE(results), total, err);
}

static int find(struct bt_request *request, struct bt_blueprint *ret_blueprint, struct bt_err *err)
{
    return bt_blueprint_find(request->params[0], ret_blueprint)
               ? BT_OK
               : bt_fail(err, BT_NOT_FOUND, "there is no blueprint '%.*s'",
                         BT_FMT(request->params[0]));
}

static int get(struct bt_request *request, struct bt_err *err)
{
    struct bt_blueprint blueprint;
    BT_TRY(find(request, &blueprint, err));
    return bt_respond_json(request, bt_blueprint_shape(&blueprint, true), err);
}

static int source(struct bt_request *request, struct bt_err *err)
{
    struct bt_blueprint blueprint;
    BT_TRY(find(request, &blueprint, err));
    request->response.constant = blueprint.source;
    request->response.type = "application/yaml";
    return bt_respond(request, 200);
}

static int graph(struct bt_request *request, struct bt_err *err)
{
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    struct bt_diags diags = BT_DIAGS_INIT;
    struct bt_blueprint blueprint;
    struct bt_value *value = NULL;
    BT_TRY(find(request, &blueprint, err));
    int rc = bt_flow_parse(blueprint.source, &flow, &diags);
    bt_diags_done(&diags);
    if (rc < 0)
        return bt_fail(err, (enum bt_code)rc, "the blueprint is not readable");
    BT_TRY(bt_service_flow_graph(flow, &value, err));
    return bt_respond_json(request, value, err);
}

static int tags(struct bt_request *request, struct bt_err *err)
{
    return bt_respond_json(request, bt_blueprint_tags(), err);
}

static const struct bt_param list_queries[] = {
    {"page", "integer", "From 1"},
    {"size", "integer", "Rows of a page"},
    {"sort", "string", "Always by name"},
    {"q", "string", "Words"},
    {"tags", "string[]", "All of these tags"},
    {0},
};

#define OLD "/blueprints/community"
#define NEW "/blueprints/community/flow"
#define HIDDEN BT_ROUTE_HIDDEN

const struct bt_route bt_routes_blueprints[] = {
    {BT_GET, OLD, list, 0, "searchBlueprints", "Blueprints", "Search blueprints", NULL,
     "PagedBlueprint", list_queries},
    {BT_GET, OLD "/tags", tags, 0, "listBlueprintTags", "Blueprints", "List tags", NULL,
     "BlueprintTags", NULL},
    {BT_GET, OLD "/{id}", get, 0, "getBlueprint", "Blueprints", "Get a blueprint", NULL,
     "Blueprint", NULL},
    {BT_GET, OLD "/{id}/flow", source, 0, "getBlueprintFlow", "Blueprints",
     "Get the flow of a blueprint", NULL, "BlueprintYaml", NULL},
    {BT_GET, OLD "/{id}/graph", graph, 0, "getBlueprintGraph", "Blueprints",
     "Get a blueprint as a graph", NULL, "FlowGraph", NULL},
    {BT_GET, NEW, list, HIDDEN, "searchBlueprints2", "Blueprints", "Search blueprints", NULL,
     "PagedBlueprint", list_queries},
    {BT_GET, NEW "/tags", tags, HIDDEN, "listBlueprintTags2", "Blueprints", "List tags", NULL,
     "BlueprintTags", NULL},
    {BT_GET, NEW "/{id}", get, HIDDEN, "getBlueprint2", "Blueprints", "Get a blueprint", NULL,
     "Blueprint", NULL},
    {BT_GET, NEW "/{id}/source", source, HIDDEN, "getBlueprintFlow2", "Blueprints",
     "Get the flow of a blueprint", NULL, "BlueprintYaml", NULL},
    {BT_GET, NEW "/{id}/graph", graph, HIDDEN, "getBlueprintGraph2", "Blueprints",
     "Get a blueprint as a graph", NULL, "FlowGraph", NULL},
    {0},
};

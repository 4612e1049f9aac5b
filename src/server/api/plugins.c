/* plugins.c — The routes of plugins, their documentation and schemas: translation only. */
#include "server/api/api.h"

#include "base/own.h"
#include "server/router.h"
#include "service/plugin_docs.h"

/* What changes only with the program. */
static int give(struct bt_request *request, struct bt_value *value, struct bt_err *err)
{
    bt_respond_header(request, "Cache-Control", "public, max-age=3600");
    return bt_respond_json(request, value, err);
}

static int list(struct bt_request *request, struct bt_err *err)
{
    return give(request, bt_plugin_list(), err);
}

static int groups(struct bt_request *request, struct bt_err *err)
{
    return give(request, bt_plugin_groups(), err);
}

static int icons(struct bt_request *request, struct bt_err *err)
{
    return give(request, bt_plugin_icons(false), err);
}

static int group_icons(struct bt_request *request, struct bt_err *err)
{
    return give(request, bt_plugin_icons(true), err);
}

static int doc(struct bt_request *request, struct bt_err *err)
{
    bool has_common;
    BT_TRY(bt_query_bool(request, "all", false, &has_common, err));
    const struct bt_type *type = bt_type_find(request->params[0]);
    if (!type)
        return bt_fail(err, BT_NOT_FOUND, "there is no type '%.*s'", BT_FMT(request->params[0]));
    return give(request, bt_type_doc(type, has_common), err);
}

static int inputs(struct bt_request *request, struct bt_err *err)
{
    return give(request, bt_input_types(), err);
}

static int input_doc(struct bt_request *request, struct bt_err *err)
{
    struct bt_value *value = bt_input_doc(request->params[0]);
    if (!value)
        return bt_fail(err, BT_NOT_FOUND, "there is no input type '%.*s'",
                       BT_FMT(request->params[0]));
    return give(request, value, err);
}

static int schema(struct bt_request *request, struct bt_err *err)
{
    struct bt_value *value = NULL;
    bool is_list;
    BT_TRY(bt_query_bool(request, "arrayOf", false, &is_list, err));
    int rc = bt_plugin_schema(request->params[0], is_list, &value);
    if (rc == BT_NOT_FOUND)
        return bt_fail(err, BT_NOT_FOUND, "there is no schema of '%.*s'",
                       BT_FMT(request->params[0]));
    return rc < 0 ? bt_fail_mem(err, "schema") : give(request, value, err);
}

static const struct bt_param doc_queries[] = {
    {"all", "boolean", "With the properties that every task has"},
    {0},
};
static const struct bt_param schema_queries[] = {
    {"arrayOf", "boolean", "Of a list of them"},
    {0},
};

const struct bt_route bt_routes_plugins[] = {
    {BT_GET, "/plugins", list, 0, "listPlugins", "Plugins", "List plugins", NULL, "Plugins", NULL},
    {BT_GET, "/plugins/groups/subgroups", groups, 0, "getPluginBySubgroups", "Plugins",
     "List plugins and the packages in them", NULL, "Plugins", NULL},
    {BT_GET, "/plugins/icons", icons, 0, "getPluginIcons", "Plugins", "Get the icons of all types",
     NULL, "Icons", NULL},
    {BT_GET, "/plugins/icons/groups", group_icons, 0, "getPluginGroupIcons", "Plugins",
     "Get the icons of all plugins", NULL, "Icons", NULL},
    {BT_GET, "/plugins/inputs", inputs, 0, "getAllInputTypes", "Plugins",
     "List the types of inputs", NULL, "InputTypes", NULL},
    {BT_GET, "/plugins/inputs/{type}", input_doc, 0, "getSchemaFromInputType", "Plugins",
     "Get the documentation of a type of input", NULL, "DocumentationWithSchema", NULL},
    {BT_GET, "/plugins/schemas/{type}", schema, 0, "getSchemasFromType", "Plugins",
     "Get the JSON Schema of flow, task, trigger or plugindefault", NULL, "JsonSchema",
     schema_queries},
    {BT_GET, "/plugins/{cls}", doc, 0, "getPluginDocumentation", "Plugins",
     "Get the documentation of a type", NULL, "DocumentationWithSchema", doc_queries},
    {0},
};

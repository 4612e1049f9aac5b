/* openapi.c — The OpenAPI document, made from the route tables and api/schemas.json. */
#include "server/openapi.h"

#include "base/own.h"
#include "value/json.h"

#include <stdio.h>
#include <string.h>

extern const char bt_api_schemas[], bt_api_schemas_end[];

static const char *const methods[BT_METHOD_COUNT] = {"get", "post", "put", "patch", "delete"};

static struct bt_value *map1(const char *key, struct bt_value *val)
{
    BT_VALUE map = bt_map_new(1);
    return bt_map_puts(map, key, val) < 0 ? NULL : BT_TAKE(map);
}

static struct bt_value *schema_of(const char *type)
{
    size_t len = strlen(type);
    BT_VALUE map = bt_map_new(2);
    if (len > 2 && strcmp(type + len - 2, "[]") == 0) {
        if (bt_map_puts(map, "type", bt_value_cstr("array")) < 0 ||
            bt_map_puts(map, "items", map1("type", bt_value_cstr("string"))) < 0)
            return NULL;
        return BT_TAKE(map);
    }
    bool is_text = strcmp(type, "date-time") == 0 || strcmp(type, "duration") == 0;
    int rc = bt_map_puts(map, "type", bt_value_cstr(is_text ? "string" : type));
    if (is_text)
        rc |= bt_map_puts(map, "format", bt_value_cstr(type));
    return rc == BT_OK ? BT_TAKE(map) : NULL;
}

static int add_param(struct bt_value *list, struct bt_str name, const char *in,
                     struct bt_value *schema, const char *doc)
{
    BT_VALUE item = bt_map_new(5);
    int rc = bt_map_puts(item, "name", bt_value_string(name));
    rc |= bt_map_puts(item, "in", bt_value_cstr(in));
    rc |= bt_map_puts(item, "required", bt_value_bool(strcmp(in, "path") == 0));
    rc |= bt_map_puts(item, "schema", schema);
    if (doc)
        rc |= bt_map_puts(item, "description", bt_value_cstr(doc));
    return rc == BT_OK ? bt_list_push(list, BT_TAKE(item)) : BT_NO_MEM;
}

/* The {names} of the path, then the query's. */
static struct bt_value *params_of(const struct bt_route *route)
{
    BT_VALUE list = bt_list_new(4);
    int rc = list ? BT_OK : BT_NO_MEM;
    for (const char *at = strchr(route->path, '{'); rc == BT_OK && at; at = strchr(at + 1, '{')) {
        struct bt_str name = {at + 1, strcspn(at + 1, ".}")};
        rc = add_param(list, name, "path", schema_of("string"), NULL);
    }
    for (const struct bt_param *query = route->queries; rc == BT_OK && query && query->name;
         query++)
        rc = add_param(list, bt_str_of(query->name), "query", schema_of(query->type), query->doc);
    return rc == BT_OK ? BT_TAKE(list) : NULL;
}

static struct bt_value *reference(const char *name)
{
    char text[100];
    (void)snprintf(text, sizeof text, "#/components/schemas/%s", name); /* Names are short. */
    return map1("$ref", bt_value_cstr(text));
}

/* "Text", "Bytes" and "EventStream" are no JSON. */
static struct bt_value *content_of(const char *answer)
{
    static const char *const others[][3] = {
        {"Text", "text/plain", "string"},
        {"Yaml", "application/x-yaml", "object"}, /* As somebody sees it who has read it. */
        {"BlueprintYaml", "application/yaml", "object"},
        {"Bytes", "application/octet-stream", "string"},
        {"EventStream", "text/event-stream", "string"}};
    for (size_t i = 0; i < BT_COUNT(others); i++)
        if (strcmp(answer, others[i][0]) == 0)
            return map1(others[i][1], map1("schema", schema_of(others[i][2])));
    return map1("application/json", map1("schema", reference(answer)));
}

static int add_answer(struct bt_value *answers, const char *status, const char *doc,
                      const char *schema)
{
    BT_VALUE answer = map1("description", bt_value_cstr(doc));
    int rc = answer ? BT_OK : BT_NO_MEM;
    if (rc == BT_OK && schema)
        rc = bt_map_puts(answer, "content", content_of(schema));
    return rc == BT_OK ? bt_map_puts(answers, status, BT_TAKE(answer)) : rc;
}

static struct bt_value *answers_of(const struct bt_route *route)
{
    BT_VALUE answers = bt_map_new(3);
    int rc = add_answer(answers, "2XX", route->answer ? "Done" : "Done; no content", route->answer);
    rc |= add_answer(answers, "4XX", "Refused; the message says why", "Error");
    rc |= add_answer(answers, "503", "Out of something; try again", "Error");
    return rc == BT_OK ? BT_TAKE(answers) : NULL;
}

/* "application/json", or with the name of its schema behind a blank. */
static struct bt_value *body_of(const struct bt_route *route)
{
    BT_VALUE body = bt_map_new(2);
    struct bt_value *content;
    bool is_form = route->flags & BT_ROUTE_FORM;
    const char *blank = strchr(route->body, ' ');
    if (blank)
        content = map1("application/json", map1("schema", reference(blank + 1)));
    else if (strcmp(route->body, "application/json") == 0)
        content = map1(route->body, bt_map_new(0));
    else
        content = map1(route->body, map1("schema", schema_of(is_form ? "object" : "string")));
    if (bt_map_puts(body, "required", bt_value_bool(!is_form)) < 0 ||
        bt_map_puts(body, "content", content) < 0)
        return NULL;
    return BT_TAKE(body);
}

static struct bt_value *operation_of(const struct bt_route *route)
{
    BT_VALUE operation = bt_map_new(7);
    BT_VALUE tags = bt_list_new(1);
    int rc = bt_list_push(tags, bt_value_cstr(route->tag));
    rc |= bt_map_puts(operation, "operationId", bt_value_cstr(route->id));
    rc |= bt_map_puts(operation, "summary", bt_value_cstr(route->summary));
    rc |= bt_map_puts(operation, "tags", BT_TAKE(tags));
    rc |= bt_map_puts(operation, "parameters", params_of(route));
    if (route->body)
        rc |= bt_map_puts(operation, "requestBody", body_of(route));
    rc |= bt_map_puts(operation, "responses", answers_of(route));
    if (route->flags & BT_ROUTE_ANONYMOUS)
        rc |= bt_map_puts(operation, "security", bt_list_new(0));
    return rc == BT_OK ? BT_TAKE(operation) : NULL;
}

static int add_route(struct bt_value *paths, const struct bt_route *route)
{
    char path[300];
    bool is_whole = strncmp(route->path, "//", 2) == 0;
    (void)snprintf(path, sizeof path, "%s%s", is_whole ? "" : "/api/v1",
                   route->path + is_whole); /* Paths are short. */
    struct bt_value *item = bt_map_gets(paths, path);
    if (!item && bt_map_puts(paths, path, bt_map_new(2)) < 0)
        return BT_NO_MEM;
    item = bt_map_gets(paths, path);
    return bt_map_puts(item, methods[route->method], operation_of(route));
}

static struct bt_value *components(struct bt_err *err)
{
    BT_VALUE schemas = NULL;
    struct bt_str text = {bt_api_schemas, (size_t)(bt_api_schemas_end - bt_api_schemas)};
    if (bt_json_parse(text, NULL, &schemas, err) < 0)
        return NULL;
    BT_VALUE schemes = NULL;
    (void)bt_json_parse(BT_STR("{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\"},"
                               "\"basic\":{\"type\":\"http\",\"scheme\":\"basic\"}}"),
                        NULL, &schemes, NULL); /* NULL: out of memory, told below. */
    BT_VALUE map = map1("schemas", BT_TAKE(schemas));
    return bt_map_puts(map, "securitySchemes", BT_TAKE(schemes)) < 0 ? NULL : BT_TAKE(map);
}

int bt_openapi(const struct bt_router *router, struct bt_value **ret_document, struct bt_err *err)
{
    BT_VALUE document = NULL;
    BT_VALUE paths = bt_map_new(64);
    BT_TRY(bt_json_parse(BT_STR("{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Baton\",\"version\":"
                                "\"" BT_VERSION "\",\"description\":\"Orchestration and "
                                "scheduling. Paths are also served with a tenant: "
                                "/api/v1/main/...\"},\"security\":[{},{\"bearer\":[]},"
                                "{\"basic\":[]}]}"),
                         NULL, &document, err));
    int rc = paths ? BT_OK : BT_NO_MEM;
    for (size_t i = 0; rc == BT_OK && i < bt_router_count(router); i++)
        if (!(bt_router_at(router, i)->flags & BT_ROUTE_HIDDEN))
            rc = add_route(paths, bt_router_at(router, i));
    if (rc == BT_OK)
        rc = bt_map_puts(document, "paths", BT_TAKE(paths));
    if (rc == BT_OK)
        rc = bt_map_puts(document, "components", components(err));
    if (rc < 0)
        return bt_fail_mem(err, "OpenAPI document");
    *ret_document = BT_TAKE(document);
    return BT_OK;
}

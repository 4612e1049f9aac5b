/* flow_many.c — Many flows at once: bulk calls, several in one text, archives. Translation only. */
#include "server/api/api.h"

#include "base/limits.h"
#include "base/own.h"
#include "files/zip.h"
#include "model/flow_text.h"
#include "server/api/flow_query.h"
#include "server/router.h"
#include "service/flow_many.h"
#include "service/shape.h"
#include "sys/fs.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- Which ------------------------------------------------------------------------------------ */

/* [{namespace, id}] */
static int names_of_body(struct bt_request *request, struct bt_flow_names *names,
                         struct bt_err *err)
{
    BT_VALUE body = NULL;
    BT_TRY(bt_body_json(request, &body, err));
    if (!bt_value_is(body, BT_KIND_LIST) || bt_value_count(body) > BT_BULK_MAX)
        return bt_fail(err, BT_INVALID, "the body must be a list of {namespace, id}, at most %u",
                       BT_BULK_MAX);
    for (size_t i = 0; i < bt_value_count(body); i++) {
        const struct bt_value *item = bt_list_at(body, i);
        struct bt_str namespace = bt_map_str(item, "namespace"), id = bt_map_str(item, "id");
        if (!namespace.len || !id.len)
            return bt_fail(err, BT_INVALID, "each item of the body needs a namespace and an id");
        bt_flow_names_add(names, namespace, id);
    }
    return BT_OK;
}

static int names_of_query(struct bt_request *request, struct bt_flow_names *names,
                          struct bt_err *err)
{
    struct bt_flow_find find;
    int rc = bt_flow_find_of(request, true, &find, err);
    if (rc == BT_OK)
        rc = bt_service_name_flows(request->service, &request->principal, &find.filter, names, err);
    bt_flow_find_done(&find);
    return rc;
}

typedef int naming(struct bt_request *request, struct bt_flow_names *names, struct bt_err *err);
typedef int acting(struct bt_request *request, const struct bt_flow_names *names,
                   struct bt_err *err);

static int bulk(struct bt_request *request, naming *name, acting *act, struct bt_err *err)
{
    struct bt_flow_names names = {0};
    int rc = name(request, &names, err);
    if (rc == BT_OK)
        rc = act(request, &names, err);
    bt_flow_names_done(&names);
    return rc;
}

/* --- Delete, disable, enable ------------------------------------------------------------------ */

static int act_delete(struct bt_request *request, const struct bt_flow_names *names,
                      struct bt_err *err)
{
    size_t count;
    BT_TRY(bt_service_delete_flows(request->service, &request->principal, names, &count, err));
    return bt_respond_count(request, count, err);
}

static int act_switch(struct bt_request *request, const struct bt_flow_names *names,
                      bool is_disabled, struct bt_err *err)
{
    struct bt_flow_switch change = {names, is_disabled, 0};
    BT_TRY(bt_service_switch_flows(request->service, &request->principal, &change, err));
    return bt_respond_count(request, change.count, err);
}

static int act_disable(struct bt_request *request, const struct bt_flow_names *names,
                       struct bt_err *err)
{
    return act_switch(request, names, true, err);
}

static int act_enable(struct bt_request *request, const struct bt_flow_names *names,
                      struct bt_err *err)
{
    return act_switch(request, names, false, err);
}

static int delete_ids(struct bt_request *request, struct bt_err *err)
{
    return bulk(request, names_of_body, act_delete, err);
}

static int delete_query(struct bt_request *request, struct bt_err *err)
{
    return bulk(request, names_of_query, act_delete, err);
}

static int disable_ids(struct bt_request *request, struct bt_err *err)
{
    return bulk(request, names_of_body, act_disable, err);
}

static int disable_query(struct bt_request *request, struct bt_err *err)
{
    return bulk(request, names_of_query, act_disable, err);
}

static int enable_ids(struct bt_request *request, struct bt_err *err)
{
    return bulk(request, names_of_body, act_enable, err);
}

static int enable_query(struct bt_request *request, struct bt_err *err)
{
    return bulk(request, names_of_query, act_enable, err);
}

/* --- Export ----------------------------------------------------------------------------------- */

/* An archive is written to a file without a name, and sent from there. */
static int act_export(struct bt_request *request, const struct bt_flow_names *names,
                      struct bt_err *err)
{
    BT_FD fd = -1;
    struct bt_zip_writer *zip = NULL;
    BT_TRY(bt_request_scratch(request, &fd, err));
    BT_TRY(bt_zip_create(fd, &zip, err));
    int rc = BT_OK;
    for (size_t i = 0; rc == BT_OK && i < names->count; i++) {
        BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
        BT_CLEANUP(bt_buf_done) struct bt_buf name = BT_BUF_INIT(1024);
        struct bt_flow_key key = {.namespace = bt_str_of(names->items[i].namespace),
                                  .id = bt_str_of(names->items[i].id)};
        rc = bt_service_live_flow(request->service, &request->principal, &key, &flow, err);
        if (rc < 0)
            break;
        (void)bt_buf_addf(&name, "%s.%s.yml", flow->namespace, flow->id); /* Ids are short. */
        rc = bt_zip_add(zip, bt_buf_str(&name), flow->source, err);
    }
    if (rc < 0) {
        bt_zip_abort(zip);
        return rc;
    }
    BT_TRY(bt_zip_finish(zip, err));
    bt_respond_attachment(request, BT_STR("flows.zip"));
    return bt_respond_scratch(request, "application/octet-stream", &fd, err);
}

static int export_ids(struct bt_request *request, struct bt_err *err)
{
    return bulk(request, names_of_body, act_export, err);
}

static int export_query(struct bt_request *request, struct bt_err *err)
{
    return bulk(request, names_of_query, act_export, err);
}

/* --- Import ----------------------------------------------------------------------------------- */

struct importing {
    struct bt_request *request;
    struct bt_value *failed; /* Names, or indexes, of what could not be stored. */
    struct bt_err *err;
};

static int import_one(struct importing *importing, struct bt_str source, struct bt_str name)
{
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    struct bt_diags diags = BT_DIAGS_INIT;
    struct bt_flow_push push = {.source = source, .put = BT_PUT_ANY, .diags = &diags};
    int rc = bt_service_put_flow(importing->request->service, &importing->request->principal, &push,
                                 &flow, importing->err);
    bt_diags_done(&diags);
    if (rc != BT_INVALID && rc != BT_LIMIT)
        return rc;
    return bt_list_push(importing->failed, bt_value_string(name)) < 0
               ? bt_fail_mem(importing->err, "the answer")
               : BT_OK;
}

/* All documents of a text; `name` names them when it is not empty, else their index does. */
static int import_text(struct importing *importing, struct bt_str text, struct bt_str name)
{
    struct bt_str document;
    unsigned index = 0;
    for (size_t at = 0; bt_flow_text_next(text, &at, &document); index++) {
        char number[16];
        (void)snprintf(number, sizeof number, "%u", index); /* Fits. */
        BT_TRY(import_one(importing, document, name.len ? name : bt_str_of(number)));
    }
    return BT_OK;
}

static bool is_yaml(struct bt_str name)
{
    return bt_str_ends(name, BT_STR(".yaml")) || bt_str_ends(name, BT_STR(".yml"));
}

static int import_entry(void *data, struct bt_str name, struct bt_zip_entry *entry)
{
    struct importing *importing = data;
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(BT_YAML_BYTES_MAX + 65536u);
    int64_t got = 1;
    if (!is_yaml(name))
        return BT_OK;
    while (got > 0 && bt_buf_reserve(&text, 65536) == BT_OK) {
        got = bt_zip_read(entry, text.at + text.len, 65536, importing->err);
        text.len += got > 0 ? (size_t)got : 0;
    }
    if (got < 0)
        return (int)got;
    if (text.failed) /* Longer than any flow. */
        return bt_list_push(importing->failed, bt_value_string(name));
    return import_text(importing, bt_buf_str(&text), name);
}

static int import_yaml(struct importing *importing, const struct bt_part *part)
{
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(BT_HTTP_BODY_MAX);
    if (part->size_bytes >= BT_HTTP_BODY_MAX)
        return bt_fail(importing->err, BT_LIMIT, "the file has more than %u bytes",
                       BT_HTTP_BODY_MAX);
    if (bt_buf_reserve(&text, part->size_bytes + 1) < 0)
        return bt_fail_mem(importing->err, "the file");
    while (text.len < part->size_bytes) {
        ssize_t got =
            pread(part->fd, text.at + text.len, part->size_bytes - text.len, (off_t)text.len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return bt_fail(importing->err, BT_IO, "the file cannot be read");
        text.len += (size_t)got;
    }
    return import_text(importing, bt_buf_str(&text), BT_STR_NONE);
}

static int import(struct bt_request *request, struct bt_err *err)
{
    const struct bt_part *part = bt_part(request, "fileUpload");
    BT_VALUE failed = bt_list_new(0);
    struct importing importing = {request, failed, err};
    bool is_strict;
    int rc;
    BT_TRY(bt_query_bool(request, "failOnError", false, &is_strict, err));
    if (!part || part->fd < 0 || !failed)
        return bt_fail(err, BT_INVALID, "Illegal argument: the form needs a file 'fileUpload'");
    if (is_yaml(part->file_name))
        rc = import_yaml(&importing, part);
    else if (bt_str_ends(part->file_name, BT_STR(".zip")))
        rc = bt_zip_walk(part->fd, &(struct bt_zip_sink){import_entry, &importing}, err);
    else
        return bt_fail(err, BT_INVALID,
                       "Illegal argument: cannot import '%.*s': flows come as .yaml, .yml or .zip",
                       BT_FMT(part->file_name));
    BT_TRY(rc);
    if (is_strict && bt_value_count(failed))
        return bt_fail(err, BT_INVALID,
                       "Illegal argument: %zu flows have errors, the first is %.*s",
                       bt_value_count(failed), BT_FMT(bt_value_str(bt_list_at(failed, 0))));
    return bt_respond_json(request, BT_TAKE(failed), err);
}

/* --- Several in one text ---------------------------------------------------------------------- */

static int add_flow(void *data, const struct bt_found_flow *found)
{
    struct bt_value *value = NULL;
    BT_TRY(bt_shape_flow(found->flow, found->is_deleted, true, &value, NULL));
    return bt_list_push(data, value);
}

static int push_all(struct bt_request *request, struct bt_flow_pushes pushes, struct bt_err *err)
{
    struct bt_diags diags = BT_DIAGS_INIT;
    BT_VALUE list = bt_list_new(0);
    BT_TRY(bt_query_bool(request, "delete", false, &pushes.deletes, err));
    pushes.text = bt_buf_str(&request->body);
    pushes.diags = &diags;
    if (!list)
        return bt_fail_mem(err, "the answer");
    int rc = bt_service_push_flows(request->service, &request->principal, &pushes,
                                   &(struct bt_found_sink){add_flow, list}, err);
    if (rc < 0 && diags.errors)
        rc = bt_respond_violations(request, &diags, err);
    else if (rc == BT_OK)
        rc = bt_respond_json(request, BT_TAKE(list), err);
    bt_diags_done(&diags);
    return rc;
}

static int push_namespace(struct bt_request *request, struct bt_err *err)
{
    struct bt_flow_pushes pushes = {.namespace = request->params[0]};
    BT_TRY(bt_query_bool(request, "override", false, &pushes.overrides, err));
    return push_all(request, pushes, err);
}

static int push_bulk(struct bt_request *request, struct bt_err *err)
{
    struct bt_flow_pushes pushes = {.namespace = bt_query(request, "namespace")};
    BT_TRY(bt_query_bool(request, "allowNamespaceChild", false, &pushes.takes_children, err));
    return push_all(request, pushes, err);
}

#define YAML "application/x-yaml"
#define JSON "application/json"

static const struct bt_param filter_queries[] = {
    {"q", "string", "Words that occur in the namespace or the id"},
    {"scope", "string[]", "USER, SYSTEM"},
    {"namespace", "string", "This namespace and its children"},
    {"labels", "string[]", "key:value"},
    {0},
};
static const struct bt_param import_queries[] = {
    {"failOnError", "boolean", "Refuse the call when one has errors"},
    {0},
};
static const struct bt_param space_queries[] = {
    {"delete", "boolean", "Delete the flows of the namespace that are not in the body"},
    {"override", "boolean", "Move the flows of the body to the namespace"},
    {0},
};
static const struct bt_param bulk_queries[] = {
    {"delete", "boolean", "Delete the flows that are not in the body"},
    {"namespace", "string", "Only flows of this namespace"},
    {"allowNamespaceChild", "boolean", "And of its children"},
    {0},
};

const struct bt_route bt_routes_flow_many[] = {
    {BT_POST, "/flows/{namespace}", push_namespace, 0, "updateFlowsInNamespace", "Flows",
     "Create or update the flows of a namespace from one text", YAML, "FlowsWithSource",
     space_queries},
    {BT_POST, "/flows/bulk", push_bulk, 0, "bulkUpdateFlows", "Flows",
     "Create or update flows from one text", YAML, "FlowsWithSource", bulk_queries},
    {BT_DELETE, "/flows/delete/by-ids", delete_ids, 0, "deleteFlowsByIds", "Flows", "Delete flows",
     JSON " FlowIds", "Count", NULL},
    {BT_DELETE, "/flows/delete/by-query", delete_query, 0, "deleteFlowsByQuery", "Flows",
     "Delete the flows that match", NULL, "Count", filter_queries},
    {BT_POST, "/flows/disable/by-ids", disable_ids, 0, "disableFlowsByIds", "Flows",
     "Disable flows", JSON " FlowIds", "Count", NULL},
    {BT_POST, "/flows/disable/by-query", disable_query, 0, "disableFlowsByQuery", "Flows",
     "Disable the flows that match", NULL, "Count", filter_queries},
    {BT_POST, "/flows/enable/by-ids", enable_ids, 0, "enableFlowsByIds", "Flows", "Enable flows",
     JSON " FlowIds", "Count", NULL},
    {BT_POST, "/flows/enable/by-query", enable_query, 0, "enableFlowsByQuery", "Flows",
     "Enable the flows that match", NULL, "Count", filter_queries},
    {BT_POST, "/flows/export/by-ids", export_ids, 0, "exportFlowsByIds", "Flows",
     "Get flows as a zip archive", JSON " FlowIds", "Bytes", NULL},
    {BT_GET, "/flows/export/by-query", export_query, 0, "exportFlowsByQuery", "Flows",
     "Get the flows that match as a zip archive", NULL, "Bytes", filter_queries},
    {BT_POST, "/flows/import", import, BT_ROUTE_FORM, "importFlows", "Flows",
     "Create or update flows from a .yaml or .zip file; answers which failed",
     "multipart/form-data", "Strings", import_queries},
    {0},
};

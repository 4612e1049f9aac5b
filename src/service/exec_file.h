/* exec_file.h — Files of an execution: which it is, and how it looks. Any thread. */
#pragma once
#include "service/service.h"

/* Whose file it is. All borrowed from who asks. */
struct bt_exec_file {
    struct bt_str exec_id, uri; /* Given. */
    struct bt_str owner;        /* Id of the execution that it belongs to. */
    struct bt_str name;         /* The last part. */
};
/* Fills owner and name. BT_INVALID: no URI of the internal storage, or not one of an execution;
 * BT_NOT_FOUND: the execution that asks, or the one that owns it, does not exist. */
int bt_service_exec_file(struct bt_service *service, const struct bt_principal *principal,
                         struct bt_exec_file *file, struct bt_err *err);

struct bt_preview_request {
    struct bt_str uri, encoding; /* Encoding: a name as "UTF-8", "ISO-8859-1"; empty: UTF-8. */
    uint32_t rows_max;
};
/* {extension, type, content, maxLine, truncated} */
int bt_service_preview(struct bt_service *service, const struct bt_principal *principal,
                       const struct bt_preview_request *request, struct bt_value **ret_preview,
                       struct bt_err *err);

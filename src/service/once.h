/* once.h — Starting an execution once, however often a client asks: the same key with the same
 * request gives the same execution for a day. Any thread.
 *
 * What a key stands for is kept as a key-value beside the tenant's (no flow can see it), written
 * before the execution is created under the id that it names. A crash in between leaves a key whose
 * execution does not exist: the next request creates it. */
#pragma once
#include "service/service.h"

struct bt_once {
    struct bt_str key;              /* What the client sent. */
    struct bt_str digest;           /* Of the whole request, as text. */
    struct bt_start_result started; /* The result. */
    bool is_known;                  /* The execution was there already. */
};
/* BT_INVALID: the key stands for another request, or is no key. */
int bt_service_start_once(struct bt_service *service, const struct bt_principal *principal,
                          const struct bt_start_request *request, struct bt_once *once,
                          struct bt_err *err);

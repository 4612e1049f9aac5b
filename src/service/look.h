/* look.h — Expressions in the context of an execution, for somebody who looks at it. Any thread. */
#pragma once
#include "service/service.h"

/* What to render, and where: of the execution when `run_id` is empty. Borrowed. */
struct bt_look_request {
    struct bt_str exec_id, run_id, expression;
};
/* BT_NOT_FOUND: no such execution or task run. Everything else that goes wrong with the expression
 * is BT_OK with *ret_error (owned text); else *ret_text is owned. Secrets are not shown. */
int bt_service_look(struct bt_service *service, const struct bt_principal *principal,
                    const struct bt_look_request *request, struct bt_value **ret_text,
                    struct bt_err *ret_error);

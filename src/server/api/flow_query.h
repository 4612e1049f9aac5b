/* flow_query.h — Which flows a request means. */
#pragma once
#include "server/api/find.h"
#include "service/flow_many.h"

struct bt_flow_find {
    struct bt_flow_filter filter; /* Borrows from the request and from what follows. */
    struct bt_find find;
    char *namespace; /* Owned. */
};
/* Reads q, namespace, scope and labels, also as filters[field][OP]=value and in groups, there with
 * flowId. Other plain parameters are ignored, or (is_strict) refused like empty ones, so that a
 * call never reaches more than was meant. Done with even after an error. */
int bt_flow_find_of(const struct bt_request *request, bool is_strict, struct bt_flow_find *find,
                    struct bt_err *err);
void bt_flow_find_done(struct bt_flow_find *find);

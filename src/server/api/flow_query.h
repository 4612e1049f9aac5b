/* flow_query.h — Which flows a request means. */
#pragma once
#include "server/http.h"
#include "service/flow_many.h"

struct bt_flow_find {
    struct bt_flow_filter filter; /* Borrows from the request and from `labels`. */
    struct bt_value *labels;      /* Owned, or NULL. */
};
/* Filters that are not known are ignored, or (is_strict) refused. */
int bt_flow_find_of(const struct bt_request *request, bool is_strict, struct bt_flow_find *find,
                    struct bt_err *err);
void bt_flow_find_done(struct bt_flow_find *find);

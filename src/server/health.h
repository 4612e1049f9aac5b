/* health.h — How the server itself is: its disk and database, its requests and queues. */
#pragma once
#include "server/http.h"

/* {name, status, details: {diskSpace, database}}; owned, NULL without memory. */
struct bt_value *bt_server_health(struct bt_server *server, bool *ret_is_up);
/* Appends metrics in Prometheus' text format. */
void bt_server_metrics(struct bt_server *server, struct bt_buf *out);

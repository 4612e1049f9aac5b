/* openapi.h — The OpenAPI 3.1 document of all routes: what clients, the page's types and the
 * fuzzer are made from. */
#pragma once
#include "server/router.h"

int bt_openapi(const struct bt_router *router, struct bt_value **ret_document, struct bt_err *err);

/* openapi.c — Prints the OpenAPI document, from which the page's client is generated. */
#include "server/openapi.h"

#include "base/own.h"
#include "server/router.h"
#include "value/json.h"

#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    struct bt_err err = {0};
    BT_VALUE document = NULL;
    BT_CLEANUP(bt_buf_done) struct bt_buf out = BT_BUF_INIT(16u << 20);
    struct bt_router *router = bt_router_new();
    if (!router || bt_openapi(router, &document, &err) < 0 ||
        bt_json_write(document, BT_JSON_DROP_NULLS, &out, &err) < 0) {
        (void)fprintf(stderr, "openapi: %s\n", err.msg); /* Nobody else to tell. */
        return EXIT_FAILURE;
    }
    bt_router_free(router);
    return fwrite(out.at, 1, out.len, stdout) == out.len ? EXIT_SUCCESS : EXIT_FAILURE;
}

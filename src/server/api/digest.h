/* digest.h — What a request asks for, as one number: for keys that make it happen once. */
#pragma once
#include "server/http.h"

enum { BT_DIGEST_SIZE = 65 };

/* SHA-256 over the path's parameters, the query (but for `wait`) and the form with the content of
 * its files, as hex text. */
int bt_request_digest(const struct bt_request *request, char digest[BT_DIGEST_SIZE],
                      struct bt_err *err);

/* address.h — Addresses of the worker protocol: "host:port", ":port", "unix:/path",
 * "tcp://host:port". */
#pragma once
#include "base/err.h"

enum { BT_ADDRESS_SIZE = 300 };

/* A listening socket, and the address that it got ("127.0.0.1:41234") in `bound`. An old socket
 * file that nobody listens on is replaced. */
int bt_address_listen(const char *address, int *ret_fd, char bound[BT_ADDRESS_SIZE],
                      struct bt_err *err);
/* A connected socket with send and receive timeouts (milliseconds). */
int bt_address_connect(const char *address, int timeout_ms, int *ret_fd, struct bt_err *err);

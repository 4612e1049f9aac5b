/* mhd.h — libmicrohttpd, loaded when a server starts.
 *
 * It brings a TLS stack with it: a command that serves nothing must not pay for that at each start.
 * Only http.c, form.c and stream.c use it; everything else sees http.h. */
#pragma once
#include "base/err.h"

#include <microhttpd.h>

#define BT_MHD_FUNCTIONS(X)                                                                        \
    X(start_daemon)                                                                                \
    X(stop_daemon)                                                                                 \
    X(get_daemon_info)                                                                             \
    X(get_connection_info)                                                                         \
    X(get_connection_values)                                                                       \
    X(lookup_connection_value)                                                                     \
    X(suspend_connection)                                                                          \
    X(resume_connection)                                                                           \
    X(create_response_from_buffer)                                                                 \
    X(create_response_from_fd_at_offset64)                                                         \
    X(create_response_from_callback)                                                               \
    X(add_response_header)                                                                         \
    X(queue_response)                                                                              \
    X(destroy_response)                                                                            \
    X(create_post_processor)                                                                       \
    X(post_process)                                                                                \
    X(destroy_post_processor)

struct bt_mhd {
#define X(name) __typeof__(&MHD_##name) name;
    BT_MHD_FUNCTIONS(X)
#undef X
};

extern struct bt_mhd bt_mhd; /* Filled by bt_mhd_load(); constant afterwards. */

/* Once, before any use; again is nothing. BT_UNAVAILABLE says which package to install. */
int bt_mhd_load(struct bt_err *err);

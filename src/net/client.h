/* client.h — An HTTP client over libcurl, loaded on first use. Not for several threads. */
#pragma once
#include "base/buf.h"

#include <stdint.h>

struct bt_client; /* Opaque: where to, and how. */

struct bt_client_config {
    const char *url;       /* "http://host:port", without a path. */
    const char *unix_path; /* Connect there instead; or NULL. */
    const char *token;     /* Sent as "Authorization: Bearer"; or NULL. */
};

/* A field or a file of a form. */
struct bt_client_part {
    const char *name, *text;
    const char *path; /* A file of this machine instead of a text; or NULL. */
};

struct bt_client_request {
    const char *method, *path; /* "GET", "/api/v1/…" with the query. */
    const char *type;          /* Media type of the body, or NULL. */
    struct bt_str body;
    const struct bt_client_part *parts; /* A form instead of a body. */
    size_t part_count;
    /* Called with each piece of the answer as it arrives, when the status is below 300; a negative
     * result ends the call. NULL: the answer is kept. */
    int (*each)(void *data, struct bt_str piece);
    void *data;
};

struct bt_client_answer {
    int status;
    struct bt_buf body; /* Unless it went to `each`. */
};

/* BT_UNAVAILABLE says which package to install. */
int bt_client_new(const struct bt_client_config *config, struct bt_client **ret_client,
                  struct bt_err *err);
struct bt_client *bt_client_free(struct bt_client *client); /* Accepts and returns NULL. */
/* Waits for the answer, whatever its status is. BT_IO: there was none. */
int bt_client_call(struct bt_client *client, const struct bt_client_request *request,
                   struct bt_client_answer *ret_answer, struct bt_err *err);
void bt_client_answer_done(struct bt_client_answer *answer);
/* Appends text with everything but letters, digits and -._~ as %XX. */
int bt_client_escape(struct bt_str text, struct bt_buf *out);

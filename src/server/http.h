/* http.h — Requests and responses, as the handlers of api/ see them.
 *
 * A handler is a plain function that runs in a thread of its own pool (or, for BT_ROUTE_QUICK, in
 * the HTTP thread: it must then neither block nor take long). It fills the response, or fails: the
 * error becomes a response in the original's shape. Everything in a request lives until its
 * response was sent. */
#pragma once
#include "base/arena.h"
#include "service/service.h"

enum bt_method { BT_GET, BT_POST, BT_PUT, BT_PATCH, BT_DELETE, BT_METHOD_COUNT };

struct bt_request;
/* BT_OK: the response is set. BT_PENDING: bt_request_finish() comes later, from any thread. An
 * error: told to the client by the table of respond.c. */
typedef int bt_handler(struct bt_request *request, struct bt_err *err);
enum { BT_PENDING = 1 };

enum bt_route_flags {
    BT_ROUTE_QUICK = 1,     /* Runs in the HTTP thread. */
    BT_ROUTE_ANONYMOUS = 2, /* Needs no authentication. The default is that it does. */
    BT_ROUTE_FORM = 4,      /* A multipart or urlencoded body is taken apart. */
    BT_ROUTE_HIDDEN = 8,    /* Not in the OpenAPI document: pages, other names of a route. */
};

/* A parameter in the query. */
struct bt_param {
    const char *name, *type, *doc; /* Type as in OpenAPI: "string", "integer", "boolean",
                                      "date-time", "duration", "string[]". */
};

struct bt_route {
    enum bt_method method;
    const char *path; /* "/executions/{executionId}/kill" below /api/v1, or whole with "//". */
    bt_handler *handler;
    unsigned flags;
    const char *id, *tag; /* operationId; the group it stands in. */
    const char *summary;
    const char *body;               /* Media type of the request, of JSON with its schema behind a
                                       blank; or NULL. */
    const char *answer;             /* Name of the response's schema, or NULL: none. */
    const struct bt_param *queries; /* Ended by a NULL name; or NULL. */
};

enum { BT_PATH_PARAMS_MAX = 6 };

struct bt_pair {
    struct bt_str name, value;
};

/* A part of a form. */
struct bt_part {
    struct bt_str name, file_name; /* file_name.at NULL: a plain field. */
    struct bt_str text;            /* Of a plain field. */
    int fd; /* Of a file: an unnamed temporary file, at its start; else -1. */
    uint64_t size_bytes;
};

struct bt_response {
    int status;
    const char *type; /* Media type; static. */
    struct bt_buf body;
    int fd;                          /* Instead of a body; the response takes it. -1: none. */
    uint64_t fd_from, fd_size_bytes; /* Which part of it is sent. */
    struct bt_stream *stream;        /* Instead of a body: see stream.h. */
    struct bt_str constant;          /* Instead of a body: borrowed for ever. */
    struct {
        const char *name;
        struct bt_str value; /* In the arena. */
    } headers[8];
    size_t header_count;
};

struct bt_request {
    struct bt_service *service;
    struct bt_server *server;
    struct bt_principal principal;
    enum bt_method method;
    struct bt_str uri;  /* As sent, with the query. */
    struct bt_str host; /* The header, or empty. */
    const struct bt_route *route;
    struct bt_str params[BT_PATH_PARAMS_MAX]; /* Decoded, valid UTF-8, in the order of the path. */
    const struct bt_pair *queries;            /* Decoded, valid UTF-8, in order. */
    size_t query_count;
    struct bt_buf body;          /* Unless it was a form. */
    const struct bt_part *parts; /* Of a form. */
    size_t part_count;
    struct bt_arena arena;
    struct bt_response response;
};

/* --- What was asked --------------------------------------------------------------------------- */

/* The first value of a query parameter; .at is NULL when it is absent. */
struct bt_str bt_query(const struct bt_request *request, const char *name);
/* Absent: `otherwise`. BT_INVALID names the parameter. */
int bt_query_int(const struct bt_request *request, const char *name, int64_t otherwise,
                 int64_t *ret_number, struct bt_err *err);
int bt_query_bool(const struct bt_request *request, const char *name, bool otherwise, bool *ret_is,
                  struct bt_err *err);
/* All values of a repeatable, comma-separated parameter as a list of STRINGs; NULL without any. */
int bt_query_list(const struct bt_request *request, const char *name, struct bt_value **ret_list,
                  struct bt_err *err);
/* A header's value; .at is NULL when it is absent. Borrowed. */
struct bt_str bt_header(const struct bt_request *request, const char *name);
/* The body as JSON. Errors in the original's words ("Invalid json: …"). */
int bt_body_json(const struct bt_request *request, struct bt_value **ret_value, struct bt_err *err);

/* --- What is answered ------------------------------------------------------------------------- */

int bt_respond(struct bt_request *request, int status); /* Without a body. */
/* JSON; null members are left out. Takes the value (NULL: out of memory). */
int bt_respond_json(struct bt_request *request, struct bt_value *value, struct bt_err *err);
/* JSON text that the handler has appended to response.body. */
int bt_respond_text(struct bt_request *request, const char *type, struct bt_err *err);
/* {"results":[…],"total":N}: takes the list. */
int bt_respond_page(struct bt_request *request, struct bt_value *results, int64_t total,
                    struct bt_err *err);
/* Takes the descriptor; a Range of the request is honoured. */
int bt_respond_file(struct bt_request *request, const char *type, int fd, uint64_t size_bytes);
/* A file without a name, to write an answer to; the caller's until it is given to the response. */
int bt_request_scratch(struct bt_request *request, int *ret_fd, struct bt_err *err);
/* Answers with all that was written to it; takes it. */
int bt_respond_scratch(struct bt_request *request, const char *type, int *fd, struct bt_err *err);
/* "Content-Disposition: attachment" with this name. */
void bt_respond_attachment(struct bt_request *request, struct bt_str name);
/* A header as it is; the value lives as long as the request. */
void bt_respond_header_text(struct bt_request *request, const char *name, struct bt_str value);
void bt_respond_header(struct bt_request *request, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* An error in the original's shape. `errors`: its embedded [{message, path}], taken, or NULL. */
int bt_respond_error(struct bt_request *request, int status, struct bt_str message,
                     struct bt_value *errors);
/* What bt_respond_error() gets for an error that a handler returned. */
int bt_respond_failure(struct bt_request *request, const struct bt_err *err);
/* Goes on with a request that was BT_PENDING, in a thread of the pool. Any thread. */
void bt_request_again(struct bt_request *request, bt_handler *handler);
/* Ends a request that was BT_PENDING. Any thread. */
void bt_request_finish(struct bt_request *request, int rc, const struct bt_err *err);

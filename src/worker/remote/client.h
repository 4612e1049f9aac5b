/* client.h — A worker on another machine (or in another process): connects to a server, runs what
 * it gets, reports, and fences itself off when the server has not answered for the lease's time. */
#pragma once
#include "base/err.h"
#include "engine/job.h"
#include "sys/clock.h"

#include <stdbool.h>

struct bt_client; /* Opaque. */

/* What runs the jobs, in the shape of worker.h: reports through the sink, exactly one result a job.
 */
struct bt_executor {
    void *data;
    void (*start)(void *data, const struct bt_worker_sink *sink);
    void (*submit)(void *data, struct bt_job *job); /* Takes the job. */
    void (*kill)(void *data, uint64_t token);
    void (*release)(void *data, uint64_t place);
    void (*stop)(void *data); /* Ends what runs, reports it, and returns. */
};

struct bt_client_config {
    const char *address; /* See address.h. */
    const char *token;
    const char *group; /* "" = jobs without a group. */
    const char *tags;  /* "a,b"; "" = none. */
    const char *work_dir;
    unsigned slots;
    /* Told in the client's thread: connected, connection lost, refused, … May be NULL. */
    void (*note)(void *data, const char *text);
    void *data;
    const struct bt_clock *clock;       /* NULL: the system's. */
    const struct bt_executor *executor; /* NULL: a worker in work_dir. */
};

/* Connects in the background, again and again; a refusal (wrong token, other version) ends it. */
int bt_client_start(const struct bt_client_config *config, struct bt_client **ret_client,
                    struct bt_err *err);
/* Whether it has ended by itself: *err says why. */
bool bt_client_has_ended(struct bt_client *client, struct bt_err *err);
/* Takes no further jobs, lets the running ones end for up to `grace_ms`, kills and hands back the
 * rest, tells what is left to tell, and frees. Accepts and returns NULL. */
struct bt_client *bt_client_stop(struct bt_client *client, unsigned grace_ms);

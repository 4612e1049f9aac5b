/* asks.h — What the expressions of one job ask of the world, and what they have been answered.
 *
 * On the loop's thread nothing is asked (`may_block` false): the rendering is given up with BT_NEED
 * and done again on a helper thread. http() needs a plugin's process, which the slot runs between
 * two renderings: the first one leaves the question, the next finds its answer. Rendering again
 * gives the same, for it starts from the same time and seed. One thread at a time. */
#pragma once
#include "engine/job.h"
#include "files/files.h"
#include "worker/runner/masks.h"
#include "worker/world.h"

struct bt_asks {
    /* Borrowed, set by the caller. */
    struct bt_files *files;
    struct bt_world world;
    struct bt_job *job;
    bool may_block;
    /* What came of it. */
    bool is_open;              /* A rendering was given up: there is something to ask. */
    bool is_touched;           /* A secret was read since somebody cleared this. */
    struct bt_masks masks;     /* The secrets that were read. */
    struct bt_value *answers;  /* Of http(): question as JSON text → answer. Owned, or NULL. */
    struct bt_value *question; /* The arguments of the http() that waits. Owned, or NULL. */
    uint32_t http_count;
};

/* A new job: forgets all that was. */
void bt_asks_begin(struct bt_asks *asks, struct bt_job *job);
void bt_asks_done(struct bt_asks *asks);
/* The capability; `asks` is borrowed by it. */
struct bt_capabilities bt_asks_capabilities(struct bt_asks *asks);
/* Gives the rendering up until a helper thread does it. BT_NEED. */
int bt_asks_later(struct bt_asks *asks, struct bt_err *err);
/* Opens the sealed values in a value, which is taken (NULL: nothing). */
int bt_asks_open(struct bt_asks *asks, struct bt_value *value, struct bt_value **ret_value,
                 struct bt_err *err);
/* Opens the sealed values among the job's variables. */
int bt_asks_unseal(struct bt_asks *asks, struct bt_err *err);
/* Seals a text that holds a secret. */
int bt_asks_seal(struct bt_asks *asks, struct bt_str text, struct bt_value **ret_value,
                 struct bt_err *err);
/* A copy of the value in which each text with a secret in it is sealed. */
int bt_asks_seal_all(struct bt_asks *asks, const struct bt_value *value,
                     struct bt_value **ret_value, struct bt_err *err);
/* Hides secrets in a message. */
void bt_asks_mask_err(const struct bt_asks *asks, struct bt_err *err);
/* The answer to the question that waits: a value, or (NULL) the error. */
int bt_asks_answer(struct bt_asks *asks, struct bt_value *value, const struct bt_err *error);

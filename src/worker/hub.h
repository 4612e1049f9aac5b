/* hub.h — Between the runner and the workers: who has which job, who may get more, who is gone.
 *
 * Workers are members: the one of this process, and remote ones over a stream. A member claims jobs
 * by credit (its free slots); a job waits here until a member of its group has credit, so none
 * waits behind a long one. What a member says of a token it does not hold is dropped. Any thread;
 * one mutex. */
#pragma once
#include "engine/job.h"

struct bt_hub;    /* Opaque. */
struct bt_member; /* A worker as the hub knows it. Opaque. */

struct bt_hub_config {
    /* The worker that had this attempt is gone, or hands it back. With the sink's data. */
    void (*lost)(void *data, uint64_t exec_key, uint32_t taskrun, uint64_t token);
};

/* How a member is reached. Called under the hub's mutex: must not block and not call the hub. */
struct bt_member_ops {
    void (*give)(void *data, struct bt_job *job); /* Takes the job. */
    void (*kill)(void *data, uint64_t token);
    /* A place that it may have is not wanted any more. NULL: it never has any. */
    void (*release)(void *data, uint64_t place);
};

struct bt_hub *bt_hub_new(const struct bt_hub_config *config); /* NULL without memory. */
/* Where reports go (the runner, which is made after the hub). Before any member joins. */
void bt_hub_set_sink(struct bt_hub *hub, const struct bt_worker_sink *sink);
/* After all members have left and the runner has stopped submitting. Accepts and returns NULL. */
struct bt_hub *bt_hub_free(struct bt_hub *hub);

/* From here on nothing is given out and nothing that members report counts: what they hold is taken
 * up again at the next start. */
void bt_hub_close(struct bt_hub *hub);

/* --- After a restart: jobs that an earlier server had given out
 * ----------------------------------- */

/* A job whose worker may still live. */
void bt_hub_orphan(struct bt_hub *hub, const struct bt_job *stub);
/* A worker that is back says that it has the job: it is its own again. False: nobody waits for it.
 */
bool bt_hub_adopt(struct bt_member *member, uint64_t token);
/* No worker has come for the rest: they are lost. */
void bt_hub_expire_orphans(struct bt_hub *hub);

/* From the runner (the shape of struct bt_dispatcher). */
void bt_hub_submit(void *hub, struct bt_job *job); /* Takes the job. */
void bt_hub_kill(void *hub, uint64_t token);
void bt_hub_release(void *hub, uint64_t place);

/* While the hub expects members, jobs that only members of a kind can take that is not there wait
 * for them. Else their tasks' `fallback` decides at once: they wait (and their log says so), fail,
 * end as killed, or go to members without a group. */
void bt_hub_expect(struct bt_hub *hub, bool is_expecting);

/* Places (engine/job.h): the member that is given an OPEN has the place from then on; jobs IN it
 * and its CLOSE wait for that member's credit, before all others, whatever group or tags their
 * tasks ask for, and also while it drains. Once it is gone they are lost at once. While the hub
 * expects members, jobs of a place that nobody has (yet) wait. */

/* A member of an earlier server says that it has the place. False: another has it. */
bool bt_hub_adopt_place(struct bt_member *member, uint64_t place);
/* Which places it has by its own words, complete: the others that the hub thinks it had are gone.
 * What it has and should not is released. */
void bt_hub_check_places(struct bt_member *member, const uint64_t *places, size_t count);

struct bt_member_kind {
    const char *group; /* "": takes jobs without a group. */
    const char *tags;  /* "a,b": of jobs with tags it takes those whose tags are among them. */
    unsigned slots;    /* Jobs at once. */
};
/* A worker joins. It is away: it gets its first jobs after bt_hub_away(member, false). NULL without
 * memory. */
struct bt_member *bt_hub_join(struct bt_hub *hub, const struct bt_member_kind *kind,
                              const struct bt_member_ops *ops, void *data);
/* It is gone: every job that it holds is lost, no call to its ops comes any more, and what it
 * reports late does not count. */
void bt_hub_leave(struct bt_member *member);
/* After it has left (or instead of leaving when it never joined). Accepts NULL. */
void bt_member_free(struct bt_member *member);
/* It takes no further jobs (it is draining). */
void bt_hub_drain(struct bt_member *member);
/* Its connection is gone for now (it gets no jobs meanwhile), or back. */
void bt_hub_away(struct bt_member *member, bool is_away);
/* It hands a job back that it will not finish; of a place: the place is gone. */
void bt_hub_give_back(struct bt_member *member, uint64_t token);
/* Whether it holds the token. */
bool bt_hub_holds(struct bt_member *member, uint64_t token);
size_t bt_hub_held(struct bt_member *member);
/* Calls `each` with every token that it holds (under the mutex). */
void bt_hub_each_held(struct bt_member *member, void (*each)(void *data, uint64_t token),
                      void *data);

/* What it reports. False: it does not hold the token, nothing was told. The sink may block. */
bool bt_hub_started(struct bt_member *member, uint64_t token, int64_t at_us);
bool bt_hub_logs(struct bt_member *member, uint64_t token, const struct bt_log_line *lines,
                 size_t count);
/* Takes the result's content. Frees one slot of the member. */
bool bt_hub_result(struct bt_member *member, struct bt_job_result *result);

/* For messages and tests. */
struct bt_hub_counts {
    unsigned members, free_slots;
    size_t waiting, held, places;
};
struct bt_hub_counts bt_hub_counts(struct bt_hub *hub);

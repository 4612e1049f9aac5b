/* hub_int.h — Shared by the files of the hub. Everything here is under its mutex. */
#pragma once
#include "base/map64.h"
#include "base/vec.h"
#include "worker/hub.h"

#include <pthread.h>

/* A job that a member has. */
struct held {
    struct bt_member *member; /* NULL: an orphan. */
    bool is_killed;           /* Of an orphan: kill it when it is found. */
    struct bt_job stub;       /* Only the names of the attempt: what the sink looks at. */
};

struct waiting {
    struct bt_job *job;
    bool is_told; /* Its log says that it waits. */
};

/* A place, and who has it. */
struct seat {
    uint64_t place;
    struct bt_member *member;
};

/* Jobs that wait for a member of the same kind, in order. */
struct line {
    char *group, *tags;
    BT_VEC(struct waiting) waiting;
    size_t head; /* Jobs before it have left. */
};

struct bt_member {
    struct bt_hub *hub;
    char *group, *tags;
    struct bt_member_ops ops;
    void *data;
    unsigned credit;
    size_t held;
    bool is_draining, is_away;
    BT_VEC(struct bt_job *) bound; /* Jobs that wait for it alone, in order. */
};

struct bt_hub {
    struct bt_hub_config config;
    struct bt_worker_sink sink;
    pthread_mutex_t lock;
    BT_VEC(struct bt_member *) members;
    size_t turn, line_turn; /* Where a search starts: round robin. */
    BT_VEC(struct line *) lines;
    struct bt_map64 held;             /* token → struct held */
    struct bt_map64 seats;            /* place → struct seat */
    BT_VEC(struct bt_job *) homeless; /* Jobs of places that a member may yet bring along. */
    bool is_closed;
    bool is_expecting; /* Members that are not there may come: their jobs wait for them. */
};

/* What is told after the mutex is free: the sink may block. */
struct verdict {
    struct bt_job *job; /* Owned when it ends; else only its names count. */
    struct bt_job stub;
    bool is_lost; /* Told as lost: its place is gone. */
    enum bt_fallback fallback;
    char text[400], hint[400];
};
typedef BT_VEC(struct verdict) verdict_vec;

static inline void hub_lock(struct bt_hub *hub)
{
    (void)pthread_mutex_lock(&hub->lock); /* Cannot fail on a default mutex. */
}

static inline void hub_unlock(struct bt_hub *hub)
{
    (void)pthread_mutex_unlock(&hub->lock); /* As above. */
}

/* hub.c */
struct bt_job hub_stub(const struct bt_job *job);
void hub_give(struct bt_hub *hub, struct bt_member *member, struct bt_job *job);

/* hub_places.c */
/* Whether the job goes to the member that has its place. */
bool hub_is_bound(const struct bt_job *job);
/* Gives it to that member, or puts it in its line; or it is lost. */
void hub_bind(struct bt_hub *hub, struct bt_job *job, verdict_vec *verdicts);
/* The member has been given an OPEN. */
void hub_seat(struct bt_hub *hub, struct bt_member *member, uint64_t place);
/* What waits for this member alone, as far as it has credit. */
void hub_give_bound(struct bt_hub *hub, struct bt_member *member);
/* Takes a waiting job out, or NULL. */
struct bt_job *hub_take_bound(struct bt_hub *hub, uint64_t token);
/* The end of a job, in this state: its place may have ended with it. */
void hub_unseat_ended(struct bt_hub *hub, const struct bt_job *stub, enum bt_state state);
/* The same of a job that the member hands back: the place is gone. */
void hub_unseat_lost(struct bt_hub *hub, const struct bt_job *stub, verdict_vec *verdicts);
/* The member is gone, and with it all its places. */
void hub_unseat_member(struct bt_hub *hub, struct bt_member *member, verdict_vec *verdicts);
/* Nobody brings places along any more: what waits for them is lost. */
void hub_lose_homeless(struct bt_hub *hub, verdict_vec *verdicts);
size_t hub_count_bound(const struct bt_hub *hub);
void hub_places_done(struct bt_hub *hub);

/* hub_lines.c */
void hub_line_free(struct line *line);
/* Gives the job out, puts it in its line, or decides what becomes of it. */
void hub_place(struct bt_hub *hub, struct bt_job *job, verdict_vec *verdicts);
/* Gives out what waits for such a member; lines take turns, so that none waits for ever. */
void hub_give_waiting(struct bt_hub *hub, struct bt_member *member);
/* Takes a waiting job out, or NULL. */
struct bt_job *hub_take_waiting(struct bt_hub *hub, uint64_t token);
/* Decides about all that wait for a kind of member that there is not. */
void hub_decide(struct bt_hub *hub, verdict_vec *verdicts);
/* Without the mutex: tells and frees. */
void hub_tell(struct bt_hub *hub, verdict_vec *verdicts);
char *hub_copy(const char *text);

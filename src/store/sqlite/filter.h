/* filter.h — A query, prepared: names became numbers, times became keys. Stays in this room.
 *
 * Keys of executions are handed out in the order of creation and start times never go back: a time
 * range is a key range, and ordering by key is ordering by start. */
#pragma once
#include "base/vec.h"
#include "store/sqlite/read_int.h"
#include "store/sqlite/rollups.h"

/* Executions of a flow in a state, by the counters. */
struct combo {
    int64_t flow;
    enum bt_state state;
    int64_t count;
};

struct filter {
    struct bt_db *db; /* In one transaction as long as the filter lives. */
    const struct bt_exec_query *query;
    bool has_all_flows;       /* `flows` does not matter. */
    BT_VEC(int64_t) flows;    /* Sorted. */
    uint32_t states;          /* Never 0. */
    int64_t from_key, to_key; /* Both included. */
    bool is_whole;            /* The key range leaves nothing out. */
    bool has_probes;          /* Something must be looked at beside flow, state and key. */
    bool has_words;           /* Some words must be in the execution's id. */
    BT_VEC(int64_t) ids;      /* Keys, ascending, of executions of other flows that match by id. */
    bool is_ids_capped;       /* There are more of them. */
    BT_VEC(struct combo) combos; /* Flows and states that match and have executions, ever. */
    int64_t ever;                /* The sum of their counts. */
};

/* A flow's names, as lists need them. */
struct named_flow {
    int64_t key;
    char *namespace, *id; /* Owned. */
};
typedef BT_VEC(struct named_flow) named_flows;
void named_flows_done(named_flows *flows);
/* Flows, deleted ones too, that match the query's namespace, names, conditions and words. */
int filter_flows(struct bt_db *db, const struct bt_exec_query *query, named_flows *flows,
                 struct bt_err *err);

int filter_init(struct bt_db *db, const struct bt_exec_query *query, struct filter *ret_filter,
                struct bt_err *err);
void filter_done(struct filter *filter);
/* Executions of all flows in the filter's states. */
int filter_all(const struct filter *filter, int64_t *ret_count, struct bt_err *err);
bool filter_has_flow(const struct filter *filter, int64_t flow);
/* The first key whose start is at or after `us`. */
int filter_key_at(struct bt_db *db, int64_t us, int64_t *ret_key, struct bt_err *err);
/* Whether an execution matches in all but its key's range. */
int filter_probe(const struct filter *filter, int64_t key, bool *ret_is, struct bt_err *err);
/* Only what is not in the indexes that give flow and state. */
int filter_probe_rest(const struct filter *filter, int64_t key, bool *ret_is, struct bt_err *err);

/* totals.c */
struct roll_sum {
    int64_t count, sum_us, min_us, max_us;
    bool has_duration;
};
/* Adds rows of `kind` for periods [from, to): calls `each` for rows that match flows and states. */
struct roll_seen {
    int64_t period, flow;
    enum bt_state state;
    struct roll_sum sum;
};
typedef int roll_each(void *data, const struct roll_seen *seen);
struct roll_range {
    enum bt_roll_kind kind;
    int64_t from, to;
    bool by_flow; /* Each flow by itself, even where the sum over all would do. */
};
int rolls_read(const struct filter *filter, const struct roll_range *range, roll_each *each,
               void *data, struct bt_err *err);
/* Passes over rows by the counters of whole days and hours: takes them off *skip and out of the key
 * range. Does nothing where counters do not tell. */
int filter_skip(struct filter *filter, bool is_ascending, uint64_t *skip, struct bt_err *err);
int total_of(const struct filter *filter, struct bt_total *ret_total, struct bt_err *err);

/* cursors.c: keys of executions that match, in order. */
struct cursors;
/* `wanted`: how many will be asked for, for the choice of the way. */
int cursors_open(const struct filter *filter, bool is_ascending, uint64_t wanted,
                 struct cursors **ret_cursors, struct bt_err *err);
void cursors_close(struct cursors *cursors);
/* Ends after so many were looked at, matching or not. */
void cursors_limit(struct cursors *cursors, int64_t looks);
bool cursors_are_cut(const struct cursors *cursors); /* It has ended because of that. */
/* *ret_key 0: there is none left. */
int cursors_next(struct cursors *cursors, int64_t *ret_key, struct bt_err *err);

/* ordered.c: keys by duration, end or id, of executions that have one. */
struct ordered;
int ordered_open(const struct filter *filter, struct ordered **ret_ordered, struct bt_err *err);
void ordered_close(struct ordered *ordered);
int ordered_next(struct ordered *ordered, int64_t *ret_key, struct bt_err *err);

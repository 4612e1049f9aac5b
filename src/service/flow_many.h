/* flow_many.h — Use cases over many flows at once, and changes in the text of one. Any thread. */
#pragma once
#include "service/service.h"

/* Which flows. Empty strings and NULLs do not filter. */
struct bt_flow_filter {
    struct bt_str namespace;          /* This one and its children; in lower case. */
    struct bt_str text;               /* Words that occur in the namespace or the id. */
    const struct bt_value *labels;    /* Map of texts; all must be there. */
    const struct bt_value *no_labels; /* Map of texts; none may be there. */
    const struct bt_flow_cond *conds;
    size_t cond_count;
    bool is_nothing; /* None. */
};
bool bt_flow_matches(const struct bt_flow_filter *filter, const struct bt_flow *flow);
/* Live flows that match, by namespace and id. */
int bt_service_find_flows(struct bt_service *service, const struct bt_principal *principal,
                          const struct bt_flow_filter *filter, const struct bt_found_sink *sink,
                          struct bt_err *err);

/* The names of some flows. */
struct bt_owned_name {
    char *namespace, *id; /* Owned. */
    uint32_t revision;    /* Of those that were found. */
};
struct bt_flow_names {
    struct bt_owned_name *items;
    size_t count, cap;
};
void bt_flow_names_add(struct bt_flow_names *names, struct bt_str namespace, struct bt_str id);
void bt_flow_names_done(struct bt_flow_names *names);
enum bt_flow_sort { BT_FLOW_SORT_NAMESPACE, BT_FLOW_SORT_ID, BT_FLOW_SORT_REVISION };
void bt_flow_names_sort(struct bt_flow_names *names, enum bt_flow_sort sort, bool is_descending);
/* Those that match; refused beyond BT_BULK_MAX. */
int bt_service_name_flows(struct bt_service *service, const struct bt_principal *principal,
                          const struct bt_flow_filter *filter, struct bt_flow_names *names,
                          struct bt_err *err);
/* Deletes those that are there; *ret_count: how many. */
int bt_service_delete_flows(struct bt_service *service, const struct bt_principal *principal,
                            const struct bt_flow_names *names, size_t *ret_count,
                            struct bt_err *err);
/* Rewrites the `disabled` of those where it is another. */
struct bt_flow_switch {
    const struct bt_flow_names *names;
    bool is_disabled;
    size_t count; /* Result: how many changed. */
};
int bt_service_switch_flows(struct bt_service *service, const struct bt_principal *principal,
                            struct bt_flow_switch *change, struct bt_err *err);

/* Several flows in one text. All are checked before the first is stored. */
struct bt_flow_pushes {
    struct bt_str text;
    struct bt_str namespace; /* Where they must be; empty: anywhere. */
    bool takes_children;     /* Or in a child of it. */
    bool overrides;          /* They are moved there. */
    bool deletes;            /* Flows there that are not in the text are deleted. */
    struct bt_diags *diags;  /* What is wrong with the first wrong one. */
};
/* The sink gets those that were deleted, then those of the text, as they are stored. */
int bt_service_push_flows(struct bt_service *service, const struct bt_principal *principal,
                          const struct bt_flow_pushes *pushes, const struct bt_found_sink *sink,
                          struct bt_err *err);

/* Replaces a task in the text of a flow. BT_NOT_FOUND: flow or task. */
struct bt_task_put {
    struct bt_flow_key key;
    struct bt_str task_id;
    const struct bt_value *task; /* Its id must be task_id. */
    struct bt_diags *diags;
};
int bt_service_put_task(struct bt_service *service, const struct bt_principal *principal,
                        const struct bt_task_put *put, struct bt_flow **ret_flow,
                        struct bt_err *err);

/* Lines of the source with words of the filter's text, marked: [mark]word[/mark]. *ret_list is
 * NULL when not all words occur. */
int bt_flow_fragments(const struct bt_flow *flow, struct bt_str text, struct bt_value **ret_list);

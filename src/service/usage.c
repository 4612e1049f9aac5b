/* usage.c — Numbers about flows, executions and the engine. */
#include "service/usage.h"

#include "base/own.h"

/* --- Flows ------------------------------------------------------------------------------------ */

struct counting {
    int64_t flows, namespaces, triggers;
    const char *last; /* Namespace; borrowed from the flow kept below. */
    struct bt_flow *kept;
    struct bt_value *types; /* Class name → INT; borrowed. */
};

static int count_flow(void *data, const struct bt_found_flow *found)
{
    struct counting *counting = data;
    const struct bt_flow *flow = found->flow;
    counting->flows++;
    counting->namespaces += !counting->last || strcmp(counting->last, flow->namespace) != 0;
    bt_flow_unref(counting->kept);
    counting->kept = bt_flow_ref(flow);
    counting->last = flow->namespace;
    counting->triggers += (int64_t)bt_value_count(bt_map_gets(flow->tree, "triggers"));
    for (uint32_t i = 0; i < flow->task_count; i++) {
        const char *class = flow->tasks[i].type->class_name;
        int64_t so_far = bt_value_as_int(bt_map_gets(counting->types, class));
        BT_TRY(bt_map_puts(counting->types, class, bt_value_int(so_far + 1)));
    }
    return BT_OK;
}

static int no_exec(void *data, struct bt_exec *exec)
{
    (void)data;
    bt_exec_free(exec);
    return BT_OK;
}

static int count_state(struct bt_service *service, const struct bt_principal *principal,
                       uint32_t states, int64_t *ret_count, struct bt_err *err)
{
    struct bt_exec_query query = {.tenant = principal->tenant, .states = states};
    struct bt_total total;
    BT_TRY(service->store->ops->execs(service->store, &query, &(struct bt_exec_sink){no_exec, NULL},
                                      &total, err));
    *ret_count = total.count;
    return BT_OK;
}

static struct bt_value *flow_usage(const struct counting *counting)
{
    BT_VALUE map = bt_map_new(4);
    int rc = bt_map_puts(map, "count", bt_value_int(counting->flows));
    rc |= bt_map_puts(map, "namespacesCount", bt_value_int(counting->namespaces));
    rc |= bt_map_puts(map, "triggersCount", bt_value_int(counting->triggers));
    rc |= bt_map_puts(map, "taskTypeCount", bt_value_ref(counting->types));
    return rc == BT_OK ? BT_TAKE(map) : NULL;
}

int bt_usage_all(struct bt_service *service, const struct bt_principal *principal,
                 struct bt_value **ret_usage, struct bt_err *err)
{
    BT_VALUE usage = bt_map_new(5), *execs = bt_map_new(1), *types = bt_map_new(16);
    struct counting counting = {.types = types};
    int64_t count = 0;
    int rc = bt_service_flows(service, principal, &(struct bt_flow_query){0},
                              &(struct bt_found_sink){count_flow, &counting}, err);
    if (rc == BT_OK)
        rc = count_state(service, principal, 0, &count, err);
    bt_flow_unref(counting.kept);
    BT_TRY(rc);
    rc = bt_map_puts(usage, "version", bt_value_cstr(BT_VERSION));
    rc |= bt_map_puts(usage, "serverType", bt_value_cstr("STANDALONE"));
    rc |= bt_map_puts(usage, "flows", flow_usage(&counting));
    rc |= bt_map_puts(execs, "count", bt_value_int(count));
    rc |= bt_map_puts(usage, "executions", BT_TAKE(execs));
    if (rc != BT_OK)
        return bt_fail_mem(err, "the answer");
    *ret_usage = BT_TAKE(usage);
    return BT_OK;
}

/* --- Metrics ---------------------------------------------------------------------------------- */

static void number(struct bt_buf *out, const char *name, const char *type, const char *help,
                   double value)
{
    (void)bt_buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.17g\n", name, help, name, type, name,
                      value); /* Sticky: the caller checks. */
}

int bt_usage_metrics(struct bt_service *service, const struct bt_principal *principal,
                     struct bt_buf *out, struct bt_err *err)
{
    struct bt_runner_stats stats = bt_runner_stats(service->runner);
    (void)bt_buf_adds(out, "# HELP baton_executions Executions by state.\n"
                           "# TYPE baton_executions gauge\n"); /* Sticky. */
    for (int state = 0; state < BT_STATE_COUNT; state++) {
        int64_t count = 0;
        BT_TRY(count_state(service, principal, 1u << state, &count, err));
        (void)bt_buf_addf(out, "baton_executions{state=\"%s\"} %lld\n",
                          bt_state_name((enum bt_state)state), (long long)count);
    }
    number(out, "baton_commits_total", "counter", "Batches committed.", (double)stats.commits);
    number(out, "baton_commit_failures_total", "counter", "Batches that could not be committed.",
           (double)stats.failures);
    number(out, "baton_commit_seconds_total", "counter", "Time of all commits.",
           (double)stats.commit_us / 1e6);
    number(out, "baton_commit_seconds_max", "gauge", "The longest commit so far.",
           (double)stats.commit_us_max / 1e6);
    number(out, "baton_inbox_bytes", "gauge", "What waits for the engine.",
           (double)stats.inbox_bytes);
    return BT_OK;
}

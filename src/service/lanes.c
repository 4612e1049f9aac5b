/* lanes.c — Lanes of a group: one pass over its task runs says how each lane stands, then only the
 * rows of the page are read again and written. */
#include "service/lanes.h"

#include "base/num.h"
#include "base/own.h"
#include "base/vec.h"
#include "service/shape.h"
#include "sys/clock.h"
#include "value/json.h"

#include <assert.h>
#include <stdlib.h>

/* --- One task run ----------------------------------------------------------------------------- */

/* A copy of what is needed of a row after it was given back. */
struct brief {
    uint32_t n, parent, lanes; /* Lanes: of its group. */
    struct bt_id id;
};

struct finding {
    struct bt_str id; /* Empty: the first row given is it. */
    struct brief found;
};

static int find_one(void *data, const struct bt_taskrun *run, const char *task_id)
{
    struct finding *finding = data;
    (void)task_id;
    if (finding->id.len && !bt_str_eq(finding->id, bt_id_str(&run->id)))
        return BT_OK;
    finding->found = (struct brief){run->n, run->parent, run->group.lanes, run->id};
    return BT_ABORTED; /* Found: no more rows. */
}

/* By number: one row. By id: all rows up to it. */
static int find(struct bt_service *service, const struct bt_exec *exec, struct bt_str name,
                struct brief *ret, struct bt_err *err)
{
    struct finding finding = {0};
    struct bt_run_query query = {exec->key, 1, UINT32_MAX};
    int64_t n;
    if (name.len < 10 && bt_parse_i64(name, &n) && n > 0)
        query = (struct bt_run_query){exec->key, (uint32_t)n, 1};
    else
        finding.id = name;
    int rc = service->store->ops->runs(service->store, &query,
                                       &(struct bt_run_sink){find_one, &finding}, err);
    if (rc != BT_ABORTED)
        return rc < 0 ? rc : bt_fail(err, BT_NOT_FOUND, "there is no such task run");
    if (!finding.id.len && finding.found.n != query.from_n) /* The next one there is. */
        return bt_fail(err, BT_NOT_FOUND, "there is no such task run");
    *ret = finding.found;
    return BT_OK;
}

static bool has_group(const struct bt_group *group)
{
    return group->list != BT_NO_TASK || group->phase != BT_PHASE_MAIN;
}

static void write_group(const struct bt_group *group, struct bt_buf *out)
{
    (void)bt_buf_addf(out,
                      ",\"group\":{\"lanes\":%u,\"opened\":%u,\"open\":%u,\"failed\":%u,"
                      "\"warned\":%u,\"killed\":%u}",
                      group->lanes, group->next, group->open, group->failed, group->warned,
                      group->killed); /* Failures are sticky; the caller checks once. */
}

/* Branches for errors have lanes of their own: here they follow those of the main list. */
struct siblings {
    const struct bt_flow *flow;
    uint32_t parent, lanes; /* Main lanes of the group. */
};

static uint32_t lane_of(const struct siblings *siblings, const struct bt_taskrun *run)
{
    assert(run->task < siblings->flow->task_count);
    bool is_error = siblings->flow->tasks[run->task].branch == BT_BRANCH_ERRORS;
    return run->lane + (is_error ? siblings->lanes : 0);
}

/* A task run up to before its closing brace. */
struct writing {
    const struct bt_exec *exec;
    struct siblings siblings;
    const struct bt_id *parent;
    bool is_light;
    int64_t now_us;
    struct bt_buf *out;
};

static int write_run(void *data, const struct bt_taskrun *run, const char *task_id)
{
    struct writing *writing = data;
    struct bt_buf *out = writing->out;
    struct bt_run_shape shape = {.exec = writing->exec,
                                 .run = run,
                                 .task_id = task_id,
                                 .parent = writing->parent,
                                 .now_us = writing->now_us};
    (writing->is_light ? bt_shape_run_light : bt_shape_run)(&shape, out);
    if (out->failed)
        return out->failed;
    out->len--;
    (void)bt_buf_addf(out, ",\"n\":%u,\"lane\":%u", run->n, lane_of(&writing->siblings, run));
    if (has_group(&run->group))
        write_group(&run->group, out);
    return out->failed;
}

static int read_one(struct bt_service *service, const struct bt_exec *exec, uint32_t n,
                    struct bt_run_sink sink, struct bt_err *err)
{
    return service->store->ops->runs(service->store, &(struct bt_run_query){exec->key, n, 1}, &sink,
                                     err);
}

static int write_parent(void *data, const struct bt_taskrun *run, const char *task_id)
{
    struct writing *writing = data;
    struct bt_buf *out = writing->out;
    (void)bt_buf_addf(out, "{\"id\":\"%s\",\"n\":%u,\"lane\":%u,\"taskId\":", run->id.text, run->n,
                      lane_of(&writing->siblings, run)); /* As above. */
    (void)bt_json_write_str(bt_str_of(task_id), out);
    if (run->value) {
        (void)bt_buf_adds(out, ",\"value\":");
        (void)bt_json_write_str(bt_value_str(run->value), out);
    }
    write_group(&run->group, out);
    return bt_buf_addc(out, '}');
}

int bt_service_run_look(struct bt_service *service, const struct bt_principal *principal,
                        const struct bt_run_name *name, struct bt_buf *out, struct bt_err *err)
{
    enum { DEPTH_MAX = 64 }; /* More than a flow may nest. */
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    struct brief run = {0}, chain[DEPTH_MAX];
    size_t depth = 0;
    BT_TRY(bt_service_exec(service, principal, name->exec, &exec, err));
    BT_TRY(find(service, exec, name->run, &run, err));
    struct writing writing = {
        .exec = exec, .now_us = bt_clock_wall_us(bt_clock_system()), .out = out};
    for (uint32_t n = run.parent; n && depth < DEPTH_MAX; n = chain[depth++].parent) {
        struct finding finding = {0};
        int rc = read_one(service, exec, n, (struct bt_run_sink){find_one, &finding}, err);
        if (rc != BT_ABORTED)
            return rc < 0 ? rc : bt_fail(err, BT_NOT_FOUND, "there is no such task run");
        chain[depth] = finding.found;
    }
    BT_TRY(bt_service_flow_of(service, principal, exec, &flow, err));
    writing.siblings =
        (struct siblings){flow, run.parent, depth ? chain[0].lanes : exec->group.lanes};
    writing.parent = depth ? &chain[0].id : NULL;
    BT_TRY(read_one(service, exec, run.n, (struct bt_run_sink){write_run, &writing}, err));
    (void)bt_buf_adds(out, ",\"parents\":["); /* Checked below. */
    for (size_t i = depth; i-- > 0;) {
        writing.siblings.lanes = i + 1 < depth ? chain[i + 1].lanes : exec->group.lanes;
        BT_TRY(
            read_one(service, exec, chain[i].n, (struct bt_run_sink){write_parent, &writing}, err));
        (void)bt_buf_adds(out, i ? "," : "");
    }
    (void)bt_buf_adds(out, "]}");
    return bt_buf_check(out, "the task run", err);
}

/* --- Lanes ------------------------------------------------------------------------------------ */

struct child {
    uint32_t lane, n;
};

struct lane {
    enum bt_state state;
    bool has_begun; /* It has a task run. */
    int64_t from_us, to_us;
};

struct scan {
    struct siblings of;
    BT_VEC(struct lane) lanes; /* By number. */
    BT_VEC(struct child) children;
};

/* How much a state says of the lane that has it: what has not ended first, then the worst. */
static int weight(enum bt_state state)
{
    static const int weights[BT_STATE_COUNT] = {
        [BT_SKIPPED] = 1,  [BT_SUCCESS] = 2,   [BT_RETRIED] = 2, [BT_WARNING] = 3,
        [BT_FAILED] = 4,   [BT_CANCELLED] = 5, [BT_KILLED] = 5,  [BT_CREATED] = 6,
        [BT_QUEUED] = 6,   [BT_PAUSED] = 7,    [BT_RUNNING] = 8, [BT_RESTARTED] = 8,
        [BT_RETRYING] = 8, [BT_KILLING] = 9,
    };
    return weights[state];
}

static int scan_run(void *data, const struct bt_taskrun *run, const char *task_id)
{
    struct scan *scan = data;
    (void)task_id;
    if (run->parent != scan->of.parent)
        return BT_OK;
    uint32_t number = lane_of(&scan->of, run);
    while (scan->lanes.count <= number)
        bt_vec_push(&scan->lanes, ((struct lane){0}));
    bt_vec_push(&scan->children, ((struct child){number, run->n}));
    struct lane *lane = &scan->lanes.items[number];
    int64_t from_us = run->histories.count ? bt_histories_at(&run->histories, 0)->at_us : 0;
    int64_t to_us = bt_histories_duration_us(&run->histories, from_us) + from_us;
    if (!lane->has_begun || weight(run->state) > weight(lane->state))
        lane->state = run->state;
    if (!lane->has_begun || from_us < lane->from_us)
        lane->from_us = from_us;
    if (!lane->has_begun || to_us > lane->to_us)
        lane->to_us = to_us;
    lane->has_begun = true;
    return BT_OK;
}

/* The number of the last child, by the index alone. */
static int last_child(struct bt_service *service, const struct bt_exec *exec, uint32_t parent,
                      uint32_t *ret_n, struct bt_err *err)
{
    struct bt_child_query of = {.exec = exec->key, .parent = parent};
    struct finding finding = {0};
    const struct bt_run_sink sink = {find_one, &finding};
    int64_t total;
    BT_TRY(service->store->ops->children(service->store, &of, &sink, &total, err));
    *ret_n = 0;
    if (total == 0)
        return BT_OK;
    of.skip = (uint64_t)total - 1;
    of.limit = 1;
    int rc = service->store->ops->children(service->store, &of, &sink, &total, err);
    *ret_n = finding.found.n;
    return rc == BT_ABORTED ? BT_OK : rc;
}

static int compare_children(const void *a, const void *b)
{
    const struct child *one = a, *two = b;
    return one->lane != two->lane ? (one->lane > two->lane) - (one->lane < two->lane)
                                  : (one->n > two->n) - (one->n < two->n);
}

static void write_counts(const struct scan *scan, struct bt_buf *out)
{
    size_t counts[BT_STATE_COUNT] = {0};
    const char *comma = "";
    for (size_t i = 0; i < scan->lanes.count; i++)
        if (scan->lanes.items[i].has_begun)
            counts[scan->lanes.items[i].state]++;
    (void)bt_buf_adds(out, ",\"counts\":{"); /* Sticky, as all here. */
    for (int state = 0; state < BT_STATE_COUNT; state++) {
        if (counts[state] == 0)
            continue;
        (void)bt_buf_addf(out, "%s\"%s\":%zu", comma, bt_state_name((enum bt_state)state),
                          counts[state]);
        comma = ",";
    }
    (void)bt_buf_addc(out, '}');
}

/* Takes the iteration's value along. */
struct lane_writing {
    struct writing runs;
    bool has_value, has_runs;
};

static int write_lane_run(void *data, const struct bt_taskrun *run, const char *task_id)
{
    struct lane_writing *writing = data;
    struct bt_buf *out = writing->runs.out;
    if (!writing->has_runs) {
        if (run->value) {
            (void)bt_buf_adds(out, ",\"value\":");
            (void)bt_json_write_str(bt_value_str(run->value), out);
        }
        (void)bt_buf_adds(out, ",\"runs\":[");
    }
    (void)bt_buf_adds(out, writing->has_runs ? "," : "");
    writing->has_runs = true;
    BT_TRY(write_run(&writing->runs, run, task_id));
    return bt_buf_addc(out, '}');
}

static void write_state(const struct lane *lane, int64_t now_us, struct bt_buf *out)
{
    bool is_over = bt_state_is_ended(lane->state);
    (void)bt_buf_addf(out, ",\"state\":{\"current\":\"%s\",\"histories\":[],\"duration\":",
                      bt_state_name(lane->state));
    bt_shape_duration((is_over ? lane->to_us : now_us) - lane->from_us, out);
    (void)bt_buf_adds(out, ",\"startDate\":");
    bt_shape_date(lane->from_us, out);
    if (is_over) {
        (void)bt_buf_adds(out, ",\"endDate\":");
        bt_shape_date(lane->to_us, out);
    }
    (void)bt_buf_addc(out, '}');
}

/* The lane's task runs stand one behind the other from *at on. */
static int write_lane(struct bt_service *service, const struct scan *scan, size_t at,
                      struct writing writing, struct bt_err *err)
{
    struct bt_buf *out = writing.out;
    uint32_t number = scan->children.items[at].lane;
    struct lane_writing runs = {.runs = writing};
    (void)bt_buf_addf(out, "{\"lane\":%u", number);
    write_state(&scan->lanes.items[number], writing.now_us, out);
    for (; at < scan->children.count && scan->children.items[at].lane == number; at++)
        BT_TRY(read_one(service, writing.exec, scan->children.items[at].n,
                        (struct bt_run_sink){write_lane_run, &runs}, err));
    (void)bt_buf_adds(out, runs.has_runs ? "]}" : ",\"runs\":[]}"); /* Deleted meanwhile. */
    return bt_buf_check(out, "the lanes", err);
}

static int write_page(struct bt_service *service, const struct bt_lane_query *query,
                      struct scan *scan, const struct writing *writing, struct bt_err *err)
{
    uint64_t total = 0;
    struct bt_buf *out = writing->out;
    if (scan->children.count)
        qsort(scan->children.items, scan->children.count, sizeof *scan->children.items,
              compare_children);
    (void)bt_buf_adds(out, "{\"results\":[");
    for (size_t at = 0; at < scan->children.count;) {
        uint32_t number = scan->children.items[at].lane;
        bool is_wanted = !query->states || query->states & 1u << scan->lanes.items[number].state;
        if (is_wanted && total >= query->skip && total - query->skip < query->limit) {
            (void)bt_buf_adds(out, total > query->skip ? "," : "");
            BT_TRY(write_lane(service, scan, at, *writing, err));
        }
        total += is_wanted;
        while (at < scan->children.count && scan->children.items[at].lane == number)
            at++;
    }
    (void)bt_buf_addf(out, "],\"total\":%llu", (unsigned long long)total);
    write_counts(scan, out);
    (void)bt_buf_addc(out, '}');
    return bt_buf_check(out, "the lanes", err);
}

static int scan_and_write(struct bt_service *service, const struct bt_lane_query *query,
                          struct writing *writing, struct bt_err *err)
{
    const struct bt_exec *exec = writing->exec;
    uint32_t parent = writing->siblings.parent, last;
    struct scan scan = {.of = writing->siblings};
    BT_TRY(last_child(service, exec, parent, &last, err));
    int rc = BT_OK;
    if (last > parent)
        rc = service->store->ops->runs(service->store,
                                       &(struct bt_run_query){exec->key, parent + 1, last - parent},
                                       &(struct bt_run_sink){scan_run, &scan}, err);
    if (rc == BT_OK)
        rc = write_page(service, query, &scan, writing, err);
    bt_vec_done(&scan.lanes);
    bt_vec_done(&scan.children);
    return rc;
}

int bt_service_lanes(struct bt_service *service, const struct bt_principal *principal,
                     const struct bt_lane_query *query, struct bt_buf *out, struct bt_err *err)
{
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = NULL;
    BT_CLEANUP(bt_flow_unref_p) struct bt_flow *flow = NULL;
    BT_TRY(bt_service_exec(service, principal, query->of.exec, &exec, err));
    BT_TRY(bt_service_flow_of(service, principal, exec, &flow, err));
    struct brief parent = {.lanes = exec->group.lanes};
    if (query->of.run.len && !bt_str_is(query->of.run, "0"))
        BT_TRY(find(service, exec, query->of.run, &parent, err));
    struct writing writing = {.exec = exec,
                              .siblings = {flow, parent.n, parent.lanes},
                              .parent = parent.n ? &parent.id : NULL,
                              .is_light = true,
                              .now_us = bt_clock_wall_us(bt_clock_system()),
                              .out = out};
    return scan_and_write(service, query, &writing, err);
}

/* bench_remote.c — Jobs that do nothing through the hub: to a worker of this process, and to one
 * that is connected over loopback. The same executor and the same sink for both. */
#include "bench.h"

#include "worker/remote/remote_case.h"

#include <sys/resource.h>

enum { JOBS = 60000, SLOTS = 64 };

/* --- In one process: a queue --------------------------------------------------------------------
 */

struct local {
    struct fake fake;
    struct bt_member *member;
};

static void local_give(void *data, struct bt_job *job)
{
    struct local *local = data;
    fake_submit(&local->fake, job);
}

static void local_kill(void *data, uint64_t token)
{
    struct local *local = data;
    fake_kill(&local->fake, token);
}

static void local_logs(void *data, const struct bt_job *job, const struct bt_log_line *lines,
                       size_t count)
{
    struct local *local = data;
    (void)bt_hub_logs(local->member, job->token, lines, count); /* It holds the job. */
}

static void local_started(void *data, const struct bt_job *job, int64_t at_us)
{
    struct local *local = data;
    (void)bt_hub_started(local->member, job->token, at_us); /* As above. */
}

static void local_result(void *data, struct bt_job_result *result)
{
    struct local *local = data;
    (void)bt_hub_result(local->member, result); /* As above. */
}

/* --- The run ------------------------------------------------------------------------------------
 */

static double run(struct bt_hub *hub, struct counter *counter, struct bt_flow *flow)
{
    static uint64_t token;
    uint64_t want = counter->results + JOBS;
    double start = bench_now_s();
    for (int i = 0; i < JOBS; i++)
        bt_hub_submit(hub, case_job(flow, ++token));
    if (!counter_wait(counter, &counter->results, want))
        abort();
    return JOBS / (bench_now_s() - start);
}

static double in_process(struct bt_flow *flow)
{
    static const struct bt_member_ops ops = {local_give, local_kill, NULL};
    struct counter counter;
    struct local local = {0};
    counter_init(&counter);
    struct bt_hub *hub = counter_hub(&counter);
    fake_start(&local.fake, &(struct bt_worker_sink){&local, local_logs, local_started,
                                                     local_result, NULL, NULL});
    local.member = bt_hub_join(hub, &(struct bt_member_kind){"", "", SLOTS}, &ops, &local);
    bt_hub_away(local.member, false);
    double rate = run(hub, &counter, flow);
    fake_stop(&local.fake);
    bt_hub_leave(local.member);
    bt_member_free(local.member);
    bt_hub_free(hub);
    return rate;
}

static double over_loopback(struct bt_flow *flow)
{
    struct counter counter;
    struct fake fake = {0};
    struct bt_executor executor = fake_executor(&fake);
    counter_init(&counter);
    struct bt_hub *hub = counter_hub(&counter);
    struct bt_listener_config config = {.hub = hub, .address = "127.0.0.1:0", .token = "bench"};
    struct bt_listener *listener = NULL;
    struct bt_client *client = NULL;
    if (bt_listener_start(&config, &listener, NULL) < 0)
        abort();
    struct bt_client_config worker = {.address = bt_listener_address(listener),
                                      .token = "bench",
                                      .slots = SLOTS,
                                      .executor = &executor};
    if (bt_client_start(&worker, &client, NULL) < 0)
        abort();
    double rate = run(hub, &counter, flow);
    bt_client_stop(client, 1000);
    bt_listener_stop(listener);
    bt_hub_free(hub);
    return rate;
}

void bench_remote(void)
{
    struct bt_flow *flow = case_flow("");
    double local = in_process(flow);
    double remote = over_loopback(flow);
    bench_report(&(struct bench_row){.name = "remote worker over loopback, jobs that do nothing",
                                     .value = remote,
                                     .unit = "jobs/s",
                                     .limit = local,
                                     .limit_name = "in one process",
                                     .reach = 0.5,
                                     .enough = 10000,
                                     .is_ratio = true});
    bt_flow_unref(flow);
}

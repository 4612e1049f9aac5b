/* remote_server_case.h — A hub with a listener, and clients: for tests of the worker protocol. */
#pragma once
#include "worker/remote/remote_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { SLOTS = 8 };

static struct counter counter;
static struct bt_hub *hub;
static struct bt_listener *listener;
static struct bt_flow *flow;
static uint64_t next_token;
static _Atomic unsigned holds, drops, hold_ms;
static _Atomic bool is_hold_refused;

static inline int hold(void *data, unsigned ms, struct bt_err *err)
{
    (void)data;
    holds++;
    hold_ms = ms;
    return is_hold_refused ? bt_fail(err, BT_IO, "simulated") : BT_OK;
}

static inline void drop(void *data)
{
    (void)data;
    drops++;
}

static inline void start_listener(unsigned lost_ms)
{
    struct bt_listener_config config = {.hub = hub,
                                        .address = "127.0.0.1:0",
                                        .token = "secret secret secret",
                                        .heartbeat_ms = lost_ms / 5,
                                        .lost_ms = lost_ms,
                                        .hold_lease = hold,
                                        .drop_lease = drop};
    assert_int_equal(bt_listener_start(&config, &listener, NULL), BT_OK);
}

static inline int set_up(void **state)
{
    (void)state;
    counter_init(&counter);
    hub = counter_hub(&counter);
    flow = case_flow("");
    next_token = 1;
    holds = drops = hold_ms = 0;
    is_hold_refused = false;
    start_listener(2000);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    listener = bt_listener_stop(listener);
    hub = bt_hub_free(hub);
    bt_flow_unref(flow);
    return 0;
}

static inline struct bt_client *start_client(struct fake *fake, const struct bt_clock *clock)
{
    static struct bt_executor executor; /* Copied at the start. */
    executor = fake_executor(fake);
    struct bt_client_config config = {.address = bt_listener_address(listener),
                                      .token = "secret secret secret",
                                      .slots = SLOTS,
                                      .clock = clock,
                                      .executor = &executor};
    struct bt_client *client = NULL;
    assert_int_equal(bt_client_start(&config, &client, NULL), BT_OK);
    return client;
}

/* A client that has stopped is known as gone a little later; until then it may be given jobs. */
static inline void wait_until_gone(void)
{
    for (int ms = 0; ms < 20000 && bt_hub_counts(hub).members; ms++)
        (void)poll(NULL, 0, 1);
    assert_int_equal(bt_hub_counts(hub).members, 0);
}

static inline void *stop_slowly(void *client)
{
    bt_client_stop(client, 5000);
    return NULL;
}

static inline void submit(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        bt_hub_submit(hub, case_job(flow, next_token++));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

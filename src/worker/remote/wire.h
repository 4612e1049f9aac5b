/* wire.h — Jobs, results and log lines as messages of the worker protocol. Tokens travel as texts:
 * a number above 2^53 would not survive other programs' JSON. Constructors give NULL without
 * memory. */
#pragma once
#include "engine/job.h"

/* A job: names, token, task id, variables, timeout. Its flow travels before it, as a FLOW message.
 */
struct bt_value *bt_wire_job(const struct bt_job *job);
struct bt_value *bt_wire_flow(const struct bt_flow *flow);
/* Builds the job of a message over its flow (a reference is taken). */
int bt_wire_read_job(const struct bt_value *message, const struct bt_flow *flow,
                     struct bt_job **ret_job, struct bt_err *err);
int bt_wire_read_flow(const struct bt_value *message, struct bt_flow **ret_flow,
                      struct bt_err *err);

struct bt_value *bt_wire_result(const struct bt_job_result *result);
int bt_wire_read_result(const struct bt_value *message, struct bt_job_result *ret_result,
                        struct bt_err *err);
struct bt_wire_logs {
    uint64_t token;
    int64_t n;        /* Counts the messages of a worker, from 1. */
    int64_t shift_us; /* Added to the lines' times. */
};
struct bt_value *bt_wire_logs(const struct bt_wire_logs *head, const struct bt_log_line *lines,
                              size_t count);
/* Lines borrow the message. At most `cap`; the count is returned. */
size_t bt_wire_read_logs(const struct bt_value *message, struct bt_log_line *lines, size_t cap);

struct bt_value *bt_wire_token(uint64_t token);              /* As a text. */
uint64_t bt_wire_read_token(const struct bt_value *message); /* 0 when there is none. */

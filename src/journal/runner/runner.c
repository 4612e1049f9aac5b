/* runner.c — The inbox, the thread, and one turn. */
#include "journal/runner/runner_int.h"

#include <assert.h>
#include <errno.h>
#include <time.h>

enum { INBOX_BYTES_MAX = 64 << 20, WAIT_US_MAX = 1000000 };

/* --- Replies ---------------------------------------------------------------------------------- */

struct bt_reply {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_done;
    int rc;
    struct bt_err err;
    uint64_t number;
};

struct bt_reply *bt_reply_new(void)
{
    struct bt_reply *reply = calloc(1, sizeof *reply);
    if (!reply)
        return NULL;
    (void)pthread_mutex_init(&reply->lock, NULL); /* Cannot fail with default attributes. */
    (void)pthread_cond_init(&reply->changed, NULL);
    return reply;
}

struct bt_reply *bt_reply_free(struct bt_reply *reply)
{
    if (!reply)
        return NULL;
    (void)pthread_mutex_destroy(&reply->lock);
    (void)pthread_cond_destroy(&reply->changed);
    free(reply);
    return NULL;
}

void reply_done(struct bt_reply *reply, int rc, const struct bt_err *err, uint64_t number)
{
    if (!reply)
        return;
    (void)pthread_mutex_lock(&reply->lock);
    reply->rc = rc;
    if (err)
        reply->err = *err;
    reply->number = number;
    reply->is_done = true;
    (void)pthread_cond_broadcast(&reply->changed);
    (void)pthread_mutex_unlock(&reply->lock);
}

bool bt_reply_is_done(struct bt_reply *reply)
{
    (void)pthread_mutex_lock(&reply->lock);
    bool is_done = reply->is_done;
    (void)pthread_mutex_unlock(&reply->lock);
    return is_done;
}

int bt_reply_wait(struct bt_reply *reply, struct bt_err *err)
{
    (void)pthread_mutex_lock(&reply->lock);
    while (!reply->is_done)
        (void)pthread_cond_wait(&reply->changed, &reply->lock);
    int rc = reply->rc;
    if (rc < 0 && err)
        *err = reply->err;
    (void)pthread_mutex_unlock(&reply->lock);
    return rc;
}

uint64_t bt_reply_number(struct bt_reply *reply)
{
    return reply->number;
}

/* --- The inbox -------------------------------------------------------------------------------- */

void message_free(struct message *message)
{
    bt_event_done(&message->event);
    bt_exec_free(message->exec);
    bt_flow_unref(message->flow);
    free(message->tenant);
    free(message->namespace);
    bt_value_unref(message->request);
    bt_value_unref(message->replay.inputs);
    free(message->entries);
    free(message);
}

static struct message *message_new(enum message_kind kind)
{
    struct message *message = calloc(1, sizeof *message);
    if (!message)
        bt_die("out of memory");
    message->kind = kind;
    message->bytes = sizeof *message;
    return message;
}

static _Thread_local const struct bt_runner *own_runner; /* Of a runner's thread. */

/* Takes the message. Blocks while the inbox is full, unless nobody would empty it: there is no
 * thread, or this is it (a kill of a job that waits is answered at once). */
static void post(struct bt_runner *runner, struct message *message)
{
    (void)pthread_mutex_lock(&runner->lock);
    while (runner->has_thread && runner != own_runner && !runner->is_stopping &&
           runner->inbox_bytes > INBOX_BYTES_MAX)
        (void)pthread_cond_wait(&runner->not_full, &runner->lock);
    *runner->inbox_tail = message;
    runner->inbox_tail = &message->next;
    runner->inbox_bytes += message->bytes;
    (void)pthread_cond_signal(&runner->not_empty);
    (void)pthread_mutex_unlock(&runner->lock);
}

static struct message *take_inbox(struct bt_runner *runner)
{
    (void)pthread_mutex_lock(&runner->lock);
    struct message *messages = runner->inbox_head;
    runner->inbox_head = NULL;
    runner->inbox_tail = &runner->inbox_head;
    runner->inbox_bytes = 0;
    (void)pthread_cond_broadcast(&runner->not_full);
    (void)pthread_mutex_unlock(&runner->lock);
    return messages;
}

int bt_runner_put_flow(struct bt_runner *runner, const char *tenant, const struct bt_flow *flow,
                       enum bt_put put, struct bt_reply *reply)
{
    struct message *message = message_new(MESSAGE_FLOW);
    message->tenant = bt_str_dup(bt_str_of(tenant));
    message->flow = bt_flow_ref(flow);
    message->put = put;
    message->reply = reply;
    if (!message->tenant)
        bt_die("out of memory");
    post(runner, message);
    return BT_OK;
}

int bt_runner_create(struct bt_runner *runner, struct bt_exec *exec, struct bt_reply *reply)
{
    struct message *message = message_new(MESSAGE_CREATE);
    message->exec = exec;
    message->reply = reply;
    post(runner, message);
    return BT_OK;
}

int bt_runner_space(struct bt_runner *runner, const char *tenant, const char *namespace,
                    struct bt_value *request, struct bt_reply *reply)
{
    struct message *message = message_new(MESSAGE_SPACE);
    message->tenant = bt_str_dup(bt_str_of(tenant));
    message->namespace = bt_str_dup(bt_str_of(namespace));
    message->request = request;
    message->reply = reply;
    if (!message->tenant || !message->namespace)
        bt_die("out of memory");
    post(runner, message);
    return BT_OK;
}

int bt_runner_label(struct bt_runner *runner, uint64_t key, struct bt_value *labels,
                    struct bt_reply *reply)
{
    struct message *message = message_new(MESSAGE_LABEL);
    message->exec_key = key;
    message->request = labels;
    message->reply = reply;
    post(runner, message);
    return BT_OK;
}

static int post_about(struct bt_runner *runner, enum message_kind kind, uint64_t key,
                      struct bt_reply *reply)
{
    struct message *message = message_new(kind);
    message->exec_key = key;
    message->reply = reply;
    post(runner, message);
    return BT_OK;
}

int bt_runner_drop(struct bt_runner *runner, uint64_t key, struct bt_reply *reply)
{
    return post_about(runner, MESSAGE_DROP, key, reply);
}

int bt_runner_drop_logs(struct bt_runner *runner, uint64_t key, struct bt_reply *reply)
{
    return post_about(runner, MESSAGE_DROP_LOGS, key, reply);
}

int bt_runner_event(struct bt_runner *runner, uint64_t key, struct bt_event event,
                    struct bt_reply *reply)
{
    struct message *message = message_new(MESSAGE_EVENT);
    message->exec_key = key;
    message->event = event;
    message->bytes += bt_value_bytes(event.outputs);
    message->reply = reply;
    post(runner, message);
    return BT_OK;
}

int bt_runner_restart(struct bt_runner *runner, uint64_t key, struct bt_reply *reply)
{
    return bt_runner_event(runner, key, (struct bt_event){.kind = BT_EVENT_RESTART}, reply);
}

int bt_runner_replay(struct bt_runner *runner, const struct bt_replay *replay,
                     struct bt_reply *reply)
{
    struct message *message = message_new(MESSAGE_REPLAY);
    message->replay = *replay;
    message->reply = reply;
    post(runner, message);
    return BT_OK;
}

int bt_runner_change(struct bt_runner *runner, uint64_t key, uint32_t n, enum bt_state state,
                     struct bt_reply *reply)
{
    struct bt_event event = {
        .kind = n ? BT_EVENT_CHANGE : BT_EVENT_STATUS, .taskrun = n, .state = state};
    return bt_runner_event(runner, key, event, reply);
}

int bt_runner_kill(struct bt_runner *runner, uint64_t key, struct bt_reply *reply)
{
    struct message *message = message_new(MESSAGE_EVENT);
    message->exec_key = key;
    message->event.kind = BT_EVENT_KILL;
    message->reply = reply;
    post(runner, message);
    return BT_OK;
}

void bt_runner_started(void *data, const struct bt_job *job, int64_t at_us)
{
    struct message *message = message_new(MESSAGE_EVENT);
    message->exec_key = job->exec_key;
    message->event = (struct bt_event){
        .kind = BT_EVENT_STARTED, .taskrun = job->taskrun, .token = job->token, .at_us = at_us};
    post(data, message);
}

void bt_runner_lost(void *data, uint64_t exec_key, uint32_t taskrun, uint64_t token)
{
    struct message *message = message_new(MESSAGE_EVENT);
    message->exec_key = exec_key;
    message->event = (struct bt_event){.kind = BT_EVENT_LOST, .taskrun = taskrun, .token = token};
    post(data, message);
}

void bt_runner_result(void *data, struct bt_job_result *result)
{
    struct message *message = message_new(MESSAGE_EVENT);
    message->exec_key = result->exec_key;
    message->event = (struct bt_event){.kind = BT_EVENT_RESULT,
                                       .taskrun = result->taskrun,
                                       .token = result->token,
                                       .state = result->state,
                                       .at_us = result->started_us,
                                       .end_us = result->ended_us,
                                       .outputs = BT_TAKE(result->outputs),
                                       .metrics = BT_TAKE(result->metrics)};
    if (result->error)
        message->event.error = bt_value_cstr(result->error);
    message->bytes += bt_value_bytes(message->event.outputs);
    bt_job_result_done(result);
    post(data, message);
}

void bt_runner_logs(void *data, const struct bt_job *job, const struct bt_log_line *lines,
                    size_t count)
{
    size_t bytes = count * sizeof(struct bt_log_entry);
    for (size_t i = 0; i < count; i++)
        bytes += lines[i].text.len;
    struct message *message = message_new(MESSAGE_LOGS);
    message->exec_key = job->exec_key;
    message->entries = malloc(bytes ? bytes : 1);
    if (!message->entries)
        bt_die("out of memory");
    message->entry_count = count;
    message->bytes += bytes;
    char *text = (char *)(message->entries + count);
    for (size_t i = 0; i < count; i++) {
        message->entries[i] = (struct bt_log_entry){.time_us = lines[i].time_us,
                                                    .taskrun = job->taskrun,
                                                    .attempt = job->attempt,
                                                    .level = lines[i].level,
                                                    .text = {text, lines[i].text.len}};
        memcpy(text, lines[i].text.at, lines[i].text.len);
        text += lines[i].text.len;
    }
    post(data, message);
}

/* --- The runner ------------------------------------------------------------------------------- */

int bt_runner_new(const struct bt_runner_config *config, struct bt_runner **ret_runner,
                  struct bt_err *err)
{
    struct bt_runner *runner = calloc(1, sizeof *runner);
    if (runner)
        runner->flows = bt_flow_cache_new();
    if (!runner || !runner->flows) {
        free(runner);
        return bt_fail_mem(err, "runner");
    }
    runner->config = *config;
    runner->rng.state = config->seed;
    runner->inbox_tail = &runner->inbox_head;
    runner->next_due_us = 0;
    (void)pthread_mutex_init(&runner->lock, NULL); /* Cannot fail with default attributes. */
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&runner->not_empty, &attributes);
    (void)pthread_cond_init(&runner->not_full, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    bt_step_init(&runner->step);
    *ret_runner = runner;
    return BT_OK;
}

static void stop_thread(struct bt_runner *runner)
{
    (void)pthread_mutex_lock(&runner->lock);
    runner->is_stopping = true;
    (void)pthread_cond_broadcast(&runner->not_empty);
    (void)pthread_cond_broadcast(&runner->not_full);
    (void)pthread_mutex_unlock(&runner->lock);
    if (runner->has_thread)
        (void)pthread_join(runner->thread, NULL);
    runner->has_thread = false;
}

static void refuse_messages(struct message *message)
{
    struct bt_err err = BT_ERR_INIT;
    (void)bt_fail(&err, BT_ABORTED, "Baton is stopping");
    while (message) {
        struct message *next = message->next;
        reply_done(message->reply, BT_ABORTED, &err, 0);
        message_free(message);
        message = next;
    }
}

struct bt_runner *bt_runner_free(struct bt_runner *runner)
{
    if (!runner)
        return NULL;
    stop_thread(runner);
    refuse_messages(take_inbox(runner));
    refuse_messages(runner->taken);
    for (size_t i = 0; i < runner->actors.cap; i++)
        if (runner->actors.slots[i].value)
            actor_free(runner->actors.slots[i].value);
    bt_map64_done(&runner->actors);
    for (size_t i = 0; i < runner->jobs.cap; i++)
        free(runner->jobs.slots[i].value);
    bt_map64_done(&runner->jobs);
    bt_flow_cache_free(runner->flows);
    for (size_t i = 0; i < runner->submits.count; i++)
        bt_job_free(runner->submits.items[i]);
    slots_clear(runner);
    spaces_clear(runner);
    bt_map64_done(&runner->space_rows);
    bt_vec_done(&runner->ready);
    bt_vec_done(&runner->touched);
    bt_vec_done(&runner->put_flows);
    bt_vec_done(&runner->timers_set);
    bt_vec_done(&runner->timers_clear);
    bt_vec_done(&runner->jobs_set);
    bt_vec_done(&runner->jobs_clear);
    bt_vec_done(&runner->events_drop);
    bt_vec_done(&runner->submits);
    bt_vec_done(&runner->kill_execs);
    bt_vec_done(&runner->places_free);
    bt_vec_done(&runner->kill_tokens);
    bt_vec_done(&runner->entered);
    bt_step_done(&runner->step);
    (void)pthread_mutex_destroy(&runner->lock);
    (void)pthread_cond_destroy(&runner->not_empty);
    (void)pthread_cond_destroy(&runner->not_full);
    free(runner);
    return NULL;
}

void runner_tell(struct bt_runner *runner, const struct bt_err *err)
{
    if (runner->config.listener.trouble)
        runner->config.listener.trouble(runner->config.listener.data, err);
}

struct bt_runner_stats bt_runner_stats(struct bt_runner *runner)
{
    (void)pthread_mutex_lock(&runner->lock);
    struct bt_runner_stats stats = runner->stats;
    stats.inbox_bytes = runner->inbox_bytes;
    (void)pthread_mutex_unlock(&runner->lock);
    return stats;
}

static void read_clock(struct bt_runner *runner)
{
    int64_t now_us = bt_clock_wall_us(runner->config.clock);
    if (now_us > runner->now_us) /* Time never goes back within a partition. */
        runner->now_us = now_us;
}

int bt_runner_recover(struct bt_runner *runner, struct bt_err *err)
{
    struct bt_journal *journal = runner->config.journal;
    uint64_t last_now_us = 0;
    BT_TRY(journal->ops->last_now(journal, &last_now_us, err));
    runner->now_us = (int64_t)last_now_us;
    read_clock(runner);
    BT_TRY(journal->ops->last_key(journal, &runner->last_key, err));
    runner->is_recovering = true;
    int rc = runner_load(runner, err);
    runner->is_recovering = false;
    return rc;
}

bool bt_runner_turn(struct bt_runner *runner, int64_t *ret_wake_us)
{
    read_clock(runner);
    *ret_wake_us = runner->next_due_us;
    if (runner->failures && runner->now_us < runner->retry_us) {
        *ret_wake_us = runner->retry_us;
        return false;
    }
    struct bt_err err = BT_ERR_INIT;
    if (runner->needs_load && runner_reload(runner, &err) < 0) {
        runner_commit_failed(runner, &err);
        *ret_wake_us = runner->retry_us;
        return false;
    }
    struct message *message = take_inbox(runner);
    while (message) {
        struct message *next = message->next;
        turn_apply(runner, message);
        message = next;
    }
    turn_timers(runner);
    (void)turn_steps(runner);
    bool has_changes = runner_has_changes(runner);
    if (runner->read_err.code) {
        err = runner->read_err;
        runner_commit_failed(runner, &err);
    } else if (has_changes && runner_commit(runner, &err) < 0)
        runner_commit_failed(runner, &err);
    else
        runner->failures = 0;
    *ret_wake_us = runner->ready.count ? runner->now_us
                   : runner->failures  ? runner->retry_us
                                       : runner->next_due_us;
    return has_changes;
}

/* Waits for a message or until `wake_us`. False: the runner is to stop. */
static bool wait_for_work(struct bt_runner *runner, int64_t wake_us)
{
    int64_t wait_us = WAIT_US_MAX;
    if (wake_us != INT64_MAX && wake_us - bt_clock_wall_us(runner->config.clock) < wait_us)
        wait_us = wake_us - bt_clock_wall_us(runner->config.clock);
    int64_t until_us = bt_clock_mono_us(bt_clock_system()) + (wait_us > 0 ? wait_us : 0);
    struct timespec until = {until_us / 1000000, until_us % 1000000 * 1000};
    (void)pthread_mutex_lock(&runner->lock);
    int rc = 0;
    bool is_failing = runner->failures > 0; /* Messages wait for the next try. */
    while (!runner->is_stopping && (is_failing || !runner->inbox_head) && wait_us > 0 && rc == 0) {
        if (wake_us == INT64_MAX && !is_failing)
            rc = pthread_cond_wait(&runner->not_empty, &runner->lock);
        else
            rc = pthread_cond_timedwait(&runner->not_empty, &runner->lock, &until);
    }
    bool goes_on = !runner->is_stopping;
    (void)pthread_mutex_unlock(&runner->lock);
    return goes_on;
}

static void *thread_main(void *data)
{
    struct bt_runner *runner = data;
    int64_t wake_us;
    own_runner = runner;
    do
        (void)bt_runner_turn(runner, &wake_us);
    while (wait_for_work(runner, wake_us));
    return NULL;
}

int bt_runner_start(struct bt_runner *runner, struct bt_err *err)
{
    runner->has_thread = true;
    int rc = pthread_create(&runner->thread, NULL, thread_main, runner);
    if (rc != 0) {
        runner->has_thread = false;
        return bt_fail_errno(err, BT_IO, rc, "cannot start the runner's thread");
    }
    return BT_OK;
}

uint64_t bt_runner_transitions(const struct bt_runner *runner)
{
    return runner->step.transitions;
}

/* codec.c — Rows and events to JSON text and back. Short keys: a row is written at every commit. */
#include "engine/execution/codec.h"

#include "value/json.h"
#include "value/sealed.h"

#include <stdlib.h>

/* --- Writing ---------------------------------------------------------------------------------- */

static void put_key(struct bt_buf *out, const char *key)
{
    (void)bt_buf_addc(out, ','); /* Failures are sticky; the caller checks once. */
    (void)bt_buf_addc(out, '"');
    (void)bt_buf_adds(out, key);
    (void)bt_buf_adds(out, "\":");
}

static void put_int(struct bt_buf *out, const char *key, int64_t number)
{
    put_key(out, key);
    (void)bt_buf_add_i64(out, number);
}

static void put_some(struct bt_buf *out, const char *key, int64_t number)
{
    if (number != 0)
        put_int(out, key, number);
}

static void put_text(struct bt_buf *out, const char *key, struct bt_str text)
{
    put_key(out, key);
    (void)bt_json_write_str(text, out);
}

static void put_value(struct bt_buf *out, const char *key, const struct bt_value *value)
{
    if (!value)
        return;
    put_key(out, key);
    (void)bt_json_write(value, BT_JSON_COMPACT, out, NULL);
}

static void put_histories(struct bt_buf *out, const struct bt_histories *histories)
{
    put_key(out, "h");
    (void)bt_buf_addc(out, '[');
    for (uint32_t i = 0; i < histories->count; i++) {
        const struct bt_history *history = bt_histories_at(histories, i);
        (void)bt_buf_adds(out, i ? ",[" : "[");
        (void)bt_buf_add_i64(out, history->at_us);
        (void)bt_buf_adds(out, ",\"");
        (void)bt_buf_adds(out, bt_state_name(history->state));
        (void)bt_buf_adds(out, "\"]");
    }
    (void)bt_buf_addc(out, ']');
}

static void put_attempts(struct bt_buf *out, const struct bt_taskrun *run)
{
    if (run->attempt_count == 0)
        return;
    put_key(out, "a");
    (void)bt_buf_addc(out, '[');
    for (uint32_t i = 0; i < run->attempt_count; i++) {
        const struct bt_attempt *attempt = &run->attempts[i];
        (void)bt_buf_adds(out, i ? ",[" : "[");
        (void)bt_buf_add_i64(out, attempt->start_us);
        (void)bt_buf_addc(out, ',');
        (void)bt_buf_add_i64(out, attempt->end_us);
        (void)bt_buf_adds(out, ",\"");
        (void)bt_buf_adds(out, bt_state_name(attempt->state));
        (void)bt_buf_addc(out, '"');
        if (attempt->version[0]) {
            (void)bt_buf_addc(out, ',');
            (void)bt_json_write_str(bt_str_of(attempt->version), out);
        }
        (void)bt_buf_addc(out, ']');
    }
    (void)bt_buf_addc(out, ']');
}

/* The counters of a group as a list, in the order of struct bt_group. */
enum { GROUP_FIELDS = 12 };
static void put_group(struct bt_buf *out, const char *key, const struct bt_group *group)
{
    if (group->list == BT_NO_TASK && group->phase == BT_PHASE_MAIN && !group->is_open_queued &&
        group->next == 0)
        return;
    const int64_t fields[GROUP_FIELDS] = {
        group->phase,       group->list == BT_NO_TASK ? -1 : (int64_t)group->list,
        group->lanes,       group->next,
        group->open,        group->side_next,
        group->side_open,   group->failed,
        group->warned,      group->killed,
        group->side_failed, group->is_open_queued};
    put_key(out, key);
    for (size_t i = 0; i < GROUP_FIELDS; i++) {
        (void)bt_buf_addc(out, i ? ',' : '[');
        (void)bt_buf_add_i64(out, fields[i]);
    }
    (void)bt_buf_addc(out, ']');
}

static void begin_record(struct bt_buf *out)
{
    (void)bt_buf_adds(out, "{\"v\":");
    (void)bt_buf_add_i64(out, BT_RECORD_VERSION);
}

static void put_id(struct bt_buf *out, const char *key, const struct bt_id *id)
{
    if (id->text[0])
        put_text(out, key, bt_id_str(id));
}

static void put_super(struct bt_buf *out, const struct bt_super *super)
{
    if (!super->key)
        return;
    put_int(out, "sx", (int64_t)super->key);
    put_int(out, "sk", (int64_t)super->token);
    put_int(out, "sn", super->run);
    put_some(out, "sw", super->is_waiting);
}

int bt_exec_encode(const struct bt_exec *exec, struct bt_buf *out)
{
    begin_record(out);
    put_text(out, "id", bt_id_str(&exec->id));
    put_text(out, "t", bt_str_of(exec->tenant));
    put_text(out, "ns", bt_str_of(exec->namespace));
    put_text(out, "f", bt_str_of(exec->flow_id));
    put_int(out, "r", exec->revision);
    put_histories(out, &exec->histories);
    put_value(out, "lb", exec->labels);
    put_value(out, "in", exec->inputs);
    put_value(out, "va", exec->variables);
    put_value(out, "o", exec->outputs);
    put_value(out, "tr", exec->trigger);
    put_group(out, "g", &exec->group);
    put_group(out, "ga", &exec->after);
    put_some(out, "ps", exec->paused);
    put_some(out, "rt", exec->retrying);
    put_some(out, "hd", exec->is_held);
    put_int(out, "nn", exec->next_n);
    put_some(out, "es", exec->ends);
    put_some(out, "lv", exec->live);
    put_int(out, "an", exec->attempt_number);
    put_super(out, &exec->super);
    put_some(out, "dp", exec->depth);
    put_value(out, "ao", exec->asked);
    put_id(out, "pi", &exec->parent_id);
    put_id(out, "oi", &exec->original_id);
    put_some(out, "sd", exec->schedule_us);
    put_some(out, "sl", exec->slot);
    put_some(out, "fo", exec->is_forced);
    put_some(out, "cf", (int64_t)exec->copy_from);
    put_some(out, "cn", exec->copy_next);
    put_some(out, "rn", exec->replay_n);
    put_some(out, "rs", exec->is_restarting);
    put_value(out, "cu", exec->cuts);
    put_some(out, "k", exec->is_killing);
    put_some(out, "to", exec->is_failure);
    put_some(out, "cl", exec->is_cancel);
    put_some(out, "fi", exec->is_finishing);
    put_some(out, "dr", exec->is_drained);
    put_some(out, "ek", (int64_t)exec->eval_token);
    (void)bt_buf_addc(out, '}');
    return out->failed;
}

int bt_taskrun_encode(const struct bt_taskrun *run, struct bt_buf *out)
{
    begin_record(out);
    put_int(out, "n", run->n);
    put_some(out, "p", run->parent);
    put_int(out, "t", run->task);
    put_some(out, "l", run->lane);
    put_text(out, "id", bt_id_str(&run->id));
    if (run->value)
        put_text(out, "val", bt_value_str(run->value));
    put_histories(out, &run->histories);
    put_attempts(out, run);
    put_some(out, "k", (int64_t)run->token);
    put_some(out, "ev", run->is_evaluating);
    put_some(out, "to", run->timeout_us);
    if (run->is_spilled) {
        put_some(out, "so", 1);
        put_some(out, "se", run->is_sealed);
    } else {
        put_value(out, "o", run->outputs);
    }
    put_value(out, "m", run->metrics);
    put_some(out, "e", run->end_n);
    put_group(out, "g", &run->group);
    put_some(out, "it", run->iteration);
    put_some(out, "pl", (int64_t)run->place);
    put_some(out, "sg", run->stage);
    put_some(out, "ov", run->is_over);
    put_some(out, "sw", run->waits);
    put_some(out, "st", run->transmits);
    put_value(out, "mk", run->marks);
    put_value(out, "cu", run->cuts);
    (void)bt_buf_addc(out, '}');
    return out->failed;
}

int bt_event_encode(const struct bt_event *event, struct bt_buf *out)
{
    begin_record(out);
    put_int(out, "e", event->kind);
    put_some(out, "n", event->taskrun);
    put_some(out, "c", event->child);
    put_some(out, "k", (int64_t)event->token);
    put_some(out, "tm", event->timer);
    put_some(out, "at", event->at_us);
    put_some(out, "end", event->end_us);
    put_text(out, "s", bt_str_of(bt_state_name(event->state)));
    put_value(out, "o", event->outputs);
    put_value(out, "m", event->metrics);
    put_value(out, "er", event->error);
    (void)bt_buf_addc(out, '}');
    return out->failed;
}

/* --- Reading ---------------------------------------------------------------------------------- */

static int64_t get_int(const struct bt_value *record, const char *key)
{
    return bt_value_as_int(bt_map_gets(record, key));
}

static uint32_t get_u32(const struct bt_value *record, const char *key)
{
    return (uint32_t)get_int(record, key);
}

static struct bt_value *get_value(const struct bt_value *record, const char *key)
{
    return bt_value_ref(bt_map_gets(record, key));
}

static int get_text(const struct bt_value *record, const char *key, char *at, size_t size)
{
    struct bt_str text = bt_map_str(record, key);
    if (text.len >= size)
        return BT_CORRUPT;
    memcpy(at, text.at ? text.at : "", text.len);
    at[text.len] = '\0';
    return BT_OK;
}

static int get_histories(const struct bt_value *record, struct bt_histories *histories,
                         enum bt_state *ret_state)
{
    const struct bt_value *list = bt_map_gets(record, "h");
    for (size_t i = 0; i < bt_value_count(list); i++) {
        const struct bt_value *pair = bt_list_at(list, i);
        if (!bt_state_parse(bt_value_str(bt_list_at(pair, 1)), ret_state))
            return BT_CORRUPT;
        BT_TRY(bt_histories_add(histories, bt_value_as_int(bt_list_at(pair, 0)), *ret_state));
    }
    return bt_value_count(list) ? BT_OK : BT_CORRUPT;
}

static int get_attempts(const struct bt_value *record, struct bt_taskrun *run)
{
    const struct bt_value *list = bt_map_gets(record, "a");
    for (size_t i = 0; i < bt_value_count(list); i++) {
        const struct bt_value *item = bt_list_at(list, i);
        BT_TRY(bt_taskrun_attempt_add(run, bt_value_as_int(bt_list_at(item, 0))));
        struct bt_attempt *attempt = bt_taskrun_attempt(run);
        attempt->end_us = bt_value_as_int(bt_list_at(item, 1));
        (void)snprintf(attempt->version, sizeof attempt->version, "%.*s",
                       BT_FMT(bt_value_str(bt_list_at(item, 3)))); /* Written from one as long. */
        if (!bt_state_parse(bt_value_str(bt_list_at(item, 2)), &attempt->state))
            return BT_CORRUPT;
    }
    return BT_OK;
}

static int get_group(const struct bt_value *record, const char *key, struct bt_group *group)
{
    const struct bt_value *list = bt_map_gets(record, key);
    int64_t fields[GROUP_FIELDS] = {0, -1};
    for (size_t i = 0; i < GROUP_FIELDS && i < bt_value_count(list); i++)
        fields[i] = bt_value_as_int(bt_list_at(list, i));
    if (fields[0] < 0 || fields[0] > BT_PHASE_FINALLY)
        return BT_CORRUPT;
    *group = (struct bt_group){
        .phase = (enum bt_phase)fields[0],
        .list = fields[1] < 0 ? BT_NO_TASK : (uint32_t)fields[1],
        .lanes = (uint32_t)fields[2],
        .next = (uint32_t)fields[3],
        .open = (uint32_t)fields[4],
        .side_next = (uint32_t)fields[5],
        .side_open = (uint32_t)fields[6],
        .failed = (uint32_t)fields[7],
        .warned = (uint32_t)fields[8],
        .killed = (uint32_t)fields[9],
        .side_failed = fields[10] != 0,
        .is_open_queued = fields[11] != 0,
    };
    return BT_OK;
}

/* Parses and checks the version. */
static int open_record(struct bt_str text, struct bt_value **ret_record, struct bt_err *err)
{
    BT_VALUE record = NULL;
    int rc = bt_json_parse(text, NULL, &record, err);
    if (rc < 0)
        return bt_fail(err, BT_CORRUPT, "a stored record is not readable");
    int64_t version = get_int(record, "v");
    if (version < 1 || version > BT_RECORD_VERSION)
        return bt_fail(err, BT_CORRUPT,
                       "a stored record has version %lld; this program knows up to %d",
                       (long long)version, BT_RECORD_VERSION);
    *ret_record = BT_TAKE(record);
    return BT_OK;
}

static int corrupt(struct bt_err *err, const char *what)
{
    return bt_fail(err, BT_CORRUPT, "a stored %s is not readable", what);
}

int bt_exec_decode(struct bt_str text, struct bt_exec **ret_exec, struct bt_err *err)
{
    BT_VALUE record = NULL;
    BT_TRY(open_record(text, &record, err));
    BT_CLEANUP(bt_exec_free_p) struct bt_exec *exec = bt_exec_new();
    if (!exec)
        return bt_fail_mem(err, "execution");
    if (get_text(record, "id", exec->id.text, sizeof exec->id.text) < 0 ||
        get_text(record, "t", exec->tenant, sizeof exec->tenant) < 0 ||
        get_text(record, "ns", exec->namespace, sizeof exec->namespace) < 0 ||
        get_text(record, "f", exec->flow_id, sizeof exec->flow_id) < 0 ||
        get_histories(record, &exec->histories, &exec->state) < 0 ||
        get_group(record, "g", &exec->group) < 0 || get_group(record, "ga", &exec->after) < 0 ||
        get_text(record, "pi", exec->parent_id.text, sizeof exec->parent_id.text) < 0 ||
        get_text(record, "oi", exec->original_id.text, sizeof exec->original_id.text) < 0)
        return corrupt(err, "execution");
    exec->revision = get_u32(record, "r");
    exec->labels = get_value(record, "lb");
    exec->inputs = get_value(record, "in");
    exec->variables = get_value(record, "va");
    exec->outputs = get_value(record, "o");
    exec->trigger = get_value(record, "tr");
    exec->paused = get_u32(record, "ps");
    exec->retrying = get_u32(record, "rt");
    exec->is_held = get_int(record, "hd") != 0;
    exec->next_n = get_u32(record, "nn");
    exec->ends = get_u32(record, "es");
    exec->live = get_u32(record, "lv");
    exec->attempt_number = get_u32(record, "an");
    exec->super = (struct bt_super){.key = (uint64_t)get_int(record, "sx"),
                                    .token = (uint64_t)get_int(record, "sk"),
                                    .run = get_u32(record, "sn"),
                                    .is_waiting = get_int(record, "sw") != 0};
    exec->depth = get_u32(record, "dp");
    exec->asked = get_value(record, "ao");
    exec->schedule_us = get_int(record, "sd");
    exec->is_forced = get_int(record, "fo") != 0;
    exec->copy_from = (uint64_t)get_int(record, "cf");
    exec->copy_next = get_u32(record, "cn");
    exec->replay_n = get_u32(record, "rn");
    exec->is_restarting = get_int(record, "rs") != 0;
    exec->cuts = get_value(record, "cu");
    exec->slot = (enum bt_slot)get_u32(record, "sl");
    exec->is_killing = get_int(record, "k") != 0;
    exec->is_failure = get_int(record, "to") != 0;
    exec->is_cancel = get_int(record, "cl") != 0;
    exec->is_finishing = get_int(record, "fi") != 0;
    exec->is_drained = get_int(record, "dr") != 0;
    exec->eval_token = (uint64_t)get_int(record, "ek");
    exec->is_sealed = bt_sealed_has(exec->inputs) || bt_sealed_has(exec->variables) ||
                      bt_sealed_has(exec->trigger);
    *ret_exec = BT_TAKE(exec);
    return BT_OK;
}

int bt_taskrun_decode(struct bt_str text, struct bt_taskrun **ret_run, struct bt_err *err)
{
    BT_VALUE record = NULL;
    BT_TRY(open_record(text, &record, err));
    BT_CLEANUP(bt_taskrun_free_p) struct bt_taskrun *run = bt_taskrun_new();
    if (!run)
        return bt_fail_mem(err, "task run");
    if (get_text(record, "id", run->id.text, sizeof run->id.text) < 0 ||
        get_histories(record, &run->histories, &run->state) < 0 || get_attempts(record, run) < 0 ||
        get_group(record, "g", &run->group) < 0)
        return corrupt(err, "task run");
    run->told = run->histories.count;
    run->n = get_u32(record, "n");
    run->parent = get_u32(record, "p");
    run->task = get_u32(record, "t");
    run->lane = get_u32(record, "l");
    run->value = get_value(record, "val");
    run->iteration = get_u32(record, "it");
    run->place = (uint64_t)get_int(record, "pl");
    run->stage = (enum bt_stage)get_u32(record, "sg");
    run->is_over = get_int(record, "ov") != 0;
    run->waits = get_int(record, "sw") != 0;
    run->transmits = get_int(record, "st") != 0;
    run->marks = get_value(record, "mk");
    run->cuts = get_value(record, "cu");
    run->token = (uint64_t)get_int(record, "k");
    run->is_evaluating = get_int(record, "ev") != 0;
    run->timeout_us = get_int(record, "to");
    run->outputs = get_value(record, "o");
    run->metrics = get_value(record, "m");
    run->end_n = get_u32(record, "e");
    run->is_spilled = get_int(record, "so") != 0;
    run->is_sealed = get_int(record, "se") != 0 || bt_sealed_has(run->outputs);
    *ret_run = BT_TAKE(run);
    return BT_OK;
}

int bt_event_decode(struct bt_str text, struct bt_event *ret_event, struct bt_err *err)
{
    BT_VALUE record = NULL;
    BT_TRY(open_record(text, &record, err));
    struct bt_event event = {0};
    int64_t kind = get_int(record, "e"), timer = get_int(record, "tm");
    if (kind < 0 || kind >= BT_EVENT_KIND_COUNT || timer < 0 || timer >= BT_TIMER_KIND_COUNT ||
        !bt_state_parse(bt_map_str(record, "s"), &event.state))
        return corrupt(err, "event");
    event.kind = (enum bt_event_kind)kind;
    event.timer = (enum bt_timer_kind)timer;
    event.taskrun = get_u32(record, "n");
    event.child = get_u32(record, "c");
    event.token = (uint64_t)get_int(record, "k");
    event.at_us = get_int(record, "at");
    event.end_us = get_int(record, "end");
    event.outputs = get_value(record, "o");
    event.metrics = get_value(record, "m");
    event.error = get_value(record, "er");
    *ret_event = event;
    return BT_OK;
}

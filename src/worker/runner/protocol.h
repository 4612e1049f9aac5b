/* protocol.h — The lines "::{"outputs":{…},"metrics":[…],"logs":[…]}::" that a command prints. */
#pragma once
#include "base/level.h"
#include "value/value.h"

struct bt_capture {
    struct bt_value *vars;    /* Owned map, or NULL while empty. */
    struct bt_value *metrics; /* Owned list, or NULL while empty. */
    size_t bytes;             /* Text taken in. */
    bool is_cut;              /* More than BT_METRICS_MAX metrics came; it was told. */
    bool is_too_large;        /* Past BT_OUTPUT_BYTES_MAX, or out of memory; no more is taken in. */
    /* Gets each entry of "logs" (borrowed). */
    void (*log)(void *data, enum bt_level level, struct bt_str message);
    void *data;
};

void bt_capture_done(struct bt_capture *capture);
/* Takes one output in; a later one of the same name replaces it. `value` may be NULL (null). */
void bt_capture_output(struct bt_capture *capture, struct bt_str name,
                       const struct bt_value *value);
/* Takes one metric in, a map {name, value, tags} with its type under `type_key`. False: it is none.
 */
bool bt_capture_metric(struct bt_capture *capture, const struct bt_value *metric,
                       const char *type_key);
/* Takes a line in. False: it is not of the protocol. A line that begins so but holds no valid JSON
 * is told as a WARN entry. */
bool bt_capture_line(struct bt_capture *capture, struct bt_str line);

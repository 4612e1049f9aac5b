/* rollups.h — The counters that the commit keeps, and what they mean.
 *
 * Rows of `rollups` (kind, period, flow, state): how many executions (or task runs) that started in
 * the period are in the state, and of ended ones the sum, least and greatest duration. Counts and
 * sums are exact; least and greatest are bounds: they stay when a row goes elsewhere.
 *
 * Rows of `metrics` (flow, task, name, hour): the values of a metric in task runs of the task that
 * ended in the hour. A value counts as the two whole numbers of struct bt_metric_parts, so that
 * sums do not depend on the order and what was added can be taken out again; least and greatest are
 * bounds as above.
 *
 * Rows of `log_lines` (flow, hour): lines of the hour by level; flow 0 is the sum over all. The row
 * of each chunk says what it added (lines.h). */
#pragma once
#include <stdint.h>

enum bt_roll_kind {
    BT_ROLL_ALL,     /* Executions; period 0. */
    BT_ROLL_HOUR,    /* Executions by hour of start, since 1970. */
    BT_ROLL_DAY,     /* By day (UTC) of start. */
    BT_ROLL_RUN_DAY, /* Task runs by day of start. */
};
enum { BT_ROLL_ALL_FLOWS = 0 }; /* Stands for the sum over all flows of all tenants. */
#define BT_HOUR_US INT64_C(3600000000)
#define BT_DAY_US INT64_C(86400000000)

/* A value of a metric as it is counted: to the nearest 1e-9, within ±2^53. */
struct bt_metric_parts {
    double value; /* What is compared. */
    int64_t whole, nanos;
};
struct bt_metric_parts bt_metric_parts(double value);

/* Selects what is wrong with the counters: a row of kind, period, flow, state for each whose count
 * or sum differs from a recount; of metrics 'metric', hour, flow, task and name, also when least or
 * greatest is no bound; of log lines 'lines', hour, flow and the level. For tests: it reads
 * everything. */
extern const char bt_sql_recount[];

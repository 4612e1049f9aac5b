/* recount.c — What the counters must say, counted anew. Keep in step with the schema's migration.
 */
#include "store/sqlite/rollups.h"

#define VALUE_MAX 9007199254740992.0 /* 2^53: a double has each whole number up to there. */
#define NANOS 1e9

struct bt_metric_parts bt_metric_parts(double value)
{
    struct bt_metric_parts parts = {.value = value == value ? value : 0}; /* NaN is 0. */
    if (parts.value > VALUE_MAX)
        parts.value = VALUE_MAX;
    if (parts.value < -VALUE_MAX)
        parts.value = -VALUE_MAX;
    parts.whole = (int64_t)parts.value;
    double rest = (parts.value - (double)parts.whole) * NANOS;
    parts.nanos = (int64_t)(rest + (parts.value < 0 ? -0.5 : 0.5));
    return parts;
}

#define ENDED "('SUCCESS','WARNING','FAILED','KILLED','CANCELLED','RETRIED','SKIPPED')"
#define COUNTS "state,count(*) count,ifnull(sum(duration_us),0) sum_us"

/* Values of metrics, as bt_metric_parts() has them. */
#define VALUES                                                                                     \
    "found AS (SELECT e.flow,r.task_id task,json_extract(m.value,'$.name') name,"                  \
    " json_extract(r.record,'$.h[#-1][0]')/3600000000 hour,"                                       \
    " max(-9007199254740992,min(9007199254740992,json_extract(m.value,'$.value'))) v"              \
    " FROM task_runs r JOIN executions e ON e.key=r.exec,json_each(r.record,'$.m') m"              \
    " WHERE r.state IN " ENDED "),"                                                                \
    " metric AS (SELECT flow,task,name,hour,count(*) count,sum(CAST(v AS INTEGER)) whole,"         \
    " sum(CAST((v-CAST(v AS INTEGER))*1e9+CASE WHEN v<0 THEN -0.5 ELSE 0.5 END AS INTEGER)) "      \
    "nanos,"                                                                                       \
    " min(v) least,max(v) greatest FROM found GROUP BY flow,task,name,hour)"
#define WRONG_METRICS                                                                              \
    "SELECT 'metric',hour,flow,task||' '||name FROM (SELECT *,NULL low,NULL high FROM metric"      \
    " UNION ALL SELECT flow,task,name,hour,-count,-whole,-nanos,NULL,NULL,least,greatest"          \
    " FROM metrics) GROUP BY flow,task,name,hour HAVING sum(count)<>0 OR sum(whole)<>0"            \
    " OR sum(nanos)<>0 OR max(low)>max(least) OR max(high)<max(greatest)"

/* Log lines; and whether a chunk's counts are of all its lines. */
#define LINES                                                                                      \
    "lines AS (SELECT e.flow,json_extract(h.value,'$[0]') hour,l.key-1 level,l.value count"        \
    " FROM log_chunks c JOIN executions e ON e.key=c.exec,json_each(c.counts) h,"                  \
    "json_each(h.value) l WHERE l.key>0)"
#define WRONG_LINES                                                                                \
    "SELECT 'lines',hour,flow,level FROM (SELECT flow,hour,level,count FROM lines UNION ALL"       \
    " SELECT 0,hour,level,count FROM lines UNION ALL SELECT flow,hour,l.key,-l.value"              \
    " FROM log_lines,json_each(json_array(trace,debug,info,warn,error)) l)"                        \
    " GROUP BY flow,hour,level HAVING sum(count)<>0"                                               \
    " UNION ALL SELECT 'chunk',first_line,exec,'lines' FROM log_chunks c WHERE lines<>(SELECT"     \
    " sum(l.value) FROM json_each(c.counts) h,json_each(h.value) l WHERE l.key>0)"

const char bt_sql_recount[] =
    "WITH runs AS (SELECT e.flow,r.state,json_extract(r.record,'$.h[0][0]') start_us,"
    " CASE WHEN r.state IN " ENDED " THEN max(0,json_extract(r.record,'$.h[#-1][0]')-"
    "json_extract(r.record,'$.h[0][0]')) END duration_us"
    " FROM task_runs r JOIN executions e ON e.key=r.exec)," VALUES "," LINES ","
    " flowed AS (SELECT 0 kind,0 period,flow," COUNTS " FROM executions GROUP BY flow,state"
    " UNION ALL SELECT 1,start_us/3600000000 h,flow," COUNTS
    " FROM executions GROUP BY h,flow,state"
    " UNION ALL SELECT 2,start_us/86400000000 d,flow," COUNTS
    " FROM executions GROUP BY d,flow,state"
    " UNION ALL SELECT 3,start_us/86400000000 d,flow," COUNTS " FROM runs GROUP BY d,flow,state),"
    " want AS (SELECT * FROM flowed UNION ALL"
    " SELECT kind,period,0,state,sum(count),sum(sum_us) FROM flowed GROUP BY kind,period,state)"
    " SELECT kind,period,flow,state FROM (SELECT * FROM want UNION ALL"
    " SELECT kind,period,flow,state,-count,-sum_us FROM rollups)"
    " GROUP BY kind,period,flow,state HAVING sum(count)<>0 OR sum(sum_us)<>0"
    " UNION ALL " WRONG_METRICS " UNION ALL " WRONG_LINES;

/* recount.c — What the counters must say, counted anew. Keep in step with the schema's migration.
 */
#include "store/sqlite/rollups.h"

#define ENDED "('SUCCESS','WARNING','FAILED','KILLED','CANCELLED','RETRIED','SKIPPED')"
#define COUNTS "state,count(*) count,ifnull(sum(duration_us),0) sum_us"

const char bt_sql_recount[] =
    "WITH runs AS (SELECT e.flow,r.state,json_extract(r.record,'$.h[0][0]') start_us,"
    " CASE WHEN r.state IN " ENDED " THEN max(0,json_extract(r.record,'$.h[#-1][0]')-"
    "json_extract(r.record,'$.h[0][0]')) END duration_us"
    " FROM task_runs r JOIN executions e ON e.key=r.exec),"
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
    " GROUP BY kind,period,flow,state HAVING sum(count)<>0 OR sum(sum_us)<>0";

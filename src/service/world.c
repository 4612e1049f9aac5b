/* world.c — The server's answers to what jobs ask. One connection of its own, under a mutex. */
#include "service/world.h"

#include "base/iso.h"
#include "base/limits.h"
#include "store/sqlite/kv.h"

#include <pthread.h>
#include <stdlib.h>

static const char sql_exec[] =
    "SELECT key,namespace,flow_id FROM executions WHERE tenant=?1 AND id=?2";
static const char sql_chunks[] =
    "SELECT first_line,lines,levels,from_us,to_us,segment,offset,length FROM log_chunks"
    " WHERE exec=?1 AND levels&?2 AND first_line>=?3 ORDER BY first_line";
static const char sql_run[] =
    "SELECT task_id,json_extract(record,'$.id') FROM task_runs WHERE exec=?1 AND n=?2";

enum { PAGE_BYTES = 1 << 20 };

struct bt_server_world {
    pthread_mutex_t lock;
    struct bt_db db;
    struct bt_logs *logs;
    const struct bt_vault *vault;
};

static int ask_secret(struct bt_server_world *world, const struct bt_question *question,
                      struct bt_value **ret_value, struct bt_err *err)
{
    (void)world;

    return bt_env_secret(bt_map_str(question->args, "key"), ret_value, err);
}

/* --- Key-values ------------------------------------------------------------------------------- */

static int ask_kv(struct bt_server_world *world, const struct bt_question *question,
                  struct bt_value **ret_value, struct bt_err *err)
{
    struct bt_str key = bt_map_str(question->args, "key"),
                  other = bt_map_str(question->args, "namespace");
    BT_CLEANUP(bt_buf_done) struct bt_buf name = BT_BUF_INIT(BT_NAMESPACE_BYTES_MAX + 1);
    BT_CLEANUP(bt_kv_free_p) struct bt_kv *kv = NULL;
    (void)bt_buf_add(&name, other.len ? other : bt_str_of(question->namespace)); /* Checked next. */
    const char *namespace = bt_buf_cstr(&name);
    if (!namespace)
        return bt_fail(err, BT_INVALID, "the name of the namespace is too long");
    int rc =
        bt_kv_read(&world->db, (struct bt_kv_place){question->tenant, namespace}, key, &kv, err);
    if (rc == BT_NOT_FOUND && bt_value_as_bool(bt_map_gets(question->args, "errorOnMissing")))
        return bt_fail(err, BT_NOT_FOUND, "The key '%.*s' does not exist in the namespace '%s'.",
                       BT_FMT(key), namespace);
    if (rc < 0 && rc != BT_NOT_FOUND)
        return rc;
    if (kv && bt_kv_is_expired(kv, bt_clock_wall_us(bt_clock_system())))
        return bt_fail(err, BT_INVALID, "The requested value has expired");
    *ret_value = kv ? bt_kv_value(kv->type, kv->value) : bt_value_null();
    return *ret_value ? BT_OK : bt_fail_mem(err, "key-value");
}

/* --- Logs ------------------------------------------------------------------------------- */

struct log_ctx {
    struct bt_server_world *world;
    const struct bt_question *question;
    struct bt_str exec_id;
    uint64_t exec;
    char *namespace, *flow_id; /* Owned. */
    uint32_t taskrun;          /* Of which the next two are; both owned. */
    struct bt_value *task_id, *run_id;
    enum bt_level least;
    struct bt_value *list; /* Owned. */
    size_t bytes, bytes_max, count_max;
    uint64_t next; /* The line that is read first; then the first one that was not read. */
    bool is_all;   /* There are no more. */
    bool is_paged; /* It ends behind the chunk in which the page is full. */
    struct bt_err *err;
};

static int find_exec(struct log_ctx *ctx)
{
    sqlite3_stmt *statement;
    struct bt_db *db = &ctx->world->db;
    bool is_row;
    BT_TRY(bt_db_prepare(db, sql_exec, &statement, ctx->err));
    bt_db_bind(statement, 1, bt_str_of(ctx->question->tenant));
    bt_db_bind(statement, 2, ctx->exec_id);
    BT_TRY(bt_db_step(db, statement, &is_row, ctx->err));
    if (!is_row)
        return bt_fail(ctx->err, BT_NOT_FOUND, "the execution does not exist");
    ctx->exec = (uint64_t)sqlite3_column_int64(statement, 0);
    ctx->namespace = bt_str_dup(bt_db_text(statement, 1));
    ctx->flow_id = bt_str_dup(bt_db_text(statement, 2));
    (void)sqlite3_reset(statement); /* Cannot fail after a row. */
    return ctx->namespace && ctx->flow_id ? BT_OK : bt_fail_mem(ctx->err, "logs");
}

/* Who wrote the line: lines of one task run stand together. */
static int find_run(struct log_ctx *ctx, uint32_t taskrun)
{
    sqlite3_stmt *statement;
    struct bt_db *db = &ctx->world->db;
    bool is_row;
    if (ctx->task_id && ctx->taskrun == taskrun)
        return BT_OK;
    BT_TRY(bt_db_prepare(db, sql_run, &statement, ctx->err));
    (void)sqlite3_bind_int64(statement, 1, (int64_t)ctx->exec);
    (void)sqlite3_bind_int64(statement, 2, taskrun);
    BT_TRY(bt_db_step(db, statement, &is_row, ctx->err));
    bt_value_unref(ctx->task_id);
    bt_value_unref(ctx->run_id);
    ctx->taskrun = taskrun;
    ctx->task_id = is_row ? bt_value_string(bt_db_text(statement, 0)) : bt_value_null();
    ctx->run_id = is_row ? bt_value_string(bt_db_text(statement, 1)) : bt_value_null();
    (void)sqlite3_reset(statement); /* As above. */
    return ctx->task_id && ctx->run_id ? BT_OK : bt_fail_mem(ctx->err, "logs");
}

static void ctx_done(struct log_ctx *ctx)
{
    free(ctx->namespace);
    free(ctx->flow_id);
    bt_value_unref(ctx->task_id);
    bt_value_unref(ctx->run_id);
    bt_value_unref(ctx->list);
}

static int add_entry(void *data, const struct bt_log_entry *entry)
{
    struct log_ctx *ctx = data;
    char time[BT_ISO_SIZE];
    if (entry->level < ctx->least || bt_value_count(ctx->list) >= ctx->count_max ||
        ctx->bytes > ctx->bytes_max)
        return BT_OK;
    ctx->bytes += entry->text.len;
    BT_TRY(find_run(ctx, entry->taskrun));
    BT_VALUE map = bt_map_new(9);
    int rc = bt_map_puts(map, "taskId", bt_value_ref(ctx->task_id));
    rc |= bt_map_puts(map, "taskRunId", bt_value_ref(ctx->run_id));
    rc |= bt_map_puts(map, "message", bt_value_string(entry->text));
    rc |= bt_map_puts(map, "level", bt_value_cstr(bt_level_name(entry->level)));
    rc |= bt_map_puts(map, "timestamp", bt_value_cstr(bt_iso_utc(entry->time_us, time)));
    rc |= bt_map_puts(map, "attemptNumber", bt_value_int((int64_t)entry->attempt));
    rc |= bt_map_puts(map, "executionId", bt_value_string(ctx->exec_id));
    rc |= bt_map_puts(map, "namespace", bt_value_cstr(ctx->namespace));
    rc |= bt_map_puts(map, "flowId", bt_value_cstr(ctx->flow_id));
    return rc == BT_OK && bt_list_push(ctx->list, BT_TAKE(map)) == BT_OK
               ? BT_OK
               : bt_fail_mem(ctx->err, "logs");
}

static int read_chunks(struct log_ctx *ctx)
{
    sqlite3_stmt *statement;
    struct bt_db *db = &ctx->world->db;
    bool is_row = true;
    int rc = BT_OK;
    BT_TRY(bt_db_prepare(db, sql_chunks, &statement, ctx->err));
    (void)sqlite3_bind_int64(statement, 1, (int64_t)ctx->exec);
    (void)sqlite3_bind_int64(statement, 2, (1 << BT_LEVEL_COUNT) - (1 << ctx->least));
    (void)sqlite3_bind_int64(statement, 3, (int64_t)ctx->next);
    while (rc == BT_OK && bt_value_count(ctx->list) < ctx->count_max &&
           !(ctx->is_paged && ctx->bytes > PAGE_BYTES) &&
           (rc = bt_db_step(db, statement, &is_row, ctx->err)) == BT_OK && is_row) {
        struct bt_log_chunk chunk = {
            .exec = ctx->exec,
            .first_line = (uint64_t)sqlite3_column_int64(statement, 0),
            .lines = (uint32_t)sqlite3_column_int64(statement, 1),
            .levels = (uint32_t)sqlite3_column_int64(statement, 2),
            .from_us = sqlite3_column_int64(statement, 3),
            .to_us = sqlite3_column_int64(statement, 4),
            .segment = (uint32_t)sqlite3_column_int64(statement, 5),
            .offset = (uint64_t)sqlite3_column_int64(statement, 6),
            .length = (uint32_t)sqlite3_column_int64(statement, 7),
        };
        rc = bt_logs_read(ctx->world->logs, &chunk, add_entry, ctx, ctx->err);
        ctx->next = chunk.first_line + chunk.lines;
    }
    ctx->is_all = !is_row;
    (void)sqlite3_reset(statement); /* Repeats the error that was just told. */
    return rc;
}

static int ask_error_logs(struct bt_server_world *world, const struct bt_question *question,
                          struct bt_value **ret_value, struct bt_err *err)
{
    struct log_ctx ctx = {.world = world,
                          .question = question,
                          .exec_id = bt_str_of(question->exec_id),
                          .least = BT_LEVEL_ERROR,
                          .count_max = BT_ERROR_LOGS_MAX,
                          .bytes_max = BT_EXPR_OUTPUT_MAX / 2,
                          .list = bt_list_new(0),
                          .err = err};
    int rc = ctx.list ? find_exec(&ctx) : bt_fail_mem(err, "logs");
    if (rc == BT_OK)
        rc = read_chunks(&ctx);
    if (rc == BT_OK)
        *ret_value = BT_TAKE(ctx.list);
    ctx_done(&ctx);
    return rc;
}

/* A page of lines: whole chunks, so that the next one begins where a chunk does. */
static int read_page(struct log_ctx *ctx)
{
    const struct bt_value *args = ctx->question->args;
    int rc = find_exec(ctx);
    bool is_it = rc == BT_OK && bt_str_is(bt_map_str(args, "namespace"), ctx->namespace) &&
                 bt_str_is(bt_map_str(args, "flowId"), ctx->flow_id);
    if (rc == BT_NOT_FOUND || (rc == BT_OK && !is_it)) { /* It has no lines. */
        ctx->is_all = true;
        return BT_OK;
    }
    return rc < 0 ? rc : read_chunks(ctx);
}

static int ask_logs(struct bt_server_world *world, const struct bt_question *question,
                    struct bt_value **ret_value, struct bt_err *err)
{
    BT_VALUE page = bt_map_new(2);
    struct log_ctx ctx = {.world = world,
                          .question = question,
                          .exec_id = bt_map_str(question->args, "executionId"),
                          .least = BT_LEVEL_INFO,
                          .count_max = SIZE_MAX,
                          .bytes_max = SIZE_MAX,
                          .is_paged = true,
                          .next = (uint64_t)bt_value_as_int(bt_map_gets(question->args, "from")),
                          .list = bt_list_new(0),
                          .err = err};
    (void)bt_level_parse(bt_map_str(question->args, "level"), &ctx.least); /* Else INFO. */
    int rc = page && ctx.list ? read_page(&ctx) : bt_fail_mem(err, "logs");
    if (rc == BT_OK && bt_map_puts(page, "lines", BT_TAKE(ctx.list)) < 0)
        rc = bt_fail_mem(err, "logs");
    if (rc == BT_OK && !ctx.is_all &&
        bt_map_puts(page, "next", bt_value_int((int64_t)ctx.next)) < 0)
        rc = bt_fail_mem(err, "logs");
    ctx_done(&ctx);
    if (rc == BT_OK)
        *ret_value = BT_TAKE(page);
    return rc;
}

/* --- Sealing ---------------------------------------------------------------------------------- */

static int ask_seal(struct bt_server_world *world, const struct bt_question *question,
                    struct bt_value **ret_value, struct bt_err *err)
{
    struct bt_vault_place place = {question->tenant, question->namespace};
    return bt_vault_seal(world->vault, place, bt_map_str(question->args, "text"),
                         bt_map_gets(question->args, "masked"), ret_value) < 0
               ? bt_fail_mem(err, "secret")
               : BT_OK;
}

static int ask_unseal(struct bt_server_world *world, const struct bt_question *question,
                      struct bt_value **ret_value, struct bt_err *err)
{
    struct bt_vault_place place = {question->tenant, question->namespace};
    return bt_vault_unseal(world->vault, place, bt_map_gets(question->args, "value"), ret_value,
                           err);
}

/* --- The world -------------------------------------------------------------------------------- */

static int ask(void *data, const struct bt_question *question, struct bt_value **ret_value,
               struct bt_err *err)
{
    static const struct {
        const char *name;
        int (*ask)(struct bt_server_world *world, const struct bt_question *question,
                   struct bt_value **ret_value, struct bt_err *err);
    } functions[] = {{"secret", ask_secret}, {"kv", ask_kv},     {"errorLogs", ask_error_logs},
                     {"logs", ask_logs},     {"seal", ask_seal}, {"unseal", ask_unseal}};
    struct bt_server_world *world = data;
    for (size_t i = 0; i < BT_COUNT(functions); i++) {
        if (strcmp(question->function, functions[i].name) != 0)
            continue;
        (void)pthread_mutex_lock(&world->lock); /* Cannot fail on a default mutex. */
        int rc = functions[i].ask(world, question, ret_value, err);
        (void)pthread_mutex_unlock(&world->lock); /* As above. */
        return rc;
    }
    return bt_fail(err, BT_UNAVAILABLE, "the function '%s' is not available here",
                   question->function);
}

int bt_server_world_open(const char *db_path, struct bt_logs *logs, const struct bt_vault *vault,
                         struct bt_server_world **ret_world, struct bt_err *err)
{
    struct bt_server_world *world = calloc(1, sizeof *world);
    if (!world)
        return bt_fail_mem(err, "server");
    int rc = bt_db_open(db_path, BT_DB_READER, &world->db, err);
    if (rc < 0) {
        free(world);
        return rc;
    }
    world->logs = logs;
    world->vault = vault;
    (void)pthread_mutex_init(&world->lock, NULL); /* Cannot fail with default attributes. */
    *ret_world = world;
    return BT_OK;
}

struct bt_server_world *bt_server_world_close(struct bt_server_world *world)
{
    if (!world)
        return NULL;
    bt_db_close(&world->db);
    (void)pthread_mutex_destroy(&world->lock);
    free(world);
    return NULL;
}

struct bt_world bt_server_world(struct bt_server_world *world)
{
    return (struct bt_world){world, ask};
}

int bt_server_world_kv(struct bt_server_world *world, struct bt_kv_place place, struct bt_str key,
                       struct bt_kv **ret_kv, struct bt_err *err)
{
    (void)pthread_mutex_lock(&world->lock); /* Cannot fail on a default mutex. */
    int rc = bt_kv_read(&world->db, place, key, ret_kv, err);
    (void)pthread_mutex_unlock(&world->lock); /* As above. */
    return rc;
}

int bt_server_world_kv_list(struct bt_server_world *world, struct bt_kv_place place,
                            const struct bt_kv_query *query, struct bt_err *err)
{
    (void)pthread_mutex_lock(&world->lock); /* As above. */
    int rc = bt_kv_list(&world->db, place, query, err);
    (void)pthread_mutex_unlock(&world->lock); /* As above. */
    return rc;
}

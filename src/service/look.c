/* look.c — Expressions in the context of a stored execution. The rows are read when they are asked
 * for; of all task runs only a few numbers are kept. */
#include "service/look.h"

#include "base/limits.h"
#include "base/map64.h"
#include "base/own.h"
#include "base/vec.h"
#include "engine/execution/codec.h"
#include "engine/execution/step.h"
#include "sys/clock.h"
#include "sys/random.h"
#include "worker/reader.h"

#include <stdlib.h>

/* Where a run stands. */
struct place {
    uint32_t n, task, parent;
    uint64_t value_hash;
};

struct looking {
    struct bt_service *service;
    struct bt_exec *exec;
    struct bt_flow *flow;
    struct bt_err *err;
    BT_VEC(struct place) places; /* By number. */
    struct bt_map64 runs;        /* Number → struct bt_taskrun, owned. */
    BT_VEC(uint32_t *) lists;    /* Given out, owned. */
    uint32_t run_n;              /* The run that was asked for. */
    struct bt_str run_id;
    struct bt_job job; /* For whom files are read. */
};

/* --- Rows ------------------------------------------------------------------------------------- */

static uint64_t hash_of(struct bt_str value)
{
    return bt_str_hash(value, 7);
}

static int note_run(void *data, const struct bt_taskrun *run, const char *task_id)
{
    struct looking *looking = data;
    (void)task_id;
    if (looking->run_id.len && bt_str_eq(bt_id_str(&run->id), looking->run_id))
        looking->run_n = run->n;
    bt_vec_push(&looking->places, ((struct place){run->n, run->task, run->parent,
                                                  hash_of(bt_value_str(run->value))}));
    return BT_OK;
}

/* The row is borrowed: a copy by its own text. */
static int keep_run(void *data, const struct bt_taskrun *run, const char *task_id)
{
    struct looking *looking = data;
    BT_CLEANUP(bt_buf_done) struct bt_buf text = BT_BUF_INIT(BT_JSON_BYTES_MAX);
    struct bt_taskrun *copy = NULL;
    (void)task_id;
    if (bt_taskrun_encode(run, &text) < 0)
        return bt_buf_check(&text, "a task run", looking->err);
    BT_TRY(bt_taskrun_decode(bt_buf_str(&text), &copy, looking->err));
    bt_map64_put(&looking->runs, copy->n, copy);
    return BT_OK;
}

static int view_run(void *data, uint32_t n, struct bt_taskrun **ret_run)
{
    struct looking *looking = data;
    struct bt_store *store = looking->service->store;
    *ret_run = bt_map64_get(&looking->runs, n);
    if (*ret_run)
        return BT_OK;
    BT_TRY(store->ops->runs(store, &(struct bt_run_query){looking->exec->key, n, 1},
                            &(struct bt_run_sink){keep_run, looking}, looking->err));
    *ret_run = bt_map64_get(&looking->runs, n);
    return *ret_run ? BT_OK : BT_NOT_FOUND;
}

static int view_find(void *data, uint32_t task, uint32_t parent, struct bt_str value,
                     struct bt_taskrun **ret_run)
{
    const struct looking *looking = data;
    uint64_t hash = hash_of(value);
    for (size_t i = looking->places.count; i-- > 0;) {
        const struct place *place = &looking->places.items[i];
        if (place->task == task && place->parent == parent && place->value_hash == hash)
            return view_run(data, place->n, ret_run);
    }
    return BT_NOT_FOUND;
}

static int view_list(void *data, uint32_t task, uint32_t parent, const uint32_t **ret_ns,
                     size_t *ret_count)
{
    struct looking *looking = data;
    uint32_t *list = malloc((looking->places.count + 1) * sizeof *list);
    size_t count = 0;
    if (!list)
        return BT_NO_MEM;
    for (size_t i = 0; i < looking->places.count; i++) {
        const struct place *place = &looking->places.items[i];
        if (place->task == task && place->parent == parent)
            list[count++] = place->n;
    }
    bt_vec_push(&looking->lists, list);
    *ret_ns = list;
    *ret_count = count;
    return BT_OK;
}

/* No expression asks for these. */
static int view_values(void *data, uint32_t n, struct bt_value **ret_list)
{
    (void)data;
    (void)n;
    (void)ret_list;
    return BT_NOT_FOUND;
}

static struct bt_view view_of(struct looking *looking)
{
    return (struct bt_view){.data = looking,
                            .taskrun = view_run,
                            .find = view_find,
                            .list = view_list,
                            .values = view_values};
}

/* --- What may be asked ------------------------------------------------------------------------ */

static int ask(void *data, const char *function, const struct bt_value *args,
               struct bt_value **ret_value, struct bt_err *err)
{
    struct looking *looking = data;
    if (bt_reader_knows(function))
        return bt_reader_call(&(struct bt_reading){looking->service->files, &looking->job},
                              function, bt_map_str(args, "path"), ret_value, err);
    if (strcmp(function, "kv") != 0 && strcmp(function, "errorLogs") != 0)
        return bt_fail(err, BT_INVALID, "%s() is not available for looking at an execution",
                       function);
    struct bt_world world = bt_server_world(looking->service->world);
    const struct bt_question question = {looking->exec->tenant, looking->exec->namespace,
                                         looking->exec->id.text, function, args};
    return world.ask(world.data, &question, ret_value, err);
}

static int fill_job(struct looking *looking, struct bt_err *err)
{
    const struct bt_exec *exec = looking->exec;
    struct bt_value *variables = bt_map_new(1);
    looking->job = (struct bt_job){.flow = looking->flow, .variables = variables};
    (void)snprintf(looking->job.tenant, sizeof looking->job.tenant, "%s", exec->tenant); /* Fits. */
    (void)snprintf(looking->job.exec_id, sizeof looking->job.exec_id, "%s", exec->id.text);
    if (!variables ||
        (exec->trigger && bt_map_puts(variables, "trigger", bt_value_ref(exec->trigger)) < 0))
        return bt_fail_mem(err, "expression");
    return BT_OK;
}

/* --- Rendering -------------------------------------------------------------------------------- */

static int render(struct looking *looking, struct bt_str expression, struct bt_value **ret_text,
                  struct bt_err *err)
{
    BT_CLEANUP(bt_template_unref_p) struct bt_template *template = NULL;
    struct bt_capabilities asks = {looking, ask};
    struct bt_taskrun *run = NULL;
    struct bt_step step;
    BT_TRY(bt_template_parse(expression, &template, err));
    if (looking->run_n)
        BT_TRY(view_run(looking, looking->run_n, &run));
    bt_step_init(&step);
    step.exec = looking->exec;
    step.flow = looking->flow;
    step.view = view_of(looking);
    step.env.now_us = bt_clock_wall_us(bt_clock_system());
    step.env.rng.state = bt_random_u64();
    int rc = bt_execution_look(&step, &(struct bt_look){run, template, &asks}, ret_text, err);
    bt_step_done(&step);
    return rc;
}

static int look(struct looking *looking, const struct bt_look_request *request,
                struct bt_value **ret_text, struct bt_err *ret_error)
{
    struct bt_store *store = looking->service->store;
    BT_TRY(store->ops->runs(store, &(struct bt_run_query){looking->exec->key, 1, UINT32_MAX},
                            &(struct bt_run_sink){note_run, looking}, ret_error));
    if (request->run_id.len && !looking->run_n)
        return bt_fail(ret_error, BT_NOT_FOUND, "%s", "");
    BT_TRY(fill_job(looking, ret_error));
    if (render(looking, request->expression, ret_text, ret_error) < 0 && !ret_error->code)
        return bt_fail(ret_error, BT_CORRUPT, "the execution cannot be read");
    return BT_OK;
}

static void looking_done(struct looking *looking)
{
    for (size_t i = 0; i < looking->runs.cap; i++)
        bt_taskrun_free(looking->runs.slots[i].value);
    bt_map64_done(&looking->runs);
    for (size_t i = 0; i < looking->lists.count; i++)
        free(looking->lists.items[i]);
    bt_vec_done(&looking->lists);
    bt_vec_done(&looking->places);
    bt_value_unref(looking->job.variables);
    bt_exec_free(looking->exec);
    bt_flow_unref(looking->flow);
}

int bt_service_look(struct bt_service *service, const struct bt_principal *principal,
                    const struct bt_look_request *request, struct bt_value **ret_text,
                    struct bt_err *ret_error)
{
    struct looking looking = {.service = service, .err = ret_error, .run_id = request->run_id};
    *ret_text = NULL;
    int rc = bt_service_exec(service, principal, request->exec_id, &looking.exec, ret_error);
    if (rc == BT_OK)
        rc = bt_service_flow_of(service, principal, looking.exec, &looking.flow, ret_error);
    if (rc == BT_OK)
        rc = look(&looking, request, ret_text, ret_error);
    looking_done(&looking);
    return rc;
}

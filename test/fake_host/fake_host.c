/* fake_host.c — A host of plugins for tests: loads one, then runs a call for each line that it
 * reads and answers with a line. Both are JSON:
 *   {"type": "http.request", "properties": {…}, "info": {…}, "kill_ms": 100}
 *   {"code": 0, "reason": "", "outputs": {…}, "logs": […], "metrics": […], "events": […], "open":
 * 0} Usage: fake_host PLUGIN.so DIRECTORY */
#include "fake_host.h"

#include "base/limits.h"
#include "base/num.h"
#include "lang/expr/expr.h"
#include "model/flow.h"
#include "value/json.h"
#include "worker/host/seal.h"

#include <assert.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { OUTPUT_MAX = 16 << 20 };

const char *fake_dir;

struct bt_text fake_keep(struct bt_run *run, struct bt_str text)
{
    char *copy = bt_str_dup(text);
    assert(copy && run->text_count < TEXTS_MAX);
    if ((run->text_count & (run->text_count + 1)) == 0) {
        run->texts = realloc(run->texts, (2 * run->text_count + 2) * sizeof *run->texts);
        assert(run->texts);
    }
    run->texts[run->text_count++] = copy;
    return (struct bt_text){copy, text.len};
}

/* --- Properties ------------------------------------------------------------------------------- */

static const struct bt_value *find(const struct bt_value *map, struct bt_str path)
{
    const struct bt_value *found = bt_map_get(map, path);
    for (size_t at = 0; !found && at < path.len; at++)
        if (path.at[at] == '.')
            found = find(bt_map_get(map, bt_str_slice(path, 0, at)),
                         bt_str_slice(path, at + 1, path.len));
    return found;
}

static const struct bt_value *prop(const struct bt_run *run, const char *path)
{
    const struct bt_value *value = find(run->properties, bt_str_of(path));
    return bt_value_is_null(value) ? NULL : value;
}

static struct bt_text print(struct bt_run *run, const struct bt_value *value, bool is_json)
{
    struct bt_buf out = BT_BUF_INIT(BT_JSON_BYTES_MAX);
    struct bt_text text = {0};
    int rc = is_json ? bt_json_write(value, BT_JSON_COMPACT, &out, NULL)
                     : bt_value_print(value, &out, NULL);
    if (rc == BT_OK)
        text = fake_keep(run, bt_buf_str(&out));
    bt_buf_done(&out);
    return text;
}

static struct bt_text prop_json(struct bt_run *run, const char *path)
{
    const struct bt_value *value = prop(run, path);
    return value ? print(run, value, true) : (struct bt_text){0};
}

static struct bt_text prop_text(struct bt_run *run, const char *path)
{
    const struct bt_value *value = prop(run, path);
    return value ? print(run, value, false) : (struct bt_text){0};
}

static int64_t prop_int(struct bt_run *run, const char *path, int64_t absent)
{
    const struct bt_value *value = prop(run, path);
    return value ? bt_value_as_int(value) : absent;
}

static double prop_double(struct bt_run *run, const char *path, double absent)
{
    const struct bt_value *value = prop(run, path);
    return value ? bt_value_as_double(value) : absent;
}

static int prop_bool(struct bt_run *run, const char *path, int absent)
{
    const struct bt_value *value = prop(run, path);
    return value ? bt_value_as_bool(value) : absent;
}

static int64_t prop_duration_us(struct bt_run *run, const char *path, int64_t absent)
{
    const struct bt_value *value = prop(run, path);
    int64_t us;
    return value && bt_duration_parse(bt_value_str(value), &us, NULL) == BT_OK ? us : absent;
}

static size_t prop_count(struct bt_run *run, const char *path)
{
    return bt_value_count(prop(run, path));
}

static int prop_at(struct bt_run *run, const char *path, size_t index, struct bt_text *ret_key,
                   struct bt_text *ret_json)
{
    const struct bt_value *value = prop(run, path);
    if (index >= bt_value_count(value))
        return BT_PLUGIN_NOT_FOUND;
    bool is_map = bt_value_is(value, BT_KIND_MAP);
    if (ret_key)
        *ret_key = is_map ? fake_keep(run, bt_map_key(value, index)) : (struct bt_text){0};
    if (ret_json)
        *ret_json =
            print(run, is_map ? bt_map_at(value, index, NULL) : bt_list_at(value, index), true);
    return BT_PLUGIN_OK;
}

static struct bt_text info(struct bt_run *run, const char *name)
{
    const struct bt_value *value = bt_map_gets(run->info, name);
    return value ? print(run, value, false) : (struct bt_text){0};
}

/* --- Results ---------------------------------------------------------------------------------- */

static int output(struct bt_run *run, const char *name, struct bt_value *value)
{
    return bt_map_puts(run->outputs, name, value) == BT_OK ? BT_PLUGIN_OK : BT_PLUGIN_LIMIT;
}

static int output_json(struct bt_run *run, const char *name, const char *json, size_t len)
{
    struct bt_value *value = NULL;
    if (bt_json_parse((struct bt_str){json, len}, NULL, &value, NULL) < 0)
        return BT_PLUGIN_FAILED;
    return output(run, name, value);
}

static int output_text(struct bt_run *run, const char *name, const char *text, size_t len)
{
    if (len > OUTPUT_MAX)
        return BT_PLUGIN_LIMIT;
    return output(run, name, bt_value_string((struct bt_str){text, len}));
}

static int output_int(struct bt_run *run, const char *name, int64_t number)
{
    return output(run, name, bt_value_int(number));
}

static void add_log(struct bt_run *run, enum bt_plugin_level level, const char *text, size_t len)
{
    static const char *const names[] = {"TRACE ", "DEBUG ", "INFO ", "WARN ", "ERROR "};
    struct bt_buf line = BT_BUF_INIT(1 << 16);
    assert((size_t)level < 5);
    (void)bt_buf_adds(&line, names[level]);
    (void)bt_buf_add(&line, (struct bt_str){text, len});
    int rc = bt_list_push(run->logs, bt_value_string(bt_buf_str(&line)));
    assert(rc == BT_OK);
    bt_buf_done(&line);
}

static void metric(struct bt_run *run, const char *name, const char *type, double value,
                   const char *tags_json)
{
    struct bt_value *tags = NULL;
    int rc = bt_json_parse(bt_str_of(tags_json), NULL, &tags, NULL);
    assert(rc == BT_OK);
    struct bt_value *item = bt_map_new(4);
    rc |= bt_map_puts(item, "name", bt_value_cstr(name));
    rc |= bt_map_puts(item, "type", bt_value_cstr(type));
    rc |= bt_map_puts(item, "value", bt_value_double(value));
    rc |= bt_map_puts(item, "tags", tags);
    rc |= bt_list_push(run->metrics, item);
    assert(rc == BT_OK);
}

__attribute__((format(printf, 2, 3))) static int fail(struct bt_run *run, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(run->reason, sizeof run->reason, format, args);
    va_end(args);
    return BT_PLUGIN_FAILED;
}

static int is_killed(struct bt_run *run)
{
    return atomic_load(&run->is_killed);
}

static int emit(struct bt_run *run, const char *json, size_t len, const char *id)
{
    struct bt_value *value = NULL;
    (void)id;
    if (bt_json_parse((struct bt_str){json, len}, NULL, &value, NULL) < 0)
        return BT_PLUGIN_FAILED;
    return bt_list_push(run->events, value) == BT_OK ? BT_PLUGIN_OK : BT_PLUGIN_LIMIT;
}

/* --- Questions -------------------------------------------------------------------------------- */

static int lookup(void *data, struct bt_str name, struct bt_value **ret_value, struct bt_err *err)
{
    (void)err;
    *ret_value = bt_value_ref(bt_map_get(data, name));
    return *ret_value ? BT_OK : BT_NOT_FOUND;
}

/* The property as a template; without it, true. */
static int render(struct bt_run *run, const char *name, const char *json, size_t len,
                  struct bt_rendered *ret_rendered)
{
    BT_VALUE variables = NULL;
    BT_VALUE value = NULL;
    struct bt_dyn *dyn = NULL;
    struct bt_err err = BT_ERR_INIT;
    *ret_rendered = (struct bt_rendered){.is_true = 1};
    if (!prop(run, name))
        return BT_PLUGIN_OK;
    int rc = bt_json_parse((struct bt_str){json, len}, NULL, &variables, NULL);
    assert(rc == BT_OK);
    struct bt_scope scope = {.lookup = lookup, .data = variables};
    rc = bt_dyn_compile(prop(run, name), &dyn, &err);
    if (rc == BT_OK)
        rc = bt_dyn_render(dyn, &scope, &value, &err);
    dyn = bt_dyn_unref(dyn);
    if (rc < 0)
        return fail(run, "%s", err.msg);
    ret_rendered->json = print(run, value, true);
    ret_rendered->is_true = bt_text_is_truthy(bt_str_of(print(run, value, false).at));
    return BT_PLUGIN_OK;
}

/* With the key that the line gives in its `info`. */
static int encrypt(struct bt_run *run, const char *text, size_t len, struct bt_text *ret_json)
{
    BT_VALUE sealed = NULL;
    struct bt_err err = BT_ERR_INIT;
    struct bt_str key = bt_map_str(run->info, "encryptionKey");
    if (bt_seal(key, (struct bt_str){text, len}, &sealed, &err) < 0)
        return fail(run, "%s", err.msg);
    *ret_json = print(run, sealed, true);
    return BT_PLUGIN_OK;
}

static const struct bt_host_api api = {
    .abi = BT_PLUGIN_ABI,
    .size = sizeof api,
    .prop_json = prop_json,
    .prop_text = prop_text,
    .prop_int = prop_int,
    .prop_double = prop_double,
    .prop_bool = prop_bool,
    .prop_duration_us = prop_duration_us,
    .prop_count = prop_count,
    .prop_at = prop_at,
    .output_json = output_json,
    .output_text = output_text,
    .output_int = output_int,
    .log = add_log,
    .metric = metric,
    .fail = fail,
    .is_killed = is_killed,
    .file_open = fake_file_open,
    .file_read = fake_file_read,
    .file_size = fake_file_size,
    .file_close = fake_file_close,
    .file_create = fake_file_create,
    .file_write = fake_file_write,
    .file_commit = fake_file_commit,
    .file_abort = fake_file_abort,
    .emit = emit,
    .info = info,
    .render = render,
    .encrypt = encrypt,
};

/* --- A call ----------------------------------------------------------------------------------- */

struct order {
    struct bt_run run;
    int (*work)(const struct bt_host_api *host, struct bt_run *run);
    void (*kill)(struct bt_run *run);
    int64_t kill_ms; /* 0: never. */
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    bool is_ended;
};

static void *kill_later(void *data)
{
    struct order *order = data;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    int64_t ns = until.tv_nsec + order->kill_ms * 1000000;
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    pthread_mutex_lock(&order->mutex);
    int rc = 0;
    while (!order->is_ended && rc == 0)
        rc = pthread_cond_timedwait(&order->ended, &order->mutex, &until);
    if (!order->is_ended)
        order->kill(&order->run);
    pthread_mutex_unlock(&order->mutex);
    return NULL;
}

static void find_work(const struct bt_plugin *plugin, struct bt_str type, struct order *order)
{
    for (size_t i = 0; plugin->tasks[i]; i++)
        if (bt_str_is(type, plugin->tasks[i]->type)) {
            order->work = plugin->tasks[i]->run;
            order->kill = plugin->tasks[i]->kill;
        }
    for (size_t i = 0; plugin->triggers[i]; i++)
        if (bt_str_is(type, plugin->triggers[i]->type)) {
            order->work = plugin->triggers[i]->poll;
            order->kill = plugin->triggers[i]->kill;
        }
    assert(order->work);
}

static int run_order(struct order *order)
{
    pthread_t thread;
    order->mutex = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    order->ended = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    if (order->kill_ms > 0 && pthread_create(&thread, NULL, kill_later, order) != 0)
        abort();
    int code = order->work(&api, &order->run);
    pthread_mutex_lock(&order->mutex);
    order->is_ended = true;
    pthread_cond_signal(&order->ended);
    pthread_mutex_unlock(&order->mutex);
    if (order->kill_ms > 0)
        pthread_join(thread, NULL);
    return code;
}

static void answer(struct bt_run *run, int code)
{
    struct bt_buf out = BT_BUF_INIT(BT_JSON_BYTES_MAX);
    BT_VALUE map = bt_map_new(8);
    int rc = bt_map_puts(map, "code", bt_value_int(code));
    rc |= bt_map_puts(map, "reason", bt_value_cstr(run->reason));
    rc |= bt_map_puts(map, "outputs", run->outputs);
    rc |= bt_map_puts(map, "logs", run->logs);
    rc |= bt_map_puts(map, "metrics", run->metrics);
    rc |= bt_map_puts(map, "events", run->events);
    rc |= bt_map_puts(map, "open", bt_value_int(run->open_files));
    rc |= bt_json_write(map, BT_JSON_COMPACT, &out, NULL);
    assert(rc == BT_OK);
    (void)bt_buf_addc(&out, '\n');
    size_t put = fwrite(out.at, 1, out.len, stdout);
    assert(put == out.len && fflush(stdout) == 0);
    bt_buf_done(&out);
    for (size_t i = 0; i < run->text_count; i++)
        free(run->texts[i]);
    free(run->texts);
}

static void run_line(const struct bt_plugin *plugin, struct bt_str line)
{
    BT_VALUE value = NULL;
    int rc = bt_json_parse(line, NULL, &value, NULL);
    assert(rc == BT_OK);
    struct order *order = calloc(1, sizeof *order);
    assert(order);
    order->run = (struct bt_run){
        .properties = bt_map_gets(value, "properties"),
        .info = bt_map_gets(value, "info"),
        .outputs = bt_map_new(4),
        .logs = bt_list_new(4),
        .metrics = bt_list_new(4),
        .events = bt_list_new(4),
    };
    order->kill_ms = bt_value_as_int(bt_map_gets(value, "kill_ms"));
    find_work(plugin, bt_map_str(value, "type"), order);
    answer(&order->run, run_order(order));
    free(order);
}

int main(int argc, char **argv)
{
    assert(argc == 3);
    fake_dir = argv[2];
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    const struct bt_plugin *(*entry)(void) =
        (const struct bt_plugin *(*)(void))dlsym(library, "bt_plugin_entry");
    assert(entry);
    const struct bt_plugin *plugin = entry();
    assert(plugin->abi == BT_PLUGIN_ABI && plugin->size == sizeof *plugin);
    int rc = plugin->init(&api);
    assert(rc == BT_PLUGIN_OK);
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    while ((len = getline(&line, &size, stdin)) > 0)
        run_line(plugin, (struct bt_str){line, (size_t)len});
    free(line);
    return 0;
}

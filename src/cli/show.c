/* show.c — The view of running executions. */
#include "cli/show.h"

#include "base/iso.h"
#include "base/vec.h"
#include "cli/text.h"

#include <pthread.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { LIVE_LINES_MAX = 12, ITERATION_LINES_MAX = 50, VALUE_WIDTH_MAX = 40, LOG_WIDTH_MAX = 4096 };

struct live {
    uint64_t exec;
    uint32_t n, parent;
    unsigned depth;
    enum bt_state state;
    int64_t since_us;
    char *label; /* "load [3]" */
};

/* How many successes of an iterated task were printed. */
struct iteration {
    uint64_t exec;
    uint32_t task, parent;
    size_t printed, hidden;
};

struct bt_show {
    struct bt_show_config config;
    pthread_mutex_t lock;
    BT_VEC(struct live) live;
    BT_VEC(struct iteration) iterations;
    unsigned drawn; /* Lines of the live part on the screen. */
    int64_t drawn_us;
};

/* --- Words ------------------------------------------------------------------------------------ */

const char *bt_show_duration(int64_t us, char out[32])
{
    if (us < 0)
        us = 0;
    if (us < 1000000)
        (void)snprintf(out, 32, "%lldms", (long long)(us / 1000)); /* All forms fit. */
    else if (us < 60000000)
        (void)snprintf(out, 32, "%.1fs", (double)us / 1e6);
    else
        (void)snprintf(out, 32, "%lldm%02llds", (long long)(us / 60000000),
                       (long long)(us / 1000000 % 60));
    return out;
}

static const char *colour_of(enum bt_state state)
{
    switch (state) {
    case BT_SUCCESS: return "\033[32m";
    case BT_FAILED: return "\033[31m";
    case BT_KILLED:
    case BT_KILLING:
    case BT_CANCELLED: return "\033[35m";
    case BT_WARNING:
    case BT_RETRYING:
    case BT_RETRIED:
    case BT_PAUSED: return "\033[33m";
    case BT_RUNNING: return "\033[36m";
    case BT_CREATED:
    case BT_RESTARTED:
    case BT_QUEUED:
    case BT_SKIPPED:
    case BT_STATE_COUNT: break;
    }
    return "\033[2m";
}

static const char *mark_of(enum bt_state state)
{
    switch (state) {
    case BT_SUCCESS: return "✔";
    case BT_FAILED: return "✘";
    case BT_KILLED:
    case BT_CANCELLED: return "■";
    case BT_WARNING: return "▲";
    case BT_SKIPPED: return "○";
    case BT_RUNNING: return "▶";
    case BT_CREATED:
    case BT_PAUSED:
    case BT_RESTARTED:
    case BT_KILLING:
    case BT_QUEUED:
    case BT_RETRYING:
    case BT_RETRIED:
    case BT_STATE_COUNT: break;
    }
    return "…";
}

static const char *paint(const struct bt_show *show, const char *colour)
{
    return show->config.has_colour ? colour : "";
}

static const char *plain(const struct bt_show *show)
{
    return show->config.has_colour ? "\033[0m" : "";
}

static unsigned depth_of(const struct bt_flow *flow, uint32_t task)
{
    unsigned depth = 0;
    while (flow->tasks[task].parent != BT_NO_TASK) {
        task = flow->tasks[task].parent;
        depth++;
    }
    return depth;
}

static void put_clock(const struct bt_show *show, int64_t at_us)
{
    char iso[BT_ISO_SIZE];
    (void)bt_iso_utc(at_us, iso);
    (void)fprintf(show->config.out, "%s%.12s%s ", paint(show, "\033[2m"), iso + 11, plain(show));
}

static void put_task(const struct bt_show *show, const struct bt_flow *flow,
                     const struct bt_taskrun *run)
{
    FILE *out = show->config.out;
    for (unsigned i = depth_of(flow, run->task); i > 0; i--)
        (void)fputs("  ", out);
    (void)fputs(flow->tasks[run->task].id, out);
    if (run->value) {
        (void)fputs(" [", out);
        (void)bt_text_put(out, bt_value_str(run->value), VALUE_WIDTH_MAX);
        (void)fputc(']', out);
    }
}

/* --- The live part ---------------------------------------------------------------------------- */

static void erase_live(struct bt_show *show)
{
    if (show->drawn)
        (void)fprintf(show->config.out, "\033[%uA\033[J", show->drawn);
    show->drawn = 0;
}

static int64_t wall_us(void)
{
    return bt_clock_wall_us(bt_clock_system());
}

/* A line that wraps, or more lines than the screen has, could not be erased again. */
static struct winsize screen_of(const struct bt_show *show)
{
    struct winsize size = {0};
    if (ioctl(fileno(show->config.out), TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
        size = (struct winsize){.ws_row = 24, .ws_col = 80};
    return size;
}

static void draw_line(const struct bt_show *show, const struct live *live, size_t columns)
{
    FILE *out = show->config.out;
    char duration[32];
    (void)bt_show_duration(wall_us() - live->since_us, duration);
    size_t indent = (size_t)live->depth * 2, rest = strlen(duration) + 4; /* Mark, blanks. */
    if (rest + indent + 8 > columns)
        indent = 0;
    size_t width = columns > rest + indent ? columns - rest - indent : 1;
    (void)fprintf(out, "%s%s%s %*s", paint(show, colour_of(live->state)), mark_of(live->state),
                  plain(show), (int)indent, "");
    (void)bt_text_put(out, bt_str_of(live->label), width);
    (void)fprintf(out, " %s%s%s\n", paint(show, "\033[2m"), duration, plain(show));
}

/* Nothing above it is alive: a failed group may have ended before its last children. */
static bool is_root(const struct bt_show *show, const struct live *live)
{
    for (size_t i = 0; live->parent && i < show->live.count; i++)
        if (show->live.items[i].n == live->parent && show->live.items[i].exec == live->exec)
            return false;
    return true;
}

/* A run and below it what it encloses. Runs are older than their children, so these come later. */
static void draw_tree(struct bt_show *show, size_t at, size_t columns, size_t most)
{
    const struct live *top = &show->live.items[at];
    draw_line(show, top, columns);
    show->drawn++;
    for (size_t i = at + 1; i < show->live.count && show->drawn < most; i++)
        if (show->live.items[i].parent == top->n && show->live.items[i].exec == top->exec)
            draw_tree(show, i, columns, most);
}

static void draw_live(struct bt_show *show)
{
    if (!show->config.is_terminal || show->config.is_quiet)
        return;
    struct winsize screen = screen_of(show);
    size_t count = show->live.count, most = LIVE_LINES_MAX;
    if (screen.ws_row < most + 3)
        most = screen.ws_row > 4 ? screen.ws_row - 3u : 1;
    for (size_t i = 0; i < count && show->drawn < most; i++)
        if (is_root(show, &show->live.items[i]))
            draw_tree(show, i, screen.ws_col, most);
    if (count > most) {
        (void)fprintf(show->config.out, "  … and %zu more\n", count - most);
        show->drawn++;
    }
    show->drawn_us = wall_us();
}

static char *label_of(const struct bt_flow *flow, const struct bt_taskrun *run)
{
    char *label = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&label, &size);
    if (!out)
        bt_die("out of memory");
    (void)fputs(flow->tasks[run->task].id, out);
    if (run->value) {
        (void)fputs(" [", out);
        (void)bt_text_put(out, bt_value_str(run->value), VALUE_WIDTH_MAX);
        (void)fputc(']', out);
    }
    if (fclose(out) != 0)
        bt_die("out of memory");
    return label;
}

/* By execution and number. Returns where it stands. */
static size_t add_live(struct bt_show *show, const struct bt_change *change)
{
    const struct bt_taskrun *run = change->run;
    struct live live = {.exec = change->exec->key,
                        .n = run->n,
                        .parent = run->parent,
                        .depth = depth_of(change->flow, run->task),
                        .label = label_of(change->flow, run)};
    bt_vec_push(&show->live, live);
    size_t at = show->live.count - 1;
    for (; at > 0; at--) {
        const struct live *before = &show->live.items[at - 1];
        if (before->exec < live.exec || (before->exec == live.exec && before->n < live.n))
            break;
        show->live.items[at] = *before;
    }
    show->live.items[at] = live;
    return at;
}

static void track_live(struct bt_show *show, const struct bt_change *change)
{
    const struct bt_taskrun *run = change->run;
    size_t at = 0;
    while (at < show->live.count &&
           (show->live.items[at].n != run->n || show->live.items[at].exec != change->exec->key))
        at++;
    if (bt_state_is_ended(run->state)) {
        if (at == show->live.count)
            return;
        free(show->live.items[at].label);
        memmove(show->live.items + at, show->live.items + at + 1,
                (show->live.count - at - 1) * sizeof *show->live.items);
        show->live.count--;
        return;
    }
    if (at == show->live.count)
        at = add_live(show, change);
    struct live *live = &show->live.items[at];
    live->state = run->state;
    live->since_us = bt_histories_at(&run->histories, run->histories.count - 1)->at_us;
}

/* --- Lines ------------------------------------------------------------------------------------ */

/* On a terminal the successes of long loops are counted instead of printed. */
static bool hides_iteration(struct bt_show *show, const struct bt_change *change)
{
    const struct bt_taskrun *run = change->run;
    if (!show->config.is_terminal || !run || !run->value)
        return false;
    struct iteration *found = NULL;
    for (size_t i = 0; i < show->iterations.count && !found; i++) {
        struct iteration *at = &show->iterations.items[i];
        if (at->exec == change->exec->key && at->task == run->task && at->parent == run->parent)
            found = at;
    }
    if (!found) {
        bt_vec_push(&show->iterations,
                    ((struct iteration){
                        .exec = change->exec->key, .task = run->task, .parent = run->parent}));
        found = &show->iterations.items[show->iterations.count - 1];
    }
    if (found->printed < ITERATION_LINES_MAX) {
        found->printed += change->kind == BT_CHANGE_RUN;
        return false;
    }
    found->hidden += change->kind == BT_CHANGE_RUN;
    return change->kind == BT_CHANGE_LOG ? change->log->level < BT_LEVEL_WARN
                                         : run->state == BT_SUCCESS || run->state == BT_SKIPPED;
}

static void print_hidden(struct bt_show *show, const struct bt_change *change)
{
    const struct bt_flow *flow = change->flow;
    for (size_t i = 0; i < show->iterations.count; i++) {
        struct iteration *at = &show->iterations.items[i];
        if (at->exec != change->exec->key || at->parent != change->run->n || !at->hidden)
            continue;
        (void)fprintf(show->config.out, "%s             … %zu further runs of %s%s\n",
                      paint(show, "\033[2m"), at->hidden, flow->tasks[at->task].id, plain(show));
        at->hidden = 0;
    }
}

static void print_run(struct bt_show *show, const struct bt_change *change)
{
    const struct bt_taskrun *run = change->run;
    FILE *out = show->config.out;
    bool is_ended = bt_state_is_ended(run->state);
    track_live(show, change);
    if (show->config.is_quiet && run->state != BT_FAILED)
        return;
    if (show->config.is_terminal && !is_ended && run->state != BT_RETRYING)
        return; /* Seen in the live part. */
    if (run->state == BT_CREATED || hides_iteration(show, change))
        return;
    print_hidden(show, change);
    put_clock(show, bt_histories_at(&run->histories, run->histories.count - 1)->at_us);
    (void)fprintf(out, "%s%s %-8s%s ", paint(show, colour_of(run->state)), mark_of(run->state),
                  bt_state_name(run->state), plain(show));
    put_task(show, change->flow, run);
    char duration[32];
    if (is_ended && run->state != BT_SKIPPED)
        (void)fprintf(out, " %s%s%s", paint(show, "\033[2m"),
                      bt_show_duration(bt_histories_duration_us(&run->histories, 0), duration),
                      plain(show));
    (void)fputc('\n', out);
}

static void print_log(struct bt_show *show, const struct bt_change *change)
{
    static const char *const colours[BT_LEVEL_COUNT] = {"\033[2m", "\033[2m", "", "\033[33m",
                                                        "\033[31m"};
    const struct bt_log_entry *log = change->log;
    if (log->level < BT_LEVEL_INFO || (show->config.is_quiet && log->level < BT_LEVEL_ERROR) ||
        hides_iteration(show, change))
        return;
    FILE *out = show->config.out;
    for (struct bt_str rest = log->text; rest.at;) {
        ptrdiff_t end = bt_str_find(rest, BT_STR("\n"), 0);
        struct bt_str line = end < 0 ? rest : bt_str_slice(rest, 0, (size_t)end);
        put_clock(show, log->time_us);
        (void)fprintf(out, "%s  %-8s ", paint(show, colours[log->level]),
                      bt_level_name(log->level));
        if (change->run)
            put_task(show, change->flow, change->run);
        else
            (void)fputs(change->exec->flow_id, out);
        (void)fputs(" | ", out);
        (void)bt_text_put(out, line, LOG_WIDTH_MAX);
        (void)fprintf(out, "%s\n", plain(show));
        if (end < 0)
            return;
        rest = bt_str_slice(rest, (size_t)end + 1, rest.len);
        if (rest.len == 0)
            return;
    }
}

void bt_show_changes(void *data, const struct bt_change *changes, size_t count)
{
    struct bt_show *show = data;
    (void)pthread_mutex_lock(&show->lock);
    erase_live(show);
    for (size_t i = 0; i < count; i++) {
        if (changes[i].kind == BT_CHANGE_RUN)
            print_run(show, &changes[i]);
        else if (changes[i].kind == BT_CHANGE_LOG)
            print_log(show, &changes[i]);
    }
    draw_live(show);
    (void)fflush(show->config.out);
    (void)pthread_mutex_unlock(&show->lock);
}

void bt_show_trouble(void *data, const struct bt_err *err)
{
    struct bt_show *show = data;
    bt_show_note(show, "%s%s%s%s; trying again", err->msg, err->hint[0] ? " (" : "", err->hint,
                 err->hint[0] ? ")" : "");
}

void bt_show_note(struct bt_show *show, const char *format, ...)
{
    (void)pthread_mutex_lock(&show->lock);
    erase_live(show);
    va_list args;
    va_start(args, format);
    (void)fprintf(show->config.out, "%s", paint(show, "\033[1m"));
    (void)vfprintf(show->config.out, format, args);
    (void)fprintf(show->config.out, "%s\n", plain(show));
    va_end(args);
    draw_live(show);
    (void)fflush(show->config.out);
    (void)pthread_mutex_unlock(&show->lock);
}

void bt_show_tick(struct bt_show *show)
{
    if (!show->config.is_terminal)
        return;
    (void)pthread_mutex_lock(&show->lock);
    if (show->live.count && wall_us() - show->drawn_us > 90000) {
        erase_live(show);
        draw_live(show);
        (void)fflush(show->config.out);
    }
    (void)pthread_mutex_unlock(&show->lock);
}

void bt_show_end(struct bt_show *show)
{
    (void)pthread_mutex_lock(&show->lock);
    erase_live(show);
    show->config.is_terminal = false;
    (void)fflush(show->config.out);
    (void)pthread_mutex_unlock(&show->lock);
}

struct bt_show *bt_show_new(const struct bt_show_config *config)
{
    struct bt_show *show = calloc(1, sizeof *show);
    if (!show)
        bt_die("out of memory");
    show->config = *config;
    (void)pthread_mutex_init(&show->lock, NULL); /* Cannot fail with default attributes. */
    return show;
}

struct bt_show *bt_show_free(struct bt_show *show)
{
    if (!show)
        return NULL;
    for (size_t i = 0; i < show->live.count; i++)
        free(show->live.items[i].label);
    bt_vec_done(&show->live);
    bt_vec_done(&show->iterations);
    (void)pthread_mutex_destroy(&show->lock);
    free(show);
    return NULL;
}
